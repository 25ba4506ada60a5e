"""Look for conditions under which the networks of Double-DIP separate layers best.

    python benchmarks/layer_regimes.py                  # both sections
    python benchmarks/layer_regimes.py --sections noise # one section

``noise`` and ``gaps`` separate two mixtures with noise, or without half of their
pixels, and write ``benchmarks/results/credit_layers_NAME.json``. Textures are in
``benchmarks/layer_textures.py``.
"""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from credit_layers import SEEDS, TRANSPARENCY, WORSE, Values, collect, rows_of, write
from separation import NOISE, worse_layer
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from dil_teach import Separation, SeparationSettings, fit
from dil_teach.classical.denoise.bm3d import bm3d
from dil_teach.classical.exclusion_search import exclusion, exclusion_search, unmix
from dil_teach.image.metrics import noise_level
from dil_teach.image.resize import resize
from dil_teach.image.scenes import scene, scenes

SIDE = 64

CACHE = Path(os.environ.get("LAYER_CACHE", "layer_regimes"))
"""Finished runs are kept here, so that an interrupted section can be continued."""


def kept(name: str, work: Callable[[], Any]) -> Any:
    """The result of the work, or of an earlier run of the same work."""
    CACHE.mkdir(exist_ok=True)
    file = CACHE / f"{name}.pt"
    if not file.exists():
        torch.save(work(), file)
    return torch.load(file, weights_only=True)


def small_pair(name: str) -> tuple[Tensor, Tensor, tuple[float, float]]:
    """The mixtures and the layers of a scene, 64 x 64 pixels; the coefficients."""
    images, known = scene(name).images, scene(name).known["coefficients"]
    layers = resize(images["layers"], size=(SIDE, SIDE)).clamp(0, 1)
    shares = (known[0], known[1])
    mixtures = torch.stack([a * layers[0] + (1 - a) * layers[1] for a in shares])
    return mixtures, layers, shares


def gains(shares: tuple[float, float]) -> tuple[float, float]:
    """The factors by which the closed form amplifies the noise of the mixtures."""
    a, b = shares
    return (
        math.hypot(1 - b, 1 - a) / abs(a - b),
        math.hypot(a, b) / abs(a - b),
    )


def denoised(mixtures: Tensor, shares: tuple[float, float]) -> Tensor:
    """The layers in closed form, denoised by BM3D, which is told the noise."""
    layers = unmix(mixtures, shares)
    noise = [NOISE * gain for gain in gains(shares)]
    return torch.stack([bm3d(x, s) for x, s in zip(layers, noise, strict=True)])


def learn(mixtures: Tensor, seed: int) -> Tensor:
    """Four pictures: the networks' two layers, and the two layers in closed form."""
    settings = SeparationSettings(steps=400, seed=seed)
    found = fit(Separation(mixtures, settings)).layers()
    own = [found.network_first, found.network_second]
    return torch.stack([*own, found.first, found.second])


def noise() -> None:
    """Noise of 5 grey levels: BM3D after the closed form is the baseline."""
    values: Values = {}
    for name in scenes("mixture"):
        clean, layers, shares = small_pair(name)
        for seed in SEEDS:
            rng = torch.Generator().manual_seed(seed)
            given = clean + NOISE * torch.randn(clean.shape, generator=rng)
            given = given.clamp(0, 1)
            learned = kept(f"noise {name} {seed}", lambda g=given, s=seed: learn(g, s))
            searched = exclusion_search(given, 2.0)
            found = {
                "the mixtures": given,
                "blurred search, closed form": unmix(given, searched),
                "exclusion search, closed form": unmix(given, exclusion_search(given)),
                "search with a blur of 1 pixel, closed form": unmix(
                    given, exclusion_search(given, 1.0)
                ),
                "blurred search, closed form, BM3D": denoised(given, searched),
                "the networks' layers": learned[:2],
                "networks' coefficients, closed form": learned[2:],
                "true coefficients, closed form": unmix(given, shares),
                "true coefficients, closed form, BM3D": denoised(given, shares),
            }
            for key, pair in found.items():
                collect(values, key, seed, worse_layer(pair, layers))
        print(name, {k: v[2][-1] for k, v in values.items()}, flush=True)
    roles = TRANSPARENCY | {
        "blurred search, closed form, BM3D": "baseline",
        "true coefficients, closed form, BM3D": "oracle",
    }
    write(
        "layers_noise",
        rows_of(values, roles),
        result="Separation of two noisy mixtures",
        measure=WORSE,
        better="higher",
        where=f"six rendered pairs, {SIDE} x {SIDE} pixels, 400 steps",
        missing={},
    )


def without_gaps(mixtures: Tensor, seen: Tensor, seed: int) -> Tensor:
    """The networks' layers; the loss uses only the pixels that are seen."""
    filled = filled_in(mixtures, seen)
    separation = Separation(filled, SeparationSettings(steps=400, seed=seed))
    dip, weight = separation.dip, separation.settings.exclusion
    for step in range(dip.steps):
        drawn = dip.draw()
        error = (drawn.compose() - mixtures).square() * seen
        losses = {
            "reconstruction": error.sum() / (seen.sum() * mixtures.shape[1]),
            "exclusion": weight * exclusion(drawn.front, drawn.back),
        }
        dip.update(drawn, losses, step)
    learned = separation.layers()
    return torch.stack([learned.network_first, learned.network_second])


def filled_in(mixtures: Tensor, seen: Tensor) -> Tensor:
    """The mixtures with biharmonic interpolation in the gaps."""
    filled = [
        inpaint_biharmonic(
            np.moveaxis(x.numpy(), 0, -1), s[0].numpy() == 0, channel_axis=-1
        )
        for x, s in zip(mixtures, seen, strict=True)
    ]
    return torch.from_numpy(np.stack(filled)).permute(0, 3, 1, 2).float().clamp(0, 1)


def gaps() -> None:
    """Half of the pixels of each mixture are missing, at random places."""
    values: Values = {}
    for name in scenes("mixture")[:3]:
        clean, layers, shares = small_pair(name)
        for seed in SEEDS:
            rng = torch.Generator().manual_seed(seed)
            seen = (torch.rand(2, 1, SIDE, SIDE, generator=rng) < 0.5).float()
            given = clean * seen
            filled = filled_in(given, seen)
            found = {
                "the mixtures": filled,
                "blurred search, closed form": unmix(
                    filled, exclusion_search(filled, 2.0)
                ),
                "exclusion search, closed form": unmix(
                    filled, exclusion_search(filled)
                ),
                "the networks' layers": kept(
                    f"gaps {name} {seed}",
                    lambda g=given, m=seen, s=seed: without_gaps(g, m, s),
                ),
                "true coefficients, closed form": unmix(filled, shares),
            }
            smooth = [
                bm3d(x, float(noise_level(x.clamp(0, 1))))
                for x in found["blurred search, closed form"]
            ]
            found["blurred search, closed form, BM3D"] = torch.stack(smooth)
            for key, pair in found.items():
                collect(values, key, seed, worse_layer(pair, layers))
        print(name, {k: v[2][-1] for k, v in values.items()}, flush=True)
    roles = {k: role for k, role in TRANSPARENCY.items() if k in values}
    roles["blurred search, closed form, BM3D"] = "baseline"
    write(
        "layers_gaps",
        rows_of(values, roles),
        result="Separation of two mixtures without half of their pixels",
        measure=WORSE,
        better="higher",
        where=f"three rendered pairs, {SIDE} x {SIDE} pixels, gaps interpolated, "
        "400 steps",
        missing={"final": "the closed form needs both pixels"},
    )


SECTIONS = {f.__name__: f for f in (noise, gaps)}


def main(sections: tuple[str, ...] = tuple(SECTIONS)) -> None:
    """Measure each condition."""
    torch.set_num_threads(1)
    for section in sections:
        SECTIONS[section]()


if __name__ == "__main__":
    tyro.cli(main)
