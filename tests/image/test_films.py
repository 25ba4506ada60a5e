"""Films: written files read back, and bad input is refused in one sentence."""

import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from torch import Tensor

import dil_teach.image.films as films_module
from dil_teach.image.convention import to_uint8
from dil_teach.image.files import load_image, save_image
from dil_teach.image.films import (
    frame_files,
    is_film,
    load_film,
    read_film,
    save_film,
    save_frames,
)
from dil_teach.image.photos import photo
from dil_teach.image.scenes import scene


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pan(height: int = 40, width: int = 56, frames: int = 5) -> Tensor:
    """A video of a camera that moves over the astronaut, in whole grey levels."""
    wide = photo("astronaut", size=72).mul(255).round() / 255
    return torch.stack(
        [wide[:, t : t + height, 2 * t : 2 * t + width] for t in range(frames)]
    )


def film_rate(path: str) -> float:
    return float(read_film(path)[1].rate)


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * (a - b).square().mean().log10())


# ---- written and read back


def test_mkv_and_folders_are_lossless() -> None:
    video = scene("video_figure").images["frames"]
    save_film(video, "film.mkv", 12.5)
    save_frames(video, "frames")
    assert torch.equal(load_film("film.mkv"), video)
    assert torch.equal(load_film("frames"), video)
    assert (film_rate("film.mkv"), film_rate("frames")) == (12.5, 24)
    assert sorted(os.listdir()) == ["film.mkv", "frames"]
    assert sorted(os.listdir("frames"))[-1] == "0008.png"


@pytest.mark.parametrize(
    ("name", "size"),
    [("film.mp4", (40, 56)), ("FILM.MP4", (37, 51)), ("film.webm", (37, 51))],
)
def test_mp4_and_webm_are_close_and_keep_the_size(
    name: str, size: tuple[int, int]
) -> None:
    video = pan(*size)
    save_film(video, name, 30)
    again = load_film(name)
    assert again.shape == video.shape and again.dtype == torch.float32
    # the colour is stored at half the resolution
    grey = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    assert psnr((again * grey).sum(1), (video * grey).sum(1)) > 35
    assert film_rate(name) == pytest.approx(30)


def test_a_grey_film_is_read_as_colour() -> None:
    video = pan().mean(1, keepdim=True).mul(255).round() / 255
    save_film(video, "grey.mkv")
    assert torch.equal(load_film("grey.mkv"), video.expand(-1, 3, -1, -1))
    save_frames(video, "grey")
    assert torch.equal(load_film("grey"), video)


def test_an_animated_gif_is_a_film() -> None:
    frames = [Picture.fromarray(to_uint8(frame)) for frame in pan()]
    frames[0].save("film.gif", save_all=True, append_images=frames[1:], duration=100)
    again = load_film("film.gif")
    assert again.shape == pan().shape and psnr(again, pan()) > 20
    assert film_rate("film.gif") == pytest.approx(10)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_film_is_rotated_as_its_metadata_says(turns: int) -> None:
    save_film(pan(), "film.mp4")
    content = Path("film.mp4").read_bytes()
    # the track's matrix: quarter turns to the right, as a phone writes them
    matrix = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    at = content.index(matrix, content.index(b"tkhd"))
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[turns]
    noted = (cosine << 16, sine << 16, 0, -sine << 16, cosine << 16, 0, 0, 0, 1 << 30)
    noted_bytes = struct.pack(">9i", *noted)
    Path("film.mp4").write_bytes(content[:at] + noted_bytes + content[at + 36 :])
    upright = torch.rot90(pan(), -turns, (2, 3))
    again = load_film("film.mp4")
    assert again.shape == upright.shape and psnr(again, upright) > 30


def test_frames_are_in_natural_order_and_other_files_are_ignored() -> None:
    Path("film").mkdir()
    for number in (10, 9, 1, 100):
        save_image(torch.full((1, 4, 6), number / 255), f"film/Shot {number}.png")
    save_image(torch.full((1, 4, 6), 2 / 255), "film/shot 02.jpg")
    for other in ("Thumbs.db", ".hidden.png", "notes.txt", "paper.pdf", "film.mp4"):
        Path("film", other).write_bytes(b"\0")
    Path("film/folder.png").mkdir()
    numbers = (1, 2, 9, 10, 100)
    assert [int(file.stem.split()[1]) for file in frame_files("film")] == list(numbers)
    values = load_film("film")[:, 0, 0, 0] * 255
    assert values.round().tolist() == list(numbers)


def test_frames_get_the_given_names(folder: Path) -> None:
    Path("out").mkdir()  # an empty folder is accepted
    save_frames(pan()[:2], "out", ["night", "day"])
    assert sorted(os.listdir("out")) == ["day.png", "night.png"]
    assert torch.equal(load_image("out/night.png"), pan()[0])
    with pytest.raises(ValueError, match=r"^names: expected 2 different names"):
        save_frames(pan()[:2], "more", ["night", "night"])


def test_is_film_by_suffix() -> None:
    assert all(map(is_film, ("a.mp4", "a.GIF", "a.webm", ".")))
    assert not any(map(is_film, ("a.png", "a.jpg", "a")))


# ---- bad input


def test_files_that_are_not_films_are_refused_in_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(name: str, said: str, error: type[Exception] = ValueError) -> None:
        with pytest.raises(error) as caught:
            load_film(name)
        assert said in str(caught.value) and "\n" not in str(caught.value)

    refused("none.mp4", "none.mp4: no such video", FileNotFoundError)
    Path("text.mp4").write_text("not a film")
    Path("empty.mp4").touch()
    save_film(pan(), "film.mp4")
    whole = Path("film.mp4").read_bytes()
    Path("cut.mp4").write_bytes(whole[: len(whole) // 2])
    for name in ("text.mp4", "empty.mp4", "cut.mp4"):
        refused(name, f"{name}: expected a video")
        with pytest.raises(ValueError, match=f"{name}: expected a video"):
            film_rate(name)
    Path("bare").mkdir()
    Path("bare/notes.txt").touch()
    refused("bare", "bare: expected a folder of pictures, got no picture (.png) in it")
    save_frames(pan(), "frames")
    save_image(pan(40, 50)[0], "frames/0003.png")
    refused(
        "frames",
        "frames/0003.png: expected 3 x 40 x 56 (channels x height x width) as in the",
    )
    save_image(pan()[0].mean(0, keepdim=True), "frames/0003.png")
    refused("frames", "as in the first frame, got 1 x 40 x 56")
    Path("frames/0003.png").write_text("not a picture")
    refused("frames", "frames/0003.png: expected a picture")
    shutil.copy("frames/0001.png", "frames/0003.png")
    monkeypatch.setattr(films_module, "MAX_MEGAPIXELS", 4 * 40 * 56 / 1e6)
    for name in ("frames", "film.mp4"):
        refused(name, f"{name}: expected at most 0.00896 megapixels in all frames")
        refused(name, "(4 of 40 x 56), got more")


def test_a_gif_of_few_colours_is_lossless(folder: Path) -> None:
    film = torch.zeros(4, 3, 21, 34)
    for number, frame in enumerate(film):
        frame[number % 3, 3 : 9 + number, 5:20] = 1
    save_film(film, "film.gif", rate=10)
    assert film_rate("film.gif") == pytest.approx(10)
    assert torch.equal(load_film("film.gif"), film)


def test_films_that_cannot_be_written_leave_nothing(
    folder: Path,
) -> None:
    def refused(said: str, name: str, video: Tensor, rate: float = 24) -> None:
        with pytest.raises((ValueError, OSError), match=said):
            save_film(video, name, rate)

    refused(
        "expected one of .mp4, .mov, .webm, .mkv, .gif, got '.avi'", "film.avi", pan()
    )
    refused("expected one of .mp4, .mov, .webm, .mkv, .gif, got ''", "film", pan())
    refused("rate: expected above 0", "film.mp4", pan(), rate=0)
    refused("rate: expected above 0", "film.mp4", pan(), rate=float("nan"))
    refused("video: expected a tensor of shape", "film.mp4", pan()[:0])
    refused("video: expected finite values", "film.mp4", pan() * float("nan"))
    refused(
        "film.mp4: .mp4 cannot hold transparency; take one of .mov, .webm, .mkv, .gif",
        "film.mp4",
        pan()[:, :2],
    )
    refused("none: no such folder", "none/film.mp4", pan())
    Path("folder.mp4").mkdir()
    refused("folder.mp4: expected a file to write", "folder.mp4", pan())
    assert os.listdir() == ["folder.mp4"]
    save_frames(pan(), "folder.mp4")
    with pytest.raises(ValueError, match="expected a new or an empty folder"):
        save_frames(pan(), "folder.mp4")
    with pytest.raises(OSError, match="none: no such folder"):
        save_frames(pan(), "none/frames")
    assert os.listdir() == ["folder.mp4"] and len(os.listdir("folder.mp4")) == 5


def test_a_failed_write_keeps_the_old_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_film(pan(), "film.mp4")
    before = Path("film.mp4").read_bytes()

    def full(image: Tensor) -> np.ndarray:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(films_module, "to_uint8", full)
    with pytest.raises(OSError, match=r"film.mp4: cannot be written \(No space left"):
        save_film(pan(40, 50), "film.mp4")
    monkeypatch.setattr(films_module, "save_image", lambda *given: full(given[0]))
    with pytest.raises(OSError, match="frames: cannot be written"):
        save_frames(pan(), "frames")
    assert Path("film.mp4").read_bytes() == before and os.listdir() == ["film.mp4"]
