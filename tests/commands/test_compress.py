"""dil-teach compress and decompress: results, and messages for bad input."""

import re
from pathlib import Path

import pytest
from PIL import Image as Picture

from dil_teach.classical.fractal import quadtree
from dil_teach.cli import main
from dil_teach.commands import compress as command
from dil_teach.image.files import load_image, save_image
from dil_teach.image.metrics import psnr
from dil_teach.image.photos import photo

HEIGHT, WIDTH = 36, 48


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a colour, a grey and a transparent photograph."""
    monkeypatch.chdir(tmp_path)
    image = photo("astronaut", WIDTH)[:, :HEIGHT]
    save_image(image, "in.png")
    save_image(image[1:2], "grey.png")
    with Picture.open("in.png") as picture:
        picture.putalpha(Picture.linear_gradient("L").resize(picture.size))
        picture.save("glass.png")
    Path("text.frac").write_text("no picture\n")
    Path("folder.frac").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", ["in.png", "grey.png"])
def test_a_photograph_comes_back(name: str, folder: Path, capsys) -> None:
    assert main(["compress", name, "a.frac", "--quality", "70"]) == 0
    said = capsys.readouterr().out
    found = re.match(
        rf"a.frac: {HEIGHT} x {WIDTH} pixels in (\d+) bytes, "
        r"(\d\.\d\d) bits per pixel, PSNR (\d+\.\d) dB, written in ",
        said,
    )
    assert found, said
    assert Path("a.frac").stat().st_size == int(found[1])
    assert main(["decompress", "a.frac", "b.png"]) == 0
    assert f"b.png: {HEIGHT} x {WIDTH} pixels written" in capsys.readouterr().out
    image, result = load_image(name), load_image("b.png")
    assert psnr(result, image) == pytest.approx(float(found[3]), abs=0.1)
    assert main(["decompress", "a.frac", "c.jpg", "--scale", "2"]) == 0
    assert load_image("c.jpg").shape == (len(image), 2 * HEIGHT, 2 * WIDTH)


def test_quality_changes_the_size(folder: Path) -> None:
    for quality in ("0", "90"):
        assert (
            main(["compress", "grey.png", f"{quality}.frac", "--quality", quality]) == 0
        )
    assert Path("0.frac").stat().st_size < Path("90.frac").stat().st_size / 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("compress none.png a.frac", "none.png: no such file"),
        ("compress in.png a.png", "a.png: expected .frac"),
        ("compress in.png none/a.frac", "none: no such folder"),
        ("compress in.png folder.frac", "folder.frac: expected a file to write"),
        (
            "compress in.png a.frac --quality 101",
            "--quality: expected 0 to 100, got 101",
        ),
        ("compress glass.png a.frac", "glass.png is transparent in places"),
        ("compress text.frac a.frac", "text.frac: expected a picture"),
        ("decompress none.frac b.png", "none.frac: no such file"),
        (
            "decompress folder.frac b.png",
            "folder.frac: expected a .frac file, got a fo",
        ),
        ("decompress text.frac b.png", "text.frac: expected a .frac file, got another"),
        ("decompress in.png b.png", "in.png: expected a .frac file, got another kind"),
        ("decompress good.frac b.gif", "b.gif: expected one of .png"),
        ("decompress good.frac none/b.png", "none: no such folder"),
        ("decompress good.frac b.png --scale 0", "--scale: expected at least 1, got 0"),
        (
            "decompress good.frac b.png --scale 99",
            "--scale: expected a result of at mo",
        ),
        ("decompress short.frac b.png", "short.frac: expected a complete .frac file"),
    ],
)
def test_bad_input(
    arguments: str, said: str, folder: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["compress", "grey.png", "good.frac", "--quality", "0"]) == 0
    Path("short.frac").write_bytes(Path("good.frac").read_bytes()[:-3])
    capsys.readouterr()
    before = sorted(folder.iterdir())
    assert main(arguments.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("dil-teach: ") and said in line
    assert sorted(folder.iterdir()) == before


def test_a_large_picture_is_refused_before_the_search(
    folder: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "MOST_PIXELS", 1000)
    monkeypatch.setattr(quadtree, "best_domains", lambda *_: pytest.fail("it searched"))
    assert main(["compress", "in.png", "a.frac"]) == 2
    assert (
        "in.png: expected at most 1000 pixels, got 36 x 48" in capsys.readouterr().err
    )
