"""Classical multi-image constraints from one image: Glasner et al., ICCV 2009, 3.1.

If a patch of the given image y recurs elsewhere in y, shifted by a fraction of a pixel,
then both patches show the same part of the high-resolution image x at different
sub-pixel positions. So the recurring patch gives samples of the blurred image B x
between the pixels of y.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.kernel import Kernel2d
from dil_teach.image.resize import INTERPOLATION, blur_and_subsample
from dil_teach.patches.extract import extract_patches
from dil_teach.patches.search import nearest_patches

Plane = Float[Tensor, "1 _h _w"]

TOLERANCE = 0.005
"""A sample has the weight exp(-d^2 / (2 TOLERANCE^2)), where d is the root mean square
difference of the aligned patches: about one grey level of 255."""
LARGEST_SHIFT = 0.75
"""Largest sub-pixel shift between similar patches, in pixels of y. For larger shifts,
the linear alignment is not accurate."""
SMALLEST_GRADIENT = 1e-4
"""Added to the squared gradients of a patch: in a flat patch, the shift is 0."""
SMALLEST_WEIGHT = 0.05
"""Samples with a smaller weight are left out."""


class Samples(NamedTuple):
    """Values of the blurred high-resolution image at sub-pixel positions."""

    row: Float[Tensor, "n"]
    """Row and column in pixels of the given image; fractions lie between pixels."""
    column: Float[Tensor, "n"]
    value: Float[Tensor, "n"]
    weight: Float[Tensor, "n"]
    """From 0 to 1: how well the similar patch agrees after alignment."""


def similar_samples(low: Plane, patch_size: int, neighbours: int) -> Samples:
    """Find the similar patches of each patch, and align them to sub-pixel accuracy.

    The central pixel of each similar patch is one sample. The shift (v, u) that aligns
    a patch p with a similar patch q minimises | q - p - v dp/dy - u dp/dx |^2, with the
    mean gradient of both patches (Lucas and Kanade 1981).
    """
    found = nearest_patches(low, low, patch_size, neighbours, exclude_self=True)
    height, width = found.row.shape[:2]
    match = (found.row * width + found.column).flatten(0, 1)
    by_row, by_column = torch.gradient(low[0])
    own = extract_patches(low, patch_size)
    rows = extract_patches(by_row[None], patch_size)
    columns = extract_patches(by_column[None], patch_size)
    parts = []
    for k in range(neighbours):
        other = match[:, k]
        change = own[other] - own
        dy, dx = (rows[other] + rows) / 2, (columns[other] + columns) / 2
        yy = dy.square().sum(1) + SMALLEST_GRADIENT
        xx = dx.square().sum(1) + SMALLEST_GRADIENT
        xy, y, x = ((a * b).sum(1) for a, b in ((dy, dx), (dy, change), (dx, change)))
        determinant = yy * xx - xy**2
        v = (xx * y - xy * x) / determinant
        u = (yy * x - xy * y) / determinant
        rest = change - v[:, None] * dy - u[:, None] * dx
        weight = torch.exp(-rest.square().mean(1) / (2 * TOLERANCE**2))
        weight[(v.abs() > LARGEST_SHIFT) | (u.abs() > LARGEST_SHIFT)] = 0
        middle = patch_size**2 // 2
        parts.append((v, u, own[other, middle], weight))
    v, u, value, weight = (torch.stack(part, 1) for part in zip(*parts, strict=True))
    corner = torch.arange(height * width, device=low.device)[:, None]
    row = corner // width + patch_size // 2 + v
    column = corner % width + patch_size // 2 + u
    used = weight > SMALLEST_WEIGHT
    return Samples(*(part[used] for part in (row, column, value, weight)))


def sample(
    high: Plane, samples: Samples, blur: Kernel2d, scales: tuple[float, float]
) -> Float[Tensor, "n"]:
    """The blurred high-resolution image at the positions of the samples."""
    blurred = blur_and_subsample(high, blur, 1)
    height, width = high.shape[-2:]
    # grid_sample expects columns before rows, and coordinates from -1 to 1
    y = (2 * (samples.row + 0.5) * scales[0]) / height - 1
    x = (2 * (samples.column + 0.5) * scales[1]) / width - 1
    places = torch.stack([x, y], -1)[None, None]
    return F.grid_sample(
        blurred[None], places, "bicubic", "border", align_corners=False
    ).flatten()


def blur_of(
    kernel: str | Kernel2d, scales: tuple[float, float]
) -> Float[Tensor, "_kh _kw"]:
    """The kernel as an array with odd sides; a named kernel is sampled at pixels."""
    if not isinstance(kernel, str):
        return torch.as_tensor(kernel)
    function, reach = INTERPOLATION[kernel]
    sides = []
    for scale in scales:
        across = np.arange(-round(reach * scale), round(reach * scale) + 1)
        weights = function(across / scale)
        sides.append(torch.from_numpy(weights / weights.sum()))
    return torch.outer(*sides)
