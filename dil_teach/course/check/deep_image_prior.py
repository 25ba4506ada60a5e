"""Exercises of chapter 13: the stopping rule, one loss for three kinds of damage."""

from collections.abc import Callable
from functools import partial
from operator import le, lt
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach.course.check.engine import Case, Exercise, as_number, rand
from dil_teach.image.resize import resize

# ---- stopping_step


def _kept(variances: Tensor, patience: int, less: Callable = lt) -> int:
    best = 0
    for step, variance in enumerate(variances):
        if less(variance, variances[best]):
            best = step
        elif step - best >= patience:
            break
    return best + 1


BY_HAND = torch.tensor([5, 4, 5, 3, 4, 4, 4, 2, 4, 4, 4, 4, 1]) / 10
FALLING, EQUAL = torch.tensor([8.0, 6, 5, 2]), torch.tensor([3.0, 2, 2, 2, 2, 2, 1])
WALKS = {n: rand(80, seed=n).cumsum(0) / torch.arange(1, 81) for n in (1, 5, 12)}

stopping_step = Exercise(
    "stopping_step",
    _kept,
    [
        Case((BY_HAND, 3), wanted=4),
        Case((BY_HAND, 4), wanted=8),
        Case((FALLING, 2), "These variances fall, so training never stops.", wanted=4),
        Case((EQUAL, 4), wanted=2),
        *(Case((walk + 0.02 * rand(80), n)) for n, walk in WALKS.items()),
    ],
    {
        "If variances are equal, return the first of their steps.": partial(
            _kept, less=le
        ),
        "Your function uses variances from after the stop. The rule cannot know "
        "them.": lambda v, n: int(v.argmin()) + 1,
        "Return the step of the minimum, not the step at which training "
        "stops.": lambda v, n: min(_kept(v, n) + n, len(v)),
        "You count from 0. The first step is 1.": lambda v, n: _kept(v, n) - 1,
        "Your result is a variance. Return its step.": lambda v, n: v[_kept(v, n) - 1],
        "You stop at the first rise. Wait `patience` steps.": lambda v, n: _kept(v, 1),
        "Your rule waits one step more than `patience`.": lambda v, n: _kept(v, n + 1),
        "Restart the count of steps at each new minimum.": lambda v, n: _kept(
            v, max(n - 1, 1)
        ),
    },
    "The rule uses only past variances, and it needs no ground truth.",
    as_number,
)


# ---- damage_loss


def _loss(
    drawn: Tensor,
    given: Tensor,
    mask: Tensor | None,
    scale: int,
    measure: Callable = lambda difference: difference.square().mean(),
    degrade: Callable = lambda drawn, s: resize(drawn, 1 / s),
    known: Callable = lambda hole: 1 - hole,
) -> Tensor:
    weight = 1 if mask is None else known(mask)
    return measure(weight * (degrade(drawn, scale) - given))


def _mean_over_known(got: float, *given: Any) -> bool:
    """Whether `got` is the mean over the known pixels, which is right as well."""
    known = 1 if given[2] is None else float(1 - given[2].mean())
    return abs(got * known / float(_loss(*given)) - 1) < 1e-4


HOLE = torch.zeros(1, 8, 12)
HOLE[:, :4, 3:6] = 1
GREY = torch.full((1, 3, 8, 12), 0.5)
HALVES = torch.tensor([0.0, 0.25])[:, None, None].expand(3, 2, 4, 12).reshape(3, 8, 12)
LARGE, SMALL = rand(1, 3, 16, 24), rand(3, 8, 12, seed=1)
LEAK = "A gradient reaches the hole, so the network would learn its content."
KNOWN = "Set the differences in the hole to 0, then take the mean over all pixels."

damage_loss = Exercise(
    "damage_loss",
    _loss,
    [
        Case((GREY, HALVES, None, 1), "The differences are 0.5 and 0.25.", 0.15625),
        Case((GREY, HALVES, HOLE, 1), KNOWN),
        Case((rand(1, 3, 8, 12), SMALL, HOLE, 1), KNOWN, leak=LEAK),
        Case((LARGE, SMALL, None, 2), "Is `drawn` resized to the size of `given`?"),
        Case((LARGE, rand(3, 4, 6, seed=1), None, 4)),
    ],
    {
        "Take the mean, not the sum.": partial(_loss, measure=lambda d: (d**2).sum()),
        "Square the differences.": partial(_loss, measure=lambda d: d.abs().mean()),
        "Do not take a square root.": lambda *given: _loss(*given).sqrt(),
        "Your loss uses only the hole. Invert the mask.": partial(
            _loss, known=lambda m: m
        ),
        "Your loss includes the hole. Use the mask.": partial(_loss, known=lambda m: 1),
        "You mask only `drawn`, so the loss still includes `given` in the "
        "hole.": lambda d, g, m, s: _loss(d if m is None else d * (1 - m), g, None, s),
        "You take single pixels of `drawn`, but a camera averages before it "
        "samples. Use `resize`.": partial(_loss, degrade=lambda d, s: d[..., ::s, ::s]),
        "Use `resize`, not averages of blocks.": partial(_loss, degrade=F.avg_pool2d),
        "You make the given image larger. Make the drawn image smaller "
        "instead.": lambda d, g, m, s: _loss(d, resize(g, s), m, 1),
        "You make the drawn image smaller without antialiasing. Use `resize` as it "
        "is.": partial(_loss, degrade=lambda d, s: resize(d, 1 / s, antialias=False)),
    },
    "For noise, holes and low resolution, one line of the loss differs. The network is "
    "the same.",
    as_number,
    _mean_over_known,
)
