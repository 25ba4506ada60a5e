"""Carry the coarse result of a patch method to full size, at a cost per pixel.

The coarse levels compare all patches. At the finer levels, the patches of the source
are moved as at the coarser level, so the target is sharp from the start, and the
matches are improved by propagation (:mod:`.propagation`).
"""

import math
from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dil_teach.classical.retarget.matching import (
    COMPONENTS,
    PATCH_SIZE,
    Level,
    Places,
    Size,
    count_exact,
    count_pixels,
    own_places,
    search_rows,
    size_of,
)
from dil_teach.classical.retarget.propagation import (
    Field,
    bands,
    best_of_inverse,
    carry_field,
    grid,
    half_rows,
    propagate,
    uniform_field,
)
from dil_teach.image.convention import Image
from dil_teach.image.resize import resize
from dil_teach.patches.components import principal_components
from dil_teach.patches.extract import extract_patches
from dil_teach.patches.search import nearest_rows

Allowed = Bool[Tensor, " _n"]
"""For each source patch, whether it may be used."""
ROUNDS = (8, 4, 2)
"""Largest distance of the random candidate, in pixels, in each round of the first
search of a level. Each round also tests the matches of the eight neighbours. These
settings and the next two were chosen by hand."""
LATER_ROUNDS = (4, 2)
"""The same, for the other searches of a level."""
SEVERAL_UPDATES = 4_000_000
"""Maximum number of pixels of source and target together for a level with more than one
update. One update is enough to carry the result to a finer level."""
SAMPLE = 20_000
"""Number of patches from which the principal components are computed."""
FAR = 1000.0
"""Value of all components of a patch that may not be used."""


class Fields(NamedTuple):
    """The matches in both directions."""

    to_source: Field
    """Index of the best source patch of each target patch."""
    to_target: Field
    """Index of the nearest target patch of each source patch."""


Rebuild = Callable[[Image, Fields, Image], Image]
"""Computes the next target from the source, the fields and the present target."""
Weigh = Callable[[Float[Tensor, " n"]], Float[Tensor, " n"]]
"""Computes the weight of each source patch from the distance to its nearest target
patch. The best source patch has the smallest product of distance and weight."""


def refine(
    image: Image,
    target: Image,
    levels: list[Level],
    where: Places | None,
    rebuild: Rebuild,
    weigh: Weigh | None = None,
    usable: Callable[[Image], Allowed] | None = None,
) -> Image:
    """Carry a target from a coarse level to the finest level.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"]: the source at its full size.
    target : Image
        The target at ``levels[0]``.
    levels : list of Level
        The level of the target, and the finer ones. At the first level, all patches are
        compared; a first level that is too large for this starts from plain resizing.
    where : Float[Tensor, "2 h2 w2"] or None
        As in :func:`~.matching.search_rows`, at any size.
    rebuild, weigh : callable
        What the methods do differently. Without ``weigh``, all weights are 1.
    usable : callable, optional
        A function that returns, for a resized source, which of its patches may be used.
        By default, all may be used.
    """
    rng = torch.Generator(image.device).manual_seed(0)
    fields, before = None, levels[0]
    for level in levels:
        source = resize(image, size=level.source).clamp(0, 1)
        places = None if where is None else resize(where, size=level.target)
        allowed = None if usable is None else usable(source)
        if allowed is not None and not allowed.any():
            continue
        search = Search(source, places, weigh, allowed, rng)
        target = resize(target, size=level.target).clamp(0, 1)
        if fields is None and count_exact([level]):
            fields, before = search.exact(target), level
            continue
        if fields is None:
            fields = uniform(level, image.device)
        else:
            fields = carry(fields, before, level)
        target, before = rebuild(source, fields, target), level
        several = count_pixels(level) <= SEVERAL_UPDATES
        for number in range(level.updates if several else 1):
            rounds = LATER_ROUNDS if number else ROUNDS
            fields = search.improve(fields, target, rounds)
            target = rebuild(source, fields, target)
    return target


class Search(NamedTuple):
    """How patches are searched at one level. The fields are as in :func:`refine`."""

    source: Image
    where: Places | None
    weigh: Weigh | None
    allowed: Allowed | None
    rng: torch.Generator

    def exact(self, target: Image) -> Fields:
        """Find the matches by comparing all patches."""
        patches = extract_patches(self.source, PATCH_SIZE)
        keys, queries = search_rows(patches, size_of(self.source), target, self.where)
        if self.allowed is not None:
            keys[~self.allowed] = FAR
        nearest, to_target = nearest_rows(keys, queries)
        weights = self.weigh and self.weigh(nearest[:, 0])
        _, to_source = nearest_rows(queries, keys, weights=weights)
        return Fields(to_source.view(grid(target)), to_target.view(grid(self.source)))

    def improve(self, fields: Fields, target: Image, rounds: tuple[int, ...]) -> Fields:
        """Improve the matches by propagation; the given fields are changed."""
        count = COMPONENTS if self.where is None else COMPONENTS - 2
        stride = max(1, math.isqrt(self.source[0].numel() // SAMPLE))
        sample = extract_patches(self.source, PATCH_SIZE, stride)
        components = principal_components(sample, count)
        places = None if self.where is None else own_places(size_of(self.source))
        keys = half_rows(self.source, components, places)
        if self.allowed is not None:
            keys[~self.allowed] = FAR
        queries = half_rows(target, components, self.where)

        to_source, to_target = fields
        nearest = propagate(to_target, keys, queries, grid(target), rounds, self.rng)
        weights = self.weigh and self.weigh(nearest.flatten())
        best = propagate(
            to_source, queries, keys, grid(self.source), rounds, self.rng, weights
        )
        del keys, queries  # frees most of the memory
        return Fields(to_source, best_of_inverse(to_target, nearest, to_source, best))


def uniform(level: Level, device: torch.device) -> Fields:
    """The fields of plain resizing."""
    return Fields(
        uniform_field(level.target, level.source, device),
        uniform_field(level.source, level.target, device),
    )


def carry(fields: Fields, before: Level, level: Level) -> Fields:
    """Take the fields to a finer level: each patch is shifted as its parent was."""
    old, new = (Level(each.target, each.source, 0) for each in (before, level))
    return Fields(
        carry_field(fields.to_source, before, level),
        carry_field(fields.to_target, old, new),
    )


def sum_votes(
    source: Image,
    fields: Fields,
    size: Size,
    coherence: Float[Tensor, " n"] | None = None,
    completeness: Float[Tensor, " m"] | None = None,
) -> tuple[Image, Float[Tensor, "1 h w"]]:
    """The sums of the votes for each pixel of a target, and of their weights.

    Parameters
    ----------
    source : Image
        Float[Tensor, "c h2 w2"].
    fields : Fields
        Each target patch votes for the pixels of its match; each source patch votes, at
        its match, for its own pixels.
    size : (int, int)
        Height and width of the target.
    coherence : Float[Tensor, "n"], optional
        Weights of the target patches; by default 1.
    completeness : Float[Tensor, "m"], optional
        Weights of the source patches; by default 0.
    """
    pixels = torch.cat([source, torch.ones_like(source[:1])])
    shifts = list(product(range(PATCH_SIZE), repeat=2))
    total = source.new_zeros(len(pixels), *size)

    flat, columns = pixels.flatten(1).T.contiguous(), source.shape[2]
    height, width = fields.to_source.shape
    for top, bottom in bands(height, width):
        corner = _corners(fields.to_source[top:bottom], columns)
        weight = None if coherence is None else coherence[top * width : bottom * width]
        for y, x in shifts:
            votes = flat.index_select(0, corner + (y * columns + x))
            if weight is not None:
                votes *= weight[:, None]
            votes = votes.view(bottom - top, width, -1).permute(2, 0, 1)
            total[:, top + y : bottom + y, x : x + width] += votes

    if completeness is not None:
        height, width = fields.to_target.shape
        for top, bottom in bands(height, width):
            corner = _corners(fields.to_target[top:bottom], size[1])
            weight = completeness[top * width : bottom * width].view(-1, width)
            for y, x in shifts:
                votes = pixels[:, top + y : bottom + y, x : x + width] * weight
                for summed, vote in zip(total, votes, strict=True):
                    place = corner + (y * size[1] + x)
                    summed.view(-1).index_add_(0, place, vote.flatten())
    return total[:-1], total[-1:]


def _corners(field: Field, columns: int) -> Int[Tensor, " n"]:
    """The index of the top left pixel of each match, in an image with ``columns``."""
    match = field.flatten()
    return match + (PATCH_SIZE - 1) * (match // (columns - PATCH_SIZE + 1))
