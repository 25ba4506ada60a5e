"""The generator and the discriminator of texture expansion (Zhou et al. 2018)."""

import torch
from torch import nn

from dil_teach.deep.texture_expansion.style import Batch
from dil_teach.training.networks import Block, convolution

SLOPE = 0.1
TAIL = 32
"""Channels of the layer before the generator's last."""
DISCRIMINATOR_WIDTH = 32


class Generator(nn.Module):
    """Residual blocks at the crop's own size, then each pixel becomes 2 x 2.

    No normalisation: the whole image, and not crops alone, shall be drawn alike.

    Parameters
    ----------
    channels : int
        Of the image.
    width, blocks : int
        Channels of each block, and how many there are.
    rng : torch.Generator
        Draws the weights.
    """

    def __init__(
        self, channels: int, width: int, blocks: int, rng: torch.Generator
    ) -> None:
        super().__init__()
        self.first = reflecting(channels, width, rng)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LeakyReLU(SLOPE),
                reflecting(width, width, rng),
                nn.LeakyReLU(SLOPE),
                reflecting(width, width, rng, gain=0.3),
            )
            for _ in range(blocks)
        )
        self.last = nn.Sequential(
            nn.LeakyReLU(SLOPE),
            reflecting(width, TAIL, rng),
            nn.LeakyReLU(SLOPE),
            reflecting(TAIL, 4 * channels, rng),
            nn.PixelShuffle(2),
        )

    def forward(self, crops: Batch) -> Batch:
        """The blocks that crops belong to, as the generator draws them."""
        x = self.first(crops.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            x = x + block(x)
        return self.last(x)


def reflecting(
    before: int, after: int, rng: torch.Generator, gain: float = 1
) -> nn.Conv2d:
    """A convolution of 3 x 3 that sees the image reflected at its borders: with zeros
    there, a crop's borders would teach what the whole image has no place for."""
    layer = convolution(before, after, 3, 1, rng)
    layer.padding_mode = "reflect"
    with torch.no_grad():
        layer.weight *= gain
    return layer


def discriminator(channels: int, rng: torch.Generator) -> nn.Sequential:
    """What tells an image's own blocks (1) from drawn ones (0), patch by patch.

    Isola et al., 'Image-to-image translation with conditional adversarial networks',
    CVPR 2017. Its first layer keeps all pixels: else it would overlook a pattern of
    two pixels, which the generator's last layer is prone to.
    """
    width = DISCRIMINATOR_WIDTH
    return nn.Sequential(
        convolution(channels, width, 3, 1, rng),
        nn.LeakyReLU(SLOPE),
        Block(width, 2 * width, 4, 2, rng),
        Block(2 * width, 2 * width, 4, 2, rng),
        convolution(2 * width, 1, 3, 1, rng),
    )
