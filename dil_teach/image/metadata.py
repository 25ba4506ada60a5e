"""What a picture file says beyond its pixels: read once, written once."""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags
from PIL import Image as Picture

ORIENTATION, UNIT = 0x0112, 0x0128
RESOLUTION = (0x011A, 0x011B)
KEPT = (270, 271, 272, 305, 306, 315, 33432)
"""EXIF tags that a result keeps: description, make, model, software, date, artist,
copyright. It keeps the directories of the camera and of the place, too."""
MAKER_NOTES, COLOUR_SPACE = 37500, 40961
DROPPED = (MAKER_NOTES, COLOUR_SPACE, 40962, 40963, 40965)
"""EXIF tags that would be wrong in a result: the maker notes contain offsets into the
file; colour space, width and height change; 40965 is a pointer."""
STRUCTURE = {
    *(254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 280, 281, 282),
    *(283, 284, 296, 317, 320, 322, 323, 324, 325, 338, 339, 347, 513, 514, 530, 531),
    *(532, 34665, 34675, 34853),
}
"""TIFF tags that say how pixels are stored, or that are read elsewhere."""
TAG_NAMES = {700: "XMP", 33723: "IPTC", 34377: "Photoshop data", 330: "more pictures"}
PNG_READ = {
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"pHYs", b"eXIf", b"iCCP", b"sRGB"),
    *(b"gAMA", b"cHRM", b"acTL", b"fcTL", b"fdAT"),
}
"""PNG chunks that are read elsewhere."""
SRGB_PRIMARIES = (0.3127, 0.329, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
SRGB_GAMMA = 1 / 2.2
LONGEST_EXIF = 65_000
"""Largest size of EXIF data in a JPEG file, in bytes."""


@dataclass(frozen=True)
class Metadata:
    """What a picture file says beyond the values of its pixels."""

    channels: int = 3
    """Channels of colour: 3, or 1 for grey."""
    depth: int = 8
    """Bits of a channel: 8 or 16."""
    dpi: tuple[float, float] | None = None
    """Pixels per inch: horizontal, vertical."""
    exif: bytes = b""
    """Date, camera, place and other EXIF data, without orientation and thumbnail."""
    count: int = 1
    """Number of pictures in the file (pages, frames); only the first one is read."""
    left_out: tuple[str, ...] = ()
    """What else the file contains, in words; no result keeps it."""

    def lost_in(self, suffix: str) -> tuple[str, ...]:
        """What a file with this suffix leaves out, in words."""
        lost = list(self.left_out)
        if self.depth == 16 and suffix not in (".png", ".tif", ".tiff"):
            lost.append(f"8 of 16 bits a channel ({suffix} holds 8)")
        if self.exif and not self.exif_for(suffix):
            lost.append(f"EXIF ({suffix} does not hold it)")
        return tuple(lost)

    def exif_for(self, suffix: str) -> bytes:
        """The EXIF data for a file with this suffix."""
        if suffix == ".bmp":
            return b""
        if suffix == ".webp" and self.dpi:  # it has no other place for them
            exif = Picture.Exif()
            exif.load(self.exif or Picture.Exif().tobytes())
            exif.update(zip((*RESOLUTION, UNIT), (*self.dpi, 2), strict=True))
            return exif.tobytes()
        if suffix in (".jpg", ".jpeg") and len(self.exif) > LONGEST_EXIF:
            return b""
        return self.exif


def read_metadata(picture: Picture.Image, path: Path) -> Metadata:
    """The record of a file that Pillow has opened, but not decoded.

    ``channels`` and ``depth`` are those of a picture of 8 bits in colour.
    """
    lost = [*_what_pillow_names(picture)]
    try:
        exif = _kept_exif(picture, lost)
    except Exception:  # damaged EXIF data can cause any error
        exif, lost = b"", [*lost, "damaged EXIF"]
    lost += {"PNG": _png_chunks, "TIFF": _tiff_tags}.get(picture.format or "", _head)(
        picture, path
    )
    count = getattr(picture, "n_frames", 1)
    if count > 1:
        lost.append(f"{count - 1} more picture{'s' * (count > 2)}")
    return Metadata(
        dpi=_dpi(picture),
        exif=exif,
        count=count,
        left_out=tuple(dict.fromkeys(lost)),
    )


def _what_pillow_names(picture: Picture.Image) -> Iterator[str]:
    info = picture.info
    for key, name in (
        ("xmp", "XMP"),
        ("comment", "comment"),
        ("photoshop", "Photoshop data"),
        ("id_section", "comment"),
    ):
        if info.get(key):
            yield name
    aspect = info.get("aspect", (1, 1))
    if info.get("jfif_unit") == 0:
        aspect = info.get("jfif_density", aspect)
    if aspect[0] != aspect[1]:
        yield f"pixel aspect ratio {aspect[1]}:{aspect[0]}"
    if not {"srgb", "icc_profile"} & info.keys():
        if abs(info.get("gamma", SRGB_GAMMA) - SRGB_GAMMA) > 0.002:
            yield f"gamma {info['gamma']:.3g} (read as sRGB)"
        primaries = info.get("chromaticity", SRGB_PRIMARIES)
        if (
            max(abs(a - b) for a, b in zip(primaries, SRGB_PRIMARIES, strict=True))
            > 0.002
        ):
            yield "primaries (read as those of sRGB)"
    for marker, data in getattr(picture, "applist", ()):  # segments of a JPEG file
        known = (b"JFIF", b"Exif\0", b"http://ns.adobe.com/xap", b"ICC_PROFILE", b"MPF")
        if marker.startswith("APP") and not data.startswith((*known, b"Adobe")):
            yield "Photoshop data" if data.startswith(b"Photoshop") else marker


def _kept_exif(picture: Picture.Image, lost: list[str]) -> bytes:
    """The EXIF data that a result keeps; what it does not keep is added to ``lost``."""
    exif, kept = picture.getexif(), Picture.Exif()
    for tag, value in exif.items():
        if tag in KEPT:
            kept[tag] = value
        elif tag not in STRUCTURE and picture.format != "TIFF":
            lost.append(f"EXIF {ExifTags.TAGS.get(tag, tag)}")
    for part in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        values = dict(exif.get_ifd(part))
        if MAKER_NOTES in values:
            lost.append("maker notes")
        if ExifTags.IFD.Interop in values and "icc_profile" not in picture.info:
            if exif.get_ifd(ExifTags.IFD.Interop).get(1) == "R03":
                lost.append("colour space Adobe RGB (read as sRGB)")
        if values := {k: v for k, v in values.items() if k not in DROPPED}:
            kept[part] = values
    if picture.format != "TIFF" and exif.get_ifd(ExifTags.IFD.IFD1):
        lost.append("thumbnail")
    return kept.tobytes() if kept else b""


def _dpi(picture: Picture.Image) -> tuple[float, float] | None:
    exif = picture.getexif()
    found = picture.info.get("dpi")
    if found is None and all(tag in exif for tag in RESOLUTION):
        scale = {2: 1.0, 3: 2.54}.get(exif.get(UNIT, 2), 0.0)  # per inch, per cm
        found = [scale * float(exif[tag]) for tag in RESOLUTION]
    try:
        x, y = map(float, found or ())
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 0 < x < math.inf and 0 < y < math.inf else None


def _png_chunks(picture: Picture.Image, path: Path) -> list[str]:
    lost = []
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, name = struct.unpack(">I4s", head)
            begin = file.read(min(length, 40))
            file.seek(length - len(begin) + 4, 1)
            if name in (b"tEXt", b"zTXt", b"iTXt"):
                if not begin.startswith((b"XML:com.adobe.xmp", b"Raw profile type")):
                    lost.append("text")
            elif name == b"tIME":
                lost.append("time of the last change")
            elif name not in PNG_READ:
                lost.append(f"PNG chunk {name.decode('ascii', 'replace')}")
    return lost


def _tiff_tags(picture: Picture.Image, path: Path) -> list[str]:
    tags = picture.tag_v2  # type: ignore[attr-defined]
    lost = [
        TAG_NAMES.get(tag, f"TIFF tag {tag}")
        for tag in tags
        if tag not in STRUCTURE and tag not in KEPT
    ]
    if 0 in tags.get(338, ()):
        lost.append("a channel of unknown meaning")
    return lost


def _head(picture: Picture.Image, path: Path) -> list[str]:
    """What only the first bytes of an AVIF, HEIF or JPEG 2000 file say."""
    if picture.format not in ("AVIF", "HEIF", "JPEG2000"):
        return []
    lost, bits = [], picture.info.get("bit_depth", 8)
    with path.open("rb") as file:
        head = file.read(65_536)
    if picture.format == "AVIF" and (at := head.find(b"av1C")) >= 0:
        bits = {0: 8, 1: 10, 2: 12, 3: 12}[head[at + 6] >> 5 & 3]
    if picture.format == "JPEG2000":
        if (at := head.find(b"\xff\x4f\xff\x51")) >= 0:
            bits = (head[at + 42] & 127) + 1
        if b"colr\x02" in head:
            lost.append("colour profile (read as sRGB)")
    if bits > 8 and not picture.mode.startswith("I"):
        lost.append(f"{bits - 8} of {bits} bits a channel (read as 8)")
    return lost
