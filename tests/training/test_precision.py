"""Precision and memory order of convolutions."""

import pytest
import torch
import torch.nn.functional as F

from dil_teach.training.precision import channels_last


@pytest.mark.parametrize("channels", [1, 3])
def test_a_convolution_keeps_the_channels_of_a_pixel_together(channels):
    batch = torch.rand(2, channels, 6, 5, generator=torch.Generator().manual_seed(0))
    ordered = channels_last(batch)
    assert torch.equal(ordered, batch)
    features = F.conv2d(ordered, torch.ones(4, channels, 3, 3))
    assert features.stride()[1] == 1, "the channels of a pixel lie apart"
