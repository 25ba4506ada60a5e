"""Measure ``dil-teach denoise`` with the budget ``quick``: all methods, two sizes.

    python benchmarks/denoise_command.py              # all: about ten minutes
    python benchmarks/denoise_command.py --sizes 128  # one size

Writes ``benchmarks/results/denoise_command.json``. The noise is white, with 25 grey
levels; the noisy files have eight bits. As in the command, the methods without a
network estimate the noise level. Values are PSNR in dB of the written file. Times are
CPU seconds of the process, on one thread.
"""

import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import get_args, get_type_hints

import record
import torch
import tyro

from dil_teach import photo, psnr
from dil_teach.commands.denoise import denoise
from dil_teach.commands.options import PLAIN, Training
from dil_teach.image.augment import add_noise
from dil_teach.image.files import load_image, save_image

FIVE = ("astronaut", "chelsea", "coffee", "china", "flower")
SIGMA = 25 / 255
METHODS = get_args(get_type_hints(denoise)["method"])


def measure(name: str, size: int, folder: Path) -> dict:
    truth = photo(name, size)
    noisy, clean = folder / "noisy.png", folder / "clean.png"
    save_image(add_noise(truth, SIGMA, torch.Generator().manual_seed(0)), noisy)
    row = {"image": name, "size": size, "noisy": psnr(load_image(noisy), truth)}
    seconds = {}
    for method in METHODS:
        start = time.process_time()
        denoise(noisy, clean, Training(), PLAIN, method)
        seconds[f"{method} cpu seconds"] = time.process_time() - start
        row[method] = psnr(load_image(clean), truth)
    return row | seconds


def main(sizes: tuple[int, ...] = (128, 256), images: tuple[str, ...] = FIVE) -> None:
    """Measure all methods; rows of other sizes and images are kept."""
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/denoise_command.py")
    for size in sizes:
        for name in images:
            with tempfile.TemporaryDirectory() as folder:
                row = measure(name, size, Path(folder))
            print(row, flush=True)
            others = [
                r
                for r in record.read("denoise_command")
                if (r["image"], r["size"]) != (name, size)
            ]
            rows = sorted(
                [*others, row], key=lambda r: (r["size"], FIVE.index(r["image"]))
            )
            record.write("denoise_command", rows, commit, seed=0, budget="quick")
        some = [r for r in record.read("denoise_command") if r["size"] == size]
        for method in ("noisy", *METHODS):
            print(f"{size} pixels, {method}: {mean(r[method] for r in some):.2f} dB")


if __name__ == "__main__":
    tyro.cli(main)
