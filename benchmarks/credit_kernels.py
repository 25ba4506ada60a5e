"""Record which part of super-resolution, with and without its kernel, has which share.

    python benchmarks/credit_kernels.py
    python benchmarks/credit_kernels.py --sections kernelgan

Sections ``ideal`` and ``kernels`` take all values from the records of
``inside_outside.py``, ``zssr.py`` and ``unknown_kernels.py``. Section ``kernelgan``
takes the three trainings that ``kernelgan.py`` recorded, which differ in their seed,
and trains the small ZSSR of chapter 11 with each kernel. The script writes
``benchmarks/results/credit_outside_ideal.json``, ``credit_outside_kernels.json``,
``credit_kernelgan.json`` and ``credit_kernelgan_kernel.json``.
"""

from collections.abc import Sequence
from statistics import mean
from typing import Literal

import numpy as np
import record
import torch
import tyro
from kernelgan import KERNEL, PICTURE, SHIPPED, SIDE, degraded, relative_error

from dil_teach import (
    ZSSR,
    KernelByDistribution,
    KernelByDistributionSettings,
    ZSSRSettings,
    fit,
    photo,
    psnr_y,
    resize,
)
from dil_teach.classical.kernel.spectrum import kernel_from_spectrum
from dil_teach.image.kernel import centre_kernel, gaussian_kernel
from dil_teach.image.kernel_estimate import finish, moments, remove_negligible

SEEDS = (0, 1, 2)
SHAVE = 8
SMALL = {"gradual": 1, "width": 32, "depth": 6, "crop": 16, "batch": 4}
"""The small network of ZSSR of chapter 11, which trains for 60 steps."""
MEASURE = "PSNR of the luma, dB"
Parts = Sequence[tuple[str, str, str]]


def lines(rows: list[dict], parts: Parts) -> list[dict]:
    """One line of a credit table for each (role, name, key): the mean of each seed."""
    return [
        {
            "role": role,
            "name": name,
            "values": [
                round(mean(row[key] for row in rows if row["seed"] == seed), 3)
                for seed in SEEDS
            ],
        }
        for role, name, key in parts
    ]


def write_kernels(commit: str) -> None:
    """ZSSR with an estimated kernel, against an external network."""
    rows = record.read("unknown_kernels_gaussians")
    parts = [
        ("input", "bicubic interpolation", "bicubic interpolation"),
        ("baseline", "EDSR+ (no kernel)", "EDSR+"),
        ("baseline", "ZSSR, bicubic kernel assumed", "ZSSR, bicubic assumed"),
        (
            "baseline",
            "least squares, estimated kernel",
            "least squares, estimated kernel",
        ),
        ("final", "ZSSR, estimated kernel", "ZSSR, estimated kernel"),
        ("oracle", "least squares, true kernel", "least squares, true kernel"),
        ("oracle", "ZSSR, true kernel", "ZSSR, true kernel"),
    ]
    record.write(
        "credit_outside_kernels",
        lines(rows, parts),
        commit,
        result="super-resolution by 2 under unknown Gaussian kernels",
        measure=MEASURE,
        better="higher",
        where="ten photographs of 512 pixels with one random Gaussian for each seed, "
        f"budget quick, without a border of {SHAVE} pixels",
        missing={
            "initialisation": "the network starts from random weights",
            "network": "the record has final results only; trained again with seed 0 "
            "on camera, grass and hopper, its output was 0.02 to 0.12 dB worse",
        },
    )


def write_kernelgan(commit: str) -> None:
    """KernelGAN's kernel, and ZSSR with it, on the picture of chapter 11."""
    truth, kernel = photo(PICTURE, SIDE), gaussian_kernel(*KERNEL, size=20)
    low, covariance = degraded(truth, kernel), moments(kernel)[1]
    stored = np.load(SHIPPED / "training.npz")
    rows = []
    for seed in SEEDS:
        raw = torch.from_numpy(stored[f"all, seed {seed}"][-1]).double()
        settings = KernelByDistributionSettings.quick(seed=seed)
        kernels = {
            "k'": centre_kernel(remove_negligible(raw, 0.1), 2),
            "KernelGAN": finish(raw),
            "sliced Wasserstein": fit(KernelByDistribution(low, settings)).kernel(),
            "spectrum": kernel_from_spectrum(low),
        }
        row = {
            f"error, {name}": relative_error(moments(found)[1], covariance)
            for name, found in kernels.items()
        }
        kernels |= {"bicubic": "bicubic", "true": kernel}
        for name, known in kernels.items():
            small = ZSSRSettings(steps=60, seed=seed, back_projections=20, **SMALL)
            image = fit(ZSSR(low, 2, known, small)).super_resolve().clamp(0, 1)
            row[f"ZSSR, {name}"] = psnr_y(image, truth, SHAVE)
        row["interpolation"] = psnr_y(resize(low, 2).clamp(0, 1), truth, SHAVE)
        rows.append(row | {"seed": seed})
        print(rows[-1], flush=True)
    where = "the house front of 320 pixels of chapter 11, 1500 steps"
    parts = [
        ("input", "bicubic interpolation", "interpolation"),
        ("initialisation", "ZSSR, bicubic kernel", "ZSSR, bicubic"),
        ("baseline", "ZSSR, sliced Wasserstein's kernel", "ZSSR, sliced Wasserstein"),
        ("baseline", "ZSSR, spectrum's kernel", "ZSSR, spectrum"),
        ("network", "ZSSR, KernelGAN's k'", "ZSSR, k'"),
        ("final", "ZSSR, KernelGAN's kernel", "ZSSR, KernelGAN"),
        ("oracle", "ZSSR, true kernel", "ZSSR, true"),
    ]
    record.write(
        "credit_kernelgan",
        lines(rows, parts),
        commit,
        result="super-resolution by 2 with KernelGAN's kernel",
        measure=MEASURE,
        better="higher",
        where=f"{where}, ZSSR with 60 steps, without a border of {SHAVE} pixels",
        missing={},
    )
    parts = [
        ("baseline", "sliced Wasserstein distance", "error, sliced Wasserstein"),
        ("baseline", "spectrum (told: a Gaussian)", "error, spectrum"),
        ("network", "KernelGAN's k'", "error, k'"),
        ("final", "KernelGAN, corrected", "error, KernelGAN"),
    ]
    record.write(
        "credit_kernelgan_kernel",
        lines(rows, parts),
        commit,
        result="the kernel by KernelGAN",
        measure="relative error of the covariance",
        better="lower",
        where=where,
        missing={
            "input": "an image is no kernel",
            "initialisation": "random layers give no blur",
            "oracle": "the true kernel has the error 0",
        },
    )


def write_ideal(commit: str) -> None:
    """ZSSR against external networks under bicubic downscaling."""
    set5 = [r for r in record.read("inside_outside_ideal") if r["pictures"] == "Set5"]

    def of_zssr(budget: str, key: str) -> list[float]:
        rows = record.read(f"zssr_set5_{budget}")
        rows = [row for row in rows if row["scale"] == 2]
        return [
            round(mean(row[key] for row in rows if row["seed"] == seed), 3)
            for seed in SEEDS
        ]

    plain = [
        ("input", "bicubic interpolation", "bicubic interpolation"),
        ("baseline", "back-projection", "back-projection"),
        ("baseline", "Glasner: patches of the image", "Glasner"),
        ("baseline", "VDSR, published weights", "VDSR, published weights"),
        ("baseline", "EDSR+, ours", "EDSR+"),
    ]
    rows = [
        {"role": role, "name": name, "values": [round(mean(r[key] for r in set5), 3)]}
        for role, name, key in plain
    ]
    for role, name, budget, key in (
        ("network", "ZSSR's network, standard", "standard", "raw"),
        ("network", "ZSSR's network, full", "full", "raw"),
        ("final", "ZSSR, standard", "standard", "final"),
        ("final", "ZSSR, full", "full", "final"),
    ):
        rows.append({"role": role, "name": name, "values": of_zssr(budget, key)})
    record.write(
        "credit_outside_ideal",
        rows,
        commit,
        result="super-resolution by 2 under bicubic downscaling",
        measure=MEASURE,
        better="higher",
        where="Set5, without a border of 2 pixels",
        missing={
            "initialisation": "the network starts from random weights",
            "oracle": "the kernel is bicubic, so each method has the true kernel",
        },
    )


def main(
    sections: tuple[Literal["ideal", "kernels", "kernelgan"], ...] = (
        "ideal",
        "kernels",
        "kernelgan",
    ),
) -> None:
    """Measure the sections, and write their records."""
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/credit_kernels.py")
    if "ideal" in sections:
        write_ideal(commit)
    if "kernels" in sections:
        write_kernels(commit)
    if "kernelgan" in sections:
        write_kernelgan(commit)


if __name__ == "__main__":
    tyro.cli(main)
