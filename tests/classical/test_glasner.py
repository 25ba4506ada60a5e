"""Super-resolution by patch recurrence: each constraint against a plain version."""

import functools
import math

import pytest
import torch

from dil_teach import blur_and_subsample, nearest_patches, photo, psnr_y, resize
from dil_teach import super_resolve_by_recurrence as super_resolve
from dil_teach.classical.back_projection import back_project
from dil_teach.classical.super_resolution import glasner
from dil_teach.classical.super_resolution.within_scale import (
    Samples,
    blur_of,
    sample,
    similar_samples,
)
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.metrics import luma


@pytest.fixture(scope="module")
def truth() -> torch.Tensor:
    return photo("astronaut", 192)[:, 20:116, 60:156]


@pytest.fixture(scope="module")
def low(truth: torch.Tensor) -> torch.Tensor:
    return resize(truth, 0.5, exact_uint8=True)


def test_parents_are_pasted_as_in_the_plain_algorithm(monkeypatch) -> None:
    monkeypatch.setattr(glasner, "NEIGHBOURS", 2)
    exact = functools.partial(nearest_patches, exact=True)
    monkeypatch.setattr(glasner, "nearest_patches", exact)
    low = photo("camera", 128)[:, 40:58, 40:60]
    smooth = resize(low, 1.25)
    son = resize(resize(low, 0.8), 1.25, (18, 20))
    total, weights = smooth.clone(), torch.ones_like(smooth)
    places = [(y, x) for y in range(14) for x in range(16)]
    for y in range(smooth.shape[1] - 4):
        for x in range(smooth.shape[2] - 4):
            patch = smooth[:, y : y + 5, x : x + 5]
            differences = [
                (son[:, v : v + 5, u : u + 5] - patch).square().mean().item()
                for v, u in places
            ]
            nearest = sorted(range(len(places)), key=lambda i: differences[i])[:2]
            for i in nearest:
                (v, u), d = places[i], differences[i]
                weight = math.exp(-d / (2 * glasner.TOLERANCE**2))
                parent = low[:, v : v + 5, u : u + 5]
                total[:, y : y + 5, x : x + 5] += weight * parent
                weights[:, y : y + 5, x : x + 5] += weight
    found, confidence = glasner.paste_parents(smooth, low, "bicubic", (1.25, 1.25))
    assert torch.allclose(found, total / weights, atol=1e-3)
    assert torch.allclose(confidence, weights / 50, atol=1e-3)


def test_similar_patches_give_samples_between_the_pixels() -> None:
    sides = (torch.arange(40.0), torch.arange(44.0))
    rows, columns = torch.meshgrid(*sides, indexing="ij")

    def wave(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        first, second = torch.sin((0.9 * y + 0.2 * x) / 2), torch.sin((x - 0.3 * y) / 3)
        return 0.5 + 0.2 * first + 0.2 * second

    found = similar_samples(wave(rows, columns)[None], 5, 3)
    between = (found.row - found.row.round()).abs() > 0.1
    assert between.sum() > 500
    truth = wave(found.row, found.column)
    assert (truth - found.value)[between].abs().mean() < 0.003
    nearest = wave(found.row.round(), found.column.round())
    assert (nearest - found.value)[between].abs().mean() > 0.01


@pytest.mark.parametrize("kernel", ["bicubic", gaussian_kernel((1.2, 1.2), size=10)])
@pytest.mark.parametrize("scale", [1.25, 2])
def test_a_sample_at_a_pixel_is_this_pixel_of_the_small_image(kernel, scale) -> None:
    high = photo("camera", 128)[:, 40:80, 40:80]
    small = blur_and_subsample(high, kernel, scale)
    size = small.shape[1:]
    rows, columns = torch.meshgrid(*map(torch.arange, size), indexing="ij")
    places = (rows.flatten().float(), columns.flatten().float())
    every = Samples(*places, small.flatten(), torch.ones(size.numel()))
    seen = sample(high, every, blur_of(kernel, (scale, scale)), (scale, scale))
    inside = (slice(4, -4), slice(4, -4))
    difference = (seen.view(size) - small[0])[inside].abs()
    assert difference.mean() < 0.004


def test_the_three_terms_are_solved_exactly(monkeypatch) -> None:
    monkeypatch.setattr(glasner, "ITERATIONS", 500)
    rng = torch.Generator().manual_seed(0)
    low, high = (torch.rand(1, n, n, generator=rng) for n in (6, 12))
    confidence = torch.rand(1, 12, 12, generator=rng) + 0.1
    places = 5 * torch.rand(2, 20, generator=rng)
    samples = Samples(*places, torch.rand(20, generator=rng), torch.ones(20))
    found = glasner._solve(high, confidence, low, samples, "bicubic", (2.0, 2.0))

    blur = blur_of("bicubic", (2.0, 2.0))
    unit = torch.eye(144).view(144, 1, 12, 12)
    down = torch.stack([resize(u, 0.5).flatten() for u in unit], 1).double()
    across = torch.stack([sample(u, samples, blur, (2.0, 2.0)) for u in unit], 1)
    across = across.double()
    weight = glasner.ACROSS * confidence.flatten().double()
    matrix = down.T @ down + weight.diag() + glasner.WITHIN * across.T @ across
    right = down.T @ low.flatten().double() + weight * high.flatten().double()
    right += glasner.WITHIN * across.T @ samples.value.double()
    wanted = torch.linalg.solve(matrix, right)
    assert (found.flatten() - wanted).abs().max() < 1e-3


def test_recurring_patches_gain_over_back_projection(truth, low) -> None:
    corrected = back_project(resize(low, 2), low, "bicubic", 2).clamp(0, 1)
    gain = psnr_y(super_resolve(low), truth, 2) - psnr_y(corrected, truth, 2)
    assert gain > 0.5


def test_tiles_give_nearly_the_result_of_the_whole_image(truth, low, monkeypatch):
    whole = super_resolve(low)
    monkeypatch.setattr(glasner, "MOST_WHOLE", 0)
    monkeypatch.setattr(glasner, "TILE", 20)
    parts = super_resolve(low)
    assert parts.shape == whole.shape and not torch.equal(parts, whole)
    assert psnr_y(parts, whole) > 38
    assert psnr_y(parts, truth, 2) > psnr_y(whole, truth, 2) - 0.1


def test_without_constraints_the_result_agrees_with_the_given_image(low) -> None:
    grey = low[:1]
    results = {
        (within, across): super_resolve(grey, within=within, across=across)
        for within in (False, True)
        for across in (False, True)
    }
    plain = results[False, False]
    assert (resize(plain, 0.5) - grey).abs().mean() < 1.5 / 255
    for toggles, result in results.items():
        changed = (result - plain).abs().max() > 2 / 255
        assert changed == any(toggles)


def test_the_true_kernel_helps(truth) -> None:
    kernel = gaussian_kernel((1.6, 1.6))
    low = blur_and_subsample(truth[:1], kernel, 2).clamp(0, 1)
    right, wrong = super_resolve(low, 2, kernel), super_resolve(low, 2)
    assert psnr_y(right, truth[:1], 4) > psnr_y(wrong, truth[:1], 4) + 1


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({"scale": 3}, (60, 84)),
        ({"scale": 4}, (80, 112)),
        ({"scale": 1}, (20, 28)),
        ({"scale": (1.3, 2)}, (26, 56)),
        ({"size": (33, 47)}, (33, 47)),
    ],
)
def test_scales_and_sizes(given: dict, size: tuple[int, int], low) -> None:
    small = low[:, :20, :28]
    result = super_resolve(small, **given)
    assert result.shape == (3, *size)
    assert result.min() >= 0 and result.max() <= 1
    plain = resize(small, size=size).clamp(0, 1)
    assert (result - plain).abs().mean() < 0.03


def test_chroma_is_interpolated(low) -> None:
    image = 0.3 + 0.4 * low[:, :20, :24]  # so that nothing is clamped
    result, plain = super_resolve(image), resize(image, 2)
    difference = result - plain
    assert (difference - difference.mean(0)).abs().max() < 1e-5
    grey = (255 * luma(image).float() - 16) / 219
    wanted = (219 * super_resolve(grey) + 16) / 255
    assert torch.allclose(luma(result).float(), wanted, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_a_flat_picture_stays_flat(value: float) -> None:
    result = super_resolve(torch.full((3, 16, 20), value))
    assert torch.allclose(result, torch.full((3, 32, 40), value), atol=1e-4)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"image": torch.zeros(3, 15, 40)}, "at least 16 x 16 pixels, got 15 x 40"),
        ({"image": torch.zeros(4, 20, 20)}, "expected 1 or 3 channels, got 4"),
        ({"image": torch.full((1, 20, 20), math.nan)}, "expected finite values"),
        ({"scale": 0.5}, "only enlarges, got 0.5 and 0.5"),
        ({"scale": math.nan}, "scale: expected a positive number"),
        ({"scale": 200}, "at most 4000000 pixels, got 4000 x 4000"),
        ({"kernel": "sharp"}, "kernel: expected one of bicubic"),
        ({"kernel": torch.ones(30, 30)}, "expected at most 20 pixels a side"),
        ({"kernel": torch.zeros(3, 3)}, "finite weights with a positive sum"),
    ],
)
def test_bad_input_is_refused(given: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        super_resolve(**{"image": torch.zeros(1, 20, 20)} | given)
