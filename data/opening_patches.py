"""Draw the pictures that open chapter 05, for data/draw_openings.py."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from opening_files import OUT, Seconds, write
from PIL import Image as Picture

from dil_teach import photo
from dil_teach.classical.retarget import bidirectional
from dil_teach.classical.retarget.layouts import stretch
from dil_teach.classical.seams.seam_carving import at_width, seam_order
from dil_teach.image.convention import Image, to_uint8
from dil_teach.image.photos import photos
from dil_teach.image.resize import resize

CREDITS = photos()


def animate(file: str, frames: Sequence[Image], quality: int = 70) -> None:
    """Write frames of one size as a WebP animation that plays forever."""
    first, *others = [Picture.fromarray(to_uint8(frame)) for frame in frames]
    durations = [120] * len(others) + [1500]
    options = {"duration": durations, "loop": 0, "quality": quality, "method": 6}
    first.save(OUT / file, save_all=True, append_images=others, **options)


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
