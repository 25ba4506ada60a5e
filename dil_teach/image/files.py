"""Read picture files, and write them.

:func:`load_image` and :func:`save_image` suffice for pixels. A :class:`Photograph` is a
picture with everything else that its file says, to write it into another file.
"""

import dataclasses
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image as Picture
from PIL import TiffImagePlugin

from dil_teach.image.convention import Image, check_image, split_alpha
from dil_teach.image.decoding import Pixels, decode
from dil_teach.image.encoding import FORMATS, OPAQUE, encode
from dil_teach.image.metadata import ORIENTATION, Metadata, read_metadata
from dil_teach.image.profile import values_to_srgb
from dil_teach.image.writing import write_file, written_whole

READ = ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "DIB", "PPM", "TGA")
READ += ("JPEG2000", "AVIF", "HEIF")
"""Formats that are read, if Pillow has them. What they contain beyond pixels is known.
JPEG includes MPO, the files of several pictures that phones write."""
MAX_MEGAPIXELS = 100
"""Maximum size of a picture; a larger picture could fill the memory of a laptop."""
HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


@dataclass(frozen=True)
class Photograph:
    """A picture file: its pixels, and what else it says."""

    colour: Image
    """Grey or RGB."""
    alpha: Image | None = None
    """Opacity; None if all pixels are opaque."""
    metadata: Metadata = field(default_factory=Metadata)
    stored: Image | None = None
    """The colours of the file, if a method gets others where nobody sees them."""

    @property
    def image(self) -> Image:
        """Colour, and alpha as the last channel if there is one."""
        if self.alpha is None:
            return self.colour
        return torch.cat([self.colour, self.alpha])


def load_image(path: str | Path) -> Image:
    """Read a picture file.

    Parameters
    ----------
    path : str or Path
        As in :func:`load_photograph`.

    Returns
    -------
    Image
        Float[Tensor, "c h w"] in [0, 1]: grey (1 channel), grey and alpha (2), RGB (3)
        or RGBA (4), as in the file; a palette becomes RGB or RGBA.
    """
    return load_photograph(path).image


def load_photograph(path: str | Path, white_level: int | None = None) -> Photograph:
    """Read a picture file, with everything that it says.

    Parameters
    ----------
    path : str or Path
        A file in one of the formats of ``READ``, with 8 or 16 bits a channel. Colours
        are converted to sRGB if the file has another profile. The image is rotated as
        its EXIF data says. Of several pictures (pages, frames), the first one is read.
    white_level : int, optional
        The value of a file with 16 bits that becomes 1: for example 4095 if a camera of
        12 bits wrote its values unchanged. Default: 65535.

    Returns
    -------
    Photograph
        Values in [0, 1]; values of 8 bits are divided by 255.

    Raises
    ------
    ValueError
        For a folder, a pipe, a file that is no picture, a damaged or truncated file, a
        picture above ``MAX_MEGAPIXELS``, values that are signed, floating-point or of
        32 bits, colours of 16 bits in tiles (TIFF), and a white level that does not fit
        the file.
    OSError
        If there is no such file, or if the user may not read it.
    """
    path = Path(path)
    check_readable(path)
    with _opened(path) as picture:
        metadata = read_metadata(picture, path)
        pixels = decode(picture, path)
    white = pixels.white
    if white_level is not None:
        _check_white_level(white_level, pixels, path)
        white = white_level
    if pixels.profile is None:
        values, lost = pixels.values, ()
    else:
        values, lost = _deep_to_srgb(pixels, white)
        white = 1
    planes = np.array(values.transpose(2, 0, 1), np.float32, order="C")
    planes /= white  # in place: a large picture would fill the memory twice
    colour, alpha = split_alpha(torch.from_numpy(planes))
    metadata = dataclasses.replace(
        metadata,
        channels=len(colour),
        depth=8 if pixels.white == 255 else 16,
        left_out=(*metadata.left_out, *pixels.left_out, *lost),
    )
    return Photograph(colour, alpha, metadata)


def picture_size(path: str | Path) -> tuple[int, int]:
    """Height and width of a picture file, from its header; errors as for reading."""
    path = Path(path)
    check_readable(path)
    with _opened(path) as picture:
        turned = False
        if picture.format != "PNG" or "exif" in picture.info:  # else Pillow decodes it
            turned = picture.getexif().get(ORIENTATION, 1) >= 5
        height, width = picture.height, picture.width
        if picture.format == "TIFF":  # Pillow has turned it, or not yet
            tags = picture.tag_v2  # type: ignore[attr-defined]
            height, width = tags[257], tags[256]
    return (width, height) if turned else (height, width)


def check_readable(path: Path) -> None:
    """Raise an error unless a path is a file that the user may read.

    A pipe or a device is refused, because reading it can wait for ever.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; check the name and the folder")
    if path.is_dir():
        raise ValueError(f"{path}: expected a picture file, got a folder; name a file")
    if not path.is_file():
        raise ValueError(f"{path}: expected a file, got a pipe or a device; save it")
    if not os.access(path, os.R_OK):
        raise OSError(
            f"{path}: expected a file that you may read, got no permission; ask its "
            "owner, or name another file"
        )


@contextmanager
def _opened(path: Path) -> Iterator[Picture.Image]:
    """Open a picture file; any error of the decoder becomes a ValueError."""
    size = "more"  # Pillow does not tell the size of a picture above its own limit
    _learn_heif(path)
    _learn_grey_with_alpha()
    Picture.init()
    formats = [name for name in READ if name in Picture.OPEN]
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            # errors say what matters; our own limit replaces Pillow's of large pictures
            warnings.simplefilter("ignore")
            with Picture.open(file, formats=formats) as picture:
                size = f"{picture.width} x {picture.height} pixels (width x height)"
                if picture.width * picture.height > MAX_MEGAPIXELS * 1e6:
                    raise Picture.DecompressionBombError
                picture.verify()  # the checksums of a PNG file
            # Pillow maps a file that it opens by its name into memory, and then turns a
            # TIFF file in a wrong way
            file.seek(0)
            with Picture.open(file, formats=formats) as picture:
                yield picture
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


def _learn_heif(path: Path) -> None:
    """Let Pillow read photographs of phones (HEIC), if pillow-heif is installed."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] != b"ftyp" or head[8:] not in HEIF_BRANDS:
        return
    try:
        from pillow_heif import register_heif_opener  # pyright: ignore
    except ImportError:
        raise ValueError(
            f"{path}: expected a picture such as PNG or JPEG, got HEIC, which needs "
            "pillow-heif; pip install pillow-heif, or export the picture as JPEG"
        ) from None
    register_heif_opener()


def _learn_grey_with_alpha() -> None:
    """Let Pillow open TIFF files of grey with alpha of 16 bits; FFmpeg decodes them.

    Pillow has no decoder of that name: without FFmpeg, such a file is still refused.
    """
    for order in (b"II", b"MM"):
        for extra, mode in ((0, "L"), (1, "LA"), (2, "LA")):
            kind = (order, 1, (1,), 1, (16, 16), (extra,))
            TiffImagePlugin.OPEN_INFO.setdefault(kind, (mode, "by FFmpeg"))


def _check_white_level(white_level: int, pixels: Pixels, path: Path) -> None:
    if pixels.white == 255:
        raise ValueError(
            f"white_level: {path} has 8 bits a channel, expected 16; leave it out"
        )
    colour = pixels.values[..., : 1 if pixels.values.shape[2] < 3 else 3]
    if not (brightest := int(colour.max())) <= white_level <= 65535:
        raise ValueError(
            f"white_level: expected {brightest} (the brightest value of {path}) to "
            f"65535, got {white_level}; a camera of 12 bits has 4095, of 14 bits 16383"
        )


def _deep_to_srgb(
    pixels: Pixels, white: int
) -> tuple[Float[np.ndarray, "h w c"], tuple[str, ...]]:
    """Values of 16 bits as sRGB in [0, 1], and what is lost, in words."""
    channels = 1 if pixels.values.shape[2] < 3 else 3
    colour, alpha = np.split(pixels.values, [channels], axis=2)
    if white != 65535:
        colour = (colour * (65535 / white)).round().astype(np.uint16)
    assert pixels.profile is not None
    converted, lost = values_to_srgb(colour, pixels.profile)
    return np.concatenate([converted, alpha / np.float32(65535)], 2), lost


def save_image(
    image: Image, path: str | Path, metadata: Metadata | None = None
) -> None:
    """Write an image; the suffix selects the format.

    Parameters
    ----------
    image : Image
        With 1 to 4 channels, finite; values outside [0, 1] are clamped.
    path : str or Path
        ``.png``, ``.tif`` and ``.webp`` are lossless. ``.jpg`` and ``.bmp`` cannot hold
        transparency. The file is written by :func:`written_whole`.
    metadata : Metadata, optional
        What else the file says. Default: nothing, and 8 bits a channel.
    """
    path = Path(path)
    check_image(image, channels=(1, 2, 3, 4), in_range=False)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(
            f"{path}: expected the suffix of a picture ({', '.join(FORMATS)}), got "
            f"'{path.suffix}'; change the suffix"
        )
    if suffix in OPAQUE and len(image) in (2, 4):
        raise ValueError(f"{path}: {suffix} cannot hold transparency; save it as .png")
    if path.is_dir():
        raise ValueError(f"{path}: expected a file to write, got a folder; name a file")
    content = encode(image, suffix, metadata or Metadata())
    with written_whole(path) as place:
        write_file(place, content)
