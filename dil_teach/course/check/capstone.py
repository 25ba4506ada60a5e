"""Exercises of chapter 16: a failure map, and a verdict from paired differences."""

from collections.abc import Callable
from functools import partial
from math import sqrt
from typing import Any

import torch
import torch.nn.functional as F
from scipy.special import stdtrit
from torch import Tensor

from dil_teach.course.check.engine import Case, Exercise, NotYetRight, rand

# ---- failure_map

FLOOR = (1 / 255) ** 2


def _local(error: Tensor, size: int) -> Tensor:
    return F.avg_pool2d(error[None, None], size, stride=1)[0, 0]


def _decibels(ratio: Tensor) -> Tensor:
    return 10 * ratio.log10()


def _failure_map(
    error: Tensor,
    control: Tensor,
    size: int,
    local: Callable = _local,
    floor: float = FLOOR,
    scale: Callable = _decibels,
) -> Tensor:
    """The map, with replaceable parts for mistakes."""
    return scale((local(error, size) + floor) / (local(control, size) + floor))


def _pixel_by_pixel(error: Tensor, control: Tensor, size: int) -> Tensor:
    return _local(_decibels((error + FLOOR) / (control + FLOOR)), size)


def _ratio_first(error: Tensor, control: Tensor, size: int) -> Tensor:
    return _decibels(_local((error + FLOOR) / (control + FLOOR), size))


ONE, LARGE = rand(9, 11) / 100, rand(9, 11, seed=1) / 10
EQUAL = torch.full((3, 3), 0.01)
SAME = "Where both errors are equal, the map should be 0."

failure_map = Exercise(
    "failure_map",
    _failure_map,
    [
        Case((EQUAL, EQUAL, 3), SAME, wanted=torch.zeros(1, 1)),
        Case(
            (torch.full((3, 3), 19 * FLOOR), torch.full((3, 3), FLOOR), 3),
            "Here, the local means are 19 floors and 1 floor. With the floor, their "
            "ratio is 20 / 2 = 10.",
            wanted=torch.full((1, 1), 10.0),
        ),
        Case((ONE, LARGE, 3)),
        Case((LARGE, ONE, 5), "Here, size is 5."),
    ],
    {
        "Your signs are exchanged: the map is positive where the *method* has the "
        "larger error.": lambda e, c, n: -_failure_map(e, c, n),
        "You do not add the floor. Without it, two invisible errors can have any "
        "ratio.": partial(_failure_map, floor=0.0),
        "The floor is one grey level *squared*, because the errors are squared.": (
            partial(_failure_map, floor=1 / 255)
        ),
        "You take the logarithm of each pixel, and then the mean. Take the local mean "
        "of the errors first: one pixel is nearly all chance.": _pixel_by_pixel,
        "You take the ratio of each pixel, and then the mean. Take the local means of "
        "both errors first.": _ratio_first,
        "You sum over the window. Take the mean, so that the floor has the same weight "
        "for each size.": partial(_failure_map, local=lambda e, n: n**2 * _local(e, n)),
        "The errors are squared already, so the factor of decibels is 10, not 20.": (
            partial(_failure_map, scale=lambda r: 20 * r.log10())
        ),
        "Use the logarithm to the base 10.": partial(
            _failure_map, scale=lambda r: 10 * r.log()
        ),
        "You do not multiply the logarithm by 10.": partial(
            _failure_map, scale=torch.log10
        ),
        "Take the ratio of both errors, not their difference.": lambda e, c, n: (
            10 * (_local(e, n) - _local(c, n))
        ),
        "You take the largest error of each window, not the mean.": partial(
            _failure_map,
            local=lambda e, n: F.max_pool2d(e[None, None], n, stride=1)[0, 0],
        ),
    },
    "Your map shows where the method is worse than the control, and by how much.",
)


# ---- verdict

WORDS = {"loses": -1.0, "undecided": 0.0, "wins": 1.0}


def _as_verdict(result: Any, *others: Any) -> float:
    if isinstance(result, str) and result in WORDS:
        return WORDS[result]
    raise NotYetRight(
        f'Return one of the words "wins", "loses" and "undecided", not {result!r:.60}.'
    )


def _t(freedom: int, share: float = 0.975) -> float:
    """A quantile of Student's t. (To import ``scipy.stats`` takes a second.)"""
    return float(stdtrit(freedom, share))


def _decide(mean: float, margin: float) -> str:
    return "wins" if mean > margin else "loses" if mean < -margin else "undecided"


def _verdict(
    method: Tensor,
    control: Tensor,
    t: Callable[[int], float] = lambda n: _t(n - 1),
    error: Callable = lambda d: d.std() / sqrt(len(d)),
) -> str:
    """The verdict, with replaceable parts for mistakes."""
    difference = method.double() - control.double()
    return _decide(
        float(difference.mean()), t(len(difference)) * float(error(difference))
    )


def _unpaired(method: Tensor, control: Tensor) -> str:
    a, b, n = method.double(), control.double(), len(method)
    error = sqrt(float(a.var() + b.var()) / n)
    return _decide(float(a.mean() - b.mean()), _t(n - 1) * error)


def _majority(method: Tensor, control: Tensor) -> str:
    return _decide(float((method - control).sign().sum()), 0.0)


def _agree(method: Tensor, control: Tensor) -> str:
    signs = (method - control).sign()
    return _decide(float(signs.mean()), 0.999)


def _case(hint: str, differences: list[float], wanted: str, *control: float) -> Case:
    """Scores with these differences; by default, the control always has 20 dB."""
    base = torch.tensor(control or (20.0,) * len(differences)).float()
    return Case((base + torch.tensor(differences), base), hint, wanted=wanted)


def _three(mean: float, wanted: str) -> Case:
    """Three differences with standard deviation 0.3, so the interval is mean ± 0.75."""
    hint = f"The interval of the mean difference is {mean:.2f} ± 0.75 dB."
    return _case(hint, [mean - 0.3, mean, mean + 0.3], wanted)


verdict = Exercise(
    "verdict",
    _verdict,
    [
        _case("All differences are near 1.", [1, 1.1, 0.9], "wins", 20, 24, 28),
        _case("All differences are near -1.", [-1, -1.1, -0.9], "loses", 20, 24, 28),
        _case(
            "Two small gains do not make up for a large loss.", [1, 1, -9], "undecided"
        ),
        _case("Two large gains, and one small loss.", [3, 3, -0.1], "undecided"),
        _three(0.10, "undecided"),
        _three(0.23, "undecided"),
        _three(0.32, "undecided"),
        _three(0.42, "undecided"),
        _three(0.53, "undecided"),
        _three(0.58, "undecided"),
        _three(0.67, "undecided"),
        _three(1.00, "wins"),
        _case("With two seeds, t is 12.7.", [0.5, 0.6], "undecided"),
        _case("Both always have the same score.", [0, 0], "undecided", 20, 24),
    ],
    {
        'Your words are exchanged: a method "wins" if its scores are larger.': (
            lambda a, b: _verdict(b, a)
        ),
        "You compare the means only. Is the difference larger than its uncertainty?": (
            partial(_verdict, error=lambda d: 0.0)
        ),
        "You let the seeds vote. How large are their differences?": _majority,
        "You ask for the same sign in all seeds. Three equal signs come from chance in "
        "a quarter of all cases.": _agree,
        "You compare the spread of each method. Subtract the scores of a seed first, "
        "so that what the seed changes for both is gone.": _unpaired,
        "You compare with one standard deviation of the differences. Use t times the "
        "standard error.": partial(_verdict, t=lambda n: 1.0, error=torch.std),
        "You forget to divide the standard deviation by the root of n.": partial(
            _verdict, error=torch.std
        ),
        "You do not multiply the standard error by t.": partial(
            _verdict, t=lambda n: 1.0
        ),
        "You take t for many seeds, 1.96. For n seeds, there are n - 1 degrees of "
        "freedom.": partial(_verdict, t=lambda n: 1.96),
        "There are n - 1 degrees of freedom, not n.": partial(_verdict, t=_t),
        "Take the 97.5 percent point of t: 2.5 percent remain on each side.": partial(
            _verdict, t=lambda n: _t(n - 1, 0.95)
        ),
        "Divide the sum of squares by n - 1, not by n.": partial(
            _verdict, error=lambda d: d.std(correction=0) / sqrt(len(d))
        ),
    },
    "Your verdict needs a difference that is larger than its uncertainty.",
    _as_verdict,
)
