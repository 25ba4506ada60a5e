"""The blur kernel of an image from its power spectrum, a baseline for other estimators.

Natural scenes look alike at all scales (Field 1987): along an orientation theta, the
power falls with a power of the frequency f. A blur kernel K bends this line,

    log P(f) = a(theta) - alpha log |f| + log |K(f)|^2 ,
    log |K(f)|^2 = -(2 pi)^2 f^T S f    if K is a Gaussian with the covariance S,

and robust least squares give a, alpha and S. The orientations have constants a(theta)
of their own, so a scene with many horizontal lines is not mistaken for a blur.
"""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from dil_teach.image.convention import Image, check_image, check_not_flat
from dil_teach.image.kernel import Kernel2d, check_kernel
from dil_teach.image.kernel_estimate import gaussian_of

WINDOW = 64
"""Side of the windows in pixels whose power spectra are averaged."""
BAND = (0.05, 0.44)
"""Frequencies in cycles per pixel. Aliasing changes the power above this band, and the
windows change the power below this band."""
ANGLES = 12
"""Number of orientations with a constant of their own; others are interpolated."""
LEAKAGE = 0.8
"""The windows blur the spectrum: the standard deviation of this blur, in steps of the
discrete spectrum."""
FLOOR = 1e-3
"""Smallest power of a kernel: where it is weaker, noise and aliasing dominate."""
ROUNDS = 4
"""Number of weighted least-squares fits; the weights are those of Huber."""


def kernel_from_spectrum(image: Image, scale: int = 2) -> Float[Tensor, "kh kw"]:
    """The Gaussian kernel that blurred an image before it was subsampled.

    A ValueError is raised if the image is smaller than 64 x 64 pixels, or the same at
    all pixels.

    Parameters
    ----------
    image : Image
        The low-resolution image, Float[Tensor, "c h w"] in [0, 1].
    scale : int
        How many times larger the high-resolution image is.

    Returns
    -------
    Float[Tensor, "kh kw"]
        Correlation weights on the pixels of the high-resolution image, with sum 1.
    """
    return gaussian_of(covariance_from_spectrum(image, scale))


def covariance_from_spectrum(image: Image, scale: int = 2) -> np.ndarray:
    """Covariance of the blur in (x, y), in pixels² of the larger image.

    Parameters are as in :func:`kernel_from_spectrum`.
    """
    check_image(image, min_side=WINDOW)
    check_not_flat(image, span=1.5 / 255)
    used, design = smooth_terms()
    wanted = np.log(power_spectrum(image).numpy()[used])
    weight = np.ones_like(wanted)
    fitted = np.zeros(design.shape[1])
    for _ in range(ROUNDS):
        root = np.sqrt(weight)
        fitted = np.linalg.lstsq(design * root[:, None], wanted * root, rcond=None)[0]
        error = abs(wanted - design @ fitted)
        weight = 1 / np.maximum(1, error / (1.5 * 1.4826 * np.median(error)))
    xx, xy, yy = -fitted[-3:] * (scale / (2 * math.pi)) ** 2
    return np.array([[xx, xy], [xy, yy]])


def smooth_terms() -> tuple[Bool[np.ndarray, "n n"], Float[np.ndarray, "m terms"]]:
    """The frequencies that are fitted, and the terms of a scene with a Gaussian blur.

    Half of the frequencies are enough, because a power spectrum is symmetric. The terms
    are one constant for each orientation, log |f|, x^2, 2 x y and y^2.
    """
    f = np.fft.fftfreq(WINDOW)
    y, x = np.meshgrid(f, f, indexing="ij")
    radius = np.hypot(x, y)
    used = (radius > BAND[0]) & (radius < BAND[1]) & ((y > 0) | ((y == 0) & (x > 0)))
    x, y, radius = x[used], y[used], radius[used]
    turn = np.arctan2(y, x) % np.pi / np.pi * ANGLES
    constants = (1 - abs(turn[:, None] - np.arange(ANGLES + 1))).clip(0)
    constants[:, 0] += constants[:, -1]
    terms = [constants[:, :-1], np.stack([np.log(radius), x**2, 2 * x * y, y**2], 1)]
    return used, np.concatenate(terms, 1)


def similarity_to_spectrum(image: Image, kernel: Kernel2d, scale: int = 2) -> float:
    """Correlation between the power spectra of an image and of a kernel, from -1 to 1.

    From the logarithm of each spectrum, the best sum of :func:`smooth_terms` is
    subtracted; the two remainders are correlated. So a Gaussian has a
    correlation near 0, and only a kernel whose spectrum falls and rises again, such as
    a kernel of motion, can have a high one.

    Parameters
    ----------
    image : Image
        The low-resolution image, Float[Tensor, "c h w"] in [0, 1], at least 64 x 64.
    kernel : Float["kh kw"]
        Correlation weights on the pixels of the high-resolution image.
    scale : int
        How many times larger the high-resolution image is.
    """
    used, design = smooth_terms()
    weights = check_kernel(kernel)
    f = np.fft.fftfreq(WINDOW) / scale
    rows, columns = (
        np.exp(-2j * np.pi * f[:, None] * np.arange(n)) for n in weights.shape
    )
    spectrum = abs(rows @ weights @ columns.T) ** 2
    # windows blur the image's spectrum
    spectrum = ndimage.gaussian_filter(spectrum, LEAKAGE, mode="wrap") + FLOOR
    both = np.log(np.stack([power_spectrum(image).numpy()[used], spectrum[used]], 1))
    both -= design @ np.linalg.lstsq(design, both, rcond=None)[0]
    norms = np.linalg.norm(both, axis=0)
    return float(both[:, 0] @ both[:, 1] / max(norms.prod(), 1e-12))


def power_spectrum(image: Image) -> Float[Tensor, "n n"]:
    """The mean power spectrum of overlapping windows of the grey image, on the CPU."""
    windows = image.mean(0).cpu().double().unfold(0, WINDOW, WINDOW // 4)
    windows = windows.unfold(1, WINDOW, WINDOW // 4).flatten(0, 1)
    hann = torch.hann_window(WINDOW, dtype=torch.float64)
    windows = windows - windows.mean((1, 2), keepdim=True)
    return torch.fft.fft2(windows * hann * hann[:, None]).abs().square().mean(0)
