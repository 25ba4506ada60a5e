"""Non-local means: a plain version, scikit-image, the weights of a pixel, bad input."""

import math

import numpy as np
import pytest
import torch

from dil_teach import photo, psnr
from dil_teach.classical.denoise.nlm import nlm, nlm_weights
from dil_teach.classical.denoising import nlm_denoise
from dil_teach.image.augment import add_noise

SIGMA = 25 / 255


def noisy(image: torch.Tensor, sigma: float = SIGMA) -> torch.Tensor:
    return add_noise(image, sigma, torch.Generator().manual_seed(0))


def plain_weights(
    image: np.ndarray, sigma: float, h: float, size: int, reach: int, i: int, j: int
) -> dict[tuple[int, int], float]:
    """The weights of the pixels around (i, j), by the formulas of the paper."""
    half = size // 2
    padded = np.pad(image, [(0, 0), (half, half), (half, half)], mode="reflect")

    def patch(row: int, column: int) -> np.ndarray:
        return padded[:, row : row + size, column : column + size]

    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    bell = np.exp(-(x**2 + y**2) / (2 * ((size - 1) / 4) ** 2))
    bell /= bell.sum()
    weights = {}
    for row in range(max(i - reach, 0), min(i + reach + 1, image.shape[1])):
        for column in range(max(j - reach, 0), min(j + reach + 1, image.shape[2])):
            difference = ((patch(i, j) - patch(row, column)) ** 2).mean(0)
            excess = max((bell * difference).sum() - 2 * sigma**2, 0)
            weights[row, column] = math.exp(-excess / h**2)
    return weights


@pytest.mark.parametrize("channels", [1, 3])
def test_it_equals_a_plain_version(channels: int) -> None:
    image = noisy(photo("coffee", 14)[:channels, 1:])
    values = image.double().numpy()
    wanted = np.zeros_like(values)
    for i, j in np.ndindex(values.shape[1:]):
        weights = plain_weights(values, SIGMA, 0.7 * SIGMA, 3, 4, i, j)
        total = sum(weight * values[:, r, c] for (r, c), weight in weights.items())
        wanted[:, i, j] = total / sum(weights.values())
    result = nlm(image, SIGMA, strength=0.7, patch_size=3, reach=4)
    assert np.abs(result.numpy() - wanted).max() < 1e-5


@pytest.mark.parametrize(("row", "column"), [(0, 0), (7, 13), (12, 3)])
def test_the_weights_of_a_pixel(row: int, column: int) -> None:
    image = noisy(photo("coffee", 14)[:, 1:])
    weights = nlm_weights(image, SIGMA, row, column)
    assert float(weights.sum()) == pytest.approx(1)
    assert weights[6, 6] == weights.max()
    plain = plain_weights(
        image.double().numpy(), SIGMA, 0.85 * SIGMA, 5, 6, row, column
    )
    wanted = np.zeros((13, 13))
    for (r, c), weight in plain.items():
        wanted[r - row + 6, c - column + 6] = weight / sum(plain.values())
    assert np.abs(weights.numpy() - wanted).max() < 1e-5
    padded = torch.nn.functional.pad(image, [6] * 4)
    mean = (weights * padded[:, row : row + 13, column : column + 13]).sum((1, 2))
    assert torch.allclose(nlm(image, SIGMA)[:, row, column], mean, atol=1e-5)


@pytest.mark.parametrize("name", ["camera", "chelsea"])
@pytest.mark.parametrize("sigma", [5 / 255, 25 / 255, 50 / 255])
def test_it_is_as_good_as_scikit_images(name: str, sigma: float) -> None:
    truth = photo(name, 64)
    image = noisy(truth, sigma)
    ours, theirs = nlm(image, sigma), nlm_denoise(image, sigma)
    assert ours.shape == theirs.shape == truth.shape
    assert psnr(ours, truth) == pytest.approx(psnr(theirs, truth), abs=0.05)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sigma": 25.0}, "sigma: expected above 0 and at most 1, got 25"),
        ({"patch_size": 4}, "patch_size: expected an odd number"),
        ({"patch_size": 19}, "image: expected at least 19 x 19 pixels"),
        ({"strength": math.nan}, "strength: expected above 0, got nan"),
        ({"reach": 0}, "reach: expected at least 1"),
    ],
)
def test_bad_input(wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        nlm(torch.rand(3, 16, 18), **{"sigma": SIGMA, **wrong})


def test_a_pixel_outside_of_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="row, column: expected a pixel of the image"):
        nlm_weights(torch.rand(1, 16, 18), SIGMA, 16, 0)
