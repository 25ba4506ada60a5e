"""What a film says beyond its pixels: read once with the frames, and written once."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

Frame = UInt8[np.ndarray, "h w c"]
"""A frame as a decoder gives it: red, green, blue, and perhaps alpha."""
Limit = Callable[[int, int, int], None]
"""Raises an error for too many frames; called with their number, height and width."""

FOREVER = 0
"""Value of ``FilmRecord.plays`` for a GIF that plays in an endless loop."""
UNKNOWN = 2
"""FFmpeg's number for a colour matrix, primaries or transfer that a film does not
name."""
MATRICES = (1, 4, 5, 6, 7, 9)
"""Colour matrices that FFmpeg's scaler knows: BT.709, FCC, BT.601 (twice), SMPTE 240M
and BT.2020."""
NO_MATRIX = (0, UNKNOWN, 3)
"""Numbers of the matrix of films that are RGB or name no matrix."""
WIDE_GAMUT = (9, 11, 12)
"""Primaries that show more colours than sRGB: BT.2020, DCI-P3 and Display P3."""


@dataclass(frozen=True)
class FilmRecord:
    """What a film says beyond its pixels.

    The numbers of ``matrix``, ``primaries`` and ``transfer`` are those of ITU-T H.273,
    as FFmpeg uses them.
    """

    durations: tuple[Fraction, ...]
    """For each frame, the seconds for which it is shown."""
    plays: int | None = None
    """How many times a GIF plays, or ``FOREVER``; None if the film is no GIF."""
    pixel_aspect: Fraction = Fraction(1)
    """Width of a pixel divided by its height."""
    sound: tuple[str, ...] = ()
    """The codec of each track of sound."""
    source: Path | None = None
    """The file from which the sound is copied."""
    start: Fraction = Fraction(0)
    """When the first frame is shown, in seconds of the source's clock."""
    matrix: int = UNKNOWN
    primaries: int = UNKNOWN
    transfer: int = UNKNOWN
    tags: tuple[tuple[str, str], ...] = ()
    """Title, date, place, ...: names and values."""
    others: tuple[str, ...] = ()
    """What no file that we write can hold, such as subtitles."""

    @property
    def rate(self) -> Fraction:
        """Mean number of frames per second."""
        return len(self.durations) / sum(self.durations, Fraction(0))


def steady(rate: float, count: int) -> FilmRecord:
    """The record of ``count`` frames at a steady rate, in frames per second."""
    if not 0 < rate <= 1000:
        raise ValueError(f"rate: expected above 0 and at most 1000, got {rate}")
    exact = Fraction(rate).limit_denominator(65535)
    if exact <= 0:
        raise ValueError(f"rate: expected at least 1 / 65535, got {rate}")
    return FilmRecord((1 / exact,) * count)


def matrix_of(matrix: int, height: int, width: int) -> int:
    """The colour matrix of a film; if the film names none, players go by its size."""
    if matrix in MATRICES:
        return matrix
    return 1 if width >= 1280 or height > 576 else 6  # BT.709, BT.601
