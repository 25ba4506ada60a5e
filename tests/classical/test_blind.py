"""Blind deblurring: known kernels, its three steps, and images that are refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage

from dil_teach import DeblurSettings, deblur, estimate_blur, photo, psnr
from dil_teach.classical.deblur import blind
from dil_teach.classical.deblur.blind import (
    deconvolve_near,
    kernel_sizes,
    pixels_covered,
)
from dil_teach.classical.deblur.deconvolution import deconvolve
from dil_teach.classical.deblur.kernel_fit import clean_kernel, fit_kernel

REACH = 6


def bend() -> torch.Tensor:
    """A kernel of 13 x 13 pixels: an arc."""
    turn = np.linspace(0, 2, 200)
    row, column = 2 + 8 * np.sin(turn), 9 + 7 * np.cos(turn)
    weights = np.histogram2d(row, column, bins=np.arange(14) - 0.5)[0]
    weights = ndimage.gaussian_filter(weights, 0.5)
    return clean_kernel(torch.from_numpy(weights).float())


def blur(truth: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """The part of a picture whose blur needs no unknown pixel, in eight bits."""
    blurred = F.conv2d(truth[:, None], kernel[None, None])[:, 0]
    return (blurred.clamp(0, 1) * 255).round() / 255


@pytest.fixture(scope="module")
def truth() -> torch.Tensor:
    return photo("camera")[:, 60:240, 140:320]


@pytest.fixture(scope="module")
def blurred(truth: torch.Tensor) -> torch.Tensor:
    return blur(truth, bend())


def inside(image: torch.Tensor, border: int = 12) -> torch.Tensor:
    return image[:, border:-border, border:-border]


def test_a_known_blur_is_removed(truth, blurred):
    wanted = truth[:, REACH:-REACH, REACH:-REACH]
    before = psnr(inside(blurred), inside(wanted))
    after = psnr(inside(deconvolve(blurred, bend())), inside(wanted))
    assert after > before + 6


def test_the_division_is_the_minimum(truth):
    """The gradient of |k * x - y|^2 + prior |x - z|^2 is 0 at the result."""
    y, z, kernel = truth[:, :40, :40], truth[:, 40:80, :40], bend()
    x = deconvolve_near(y, kernel, z, 1e6)
    assert torch.allclose(x, z, atol=1e-4)
    single = F.pad(torch.ones(1, 1), (6, 6, 6, 6))
    x = deconvolve_near(y, single, z, 0.5)
    assert torch.allclose(x, (y + 0.5 * z) / 1.5, atol=1e-5)


def test_the_kernel_is_found_if_the_sharp_picture_is_known(truth, blurred):
    wanted = truth[:, REACH:-REACH, REACH:-REACH]
    found = fit_kernel(blurred, wanted, 13, 0.1)
    assert (found - bend()).abs().sum() < 0.3
    assert found.min() >= 0 and found.sum() == pytest.approx(1)


def test_a_blurred_picture_becomes_sharper(truth, blurred):
    found = deblur(blurred, DeblurSettings.quick(size=17))
    wanted = truth[:, REACH:-REACH, REACH:-REACH]
    assert not found.sharp
    assert found.kernel.shape == (17, 17)
    rows = range(-2, 3)  # a blind method cannot know the picture's position
    shifted = [found.image.roll((y, x), (1, 2)) for y in rows for x in rows]
    best = max(psnr(inside(image), inside(wanted)) for image in shifted)
    assert best > psnr(inside(blurred), inside(wanted)) + 2


@pytest.mark.parametrize("name", ["camera", "astronaut"])
def test_a_sharp_picture_is_not_changed(name):
    image = photo(name, 180)
    found = deblur(image, DeblurSettings.quick(size=17))
    assert found.sharp
    assert torch.equal(found.image, image)
    assert pixels_covered(found.kernel) < 8


def test_turning_the_picture_turns_the_kernel(blurred):
    upright = estimate_blur(blurred, 17)
    turned = estimate_blur(blurred.mT.contiguous(), 17)
    assert (upright.mT - turned).abs().sum() < 0.7


def test_sizes_grow_from_three_to_the_full_size():
    assert kernel_sizes(31) == [3, 5, 7, 11, 17, 23, 31]
    assert kernel_sizes(3) == [3]


def test_weak_weights_and_islands_are_removed():
    kernel = torch.zeros(9, 9)
    kernel[1:4, 1:4] = 1
    kernel[6, 7], kernel[1, 7] = 0.5, 0.01
    wanted = torch.zeros(9, 9)
    wanted[3:6, 3:6] = 1 / 9
    assert torch.allclose(clean_kernel(kernel), wanted)
    single = torch.zeros(9, 9)
    single[4, 4] = 1
    assert torch.equal(clean_kernel(-kernel), single)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (torch.rand(3, 60, 200), "at least 93 x 93 pixels"),
        (torch.full((3, 100, 100), 0.5), "the same at all pixels"),
    ],
    ids=["small", "constant"],
)
def test_pictures_that_show_no_blur_are_refused(image, words):
    with pytest.raises(ValueError, match=words):
        deblur(image)


def test_an_even_size_is_refused():
    with pytest.raises(ValueError, match="an odd number of pixels, got 20"):
        estimate_blur(torch.rand(1, 80, 80), 20)


def test_the_kernel_of_a_large_picture_is_that_of_its_most_detailed_part(monkeypatch):
    large = torch.full((1, 130, 150), 0.5)
    large[:, 20:116, 40:136] = photo("camera", 160)[:, 40:136, 40:136]
    monkeypatch.setattr(blind, "MOST_SIDE", 96)
    part = blind._most_detailed_part(large, 96)
    assert part.shape == (1, 96, 96) and (part == 0.5).float().mean() < 0.05
    whole, alone = (estimate_blur(x, size=5, rounds=1) for x in (large, part))
    assert torch.equal(whole, alone)
