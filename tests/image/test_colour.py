"""sRGB and linear light are compared with the standard's formula and scikit-image."""

import pytest
import torch
from skimage.color import rgb2xyz

from dil_teach.image.colour import to_linear, to_srgb


def test_srgb_to_linear_light_and_back() -> None:
    srgb = torch.linspace(0, 1, 256)
    assert torch.allclose(to_srgb(to_linear(srgb)), srgb, atol=1e-6)
    assert to_linear(torch.tensor(0.5)) == pytest.approx(0.214041, abs=1e-5)
    assert to_srgb(torch.tensor([-1.0, 2.0])).tolist() == pytest.approx([0, 1])


def test_grey_has_the_luminance_that_scikit_image_computes() -> None:
    srgb = torch.linspace(0, 1, 64, dtype=torch.float64)
    luminance = rgb2xyz(srgb[:, None].expand(-1, 3).numpy())[:, 1]
    assert torch.allclose(to_linear(srgb), torch.from_numpy(luminance), atol=1e-6)
