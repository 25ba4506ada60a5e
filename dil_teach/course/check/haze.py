"""Exercises of chapter 08: the airlight from one pair, and the airlight of many."""

import torch
from torch import Tensor

from dil_teach.course.check.engine import Case, Exercise, rand

# ---- airlight_from_pair


def _contrast(patch: Tensor) -> Tensor:
    return (patch - patch.mean(dim=(1, 2), keepdim=True)).square().mean().sqrt()


def _pair(near: Tensor, far: Tensor, ratio: Tensor) -> Tensor:
    means = near.mean(dim=(1, 2)), far.mean(dim=(1, 2))
    return (means[1] - ratio * means[0]) / (1 - ratio)


def _airlight_from_pair(near: Tensor, far: Tensor) -> Tensor:
    return _pair(near, far, _contrast(far) / _contrast(near))


def _hazy(clear: Tensor, t: float, airlight: Tensor) -> Tensor:
    return t * clear + (1 - t) * airlight


AIR = torch.tensor([0.6, 0.64, 0.7])[:, None, None]
ONE = torch.tensor([[[0.0, 0.4]]]).expand(3, 1, 2).contiguous()
PATTERN = 0.5 * rand(3, 7, 7)
TINTED = PATTERN * torch.tensor([1.0, 0.5, 0.2])[:, None, None]

airlight_from_pair = Exercise(
    "airlight_from_pair",
    _airlight_from_pair,
    [
        Case(
            (ONE, 0.25 * ONE + 0.75 * 0.8),
            "The ratio of the contrasts is 0.25; the means are 0.2 and 0.65.",
            wanted=torch.full((3,), 0.8),
        ),
        Case((_hazy(PATTERN, 0.9, AIR), _hazy(PATTERN, 0.3, AIR)), "", AIR.flatten()),
        Case((_hazy(TINTED, 0.7, AIR), _hazy(TINTED, 0.5, AIR)), "", AIR.flatten()),
        Case((0.8 * rand(3, 7, 7, seed=1), 0.6 + 0.2 * rand(3, 7, 7, seed=2))),
    ],
    {
        "You swapped the patches: the ratio is that of the far patch to the near "
        "one.": lambda n, f: _pair(n, f, _contrast(n) / _contrast(f)),
        "Divide by 1 - ratio: the far patch is not opaque haze.": lambda n, f: (
            f.mean(dim=(1, 2)) - _contrast(f) / _contrast(n) * n.mean(dim=(1, 2))
        ),
        "Remove the mean of each channel before you measure the contrast.": (
            lambda n, f: _pair(n, f, (f.square().mean() / n.square().mean()).sqrt())
        ),
        "You use the squared contrast. The transmission multiplies the contrast "
        "itself, so take a root.": (
            lambda n, f: _pair(n, f, (_contrast(f) / _contrast(n)).square())
        ),
        "Use one ratio for all channels: haze has the same transmission in "
        "red, green and blue.": lambda n, f: _pair(
            n, f, f.std(dim=(1, 2)) / n.std(dim=(1, 2)) + 0 * f.mean(dim=(1, 2))
        ),
        "You subtract one mean of all channels. Each channel has its own "
        "mean.": lambda n, f: _pair(n, f, f.std() / n.std()),
        "That is the mean colour of the far patch. Follow the line beyond "
        "it.": lambda n, f: f.mean(dim=(1, 2)),
    },
    "Two patches give the colour of the haze, although neither of them is opaque haze.",
    tolerance=1e-3,
)


# ---- airlight_of_votes


def _airlight_of_votes(
    near: Tensor, far: Tensor, ratio: Tensor, weight: Tensor
) -> Tensor:
    rest = 1 - ratio
    target = far - ratio[:, None] * near
    return ((weight * rest)[:, None] * target).sum(0) / (weight * rest**2).sum()


def _mean_of_votes(near: Tensor, far: Tensor, ratio: Tensor, by: Tensor) -> Tensor:
    votes = (far - ratio[:, None] * near) / (1 - ratio)[:, None]
    return (by[:, None] * votes).sum(0) / by.sum()


NEAR, RATIOS, WEIGHTS = 0.5 * rand(6, 3), 0.1 + 0.8 * rand(6, seed=1), rand(6, seed=2)
FAR = RATIOS[:, None] * NEAR + (1 - RATIOS)[:, None] * AIR.flatten()
ROUGH = FAR + 0.05 * rand(6, 3, seed=3)
ONES = torch.ones(6)

airlight_of_votes = Exercise(
    "airlight_of_votes",
    _airlight_of_votes,
    [
        Case(
            (
                torch.zeros(2, 3),
                torch.tensor([[0.3] * 3, [0.2] * 3]),
                torch.tensor([0.5, 0.75]),
                torch.ones(2),
            ),
            "The votes are 0.6 and 0.8, and 1 - ratio is 0.5 and 0.25.",
            wanted=torch.full((3,), 0.64),
        ),
        Case((NEAR, FAR, RATIOS, ONES), "All pairs agree here.", AIR.flatten()),
        Case((NEAR, ROUGH, RATIOS, ONES), "Here the pairs disagree."),
        Case((NEAR, ROUGH, RATIOS, WEIGHTS), "Do you use the weights?"),
    ],
    {
        "That is the plain mean of the votes. A vote with a ratio near 1 is "
        "uncertain: which error do the least squares minimise?": (
            lambda n, f, r, w: _mean_of_votes(n, f, r, w)
        ),
        "Weight a vote by the square of 1 - ratio, not by 1 - ratio.": (
            lambda n, f, r, w: _mean_of_votes(n, f, r, w * (1 - r))
        ),
        "Use the weights.": lambda n, f, r, w: _airlight_of_votes(n, f, r, w**0),
        "Use each weight once: you use its square.": (
            lambda n, f, r, w: _airlight_of_votes(n, f, r, w**2)
        ),
        "Divide by the sum of the weights times the squares of 1 - ratio.": (
            lambda n, f, r, w: (
                _airlight_of_votes(n, f, r, w) * (w * (1 - r) ** 2).sum() / w.sum()
            )
        ),
        "You swapped near and far.": lambda n, f, r, w: _airlight_of_votes(f, n, r, w),
    },
    "A pair whose patches have nearly equal contrasts says little about the airlight, "
    "and least squares give it little weight.",
    tolerance=1e-3,
)
