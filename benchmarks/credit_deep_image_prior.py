"""Write the tables of exact credit of Deep Image Prior from its records.

    python benchmarks/credit_deep_image_prior.py  # a few seconds

The runs themselves are in ``benchmarks/results/dip_*.json``, which the script
``deep_image_prior.py`` writes. Only untrained networks are computed here.
"""

import math
from collections.abc import Callable, Sequence
from statistics import mean
from typing import Any

import record
import torch
from deep_image_prior import FIVE, SIZE, masks, noisy_photo

from dil_teach import photo, psnr
from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
from dil_teach.image.degradation import masked

WHERE = f"five photographs of {SIZE} x {SIZE} pixels, budget standard"
Rows = Sequence[dict[str, Any]]


def per_seed(rows: Rows, value: Callable[[dict[str, Any]], float]) -> list[float]:
    """The mean over the pictures for each seed; one value if all seeds agree."""
    seeds = sorted({row["seed"] for row in rows})
    means = [mean(value(r) for r in rows if r["seed"] == seed) for seed in seeds]
    return means[:1] if max(means) - min(means) < 1e-6 else means


def lines(rows: Rows, names: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """The rows of a table: for each key of the record, its role and its name."""
    return [
        {"role": role, "name": name, "values": per_seed(rows, lambda r, k=key: r[k])}
        for key, (role, name) in names.items()
    ]


def write(name: str, rows: Rows, **about: Any) -> None:
    commit = record.commit_of_code("benchmarks/credit_deep_image_prior.py")
    record.write(f"credit_dip_{name}", list(rows), commit, better="higher", **about)


def denoise() -> None:
    """The record's runs had at most 560 steps, which ended 12 of the 15 runs."""
    rows = record.read("dip_denoise")
    for row in rows:
        truth, noisy = noisy_photo(row["image"], row["seed"])
        settings = DeepImagePriorSettings.standard(seed=row["seed"])
        drawn = DeepImagePrior(noisy, settings=settings).raw()
        row["DIP, first drawing"] = psnr(drawn, truth)
    names = {
        "noisy": ("input", "noisy photograph"),
        "DIP, first drawing": ("initialisation", "networks before training"),
        "TV": ("baseline", "total variation"),
        "ZS-N2N": ("baseline", "ZS-N2N (a trained network)"),
        "NLM": ("baseline", "non-local means"),
        "K-SVD": ("baseline", "K-SVD"),
        "BM3D": ("baseline", "BM3D"),
        "DIP, last drawing": ("network", "mean of the networks' last outputs"),
        "DIP": ("final", "moving average of the kept step"),
        "DIP, oracle's best step": ("oracle", "moving average of the best step"),
    }
    steps = max(row["steps"] for row in rows)
    write(
        "denoise",
        lines(rows, names),
        result="Denoising, noise of 25 grey levels",
        measure="PSNR over all channels in dB",
        where=f"{WHERE}, at most {steps} steps",
        missing={},
    )


def super_resolve() -> None:
    names = {
        "DIP, first drawing": ("initialisation", "networks before training"),
        "bicubic": ("baseline", "bicubic interpolation"),
        "bicubic + back-projection": ("baseline", "bicubic and back-projection"),
        "DIP, last drawing": ("network", "mean of the networks' last outputs"),
        "DIP, moving average": ("network", "moving average of the outputs"),
        "DIP": ("final", "moving average and back-projection"),
    }
    rows = lines(record.read("dip_super_resolve"), names)
    missing, where = {}, WHERE
    if all(len(row["values"]) == 1 for row in rows):
        own = [row for row in rows if row["role"] == "network"]
        rows = [row for row in rows if row["role"] != "network"]
        parts = (f"{row['values'][0]:.2f} dB ({row['name']})" for row in own)
        missing["network"] = f"measured with one seed only: {', '.join(parts)}"
        where = f"{WHERE}, one seed"
    write(
        "super_resolve",
        rows,
        result="Super-resolution by 2",
        measure="PSNR over all channels in dB",
        where=where,
        missing=missing
        | {
            "input": "the given image has another size",
            "oracle": "only the steps up to the stop were computed",
        },
    )


def inpaint() -> None:
    """Recompute the PSNR in the hole from the PSNR of the picture.

    The known pixels are exact, so the whole squared error lies in the hole.
    """
    kind = "text"
    mask = masks()[kind]
    factor = 10 * math.log10(float(mask.mean()))
    rows = [r for r in record.read("dip_inpaint") if r["mask"] == kind]
    truths = {name: photo(name, SIZE) for name in FIVE}

    def untrained(row: dict[str, Any]) -> float:
        truth = truths[row["image"]]
        settings = DeepImagePriorSettings.standard(seed=row["seed"])
        dip = DeepImagePrior(truth * (1 - mask), masked(mask), settings)
        drawn = torch.where(mask > 0.5, dip.raw(), truth)
        return psnr(drawn, truth) + factor

    def black(row: dict[str, Any]) -> float:
        truth = truths[row["image"]]
        return psnr(truth * (1 - mask), truth) + factor

    values: dict[tuple[str, str], Callable[[dict[str, Any]], float]] = {
        ("input", "black hole"): black,
        ("initialisation", "networks before training"): untrained,
        ("baseline", "biharmonic interpolation"): lambda r: r["biharmonic"] + factor,
        ("final", "moving average of the networks' outputs"): lambda r: (
            r["DIP"] + factor
        ),
    }
    write(
        "inpaint",
        [
            {"role": role, "name": name, "values": per_seed(rows, value)}
            for (role, name), value in values.items()
        ],
        result="Inpainting of a text",
        measure="PSNR in the hole over all channels in dB",
        where=WHERE,
        missing={
            "network": "in the hole, the final result is the average of the outputs",
            "oracle": "the result is the average after the last step",
        },
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    denoise()
    super_resolve()
    inpaint()
