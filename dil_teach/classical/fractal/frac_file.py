"""The file format ``.frac`` of fractal codes.

A file is a header and one raw deflate stream (RFC 1951). The header has 16 bytes; the
most significant byte of a number comes first:

    4  'FRAC'              1  version (1)           1  channels (1 or 3)
    2  height              2  width                 1  log2 of the largest block side
    1  number of sides     4  CRC-32 of the other 12 bytes and the stream

For each channel, the stream has four fields, from the level of the largest blocks to
the level of the smallest blocks, and in the order of :class:`Level`:

- one bit for each block, 1 if the block is split; each level starts a new byte, and the
  smallest blocks have no bits;
- one byte of contrast for each range block, plus 15;
- one byte of brightness for each range block, plus 64;
- for each range block with a contrast other than 0 its ``8 * domain + isometry``, in as
  few bits as the number of domains needs; each level starts a new byte.

Each field is a deflate block of its own, with its own Huffman code.
"""

import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from dil_teach.classical.fractal.domains import domain_grid
from dil_teach.classical.fractal.fractal import (
    MOST_PIXELS,
    FractalCode,
    padded_size,
)
from dil_teach.classical.fractal.quadtree import Level, children, grid_corners
from dil_teach.image.files import check_readable, written_whole

MAGIC, VERSION = b"FRAC", 1
HEADER = struct.Struct(">4sBBHHBB")
CHECKSUM = struct.Struct(">I")
CONTRAST_OFFSET, BRIGHTNESS_OFFSET = 15, 64
"""Added to contrast and brightness, so that bytes hold them."""


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
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_HUFFMAN_ONLY)
    stream = b""
    for shrink, levels in zip((1, 2, 2), code.channels, strict=False):
        half = _half_size(code.size, shrink, code.sides)
        for field in _fields(levels, half):
            stream += packer.compress(field) + packer.flush(zlib.Z_FULL_FLUSH)
    stream += packer.flush()
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
    reader = _Reader(stream, 2 * height * width + 65536, name)
    channels = []
    for shrink in (1, 2, 2)[:count]:
        size = padded_size(_shrunk((height, width), shrink), sides)
        half = _half_size((height, width), shrink, sides)
        channels.append(reader.levels(size, half, sides))
    reader.close()
    return FractalCode((height, width), sides, tuple(channels))


def _fields(levels: tuple[Level, ...], half: tuple[int, int]) -> list[bytes]:
    """The four fields of a channel."""
    splits = b"".join(
        np.packbits(level.split.numpy()).tobytes() for level in levels[:-1]
    )
    contrast = torch.cat([level.contrast for level in levels]) + CONTRAST_OFFSET
    brightness = torch.cat([level.brightness for level in levels]) + BRIGHTNESS_OFFSET
    addresses = b""
    for level in levels:
        used = level.contrast != 0
        numbers = (8 * level.domain + level.isometry)[used].numpy()
        shifts = np.arange(_address_bits(half, level.side))[::-1]
        addresses += np.packbits(numbers[:, None] >> shifts & 1).tobytes()
    values = (
        field.to(torch.uint8).numpy().tobytes() for field in (contrast, brightness)
    )
    return [splits, *values, addresses]


class _Reader:
    """Reads the fields of a stream; every error is a ValueError."""

    def __init__(self, stream: bytes, most: int, name: str) -> None:
        self.name, self.first = name, 0
        unpacker = zlib.decompressobj(-15)
        try:
            # `most` bounds the memory if the stream was forged to be much longer
            self.content = np.frombuffer(unpacker.decompress(stream, most), np.uint8)
        except zlib.error:
            raise _damaged(name) from None
        if not unpacker.eof or unpacker.unused_data:
            raise _damaged(name)

    def levels(
        self, size: tuple[int, int], half: tuple[int, int], sides: tuple[int, ...]
    ) -> tuple[Level, ...]:
        """Read the four fields of one channel."""
        corner = grid_corners(size, sides[0])
        trees = []
        for side in sides:
            split = torch.zeros(len(corner), dtype=torch.bool)
            if side != sides[-1]:
                split = self._bits(len(corner), 1)[:, 0].bool()
            none = torch.zeros(0, dtype=torch.long)
            trees.append(Level(side, corner, split, none, none, none, none))
            corner = children(trees[-1])
        counts = [int((~tree.split).sum()) for tree in trees]
        contrasts = (self._numbers(sum(counts)) - CONTRAST_OFFSET).split(counts)
        brightnesses = (self._numbers(sum(counts)) - BRIGHTNESS_OFFSET).split(counts)
        levels = []
        for tree, contrast, brightness in zip(
            trees, contrasts, brightnesses, strict=True
        ):
            used = contrast != 0
            bits = self._bits(int(used.sum()), _address_bits(half, tree.side))
            weights = 1 << torch.arange(bits.shape[1]).flip(0)
            address = torch.zeros_like(contrast)
            address[used] = (bits * weights).sum(1)
            maps = contrast, brightness, address % 8, address // 8
            levels.append(Level(tree.side, tree.corner, tree.split, *maps))
            _, rows, columns = domain_grid(half, tree.side)
            if (contrast > CONTRAST_OFFSET).any() or (maps[3] >= rows * columns).any():
                raise _damaged(self.name)
        return tuple(levels)

    def close(self) -> None:
        """Raise a ValueError if something is left to read."""
        if self.first != len(self.content):
            raise _damaged(self.name)

    def _bytes(self, count: int) -> np.ndarray:
        last = self.first + count
        if last > len(self.content):
            raise _damaged(self.name)
        found = self.content[self.first : last]
        self.first = last
        return found

    def _numbers(self, count: int) -> Int[Tensor, "count"]:
        return torch.from_numpy(self._bytes(count).astype(np.int64))

    def _bits(self, count: int, width: int) -> Int[Tensor, "count width"]:
        """Numbers of ``width`` bits, the most significant bit first."""
        packed = self._bytes(-(-count * width // 8))
        bits = np.unpackbits(packed, count=count * width).astype(np.int64)
        return torch.from_numpy(bits).view(count, width)


def _address_bits(half: tuple[int, int], side: int) -> int:
    _, rows, columns = domain_grid(half, side)
    return (8 * rows * columns - 1).bit_length()


def _shrunk(size: tuple[int, int], shrink: int) -> tuple[int, int]:
    """The size of a channel that is ``shrink`` times smaller, rounded up."""
    return -(-size[0] // shrink), -(-size[1] // shrink)


def _half_size(
    size: tuple[int, int], shrink: int, sides: tuple[int, ...]
) -> tuple[int, int]:
    height, width = padded_size(_shrunk(size, shrink), sides)
    return height // 2, width // 2


def _damaged(name: str) -> ValueError:
    return ValueError(
        f"{name}: expected the fields of a .frac file, got damaged ones; compress the "
        "picture again"
    )
