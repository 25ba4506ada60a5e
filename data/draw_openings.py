"""Draw the pictures that open chapters 01 to 08, 10, 11 and 16.

    python data/draw_openings.py completion fractals blur haze

Each chapter first shows a result at the size of the papers' pictures, and then runs the
same method on a small picture. This script makes the first kind, on one CPU thread,
with the photograph, the kind of degradation and the seed of the chapter's own run. It
writes ``data/openings/CHAPTER_*.jpg`` (or ``.webp``), for some chapters the history of
the run as an animation, and the record
``data/openings/CHAPTER.json``, from which the chapter takes all figures. The ground
truth scores the results; no method sees it.
"""

from typing import Literal

import torch
import tyro
from fractal_opening import fractals
from matplotlib.cbook import get_sample_data
from opening_blur import blur
from opening_completion import completion
from opening_denoising import denoising
from opening_files import (
    MEASURE,
    SEED,
    Seconds,
    bicubic_kernel,
    luma_decibels,
    rounded,
    with_kernels,
    write,
)
from opening_haze import haze
from opening_kernelgan import kernelgan
from opening_layers import fig, layers
from opening_patches import retargeting
from opening_recurrence import recurrence
from opening_report import report
from opening_statistics import statistics

from dil_teach import (
    ZSSR,
    ZSSRSettings,
    blur_and_subsample,
    fit,
    load_external_network,
    super_resolve_with,
)
from dil_teach.classical.back_projection import back_project
from dil_teach.image.files import load_image
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.resize import resize

# ---- chapter 10


def outside() -> None:
    """Chapter 10: the portrait at 448 pixels, blurred by an oblique Gaussian."""
    sample = get_sample_data("grace_hopper.jpg", asfileobj=False)
    truth = load_image(sample)[:, :448, 32:480]
    kernel = gaussian_kernel((2.0, 1.0), angle=0.5)
    given = rounded(blur_and_subsample(truth, kernel, scale=2))

    seconds = Seconds()
    edsr = load_external_network("edsr")
    plus = seconds.of("EDSR+", lambda: super_resolve_with(edsr, given, ensemble=True))
    settings = ZSSRSettings.standard(seed=SEED)
    assumed = seconds.of(
        "ZSSR, bicubic kernel",
        lambda: fit(ZSSR(given, 2, "bicubic", settings)).super_resolve(),
    )
    told = seconds.of(
        "ZSSR, true kernel",
        lambda: fit(ZSSR(given, 2, kernel, settings)).super_resolve(),
    )
    corrected = back_project(plus, given, kernel, scale=2).clamp(0, 1)
    pictures = {
        "bicubic interpolation": resize(given, scale=2).clamp(0, 1),
        "EDSR+": plus,
        "ZSSR, bicubic kernel": assumed,
        "EDSR+, true kernel": corrected,
        "ZSSR, true kernel": told,
    }
    corner = (40, 100)
    known = dict.fromkeys(("EDSR+", "ZSSR, bicubic kernel"), bicubic_kernel())
    told_kernel = ("EDSR+, true kernel", "ZSSR, true kernel", "ground truth")
    known |= dict.fromkeys(told_kernel, kernel)
    write(
        "outside",
        with_kernels(pictures | {"ground truth": truth}, known, corner),
        luma_decibels(pictures, truth),
        corner,
        measure=MEASURE,
        settings="ZSSRSettings.standard()",
        size=list(truth.shape[1:]),
        seconds=seconds,
        licence="public domain",
        attribution="Photograph: James S. Davis, US Navy, public domain",
    )


CHAPTERS = {
    "recurrence": recurrence,
    "statistics": statistics,
    "denoising": denoising,
    "completion": completion,
    "retargeting": retargeting,
    "fractals": fractals,
    "blur": blur,
    "haze": haze,
    "outside": outside,
    "kernelgan": kernelgan,
    "layers": layers,
    "fig": fig,
    "report": report,
}


def main(
    chapters: tyro.conf.Positional[
        tuple[
            Literal[
                "recurrence",
                "statistics",
                "denoising",
                "completion",
                "retargeting",
                "fractals",
                "blur",
                "haze",
                "outside",
                "kernelgan",
                "layers",
                "fig",
                "report",
            ],
            ...,
        ]
    ],
) -> None:
    """Draw the openings of these chapters."""
    torch.set_num_threads(1)
    for chapter in chapters:
        CHAPTERS[chapter]()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
