"""Read and write the files of a command."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dil_teach.commands.checks import MOST_PIXELS_IN_ALL, OURS, SOFTWARE, check_pixels
from dil_teach.commands.options import PLAIN, Reading, say

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from dil_teach.image.convention import Image, Video
    from dil_teach.image.files import Photograph

    Content = Photograph | Image | str | bytes | Callable[[Path], object]
    """A photograph with its record, an image, a text, bytes, or a function that writes
    a file or folder to a given path."""

MOST_OF_14_BITS = 2**14 - 1


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
