"""Check of chapter 09: the control, which learns nothing."""

from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.back_projection import back_project
from dil_teach.course.check.verdict import as_image, call, compare, verdict
from dil_teach.image.convention import Image
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.resize import blur_and_subsample, resize

Kernel = Float[Tensor, "k k"]


@verdict
def control(answer: Any) -> str:
    """``control(low, kernel, rounds)``: bicubic interpolation and back-projection.

    low is Float[Tensor, "c h w"], the result twice as large; kernel says how low came
    to be.
    """
    rng = torch.Generator().manual_seed(0)
    kernel = gaussian_kernel((1.6, 1.0), angle=0.5)
    low = blur_and_subsample(torch.rand(3, 24, 32, generator=rng), kernel, 2)
    shape, what = (3, 24, 32), "the control for an image of shape (3, 12, 16)"
    bicubic = resize(low, 2)

    # by hand: in no rounds nothing is corrected
    start = as_image(call(answer, low, kernel, 0), shape, what)
    compare(
        start,
        bicubic,
        "With rounds = 0 the result should be the bicubic interpolation and nothing "
        "else. What does yours begin with?",
        lambda: {
            "With rounds = 0 one round was done all the same.": back_project(
                bicubic, low, kernel, 2, 1
            ),
            "The result is cut off at 0 and 1: leave that to the end of "
            "everything.": bicubic.clamp(0, 1),
        },
    )

    # a property: the more rounds, the better the result explains the given image
    misses = []
    for rounds in (0, 1, 5):
        high = as_image(call(answer, low, kernel, rounds), shape, what)
        compare(
            high,
            back_project(bicubic, low, kernel, 2, rounds),
            _control_diagnosis(high, low, kernel, rounds),
            partial(_control_mistakes, low, kernel, rounds),
        )
        misses.append(_miss(high, low, kernel))

    low = torch.rand(1, 9, 6, generator=rng)
    high = as_image(call(answer, low, "bicubic", 20), (1, 18, 12), "the control")
    compare(
        high,
        back_project(resize(low, 2), low, "bicubic", 2, 20),
        "For a random image, the kernel 'bicubic' and twenty rounds the result "
        "differs: is anything rounded, cut off or fixed that was given?",
        partial(_control_mistakes, low, "bicubic", 20),
    )
    return (
        f"Made smaller again, bicubic interpolation misses the given image by "
        f"{misses[0]:.1f} grey levels, after five rounds by {misses[-1]:.1f}: and "
        "nothing was learned."
    )


def _miss(high: Image, low: Image, kernel: str | Kernel) -> float:
    """How far it is from explaining the given image, in grey levels."""
    return 255 * float((low - blur_and_subsample(high, kernel, 2)).abs().mean())


def _control_diagnosis(
    high: Image, low: Image, kernel: str | Kernel, rounds: int
) -> str:
    before, after = _miss(resize(low, 2), low, kernel), _miss(high, low, kernel)
    words = (
        f"Made smaller by the kernel, the result misses the given image by {after:.1f} "
        f"grey levels after {rounds} rounds; before the first it was {before:.1f}. "
    )
    if after > before:
        return words + "It runs away: is the correction added with the right sign?"
    return words + "Is each round's correction that of the result so far?"


def _control_mistakes(
    low: Image, kernel: str | Kernel, rounds: int
) -> dict[str, Tensor]:
    bicubic = resize(low, 2)
    away = bicubic
    clamped = bicubic
    for _ in range(rounds):
        missing = low - blur_and_subsample(away, kernel, 2)
        away = away - resize(missing, 2)
        missing = low - blur_and_subsample(clamped, kernel, 2)
        clamped = (clamped + resize(missing, 2)).clamp(0, 1)
    first = low - blur_and_subsample(bicubic, kernel, 2)
    fewer = {
        f"It stops after {_rounds(n)} and {_rounds(rounds)} were "
        "asked for.": back_project(bicubic, low, kernel, 2, n)
        for n in range(1, rounds)
    }
    return {
        "That is bicubic interpolation: back-projection was forgotten, or its "
        "correction was not kept.": bicubic,
        "The correction goes the wrong way: what is lacking is to be added, and with "
        "each round yours lacks more.": away,
        "The wrong kernel: the result was made smaller by bicubic interpolation, and "
        "not as the given image was.": back_project(bicubic, low, "bicubic", 2, rounds),
        "The first correction is added again and again: what is lacking has to be "
        "measured anew in each round.": bicubic + rounds * resize(first, 2),
        "The result is cut off at 0 and 1 in each round: what overshoots may still be "
        "needed, and is cut off at the end.": clamped,
        "The kernel is upside down or its axes have changed places.": (
            bicubic
            if isinstance(kernel, str)
            else back_project(bicubic, low, kernel.mT, 2, rounds)
        ),
        **fewer,
    }


def _rounds(n: int) -> str:
    return "one round" if n == 1 else f"{n} rounds"
