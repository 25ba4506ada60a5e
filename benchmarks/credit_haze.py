"""Record which part of dehazing by patch recurrence has which share of the result.

    python benchmarks/credit_haze.py

It measures the eight scenes of ``dehaze_recurrence.py``, each with three seeds of the
camera's noise, of half a grey level as in chapter 08. It writes
``benchmarks/results/credit_dehaze_recurrence.json`` (PSNR of the haze-free picture) and
``benchmarks/results/credit_airlight.json`` (error of the airlight).
"""

from collections import defaultdict
from statistics import mean

import record
import torch
from dehaze_recurrence import airlight_error, held_out
from torch import Tensor

from dil_teach import psnr
from dil_teach.classical.haze.airlight import estimate_airlight
from dil_teach.classical.haze.dark_channel import (
    GUIDED,
    LEAST,
    brightest_haze,
    dark_channel_transmission,
    guided_dark_channel,
    invert_haze,
    remove_haze_by_dark_channel,
)
from dil_teach.classical.haze.recurrence import (
    OMEGA,
    WINDOW,
    minimise_depth,
    recurrent_airlight,
    remove_haze_by_recurrence,
)
from dil_teach.classical.haze.recurring_pairs import find_pairs
from dil_teach.image.colour import to_linear
from dil_teach.image.scenes import Scene, scene, scenes

NOISE = 0.5 / 255
SEEDS = (0, 1, 2)
WHERE = (
    "eight rendered scenes, of which two are held out, with noise of half a grey level"
)


def by_solver_alone(image: Tensor, airlight: Tensor) -> Tensor:
    """The haze-free picture by the solver's map, without its mean with the control."""
    frame = image[None]
    bound = dark_channel_transmission(to_linear(frame), airlight, WINDOW, OMEGA)
    depth = minimise_depth(
        image,
        bound.clamp(LEAST, 0.99)[0],
        guided_dark_channel(frame, airlight)[0],
        find_pairs(to_linear(image)),
        airlight.mean((0, 2, 3)),
    )
    transmission = (-depth[None]).exp().clamp_min(LEAST)
    return invert_haze(frame, frame, transmission, airlight).image[0]


def measure(one: Scene, image: Tensor) -> tuple[dict[str, float], dict[str, float]]:
    """The PSNR of each result, and the error of each airlight."""
    first, pairs = brightest_haze(to_linear(image)[None]), recurrent_airlight(image)
    true = to_linear(one.images["airlight"][None])
    frame = image[None]
    pictures = {
        "hazy": image,
        "dark channel": remove_haze_by_dark_channel(frame, first, GUIDED).image[0],
        "same airlight": remove_haze_by_dark_channel(frame, pairs, GUIDED).image[0],
        "solver": by_solver_alone(image, pairs),
        "recurrence": remove_haze_by_recurrence(frame, pairs).image[0],
        "oracle, dark": remove_haze_by_dark_channel(frame, true, GUIDED).image[0],
        "oracle": remove_haze_by_recurrence(frame, true).image[0],
    }
    airlights = {
        "brightest": first,
        "Double-DIP": estimate_airlight(frame),
        "pairs": pairs,
    }
    decibels = {name: psnr(x, one.images["clear"]) for name, x in pictures.items()}
    return decibels, {n: airlight_error(x, one) for n, x in airlights.items()}


def main() -> None:
    """Measure all scenes and seeds, and write both records."""
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/credit_haze.py")
    hazes = [scene(name) for name in scenes("haze")] + held_out()
    decibels, errors = defaultdict(list), defaultdict(list)
    for seed in SEEDS:
        rng = torch.Generator().manual_seed(seed)
        found = []
        for one in hazes:
            image = one.images["image"]
            image = image + NOISE * torch.randn(image.shape, generator=rng)
            found.append(measure(one, image.clamp(0, 1)))
            print(seed, one.name, found[-1], flush=True)
        for kept, figures in zip(
            (decibels, errors), zip(*found, strict=True), strict=True
        ):
            for name in figures[0]:
                kept[name].append(round(mean(row[name] for row in figures), 4))
    parts = [
        ("input", "the hazy picture", "hazy"),
        ("initialisation", "dark channel with its own airlight", "dark channel"),
        ("baseline", "dark channel, airlight of pairs", "same airlight"),
        ("network", "map of the objective alone (no network)", "solver"),
        ("final", "recurrence: mean of this map and the dark channel", "recurrence"),
        ("oracle", "dark channel, true airlight", "oracle, dark"),
        ("oracle", "recurrence, true airlight", "oracle"),
    ]
    record.write(
        "credit_dehaze_recurrence",
        [{"role": r, "name": n, "values": decibels[key]} for r, n, key in parts],
        commit,
        result="dehazing by patch recurrence",
        measure="PSNR over the three channels, dB",
        better="higher",
        where=WHERE,
        missing={},
    )
    parts = [
        ("initialisation", "brightest haze, by the dark channel", "brightest"),
        ("baseline", "tint by pairs, brightness by the haziest part", "Double-DIP"),
        ("final", "airlight of pairs", "pairs"),
    ]
    record.write(
        "credit_airlight",
        [{"role": r, "name": n, "values": errors[key]} for r, n, key in parts],
        commit,
        result="airlight from recurring patches",
        measure="Euclidean distance to the true airlight, sRGB values from 0 to 1",
        better="lower",
        where=WHERE,
        missing={
            "input": "the hazy picture is no airlight",
            "network": "no network is trained",
            "oracle": "the true airlight has the error 0",
        },
    )


if __name__ == "__main__":
    main()
