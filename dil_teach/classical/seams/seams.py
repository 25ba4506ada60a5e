"""Seams of least energy, by dynamic programming.

Avidan and Shamir, 'Seam carving for content-aware image resizing', SIGGRAPH 2007; the
forward energy is that of Rubinstein, Shamir and Avidan, 'Improved seam carving for
video retargeting', SIGGRAPH 2008.
"""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dil_teach.image.convention import Image, check_image
from dil_teach.image.metrics import luma

Energy = Literal["forward", "backward"]
ENERGIES: tuple[Energy, ...] = get_args(Energy)
Costs = Float[Tensor, "_h _w"] | Float[Tensor, "3 _h _w"]
"""What a seam pays for a pixel, or for coming to it from the upper left, from above and
from the upper right."""


def energy_map(image: Image, energy: Energy = "backward") -> Costs:
    """What a seam pays for each pixel of an image.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"]; its luma, in [0, 1], is looked at.
    energy : {"backward", "forward"}
        Backward: the gradient ``|dI/dx| + |dI/dy|``, by differences of the two pixels
        on either side. Forward: by how much those differ that become neighbours.

    Returns
    -------
    Float[Tensor, "h w"] or Float[Tensor, "3 h w"]
        Backward: the energy of a pixel. Forward: the costs of coming to it from the
        upper left, from above and from the upper right.

    References
    ----------
    Avidan and Shamir 2007: the gradient energy e_1; Rubinstein, Shamir and Avidan 2008,
    "Forward energy": C_L, C_U and C_R.
    """
    check_image(image)
    grey = _grey(image)
    row, column = (np.arange(side) for side in grey.shape)
    costs = torch.from_numpy(_costs_at(energy)(grey, row[:, None], column))
    return (costs[0] if energy == "backward" else costs).to(image.device)


def _grey(image: Image) -> np.ndarray:
    return luma(image.cpu())[0].float().numpy()


CostsAt = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Grey values, rows and columns of pixels: their costs, [1 ...] or [3 ...]."""


def _gradient_at(grey: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    height, width = grey.shape
    right = grey[row, np.minimum(column + 1, width - 1)]
    left = grey[row, np.maximum(column - 1, 0)]
    below = grey[np.minimum(row + 1, height - 1), column]
    above = grey[np.maximum(row - 1, 0), column]
    return (abs(right - left) + abs(below - above))[None]


def _forward_at(grey: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    right = grey[row, np.minimum(column + 1, grey.shape[1] - 1)]
    left = grey[row, np.maximum(column - 1, 0)]
    above = grey[np.maximum(row - 1, 0), column]
    beside = abs(right - left)
    return np.stack([beside + abs(above - left), beside, beside + abs(above - right)])


def _costs_at(energy: Energy) -> CostsAt:
    if energy not in ENERGIES:
        raise ValueError(
            f"energy: expected one of {', '.join(ENERGIES)}, got '{energy}'; forward "
            "breaks fewer lines"
        )
    return _forward_at if energy == "forward" else _gradient_at


def find_seam(costs: Costs) -> Int[Tensor, "h"]:
    """The seam of least energy, from top to bottom, by dynamic programming.

    Parameters
    ----------
    costs : Float[Tensor, "h w"] or Float[Tensor, "3 h w"]
        As :func:`energy_map` has them. In the first row all that counts is what it
        costs to come from above.

    Returns
    -------
    Int[Tensor, "h"]
        Its column in each row; of equal seams one that ends farthest to the left.

    References
    ----------
    Avidan and Shamir 2007: the cumulative energy M; Rubinstein et al. 2008, the same
    with forward energy.
    """
    rows = costs[None] if costs.ndim == 2 else costs
    seam = _Table(rows.cpu().numpy()).least_seam()
    return torch.from_numpy(seam).to(costs.device)


def seam_energy(costs: Costs, seam: Int[Tensor, "h"]) -> float:
    """What a seam pays in all.

    Parameters
    ----------
    costs : Float[Tensor, "h w"] or Float[Tensor, "3 h w"]
        As in :func:`find_seam`.
    seam : Int[Tensor, "h"]
        Its column in each row.
    """
    row = torch.arange(len(seam), device=seam.device)
    if costs.ndim == 2:
        return costs[row, seam].double().sum().item()
    came_from = 1 - seam.diff(prepend=seam[:1])  # 0 left, 1 above, 2 right
    return costs[came_from, row, seam].double().sum().item()


def seams_in_turn(
    image: Image, count: int, energy: Energy, bias: Float[Tensor, "h w"]
) -> Int[Tensor, "count h"]:
    """The seams of least energy, each found when those before it are gone.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"], grey or RGB.
    count : int
        How many: 1 to w - 1.
    energy : {"backward", "forward"}
        As in :func:`energy_map`.
    bias : Float[Tensor, "h w"]
        What a pixel costs beside that.

    Returns
    -------
    Int[Tensor, "count h"]
        Columns in what is left of the image when a seam's turn comes.
    """
    grey, costs_at = _grey(image), _costs_at(energy)
    # the large numbers of a bias need more digits, and double takes longer
    biases = [bias.cpu().double().numpy()] if bias.any() else []
    known = np.stack([grey, *biases])

    def prices(known: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        grey, *biases = known
        return sum((b[row, column] for b in biases), costs_at(grey, row, column))

    # planes of what is left: grey values, bias, costs; and infinity right of it
    height, width = grey.shape
    row, column = np.arange(height)[:, None], np.arange(width)
    planes = np.concatenate([known, prices(known, row, column)])
    planes = np.pad(planes, ((0, 0), (0, 0), (0, 1)), constant_values=np.inf)
    # in memory row by row, for what is used together is found sooner side by side
    planes = np.ascontiguousarray(planes.swapaxes(0, 1)).swapaxes(0, 1)
    known, costs = planes[: len(known)], planes[len(known) :]
    table = _Table(costs)
    # a slice of a memoryview moves in half the time that NumPy needs to begin
    lines = [[plane[i].data for plane in planes] for i in range(height)]
    seams = []
    for left in range(width - 1, width - 1 - count, -1):
        seam = table.least_seam()
        seams.append(seam)
        for gone, its_lines in zip(seam.tolist(), lines, strict=True):
            for line in its_lines:
                line[gone:-1] = line[gone + 1 :]
        # costs change only for the two pixels that have become neighbours
        column = np.clip(seam[:, None] - np.array([1, 0]), 0, left - 1)
        costs[:, row, column] = prices(known[..., :left], row, column)
    return torch.from_numpy(np.stack(seams)).to(image.device)


class _Table:
    """Least sums of costs from the top to each pixel, filled row by row.

    NumPy, and views of the rows that are made once: most of the time goes on beginning
    with a row, and torch takes four times as long to begin.
    """

    def __init__(self, costs: np.ndarray) -> None:  # [moves h w]; may change later
        moves, height, width = costs.shape
        self.costs, self.forward = costs, moves == 3
        # infinity on either side: nobody comes from there
        self.sums = np.full((height, width + 2), np.inf, costs.dtype)
        self.room = np.empty((3, width), costs.dtype)
        above = np.lib.stride_tricks.sliding_window_view(self.sums, width, axis=1)
        self.above = list(above[:-1] if self.forward else map(tuple, above[:-1]))
        self.step = list(costs.swapaxes(0, 1)[1:] if self.forward else costs[0, 1:])
        self.here = list(self.sums[1:, 1:-1])
        # memoryviews give single numbers sooner than arrays
        self.upwards = [
            (self.sums[row - 1].data, [line.data for line in costs[:, row]])
            for row in range(height - 1, 0, -1)
        ]

    def least_seam(self) -> np.ndarray:
        self.sums[0, 1:-1] = self.costs[len(self.costs) // 2, 0]
        (self.fill_forward if self.forward else self.fill_backward)()
        return self.trace_back()

    def fill_forward(self) -> None:
        """M(i, j) = min of M(i-1, j-1) + C_L, M(i-1, j) + C_U, M(i-1, j+1) + C_R."""
        came, (left, straight, right) = self.room, self.room
        for above, cost, here in zip(self.above, self.step, self.here, strict=True):
            np.add(above, cost, came)
            np.minimum(left, straight, out=straight)
            np.minimum(straight, right, out=here)

    def fill_backward(self) -> None:
        """M(i, j) = e(i, j) + min of M(i-1, j-1), M(i-1, j), M(i-1, j+1)."""
        least = self.room[0]
        for above, cost, here in zip(self.above, self.step, self.here, strict=True):
            left, straight, right = above
            np.minimum(left, straight, out=least)
            np.minimum(least, right, out=least)
            np.add(least, cost, here)

    def trace_back(self) -> np.ndarray:
        """From the least sum of the last row up, each time to where it came from."""
        column = int(self.sums[-1].argmin()) - 1
        seam = [column]
        for sums, costs in self.upwards:
            left, straight, right = sums[column : column + 3]
            if self.forward:
                left += costs[0][column]
                straight += costs[1][column]
                right += costs[2][column]
            if left < straight and left <= right:
                column -= 1
            elif right < straight:
                column += 1
            seam.append(column)
        return np.array(seam[::-1])
