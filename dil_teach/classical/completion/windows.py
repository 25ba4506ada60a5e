"""Where the surroundings of a hole recur in the image.

Kwatra, Schoedl, Essa, Turk and Bobick, "Graphcut textures", SIGGRAPH 2003, section 3:
windows are compared at all places, by fast Fourier transforms.
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from scipy import sparse
from scipy.sparse.linalg import spsolve
from torch import Tensor

from dil_teach.classical.completion.pyramid import Hole, Volume

Offsets = Int[Tensor, "_k 3"]

WINDOWS = (1 / 3, 2 / 3, 1.25)
"""Sides of the windows that are looked for elsewhere, divided by those of the hole."""
EACH = 8
"""Number of places that are kept for each window, twice: the nearest ones, and the
nearest ones with similar texture."""
SIMILAR = 1.3
"""Maximum ratio of similar textures."""
SHARE = 0.05
"""Minimum share of the hole, and of known pixels, in a window."""
APART = 7
"""Side of the square in which only the nearest place is kept, in pixels."""
BOX = 11
"""Side of the square in which the energy of texture is computed, in pixels."""


def recurring_windows(image: Volume, hole: Hole) -> Offsets:
    """Offsets from windows that overlap the hole of an image to similar windows.

    The known pixels of a window are compared with all windows outside the hole.
    """
    wanted = interpolate(texture_energy(image, ~hole), hole)[0]
    energy = texture_energy(image, ~hole)[0]
    known, image, size = (~hole[0]).float(), image[:, 0] * ~hole[0], hole.shape[1:]
    maps = image, image.square().sum(0), energy, 1 - known
    spectra = [torch.fft.rfft2(each) for each in maps]
    found = []
    for rows, columns in _windows(hole[0]):
        part = image[:, rows, columns]
        inside, missing = known[rows, columns], 1 - known[rows, columns]
        free = _correlate(spectra[3], torch.ones_like(inside), size) < 0.5
        like = _correlate(spectra[2], missing, size)
        like = like / (wanted[rows, columns] * missing).sum()
        like = (like.clamp_min(1e-6).log().abs() < math.log(SIMILAR)) & free
        distance = _correlate(spectra[1], inside, size)
        distance = distance - 2 * _correlate(spectra[0], part, size).sum(0)
        for allowed in (free, like):
            there = torch.where(allowed, distance, torch.inf)
            nearest = -F.max_pool2d(-there[None], APART, 1, APART // 2)[0]
            there = torch.where(there == nearest, there, torch.inf)
            order = there.flatten().topk(min(EACH, there.numel()), largest=False)
            places = order.indices[order.values < torch.inf]
            down = places // there.shape[1] - rows.start
            right = places % there.shape[1] - columns.start
            found.append(torch.stack([torch.zeros_like(down), down, right], 1))
    return torch.cat(found) if found else torch.zeros_like(hole.nonzero()[:0])


def _correlate(
    spectrum: Tensor, window: Float[Tensor, "*c h w"], size: torch.Size
) -> Float[Tensor, "*c rows columns"]:
    """Sum the products of a window and an image, at each place of the window."""
    product = spectrum * torch.fft.rfft2(window, s=size).conj()
    whole = torch.fft.irfft2(product, s=size)
    rows, columns = (a - b + 1 for a, b in zip(size, window.shape[-2:], strict=True))
    return whole[..., :rows, :columns]


def _windows(hole: Bool[Tensor, "h w"]) -> Iterator[tuple[slice, slice]]:
    """Windows of several sizes that overlap both the hole and known pixels."""
    rows, columns = hole.any(1).nonzero()[:, 0], hole.any(0).nonzero()[:, 0]
    for share in WINDOWS:
        grid = []
        for where, size in zip((rows, columns), hole.shape, strict=True):
            first, last = int(where[0]), int(where[-1])
            side = min(max(round(share * (last - first + 1)), APART), size)
            if share < 1:
                starts = range(first - side // 2, last + 2 - side // 2, side // 2)
            else:
                starts = [(first + last + 1 - side) // 2]
            inside = {min(max(start, 0), size - side) for start in starts}
            grid.append([slice(start, start + side) for start in sorted(inside)])
        for window in itertools.product(*grid):
            if SHARE <= float(hole[window].float().mean()) <= 1 - SHARE:
                yield window


def texture_energy(volume: Volume, known: Hole) -> Float[Tensor, "_t _h _w"]:
    """The root mean square of the differences of neighbours, around each pixel.

    Only differences of known pixels count.
    """
    energy, count = torch.zeros_like(volume[0]), torch.zeros_like(volume[0])
    for axis in (-1, -2):
        size = volume.shape[axis] - 1
        both = known.narrow(axis, 0, size) & known.narrow(axis, 1, size)
        change = volume.diff(dim=axis).square().sum(0) * both
        energy.narrow(axis, 0, size).add_(change)
        count.narrow(axis, 0, size).add_(both)
    sums = F.avg_pool2d(torch.stack([energy, count]), BOX, 1, BOX // 2)
    return (sums[0] / sums[1].clamp_min(1e-6)).sqrt()


def interpolate(values: Float[Tensor, "t h w"], hole: Hole) -> Float[Tensor, "t h w"]:
    """Fill the hole so that each of its pixels is the mean of its neighbours."""
    pixels, size = hole.nonzero(), torch.tensor(hole.shape, device=hole.device)
    number = torch.full(hole.shape, -1, device=hole.device)
    number[hole] = count = torch.arange(len(pixels), device=hole.device)
    neighbours = torch.zeros(len(pixels), device=hole.device)
    known, pairs = torch.zeros_like(neighbours), []
    for step in steps(hole):
        beside = pixels + step
        inside = beside.clamp_min(0).minimum(size - 1)
        exists = (inside == beside).all(1)
        other = torch.where(exists, number[inside.unbind(-1)], -1)
        neighbours += exists
        known += values[inside.unbind(-1)] * (exists & (other < 0))
        pairs.append(torch.stack([count, other])[:, other >= 0])
    links = torch.cat(pairs, 1).cpu().numpy()
    shape = len(pixels), len(pixels)
    matrix = sparse.diags_array(neighbours.cpu().double().numpy())
    matrix = matrix - sparse.coo_array((np.ones(links.shape[1]), links), shape)
    found = spsolve(matrix.tocsc(), known.cpu().double().numpy())
    filled = values.clone()
    filled[hole] = torch.from_numpy(found).to(values)
    return filled


def steps(hole: Hole) -> list[Tensor]:
    """The steps to the neighbours of a pixel, along each axis and back."""
    steps = torch.eye(3, dtype=torch.long, device=hole.device)
    return [way * step for step in steps for way in (1, -1)]
