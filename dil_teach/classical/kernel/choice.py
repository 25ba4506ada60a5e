"""Choose a blur kernel: return an estimate, or None if the estimate is not reliable.

A kernel that is too wide costs super-resolution more than the kernel of the camera can
gain. So each kind of kernel has tests, and two kinds are tried:

1. A kernel of motion, estimated by blind deblurring, whose tests are in
   :mod:`~dil_teach.classical.kernel.motion`.
2. If the motion is refused, the Gaussian from the power spectrum. Patches of the image,
   downscaled with the Gaussian between the two scales, must have nearly the same
   distribution as the image's own patches. The sliced Wasserstein distance must be much
   smaller than with bicubic downscaling, and nearly as small as with the best kernel of
   any shape. A blur by motion fails the second condition, because no Gaussian explains
   this blur. An image that was downscaled by bicubic interpolation fails the first
   condition.

The motion is first, because the other order costs more. The tests of the Gaussian
accepted two of 30 camera shakes, and ZSSR lost 0.5 and 0.7 dB. The tests of the motion
accept three of 30 random Gaussians, and ZSSR still gains 2.0 to 3.2 dB, at most 0.9 dB
less (``benchmarks/unknown_kernels.py``). The distance of patches is no test of a
motion, which is often larger than a patch: even with the true kernel it was sometimes
larger than with bicubic downscaling.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.kernel.distribution import (
    KernelByDistribution,
    KernelByDistributionSettings,
)
from dil_teach.classical.kernel.motion import (
    MotionEstimate,
    estimate_motion,
    halves,
)
from dil_teach.classical.kernel.spectrum import covariance_from_spectrum
from dil_teach.image.convention import Image, check_image
from dil_teach.image.kernel_estimate import gaussian_of
from dil_teach.image.resize import INTERPOLATION
from dil_teach.training.conditions import same_conditions
from dil_teach.training.loop import fit

GAIN = 0.7
"""Largest distance of an accepted Gaussian, relative to that of bicubic downscaling."""
MISFIT = 1.5
"""Largest distance of an accepted Gaussian, relative to that of the free kernel. With
both limits, 13 of 15 Gaussian blurs, one of 15 blurs by motion and none of 11 bicubic
pictures were accepted (pictures of BSD200). The accepted motion gained 1.4 dB; with 2.5
instead of 1.5, another motion was accepted, and lost 4.2 dB."""

MIN_SIDE = 128
"""Smallest side in pixels of an image that is tested for motion: its halves are large
enough for blind deblurring."""
FLAT = 0.1
"""A half of an image with a smaller range of values does not show a blur."""


class KernelChoice(NamedTuple):
    """The result of :func:`choose_kernel`."""

    kernel: Float[Tensor, "kh kw"] | None
    """The kernel for scale 2, with sum 1; None if the estimate is not sure."""
    distances: dict[str, float]
    """Distance between the two scales with each kernel: ``"bicubic"``, ``"gaussian"``
    and ``"free"``, the kernel of any shape."""
    reason: str
    """Why the kernel was accepted or refused, in one sentence."""
    noise: float = 0.0
    """The error of the kernel acts like noise with this standard deviation, in [0, 1].
    Use it as ZSSR's training noise with this kernel. It is 0 for a Gaussian, because
    its error is not estimated."""
    free: Float[Tensor, "_kh _kw"] | None = None
    """For comparison, the kernel of any shape, for scale 2."""


@same_conditions()
def choose_kernel(image: Image, seed: int = 0) -> KernelChoice:
    """Estimate the kernel of downscaling by 2, and refuse an estimate that is not sure.

    It takes 10 to 25 CPU seconds for 256 x 256 pixels; crop large images, because all
    their patches are in memory. Images under 128 x 128 pixels are not tested for
    motion. A ValueError is raised if the image is smaller than 64 x 64 pixels, or the
    same at all pixels.

    Parameters
    ----------
    image : Image
        The low-resolution image, Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    seed : int
        Seed of the patches and directions in which distributions are compared.
    """
    image = check_image(image)
    settings = KernelByDistributionSettings.quick(seed=seed)
    free = fit(KernelByDistribution(image, settings))
    covariance = covariance_from_spectrum(image)
    # the kernel between two scales has 3/4 of the covariance
    kernels = {
        "bicubic": bicubic_kernel(),
        "gaussian": gaussian_of(0.75 * covariance, 13),
        "free": free.raw_kernel(),
    }
    found = {name: free.distance(kernel) for name, kernel in kernels.items()}
    motion = _sure_motion(image)
    if motion is not None:
        reason = f"a motion explains it (similarity of spectra {motion.similarity:.2f})"
        return KernelChoice(motion.kernel, found, reason, motion.error, free.kernel())
    if found["gaussian"] > GAIN * found["bicubic"]:
        reason = "bicubic downscaling explains it nearly as well as a Gaussian"
    elif found["gaussian"] > MISFIT * found["free"]:
        reason = "no Gaussian kernel explains it"
    else:
        xx, yy = covariance.diagonal()
        reason = f"a Gaussian with variances {xx:.1f} (x) and {yy:.1f} (y) explains it"
        kernel = gaussian_of(covariance)
        return KernelChoice(kernel, found, reason, free=free.kernel())
    reason += ", and no sure motion was found"
    return KernelChoice(None, found, reason, free=free.kernel())


def _sure_motion(image: Image) -> MotionEstimate | None:
    """The kernel of motion; None if it is not sure, or if the image cannot show it."""
    flat = any(float(half.max() - half.min()) < FLAT for half in halves(image))
    if flat or min(image.shape[1:]) < MIN_SIDE:
        return None
    motion = estimate_motion(image)
    return motion if motion.sure else None


def bicubic_kernel() -> Float[Tensor, "8 8"]:
    """The weights of antialiased bicubic downscaling by 2."""
    function = INTERPOLATION["bicubic"][0]
    weights = function((np.arange(8) - 3.5) / 2)
    weights /= weights.sum()
    return torch.from_numpy(np.outer(weights, weights))
