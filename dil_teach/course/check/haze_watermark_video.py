"""Exercises of chapter 15: removal of haze and of a shared watermark; flicker."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach.course.check.engine import (
    Case,
    Exercise,
    as_number,
    as_pair,
    rand,
)
from dil_teach.image.colour import to_linear, to_srgb

# ---- lift_haze


def _largest(x: Tensor, side: int) -> Tensor:
    return F.max_pool2d(x, side, 1, side // 2)


def _darkest(ratio: Tensor, side: int) -> Tensor:
    return -_largest(-ratio.amin(0, keepdim=True), side)


def _zero_border(ratio: Tensor, side: int) -> Tensor:
    padded = F.pad(ratio.amin(0, keepdim=True), 4 * [side // 2])
    return -F.max_pool2d(-padded, side, 1)


def _closed(light: Tensor, air: Tensor, mask: Tensor) -> Tensor:
    return air + (light - air) / mask


def _lift(
    decode: Callable = to_linear,
    encode: Callable = to_srgb,
    decode_air: Callable = to_linear,
    ratio: Callable = torch.div,
    dark: Callable = _darkest,
    mask: Callable = lambda dark, floor: (1 - dark).clamp_min(floor),
    solve: Callable = _closed,
) -> Callable:
    """A function that removes haze, with another step."""

    def lift_haze(hazy: Tensor, airlight: Tensor, side: int, floor: float) -> Tensor:
        light, air = decode(hazy), decode_air(airlight)
        return encode(solve(light, air, mask(dark(ratio(light, air), side), floor)))

    return lift_haze


HAZY, BLUISH = 0.3 + 0.4 * rand(3, 9, 12), torch.tensor([0.8, 0.84, 0.9])[:, None, None]
TWO = to_srgb(torch.tensor([0.25, 0.5]).expand(3, 1, 2))
WHITE = torch.ones(3, 1, 1)

lift_haze = Exercise(
    "lift_haze",
    _lift(),
    [
        Case(
            (TWO, WHITE, 1, 0.1),
            "In a window of one pixel, a grey pixel is its own dark channel, so it "
            "becomes black.",
        ),
        Case(
            (TWO, WHITE, 3, 0.1),
            "In linear light, the pixels are 0.25 and 0.5, and the airlight is 1. The "
            "dark channel is 0.25, so the transmission is 0.75 in both pixels.",
        ),
        Case(
            (BLUISH.expand(3, 4, 5), BLUISH, 3, 0.1),
            "A picture of the airlight alone stays as it is.",
        ),
        Case((HAZY, BLUISH, 3, 0.1), "Is the window centred on its pixel?"),
        Case((HAZY, BLUISH, 1, 0.8), "Is the transmission at least `floor`?"),
    ],
    {
        "Convert to linear light first: haze adds light to light.": _lift(
            lambda x: x, lambda x: x.clamp(0, 1), lambda x: x
        ),
        "Convert back to sRGB at the end.": _lift(encode=lambda x: x.clamp(0, 1)),
        "Convert the airlight, too.": _lift(decode_air=lambda x: x),
        "Divide by the airlight before you take the minimum.": _lift(
            ratio=lambda light, air: light
        ),
        "Your dark channel is the minimum over the channels of one pixel. Take the "
        "minimum over the window, too.": _lift(
            dark=lambda ratio, side: ratio.amin(0, keepdim=True)
        ),
        "Each of your channels has its own transmission. Take the minimum over the "
        "channels, too.": _lift(dark=lambda ratio, side: -_largest(-ratio, side)),
        "You take the maximum over the window.": _lift(
            dark=lambda ratio, side: _largest(ratio.amin(0, keepdim=True), side)
        ),
        "You take the mean over the channels, not the minimum.": _lift(
            dark=lambda ratio, side: -_largest(-ratio.mean(0, keepdim=True), side)
        ),
        "Your window sees black pixels outside the picture. Leave them out.": _lift(
            dark=_zero_border
        ),
        "The dark channel measures the haze, not the transmission.": _lift(
            mask=lambda dark, floor: dark.clamp_min(floor)
        ),
        "The transmission should be at least `floor`.": _lift(
            mask=lambda dark, floor: (1 - dark).clamp_min(1e-6)
        ),
        "Do not add the floor to the transmission.": _lift(
            mask=lambda dark, floor: 1 - dark + floor
        ),
        "Add the airlight at the end.": _lift(
            solve=lambda light, air, mask: (light - air) / mask
        ),
        "You subtract the airlight in full, but only the fraction 1 - t of it lies "
        "before a pixel. Where t is below the floor, work with differences from the "
        "airlight.": _lift(
            solve=lambda light, air, mask: (light - air) / mask + air * mask
        ),
        "You divide before you have subtracted the haze.": _lift(
            solve=lambda light, air, mask: light / mask
        ),
    },
    "The prior gives the transmission, and the closed form gives the picture: no "
    "network was needed.",
    tolerance=1e-3,
)


# ---- remove_mark


def _slope(x: Tensor, y: Tensor, axes: tuple = (0, 1)) -> Tensor:
    squares = x.square().sum(axes, keepdim=True).clamp_min(1e-6)
    return ((x * y).sum(axes, keepdim=True) / squares)[0]


def _unmark(
    slope: Callable = _slope,
    clamped: Callable = lambda slope, floor: slope.clamp(floor, 1),
    opacity: Callable = lambda mask: 1 - mask,
    clean: Callable = lambda marked, colour, mask: colour + (marked - colour) / mask,
    less: Callable = torch.sub,
) -> Callable:
    """A function that removes a mark, with another step."""

    def remove_mark(
        marked: Tensor, guesses: Tensor, colour: Tensor, floor: float
    ) -> tuple[Tensor, Tensor]:
        mask = slope(less(guesses, colour), less(marked, colour))
        mask = clamped(mask, floor)
        return opacity(mask), clean(marked, colour, mask)

    return remove_mark


def _mean_of_ratios(x: Tensor, y: Tensor) -> Tensor:
    ratio = y / torch.where(x.abs() < 1e-3, 1e-3, x)
    return ratio.mean((0, 1), keepdim=True)[0]


def _marked(alpha: float | Tensor, photographs: Tensor, colour: Tensor) -> Tensor:
    return (1 - alpha) * photographs + alpha * colour


PHOTOGRAPHS, GUESSES = 0.7 * rand(3, 3, 6, 8), 0.7 * rand(3, 3, 6, 8, seed=2)
ALPHA = 0.1 + 0.4 * rand(1, 6, 8, seed=1)
CREAM = torch.tensor([0.96, 0.93, 0.85])[:, None, None]
GREY = torch.ones(1, 1, 1)

remove_mark = Exercise(
    "remove_mark",
    _unmark(),
    [
        Case(
            (torch.full((1, 1, 1, 1), 0.6), torch.full((1, 1, 1, 1), 0.4), GREY, 0.05),
            "In one grey photograph, the line passes through one point: -0.4 is m "
            "times -0.6. The result is the guess, 0.4.",
        ),
        Case(
            (
                torch.tensor([0.6, 0.8]).reshape(2, 1, 1, 1),
                torch.tensor([0.4, 0.5]).reshape(2, 1, 1, 1),
                GREY,
                0.05,
            ),
            "The products are 0.24 and 0.1, the squares are 0.36 and 0.25. The slope "
            "is 0.34 / 0.61.",
        ),
        Case(
            (_marked(ALPHA, PHOTOGRAPHS, CREAM), PHOTOGRAPHS, CREAM, 0.05),
            "The guesses are the true photographs, so the result should be the true "
            "opacity and the true photographs.",
        ),
        Case(
            (_marked(ALPHA, PHOTOGRAPHS, CREAM), GUESSES, CREAM, 0.05),
            "Each pixel has its own slope, from all photographs and channels.",
        ),
        Case(
            (_marked(ALPHA, PHOTOGRAPHS, CREAM), 0.8 * PHOTOGRAPHS + 0.15, CREAM, 0.8),
            "The mask should be between `floor` and 1.",
        ),
        Case(
            (0.5 * PHOTOGRAPHS, PHOTOGRAPHS, CREAM, 0.05),
            "Where the marked picture is darker than the guess, the slope exceeds 1.",
        ),
        Case(
            (_marked(ALPHA, PHOTOGRAPHS, CREAM), 0 * PHOTOGRAPHS + CREAM, CREAM, 0.3),
            "All guesses equal the colour: what do you divide by?",
        ),
    ],
    {
        "You return the mask. The opacity is 1 - mask.": _unmark(opacity=lambda m: m),
        "Your clean pictures are the guesses times the mask. Take the details from the "
        "marked pictures.": _unmark(clean=lambda i, c, m: c + (i - c) * m),
        "Subtract the colour before you fit the line: without the mark's light, the "
        "line passes through the origin.": _unmark(less=lambda image, colour: image),
        "Add the colour at the end.": _unmark(clean=lambda i, c, m: (i - c) / m),
        "Divide by the mask: the contrast under the mark is smaller.": _unmark(
            clean=lambda i, c, m: i - (1 - m) * c
        ),
        "You divide by the squares of the marked pictures. Which of the two contains "
        "the unknown?": _unmark(lambda x, y: _slope(y, x)),
        "You average ratios. Where a guess is close to the colour, its ratio is "
        "mostly an error. Least squares divide one sum by "
        "another.": _unmark(_mean_of_ratios),
        "You fit one slope for the whole picture. Each pixel has its own "
        "slope.": _unmark(
            lambda x, y: _slope(x, y, (0, 1, 2, 3)).expand(1, *x.shape[2:])
        ),
        "You use only the first photograph.": _unmark(
            lambda x, y: _slope(x[:1], y[:1])
        ),
        "You use only the first channel.": _unmark(
            lambda x, y: _slope(x[:, :1], y[:, :1])
        ),
        "Do not clip the clean pictures to [0, 1].": _unmark(
            clean=lambda i, c, m: (c + (i - c) / m).clamp(0, 1)
        ),
        "The mask should be at least `floor`.": _unmark(
            clamped=lambda slope, floor: slope.clamp(1e-6, 1)
        ),
        "The mask should be at most 1: an opacity is not negative.": _unmark(
            clamped=lambda slope, floor: slope.clamp_min(floor)
        ),
    },
    "One unknown and many equations: each further photograph averages the errors of "
    "the guesses.",
    as_pair,
)


# ---- flicker


def _aligned(before: Tensor, after: Tensor, moved: list[int]) -> Tensor:
    """The difference `after - before` in the part that both frames show."""
    for axis, by in zip((-2, -1), moved, strict=True):
        both = after.shape[axis] - abs(by)
        before = before.narrow(axis, max(-by, 0), both)
        after = after.narrow(axis, max(by, 0), both)
    return after - before


def _flicker(
    measure: Callable = lambda change: change.abs().mean(),
    align: Callable = _aligned,
    motion_of: Callable = lambda motion: motion,
    over: Callable = len,
) -> Callable:
    """A flicker function with another measure, alignment, motion or number of pairs."""

    def flicker(masks: Tensor, motion: list) -> Tensor:
        moves = motion_of(torch.tensor(motion)).tolist()
        pairs = zip(masks[:-1], masks[1:], moves, strict=True)
        return sum(measure(align(*pair)) for pair in pairs) / over(motion)

    return flicker


HIGH = torch.tensor([[1.0, 1.0, 0.0]] * 2 + [[0.0] * 3] * 2)
STILL, MOVING = (torch.stack([HIGH, HIGH.roll(by, 0)])[:, None] for by in (0, 1))

flicker = Exercise(
    "flicker",
    _flicker(),
    [
        Case((STILL, [(0, 0)]), "The video is still, and so is the mask.", wanted=0.0),
        Case((MOVING, [(1, 0)]), "The mask moves down with the video.", wanted=0.0),
        Case((STILL, [(1, 0)]), "The video moves, but the mask does not."),
        Case((rand(2, 1, 12, 9), [(2, -1)])),
        Case((rand(4, 1, 10, 14), [(1, 3), (-2, 0), (0, -4)])),
    ],
    {
        "Align the masks by their motion.": _flicker(align=lambda a, b, moved: b - a),
        "Row y moves to y + down, not to y - down.": _flicker(motion_of=torch.neg),
        "Pixels that leave your picture on one side return on the other side. Leave "
        "out such "
        "pixels.": _flicker(align=lambda a, b, moved: b - a.roll(moved, (-2, -1))),
        "Use absolute differences, not squares.": _flicker(lambda d: (d**2).mean()),
        "Your differences cancel. Use absolute differences.": _flicker(torch.mean),
        "Take the mean over the pairs of frames.": _flicker(over=lambda motion: 1),
        "Take the mean over the pixels.": _flicker(lambda d: d.abs().sum()),
        "You swapped down and right.": _flicker(motion_of=torch.fliplr),
        "Do not add up several motions.": _flicker(motion_of=lambda m: m.cumsum(0)),
    },
    "A mask that moves with the video does not flicker.",
    as_number,
)
