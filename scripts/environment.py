"""Steps of the Makefile that inspect a Python environment.

    python scripts/environment.py check-python
    python scripts/environment.py keep-torch .venv

This script uses only the standard library; ``check-gpu`` also needs torch. The script
must start on any Python 3, even on a version that is too old for dil_teach,
because ``check-python`` explains which versions work.
"""

import pathlib
import re
import sys

OLDEST, NEWEST = (3, 11), (3, 13)
"""The versions of Python that ``requires-python`` in pyproject.toml allows."""
OLDEST_TORCH = (2, 4)


def check_python(version: tuple = sys.version_info[:2]) -> None:
    """Exit with one sentence if dil_teach does not support this Python."""
    if not OLDEST <= version <= NEWEST:
        sys.exit(
            "dil_teach needs Python 3.11, 3.12 or 3.13, but {} is {}.{}: name another, "
            "as in make setup PYTHON=python3.12".format(sys.executable, *version)
        )


def check_gpu() -> None:
    """Exit with one sentence if torch finds no CUDA device."""
    import torch

    if not torch.cuda.is_available():
        sys.exit(
            "make test-gpu needs a GPU with CUDA, but torch {} finds none here: run it "
            "on a machine that has one".format(torch.__version__)
        )


def print_requirements(pyproject: str = "pyproject.toml") -> None:
    """Print what dil_teach needs for the course and the tests, except torch."""
    import tomllib

    with open(pyproject, "rb") as file:
        project = tomllib.load(file)["project"]
    extras = project["optional-dependencies"]
    for line in project["dependencies"] + extras["lab"] + extras["test"]:
        if re.split("[^A-Za-z0-9._-]", line)[0] != "torch":
            print(line)


def keep_torch(venv: str) -> None:
    """Make this Python's torch, if it is recent enough, importable in an environment.

    A .pth file adds the folder that contains torch, with its other packages, to the end
    of the environment's search path.
    """
    from importlib.metadata import distributions

    packages = site_packages(venv)
    for torch in distributions(name="torch"):
        version = tuple(map(int, torch.version.split(".")[:2]))
        if version >= OLDEST_TORCH and packages.is_dir():
            folder = pathlib.Path(str(torch.locate_file(""))).resolve()
            (packages / "torch_of_python.pth").write_text("{}\n".format(folder))
            print("keeping torch", torch.version, "from", folder)
            return


def link_torch(venv: str) -> None:
    """Link the torch of this Python, and its CUDA packages, into an environment.

    No other package of this Python becomes importable in the environment. The
    environment has Colab's packages; tests must fail if a chapter needs a package that
    Colab lacks.
    """
    from importlib.metadata import distributions

    links = pathlib.Path(venv, "torch")
    for found in distributions():
        name = found.metadata["Name"] or ""
        if not found.files or not re.match("(torch|triton|nvidia-.*|cuda-.*)$", name):
            continue
        links.mkdir(exist_ok=True)
        for top in {file.parts[0] for file in found.files} - {"..", "__pycache__"}:
            if not (links / top).exists():
                place = pathlib.Path(str(found.locate_file(top)))
                (links / top).symlink_to(place.resolve())
        if name == "torch":
            path = site_packages(venv) / "torch.pth"
            path.write_text("{}\n".format(links.resolve()))
            print("linking to torch", found.version)


def site_packages(venv: str) -> pathlib.Path:
    """The packages folder of an environment that was made with this Python."""
    python = "python{}.{}".format(*sys.version_info[:2])
    return pathlib.Path(venv, "lib", python, "site-packages")


STEPS = {
    "check-python": check_python,
    "check-gpu": check_gpu,
    "print-requirements": print_requirements,
    "keep-torch": keep_torch,
    "link-torch": link_torch,
}

if __name__ == "__main__":
    STEPS[sys.argv[1]](*sys.argv[2:])
