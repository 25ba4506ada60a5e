"""Measure watermark removal: PSNR under the mark, compared with start and inpainting.

    python benchmarks/watermark.py

It writes `benchmarks/results/watermark.json`. The script adds no watermark itself: the
watermarked photographs are those of a rendered scene. Settings were chosen on another
scene (`data/render_scenes.py --practice`).
"""

import time

import torch
from record import commit_of_code, write
from torch import Tensor
from tqdm import tqdm

from dil_teach import WatermarkRemoval, WatermarkSettings, fit
from dil_teach.classical.inpainting import biharmonic
from dil_teach.image.scenes import scene

SEEDS = (0, 1, 2)


def psnr_in(where: Tensor, a: Tensor, b: Tensor) -> float:
    """The PSNR of the pixels under the watermark."""
    return -10 * float((a - b)[..., where].square().mean().log10())


def main() -> None:
    torch.set_num_threads(1)
    known = scene("watermark")
    marked, clean = known.images["marked"], known.images["clean"]
    mark = known.images["alpha"][0] > 0
    box = tuple(known.known["box"])
    cases: list[tuple] = [("three images, no box", marked, clean, None)]
    cases.append(("three images, box", marked, clean, box))
    cases += [
        (f"image {i}, box", marked[i : i + 1], clean[i : i + 1], box) for i in range(3)
    ]
    rows = []
    for (name, images, truth, where), seed in tqdm(
        [(case, seed) for case in cases for seed in SEEDS]
    ):
        begin = time.process_time()
        settings = WatermarkSettings.standard(seed=seed)
        removal = fit(WatermarkRemoval(images, where, settings))
        cleaned, opacity = removal.clean(), removal.opacity()
        seconds = time.process_time() - begin
        before = psnr_in(mark, images, truth)
        outside = opacity[0] == 0
        row = {
            "case": name,
            "seed": seed,
            "marked_db": before,
            "gain_start": psnr_in(mark, removal.clean_by_start(), truth) - before,
            "gain": psnr_in(mark, cleaned, truth) - before,
            "gain_network": psnr_in(mark, removal.dip.layers().back, truth) - before,
            "unmarked_pixels_changed": float((~outside)[~mark].double().mean()),
            "most_changed_outside_found": float(
                (cleaned - images)[..., outside].abs().max()
            ),
            "colour": [round(value, 3) for value in removal.colour().tolist()],
            "cpu_seconds": seconds,
        }
        if len(images) == 1:
            hole = torch.zeros_like(images[0, :1])
            row_, column, height, width = box
            hole[:, row_ : row_ + height, column : column + width] = 1
            found_mark = (opacity > 0).float()
            for control, mask in {
                "gain_inpainting_box": hole,
                "gain_inpainting_found_mark": found_mark,
                "gain_inpainting_true_mark": mark[None].float(),
            }.items():
                filled = biharmonic(images[0], mask)[None]
                row[control] = psnr_in(mark, filled, truth) - before
        rows.append(row)
    write("watermark", rows, commit_of_code("benchmarks/watermark.py"))


if __name__ == "__main__":
    main()
