"""The opening of chapter 02, for data/draw_openings.py: a picture of other patches.

Each patch of a grid is replaced by its best representative, inside the photograph or in
other photographs; the mean of the patch is kept. No patch that shows a pixel of the
replaced patch is used.
"""

import torch
from opening_files import MEASURE, Seconds, luma_decibels, write
from torch import Tensor

from dil_teach import photo, photos
from dil_teach.image.metrics import luma
from dil_teach.patches.extract import average_patches, extract_patches
from dil_teach.patches.statistics import (
    external_matches,
    internal_matches,
    patch_bag,
    patches_at,
)

SIZE, PATCH = 380, 5
"""Side of the pictures, a multiple of the side of a patch."""
OTHERS = (
    *("astronaut", "chelsea", "china", "flower", "hubble", "retina", "camera"),
    *("coins", "brick", "grass", "gravel", "clock"),
)
"""The external pictures, in the order of chapter 02."""


def statistics() -> None:
    """Chapter 02: a photograph of 380 pixels, made of patches from 0 to 12 others."""
    truth = luma(photo("coffee", size=SIZE)).float()
    names = OTHERS
    start = torch.arange(0, SIZE, PATCH)
    places = torch.cartesian_prod(start, start)
    means = extract_patches(truth, PATCH, PATCH).mean(1, keepdim=True)
    patches, seconds = patches_at(truth, places), Seconds()

    def assembled(values: Tensor) -> Tensor:
        return average_patches(values + means, (SIZE, SIZE), PATCH, PATCH).clamp(0, 1)

    def inside() -> Tensor:
        found = internal_matches(truth, places)
        return assembled(patch_bag(truth)[found.row[:, 0]])

    def outside() -> dict[str, Tensor]:
        best, values, pictures = torch.full((len(places),), torch.inf), patches * 0, {}
        for number, name in enumerate(names, 1):
            bag = patch_bag(photo(name, size=min(SIZE, *photos()[name].size)))
            found = external_matches(patches, bag)
            better = found.distance[:, 0] < best
            best = torch.where(better, found.distance[:, 0], best)
            values[better] = bag[found.row[better, 0]]
            if number in (1, len(names)):
                title = f"{number} outside"
                pictures[title] = assembled(values)
        return pictures

    pictures = {"inside": seconds.of("search inside", inside)}
    pictures |= seconds.of("search outside", outside)
    write(
        "statistics",
        pictures | {"ground truth": truth},
        luma_decibels(pictures, truth),
        (124, 104),
        measure=MEASURE,
        settings=f"patches of 5 x 5 pixels, five scales, {len(names)} photographs",
        size=[SIZE, SIZE],
        seconds=seconds,
        licence=photos()["coffee"].licence,
        attribution=photos()["coffee"].attribution,
    )
