"""Measure what each part of InGAN contributes, and the shipped networks at all sizes.

    python benchmarks/credit_ingan.py --sections credit sizes

Section ``credit`` writes ``credit_ingan.json`` and ``credit_ingan_coins.json``: methods
without learning are measured here; the three trainings from scratch are those of the
record ``ingan_coins.json`` (section ``coins`` of ``ingan.py``). Section ``sizes``
writes ``ingan_sizes.json``: the checkpoints of ``data/ingan`` at their full size.
"""

import time

import numpy as np
import record
import torch
import tyro
from scipy.ndimage import binary_opening
from skimage.filters import threshold_otsu
from skimage.measure import label, regionprops

from dil_teach import coherence, completeness, load_image, photo, resize, resume
from dil_teach.classical.retarget import bidirectional, patch_generation
from dil_teach.classical.retarget.column_warp import column_warp
from dil_teach.classical.seams.seam_carving import carve
from dil_teach.deep.ingan.patch_loss import distribution_distance
from dil_teach.image.convention import Image
from dil_teach.image.metrics import count_objects, count_points
from dil_teach.image.shipped import shipped
from dil_teach.image.warp import resizing

SIZE = (76, 96)
"""Height and width of the coins of the section ``credit``."""
COINS = 24
SIZES = ((1, 1.5), (1, 2), (1.5, 1), (2, 1), (1.5, 1.5), (2, 2))
"""Scales of height and width of the section ``sizes``."""
MISSING = {
    "input": "the photograph has another size; see its stretched version below",
    "final": "nothing is done after the network",
    "oracle": "no photograph shows the right answer",
}


def credit() -> None:
    """Coins at twice their width: baselines and InGAN, by patches and by the count."""
    source = resize(photo("coins"), size=SIZE).clamp(0, 1)
    wide = (SIZE[0], 2 * SIZE[1])
    stretched = resize(source, size=wide).clamp(0, 1)
    pictures = {
        "tiled": torch.cat([source, source], 2),
        "column warp": column_warp(source, wide[1]),
        "seam carving": carve(source, wide),
        "bidirectional similarity": bidirectional.retarget(source, wide).clamp(0, 1),
        "GPNN": patch_generation.retarget(source, wide).clamp(0, 1),
    }
    untrained = "stretched, which is the untrained network"
    patches = [row("initialisation", untrained, [1.0])]
    counts = [row("initialisation", untrained, [error(count_objects(stretched)[0])])]
    lost, added = completeness(source, stretched), coherence(source, stretched)
    for name, picture in pictures.items():
        shares = (
            completeness(source, picture) / lost,
            coherence(source, picture) / added,
        )
        patches.append(row("baseline", name, [sum(shares) / 2]))
        counts.append(row("baseline", name, [error(count_objects(picture)[0])]))
    runs = [
        run
        for run in record.read("ingan_coins")
        if run["method"] == "InGAN" and run["scale"] == 2
    ]
    shares = [(run["completeness"] + run["coherence"]) / 2 for run in runs]
    patches.append(row("network", "InGAN", shares))
    counts.append(row("network", "InGAN", [error(run["objects"]) for run in runs]))
    about = {
        "better": "lower",
        "where": f"the coins at {SIZE[0]} x {SIZE[1]} pixels, budget standard",
        "result": "Coins at twice the width",
        "missing": MISSING,
    }
    commit = record.commit_of_code("benchmarks/credit_ingan.py")
    mean = "mean of completeness and coherence, divided by those of the stretched coins"
    record.write("credit_ingan", patches, commit, measure=mean, **about)
    difference = f"difference from {2 * COINS} coins, as a share of {2 * COINS}"
    record.write("credit_ingan_coins", counts, commit, measure=difference, **about)


def row(role: str, name: str, values: list[float]) -> dict:
    """A row of a table of credit."""
    return {"role": role, "name": name, "values": values}


def error(number: float) -> float:
    """The difference from the number of coins that twice the width should show."""
    return abs(number / (2 * COINS) - 1)


def sizes() -> None:
    """The shipped networks at six sizes: coins, bricks, galaxies, and patches."""
    rows, folder = [], shipped("data/ingan")
    for name in ("coins", "brick", "facade", "hubble"):
        source = load_image(folder / f"{name}.png")
        ingan = resume(folder / f"{name}.safetensors", source)
        for scales in SIZES:
            begin = time.process_time()
            drawn = ingan.remap(resizing(*scales))
            seconds = time.process_time() - begin
            size = (drawn.shape[1], drawn.shape[2])
            plain = resize(source, size=size).clamp(0, 1)
            found = {"photograph": name, "height": scales[0], "width": scales[1]}
            found["cpu seconds"] = seconds
            found["distribution"] = distance(drawn, source) / distance(plain, source)
            area = scales[0] * scales[1]
            if name == "coins":
                number, shape = count_objects(drawn)
                own, own_shape = count_objects(source)
                found["count"] = number / own / area
                found["shape"] = shape / own_shape
            elif name == "brick":
                found |= compare_bricks(drawn, source)
            elif name == "hubble":
                found["density"] = count_points(drawn) / count_points(source) / area
                found["density of bicubic"] = (
                    count_points(plain) / count_points(source) / area
                )
            print(rows.append(found) or found, flush=True)
    commit = record.commit_of_code("benchmarks/credit_ingan.py")
    about = "1 is right for count, shape, whole and density; distribution: bicubic 1"
    record.write("ingan_sizes", rows, commit, measure=about)


def compare_bricks(drawn: Image, source: Image) -> dict[str, float]:
    """Number of bricks per area, shape, and share of whole bricks; the source has 1.

    ``shape`` is the median ratio of length to height. A brick is whole if the source
    has a brick of its length, and its height is the source's median; both within 15%.
    """
    threshold = float(threshold_otsu(source.numpy()))
    (number, sizes), (own, own_sizes) = (
        bricks(image, threshold) for image in (drawn, source)
    )
    lengths, height = own_sizes[:, 1], np.median(own_sizes[:, 0])
    nearest = np.abs(sizes[:, 1:] / lengths - 1).min(1)
    whole = (nearest < 0.15) & (np.abs(sizes[:, 0] / height - 1) < 0.15)
    area = drawn[0].numel() / source[0].numel()
    shape, own_shape = (np.median(s[:, 1] / s[:, 0]) for s in (sizes, own_sizes))
    return {
        "count": number / own / area,
        "shape": float(shape / own_shape),
        "whole": float(whole.mean()),
    }


def bricks(image: Image, threshold: float) -> tuple[float, np.ndarray]:
    """The number of bricks, and height and length of those that no border cuts.

    A brick is a connected region below the threshold; connections of up to 4 pixels,
    which are gaps of a joint, are cut. A brick counts half if one side of the picture
    cuts it, and a quarter in a corner.
    """
    dark = binary_opening(image.mean(0).numpy() < threshold, np.ones((5, 5)))
    found = [r.bbox for r in regionprops(label(dark, connectivity=1)) if r.area > 50]
    height, width = dark.shape
    cuts = [(t < 2) + (x < 2) + (b > height - 2) + (y > width - 2)
            for t, x, b, y in found]  # fmt: skip
    inside = [box for box, cut in zip(found, cuts, strict=True) if not cut]
    sizes = np.array([(below - top, y - x) for top, x, below, y in inside])
    return sum(0.5**cut for cut in cuts), sizes


def distance(drawn: Image, source: Image) -> float:
    """The sliced Wasserstein distance between two pictures' patches."""
    rng = torch.Generator().manual_seed(0)
    return float(distribution_distance(drawn[None], source[None], rng))


SECTIONS = {"credit": credit, "sizes": sizes}


def main(sections: tuple[str, ...] = tuple(SECTIONS)) -> None:
    """Measure the given sections."""
    torch.set_num_threads(1)
    for section in sections:
        SECTIONS[section]()


if __name__ == "__main__":
    tyro.cli(main)
