"""Telea's inpainting: the arrival times of the front, and means of known pixels."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from dil_teach import photo
from dil_teach.classical.telea import _arrival, telea


def disk(side: int, radius: float) -> torch.Tensor:
    y, x = torch.meshgrid(*(torch.arange(side) - side // 2,) * 2, indexing="ij")
    return (y**2 + x**2 <= radius**2)[None].float()


def test_a_plain_wall_and_the_known_pixels_stay():
    mask = disk(32, 8)
    wall = torch.full((3, 32, 32), 0.4)
    assert torch.allclose(telea(wall * (1 - mask), mask), wall, atol=1e-6)
    image = photo("flower", 32)
    filled = telea(image * (1 - mask), mask)
    assert torch.equal(filled[:, mask[0] == 0], image[:, mask[0] == 0])


def test_the_values_in_the_hole_are_ignored_and_the_results_are_means():
    mask, image = disk(40, 10), photo("coffee", 40)
    filled = telea(image * (1 - mask), mask)
    assert torch.equal(filled, telea(image * (1 - mask) + mask, mask))
    hole, near = mask[0] == 1, disk(40, 16)[0] - mask[0] == 1
    for inside, around in zip(filled[:, hole], image[:, near], strict=True):
        assert around.min() <= inside.min() and inside.max() <= around.max()


def test_an_edge_along_the_front_is_continued():
    # Left dark, right bright: the hole's columns keep their sides.
    image = torch.zeros(1, 24, 24)
    image[..., 12:] = 1
    mask = torch.zeros(1, 24, 24)
    mask[:, 11:13] = 1  # two rows
    filled = telea(image * (1 - mask), mask)
    assert filled[0, 11:13, :8].max() < 0.1 and filled[0, 11:13, 16:].min() > 0.9


def test_arrival_times_solve_the_eikonal_equation():
    times = np.full((3, 3), np.inf)
    times[0, 1] = 2.0
    assert _arrival(times, 1, 1) == 3.0  # one neighbour: one pixel later
    times[1, 0] = 2.0
    assert np.isclose(_arrival(times, 1, 1), 2 + np.sqrt(0.5))  # from the corner
    times[1, 0] = 2.6
    arrival = _arrival(times, 1, 1)
    assert np.isclose((arrival - 2.0) ** 2 + (arrival - 2.6) ** 2, 1)


def test_a_hole_at_the_corner_of_the_image_is_filled():
    image = photo("flower", 32)
    mask = torch.zeros(1, 32, 32)
    mask[:, :10, :12] = 1
    hidden = torch.where(mask.bool(), 0.5, image)
    filled = telea(hidden, mask)
    assert filled.isfinite().all()
    depth = ndimage.distance_transform_edt(mask[0].numpy())
    error = (filled - image).abs().mean(0).numpy()
    assert error[(depth > 0) & (depth < 2)].mean() < 0.15


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_mask_without_a_border_is_refused(value):
    with pytest.raises(ValueError, match="mask: expected both 1"):
        telea(photo("flower", 32), torch.full((1, 32, 32), value))
