"""Measure whether KernelGAN finds the direction of an oblique Gaussian.

    python benchmarks/kernelgan_direction.py  # a minute for each photograph

Each photograph is blurred with one Gaussian, made two times smaller and rounded to
eight bits. A row of ``benchmarks/results/kernelgan_direction.json`` is one training
with the budget `standard` and seed 0: the angle of the estimate's longer axis, its
distance from the true angle, both standard deviations, and the relative error of the
covariance. The photographs have up to 768 pixels a side. The script writes after each
run, and skips runs that the record has.
"""

import math

import numpy as np
import record
import torch
import tyro
from kernelgan import degraded, relative_error

from dil_teach import KernelGAN, KernelGANSettings, fit, photo
from dil_teach.image.convention import Image
from dil_teach.image.kernel import Kernel2d, gaussian_kernel
from dil_teach.image.kernel_estimate import moments

SEED = 0
KERNEL = gaussian_kernel((2.4, 1.1), 0.6, size=20)
"""The kernel of chapter 11; its longer axis has an angle of 34 degrees."""
PHOTOGRAPHS = ("china", "brick", "gravel", "room")
SCRIPT = "benchmarks/kernelgan_direction.py"


def picture(name: str) -> Image:
    """A photograph with sides that are multiples of 4."""
    image = photo(name)
    height, width = (side - side % 4 for side in image.shape[1:])
    return image[:, :height, :width]


def axes(covariance: np.ndarray) -> tuple[float, float, float]:
    """The angle of the longer axis in degrees, and both standard deviations."""
    variances, vectors = np.linalg.eigh(covariance)
    angle = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1])) % 180
    return angle, variances[1] ** 0.5, variances[0] ** 0.5


def judged(name: str, found: Kernel2d) -> dict:
    """The row of one estimate."""
    truth = moments(KERNEL)[1]
    covariance = moments(found)[1]
    at, longer, shorter = axes(covariance)
    off = abs((at - axes(truth)[0] + 90) % 180 - 90)
    return {
        "photograph": name,
        "angle": round(at, 1),
        "off": round(off, 1),
        "longer sigma": round(float(longer), 2),
        "shorter sigma": round(float(shorter), 2),
        "error": round(relative_error(covariance, truth), 3),
    }


def main() -> None:
    """Train for each photograph, and write the record."""
    torch.set_num_threads(1)
    rows = record.read("kernelgan_direction")
    for name in PHOTOGRAPHS:
        if name in {row["photograph"] for row in rows}:
            continue
        low = degraded(picture(name), KERNEL)
        gan = fit(KernelGAN(low, KernelGANSettings.standard(seed=SEED)))
        rows.append(judged(name, gan.kernel()))
        print(rows[-1], flush=True)
        commit = record.commit_of_code(SCRIPT)
        about = {"settings": "KernelGANSettings.standard()", "seed": SEED}
        record.write("kernelgan_direction", rows, commit, **about)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
