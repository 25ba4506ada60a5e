"""Measure nearest patches and patch recurrence.

    python benchmarks/recurrence.py                         # all sections: 30 minutes
    python benchmarks/recurrence.py --sections speed paper  # some sections

Each section writes ``benchmarks/results/recurrence_<section>.json``. Times are CPU
seconds of the process, on one thread. Set5 is read from the folder
``DIL_TEACH_DATASETS``; nothing was tuned on Set5.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import record
import torch
import torch.nn.functional as F
import tyro

from dil_teach import photo, photos
from dil_teach.image.convention import Image
from dil_teach.image.metrics import luma
from dil_teach.image.photos import benchmark_pairs
from dil_teach.image.resize import pyramid, resize
from dil_teach.patches.recurrence import (
    CONTRAST,
    LEAST,
    SCALES,
    UNSEEN,
    detailed,
    good_distance,
    match_distances,
    moved_by_half,
    recurrence_score,
)
from dil_teach.patches.search import nearest_patches

EASY = ("astronaut", "coffee", "flower", "chelsea", "retina")
HARD = ("china", "hubble", "facade", "grass", "gravel")
"""Photographs with fine detail everywhere, except china, where the distances in the
smooth sky are tiny. The search was tuned on all photographs except retina; on hubble,
facade and gravel, only TEXTURE was tuned."""


def colour(name: str, size: int) -> Image:
    return photo(name, size=size).expand(3, -1, -1).contiguous()


def seconds(work: Callable) -> tuple[float, object]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def matmul_rate(values: int, rows: int, columns: int) -> float:
    """Operations per second of torch's matrix product of this size, run many times."""
    queries, database = torch.rand(rows, values), torch.rand(columns, values)
    out = torch.empty(rows, columns)
    torch.mm(queries, database.T, out=out)
    times = 3 * 10**8 // (rows * columns)
    spent, _ = seconds(
        lambda: [torch.mm(queries, database.T, out=out) for _ in range(times)]
    )
    return times * 2 * rows * columns * values / spent


def speed() -> list[dict]:
    """Compare exact and fast search: 256 x 256 pixels, colour, scales 0.8 and 0.64."""
    rows = []
    for name in EASY + HARD:
        for patch_size in (5, 7):
            image = colour(name, 256)
            levels = pyramid(image, (0.8, 0.64))
            values = 3 * patch_size**2
            tile, larger = (
                matmul_rate(values, *s) for s in ((128, 4096), (256, 16384))
            )
            exact_s, exact = seconds(
                lambda: nearest_patches(image, levels, patch_size, exact=True)  # noqa: B023
            )
            fast_s, fast = seconds(
                lambda: nearest_patches(image, levels, patch_size)  # noqa: B023
            )
            pairs = exact.distance.numel() * sum(
                (level.shape[1] - patch_size + 1) * (level.shape[2] - patch_size + 1)
                for level in levels
            )
            reached = 2 * 3 * patch_size**2 * pairs / exact_s
            nearest = exact.distance.double().mean().item()
            rows.append(
                {
                    "image": name,
                    "kind": "easy" if name in EASY else "hard",
                    "patch_size": patch_size,
                    "exact cpu seconds": exact_s,
                    "fast cpu seconds": fast_s,
                    "times less": exact_s / fast_s,
                    "excess error in percent": 100
                    * (fast.distance.double().mean().item() / nearest - 1),
                    "share of the rate of a tile's product, in cache": reached / tile,
                    "share of the rate of a 256 x 16384 product": reached / larger,
                }
            )
            print(rows[-1])
    return rows


ALONE = """
import resource, sys, torch
sys.path.insert(0, {folder!r})
from recurrence import colour
from dil_teach.image.resize import pyramid
from dil_teach.image.resize import resize
from dil_teach.patches.search import nearest_patches
torch.set_num_threads(1)
image = resize(colour("astronaut", 512), size=(1024, 1024)).clamp(0, 1)
levels = pyramid(image, (0.8, 0.64))
mask = None
if {exact}:
    mask = torch.zeros(1024, 1024, dtype=torch.bool)
    mask[500:514] = True
nearest_patches(image, levels, exact={exact}, query_mask=mask)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""


def memory() -> list[dict]:
    """Peak memory of a search in two scales: the astronaut, upscaled to 1024 x 1024.

    The exact search runs for ten rows only, because all rows would take an hour. The
    memory for the results of the other rows is added.
    """
    rows = []
    for exact in (False, True):
        code = ALONE.format(folder=str(Path(__file__).parent), exact=exact)
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        gigabytes = float(run.stdout.split()[-1])
        if exact:
            candidates, asked = 1 + 2, 1020 * 1020
            gigabytes += asked * (candidates * (4 + 8 + 2 * 8) + 5 * 8) / 1e9
        rows.append({"exact": exact, "peak GB": gigabytes})
        print(rows[-1])
    return rows


def percentages(image: Image) -> dict[str, list[float]]:
    """Percentages of patches with at least nine good matches, and with one or more."""
    good = good_distance(image)[..., None]
    quarter = detailed(image)
    figures: dict[str, list[float]] = {}
    for scale in SCALES:
        counts = (match_distances(image, 5, scale) <= good).sum(2)
        for least in (LEAST, 1):
            for what, among in (("all", slice(None)), ("detailed", quarter)):
                share = (counts[among] >= least).double().mean().item()
                figures.setdefault(f"{least} or more, {what}", []).append(100 * share)
    return figures


def paper() -> list[dict]:
    """Measure the percentage of patches with matches at each scale; colour and grey."""
    images = {name: photo(name, size=256) for name in photos()}
    sets = dict.fromkeys(images, "bundled")
    if os.environ.get("DIL_TEACH_DATASETS"):
        for name, high, _ in benchmark_pairs("Set5", 2):
            images[name], sets[name] = high, "Set5"
    rows = []
    for name, image in images.items():
        for channels in ("colour", "grey"):
            if channels == "colour" and len(image) == 1:
                continue
            looked_at = image if channels == "colour" else luma(image).float()
            row = {"image": name, "set": sets[name], "channels": channels}
            row["size"] = f"{image.shape[2]} x {image.shape[1]}"
            rows.append(row | percentages(looked_at))
            print(rows[-1])
    return rows


def gaussian_weights(patch_size: int, sigma: float) -> torch.Tensor:
    x = torch.arange(patch_size) - (patch_size - 1) / 2
    line = torch.exp(-(x**2) / (2 * sigma**2))
    weights = line[:, None] * line
    return weights / weights.mean()


def brute(
    image: Image, scale: float, weights: torch.Tensor, mean_off: bool, self_off: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]:
    """Compute distances between patches by brute force.

    Returns the distances to all patches at a scale, the distances to the four shifted
    patches, |p|^2, and the number of values in a patch. This function is independent of
    the library's search, so it can check the search. It can also vary the definition of
    the distance.
    """
    side, channels = len(weights), len(image)

    def patches(picture: Image, mean_off: bool = mean_off) -> torch.Tensor:
        values = F.unfold(picture[None], side)[0].T.view(-1, channels, side**2)
        w = weights.flatten()
        if mean_off:
            values = values - (values * w).mean(-1, keepdim=True) / w.mean()
        return (values * w.sqrt()).flatten(1)

    searched = image if scale == 1 else resize(image, scale).clamp(0, 1)
    asked, known = patches(image), patches(searched)
    distances = torch.cdist(asked.double(), known.double()).square()
    if self_off:
        rows, columns = (n - side + 1 for n in image.shape[-2:])
        row, column = (
            torch.arange(rows * columns) // columns,
            torch.arange(rows * columns) % columns,
        )
        width = searched.shape[2] - side + 1
        there = torch.arange(len(known))
        ratio = [
            s / n for s, n in zip(searched.shape[1:], image.shape[1:], strict=True)
        ]
        own_row = (row + side / 2) * ratio[0] - side / 2
        own_column = (column + side / 2) * ratio[1] - side / 2
        near = ((there // width - own_row[:, None]).abs() < 1) & (
            (there % width - own_column[:, None]).abs() < 1
        )
        distances[near] = torch.inf
    moved = [(patches(m) - asked).square().sum(1) for m in moved_by_half(image)]
    squares = patches(image, mean_off=True).square().sum(1)
    return distances, torch.stack(moved), squares, asked.shape[1]


def choices() -> list[dict]:
    """Measure what each choice in the definition changes: brute force, 96 pixels."""
    noise = torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(0))
    images = {
        name: colour(name, 96) for name in ("coffee", "astronaut", "chelsea", "china")
    }
    images |= {"noise, colour": noise, "noise, grey": noise[:1]}
    flat = torch.ones(5, 5)
    rows = []
    for name, image in images.items():
        for scale in (1.0, 0.51):
            settings = {
                "as the library": {},
                "grey": {"image": luma(image).float()},
                "mean not removed": {"mean_off": False},
                "Gaussian weights, sigma 1.25": {"weights": gaussian_weights(5, 1.25)},
                "7 x 7 patches": {"weights": torch.ones(7, 7)},
                "its own place counts, at scale 0.51": {"self_off": scale == 1},
            }
            limits = {
                "half a pixel: mean of four directions": lambda m, c, n: torch.minimum(
                    m.mean(0), CONTRAST * c
                ).clamp_min(UNSEEN * n),
                "half a pixel: nearest of four directions": lambda m, c, n: (
                    torch.minimum(m.amin(0), CONTRAST * c).clamp_min(UNSEEN * n)
                ),
                "no limit by contrast": lambda m, c, n: m.amax(0).clamp_min(UNSEEN * n),
                "no two grey levels": lambda m, c, n: torch.minimum(
                    m.amax(0), CONTRAST * c
                ),
                "the paper's rule: half a pixel alone": lambda m, c, n: m.amax(0),
            }

            plain = {
                "image": image,
                "weights": flat,
                "mean_off": True,
                "self_off": True,
            }
            for choice, changed in settings.items():
                found = brute(scale=scale, **(plain | changed))
                as_here = {choice: library}
                for way, limit in (as_here | (limits if not changed else {})).items():
                    row = {"image": name, "scale": scale, "choice": way}
                    rows.append(row | shares(limit, *found))
            print(*rows[-11:], sep="\n")
    return rows


def library(m: torch.Tensor, c: torch.Tensor, n: int) -> torch.Tensor:
    """The distance threshold, from shifted patches, contrast and number of values."""
    return torch.minimum(m.amax(0), CONTRAST * c).clamp_min(UNSEEN * n)


def shares(
    limit: Callable,
    distances: torch.Tensor,
    moved: torch.Tensor,
    c: torch.Tensor,
    n: int,
) -> dict[str, float]:
    counts = (distances <= limit(moved, c, n)[:, None]).sum(1)
    return {
        f"{least} or more": 100 * (counts >= least).double().mean().item()
        for least in (1, 9)
    }


def interaction() -> list[dict]:
    """Measure how long it takes to find the matches of one patch and of all patches."""
    rows = []
    for name in ("coffee", "chelsea"):
        image = colour(name, 256)
        mask = torch.zeros(256, 256, dtype=torch.bool)
        mask[100:105, 120:125] = True
        levels = pyramid(image, (1.0, 0.8, 0.64, 0.51, 0.41))
        row: dict = {"image": name}
        row["click, five scales, exact"], _ = seconds(
            lambda: nearest_patches(
                image,  # noqa: B023
                levels,  # noqa: B023
                k=100,
                exact=True,
                remove_mean=True,
                exclude_self=True,
                query_mask=mask,  # noqa: B023
            )
        )
        for scale in (1.0, 0.51):
            row[f"all patches at scale {scale}"], _ = seconds(
                lambda: match_distances(image, 5, scale)  # noqa: B023
            )
        row["recurrence score"], row["score"] = seconds(
            lambda: recurrence_score(image)  # noqa: B023
        )
        rows.append(row)
        print(row)
    return rows


SECTIONS: dict[str, Callable[[], list[dict]]] = {
    f.__name__: f for f in (speed, memory, paper, choices, interaction)
}


def main(sections: tuple[str, ...] = tuple(SECTIONS)) -> None:
    """Measure nearest patches and recurrence, section by section."""
    torch.set_num_threads(1)
    for section in sections:
        start = time.perf_counter()
        commit = record.commit_of_code("benchmarks/recurrence.py")
        rows = SECTIONS[section]()
        record.write(f"recurrence_{section}", rows, commit)
        print(f"{section}: {len(rows)} rows, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    tyro.cli(main)
