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
from opening_files import (
    animate as write_animation,
)
from PIL import Image as Picture
from torch import Tensor

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
EVERY = 8
"""One of so many seams is drawn."""


def narrower_frames(image: Image, order: Tensor, count: int = 14) -> list[Image]:
    """Seams above, plain resizing below, at falling widths on a white background."""
    height, width = image.shape[1:]
    frames = []
    for k in range(count):
        across = round((1 - (1 - NARROW) * k / (count - 1)) * width)
        squeezed = resize(image, size=(height, across)).clamp(0, 1)
        pair = [at_width(image, order, across), squeezed]
        pair = [F.pad(one, (0, width - across, 0, 6), value=1.0) for one in pair]
        frames.append(torch.cat(pair, 1)[:, :-6])
    return frames


def retargeting() -> None:
    """Chapter 05: the dandelions at 512 x 288 pixels, made narrower."""
    image = resize(photo("dandelions"), size=(288, 512)).clamp(0, 1)
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
        animation=write_animation(
            "retargeting",
            narrower_frames(image, order),
            "The photograph of dandelions becomes narrower, above by seams and below "
            "by plain resizing. Above, the large dandelion stays round; below, it "
            "becomes a tall oval.",
        ),
        licence=CREDITS["dandelions"].licence,
        attribution=CREDITS["dandelions"].attribution,
    )
