"""Fractal image compression: Jacquin, "Image coding based on a fractal theory of
iterated contractive image transformations", IEEE Transactions on Image Processing 1992,
after Barnsley and Sloan, "Chaotic compression", Computer Graphics World, November 1987.

The image is cut into square range blocks. Each range block is approximated by a domain
block of the same image, which has twice the side and is averaged down by two:

    range = contrast * isometry(domain) + brightness

The file stores only these maps. All maps together are one transformation W of an image.
Every |contrast| is at most 15/16, so W is a contraction in the maximum norm, and W
applied again and again converges from any start to one fixed point: the decoded image.
The collage theorem says that the fixed point is close to the image if W changes the
image little.

Departures: the range blocks form a quadtree (Fisher, "Fractal image compression", 1995)
with the best trade of squared error against bits, where Jacquin splits a block if its
error is above a threshold. Each range block chooses a domain of its neighbourhood, with
a short address, or any domain of the image. Domains are not classified, because one
matrix product compares them all. The file has the mean of each range block in place of
the brightness. Colour is coded as in JPEG: luma, and chroma at half the resolution.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dil_teach.classical.fractal.domains import (
    CONTRAST_STEP,
    Plane,
    apply_isometry,
    domain_grid,
    halved,
)
from dil_teach.classical.fractal.means import best_means, brightness, mosaic
from dil_teach.classical.fractal.quadtree import Level, encode_plane
from dil_teach.image.convention import Image, check_image
from dil_teach.image.resize import resize
from dil_teach.training.conditions import same_conditions
from dil_teach.training.settings import check_settings

MOST_PIXELS = 16_000_000
"""Maximum number of decoded pixels: about 1 GB of memory, and 15 CPU s in colour."""
LONGEST_SIDE = 65535
"""Largest height and width, in pixels, that a file holds."""
MOST_ITERATIONS = 200
"""15/16 to this power is 2.5e-6, so no start leaves a visible trace."""
TOLERANCE = 0.01
"""The iteration stops if no pixel changes by more than this number of grey levels. The
distance to the fixed point is then at most 15 times as large."""
TO_YCBCR = torch.tensor(
    [
        [0.299, 0.587, 0.114],
        [-0.168736, -0.331264, 0.5],
        [0.5, -0.418688, -0.081312],
    ],
    dtype=torch.float32,
)
"""RGB to luma and two chroma channels around 0 (JPEG File Interchange Format 1.02)."""


@dataclass(frozen=True)
class FractalSettings:
    """Settings of :func:`fractal_encode`."""

    quality: int = 50
    """From 0 (small file) to 100. A bit is worth ``2000 * 10**(-quality / 25)`` squared
    grey levels, so 25 more make errors ten times as expensive. At 50, the
    files of 13 grey photographs of 256 x 256 pixels have 0.08 to 1.7 bits per pixel,
    with a median of 0.7 (benchmarks/fractal.py)."""
    sides: tuple[int, ...] = (16, 8, 4)
    """Sides of the range blocks in pixels, each half the one before. Blocks of 32
    pixels changed the PSNR of astronaut, chelsea and coffee by less than 0.01 dB at 0.8
    bits per pixel. One side gives fixed blocks."""

    def __post_init__(self) -> None:
        check_settings(self)
        if not 0 <= self.quality <= 100:
            raise ValueError(
                f"settings: expected quality from 0 to 100, got {self.quality}; try 50"
            )
        halves = [2 * b == a for a, b in zip(self.sides, self.sides[1:], strict=False)]
        powers = bool(self.sides) and self.sides[0] in (2, 4, 8, 16, 32, 64)
        if not (powers and all(halves) and self.sides[-1] >= 2):
            raise ValueError(
                "settings: expected sides that are powers of 2 from 64 down to 2, each "
                f"half the one before, got {self.sides}; try (16, 8, 4)"
            )


@dataclass(frozen=True)
class FractalCode:
    """A partitioned iterated function system for each channel of an image."""

    size: tuple[int, int]
    """Height and width of the image in pixels."""
    sides: tuple[int, ...]
    """Sides of the range blocks in pixels, from large to small."""
    channels: tuple[tuple[Level, ...], ...]
    """For each channel its levels, from large to small. A grey image has one channel; a
    colour image has luma and two chroma channels of half the size."""


@same_conditions()
def fractal_encode(
    image: Image, settings: FractalSettings = FractalSettings()
) -> FractalCode:
    """Find the maps of all range blocks.

    The search is exact: of all domains and isometries of a neighbourhood or of the
    image, the candidate is the one with the smallest squared error. The candidates, the
    contrasts and the splits are then chosen together for the smallest squared error +
    price * bits, with the bits that each value needs in the file. A ValueError is
    raised if the image does not follow the convention, or is too large for the format.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1], grey or RGB, of any size; it is padded with
        its border pixels. A grey image of 256 x 256 pixels takes 3 CPU seconds and
        100 MB. The time grows in proportion to the number of pixels, because the
        domains of larger images lie on a coarser grid.
    settings : FractalSettings
        The quality, and the sides of the range blocks.
    """
    return encode_with_qualities(image, (settings.quality,), settings.sides)[0]


@same_conditions()
def encode_with_qualities(
    image: Image, qualities: Sequence[int], sides: tuple[int, ...] = (16, 8, 4)
) -> list[FractalCode]:
    """The codes of :func:`fractal_encode` for several qualities, after one search.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    qualities : sequence of int
        From 0 to 100, as in :class:`FractalSettings`.
    sides : tuple of int
        The sides of the range blocks.

    Returns
    -------
    list of FractalCode
        One for each quality.
    """
    for quality in qualities:
        FractalSettings(quality, sides)  # checks them
    image = check_image(image)
    height, width = image.shape[1:]
    _check_size((height, width))
    if max(height, width) > LONGEST_SIDE:
        raise ValueError(
            f"image: expected at most {LONGEST_SIDE} pixels a side, got {height} x "
            f"{width}; cut it into pieces"
        )
    prices = [2000 * 10 ** (-quality / 25) for quality in qualities]
    channels = []
    for plane in _to_planes(image):
        padded = _pad(plane, padded_size(plane.shape, sides))
        trees = encode_plane(padded, sides, prices)
        channels.append([best_means(levels, padded) for levels in trees])
    return [
        FractalCode((height, width), sides, planes)
        for planes in zip(*channels, strict=True)
    ]


@same_conditions()
def fractal_decode(
    code: FractalCode, scale: int = 1, start: Image | None = None
) -> Image:
    """Apply the maps again and again, until the image no longer changes.

    Parameters
    ----------
    code : FractalCode
        Result of :func:`fractal_encode` or
        :func:`~dil_teach.classical.fractal.frac_file.load_frac`.
    scale : int
        Height and width of the result in units of the coded image's, at least 1. The
        maps have no size of their own, so blocks ``scale`` times as large give an image
        of a higher resolution: the fractal zoom. Averaged down by ``scale``, it is the
        image that is decoded at its own size.
    start : Image, optional
        The image to start from, of any size; by default the means of the range blocks.
        The result does not depend on it, up to a rounding error below one grey level.

    Returns
    -------
    Image
        Float[Tensor, "c h w"] in [0, 1].
    """
    if scale < 1 or scale != int(scale):
        raise ValueError(
            f"scale: expected a whole number of at least 1, got {scale}; try 2"
        )
    height, width = code.size[0] * int(scale), code.size[1] * int(scale)
    starts: Sequence[Plane | None] = [None] * len(code.channels)
    if start is not None:
        start = check_image(start, "start", channels=(len(code.channels),))
        starts = _to_planes(start)
    planes = []
    for levels, begin, shrink in zip(code.channels, starts, (1, 2, 2), strict=False):
        # chroma has half the size, and the fractal zoom doubles it
        size = -(-code.size[0] // shrink), -(-code.size[1] // shrink)
        size = padded_size(size, code.sides)
        plane = _fixed_point(levels, size, int(scale) * shrink, begin)
        planes.append(plane[:height, :width])
    image = torch.stack(planes) / 255
    if len(planes) == 3:
        image = torch.einsum("ij,jhw->ihw", torch.linalg.inv(TO_YCBCR), image)
    return image.clamp(0, 1)


def _fixed_point(
    levels: Sequence[Level], size: tuple[int, int], scale: int, start: Plane | None
) -> Plane:
    """Iterate image -> contrast * image, averaged down, at the source + brightness."""
    height, width = size[0] * scale, size[1] * scale
    _check_size((height, width))
    means = mosaic(levels, size)
    source, contrast, offset = _pixel_maps(levels, means, scale)
    if start is None:
        image = means.repeat_interleave(scale, 0).repeat_interleave(scale, 1)
    else:
        image = resize(start[None], size=(height, width))[0]
    for _ in range(MOST_ITERATIONS):
        new = halved(image).flatten()[source].mul_(contrast).add_(offset)
        change = (new - image).abs_().max()
        image = new
        if change <= TOLERANCE:
            break
    return image


def _pixel_maps(
    levels: Sequence[Level], means: Plane, scale: int
) -> tuple[Int[Tensor, "h w"], Float[Tensor, "h w"], Float[Tensor, "h w"]]:
    """The contrast, the brightness and the source of each pixel.

    The source is an index of the halved image, row by row. All positions and sides
    are ``scale`` times those of the coded image. ``means`` is the mosaic of the levels.
    """
    height, width = means.shape[0] * scale, means.shape[1] * scale
    source = torch.zeros(height, width, dtype=torch.long)
    contrast, offset = torch.zeros(2, height, width)
    for level in levels:
        side = level.side * scale
        step, _, columns = domain_grid(
            (height // scale // 2, width // scale // 2), level.side
        )
        top = scale * step * (level.domain // columns)
        left = scale * step * (level.domain % columns)
        inside = torch.arange(side * side).view(1, side, side)
        moved = torch.cat([apply_isometry(inside, number) for number in range(8)])
        cell = moved[level.isometry]  # shape (ranges, side, side)
        found = (top[:, None, None] + cell // side) * (width // 2)
        found += left[:, None, None] + cell % side
        corner = scale * level.corner[~level.split]
        along = torch.arange(side)
        rows = corner[:, 0, None, None] + along[:, None]
        across = corner[:, 1, None, None] + along
        source[rows, across] = found
        factor = CONTRAST_STEP * level.contrast.float()
        contrast[rows, across] = factor[:, None, None]
        offset[rows, across] = brightness(level, means)[:, None, None]
    return source, contrast, offset


def padded_size(size: Sequence[int], sides: Sequence[int]) -> tuple[int, int]:
    """The size of whole blocks that holds the image and at least one domain."""
    side = sides[0]
    height, width = (max(2 * side, -(-length // side) * side) for length in size)
    return height, width


def _check_size(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MOST_PIXELS:
        raise ValueError(
            f"size: expected at most {MOST_PIXELS} pixels of whole blocks, got "
            f"{size[0]} x {size[1]}; take a smaller image or scale"
        )


def _pad(plane: Plane, size: tuple[int, int]) -> Plane:
    height, width = plane.shape
    border = (0, size[1] - width, 0, size[0] - height)
    return F.pad(plane[None, None], border, mode="replicate")[0, 0]


def _to_planes(image: Image) -> list[Plane]:
    """Grey levels from 0 to 255; for a colour image luma, and chroma at half size."""
    image = 255 * image.detach().cpu()
    if len(image) == 1:
        return [image[0]]
    luma, *chroma = torch.einsum("ij,jhw->ihw", TO_YCBCR, image)
    height, width = luma.shape
    even = height + height % 2, width + width % 2
    return [luma, *(halved(_pad(plane, even)) for plane in chroma)]
