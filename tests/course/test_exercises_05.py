"""Chapter 05's exercises: planted mistakes, and right answers that look otherwise."""

import itertools
import re
from typing import Any

import numpy as np
import pytest
import torch

from dil_teach.classical.seams.seams import energy_map, find_seam
from dil_teach.course import check
from dil_teach.patches.extract import extract_patches

# ---- the seam


def table(energy, steps=(-1, 0, 1)):
    sums = [energy[0].tolist()]
    for row in energy[1:].tolist():
        above, width = sums[-1], len(row)
        sums.append(
            [
                row[x] + min(above[x + s] for s in steps if 0 <= x + s < width)
                if any(0 <= x + s < width for s in steps)
                else float("inf")
                for x in range(width)
            ]
        )
    return sums


def upwards(rows, start, steps=(-1, 0, 1)):
    seam = [start]
    for row in reversed(rows[:-1]):
        ways = [seam[-1] + s for s in steps if 0 <= seam[-1] + s < len(row)]
        seam.append(min(ways, key=row.__getitem__))
    return seam[::-1]


def least(row):
    return min(range(len(row)), key=row.__getitem__)


def right_seam(energy, steps=(-1, 0, 1)):
    sums = table(energy, steps)
    return torch.tensor(upwards(sums, least(sums[-1]), steps))


def every_path(energy):
    """All of them, for the check's small energies."""
    height, width = energy.shape
    if height * width > 24:
        return right_seam(energy)
    paths = [
        path
        for path in itertools.product(range(width), repeat=height)
        if all(abs(a - b) <= 1 for a, b in itertools.pairwise(path))
    ]
    rows = energy.tolist()
    return torch.tensor(
        min(paths, key=lambda path: sum(r[x] for r, x in zip(rows, path, strict=True)))
    )


def greedy(energy):
    rows = energy.tolist()
    return torch.tensor(upwards(rows[::-1], least(rows[0]))[::-1])


def up_by_energy(energy):
    sums = table(energy)
    return torch.tensor(upwards(energy.tolist(), least(sums[-1])))


def ends_at_least_energy(energy):
    return torch.tensor(upwards(table(energy), int(energy[-1].argmin())))


def round_the_border(energy):
    """`roll` instead of a border: the left neighbour of column 0 is the last one."""
    sums = [energy[0]]
    for row in energy[1:]:
        a = sums[-1]
        sums.append(row + torch.minimum(torch.minimum(a.roll(1), a), a.roll(-1)))
    seam = [int(sums[-1].argmin())]
    for row in reversed(sums[:-1]):
        ways = [(seam[-1] + s) % len(row) for s in (-1, 0, 1)]
        seam.append(min(ways, key=row.__getitem__))
    return torch.tensor(seam[::-1])


# ---- the score


def right_similarity(source, target, patch_size=7):
    a, b = extract_patches(source, patch_size), extract_patches(target, patch_size)
    apart = (a[:, None] - b[None]).square().mean(2)
    return apart.amin(1).mean(), apart.amin(0).mean()


def similarity_by(change):
    """The right table of distances, read otherwise."""

    def similarity(source, target, patch_size=7):
        a, b = extract_patches(source, patch_size), extract_patches(target, patch_size)
        return change((a[:, None] - b[None]).square().mean(2), a.shape[1])

    return similarity


def of_less_mean(source, target, patch_size=7):
    def bag(image):
        rows = extract_patches(image, patch_size)
        rows = rows.view(len(rows), len(image), -1)
        return (rows - rows.mean(2, keepdim=True)).flatten(1)

    apart = (bag(source)[:, None] - bag(target)[None]).square().mean(2)
    return apart.amin(1).mean(), apart.amin(0).mean()


def side_by_side(source, target, patch_size=7):
    a = extract_patches(source, patch_size, patch_size)
    b = extract_patches(target, patch_size, patch_size)
    apart = (a[:, None] - b[None]).square().mean(2)
    return apart.amin(1).mean(), apart.amin(0).mean()


def absolute(source, target, patch_size=7):
    a, b = extract_patches(source, patch_size), extract_patches(target, patch_size)
    apart = (a[:, None] - b[None]).abs().mean(2)
    return apart.amin(1).mean(), apart.amin(0).mean()


def other_default(source, target, patch_size=5):
    return right_similarity(source, target, patch_size)


MISTAKES: dict[str, dict[str, Any]] = {
    "least_seam": {
        "least pixel of each row": lambda e: e.argmin(1),
        "best next step": greedy,
        "you look at the energies": up_by_energy,
        "Which numbers say where": ends_at_least_energy,
        "from the bottom up": lambda e: right_seam(e).flip(0),
        "The way up has to be connected": lambda e: torch.tensor(
            [least(row) for row in table(e)]
        ),
        "pays most": lambda e: right_seam(-e),
        "straight column": lambda e: torch.full((len(e),), int(e.sum(0).argmin())),
        "never moves to the right": lambda e: right_seam(e, (-1, 0)),
        "never moves to the left": lambda e: right_seam(e, (0, 1)),
        "leave the picture on one side": round_the_border,
        "columns that it goes through": lambda e: min(table(e)[-1]),
        "one column for each row": lambda e: torch.tensor(table(e)),
        "from left to right": lambda e: right_seam(e.T),
        "whole numbers, and are used": lambda e: right_seam(e).float(),
        "one torch tensor": lambda e: right_seam(e).tolist(),
        "happens at its border": lambda e: right_seam(e) - 1,
        "is there a `return`": lambda e: None,
    },
    "similarity": {
        "changed places": lambda s, t, p=7: right_similarity(t, s, p),
        "summed over the patches": similarity_by(
            lambda d, n: (d.amin(1).sum(), d.amin(0).sum())
        ),
        "summed over a patch": similarity_by(
            lambda d, n: (n * d.amin(1).mean(), n * d.amin(0).mean())
        ),
        "square root": similarity_by(
            lambda d, n: (d.amin(1).sqrt().mean(), d.amin(0).sqrt().mean())
        ),
        "direction of completeness": similarity_by(
            lambda d, n: (d.amin(1).mean(), d.amin(1).mean())
        ),
        "direction of coherence": similarity_by(
            lambda d, n: (d.amin(0).mean(), d.amin(0).mean())
        ),
        "compared with all": similarity_by(lambda d, n: (d.mean(), d.mean())),
        "worst patch": similarity_by(lambda d, n: (d.amin(1).amax(), d.amin(0).amax())),
        "best patch": similarity_by(lambda d, n: (d.amin(1).amin(), d.amin(0).amin())),
        "as in chapter 01": of_less_mean,
        "all overlapping places": side_by_side,
        "Absolute": absolute,
        "should be 7": other_default,
        "Wanted are two": similarity_by(
            lambda d, n: d.amin(1).mean() + d.amin(0).mean()
        ),
        "over which axes": similarity_by(lambda d, n: (d.amin(1), d.amin(0))),
        "is there a `return`": lambda s, t, p=7: None,
    },
}


@pytest.mark.parametrize(
    ("name", "diagnosis"), [(name, d) for name in MISTAKES for d in MISTAKES[name]]
)
def test_a_mistake_gets_its_diagnosis(name, diagnosis):
    found = getattr(check, name)(MISTAKES[name][diagnosis])
    assert found.state == "not yet right", found
    assert re.search(diagnosis, found.message), found


# ---- other right answers than the chapter's own


def similarity_as_array(source, target, patch_size=7):
    return np.array(
        [float(value) for value in right_similarity(source, target, patch_size)]
    )


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("least_seam", right_seam),
        ("least_seam", every_path),
        ("least_seam", find_seam),
        ("least_seam", lambda e: right_seam(e.flip(1)).neg() + e.shape[1] - 1),
        ("least_seam", lambda e: right_seam(e).int()),
        ("similarity", right_similarity),
        ("similarity", similarity_as_array),
        (
            "similarity",
            lambda s, t, patch_size=7: list(right_similarity(s, t, patch_size)),
        ),
    ],
)
def test_right_answers_of_other_kinds_pass(name, answer):
    found = getattr(check, name)(answer)
    assert found.state == "passed", found


def test_of_equal_seams_any_will_do():
    flat = torch.zeros(4, 5)
    assert find_seam(energy_map(flat[None])).tolist() == [0, 0, 0, 0]
    found = check.least_seam(lambda e: right_seam(e.flip(1)).neg() + e.shape[1] - 1)
    assert found.state == "passed"


@pytest.mark.parametrize("name", MISTAKES)
def test_the_stub_is_not_done_yet(name):
    def stub(*arguments):
        raise NotImplementedError

    assert getattr(check, name)(stub).state == "not done yet"
