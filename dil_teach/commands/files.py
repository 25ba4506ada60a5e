"""Read and write files. Output paths are checked before the computation starts."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from dil_teach.image.convention import Image, Video

    Content = Image | str | Callable[[Path], object]
    """An image, a text, or a function that writes a file or folder to a given path."""

MOST_PIXELS = 1_000_000
"""Maximum number of pixels that a network renders at once: about 4 GB of memory."""
MOST_PIXELS_IN_ALL = 36_000_000
"""Maximum number of input pixels if networks learn from smaller copies: also about 4
GB."""
OPAQUE = (".jpg", ".jpeg", ".bmp")
"""Formats that cannot store transparency."""
FORMATS = (".png", ".tif", ".tiff", ".webp", *OPAQUE)
"""Formats that commands write. Other formats allow only few colours or small sizes."""
LONGEST_SIDE = {".webp": 16383, ".jpg": 65500, ".jpeg": 65500}
"""Largest side, in pixels, that a format can store, for formats whose limit our results
can exceed."""


def load_picture(file: Path) -> "tuple[Image, Image | None]":
    """Read a picture's colour (or grey) and its transparency (None if it has none)."""
    from dil_teach.image.convention import split_alpha
    from dil_teach.image.files import load_image

    return split_alpha(load_image(file))


def load_alike(files: Sequence[Path]) -> "tuple[Video, tuple[Image | None, ...]]":
    """Read pictures; raise a ValueError if their sizes or channels differ."""
    import torch

    from dil_teach.image.convention import check_same_shape

    colours, alphas = zip(*map(load_picture, files), strict=True)
    for file, image in zip(files, colours, strict=True):
        check_same_shape(image, colours[0], file, files[0])
    return torch.stack(colours), alphas


def load_mask(file: Path, size: Sequence[int]) -> "Float[Tensor, '1 h w']":
    """Read a mask of this height and width: 1 where it is white, 0 elsewhere."""
    from dil_teach.image.convention import check_grey

    drawn, alpha = load_picture(file)
    if drawn.shape[1:] != size:
        raise ValueError(
            f"{file}: expected the size of the image, {size[0]} x {size[1]}, got "
            f"{drawn.shape[1]} x {drawn.shape[2]}; draw it on the image itself"
        )
    check_grey(drawn if alpha is None else drawn * alpha, file, "a mask")
    light = drawn.mean(0, keepdim=True) * (1 if alpha is None else alpha)
    if light.max() <= 0.5:
        raise ValueError(
            f"{file}: expected a mask with white pixels, got none; paint some white"
        )
    return (light > 0.5).float()


def with_alpha(colour: "Tensor", alpha: "Tensor | None") -> "Tensor":
    """Images with their transparency as the last channel, on the CPU."""
    import torch

    return colour.cpu() if alpha is None else torch.cat([colour.cpu(), alpha], -3)


def save_picture(result: "Image", alpha: "Image | None", out: Path) -> str:
    """Write a result with its transparency; return the command's last message."""
    size = f"{result.shape[1]} x {result.shape[2]} pixels"
    return write({out: with_alpha(result, alpha)}, f"{size} written")


def write(files: "Mapping[Path, Content]", what: str = "") -> str:
    """Write all files, or no file if one of them fails; return a message."""
    from dil_teach.image.files import save_image, written_whole

    with ExitStack() as places:
        for out, content in files.items():
            place = places.enter_context(written_whole(out))
            if isinstance(content, str):
                place.write_bytes(content.encode())
            elif callable(content):
                content(place)
            else:
                save_image(content, place)
    return f"{', '.join(map(str, files))}: {what}"


def check_pixels(
    image: Path, size: Sequence[int], count: int = 1, most: int = MOST_PIXELS
) -> None:
    """Raise a ValueError if pictures of this size need too much memory and time."""
    if count * size[0] * size[1] > most:
        raise ValueError(
            f"{image}: expected at most {most // count} pixels"
            f"{'' if count == 1 else f' in each of {count} pictures'}, got {size[0]} x "
            f"{size[1]}; crop it, or make it smaller first"
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
    if not out.parent.is_dir():
        raise FileNotFoundError(f"{out.parent}: no such folder; create it first")
    try:
        tempfile.TemporaryDirectory(dir=out.parent, prefix=".").cleanup()
    except OSError as error:
        raise OSError(
            f"{out}: cannot be written ({error.strerror}); choose another folder"
        ) from None
