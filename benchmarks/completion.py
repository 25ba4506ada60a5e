"""Measure completion: texture synthesis, holes in photographs, and holes in films.

    python benchmarks/completion.py               # all sections, about ten CPU minutes
    python benchmarks/completion.py synthesis     # one section

The sections write `benchmarks/results/completion_*.json` and pictures. The six holes
were chosen before any method filled them. The settings of Wexler's search and vote were
chosen on these holes, and those of its last pass on the holes of the section `tuning`.

The sharpness of a hole is its gradient energy, divided by that of the surroundings. The
surroundings are not always a good reference: if a spoon or a tower is removed, the true
content can have five times their energy, and a plausible content a third. So the record
also has the sharpness of the original, and for Wexler's method `kept_sharpness`: the
gradient energy of the hole, divided by that of the pixels that it copies. Blur makes
this ratio less than 1.
"""

import sys
import time
from functools import partial
from unittest.mock import patch

import torch
from completion_measures import coherence_of_film, kept_sharpness, measure
from record import RESULTS, commit_of_code, write
from torch import Tensor
from tqdm import tqdm

from dil_teach import (
    DeepImagePrior,
    DeepImagePriorSettings,
    complete_film,
    complete_image,
    fill_hole,
    fit,
    photo,
    save_image,
    synthesise,
)
from dil_teach.classical.completion import wexler
from dil_teach.classical.completion.efros_leung import largest_copy
from dil_teach.classical.completion.wexler import Completed
from dil_teach.classical.inpainting import biharmonic
from dil_teach.classical.telea import telea
from dil_teach.image.degradation import masked
from dil_teach.image.resize import resize

SIDE = 256
SHOWN = 112
"""Side of the part around a hole that the picture shows, in pixels."""
TEXTURES = {
    "brick": (256, 0, 0),
    "grass": (256, 96, 96),
    "gravel": (256, 96, 96),
    "coffee (wood)": (256, 0, 192),
    "china (roofs)": (256, 60, 40),
}
"""Size to which each photograph is reduced, and the top left pixel of the sample."""


def disk(row: int, column: int, high: int, wide: int) -> Tensor:
    """A mask with an ellipse; ``high`` and ``wide`` are half its height and width."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    return (((y - row) / high) ** 2 + ((x - column) / wide) ** 2 <= 1)[None].float()


def box(top: int, bottom: int, left: int, right: int) -> Tensor:
    mask = torch.zeros(1, SIDE, SIDE)
    mask[:, top:bottom, left:right] = 1
    return mask


HOLES = {
    "brick": disk(128, 128, 28, 28),
    "grass": disk(128, 128, 28, 28),
    "china": box(96, 136, 40, 90),  # a storey of the tower
    "coffee": disk(177, 170, 38, 30),  # the bowl of the spoon
    "chelsea": disk(56, 128, 26, 26),  # fur between the eyes
    "camera": box(52, 98, 202, 224),  # the tallest building
}
TUNING = {
    "gravel": ("gravel", disk(128, 128, 28, 28)),
    "coins": ("coins", disk(120, 150, 24, 24)),
    "flower, outline": ("flower", disk(60, 60, 26, 26)),
    "flower, petals": ("flower", disk(128, 128, 24, 28)),
    "astronaut, flag": ("astronaut", box(20, 66, 40, 80)),
    "astronaut, suit": ("astronaut", disk(200, 120, 28, 24)),
    "hubble": ("hubble", disk(120, 120, 26, 26)),
}


def synthesis() -> None:
    """128 x 128 pixels from samples of 64 x 64: time, and the largest verbatim copy."""
    rows, strips = [], []
    for name, (size, top, left) in tqdm(TEXTURES.items()):
        sample = photo(name.split()[0], size)[:, top : top + 64, left : left + 64]
        for seed in (0, 1, 2):
            begin = time.process_time()
            rng = torch.Generator().manual_seed(seed)
            grown = synthesise(sample, (128, 128), rng)
            row = {
                "sample": name,
                "seed": seed,
                "cpu_seconds": time.process_time() - begin,
                "largest_copy": largest_copy(grown),
                "pixels_of_sample_used": len(grown.source.flatten(1).T.unique(dim=0))
                / 64**2,
            }
            rows.append(row)
            if seed == 0:
                shown = torch.ones(3, 128, 64)
                shown[:, :64] = sample
                strips.append(torch.cat([shown, grown.image.expand(3, -1, -1)], 2))
    save_image(torch.cat(strips, 2), RESULTS / "completion_synthesis.png")
    write("completion_synthesis", rows, commit_of_code("benchmarks/completion.py"))


def holes(with_dip: bool = False) -> None:
    """Fill the six holes: patch coherence, sharpness and time of each method."""
    rows, strips = [], []
    for name, mask in tqdm(HOLES.items()):
        image = photo(name, SIDE)
        hidden = image * (1 - mask)
        row: dict = {"hole": name, "pixels": int(mask.sum())}
        row["original"] = measure(image, image, mask)
        shown = [image, hidden]
        for method, fill in METHODS.items():
            if method == "dip" and not with_dip:
                continue
            begin = time.process_time()
            filled = fill(hidden, mask)
            row[method] = {"cpu_seconds": time.process_time() - begin}
            if isinstance(filled, Completed):
                row[method]["kept_sharpness"] = kept_sharpness(filled, mask)
                filled = filled.image
            row[method] |= measure(image, filled, mask)
            shown.append(filled)
        rows.append(row)
        near = [
            slice(start, start + SHOWN)
            for middle in mask[0].nonzero().float().mean(0).int().tolist()
            for start in [min(max(middle - SHOWN // 2, 0), SIDE - SHOWN)]
        ]
        strip = [each.expand(3, -1, -1)[:, near[0], near[1]] for each in shown]
        strips.append(torch.cat(strip, 2))
        ours, others = row["wexler"], (row["biharmonic"], row["telea"])
        row["more_coherent"] = all(ours["coherence"] < o["coherence"] for o in others)
        row["as_sharp"] = abs(ours["sharpness"] - 1) <= 0.2
        print(row, flush=True)
        save_image(torch.cat(strips, 1), RESULTS / "completion_holes.jpg")
    write("completion_holes", rows, commit_of_code("benchmarks/completion.py"))


def tuning() -> None:
    """Fill the holes for tuning by Wexler's method, as in `holes`."""
    rows = []
    for name, (of, mask) in tqdm(TUNING.items()):
        image = photo(of, SIDE)
        hidden = image * (1 - mask)
        done = complete_image(hidden, mask)
        row: dict = {"hole": name, "original": measure(image, image, mask)}
        row["wexler"] = measure(image, done.image, mask)
        row["wexler"]["kept_sharpness"] = kept_sharpness(done, mask)
        for other in (biharmonic, telea):
            row[other.__name__] = measure(image, other(hidden, mask), mask)
        rows.append(row)
        print(row, flush=True)
    write("completion_tuning", rows, commit_of_code("benchmarks/completion.py"))


def by_pixels(image: Tensor, mask: Tensor, seed: int = 0) -> Tensor:
    return fill_hole(image, mask, torch.Generator().manual_seed(seed)).image


def without_last_pass(image: Tensor, mask: Tensor) -> Tensor:
    """Wexler's search and vote alone."""
    with patch.object(wexler, "MOST_COPIED", 0):
        return complete_image(image, mask).image


def by_network(image: Tensor, mask: Tensor) -> Tensor:
    settings = DeepImagePriorSettings.quick()
    return fit(DeepImagePrior(image, masked(mask), settings)).result()


METHODS = {
    "wexler": complete_image,
    "wexler, without the last pass": without_last_pass,
    "efros-leung": by_pixels,
    "efros-leung, seed 1": partial(by_pixels, seed=1),
    "efros-leung, seed 2": partial(by_pixels, seed=2),
    "biharmonic": biharmonic,
    "telea": telea,
    "dip": by_network,
}


def films() -> None:
    """Fill a hole in each of 16 frames: error, and flicker along the known motion."""
    rows, sheets = [], []
    tall, wide, count = 64, 96, 16
    scenery = photo("china", SIDE)[:, 60 : 60 + tall]
    pan = torch.stack([scenery[:, :, 2 * t : 2 * t + wide] for t in range(count)])
    stain = torch.zeros(count, 1, tall, wide)
    stain[:, :, 22:42, 38:58] = 1
    table = photo("coffee", SIDE)[:, 20 : 20 + tall, 100 : 100 + wide]
    still = table.expand(count, -1, -1, -1).clone()
    y, x = torch.meshgrid(torch.arange(tall), torch.arange(wide), indexing="ij")
    ball = [((y - 32) ** 2 + (x - 20 - 3 * t) ** 2 < 100).float() for t in range(count)]
    fine = photo("china", 400)[:, 94 : 94 + 2 * tall]
    slow = [fine[:, :, 3 * t : 3 * t + 2 * wide] for t in range(count)]
    slow = resize(torch.stack(slow), size=(tall, wide), kernel="area")
    noise = torch.randn(slow.shape, generator=torch.Generator().manual_seed(0))
    slow = (slow + 0.01 * noise).clamp(0, 1)
    cases = {  # the scene moves by so many pixels in so many frames
        "a stain on the lens, the camera pans": (pan, stain, 2, 1),
        "a stain, a pan by 1.5 pixels in a frame, noise": (slow, stain, 3, 2),
        "a ball rolls by, still": (still, torch.stack(ball)[:, None], 0, 1),
    }
    for case, (truth, masks, step, lag) in cases.items():
        hidden = truth * (1 - masks)
        shown = [hidden]
        ways = "wexler, space-time", "wexler, frame by frame", "biharmonic", "original"
        for method in ways:
            begin = time.process_time()
            if method == "original":
                filled = truth
            elif method == "wexler, space-time":
                filled = complete_film(hidden, masks).film
            else:
                fill = METHODS[method.split(",")[0]]
                each = map(fill, hidden, masks)
                filled = torch.stack([getattr(one, "image", one) for one in each])
            seconds = time.process_time() - begin
            hole = (masks == 1).expand_as(truth)
            # the same point of the scene in two frames, where both are filled
            change = filled[lag:, ..., : wide - step] - filled[:-lag, ..., step:]
            both = hole[lag:, ..., : wide - step] & hole[:-lag, ..., step:]
            rows.append(
                {
                    "film": case,
                    "method": method,
                    "rms_error": float((filled - truth)[hole].square().mean().sqrt()),
                    "flicker": float(change[both].square().mean().sqrt()),
                    "coherence": coherence_of_film(truth, filled, masks),
                    "cpu_seconds": seconds,
                }
            )
            print(rows[-1], flush=True)
            shown.append(filled)
        frames = [torch.cat(list(each[:13:3]), 2) for each in shown]
        sheets.append(torch.cat(frames, 1))
    save_image(torch.cat(sheets, 1), RESULTS / "completion_films.jpg")
    write("completion_films", rows, commit_of_code("benchmarks/completion.py"))


if __name__ == "__main__":
    torch.set_num_threads(1)
    sections = {
        "synthesis": synthesis,
        "holes": holes,
        "tuning": tuning,
        "films": films,
    }
    for section in sys.argv[1:] or sections:
        if section == "dip":  # also runs Deep Image Prior: a minute for each hole
            holes(with_dip=True)
        else:
            sections[section]()
