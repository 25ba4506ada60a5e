"""Read and write files. Output paths are checked before the computation starts."""

import dataclasses
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dil_teach.commands.options import PLAIN, Reading, say

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from dil_teach.image.convention import Image, Video
    from dil_teach.image.files import Photograph

    Content = Photograph | Image | str | bytes | Callable[[Path], object]
    """A photograph with its record, an image, a text, bytes, or a function that writes
    a file or folder to a given path."""

MOST_PIXELS = 1_000_000
"""Maximum number of pixels that a network renders at once: about 4 GB of memory."""
MOST_PIXELS_IN_ALL = 36_000_000
"""Maximum number of input pixels if networks learn from smaller copies: also about 4
GB."""
OPAQUE = (".jpg", ".jpeg", ".bmp")
"""Formats that cannot store transparency."""
FORMATS = (".png", ".tif", ".tiff", ".webp", *OPAQUE)
"""Formats that commands write. Other formats allow only few colours or small sizes."""
MOST_OF_14_BITS = 2**14 - 1
SOFTWARE, OURS = 0x0131, "dil_teach"
"""EXIF tag of the software, and its value in pictures beside a result."""
LONGEST_SIDE = {".webp": 16383, ".jpg": 65500, ".jpeg": 65500}
"""Largest side, in pixels, that a format can store, for formats whose limit our results
can exceed."""


def load_picture(
    file: Path, reading: Reading = PLAIN, one_channel: bool = True
) -> "Photograph":
    """Read a photograph for a method, reduced to ``--max-side``.

    Fully transparent pixels get the colour of the nearest visible pixel, and a grey
    picture in RGB gets one channel (if ``one_channel``); :func:`with_result` undoes
    both. A picture with more than ``MOST_PIXELS_IN_ALL`` pixels is refused before it is
    decoded. A message says if the file contains several pictures.
    """
    photograph = _load(file, reading)
    if one_channel and _is_grey(photograph.colour):
        return dataclasses.replace(photograph, colour=photograph.colour[:1])
    return photograph


def _load(file: Path, reading: Reading) -> "Photograph":
    from dil_teach.image.convention import split_alpha
    from dil_teach.image.files import load_photograph, picture_size
    from dil_teach.image.transparency import extend_colours

    size = reading.size(picture_size(file))
    check_pixels(file, size, most=MOST_PIXELS_IN_ALL)
    photograph = load_photograph(file, reading.white_level)
    _say_if_first(file, photograph)
    if reading.white_level is None and photograph.metadata.depth == 16:
        brightest = round(65535 * float(photograph.colour.max()))
        if 0 < brightest <= MOST_OF_14_BITS:
            white = 4095 if brightest <= 4095 else MOST_OF_14_BITS
            say(
                f"{file}: no value is above {brightest} of 65535; if its camera has "
                f"{white.bit_length()} bits, add --white-level {white}"
            )
    colour, alpha, stored = photograph.colour, photograph.alpha, None
    if alpha is not None:
        colour, stored = extend_colours(colour, alpha), colour
    image = dataclasses.replace(photograph, colour=colour).image
    if (less := reduced(image, file, reading)) is not image:
        colour, alpha = split_alpha(less)
        stored = None  # its pixels are others
    return dataclasses.replace(photograph, colour=colour, alpha=alpha, stored=stored)


def _say_if_first(file: Path, photograph: "Photograph") -> None:
    if (count := photograph.metadata.count) > 1:
        say(f"{file}: first of {count} pictures is read")


def _is_grey(colour: "Image") -> bool:
    return len(colour) == 3 and bool((colour[:1] == colour[1:]).all())


def load_alike(
    files: Sequence[Path], reading: Reading = PLAIN
) -> "tuple[Video, list[Photograph]]":
    """Read pictures; raise a ValueError if their sizes or channels differ."""
    import torch

    from dil_teach.image.convention import check_same_shape

    photographs = [_load(file, reading) for file in files]
    colours = [photograph.colour for photograph in photographs]
    for file, colour in zip(files, colours, strict=True):
        check_same_shape(colour, colours[0], file, files[0])
    if all(map(_is_grey, colours)):
        colours = [colour[:1] for colour in colours]
    return torch.stack(colours), photographs


def reduced(
    pictures: "Float[Tensor, '*t c h w']", file: Path, reading: Reading
) -> "Float[Tensor, '*t c h2 w2']":
    """Pictures with at most ``--max-side`` pixels a side; a line says what changed."""
    from dil_teach.image.resize import resize

    size = tuple(pictures.shape[-2:])
    work = reading.size(size)
    if work == size:
        return pictures
    sizes = f"from {size[0]} x {size[1]} to {work[0]} x {work[1]} pixels"
    say(f"{file}: reduced {sizes}")
    return resize(pictures, size=work).clamp(0, 1)


def load_mask(
    file: Path,
    size: Sequence[int],
    reading: Reading = PLAIN,
    soft: bool = False,
    grow: int = 0,
) -> "Float[Tensor, '1 h w']":
    """Read a mask for a picture of this height and width, after ``--max-side``.

    It is 1 where it is white, 0 elsewhere. With ``soft``, all pixels that are not black
    count, for a hole or a part to remove. Then the white parts grow by ``grow`` pixels
    of the file. A pixel of a reduced mask is 1 if any of the file's pixels in it is.
    """
    from torch.nn.functional import adaptive_max_pool2d

    from dil_teach.image.convention import check_grey
    from dil_teach.image.files import load_photograph, picture_size

    found = picture_size(file)
    if reading.size(found) != tuple(size):
        raise ValueError(
            f"{file}: expected the size of the image, {size[0]} x {size[1]}, got "
            f"{found[0]} x {found[1]}; draw it on the image itself"
        )
    drawn = load_photograph(file)
    _say_if_first(file, drawn)
    colour, alpha = drawn.colour, drawn.alpha
    check_grey(colour if alpha is None else colour * alpha, file, "a mask")
    light = colour.mean(0, keepdim=True) * (1 if alpha is None else alpha)
    mask = light > (0 if soft else 0.5)
    if not mask.any():
        raise ValueError(
            f"{file}: expected a mask with white pixels, got none; paint some white"
        )
    return adaptive_max_pool2d(grown(mask, grow).float(), tuple(size))


def grown(mask: "Tensor", pixels: int) -> "Tensor":
    """Masks (..., h, w) whose true parts reach further by this number of pixels."""
    import torch
    from scipy.ndimage import distance_transform_edt

    if pixels < 0:
        raise ValueError(f"--grow: expected at least 0, got {pixels}; try 2")
    if pixels == 0:
        return mask
    wide = []
    for flat in mask.reshape(-1, *mask.shape[-2:]).cpu().numpy():
        distance: Any = distance_transform_edt(~flat)
        wide.append(torch.from_numpy(distance <= pixels if flat.any() else flat))
    return torch.stack(wide).reshape(mask.shape)


def with_result(
    photograph: "Photograph", colour: "Image", alpha: "Image | None"
) -> "Photograph":
    """A result with the record of the photograph that it was made of.

    It is in colour if the file was, although a method got one channel. If it has the
    same size, fully transparent pixels are as in the file.
    """
    import torch

    colour = colour.cpu()
    if len(colour) < photograph.metadata.channels:
        colour = colour.expand(3, -1, -1)
    stored = photograph.stored
    if alpha is not None and stored is not None and stored.shape == colour.shape:
        colour = torch.where(alpha == 0, stored, colour)
    return dataclasses.replace(photograph, colour=colour, alpha=alpha, stored=None)


def beside(image: "Image") -> "Photograph":
    """A picture that a command writes beside its result, with a mark that it did."""
    from PIL.Image import Exif

    from dil_teach.image.files import Photograph
    from dil_teach.image.metadata import Metadata

    exif = Exif()
    exif[SOFTWARE] = OURS
    return Photograph(image, None, Metadata(channels=1, exif=exif.tobytes()))


def with_alpha(colour: "Tensor", alpha: "Tensor | None") -> "Tensor":
    """Images with their transparency as the last channel, on the CPU."""
    import torch

    return colour.cpu() if alpha is None else torch.cat([colour.cpu(), alpha], -3)


def save_picture(
    result: "Image",
    alpha: "Image | None",
    out: Path,
    photograph: "Photograph | None" = None,
) -> str:
    """Write a result, with its transparency and the record of the photograph.

    Returns the command's last message.
    """
    size = f"{result.shape[1]} x {result.shape[2]} pixels"
    content: Content = with_alpha(result, alpha)
    if photograph is not None:
        content = with_result(photograph, result, alpha)
    return write({out: content}, f"{size} written")


def write(files: "Mapping[Path, Content]", what: str = "") -> str:
    """Write all files, or no file if one of them fails; return a message.

    One line says what the photographs' files contain and the results leave out.
    """
    from dil_teach.image.files import Photograph
    from dil_teach.image.writing import write_file, written_together

    lost: dict[str, None] = {}
    with written_together(list(files)) as places:
        for place, content in zip(places, files.values(), strict=True):
            if callable(content):
                content(place)
            else:
                write_file(place, _bytes_of(content, place.suffix.lower()))
            if isinstance(content, Photograph):
                lost.update(
                    dict.fromkeys(content.metadata.lost_in(place.suffix.lower()))
                )
    say_left_out(lost)
    return f"{', '.join(map(str, files))}: {what}"


def say_left_out(lost: Iterable[str]) -> None:
    """Say what the input files contain and the results leave out, if anything."""
    if lost := list(lost):
        say(f"left out: {', '.join(lost)}")


def _bytes_of(content: "Photograph | Image | str | bytes", suffix: str) -> bytes:
    from dil_teach.image.encoding import encode
    from dil_teach.image.files import Photograph
    from dil_teach.image.metadata import Metadata

    if isinstance(content, str):
        return content.encode()
    if isinstance(content, bytes):
        return content
    if isinstance(content, Photograph):
        return encode(content.image, suffix, content.metadata)
    return encode(content, suffix, Metadata())


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
