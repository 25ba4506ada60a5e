"""Checks of chapter 15: haze in linear light, a layer in closed form, and flicker."""

from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.course.check.verdict import (
    as_image,
    as_number,
    call,
    compare,
    verdict,
)
from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.convention import Image

Map = Float[Tensor, "1 h w"]
Colour = Float[Tensor, "3 1 1"]
Motion = list[tuple[int, int]]


@verdict
def haze(answer: Any) -> str:
    """``haze(clear, transmission, airlight)``: a hazy photograph, in sRGB.

    clear is Float[Tensor, "3 h w"], transmission Float[Tensor, "1 h w"], airlight
    Float[Tensor, "3 1 1"]; the haze is laid over the scene in linear light.
    """
    grey, air = torch.full((3, 1, 2), 0.4), torch.full((3, 1, 1), 0.9)
    quarter = torch.full((1, 1, 2), 0.25)
    by_hand = as_image(
        call(answer, grey, quarter, air), (3, 1, 2), "a hazy picture of 1 x 2 pixels"
    )
    compare(
        by_hand,
        _haze(grey, quarter, air),
        "A grey of 0.4 is 0.133 in linear light, and an airlight of 0.9 is 0.787. At a "
        "transmission of 0.25 the two give 0.624, which is 0.812 in sRGB; yours is "
        f"{float(by_hand[0, 0, 0]):.3f}.",
        partial(_haze_mistakes, grey, quarter, air),
        tolerance=1e-3,
    )

    rng = torch.Generator().manual_seed(0)
    clear = torch.rand(3, 6, 9, generator=rng)
    transmission = torch.rand(1, 6, 9, generator=rng)
    airlight = torch.tensor([0.8, 0.84, 0.9])[:, None, None]
    for everywhere, expected, what in (
        (1.0, clear, "no haze is left and the clear picture should come back"),
        (0.0, airlight.expand_as(clear), "nothing but the airlight should be seen"),
    ):
        uniform = torch.full_like(transmission, everywhere)
        got = as_image(call(answer, clear, uniform, airlight), (3, 6, 9), "the haze")
        compare(
            got,
            expected,
            f"At a transmission of {everywhere:g} {what}.",
            partial(_haze_mistakes, clear, uniform, airlight),
            tolerance=1e-3,
        )
    got = as_image(call(answer, clear, transmission, airlight), (3, 6, 9), "the haze")
    compare(
        got,
        _haze(clear, transmission, airlight),
        "For a random picture, a random transmission and a bluish airlight the result "
        "differs: is each pixel's transmission used for all three channels, and each "
        "channel's airlight for all pixels?",
        partial(_haze_mistakes, clear, transmission, airlight),
        tolerance=1e-3,
    )
    return (
        "Lights add, and their codes do not: half black and half white light is "
        f"{float(to_srgb(torch.full((1, 1, 1), 0.5))):.2f} in sRGB, much paler than "
        "0.5."
    )


def _haze(clear: Image, transmission: Map, airlight: Colour) -> Image:
    """I = t J + (1 - t) A, in linear light."""
    mixed = transmission * to_linear(clear) + (1 - transmission) * to_linear(airlight)
    return to_srgb(mixed)


def _haze_mistakes(
    clear: Image, transmission: Map, airlight: Colour
) -> dict[str, Tensor]:
    """What known mistakes give, by their diagnosis."""
    t, linear_clear, linear_air = transmission, to_linear(clear), to_linear(airlight)
    return {
        "The codes of the file were mixed, not the light: haze adds light to light. "
        "Which function takes sRGB values to linear light?": t * clear
        + (1 - t) * airlight,
        "That is still linear light, and far too dark on a screen: what is missing at "
        "the end?": t * linear_clear + (1 - t) * linear_air,
        "Scene and airlight have changed places: at a transmission of 1 the scene is "
        "seen as it is.": to_srgb((1 - t) * linear_clear + t * linear_air),
        "The airlight was left in sRGB: it has to be light as well before it is "
        "added.": to_srgb(t * linear_clear + (1 - t) * airlight),
        "The scene was left in sRGB: it has to be light as well before anything is "
        "added to it.": to_srgb(t * clear + (1 - t) * linear_air),
        "The airlight was added in full: how much of it lies between a near thing and "
        "the camera?": to_srgb((t * linear_clear + linear_air).clamp(0, 1)),
        "A power of 2.2 is not quite the code of sRGB, which is straight near black: "
        "take `to_linear` and `to_srgb`.": (
            t * clear.clamp_min(0) ** 2.2 + (1 - t) * airlight**2.2
        )
        ** (1 / 2.2),
        "Light was taken for code and code for light: the two functions have changed "
        "places.": to_linear(t * to_srgb(clear) + (1 - t) * to_srgb(airlight)),
    }


@verdict
def front_layer(answer: Any) -> str:
    """``front_layer(image, mask, back, floor)``: the model solved for the front.

    image is Float[Tensor, "c h w"], mask Float[Tensor, "1 h w"], back Float[Tensor,
    "c 1 1"]; where the mask falls below floor the answer fades into the back layer.
    """
    image = torch.tensor([[[0.5, 0.9, 0.4]]])
    mask = torch.tensor([[[0.5, 0.25, 0.1]]])
    back = torch.tensor([[[0.8]]])
    got = as_image(call(answer, image, mask, back, 0.2), (1, 1, 3), "the front layer")
    compare(
        got[..., :2],
        torch.tensor([[[0.2, 1.2]]]),
        "From 0.5 = 0.5 * front + 0.5 * 0.8 follows a front of 0.2, and from 0.9 = "
        f"0.25 * front + 0.75 * 0.8 one of 1.2; yours are {float(got[0, 0, 0]):.3g} "
        f"and {float(got[0, 0, 1]):.3g}.",
        lambda: {
            words: value[..., :2]
            for words, value in _front_mistakes(image, mask, back, 0.2).items()
        },
    )
    compare(
        got,
        _front(image, mask, back, 0.2),
        "Where the mask is 0.1 and the floor 0.2, an image of 0.4 over a back of 0.8 "
        f"gives -1.2: twice as near to the back as without the floor. Yours is "
        f"{float(got[0, 0, 2]):.3g}.",
        partial(_front_mistakes, image, mask, back, 0.2),
    )

    rng = torch.Generator().manual_seed(0)
    front, back = torch.rand(3, 5, 8, generator=rng), torch.rand(3, 1, 1, generator=rng)
    mask = 0.3 + 0.7 * torch.rand(1, 5, 8, generator=rng)
    image = mask * front + (1 - mask) * back
    got = as_image(call(answer, image, mask, back, 0.2), (3, 5, 8), "the front layer")
    compare(
        got,
        front,
        "Composed with the mask, the front layer should give the image again wherever "
        "the mask is above the floor.",
        partial(_front_mistakes, image, mask, back, 0.2),
    )
    nothing = torch.zeros_like(mask)
    got = as_image(
        call(answer, back.expand_as(image), nothing, back, 0.1),
        (3, 5, 8),
        "the front layer",
    )
    compare(
        got,
        back.expand_as(image),
        "Where the mask is 0 nothing of the front is seen, and the answer should be "
        f"the back layer; yours is {float(got.mean()):.3g} in the mean.",
    )
    mask, image = torch.rand(2, 3, 5, 8, generator=rng)
    mask, floor = mask[:1], 0.4
    got = as_image(call(answer, image, mask, back, floor), (3, 5, 8), "the front layer")
    compare(
        got,
        _front(image, mask, back, floor),
        "For a random image and a floor of 0.4 the result differs.",
        partial(_front_mistakes, image, mask, back, floor),
    )
    return (
        "One line for two applications: with the transmission as the mask it takes "
        "away haze, with 1 - alpha a watermark."
    )


def _front(image: Image, mask: Map, back: Image, floor: float) -> Image:
    return back + (image - back) / mask.clamp_min(floor)


def _front_mistakes(
    image: Image, mask: Map, back: Image, floor: float
) -> dict[str, Tensor]:
    """What known mistakes give, by their diagnosis."""
    held = mask.clamp_min(floor)
    right = back + (image - back) / held
    return {
        "The result is cut off at 0 and 1. Leave that to the end of everything: in "
        "linear light, or before a mean, it would hide what is wrong.": right.clamp(
            0, 1
        ),
        "Where the mask is small your layer turns black. All of the back layer's share "
        "was taken away, but only a part of the front's was given back: what should "
        "stay there is the back layer.": (image - (1 - mask) * back) / held,
        "The floor is added to the mask, which changes the answer everywhere: it "
        "should only act where the mask is smaller.": back
        + (image - back) / (mask + floor),
        "Without a floor the smallest error is divided by almost nothing: where does "
        "`floor` go in?": back + (image - back) / mask,
        "That is how far the front is from the back layer: the back layer itself is "
        "still to be added.": (image - back) / held,
        "The two layers have changed places: the mask tells how much of the *front* "
        "is seen.": back + (image - back) / (1 - mask).clamp_min(floor),
        "The back layer's share is 1 - mask, and mask was taken away.": (
            image - mask * back
        )
        / held,
        "The back layer was not taken away: dividing alone makes the haze "
        "brighter.": image / held,
    }


@verdict
def flicker(answer: Any) -> str:
    """``flicker(masks, motion)``: how much aligned neighbouring masks differ.

    masks is Float[Tensor, "t 1 h w"]; motion holds (down, right) in whole pixels from
    each frame to the next; the result is one number in [0, 1].
    """
    # by hand: the mask fills two of three columns, and goes one row down at each frame
    high, low = (
        torch.tensor(rows)[:, None] * torch.tensor([1.0, 1.0, 0.0])
        for rows in ([1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0])
    )
    still, moves = torch.stack([high, high])[:, None], torch.stack([high, low])[:, None]
    for masks, motion, expected, words in (
        (still, [(0, 0)], 0.0, "Two masks that are the same, of a still film,"),
        (moves, [(1, 0)], 0.0, "A mask that moves down by one pixel with the film"),
        (still, [(1, 0)], 2 / 9, "A mask that stays where it is while the film moves"),
    ):
        got = as_number(call(answer, masks, motion))
        compare(
            got,
            expected,
            f"{words} has a flicker of {expected:.3g}; yours is {got:.3g}. The masks "
            f"have 4 rows and 3 columns, motion is {motion}.",
            partial(_flicker_mistakes, masks, motion),
        )

    rng = torch.Generator().manual_seed(0)
    for size, motion in (
        ((12, 9), [(2, -1)]),
        ((10, 14), [(1, 3), (-2, 0), (0, -4)]),
    ):
        masks = torch.rand(len(motion) + 1, 1, *size, generator=rng)
        got, wanted = as_number(call(answer, masks, motion)), _flicker(masks, motion)
        compare(
            got,
            wanted,
            f"For {len(masks)} random masks of {size[0]} x {size[1]} pixels and the "
            f"motion {motion} it is {wanted:.4f}; yours is {got:.4f}.",
            partial(_flicker_mistakes, masks, motion),
        )
    return (
        "A number that a mask which is right cannot raise: what moves with the film "
        "does not flicker."
    )


def _flicker(masks: Tensor, motion: Motion) -> float:
    pairs = zip(masks[:-1], masks[1:], motion, strict=True)
    return sum(float(_change(*pair).abs().mean()) for pair in pairs) / len(motion)


def _change(before: Map, after: Map, moved: tuple[int, int]) -> Tensor:
    """after - before, where both show the same thing."""
    height, width = before.shape[-2:]
    (y0, y1), (x0, x1) = _overlap(moved[0], height), _overlap(moved[1], width)
    down, right = moved
    same = before[..., y0 - down : y1 - down, x0 - right : x1 - right]
    return after[..., y0:y1, x0:x1] - same


def _overlap(moved: int, side: int) -> tuple[int, int]:
    return max(moved, 0), side + min(moved, 0)


def _flicker_mistakes(masks: Tensor, motion: Motion) -> dict[str, float]:
    """What known mistakes give, by their diagnosis."""
    pairs = list(zip(masks[:-1], masks[1:], motion, strict=True))

    def mean(values: list[Tensor]) -> float:
        return sum(float(value.mean()) for value in values) / len(values)

    rolled = [
        (after - before.roll(moved, (-2, -1))).abs() for before, after, moved in pairs
    ]
    changes = [_change(*pair) for pair in pairs]
    differences = [change.abs() for change in changes]
    swapped = [(moved[1], moved[0]) for moved in motion]
    since = [
        (sum(m[0] for m in motion[: k + 1]), sum(m[1] for m in motion[: k + 1]))
        for k in range(len(motion))
    ]
    mistakes = {
        "The masks were compared where they are: a mask that moves with the film then "
        "flickers. Which pixels of two frames show the same thing?": mean(
            [(after - before).abs() for before, after, _ in pairs]
        ),
        "The motion goes the wrong way: what lies at row y lies at row y + down in the "
        "next frame.": _flicker(masks, [(-down, -right) for down, right in motion]),
        "What leaves the picture on one side comes in again on the other: pixels that "
        "only one of the two frames shows must be left out.": mean(rolled),
        "The squares were averaged: the absolute differences are wanted.": mean(
            [difference.square() for difference in differences]
        ),
        "The differences have their signs, and cancel each other.": mean(changes),
        "The pairs were added up: a film of twice the length would flicker twice as "
        "much.": mean(differences) * len(differences),
        "The pixels were added up, not averaged: a larger film would flicker "
        "more.": sum(float(d.sum()) for d in differences) / len(differences),
        "Down and right have changed places.": (
            _flicker(masks, swapped) if _fits(masks, swapped) else float("nan")
        ),
        "The motion is from each frame to the next, and it was added up since the "
        "first.": _flicker(masks, since) if _fits(masks, since) else float("nan"),
    }
    return {words: value for words, value in mistakes.items() if value == value}


def _fits(masks: Tensor, motion: Motion) -> bool:
    height, width = masks.shape[-2:]
    return all(abs(down) < height and abs(right) < width for down, right in motion)
