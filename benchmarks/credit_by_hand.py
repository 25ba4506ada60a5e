"""Exact credit for super-resolution by hand: parents, or back-projection?

``python benchmarks/credit_by_hand.py`` enlarges five photographs from half their size
(their longer side has 256 pixels) and writes
``results/credit_super_resolution_by_hand.json``, which chapter 01 shows. No method is
random, so a row has one value: the mean over the photographs. The oracle chooses, among
the nine nearest matches of each patch, the parent that is nearest to the ground truth.
"""

from statistics import mean

import record
import torch
import tyro

from dil_teach import photo, psnr_y, super_resolve_by_recurrence
from dil_teach.classical.back_projection import back_project
from dil_teach.classical.super_resolution.by_hand import find_sons, paste_parents
from dil_teach.image.convention import Image
from dil_teach.image.resize import resize
from dil_teach.patches.search import nearest_patches

PHOTOGRAPHS = ("coffee", "astronaut", "flower", "chelsea", "fig")
PATCH, CANDIDATES, BORDER = 5, 9, 4
HAND, PROJECTED = "parents pasted", "parents pasted, back-projected"
ROLES = {
    "bicubic interpolation": "initialisation",
    "bicubic, back-projected": "baseline",
    "Glasner, within scale": "baseline",
    "Glasner, across scales": "baseline",
    "Glasner, both": "baseline",
    HAND: "final",
    PROJECTED: "final",
    "best of nine parents, back-projected": "oracle",
}


def pictures(low: Image, truth: Image) -> dict[str, Image]:
    """The result of each row of the record."""

    def projected(image: Image) -> Image:
        return back_project(image, low, "bicubic", 2)

    sons = find_sons(low)
    place = sons.row[..., 0], sons.column[..., 0]
    smooth = resize(low, 2)
    everywhere = torch.ones_like(place[0], dtype=torch.bool)
    pasted = paste_parents(low, smooth, *place, everywhere)
    glasner = {
        "Glasner, within scale": {"across": False},
        "Glasner, across scales": {"within": False},
        "Glasner, both": {},
    }
    found = {"bicubic interpolation": smooth, HAND: pasted}
    found |= {"bicubic, back-projected": projected(smooth)}
    for name, switched in glasner.items():
        found[name] = super_resolve_by_recurrence(low, **switched)
    found[PROJECTED] = projected(pasted)
    best = projected(oracle(low, truth))
    return found | {"best of nine parents, back-projected": best}


def oracle(low: Image, truth: Image) -> Image:
    """Paste, of the parents of nine matches, the one nearest to the ground truth."""
    half = resize(low, 0.5).clamp(0, 1)
    found = nearest_patches(
        low, half, PATCH, CANDIDATES, remove_mean=True, exclude_self=True
    )
    side = 2 * PATCH
    parents, wanted = (x.unfold(1, side, 1).unfold(2, side, 1) for x in (low, truth))
    wanted = wanted[:, ::2, ::2]
    wanted = wanted - wanted.mean((3, 4), keepdim=True)
    errors = []
    for k in range(CANDIDATES):
        parent = parents[:, 2 * found.row[..., k], 2 * found.column[..., k]]
        parent = parent - parent.mean((3, 4), keepdim=True)
        errors.append((parent - wanted).square().sum((0, 3, 4)))
    best = torch.stack(errors, 2).argmin(2, keepdim=True)
    row, column = (x.gather(2, best)[..., 0] for x in (found.row, found.column))
    everywhere = torch.ones_like(row, dtype=torch.bool)
    return paste_parents(low, resize(low, 2), row, column, everywhere)


def main(photographs: tuple[str, ...] = PHOTOGRAPHS) -> None:
    """Measure all rows on all photographs, and write the record."""
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/credit_by_hand.py")
    decibels: dict[str, list[float]] = {name: [] for name in ROLES}
    for name in photographs:
        truth = photo(name, size=256)
        truth = truth[:, : truth.shape[1] // 4 * 4, : truth.shape[2] // 4 * 4]
        low = (resize(truth, 0.5).clamp(0, 1) * 255).round() / 255
        for row, image in pictures(low, truth).items():
            decibels[row].append(psnr_y(image.clamp(0, 1), truth, BORDER))
        print(name, {row: round(v[-1], 2) for row, v in decibels.items()}, flush=True)
    record.write(
        "credit_super_resolution_by_hand",
        [
            {"role": role, "name": name, "values": [mean(decibels[name])]}
            for name, role in ROLES.items()
        ],
        commit,
        result="super-resolution by 2 from the patches of one image",
        measure=f"PSNR of the luma [dB], without a border of {BORDER} pixels",
        better="higher",
        where=f"mean over {len(photographs)} photographs of 256 pixels",
        missing={
            "input": "the photograph has half the size",
            "network": "the method has no network",
        },
        photographs=list(photographs),
        each={name: [round(v, 2) for v in values] for name, values in decibels.items()},
    )


if __name__ == "__main__":
    tyro.cli(main)
