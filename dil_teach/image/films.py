"""Read and write videos: frames of one size as one tensor (t, c, h, w).

A video is a file (.mp4, .webm, .gif, ...) or a folder of pictures. A folder of PNG
frames and an .mkv file (FFV1) are lossless, so use them for masks. .mp4 and .mov
(H.264) and .webm (VP9) are lossy but play everywhere. What a file says beyond its
pixels (times, shape of the pixels, sound, colours) is in its :class:`FilmRecord`.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Picture

from dil_teach.image.convention import (
    Image,
    Video,
    check_images,
    check_same_shape,
    to_uint8,
)
from dil_teach.image.files import (
    check_readable,
    load_image,
    save_image,
    written_whole,
)
from dil_teach.image.film_record import WIDE_GAMUT, FilmRecord, steady
from dil_teach.image.gif_films import SHORTEST, TICK, encode_gif, is_gif, read_gif
from dil_teach.image.video_files import (
    ENCODED,
    KEEP_PIXEL_ASPECT,
    TRANSPARENT,
    encode_video,
    keeps_sound,
    read_video,
)

WRITTEN = (*ENCODED, ".gif")
"""Suffixes of the videos that this module writes; ``READ`` lists the suffixes of videos
that it reads."""
HOLD_ALPHA = (*TRANSPARENT, ".gif")
"""Suffixes of the videos that can hold transparency."""
READ = (*WRITTEN, ".m4v", ".avi", ".mpg", ".mpeg", ".ogv", ".wmv")
MAX_MEGAPIXELS = 100
"""Maximum size of all frames together; as float32 in colour, they need 1.2 GB."""
FOLDER_RATE = 24.0
"""Frames per second of a folder of pictures."""


def is_film(path: str | Path) -> bool:
    """Whether a path is a folder or has the suffix of a video."""
    path = Path(path)
    return path.is_dir() or path.suffix.lower() in READ


def load_film(path: str | Path) -> Video:
    """Read the frames of a video file or of a folder: see :func:`read_film`."""
    return read_film(path)[0]


def read_film(path: str | Path) -> tuple[Video, FilmRecord]:
    """Read a video file or a folder of frames, and what it says beyond its pixels.

    A ValueError is raised for a file that is no video, a damaged video, a video that
    ends before its last frame, frames of different sizes, or more than
    ``MAX_MEGAPIXELS`` in all frames together.

    Parameters
    ----------
    path : str or Path
        A video file that FFmpeg reads; it is rotated as its metadata says. Or a folder
        of frames, sorted as in :func:`frame_files`.

    Returns
    -------
    Video
        RGB for a video file, or RGBA if a frame is transparent in places; for a folder,
        the channels that ``load_image`` returns.
    FilmRecord
        Times, sound, colours, ...; for a folder, ``FOLDER_RATE``.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such video; check the name and the folder")
    if path.is_dir():
        video = torch.stack(list(_frames_of_folder(path)))
        return video, steady(FOLDER_RATE, len(video))
    check_readable(path)

    def limit(count: int, height: int, width: int) -> None:
        _check_size(path, count, height, width)

    with _explained(path):
        frames, record = (read_gif if is_gif(path) else read_video)(path, limit)
    for number, frame in enumerate(frames, 1):
        if frame.shape != frames[0].shape:
            height, width = frames[0].shape[:2]
            raise ValueError(
                f"{path}, frame {number}: expected {height} x {width} as in frame 1, "
                f"got {frame.shape[0]} x {frame.shape[1]}; export it with one size"
            )
    channels = frames[0].shape[2]
    if channels == 4 and all(frame[..., 3].min() == 255 for frame in frames):
        channels = 3
    video = torch.empty(len(frames), channels, *frames[0].shape[:2])
    for place, frame in zip(video, frames, strict=True):
        place.copy_(
            torch.from_numpy(np.ascontiguousarray(frame)).movedim(2, 0)[:channels]
        )
    return video.div_(255), record


class _TooLarge(ValueError):
    """More than ``MAX_MEGAPIXELS``."""


def _check_size(path: Path, count: int, height: int, width: int) -> None:
    if count * height * width > MAX_MEGAPIXELS * 1e6:
        most = int(MAX_MEGAPIXELS * 1e6 / (height * width))
        raise _TooLarge(
            f"{path}: expected at most {MAX_MEGAPIXELS} megapixels in all frames "
            f"({most} of {height} x {width}), got more; cut the video or shrink it"
        )


def _frames_of_folder(folder: Path) -> Iterator[Image]:
    first: Image | None = None
    for number, file in enumerate(frame_files(folder), 1):
        image = load_image(file)
        first = image if first is None else first
        check_same_shape(image, first, file, "the first frame")
        _check_size(folder, number, *image.shape[1:])
        yield image


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Any error of a decoder becomes a ValueError with the file's name."""
    try:
        yield
    except _TooLarge:
        raise
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise ValueError(
            f"{path}: expected a video (.mp4, .webm, .gif, ...), got a damaged file or "
            f"another kind of file ({getattr(error, 'strerror', None) or error}); "
            "export the video again"
        ) from None


def frame_files(folder: str | Path) -> list[Path]:
    """The pictures of a folder in natural order: frame 9 before frame 10.

    Hidden files and files without the suffix of a picture are ignored. A ValueError is
    raised if there is no picture.
    """
    folder = Path(folder)
    if not (files := [file for file in folder.iterdir() if _is_picture(file)]):
        raise ValueError(
            f"{folder}: expected a folder of pictures, got no picture (.png) in it"
        )
    return sorted(files, key=_natural_order)


def _is_picture(file: Path) -> bool:
    suffix = file.suffix.lower()
    readable = Picture.registered_extensions().get(suffix) in Picture.OPEN
    return readable and suffix not in READ and file.name[0] != "." and file.is_file()


def _natural_order(file: Path) -> tuple[list[tuple[int, str]], str]:
    parts = re.findall(r"(\d+)|(\D+)", file.name.lower())
    return [(int(n) if n else -1, text) for n, text in parts], file.name


def save_film(
    video: Video,
    path: str | Path,
    rate: float = FOLDER_RATE,
    record: FilmRecord | None = None,
) -> None:
    """Write a video file completely or not at all; the suffix selects the format.

    Parameters
    ----------
    video : Video
        Grey or RGB, with or without alpha, finite; values outside [0, 1] are clamped.
    path : str or Path
        Suffix: one of ``WRITTEN``; with alpha, one of ``HOLD_ALPHA``. Browsers do not
        play an ``.mp4`` of odd height or width, because its colours have full
        resolution. A ``.gif`` has 256 colours in each frame, its pixels are transparent
        or opaque, and it shows each frame for at least 20 ms.
    rate : float
        Frames per second, above 0 and at most 1000, if there is no ``record``.
    record : FilmRecord, optional
        What the file says beyond its pixels; :func:`left_out` names the parts that the
        format cannot hold.
    """
    path = Path(path)
    check_images(video, "video", (1, 2, 3, 4), in_range=False, constant=True)
    suffix = path.suffix.lower()
    if suffix not in WRITTEN:
        raise ValueError(
            f"{path}: expected one of {', '.join(WRITTEN)}, got '{suffix}'"
        )
    if video.shape[1] in (2, 4) and suffix not in HOLD_ALPHA:
        raise ValueError(
            f"{path}: {suffix} cannot hold transparency; take one of "
            f"{', '.join(HOLD_ALPHA)}"
        )
    record = record or steady(rate, len(video))
    if len(record.durations) != len(video):
        raise ValueError(
            f"record: expected the times of {len(video)} frames, got "
            f"{len(record.durations)}"
        )
    if path.is_dir():
        raise ValueError(f"{path}: expected a file to write, got a folder; name a file")
    with written_whole(path) as place:
        if video.shape[1] < 3:  # grey
            colour = video[:, :1].expand(-1, 3, -1, -1)
            video = torch.cat([colour, video[:, 1:]], 1)
        frames = [to_uint8(frame) for frame in video]
        if suffix == ".gif":
            content = encode_gif(frames, record)
        else:
            content = encode_video(frames, suffix, record)
        place.write_bytes(content)


def left_out(
    record: FilmRecord, path: str | Path, alpha: Video | None = None
) -> list[str]:
    """What a film says that a video file, or a folder of frames, cannot hold.

    Parameters
    ----------
    record : FilmRecord
        The film's record.
    path : str or Path
        The video to write; a name without suffix is a folder.
    alpha : Video, optional
        The film's transparency.
    """
    suffix = Path(path).suffix.lower()
    folder, gif = suffix not in WRITTEN, suffix == ".gif"
    without = list(record.others)
    if record.sound and (folder or gif or not keeps_sound(record, suffix)):
        without.append(f"sound ({', '.join(record.sound)})")
    if record.pixel_aspect != 1 and suffix not in KEEP_PIXEL_ASPECT:
        aspect = f"{record.pixel_aspect.numerator}:{record.pixel_aspect.denominator}"
        keepers = " and ".join(KEEP_PIXEL_ASPECT)
        without.append(f"pixel aspect ratio {aspect} ({keepers} hold it)")
    if record.plays is not None and not gif:
        without.append("the number of repetitions")
    if folder:
        without.append("frame times")
    if gif and min(record.durations) < SHORTEST * TICK:
        without.append(f"frame times below {1000 * SHORTEST * TICK} ms")
    if gif and alpha is not None and ((alpha > 0) & (alpha < 1)).any():
        without.append("partial transparency")
    if (folder or gif) and record.primaries in WIDE_GAMUT:
        without.append("colours outside sRGB")
    if (folder or gif) and record.tags:
        without.append("title, date and other tags")
    return without


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
