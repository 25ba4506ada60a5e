"""The image convention: float32 tensors (c, h, w) in [0, 1], sRGB-encoded.

Pictures become tensors here, once, and tensors become pictures again here.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image as Picture
from PIL import ImageOps, UnidentifiedImageError
from torch import Tensor

Image = Float[Tensor, "_c _h _w"]
"""(channels, height, width). Underscores: two images of one call may differ in size."""

Video = Float[Tensor, "_t _c _h _w"]
"""(frames, channels, height, width): a film, or several images of one size."""

MAX_MEGAPIXELS = 100
"""Larger files are refused before they are decoded: they exhaust a laptop's memory."""


def load_image(path: str | Path) -> Image:
    """Read a picture file.

    Parameters
    ----------
    path : str or Path
        A PNG, JPEG, TIFF, WebP or any other file that Pillow reads. The camera's
        EXIF orientation is applied. Of an animation the first frame is read.

    Returns
    -------
    Image
        Float[Tensor, "c h w"] in [0, 1]: grey (1 channel), grey and alpha (2),
        RGB (3) or RGBA (4), as the file has it; a palette becomes RGB or RGBA.
        Sixteen-bit grey is divided by 65535; sixteen-bit colour is read with eight.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is a folder, no picture, truncated, or over ``MAX_MEGAPIXELS``.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; check the name and the folder")
    if path.is_dir():
        raise ValueError(
            f"{path}: expected a picture file, got a folder; name one file"
        )
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures; the limit below says it once, in words
            warnings.simplefilter("ignore", Picture.DecompressionBombWarning)
            with Picture.open(path) as picture:
                _check_megapixels(*picture.size)
                return _from_picture(_in_known_mode(ImageOps.exif_transpose(picture)))
    except UnidentifiedImageError:
        raise ValueError(
            f"{path}: expected a picture (PNG, JPEG, TIFF, ...), got a file that is "
            "none, whatever its name says; export it again as PNG"
        ) from None
    except Picture.DecompressionBombError:
        raise ValueError(
            f"{path}: expected at most {MAX_MEGAPIXELS} megapixels, got a far larger "
            "picture; make it smaller first"
        ) from None
    except _Refused as error:
        raise ValueError(f"{path}: {error}") from None
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise ValueError(
            f"{path}: the file is truncated or damaged or cannot be read ({error}); "
            "copy or export it again"
        ) from None


class _Refused(ValueError):
    """A picture that could be decoded, but that we do not take."""


def _check_megapixels(width: int, height: int) -> None:
    if width * height > MAX_MEGAPIXELS * 1e6:
        raise _Refused(
            f"expected at most {MAX_MEGAPIXELS} megapixels, got {width} x {height} = "
            f"{width * height / 1e6:.0f}; make it smaller first"
        )


def _in_known_mode(picture: Picture.Image) -> Picture.Image:
    """The picture as L, LA, RGB or RGBA, or as it is where it holds 16 bits."""
    if picture.mode.startswith("I"):
        return picture
    if picture.mode == "F":
        raise _Refused(
            "expected 8 or 16 bits a channel, got floating point, whose range "
            "is unknown; export it as a 16-bit PNG"
        )
    alpha = picture.has_transparency_data
    if picture.mode in ("1", "L", "LA"):
        return picture.convert("LA" if alpha else "L")
    return picture.convert("RGBA" if alpha else "RGB")


def _from_picture(picture: Picture.Image) -> Image:
    """A Pillow picture in mode L, LA, RGB, RGBA or I (16 bits) as an image."""
    if picture.mode.startswith("I"):
        values = np.asarray(picture, dtype=np.int64).clip(0, 65535)
        return torch.from_numpy(values.astype(np.float32) / 65535)[None]
    return from_uint8(np.array(picture))


def from_uint8(array: UInt8[np.ndarray, "h w *c"]) -> Image:
    """Eight-bit values, (h, w) or (h, w, c), as an image."""
    if array.ndim == 2:
        array = array[:, :, None]
    return (
        torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1))).float() / 255
    )


def to_uint8(image: Image) -> UInt8[np.ndarray, "h w *c"]:
    """The image rounded to eight bits, (h, w, c), or (h, w) where it is grey."""
    # in place after the first copy: a large result is most of what memory holds
    values = image.detach().cpu().clamp(0, 1).mul_(255).round_()
    array = values.to(torch.uint8).numpy()
    return (
        array[0] if len(array) == 1 else np.ascontiguousarray(array.transpose(1, 2, 0))
    )


def save_image(image: Image, path: str | Path) -> None:
    """Write an image with eight bits a channel; the suffix names the format.

    The file is written beside its place and then renamed, so that nobody ever finds
    half a picture there. Values outside [0, 1] are clamped.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] with 1 to 4 channels.
    path : str or Path
        Where to; ``.png`` keeps every value.

    Raises
    ------
    ValueError
        If the values are not finite, or the suffix names no format that can hold
        these channels.
    OSError
        If the folder does not exist or cannot be written.
    """
    path = Path(path)
    check_image(image, channels=(1, 2, 3, 4), in_range=False)
    writer = Picture.registered_extensions().get(path.suffix.lower())
    if writer is None or writer not in Picture.SAVE:
        raise ValueError(
            f"{path}: expected a picture's suffix such as .png or .jpg, got "
            f"'{path.suffix}'; name the file with one"
        )
    if writer in ("JPEG", "JPEG2000", "BMP", "PPM") and len(image) in (2, 4):
        raise ValueError(f"{path}: {writer} holds no transparency; save it as .png")
    if path.is_dir():
        raise ValueError(f"{path}: expected a file to write, got a folder; name a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder; make it first")
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    options = {"quality": 95} if writer in ("JPEG", "WEBP") else {}
    try:
        Picture.fromarray(to_uint8(image)).save(beside, format=writer, **options)
        os.replace(beside, path)
    except OSError as error:
        raise OSError(
            f"{path}: cannot be written ({error.strerror or error}); "
            "choose a folder that you may write to"
        ) from None
    finally:
        beside.unlink(missing_ok=True)


def split_alpha(image: Image) -> tuple[Image, Image | None]:
    """Colour (or grey) and transparency of an image; None where there is none."""
    return (image[:-1], image[-1:]) if len(image) in (2, 4) else (image, None)


def check_image(
    image: Tensor,
    name: str = "image",
    channels: tuple[int, ...] = (1, 3),
    min_side: int = 1,
    in_range: bool = True,
) -> None:
    """Refuse, in one sentence, what is no image by the convention of this module.

    Parameters
    ----------
    image : Image
        What should be Float[Tensor, "c h w"], float32, finite, in [0, 1].
    name : str
        What the caller calls it.
    channels : tuple of int
        The numbers of channels that the caller can take.
    min_side : int
        The smallest height and width that the caller can take, in pixels.
    in_range : bool
        Whether values outside [0, 1] (by more than rounding) are refused.

    Raises
    ------
    ValueError
        If any of this does not hold.
    """
    if not isinstance(image, Tensor) or image.ndim != 3:
        what = tuple(image.shape) if hasattr(image, "shape") else type(image).__name__
        raise ValueError(
            f"{name}: expected a tensor of shape (channels, height, width), got "
            f"{what}; load_image and photo return one"
        )
    if image.dtype != torch.float32:
        raise ValueError(
            f"{name}: expected float32 in [0, 1], got {image.dtype}; "
            "divide eight-bit values by 255"
        )
    if len(image) not in channels:
        raise ValueError(
            f"{name}: expected {' or '.join(map(str, channels))} channels, got "
            f"{len(image)} (shape {tuple(image.shape)}); split_alpha takes alpha away"
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
            f"{image.max():.3g}; divide by the largest value that the file can hold"
        )
