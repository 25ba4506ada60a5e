"""The opening of chapter 04, for data/draw_openings.py: a spoon is removed."""

import torch
from opening_files import SIDE, Seconds, write

from dil_teach import complete_image, photo, psnr
from dil_teach.classical.telea import telea
from dil_teach.image.photos import photos


def completion() -> None:
    """Chapter 04: the cup of coffee at 256 pixels, without the bowl of the spoon."""
    truth = photo("coffee", SIDE)
    y, x = torch.meshgrid(*(torch.arange(SIDE),) * 2, indexing="ij")
    hole = (((y - 177) / 38) ** 2 + ((x - 170) / 30) ** 2 <= 1)[None].float()
    given, seconds = truth * (1 - hole), Seconds()
    pictures = {
        "given": given,
        "control: Telea": seconds.of("Telea", lambda: telea(given, hole)),
        "Wexler": seconds.of("Wexler", lambda: complete_image(given, hole).image),
    }
    inside, credit = hole[0] == 1, photos()["coffee"]
    write(
        "completion",
        pictures | {"ground truth": truth},
        {
            name: round(psnr(image[:, inside][None], truth[:, inside][None]), 2)
            for name, image in pictures.items()
        },
        measure="PSNR in the hole",
        settings="the methods have no budget",
        size=[SIDE, SIDE],
        seconds=seconds,
        licence=credit.licence,
        attribution=credit.attribution,
    )
