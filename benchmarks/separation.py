"""Compare transparency separation with methods without a network.

    python benchmarks/separation.py                         # both sections
    python benchmarks/separation.py --sections mixtures     # two mixtures
    python benchmarks/separation.py --seeds 0               # one seed

It writes ``benchmarks/results/separation_<section>.json``. The scenes are the rendered
scenes of the library. Settings were chosen on other scenes (``data/render_scenes.py
--practice``). Times are CPU seconds of the process, on one thread.
``benchmarks/watermark.py`` measures watermarks.

With two mixtures, both the result and the ground truth are ordered: first comes the
layer that is stronger in the first mixture. One mixture gives no order, so both orders
are compared with the ground truth, and the better result is printed. Because the better
order is chosen, even a random change of I/2 can raise the PSNR a little. The
correlation with the true difference of the layers shows whether the change is real.
"""

import time
from collections.abc import Callable

import record
import torch
import tyro
from torch import Tensor

from dil_teach import Separation, SeparationSettings, fit
from dil_teach.classical.exclusion_search import exclusion_search, unmix
from dil_teach.image.metrics import psnr
from dil_teach.image.scenes import scene, scenes

NOISE = 5 / 255
BLURS = (0.0, 1.0, 2.0)
"""The blur widths that the search tries, in pixels. Users do not know which width suits
the noise."""


def coefficient_error(found: tuple[float, ...], known: list[float]) -> float:
    """The larger error of the two coefficients."""
    return max(abs(a - b) for a, b in zip(found, known, strict=True))


def worse_layer(found: Tensor, known: Tensor) -> float:
    """The PSNR of the worse layer."""
    return min(psnr(a.clamp(0, 1), b) for a, b in zip(found, known, strict=True))


def mixtures(seeds: tuple[int, ...]) -> list[dict]:
    """Compare Double-DIP and the search with each blur, on two clean or noisy mixtures.

    For noisy mixtures, only the first training seed is used.
    """
    rows = []
    for noise in (0.0, NOISE):
        for name in scenes("mixture"):
            shipped = scene(name)
            layers, known = shipped.images["layers"], shipped.known["coefficients"]
            given = shipped.images["mixtures"]
            rng = torch.Generator().manual_seed(
                0
            )  # seeds of the noise, the same for all training seeds
            given = given + noise * torch.randn(given.shape, generator=rng)
            given = given.clamp(0, 1)
            controls = {
                "dB with the true coefficients": worse_layer(
                    unmix(given, (known[0], known[1])), layers
                )
            }
            for blur in BLURS:
                start = time.process_time()
                searched = exclusion_search(given, blur)
                controls |= {
                    f"search, blur {blur}: seconds": time.process_time() - start,
                    f"search, blur {blur}: error": coefficient_error(searched, known),
                    f"search, blur {blur}: dB": worse_layer(
                        unmix(given, searched), layers
                    ),
                }
            for seed in seeds[:1] if noise else seeds:
                start = time.process_time()
                settings = SeparationSettings.standard(seed=seed)
                found = fit(Separation(given, settings)).layers()
                own = torch.stack([found.network_first, found.network_second])
                closed = torch.stack([found.first, found.second])
                row = {"scene": name, "noise": noise, "seed": seed}
                row |= {
                    "seconds": time.process_time() - start,
                    "coefficients": found.coefficients,
                    "error": coefficient_error(found.coefficients, known),
                    "dB, closed form": worse_layer(closed, layers),
                    "dB, networks' own": worse_layer(own, layers),
                }
                rows.append(row | controls)
                print(rows[-1])
    return rows


def one_mixture(seeds: tuple[int, ...]) -> list[dict]:
    """Compare Double-DIP with two baselines on one mixture of equal parts.

    The parts a y1 and (1 - a) y2 are what the layers add to the mixture I. The first
    baseline estimates both parts as I/2. The second baseline estimates the parts as c I
    and (1 - c) I, with the best c for the ground truth. PSNR is computed on the parts,
    multiplied by 2.
    """
    rows = []
    for name in scenes("mixture"):
        layers = scene(name).images["layers"]
        mixture = layers.mean(0, keepdim=True)
        halves = mixture.expand_as(layers)
        error = (layers[0] - layers[1]) / 2
        # c minimises |2 c I - y1|^2 + |2 (1 - c) I - y2|^2; errors are opposite
        c = 0.5 + 0.5 * float((error * mixture[0]).sum() / mixture.square().sum())
        split = torch.stack([2 * c * mixture[0], 2 * (1 - c) * mixture[0]])
        controls = {
            "dB, I/2": mean_psnr(halves, layers),
            "best constant split": c,
            "dB, best constant split": mean_psnr(split, layers),
        }
        for seed in seeds:
            start = time.process_time()
            settings = SeparationSettings.standard(seed=seed)
            found = fit(Separation(mixture, settings)).layers()
            pair = torch.stack([found.first, found.second])
            drawn = (pair[0] - pair[1]) / 2
            row = {"scene": name, "seed": seed}
            row |= {
                "seconds": time.process_time() - start,
                "dB, better order": max(
                    mean_psnr(pair, layers), mean_psnr(pair.flip(0), layers)
                ),
                "correlation with the true difference": float(
                    (drawn * error).sum().abs() / (drawn.norm() * error.norm())
                ),
            }
            rows.append(row | controls)
            print(rows[-1])
    return rows


def mean_psnr(found: Tensor, known: Tensor) -> float:
    """The PSNR of both layers together."""
    return psnr(found.flatten(0, 1), known.flatten(0, 1))


SECTIONS: dict[str, Callable[[tuple[int, ...]], list[dict]]] = {
    f.__name__: f for f in (mixtures, one_mixture)
}


def main(
    sections: tuple[str, ...] = tuple(SECTIONS), seeds: tuple[int, ...] = (0, 1, 2)
) -> None:
    """Measure separation, section by section."""
    torch.set_num_threads(1)
    for section in sections:
        commit = record.commit_of_code("benchmarks/separation.py")
        record.write(f"separation_{section}", SECTIONS[section](seeds), commit)


if __name__ == "__main__":
    tyro.cli(main)
