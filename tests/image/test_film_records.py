"""What a film says beyond its pixels is kept or named; damaged films are refused."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image as Picture
from torch import Tensor

import dil_teach.image.films as films_module
from dil_teach.image.convention import from_uint8, to_uint8
from dil_teach.image.film_record import FOREVER, FilmRecord, steady
from dil_teach.image.films import left_out, load_film, read_film, save_film
from dil_teach.image.photos import photo

MS = Fraction(1, 1000)
TIMES = tuple(MS * ms for ms in (50, 50, 1000, 50))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pan(frames: int = 4, height: int = 32, width: int = 48) -> Tensor:
    """A camera that moves over the astronaut."""
    wide = photo("astronaut", size=72).mul(255).round() / 255
    return torch.stack([wide[:, t : t + height, t : t + width] for t in range(frames)])


def other_tool(
    name: str,
    frames: int = 4,
    codec: str = "h264",
    pixels: str = "yuv420p",
    sound: str = "",
    options: dict[str, str] | None = None,
    prepare: Callable[[Any], object] = lambda context: None,
    late: int = 0,
    chapters: Sequence[tuple[int, int, str]] = (),
) -> None:
    """Write a film with PyAV directly, at 25 frames a second.

    Its first frame has the time ``late``, in frames; its sound starts a frame earlier.
    A chapter has a start and an end, in ms, and a title.
    """
    with av.open(name, "w", options=options or {}) as file:
        keys = ("id", "start", "end", "time_base", "metadata")
        named: Any = [
            dict(zip(keys, (number, *span, MS, {"title": title}), strict=True))
            for number, (*span, title) in enumerate(chapters)
        ]
        file.set_chapters(named)
        stream: Any = file.add_stream(codec, 25)
        video = pan(frames)
        stream.height, stream.width, stream.pix_fmt = *video.shape[2:], pixels
        prepare(stream.codec_context)
        tone: Any = file.add_stream(sound, 48000) if sound else None
        if tone:
            tone.layout = "mono"
        for number, frame in enumerate(map(to_uint8, video)):
            coded = av.VideoFrame.from_ndarray(frame, "rgb24")
            coded.pts, coded.time_base = number + late, Fraction(1, 25)
            file.mux(stream.encode(coded))
        file.mux(stream.encode())
        if tone:
            wave = np.sin(np.arange(frames * 1920) / 9, dtype=np.float32)[None]
            kind = {"aac": "fltp", "libopus": "flt", "pcm_s16le": "flt"}[sound]
            heard = av.AudioFrame.from_ndarray(wave, kind, "mono")
            heard.sample_rate, heard.pts = 48000, max(late - 1, 0) * 1920
            file.mux(tone.encode(heard))
            file.mux(tone.encode())


def packets(name: str) -> list[bytes]:
    with av.open(name) as file:
        return [bytes(packet) for packet in file.demux(audio=0) if packet.size]


def sound_delay(name: str) -> float:
    """When the sound of a film begins, in seconds after its pictures."""
    first: dict[str, Fraction] = {}
    with av.open(name) as file:
        for packet in file.demux():
            if packet.pts is not None and packet.time_base is not None:
                first.setdefault(packet.stream.type, packet.pts * packet.time_base)
    return float(first["audio"] - first["video"])


# ---- times and loops


@pytest.mark.parametrize("name", ["a.gif", "a.mp4", "a.mov", "a.webm", "a.mkv"])
def test_frame_times_are_kept(name: str) -> None:
    pictures = [Picture.fromarray(to_uint8(frame)) for frame in pan()]
    durations = [50, 50, 1000, 50]
    pictures[0].save(
        "in.gif", save_all=True, append_images=pictures[1:], duration=durations, loop=2
    )
    video, record = read_film("in.gif")
    assert record.durations == TIMES and record.plays == 3
    save_film(video, name, record=record)
    assert read_film(name)[1].durations == TIMES
    if name == "a.gif":
        with Picture.open(name) as again:
            assert again.info["loop"] == 2
            assert [again.seek(n) or again.info["duration"] for n in range(4)] == (
                durations
            )
        assert left_out(record, name) == []
    else:
        assert left_out(record, name) == ["the number of repetitions"]


@pytest.mark.parametrize(("plays", "loop"), [(1, None), (2, 1), (FOREVER, 0)])
def test_a_gif_plays_as_often_as_before(plays: int, loop: int | None) -> None:
    record = replace(steady(10, 4), plays=plays)
    save_film(pan(), "a.gif", record=record)
    assert read_film("a.gif")[1] == record
    with Picture.open("a.gif") as picture:
        assert picture.info.get("loop") == loop


@pytest.mark.parametrize("name", ["a.gif", "a.mp4", "a.mov", "a.webm", "a.mkv"])
@pytest.mark.parametrize("rate", [0.5, 3, 7.5, 24000 / 1001])
def test_rates_are_kept(name: str, rate: float) -> None:
    save_film(pan(), name, rate)
    durations = read_film(name)[1].durations
    mean = float(sum(durations)) / 4
    # a GIF counts in hundredths of a second, and Matroska in thousandths
    assert mean == pytest.approx(1 / rate, abs={".gif": 0.0026}.get(name[1:], 3e-4))
    if name != "a.gif":
        assert len(set(durations)) == 1


def test_a_gif_keeps_frames_that_do_not_change_and_is_never_too_fast() -> None:
    video = pan(1).expand(5, -1, -1, -1)
    record = steady(100, 5)
    save_film(video, "a.gif", record=record)
    again, kept = read_film("a.gif")
    assert len(again) == 5 and kept.durations == (20 * MS,) * 5
    assert left_out(record, "a.gif") == ["frame times below 20 ms"]
    with pytest.raises(ValueError, match="expected the times of 4 frames, got 5"):
        save_film(video[1:], "b.gif", record=record)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "h264", "yuv420p"),
        ("a.mov", "h264", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.mpg", "mpeg1video", "yuv420p"),
        ("a.wmv", "wmv2", "yuv420p"),
        ("a.webm", "vp9", "yuv420p"),
        ("a.mkv", "ffv1", "yuv420p"),
    ],
)
def test_one_frame_is_a_film(name: str, codec: str, pixels: str) -> None:
    other_tool(name, 1, codec, pixels)
    video, record = read_film(name)
    assert len(video) == 1 and 0 < record.rate <= 50
    Picture.fromarray(to_uint8(pan()[0])).save("one.gif")  # it says no time
    video, record = read_film("one.gif")
    assert len(video) == 1 and record.durations == (100 * MS,)
    save_film(video, "again.mp4", record=record)
    assert read_film("again.mp4")[1].durations == record.durations


# ---- pixel aspect ratio, sound


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_the_pixel_aspect_ratio_is_kept(name: str) -> None:
    def wide(context: Any) -> None:
        context.sample_aspect_ratio = Fraction(16, 11)

    other_tool("in.mp4", prepare=wide)
    video, record = read_film("in.mp4")
    assert record.pixel_aspect == Fraction(16, 11)
    save_film(video, name, record=record)
    with av.open(name) as file:
        assert file.streams.video[0].sample_aspect_ratio == Fraction(16, 11)
    assert left_out(record, name) == []
    said = "pixel aspect ratio 16:11 (.mp4 and .mov hold it)"
    assert left_out(record, "a.webm") == [said]


def test_the_pixel_aspect_ratio_turns_with_the_picture() -> None:
    with av.open("in.mp4", "w") as file:
        stream: Any = file.add_stream("h264", 25)
        stream.height, stream.width = 32, 48
        stream.codec_context.sample_aspect_ratio = Fraction(16, 11)
        stream.set_display_rotation(90)
        for frame in map(to_uint8, pan()):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        file.mux(stream.encode())
    video, record = read_film("in.mp4")
    assert video.shape[2:] == (48, 32) and record.pixel_aspect == Fraction(11, 16)


@pytest.mark.parametrize(
    ("source", "sound", "out"),
    [
        ("in.mp4", "aac", "a.mp4"),
        ("in.mp4", "aac", "a.mov"),
        ("in.mp4", "aac", "a.mkv"),
        ("in.mkv", "libopus", "a.webm"),
    ],
)
def test_sound_is_copied_as_it_is(source: str, sound: str, out: str) -> None:
    other_tool(source, 25, sound=sound)
    video, record = read_film(source)
    assert len(record.sound) == 1 and left_out(record, out) == []
    save_film(video, out, record=record)
    assert packets(out) == packets(source) != []
    assert read_film(out)[1].sound == record.sound
    assert sound_delay(out) == pytest.approx(sound_delay(source), abs=2e-3)


def test_sound_that_does_not_fit_is_named_and_left_out() -> None:
    other_tool("in.mp4", sound="aac")
    video, record = read_film("in.mp4")
    for name in ("a.webm", "a.gif", "frames"):
        assert "sound (aac)" in left_out(record, name)
    for name in ("a.webm", "a.gif"):
        save_film(video, name, record=record)
        assert read_film(name)[1].sound == ()


def test_sound_stays_in_step_with_a_film_that_starts_late() -> None:
    other_tool("late.mkv", sound="pcm_s16le", late=75)
    video, record = read_film("late.mkv")
    assert record.start == 3
    save_film(video, "a.mkv", record=record)
    assert sound_delay("a.mkv") == pytest.approx(-0.04)


# ---- colours


COLOURS = np.array(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [200, 60, 20], [9, 99, 199]],
    np.uint8,
).repeat(16, 0)[None].repeat(32, 0)  # fmt: skip
WEIGHTS = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
"""Share of red and of blue in the luminance: BT.709, BT.601, BT.2020."""


def planes_to_rgb(planes: np.ndarray, matrix: int, full: bool) -> np.ndarray:
    """The formula of ITU-T H.273 for 8-bit planes (3, h, w)."""
    y, u, v = planes.astype(float)
    if not full:
        y, u, v = (y - 16) * 255 / 219, (u - 128) / 224 * 255, (v - 128) / 224 * 255
    else:
        u, v = u - 128, v - 128
    red, blue = WEIGHTS[matrix]
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    return np.stack([r, (y - red * r - blue * b) / (1 - red - blue), b], 2)


@pytest.mark.parametrize(
    ("matrix", "full"), [(1, False), (1, True), (6, False), (6, True), (9, False)]
)
def test_colours_are_read_as_the_file_says(matrix: int, full: bool) -> None:
    with av.open("in.mp4", "w") as file:
        stream: Any = file.add_stream("h264", 25, options={"crf": "0"})
        stream.height, stream.width, stream.pix_fmt = *COLOURS.shape[:2], "yuv444p"
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 2 if full else 1
        red, blue = WEIGHTS[matrix]
        rgb = COLOURS.astype(float)
        y = rgb @ [red, 1 - red - blue, blue]
        u, v = (rgb[..., 2] - y) / (2 - 2 * blue), (rgb[..., 0] - y) / (2 - 2 * red)
        scale, offset = (1, 0) if full else (219 / 255, 16)
        small = 1 if full else 224 / 255
        planes = np.stack([y * scale + offset, u * small + 128, v * small + 128])
        planes = planes.clip(0, 255).round().astype(np.uint8)
        file.mux(stream.encode(av.VideoFrame.from_ndarray(planes, "yuv444p")))
        file.mux(stream.encode())
    video, record = read_film("in.mp4")
    assert record.matrix == matrix
    assert (video[0] - from_uint8(COLOURS)).abs().max() <= 3 / 255


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.mov"])
@pytest.mark.parametrize(
    ("size", "source", "matrix"), [(1, 2, 6), (1, 1, 1), (1, 9, 9), (20, 2, 1)]
)
def test_colours_are_written_as_the_file_says(
    name: str, size: int, source: int, matrix: int
) -> None:
    shown = COLOURS[:31, :95].repeat(size, 0).repeat(size, 1)  # odd: no half colours
    shown = shown if size == 1 else shown[:32, :1280]
    record = replace(steady(25, 1), matrix=source, primaries=9 if source == 9 else 2)
    save_film(from_uint8(shown)[None], name, record=record)
    with av.open(name) as file:
        context: Any = file.streams.video[0].codec_context
        frame = next(file.decode(video=0))
        tags = context.colorspace, context.color_range, context.color_primaries
        assert tags == (matrix, 1, 9 if source == 9 else 1)
        planes = frame.reformat(format="yuv444p").to_ndarray()
    error = np.abs(planes_to_rgb(planes, matrix, full=False).clip(0, 255) - shown)
    # away from the edges, where webm's halved colours mix
    assert np.median(error.reshape(-1, 3), 0).max() <= 3
    wrong = planes_to_rgb(planes, 1 if matrix == 6 else 6, full=False).clip(0, 255)
    assert np.abs(wrong - shown).max() > 12


# ---- transparency


@pytest.mark.parametrize(
    ("name", "most", "psnr"),
    [("a.mov", 1, 45), ("a.mkv", 0, 99), ("a.webm", 6, 28), ("a.gif", 0, 28)],
)
def test_alpha_is_kept(name: str, most: int, psnr: float) -> None:
    video = pan(3)
    alpha = torch.ones(3, 1, *video.shape[2:])
    for number in (1, 2):  # the first frame is opaque
        alpha[number, :, 8:24, 8 * number : 8 * number + 16] = 0
    save_film(torch.cat([video, alpha], 1), name, 25)
    again = load_film(name)
    assert again.shape == (3, 4, *video.shape[2:])
    assert (again[:, 3:] - alpha).abs().max() <= (most + 0.1) / 255
    error = ((again[:, :3] - video).square() * alpha).mean()
    assert -10 * (error + 1e-10).log10() > psnr
    save_film(torch.cat([video, torch.ones_like(alpha)], 1), name, 25)
    assert load_film(name).shape[1] == 3


def test_partial_transparency_is_named_for_a_gif() -> None:
    alpha = torch.full((4, 1, 32, 48), 0.5)
    assert left_out(steady(10, 4), "a.gif", alpha) == ["partial transparency"]
    assert left_out(steady(10, 4), "a.gif", alpha.round()) == []
    assert left_out(steady(10, 4), "a.mov", alpha) == []


def test_other_things_are_named() -> None:
    record = FilmRecord(TIMES, primaries=9, tags=(("title", "Holiday"),))
    said = ["colours outside sRGB", "title, date and other tags"]
    assert left_out(record, "a.gif") == said
    assert left_out(record, "frames") == ["frame times", *said]
    save_film(pan(), "a.mp4", record=record)
    again = read_film("a.mp4")[1]
    assert ("title", "Holiday") in again.tags and again.primaries == 9
    other_tool("ten.mkv", codec="ffv1", pixels="yuv420p10le")
    assert read_film("ten.mkv")[1].others == ("more than 8 bits per channel",)


@pytest.mark.parametrize("name", ["in.mkv", "in.mp4"])
def test_chapters_are_named(name: str) -> None:
    other_tool(name, chapters=[(0, 60, "The sea"), (60, 160, "The hills")])
    assert "chapters" in left_out(read_film(name)[1], "a.mkv")
    other_tool(name)
    assert left_out(read_film(name)[1], "a.mkv") == []


# ---- damage and limits


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.gif", {}),
        ("a.mkv", {}),
        ("a.webm", {}),
        ("a.mp4", {}),
        ("fast.mp4", {"movflags": "faststart"}),
        ("a.avi", {}),
    ],
)
def test_a_film_that_ends_early_is_refused(name: str, options: dict[str, str]) -> None:
    if options or name == "a.avi":
        other_tool(name, 8, options=options)
    else:
        save_film(pan(8), name, 25)
    assert len(load_film(name)) == 8
    whole = Path(name).read_bytes()
    for share in (0.995, 0.97, 0.9, 0.7, 0.5, 0.2, 0.01):
        Path(name).write_bytes(whole[: int(share * len(whole))])
        try:
            count = len(load_film(name))
        except ValueError as error:
            assert str(error).startswith(f"{name}: expected a video")
        else:
            assert count == 8 and share > 0.9  # only an index was cut


def test_a_gif_that_ends_anywhere_is_refused() -> None:
    save_film(pan(2, 8, 8), "a.gif", 25)
    whole = Path("a.gif").read_bytes()
    for length in range(0, len(whole), 41):
        Path("cut.gif").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut.gif: expected a video"):
            load_film("cut.gif")


def test_a_damaged_frame_is_refused() -> None:
    other_tool("a.mp4", 8)
    content = bytearray(Path("a.mp4").read_bytes())
    with av.open("a.mp4") as file:
        places = [(p.pos, p.size) for p in file.demux(video=0) if p.size]
    start, size = places[4]
    content[start + size // 2 : start + size] = bytes(size - size // 2)
    Path("a.mp4").write_bytes(content)
    with pytest.raises(ValueError, match=r"a.mp4: expected a video"):
        load_film("a.mp4")


def test_a_pipe_does_not_block() -> None:
    os.mkfifo("pipe.mp4")
    said: list[str] = []

    def read() -> None:
        with pytest.raises(ValueError) as caught:
            load_film("pipe.mp4")
        said.append(str(caught.value))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(10)
    assert said and said[0].startswith("pipe.mp4: expected a file, got a pipe")


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_a_film_that_is_too_large_is_refused_before_it_is_decoded(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_film(pan(8), name, 25)
    monkeypatch.setattr(films_module, "MAX_MEGAPIXELS", 7.5 * 32 * 48 / 1e6)

    def decoded(*given: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("dil_teach.image.video_files._decoded", decoded)
    monkeypatch.setattr("PIL.GifImagePlugin.GifImageFile.seek", decoded)
    with pytest.raises(ValueError, match=r"expected at most .*7 of 32 x 48.*got more"):
        load_film(name)
