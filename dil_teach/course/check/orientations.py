"""Checks of chapter 09: the eight-fold ensemble, and which orientations it may use."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.course.check.verdict import NotYetRight, as_image, call, compare, verdict
from dil_teach.image.augment import ORIENTATIONS, orient, orient_back
from dil_teach.image.convention import Image

Kernel = Float[Tensor, "k k"]


@verdict
def eight_fold(answer: Any) -> str:
    """``eight_fold(enlarge, low)``: the mean of what eight orientations give.

    ``enlarge`` doubles one image, Float[Tensor, "c h w"].
    """
    rng = torch.Generator().manual_seed(0)
    low = torch.rand(1, 4, 4, generator=rng)
    seen: list[Tensor] = []

    def double(image: Tensor) -> Tensor:
        _check_lent(image)
        seen.append(image.clone())
        return image.repeat_interleave(2, -1).repeat_interleave(2, -2)

    # by hand: doubling pixels knows no direction, so all eight answers are one
    result = as_image(call(answer, double, low), (1, 8, 8), "the result for (1, 4, 4)")
    _check_orientations(low, seen)
    compare(
        result,
        double(low),
        "To an `enlarge` that makes each pixel a square, direction is all the same: "
        "the mean of eight should be what one gives. Yours is another picture: is each "
        "answer brought back to the orientation of `low`?",
        partial(_ensemble_mistakes, double, low),
    )

    # a property: the mean of eight turns along with the image, whatever enlarge does
    lit = torch.rand(6, 6, generator=rng)

    def lopsided(image: Tensor) -> Tensor:
        _check_lent(image)
        big = image.repeat_interleave(2, -1).repeat_interleave(2, -2)
        return (
            big**2
            + 0.3 * F.interpolate(lit[None, None], (big.shape[-2], big.shape[-1]))[0]
        )

    low = torch.rand(3, 5, 5, generator=rng)
    wanted = _ensemble(lopsided, low).mean(0)
    got = as_image(call(answer, lopsided, low), (3, 10, 10), "the result for (3, 5, 5)")
    compare(
        got,
        wanted,
        "The mean of an `enlarge` that prefers one direction is not right: does each "
        "of the eight answers count once, and is it brought back before the mean?",
        partial(_ensemble_mistakes, lopsided, low),
    )

    low = torch.rand(3, 5, 7, generator=rng)
    wanted = _ensemble(lopsided, low).mean(0)
    what = "the result for an image that is not square, (3, 5, 7),"
    got = as_image(call(answer, lopsided, low), (3, 10, 14), what)
    compare(got, wanted, "For an image that is not square the mean is not right.")
    return (
        "Whatever `enlarge` prefers, left or right, up or down, is now averaged out; "
        "what all eight agree on stays."
    )


def _check_lent(image: object) -> None:
    """The question put to a lent ``enlarge`` must be one image."""
    if not isinstance(image, Tensor) or image.ndim != 3:
        shape = (
            tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
        )
        raise NotYetRight(
            f"`enlarge` takes one image of shape (c, h, w), got {shape}: call it once "
            "for each orientation."
        )


def _check_orientations(low: Image, seen: list[Tensor]) -> None:
    """Refuse fewer than all eight orientations of the image."""
    asked = {
        o
        for image in seen
        for o in ORIENTATIONS
        if image.shape == low.shape and torch.equal(image, orient(low, o))
    }
    if not seen:
        raise NotYetRight("`enlarge` was never called: who enlarges the image?")
    if not asked:
        raise NotYetRight(
            "`enlarge` saw none of the eight orientations of `low`: what is it given?"
        )
    if len(asked) == 1:
        raise NotYetRight(
            f"`enlarge` was called {_times(len(seen))}, with one orientation only: "
            "the mean of equal answers is that answer."
        )
    if len(asked) < 8:
        turned = {o % 4 for o in asked}
        lacking = "turns" if turned != {0, 1, 2, 3} else "mirrorings"
        raise NotYetRight(
            f"`enlarge` saw {len(asked)} orientations of the image, and a square has "
            f"eight: which {lacking} are missing?"
        )


def _ensemble(
    enlarge: Callable, low: Image, orientations: Iterable[int] = ORIENTATIONS
) -> Float[Tensor, "n c h w"]:
    return torch.stack([orient_back(enlarge(orient(low, o)), o) for o in orientations])


def _ensemble_mistakes(enlarge: Callable, low: Image) -> dict[str, Tensor]:
    """For a square image, where all of these have a shape."""
    right = _ensemble(enlarge, low)
    answers = {o: enlarge(orient(low, o)) for o in ORIENTATIONS}
    turned_on = [orient(answer, o) for o, answer in answers.items()]
    wrong_order = [  # turned back first where it should be mirrored first, or the like
        (a.flip(-1) if o >= 4 else a).rot90(-(o % 4), (-2, -1))
        for o, a in answers.items()
    ]
    return {
        "The answers were not turned back: eight pictures in eight orientations lie "
        "on one another.": torch.stack(list(answers.values())).mean(0),
        "Some answers come back upside down: a quarter turn to the left is undone by "
        "one to the right, and of two steps the last is undone "
        "first.": torch.stack(turned_on).mean(0),
        "Some answers come back upside down: of turning and mirroring, what was done "
        "last is undone first.": torch.stack(wrong_order).mean(0),
        "The eight answers were added, and it is their mean that is wanted: the result "
        "is far too bright.": right.sum(0),
        "That is the median, as in the paper. Here the mean is wanted, which uses all "
        "eight.": right.median(0).values,
        "That is the mean of the two in the middle. Here the mean of all eight is "
        "wanted.": right.quantile(0.5, dim=0),
    }


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


@verdict
def allowed_orientations(prediction: object, kernel: Kernel) -> str:
    """Which orientations of the given image its own camera could have taken.

    Parameters
    ----------
    prediction : set or list of int
        Of 0 to 7, as `dil_teach.image.augment.orient` counts them.
    kernel : Float[Tensor, "k k"]
        The camera's blur.
    """
    numbers = isinstance(prediction, set | list | tuple) and all(
        isinstance(o, int) and o in ORIENTATIONS for o in prediction
    )
    if not numbers:
        raise NotYetRight(
            f"Expected a set of orientations, each from 0 to 7, got {prediction!r}."
        )
    chosen = set(prediction)  # pyright: ignore[reportArgumentType]
    largest = float(kernel.abs().max())
    change = {
        o: float((orient(kernel, o) - kernel).abs().max()) / largest
        for o in ORIENTATIONS
    }
    allowed = {o for o in ORIENTATIONS if change[o] < 0.01}
    if 0 not in chosen:
        raise NotYetRight(
            "Orientation 0 is the image as it is. The camera has taken just that."
        )
    if wrong := sorted(chosen - allowed):
        everything = " Eight are allowed only where the blur is the same in all."
        raise NotYetRight(
            f"Orientation {wrong[0]} turns the blur with the image, and the turned "
            f"blur differs from the camera's by {change[wrong[0]]:.0%} of its "
            "largest weight: the network has met no such image."
            + (everything if len(chosen) == 8 else "")
        )
    if allowed - chosen:
        raise NotYetRight(
            "All that you name are allowed, and more are: for which other orientation "
            "does the blur come to lie on itself?"
        )
    return (
        f"{len(allowed)} of eight leave this blur as it is. Fathers may still be "
        "turned in training: their sons are blurred after the turn, by the unturned "
        "kernel."
    )
