"""Colours of pixels that nobody sees."""

from typing import Any

import torch
from jaxtyping import Float
from scipy.ndimage import distance_transform_edt
from torch import Tensor


def extend_colours(
    colour: Float[Tensor, "c h w"], alpha: Float[Tensor, "1 h w"]
) -> Float[Tensor, "c h w"]:
    """Give each fully transparent pixel the colour of the nearest other pixel.

    A file often stores black there. A method that mixes neighbouring pixels would draw
    it into the visible rim. An image with no or only such pixels is returned as it is.
    """
    hidden = alpha[0] == 0
    if hidden.all() or not hidden.any():
        return colour
    nearest: Any = distance_transform_edt(
        hidden.numpy(), return_distances=False, return_indices=True
    )
    rows, columns = torch.from_numpy(nearest).long()
    return colour[:, rows, columns]
