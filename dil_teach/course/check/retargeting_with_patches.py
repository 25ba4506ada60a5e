"""Checks of chapter 05: a seam of least energy, and how alike two images are."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dil_teach.classical.seams.seams import find_seam, seam_energy
from dil_teach.course.check.verdict import (
    NotYetRight,
    as_number,
    call,
    compare,
    verdict,
)
from dil_teach.image.convention import Image
from dil_teach.patches.extract import extract_patches

Energy = Float[Tensor, "h w"]
Seam = Int[Tensor, "h"]


@verdict
def least_seam(answer: Any) -> str:
    """``least_seam(energy)``: the columns of a seam of least energy, from the top down.

    energy is Float[Tensor, "h w"], not negative; the result Int[Tensor, "h"], of which
    neighbours differ by at most 1. Of equal seams any will do.
    """
    by_hand = torch.tensor(
        [[1.0, 4.0, 3.0, 5.0], [5.0, 6.0, 2.0, 7.0], [9.0, 8.0, 7.0, 1.0]]
    )
    rng = torch.Generator().manual_seed(0)
    # a way that starts cheaply and ends in a wall of high energies
    trap = torch.full((6, 7), 5.0)
    trap[:2, 1], trap[2:, :4], trap[:, 5], trap[-1, 0] = 0.0, 9.0, 2.0, 1.0
    trap += 0.1 * torch.rand(trap.shape, generator=rng)  # no two paths are equal
    cases = {
        "[[1, 4, 3, 5], [5, 6, 2, 7], [9, 8, 7, 1]]": by_hand,
        "6 rows and 7 columns, of which one begins cheaply and ends in a wall": trap,
        "9 rows and 6 columns, at random": torch.rand(9, 6, generator=rng),
        "7 rows and 12 columns, at random": torch.rand(7, 12, generator=rng),
        "5 rows and one column": torch.rand(5, 1, generator=rng),
    }
    seams = {n: _as_seam(call(answer, energy), energy) for n, energy in cases.items()}
    wrong = [n for n, energy in cases.items() if not _is_least(seams[n], energy)]
    if wrong:
        # of the known mistakes the one that explains all cases, right ones too
        made = {n: _seam_mistakes(energy) for n, energy in cases.items()}
        for diagnosis in made[wrong[0]]:
            if all(torch.equal(seams[n], made[n][diagnosis]) for n in cases):
                raise NotYetRight(diagnosis)
        raise NotYetRight(_what_is_wrong(seams[wrong[0]], cases[wrong[0]], wrong[0]))
    return (
        "The best of all paths, whose number nearly trebles with every row, by looking "
        "at each pixel once."
    )


def _is_least(seam: Seam, energy: Energy) -> bool:
    least = seam_energy(energy, find_seam(energy))
    return _connected(seam) and seam_energy(energy, seam) <= least + 1e-4


def _connected(seam: Seam) -> bool:
    return bool((seam.diff().abs() <= 1).all())


def _what_is_wrong(seam: Seam, energy: Energy, name: str) -> str:
    if not _connected(seam):
        row = int((seam.diff().abs() > 1).nonzero()[0])
        return (
            f"Between rows {row} and {row + 1} your seam jumps from column "
            f"{int(seam[row])} to {int(seam[row + 1])}: it may move by one at most. "
            "Can it leave the picture on one side and come in on the other?"
        )
    least = seam_energy(energy, find_seam(energy))
    return (
        f"For an energy of {name} the best seam pays {least:.3g} in all; yours pays "
        f"{seam_energy(energy, seam):.3g}, by the columns {seam.tolist()}. From how "
        "many pixels above can each be reached?"
    )


def _as_seam(result: Any, energy: Energy) -> Seam:
    height, width = energy.shape
    if isinstance(result, np.ndarray | list | tuple):
        raise NotYetRight(
            f"It returns a {type(result).__name__}. The columns may well be right, but "
            "one torch tensor of whole numbers is wanted."
        )
    if not isinstance(result, Tensor):
        as_number(result)
        raise NotYetRight(
            "It returns one number: is it the energy of the seam? Wanted are the "
            "columns that it goes through."
        )
    if result.shape == energy.shape:
        raise NotYetRight(
            "It returns something for each pixel: the table of sums, or a mask? Wanted "
            "is one column for each row."
        )
    if height != width and result.shape == (width,):
        raise NotYetRight(
            "It returns a number for each column: a seam from left to right. This one "
            "goes from top to bottom, and has one for each row."
        )
    if result.shape != (height,):
        raise NotYetRight(
            f"For {height} rows the shape should be ({height},), got "
            f"{tuple(result.shape)}."
        )
    if result.is_floating_point() or result.dtype == torch.bool:
        kind = str(result.dtype).removeprefix("torch.")
        raise NotYetRight(
            f"It returns {kind}: columns are whole numbers, and are used as an index."
        )
    if result.min() < 0 or result.max() >= width:
        raise NotYetRight(
            f"The columns run from {int(result.min())} to {int(result.max())}, and the "
            f"picture has 0 to {width - 1}: what happens at its border?"
        )
    return result.long()


def _table(energy: Energy, steps: tuple[int, ...] = (-1, 0, 1)) -> Energy:
    """The least sums down to each pixel, if only these steps may be taken."""
    sums = energy.clone()
    width = energy.shape[1]
    for i in range(1, len(energy)):
        above = torch.full((width + 2,), torch.inf)
        above[1:-1] = sums[i - 1]
        ways = torch.stack([above[1 + s : 1 + s + width] for s in steps])
        sums[i] += ways.amin(0)
    return sums


def _back(table: Energy, start: int, steps: tuple[int, ...] = (-1, 0, 1)) -> Seam:
    """From a column of the last row up, each time to the least of the table."""
    seam = [start]
    for row in table[:-1].flip(0):
        inside = [seam[-1] + s for s in steps if 0 <= seam[-1] + s < len(row)]
        seam.append(min(inside, key=lambda column: float(row[column])))
    return torch.tensor(seam[::-1])


def _seam_mistakes(energy: Energy) -> dict[str, Seam]:
    """What known mistakes give, by their diagnosis."""
    table = _table(energy)
    end = int(table[-1].argmin())
    greedy = _back(energy.flip(0), int(energy[0].argmin())).flip(0)
    column = int(energy.sum(0).argmin())
    return {
        "That is the least pixel of each row. A seam is a path: from row to row it "
        "moves by one column at most.": energy.argmin(1),
        "That is the best next step each time. A cheap beginning may lead where no "
        "cheap way goes on: what does the table know that a step does not?": greedy,
        "The table is used for the end of the seam, but on the way up you look at the "
        "energies: which of the pixels above has the least *sum*?": _back(energy, end),
        "Your seam begins at the least energy of the last row. Which numbers say where "
        "the best seam ends?": _back(table, int(energy[-1].argmin())),
        "The columns are in the order in which they were found, from the bottom "
        "up.": _back(table, end).flip(0),
        "That is the least sum of each row of the table. The way up has to be "
        "connected: only three pixels above can be where it came from.": table.argmin(
            1
        ),
        "That is the seam that pays most: outlines instead of what is between "
        "them.": find_seam(-energy),
        "That is the best straight column. A seam may move by one column from row to "
        "row.": torch.full((len(energy),), column),
        "Your seam never moves to the right: three pixels above lead to each, the "
        "upper left, the one above and the upper right.": _back(
            _table(energy, (-1, 0)), int(_table(energy, (-1, 0))[-1].argmin()), (-1, 0)
        ),
        "Your seam never moves to the left: three pixels above lead to each, the "
        "upper left, the one above and the upper right.": _back(
            _table(energy, (0, 1)), int(_table(energy, (0, 1))[-1].argmin()), (0, 1)
        ),
    }


@verdict
def similarity(answer: Any) -> str:
    """``similarity(source, target, patch_size=7)``: (completeness, coherence).

    source and target are Float[Tensor, "c h w"], perhaps of other sizes; each result is
    a mean squared difference per value, from each patch to its nearest over there.
    """
    rng = torch.Generator().manual_seed(0)
    # where all known mistakes differ; what is none of them is told by hand
    a, b = torch.rand(3, 9, 8, generator=rng), torch.rand(3, 11, 7, generator=rng)
    first = _pair(call(answer, a, b, 3))
    for diagnosis, values in _similarity_mistakes(a, b, 3).items():
        compare(float((first - values).abs().max() > 1e-4), 1.0, diagnosis)

    source = torch.tensor([[[0.0, 0.0, 0.2, 0.6]]])
    target = torch.tensor([[[0.0, 0.2, 1.0]]])
    got = _pair(call(answer, source, target, 1))
    compare(
        got,
        torch.tensor([0.04, 0.16 / 3]),
        "With patches of one pixel, a source of 0, 0, 0.2, 0.6 and a target of 0, 0.2, "
        "1: the source's patches are 0, 0, 0 and 0.4 from their nearest, which is 0.04 "
        "in the mean of squares; the target's are 0, 0 and 0.4 from theirs, which is "
        f"0.0533. Yours are {got[0]:.4g} and {got[1]:.4g}.",
    )

    whole = torch.rand(2, 9, 12, generator=rng)
    part = whole[:, 1:8, 3:10]
    for a, b, place, words in (
        (whole, part, 1, "A piece of the source is perfectly coherent"),
        (part, whole, 0, "A target that holds the source is perfectly complete"),
    ):
        got = _pair(call(answer, a, b, 3))
        compare(
            got[place : place + 1],
            torch.zeros(1),
            f"{words}, and that is an error of 0; yours is {got[place]:.4g}.",
            tolerance=1.0,
        )
    for channels, size, patch_size in ((3, (9, 8), 3), (1, (12, 13), 5)):
        a = torch.rand(channels, *size, generator=rng)
        b = torch.rand(channels, size[0] + 2, size[1] - 1, generator=rng)
        got, wanted = (
            _pair(call(answer, a, b, patch_size)),
            _similarity(a, b, patch_size),
        )
        compare(
            got,
            wanted,
            f"For two random images of {channels} channels and patches of {patch_size} "
            f"x {patch_size} pixels completeness and coherence are {wanted[0]:.4f} and "
            f"{wanted[1]:.4f}; yours are {got[0]:.4f} and {got[1]:.4f}.",
            tolerance=1e-3,
        )
    a, b = torch.rand(2, 1, 10, 11, generator=rng)
    compare(
        _pair(call(answer, a, b)),
        _similarity(a, b, 7),
        "Called without it, patch_size should be 7: what stands in the function's "
        "first line?",
        tolerance=1e-3,
    )
    return (
        "Two searches, one each way: the first asks what is missing, the second what "
        "was made up."
    )


def _pair(result: Any) -> Tensor:
    """The result, if it is two finite numbers."""
    if isinstance(result, Tensor | np.ndarray) and result.ndim == 1:
        result = tuple(result)
    if not isinstance(result, tuple | list):
        as_number(result)
        raise NotYetRight(
            "It returns one number. Wanted are two, completeness and coherence in this "
            "order: which of the two is bad says what is wrong."
        )
    if len(result) != 2:
        raise NotYetRight(
            f"Wanted are two numbers, completeness and coherence, got {len(result)}."
        )
    return torch.tensor([as_number(value) for value in result])


def _distances(source: Image, target: Image, patch_size: int) -> Tensor:
    """Mean squared difference of each patch of the source to each of the target."""
    rows = extract_patches(source, patch_size).double()
    columns = extract_patches(target, patch_size).double()
    return (rows[:, None] - columns[None]).square().mean(2)


def _nearest(distances: Tensor) -> Tensor:
    return torch.stack([distances.amin(1).mean(), distances.amin(0).mean()]).float()


def _similarity(source: Image, target: Image, patch_size: int) -> Tensor:
    return _nearest(_distances(source, target, patch_size))


def _similarity_mistakes(
    source: Image, target: Image, patch_size: int
) -> dict[str, Tensor]:
    """What known mistakes give, by their diagnosis."""
    apart = _distances(source, target, patch_size)
    values = len(source) * patch_size**2
    right = _nearest(apart)
    forth, back = apart.amin(1), apart.amin(0)

    def less_mean(image: Image) -> Tensor:
        rows = extract_patches(image, patch_size).double()
        rows = rows.view(len(rows), len(image), -1)
        return (rows - rows.mean(2, keepdim=True)).flatten(1)

    def stride(image: Image) -> Tensor:
        return extract_patches(image, patch_size, patch_size).double()

    plain = less_mean(source)[:, None] - less_mean(target)[None]
    coarse = stride(source)[:, None] - stride(target)[None]
    return {
        "The two have changed places: completeness asks of each patch of the *source* "
        "whether it is still there.": right.flip(0),
        "The distances were summed over the patches: a larger picture would be less "
        "alike.": torch.stack([forth.sum(), back.sum()]).float(),
        "The squares were summed over a patch: the mean is wanted, so that patches of "
        "another size can be compared.": values * right,
        "A square root was taken of each distance: the squared difference itself is "
        "wanted.": torch.stack([forth.sqrt().mean(), back.sqrt().mean()]).float(),
        "Both were measured in the direction of completeness: coherence asks the "
        "target's patches.": right[[0, 0]],
        "Both were measured in the direction of coherence: completeness asks the "
        "source's patches.": right[[1, 1]],
        "Each patch was compared with all over there, and all counted. Only the "
        "nearest does.": apart.mean().float().expand(2),
        "The worst patch alone decides: the mean over all of them is "
        "wanted.": torch.stack([forth.amax(), back.amax()]).float(),
        "The best patch alone decides: the mean over all of them is wanted, each with "
        "its own nearest.": torch.stack([forth.amin(), back.amin()]).float(),
        "The mean of each patch was taken off, as in chapter 01: here a patch that is "
        "darker is another patch.": _nearest(plain.square().mean(2)),
        "Patches beside one another were taken: all overlapping places "
        "count.": _nearest(coarse.square().mean(2)),
        "Absolute differences were averaged: squares are wanted, which make one large "
        "difference count more than many small ones.": _absolute(
            source, target, patch_size
        ),
    }


def _absolute(source: Image, target: Image, patch_size: int) -> Tensor:
    rows = extract_patches(source, patch_size).double()
    columns = extract_patches(target, patch_size).double()
    return _nearest((rows[:, None] - columns[None]).abs().mean(2))
