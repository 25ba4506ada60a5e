"""The correction by conjugate gradients against a dense solution."""

import pytest
import torch

from dil_teach.classical import least_squares
from dil_teach.classical.back_projection import back_project
from dil_teach.classical.least_squares import (
    SMOOTHNESS,
    SMOOTHNESS_OF_NOISE,
    correct_by_least_squares,
    inverts_contrast,
    minus_laplacian,
)
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.metrics import psnr_y
from dil_teach.image.photos import photo
from dil_teach.image.resize import blur_and_subsample, resize

SIDE = 12


def motion(length: int) -> torch.Tensor:
    kernel = torch.zeros(length + 1, length + 1)
    kernel.fill_diagonal_(1)
    return kernel / kernel.sum()


def matrix_of(linear, shape: tuple[int, ...]) -> torch.Tensor:
    """The matrix of a linear function of images of a given shape."""
    unit = torch.eye(torch.Size(shape).numel(), dtype=torch.float64)
    return torch.stack([linear(u.view(shape)).flatten() for u in unit], 1)


@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_it_is_the_solution_of_the_normal_equations(noise, monkeypatch):
    monkeypatch.setattr(least_squares, "ITERATIONS", 300)
    rng = torch.Generator().manual_seed(0)
    high = torch.rand(1, SIDE, SIDE, generator=rng, dtype=torch.float64)
    low = torch.rand(1, SIDE // 2, SIDE // 2, generator=rng, dtype=torch.float64)
    kernel = motion(4).double()
    a = matrix_of(lambda x: blur_and_subsample(x, kernel, 2), high.shape)
    smooth = matrix_of(minus_laplacian, high.shape)
    missing = low.flatten() - a @ high.flatten()
    weight = SMOOTHNESS + SMOOTHNESS_OF_NOISE * noise**2
    wanted = torch.linalg.solve(a.T @ a + weight * smooth, a.T @ missing)
    found = correct_by_least_squares(high, low, kernel, 2, noise)
    assert torch.allclose(found, high + wanted.view(high.shape), atol=1e-5)


def test_minus_laplacian_is_half_the_gradient_of_the_squared_differences():
    image = torch.rand(2, 5, 6, requires_grad=True)
    total = image.diff(dim=1).square().sum() + image.diff(dim=2).square().sum()
    (gradient,) = torch.autograd.grad(total, image)
    assert torch.allclose(minus_laplacian(image.detach()), gradient / 2, atol=1e-6)


def test_an_image_that_agrees_is_not_changed():
    high = photo("camera")[:, :64, :64]
    low = blur_and_subsample(high, motion(6), 2)
    assert torch.equal(correct_by_least_squares(high, low, motion(6), 2), high)


def test_blur_by_motion_is_removed_where_back_projection_fails():
    truth, kernel = photo("camera")[:, 100:228, 100:228], motion(14)
    low = (blur_and_subsample(truth, kernel, 2) * 255).round() / 255
    start = resize(low, 2)
    found = correct_by_least_squares(start, low, kernel, 2)
    projected = back_project(start, low, kernel, 2)
    score = [psnr_y(x.clamp(0, 1), truth, 8) for x in (start, projected, found)]
    assert score[2] > max(score[:2]) + 2


@pytest.mark.parametrize("scale", [1.5, 2, (2, 3)])
def test_the_copy_agrees_better_at_any_scale(scale):
    low = photo("camera")[:, :40, :40]
    high, kernel = resize(low, scale), motion(6)
    size = (low.shape[1], low.shape[2])

    def error(image: torch.Tensor) -> float:
        copy = blur_and_subsample(image, kernel, scale, size=size)
        return float((copy - low).square().mean())

    found = correct_by_least_squares(high, low, kernel, scale)
    assert error(found) < 0.1 * error(high)


def test_motion_inverts_contrast_and_a_gaussian_does_not():
    assert inverts_contrast(motion(12))
    assert not inverts_contrast(motion(1))
    assert not inverts_contrast(gaussian_kernel((2.5, 1.0), 0.4, size=26))


def test_a_small_negative_response_of_an_estimate_is_not_an_inversion():
    # minus a part of the Gaussian times a wave of period 4: the response is -0.09 there
    gaussian = gaussian_kernel((2.5, 2.5), size=16)
    wave = torch.cos(torch.pi / 2 * (torch.arange(16) - 7.5)) * gaussian
    assert not inverts_contrast(gaussian - 0.18 * wave)
    assert inverts_contrast(gaussian - 0.6 * wave)


def test_noise_makes_the_correction_smoother():
    rng = torch.Generator().manual_seed(0)
    low = torch.rand((1, 24, 24), generator=rng)
    high = resize(low, 2)
    exact, calm = (
        correct_by_least_squares(high, low, motion(6), 2, noise) - high
        for noise in (0.0, 0.1)
    )
    assert calm.diff(dim=-1).square().mean() < 0.5 * exact.diff(dim=-1).square().mean()
