"""The command line: results for each kind of picture, and messages for bad input."""

import functools
import json
import os
import re
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from html import unescape
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image as Picture

import dil_teach
import dil_teach.commands.files as files_module
import dil_teach.commands.recurrence as recurrence_command
import dil_teach.course.lesson as lesson_module
import dil_teach.deep.zssr.zssr as zssr_module
import dil_teach.image.writing as writing
import dil_teach.training.tiles as tiles
from dil_teach.cli import main
from dil_teach.deep.zssr.zssr import ZSSRSettings
from dil_teach.image.convention import split_alpha, to_uint8
from dil_teach.image.files import load_image
from dil_teach.image.photos import photo
from dil_teach.patches.recurrence import recurrence_map, recurrence_score

HEIGHT, WIDTH = 24, 36
PROGRAM = (sys.executable, "-c", "import sys, dil_teach.cli as c; sys.exit(c.main())")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and a budget of two steps."""
    two_steps = classmethod(lambda cls, **changes: cls(**{"steps": 2, **changes}))
    monkeypatch.setattr(ZSSRSettings, "quick", two_steps)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def colour() -> Picture.Image:
    """The astronaut, with a dark left half, so that left and right differ."""
    array = to_uint8(photo("astronaut", size=WIDTH))[:HEIGHT].copy()
    array[:, : WIDTH // 2] //= 4
    return Picture.fromarray(array)


def with_alpha(picture: Picture.Image) -> Picture.Image:
    picture.putalpha(Picture.linear_gradient("L").resize(picture.size))
    return picture


def sixteen_bits() -> Picture.Image:
    """The grey astronaut over the whole range of 16 bits."""
    return Picture.fromarray(np.asarray(colour().convert("L")).astype(np.uint16) * 257)


def super_resolve(*arguments: str) -> int:
    return main(["super-resolve", *arguments])


# ---- results


@pytest.mark.parametrize(
    ("make", "mode"),
    [
        (colour, "RGB"),
        (lambda: colour().convert("L"), "L"),
        (lambda: with_alpha(colour()), "RGBA"),
        (lambda: with_alpha(colour().convert("L")), "LA"),
        (lambda: colour().quantize(64), "RGB"),
        (sixteen_bits, "I;16"),
    ],
    ids=["RGB", "grey", "RGBA", "grey and alpha", "palette", "16 bits"],
)
def test_every_kind_of_picture_comes_out_right(
    make: Callable[[], Picture.Image],
    mode: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make().save("in.png")
    assert super_resolve("in.png", "out.png") == 0
    line = capsys.readouterr().out
    assert line.startswith(f"out.png: {2 * HEIGHT} x {2 * WIDTH} pixels")
    assert line.count("\n") == 1
    with Picture.open("out.png") as result:
        assert (result.mode, result.size) == (mode, (2 * WIDTH, 2 * HEIGHT))
        if mode == "I;16":  # Pillow cannot resize it
            result = Picture.fromarray((np.asarray(result) / 257).astype(np.uint8))
        small = np.asarray(result.resize((WIDTH, HEIGHT), Picture.Resampling.BOX))
    wanted = make() if mode != "RGB" else make().convert("RGB")
    if wanted.mode.startswith("I"):
        wanted = colour().convert("L")
    assert np.abs(small.astype(float) - np.asarray(wanted)).mean() < 4
    assert sorted(os.listdir()) == ["in.png", "out.png"]


def test_the_cameras_orientation_is_applied(folder: Path) -> None:
    exif = Picture.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise: left becomes top
    colour().save("in.jpg", exif=exif, quality=95)
    assert super_resolve("in.jpg", "out.png") == 0
    result = np.asarray(Picture.open("out.png"))
    assert result.shape == (2 * WIDTH, 2 * HEIGHT, 3)
    assert result[:WIDTH].mean() < result[WIDTH:].mean() / 2


@pytest.mark.parametrize("name", ["out.jpg", "out.tif", "out.webp", "out.bmp"])
def test_the_suffix_names_the_format(name: str, folder: Path) -> None:
    colour().save("in.png")
    assert super_resolve("in.png", name) == 0
    with Picture.open(name) as result:
        assert result.size == (2 * WIDTH, 2 * HEIGHT)
        assert result.format == {"jpg": "JPEG", "tif": "TIFF"}.get(
            name[4:], name[4:].upper()
        )


def test_options_reach_the_method(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Spy(zssr_module.ZSSR):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            seen.append(self)

    monkeypatch.setattr(zssr_module, "ZSSR", Spy)
    colour().save("in.png")
    np.save("kernel.npy", np.ones((5, 5)))
    assert super_resolve("in.png", "out.png", "--scale", "1.5", "--seed", "7") == 0
    assert super_resolve("in.png", "out.png", "--size", "50x80", "--noise", "51") == 0
    assert super_resolve("in.png", "out.png", "--jpeg-quality", "50") == 0
    assert super_resolve("in.png", "out.png", "--kernel", "kernel.npy") == 0
    scaled, sized, compressed, blurred = seen
    assert (scaled.scale, scaled.kernel) == ((1.5, 1.5), "bicubic")
    assert scaled.settings == ZSSRSettings.quick(seed=7)
    assert sized.size == (50, 80) and sized.settings.noise == pytest.approx(0.2)
    assert compressed.settings == ZSSRSettings.quick(jpeg_quality=50)
    assert blurred.kernel.sum() == pytest.approx(1) and blurred.scale == (2, 2)


@pytest.mark.parametrize("method", ["glasner", "freedman-fattal"])
@pytest.mark.parametrize(
    ("make", "mode"),
    [
        (colour, "RGB"),
        (lambda: colour().convert("L"), "L"),
        (lambda: with_alpha(colour()), "RGBA"),
    ],
    ids=["RGB", "grey", "RGBA"],
)
def test_methods_by_patches_enlarge_every_kind_of_picture(
    make: Callable[[], Picture.Image], mode: str, method: str, folder: Path
) -> None:
    make().save("in.png")
    options = ["--method", method, "--size", "50x80"]
    assert super_resolve("in.png", "out.png", *options) == 0
    with Picture.open("out.png") as result:
        assert (result.mode, result.size) == (mode, (80, 50))
        small = np.asarray(result.resize((WIDTH, HEIGHT), Picture.Resampling.BOX))
    assert np.abs(small.astype(float) - np.asarray(make())).mean() < 5


def test_glasner_uses_the_kernel(folder: Path) -> None:
    colour().save("in.png")
    np.save("kernel.npy", np.ones((5, 5)))
    options = ["--method", "glasner"]
    assert super_resolve("in.png", "a.png", *options) == 0
    assert super_resolve("in.png", "b.png", *options, "--kernel", "kernel.npy") == 0
    a, b = (np.asarray(Picture.open(f"{name}.png")).astype(float) for name in "ab")
    assert b.std() > a.std()  # sharper, because more blur is undone


def test_a_large_photograph_goes_through_in_tiles(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "WHOLE_PIXELS", 4 * 32 * 32)
    monkeypatch.setattr(tiles, "WINDOW", 32)
    monkeypatch.setattr(tiles, "TILE", 32)
    made, original = [], zssr_module.ZSSR

    def record(*arguments):
        made.append(original(*arguments))
        return made[-1]

    monkeypatch.setattr(zssr_module, "ZSSR", record)
    Picture.fromarray(to_uint8(photo("astronaut", size=100))[:70]).save("in.png")
    assert super_resolve("in.png", "out.png") == 0
    assert made[0].settings.width == 32 < ZSSRSettings.quick().width
    assert made[0].settings.steps == round(1.4 * ZSSRSettings.quick().steps)
    with Picture.open("out.png") as result:
        assert result.size == (200, 140)
        small = result.resize((100, 70), Picture.Resampling.BOX)
    difference = np.asarray(small).astype(float) - np.asarray(Picture.open("in.png"))
    # no tile is missing or misplaced; without tiles, the largest difference is 19
    assert np.abs(difference).max() < 40 and np.abs(difference).mean() < 2


# ---- bad input


@functools.cache
def bomb() -> bytes:
    """A PNG of 30,000 x 30,000 pixels of one bit: 110 kB that become 900 MB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((1 + 30_000 // 8) * 30_000))
    parts = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.fixture
def pantry(folder: Path) -> Path:
    """A folder with one good photograph and many files that cannot be used."""
    colour().save("in.png")
    with_alpha(colour()).save("glass.png")
    whole = Path("in.png").read_bytes()
    Path("cut.png").write_bytes(whole[: len(whole) // 2])
    Path("text.png").write_text("not a picture\n")
    Path("empty.png").touch()
    Path("bomb.png").write_bytes(bomb())
    Picture.new("RGB", (1, 1)).save("dot.png")
    Picture.new("RGB", (3, 2)).save("dots.png")
    np.save("nan.npy", np.full((3, 3), np.nan))
    np.save("zeros.npy", np.zeros((3, 3)))
    np.save("large.npy", np.eye(25))
    Path("folder.png").mkdir()
    return folder


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("cut.png out.png", "cut.png: expected a picture"),
        ("text.png out.png", "text.png: expected a picture"),
        ("empty.png out.png", "empty.png: expected a picture"),
        ("dot.png out.png", "expected at least 16 x 16 pixels, got 1 x 1"),
        ("dots.png out.png", "expected at least 16 x 16 pixels, got 2 x 3"),
        ("bomb.png out.png", "bomb.png: expected at most 100 megapixels"),
        (
            "folder.png out.png",
            "folder.png: expected a folder of pictures, got no picture",
        ),
        ("none.png out.png", "none.png: no such file"),
        ("in.png folder.png", "folder.png: expected a file to write, got a folder"),
        ("in.png none/out.png", "none: no such folder"),
        ("in.png in.png/out.png", "in.png: no such folder"),
        ("in.png out.xyz", "out.xyz: expected one of .png, .tif"),
        ("in.png out", "out: expected one of .png, .tif"),
        ("in.png in.png", "in.png: would overwrite an input file"),
        ("in.png out.webp --size 24x20000", ".webp holds at most 16383 pixels a side"),
        ("glass.png out.jpg", "glass.png is transparent in places"),
        ("in.png out.png --kernel nan.npy", "nan.npy: no usable kernel"),
        ("in.png out.png --kernel zeros.npy", "zeros.npy: no usable kernel"),
        ("in.png out.png --kernel in.png", "in.png: expected a picture of a kernel in"),
        ("in.png out.png --kernel large.npy", "kernel: expected at most 24 pixels a"),
        ("in.png out.png --kernel none.npy", "none.npy: no such kernel file"),
        ("in.png out.png --kernel text.png", "text.png: expected a picture"),
        ("in.png out.png --scale -1", "scale: expected a positive number"),
        ("in.png out.png --scale=-1", "scale: expected a positive number"),
        ("in.png out.png --scale 0", "scale: expected a positive number"),
        ("in.png out.png --scale nan", "scale: expected a positive number"),
        ("in.png out.png --scale 0.5", "only enlarges, got 0.5 and 0.5; try 2"),
        ("in.png out.png --size 10x25", "only enlarges, got 0.417 and 0.694; try 2"),
        ("in.png out.png --size 48x72 --scale 2", "--scale, --size: expected one of"),
        ("in.png out.png --scale 1e9", "scale: expected a result of at most"),
        ("in.png out.png --size 300", "--size: expected height x width"),
        ("in.png out.png --size 300x-4", "--size: expected height x width"),
        ("in.png out.png --size 0x0", "size: expected (height, width)"),
        ("in.png out.png --device abacus", "--device: expected cpu"),
        ("in.png out.png --device meta", "--device: expected cpu"),
        ("in.png out.png --noise -1", "--noise: expected a standard deviation"),
        ("in.png out.png --noise nan", "--noise: expected a standard deviation"),
        ("in.png out.png --jpeg-quality 0", "got 0; leave it out if the"),
        ("in.png out.png --seed -1", "--seed: expected 0"),
        ("in.png out.png --method glasner --noise 5", "expected no --noise and no"),
        ("in.png out.png --method glasner --scale 90", "at most 4000000 pixels"),
        ("dots.png out.png --method glasner", "at least 16 x 16 pixels, got 2 x 3"),
        (
            "in.png out.png --method glasner --kernel large.npy",
            "kernel: expected at most 24 pixels a",
        ),
        (
            "in.png out.png --method freedman-fattal --jpeg-quality 50",
            "expected no --noise and no --jpeg-quality",
        ),
        (
            "in.png out.png --method freedman-fattal --kernel estimate",
            "expected no --kernel",
        ),
        (
            "in.png out.png --method freedman-fattal --scale 0.5",
            "only enlarges, got 0.5 and 0.5",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(
    arguments: str, said: str, pantry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in pantry.iterdir()}
    assert super_resolve(*arguments.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("dil-teach: ") and printed.err.count("\n") == 1
    assert said in printed.err
    # no progress bar: everything was checked before the training
    assert {path: path.stat().st_mtime_ns for path in pantry.iterdir()} == before


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc")
def test_a_folder_that_not_even_root_can_write_to(
    pantry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert super_resolve("in.png", "/proc/out.png") == 2
    said = capsys.readouterr().err
    assert said.startswith("dil-teach: /proc/out.png: cannot be written")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (MemoryError(), 2, "dil-teach: not enough memory"),
        (RuntimeError("can't allocate memory"), 2, "dil-teach: not enough memory"),
        (OSError("No space\nleft"), 2, "dil-teach: No space left"),
        (KeyboardInterrupt(), 130, "dil-teach: interrupted"),
    ],
    ids=repr,
)
def test_a_failure_after_training_is_one_line_too(
    error: BaseException,
    status: int,
    said: str,
    pantry: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(self: object) -> None:
        raise error

    monkeypatch.setattr(zssr_module.ZSSR, "super_resolve", fail)
    assert super_resolve("in.png", "out.png") == status
    assert capsys.readouterr().err.splitlines()[-1].startswith(said)
    assert not Path("out.png").exists()


def test_our_own_mistakes_keep_their_traceback(
    pantry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(zssr_module.ZSSR, "super_resolve", fail)
    with pytest.raises(RuntimeError, match="shapes"):
        super_resolve("in.png", "out.png")


@pytest.mark.parametrize(
    "arguments", [[], ["super-resolve"], ["super-resolve", "a", "b", "--scale", "two"]]
)
def test_wrong_usage_exits_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert capsys.readouterr().err.strip()


# ---- where patches recur


def stripes() -> Picture.Image:
    """The astronaut beside a copy of herself: each patch recurs in the other half."""
    half = to_uint8(photo("astronaut", size=WIDTH))[:HEIGHT]
    return Picture.fromarray(np.concatenate([half, half], axis=1))


@pytest.mark.parametrize(
    ("make", "scale", "patch_size"),
    [
        (stripes, 1.0, 5),
        (stripes, 0.5, 3),
        (lambda: stripes().convert("L"), 1.0, 5),
        (lambda: with_alpha(stripes()), 1.0, 5),
    ],
    ids=["RGB", "another scale", "grey", "RGBA"],
)
def test_recurrence_writes_a_map_and_its_figures(
    make: Callable[[], Picture.Image],
    scale: float,
    patch_size: int,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make().save("in.png")
    options = ["--scale", str(scale), "--patch-size", str(patch_size)]
    assert main(["recurrence", "in.png", "map.png", *options]) == 0
    patches = (HEIGHT - patch_size + 1) * (2 * WIDTH - patch_size + 1)
    line = capsys.readouterr().out
    assert line.startswith(f"map.png, map.json: {patches} patches in ")
    assert sorted(os.listdir()) == ["in.png", "map.json", "map.png"]

    colour, alpha = split_alpha(load_image("in.png"))
    counts = recurrence_map(colour, patch_size=patch_size, scale=scale)
    with Picture.open("map.png") as result:
        assert result.mode == "L"
        read = np.rint(np.asarray(result, float) * 16 / 255)
    assert np.array_equal(read, counts.numpy()) and read.max() > read.min()

    figures = json.loads(Path("map.json").read_text())
    wanted = {"height": HEIGHT, "width": 2 * WIDTH, "scale": scale, "patches": patches}
    assert (wanted | {"patch_size": patch_size}).items() <= figures.items()
    assert figures["dil_teach"] == dil_teach.__version__
    assert (figures["transparency"] == "none") == (alpha is None)
    for least in (1, 9):
        percent = figures[f"percent_with_at_least_{least}"]
        assert percent["all"] == pytest.approx(100 * (read >= least).mean(), abs=0.01)
        low, high = sorted((percent["smooth"], percent["detailed"]))
        assert low <= percent["all"] <= high
    score = recurrence_score(colour, patch_size)
    # the fast search finds a few more matches if it searches for sixteen, as for the
    # map
    assert figures["recurrence_score"] == pytest.approx(score, abs=5e-3)


def test_in_a_large_photograph_each_patch_of_a_grid_fills_a_square(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stripes().save("in.png")
    monkeypatch.setattr(recurrence_command, "QUERIES", 100)
    assert main(["recurrence", "in.png", "map.png"]) == 0
    counts = recurrence_map(load_image("in.png"))
    some = counts[::3, ::3]
    figures = json.loads(Path("map.json").read_text())
    assert (figures["stride"], figures["patches"]) == (3, some.numel())
    share = 100 * (some >= 1).double().mean().item()
    assert figures["percent_with_at_least_1"]["all"] == pytest.approx(share, abs=0.01)
    with Picture.open("map.png") as result:
        read = np.rint(np.asarray(result, float) * 16 / 255)
    assert read.shape == counts.shape
    squares = np.kron(some.numpy(), np.ones((3, 3)))
    assert np.array_equal(read, squares[: len(read), : read.shape[1]])


def test_patches_that_touch_transparent_pixels_are_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def look(hidden: int) -> tuple[dict, np.ndarray]:
        picture = stripes().convert("RGBA")
        array = np.array(picture)
        array[:, 40:] = hidden, hidden, hidden, 0
        Picture.fromarray(array).save("in.png")
        assert main(["recurrence", "in.png", "map.png"]) == 0
        with Picture.open("map.png") as result:
            counts = np.rint(np.asarray(result, float) * 16 / 255)
        return json.loads(Path("map.json").read_text()), counts

    (figures, counts), (again, _) = look(0), look(200)
    assert figures["patches"] == (HEIGHT - 4) * 36
    assert (counts[:, 36:] == 0).all() and counts[:, :36].any()
    for least in (1, 9):
        percent = 100 * (counts[:, :36] >= least).mean()
        name = f"percent_with_at_least_{least}"
        assert figures[name]["all"] == pytest.approx(percent, abs=0.01)
        assert again[name]["all"] == pytest.approx(percent, abs=2)
    array = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    array[::4, ::4] = 255
    Picture.fromarray(array).save("in.png")
    capsys.readouterr()
    assert main(["recurrence", "in.png", "map.png"]) == 2
    assert "in.png: expected a patch of 5 x 5 pixels" in capsys.readouterr().err


def test_recurrence_names_the_largest_side_for_a_large_photograph(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    colour().resize((400, 300)).save("in.jpg")
    monkeypatch.setattr(files_module, "MOST_PIXELS_IN_ALL", 30_000)
    assert main(["recurrence", "in.jpg", "map.png"]) == 2
    said = capsys.readouterr().err
    assert "at most 30000 pixels, got 300 x 400" in said and said.count("\n") == 1
    (side,) = re.findall(r"--max-side (\d+)$", said)
    assert 29_000 <= int(side) * round(int(side) * 3 / 4) <= 30_000
    assert os.listdir() == ["in.jpg"]
    assert main(["recurrence", "in.jpg", "map.png", "--max-side", "40"]) == 0
    with Picture.open("map.png") as result:
        assert result.size == (36, 26)
    figures = json.loads(Path("map.json").read_text())
    assert (figures["file_height"], figures["file_width"]) == (300, 400)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("none.png map.png", "none.png: no such file"),
        ("cut.png map.png", "cut.png: expected a picture"),
        ("in.png map.jpg", "map.jpg: expected .png, got '.jpg'"),
        ("in.png map", "map: expected .png, got ''"),
        ("in.png in.png", "in.png: would overwrite an input file"),
        ("in.png folder.png", "folder.png: expected a file to write, got a folder"),
        ("in.png none/map.png", "none: no such folder"),
        ("in.png figures.png", "figures.json: expected a file to write, got a folder"),
        ("in.png map.png --max-side 0", "--max-side: expected at least 1, got 0"),
        ("in.png map.png --max-side 3", ""),
        ("in.png map.png --patch-size 0", ""),
        ("in.png map.png --patch-size 25", ""),
        ("in.png map.png --scale 0.01", ""),
        ("in.png map.png --scale -1", "scale: expected at most 1, and at least 0.208"),
        ("in.png map.png --scale nan", "scale: expected at most 1"),
        ("in.png map.png --scale inf", "scale: expected at most 1"),
        ("in.png map.png --scale=-inf", "scale: expected at most 1"),
        ("dots.png map.png", "patch_size: expected 2 to 2"),
        ("dot.png map.png", "image: expected at least 2 x 2 pixels, got 1 x 1; take"),
        ("constant.png map.png", ""),
    ],
)
def test_bad_input_to_recurrence_is_refused_in_one_line(
    arguments: str, said: str, pantry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("figures.json").mkdir()
    Picture.new("RGB", (WIDTH, HEIGHT), "teal").save("constant.png")
    before = {path: path.stat().st_mtime_ns for path in pantry.iterdir()}
    assert main(["recurrence", *arguments.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    last = printed.err.replace("\r", "\n").splitlines()[-1].lstrip()
    assert last.startswith("dil-teach: ") and len(last) > 30 and said in last
    assert {path: path.stat().st_mtime_ns for path in pantry.iterdir()} == before


def test_of_two_files_both_are_written_or_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stripes().save("in.png")
    write = writing.write_file

    def full(place: Path, content: bytes) -> None:
        if ".json" in place.name:
            raise OSError("No space left on device")
        write(place, content)

    monkeypatch.setattr(writing, "write_file", full)
    assert main(["recurrence", "in.png", "map.png"]) == 2
    assert "No space left" in capsys.readouterr().err
    assert os.listdir() == ["in.png"]


# ---- a chapter as a page


COLAB = (
    "https://colab.research.google.com/github/a/b/blob/main/notebooks/01_short.ipynb"
)
BADGE = f"[![Open in Colab](https://example.org/badge.svg)]({COLAB})"
SHOW = """from IPython.display import HTML

HTML('<img alt="a petal, its outline thin and clean" src="data:image/png;base64,AA==">')
"""


@pytest.fixture
def chapters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the short chapter ``01_short`` replaces the library's chapters."""
    cells = [
        new_markdown_cell(f"# 01 · Short\n\n{BADGE}"),
        new_code_cell("1 / 0", metadata={"tags": ["one-click"]}),
        new_code_cell('budget = "quick"', metadata={"tags": ["parameters"]}),
        new_code_cell("import ipywidgets\nprint(budget)\nipywidgets.IntSlider()"),
        new_code_cell(SHOW),
    ]
    (tmp_path / "notebooks").mkdir()
    short = tmp_path / "notebooks/01_short.ipynb"
    nbformat.write(new_notebook(cells=cells), short)
    monkeypatch.setattr(lesson_module, "shipped", lambda name: tmp_path / name)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return short


@pytest.mark.parametrize("name", ["01", "1", "short", "01_short"])
def test_a_lesson_is_one_page_with_its_pictures_inside(
    name: str, chapters: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lesson", name, "out.html", "--budget", "full"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("out.html: 01_short at full, run and written in ")
    assert printed.out.count("\n") == 1
    assert os.listdir() == ["out.html"]
    html = Path("out.html").read_text()
    assert "<title>01 · Short</title>" in html and '<html lang="en">' in html
    assert "full\n" in html and "quick" not in html and "1 / 0" not in html
    (picture,) = re.findall("<img[^>]*>", html)
    assert 'alt="a petal, its outline thin and clean"' in picture
    assert ">Open in Colab<" in html
    assert not re.findall(r"<(?:script|img|link|iframe)[^>]*=.https?:", html)


def test_a_lesson_downloads_only_mathjax(chapters: Path) -> None:
    notebook = nbformat.read(chapters, as_version=4)
    notebook.cells.append(new_markdown_cell("$x = 1$"))
    nbformat.write(notebook, chapters)
    assert main(["lesson", "01", "out.html"]) == 0
    html = Path("out.html").read_text()
    (fetched,) = re.findall(r"<(?:script|img|link|iframe)[^>]*=.https?:[^\s>]*", html)
    assert "mathjax" in fetched


def add_cells(chapter: Path, *cells: NotebookNode) -> None:
    notebook = nbformat.read(chapter, as_version=4)
    notebook.cells += cells
    nbformat.write(notebook, chapter)


def test_links_of_a_lesson_lead_to_the_repository(chapters: Path) -> None:
    links = {
        "glossary.md#patch": "https://github.com/a/b/blob/main/notebooks/glossary.md#patch",
        "09_zssr.ipynb": "https://github.com/a/b/blob/main/notebooks/09_zssr.ipynb",
        "../data/README.md": "https://github.com/a/b/blob/main/data/README.md",
        "https://example.org/x": "https://example.org/x",
        "#references": "#references",
    }
    text = " ".join(f"[word]({link})" for link in links)
    add_cells(chapters, new_markdown_cell(text))
    assert main(["lesson", "01", "out.html"]) == 0
    found = re.findall(r'<a href="([^"]*)"[^>]*>word<', Path("out.html").read_text())
    assert found == list(links.values())


CHOICES = """\
photograph_file = ""
question = "denoising"
prediction = ""
conclusion = "none"
"""


def choose(chapter: Path) -> None:
    """Add cells for the learner's choices and a report to a chapter."""
    show = "print(question, prediction, conclusion, photograph_file[-7:])"
    add_cells(
        chapter,
        new_code_cell(CHOICES, metadata={"tags": ["choices"]}),
        new_markdown_cell("## My report", metadata={"tags": ["report"]}),
        new_code_cell(show, metadata={"tags": ["report"]}),
    )


def test_a_lesson_takes_the_learners_photograph_and_words(chapters: Path) -> None:
    choose(chapters)
    colour().save("own.png")
    words = ["--question", "haze", "--prediction", 'it\'s "so"', "--conclusion", "no"]
    own = ["--photograph", "own.png", *words]
    assert main(["lesson", "01", "out.html", *own]) == 0
    assert 'haze it\'s "so" no own.png\n' in unescape(Path("out.html").read_text())
    assert main(["lesson", "01", "out.html"]) == 0
    assert "denoising  none \n" in Path("out.html").read_text()


def test_a_report_has_neither_the_other_cells_nor_code(chapters: Path) -> None:
    choose(chapters)
    assert main(["lesson", "01", "out.html", "--report", "--question", "haze"]) == 0
    html = Path("out.html").read_text()
    assert "<title>My report</title>" in html and "haze  none" in html
    assert "01 · Short" not in html and "photograph_file[" not in html


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("01 out.html --question x", "chapter: expected one with a choice of question"),
        ("01 out.html --report", "01_short: has no report"),
        ("01 out.html --photograph none.png", "none.png: no such file"),
    ],
)
def test_bad_choices_are_refused_in_one_line(
    arguments: str, said: str, chapters: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lesson", *arguments.split()]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1 and said in printed and not os.listdir()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            "07 out.html",
            "chapter: expected one of 01_short, or its number, got '07'; try 01",
        ),
        ("shor out.html", "expected one of 01_short"),
        ("../01_short out.html", "expected one of 01_short"),
        ("01 out.pdf", "out.pdf: expected one of .html, .htm"),
        ("01 none/out.html", "none: no such folder"),
    ],
)
def test_bad_input_to_lesson_is_refused_in_one_line(
    arguments: str, said: str, chapters: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lesson", *arguments.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("dil-teach: ") and printed.err.count("\n") == 1
    assert said in printed.err and not os.listdir()


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("{}['x']", "dil-teach: 01_short: cell 5 failed: KeyError: 'x'"),
        ("raise ValueError('x: not y')", "dil-teach: 01_short: x: not y"),
        ("import os\nos._exit(1)", "dil-teach: 01_short: the kernel died in cell 5"),
    ],
)
def test_a_cell_that_fails_is_named_and_nothing_is_written(
    cell: str, said: str, chapters: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = nbformat.read(chapters, as_version=4)
    notebook.cells.append(new_code_cell(cell))
    nbformat.write(notebook, chapters)
    assert main(["lesson", "01", "out.html"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(said)
    assert not os.listdir()


def test_without_jupyter_a_lesson_says_what_to_install(
    chapters: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["lesson", "01", "out.html"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("dil-teach: lesson: needs ") and said.count("\n") == 1
    assert "pip install jupyterlab" in said


@pytest.mark.slow
def test_the_tour_as_it_ships_becomes_a_page(tmp_path: Path) -> None:
    out = tmp_path / "tour.html"
    done = subprocess.run(
        [*PROGRAM, "lesson", "00", str(out)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    pictures = re.findall("<img[^>]*>", out.read_text())
    assert len(pictures) >= 5
    for picture in pictures:
        assert 'src="data:image/' in picture
        assert len(re.findall('alt="([^"]*)"', picture)[0]) >= 20
    assert os.listdir(tmp_path) == ["tour.html"]


# ---- as a program


def test_help_lists_the_commands() -> None:
    done = subprocess.run([*PROGRAM, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    for command in ("super-resolve", "recurrence", "lesson"):
        assert command in done.stdout


def test_help_of_a_command_breaks_no_line_early() -> None:
    done = subprocess.run(
        [*PROGRAM, "super-resolve", "--help"],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "300"},
    )
    (scale,) = [line for line in done.stdout.splitlines() if "--scale FLOAT" in line]
    assert "at least 1. It is 2 if neither --scale nor --size is given." in scale


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal there")
@pytest.mark.parametrize(
    ("arguments", "until", "stop"),
    [
        ("super-resolve in.png out.png --budget full", b"loss", signal.SIGINT),
        ("super-resolve in.png out.png --budget full", b"loss", signal.SIGTERM),
        ("lesson 00 out.html", b" 5/", signal.SIGINT),  # its first cells train nothing
    ],
)
def test_an_interrupt_is_reported_and_leaves_no_file(
    arguments: str, until: bytes, stop: signal.Signals, tmp_path: Path
) -> None:
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    colour().save(here / "in.png")
    import termios  # not on Windows

    terminal, theirs = os.openpty()  # the progress bar is for terminals
    termios.tcsetwinsize(theirs, (24, 80))
    program = subprocess.Popen(
        [sys.executable, "-m", "dil_teach", *arguments.split()],
        cwd=here,
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    while until not in seen:  # the progress bar shows that it works
        seen += os.read(terminal, 4096)
    program.send_signal(stop)
    out, _ = program.communicate(timeout=60)
    while more := _read(terminal):
        seen += more
    assert program.returncode == 128 + stop and out == b""
    assert seen.endswith(b"\rdil-teach: interrupted\r\n")
    assert os.listdir(here) == ["in.png"]
    # torch creates a folder for compiled code, which stays empty
    assert all(name.startswith("torchinductor") for name in os.listdir(temporary))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux: the program has closed the other end
        return b""
