"""Sizes and output paths are checked before the computation starts."""

import json
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

MOST_PIXELS = 1_000_000
"""Maximum number of pixels that a network renders at once: about 4 GB of memory."""
MOST_PIXELS_IN_ALL = 36_000_000
"""Maximum number of input pixels if networks learn from smaller copies: also about 4
GB."""
OPAQUE = (".jpg", ".jpeg", ".bmp")
"""Formats that cannot store transparency."""
FORMATS = (".png", ".tif", ".tiff", ".webp", *OPAQUE)
"""Formats that commands write. Other formats allow only few colours or small sizes."""
SOFTWARE, OURS = 0x0131, "dil_teach"
"""EXIF tag of the software, and its value in pictures beside a result."""
LONGEST_SIDE = {".webp": 16383, ".jpg": 65500, ".jpeg": 65500}
"""Largest side, in pixels, that a format can store, for formats whose limit our results
can exceed."""


def check_pixels(
    image: Path, size: Sequence[int], count: int = 1, most: int = MOST_PIXELS
) -> None:
    """Raise a ValueError if pictures of this size need too much memory and time."""
    if count * size[0] * size[1] > most:
        side = int(max(size) * math.sqrt(most / count / size[0] / size[1]))
        raise ValueError(
            f"{image}: expected at most {most // count} pixels"
            f"{'' if count == 1 else f' in each of {count} pictures'}, got {size[0]} x "
            f"{size[1]}; crop it, or make it smaller with --max-side {side}"
        )


def check_output(
    out: Path, image: Path, size: Sequence[int], alpha: "Tensor | None" = None
) -> None:
    """Raise an error if a picture with this transparency cannot be written."""
    check_place(out, FORMATS)
    check_format(out, image, size, alpha)
    check_apart([out], image)


def check_format(
    out: Path, image: Path, size: Sequence[int], alpha: "Tensor | None"
) -> None:
    """Raise a ValueError if the file format of ``out`` cannot store the picture."""
    check_suffix(out, FORMATS)
    suffix = out.suffix.lower()
    if alpha is not None and suffix in OPAQUE:
        raise ValueError(
            f"{out}: {image} is transparent in places, which {suffix} cannot hold; "
            "save it as .png"
        )
    if max(size) > LONGEST_SIDE.get(suffix, max(size)):
        raise ValueError(
            f"{out}: {suffix} holds at most {LONGEST_SIDE[suffix]} pixels a side, got "
            f"{size[0]} x {size[1]}; save it as .png"
        )


def check_apart(outs: Sequence[Path | None], *inputs: Path | None) -> None:
    """Raise a ValueError if a result would overwrite another result or an input file.

    A result inside the folder of another result is an error, too.
    """
    given = [out for out in outs if out]
    for number, out in enumerate(given):
        for other in given[:number] + given[number + 1 :]:
            if out.resolve() in (other.resolve(), *other.resolve().parents):
                raise ValueError(
                    f"{out}: expected a different place for each result, got this "
                    "place twice; give each result its own name"
                )
        if out.exists() and any(f and f.exists() and out.samefile(f) for f in inputs):
            raise ValueError(f"{out}: would overwrite an input file; name another file")


def check_beside(file: Path, out: Path) -> None:
    """Raise a ValueError if a file beside a result exists and is not ours.

    A JSON file or a picture of an earlier run may be overwritten, and an array whose
    picture is ours.
    """
    if file.exists() and not _is_ours(file):
        raise ValueError(
            f"{file}: is written beside {out}, but there is a file that dil-teach did "
            "not write; move it, or choose another name for the result"
        )


def _is_ours(file: Path) -> bool:
    from PIL import Image as Picture

    try:
        if file.suffix == ".json":
            return OURS in json.loads(file.read_bytes())
        with Picture.open(file.with_suffix(".png"), formats=["PNG"]) as picture:
            return picture.getexif().get(SOFTWARE) == OURS
    except Exception:  # any file can have this name
        return False


def check_suffix(out: Path, suffixes: tuple[str, ...]) -> None:
    """Raise a ValueError unless the name ends in one of the suffixes."""
    if out.suffix.lower() not in suffixes:
        wanted = "one of " * (len(suffixes) > 1) + ", ".join(suffixes)
        raise ValueError(
            f"{out}: expected {wanted}, got '{out.suffix}'; change the file's suffix"
        )


def check_place(out: Path, suffixes: tuple[str, ...]) -> None:
    """Raise an error if no file with one of the suffixes can be written to ``out``."""
    if out.is_dir():
        raise ValueError(f"{out}: expected a file to write, got a folder; name a file")
    check_suffix(out, suffixes)
    if out.exists() and not (out.is_file() and os.access(out, os.W_OK)):
        raise OSError(f"{out}: cannot be overwritten; name another file")
    check_parent(out)


def check_parent(out: Path) -> None:
    """Raise an OSError if the folder that contains ``out`` is not writable."""
    folder = Path(os.path.realpath(out)).parent  # a symbolic link is followed
    if not folder.is_dir():
        raise FileNotFoundError(f"{out.parent}: no such folder; create it first")
    try:
        tempfile.TemporaryDirectory(dir=folder, prefix=".").cleanup()
    except OSError as error:
        raise OSError(
            f"{out}: cannot be written ({error.strerror}); choose another folder"
        ) from None
