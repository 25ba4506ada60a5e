"""The opening of chapter 04, for data/draw_openings.py: a tree is removed."""

import torch
from opening_files import Seconds, write

from dil_teach import complete_image, photo, resize
from dil_teach.classical.telea import telea
from dil_teach.image.photos import photos

SIZE = 384
"""Side of the picture in pixels."""


def completion() -> None:
    """Chapter 04: a hill in autumn at 384 pixels, without its fir."""
    hill = resize(photo("aitzgorri"), size=(SIZE, 577)).clamp(0, 1)
    photograph = hill[:, :, -SIZE:]
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    beside = (x - 230).abs() <= 10 + 0.28 * (y - 146)  # a triangle, as the tree
    hole = (beside & (y >= 146) & (y < 272))[None].float()
    given, seconds = photograph * (1 - hole), Seconds()
    pictures = {
        "photograph": photograph,
        "given": given,
        "control: Telea": seconds.of("Telea", lambda: telea(given, hole)),
        "Wexler": seconds.of("Wexler", lambda: complete_image(given, hole).image),
    }
    credit = photos()["aitzgorri"]
    write(
        "completion",
        pictures,
        {},
        None,
        truth="none is known",
        measure="none: nobody knows what is behind the tree",
        settings="the methods have no budget",
        size=[SIZE, SIZE],
        seconds=seconds,
        licence=credit.licence,
        attribution=credit.attribution,
    )
