"""What the two patch methods share: the pyramid's sizes, and the rows they compare."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.convention import Image
from dil_teach.patches.extract import extract_patches

Rows = Float[Tensor, "_n _values"]
Places = Float[Tensor, "2 _h _w"]
"""A place in the source for each pixel: down and right, as shares of its sides."""
Size = tuple[int, int]

PATCH_SIZE = 7
"""Side of a patch in pixels, as in both papers."""
COARSEST = 20
"""Smallest side of the coarsest level, in pixels: a patch covers a third of it."""
UPDATES = (20, 6, 4, 3)
"""Updates at the levels, coarsest first; the last number holds for all finer levels.
Measured: later updates change little. (GPNN's paper has 10 at each level.)"""
PLACE_WEIGHT = 3.0
"""Weight of a patch's distance from the place in the start image, as a share of the
sides. Its square is added to the squared distance of the values. Our departure: the
papers keep places by the start image alone."""
COMPONENTS = 32
"""Principal components that are compared. Measured: they hold nearly all of a patch's
variance."""
SAMPLE = 4000
"""Patches from which the components are computed."""


class Level(NamedTuple):
    """Height and width of source and target at one level of the pyramid, in pixels."""

    source: Size
    target: Size


def size_of(image: Tensor) -> Size:
    """Height and width of an image, in pixels."""
    return image.shape[-2], image.shape[-1]


def coarse_to_fine(
    source: Size, target: Size, least: int, factor: float = 0.75
) -> list[Level]:
    """Sizes of a source and a target that shrink together, coarsest first.

    :func:`~dil_teach.image.pyramid.pyramid` returns one image at given scales. Here the
    target does not exist yet, so only sizes are returned, for both images.

    Parameters
    ----------
    source, target : (int, int)
        Height and width at the finest level, in pixels.
    least : int
        Smallest side of a level, in pixels. The finest level may be smaller.
    factor : float
        Size of a level relative to the next finer one, below 1.
    """
    levels = [Level(source, target)]
    scale = factor
    while scale * min(*source, *target) >= least:
        small = [(round(scale * h), round(scale * w)) for h, w in (source, target)]
        levels.append(Level(small[0], small[1]))
        scale *= factor
    return levels[::-1]


def updates_at(level: int) -> int:
    """Number of updates at a level; 0 is the coarsest."""
    return UPDATES[min(level, len(UPDATES) - 1)]


def search_rows(
    patches: Rows, size: Size, target: Image, where: Places | None
) -> tuple[Rows, Rows]:
    """Patches of the source and of the target, as rows whose distance is compared.

    A row has the patch's first principal components; and its place, if ``where`` gives
    the place in the source (of this size) that each pixel of the target should come
    from.
    """
    ours, theirs = project(patches, extract_patches(target, PATCH_SIZE))
    if where is not None:
        places = own_places(size).to(target)
        ours = torch.cat([ours, PLACE_WEIGHT * _patch_places(places)], 1)
        theirs = torch.cat([theirs, PLACE_WEIGHT * _patch_places(where)], 1)
    return ours, theirs


def project(source: Rows, target: Rows) -> tuple[Rows, Rows]:
    """Patches of both images as the first principal components of the source's."""
    centre = source.mean(0)
    sample = (source - centre)[:: len(source) // SAMPLE + 1].double()
    directions = torch.linalg.eigh(sample.T @ sample).eigenvectors  # rising order
    directions = directions[:, -COMPONENTS:].float()
    return (source - centre) @ directions, (target - centre) @ directions


def own_places(size: Size) -> Float[Tensor, "2 h w"]:
    """The place of each pixel of an image: down and right, as shares of its sides."""
    height, width = size
    y = (torch.arange(height) + 0.5) / height
    x = (torch.arange(width) + 0.5) / width
    return torch.stack(torch.meshgrid(y, x, indexing="ij"))


def _patch_places(where: Places) -> Float[Tensor, "n 2"]:
    """The place at the middle of each patch, row by row."""
    return extract_patches(where, PATCH_SIZE).view(-1, 2, PATCH_SIZE**2).mean(2)
