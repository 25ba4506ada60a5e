"""The labelling of minimum cost, by a minimum cut of a graph: Boykov and Jolly,
"Interactive graph cuts for optimal boundary and region segmentation of objects in N-D
images", ICCV 2001. SciPy computes the maximum flow."""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow
from torch import Tensor

UNIT = 1e-3
"""Costs are rounded to this unit, because the maximum flow needs integers."""

Pairs = tuple[Int64[Tensor, "_n"], Int64[Tensor, "_n"], Float[Tensor, "_n"]]
"""Numbers of pixels, numbers of their partners, and the cost of a boundary between the
two."""


def graph_cut(
    cost_in: Float[Tensor, " pixels"],
    cost_out: Float[Tensor, " pixels"],
    pairs: Iterable[Pairs],
) -> Bool[Tensor, " pixels"]:
    """The mask of minimum cost.

    If several masks have the minimum cost, the result is the smallest of these masks.

    Parameters
    ----------
    cost_in, cost_out : Float[Tensor, "pixels"]
        Cost of each pixel if the pixel is inside or outside the mask.
    pairs : iterable of Pairs
        Costs, not negative, of pairs of pixels that the mask separates.
    """
    pixels = len(cost_in)
    source, sink = pixels, pixels + 1
    gain = ((cost_out - cost_in).cpu().double() / UNIT).round().long()
    rises, falls = (gain > 0).nonzero()[:, 0], (gain < 0).nonzero()[:, 0]
    start = [torch.full_like(rises, source), falls]
    end = [rises, torch.full_like(falls, sink)]
    capacity = [gain[rises], -gain[falls]]
    for here, there, cost in pairs:
        cut = (cost.cpu().double() / UNIT).round().long()
        start += [here, there]
        end += [there, here]
        capacity += [cut, cut]
    values, *ends = (torch.cat(x).int().numpy() for x in (capacity, start, end))
    graph = coo_array((values, ends), shape=(pixels + 2, pixels + 2)).tocsr()
    flow = maximum_flow(graph, source, sink)
    mask = torch.zeros(pixels + 2, dtype=torch.bool)
    if flow.flow_value == int(gain[rises].sum()):  # nothing is left at the source
        return mask[:pixels]
    left = graph - flow.flow
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = breadth_first_order(left, source, return_predecessors=False)
    mask[torch.from_numpy(reached).long()] = True
    return mask[:pixels]
