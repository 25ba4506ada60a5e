"""The pyramid levels and the patch features that both patch methods use."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.convention import Image, check_image
from dil_teach.patches.components import principal_components
from dil_teach.patches.extract import extract_patches

Rows = Float[Tensor, "_n _values"]
Places = Float[Tensor, "2 _h _w"]
"""For each pixel, a place (y, x), as fractions of the source's height and width."""
Size = tuple[int, int]
"""Height and width, in pixels."""

PATCH_SIZE = 7
"""Side of a patch in pixels, as in both papers."""
COARSEST = 20
"""Smallest side of the coarsest level, in pixels: almost three patches."""
UPDATES = (20, 6, 4, 3)
"""Number of updates at each level, coarsest first; further levels use the last number.
Chosen by hand. (GPNN's paper has 10 updates at each level.)"""
SHRINK = 0.75
"""Size of a level, divided by the size of the next finer level."""
PLACE_WEIGHT = 3.0
"""A patch's position is multiplied by this weight before patches are compared.
Positions are fractions of the image's sides. We depart from the papers, which compare
only pixel values. The weight was chosen by hand."""
COMPONENTS = 32
"""Number of principal components that represent a patch. Chosen by hand."""
MOST_EXACT = 50_000
"""Maximum number of pixels of source and target together for a level at which all
patches are compared, which takes a second. Finer levels use :mod:`.refinement`."""


class Level(NamedTuple):
    """One level of the pyramid."""

    source: Size
    target: Size
    updates: int


def count_pixels(level: Level) -> int:
    """The number of pixels of source and target together."""
    return sum(height * width for height, width in (level.source, level.target))


def count_exact(levels: list[Level]) -> int:
    """The number of levels at which all patches are compared."""
    return sum(count_pixels(level) <= MOST_EXACT for level in levels)


def finest_exact(levels: list[Level]) -> Level:
    """The finest level at which all patches are compared; else the coarsest level."""
    return levels[max(count_exact(levels) - 1, 0)]


def size_of(image: Tensor) -> Size:
    """The height and width of an image."""
    return image.shape[-2], image.shape[-1]


def check_sizes(image: Image, size: Size, name: str = "image") -> None:
    """Raise a ValueError unless the image and the result are larger than a patch."""
    check_image(image, name, min_side=PATCH_SIZE + 1)
    if min(size) <= PATCH_SIZE:
        raise ValueError(
            f"size: expected sides of at least {PATCH_SIZE + 1} pixels, got {size}"
        )


def check_edited(edited: Image, image: Image, name: str = "edited") -> None:
    """Raise a ValueError unless ``edited`` can be rebuilt from the image's patches."""
    check_image(image, min_side=PATCH_SIZE + 1)
    check_image(edited, name, min_side=PATCH_SIZE + 1)
    if len(edited) != len(image):
        raise ValueError(
            f"{name}: expected {len(image)} channels as in the image, got "
            f"{len(edited)}; make both grey or both colour"
        )


def coarse_to_fine(source: Size, target: Size, least: int = COARSEST) -> list[Level]:
    """The pyramid levels of source and target, shrunk equally, coarsest first.

    ``source`` and ``target`` are the sizes at the finest level. No side of a coarser
    level is shorter than ``least``.
    """
    scale, sizes = SHRINK, [(source, target)]
    while scale * min(*source, *target) >= least:
        small = [(round(scale * h), round(scale * w)) for h, w in (source, target)]
        sizes.append((small[0], small[1]))
        scale *= SHRINK
    last = len(UPDATES) - 1
    return [Level(*s, UPDATES[min(k, last)]) for k, s in enumerate(sizes[::-1])]


def search_rows(
    patches: Rows, size: Size, target: Image, where: Places | None
) -> tuple[Rows, Rows]:
    """The rows to compare: one for each source patch, and one for each target patch.

    A row has the patch's first principal components, and the patch's place if ``where``
    is given: the place in the source for each pixel of the target. ``size`` is the size
    of the source.
    """
    ours, theirs = project(patches, extract_patches(target, PATCH_SIZE))
    if where is not None:
        places = own_places(size).to(target)
        ours = torch.cat([ours, PLACE_WEIGHT * _patch_places(places)], 1)
        theirs = torch.cat([theirs, PLACE_WEIGHT * _patch_places(where)], 1)
    return ours, theirs


def project(source: Rows, target: Rows) -> tuple[Rows, Rows]:
    """Project both images' patches onto the principal components of the source."""
    centre, directions = principal_components(source, COMPONENTS)
    return (source - centre) @ directions, (target - centre) @ directions


def own_places(size: Size) -> Float[Tensor, "2 h w"]:
    """The (y, x) of each pixel centre, as fractions of the image's height and width."""
    shares = ((torch.arange(side) + 0.5) / side for side in size)
    return torch.stack(torch.meshgrid(*shares, indexing="ij"))


def _patch_places(where: Places) -> Float[Tensor, "n 2"]:
    """The mean place of the pixels of each patch, in reading order."""
    return extract_patches(where, PATCH_SIZE).view(-1, 2, PATCH_SIZE**2).mean(2)
