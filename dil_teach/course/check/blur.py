"""Exercises of chapter 07: the kernel by least squares, and the error ratio."""

from collections.abc import Callable, Sequence
from functools import partial
from math import log10

import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach.classical.deblur.error_ratio import moved
from dil_teach.course.check.engine import Case, Exercise, as_number, rand

# ---- update_kernel


def _windows(sharp: Tensor, size: int) -> Tensor:
    return F.unfold(sharp[None, None], size)[0].T


def _update(
    sharp: Tensor,
    blurred: Tensor,
    size: int,
    ridge: float,
    windows: Callable = _windows,
    start: Callable = torch.eye,
) -> Tensor:
    """The solution of the normal equations, with replaceable parts for mistakes."""
    rows = windows(sharp, size)
    gram = rows.T @ rows + ridge * start(size**2)
    right = rows.T @ blurred.flatten()
    return torch.linalg.solve(gram, right).view(size, size)


def _blurred(sharp: Tensor, kernel: Tensor) -> Tensor:
    return F.conv2d(sharp[None, None], kernel[None, None])[0, 0]


POINT = F.pad(torch.ones(1, 1), (2, 2, 2, 2))
COUNT = torch.arange(1.0, 10).view(3, 3) / 45
LOPSIDED = torch.tensor([[0, 0, 3], [1, 2, 0], [0, 4, 0]]) / 10
SCENES = rand(12, 14), rand(12, 14, seed=1)
GOAL = "Blurred with your kernel, the sharp picture should be the blurred picture."

update_kernel = Exercise(
    "update_kernel",
    _update,
    [
        Case(
            (POINT, COUNT.flip(0, 1), 3, 0.0),
            "The sharp picture is one white pixel, so each pixel of `blurred` is one "
            "weight. Which weight does its top left pixel hold?",
            wanted=COUNT,
        ),
        Case((POINT, COUNT.flip(0, 1), 3, 1.0), "Here, ridge is 1.", wanted=COUNT / 2),
        Case((SCENES[0], _blurred(SCENES[0], LOPSIDED), 3, 0.0), GOAL, wanted=LOPSIDED),
        Case((SCENES[0], _blurred(SCENES[1], LOPSIDED), 3, 2.0)),
        Case((rand(16, 15), rand(12, 11, seed=2), 5, 0.5), "Here, size is 5."),
    ],
    {
        "Your kernel is turned by 180 degrees. The weights are those of a correlation, "
        "not of a convolution.": lambda *g: _update(*g).flip(0, 1),
        "Your kernel is transposed.": lambda *g: _update(*g).mT,
        "You do not use `ridge`.": lambda x, y, n, _: _update(x, y, n, 0.0),
        "Add `ridge` only to the diagonal of the matrix: it multiplies each squared "
        "weight, and not the products of two weights.": partial(
            _update, start=lambda n: torch.ones(n, n)
        ),
        "The ridge should be `ridge`, not its square.": lambda x, y, n, r: _update(
            x, y, n, r**2
        ),
        "The ridge should be `ridge`, not half of it.": lambda x, y, n, r: _update(
            x, y, n, r / 2
        ),
        "You multiply the windows with the blurred picture, but you do not solve for "
        "the kernel.": lambda x, y, n, _: (_windows(x, n).T @ y.flatten()).view(n, n),
        "Do not divide the kernel by its sum.": lambda *g: (
            _update(*g) / _update(*g).sum()
        ),
        "Do not remove negative weights here.": lambda *g: _update(*g).clamp_min(0),
        "You remove the mean of each window. Do not change the windows.": partial(
            _update,
            windows=lambda x, n: _windows(x, n) - _windows(x, n).mean(1, keepdim=True),
        ),
    },
    "From a sharp and a blurred picture, the kernel follows by one linear system.",
    tolerance=1e-3,
)


# ---- error_ratio


Shifts = Sequence[tuple[float, float]]
BORDER = 8


def _least(image: Tensor, truth: Tensor, shifts: Shifts, border: int = BORDER) -> float:
    inside = (..., slice(border, -border or None), slice(border, -border or None))
    errors = [(moved(image, s) - truth)[inside].square().sum() for s in shifts]
    return float(min(errors))


def _ratio(
    blind: Tensor,
    reference: Tensor,
    truth: Tensor,
    shifts: Shifts,
    border: int = BORDER,
) -> float:
    best = _least(blind, truth, shifts, border)
    return best / _least(reference, truth, shifts, border)


def _scene() -> Tensor:
    rows, columns = torch.meshgrid(*(torch.arange(32.0),) * 2, indexing="ij")
    waves = torch.sin(rows / 2) + torch.cos(columns / 3 + rows / 5)
    return (0.5 + 0.2 * waves)[None]


TRUTH = _scene()
STAY, AROUND = (
    [(0.0, 0.0)],
    [(y / 2, x / 2) for y in range(-2, 3) for x in range(-2, 3)],
)
NOISE = rand(1, 32, 32, seed=3) / 10
NEAR, FAR = TRUTH + NOISE, moved(TRUTH + 2 * NOISE.flip(1), (0.5, -1.0))
FRAMED = TRUTH + F.pad(NOISE[:, 8:-8, 8:-8], (8, 8, 8, 8), value=1.0)


def _absolute(blind: Tensor, reference: Tensor, truth: Tensor, shifts: Shifts) -> float:
    inside = (..., slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    least = [
        min(float((moved(i, s) - truth)[inside].abs().sum()) for s in shifts)
        for i in (blind, reference)
    ]
    return least[0] / least[1]


error_ratio = Exercise(
    "error_ratio",
    _ratio,
    [
        Case(
            (TRUTH + 2 * NOISE, TRUTH + NOISE, TRUTH, STAY),
            "The error of each pixel is twice that of the reference.",
            wanted=4.0,
        ),
        Case((FRAMED, NEAR, TRUTH, STAY), "Is a border of 8 pixels left out?"),
        Case((FAR, NEAR, TRUTH, AROUND), "Do you try all shifts, for both pictures?"),
        Case((NEAR, FAR, TRUTH, AROUND)),
    ],
    {
        "Use the squared error, not its root.": lambda *g: _ratio(*g) ** 0.5,
        "Use squared errors, not absolute errors.": _absolute,
        "Divide the error of `blind` by that of `reference`, not the other way "
        "round.": lambda b, r, t, s: _ratio(r, b, t, s),
        "Return the ratio, not its logarithm.": lambda *g: 10 * log10(_ratio(*g)),
        "You compare the border as well. Leave out 8 pixels on each side.": partial(
            _ratio, border=0
        ),
        "You do not use the shifts.": lambda b, r, t, _: _ratio(b, r, t, STAY),
        "You take the first shift. Take the best one.": lambda b, r, t, s: _ratio(
            b, r, t, s[:1]
        ),
        "You move only the blind picture. Move the reference, too, so that both are "
        "treated alike.": lambda b, r, t, s: _least(b, t, s) / _least(r, t, STAY),
        "You take the worst shift. Take the best one.": lambda b, r, t, s: (
            max(_least(b, t, [x]) for x in s) / max(_least(r, t, [x]) for x in s)
        ),
    },
    "A ratio of 1 says that the estimated kernel is as good as the true kernel.",
    as_number,
    tolerance=1e-3,
)
