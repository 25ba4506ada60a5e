"""Exercises of chapter 04: a step of Efros and Leung, and the vote of patches."""

from collections.abc import Callable
from functools import partial
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
    refuse,
)

EPS = 0.1  # as in the chapter

# ---- efros_leung_step


def _distances(
    template: Tensor,
    known: Tensor,
    windows: Tensor,
    gaussian: Tensor,
    size: Callable = torch.square,
) -> Tensor:
    weights = known * gaussian
    apart = size(windows - template).sum(1)
    return (weights * apart).sum((1, 2)) / weights.sum()


def _draw(distance: Tensor, luck: float, most: Callable[[Tensor], Tensor]) -> int:
    """The candidate that ``luck`` chooses among those of at most this distance."""
    candidates = (distance <= most(distance.min())).nonzero()[:, 0]
    return int(candidates[int(luck * len(candidates))])


def _step(
    template: Tensor,
    known: Tensor,
    windows: Tensor,
    gaussian: Tensor,
    luck: float,
    size: Callable = torch.square,
    most: Callable[[Tensor], Tensor] = lambda least: (1 + EPS) * least,
) -> tuple[Tensor, int]:
    """A step of Efros and Leung, with replaceable parts for mistakes."""
    distance = _distances(template, known, windows, gaussian, size)
    return distance, _draw(distance, luck, most)


def _as_step(result: Any, wanted: Any, *arguments: Any) -> Tensor:
    """The distances and the index in one tensor; both count in the comparison."""
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise NotYetRight("Return two things: the distances, and the chosen index.")
    distance = as_image(result[0], wanted[0], *arguments)
    chosen = as_number(result[1])
    allowed = f"The chosen index should be a whole number below {len(distance)}, got "
    refuse({f"{allowed}{chosen:g}.": chosen not in range(len(distance))})
    return torch.cat([distance, torch.tensor([chosen / 100])])


def _explained(case: tuple, got: Tensor) -> str:
    distance, chosen = _step(*case)
    if not torch.allclose(got[:-1], distance, rtol=1e-3, atol=1e-6):
        return (
            "Your distances are not right. Weight the squared "
            "differences by `known * gaussian`, and divide by the sum of the weights."
        )
    candidates = (distance <= (1 + EPS) * distance.min()).nonzero()[:, 0].tolist()
    return (
        f"Your distances are right. Here, the candidates are {candidates[:8]} and luck "
        f"is {case[-1]:g}, so the chosen index should be {chosen}; yours is "
        f"{round(100 * float(got[-1]))}."
    )


def _bell(side: int) -> Tensor:
    near = torch.arange(side) - side // 2
    bell = torch.exp(-(near**2) / (2 * (side / 6.4) ** 2))
    return torch.outer(bell, bell)


def _sample(channels: int, count: int, side: int, seed: int) -> tuple[Tensor, ...]:
    """A template, its known pixels, and windows of which a few are near to it."""
    template = rand(channels, side, side, seed=seed)
    known = torch.ones(side, side)
    known[side // 2, side // 2 :], known[side // 2 + 1 :] = 0, 0
    windows = rand(count, channels, side, side, seed=seed + 1)
    for number in range(1, count, 3):  # the root of the distance: 2% to 12% apart
        apart = rand(channels, side, side, seed=seed + 2) - 0.5
        strange = (1 - known) * (windows[number] - template)
        windows[number] = template + (1 + 0.02 * (number % 7)) * apart / 5 + strange
    return template, known, windows, _bell(side)


ONE = torch.ones(3, 3)
BY_HAND = (
    torch.tensor([[[0.0, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.0]]]),
    torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
    torch.tensor([0.9, 0.7, 0.6, 0.4])[:, None, None, None].expand(4, 1, 3, 3).clone(),
    ONE,
)
STEPS = [
    (*BY_HAND, 0.0),
    (*BY_HAND, 0.7),
    (*_sample(1, 20, 5, 10), 0.0),
    (*_sample(3, 30, 5, 20), 0.5),
    (*_sample(3, 40, 7, 30), 0.99),
    (*_sample(1, 40, 7, 40), 0.3),
]


def _chosen(choose: Callable[[Tensor, float], Any]) -> Callable:
    """A step with the right distances and another choice."""

    def step(*given: Any) -> tuple[Tensor, int]:
        distance = _distances(*given[:4])
        return distance, int(choose(distance, given[4]))

    return step


def _changed(change: Callable) -> Callable:
    """A step with other distances; ``change`` gets the arguments of `_distances`."""

    def step(*given: Any) -> tuple[Tensor, int]:
        distance = change(*given[:4])
        return distance, _draw(distance, given[4], lambda least: (1 + EPS) * least)

    return step


efros_leung_step = Exercise(
    "efros_leung_step",
    _step,
    [Case(given, partial(_explained, given)) for given in STEPS],
    {
        "You compare all pixels of the window. Unknown pixels of the template must not "
        "count.": _changed(
            lambda t, k, w, g: _distances(t, ONE.new_ones(k.shape), w, g)
        ),
        "You compare the unknown pixels. Where `known` is 1, the template is "
        "known.": _changed(lambda t, k, w, g: _distances(t, 1 - k, w, g)),
        "You do not use the Gaussian: pixels near the middle should count "
        "more.": _changed(lambda t, k, w, g: _distances(t, k, w, torch.ones_like(g))),
        "Divide by the sum of the weights: templates with few and with many known "
        "pixels should have comparable distances.": _changed(
            lambda t, k, w, g: _distances(t, k, w, g) * (k * g).sum()
        ),
        "Square the differences; you take their absolute values.": partial(
            _step, size=torch.abs
        ),
        "Do not take the root of the distance.": _changed(
            lambda t, k, w, g: _distances(t, k, w, g).sqrt()
        ),
        "Take the sum over the channels, not the mean.": _changed(
            lambda t, k, w, g: _distances(t, k, w, g) / w.shape[1]
        ),
        "You always choose the nearest window. Draw one of the candidates: `luck` says "
        "which.": _chosen(lambda d, luck: d.argmin()),
        "You draw among all windows. Draw among the candidates only.": _chosen(
            lambda d, luck: luck * len(d)
        ),
        "Your index counts the candidates. Return the index of the window among all "
        "windows.": _chosen(lambda d, luck: luck * (d <= (1 + EPS) * d.min()).sum()),
        "A candidate has at most 1.1 times the smallest distance. You add 0.1 to the "
        "smallest distance.": partial(_step, most=lambda least: least + EPS),
    },
    "The pixel in the middle of the chosen window continues the texture.",
    _as_step,
)


# ---- coherence_vote


def _tally(
    like: Tensor,
    patches: Tensor,
    corners: Tensor,
    weights: Tensor,
    add: Callable[[Tensor, Tensor], Tensor] = torch.add,
) -> tuple[Tensor, Tensor]:
    """The weighted sum of the votes for each pixel, and the sum of their weights."""
    side = patches.shape[-1]
    total, weight = torch.zeros_like(like), torch.zeros_like(like[:1])
    for patch, (row, column), share in zip(
        patches, corners.tolist(), weights, strict=True
    ):
        place = (slice(None), slice(row, row + side), slice(column, column + side))
        total[place] = add(total[place], share * patch)
        weight[place] = add(weight[place], share.expand_as(weight[place]))
    return total, weight


def _vote(
    estimate: Tensor,
    hole: Tensor,
    *votes: Tensor,
    add: Callable[[Tensor, Tensor], Tensor] = torch.add,
) -> Tensor:
    total, weight = _tally(estimate, *votes, add=add)
    mean = total / weight.clamp_min(1e-12)
    return torch.where((hole == 1) & (weight > 0), mean, estimate)


def _votes(channels: int, count: int, side: int, seed: int) -> tuple[Tensor, ...]:
    height, width = 11, 13
    hole = torch.zeros(1, height, width)
    hole[:, 3:9, 4:11] = 1
    room = torch.tensor([height, width]) - side + 1
    corners = (rand(count, 2, seed=seed) * room).long()
    return (
        rand(channels, height, width, seed=seed + 1),
        hole,
        rand(count, channels, side, side, seed=seed + 2),
        corners,
        rand(count, seed=seed + 3) + 0.1,
    )


BALLOT = (
    torch.tensor([[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]]),
    torch.tensor([[[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]]]),
    torch.stack([torch.full((1, 2, 2), 0.8), torch.zeros(1, 2, 2)]),
    torch.tensor([[0, 0], [0, 1]]),
    torch.tensor([3.0, 1.0]),
)
"""Two patches: the left one proposes 0.8 with weight 3, the right one 0 with weight 1.
Both cover the column in the middle."""
SPARSE = _votes(3, 6, 3, 50)  # some pixels of the hole get no vote


def _decided(decide: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable:
    """A vote with another result from the sum, the weights and the number of votes."""

    def vote(
        estimate: Tensor, hole: Tensor, patches: Tensor, corners: Tensor, w: Tensor
    ) -> Tensor:
        total, weight = _tally(estimate, patches, corners, w)
        number = _tally(estimate, patches, corners, torch.ones_like(w))[1]
        new = decide(total, weight, number)
        return torch.where((hole == 1) & (weight > 0), new, estimate)

    return vote


def _with(
    weights: Callable[[Tensor], Tensor] = lambda w: w,
    hole: Callable[[Tensor], Tensor] = lambda h: h,
) -> Callable:
    return lambda e, h, p, c, w: _vote(e, hole(h), p, c, weights(w))


def _middles(
    estimate: Tensor, hole: Tensor, patches: Tensor, corners: Tensor, weights: Tensor
) -> Tensor:
    half = patches.shape[-1] // 2
    middle = patches[:, :, half : half + 1, half : half + 1]
    return _vote(estimate, hole, middle, corners + half, weights)


coherence_vote = Exercise(
    "coherence_vote",
    _vote,
    [
        Case(
            BALLOT,
            "In the middle column, both patches vote: (3 * 0.8 + 1 * 0) / (3 + 1).",
            wanted=torch.tensor([[[0.1, 0.6, 0.0], [0.4, 0.6, 0.0]]]),
        ),
        Case(SPARSE, "Some pixels of this hole get no vote."),
        Case(_votes(3, 60, 3, 60)),
        Case(_votes(1, 40, 5, 70), "Here, the patches have 5 x 5 pixels."),
    ],
    {
        "You take the plain mean. Use the weights.": _with(weights=torch.ones_like),
        "You do not divide by the sum of the weights.": _decided(lambda s, w, n: s),
        "Divide by the sum of the weights, not by the number of votes.": _decided(
            lambda s, w, n: s / n.clamp_min(1)
        ),
        "You change known pixels. Only pixels of the hole get a new colour.": _with(
            hole=torch.ones_like
        ),
        "You change the known pixels instead of the hole.": _with(hole=lambda h: 1 - h),
        "Only the last patch counts in your result. Add the votes of all patches that "
        "cover a pixel.": partial(_vote, add=lambda old, new: new),
        "Only the middle pixel of each patch votes. All of its pixels vote.": _middles,
        "A pixel without any vote keeps its estimate.": lambda e, h, *votes: _vote(
            torch.where(h == 1, 0, e), h, *votes
        ),
    },
    "Each pixel of the hole is now the weighted mean of the patches that cover it.",
)
