"""Picture files as bytes: encoded in memory, so that a full disk is noticed."""

import io
import struct
import zlib

import numpy as np
from jaxtyping import UInt16
from PIL import Image as Picture
from PIL import PngImagePlugin
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from dil_teach.image.convention import Image, to_uint8
from dil_teach.image.metadata import Metadata

FORMATS = {
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
}
"""Pillow's writer for each suffix. Other formats allow few colours or small sizes."""
OPAQUE = (".jpg", ".jpeg", ".bmp")
"""Suffixes of formats that cannot store transparency."""
OPTIONS = {
    "JPEG": {"quality": 95, "subsampling": 0},  # colours at full resolution (4:4:4)
    "WEBP": {"lossless": True, "exact": True},  # keeps colours that are transparent
}


def encode(image: Image, suffix: str, metadata: Metadata) -> bytes:
    """The bytes of a picture file.

    Parameters
    ----------
    image : Image
        With 1 to 4 channels, finite; values outside [0, 1] are clamped.
    suffix : str
        A key of ``FORMATS``.
    metadata : Metadata
        With a depth of 16, .png and .tif files get 16 bits a channel.
    """
    writer = FORMATS[suffix]
    if metadata.depth == 16 and writer in ("PNG", "TIFF"):
        values = image.detach().cpu().double().clamp(0, 1).mul_(65535).round_()
        deep = values.permute(1, 2, 0).numpy().astype(np.uint16)
        return (_deep_png if writer == "PNG" else _deep_tiff)(deep, metadata)
    options = dict(OPTIONS.get(writer, {}))
    if exif := metadata.exif_for(suffix):
        options["exif"] = exif
    if metadata.dpi and writer != "WEBP":
        options["dpi"] = metadata.dpi
    file = io.BytesIO()
    Picture.fromarray(to_uint8(image)).save(file, writer, **options)
    return file.getvalue()


def _deep_png(values: UInt16[np.ndarray, "h w c"], metadata: Metadata) -> bytes:
    """A PNG file with 16 bits a channel, which Pillow writes only for grey."""
    height, width, channels = values.shape
    rows = values.astype(">u2", order="C").view(np.uint8).reshape(height, -1)
    filtered = np.full((height, rows.shape[1] + 1), 2, np.uint8)
    # filter 2: each byte is stored as the difference to the byte above it
    filtered[:, 1:] = np.diff(rows, axis=0, prepend=np.uint8(0))
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    file = io.BytesIO(b"\x89PNG\r\n\x1a\n")
    file.seek(8)
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    PngImagePlugin.putchunk(file, b"IHDR", header)
    if metadata.dpi:
        x, y = (round(value / 0.0254) for value in metadata.dpi)  # per metre
        PngImagePlugin.putchunk(file, b"pHYs", struct.pack(">IIB", x, y, 1))
    if metadata.exif:
        PngImagePlugin.putchunk(file, b"eXIf", metadata.exif.removeprefix(b"Exif\0\0"))
    PngImagePlugin.putchunk(file, b"IDAT", zlib.compress(filtered.tobytes()))
    PngImagePlugin.putchunk(file, b"IEND", b"")
    return file.getvalue()


def _deep_tiff(values: UInt16[np.ndarray, "h w c"], metadata: Metadata) -> bytes:
    """A TIFF file with 16 bits a channel, which Pillow writes only for grey."""
    height, width, channels = values.shape
    differences = np.diff(values, axis=1, prepend=np.uint16(0))
    strip = zlib.compress(differences.astype("<u2").tobytes())
    tags = ImageFileDirectory_v2()
    exif = Picture.Exif()
    exif.load(metadata.exif)
    for tag in exif:
        tags[tag] = exif.get_ifd(tag) if tag in (34665, 34853) else exif[tag]
    tags[256], tags[257] = width, height
    tags[258] = (16,) * channels
    tags[259] = 8  # deflate
    tags[262] = 1 if channels < 3 else 2  # 0 is black, or RGB
    tags[277], tags[278] = channels, height  # one strip
    tags[273], tags[279] = (0,), (len(strip),)  # Pillow adds the size of the tags
    tags[284] = 1  # the channels of a pixel lie together
    tags[317] = 2  # each value is stored as the difference to the one on its left
    if channels in (2, 4):
        tags[338] = (2,)  # alpha, not multiplied
    if metadata.dpi:
        tags[282], tags[283], tags[296] = *metadata.dpi, 2
    file = io.BytesIO()
    tags.save(file)
    file.write(strip)
    return file.getvalue()
