"""Tests of the badges and the install cell, which must not change Colab's versions."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from dil_teach.course import one_click as module
from dil_teach.course.one_click import badges, one_click, repository

ROOT = Path(__file__).parents[2]
PLACE = repository().removeprefix("https://github.com/")
FORK = "https://github.com/a-fork/with.a_name-of-39-letters-or-so"
COLAB_PYTHON = ROOT / ".venv-colab/bin/python"


def chapter() -> NotebookNode:
    cells = [
        new_markdown_cell("# 00 · Tour\n\nText.", id="a"),
        new_code_cell('budget = "quick"', id="b", metadata={"tags": ["parameters"]}),
    ]
    return new_notebook(cells=cells)


@pytest.fixture
def fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose pyproject.toml names a fork."""
    for file in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / file, tmp_path)
    project = tmp_path / "pyproject.toml"
    changed = project.read_text().replace(f'"{repository()}"', f'"{FORK}"')
    assert changed.count(FORK) == 1
    project.write_text(changed)
    monkeypatch.setattr(module, "shipped", lambda name: tmp_path / name)
    return tmp_path


# ---- badges and the install cell


def test_badges_are_below_the_heading_and_the_install_cell_before_all_code() -> None:
    stamped = one_click(chapter(), "00_tour")
    nbformat.validate(stamped)
    heading, install, *others = stamped.cells
    assert heading.source == f"# 00 · Tour\n\n{badges('00_tour')}\n\nText."
    assert others == chapter().cells[1:]
    assert stamped == one_click(chapter(), "00_tour")  # the cells' ids are also equal
    file = "notebooks/00_tour.ipynb"
    for link in (
        f"colab.research.google.com/github/{PLACE}/blob/main/{file}",
        f"mybinder.org/v2/gh/{PLACE}/main?urlpath=lab/tree/{file}",
    ):
        assert f"](https://{link})" in heading.source
    assert (
        len(re.findall(r"\[!\[Open in \w+\]\(https://\S+\.svg\)\]", badges("x"))) == 2
    )
    assert f'"git+{repository()}"' in install.source


def test_the_first_cell_is_short_even_in_a_fork(fork: Path) -> None:
    lines = one_click(chapter(), "00_tour").cells[1].source.splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 15
    assert max(map(len, lines)) <= 88


def test_a_chapter_without_a_heading_is_rejected() -> None:
    with pytest.raises(AssertionError, match="00_tour: begin with"):
        one_click(new_notebook(cells=[new_code_cell("1")]), "00_tour")


def test_outside_colab_the_first_cell_does_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("ran pip"))
    source = one_click(chapter(), "00_tour").cells[1].source
    for _ in range(2):
        exec(source, {})
    monkeypatch.setitem(sys.modules, "google.colab", json)  # dil_teach can be imported
    exec(source, {})
    assert capsys.readouterr() == ("", "")


def test_the_first_cell_says_why_pip_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    fail = "import sys; sys.exit('no way to there')"
    run = subprocess.run

    def failing(command: list[str], **options: bool) -> subprocess.CompletedProcess:
        assert command[-1] == f"git+{repository()}"
        return run([sys.executable, "-c", fail], **options)

    monkeypatch.setattr(subprocess, "run", failing)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setitem(sys.modules, "google.colab", json)
    with pytest.raises(RuntimeError, match="no way to there"):
        exec(one_click(chapter(), "00_tour").cells[1].source, {})


# ---- the one place that names the repository


def test_a_fork_changes_one_place_and_all_stamps_follow(fork: Path) -> None:
    stamped = one_click(chapter(), "00_tour")
    module.stamp_readme()
    readme = (fork / "README.md").read_text()
    place = FORK.removeprefix("https://github.com/")
    for text in (stamped.cells[0].source, readme):
        assert re.findall(r"/(?:github|gh)/([^/]+/[^/]+)/", text) == [place, place]
    assert f"git+{FORK}" in stamped.cells[1].source
    assert PLACE not in nbformat.writes(stamped) + readme


@pytest.mark.parametrize("url", ["", "https://gitlab.com/a/b", f"{FORK}/tree/main"])
def test_an_address_outside_github_is_rejected(url: str, fork: Path) -> None:
    project = fork / "pyproject.toml"
    project.write_text(project.read_text().replace(f'"{FORK}"', f'"{url}"'))
    with pytest.raises(AssertionError, match=r"expected https://.*/OWNER/NAME, got"):
        repository()


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("no git, or no checkout of it")
    return [
        path for line in listed.stdout.splitlines() if (path := ROOT / line).is_file()
    ]


def test_no_other_file_names_the_repository() -> None:
    naming = {path for path in tracked() if PLACE.encode() in path.read_bytes()}
    stamped = {ROOT / "README.md", *ROOT.glob("notebooks/*.ipynb")}
    assert naming - stamped == {ROOT / "pyproject.toml"}
    assert badges("00_tour") in (ROOT / "README.md").read_text()


# ---- Binder


def test_binder_has_the_environment_with_an_explicit_python() -> None:
    def lines(path: str) -> list[str]:
        text = (ROOT / path).read_text()
        return [
            line for line in text.splitlines() if not line.startswith(("#", "name"))
        ]

    plain, binder = lines("environment.yml"), lines(".binder/environment.yml")
    place = plain.index("  - python>=3.11,<3.14")
    assert re.fullmatch(r"  - python=3\.1[123]", binder[place])
    assert plain[:place] + plain[place + 1 :] == binder[:place] + binder[place + 1 :]


def test_binder_installs_the_package_after_it() -> None:
    post_build = ROOT / ".binder/postBuild"
    assert os.access(post_build, os.X_OK)
    *_, last = post_build.read_text().splitlines()
    assert last == "python -m pip install --no-deps --no-cache-dir ."
    subprocess.run(["bash", "-n", str(post_build)], check=True)


# ---- Colab, with its own versions


KERNEL = "--IPKernelApp.exec_lines=import google.colab.output"
VERSIONS = """\
import json
from importlib.metadata import distributions

print(json.dumps({found.name: found.version for found in distributions()}))"""


def run_there(cells: list[NotebookNode], folder: Path) -> list[NotebookNode]:
    notebook = new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "colab", "display_name": "Colab"}
    NotebookClient(
        notebook,
        kernel_name="colab",
        timeout=600,
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
    ).execute()
    return notebook.cells


@pytest.fixture(scope="module")
def colab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder, and a kernel named ``colab`` beside .venv-colab.

    The first cell installs into an environment above .venv-colab, so .venv-colab does
    not change before the next run. The cell fetches this checkout.
    """
    if not COLAB_PYTHON.exists():
        pytest.skip("no .venv-colab: make colab")
    folder = tmp_path_factory.mktemp("colab")
    ask = "import site; print(site.getsitepackages()[0])"
    below = subprocess.check_output([COLAB_PYTHON, "-c", ask], text=True).strip()
    subprocess.run([COLAB_PYTHON, "-m", "venv", folder / "above"], check=True)
    python = folder / "above/bin/python"
    site = subprocess.check_output([python, "-c", ask], text=True).strip()
    for own in Path(site).glob("setuptools*"):
        shutil.rmtree(own)
    Path(site, "below.pth").write_text(f"import site; site.addsitedir({below!r})\n")

    remote = folder / "remote"
    for path in tracked():
        copy = remote / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", remote]
    for command in ("init -q", "add -A", "commit -q -m all"):
        subprocess.run([*git, *command.split()], check=True)

    stub = folder / "stub/google/colab"
    stub.mkdir(parents=True)
    (stub / "__init__.py").touch()
    (stub / "output.py").write_text("def enable_custom_widget_manager(): pass\n")
    kernel = folder / "jupyter/kernels/colab"
    kernel.mkdir(parents=True)
    launch = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {
        "argv": [*launch, KERNEL],
        "display_name": "Colab",
        "language": "python",
        "env": {
            "PYTHONPATH": str(folder / "stub"),
            "IPYTHONDIR": str(folder / "ipython"),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{remote}.insteadOf",
            "GIT_CONFIG_VALUE_0": repository(),
        },
    }
    (kernel / "kernel.json").write_text(json.dumps(spec))
    (folder / "work").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(folder / "jupyter"))
        install = one_click(chapter(), "00_tour").cells[1]
        cells = [new_code_cell(VERSIONS), install, new_code_cell(VERSIONS)]
        before, first, after = run_there(cells, folder / "work")
        versions = [json.loads(cell.outputs[0].text) for cell in (before, after)]
        (folder / "work/versions.json").write_text(json.dumps(versions))
        assert not first.outputs
        yield folder / "work"


@pytest.mark.slow
def test_on_colab_the_first_cell_replaces_nothing(colab: Path) -> None:
    before, after = json.loads((colab / "versions.json").read_text())
    assert {name: after[name] for name in before} == before
    wanted = {"ipykernel": "6.17.1", "ipython": "7.34.0", "ipywidgets": "7.7.1"}
    assert wanted.items() <= before.items() and "torch" in before
    added = {name.lower() for name in set(after) - set(before)}
    assert {"dil_teach", "jaxtyping", "tyro"} <= added
    assert len(added) <= 6, added  # only small packages


@pytest.mark.slow
@pytest.mark.parametrize("number", ["00", "01", "09"])
def test_on_colab_every_cell_of_the_built_chapter_passes(
    number: str, colab: Path
) -> None:
    found = list(ROOT.glob(f"notebooks/{number}_*.ipynb"))
    if not found:
        pytest.skip(f"no chapter {number} yet")
    notebook = nbformat.read(found[0], as_version=4)
    assert notebook.cells[1].metadata.tags[0] == "one-click", "make notebooks"
    cells = [*notebook.cells, new_code_cell(VERSIONS)]
    cells.append(new_code_cell("import dil_teach; print(dil_teach.__file__)"))
    *_, versions, place = run_there(cells, colab)
    _, after = json.loads((colab / "versions.json").read_text())
    assert json.loads(versions.outputs[0].text) == after
    assert "above" in place.outputs[0].text, "the kernel saw the checkout instead"
