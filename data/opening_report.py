"""The opening of chapter 16, for data/draw_openings.py: the result of a report."""

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import colormaps
from opening_files import SEED, SIDE, Seconds, write
from torch import Tensor

from dil_teach import photo
from dil_teach.course.check import failure_map
from dil_teach.course.questions import denoising
from dil_teach.image.convention import Image
from dil_teach.image.photos import photos
from dil_teach.notebook.maps import DIVERGING

NAME, SEEDS, WINDOW, LIMIT = "brushes", (SEED, SEED + 1, SEED + 2), 9, 6
"""Photograph; seeds; side of the window of the failure map; and the value in dB of the
last colour."""
SHOWN = ("given", "TV (control)", "BM3D", "ZS-N2N")


def drawn(local: Tensor) -> Image:
    """A failure map as a picture in colours; its border is grey."""
    values = np.clip(local.numpy() / (2 * LIMIT) + 0.5, 0, 1)
    pixels = torch.from_numpy(colormaps[DIVERGING](values)[..., :3]).float()
    edge = WINDOW // 2
    return F.pad(pixels.permute(2, 0, 1), 4 * [edge], value=0.73)


def report() -> None:
    """Chapter 16: denoising a photograph of brushes, with three seeds."""
    truth, seconds = photo(NAME, SIDE), Seconds()
    scores: dict[str, list[float]] = {}
    maps, results = {}, {}
    for seed in SEEDS:
        trial = denoising(truth, seed, "quick")
        made = {"given": trial.given}
        for name, method in trial.methods.items():
            made[name] = seconds.of(f"{name}, seed {seed}", method).clamp(0, 1)
        errors = {name: trial.errors(image) for name, image in made.items()}
        for name, error in errors.items():
            score = float(-10 * error.mean().log10())
            scores.setdefault(name, []).append(round(score, 2))
        if seed == SEED:
            control = next(iter(trial.methods))
            results = made
            maps = {
                f"{name}: failure map": drawn(
                    failure_map.reference(errors[name], errors[control], WINDOW)
                )
                for name in ("BM3D", "ZS-N2N")
            }
    shown = {name: results[name] for name in SHOWN}
    credit = photos()[NAME]
    write(
        "report",
        shown | maps | {"ground truth": truth},
        {name: values[0] for name, values in scores.items()},
        measure="PSNR over all pixels and channels, seed 0",
        settings="question denoising, budget quick, seeds 0, 1 and 2",
        size=[SIDE, SIDE],
        scores=scores,
        seconds=seconds,
        licence=credit.licence,
        attribution=credit.attribution,
    )
