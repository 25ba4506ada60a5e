"""Measure KernelGAN beside estimators without a network, and record its training.

    python benchmarks/kernelgan.py                                 # random Gaussians
    python benchmarks/kernelgan.py --motions levin2009.npz         # and real motions
    python benchmarks/kernelgan.py --sections training

Section ``estimates`` uses the photographs and kernels of ``unknown_kernels.py``. For
each estimator it measures the relative error of the covariance, with and without the
correction of the kernel between two scales (``image/kernel_estimate.py``), and for
KernelGAN also the PSNR of ZSSR with the kernel. The other scores of ZSSR come from the
records of ``unknown_kernels.py``. Section ``training`` records the generator's kernel
during training: with all regularisers, without each of them, without any, and with all
regularisers for a generator of one layer.

The script writes ``data/kernelgan/estimates.json`` and ``data/kernelgan/training.npz``,
which chapter 11 shows, and ``benchmarks/results/kernelgan.json``.
"""

import dataclasses
import json
from pathlib import Path
from typing import Literal

import numpy as np
import record
import torch
import tyro
from unknown_kernels import SHAVE, photographs, random_gaussian

from dil_teach import (
    ZSSR,
    KernelByDistribution,
    KernelByDistributionSettings,
    KernelGAN,
    KernelGANSettings,
    ZSSRSettings,
    blur_and_subsample,
    fit,
    photo,
    psnr_y,
)
from dil_teach.classical.kernel.spectrum import covariance_from_spectrum
from dil_teach.image.convention import Image
from dil_teach.image.kernel import centre_kernel, gaussian_kernel
from dil_teach.image.kernel_estimate import finish, moments, remove_negligible

SHIPPED = Path(__file__).parents[1] / "data" / "kernelgan"
FRAMES = 30
"""Number of recorded kernels of a training."""
MOTIONS = ("camera", "hubble", "grass", "motorcycle")
"""The photographs that are measured with blurs by motion."""
PICTURE, SIDE = "facade", 320
"""The photograph of section ``training`` and of chapter 11, and its larger side."""
KERNEL = (2.4, 1.1), 0.6
"""Standard deviations and angle of the Gaussian of section ``training``."""
REGULARISERS = ("bicubic", "sum_to_one", "boundaries", "sparsity", "centre")


def degraded(image: Image, kernel: torch.Tensor) -> Image:
    """The image, blurred, halved and rounded to eight bits."""
    return (blur_and_subsample(image, kernel, 2).clamp(0, 1) * 255).round() / 255


def relative_error(covariance: np.ndarray, truth: np.ndarray) -> float:
    """The norm of the difference of two covariances, relative to the second."""
    return float(np.linalg.norm(covariance - truth) / np.linalg.norm(truth))


def estimate(name: str, truth: Image, kernel: torch.Tensor, seed: int) -> dict:
    """The errors of all estimators on one photograph, and ZSSR with KernelGAN."""
    low, covariance = degraded(truth, kernel), moments(kernel)[1]
    raw = {
        "KernelGAN": fit(KernelGAN(low, KernelGANSettings.quick(seed=seed))),
        "sliced Wasserstein": fit(
            KernelByDistribution(low, KernelByDistributionSettings.quick(seed=seed))
        ),
    }
    raw = {what: method.raw_kernel() for what, method in raw.items()}
    kernels = {what: finish(k) for what, k in raw.items()}
    plain = {
        what: centre_kernel(remove_negligible(k, 0.1), 2) for what, k in raw.items()
    }
    errors = {what: moments(k)[1] for what, k in kernels.items()}
    errors |= {f"{what}, not corrected": moments(k)[1] for what, k in plain.items()}
    errors["spectrum"] = covariance_from_spectrum(low)
    result = {
        f"error, {what}": relative_error(found, covariance)
        for what, found in errors.items()
    }
    for what, known in (("", kernels), (", not corrected", plain)):
        zssr = ZSSR(low, 2, known["KernelGAN"], ZSSRSettings.quick(seed=seed))
        enlarged = fit(zssr).super_resolve().clamp(0, 1)
        result[f"ZSSR, KernelGAN{what}"] = psnr_y(enlarged, truth, SHAVE)
    rounded = {what: round(value, 3) for what, value in result.items()}
    return {"photograph": name, "seed": seed} | rounded


def estimates(kind: str, held: list | None, seeds: tuple[int, ...]) -> list[dict]:
    """The rows of one kind of kernels, joined with those of ``unknown_kernels.py``."""
    rows = []
    known = {
        (row["photograph"], row["seed"]): row
        for row in record.read(f"unknown_kernels_{kind}")
    }
    for number, (name, truth) in enumerate(photographs().items()):
        if held is not None and name not in MOTIONS:
            continue
        for seed in seeds:
            kernel = random_gaussian(100 * seed + number)
            if held is not None:
                kernel = torch.from_numpy(held[(number + seed) % len(held)]).float()
            row = {"kernels": kind} | known.get((name, seed), {})
            rows.append(row | estimate(name, truth, kernel, seed))
            print(rows[-1], flush=True)
    return rows


def training(seeds: tuple[int, ...]) -> dict[str, np.ndarray]:
    """The generator's kernels during training, for several settings.

    Only the first seed is trained with other settings than all regularisers.
    """
    low = degraded(photo(PICTURE, SIDE), gaussian_kernel(*KERNEL, size=20))
    sets = {"all": {}} | {f"without {name}": {name: 0.0} for name in REGULARISERS}
    sets["none"] = dict.fromkeys(REGULARISERS, 0.0)
    sets["one layer"] = {"deep": False, "learning_rate": 1e-3}
    found = {}
    for seed in seeds:
        for name, weights in sets.items():
            if seed != seeds[0] and name != "all":
                continue
            settings = dataclasses.replace(KernelGANSettings(seed=seed), **weights)
            method, frames = KernelGAN(low, settings), []
            while not method.done:
                if method.step % (settings.steps // FRAMES) == 0:
                    frames.append(method.generator().detach().numpy())
                method.train_step()
            frames.append(method.raw_kernel().numpy())
            found[f"{name}, seed {seed}"] = np.stack(frames).astype(np.float16)
            covariance = moments(method.kernel())[1].round(2).tolist()
            print(name, seed, covariance, flush=True)
    return found


def main(
    sections: tuple[Literal["estimates", "training"], ...] = ("estimates", "training"),
    motions: Path | None = None,
    seeds: tuple[int, ...] = (0,),
) -> None:
    """Measure the sections, and write their files."""
    torch.set_num_threads(1)
    SHIPPED.mkdir(exist_ok=True)
    if "training" in sections:
        np.savez_compressed(SHIPPED / "training.npz", **training(seeds))
    if "estimates" in sections:
        rows = estimates("gaussians", None, seeds)
        if motions is not None:
            kernels = [*np.load(motions).values()]
            rows += estimates(motions.stem, kernels, seeds)
        record.write(
            "kernelgan", rows, record.commit_of_code("benchmarks/kernelgan.py")
        )
        text = json.dumps(rows, indent=1)
        (SHIPPED / "estimates.json").write_text(text + "\n")


if __name__ == "__main__":
    tyro.cli(main)
