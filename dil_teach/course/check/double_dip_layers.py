"""Exercises of chapter 14: compositing, exclusion, two mixtures solved for layers."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dil_teach.course.check.engine import (
    Case,
    Exercise,
    NotYetRight,
    as_image,
    as_number,
    rand,
)

FRONT, BACK = rand(2, 3, 5, 6)
MASK = rand(1, 5, 6, seed=1)
ROW, PIXEL = torch.ones(1, 1, 4), torch.ones(1, 1, 1)


def _compose(front: Tensor, back: Tensor, mask: Tensor | float) -> Tensor:
    return mask * front + (1 - mask) * back


compose = Exercise(
    "compose",
    _compose,
    [
        Case(
            (ROW, 0.2 * ROW, torch.tensor([[[1.0, 0.0, 0.5, 0.25]]])),
            wanted=torch.tensor([[[1.0, 0.2, 0.6, 0.4]]]),
        ),
        Case((BACK, BACK, MASK), "Do the two fractions of each pixel add up to 1?"),
        Case((FRONT, BACK, MASK)),
    ],
    {
        "Front and back are swapped. Where the mask is 1, you should see the "
        "front.": lambda f, b, m: _compose(b, f, m),
        "The back shines through where the front should cover it. What fraction does "
        "the back have?": lambda f, b, m: m * f + b,
        "The back is missing outside the mask.": lambda f, b, m: m * f,
        "The mask was rounded to 0 or 1. A pixel on an outline belongs to both "
        "layers.": lambda f, b, m: _compose(f, b, (m > 0.5).float()),
        "Both layers have the same fraction. How much is left for the "
        "back?": lambda f, b, m: m * (f + b),
    },
    "This one line is the model of every application. A mask, a coefficient and a "
    "transmission all say how much of the front is seen.",
)


# ---- exclusion


def _strength(edges: Tensor, times: float = 2) -> Tensor:
    return torch.tanh(edges.abs() / (times * edges.abs().mean()).clamp_min(1e-6))


def _product(x: Tensor, y: Tensor) -> Tensor:
    return _strength(x) * _strength(y)


def _both(measure: Callable, axes: tuple = (1, 2)) -> Callable[..., Tensor]:
    """The mean over the directions of a measure of the differences of neighbours."""
    return lambda a, b: torch.stack(
        [measure(a.diff(dim=axis), b.diff(dim=axis)).mean() for axis in axes]
    ).mean()


_exclusion = _both(_product)


def _one_mean(a: Tensor, b: Tensor) -> Tensor:
    x, y = (torch.cat([i.diff(dim=d).flatten() for d in (1, 2)]) for i in (a, b))
    return _product(x, y).mean()


EDGES = torch.tensor([0.0, 0.0, 0.7, 0.7, 0.7, 0.0, 0.0, 0.0]).expand(1, 3, 8)
WEAK = 0.8 * FRONT[:, :, :1] + 0.2 * (FRONT > 0.8)  # few edges across, and weak ones
FLAT = "Two neighbours without an edge between them should get no gradient."

exclusion = Exercise(
    "exclusion",
    _exclusion,
    [
        Case(
            (EDGES, EDGES),
            "Each row of both is [0, 0, .7, .7, .7, 0, 0, 0]. Across, two of the seven "
            "differences are .7, and the mean of all is .2. So tanh(.7 / .4) is .941, "
            "and the mean of the squares is .253. Downwards there are no edges, which "
            "gives 0.",
        ),
        Case((WEAK, BACK)),
        Case((0.25 * WEAK, BACK), "A quarter of the contrast should not change it."),
        Case((0 * BACK + 0.5, BACK), "A layer of one colour has no edges.", leak=FLAT),
        Case((WEAK, BACK), leak=FLAT),
    ],
    {
        "The edges are used as they are, so a pale layer counts less. Divide the edges "
        "of each layer by twice their mean.": _both(lambda x, y: (x * y).abs()),
        "The edges were passed to `tanh`, but not divided by twice their mean "
        "first.": _both(lambda x, y: (x.tanh() * y.tanh()).abs()),
        "The edges are divided by their mean, but not passed to `tanh`, so the "
        "strongest edge outweighs all others.": _both(
            lambda x, y: (x * y).abs() / (4 * x.abs().mean() * y.abs().mean() + 1e-9)
        ),
        "The edges are divided by their mean. Divide by twice the mean.": _both(
            lambda x, y: _strength(x, 1) * _strength(y, 1)
        ),
        "The products are summed. Take the mean, which does not depend on the size of "
        "the layers.": _both(lambda x, y: _product(x, y).sum()),
        "Edges across are not counted.": _both(_product, (1,)),
        "Edges downwards are not counted.": _both(_product, (2,)),
        "The two directions were added. Take their mean.": lambda a, b: (
            2 * _exclusion(a, b)
        ),
        "All edges of a layer were divided by one mean. Edges down and edges across "
        "each have their own mean.": _one_mean,
        "The edges keep their signs, so edges in the same and in opposite directions "
        "cancel each other.": _both(lambda x, y: (x * y).sign() * _product(x, y)),
        "The strengths were added. Which operation gives 0 unless both layers have an "
        "edge?": _both(lambda x, y: _strength(x) + _strength(y)),
        "A root was taken at the end. Return the mean itself.": lambda a, b: _exclusion(
            a, b
        ).sqrt(),
    },
    "A pale reflection is excluded like a strong one. A layer without edges would cost "
    "nothing, but the reconstruction loss prevents this escape.",
    as_number,
    tolerance=1e-2,  # for the ways to keep the division finite
)


# ---- solve_mixtures


def _solve(first: Tensor, second: Tensor, a1: float, a2: float, by: Any = None) -> Any:
    difference = (first - second) / (by or a1 - a2)
    return first + (1 - a1) * difference, second - a2 * difference


def _as_layers(result: Any, wanted: Any, *arguments: Any) -> Tensor:
    if not isinstance(result, tuple | list | Tensor) or len(result) != 2:
        raise NotYetRight(
            "The result should be two layers, `return x, y`. First comes the layer "
            "whose fractions are `a1` and `a2`."
        )
    return torch.stack([as_image(*pair) for pair in zip(result, wanted, strict=True)])


def _mixed(*shares: float) -> tuple:
    return (*(_compose(FRONT, BACK, share) for share in shares), *shares)


solve_mixtures = Exercise(
    "solve_mixtures",
    _solve,
    [
        Case(
            (0.65 * PIXEL, 0.5 * PIXEL, 0.75, 0.5),
            "The equations are 0.75 x + 0.25 y = 0.65 and 0.5 x + 0.5 y = 0.5.",
            wanted=(0.8 * PIXEL, 0.2 * PIXEL),
        ),
        *(
            Case(_mixed(*shares), "Which of the two equations fails?", (FRONT, BACK))
            for shares in ((0.7, 0.35), (0.2, 0.9), (1.0, 0.5), (0.5, 1.0), (0.6, 0.0))
        ),
        Case(
            (FRONT, BACK, 0.6, 0.45),
            "Here the coefficients are slightly wrong, so "
            "values outside 0 to 1 are right.",
        ),
    ],
    {
        "The two layers are swapped. First comes x, whose fractions are `a1` and "
        "`a2`.": lambda *given: _solve(*given)[::-1],
        "The difference has the wrong sign, so each layer becomes more like the "
        "other.": lambda f, s, a1, a2: _solve(f, s, a1, a2, a2 - a1),
        "a1 and a2 are swapped.": lambda f, s, a1, a2: _solve(f, s, a2, a1),
        "The difference is divided by a1 + a2. What is first - second in terms of x "
        "and y?": lambda f, s, a1, a2: _solve(f, s, a1, a2, a1 + a2),
        "Your y is still the second mixture. Like x, it needs a "
        "correction.": lambda f, s, *a: (_solve(f, s, *a)[0], s),
        "Your x is still the first mixture. Like y, it needs a "
        "correction.": lambda f, s, *a: (f, _solve(f, s, *a)[1]),
        "These are the two mixtures. No layer was removed from "
        "either.": lambda f, s, *a: (f, s),
        "The layers are cut off at 0 and 1. Values outside are your only sign of wrong "
        "coefficients, so keep "
        "them.": lambda *given: [x.clamp(0, 1) for x in _solve(*given)],
    },
    "No network is needed for this. Division by a1 - a2 also amplifies the noise, for "
    "0.7 and 0.35 by up to 2.2.",
    _as_layers,
)
