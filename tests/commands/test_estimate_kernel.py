"""Unknown kernels on the command line, and the network trained on other images."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dil_teach.classical.kernel.choice import KernelChoice
from dil_teach.classical.kernel.distribution import KernelByDistributionSettings
from dil_teach.classical.kernel.recurrence import KernelByRecurrenceSettings
from dil_teach.cli import main
from dil_teach.deep.kernelgan.kernelgan import KernelGANSettings
from dil_teach.deep.zssr.zssr import ZSSRSettings
from dil_teach.image.files import load_image, save_image
from dil_teach.image.kernel_estimate import gaussian_of, moments
from dil_teach.image.metrics import psnr_y
from dil_teach.image.photos import photo
from dil_teach.image.resize import blur_and_subsample, resize

COVARIANCE = np.array([[4.0, 1.2], [1.2, 2.0]])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a blurred and a bicubic photograph of half the size."""
    monkeypatch.chdir(tmp_path)
    truth = photo("astronaut")[:, :256, :256]
    blurred = blur_and_subsample(truth, gaussian_of(COVARIANCE), 2)
    save_image(blurred.clamp(0, 1), "blurred.png")
    save_image(resize(truth, 0.5).clamp(0, 1), "bicubic.png")
    return tmp_path


def few_steps(monkeypatch: pytest.MonkeyPatch, *settings: type) -> None:
    for kind in settings:
        two = classmethod(lambda cls, **changes: cls(**{"steps": 2, **changes}))
        monkeypatch.setattr(kind, "quick", two)


def test_a_gaussian_kernel_is_written_with_its_picture(folder, capsys):
    assert main(["estimate-kernel", "blurred.png", "k.npy"]) == 0
    kernel = np.load("k.npy")
    assert kernel.sum() == pytest.approx(1)
    assert np.allclose(moments(kernel)[1], COVARIANCE, atol=1.3)
    assert load_image("k.png").shape == (1, 8 * len(kernel), 8 * kernel.shape[1])
    assert "k.npy, k.png: 26 x 26 weights written" in capsys.readouterr().out


def test_an_unsure_kernel_is_not_written(folder, capsys):
    assert main(["estimate-kernel", "bicubic.png", "k.npy"]) == 2
    said = capsys.readouterr().err
    assert "no kernel is written: bicubic downscaling" in said
    assert "--method recurrence, which writes an estimate in any case" in said
    assert not list(folder.glob("k.*"))


@pytest.mark.parametrize("method", ["recurrence", "swd", "kernelgan"])
def test_kernels_of_any_shape_can_be_used(folder, monkeypatch, capsys, method):
    few_steps(monkeypatch, KernelByDistributionSettings, KernelByRecurrenceSettings)
    few_steps(monkeypatch, KernelGANSettings, ZSSRSettings)
    assert main(["estimate-kernel", "blurred.png", "k.npy", "--method", method]) == 0
    similarity = "similarity of the kernels of the left and the right half: "
    assert (similarity in capsys.readouterr().out) == (method == "recurrence")
    command = ["super-resolve", "blurred.png", "large.png", "--kernel", "k.npy"]
    assert main(command) == 0
    assert load_image("large.png").shape == (3, 256, 256)


def test_super_resolve_estimates_the_kernel(folder, monkeypatch, capsys):
    few_steps(monkeypatch, ZSSRSettings)
    for name, words in [
        ("blurred", "estimated kernel: a Gaussian with variances"),
        ("bicubic", "bicubic downscaling is assumed: bicubic downscaling explains"),
    ]:
        out = [f"{name}.png", f"{name}_large.png"]
        assert main(["super-resolve", *out, "--kernel", "estimate"]) == 0
        assert words in capsys.readouterr().err


def test_the_error_of_a_motion_becomes_training_noise(folder, monkeypatch, capsys):
    few_steps(monkeypatch, ZSSRSettings)
    found = KernelChoice(torch.eye(14) / 14, {}, "a motion explains it", 4 / 255)
    name = "dil_teach.classical.kernel.choice.choose_kernel"
    monkeypatch.setattr(name, lambda image, seed: found)
    assert main(["estimate-kernel", "blurred.png", "k.npy"]) == 0
    assert "use --noise 4.0" in capsys.readouterr().out
    for out, options in [("a.png", "estimate"), ("b.png", "k.npy --noise 4")]:
        command = ["super-resolve", "blurred.png", out, "--kernel", *options.split()]
        assert main(command) == 0
    assert abs(load_image("a.png") - load_image("b.png")).max() < 1.5 / 255


@pytest.mark.parametrize(
    ("method", "scale", "gain"),
    [("srcnn", 2, 1.5), ("vdsr", 2, 1.5), ("vdsr", 3, 1), ("edsr", 2, 2)],
)
def test_external_networks_enlarge(folder, method, scale, gain):
    side = 84 * scale
    truth = photo("astronaut")[:, 100 : 100 + side, 100 : 100 + side]
    save_image(resize(truth, 1 / scale).clamp(0, 1), "small.png")
    plain = resize(load_image("small.png"), scale).clamp(0, 1)
    options = ["--method", method, "--scale", str(scale)]
    assert main(["super-resolve", "small.png", "e.png", *options]) == 0
    assert psnr_y(load_image("e.png"), truth, 4) > psnr_y(plain, truth, 4) + gain


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("estimate-kernel blurred.png k.txt", "expected .npy"),
        ("estimate-kernel small.png found.npy", "at least 64 x 64 pixels"),
        ("estimate-kernel grey.png found.npy", "the same at all pixels"),
        ("estimate-kernel k.png k.npy", "would overwrite an input file"),
        ("super-resolve blurred.png e.png --method edsr --scale 3", "a scale of 2"),
        ("super-resolve blurred.png e.png --method edsr --noise 5", "a scale of 2"),
        (
            "super-resolve blurred.png e.png --method vdsr --scale 5",
            "a scale of 2 or 3",
        ),
        ("super-resolve blurred.png e.png --kernel estimate --scale 3", "a scale of 2"),
        ("super-resolve blurred.png e.png --kernel estimates", "no such kernel file"),
    ],
)
def test_bad_input_is_one_line(folder, capsys, command, words):
    save_image(torch.rand(3, 40, 40), "small.png")
    save_image(torch.full((3, 80, 80), 0.5), "grey.png")
    save_image(torch.rand(3, 80, 80), "k.png")
    before = sorted(folder.iterdir())
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert sorted(folder.iterdir()) == before
