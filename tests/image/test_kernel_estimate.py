"""The kernel between two scales gives the blur kernel."""

import numpy as np
import pytest
import torch

from dil_teach import KernelByDistribution, KernelByRecurrence
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.kernel_estimate import (
    finish,
    gaussian_of,
    kernel_of_the_scene,
    moments,
    remove_negligible,
)

COVARIANCE = np.array([[4.0, 1.5], [1.5, 3.0]])


def test_a_gaussian_has_the_covariance_it_was_made_of():
    centre, covariance = moments(gaussian_of(COVARIANCE))
    assert np.allclose(centre, 12.5)
    assert np.allclose(covariance, COVARIANCE, atol=0.02)


def test_moments_of_two_points():
    kernel = torch.zeros(5, 5)
    kernel[1, 0] = kernel[3, 4] = 1.0
    centre, covariance = moments(kernel)
    assert centre.tolist() == [2, 2]  # x, y
    assert covariance.tolist() == [[4, 2], [2, 1]]


def test_a_gaussian_gets_four_thirds_of_the_covariance():
    raw = gaussian_of(0.75 * COVARIANCE, 13)
    estimate = kernel_of_the_scene(raw)
    assert np.allclose(moments(estimate)[1], COVARIANCE, atol=0.05)
    assert abs(estimate - gaussian_of(COVARIANCE)).max() < 0.01 * estimate.max()


def test_two_points_become_a_straight_motion():
    # sin(x) / x = cos(x / 2) cos(x / 4) ... (Viete, 1593)
    raw = torch.zeros(13, 13)
    raw[6, 4] = raw[6, 8] = 0.5
    across = kernel_of_the_scene(raw).numpy().sum(0)
    line = np.zeros(26)
    line[9:17] = 1 / 8  # twice the distance of the points
    _, covariance = moments(kernel_of_the_scene(raw))
    # a point wider than a pixel, because only frequencies up to 1/2 are kept
    assert abs(np.cumsum(across) - np.cumsum(line)).max() < 0.06
    assert covariance[0, 0] == pytest.approx(4 * 4 / 3, rel=0.01)


def test_the_product_satisfies_the_equation_of_the_scales():
    rng = torch.Generator().manual_seed(0)
    raw = torch.rand(5, 5, generator=rng).double()
    raw /= raw.sum()
    kernel = kernel_of_the_scene(torch.nn.functional.pad(raw, (4, 4, 4, 4)))

    def transform(weights, frequency):
        centre = moments(weights)[0]
        y, x = np.indices(weights.shape)
        phase = frequency[0] * (x - centre[0]) + frequency[1] * (y - centre[1])
        return (np.asarray(weights) * np.exp(-2j * np.pi * phase)).sum()

    for frequency in np.array([[0.1, 0.0], [0.07, -0.2], [0.3, 0.15]]):
        wanted = transform(raw, frequency) * transform(kernel, frequency / 2)
        assert transform(kernel, frequency) == pytest.approx(wanted, abs=1e-3)


def test_a_finished_kernel_is_positive_centred_and_of_sum_one():
    raw = gaussian_kernel((1.5, 0.8), 0.4, 13).roll((1, -2), (0, 1))
    raw[0, 0] = -0.01  # ringing
    kernel = finish(raw)
    assert kernel.min() > -1e-3
    assert float(kernel.sum()) == pytest.approx(1)
    middle = [(side - 1) / 2 for side in kernel.shape[::-1]]
    assert np.allclose(moments(kernel)[0], middle, atol=0.01)
    assert kernel.shape[0] % 2 == kernel.shape[1] % 2 == 0


def test_small_weights_are_removed():
    cleaned = remove_negligible(torch.tensor([[0.001, 0.5], [-0.2, 0.5]]), 0.1)
    assert cleaned.tolist() == [[0, 0.5], [0, 0.5]]


def test_a_kernel_without_a_positive_sum_is_refused():
    with pytest.raises(ValueError, match="positive sum"):
        finish(torch.zeros(13, 13))


@pytest.mark.parametrize("estimator", [KernelByDistribution, KernelByRecurrence])
@pytest.mark.parametrize(
    ("image", "said"),
    [
        (torch.full((3, 80, 80), 0.5), "the same at all pixels"),
        (torch.rand(3, 30, 80), "at least 64 x 64"),
        (torch.full((3, 80, 80), torch.nan), "NaN"),
    ],
)
def test_estimators_refuse_bad_images(estimator, image, said):
    with pytest.raises(ValueError, match=said):
        estimator(image)
