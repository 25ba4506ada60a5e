"""Checks of chapter 01: the distance of patches, and recurrence against scale."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.course.check.verdict import (
    NotYetRight,
    as_number,
    call,
    compare,
    verdict,
)
from dil_teach.image.resize import resize
from dil_teach.patches.recurrence import recurrence_map

Patch = Float[Tensor, "c h w"]


@verdict
def mean_removed_ssd(answer: Any) -> str:
    """``mean_removed_ssd(a, b)``: the squared distance of two patches less their means.

    The mean is each channel's own, over the patch's pixels; a and b are Float[Tensor,
    "c h w"] of one shape; the result is one number.
    """
    a = torch.tensor([[[0.0, 0.4, 0.4], [0.0, 0.4, 0.0]]])
    b = torch.tensor([[[0.2, 0.2, 0.4], [0.2, 0.4, 0.4]]])
    by_hand, paler = (as_number(call(answer, k * a, k * b)) for k in (1, 0.5))
    if by_hand and abs(paler / by_hand - 1) < 0.01:
        raise NotYetRight(
            "Two patches of half the contrast are just as far apart by your measure: "
            "was the contrast divided away? Only the mean is removed."
        )
    compare(
        by_hand,
        0.22,
        "For a = [[0, 0.4, 0.4], [0, 0.4, 0]] and b = [[0.2, 0.2, 0.4], [0.2, 0.4, "
        f"0.4]], of one channel, it is 0.22 by hand; yours is {by_hand:.4g}.",
        partial(_ssd_mistakes, a, b),
    )

    rng = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 3, 5, 5, generator=rng)
    tint = torch.tensor([0.1, 0.0, -0.2])[:, None, None]
    tinted = as_number(call(answer, a, a + tint))
    compare(
        tinted,
        0.0,
        "A patch and the same patch in a light of another colour (each channel "
        f"brighter or darker by a number of its own) are 0 apart; yours is "
        f"{tinted:.4g}. Is the mean each channel's own?",
        partial(_ssd_mistakes, a, a + tint),
    )
    a, b = torch.rand(2, 3, 4, 7, generator=rng)
    got, wanted = as_number(call(answer, a, b)), _ssd(a, b)
    compare(
        got,
        wanted,
        f"For two random patches of shape (3, 4, 7) it is {wanted:.4f}; yours is "
        f"{got:.4f}.",
        partial(_ssd_mistakes, a, b),
    )
    return (
        "Two patches that differ in brightness or tint alone are now 0 apart: what "
        "is compared is their structure."
    )


def _ssd(a: Patch, b: Patch, axes: tuple[int, ...] = (1, 2)) -> float:
    difference = a - b
    return float((difference - difference.mean(axes, keepdim=True)).square().sum())


def _ssd_mistakes(a: Patch, b: Patch) -> dict[str, float]:
    """What known mistakes give for these patches, by their diagnosis."""
    difference = (a - b) - (a - b).mean((1, 2), keepdim=True)
    return {
        "The mean was not removed: a patch in the shade and the same patch in the sun "
        "should be alike.": float((a - b).square().sum()),
        "One mean was taken over all channels together: a patch under a warm lamp "
        "then differs from the same patch in daylight.": _ssd(a, b, (0, 1, 2)),
        "The mean was taken across the channels, pixel by pixel: it should be taken "
        "across the pixels.": _ssd(a, b, (0,)),
        "The squares were averaged, not summed: what should happen to a patch with "
        "more pixels?": float(difference.square().mean()),
        "The absolute differences were summed: what makes one large difference count "
        "more than many small ones?": float(difference.abs().sum()),
        "A square root was taken at the end: the sum itself is wanted.": float(
            difference.square().sum().sqrt()
        ),
    }


@verdict
def percentage_against_scale(answer: Any) -> str:
    """``percentage_against_scale(image, scales, patch_size=5, least=9)``: a curve.

    One float for each scale: how many percent of the image's patches recur at least
    `least` times in the image at that scale.
    """
    # by hand: on stripes every patch recurs along its stripe and in all the others
    stripes = (torch.arange(32) // 4 % 2).float().expand(1, 32, 32)
    for least in (9, 16):  # recurrence_map counts no further than 16
        (percent,) = _curve(call(answer, stripes, [1.0], 5, least), 1)
        compare(
            torch.tensor([percent]),
            torch.tensor([100.0]),
            f"Each patch of plain stripes recurs {least} times and more at scale 1, so "
            f"100 percent is wanted at least = {least}; yours is {percent:.4g}.",
            partial(_percentage_mistakes, stripes, [1.0], 5, least),
        )

    image = _scene()
    for scales, patch_size, least in (
        ([1.0], 5, 9),
        ([0.5, 1.0, 0.75], 5, 9),
        ([0.75, 0.6], 5, 4),
        ([0.75, 0.6], 4, 2),
    ):
        got = _curve(call(answer, image, scales, patch_size, least), len(scales))
        wanted = _percentages(image, scales, patch_size, least)
        values = ", ".join(f"{value:.1f}" for value in wanted)
        compare(
            torch.tensor(got),
            torch.tensor(wanted),
            f"For a small test image, scales {scales}, patch_size {patch_size} and "
            f"least {least} the percentages are {values}; yours are "
            + ", ".join(f"{value:.4g}" for value in got)
            + ".",
            partial(_percentage_mistakes, image, scales, patch_size, least),
        )
    got = _curve(call(answer, image, [1.0]), 1)
    if abs(got[0] - _percentages(image, [1.0], 5, 9)[0]) > 0.01:
        raise NotYetRight(
            "Called without them, patch_size should be 5 and least 9: what stands in "
            "the function's first line?"
        )
    return (
        "Each point of the curve is a share of the same patches, those of the image "
        "itself, so the scales can be compared."
    )


def _curve(result: Any, scales: int) -> list[float]:
    """The result, if it is a list of one finite number for each scale."""
    if isinstance(result, Tensor | np.ndarray) and result.ndim == 1:
        raise NotYetRight(
            "It returns a whole tensor or array. The values may well be right, but a "
            "list of floats is wanted: make each value a `float`."
        )
    if not isinstance(result, list | tuple):
        as_number(result)
        raise NotYetRight(
            "It returns one number; wanted is a list, one for each scale."
        )
    if len(result) != scales:
        raise NotYetRight(
            f"For {scales} scales there should be as many numbers in the list, got "
            f"{len(result)}."
        )
    return [as_number(value) for value in result]


def _scene() -> Float[Tensor, "1 h w"]:
    """Rings that get finer outwards, and a corner of noise: all counts occur."""
    y, x = torch.meshgrid(torch.arange(36.0), torch.arange(44.0), indexing="ij")
    rings = 0.5 + 0.3 * torch.cos(((y - 10) ** 2 + (x - 8) ** 2) / 90)
    rng = torch.Generator().manual_seed(0)
    rings[20:, 28:] = 0.3 + 0.4 * torch.rand(16, 16, generator=rng)
    return rings[None]


def _percentages(
    image: Patch, scales: list[float], patch_size: int, least: int
) -> list[float]:
    maps = (recurrence_map(image, patch_size, scale) for scale in scales)
    return [100 * float((counts >= least).float().mean()) for counts in maps]


def _percentage_mistakes(
    image: Patch, scales: list[float], patch_size: int, least: int
) -> dict[str, Tensor]:
    """What known mistakes give, by their diagnosis: a value for each scale."""
    maps = [recurrence_map(image, patch_size, scale).float() for scale in scales]
    inside = [
        recurrence_map(resize(image, scale), patch_size, 1.0).float()
        for scale in scales
    ]
    at_one = [recurrence_map(image, patch_size, 1.0).float() for _ in scales]
    otherwise = [recurrence_map(image, 5, scale).float() for scale in scales]

    def each(maps: list[Tensor], measure: Callable[[Tensor], Tensor]) -> Tensor:
        return torch.stack([measure(counts) for counts in maps])

    order = sorted(range(len(scales)), key=lambda place: scales[place])

    def share(counts: Tensor) -> Tensor:
        return 100 * (counts >= least).float().mean()

    return {
        "That is a share of 1, and percent are wanted.": each(maps, share) / 100,
        "Patches with exactly `least` recurrences are left out: 'at least' takes them "
        "in.": each(maps, lambda counts: 100 * (counts > least).float().mean()),
        "That is the mean number of recurrences. Wanted is how many of the patches "
        "have enough of them.": each(maps, lambda counts: counts.mean()),
        "That is the number of patches: of how many?": each(
            maps, lambda counts: (counts >= least).float().sum()
        ),
        "Those are the patches that recur too seldom: the others are wanted.": 100
        - each(maps, share),
        "The values are in the order of growing scales: they should follow `scales` as "
        "it is given.": each(maps, share)[order],
        "The scale changes nothing: where does `scale` go in?": each(at_one, share),
        "The image was made smaller first, and searched within itself: that counts the "
        "small image's patches. Wanted are the image's own, looked for in the "
        "small one.": each(inside, share),
        "The size of the patches changes nothing: where does `patch_size` go in?": each(
            otherwise, share
        ),
        "The number that is asked for changes nothing: where does `least` go in?": each(
            maps, lambda counts: 100 * (counts >= 9).float().mean()
        ),
    }
