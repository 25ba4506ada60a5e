"""Super-resolution by hand: the example-based half of Glasner, Bagon and Irani, ICCV
2009, in its simplest form.

Each patch of an image is looked up in the image at half its size. The parent of the
match is a patch of the image itself, twice as large as the match. The parents are
pasted into an image of twice the size, each with the mean of its patch.

Departures: the paper enlarges in small steps, weights the matches, and adds the
within-scale half and back-projection; see
:mod:`dil_teach.classical.super_resolution.glasner`.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from dil_teach.image.convention import Image
from dil_teach.image.resize import resize
from dil_teach.patches.search import Neighbours, nearest_patches


def find_sons(image: Image, patch_size: int = 5) -> Neighbours:
    """The nearest match of each patch in the image at half its size (means removed).

    ``image`` is Float[Tensor, "c h w"] with even sides. The fields of the result have
    the shape (h - patch_size + 1, w - patch_size + 1, 1). A ValueError is raised if a
    side is odd or the half-size image has too few patches.
    """
    if image.shape[1] % 2 or image.shape[2] % 2:
        raise ValueError(
            "image: expected sides with an even number of pixels, got "
            f"{image.shape[1]} x {image.shape[2]}; leave out a row or a column"
        )
    half = resize(image, 0.5).clamp(0, 1)
    return nearest_patches(image, half, patch_size, remove_mean=True, exclude_self=True)


def paste_parents(
    image: Image,
    smooth: Image,
    row: Int[Tensor, "rows columns"],
    column: Int[Tensor, "rows columns"],
    chosen: Bool[Tensor, "rows columns"],
    patch_size: int = 5,
) -> Image:
    """Paste the parents of the chosen patches into an image of twice the size.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"].
    smooth : Image
        Float[Tensor, "c 2h 2w"]: the image that is kept where no parent is pasted, for
        example from bicubic interpolation.
    row, column : Int[Tensor, "rows columns"]
        For each patch, the top left pixel of its match in the image at half the size.
        The match's parent begins at twice this row and column of ``image``.
    chosen : Bool[Tensor, "rows columns"]
        The patches whose parents are pasted.
    patch_size : int
        Side of a patch in pixels.

    Returns
    -------
    Image
        Float[Tensor, "c 2h 2w"]: where parents overlap, their mean; where no parent is
        pasted, ``smooth``.
    """
    side, (rows, columns) = 2 * patch_size, row.shape
    parents = image.unfold(1, side, 1).unfold(2, side, 1)[:, 2 * row, 2 * column]
    means = F.avg_pool2d(image, patch_size, 1)[..., None, None]
    parents = parents - parents.mean((3, 4), keepdim=True) + means
    weight = chosen.to(image)
    values = (parents * weight[..., None, None]).permute(0, 3, 4, 1, 2)
    values = values.reshape(len(image), side**2, rows * columns)
    counts = weight.reshape(1, 1, -1).expand(1, side**2, -1)
    total, count = (
        F.fold(each, smooth.shape[1:], side, stride=2)[:, 0]
        for each in (values, counts)
    )
    return torch.where(count > 0, total / count.clamp_min(1), smooth)


def most_contrast(contrast: Tensor, share: float) -> Bool[Tensor, "rows columns"]:
    """Mark this share of the patches: those with the most contrast."""
    order = contrast.flatten().argsort(descending=True, stable=True)
    chosen = torch.zeros_like(contrast, dtype=torch.bool)
    chosen.view(-1)[order[: round(share * len(order))]] = True
    return chosen
