"""The hourglass network: its decoder."""

import pytest
import torch
import torch.nn.functional as F

from dil_teach.training.networks import Hourglass, convolve_enlarged


@pytest.mark.parametrize("size", [(12, 14), (6, 2)])
def test_the_enlarged_image_need_not_be_made(size: tuple[int, int]) -> None:
    rng = torch.Generator().manual_seed(0)
    small = torch.randn(2, 5, size[0] // 2, size[1] // 2, generator=rng)
    weight = torch.randn(4, 5, 3, 3, generator=rng)
    enlarged = F.interpolate(small, size=size, mode="nearest")
    expected = F.conv2d(enlarged, weight, padding=1)
    assert (convolve_enlarged(small, weight, size) - expected).abs().max() < 1e-4


def test_an_odd_size_keeps_all_but_the_last_row_and_column() -> None:
    rng = torch.Generator().manual_seed(0)
    small = torch.randn(1, 5, 4, 6, generator=rng)
    weight = torch.randn(3, 5, 3, 3, generator=rng)
    even, odd = (convolve_enlarged(small, weight, s) for s in ((8, 12), (7, 11)))
    assert torch.equal(even[..., :7, :11], odd)


@pytest.mark.parametrize("skip", [0, 4])
@pytest.mark.parametrize("upsample", ["nearest", "bilinear"])
def test_the_output_is_as_large_as_the_input(skip: int, upsample) -> None:
    rng = torch.Generator().manual_seed(0)
    network = Hourglass(3, 2, (4, 6), skip, rng, upsample)
    assert network(torch.rand(2, 3, 13, 18, generator=rng)).shape == (2, 2, 13, 18)
