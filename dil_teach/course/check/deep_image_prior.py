"""Exercises of chapter 13: the stopping rule, one loss for three kinds of damage."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach.course.check.engine import Case, Exercise, NotYetRight, as_number, rand
from dil_teach.image.resize import resize

# ---- stopping_step


def _kept(variances: Tensor, patience: int, equal: bool = False) -> int:
    best = 0
    for step, variance in enumerate(variances):
        if variance < variances[best] or (equal and variance == variances[best]):
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
            f"A step is a whole number from 1, got {number:.4g}: is that a variance?"
        )
    return number


def _walk(patience: int) -> Case:
    mean = rand(80, seed=patience).cumsum(0) / torch.arange(1, 81)
    return Case(
        (mean + 0.02 * rand(80), patience),
        "Do you count from the smallest variance so far, and restart after "
        "each smaller one?",
    )


BY_HAND = torch.tensor([5, 4, 5, 3, 4, 4, 4, 2, 4, 4, 4, 4, 1]) / 10

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
        *(_walk(patience) for patience in (1, 5, 12)),
    ],
    {
        "A variance that only equals the smallest is not smaller. The earlier step "
        "stays, and the waiting goes on.": lambda v, n: _kept(v, n, equal=True),
        "That is the smallest of the whole list. The rule stops early and cannot see "
        "what comes later: where is `patience`?": lambda v, n: int(v.argmin()) + 1,
        "That is the step at which training stops. Keep the picture of the smallest "
        "variance instead.": lambda v, n: min(_kept(v, n) + n, len(v)),
        "You count from 0. The first variance is that of step 1.": lambda v, n: (
            _kept(v, n) - 1
        ),
        "It stops as soon as the variance rises. One rise is chance: wait `patience` "
        "steps.": _first_rise,
        "It waits one step too many. Training stops after `patience` steps without a "
        "smaller variance.": lambda v, n: _kept(v, n + 1),
        "It does not wait long enough. Training stops `patience` steps after the "
        "smallest variance; each smaller one restarts the "
        "count.": lambda v, n: _kept(v, max(n - 1, 1)),
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
) -> Tensor:
    seen = resize(drawn, 1 / scale) if scale > 1 else drawn
    return measure((1 if mask is None else 1 - mask) * (seen - given))


def _seen(camera: Callable) -> Callable:
    """A loss with another camera."""
    return lambda drawn, given, mask, scale: _loss(camera(drawn, scale), given, mask, 1)


def _mean_over_known(got: float, *given: Any) -> bool:
    """Whether it is the mean over the known pixels alone, which is right as well."""
    known = 1 if given[2] is None else float(1 - given[2].mean())
    return abs(got * known / float(_loss(*given)) - 1) < 1e-4


HOLE = torch.zeros(1, 8, 12)
HOLE[:, :4, 3:6] = 1
HALVES = torch.tensor([0.0, 0.25])[:, None, None].expand(3, 2, 4, 12).reshape(3, 8, 12)
MASKED = "Take the mean of the squared differences, those in the hole set to 0."
TAUGHT = "A gradient reaches the hole: the network would learn what is in it."

damage_loss = Exercise(
    "damage_loss",
    _loss,
    [
        Case(
            (torch.full((1, 3, 8, 12), 0.5), HALVES, None, 1),
            "Here drawn is 0.5 everywhere, and given is 0 in one half and 0.25 in the "
            "other: the loss is the mean of 0.5 squared and 0.25 squared.",
            wanted=0.15625,
        ),
        Case((torch.full((1, 3, 8, 12), 0.5), HALVES, HOLE, 1), MASKED),
        Case((rand(1, 3, 8, 12), rand(3, 8, 12, seed=1), HOLE, 1), MASKED),
        *(
            Case(
                (rand(1, 3, 16, 24), rand(3, 16 // s, 24 // s, seed=1), None, s),
                "Make the drawing smaller by `resize`, then compare it with given.",
            )
            for s in (2, 4)
        ),
        Case((rand(1, 3, 8, 12), rand(3, 8, 12, seed=1), HOLE, 1), leak=TAUGHT),
    ],
    {
        "The differences are summed. Take the mean, or the learning rate would depend "
        "on the size of the image.": (
            lambda *given: _loss(*given, measure=lambda d: d.square().sum())
        ),
        "The differences are not squared.": (
            lambda *given: _loss(*given, measure=lambda d: d.abs().mean())
        ),
        "That is the root of the mean. Leave the root out.": (
            lambda *given: _loss(*given).sqrt()
        ),
        "The mask is the wrong way round: it is 1 in the hole, and the known pixels "
        "count.": lambda d, g, m, s: _loss(d, g, m if m is None else 1 - m, s),
        "The hole counts as well. The network then learns to draw what was put in "
        "it.": lambda d, g, m, s: _loss(d, g, None, s),
        "Only the drawing is masked. The given image still counts in the "
        "hole.": lambda d, g, m, s: _loss(d if m is None else d * (1 - m), g, None, s),
        "Single pixels of the drawing are compared. A camera averages before it leaves "
        "pixels out: use `resize`.": _seen(lambda d, s: d[..., ::s, ::s]),
        "The drawing was averaged in squares. That is the blur of one camera only: use "
        "`resize`.": _seen(F.avg_pool2d),
        "The given image was made larger, so the network learns to draw its "
        "interpolation. Make the drawing "
        "smaller.": lambda d, g, m, s: _loss(d, resize(g, s) if s > 1 else g, m, 1),
        "The drawing was made smaller without antialiasing. Use `resize` as it "
        "is.": _seen(lambda d, s: resize(d, 1 / s, antialias=False)),
    },
    "One line distinguishes noise, a hole and lost resolution. The network, its input "
    "and the training are the same for all three.",
    as_number,
    _mean_over_known,
)
