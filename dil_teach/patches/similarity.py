"""Bidirectional similarity of two images: do they consist of the same patches?

Simakov, Caspi, Shechtman and Irani, "Summarizing Visual Data Using Bidirectional
Similarity", CVPR 2008. The target should lose no patch of the source (completeness) and
have no new patches (coherence). D is the mean squared difference per value:

    d(S, T) = 1/N_S sum_{p in S} min_{q in T} D(p, q)        completeness
            + 1/N_T sum_{q in T} min_{p in S} D(p, q)        coherence

With importance weights, each term is a weighted mean over the same patches.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.convention import Image, check_image, check_same_shape
from dil_teach.patches.extract import check_patches, patches_inside
from dil_teach.patches.search import nearest_patches

Map = Float[Tensor, "1 _h _w"]


def bidirectional_similarity(
    source: Image, target: Image, patch_size: int = 7, importance: Map | None = None
) -> tuple[float, float]:
    """:func:`completeness` and :func:`coherence`; their sum is the paper's d(S, T)."""
    arguments = source, target, patch_size, importance
    return completeness(*arguments), coherence(*arguments)


def completeness(
    source: Image, target: Image, patch_size: int = 7, importance: Map | None = None
) -> float:
    """The mean error of the source's patches in the target; 0 if none is missing.

    Completeness is the first term of equation 1. A ValueError is raised if an image is
    smaller than a patch, the numbers of channels differ, or the importance has another
    size, is negative, or leaves no patch to compare.

    Parameters
    ----------
    source, target : Image
        Float[Tensor, "c h w"] with the same number of channels; sizes may differ.
    patch_size : int
        Side of a patch in pixels.
    importance : Float[Tensor, "1 h w"], optional
        Weight of each pixel of the source, at least 0. By default all weights are 1.

    Returns
    -------
    float
        Squared distance per value to the nearest patch in the target (exact search),
        averaged over all patches. A patch has the mean weight of its pixels, or weight
        0 if one of them has weight 0.
    """
    source, target = _check(source, target, patch_size)
    weights = check_importance(importance, source, patch_size)
    found = nearest_patches(source, target, patch_size, exact=True)
    return _mean_error(found.distance, weights, source, patch_size)


def coherence(
    source: Image, target: Image, patch_size: int = 7, importance: Map | None = None
) -> float:
    """The mean error of the target's patches in the source; 0 if no patch is new.

    Coherence is the second term of equation 1. Parameters, errors and result are as in
    :func:`completeness`. A patch of the target has the weight of the nearest patch in
    the source.
    """
    source, target = _check(source, target, patch_size)
    weights = check_importance(importance, source, patch_size)
    found = nearest_patches(target, source, patch_size, exact=True)
    columns = source.shape[-1] - patch_size + 1
    nearest = found.row[..., 0] * columns + found.column[..., 0]
    return _mean_error(found.distance, weights[nearest], source, patch_size)


def _check(source: Image, target: Image, patch_size: int) -> tuple[Image, Image]:
    """Check two images by their names here; return them without gradients."""
    for name, image in (("source", source), ("target", target)):
        check_image(image, name, in_range=False)
        check_patches(image, patch_size, name=name)
    if len(target) != len(source):
        raise ValueError(
            f"target: expected {len(source)} channels as in the source, got "
            f"{len(target)}; convert one of the two images"
        )
    return source.detach(), target.detach()


def _mean_error(
    distance: Tensor, weights: Tensor, source: Image, patch_size: int
) -> float:
    distance, weights = (x.flatten().cpu().double() for x in (distance, weights))
    mean = (weights * distance).sum() / weights.sum().clamp_min(1e-30)
    return mean.item() / (len(source) * patch_size**2)


def patch_weights(
    importance: Map | None, image: Image, patch_size: int
) -> Float[Tensor, " n"]:
    """The weight of each patch, as in :func:`completeness`; all 1 without a map."""
    if importance is None:
        importance = torch.ones_like(image[:1])
    mean = F.avg_pool2d(importance, patch_size, stride=1)
    return (mean * patches_inside(importance[0] > 0, patch_size)).flatten()


def check_importance(
    importance: Map | None, image: Image, patch_size: int
) -> Float[Tensor, " n"]:
    """Return :func:`patch_weights`, or a ValueError if the map is invalid or zero."""
    check_map("importance", importance, image)
    weights = patch_weights(importance, image, patch_size)
    if not weights.any():
        raise ValueError(
            "importance: expected a patch with all weights above 0, got none; use a "
            "small weight such as 0.1 instead of 0"
        )
    return weights


def check_map(name: str, weights: Map | None, image: Image) -> None:
    """Raise a ValueError unless weights have the image's size and are not negative."""
    if weights is None:
        return
    check_same_shape(weights, image[:1], name, "one channel of its image")
    if not (torch.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError(
            f"{name}: expected finite numbers of at least 0, got "
            f"{weights.min().item():.3g} to {weights.max().item():.3g}; clamp it"
        )


def relative_location(source: Image, target: Image, patch_size: int = 7) -> float:
    """How far patches have moved sideways, as a fraction of the width.

    The mean absolute difference in horizontal position between each target patch and
    its nearest source patch (exact search). Positions go from 0 at the left border to 1
    at the right border. The result is 0 if all patches keep their places, and 1/4 for
    an image beside a copy of itself. Parameters and errors as in :func:`completeness`.
    """
    source, target = _check(source, target, patch_size)
    found = nearest_patches(target, source, patch_size, exact=True)
    half = patch_size / 2
    columns = found.column[..., 0].cpu().double()
    before = (columns + half) / source.shape[-1]
    after = (torch.arange(columns.shape[1]).double() + half) / target.shape[-1]
    return (before - after).abs().mean().item()
