"""Exercises of chapter 09: the son, eight orientations, and the control."""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach.course.check.engine import (
    Case,
    Exercise,
    as_image,
    as_pair,
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
RNG = torch.Generator()


# ---- make_son


def _son(father: Tensor, kernel: Tensor, sigma: float, rng: torch.Generator) -> Tensor:
    return add_noise(blur_and_subsample(father, kernel, 2), sigma, rng)


def _grey(son: Tensor) -> str:
    if abs(son[:, 1:-1, 1:-1] - 0.5).max() > 1e-4:
        return "A grey father should have an equally grey son. Do the weights sum to 1?"
    return "The son of a grey father should have no border edge. Repeat border pixels."


def _place(answer: Callable) -> dict:
    """Where the pixels of the son lie, measured on stripes and slopes."""

    def inner(father: Tensor, kernel: Tensor) -> Tensor:
        son = as_image(answer(father, kernel, 0.0, RNG), torch.zeros(1, 6, 6))
        return son[:, 2:4, 2:4]

    stripes = (torch.arange(12) % 2).float().expand(1, 12, 12)
    found: dict[str, Any] = {
        "Stripes one pixel wide become black or white. Do you use the whole "
        "kernel?": abs(inner(stripes, BOX) - 0.5).max() > 0.3
    }
    slope = torch.arange(12.0).expand(1, 12, 12) / 20
    slopes = (slope, "left of", "right of"), (slope.mT, "above", "below")
    for kernel, (father, *sides) in product((BOX, WIDE), slopes):
        shift = 20 * float(inner(father, kernel).mean()) - 5.5
        found[
            f"Your son is shifted by {abs(shift):.2f} father pixels: it shows what is "
            f"{sides[shift > 0]} the correct place. Is the kernel centred?"
        ] = abs(shift) >= 0.02
    return found


def _noise(answer: Callable) -> dict:
    """Measure the noise at sigma = 0.1, and check that it is drawn from `rng`."""
    father = torch.zeros(3, 128, 128)
    father[:, 64:] = 1
    clean = father[:, ::2, ::2]  # the upper half black, the lower half white

    def noise(seed: int) -> Tensor:
        rng = torch.Generator().manual_seed(seed)
        return as_image(answer(father, BOX, 0.1, rng), clean) - clean

    first, again, other = map(noise, (1, 1, 2))
    spread = float(first.std())
    return {
        "At sigma = 0.1, your son has no noise.": spread == 0,
        "The mean of the noise should be 0.": abs(first.mean()) > 0.1 * spread,
        "Do not clip the son to [0, 1].": abs(first[:, :32].mean()) > 0.1 * spread,
        "Add the noise after the blur, not before.": abs(spread - 0.05) < 0.005,
        f"The noise should have a standard deviation of 0.1, got {spread:.3g}. Is "
        "sigma in the units of [0, 1]?": abs(spread - 0.1) > 0.005,
        "Equal seeds of `rng` should give equal noise.": not torch.equal(first, again),
        "Different seeds of `rng` should give other noise.": torch.equal(first, other),
        "Each channel should have its own noise.": torch.equal(first[0], first[1]),
    }


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
        "Your son is not blurred.": lambda f, *_: resize(f, 0.5, antialias=False),
        "You take a 2 x 2 mean. Use the kernel.": lambda f, *_: F.avg_pool2d(f, 2),
        "Use the kernel, not bicubic interpolation.": lambda f, *_: resize(f, 0.5),
        "You flip the kernel, as in a convolution. Use correlation, which does not "
        "flip the kernel.": lambda f, k, *others: _son(f, k.flip(0, 1), *others),
        "You transpose the kernel.": lambda f, k, *others: _son(f, k.mT, *others),
        "You mix the channels.": lambda f, *o: _son(f.mean(0).expand_as(f), *o),
    },
    "Your son is blurred, sampled and noisy in the same way as the given image.",
)


# ---- eight_fold


def _mean(answers: Tensor) -> Tensor:
    return answers.mean(0)


def _deviation(answers: Tensor) -> Tensor:
    return answers.std(0).mean(0, keepdim=True)


def _eight(
    back: Callable = orient_back, mean: Callable = _mean, spread: Callable = _deviation
) -> Callable:
    """A self-ensemble with another way back, mean or spread."""

    def eight_fold(enlarge: Callable, low: Tensor) -> tuple[Tensor, Tensor]:
        turned = [back(enlarge(orient(low, o)), o) for o in ORIENTATIONS]
        answers = torch.stack(turned)
        return mean(answers), spread(answers)

    return eight_fold


def _mirroring_undone_first(image: Tensor, o: int) -> Tensor:
    return (image.flip(-1) if o > 3 else image).rot90(-(o % 4), (-2, -1))


def _double(image: Any) -> Tensor:
    shape = tuple(getattr(image, "shape", ()))
    refuse({f"`enlarge` takes one image (c, h, w), got {shape}.": len(shape) != 3})
    return image.repeat_interleave(2, -1).repeat_interleave(2, -2)


def _lopsided(image: Any) -> Tensor:
    """Double the image and multiply each channel by its own random map."""
    big = _double(image)
    return big * F.interpolate(rand(1, len(big), 6, 6), big.shape[1:])[0]


def _orientations(answer: Callable) -> dict:
    """Measure which of the eight orientations were enlarged."""
    low, seen = rand(1, 4, 4), []

    def enlarge(image: Any) -> Tensor:
        seen.append(image)
        return _double(image)

    answer(enlarge, low)
    got = [o for o in ORIENTATIONS if any(orient(low, o).equal(i) for i in seen)]
    lacking = "mirrorings" if {o % 4 for o in got} == {0, 1, 2, 3} else "turns"
    return {
        "You never call `enlarge`; call it for each orientation of `low`.": not seen,
        "`enlarge` gets other images than the orientations of `low`.": not got,
        "`enlarge` gets only one of the eight orientations of `low`.": len(got) == 1,
        f"`enlarge` gets {len(got)} of the eight orientations of `low`. Which "
        f"{lacking} are missing?": len(got) < 8,
    }


eight_fold = Exercise(
    "eight_fold",
    _eight(),
    [
        _orientations,
        Case(
            (_double, rand(1, 4, 4)),
            "Here, the eight answers are equal if each is turned back upright.",
        ),
        Case(
            (_lopsided, rand(3, 5, 5)),
            "Does each of the eight answers occur exactly once?",
        ),
        Case((_lopsided, rand(3, 5, 7)), "Here, the given image is not square."),
    ],
    {
        "You do not turn the answers back, so you average eight pictures in eight "
        "orientations.": _eight(lambda answer, o: answer),
        "Turn the answers the other way.": _eight(orient),
        "Some of your answers are upside down. Undo the last step of the orientation "
        "first.": _eight(_mirroring_undone_first),
        "You add the answers. Take their mean.": _eight(mean=lambda a: a.sum(0)),
        "Take the mean, not the median.": _eight(mean=lambda a: a.median(0).values),
        "You take the mean of the two values in the middle. Take the mean of all eight "
        "values.": _eight(mean=lambda a: a.quantile(0.5, dim=0)),
        "Your spread is a variance. Take its root.": _eight(
            spread=lambda a: a.var(0).mean(0, keepdim=True)
        ),
        "Your spread divides by 8. `std` divides by 7, because the mean comes from the "
        "same eight answers.": _eight(
            spread=lambda a: a.std(0, correction=0).mean(0, keepdim=True)
        ),
        "Your spread is the range, which depends on two of the eight answers. Take the "
        "standard deviation.": _eight(
            spread=lambda a: (a.amax(0) - a.amin(0)).mean(0, keepdim=True)
        ),
        "You take the mean over the channels first. Channels that disagree in opposite "
        "directions then seem to agree.": _eight(
            spread=lambda a: a.mean(1, keepdim=True).std(0)
        ),
    },
    "The mean reduces errors of single orientations. Errors that all eight "
    "orientations share remain, and the spread does not show them.",
    as_pair,
)


# ---- control


def _control(low: Tensor, kernel: Any, rounds: int, change: Any = torch.add) -> Tensor:
    """Back-projection in which `change(high, missing)` makes the next result."""
    high = resize(low, 2)
    for _ in range(rounds):
        missing = low - blur_and_subsample(high, kernel, 2)
        high = change(high, resize(missing, 2))
    return high


KERNEL = gaussian_kernel((1.6, 1.0), angle=0.5)
LOW = blur_and_subsample(rand(3, 24, 32), KERNEL, 2)


def _explains(high: Tensor) -> str:
    levels = 255 * (LOW - blur_and_subsample(high, KERNEL, 2)).abs().mean()
    return (
        f"Your result, downscaled again, differs from the given image by {levels:.1f} "
        "grey levels, and without any round by 6.0. Is the correction of each round "
        "measured on the result so far, and does it have the right sign?"
    )


control = Exercise(
    "control",
    _control,
    [
        Case((LOW, KERNEL, 0), "Without rounds, the result is bicubic."),
        *(Case((LOW, KERNEL, rounds), _explains) for rounds in (1, 5)),
        Case((rand(1, 9, 6), "bicubic", 20), "Do you round or clip any values?"),
    ],
    {
        "For rounds = 0, you do one round.": lambda x, k, n: _control(x, k, max(n, 1)),
        "Do not clip the result to [0, 1].": lambda *g: _control(*g).clamp(0, 1),
        "You add no correction to the bicubic result.": lambda x, *_: resize(x, 2),
        "Add the correction; do not subtract it.": partial(_control, change=torch.sub),
        "Use the given kernel, not bicubic.": lambda x, k, n: _control(x, "bicubic", n),
        "You add the first correction again and again. Measure the missing part in "
        "each round.": lambda x, k, n: (1 - n) * resize(x, 2) + n * _control(x, k, 1),
        "You clip the result to [0, 1] in each round. Do not clip the result in any "
        "round.": partial(_control, change=lambda h, m: (h + m).clamp(0, 1)),
        "You transpose the kernel.": lambda x, k, n: _control(x, KERNEL.mT, n),
        **{
            f"You stop after {n} round{'s' * (n > 1)}, but `rounds` is larger.": (
                lambda x, k, rounds, n=n: _control(x, k, min(rounds, n))
            )
            for n in (1, 2, 3, 4)
        },
    },
    "The bicubic result, downscaled again, differs from the given image by 6.0 grey "
    "levels. After five rounds, the difference is only 1.7. Nothing was learned.",
)
