"""Tests of the baselines of Deep Image Prior: denoising and biharmonic inpainting."""

import math

import pytest
import torch
from scipy.signal import convolve2d
from skimage.restoration import denoise_tv_chambolle

from dil_teach import photo, psnr
from dil_teach.classical.denoising import nlm_denoise, tv_denoise
from dil_teach.classical.inpainting import biharmonic
from dil_teach.image.augment import add_noise
from dil_teach.image.metrics import noise_level


@pytest.fixture(scope="module")
def truth() -> torch.Tensor:
    return photo("coffee", 96)


def spoilt(image: torch.Tensor, sigma: float) -> torch.Tensor:
    return add_noise(image, sigma, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sigma", [10 / 255, 25 / 255, 50 / 255])
def test_the_noise_level_is_found(truth, sigma):
    flat = torch.full((3, 96, 96), 0.5)
    assert noise_level(spoilt(flat, sigma)) == pytest.approx(sigma, rel=0.03)
    # the estimate includes the photograph's own detail
    assert noise_level(spoilt(truth, sigma)) == pytest.approx(sigma, rel=0.15)
    assert noise_level(flat) == 0


def test_the_noise_level_by_the_plain_formula(truth):
    mask = [[1, -2, 1], [-2, 4, -2], [1, -2, 1]]
    responses = [abs(convolve2d(c, mask, "valid")).ravel() / 6 for c in truth.numpy()]
    medians = [float(torch.from_numpy(r).median()) for r in responses]
    assert noise_level(truth) == pytest.approx(sum(medians) / 3 / 0.6745, rel=1e-4)


@pytest.mark.parametrize("denoise", [tv_denoise, nlm_denoise])
@pytest.mark.parametrize("channels", [1, 3])
def test_controls_take_noise_away(truth, denoise, channels):
    truth = truth[:channels, :80]
    noisy = spoilt(truth, 25 / 255).clamp(0, 1)
    clean = denoise(noisy, noise_level(noisy))
    assert clean.shape == truth.shape and clean.dtype == torch.float32
    assert psnr(clean, truth) > psnr(noisy, truth) + 4


@pytest.mark.parametrize("denoise", [tv_denoise, nlm_denoise])
@pytest.mark.parametrize("sigma", [0.0, -0.1, 25.0, math.nan])
def test_a_nonsense_level_is_told_off(denoise, sigma):
    with pytest.raises(ValueError, match="sigma: expected above 0 and at most 1"):
        denoise(torch.rand(3, 16, 16), sigma)


def test_a_ramp_is_filled_exactly_and_known_pixels_are_kept():
    ramp = torch.linspace(0, 1, 24).expand(1, 24, 24).contiguous()
    mask = torch.zeros(1, 24, 24)
    mask[:, 8:16, 6:18] = 1
    filled = biharmonic(ramp * (1 - mask), mask)
    assert torch.equal(filled[mask == 0], ramp[mask == 0])
    assert (filled - ramp).abs().max() < 1e-3


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (torch.zeros(1, 24, 24), r"values \[0.0\]"),
        (torch.ones(1, 24, 24), r"values \[1.0\]"),
        (torch.ones(1, 24, 12), "mask: expected 1 x"),
        (torch.full((1, 24, 24), 0.7), "threshold"),
    ],
)
def test_bad_masks_are_told_off(mask, said):
    with pytest.raises(ValueError, match=said):
        biharmonic(torch.rand(3, 24, 24), mask)


def test_total_variation_runs_until_it_has_converged() -> None:
    truth, sigma = photo("clock", 256), 25 / 255
    noisy = add_noise(truth, sigma, torch.Generator().manual_seed(0))
    shorter, longer = (
        denoise_tv_chambolle(
            noisy.numpy(), 0.8 * sigma, eps, max_num_iter=5000, channel_axis=0
        )
        for eps in (2e-4, 1e-8)
    )
    ours = psnr(tv_denoise(noisy, sigma), truth)
    assert ours == pytest.approx(psnr(torch.from_numpy(longer), truth), abs=0.1)
    assert ours > psnr(torch.from_numpy(shorter), truth) + 1
