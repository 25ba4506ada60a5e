"""dil-teach statistics: the figure, its numbers, and messages for bad input."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from dil_teach.cli import main
from dil_teach.image.convention import to_uint8
from dil_teach.image.photos import photo


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a photograph and files that cannot be used."""
    monkeypatch.chdir(tmp_path)
    colour().save("in.png")
    colour().resize((4000, 3000)).save("large.jpg")
    Path("text.png").write_text("no picture")
    Picture.new("RGB", (48, 40), "teal").save("constant.png")
    colour().resize((19, 40)).save("small.png")
    Path("folder.png").mkdir()
    Path("taken.json").mkdir()
    return tmp_path


def colour() -> Picture.Image:
    return Picture.fromarray(to_uint8(photo("coffee", 64))[:56])


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_statistics_writes_a_figure_and_its_numbers(
    mode: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = colour().convert(mode)
    if mode == "RGBA":
        picture.putalpha(Picture.linear_gradient("L").resize(picture.size))
    picture.save("in.png")
    assert main(["statistics", "in.png", "out.png"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("out.png, out.json: ") and "patches compared in " in said
    with Picture.open("out.png") as result:
        drawn = np.asarray(result.convert("L"))
    assert min(drawn.shape) > 800 and drawn.std() > 10
    figures = json.loads(Path("out.json").read_text())
    assert (figures["height"], figures["width"]) == (56, 64)
    assert (figures["transparency"] == "none") == (mode != "RGBA")
    assert sum(figures["percent_of_patches"].values()) == pytest.approx(100)
    assert figures["radii"] == [10, 20, 40, 80]
    names = list(figures["patches_compared"])
    density = [figures["density_within_radius"][name][1] for name in names]
    assert density[1:] == sorted(density[1:], reverse=True)
    assert density[-1] < density[0] / 10  # the detailed patches recur least
    own, all_scales = figures["error_of_best_patch_in_grey_levels"].values()
    assert list(own.values()) == sorted(own.values())
    assert all(all_scales[name] <= own[name] + 1e-3 for name in names)
    measured, gaussian = figures["entropy_in_bits"].values()
    assert all(measured[d] < gaussian[d] + 0.5 for d in measured)
    assert figures["entropy_samples"] == (56 // 5) * (64 // 5)


def test_the_same_seed_gives_the_same_numbers(folder: Path) -> None:
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        given = ["statistics", "in.png", f"{name}.png", "--seed", seed]
        assert main([*given, "--max-side", "40"]) == 0
    a, b, c = (json.loads(Path(f"{name}.json").read_text()) for name in "abc")
    assert a == b and a != c
    assert a["width"] == 40


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("none.png out.png", "none.png: no such file"),
        ("text.png out.png", "text.png: expected a picture"),
        ("in.png in.png", "in.png: would overwrite an input file"),
        ("in.png out.jpg", "out.jpg: expected .png, got '.jpg'"),
        ("in.png folder.png", "folder.png: expected a file to write, got a folder"),
        ("in.png taken.png", "taken.json: expected a file to write, got a folder"),
        ("in.png none/out.png", "none: no such folder"),
        ("constant.png out.png", "expected a picture with some detail"),
        ("small.png out.png", "image: expected at least 20 x 20 pixels, four patches"),
        ("large.jpg out.png", "at most 300000 pixels, got 3000 x 4000; crop it, or"),
        ("in.png out.png --max-side 0", "--max-side: expected at least 1, got 0"),
        ("in.png out.png --max-side 12", "expected at least 20 x 20 pixels"),
        ("in.png out.png --patch-size 1", "patch_size: expected 2 to 56"),
        ("in.png out.png --patch-size 15", "expected at least 60 x 60 pixels"),
        ("in.png out.png --seed -1", "--seed: expected 0 to"),
    ],
)
def test_bad_input_to_statistics_is_refused_in_one_line(
    arguments: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(os.listdir())
    assert main(["statistics", *arguments.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    line = printed.err.splitlines()[-1]
    assert line.startswith("dil-teach: ") and said in line
    assert sorted(os.listdir()) == before


def test_one_gradient_is_enough(folder: Path) -> None:
    """A noise image has patches in one gradient bin alone, and no smooth ones."""
    noise = torch.rand(1, 30, 30, generator=torch.Generator().manual_seed(0))
    Picture.fromarray(to_uint8(noise)).save("noise.png")
    assert main(["statistics", "noise.png", "out.png"]) == 0
    figures = json.loads(Path("out.json").read_text())
    assert list(figures["patches_compared"]) == ["over 30"]
