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

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from skimage.measure import label, regionprops
from torch import Tensor

from dil_teach.classical.completion.pyramid import Hole, Volume, depth
from dil_teach.classical.completion.windows import (
    Offsets,
    interpolate,
    recurring_windows,
    steps,
    texture_energy,
)
from dil_teach.classical.graph_cut import graph_cut

FREQUENT = 60
"""Number of offsets of the matches that are tried (He and Sun, "Statistics of patch
offsets for image completion", ECCV 2012)."""
COLOUR, TEXTURE = 0.1, 0.5
"""Weights of the two costs of a pixel. Chosen on the tuning holes of
benchmarks/completion.py."""
MORE = 0.2
"""Weight of a texture that is too rough, divided by the weight of one that is too
smooth. Chosen on the tuning holes."""
MEAN = 7
"""Side of the square in which g is computed, in pixels. Chosen by hand."""
THIN = 3.0
"""Minimum depth of a part of the hole that is copied; votes for smaller parts agree."""
BARRED = 100.0
"""Cost of a pixel that cannot be copied, because it is outside the volume or in the
hole: more than all other costs of a pixel."""
SCALE = 10.0
"""Costs of a graph cut, divided by differences of colours: the graph cut rounds costs
to 0.001."""
ROUNDING = 1e-4
"""Minimum decrease of the sum of all costs: more than its rounding errors."""
SWEEPS = 3
"""Number of sweeps; after the first, only offsets that are in use are tried again."""


def copy_pieces(estimate: Volume, hole: Hole, offsets: Offsets, colours: int) -> Volume:
    """Replace the votes by connected copies of known pixels.

    Parameters
    ----------
    estimate : Float[Tensor, "c t h w"]
        The values of the volume; in the hole, those of the votes.
    hole : Bool[Tensor, "t h w"]
        True in the hole.
    offsets : Int[Tensor, "n 3"]
        Offsets of the matches. The most frequent ones are tried, and in an image also
        those of :func:`recurring_windows`.
    colours : int
        Number of the first channels that are colours; only they are compared.
    """
    offsets, counts = offsets.unique(dim=0, return_counts=True)
    offsets = offsets[counts.argsort(descending=True, stable=True)[:FREQUENT]]
    if len(hole) == 1:
        windows = recurring_windows(estimate[:colours], hole)
        offsets = torch.cat([offsets, windows])
    copied = estimate.clone()
    copied[:, hole] = _at(estimate, _sources(estimate[:colours], hole, offsets))
    return copied


def _sources(estimate: Volume, hole: Hole, offsets: Offsets) -> Int[Tensor, "n 3"]:
    """Frame, row and column from which each pixel of the hole is copied.

    A pixel that keeps its votes is its own source.
    """
    pixels, size = hole.nonzero(), torch.tensor(hole.shape, device=hole.device)
    thin = _thin_parts(hole)[hole]
    offsets = F.pad(offsets.unique(dim=0), (0, 0, 1, 0))  # first: keeps the votes
    place = pixels + offsets[:, None]
    source = place.clamp_min(0).minimum(size - 1)
    barred = (source != place).any(2) | hole[source.unbind(-1)]
    barred[:, thin] = True
    some = ~barred.all(1)
    some[0] = True
    offsets, source, barred = offsets[some], source[some], barred[some]
    colours = _at(estimate, source)
    side = min(MEAN, *hole.shape[1:])
    side -= 1 - side % 2  # odd, and not larger than a small picture
    box = (1, side, side), 1, (0, side // 2, side // 2)
    mean = F.avg_pool3d(estimate, *box, count_include_pad=False)
    cost = COLOUR * _apart(_at(mean, source), mean[:, hole][:, None])
    wanted = interpolate(texture_energy(estimate, ~hole), hole)[hole]
    energy = texture_energy(estimate, torch.ones_like(hole))[source.unbind(-1)]
    cost += TEXTURE * (wanted - energy).clamp_min(0)
    cost += MORE * TEXTURE * (energy - wanted).clamp_min(0)

    number = torch.full(hole.shape, -1, device=hole.device)
    number[hole] = count = torch.arange(len(pixels), device=hole.device)
    pairs = []
    for step in steps(hole):
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
    chosen, tried = cost.argmin(0), cost.mean(1).argsort()
    for _ in range(SWEEPS):
        for offset in tried.tolist():
            own, other, new = (
                [colours[:, number, where] for where in (here, there)]
                for number in (chosen[here], chosen[there], offset)
            )
            # the cost of each seam if none, the second or the first of its two pixels
            # takes the offset; if both take it, there is no seam
            none, second, first = _seam(own, other), _seam(own, new), _seam(new, other)
            cut = (first + second - none).clamp_min(0) / 2
            leave = cost[chosen, pixels]
            take = cost[offset].index_add(0, here, first - none - cut)
            take = take.index_add(0, there, cut - first)
            mask = graph_cut(SCALE * take, SCALE * leave, [(here, there, SCALE * cut)])
            before, after = mask[here], mask[there]
            change = (cost[offset] - leave)[mask].sum() - none.sum()
            change += none[~before & ~after].sum()
            change += first[before & ~after].sum() + second[after & ~before].sum()
            if change < -ROUNDING:
                chosen[mask] = offset
        tried = chosen.unique()
    return chosen


def _seam(one: list[Tensor], other: list[Tensor]) -> Float[Tensor, " pairs"]:
    return _apart(one[0], other[0]) + _apart(one[1], other[1])


def _thin_parts(hole: Hole) -> Hole:
    """True in the connected parts of the hole that are thin."""
    parts = label(hole.cpu().numpy())
    thin = torch.zeros_like(hole)
    for part in regionprops(parts, depth(hole).cpu().numpy()):
        if part.intensity_max < THIN:
            thin[torch.from_numpy(parts == part.label)] = True
    return thin


def _at(volume: Volume, places: Int[Tensor, "*n 3"]) -> Float[Tensor, "c *n"]:
    return volume[(slice(None), *places.unbind(-1))]


def _apart(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).square().sum(0).sqrt()
