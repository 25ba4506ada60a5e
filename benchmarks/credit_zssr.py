"""Measure what each part of ZSSR contributes to the results of chapters 00 and 09.

    python benchmarks/credit_zssr.py                       # all sections: seven minutes
    python benchmarks/credit_zssr.py --sections blur sizes # two sections

The sections ``tour``, ``cup``, ``blur``, ``noise`` and ``jpeg`` write
``benchmarks/results/credit_zssr_<section>.json`` with the pictures and the settings of
the chapters at ``quick``. The section ``sizes`` writes ``zssr_sizes.json``: networks of
six sizes. All have three seeds.
"""

import dataclasses
from collections.abc import Callable
from statistics import mean
from typing import Any

import record
import torch
import tyro

from dil_teach import (
    ZSSR,
    ZSSRSettings,
    blur_and_subsample,
    fit,
    load_external_network,
    photo,
    psnr_y,
    resize,
    super_resolve_with,
)
from dil_teach.classical.denoise.bm3d import bm3d
from dil_teach.deep.zssr.comparison import compare
from dil_teach.deep.zssr.network import ResidualNetwork
from dil_teach.image.augment import add_noise, jpeg, orient, random_crop
from dil_teach.image.convention import Image
from dil_teach.image.kernel import gaussian_kernel

SEEDS = (0, 1, 2)
SMALL = ZSSRSettings(
    steps=600, gradual=1, width=32, depth=6, crop=16, batch=4, back_projections=20
)
"""Settings of the chapter's experiments 2 and 4 and of its failure case, with more
steps."""
UNTRAINED = "the untrained network returns bicubic interpolation"
NO_ORACLE = "nothing but the ground truth itself is kept from the method"
QUICK = "budget quick, three seeds, without a border of 2 pixels"
STEPS = "{} training steps, three seeds, without a border of 2 pixels"
PSNR = "PSNR of the luma in dB"
Values = dict[str, list[float]]


def score(image: Image, truth: Image) -> float:
    return round(psnr_y(image.clamp(0, 1), truth, shave=2), 4)


def rows(parts: dict[str, tuple[str, ...]], values: Values) -> list[dict]:
    """A row for each named part: the role, the name, and one value for each seed."""
    return [
        {"role": role, "name": name, "values": found}
        for role, names in parts.items()
        for name in names
        # what does not depend on the seed has one value
        for found in [values[name][: 1 if len(set(values[name])) == 1 else None]]
    ]


def steps_of(zssr: ZSSR, truth: Image) -> dict[str, float]:
    """The PSNR of each step of a trained method, by plain names."""
    names = {
        "bicubic": "bicubic interpolation",
        "bicubic + back-projection": "bicubic + back-projection",
        "raw": "the network alone",
        "ensemble": "mean of eight orientations",
        "final": "final result",
    }
    made = compare(zssr)
    return {plain: score(made[name], truth) for name, plain in names.items()}


def over_seeds(measure: Callable[[int], dict[str, float]]) -> Values:
    found = [measure(seed) for seed in SEEDS]
    return {name: [run[name] for run in found] for name in found[0]}


PARTS = {
    "input": ("bicubic interpolation",),
    "baseline": ("bicubic + back-projection",),
    "network": ("the network alone",),
    "final": ("mean of eight orientations", "final result"),
}


def tour() -> tuple[list[dict], dict[str, Any]]:
    """The astronaut of chapter 00."""
    truth = photo("astronaut", size=400)
    low = resize(truth, 0.5).clamp(0, 1)
    values = over_seeds(
        lambda seed: steps_of(fit(ZSSR(low, settings=quick(seed))), truth)
    )
    return rows(PARTS, values), {
        "result": "ZSSR on the astronaut",
        "where": f"400 x 400 pixels, bicubic downscaling by 2, {QUICK}",
        "missing": {"initialisation": UNTRAINED, "oracle": NO_ORACLE},
    }


def quick(seed: int) -> ZSSRSettings:
    return ZSSRSettings.quick(seed=seed)


def by_hand(given: Image, seed: int, steps: int = 800) -> Image:
    """The result of the chapter's training loop, without ensemble or correction."""
    rng = torch.Generator().manual_seed(seed)
    network = ResidualNetwork(len(given), width=32, depth=4, factor=2, rng=rng)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(steps):
        turns = torch.randint(8, (4,), generator=rng).tolist()
        father = torch.stack(
            [random_crop(orient(given, t), (32, 32), rng) for t in turns]
        )
        son = resize(father, scale=0.5)
        loss = (network(son, resize(son, scale=2)) - father).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return network(given[None], resize(given, scale=2)[None])[0]


def cup() -> tuple[list[dict], dict[str, Any]]:
    """The coffee cup of chapter 09: the loop by hand, and the library."""
    truth = photo("coffee", size=256)
    truth = truth[:, : truth.shape[1] // 4 * 4]
    low = resize(truth, 0.5).clamp(0, 1)

    def measure(seed: int) -> dict[str, float]:
        zssr = fit(ZSSR(low, settings=quick(seed)))
        loop = score(by_hand(low, seed), truth)
        return {"the loop by hand": loop} | steps_of(zssr, truth)

    network = ("the loop by hand", "the network alone")
    values = over_seeds(measure)
    return rows(PARTS | {"network": network}, values), {
        "result": "ZSSR on the coffee cup",
        "where": f"256 x 168 pixels, bicubic downscaling by 2, {QUICK}",
        "missing": {"initialisation": UNTRAINED, "oracle": NO_ORACLE},
    }


def blur() -> tuple[list[dict], dict[str, Any]]:
    """The blurred dahlia of chapter 09, with the true kernel and with another."""
    truth, kernel = photo("flower", size=128), gaussian_kernel((2.0, 1.0), angle=0.5)
    low = blur_and_subsample(truth, kernel, scale=2).clamp(0, 1)

    def measure(seed: int) -> dict[str, float]:
        settings = dataclasses.replace(SMALL, seed=seed)
        told = steps_of(fit(ZSSR(low, 2, kernel, settings)), truth)
        assumed = steps_of(fit(ZSSR(low, 2, "bicubic", settings)), truth)
        correction = "bicubic + back-projection"
        return {
            "bicubic interpolation": told["bicubic interpolation"],
            "back-projection, bicubic kernel assumed": assumed[correction],
            "ZSSR, bicubic kernel assumed": assumed["final result"],
            "back-projection, true kernel": told[correction],
            "the network alone, true kernel": told["the network alone"],
            "ZSSR, true kernel": told["final result"],
        }

    parts = {
        "input": ("bicubic interpolation",),
        "baseline": (
            "back-projection, bicubic kernel assumed",
            "ZSSR, bicubic kernel assumed",
            "back-projection, true kernel",
        ),
        "network": ("the network alone, true kernel",),
        "final": ("ZSSR, true kernel",),
    }
    told = "the rows with the true kernel are the oracle of an estimated kernel"
    return rows(parts, over_seeds(measure)), {
        "result": "ZSSR on the blurred dahlia",
        "where": f"128 x 128 pixels, oblique Gaussian blur, {STEPS.format(600)}",
        "missing": {"initialisation": UNTRAINED, "oracle": told},
    }


def noise() -> tuple[list[dict], dict[str, Any]]:
    """The noisy cat of chapter 09; all but two rows know the strength of the noise."""
    truth, sigma, edsr = photo("chelsea", 128), 10 / 255, load_external_network("edsr")

    def measure(seed: int) -> dict[str, float]:
        rng = torch.Generator().manual_seed(seed)
        low = add_noise(resize(truth, 0.5), sigma, rng).clamp(0, 1)
        clean = bm3d(low, sigma).clamp(0, 1)
        settings = dataclasses.replace(SMALL, steps=400, seed=seed)
        noisy_sons = dataclasses.replace(settings, noise=sigma)
        noisy = steps_of(fit(ZSSR(low, settings=noisy_sons)), truth)
        plain = steps_of(fit(ZSSR(low, settings=settings)), truth)
        after = steps_of(fit(ZSSR(clean, settings=settings)), truth)
        by_edsr = super_resolve_with(edsr, clean, ensemble=True)
        return {
            "bicubic interpolation": noisy["bicubic interpolation"],
            "ZSSR, no noise on the sons": plain["final result"],
            "BM3D, then bicubic interpolation": after["bicubic interpolation"],
            "BM3D, then ZSSR": after["final result"],
            "BM3D, then EDSR+": score(by_edsr, truth),
            "the network alone, noisy sons": noisy["the network alone"],
            "mean of eight orientations, noisy sons": noisy["final result"],
        }

    parts = {
        "input": ("bicubic interpolation",),
        "baseline": (
            "ZSSR, no noise on the sons",
            "BM3D, then bicubic interpolation",
            "BM3D, then ZSSR",
            "BM3D, then EDSR+",
        ),
        "network": ("the network alone, noisy sons",),
        "final": ("mean of eight orientations, noisy sons",),
    }
    return rows(parts, over_seeds(measure)), {
        "result": "ZSSR on the noisy cat",
        "where": "128 x 128 pixels, white noise of 10 grey levels, "
        + STEPS.format(400),
        "missing": {"initialisation": UNTRAINED, "oracle": NO_ORACLE},
    }


def compressed() -> tuple[list[dict], dict[str, Any]]:
    """The compressed face of chapter 09, its failure case."""
    truth, quality = photo("astronaut")[:, 20:148, 160:288], 30
    low = jpeg(resize(truth, 0.5).clamp(0, 1), quality)

    def measure(seed: int) -> dict[str, float]:
        settings = dataclasses.replace(SMALL, steps=400, seed=seed)
        told = dataclasses.replace(settings, jpeg_quality=quality)
        as_clean = steps_of(fit(ZSSR(low, settings=settings)), truth)
        as_jpeg = steps_of(fit(ZSSR(low, settings=told)), truth)
        return as_clean | {"final result, compressed sons": as_jpeg["final result"]}

    final = ("final result", "final result, compressed sons")
    return rows(PARTS | {"final": final}, over_seeds(measure)), {
        "result": "ZSSR on the compressed face",
        "where": f"128 x 128 pixels, JPEG of quality 30, {STEPS.format(400)}",
        "missing": {"initialisation": UNTRAINED, "oracle": NO_ORACLE},
    }


def sizes() -> list[dict]:
    """Networks of six sizes on the small cup, after 500 and after 2,000 steps."""
    truth = photo("coffee", size=128)
    low = resize(truth, 0.5).clamp(0, 1)
    found = []
    for steps in (500, 2000):
        for depth in (2, 4, 8):
            for width in (8, 32):
                finals, controls = [], []
                for seed in SEEDS:
                    settings = dataclasses.replace(
                        SMALL, steps=steps, depth=depth, width=width, seed=seed
                    )
                    zssr = fit(ZSSR(low, settings=settings))
                    made = steps_of(zssr, truth)
                    finals.append(made["final result"])
                    controls.append(made["bicubic + back-projection"])
                weights = sum(w.numel() for w in zssr.network.parameters())
                shape = {"steps": steps, "depth": depth, "width": width}
                shape |= {"weights": weights, "control": mean(controls)}
                found.append(shape | {"mean": mean(finals), "seeds": finals})
                print(found[-1], flush=True)
    return found


CREDITS = {
    "tour": tour,
    "cup": cup,
    "blur": blur,
    "noise": noise,
    "jpeg": compressed,
}


def main(sections: tuple[str, ...] = (*CREDITS, "sizes")) -> None:
    """Measure the parts of ZSSR, section by section."""
    torch.set_num_threads(1)
    for section in sections:
        commit = record.commit_of_code("benchmarks/credit_zssr.py")
        if section == "sizes":
            record.write("zssr_sizes", sizes(), commit)
            continue
        parts, facts = CREDITS[section]()
        more = {"measure": PSNR, "better": "higher", **facts}
        record.write(f"credit_zssr_{section}", parts, commit, **more)
        print(section, [(r["name"], r["values"]) for r in parts], flush=True)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
