"""The noise level from smooth patches: texture is not taken for noise."""

import pytest
import torch

from dil_teach.image.augment import add_noise, jpeg
from dil_teach.image.convention import Image, from_uint8, to_uint8
from dil_teach.image.metrics import noise_level
from dil_teach.image.photos import photo
from dil_teach.patches.noise import LEAST, SIDE, smooth_noise_level


def noisy(name: str, size: int, sigma: float) -> Image:
    """A photograph with noise, in eight bits; ``sigma`` is in grey levels."""
    rng = torch.Generator().manual_seed(0)
    image = add_noise(photo(name, size), sigma / 255, rng)
    return from_uint8(to_uint8(image))


def found(image: Image) -> float:
    level = smooth_noise_level(image)
    assert level is not None
    return 255 * level


@pytest.mark.parametrize("sigma", [2, 5, 10, 25])
@pytest.mark.parametrize("name", ["coffee", "clock", "dogs"])
def test_the_level_is_found(name: str, sigma: float) -> None:
    assert found(noisy(name, 128, sigma)) == pytest.approx(sigma, rel=0.15)


@pytest.mark.parametrize("sigma", [0.5, 4.0])
def test_the_level_of_noise_alone(sigma: float) -> None:
    rng = torch.Generator().manual_seed(0)
    noise = 0.5 + sigma / 255 * torch.randn(1, 150, 150, generator=rng)
    assert found(noise) == pytest.approx(sigma, rel=0.06)


@pytest.mark.parametrize("name", ["coffee", "flower", "camera", "sunset"])
def test_a_photograph_without_noise_has_little(name: str) -> None:
    assert found(from_uint8(to_uint8(photo(name, 192)))) < 1


@pytest.mark.parametrize("name", ["brook", "grass", "gravel"])
def test_texture_is_not_taken_for_noise(name: str) -> None:
    clean = from_uint8(to_uint8(photo(name, 192)))
    assert noise_level(clean) > 6 / 255
    assert smooth_noise_level(clean) is None


def test_jpeg_compression_hides_only_the_finest_noise() -> None:
    image = jpeg(noisy("camera", 256, 5), 85)
    assert noise_level(image) < 3 / 255
    assert found(image) == pytest.approx(5, rel=0.15)


def test_clipped_values_are_left_out() -> None:
    rng = torch.Generator().manual_seed(0)
    image = torch.cat([torch.zeros(1, 99, 99), torch.full((1, 99, 99), 0.5)], 2)
    noise = (image + 10 / 255 * torch.randn(image.shape, generator=rng)).clamp(0, 1)
    assert found(noise) == pytest.approx(10, rel=0.08)


def test_flat_and_small_pictures() -> None:
    assert smooth_noise_level(torch.full((3, 40, 40), 0.3)) == 0
    assert smooth_noise_level(torch.zeros(1, 40, 40)) == 0
    rng = torch.Generator().manual_seed(0)
    side = int(LEAST**0.5) + SIDE - 1  # some patches too few
    for size in ((1, 1), (4, 40), (side, side)):
        assert smooth_noise_level(torch.rand(1, *size, generator=rng)) is None
    with pytest.raises(ValueError, match="image: expected finite"):
        smooth_noise_level(torch.full((1, 9, 9), torch.nan))
