"""Inpainting without a network, by scikit-image: biharmonic interpolation.

Damelin and Hoang, 'On surface completion and image inpainting by biharmonic functions',
2018. The hole is filled with the smoothest surface that joins the known pixels.
"""

import torch
from jaxtyping import Float
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from dil_teach.image.convention import Image, check_image
from dil_teach.image.degradation import check_mask


def biharmonic(image: Image, mask: Float[Tensor, "1 _h _w"]) -> Image:
    """Fill the holes of an image with the smoothest surface.

    A ValueError is raised if the mask has another size, or if the hole is empty or
    covers the image.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1]; its values inside the hole are ignored.
    mask : Float[Tensor, "1 h w"]
        1 (white) in the hole, 0 where the image is known.

    Returns
    -------
    Image
        The filled image in [0, 1]; the known pixels do not change.
    """
    check_image(image)
    check_mask(mask, image)
    hole = mask[0] == 1
    filled = inpaint_biharmonic(
        image.detach().cpu().numpy(), hole.cpu().numpy(), channel_axis=0
    )
    filled = torch.from_numpy(filled).to(image).clamp(0, 1)
    return torch.where(hole, filled, image)
