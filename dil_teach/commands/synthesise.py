"""dil-teach synthesise: more of a texture, by Efros and Leung."""

import re
from typing import Annotated

import tyro

from dil_teach.commands.checks import check_output, check_pixels
from dil_teach.commands.estimate import expect
from dil_teach.commands.files import load_picture, save_picture
from dil_teach.commands.options import In, Out, Read, Training

MOST_SAMPLE = 500_000
"""Maximum number of pixels of the sample: 1 GB of memory."""
PRODUCTS = 8e9
"""Products that the method computes in a second: measured on one CPU thread."""
MOST_SECONDS = 600
"""Longest time. 512 x 512 pixels from a sample of 128 x 128 take about four minutes."""


def synthesise(
    sample: In,
    out: Out,
    /,
    reading: Read,
    size: Annotated[str, tyro.conf.arg(metavar="HxW")],
    window: int = 11,
    seed: int = 0,
) -> str:
    """Make a texture of any size from a sample, pixel by pixel (Efros and Leung).

    Each pixel is copied from a place of the sample whose surroundings are similar.
    Transparency is ignored.

    Args:
        sample: A picture of the texture: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        out: The file to write: .png, .tif, .webp, .jpg, .bmp.
        size: Height and width of the result in pixels, for example 128x192.
        window: Side of the compared surroundings in pixels, an odd number. It should be
            larger than what repeats in the texture, such as a brick.
        seed: Seed of all random numbers: the same seed gives the same result.
    """
    import torch

    from dil_teach.classical.completion.efros_leung import check_window
    from dil_teach.classical.completion.efros_leung import synthesise as grow

    height, width = _size(size)
    photograph = load_picture(sample, reading)
    colour = photograph.colour
    check_pixels(sample, colour.shape[1:], most=MOST_SAMPLE)
    check_output(out, sample, (height, width))
    check_window(window, colour, "sample")
    products = height * width * colour[0].numel() * (len(colour) + 1) * window**2
    if products > PRODUCTS * MOST_SECONDS:
        raise ValueError(
            f"--size: expected a texture that takes at most {MOST_SECONDS // 60} "
            f"minutes, got {height} x {width} pixels, which take about "
            f"{products / PRODUCTS / 60:.0f} minutes; take a smaller size, window or "
            "sample"
        )
    colour = Training(seed=seed).to_device(colour)
    expect("synthesise", sample, colour.shape[1:], products)
    rng = torch.Generator().manual_seed(seed)
    grown = grow(colour, (height, width), rng, window).image
    return save_picture(grown, None, out, photograph)


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", text.strip().lower())
    if not found:
        raise ValueError(
            f"--size: expected height x width in pixels, such as 128x192, got '{text}'"
        )
    return int(found[1]), int(found[2])
