"""An image at several scales."""

from collections.abc import Sequence

from dil_teach.image.convention import Image
from dil_teach.image.resize import resize


def pyramid(image: Image, scales: Sequence[float], min_side: int = 1) -> list[Image]:
    """The image at each of the given scales, antialiased bicubic, clamped to [0, 1].

    Levels with a side under ``min_side`` are left out; if that leaves none, the largest
    level stays.
    """
    levels = [resize(image, scale).clamp(0, 1) for scale in scales]
    large_enough = [level for level in levels if min(level.shape[-2:]) >= min_side]
    return large_enough or [max(levels, key=lambda level: level.shape[-1])]
