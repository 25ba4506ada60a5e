"""Internal statistics of a single natural image (Zontak and Irani, CVPR 2011).

The paper compares the patches of one image (internal) with those of other images
(external). Patches are grey, and their means are subtracted. This file measures:

- the density of similar patches around a patch, as a function of the distance in pixels
  and of the patch's mean gradient magnitude (a Parzen estimate):

      density(p, r) = 1/|N| sum_{q in N} exp(-D(p, q) / (2 h^2)),

  where N are the patches at most r pixels from p;
- the error D of the best representative of a patch, in the same image or outside.

D(p, q) is the mean squared difference per value. By default, patches that overlap p are
left out, so that no measurement is dominated by shifts of p itself. The bandwidth h and
the scales are ours. ``parents.py`` measures the paper's third comparison, the
predictive power.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dil_teach.image.convention import Image, check_image, check_not_flat
from dil_teach.image.metrics import luma
from dil_teach.image.resize import pyramid
from dil_teach.patches.extract import PatchBag, bag_of, check_patches
from dil_teach.patches.search import nearest_rows

SCALES = (1.0, 0.8, 0.64, 0.51, 0.41)
"""Scales at which representatives are searched, as for recurrence: 1.25 apart."""
BANDWIDTH = 10 / 255
"""h: root mean squared difference per value at which the kernel has fallen to 0.61. Ten
grey levels are clearly visible on a smooth patch, and hardly visible on texture."""
GRADIENT_EDGES = (3.0, 8.0, 16.0, 30.0)
"""Limits of the five gradient bins, in grey levels (of 255) per pixel. In 20 Berkeley
training pictures, the quartiles are 2.7, 7.1 and 16.0; the 90th percentile is 28.3."""
GRADIENT_NAMES = ("below 3", "3 to 8", "8 to 16", "16 to 30", "over 30")
"""Names of the bins."""
TABLE = 2**24
"""Number of distances computed at a time: 64 MB."""


class Matches(NamedTuple):
    """The k nearest patches of each query patch, nearest first."""

    distance: Float[Tensor, "n k"]
    """D: the mean squared difference per value, of values in [0, 1]."""
    row: Int[Tensor, "n k"]
    """The match's row in the bag of patches that was searched."""


class Density(NamedTuple):
    """Similar patches within each radius around each query patch."""

    density: Float[Tensor, "n radii"]
    """The Parzen estimate, 0 to 1; NaN if there is no patch within the radius."""
    close: Int[Tensor, "n radii"]
    """Number of patches whose root mean squared difference is at most the bandwidth."""
    patches: Int[Tensor, "n radii"]
    """Number of all patches that are compared within the radius."""


def grey(image: Image, patch_size: int = 5) -> Float[Tensor, "1 h w"]:
    """The luma of an image; a ValueError if it is constant or too small.

    Each side must be at least four times ``patch_size``, so that every patch has other
    patches that do not overlap it. The luma of MATLAB's ``rgb2ycbcr`` lies in [16, 235]
    of 255.
    """
    check_image(image, min_side=1)
    check_patches(image, patch_size, least=2)
    if min(image.shape[1:]) < 4 * patch_size:
        raise ValueError(
            f"image: expected at least {4 * patch_size} x {4 * patch_size} pixels, "
            f"four patches of {patch_size}, got {image.shape[1]} x {image.shape[2]}; "
            "take a larger picture or smaller patches"
        )
    light = luma(image).float()
    check_not_flat(light)
    return light


def gradient_magnitude(image: Image, patch_size: int = 5) -> Float[Tensor, "h w"]:
    """Mean gradient magnitude of each patch, in grey levels (of 255) per pixel.

    The differences of neighbouring pixels inside the patch are used. The result has a
    value at the top left pixel of each patch. It raises the errors of :func:`grey`.
    """
    light = 255 * grey(image, patch_size)
    down = light[:, 1:, :-1] - light[:, :-1, :-1]
    right = light[:, :-1, 1:] - light[:, :-1, :-1]
    magnitude = (down.square() + right.square()).sqrt()
    return F.avg_pool2d(magnitude, patch_size - 1, stride=1)[0]


def gradient_bins(gradient: Float[Tensor, "*size"]) -> Int[Tensor, "*size"]:
    """The bin of each gradient magnitude, 0 to 4; see ``GRADIENT_NAMES``."""
    edges = torch.tensor(GRADIENT_EDGES, device=gradient.device)
    return torch.bucketize(gradient.contiguous(), edges, right=True)


def draw_places(
    gradient: Float[Tensor, "h w"], per_bin: int, rng: torch.Generator
) -> Int[Tensor, "n 2"]:
    """Draw up to ``per_bin`` random patches from each gradient bin, bin by bin.

    Returns the row and column of each patch's top left pixel.
    """
    if per_bin < 1:
        raise ValueError(f"per_bin: expected at least 1 patch, got {per_bin}; try 100")
    bins = gradient_bins(gradient).cpu()
    places = []
    for number in range(len(GRADIENT_NAMES)):
        found = (bins == number).nonzero()
        places.append(found[torch.randperm(len(found), generator=rng)[:per_bin]])
    return torch.cat(places).to(gradient.device)


def patches_at(
    image: Image, places: Int[Tensor, "n 2"], patch_size: int = 5
) -> Float[Tensor, "n values"]:
    """The grey patches at these places (row, column), each minus its mean."""
    bag = bag_of([grey(image, patch_size)], None, patch_size, True, "image")
    return bag[places[:, 0] * (image.shape[2] - patch_size + 1) + places[:, 1]]


def patch_bag(
    image: Image, patch_size: int = 5, scales: Sequence[float] = SCALES
) -> PatchBag:
    """The grey patches of an image at several scales, each minus its mean.

    Scales at which the image is smaller than a patch are left out. A ValueError is
    raised if no scale is left.
    """
    levels = pyramid(luma(image).float(), scales, patch_size)
    return bag_of(levels, None, patch_size, True, "image")


def external_matches(
    patches: Float[Tensor, "n values"], bag: PatchBag, k: int = 1
) -> Matches:
    """The k best representatives of patches in the bag of another image.

    Parameters
    ----------
    patches : Float[Tensor, "n values"]
        From :func:`patches_at`.
    bag : PatchBag
        From :func:`patch_bag`, with the same patch size.
    k : int
        Number of representatives; a ValueError is raised if the bag has fewer patches.
    """
    if not 1 <= k <= len(bag):
        raise ValueError(f"k: expected 1 to {len(bag)} patches of the bag, got {k}")
    _, index = nearest_rows(patches, bag, k)
    return _measured(patches, bag, index)


def internal_matches(
    image: Image,
    places: Int[Tensor, "n 2"],
    k: int = 1,
    patch_size: int = 5,
    scales: Sequence[float] = SCALES,
    overlapping: bool = False,
) -> Matches:
    """The k best representatives of patches in the same image, at several scales.

    All distances are computed. A ValueError is raised as by :func:`grey`, or if fewer
    than k patches are left for a patch.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"], grey or RGB.
    places : Int[Tensor, "n 2"]
        Row and column of the top left pixel of each query patch.
    k, patch_size : int
        Number of representatives, and side of a patch in pixels.
    scales : sequence of float
        Relative sizes of the image in which representatives are searched.
    overlapping : bool
        Also use patches that overlap the query patch, except those less than one pixel
        (of the resized image) away. By default, no patch that shows a pixel of the
        query patch is used, at any scale.
    """
    patches = patches_at(image, places, patch_size)
    bag = patch_bag(image, patch_size, scales)
    most = len(bag) - len(scales) * (2 * patch_size) ** 2
    if not 1 <= k <= most:
        raise ValueError(
            f"k: expected 1 to {max(most, 0)}, the number of patches that never "
            f"overlap the query, got {k}; take a smaller k"
        )
    smaller = min(image.shape[1:])
    kept = [scale for scale in scales if round(scale * smaller) >= patch_size]
    indices = []
    for rows, table in _tables(patches, bag):
        table[_left_out(places[rows], bag, kept, overlapping)] = torch.inf
        indices.append(table.topk(k, largest=False).indices)
    return _measured(patches, bag, torch.cat(indices))


def recurrence_density(
    image: Image,
    places: Int[Tensor, "n 2"],
    radii: Sequence[float],
    patch_size: int = 5,
    bandwidth: float = BANDWIDTH,
    overlapping: bool = False,
) -> Density:
    """The density of similar patches around each query patch, at the image's own scale.

    A ValueError is raised as by :func:`grey`, or if a radius or the bandwidth is not
    above 0.

    Parameters
    ----------
    image, places, patch_size, overlapping
        As in :func:`internal_matches`.
    radii : sequence of float
        Rising distances in pixels; patches within each radius are counted.
    bandwidth : float
        h of the formula at the top of this file.
    """
    if not all(a < b for a, b in zip((0, *radii), radii, strict=False)) or not radii:
        raise ValueError(f"radii: expected rising numbers above 0, got {radii}")
    if not bandwidth > 0:
        raise ValueError(f"bandwidth: expected above 0, got {bandwidth}; try 10 / 255")
    patches = patches_at(image, places, patch_size)
    bag = patch_bag(image, patch_size, (1.0,))
    limits = torch.tensor([float(r) for r in radii], device=image.device)
    sums = [[], [], []]
    for rows, table in _tables(patches, bag):
        offset = (bag.place[:, 1:] - places[rows, None]).float()
        ring = torch.bucketize(offset.norm(dim=2), limits)  # the last ring is outside
        apart = (~_left_out(places[rows], bag, (1.0,), overlapping)).float()
        kernel = torch.exp(-table / (2 * bandwidth**2))
        for values, kept in zip(
            (kernel, table <= bandwidth**2, torch.ones_like(table)), sums, strict=True
        ):
            total = table.new_zeros(len(table), len(radii) + 1)
            total.scatter_add_(1, ring, values * apart)
            kept.append(total[:, :-1].cumsum(1))
    kernel, close, count = (torch.cat(kept) for kept in sums)
    return Density(kernel / count, close.round().long(), count.round().long())


def _tables(
    patches: Float[Tensor, "n values"], bag: PatchBag
) -> Iterator[tuple[slice, Float[Tensor, "rows keys"]]]:
    """Yield the distances D of some query patches to all patches of a bag."""
    keys = bag[:]
    squares = keys.square().sum(1)
    step = max(TABLE // len(keys), 1)
    for first in range(0, len(patches), step):
        rows = slice(first, first + step)
        some = patches[rows]
        table = torch.addmm(squares, some, keys.T, alpha=-2)
        table += some.square().sum(1, keepdim=True)
        yield rows, table.clamp_min_(0) / patches.shape[1]


def _left_out(
    places: Int[Tensor, "n 2"],
    bag: PatchBag,
    scales: Sequence[float],
    overlapping: bool,
) -> Bool[Tensor, "n keys"]:
    """Which patches of a bag are too near to the query patch.

    ``scales`` are those of the bag's levels. Patches that only touch do not overlap.
    """
    scale = torch.tensor(scales, device=places.device)[bag.place[:, 0]]
    half = bag.patch_size / 2
    centre = (bag.place[:, 1:] + half) / scale[:, None]  # in pixels of the image
    reach = (1 / scale if overlapping else half + half / scale) - 1e-3
    gap = (centre - (places[:, None] + half)).abs()
    return (gap < reach[:, None]).all(2)


def _measured(patches: Tensor, bag: PatchBag, index: Tensor) -> Matches:
    """Matches with distances that do not suffer from the rounding of the search."""
    found = bag[index.flatten()].view(*index.shape, -1)
    distance = (found - patches[:, None]).square().mean(2)
    distance, order = distance.sort(dim=1, stable=True)
    return Matches(distance, index.gather(1, order))
