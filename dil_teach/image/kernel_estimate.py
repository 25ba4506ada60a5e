"""Compute a blur kernel from the kernel that relates two scales of the blurred image.

Michaeli and Irani, 'Nonparametric blind super-resolution', ICCV 2013, section 3:
patches of a scene recur at smaller scales, so patches of the scene, downscaled by s and
blurred by the kernel k, look like patches of the image, blurred by k and downscaled
by k'. In the frequency domain, with f in cycles per pixel and s = 2,

    K(f) = K'(f) K(f / 2) .

An estimator that compares the image with a downscaled copy estimates k', not k. For a
Gaussian, k' has 3/4 of the covariance of k. For a straight motion of length l, k' is
two points at a distance of l/2, because sin(x) = 2 cos(x/2) sin(x/2). Applying the
equation again to K(f / 2) gives

    K(f) = K'(f) K'(f / 2) K'(f / 4) ... .

On the pixel grid, k is k' blurred by k' at half the size, at a quarter of the size, and
so on.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.convention import Image, check_image, check_not_flat
from dil_teach.image.kernel import (
    Kernel2d,
    centre_kernel,
    check_kernel,
    gaussian_kernel,
)
from dil_teach.image.metrics import luma

MIN_SIDE = 64
"""Smallest side in pixels of an image whose patches show its blur kernel."""
LEVELS = 6
"""Number of factors of the product; the sixth changes the covariance by 0.1%."""
NEGLIGIBLE = 0.1, 0.05
"""Weights below these fractions of the largest weight are removed: below the first
fraction before the product, and below the second after the product. We remove more
weights than noise causes, because the weak tails of an estimate make the kernel too
wide. With such a kernel, ZSSR can be worse than with bicubic downscaling."""


def checked_luma(image: Image) -> Float[Tensor, "1 h w"]:
    """The luma of an image, in which an estimator compares patches.

    A ValueError is raised if the image is not grey or RGB in [0, 1], if a side is
    shorter than 64 pixels, or if all pixels are equal (up to one grey level).
    """
    image = check_image(image, min_side=MIN_SIDE)
    check_not_flat(image, span=1.5 / 255)
    return luma(image).float()


def finish(raw: Kernel2d) -> Float[Tensor, "_kh _kw"]:
    """The blur kernel, from the kernel that matches two scales of an image.

    Parameters
    ----------
    raw : Float["kh kw"]
        Correlation weights of k', for scale 2.

    Returns
    -------
    Float[Tensor, "_kh _kw"]
        The kernel for :class:`dil_teach.deep.zssr.zssr.ZSSR`: float64, with sum 1,
        without negative weights, centred for scale 2. A ValueError is raised if the
        kernel cannot be used: see :func:`dil_teach.image.kernel.check_kernel`.
    """
    before, after = NEGLIGIBLE
    product = kernel_of_the_scene(remove_negligible(raw, before))
    return centre_kernel(remove_negligible(product, after), 2)


def remove_negligible(kernel: Kernel2d, fraction: float) -> Float[Tensor, "kh kw"]:
    """The kernel without weights below ``fraction`` times its largest; the sum is 1."""
    weights = check_kernel(kernel)
    weights = np.where(weights < fraction * weights.max(), 0, weights)
    return torch.from_numpy(weights / weights.sum())


def kernel_of_the_scene(raw: Kernel2d) -> Float[Tensor, "size size"]:
    """The product K'(f) K'(f / 2) K'(f / 4) ... as a kernel of twice the size.

    Each factor is the Fourier transform of ``raw`` at low frequencies, so nothing is
    interpolated. The centre of mass is in the middle of the array.
    """
    weights = check_kernel(raw)
    size = 2 * max(weights.shape)
    count = 2 * size  # twice as many frequencies as pixels: no weight wraps around
    frequency = np.fft.fftfreq(count)
    (x, y), _ = moments(weights)
    rows, columns = (np.arange(n) for n in weights.shape)
    product = np.ones((count, count), complex)
    for level in range(LEVELS):
        wave = -2j * np.pi * frequency[:, None] / 2**level
        product *= np.exp(wave * (rows - y)) @ weights @ np.exp(wave * (columns - x)).T
    place = np.arange(size) - (size - 1) / 2
    inverse = np.exp(2j * np.pi * place[:, None] * frequency) / count
    return torch.from_numpy((inverse @ product @ inverse.T).real.copy())


def moments(
    kernel: Kernel2d,
) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2 2"]]:
    """The centre of mass (x, y) of a kernel in pixels, and its covariance matrix.

    The covariance is [[xx, xy], [xy, yy]] in pixels².
    """
    weights = check_kernel(kernel)
    y, x = np.indices(weights.shape).reshape(2, -1)
    places = np.stack([x, y]).astype(float)
    centre = places @ weights.flatten()
    away = places - centre[:, None]
    return centre, (away * weights.flatten()) @ away.T


def gaussian_of(
    covariance: Float[np.ndarray, "2 2"], size: int = 26
) -> Float[Tensor, "size size"]:
    """The Gaussian kernel of a covariance matrix [[xx, xy], [xy, yy]].

    Variances below 0.1 pixels², which no array of pixels can represent, become 0.1.
    """
    variances, axes = np.linalg.eigh(covariance)
    first, second = np.sqrt(variances.clip(0.1))
    angle = math.atan2(axes[1, 0], axes[0, 0])
    return gaussian_kernel((first, second), angle, size)
