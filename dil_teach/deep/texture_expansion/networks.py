"""The generator and the discriminator of texture expansion (Zhou et al. 2018)."""

import torch
from torch import nn

from dil_teach.deep.texture_expansion.style import Batch
from dil_teach.training.networks import SLOPE, Block, convolution
from dil_teach.training.precision import fast_order

WIDTH, BLOCKS = 48, 4
"""Number of channels and residual blocks of the generator; the paper has 6 blocks."""
TAIL = 32
"""Number of input channels of the generator's last layer."""
DISCRIMINATOR_WIDTH = 32
"""Number of output channels of the discriminator's first layer."""


class Generator(nn.Module):
    """Residual blocks work at the crop's size; then each pixel becomes 2 x 2 pixels.

    The generator has no normalisation, because the statistics of a crop and of the
    whole image differ. ``rng`` draws the initial weights.
    """

    def __init__(self, channels: int, rng: torch.Generator) -> None:
        super().__init__()
        self.first = reflecting(channels, WIDTH, rng)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LeakyReLU(SLOPE),
                reflecting(WIDTH, WIDTH, rng),
                nn.LeakyReLU(SLOPE),
                reflecting(WIDTH, WIDTH, rng, gain=0.3),
            )
            for _ in range(BLOCKS)
        )
        self.last = nn.Sequential(
            nn.LeakyReLU(SLOPE),
            reflecting(WIDTH, TAIL, rng),
            nn.LeakyReLU(SLOPE),
            reflecting(TAIL, 4 * channels, rng),
            nn.PixelShuffle(2),
        )

    def forward(self, crops: Batch) -> Batch:
        """The expanded crops, with twice the height and width of ``crops``."""
        x = self.first(fast_order(crops))
        for block in self.blocks:
            x = x + block(x)
        return self.last(x)


def reflecting(
    before: int, after: int, rng: torch.Generator, gain: float = 1
) -> nn.Conv2d:
    """A 3 x 3 convolution with reflection padding, its weights scaled by ``gain``.

    With zero padding the network would learn artefacts at the border of the crop.
    """
    layer = convolution(before, after, 3, 1, rng)
    layer.padding_mode = "reflect"
    with torch.no_grad():
        layer.weight *= gain
    return layer


def discriminator(channels: int, rng: torch.Generator) -> nn.Sequential:
    """A patch discriminator: 1 for blocks of the image, 0 for generated blocks.

    Isola et al., 'Image-to-image translation with conditional adversarial networks',
    CVPR 2017. The first layer has stride 1. With stride 2, the network would not see
    patterns of two pixels, a common artefact of the generator's last layer.
    """
    width = DISCRIMINATOR_WIDTH
    return nn.Sequential(
        convolution(channels, width, 3, 1, rng),
        nn.LeakyReLU(SLOPE),
        Block(width, 2 * width, 4, 2, rng),
        Block(2 * width, 2 * width, 4, 2, rng),
        convolution(2 * width, 1, 3, 1, rng),
    )
