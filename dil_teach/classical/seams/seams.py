"""Seams of least energy, by dynamic programming.

Avidan and Shamir, "Seam carving for content-aware image resizing", SIGGRAPH 2007, with
the backward energy; the forward energy is that of Rubinstein, Shamir and Avidan,
"Improved seam carving for video retargeting", SIGGRAPH 2008.

    backward:  M(i, j) = e(i, j) + min(M(i-1, j-1), M(i-1, j), M(i-1, j+1))
    forward:   M(i, j) = min(M(i-1, j-1) + C_L(i, j),
                             M(i-1, j)   + C_U(i, j),
                             M(i-1, j+1) + C_R(i, j))

The last row of M holds the energy of the best seam that ends at each pixel. From its
minimum, the seam is traced back to the top.

:mod:`.fast_seams` finds the same seams in a fraction of the time.
"""

from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dil_teach.image.convention import Image, check_image
from dil_teach.image.metrics import luma

Energy = Literal["forward", "backward"]
ENERGIES: tuple[Energy, ...] = get_args(Energy)
Costs = Float[Tensor, "_h _w"] | Float[Tensor, "3 _h _w"]
"""Cost of each pixel of a seam; or three costs, for a seam that comes from the upper
left, from above and from the upper right."""


def energy_map(image: Image, energy: Energy = "backward") -> Costs:
    """The cost that each pixel adds to a seam.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"]; its luma, in [0, 1], is used.
    energy : {"backward", "forward"}
        Backward: the gradient ``|dI/dx| + |dI/dy|``, by central differences. Forward:
        the differences of the pixels that become neighbours when the seam is removed.

    Returns
    -------
    Float[Tensor, "h w"] or Float[Tensor, "3 h w"]
        Backward: the energy e_1 of Avidan and Shamir. Forward: the costs C_L, C_U and
        C_R of Rubinstein et al., for a seam that comes from the upper left, from above
        and from the upper right.
    """
    check_image(image)
    check_energy(energy)
    padded = F.pad(grey_values(image)[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
    left, right = padded[1:-1, :-2], padded[1:-1, 2:]
    above, below = padded[:-2, 1:-1], padded[2:, 1:-1]
    costs = torch.stack(pixel_costs(energy, left, right, above, below))
    return (costs[0] if energy == "backward" else costs).to(image.device)


def pixel_costs(
    energy: Energy, left: Any, right: Any, above: Any, below: Any
) -> tuple[Any, ...]:
    """One cost (backward) or three (forward), from the neighbours' grey values."""
    if energy == "backward":
        return (abs(right - left) + abs(below - above),)
    beside = abs(right - left)
    return beside + abs(above - left), beside, beside + abs(above - right)


def grey_values(image: Image) -> Float[Tensor, "h w"]:
    """The luma of an image, on the CPU."""
    return luma(image.cpu())[0].float()


def check_energy(energy: str) -> None:
    """Raise a ValueError for an unknown energy."""
    if energy not in ENERGIES:
        raise ValueError(
            f"energy: expected one of {', '.join(ENERGIES)}, got '{energy}'; forward "
            "breaks fewer lines"
        )


def find_seam(costs: Costs) -> Int[Tensor, "h"]:
    """The seam of least energy, from top to bottom, by dynamic programming.

    Parameters
    ----------
    costs : Float[Tensor, "h w"] or Float[Tensor, "3 h w"]
        As :func:`energy_map` returns them. In the first row, only the cost from above
        counts.

    Returns
    -------
    Int[Tensor, "h"]
        The seam's column in each row. In case of ties, it ends farthest to the left.
    """
    steps = (costs if costs.ndim == 3 else costs.expand(3, -1, -1)).cpu()
    height, width = steps.shape[1:]

    def between_walls(line: Tensor) -> Tensor:
        return F.pad(line, (1, 1), value=torch.inf)  # no seam comes from outside

    sums = [between_walls(steps[1, 0])]  # the rows of M
    for row in range(1, height):
        before = sums[-1].unfold(0, width, 1)  # at the upper left, above, upper right
        sums.append(between_walls((before + steps[:, row]).amin(0)))

    column = int(sums[-1][1:-1].argmin())
    seam = [column]
    for row in range(height - 1, 0, -1):
        before = sums[row - 1][column : column + 3].double()
        left, above, right = (before + steps[:, row, column]).tolist()
        if left < above and left <= right:
            column -= 1
        elif right < above:
            column += 1
        seam.append(column)
    return torch.tensor(seam[::-1], device=costs.device)


def seam_energy(costs: Costs, seam: Int[Tensor, "h"]) -> float:
    """The energy of a seam: the sum of the costs along it, as in :func:`find_seam`."""
    if (seam.diff().abs() > 1).any():
        raise ValueError(
            f"seam must move by at most one column from row to row, got {seam.tolist()}"
        )
    row = torch.arange(len(seam), device=seam.device)
    steps = costs if costs.ndim == 3 else costs.expand(3, -1, -1)
    came_from = 1 - seam.diff(prepend=seam[:1])  # 0 left, 1 above, 2 right
    return steps[came_from, row, seam].double().sum().item()


def seams_in_turn(
    image: Image, count: int, energy: Energy, bias: Float[Tensor, "h w"]
) -> Int[Tensor, "count h"]:
    """The seams of least energy; each is removed before the next one is found.

    Parameters
    ----------
    image, energy
        As in :func:`energy_map`.
    count : int
        Number of seams: 1 to w - 1.
    bias : Float[Tensor, "h w"]
        Added to the cost of each pixel: above 0 to protect it, below 0 to remove it.

    Returns
    -------
    Int[Tensor, "count h"]
        Columns of each seam, in the image without the seams before it.
    """
    seams = []
    for _ in range(count):
        seam = find_seam(energy_map(image, energy) + bias)
        stays = torch.arange(image.shape[2], device=seam.device) != seam[:, None]
        image = image[:, stays].view(*image.shape[:2], -1)
        bias = bias[stays].view(len(bias), -1)
        seams.append(seam)
    return torch.stack(seams)
