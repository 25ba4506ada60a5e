"""Eight orientations, random crops, white noise and JPEG compression."""

import io

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image as Picture
from torch import Tensor

from dil_teach.image.convention import Image, from_uint8, to_uint8

Images = Float[Tensor, "... _h _w"]

ORIENTATIONS = range(8)
"""The symmetries of the square. Orientation k mirrors the image if k > 3, and then
rotates it anticlockwise by k % 4 quarter turns."""


def orient(image: Images, orientation: int) -> Images:
    """The image in one of its eight orientations; 0 leaves it unchanged."""
    mirrored = image.flip(-1) if orientation >= 4 else image
    return mirrored.rot90(orientation % 4, (-2, -1))


def orient_back(image: Images, orientation: int) -> Images:
    """The inverse of :func:`orient`."""
    turned = image.rot90(-(orientation % 4), (-2, -1))
    return turned.flip(-1) if orientation >= 4 else turned


def allowed_orientations(
    kernel: str | Float[Tensor, "_kh _kw"],
    scale: tuple[float, float],
    low_size: tuple[int, int],
    size: tuple[int, int],
) -> list[int]:
    """The orientations of an image that the same degradation could have produced.

    Parameters
    ----------
    kernel : str or Float[Tensor, "kh kw"]
        With the name of an interpolation, all orientations are allowed. With an array,
        an orientation is allowed if it changes each weight by at most 1% of the largest
        weight.
    scale : (float, float)
        How many times higher and how many times wider the result is. If the two scales
        differ, only mirroring and half turns are allowed.
    low_size, size : (int, int)
        Height and width of the image and of the result. If the result is not exactly
        ``scale`` times as large, only orientation 0 is allowed.
    """
    sides = zip(scale, low_size, size, strict=True)
    if any(abs(s * low - high) > 1e-6 for s, low, high in sides):
        return [0]
    orientations = ORIENTATIONS[:: 1 if scale[0] == scale[1] else 2]
    if isinstance(kernel, str):
        return list(orientations)
    tolerance = 1e-2 * kernel.abs().max()
    return [
        o
        for o in orientations
        if (turned := orient(kernel, o)).shape == kernel.shape
        and (turned - kernel).abs().max() < tolerance
    ]


def random_crop(
    image: Float[Tensor, "c h w"], size: tuple[int, int], rng: torch.Generator
) -> Float[Tensor, "c h2 w2"]:
    """A random window of ``size`` pixels, or less where the image is smaller."""
    height, width = (min(n, m) for n, m in zip(size, image.shape[-2:], strict=True))
    top = random_below(image.shape[-2] - height + 1, rng)
    left = random_below(image.shape[-1] - width + 1, rng)
    return image[:, top : top + height, left : left + width]


def random_below(n: int, rng: torch.Generator) -> int:
    """A random whole number from 0 to n - 1."""
    return int(torch.randint(n, (), generator=rng))


def add_noise(image: Images, sigma: float, rng: torch.Generator) -> Images:
    """The image with white Gaussian noise of standard deviation sigma, not clamped."""
    noise = torch.randn(image.shape, generator=rng, dtype=image.dtype)
    return image + sigma * noise.to(image.device)


def jpeg(image: Image, quality: int) -> Image:
    """The image after JPEG compression; ``quality`` is from 1 to 95."""
    file = io.BytesIO()
    Picture.fromarray(to_uint8(image)).save(file, "JPEG", quality=quality)
    with Picture.open(file) as picture:
        return from_uint8(np.array(picture)).to(image.device)
