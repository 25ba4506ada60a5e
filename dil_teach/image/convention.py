"""The image convention: float32 tensors (c, h, w) in [0, 1], sRGB-encoded."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

Image = Float[Tensor, "_c _h _w"]
"""(channels, height, width). Underscores in the type let two images differ in size."""

Video = Float[Tensor, "_t _c _h _w"]
"""(frames, channels, height, width): a video, or several images of one size."""


def from_uint8(array: UInt8[np.ndarray, "h w *c"]) -> Image:
    """Convert eight-bit values of shape (h, w) or (h, w, c) to an image."""
    planes = np.ascontiguousarray(np.atleast_3d(array).transpose(2, 0, 1))
    return torch.from_numpy(planes).float() / 255


def to_uint8(image: Image) -> UInt8[np.ndarray, "h w *c"]:
    """Round an image to eight bits: (h, w, c), or (h, w) if it is grey."""
    # only one copy, then in place: large images would fill the memory
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
) -> Video:
    """Check the shape of a batch, (n, c, h, w), and each image by :func:`check_image`.

    Unless ``constant`` is true, a ValueError is also raised if all pixels of an image
    are equal (up to one grey level). The batch is returned without its gradient.
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
    return images.detach()


def check_not_flat(
    image: Float[Tensor, "c *_size"], name: str = "image", span: float = 0.0
) -> None:
    """Raise a ValueError if no channel varies by more than ``span``."""
    values = image.flatten(1)
    if (values.amax(1) - values.amin(1)).max() <= span:
        raise ValueError(
            f"{name}: expected a picture with some detail to learn from, got one that "
            "is the same at all pixels; take another picture"
        )


def split_alpha(image: Image) -> tuple[Image, Image | None]:
    """Split an image into colour (or grey) channels and alpha; alpha may be None."""
    return (image[:-1], image[-1:]) if len(image) in (2, 4) else (image, None)


def check_image(
    image: Tensor,
    name: str = "image",
    channels: tuple[int, ...] = (1, 3),
    min_side: int = 1,
    in_range: bool = True,
) -> Image:
    """Raise a ValueError unless ``image`` follows the convention of this module.

    The image must have shape (c, h, w) and be float32, finite and, if ``in_range``, in
    [0, 1] up to rounding. ``channels`` lists the accepted numbers of channels, and
    ``min_side`` is the minimum height and width. Error messages begin with ``name``.

    The image is returned without its gradient. It shares its memory with the argument;
    a method that keeps it keeps an :func:`own_copy`.
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
        wanted = " or ".join(map(str, channels))
        if len(channels) > 2:
            wanted = f"{channels[0]} to {channels[-1]}"
        advice = "split_alpha removes alpha"
        if len(image) < min(channels):
            advice = "take a colour image"
        raise ValueError(
            f"{name}: expected {wanted} channels, got {len(image)} "
            f"(shape {tuple(image.shape)}); {advice}"
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
    return image.detach()


def own_copy(value: Any) -> Any:
    """A copy of a tensor without gradient; any other value is returned unchanged.

    A method keeps such a copy, so that the caller can change the argument later. It has
    the strides of the tensor, because they decide the order, and so the last bits, of
    sums: a part of a photograph gives the same results as before it was copied.
    """
    if not isinstance(value, Tensor):
        return value
    value = value.detach()
    if 0 in value.stride():  # an expanded axis has one value in memory
        return value.clone()
    return torch.empty_strided(
        value.shape, value.stride(), dtype=value.dtype, device=value.device
    ).copy_(value)


def check_floats(image: Tensor, name: str = "image") -> None:
    """Raise a ValueError unless ``image`` has pixels of floating-point values.

    Its last two axes are height and width. Integers are refused because weights below 1
    would become 0 in their type.
    """
    if not isinstance(image, Tensor) or not image.is_floating_point():
        raise ValueError(
            f"{name}: expected a tensor of floating-point values, got "
            f"{getattr(image, 'dtype', type(image))}; divide eight-bit values by 255"
        )
    if image.ndim < 2 or image.numel() == 0:
        raise ValueError(
            f"{name}: expected at least one pixel, and height and width as the last "
            f"two axes, got the shape {tuple(image.shape)}; take another picture"
        )


def check_grey(image: Image, name: str | Path, what: str) -> None:
    """Raise a ValueError if more than 1% of the pixels are coloured.

    A pixel is coloured if its channels differ by more than 0.1, which is more than JPEG
    compression does to a grey picture. The message calls the picture ``what``.
    """
    coloured = image.amax(0) - image.amin(0) > 0.1
    if coloured.double().mean() > 0.01:
        raise ValueError(
            f"{name}: expected {what} in black, grey and white, got a picture in "
            "colour; name another file"
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
