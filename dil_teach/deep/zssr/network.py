"""The network of ZSSR, and its mean output over orientations of an image."""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dil_teach.image.augment import orient, orient_back
from dil_teach.image.convention import Image
from dil_teach.image.resize import resize
from dil_teach.image.scale import Scale
from dil_teach.training.networks import SLOPE, empty_convolution
from dil_teach.training.precision import autocast, fast_order


class ResidualNetwork(nn.Module):
    """A network of convolutions on the low-resolution grid and a pixel shuffle.

    The activation is the leaky ReLU. With plain ReLU the network stops learning on
    smooth images, and only returns the bicubic interpolation.

    There are ``depth`` convolutions, with ``width`` channels in the hidden layers.
    ``factor`` is the upscaling factor of the pixel shuffle: the largest scale, rounded
    up. With ``bf16``, the convolutions use bfloat16 where the processor supports it.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        depth: int,
        factor: int,
        rng: torch.Generator,
        bf16: bool = False,
    ) -> None:
        super().__init__()
        self.factor, self.bf16 = factor, bf16
        last = channels * factor**2
        sizes = [channels] + [width] * (depth - 1) + [last]
        convolutions: list[Any] = [
            empty_convolution(before, after, 3, padding=1)
            for before, after in itertools.pairwise(sizes)
        ]
        for convolution in convolutions:
            nn.init.kaiming_normal_(convolution.weight, a=SLOPE, generator=rng)
            nn.init.zeros_(convolution.bias)
        with torch.no_grad():
            for convolution in convolutions[1:-1]:
                convolution.weight.mul_(0.3)  # each layer changes its input a little
            # with zeros in the last layer, the initial output is the interpolation
            convolutions[-1].weight.zero_()
        self.convolutions = nn.ModuleList(convolutions)

    def forward(
        self, low: Float[Tensor, "b c _h _w"], interpolated: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b c h w"]:
        """The enlarged batch: the interpolation plus the network's residual."""
        first, *hidden, last = self.convolutions
        with autocast(low.device, self.bf16):
            x = fast_order(low)
            x = F.leaky_relu(first(x), SLOPE)
            for convolution in hidden:
                # without 'x +', noisy gradients shrink the residual towards 0
                x = x + F.leaky_relu(convolution(x), SLOPE)
            residual = F.pixel_shuffle(last(x).float(), self.factor)
        size = (interpolated.shape[-2], interpolated.shape[-1])
        return interpolated + resize(residual, size=size)


@torch.no_grad()
def enlarge(
    network: ResidualNetwork,
    low: Image,
    scale: Scale,
    size: tuple[int, int],
    orientations: Sequence[int] = (0,),
) -> Image:
    """The network's mean output over orientations; it may lie outside [0, 1]."""
    total = torch.zeros(len(low), *size, device=low.device)
    for o in orientations:
        turned = orient(low, o)
        shape = (size[1], size[0]) if o % 2 else size
        interpolated = resize(turned, scale, shape)
        total += orient_back(network(turned[None], interpolated[None])[0], o)
    return total / len(orientations)
