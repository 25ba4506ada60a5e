"""Picture files: read as images, and written whole or not at all."""

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Picture
from PIL import ImageOps, UnidentifiedImageError

from dil_teach.image.convention import Image, check_image, from_uint8, to_uint8

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
    options = {"quality": 95} if writer in ("JPEG", "WEBP") else {}
    with written_whole(path) as place:
        Picture.fromarray(to_uint8(image)).save(place, format=writer, **options)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A place to write a file or folder to; it gets its name when the block ends.

    If the block fails, nothing is left and what had the name before stays as it was.
    Nobody ever finds half a file under the name.

    Parameters
    ----------
    path : Path
        The final place. An empty folder there is replaced.

    Yields
    ------
    Path
        Of the same name, in a hidden folder beside ``path``.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder; make it first")
    hidden = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        hidden.mkdir()
        yield hidden / path.name
        if path.is_dir():
            path.rmdir()  # not all systems rename onto an empty folder
        os.replace(hidden / path.name, path)
    except OSError as error:
        if error.strerror is None:  # a message of ours, of the hidden place
            said = str(error).replace(str(hidden / path.name), str(path))
            raise OSError(said) from None
        raise OSError(
            f"{path}: cannot be written ({error.strerror}); "
            "choose a folder that you may write to"
        ) from None
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
