"""The opening of chapter 06, for data/draw_openings.py."""

from itertools import pairwise

from opening_files import (
    MEASURE,
    MOST_BYTES,
    OUT,
    SIDE,
    Seconds,
    luma_decibels,
    rounded,
    write,
)
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
from dil_teach.image.convention import Image, to_uint8
from dil_teach.image.photos import photos
from dil_teach.image.resize import resize

CREDIT = photos()["coffee"]
CORNER, WINDOWS = (30, 84), (90, 210)
"""The upper left corners of the parts that are shown: of the cup, of the front."""
SHOWN, ZOOM = 288, 3
"""Side of these parts in pixels; scale factor of the street front."""
STEPS = 7
"""Number of steps of the decoder that the animation shows."""


def animate(code: fractal.FractalCode) -> str:
    """Write the first steps of the decoder from the picture of a cat; the file's name.

    Two mixtures of a picture and the next one lie between them, for a soft change.
    """
    cat = photo("chelsea", size=300)
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
    file = OUT / "fractals.webp"
    more = {"append_images": others, "duration": pause, "loop": 0, "save_all": True}
    for quality in range(80, 20, -10):
        first.save(file, quality=quality, **more)
        if file.stat().st_size <= MOST_BYTES:
            break
    return file.name


def street_front(seconds: Seconds) -> tuple[dict[str, Image], dict[str, float]]:
    """Glasner's method at three times the size; parts of the pictures, and the PSNR."""
    truth = photo("facade", size=ZOOM * 170)
    low = rounded(resize(truth, 1 / ZOOM))
    results = {
        "bicubic, 3 times the size": resize(low, ZOOM).clamp(0, 1),
        "Glasner, 3 times the size": seconds.of(
            "Glasner, 3 times the size", lambda: super_resolve_by_recurrence(low, ZOOM)
        ),
    }
    pixels = low.repeat_interleave(ZOOM, 1).repeat_interleave(ZOOM, 2)
    pictures = results | {
        "ground truth": truth,
        "given, drawn 3 times as large": pixels,
    }
    return {n: part(x, WINDOWS) for n, x in pictures.items()}, luma_decibels(
        results, truth
    )


def part(image: Image, corner: tuple[int, int]) -> Image:
    """The part of a picture that is shown."""
    top, left = corner
    return image[:, top : top + SHOWN, left : left + SHOWN]


def fractals() -> None:
    """Chapter 06: a photograph of 384 pixels, compressed, and enlarged from 192."""
    truth = rounded(photo("coffee", size=384))
    low = rounded(resize(truth, 0.5))
    seconds = Seconds()
    code = seconds.of("fractal code of the photograph", lambda: fractal_encode(truth))
    size = len(frac_bytes(code))
    best = FractalSettings(quality=100)
    decoded = fractal_decode(code).clamp(0, 1)
    bicubic = resize(low, 2)
    results = {
        "decoded from the file": decoded,
        "fractal zoom": seconds.of(
            "fractal zoom", lambda: fractal_decode(fractal_encode(low, best), scale=2)
        ),
        "Glasner": seconds.of("Glasner", lambda: super_resolve_by_recurrence(low, 2)),
        "bicubic": bicubic,
        "back-projection": back_project(bicubic, low, "bicubic", 2),
    }
    results = {name: image.clamp(0, 1) for name, image in results.items()}
    pictures, decibels = street_front(seconds)
    cup = {"decoded from the file": decoded, "the photograph of the file": truth}
    write(
        "fractals",
        pictures | {name: part(image, CORNER) for name, image in cup.items()},
        decibels | luma_decibels(results, truth),
        None,
        truth="two pictures: the ground truth, and the photograph of the file",
        measure=MEASURE,
        settings=f"the street front: from 170 x 170 pixels; the cup: a .frac file of "
        f"{size} bytes, {8 * size / truth[0].numel():.2f} bits per pixel",
        size=list(truth.shape[1:]),
        scale=1,
        seconds=seconds,
        animation={
            "file": animate(code),
            "alt": "Step by step, a cat becomes the cup of coffee: large squares "
            "first, then finer and finer blocks, and at last the cup",
        },
        licence=CREDIT.licence,
        attribution=f"{CREDIT.attribution} {photos()['facade'].attribution}",
    )
