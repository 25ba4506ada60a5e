"""The networks of three papers on super-resolution.

- SRCNN: Dong, Loy, He and Tang, 'Image super-resolution using deep convolutional
  networks', TPAMI 2016 (ECCV 2014). Three convolutions on the interpolated luma; of the
  sizes in the paper, this is 9-5-5.
- VDSR: Kim, Lee and Lee, 'Accurate image super-resolution using very deep convolutional
  networks', CVPR 2016. Twenty convolutions predict the residual of the luma.
- EDSR: Lim, Son, Kim, Nah and Lee, 'Enhanced deep residual networks for single image
  super-resolution', CVPRW 2017. The baseline size: 16 residual blocks of 64 channels on
  the low-resolution RGB image, and a pixel shuffle.

All convolutions have zero padding, so the output has the size of the image.
"""

import itertools
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dil_teach.image.resize import resize
from dil_teach.training.networks import convolution, empty_convolution
from dil_teach.training.precision import autocast, fast_order

Batch = Float[Tensor, "b c _h _w"]
MEAN_RGB = (0.4488, 0.4371, 0.4040)
"""Mean colour that EDSR subtracts: the mean colour of DIV2K, from the authors' code."""


class SRCNN(nn.Module):
    """Patch extraction, nonlinear mapping and reconstruction, on interpolated luma."""

    channels, scales = 1, (2,)

    def __init__(self, rng: torch.Generator) -> None:
        super().__init__()
        self.extract = convolution(1, 64, 9, 1, rng)
        self.map = convolution(64, 32, 5, 1, rng)
        self.reconstruct = convolution(32, 1, 5, 1, rng)

    def forward(self, low: Batch, scale: int) -> Batch:
        """The enlarged luma of a batch."""
        x = fast_order(resize(low, scale))
        with autocast(low.device):
            x = F.relu(self.map(F.relu(self.extract(x)))).float()
        return self.reconstruct(x)


class VDSR(nn.Module):
    """Twenty convolutions predict the residual of the luma.

    They have no biases, as in the published weights that
    :func:`~dil_teach.deep.external_sr.external_sr.load_external_network` reads.
    """

    channels, scales = 1, (2, 3, 4)

    def __init__(self, rng: torch.Generator) -> None:
        super().__init__()
        widths = [1] + [64] * 19 + [1]
        layers = [
            empty_convolution(before, after, 3, padding=1, bias=False)
            for before, after in itertools.pairwise(widths)
        ]
        for layer in layers:  # the paper's initialisation, of He et al. 2015
            nn.init.kaiming_normal_(
                layer.weight, mode="fan_out", nonlinearity="relu", generator=rng
            )
        self.layers = nn.ModuleList(layers)

    def forward(self, low: Batch, scale: int) -> Batch:
        """The enlarged luma of a batch."""
        interpolated = resize(low, scale)
        *hidden, last = self.layers
        with autocast(low.device):
            x = fast_order(interpolated)
            for layer in hidden:
                x = F.relu(layer(x))
            return interpolated + last(x).float()


class EDSR(nn.Module):
    """Residual blocks without batch normalisation, on the low-resolution RGB image."""

    channels, scales = 3, (2,)

    def __init__(self, rng: torch.Generator, width: int = 64, blocks: int = 16) -> None:
        super().__init__()
        self.head = convolution(3, width, 3, 1, rng)
        self.blocks: Any = nn.ModuleList(
            nn.ModuleList(convolution(width, width, 3, 1, rng) for _ in range(2))
            for _ in range(blocks)
        )
        self.body = convolution(width, width, 3, 1, rng)
        self.enlarge = convolution(width, 4 * width, 3, 1, rng)
        self.tail = convolution(width, 3, 3, 1, rng)

    def forward(self, low: Batch, scale: int = 2) -> Batch:
        """The batch at twice the size; other scales are not trained."""
        mean = low.new_tensor(MEAN_RGB)[:, None, None]
        with autocast(low.device):
            x = fast_order(low - mean)
            x = first = self.head(x)
            for one, two in self.blocks:
                x = x + two(F.relu(one(x)))
            x = first + self.body(x)
            x = F.pixel_shuffle(self.enlarge(x), 2)
            return self.tail(x).float() + mean


Network = SRCNN | VDSR | EDSR
NETWORKS = {"srcnn": SRCNN, "vdsr": VDSR, "edsr": EDSR}
