"""ZSSR on large images: windows for training, tiles for the result, memory limit."""

import math
from collections.abc import Callable

import torch

from dil_teach.image.augment import random_crop
from dil_teach.image.convention import Image

WHOLE_PIXELS = 1024 * 1024
"""Images with more pixels than this are learned from windows and enlarged by tiles."""
TILE, TILE_MARGIN = 256, 32
"""Side of a window or tile, and width of the margin around a tile, in pixels of the
given image. The margin is wider than half the receptive field (8 pixels) and than the
reach of back-projection."""
MEMORY_LIMIT = 4e9
"""Largest memory in bytes that a result may need."""


def windows(image: Image, rng: torch.Generator) -> list[Image]:
    """The training images: the image itself, or random windows of a large image."""
    if image.shape[-2] * image.shape[-1] <= WHOLE_PIXELS:
        return [image]
    return [
        random_crop(image, (TILE, TILE), rng) for _ in range(WHOLE_PIXELS // TILE**2)
    ]


def by_tiles(
    image: Image,
    scale: tuple[float, float],
    size: tuple[int, int],
    draw: Callable[[Image, tuple[int, int]], Image],
) -> Image:
    """Enlarge an image to a size, tile by tile if it is large.

    ``draw(part, part_size)`` enlarges a part of the image. A small image, or a scale
    that is not an integer, gives one part: the whole image.
    """
    if not _is_tiled(image, scale):
        return draw(image, size)
    rows, columns = int(scale[0]), int(scale[1])
    result = image.new_empty(0)  # the first part shows the number of channels
    for y in range(0, image.shape[-2], TILE):
        for x in range(0, image.shape[-1], TILE):
            # a tile with its margin; the enlarged margin is discarded
            top, left = max(y - TILE_MARGIN, 0), max(x - TILE_MARGIN, 0)
            part = image[:, top : y + TILE + TILE_MARGIN, left : x + TILE + TILE_MARGIN]
            high = draw(part, (rows * part.shape[-2], columns * part.shape[-1]))
            high = high[:, rows * (y - top) :, columns * (x - left) :]
            if len(result) == 0:
                result = high.new_empty(len(high), *size)
            place = result[:, rows * y :, columns * x :]
            place = place[:, : rows * TILE, : columns * TILE]
            place.copy_(high[:, : place.shape[-2], : place.shape[-1]])
    return result


def _is_tiled(image: Image, scale: tuple[float, float]) -> bool:
    """Whether the image is large and the scale is an integer, so that tiles fit."""
    whole = all(s == int(s) for s in scale)
    return whole and image.shape[-2] * image.shape[-1] > WHOLE_PIXELS


def check_memory(
    image: Image, scale: tuple[float, float], size: tuple[int, int], width: int
) -> None:
    """Raise a ValueError if the result needs more memory than ``MEMORY_LIMIT``.

    ``width`` is the number of channels of the network's hidden layers.
    """
    tiled = _is_tiled(image, scale)
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
