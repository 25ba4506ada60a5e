"""Commands and picture files: metadata, transparency, masks, overwriting."""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image as Picture

from dil_teach.cli import main
from dil_teach.commands import checks, files
from dil_teach.commands.files import load_mask, load_picture
from dil_teach.image.encoding import FORMATS, OPAQUE
from dil_teach.image.files import load_image, load_photograph, save_image
from dil_teach.image.photos import photo

SIDE = 24
NLM = ["--method", "nlm", "--noise", "10"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a photograph ``in.png``."""
    monkeypatch.chdir(tmp_path)
    save_image(photo("astronaut", size=SIDE), "in.png")
    return tmp_path


def refused(arguments: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    assert main(arguments.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert before == {p: p.read_bytes() for p in Path().iterdir() if p.is_file()}


def test_both_lists_of_formats_agree() -> None:
    # commands have their own list, because --help must not import torch
    assert checks.OPAQUE == OPAQUE
    assert set(checks.FORMATS) == set(FORMATS)


# ---- what is overwritten


@pytest.mark.parametrize(
    ("arguments", "input_file"),
    [
        ("super-resolve in.png x.png --kernel x.png", "x.png"),
        ("recurrence x.json x.png", "x.json"),
        ("statistics x.json x.png", "x.json"),
        ("deblur x_kernel.png x.png", "x_kernel.png"),
        ("estimate-kernel x.png x.npy", "x.png"),
        ("inpaint in.png x.png x.png", "x.png"),
        ("segment in.png x.png --background-hint x.png", "x.png"),
        ("segment in.png in.png", "in.png"),
        ("dehaze in.png out.png --transmission-out in.png", "in.png"),
        ("separate in.png x.png --out-first 1.png --out-second x.png", "x.png"),
        ("remove-watermark in.png --mark x/in.png --out-dir x", "x/in.png"),
        ("retarget in.png x.png --method seam --protect x.png", "x.png"),
        ("retarget in.png x.png --method seam --remove x.png", "x.png"),
        ("retarget in.png o.png --method seam --remove x.gif --film x.gif", "x.gif"),
        ("retarget in.png o.png --method ingan --checkpoint x.safetensors "
         "--save-checkpoint x.safetensors", "x.safetensors"),
    ],
)  # fmt: skip
def test_no_result_overwrites_an_input(
    arguments: str, input_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("x").mkdir()
    if input_file != "in.png":
        Path(input_file).write_bytes(Path("in.png").read_bytes())
    refused(arguments, f"{input_file}: would overwrite an input file", capsys)


@pytest.mark.parametrize(
    ("arguments", "beside"),
    [
        ("recurrence in.png x.png", "x.json"),
        ("statistics in.png x.png", "x.json"),
        ("deblur in.png x.png", "x_kernel.npy"),
        ("deblur in.png x.png", "x_kernel.png"),
        ("estimate-kernel in.png x.npy", "x.png"),
    ],
)
def test_another_file_beside_the_result_is_not_overwritten(
    arguments: str, beside: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if beside.endswith("png"):
        save_image(torch.rand(3, 4, 4), beside)
    else:
        Path(beside).write_text('{"mine": 1}')
    refused(arguments, f"{beside}: is written beside", capsys)


def test_a_command_overwrites_what_it_wrote() -> None:
    assert main(["recurrence", "in.png", "x.png"]) == 0
    first = json.loads(Path("x.json").read_text())
    assert main(["recurrence", "in.png", "x.png", "--patch-size", "7"]) == 0
    assert json.loads(Path("x.json").read_text())["patch_size"] == 7 != first
    weights = files.beside(torch.rand(1, 8, 8))
    files.write({Path("k.png"): weights, Path("k.npy"): b"weights"})
    for name in ("k.png", "k.npy"):
        checks.check_beside(Path(name), Path("out.png"))


# ---- metadata


def test_a_command_keeps_or_names_what_a_file_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pages = np.random.default_rng(0).integers(0, 65536, (2, SIDE, SIDE, 3), np.uint16)
    with tifffile.TiffWriter("in.tif") as writer:
        for page in pages:
            writer.write(
                page, photometric="rgb", resolution=(300, 300), resolutionunit="INCH",
                datetime="2021:05:06 07:08:09", metadata=None,
            )  # fmt: skip
    for out, deep in (("out.tif", True), ("out.png", True), ("out.jpg", False)):
        assert main(["denoise", "in.tif", out, *NLM]) == 0
        first, left_out = capsys.readouterr().err.splitlines()
        assert first == "dil-teach: in.tif: first of 2 pictures is read"
        wanted = "dil-teach: left out: 1 more picture"
        assert left_out == wanted + ", 8 of 16 bits a channel (.jpg holds 8)" * (
            not deep
        )
        metadata = load_photograph(out).metadata
        assert metadata.depth == (16 if deep else 8)
        assert metadata.dpi == pytest.approx((300, 300), abs=0.1)
        assert Picture.open(out).getexif()[306] == "2021:05:06 07:08:09"


@pytest.mark.parametrize("white_level", [None, 4095])
def test_values_of_a_camera_with_12_bits(
    white_level: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    ramp = np.linspace(0, 4095, SIDE * SIDE).astype(np.uint16).reshape(SIDE, SIDE)
    Picture.fromarray(ramp).save("in.png")
    options = [] if white_level is None else ["--white-level", "4095"]
    assert (
        main(
            [
                "denoise",
                "in.png",
                "out.png",
                "--method",
                "nlm",
                "--noise",
                "1",
                *options,
            ]
        )
        == 0
    )
    said = capsys.readouterr().err
    assert ("add --white-level 4095" in said) == (white_level is None)
    result = load_image("out.png")
    assert len(result.unique()) > 200  # not 16
    assert result.max() == pytest.approx(1 if white_level else 4095 / 65535, abs=0.01)


def test_a_huge_picture_is_refused_by_its_header(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 10_000, 10_000, 8, 6, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    Path("huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + body)
    said = "huge.png: expected at most 36000000 pixels, got 10000 x 10000"
    refused("denoise huge.png out.png", said, capsys)


def test_a_grey_picture_in_rgb_uses_one_channel() -> None:
    grey = Picture.open("in.png").convert("L")
    grey.save("grey.png")
    grey.convert("RGB").save("rgb.png")
    assert len(load_picture(Path("rgb.png")).colour) == 1
    for name in ("grey", "rgb"):
        assert main(["denoise", f"{name}.png", f"{name}_out.png", *NLM]) == 0
    with Picture.open("grey_out.png") as a, Picture.open("rgb_out.png") as b:
        assert (a.mode, b.mode) == ("L", "RGB")
        assert (np.asarray(a)[..., None] == np.asarray(b)).all()


# ---- transparency


def sprite() -> Picture.Image:
    """A red disc; black where it is transparent."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.5
    inside = x**2 + y**2 < 64
    values = np.zeros((SIDE, SIDE, 4), np.uint8)
    values[inside] = (220, 30, 20, 255)
    return Picture.fromarray(values)


def test_an_enlarged_sprite_has_no_dark_rim() -> None:
    sprite().save("sprite.png")
    given = ["super-resolve", "sprite.png", "out.png", "--method", "freedman-fattal"]
    assert main(given) == 0
    values = np.asarray(Picture.open("out.png")).astype(int)
    visible = values[values[..., 3] > 0]
    assert len(visible) > 700
    assert np.abs(visible[:, :3] - (220, 30, 20)).max() <= 3


def test_pixels_that_nobody_sees_stay_as_they_are() -> None:
    sprite().save("sprite.png")
    assert main(["denoise", "sprite.png", "out.png", *NLM]) == 0
    before, after = (np.asarray(Picture.open(n)) for n in ("sprite.png", "out.png"))
    hidden = before[..., 3] == 0
    assert (before[hidden] == after[hidden]).all()
    assert np.abs(before[~hidden].astype(int) - after[~hidden]).max() <= 3


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_a_filled_hole_is_opaque(suffix: str) -> None:
    picture = Picture.open("in.png").convert("RGBA")
    picture.putalpha(Picture.new("L", picture.size, 90))
    picture.save("glass.png")
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[8:14, 9:15] = 255
    Picture.fromarray(mask).save("mask.png")
    given = ["inpaint", "glass.png", "mask.png", f"out{suffix}", "--method", "wexler"]
    assert main(given) == 0
    alpha = np.asarray(Picture.open(f"out{suffix}").convert("RGBA"))[..., 3]
    assert (alpha[mask > 0] == 255).all() and (alpha[mask == 0] == 90).all()


# ---- masks


def soft_mask() -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[8:14, 9:15], mask[9:13, 10:14] = 1, 255
    return mask


def test_every_pixel_that_is_not_black_belongs_to_a_hole() -> None:
    mask = soft_mask()
    Picture.fromarray(mask).save("mask.png")
    Picture.fromarray(255 * (mask > 0).astype(np.uint8)).save("hard.png")
    for name in ("mask", "hard"):
        given = ["inpaint", "in.png", f"{name}.png", f"{name}_out.png"]
        assert main([*given, "--method", "wexler"]) == 0
    assert torch.equal(load_image("mask_out.png"), load_image("hard_out.png"))


def test_hints_keep_their_meaning_and_masks_grow() -> None:
    mask = soft_mask()
    Picture.fromarray(mask).save("mask.png")
    size = (SIDE, SIDE)
    assert load_mask(Path("mask.png"), size).sum() == 16
    assert load_mask(Path("mask.png"), size, soft=True).sum() == 36
    wide = load_mask(Path("mask.png"), size, soft=True, grow=2)[0]
    y, x = np.mgrid[:SIDE, :SIDE]
    inside = np.hypot(y - y.clip(8, 13), x - x.clip(9, 14)) <= 2
    assert np.array_equal(wide, inside)
    with pytest.raises(ValueError, match="--grow: expected at least 0"):
        load_mask(Path("mask.png"), size, grow=-1)


@pytest.mark.parametrize("command", ["inpaint", "retarget", "remove-watermark"])
def test_masks_of_commands_grow(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Picture.fromarray(soft_mask()).save("mask.png")
    given = {
        "inpaint": "inpaint in.png mask.png out.png --method wexler --grow 1",
        "retarget": "retarget in.png out.png --method seam --remove mask.png --grow 1 "
        "--scale-x 0.5",
        "remove-watermark": "remove-watermark in.png --mark mask.png --grow 1 "
        "--out-dir out",
    }[command]
    plain = files.grown

    def stop(*given: object) -> None:  # before the command computes
        raise ValueError(f"{int(plain(*given).sum())} pixels")

    monkeypatch.setattr(files, "grown", stop)
    refused(given, f"{36 + 4 * 6} pixels", capsys)
