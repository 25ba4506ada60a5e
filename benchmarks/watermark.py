"""Watermark removal: which part makes the gain, and which pictures determine the mark.

    python benchmarks/watermark.py

It writes ``benchmarks/results/watermark.json`` and two tables of exact credit:
``credit_watermark.json`` (three photographs that share the mark) and
``credit_watermark_one.json`` (one photograph and a box, or the outline of its mark).
The mark of the photographs is that of a rendered scene. The same mark is added to parts
of the frames of ``data/films/city.mp4``. Settings were chosen on another scene
(``data/render_scenes.py --practice``).
"""

from statistics import mean

import record
import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach import WatermarkRemoval, WatermarkSettings, fit
from dil_teach.classical.inpainting import biharmonic
from dil_teach.classical.watermark.total_variation import (
    watermark_by_total_variation,
    without_mark,
)
from dil_teach.image.films import load_film
from dil_teach.image.scenes import scene
from dil_teach.image.shipped import shipped

SEEDS = (0, 1, 2)
WHERE = "the photographs of a rendered scene, 128 x 128 pixels, budget quick"
MEASURE = "PSNR inside the mark [dB]"
FILM = {
    "1 frame": [0],
    "3 neighbouring frames": [0, 1, 2],
    "3 frames of one shot": [0, 9, 18],
    "3 frames of two shots": [0, 18, 26],
    "8 frames of two shots": [0, 4, 8, 12, 16, 20, 25, 30],
}
"""Frames of the film; the second shot begins with frame 20."""


def psnr_in(where: Tensor, a: Tensor, b: Tensor) -> float:
    """The PSNR of the pixels under the watermark; the mean over the images."""
    errors = (a - b)[..., where].square().mean((-2, -1)).flatten()
    return float((-10 * errors.log10()).mean())


def main() -> None:
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/watermark.py")
    known = scene("watermark")
    marked, clean = known.images["marked"], known.images["clean"]
    alpha, colour = known.images["alpha"], torch.tensor(known.known["colour"])
    mark, box = alpha[0] > 0, tuple(known.known["box"])
    outline = F.max_pool2d((alpha > 0).float(), 3, 1, 1)
    oracle = without_mark(marked, alpha, colour).clamp(0, 1)
    rows = []
    for seed in SEEDS:
        settings = WatermarkSettings.quick(seed=seed)
        cases = [("three photographs", slice(0, 3), (None, settings))]
        for i in range(3):
            part = slice(i, i + 1)
            cases.append(("box", part, (box, settings)))
            cases.append(("outline", part, (None, settings, outline)))
        for name, part, arguments in cases:
            truth = clean[part]
            removal = fit(WatermarkRemoval(marked[part], *arguments))
            row = {"case": name, "photographs": [*range(3)][part], "seed": seed}
            pictures = {
                "input": marked[part],
                "start": removal.clean_by_start(),
                "network": removal.dip.layers().back,
                "final": removal.clean(),
                "oracle": oracle[part],
            }
            if name == "box":
                found = (removal.opacity() > 0).float()
                filled = {"filled": found, "filled outline": outline}
                for what, hole in filled.items():
                    pictures[what] = biharmonic(marked[part][0], hole)[None]
            row |= {what: psnr_in(mark, p, truth) for what, p in pictures.items()}
            rows.append(row)
            print(row, flush=True)
    rows += on_film(alpha, colour)
    record.write("watermark", rows, commit)
    write_credit(rows, commit)


def on_film(alpha: Tensor, colour: Tensor) -> list[dict]:
    """The total-variation start on frames of a film, scored on the first frame."""
    film = load_film(shipped("data/films/city.mp4"))[..., 26:154, 96:224]
    marked = (1 - alpha) * film + alpha * colour[:, None, None]
    marked, mark, rows = (marked * 255).round() / 255, alpha[0] > 0, []
    for name, numbers in FILM.items():
        found = watermark_by_total_variation(marked[numbers])
        cleaned = without_mark(marked[:1], *found).clamp(0, 1)
        row = {"case": f"film: {name}", "frames": numbers}
        row["input"] = psnr_in(mark, marked[:1], film[:1])
        row["start"] = psnr_in(mark, cleaned, film[:1])
        rows.append(row)
        print(row, flush=True)
    return rows


def write_credit(rows: list[dict], commit: str) -> None:
    """Write the two tables of exact credit."""

    def values(case: str, what: str, seeds: tuple[int, ...] = SEEDS) -> list[float]:
        which = [row for row in rows if row["case"] == case]
        return [mean(r[what] for r in which if r["seed"] == seed) for seed in seeds]

    def row(role: str, name: str, case: str, what: str) -> dict:
        seeds = SEEDS if what in ("network", "final") else SEEDS[:1]
        return {"role": role, "name": name, "values": values(case, what, seeds)}

    shared = "three photographs"
    table = [
        row("input", "with the mark", shared, "input"),
        row("initialisation", "total-variation start", shared, "start"),
        row("network", "the network's own layer", shared, "network"),
        row("final", "closed form of the trained mark", shared, "final"),
        row("oracle", "closed form of the true mark", shared, "oracle"),
    ]
    reason = "the total-variation start is also the baseline with the same inputs"
    about = {"measure": MEASURE, "better": "higher", "where": f"mean of {WHERE}"}
    record.write(
        "credit_watermark",
        table,
        commit,
        result="Removal of a watermark that three photographs share",
        missing={"baseline": reason},
        **about,
    )
    table = [
        row("input", "with the mark", "box", "input"),
        row("initialisation", "box: total-variation start", "box", "start"),
        row("initialisation", "outline: total-variation start", "outline", "start"),
        row("baseline", "box: inpainting of the mark that is found", "box", "filled"),
        row("baseline", "outline: inpainting", "box", "filled outline"),
        row("network", "box: the network's own layer", "box", "network"),
        row("network", "outline: the network's own layer", "outline", "network"),
        row("final", "box: closed form", "box", "final"),
        row("final", "outline: closed form", "outline", "final"),
        row("oracle", "closed form of the true mark", "box", "oracle"),
    ]
    record.write(
        "credit_watermark_one",
        table,
        commit,
        result="Removal of a watermark from one photograph, given a box or an outline",
        missing={},
        **about,
    )


if __name__ == "__main__":
    main()
