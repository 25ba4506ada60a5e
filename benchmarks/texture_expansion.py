"""Compare adversarial texture expansion with bicubic upscaling.

``python benchmarks/texture_expansion.py`` doubles photographs of 96 x 96 pixels, and
also the coins at 64 x 64, where the coins are small enough for the generator to learn
them. Completeness and coherence are divided by the values of bicubic upscaling. If a
quotient is below 1, the patches of the expansion are closer to the source than the
patches of bicubic upscaling. In a fine texture such as grass, both measures favour
blur, because a blurred patch is close to every patch. So ``detail`` is reported too:
the mean difference of neighbouring pixels, relative to the source. The picture shows
source, bicubic and expansion.
"""

import time

import record
import torch
import torch.nn.functional as F
import tyro

from dil_teach import coherence, completeness, fit, photo, resize, save_image
from dil_teach.deep.texture_expansion.texture_expansion import (
    TextureExpansion,
    TextureExpansionSettings,
)
from dil_teach.image.convention import Image
from dil_teach.patches.recurrence import recurrence_score

PICTURES = (
    ("gravel", 96),
    ("grass", 96),
    ("brick", 96),
    ("facade", 96),
    ("flower", 96),
    ("coins", 96),
    ("coins", 64),
)
MARGIN = 4
SHOWN = 192


def detail(image: Image) -> float:
    """The mean absolute difference between neighbouring pixels."""
    steps = (image.diff(dim=-1).abs().mean() + image.diff(dim=-2).abs().mean()) / 2
    return steps.item()


def compare(name: str, size: int, budget: str, seed: int) -> tuple[dict, Image]:
    """Expand one photograph; return its row, and its three pictures side by side."""
    image, start = photo(name, size), time.process_time()
    settings = getattr(TextureExpansionSettings, budget)(seed=seed)
    method = fit(TextureExpansion(image, settings))
    seconds = time.process_time() - start
    expanded, enlarged = method.result(), resize(image, 2).clamp(0, 1)
    row = {
        "photo": name,
        "size": size,
        "budget": budget,
        "seed": seed,
        "CPU s": seconds,
        "ms a step": 1000 * seconds / method.step,
        "completeness": completeness(image, expanded) / completeness(image, enlarged),
        "coherence": coherence(image, expanded) / coherence(image, enlarged),
        "detail": detail(expanded) / detail(image),
        "detail of bicubic": detail(enlarged) / detail(image),
        "recurrence": recurrence_score(expanded),
        "recurrence of the source": recurrence_score(image),
        "recurrence of bicubic": recurrence_score(enlarged),
    }
    edge = (SHOWN - 2 * size, SHOWN - size)  # white around smaller pictures
    shown = [
        F.pad(picture.expand(3, -1, -1), (0, MARGIN + pad, 0, MARGIN + pad), value=1)
        for picture, pad in ((image, edge[1]), (enlarged, edge[0]), (expanded, edge[0]))
    ]
    return row, torch.cat(shown, 2)


def measure(budget: str = "quick", seed: int = 0) -> None:
    """Measure expansion to twice the size."""
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/texture_expansion.py")
    rows, shown = [], []
    for name, size in PICTURES:
        row, pictures = compare(name, size, budget, seed)
        print(row, flush=True)
        rows.append(row)
        shown.append(pictures)
        record.write("texture_expansion", rows, commit)
        save_image(torch.cat(shown, 1), record.RESULTS / "texture_expansion.png")


if __name__ == "__main__":
    tyro.cli(measure)
