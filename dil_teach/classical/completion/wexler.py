"""Wexler, Shechtman and Irani, "Space-time completion of video", PAMI 2007 (CVPR 2004).

A filled image, or a filled film, should consist of patches that also occur outside the
hole. The method maximises the coherence

    prod_p max_q exp(-d(W_p, V_q) / (2 sigma^2)),

where W_p is a patch that overlaps the hole, V_q is a patch outside the hole, and d is
their squared distance. Two steps alternate, from coarse to fine:

- Search: each W_p finds its nearest patch V_p.
- Vote: each pixel of the hole gets its colour from all V_p that cover the pixel. The
  vote of V_p has the weight gamma^-distance(p) exp(-d(W_p, V_p) / (2 sigma^2)).
  Here distance(p) is the distance of p from the known pixels, and sigma^2 is the 75th
  percentile of all d.

The colour is a mode of the votes, which mean shift finds: a mean of unlike colours
would be blurred.

Departures: levels shrink by 3/4, and only in space, so a film of few frames has enough
patches; the paper halves space and time. Image patches have 7 x 7 pixels (paper:
5 x 5); film patches have 5 x 5 x 5, as in the paper. Films are compared by colour
alone; the paper adds two features of motion. Images are compared by colour and texture,
as in Newson, Almansa, Fradet, Gousseau and Perez, "Video inpainting of complex scenes",
2014: without texture features, smooth patches win, because they are near to every
blurred estimate. The coarsest level of an image starts from :mod:`.efros_leung`.

Votes that disagree blur the result, so the finest level ends with a pass that copies
connected pieces along good seams (:mod:`.copies`), and with one more search and vote.
In six photographs (benchmarks/results/completion_holes.json), this pass raises the
gradient energy of the hole, relative to its surroundings: 0.12 to 0.86 without the
pass, 0.57 to 1.24 with it.
"""

from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dil_teach.classical.completion.copies import copy_pieces
from dil_teach.classical.completion.mean_shift import mode
from dil_teach.classical.completion.pyramid import (
    Hole,
    Sides,
    Volume,
    check_patch,
    depth,
    estimate_from,
    first_estimate,
    patches_in_hole,
    pyramid,
    texture,
)
from dil_teach.image.convention import Image, Video, check_image, check_images
from dil_teach.image.degradation import check_mask
from dil_teach.image.resize import resize
from dil_teach.patches.components import SAMPLE, principal_components
from dil_teach.patches.extract import BLOCK
from dil_teach.patches.search import nearest_rows
from dil_teach.training.conditions import same_conditions

Corners = Int[Tensor, "_n 3"]

IMAGE_PATCH, FILM_PATCH = 7, 5
"""Side of a patch in pixels; a patch of a film also has ``FILM_PATCH`` frames."""
GAMMA = 1.3
"""Base of the weight gamma^-distance (paper)."""
PERCENTILE = 0.75
"""Fraction of the distances d that are below sigma^2 (paper)."""
UPDATES = (20, 8, 6, 5)
"""Maximum number of updates at each level, coarsest first; further levels use the last
number. Chosen by hand."""
SETTLED = 1e-3
"""A level is finished if an update changes the hole by less than this mean colour
difference, a quarter of a grey level."""
TEXTURE = 2.0
"""Weight of the texture features relative to colours. Chosen by hand."""
COMPONENTS = 24
"""Number of principal components by which patches are searched. Chosen by hand."""
LAST_UPDATES = 1
"""Number of updates after the last pass, which blend the seams."""
MOST_COPIED = 10_000
"""Maximum number of pixels of the hole for the pass that copies connected pieces: about
20 CPU seconds."""
MOST_PAIRS = 10**10
"""Maximum number of pairs of patches that a search compares: about 10 CPU seconds.
Finer levels copy from the places that coarser levels have found."""


class Completed(NamedTuple):
    """A filled image, and where its pixels come from."""

    image: Image
    source: Int[Tensor, "2 h w"]
    """The nearest-neighbour field: for each pixel of the hole, the row and column of
    the matching pixel of the nearest patch. The patch is centred on the pixel, or as
    near as the border of the image allows. -1 outside the hole."""
    levels: list[Image]
    """The result of each level, coarsest first."""


class CompletedFilm(NamedTuple):
    """A filled film, and where its pixels come from."""

    film: Video
    source: Int[Tensor, "3 t h w"]
    """Frame, row and column, as in :class:`Completed`."""
    levels: list[Video]


@same_conditions()
def complete_image(
    image: Image,
    mask: Float[Tensor, "1 _h _w"],
    patch_size: int = IMAGE_PATCH,
    start: Image | None = None,
) -> Completed:
    """Fill the holes of an image with patches from the rest of the image.

    A hole of 2500 pixels in a photograph of 256 x 256 takes about 7 CPU seconds. The
    result has no randomness. A ValueError is raised if the mask has another size, the
    hole is empty or covers the image, the patch is even, below 3 or larger than the
    image, no patch is completely known, or ``start`` is larger than the image or has
    other channels.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1]; its values inside the hole are ignored.
    mask : Float[Tensor, "1 h w"]
        1 (white) in the hole, 0 where the image is known.
    patch_size : int
        Side of a patch in pixels; odd.
    start : Image, optional
        Float[Tensor, "c h2 w2"] in [0, 1]: the whole image, smaller, with its holes
        filled by another method. Only levels with more pixels are computed. By default,
        all levels are.
    """
    image = check_image(image)
    check_mask(mask, image)
    if start is not None:
        start = _check_start(start, image)
    hole = mask.bool()
    sides = (1, patch_size, patch_size)
    check_patch(sides, hole)
    features = TEXTURE * texture(image, ~hole[0])
    volume = (torch.cat([image, features]) * ~hole)[:, None]
    results, level = _coarse_to_fine(volume, hole, sides, len(image), start)
    levels = [result[: len(image), 0].clamp(0, 1) for result in results]
    return Completed(levels[-1], level.source()[1:, 0], levels)


def _check_start(start: Image, image: Image) -> Image:
    start = check_image(start, "start")
    size = f"at most {image.shape[1]} x {image.shape[2]}"
    fits = start.shape[1] <= image.shape[1] and start.shape[2] <= image.shape[2]
    if len(start) != len(image) or not fits:
        raise ValueError(
            f"start: expected {len(image)} channels and {size} pixels, as in the "
            f"image, got {' x '.join(map(str, start.shape))}; resize it"
        )
    return start


@same_conditions()
def complete_film(
    film: Video, masks: Float[Tensor, "_t 1 _h _w"], patch_size: int = FILM_PATCH
) -> CompletedFilm:
    """Fill the holes of a film with space-time patches from the rest of the film.

    Sixteen colour frames of 64 x 96 pixels with a hole of 20 x 20 pixels take about 6
    CPU seconds. The errors are those of :func:`complete_image`.

    Parameters
    ----------
    film : Video
        Float[Tensor, "t c h w"] in [0, 1].
    masks : Float[Tensor, "t 1 h w"]
        1 (white) in the hole of each frame, 0 elsewhere. A frame may have no hole.
    patch_size : int
        Side of a patch in pixels, odd. A patch has the same number of frames, or all
        frames if the film is shorter.
    """
    film = check_images(film, "film", constant=True)
    if not isinstance(masks, Tensor) or masks.shape != (len(film), 1, *film.shape[2:]):
        raise ValueError(
            f"masks: expected shape {(len(film), 1, *film.shape[2:])}, one mask for "
            f"each frame of the film, got {getattr(masks, 'shape', type(masks))}"
        )
    tall = 1, -1, film.shape[3]  # all frames as one tall image
    check_mask(masks.reshape(tall), film[:, :1].reshape(tall), "masks")
    hole = masks[:, 0].bool()
    sides = (min(patch_size, len(film)), patch_size, patch_size)
    check_patch(sides, hole, "masks")
    volume = film.transpose(0, 1) * ~hole
    results, level = _coarse_to_fine(volume, hole, sides, film.shape[1])
    levels = [result.transpose(0, 1).clamp(0, 1) for result in results]
    return CompletedFilm(levels[-1], level.source(), levels)


def _coarse_to_fine(
    volume: Volume,
    hole: Hole,
    sides: Sides,
    colours: int,
    start: Image | None = None,
) -> tuple[list[Volume], "_Level"]:
    """The filled volume of each level, and the finest level with its matches."""
    results: list[Volume] = []
    level = None
    levels = pyramid(volume, hole, sides)[::-1]
    if start is not None:
        least = start[0].numel()
        levels = [each for each in levels if each[1].numel() > least] or levels[-1:]
    copied = _level_to_copy(levels, sides)
    for number, (known, gap) in enumerate(levels, start is not None):
        coarse, level = level, _Level(known, gap, sides)
        if coarse is None and start is not None:
            estimate = estimate_from(start, known, gap)
        elif coarse is None:
            estimate = first_estimate(known, gap, sides, colours)
        else:
            size = (gap.shape[1], gap.shape[2])
            larger = resize(results[-1].transpose(0, 1), size=size)
            estimate = torch.where(gap, larger.transpose(0, 1), known)
            estimate = level.vote(estimate, level.match_as(coarse))
        small = len(level.asking) * len(level.known) <= MOST_PAIRS
        for _ in range(UPDATES[min(number, len(UPDATES) - 1)] if small else 0):
            before, estimate = estimate, level.vote(estimate, level.search(estimate))
            if (estimate - before)[:, gap].abs().mean() < SETTLED:
                break
        if known is copied:
            offsets = level.known[level.match] - level.asking
            estimate = copy_pieces(estimate, gap, offsets, colours)
            for _ in range(LAST_UPDATES):
                estimate = level.vote(estimate, level.search(estimate))
        results.append(estimate)
    assert level is not None  # a pyramid has at least one level
    return results, level


def _level_to_copy(levels: list[tuple[Volume, Hole]], sides: Sides) -> Volume | None:
    """The level that ends with connected copies: the finest one, or none.

    If the finest level is too large to be searched, it takes the places that a coarser
    level has found, and the coarser level ends with connected copies.
    """
    overlaps = patches_in_hole(levels[-1][1], sides)
    if int(overlaps.sum()) * int((~overlaps).sum()) <= MOST_PAIRS:
        levels = levels[-1:]
    small = [known for known, gap in levels if gap.sum() <= MOST_COPIED]
    return small[-1] if small else None


class _Level:
    """One level: its patches, and the match of each patch that overlaps the hole."""

    def __init__(self, volume: Volume, hole: Hole, sides: Sides) -> None:
        self.volume, self.hole = volume, hole
        self.sides = torch.tensor(sides, device=hole.device)
        self.offsets = torch.ones(sides, device=hole.device).nonzero()
        overlaps = patches_in_hole(hole, sides)
        self.asking, self.known = overlaps.nonzero(), (~overlaps).nonzero()
        self.last = torch.tensor(overlaps.shape, device=hole.device) - 1
        self.number = torch.zeros_like(overlaps, dtype=torch.long)
        for corners in (self.asking, self.known):  # numbers within each of the two
            self.number[tuple(corners.T)] = torch.arange(len(corners)).to(corners)
        self.overlaps = overlaps
        middle = tuple((self.asking + self.sides // 2).T)
        self.certainty = GAMMA ** -depth(hole)[middle]
        self.match = torch.full_like(self.asking[:, 0], -1)

    @cached_property
    def keys(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and principal directions of the known patches, and their projections."""
        sample = self.known[:: len(self.known) // SAMPLE + 1]
        rows = self._patches(self.volume, sample)
        centre, directions = principal_components(rows, COMPONENTS)
        short = [
            (self._patches(self.volume, corners) - centre) @ directions
            for corners in self.known.split(BLOCK)
        ]
        return centre, directions, torch.cat(short)

    def search(self, estimate: Volume) -> Float[Tensor, " asking"]:
        """Find the nearest known patches; return the weights of their votes."""
        centre, directions, keys = self.keys
        asked = self._patches(estimate, self.asking)
        self.match = nearest_rows((asked - centre) @ directions, keys)[1][:, 0]
        found = self._patches(self.volume, self.known[self.match])
        distance = (found - asked).square().sum(1)
        variance = distance.quantile(PERCENTILE).clamp_min(1e-8)  # sigma^2
        return self.certainty * torch.exp(-distance / (2 * variance))

    def match_as(self, coarse: "_Level") -> Float[Tensor, " asking"]:
        """Take the offsets of a coarser level's matches; return the weights."""
        scale = (coarse.last + coarse.sides) / (self.last + self.sides)
        near = (self.asking * scale).round().long().minimum(coarse.last)
        use = coarse.overlaps[tuple(near.T)]
        match = coarse.match[coarse.number[tuple(near.T)] * use]
        use &= match >= 0
        offset = coarse.known[match.clamp_min(0)] - near
        place = self.asking + (offset / scale).round().long()
        inside = place.clamp_min(0).minimum(self.last)
        use &= (inside == place).all(1) & ~self.overlaps[tuple(inside.T)]
        self.match = torch.where(use, self.number[tuple(inside.T)], -1)
        return self.certainty * use

    def vote(self, estimate: Volume, weights: Float[Tensor, " asking"]) -> Volume:
        """Give each pixel of the hole a mode of the colours that its patches propose.

        A pixel without votes keeps its estimate.
        """
        filled = estimate.clone()
        for pixels in self.hole.nonzero().split(BLOCK // len(self.offsets)):
            corner = pixels[:, None] - self.offsets
            inside = corner.clamp_min(0).minimum(self.last)
            exists = (inside == corner).all(-1)
            voter = self.number[inside.unbind(-1)] * exists
            weight = weights[voter] * exists
            place = self.known[self.match[voter].clamp_min(0)] + self.offsets
            votes = self.volume[(slice(None), *place.unbind(-1))]  # (c, pixels, voters)
            where = (slice(None), *pixels.T)
            filled[where] = mode(votes, weight, estimate[where])
        return filled

    def source(self) -> Int[Tensor, "3 t h w"]:
        """Frame, row and column of the pixel that matches each pixel of the hole."""
        pixels = self.hole.nonzero()
        corner = (pixels - self.sides // 2).clamp_min(0).minimum(self.last)
        match = self.match[self.number[tuple(corner.T)]]
        place = self.known[match.clamp_min(0)] + pixels - corner
        source = torch.full((3, *self.hole.shape), -1, device=pixels.device)
        source[:, self.hole] = torch.where(match[:, None] >= 0, place, -1).T
        return source

    def _patches(self, volume: Volume, corners: Corners) -> Float[Tensor, "n values"]:
        for axis, side in enumerate(self.sides.tolist(), 1):
            volume = volume.unfold(axis, side, 1)
        return volume[(slice(None), *corners.T)].transpose(0, 1).flatten(1)
