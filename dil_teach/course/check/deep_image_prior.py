"""Exercises of chapter 13: the stopping rule, one loss for three kinds of damage."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from operator import le, lt
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach.course.check.engine import Case, Exercise, NotYetRight, as_number, rand
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


def _first_rise(variances: Tensor, patience: int) -> int:
    steps = [step for step, (a, b) in enumerate(pairwise(variances), 1) if b > a]
    return (*steps, len(variances))[0]


def _as_step(result: Any, *others: Any) -> float:
    number = as_number(result)
    if number != int(number):
        raise NotYetRight(
            f"A step is a whole number from 1, got {number:.4g}. Is that a variance?"
        )
    return number


BY_HAND = torch.tensor([5, 4, 5, 3, 4, 4, 4, 2, 4, 4, 4, 4, 1]) / 10
WALKS = {n: rand(80, seed=n).cumsum(0) / torch.arange(1, 81) for n in (1, 5, 12)}

stopping_step = Exercise(
    "stopping_step",
    _kept,
    [
        Case((BY_HAND, 3), wanted=4),
        Case((BY_HAND, 4), wanted=8),
        Case(
            (torch.tensor([8.0, 6.0, 5.0, 2.0]), 2),
            "These variances fall to the end, so training never stops and the last "
            "step is kept.",
            wanted=4,
        ),
        Case((torch.tensor([3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0]), 4), wanted=2),
        *(
            Case(
                (walk + 0.02 * rand(80), n),
                "Do you restart the count after each smaller variance?",
            )
            for n, walk in WALKS.items()
        ),
    ],
    {
        "A variance that only equals the smallest is not smaller, so keep the earlier "
        "step.": partial(_kept, less=le),
        "That is the smallest variance of the whole list. The rule stops early and "
        "cannot see what comes later.": lambda v, n: int(v.argmin()) + 1,
        "That is the step at which training stops. Return the step of the smallest "
        "variance so far.": lambda v, n: min(_kept(v, n) + n, len(v)),
        "You count from 0. The first step is 1.": lambda v, n: _kept(v, n) - 1,
        "It stops at the first rise. One rise may be chance, so wait `patience` "
        "steps.": _first_rise,
        "It waits one step too many. Training stops after `patience` steps without a "
        "smaller variance.": lambda v, n: _kept(v, n + 1),
        "It does not wait long enough. Each smaller variance restarts the count of "
        "`patience` steps.": lambda v, n: _kept(v, max(n - 1, 1)),
    },
    "The rule only looks back at the variances. It needs no ground truth, and nothing "
    "that comes later can change its answer.",
    _as_step,
)


# ---- damage_loss


def _loss(
    drawn: Tensor,
    given: Tensor,
    mask: Tensor | None,
    scale: int,
    measure: Callable = lambda difference: difference.square().mean(),
    degrade: Callable = lambda drawn, s: resize(drawn, 1 / s) if s > 1 else drawn,
) -> Tensor:
    return measure((1 if mask is None else 1 - mask) * (degrade(drawn, scale) - given))


def _mean_over_known(got: float, *given: Any) -> bool:
    """Whether `got` is the mean over the known pixels alone, which is right as well."""
    known = 1 if given[2] is None else float(1 - given[2].mean())
    return abs(got * known / float(_loss(*given)) - 1) < 1e-4


def _degraded_by(degrade: Callable) -> Callable:
    return partial(_loss, degrade=degrade)


HOLE = torch.zeros(1, 8, 12)
HOLE[:, :4, 3:6] = 1
GREY = torch.full((1, 3, 8, 12), 0.5)
HALVES = torch.tensor([0.0, 0.25])[:, None, None].expand(3, 2, 4, 12).reshape(3, 8, 12)
MASKED = (rand(1, 3, 8, 12), rand(3, 8, 12, seed=1), HOLE, 1)
SMALLER = "Make the drawing smaller by `resize`, then compare it with `given`."
KNOWN = (
    "Set the squared differences in the hole to 0, then take the mean over all pixels."
)

damage_loss = Exercise(
    "damage_loss",
    _loss,
    [
        Case(
            (GREY, HALVES, None, 1),
            "The differences are 0.5 in one half and 0.25 in the other.",
            wanted=0.15625,
        ),
        Case((GREY, HALVES, HOLE, 1), KNOWN),
        Case(MASKED, KNOWN),
        Case((rand(1, 3, 16, 24), rand(3, 8, 12, seed=1), None, 2), SMALLER),
        Case((rand(1, 3, 16, 24), rand(3, 4, 6, seed=1), None, 4), SMALLER),
        Case(
            MASKED,
            leak=(
                "A gradient reaches the hole, so the network would learn what is in it."
            ),
        ),
    ],
    {
        "The differences are summed. Take the mean, which does not depend on the size "
        "of the image.": partial(_loss, measure=lambda d: d.square().sum()),
        "The differences are not squared. Squares make one large difference count more "
        "than many small ones.": partial(_loss, measure=lambda d: d.abs().mean()),
        "That is the root of the mean. Leave the root out.": lambda *given: _loss(
            *given
        ).sqrt(),
        "The mask is the wrong way round. It is 1 in the hole, and only the known "
        "pixels should "
        "count.": lambda d, g, m, s: _loss(d, g, m if m is None else 1 - m, s),
        "The hole counts as well, so the network learns to draw the values that fill "
        "it.": lambda d, g, m, s: _loss(d, g, None, s),
        "Only the drawing is masked, so the given image still counts in the "
        "hole.": lambda d, g, m, s: _loss(d if m is None else d * (1 - m), g, None, s),
        "Single pixels of the drawing are compared. A camera averages before it "
        "samples. Use `resize`.": _degraded_by(lambda d, s: d[..., ::s, ::s]),
        "The drawing was averaged over squares, which is the blur of another camera. "
        "Use `resize`.": _degraded_by(F.avg_pool2d),
        "The given image was made larger. Make the drawing smaller "
        "instead.": lambda d, g, m, s: _loss(d, resize(g, s) if s > 1 else g, m, 1),
        "The drawing was made smaller without antialiasing. Use `resize` as it "
        "is.": _degraded_by(lambda d, s: resize(d, 1 / s, antialias=False)),
    },
    "One line distinguishes noise, a hole and lost resolution. The network, its input "
    "and the training are the same for all three.",
    as_number,
    _mean_over_known,
)
