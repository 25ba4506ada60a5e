"""A blur kernel of motion for super-resolution, by blind deblurring.

The kernels of :mod:`~dil_teach.classical.kernel.recurrence` and
:mod:`~dil_teach.classical.kernel.distribution` are found from patches that recur at
half the size. A motion blur is often larger than a patch, so such patches do not recur.
But this blur is seen in the given image itself: blind deblurring (Michaeli and Irani,
ECCV 2014) finds it on the pixels of the image. The same blur on a grid that is twice as
fine is the kernel for super-resolution by 2.

The blur is the same in both halves of the image, while the scene is not. So there are
three estimates, from the image and from each half, and the result is their mean, in
which the image counts twice. Errors that the scene causes differ, and partly cancel.

Two tests tell how sure the kernel is. A blur by motion removes some waves from every
scene, so the spectra of the image and of the kernel have the same zeros. And the
kernels of both halves must lead to nearly the same super-resolved image.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.deblur.blind import estimate_blur, pixels_covered
from dil_teach.classical.kernel.spectrum import similarity_to_spectrum
from dil_teach.classical.least_squares import correct_by_least_squares
from dil_teach.image.convention import Image
from dil_teach.image.kernel import centre_kernel
from dil_teach.image.kernel_estimate import remove_negligible
from dil_teach.image.metrics import luma
from dil_teach.image.resize import resize

SIZE = 15
"""Side of the largest kernel that is found, in pixels of the given image."""
ROUNDS = 20
"""Rounds of blind deblurring at each level. With 6, the kernels of 16 motions (BSD200)
gained 0.25 dB less by least squares."""
MARGIN = 2
"""Zeros around the kernel before it is enlarged, so that nothing is cut off."""
NEGLIGIBLE = 0.05
"""Weights below this fraction of the largest become 0 after the enlargement. Weak tails
make the kernel too wide: with 0.01, two of six motions lost 0.2 and 1.0 dB instead of
gaining 1.4 and 1.6 dB; with 0.1, another gained 0.9 dB less (BSD200, least squares)."""
SHAVE = 8
"""Width in pixels of the border in which super-resolved images are not compared."""
SIMILARITY, CONSISTENCY, COVERED = 0.5, -2.5, 20
"""Smallest similarity and consistency of a kernel that is sure, and the largest number
of pixels of the given image that each estimate covers. Of 16 random motions (BSD200),
12 pass; with their kernels, least squares gained 0.7 to 4.9 dB. With the kernels of the
four others, they would have changed by -0.5 to +1.1 dB. The similarities of ten bicubic
pictures were below 0.2. Of 30 recorded camera shakes, which were not used for this
choice, 25 pass; with their kernels, ZSSR gained 0.4 to 8.0 dB over the bicubic kernel
(``benchmarks/unknown_kernels.py``)."""

HOPELESS = 0.4
"""If the mean kernel of both halves is less similar to the spectrum than this, the
kernel is refused without an estimate from the whole image, which saves half of the
time. Of the 16 random motions, three are below; with an estimate from the whole image,
they were refused, too."""


class MotionEstimate(NamedTuple):
    """The result of :func:`estimate_motion`."""

    kernel: Float[Tensor, "kh kw"]
    """The kernel for scale 2, centred, with sum 1."""
    similarity: float
    """Similarity to the spectrum of the image, from -1 to 1."""
    consistency: float
    """The squared change of the super-resolved image by the kernel, relative to the
    squared difference between the results with the kernels of both halves, in dB;
    -infinity if the similarity was so small that it was not measured."""
    error: float
    """The standard error that the error of the kernel causes in the super-resolved
    image, in [0, 1]: half the root mean square difference between the results with the
    kernels of both halves. This difference has twice the variance of one half's result,
    and the result of the mean has at most half of it. Infinity if not measured."""
    sure: bool
    """Whether the kernel passes both tests and is the path of a motion, not a disk."""


def estimate_motion(image: Image) -> MotionEstimate:
    """Estimate a kernel of motion for super-resolution by 2, and how sure it is.

    A ValueError is raised if the image is smaller than 128 x 128 pixels, or if one of
    its :func:`halves` is the same at all pixels.

    Parameters
    ----------
    image : Image
        The low-resolution image, Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    """
    blurs = [estimate_blur(half, SIZE, ROUNDS) for half in halves(image)]
    parts = [enlarged(blur) for blur in blurs]
    kernel = mean_kernel(*parts)
    similarity = similarity_to_spectrum(image, kernel)
    if similarity < HOPELESS:
        return MotionEstimate(kernel, similarity, -math.inf, math.inf, False)
    blurs.append(estimate_blur(image, SIZE, ROUNDS))
    whole = enlarged(blurs[-1])
    kernel = mean_kernel(whole, whole, *parts)
    similarity = similarity_to_spectrum(image, kernel)
    grey = luma(image).float()
    bicubic = resize(grey, 2)
    final, one, other = (
        correct_by_least_squares(bicubic, grey, each, 2) for each in (kernel, *parts)
    )
    change, doubt = energy(final - bicubic), energy(one - other)
    consistency = 10 * math.log10((change + 1e-12) / (doubt + 1e-12))
    sure = similarity >= SIMILARITY and consistency >= CONSISTENCY
    sure = sure and all(pixels_covered(blur) <= COVERED for blur in blurs)
    return MotionEstimate(kernel, similarity, consistency, math.sqrt(doubt) / 2, sure)


def halves(image: Image) -> list[Image]:
    """The two halves of an image, cut across its longer side."""
    return list(image.tensor_split(2, 1 if image.shape[1] > image.shape[2] else 2))


def mean_kernel(*kernels: Float[Tensor, "_h _w"]) -> Float[Tensor, "_height _width"]:
    """The mean of centred kernels with even sides."""
    rows, columns = (max(kernel.shape[dim] for kernel in kernels) for dim in (0, 1))
    mean = torch.zeros(rows, columns, dtype=kernels[0].dtype)
    for kernel in kernels:
        height, width = kernel.shape
        top, left = (rows - height) // 2, (columns - width) // 2
        mean[top : top + height, left : left + width] += kernel / len(kernels)
    return mean


def energy(image: Image) -> float:
    """The mean square of an image without its border."""
    return float(image[..., SHAVE:-SHAVE, SHAVE:-SHAVE].square().mean())


def enlarged(kernel: Float[Tensor, "size size"]) -> Float[Tensor, "_kh _kw"]:
    """A kernel on the pixels of the given image, on a grid that is twice as fine."""
    padded = F.pad(kernel.float(), (MARGIN,) * 4)
    fine = resize(padded[None], 2)[0].clamp_min(0)
    return centre_kernel(remove_negligible(fine, NEGLIGIBLE), 2)
