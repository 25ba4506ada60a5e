"""Draw the opening of chapter 12 from the InGAN checkpoints of coins and street front.

    python data/opening_ingan.py

It writes the pictures, an animation over the widths and the record to data/openings.
All pictures are enlarged by the same factor.
"""

import time

import torch
import torch.nn.functional as F
from opening_files import OUT, Seconds, write
from PIL import Image as Picture

from dil_teach import load_image, resize, resume
from dil_teach.deep.ingan.ingan import InGAN
from dil_teach.image.convention import Image, to_uint8
from dil_teach.image.metrics import count_objects
from dil_teach.image.photos import photos
from dil_teach.image.shipped import shipped
from dil_teach.image.warp import homography, resizing

ZOOM = 1.65
"""Enlargement of all pictures (bicubic)."""
WIDTHS = (32, *range(45, 62), 63, 64)
"""Widths of the frames of the animation, in 32nds of the photograph's. At the widths
that are left out, some coins are merged or have a ghost."""
WEBP_QUALITY = 30
MILLISECONDS = 200
Corners = tuple[tuple[float, float], ...]
SLANTED: Corners = ((0, 0.25), (0, 1.75), (1, 1.5), (1, 0))
"""Corners (row, column) of a parallelogram, in heights and widths of the photograph."""
FAN: Corners = ((0.25, 0), (0, 1.75), (1.25, 1.75), (1, 0))
"""Corners of a shape that is narrow on the left, where the street front is near."""


def main() -> None:
    """Draw and write the opening."""
    torch.set_num_threads(1)
    seconds = Seconds()
    begin = time.process_time()
    coins, front = trained("coins"), trained("facade")
    picture, height = coins.image, coins.image.shape[1]
    wide = coins.remap(resizing(1, 2))
    pictures = {
        "the photograph": picture,
        "InGAN, 1.5 times as high": coins.remap(resizing(1.5, 1)),
        "stretched": resize(picture, size=(height, wide.shape[2])).clamp(0, 1),
        "InGAN, twice as wide": wide,
        "InGAN, slanted": in_shape(coins, SLANTED),
        "the street front (rendered)": front.image,
        "InGAN, another shape": in_shape(front, FAN),
    }
    frames = [coins.remap(resizing(1, width / 32)) for width in WIDTHS]
    seconds["all pictures and frames"] = round(time.process_time() - begin, 1)
    found = {
        title: count_objects(image)
        for title, image in pictures.items()
        if "street" not in title and "shape" not in title
    }
    animate([larger(frame) for frame in frames])
    write(
        "ingan",
        {title: larger(image) for title, image in pictures.items()},
        {},
        None,
        quality=85,
        measure="none, because no photograph shows the right answer",
        settings="the shipped networks of coins and street front (data/README.md)",
        size=list(picture.shape[1:]),
        scale=1,
        seconds=seconds,
        coins={title: number for title, (number, _) in found.items()},
        shapes={title: round(shape, 2) for title, (_, shape) in found.items()},
        truth="none is known",
        licence="public domain",
        attribution=f"{photos()['coins'].attribution} (public domain) "
        f"{photos()['facade'].attribution}",
        animation={
            "file": "ingan.webp",
            "alt": "InGAN's picture of the coins, at the photograph's width and then "
            "from 1.4 times to twice this width. Whole coins are added, and their size "
            "hardly changes.",
        },
    )


def trained(name: str) -> InGAN:
    """The shipped network of a photograph."""
    folder = shipped("data/ingan")
    return resume(folder / f"{name}.safetensors", load_image(folder / f"{name}.png"))


def in_shape(ingan: InGAN, corners: Corners) -> Image:
    """The picture in the shape with these corners, on a white background."""
    rows, columns = ingan.image.shape[1:]
    places = torch.tensor(corners)
    spans = places.amax(0) - places.amin(0)
    inside = 2 * (places - places.amin(0)) / spans - 1
    there = homography(inside.flip(1), (float(spans[0]), float(spans[1])))
    drawn = ingan.remap(there)
    size = there.size_of((rows, columns))
    return drawn.where(there.inside(size, drawn.device), torch.ones(()))


def larger(image: Image) -> Image:
    """The image, enlarged ``ZOOM`` times."""
    size = (round(ZOOM * image.shape[1]), round(ZOOM * image.shape[2]))
    return resize(image, size=size).clamp(0, 1)


def animate(frames: list[Image]) -> None:
    """Write the frames on a white canvas of the largest size."""
    widest = max(frame.shape[2] for frame in frames)
    shown = [F.pad(frame, (0, widest - frame.shape[2]), value=1.0) for frame in frames]
    first, *others = [Picture.fromarray(to_uint8(frame)) for frame in shown]
    waits = [6 * MILLISECONDS, *[MILLISECONDS] * (len(others) - 1), 10 * MILLISECONDS]
    first.save(
        OUT / "ingan.webp",
        save_all=True,
        append_images=others,
        duration=waits,
        loop=0,
        quality=WEBP_QUALITY,
        method=6,
    )


if __name__ == "__main__":
    main()
