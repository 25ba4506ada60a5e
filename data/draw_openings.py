"""Draw the pictures that open chapters 01, 02, 04, 05, 06, 07, 08, 10 and 11.

    python data/draw_openings.py completion fractals blur haze

Each chapter first shows a result at the size of the papers' pictures, and then runs the
same method on a small picture. This script makes the first kind, on one CPU thread,
with the photograph, the kind of degradation and the seed of the chapter's own run. It
writes ``data/openings/CHAPTER_*.jpg`` (256 pixels a side) and the record
``data/openings/CHAPTER.json``, from which the chapter takes all figures. The ground
truth scores the results; no method sees it.
"""

from functools import partial
from typing import Literal

import numpy as np
import render_scenes
import scene_layers
import torch
import torch.nn.functional as F
import tyro
from fractal_opening import fractals
from matplotlib.cbook import get_sample_data
from opening_completion import completion
from opening_files import (
    MEASURE,
    SEED,
    SIDE,
    Seconds,
    drawn,
    luma_decibels,
    rounded,
    write,
)
from opening_patches import recurrence, retargeting
from opening_statistics import statistics
from scipy import ndimage

from dil_teach import (
    ZSSR,
    DeblurSettings,
    KernelGAN,
    KernelGANSettings,
    ZSSRSettings,
    blur_and_subsample,
    deblur,
    fit,
    load_external_network,
    photo,
    super_resolve_with,
)
from dil_teach.classical.back_projection import back_project
from dil_teach.classical.deblur.deconvolution import deconvolve
from dil_teach.classical.deblur.error_ratio import smallest_error
from dil_teach.classical.deblur.kernel_fit import clean_kernel
from dil_teach.classical.haze.dark_channel import GUIDED, remove_haze_by_dark_channel
from dil_teach.classical.haze.recurrence import remove_haze_by_recurrence
from dil_teach.classical.kernel.spectrum import kernel_from_spectrum
from dil_teach.deep.zssr.comparison import compare
from dil_teach.image.colour import to_linear
from dil_teach.image.files import load_image
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.kernel_estimate import moments
from dil_teach.image.photos import photos
from dil_teach.image.resize import resize

CREDITS = photos()


# ---- chapter 07


def shake(size: int) -> torch.Tensor:
    """The kernel of a random smooth path, as in chapter 07, but of another size."""
    rng = np.random.default_rng(SEED)
    speed = ndimage.gaussian_filter1d(rng.normal(size=(200, 2)), 25, axis=0)
    path = speed.cumsum(0) - speed.cumsum(0).min(0)
    path *= (size - 5) / path.max()
    path += (size - 1) / 2 - path.max(0) / 2
    grid = np.arange(size + 1) - 0.5
    weights = np.histogram2d(*path.T, bins=(grid, grid))[0]
    smooth = ndimage.gaussian_filter(weights, 0.5)
    return clean_kernel(torch.from_numpy(smooth).float())


def blur() -> None:
    """Chapter 07: blind deblurring of a photograph of 400 pixels."""
    kernel, whole = shake(21), photo("coffee", size=400)
    reach = len(kernel) // 2
    truth = whole[:, reach:-reach, reach:-reach]
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(SEED))
    given = rounded(F.conv2d(whole[:, None], kernel[None, None])[:, 0] + noise / 255)

    seconds = Seconds()
    settings = DeblurSettings.full(size=25)
    found = seconds.of("estimated kernel", lambda: deblur(given, settings))
    width = float(np.diagonal(moments(kernel)[1]).mean()) ** 0.5
    round_kernel = gaussian_kernel((width, width), size=len(kernel))
    pictures = {
        "given": given,
        "control: Gaussian": deconvolve(given, round_kernel).clamp(0, 1),
        "estimated kernel": found.image,
    }
    oracle = {"true kernel (oracle)": deconvolve(given, kernel).clamp(0, 1)}
    errors = {n: smallest_error(x, truth)[0] for n, x in (pictures | oracle).items()}
    shown = pictures | {"ground truth": truth}
    shown |= drawn({"kernel: estimated": found.kernel, "kernel: true": kernel})
    write(
        "blur",
        shown,
        {name: round(-10 * np.log10(error), 2) for name, error in errors.items()},
        (70, 20),
        measure="PSNR of the grey picture after the best shift, without a border of 16 "
        "pixels",
        settings="DeblurSettings.full(size=25)",
        size=list(given.shape[1:]),
        seconds=seconds,
        error_ratio=round(
            errors["estimated kernel"] / errors["true kernel (oracle)"], 2
        ),
        licence=CREDITS["coffee"].licence,
        attribution=CREDITS["coffee"].attribution,
    )


# ---- chapter 08


def haze() -> None:
    """Chapter 08: the garden at 512 pixels."""
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

    seconds, frame = Seconds(), given[None]
    by_dark_channel = partial(remove_haze_by_dark_channel, frame, settings=GUIDED)
    by_recurrence = partial(remove_haze_by_recurrence, frame)
    control = seconds.of("dark channel", by_dark_channel)
    found = seconds.of("recurrence", by_recurrence)
    same_airlight = by_dark_channel(airlight=to_linear(found.airlight))
    oracle = by_recurrence(airlight=true)
    pictures = {
        "in fog": given,
        "dark channel": control.image[0],
        "recurrence": found.image[0],
        "dark channel, airlight of pairs": same_airlight.image[0],
        "recurrence, true airlight (oracle)": oracle.image[0],
    }
    shown = pictures | {"ground truth": truth}
    write(
        "haze",
        {name: resize(x, size=(SIDE, SIDE)).clamp(0, 1) for name, x in shown.items()},
        luma_decibels(pictures, truth),
        (0, 0),
        measure=MEASURE,
        settings="neither method has a budget",
        size=list(given.shape[1:]),
        seconds=seconds,
        licence=CREDITS["flower"].licence,
        attribution=f"{CREDITS['flower'].attribution} {CREDITS['grass'].attribution}",
    )


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
        "ZSSR, bicubic kernel assumed",
        lambda: fit(ZSSR(given, 2, "bicubic", settings)).super_resolve(),
    )
    told = seconds.of(
        "ZSSR, true kernel",
        lambda: fit(ZSSR(given, 2, kernel, settings)).super_resolve(),
    )
    pictures = {
        "bicubic interpolation": resize(given, scale=2).clamp(0, 1),
        "EDSR+": plus,
        "ZSSR, bicubic kernel assumed": assumed,
        "EDSR+, back-projected, true kernel": back_project(
            plus, given, kernel, scale=2
        ).clamp(0, 1),
        "ZSSR, true kernel": told,
    }
    write(
        "outside",
        pictures | {"ground truth": truth},
        luma_decibels(pictures, truth),
        (40, 100),
        measure=MEASURE,
        settings="ZSSRSettings.standard()",
        size=list(truth.shape[1:]),
        seconds=seconds,
        licence="public domain",
        attribution="Photograph: James S. Davis, US Navy, public domain",
    )


# ---- chapter 11


def kernelgan() -> None:
    """Chapter 11: the house front at 512 pixels, blurred by an oblique Gaussian."""
    truth = photo("facade")
    kernel = gaussian_kernel((2.4, 1.1), angle=0.6, size=20)
    given = rounded(blur_and_subsample(truth, kernel, 2))

    seconds = Seconds()
    gan = KernelGAN(given, KernelGANSettings.standard(seed=SEED))
    estimate = seconds.of("KernelGAN", lambda: fit(gan).kernel())
    spectrum = seconds.of("spectrum", lambda: kernel_from_spectrum(given))
    settings = ZSSRSettings.standard(seed=SEED)
    kernels = {
        "bicubic kernel assumed": "bicubic",
        "KernelGAN's kernel": estimate,
        "spectrum's kernel": spectrum,
        "true kernel (oracle)": kernel,
    }
    pictures = {"bicubic interpolation": resize(given, scale=2).clamp(0, 1)}
    controls = {}
    for name, assumed in kernels.items():
        zssr = ZSSR(given, 2, assumed, settings)
        made = compare(seconds.of(f"ZSSR, {name}", lambda zssr=zssr: fit(zssr)))
        pictures[f"ZSSR, {name}"] = made["final"]
        controls[f"back-projection, {name}"] = made["bicubic + back-projection"]
    covariance = moments(kernel)[1]
    error = {}
    for name, found in {"KernelGAN": estimate, "spectrum": spectrum}.items():
        difference = np.linalg.norm(moments(found)[1] - covariance)
        error[name] = round(float(difference / np.linalg.norm(covariance)), 2)
    shown = dict(list(pictures.items())[:3]) | {"ground truth": truth}
    shown |= drawn({"kernel: KernelGAN": estimate, "kernel: true": kernel})
    write(
        "kernelgan",
        shown,
        luma_decibels(pictures | controls, truth),
        (128, 128),
        measure=MEASURE,
        settings="KernelGANSettings.standard(), ZSSRSettings.standard()",
        size=list(truth.shape[1:]),
        seconds=seconds,
        covariance_error=error,
        licence=CREDITS["facade"].licence,
        attribution=CREDITS["facade"].attribution,
    )


CHAPTERS = {
    "recurrence": recurrence,
    "statistics": statistics,
    "completion": completion,
    "retargeting": retargeting,
    "fractals": fractals,
    "blur": blur,
    "haze": haze,
    "outside": outside,
    "kernelgan": kernelgan,
}


def main(
    chapters: tyro.conf.Positional[
        tuple[
            Literal[
                "recurrence",
                "statistics",
                "completion",
                "retargeting",
                "fractals",
                "blur",
                "haze",
                "outside",
                "kernelgan",
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
