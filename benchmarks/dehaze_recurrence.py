"""Compare dehazing by patch recurrence with the dark channel.

``python benchmarks/dehaze_recurrence.py`` measures the six bundled hazy scenes and the
two held-out scenes of ``data/render_scenes.py --held-out``. No setting was chosen on
these eight scenes. It writes ``results/dehaze_recurrence.json``.

- ``airlight``: the Euclidean distance between the estimated and the true airlight, in
  sRGB values from 0 to 1. An airlight that is not uniform is represented by its mean.
- ``PSNR``: two methods for the transmission are compared with the same airlight:
  the true airlight, the dark channel's airlight, or the airlight by recurrence.
  The dark channel has the paper's settings, the settings that are best on the practice
  scenes, and (an oracle) the settings that are best on these scenes.
- Nothing in the method is random. Three seeds add noise of one grey level.

``--folder FOLDER`` measures other scenes (``data/render_scenes.py --practice``), on
which settings are chosen, and writes no record.
"""

import itertools
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import record
import torch
import tyro
from torch import Tensor

from dil_teach import psnr
from dil_teach.classical.haze.airlight import estimate_airlight
from dil_teach.classical.haze.dark_channel import (
    GUIDED,
    DarkChannelSettings,
    brightest_haze,
    remove_haze_by_dark_channel,
)
from dil_teach.classical.haze.recurrence import (
    recurrent_airlight,
    remove_haze_by_recurrence,
)
from dil_teach.classical.haze.recurring_pairs import (
    STARTS,
    Pairs,
    find_pairs,
    fit_airlight,
)
from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.scenes import Scene, scene, scenes

DATA = Path(__file__).parents[1] / "data"
NOISE = 1 / 255


def first_estimate(image: Tensor) -> Tensor:
    return brightest_haze(to_linear(image[None]))


def pairs_of(image: Tensor, ratio: float) -> Pairs:
    pairs = find_pairs(to_linear(image))
    return pairs.kept(pairs.ratio <= ratio)


def one_start(image: Tensor, ratio: float) -> Tensor:
    first = first_estimate(image).flatten()
    return fit_airlight(pairs_of(image, ratio), first, first)[0]


def several_starts(pairs: Pairs, image: Tensor) -> Tensor:
    """As :func:`airlight_of_pairs`, for pairs of any ratio."""
    first = first_estimate(image).flatten()
    fits = [fit_airlight(pairs, first, first / first.mean() * s) for s in STARTS]
    return max(fits, key=lambda fit: float(fit[1]))[0]


def possible_pairs(image: Tensor) -> Tensor:
    """As :func:`several_starts`, but only with possible pairs.

    Because t_near is at most 1, t_far = ratio * t_near is at most the ratio. Pairs are
    left out if the mean colour of the far patch needs a larger t_far (the boundary
    constraint).
    """
    first = first_estimate(image)
    pairs = pairs_of(image, 0.75)
    bound = 1 - (pairs.far / first.flatten()).amin(1)
    return several_starts(pairs.kept(bound <= pairs.ratio + 0.05), image)


def far_apart(image: Tensor) -> Tensor:
    """Only pairs whose patches are at least a quarter of the picture apart in rows."""
    pairs = pairs_of(image, 0.75)
    apart = (pairs.near_box[:, 0] - pairs.far_box[:, 0]).abs() > 0.25
    return several_starts(pairs.kept(apart), image)


def brighter_far(image: Tensor) -> Tensor:
    """Only pairs whose fainter patch is brighter in each channel."""
    pairs = pairs_of(image, 0.75)
    return several_starts(pairs.kept((pairs.far > pairs.near).all(1)), image)


def similar_pairs(image: Tensor) -> Tensor:
    pairs = pairs_of(image, 0.5)
    return several_starts(pairs.kept(pairs.correlation > 0.9), image)


def only_faint(image: Tensor) -> Tensor:
    """Search only among patches of at most half the contrast."""
    return several_starts(find_pairs(to_linear(image), 0.5, 4), image)


ESTIMATES: dict[str, Callable[[Tensor], Tensor]] = {
    "recurrence": recurrent_airlight,
    "dark channel: brightest haze": first_estimate,
    "Double-DIP: tint by pairs, brightness by the haziest part": (
        lambda image: estimate_airlight(image[None])
    ),
    "ratio 0.75": lambda image: several_starts(pairs_of(image, 0.75), image),
    "ratio 0.75, one start": lambda image: one_start(image, 0.75),
    "one start": lambda image: one_start(image, 0.5),
    "ratio 0.75, possible pairs only": possible_pairs,
    "ratio 0.75, pairs far apart only": far_apart,
    "ratio 0.75, brighter when fainter only": brighter_far,
    "correlation 0.9": similar_pairs,
    "search among ratios below 0.5": only_faint,
}
"""The airlight of recurrence, of two other methods, and of variants of recurrence."""


def airlight_error(airlight: Tensor, one: Scene) -> float:
    true = torch.tensor(one.known["airlight"])
    return float((to_srgb(airlight.flatten().clamp(0, 1)) - true).norm())


def compare(hazes: list[Scene], airlights: list[Tensor], oracle: bool) -> list[dict]:
    """PSNR of each transmission, all with the same airlight."""
    rows: list[dict] = []
    for one, airlight in zip(hazes, airlights, strict=True):
        image, clear = one.images["image"][None], one.images["clear"]
        start = time.process_time()
        ours = remove_haze_by_recurrence(image, airlight)
        row = {"CPU s": time.process_time() - start}
        row["hazy"] = psnr(image[0], clear)
        row["recurrence"] = psnr(ours.image[0], clear)
        for name, settings in (
            ("dark channel, paper", DarkChannelSettings()),
            ("dark channel, practice", GUIDED),
        ):
            found = remove_haze_by_dark_channel(image, airlight, settings)
            row[name] = psnr(found.image[0], clear)
        rows.append(row)
    if oracle:
        figures = best_dark_channel(hazes, airlights)
        for row, figure in zip(rows, figures, strict=True):
            row["dark channel, oracle"] = figure
    return rows


def best_dark_channel(hazes: list[Scene], airlights: list[Tensor]) -> list[float]:
    """PSNR of the dark channel with its best settings for these scenes: an oracle."""

    def figures(settings: DarkChannelSettings) -> list[float]:
        scores = []
        for one, airlight in zip(hazes, airlights, strict=True):
            image = one.images["image"][None]
            found = remove_haze_by_dark_channel(image, airlight, settings)
            scores.append(psnr(found.image[0], one.images["clear"]))
        return scores

    sizes, shares = (3, 5, 7, 9, 11, 15), (0.8, 0.85, 0.9, 0.95, 1.0)
    grid = itertools.product(sizes, shares, (-1, 4, 8, 16))
    return max((figures(DarkChannelSettings(*s, 1e-2)) for s in grid), key=mean)


def held_out() -> list[Scene]:
    """The two scenes of other photographs, rendered into a temporary folder."""
    sys.path.insert(0, str(DATA))
    from render_scenes import held_out_scenes, write

    with tempfile.TemporaryDirectory() as folder:
        write(held_out_scenes(), Path(folder))
        return [scene(name, folder) for name in scenes("haze", folder)]


def measure(folder: Path | None = None, oracle: bool = True) -> None:
    """Measure dehazing by recurrence on scenes with known haze."""
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/dehaze_recurrence.py")
    hazes = [scene(name, folder) for name in scenes("haze", folder)]
    if folder is None:
        hazes += held_out()
    rows: list[dict] = []
    for one in hazes:
        for name, estimate in ESTIMATES.items():
            error = airlight_error(estimate(one.images["image"]), one)
            rows.append({"table": "airlight", "scene": one.name, "method": name})
            rows[-1]["error"] = error
        for seed in (0, 1, 2):
            rng = torch.Generator().manual_seed(seed)
            image = one.images["image"]
            image = image + NOISE * torch.randn(image.shape, generator=rng)
            error = airlight_error(recurrent_airlight(image.clamp(0, 1)), one)
            kind = {"table": "airlight", "scene": one.name, "seed": seed}
            rows.append(kind | {"method": "recurrence, with noise", "error": error})
    hazy = [one.images["image"] for one in hazes]
    kinds = {
        "true": [to_linear(one.images["airlight"][None]) for one in hazes],
        "dark channel": [first_estimate(image) for image in hazy],
        "recurrence": [recurrent_airlight(image) for image in hazy],
    }
    for kind, airlights in kinds.items():
        for one, row in zip(hazes, compare(hazes, airlights, oracle), strict=True):
            rows.append({"table": "PSNR", "scene": one.name, "airlight": kind} | row)
    summary = summarise(rows)
    for line in summary:
        print(line)
    if folder is None:
        record.write("dehaze_recurrence", rows, commit, summary=summary)


def summarise(rows: list[dict]) -> list[dict]:
    """Means over the scenes."""
    lines: list[dict] = []
    errors = [row for row in rows if row["table"] == "airlight"]
    for method in dict.fromkeys(row["method"] for row in errors):
        found = [row["error"] for row in errors if row["method"] == method]
        lines.append({"airlight of": method, "error": mean(found), "worst": max(found)})
    scores = [row for row in rows if row["table"] == "PSNR"]
    names = [n for n in scores[0] if n not in ("table", "scene", "airlight")]
    for kind in dict.fromkeys(row["airlight"] for row in scores):
        those = [row for row in scores if row["airlight"] == kind]
        means = {name: mean(row[name] for row in those) for name in names}
        lines.append({"PSNR with the airlight": kind} | means)
    return lines


if __name__ == "__main__":
    tyro.cli(measure)
