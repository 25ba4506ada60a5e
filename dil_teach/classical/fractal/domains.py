"""The search of fractal coding: the best domain block of every range block."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dil_teach.patches.extract import extract_patches

Plane = Float[Tensor, "_h _w"]
"""One channel, in grey levels from 0 to 255."""

CONTRAST_STEP = 1 / 16
"""Distance of two values of contrast. On camera, china and flower (0.8 bits per pixel,
version 1 of the file format), steps of 1/8 lost 0.2 dB and 1/32 gained nothing."""
MOST_CONTRAST = 15 / 16
"""Largest |contrast|: below 1, so that the maps are contractions."""
MOST_DOMAINS = 2**14
"""Maximum number of domains of one side: all of them for 256 x 256 pixels. With every
second position along rows and columns, camera, china and flower lost 0.6 dB at 0.8 bits
per pixel (version 1 of the file format)."""
INVERSE = (0, 3, 2, 1, 4, 5, 6, 7)
"""The isometry that undoes each isometry."""
SCORES = 4_000_000
"""Number of products in memory at a time: 16 MB for each of two tables."""
DARK = 1e-3
"""A domain whose norm without the mean is at most this, in grey levels, is flat."""


class Reach(NamedTuple):
    """A set of domains for each range block. Addresses in a small set need few bits."""

    width: int
    """The set is a square of domains around the range block, with this number of
    domains along a side, or all that the image has."""
    isometries: int
    """8, or 1 for domains that are not transformed."""


REACHES = (Reach(4, 1), Reach(16, 8), Reach(MOST_DOMAINS, 8))
"""The sets that each range block chooses from. With the last set alone, astronaut,
chelsea, coffee and camera lost 0.3 dB at 0.43 bits per pixel."""


@dataclass(frozen=True)
class BestDomains:
    """The best domain d of every range block r, both without their means."""

    domain: Int[Tensor, "n"]
    """Index in the grid of :func:`domain_grid`, in reading order."""
    isometry: Int[Tensor, "n"]
    """The isometry of the domain: 0 to 7."""
    product: Float[Tensor, "n"]
    """<r, d>."""
    energy: Float[Tensor, "n"]
    """|d|^2."""
    mean: Float[Tensor, "n"]
    """Mean of the domain, in grey levels."""


def best_domains(
    blocks: Float[Tensor, "n side side"], corner: Int[Tensor, "n 2"], half: Plane
) -> list[BestDomains]:
    """Find the domain and isometry with the smallest squared error, for each reach.

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
    corner : Int[Tensor, "n 2"]
        Row and column of the top left pixel of each block.
    half : Float[Tensor, "h w"]
        The image averaged down by two, in which the domains have the size of a block.

    Returns
    -------
    list of BestDomains
        For each of ``REACHES``.
    """
    side = blocks.shape[-1]
    domains = extract_patches(half[None], side, domain_grid(half.shape, side)[0])
    means = domains.mean(1)
    domains = domains - means[:, None]
    norms = domains.norm(dim=1)
    units = torch.where(norms > DARK, 1 / norms, 0)[:, None] * domains
    most = MOST_CONTRAST * norms
    ranges = blocks - blocks.mean((1, 2), keepdim=True)
    gain = ranges.new_full((len(REACHES), len(ranges)), -1)  # what the best explains
    domain, isometry = torch.zeros(2, *gain.shape, dtype=torch.long)
    size = max(SCORES // len(domains), 1)
    for first in range(0, len(ranges), size):
        part = slice(first, first + size)
        within = [squares(corner[part], side, half.shape, r) for r in REACHES]
        index = [None if s.count == len(domains) else s.domains() for s in within]
        for number in range(8):
            turned = apply_isometry(ranges[part], INVERSE[number]).flatten(1)
            products = (turned @ units.T).abs_()
            used = torch.minimum(products, most)
            gains = products.mul_(2).sub_(used).mul_(used)
            for which, square in enumerate(within):
                if number >= REACHES[which].isometries:
                    continue
                near = index[which]
                some = gains if near is None else gains.gather(1, near)
                where = torch.from_numpy(some.numpy().argmax(1))  # faster than torch's
                found = some.gather(1, where[:, None])[:, 0]
                place = square.domain(where)
                better = found > gain[which, part]
                for kept, new in ((gain, found), (domain, place), (isometry, number)):
                    kept[which, part] = torch.where(better, new, kept[which, part])
    best = []
    for place, turn in zip(domain, isometry, strict=True):
        chosen = domains[place].view_as(ranges)
        for number in range(8):
            chosen[turn == number] = apply_isometry(chosen[turn == number], number)
        product = (ranges * chosen).sum((1, 2))
        best.append(BestDomains(place, turn, product, norms[place] ** 2, means[place]))
    return best


@dataclass(frozen=True)
class Squares:
    """A square of domains around each of n range blocks, cut to the grid of domains."""

    first: Int[Tensor, "n"]
    """Index of the top left domain in the grid."""
    height: int
    width: int
    columns: int
    """Number of columns of the whole grid."""

    @property
    def count(self) -> int:
        """Number of domains."""
        return self.height * self.width

    def domain(self, place: Int[Tensor, "n"]) -> Int[Tensor, "n"]:
        """The index in the grid of a place in the square, in reading order."""
        return self.first + place // self.width * self.columns + place % self.width

    def domains(self) -> Int[Tensor, "n count"]:
        """The indices in the grid of all domains of a square, in reading order."""
        row, column = torch.arange(self.height), torch.arange(self.width)
        return self.first[:, None] + (row[:, None] * self.columns + column).flatten()

    def place(self, domain: Int[Tensor, "n"]) -> Int[Tensor, "n"]:
        """The place of a domain in the square."""
        row = domain // self.columns - self.first // self.columns
        column = domain % self.columns - self.first % self.columns
        return row * self.width + column


def squares(
    corner: Int[Tensor, "n 2"], side: int, half_size: Sequence[int], reach: Reach
) -> Squares:
    """The domains within a reach.

    The domain in the middle of a square has the same centre as the range block. At the
    border of the image, the square is moved inwards.
    """
    step, rows, columns = domain_grid(half_size, side)
    height, width = min(reach.width, rows), min(reach.width, columns)
    middle = torch.div(corner // 2 - side // 4, step, rounding_mode="floor")
    top, left = (middle - reach.width // 2).unbind(1)
    first = top.clamp(0, rows - height) * columns + left.clamp(0, columns - width)
    return Squares(first, height, width, columns)


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
