"""Chapter 15's exercises: planted mistakes, and right answers that look otherwise."""

import re
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dil_teach.course import check
from dil_teach.course.check import haze_watermark_video as module
from dil_teach.image.colour import to_linear, to_srgb

# ---- haze


def right_haze(clear, transmission, airlight):
    light = transmission * to_linear(clear) + (1 - transmission) * to_linear(airlight)
    return to_srgb(light)


def by_a_power(clear, transmission, airlight):
    light = transmission * clear**2.2 + (1 - transmission) * airlight**2.2
    return light ** (1 / 2.2)


def one_mean_airlight(clear, transmission, airlight):
    return right_haze(clear, transmission, airlight.mean().expand(3, 1, 1))


def one_mean_transmission(clear, transmission, airlight):
    return right_haze(clear, transmission.mean().expand(1, 1, 1), airlight)


def haze_in_place(clear, transmission, airlight):
    clear.copy_(right_haze(clear, transmission, airlight))
    return clear


# ---- the front layer


def right_front(image, mask, back, floor):
    return back + (image - back) / mask.clamp_min(floor)


def nothing_but_black(image, mask, back, floor):
    front = (image - (1 - mask) * back) / mask.clamp_min(1e-6)
    return torch.where(mask < floor, torch.zeros_like(front), front)


# ---- flicker


def moved(mask, down, right):
    """The mask moved, and where it is known afterwards."""
    known = torch.ones_like(mask)
    height, width = mask.shape[-2:]
    sides = (max(right, 0), max(-right, 0), max(down, 0), max(-down, 0))

    def shift(values):
        padded = F.pad(values, sides)
        top, left = max(-down, 0), max(-right, 0)
        return padded[..., top : top + height, left : left + width]

    return shift(mask), shift(known) > 0


def flicker_by(measure, align=moved):
    """A flicker that differs from the right one in one thing."""

    def flicker(masks, motion):
        total = 0.0
        for before, after, (down, right) in zip(
            masks[:-1], masks[1:], motion, strict=True
        ):
            there, known = align(before, down, right)
            total += measure((after - there)[known])
        return total / len(motion)

    return flicker


right_flicker = flicker_by(lambda change: change.abs().mean())


def everywhere(mask, down=0, right=0):
    return mask, torch.ones_like(mask) > 0


def over_the_edge(mask, down, right):
    return mask.roll((down, right), (-2, -1)), torch.ones_like(mask) > 0


MISTAKES: dict[str, dict[str, Any]] = {
    "haze": {
        "codes of the file were mixed": lambda j, t, a: t * j + (1 - t) * a,
        "far too dark on a screen": lambda j, t, a: (
            t * to_linear(j) + (1 - t) * to_linear(a)
        ),
        "changed places: at a transmission of 1": lambda j, t, a: right_haze(
            j, 1 - t, a
        ),
        "airlight was left in sRGB": lambda j, t, a: to_srgb(
            t * to_linear(j) + (1 - t) * a
        ),
        "scene was left in sRGB": lambda j, t, a: to_srgb(
            t * j + (1 - t) * to_linear(a)
        ),
        "added in full": lambda j, t, a: to_srgb(
            (t * to_linear(j) + to_linear(a)).clamp(0, 1)
        ),
        "power of 2.2": by_a_power,
        "the two functions have changed places": lambda j, t, a: to_linear(
            t * to_srgb(j) + (1 - t) * to_srgb(a)
        ),
        "nothing but the airlight": one_mean_airlight,
        "transmission used for all three": one_mean_transmission,
        "changes the tensor": haze_in_place,
        r"should be \(3, 1, 2\)": lambda j, t, a: right_haze(j, t, a)[:1],
        "is there a `return`": lambda j, t, a: None,
    },
    "front_layer": {
        "cut off at 0 and 1": lambda i, m, b, f: right_front(i, m, b, f).clamp(0, 1),
        "turns black": lambda i, m, b, f: (i - (1 - m) * b) / m.clamp_min(f),
        "added to the mask": lambda i, m, b, f: b + (i - b) / (m + f),
        "where does `floor` go in": lambda i, m, b, f: b + (i - b) / m,
        "still to be added": lambda i, m, b, f: (i - b) / m.clamp_min(f),
        "layers have changed places": lambda i, m, b, f: (
            b + (i - b) / (1 - m).clamp_min(f)
        ),
        "share is 1 - mask": lambda i, m, b, f: (i - m * b) / m.clamp_min(f),
        "dividing alone": lambda i, m, b, f: i / m.clamp_min(f),
        "twice as near to the back": nothing_but_black,
        "NumPy array": lambda i, m, b, f: right_front(i, m, b, f).numpy(),
        r"should be \(1, 1, 3\)": lambda i, m, b, f: b,
    },
    "flicker": {
        "compared where they are": lambda m, motion: (m[1:] - m[:-1]).abs().mean(),
        "goes the wrong way": lambda m, motion: right_flicker(
            m, [(-y, -x) for y, x in motion]
        ),
        "on one side comes in again": flicker_by(
            lambda change: change.abs().mean(), over_the_edge
        ),
        "squares were averaged": flicker_by(lambda change: change.square().mean()),
        "cancel each other": flicker_by(lambda change: change.mean()),
        "twice the length": lambda m, motion: right_flicker(m, motion) * len(motion),
        "a larger film would": flicker_by(lambda change: change.abs().sum()),
        "Down and right": lambda m, motion: right_flicker(
            m, [(x, y) for y, x in motion]
        ),
        "since the first": lambda m, motion: right_flicker(
            m,
            [tuple(map(sum, zip(*motion[: k + 1]))) for k in range(len(motion))],  # noqa: B905
        ),
        "over which axes": lambda m, motion: (m[1:] - m[:-1]).abs().mean((1, 2, 3)),
    },
}


@pytest.mark.parametrize(
    ("name", "diagnosis"), [(name, d) for name in MISTAKES for d in MISTAKES[name]]
)
def test_a_mistake_gets_its_diagnosis(name, diagnosis):
    found = getattr(check, name)(MISTAKES[name][diagnosis])
    assert found.state == "not yet right", found
    assert re.search(diagnosis, found.message), found


# ---- other right answers than the chapter's own


def haze_channel_by_channel(clear, transmission, airlight):
    channels = [
        transmission[0] * to_linear(clear)[c]
        + (1 - transmission[0]) * to_linear(airlight)[c].item()
        for c in range(3)
    ]
    return to_srgb(torch.stack(channels))


def front_with_the_mask_held(image, mask, back, floor):
    held = torch.maximum(mask, torch.tensor(floor))
    return (image - (1 - held) * back) / held


def flicker_by_hand(masks, motion):
    values = []
    for k, (down, right) in enumerate(motion):
        before, after = masks[k, 0].tolist(), masks[k + 1, 0].tolist()
        rows, columns = range(len(after)), range(len(after[0]))
        same = [
            abs(after[y][x] - before[y - down][x - right])
            for y in rows
            for x in columns
            if y - down in rows and x - right in columns
        ]
        values.append(np.mean(same))
    return float(np.mean(values))


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("haze", right_haze),
        ("haze", haze_channel_by_channel),
        ("front_layer", right_front),
        ("front_layer", front_with_the_mask_held),
        ("flicker", right_flicker),
        ("flicker", flicker_by_hand),
    ],
)
def test_right_answers_of_other_kinds_pass(name, answer):
    found = getattr(check, name)(answer)
    assert found.state == "passed", found


def test_the_examples_of_the_messages_are_true():
    grey, air = torch.full((3, 1, 1), 0.4), torch.full((3, 1, 1), 0.9)
    mixed = module._haze(grey, torch.full((1, 1, 1), 0.25), air)
    assert mixed[0].item() == pytest.approx(0.812, abs=5e-4)
    assert to_linear(grey)[0].item() == pytest.approx(0.133, abs=5e-4)
    assert to_linear(air)[0].item() == pytest.approx(0.787, abs=5e-4)
