"""dil-teach denoise with the methods that have no network."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image as Picture

import dil_teach.deep.working_size as working_size
from dil_teach.cli import main
from dil_teach.deep.deep_image_prior import DeepImagePriorSettings
from dil_teach.image.augment import add_noise
from dil_teach.image.convention import to_uint8
from dil_teach.image.files import load_image
from dil_teach.image.photos import photo

METHODS = ["nlm", "bm3d", "ksvd"]
HEIGHT, WIDTH = 36, 48


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a clean and a noisy picture: in colour, grey, glass."""
    monkeypatch.chdir(tmp_path)
    truth = photo("astronaut", WIDTH)[:, :HEIGHT]
    noisy = add_noise(truth, 25 / 255, torch.Generator().manual_seed(0))
    for name, image in (("clean", truth), ("in", noisy)):
        picture = Picture.fromarray(to_uint8(image))
        picture.save(f"{name}.png")
        picture.convert("L").save(f"{name}_grey.png")
        picture.putalpha(Picture.linear_gradient("L").resize(picture.size))
        picture.save(f"{name}_glass.png")
    return tmp_path


def pixels(file: str) -> np.ndarray:
    with Picture.open(file) as picture:
        return np.asarray(picture).astype(float)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["", "_grey", "_glass"])
def test_there_is_less_noise_in_a_picture_of_the_same_kind(
    method: str, kind: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["denoise", f"in{kind}.png", "out.png", "--method", method]
    assert main(arguments) == 0
    line = capsys.readouterr().out
    assert line.startswith(f"out.png: {HEIGHT} x {WIDTH} pixels written in ")
    noisy, clean, out = map(pixels, (f"in{kind}.png", f"clean{kind}.png", "out.png"))
    assert out.shape == noisy.shape
    assert ((out - clean) ** 2).mean() < 0.7 * ((noisy - clean) ** 2).mean()
    if kind == "_glass":
        assert np.array_equal(out[..., 3], noisy[..., 3])


@pytest.mark.parametrize("method", [*METHODS, "zs-n2n", "dip"])
def test_a_picture_without_noise_is_written_unchanged(
    method: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = photo("brook", 64)  # texture, which is no noise
    deep = (65535 * clean.mean(0)).round().numpy().astype(np.uint16)
    tifffile.imwrite("deep.tif", np.stack([deep, deep // 2], -1), extrasamples=[2])
    Picture.fromarray(to_uint8(clean)).save("a.jpg", quality=70)
    Picture.new("RGB", (48, 36), "teal").save("teal.png")
    names = {"deep.tif": "b.png", "a.jpg": "b.jpg", "teal.png": "c.png"}
    for name, out in names.items():
        assert main(["denoise", name, out, "--method", method]) == 0
        printed = capsys.readouterr()
        assert " pixels written unchanged in " in printed.out
        (line,) = printed.err.splitlines()
        assert line.startswith("dil-teach: noise: ") and line.count("unchanged") == 1
        assert "--noise SIGMA" in line
        assert torch.equal(load_image(name), load_image(out))
    assert Path("a.jpg").read_bytes() == Path("b.jpg").read_bytes()


@pytest.mark.parametrize("method", ["bm3d", "zs-n2n"])
def test_a_picture_with_a_given_noise_is_denoised(
    method: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Picture.fromarray(to_uint8(photo("brook", 40))).save("brook.png")
    arguments = ["denoise", "brook.png", "out.png", "--method", method, "--noise", "9"]
    assert main(arguments) == 0
    assert "unchanged" not in capsys.readouterr().out
    assert not np.array_equal(pixels("brook.png"), pixels("out.png"))


def test_the_estimated_noise_is_printed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["denoise", "in.png", "out.png", "--method", "nlm"]) == 0
    found = re.fullmatch(
        r"dil-teach: noise: ([\d.]+) grey levels", capsys.readouterr().err.strip()
    )
    assert found and 20 < float(found[1]) < 30


@pytest.mark.parametrize("method", METHODS)
def test_the_given_noise_counts(method: str, folder: Path) -> None:
    for noise in ("8", "25"):
        arguments = ["denoise", "in.png", f"{noise}.png", "--method", method]
        assert main([*arguments, "--noise", noise]) == 0
    little, much = (abs(pixels(f"{n}.png") - pixels("in.png")).mean() for n in (8, 25))
    assert little < 0.7 * much


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("none.png out.png", "none.png: no such file"),
        ("in.png in.png", "in.png: would overwrite an input file"),
        ("in.png out.gif", "out.gif: expected one of .png"),
        ("in_glass.png out.jpg", "in_glass.png is transparent in places"),
        ("in.png out.png --noise 0", "--noise: expected a standard deviation above 0"),
        ("in.png out.png --noise nan", "--noise: expected a standard deviation above"),
        ("in.png out.png --noise 256", "at most 255, got 256"),
        ("in.png out.png --seed -1", "--seed: expected 0"),
        ("in.png out.png --device abacus", "--device: expected cpu"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_bad_input(
    method: str,
    arguments: str,
    said: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sorted(os.listdir())
    assert main([*f"denoise {arguments} --method {method}".split()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("dil-teach: ") and said in line
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    ("arguments", "size", "said"),
    [
        ("--method nlm --noise 5", (48, 4), "image: expected at least 5 x 5 pixels"),
        ("--method bm3d --noise 5", (48, 7), "noisy: expected at least 8 x 8 pixels"),
        ("--method ksvd --noise 5", (20, 20), "noisy: expected at least 256 patches"),
    ],
)
def test_bad_pictures_and_options(
    arguments: str,
    size: tuple[int, int],
    said: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Picture.new("RGB", size, "teal").save("flat.png")
    assert main(["denoise", "flat.png", "out.png", *arguments.split()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("dil-teach: ") and said in line
    assert not Path("out.png").exists()


def test_a_network_sees_a_smaller_copy_of_a_large_photograph(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(working_size, "MOST_SEEN", 2000)
    few = classmethod(lambda cls, **changes: cls(**{"steps": 60, **changes}))
    monkeypatch.setattr(DeepImagePriorSettings, "quick", few)
    truth = photo("coffee", 80)[:, 10:66]
    noisy = add_noise(truth, 25 / 255, torch.Generator().manual_seed(0))
    Picture.fromarray(to_uint8(noisy)).save("large.png")
    Picture.fromarray(to_uint8(truth)).save("truth.png")
    assert main("denoise large.png out.png --method dip".split()) == 0
    said = "out.png: 56 x 80 pixels (network: 37 x 53; finer detail: BM3D) written"
    assert said in capsys.readouterr().out
    noisy, clean, out = map(pixels, ("large.png", "truth.png", "out.png"))
    assert ((out - clean) ** 2).mean() < 0.4 * ((noisy - clean) ** 2).mean()
