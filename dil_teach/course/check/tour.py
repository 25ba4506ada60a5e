"""Exercises of chapter 00: two predictions, compared with what the chapter measured."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach.course.check.engine import judged, refuse
from dil_teach.image.convention import Image
from dil_teach.image.resize import resize

WINDOW = 7  # side in pixels of the window in which the kind of a region is measured
BUSY = 0.03  # root mean square of the slope per pixel; a smooth region has less
ONE_WAY = 0.5  # smallest coherence of slopes that point one way
ENOUGH = 0.01  # smallest fraction of the photograph in which a gain can be measured


def _one_of(answer: object, options: Iterable[str]) -> str:
    choice = str(answer).strip().lower()
    expected = ", ".join(f'"{option}"' for option in options)
    refuse({f"Expected one of {expected}, got {answer!r}.": choice not in options})
    return choice


@judged
def what_to_learn_from(answer: object, small: Image) -> str:
    """Which pairs of input and target, made from the given image, teach something."""
    height, width = small.shape[1:]
    again = resize(resize(small, 0.5).clamp(0, 1), 2, size=(height, width))
    lost = f"{255 * float((small - again).abs().mean()):.1f}"
    messages = {
        "itself to itself": "A network that returns its input is perfect here, and it "
        "would not change the next image either.",
        "itself to bicubic": "The target has the size that we want, but a network that "
        "only interpolates is perfect here.",
        "halved to itself": "The target contains the detail that its halved copy lost.",
    }
    choice = _one_of(answer, messages)
    message = (
        f"{messages[choice]} Interpolation of the halved image differs from its target "
        f"by {lost} grey levels (of 255) on average. The other two pairs differ by 0.0."
    )
    refuse({message: choice != "halved to itself"})
    return message


@judged
def where_it_wins(answer: object, bicubic: Image, zssr: Image, truth: Image) -> str:
    """In which kind of region ZSSR removes the largest part of the bicubic error."""
    maps = _regions(truth)
    choice = _one_of(answer, maps)
    inner = WINDOW // 2 + 1
    before, after = (
        (image - truth).square().mean(dim=0)[inner:-inner, inner:-inner] + 1e-12
        for image in (bicubic, zssr)
    )
    gain = {
        kind: float(10 * torch.log10(before[here].mean() / after[here].mean()))
        for kind, here in maps.items()
        if here.float().mean() > ENOUGH
    }
    refuse({f"Less than {ENOUGH:.0%} of this photo is {choice}.": choice not in gain})
    reason = {
        "smooth parts": "Smooth parts are easy for bicubic interpolation, so there is "
        "little to gain.",
        "outlines": "An outline recurs along its length and across scales, so a clean "
        "outline gives the network many examples.",
        "fine detail": "Bicubic interpolation is worst at detail, so there is most to "
        "gain. But the network needs examples: does such a detail occur again, larger?",
    }[choice]
    gains = ", ".join(f"{kind} {decibels:.1f} dB" for kind, decibels in gain.items())
    error = 255 * float(before[maps[choice]].mean().sqrt())
    message = (
        f"{reason} Bicubic interpolation is wrong by {error:.1f} grey levels here. "
        f"Gains over bicubic interpolation: {gains}."
    )
    refuse({message: gain[choice] < max(gain.values())})
    return message


def _regions(image: Image) -> dict[str, Tensor]:
    """Where each kind of region lies; a border of half a window is left out.

    The structure tensor contains the products of the slopes, averaged in a window. The
    slopes of an outline all point one way, and those of fine detail many ways.
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
