"""Measure which part of Double-DIP makes its results, for segmentation and separation.

    python benchmarks/credit_layers.py                      # all sections
    python benchmarks/credit_layers.py --sections one_mixture  # one section

It writes ``benchmarks/results/credit_NAME.json``, also from the rows that
``segmentation.py`` and ``separation.py`` wrote.
"""

from statistics import mean

import numpy as np
import record
import torch
import torch.nn.functional as F
import tyro
from scipy.ndimage import distance_transform_edt
from segmentation import iou
from separation import worse_layer
from skimage.draw import polygon

from dil_teach import Segmentation, SegmentationSettings, fit, photo
from dil_teach.classical.segmentation.grab_cut import grab_cut
from dil_teach.classical.segmentation.region_growing import cut_grown_hints
from dil_teach.image.convention import Image
from dil_teach.image.resize import limit_side, resize
from dil_teach.image.scenes import scene, scenes

SEEDS = (0, 1, 2)
COMPOSITES = [name for name in scenes("composite") if name != "grass_star"]
Rows = list[dict]
Values = dict[str, dict[int, list[float]]]
"""The values of each method by seed; methods without a seed have the seed 0 alone."""


def collect(values: Values, name: str, seed: int, value: float) -> None:
    """Add one picture's value of a method."""
    values.setdefault(name, {}).setdefault(seed, []).append(value)


def rows_of(values: Values, roles: dict[str, str]) -> Rows:
    """One row for each method: the mean over the pictures, for each seed."""
    return [
        {"role": role, "name": name, "values": [mean(v) for v in values[name].values()]}
        for name, role in roles.items()
    ]


def write(name: str, rows: Rows, **facts: object) -> None:
    commit = record.commit_of_code("benchmarks/credit_layers.py")
    record.write(f"credit_{name}", rows, commit, **facts)
    for row in rows:
        print(name, row, flush=True)


# ---- segmentation


def nearest_hint(front: Image, back: Image) -> Image:
    """1 where the foreground hint is nearer; the picture is not used."""
    inside, outside = (
        torch.from_numpy(distance_transform_edt(1 - hint[0].numpy()))
        for hint in (front, back)
    )
    return (inside < outside)[None].float()


SEGMENTATION = {
    "nearest hint": "input",
    "grown hints": "initialisation",
    "GrabCut": "baseline",
    "grown hints, last cut": "baseline",
    "mask of our networks": "network",
    "our networks, last cut": "final",
}
NO_MASK_ORACLE = {"oracle": "the true mask has IoU 1"}


def segmentation() -> None:
    """Six rendered scenes, with a disk and the border as hints."""
    values: Values = {}
    for row in record.read("segmentation_composites"):
        if row["scene"] not in COMPOSITES:
            continue
        collect(values, "GrabCut", row["seed"], row["grab cut"])
        collect(values, "grown hints", row["seed"], row["its start, no network"])
        masks = {"mask of our networks": "before the last cut"}
        masks["our networks, last cut"] = "double-dip"
        for name, key in masks.items():
            collect(values, name, row["seed"], row[key])
    for name in COMPOSITES:
        images = scene(name).images
        hints = images["foreground_hint"], images["background_hint"]
        image, truth = images["image"], images["mask"]
        collect(values, "nearest hint", 0, iou(nearest_hint(*hints), truth))
        for seed in SEEDS:
            settings = SegmentationSettings(seed=seed)
            start = Segmentation(image, *hints, settings).start
            cut = cut_grown_hints(start)[0]
            collect(values, "grown hints, last cut", seed, iou(cut, truth))
    write(
        "segmentation",
        rows_of(values, SEGMENTATION),
        result="Segmentation",
        measure="intersection over union",
        better="higher",
        where="six rendered scenes, 128 x 128 pixels, budget standard",
        missing=NO_MASK_ORACLE,
    )


# Outlines drawn by hand, in pixels (x, y) of the photograph, and disks (x, y, radius).
OUTLINES = {
    "fig": [
        "320,235 360,237 385,222 400,206 425,193 455,186 478,188 503,200 520,216 "
        "532,238 537,262 535,285 527,305 520,325 510,345 498,364 480,380 460,387 "
        "440,385 420,375 400,355 384,330 372,300 362,270 358,257 335,257 320,250"
    ],
    "dogs": [
        "158,205 165,190 185,180 205,178 225,181 243,190 250,205 258,220 265,245 "
        "266,265 262,290 250,305 235,308 231,300 235,285 225,289 210,286 200,275 "
        "197,285 188,297 178,300 165,295 158,280 156,250",
        "240,375 248,355 262,345 285,342 305,346 320,360 332,375 341,390 343,410 "
        "338,440 335,462 318,466 309,460 307,445 295,447 278,443 275,445 285,460 "
        "297,475 299,490 290,502 275,503 262,495 254,480 256,465 246,455 240,430 "
        "238,400",
    ],
}
DISKS = {"fig": [(450, 290, 45)], "dogs": [(210, 235, 25), (290, 395, 25)]}
BORDER = 32


def photograph(name: str) -> tuple[Image, Image, Image, Image]:
    """A photograph, its hints, and the mask that we drew by hand."""
    image = photo(name)
    height, width = image.shape[1:]
    truth = torch.zeros(1, height, width)
    for outline in OUTLINES[name]:
        x, y = np.array([p.split(",") for p in outline.split()], float).T
        truth[0][polygon(y, x, (height, width))] = 1
    y, x = torch.arange(height)[:, None], torch.arange(width)
    front = torch.zeros_like(truth)
    for across, down, radius in DISKS[name]:
        front[0][(x - across) ** 2 + (y - down) ** 2 < radius**2] = 1
    back = torch.ones_like(truth)
    back[:, BORDER:-BORDER, BORDER:-BORDER] = 0
    return image, front, back, truth


def photographs() -> None:
    """Two photographs, with masks that we drew by hand."""
    values: Values = {}
    for name in OUTLINES:
        image, front, back, truth = photograph(name)
        hints = front, back
        small = limit_side(image, 192, 16)
        size = (small.shape[1], small.shape[2])
        few = [F.adaptive_max_pool2d(hint, size) for hint in hints]
        collect(values, "nearest hint", 0, iou(nearest_hint(*hints), truth))
        for seed in SEEDS:
            learned = Segmentation(image, *hints, SegmentationSettings(seed=seed))
            masks = {
                "GrabCut": grab_cut(small, few[0], few[1], seed),
                "grown hints": learned.start.mask[0],
                "grown hints, last cut": cut_grown_hints(learned.start)[0],
            }
            fit(learned)
            masks["mask of our networks"] = learned.dip.layers().mask[0]
            masks["our networks, last cut"] = learned.mask()
            for key, mask in masks.items():
                mask = resize(mask, size=(truth.shape[1], truth.shape[2]))
                collect(values, key, seed, iou(mask, truth))
        print(name, values, flush=True)
    roles = {k: v for k, v in SEGMENTATION.items() if k in values}
    write(
        "photographs",
        rows_of(values, roles),
        result="Segmentation of photographs",
        measure="intersection over union with masks that we drew by hand",
        better="higher",
        where="the fig and the dogs, copies of 192 pixels, budget quick",
        missing=NO_MASK_ORACLE,
    )


# ---- separation

TRANSPARENCY = {
    "the mixtures": "input",
    "blurred search, closed form": "initialisation",
    "exclusion search, closed form": "baseline",
    "search with a blur of 1 pixel, closed form": "baseline",
    "the networks' layers": "network",
    "networks' coefficients, closed form": "final",
    "true coefficients, closed form": "oracle",
}
WORSE = "PSNR of the worse layer in dB, over all channels"


def transparency() -> None:
    """Two clean mixtures of six pairs; the rows of ``separation.py``."""
    values: Values = {}
    keys = {
        "blurred search, closed form": "search, blur 2.0: dB",
        "exclusion search, closed form": "search, blur 0.0: dB",
        "search with a blur of 1 pixel, closed form": "search, blur 1.0: dB",
        "the networks' layers": "dB, networks' own",
        "networks' coefficients, closed form": "dB, closed form",
        "true coefficients, closed form": "dB with the true coefficients",
    }
    for row in record.read("separation_mixtures"):
        for name, key in keys.items() if row["noise"] == 0 else ():
            if row["seed"] == 0 or "networks" in name:
                collect(values, name, row["seed"], row[key])
    for name in scenes("mixture"):
        images = scene(name).images
        value = worse_layer(images["mixtures"], images["layers"])
        collect(values, "the mixtures", 0, value)
    write(
        "transparency",
        rows_of(values, TRANSPARENCY),
        result="Separation of two mixtures",
        measure=WORSE,
        better="higher",
        where="six rendered pairs, 128 x 128 pixels, budget standard",
        missing={},
    )


def one_mixture() -> None:
    """One mixture of six pairs; the rows of ``separation.py``."""
    values: Values = {}
    for row in record.read("separation_one_mixture"):
        collect(
            values, "the networks' difference", row["seed"], row["dB, better order"]
        )
        if row["seed"] == 0:
            collect(values, "the mixture, twice", 0, row["dB, I/2"])
            collect(values, "best constant split", 0, row["dB, best constant split"])
    roles = {
        "the mixture, twice": "input",
        "the networks' difference": "network",
        "best constant split": "oracle",
    }
    write(
        "one_mixture",
        rows_of(values, roles),
        result="Separation of one mixture",
        measure="PSNR of both layers in dB, in the better order",
        better="higher",
        where="six rendered pairs, 128 x 128 pixels, budget standard",
        missing={
            "initialisation": "the weights are random",
            "baseline": "the search needs two mixtures",
            "final": "nothing is computed after the networks",
        },
    )


SECTIONS = {
    f.__name__: f for f in (segmentation, photographs, transparency, one_mixture)
}


def main(sections: tuple[str, ...] = tuple(SECTIONS)) -> None:
    """Measure the parts of Double-DIP, section by section."""
    torch.set_num_threads(1)
    for section in sections:
        SECTIONS[section]()


if __name__ == "__main__":
    tyro.cli(main)
