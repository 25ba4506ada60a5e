"""The command deblur: what it writes, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dil_teach.cli import main
from dil_teach.image.files import load_image, save_image
from dil_teach.image.photos import photo


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a sharp photograph and one that was moved along a diagonal."""
    monkeypatch.chdir(tmp_path)
    truth = photo("astronaut", 140)
    motion = torch.eye(11) / 11
    blurred = F.conv2d(truth[:, None], motion[None, None])[:, 0]
    save_image(blurred.clamp(0, 1), "blurred.png")
    save_image(truth, "sharp.png")
    return tmp_path


def test_the_picture_and_its_kernel_are_written(folder, capsys):
    assert main(["deblur", "blurred.png", "out.png", "--size", "15"]) == 0
    assert load_image("out.png").shape == (3, 130, 130)
    kernel = np.load("out_kernel.npy")
    assert kernel.shape == (15, 15)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    y, x = np.indices(kernel.shape) - 7
    assert (kernel * x * y).sum() > 4  # along the diagonal, as the motion: 10
    assert load_image("out_kernel.png").shape == (1, 120, 120)
    assert "out.png, out_kernel.npy, out_kernel.png: 130" in capsys.readouterr().out


def test_a_sharp_photograph_is_left_alone(folder, capsys):
    assert main(["deblur", "sharp.png", "out.png", "--size", "15"]) == 0
    assert "no blur was found" in capsys.readouterr().err
    assert torch.equal(load_image("out.png"), load_image("sharp.png"))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("deblur none.png out.png", "none.png: no such file"),
        ("deblur flat.png out.png", "the same at all pixels"),
        ("deblur small.png out.png", "at least 93 x 93 pixels"),
        (
            "deblur blurred.png out.png --size 8",
            "size: expected an odd number of pixels, got 8; try 9",
        ),
        ("deblur blurred.png out.gif", "expected one of .png"),
        ("deblur blurred.png blurred.png", "would overwrite an input file"),
    ],
)
def test_bad_input_is_one_line(folder, capsys, command, words):
    save_image(torch.full((3, 100, 100), 0.5), "flat.png")
    save_image(torch.rand(3, 40, 200), "small.png")
    before = sorted(folder.iterdir())
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert sorted(folder.iterdir()) == before
