"""Commands of Deep Image Prior and Double-DIP: results, and messages for bad input."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

import dil_teach.image.films as films_module
from dil_teach.cli import COMMANDS, main
from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
from dil_teach.deep.double_dip.dehazing import Dehazing, DehazingSettings
from dil_teach.deep.double_dip.segmentation import Segmentation, SegmentationSettings
from dil_teach.deep.double_dip.separation import Separation, SeparationSettings
from dil_teach.deep.double_dip.watermark import WatermarkRemoval, WatermarkSettings
from dil_teach.deep.zs_n2n import ZSN2N, ZSN2NSettings
from dil_teach.image.colour import to_linear
from dil_teach.image.convention import from_uint8, to_uint8
from dil_teach.image.files import load_image, save_image
from dil_teach.image.film_record import steady
from dil_teach.image.films import (
    frame_files,
    load_film,
    read_film,
    save_film,
    save_frames,
)
from dil_teach.image.photos import photo
from dil_teach.image.scenes import scene

HEIGHT, WIDTH = 36, 48
METHODS = (
    DeepImagePrior,
    Dehazing,
    Segmentation,
    Separation,
    WatermarkRemoval,
    ZSN2N,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and budgets of two steps."""
    for settings in (
        DeepImagePriorSettings,
        DehazingSettings,
        SegmentationSettings,
        SeparationSettings,
        WatermarkSettings,
        ZSN2NSettings,
    ):
        two = classmethod(lambda cls, **changes: cls(**{"steps": 2, **changes}))
        monkeypatch.setattr(settings, "quick", two)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def colour(name: str = "astronaut") -> Picture.Image:
    return Picture.fromarray(to_uint8(photo(name, size=WIDTH))[:HEIGHT])


def grey() -> Picture.Image:
    return colour().convert("L")


def glass() -> Picture.Image:
    """The picture with transparency that grows downwards."""
    picture = colour()
    picture.putalpha(Picture.linear_gradient("L").resize(picture.size))
    return picture


def marked(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (WIDTH, HEIGHT)):
    """A mask that is white in the boxes (left, top, right, bottom), black elsewhere."""
    picture = Picture.new("L", size)
    for box in boxes:
        picture.paste(255, box)
    return picture


def said_once(captured: str) -> str:
    (line,) = captured.splitlines()
    return line


# ---- results


@pytest.mark.parametrize("method", ["dip", "zs-n2n"])
@pytest.mark.parametrize(
    ("make", "mode"), [(colour, "RGB"), (grey, "L"), (glass, "RGBA")]
)
def test_denoise_keeps_size_kind_and_transparency(
    method: str,
    make: Callable[[], Picture.Image],
    mode: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make().save("in.png")
    arguments = ["denoise", "in.png", "out.png", "--method", method, "--noise", "9"]
    assert main(arguments) == 0
    line = said_once(capsys.readouterr().out)
    assert line.startswith(f"out.png: {HEIGHT} x {WIDTH} pixels written in ")
    with Picture.open("out.png") as result:
        assert (result.mode, result.size) == (mode, (WIDTH, HEIGHT))
        if mode == "RGBA":
            alpha = np.asarray(result.getchannel("A"))
            assert np.array_equal(alpha, np.asarray(make().getchannel("A")))
    assert sorted(os.listdir()) == ["in.png", "out.png"]


def test_zs_n2n_denoises_more_than_a_megapixel(folder: Path) -> None:
    Picture.effect_noise((1050, 1000), 30).save("in.png")
    assert main("denoise in.png out.png --method zs-n2n".split()) == 0
    with Picture.open("out.png") as result:
        assert (result.mode, result.size) == ("L", (1050, 1000))


@pytest.mark.parametrize("command", ["denoise", "inpaint"])
def test_the_same_seed_gives_the_same_picture(command: str, folder: Path) -> None:
    colour().save("in.png")
    marked((10, 10, 20, 20)).save("hole.png")
    given = [command, "in.png", *(["hole.png"] if command == "inpaint" else [])]
    method = {"denoise": ["zs-n2n", "--noise", "9"], "inpaint": ["dip"]}[command]
    given += ["--method", *method]
    for out, seed in (("a.png", "3"), ("b.png", "3"), ("c.png", "4")):
        assert main([*given, out, "--seed", seed]) == 0
    a, b, c = (Path(f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize("make", [colour, grey, glass])
def test_inpaint_changes_the_hole_alone(
    make: Callable[[], Picture.Image], folder: Path
) -> None:
    box = (10, 12, 22, 20)
    make().save("in.png")
    marked(box).convert("RGB").save("hole.png")  # as a paint program saves it
    assert main(["inpaint", "in.png", "hole.png", "out.png"]) == 0
    with Picture.open("out.png") as result:
        assert result.mode == make().mode
        before, after = np.asarray(make()), np.asarray(result)
    hole = np.asarray(marked(box)) > 0
    assert np.array_equal(before[~hole], after[~hole])
    assert not np.array_equal(before[hole], after[hole])


def film(count: int = 3) -> torch.Tensor:
    """A camera that moves to the right."""
    wide = from_uint8(to_uint8(photo("astronaut", size=WIDTH + 2 * count))[:HEIGHT])
    return torch.stack([wide[:, :, 2 * t : 2 * t + WIDTH] for t in range(count)])


@pytest.mark.parametrize("method", ["grown-hints", "double-dip"])
@pytest.mark.parametrize("make", [colour, grey, glass])
def test_segment_writes_a_mask_of_the_pictures_size(
    method: str,
    make: Callable[[], Picture.Image],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make().save("in.png")
    assert main(["segment", "in.png", "mask.png", "--method", method]) == 0
    line = said_once(capsys.readouterr().out)
    assert re.match(r"mask.png: \d+% is foreground, written in ", line)
    with Picture.open("mask.png") as result:
        assert (result.mode, result.size) == ("L", (WIDTH, HEIGHT))
        mask = np.asarray(result)
    assert set(np.unique(mask)) == {0, 255}


def test_the_mask_of_a_larger_picture_has_sharp_edges(folder: Path) -> None:
    colour().resize((208, 24)).save("in.png")
    assert main(["segment", "in.png", "mask.png"]) == 0
    assert set(np.unique(np.asarray(Picture.open("mask.png")))) == {0, 255}


@pytest.mark.parametrize("swapped", [False, True])
def test_what_is_hinted_at_is_white_in_the_mask(swapped: bool, folder: Path) -> None:
    left, right = (2, 2, 20, HEIGHT - 2), (WIDTH - 20, 2, WIDTH - 2, HEIGHT - 2)
    array = np.random.default_rng(0).integers(0, 60, (HEIGHT, WIDTH, 3), np.uint8)
    array[:, WIDTH // 2 :] += 150
    Picture.fromarray(array).save("in.png")
    marked(left).save("front.png")
    marked(right).save("back.png")
    hints = ["front.png", "back.png"][:: -1 if swapped else 1]
    options = ["--foreground-hint", hints[0], "--background-hint", hints[1]]
    assert main(["segment", "in.png", "mask.png", *options]) == 0
    mask = np.asarray(Picture.open("mask.png")) / 255
    wanted = np.arange(WIDTH) < WIDTH // 2
    assert np.abs(mask - (wanted != swapped)).mean() < 0.05


@pytest.mark.parametrize(
    ("source", "out"),
    [("frames", "masks"), ("film.mp4", "masks"), ("film.mp4", "masks.mkv")],
)
def test_segment_takes_films(source: str, out: str, folder: Path) -> None:
    if source == "frames":
        save_frames(film(), source, ["shot 9", "shot 10", "shot 11"])
    else:
        save_film(film(), source, 12)
    marked((20, 5, 30, 30)).save("hint.png")
    options = ["--as-video"] * (source == "frames")
    arguments = ["segment", source, out, "--foreground-hint", "hint.png", *options]
    assert main(arguments) == 0
    masks = load_film(out)
    assert masks.shape == (3, 1 if out == "masks" else 3, HEIGHT, WIDTH)
    assert masks.min() < 0.1 and masks.max() > 0.9
    if out == "masks":
        names = [file.name for file in frame_files(out)]
        if source == "frames":
            assert names == ["shot 9.png", "shot 10.png", "shot 11.png"]
        else:
            assert names == ["0001.png", "0002.png", "0003.png"]
    else:
        assert read_film(out)[1].rate == 12
    assert sorted(os.listdir()) == sorted([source, "hint.png", out])


@pytest.mark.parametrize(
    ("make", "mode"), [(colour, "RGB"), (grey, "L"), (glass, "RGB")]
)
@pytest.mark.parametrize(
    ("mixtures", "method"),
    [(1, "double-dip"), (2, "double-dip"), (2, "exclusion-search")],
)
def test_separate_writes_both_layers(
    mixtures: int,
    method: str,
    make: Callable[[], Picture.Image],
    mode: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second = make(), colour("chelsea").convert(make().mode)
    Picture.blend(first, second, 0.3).save("a.png")
    Picture.blend(first, second, 0.6).save("b.png")
    given = ["a.png", "b.png"][:mixtures]
    outs = ["--out-first", "1.png", "--out-second", "2.png"]
    assert main(["separate", *given, *outs, "--method", method]) == 0
    line = said_once(capsys.readouterr().out)
    found = re.match(r"1.png, 2.png: coefficients? (.*), written in ", line)
    assert ("assumed" in line) == (mixtures == 1)
    assert found and len(re.findall(r"0\.\d{3}", found[1])) == mixtures
    for name in ("1.png", "2.png"):
        with Picture.open(name) as result:
            assert (result.mode, result.size) == (mode, (WIDTH, HEIGHT))
    assert sorted(os.listdir()) == sorted(["1.png", "2.png", "a.png", "b.png"])


DEHAZERS = ("envelope", "double-dip", "recurrence", "dark-channel")


@pytest.mark.parametrize("method", DEHAZERS)
def test_dehaze_writes_transmission_and_airlight(
    method: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hazy = scene("haze_alley")
    save_image(hazy.images["image"], "in.png")
    outs = ["--transmission-out", "t.png", "--airlight-out", "a.json"]
    assert main(["dehaze", "in.png", "out.png", "--method", method, *outs]) == 0
    line = said_once(capsys.readouterr().out)
    assert line.startswith("out.png, t.png, a.json: written in ")
    clear, transmission = load_image("out.png"), load_image("t.png")
    assert clear.shape == hazy.images["image"].shape
    truth = hazy.images["transmission"]
    assert transmission.shape == truth.shape  # one channel
    # white is 1: all of the scene's light comes through
    together = torch.stack([transmission.flatten(), truth.flatten()])
    assert torch.corrcoef(together)[0, 1] > 0.5
    assert (transmission - truth).abs().mean() < 0.25
    (airlight,) = json.loads(Path("a.json").read_text()).values()
    assert airlight == pytest.approx(hazy.known["airlight"], abs=0.2)
    # hazy = t * clear + (1 - t) * airlight, in linear light
    wanted = to_linear(hazy.images["image"])
    air = to_linear(torch.tensor(airlight)).reshape(3, 1, 1)
    composed = transmission * to_linear(clear) + (1 - transmission) * air
    inside = ((clear > 0) & (clear < 1)).all(0) & (transmission[0] > 0.15)
    assert (composed - wanted).abs()[:, inside].max() < 0.02


@pytest.mark.parametrize("method", ["double-dip", "recurrence"])
def test_dehaze_takes_the_airlight(
    method: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_image(scene("haze_alley").images["image"], "in.png")
    arguments = ["--method", method, "--airlight", "0.7,0.75,0.8"]
    arguments += ["--airlight-out", "a.json"]
    assert main(["dehaze", "in.png", "out.png", *arguments]) == 0
    (airlight,) = json.loads(Path("a.json").read_text()).values()
    assert airlight == pytest.approx([0.7, 0.75, 0.8], abs=1e-3)
    assert "unsure" not in capsys.readouterr().err


def test_dehaze_keeps_transparency_and_says_when_it_is_unsure(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = Picture.fromarray(to_uint8(scene("haze_lake").images["image"]))
    alpha = Picture.linear_gradient("L").resize(picture.size)
    picture.putalpha(alpha)
    picture.save("in.png")
    assert main(["dehaze", "in.png", "out.png", "--non-uniform"]) == 0
    *_, said = capsys.readouterr().err.splitlines()
    assert said.startswith("dil-teach: unsure: ") and "sky" in said
    with Picture.open("out.png") as result:
        assert result.mode == "RGBA"
        assert np.array_equal(np.asarray(result.getchannel("A")), np.asarray(alpha))


def test_dehaze_takes_films(folder: Path) -> None:
    save_frames(scene("video_haze").images["frames"][:3], "in")
    outs = ["--transmission-out", "t.mkv", "--airlight-out", "a.json"]
    assert main(["dehaze", "in", "out", *outs, "--as-video"]) == 0
    assert load_film("out").shape == load_film("t.mkv").shape == (3, 3, 128, 128)
    assert sorted(os.listdir()) == ["a.json", "in", "out", "t.mkv"]
    assert (
        main(["dehaze", "in", "out.mp4", "--method", "dark-channel", "--as-video"]) == 0
    )
    assert load_film("out.mp4").shape == (3, 3, 128, 128)


BOX = (8, 10, 16, 20)
"""The box of the watermark: row, column, height and width."""


def watermarked(name: str, mode: str = "RGB") -> Picture.Image:
    """A cross of two bars, half white."""
    picture = colour(name).convert(mode)
    row, column, height, width = BOX
    opacity = Picture.new("L", picture.size)
    opacity.paste(128, (column + 2, row + 6, column + width - 2, row + 10))
    opacity.paste(128, (column + 8, row + 2, column + 12, row + height - 2))
    white = Picture.new(mode, picture.size, "white")
    return Picture.composite(white, picture, opacity)


@pytest.mark.parametrize(
    ("count", "mode"), [(3, "RGB"), (3, "RGBA"), (1, "RGB"), (1, "L")]
)
def test_a_watermark_is_less_and_all_else_as_it_was(
    count: int, mode: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["astronaut", "chelsea", "coffee"][:count]
    for name in names:
        watermarked(name, mode).save(f"{name}.png")
    if mode == "RGB":
        Path("clean").mkdir()  # both a new folder and an existing folder are accepted
    files = [f"{name}.png" for name in names]
    options = ["--out-dir", "clean", "--box", ",".join(map(str, BOX))]
    options += ["--method", "double-dip"] if mode == "RGBA" else []
    assert main(["remove-watermark", *files, *options]) == 0
    line = said_once(capsys.readouterr().out)
    assert sorted(os.listdir()) == sorted(["clean", *files])
    what = "1 picture" if count == 1 else "3 pictures"
    assert re.match(rf"clean: {what}, \d+% under a mark, written in ", line)
    assert sorted(os.listdir("clean")) == sorted(files)
    row, column, height, width = BOX
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[row : row + height, column : column + width] = False
    for name, file in zip(names, files, strict=True):
        with Picture.open(f"clean/{file}") as result:
            assert result.mode == mode
            after = np.asarray(result).astype(float)
        before = np.asarray(watermarked(name, mode)).astype(float)
        assert np.abs(after - before)[outside].max() <= 1
        if count > 1 and mode == "RGB":
            clean = np.asarray(colour(name)).astype(float)
            assert np.abs(after - clean).mean() < np.abs(before - clean).mean()


def test_a_box_is_proposed_if_more_than_the_mark_changes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["astronaut", "chelsea", "coffee"]
    for name in names:
        watermarked(name).save(f"{name}.png")
    files = [f"{name}.png" for name in names]
    assert main(["remove-watermark", *files, "--out-dir", "a"]) == 0
    *_, line = capsys.readouterr().err.splitlines()
    found = re.fullmatch(
        r"dil-teach: unsure: (\d+)% of the pixels change, .*, add (--box [\d,]+)", line
    )
    assert found
    option, box = found[2].split()
    row, column, height, width = map(int, box.split(","))
    top, left, tall, wide = BOX  # the mark begins two pixels further in
    assert row <= top + 2 and row + height >= top + tall - 2
    assert column <= left + 2 and column + width >= left + wide - 2
    assert height * width <= 2 * tall * wide
    capsys.readouterr()
    assert main(["remove-watermark", *files, "--out-dir", "b", option, box]) == 0
    assert "unsure" not in capsys.readouterr().err
    for file in files:
        before, after = (np.asarray(Picture.open(name)) for name in (file, f"b/{file}"))
        changed = (before != after).any(-1)
        changed[row : row + height, column : column + width] = False
        assert not changed.any()


def test_the_mark_of_one_picture_may_be_painted(folder: Path) -> None:
    watermarked("chelsea").save("in.png")
    row, column, _, width = BOX
    mark = Picture.new("L", (WIDTH, HEIGHT))
    mark.paste(255, (column + 2, row + 6, column + width - 2, row + 10))
    mark.save("mark.png")
    command = "remove-watermark in.png --out-dir clean --mark mark.png"
    assert main(command.split()) == 0
    with Picture.open("clean/in.png") as result:
        changed = np.asarray(result) != np.asarray(watermarked("chelsea"))
    assert changed.any()
    assert not changed[np.asarray(mark) == 0].any()


# ---- bad input


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good pictures and films, and many files that cannot be used."""
    shelf = tmp_path_factory.mktemp("shelf")
    pictures = {
        "in": colour(),
        "copy": colour(),
        "other": colour("chelsea"),
        "grey": grey(),
        "glass": glass(),
        "dots": Picture.new("RGB", (6, 5), "red"),
        "constant": Picture.new("RGB", (WIDTH, HEIGHT), "teal"),
        "large": Picture.new("L", (1100, 1000)),
        "black": marked(),
        "white": marked((0, 0, WIDTH, HEIGHT)),
        "hole": marked((10, 10, 20, 20)),
        "square": marked((1, 1, 5, 5), size=(WIDTH, WIDTH)),
    }
    for name, picture in pictures.items():
        picture.save(shelf / f"{name}.png")
    for name in ("text.png", "text.mp4"):
        (shelf / name).write_text("neither a picture nor a film\n")
    for name in ("bare", "clean", "clear"):
        (shelf / name).mkdir()
    (shelf / "bare/notes.txt").touch()
    glass().save(shelf / "clear/1.png")
    save_film(film(), shelf / "film.mp4")
    save_frames(film(), shelf / "film")
    save_frames(film(), shelf / "uneven")
    save_image(film()[0, :, 1:], shelf / "uneven/0002.png")
    return shelf


@pytest.fixture
def pantry(
    folder: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The shelf as the working folder; the test must not change it."""

    def seen() -> dict[Path, int]:
        files = {path for path in shelf.rglob("*") if path.is_file()}
        return {path: path.stat().st_mtime_ns for path in files}

    monkeypatch.chdir(shelf)
    before = seen()
    yield shelf
    assert seen() == before


def refused(arguments: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Check for one line on standard error and exit status 2, before any training."""
    with pytest.MonkeyPatch.context() as patch:
        for method in METHODS:
            patch.setattr(method, "train_step", lambda _: pytest.fail("it trained"))
        assert main(arguments.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    line = said_once(printed.err)
    assert line.startswith("dil-teach: ") and said in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("none.png out.png", "none.png: no such file"),
        ("text.png out.png", "text.png: expected a picture"),
        ("in.png in.png", "in.png: would overwrite an input file"),
        ("in.png out.gif", "out.gif: expected one of .png"),
        ("in.png none/out.png", "none: no such folder"),
        ("glass.png out.jpg", "glass.png is transparent in places"),
        ("in.png out.png --seed -1", "--seed: expected 0"),
        ("in.png out.png --device abacus", "--device: expected cpu"),
    ],
)
@pytest.mark.parametrize("method", ["dip", "zs-n2n"])
def test_bad_input_to_denoise(
    method: str,
    arguments: str,
    said: str,
    pantry: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused(f"denoise {arguments} --method {method}", said, capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("dots.png out.png", "pixels"),
        ("constant.png out.png", "image: expected a picture with some detail"),
    ],
)
@pytest.mark.parametrize("method", ["dip", "zs-n2n"])
def test_denoising_networks_need_detail(
    method: str,
    arguments: str,
    said: str,
    pantry: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused(f"denoise {arguments} --noise 9 --method {method}", said, capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("in.png none.png out.png", "none.png: no such file"),
        ("in.png black.png out.png", "black.png: expected a mask with white pixels"),
        ("in.png white.png out.png", "white.png: expected white in the hole and black"),
        ("in.png square.png out.png", "square.png: expected the size of the image, 36"),
        ("in.png other.png out.png", "other.png: expected a mask in black, grey and"),
        ("hole.png in.png out.png", "in.png: expected a mask in black, grey and white"),
        ("in.png hole.png hole.png", "hole.png: would overwrite an input file"),
        ("in.png hole.png in.png", "in.png: would overwrite an input file"),
        ("dots.png hole.png out.png", "hole.png: expected the size of the image, 5 x"),
        ("constant.png hole.png out.png --method dip", "expected a picture with some"),
        ("in.png hole.png out.png --seed -1", "--seed: expected 0"),
    ],
)
def test_bad_input_to_inpaint(
    arguments: str, said: str, pantry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(f"inpaint {arguments}", said, capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("none.png out.png", "none.png: no such file"),
        ("dots.png out.png", "pixels"),
        ("constant.png out.png", "the same at all pixels"),
        ("grey.png out.png", "expected 3 channels"),
        ("in.png in.png", "in.png: would overwrite an input file"),
        ("in.png out", "out: expected one of .png"),
        ("in.png out.mp4", "out.mp4: expected one of .png"),
        ("glass.png out.jpg", "glass.png is transparent in places"),
        (
            "in.png out.png --transmission-out out.png",
            "out.png: expected a different place",
        ),
        ("in.png out.png --transmission-out t.gif", "t.gif: expected one of .png"),
        ("in.png out.png --transmission-out in.png", "in.png: would overwrite"),
        ("film bare2 --transmission-out bare2/t --as-video", "bare2: no such folder"),
        (
            "film clean --transmission-out clean/t --as-video",
            "clean: expected a different place",
        ),
        ("in.png out.png --airlight-out a.txt", "a.txt: expected .json, got '.txt'"),
        ("in.png out.png --airlight-out none/a.json", "none: no such folder"),
        ("in.png out.png --seed -1", "--seed: expected 0"),
        ("in.png out.png --device abacus", "--device: expected cpu"),
        (
            "film out.png --as-video",
            "out.png: expected one of .mp4, .mov, .webm, .mkv, .gif, got",
        ),
        ("film film --as-video", "film: expected a new or an empty folder"),
        ("film none/out --as-video", "none: no such folder"),
        ("film.mp4 film.mp4", "film.mp4: would overwrite an input file"),
        ("film.mp4 clear", "clear: expected a new or an empty folder"),
        ("clear out.mp4 --as-video", "clear is transparent in places"),
        (
            "uneven out --as-video",
            "uneven/0002.png: expected 3 x 36 x 48 (channels x height x",
        ),
        ("bare out --as-video", "bare: expected a folder of pictures, got no"),
        ("in.png out.png --as-video", "--as-video: expected a folder of frames"),
        ("text.mp4 out", "text.mp4: expected a video"),
    ],
)
@pytest.mark.parametrize("method", DEHAZERS)
def test_bad_input_to_dehaze(
    method: str,
    arguments: str,
    said: str,
    pantry: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused(f"dehaze {arguments} --method {method}", said, capsys)


@pytest.mark.parametrize("airlight", ["0.8,0.8", "204,204,204", "white", "0,1,1"])
def test_bad_airlight(
    airlight: str, pantry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "--airlight: expected red, green and blue above 0 and up to 1"
    refused(f"dehaze in.png out.png --airlight {airlight}", said, capsys)


@pytest.mark.parametrize("method", ["recurrence", "dark-channel"])
def test_the_classical_methods_have_one_airlight(
    method: str, pantry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = f"dehaze in.png out.png --method {method} --non-uniform"
    refused(arguments, "--non-uniform: expected --method envelope or double", capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("none.png out.png", "none.png: no such file"),
        ("dots.png out.png", "pixels"),
        ("constant.png out.png", "the same at all pixels"),
        ("in.png in.png", "in.png: would overwrite an input file"),
        ("in.png out.png --foreground-hint none.png", "none.png: no such file"),
        ("in.png out.png --foreground-hint black.png", "black.png: expected a mask"),
        ("in.png out.png --background-hint black.png", "black.png: expected a mask"),
        ("in.png out.png --background-hint white.png", "a part of the picture"),
        (
            "in.png out.png --foreground-hint square.png",
            "square.png: expected the size",
        ),
        ("in.png hole.png --foreground-hint hole.png", "hole.png: would overwrite"),
        (
            "in.png out.png --foreground-hint hole.png --background-hint hole.png",
            "mark different places in the two",
        ),
        ("in.png out.png --seed -1", "--seed: expected 0"),
        (
            "film out.png --as-video",
            "out.png: expected one of .mp4, .mov, .webm, .mkv, .gif, got",
        ),
        (
            "film out --foreground-hint square.png --as-video",
            "square.png: expected the size of",
        ),
        (
            "uneven out --as-video",
            "uneven/0002.png: expected 3 x 36 x 48 (channels x height x",
        ),
        ("long out", "long: expected at most 578 frames of 36 x 48, got 600; take"),
    ],
)
def test_bad_input_to_segment(
    arguments: str, said: str, pantry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if arguments.startswith("long"):
        frames = film(1).expand(600, -1, -1, -1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                films_module, "read_film", lambda path: (frames, steady(24, 600))
            )
            patch.setattr(films_module, "is_film", lambda path: True)
            refused(f"segment {arguments}", said, capsys)
    else:
        refused(f"segment {arguments}", said, capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("in.png in.png", "the same picture twice"),
        ("in.png copy.png", "the same picture twice"),
        ("in.png none.png", "none.png: no such file"),
        ("in.png grey.png", "grey.png: expected 3 x 36 x 48 (channels x height x"),
        ("in.png dots.png", "dots.png: expected 3 x 36 x 48 (channels x height x"),
        ("dots.png --method double-dip", "pixels"),
        ("in.png", "expected two mixtures"),
        ("constant.png --method double-dip", "the same at all pixels"),
        ("in.png constant.png", "the same at all pixels"),
        ("in.png other.png --out-first other.png", "other.png: would overwrite"),
        ("in.png other.png --out-second 1.png", "twice; give each result its own name"),
        ("in.png other.png --out-second 2.xyz", "2.xyz: expected one of .png"),
        ("in.png other.png --seed -1", "--seed: expected 0"),
        ("in.png other.png --device abacus", "--device: expected cpu"),
    ],
)
def test_bad_input_to_separate(
    arguments: str, said: str, pantry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outs = ("--out-first 1.png", "--out-second 2.png")
    given = [out for out in outs if out.split()[0] not in arguments]
    refused(" ".join(["separate", arguments, *given]), said, capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "IN: expected at least one picture"),
        ("in.png", "box: expected row, column, height and width"),
        ("in.png copy.png", "the same twice"),
        ("in.png in.png", "in.png: expected a different place for each result"),
        ("in.png none.png", "none.png: no such file"),
        ("in.png dots.png", "dots.png: expected 3 x 36 x 48 (channels x height x"),
        ("in.png grey.png", "grey.png: expected 3 x 36 x 48 (channels x height x"),
        ("dots.png --box 0,0,4,4", "pixels"),
        ("constant.png --box 0,0,9,9", "the same at all pixels"),
        ("in.png --box 0,0,9", "--box: expected row, column, height and width"),
        ("in.png --box 0,0,9,-9", "--box: expected row, column, height and width"),
        ("in.png --box 30,0,9,9", "box: expected row, column, height and width"),
        ("in.png --box 0,0,0,0", "box: expected row, column, height and width"),
        ("large.png --box 0,0,9,9", "large.png: expected at most 1000000 pixels, got"),
        ("in.png --box 0,0,9,9 --out-dir none/new", "none: no such folder"),
        ("in.png --box 0,0,9,9 --out-dir text.png", "text.png: expected a folder, got"),
        (
            "in.png --box 0,0,9,9 --out-dir .",
            "in.png: would overwrite an input file",
        ),
        ("in.png --box 0,0,9,9 --seed -1", "--seed: expected 0"),
        ("in.png --mark none.png", "none.png: no such file"),
        ("in.png --mark black.png", "black.png: expected a mask with white pixels"),
        ("in.png --mark square.png", "square.png: expected the size of the image"),
        ("in.png --mark white.png", "outline: expected 1 in the mark"),
    ],
)
def test_bad_input_to_remove_watermark(
    arguments: str, said: str, pantry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = "" if "--out-dir" in arguments else "--out-dir clean"
    refused(f"remove-watermark {arguments} {where}", said, capsys)
    assert not os.listdir("clean")


# ---- as a program


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: dil-teach {command}")
    assert "Args:" not in shown and "OUT" in shown.upper()


def test_help_does_not_import_torch() -> None:
    program = """
import sys
from dil_teach.cli import main
try:
    main(["--help"])
finally:
    print("imported:", *{"torch", "numpy", "av", "PIL"} & set(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("imported:\n")
    for command in COMMANDS:
        assert re.search(rf"• {command} ", done.stdout)


@pytest.mark.parametrize("given", [{}, {"OMP": "2", "OPENBLAS": "2", "MKL": "2"}])
def test_a_command_uses_one_thread_whatever_the_environment_says(
    given: dict[str, str],
) -> None:
    program = """
from dil_teach.__main__ import main
assert main() == 2
import torch
from threadpoolctl import threadpool_info
print(torch.get_num_threads(), *{pool["num_threads"] for pool in threadpool_info()})
"""
    others = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", program, "recurrence", "none.png", "out.png"],
        env=others | {f"{name}_NUM_THREADS": n for name, n in given.items()},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "1 1\n", done.stderr
