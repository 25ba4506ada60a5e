"""Commands on films, and on folders of pictures."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from dil_teach.classical.seams.film_carving import carve_film
from dil_teach.classical.seams.seam_carving import carve
from dil_teach.cli import main
from dil_teach.image.convention import to_uint8
from dil_teach.image.files import load_image, save_image
from dil_teach.image.films import load_film, read_film, save_film, save_frames
from dil_teach.image.metrics import psnr
from dil_teach.image.photos import photo
from dil_teach.image.resize import resize

HEIGHT, WIDTH = 32, 40


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def film(count: int = 3) -> torch.Tensor:
    """A camera that moves over the astronaut."""
    wide = photo("astronaut", size=64).mul(255).round() / 255
    return torch.stack([wide[:, t : t + HEIGHT, t : t + WIDTH] for t in range(count)])


# ---- films


@pytest.mark.parametrize(
    ("command", "size"),
    [
        ("super-resolve in.mp4 OUT --method freedman-fattal", (64, 80)),
        ("denoise in.mp4 OUT --method nlm --noise 5", (32, 40)),
        ("retarget in.mp4 OUT --method seam --scale-x .8", (32, 32)),
        ("retarget in.mp4 OUT --method gpnn --scale-x .8", (32, 32)),
    ],
)
def test_commands_take_films_and_keep_what_they_say(
    command: str, size: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    with av.open("in.mp4", "w") as file:
        stream: Any = file.add_stream("h264", 25, options={"bf": "0"})
        stream.height, stream.width = HEIGHT, WIDTH
        stream.codec_context.sample_aspect_ratio = Fraction(16, 11)
        stream.codec_context.time_base = Fraction(1, 1000)
        tone: Any = file.add_stream("aac", 48000)
        tone.layout = "mono"
        for time, frame in zip((0, 50, 1050), film(), strict=True):
            coded = av.VideoFrame.from_ndarray(to_uint8(frame), "rgb24")
            coded.pts, coded.time_base = time, Fraction(1, 1000)
            file.mux(stream.encode(coded))
        file.mux(stream.encode())
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 9600), "f4"), "fltp", "mono")
        heard.sample_rate = 48000
        file.mux(tone.encode(heard))
        file.mux(tone.encode())
    before = read_film("in.mp4")[1]
    assert main(command.replace("OUT", "out.mp4").split()) == 0
    assert "left out" not in capsys.readouterr().err
    video, record = read_film("out.mp4")
    assert video.shape == (3, 3, *size)
    assert record.durations[:2] == (Fraction(1, 20), 1) == before.durations[:2]
    assert (record.pixel_aspect, record.sound) == (Fraction(16, 11), ("aac",))
    assert main(command.replace("OUT", "out.webm").split()) == 0
    (line,) = capsys.readouterr().err.splitlines()
    said = "left out: sound (aac), pixel aspect ratio 16:11 (.mp4 and .mov hold it)"
    assert line == f"dil-teach: {said}"


def test_all_frames_of_a_film_lose_the_same_seams() -> None:
    video = film(4)
    one = carve_film(video[:1].expand(4, -1, -1, -1), (28, 30))
    assert one.shape == (4, 3, 28, 30) and torch.equal(one[0], one[3])
    # a column is cut in all frames or in none: coordinates stay aligned
    places = torch.arange(HEIGHT * WIDTH).view(1, HEIGHT, WIDTH) / (HEIGHT * WIDTH)
    narrow = carve_film(torch.stack([places, places.flip(1), places]), (HEIGHT, 30))
    assert torch.equal(narrow[0], narrow[2])
    wide = carve_film(video, (HEIGHT, 70))
    assert wide.shape == (4, 3, HEIGHT, 70)
    kept = torch.zeros(HEIGHT, WIDTH)
    kept[:, 10:30] = 1
    safe = carve_film(video, (HEIGHT, 24), protect=kept)
    starts = [(safe[..., x : x + 20] == video[..., 10:30]).all() for x in range(5)]
    assert any(starts)
    cut = carve_film(video, (HEIGHT, 20), remove=kept)
    assert torch.equal(cut, torch.cat([video[..., :10], video[..., 30:]], -1))


def test_a_carved_film_flickers_less_than_carved_frames() -> None:
    torch.manual_seed(0)
    still = photo("astronaut", size=64)[:, :48].expand(4, -1, -1, -1)
    video = (still + 0.05 * torch.randn(4, *still.shape[1:])).clamp(0, 1)
    size = (48, 48)

    def flicker(film: torch.Tensor) -> float:
        return float((film[1:] - film[:-1]).abs().mean())

    alone = torch.stack([carve(frame, size) for frame in video])
    assert flicker(carve_film(video, size)) < 1.1 * flicker(video)
    assert flicker(alone) > 1.3 * flicker(video)


def test_a_film_is_denoised_with_one_noise_level() -> None:
    torch.manual_seed(0)
    noisy = (film(2) + 20 / 255 * torch.randn(2, 3, HEIGHT, WIDTH)).clamp(0, 1)
    save_frames(noisy, "in")
    assert main("denoise in out.mkv --method nlm --as-video".split()) == 0
    clean = load_film("out.mkv")
    for frame, before, truth in zip(clean, noisy, film(2), strict=True):
        assert psnr(frame, truth) > psnr(before, truth) + 2


@pytest.mark.parametrize("method", ["ingan", "expand", "bidirectional"])
def test_methods_for_photographs_refuse_films(
    method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    save_film(film(), "in.gif")
    assert main(["retarget", "in.gif", "out.gif", "--method", method]) == 2
    assert f"--method {method}, got a video" in capsys.readouterr().err
    assert os.listdir() == ["in.gif"]


# ---- folders


def test_a_folder_contains_separate_pictures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("in").mkdir()
    first, second = film(2)
    save_image(first, "in/a.png")
    Path("in/b.png").write_text("not a picture")
    save_image(resize(second, 0.5).clamp(0, 1), "in/c.jpg")
    save_image(torch.cat([second, second[:1]]), "in/d.webp")
    Path("in/notes.txt").touch()
    assert main("super-resolve in out --method freedman-fattal".split()) == 2
    said = capsys.readouterr()
    assert said.out.splitlines()[0].startswith("out/a.png: 64 x 80 pixels written")
    assert len(said.out.splitlines()) == 3
    why, last = said.err.splitlines()
    assert why.startswith("dil-teach: failed: in/b.png: expected a picture")
    assert last.startswith("dil-teach: in: 1 of 4 pictures failed: b.png; the others")
    assert sorted(os.listdir("out")) == ["a.png", "c.jpg", "d.webp"]
    assert load_image("out/c.jpg").shape == (3, HEIGHT, WIDTH)
    assert main("super-resolve in/a.png one.png --method freedman-fattal".split()) == 0
    assert Path("one.png").read_bytes() == Path("out/a.png").read_bytes()
    Path("in/b.png").unlink()
    assert main("super-resolve in out --method freedman-fattal".split()) == 0
    assert "in: 3 pictures done" in capsys.readouterr().out


def test_other_paths_are_folders_or_one_file_for_all() -> None:
    save_frames(film(2), "in", ["a", "b"])
    mask = torch.zeros(2, 1, HEIGHT, WIDTH)
    mask[0, :, 4:9, 4:9] = 1
    mask[1, :, 20:25, 20:25] = 1
    save_frames(mask, "masks", ["a", "b"])
    assert main("inpaint in masks out --method wexler".split()) == 0
    save_image(mask[0], "mask.png")
    assert main("inpaint in mask.png out2 --method wexler".split()) == 0
    for name, number in (("a", 0), ("b", 1)):
        changed = (load_image(f"out/{name}.png") != film(2)[number]).any(0)
        assert changed.any() and not changed[mask[number, 0] == 0].any()
        changed = (load_image(f"out2/{name}.png") != film(2)[number]).any(0)
        assert changed.any() and not changed[mask[0, 0] == 0].any()
    command = "dehaze in out3 --method dark-channel --transmission-out t"
    assert main([*command.split(), "--airlight-out", "j"]) == 0
    assert sorted(os.listdir("t")) == ["a.png", "b.png"]
    assert sorted(os.listdir("j")) == ["a.json", "b.json"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("compress in out.frac", "out.frac: expected a folder for the results"),
        ("denoise in in", "in: expected another folder for the results"),
        ("denoise in none/out", "none: no such folder"),
        ("denoise empty out", "empty: expected a folder of pictures"),
        (
            "dehaze in out --transmission-out out",
            "out: expected another folder for the results",
        ),
        ("inpaint in empty out", "2 of 2 pictures failed: a.png, b.png"),
        ("denoise in out --as-video --method nlm --noise 999", "--noise: expected"),
    ],
)
def test_bad_folders_leave_nothing(
    arguments: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    save_frames(film(2), "in", ["a", "b"])
    Path("empty").mkdir()
    assert main(arguments.split()) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert sorted(os.listdir()) == ["empty", "in"]


def test_two_pictures_of_one_name_get_two_results() -> None:
    Path("in").mkdir()
    save_image(film(1)[0], "in/a.png")
    save_image(film(1)[0], "in/a.jpg")
    assert main(["compress", "in", "out"]) == 0
    assert sorted(os.listdir("out")) == ["a.jpg.frac", "a.png.frac"]
