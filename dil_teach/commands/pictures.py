"""Read and write a picture, a folder of frames or a video in the same way."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dil_teach.commands.files import (
    MOST_PIXELS,
    MOST_PIXELS_IN_ALL,
    check_apart,
    check_output,
    check_parent,
    check_pixels,
    check_place,
)

if TYPE_CHECKING:
    from dil_teach.commands.files import Content
    from dil_teach.image.convention import Video


@dataclass(frozen=True)
class Pictures:
    """The frames of a video, or the only frame of a picture."""

    path: Path
    film: bool
    colour: "Video"
    """(t, c, h, w), grey or RGB."""
    alpha: "Video | None"

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

    def check_output(self, out: Path, alpha: "Video | None" = None) -> None:
        """Raise an error if a result with this transparency cannot be written."""
        from dil_teach.image.films import WRITTEN, check_new_folder

        if not self.film:
            check_output(out, self.path, self.size, alpha)
        elif out.suffix == "" or out.is_dir():
            check_new_folder(out)
            check_parent(out)
        else:
            check_place(out, WRITTEN)
            if alpha is not None:
                raise ValueError(
                    f"{out}: {self.path} is transparent in places, which no video file "
                    "can hold; name a folder for its frames"
                )
            check_apart([out], self.path)

    def content(self, video: "Video", out: Path) -> "Content":
        """The frames in the form that `files.write` needs to write ``out``."""
        from dil_teach.image.films import film_rate, frame_files, save_film, save_frames

        video = video.cpu()
        if not self.film:
            return video[0]
        if out.suffix:
            return lambda place: save_film(video, place, film_rate(self.path))
        names = None
        if self.path.is_dir():
            names = [file.stem for file in frame_files(self.path)]
            if len({name.lower() for name in names}) < len(names):
                names = None  # two equal names, for example 1.png and 1.jpg
        return lambda place: save_frames(video, place, names)


def load_pictures(path: Path) -> Pictures:
    """Read a picture, or all frames of a video."""
    from dil_teach.image.files import load_image
    from dil_teach.image.films import is_film, load_film

    film = is_film(path)
    video = load_film(path) if film else load_image(path)[None]
    if video.shape[1] in (2, 4):
        return Pictures(path, film, video[:, :-1], video[:, -1:])
    return Pictures(path, film, video, None)
