"""Exercises of chapter 10: the loss of the control, and SRCNN."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach.course.check.engine import (
    Case,
    Exercise,
    as_number,
    rand,
)
from dil_teach.image.convention import Image
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.metrics import luma
from dil_teach.image.resize import blur_and_subsample, resize

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


# ---- control_loss

KERNEL = gaussian_kernel((1.6, 1.0), angle=0.5)
HIGH = rand(3, 24, 32)
LOW = blur_and_subsample(rand(3, 24, 32, seed=1), KERNEL, 2)
OBLONG = rand(1, 26, 27, seed=2), rand(1, 20, 15, seed=3)
FLAT = torch.full((1, 8, 8), 0.5)
STEPS = torch.arange(8.0)
RAMP = (0.08 * STEPS[:, None] + 0.04 * STEPS)[None]


def _again(high: Image, given: Image, kernel: Any) -> Tensor:
    height, width = (
        n / m for n, m in zip(high.shape[1:], given.shape[1:], strict=True)
    )
    size = (given.shape[1], given.shape[2])
    return blur_and_subsample(high, kernel, (height, width), size=size)


def _slopes(high: Image, part: Any = torch.square) -> Tensor:
    return part(high.diff(dim=1)).sum() + part(high.diff(dim=2)).sum()


def _control_loss(
    high: Image, given: Image, kernel: Any, smoothness: float = 1e-4
) -> Tensor:
    misfit = (_again(high, given, kernel) - given).square().sum()
    return misfit + smoothness * _slopes(high)


control_loss = Exercise(
    "control_loss",
    _control_loss,
    [
        Case(
            (FLAT, torch.full((1, 4, 4), 0.4), "bicubic"),
            "A flat image has no slopes; each of 16 pixels differs by 0.1.",
            wanted=0.16,
        ),
        Case((HIGH, LOW, KERNEL), leak="Each pixel of `high` should change the loss."),
        Case((1000 * RAMP, 1000 * _again(RAMP, FLAT[:, ::2, ::2], KERNEL), KERNEL)),
        Case((HIGH, LOW, "bicubic"), "Here, the kernel is the name of a method."),
        Case((*OBLONG, "bicubic"), "Here, the two axes have different scales."),
    ],
    {
        "You take the mean of the squared differences. Take their sum.": (
            lambda high, given, kernel: (
                (_again(high, given, kernel) - given).square().mean()
                + 1e-4 * _slopes(high)
            )
        ),
        "You leave out the slopes of the large image.": (
            lambda high, given, kernel: _control_loss(high, given, kernel, 0.0)
        ),
        "The slopes have the weight 0.0001, and you give them the weight 1.": (
            lambda high, given, kernel: _control_loss(high, given, kernel, 1.0)
        ),
        "You count the slopes along one axis only.": (
            lambda high, given, kernel: (
                _control_loss(high, given, kernel, 0.0)
                + 1e-4 * high.diff(dim=1).square().sum()
            )
        ),
        "You take the absolute slopes. Square them.": (
            lambda high, given, kernel: (
                _control_loss(high, given, kernel, 0.0)
                + 1e-4 * _slopes(high, torch.abs)
            )
        ),
        "You always downscale by bicubic. Use the kernel that is given.": (
            lambda high, given, kernel: _control_loss(high, given, "bicubic")
        ),
        "You compare large images. Degrade the large image, and compare small ones.": (
            lambda high, given, kernel: (
                (high - resize(given, size=(high.shape[1], high.shape[2])))
                .square()
                .sum()
                + 1e-4 * _slopes(high)
            )
        ),
    },
    "Gradient descent on this number finds an image that explains the given image.",
    returns=as_number,
)
