"""Checks of chapter 00: two predictions, held against what the chapter measured."""

import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach.course.check.verdict import NotYetRight, one_of, verdict
from dil_teach.image.convention import Image
from dil_teach.image.resize import resize

WINDOW = 7  # pixels a side in which a region is told from another
BUSY = 0.03  # root mean square of the slope, per pixel, of what is not smooth
ONE_WAY = 0.5  # coherence above which the slopes of a window point one way
ENOUGH = 0.01  # the share of the photograph that can be measured


@verdict
def what_to_learn_from(prediction: object, small: Image) -> str:
    """Which pairs of input and target, made from the given image, teach something.

    Parameters
    ----------
    prediction : str
        ``"itself to itself"``, ``"itself to bicubic"`` or ``"halved to itself"``.
    small : Image
        The given image.
    """
    small = small.detach()
    halved = resize(small, scale=0.5).clamp(0, 1)
    bicubic = resize(small, scale=2)
    again = resize(halved, scale=2, size=(small.shape[1], small.shape[2]))
    lesson = {
        "itself to itself": _grey_levels(small, small),
        "itself to bicubic": _grey_levels(bicubic, resize(small, scale=2)),
        "halved to itself": _grey_levels(small, again),
    }
    choice = one_of(prediction, lesson)
    missing = (
        f"is {lesson[choice]:.1f} grey levels of 255 in the mean. In one of the other "
        f"two pairs it is {max(lesson.values()):.1f}."
    )
    if choice == "itself to itself":
        raise NotYetRight(
            "A fair thought, since it is the only image there is. But a network that "
            "hands its input on is then perfect, and it would hand on the next image "
            f"too. What is missing between this input and its target {missing}"
        )
    if choice == "itself to bicubic":
        raise NotYetRight(
            "A fair thought, since the target has the size that is wanted. But it "
            "holds nothing that interpolation does not know: a network that "
            f"interpolates is perfect. What is missing beyond interpolation {missing}"
        )
    return (
        "The target holds what its halved copy has lost: interpolation misses it by "
        f"{lesson[choice]:.1f} grey levels of 255 in the mean. That is all there is to "
        "learn, and in the other two pairs it is 0."
    )


@verdict
def where_it_wins(prediction: object, bicubic: Image, zssr: Image, truth: Image) -> str:
    """In which kind of region ZSSR takes away most of bicubic's error, measured.

    Parameters
    ----------
    prediction : str
        ``"smooth parts"``, ``"outlines"`` or ``"fine detail"``.
    bicubic, zssr, truth : Image
        Two results and what they should be.
    """
    maps = _regions(truth)
    choice = one_of(prediction, maps)
    inner = WINDOW // 2 + 1
    before, after = (
        (image - truth).square().mean(dim=0)[inner:-inner, inner:-inner] + 1e-12
        for image in (bicubic, zssr)
    )
    found = {name: here for name, here in maps.items() if here.float().mean() > ENOUGH}
    if choice not in found:
        raise NotYetRight(
            f"This photograph holds hardly any {choice}: less than {ENOUGH:.0%} of it. "
            "The question can be answered for the other regions only."
        )
    gain = {
        name: float(10 * torch.log10(before[here].mean() / after[here].mean()))
        for name, here in found.items()
    }
    levels = {
        name: 255 * float(before[here].mean().sqrt()) for name, here in found.items()
    }
    measured = "Gain on bicubic interpolation in this photograph: "
    measured += ", ".join(
        f"{name} {decibels:.1f} dB" for name, decibels in gain.items()
    )
    best = max(gain, key=lambda name: gain[name])
    if choice == best:
        return f"{REASONS[choice]} {measured}."
    plausible = {
        "smooth parts": "Smooth parts are easy, so nearly all of them comes out right. "
        "But it did so before: bicubic interpolation is wrong there by "
        f"{levels[choice]:.1f} grey levels only, and there is little to gain.",
        "outlines": "Outlines do recur along their length. But here they are less "
        "clean, or already better resolved, than what gained more.",
        "fine detail": "Detail is where bicubic interpolation is worst (by "
        f"{levels[choice]:.1f} grey levels), so there is most to gain. But to gain it "
        "the network needs examples: does such a detail occur again, larger?",
    }
    raise NotYetRight(f"{plausible[choice]} {measured}.")


REASONS = {
    "smooth parts": "So it is here, and it is unusual: there is mostly nothing to "
    "gain in them.",
    "outlines": "An outline recurs along its own length and across scales, so the "
    "network had many examples of it.",
    "fine detail": "So it is here, and it is unusual: this detail must occur more "
    "than once.",
}


def _grey_levels(one: Image, other: Image) -> float:
    return 255 * float((one - other).abs().mean())


def _regions(image: Image) -> dict[str, Tensor]:
    """Three maps of where each kind of region lies, less a border of half a window.

    By the structure tensor: the products of the slopes, each averaged in a window. An
    outline's slopes all point one way; a detail's point in many.
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
