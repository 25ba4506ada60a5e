"""Texture features: Malik, Belongie, Leung and Shi, 'Contour and texture analysis for
image segmentation', IJCV 2001. How strongly filters of several scales and directions
answer, averaged over a window. As in Varma and Zisserman (IJCV 2005) the directions are
put in order of strength, so that a turned texture stays the same: a few hints show it
in few directions."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from sklearn.mixture import GaussianMixture
from torch import Tensor

from dil_teach.patches.extract import extract_patches

WAVELENGTHS = (2.5, 4.0, 6.5)
"""Of the oriented filters, in pixels."""
DIRECTIONS = 6
SPOTS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8)
"""Deviations of the filters that answer to light and dark spots, in pixels."""
FLOOR = 1e-4
"""An answer below this, squared, is noise."""

PATCH_SIZE, PATCH_COMPONENTS, MIXTURE = 5, 12, 4
"""Patches, less their mean, by their principal components; Gaussians in a mixture."""
TAUGHT = 1000
"""Patches, drawn by chance, from which a mixture is learned: more cost time and change
nothing."""
BLOCK = 16
"""Sides of the blocks, in pixels, of which every other teaches the mixtures."""
SHRINKAGE = 0.4
"""Of the features' covariance, towards a multiple of the identity."""

Maps = Float[Tensor, "n _k h w"]
Where = Bool[Tensor, "n 1 h w"]


def texture_features(
    images: Float[Tensor, "n _c h w"], window: float = 4.0
) -> Float[Tensor, "n features h w"]:
    """What tells textures and colours apart, at each pixel.

    Parameters
    ----------
    images : Video
        Float[Tensor, "n c h w"] in [0, 1], grey or in colour.
    window : float
        Deviation of the Gaussian window, in pixels.

    Returns
    -------
    Float[Tensor, "n features h w"]
        Logarithms of mean squared answers: of oriented filters (18, in order of
        strength at each wavelength), of light and of dark spots (12), mean and contrast
        of brightness and how much more of it is light than dark (3), and the colours,
        three times: as they are, and blurred (3 c). Over all images each has mean 0 and
        deviation 1.
    """
    grey = images.mean(1, keepdim=True)
    energies = [_oriented(grey, wavelength) for wavelength in WAVELENGTHS]
    found = [_log(blur(e, window)).sort(dim=1).values for e in energies]
    for spot in SPOTS:
        found += _light_and_dark(blur(grey, spot) - blur(grey, 1.6 * spot), window)
    mean = blur(grey, window)
    light, dark = _light_and_dark(grey - blur(grey, 1.5), window)
    found += [mean, _log(blur((grey - mean).square(), window)), light - dark]
    found += [images, blur(images, 1.0), blur(images, 3.0)]
    return standardised(torch.cat(found, 1))


def standardised(maps: Maps) -> Maps:
    """Each channel with mean 0 and deviation 1 over all images and pixels."""
    mean = maps.mean((0, 2, 3), keepdim=True)
    return (maps - mean) / (maps.std((0, 2, 3), keepdim=True) + 1e-6)


def blur(maps: Maps, sigma: float) -> Maps:
    """A Gaussian blur; beyond the border the picture is mirrored."""
    reach = max(1, round(3 * sigma))
    x = torch.arange(-reach, reach + 1.0, device=maps.device)
    line = torch.exp(-x.square() / (2 * sigma**2))
    line = (line / line.sum()).expand(maps.shape[1], 1, 1, -1)
    groups = maps.shape[1]
    across = F.conv2d(_mirrored(maps, 0, reach), line, groups=groups)
    return F.conv2d(_mirrored(across, reach, 0), line.transpose(2, 3), groups=groups)


def _mirrored(maps: Maps, rows: int, columns: int) -> Tensor:
    """Mirrored beyond the border; a small picture as often as it takes."""
    for axis, reach in ((-2, rows), (-1, columns)):
        side = maps.shape[axis]
        place = torch.arange(-reach, side + reach, device=maps.device)
        place = (place % (2 * side)).minimum((2 * side - 1) - place % (2 * side))
        maps = maps.index_select(axis, place)
    return maps


def _oriented(
    grey: Float[Tensor, "n 1 h w"], wavelength: float
) -> Float[Tensor, "n directions h w"]:
    """Squared answers of pairs of Gabor filters, even and odd."""
    sigma = wavelength / 2
    reach = math.ceil(2.5 * sigma)
    x = torch.arange(-reach, reach + 1.0, device=grey.device)
    window = torch.exp(-(x.square() + x[:, None].square()) / (2 * sigma**2))
    filters = []
    for k in range(DIRECTIONS):
        angle = math.pi * k / DIRECTIONS
        phase = math.cos(angle) * x + math.sin(angle) * x[:, None]
        phase = 2 * math.pi / wavelength * phase
        for wave in (phase.cos(), phase.sin()):
            f = window * wave
            f = f - window * (f.sum() / window.sum())  # a flat picture answers nothing
            filters.append(f / f.norm())
    answers = F.conv2d(_mirrored(grey, reach, reach), torch.stack(filters)[:, None])
    return answers.square().unflatten(1, (DIRECTIONS, 2)).sum(2)


def _light_and_dark(answers: Maps, window: float) -> list[Tensor]:
    return [
        _log(blur(part.square(), window))
        for part in (answers.clamp_min(0), answers.clamp_max(0))
    ]


def _log(energy: Tensor) -> Tensor:
    return (energy + FLOOR).log()


def discriminant(
    features: Maps, inside: Where, outside: Where
) -> Float[Tensor, "n 1 h w"]:
    """Fisher's linear discriminant: evidence for one texture and against another.

    Parameters
    ----------
    features : Float[Tensor, "n k h w"]
        As :func:`texture_features` returns them.
    inside, outside : Bool[Tensor, "n 1 h w"]
        Where a pixel is known to be of the one, of the other.

    Returns
    -------
    Float[Tensor, "n 1 h w"]
        The logarithm of the ratio of their likelihoods, were the features Gaussian.
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
    """What mixtures of patches, one for each of two textures, say of each patch.

    Mixtures of Gaussians describe patches well (Zoran and Weiss, ICCV 2011). They look
    at fewer pixels than a window of filters, and see a border more sharply. Each is
    learned from every other block of the picture, a chessboard, and asked about the
    rest: else it would confirm whatever it was taught.

    Parameters
    ----------
    images : Float[Tensor, "n c h w"]
        Their mean over the channels is looked at.
    inside, outside : Bool[Tensor, "n 1 h w"]
        As for :func:`discriminant`.
    seed : int
        Draws where the mixtures start.

    Returns
    -------
    Float[Tensor, "n 1 h w"]
        Logarithms of ratios of likelihoods; 0 where one of the textures has too few
        patches to learn from.
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
    for taught in (black, ~black):
        layers = [
            order[(taught & where.flatten().cpu())[order]][:TAUGHT]
            for where in (inside, outside)
        ]
        if min(map(len, layers)) < 2 * PATCH_COMPONENTS:
            continue
        first, second = (
            torch.from_numpy(
                GaussianMixture(MIXTURE, reg_covar=1e-4, tol=1e-2, random_state=seed)
                .fit(patches[layer])
                .score_samples(patches)
            )
            for layer in layers
        )
        evidence = torch.where(taught, evidence, first - second)
    return evidence.view_as(inside).to(images)
