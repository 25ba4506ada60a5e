"""The method, test and command that CONTRIBUTING.md adds work as they are printed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from dil_teach.course.check import engine

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the library with the new method, its public name and its command."""
    folder = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "dil_teach", folder / "dil_teach", ignore=ignored)
    (folder / "data").symlink_to(ROOT / "data")
    (folder / "benchmarks").symlink_to(ROOT / "benchmarks")
    method, public, test, command, command_test, *_ = BLOCKS
    (folder / "dil_teach/classical/tikhonov.py").write_text(method)
    (folder / "dil_teach/commands/smooth.py").write_text(command)
    (folder / "test_tikhonov.py").write_text(test)
    stub, line = folder / "dil_teach/__init__.pyi", "__all__ = [\n"
    names = '    "Tikhonov",\n    "TikhonovSettings",\n'
    stub.write_text(stub.read_text().replace(line, public + line + names))
    cli, line = folder / "dil_teach/cli.py", "COMMANDS = {\n"
    imported = "from dil_teach.commands.smooth import smooth\n"
    added = f'{imported}{line}    "smooth": smooth,\n'
    cli.write_text(cli.read_text().replace(line, added))
    edit(
        "training/test_every_method.py",
        folder,
        {
            "from dil_teach import (\n": "    Tikhonov,\n",
            "METHODS: dict[str, Callable] = {\n": '    "Tikhonov": Tikhonov,\n',
        },
    )
    edit(
        "commands/test_commands.py",
        folder,
        {
            "from dil_teach.cli import COMMANDS, main\n": "from dil_teach "
            "import Tikhonov, TikhonovSettings\n",
            "METHODS = (\n": "    Tikhonov,\n",
            "    for settings in (\n": "        TikhonovSettings,\n",
            "# ---- as a program\n": command_test,
        },
    )
    return folder


def edit(test: str, checkout: Path, added: dict[str, str]) -> None:
    """Copy a test file to the checkout, with text added after some of its lines."""
    text = (ROOT / "tests" / test).read_text()
    for line, more in added.items():
        assert text.count(line) == 1
        text = text.replace(line, line + more)
    (checkout / Path(test).name).write_text(text)


def run(checkout: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_method_passes_its_test(checkout: Path) -> None:
    assert "7 passed" in run(checkout, "-m", "pytest", "test_tikhonov.py")


def test_the_method_obeys_the_rules_of_every_method(checkout: Path) -> None:
    arguments = ("test_every_method.py", "-k", "Tikhonov or public")
    assert "2 passed" in run(checkout, "-m", "pytest", *arguments)


def test_the_command_passes_its_tests(checkout: Path) -> None:
    arguments = ("test_commands.py", "-k", "smooth")
    assert "10 passed" in run(checkout, "-m", "pytest", *arguments)


@pytest.mark.parametrize("weight", ["0", "100", "1e6"])
def test_the_command_works_with_every_weight(checkout: Path, weight: str) -> None:
    photograph = str(ROOT / "data/scenes/cat_image.png")
    options = ("--weight", weight)
    run(checkout, "-m", "dil_teach.cli", "smooth", photograph, "w.png", *options)
    with Picture.open(checkout / "w.png") as result, Picture.open(photograph) as given:
        got, wanted = np.asarray(result, float), np.asarray(given, float)
    assert abs(got.mean() - wanted.mean()) < 1
    assert np.array_equal(got, wanted) if weight == "0" else got.std() < wanted.std()


def test_the_command_writes_a_picture(checkout: Path) -> None:
    photograph = str(ROOT / "data/scenes/cat_image.png")
    said = run(checkout, "-m", "dil_teach.cli", "smooth", photograph, "out.png")
    assert re.search(r"^out\.png: \d+ x \d+ pixels written in ", said, re.MULTILINE)


def test_the_exercise_knows_its_mistake() -> None:
    *_, solution, exercise = (block for block in BLOCKS if "mean_removed" in block)
    names = {**vars(engine), "torch": torch}
    exec(exercise, names)
    check = names["mean_removed"]
    (diagnosis,) = check.mistakes
    assert check(check.reference).state == "passed"
    assert check(check.mistakes[diagnosis]).message.startswith(diagnosis)
    assert "return patch - patch.mean(dim=(1, 2), keepdim=True)" in solution


@pytest.mark.parametrize("block", [*BLOCKS[:5], BLOCKS[-1]])
def test_the_code_is_formatted(block: str) -> None:
    command = [sys.executable, "-m", "ruff", "format", "--check", "-"]
    subprocess.run(command, input=block, text=True, check=True)


def test_the_folders_and_files_that_it_names_exist() -> None:
    shown = re.sub(r"^```.*?^```", "", TEXT, flags=re.DOTALL | re.MULTILINE)
    paths = re.findall(r"`((?:dil_teach|tests|scripts|notebooks)/[\w/.]+)`", shown)
    new = {"tikhonov.py", "test_tikhonov.py", "smooth.py"}
    for path in paths:
        assert Path(path).name in new or "NN_" in path or (ROOT / path).exists(), path
