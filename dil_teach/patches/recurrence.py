"""Patch recurrence within and across scales (Glasner, Bagon and Irani, ICCV 2009).

Departures from "Super-Resolution from a Single Image", section 2: all channels instead
of grey values, no Gaussian weights, and a limit of good matches by contrast.
benchmarks/results/recurrence_choices.json contains the effect of each departure.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from math import ceil

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dil_teach.image.convention import Image, check_image, check_not_flat
from dil_teach.image.resize import resize
from dil_teach.patches.counting import count_matches
from dil_teach.patches.extract import Mask, check_patches, patches_inside
from dil_teach.patches.sampling import by_bands, query_grid, resize_mask
from dil_teach.patches.search import nearest_patches

SCALES = (1.0, 0.8, 0.64, 0.51, 0.41)
"""Each scale is 1.25 times smaller than the scale before."""
MOST = 16
"""Largest number of good matches that is counted."""
LEAST = 9
"""A patch recurs often if it has at least this number of good matches, the number that
Glasner et al. use for super-resolution."""
HALF_PIXEL = (-1 / 16, 9 / 16, 9 / 16, -1 / 16)
"""Bicubic weights half-way between two pixels (Keys 1981, a = -1/2)."""
CONTRAST = 0.25
"""The distance of a good match is at most this fraction of the patch's squared
contrast. Without this limit, 61% of the patches of grey white noise would have a good
match."""
UNSEEN = (2 / 255) ** 2
"""A match is always good up to this squared distance per value: two grey levels, which
are not visible."""
MOST_BY_TREE = 128_000
"""Largest number of pixels of an image in which a KD-tree finds the matches. In a
larger image, :func:`~dil_teach.patches.counting.count_matches` counts all of them, and
the tree would miss some."""
ENOUGH = 4000
"""For photographs, using only this number of patches on a regular grid changes the
recurrence score by at most 0.01. tests/patches/test_recurrence.py checks this on three
photographs."""


def recurrence_map(
    image: Image,
    patch_size: int = 5,
    scale: float = 1.0,
    stride: int = 1,
    mask: Mask | None = None,
) -> Int[Tensor, "h w"]:
    """Count the good matches of each patch in the image resized by ``scale``, up to 16.

    The distance of two patches is the sum of squared differences, after the mean of
    each channel is subtracted. A match is *good* if its distance is at most
    :func:`good_distance`. The patch itself and patches less than one pixel (of the
    resized image) from its place do not count. Matches may overlap.

    A ValueError is raised if the image is constant.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"], grey or RGB; all channels are compared.
    patch_size : int
        Side of a patch in pixels.
    scale : float
        Relative size of the image that is searched, at most 1. If ``scale`` is below 1,
        the image is downscaled (bicubic, antialiased).
    stride : int
        Distance between neighbouring patches whose matches are counted, in pixels; the
        matches are anywhere. All patches of a large photograph would take hours.
    mask : Bool[Tensor, "h w"], optional
        True where a pixel may be used: only patches completely inside the mask are
        compared. The others have no matches.

    Returns
    -------
    Int[Tensor, "h w"]
        Number of matches, 0 to 16, at the top left pixel of each patch; with a stride,
        of every stride-th patch in every stride-th row.
    """
    image = _check(image, patch_size, scale)
    good = good_distance(image, patch_size, stride)
    return _count_good(image, good, patch_size, scale, MOST, stride, mask)


def _count_good(
    image: Image,
    good: Float[Tensor, "h w"],
    patch_size: int,
    scale: float,
    most: int,
    stride: int,
    mask: Mask | None,
) -> Int[Tensor, "h w"]:
    """Count matches up to the distance ``good``, as in :func:`recurrence_map`."""
    if image[0].numel() > MOST_BY_TREE:
        searched = image if scale == 1 else resize(image, scale).clamp(0, 1)
        inside = None if mask is None else resize_mask(mask, searched.shape[-2:])
        return count_matches(
            image, searched, good, patch_size, most, stride, mask, inside
        )
    found = match_distances(image, patch_size, scale, False, most, stride, mask)
    return (found <= good[..., None]).sum(2)


def match_distances(
    image: Image,
    patch_size: int = 5,
    scale: float = 1.0,
    exact: bool = False,
    most: int = MOST,
    stride: int = 1,
    mask: Mask | None = None,
) -> Float[Tensor, "h w k"]:
    """Squared distances from each patch to its nearest matches at a scale.

    :func:`recurrence_map` counts the distances that are small enough.

    Parameters
    ----------
    image, patch_size, scale
        As in :func:`recurrence_map`.
    exact : bool
        Compare each patch with every other, instead of using the faster KD-tree.
    most : int
        Number of matches to find; a smaller number takes less time.
    stride : int
        Distance between neighbouring query patches, in pixels.
    mask : Bool[Tensor, "h w"], optional
        As in :func:`recurrence_map`. Patches that are not inside find no matches.

    Returns
    -------
    Float[Tensor, "h w k"]
        Nearest match first; infinite where a small image has fewer matches.
    """
    image = _check(image, patch_size, scale)
    searched = image if scale == 1 else resize(image, scale).clamp(0, 1)
    height, width = (side - patch_size + 1 for side in searched.shape[-2:])
    patches, searched_mask = height * width, None
    if mask is not None:
        searched_mask = resize_mask(mask, searched.shape[-2:])
        patches = int(patches_inside(searched_mask, patch_size).sum())
    k = min(most, patches - (1 if scale == 1 else 4))
    if k < 1:  # there are no other patches to match
        height, width = ((n - patch_size) // stride + 1 for n in image.shape[-2:])
        return image.new_full((height, width, most), torch.inf)
    find = partial(nearest_patches, remove_mean=True, exclude_self=True)
    found = find(
        *(image, searched, patch_size, k),
        stride=stride,
        exact=exact,
        query_mask=mask,
        database_mask=searched_mask,
    )
    return F.pad(found.distance, (0, most - k), value=torch.inf)


def good_distance(
    image: Image, patch_size: int = 5, stride: int = 1
) -> Float[Tensor, "h w"]:
    """The largest squared distance of a good match, for each patch (means subtracted).

    As in the paper, the patch is compared with the same patch moved by half a pixel,
    because a perfect copy may lie between the pixels. The patch is moved left, right,
    up and down (bicubic), and we take the largest of the four distances. We may miss a
    copy of texture that is half a pixel off in both directions.

    We add two limits to the distance. The upper limit is a quarter of the patch's own
    squared contrast. In noise, a move by half a pixel changes a patch by more than this
    limit; without the limit, dissimilar patches would match. The lower limit is two
    grey levels (of 255) per value, which are not visible, so that noise does not make
    patches of clear sky differ.

    The parameters are those of :func:`recurrence_map`. The result has a value at the
    top left pixel of each patch, too.
    """

    def limit(rows: Image) -> Float[Tensor, "_h _w"]:
        moved = [_contrast(half - rows, patch_size) for half in moved_by_half(rows)]
        farthest = torch.stack(moved).amax(0)
        limit = torch.minimum(farthest, CONTRAST * _contrast(rows, patch_size))
        return limit.clamp_min(UNSEEN * len(rows) * patch_size**2)

    return by_bands(limit, image, patch_size, stride)


def contrast(
    image: Image, patch_size: int = 5, stride: int = 1
) -> Float[Tensor, "h w"]:
    """Squared distance of each patch from its mean, summed over the channels.

    The parameters are those of :func:`recurrence_map`.
    """
    measure = partial(_contrast, patch_size=patch_size)
    return by_bands(measure, image, patch_size, stride)


def _contrast(image: Image, patch_size: int) -> Float[Tensor, "h w"]:
    exactly = image.cpu().double()  # against rounding errors; MPS lacks float64
    mean = F.avg_pool2d(exactly, patch_size, stride=1)
    square = F.avg_pool2d(exactly.square(), patch_size, stride=1)
    spread = (square - mean.square()).clamp_min(0).sum(0)
    return (patch_size**2 * spread).float().to(image.device)


def detailed(
    image: Image,
    patch_size: int = 5,
    stride: int = 1,
    among: Bool[Tensor, "h w"] | None = None,
) -> Bool[Tensor, "h w"]:
    """Mark the quarter of the patches with the most contrast; the others are smooth.

    With ``among``, it is a quarter of these patches. The other parameters are those of
    :func:`recurrence_map`.
    """
    contrasts = contrast(image, patch_size, stride)
    patches = contrasts.numel() if among is None else int(among.sum())
    if among is not None:
        contrasts[~among] = -1
    order = contrasts.flatten().argsort(descending=True, stable=True)
    quarter = torch.zeros_like(contrasts, dtype=torch.bool)
    quarter.view(-1)[order[: max(patches // 4, 1)]] = True
    return quarter


def recurrence_curve(
    image: Image,
    patch_size: int = 5,
    scales: Sequence[float] = SCALES,
    least: int = LEAST,
    among: Bool[Tensor, "h w"] | None = None,
) -> list[float]:
    """Percentage of patches with at least ``least`` good matches, at each scale.

    Parameters
    ----------
    image, patch_size, scales
        As in :func:`recurrence_map`.
    least : int
        Minimum number of good matches, 1 to 16.
    among : Bool[Tensor, "h w"], optional
        A mask of the patches that are counted, for example :func:`detailed`; by
        default, all patches are counted.
    """
    if not 1 <= least <= MOST:
        raise ValueError(f"least: expected 1 to {MOST} good matches, got {least}")
    for scale in (1.0, *scales):
        image = _check(image, patch_size, scale, "scales")
    good = good_distance(image, patch_size)
    if among is not None and (among.shape != good.shape or not among.any()):
        raise ValueError(
            f"among: expected a mask of {[*good.shape]} with at least one patch, got "
            f"{[*among.shape]} with {int(among.sum())}; detailed() makes such a mask"
        )
    chosen = ... if among is None else among
    found = (match_distances(image, patch_size, s, most=least) for s in scales)
    enough = [(distances[..., -1] <= good)[chosen] for distances in found]
    return [100 * each.cpu().double().mean().item() for each in enough]


def recurrence_score(
    image: Image, patch_size: int = 5, mask: Mask | None = None
) -> float:
    """The fraction of patches with at least one good match, averaged over ``SCALES``.

    The score is 0 for white noise and 1 for a straight edge. The chapters use this
    number to compare results with a photograph.

    In an image of more than 16,000 patches, only patches on a regular grid (at least
    4000) are queries. For photographs, this grid changes the score by at most 0.01; if
    a pattern repeats at the spacing of the grid, the error can exceed 0.1.

    Parameters and errors are as in :func:`recurrence_map`; patches outside the mask do
    not count.
    """
    image = _check(image, patch_size, 1.0)
    if round(min(SCALES) * min(image.shape[-2:])) < patch_size:
        raise ValueError(
            f"image: expected at least {ceil((patch_size - 0.5) / min(SCALES))} pixels "
            f"a side, so that a patch of {patch_size} fits into the smallest copy, got "
            f"{image.shape[-2]} x {image.shape[-1]}; take a larger picture"
        )
    matched = list(matched_patches(image, patch_size, mask))
    return torch.stack(matched).cpu().double().mean().item()


def matched_patches(
    image: Image, patch_size: int = 5, mask: Mask | None = None
) -> Iterator[Bool[Tensor, "n"]]:
    """Yield, for each of ``SCALES``, which of the score's query patches have a match.

    Parameters are as in :func:`recurrence_score`.
    """
    stride, inside = query_grid(image, patch_size, ENOUGH, mask)
    good = good_distance(image, patch_size, stride)
    for scale in SCALES:
        found = _count_good(image, good, patch_size, scale, 1, stride, mask)
        yield (found > 0)[inside]


def _check(image: Image, patch_size: int, scale: float, name: str = "scale") -> Image:
    """Check the arguments; the scale is the argument ``name``. Return the image."""
    image = check_image(image, in_range=False)
    check_patches(image, patch_size, least=2)
    check_not_flat(image)
    smaller = min(image.shape[-2:])
    if not 0 < scale <= 1 or round(scale * smaller) < patch_size:
        raise ValueError(
            f"{name}: expected at most 1, and at least {patch_size / smaller:.3g} so "
            f"that at least one patch fits into the downscaled image, got {scale}; try "
            "1"
        )
    return image


def moved_by_half(image: Image) -> list[Image]:
    """The image moved by half a pixel left, right, up and down (bicubic)."""
    weights = image.new_tensor(HALF_PIXEL)
    moved = []
    for axis in (2, 1):
        lines = image.transpose(axis, 2)
        padded = F.pad(lines, (2, 2), mode="replicate")
        between = padded.unfold(2, 4, 1) @ weights  # one value more than pixels
        moved += [x.transpose(axis, 2) for x in (between[..., 1:], between[..., :-1])]
    return moved
