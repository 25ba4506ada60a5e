"""The kernel between a sharp and a blurred picture, from their strongest gradients: Cho
and Lee, 'Fast Motion Deblurring', SIGGRAPH Asia 2009, section 4.

Departures: the weights are never negative during the fit; in the paper, negative
weights are removed after it.
"""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from dil_teach.classical.deblur.deconvolution import fast_length, transfer
from dil_teach.image.convention import Image

Kernel = Float[Tensor, "size size"]
"""Correlation weights with sum 1 on the picture's pixels; the size is odd."""
Gradients = Float[Tensor, "2 _h _w"]
"""Differences to the next pixel, down and right; 0 at the last row or column."""

RIDGE = 0.01
"""Weight of |k|^2, relative to the energy of the gradients."""
KERNEL_ROUNDS = 60
"""Number of iterations of the non-negative least squares."""
NEGLIGIBLE = 0.02
"""Weights of the kernel below this fraction of the largest are removed."""
ISLAND = 0.1
"""Connected parts of the kernel whose sum is below this fraction of the largest part's
are removed."""


def fit_kernel(blurred: Image, sharp: Image, size: int, part: float) -> Kernel:
    """Step 3: the kernel that turns the strong gradients of x into those of y.

    It is the non-negative k with the smallest |k * grad x - grad y|^2 + ridge |k|^2.
    The normal equations need only the correlations of the gradients at lags that are
    smaller than two kernels.
    """
    height, width = blurred.shape[1:]
    reach = size // 2
    known = gradients(sharp)
    known = known * strong_gradients(known, part) * fade(height, width, reach + 1)
    shape = [fast_length(n + 2 * size) for n in (height, width)]
    known, seen = (torch.fft.rfft2(g, s=shape) for g in (known, gradients(blurred)))
    own = torch.fft.irfft2(known.abs().square().sum(0), s=shape)
    cross = torch.fft.irfft2((known.conj() * seen).sum(0), s=shape)
    lags, wide = (
        torch.arange(-reach, reach + 1),
        torch.arange(-2 * reach, 2 * reach + 1),
    )
    energy = own[0, 0].clamp_min(1e-12)
    own, cross = own[wide][:, wide] / energy, cross[lags][:, lags] / energy
    return clean_kernel(non_negative_least_squares(own, cross).flip(0, 1))


def gradients(image: Image) -> Gradients:
    """The differences to the next pixel of a grey image."""
    (grey,) = image
    down, right = grey.diff(dim=0), grey.diff(dim=1)
    return torch.stack([F.pad(down, (0, 0, 0, 1)), F.pad(right, (0, 1))])


def strong_gradients(slopes: Gradients, part: float) -> Bool[Tensor, "h w"]:
    """True where a gradient is among the strongest of its direction.

    In each of four ranges of directions, ``part`` of the pixels are chosen, so that the
    kernel is seen from all directions (Cho and Lee 2009).
    """
    strength = torch.hypot(*slopes)
    angle = torch.atan2(slopes[0], slopes[1]) % math.pi
    sector = (angle / math.pi * 4).long().clamp(0, 3)
    strong = torch.zeros_like(sector, dtype=torch.bool)
    for number in range(4):
        inside = sector == number
        if inside.any():
            least = np.quantile(strength[inside].numpy(), 1 - part)
            strong |= inside & (strength >= float(least))
    return strong


def fade(height: int, width: int, margin: int) -> Float[Tensor, "h w"]:
    """1 inside, falling to 0 at the border, where the kernel sees unknown pixels."""

    def ramp(length: int) -> Tensor:
        place = torch.arange(length)
        return (torch.minimum(place, length - 1 - place) / margin).clamp_max(1)

    return ramp(height)[:, None] * ramp(width)


def non_negative_least_squares(
    own: Float[Tensor, "wide wide"], cross: Float[Tensor, "size size"]
) -> Float[Tensor, "size size"]:
    """The k >= 0 with the smallest k (own * k) / 2 - k cross + ridge |k|^2 / 2.

    It is solved by the fast projected gradient method (Beck and Teboulle 2009).
    """
    size = len(cross)
    bound = transfer(own, [fast_length(3 * size)] * 2).real.max() + RIDGE
    rows, columns = torch.arange(size**2) // size, torch.arange(size**2) % size
    lags = (at[:, None] - at + size - 1 for at in (rows, columns))
    gram = own[tuple(lags)]  # applied 60 times, it is faster than Fourier transforms
    cross = cross.flatten()
    best = ahead = torch.zeros_like(cross)
    pace = 1.0
    for _ in range(KERNEL_ROUNDS):
        slope = gram @ ahead - cross + RIDGE * ahead
        previous, best = best, (ahead - slope / bound).clamp_min(0)
        before, pace = pace, (1 + math.sqrt(1 + 4 * pace**2)) / 2
        ahead = best + (before - 1) / pace * (best - previous)
    return best.view(size, size)


def clean_kernel(kernel: Kernel) -> Kernel:
    """Remove weak weights and small islands; move the kernel to the middle.

    If no weight is positive, the result is a single weight in the middle.
    """
    weights = kernel.numpy().clip(0)
    weights = np.where(weights < NEGLIGIBLE * weights.max(), 0, weights)
    labelled: Any = ndimage.label(weights > 0, np.ones((3, 3)))
    parts, count = labelled
    sums = ndimage.sum(weights, parts, np.arange(count + 1))
    weights = weights * (sums >= ISLAND * sums.max())[parts]
    if weights.max() <= 0:
        weights[len(weights) // 2, len(weights) // 2] = 1
    middle = (len(weights) - 1) / 2
    offset = middle - np.array(ndimage.center_of_mass(weights))
    weights = ndimage.shift(weights, np.round(offset), order=0)
    return torch.from_numpy(weights / weights.sum())
