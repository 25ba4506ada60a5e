"""Videos: frames of one size as one tensor (t, c, h, w), read and written.

A video is a file (.mp4, .webm, .gif, ...) or a folder of pictures. A folder of PNG
frames and an .mkv file (FFV1) are lossless. .mp4 (H.264) and .webm (VP9) are lossy but
play everywhere; store masks in one of the other two.
"""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from av.container import InputContainer
from av.video.stream import VideoStream
from jaxtyping import UInt8
from PIL import Image as Picture

from dil_teach.image.convention import (
    Image,
    Video,
    check_images,
    check_same_shape,
    from_uint8,
    to_uint8,
)
from dil_teach.image.files import load_image, save_image, written_whole

Frames = list[UInt8[np.ndarray, "h w c"]]

ENCODED = {
    ".mp4": ("mp4", "h264", "yuv420p", {"crf": "10"}),
    ".webm": ("webm", "vp9", "yuv420p", {"crf": "10", "b": "0"}),
    ".mkv": ("matroska", "ffv1", "bgr0", {}),
}
"""Container, codec, pixel format and quality options of each format."""
WRITTEN = (*ENCODED, ".gif")
"""Suffixes of the videos that can be written, and below of those that can be read."""
READ = (*WRITTEN, ".mov", ".m4v", ".avi", ".mpg", ".mpeg", ".ogv", ".wmv")
MAX_MEGAPIXELS = 100
"""Limit for all frames together: 1.2 GB as float32 in colour."""
FOLDER_RATE = 24.0
"""Frames per second of a folder of pictures."""


def is_film(path: str | Path) -> bool:
    """Whether a path is a folder or has the suffix of a video."""
    path = Path(path)
    return path.is_dir() or path.suffix.lower() in READ


def load_film(path: str | Path) -> Video:
    """Read a video file, or a folder of frames.

    Parameters
    ----------
    path : str or Path
        A video file that FFmpeg reads; it is rotated as its metadata says, and its
        sound is ignored. Or a folder of frames, ordered as in :func:`frame_files`.

    Returns
    -------
    Video
        RGB for a file; for a folder, the channels that ``load_image`` returns.

    A ValueError is raised for a file that is no video, a video without frames, frames
    of different sizes, or more than ``MAX_MEGAPIXELS`` in all.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such video; check the name and the folder")
    return _load_folder(path) if path.is_dir() else _load_file(path)


def frame_files(folder: str | Path) -> list[Path]:
    """The pictures of a folder in natural order: frame 9 before frame 10.

    Hidden files and files that are not pictures (by their suffix) are ignored. A
    ValueError is raised if no picture is left.
    """
    folder = Path(folder)
    if not (files := [file for file in folder.iterdir() if _is_picture(file)]):
        raise ValueError(
            f"{folder}: expected a folder of frames, got no picture in it; put them "
            "there as .png or .jpg"
        )
    return sorted(files, key=_natural_order)


def _is_picture(file: Path) -> bool:
    suffix = file.suffix.lower()
    readable = Picture.registered_extensions().get(suffix) in Picture.OPEN
    return readable and suffix not in READ and file.name[0] != "." and file.is_file()


def _natural_order(file: Path) -> tuple[list[tuple[int, str]], str]:
    parts = re.findall(r"(\d+)|(\D+)", file.name.lower())
    return [(int(n) if n else -1, text) for n, text in parts], file.name


def film_rate(path: str | Path) -> float:
    """Frames per second of a video file; 24 for a folder."""
    if Path(path).is_dir():
        return FOLDER_RATE
    with _readable(path) as file:
        rate = float(file.streams.video[0].guessed_rate or 0)
    return rate if math.isfinite(rate) and rate > 0 else FOLDER_RATE


@contextmanager
def _readable(path: str | Path) -> Iterator[InputContainer]:
    """Open a video file; any error of the decoder becomes a ValueError."""
    try:
        with av.open(path) as file:
            yield file
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise ValueError(
            f"{path}: expected a video (.mp4, .webm, .gif, ...), got a damaged file or "
            f"one of another kind ({error}); export it again"
        ) from None


def _load_folder(folder: Path) -> Video:
    files = frame_files(folder)
    frames: list[Image] = []
    for file in files:
        frames.append(load_image(file))
        check_same_shape(frames[-1], frames[0], file, files[0].name)
        _check_megapixels(folder, len(files), *frames[0].shape[1:])
    return torch.stack(frames)


def _load_file(path: Path) -> Video:
    frames: Frames = []
    pixels = 0  # counted, because a header may lack the number of frames
    with _readable(path) as file:
        for frame in file.decode(video=0):
            turns = round(frame.rotation / 90)  # anticlockwise, as a phone notes them
            frames.append(np.rot90(frame.to_ndarray(format="rgb24"), turns))
            pixels += frame.height * frame.width
            if pixels > MAX_MEGAPIXELS * 1e6:
                break
    if not frames:
        raise ValueError(f"{path}: expected a video, got no frame; export it again")
    _check_megapixels(path, len(frames), *frames[0].shape[:2])
    first = from_uint8(frames[0])
    video = first.new_empty(len(frames), *first.shape)
    for number, frame in enumerate(frames):
        image = from_uint8(frame)
        check_same_shape(image, first, f"{path}, frame {number + 1}", "the first")
        video[number] = image
    return video


def _check_megapixels(path: Path, count: int, height: int, width: int) -> None:
    if count * height * width > MAX_MEGAPIXELS * 1e6:
        most = int(MAX_MEGAPIXELS * 1e6 // (height * width))
        raise ValueError(
            f"{path}: expected at most {MAX_MEGAPIXELS} megapixels in all frames "
            f"together ({most} frames of {height} x {width}), got more; cut it or make "
            "it smaller"
        )


def save_film(video: Video, path: str | Path, rate: float = FOLDER_RATE) -> None:
    """Write a video file whole or not at all; the suffix selects the format.

    Parameters
    ----------
    video : Video
        Grey or RGB; values outside [0, 1] are clamped.
    path : str or Path
        ``.mkv`` (FFV1, RGB) is lossless; ``.mp4`` (H.264) and ``.webm`` (VP9) are not.
        An ``.mp4`` of odd height or width keeps its colours at full resolution, which
        browsers do not play. ``.gif`` has 256 colours a frame and plays in a loop.
    rate : float
        Frames per second.

    A ValueError is raised if a value is not finite, the rate is not in (0, 1000], or
    the suffix is not in ``WRITTEN``.
    """
    path = Path(path)
    check_images(video, "video", (1, 3), in_range=False, constant=True)
    suffix = path.suffix.lower()
    if suffix not in WRITTEN:
        raise ValueError(
            f"{path}: expected one of {', '.join(WRITTEN)}, got '{suffix}'; use one of "
            "these, or write a folder with save_frames"
        )
    if not (math.isfinite(rate) and 0 < rate <= 1000):
        raise ValueError(f"rate: expected above 0, at most 1000 a second, got {rate}")
    if path.is_dir():
        raise ValueError(f"{path}: expected a file to write, got a folder; name a file")
    with written_whole(path) as place:
        frames = [to_uint8(frame.expand(3, *frame.shape[1:])) for frame in video]
        if suffix == ".gif":
            first, *rest = map(Picture.fromarray, frames)
            # milliseconds: browsers slow down frames under 20
            duration = max(round(1000 / rate), 20)
            first.save(
                place, save_all=True, append_images=rest, duration=duration, loop=0
            )
        else:
            _write_encoded(frames, place, suffix, rate)


def _write_encoded(frames: Frames, path: Path, suffix: str, rate: float) -> None:
    container, codec, pixels, options = ENCODED[suffix]
    height, width = frames[0].shape[:2]
    if codec == "h264" and (height % 2 or width % 2):
        pixels = "yuv444p"  # yuv420p halves the sides, which must be even
    with av.open(path, "w", format=container) as file:
        exact_rate = Fraction(rate).limit_denominator(65535)
        stream = file.add_stream(codec, exact_rate, options=options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = height, width, pixels
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        file.mux(stream.encode())


def save_frames(
    video: Video, folder: str | Path, names: Sequence[str] | None = None
) -> None:
    """Write a folder of PNG frames, lossless, whole or not at all.

    Parameters
    ----------
    video : Video
        With 1 to 4 channels.
    folder : str or Path
        A new folder, or an empty one.
    names : sequence of str, optional
        A name for each frame, without suffix. Default: numbers from 0001.

    A ValueError is raised if a value is not finite, the folder is not empty, or there
    is not one different name for each frame.
    """
    folder = Path(folder)
    check_images(video, "video", (1, 2, 3, 4), in_range=False, constant=True)
    names = names or [f"{number + 1:04}" for number in range(len(video))]
    if len(set(names)) != len(video):
        raise ValueError(f"names: expected {len(video)} different names, got {names}")
    check_new_folder(folder)
    with written_whole(folder) as place:
        place.mkdir()
        for frame, name in zip(video, names, strict=True):
            save_image(frame, place / f"{name}.png")


def check_new_folder(folder: Path) -> None:
    """Raise a ValueError unless the folder is empty or does not exist."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ValueError(
            f"{folder}: expected a new or an empty folder for the frames, got one that "
            "is not empty; name another"
        )
