"""BM3D: Dabov, Foi, Katkovnik and Egiazarian, 'Image denoising by sparse 3-D
transform-domain collaborative filtering', TIP 2007.

Blocks that look alike are stacked. A 3-D transform of the stack (2-D in each block, and
Haar along the stack) has few large coefficients, and noise has none. Two stages:

1. Blocks of the noisy image are matched. Coefficients below 2.7 sigma become 0.
2. Blocks of the first result are matched again. The coefficients of the noisy blocks
   are multiplied by the Wiener gain b^2 / (b^2 + sigma^2), where b are the coefficients
   of the first result.

In both stages, each pixel becomes a weighted mean of all filtered blocks that contain
it. The weight of a group is 1 / (variance of the noise that is left in it).

Colour images are filtered in opponent colours. The blocks are matched once, in
luminance, and all three channels are filtered with these groups (Dabov et al., ICIP
2007).

The numbers are those of the paper's normal profile. For noise above 40 grey levels the
paper has a second profile: blocks of 12 x 12 and 11 x 11 pixels, compared after a
threshold. We only let more distant blocks match in stage 1, from 25 grey levels on,
because Hou, Zhao, Yang and Cheng (TIP 2011) found that other numbers suffice for strong
noise.
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dil_teach.classical.denoise.opponent import from_opponent, to_opponent
from dil_teach.classical.denoise.transforms import biorthogonal, cosine, haar
from dil_teach.image.convention import Image, check_image
from dil_teach.image.metrics import check_sigma
from dil_teach.patches.extract import extract_patches, gather_patches
from dil_teach.training.conditions import same_conditions

BLOCK = 8
"""Side of a block in pixels."""
STEP = 3
"""Distance between neighbouring reference blocks, in pixels."""
REACH = 19
"""Blocks are matched up to this many rows and columns away: a window of 39 x 39."""
MOST = 16, 32
"""Largest number of blocks in a group, in stages 1 and 2; a power of 2."""
FARTHEST = 2500 / 255**2, 400 / 255**2
"""Largest mean squared difference of matching blocks in stages 1 and 2."""
FARTHEST_IN_NOISE = 4.0
"""In stage 1, blocks match at least up to this multiple of sigma^2. Noise alone makes
two copies of one block differ by 2 sigma^2. With ``FARTHEST`` alone, equal blocks no
longer match from 35 grey levels on: the result was 0.08 dB worse at 35 and 0.27 dB at
39. Above 4, nothing changes (six photographs at 256 pixels)."""
THRESHOLD = 2.7
"""Coefficients below this multiple of sigma become 0 in stage 1."""
KAISER = 2.0
"""Parameter beta of the Kaiser window, which lowers the weights at a block's border."""
TILE = 16, 64
"""Rows and columns of reference blocks that are matched at a time."""
OUTSIDE = 1e4
"""Value of the pixels outside of the image: no block matches them."""

Plane = Float[Tensor, "_h _w"]
Spectra = Float[Tensor, "_blocks groups _channels values"]
"""3-D spectra of groups with equally many blocks. In this order of the axes, one matrix
product transforms all groups."""
Shrink = Callable[[Spectra], tuple[Spectra, Float[Tensor, "groups channels"]]]
"""Filters spectra of groups; returns also the weight of each group."""


@same_conditions()
def bm3d(noisy: Image, sigma: float) -> Image:
    """Denoise by BM3D.

    Parameters
    ----------
    noisy : Image
        The noisy image, Float[Tensor, "c h w"] in [0, 1]; noise may exceed this range.
    sigma : float
        Standard deviation of the white noise, for an image in [0, 1]; estimate it with
        :func:`dil_teach.image.metrics.noise_level`.

    Returns
    -------
    Image
        Float[Tensor, "c h w"], not clamped.

    Raises
    ------
    ValueError
        If ``sigma`` is out of range, or the image is smaller than a block.
    """
    noisy = _check(noisy, sigma)
    return wiener_stage(noisy, hard_threshold_stage(noisy, sigma), sigma)


def hard_threshold_stage(noisy: Image, sigma: float) -> Image:
    """The first stage of BM3D; see :func:`bm3d`."""
    _check(noisy, sigma)
    planes, deviations = to_opponent(noisy, sigma)

    def shrink(spectra: Spectra) -> tuple[Spectra, Float[Tensor, "groups channels"]]:
        kept = spectra.abs() > THRESHOLD * deviations[:, None]
        noise_left = deviations.square() * kept.sum((0, 3)).clamp_min(1)
        return spectra * kept, 1 / noise_left

    return from_opponent(
        _filter(planes, planes[0], 0, sigma, biorthogonal(BLOCK), shrink)
    )


def wiener_stage(noisy: Image, basic: Image, sigma: float) -> Image:
    """The second stage of BM3D; ``basic`` is the result of the first stage."""
    _check(noisy, sigma)
    planes, deviations = to_opponent(noisy, sigma)
    guide, _ = to_opponent(basic, sigma)
    variance = deviations.square()

    def shrink(spectra: Spectra) -> tuple[Spectra, Float[Tensor, "groups channels"]]:
        noise, model = spectra.chunk(2, dim=2)
        energy = model.square()
        gain = energy / (energy + variance[:, None])
        noise_left = variance * gain.square().sum((0, 3))
        return gain * noise, 1 / noise_left.clamp_min(1e-12)

    both = torch.cat([planes, guide])
    return from_opponent(_filter(both, guide[0], 1, sigma, cosine(BLOCK), shrink))


def group_spectrum(
    noisy: Image, sigma: float, row: int, column: int
) -> tuple[Int[Tensor, "blocks 2"], Float[Tensor, "blocks b b"]]:
    """The group of one reference block in stage 1, and its 3-D spectrum in luminance.

    Parameters
    ----------
    noisy, sigma
        As in :func:`bm3d`.
    row, column : int
        The top left pixel of the reference block.

    Returns
    -------
    Int[Tensor, "blocks 2"]
        Row and column of the top left pixel of each block, the most similar first.
    Float[Tensor, "blocks b b"]
        The coefficients before the threshold. White noise has the same standard
        deviation in all coefficients.
    """
    _check(noisy, sigma)
    height, width = noisy.shape[1:]
    if not (0 <= row <= height - BLOCK and 0 <= column <= width - BLOCK):
        raise ValueError(
            f"row, column: expected a block of {BLOCK} x {BLOCK} pixels inside of the "
            f"image, {height} x {width}, got {row}, {column} as its top left pixel"
        )
    guide = to_opponent(noisy, sigma)[0][0]
    top, left = (torch.tensor([index], device=guide.device) for index in (row, column))
    members, size = match_blocks(guide, top, left, MOST[0], _farthest(sigma, 0))
    members = members[0, 0, : int(size)]
    rows, columns = members // (width - BLOCK + 1), members % (width - BLOCK + 1)
    corners, pixels = rows * width + columns, guide.flatten()[None]
    blocks = gather_patches(pixels, corners, width, BLOCK)
    stack = (haar(len(blocks)).to(guide) @ blocks[:, 0]).view(-1, BLOCK, BLOCK)
    forward = biorthogonal(BLOCK).to(guide)
    return torch.stack([rows, columns], 1), forward @ stack @ forward.T


def _filter(
    planes: Float[Tensor, "planes h w"],
    guide: Plane,
    stage: int,
    sigma: float,
    transform: Float[Tensor, "b b"],
    shrink: Shrink,
) -> Image:
    """Match blocks of ``guide``, filter all groups of the planes, and average them."""
    farthest = _farthest(sigma, stage)
    forward = torch.kron(transform, transform).to(guide)
    backward = forward.double().inverse().to(guide)
    kaiser = torch.kaiser_window(BLOCK, periodic=False, beta=KAISER).to(guide)
    windowed = torch.outer(kaiser, kaiser).view(-1, 1) * backward
    channels = len(planes) // (stage + 1)
    total, weight = guide.new_zeros(2, channels, *guide.shape)
    for rows, columns in _tiles(guide):
        top, left = max(int(rows[0]) - REACH, 0), max(int(columns[0]) - REACH, 0)
        bottom, right = (int(last[-1]) + BLOCK + REACH for last in (rows, columns))
        here = slice(top, bottom), slice(left, right)
        members, count = match_blocks(
            guide[here], rows - top, columns - left, MOST[stage], farthest
        )
        blocks = extract_patches(planes[:, *here], BLOCK)
        spectra = blocks.reshape(-1, BLOCK**2) @ forward.T
        spectra = spectra.view(len(blocks), len(planes), -1)
        # The sums over blocks at the same place. The inverse 2-D transform is linear,
        # so it is applied to these sums.
        sums = spectra.new_zeros(len(spectra), channels, BLOCK**2)
        weights = spectra.new_zeros(len(spectra), channels)
        for size in (2**k for k in range(MOST[stage].bit_length())):
            chosen = members[count == size][:, :size].T  # shape (size, groups)
            along = haar(size).to(guide)
            group = spectra[chosen]
            group = (along @ group.flatten(1)).view_as(group)
            filtered, group_weight = shrink(group)
            filtered = filtered * group_weight[:, :, None]
            filtered = (along.T @ filtered.flatten(1)).view_as(filtered)
            places = chosen.flatten()
            sums.index_add_(0, places, filtered.flatten(0, 1))
            weights.index_add_(0, places, group_weight.repeat(size, 1))
        area = (min(bottom, len(guide)) - top, min(right, guide.shape[1]) - left)
        parts = windowed @ sums.permute(1, 2, 0)  # one block for each position
        total[:, *here] += F.fold(parts.flatten(0, 1)[None], area, BLOCK)[0]
        places = weights.T.view(channels, 1, area[0] - BLOCK + 1, -1)
        spread = F.conv_transpose2d(places, kaiser[None, None, :, None])
        weight[:, *here] += F.conv_transpose2d(spread, kaiser[None, None, None])[:, 0]
    return total / weight


def match_blocks(
    guide: Plane,
    rows: Int[Tensor, "n"],
    columns: Int[Tensor, "m"],
    most: int,
    farthest: float,
) -> tuple[Int[Tensor, "n m most"], Int[Tensor, "n m"]]:
    """Find the blocks most similar to each reference block, within ``REACH`` of it.

    Parameters
    ----------
    guide : Plane
        Float[Tensor, "h w"]: the image in which blocks are compared.
    rows, columns : Int[Tensor, "n"], Int[Tensor, "m"]
        The reference blocks have their top left pixels at these rows and columns, in
        ascending order.
    most : int
        Number of blocks to find.
    farthest : float
        Largest mean squared difference of a match.

    Returns
    -------
    Int[Tensor, "n m most"]
        Indices of the blocks in the order of
        :func:`dil_teach.patches.extract.extract_patches`, the most similar first. The
        first one is the reference block itself.
    Int[Tensor, "n m"]
        Size of the group: the largest power of 2 for which all blocks match.
    """
    # For each shift, the squared differences of the image and its shifted copy are
    # computed once, and overlapping blocks share them. The sums over blocks are matrix
    # products: ``down`` and ``across`` are 1 where a pixel belongs to a block.
    area = guide[rows[0] : rows[-1] + BLOCK, columns[0] : columns[-1] + BLOCK]
    height, width = area.shape
    down = _covers(rows - rows[0], height).to(guide)
    across = _covers(columns - columns[0], width).to(guide)
    window = 2 * REACH + 1
    wide = F.pad(guide, [REACH] * 4, value=OUTSIDE)
    wide = wide[rows[0] :, columns[0] : columns[0] + width + window - 1]
    distances = guide.new_empty(len(rows), len(columns), window, window)
    squares = guide.new_empty(height, window, width)
    for shift in range(window):
        shifted = wide[shift : shift + height].unfold(1, width, 1)
        torch.sub(shifted, area[:, None], out=squares)
        sums = (down @ squares.square_().flatten(1)).view(len(rows), window, width)
        distances[:, :, shift] = across @ sums.transpose(1, 2)
    distances[:, :, REACH, REACH] = -1  # the block itself, also among exact copies
    best, found = (distances.flatten(2) / BLOCK**2).topk(most, largest=False)
    row = rows[:, None, None] + found // window - REACH
    column = columns[:, None] + found % window - REACH
    count = (best <= farthest).sum(-1)
    size = 2 ** torch.arange(most.bit_length(), device=guide.device)
    size = size[torch.bucketize(count, size, right=True) - 1]
    return row * (guide.shape[1] - BLOCK + 1) + column, size


def _tiles(guide: Plane) -> Iterator[tuple[Int[Tensor, "n"], Int[Tensor, "m"]]]:
    """Rows and columns of the reference blocks, tile by tile."""
    rows, columns = (
        torch.tensor([*range(0, side - BLOCK, STEP), side - BLOCK])
        for side in guide.shape
    )
    for some in rows.split(TILE[0]):
        for others in columns.split(TILE[1]):
            yield some.to(guide.device), others.to(guide.device)


def _farthest(sigma: float, stage: int) -> float:
    """The largest mean squared difference of matching blocks."""
    if stage == 1:
        return FARTHEST[1]
    return max(FARTHEST[0], FARTHEST_IN_NOISE * sigma**2)


def _covers(starts: Int[Tensor, "n"], length: int) -> Tensor:
    """Whether the block that begins at each start covers each of ``length`` pixels."""
    inside = torch.arange(length, device=starts.device) - starts[:, None]
    return (inside >= 0) & (inside < BLOCK)


def _check(noisy: Image, sigma: float) -> Image:
    check_sigma(sigma)
    return check_image(noisy, "noisy", min_side=BLOCK, in_range=False)
