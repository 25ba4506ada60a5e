"""Read pictures, and write files completely or not at all."""

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Picture
from PIL import ImageOps

from dil_teach.image.convention import Image, check_image, from_uint8, to_uint8

MAX_MEGAPIXELS = 100
"""Maximum size of a picture; a larger picture could fill the memory of a laptop."""


def load_image(path: str | Path) -> Image:
    """Read a picture file.

    A ValueError is raised for a folder, a file that is no picture, a damaged file, and
    a picture above ``MAX_MEGAPIXELS``.

    Parameters
    ----------
    path : str or Path
        Any file that Pillow reads. The image is rotated as its EXIF data says. Of
        an animation, the first frame is read.

    Returns
    -------
    Image
        Float[Tensor, "c h w"] in [0, 1]: grey (1 channel), grey and alpha (2), RGB (3)
        or RGBA (4), as in the file; a palette becomes RGB or RGBA. Grey values of 16
        bits are divided by 65535; colours of 16 bits are read as 8 bits.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; check the name and the folder")
    if path.is_dir():
        raise ValueError(f"{path}: expected a picture file, got a folder; name a file")
    check_readable(path)
    size = "more"  # Pillow does not tell the size of a picture above its own limit
    try:
        with warnings.catch_warnings():
            # our own limit below replaces Pillow's warning about large pictures
            warnings.simplefilter("ignore", Picture.DecompressionBombWarning)
            with Picture.open(path) as picture:
                size = f"{picture.width} x {picture.height} pixels (width x height)"
                if picture.width * picture.height > MAX_MEGAPIXELS * 1e6:
                    raise Picture.DecompressionBombError
                return _decode(ImageOps.exif_transpose(picture))
    except Picture.DecompressionBombError:
        raise ValueError(
            f"{path}: expected at most {MAX_MEGAPIXELS} megapixels, got {size}; make "
            "the picture smaller first"
        ) from None
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise ValueError(
            f"{path}: expected a picture with 8 or 16 bits a channel, got a damaged "
            f"file or another kind of file ({error}); export the picture again as PNG"
        ) from None


def check_readable(path: Path) -> None:
    """Raise an OSError if the user has no permission to read a file."""
    if not os.access(path, os.R_OK):
        raise OSError(
            f"{path}: expected a file that you may read, got no permission; ask its "
            "owner, or name another file"
        )


def _decode(picture: Picture.Image) -> Image:
    if picture.mode.startswith("I"):  # 16 bits
        values = np.asarray(picture, dtype=np.int64).clip(0, 65535)
        return torch.from_numpy(values.astype(np.float32) / 65535)[None]
    if picture.mode == "F":
        raise ValueError("floating-point values of unknown range")
    mode = "L" if picture.mode in ("1", "L", "LA") else "RGB"
    alpha = "A" if picture.has_transparency_data else ""
    return from_uint8(np.array(picture.convert(mode + alpha)))


def save_image(image: Image, path: str | Path) -> None:
    """Write an image with eight bits per channel; the suffix selects the format.

    Parameters
    ----------
    image : Image
        With 1 to 4 channels, finite; values outside [0, 1] are clamped.
    path : str or Path
        ``.png`` is lossless. ``.jpg`` and ``.bmp`` cannot hold transparency. The file
        is written by :func:`written_whole`.
    """
    path = Path(path)
    check_image(image, channels=(1, 2, 3, 4), in_range=False)
    writer = Picture.registered_extensions().get(path.suffix.lower())
    if writer is None or writer not in Picture.SAVE:
        raise ValueError(
            f"{path}: expected the suffix of a picture, such as .png or .jpg, got "
            f"'{path.suffix}'; add a suffix to the name"
        )
    if writer in ("JPEG", "JPEG2000", "BMP", "PPM") and len(image) in (2, 4):
        raise ValueError(f"{path}: {writer} cannot hold transparency; save it as .png")
    if path.is_dir():
        raise ValueError(f"{path}: expected a file to write, got a folder; name a file")
    options = {"quality": 95} if writer in ("JPEG", "WEBP") else {}
    with written_whole(path) as place:
        Picture.fromarray(to_uint8(image)).save(place, format=writer, **options)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path for a file or folder; rename it to ``path`` at the end.

    The temporary path has the same name, in a hidden folder beside ``path``. If the
    block fails, the hidden folder is removed, and an existing file does not change. So
    no file at ``path`` is ever incomplete. An empty folder at ``path`` is replaced.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder; create it first")
    hidden = path.with_name(f".{path.name}.{os.getpid()}.part")
    place = hidden / path.name
    try:
        hidden.mkdir()
        yield place
        if place.is_file():  # safetensors hides its files from other users
            place.chmod(hidden.stat().st_mode & 0o666)  # as the umask says
        if path.is_dir():
            path.rmdir()  # some systems cannot rename onto an empty folder
        os.replace(place, path)
    except OSError as error:
        if error.strerror is None:  # our own message, with the hidden path
            raise OSError(str(error).replace(str(place), str(path))) from None
        raise OSError(
            f"{path}: cannot be written ({error.strerror}); "
            "choose a folder that you may write to"
        ) from None
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
