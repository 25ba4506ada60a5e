"""The opening of chapter 06, for data/draw_openings.py."""

from opening_files import MEASURE, Seconds, luma_decibels, rounded, write

from dil_teach import (
    FractalSettings,
    fractal_decode,
    fractal_encode,
    photo,
    super_resolve_by_recurrence,
)
from dil_teach.classical.back_projection import back_project
from dil_teach.classical.fractal.frac_file import frac_bytes
from dil_teach.image.photos import photos
from dil_teach.image.resize import resize

CREDIT = photos()["coffee"]


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
        (40, 100),
        measure=MEASURE,
        settings=f"a .frac file of {size} bytes, {8 * size / truth.numel():.2f} bits "
        "per pixel; and a picture of 192 x 192 pixels, enlarged by 2",
        size=list(truth.shape[1:]),
        seconds=seconds,
        licence=CREDIT.licence,
        attribution=CREDIT.attribution,
    )
