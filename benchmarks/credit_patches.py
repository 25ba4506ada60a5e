"""Who did the work in the chapters about patches: 02, 03 and 04.

    python benchmarks/credit_patches.py denoising completion   # some sections
    python benchmarks/credit_patches.py                        # all: six CPU minutes

Each section writes ``benchmarks/results/credit_<section>.json``: one row for each part
of a method, its controls and its oracle, with one mean over the pictures for each seed.
Values that other scripts have measured come from their records in the same folder.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Callable
from statistics import mean

import record
import torch
from denoising import GREY, SIZE

from dil_teach import (
    photo,
    psnr,
)
from dil_teach.classical.denoise.bm3d import bm3d, hard_threshold_stage, wiener_stage
from dil_teach.classical.denoise.ksvd import dct_denoise, ksvd
from dil_teach.classical.denoise.nlm import nlm
from dil_teach.classical.denoising import tv_denoise
from dil_teach.image.augment import add_noise
from dil_teach.image.convention import Image
from dil_teach.image.metrics import noise_level

SEEDS = (0, 1, 2)
NO_NETWORK = "no method of this table has a network"

Rows = list[dict]


def row(role: str, name: str, *values: float) -> dict:
    return {"role": role, "name": name, "values": list(values)}


def write(section: str, rows: Rows, **about: object) -> None:
    commit = record.commit_of_code("benchmarks/credit_patches.py")
    record.write(f"credit_{section}", rows, commit, **about)
    for each in rows:
        print(section, each, flush=True)


def statistics() -> None:
    """Chapter 02: the predicted parents, from two records."""
    alone = record.read("internal_statistics_prediction")
    alike = record.read("internal_statistics_equal_pairs")

    def over_cases(errors: list[float]) -> float:
        return math.sqrt(mean(error**2 for error in errors))

    rows = [
        row("baseline", "bicubic", over_cases([r["bicubic, error"] for r in alone])),
        row(
            "baseline",
            "outside, as many pairs",
            over_cases([r["external, error"] for r in alike]),
        ),
    ]
    for place, number in enumerate(alone[0]["pictures"]):
        errors = [r["external, error"][place] for r in alone]
        name = f"outside, {number} pictures".replace(" 1 pictures", " 1 picture")
        rows.append(row("baseline", name, over_cases(errors)))
    rows.append(
        row("final", "inside", over_cases([r["internal, error"] for r in alone]))
    )
    write(
        "statistics",
        rows,
        result="parents, predicted by the nine most similar patches",
        measure="root mean squared error of a parent, grey levels",
        better="lower",
        where="six images of 384 pixels, five gradient bins with 30 patches each",
        missing={
            "input": "the patch itself has another size than its parent",
            "initialisation": "the search has no start",
            "network": NO_NETWORK,
            "oracle": "nothing is chosen with the truth",
        },
    )


def denoising() -> None:
    """Chapter 03: the six grey photographs, noise of 25 grey levels, three seeds."""
    sigma = 25 / 255
    known = {
        r["image"]: r for r in record.read("denoising") if r["sigma"] == 25
    }  # seed 0
    methods: dict[str, Callable[[Image, Image], Image]] = {
        "noisy": lambda noisy, _: noisy,
        "BM3D stage 1": lambda noisy, _: hard_threshold_stage(noisy, sigma),
        "TV": lambda noisy, _: tv_denoise(noisy, sigma),
        "DCT dictionary": lambda noisy, _: dct_denoise(noisy, sigma),
        "NLM": lambda noisy, _: nlm(noisy, sigma),
        "NLM, sizes of the paper": lambda noisy, _: nlm(
            noisy, sigma, patch_size=7, reach=10
        ),
        "K-SVD": lambda noisy, _: ksvd(noisy, sigma),
        "BM3D": lambda noisy, _: bm3d(noisy, sigma),
        "BM3D, estimated noise level": lambda noisy, _: bm3d(noisy, noise_level(noisy)),
        "BM3D stage 2, guided by the truth": lambda noisy, truth: wiener_stage(
            noisy, truth, sigma
        ),
    }
    values = defaultdict(list)
    for seed in SEEDS:
        found = defaultdict(list)
        for name in GREY:
            truth = photo(name, SIZE)
            noisy = add_noise(truth, sigma, torch.Generator().manual_seed(seed))
            for method, denoise in methods.items():
                if seed == 0 and method in known[name]:
                    found[method].append(known[name][method])
                else:
                    found[method].append(psnr(denoise(noisy, truth), truth))
        for method, some in found.items():
            values[method].append(mean(some))
            print(seed, method, f"{mean(some):.2f}", flush=True)
    roles = ["input", "initialisation", *2 * ["baseline"], *5 * ["final"], "oracle"]
    pairs = zip(roles, methods, strict=True)
    write(
        "denoising",
        [row(role, method, *values[method]) for role, method in pairs],
        result="denoising with patches",
        measure="PSNR over all pixels, dB",
        better="higher",
        where="six grey photographs of 256 pixels, noise of 25 grey levels, which all "
        "methods but one are told",
        missing={"network": NO_NETWORK},
    )


def completion() -> None:
    """Chapter 04: the six holes, by two measures."""
    names = {
        "Telea": "baseline",
        "biharmonic": "baseline",
        "Efros and Leung": "baseline",
        "Wexler's search and vote": "baseline",
        "with the last pass": "final",
        "original": "oracle",
    }
    recorded = {
        "Telea": ["telea"],
        "biharmonic": ["biharmonic"],
        "Efros and Leung": [
            "efros-leung",
            "efros-leung, seed 1",
            "efros-leung, seed 2",
        ],
        "Wexler's search and vote": ["wexler, without the last pass"],
        "with the last pass": ["wexler"],
        "original": ["original"],
    }
    known, found = record.read("completion_holes"), defaultdict(list)
    for name, methods in recorded.items():
        for method in methods:
            found[name].append([measured(**r[method]) for r in known])
    for place, (section, measure) in enumerate(
        {
            "completion": "patch error at the hole, times 1000",
            "completion_sharpness": "distance of the gradient energy in the hole from "
            "that around it, octaves",
        }.items()
    ):
        values = {
            name: [mean(pair[place] for pair in some) for some in seeds]
            for name, seeds in found.items()
        }
        write(
            section,
            [row(role, name, *values[name]) for name, role in names.items()],
            result="a filled hole",
            measure=measure,
            better="lower",
            where="six holes in photographs of 256 pixels",
            missing={
                "input": "the input has an empty hole",
                "initialisation": "the coarsest level was not measured alone",
                "network": NO_NETWORK,
            },
        )


def measured(coherence: float, sharpness: float, **_: float) -> tuple[float, float]:
    """The patch error times 1000, and the distance of the gradient energy."""
    return coherence * 1000 / 255**2, abs(math.log2(sharpness))


SECTIONS = (statistics, denoising, completion)

if __name__ == "__main__":
    torch.set_num_threads(1)
    wanted = sys.argv[1:] or [section.__name__ for section in SECTIONS]
    for section in SECTIONS:
        if section.__name__ in wanted:
            section()
