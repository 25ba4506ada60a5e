"""KernelGAN: one kernel equals all layers, and it finds a blur."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dil_teach import blur_and_subsample, fit, photo, resume, save
from dil_teach.classical.kernel.choice import bicubic_kernel
from dil_teach.deep.kernelgan.kernelgan import (
    KernelGAN,
    KernelGANSettings,
    border_mask,
    downscale,
    kernel_for_scale_4,
)
from dil_teach.deep.kernelgan.networks import (
    DeepLinear,
    OneKernel,
    PatchDiscriminator,
    SpectralWeights,
)
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.kernel_estimate import moments

TINY = KernelGANSettings(steps=30, width=8, crop=40)


@pytest.fixture(scope="module")
def low() -> torch.Tensor:
    return blur_and_subsample(photo("astronaut", 160), gaussian_kernel((2, 1)), 2)


def test_one_kernel_equals_all_layers():
    rng = torch.Generator().manual_seed(0)
    layers = DeepLinear(8, rng)
    image = torch.rand(3, 1, 30, 31, generator=rng)
    deep = image
    for weights in layers.filters[:-1]:
        deep = F.conv2d(deep, weights)
    deep = F.conv2d(deep, layers.filters[-1], stride=2)
    kernel = layers()
    assert kernel.shape == (13, 13)
    assert torch.allclose(
        F.conv2d(image, kernel[None, None], stride=2), deep, atol=1e-6
    )


def test_gradients_through_the_kernel_equal_those_through_the_layers():
    layers = DeepLinear(4, torch.Generator().manual_seed(0))
    image = torch.rand(1, 1, 20, 20, generator=torch.Generator().manual_seed(1))
    deep = image
    for weights in layers.filters:
        deep = F.conv2d(deep, weights)
    ours = F.conv2d(image, layers()[None, None])
    weights = list(layers.parameters())
    wanted = torch.autograd.grad(deep.square().sum(), weights)
    gradients = torch.autograd.grad(ours.square().sum(), weights)
    for gradient, other in zip(gradients, wanted, strict=True):
        assert torch.allclose(gradient, other, rtol=1e-3, atol=1e-9)


def test_spectral_normalisation_finds_the_largest_singular_value():
    layer = SpectralWeights(27, 6, torch.Generator().manual_seed(0))
    for _ in range(100):
        weights, _ = layer()
    assert torch.linalg.svdvals(weights)[0].item() == pytest.approx(1, abs=1e-3)


def test_the_discriminator_sees_patches_of_seven_pixels():
    judge = PatchDiscriminator(3, 8, torch.Generator().manual_seed(0))
    said = judge(torch.rand(2, 3, 26, 26, generator=torch.Generator().manual_seed(1)))
    assert said.shape == (2 * 20 * 20, 1)
    assert 0 <= said.min() <= said.max() <= 1


def test_the_border_mask_spares_the_middle():
    mask = border_mask()
    assert mask[6, 6] == 0
    assert mask[0, 0] == mask.max() > 5


def test_it_finds_the_width_and_the_direction_of_a_blur():
    image = photo("astronaut", 256)
    kernel = gaussian_kernel((2.2, 1.0), np.pi / 6)
    low = blur_and_subsample(image, kernel, 2).clamp(0, 1)
    found = fit(KernelGAN(low, KernelGANSettings(steps=400))).kernel()
    error = abs(moments(found)[1] - moments(kernel)[1])
    assert error.max() < 2.5


def test_the_kernel_for_scale_4_is_two_downscalings_by_2():
    rng = torch.Generator().manual_seed(0)
    kernel = gaussian_kernel((1.5, 1.0), 0.3, 6)
    image = torch.rand(1, 64, 64, generator=rng).double()
    twice = blur_and_subsample(blur_and_subsample(image, kernel, 2), kernel, 2)
    once = blur_and_subsample(image, kernel_for_scale_4(kernel), 4)
    inside = slice(4, -4)
    assert torch.allclose(once[:, inside, inside], twice[:, inside, inside])


def test_the_same_seed_gives_the_same_bits(low):
    first = fit(KernelGAN(low, TINY)).kernel()
    assert torch.equal(fit(KernelGAN(low, TINY)).kernel(), first)
    other = dataclasses.replace(TINY, seed=1)
    assert not torch.equal(fit(KernelGAN(low, other)).raw_kernel(), first)


@pytest.mark.parametrize("deep", [True, False])
def test_resuming_equals_never_stopping(low, tmp_path, deep):
    settings = dataclasses.replace(TINY, deep=deep)
    whole = fit(KernelGAN(low, settings)).raw_kernel()
    method = KernelGAN(low, settings)
    for _ in range(7):
        method.train_step()
    save(method, tmp_path / "some.safetensors")
    again = fit(resume(tmp_path / "some.safetensors", low))
    assert torch.equal(again.raw_kernel(), whole)


def test_there_is_an_estimate_before_the_first_step(low):
    covariance = moments(KernelGAN(low, TINY).kernel())[1]
    assert 0.5 < covariance[0, 0] < 1.5


@pytest.mark.parametrize("crop", [40, 41, 42, 43])
def test_bicubic_downscaling_costs_nothing_at_any_size_of_crop(low, crop):
    method = KernelGAN(low, dataclasses.replace(TINY, crop=crop))
    source = low[None, :, :crop, :crop]
    kernel = torch.zeros(13, 13)
    kernel[3:11, 3:11] = bicubic_kernel()
    penalties = method.penalties(kernel, source, downscale(source, kernel))
    assert penalties["bicubic"] < 1e-6


def test_a_grey_image_has_a_kernel_too(low):
    assert KernelGAN(low[:1], TINY).train_step()["fake"] > 0


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (torch.full((3, 80, 80), 0.5), "the same at all pixels"),
        (torch.rand(3, 30, 80), "at least 40 x 40"),
        (torch.full((3, 80, 80), torch.nan), "NaN"),
    ],
)
def test_bad_images_are_refused(image, said):
    with pytest.raises(ValueError, match=said):
        KernelGAN(image, TINY)


@pytest.mark.parametrize(
    "nonsense", [{"steps": 0}, {"crop": 20}, {"batch": 0}, {"sparsity": -1}]
)
def test_unusable_settings_are_refused(nonsense):
    with pytest.raises(ValueError, match="settings: expected"):
        KernelGANSettings.quick(**nonsense)


def test_both_generators_have_a_kernel_of_13_pixels():
    assert OneKernel()().shape == (13, 13)
