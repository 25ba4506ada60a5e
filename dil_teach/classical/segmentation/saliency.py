"""Context-aware saliency: Goferman, Zelnik-Manor and Tal, CVPR 2010 (PAMI 2012). A
patch is salient if even the most similar patches of the picture differ from this patch,
or if all these similar patches are close to it in the picture."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.convention import Image, check_image
from dil_teach.image.resize import limit_side, resize
from dil_teach.patches.search import nearest_patches

SIDE = 64
"""Longer side, in pixels, of the copy whose patches are compared."""
PATCH_SIZE = 7
"""Side of a patch, in pixels (paper)."""
NEIGHBOURS = 64
"""Number of nearest patches with which each patch is compared (paper)."""
PLACE = 3.0
"""Weight of the distance between the positions of two patches: c in equation 1 of the
paper."""
ATTENTION = 4
"""Pixels near the centre of the salient pixels get more weight. The standard deviation
of this Gaussian weight is the picture's longer side divided by this number."""


def saliency(image: Image) -> Float[Tensor, "1 h w"]:
    """The saliency of each pixel of a picture, in [0, 1].

    The mean of ``d_colour / (1 + 3 d_place)`` over the 64 nearest patches (paper,
    equation 1) is multiplied by a weight. The weight decreases with the distance to the
    centre of the most salient pixels; the paper (section 3.3) uses the distance to the
    nearest of these pixels. Patches are compared on a small copy. A ValueError is
    raised if the image is smaller than 16 x 16 pixels.
    """
    check_image(image, min_side=16)
    small = limit_side(image, SIDE, min_side=16)
    size = small.shape[-2:]
    half = PATCH_SIZE // 2
    padded = F.pad(small[None], (half,) * 4, mode="replicate")[0]
    found = nearest_patches(
        padded, padded, PATCH_SIZE, NEIGHBOURS, exclude_self=True, remove_mean=False
    )
    y, x = (torch.arange(side, device=image.device) for side in size)
    rows, columns = found.row - y[:, None, None], found.column - x[:, None]
    away = (rows.square() + columns.square()).sqrt() / max(size)
    unlike = (found.distance / found.distance.mean()).sqrt()
    distinct = (unlike / (1 + PLACE * away)).mean(2)
    distinct = distinct - distinct.amin()
    distinct = distinct / distinct.amax().clamp_min(1e-6)
    weight = distinct.square()
    total = weight.sum().clamp_min(1e-6)
    from_centre = [at - (weight * at).sum() / total for at in (y[:, None], x)]
    far = from_centre[0].square() + from_centre[1].square()
    result = (distinct * torch.exp(-far / (2 * (max(size) / ATTENTION) ** 2)))[None]
    result = result / result.amax().clamp_min(1e-6)
    return resize(result, size=(image.shape[1], image.shape[2])).clamp(0, 1)
