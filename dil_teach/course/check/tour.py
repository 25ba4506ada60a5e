"""Exercises of chapter 00: two predictions, compared with what the chapter measured."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach.course.check.engine import NotYetRight, prediction
from dil_teach.image.convention import Image
from dil_teach.image.resize import resize

WINDOW = 7
"""Side in pixels of the window in which the kind of a region is measured."""
BUSY = 0.03
"""Root mean square of the slope, per pixel, above which a region is not smooth."""
ONE_WAY = 0.5
"""Coherence above which the slopes of a window point one way."""
ENOUGH = 0.01
"""Smallest fraction of the photograph in which a gain can be measured."""


def _one_of(answer: object, options: Iterable[str]) -> str:
    if not isinstance(answer, str) or answer.strip().lower() not in options:
        listed = ", ".join(f'"{option}"' for option in options)
        raise NotYetRight(f"Expected one of {listed}, got {answer!r}.")
    return answer.strip().lower()


@prediction
def what_to_learn_from(answer: object, small: Image) -> str:
    """Which pairs of input and target, made from the given image, teach something."""
    again = resize(
        resize(small, 0.5).clamp(0, 1), 2, size=(small.shape[1], small.shape[2])
    )
    detail = f"{255 * float((small - again).abs().mean()):.1f}"
    zero = (
        "is 0.0 grey levels (of 255) on average. In one of the other two pairs it is "
        f"{detail}."
    )
    messages = {
        "itself to itself": "It is the only image there is. But then a network that "
        "returns its input is perfect, and it would not change the next image either. "
        f"The difference between input and target {zero}",
        "itself to bicubic": "The target has the size that we want. But it holds "
        "nothing that interpolation does not know, so a network that interpolates is "
        f"perfect. The difference between this interpolation and the target {zero}",
        "halved to itself": "The target holds what its halved copy has lost: "
        f"interpolation differs from it by {detail} grey levels (of 255) on average. "
        "That is all there is to learn, and in the other two pairs it is 0.",
    }
    choice = _one_of(answer, messages)
    if choice != "halved to itself":
        raise NotYetRight(messages[choice])
    return messages[choice]


@prediction
def where_it_wins(answer: object, bicubic: Image, zssr: Image, truth: Image) -> str:
    """In which kind of region ZSSR removes the largest part of bicubic's error."""
    maps = _regions(truth)
    choice = _one_of(answer, maps)
    inner = WINDOW // 2 + 1
    before, after = (
        (image - truth).square().mean(dim=0)[inner:-inner, inner:-inner] + 1e-12
        for image in (bicubic, zssr)
    )
    found = {name: here for name, here in maps.items() if here.float().mean() > ENOUGH}
    if choice not in found:
        raise NotYetRight(
            f"Less than {ENOUGH:.0%} of this photograph is {choice}. The "
            "question can be answered for the other regions."
        )
    gain = {
        name: float(10 * torch.log10(before[here].mean() / after[here].mean()))
        for name, here in found.items()
    }
    listed = ", ".join(f"{name} {decibels:.1f} dB" for name, decibels in gain.items())
    error = f"{255 * float(before[found[choice]].mean().sqrt()):.1f} grey levels"
    right, wrong = {
        "smooth parts": (
            "You are right, which is unusual. Smooth parts seldom have much to gain.",
            f"Smooth parts are easy. Bicubic interpolation was wrong by {error} only, "
            "so there is little to gain.",
        ),
        "outlines": (
            "An outline recurs along its length and across scales, so the network had "
            "many examples of it.",
            "Outlines do recur along their length. But here they are less clean, or "
            "already better resolved, than the regions that gained more.",
        ),
        "fine detail": (
            "You are right, which is unusual. This detail must recur in the "
            "photograph.",
            f"Bicubic interpolation is worst at detail (by {error}), so there is most "
            "to gain. But the network needs examples: does such a detail occur again, "
            "larger?",
        ),
    }[choice]
    measured = f" Gain over bicubic interpolation in this photograph: {listed}."
    if gain[choice] < max(gain.values()):
        raise NotYetRight(wrong + measured)
    return right + measured


def _regions(image: Image) -> dict[str, Tensor]:
    """Where each kind of region lies; a border of half a window is left out.

    The structure tensor holds the products of the slopes, averaged in a window. All
    slopes of an outline point one way; the slopes of fine detail point in many.
    """
    grey = image.mean(dim=0)
    down = (grey[2:, 1:-1] - grey[:-2, 1:-1]) / 2
    right = (grey[1:-1, 2:] - grey[1:-1, :-2]) / 2
    products = torch.stack([right * right, down * down, right * down])
    xx, yy, xy = F.avg_pool2d(products, WINDOW, stride=1)
    energy = xx + yy
    coherence = ((xx - yy).square() + 4 * xy.square()).sqrt() / (energy + 1e-9)
    busy = energy > BUSY**2
    return {
        "smooth parts": ~busy,
        "outlines": busy & (coherence > ONE_WAY),
        "fine detail": busy & (coherence <= ONE_WAY),
    }
