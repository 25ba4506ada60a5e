"""Exercises of chapter 12: the inverse of an affine map, a loss at several scales."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from dil_teach.course.check.engine import Case, Exercise, as_number, rand
from dil_teach.image.resize import resize

# ---- invert


def _affine(
    part: Callable = torch.linalg.inv,
    shift: Callable = lambda inverse, shift: -inverse @ shift,
) -> Callable:
    """An inverse whose 2 x 2 part and shift are computed by these functions."""

    def invert(affine: Tensor) -> Tensor:
        inverse = part(affine[:, :2])
        return torch.cat([inverse, shift(inverse, affine[:, 2:])], 1)

    return invert


def _reciprocal(part: Tensor) -> Tensor:
    return torch.where(part == 0, part, 1 / part)


SCALING = torch.tensor([[2.0, 0.0, 0.5], [0.0, 0.5, 1.0]])
QUARTER_TURN = torch.tensor([[0.0, -1.0, 0.5], [1.0, 0.0, 0.25]])

invert = Exercise(
    "invert",
    _affine(),
    [
        Case((SCALING,), "Here x goes to 2 x + 0.5, and y to y / 2 + 1."),
        Case((QUARTER_TURN,), "Here (x, y) goes to (0.5 - y, x + 0.25)."),
        Case((torch.tensor([[1.5, 0.4, 1.54], [-0.3, 0.8, -0.29]]),)),
    ],
    {
        "The shift only changed its sign. It was added *after* the 2 x 2 part, so on "
        "the way back it is scaled and turned too.": _affine(shift=lambda _, b: -b),
        "The shift must go the other way.": _affine(shift=lambda _, b: b),
        "The shift has the wrong sign.": _affine(shift=lambda inverse, b: inverse @ b),
        "The shift is missing. Move the point back.": _affine(shift=lambda _, b: 0 * b),
        "The shift was multiplied by the forward map. Multiply it by the inverse "
        "map.": _affine(shift=lambda inverse, b: -inverse.inverse() @ b),
        "The 2 x 2 part was transposed, which undoes no scaling.": _affine(torch.t),
        "The 2 x 2 part was transposed, which undoes no scaling. Also, the shift only "
        "changed its sign.": _affine(torch.t, lambda _, b: -b),
        "Reciprocals of the numbers undo a pure scaling only.": _affine(_reciprocal),
        "Reciprocals of the numbers undo a pure scaling only. Also, the shift only "
        "changed its sign.": _affine(_reciprocal, lambda _, b: -b),
        "That is the map itself, not its inverse.": torch.clone,
        "All signs were changed. The inverse of doubling is halving.": torch.neg,
    },
    "A map followed by its inverse changes nothing. The reconstruction loss demands "
    "the same for pictures.",
)


# ---- multi_scale_loss


def _loss(
    measure: Callable = lambda d: (d - 1).square().mean(),
    size: Callable = lambda s: 1 / 1.5**s,
    weigh: Callable = lambda w: w,
) -> Callable:
    """A loss with this measure of answers, size of scale s and change of weights."""

    def loss(discriminator: Callable, picture: Tensor, weights: Sequence) -> Any:
        scales = [resize(picture, size(s)) for s in range(len(weights))]
        judged = torch.stack([measure(discriminator(scale)) for scale in scales])
        return weigh(torch.tensor(weights)) @ judged

    return loss


def _chained(discriminator: Callable, picture: Tensor, weights: Sequence) -> Tensor:
    first, *rest = weights
    loss = _loss()(discriminator, picture, [first])
    picture = resize(picture, 1 / 1.5)
    return loss + _chained(discriminator, picture, rest) if rest else loss


def _detail(picture: Tensor) -> Tensor:
    """Values that depend on the scale."""
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
        Case((lambda p: 1.5 * p, HALVES, [1.0]), "Here the answers are 0 and 1.5."),
        Case((_detail, PICTURE, WEIGHTS)),
        _shown_sizes,
        Case((torch.ones_like, PICTURE, WEIGHTS), "This discriminator answers 1."),
    ],
    {
        "Compare with 1 (real), not with 0.": _loss(lambda d: d.square().mean()),
        "Square the differences, or they cancel.": _loss(lambda d: (1 - d).mean()),
        "The differences cancel. Square them.": _loss(lambda d: (d - 1).mean()),
        "Use squares, not absolute differences.": _loss(lambda d: (d - 1).abs().mean()),
        "The weights of the scales are not used.": _loss(weigh=torch.ones_like),
        "Use the `weights`, not the plain mean.": _loss(weigh=lambda w: w**0 / len(w)),
        "The weights are in the opposite order.": _loss(weigh=lambda w: w.flip(0)),
        "The picture has the same size at each scale.": _loss(size=lambda s: 1),
        "Scale 0 is the picture itself.": _loss(size=lambda s: 1 / 1.5 ** (s + 1)),
        "The picture should shrink, not grow.": _loss(size=lambda s: 1.5**s),
        "Each scale is 1.5 times smaller, not 2 times.": _loss(size=lambda s: 0.5**s),
        "Scale s is 1.5**s times smaller.": _loss(size=lambda s: 1 / (1 + s / 2)),
        "Make each scale from the picture itself, or it blurs twice.": _chained,
        "Take the mean at each scale.": _loss(lambda d: (d - 1).square().sum()),
        "Square each value before the mean.": _loss(lambda d: (d.mean() - 1).square()),
        "That is the hinge loss. Use squares.": _loss(lambda d: -d.mean()),
        "The loss was halved. Do not divide by 2.": _loss(weigh=lambda w: w / 2),
        "Return the weighted sum, not its mean.": _loss(weigh=lambda w: w / len(w)),
        "Do not divide by the sum of the weights.": _loss(weigh=lambda w: w / w.sum()),
    },
    "The same patches of 7 x 7 pixels cover 10 x 10 pixels of the picture at the "
    "second scale, and nearly 16 x 16 at the third.",
    as_number,
)
