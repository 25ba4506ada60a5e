"""The command line: what comes out of each kind of picture, and how it says no."""

import functools
import os
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

import dil_teach.deep.zssr as zssr_module
from dil_teach.cli import main
from dil_teach.deep.zssr import ZSSRSettings
from dil_teach.image import to_uint8
from dil_teach.photos import photo

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
    """The astronaut, so dark at the left that its sides can be told apart."""
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


# ---- what comes out


@pytest.mark.parametrize(
    ("make", "mode"),
    [
        (colour, "RGB"),
        (lambda: colour().convert("L"), "L"),
        (lambda: with_alpha(colour()), "RGBA"),
        (lambda: with_alpha(colour().convert("L")), "LA"),
        (lambda: colour().quantize(64), "RGB"),
        (sixteen_bits, "L"),
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
        small = np.asarray(result.resize((WIDTH, HEIGHT), Picture.Resampling.BOX))
    wanted = make() if mode != "RGB" else make().convert("RGB")
    if wanted.mode.startswith("I"):
        wanted = colour().convert("L")
    assert np.abs(small.astype(float) - np.asarray(wanted)).mean() < 4
    assert sorted(os.listdir()) == ["in.png", "out.png"]


def test_the_cameras_orientation_is_applied(folder: Path) -> None:
    exif = Picture.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise: left becomes top
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


def test_a_large_photograph_goes_through_in_tiles(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zssr_module, "WHOLE_PIXELS", 4 * 32 * 32)
    monkeypatch.setattr(zssr_module, "TILE", 32)
    Picture.fromarray(to_uint8(photo("astronaut", size=100))[:70]).save("in.png")
    assert super_resolve("in.png", "out.png") == 0
    with Picture.open("out.png") as result:
        assert result.size == (200, 140)
        small = result.resize((100, 70), Picture.Resampling.BOX)
    difference = np.asarray(small).astype(float) - np.asarray(Picture.open("in.png"))
    # no tile is missing or out of its place; whole, it is 19 off where it is sharpest
    assert np.abs(difference).max() < 40 and np.abs(difference).mean() < 2


# ---- how it says no


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
    """One good photograph, and much that cannot be used."""
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
    Path("folder.png").mkdir()
    return folder


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("cut.png out.png", "cut.png: the file is truncated"),
        ("text.png out.png", "text.png: expected a picture"),
        ("empty.png out.png", "empty.png: expected a picture"),
        ("dot.png out.png", "expected at least 16 x 16 pixels, got 1 x 1"),
        ("dots.png out.png", "expected at least 16 x 16 pixels, got 2 x 3"),
        ("bomb.png out.png", "bomb.png: expected at most 100 megapixels"),
        ("folder.png out.png", "folder.png: expected a picture file, got a folder"),
        ("none.png out.png", "none.png: no such file"),
        ("in.png folder.png", "folder.png: expected a file to write, got a folder"),
        ("in.png none/out.png", "none: no such folder"),
        ("in.png in.png/out.png", "in.png: no such folder"),
        ("in.png out.xyz", "out.xyz: expected one of .png, .tif"),
        ("in.png out", "out: expected one of .png, .tif"),
        ("in.png in.png", "in.png: would replace the photograph"),
        ("in.png out.webp --size 24x20000", ".webp holds at most 16383 pixels a side"),
        ("glass.png out.jpg", "glass.png is transparent in places"),
        ("in.png out.png --kernel nan.npy", "nan.npy: no usable kernel"),
        ("in.png out.png --kernel zeros.npy", "zeros.npy: no usable kernel"),
        ("in.png out.png --kernel none.npy", "none.npy: no such kernel file"),
        ("in.png out.png --kernel text.png", "text.png: no usable kernel"),
        ("in.png out.png --scale -1", "scale: expected a positive number"),
        ("in.png out.png --scale=-1", "scale: expected a positive number"),
        ("in.png out.png --scale 0", "scale: expected a positive number"),
        ("in.png out.png --scale nan", "scale: expected a positive number"),
        ("in.png out.png --scale 0.5", "scale: expected at least 1"),
        ("in.png out.png --scale 1e9", "GB, expected at most"),
        ("in.png out.png --size 300", "--size: expected height x width"),
        ("in.png out.png --size 300x-4", "--size: expected height x width"),
        ("in.png out.png --size 0x0", "size: expected (height, width)"),
        ("in.png out.png --device abacus", "--device: expected cpu"),
        ("in.png out.png --device meta", "--device: expected cpu"),
        ("in.png out.png --noise -1", "--noise: expected a standard deviation"),
        ("in.png out.png --noise nan", "--noise: expected a standard deviation"),
        ("in.png out.png --jpeg-quality 0", "--jpeg-quality: expected 1 to 95"),
        ("in.png out.png --seed -1", "--seed: expected 0"),
    ],
)
def test_bad_input_is_told_off_in_a_line(
    arguments: str, said: str, pantry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in pantry.iterdir()}
    assert super_resolve(*arguments.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("dil-teach: ") and printed.err.count("\n") == 1
    assert said in printed.err
    # no progress bar either: all of it was found out before any training
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
def test_what_goes_wrong_later_is_one_line_too(
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


def test_a_mistake_of_ours_is_not_dressed_up(
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


# ---- as a program


def test_help_lists_the_commands() -> None:
    done = subprocess.run([*PROGRAM, "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "super-resolve" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal there")
def test_interrupted_it_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    colour().save(tmp_path / "in.png")
    program = subprocess.Popen(
        [*PROGRAM, "super-resolve", "in.png", "out.png", "--budget", "full"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert program.stderr is not None
    seen = b""
    while b"loss" not in seen:  # the bar shows that it learns
        seen += (more := os.read(program.stderr.fileno(), 4096))
        assert more, seen
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=60)
    assert program.returncode == 130 and out == b""
    assert err.decode().splitlines()[-1] == "dil-teach: interrupted"
    assert os.listdir(tmp_path) == ["in.png"]
