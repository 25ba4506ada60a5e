"""Exercises of chapter 15: haze in linear light, a layer in closed form, flicker."""

from collections.abc import Callable

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
ONES, VARIED = torch.ones(1, 6, 9), rand(1, 6, 9, seed=1)
WHITE, PIXEL = torch.ones(3, 1, 1), torch.ones(1, 1, 1)

haze = Exercise(
    "haze",
    _haze,
    [
        Case(
            (0.4 * WHITE.expand(3, 1, 2), 0.25 * ONES[:, :1, :2], 0.9 * WHITE),
            "0.4 is 0.133 in linear light, and 0.9 is 0.787. At a transmission of "
            "0.25, the mixture is 0.624, which is 0.812 in sRGB.",
        ),
        Case((CLEAR, ONES, BLUISH), "At a transmission of 1 there is no haze.", CLEAR),
        Case((CLEAR, 0 * ONES, BLUISH), "Without transmission you see only airlight."),
        Case((CLEAR, VARIED, BLUISH), "Do you use the transmission of each pixel?"),
    ],
    {
        "Convert to linear light first: haze adds light to light.": _mix,
        "Convert back to sRGB.": lambda j, t, a: _mix(to_linear(j), t, to_linear(a)),
        "You swapped scene and airlight.": lambda j, t, a: _haze(j, 1 - t, a),
        "Convert the airlight, too.": lambda j, t, a: to_srgb(_mix(to_linear(j), t, a)),
        "Convert the scene, too.": lambda j, t, a: to_srgb(_mix(j, t, to_linear(a))),
        "You add the airlight in full. How much airlight lies between a near object "
        "and the camera?": lambda j, t, a: to_srgb(t * to_linear(j) + to_linear(a)),
        "A power of 2.2 is not exactly sRGB. Use `to_linear` and "
        "`to_srgb`.": lambda j, t, a: _mix(j**2.2, t, a**2.2) ** (1 / 2.2),
        "You swapped the two functions. Convert to linear light first, and back to "
        "sRGB at the end.": lambda j, t, a: to_linear(_mix(to_srgb(j), t, to_srgb(a))),
    },
    "Light adds up, but sRGB values do not. A mixture of half black and half white "
    "light is 0.74 in sRGB, much brighter than 0.5.",
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
        Case((*TWO, 0.8 * PIXEL, 0.2), "0.9 is 0.25 * front + 0.75 * 0.8."),
        Case((0.4 * PIXEL, 0.1 * PIXEL, 0.8 * PIXEL, 0.2), "Divide by `floor` here."),
        Case((_mix(FRONT, MASK, BACK), MASK, BACK, 0.2), "The mask is above `floor`."),
        Case((BACK.expand(3, 5, 8), 0 * MASK, BACK, 0.1), "Only the back is visible."),
        Case((FRONT, rand(1, 5, 8, seed=1), BACK, 0.4)),
    ],
    {
        "Do not clip the result to [0, 1].": lambda *g: _front(*g).clamp(0, 1),
        "Where the mask is small, your layer is black. It should be the back layer "
        "there.": lambda i, m, b, f: (i - (1 - m) * b) / m.clamp_min(f),
        "Do not add the floor to the mask.": lambda i, m, b, f: b + (i - b) / (m + f),
        "The divisor should be at least `floor`.": lambda i, m, b, f: b + (i - b) / m,
        "Add the back layer at the end.": lambda i, m, b, f: (i - b) / m.clamp_min(f),
        "You swapped front and back.": lambda i, m, b, f: _front(i, 1 - m, b, f),
        "The fraction of the back layer is 1 - mask, but you subtracted mask times the "
        "back.": lambda i, m, b, f: (i - m * b) / m.clamp_min(f),
        "Subtract the back before the division.": lambda i, m, b, f: i / m.clamp_min(f),
    },
    "This line has two applications. It removes haze if the mask is the transmission, "
    "and it removes a watermark if the mask is 1 - alpha.",
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
