"""Inpainting without a network: biharmonic interpolation.

Damelin and Hoang, 'On surface completion and image inpainting by biharmonic functions',
2018, by scikit-image: in the hole, the smoothest surface that meets the known pixels.
"""

import torch
from jaxtyping import Float
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from dil_teach.image.convention import Image, check_image


def biharmonic(image: Image, mask: Float[Tensor, "1 _h _w"]) -> Image:
    """Fill the holes of an image with the smoothest surface.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1]; what it holds inside the hole is not looked
        at.
    mask : Float[Tensor, "1 h w"]
        1 (white) where there is a hole, 0 where the image is known.

    Returns
    -------
    Image
        In [0, 1]; known pixels as they were.

    Raises
    ------
    ValueError
        If the mask has another size, no hole or nothing but hole.
    """
    check_image(image)
    check_mask(mask, image)
    hole = mask[0] == 1
    filled = inpaint_biharmonic(
        image.detach().cpu().numpy(), hole.cpu().numpy(), channel_axis=0
    )
    filled = torch.from_numpy(filled).to(image).clamp(0, 1)
    return torch.where(hole, filled, image)


def check_mask(mask: Tensor, image: Image) -> None:
    """Refuse, in one sentence, what is no mask of this image's holes.

    Parameters
    ----------
    mask : Float[Tensor, "1 _h _w"]
        What should be 1 in the hole and 0 elsewhere.
    image : Image
        What it should be as large as.

    Raises
    ------
    ValueError
        If it has another size, other values, no hole or nothing but hole.
    """
    height, width = image.shape[-2:]
    if mask.shape != (1, height, width):
        raise ValueError(
            f"mask: expected the image's size, (1, {height}, {width}), got "
            f"{tuple(mask.shape)}; draw it on the image itself"
        )
    if not ((mask == 0) | (mask == 1)).all():
        raise ValueError(
            "mask: expected 1 in the hole and 0 elsewhere, got other values; "
            "threshold it at 0.5"
        )
    if mask.min() == mask.max():
        raise ValueError(
            "mask: expected 1 in the hole and 0 elsewhere, got "
            f"{'nothing but hole' if mask.max() == 1 else 'no hole'}; paint white what "
            "is to be filled, and black what is known"
        )
