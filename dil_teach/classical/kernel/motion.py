"""A blur kernel of motion for super-resolution, by blind deblurring.

The kernels of :mod:`~dil_teach.classical.kernel.recurrence` and
:mod:`~dil_teach.classical.kernel.distribution` are found from patches that recur at
half the size. A motion blur is often larger than a patch, so such patches do not recur.
But this blur is seen in the given image itself: blind deblurring (Michaeli and Irani,
ECCV 2014) finds it on the pixels of the image. The same blur on a grid that is twice as
fine is the kernel for super-resolution by 2.

The confidence is the similarity of the spectra of the kernel and of the image: a blur
by motion removes some waves from every scene, and an estimate is right if it removes
the same waves.
"""

from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.deblur.blind import estimate_blur
from dil_teach.classical.kernel.spectrum import similarity_to_spectrum
from dil_teach.image.convention import Image
from dil_teach.image.kernel import centre_kernel
from dil_teach.image.kernel_estimate import remove_negligible
from dil_teach.image.resize import resize

SIZE = 15
"""Side of the largest kernel that is found, in pixels of the given image."""
MARGIN = 2
"""Zeros around the kernel before it is enlarged, so that nothing is cut off."""
NEGLIGIBLE = 0.01
"""Weights below this fraction of the largest become 0 after the enlargement."""


class MotionEstimate(NamedTuple):
    """The result of :func:`estimate_motion`."""

    kernel: Float[Tensor, "kh kw"]
    """The kernel for scale 2, centred, with sum 1."""
    confidence: float
    """Similarity to the spectrum of the image, from -1 to 1. On pictures of BSD200, it
    was 0.44 to 0.85 for six motions, and at most 0.05 for eight bicubic or Gaussian
    pictures."""


def estimate_motion(image: Image) -> MotionEstimate:
    """Estimate a kernel of motion for super-resolution by 2, and how sure it is.

    A ValueError is raised if the image is smaller than 64 x 64 pixels, or the same at
    all pixels.

    Parameters
    ----------
    image : Image
        The low-resolution image, Float[Tensor, "c h w"] in [0, 1].
    """
    kernel = enlarged(estimate_blur(image, SIZE))
    return MotionEstimate(kernel, similarity_to_spectrum(image, kernel))


def enlarged(kernel: Float[Tensor, "size size"]) -> Float[Tensor, "_kh _kw"]:
    """A kernel on the pixels of the given image, on a grid that is twice as fine."""
    padded = F.pad(kernel.float(), (MARGIN,) * 4)
    fine = resize(padded[None], 2)[0].clamp_min(0)
    return centre_kernel(remove_negligible(fine, NEGLIGIBLE), 2)
