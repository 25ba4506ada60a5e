"""Texture features: Malik, Belongie, Leung and Shi, 'Contour and texture analysis for
image segmentation', IJCV 2001. The features are the responses of filters of several
scales and directions, averaged over a window. The directions are sorted by strength
(Varma and Zisserman, IJCV 2005), so that rotating a texture does not change its
features."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from sklearn.mixture import GaussianMixture
from torch import Tensor

from dil_teach.image.resize import fold_border
from dil_teach.patches.extract import extract_patches

WAVELENGTHS = (2.5, 4.0, 6.5)
"""Wavelengths of the oriented filters, in pixels."""
DIRECTIONS = 6
"""Number of directions of the oriented filters, over 180 degrees."""
SPOTS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8)
"""Standard deviations of the filters for light and dark spots, in pixels."""
WINDOW = 4.0
"""Standard deviation of the Gaussian window around a pixel, in pixels."""
FLOOR = 1e-4
"""Added to squared responses before the logarithm: responses below 0.01 are noise."""

PATCH_SIZE, PATCH_COMPONENTS, MIXTURE = 5, 12, 4
"""Side of a patch, in pixels; number of principal components of a patch; number of
Gaussians in a mixture."""
TRAINING_PATCHES = 1000
"""Number of random patches to which a mixture is fitted; more patches do not help."""
BLOCK = 16
"""A checkerboard with squares of this side, in pixels, splits the patches into two
sets."""
SHRINKAGE = 0.4
"""The covariance matrix of the features is averaged with a multiple of the identity
matrix, which has this weight. The average is always invertible."""

Maps = Float[Tensor, "n _k h w"]
Where = Bool[Tensor, "n 1 h w"]


def texture_features(
    images: Float[Tensor, "n _c h w"],
) -> Float[Tensor, "n features h w"]:
    """Features of texture and colour at each pixel, standardised.

    Thirty features are logarithms of mean squared filter responses: 18 of oriented
    filters (sorted by strength at each wavelength) and 12 of filters for light and dark
    spots. Three features are the mean and the contrast of the brightness, and the
    difference of its light and dark parts. The other features are the colours,
    unblurred and with two blurs.
    """
    grey = images.mean(1, keepdim=True)
    found = [_energy(_oriented(grey, w)).sort(dim=1).values for w in WAVELENGTHS]
    for spot in SPOTS:
        found += _light_and_dark(blur(grey, spot) - blur(grey, 1.6 * spot))
    mean = blur(grey, WINDOW)
    light, dark = _light_and_dark(grey - blur(grey, 1.5))
    found += [mean, _energy((grey - mean).square()), light - dark]
    found += [images, blur(images, 1.0), blur(images, 3.0)]
    return standardised(torch.cat(found, 1))


def standardised(maps: Maps) -> Maps:
    """Scale each channel to mean 0 and standard deviation 1 over all images."""
    mean = maps.mean((0, 2, 3), keepdim=True)
    return (maps - mean) / (maps.std((0, 2, 3), keepdim=True) + 1e-6)


def blur(maps: Maps, sigma: float) -> Maps:
    """A Gaussian blur with a mirrored border."""
    reach = max(1, round(3 * sigma))
    x = torch.arange(-reach, reach + 1.0, device=maps.device)
    line = torch.exp(-x.square() / (2 * sigma**2))
    groups = maps.shape[1]
    line = (line / line.sum()).expand(groups, 1, 1, -1)
    across = F.conv2d(_mirrored(maps, 0, reach), line, groups=groups)
    return F.conv2d(_mirrored(across, reach, 0), line.transpose(2, 3), groups=groups)


def _mirrored(maps: Maps, rows: int, columns: int) -> Tensor:
    """Add a mirrored border to the maps; the border may be wider than the maps."""
    for axis, reach in ((-2, rows), (-1, columns)):
        side = maps.shape[axis]
        place = fold_border(np.arange(-reach, side + reach), side, "mirror")
        maps = maps.index_select(axis, torch.from_numpy(place).to(maps.device))
    return maps


def _oriented(
    grey: Float[Tensor, "n 1 h w"], wavelength: float
) -> Float[Tensor, "n directions h w"]:
    """The squared responses of Gabor filters, summed over even and odd filters."""
    sigma = wavelength / 2
    reach = math.ceil(2.5 * sigma)
    x = torch.arange(-reach, reach + 1.0, device=grey.device)
    window = torch.exp(-(x.square() + x[:, None].square()) / (2 * sigma**2))
    filters = []
    for k in range(DIRECTIONS):
        angle = math.pi * k / DIRECTIONS
        along = math.cos(angle) * x + math.sin(angle) * x[:, None]
        phase = 2 * math.pi / wavelength * along
        for wave in (phase.cos(), phase.sin()):
            f = window * wave
            f = f - window * (f.sum() / window.sum())  # a constant gives 0
            filters.append(f / f.norm())
    responses = F.conv2d(_mirrored(grey, reach, reach), torch.stack(filters)[:, None])
    return responses.square().unflatten(1, (DIRECTIONS, 2)).sum(2)


def _light_and_dark(responses: Maps) -> list[Maps]:
    parts = responses.clamp_min(0), responses.clamp_max(0)
    return [_energy(part.square()) for part in parts]


def _energy(squares: Maps) -> Maps:
    """The logarithm of the mean in the Gaussian window around each pixel."""
    return (blur(squares, WINDOW) + FLOOR).log()


def discriminant(
    features: Maps, inside: Where, outside: Where
) -> Float[Tensor, "n 1 h w"]:
    """The log-likelihood ratio of two textures, by Fisher's linear discriminant.

    For Gaussian features, the result is in nats. Positive results mean that the first
    texture is more likely. ``inside`` is true on pixels known to be of the first
    texture, ``outside`` on pixels known to be of the second.
    """
    values = features.transpose(0, 1).flatten(1).T.cpu().double()
    known = [values[where.flatten().cpu()] for where in (inside, outside)]
    means = [layer.mean(0) for layer in known]
    covariance = torch.stack([layer.T.cov(correction=0) for layer in known]).mean(0)
    level = covariance.diagonal().mean() * torch.eye(len(covariance)).to(covariance)
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * level
    direction = torch.linalg.solve(covariance, means[0] - means[1])
    evidence = (values - (means[0] + means[1]) / 2) @ direction
    return evidence.view_as(inside).to(features)


def patch_evidence(
    images: Maps, inside: Where, outside: Where, seed: int
) -> Float[Tensor, "n 1 h w"]:
    """The ratio of :func:`discriminant`, but with Gaussian mixtures of grey patches.

    Gaussian mixtures describe patches well (Zoran and Weiss, ICCV 2011). A patch is
    smaller than the window of the features, so the mask's boundary is sharper. A
    mixture is overconfident about the patches to which it was fitted. Therefore,
    mixtures are fitted to the black squares of a checkerboard and evaluated on the
    white squares, and the reverse. The ratio is 0 if a texture has too few training
    patches.
    """
    half = PATCH_SIZE // 2
    grey = _mirrored(images.mean(1, keepdim=True), half, half)
    patches = torch.cat([extract_patches(each, PATCH_SIZE) for each in grey])
    patches = patches.cpu().double()
    patches = patches - patches.mean(1, keepdim=True)
    _, directions = torch.linalg.eigh(patches.T @ patches)
    patches = (patches @ directions[:, -PATCH_COMPONENTS:]).numpy()
    y, x = (torch.arange(side) // BLOCK for side in images.shape[-2:])
    black = ((y[:, None] + x) % 2 == 0).expand_as(inside).flatten()
    evidence = torch.zeros(len(patches), dtype=torch.double)
    order = torch.randperm(len(patches), generator=torch.Generator().manual_seed(seed))
    for training in (black, ~black):
        layers = [
            order[(training & where.flatten().cpu())[order]][:TRAINING_PATCHES]
            for where in (inside, outside)
        ]
        if min(map(len, layers)) < 2 * PATCH_COMPONENTS:
            continue
        mixture = GaussianMixture(MIXTURE, reg_covar=1e-4, tol=1e-2, random_state=seed)
        first, second = (
            mixture.fit(patches[layer]).score_samples(patches) for layer in layers
        )
        evidence = evidence.where(training, torch.from_numpy(first - second))
    return evidence.view_as(inside).to(images)
