"""Context-aware saliency: Goferman, Zelnik-Manor and Tal, CVPR 2010 (PAMI 2012). A
patch is salient if its nearest patches in the same picture differ from it, or if they
are similar but close by."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.convention import Image, check_image
from dil_teach.image.resize import resize
from dil_teach.patches.search import nearest_patches

SIDE = 64
"""Longer side, in pixels, of the copy whose patches are compared."""
PATCH_SIZE = 7
"""Side of a patch, in pixels (paper)."""
NEIGHBOURS = 64
"""Nearest patches of each patch (paper)."""
PLACE = 3.0
"""Weight of the distance in place: c in equation 1 of the paper."""
ATTENTION = 4
"""The longer side divided by the standard deviation of the weight around the centre of
attention."""


def saliency(image: Image) -> Float[Tensor, "1 h w"]:
    """The saliency of each pixel of a picture.

    The mean of ``d_colour / (1 + 3 d_place)`` over the 64 nearest patches (paper,
    equation 1), times a weight that falls with the distance to the centre of the most
    salient pixels (section 3.3 of the paper uses the nearest such pixel).

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"]; patches are compared on a copy of ``SIDE`` pixels.

    Returns
    -------
    Float[Tensor, "1 h w"]
        In [0, 1], of the image's size.

    Raises
    ------
    ValueError
        If the image is smaller than 16 x 16 pixels.
    """
    check_image(image, min_side=16)
    height, width = image.shape[-2:]
    scale = min(1.0, SIDE / max(height, width))
    size = (max(round(scale * height), 16), max(round(scale * width), 16))
    small = resize(image, size=size).clamp(0, 1)
    half = PATCH_SIZE // 2
    padded = F.pad(small[None], (half,) * 4, mode="replicate")[0]
    found = nearest_patches(
        padded, padded, PATCH_SIZE, NEIGHBOURS, exclude_self=True, remove_mean=False
    )
    y, x = (torch.arange(side, device=image.device) for side in size)
    rows, columns = found.row - y[:, None, None], found.column - x[None, :, None]
    away = (rows.square() + columns.square()).sqrt() / max(size)
    unlike = (found.distance / found.distance.mean()).sqrt()
    distinct = (unlike / (1 + PLACE * away)).mean(2)
    distinct = distinct - distinct.amin()
    distinct = distinct / distinct.amax().clamp_min(1e-6)
    weight = distinct.square()
    total = weight.sum().clamp_min(1e-6)
    middle = [(weight * at).sum() / total for at in (y[:, None], x[None, :])]
    far = (y[:, None] - middle[0]).square() + (x[None, :] - middle[1]).square()
    near = torch.exp(-far / (2 * (max(size) / ATTENTION) ** 2))
    result = (distinct * near)[None]
    return resize(result / result.amax().clamp_min(1e-6), size=(height, width)).clamp(
        0, 1
    )
