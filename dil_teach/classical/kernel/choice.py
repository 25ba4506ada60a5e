"""Choose a blur kernel: return an estimate, or None if the estimate is not reliable.

A kernel that is too wide costs super-resolution more than the kernel of the camera can
gain. So the Gaussian from the power spectrum is accepted only if it passes this test:
patches of the image, downscaled with the kernel between the two scales, must have
nearly the same distribution as the image's own patches. The sliced Wasserstein distance
must be much smaller than with bicubic downscaling, and nearly as small as with the best
kernel of any shape. A blur by motion fails the second condition, because no Gaussian
explains this blur. An image that was downscaled by bicubic interpolation fails the
first condition.

If the Gaussian is refused, the kernel of motion from blind deblurring is tested in
three ways. Its spectrum must have the same peaks and zeros as the spectrum of the
image. The estimates from the two halves of the image must lead to nearly the same
super-resolved image. And the patches must not contradict the kernel: a motion blur is
often larger than a patch, so they cannot confirm it.
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
from dil_teach.classical.kernel.motion import MIN_SIDE, estimate_motion, halves
from dil_teach.classical.kernel.spectrum import (
    covariance_from_spectrum,
    similarity_to_spectrum,
)
from dil_teach.image.convention import Image
from dil_teach.image.kernel_estimate import gaussian_of, kernel_between_scales
from dil_teach.image.resize import INTERPOLATION
from dil_teach.training.loop import fit

GAIN = 0.7
"""Largest distance of an accepted Gaussian, relative to that of bicubic downscaling."""
MISFIT = 1.5
"""Largest distance of an accepted Gaussian, relative to that of the free kernel. With
both limits, 13 of 15 Gaussian blurs, one of 15 blurs by motion and none of 11 bicubic
pictures were accepted (pictures of BSD200). The accepted motion gained 1.4 dB; with 2.5
instead of 1.5, another motion was accepted, and lost 4.2 dB."""

SIMILARITY, CONFIDENCE, CONTRADICTION = 0.3, 3.0, 1.2
"""Smallest similarity to the spectrum, smallest confidence in dB, and largest distance
relative to that of bicubic downscaling, of an accepted kernel of motion. On pictures of
BSD200, the similarity was 0.44 to 0.85 for six motions, and at most 0.05 for eight
bicubic or Gaussian pictures. Three of five motions pass all tests; least squares with
their kernels gained 1.2, 5.9 and 3.8 dB. The refused ones would gain 0.3 and 1.5."""
FLAT = 0.1
"""A half of an image with a smaller range of values does not show a blur."""


class KernelChoice(NamedTuple):
    """The result of :func:`choose_kernel`."""

    kernel: Float[Tensor, "kh kw"] | None
    """The kernel for scale 2, with sum 1; None if the estimate is not sure."""
    distances: dict[str, float]
    """Distance between the two scales with each kernel: ``"bicubic"``, ``"gaussian"``,
    ``"free"``, the kernel of any shape, and, if the Gaussian was refused, ``"motion"``.
    """
    reason: str
    """Why the kernel was accepted or refused, in one sentence."""


def choose_kernel(image: Image, seed: int = 0) -> KernelChoice:
    """Estimate the kernel of downscaling by 2, and refuse an estimate that is not sure.

    Without the test of a motion, it takes 4 CPU seconds for 128 x 128 pixels, and 22
    for 768 x 768; crop larger images, because all their patches are in memory. Images
    with a side below 128 pixels are not tested for motion. A ValueError is raised if
    the image is smaller than 64 x 64 pixels, or the same at all pixels.

    Parameters
    ----------
    image : Image
        The low-resolution image, Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    seed : int
        Seed of the patches and directions in which distributions are compared.
    """
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
    if found["gaussian"] > GAIN * found["bicubic"]:
        reason = "bicubic downscaling explains the image nearly as well as a Gaussian"
        return _motion_or_none(image, free, found, reason)
    if found["gaussian"] > MISFIT * found["free"]:
        reason = "no Gaussian kernel explains the image"
        return _motion_or_none(image, free, found, reason)
    xx, yy = covariance.diagonal()
    reason = f"a Gaussian with variances {xx:.1f} (x) and {yy:.1f} (y) explains it"
    return KernelChoice(gaussian_of(covariance), found, reason)


def _motion_or_none(
    image: Image, free: KernelByDistribution, found: dict[str, float], reason: str
) -> KernelChoice:
    """The kernel of motion if it is reliable; otherwise none, for the given reason."""
    flat = any(float(half.max() - half.min()) < FLAT for half in halves(image))
    if flat or min(image.shape[1:]) < MIN_SIDE:
        return KernelChoice(None, found, reason)
    kernel, confidence = estimate_motion(image)
    found = found | {"motion": free.distance(kernel_between_scales(kernel))}
    similarity = similarity_to_spectrum(image, kernel)
    contradicted = found["motion"] > CONTRADICTION * found["bicubic"]
    if similarity < SIMILARITY or confidence < CONFIDENCE or contradicted:
        return KernelChoice(None, found, reason + ", and no sure motion was found")
    reason = f"a blur by motion explains it, with a confidence of {confidence:.1f} dB"
    return KernelChoice(kernel, found, reason)


def bicubic_kernel() -> Float[Tensor, "8 8"]:
    """The weights of antialiased bicubic downscaling by 2."""
    function = INTERPOLATION["bicubic"][0]
    weights = function((np.arange(8) - 3.5) / 2)
    weights /= weights.sum()
    return torch.from_numpy(np.outer(weights, weights))
