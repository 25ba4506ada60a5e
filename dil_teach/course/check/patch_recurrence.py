"""Exercises of chapter 01: the distance of patches, and recurrence against scale."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dil_teach.course.check.engine import (
    Case,
    Exercise,
    NotYetRight,
    as_number,
    as_numbers,
    call,
    rand,
)
from dil_teach.image.resize import resize
from dil_teach.patches.recurrence import recurrence_map

BY_HAND = (
    torch.tensor([[[0.0, 0.4, 0.4], [0.0, 0.4, 0.0]]]),
    torch.tensor([[[0.2, 0.2, 0.4], [0.2, 0.4, 0.4]]]),
)
PATCHES = rand(2, 3, 4, 7)
TINT = torch.tensor([0.1, 0, -0.2])[:, None, None]


def _less_mean(a: Tensor, b: Tensor, *axes: int) -> Tensor:
    return (a - b) - (a - b).mean(axes or (1, 2), keepdim=True)


def _ssd(a: Tensor, b: Tensor) -> Tensor:
    return _less_mean(a, b).square().sum()


def _contrast_counts(answer: Any) -> dict:
    full, half = (as_number(call(answer, *(k * p for p in BY_HAND))) for k in (1, 0.5))
    return {
        "Half the contrast does not change your distance. Did you divide by the "
        "contrast? Remove only the mean.": full and abs(half / full - 1) < 0.01
    }


mean_removed_ssd = Exercise(
    "mean_removed_ssd",
    _ssd,
    [
        _contrast_counts,
        Case(BY_HAND, wanted=0.22),
        Case((PATCHES[0], PATCHES[0] + TINT), "Does each channel have its own mean?"),
        Case((*PATCHES,)),
    ],
    {
        "The mean was not removed. A patch in the shade and the same patch in the sun "
        "should have distance 0.": lambda a, b: (a - b).square().sum(),
        "One mean was taken over all channels together. A tint should not change the "
        "distance.": lambda a, b: _less_mean(a, b, 0, 1, 2).square().sum(),
        "The mean was taken over the channels, pixel by pixel. Take it over the "
        "pixels.": lambda a, b: _less_mean(a, b, 0).square().sum(),
        "The squares were averaged, not summed. The distance is the sum over all "
        "pixels.": lambda a, b: _less_mean(a, b).square().mean(),
        "The absolute differences were summed. What makes one large difference count "
        "more than many small ones?": lambda a, b: _less_mean(a, b).abs().sum(),
        "A square root was taken at the end. "
        "The result is the sum itself.": lambda a, b: _ssd(a, b).sqrt(),
    },
    "Two patches that differ only in brightness or tint now have distance 0. You "
    "compare their structure.",
    as_number,
)


# ---- percentage_against_scale


def _curve(fraction: Callable[..., Any]) -> Callable[..., list[float]]:
    """A curve in percent, made from `fraction(image, scale, patch_size, least)`."""
    return lambda image, scales, patch_size=5, least=9: [
        100 * float(fraction(image, scale, patch_size, least)) for scale in scales
    ]


def _fraction(image: Tensor, scale: float, patch_size: int, least: int) -> Tensor:
    return (recurrence_map(image, patch_size, scale) >= least).float().mean()


def _as_curve(result: Any, wanted: list[float], *arguments: Any) -> Tensor:
    if isinstance(result, Tensor | np.ndarray) and result.ndim == 1:
        raise NotYetRight(
            "It returns a tensor or array. The values may be right, but "
            "return a list of floats."
        )
    return as_numbers(result, wanted)


def _scene() -> Tensor:
    """Rings that get finer outwards, and noise in a corner, so all counts occur."""
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(28.0), indexing="ij")
    rings = 0.5 + 0.3 * torch.cos(((y - 7) ** 2 + (x - 5) ** 2) / 60)
    rings[14:, 18:] = 0.3 + 0.4 * rand(10, 10)
    return rings[None]


STRIPES, SCENE = (torch.arange(24) // 4 % 2).float().expand(1, 24, 24), _scene()
RECURS = "Each patch of plain stripes recurs in all the other stripes."

percentage_against_scale = Exercise(
    "percentage_against_scale",
    _curve(_fraction),
    [
        Case((STRIPES, [1.0], 5, 9), RECURS, wanted=[100.0]),
        Case((STRIPES, [1.0], 5, 16), RECURS, wanted=[100.0]),
        Case((SCENE, [0.5, 1.0, 0.75], 5, 9)),
        Case((SCENE, [0.75, 0.6], 5, 4)),
        Case((SCENE, [0.75, 0.6], 4, 2)),
        Case(
            (SCENE, [1.0]),
            "Without these arguments patch_size should be 5 and least 9.",
        ),
    ],
    {
        "The values are fractions of 1. Return percent.": _curve(
            lambda *g: _fraction(*g) / 100
        ),
        "Patches with exactly `least` recurrences are left out. 'At least' includes "
        "them.": _curve(lambda i, s, p, n: _fraction(i, s, p, n + 1)),
        "That is the mean number of recurrences. How many of the patches have enough "
        "of them?": _curve(
            lambda i, s, p, n: recurrence_map(i, p, s).float().mean() / 100
        ),
        "That is the number of patches with enough recurrences. Of how many patches is "
        "it a percentage?": _curve(
            lambda i, s, p, n: (recurrence_map(i, p, s) >= n).sum() / 100
        ),
        "You count the patches that recur too seldom. Count the others.": _curve(
            lambda *given: 1 - _fraction(*given)
        ),
        "The values are sorted by scale. Keep the order of "
        "`scales`.": lambda i, s, *others: _curve(_fraction)(i, sorted(s), *others),
        "Your result does not depend on `scale`. Where do you use it?": _curve(
            lambda i, s, p, n: _fraction(i, 1.0, p, n)
        ),
        "The small image was searched within itself. Search for the patches of the "
        "image itself.": _curve(lambda i, s, p, n: _fraction(resize(i, s), 1.0, p, n)),
        "Your result does not depend on `patch_size`. Where do you use it?": _curve(
            lambda i, s, p, n: _fraction(i, s, 5, n)
        ),
        "Your result does not depend on `least`. Where do you use it?": _curve(
            lambda i, s, p, n: _fraction(i, s, p, 9)
        ),
    },
    "Each point of the curve is a percentage of the same patches, so you can compare "
    "the scales.",
    _as_curve,
)
