"""dil-teach retarget: the results of each method, and its errors."""

import os
from pathlib import Path

import pytest
import torch
from PIL import Image as Picture
from safetensors.torch import save_file

from dil_teach.classical.retarget import bidirectional, patch_generation
from dil_teach.cli import main
from dil_teach.deep.ingan import full_size
from dil_teach.deep.ingan.ingan import InGAN, InGANSettings
from dil_teach.deep.texture_expansion.texture_expansion import TextureExpansionSettings
from dil_teach.deep.zs_n2n import ZSN2N
from dil_teach.image.convention import to_uint8
from dil_teach.image.files import load_image
from dil_teach.image.films import load_film
from dil_teach.image.photos import photo
from dil_teach.image.resize import resize
from dil_teach.patches.similarity import coherence
from dil_teach.training.checkpoint import resume, save

HEIGHT, WIDTH = 36, 48


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a picture in colour, and budgets of a few steps."""
    short = {InGANSettings: {"steps": 2, "finer_steps": 2}}
    short[TextureExpansionSettings] = {"steps": 2}
    for settings, few in short.items():
        made = classmethod(lambda cls, few=few, **more: cls(**{**few, **more}))
        monkeypatch.setattr(settings, "quick", made)
    monkeypatch.chdir(tmp_path)
    Picture.fromarray(to_uint8(photo("astronaut", size=WIDTH))[:HEIGHT]).save("in.png")
    return tmp_path


def mark(box: tuple[int, int, int, int], name: str = "mask.png") -> str:
    """A mask, white in the box (left, top, right, bottom)."""
    picture = Picture.new("L", (WIDTH, HEIGHT))
    picture.paste(255, box)
    picture.save(name)
    return name


def said(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


@pytest.mark.parametrize("method", ["gpnn", "bidirectional", "seam", "ingan", "expand"])
def test_each_method_makes_the_size_that_was_asked_for(
    method: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["retarget", "in.png", "out.png", "--method", method]
    assert main([*command, "--scale-x", "1.5", "--scale-y", "0.75"]) == 0
    assert "out.png: 27 x 72 pixels written in " in capsys.readouterr().out
    with Picture.open("out.png") as result:
        assert (result.size, result.mode) == ((72, 27), "RGB")
    assert sorted(os.listdir()) == ["in.png", "out.png"]


@pytest.mark.parametrize("method", ["gpnn", "bidirectional"])
def test_a_photograph_of_twelve_megapixels_is_not_too_large(
    method: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(image: torch.Tensor, size: tuple[int, int], *_more: object):
        return torch.zeros(1, 1, 1).expand(1, *size)

    monkeypatch.setattr(patch_generation, "retarget", drawn)
    monkeypatch.setattr(bidirectional, "retarget", drawn)
    Picture.new("L", (4000, 3000)).save("large.png")
    command = ["retarget", "large.png", "out.png", "--method", method]
    assert main([*command, "--scale-x", "1.5"]) == 0
    with Picture.open("out.png") as result:
        assert result.size == (6000, 3000)


def test_grey_stays_grey(folder: Path) -> None:
    with Picture.open("in.png") as picture:
        picture.convert("L").save("grey.png")
    assert main(["retarget", "grey.png", "out.png", "--scale-x", "0.5"]) == 0
    assert load_image("out.png").shape == (1, HEIGHT, WIDTH // 2)


def test_what_is_removed_is_gone_and_what_is_protected_is_kept(folder: Path) -> None:
    sky = torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    scene = 0.2 * sky
    scene[:, 8:24, 6:16], scene[:, 8:24, 28:38] = 0.9, 0.6
    Picture.fromarray(to_uint8(scene)).save("scene.png")
    command = ["retarget", "scene.png", "out.png", "--method", "seam"]
    command += ["--scale-x", str(36 / WIDTH)]
    command += ["--remove", mark((6, 8, 16, 24)), "--protect"]
    assert main([*command, mark((28, 8, 38, 24), "keep.png")]) == 0
    result = load_image("out.png").mean(0)
    assert not (result > 0.85).any()
    assert ((result - 0.6).abs() < 0.01).sum() == 16 * 10


def test_a_film_goes_from_the_photograph_to_the_result(folder: Path) -> None:
    command = ["retarget", "in.png", "out.png", "--method", "seam", "--scale-x", "1.5"]
    assert main([*command, "--film", "film.mkv", "--frames", "4"]) == 0
    film = load_film("film.mkv")
    assert film.shape == (4, 3, HEIGHT, 72)
    assert torch.equal(film[0, :, :, :WIDTH], load_image("in.png"))
    assert film[0, :, :, WIDTH:].max() == 0
    assert torch.equal(film[3], load_image("out.png"))
    assert main([*command, "--film", "film.gif", "--frames", "1"]) == 0
    assert len(load_film("film.gif")) == 1


def test_a_checkpoint_draws_what_was_learned_without_training(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["retarget", "in.png", "out.png", "--method", "ingan", "--scale-x", "2"]
    assert main([*command, "--save-checkpoint", "kept.safetensors"]) == 0
    learned = load_image("out.png")

    def never(self: InGAN) -> None:
        raise AssertionError("it trains again")

    monkeypatch.setattr(InGAN, "train_step", never)
    assert main([*command, "--checkpoint", "kept.safetensors"]) == 0
    assert torch.equal(load_image("out.png"), learned)


def test_patches_carry_the_result_of_ingan_to_full_size(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(full_size, "MOST_LEARNED", WIDTH * HEIGHT - 1)
    monkeypatch.setattr(full_size, "SIDE", 32)
    monkeypatch.setattr(full_size, "MIN_SIDE", 16)
    command = ["retarget", "in.png", "out.png", "--method", "ingan", "--scale-x", "1.5"]
    kept = ["--save-checkpoint", "kept.safetensors"]
    assert main([*command, "--scale-y", "0.75", *kept]) == 0
    line = ": 27 x 72 pixels, learned at 24 x 32 pixels, written in "
    assert line in capsys.readouterr().out
    image, result = load_image("in.png"), load_image("out.png")
    small = resize(image, size=(24, 32)).clamp(0, 1)
    drawn = resume("kept.safetensors", small).retarget(0.75, 1.5)
    blurred = resize(drawn, size=(27, 72)).clamp(0, 1)
    assert result.shape == blurred.shape
    assert coherence(image, result) < 0.75 * coherence(image, blurred)
    # the layout is that of the network; for unrelated pictures, this would be 2
    assert (result - blurred).square().mean() / image.var() < 0.5
    assert main([*command, "--checkpoint", "kept.safetensors"]) == 0
    assert load_image("out.png").shape == (3, 36, 72)


def test_ingan_draws_a_large_photograph_only_as_large_as_patches_can(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Picture.new("RGB", (4000, 3000)).save("large.png")
    command = ["retarget", "large.png", "out.png", "--method", "ingan"]
    assert main([*command, "--scale-x", "2"]) == 2
    assert "expected at most 32000000 pixels in the photograph and" in said(capsys)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--scale-x", "0"], "--scale-x: expected a number above 0, got 0.0"),
        (["--scale-y", "-2"], "--scale-y: expected a number above 0, got -2.0"),
        (["--scale-y", "nan"], "--scale-y: expected a number above 0, got nan"),
        (["--scale-y", "1e308"], "--scale-y: expected a number above 0, got 1e+308"),
        (
            ["--scale-x", "0.001"],
            "expected a result of at least 1 x 1 pixel, got 36 x 0",
        ),
        (
            ["--method", "seam", "--scale-x", "2000"],
            "take about 18 minutes; take scales",
        ),
        (["--frames", "5"], "--frames: needs --film, got only 5 frames; name a file"),
        (
            ["--method=bidirectional", "--protect=mask.png", "--remove", "mask.png"],
            "mask.png: expected some pixels that --protect does not mark, got none",
        ),
        (
            ["--method=seam", "--protect", "mask.png", "--remove", "mask.png"],
            "mask.png: expected some pixels that --protect does not mark, got none",
        ),
        (
            ["--scale-x", "1e5"],
            "--scale-y, --scale-x: expected at most 32000000 pixels",
        ),
        (["--method", "seam", "--scale-x", "1e5"], "expected at most 36000000 pixels"),
        (["--protect", "mask.png"], "need --method seam or bidirectional"),
        (["--checkpoint", "in.png"], "need --method ingan"),
        (["--film", "film.gif", "--frames", "0"], "--frames: expected 1 to"),
        (["--film", "film.gif", "--frames", "1000000"], "--frames: expected 1 to"),
        (["--film", "film.avi"], "expected one of .mp4, .mov, .webm, .mkv, .gif"),
        (["--film", "in.png"], "expected one of .mp4, .mov, .webm, .mkv, .gif"),
        (
            ["--method", "ingan", "--scale-x", "0.1"],
            "scales: expected at least 8 pixels a side",
        ),
        (["--method", "seam", "--protect", "small.png"], "expected the size of the"),
        (["--method", "ingan", "--checkpoint", "none"], "no such checkpoint"),
        (["--method", "ingan", "--checkpoint", "in.png"], "expected a checkpoint that"),
        (["--method", "ingan", "--checkpoint", "other"], "expected a checkpoint that"),
        (["--method", "ingan", "--checkpoint", "noise"], "expected a checkpoint of"),
        (["--method", "ingan", "--checkpoint", "list"], "expected a checkpoint that"),
        (["--method", "ingan", "--save-checkpoint", "x.pt"], "expected .safetensors"),
        (["--method", "expand"], "expected at least 32 x 32 pixels"),
        (["--seed", "-1"], "--seed: expected 0 to"),
        (["--device", "abacus"], "--device: expected cpu"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    options: list[str],
    wanted: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    mark((0, 0, 10, 10))
    Picture.new("L", (10, 10), 255).save("small.png")
    save_file({"weight": torch.zeros(3)}, "other")
    save_file({"weight": torch.zeros(3)}, "list", {"dil_teach": "[1, 2]"})
    save(ZSN2N(load_image("in.png")), "noise")
    if options[-1] == "expand":
        with Picture.open("in.png") as picture:
            picture.crop((0, 0, 20, 20)).save("in.png")
    before = sorted(os.listdir())
    assert main(["retarget", "in.png", "out.png", *options]) == 2
    line = said(capsys)
    assert wanted in line and line.startswith("dil-teach: ")
    assert sorted(os.listdir()) == before


def test_an_image_smaller_than_the_largest_patch_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Picture.new("RGB", (40, 8), "red").save("thin.png")
    assert main(["retarget", "thin.png", "out.png", "--method", "ingan"]) == 2
    assert "image: expected at least 11 x 11 pixels" in said(capsys)
    assert sorted(os.listdir()) == ["in.png", "thin.png"]


def test_a_checkpoint_of_another_photograph_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["retarget", "in.png", "out.png", "--method", "ingan"]
    assert main([*command, "--save-checkpoint", "kept.safetensors"]) == 0
    capsys.readouterr()
    with Picture.open("in.png") as picture:
        picture.transpose(Picture.Transpose.FLIP_LEFT_RIGHT).save("other.png")
    command = ["retarget", "other.png", "new.png", "--method", "ingan"]
    assert main([*command, "--checkpoint", "kept.safetensors"]) == 2
    assert "was trained on another image" in said(capsys)
    assert not Path("new.png").exists()
