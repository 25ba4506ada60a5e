"""The generator and the discriminator of KernelGAN (Bell-Kligler et al. 2019)."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dil_teach.training.networks import normalise

FILTERS = (7, 5, 3, 1, 1, 1)
"""Sides of the generator's filters (paper, section 4.1)."""
SIDE = sum(FILTERS) - len(FILTERS) + 1
"""Side of the kernel: 13 pixels."""
PATCH = 7
"""Side of the patches that the discriminator sees."""


class DeepLinear(nn.Module):
    """The paper's generator: convolutions without biases and activations."""

    def __init__(self, width: int, rng: torch.Generator) -> None:
        super().__init__()
        channels = [1, *(len(FILTERS) - 1) * [width], 1]
        self.filters = nn.ParameterList()
        for (before, after), side in zip(pairwise(channels), FILTERS, strict=True):
            scale = 0.1 * (2 / (before + after)) ** 0.5 / side  # authors' Xavier
            weights = torch.randn(after, before, side, side, generator=rng)
            self.filters.append(nn.Parameter(scale * weights))

    def forward(self) -> Float[Tensor, "13 13"]:
        """The one kernel that equals all layers.

        A delta at one output pixel is passed back through the transposed layers. The
        result at the input contains the weights of the input's pixels.
        """
        kernel = self.filters[0].new_ones(1, 1, 1, 1)
        for weights in reversed(self.filters):
            kernel = F.conv_transpose2d(kernel, weights)
        return kernel[0, 0]


class OneKernel(nn.Module):
    """One kernel of 169 weights, for the same functions as six layers; initially 0."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(SIDE, SIDE))

    def forward(self) -> Float[Tensor, "13 13"]:
        return self.weights


class PatchDiscriminator(nn.Sequential):
    """The probability that each 7 x 7 patch is from the image (paper, section 4.1)."""

    def __init__(self, channels: int, width: int, rng: torch.Generator) -> None:
        layers: list[nn.Module] = [SpectralConvolution(channels, width, PATCH, rng)]
        for _ in range(5):
            layers += [
                SpectralConvolution(width, width, 1, rng),
                normalise(width),
                nn.ReLU(),
            ]
        super().__init__(*layers, SpectralConvolution(width, 1, 1, rng), nn.Sigmoid())


class SpectralConvolution(nn.Module):
    """A convolution whose weights are divided by their largest singular value.

    Miyato et al., 'Spectral normalization for generative adversarial networks', 2018:
    one power iteration at each use. torch's ``spectral_norm`` does the same, but it
    draws its start vector from the user's random state.
    """

    def __init__(
        self, before: int, after: int, side: int, rng: torch.Generator
    ) -> None:
        super().__init__()
        weights = torch.randn(after, before, side, side, generator=rng)
        self.weights = nn.Parameter(0.1 * weights)
        self.bias = nn.Parameter(torch.zeros(after))
        self.register_buffer("left", torch.randn(after, generator=rng))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _c _h _w"]:
        matrix = self.weights.flatten(1)
        with torch.no_grad():
            right = F.normalize(self.left @ matrix, dim=0)
            self.left = F.normalize(matrix @ right, dim=0)
        largest = self.left @ matrix @ right
        return F.conv2d(x, self.weights / largest, self.bias)
