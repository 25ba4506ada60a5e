"""What the untrained priors share: the hourglass network, and the code at its input.

Ulyanov, Vedaldi and Lempitsky, 'Deep Image Prior', CVPR 2018, supplementary material:
an encoder and a decoder with thin skips between them. Departures, which save three
quarters of the operations: narrow outer layers, zero padding, and at each scale one
convolution down and one up beside the strided one.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

SLOPE = 0.1
CODE_CHANNELS = 16
BF16_PAYS = 96 * 96
"""Pixels from which bfloat16 saves time: turning weights and gradients into it costs
the same at any size, a quarter of a step at 64 x 64."""


class Hourglass(nn.Module):
    """An encoder-decoder with skips, as large as its input at both ends.

    Parameters
    ----------
    in_channels, out_channels : int
        Of the code and of the layer that it draws.
    widths : sequence of int
        Channels at each scale from the finest: one halving each.
    skip : int
        Channels that go across at each scale; 0 for none.
    rng : torch.Generator
        Draws the weights.
    upsample : {"bilinear", "nearest"}
        How a scale is brought to the size of the finer one. With "nearest" it learns
        fine detail in fewer steps, and noise as well.
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

    def forward(self, code: Float[Tensor, "n _c h w"]) -> Float[Tensor, "n _o h w"]:
        """What the network draws from a code, before any squashing to [0, 1]."""
        x = code.contiguous(memory_format=torch.channels_last)
        seen = []
        for shrink, down in zip(self.shrink, self.down, strict=True):
            seen.append(x)
            x = down(shrink(x))
        for level in reversed(range(len(self.up))):
            x = F.interpolate(x, size=seen[level].shape[-2:], mode=self.upsample)
            if self.skip:
                x = torch.cat([x, self.across[level](seen[level])], dim=1)
            x = self.mix[level](self.up[level](self.join[level](x)))
        return self.last(x).float()


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


def normalise(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation that remembers nothing: looking at a result changes none."""
    return nn.BatchNorm2d(channels, track_running_stats=False)


def convolution(
    before: int, after: int, side: int, stride: int, rng: torch.Generator
) -> nn.Conv2d:
    """A convolution with zero padding, its weights drawn from ``rng``."""
    # skip_init: torch's own initialisation would draw from the user's random state
    layer: Any = nn.utils.skip_init(
        nn.Conv2d, before, after, side, stride=stride, padding=side // 2
    )
    bound = before**-0.5 / side  # torch's default, which the papers trained with
    nn.init.uniform_(layer.weight, -bound, bound, generator=rng)
    nn.init.uniform_(layer.bias, -bound, bound, generator=rng)
    return layer


def draw_code(
    size: tuple[int, int], rng: torch.Generator, channels: int = CODE_CHANNELS
) -> Float[Tensor, "1 c h w"]:
    """The network's fixed input: uniform noise in [0, 0.1], as the paper has it."""
    return 0.1 * torch.rand(1, channels, *size, generator=rng)
