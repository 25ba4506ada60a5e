"""Exercises of chapter 15: haze in linear light, a layer in closed form, flicker."""

from collections.abc import Callable
from itertools import accumulate

import torch
from torch import Tensor

from dil_teach.course.check.engine import Case, Exercise, as_number, rand
from dil_teach.image.colour import to_linear, to_srgb

# ---- haze


def _mix(clear: Tensor, transmission: Tensor, airlight: Tensor) -> Tensor:
    return transmission * clear + (1 - transmission) * airlight


def _haze(clear: Tensor, transmission: Tensor, airlight: Tensor) -> Tensor:
    return to_srgb(_mix(to_linear(clear), transmission, to_linear(airlight)))


CLEAR, BLUISH = rand(3, 6, 9), torch.tensor([0.8, 0.84, 0.9])[:, None, None]
ONES = torch.ones(1, 6, 9)
WHITE, PIXEL = torch.ones(3, 1, 1), torch.ones(1, 1, 1)

haze = Exercise(
    "haze",
    _haze,
    [
        Case(
            (0.4 * WHITE.expand(3, 1, 2), 0.25 * ONES[:, :1, :2], 0.9 * WHITE),
            "0.4 is 0.133 in linear light, and 0.9 is 0.787. At a transmission of 0.25 "
            "they give 0.624, which is 0.812 in sRGB.",
        ),
        Case((CLEAR, ONES, BLUISH), "At a transmission of 1 there is no haze.", CLEAR),
        Case(
            (CLEAR, 0 * ONES, BLUISH),
            "At a transmission of 0 nothing but the airlight is seen.",
            wanted=BLUISH.expand(3, 6, 9),
        ),
        Case(
            (CLEAR, rand(1, 6, 9, seed=1), BLUISH),
            "Do you use the transmission of each pixel for all three channels, and the "
            "airlight of each channel for all pixels?",
        ),
    ],
    {
        "The sRGB values of the file were mixed, but haze adds light to light. Which "
        "function converts sRGB values to linear light?": _mix,
        "That is still linear light, which looks too dark on a screen. Which "
        "conversion is missing at the "
        "end?": lambda j, t, a: _mix(to_linear(j), t, to_linear(a)),
        "Scene and airlight are swapped. At a transmission of 1 you see the scene as "
        "it is.": lambda j, t, a: _haze(j, 1 - t, a),
        "The airlight was left in sRGB. Convert it to linear light before you add "
        "it.": lambda j, t, a: to_srgb(_mix(to_linear(j), t, a)),
        "The scene was left in sRGB. Convert it to linear light before you add "
        "anything.": lambda j, t, a: to_srgb(_mix(j, t, to_linear(a))),
        "The airlight was added in full. How much of it lies between a near object and "
        "the camera?": lambda j, t, a: to_srgb(t * to_linear(j) + to_linear(a)),
        "A power of 2.2 is not exactly sRGB. Use `to_linear` and "
        "`to_srgb`.": lambda j, t, a: _mix(j**2.2, t, a**2.2) ** (1 / 2.2),
        "The two functions are swapped. Convert to linear light first, and back to "
        "sRGB at the end.": lambda j, t, a: to_linear(_mix(to_srgb(j), t, to_srgb(a))),
    },
    "Light adds up, but sRGB values do not. Half black and half white light is 0.74 in "
    "sRGB, much brighter than 0.5.",
    tolerance=1e-3,
)


# ---- front_layer


def _front(image: Tensor, mask: Tensor, back: Tensor, floor: float) -> Tensor:
    return back + (image - back) / mask.clamp_min(floor)


FRONT, BACK, MASK = rand(3, 5, 8), rand(3, 1, 1, seed=1), 0.3 + 0.7 * rand(1, 5, 8)
TWO = torch.tensor([[[0.5, 0.9]]]), torch.tensor([[[0.5, 0.25]]])

front_layer = Exercise(
    "front_layer",
    _front,
    [
        Case(
            (*TWO, 0.8 * PIXEL, 0.2),
            "The equations are 0.5 = 0.5 * front + 0.5 * 0.8 and 0.9 = 0.25 * front + "
            "0.75 * 0.8.",
            wanted=torch.tensor([[[0.2, 1.2]]]),
        ),
        Case(
            (0.4 * PIXEL, 0.1 * PIXEL, 0.8 * PIXEL, 0.2),
            "The mask (0.1) is below the floor (0.2), so the result differs from the "
            "back layer by half as much as it would without the floor.",
            wanted=-1.2 * PIXEL,
        ),
        Case(
            (_mix(FRONT, MASK, BACK), MASK, BACK, 0.2),
            "The mask is above the floor everywhere. Compositing the result with it "
            "should give the image again.",
            wanted=FRONT,
        ),
        Case(
            (BACK.expand(3, 5, 8), 0 * MASK, BACK, 0.1),
            "Where the mask is 0, the front is invisible, and the result should be the "
            "back layer.",
        ),
        Case((FRONT, rand(1, 5, 8, seed=1), BACK, 0.4)),
    ],
    {
        "The result is cut off at 0 and 1. Do that at the very end only, because here "
        "it would hide errors.": lambda *given: _front(*given).clamp(0, 1),
        "Where the mask is small, your layer turns black. The back layer should stay "
        "there.": lambda i, m, b, f: (i - (1 - m) * b) / m.clamp_min(f),
        "The floor is added to the mask. It should act only where the mask is below "
        "it.": lambda i, m, b, f: b + (i - b) / (m + f),
        "Without a floor, the smallest error is divided by almost 0. Where do you use "
        "`floor`?": lambda i, m, b, f: b + (i - b) / m,
        "That is the difference between front and back. You still have to add the back "
        "layer.": lambda i, m, b, f: (i - b) / m.clamp_min(f),
        "The two layers are swapped. The mask is the fraction of the "
        "*front*.": lambda i, m, b, f: _front(i, 1 - m, b, f),
        "The fraction of the back layer is 1 - mask, but you subtracted mask times the "
        "back.": lambda i, m, b, f: (i - m * b) / m.clamp_min(f),
        "The back layer was not subtracted. Division alone makes the haze "
        "brighter.": lambda i, m, b, f: i / m.clamp_min(f),
    },
    "This line has two applications. With the transmission as the mask it removes "
    "haze, and with 1 - alpha it removes a watermark.",
)


# ---- flicker


def _aligned(before: Tensor, after: Tensor, moved: tuple[int, int]) -> Tensor:
    """after - before, where both show the same thing."""
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
        pairs = zip(masks[:-1], masks[1:], motion_of(motion), strict=True)
        return sum(measure(align(*pair)) for pair in pairs) / over(motion)

    return flicker


def _since_the_first(motion: list) -> list:
    return [*accumulate(motion, lambda a, b: (a[0] + b[0], a[1] + b[1]))]


HIGH = torch.tensor([[1.0, 1.0, 0.0]] * 2 + [[0.0] * 3] * 2)
STILL, MOVING = (torch.stack([HIGH, HIGH.roll(by, 0)])[:, None] for by in (0, 1))

flicker = Exercise(
    "flicker",
    _flicker(),
    [
        Case((STILL, [(0, 0)]), "The video is still, and so is the mask.", wanted=0.0),
        Case((MOVING, [(1, 0)]), "The mask moves down with the video.", wanted=0.0),
        Case(
            (STILL, [(1, 0)]),
            "The mask fills two of 4 rows and two of 3 columns. It stays in place "
            "while the video moves down.",
            wanted=2 / 9,
        ),
        Case((rand(2, 1, 12, 9), [(2, -1)])),
        Case((rand(4, 1, 10, 14), [(1, 3), (-2, 0), (0, -4)])),
    ],
    {
        "The masks were compared without moving them. Which pixels of two frames show "
        "the same thing?": _flicker(align=lambda before, after, moved: after - before),
        "The motion goes the wrong way: what lies at row y lies at row y + down in the "
        "next frame.": _flicker(motion_of=lambda m: [(-a, -b) for a, b in m]),
        "Pixels that leave the picture on one side come in again on the other. Leave "
        "such pixels "
        "out.": _flicker(align=lambda a, b, moved: b - a.roll(moved, (-2, -1))),
        "The squares were averaged. Use absolute differences.": _flicker(
            lambda change: change.square().mean()
        ),
        "The differences keep their signs, so they cancel each other.": _flicker(
            lambda change: change.mean()
        ),
        "The pairs of frames were added up. Take their mean, or a longer video would "
        "flicker more.": _flicker(over=lambda motion: 1),
        "The pixels were added up, not averaged. A larger video would flicker "
        "more.": _flicker(lambda change: change.abs().sum()),
        "Down and right are swapped.": _flicker(
            motion_of=lambda m: [(b, a) for a, b in m]
        ),
        "The motion goes from each frame to the next, but you added it up since the "
        "first frame.": _flicker(motion_of=_since_the_first),
    },
    "A mask that moves with the video does not flicker, so a correct mask cannot raise "
    "this number.",
    as_number,
)
