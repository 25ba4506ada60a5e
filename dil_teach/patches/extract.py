"""An image as the bag of its patches, and back."""

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from dil_teach.image.convention import Image


def extract_patches(
    image: Image, patch_size: int = 5, stride: int = 1
) -> Float[Tensor, "patches values"]:
    """Every patch of an image as a row of values.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"].
    patch_size : int
        Side of a patch in pixels.
    stride : int
        Distance between neighbouring patches in pixels.

    Returns
    -------
    Float[Tensor, "patches values"]
        Patches row by row from the top left; each is c * patch_size**2 values, channel
        by channel.

    Raises
    ------
    ValueError
        If the image is smaller than a patch.
    """
    if patch_size < 1 or stride < 1 or patch_size > min(image.shape[-2:]):
        raise ValueError(
            f"patch_size: expected 1 to {min(image.shape[-2:])} for "
            f"{image.shape[-2]} x {image.shape[-1]} pixels, and a stride of at least "
            f"1, got {patch_size} and {stride}"
        )
    return F.unfold(image[None], patch_size, stride=stride)[0].T


def average_patches(
    patches: Float[Tensor, "patches values"],
    image_size: tuple[int, int],
    patch_size: int = 5,
    stride: int = 1,
) -> Image:
    """Lay patches back at their places; where they overlap, their mean.

    The inverse of :func:`extract_patches` where every pixel lies in a patch; pixels in
    none are 0.

    Parameters
    ----------
    patches : Float[Tensor, "patches values"]
        As :func:`extract_patches` returns them.
    image_size : (int, int)
        Height and width of the image in pixels.
    patch_size, stride : int
        As they were extracted.
    """
    columns = patches.T[None]
    total = F.fold(columns, image_size, patch_size, stride=stride)
    count = F.fold(
        columns.new_ones(columns.shape), image_size, patch_size, stride=stride
    )
    return (total / count.clamp_min(1))[0]


def patches_inside(
    inside: Bool[Tensor, "h w"], patch_size: int
) -> Bool[Tensor, "_h _w"]:
    """Which of all patches lie wholly inside of a shape."""
    outside = (~inside)[None, None].float()
    return F.max_pool2d(outside, patch_size, stride=1)[0, 0] == 0
