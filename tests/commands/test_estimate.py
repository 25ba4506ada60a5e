"""What a command will need: time, memory, and a smaller size by ``--max-side``."""

import json
import math
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch
from PIL import Image as Picture

import dil_teach.commands.estimate as estimate_module
import dil_teach.commands.retarget as retarget_module
from dil_teach.cli import COMMANDS, main
from dil_teach.commands.estimate import (
    OWN_MEMORY,
    Estimate,
    available_memory,
    expect,
    in_words,
    probe,
)
from dil_teach.commands.files import load_mask
from dil_teach.commands.options import Budget, Reading, train_with_bar
from dil_teach.commands.pictures import load_pictures
from dil_teach.deep.zs_n2n import ZSN2NSettings
from dil_teach.image.convention import to_uint8
from dil_teach.image.photos import photo
from dil_teach.image.shipped import shipped

WITHOUT_PICTURE = ("decompress", "lesson")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a photograph of 30 x 40 pixels; training has 8 steps."""
    eight = classmethod(lambda cls, **changes: cls(**{"steps": 8, **changes}))
    monkeypatch.setattr(ZSN2NSettings, "quick", eight)
    monkeypatch.chdir(tmp_path)
    Picture.fromarray(to_uint8(photo("astronaut", size=40))[:30]).save("in.png")
    return tmp_path


def record(monkeypatch: pytest.MonkeyPatch, **methods: list[tuple]) -> None:
    """Replace the record: rows of work, probes, bytes and share for each method."""
    names = ("work", "probes", "bytes", "share")
    rows = {
        method.replace("__", " ").replace("_", "-"): [
            dict(zip(names, row, strict=True)) for row in each
        ]
        for method, each in methods.items()
    }
    monkeypatch.setattr(estimate_module, "_record", lambda: rows)
    monkeypatch.setattr(estimate_module, "probe", lambda: 0.5)


# ---- the estimate


@pytest.mark.parametrize(
    ("work", "seconds", "memory"),
    [(50, 5, 1e9), (100, 5, 1e9), (150, 7.5, 2e9), (200, 10, 3e9), (400, 20, 7e9)],
)
def test_an_estimate_interpolates_the_record(
    work: float, seconds: float, memory: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(monkeypatch, denoise__nlm=[(100, 10, 1e9, 0), (200, 20, 3e9, 0)])
    monkeypatch.setattr(estimate_module, "available_memory", lambda: math.inf)
    found = expect("denoise nlm", Path("in.png"), (10, 20), work)
    assert found.seconds == pytest.approx(seconds)
    assert found.memory == pytest.approx(OWN_MEMORY + memory)


def test_a_command_says_what_it_needs_before_it_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record(monkeypatch, denoise__nlm=[(1200, 10, 0.25e9, 0)])
    arguments = ["denoise", "in.png", "out.png", "--method", "nlm", "--noise", "9"]
    assert main(arguments) == 0
    said = capsys.readouterr().err
    assert said == "dil-teach: in.png: 30 x 40 pixels: about 5.0 s, 0.6 GB of memory\n"


class Steady:
    """A method whose first step takes 5 s and whose other steps take 2 s."""

    STATE = ("step",)
    total_steps = 10

    def __init__(self, clock: list[float]) -> None:
        self.image, self.arguments, self.step, self.clock = torch.ones(1), {}, 0, clock

    @property
    def done(self) -> bool:
        return self.step == self.total_steps

    def train_step(self) -> dict[str, torch.Tensor]:
        self.clock[0] += 5 if self.step == 0 else 2
        self.step += 1
        return {"loss": torch.ones(())}


@pytest.mark.parametrize(
    ("done", "said"), [(0, "about 17 s"), (8, "about 17 s"), (10, "under 2 s")]
)
def test_the_first_steps_tell_the_time_of_training(
    done: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = [0.0]
    monkeypatch.setattr(estimate_module.time, "perf_counter", lambda: clock[0])
    method = Steady(clock)
    method.step = done
    train_with_bar(method, Estimate("in.png: 3 x 4 pixels", 1.0, 2e9, share=0.8))
    assert method.done
    printed = capsys.readouterr().err
    assert printed == f"dil-teach: in.png: 3 x 4 pixels: {said}, 2.0 GB of memory\n"


def test_too_little_memory_is_refused_before_training(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(100, 1, 0.1e9, 0.9), (1200, 1, 1.2e9, 0.9)]
    record(monkeypatch, denoise__zs_n2n=rows)
    monkeypatch.setattr(estimate_module, "available_memory", lambda: 0.31e9)
    arguments = ["denoise", "in.png", "out.png", "--method", "zs-n2n", "--noise", "9"]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and os.listdir() == ["in.png"]
    assert "0.3 GB of memory is enough, got 30 x 40 pixels, which need" in said
    (side,) = re.findall(r"--max-side (\d+)$", said)
    assert side == "20"  # a quarter of the pixels
    assert main([*arguments, "--max-side", side]) == 0
    said = capsys.readouterr()
    assert "in.png: reduced from 30 x 40 to 15 x 20 pixels" in said.err
    assert said.out.startswith(
        "out.png: 15 x 20 pixels written, with --max-side 20, in"
    )


def test_the_available_memory() -> None:
    assert 0 < available_memory()
    if sys.platform == "linux":
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        assert available_memory() < total


def test_the_probe_takes_time_and_no_random_numbers() -> None:
    before = torch.get_rng_state()
    probe.cache_clear()
    assert 0 < probe() == probe()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1.9, "under 2 s"),
        (9.94, "about 9.9 s"),
        (61.2, "about 61 s"),
        (150, "about 2.5 minutes"),
    ],
)
def test_durations_in_words(seconds: float, said: str) -> None:
    assert in_words(seconds) == said


# ---- the record


def methods() -> Iterator[str]:
    """Each command that computes, with each of its methods."""
    for name, command in COMMANDS.items():
        if name == "lesson":
            continue
        hints: dict[str, Any] = get_type_hints(command)
        of = get_args(hints.get("method")) or get_args(Budget) * (name == "deblur")
        yield from (f"{name} {method}" for method in of) if of else [name]


@pytest.fixture
def rows() -> list[dict]:
    """The record."""
    return json.loads(shipped(estimate_module.RECORD).read_text())["rows"]


def test_measured_methods_exist_and_were_measured_at_three_sizes(
    rows: list[dict],
) -> None:
    sizes: dict[str, set[int]] = {}
    for row in rows:
        sizes.setdefault(row["method"], set()).add(row["side"])
    assert not set(sizes) - set(methods())
    assert not {method: of for method, of in sizes.items() if len(of) < 3}


def test_nine_of_ten_estimates_are_within_a_factor_of_1_6(rows: list[dict]) -> None:
    checked = [row["ratio"] for row in rows if "ratio" in row]
    far = [ratio for ratio in checked if not 1 / 1.6 <= ratio <= 1.6]
    assert len(far) <= len(checked) / 10
    assert all(1 / 2 <= ratio <= 2 for ratio in far)


# ---- a smaller size


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_that_take_a_picture_take_a_largest_side(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = capsys.readouterr().out
    assert ("--max-side N" in shown) == (command not in WITHOUT_PICTURE)


def test_a_mask_is_reduced_with_the_picture_and_keeps_thin_lines(folder: Path) -> None:
    drawn = np.zeros((30, 40), np.uint8)
    drawn[:, 17] = 255
    Picture.fromarray(drawn).save("mask.png")
    reduced = load_mask(Path("mask.png"), (8, 10), Reading(max_side=10))
    assert reduced.shape == (1, 8, 10)
    assert reduced[0, :, 4].min() == 1 and reduced.sum() == 8
    with pytest.raises(ValueError, match=r"mask\.png: expected the size of the image"):
        load_mask(Path("mask.png"), (8, 10))
    options = ["--method", "wexler", "--max-side", "20"]
    assert main(["inpaint", "in.png", "mask.png", "out.png", *options]) == 0
    assert Picture.open("out.png").size == (20, 15)


def test_frames_and_transparency_are_reduced(folder: Path) -> None:
    Path("film").mkdir()
    picture = Picture.open("in.png")
    picture.putalpha(Picture.linear_gradient("L").resize(picture.size))
    for name in ("1", "2"):
        picture.save(f"film/{name}.png")
    pictures = load_pictures(Path("film"), Reading(max_side=20))
    assert pictures.colour.shape == (2, 3, 15, 20)
    assert pictures.alpha is not None and pictures.alpha.shape == (2, 1, 15, 20)
    assert load_pictures(Path("film"), Reading(max_side=100)).size == (30, 40)


def test_a_largest_side_below_one_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["denoise", "in.png", "out.png", "--max-side", "0"]) == 2
    assert "--max-side: expected at least 1, got 0" in capsys.readouterr().err


def test_a_box_has_the_pixels_of_the_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--out-dir", "new", "--box", "1,1,8,8", "--max-side", "20"]
    assert main(["remove-watermark", "in.png", *options]) == 2
    assert "--box, --max-side: expected one of them" in capsys.readouterr().err


def test_the_longest_time_of_seams_counts_the_frames_of_a_film(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(retarget_module, "MOST_SECONDS", 60)
    # the result takes 10 s, and the 24 frames together about 110 s
    monkeypatch.setattr(retarget_module, "SEAM_PIXELS", 8 * 36 * 30 / 10)
    seam = ["retarget", "in.png", "out.png", "--method", "seam", "--scale-x", "0.8"]
    assert main(seam) == 0
    assert main([*seam, "--film", "film.gif"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "24 frames of a video, which take about 2 minutes" in said
    assert said.endswith("or fewer --frames")
    assert main([*seam, "--film", "film.gif", "--frames", "4"]) == 0
