"""Watermark removal by Double-DIP: Gandelsman, Shocher and Irani, CVPR 2019, section 6.

Images that share a watermark are `mask * front + (1 - mask) * back`: the mask is the
mark's opacity, one for all images; the front is its colour; the back is the clean
images, drawn by one network from codes that are nearly the same.

Departures: the front is one colour, not a network. Opacity and colour start from the
total-variation estimate (:mod:`dil_teach.classical.watermark`), whose measure stays as
the penalty; the clean images are the model's inversion. `benchmarks/watermark.py`
prints the start beside: the networks add little to a good one.
"""

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.watermark import (
    Box,
    mark_variation,
    watermark_by_total_variation,
    without_mark,
)
from dil_teach.deep.double_dip.double_dip import (
    Constant,
    DoubleDIP,
    DoubleDIPSettings,
    Layers,
    Network,
    Smooth,
    check_images,
)
from dil_teach.image.convention import Video

BUDGETS = {
    "quick": DoubleDIPSettings(steps=60),
    "standard": DoubleDIPSettings(steps=300),
    "full": DoubleDIPSettings(steps=1000),
}
MIN_SIDE = 16
MOST_PIXELS = 1_000_000


@dataclasses.dataclass(frozen=True)
class Unmarked:
    """A mark, and the images without it."""

    clean: Float[Tensor, "n c h w"]
    """The model's inversion in the mark, the given images exactly outside it."""
    opacity: Float[Tensor, "1 h w"]
    colour: Float[Tensor, " c"]
    start: Float[Tensor, "n c h w"]
    """What the total-variation start alone gives: the control."""
    network: Float[Tensor, "n c h w"]
    """The network's own layer."""


def remove_watermark(
    images: Video,
    box: Box | None = None,
    settings: DoubleDIPSettings = BUDGETS["quick"],
) -> DoubleDIP:
    """Take the watermark off images that share it, or off one image.

    `unmarked(fit(remove_watermark(images)))` holds the result.

    Parameters
    ----------
    images : Video
        Float[Tensor, "n c h w"] in [0, 1], grey or RGB, the mark at one place in all.
    box : (int, int, int, int), optional
        Row, column, height and width around the mark, in pixels; one image needs it.
    settings : DoubleDIPSettings
        One of `BUDGETS`.

    Returns
    -------
    DoubleDIP
        To be trained.

    Raises
    ------
    ValueError
        If the images or the box cannot be used, or no mark is found.
    """
    check_images(images)
    height, width = images.shape[-2:]
    if min(height, width) < MIN_SIDE or height * width > MOST_PIXELS:
        raise ValueError(
            f"images: expected at least {MIN_SIDE} pixels a side and at most "
            f"{MOST_PIXELS} in all, got {height} x {width}; take larger pictures, or "
            "cut out the part with the mark"
        )
    if box is None and len(images) == 1:
        raise ValueError(
            "box: expected row, column, height and width around the mark of a single "
            "image, got none; give it, or give more images with the same mark"
        )
    if box is not None:
        _check_box(box, height, width)
    if len(images) > 1 and any(torch.equal(images[0], other) for other in images[1:]):
        raise ValueError(
            "images: expected different pictures under one mark, got the same twice; "
            "two copies say no more than one"
        )
    opacity, colour = watermark_by_total_variation(images, box)
    if not opacity.any():
        raise ValueError(
            "images: expected a mark that all of them share, found none; "
            "give a box around it"
        )
    return DoubleDIP(
        images,
        watermark_penalties,
        {"images": images, "opacity": opacity, "colour": colour},
        front=Constant(colour.reshape(1, -1, 1, 1)),
        back=Network(each=True),
        mask=Smooth(opacity[None]),
        settings=settings,
    )


def watermark_penalties(
    layers: Layers, progress: float, *, images: Video, opacity: Tensor, colour: Tensor
) -> dict[str, Tensor]:
    """What is left without the mark shall be smooth, as the start had it."""
    seen = layers.mask[0] * (opacity > 0)
    return {"variation": mark_variation(images, seen, layers.front[0, :, 0, 0])}


def unmarked(double_dip: DoubleDIP) -> Unmarked:
    """The result of :func:`remove_watermark`, by what was learned so far."""
    images, given = double_dip.image, double_dip.given
    layers = double_dip.layers()
    opacity = layers.mask[0] * (given["opacity"] > 0)
    colour = layers.front[0, :, 0, 0]
    versions = [
        torch.where(a > 0, without_mark(images, a, c).clamp(0, 1), images)
        for a, c in ((opacity, colour), (given["opacity"], given["colour"]))
    ]
    return Unmarked(versions[0], opacity, colour, versions[1], layers.back)


def _check_box(box: Box, height: int, width: int) -> None:
    row, column, tall, wide = box
    if (
        min(row, column) < 0
        or min(tall, wide) < 4
        or row + tall > height
        or column + wide > width
    ):
        raise ValueError(
            "box: expected row, column, height and width (each side at least 4 pixels) "
            f"inside the {height} x {width} images, got {','.join(map(str, box))}; "
            "count from the top left corner"
        )
