"""The noise level of an image: Liu, Tanaka and Okutomi, 'Single-Image Noise Level
Estimation for Blind Denoising', IEEE Transactions on Image Processing 2013.

White noise varies equally in all directions of the space of patches; smooth patches
vary in few. So the smallest eigenvalue of the covariance of smooth patches is the
variance of the noise. A patch is smooth if its neighbouring pixels differ as little as
in noise alone. Level and smooth patches are estimated from each other, beginning with
all patches.

Departures: patches of 5 x 5 pixels, because a picture has more smooth patches of this
size; no patch with a clipped value; a sample of the patches, so that the time does not
grow with the picture. JPEG compression removes the finest noise: then the picture at
half the size shows the noise that is left. If too few patches are smooth, noise cannot
be distinguished from texture, and there is no estimate.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.special import gammaincinv
from torch import Tensor

from dil_teach.image.convention import Image, check_image

SIDE = 5
"""Side of the patches in pixels."""
PATCHES = 40_000
"""Largest number of patches in each channel."""
NOISY = SIDE**2 / 2
"""In about half of the directions, smooth patches vary by noise alone. The smallest of
so many eigenvalues of a sample is too low."""
LEAST = 10 * SIDE**2
"""Least number of smooth patches."""
CONFIDENCE = 1 - 1e-6
"""Fraction of the patches of pure noise that count as smooth, as in the paper."""
CALM = 1 / 255
"""If the smoothest patches have a lower level, the picture has smooth parts."""


def smooth_noise_level(image: Image) -> float | None:
    """Estimate the standard deviation of noise from the smooth parts of an image.

    In contrast to :func:`dil_teach.image.metrics.noise_level`, texture is not taken for
    noise.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1], grey or RGB.

    Returns
    -------
    float or None
        In units of [0, 1], the mean over the channels. None if the image has too few
        smooth parts to distinguish noise from texture.

    Raises
    ------
    ValueError
        If the image is not a float32 tensor of this shape, or not finite.
    """
    image = check_image(image, in_range=False).cpu()
    levels = [level for level in map(_level, image) if level is not None]
    return sum(levels) / len(levels) if levels else None


def _level(channel: Float[Tensor, "h w"]) -> float | None:
    level, smooth = _level_of_smooth_patches(channel)
    if smooth:
        return level
    if level >= CALM:
        return None
    if min(channel.shape) < 2:
        return level
    half, smooth = _level_of_smooth_patches(F.avg_pool2d(channel[None], 2)[0])
    # the mean of four values of white noise has half its level
    return max(level, 2 * half) if smooth else level


def _level_of_smooth_patches(channel: Float[Tensor, "h w"]) -> tuple[float, bool]:
    """The noise level of one channel, and whether enough of its patches are smooth.

    If not, the level is that of the ``LEAST`` smoothest patches: an upper bound.
    """
    patches = _sample(channel)
    if len(patches) < LEAST:
        return 1.0, False
    differences = (patches.diff(dim=dim).square().sum((1, 2)) for dim in (1, 2))
    texture, order = sum(differences, patches.new_zeros(())).sort()
    patches = patches[order].flatten(1)
    # In noise, texture has nearly a gamma distribution. A patch has SIDE**2 - 1 degrees
    # of freedom and 2 * SIDE * (SIDE - 1) differences, each with twice the variance.
    freedom, mean = SIDE**2 - 1, 4 * SIDE * (SIDE - 1)
    limit = float(gammaincinv(freedom / 2, CONFIDENCE) * 2 * mean / freedom)
    count = len(patches)
    while True:  # the count falls until it is stable or too low
        variance = torch.linalg.eigvalsh(patches[:count].T.cov())[0].clamp_min(0)
        # the limit of the smallest eigenvalue of noise (Marchenko and Pastur 1967)
        variance = variance / (1 - math.sqrt(NOISY / count)) ** 2
        smooth = int((texture <= limit * variance).sum())
        if smooth >= count or count == LEAST:
            return float(variance.sqrt()), smooth >= count
        count = max(smooth, LEAST)


def _sample(channel: Float[Tensor, "h w"]) -> Float[Tensor, "n 5 5"]:
    """Patches at random places, without those that have a clipped value."""
    height, width = (max(side - SIDE + 1, 0) for side in channel.shape)
    places = torch.arange(height * width)
    if len(places) > PATCHES:
        rng = torch.Generator().manual_seed(0)
        places = torch.randint(len(places), (PATCHES,), generator=rng)
    rows, columns = places // max(width, 1), places % max(width, 1)
    rows = rows[:, None, None] + torch.arange(SIDE)[:, None]
    patches = channel[rows, columns[:, None, None] + torch.arange(SIDE)]
    whole = ((patches > 0) & (patches < 1)).flatten(1).all(1)
    return (patches[whole] if whole.sum() >= LEAST else patches).double()
