"""Exercises of chapter 05: a seam of least energy, and how alike two images are."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dil_teach.classical.seams.seams import find_seam, seam_energy
from dil_teach.course.check.engine import (
    Case,
    Exercise,
    NotYetRight,
    as_number,
    as_numbers,
    rand,
    refuse,
)
from dil_teach.patches.extract import extract_patches

# ---- least_seam


def _as_seam(result: Any, wanted: Tensor, energy: Tensor) -> Tensor:
    height, width = energy.shape
    if isinstance(result, np.ndarray | list | tuple):
        kind = type(result).__name__
        raise NotYetRight(
            f"It returns a {kind}. The columns may be right, but return "
            "one torch tensor."
        )
    if not isinstance(result, Tensor) or result.ndim == 0:
        as_number(result)
        raise NotYetRight(
            "It returns one number. Is it the energy? Return the columns of the seam."
        )
    refuse(
        {
            "It returns a value for each pixel, like a table of sums or a mask. Return "
            "one column for each row.": result.shape == energy.shape,
            "It returns a number for each column, like a seam from left to right. "
            "Return one for each row.": height != width and result.shape == (width,),
            f"For {height} rows the shape should be ({height},), got "
            f"{tuple(result.shape)}.": result.shape != (height,),
            f"It returns {result.dtype}. Columns are whole numbers, and are used as an "
            "index.": result.dtype == torch.bool or result.is_floating_point(),
        }
    )
    first, last = int(result.min()), int(result.max())
    if first < 0 or last >= width:
        raise NotYetRight(
            f"The columns run from {first} to {last}, but the picture has columns 0 to "
            f"{width - 1}. What happens at its border?"
        )
    return result.long()


def _is_least(seam: Tensor, energy: Tensor) -> bool:
    if (seam.diff().abs() > 1).any():
        return False  # such a seam has no energy
    return seam_energy(energy, seam) <= seam_energy(energy, find_seam(energy)) + 1e-4


def _not_least(energy: Tensor, seam: Tensor) -> str:
    for row in (seam.diff().abs() > 1).nonzero().flatten().tolist():
        a, b = seam[row : row + 2].tolist()
        return (
            f"Between rows {row} and {row + 1} your seam jumps from column {a} to {b}, "
            "but it may move by one at most. Can it leave the picture on one side and "
            "come in on the other?"
        )
    least = seam_energy(energy, find_seam(energy))
    return (
        f"For an energy of {len(energy)} rows the best seam costs {least:.3g}. Yours "
        f"costs {seam_energy(energy, seam):.3g}, through the columns {seam.tolist()}. "
        "From which pixels of the row above can you reach a pixel?"
    )


def _table(energy: Tensor, *steps: int) -> Tensor:
    """The least sums down to each pixel, if only these steps may be taken."""
    sums = energy.clone()
    for i in range(1, len(energy)):
        above = torch.nn.functional.pad(sums[i - 1], (1, 1), value=torch.inf)
        ways = above.unfold(0, energy.shape[1], 1)  # upper left, above, upper right
        sums[i] += ways[[1 + step for step in steps or (-1, 0, 1)]].amin(0)
    return sums


def _back(rows: Tensor, start: Tensor, *steps: int) -> Tensor:
    """From a column of the last row up, each time to the least value."""
    seam = [int(start)]
    for row in rows[:-1].flip(0):
        ways = (seam[-1] + step for step in steps or (-1, 0, 1))
        seam.append(min((x for x in ways if 0 <= x < len(row)), key=row.__getitem__))
    return torch.tensor(seam[::-1])


def _stepping(*steps: int) -> Callable:
    return lambda e: _back(_table(e, *steps), _table(e, *steps)[-1].argmin(), *steps)


def _trap() -> Tensor:
    """A path that starts cheaply and ends in a wall of high energies."""
    trap = torch.full((6, 7), 5.0)
    trap[:2, 1], trap[2:, :4], trap[:, 5], trap[-1, 0] = 0.0, 9.0, 2.0, 1.0
    return trap + 0.1 * rand(6, 7)  # no two paths are equal


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
        "That is the smallest pixel of each row. A seam is a path: from row to row it "
        "moves by one column at most.": lambda e: e.argmin(1),
        "That is the best next step each time. A cheap beginning may lead to an "
        "expensive end.": lambda e: _back(e.flip(0), e[0].argmin()).flip(0),
        "On the way up you compare energies. Which of the pixels above has the "
        "smallest *sum*?": lambda e: _back(e, _table(e)[-1].argmin()),
        "Your seam ends at the smallest energy of the last row. Which numbers tell "
        "where the best seam ends?": lambda e: _back(_table(e), e[-1].argmin()),
        "The columns are in the order in which you found them, from the bottom up. "
        "Return them from top to bottom.": lambda e: find_seam(e).flip(0),
        "That is the smallest sum of each row of the table. The path must be "
        "connected.": lambda e: _table(e).argmin(1),
        "That is the most expensive seam. It follows outlines instead of avoiding "
        "them.": lambda e: find_seam(-e),
        "That is the best straight column. A seam may move by one column from row to "
        "row.": lambda e: e.sum(0).argmin().expand(len(e)),
        "Your seam never moves to the right. It can come from three pixels: upper "
        "left, above, upper right.": _stepping(-1, 0),
        "Your seam never moves to the left. It can come from three pixels: upper left, "
        "above, upper right.": _stepping(0, 1),
    },
    "Your seam is the best of all paths. Their number nearly triples with every row, "
    "but you looked at each pixel only once.",
    _as_seam,
    _is_least,
    tolerance=0,
)


# ---- similarity


def _as_pair(result: Any, wanted: tuple, *arguments: Any) -> Tensor:
    if isinstance(result, Tensor | np.ndarray) and result.ndim == 1:
        result = tuple(result)
    if not isinstance(result, tuple | list):
        as_number(result)
        raise NotYetRight(
            "It returns one number. Return two, completeness and coherence in this "
            "order, which show whether something is missing or new."
        )
    return as_numbers(result, wanted)


def _score(
    forth: Callable = lambda d, n: d.amin(1).mean(),
    back: Callable | None = None,
    distance: Callable = lambda difference: difference.square().mean(2),
    bag: Callable = extract_patches,
) -> Callable:
    """A score that reads a table of distances forth and back.

    `forth` takes the table of distances from each source patch to each target patch,
    and the number of values in a patch. `back` takes the same table; by default,
    `forth` reads it the other way round.
    """

    def similarity(source: Tensor, target: Tensor, patch_size: int = 7) -> Any:
        a, b = bag(source, patch_size).double(), bag(target, patch_size).double()
        d, n = distance(a[:, None] - b[None]), a.shape[1]
        return forth(d, n), back(d, n) if back else forth(d.mT, n)

    return similarity


def _less_mean(image: Tensor, patch_size: int) -> Tensor:
    rows = extract_patches(image, patch_size).unflatten(1, (len(image), -1))
    return (rows - rows.mean(2, keepdim=True)).flatten(1)


def _mean_of_nearest(axis: int) -> Callable:
    return lambda d, n: d.amin(axis).mean()


WHOLE = rand(2, 9, 12)
PART = WHOLE[:, 1:8, 3:10]
ROWS = torch.tensor([[[0.0, 0.0, 0.2, 0.6]]]), torch.tensor([[[0.0, 0.2, 1.0]]])

similarity = Exercise(
    "similarity",
    _score(),
    [
        Case(
            (*ROWS, 1),
            "From the source, the differences to the nearest patch are 0, 0, 0 and "
            "0.4. From the target they are 0, 0 and 0.4.",
            wanted=(0.04, 0.16 / 3),
        ),
        Case((WHOLE, PART, 3), "For a piece of the source, coherence should be 0."),
        Case((PART, WHOLE, 3), "The target holds the source: completeness is 0."),
        Case((rand(3, 9, 8), rand(3, 11, 7, seed=1), 3)),
        Case((rand(1, 12, 13), rand(1, 14, 12, seed=1), 5)),
        Case(
            (rand(1, 10, 11), rand(1, 10, 11, seed=1)),
            "Without this argument patch_size should be 7.",
        ),
    ],
    {
        "The two results are swapped. Completeness is about the patches of the "
        "*source*.": lambda s, t, *size: _score()(t, s, *size),
        "The distances were summed over the patches. Take their mean, or a larger "
        "picture would be less similar.": _score(lambda d, n: d.amin(1).sum()),
        "The squares were summed over a patch. Take their mean, so that you can "
        "compare patches of different "
        "sizes.": _score(lambda d, n: n * d.amin(1).mean()),
        "A square root was taken of each distance. Use the squared difference "
        "itself.": _score(lambda d, n: d.amin(1).sqrt().mean()),
        "Both were measured in the direction of completeness. Coherence searches for "
        "the target's patches.": _score(back=_mean_of_nearest(1)),
        "Both were measured in the direction of coherence. Completeness searches for "
        "the source's patches.": _score(_mean_of_nearest(0), _mean_of_nearest(0)),
        "Each patch was compared with all others, and all distances count. Only the "
        "nearest should count.": _score(lambda d, n: d.mean()),
        "Only the worst patch decides. Take the mean over all patches.": _score(
            lambda d, n: d.amin(1).amax()
        ),
        "Only the best patch decides. Take the mean over all, each with its own "
        "nearest.": _score(lambda d, n: d.amin()),
        "The mean of each patch was removed, as in chapter 01. Here a darker patch is "
        "a different patch.": _score(bag=_less_mean),
        "Only patches side by side were taken. Take all overlapping patches.": _score(
            bag=lambda image, size: extract_patches(image, size, size)
        ),
        "Absolute differences were averaged. Squares make one large difference count "
        "more than many small ones.": _score(distance=lambda d: d.abs().mean(2)),
    },
    "You search once in each direction. The first search shows what is missing in the "
    "target, the second what is new.",
    _as_pair,
    tolerance=1e-3,
)
