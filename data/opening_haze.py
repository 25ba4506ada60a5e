"""The opening of chapter 08, for data/draw_openings.py."""

from functools import partial

import render_scenes
import scene_layers
import torch
from opening_files import MEASURE, SEED, Seconds, animate, luma_decibels, write

from dil_teach import photo
from dil_teach.classical.haze.dark_channel import (
    GUIDED,
    HazeFree,
    remove_haze_by_dark_channel,
)
from dil_teach.classical.haze.recurrence import remove_haze_by_recurrence
from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.convention import Image
from dil_teach.image.photos import photos
from dil_teach.image.resize import resize

HILL = "aitzgorri"
WIDTH, SMALL_WIDTH = 512, 384
"""Width in pixels of the pictures of the hill, which are computed at 768 pixels, and of
the animation."""
FRAMES = 20


def less_haze(hill: Image, found: HazeFree, part: float) -> Image:
    """The picture with this part of the optical depth removed."""
    airlight = to_linear(found.airlight)
    left = found.transmission[0] ** part
    light = airlight + (to_linear(hill[None]) - airlight) / left
    return to_srgb(light.clamp(0, 1))[0]


def small(image: Image, width: int = WIDTH) -> Image:
    """The picture at the size of the opening."""
    return resize(image, width / image.shape[2]).clamp(0, 1)


def haze() -> None:
    """Chapter 08: a hill in natural haze, and the PSNR of the garden at 512 pixels."""
    hill = photo(HILL)
    seconds = Seconds()
    lifted = seconds.of(
        "hill: recurrence", lambda: remove_haze_by_recurrence(hill[None])
    )
    by_dark_channel = remove_haze_by_dark_channel(hill[None], settings=GUIDED)
    of_hill = {
        "as photographed": hill,
        "haze removed by recurrence": lifted.image[0],
        "haze removed by the dark channel": by_dark_channel.image[0],
    }
    shown = {name: small(image) for name, image in of_hill.items()}
    parts = [number / (FRAMES - 1) for number in range(FRAMES)]
    frames = [small(less_haze(hill, lifted, part), SMALL_WIDTH) for part in parts]

    # the scene is defined in metres; three rays a side of a pixel are enough
    scene_layers.SIZE, scene_layers.RAYS = 512, 3
    garden = render_scenes.garden()
    layers = {
        name: torch.from_numpy(garden.images[name]).permute(2, 0, 1).float()
        for name in ("image", "clear")
    }
    truth = layers["clear"]
    rng = torch.Generator().manual_seed(SEED)
    given = layers["image"] + 0.5 / 255 * torch.randn(truth.shape, generator=rng)
    given = given.clamp(0, 1)
    true = to_linear(torch.tensor(garden.known["airlight"])).reshape(1, 3, 1, 1)
    frame = given[None]
    dark = partial(remove_haze_by_dark_channel, frame, settings=GUIDED)
    control = seconds.of("dark channel", dark)
    found = seconds.of("recurrence", lambda: remove_haze_by_recurrence(frame))
    pictures = {
        "in fog": given,
        "dark channel": control.image[0],
        "recurrence": found.image[0],
        "dark channel, airlight of pairs": dark(
            airlight=to_linear(found.airlight)
        ).image[0],
        "recurrence, true airlight (oracle)": remove_haze_by_recurrence(
            frame, airlight=true
        ).image[0],
    }
    credits = photos()
    write(
        "haze",
        shown,
        luma_decibels(pictures, truth),
        None,
        animation=animate(
            "haze",
            frames,
            "The mountain is pale at first; then the haze lifts, and its rocks and "
            "woods get strong contrast",
        ),
        measure=f"the rendered garden, {MEASURE}",
        settings="neither method has a budget",
        size=list(given.shape[1:]),
        seconds=seconds,
        licence="CC BY 4.0",
        truth="none is known",
        attribution=" ".join(
            credits[name].attribution for name in (HILL, "flower", "grass")
        ),
    )
