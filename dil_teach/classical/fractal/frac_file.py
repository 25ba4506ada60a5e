"""The file format ``.frac`` of fractal codes.

A file is a header and one stream of an arithmetic code (:mod:`.arithmetic`). The header
has 16 bytes; the most significant byte of a number comes first:

    4  'FRAC'              1  version (2)           1  channels (1 or 3)
    2  height              2  width                 1  log2 of the largest block side
    1  number of sides     4  CRC-32 of the other 12 bytes and the stream

For each channel, the stream has these symbols:

- for each level the grey levels of one step of the means, minus 1;
- level by level, and in the order of :class:`Level`, whether each block is split; the
  smallest blocks have no such symbol;
- for each range block, in the order of a walk through the quadtree: the reach; if it is
  not 0, the contrast, the isometry and the place of the domain in the square of the
  reach; and the difference of the mean from its prediction.

Places are equally probable. All other symbols have adaptive probabilities, one set for
each level.
"""

import struct
import zlib
from pathlib import Path

from dil_teach.classical.fractal.arithmetic import Decoder, Encoder
from dil_teach.classical.fractal.fractal import (
    MOST_PIXELS,
    FractalCode,
    padded_size,
)
from dil_teach.classical.fractal.stream import code_levels
from dil_teach.image.files import check_readable, written_whole

MAGIC, VERSION = b"FRAC", 2
HEADER = struct.Struct(">4sBBHHBB")
CHECKSUM = struct.Struct(">I")


def save_frac(code: FractalCode, path: str | Path) -> None:
    """Write a code to a file; see :func:`frac_bytes`."""
    with written_whole(Path(path)) as place:
        place.write_bytes(frac_bytes(code))


def load_frac(path: str | Path) -> FractalCode:
    """Read a file of :func:`save_frac`; raise a ValueError if it is damaged."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; check the name and the folder")
    if path.is_dir():
        raise ValueError(f"{path}: expected a .frac file, got a folder; name a file")
    check_readable(path)
    with path.open("rb") as file:
        content = file.read(2 * MOST_PIXELS)  # more than any code needs
    return code_of(content, str(path))


def frac_bytes(code: FractalCode) -> bytes:
    """The content of a ``.frac`` file."""
    coder = Encoder()
    for shrink, levels in zip((1, 2, 2), code.channels, strict=False):
        size = padded_size(_shrunk(code.size, shrink), code.sides)
        code_levels(coder, size, code.sides, levels)
    stream = coder.finish()
    largest = code.sides[0].bit_length() - 1
    numbers = len(code.channels), *code.size, largest, len(code.sides)
    header = HEADER.pack(MAGIC, VERSION, *numbers)
    return header + CHECKSUM.pack(zlib.crc32(header + stream)) + stream


def code_of(content: bytes, name: str = "content") -> FractalCode:
    """Read a code from the content of a file.

    A ValueError is raised if the content is damaged or something else. Error messages
    begin with ``name``. A forged header cannot ask for more than ``MOST_PIXELS``.
    """
    start = HEADER.size + CHECKSUM.size
    if content[:4] != MAGIC or len(content) < start:
        raise ValueError(
            f"{name}: expected a .frac file, got another kind of file or only its "
            "beginning; dil-teach compress writes .frac files"
        )
    header, stream = content[: HEADER.size], content[start:]
    _, version, count, height, width, largest, levels = HEADER.unpack(header)
    if version != VERSION:
        raise ValueError(
            f"{name}: expected version {VERSION} of the format, got {version}; read it "
            "with the version of dil_teach that wrote it"
        )
    if CHECKSUM.unpack(content[HEADER.size : start])[0] != zlib.crc32(header + stream):
        raise ValueError(
            f"{name}: expected a complete .frac file, got a damaged or truncated one; "
            "copy or compress it again"
        )
    if height * width > MOST_PIXELS:
        raise ValueError(
            f"{name}: expected at most {MOST_PIXELS} pixels, got {height} x {width}; "
            "compress a smaller picture"
        )
    sides = tuple(
        1 << power for power in range(largest, largest - levels, -1) if power > 0
    )
    if count not in (1, 3) or min(height, width) < 1 or not 1 <= largest <= 6:
        raise _damaged(name)
    if not 1 <= levels == len(sides):
        raise _damaged(name)
    channels = []
    try:
        coder = Decoder(stream)
        for shrink in (1, 2, 2)[:count]:
            size = padded_size(_shrunk((height, width), shrink), sides)
            channels.append(code_levels(coder, size, sides))
    except EOFError:
        raise _damaged(name) from None
    if not coder.finished:
        raise _damaged(name)
    return FractalCode((height, width), sides, tuple(channels))


def _shrunk(size: tuple[int, int], shrink: int) -> tuple[int, int]:
    """The size of a channel that is ``shrink`` times smaller, rounded up."""
    return -(-size[0] // shrink), -(-size[1] // shrink)


def _damaged(name: str) -> ValueError:
    return ValueError(
        f"{name}: expected the fields of a .frac file, got damaged ones; compress the "
        "picture again"
    )
