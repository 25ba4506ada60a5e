"""Checks of chapter 13: the stopping rule, and one loss for three kinds of damage."""

import functools
import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.course.check.verdict import (
    NotYetRight,
    as_number,
    call,
    compare,
    verdict,
)
from dil_teach.image.convention import Image
from dil_teach.image.resize import resize

Mask = Float[Tensor, "1 _h _w"]


@verdict
def stopping_step(answer: Any) -> str:
    """``stopping_step(variances, patience)``: the step whose picture is kept.

    variances is Float[Tensor, "n"], one for each step from the first; the rule stops
    once ``patience`` steps have brought no smaller one, and keeps the least's picture.
    """

    def kept(variances: Sequence[float], patience: int) -> int:
        number = as_number(call(answer, torch.tensor(variances), patience))
        if number != int(number):
            raise NotYetRight(
                f"A step is a whole number from 1, got {number}: is that a variance?"
            )
        return int(number)

    # by hand: the fourth is the least; smaller ones come, too late for a patience of 3
    by_hand = [0.5, 0.4, 0.5, 0.3, 0.4, 0.4, 0.4, 0.2, 0.4, 0.4, 0.4, 0.4, 0.1]
    for patience in (3, 4):
        compare(
            kept(by_hand, patience),
            _kept(by_hand, patience),
            f"For the variances {', '.join(map(str, by_hand))} and a patience of "
            f"{patience} step {_kept(by_hand, patience)} should be kept, counted from "
            "1.",
            partial(_stopping_mistakes, by_hand, patience),
        )

    # properties: what never rises is kept to its end; equal is not smaller
    falling = [8.0, 6.0, 5.0, 2.0]
    compare(
        kept(falling, 2),
        4,
        "Variances that fall to the end, 8, 6, 5, 2: training was never stopped, and "
        "the last step is the one to keep.",
    )
    level = [3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0]
    compare(
        kept(level, 4),
        2,
        "For the variances 3, 2, 2, 2, 2, 2, 1 and a patience of 4 step 2 should be "
        "kept: a variance that only equals the least is not smaller, and the waiting "
        "goes on.",
        partial(_stopping_mistakes, level, 4),
    )

    rng = torch.Generator().manual_seed(0)
    for patience in (1, 5, 12):
        walk = torch.rand(80, generator=rng).cumsum(0) / torch.arange(1, 81)
        variances = (walk + 0.02 * torch.rand(80, generator=rng)).tolist()
        compare(
            kept(variances, patience),
            _kept(variances, patience),
            f"For 80 random variances and a patience of {patience} the step "
            f"{_kept(variances, patience)} should be kept: is the waiting counted from "
            "the least so far, and anew after each smaller one?",
            partial(_stopping_mistakes, variances, patience),
        )
    return (
        "The rule looks back only, at what the network draws: it needs no truth, and "
        "what comes after it stopped cannot change its answer."
    )


def _kept(variances: Sequence[float], patience: int, equal: bool = False) -> int:
    """The step to be kept; with ``equal``, one that equals the least takes over."""
    best = 1
    for step, variance in enumerate(variances, start=1):
        least = variances[best - 1]
        if variance < least or (equal and variance == least):
            best = step
        elif step - best >= patience:
            break
    return best


def _stopping_mistakes(variances: Sequence[float], patience: int) -> dict[str, float]:
    best = _kept(variances, patience)
    rises = [i for i, (a, b) in enumerate(itertools.pairwise(variances), 1) if b > a]
    return {
        "A variance that only equals the least is not smaller: the step that came "
        "first stays, and the waiting goes on.": _kept(variances, patience, equal=True),
        "That is the least of the whole list. The rule stops before it has seen all, "
        "and cannot know what would have come: where is `patience`?": 1
        + min(range(len(variances)), key=variances.__getitem__),
        "That is the step at which training stops. By then the variance has been "
        "rising: the picture to keep is that of the least.": min(
            best + patience, len(variances)
        ),
        "Counted from 0: the first variance is that of step 1.": best - 1,
        "It stops as soon as the variance rises: one rise is chance, and `patience` "
        "says how many steps to wait.": rises[0] if rises else len(variances),
        "It waits one step too many: after `patience` steps without a smaller "
        "variance, training stops.": _kept(variances, patience + 1),
        "It waits too short a time: training stops when `patience` steps have gone by "
        "since the least, and each smaller one sets the count back.": _kept(
            variances, max(patience - 1, 1)
        ),
    }


@verdict
def damage_loss(answer: Any) -> str:
    """``damage_loss(drawn, given, mask, scale)``: what is seen of a drawing, compared.

    drawn is Float[Tensor, "1 c h w"]; given Float[Tensor, "c h2 w2"], scale times
    smaller; mask Float[Tensor, "1 h2 w2"], 1 in the hole, or None.
    """
    rng = torch.Generator().manual_seed(0)

    def loss_of(drawn: Tensor, given: Image, mask: Mask | None, scale: int) -> float:
        return as_number(call(answer, drawn, given, mask, scale))

    # by hand: noise, of which nothing is known
    drawn, given = torch.full((1, 3, 8, 12), 0.5), torch.full((3, 8, 12), 0.25)
    given[:, :4] = 0.0
    compare(
        loss_of(drawn, given, None, 1),
        0.15625,
        "A drawing of 0.5 everywhere; given is 0 in one half and 0.25 in the other. "
        "Without mask and scale the loss is the mean of 0.5 squared and 0.25 squared, "
        "0.15625.",
        partial(_loss_mistakes, drawn, given, None, 1),
    )

    # by hand: a black hole, in which anything may be drawn
    mask = torch.zeros(1, 8, 12)
    mask[:, :4, 3:6] = 1
    _check_masked(loss_of(drawn, given, mask, 1), drawn, given, mask)
    drawn, given = (torch.rand(*n, 3, 8, 12, generator=rng) for n in ((1,), ()))
    _check_masked(loss_of(drawn, given, mask, 1), drawn, given, mask)

    # lost resolution: the drawing is shrunk as the camera did
    drawn = torch.rand(1, 3, 16, 24, generator=rng)
    for scale, size in ((2, (8, 12)), (4, (4, 6))):
        given = torch.rand(3, *size, generator=rng)
        compare(
            loss_of(drawn, given, None, scale),
            _loss(drawn, given, None, scale),
            f"At scale {scale} the loss differs: the drawing is to be made {scale} "
            "times smaller by `resize`, then compared with what is given.",
            partial(_loss_mistakes, drawn, given, None, scale),
        )
    _check_gradient(answer, rng)
    return (
        "One line tells noise, a hole and lost resolution apart. The network, the code "
        "and the training are the same for all three."
    )


def _check_masked(
    got: float, drawn: Float[Tensor, "1 c h w"], given: Image, mask: Mask
) -> None:
    """Refuse a wrong loss with a hole; the mean may be over all or over the known."""
    among_known = _loss(drawn, given, mask, 1) / (1 - mask.mean())
    suspects = partial(_loss_mistakes, drawn, given, mask, 1)
    if abs(got - float(among_known)) > 1e-4 * float(among_known):
        compare(
            got,
            _loss(drawn, given, mask, 1),
            "With a hole the loss should be the mean of the squared differences, those "
            "in the hole set to 0.",
            suspects,
        )


def _check_gradient(answer: Any, rng: torch.Generator) -> None:
    """The loss must teach: all that is known, and nothing in the hole."""
    mask = torch.zeros(1, 6, 8)
    mask[:, 1:4, 2:5] = 1
    given = torch.rand(3, 6, 8, generator=rng)

    def slope(drawn: Tensor, *rest: Any) -> Tensor:
        loss = answer(drawn.requires_grad_(), *rest)
        if not isinstance(loss, Tensor) or not loss.requires_grad:
            raise NotYetRight(
                "The value is right, but no gradient comes through it: stay with "
                "torch's functions, without item() or float(), as training needs it."
            )
        return torch.autograd.grad(loss, drawn)[0]

    functools.update_wrapper(slope, answer)  # so that a failure names their own line
    drawn = torch.rand(1, 3, 6, 8, generator=rng)
    gradient = call(slope, drawn, given, mask, 1)
    if gradient[..., mask[0] > 0.5].any():
        raise NotYetRight(
            "A gradient reaches the hole: the network would be taught what is in it."
        )


def _loss(
    drawn: Float[Tensor, "1 c h w"], given: Image, mask: Mask | None, scale: int
) -> Float[Tensor, ""]:
    difference = resize(drawn, 1 / scale) - given if scale > 1 else drawn - given
    if mask is not None:
        difference = (1 - mask) * difference
    return difference.square().mean()


def _loss_mistakes(
    drawn: Float[Tensor, "1 c h w"], given: Image, mask: Mask | None, scale: int
) -> dict[str, Tensor]:
    seen = resize(drawn, 1 / scale) if scale > 1 else drawn
    difference = seen - given
    known = torch.ones_like(difference) if mask is None else 1 - mask + 0 * difference
    right = known * difference
    found = {
        "The differences are summed: take their mean, or the learning rate would "
        "depend on the size of the image.": right.square().sum(),
        "The differences were not squared.": right.abs().mean(),
        "That is the root of the mean: leave it squared.": right.square().mean().sqrt(),
    }
    if mask is not None:
        found |= {
            "The mask is the wrong way round: 1 is the hole, and it is the known "
            "pixels that count.": (mask * difference).square().mean(),
            "The hole counts like all else: the network learns to draw what was put "
            "in it.": difference.square().mean(),
            "Only the drawing is masked: what is given still counts in the hole.": (
                known * seen - given
            )
            .square()
            .mean(),
        }
    if scale > 1:
        pooled = F.avg_pool2d(drawn, scale)
        larger = resize(given, scale)
        found |= {
            f"Every {scale}th pixel of the drawing is compared: a camera averages "
            "before it leaves pixels out. Use `resize`.": (
                drawn[..., ::scale, ::scale] - given
            )
            .square()
            .mean(),
            "The drawing was averaged in squares: that is one camera's blur. Here it "
            "is `resize`.": (pooled - given).square().mean(),
            "What is given was made larger, and the network learns to draw that: "
            "interpolation. The drawing is to be made smaller.": (drawn - larger)
            .square()
            .mean(),
            "The drawing was made smaller without antialiasing: leave `resize` as it "
            "is.": (resize(drawn, 1 / scale, antialias=False) - given).square().mean(),
        }
    return found
