"""Predictive power of equally many pairs, inside a picture and in other pictures.

    python benchmarks/equal_pairs.py --folder FOLDER    # FOLDER: external pictures
    python benchmarks/equal_pairs.py                    # the bundled photographs alone

The section ``prediction`` of ``internal_statistics.py`` searches many more pairs of a
patch and its parent outside than inside. Here the external pictures together give as
many pairs as the picture itself, drawn at random, equally many of each picture. Errors
of the predicted parents are in grey levels.
"""

import time
from pathlib import Path
from statistics import mean

import record
import torch
import tyro
from internal_statistics import Pictures, pictures, rms
from torch import Tensor

from dil_teach import resize
from dil_teach.patches.parents import MATCHES, Pairs, parent_pairs, predict_parent
from dil_teach.patches.statistics import GRADIENT_NAMES, patches_at

DRAWS = 5
"""Number of random drawings of the external pairs."""


def predict(patches: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The parents of patches by their best matches in a list of pairs."""
    distance = torch.cdist(patches, low).square() / patches.shape[1]
    near, index = distance.topk(MATCHES, largest=False)
    return predict_parent(near, high[index])[0]


def some(pairs: Pairs, rows: Tensor) -> tuple[Tensor, Tensor]:
    return pairs.low[rows], pairs.high[rows]


def equal_pairs(given: Pictures) -> list[dict]:
    """The errors of the parents, by query picture and gradient magnitude."""
    inside = {}
    for query in given.queries:
        pairs = parent_pairs(query.low)
        inside[query.name] = some(pairs, torch.arange(len(pairs.low)))
    drawn: dict[tuple[str, int], list] = {
        (name, draw): [] for name in inside for draw in range(DRAWS)
    }
    rng = torch.Generator().manual_seed(0)
    for other, load in given.external.items():
        pairs = parent_pairs(load())
        for (name, _), parts in drawn.items():
            if name != other:
                number = -(-len(inside[name][0]) // len(given.others(name)))
                rows = torch.randint(len(pairs.low), (number,), generator=rng)
                parts.append(some(pairs, rows))
    rows = []
    for query in given.queries:
        patches = patches_at(query.low, query.low_places)
        truth = patches_at(query.image, 2 * query.low_places, 10)
        smooth = resize(query.low, 2).clamp(0, 1)
        wrong = {
            "bicubic": [patches_at(smooth, 2 * query.low_places, 10)],
            "internal": [predict(patches, *inside[query.name])],
            "external": [
                predict(patches, *map(torch.cat, zip(*parts, strict=True)))
                for (name, _), parts in drawn.items()
                if name == query.name
            ],
        }
        for number, name in enumerate(GRADIENT_NAMES):
            chosen = query.low_bins == number
            if not chosen.any():
                continue
            row = {"image": query.name, "gradient": name, "patches": int(chosen.sum())}
            row["pairs"] = len(inside[query.name][0])
            for what, guesses in wrong.items():
                errors = [rms((g - truth)[chosen].square()) for g in guesses]
                row[f"{what}, error"] = mean(errors)
                if len(errors) > 1:
                    row[f"{what}, error, least"] = min(errors)
                    row[f"{what}, error, most"] = max(errors)
            rows.append(row)
            print(row, flush=True)
    return rows


def main(folder: Path | None = None) -> None:
    """Measure, and write ``internal_statistics_equal_pairs.json``."""
    torch.set_num_threads(1)
    start = time.process_time()
    commit = record.commit_of_code("benchmarks/equal_pairs.py")
    given = pictures(folder, None)
    rows = equal_pairs(given)
    record.write(
        "internal_statistics_equal_pairs",
        rows,
        commit,
        **{
            "external pictures": len(given.external),
            "cpu seconds": round(time.process_time() - start),
        },
    )


if __name__ == "__main__":
    tyro.cli(main)
