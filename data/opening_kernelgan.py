"""The opening of chapter 11, for data/draw_openings.py."""

from pathlib import Path

import numpy as np
import torch
from opening_files import (
    MEASURE,
    SEED,
    Seconds,
    animate,
    drawn,
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
)
from dil_teach.classical.kernel.spectrum import kernel_from_spectrum
from dil_teach.deep.zssr.comparison import compare
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.kernel_estimate import gaussian_of, moments
from dil_teach.image.photos import photos
from dil_teach.image.resize import resize

PHOTOGRAPH, CORNER = "facade", (128, 128)
ALT = (
    "The kernels of three generators during 1500 steps: wide spots that become small "
    "spots of different shapes; on the right, the oblique oval that they should find"
)
SHIPPED = Path(__file__).parent / "kernelgan" / "training.npz"
"""The trainings that benchmarks/kernelgan.py recorded."""


def history(covariance: np.ndarray) -> list[torch.Tensor]:
    """The generator's kernels of three recorded trainings, beside the true one."""
    stored = np.load(SHIPPED)
    runs = [torch.from_numpy(stored[f"all, seed {n}"]).float() for n in range(3)]
    between = gaussian_of(0.75 * covariance, runs[0].shape[-1]).float()
    frames = []
    for kernels in zip(*runs, strict=True):
        named = dict(zip(("seed 0", "seed 1", "seed 2"), kernels, strict=True))
        frames.append(torch.cat([*drawn(named | {"k'": between}).values()], dim=2))
    return frames


def kernelgan() -> None:
    """Chapter 11: the house front at 512 pixels, blurred by an oblique Gaussian."""
    truth = photo(PHOTOGRAPH)
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
    credit = photos()[PHOTOGRAPH]
    write(
        "kernelgan",
        shown,
        luma_decibels(pictures | controls, truth),
        CORNER,
        animation=animate("kernelgan", history(covariance), ALT),
        measure=MEASURE,
        settings="KernelGANSettings.standard(), ZSSRSettings.standard()",
        size=list(truth.shape[1:]),
        seconds=seconds,
        covariance_error=error,
        licence=credit.licence,
        attribution=credit.attribution,
    )
