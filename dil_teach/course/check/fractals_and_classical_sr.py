"""Exercises of chapter 06: the map between two blocks, and back-projection."""

import torch
from torch import Tensor

from dil_teach.course.check.engine import Case, Exercise, as_numbers, rand
from dil_teach.image.resize import blur_and_subsample, resize

# ---- contractive_map


def _slope(r: Tensor, d: Tensor) -> float:
    energy = float((d * d).sum())
    return float((r * d).sum()) / energy if energy > 0 else 0.0


def _free(block: Tensor, domain: Tensor) -> float:
    """The contrast without its limit."""
    return _slope(block - block.mean(), domain - domain.mean())


def _with(block: Tensor, domain: Tensor, contrast: float) -> tuple[float, float]:
    """The contrast, and the brightness that belongs to it."""
    return contrast, float(block.mean() - contrast * domain.mean())


def _limited(contrast: float, most: float) -> float:
    return min(max(contrast, -most), most)


def _map(block: Tensor, domain: Tensor, most: float) -> tuple[float, float]:
    return _with(block, domain, _limited(_free(block, domain), most))


def _spreads(block: Tensor, domain: Tensor, most: float) -> tuple[float, float]:
    spread = float(domain.std())
    contrast = float(block.std()) / spread if spread > 0 else 0.0
    return _with(block, domain, _limited(contrast, most))


def _shifted(block: Tensor, domain: Tensor, most: float) -> tuple[float, float]:
    contrast = _map(block, domain, most)[0]
    return contrast, float(block.mean() - domain.mean())


def _late(block: Tensor, domain: Tensor, most: float) -> tuple[float, float]:
    contrast, brightness = _with(block, domain, _free(block, domain))
    return _limited(contrast, most), brightness


CHECKS = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
RAMP = torch.arange(16.0).view(4, 4) / 16
BLOCK, OTHER = rand(4, 4), rand(4, 4, seed=1)
GREY = torch.full((4, 4), 0.5)

contractive_map = Exercise(
    "contractive_map",
    _map,
    [
        Case(
            (0.2 + 0.5 * CHECKS, CHECKS, 0.9),
            "Here, the range block is 0.5 times the domain block plus 0.2.",
            wanted=(0.5, 0.2),
        ),
        Case(
            (0.9 - 0.4 * RAMP, RAMP, 0.9),
            "Here, the range block is the inverted domain block.",
            wanted=(-0.4, 0.9),
        ),
        Case(
            (CHECKS, 0.25 + 0.5 * CHECKS, 0.9),
            "Here, the contrast without a limit is 2.",
            wanted=(0.9, 0.05),
        ),
        Case((1 - RAMP, 0.5 * RAMP, 0.8), "Here, the contrast without a limit is -2."),
        Case((BLOCK, GREY, 0.9), "Here, the domain block is constant."),
        Case((0.7 * OTHER + 0.3 * BLOCK, OTHER, 0.9)),
        Case((BLOCK, OTHER, 0.5)),
    ],
    {
        "You swapped the results: return the contrast first, then the brightness.": (
            lambda *g: _map(*g)[::-1]
        ),
        "You do not limit the contrast.": lambda b, d, _: _with(b, d, _free(b, d)),
        "You limit only contrasts above `most`. What about very negative ones?": (
            lambda b, d, most: _with(b, d, min(_free(b, d), most))
        ),
        "Negative contrasts are allowed: they invert the domain block.": (
            lambda b, d, most: _with(b, d, min(max(_free(b, d), 0.0), most))
        ),
        "Your brightness belongs to the contrast before it was limited.": _late,
        "The brightness must take into account that the contrast changes the mean of "
        "the domain block.": _shifted,
        "The brightness is not the mean of the range block: the domain block has a "
        "mean as well.": lambda b, d, most: (_map(b, d, most)[0], float(b.mean())),
        "Remove the mean of both blocks before you compute the contrast.": (
            lambda b, d, most: _with(b, d, _limited(_slope(b, d), most))
        ),
        "You approximate the domain block by the range block. It is the other way "
        "round.": lambda b, d, most: _with(b, d, _limited(_free(d, b), most)),
        "A quotient of standard deviations is never negative, and it ignores whether "
        "the two blocks are similar.": _spreads,
    },
    "Your map is the best contraction between the two blocks.",
    as_numbers,
    tolerance=1e-3,
)


# ---- back_projection_step


Kernel = str | Tensor


def _missing(high: Tensor, low: Tensor, kernel: Kernel, scale: int) -> Tensor:
    return low - blur_and_subsample(high, kernel, scale)


def _step(high: Tensor, low: Tensor, kernel: Kernel, scale: int) -> Tensor:
    return high + resize(_missing(high, low, kernel, scale), scale)


def _repeated(high: Tensor, low: Tensor, kernel: Kernel, scale: int) -> Tensor:
    missing = _missing(high, low, kernel, scale)
    return high + missing.repeat_interleave(scale, 1).repeat_interleave(scale, 2)


BOX = torch.full((4, 4), 1 / 16, dtype=torch.float64)
HIGH, LOW = rand(1, 16, 12), rand(1, 8, 6, seed=1)

back_projection_step = Exercise(
    "back_projection_step",
    _step,
    [
        Case(
            (torch.full((1, 8, 8), 0.5), torch.full((1, 4, 4), 0.6), "bicubic", 2),
            "The estimate is 0.5 everywhere, and the given picture is 0.6 everywhere.",
            wanted=torch.full((1, 8, 8), 0.6),
        ),
        Case((HIGH, LOW, "bicubic", 2)),
        Case((HIGH, LOW, BOX, 2), "Here, the kernel is the mean of 4 x 4 pixels."),
        Case((rand(3, 12, 18), rand(3, 4, 6, seed=1), "bicubic", 3), "The scale is 3."),
    ],
    {
        "The sign of the difference is wrong: the estimate moves away.": (
            lambda high, *g: 2 * high - _step(high, *g)
        ),
        "You return the correction alone. Add it to the estimate.": (
            lambda high, *g: _step(high, *g) - high
        ),
        "You enlarge the given picture itself. What does the estimate already "
        "explain?": lambda high, low, kernel, scale: high + resize(low, scale),
        "You forget the estimate, and enlarge only the given picture.": (
            lambda high, low, kernel, scale: resize(low, scale)
        ),
        "You do not use `kernel`.": lambda h, y, _, s: _step(h, y, "bicubic", s),
        "You do not blur the estimate before you subsample it.": (
            lambda h, y, _, s: h + resize(y - h[:, ::s, ::s], s)
        ),
        "Enlarge the difference by bicubic interpolation, not by repeating pixels.": (
            _repeated
        ),
        "Do not limit the result to [0, 1].": lambda *g: _step(*g).clamp(0, 1),
        "You make two steps. Return the result of the first.": (
            lambda high, *g: _step(_step(high, *g), *g)
        ),
        "You add only half of the difference.": lambda high, *g: (
            (high + _step(high, *g)) / 2
        ),
    },
    "Reduced again, your estimate is now closer to the given picture.",
)
