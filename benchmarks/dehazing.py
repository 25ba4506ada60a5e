"""Dehazing by the upper envelope and by Double-DIP: which part makes the gain?

    python benchmarks/dehazing.py

Ten pictures: the six bundled hazy scenes, and four photographs without haze, to which
we add haze in linear light, with the depth of a plane or of a ground and a wall. All
methods get the same airlight: the true one, or that of ``find_airlight``, which may
vary over the two scenes that are lit from one side. The settings
of all methods were chosen on other pictures (``data/render_scenes.py --practice`` and
photographs that are not among the ten).

It writes ``benchmarks/results/dehazing.json`` and two tables of exact credit,
``credit_dehazing.json`` (estimated airlight) and ``credit_dehazing_known_airlight``.

    python benchmarks/dehazing.py --regimes

looks for pictures on which the networks of Double-DIP gain: with noise, at 256 pixels,
and a film with one airlight. It writes ``dehazing_regimes.json``.
"""

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import record
import torch
import tyro
from torch import Tensor

from dil_teach import Dehazing, DehazingSettings, bm3d, fit, photo, psnr
from dil_teach.classical.haze.dark_channel import (
    GUIDED,
    add_haze,
    brightest_haze,
    invert_haze,
    remove_haze_by_dark_channel,
)
from dil_teach.classical.haze.envelope import remove_haze_by_envelope, upper_envelope
from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.scenes import scene, scenes

PLACES = {
    "brook": (("ground", 0.3, 1.8, 0.2), (0.80, 0.83, 0.86)),
    "room": (("ground", 0.4, 1.3, 0.45), (0.84, 0.83, 0.80)),
    "dogs": (("plane", 0.4, 1.5), (0.82, 0.84, 0.87)),
    "brushes": (("plane", 0.5, 1.6), (0.85, 0.85, 0.85)),
}
"""The shape of each photograph's depth and its colour of the haze (sRGB). A ground has
the optical depth 0.3 at the lower border of the brook, for example, and 1.8 above the
horizon, which is at 0.2 of the height. A plane goes from the left to the right."""
SIDE = 128
"""Side of the photographs in pixels, as in the scenes."""
NOISE = 10 / 255
"""Standard deviation of the noise with ``--regimes``."""
NAMES = {
    "input": "under haze",
    "start": "start: coarse guided dark channel",
    "own dark": "dark channel with its own airlight",
    "dark": "guided dark channel",
    "network": "Double-DIP: the network's own layer",
    "double-dip": "Double-DIP: closed form of the blended mask",
    "final": "upper envelope, without networks",
    "oracle": "closed form of the true airlight and map",
}
"""The rows of the tables; dB of all but the input are after removing the haze."""
ROLE = {
    "own dark": "baseline",
    "dark": "baseline",
    "start": "initialisation",
    "double-dip": "network",
}


def optical_depth(shape: tuple, height: int, width: int) -> Tensor:
    """The depth of each pixel times the density of the haze, Float[Tensor, "1 h w"]."""
    kind, near, far, *horizon = shape
    if kind == "plane":
        across = (torch.arange(width) + 0.5) / width
        depth = 1 / (1 / near + (1 / far - 1 / near) * across)
        return depth.expand(1, height, width)
    row = (torch.arange(height) + 0.5) / height
    vanishing = (far * horizon[0] - near) / (far - near)
    ground = near * (1 - vanishing) / (row - vanishing).clamp_min(1e-3)
    depth = torch.where(row < horizon[0], far, ground)
    return depth[None, :, None].expand(1, height, width)


def hazy_photograph(
    name: str, side: int = SIDE, like: str | None = None
) -> dict[str, Tensor]:
    """A photograph under its own haze or that of ``like``, with its layers.

    All layers are rounded to eight bits.
    """

    def rounded(values: Tensor) -> Tensor:
        return (values.clamp(0, 1) * 255).round() / 255

    shape, colour = PLACES[like or name]
    clear = rounded(photo(name, side))
    t = rounded((-optical_depth(shape, *clear.shape[1:])).exp())
    airlight = rounded(torch.tensor(colour))[:, None, None]
    light = add_haze(to_linear(clear)[None], t[None], to_linear(airlight)[None])
    return {
        "image": rounded(to_srgb(light)[0]),
        "clear": clear,
        "transmission": t,
        "airlight": airlight.expand_as(clear),
    }


def pictures() -> Iterator[tuple[str, dict[str, Tensor], bool]]:
    """The name and layers of each picture, and whether its airlight is uniform."""
    for name in scenes("haze"):
        yield name, scene(name).images, scene(name).known["uniform"]
    for name in PLACES:
        yield name, hazy_photograph(name), True


def measure_one(
    layers: dict[str, Tensor],
    given: bool,
    settings: DehazingSettings,
    non_uniform: bool = False,
) -> dict[str, float]:
    """The PSNR of each row of ``NAMES`` in dB, with the true or estimated airlight.

    If the airlight is estimated, ``non_uniform`` says whether it may vary.
    """
    image, clear, begin = layers["image"], layers["clear"], time.process_time()
    airlight, varies = (layers["airlight"], False) if given else (None, non_uniform)
    method = Dehazing(image, airlight, varies, settings)
    scores = {"input": psnr(image, clear)}

    def score(name: str, transmission: Tensor) -> None:
        found = invert_haze(method.frames, method.small, transmission, method.air)
        scores[name] = psnr(found.image[0], clear)

    scores["start"] = psnr(method.haze_free(), clear)
    score("dark", method.dark)
    own = brightest_haze(to_linear(image[None]))
    by_own = remove_haze_by_dark_channel(image[None], own, GUIDED)
    scores["own dark"] = psnr(by_own.image[0], clear)
    score("final", upper_envelope(method.small, method.air))
    fit(method)
    scores["network"] = psnr(to_srgb(method.dip.layers().front[0]), clear)
    scores["double-dip"] = psnr(method.haze_free(), clear)
    true = to_linear(layers["airlight"])[None]
    oracle = invert_haze(image[None], image[None], layers["transmission"][None], true)
    scores["oracle"] = psnr(oracle.image[0], clear)
    return scores | {"CPU s": time.process_time() - begin}


def measure(
    budget: str = "quick",
    seeds: tuple[int, ...] = (0, 1, 2),
    cache: Path | None = None,
    regimes: bool = False,
) -> None:
    """Measure all pictures with each seed, and write the records.

    A second run with the same ``cache``, a file of rows, continues the first. With
    ``regimes``, measure where the networks could gain instead.
    """
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/dehazing.py")
    if regimes:
        record.write("dehazing_regimes", list(measure_regimes()), commit)
        return
    rows: list[dict] = []
    if cache and cache.exists():
        rows = [json.loads(line) for line in cache.read_text().splitlines()]
    kept = [{key: row[key] for key in ("picture", "seed", "airlight")} for row in rows]
    for kind, seed in itertools.product(("estimated", "given"), seeds):
        for name, layers, uniform in pictures():
            about = {"picture": name, "seed": seed, "airlight": kind}
            if about in kept:
                continue
            settings = getattr(DehazingSettings, budget)(seed=seed)
            about["uniform"] = uniform
            rows.append(
                about | measure_one(layers, kind == "given", settings, not uniform)
            )
            print(rows[-1], flush=True)
            if cache:
                with cache.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    record.write("dehazing", rows, commit, budget=budget)
    for kind, name in (("estimated", ""), ("given", "_known_airlight")):
        which = [row for row in rows if row["airlight"] == kind]
        write_credit(f"credit_dehazing{name}", which, commit, kind)


def measure_regimes() -> Iterator[dict]:
    """Compare the upper envelope and Double-DIP where the networks could gain.

    All get the true airlight. The cases are noise of 10 grey levels (with the budgets
    ``quick`` and ``standard``), pictures of 256 pixels, and a film.
    """
    cases = []
    for name in PLACES:
        layers = hazy_photograph(name)
        rng = torch.Generator().manual_seed(0)
        noise = NOISE * torch.randn(layers["image"].shape, generator=rng)
        noisy = layers | {"image": (layers["image"] + noise).clamp(0, 1)}
        cases += [("noise", name, noisy, b) for b in ("quick", "standard")]
    for name in PLACES:
        cases.append(("256 pixels", name, hazy_photograph(name, 256), "quick"))
    film = scene("video_haze").images
    cases.append(("film", "video_haze", film | {"image": film["frames"]}, "quick"))
    for case, name, layers, budget in cases:
        image, clear, airlight = (layers[n] for n in ("image", "clear", "airlight"))
        settings = getattr(DehazingSettings, budget)(seed=0)
        method = fit(Dehazing(image, airlight, settings=settings))
        frames = method.frames
        dark = invert_haze(frames, method.small, method.dark, method.air).image
        found = {
            "dark": dark,
            "final": remove_haze_by_envelope(frames, airlight).image,
            "network": to_srgb(method.dip.layers().front),
            "double-dip": method.result().image,
        }
        if case == "noise":  # the control: a classical method removes the noise first
            denoised = bm3d(image, NOISE)[None].clamp(0, 1)
            found["bm3d first"] = remove_haze_by_envelope(denoised, airlight).image
        clear = clear.expand_as(frames)
        scores = {what: psnr(picture, clear) for what, picture in found.items()}
        row = {"case": case, "picture": name, "budget": budget, **scores}
        print(row, flush=True)
        yield row


def write_credit(name: str, rows: list[dict], commit: str, kind: str) -> None:
    """Write the means over the pictures, for each seed, as a table of exact credit."""
    table = []
    seeds = sorted({row["seed"] for row in rows})
    for key, words in NAMES.items():
        values = [mean(r[key] for r in rows if r["seed"] == seed) for seed in seeds]
        values = values if key in ("network", "double-dip") else values[:1]
        table.append({"role": ROLE.get(key, key), "name": words, "values": values})
    record.write(
        name,
        table,
        commit,
        result=f"Dehazing with the {kind} airlight",
        measure="PSNR over all channels [dB]",
        better="higher",
        where="mean of six rendered scenes and four photographs under rendered haze, "
        "128 x 128 pixels, budget quick" + (", one seed" if len(seeds) == 1 else ""),
        missing={},
    )


if __name__ == "__main__":
    tyro.cli(measure)
