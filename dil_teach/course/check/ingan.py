"""Checks of chapter 12: the inverse of an affine map, and a loss at several scales."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.course.check.verdict import (
    NotYetRight,
    as_image,
    as_number,
    call,
    compare,
    verdict,
)
from dil_teach.image.convention import Image
from dil_teach.image.resize import resize

Affine = Float[Tensor, "2 3"]
Judge = Callable[[Image], Image]

SCALE_FACTOR = 1.5
"""How much smaller each scale is than the one before."""


@verdict
def invert(answer: Any) -> str:
    """``invert(affine)``: the affine map that takes each place back.

    affine is Float[Tensor, "2 3"]: (x, y) goes to affine[:, :2] @ (x, y) + affine[:,
    2]. Returned is the inverse, of the same shape.
    """
    both = torch.tensor([[2.0, 0.0, 0.5], [0.0, 0.5, 1.0]])
    turn = torch.tensor([[0.0, -1.0, 0.5], [1.0, 0.0, 0.25]])
    rng = torch.Generator().manual_seed(0)
    offset = torch.randn(2, 1, generator=rng)
    slanted = torch.cat([torch.tensor([[1.5, 0.4], [-0.3, 0.8]]), offset], 1)
    for affine, what in (
        (
            both,
            "x goes to 2 x + 0.5, and y to y / 2 + 1: backwards, x to x / 2 - 0.25 and "
            "y to 2 y - 2.",
        ),
        (
            turn,
            "(x, y) goes to (0.5 - y, x + 0.25), a quarter turn and a shift: "
            "backwards, to (y - 0.25, 0.5 - x).",
        ),
        (slanted, "For a slanted map with a random shift the result differs."),
    ):
        got = as_image(call(answer, affine), (2, 3), "the inverse map")
        compare(got, _inverse(affine), what, partial(_inverse_mistakes, affine))
    place = torch.tensor([0.3, -0.7])
    back = as_image(call(answer, slanted), (2, 3), "the inverse map")
    there = slanted[:, :2] @ place + slanted[:, 2]
    returned = back[:, :2] @ there + back[:, 2]
    compare(returned, place, "A place that goes there and back should be itself again.")
    return (
        "There and back is where one began: that is what the reconstruction loss asks "
        "of the pictures too."
    )


def _inverse(affine: Affine) -> Affine:
    linear = torch.linalg.inv(affine[:, :2])
    return torch.cat([linear, -linear @ affine[:, 2:]], 1)


def _inverse_mistakes(affine: Affine) -> dict[str, Tensor]:
    """What known mistakes give, by their diagnosis."""
    linear, offset = affine[:, :2], affine[:, 2:]
    inverse = torch.linalg.inv(linear)

    def of(part: Tensor, moved: Tensor) -> Tensor:
        return torch.cat([part, moved], 1)

    return {
        "The shift is only turned round: it was added *after* scaling and turning, so "
        "on the way back it comes off first, and is then scaled and turned too.": of(
            inverse, -offset
        ),
        "The shift is left as it was: should it not go the other way?": of(
            inverse, offset
        ),
        "The shift has the wrong sign.": of(inverse, inverse @ offset),
        "The shift is lost: a place that was moved has to be moved back.": of(
            inverse, torch.zeros_like(offset)
        ),
        "The shift was multiplied by the forward map, not by its inverse.": of(
            inverse, -linear @ offset
        ),
        "The 2 x 2 part was transposed. That undoes a turn, for which transpose and "
        "inverse are the same, but no scaling.": of(linear.T, -linear.T @ offset),
        "The 2 x 2 part was transposed, which undoes a turn but no scaling; and the "
        "shift is only turned round.": of(linear.T, -offset),
        "Each number was turned into its reciprocal. That is right for a pure scaling, "
        "and only on its diagonal: a turn mixes x and y.": of(
            _reciprocal(linear), -_reciprocal(linear) @ offset
        ),
        "Each number was turned into its reciprocal, which undoes a pure scaling only; "
        "and the shift is only turned round.": of(_reciprocal(linear), -offset),
        "That is the map itself: it goes there, not back.": affine,
        "All signs were turned: the opposite of doubling is not halving.": -affine,
    }


def _reciprocal(linear: Float[Tensor, "2 2"]) -> Float[Tensor, "2 2"]:
    return torch.where(linear == 0, linear, 1 / linear)


@verdict
def multi_scale_loss(answer: Any) -> str:
    """``multi_scale_loss(discriminator, picture, weights)``: the generator's loss.

    discriminator takes Float[Tensor, "c h w"] to Float[Tensor, "1 h2 w2"], a value for
    each patch; weights holds one weight a scale, the finest first.
    """
    # by hand: patches of the left half are taken for 0, of the right half for 1.5
    halves = torch.cat([torch.zeros(1, 12, 9), torch.ones(1, 12, 9)], 2)
    _check_loss(
        answer,
        _brightness,
        halves,
        [1.0],
        0.625,
        "A discriminator that answers 0 for one half of the patches and 1.5 for the "
        "other, at one scale of weight 1, gives the mean of 1 and 0.25, 0.625",
    )

    rng = torch.Generator().manual_seed(0)
    picture = torch.rand(3, 18, 27, generator=rng)
    seen: list[tuple[int, ...]] = []

    def noting(smaller: Image) -> Image:
        seen.append(tuple(smaller.shape))
        return _spread(smaller)

    weights = [0.5, 0.3, 0.4]
    expected = _loss(_spread, picture, weights)
    _check_loss(
        answer,
        noting,
        picture,
        weights,
        expected,
        "For a random picture of 18 x 27 pixels at three scales the loss should be "
        f"{expected:.4f}; the discriminator was shown {{seen}}",
        seen,
    )
    sizes = [(3, 18, 27), (3, 12, 18), (3, 8, 12)]
    if sorted(seen) != sorted(sizes):
        raise NotYetRight(
            f"At three scales the discriminator should be shown {sizes}; it was shown "
            f"{seen}."
        )
    zero = as_number(call(answer, _fooled, picture, weights))
    compare(
        zero,
        0.0,
        "A discriminator that takes every patch for real, and answers 1, leaves "
        f"nothing to improve: the loss is 0, yours is {zero:.3g}.",
    )
    return (
        "The same patches of 7 x 7 pixels, at the second scale, cover 10 x 10 of the "
        "picture, and at the third nearly 16 x 16."
    )


def _check_loss(
    answer: Any,
    discriminator: Judge,
    picture: Image,
    weights: Sequence[float],
    expected: float,
    what: str,
    seen: Sequence[tuple[int, ...]] = (),
) -> None:
    got = as_number(call(answer, discriminator, picture, list(weights)))
    compare(
        got,
        expected,
        f"{what.format(seen=list(seen))}; yours is {got:.4f}.",
        partial(
            _loss_mistakes,
            _brightness if discriminator is _brightness else _spread,
            picture,
            weights,
        ),
    )


def _brightness(picture: Image) -> Image:
    return 1.5 * picture.mean(0, keepdim=True)


def _spread(picture: Image) -> Image:
    """A value a patch that depends on detail, so that each scale has its own."""
    return 3 * (picture[:1, 1:, 1:] - picture[-1:, :-1, :-1])


def _fooled(picture: Image) -> Image:
    return torch.ones(1, *picture.shape[1:])


def _at(picture: Image, scale: float) -> Image:
    return picture if scale == 0 else resize(picture, 1 / SCALE_FACTOR**scale)


def _loss(discriminator: Judge, picture: Image, weights: Sequence[float]) -> float:
    return sum(
        weight * float((discriminator(_at(picture, scale)) - 1).square().mean())
        for scale, weight in enumerate(weights)
    )


def _loss_mistakes(
    discriminator: Judge, picture: Image, weights: Sequence[float]
) -> dict[str, float]:
    """What known mistakes give, by their diagnosis."""
    judged = [discriminator(_at(picture, s)) for s in range(len(weights))]

    def total(
        measure: Callable[[Tensor], Tensor],
        values: Sequence[Tensor] = judged,
        shares: Sequence[float] = weights,
    ) -> float:
        pairs = zip(shares, values, strict=True)
        return sum(share * float(measure(value)) for share, value in pairs)

    def right(value: Tensor) -> Tensor:
        return (value - 1).square().mean()

    same = [discriminator(picture)] * len(weights)
    later = [discriminator(_at(picture, s + 1)) for s in range(len(weights))]
    larger = [discriminator(resize(picture, SCALE_FACTOR**s)) for s in range(len(same))]
    halved = [discriminator(resize(picture, 0.5**s)) for s in range(len(same))]
    linear = [discriminator(resize(picture, 1 / (1 + s / 2))) for s in range(len(same))]
    smaller = picture
    chained = [discriminator(smaller)]
    for _ in weights[1:]:
        smaller = resize(smaller, 1 / SCALE_FACTOR)
        chained.append(discriminator(smaller))
    one = [1.0] * len(weights)
    mistakes = {
        "The generator wants its patches taken for real: the discriminator should "
        "answer 1, not 0. (0 is what the *discriminator* is taught to say of "
        "them.)": total(lambda value: value.square().mean()),
        "The differences are not squared: what is taken for more than real makes up "
        "for what is not taken for real.": total(lambda value: (1 - value).mean()),
        "The differences from 1 have their signs.": total(
            lambda value: (value - 1).mean()
        ),
        "The absolute differences were averaged: least squares wants squares.": total(
            lambda value: (value - 1).abs().mean()
        ),
        "The weights are not used.": total(right, judged, one),
        "The scales were averaged without their weights.": total(right, judged, one)
        / len(one),
        "The weights are in the opposite order: the first belongs to the picture "
        "itself.": total(right, judged, list(weights)[::-1]),
        "The discriminator is shown the same scale each time: which size should the "
        "picture have at scale s?": total(right, same),
        "The first scale is smaller already: scale 0 is the picture itself.": total(
            right, later
        ),
        "The picture grows from scale to scale: it should become smaller.": total(
            right, larger
        ),
        "Each scale is half as large as the one before: it should be smaller by 1.5 "
        "only.": total(right, halved),
        "Scale s should be 1.5 to the power of s times smaller, each by 1.5 than the "
        "one before.": total(right, linear),
        "Each scale was made of the one before, which blurs it again and again: make "
        "each of the picture itself.": total(right, chained),
        "The values were added up, not averaged: the scale with the most patches then "
        "outweighs the others, whatever the weights.": total(
            lambda value: (value - 1).square().sum()
        ),
        "The mean was squared: each patch has to be judged by itself, or a bad one is "
        "made up for by a good one.": total(lambda value: (value.mean() - 1).square()),
        "That is hinge, the loss of the library: here the squares are wanted.": total(
            lambda value: (-value).mean()
        ),
        "The loss is halved.": total(right) / 2,
        "The scales' mean was taken: their weighted sum is wanted.": total(right)
        / len(weights),
        "The weighted sum was divided by the sum of the weights: take them as they "
        "are.": total(right) / sum(weights),
    }
    return {words: value for words, value in mistakes.items() if value == value}
