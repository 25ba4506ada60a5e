"""Tests of the kernel from the spectrum, and of accepting and refusing estimates."""

import numpy as np
import pytest
import torch

from dil_teach.classical.kernel.choice import bicubic_kernel, choose_kernel
from dil_teach.classical.kernel.spectrum import (
    covariance_from_spectrum,
    kernel_from_spectrum,
)
from dil_teach.classical.least_squares import correct_by_least_squares
from dil_teach.image.kernel_estimate import gaussian_of, moments
from dil_teach.image.metrics import psnr_y
from dil_teach.image.photos import photo
from dil_teach.image.resize import blur_and_subsample, resize

WIDE = np.array([[4.0, 1.5], [1.5, 2.5]])


def low(name: str, kernel: object) -> torch.Tensor:
    """A photograph, blurred, halved and rounded to eight bits."""
    small = blur_and_subsample(photo(name)[:, :384, :384], kernel, 2)
    return (small.clamp(0, 1) * 255).round() / 255


def motion(length: int) -> torch.Tensor:
    kernel = torch.zeros(length + 1, length + 1)
    kernel.fill_diagonal_(1)
    return kernel / kernel.sum()


def test_the_spectrum_of_white_noise_shows_its_gaussian_blur():
    rng = torch.Generator().manual_seed(0)
    scene = torch.randn(1, 768, 768, generator=rng)
    f = torch.fft.fftfreq(768)
    radius = torch.hypot(f[:, None], f).clamp_min(1 / 768)
    scene = torch.fft.ifft2(torch.fft.fft2(scene) / radius).real  # power 1 / f^2
    scene = (0.5 + 0.1 * scene / scene.std()).clamp(0, 1)
    image = blur_and_subsample(scene, gaussian_of(WIDE), 2)
    assert np.allclose(covariance_from_spectrum(image), WIDE, atol=0.5)


@pytest.mark.parametrize("name", ["astronaut", "camera", "coffee"])
def test_the_spectrum_of_a_photograph_shows_its_gaussian_blur(name):
    found = covariance_from_spectrum(low(name, gaussian_of(WIDE)))
    assert np.allclose(found, WIDE, atol=1.3)
    assert found[0, 1] > 0.5  # the orientation


def test_turning_the_image_turns_the_kernel():
    image = low("astronaut", gaussian_of(WIDE))
    upright, turned = kernel_from_spectrum(image), kernel_from_spectrum(image.mT)
    assert torch.allclose(upright.mT, turned, atol=1e-6)


@pytest.mark.gpu
def test_an_image_on_the_gpu_has_the_same_kernel(gpu):
    image = low("astronaut", gaussian_of(WIDE))
    assert torch.allclose(
        kernel_from_spectrum(image.to(gpu)), kernel_from_spectrum(image), atol=1e-6
    )


def test_a_gaussian_blur_is_accepted():
    choice = choose_kernel(low("astronaut", gaussian_of(WIDE)))
    assert choice.kernel is not None
    assert np.allclose(moments(choice.kernel)[1], WIDE, atol=1.3)
    assert "Gaussian with variances" in choice.reason
    assert choice.noise == 0


def test_bicubic_downscaling_is_refused_as_gaussian_and_as_motion():
    choice = choose_kernel(low("astronaut", "bicubic"))
    assert choice.kernel is None
    assert "bicubic downscaling explains" in choice.reason
    assert set(choice.distances) == {"bicubic", "gaussian", "free"}
    assert choice.free is not None and float(choice.free.sum()) == pytest.approx(1)


def test_a_blur_by_motion_is_accepted_and_its_kernel_helps():
    truth, kernel = photo("astronaut")[:, :384, :384], motion(12)
    image = low("astronaut", kernel)
    choice = choose_kernel(image)
    assert choice.kernel is not None
    assert "a motion explains it" in choice.reason
    assert 0 < choice.noise < 0.1
    start = resize(image, 2)
    gain = [
        psnr_y(correct_by_least_squares(start, image, k, 2).clamp(0, 1), truth, 8)
        - psnr_y(start.clamp(0, 1), truth, 8)
        for k in (choice.kernel, kernel)
    ]
    assert gain[0] > 0.3 * gain[1] > 0


def test_the_bicubic_kernel_is_that_of_resize():
    image = photo("camera")[:, :64, :64]
    inner = (..., slice(4, -4), slice(4, -4))
    found = blur_and_subsample(image, bicubic_kernel(), 2)
    assert abs(found - resize(image, 0.5))[inner].max() < 1e-5


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (torch.rand(3, 40, 80), "at least 64 x 64 pixels"),
        (torch.full((3, 80, 80), 0.5), "the same at all pixels"),
    ],
    ids=["small", "constant"],
)
def test_images_that_show_no_kernel_are_refused(image, words):
    with pytest.raises(ValueError, match=words):
        choose_kernel(image)
    with pytest.raises(ValueError, match=words):
        kernel_from_spectrum(image)
