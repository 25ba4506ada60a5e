"""The search of fractal coding: the best domain block of every range block."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dil_teach.patches.extract import extract_patches

Plane = Float[Tensor, "_h _w"]
"""One channel, in grey levels from 0 to 255."""

CONTRAST_STEP = 1 / 16
"""Distance of two values of contrast. On camera, china and flower (0.8 bits per pixel),
steps of 1/8 lost 0.2 dB and steps of 1/32 gained nothing."""
MOST_CONTRAST = 15 / 16
"""Largest |contrast|: below 1, so that the maps are contractions."""
MOST_DOMAINS = 2**14
"""Maximum number of domains of one side: all of them for 256 x 256 pixels. With every
second position along rows and columns, camera, china and flower lost 0.6 dB at 0.8 bits
per pixel."""
INVERSE = (0, 3, 2, 1, 4, 5, 6, 7)
"""The isometry that undoes each isometry."""
SCORES = 4_000_000
"""Number of products in memory at a time: 16 MB for each of two tables."""
DARK = 1e-3
"""A domain whose norm without the mean is at most this, in grey levels, is flat."""


@dataclass(frozen=True)
class BestDomains:
    """The best domain d of every range block r, both without their means."""

    domain: Int[Tensor, "n"]
    """Index in the grid of :func:`domain_grid`, in reading order."""
    isometry: Int[Tensor, "n"]
    """The isometry of the domain: 0 to 7."""
    contrast: Float[Tensor, "n"]
    """<r, d> / |d|^2, at most ``MOST_CONTRAST`` in size."""
    product: Float[Tensor, "n"]
    """<r, d>."""
    energy: Float[Tensor, "n"]
    """|d|^2."""
    mean: Float[Tensor, "n"]
    """Mean of the domain, in grey levels."""


def best_domains(blocks: Float[Tensor, "n side side"], half: Plane) -> BestDomains:
    """Find the domain, isometry and contrast with the smallest squared error.

    Let r be a range block and d a domain, both without their means, and u the unit
    vector of d. The best contrast leaves the error |r|^2 - <r, u>^2. So the best domain
    has the largest |<r, u>|, of either sign, and one matrix product compares all
    domains. If the best contrast is too large, the largest allowed contrast leaves the
    error |r|^2 - m (2 |<r, u>| - m) with m = MOST_CONTRAST |d|. Instead of the domain,
    the range block is transformed, by the inverse isometry.

    Parameters
    ----------
    blocks : Float[Tensor, "n side side"]
        The range blocks.
    half : Float[Tensor, "h w"]
        The image averaged down by two, in which the domains have the size of a block.
    """
    side = blocks.shape[-1]
    step = domain_grid(half.shape, side)[0]
    domains = extract_patches(half[None], side, step)
    means = domains.mean(1)
    domains = domains - means[:, None]
    norms = domains.norm(dim=1)
    units = torch.where(norms > DARK, 1 / norms, 0)[:, None] * domains
    most = MOST_CONTRAST * norms
    ranges = blocks - blocks.mean((1, 2), keepdim=True)
    gain = ranges.new_full((len(ranges),), -1)  # what the best map so far explains
    domain, isometry = torch.zeros(2, len(ranges), dtype=torch.long)
    size = max(SCORES // len(domains), 1)
    for number in range(8):
        turned = apply_isometry(ranges, INVERSE[number]).flatten(1)
        for first in range(0, len(ranges), size):
            rows = slice(first, first + size)
            products = (turned[rows] @ units.T).abs_()
            used = torch.minimum(products, most)
            gains = products.mul_(2).sub_(used).mul_(used)
            where = torch.from_numpy(gains.numpy().argmax(1))  # faster than torch's
            found = gains.gather(1, where[:, None])[:, 0]
            better = found > gain[rows]
            gain[rows] = torch.where(better, found, gain[rows])
            domain[rows] = torch.where(better, where, domain[rows])
            isometry[rows] = torch.where(better, number, isometry[rows])
    chosen = domains[domain].view_as(ranges)
    for number in range(8):
        at = isometry == number
        chosen[at] = apply_isometry(chosen[at], number)
    product = (ranges * chosen).sum((1, 2))
    energy = norms[domain].square()
    contrast = product / energy.clamp_min(DARK**2)
    contrast = contrast.clamp(-MOST_CONTRAST, MOST_CONTRAST)
    return BestDomains(domain, isometry, contrast, product, energy, means[domain])


def domain_grid(half_size: Sequence[int], side: int) -> tuple[int, int, int]:
    """The smallest step in pixels of the halved image, and the rows and columns of the
    grid of domains, for at most ``MOST_DOMAINS`` domains."""
    height, width = half_size[0] - side, half_size[1] - side
    step = max(math.isqrt(height * width // MOST_DOMAINS), 1)
    while (height // step + 1) * (width // step + 1) > MOST_DOMAINS:
        step += 1
    return step, height // step + 1, width // step + 1


def apply_isometry(
    blocks: Float[Tensor, "n side side"] | Int[Tensor, "n side side"], number: int
) -> Float[Tensor, "n side side"] | Int[Tensor, "n side side"]:
    """One of the eight symmetries of a square: transposed from 4 on, then rotated by
    ``number % 4`` quarter turns."""
    if number >= 4:
        blocks = blocks.transpose(1, 2)
    return blocks.rot90(number % 4, (1, 2))


def cut_blocks(plane: Plane, side: int) -> Float[Tensor, "n side side"]:
    """Square blocks of a plane, in reading order; they do not overlap."""
    height, width = plane.shape
    rows = plane.view(height // side, side, width // side, side)
    return rows.transpose(1, 2).reshape(-1, side, side)


def halved(plane: Plane) -> Plane:
    """A plane averaged down by two."""
    return F.avg_pool2d(plane[None], 2)[0]
