"""Super-resolution by hand: where parents are pasted, and what they gain."""

import pytest
import torch

from dil_teach import photo, psnr_y
from dil_teach.classical.back_projection import back_project
from dil_teach.classical.super_resolution.by_hand import (
    find_sons,
    most_contrast,
    paste_parents,
)
from dil_teach.image.resize import resize


def test_one_parent_is_pasted_with_the_mean_of_its_patch() -> None:
    image = torch.rand(2, 12, 14, generator=torch.Generator().manual_seed(0))
    smooth = torch.zeros(2, 24, 28)
    row, column = torch.full((8, 10), 1), torch.full((8, 10), 2)
    chosen = torch.zeros(8, 10, dtype=torch.bool)
    chosen[3, 4] = True
    found = paste_parents(image, smooth, row, column, chosen)
    parent, patch = image[:, 2:12, 4:14], image[:, 3:8, 4:9]
    wanted = smooth.clone()
    wanted[:, 6:16, 8:18] = (
        parent - parent.mean((1, 2), keepdim=True) + patch.mean((1, 2), keepdim=True)
    )
    assert torch.allclose(found, wanted, atol=1e-6)


def test_parents_sharpen_after_back_projection() -> None:
    truth = photo("coffee", size=96)
    low = resize(truth, 0.5).clamp(0, 1)
    smooth, sons = resize(low, 2), find_sons(low)
    everywhere = torch.ones_like(sons.row[..., 0], dtype=torch.bool)
    places = sons.row[..., 0], sons.column[..., 0]
    pasted = paste_parents(low, smooth, *places, everywhere)
    ours, theirs = (back_project(x, low, "bicubic", 2) for x in (pasted, smooth))
    scores = [psnr_y(x.clamp(0, 1), truth, shave=4) for x in (ours, theirs, smooth)]
    assert scores[0] > scores[2] and scores[1] > scores[2]


def test_the_patches_with_the_most_contrast_come_first() -> None:
    chosen = most_contrast(torch.tensor([[1.0, 4.0], [3.0, 2.0]]), 0.5)
    assert chosen.tolist() == [[False, True], [True, False]]


def test_odd_sides_are_refused() -> None:
    with pytest.raises(ValueError, match="expected sides with an even number"):
        find_sons(torch.rand(1, 21, 20))
