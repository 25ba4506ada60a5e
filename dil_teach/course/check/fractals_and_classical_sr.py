"""Exercises of chapter 06: the map between two blocks, and examples across scales."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
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


# ---- across_scales


Paste = Callable[[Tensor, Tensor, float], Tensor]


def _across(
    enlarged: Callable = lambda high, low, ratio, at, size: resize(high, ratio, size),
    pasted: Callable = lambda paste, high, low, ratio: paste(high, low, ratio),
    rounds: Callable = lambda level, levels: 20,
    down: Callable = blur_and_subsample,
    sign: int = 1,
    clamp: Callable = lambda high, last: high.clamp(0, 1) if last else high,
    last_paste: bool = False,
) -> Callable:
    """A function that enlarges in small steps, with another part."""

    def agree(high: Tensor, low: Tensor, at: float, level: int, levels: int) -> Tensor:
        for _ in range(rounds(level, levels)):
            seen = down(high, "bicubic", at, size=low.shape[1:])
            size = (high.shape[1], high.shape[2])
            high = high + sign * resize(low - seen, at, size)
        return high

    def across_scales(low: Tensor, scale: float, levels: int, paste: Paste) -> Tensor:
        ratio, high = scale ** (1 / levels), low
        for level in range(1, levels + 1):
            at = ratio**level
            size = (round(at * low.shape[1]), round(at * low.shape[2]))
            high = enlarged(high, low, ratio, at, size)
            if last_paste:
                high = agree(high, low, at, level, levels)
                high = pasted(paste, high, low, ratio)
            else:
                high = pasted(paste, high, low, ratio)
                high = agree(high, low, at, level, levels)
            high = clamp(high, level == levels)
        return high

    return across_scales


def _plain(high: Tensor, low: Tensor, ratio: float) -> Tensor:
    """A stand-in for the parents that changes nothing."""
    return high


def _textured(high: Tensor, low: Tensor, ratio: float) -> Tensor:
    """A stand-in for the parents: detail that depends on all three arguments."""
    wide = F.avg_pool2d(F.pad(high, 4 * [1], mode="replicate"), 3, 1)
    return high + ratio * low.shape[-2] / 8 * (high - wide)


def _not_subsampled(image: Tensor, kernel: str, scale: float, size: tuple) -> Tensor:
    """Reduce without blur: every pixel of the result is one pixel of the image."""
    return resize(image, 1 / scale, size, antialias=False)


across_scales = Exercise(
    "across_scales",
    _across(),
    [
        Case(
            (torch.full((1, 6, 6), 0.4), 2, 1, _plain),
            "The given picture is 0.4 everywhere, and nothing is pasted.",
            wanted=torch.full((1, 12, 12), 0.4),
        ),
        Case((rand(1, 8, 10), 2, 1, _plain), "There is one level, without parents."),
        Case((rand(1, 8, 10), 2, 1, _textured), "There is one level, with parents."),
        Case((rand(3, 9, 7), 3, 2, _textured), "Two levels make the factor 3."),
        Case((rand(1, 10, 12, seed=1), 2, 3, _textured), "There are three levels."),
    ],
    {
        "You paste no parents.": _across(pasted=lambda paste, high, *_: high),
        "You do no back-projection, so the result does not agree with the given "
        "picture.": _across(rounds=lambda level, levels: 0),
        "You do one round of back-projection in each level. Do 20.": _across(
            rounds=lambda level, levels: 1
        ),
        "You do back-projection in the last level only. Without it, the errors of the "
        "first levels grow.": _across(
            rounds=lambda level, levels: 20 if level == levels else 0
        ),
        "You paste the parents after the back-projection, so your result no longer "
        "agrees with the given picture.": _across(last_paste=True),
        "The sign of the difference is wrong: the estimate moves away.": _across(
            sign=-1
        ),
        "You do not blur the estimate before you subsample it.": _across(
            down=_not_subsampled
        ),
        "Each of your levels starts from `low` again. Enlarge the result of the level "
        "before.": _across(
            enlarged=lambda high, low, ratio, at, size: resize(low, at, size)
        ),
        "Give `resize` the factor r as well as the size. Sizes are rounded, so their "
        "quotient is another factor.": _across(
            enlarged=lambda high, low, ratio, at, size: resize(high, size=size)
        ),
        "Do not limit the values before the last level is done.": _across(
            clamp=lambda high, last: high.clamp(0, 1)
        ),
        "Limit the result to [0, 1].": _across(clamp=lambda high, last: high),
        "`paste` gets the wrong pictures: first the enlarged one, then the given "
        "one.": _across(
            pasted=lambda paste, high, low, ratio: paste(high, high, ratio)
        ),
        "`paste` gets the wrong factor. Which factor lies between two levels?": _across(
            pasted=lambda paste, high, low, ratio: paste(
                high, low, high.shape[1] / low.shape[1]
            )
        ),
    },
    "Your result agrees with the given picture, and its detail comes from the given "
    "picture alone.",
    tolerance=1e-3,
)
