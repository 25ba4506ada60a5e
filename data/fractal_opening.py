"""The opening of chapter 06, for data/draw_openings.py."""

from itertools import pairwise

from opening_files import MEASURE, OUT, SIDE, Seconds, luma_decibels, rounded, write
from PIL import Image as Picture

from dil_teach import (
    FractalSettings,
    fractal_decode,
    fractal_encode,
    photo,
    super_resolve_by_recurrence,
)
from dil_teach.classical.back_projection import back_project
from dil_teach.classical.fractal import fractal
from dil_teach.classical.fractal.frac_file import frac_bytes
from dil_teach.image.convention import to_uint8
from dil_teach.image.photos import photos
from dil_teach.image.resize import resize

CREDIT = photos()["coffee"]
CORNER = (40, 100)
"""The upper left corner of the part that is shown."""
STEPS = 7
"""Number of steps of the decoder that the animation shows."""


def animate(code: fractal.FractalCode) -> str:
    """Write the first steps of the decoder from the picture of a cat; the file's name.

    Two mixtures of a picture and the next one lie between them, for a soft change.
    """
    cat = photo("chelsea", size=300).mean(0, keepdim=True)
    top, left = CORNER
    most, images = fractal.MOST_ITERATIONS, []
    for fractal.MOST_ITERATIONS in range(STEPS + 1):
        image = fractal_decode(code, start=cat)
        images.append(image[:, top : top + SIDE, left : left + SIDE])
    fractal.MOST_ITERATIONS = most
    frames, pause = [images[0]], [2000]
    for before, after in pairwise(images):
        frames += [before.lerp(after, part) for part in (1 / 3, 2 / 3, 1)]
        pause += [80, 80, 500]
    pause[-1] = 2000
    first, *others = (Picture.fromarray(to_uint8(x)).convert("RGB") for x in frames)
    file = "fractals.webp"
    more = {"append_images": others, "duration": pause, "loop": 0, "quality": 80}
    first.save(OUT / file, save_all=True, **more)
    return file


def fractals() -> None:
    """Chapter 06: a photograph of 384 pixels, compressed, and enlarged from 192."""
    truth = rounded(photo("coffee", size=384).mean(0, keepdim=True))
    low = rounded(resize(truth, 0.5))
    seconds = Seconds()
    code = seconds.of("fractal code of the photograph", lambda: fractal_encode(truth))
    size = len(frac_bytes(code))
    best = FractalSettings(quality=100)
    results = {
        "decoded from the file": fractal_decode(code),
        "fractal zoom": seconds.of(
            "fractal zoom", lambda: fractal_decode(fractal_encode(low, best), scale=2)
        ),
        "Glasner": seconds.of("Glasner", lambda: super_resolve_by_recurrence(low, 2)),
    }
    results = {name: image.clamp(0, 1) for name, image in results.items()}
    bicubic = resize(low, 2)
    controls = {
        "bicubic": bicubic.clamp(0, 1),
        "back-projection": back_project(bicubic, low, "bicubic", 2),
    }
    write(
        "fractals",
        results | {"ground truth": truth},
        luma_decibels(results | controls, truth),
        CORNER,
        measure=MEASURE,
        settings=f"a .frac file of {size} bytes, {8 * size / truth.numel():.2f} bits "
        "per pixel; and a picture of 192 x 192 pixels, enlarged by 2",
        size=list(truth.shape[1:]),
        seconds=seconds,
        animation={
            "file": animate(code),
            "alt": "Step by step, a cat becomes the cup of coffee: large squares "
            "first, then finer and finer blocks, and at last the cup",
        },
        licence=CREDIT.licence,
        attribution=CREDIT.attribution,
    )
