"""A kernel of motion from blind deblurring, and its similarity to the spectrum."""

import numpy as np
import pytest
import torch

from dil_teach.classical.kernel.motion import (
    energy,
    enlarged,
    estimate_motion,
    halves,
)
from dil_teach.classical.kernel.spectrum import similarity_to_spectrum
from dil_teach.classical.least_squares import correct_by_least_squares
from dil_teach.image.kernel_estimate import gaussian_of, moments
from dil_teach.image.metrics import luma
from dil_teach.image.photos import photo
from dil_teach.image.resize import blur_and_subsample, resize

LINE = torch.eye(13) / 13


def blurred(kernel: object, name: str = "astronaut") -> torch.Tensor:
    small = blur_and_subsample(photo(name)[:, :384, :384], kernel, 2)
    return (small.clamp(0, 1) * 255).round() / 255


def test_a_straight_motion_is_found():
    image = blurred(LINE)
    found = estimate_motion(image)
    assert found.sure
    assert found.similarity > 0.6
    assert np.allclose(moments(found.kernel)[1], moments(LINE)[1], atol=5)
    assert moments(found.kernel)[1][0, 1] > 7  # the direction
    grey = luma(image).float()
    ours, best = (
        correct_by_least_squares(resize(grey, 2), grey, k, 2)
        for k in (found.kernel, LINE)
    )
    assert 1 / 3 < found.error / float(energy(ours - best)) ** 0.5 < 3


def test_only_the_right_motion_is_similar_to_the_spectrum():
    image = blurred(LINE)
    assert similarity_to_spectrum(image, LINE) > 0.8
    assert similarity_to_spectrum(image, LINE.flip(0)) < 0.3
    assert abs(similarity_to_spectrum(image, gaussian_of(np.eye(2) * 4))) < 0.3


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
@pytest.mark.parametrize("kernel", ["bicubic", gaussian_of(np.diag([4.0, 2.0]))])
def test_other_blurs_are_not_sure(kernel, name):
    assert not estimate_motion(blurred(kernel, name)).sure


def test_halves_are_cut_across_the_longer_side():
    upright = torch.rand(3, 90, 70)
    above, below = halves(upright)
    assert torch.equal(torch.cat([above, below], 1), upright)
    assert halves(upright.mT)[0].shape == (3, 70, 45)


def test_an_enlarged_kernel_has_twice_the_size_and_the_same_sum():
    kernel = gaussian_of(np.array([[2.0, 0.5], [0.5, 1.5]]), 15)
    fine = enlarged(kernel)
    assert float(fine.sum()) == pytest.approx(1)
    assert np.allclose(moments(fine)[1], 4 * moments(kernel)[1], rtol=0.2)
    assert all(side % 2 == 0 for side in fine.shape)
