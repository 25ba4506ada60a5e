"""Seams of least energy, by dynamic programming.

The backward energy is that of Avidan and Shamir, "Seam carving for content-aware image
resizing", SIGGRAPH 2007; the forward energy is that of Rubinstein, Shamir and Avidan,
"Improved seam carving for video retargeting", SIGGRAPH 2008.

    backward:  M(i, j) = e(i, j) + min(M(i-1, j-1), M(i-1, j), M(i-1, j+1))
    forward:   M(i, j) = min(M(i-1, j-1) + C_L(i, j),
                             M(i-1, j)   + C_U(i, j),
                             M(i-1, j+1) + C_R(i, j))

The last row of M contains the energy of the best seam that ends at each pixel. From its
minimum, the seam is traced back to the top. :mod:`.fast_seams` finds the same seams in
a fraction of the time.
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
"""The cost of each pixel of a seam, or its three costs if the seam comes from the upper
left, from above, or from the upper right (C_L, C_U and C_R)."""


def energy_map(image: Image, energy: Energy = "backward") -> Costs:
    """The cost that each pixel adds to a seam.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"]; its luma, in [0, 1], is used.
    energy : {"backward", "forward"}
        ``backward``: the gradient ``|dI/dx| + |dI/dy|``, by central differences.
        ``forward``: three costs, the differences of the pixels that become neighbours
        when the seam is removed.
    """
    check_image(image)
    padded = F.pad(grey_values(image)[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
    left, right = padded[1:-1, :-2], padded[1:-1, 2:]
    above, below = padded[:-2, 1:-1], padded[2:, 1:-1]
    costs = torch.stack(pixel_costs(energy, left, right, above, below))
    return (costs[0] if energy == "backward" else costs).to(image.device)


def pixel_costs(
    energy: Energy, left: Any, right: Any, above: Any, below: Any
) -> tuple[Any, ...]:
    """One cost (backward) or three costs (forward), from neighbouring grey values."""
    if energy == "backward":
        return (abs(right - left) + abs(below - above),)
    if energy != "forward":
        raise ValueError(f"energy: expected forward or backward, got '{energy}'")
    beside = abs(right - left)
    return beside + abs(above - left), beside, beside + abs(above - right)


def grey_values(image: Image) -> Float[Tensor, "h w"]:
    """The luma of an image, on the CPU."""
    return luma(image.cpu())[0].float()


def find_seam(costs: Costs) -> Int[Tensor, "h"]:
    """The seam of least energy: its column in each row, by dynamic programming.

    ``costs`` are those of :func:`energy_map`; in the first row, only the cost from
    above is used. If several seams have the least energy, we take the seam that ends
    farthest left.
    """
    steps = (costs if costs.ndim == 3 else costs.expand(3, -1, -1)).cpu()
    height, width = steps.shape[1:]
    sums = []  # the rows of M, with infinity beside them, so no seam leaves the image
    for row in range(height):
        least = steps[1, 0]
        if row > 0:  # the best of upper left, above and upper right
            least = (sums[-1].unfold(0, width, 1) + steps[:, row]).amin(0)
        sums.append(F.pad(least, (1, 1), value=torch.inf))

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
            "seam: expected steps of at most one column from row to row, got "
            f"{seam.tolist()}"
        )
    row = torch.arange(len(seam), device=seam.device)
    steps = costs if costs.ndim == 3 else costs.expand(3, -1, -1)
    came_from = 1 - seam.diff(prepend=seam[:1])  # 0 left, 1 above, 2 right
    return steps[came_from, row, seam].double().sum().item()
