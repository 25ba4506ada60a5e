"""Exercises of chapter 11: the kernel of a linear network, and of a scene."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach.course.check.engine import Case, Exercise, rand

# ---- collapse


def _collapse(filters: Sequence[Tensor]) -> Tensor:
    kernel = torch.ones(1, 1, 1, 1)
    for weights in reversed(filters):
        kernel = F.conv_transpose2d(kernel, weights)
    return kernel[0, 0]


def _response(filters: Sequence[Tensor]) -> Tensor:
    """The network's output for a picture with one white pixel: the mirrored kernel."""
    side = sum(len(w[0, 0]) - 1 for w in filters) + 1
    picture = torch.zeros(1, 1, 2 * side - 1, 2 * side - 1)
    picture[..., side - 1, side - 1] = 1
    for weights in filters:
        picture = F.conv2d(picture, weights)
    return picture[0, 0]


def _summed(filters: Sequence[Tensor]) -> Tensor:
    """The layers combined after their channels were added."""
    kernel = torch.ones(1, 1, 1, 1)
    for weights in reversed(filters):
        kernel = F.conv_transpose2d(kernel, weights.sum((0, 1), keepdim=True))
    return kernel[0, 0]


def _padded(filters: Sequence[Tensor]) -> Tensor:
    """Each layer acts only in the middle of the kernel."""
    kernel = torch.zeros_like(_collapse(filters))[None, None]
    kernel[..., kernel.shape[-1] // 2, kernel.shape[-1] // 2] = 1
    for weights in reversed(filters):
        kernel = F.conv_transpose2d(kernel, weights[:, :, 1:2, 1:2])
    return kernel[0, 0]


STEP = torch.tensor([[[[1.0, 2.0], [0.0, 0.0]]]])
DOWN = torch.tensor([[[[1.0, 0.0], [3.0, 0.0]]]])
BY_HAND = torch.tensor([[1.0, 2.0, 0.0], [3.0, 6.0, 0.0], [0.0, 0.0, 0.0]])
DEEP = [rand(4, 1, 5, 5), rand(3, 4, 3, 3, seed=1), rand(1, 3, 1, 1, seed=2)]
DEEP = [weights - 0.4 for weights in DEEP]

collapse = Exercise(
    "collapse",
    _collapse,
    [
        Case(([STEP],), "One layer of one channel is the kernel.", STEP[0, 0]),
        Case(
            ([STEP, DOWN],),
            "A pixel counts 1 and its right neighbour 2; then a row "
            "counts 1 and the row below it 3.",
            BY_HAND,
        ),
        Case((DEEP,), "Here the layers have 4 and 3 channels."),
        Case(([rand(2, 1, 3, 3), rand(1, 2, 3, 3, seed=3)],)),
    ],
    {
        "Your kernel is mirrored. A picture with one white pixel shows the mirrored "
        "weights, because each output pixel sees the white pixel at another place.": (
            _response
        ),
        "You add the channels before you combine the layers. Each channel needs its "
        "own path through the layers.": _summed,
        "Your kernel is the first layer only. What do the other layers do to it?": (
            lambda f: F.pad(
                f[0].sum(0)[0], [0, *[len(_collapse(f)) - len(f[0][0, 0])]] * 2
            )
        ),
        "You transpose the kernel.": lambda f: _collapse(f).mT,
        "You use only the middle weight of each layer.": _padded,
        "Do not divide the kernel by its sum. The network may make a picture brighter "
        "or darker.": lambda f: _collapse(f) / _collapse(f).sum(),
        "Do not divide by the number of layers.": lambda f: _collapse(f) / (len(f) + 1),
    },
    "150,000 weights of six layers, and one picture of 13 x 13 numbers: both are the "
    "same function.",
)


# ---- scene_transform

FACTORS = 6


def _scene(
    at: Callable[[Tensor, int], Tensor] = lambda f, level: f / 2**level,
    levels: Sequence[int] = range(FACTORS),
    combine: Callable[[Tensor], Tensor] = lambda found: found.prod(0),
) -> Callable:
    """Make an answer from the frequencies of each factor and their combination."""

    def scene_transform(transform: Callable, frequencies: Tensor) -> Tensor:
        found = [transform(at(frequencies, level)) for level in levels]
        return combine(torch.stack(found))

    return scene_transform


def gaussian(f: Tensor) -> Tensor:
    """Between two scales, a Gaussian of variance 4 looks like one of variance 3."""
    return torch.exp(-2 * math.pi**2 * 3 * f**2)


def two_points(f: Tensor) -> Tensor:
    """Between two scales, a motion of 8 pixels looks like two points, 4 apart."""
    return torch.cos(4 * math.pi * f)


FREQUENCIES = torch.linspace(0, 0.5, 9)

scene_transform = Exercise(
    "scene_transform",
    _scene(),
    [
        Case((torch.ones_like, FREQUENCIES), "A kernel that blurs nothing stays 1."),
        Case((gaussian, FREQUENCIES), "Here K' is a Gaussian of variance 3."),
        Case((two_points, FREQUENCIES), "Here K' is two points, 4 pixels apart."),
        Case((lambda f: 1 - f, FREQUENCIES)),
    ],
    {
        "You return K' itself. The other factors are missing.": _scene(levels=[0]),
        "Two factors are not enough: K' at f / 4, f / 8, ... is missing.": _scene(
            levels=[0, 1]
        ),
        "You start with f / 2. The first factor is K' at f itself.": _scene(
            levels=range(1, FACTORS + 1)
        ),
        "You double the frequency in each factor. Halve it.": _scene(
            lambda f, level: f * 2**level
        ),
        "You divide by 1, 2, 3, ... instead of 1, 2, 4, ...": _scene(
            lambda f, level: f / (level + 1)
        ),
        "You use the same frequency in each factor. Halve it from factor to factor.": (
            _scene(lambda f, level: f)
        ),
        "Multiply the factors; do not add them.": _scene(combine=lambda x: x.sum(0)),
        "Multiply the factors; do not average them.": _scene(
            combine=lambda x: x.mean(0)
        ),
        "You divide by K'. The equation multiplies by it.": _scene(
            combine=lambda x: 1 / x.prod(0)
        ),
        "You divide by the second factor. Solve the equation for K, not for K'.": (
            _scene(levels=[0, 1], combine=lambda x: x[0] / x[1])
        ),
    },
    "Two points become a line, and a Gaussian becomes a wider Gaussian. Nothing was "
    "learned here.",
)
