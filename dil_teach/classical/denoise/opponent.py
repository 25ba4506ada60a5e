"""Opponent colours, in which BM3D and K-SVD denoise colour images: Dabov, Foi,
Katkovnik and Egiazarian, 'Color image denoising via sparse 3D collaborative filtering
with grouping constraint in luminance-chrominance space', ICIP 2007.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.convention import Image

OPPONENT = torch.tensor(
    [[1 / 3, 1 / 3, 1 / 3], [0.5, 0, -0.5], [0.25, -0.5, 0.25]], dtype=torch.float32
)
"""Luminance, red against blue, and green against both, from red, green and blue."""


def to_opponent(image: Image, sigma: float) -> tuple[Image, Float[Tensor, "c"]]:
    """The image in opponent colours, and the noise level of each channel.

    The noise level is a standard deviation. Luminance is the first channel. A grey
    image does not change.
    """
    if len(image) == 1:
        return image, image.new_tensor([sigma])
    matrix = OPPONENT.to(image)
    return torch.einsum("oc,chw->ohw", matrix, image), sigma * matrix.norm(dim=1)


def from_opponent(image: Image) -> Image:
    """The inverse of :func:`to_opponent`."""
    if len(image) == 1:
        return image
    return torch.einsum("co,ohw->chw", OPPONENT.inverse().to(image), image)
