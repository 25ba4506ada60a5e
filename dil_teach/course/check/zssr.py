"""Exercises of chapter 09: the son, eight orientations, and the control."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach.classical.back_projection import back_project
from dil_teach.course.check.engine import (
    Case,
    Exercise,
    NotYetRight,
    as_image,
    call,
    prediction,
    rand,
    refuse,
)
from dil_teach.image.augment import ORIENTATIONS, add_noise, orient, orient_back
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.resize import blur_and_subsample, resize

BOX = torch.full((2, 2), 1 / 4)
WIDE = gaussian_kernel((2.0, 1.0), angle=0.5, size=6).float()
LOPSIDED = torch.outer(torch.tensor([1, 3, 3, 1]), torch.tensor([1, 0, 3, 0])) / 32
"""A centred kernel that is neither its own mirror image nor its own transpose."""


# ---- make_son


def _son(father: Tensor, kernel: Tensor, sigma: float, rng: torch.Generator) -> Tensor:
    return add_noise(blur_and_subsample(father, kernel, 2), sigma, rng)


def _grey(son: Tensor) -> str:
    if abs(son[:, 1:-1, 1:-1] - 0.5).max() > 1e-4:
        return (
            "The son of a uniform grey father has another grey. Do the weights sum to "
            "1?"
        )
    return (
        "The son of a uniform grey father has an edge at the border. What does your "
        "blur read outside the father? Repeat the border pixels there."
    )


def _place(answer: Any) -> dict:
    """Where the pixels of the son lie, measured on stripes and slopes."""

    def inner(father: Tensor, kernel: Tensor) -> Tensor:
        son = call(answer, father, kernel, 0.0, torch.Generator())
        return as_image(son, torch.zeros(1, 6, 6))[0, 1:-1, 1:-1]

    stripes = (torch.arange(12) % 2).float().expand(1, 12, 12)
    slope = torch.arange(12.0).expand(1, 12, 12) / 20
    found: dict[str, Any] = {
        "Stripes one pixel wide come out black or white, but a blur makes them grey. "
        "Does each pixel of the son depend on all pixels under the "
        "kernel?": abs(inner(stripes, BOX) - 0.5).max() > 0.3
    }
    for kernel in (BOX, WIDE):
        right, down = inner(slope, kernel), inner(slope.mT, kernel).mT
        for son, *sides in (right, "left of", "right of"), (down, "above", "below"):
            shift = float((20 * son[1:3, 1:3] - torch.tensor([4.5, 6.5])).mean())
            away = f"{abs(shift):.2f} pixels"
            away = {"0.50": "half a pixel", "1.00": "one pixel"}.get(away[:4], away)
            found[
                f"Your son is shifted by {away} of the father: it shows what lies "
                f"{sides[shift > 0]} the correct position. Is the kernel centred "
                "between the two pixels that become one?"
            ] = abs(shift) >= 0.02
    return found


def _noise(answer: Any) -> dict:
    """The strength, the range and the generator of the noise at sigma = 0.1."""
    father = torch.zeros(3, 128, 128)
    father[:, 64:] = 1
    clean = father[:, ::2, ::2]  # the upper half black, the lower half white

    def noise(seed: int) -> Tensor:
        rng = torch.Generator().manual_seed(seed)
        return as_image(call(answer, father, BOX, 0.1, rng), clean) - clean

    first = noise(1)
    spread = float(first.std())
    return {
        "At sigma = 0.1 the son has no noise. Where is it?": spread == 0,
        "The noise makes the son brighter or darker on average. Is it drawn from both "
        "sides of 0?": abs(first.mean()) > 0.1 * spread,
        "The noise makes black brighter and white darker. Is the son cut off at 0 and "
        "1? Leave values outside as they "
        "are.": abs(first[:, :32].mean()) > 0.1 * spread,
        "The noise is half as strong as it should be, because the blur has averaged "
        "it. Which comes first, the blur or the noise?": abs(spread - 0.05) < 0.005,
        f"The noise should have a standard deviation of 0.1, got {spread:.3g}. Is "
        "sigma in the units of [0, 1]?": abs(spread - 0.1) > 0.005,
        "The same `rng` with the same seed gives other noise each time. Is the noise "
        "drawn from `rng`?": not torch.equal(first, noise(1)),
        "The noise is the same for another seed of `rng`. Is it drawn from "
        "`rng`?": torch.equal(first, noise(2)),
        "All channels have the same noise. Draw the noise of each channel "
        "separately.": torch.equal(first[0], first[1]),
    }


RNG = torch.Generator()

make_son = Exercise(
    "make_son",
    _son,
    [
        *(Case((torch.full((3, 8, 12), 0.5), k, 0.0, RNG), _grey) for k in (BOX, WIDE)),
        _place,
        *(Case((rand(3, 10, 14), k, 0.0, RNG)) for k in (BOX, WIDE, LOPSIDED)),
        _noise,
    ],
    {
        "No blur can be seen: fine stripes become coarse ones. Apply the kernel before "
        "you leave pixels out.": lambda f, k, s, r: resize(f, 0.5, antialias=False),
        "Squares of two by two pixels are averaged, which is the blur of another "
        "camera. Use the given kernel.": lambda f, k, s, r: F.avg_pool2d(f, 2),
        "The father was made smaller by bicubic interpolation. Use the given "
        "kernel.": lambda f, k, s, r: resize(f, 0.5),
        "The kernel is upside down, as in a convolution. Use correlation, which does "
        "not flip it.": lambda f, k, s, r: _son(f, k.flip(0, 1), s, r),
        "The kernel's rows and columns are swapped.": lambda f, k, s, r: _son(
            f, k.mT, s, r
        ),
        "The channels were mixed. Blur each channel separately.": lambda f, k, s, r: (
            _son(f.mean(0).expand_as(f), k, s, r)
        ),
    },
    "Your son is blurred, sampled at the right places, and has the noise of the "
    "camera. The given image was made in the same way.",
)


# ---- eight_fold


def _turned(enlarge: Callable, low: Tensor, back: Callable = orient_back) -> Tensor:
    return torch.stack([back(enlarge(orient(low, o)), o) for o in ORIENTATIONS])


def _mirroring_undone_first(image: Tensor, o: int) -> Tensor:
    return (image.flip(-1) if o > 3 else image).rot90(-(o % 4), (-2, -1))


def _double(image: Any) -> Tensor:
    if not isinstance(image, Tensor) or image.ndim != 3:
        kind = getattr(image, "shape", type(image).__name__)
        raise NotYetRight(f"`enlarge` takes one image of shape (c, h, w), got {kind}.")
    return image.repeat_interleave(2, -1).repeat_interleave(2, -2)


def _lopsided(image: Any) -> Tensor:
    """Double the image and multiply it by a random brightness map."""
    big = _double(image)
    return big * F.interpolate(rand(1, 1, 6, 6), big.shape[1:])[0]


def _orientations(answer: Any) -> dict:
    """Measure which of the eight orientations were enlarged."""
    low = rand(1, 4, 4)
    seen = []
    call(answer, lambda image: (seen.append(image), _double(image))[1], low)
    views = [orient(low, o) for o in ORIENTATIONS]
    asked = [o for o in ORIENTATIONS if any(torch.equal(i, views[o]) for i in seen)]
    lacking = "mirrorings" if {o % 4 for o in asked} == {0, 1, 2, 3} else "turns"
    return {
        "`enlarge` was never called. Call it for each orientation of `low`.": not seen,
        "`enlarge` got none of the eight orientations of `low`. Which image does it "
        "get?": not asked,
        f"`enlarge` got one orientation only, in {len(seen)} calls. The mean of equal "
        "answers is that answer.": len(asked) == 1,
        f"`enlarge` got {len(asked)} orientations of the image, and a square has "
        f"eight: which {lacking} are missing?": len(asked) < 8,
    }


eight_fold = Exercise(
    "eight_fold",
    lambda enlarge, low: _turned(enlarge, low).mean(0),
    [
        _orientations,
        Case(
            (_double, rand(1, 4, 4)),
            "Here `enlarge` makes a square of each pixel, so all eight answers should "
            "agree. Is each one brought back to the orientation of `low`?",
        ),
        Case(
            (_lopsided, rand(3, 5, 5)),
            "Here `enlarge` prefers one direction. Does each of the eight answers "
            "count once, and is it brought back before the mean?",
        ),
        Case((_lopsided, rand(3, 5, 7)), "This image is not square."),
    ],
    {
        "The answers were not turned back, so you average eight pictures in eight "
        "orientations.": lambda e, x: _turned(e, x, lambda a, o: a).mean(0),
        "Some answers come back upside down. A quarter turn to the left is undone by "
        "one to the right.": lambda e, x: _turned(e, x, orient).mean(0),
        "Some answers come back upside down. If you turn last, undo the turn first, "
        "then the "
        "mirroring.": lambda e, x: _turned(e, x, _mirroring_undone_first).mean(0),
        "The eight answers were added, which is far too bright. Take their "
        "mean.": lambda e, x: _turned(e, x).sum(0),
        "That is the median, as in the paper. Take the mean here, which uses all "
        "eight.": lambda e, x: _turned(e, x).median(0).values,
        "That is the mean of the two values in the middle. Take the mean of all "
        "eight.": lambda e, x: _turned(e, x).quantile(0.5, dim=0),
    },
    "If `enlarge` prefers one direction, the mean removes this error. The details that "
    "all eight answers share stay.",
)


# ---- allowed_orientations


@prediction
def allowed_orientations(chosen: Any, kernel: Tensor) -> str:
    """In which orientations the image still looks as if its own camera had taken it."""
    numbers = isinstance(chosen, set | list | tuple)
    if not numbers or not all(o in ORIENTATIONS for o in chosen):
        raise NotYetRight(f"Expected a set of numbers from 0 to 7, got {chosen!r}.")
    change = [float(abs(orient(kernel, o) - kernel).max()) for o in ORIENTATIONS]
    allowed = {o for o in ORIENTATIONS if change[o] < 0.01 * kernel.abs().max()}
    wrong = min({*chosen} - allowed, default=0)
    turned = (
        f"Orientation {wrong} turns the blur with the image. The turned blur differs "
        f"from the camera's by {change[wrong] / kernel.abs().max():.0%} of its largest "
        "weight, and the network has never seen such an image."
    )
    everything = " All eight are allowed only if each leaves the blur as it is."
    refuse(
        {
            "Orientation 0 is the image as it is, and the camera has taken that.": 0
            not in chosen,
            turned + everything: wrong and len({*chosen}) == 8,
            turned: wrong,
            "The orientations that you name are allowed, but there are more. Which "
            "other orientation leaves the blur as it is?": allowed - {*chosen},
        }
    )
    return (
        f"{len(allowed)} of eight leave this blur as it is. In training you may still "
        "turn the fathers, because their sons are blurred by the same kernel after the "
        "turn."
    )


# ---- control


def _control(low: Tensor, kernel: Any, rounds: int) -> Tensor:
    return back_project(resize(low, 2), low, kernel, 2, rounds)


def _rounds(change: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    """A control in which `change(high, missing)` makes the next result."""

    def control(low: Tensor, kernel: Any, rounds: int) -> Tensor:
        high = resize(low, 2)
        for _ in range(rounds):
            missing = low - blur_and_subsample(high, kernel, 2)
            high = change(high, resize(missing, 2))
        return high

    return control


KERNEL = gaussian_kernel((1.6, 1.0), angle=0.5)
LOW = blur_and_subsample(rand(3, 24, 32), KERNEL, 2)


def _explains(high: Tensor) -> str:
    before, after = (
        255 * float((LOW - blur_and_subsample(image, KERNEL, 2)).abs().mean())
        for image in (resize(LOW, 2), high)
    )
    cause = "Is the correction of each round measured on the result so far?"
    if after > before:
        cause = "It diverges. Do you add the correction with the right sign?"
    return (
        "When the result is downscaled again, it differs from the given image by "
        f"{after:.1f} grey levels. Without any round it differs by {before:.1f}. "
        f"{cause}"
    )


control = Exercise(
    "control",
    _control,
    [
        Case(
            (LOW, KERNEL, 0),
            "Without rounds the result is the bicubic "
            "interpolation. What does yours begin with?",
        ),
        Case((LOW, KERNEL, 1), _explains),
        Case((LOW, KERNEL, 5), _explains),
        Case(
            (rand(1, 9, 6), "bicubic", 20),
            "Do you round or cut off values, or replace an argument by a fixed value?",
        ),
    ],
    {
        "With rounds = 0 one round was done. There should be none.": lambda x, k, n: (
            _control(x, k, max(n, 1))
        ),
        "The result is cut off at 0 and 1. Keep the values outside in this "
        "function.": lambda *given: _control(*given).clamp(0, 1),
        "That is bicubic interpolation: you forgot the back-projection, or do not keep "
        "its correction.": lambda x, k, n: resize(x, 2),
        "The correction has the wrong sign. Add it instead of subtracting it.": _rounds(
            lambda high, missing: high - missing
        ),
        "That is the wrong kernel. The given image was not made by bicubic "
        "interpolation.": lambda x, k, n: _control(x, "bicubic", n),
        "The first correction is added again and again. Measure the missing part in "
        "each round.": lambda x, k, n: (1 - n) * resize(x, 2) + n * _control(x, k, 1),
        "The result is cut off at 0 and 1 in each round. Values outside may still be "
        "needed, so cut them off at the "
        "end.": _rounds(lambda high, missing: (high + missing).clamp(0, 1)),
        "The kernel is upside down, or its axes are swapped.": lambda x, k, n: _control(
            x, getattr(k, "mT", k), n
        ),
    }
    | {
        f"It stops after {n} round{'s' * (n > 1)}, but `rounds` says more.": (
            lambda x, k, rounds, n=n: _control(x, k, min(rounds, n))
        )
        for n in (1, 2, 3, 4)
    },
    "When the bicubic result is downscaled again, it differs from the given image by "
    "6.0 grey levels. After five rounds the difference is only 1.7. Nothing was "
    "learned.",
)
