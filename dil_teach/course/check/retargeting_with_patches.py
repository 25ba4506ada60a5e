"""Exercises of chapter 05: a seam of least energy, and how alike two images are."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach.classical.seams.seams import find_seam, seam_energy
from dil_teach.course.check.engine import (
    Case,
    Exercise,
    as_image,
    as_numbers,
    rand,
    refuse,
)
from dil_teach.patches.extract import extract_patches

# ---- least_seam


def _as_seam(result: Any, wanted: Tensor, energy: Tensor) -> Tensor:
    height, width = energy.shape
    if isinstance(result, Tensor):
        one_a_column = height != width and result.shape == (width,)
        decimal = result.dtype == torch.bool or result.is_floating_point()
        refuse(
            {
                "Return the columns of the seam, not one number.": not result.ndim,
                "You return a value for each pixel. Return one column for each "
                "row.": result.shape == energy.shape,
                "You return a number for each column, like a seam from left to right. "
                "Return one for each row.": one_a_column,
                "Columns are an index, so return whole numbers.": decimal,
            }
        )
        result = result.float()
    seam = as_image(result, wanted.float()).long()
    first, last = int(seam.min()), int(seam.max())
    found = f"Your columns run from {first} to {last}, but the width is {width}. "
    refuse({found + "What happens at the border?": first < 0 or last >= width})
    return seam


def _is_least(seam: Tensor, energy: Tensor) -> bool:
    if (seam.diff().abs() > 1).any():
        return False  # this is not a seam
    return seam_energy(energy, seam) <= seam_energy(energy, find_seam(energy)) + 1e-4


def _not_least(energy: Tensor, seam: Tensor) -> str:
    jumps = seam.diff().abs() > 1
    if jumps.any():
        row = int(jumps.int().argmax())
        return (
            f"Below row {row} your seam jumps from column {seam[row]} to "
            f"{seam[row + 1]}. Can it leave the picture on one side and return on the "
            "other?"
        )
    best, yours = (seam_energy(energy, s) for s in (find_seam(energy), seam))
    return (
        f"The best seam costs {best:.3g}. Yours costs {yours:.3g}, through the columns "
        f"{seam.tolist()}. From which pixels of the row above can you reach a pixel?"
    )


def _table(energy: Tensor) -> Tensor:
    """The smallest sum of a path from the first row to each pixel."""
    sums = energy.clone()
    for i in range(1, len(energy)):
        sums[i] -= F.max_pool1d(-sums[i - 1 : i], kernel_size=3, stride=1, padding=1)[0]
    return sums


def _back(rows: Tensor, start: Tensor | None = None) -> Tensor:
    """The path upwards from column `start`, always to the smallest value above."""
    seam = [int(rows[-1].argmin() if start is None else start)]
    for row in rows[:-1].flip(0):
        left = max(seam[-1] - 1, 0)
        seam.append(left + int(row[left : seam[-1] + 2].argmin()))
    return torch.tensor(seam[::-1])


def _trap() -> Tensor:
    """Energies with a path that starts cheaply and ends at high energies."""
    trap = torch.full((6, 7), 5.0)
    trap[:2, 1], trap[2:, :4], trap[:, 5], trap[-1, 0] = 0.0, 9.0, 2.0, 1.0
    return trap + 0.1 * rand(6, 7)  # no two paths cost the same


ENERGIES = (
    rand(5, 1),
    torch.tensor([[1.0, 4.0, 3.0, 5.0], [5.0, 6.0, 2.0, 7.0], [9.0, 8.0, 7.0, 1.0]]),
    _trap(),
    rand(9, 6),
    rand(7, 12),
)

least_seam = Exercise(
    "least_seam",
    find_seam,
    [Case((energy,), partial(_not_least, energy)) for energy in ENERGIES],
    {
        "Your pixels are the smallest of each row, not a path.": lambda e: e.argmin(1),
        "In each row, you take the cheapest next pixel. A cheap beginning of a seam "
        "may lead to an expensive end.": lambda e: _back(e.flip(0)).flip(0),
        "On the way up you compare energies. Which of the pixels above has the "
        "smallest *sum*?": lambda e: _back(e, _table(e)[-1].argmin()),
        "Your seam ends at the smallest energy of the last row. Which numbers show "
        "where the best seam ends?": lambda e: _back(_table(e), e[-1].argmin()),
        "Return the columns from top to bottom.": lambda e: find_seam(e).flip(0),
        "The sums that you choose must form a path.": lambda e: _table(e).argmin(1),
        "You return the most expensive seam.": lambda e: find_seam(-e),
        "You return the best straight column. A seam may move by one column per "
        "row.": lambda e: e.sum(0).argmin().expand(len(e)),
        "Your seam never comes from the upper right. Each pixel has three pixels "
        "above it.": lambda e: find_seam(torch.stack([e, e, e + torch.inf])),
        "Your seam never comes from the upper left. Each pixel has three pixels "
        "above it.": lambda e: find_seam(torch.stack([e + torch.inf, e, e])),
    },
    "Your seam is the best of all paths. The number of paths nearly triples with every "
    "row, but you looked at each pixel only once.",
    _as_seam,
    _is_least,
    tolerance=0,
)


# ---- similarity


def _as_pair(result: Any, wanted: tuple, *arguments: Any) -> Tensor:
    if getattr(result, "ndim", 0) == 1:
        result = [*result]
    return as_numbers(result, wanted)


def _score(
    mean: Callable = lambda d: d.amin(1).mean(),
    distance: Callable = lambda difference: difference.square().mean(2),
    bag: Callable = extract_patches,
) -> Callable:
    """Make a score with this mean of distances, this distance and these patches.

    `mean` takes distances: rows are patches of one image, columns those of the other.
    """

    def similarity(source: Tensor, target: Tensor, patch_size: int = 7) -> Any:
        a, b = bag(source, patch_size).double(), bag(target, patch_size).double()
        d = distance(a[:, None] - b[None])
        return mean(d), mean(d.mT)

    return similarity


WHOLE = rand(2, 9, 12)
PART, SQUARE = WHOLE[:, 1:8, 3:10], rand(1, 10, 10)
ROWS = torch.tensor([[[0.0, 0.0, 0.2, 0.6]]]), torch.tensor([[[0.0, 0.2, 1.0]]])

similarity = Exercise(
    "similarity",
    _score(),
    [
        Case((*ROWS, 1), "Smallest differences: 0, 0, 0, .4; the other way, 0, 0, .4."),
        Case((WHOLE, PART, 3), "For a part of the source, coherence should be 0."),
        Case((PART, WHOLE, 3), "If the target contains the source, completeness is 0."),
        Case((rand(3, 9, 8), rand(3, 11, 7, seed=1), 3)),
        Case((rand(1, 12, 13), rand(1, 14, 12, seed=1), 5)),
        Case((SQUARE, SQUARE.flip(1)), "By default, `patch_size` should be 7."),
    ],
    {
        "Your results are swapped: completeness first.": lambda *g: _score()(*g)[::-1],
        "Take the mean over patches, not the sum.": _score(lambda d: d.amin(1).sum()),
        "Take the mean within each patch.": _score(distance=lambda d: (d**2).sum(2)),
        "Do not take roots of distances.": _score(lambda d: d.amin(1).sqrt().mean()),
        "You return the completeness twice.": lambda *given: _score()(*given)[:1] * 2,
        "You return the coherence twice.": lambda *given: _score()(*given)[1:] * 2,
        "Use only the distance to the nearest patch.": _score(torch.mean),
        "Take the mean, not the worst patch.": _score(lambda d: d.amin(1).amax()),
        "Take the mean, not the best patch.": _score(torch.amin),
        "Do not remove the mean.": _score(distance=lambda d: d.var(2, correction=0)),
        "You take only patches side by side. Take all patches, which overlap each "
        "other.": _score(bag=lambda i, n: extract_patches(i, n, n)),
        "Use squared differences.": _score(distance=lambda d: d.abs().mean(2)),
    },
    "You search once in each direction. The first search shows what is missing in the "
    "target, and the second search shows what is new.",
    _as_pair,
    tolerance=1e-3,
)
