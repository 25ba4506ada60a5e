"""Denoising without a network: total variation and non-local means.

Rudin, Osher and Fatemi, 'Nonlinear total variation based noise removal algorithms',
Physica D 1992, by Chambolle's projection (2004); Buades, Coll and Morel, 'A non-local
algorithm for image denoising', CVPR 2005. Both come from scikit-image. This module
estimates the standard deviation of the noise, which both need.
"""

import numpy as np
import torch
import torch.nn.functional as F
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

from dil_teach.image.convention import Image, check_image

GAUSSIAN_MEDIAN = 0.6745
"""Median of |x| for a normally distributed x with standard deviation 1."""


def noise_level(image: Image) -> float:
    """Estimate the standard deviation of white noise, in units of [0, 1].

    Source: J. Immerkaer, "Fast noise variance estimation", 1996: a filter that does not
    respond to planes and hardly to edges. We take the median of its responses (Donoho
    and Johnstone 1994) instead of the mean, because texture makes some of them large.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1].

    Returns
    -------
    float
        The mean over the channels.
    """
    check_image(image, min_side=3, in_range=False)
    along = torch.tensor([1.0, -2.0, 1.0], device=image.device)
    mask = torch.outer(along, along)[None, None] / 6  # white noise keeps its deviation
    responses = F.conv2d(image[:, None], mask).flatten(1).abs()
    return float(responses.median(1).values.mean()) / GAUSSIAN_MEDIAN


def tv_denoise(image: Image, sigma: float, weight: float = 0.8) -> Image:
    """Denoise by total variation.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1].
    sigma : float
        Standard deviation of the noise, in units of [0, 1]: see :func:`noise_level`.
    weight : float
        Weight of the total variation, in units of ``sigma``.
    """
    _check(image, sigma)
    clean = denoise_tv_chambolle(_array(image), weight * sigma, channel_axis=0)
    return torch.from_numpy(clean).to(image)


def nlm_denoise(image: Image, sigma: float, strength: float = 0.85) -> Image:
    """Denoise by non-local means.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1].
    sigma : float
        Standard deviation of the noise, in units of [0, 1]: see :func:`noise_level`.
    strength : float
        Filter strength h, in units of ``sigma``: the larger it is, the more patches may
        differ and still be averaged.
    """
    _check(image, sigma)
    clean = denoise_nl_means(
        _array(image),
        patch_size=5,
        patch_distance=6,
        h=strength * sigma,
        sigma=sigma,
        fast_mode=False,
        channel_axis=0,
    )
    return torch.from_numpy(clean).to(image)


def _array(image: Image) -> np.ndarray:
    return image.detach().cpu().numpy()


def _check(image: Image, sigma: float) -> None:
    check_image(image, in_range=False)
    if not 0 < sigma <= 1:
        raise ValueError(
            f"sigma: expected above 0 and at most 1, got {sigma}; divide a value "
            "from 0 to 255 by 255, or use noise_level(image)"
        )
