"""Upscaling from local self-examples: the filter pairs, one step, and results."""

import math
import os
from fractions import Fraction

import numpy as np
import pytest
import torch

from dil_teach import photo, psnr_y, resize
from dil_teach import super_resolve_by_local_examples as super_resolve
from dil_teach.classical.super_resolution import freedman_fattal
from dil_teach.classical.super_resolution.filter_pairs import enlarge, reduce
from dil_teach.image.convention import from_uint8, to_uint8
from dil_teach.image.photos import benchmark_pairs

INSIDE = (..., slice(8, -8), slice(8, -8))


@pytest.mark.parametrize("n", [3, 4, 5])
def test_an_enlarged_image_reduced_again_is_the_image(n: int) -> None:
    image = photo("camera", 120)
    again = reduce(enlarge(image, n, (120 * (n + 1) // n,) * 2), n)
    assert (again - image).abs().max() < 1e-4


@pytest.mark.parametrize("n", [3, 4, 5])
def test_linear_functions_and_low_waves_are_reproduced(n: int) -> None:
    size = 60 * (n + 1) // n
    coarse = torch.arange(60.0).expand(1, 60, -1)
    fine = ((torch.arange(size) + 0.5) * n / (n + 1) - 0.5).expand(1, size, -1)
    ramp = enlarge(coarse, n, (size, size))
    assert torch.allclose(ramp[INSIDE], fine[INSIDE], atol=1e-3)
    for period, most in ((20, 0.005), (8, 0.05)):
        wave = enlarge(torch.sin(coarse * 2 * math.pi / period), n, (size, size))
        wanted = torch.sin(fine * 2 * math.pi / period)
        assert (wave - wanted)[INSIDE].abs().max() < most


def test_steps_reach_the_scale() -> None:
    assert freedman_fattal.steps_to(1) == ([], 1)
    assert freedman_fattal.steps_to(1.1) == ([5], Fraction(6, 5))
    assert freedman_fattal.steps_to(2) == ([5, 4, 3], 2)
    assert freedman_fattal.steps_to(3) == ([5, 4, 3, 5, 4], 3)
    assert freedman_fattal.steps_to(4) == ([5, 4, 3, 5, 4, 3], 4)


def test_one_step_is_the_plain_algorithm(monkeypatch) -> None:
    monkeypatch.setattr(freedman_fattal, "REACH", 1)
    monkeypatch.setattr(freedman_fattal, "BAND", 5)
    image = photo("camera", 128)[:, 40:56, 40:60]
    found = freedman_fattal.one_step(image, 4)[0].numpy()

    smooth, example = enlarge(image, 4, (20, 25)), reduce(image, 4)
    example = enlarge(example, 4, (16, 20))
    smooth, example, given = (
        np.pad(x[0].numpy(), 2, "edge") for x in (smooth, example, image)
    )
    detail = np.pad((given - example)[2:-2, 2:-2], 2, "edge")
    total = np.zeros_like(smooth)
    for y in range(20):
        for x in range(25):
            patch = smooth[y : y + 5, x : x + 5]
            best, weights = np.zeros((5, 5)), 1e-9
            middle = math.floor((y + 0.5) * 0.8), math.floor((x + 0.5) * 0.8)
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    v = min(max(middle[0] + dy, 0), 15)
                    u = min(max(middle[1] + dx, 0), 19)
                    there = (slice(v, v + 5), slice(u, u + 5))
                    d = ((patch - example[there]) ** 2).mean()
                    weight = math.exp(-d / (2 * freedman_fattal.TOLERANCE**2))
                    best, weights = best + weight * detail[there], weights + weight
            total[y : y + 5, x : x + 5] += best / weights / 25
    assert np.allclose(found, (smooth + total)[2:-2, 2:-2], atol=1e-5)


@pytest.mark.parametrize(("scale", "gain"), [(2, 0.8), (3, 0.5), (4, 0.3)])
def test_local_examples_gain_over_bicubic(scale: int, gain: float) -> None:
    truth = photo("astronaut", 288)[:, 48 : 48 + 96, 84 : 84 + 96]
    low = resize(truth, 1 / scale, exact_uint8=True)
    plain = resize(low, scale).clamp(0, 1)
    result = super_resolve(low, scale)
    assert psnr_y(result, truth, scale) > psnr_y(plain, truth, scale) + gain


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({"scale": 1}, (20, 28)),
        ({"scale": 1.7}, (34, 48)),
        ({"scale": (1, 2)}, (20, 56)),
        ({"size": (33, 47)}, (33, 47)),
    ],
)
def test_scales_and_sizes(channels: int, given: dict, size: tuple[int, int]) -> None:
    small = photo("astronaut", 128)[:channels, 20:40, 40:68]
    result = super_resolve(small, **given)
    assert result.shape == (channels, *size)
    assert result.min() >= 0 and result.max() <= 1
    plain = resize(small, size=size).clamp(0, 1)
    assert (result - plain).abs().mean() < 0.03


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_a_flat_picture_stays_flat(value: float) -> None:
    result = super_resolve(torch.full((3, 16, 20), value))
    assert torch.allclose(result, torch.full((3, 32, 40), value), atol=1e-4)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"image": torch.zeros(3, 15, 40)}, "at least 16 x 16 pixels, got 15 x 40"),
        ({"image": torch.zeros(4, 20, 20)}, "expected 1 or 3 channels, got 4"),
        ({"image": torch.full((1, 20, 20), math.inf)}, "expected finite values"),
        ({"scale": 0.5}, "only enlarges, got 0.5 and 0.5"),
        ({"scale": math.nan}, "scale: expected a positive number"),
        ({"scale": 200}, "at most 4000000 pixels, got 4000 x 4000"),
        ({"size": (0, 4)}, "size: expected"),
    ],
)
def test_bad_input_is_refused(given: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        super_resolve(**{"image": torch.zeros(1, 20, 20)} | given)


@pytest.mark.slow
@pytest.mark.skipif("DIL_TEACH_DATASETS" not in os.environ, reason="needs Set5")
def test_the_mean_of_set5() -> None:
    found = [
        psnr_y(from_uint8(to_uint8(super_resolve(low))), high, 2)
        for _, high, low in benchmark_pairs("Set5", 2)
    ]
    assert sum(found) / len(found) > 35  # it was 35.11 dB
