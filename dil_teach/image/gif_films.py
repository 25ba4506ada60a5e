"""Read and write GIF films with their times, their loops and their transparency."""

from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.stream import VideoStream
from jaxtyping import UInt8
from PIL import Image as Picture

from dil_teach.image.film_record import FOREVER, FilmRecord, Frame, Limit

TICK = Fraction(1, 100)
"""The unit of a GIF's times, in seconds."""
SHORTEST = 2
"""Smallest number of ticks of a frame that browsers accept; for a shorter time they
show the frame for ``SLOW`` ticks."""
SLOW = 10
FRAME, TIMING = "frame", "timing"
CLEAR = 2 << 2
"""The bits that tell a player to clear a frame before it shows the next one."""
CLEAR_INDEX = 255
"""The index of transparent pixels."""


def is_gif(path: Path) -> bool:
    """Whether a file begins as a GIF does."""
    with path.open("rb") as file:
        return file.read(4) == b"GIF8"


def read_gif(path: Path, limit: Limit) -> tuple[list[Frame], FilmRecord]:
    """All frames of a GIF as a player shows them (RGBA), and the film's record.

    ``limit`` is called with the number of frames and their size before they are
    decoded. A ValueError is raised if the file ends early.
    """
    ticks = _ticks(path.read_bytes())
    frames = []
    with Picture.open(path) as picture:
        limit(len(ticks), picture.height, picture.width)
        loop = picture.info.get("loop")
        for number in range(len(ticks)):
            picture.seek(number)
            frames.append(np.array(picture.convert("RGBA")))
    plays = 1 if loop is None else FOREVER if loop == 0 else loop + 1
    times = tuple(TICK * (t if t >= SHORTEST else SLOW) for t in ticks)
    return frames, FilmRecord(times, plays)


def _ticks(content: bytes) -> list[int]:
    """The time of each frame."""
    ticks, time = [], 0
    for kind, at in _blocks(content):
        if kind == TIMING:
            time = int.from_bytes(content[at + 4 : at + 6], "little")
        else:
            ticks.append(time)
            time = 0
    return ticks


def _blocks(content: bytes) -> Iterator[tuple[str, int]]:
    """Kind and place of all frames, and of the blocks before them with their times.

    A ValueError is raised unless the file goes on to its end mark.
    """
    try:
        at = 13 + _table(content[10])
        while content[at] != 0x3B:  # the end mark
            if content[at] == 0x21:  # an extension
                if content[at + 1] == 0xF9:
                    yield TIMING, at
                at += 2
            elif content[at] == 0x2C:
                yield FRAME, at
                at += 10 + _table(content[at + 9]) + 1
            else:
                raise ValueError(f"unknown block {content[at]}")
            while content[at]:  # blocks of data, each with its length
                at += 1 + content[at]
            at += 1
    except IndexError:
        raise ValueError("the file ends early") from None


def _table(flags: int) -> int:
    """The length in bytes of the colour table that these flags announce."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def encode_gif(frames: list[Frame], record: FilmRecord) -> bytes:
    """A file of RGB or RGBA frames with 256 colours each; alpha is all or nothing."""
    ends = [round(end / TICK) for end in accumulate(record.durations)]
    times = [0]
    for end in ends:
        times.append(max(end, times[-1] + SHORTEST))
    plays = FOREVER if record.plays is None else record.plays
    # FFmpeg's loop: -1 for no repetition, 0 for ever, otherwise the repetitions
    loop = {FOREVER: 0, 1: -1}.get(plays, plays - 1)
    options = {"loop": str(loop), "final_delay": str(times[-1] - times[-2])}
    made = BytesIO()
    with av.open(made, "w", format="gif", container_options=options) as file:
        # FFmpeg would compare indices of different palettes to skip equal pixels
        stream = file.add_stream("gif", 100, options={"gifflags": "0"})
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "pal8"
        stream.codec_context.time_base = TICK
        for frame, time in zip(frames, times[:-1], strict=True):
            pair: Any = _indexed(frame)  # PyAV's types do not know pairs
            indexed = av.VideoFrame.from_ndarray(pair, "pal8")
            indexed.pts, indexed.time_base = time, TICK
            file.mux(stream.encode(indexed))
        file.mux(stream.encode())
    content = bytearray(made.getvalue())
    if frames[0].shape[2] == 4:  # FFmpeg does so for transparent frames only
        for kind, at in _blocks(bytes(content)):
            if kind == TIMING:
                content[at + 3] = CLEAR | 1  # 1: the next index is transparent
                content[at + 6] = CLEAR_INDEX
    return bytes(content)


def _indexed(
    frame: Frame,
) -> tuple[UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "256 4"]]:
    """A frame as indices into its palette of 256 colours (alpha, red, green, blue)."""
    alpha = frame.shape[2] == 4
    few = Picture.fromarray(frame[..., :3]).quantize(255 if alpha else 256)
    colours = np.array(few.getpalette(), np.uint8).reshape(-1, 3)
    palette = np.full((256, 4), 255, np.uint8)
    palette[: len(colours), 1:] = colours
    indices = np.array(few)
    if alpha:
        indices[frame[..., 3] < 128] = CLEAR_INDEX
        palette[CLEAR_INDEX] = 0
    return indices, palette
