"""Deep Image Prior on large pictures: the working size, and the finer octaves."""

import pytest
import torch
from scipy import ndimage

from dil_teach import psnr, resize
from dil_teach.classical.denoise.bm3d import bm3d
from dil_teach.deep.working_size import LEAST_SIDE, MOST_SEEN, add_octaves, working_size
from dil_teach.image.convention import from_uint8, to_uint8
from dil_teach.image.metrics import noise_level
from dil_teach.image.photos import photo


@pytest.mark.parametrize("size", [(128, 128), (36, 48), (20, 400), (33, 496)])
def test_a_small_picture_keeps_its_size(size: tuple[int, int]) -> None:
    assert working_size(size) == size


@pytest.mark.parametrize("size", [(129, 128), (384, 512), (3000, 4000), (4000, 3000)])
def test_a_large_picture_has_almost_as_many_pixels_as_allowed(
    size: tuple[int, int],
) -> None:
    height, width = working_size(size)
    assert 0.98 * MOST_SEEN < height * width <= MOST_SEEN
    assert height / width == pytest.approx(size[0] / size[1], rel=0.02)


def test_each_side_of_a_long_picture_is_long_enough_for_the_network() -> None:
    assert working_size((100, 9000)) == (LEAST_SIDE, 2970)


def noisy(truth: torch.Tensor, correlated: float) -> torch.Tensor:
    """Noise of 25 grey levels, blurred by a Gaussian with this standard deviation."""
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    blurred = ndimage.gaussian_filter(noise.numpy(), (0, correlated, correlated))
    noise = torch.from_numpy(blurred / blurred.std())
    return from_uint8(to_uint8((truth + 25 / 255 * noise).clamp(0, 1)))


@pytest.mark.parametrize("size", [(69, 90), (60, 77)])
def test_independent_noise_is_removed_almost_as_well_as_by_bm3d(
    size: tuple[int, int],
) -> None:
    truth = resize(photo("coffee", 200), size=size).clamp(0, 1)
    given, small = noisy(truth, 0), resize(truth, size=(33, 43)).clamp(0, 1)
    clean = add_octaves(small, given)
    assert clean.shape == truth.shape and 0 <= clean.min() and clean.max() <= 1
    plain = bm3d(given, noise_level(given)).clamp(0, 1)
    assert psnr(clean, truth) > psnr(plain, truth) - 0.5


def test_correlated_noise_of_the_coarse_octaves_is_removed() -> None:
    truth = photo("coffee", 96)
    given, small = noisy(truth, 1), resize(truth, size=(33, 33)).clamp(0, 1)
    clean = add_octaves(small, given)
    plain = bm3d(given, noise_level(given)).clamp(0, 1)
    assert psnr(clean, truth) > psnr(plain, truth) + 2


def test_a_picture_without_noise_keeps_its_detail() -> None:
    truth = torch.zeros(1, 64, 64)
    truth[:, 20:40, 30:50] = 1
    clean = add_octaves(resize(truth, size=(32, 32)).clamp(0, 1), truth)
    assert torch.allclose(clean, truth, atol=1e-5)
