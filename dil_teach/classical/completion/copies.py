"""Connected copies: the last pass of completion.

Kwatra, Schoedl, Essa, Turk and Bobick, "Graphcut textures", SIGGRAPH 2003; Pritch,
Kav-Venaki and Peleg, "Shift-map image editing", ICCV 2009.

A colour that several patches vote for is blurred where the patches disagree. So in the
end each pixel p of the hole copies the pixel p + o_p. The offsets o minimise

    sum_p (COLOUR |g_p - g_p+o| + TEXTURE |e_p - e_p+o|)
    + sum_pq (|x_p+o(p) - x_p+o(q)| + |x_q+o(p) - x_q+o(q)|),

where p and q are neighbours, x are colours, g are the means of colours around a pixel,
and e is the root mean square of the differences of neighbours. In the hole, g comes
from the votes, and e is interpolated from the surroundings. The second sum is the cost
of the seams. Offset 0 keeps the votes. A graph cut decides for one offset after another
which pixels take this offset (alpha expansion; Boykov, Veksler and Zabih, "Fast
approximate energy minimization via graph cuts", PAMI 2001).
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve
from torch import Tensor

from dil_teach.classical.completion.pyramid import Hole, Volume, depth
from dil_teach.classical.graph_cut import graph_cut

Offsets = Int[Tensor, "_k 3"]

COLOUR, TEXTURE = 0.1, 0.5
"""Weights of the two costs of a pixel. Chosen on the tuning holes of
benchmarks/completion.py."""
MORE, KEEP = 1.0, False
BOX, MEAN = 11, 7
"""Sides of the squares in which e and g are computed, in pixels. Chosen by hand."""
THIN = 3.0
"""Minimum depth of a part of the hole that is copied; votes for smaller parts agree."""
BARRED = 100.0
"""Cost of a pixel that cannot be copied, because it is outside the volume or in the
hole: more than all other costs of a pixel."""
SCALE = 10.0
"""Costs of a graph cut, divided by differences of colours: the graph cut rounds costs
to 0.001."""
SWEEPS = 2
"""Number of times that each offset is tried."""
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


def copy_pieces(estimate: Volume, hole: Hole, offsets: Offsets) -> Int[Tensor, "n 3"]:
    """Frame, row and column from which each pixel of the hole is copied.

    A pixel whose votes are kept is its own source.

    Parameters
    ----------
    estimate : Float[Tensor, "c t h w"]
        The colours of the volume; in the hole, those of the votes.
    hole : Bool[Tensor, "t h w"]
        True in the hole.
    offsets : Int[Tensor, "k 3"]
        The offsets from which the method chooses; offset 0 is added.
    """
    pixels, size = hole.nonzero(), torch.tensor(hole.shape, device=hole.device)
    thin = _thin_parts(hole)[hole]
    offsets = F.pad(offsets.unique(dim=0), (0, 0, 1, 0))  # first: keeps the votes
    place = pixels + offsets[:, None]
    source = place.clamp_min(0).minimum(size - 1)
    barred = (source != place).any(2) | hole[source.unbind(-1)]
    barred[:, thin] = True
    if KEEP:
        barred[0] = False
    some = ~barred.all(1)
    some[0] = True
    offsets, source, barred = offsets[some], source[some], barred[some]
    colours = _at(estimate, source)
    box = (1, MEAN, MEAN), 1, (0, MEAN // 2, MEAN // 2)
    mean = F.avg_pool3d(estimate, *box, count_include_pad=False)
    cost = COLOUR * _apart(_at(mean, source), mean[:, hole][:, None])
    wanted = interpolate(texture_energy(estimate, ~hole), hole)[hole]
    energy = texture_energy(estimate, torch.ones_like(hole))[source.unbind(-1)]
    cost += TEXTURE * (wanted - energy).clamp_min(0)
    cost += MORE * TEXTURE * (energy - wanted).clamp_min(0)

    number = torch.full(hole.shape, -1, device=hole.device)
    number[hole] = count = torch.arange(len(pixels), device=hole.device)
    pairs = []
    for step in _steps(hole):
        beside = pixels + step
        inside = beside.clamp_min(0).minimum(size - 1)
        exists = (inside == beside).all(1)
        other = torch.where(exists, number[inside.unbind(-1)], -1)
        pairs.append(torch.stack([count, other])[:, other > count])
        border = exists & (other < 0)  # the neighbour is known, so its offset is 0
        moved = (beside[border] + offsets[:, None]).clamp_min(0).minimum(size - 1)
        known = _at(estimate, beside[border])[:, None]
        cost[:, border] += 2 * _apart(_at(estimate, moved), known)
    cost[barred] = BARRED
    if not KEEP:
        cost[0] = BARRED / 2
    cost[0, thin] = 0
    chosen = _expand(cost, colours, torch.cat(pairs, 1))
    return source[chosen, count]


def _expand(
    cost: Float[Tensor, "k n"],
    colours: Float[Tensor, "c k n"],
    pairs: Int[Tensor, "2 pairs"],
) -> Int[Tensor, " n"]:
    """Choose an offset for each pixel, by alpha expansion."""
    here, there = pairs
    pixels = torch.arange(cost.shape[1], device=cost.device)

    def seams(one: Tensor, other: Tensor) -> Float[Tensor, " pairs"]:
        return sum(
            _apart(colours[:, one, where], colours[:, other, where])
            for where in (here, there)
        )

    def total(chosen: Tensor) -> float:
        pieces = cost[chosen, pixels].sum()
        return float(pieces + seams(chosen[here], chosen[there]).sum())

    chosen = cost.argmin(0)
    least = total(chosen)
    for offset in cost.mean(1).argsort().tolist() * SWEEPS:
        new = torch.full_like(here, offset)
        old = chosen[here], chosen[there]
        stay, first, second = seams(*old), seams(old[0], new), seams(new, old[1])
        # stay, first, second and 0 are the costs of a pair if none, the second, the
        # first or both of its pixels take the offset
        cut = (first + second - stay).clamp_min(0) / 2
        take = cost[offset].index_add(0, here, second - stay - cut)
        take = take.index_add(0, there, cut - second)
        leave = cost[chosen, pixels]
        mask = graph_cut(SCALE * take, SCALE * leave, [(here, there, SCALE * cut)])
        proposed = torch.where(mask, offset, chosen)
        if (sum_of_costs := total(proposed)) < least:
            chosen, least = proposed, sum_of_costs
    return chosen


def _thin_parts(hole: Hole) -> Hole:
    """True in the connected parts of the hole that are thin."""
    parts, count = ndimage.label(hole.cpu().numpy(), np.ones((3, 3, 3)))
    most = ndimage.maximum(depth(hole).cpu().numpy(), parts, range(count + 1))
    return torch.from_numpy((np.asarray(most) < THIN)[parts]).to(hole.device) & hole


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
    for step in _steps(hole):
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


def recurring_windows(image: Volume, hole: Hole) -> Offsets:
    """Offsets from windows that overlap the hole of an image to similar windows.

    The known pixels of a window are compared with all windows outside the hole.
    """
    wanted = interpolate(texture_energy(image, ~hole), hole)[0]
    energy = texture_energy(image, ~hole)[0]
    known, image, size = (~hole[0]).float(), image[:, 0] * ~hole[0], hole.shape[1:]
    spectra = [torch.fft.rfft2(each) for each in (image, image.square().sum(0), energy)]
    found = []
    for rows, columns in _windows(hole[0]):
        part = image[:, rows, columns]
        inside, missing = known[rows, columns], 1 - known[rows, columns]
        free = F.avg_pool2d(1 - known[None], inside.shape, 1)[0] == 0
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


def _steps(hole: Hole) -> list[Tensor]:
    """The steps to the neighbours of a pixel, along each axis and back."""
    steps = torch.eye(3, dtype=torch.long, device=hole.device)
    return [way * step for step in steps for way in (1, -1)]


def _at(volume: Volume, places: Int[Tensor, "*n 3"]) -> Float[Tensor, "c *n"]:
    return volume[(slice(None), *places.unbind(-1))]


def _apart(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).square().sum(0).sqrt()
