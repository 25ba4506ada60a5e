"""Context-aware saliency: Goferman, Zelnik-Manor and Tal, CVPR 2010 (PAMI 2012). What
stands out is what does not recur: patches whose nearest patches, elsewhere in the same
picture, are still unlike them, or like them but close by."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.convention import Image, check_image
from dil_teach.image.resize import resize
from dil_teach.patches.search import nearest_patches

SIDE = 64
"""Pixels of the longer side at which patches are compared."""
PATCH_SIZE = 7
NEIGHBOURS = 64
"""As in the paper."""
PLACE = 3.0
"""How much a distance in place counts: the paper's c in equation 1."""


def saliency(image: Image) -> Float[Tensor, "1 h w"]:
    """How much each place of a picture stands out from the rest.

    The mean over the 64 nearest patches of ``d_colour / (1 + 3 d_place)``, the
    paper's equation 1, then weighted towards the middle of what stands out most, as
    its section 3.3 does by the distance to the places of attention.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"]; patches are compared at 64 pixels a side.

    Returns
    -------
    Float[Tensor, "1 h w"]
        In [0, 1], as large as the image.

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
    near = torch.exp(-far / (2 * (max(size) / 4) ** 2))
    result = (distinct * near)[None]
    return resize(result / result.amax().clamp_min(1e-6), size=(height, width)).clamp(
        0, 1
    )
