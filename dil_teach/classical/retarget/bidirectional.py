"""Retargeting by bidirectional similarity: Simakov, Caspi, Shechtman and Irani,
"Summarizing visual data using bidirectional similarity", CVPR 2008.

The target T should have all that is in the source S (completeness), and nothing that is
not in S (coherence): T minimises d(S, T) of :mod:`dil_teach.patches.similarity`. If the
nearest patches are fixed, the best T(q) is a weighted mean of votes:

    T(q) = [alpha / N_S sum_i S(p_i) + (1 - alpha) / N_T sum_j S(p_j)]
           / [alpha / N_S m + (1 - alpha) / N_T n]

Coherence: the n patches of T that contain pixel q vote for the pixels p_j of their
nearest patches in S. Completeness: for m patches of S, the nearest patch in T contains
q; each of these m patches votes for its own pixel p_i. With importance weights, 1 / N_S
and 1 / N_T become a patch's weight divided by the sum of all weights.

Departures: the paper resizes in many small steps; we go from coarse to fine and start
from :func:`~.layouts.stretch`, which keeps the width of columns with much detail. The
search prefers patches near their stretched position. Without this start and this
preference, round objects become oval: the start keeps them round, not the patches
(benchmarks/credit_retargeting.py, chapter 05). Nearest patches are found exactly,
by their principal components; large images continue with :mod:`.refinement`.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from dil_teach.classical.retarget.layouts import Map, fill_softly, stretch
from dil_teach.classical.retarget.matching import (
    PATCH_SIZE,
    Places,
    check_edited,
    check_sizes,
    coarse_to_fine,
    count_exact,
    finest_exact,
    search_rows,
    size_of,
)
from dil_teach.classical.retarget.refinement import Fields, refine, sum_votes
from dil_teach.image.convention import Image
from dil_teach.image.resize import resize
from dil_teach.patches.extract import extract_patches
from dil_teach.patches.search import nearest_rows
from dil_teach.patches.similarity import check_importance, check_map, patch_weights

REMOVED = 0.25
"""A coarse pixel gets weight 0 if more than this fraction of its area has weight 0."""


def update(
    target: Image,
    sources: Sequence[Image],
    importances: Sequence[Map | None],
    alpha: float = 0.5,
    where: Places | None = None,
) -> Image:
    """One step of the update rule: each pixel becomes the mean of its patches' votes.

    Parameters
    ----------
    target : Image
        Float[Tensor, "c h w"].
    sources : sequence of Image
        One source image or several.
    importances : sequence of Float[Tensor, "1 h w"] or None
        A map of weights, at least 0, for each source. Patches with a pixel of weight 0
        are not used.
    alpha : float
        Weight of completeness, from 0 (coherence only) to 1 (completeness only).
    where : Float[Tensor, "2 h w"], optional
        Only for a single source: the place (y, x) from which each pixel of the target
        should come, as fractions of the source's height and width.

    Returns
    -------
    Image
        The new target, in which pixels without votes do not change.
    """
    pairs = list(zip(importances, sources, strict=True))
    patches = torch.cat([extract_patches(source, PATCH_SIZE) for source in sources])
    weights = torch.cat([patch_weights(*pair, PATCH_SIZE) for pair in pairs])
    ours, theirs = search_rows(patches, size_of(sources[0]), target, where)
    used = weights > 0
    patches, weights, ours = patches[used], weights[used], ours[used]

    # coherence: each target patch votes for the values of the nearest source patch
    nearest = nearest_rows(theirs, ours)[1][:, 0]
    weight = weights[nearest] * (1 - alpha) / weights[nearest].sum()
    votes = patches[nearest] * weight[:, None]
    # completeness: each source patch votes at the place of its nearest target patch
    nearest = nearest_rows(ours, theirs)[1][:, 0]
    complete = weights * alpha / weights.sum()
    votes.index_add_(0, nearest, patches * complete[:, None])
    weight = weight.index_add(0, nearest, complete)

    total, weight = (
        F.fold(each, size_of(target), PATCH_SIZE)[0]
        for each in (votes.T[None], weight.expand(1, PATCH_SIZE**2, -1))
    )
    return torch.where(weight > 0, total / weight.clamp_min(1e-30), target)


def retarget(
    image: Image,
    size: tuple[int, int],
    importance: Map | None = None,
    remove: Map | None = None,
    alpha: float = 0.5,
) -> Image:
    """Summarise an image in fewer pixels, or extend it to more.

    Doubling the width of a 112 x 84 image takes about 2 CPU seconds. A ValueError is
    raised if a side of the image or the result is shorter than 8 pixels, a map has
    another size or invalid values, or no patch is left to use.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1].
    size : (int, int)
        Height and width of the result in pixels.
    importance : Float[Tensor, "1 h w"], optional
        Positive weights of pixels, such as 10 on a face that should be kept and 1
        elsewhere.
    remove : Float[Tensor, "1 h w"], optional
        1 on pixels that should be removed, 0 elsewhere.
    alpha : float
        As in :func:`update`.
    """
    check_sizes(image, size)
    check_importance(importance, image, PATCH_SIZE)
    check_map("remove", remove, image)
    weights = torch.ones_like(image[:1]) if importance is None else importance
    if remove is not None:
        weights = weights * (remove == 0)
    if not patch_weights(weights, image, PATCH_SIZE).any():
        raise ValueError(
            f"remove: expected to keep at least {PATCH_SIZE} x {PATCH_SIZE} pixels "
            "together, got no such patch; remove less"
        )
    first, source = finest_exact(coarse_to_fine(size_of(image), size)), image
    if remove is not None:
        # a large hole takes many steps to fill
        hole = resize((remove > 0).float(), size=first.source, kernel="area") > 0
        filled = fill_softly(resize(image, size=first.source), hole.float())
        source = torch.where(remove > 0, resize(filled, size=size_of(image)), image)
    start, where = stretch(source, size, weights)
    start = resize(start, size=first.target)  # takes less memory
    return _refine([image], [weights], start, size, alpha, where)


def reshuffle(image: Image, edited: Image, fixed: Map, alpha: float = 0.5) -> Image:
    """Move objects, and let the rest of the image adapt.

    Raises the same errors as :func:`retarget`, and a ValueError if the layout has
    another number of channels or ``fixed`` has another size.

    Parameters
    ----------
    image, alpha
        As in :func:`retarget`.
    edited : Image
        Float[Tensor, "c h2 w2"]: a rough layout, as large as the result, for example
        from :func:`~.layouts.move_object`.
    fixed : Float[Tensor, "1 h2 w2"]
        1 where pixels of the layout are kept exactly, 0 where they may change.
    """
    check_edited(edited, image)
    check_map("fixed", fixed, edited)
    return _refine([image], [None], edited, size_of(edited), alpha, fixed=fixed)


def collage(
    images: Sequence[Image], size: tuple[int, int], alpha: float = 0.5
) -> Image:
    """Combine several images into one.

    A ValueError is raised if there are no images, channels differ, or a side is shorter
    than 8 pixels.

    Parameters
    ----------
    images : sequence of Image
        Float[Tensor, "c h w"] in [0, 1], with the same number of channels.
    size : (int, int)
        Height and width of the result in pixels. The first estimate shows the images
        side by side, at equal widths.
    alpha : float
        As in :func:`update`.
    """
    if not images or len({len(image) for image in images}) > 1:
        raise ValueError(
            "images: expected one or more with the same number of channels, got "
            f"{[len(image) for image in images]}"
        )
    for image in images:
        check_sizes(image, size, "images")
    if size[1] < len(images):
        raise ValueError(
            f"size: expected at least {len(images)} columns, got {size[1]}"
        )
    edges = [round(k * size[1] / len(images)) for k in range(len(images) + 1)]
    shares = [
        resize(image, size=(size[0], right - left)).clamp(0, 1)
        for image, (left, right) in zip(images, pairwise(edges), strict=True)
    ]
    return _refine(images, [None] * len(images), torch.cat(shares, 2), size, alpha)


def _refine(
    sources: Sequence[Image],
    importances: Sequence[Map | None],
    start: Image,
    size: tuple[int, int],
    alpha: float,
    where: Places | None = None,
    fixed: Map | None = None,
) -> Image:
    """Update from coarse to fine, up to a size; ``start`` may be smaller."""
    if not 0 <= alpha <= 1:
        raise ValueError(
            f"alpha: expected 0 (coherence only) to 1 (completeness only), got {alpha}"
        )
    smallest = min(sources, key=lambda image: min(size_of(image)))

    def hold(target: Image) -> Image:
        if fixed is None:
            return target
        kept = resize(fixed, size=size_of(target), kernel="area") > 0.5
        layout = resize(start, size=size_of(target)).clamp(0, 1)
        return torch.where(kept, layout, target)

    levels = coarse_to_fine(size_of(smallest), size)
    # the refinement takes one source
    exact = count_exact(levels) if len(sources) == 1 else len(levels)
    target = start
    for level in levels[:exact]:
        scale = level.source[0] / smallest.shape[-2]
        small = [resize(each, scale).clamp(0, 1) for each in sources]
        weights = list(map(_shrink_weights, importances, small))
        # if a large object is removed, a coarse level may have no patch left
        pairs = zip(weights, small, strict=True)
        if not any(patch_weights(*pair, PATCH_SIZE).any() for pair in pairs):
            continue
        target = resize(target, size=level.target).clamp(0, 1)
        places = None if where is None else resize(where, size=level.target)
        for _ in range(level.updates):
            target = hold(update(target, small, weights, alpha, places))
    if exact == len(levels):
        return target.clamp(0, 1)

    def rebuild(source: Image, fields: Fields, target: Image) -> Image:
        weights = _patch_weights(importances[0], source)
        chosen = weights[fields.to_source.flatten()]
        shares = chosen * (1 - alpha) / chosen.sum(), weights * alpha / weights.sum()
        votes, weight = sum_votes(source, fields, size_of(target), *shares)
        return hold(torch.where(weight > 0, votes / weight.clamp_min(1e-30), target))

    def usable(source: Image) -> Bool[Tensor, " n"]:
        return _patch_weights(importances[0], source) > 0

    finer = levels[levels.index(finest_exact(levels)) :]
    return refine(sources[0], target, finer, where, rebuild, usable=usable).clamp(0, 1)


def _patch_weights(importance: Map | None, image: Image) -> Float[Tensor, " n"]:
    """The weights of the patches of a coarse image."""
    return patch_weights(_shrink_weights(importance, image), image, PATCH_SIZE)


def _shrink_weights(importance: Map | None, image: Image) -> Map | None:
    """Resize the importance weights to the size of a coarse image."""
    if importance is None:
        return None
    size = size_of(image)
    lost = resize((importance == 0).float(), size=size, kernel="area") > REMOVED
    return resize(importance, size=size, kernel="area").clamp_min(1e-6) * ~lost
