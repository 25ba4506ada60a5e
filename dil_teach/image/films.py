"""Films: frames of one size as one tensor (t, c, h, w), read and written.

A film is a file (.mp4, .webm, .gif, ...) or a folder of pictures. Two ways of keeping
one lose nothing: a folder of PNG frames, and .mkv (FFV1). What .mp4 (H.264) and .webm
(VP9) hold is near what was written, not the same: they play everywhere, but a mask is
better kept in one of the other two.
"""

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import imageio.v3 as imageio
import numpy as np
import torch
from av.video.stream import VideoStream
from jaxtyping import UInt8
from PIL import Image as Picture
from torch import Tensor

from dil_teach.image.convention import Image, Video, check_image, from_uint8, to_uint8
from dil_teach.image.files import load_image, save_image, written_whole

ENCODED = {
    ".mp4": ("mp4", "h264", "yuv420p", {"crf": "10"}),
    ".webm": ("webm", "vp9", "yuv420p", {"crf": "10", "b": "0"}),
    ".mkv": ("matroska", "ffv1", "bgr0", {}),
}
"""Container, codec, pixel format and quality of the film files that can be written.
imageio, which reads them, has no way to set the last: PyAV itself writes."""
GIF = ".gif"
"""Written by Pillow, which chooses each frame's 256 colours."""
WRITTEN = (*ENCODED, GIF)
READ = (*WRITTEN, ".mov", ".m4v", ".avi", ".mpg", ".mpeg", ".ogv", ".wmv")
MAX_MEGAPIXELS = 100
"""Of all frames together: 1.2 GB as float32 in colour. Longer films are refused."""
FOLDER_RATE = 24.0


def is_film(path: str | Path) -> bool:
    """Whether a path is taken for a film: a folder, or a film's suffix."""
    path = Path(path)
    return path.is_dir() or path.suffix.lower() in READ


def load_film(path: str | Path) -> Video:
    """Read a film file, or a folder of frames.

    Parameters
    ----------
    path : str or Path
        A film file that FFmpeg reads, turned upright as its camera noted; its sound is
        left out. Or a folder, whose pictures are the frames in the order of
        :func:`frame_files`.

    Returns
    -------
    Video
        Float[Tensor, "t c h w"] in [0, 1]. A film file is RGB; frames of a folder have
        the channels that :func:`dil_teach.image.files.load_image` gives.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no film, holds no frames or frames of different sizes, or all frames
        together have over ``MAX_MEGAPIXELS``.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such film; check the name and the folder")
    return _load_folder(path) if path.is_dir() else _load_file(path)


def frame_files(folder: str | Path) -> list[Path]:
    """The pictures of a folder, in natural order: frame 9 before frame 10.

    Parameters
    ----------
    folder : str or Path
        Files of it that are no pictures by their suffix, or hidden, are passed over.

    Returns
    -------
    list of Path

    Raises
    ------
    ValueError
        If there is none.
    """
    folder = Path(folder)
    files = [file for file in folder.iterdir() if _is_picture(file)]
    if not files:
        raise ValueError(
            f"{folder}: expected a folder of frames, got no picture in it; put them "
            "there as .png or .jpg"
        )
    return sorted(files, key=_natural)


def _is_picture(file: Path) -> bool:
    suffix = file.suffix.lower()
    readable = Picture.registered_extensions().get(suffix) in Picture.OPEN
    return readable and suffix not in READ and file.name[0] != "." and file.is_file()


def _natural(file: Path) -> tuple[list[tuple[int, str]], str]:
    """Numbers in a name by their value, and what lies between them as text."""
    parts = re.findall(r"(\d+)|(\D+)", file.name.lower())
    return [(int(n) if n else -1, text) for n, text in parts], file.name


def film_rate(path: str | Path) -> float:
    """Frames a second of a film file; of a folder, which does not know, 24."""
    path = Path(path)
    if path.is_dir():
        return FOLDER_RATE
    try:
        rate = float(imageio.immeta(path, plugin="pyav")["fps"])
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise _damaged(path, error) from None
    return rate if math.isfinite(rate) and rate > 0 else FOLDER_RATE


def _load_folder(folder: Path) -> Video:
    files = frame_files(folder)
    frames: list[Image] = []
    for file in files:
        frames.append(load_image(file))
        _check_alike(file, frames[-1], files[0].name, frames[0])
        _check_megapixels(folder, len(files), *frames[0].shape[1:])
    return torch.stack(frames)


def _load_file(path: Path) -> Video:
    frames: list[UInt8[np.ndarray, "h w c"]] = []
    try:
        with imageio.imopen(path, "r", plugin="pyav") as file:
            held = 0  # pixels; the header need not know how many frames there are
            for frame in file.iter():
                frames.append(frame)
                held += frame.shape[0] * frame.shape[1]
                if held > MAX_MEGAPIXELS * 1e6:
                    break
            quarters = _quarter_turns(file.metadata(index=0)) if frames else 0
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise _damaged(path, error) from None
    if not frames:
        raise ValueError(f"{path}: expected a film, got no frame; export it again")
    _check_megapixels(path, len(frames), *frames[0].shape[:2])
    first = from_uint8(np.rot90(frames[0], quarters))
    video = first.new_empty(len(frames), *first.shape)
    for number, frame in enumerate(frames):
        this = from_uint8(np.rot90(frame, quarters))
        _check_alike(f"{path}, frame {number + 1}", this, "the first", first)
        video[number] = this
    return video


def _check_alike(name: str | Path, this: Image, first_name: str, first: Image) -> None:
    for part, what in ((slice(1, 3), "height x width"), (slice(1), "channels")):
        got, wanted = (" x ".join(map(str, x.shape[part])) for x in (this, first))
        if got != wanted:
            raise ValueError(
                f"{name}: expected {wanted} ({what}) as in {first_name}, got {got}; "
                "the frames of a film have one size and kind"
            )


def _quarter_turns(noted: dict[str, Any]) -> int:
    """How often a frame is turned left to stand upright: phones only make a note."""
    if "DISPLAYMATRIX" not in noted:
        return 0
    cosine, sine = np.frombuffer(noted["DISPLAYMATRIX"], np.int32)[:2]
    return round(-math.atan2(sine, cosine) / (math.pi / 2)) % 4


def _check_megapixels(path: Path, count: int, height: int, width: int) -> None:
    if count * height * width > MAX_MEGAPIXELS * 1e6:
        most = int(MAX_MEGAPIXELS * 1e6 // (height * width))
        raise ValueError(
            f"{path}: expected at most {MAX_MEGAPIXELS} megapixels in all frames "
            f"together, which are {most} frames of {height} x {width}, got more; cut "
            "it or make it smaller"
        )


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"{path}: expected a film (.mp4, .webm, .gif, ...), got a file that is none, "
        f"is damaged or cannot be read ({error}); export it again"
    )


def save_film(video: Video, path: str | Path, rate: float = FOLDER_RATE) -> None:
    """Write a film file; the suffix names the format.

    The file is written beside its place and then renamed, so that nobody ever finds
    half a film there. Values outside [0, 1] are clamped.

    Parameters
    ----------
    video : Video
        Float[Tensor, "t c h w"], grey or RGB.
    path : str or Path
        Where to: ``.mkv`` keeps every value (FFV1, in RGB); ``.mp4`` (H.264) and
        ``.webm`` (VP9) do not. An ``.mp4`` of odd height or width has to keep its
        colours at full resolution, which browsers do not play. ``.gif`` has 256
        colours a frame, and plays again and again.
    rate : float
        Frames a second.

    Raises
    ------
    ValueError
        If the values are not finite, the rate is none, or the suffix names no format
        that can be written.
    OSError
        If the folder does not exist or cannot be written.
    """
    path = Path(path)
    _check_video(video, channels=(1, 3))
    suffix = path.suffix.lower()
    if suffix not in WRITTEN:
        raise ValueError(
            f"{path}: expected one of {', '.join(WRITTEN)}, got '{suffix}'; name the "
            "film with one, or save_frames in a folder"
        )
    if not (math.isfinite(rate) and 0 < rate <= 1000):
        raise ValueError(f"rate: expected frames a second, to 1000, got {rate}")
    if path.is_dir():
        raise ValueError(f"{path}: expected a file to write, got a folder; name a file")
    with written_whole(path) as place:
        frames = [to_uint8(frame.expand(3, *frame.shape[1:])) for frame in video]
        if suffix == GIF:
            _write_gif(frames, place, rate)
        else:
            _write_encoded(frames, place, rate, *ENCODED[suffix])


def _write_gif(
    frames: list[UInt8[np.ndarray, "h w c"]], path: Path, rate: float
) -> None:
    first, *others = (Picture.fromarray(frame) for frame in frames)
    milliseconds = max(round(1000 / rate), 20)  # browsers slow down what is faster
    first.save(
        path,
        format="GIF",
        save_all=True,
        append_images=others,
        duration=milliseconds,
        loop=0,
    )


def _write_encoded(
    frames: list[UInt8[np.ndarray, "h w c"]],
    path: Path,
    rate: float,
    container: str,
    codec: str,
    pixels: str,
    options: dict[str, str],
) -> None:
    height, width = frames[0].shape[:2]
    if codec == "h264" and (height % 2 or width % 2):
        pixels = "yuv444p"  # half an odd number of pixels is none
    with av.open(path, "w", format=container) as file:
        every = Fraction(rate).limit_denominator(65535)
        stream = file.add_stream(codec, every, options=options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = height, width
        stream.pix_fmt = pixels
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        file.mux(stream.encode())


def save_frames(
    video: Video, folder: str | Path, names: Sequence[str] | None = None
) -> None:
    """Write a folder of PNG frames, which keep every value.

    The folder is filled beside its place and then renamed.

    Parameters
    ----------
    video : Video
        Float[Tensor, "t c h w"] with 1 to 4 channels.
    folder : str or Path
        A new folder, or an empty one.
    names : sequence of str, optional
        A name a frame, without suffix; numbers from 0001 where not given.

    Raises
    ------
    ValueError
        If the values are not finite, the folder holds something, or there are not as
        many names as frames, all different.
    OSError
        If the folder cannot be made.
    """
    folder = Path(folder)
    _check_video(video, channels=(1, 2, 3, 4))
    digits = max(4, len(str(len(video))))
    names = names or [f"{number:0{digits}}" for number in range(1, len(video) + 1)]
    if len(set(names)) != len(video):
        raise ValueError(
            f"names: expected {len(video)} different ones, got {list(names)}"
        )
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ValueError(
            f"{folder}: expected a new or an empty folder, got one that holds "
            "something; name another"
        )
    with written_whole(folder) as place:
        place.mkdir()
        for frame, name in zip(video, names, strict=True):
            save_image(frame, place / f"{name}.png")


def _check_video(video: Tensor, channels: tuple[int, ...]) -> None:
    if video.ndim != 4 or len(video) == 0:
        raise ValueError(
            "video: expected a tensor of shape (frames, channels, height, width), got "
            f"{tuple(video.shape)}; torch.stack makes one of images of one size"
        )
    for frame in video:
        check_image(frame, "video", channels, in_range=False)
