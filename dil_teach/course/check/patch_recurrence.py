"""Exercises of chapter 01: the distance of patches, and recurrence against scale."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from dil_teach.course.check.engine import Case, Exercise, as_number, as_numbers, rand
from dil_teach.image.resize import resize
from dil_teach.patches.recurrence import recurrence_map

BY_HAND = torch.tensor([[[[0, 2, 2], [0, 2, 0]]], [[[1, 1, 2], [1, 2, 2]]]]) / 5
PATCHES = rand(2, 3, 4, 7)
TINT = torch.tensor([0.1, 0, -0.2])[:, None, None]


def _less_mean(a: Tensor, b: Tensor, axes: tuple[int, ...] = (1, 2)) -> Tensor:
    return (a - b) - (a - b).mean(axes, keepdim=True)


def _ssd(a: Tensor, b: Tensor) -> Tensor:
    return _less_mean(a, b).square().sum()


def _contrast_counts(answer: Callable) -> dict:
    full, half = (as_number(answer(*k * BY_HAND)) for k in (1, 0.5))
    return {
        "Half the contrast does not change your distance. Remove only the mean, and do "
        "not divide by the contrast.": full and abs(half / full - 1) < 0.01
    }


mean_removed_ssd = Exercise(
    "mean_removed_ssd",
    _ssd,
    [
        _contrast_counts,
        Case((*BY_HAND,), wanted=0.22),
        Case((PATCHES[0], PATCHES[0] + TINT), "Does each channel have its own mean?"),
        Case((*PATCHES,)),
    ],
    {
        "You did not remove the mean. A patch and the same patch in the shade should "
        "have distance 0.": lambda a, b: (a - b).square().sum(),
        "You take one mean over all channels together. A tint should not change the "
        "distance.": lambda a, b: _less_mean(a, b, (0, 1, 2)).square().sum(),
        "You take a mean over the channels of each pixel. Take a mean over the pixels "
        "of each channel.": lambda a, b: _less_mean(a, b, (0,)).square().sum(),
        "You average the squares. Take their sum.": lambda a, b: _ssd(a, b) / a.numel(),
        "Use squares, not absolute values.": lambda a, b: _less_mean(a, b).abs().sum(),
        "Do not take a square root at the end.": lambda a, b: _ssd(a, b).sqrt(),
    },
    "Two patches that differ only in brightness or tint now have distance 0.",
    as_number,
)


# ---- percentage_against_scale


def _curve(
    image: Tensor,
    scales: list[float],
    patch_size: int = 5,
    least: int = 9,
    percentage: Callable = lambda counts, least: 100 * (counts >= least).float().mean(),
) -> list[float]:
    """Make a curve: one percentage for the recurrence map of each scale."""
    maps = [recurrence_map(image, patch_size, scale) for scale in scales]
    return [float(percentage(counts, least)) for counts in maps]


def _scene() -> Tensor:
    """Rings that get finer outwards, and noise in a corner: all counts occur."""
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(28.0), indexing="ij")
    rings = 0.5 + 0.3 * torch.cos(((y - 7) ** 2 + (x - 5) ** 2) / 60)
    rings[14:, 18:] = 0.3 + 0.4 * rand(10, 10)
    return rings[None]


STRIPES, SCENE = (torch.arange(24) // 4 % 2).float().expand(1, 24, 24), _scene()
RECURS = "Each patch of plain stripes recurs in all the other stripes."

percentage_against_scale = Exercise(
    "percentage_against_scale",
    _curve,
    [
        *(Case((STRIPES, [1.0], 5, n), RECURS, wanted=[100.0]) for n in (9, 16)),
        Case((SCENE, [0.5, 1.0, 0.75], 5, 9)),
        Case((SCENE, [0.75, 0.6], 5, 4)),
        Case((SCENE, [0.75, 0.6], 4, 2)),
        Case((SCENE, [1.0]), "By default, `patch_size` should be 5 and `least` 9."),
    ],
    {
        "Return percentages, not fractions.": lambda *g: [p / 100 for p in _curve(*g)],
        "You leave out patches with exactly `least` recurrences. 'At least' includes "
        "these patches.": lambda i, s, p=5, n=9: _curve(i, s, p, n + 1),
        "You return the mean number of recurrences. How many patches have at least "
        "`least` recurrences?": partial(
            _curve, percentage=lambda counts, _: counts.float().mean()
        ),
        "You return the number of patches with enough recurrences. Return a "
        "percentage of all patches.": partial(
            _curve, percentage=lambda c, n: (c >= n).sum()
        ),
        "You return the percentage of patches with fewer than `least` "
        "recurrences.": lambda *g: [100 - p for p in _curve(*g)],
        "Do not sort the values by scale.": lambda i, s, *o: _curve(i, sorted(s), *o),
        "You do not use the scales.": lambda i, s, *o: _curve(i, [1.0 for _ in s], *o),
        "You search for patches of the small image. Search the small image for patches "
        "of the given "
        "image.": lambda i, s, *o: [_curve(resize(i, x), [1.0], *o)[0] for x in s],
        "You do not use `patch_size`.": lambda i, s, p=5, n=9: _curve(i, s, 5, n),
        "You do not use `least`.": lambda i, s, p=5, n=9: _curve(i, s, p),
    },
    "At each scale, the percentage refers to the same patches, so you can compare the "
    "scales.",
    as_numbers,
)
