"""Read and write videos: frames of one size as one tensor (t, c, h, w).

A video is a file (.mp4, .webm, .gif, ...) or a folder of pictures. A folder of PNG
frames and an .mkv file (FFV1) are lossless, so use them for masks. .mp4 (H.264) and
.webm (VP9) are lossy but play everywhere.
"""

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
from dil_teach.image.files import (
    check_readable,
    load_image,
    save_image,
    written_whole,
)

Frames = list[UInt8[np.ndarray, "h w c"]]

ENCODED = {
    ".mp4": ("mp4", "h264", "yuv420p", {"crf": "10"}),
    ".webm": ("webm", "vp9", "yuv420p", {"crf": "10", "b": "0"}),
    ".mkv": ("matroska", "ffv1", "bgr0", {}),
}
"""Container, codec, pixel format and quality options for each suffix."""
WRITTEN = (*ENCODED, ".gif")
"""Suffixes of the videos that this module writes; ``READ`` lists the suffixes of videos
that it reads."""
READ = (*WRITTEN, ".mov", ".m4v", ".avi", ".mpg", ".mpeg", ".ogv", ".wmv")
MAX_MEGAPIXELS = 100
"""Maximum size of all frames together; as float32 in colour, they need 1.2 GB."""
FOLDER_RATE = 24.0
"""Frames per second of a folder of pictures."""


def is_film(path: str | Path) -> bool:
    """Whether a path is a folder or has the suffix of a video."""
    path = Path(path)
    return path.is_dir() or path.suffix.lower() in READ


def load_film(path: str | Path) -> Video:
    """Read a video file, or a folder of frames.

    A ValueError is raised for a file that is no video, a video without frames, frames
    of different sizes, or more than ``MAX_MEGAPIXELS`` in all frames together.

    Parameters
    ----------
    path : str or Path
        A video file that FFmpeg reads; it is rotated as its metadata says, and its
        sound is ignored. Or a folder of frames, sorted as in :func:`frame_files`.

    Returns
    -------
    Video
        RGB for a video file; for a folder, the channels that ``load_image`` returns.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such video; check the name and the folder")
    frames: list[Image] = []
    for name, image in _frames_of_folder(path) if path.is_dir() else _frames_of(path):
        frames.append(image)
        check_same_shape(image, frames[0], name, "the first frame")
        height, width = image.shape[1:]
        if len(frames) > (most := int(MAX_MEGAPIXELS * 1e6 / (height * width))):
            raise ValueError(
                f"{path}: expected at most {MAX_MEGAPIXELS} megapixels in all frames "
                f"({most} of {height} x {width}), got more; cut the video or shrink it"
            )
    if not frames:
        raise ValueError(f"{path}: expected a video, got no frames; export it again")
    return torch.stack(frames)


def _frames_of_folder(folder: Path) -> Iterator[tuple[str, Image]]:
    for file in frame_files(folder):
        yield str(file), load_image(file)


def _frames_of(path: Path) -> Iterator[tuple[str, Image]]:
    with _readable(path) as file:
        for number, frame in enumerate(file.decode(video=0), 1):
            turns = round(frame.rotation / 90)  # anticlockwise, from the metadata
            pixels = np.rot90(frame.to_ndarray(format="rgb24"), turns)
            yield f"{path}, frame {number}", from_uint8(pixels)


@contextmanager
def _readable(path: str | Path) -> Iterator[InputContainer]:
    """Open a video file; any error of the decoder becomes a ValueError."""
    check_readable(Path(path))
    try:
        with av.open(path) as file:
            yield file
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise ValueError(
            f"{path}: expected a video (.mp4, .webm, .gif, ...), got a damaged file or "
            f"another kind of file ({getattr(error, 'strerror', error)}); export the "
            "video again"
        ) from None


def frame_files(folder: str | Path) -> list[Path]:
    """The pictures of a folder in natural order: frame 9 before frame 10.

    Hidden files and files without the suffix of a picture are ignored. A ValueError is
    raised if there is no picture.
    """
    folder = Path(folder)
    if not (files := [file for file in folder.iterdir() if _is_picture(file)]):
        raise ValueError(
            f"{folder}: expected a folder of frames, got no picture (.png, .jpg) in it"
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
    """Frames per second of a video file; 24 for a folder or if the file has no rate."""
    if Path(path).is_dir():
        return FOLDER_RATE
    with _readable(path) as file:
        return float(file.streams.video[0].guessed_rate or FOLDER_RATE)


def save_film(video: Video, path: str | Path, rate: float = FOLDER_RATE) -> None:
    """Write a video file completely or not at all; the suffix selects the format.

    Parameters
    ----------
    video : Video
        Grey or RGB, finite; values outside [0, 1] are clamped.
    path : str or Path
        Suffix: one of ``WRITTEN``. Browsers do not play an ``.mp4`` of odd height
        or width, because its colours have full resolution. A ``.gif`` has 256 colours
        in each frame and plays in a loop.
    rate : float
        Frames per second, above 0 and at most 1000.
    """
    path = Path(path)
    check_images(video, "video", (1, 3), in_range=False, constant=True)
    suffix = path.suffix.lower()
    if suffix not in WRITTEN:
        raise ValueError(
            f"{path}: expected one of {', '.join(WRITTEN)}, got '{suffix}'"
        )
    if not 0 < rate <= 1000:
        raise ValueError(f"rate: expected above 0 and at most 1000, got {rate}")
    if path.is_dir():
        raise ValueError(f"{path}: expected a file to write, got a folder; name a file")
    with written_whole(path) as place:
        frames = [to_uint8(frame.expand(3, *frame.shape[1:])) for frame in video]
        if suffix == ".gif":
            first, *rest = map(Picture.fromarray, frames)
            # milliseconds per frame; browsers slow a film down if it is below 20
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
        pixels = "yuv444p"  # yuv420p needs even sides, because it halves them
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
    """Write a folder of PNG frames (lossless), completely or not at all.

    Parameters
    ----------
    video : Video
        Frames with 1 to 4 channels, finite.
    folder : str or Path
        A new folder, or an empty one.
    names : sequence of str, optional
        A different name for each frame, without suffix. Default: numbers from 0001.
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
            f"{folder}: expected a new or an empty folder, got one with files in it"
        )
