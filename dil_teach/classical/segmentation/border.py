"""The border of a mask at full resolution, from the mask of a small copy.

Lombaert, Sun, Grady and Xu, "A Multilevel Banded Graph Cuts Method for Fast Image
Segmentation", ICCV 2005: the mask of a small copy is right except in a band around its
border. Each level doubles the resolution and cuts again in this band alone, so the
number of pixels in the cuts is proportional to the length of the border.

The evidence of a pixel is the log-likelihood ratio of its colour among the colours on
both sides of the border near it, as in Video SnapCut (Bai, Wang, Simons and Sapiro,
SIGGRAPH 2009). We use a kernel density instead of Gaussian mixtures, and a discriminant
analysis instead of their confidence: along the edges of the band, where the layer of
each pixel is known, it measures how well the colours separate the layers there.
"""

import math
from typing import Any, NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from scipy import ndimage
from torch import Tensor

from dil_teach.classical.graph_cut import graph_cut
from dil_teach.classical.segmentation.grab_cut import NEIGHBOURS, SURE
from dil_teach.image.convention import Image
from dil_teach.image.resize import resize

FIRST_BAND, BAND = 3.0, 2.0
"""Half the width of the band, in pixels of the coarser mask: for the mask of the small
copy, and for masks that were cut in a band. These constants were chosen on the practice
composites of ``data/render_scenes.py`` at 512 and 1200 pixels a side."""
RING = 0.9
"""Width of the strips along the band in which the layers are known, in the same
pixels."""
PRIOR = 1.0
"""Evidence, in nats, of one pixel of distance to the border of the coarser mask."""
SMOOTHNESS = 4.0
"""Cost, in nats, of a border between two pixels of equal colour."""
CHUNK = 2048
"""Number of pixels whose samples are gathered at once; more need more memory."""
REACH, SAMPLES = 16.0, 80
"""Radius in pixels of the disk from which colours are taken, and their number."""
SPREAD = 0.03
"""Scale of the kernel of the densities: squared differences of colours are compared
with its square."""
CELL, FEW = 48, 30
"""Side in pixels of the cells in which the discriminant analysis is local, and the
weight of the whole picture in pixels: it counts where a cell has few known pixels."""
STEEPEST = 4.0
"""Largest factor of the evidence from colours."""

Mask = Bool[Tensor, "h w"]
Values = Float[Tensor, " _pixels"]


class Places(NamedTuple):
    """Pixels in and along the band."""

    y: Int64[Tensor, " _pixels"]
    x: Int64[Tensor, " _pixels"]


def refine_border(
    image: Image, mask: Bool[Tensor, "_h2 _w2"], foreground: Mask, background: Mask
) -> Mask:
    """Enlarge the mask of a small copy to the size of its image.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"], in [0, 1].
    mask : Bool[Tensor, "h2 w2"]
        The mask of the small copy.
    foreground, background : Bool[Tensor, "h w"]
        Hints: pixels whose layer is known. All tensors are on the CPU.
    """
    levels = [image]
    while max(levels[-1].shape[-2:]) > 2 * max(mask.shape):
        height, width = (
            max(math.ceil(side / 2), least)
            for side, least in zip(levels[-1].shape[-2:], mask.shape, strict=True)
        )
        levels.append(resize(levels[-1], size=(height, width), kernel="area"))
    hints, half_band = torch.stack([foreground, background]).float(), FIRST_BAND
    for level in reversed(levels):
        known = F.adaptive_max_pool2d(hints, level.shape[-2:]) > 0
        mask = cut_in_band(level, mask, known[0], known[1], half_band)
        half_band = BAND
    return mask


def cut_in_band(
    image: Image,
    coarse: Bool[Tensor, "_h2 _w2"],
    foreground: Mask,
    background: Mask,
    width: float,
) -> Mask:
    """The mask of minimum cost, which is the coarser mask outside the band."""
    height, length = image.shape[-2:]
    away = signed_distance(coarse, math.ceil(width) + 1)[None, None]
    away = F.interpolate(away, [height, length], mode="bilinear")[0, 0]
    mask = away > 0
    y, x = (away.abs() < width + RING).nonzero(as_tuple=True)
    places = Places(y, x)
    distance = away[places]
    if not (distance.abs() < width).any():
        return mask
    ratio = local_discriminant(
        colour_ratio(image, away, places), distance, places, width
    )
    in_band = distance.abs() < width
    y, x = (axis[in_band] for axis in places)
    evidence = ratio[in_band] + PRIOR * distance[in_band]
    evidence[foreground[y, x]] = SURE
    evidence[background[y, x]] = -SURE
    number = torch.full((height, length), -1)
    number[y, x] = torch.arange(len(y))
    steps = []
    for dy, dx in (*NEIGHBOURS, *((-dy, -dx) for dy, dx in NEIGHBOURS)):
        ty, tx = y + dy, x + dx
        exists = (ty >= 0) & (ty < height) & (tx >= 0) & (tx < length)
        here, ty, tx = exists.nonzero()[:, 0], ty[exists], tx[exists]
        unlike = (image[:, y[here], x[here]] - image[:, ty, tx]).square().sum(0)
        steps.append((here, number[ty, tx], mask[ty, tx], unlike, math.hypot(dy, dx)))
    beta = 0.5 / torch.cat([step[3] for step in steps]).mean().clamp_min(1e-12)
    pairs = []
    for here, there, layer, unlike, far in steps:
        cost = SMOOTHNESS / far * torch.exp(-beta * unlike)
        fixed = there < 0
        evidence.index_add_(
            0, here[fixed], cost[fixed].where(layer[fixed], -cost[fixed])
        )
        once = there > here
        pairs.append((here[once], there[once], cost[once]))
    mask[y, x] = graph_cut((-evidence).clamp_min(0), evidence.clamp_min(0), pairs)
    return without_specks(mask, (away.abs() >= width) | foreground | background)


def without_specks(mask: Mask, known: Mask) -> Mask:
    """Give parts without a known pixel to the other layer: they are noise."""
    for layer in (True, False):
        parts, count = cast(Any, ndimage.label(mask.numpy() == layer))
        speck = np.ones(count + 1, dtype=bool)
        speck[parts[known.numpy()]] = speck[0] = False
        mask = mask ^ torch.from_numpy(speck[parts])
    return mask


def signed_distance(mask: Mask, limit: int) -> Float[Tensor, "h w"]:
    """Pixels to the border, at most ``limit``, and negative outside the mask."""
    layers = torch.stack([mask, ~mask]).float()
    total = layers.clone()
    for _ in range(limit - 1):
        layers = -F.max_pool2d(-layers, 3, 1, 1)  # erosion
        total += layers
    return total[0] - total[1]


def colour_ratio(image: Image, away: Float[Tensor, "h w"], places: Places) -> Values:
    """Log-likelihood ratio of each pixel's colour, from samples on a spiral around it.

    A sample counts for its side of the border with its distance to the border.
    """
    k = torch.arange(SAMPLES)[:, None]
    radius, angle = REACH * ((k + 0.5) / SAMPLES).sqrt(), k * math.pi * (3 - 5**0.5)
    down, right = ((radius * f(angle)).round().long() for f in (torch.sin, torch.cos))
    height, width = away.shape
    # one row for each pixel, because rows are gathered faster than planes
    rows = torch.cat([image, away[None]]).flatten(1).T.contiguous()
    ratios = []
    for first in range(0, len(places.y), CHUNK):
        at_y, at_x = (axis[first : first + CHUNK] for axis in places)
        y, x = at_y + down, at_x + right
        exists = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        samples = rows[(y * width + x).where(exists, 0)]  # (samples, pixels, c + 1)
        unlike = samples[..., :-1] - rows[at_y * width + at_x, :-1]
        density = 1 / (unlike.square().mean(2) + SPREAD**2).square()
        side = samples[..., -1] * exists
        weights = torch.stack([side, -side]).clamp_min(0)
        total = weights.sum(1)
        likely = ((weights * density).sum(1) / total.clamp_min(1e-6)).clamp_min(1e-6)
        inside, outside = likely.log()
        ratios.append((inside - outside).where((total > 0).all(0), 0))
    return torch.cat(ratios)


def local_discriminant(
    ratio: Values, distance: Values, places: Places, width: float
) -> Values:
    """Calibrate log-likelihood ratios: Fisher's discriminant of one feature.

    The means and variances of both layers are those of the pixels along the band.
    """
    rows, columns = (int(axis.max()) // CELL + 1 for axis in places)
    cell = places.y // CELL * columns + places.x // CELL
    moments = torch.stack([ratio**0, ratio, ratio**2]).double()
    layers = []
    for known in (distance >= width, distance <= -width):
        table = torch.zeros(3, rows * columns, dtype=torch.double)
        table.index_add_(1, cell[known], moments[:, known])
        whole = table.sum(1) / table[0].sum().clamp_min(1)
        local = 9 * F.avg_pool2d(table.view(3, rows, columns), 3, 1, 1)
        local = local + FEW * whole[:, None, None]
        mean, square = local[1:] / local[0].clamp_min(1e-9)
        layers.append((mean, (square - mean**2).clamp_min(1e-3)))
    (inside, spread_in), (outside, spread_out) = layers
    slope = 2 * (inside - outside) / (spread_in + spread_out)
    slope = slope.clamp(0, STEEPEST).flatten()[cell].float()
    return slope * (ratio - (inside + outside).flatten()[cell].float() / 2)
