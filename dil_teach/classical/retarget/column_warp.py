"""A column warp by dynamic programming: our own control of retargeting, no paper's.

Every column of the result is a whole column of the source; nothing is learned. It does
well by completeness and coherence (Simakov, Caspi, Shechtman and Irani, CVPR 2008) and
makes flowers with two heads: measures of patches are not the goal.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dil_teach.image.convention import Image, check_image

WINDOW = 7
"""Columns that are compared on either side of a cut: the side of the patches by which
completeness and coherence are measured."""
PLACE = 0.01
"""What a column pays for the square of its distance, in widths, from where plain
stretching would put it. At 0 the measures are better still: the cheapest run is
repeated, be it the whole picture beside itself or one column drawn out to half of the
result."""


def column_warp(image: Image, width: int) -> Image:
    """Bring an image to a width by repeating, or leaving out, runs of its columns.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"], grey or RGB. For rows: of the transpose.
    width : int
        In pixels.

    Returns
    -------
    Image
        Float[Tensor, "c h width"].

    Raises
    ------
    ValueError
        As :func:`column_sequence`.
    """
    return image[:, :, column_sequence(image, width)]


def column_sequence(image: Image, width: int) -> Int[Tensor, "width"]:
    """Which column of the source each column of the result is.

    The sequence of least cost. From a column one goes on to the next of the source for
    nothing; to another for as much as what is round the cut differs from what the
    source has there: a cut that cannot be seen costs nothing. A result that is wider
    goes one to the right or any way back, from the first column to the last, so that
    none is left out. One that is narrower never goes back, and pays for each column it
    leaves out as much as that differs from the nearest before or behind the gap.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"], grey or RGB.
    width : int
        In pixels.

    Raises
    ------
    ValueError
        If the width is below 1.
    """
    check_image(image)
    if width < 1:
        raise ValueError(f"width: expected at least 1 pixel, got {width}")
    unlike = column_distances(image)
    cost = wider_costs(unlike) if width > image.shape[2] else narrower_costs(unlike)
    return cheapest_sequence(cost, width)


def column_distances(image: Image) -> Float[Tensor, "places places"]:
    """Mean squared difference of the columns round one, and round another.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"]; columns beyond the border are those at it.

    Returns
    -------
    Float[Tensor, "places places"]
        Place 0 is before the image, 1 to w are its columns, w + 1 is behind it.
    """
    beyond = WINDOW // 2 + 1
    columns = F.pad(image, (beyond, beyond), mode="replicate").flatten(0, 1).double()
    square = columns.square().mean(0)
    apart = square[:, None] + square - 2 * columns.T @ columns / len(columns)
    windows = apart.unfold(0, WINDOW, 1).unfold(1, WINDOW, 1)
    return windows.diagonal(dim1=2, dim2=3).mean(2).clamp_min(0)


def wider_costs(
    unlike: Float[Tensor, "places places"],
) -> Float[Tensor, "places places"]:
    """Of going from one place to another, where one goes on by one or back.

    Parameters
    ----------
    unlike : Float[Tensor, "places places"]
        From :func:`column_distances`.

    Returns
    -------
    Float[Tensor, "places places"]
        The sequence starts with the first column and ends with the last.
    """
    place = torch.arange(len(unlike), device=unlike.device)
    cost = _cost_of_cuts(unlike)
    cost[[0, -1]] = cost[:, [0, -1]] = torch.inf
    cost[place > place[:, None] + 1] = torch.inf
    cost[place[:-1], place[1:]] = 0
    return cost


def narrower_costs(
    unlike: Float[Tensor, "places places"],
) -> Float[Tensor, "places places"]:
    """Of going from one place to another, where one goes on by one or more.

    Parameters
    ----------
    unlike : Float[Tensor, "places places"]
        From :func:`column_distances`.

    Returns
    -------
    Float[Tensor, "places places"]
        As in :func:`wider_costs`; the sequence may start and end anywhere.
    """
    place = torch.arange(len(unlike), device=unlike.device)
    known = F.pad(unlike[1:-1, 1:-1], (1, 1, 1, 1), value=torch.inf)
    before = known.cummin(1).values  # [left_out, place]: the nearest up to it
    behind = known.flip(1).cummin(1).values.flip(1)
    nearest = torch.minimum(before[:, :, None], behind[:, None, :])
    left_out = place[:, None, None]
    inside = (left_out > place[:, None]) & (left_out < place)
    cost = _cost_of_cuts(unlike) + nearest.where(inside, 0).sum(0)
    cost[place <= place[:, None]] = torch.inf
    cost[place[:-1], place[1:]] = 0
    return cost


def _cost_of_cuts(
    unlike: Float[Tensor, "places places"],
) -> Float[Tensor, "places places"]:
    """From each place to each: how far, round both, the source does not go on so."""
    behind, before = unlike[2:, 1:-1], unlike[1:-1, :-2]
    return F.pad((behind + before) / 2, (1, 1, 1, 1))


def cheapest_sequence(
    cost: Float[Tensor, "places places"], width: int
) -> Int[Tensor, "width"]:
    """The columns of the cheapest way through an image in so many steps.

    Parameters
    ----------
    cost : Float[Tensor, "places places"]
        From :func:`wider_costs` or :func:`narrower_costs`.
    width : int
        How many columns. Each also pays ``PLACE`` times the square of its distance from
        where plain stretching would put it.

    Returns
    -------
    Int[Tensor, "width"]
        0 to w - 1.
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
