"""The generator and the discriminator of InGAN (Shocher et al., ICCV 2019).

:mod:`dil_teach.deep.ingan.ingan` lists the departures from the paper.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dil_teach.image.resize import resize
from dil_teach.image.warp import Transformation, warp
from dil_teach.training.networks import convolution
from dil_teach.training.precision import fast_order

Batch = Float[Tensor, "_n _c _h _w"]

LEAK = 0.2
"""Slope of the leaky ReLU for negative values, as in the authors' code."""
PLACE_CHANNELS = 6
"""Number of channels that :func:`place_channels` returns."""
FEATURES = 64
"""Number of channels of each discriminator layer, as in the authors' first layer."""

COARSEST, FINER = ((64, 64, 64), 4), ((48, 64), 2)
"""The networks of the coarsest level and of the finer levels have these numbers of
channels (at each scale inside the network, from fine to coarse) and of residual
blocks."""
DETAIL_FADES = 30.0
"""Where the image is stretched, the weight of the image's detail is below 1: it is 0.78
for stretching one side by 1.1, and 0.04 for stretching one side by 1.5."""


class Generator(nn.Module):
    """A pyramid of small networks that generates an image under any transformation.

    There is one network for each of the ``levels`` of the image's pyramid. ``rng``
    draws the initial weights.
    """

    def __init__(self, channels: int, levels: int, rng: torch.Generator) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            EncoderDecoder(channels + PLACE_CHANNELS, channels, *shape, rng)
            for shape in [COARSEST] + (levels - 1) * [FINER]
        )

    def forward(
        self,
        pyramid: Sequence[Batch],
        transformation: Transformation,
        sizes: Sequence[tuple[int, int]],
    ) -> Batch:
        """Draw the output at the finest of the given levels.

        Parameters
        ----------
        pyramid : sequence of Float[Tensor, "1 c h w"]
            The copies of the image, from the coarsest level to the requested one.
        transformation : Transformation
            The transformation that is applied to the image at each level.
        sizes : sequence of (int, int)
            Height and width of the output at each level.
        """
        drawn = None
        for level, (image, size) in enumerate(zip(pyramid, sizes, strict=True)):
            drawn = self.draw_level(level, drawn, image, transformation, size)
        assert drawn is not None, "a pyramid has a level"
        return drawn

    def draw_level(
        self,
        level: int,
        coarser: Batch | None,
        image: Batch,
        transformation: Transformation,
        size: tuple[int, int],
    ) -> Batch:
        """Add one network's residual to the coarser output and the image's detail.

        The detail is added only where nothing is stretched, so that the network does
        not learn to draw stretched detail.
        """
        moved = warp(image, transformation, size)
        places = place_channels(transformation, size, image)
        if coarser is None:
            return moved + self._residual(level, [moved, places])
        coarse = (coarser.shape[-2], coarser.shape[-1])
        smooth = resize(resize(moved, size=coarse), size=size)
        share = torch.exp(-DETAIL_FADES * places[:, 2:].square().sum(1, keepdim=True))
        start = resize(coarser, size=size) + share * (moved - smooth)
        return start + self._residual(level, [start, places])

    def _residual(self, level: int, seen: list[Batch]) -> Batch:
        return self.levels[level](fast_order(torch.cat(seen, 1))).float()


def place_channels(
    transformation: Transformation, size: tuple[int, int], image: Batch
) -> Float[Tensor, "1 6 h w"]:
    """The source position of each output pixel, and the stretching at this pixel.

    Two channels contain the position (x, y) in [-1, 1]. Four channels contain the
    derivatives of the source position with respect to the output position, minus the
    identity. They are 0 where nothing is stretched.
    """
    height, width = image.shape[-2:]
    places = transformation.places(size, image.device).permute(2, 0, 1)
    pixels = places * places.new_tensor([width / 2, height / 2]).view(2, 1, 1)
    if transformation.source is None:
        stretch = places.new_zeros(2, 2, *size)
        stretch[0, 0], stretch[1, 1] = width / size[1], height / size[0]
    else:
        stretch = torch.stack(torch.gradient(pixels, dim=(2, 1)), 1)  # by x, by y
    identity = torch.eye(2, device=image.device)[:, :, None, None]
    return torch.cat([places, (stretch - identity).flatten(0, 1)])[None]


class EncoderDecoder(nn.Module):
    """A small U-Net with residual blocks at its coarsest scale; it first outputs 0.

    The network has ``before`` input channels and ``after`` output channels. ``widths``
    are the numbers of channels at each scale, the finest first; each scale halves the
    size. ``rng`` draws the initial weights.
    """

    def __init__(
        self,
        before: int,
        after: int,
        widths: Sequence[int],
        blocks: int,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.first = convolution(before, widths[0], 3, 1, rng)
        self.down = nn.ModuleList(convolution(a, b, 3, 2, rng) for a, b in pairs)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LeakyReLU(LEAK),
                convolution(widths[-1], widths[-1], 3, 1, rng),
                nn.LeakyReLU(LEAK),
                convolution(widths[-1], widths[-1], 3, 1, rng),
            )
            for _ in range(blocks)
        )
        self.up = nn.ModuleList(convolution(a + b, a, 3, 1, rng) for a, b in pairs)
        self.last = convolution(widths[0], after, 3, 1, rng)
        for parameter in self.last.parameters():  # the initial G only transforms
            nn.init.zeros_(parameter)

    def forward(self, x: Batch) -> Batch:
        """The output, as large as the input."""
        height, width = x.shape[-2:]
        step = 2 ** len(self.down)
        x = F.pad(x, (0, -width % step, 0, -height % step), mode="replicate")
        x = self.first(x)
        seen = []
        for down in self.down:
            seen.append(x)
            x = down(F.leaky_relu(x, LEAK))
        for block in self.blocks:
            x = x + block(x)
        for up, across in zip(reversed(self.up), reversed(seen), strict=True):
            larger = F.interpolate(F.leaky_relu(x, LEAK), scale_factor=2.0)
            x = up(torch.cat([larger, across], 1))
        return self.last(F.leaky_relu(x, LEAK))[..., :height, :width]


class Discriminator(nn.Sequential):
    """A network with one logit per patch: high if the patch is probably from the image.

    The ``layers`` convolutions of 3 x 3 pixels have no padding, so a patch (the
    receptive field) has 2 * layers + 1 pixels a side.
    """

    def __init__(self, channels: int, layers: int, rng: torch.Generator) -> None:
        parts: list[nn.Module] = []
        for before in [channels] + (layers - 1) * [FEATURES]:
            inner = convolution(before, FEATURES, 3, 1, rng)
            inner.padding = (0, 0)
            parts += [inner, nn.LeakyReLU(LEAK, inplace=True)]
        super().__init__(*parts, convolution(FEATURES, 1, 1, 1, rng))
        self.patch = 2 * layers + 1
