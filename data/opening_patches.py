"""Draw the pictures that open chapters 01 and 05, for data/draw_openings.py."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from opening_files import (
    MEASURE,
    OUT,
    SIDE,
    Seconds,
    luma_decibels,
    rounded,
    write,
)
from PIL import Image as Picture

from dil_teach import photo
from dil_teach.classical.back_projection import back_project
from dil_teach.classical.retarget import bidirectional
from dil_teach.classical.retarget.layouts import stretch
from dil_teach.classical.seams.seam_carving import at_width, seam_order
from dil_teach.classical.super_resolution.by_hand import (
    find_sons,
    most_contrast,
    paste_parents,
)
from dil_teach.image.convention import Image, to_uint8
from dil_teach.image.photos import photos
from dil_teach.image.resize import resize
from dil_teach.patches.recurrence import contrast

CREDITS = photos()
FRAMES = 24
"""Number of frames of the animation of chapter 01."""


def animate(file: str, frames: Sequence[Image], quality: int = 70) -> None:
    """Write frames of one size as a WebP animation that plays forever."""
    first, *others = [Picture.fromarray(to_uint8(frame)) for frame in frames]
    durations = [120] * len(others) + [1500]
    options = {"duration": durations, "loop": 0, "quality": quality, "method": 6}
    first.save(OUT / file, save_all=True, append_images=others, **options)


# ---- chapter 01


def recurrence() -> None:
    """Chapter 01: the cup, enlarged from 200 pixels by the parents of its patches."""
    truth = photo("coffee", size=400)
    given, top, left = rounded(resize(truth, 0.5)), 40, 100

    smooth = resize(given, 2).clamp(0, 1)

    def projected(image: Image) -> Image:
        return back_project(image, given, "bicubic", 2).clamp(0, 1)

    seconds = Seconds()
    sons = seconds.of("matches of all patches", lambda: find_sons(given))
    places, contrasts = (sons.row[..., 0], sons.column[..., 0]), contrast(given)

    def pasted(share: float) -> Image:
        chosen = most_contrast(contrasts, share)
        return paste_parents(given, smooth, *places, chosen).clamp(0, 1)

    everywhere = seconds.of("parents pasted", lambda: pasted(1.0))
    pictures = {
        "bicubic interpolation": smooth,
        "bicubic, back-projected": projected(resize(given, 2)),
        "parents pasted": everywhere,
        "parents pasted, back-projected": projected(everywhere),
    }
    shares = [k / (FRAMES - 1) for k in range(FRAMES)]
    corner = slice(top, top + SIDE), slice(left, left + SIDE)
    animate("recurrence.webp", [pasted(share)[:, *corner] for share in shares])
    write(
        "recurrence",
        pictures | {"ground truth": truth},
        luma_decibels(pictures, truth),
        (top, left),
        measure=MEASURE,
        settings="patches of 5 x 5 pixels, one match for each patch",
        size=list(truth.shape[1:]),
        seconds=seconds,
        animation={
            "file": "recurrence.webp",
            "alt": "The cup, blurred at first; parents are pasted, beginning at the "
            "strongest edges, and the rim and the outlines become sharp",
        },
        licence=CREDITS["coffee"].licence,
        attribution=CREDITS["coffee"].attribution,
    )


# ---- chapter 05

NARROW = 0.6
"""Width of the results of chapter 05, divided by the photograph's."""
EVERY = 12
"""One of so many seams is drawn."""


def narrower_frames(image: Image, count: int = 11) -> list[Image]:
    """The image at falling widths, by seams, on a white background."""
    width = image.shape[2]
    most = width - round(NARROW * width)
    order = seam_order(image, most)
    frames = []
    for k in range(count):
        now = at_width(image, order, width - round(most * k / (count - 1)))
        frames.append(F.pad(now, (0, width - now.shape[2]), value=1.0))
    return frames


def retargeting() -> None:
    """Chapter 05: the dandelions at 512 x 288 pixels, made narrower."""
    whole = photo("dandelions")
    image = resize(whole, size=(288, 512)).clamp(0, 1)
    larger = resize(whole, size=(324, 576)).clamp(0, 1)
    animate("retargeting.webp", narrower_frames(larger), quality=30)
    height, width = image.shape[1:]
    size = (height, round(NARROW * width))
    seconds = Seconds()
    order = seconds.of("seams", lambda: seam_order(image, width - size[1]))
    drawn = (order < width - size[1]) & (order % EVERY == 0)
    cyan = torch.tensor([0.0, 1.0, 1.0])[:, None, None]
    patches = seconds.of(
        "patches, from the stretch", lambda: bidirectional.retarget(image, size)
    )
    write(
        "retargeting",
        {
            "photograph": image,
            "plain resizing": resize(image, size=size).clamp(0, 1),
            f"every {EVERY}th seam": torch.where(drawn, cyan, image),
            "seams": at_width(image, order, size[1]),
            "content-aware stretch": stretch(image, size)[0],
            "patches, from the stretch": patches,
        },
        {},
        None,
        truth="none is known",
        measure="none, because no correct result is known",
        settings=f"{NARROW} times the width",
        size=[height, width],
        scale=1,
        seconds=seconds,
        quality=85,
        animation={
            "file": "retargeting.webp",
            "alt": "The photograph of dandelions becomes narrower, seam by seam. The "
            "large dandelion stays round while the meadow beside it disappears.",
        },
        licence=CREDITS["dandelions"].licence,
        attribution=CREDITS["dandelions"].attribution,
    )
