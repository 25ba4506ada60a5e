"""Patch recurrence within and across scales (Glasner, Bagon and Irani, ICCV 2009)."""

from collections.abc import Sequence
from math import isqrt

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dil_teach.image.convention import Image, check_image
from dil_teach.image.resize import resize
from dil_teach.patches.search import nearest_patches

SCALES = (1.0, 0.8, 0.64, 0.51, 0.41)
"""Those of the paper's figure: each 1.25 times smaller than the one before."""
MOST = 16
"""Good matches are counted up to so many."""
LEAST = 9
"""The paper asks which patches have at least so many."""
HALF_PIXEL = (-1 / 16, 9 / 16, 9 / 16, -1 / 16)
"""Bicubic weights half-way between two pixels (Keys, a = -1/2)."""
CONTRAST = 0.25
"""A good match is no farther than this share of the patch's own squared contrast."""
UNSEEN = (2 / 255) ** 2
"""Squared distance per value, of two grey levels, that nobody sees between patches."""
ENOUGH = 4000
"""So many patches, evenly spread, tell a photograph's score to a hundredth."""


def recurrence_map(
    image: Image, patch_size: int = 5, scale: float = 1.0
) -> Int[Tensor, "h w"]:
    """How many good matches each patch has in its image at a scale, up to 16.

    Patches are compared by the squared distance of their values, each channel's mean
    over the patch taken off. A match is *good* if it is within :func:`good_distance`.
    The patch itself does not count: whatever lies less than one pixel (of the image at
    that scale) from its own place. Matches may overlap the patch, and one another.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"], grey or RGB, all channels compared.
    patch_size : int
        Side of a patch in pixels.
    scale : float
        Of the image that is searched, to the image: 1 is the image itself, below 1 it
        is smaller (bicubic, antialiased).

    Returns
    -------
    Int[Tensor, "h w"]
        0 to 16, at the top left corner of each patch: (h - patch_size + 1,
        w - patch_size + 1).

    Raises
    ------
    ValueError
        If the image is constant or smaller than a patch, or is so at that scale.

    References
    ----------
    D. Glasner, S. Bagon and M. Irani, "Super-Resolution from a Single Image", ICCV
    2009, section 2. Departures: all channels instead of grey, no Gaussian weights, the
    limit by contrast; benchmarks/results/recurrence_choices.json
    holds what each is worth.
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
    """Squared distances of each patch to its nearest ones at a scale, itself left out.

    What :func:`recurrence_map` counts from, nearest first.

    Parameters
    ----------
    image, patch_size, scale
        As there.
    exact : bool
        Compare each patch with every other, instead of the fast search.
    most : int
        How many of them: fewer take less time.
    stride : int
        Distance between neighbouring patches that are looked at, in pixels.

    Returns
    -------
    Float[Tensor, "h w k"]
        Sums over all c * patch_size**2 values, each channel's mean taken off; infinite
        where the image is so small that there are fewer.

    Raises
    ------
    ValueError
        As there.
    """
    check_recurs(image, patch_size, scale)
    searched = image if scale == 1 else resize(image, scale).clamp(0, 1)
    height, width = (side - patch_size + 1 for side in searched.shape[-2:])
    k = min(most, height * width - (1 if scale == 1 else 4))
    if k < 1:  # nothing beside itself
        height, width = ((n - patch_size) // stride + 1 for n in image.shape[-2:])
        return image.new_full((height, width, most), torch.inf)
    found = nearest_patches(
        image,
        searched,
        patch_size,
        k,
        stride=stride,
        exact=exact,
        remove_mean=True,
        exclude_self=True,
    )
    return F.pad(found.distance, (0, most - k), value=torch.inf)


def good_distance(image: Image, patch_size: int = 5) -> Float[Tensor, "h w"]:
    """How far a good match may be from each patch: squared, without means.

    As far as the patch is from itself moved by half a pixel (left, right, up or down,
    by bicubic interpolation: the farthest of the four), since a perfect copy may lie
    about that far off the grid of pixels (in texture, one half a pixel off in both
    directions may not pass). But no farther than a quarter of its own squared
    distance from its mean: where half a pixel changes a patch more, as in noise, being
    nearer than that is no likeness. And never nearer than two grey levels
    (of 255) a value, which nobody sees: the noise of a clear sky sets no patches apart.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"].
    patch_size : int
        Side of a patch in pixels.

    Returns
    -------
    Float[Tensor, "h w"]
        At the top left corner of each patch.

    References
    ----------
    Glasner, Bagon and Irani 2009, section 2, for the half pixel.
    """
    moved = [contrast(half - image, patch_size) for half in moved_by_half(image)]
    farthest = torch.stack(moved).amax(0)
    unseen = UNSEEN * len(image) * patch_size**2
    return torch.minimum(farthest, CONTRAST * contrast(image, patch_size)).clamp_min(
        unseen
    )


def contrast(image: Image, patch_size: int = 5) -> Float[Tensor, "h w"]:
    """Squared distance of each patch from its mean, channel by channel, summed.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"].
    patch_size : int
        Side of a patch in pixels.
    """
    exactly = image.cpu().double()  # differences of large sums follow; not on MPS
    mean = F.avg_pool2d(exactly, patch_size, stride=1)
    square = F.avg_pool2d(exactly.square(), patch_size, stride=1)
    spread = (square - mean.square()).clamp_min(0).sum(0)
    return (patch_size**2 * spread).float().to(image.device)


def detailed(image: Image, patch_size: int = 5) -> Bool[Tensor, "h w"]:
    """Which patches are the quarter of most contrast; the others are the smooth ones.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"].
    patch_size : int
        Side of a patch in pixels.
    """
    contrasts = contrast(image, patch_size)
    order = contrasts.flatten().argsort(descending=True, stable=True)
    quarter = torch.zeros_like(order, dtype=torch.bool)
    quarter[order[: max(len(order) // 4, 1)]] = True
    return quarter.view(contrasts.shape)


def recurrence_curve(
    image: Image,
    patch_size: int = 5,
    scales: Sequence[float] = SCALES,
    least: int = LEAST,
    among: Bool[Tensor, "h w"] | None = None,
) -> list[float]:
    """Percentage of patches with at least so many good matches, at each scale.

    Parameters
    ----------
    image, patch_size
        As in :func:`recurrence_map`.
    scales : sequence of float
        The paper's where not given.
    least : int
        1 to 16; the paper's 9 where not given.
    among : Bool[Tensor, "h w"], optional
        Which patches are looked at, such as :func:`detailed`; all where not given.

    Returns
    -------
    list of float
        0 to 100, one for each scale.

    Raises
    ------
    ValueError
        As in :func:`recurrence_map`; or if ``least`` cannot be reached.

    References
    ----------
    Glasner, Bagon and Irani 2009, the figure of section 2.
    """
    if not 1 <= least <= MOST:
        raise ValueError(
            f"least: expected 1 to {MOST} good matches, got {least}; more are not "
            "counted"
        )
    good = good_distance(image, patch_size)
    if among is not None and (among.shape != good.shape or not among.any()):
        raise ValueError(
            f"among: expected some of the {good.shape[0]} x {good.shape[1]} patches, "
            f"got {int(among.sum())} of {' x '.join(map(str, among.shape))}; "
            "detailed() makes such a mask"
        )
    percentages = []
    for scale in scales:
        enough = match_distances(image, patch_size, scale, most=least)[..., -1] <= good
        chosen = enough if among is None else enough[among]
        percentages.append(100 * chosen.cpu().double().mean().item())
    return percentages


def recurrence_score(image: Image, patch_size: int = 5) -> float:
    """How much an image is made of its own patches: 0 for noise, 1 for a plain edge.

    The share of patches with at least one good match, its mean over five scales, 1 to
    0.41: the one number by which the chapters compare a result with a photograph.

    Of more than 16,000 patches only some are asked, evenly spread, at least 4000: on
    photographs the score is within 0.01 of that of all. A pattern that repeats in step
    with those that are asked can be misjudged by over 0.1.

    Parameters
    ----------
    image, patch_size
        As in :func:`recurrence_map`.

    Raises
    ------
    ValueError
        As in :func:`recurrence_map`.
    """
    check_recurs(image, patch_size, min(SCALES))
    good = good_distance(image, patch_size)
    stride = max(isqrt(good.numel() // ENOUGH), 1)
    good = good[::stride, ::stride]
    shares = [
        match_distances(image, patch_size, scale, most=1, stride=stride)[..., 0] <= good
        for scale in SCALES
    ]
    return torch.stack(shares).cpu().double().mean().item()


def check_recurs(image: Image, patch_size: int, scale: float) -> None:
    """Refuse, in one sentence, an image whose recurrence cannot be measured."""
    check_image(image, in_range=False)
    height, width = image.shape[-2:]
    if not 1 < patch_size <= min(height, width):
        raise ValueError(
            f"patch_size: expected 2 to {min(height, width)}, the smaller side of the "
            f"image ({height} x {width} pixels), got {patch_size}; take smaller "
            "patches or a larger image"
        )
    if not 0 < scale <= 1:
        raise ValueError(
            f"scale: expected above 0 and at most 1, got {scale}; 0.5 searches the "
            "image at half its size"
        )
    side = round(scale * min(height, width))
    if side < patch_size:
        raise ValueError(
            f"scale: {scale} leaves {side} pixels of {min(height, width)}, less than "
            f"one patch of {patch_size}; take a larger scale or image, or smaller "
            "patches"
        )
    if (image == image[:, :1, :1]).all():
        raise ValueError(
            "image: expected some detail, got a constant image, in which every patch "
            "is every other; take a photograph"
        )


def moved_by_half(image: Image) -> list[Image]:
    """The image moved by half a pixel: left, right, up and down (bicubic).

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"].
    """
    weights = image.new_tensor(HALF_PIXEL)
    moved = []
    for axis in (2, 1):
        lines = image.transpose(axis, 2)
        padded = F.pad(lines, (2, 2), mode="replicate")
        between = padded.unfold(2, 4, 1) @ weights  # one more than there are pixels
        moved += [
            side.transpose(axis, 2) for side in (between[..., 1:], between[..., :-1])
        ]
    return moved
