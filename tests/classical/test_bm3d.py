"""BM3D: a plain version with loops over blocks, transforms, tiles, and bad input."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn

import dil_teach.classical.denoise.bm3d as bm3d_module
from dil_teach import photo, psnr
from dil_teach.classical.denoise.bm3d import (
    bm3d,
    group_spectrum,
    hard_threshold_stage,
    match_blocks,
    wiener_stage,
)
from dil_teach.classical.denoise.transforms import biorthogonal, cosine, haar
from dil_teach.classical.denoising import nlm_denoise, tv_denoise
from dil_teach.image.augment import add_noise


def noisy(image: torch.Tensor, sigma: float) -> torch.Tensor:
    return add_noise(image, sigma, torch.Generator().manual_seed(0))


# ---- the plain version: one block at a time


def plain_groups(guide: np.ndarray, most: int, farthest: float) -> list[list[tuple]]:
    height, width = guide.shape
    rows = [*range(0, height - 8, 3), height - 8]
    columns = [*range(0, width - 8, 3), width - 8]
    groups = []
    for i in rows:
        for j in columns:
            block = guide[i : i + 8, j : j + 8]
            found = []
            for r in range(max(i - 19, 0), min(i + 19, height - 8) + 1):
                for c in range(max(j - 19, 0), min(j + 19, width - 8) + 1):
                    difference = guide[r : r + 8, c : c + 8] - block
                    found.append(((difference**2).mean(), r, c))
            found = sorted(f for f in found if f[0] <= farthest)[:most]
            size = 2 ** int(math.log2(len(found)))
            groups.append([(r, c) for _, r, c in found[:size]])
    return groups


def plain_haar(stack: np.ndarray) -> np.ndarray:
    if len(stack) == 1:
        return stack
    mean, detail = stack[::2] + stack[1::2], stack[::2] - stack[1::2]
    return np.concatenate([plain_haar(mean), detail]) / 2**0.5


WAVELET = biorthogonal(8).double().numpy()


def wavelet(block: np.ndarray) -> np.ndarray:
    return WAVELET @ block @ WAVELET.T


def wavelet_back(block: np.ndarray) -> np.ndarray:
    inverse = np.linalg.inv(WAVELET)
    return inverse @ block @ inverse.T


def plain_spectrum(
    plane: np.ndarray, group: list[tuple], transform: Callable
) -> np.ndarray:
    stack = [transform(plane[i : i + 8, j : j + 8]) for i, j in group]
    return plain_haar(np.stack(stack))


def plain_stage(
    planes: np.ndarray,
    deviations: np.ndarray,
    guide: np.ndarray,
    farthest: float,
    wiener: bool,
) -> np.ndarray:
    transform, back = wavelet, wavelet_back
    if wiener:
        transform, back = partial(dctn, norm="ortho"), partial(idctn, norm="ortho")
    window = np.outer(np.kaiser(8, 2), np.kaiser(8, 2))
    total, weights = np.zeros_like(planes), np.zeros_like(planes)
    for group in plain_groups(guide[0], 32 if wiener else 16, farthest):
        haar_back = plain_haar(np.eye(len(group))).T
        for channel, sigma in enumerate(deviations):
            found = plain_spectrum(planes[channel], group, transform)
            if wiener:
                energy = plain_spectrum(guide[channel], group, transform) ** 2
                gain = energy / (energy + sigma**2)
                weight = 1 / (sigma**2 * (gain**2).sum())
            else:
                gain = abs(found) > 2.7 * sigma
                weight = 1 / (sigma**2 * max(gain.sum(), 1))
            filtered = np.tensordot(haar_back, gain * found, 1)
            for (i, j), block in zip(group, filtered, strict=True):
                total[channel, i : i + 8, j : j + 8] += weight * window * back(block)
                weights[channel, i : i + 8, j : j + 8] += weight * window
    return total / weights


@pytest.mark.parametrize(
    ("channels", "sigma", "farthest"),
    [
        (1, 25 / 255, (2500 / 255**2, 400 / 255**2)),
        (3, 10 / 255, (2500 / 255**2, 400 / 255**2)),
        (1, 50 / 255, (4 * (50 / 255) ** 2, 400 / 255**2)),
    ],
)
def test_it_equals_a_plain_version(
    channels: int, sigma: float, farthest: tuple[float, float]
) -> None:
    image = noisy(photo("chelsea", 64)[:channels, 20:45, 20:47], sigma)
    mix = np.array([[1 / 3, 1 / 3, 1 / 3], [1 / 2, 0, -1 / 2], [1 / 4, -1 / 2, 1 / 4]])
    mix = mix if channels == 3 else np.eye(1)
    planes = np.einsum("oc,chw->ohw", mix, image.double().numpy())
    deviations = sigma * np.sqrt((mix**2).sum(1))
    basic = plain_stage(planes, deviations, planes, farthest[0], wiener=False)
    final = plain_stage(planes, deviations, basic, farthest[1], wiener=True)
    found = hard_threshold_stage(image, sigma)
    for ours, theirs in ((found, basic), (wiener_stage(image, found, sigma), final)):
        wanted = np.einsum("co,ohw->chw", np.linalg.inv(mix), theirs)
        assert np.abs(ours.numpy() - wanted).max() < 1e-4


# ---- its parts


@pytest.mark.parametrize("size", [1, 2, 8, 32])
def test_haar_is_orthonormal_and_sums_halves(size: int) -> None:
    matrix = haar(size)
    assert torch.allclose(matrix @ matrix.T, torch.eye(size), atol=1e-6)
    wanted = plain_haar(np.eye(size))
    assert np.allclose(matrix.numpy(), wanted, atol=1e-6)


def test_the_wavelet_is_bior_1_5() -> None:
    matrix = biorthogonal(8).double()
    assert torch.allclose(matrix.norm(dim=1), torch.ones(8).double(), atol=1e-6)
    assert torch.allclose(matrix[0], torch.full((8,), 8**-0.5).double(), atol=1e-6)
    # Haar's wavelet analyses ...
    pair = torch.tensor([1.0, -1.0]).double() / 2**0.5
    for row in range(4):
        assert torch.allclose(matrix[4 + row, 2 * row : 2 * row + 2], pair, atol=1e-6)
    # ... and a wavelet with ten taps and five vanishing moments synthesises
    wide = torch.tensor([3, 3, -22, -22, 128, -128, 22, 22, -3, -3]).double()
    for degree in range(5):
        assert (wide * torch.arange(10.0).double() ** degree).sum() == 0
    taps = torch.zeros(8).double().index_add(0, torch.arange(-4, 6) % 8, wide)
    column = matrix.inverse()[:, 4]
    assert torch.allclose(column, taps * (column[0] / taps[0]), atol=1e-5)


def test_cosine_is_the_orthonormal_dct() -> None:
    row, column = torch.arange(8.0)[:, None], torch.arange(8.0)
    plain = torch.cos(torch.pi * row * (column + 0.5) / 8) / 2
    plain[0] /= 2**0.5
    assert torch.allclose(cosine(8), plain, atol=1e-6)


def test_exact_copies_are_found_first() -> None:
    guide = torch.rand(40, 44, generator=torch.Generator().manual_seed(0))
    guide[20:28, 5:13] = guide[8:16, 10:18]
    rows, columns = torch.tensor([8]), torch.tensor([10])
    found, size = match_blocks(guide, rows, columns, 16, farthest=1e-3)
    assert found[0, 0, :2].tolist() == [8 * 37 + 10, 20 * 37 + 5]
    assert size.tolist() == [[2]]


@pytest.mark.parametrize("grey_levels", [5, 25, 36, 39, 41, 70])
def test_noise_does_not_stop_copies_from_matching(grey_levels: int) -> None:
    tile = torch.rand(1, 12, 12, generator=torch.Generator().manual_seed(1))
    image = noisy((tile > 0.5).float().tile(1, 4, 4), grey_levels / 255)
    places, _ = group_spectrum(image, grey_levels / 255, 16, 16)
    copies = [place for place in places.tolist() if place[0] % 12 == place[1] % 12 == 4]
    assert len(copies) >= 8  # of 9 copies in the window; a group has 2^n blocks


@pytest.mark.parametrize("channels", [1, 3])
def test_the_spectrum_of_a_group(channels: int) -> None:
    image = noisy(photo("chelsea", 64)[:channels, :40, :44], 10 / 255)
    places, spectrum = group_spectrum(image, 10 / 255, 12, 30)
    luminance = image.double().mean(0).numpy()
    group = [(int(row), int(column)) for row, column in places]
    assert group[0] == (12, 30) and len(group) in (1, 2, 4, 8, 16)
    wanted = plain_spectrum(luminance, group, wavelet)
    assert np.abs(spectrum.numpy() - wanted).max() < 1e-4
    with pytest.raises(ValueError, match="row, column: expected a block of 8 x 8"):
        group_spectrum(image, 10 / 255, 33, 0)


def test_tiles_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    image = noisy(photo("coffee", 64)[:, :50], 25 / 255)
    whole = bm3d(image, 25 / 255)
    monkeypatch.setattr(bm3d_module, "TILE", (3, 7))
    assert torch.allclose(bm3d(image, 25 / 255), whole, atol=1e-5)


@pytest.mark.parametrize("name", ["camera", "coffee"])
def test_it_is_better_than_non_local_means(name: str) -> None:
    truth, sigma = photo(name, 96), 25 / 255
    image = noisy(truth, sigma)
    result = bm3d(image, sigma)
    assert psnr(result, truth) > psnr(nlm_denoise(image, sigma), truth) + 0.5
    assert psnr(result, truth) > psnr(hard_threshold_stage(image, sigma), truth)


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [
        ("camera", "coins", "brick", "gravel", "clock"),
        ("astronaut", "chelsea", "coffee", "china", "flower"),
    ],
)
@pytest.mark.parametrize("grey_levels", [5])
def test_on_photographs_it_beats_the_controls(
    names: tuple[str, ...], grey_levels: int
) -> None:
    sigma, means = grey_levels / 255, torch.zeros(4)
    for name in names:
        truth = photo(name, 256)
        image = noisy(truth, sigma)
        results = [f(image, sigma) for f in (tv_denoise, nlm_denoise)]
        basic = hard_threshold_stage(image, sigma)
        results += [basic, wiener_stage(image, basic, sigma)]
        means += torch.tensor([psnr(result, truth) for result in results]) / len(names)
    print(names[0], grey_levels, *(f"{value:.2f}" for value in means.tolist()))
    tv, nlm, basic, final = means.tolist()
    assert final > max(tv, nlm) + 0.4
    assert final > basic


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 31), (1, 40, 41)])
def test_the_smallest_pictures(shape: tuple[int, ...]) -> None:
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    assert torch.isfinite(bm3d(image, 0.1)).all()
    flat = torch.full(shape, 0.25)
    assert torch.allclose(hard_threshold_stage(flat, 0.1), flat, atol=1e-5)
    # Wiener gain of the mean, whose coefficient is 8 x 0.25
    darker = flat * 4 / (4 + 0.1**2)
    assert torch.allclose(bm3d(flat, 0.1), darker, atol=1e-3)
    assert torch.isfinite(bm3d(torch.zeros(shape), 1.0)).all()


@pytest.mark.parametrize(
    ("shape", "sigma", "said"),
    [
        ((1, 7, 20), 0.1, "expected at least 8 x 8 pixels, got 7 x 20"),
        ((1, 20, 20), 25, "sigma: expected above 0 and at most 1, got 25"),
        ((1, 20, 20), math.nan, "sigma: expected above 0 and at most 1, got nan"),
        ((2, 20, 20), 0.1, "noisy: expected 1 or 3 channels"),
    ],
)
def test_bad_input(shape: tuple[int, ...], sigma: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        bm3d(torch.rand(shape), sigma)
