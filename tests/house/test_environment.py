"""Tests of scripts/environment.py and the Makefile: Python, torch, benchmarks."""

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/environment.py"
MAKEFILE = (ROOT / "Makefile").read_text()

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


def load(path: Path) -> ModuleType:
    """Import a file that is not part of a package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


environment = load(SCRIPT)


def make(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, capture_output=True, text=True
    )


# ---- the Python


def test_supported_versions_are_those_of_pyproject() -> None:
    wanted = re.search(
        'requires-python = "(.*)"', (ROOT / "pyproject.toml").read_text()
    )
    assert wanted
    specifier = Requirement("python" + wanted[1]).specifier
    for minor in range(8, 16):
        said = None
        try:
            environment.check_python((3, minor))
        except SystemExit as stopped:
            said = str(stopped)
        assert (said is None) == specifier.contains(f"3.{minor}")
        assert said is None or said.endswith(
            f"is 3.{minor}: name another, as in make setup PYTHON=python3.12"
        )


def test_the_script_starts_on_an_old_python() -> None:
    """Without an old Python, only the script's syntax and imports can be checked."""
    tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 7))
    imports = [node for node in tree.body if isinstance(node, ast.Import)]
    assert {name.name for node in imports for name in node.names} == {
        *("pathlib", "re", "sys")
    }
    assert not [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            hints = [argument.annotation for argument in function.args.args]
            for hint in filter(None, [*hints, function.returns]):
                assert not isinstance(hint, ast.Subscript | ast.BinOp), function.name


# ---- what is installed


def test_requirements_are_all_but_torch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text(
        '[project]\ndependencies = ["torch>=2.4", "torchmetrics", "numpy>=1.26"]\n'
        'optional-dependencies = {lab = ["voila"], test = ["pytest"], peers = ["x"]}\n'
    )
    environment.print_requirements(str(project))
    assert capsys.readouterr().out.split() == [
        *("torchmetrics", "numpy>=1.26", "voila", "pytest")
    ]


@pytest.fixture
def python_with_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with torch 2.6, triton and NumPy, as this Python's only packages."""
    packages = tmp_path / "packages"
    for name, version in (("torch", "2.6.0+cpu"), ("triton", "3"), ("numpy", "2")):
        info = packages / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
        (packages / name).mkdir()
        (packages / name / "__init__.py").touch()
        files = (f"{name}/__init__.py", f"{info.name}/METADATA", "../../bin/tool")
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    monkeypatch.setattr(sys, "path", [str(packages)])
    return packages


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    environment.site_packages(str(tmp_path / "venv")).mkdir(parents=True)
    return tmp_path / "venv"


def test_a_torch_that_python_has_is_kept(python_with_torch: Path, venv: Path) -> None:
    environment.keep_torch(str(venv))
    (path,) = environment.site_packages(str(venv)).iterdir()
    assert path.suffix == ".pth" and path.read_text() == f"{python_with_torch}\n"


def test_a_torch_that_is_too_old_is_not_kept(
    python_with_torch: Path, venv: Path
) -> None:
    metadata = python_with_torch / "torch-2.6.0+cpu.dist-info/METADATA"
    metadata.write_text("Name: torch\nVersion: 2.3.1\n")
    environment.keep_torch(str(venv))
    assert not list(environment.site_packages(str(venv)).iterdir())


def test_torch_is_linked_without_the_other_packages(
    python_with_torch: Path, venv: Path
) -> None:
    environment.link_torch(str(venv))
    environment.link_torch(str(venv))  # changes nothing
    links = sorted((venv / "torch").iterdir())
    assert [link.name for link in links] == [
        *("torch", "torch-2.6.0+cpu.dist-info", "triton", "triton-3.dist-info")
    ]
    assert all(link.resolve().parent == python_with_torch for link in links)
    path = environment.site_packages(str(venv)) / "torch.pth"
    assert path.read_text() == f"{venv / 'torch'}\n"


# ---- make


def test_each_step_of_the_makefile_exists() -> None:
    called = re.findall(r"\$\(ENVIRONMENT\) (\S+)", MAKEFILE)
    assert set(called) == set(environment.STEPS)


@needs_make
@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_its_tests_fail_instead_of_being_left_out() -> None:
    done = make("-o", ".venv/ready", "test-gpu", f"VENV={sys.executable}")
    said, *_ = done.stderr.splitlines()
    assert done.returncode and said.startswith("make test-gpu needs a GPU with CUDA")


BENCHMARKS = {
    path
    for path in (ROOT / "benchmarks").glob("*.py")
    # the first file is shared by all benchmarks, the second only compares hashes
    if path.stem not in ("record", "same_results")
}


@needs_make
def test_make_bench_runs_every_benchmark() -> None:
    shown = make("-n", "-o", ".venv/ready", "bench").stdout
    run = re.findall(r"benchmarks/\w+\.py", shown)
    assert sorted(run) == sorted(f"benchmarks/{path.name}" for path in BENCHMARKS)
    assert "set -e" in shown  # the first failure ends the run


@pytest.mark.parametrize("path", sorted(BENCHMARKS), ids=lambda path: path.stem)
def test_each_benchmark_can_be_imported(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(path.parent))
    load(path)
