"""A blur kernel of motion for super-resolution, by blind deblurring.

The kernels of :mod:`~dil_teach.classical.kernel.recurrence` and
:mod:`~dil_teach.classical.kernel.distribution` are found from patches that recur at
half the size. A motion blur of many pixels is larger than a patch, so no patch recurs.
But such a blur is also seen in the given image itself: blind deblurring (Michaeli and
Irani, ECCV 2014) finds it on the image's own pixels. The same blur on a grid that is
twice as fine is the kernel for super-resolution by 2.

How sure the kernel is, follows from two more estimates, of one half of the image each.
The blur is the same in both halves, and the scene is not. We super-resolve the image by
least squares with both kernels. The kernel is trusted if the two results differ much
less from each other than from bicubic interpolation.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.deblur.blind import estimate_blur
from dil_teach.classical.least_squares import correct_by_least_squares
from dil_teach.image.convention import Image, check_image
from dil_teach.image.kernel import centre_kernel
from dil_teach.image.kernel_estimate import remove_negligible
from dil_teach.image.metrics import luma
from dil_teach.image.resize import resize

SIZE = 15
"""Side in pixels of the given image of the largest kernel that is found."""
MIN_SIDE = 128
"""Smallest side of the image in pixels: its halves need 64 pixels a side."""
MARGIN = 2
"""Zeros around the kernel before it is enlarged, so that nothing is cut off."""
NEGLIGIBLE = 0.01
"""Weights below this fraction of the largest become 0 after the enlargement."""
SHAVE = 8
"""Width in pixels of the border in which results are not compared."""


class MotionEstimate(NamedTuple):
    """The result of :func:`estimate_motion`."""

    kernel: Float[Tensor, "kh kw"]
    """The kernel for scale 2, no negative weights before it was centred, with sum 1."""
    confidence: float
    """Squared change that the kernel makes, relative to the squared difference between
    the results with the kernels of two halves of the image, in dB."""


def estimate_motion(image: Image) -> MotionEstimate:
    """Estimate a kernel of motion for super-resolution by 2, and how sure it is.

    A ValueError is raised if the image is smaller than 128 x 128 pixels, or if one of
    its :func:`halves` is the same at all pixels.

    Parameters
    ----------
    image : Image
        The low-resolution image, Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    """
    check_image(image, min_side=MIN_SIDE)
    parts = image, *halves(image)
    kernels = [enlarged(estimate_blur(part, SIZE)) for part in parts]
    grey = luma(image).float()
    bicubic = resize(grey, 2)
    inner = (..., slice(SHAVE, -SHAVE), slice(SHAVE, -SHAVE))
    whole, one, other = (
        correct_by_least_squares(bicubic, grey, kernel, 2)[inner] for kernel in kernels
    )
    change = (whole - bicubic[inner]).square().mean()
    doubt = (one - other).square().mean().clamp_min(1e-12)
    return MotionEstimate(kernels[0], 10 * math.log10(float(change / doubt) + 1e-12))


def halves(image: Image) -> list[Image]:
    """The two halves of an image, cut across its longer side."""
    return list(image.tensor_split(2, 1 if image.shape[1] > image.shape[2] else 2))


def enlarged(kernel: Float[Tensor, "size size"]) -> Float[Tensor, "_kh _kw"]:
    """A kernel on the pixels of the given image, on a grid that is twice as fine."""
    padded = torch.nn.functional.pad(kernel.float(), (MARGIN,) * 4)
    fine = resize(padded[None], 2)[0].clamp_min(0)
    return centre_kernel(remove_negligible(fine, NEGLIGIBLE), 2)
