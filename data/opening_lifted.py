"""Draw the openings of chapter 15: haze lifts from a brook, and a watermark vanishes.

    python data/opening_lifted.py

The haze and the watermark are rendered, so the truth is known. The script writes
``data/openings/lifted.json`` and ``mark.json`` with their pictures, and the animation
``lifted.webp``, on one CPU thread.
"""

import numpy as np
import torch
from opening_files import (
    SEED,
    Seconds,
    animate,
    rounded,
    write,
)
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont
from torch import Tensor

from dil_teach import (
    Dehazing,
    DehazingSettings,
    WatermarkRemoval,
    WatermarkSettings,
    fit,
    photo,
    psnr,
)
from dil_teach.classical.haze.dark_channel import (
    GUIDED,
    add_haze,
    invert_haze,
    remove_haze_by_dark_channel,
)
from dil_teach.classical.haze.envelope import upper_envelope
from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.convention import Image, from_uint8
from dil_teach.image.photos import photos
from dil_teach.image.resize import limit_side

SIDE, FILM_SIDE = 256, 176
"""Side of the pictures and of the animation in pixels."""
FRAMES, FILM_BYTES = 12, 60_000
"""Number of frames of the animation, and largest size of its file in bytes."""
NEAR, FAR, HORIZON = 0.4, 1.4, 0.05
"""Optical depth at the lower border of the brook and above the horizon, and the
horizon's place as a fraction of the height."""
HAZE = (0.80, 0.83, 0.86)
"""Airlight of the rendered haze, sRGB."""
FEWER_BYTES = 78
"""JPEG quality of the pictures, because the chapter has many."""
MARKED = ("dogs", "room", "picos")
"""The photographs that share the watermark."""
WHITE, OPACITY = 0.95, 0.5
"""Colour and opacity of the watermark, sRGB."""


def hazy_brook(side: int) -> tuple[Image, Image]:
    """The brook under haze, and the brook: a ground that recedes to the horizon."""
    clear = rounded(photo("brook", side))
    row = (torch.arange(side)[:, None] + 0.5) / side
    vanishing = (FAR * HORIZON - NEAR) / (FAR - NEAR)
    ground = NEAR * (1 - vanishing) / (row - vanishing)
    depth = torch.where(row < HORIZON, FAR, ground)
    airlight = to_linear(torch.tensor(HAZE)).reshape(1, 3, 1, 1)
    light = add_haze(to_linear(clear)[None], (-depth).exp(), airlight)
    return rounded(to_srgb(light)[0]), clear


def lifting(hazy: Image, transmission: Tensor, airlight: Tensor) -> dict[str, str]:
    """Write the animation: a part of the optical depth vanishes in each frame."""
    frame, films = hazy[None], []
    for part in torch.linspace(0, 1, FRAMES):
        film = invert_haze(frame, frame, transmission ** float(part), airlight).image
        films.append(limit_side(film, FILM_SIDE)[0].clamp(0, 1))
    return animate(
        "lifted",
        films,
        "The haze over a brook becomes thinner from frame to frame, until rocks, water "
        "and trees have their full contrast.",
        most_bytes=FILM_BYTES,
    )


def lifted() -> None:
    """Remove the haze by three methods; the animation removes it step by step."""
    hazy, clear = hazy_brook(SIDE)
    seconds, frame = Seconds(), hazy[None]
    settings = DehazingSettings.quick(seed=SEED)
    method = Dehazing(hazy, settings=settings)
    map_found = seconds.of(
        "upper envelope", lambda: upper_envelope(method.small, method.air)
    )
    seconds.of("Double-DIP", lambda: fit(method))

    def without(transmission: Tensor) -> Image:
        return invert_haze(frame, frame, transmission, method.air).image[0]

    pictures = {
        "under rendered haze": hazy,
        "dark channel": remove_haze_by_dark_channel(frame, None, GUIDED).image[0],
        "upper envelope": without(map_found),
        "Double-DIP, closed form": method.haze_free(),
        "Double-DIP, its own layer": to_srgb(method.dip.layers().front[0]),
        "ground truth": clear,
    }
    decibels = {
        name: round(psnr(image, clear), 2)
        for name, image in pictures.items()
        if image is not clear
    }
    del pictures["Double-DIP, closed form"]  # it looks like that of the envelope
    about = photos()["brook"]
    write(
        "lifted",
        pictures,
        decibels,
        None,
        quality=FEWER_BYTES,
        animation=lifting(hazy, map_found, method.air),
        measure="PSNR over all channels",
        settings="DehazingSettings.quick(); the airlight is estimated",
        size=[SIDE, SIDE],
        seconds=seconds,
        licence=about.licence,
        attribution=about.attribution,
    )


def watermark() -> Tensor:
    """The opacity of a text and a ring, Float[Tensor, "1 h w"]."""
    big = Picture.new("L", (3 * SIDE, 3 * SIDE))
    draw, middle = ImageDraw.Draw(big), 3 * SIDE // 2
    font = ImageFont.load_default(size=150)
    draw.text((middle, middle), "SAMPLE", fill=255, font=font, anchor="mm")
    big = big.rotate(20, resample=Picture.Resampling.BICUBIC)
    ring = (0.06 * 3 * SIDE, 0.06 * 3 * SIDE, 0.94 * 3 * SIDE, 0.94 * 3 * SIDE)
    ImageDraw.Draw(big).ellipse(ring, outline=255, width=24)
    small = big.resize((SIDE, SIDE), Picture.Resampling.BOX)
    return OPACITY * from_uint8(np.array(small)[..., None])


def mark() -> None:
    """Remove the same watermark from three photographs."""
    clean = torch.stack([rounded(photo(name, SIDE)) for name in MARKED])
    alpha = watermark()
    marked = rounded((1 - alpha) * clean + alpha * WHITE)
    seconds, settings = Seconds(), WatermarkSettings.quick(seed=SEED)
    removal = seconds.of(
        "total variation", lambda: WatermarkRemoval(marked, settings=settings)
    )
    results, inside = removal.clean_by_start(), (alpha > 0.02).expand_as(clean[0])

    def in_the_mark(image: Image, truth: Image) -> float:
        error = (image - truth)[inside].square().mean()
        return round(-10 * float(error.log10()), 2)

    pictures, decibels = {}, {}
    for kind, images in {"marked": marked, "result": results}.items():
        for number, image in enumerate(images):
            pictures[f"{kind} {number + 1}"] = image
            decibels[f"{kind} {number + 1}"] = in_the_mark(image, clean[number])
    pictures["true photograph 1"] = clean[0]
    pictures["opacity found"] = removal.start[0]
    seconds.of("Double-DIP", lambda: fit(removal))
    for number, image in enumerate(removal.clean()):
        decibels[f"networks {number + 1}"] = in_the_mark(image, clean[number])
    credits = photos()
    write(
        "mark",
        pictures,
        decibels,
        None,
        quality=FEWER_BYTES,
        truth="the photographs without the rendered mark",
        measure="PSNR inside the mark",
        settings="total variation without networks; no box, outline or colour is "
        "given; 'networks': Double-DIP with WatermarkSettings.quick() after it",
        size=[SIDE, SIDE],
        seconds=seconds,
        licence="CC BY 4.0",
        attribution=" ".join(credits[name].attribution for name in MARKED),
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    lifted()
    mark()
