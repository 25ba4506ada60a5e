"""Exercises of chapter 10: the winners, SRCNN, disagreement, and the gap closed."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach.course.check.engine import (
    Case,
    Exercise,
    as_number,
    judged,
    rand,
    refuse,
)
from dil_teach.image.convention import Image
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.metrics import luma
from dil_teach.image.resize import blur_and_subsample, resize

# ---- winners


@judged
def winners(answer: Any, scores: Mapping[str, Mapping[str, float]]) -> str:
    """Which of two methods has the larger PSNR under each condition."""
    kind = type(answer).__name__
    refuse({f"Expected a dictionary, got a {kind}.": not isinstance(answer, dict)})
    for condition, score in scores.items():
        choice = answer.get(condition)
        options = " or ".join(f'"{name}"' for name in score)
        refuse(
            {
                f'Your dictionary has no answer for "{condition}".': choice is None,
                f'For "{condition}", expected {options}, got {choice!r}.': choice
                not in score,
            }
        )
    best = {c: max(s, key=lambda name, s=s: s[name]) for c, s in scores.items()}
    wrong = [condition for condition in scores if answer[condition] != best[condition]]
    measured = "; ".join(
        f"{condition}: "
        + ", ".join(f"{name} {dB:.2f} dB" for name, dB in score.items())
        for condition, score in scores.items()
    )
    right = len(scores) - len(wrong)
    message = f"{right} of {len(scores)} predictions are right. Measured: {measured}."
    refuse({f"{message} Look again at: {', '.join(wrong)}.": wrong})
    return message


# ---- srcnn

SHAPES = {"extract": (6, 1, 9, 9), "map": (4, 6, 5, 5), "reconstruct": (1, 4, 5, 5)}


def _random(seed: int) -> dict[str, Tensor]:
    """Random weights of a small SRCNN."""
    found = {}
    for name, shape in SHAPES.items():
        outputs, inputs, side, _ = shape
        scale = 2 / (inputs * side * side) ** 0.5
        found[f"{name}.weight"] = scale * (rand(*shape, seed=seed) - 0.45)
        found[f"{name}.bias"] = 0.4 * (rand(outputs, seed=seed + 1) - 0.5)
    return found


def _copying() -> dict[str, Tensor]:
    """Weights that copy the luma, so that the picture does not change."""
    found = {name: torch.zeros_like(values) for name, values in _random(0).items()}
    for name, shape in SHAPES.items():
        middle = shape[-1] // 2
        found[f"{name}.weight"][0, 0, middle, middle] = 1
    return found


def _layer(x: Tensor, weights: Mapping[str, Tensor], name: str) -> Tensor:
    kernel = weights[f"{name}.weight"]
    border = kernel.shape[-1] // 2
    return F.conv2d(x, kernel, weights[f"{name}.bias"], padding=border)


def _srcnn(
    image: Tensor,
    weights: Mapping[str, Tensor],
    middle: Any = F.relu,
    last: Any = lambda x: x,
    gain: float = 255 / 219,
) -> Tensor:
    before = luma(image).float()
    x = middle(_layer(before, weights, "extract"))
    x = middle(_layer(x, weights, "map"))
    after = last(_layer(x, weights, "reconstruct"))
    return image + gain * (after - before)


def _unbiased(image: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    zero = {n: 0 * w if n.endswith("bias") else w for n, w in weights.items()}
    return _srcnn(image, zero)


def _one_relu(image: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    before = luma(image).float()
    x = _layer(F.relu(_layer(before, weights, "extract")), weights, "map")
    return image + 255 / 219 * (_layer(x, weights, "reconstruct") - before)


PICTURE = rand(3, 14, 18)
srcnn = Exercise(
    "srcnn",
    _srcnn,
    [
        Case(
            (PICTURE, _copying()),
            "These weights copy the luma, so the picture should not change.",
            wanted=PICTURE,
        ),
        Case((PICTURE, _random(1)), "Is each convolution padded?"),
        Case(
            (rand(3, 11, 9, seed=3), _random(5) | {"reconstruct.bias": -torch.ones(1)})
        ),
    ],
    {
        "You add the biases nowhere.": _unbiased,
        "There is a ReLU after the first two convolutions, and you have none.": (
            lambda image, weights: _srcnn(image, weights, middle=lambda x: x)
        ),
        "The second convolution has a ReLU after it, too.": _one_relu,
        "After the last convolution, there is no ReLU.": (
            lambda image, weights: _srcnn(image, weights, last=F.relu)
        ),
        "The luma covers 219 of 255 levels. Which factor turns a change of luma into a "
        "change of R, G and B?": lambda image, weights: _srcnn(image, weights, gain=1),
        "You divide by the factor between luma and RGB. Is the range of the luma "
        "smaller or larger than that of RGB?": (
            lambda image, weights: _srcnn(image, weights, gain=219 / 255)
        ),
        "You return the new luma in all three channels, so the colour is lost.": (
            lambda image, weights: luma(image).float() + _srcnn(image, weights) - image
        ),
    },
    "Three convolutions sharpen the luma; the chroma stays as interpolation left it.",
)


# ---- disagreement

KERNEL = gaussian_kernel((1.6, 1.0), angle=0.5)
HIGH = rand(3, 24, 32)
LOW = blur_and_subsample(rand(3, 24, 32, seed=1), KERNEL, 2)


def _disagreement(high: Image, low: Image, kernel: Any) -> float:
    again = blur_and_subsample(high, kernel, 2)
    return 255 * float((again - low).abs().mean())


disagreement = Exercise(
    "disagreement",
    _disagreement,
    [
        Case(
            (HIGH, blur_and_subsample(HIGH, KERNEL, 2), KERNEL),
            "This image explains the given image exactly.",
            wanted=0.0,
        ),
        Case((torch.full((1, 8, 8), 0.5), torch.full((1, 4, 4), 0.4), KERNEL)),
        Case((HIGH, LOW, KERNEL)),
        Case((HIGH, LOW, "bicubic"), "Here, the kernel is the name of a method."),
    ],
    {
        "Your result is in units of [0, 1]. How many grey levels is that?": (
            lambda *given: _disagreement(*given) / 255
        ),
        "You take the mean of the squared difference. Take its absolute value.": (
            lambda high, low, kernel: (
                255 * float((blur_and_subsample(high, kernel, 2) - low).square().mean())
            )
        ),
        "You take the root of the mean square. Take the mean absolute difference.": (
            lambda high, low, kernel: (
                255
                * float((blur_and_subsample(high, kernel, 2) - low).square().mean())
                ** 0.5
            )
        ),
        "Positive and negative differences cancel. Take the absolute value first.": (
            lambda high, low, kernel: (
                255 * float((blur_and_subsample(high, kernel, 2) - low).mean())
            )
        ),
        "You always downscale by bicubic. Use the kernel that is given.": (
            lambda high, low, kernel: _disagreement(high, low, "bicubic")
        ),
        "You compare the image with the upscaled given image. Compare them at low "
        "resolution.": lambda high, low, kernel: (
            255 * float((high - resize(low, 2)).abs().mean())
        ),
    },
    "This number needs no ground truth: it says how well a result explains the image.",
    returns=as_number,
)


# ---- gap_closed

ASSUMED, ESTIMATED, TRUE = (
    torch.tensor(v) for v in ([30.0, 25.0], [33.0, 25.0], [34.0, 27.0])
)
MORE = torch.tensor([28.0, 31.0, 24.0]), torch.tensor([29.5, 30.5, 26.0])


def _gap_closed(assumed: Tensor, estimated: Tensor, true: Tensor) -> float:
    return float((estimated - assumed).mean() / (true - assumed).mean())


gap_closed = Exercise(
    "gap_closed",
    _gap_closed,
    [
        Case((ASSUMED, ESTIMATED, TRUE), wanted=0.5),
        Case((ASSUMED, ASSUMED, TRUE), "No estimate was used here.", wanted=0.0),
        Case((ASSUMED, TRUE, TRUE), "All estimates are perfect here.", wanted=1.0),
        Case((*MORE, torch.tensor([30.0, 31.1, 28.0])), "Here, one estimate loses."),
    ],
    {
        "You take the mean of the ratios. A picture with a gap of 0.1 dB then counts "
        "as much as a picture with a gap of 4 dB, and noise decides.": (
            lambda a, e, t: float(((e - a) / (t - a)).mean())
        ),
        "You return the gain in dB. Divide it by the gap.": (
            lambda a, e, t: float((e - a).mean())
        ),
        "You return the part of the gap that stays open.": (
            lambda a, e, t: 1 - _gap_closed(a, e, t)
        ),
        "You divide by the PSNR itself, not by the gap.": (
            lambda a, e, t: float((e - a).mean() / t.mean())
        ),
        "You return a percentage. Return a fraction.": (
            lambda a, e, t: 100 * _gap_closed(a, e, t)
        ),
        "An estimate that loses counts as a loss. Do not clip it at 0.": (
            lambda a, e, t: float((e - a).clamp_min(0).mean() / (t - a).mean())
        ),
    },
    "Large gaps count more than small ones, and a wrong estimate counts against you.",
    returns=as_number,
)
