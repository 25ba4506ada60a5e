"""A column warp by dynamic programming: our own baseline for retargeting.

Every column of the result is a whole column of the source. The completeness and
coherence (Simakov, Caspi, Shechtman and Irani, CVPR 2008) of the result are good, but
objects are cut or repeated. Good scores do not prove a good result.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dil_teach.image.convention import Image, check_image

Table = Float[Tensor, "_places _places"]
"""A table with one value for each step: the row is the place before the step, and the
column is the place after the step. Places 1 to w are the columns of the image; places 0
and w + 1 are outside the image."""

WINDOW = 7
"""Default number of columns that are compared at a cut. Patches for completeness and
coherence have the same side."""
PLACE = 0.01
"""A column's squared distance from its position in uniform stretching is multiplied by
this weight. Distances are fractions of the width. With weight 0, the scores are even
better but the result is poor: two copies of the image side by side, or one column
repeated over half of the width."""


def column_warp(image: Image, width: int, window: int = WINDOW) -> Image:
    """Change the width of an image by repeating or leaving out runs of its columns.

    ``width`` is in pixels; a ValueError is raised if it is below 1. ``window`` is the
    odd number of columns that are compared at a cut. To change the height, pass the
    transposed image.
    """
    return image[:, :, column_sequence(image, width, window)]


def column_sequence(
    image: Image, width: int, window: int = WINDOW
) -> Int[Tensor, "width"]:
    """The index of the source column that each column of :func:`column_warp` copies.

    The sequence of columns has the minimum cost. Stepping to the next source column is
    free; a jump costs the mismatch around the cut. A wider result starts with the first
    column and ends with the last; each step goes one column to the right, or any number
    back, so no column is left out. In a narrower result, no step goes back. Each column
    that is left out costs the distance to the most similar column before or after the
    gap.
    """
    check_image(image)
    if width < 1:
        raise ValueError(f"width: expected at least 1 pixel, got {width}")
    costs = wider_costs if width > image.shape[2] else narrower_costs
    return cheapest_sequence(costs(column_distances(image, window)), width)


def column_distances(image: Image, window: int = WINDOW) -> Table:
    """For all pairs of columns, the mean squared difference of their windows."""
    beyond = window // 2 + 1
    columns = F.pad(image, (beyond, beyond), mode="replicate").flatten(0, 1).double()
    square = columns.square().mean(0)
    apart = square[:, None] + square - 2 * columns.T @ columns / len(columns)
    windows = apart.unfold(0, window, 1).unfold(1, window, 1)
    return windows.diagonal(dim1=2, dim2=3).mean(2).clamp_min(0)


def wider_costs(distances: Table) -> Table:
    """The cost of each step for a wider result, from :func:`column_distances`."""
    place = torch.arange(len(distances), device=distances.device)
    cost = _cost_of_cuts(distances)
    cost[[0, -1]] = cost[:, [0, -1]] = torch.inf
    cost[place > place[:, None] + 1] = torch.inf
    cost[place[:-1], place[1:]] = 0
    return cost


def narrower_costs(distances: Table) -> Table:
    """The cost of each step for a narrower result, which may start or end anywhere."""
    place = torch.arange(len(distances), device=distances.device)
    known = F.pad(distances[1:-1, 1:-1], (1, 1, 1, 1), value=torch.inf)
    # [left_out, place]: smallest distance between column left_out and the columns up to
    # place (before), or from place on (after)
    before = known.cummin(1).values
    after = known.flip(1).cummin(1).values.flip(1)
    nearest = torch.minimum(before[:, :, None], after[:, None, :])
    left_out = place[:, None, None]
    inside = (left_out > place[:, None]) & (left_out < place)
    cost = _cost_of_cuts(distances) + nearest.where(inside, 0).sum(0)
    cost[place <= place[:, None]] = torch.inf
    cost[place[:-1], place[1:]] = 0
    return cost


def _cost_of_cuts(distances: Table) -> Table:
    """The cost of a jump between two columns: the mismatch on both sides of the cut.

    A jump from column a to column b puts b where column a + 1 was expected, and a where
    column b - 1 was expected.
    """
    after, before = distances[2:, 1:-1], distances[1:-1, :-2]
    return F.pad((after + before) / 2, (1, 1, 1, 1))


def cheapest_sequence(cost: Table, width: int) -> Int[Tensor, "width"]:
    """Find the sequence of ``width`` columns with the minimum cost.

    Dynamic programming minimises the sum of the costs of all steps, plus ``PLACE``
    times the squared distance of each column from its position in uniform stretching.
    """
    columns = len(cost) - 2
    step, ending = cost[1:-1, 1:-1], cost[1:-1, -1]
    where = (torch.arange(columns).to(cost) + 0.5) / columns
    total, came_from = cost[0, 1:-1], []
    for i in range(width):
        if i > 0:
            total, best = (total[:, None] + step).min(0)
            came_from.append(best.tolist())
        total = total + PLACE * (where - (i + 0.5) / width).square()
    sequence = [int((total + ending).argmin())]
    for best in reversed(came_from):
        sequence.append(best[sequence[-1]])
    return torch.tensor(sequence[::-1], device=cost.device)
