"""The predictive power of similar patches (Zontak and Irani, CVPR 2011).

The parent of a patch shows the same place at twice the size. For super-resolution, the
unknown parent of a patch is predicted by the parents of similar patches. This file
measures how well the prediction agrees with the true parent, and how much the parents
agree with one another. Patches and parents are grey, each minus its own mean.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.convention import Image
from dil_teach.image.metrics import luma
from dil_teach.image.resize import pyramid, resize
from dil_teach.patches.extract import PatchBag, bag_of
from dil_teach.patches.statistics import BANDWIDTH

SCALES = (1.0, 0.8, 0.64)
"""Scales of the image from which pairs are taken."""
MATCHES = 9
"""Number of matches whose parents are averaged."""


class Pairs(NamedTuple):
    """Patches of an image at half its size, and their parents in the image itself."""

    low: PatchBag
    high: PatchBag
    """The parents; row i is the parent of row i of ``low``."""


def parent_pairs(
    image: Image, patch_size: int = 5, scales: Sequence[float] = SCALES
) -> Pairs:
    """Pairs of a grey patch and its parent, which is twice as large.

    The image is resized by each scale, and then by one half (bicubic, antialiased). A
    scale at which the half is smaller than a patch is left out.
    """
    levels = pyramid(luma(image).float(), scales, 2 * patch_size)
    highs = [even(level) for level in levels]
    lows = [resize(high, 0.5).clamp(0, 1) for high in highs]
    low = bag_of(lows, None, patch_size, True, "image")
    level, row, column = low.place.T
    width = torch.tensor([high.shape[2] for high in highs], device=row.device)
    sizes = torch.tensor([high[0].numel() for high in highs], device=row.device)
    first = sizes.cumsum(0) - sizes
    corner = first[level] + 2 * row * width[level] + 2 * column
    pixels = torch.cat([high.flatten(1) for high in highs], 1)
    high = PatchBag(pixels, corner, first, width, 2 * patch_size, True)
    return Pairs(low, high)


def even(image: Image) -> Image:
    """The image without its last row or column if their number is odd."""
    return image[:, : image.shape[1] // 2 * 2, : image.shape[2] // 2 * 2]


def predict_parent(
    distance: Float[Tensor, "n k"],
    parents: Float[Tensor, "n k values"],
    bandwidth: float = BANDWIDTH,
) -> tuple[Float[Tensor, "n values"], Float[Tensor, "n"]]:
    """The weighted mean of the matches' parents, and how much the parents disagree.

    A match at distance D has the weight exp(-D / (2 h^2)); the weights sum to 1.

    Parameters
    ----------
    distance : Float[Tensor, "n k"]
        D of the matches, from :class:`Matches`.
    parents : Float[Tensor, "n k values"]
        Their parents, each minus its mean.
    bandwidth : float
        h.

    Returns
    -------
    prediction : Float[Tensor, "n values"]
        The weighted mean of the parents.
    spread : Float[Tensor, "n"]
        The weighted variance of the parents around it, averaged over the values: the
        trace of their covariance, per value. The paper calls it uncertainty.
    """
    weights = torch.softmax(-distance / (2 * bandwidth**2), 1)[..., None]
    prediction = (weights * parents).sum(1)
    variance = (weights * (parents - prediction[:, None]).square()).sum(1)
    return prediction, variance.mean(1)
