"""The memory that a result of ZSSR needs."""

import math

from dil_teach.image.convention import Image
from dil_teach.training.tiles import TILE, WHOLE_PIXELS, is_tiled

MEMORY_LIMIT = 4e9
"""Largest memory in bytes that a result may need."""


def check_memory(
    image: Image, scale: tuple[float, float], size: tuple[int, int], width: int
) -> None:
    """Raise a ValueError if the result needs more memory than ``MEMORY_LIMIT``.

    ``width`` is the number of channels of the network's hidden layers.
    """
    tiled = is_tiled(image, scale)
    pixels = TILE**2 if tiled else image.shape[-2] * image.shape[-1]
    shuffled = len(image) * math.ceil(max(scale)) ** 2  # channels of the last layer
    result = 4 * len(image) * size[0] * size[1]
    network = 4 * (4 * width * (pixels + 9 * shuffled) + 3 * shuffled * pixels)
    small = image.shape[-2] * image.shape[-1] <= WHOLE_PIXELS
    needed = (3 if tiled else 6) * result + network + 5e8
    if needed > MEMORY_LIMIT:
        raise ValueError(
            f"scale: a result of {size[0]} x {size[1]} pixels from {image.shape[-2]} x "
            f"{image.shape[-1]} needs about {needed / 1e9:.3g} GB, expected at most "
            f"{MEMORY_LIMIT / 1e9:.0f}; take a smaller "
            + ("scale" if tiled or small else "image, or an integer scale such as 2")
        )
