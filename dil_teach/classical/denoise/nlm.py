"""Non-local means: Buades, Coll and Morel, 'A non-local algorithm for image denoising',
CVPR 2005.

Each pixel i becomes a weighted mean of the pixels j around it:

    result(i) = sum over j of w(i, j) y(j) / sum over j of w(i, j) ,
    w(i, j) = exp(-max(d(i, j) - 2 sigma^2, 0) / h^2) .

Here d(i, j) is the mean squared difference of the patches around i and j, in which a
Gaussian gives central pixels more weight. Noise of variance sigma^2 adds 2 sigma^2 to
d, so we subtract this value (Buades et al., IPOL 2011); the paper does not. The pixel i
itself has the weight 1.

scikit-image has the same method, and the tests compare the two:
:func:`dil_teach.classical.denoising.nlm_denoise`.
"""

from collections.abc import Iterator
from itertools import product

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.convention import Image, check_image
from dil_teach.image.metrics import check_sigma
from dil_teach.training.conditions import same_conditions

STRENGTH = 0.85
"""Filter strength h in units of sigma, as in
:func:`dil_teach.classical.denoising.nlm_denoise`."""
PATCH_SIZE = 5
"""Side of a patch in pixels. The paper has 7."""
REACH = 6
"""The window reaches this many pixels to each side. The paper has 10."""
OUTSIDE = 1e4
"""Value of the pixels outside of the image. No patch is similar to them, so their
weights are 0."""


@same_conditions()
def nlm(
    image: Image,
    sigma: float,
    strength: float = STRENGTH,
    patch_size: int = PATCH_SIZE,
    reach: int = REACH,
) -> Image:
    """Denoise by non-local means.

    Parameters
    ----------
    image : Image
        The noisy image, Float[Tensor, "c h w"] in [0, 1]; noise may exceed this range.
        The colours of a pixel share one weight.
    sigma : float
        Standard deviation of the noise, for an image in [0, 1].
    strength : float
        Filter strength h, in units of ``sigma``. The larger h is, the more two patches
        may differ and still be averaged.
    patch_size : int
        Side of a patch in pixels, odd.
    reach : int
        Pixels are averaged with pixels up to this many rows and columns away.

    Returns
    -------
    Image
        Float[Tensor, "c h w"], not clamped.

    Raises
    ------
    ValueError
        If an argument is out of its range, or the image is smaller than a patch.
    """
    image = _check(image, sigma, strength, patch_size, reach)
    total, weights = torch.zeros_like(image), torch.zeros_like(image[0])
    for shifted, weight in _shifts(image, sigma, strength, patch_size, reach):
        total += weight * shifted
        weights += weight
    return total / weights


@same_conditions()
def nlm_weights(
    image: Image,
    sigma: float,
    row: int,
    column: int,
    strength: float = STRENGTH,
    patch_size: int = PATCH_SIZE,
    reach: int = REACH,
) -> Float[Tensor, "window window"]:
    """The weights with which :func:`nlm` averages the pixels around one pixel.

    The parameters and errors are those of :func:`nlm`; ``row`` and ``column`` select
    the pixel.

    Returns
    -------
    Float[Tensor, "window window"]
        Weights with sum 1; the pixel itself is in the middle. The side of the window is
        2 * reach + 1. Pixels outside of the image have weight 0.
    """
    image = _check(image, sigma, strength, patch_size, reach)
    height, width = image.shape[1:]
    if not (0 <= row < height and 0 <= column < width):
        raise ValueError(
            f"row, column: expected a pixel of the image, {height} x {width}, got "
            f"{row}, {column}; rows and columns start at 0"
        )
    margin = reach + patch_size // 2
    top, left = max(row - margin, 0), max(column - margin, 0)
    # The crop contains all patches that are compared with the patch of this pixel.
    bottom, right = row + margin + 1, column + margin + 1
    crop = image[:, top:bottom, left:right]
    shifts = _shifts(crop, sigma, strength, patch_size, reach)
    weights = torch.stack([weight[row - top, column - left] for _, weight in shifts])
    return (weights / weights.sum()).view(2 * reach + 1, 2 * reach + 1)


def _shifts(
    image: Image, sigma: float, strength: float, patch_size: int, reach: int
) -> Iterator[tuple[Image, Float[Tensor, "h w"]]]:
    """Yield the image shifted by each vector of the window, and the weights w(i, j)."""
    height, width = image.shape[1:]
    half = patch_size // 2
    kernel = _patch_weights(patch_size).to(image.device)
    near = F.pad(image, [half] * 4, mode="reflect")
    far = F.pad(near, [reach] * 4, value=OUTSIDE)
    for top, left in product(range(2 * reach + 1), repeat=2):
        shifted = far[:, top : top + height + 2 * half, left : left + width + 2 * half]
        squares = (near - shifted).square().mean(0)
        distance = F.conv2d(squares[None, None], kernel[None, None])[0, 0]
        excess = (distance - 2 * sigma**2).clamp_min(0)
        weight = torch.exp(-excess / (strength * sigma) ** 2)
        yield shifted[:, half : half + height, half : half + width], weight


def _patch_weights(patch_size: int) -> Float[Tensor, "p p"]:
    """A Gaussian with sum 1; its standard deviation is a quarter of a patch."""
    position = torch.arange(patch_size) - patch_size // 2
    spread = max(patch_size - 1, 1) / 4
    bell = torch.exp(-position.square() / (2 * spread**2))
    return torch.outer(bell, bell) / bell.sum() ** 2


def _check(
    image: Image, sigma: float, strength: float, patch_size: int, reach: int
) -> Image:
    image = check_image(image, in_range=False)
    check_sigma(sigma)
    if patch_size < 1 or patch_size % 2 == 0:
        raise ValueError(
            f"patch_size: expected an odd number of pixels, got {patch_size}; try 5"
        )
    if min(image.shape[1:]) < patch_size:
        raise ValueError(
            f"image: expected at least {patch_size} x {patch_size} pixels, the size of "
            f"a patch, got {image.shape[1]} x {image.shape[2]}; take a larger picture"
        )
    if not 0 < strength < float("inf"):
        raise ValueError(f"strength: expected above 0, got {strength}; try {STRENGTH}")
    if reach < 1:
        raise ValueError(f"reach: expected at least 1 pixel, got {reach}; try {REACH}")
    return image
