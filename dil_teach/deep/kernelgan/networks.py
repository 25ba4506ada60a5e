"""The generator and the discriminator of KernelGAN (Bell-Kligler et al. 2019)."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

FILTERS = (7, 5, 3, 1, 1, 1)
"""Sides of the generator's filters (paper, section 4.1)."""
SIDE = sum(FILTERS) - len(FILTERS) + 1
"""Side of the kernel: 13 pixels."""
Weights = list[tuple[Float[Tensor, "_after _before"], Float[Tensor, "_after"]]]
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
        kernel = self.filters[0].new_ones(1, 1, 1)
        for weights in reversed(self.filters):
            side = weights.shape[-1]
            # a transposed convolution: each pixel adds its multiple of the filters
            multiples = weights.flatten(1).T @ kernel.flatten(1)
            kernel = F.fold(multiples, kernel.shape[-1] + side - 1, side)
        return kernel[0]


class OneKernel(nn.Module):
    """One kernel of 169 weights, for the same functions as six layers; initially 0."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(SIDE, SIDE))

    def forward(self) -> Float[Tensor, "13 13"]:
        return self.weights


class PatchDiscriminator(nn.Module):
    """The probability that each 7 x 7 patch is from the image (paper, section 4.1).

    The paper has a 7 x 7 convolution and six 1 x 1 convolutions. This is the same
    function: each patch is a row of a matrix, and each layer is a matrix product.
    """

    def __init__(self, channels: int, width: int, rng: torch.Generator) -> None:
        super().__init__()
        sizes = [channels * PATCH**2, *6 * [width], 1]
        self.layers = nn.ModuleList(
            SpectralWeights(before, after, rng) for before, after in pairwise(sizes)
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(width, track_running_stats=False) for _ in range(5)
        )

    def weights(self) -> Weights:
        """The normalised weights and the bias of each layer."""
        return [layer() for layer in self.layers]

    def forward(
        self, x: Float[Tensor, "b c h w"], weights: Weights | None = None
    ) -> Float[Tensor, "n 1"]:
        """The probability of each patch; ``weights`` spare normalising them again."""
        first, *hidden, last = weights or self.weights()
        rows = F.unfold(x, PATCH).transpose(1, 2).flatten(0, 1)
        rows = F.linear(rows, *first)
        for layer, norm in zip(hidden, self.norms, strict=True):
            rows = F.relu(norm(F.linear(rows, *layer)))
        return torch.sigmoid(F.linear(rows, *last))


class SpectralWeights(nn.Module):
    """The weights of a linear layer, divided by their largest singular value.

    Miyato et al., 'Spectral normalization for generative adversarial networks', 2018:
    one power iteration at each call. torch's ``spectral_norm`` does the same, but it
    draws its start vector from the user's random state.
    """

    def __init__(self, before: int, after: int, rng: torch.Generator) -> None:
        super().__init__()
        self.weights = nn.Parameter(0.1 * torch.randn(after, before, generator=rng))
        self.bias = nn.Parameter(torch.zeros(after))
        self.register_buffer("left", torch.randn(after, generator=rng))

    def forward(self) -> tuple[Float[Tensor, "after before"], Float[Tensor, "after"]]:
        with torch.no_grad():
            right = F.normalize(self.left @ self.weights, dim=0)
            self.left = F.normalize(self.weights @ right, dim=0)
        return self.weights / (self.left @ self.weights @ right), self.bias
