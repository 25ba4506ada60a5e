"""The brightness of fractal maps, computed from the means of the range blocks.

The mean of a range block is easy to predict from the blocks around it, so it needs
fewer bits than the brightness: mean of the range - contrast * mean of the domain. The
means of all range blocks make a mosaic, and the mean of a domain in this mosaic is
almost its mean in the image. Means in the file are due to Oien and Lepsoy,
"Fractal-based image coding with fast decoder convergence", Signal Processing 1994; they
subtract the mean of the domain in every iteration of the decoder. With the mosaic, the
brightness is known before the iteration, so the maps remain contractions in the maximum
norm.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.fractal.domains import (
    CONTRAST_STEP,
    Plane,
    domain_grid,
    halved,
)
from dil_teach.classical.fractal.quadtree import Level

PASSES = 3
"""Corrections of the means by :func:`best_means`; a fourth changes little."""


def brightness(level: Level, means: Plane) -> Float[Tensor, "ranges"]:
    """The brightness of the maps: mean of the range - contrast * mean of the domain.

    The mean of the domain is taken from ``means``, the :func:`mosaic` of all levels.
    """
    return level.step * level.mean - _contrast(level) * domain_means(level, means)


def mosaic(levels: Sequence[Level], size: Sequence[int]) -> Plane:
    """The image in which each pixel has the mean of its range block."""
    plane = torch.zeros(*size)
    for level in levels:
        corner = level.corner[~level.split]
        inside = torch.arange(level.side)
        rows = corner[:, 0, None, None] + inside[:, None]
        columns = corner[:, 1, None, None] + inside
        plane[rows, columns] = (level.step * level.mean).float()[:, None, None]
    return plane


def best_means(levels: Sequence[Level], plane: Plane) -> tuple[Level, ...]:
    """The levels with the means that give each block its best brightness.

    A domain has another mean in the mosaic than in the image. The mean of the range
    block makes up for the difference. This changes the mosaic, but less each time.
    """
    for _ in range(PASSES):
        seen, found = mosaic(levels, plane.shape), []
        for level in levels:
            row, column = (level.corner[~level.split] // level.side).unbind(1)
            mean = F.avg_pool2d(plane[None], level.side)[0][row, column]
            error = domain_means(level, seen) - domain_means(level, plane)
            mean = mean + _contrast(level) * error
            mean = mean.clamp(plane.min(), plane.max())  # so that a file can hold it
            found.append(replace(level, mean=(mean / level.step).round().long()))
        levels = found
    return tuple(levels)


def domain_means(level: Level, plane: Plane) -> Float[Tensor, "ranges"]:
    """The mean of the domain of each map."""
    half = halved(plane)
    step = domain_grid(half.shape, level.side)[0]
    return F.avg_pool2d(half[None], level.side, step).flatten()[level.domain]


def _contrast(level: Level) -> Float[Tensor, "ranges"]:
    return CONTRAST_STEP * level.contrast.float()
