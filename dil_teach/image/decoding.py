"""The pixels of picture files, with all bits that a file has."""

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from jaxtyping import Shaped
from PIL import Image as Picture
from PIL import ImageCms, ImageOps

from dil_teach.image.metadata import ORIENTATION
from dil_teach.image.profile import DAMAGED, picture_to_srgb

TILE_WIDTH = 322
TIFF_BITS = ({1}, {2}, {4}, {8}, {12}, {16})
GREY = ("1", "L", "LA", "La")


@dataclass(frozen=True)
class Pixels:
    """The pixels of a file, rotated as the file says."""

    values: Shaped[np.ndarray, "h w c"]
    """uint8 or uint16: grey, grey and alpha, RGB, or RGBA."""
    white: int
    """The value that stands for 1."""
    profile: bytes | None = None
    """The colour profile that the values still have; None if they are sRGB."""
    left_out: tuple[str, ...] = ()
    """What could not be kept, in words."""


def decode(picture: Picture.Image, path: Path) -> Pixels:
    """Decode a file that Pillow has opened.

    Eight bits are converted to sRGB. A ValueError says why a kind of values is refused;
    a damaged file can raise any error.
    """
    bits, white_is_zero = _kind(picture, path)
    if picture.mode.startswith("I"):
        return _deep_grey(picture, bits, white_is_zero)
    if bits == 16 and picture.mode != "CMYK":
        return _deep_colours(picture, path)
    pixels = _eight_bits(picture)
    if bits == 16:
        lost = (*pixels.left_out, "8 of 16 bits a channel (CMYK is read as 8)")
        return Pixels(pixels.values, pixels.white, left_out=lost)
    return pixels


def _kind(picture: Picture.Image, path: Path) -> tuple[int, bool]:
    """Bits of a channel, and whether 0 is white although Pillow does not know it.

    A ValueError is raised for values that are not unsigned integers of at most 16 bits.
    """
    if picture.mode == "F":
        raise ValueError("floating-point values, whose range is unknown")
    if picture.format == "PNG":
        with path.open("rb") as file:
            return max(file.read(25)[24], 8), False
    if picture.format == "PPM" and picture.mode == "RGB":
        with av.open(str(path)) as film:
            layout = film.streams.video[0].codec_context.format
            return layout.components[0].bits if layout else 8, False
    if picture.format == "TIFF":
        tags = picture.tag_v2  # type: ignore[attr-defined]
        bits, kinds = set(tags.get(258, (1,))), set(tags.get(339, (1,)))
        if not kinds <= {1, 4}:
            kind = "signed" if 2 in kinds else "floating-point"
            raise ValueError(f"{kind} values")
        if bits not in TIFF_BITS:
            raise ValueError(f"{' and '.join(map(str, bits))} bits a channel")
        return bits.pop(), tags.get(262) == 0
    return 16 if picture.mode.startswith("I") else 8, False


def _deep_grey(picture: Picture.Image, bits: int, white_is_zero: bool) -> Pixels:
    transparent = picture.info.get("transparency")  # one value, in a PNG file
    profile = picture.info.get("icc_profile")
    values = np.asarray(ImageOps.exif_transpose(picture)).astype(np.uint16)
    white = 2**bits - 1
    layers = [white - values if white_is_zero else values]
    if transparent is not None:
        layers.append(np.where(values == transparent, 0, white).astype(np.uint16))
    return Pixels(np.stack(layers, -1), white, profile)


def _deep_colours(picture: Picture.Image, path: Path) -> Pixels:
    """Colours, or grey with alpha, of 16 bits, which Pillow reads as 8: by FFmpeg."""
    turn = picture.getexif().get(ORIENTATION, 1)
    alpha = picture.has_transparency_data
    tags = picture.tag_v2 if picture.format == "TIFF" else {}  # type: ignore[attr-defined]
    premultiplied = 1 in tags.get(338, ())
    if TILE_WIDTH in tags:  # FFmpeg would read them as rows
        raise ValueError("tiles with 16 bits a channel")
    if tags.get(258) != (16, 16):  # grey with alpha, which Pillow cannot decode
        picture.load()  # Pillow is strict about damaged files
    with av.open(str(path)) as film:
        frame = next(film.decode(video=0))
    values = frame.to_ndarray(format="rgba64le" if alpha else "rgb48le")
    if frame.format.name.startswith(("gray", "ya")):
        values = values[..., [0, 3]] if alpha else values[..., :1]
    if premultiplied:
        share = np.maximum(values[..., -1:], 1) / 65535
        values[..., :-1] = (values[..., :-1] / share).round().clip(0, 65535)
    if turn >= 5:  # the file stores columns
        values = values.swapaxes(0, 1)
    axes = {2: (1,), 3: (0, 1), 4: (0,), 6: (1,), 7: (0, 1), 8: (0,)}
    values = np.ascontiguousarray(np.flip(values, axes.get(turn, ())))
    return Pixels(values, 65535, picture.info.get("icc_profile"))


def _eight_bits(picture: Picture.Image) -> Pixels:
    lost = []
    profile = picture.info.get("icc_profile")
    grey, transparent = picture.mode in GREY, picture.has_transparency_data
    mode = "L" if grey else "RGB"
    picture = ImageOps.exif_transpose(picture)
    if picture.mode == "LAB" and profile is None:
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        profile = lab.tobytes()
    if profile is None:
        wanted = mode + "A" * transparent
        picture = picture if picture.mode == wanted else picture.convert(wanted)
        values = np.asarray(picture)
        return Pixels(values if values.ndim == 3 else values[..., None], 255)
    alpha = picture.convert("RGBA").getchannel("A") if transparent else None
    colour = picture
    if picture.mode not in ("CMYK", "LAB"):
        colour = picture.convert(mode + "A" * transparent).convert(mode)
    try:
        colour = picture_to_srgb(colour, profile)
    except (ImageCms.PyCMSError, OSError):
        lost.append(DAMAGED)
    values = np.asarray(colour.convert(mode))
    layers = [values if values.ndim == 3 else values[..., None]]
    if alpha is not None:
        layers.append(np.asarray(alpha)[..., None])
    return Pixels(np.concatenate(layers, -1), 255, left_out=tuple(lost))
