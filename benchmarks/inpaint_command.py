"""Measure ``dil-teach inpaint`` with the budget ``quick``: wexler against dip.

``python benchmarks/inpaint_command.py`` takes about ten minutes and writes
``benchmarks/results/inpaint_command.json``. Three photographs of 256 x 256 pixels have
three kinds of holes: a text, scratches, and one ellipse. Values are PSNR in dB, only
inside the holes of the written file; the smooth surface of biharmonic interpolation is
the baseline. Times are CPU seconds of the process, on one thread.
"""

import tempfile
import time
from pathlib import Path
from typing import Literal

import record
import torch
from PIL import Image as Picture
from PIL import ImageDraw

from dil_teach import photo, psnr
from dil_teach.classical.inpainting import biharmonic
from dil_teach.commands.inpaint import inpaint
from dil_teach.commands.options import PLAIN, Training
from dil_teach.image.files import load_image, save_image

THREE, SIDE = ("coffee", "chelsea", "china"), 256
METHODS: tuple[Literal["wexler", "dip"], ...] = ("wexler", "dip")


def holes(height: int, width: int) -> dict[str, Picture.Image]:
    """Three masks: white in the holes."""
    masks = {
        kind: Picture.new("1", (width, height)) for kind in ("text", "scratches", "one")
    }
    text, scratches, one = (ImageDraw.Draw(mask) for mask in masks.values())
    for top in range(10, height - 20, 36):
        text.text((6, top), "Deep Internal Learning 123", fill=1, font_size=24)
    for left in range(-200, width, 60):
        scratches.line((left, 0, left + 150, height), fill=1, width=6)
    middle, centre = height // 2, width // 2
    one.ellipse((centre - 60, middle - 20, centre - 10, middle + 25), fill=1)
    return masks


def measure(name: str, kind: str, mask: Picture.Image, folder: Path) -> dict:
    """One row of the record."""
    given, drawn, out = (folder / f"{n}.png" for n in ("given", "mask", "out"))
    save_image(photo(name, SIDE), given)
    mask.save(drawn)
    truth, hole = load_image(given), load_image(drawn)
    inside = hole[0] > 0

    def score(filled: torch.Tensor) -> float:
        return psnr(filled[:, None, inside], truth[:, None, inside])

    row = {"image": name, "hole": kind, "fraction": float(inside.float().mean())}
    row["biharmonic"] = score(biharmonic(truth * (1 - hole), hole))
    for method in METHODS:
        start = time.process_time()
        inpaint(given, drawn, out, Training(), PLAIN, method)
        row[f"{method} cpu seconds"] = time.process_time() - start
        row[method] = score(load_image(out))
    return row


def main() -> None:
    """Measure all pictures and holes."""
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/inpaint_command.py")
    rows = []
    for name in THREE:
        for kind, mask in holes(*photo(name, SIDE).shape[1:]).items():
            with tempfile.TemporaryDirectory() as folder:
                rows.append(measure(name, kind, mask, Path(folder)))
            print(rows[-1], flush=True)
    record.write("inpaint_command", rows, commit, seed=0, budget="quick")


if __name__ == "__main__":
    main()
