"""The questions of chapter 16: damage a photograph, run the methods, measure.

Each question is a function with the arguments

- photograph: Image, RGB, sides of 64 pixels or more;
- seed: int, which draws the damage and the random numbers of networks;
- budget: ``"quick"``, ``"standard"`` or ``"full"``, the settings of networks,

and returns a :class:`Trial`. No method runs before it is called.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor

from dil_teach.classical.back_projection import back_project
from dil_teach.classical.completion.wexler import complete_image
from dil_teach.classical.deblur.blind import DeblurSettings, deblur
from dil_teach.classical.deblur.deconvolution import deconvolve
from dil_teach.classical.deblur.error_ratio import moved, smallest_error
from dil_teach.classical.deblur.kernel_fit import clean_kernel
from dil_teach.classical.denoise.bm3d import bm3d
from dil_teach.classical.denoise.nlm import nlm
from dil_teach.classical.denoising import tv_denoise
from dil_teach.classical.haze.airlight import estimate_airlight
from dil_teach.classical.haze.dark_channel import (
    add_haze,
    remove_haze_by_dark_channel,
)
from dil_teach.classical.haze.recurrence import remove_haze_by_recurrence
from dil_teach.classical.inpainting import biharmonic
from dil_teach.classical.retarget import bidirectional, patch_generation
from dil_teach.classical.seams.seam_carving import carve
from dil_teach.classical.super_resolution.glasner import super_resolve_by_recurrence
from dil_teach.classical.telea import telea
from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
from dil_teach.deep.zs_n2n import ZSN2N, ZSN2NSettings
from dil_teach.deep.zssr.zssr import ZSSR, ZSSRSettings
from dil_teach.image.augment import add_noise
from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.convention import Image
from dil_teach.image.degradation import masked
from dil_teach.image.kernel import random_kernel
from dil_teach.image.resize import blur_and_subsample, resize
from dil_teach.patches.search import nearest_patches
from dil_teach.training.loop import fit

SIGMA = 25 / 255
"""Noise of the question on denoising."""
ZS_N2N_STEPS = 250
"""Steps of ZS-N2N with the budget ``quick``: three seeds then take 15 seconds on two
cores. On two photographs of 80 pixels, 400 steps gained 0.2 to 0.4 dB more."""
CAMERA = 1 / 255
"""Noise of a good camera."""
PATCH = 7
"""Side of the patches that the question on retargeting compares, in pixels."""
SHAKE = 13
"""Largest side of the kernel of a camera shake, in pixels."""


class Trial(NamedTuple):
    """A damaged photograph, and what can be done with it."""

    given: Image
    """What every method gets."""
    methods: dict[str, Callable[[], Image]]
    """Functions that compute the results, by name. The first is the control."""
    errors: Callable[[Image], Float[Tensor, "h w"]]
    """The squared error of a result at each pixel (for retargeting: at each patch of
    the photograph)."""


def denoising(photograph: Image, seed: int, budget: str) -> Trial:
    """White noise of 25 grey levels. All methods know this number."""
    given = add_noise(photograph, SIGMA, _generator(seed)).clamp(0, 1)
    settings = getattr(ZSN2NSettings, budget)(seed=seed)
    if budget == "quick":
        settings = replace(settings, steps=ZS_N2N_STEPS)
    methods = {
        "TV (control)": lambda: tv_denoise(given, SIGMA),
        "NLM": lambda: nlm(given, SIGMA),
        "BM3D": lambda: bm3d(given, SIGMA),
        "ZS-N2N": lambda: fit(ZSN2N(given, settings)).result(),
    }
    return Trial(given, methods, partial(_squared_error, photograph))


def super_resolution(photograph: Image, seed: int, budget: str) -> Trial:
    """Half the size, by a random Gaussian blur kernel, which all methods know."""
    truth = photograph[
        :, : photograph.shape[1] // 2 * 2, : photograph.shape[2] // 2 * 2
    ]
    kernel = random_kernel(seed)
    low = blur_and_subsample(truth, kernel, 2)
    given = (low.clamp(0, 1) * 255).round() / 255
    settings = getattr(ZSSRSettings, budget)(seed=seed)
    larger = resize(given, 2)
    methods = {
        "back-projection (control)": lambda: back_project(larger, given, kernel, 2),
        "bicubic": lambda: larger,
        "Glasner et al.": lambda: super_resolve_by_recurrence(given, 2, kernel),
        "ZSSR": lambda: fit(ZSSR(given, 2, kernel, settings)).super_resolve(),
    }
    return Trial(given, methods, partial(_squared_error, truth))


def completion(photograph: Image, seed: int, budget: str) -> Trial:
    """A square hole, a fifth of the shorter side, at a random place."""
    height, width = photograph.shape[1:]
    side = min(height, width) // 5
    rng = _generator(seed)
    top, left = (
        int(torch.randint(side // 2, n - side - side // 2, (), generator=rng))
        for n in (height, width)
    )
    mask = torch.zeros(1, height, width)
    mask[:, top : top + side, left : left + side] = 1
    given = photograph * (1 - mask)
    settings = getattr(DeepImagePriorSettings, budget)(seed=seed)
    prior = partial(DeepImagePrior, given, masked(mask), settings)
    methods = {
        "biharmonic (control)": lambda: biharmonic(given, mask),
        "Telea": lambda: telea(given, mask),
        "Wexler et al.": lambda: complete_image(given, mask).image,
        "Deep Image Prior": lambda: fit(prior()).result(),
    }
    return Trial(given, methods, lambda x: mask[0] * _squared_error(photograph, x))


def dehazing(photograph: Image, seed: int, budget: str) -> Trial:
    """Haze that gets thicker towards the top, with a random colour and density."""
    rng = _generator(seed)
    airlight = to_linear(0.75 + 0.2 * torch.rand(3, 1, 1, generator=rng))
    density = 1 + torch.rand((), generator=rng)
    depth = torch.linspace(1, 0.1, photograph.shape[1])[:, None]
    t = (-density * depth).exp().expand(photograph.shape[1:])
    hazy = to_srgb(add_haze(to_linear(photograph)[None], t[None, None], airlight[None]))
    given = add_noise(hazy[0], CAMERA / 2, rng).clamp(0, 1)[None]

    def dark(light: Tensor | None = None) -> Image:
        return remove_haze_by_dark_channel(given, light).image[0]

    methods = {
        "dark channel (control)": dark,
        "dark channel, airlight by recurrence": lambda: dark(estimate_airlight(given)),
        "recurrence": lambda: remove_haze_by_recurrence(given).image[0],
    }
    return Trial(given[0], methods, partial(_squared_error, photograph))


def deblurring(photograph: Image, seed: int, budget: str) -> Trial:
    """A camera shake that is unknown to the methods, except to the oracle."""
    kernel, reach = shake(seed), SHAKE // 2
    padded = F.pad(photograph[None], 4 * [reach], mode="replicate")[0]
    blurred = F.conv2d(padded[:, None], kernel[None, None])[:, 0]
    given = add_noise(blurred, CAMERA, _generator(seed)).clamp(0, 1)
    settings = getattr(DeblurSettings, budget)(size=17)
    soft = torch.from_numpy(ndimage.gaussian_filter(given.numpy(), (0, 1.5, 1.5)))
    methods = {
        "unsharp mask (control)": lambda: 2 * given - soft,
        "blind deblurring": lambda: deblur(given, settings).image,
        "true kernel (oracle)": lambda: deconvolve(given, kernel),
    }

    def errors(result: Image) -> Float[Tensor, "h w"]:
        # a blind method cannot know the position of the picture
        shift = smallest_error(result, photograph)[1]
        return _squared_error(photograph, moved(result, shift))

    return Trial(given, methods, errors)


def retargeting(photograph: Image, seed: int, budget: str) -> Trial:
    """A smaller width, 60 to 75 percent. The error measures what is missing."""
    height, width = photograph.shape[1:]
    part = 0.6 + 0.15 * float(torch.rand((), generator=_generator(seed)))
    size = (height, round(part * width))
    methods = {
        "plain resizing (control)": lambda: resize(photograph, size=size),
        "seam carving": lambda: carve(photograph, size),
        "bidirectional similarity": lambda: bidirectional.retarget(photograph, size),
        "GPNN": lambda: patch_generation.retarget(photograph, size),
    }

    def missing(result: Image) -> Float[Tensor, "h w"]:
        found = nearest_patches(photograph, result.clamp(0, 1), PATCH, exact=True)
        return found.distance[..., 0] / (PATCH**2 * len(photograph))

    return Trial(photograph, methods, missing)


QUESTIONS = {
    "denoising": denoising,
    "super-resolution": super_resolution,
    "completion": completion,
    "dehazing": dehazing,
    "deblurring": deblurring,
    "retargeting": retargeting,
}
"""The questions by their names in the chapter and on the command line."""


def asked(name: str) -> Callable[[Image, int, str], Trial]:
    """The question with this name; a ValueError lists the names if there is none."""
    if name not in QUESTIONS:
        names = ", ".join(QUESTIONS)
        raise ValueError(f"question: expected one of {names}, got '{name}'")
    return QUESTIONS[name]


def shake(seed: int) -> Float[Tensor, "size size"]:
    """The blur kernel of a random smooth path, with sum 1."""
    speed = np.random.default_rng(seed).normal(size=(200, 2))
    path = ndimage.gaussian_filter1d(speed, 25, axis=0).cumsum(0)
    path *= (SHAKE - 5) / np.ptp(path, axis=0).max()
    path += (SHAKE - 1) / 2 - (path.max(0) + path.min(0)) / 2
    edges = np.arange(SHAKE + 1) - 0.5
    weights = np.histogram2d(*path.T, bins=(edges, edges))[0]
    return clean_kernel(torch.from_numpy(ndimage.gaussian_filter(weights, 0.5)).float())


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _squared_error(truth: Image, result: Image) -> Float[Tensor, "h w"]:
    """The squared difference at each pixel, as a mean over the channels."""
    return (result.clamp(0, 1) - truth).square().mean(0)
