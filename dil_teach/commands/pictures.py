"""Read and write a picture, a folder of frames or a video in the same way."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from dil_teach.commands.checks import (
    MOST_PIXELS,
    MOST_PIXELS_IN_ALL,
    check_apart,
    check_output,
    check_parent,
    check_pixels,
    check_place,
)
from dil_teach.commands.files import (
    load_picture,
    reduced,
    say_left_out,
    with_alpha,
    with_result,
)
from dil_teach.commands.options import PLAIN, Reading

if TYPE_CHECKING:
    from dil_teach.commands.files import Content
    from dil_teach.image.convention import Image, Video
    from dil_teach.image.files import Photograph
    from dil_teach.image.film_record import FilmRecord


@dataclass(frozen=True)
class Pictures:
    """The frames of a video, or the only frame of a picture."""

    path: Path
    film: bool
    colour: "Video"
    """(t, c, h, w), grey or RGB."""
    alpha: "Video | None"
    photograph: "Photograph | None" = None
    """The record of a picture; None for a video."""
    record: "FilmRecord | None" = None
    """What a video file says beyond its pixels."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.colour.shape[-2], self.colour.shape[-1]

    def check_frames(self, side: int) -> None:
        """Raise a ValueError if the frames need too much memory.

        The network renders frames with ``side`` pixels on the longer side.
        """
        check_pixels(self.path, self.size, len(self.colour), MOST_PIXELS_IN_ALL)
        height, width = self.size
        scale = min(1.0, side / max(height, width))
        small = math.ceil(height * scale) * math.ceil(width * scale)
        if len(self.colour) * small > MOST_PIXELS:
            raise ValueError(
                f"{self.path}: expected at most {MOST_PIXELS // small} frames of "
                f"{height} x {width}, got {len(self.colour)}; take a shorter video"
            )

    def check_output(
        self,
        out: Path,
        alpha: "Video | None" = None,
        size: tuple[int, int] | None = None,
        film: bool = True,
    ) -> None:
        """Raise an error if a result with this transparency cannot be written.

        For a video, one line says what the result leaves out, unless ``film`` is false:
        then the result is no version of the video, for example its masks.
        """
        from dil_teach.image.films import (
            HOLD_ALPHA,
            WRITTEN,
            check_new_folder,
            left_out,
        )

        if not self.film:
            check_output(out, self.path, size or self.size, alpha)
            return
        if out.suffix == "" or out.is_dir():
            check_new_folder(out)
            check_parent(out)
        else:
            check_place(out, WRITTEN)
            if alpha is not None and out.suffix.lower() not in HOLD_ALPHA:
                raise ValueError(
                    f"{out}: {self.path} is transparent in places, which {out.suffix} "
                    f"cannot hold; take {', '.join(HOLD_ALPHA)}, or name a folder for "
                    "its frames"
                )
            check_apart([out], self.path)
        if film and self.record:
            say_left_out(left_out(self.record, out, alpha))

    def content(self, video: "Video", out: Path, film: bool = True) -> "Content":
        """The frames in the form that `files.write` needs to write ``out``.

        Unless ``film`` is false, a video file gets the sound and the tags of the video.
        """
        from dil_teach.image.films import frame_files, save_film, save_frames

        video = video.cpu()
        if self.photograph is not None:
            return video[0]
        if out.suffix:
            record = self.record
            if record and not film:
                record = replace(record, sound=(), tags=())
            return lambda place: save_film(video, place, record=record)
        names = None
        if self.path.is_dir():
            names = [file.stem for file in frame_files(self.path)]
            if len({name.lower() for name in names}) < len(names):
                names = None  # two equal names, for example 1.png and 1.jpg
        return lambda place: save_frames(video, place, names)

    def result(self, video: "Video", alpha: "Video | None", out: Path) -> "Content":
        """As :meth:`content`, for frames that replace those of the file."""
        if self.photograph is not None:
            alpha_of_picture = None if alpha is None else alpha[0]
            return with_result(self.photograph, video[0], alpha_of_picture)
        return self.content(with_alpha(video, alpha), out)


def frame_by_frame(enhance: "Callable[[Image], Image]", video: "Video") -> "Video":
    """The results of a function that enhances one frame, with a progress bar."""
    import torch

    alone = len(video) == 1
    frames = tqdm(video, "frames", leave=False, disable=alone or None)
    return torch.stack([enhance(frame).cpu() for frame in frames])


def load_pictures(
    path: Path, reading: Reading = PLAIN, one_channel: bool = True
) -> Pictures:
    """Read a picture, as :func:`files.load_picture` does, or all frames of a video."""
    import torch

    from dil_teach.image.films import is_film, read_film
    from dil_teach.image.transparency import extend_colours

    if not is_film(path):
        photograph = load_picture(path, reading, one_channel)
        alpha = None if photograph.alpha is None else photograph.alpha[None]
        return Pictures(path, False, photograph.colour[None], alpha, photograph)
    if reading.white_level is not None:
        raise ValueError(
            f"--white-level: expected a picture of 16 bits, got the video {path}; "
            "leave it out"
        )
    video, record = read_film(path)
    if path.is_dir():
        record = None  # a folder says nothing about times and sound
    if video.shape[1] in (1, 3):
        return Pictures(path, True, reduced(video, path, reading), None, None, record)
    frames = zip(video[:, :-1], video[:, -1:], strict=True)
    colour = torch.stack([extend_colours(*frame) for frame in frames])
    video = reduced(torch.cat([colour, video[:, -1:]], 1), path, reading)
    return Pictures(path, True, video[:, :-1], video[:, -1:], None, record)
