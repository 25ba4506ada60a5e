"""The openings of chapter 08, for data/draw_openings.py: natural haze, rendered fog."""

from collections.abc import Sequence

import numpy as np
import render_scenes
import scene_layers
import torch
from opening_files import (
    MEASURE,
    SEED,
    Seconds,
    animate,
    luma_decibels,
    rounded,
    write,
)
from PIL import Image as Picture
from PIL import ImageDraw

from dil_teach import photo
from dil_teach.classical.haze.dark_channel import (
    GUIDED,
    HazeFree,
    add_haze,
    brightest_haze,
    remove_haze_by_dark_channel,
)
from dil_teach.classical.haze.recurrence import remove_haze_by_recurrence
from dil_teach.classical.haze.recurring_pairs import (
    PAIR_ERROR,
    VOTING_RATIO,
    Pairs,
    find_pairs,
)
from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.convention import Image, from_uint8, to_uint8
from dil_teach.image.photos import photos
from dil_teach.image.resize import resize

HILL = "aitzgorri"
TOP, LEFT, HEIGHT, WIDTH = 0, 256, 384, 512
"""The part of the photograph of 768 x 511 pixels: the mountain and the nearer trees."""
FLOOR = 0.3
"""Lower bound of the transmission (t0 in He et al., who take 0.1): the clouds keep a
part of their haze."""
SHOWN, FRAMES, SMALL = 0.75, 14, 0.5
"""Scale of the pictures, and number of frames of the animation and their scale."""
PAIRS = 8
"""Number of pairs that are drawn."""
GARDEN, PAGODA = 512, 320
"""Sides of the rendered garden, which is measured, and of the pagoda, in pixels."""
NEAR, FAR, HORIZON = 0.4, 1.6, 0.55
"""Optical depth of the rendered fog at the lower border of the pagoda and above the
horizon, and the horizon's place as a fraction of the height."""
FOG = (0.80, 0.83, 0.86)
"""Airlight of the rendered fog, sRGB."""


def clear(hazy: Image, found: HazeFree, part: float = 1) -> Image:
    """The picture without this part of the optical depth, which is limited by FLOOR."""
    airlight = to_linear(found.airlight)
    left = found.transmission[0].clamp_min(FLOOR) ** part
    light = airlight + (to_linear(hazy[None]) - airlight) / left
    return to_srgb(light.clamp(0, 1))[0]


def agreeing(pairs: Pairs, airlight: torch.Tensor) -> Pairs:
    """The voting pairs that agree with the airlight, apart from each other."""
    pairs = pairs.kept(pairs.ratio <= VOTING_RATIO)
    error = pairs.far - airlight - pairs.ratio[:, None] * (pairs.near - airlight)
    pairs = pairs.kept(error.norm(dim=1) < PAIR_ERROR)
    order, chosen = pairs.correlation.argsort(descending=True).tolist(), []
    for number in order:
        far = pairs.far_box[[number, *chosen], :2]
        if not chosen or (far[1:] - far[0]).norm(dim=1).min() > 0.12:
            chosen.append(number)
        if len(chosen) == PAIRS:
            break
    keep = torch.zeros(len(pairs.ratio), dtype=torch.bool)
    keep[chosen] = True
    return pairs.kept(keep)


def with_pairs(image: Image, pairs: Pairs, airlight: Image) -> Image:
    """The picture with a line from each near patch (orange) to its far patch (blue),
    and a square of the airlight in its lower left corner."""
    picture = Picture.fromarray(to_uint8(image))
    draw, (height, width) = ImageDraw.Draw(picture), image.shape[1:]
    for near, far in zip(pairs.near_box, pairs.far_box, strict=True):
        ends = []
        for box, colour in ((near, "#D55E00"), (far, "#0072B2")):
            y, x, side = (float(v) for v in box)
            corner = (x * width, y * height)
            end = (corner[0] + side * height, corner[1] + side * height)
            draw.rectangle((*corner, *end), outline="white", width=4)
            draw.rectangle((*corner, *end), outline=colour, width=2)
            ends.append(((corner[0] + end[0]) / 2, (corner[1] + end[1]) / 2))
        draw.line(ends, fill="white", width=1)
    swatch = from_uint8(np.array(picture))
    bottom = slice(height - 100, height - 12)
    swatch[:, height - 104 : height - 8, 8:104] = 0
    swatch[:, bottom, 12:100] = airlight
    return swatch


def haze() -> None:
    """Chapter 08: a mountain in natural haze, and a pagoda in rendered fog."""
    natural_haze()
    rendered_fog()


def natural_haze() -> None:
    """The mountain: photograph, pairs, airlight, transmission and two results."""
    hill = photo(HILL)[:, TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH]
    seconds = Seconds()
    lifted = seconds.of("recurrence", lambda: remove_haze_by_recurrence(hill[None]))
    by_dark_channel = seconds.of(
        "dark channel", lambda: remove_haze_by_dark_channel(hill[None])
    )
    airlight = to_linear(lifted.airlight).flatten()
    pairs = agreeing(find_pairs(to_linear(hill)), airlight)
    map_of = lifted.transmission[0].clamp_min(FLOOR)
    pictures = {
        "as photographed": hill,
        "pairs that agree, and airlight": with_pairs(hill, pairs, lifted.airlight[0]),
        "transmission (white = 1)": map_of.expand_as(hill),
        "haze removed by recurrence": clear(hill, lifted),
        "haze removed by the dark channel": clear(hill, by_dark_channel),
    }
    parts = [number / (FRAMES - 1) for number in range(FRAMES)]
    frames = [resize(clear(hill, lifted, part), SMALL).clamp(0, 1) for part in parts]
    credits, (decibels, size) = photos(), garden_in_fog(seconds)
    shown = {name: resize(x, SHOWN).clamp(0, 1) for name, x in pictures.items()}
    write(
        "haze",
        shown,
        decibels,
        None,
        animation=animate(
            "haze",
            frames,
            "The mountain is pale at first; then the haze lifts, and its rocks and "
            "woods get strong contrast",
        ),
        measure=f"the rendered garden, {MEASURE}",
        settings=f"no budget; mountain: the transmission is at least {FLOOR}",
        size=size,
        seconds=seconds,
        licence=credits[HILL].licence,
        truth="none is known",
        attribution=" ".join(
            credits[name].attribution for name in (HILL, "flower", "grass")
        ),
    )


def compared(
    given: Image, truth: Image, airlight: Sequence[float], seconds: Seconds
) -> dict[str, Image]:
    """The results of both methods, with three airlights, and the ground truth."""
    frame = given[None]
    true = to_linear(torch.tensor(airlight)).reshape(1, 3, 1, 1)

    def dark(airlight: torch.Tensor) -> Image:
        return remove_haze_by_dark_channel(frame, airlight, GUIDED).image[0]

    first = brightest_haze(to_linear(frame))
    control = seconds.of("dark channel", lambda: dark(first))
    found = seconds.of("recurrence", lambda: remove_haze_by_recurrence(frame))
    return {
        "in fog": given,
        "dark channel": control,
        "recurrence": found.image[0],
        "ground truth": truth,
        "dark channel, airlight of pairs": dark(to_linear(found.airlight)),
        "recurrence, true airlight (oracle)": remove_haze_by_recurrence(
            frame, true
        ).image[0],
    }


def with_noise(image: Image) -> Image:
    """The picture with noise of half a grey level."""
    rng = torch.Generator().manual_seed(SEED)
    return (image + 0.5 / 255 * torch.randn(image.shape, generator=rng)).clamp(0, 1)


def garden_in_fog(seconds: Seconds) -> tuple[dict[str, float], list[int]]:
    """The PSNR of the results on the garden of the chapter at a larger size."""
    # the scene is defined in metres; three rays a side of a pixel are enough
    scene_layers.SIZE, scene_layers.RAYS = GARDEN, 3
    garden = render_scenes.garden()
    given, truth = (
        torch.from_numpy(garden.images[name]).permute(2, 0, 1).float()
        for name in ("image", "clear")
    )
    pictures = compared(with_noise(given), truth, garden.known["airlight"], seconds)
    del pictures["ground truth"]
    return luma_decibels(pictures, truth), [GARDEN, GARDEN]


def rendered_fog() -> None:
    """The pagoda in fog that gets thicker upwards as far as the horizon."""
    truth, seconds = rounded(photo("china", PAGODA)), Seconds()
    row = (torch.arange(PAGODA)[:, None] + 0.5) / PAGODA
    depth = FAR - (FAR - NEAR) * ((row - HORIZON) / (1 - HORIZON)).clamp(0, 1)
    airlight = to_linear(torch.tensor(FOG)).reshape(1, 3, 1, 1)
    light = add_haze(to_linear(truth)[None], (-depth).exp(), airlight)
    given = rounded(with_noise(to_srgb(light)[0]))
    pictures = compared(given, truth, FOG, seconds)
    decibels = luma_decibels(pictures, truth)
    del decibels["ground truth"]
    about, shown = photos()["china"], list(pictures)[:4]
    write(
        "fog",
        {name: pictures[name] for name in shown},
        decibels,
        None,
        measure=MEASURE,
        settings="no budget; the fog is rendered",
        size=[PAGODA, PAGODA],
        seconds=seconds,
        licence=about.licence,
        attribution=about.attribution,
    )
