"""Compare ZSSR and a network trained on other images, for kernels that are not bicubic.

    python benchmarks/unknown_kernels.py                            # random Gaussians
    python benchmarks/unknown_kernels.py --kernels levin2009.npz    # kernels of a file
    python benchmarks/unknown_kernels.py --budget standard --seeds 0 1 2

It writes ``benchmarks/results/unknown_kernels_<kernels>.json``. Each of ten photographs
is cropped to 512 x 512 pixels (one has 500 rows), blurred with one kernel, halved and
rounded to eight bits. ZSSR enlarges the result with three kernels: bicubic (assumed),
estimated by ``choose_kernel`` (bicubic if the estimate is refused), and true. SRCNN,
VDSR and EDSR+ were trained for bicubic downscaling. With an estimated kernel, ZSSR
trains with the noise of ``KernelChoice.noise``. Two controls learn nothing:
back-projection with the same three kernels, and the correction of the interpolated
image by least squares, with the true and with the estimated kernel. All figures are the
PSNR of luma in dB, without a border of 8 pixels.

The estimator was developed on pictures of BSD200, and ZSSR on astronaut, coffee, flower
and facade; neither set is used here.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import record
import torch
import tyro
from matplotlib.cbook import get_sample_data
from skimage import data

from dil_teach import (
    ZSSR,
    ZSSRSettings,
    blur_and_subsample,
    choose_kernel,
    fit,
    load_external_network,
    load_image,
    photo,
    psnr_y,
    resize,
    super_resolve_with,
)
from dil_teach.classical.back_projection import back_project
from dil_teach.classical.least_squares import correct_by_least_squares
from dil_teach.image.convention import Image, from_uint8
from dil_teach.image.kernel_estimate import gaussian_of

SIDE = 512
SHAVE = 8
BUNDLED = ("camera", "retina", "hubble", "brick", "grass", "gravel")
VARIANCES = (0.6, 5.0)
"""The variances of the random Gaussians along both axes are in this range, in pixels²,
as in KernelGAN's experiments."""


def photographs() -> dict[str, Image]:
    """Ten photographs, cropped to their middle."""
    found = {name: photo(name) for name in BUNDLED}
    found["moon"] = from_uint8(data.moon())
    found["tissue"] = from_uint8(data.immunohistochemistry())
    found["hopper"] = load_image(get_sample_data("grace_hopper.jpg", asfileobj=False))
    found["motorcycle"] = from_uint8(data.stereo_motorcycle()[0])
    return {name: middle(image) for name, image in found.items()}


def middle(image: Image) -> Image:
    """The middle of an image, at most 512 pixels a side, with even sides."""
    height, width = (min(n, SIDE) // 2 * 2 for n in image.shape[1:])
    top, left = (image.shape[1] - height) // 2, (image.shape[2] - width) // 2
    return image[:, top : top + height, left : left + width]


def random_gaussian(seed: int) -> torch.Tensor:
    """A Gaussian with random variances and a random angle."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, np.pi)
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return gaussian_of(axes @ np.diag(rng.uniform(*VARIANCES, 2)) @ axes.T)


def outside(low: Image) -> dict[str, Image]:
    """The image enlarged by networks that were trained on other images."""
    return {
        "SRCNN": super_resolve_with(load_external_network("srcnn"), low),
        "VDSR": super_resolve_with(load_external_network("vdsr"), low),
        "EDSR+": super_resolve_with(load_external_network("edsr"), low, ensemble=True),
    }


def row(name: str, truth: Image, kernel: torch.Tensor, settings: ZSSRSettings) -> dict:
    """The PSNR of each method on one photograph with one kernel."""
    low = (blur_and_subsample(truth, kernel, 2).clamp(0, 1) * 255).round() / 255
    choice = choose_kernel(low, settings.seed)
    kernels = {"bicubic assumed": "bicubic", "true kernel": kernel}
    if choice.kernel is not None:
        kernels["estimated kernel"] = choice.kernel
    interpolated = resize(low, 2)
    results = {
        "bicubic interpolation": interpolated,
        "least squares, true kernel": correct_by_least_squares(
            interpolated, low, kernel, 2
        ),
    } | outside(low)
    for what, known in kernels.items():
        results[f"back-projection, {what}"] = back_project(interpolated, low, known, 2)
        noise = choice.noise if what == "estimated kernel" else 0.0
        trained = fit(ZSSR(low, 2, known, replace(settings, noise=noise)))
        results[f"ZSSR, {what}"] = trained.super_resolve()
    if choice.kernel is not None:
        results["least squares, estimated kernel"] = correct_by_least_squares(
            interpolated, low, choice.kernel, 2, choice.noise
        )
    found = {
        what: round(psnr_y(image.clamp(0, 1), truth, SHAVE), 2)
        for what, image in results.items()
    }
    for method in ("back-projection", "ZSSR"):
        assumed = found[f"{method}, bicubic assumed"]
        found.setdefault(f"{method}, estimated kernel", assumed)
    # for the bicubic kernel, back-projection solves the same task
    assumed = found["back-projection, bicubic assumed"]
    found.setdefault("least squares, estimated kernel", assumed)
    accepted = choice.kernel is not None
    about = {"photograph": name, "seed": settings.seed, "estimate accepted": accepted}
    return about | found


def main(
    kernels: Path | None = None,
    budget: str = "quick",
    seeds: tuple[int, ...] = (0,),
) -> None:
    """Measure all photographs, and write the rows and their means after each seed."""
    torch.set_num_threads(1)
    held = None if kernels is None else [*np.load(kernels).values()]
    commit = record.commit_of_code("benchmarks/unknown_kernels.py")
    kind = "gaussians" if kernels is None else kernels.stem
    rows = []
    for seed in seeds:
        for number, (name, truth) in enumerate(photographs().items()):
            kernel = random_gaussian(100 * seed + number)
            if held is not None:
                kernel = torch.from_numpy(held[(number + seed) % len(held)]).float()
            settings = getattr(ZSSRSettings, budget)(seed=seed)
            rows.append(row(name, truth, kernel, settings))
            print(rows[-1], flush=True)
        mean = means(rows)
        print({key: round(value, 2) for key, value in mean.items()}, flush=True)
        record.write(f"unknown_kernels_{kind}", rows, commit, mean=mean, budget=budget)


def means(rows: list[dict]) -> dict[str, float]:
    """The mean of each figure, and how much of the gap the estimates close."""
    figures = [key for key in rows[0] if isinstance(rows[0][key], float)]
    mean = {key: float(np.mean([row[key] for row in rows])) for key in figures}
    assumed, estimated, true = (
        mean[f"ZSSR, {what}"]
        for what in ("bicubic assumed", "estimated kernel", "true kernel")
    )
    mean["part of the gap closed"] = (estimated - assumed) / (true - assumed)
    worst = [r["ZSSR, estimated kernel"] - r["ZSSR, bicubic assumed"] for r in rows]
    mean["worst loss by the estimate"] = min(worst)
    return mean


if __name__ == "__main__":
    tyro.cli(main)
