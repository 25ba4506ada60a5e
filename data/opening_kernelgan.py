"""The opening of chapter 11, for data/draw_openings.py."""

import numpy as np
import torch
from opening_files import (
    MEASURE,
    SEED,
    Seconds,
    animate,
    drawn,
    enlarged_part,
    luma_decibels,
    rounded,
    write,
)

from dil_teach import (
    ZSSR,
    KernelGAN,
    KernelGANSettings,
    ZSSRSettings,
    blur_and_subsample,
    fit,
    photo,
    train,
)
from dil_teach.classical.kernel.spectrum import kernel_from_spectrum
from dil_teach.deep.zssr.comparison import compare
from dil_teach.image.convention import Image
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.kernel_estimate import moments
from dil_teach.image.photos import photos
from dil_teach.image.resize import resize

PHOTOGRAPH, SIDE = "hubble", 512
CORNER, PART = (158, 158), 128
SIGMAS, ANGLE = (1.383, 2.045), 0.822
"""The standard deviations and the angle of the blur kernel: the Gaussian of this
photograph in benchmarks/unknown_kernels.py."""
REACH = 8
"""The pictures of kernels end this number of pixels from their middle."""
FRAMES = 30
ALT = (
    "The estimate during 1500 steps, beside the true kernel: a small round spot "
    "becomes an oval with nearly the direction of the true kernel, but smaller"
)


def estimates(given: Image) -> list[torch.Tensor]:
    """KernelGAN's estimate after each of ``FRAMES`` parts of the training."""
    gan = KernelGAN(given, KernelGANSettings.quick(seed=SEED))
    found = [gan.kernel()]
    for _ in train(gan, report_every=gan.total_steps // FRAMES):
        found.append(gan.kernel())
    return found


def kernelgan() -> None:
    """Chapter 11: the middle of a photograph, blurred by an oblique Gaussian."""
    whole = photo(PHOTOGRAPH)
    top, left = ((side - SIDE) // 2 for side in whole.shape[1:])
    truth = whole[:, top : top + SIDE, left : left + SIDE]
    kernel = gaussian_kernel(SIGMAS, ANGLE, size=20)
    given = rounded(blur_and_subsample(truth, kernel, 2))

    seconds = Seconds()
    history = seconds.of("KernelGAN", lambda: estimates(given))
    estimate = history[-1]
    spectrum = seconds.of("spectrum", lambda: kernel_from_spectrum(given))
    settings = ZSSRSettings.quick(seed=SEED)
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
    results = dict(list(pictures.items())[:3]) | {"ground truth": truth}
    shown = {
        name: enlarged_part(image, CORNER, PART) for name, image in results.items()
    }
    shown |= drawn({"kernel: KernelGAN": estimate, "kernel: true": kernel}, REACH)
    frames = [
        torch.cat([*drawn({"found": k, "true": kernel}, REACH).values()], dim=2)
        for k in history
    ]
    credit = photos()[PHOTOGRAPH]
    write(
        "kernelgan",
        shown,
        luma_decibels(pictures | controls, truth),
        CORNER,
        enlarged=2,
        animation=animate("kernelgan", frames, ALT),
        measure=MEASURE,
        settings="KernelGANSettings.quick(), ZSSRSettings.quick()",
        size=list(truth.shape[1:]),
        seconds=seconds,
        covariance_error=error,
        licence=credit.licence,
        attribution=credit.attribution,
    )
