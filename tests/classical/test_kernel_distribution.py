"""The estimated kernel preserves the distribution of patches in downscaling."""

import numpy as np
import pytest
import torch

from dil_teach import blur_and_subsample, fit, photo, resume, save
from dil_teach.classical.kernel.distribution import (
    NOISE,
    KernelByDistribution,
    KernelByDistributionSettings,
    whitening_matrix,
)
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.kernel_estimate import moments
from dil_teach.patches.extract import extract_patches

TINY = KernelByDistributionSettings(steps=6, patches=256, directions=8)


@pytest.fixture(scope="module")
def blurred() -> tuple[torch.Tensor, torch.Tensor]:
    kernel = gaussian_kernel((2.2, 1.0), np.pi / 6)
    return blur_and_subsample(photo("astronaut", 256), kernel, 2).clamp(0, 1), kernel


def test_whitened_patches_are_uncorrelated(blurred):
    patches = extract_patches(blurred[0][:1], 5)
    rng = torch.Generator().manual_seed(0)
    noisy = patches + NOISE * torch.randn(patches.shape, generator=rng)
    white = (noisy - patches.mean(0)) @ whitening_matrix(patches)
    assert torch.allclose(white.T.cov(), torch.eye(25), atol=0.1)


def test_it_finds_the_width_and_the_direction_of_a_blur(blurred):
    low, kernel = blurred
    found = fit(KernelByDistribution(low)).kernel()
    error = abs(moments(found)[1] - moments(kernel)[1])
    assert error.max() < 1.5


def test_training_lowers_the_distance(blurred):
    method = KernelByDistribution(blurred[0])
    first = np.mean([float(method.train_step()["distance"]) for _ in range(10)])
    while method.step < 90:
        method.train_step()
    last = np.mean([float(method.train_step()["distance"]) for _ in range(10)])
    assert last < 0.8 * first


def test_the_raw_kernel_is_positive_and_sums_to_one(blurred):
    raw = fit(KernelByDistribution(blurred[0], TINY)).raw_kernel()
    assert raw.shape == (13, 13)
    assert raw.min() > 0
    assert float(raw.sum()) == pytest.approx(1)


def test_the_distance_prefers_the_right_kernel_and_changes_no_state(blurred):
    low, _ = blurred
    method = KernelByDistribution(low, TINY)
    before = method.rng.get_state()
    sides = np.sqrt(3 / 4) * np.array([2.2, 1.0])  # between the two scales
    right = method.distance(gaussian_kernel(tuple(sides), np.pi / 6))
    turned = method.distance(gaussian_kernel(tuple(sides), -np.pi / 3))
    sharp = method.distance(gaussian_kernel((0.6, 0.6)))
    assert 1.3 * right < min(turned, sharp)
    assert torch.equal(method.rng.get_state(), before)


def test_resuming_equals_never_stopping(blurred, tmp_path):
    low = blurred[0]
    whole = fit(KernelByDistribution(low, TINY)).raw_kernel()
    method = KernelByDistribution(low, TINY)
    method.train_step()
    save(method, tmp_path / "one.safetensors")
    again = fit(resume(tmp_path / "one.safetensors", low))
    assert torch.equal(again.raw_kernel(), whole)
    assert torch.equal(fit(KernelByDistribution(low, TINY)).raw_kernel(), whole)


@pytest.mark.parametrize("nonsense", [{"steps": 0}, {"patches": 1}, {"directions": 0}])
def test_unusable_settings_are_refused(nonsense):
    with pytest.raises(ValueError, match="settings: expected"):
        KernelByDistributionSettings.quick(**nonsense)
