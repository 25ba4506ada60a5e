"""Large images: windows for training, and tiles for the result."""

from collections.abc import Callable

import torch

from dil_teach.image.augment import random_crop
from dil_teach.image.convention import Image

WHOLE_PIXELS = 1024 * 1024
"""Images with more pixels than this are learned from windows and enlarged by tiles."""
WINDOW = 256
"""Side of a window in pixels."""
TILE, TILE_MARGIN = 512, 32
"""Side of a tile, and width of the margin around it, in pixels of the given image. The
margin is wider than half the receptive fields of the networks (at most 8 pixels) and
than the reach of back-projection. Smaller tiles spend more time on their margins."""


def windows(image: Image, rng: torch.Generator) -> list[Image]:
    """The training images: the image itself, or random windows of a large image."""
    if image.shape[-2] * image.shape[-1] <= WHOLE_PIXELS:
        return [image]
    return [
        random_crop(image, (WINDOW, WINDOW), rng)
        for _ in range(WHOLE_PIXELS // WINDOW**2)
    ]


def by_tiles(
    image: Image,
    scale: tuple[float, float],
    size: tuple[int, int],
    draw: Callable[[Image, tuple[int, int]], Image],
    tile: int | None = None,
    most: int | None = None,
) -> Image:
    """Enlarge an image to a size, tile by tile if it has more than ``most`` pixels.

    ``draw(part, part_size)`` enlarges a part of the image. A small image, or a scale
    that is not an integer, gives one part: the whole image. ``tile`` and ``most`` are
    ``TILE`` and ``WHOLE_PIXELS`` by default.
    """
    tile = TILE if tile is None else tile
    if not is_tiled(image, scale, most):
        return draw(image, size)
    rows, columns = int(scale[0]), int(scale[1])
    result = image.new_empty(0)  # the first part shows the number of channels
    for y in range(0, image.shape[-2], tile):
        for x in range(0, image.shape[-1], tile):
            # a tile with its margin; the enlarged margin is discarded
            top, left = max(y - TILE_MARGIN, 0), max(x - TILE_MARGIN, 0)
            part = image[:, top : y + tile + TILE_MARGIN, left : x + tile + TILE_MARGIN]
            high = draw(part, (rows * part.shape[-2], columns * part.shape[-1]))
            high = high[:, rows * (y - top) :, columns * (x - left) :]
            if len(result) == 0:
                result = high.new_empty(len(high), *size)
            place = result[:, rows * y :, columns * x :]
            place = place[:, : rows * tile, : columns * tile]
            place.copy_(high[:, : place.shape[-2], : place.shape[-1]])
    return result


def is_tiled(image: Image, scale: tuple[float, float], most: int | None = None) -> bool:
    """Whether the image is large and the scale is an integer, so that tiles fit."""
    most = WHOLE_PIXELS if most is None else most
    whole = all(s == int(s) for s in scale)
    return whole and image.shape[-2] * image.shape[-1] > most
