"""The error ratio: known shifts are found, and known errors give known ratios."""

import pytest
import torch

from dil_teach import photo
from dil_teach.classical.deblur.error_ratio import error_ratio, moved, smallest_error


@pytest.fixture(scope="module")
def truth() -> torch.Tensor:
    return photo("camera", 64)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.0, -2.0), (0.5, 0.25)])
def test_a_shift_is_found_and_costs_little(truth, shift):
    error, found = smallest_error(moved(truth, shift), truth)
    assert found == pytest.approx((-shift[0], -shift[1]))
    assert error < 0.2 * float((truth - moved(truth, (1.0, 0.0))).square().mean())


def test_a_whole_shift_moves_pixels(truth):
    down = moved(truth, (1.0, 0.0))
    assert torch.allclose(down[:, 2:-1], truth[:, 1:-2], atol=1e-4)


def test_twice_the_error_is_a_ratio_of_four(truth):
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(0)) / 50
    ratio = error_ratio(truth + 2 * noise, truth + noise, truth)
    assert ratio == pytest.approx(4, rel=1e-3)
