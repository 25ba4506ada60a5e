"""Exercises of chapter 12: the inverse of an affine map, a loss at several scales."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from dil_teach.course.check.engine import Case, Exercise, as_number, rand
from dil_teach.image.resize import resize

# ---- invert


def _affine(part: Callable, moved: Callable) -> Callable:
    """A map whose 2 x 2 part and shift are made from those of the given one."""
    return lambda affine: torch.cat(
        [part(affine[:, :2]), moved(affine[:, :2], affine[:, 2:])], 1
    )


def _reciprocal(part: Tensor) -> Tensor:
    return torch.where(part == 0, part, 1 / part)


_inverse = torch.linalg.inv

invert = Exercise(
    "invert",
    _affine(_inverse, lambda a, b: -_inverse(a) @ b),
    [
        Case(
            (torch.tensor([[2.0, 0.0, 0.5], [0.0, 0.5, 1.0]]),),
            "Here x goes to 2 x + 0.5, and y to y / 2 + 1.",
            wanted=torch.tensor([[0.5, 0.0, -0.25], [0.0, 2.0, -2.0]]),
        ),
        Case(
            (torch.tensor([[0.0, -1.0, 0.5], [1.0, 0.0, 0.25]]),),
            "Here (x, y) goes to (0.5 - y, x + 0.25): a quarter turn and a shift.",
            wanted=torch.tensor([[0.0, 1.0, -0.25], [-1.0, 0.0, 0.5]]),
        ),
        Case((torch.tensor([[1.5, 0.4, 1.54], [-0.3, 0.8, -0.29]]),)),
    ],
    {
        "The shift only changed its sign. It was added *after* the 2 x 2 part, so on "
        "the way back it is scaled and turned too.": _affine(_inverse, lambda a, b: -b),
        "The shift is left as it was. Should it not go the other way?": _affine(
            _inverse, lambda a, b: b
        ),
        "The shift has the wrong sign.": _affine(
            _inverse, lambda a, b: _inverse(a) @ b
        ),
        "The shift is missing. A place that was moved has to be moved back.": _affine(
            _inverse, lambda a, b: 0 * b
        ),
        "The shift was multiplied by the forward map, not by its inverse.": _affine(
            _inverse, lambda a, b: -a @ b
        ),
        "The 2 x 2 part was transposed. That undoes a turn, but no scaling.": _affine(
            lambda a: a.T, lambda a, b: -a.T @ b
        ),
        "The 2 x 2 part was transposed, which undoes a turn but no scaling. Also, the "
        "shift only changed its sign.": _affine(lambda a: a.T, lambda a, b: -b),
        "Each number was replaced by its reciprocal, which undoes a pure scaling "
        "only.": _affine(_reciprocal, lambda a, b: -_reciprocal(a) @ b),
        "Each number was replaced by its reciprocal, which undoes a pure scaling only. "
        "Also, the shift only changed its sign.": _affine(_reciprocal, lambda a, b: -b),
        "That is the map itself, not its inverse.": lambda a: a.clone(),
        "All signs were changed. The inverse of doubling is halving.": lambda a: -a,
    },
    "A map followed by its inverse changes nothing. The reconstruction loss demands "
    "the same for pictures.",
)


# ---- multi_scale_loss


def _loss(
    measure: Callable = lambda d: (d - 1).square().mean(),
    size: Callable = lambda s: 1 / 1.5**s,
    weigh: Callable = lambda weights: weights,
) -> Callable:
    """A loss with a measure of the values, a size of scale s and changed weights."""

    def loss(discriminator: Callable, picture: Tensor, weights: Sequence) -> Any:
        scales = [resize(picture, size(s)) for s in range(len(weights))]
        judged = [measure(discriminator(scale)) for scale in scales]
        return sum(w * v for w, v in zip(weigh(weights), judged, strict=True))

    return loss


def _chained(discriminator: Callable, picture: Tensor, weights: Sequence) -> Tensor:
    first = _loss()(discriminator, picture, weights[:1])
    rest = weights[1:]
    return first + (
        (rest and _chained(discriminator, resize(picture, 1 / 1.5), rest)) or 0
    )


def _brightness(picture: Tensor) -> Tensor:
    """Return 0 for the patches of a black half, and 1.5 for a white half."""
    return 1.5 * picture.mean(0, keepdim=True)


def _detail(picture: Tensor) -> Tensor:
    """Return values that depend on the scale."""
    return 3 * (picture[:1, 1:, 1:] - picture[-1:, :-1, :-1])


def _shown_sizes(answer: Callable) -> dict:
    seen = []

    def discriminator(picture: Tensor) -> Tensor:
        seen.append(tuple(picture.shape))
        return _detail(picture)

    answer(discriminator, PICTURE, WEIGHTS)
    return {
        "The discriminator should get pictures of 18 x 27, 12 x 18 and 8 x 12 pixels; "
        f"it was shown {seen}.": sorted(seen) != [(3, 8, 12), (3, 12, 18), (3, 18, 27)]
    }


HALVES = torch.arange(2.0).repeat_interleave(9).expand(1, 12, 18)
PICTURE, WEIGHTS = rand(3, 18, 27), [0.5, 0.3, 0.4]

multi_scale_loss = Exercise(
    "multi_scale_loss",
    _loss(),
    [
        Case(
            (_brightness, HALVES, [1.0]),
            "This discriminator answers 0 for one half of the patches and 1.5 for the "
            "other, so the loss is the mean of 1 and 0.25.",
            wanted=0.625,
        ),
        Case((_detail, PICTURE, WEIGHTS)),
        _shown_sizes,
        Case(
            (lambda picture: torch.ones(1, *picture.shape[1:]), PICTURE, WEIGHTS),
            "This discriminator answers 1 for every patch, so the loss is 0.",
            wanted=0.0,
        ),
    ],
    {
        "The values were compared with 0. The generator wants the discriminator to "
        "answer 1, which means real.": _loss(lambda d: d.square().mean()),
        "The differences are not squared. A value above 1 then makes up for one below "
        "it.": _loss(lambda d: (1 - d).mean()),
        "The differences from 1 keep their signs, so they cancel each other.": _loss(
            lambda d: (d - 1).mean()
        ),
        "The absolute differences were averaged. Least squares needs squares.": _loss(
            lambda d: (d - 1).abs().mean()
        ),
        "The weights of the scales are not used.": _loss(
            weigh=lambda w: [1.0 for _ in w]
        ),
        "The scales were averaged without their weights.": _loss(
            weigh=lambda w: [1 / len(w) for _ in w]
        ),
        "The weights are in the opposite order. The first belongs to the picture "
        "itself.": _loss(weigh=lambda w: w[::-1]),
        "The discriminator gets the same scale each time. Which size should the "
        "picture have at scale s?": _loss(size=lambda s: 1),
        "The first scale is already smaller. Scale 0 is the picture itself.": _loss(
            size=lambda s: 1 / 1.5 ** (s + 1)
        ),
        "The picture grows from scale to scale. It should become smaller.": _loss(
            size=lambda s: 1.5**s
        ),
        "Each scale is half as large as the one before. It should be 1.5 times "
        "smaller.": _loss(size=lambda s: 0.5**s),
        "The scales shrink too slowly. Scale s should be 1.5**s times smaller.": _loss(
            size=lambda s: 1 / (1 + s / 2)
        ),
        "Each scale was made from the one before, which blurs it again. Make each from "
        "the picture itself.": _chained,
        "The values were added, not averaged. The scale with the most patches then "
        "outweighs the others.": _loss(lambda d: (d - 1).square().sum()),
        "The mean was squared. Square each value first, or a good patch makes up for a "
        "bad one.": _loss(lambda d: (d.mean() - 1).square()),
        "That is the hinge loss. Use squared differences from 1.": _loss(
            lambda d: -d.mean()
        ),
        "The loss was halved. Do not divide by 2.": lambda *given: _loss()(*given) / 2,
        "The mean over the scales was taken. Return their weighted "
        "sum.": lambda d, p, w: _loss()(d, p, w) / len(w),
        "The weighted sum was divided by the sum of the weights. Use them as they "
        "are.": lambda d, p, w: _loss()(d, p, w) / sum(w),
    },
    "The same patches of 7 x 7 pixels cover 10 x 10 pixels of the picture at the "
    "second scale, and nearly 16 x 16 at the third.",
    as_number,
)
