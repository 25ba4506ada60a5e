"""The opening of chapter 07, for data/draw_openings.py."""

import numpy as np
import torch
import torch.nn.functional as F
from opening_files import SEED, SIDE, Seconds, animate, drawn, rounded, write
from scipy import ndimage

from dil_teach import photo
from dil_teach.classical.deblur import blind
from dil_teach.classical.deblur.deconvolution import deconvolve
from dil_teach.classical.deblur.error_ratio import smallest_error
from dil_teach.classical.deblur.kernel_fit import clean_kernel, fit_kernel
from dil_teach.image.convention import Image
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.kernel_estimate import moments
from dil_teach.image.photos import photos
from dil_teach.image.resize import resize

SIZE, ROUNDS = 25, blind.DeblurSettings.full().rounds
CORNER = (70, 20)
FRAME_STEPS = 3
"""The animation shows every third round."""


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


def estimate(given: Image) -> list[torch.Tensor]:
    """The kernel after each round of ``estimate_blur``; the last one is its result."""
    grey, sharp, kernel = given.mean(0, keepdim=True), None, torch.ones(1, 1)
    history = []
    for side in blind.kernel_sizes(SIZE):
        blurred = resize(grey, side / SIZE)
        size = (blurred.shape[1], blurred.shape[2])
        sharp = resize(grey if sharp is None else sharp, size=size)
        kernel = blind.enlarge_kernel(kernel, side)
        for step in range(ROUNDS):
            target = blind.sharper_patches(sharp)
            sharp = blind.deconvolve_near(blurred, kernel, target, blind.PRIOR)
            part = blind.part_of_gradients(step / (ROUNDS - 1))
            kernel = fit_kernel(blurred, sharp, side, part)
            history.append(kernel)
    return history


def frame(given: Image, kernel: torch.Tensor) -> Image:
    """The picture that this kernel gives, beside the kernel."""
    small = resize(given, len(kernel) / SIZE)
    found = deconvolve(small, kernel).clamp(0, 1)
    found = resize(found, size=(given.shape[1], given.shape[2])).clamp(0, 1)
    top, left = CORNER
    square = drawn({"": kernel}, (len(kernel) - 1) / 2)[""]
    return torch.cat(
        [
            found[:, top : top + SIDE, left : left + SIDE],
            torch.ones(3, SIDE, 8),
            square.expand(3, -1, -1),
        ],
        dim=2,
    )


def blur() -> None:
    """Chapter 07: blind deblurring of a photograph of 400 pixels."""
    kernel, whole = shake(21), photo("coffee", size=400)
    reach = len(kernel) // 2
    truth = whole[:, reach:-reach, reach:-reach]
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(SEED))
    given = rounded(F.conv2d(whole[:, None], kernel[None, None])[:, 0] + noise / 255)

    seconds = Seconds()
    history = seconds.of("estimated kernel", lambda: estimate(given))
    found = history[-1]
    width = float(np.diagonal(moments(kernel)[1]).mean()) ** 0.5
    round_kernel = gaussian_kernel((width, width), size=len(kernel))
    pictures = {
        "given": given,
        "estimated kernel": deconvolve(given, found).clamp(0, 1),
        "true kernel (oracle)": deconvolve(given, kernel).clamp(0, 1),
        "control: Gaussian": deconvolve(given, round_kernel).clamp(0, 1),
    }
    errors = {n: smallest_error(x, truth)[0] for n, x in pictures.items()}
    shown = {n: x for n, x in pictures.items() if n != "true kernel (oracle)"}
    shown["ground truth"] = truth
    both = {"kernel: estimated": found, "kernel: true": kernel}
    shown |= drawn(both, (SIZE - 1) / 2)
    frames = [frame(given, k) for k in history[FRAME_STEPS - 1 :: FRAME_STEPS]]
    credit = photos()["coffee"]
    write(
        "blur",
        shown,
        {name: round(-10 * np.log10(error), 2) for name, error in errors.items()},
        CORNER,
        animation=animate(
            "blur",
            frames,
            "The cup grows from a blurred picture to a sharp one, while the kernel "
            "beside it grows from a few large squares to a thin curved path",
        ),
        measure="PSNR of the grey picture after the best shift, without a border of 16 "
        "pixels",
        settings=f"DeblurSettings.full(size={SIZE})",
        size=list(given.shape[1:]),
        seconds=seconds,
        error_ratio=round(
            errors["estimated kernel"] / errors["true kernel (oracle)"], 2
        ),
        licence=credit.licence,
        attribution=credit.attribution,
    )
