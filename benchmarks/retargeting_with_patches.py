"""Retargeting with patches, compared with resizing, tiling and the column warp.

``python benchmarks/retargeting_with_patches.py`` changes the width of five photographs,
112 pixels wide, by factors 2 and 0.5. It writes ``results/retargeting_with_patches`` as
.json and .png. For five photographs on which no setting was tuned, it writes
``..._held_out``. In the pictures, each row is a photograph. Its columns show the
photograph, then four results at twice the width, and the same four at half the width:
bicubic, tiled (cropped if narrower), bidirectional similarity, and GPNN.

The measures are errors: completeness and coherence relative to bicubic (lower is
better), and how far patches have moved. A tiled copy is perfect in completeness and
coherence, but moves patches far. ``uniform start`` means that a method runs without our
two additions: a start that keeps the width of detailed columns, and a penalty on how
far patches move.
"""

import time
from collections.abc import Callable
from statistics import mean

import record
import torch
import torch.nn.functional as F
import tyro

from dil_teach.classical.retarget import (
    bidirectional,
    layouts,
    matching,
    patch_generation,
)
from dil_teach.classical.retarget.column_warp import column_warp
from dil_teach.image.convention import Image
from dil_teach.image.files import save_image
from dil_teach.image.photos import photo
from dil_teach.image.resize import resize
from dil_teach.patches.similarity import coherence, completeness, relative_location

SETS = {
    "retargeting_with_patches": ("astronaut", "coffee", "china", "flower", "chelsea"),
    "retargeting_with_patches_held_out": (
        "camera",
        "clock",
        "facade",
        "hubble",
        "retina",
    ),
}
WIDTH = 112
DRAWN = ("bicubic", "tiled", "bidirectional", "GPNN")
MARGIN = 4
Method = Callable[[Image, tuple[int, int]], Image]


def bicubic(image: Image, size: tuple[int, int]) -> Image:
    """Uniform resizing."""
    return resize(image, size=size).clamp(0, 1)


def tiled(image: Image, size: tuple[int, int]) -> Image:
    """Copies of the image side by side; the middle part if the result is narrower."""
    if size[1] < image.shape[-1]:
        left = (image.shape[-1] - size[1]) // 2
        return image[..., left : left + size[1]]
    return image.repeat(1, 1, -(-size[1] // image.shape[-1]))[..., : size[1]]


def as_in_the_paper(method: Method) -> Method:
    """Run a method with a uniform start and without the penalty on moves."""

    def retarget(image: Image, size: tuple[int, int]) -> Image:
        kept = layouts.POWER, matching.PLACE_WEIGHT
        layouts.POWER, matching.PLACE_WEIGHT = 0.0, 0.0
        try:
            return method(image, size)
        finally:
            layouts.POWER, matching.PLACE_WEIGHT = kept

    return retarget


METHODS: dict[str, Method] = {
    "bicubic": bicubic,
    "tiled": tiled,
    "column warp": lambda image, size: column_warp(image, size[1]),
    "stretch alone": lambda image, size: layouts.stretch(image, size)[0],
    "bidirectional": bidirectional.retarget,
    "bidirectional, uniform start": as_in_the_paper(bidirectional.retarget),
    "GPNN": patch_generation.retarget,
    "GPNN, uniform start": as_in_the_paper(patch_generation.retarget),
}


def main(sets: tuple[str, ...] = tuple(SETS)) -> None:
    """Measure all methods on all photographs, and save the pictures."""
    torch.set_num_threads(1)
    for name in sets:
        measure(name, SETS[name])


def measure(title: str, names: tuple[str, ...]) -> None:
    """Measure one set of photographs; write its record and its picture."""
    commit = record.commit_of_code("benchmarks/retargeting_with_patches.py")
    rows, strips = [], []
    for name in names:
        image = photo(name)
        height = round(WIDTH * image.shape[-2] / image.shape[-1])
        image = resize(image, size=(height, WIDTH)).clamp(0, 1)
        strip = [image]
        for factor in (2, 0.5):
            size = (height, round(factor * WIDTH))
            for method, retarget in METHODS.items():
                start = time.process_time()
                result = retarget(image, size).clamp(0, 1)
                took = time.process_time() - start
                rows.append(
                    {
                        "photograph": name,
                        "width": factor,
                        "method": method,
                        "completeness": completeness(image, result),
                        "coherence": coherence(image, result),
                        "relative location": relative_location(image, result),
                        "CPU s": took,
                    }
                )
                if method in DRAWN:
                    strip.append(result)
        print(name, "done", flush=True)
        padded = [F.pad(each, (0, MARGIN, 0, MARGIN), value=1.0) for each in strip]
        strips.append(torch.cat(padded, 2).expand(3, -1, -1))
    summary = summarise(rows)
    for line in summary:
        print(line)
    # multiplied by a million, so that the record keeps the digits of small errors
    for row in rows:
        for key in ("completeness", "coherence"):
            row[f"{key}, millionths"] = 1e6 * row.pop(key)
    record.write(title, rows, commit, summary=summary)
    save_image(torch.cat(strips, 1), record.RESULTS / f"{title}.png")


def summarise(rows: list[dict]) -> list[dict]:
    """Means over the photographs, with errors relative to plain resizing."""
    lines = []
    for factor in (2, 0.5):
        own = [row for row in rows if row["width"] == factor]
        plain = {
            key: mean(row[key] for row in own if row["method"] == "bicubic")
            for key in ("completeness", "coherence")
        }
        for method in METHODS:
            which = [row for row in own if row["method"] == method]
            shares = {
                f"{key}, share of bicubic's": mean(row[key] for row in which) / error
                for key, error in plain.items()
            }
            lines.append(
                {"width": factor, "method": method}
                | shares
                | {
                    "relative location": mean(r["relative location"] for r in which),
                    "CPU s": mean(row["CPU s"] for row in which),
                    "CPU s, most": max(row["CPU s"] for row in which),
                }
            )
    return lines


if __name__ == "__main__":
    tyro.cli(main)
