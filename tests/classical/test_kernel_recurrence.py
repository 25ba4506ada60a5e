"""The kernel with which patches of the downscaled image recur in the image."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dil_teach import blur_and_subsample, fit, photo, resume, save
from dil_teach.classical.kernel import recurrence
from dil_teach.classical.kernel.recurrence import (
    SIDE,
    KernelByRecurrence,
    KernelByRecurrenceSettings,
    gradients,
    solve,
)
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.kernel_estimate import moments
from dil_teach.image.metrics import luma
from dil_teach.patches.extract import extract_patches

TINY = KernelByRecurrenceSettings(steps=2, patches=200, neighbours=2)


@pytest.fixture(scope="module")
def blurred() -> tuple[torch.Tensor, torch.Tensor]:
    kernel = gaussian_kernel((2.2, 1.0), np.pi / 6)
    return blur_and_subsample(photo("astronaut", 256), kernel, 2).clamp(0, 1), kernel


def skewed_kernel() -> torch.Tensor:
    kernel = torch.zeros(SIDE, SIDE, dtype=torch.float64)
    kernel[5:8, 4:9] = torch.tensor(
        [[4.0, 3, 1, 0, 0], [1, 5, 6, 2, 1], [0, 0, 2, 5, 3]]
    )
    return kernel / kernel.sum()


def planted(scene: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """A scene and, above it, the scene downscaled with a kernel."""
    copy = F.conv2d(scene[None], kernel.float()[None, None], stride=2)[0]
    side, width = copy.shape[1], scene.shape[2]
    assert side % 2 == 0  # then the scene's first row is also a row of J
    image = torch.full((1, side + scene.shape[1], width), 0.5)
    image[:, :side, : copy.shape[2]], image[:, side:] = copy, scene
    return image


def test_known_pairs_of_patches_give_back_the_kernel(monkeypatch):
    monkeypatch.setattr(recurrence, "SMOOTHNESS", 1e-9)
    scene = torch.rand(1, 171, 171, generator=torch.Generator().manual_seed(0))
    truth, side = skewed_kernel(), 80
    method = KernelByRecurrence(planted(scene, truth))
    queries = extract_patches(method.slopes[:, : side - 1, : side - 1])
    height, width = method.parents.unfold(1, SIDE, 2).unfold(2, SIDE, 2).shape[1:3]
    corners = torch.arange(height * width).view(height, width)
    corners = corners[side // 2 :][: side - 5, : side - 5].reshape(-1, 1)
    ones = torch.ones(len(corners), 1)
    found = solve(*method.normal_equations(queries, corners, ones))
    assert abs(found - truth).max() < 1e-3


def test_planted_recurrence_is_found():
    truth = skewed_kernel()
    scene = luma(photo("coffee"))[:, 100:271, 200:371].float()
    found = fit(KernelByRecurrence(planted(scene, truth))).raw_kernel()
    size = [2 * SIDE, 2 * SIDE]  # the positions of the kernels may differ
    one, other = (torch.fft.rfft2(k, s=size) for k in (found, truth))
    overlap = torch.fft.irfft2(one * other.conj(), s=size).max()
    assert overlap > 0.7 * found.norm() * truth.norm()


def test_the_normal_equations_are_the_sum_over_all_pairs_of_patches(blurred):
    method = KernelByRecurrence(blurred[0][:, :70, :80], TINY)
    queries, _ = method._queries()
    _, corners = method._keys()
    corners = corners[torch.randperm(len(corners))[:400]].view(200, 2)
    weights = torch.rand(200, 2)
    gram, right = method.normal_equations(queries, corners, weights)
    windows = method.parents.unfold(1, SIDE, 2).unfold(2, SIDE, 2)
    slow_gram, slow_right = torch.zeros_like(gram), torch.zeros_like(right)
    for query, places, each in zip(queries, corners, weights, strict=True):
        for place, weight in zip(places, each, strict=True):
            row, column = divmod(int(place), windows.shape[2])
            parents = windows[:, row : row + 5, column : column + 5]
            parents = parents.reshape(len(query), -1).double()
            slow_gram += weight * parents.T @ parents
            slow_right += weight * parents.T @ query.double()
    assert abs(gram - slow_gram).max() < 1e-4 * slow_gram.max()
    assert abs(right - slow_right).max() < 1e-4 * slow_right.max()


def test_it_finds_the_width_and_the_direction_of_a_blur(blurred):
    low, kernel = blurred
    method = fit(KernelByRecurrence(low))
    found = moments(method.kernel())[1]
    assert np.allclose(found, moments(kernel)[1], atol=2.5)
    assert found[0, 1] > 0.5  # the direction
    assert method.confidence() > 0.8


def test_iterations_bring_patches_nearer(blurred):
    method = KernelByRecurrence(blurred[0])
    distances = [float(method.train_step()["distance"]) for _ in range(8)]
    assert distances[-1] < 0.8 * distances[0]


def test_the_kernel_is_not_negative_and_sums_to_one(blurred):
    method = fit(KernelByRecurrence(blurred[0], TINY))
    assert method.raw_kernel().min() >= 0
    for kernel in (method.raw_kernel(), method.kernel()):
        assert float(kernel.sum()) == pytest.approx(1)
    assert all(side % 2 == 0 for side in method.kernel().shape)


def test_resuming_equals_never_stopping(blurred, tmp_path):
    low = blurred[0]
    whole = fit(KernelByRecurrence(low, TINY))
    method = KernelByRecurrence(low, TINY)
    method.train_step()
    save(method, tmp_path / "one.safetensors")
    again = fit(resume(tmp_path / "one.safetensors", low))
    assert torch.equal(again.raw_kernel(), whole.raw_kernel())
    assert again.confidence() == whole.confidence()
    other = fit(KernelByRecurrence(low, TINY))
    assert torch.equal(other.raw_kernel(), whole.raw_kernel())


def test_gradients_of_a_plane_are_its_slopes():
    plane = torch.arange(6.0)[:, None] + 10 * torch.arange(5.0)
    across, down = gradients(plane[None], 2)
    assert torch.equal(across, torch.full((4, 3), 20.0))
    assert torch.equal(down, torch.full((4, 3), 2.0))


@pytest.mark.parametrize("nonsense", [{"steps": 0}, {"patches": 1}, {"neighbours": 0}])
def test_unusable_settings_are_refused(nonsense):
    with pytest.raises(ValueError, match="settings: expected"):
        KernelByRecurrenceSettings.quick(**nonsense)
