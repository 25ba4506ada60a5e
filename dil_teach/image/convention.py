"""The image convention: float32 tensors (c, h, w) in [0, 1], sRGB-encoded."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

Image = Float[Tensor, "_c _h _w"]
"""(channels, height, width). The underscores let two images differ in size."""

Video = Float[Tensor, "_t _c _h _w"]
"""(frames, channels, height, width): a video, or several images of one size."""


def from_uint8(array: UInt8[np.ndarray, "h w *c"]) -> Image:
    """Convert eight-bit values of shape (h, w) or (h, w, c) to an image."""
    planes = np.ascontiguousarray(np.atleast_3d(array).transpose(2, 0, 1))
    return torch.from_numpy(planes).float() / 255


def to_uint8(image: Image) -> UInt8[np.ndarray, "h w *c"]:
    """Round an image to eight bits: (h, w, c), or (h, w) if it is grey."""
    # in place after the first copy, because large results fill the memory
    values = image.detach().cpu().clamp(0, 1).mul_(255).round_()
    array = values.to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return array[:, :, 0] if len(image) == 1 else array


def check_images(
    images: Tensor,
    name: str = "images",
    channels: tuple[int, ...] = (1, 3),
    min_side: int = 1,
    in_range: bool = True,
    constant: bool = False,
) -> None:
    """Check a batch, Float[Tensor, "n c h w"], and its images by :func:`check_image`.

    Unless ``constant`` is true, a ValueError is also raised if an image is the same at
    all pixels (up to one grey level).
    """
    if not isinstance(images, Tensor) or images.ndim != 4 or len(images) == 0:
        raise ValueError(
            f"{name}: expected a tensor of shape (images, channels, height, width), "
            f"got {getattr(images, 'shape', type(images))}; torch.stack makes one"
        )
    for image in images:
        check_image(image, name, channels, min_side, in_range)
        if not constant:
            check_not_flat(image, name, 1.5 / 255)


def check_not_flat(
    image: Float[Tensor, "c *_size"], name: str = "image", span: float = 0.0
) -> None:
    """Raise a ValueError if no channel varies by more than ``span``."""
    values = image.flatten(1)
    if (values.amax(1) - values.amin(1)).max() <= span:
        raise ValueError(
            f"{name}: expected a picture with some detail to learn from, got one that "
            "is the same at all pixels; take another"
        )


def split_alpha(image: Image) -> tuple[Image, Image | None]:
    """The colour (or grey) channels of an image, and its transparency or None."""
    return (image[:-1], image[-1:]) if len(image) in (2, 4) else (image, None)


def check_image(
    image: Tensor,
    name: str = "image",
    channels: tuple[int, ...] = (1, 3),
    min_side: int = 1,
    in_range: bool = True,
) -> None:
    """Raise a ValueError unless ``image`` follows the convention of this module.

    It must be Float[Tensor, "c h w"], float32, finite and, if ``in_range``, in [0, 1]
    up to rounding. ``channels`` lists the accepted numbers of channels, and
    ``min_side`` is the minimum height and width. The message starts with ``name``.
    """
    if not isinstance(image, Tensor) or image.ndim != 3:
        raise ValueError(
            f"{name}: expected a tensor of shape (channels, height, width), got "
            f"{getattr(image, 'shape', type(image))}; load_image and photo return one"
        )
    if image.dtype != torch.float32:
        raise ValueError(
            f"{name}: expected float32 in [0, 1], got {image.dtype}; divide by 255"
        )
    if len(image) not in channels:
        raise ValueError(
            f"{name}: expected {' or '.join(map(str, channels))} channels, got "
            f"{len(image)} (shape {tuple(image.shape)}); split_alpha removes alpha"
        )
    if min(image.shape[1:]) < min_side:
        raise ValueError(
            f"{name}: expected at least {min_side} x {min_side} pixels, got "
            f"{image.shape[1]} x {image.shape[2]}; take a larger picture"
        )
    if not torch.isfinite(image).all():
        raise ValueError(f"{name}: expected finite values, got NaN or infinity")
    if in_range and (image.min() < -1e-3 or image.max() > 1 + 1e-3):
        raise ValueError(
            f"{name}: expected values in [0, 1], got {image.min():.3g} to "
            f"{image.max():.3g}; divide by the largest possible value"
        )


def check_same_shape(
    image: Image, first: Image, name: str | Path = "b", other: str | Path = "a"
) -> None:
    """Raise a ValueError unless two images have the same shape."""
    if image.shape != first.shape:
        got, wanted = (" x ".join(map(str, x.shape)) for x in (image, first))
        raise ValueError(
            f"{name}: expected {wanted} (channels x height x width) as in {other}, got "
            f"{got}; both must have the same size and kind"
        )
