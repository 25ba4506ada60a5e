"""Exercises of chapter 12: the inverse of an affine map, a loss at several scales."""

from collections.abc import Callable, Sequence
from functools import reduce
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
    """Make an inverse from two functions: one for its 2 x 2 part, one for its shift."""

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
        "You only changed the sign of the shift. The shift is added *after* the 2 x 2 "
        "part, so the inverse must transform it.": _affine(shift=lambda _, b: -b),
        "Your shift must go the other way.": _affine(shift=lambda _, b: b),
        "Your shift has the wrong sign.": _affine(shift=lambda inverse, b: inverse @ b),
        "Your shift is 0. The inverse must move each point back.": _affine(
            shift=lambda _, b: 0 * b
        ),
        "You multiply the shift by the forward map. Multiply it by the inverse "
        "map.": _affine(shift=lambda inverse, b: -inverse.inverse() @ b),
        "You transpose the 2 x 2 part. The transpose is the inverse of a rotation, but "
        "not of a scaling.": _affine(torch.t),
        "Your 2 x 2 part and your shift are wrong. The transpose is the inverse of a "
        "rotation, but not of a scaling. The inverse 2 x 2 part must transform the "
        "shift.": _affine(torch.t, lambda _, b: -b),
        "You take reciprocals of the entries. They are the inverse only if nothing is "
        "rotated or sheared.": _affine(_reciprocal),
        "Your 2 x 2 part and your shift are wrong. Reciprocals of the entries are the "
        "inverse only of a pure scaling. The inverse 2 x 2 part must transform the "
        "shift.": _affine(_reciprocal, lambda _, b: -b),
        "You return the map itself, not its inverse.": torch.clone,
        "You changed all signs. The inverse of doubling is halving.": torch.neg,
    },
    "A map followed by its inverse changes nothing. The reconstruction loss is 0 if "
    "the picture, too, is unchanged after the map and its inverse.",
)


# ---- multi_scale_loss


def _loss(
    measure: Callable = lambda d: (d - 1).square().mean(),
    size: Callable = lambda s: 1 / 1.5**s,
    weigh: Callable = lambda w: w,
    shrink: Callable = resize,
) -> Callable:
    """Make a loss with another measure, size of scale s, use of weights or resizing."""

    def loss(discriminator: Callable, picture: Tensor, weights: Sequence) -> Any:
        scales = [shrink(picture, size(s)) for s in range(len(weights))]
        judged = torch.stack([measure(discriminator(scale)) for scale in scales])
        return weigh(torch.tensor(weights)) @ judged

    return loss


def _detail(picture: Tensor) -> Tensor:
    """A discriminator whose values depend on the scale."""
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
        "Your differences cancel. Square the differences.": _loss(
            lambda d: (d - 1).mean()
        ),
        "Use squares, not absolute differences.": _loss(lambda d: (d - 1).abs().mean()),
        "You do not use the weights of the scales.": _loss(weigh=torch.ones_like),
        "Use the `weights`, not the plain mean.": _loss(weigh=lambda w: w**0 / len(w)),
        "Your weights are in the opposite order.": _loss(weigh=lambda w: w.flip(0)),
        "Your picture has the same size at each scale.": _loss(size=lambda s: 1),
        "Scale 0 must be the picture itself.": _loss(size=lambda s: 1 / 1.5 ** (s + 1)),
        "The picture should shrink, not grow.": _loss(size=lambda s: 1.5**s),
        "Each scale should be 1.5 times smaller, not 2.": _loss(size=lambda s: 0.5**s),
        "Scale s must be 1.5**s times smaller.": _loss(size=lambda s: 1 / (1 + s / 2)),
        "Make each scale from the picture itself, to blur only once.": _loss(
            size=lambda s: s * [1 / 1.5],
            shrink=lambda picture, sizes: reduce(resize, sizes, picture),
        ),
        "Take the mean at each scale.": _loss(lambda d: (d - 1).square().sum()),
        "Square each value before the mean.": _loss(lambda d: (d.mean() - 1).square()),
        "You use the hinge loss. Use squares.": _loss(lambda d: -d.mean()),
        "You halve the loss. Do not divide by 2.": _loss(weigh=lambda w: w / 2),
        "Return the weighted sum, not its mean.": _loss(weigh=lambda w: w / len(w)),
        "Do not divide by the sum of the weights.": _loss(weigh=lambda w: w / w.sum()),
    },
    "At the second scale, a patch of 7 x 7 pixels covers 10 x 10 pixels of the "
    "picture; at the third scale, it covers nearly 16 x 16 pixels.",
    as_number,
)
