"""Bidirectional similarity: Simakov, Caspi, Shechtman and Irani, 'Summarizing visual
data using bidirectional similarity', CVPR 2008. All that the source holds shall be in
the target (completeness), and nothing that the source does not hold (coherence)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.retarget.layouts import (
    check_edited,
    check_size,
    fill_softly,
    stretch,
)
from dil_teach.classical.retarget.matching import (
    coarse_to_fine,
    nearest_rows,
    own_places,
    patch_places,
    project,
    size_of,
    vote,
)
from dil_teach.image.convention import Image, check_image
from dil_teach.image.resize import resize
from dil_teach.patches.extract import extract_patches
from dil_teach.patches.search import nearest_patches

Map = Float[Tensor, "1 _h _w"]
Places = Float[Tensor, "2 _h _w"]

PATCH_SIZE = 7
COARSEST = 20
"""Pixels of the smallest side at the coarsest level: a patch is a third of it."""
STEPS = (20, 6, 4, 3)
"""Updates at the coarsest levels; the last number holds for all finer ones."""
PLACE = 3.0
"""How much a patch's distance from where the start took it counts: squared, in shares
of the sides, beside the squared distance of its values. A departure: the paper keeps
places by its start alone."""


def bidirectional_similarity(
    source: Image, target: Image, importance: Map | None = None
) -> tuple[float, float]:
    """Equation 1, and with importance weights: how unlike two pictures are, both ways.

    Parameters
    ----------
    source, target : Image
        Float[Tensor, "c h w"] of one number of channels; sizes may differ.
    importance : Float[Tensor, "1 h w"], optional
        Of each pixel of the source, not negative: a patch weighs what its pixels weigh
        on average, and a target's patch what the source's nearest to it weighs.

    Returns
    -------
    completeness, coherence : float
        Mean squared errors per value; 0 for two equal pictures. Their sum is the
        paper's distance.

    Raises
    ------
    ValueError
        If a picture is smaller than a patch, channels differ, or the importance has
        another size, is negative or 0 everywhere.
    """
    _check_map("importance", importance, source)
    weights = _patch_weights(importance, source)
    forth = nearest_patches(source, target, PATCH_SIZE, exact=True)
    back = nearest_patches(target, source, PATCH_SIZE, exact=True)
    there = back.row[..., 0] * (source.shape[-1] - PATCH_SIZE + 1) + back.column[..., 0]
    values = len(source) * PATCH_SIZE**2
    completeness, coherence = (
        (weight * distance).sum().item() / weight.sum().clamp_min(1e-30).item() / values
        for weight, distance in (
            (weights.double(), forth.distance.flatten().double()),
            (weights[there.flatten()].double(), back.distance.flatten().double()),
        )
    )
    return completeness, coherence


def update(
    target: Image,
    sources: Sequence[Image],
    importances: Sequence[Map | None],
    alpha: float = 0.5,
    where: Places | None = None,
) -> Image:
    """The update rule: each pixel is the mean of what patches vote there.

    Each patch of the target gets a vote for its nearest patch of the sources (weight
    ``(1 - alpha) / N_T``), each patch of the sources a vote for itself at its nearest
    place in the target (weight ``alpha / N_S``).

    Parameters
    ----------
    target : Image
        Float[Tensor, "c h w"].
    sources : sequence of Image
        One or several.
    importances : sequence of Float[Tensor, "1 h w"] or None
        Of each source, not negative. Patches that touch a weight of 0 are not used.
    alpha : float
        0 asks for coherence alone, 1 for completeness alone.
    where : Float[Tensor, "2 h w"], optional
        Where in the (one) source each pixel of the target should come from, in shares
        of its sides.

    Returns
    -------
    Image
        Where nothing votes, as the target was.
    """
    pairs = list(zip(sources, importances, strict=True))
    patches = torch.cat([extract_patches(source, PATCH_SIZE) for source in sources])
    weights = torch.cat([_patch_weights(each, source) for source, each in pairs])
    ours, theirs = project(patches, extract_patches(target, PATCH_SIZE))
    if where is not None:
        places = own_places(size_of(sources[0])).to(target)
        ours = torch.cat([ours, PLACE * patch_places(places, PATCH_SIZE)], 1)
        theirs = torch.cat([theirs, PLACE * patch_places(where, PATCH_SIZE)], 1)
    used = weights > 0
    patches, weights, ours = patches[used], weights[used], ours[used]

    _, like = nearest_rows(theirs, ours)  # of each target patch, in the sources
    _, place = nearest_rows(ours, theirs)  # of each source patch, in the target
    coherent = weights[like] * (1 - alpha) / weights[like].sum()
    complete = weights * alpha / weights.sum()
    votes = patches[like] * coherent[:, None]
    votes.index_add_(0, place, patches * complete[:, None])
    return vote(votes, coherent.index_add(0, place, complete), target, PATCH_SIZE)


def retarget(
    image: Image,
    size: tuple[int, int],
    importance: Map | None = None,
    remove: Map | None = None,
    alpha: float = 0.5,
) -> Image:
    """Summarise a picture in fewer pixels, or tell it at length in more.

    From coarse to fine. Departures from the paper, which resizes in many small steps:
    the start is :func:`~.layouts.stretch`, which keeps busy columns as wide as
    they are, and patches are drawn to where it put them. Without these, round things
    come out long: benchmarks/results/retargeting_with_patches.json.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1].
    size : (int, int)
        Height and width of the result in pixels.
    importance : Float[Tensor, "1 h w"], optional
        Positive weights of pixels, such as 10 on a face and 1 elsewhere: it is kept.
    remove : Float[Tensor, "1 h w"], optional
        1 on what shall not be in the result, 0 elsewhere.
    alpha : float
        From coherence alone, 0, to completeness alone, 1.

    Returns
    -------
    Image
        In [0, 1]. 112 x 84 pixels made twice as wide take about 2 CPU seconds.

    Raises
    ------
    ValueError
        If a side of the picture or the result is shorter than 8 pixels, a map has
        another size or wrong values, or nothing is left to use.
    """
    check_image(image, min_side=PATCH_SIZE + 1)
    check_size(size, PATCH_SIZE)
    _check_map("importance", importance, image)
    _check_map("remove", remove, image)
    _check_alpha(alpha)
    weights = torch.ones_like(image[:1]) if importance is None else importance
    source = image
    if remove is not None:
        weights = weights * (remove == 0)
        source = fill_softly(image, (remove > 0).float())
    if not _patch_weights(weights, image).any():
        raise ValueError(
            f"remove: expected to leave some {PATCH_SIZE} x {PATCH_SIZE} pixels "
            "untouched, got none; remove less"
        )
    start, where = stretch(source, size, weights)
    return _refined([image], [weights], start, alpha, where)


def reshuffle(image: Image, edited: Image, fixed: Map, alpha: float = 0.5) -> Image:
    """Put things elsewhere, and let the rest of the picture follow.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1].
    edited : Image
        Float[Tensor, "c h2 w2"]: a rough layout, such as
        :func:`~.layouts.move_object` makes.
    fixed : Float[Tensor, "1 h2 w2"]
        1 where pixels of the layout are held exactly, 0 where they are only a start.
    alpha : float
        From coherence alone, 0, to completeness alone, 1.

    Returns
    -------
    Image
        As large as the layout, in [0, 1].

    Raises
    ------
    ValueError
        As :func:`retarget`; or if the layout has other channels, or ``fixed`` another
        size.
    """
    check_image(image, min_side=PATCH_SIZE + 1)
    check_edited(edited, image, PATCH_SIZE)
    _check_map("fixed", fixed, edited)
    _check_alpha(alpha)
    return _refined([image], [None], edited, alpha, held=fixed)


def collage(
    images: Sequence[Image], size: tuple[int, int], alpha: float = 0.5
) -> Image:
    """One picture that holds what several hold.

    Parameters
    ----------
    images : sequence of Image
        Float[Tensor, "c h w"] in [0, 1], of one number of channels.
    size : (int, int)
        Height and width of the result in pixels. It starts as the pictures beside one
        another, each in an equal share of the width.
    alpha : float
        From coherence alone, 0, to completeness alone, 1.

    Returns
    -------
    Image
        In [0, 1].

    Raises
    ------
    ValueError
        If there are no images, channels differ, or a side is shorter than 8 pixels.
    """
    if not images or len({len(image) for image in images}) > 1:
        raise ValueError(
            f"images: expected one or more of one number of channels, got "
            f"{[len(image) for image in images]}; make all grey or all colour"
        )
    for image in images:
        check_image(image, "images", min_side=PATCH_SIZE + 1)
    check_size(size, PATCH_SIZE)
    _check_alpha(alpha)
    if size[1] < len(images):
        raise ValueError(
            f"size: expected at least a column for each of {len(images)} images, got "
            f"{size[1]}; make it wider"
        )
    edges = [round(k * size[1] / len(images)) for k in range(len(images) + 1)]
    shares = [
        resize(image, size=(size[0], right - left)).clamp(0, 1)
        for image, left, right in zip(images, edges[:-1], edges[1:], strict=True)
    ]
    return _refined(images, [None] * len(images), torch.cat(shares, 2), alpha)


def _refined(
    sources: Sequence[Image],
    importances: Sequence[Map | None],
    start: Image,
    alpha: float,
    where: Places | None = None,
    held: Map | None = None,
) -> Image:
    """Updates from the coarsest level to the finest, where the start is the target."""
    smallest = min(sources, key=lambda image: min(image.shape[-2:]))
    full = size_of(start)
    target = start
    levels = coarse_to_fine(size_of(smallest), full, COARSEST)
    for k, level in enumerate(levels):
        scale = level.source[0] / smallest.shape[-2]
        finest = level.target == full
        small, weights = list(sources), list(importances)
        if not finest:
            small = [resize(each, scale).clamp(0, 1) for each in sources]
            weights = [
                None if each is None else _shrunk(each, image)
                for each, image in zip(importances, small, strict=True)
            ]
            # where things that are removed are thick, no whole patch may be left
            if not any(
                _patch_weights(each, image).any()
                for each, image in zip(weights, small, strict=True)
            ):
                continue
        target = resize(target, size=level.target).clamp(0, 1)
        places = None if where is None else resize(where, size=level.target)
        layout = start if finest else resize(start, size=level.target).clamp(0, 1)
        hold = None
        if held is not None:
            hold = held if finest else resize(held, size=level.target, kernel="area")
        for _ in range(STEPS[min(k, len(STEPS) - 1)]):
            target = update(target, small, weights, alpha, places)
            if hold is not None:
                target = torch.where(hold > 0.5, layout, target)
    return target.clamp(0, 1)


def _shrunk(importance: Map, image: Image) -> Map:
    """The importance at a coarse level; 0 stays 0 wherever it reaches."""
    size = size_of(image)
    lost = resize((importance == 0).float(), size=size, kernel="area") > 0.25
    return resize(importance, size=size, kernel="area").clamp_min(1e-6) * ~lost


def _patch_weights(importance: Map | None, image: Image) -> Float[Tensor, " n"]:
    """The mean weight of each patch, 0 where any of its pixels has none; row by row."""
    importance = torch.ones_like(image[:1]) if importance is None else importance
    mean = F.avg_pool2d(importance, PATCH_SIZE, stride=1)
    touched = F.max_pool2d((importance == 0).float(), PATCH_SIZE, stride=1)
    return (mean * (touched == 0)).flatten()


def _check_map(name: str, weights: Map | None, image: Image) -> None:
    if weights is None:
        return
    height, width = image.shape[-2:]
    if weights.shape != (1, height, width):
        raise ValueError(
            f"{name}: expected the size of its picture, (1, {height}, {width}), got "
            f"{tuple(weights.shape)}; draw it on that picture"
        )
    if not (torch.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError(
            f"{name}: expected finite numbers of at least 0, got "
            f"{weights.min().item():.3g} to {weights.max().item():.3g}; clamp it"
        )
    if name == "importance" and not _patch_weights(weights, image).any():
        raise ValueError(
            "importance: expected some patch without a weight of 0, got none; give "
            "the rest a small weight such as 0.1"
        )


def _check_alpha(alpha: float) -> None:
    if not 0 <= alpha <= 1:
        raise ValueError(
            f"alpha: expected 0 (coherence alone) to 1 (completeness alone), got "
            f"{alpha}; 0.5 asks for both"
        )
