"""Eight orientations, crops, and the damage of a poor camera: noise and JPEG."""

import io

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image as Picture
from torch import Tensor

from dil_teach.image.convention import Image, from_uint8, to_uint8

ORIENTATIONS = range(8)
"""The symmetries of the square: orientation k turns by k % 4 quarters, and k > 3
mirrors first."""


def orient(
    image: Float[Tensor, "*batch h w"], orientation: int
) -> Float[Tensor, "*batch h2 w2"]:
    """The image in one of its eight orientations; 0 is as it is."""
    mirrored = image.flip(-1) if orientation >= 4 else image
    return mirrored.rot90(orientation % 4, (-2, -1))


def orient_back(
    image: Float[Tensor, "*batch h w"], orientation: int
) -> Float[Tensor, "*batch h2 w2"]:
    """The inverse of :func:`orient`."""
    turned = image.rot90(-(orientation % 4), (-2, -1))
    return turned.flip(-1) if orientation >= 4 else turned


def random_crop(
    image: Float[Tensor, "c h w"], size: tuple[int, int], rng: torch.Generator
) -> Float[Tensor, "c h2 w2"]:
    """A window of the given height and width, or as much of it as the image holds."""
    height, width = (min(n, m) for n, m in zip(size, image.shape[-2:], strict=True))
    top = _below(image.shape[-2] - height + 1, rng)
    left = _below(image.shape[-1] - width + 1, rng)
    return image[:, top : top + height, left : left + width]


def _below(n: int, rng: torch.Generator) -> int:
    return int(torch.randint(n, (), generator=rng))


def add_noise(
    image: Float[Tensor, "*batch h w"], sigma: float, rng: torch.Generator
) -> Float[Tensor, "*batch h w"]:
    """White Gaussian noise of a standard deviation in the units of [0, 1]; no clamp."""
    noise = torch.randn(image.shape, generator=rng, dtype=image.dtype)
    return image + sigma * noise.to(image.device)


def jpeg(image: Image, quality: int) -> Image:
    """The image as a JPEG file of this quality (1 to 95) gives it back."""
    file = io.BytesIO()
    Picture.fromarray(to_uint8(image)).save(file, "JPEG", quality=quality)
    with Picture.open(file) as picture:
        return from_uint8(np.array(picture)).to(image.device)
