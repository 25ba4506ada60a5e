"""Measure the denoising methods without a network: TV, NLM, K-SVD and BM3D.

    python benchmarks/denoising.py               # all: about half an hour
    python benchmarks/denoising.py --sigmas 25   # one noise level
    python benchmarks/denoising.py --methods TV  # one method

Writes ``benchmarks/results/denoising.json``. All methods know the true noise level, in
grey levels, and get the same noisy image, which is neither clamped nor rounded. Values
are PSNR in dB of the unclamped results. Times are CPU seconds of the process, on one
thread. K-SVD and BM3D have the papers' settings; nothing was tuned on these pictures,
which are the central squares at 256 pixels of the course's grey photographs, and of its
five colour photographs of everyday scenes.

If the package ``bm3d`` (non-commercial licence, never a dependency) is installed by
``pip install -r benchmarks/peers_noncommercial.txt``, its result and its time are
recorded too.
"""

import importlib.util
import json
import time
from collections.abc import Callable
from functools import partial
from statistics import mean

import numpy as np
import record
import torch
import tyro

from dil_teach.classical.denoise.bm3d import bm3d, hard_threshold_stage
from dil_teach.classical.denoise.ksvd import dct_denoise, ksvd
from dil_teach.classical.denoise.nlm import nlm
from dil_teach.classical.denoising import nlm_denoise, tv_denoise
from dil_teach.image.augment import add_noise
from dil_teach.image.convention import Image
from dil_teach.image.metrics import psnr
from dil_teach.image.photos import photo

GREY = ("camera", "coins", "brick", "grass", "gravel", "clock")
COLOUR = ("astronaut", "chelsea", "coffee", "china", "flower")
SIZE = 256


def package_bm3d(noisy: Image, sigma: float) -> Image:
    """The result of the package ``bm3d`` with its defaults."""
    import bm3d as package  # type: ignore[reportMissingImports]

    values = noisy.permute(1, 2, 0).numpy()
    denoise = package.bm3d_rgb if len(noisy) == 3 else package.bm3d
    clean = np.asarray(denoise(values, sigma), dtype=np.float32)
    return torch.from_numpy(clean.reshape(values.shape)).permute(2, 0, 1).contiguous()


METHODS: dict[str, Callable[[Image, float], Image]] = {
    "TV": tv_denoise,
    "NLM": nlm,
    "NLM, sizes of the paper": partial(nlm, patch_size=7, reach=10),
    "NLM of scikit-image": nlm_denoise,
    "DCT dictionary": dct_denoise,
    "K-SVD": ksvd,
    "BM3D stage 1": hard_threshold_stage,
    "BM3D": bm3d,
}
if importlib.util.find_spec("bm3d"):
    METHODS["package bm3d"] = package_bm3d


def measure(name: str, sigma: float, methods: tuple[str, ...]) -> dict:
    truth = photo(name, SIZE)
    rng = torch.Generator().manual_seed(0)
    noisy = add_noise(truth, sigma / 255, rng)
    kind = "colour" if len(truth) == 3 else "grey"
    row = {"image": name, "kind": kind, "sigma": sigma, "noisy": psnr(noisy, truth)}
    seconds = {}
    for method in methods:
        start = time.process_time()
        clean = METHODS[method](noisy, sigma / 255)
        seconds[f"{method} cpu seconds"] = time.process_time() - start
        row[method] = psnr(clean, truth)
    return row | seconds


def main(
    sigmas: tuple[float, ...] = (5, 15, 25, 50),
    images: tuple[str, ...] = GREY + COLOUR,
    methods: tuple[str, ...] = tuple(METHODS),
) -> None:
    """Measure these methods; other values of the record are kept."""
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/denoising.py")
    commits = {"commit": commit}
    if methods != tuple(METHODS):  # the other methods were measured before
        known = json.loads((record.RESULTS / "denoising.json").read_text())
        commits = {k: v for k, v in known.items() if k.startswith("commit")}
        commits |= {f"commit of {method}": commit for method in methods}
    for sigma in sigmas:
        for name in images:
            row, others = {}, []
            for known in record.read("denoising"):
                if (known["image"], known["sigma"]) == (name, sigma):
                    row = known
                else:
                    others.append(known)
            row = row | measure(name, sigma, methods)
            print(row, flush=True)
            rows = sorted(
                [*others, row],
                key=lambda r: (r["sigma"], (GREY + COLOUR).index(r["image"])),
            )
            record.write("denoising", rows, **commits, size=SIZE, seed=0)
    rows = record.read("denoising")
    for sigma in sorted({row["sigma"] for row in rows}):
        for kind in ("grey", "colour"):
            some = [r for r in rows if (r["sigma"], r["kind"]) == (sigma, kind)]
            if some:
                means = {m: mean(r[m] for r in some) for m in ("noisy", *methods)}
                text = ", ".join(f"{m} {value:.2f}" for m, value in means.items())
                print(f"sigma {sigma}, {len(some)} {kind} images: {text}")


if __name__ == "__main__":
    tyro.cli(main)
