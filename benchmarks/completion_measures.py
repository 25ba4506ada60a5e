"""The measures of completion: patch coherence and gradient energy."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from dil_teach import nearest_patches
from dil_teach.classical.completion.pyramid import patches_in_hole
from dil_teach.classical.completion.wexler import Completed
from dil_teach.patches.search import nearest_rows

PATCH = 7
GREY = 255**2
"""Square of the number of grey levels from 0 to 1."""
RING = 12
"""Width of the surroundings of a hole, in pixels, for the comparison of sharpness."""


def measure(image: Tensor, filled: Tensor, mask: Tensor) -> dict[str, float]:
    hole = mask[0] == 1
    return {
        "coherence": coherence_in(image, filled, mask),
        "sharpness": sharpness_in(filled, mask),
        "rms_error": float((filled - image)[:, hole].square().mean().sqrt()),
    }


def coherence_in(image: Tensor, filled: Tensor, mask: Tensor) -> float:
    """The mean error of the patches in and around the hole, as in `coherence`.

    It is the squared distance per value, in squared grey levels, to the nearest patch
    outside the hole.
    """
    rows, columns = (
        where.nonzero()[:, 0] for where in (mask[0].any(1), mask[0].any(0))
    )
    reach = PATCH - 1
    part = filled[
        :,
        max(int(rows.min()) - reach, 0) : int(rows.max()) + reach + 1,
        max(int(columns.min()) - reach, 0) : int(columns.max()) + reach + 1,
    ]
    known = mask[0] == 0
    found = nearest_patches(part, image, PATCH, exact=True, database_mask=known)
    return GREY * float(found.distance.mean()) / (len(image) * PATCH**2)


def coherence_of_film(film: Tensor, filled: Tensor, masks: Tensor) -> float:
    """The mean error of the space-time patches that overlap the hole.

    It is measured as in :func:`coherence_in`. Patches have 5 x 5 pixels in 5 frames;
    every second one in each direction is used.
    """
    overlaps = patches_in_hole(masks[:, 0] == 1, (5, 5, 5))
    grid = torch.zeros_like(overlaps)
    grid[::2, ::2, ::2] = True
    asked, known = (
        volume.transpose(0, 1).unfold(1, 5, 1).unfold(2, 5, 1).unfold(3, 5, 1)[:, where]
        for volume, where in ((filled, overlaps & grid), (film, ~overlaps))
    )
    asked, known = (each.transpose(0, 1).flatten(1) for each in (asked, known))
    return GREY * float(nearest_rows(asked, known)[0].mean()) / asked.shape[1]


def gradient_energy(image: Tensor) -> Tensor:
    energy = torch.zeros_like(image[0])
    energy[:, :-1] += image.diff(dim=2).square().sum(0)
    energy[:-1] += image.diff(dim=1).square().sum(0)
    return energy


def kept_sharpness(done: Completed, mask: Tensor) -> float:
    """The gradient energy in the hole, divided by that of the pixels it copies."""
    energy, hole = gradient_energy(done.image), mask[0] == 1
    row, column = done.source[:, hole]
    return float(energy[hole].mean() / energy[row, column].mean())


def sharpness_in(filled: Tensor, mask: Tensor) -> float:
    """The gradient energy in the hole, divided by that of its surroundings."""
    energy = gradient_energy(filled)
    hole = mask[0] == 1
    square = np.ones((3, 3))
    wide = ndimage.binary_dilation(hole.numpy(), square, iterations=RING)
    return float(energy[hole].mean() / energy[torch.from_numpy(wide) & ~hole].mean())
