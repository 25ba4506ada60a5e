"""Compare dehazing with the dark channel, for three kinds of airlight.

The airlight is either given, or estimated, or non-uniform.

``python benchmarks/dehazing.py`` measures the six bundled hazy scenes, at the standard
budget and with three seeds. The baseline is an oracle: its patch size, omega and
refinement are chosen with the ground truth of these scenes.

``--folder FOLDER`` measures other scenes (``data/render_scenes.py --practice``), on
which settings are chosen, and writes no record.
"""

import itertools
import time
from pathlib import Path
from statistics import mean

import record
import torch
import tyro
from torch import Tensor

from dil_teach import Dehazing, DehazingSettings, fit, psnr
from dil_teach.classical.haze.dark_channel import (
    DarkChannelSettings,
    HazeFree,
    brightest_haze,
    remove_haze_by_dark_channel,
)
from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.scenes import Scene, scene, scenes

BASELINES = [
    DarkChannelSettings(patch, omega, radius, 1e-2)
    for patch, omega, radius in itertools.product(
        (3, 5, 7, 9, 11, 15), (0.8, 0.85, 0.9, 0.95, 1.0), (-1, 4, 8, 16)
    )
]


def best_baseline(
    hazes: list[Scene], airlights: list[Tensor]
) -> tuple[DarkChannelSettings, list[float]]:
    """The settings with the highest mean PSNR over all scenes, and their PSNRs."""

    def figures(settings: DarkChannelSettings) -> list[float]:
        scores = []
        for one, airlight in zip(hazes, airlights, strict=True):
            image = one.images["image"][None]
            found = remove_haze_by_dark_channel(image, airlight, settings)
            scores.append(psnr(found.image[0], one.images["clear"]))
        return scores

    found = {settings: figures(settings) for settings in BASELINES}
    best = max(found, key=lambda settings: mean(found[settings]))
    return best, found[best]


def double_dip(
    one: Scene, given: bool, non_uniform: bool, settings: DehazingSettings
) -> tuple[HazeFree, dict]:
    """Run Double-DIP; return its result and a row of the table."""
    image, start = one.images["image"], time.process_time()
    airlight = one.images["airlight"] if given and non_uniform else None
    if given and not non_uniform:
        airlight = one.known["airlight"]
    dehazing = fit(Dehazing(image, airlight, non_uniform, settings))
    result, front = dehazing.result(), to_srgb(dehazing.dip.layers().front[0])
    error = (result.transmission[0] - one.images["transmission"]).square().mean().sqrt()
    off = result.airlight[0] - one.images["airlight"]
    return result, {
        "PSNR": psnr(result.image[0], one.images["clear"]),
        "front PSNR": psnr(front, one.images["clear"]),
        "transmission RMSE": error.item(),
        "airlight error": off.abs().mean().item(),
        "unsure": dehazing.doubts(),
        "CPU s": time.process_time() - start,
    }


def measure(
    budget: str = "standard",
    seeds: tuple[int, ...] = (0, 1, 2),
    folder: Path | None = None,
) -> None:
    """Measure dehazing on scenes with known haze."""
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/dehazing.py")
    hazes = [scene(name, folder) for name in scenes("haze", folder)]
    hazy = [one.images["image"][None] for one in hazes]
    true = [to_linear(one.images["airlight"][None]) for one in hazes]
    own = [brightest_haze(to_linear(frames)) for frames in hazy]
    rows: list[dict] = []
    for seed in seeds:
        settings = getattr(DehazingSettings, budget)(seed=seed)
        for one in hazes:
            varies = not one.known["uniform"]
            kinds = [("given", True, varies), ("estimated", False, varies)]
            kinds += [("estimated, uniform", False, False)] if varies else []
            for kind, given, non_uniform in kinds:
                result, row = double_dip(one, given, non_uniform, settings)
                rows.append({"scene": one.name, "airlight": kind, "seed": seed} | row)
                rows[-1]["hazy PSNR"] = psnr(one.images["image"], one.images["clear"])
                if kind == "estimated" and seed == seeds[0]:
                    rows[-1]["same airlight"] = to_linear(result.airlight)
                print({k: v for k, v in rows[-1].items() if k != "same airlight"})
    same = [row.pop("same airlight") for row in rows if "same airlight" in row]
    baselines = {"given": true, "its own": own, "ours": same}
    for kind, airlights in baselines.items():
        settings, figures = best_baseline(hazes, airlights)
        kept = (settings.patch, settings.omega, settings.radius)
        print(f"dark channel, airlight {kind}: patch, omega, radius {kept}", figures)
        key = "given" if kind == "given" else "estimated"
        for one, figure in zip(hazes, figures, strict=True):
            for row in rows:
                if row["scene"] == one.name and row["airlight"].startswith(key):
                    row[f"dark channel, airlight {kind}"] = figure
                    row[f"its settings, airlight {kind}"] = kept
    summary = summarise(rows)
    for line in summary:
        print(line)
    if folder is None:
        record.write("dehazing", rows, commit, summary=summary)


def summarise(rows: list[dict]) -> list[dict]:
    """Compute means over scenes and seeds, and the worst loss against the baseline."""
    lines = []
    for kind, names in (
        ("given", ["given"]),
        ("estimated", ["its own", "ours"]),
    ):
        which = [row for row in rows if row["airlight"] == kind]
        for name in names:
            key = f"dark channel, airlight {name}"
            sure = [row["PSNR"] - row[key] for row in which if not row["unsure"]]
            lines.append(
                {
                    "airlight": kind,
                    "control": key,
                    "Double-DIP": mean(row["PSNR"] for row in which),
                    "dark channel": mean(row[key] for row in which),
                    "worst difference where sure": min(sure, default=None),
                    "front": mean(row["front PSNR"] for row in which),
                    "transmission RMSE": mean(r["transmission RMSE"] for r in which),
                    "CPU s": mean(row["CPU s"] for row in which),
                }
            )
    return lines


if __name__ == "__main__":
    tyro.cli(measure)
