"""Colour profiles (ICC): values that were stored with another profile, as sRGB."""

import io
import struct
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt16
from PIL import Image as Picture
from PIL import ImageCms

RELATIVE = ImageCms.Intent.RELATIVE_COLORIMETRIC
DAMAGED = "colour profile (damaged, or of another kind of picture; read as sRGB)"


def picture_to_srgb(picture: Picture.Image, icc: bytes) -> Picture.Image:
    """Convert a picture of 8 bits to sRGB; a grey one stays grey.

    Parameters
    ----------
    picture : PIL.Image.Image
        Without transparency, of mode L, RGB, CMYK or LAB.
    icc : bytes
        Its profile. If it changes no colour by more than one level, the picture is
        returned as it is. A ``PIL.ImageCms.PyCMSError`` or an OSError is raised if the
        profile is damaged or made for another kind of picture.
    """
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    grey = picture.mode == "L"
    if grey and _core(profile).xcolor_space.strip() == "RGB":
        picture = picture.convert("RGB")
    transform = ImageCms.buildTransform(
        profile, ImageCms.createProfile("sRGB"), picture.mode, "RGB", RELATIVE
    )
    if picture.mode in ("L", "RGB") and _changes_nothing(transform, picture.mode):
        return picture.convert("L") if grey else picture
    converted = ImageCms.applyTransform(picture, transform)
    assert converted is not None  # it is None only if a picture is changed in place
    return converted.getchannel(0) if grey else converted


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether no grey, or no colour of a lattice, changes by more than one level."""
    if mode == "L":
        probe = Picture.fromarray(np.arange(256, dtype=np.uint8)[None])
    else:
        levels = np.arange(0, 256, 17, dtype=np.uint8)
        lattice = np.stack(np.meshgrid(levels, levels, levels), -1)
        probe = Picture.fromarray(lattice.reshape(64, 64, 3))
    changed = np.asarray(ImageCms.applyTransform(probe, transform), np.int16)
    return bool((abs(changed - np.asarray(probe.convert("RGB"))) <= 1).all())


def values_to_srgb(
    values: UInt16[np.ndarray, "h w c"], icc: bytes
) -> tuple[Float[np.ndarray, "h w c"], tuple[str, ...]]:
    """Convert grey or RGB values of 16 bits to sRGB in [0, 1].

    ImageCms has no 16 bits. So the curves and the matrix of the profile are applied
    here: linear = curve(value), XYZ = matrix @ linear. Also returns what is lost, in
    words: a profile of another kind converts with 8 bits, and one that is damaged
    converts nothing.
    """
    eight = (values >> 8).astype(np.uint8)
    picture = Picture.fromarray(eight[..., 0] if eight.shape[2] == 1 else eight)
    try:
        converted = picture_to_srgb(picture, icc)
    except (ImageCms.PyCMSError, OSError):
        return values / np.float32(65535), (DAMAGED,)
    if converted == picture:
        return values / np.float32(65535), ()
    try:
        return _by_curves(values, icc), ()
    except Exception:  # a profile without curves, or with curves of an unknown kind
        found = np.atleast_3d(np.asarray(converted)) / np.float32(255)
        return found, ("8 of 16 bits a channel (its colour profile is a table)",)


def _by_curves(
    values: UInt16[np.ndarray, "h w c"], icc: bytes
) -> Float[np.ndarray, "h w c"]:
    """Apply the curves, and for RGB also the matrix, of a profile."""
    from dil_teach.image.colour import to_srgb  # which imports the reading of files

    tags = _tags(icc)
    if b"A2B0" in tags:
        raise ValueError("a table of colours takes precedence over curves")
    grey = values.shape[2] == 1
    names = [b"kTRC"] if grey else [b"rTRC", b"gTRC", b"bTRC"]
    tables = [_curve(tags[name]) for name in names]
    linear = np.stack([t[values[..., i]] for i, t in enumerate(tables)], -1)
    if not grey:
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        into_srgb = np.linalg.inv(_colorants(srgb)) @ _colorants(profile)
        linear @= into_srgb.T.astype(np.float32)
    return to_srgb(torch.from_numpy(linear)).numpy()


def _colorants(profile: ImageCms.ImageCmsProfile) -> Float[np.ndarray, "3 3"]:
    """XYZ of red, green and blue, as columns."""
    core = _core(profile)
    colours = core.red_colorant, core.green_colorant, core.blue_colorant
    return np.array([colour[0] for colour in colours]).T


def _core(profile: ImageCms.ImageCmsProfile) -> Any:
    """What littleCMS knows of a profile."""
    return profile.profile


def _tags(icc: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", icc, 128)
    places = [struct.unpack_from(">4sII", icc, 132 + 12 * n) for n in range(count)]
    return {name: icc[start : start + size] for name, start, size in places}


def _curve(tag: bytes) -> Float[np.ndarray, "65536"]:
    """Linear light for each value of 16 bits (ICC.1:2022, 10.6 and 10.18)."""
    x = np.arange(65536) / 65535
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        entries = np.frombuffer(tag, ">u2", count, 12)
        if count <= 1:
            y = x ** (entries[0] / 256 if count else 1)
        else:
            y = np.interp(x, np.linspace(0, 1, count), entries / 65535)
    elif tag[:4] == b"para":
        (kind,) = struct.unpack_from(">H", tag, 8)
        count = (1, 3, 4, 5, 7)[kind]
        numbers = np.frombuffer(tag, ">i4", count, 12) / 65536
        g, a, b, c, d, e, f = np.pad(numbers, (0, 7 - count))
        if kind == 0:
            a, d = 1, -1
        elif kind < 3:  # the line is constant, up to where the curve begins
            c, e, f, d = 0, c, c, -b / a
        y = np.where(x >= d, (a * x + b).clip(0) ** g + e, c * x + f)
    else:
        raise ValueError("a curve of unknown kind")
    return y.clip(0, 1).astype(np.float32)
