"""Patch recurrence within and across scales (Glasner, Bagon and Irani, ICCV 2009).

Departures from "Super-Resolution from a Single Image", section 2: all channels instead
of grey, no Gaussian weights, and good matches are also limited by the patch's contrast.
benchmarks/results/recurrence_choices.json holds the effect of each.
"""

from collections.abc import Sequence
from functools import partial
from math import isqrt

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dil_teach.image.convention import Image, check_image, check_not_flat
from dil_teach.image.resize import resize
from dil_teach.patches.extract import check_patches
from dil_teach.patches.search import nearest_patches

SCALES = (1.0, 0.8, 0.64, 0.51, 0.41)
"""Scales of the paper's figure: each is 1.25 times smaller than the one before it."""
MOST = 16
"""The largest number of good matches that is counted."""
LEAST = 9
"""The paper's figure counts patches with at least this many good matches."""
HALF_PIXEL = (-1 / 16, 9 / 16, 9 / 16, -1 / 16)
"""Bicubic weights half-way between two pixels (Keys 1981, a = -1/2)."""
CONTRAST = 0.25
"""Largest distance of a good match, as a fraction of the patch's own squared contrast.
In grey white noise, 61% of the patches would have a good match without this limit
(benchmarks/results/recurrence_choices.json)."""
UNSEEN = (2 / 255) ** 2
"""Squared distance per value that is always good: two grey levels are not visible."""
ENOUGH = 4000
"""Number of evenly spread patches that give a photograph's recurrence score within 0.01
(tests/patches/test_recurrence.py checks it on three)."""


def recurrence_map(
    image: Image, patch_size: int = 5, scale: float = 1.0
) -> Int[Tensor, "h w"]:
    """Count the good matches of each patch in the image resized by ``scale``, up to 16.

    Patches are compared by the sum of squared differences, after the mean of each
    channel over the patch is subtracted. A match is *good* if its distance is at most
    :func:`good_distance`. The patch itself and patches less than one pixel (of the
    resized image) from its place do not count. Matches may overlap.

    A ValueError is raised if the image is constant, or it is smaller than a patch at
    that scale.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"], grey or RGB; all channels are compared.
    patch_size : int
        Side of a patch in pixels.
    scale : float
        Relative size of the image that is searched: 1 is the image itself; below 1 it
        is downscaled (bicubic, antialiased).

    Returns
    -------
    Int[Tensor, "h w"]
        0 to 16, at the top left corner of each patch.
    """
    found = match_distances(image, patch_size, scale)
    return (found <= good_distance(image, patch_size)[..., None]).sum(2)


def match_distances(
    image: Image,
    patch_size: int = 5,
    scale: float = 1.0,
    exact: bool = False,
    most: int = MOST,
    stride: int = 1,
) -> Float[Tensor, "h w k"]:
    """Squared distances from each patch to its nearest matches at a scale.

    :func:`recurrence_map` counts those that are small enough. Errors as there.

    Parameters
    ----------
    image, patch_size, scale
        As in :func:`recurrence_map`.
    exact : bool
        Compare each patch with every other, instead of the faster KD-tree.
    most : int
        Number of matches; fewer take less time.
    stride : int
        Distance between neighbouring query patches, in pixels.

    Returns
    -------
    Float[Tensor, "h w k"]
        Nearest first; infinite where a small image has fewer matches.
    """
    _check(image, patch_size, scale)
    searched = image if scale == 1 else resize(image, scale).clamp(0, 1)
    height, width = (side - patch_size + 1 for side in searched.shape[-2:])
    k = min(most, height * width - (1 if scale == 1 else 4))
    if k < 1:  # there are no other patches
        height, width = ((n - patch_size) // stride + 1 for n in image.shape[-2:])
        return image.new_full((height, width, most), torch.inf)
    find = partial(nearest_patches, remove_mean=True, exclude_self=True)
    found = find(image, searched, patch_size, k, stride=stride, exact=exact)
    return F.pad(found.distance, (0, most - k), value=torch.inf)


def good_distance(image: Image, patch_size: int = 5) -> Float[Tensor, "h w"]:
    """The largest squared distance of a good match, for each patch (means subtracted).

    As in the paper, it is the distance from the patch to itself moved by half a pixel
    (left, right, up and down, bicubic; the largest of the four), because a perfect copy
    may lie half a pixel off the pixel grid. (A copy of texture half a pixel off in both
    directions may be missed.)

    Two limits are added. The upper limit is a quarter of the patch's own squared
    contrast: half a pixel changes noise by more, and patches that are not similar would
    pass. The lower limit is two grey levels (of 255) per value, because this difference
    is not visible: the noise of a clear sky should not make its patches differ.

    Parameters and places as in :func:`recurrence_map`.
    """
    moved = [contrast(half - image, patch_size) for half in moved_by_half(image)]
    farthest = torch.stack(moved).amax(0)
    limit = torch.minimum(farthest, CONTRAST * contrast(image, patch_size))
    return limit.clamp_min(UNSEEN * len(image) * patch_size**2)


def contrast(image: Image, patch_size: int = 5) -> Float[Tensor, "h w"]:
    """Squared distance of each patch from its mean, summed over the channels."""
    exactly = image.cpu().double()  # large sums are subtracted; MPS has no float64
    mean = F.avg_pool2d(exactly, patch_size, stride=1)
    square = F.avg_pool2d(exactly.square(), patch_size, stride=1)
    spread = (square - mean.square()).clamp_min(0).sum(0)
    return (patch_size**2 * spread).float().to(image.device)


def detailed(image: Image, patch_size: int = 5) -> Bool[Tensor, "h w"]:
    """Mark the quarter of the patches with the most contrast; the others are smooth."""
    contrasts = contrast(image, patch_size)
    order = contrasts.flatten().argsort(descending=True, stable=True)
    quarter = torch.zeros_like(contrasts, dtype=torch.bool)
    quarter.view(-1)[order[: max(len(order) // 4, 1)]] = True
    return quarter


def recurrence_curve(
    image: Image,
    patch_size: int = 5,
    scales: Sequence[float] = SCALES,
    least: int = LEAST,
    among: Bool[Tensor, "h w"] | None = None,
) -> list[float]:
    """Percentage of patches with at least ``least`` good matches, at each scale.

    Raises the same errors as :func:`recurrence_map`, and a ValueError if ``least`` is
    out of range, or if ``among`` has another shape or no patch.

    Parameters
    ----------
    image, patch_size, scales
        As in :func:`recurrence_map`.
    least : int
        Minimum number of good matches, 1 to 16.
    among : Bool[Tensor, "h w"], optional
        The patches that are counted, such as :func:`detailed`; by default all.
    """
    if not 1 <= least <= MOST:
        raise ValueError(
            f"least: expected 1 to {MOST} good matches, got {least}; more are not "
            "counted"
        )
    good = good_distance(image, patch_size)
    if among is not None and (among.shape != good.shape or not among.any()):
        raise ValueError(
            f"among: expected a mask of {good.shape[0]} x {good.shape[1]} with at "
            f"least one patch, got {' x '.join(map(str, among.shape))} with "
            f"{int(among.sum())}; detailed() makes such a mask"
        )
    chosen = ... if among is None else among
    found = (match_distances(image, patch_size, s, most=least) for s in scales)
    enough = [(distances[..., -1] <= good)[chosen] for distances in found]
    return [100 * each.cpu().double().mean().item() for each in enough]


def recurrence_score(image: Image, patch_size: int = 5) -> float:
    """How much of an image recurs in it: 0 for white noise, 1 for a straight edge.

    The fraction of patches with at least one good match, averaged over the five scales
    from 1 to 0.41. The chapters use this number to compare results with a photograph.

    In an image of more than 16,000 patches, only a grid of 4000 or more patches is
    searched for: on photographs the score is within 0.01 of that of all patches. The
    error can exceed 0.1 if a pattern repeats at the spacing of the grid.

    The parameters and the errors that it raises are those of :func:`recurrence_map`.
    """
    _check(image, patch_size, min(SCALES))
    good = good_distance(image, patch_size)
    stride = max(isqrt(good.numel() // ENOUGH), 1)
    good = good[::stride, ::stride]
    shares = [
        match_distances(image, patch_size, scale, most=1, stride=stride)[..., 0] <= good
        for scale in SCALES
    ]
    return torch.stack(shares).cpu().double().mean().item()


def _check(image: Image, patch_size: int, scale: float) -> None:
    check_image(image, in_range=False)
    check_patches(image, patch_size, least=2)
    check_not_flat(image)
    smaller = min(image.shape[-2:])
    if scale > 1 or round(scale * smaller) < patch_size:
        raise ValueError(
            f"scale: expected at most 1, and at least one patch ({patch_size} pixels) "
            f"in the downscaled image, got {scale} times {smaller} pixels"
        )


def moved_by_half(image: Image) -> list[Image]:
    """The image moved by half a pixel left, right, up and down (bicubic)."""
    weights = image.new_tensor(HALF_PIXEL)
    moved = []
    for axis in (2, 1):
        lines = image.transpose(axis, 2)
        padded = F.pad(lines, (2, 2), mode="replicate")
        between = padded.unfold(2, 4, 1) @ weights  # one more than there are pixels
        moved += [x.transpose(axis, 2) for x in (between[..., 1:], between[..., :-1])]
    return moved
