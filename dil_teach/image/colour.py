"""sRGB and linear light (IEC 61966-2-1), and enlarging luma apart from chroma."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.convention import Image
from dil_teach.image.metrics import luma
from dil_teach.image.resize import resize


def to_linear(srgb: Tensor) -> Tensor:
    """Decode sRGB values to linear light; any shape."""
    return torch.where(
        srgb <= 0.04045, srgb / 12.92, ((srgb.clamp_min(0) + 0.055) / 1.055) ** 2.4
    )


def to_srgb(linear: Tensor) -> Tensor:
    """Encode linear light as sRGB values in [0, 1]; any shape, clamped first."""
    linear = linear.clamp(0, 1)
    curve = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, curve).clamp_max(1)


def enlarge_luma(
    image: Image,
    scales: tuple[float, float],
    size: tuple[int, int],
    enlarge: Callable[[Float[Tensor, "1 _h _w"]], Float[Tensor, "1 _h2 _w2"]],
) -> Image:
    """Enlarge an image by a method for grey images, as papers on super-resolution do.

    ``enlarge`` gets the only channel of a grey image, or the luma of an RGB image in
    [0, 1]. The chroma of an RGB image is interpolated (bicubic). The result has
    ``size`` pixels, in [0, 1].
    """
    if len(image) == 1:
        return enlarge(image).clamp(0, 1)
    interpolated = resize(image, scales, size)
    # a value that is added to red, green and blue changes luma only
    change = enlarge(_full_range_luma(image)) - _full_range_luma(interpolated)
    return (interpolated + change).clamp(0, 1)


def _full_range_luma(image: Image) -> Float[Tensor, "1 h w"]:
    """Luma in [0, 1] instead of [16/255, 235/255]."""
    return ((255 * luma(image) - 16) / 219).to(image.dtype)
