"""Exercises of chapter 14: exclusion, and two mixtures separated by a search."""

from collections.abc import Callable
from functools import partial
from operator import add, sub
from typing import Any

import torch
from torch import Tensor

from dil_teach.classical.exclusion_search import edges
from dil_teach.course.check.engine import (
    Case,
    Exercise,
    NotYetRight,
    as_image,
    as_number,
    rand,
)

FRONT, BACK = rand(2, 3, 5, 6)
PIXEL = torch.ones(1, 1, 1)


# ---- exclusion


def _strength(edges: Tensor, times: float = 2) -> Tensor:
    return torch.tanh(edges.abs() / (times * edges.abs().mean()).clamp_min(1e-6))


def _exclusion(
    strength: Callable = _strength,
    product: Callable = lambda x, y: (x * y).mean(),
    axes: tuple = (1, 2),
    over: Callable = torch.mean,
) -> Callable[..., Tensor]:
    """Make an exclusion loss with another edge strength, product, axes or mean."""

    def exclusion(a: Tensor, b: Tensor) -> Tensor:
        pairs = [[strength(x.diff(dim=axis)) for x in (a, b)] for axis in axes]
        return over(torch.stack([product(x, y) for x, y in pairs]))

    return exclusion


EDGES = torch.tensor([0.0, 0.0, 0.5, 0.5, 0.0, 0.0]).expand(1, 2, 6)
WEAK = 0.8 * FRONT[:, :, :1] + 0.2 * (FRONT > 0.8)  # few and weak differences across
FLAT = "Two pixels without an edge between them should get no gradient."

exclusion = Exercise(
    "exclusion",
    _exclusion(),
    [
        Case(
            (EDGES, EDGES),
            "Two of the five horizontal differences are .5; the mean of all five is "
            ".2. The strength is tanh(.5 / .4) = .848. All vertical differences are 0.",
        ),
        Case((WEAK, BACK), leak=FLAT),
        Case((0.25 * WEAK, BACK), "Less contrast should not change the loss."),
        Case((0 * BACK + 0.5, BACK), "A layer of one colour has no edges.", leak=FLAT),
    ],
    {
        "Divide the edges by twice their mean; take `tanh`.": _exclusion(torch.abs),
        "Divide by twice the mean before `tanh`.": _exclusion(lambda e: e.abs().tanh()),
        "You divide the edges by their mean, but without `tanh`, one edge outweighs "
        "the others.": _exclusion(lambda e: e.abs() / (2 * e.abs().mean() + 1e-6)),
        "Divide edges by *twice* their mean.": _exclusion(lambda e: _strength(e, 1)),
        "Take the mean, not the sum.": _exclusion(product=lambda x, y: (x * y).sum()),
        "Your loss ignores the horizontal differences.": _exclusion(axes=(1,)),
        "Your loss ignores the vertical differences.": _exclusion(axes=(2,)),
        "Take the mean of the two directions, not the sum.": _exclusion(over=torch.sum),
        "You divide all differences of a layer by one mean. Use one mean for the "
        "vertical differences, and another mean for the horizontal "
        "differences.": lambda a, b: (_strength(edges(a)) * _strength(edges(b))).mean(),
        "Use absolute differences.": _exclusion(lambda e: e.sign() * _strength(e)),
        "You add the strengths. Which operation gives 0 unless both layers have an "
        "edge?": _exclusion(product=lambda x, y: (x + y).mean()),
        "Do not take a root.": _exclusion(over=lambda means: means.mean().sqrt()),
    },
    "Your loss is the same for pale and for strong reflections. For a layer without "
    "edges, your loss is 0, but the reconstruction loss prevents such a layer.",
    as_number,
    tolerance=1e-2,  # right answers avoid a division by 0 in different ways
)


# ---- separate_by_search


def _solve(
    first: Tensor, second: Tensor, a1: float, a2: float, by: Callable = sub
) -> Any:
    difference = (first - second) / by(a1, a2)
    return first + (1 - a1) * difference, second - a2 * difference


def _search(solve: Callable = _solve, choose: Callable = min) -> Callable:
    """Make a search with another solution, or another choice among the pairs."""

    def separate(
        first: Tensor, second: Tensor, pairs: list[tuple[float, float]], loss: Callable
    ) -> Any:
        best = choose(
            pairs, key=lambda pair: float(loss(*_solve(first, second, *pair)))
        )
        return solve(first, second, *best)

    return separate


def _as_layers(result: Any, wanted: Any, *arguments: Any) -> Tensor:
    many = isinstance(result, tuple | list) or getattr(result, "ndim", 0) == 4
    if not many or len(result) != 2:
        raise NotYetRight("The result should be two layers, `return x, y`.")
    return torch.stack([as_image(*pair) for pair in zip(result, wanted, strict=True)])


def _far(x: Tensor, y: Tensor) -> Tensor:
    """A loss that is 0 for the true layers and grows with the distance from them."""
    return (x - FRONT).abs().mean() + (y - BACK).abs().mean()


def _mixed(*pairs: tuple[float, float]) -> tuple:
    """Arguments; the mixtures have the second pair of coefficients."""
    mixtures = [a * FRONT + (1 - a) * BACK for a in pairs[1]]
    return *mixtures, list(pairs), _far


WHICH = "Which of the two equations fails, or which pair did you choose?"

separate_by_search = Exercise(
    "separate_by_search",
    _search(),
    [
        Case(
            (0.65 * PIXEL, 0.5 * PIXEL, [(0.75, 0.5)], lambda x, y: 0.0),
            "There is one pair: 0.75 x + 0.25 y is 0.65, and 0.5 x + 0.5 y is 0.5.",
        ),
        Case(_mixed((0.72, 0.3), (0.7, 0.35), (0.9, 0.1), (0.8, 0.2)), WHICH),
        Case(_mixed((0.25, 0.8), (0.2, 0.9), (0.4, 0.6), (0.3, 0.7)), WHICH),
        Case(
            (FRONT, BACK, [(0.6, 0.45)], _exclusion()), "Values outside [0, 1] count."
        ),
    ],
    {
        "Your two layers are swapped. Return x first.": _search(
            lambda *g: _solve(*g)[::-1]
        ),
        "One difference has the wrong sign.": _search(
            partial(_solve, by=lambda a, b: b - a)
        ),
        "You swapped a1 and a2.": _search(lambda f, s, a1, a2: _solve(f, s, a2, a1)),
        "You divide by a1 + a2. What is first - second?": _search(
            partial(_solve, by=add)
        ),
        "Your y is still the second mixture.": _search(
            lambda *g: (_solve(*g)[0], g[1])
        ),
        "Your x is still the first mixture.": _search(lambda *g: (g[0], _solve(*g)[1])),
        "You return the mixtures, not the layers.": _search(lambda *g: g[:2]),
        "You keep the pair with the *largest* loss.": _search(choose=max),
        "You return the layers of the last pair. Keep the best pair so far.": _search(
            choose=lambda pairs, key: pairs[-1]
        ),
        "You return the layers of the first pair. Compare the losses of all "
        "pairs.": _search(choose=lambda pairs, key: pairs[0]),
        "Do not clip the layers to [0, 1]. Values outside are a sign of wrong "
        "coefficients.": _search(lambda *g: [x.clamp(0, 1) for x in _solve(*g)]),
    },
    "A formula gives the layers, so only two numbers are unknown. The next cells use "
    "your function.",
    _as_layers,
)
