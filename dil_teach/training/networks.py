"""The hourglass network of Deep Image Prior, its input, and convolutions.

Ulyanov, Vedaldi and Lempitsky, 'Deep Image Prior', CVPR 2018, supplementary material:
an encoder and a decoder with narrow skip connections. Each scale has a strided 3 x 3
convolution and another 3 x 3 convolution in the encoder, and one 3 x 3 convolution in
the decoder. Two departures from the paper save three quarters of the operations: fewer
channels at the fine scales, and zero padding.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dil_teach.training.precision import fast_order

SLOPE = 0.1
"""Slope of the leaky ReLU for negative values."""
INPUT_CHANNELS = 16
"""Number of channels of the network input; the authors use 32 for denoising."""


class Hourglass(nn.Module):
    """An encoder-decoder with skip connections; its output is as large as its input.

    Parameters
    ----------
    in_channels, out_channels : int
        Numbers of channels of the network input and of the output.
    widths : sequence of int
        Numbers of channels at each scale, the finest first. Each scale halves the size.
    skip : int
        Number of channels of each skip connection; with 0 there are no connections.
    rng : torch.Generator
        Random generator for the initial weights.
    upsample : {"bilinear", "nearest"}
        Interpolation in the decoder. With "nearest", the network needs fewer steps than
        with "bilinear" to fit fine detail, and also to fit noise.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int],
        skip: int,
        rng: torch.Generator,
        upsample: Literal["bilinear", "nearest"] = "bilinear",
    ) -> None:
        super().__init__()
        self.skip, self.upsample = skip, upsample
        before = [in_channels, *widths[:-1]]
        deeper = [*widths[1:], widths[-1]]
        levels = list(zip(before, widths, deeper, strict=True))
        self.across = nn.ModuleList(
            Block(b, skip, 1, 1, rng) for b, _, _ in levels if skip
        )
        self.shrink = nn.ModuleList(Block(b, w, 3, 2, rng) for b, w, _ in levels)
        self.down = nn.ModuleList(Block(w, w, 3, 1, rng) for _, w, _ in levels)
        self.join = nn.ModuleList(normalise(d + skip) for _, _, d in levels)
        self.up = nn.ModuleList(Block(d + skip, w, 3, 1, rng) for _, w, d in levels)
        self.mix = nn.ModuleList(Block(w, w, 1, 1, rng) for _, w, _ in levels)
        self.last = convolution(widths[0], out_channels, 1, 1, rng)

    def forward(self, z: Float[Tensor, "n _c h w"]) -> Float[Tensor, "n _o h w"]:
        """The output for a network input, before any sigmoid."""
        x = fast_order(z)
        finer = []
        for shrink, down in zip(self.shrink, self.down, strict=True):
            finer.append(x)
            x = down(shrink(x))
        for level in reversed(range(len(self.up))):
            x = self.mix[level](self._joined(level, x, finer[level]))
        return self.last(x).float()

    def _joined(self, level: int, x: Tensor, finer: Tensor) -> Tensor:
        """Enlarge ``x`` to the size of ``finer``, join both, normalise and convolve."""
        across = self.across[level](finer) if self.skip else finer[:, :0]
        size = finer.shape[-2:]
        norm: Any = self.join[level]
        block: Any = self.up[level]
        if self.upsample != "nearest":
            x = F.interpolate(x, size=size, mode=self.upsample)
            return block(norm(torch.cat([x, across], dim=1)))
        # the same without the enlarged copy of x, which takes most of the time
        convolve, *rest = block
        count, scale, shift = x.shape[1], norm.weight, norm.bias
        x = F.batch_norm(x, None, None, scale[:count], shift[:count], True)
        x = convolve_enlarged(x, convolve.weight[:, :count], size)
        if self.skip:
            scale, shift = scale[count:], shift[count:]
            across = F.batch_norm(across, None, None, scale, shift, True)
            x = x + F.conv2d(across, convolve.weight[:, count:], padding=1)
        x = x + convolve.bias[:, None, None]
        for layer in rest:
            x = layer(x)
        return x


class Block(nn.Sequential):
    """A convolution, batch normalisation and a leaky ReLU."""

    def __init__(
        self, before: int, after: int, side: int, stride: int, rng: torch.Generator
    ) -> None:
        super().__init__(
            convolution(before, after, side, stride, rng),
            normalise(after),
            nn.LeakyReLU(SLOPE, inplace=True),
        )


def convolve_enlarged(
    x: Float[Tensor, "n c h w"], weight: Float[Tensor, "o c 3 3"], size: Sequence[int]
) -> Float[Tensor, "n o h2 w2"]:
    """Enlarge images twice by their nearest pixels, and convolve them.

    Three neighbours in the enlarged image are copies of two pixels of ``x``. So at even
    and at odd places, the 3 x 3 weights act as 2 x 2 weights on ``x``: 4/9 of the
    operations. ``size`` is twice the size of ``x``, or one less on a side. Around the
    image there are zeros; on a side that is one less, the last pixels of ``x`` repeat.
    """
    # the weights of odd places, then of even places: the first even place follows the
    # first odd place, which is outside of the image
    taps = weight.new_tensor([[[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]])
    small = torch.einsum("pas,qbt,ocst->opqcab", taps, taps, weight)
    found = F.pixel_shuffle(F.conv2d(x, small.flatten(0, 2), padding=1), 2)
    return found[..., 1 : size[0] + 1, 1 : size[1] + 1]


def normalise(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation without running statistics, so that calls change no state."""
    return nn.BatchNorm2d(channels, track_running_stats=False)


def convolution(
    before: int, after: int, side: int, stride: int, rng: torch.Generator
) -> nn.Conv2d:
    """A convolution with zero padding, its weights drawn from ``rng``."""
    padding = side // 2
    layer: Any = empty_convolution(before, after, side, stride=stride, padding=padding)
    bound = before**-0.5 / side  # the default of torch, as in the papers
    nn.init.uniform_(layer.weight, -bound, bound, generator=rng)
    nn.init.uniform_(layer.bias, -bound, bound, generator=rng)
    return layer


def empty_convolution(before: int, after: int, side: int, **options: Any) -> nn.Conv2d:
    """A convolution whose weights have no values yet.

    Torch's own initialisation would change the user's random state.
    (``torch.nn.utils.skip_init`` does the same, but it imports a system for symbolic
    mathematics, which takes a second.)
    """
    layer = nn.Conv2d(before, after, side, device="meta", **options)
    for name, weight in list(layer.named_parameters()):
        layer.register_parameter(name, nn.Parameter(torch.empty(weight.shape)))
    return layer


def draw_network_input(
    size: tuple[int, int], rng: torch.Generator, channels: int = INPUT_CHANNELS
) -> Float[Tensor, "1 c h w"]:
    """The fixed network input z: uniform noise in [0, 0.1], as in the paper."""
    return 0.1 * torch.rand(1, channels, *size, generator=rng)
