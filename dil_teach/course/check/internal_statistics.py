"""Exercises of chapter 02: the crossing of two errors, and the entropy of patches."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from dil_teach.course.check.engine import Case, Exercise, as_number, rand

# ---- crossing


def _first(reached: Tensor) -> int:
    places = reached.nonzero()
    return int(places[0]) + 1 if len(places) else len(reached) + 1


def _crossing(outside: Tensor, inside: Tensor) -> int:
    best = outside.cummin(0).values
    return _first(best.mean(1) <= inside.mean())


def _without_cummin(outside: Tensor, inside: Tensor) -> int:
    return _first(outside.mean(1) <= inside.mean())


def _running_mean(outside: Tensor, inside: Tensor) -> int:
    number = torch.arange(1.0, len(outside) + 1)[:, None]
    return _first((outside.cumsum(0) / number).mean(1) <= inside.mean())


GROWING = torch.tensor([[9.0, 1.0], [7.0, 8.0], [4.0, 9.0], [3.0, 2.0]]) / 100
LEVEL = torch.tensor([2.0, 3.0]) / 100
FEW = torch.tensor([[1.0, 16.0, 1.0], [1.0, 4.0, 1.0], [1.0, 1.0, 1.0]]) / 100
UNEVEN = torch.tensor([1.0, 2.25, 1.0]) / 100

crossing = Exercise(
    "crossing",
    _crossing,
    [
        Case(
            (GROWING, LEVEL),
            "With three pictures, the smallest errors are 0.04 and 0.01.",
            wanted=3,
        ),
        Case((GROWING[:2], LEVEL), "Two pictures are too few.", wanted=3),
        Case((FEW, UNEVEN), wanted=3),
        Case((GROWING, 10 * LEVEL), "One picture is enough.", wanted=1),
        Case((rand(40, 30), rand(30, seed=1) / 9)),
        Case((rand(6, 30, seed=2), rand(30, seed=3) / 2)),
    ],
    {
        "Your count starts at 0. Row 0 belongs to one picture.": lambda o, i: (
            _crossing(o, i) - 1
        ),
        "You use the errors of one picture at a time. With n pictures, a patch has its "
        "smallest error in the first n pictures.": _without_cummin,
        "You average over the pictures. The best picture counts, not the mean "
        "picture.": _running_mean,
        "You ask that every patch is at least as good as inside. The exercise asks for "
        "the mean over the patches.": lambda o, i: _first(
            (o.cummin(0).values <= i).all(1)
        ),
        "You compare the median patch. Take the mean of the squared errors.": (
            lambda o, i: _first(o.cummin(0).values.median(1).values <= i.median())
        ),
        "You take the root of each error before the mean. Take the mean first.": (
            lambda o, i: _first(o.cummin(0).values.sqrt().mean(1) <= i.sqrt().mean())
        ),
        "If all pictures are too few, return the number of pictures plus one.": (
            lambda o, i: min(_crossing(o, i), len(o))
        ),
    },
    "On average, this many external pictures are as good as the image itself.",
    as_number,
)


# ---- neighbour_entropy


def _entropy(
    samples: Tensor,
    k: int,
    rank: int = 1,
    ball: Callable[[int], float] = lambda d: (
        d / 2 * math.log(math.pi) - math.lgamma(d / 2 + 1)
    ),
    count: Callable[[int], float] = float,
    exponent: Callable[[int], float] = float,
    unit: float = math.log(2),
) -> float:
    """The estimate, with replaceable parts for mistakes."""
    n, d = samples.shape
    distance = torch.cdist(samples.double(), samples.double())
    nearest = distance.kthvalue(k + rank, dim=1).values.clamp_min(1e-12)
    psi = torch.digamma(torch.tensor([count(n), float(k)], dtype=torch.float64))
    nats = psi[0] - psi[1] + ball(d) + exponent(d) * nearest.log().mean()
    return float(nats) / unit


LINE = torch.tensor([[0.0], [1.0], [4.0]])
CLOUD, WIDE = rand(60, 3), rand(50, 2, seed=1) * torch.tensor([9.0, 2.0])

neighbour_entropy = Exercise(
    "neighbour_entropy",
    _entropy,
    [
        Case(
            (LINE, 1),
            "The nearest distances are 1, 1 and 3; psi(3) - psi(1) = 3/2, and c_1 = 2.",
            wanted=(1.5 + math.log(2) + math.log(3) / 3) / math.log(2),
        ),
        Case(
            (8 * LINE, 1),
            "Eight times the values, in one dimension, add three bits.",
            wanted=(1.5 + math.log(2) + math.log(3) / 3) / math.log(2) + 3,
        ),
        Case((CLOUD, 1), "Here, d is 3."),
        Case((CLOUD, 4), "Here, k is 4."),
        Case((WIDE, 3)),
    ],
    {
        "Your nearest neighbour is the sample itself, at distance 0.": partial(
            _entropy, rank=0
        ),
        "Your result is in nats. Divide by the logarithm of 2.": partial(
            _entropy, unit=1.0
        ),
        "You use the neighbour after the k-th one.": partial(_entropy, rank=2),
        "You always use the nearest neighbour. Use the k-th one.": lambda s, k: (
            _entropy(s, 1)
            + float(torch.digamma(torch.tensor(1.0)) - torch.digamma(torch.tensor(k)))
            / math.log(2)
        ),
        "The mean logarithm of the distances is multiplied by d.": partial(
            _entropy, exponent=lambda d: 1.0
        ),
        "You leave out the volume of the unit ball.": partial(
            _entropy, ball=lambda d: 0.0
        ),
        "The volume of the unit ball has the factor 1 / Gamma(d/2 + 1), not "
        "1 / Gamma(d/2).": partial(
            _entropy,
            ball=lambda d: d / 2 * math.log(math.pi) - math.lgamma(d / 2),
        ),
        "The first term is psi(n), not psi(n - 1).": partial(
            _entropy, count=lambda n: n - 1.0
        ),
        "You swapped psi(n) and psi(k).": lambda s, k: (
            _entropy(s, k)
            - 2
            * float(
                torch.digamma(torch.tensor(float(len(s))))
                - torch.digamma(torch.tensor(float(k)))
            )
            / math.log(2)
        ),
    },
    "Near neighbours mean a low entropy.",
    as_number,
)
