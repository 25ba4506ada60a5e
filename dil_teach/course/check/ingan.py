"""Exercises of chapter 12: a distance of distributions, a loss at several scales."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from dil_teach.course.check.engine import Case, Exercise, as_number, rand
from dil_teach.image.resize import resize

# ---- sliced_distance


def _sliced(
    order: Callable = lambda values: values.sort(dim=0).values,
    compare: Callable = lambda a, b: (a - b).abs().mean(),
    other: Callable | None = None,
    project: Callable = lambda patches, directions: patches @ directions.T,
) -> Callable:
    """Make a distance that projects, orders or compares the patches in another way."""

    def distance(first: Tensor, second: Tensor, directions: Tensor) -> Tensor:
        a = order(project(first, directions))
        b = (other or order)(project(second, directions))
        return compare(a, b)

    return distance


def _nearest(first: Tensor, second: Tensor, directions: Tensor) -> Tensor:
    a, b = first @ directions.T, second @ directions.T
    return (a[:, None] - b).abs().min(1).values.mean()


LINE = torch.tensor([[0.0], [1.0], [3.0]])
SHUFFLED = torch.tensor([[5.0], [0.0], [1.0]])
ONE, TWO = rand(12, 5), rand(12, 5, seed=1)
SLICES = rand(4, 5, seed=2) - 0.5

sliced_distance = Exercise(
    "sliced_distance",
    _sliced(),
    [
        Case(
            (LINE, SHUFFLED, torch.ones(1, 1)),
            "Sorted, the values are 0, 1, 3 and 0, 1, 5.",
        ),
        Case((ONE, TWO, SLICES)),
        Case(
            (ONE, ONE.flip(0), SLICES), "These are the same patches in another order."
        ),
    ],
    {
        "Sort the projections of each picture before you compare them: rank with rank, "
        "not place with place.": _sliced(lambda values: values),
        "Sort over the patches, separately for each direction. You sort over the "
        "directions.": _sliced(lambda values: values.sort(dim=1).values),
        "Sort both pictures in the same order.": _sliced(
            other=lambda values: values.sort(dim=0, descending=True).values
        ),
        "You sort only the first picture.": _sliced(other=lambda values: values),
        "You sort only the second picture.": _sliced(
            lambda values: values, other=lambda values: values.sort(dim=0).values
        ),
        "Take absolute differences, not squares.": _sliced(
            compare=lambda a, b: (a - b).square().mean()
        ),
        "Differences of opposite sign cancel. Take the absolute value before the "
        "mean.": _sliced(compare=lambda a, b: (a.mean(0) - b.mean(0)).abs().mean()),
        "Take the mean over patches and directions, not the sum.": _sliced(
            compare=lambda a, b: (a - b).abs().sum()
        ),
        "Sum over the patches is not asked for; take the mean over both.": _sliced(
            compare=lambda a, b: (a - b).abs().mean(1).sum()
        ),
        "Project first, then sort. If each pixel is sorted by itself, the patches are "
        "torn apart.": _sliced(
            project=lambda patches, directions: (
                patches.sort(dim=0).values @ directions.T
            )
        ),
        "You compare each patch with its nearest patch. That is coherence; it does not "
        "see how often a patch occurs.": _nearest,
    },
    "The distance is 0 only if both pictures have each kind of patch equally often "
    "along every direction. Where the patches lie plays no role.",
    as_number,
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
