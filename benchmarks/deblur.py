"""Measure blind deblurring on the camera shakes of Levin et al., CVPR 2009.

    python benchmarks/deblur.py --kernels levin2009.npz
    python benchmarks/deblur.py --kernels levin2009.npz --budget standard

It writes ``benchmarks/results/deblur_<kernels>.json``. Each of four photographs is made
smaller, to 300 x 300 pixels, and blurred with each kernel of the file. Only pixels are
kept whose blur needs no pixel from outside. Noise of one grey level is added, and the
result is rounded to eight bits.

The error ratio (Levin et al., CVPR 2009) is the sum of squared errors of the picture
that was deconvolved with the estimated kernel, divided by that with the true kernel.
Both use ``deconvolve`` on the grey picture with the same smoothness. The estimate may
be shifted, because a blind method cannot know the position of the picture. A border of
20 pixels is left out. A ratio of at most 3
counts as a success.

Controls with everything else equal: total variation instead of patches; a Gaussian
with the mean variance of the true kernel; and, on the first photograph, the kernel from
all gradients instead of the strongest. ``--resume`` keeps the rows of the record, and
adds the controls that they lack.

It also writes ``benchmarks/results/credit_deblur.json``: PSNR of the grey picture after
the best shift. Its seed s has photograph i with kernel i + s.

The method was developed on pictures of BSD200 with random motions.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import record
import torch
import torch.nn.functional as F
import tyro
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from dil_teach import DeblurSettings, deblur, photo, psnr
from dil_teach.classical.deblur import blind
from dil_teach.classical.deblur.deconvolution import SMOOTHNESS, deconvolve
from dil_teach.classical.deblur.kernel_fit import fit_kernel
from dil_teach.image.convention import Image
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.kernel_estimate import moments
from dil_teach.image.resize import resize

PHOTOGRAPHS = ("camera", "astronaut", "coffee", "chelsea")
SIDE = 300
BORDER = 20
LITTLE_SMOOTHNESS = 2e-4
"""The best weight of the total variation for true kernels; estimated kernels have
errors of their own, for which the default weight is larger."""
CONTROL_SMOOTHNESS = 0.03, 0.003
"""Weight of the control's total variation in the first and in the last round of a
level. On eight pictures of BSD200, it was better than three times this weight."""
CONTROL_ROUNDS = 15


def blur(image: Image, kernel: torch.Tensor, seed: int) -> Image:
    """Blur without a border, add noise, and round to eight bits."""
    blurred = F.conv2d(image[:, None], kernel[None, None])[:, 0]
    rng = torch.Generator().manual_seed(seed)
    noise = torch.randn(blurred.shape, generator=rng) / 255
    return ((blurred + noise).clamp(0, 1) * 255).round() / 255


def shifted_error(image: Image, truth: Image) -> float:
    """The smallest sum of squared errors over shifts of an eighth of a pixel."""
    grey, wanted = image[0].double().numpy(), truth[0].double().numpy()
    plain: Any = None  # no normalisation: the correlation itself
    shift, *_ = phase_cross_correlation(wanted, grey, normalization=plain)

    def error(move: np.ndarray) -> float:
        moved = ndimage.shift(grey, move, order=3, mode="nearest")
        inside = (slice(BORDER, -BORDER),) * 2
        return float(((moved - wanted)[inside] ** 2).sum())

    best = np.array(shift, float)
    for step in (1, 1 / 2, 1 / 4, 1 / 8):
        near = [best + step * np.array([y, x]) for y in (-1, 0, 1) for x in (-1, 0, 1)]
        best = min(near, key=error)
    return error(best)


def estimate_with(
    image: Image, settings: DeblurSettings, sharpen: Callable, strong: Callable
) -> torch.Tensor:
    """``estimate_blur`` with another step 2, and another part of the gradients."""
    grey = image.mean(0, keepdim=True)
    sharp, kernel = grey, torch.ones(1, 1)
    for side in blind.kernel_sizes(settings.size):
        blurred = resize(grey, side / settings.size)
        sharp = resize(sharp, size=(blurred.shape[1], blurred.shape[2]))
        kernel = blind.enlarge_kernel(kernel, side)
        for step in range(settings.rounds):
            progress = step / max(settings.rounds - 1, 1)
            sharp = sharpen(blurred, kernel, sharp, progress)
            kernel = fit_kernel(blurred, sharp, side, strong(progress))
    return kernel


def by_total_variation(
    blurred: Image, kernel: torch.Tensor, _: Image, progress: float
) -> Image:
    """The control of the patches."""
    first, last = CONTROL_SMOOTHNESS
    smoothness = first * (last / first) ** progress
    return deconvolve(blurred, kernel, smoothness, CONTROL_ROUNDS)


def by_patches(blurred: Image, kernel: torch.Tensor, sharp: Image, _: float) -> Image:
    """Steps 1 and 2 of the method."""
    target = blind.sharper_patches(sharp)
    return blind.deconvolve_near(blurred, kernel, target, blind.PRIOR)


def row(name: str, number: int, kernel: torch.Tensor, settings: DeblurSettings) -> dict:
    """The error ratios on one photograph with one kernel."""
    truth = photo(name, SIDE)
    blurred = blur(truth, kernel, number)
    reach = len(kernel) // 2
    truth = truth[:, reach:-reach, reach:-reach].mean(0, keepdim=True)
    begin = time.process_time()
    found = deblur(blurred, settings)
    seconds = time.process_time() - begin
    blurred = blurred.mean(0, keepdim=True)
    best = shifted_error(deconvolve(blurred, kernel), truth)
    count = (truth.shape[1] - 2 * BORDER) * (truth.shape[2] - 2 * BORDER)
    about = {"photograph": name, "kernel": number, "called sharp": found.sharp}
    error = shifted_error(deconvolve(blurred, found.kernel), truth)
    less = [
        shifted_error(deconvolve(blurred, each, LITTLE_SMOOTHNESS), truth)
        for each in (found.kernel, kernel)
    ]
    decibels = {"blurred": shifted_error(blurred, truth), "true kernel": best}
    decibels["estimated kernel"] = error
    return (
        about
        | {"ratio, patches": round(error / best, 2)}
        | {"ratio, patches, little smoothness": round(less[0] / less[1], 2)}
        | {
            f"PSNR, {what}": round(-10 * np.log10(e / count), 2)
            for what, e in decibels.items()
        }
        | {"CPU seconds": round(seconds, 1)}
    )


def by_gaussian(kernel: torch.Tensor) -> torch.Tensor:
    """A Gaussian with the mean variance of the true kernel."""
    width = float(np.diagonal(moments(kernel)[1]).mean()) ** 0.5
    return gaussian_kernel((width, width), size=len(kernel)).float()


def complete(row: dict, kernel: torch.Tensor, settings: DeblurSettings) -> dict:
    """A row with the controls that it lacks."""
    truth = photo(row["photograph"], SIDE)
    blurred = blur(truth, kernel, row["kernel"]).mean(0, keepdim=True)
    reach = len(kernel) // 2
    truth = truth[:, reach:-reach, reach:-reach].mean(0, keepdim=True)
    best = shifted_error(deconvolve(blurred, kernel), truth)
    controls = {
        "total variation": lambda: estimate_with(
            blurred, settings, by_total_variation, blind.part_of_gradients
        ),
        "Gaussian": lambda: by_gaussian(kernel),
    }
    if row["photograph"] == PHOTOGRAPHS[0]:
        controls["all gradients"] = lambda: estimate_with(
            blurred, settings, by_patches, lambda _: 1.0
        )
    ratios = {
        f"ratio, {what}": shifted_error(deconvolve(blurred, estimate()), truth) / best
        for what, estimate in controls.items()
        if f"ratio, {what}" not in row
    }
    return row | {what: round(ratio, 2) for what, ratio in ratios.items()}


def write_credit(rows: list[dict], commit: str, budget: str) -> None:
    """Record which part of the method has which share of the result."""

    def values(what: str) -> list[float]:
        means = []
        for seed in (0, 1, 2):
            of_seed = []
            for number, name in enumerate(PHOTOGRAPHS):
                found = next(
                    r
                    for r in rows
                    if r["photograph"] == name and r["kernel"] == number + seed + 1
                )
                if f"PSNR, {what}" in found:
                    of_seed.append(found[f"PSNR, {what}"])
                else:
                    lost = 10 * np.log10(found[f"ratio, {what}"])
                    of_seed.append(found["PSNR, true kernel"] - lost)
            means.append(round(float(np.mean(of_seed)), 2))
        return means

    parts = [
        ("input", "the blurred picture", "blurred"),
        ("baseline", "Gaussian of the true variance", "Gaussian"),
        ("baseline", "total variation in place of the patches", "total variation"),
        ("final", "kernel by patches, then total variation", "estimated kernel"),
        ("oracle", "true kernel, then total variation", "true kernel"),
    ]
    record.write(
        "credit_deblur",
        [{"role": role, "name": name, "values": values(w)} for role, name, w in parts],
        commit,
        result="deblurring with an estimated kernel",
        measure="PSNR of the grey picture after the best shift, dB",
        better="higher",
        where=f"four photographs of {SIDE} x {SIDE} pixels, each with one camera shake "
        f"of Levin et al. for each seed, budget {budget}",
        missing={
            "initialisation": "it is a kernel of one pixel, which gives the input",
            "network": "no network is trained; the method's own output is the kernel, "
            "and the same deconvolution follows in each row",
        },
    )


def sharp_row(name: str, settings: DeblurSettings) -> dict:
    """What happens to a photograph that is sharp."""
    image = photo(name, SIDE)
    found = deblur(image, settings)
    return {
        "photograph": name,
        "called sharp": found.sharp,
        "PSNR to the input": psnr(found.image, image),
        "pixels covered by the kernel": round(blind.pixels_covered(found.kernel), 1),
    }


def main(kernels: Path, budget: str = "quick", resume: bool = False) -> None:
    """Measure all photographs and kernels; write the rows, medians and successes."""
    torch.set_num_threads(1)
    settings = getattr(DeblurSettings, budget)()
    commit = record.commit_of_code("benchmarks/deblur.py")
    shakes = [torch.from_numpy(k).float() for k in np.load(kernels).values()]
    known = record.read(f"deblur_{kernels.stem}") if resume else []
    done = {(r["photograph"], r["kernel"]): r for r in known}
    rows = []
    for name in PHOTOGRAPHS:
        for number, kernel in enumerate(shakes, 1):
            patches = done.get((name, number)) or row(name, number, kernel, settings)
            rows.append(complete(patches, kernel, settings))
            print(rows[-1], flush=True)
    ratios = {
        key: [each[key] for each in rows if key in each]
        for key in rows[0]
        if key.startswith("ratio")
    }
    median = {key: float(np.median(values)) for key, values in ratios.items()}
    success = {key: np.mean(np.array(v) <= 3).item() for key, v in ratios.items()}
    sharp = [sharp_row(name, settings) for name in PHOTOGRAPHS]
    for what in (median, success, sharp):
        print(what)
    record.write(
        f"deblur_{kernels.stem}",
        rows,
        commit,
        budget=budget,
        smoothness=SMOOTHNESS,
        median=median,
        success=success,
        sharp=sharp,
    )
    write_credit(rows, commit, budget)


if __name__ == "__main__":
    tyro.cli(main)
