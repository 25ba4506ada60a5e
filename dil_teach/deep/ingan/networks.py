"""The generator and the discriminator of InGAN (Shocher et al., ICCV 2019).

Departures. The generator is a pyramid of small networks, coarse to fine, each of which
adds what it draws to the transformed image or to what the coarser ones drew: objects
are arranged where they are a few pixels wide, which costs hundreds of times less. It is
shown where each pixel comes from, and how the map stretches there. Neither network
normalises its layers; instead both see images of mean 0 and variance 1.
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

Batch = Float[Tensor, "_n _c _h _w"]

SLOPE = 0.2
PLACE_CHANNELS = 6
FEATURES = 64
"""Channels of the discriminator's layers."""
COARSEST = (64, 64, 64)
FINER = (48, 64)
"""Channels at each scale of the coarsest network, which arranges, and of the others,
which add detail; their residual blocks:"""
COARSEST_BLOCKS, FINER_BLOCKS = 4, 2
STILLNESS = 30.0
"""How fast the image's own detail fades with stretching: by a fifth at 1.1 times, to
nothing at 1.5 times."""


class Generator(nn.Module):
    """Remaps an image by any transformation, in the image's own patches.

    Parameters
    ----------
    channels : int
        Of the image.
    levels : int
        Networks, one for each scale of the image from the coarsest.
    rng : torch.Generator
        Draws the weights.
    """

    def __init__(self, channels: int, levels: int, rng: torch.Generator) -> None:
        super().__init__()
        first = EncoderDecoder(
            channels + PLACE_CHANNELS, channels, COARSEST, COARSEST_BLOCKS, rng
        )
        others = [
            EncoderDecoder(
                channels + PLACE_CHANNELS, channels, FINER, FINER_BLOCKS, rng
            )
            for _ in range(levels - 1)
        ]
        self.levels = nn.ModuleList([first, *others])

    def forward(
        self,
        pyramid: Sequence[Batch],
        transformation: Transformation,
        sizes: Sequence[tuple[int, int]],
    ) -> Batch:
        """Draw the output at the finest of the given scales.

        Parameters
        ----------
        pyramid : sequence of Float[Tensor, "1 c h w"]
            The image from the coarsest scale to the wanted one.
        transformation : Transformation
            Applied to each of them: the geometric layer at the input.
        sizes : sequence of (int, int)
            Height and width of the output at each of these scales.
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
        """Add one network's detail to what the coarser ones drew, if there are any.

        It begins with the image's own detail, as far as nothing is stretched there. Of
        the image it is shown no more: it would learn to draw it stretched.
        """
        moved = warp(image, transformation, size)
        places = place_channels(transformation, size, image)
        if coarser is None:
            return moved + self._drawn(level, [moved, places])
        coarse = (coarser.shape[-2], coarser.shape[-1])
        smooth = resize(resize(moved, size=coarse), size=size)
        still = torch.exp(-STILLNESS * places[:, 2:].square().sum(1, keepdim=True))
        start = resize(coarser, size=size) + still * (moved - smooth)
        return start + self._drawn(level, [start, places])

    def _drawn(self, level: int, seen: list[Batch]) -> Batch:
        return self.levels[level](channels_last(torch.cat(seen, 1))).float()


def channels_last(batch: Batch) -> Batch:
    """The same, a pixel's channels side by side, which makes convolutions faster."""
    return batch.contiguous(memory_format=torch.channels_last)


def place_channels(
    transformation: Transformation, size: tuple[int, int], image: Batch
) -> Float[Tensor, "1 6 h w"]:
    """Where each output pixel comes from, and how the map stretches there.

    Two channels of places, -1 to 1 within the image, and the four derivatives of the
    source pixel by the output pixel, less those of standing still: 0 where nothing is
    stretched.
    """
    height, width = image.shape[-2:]
    places = transformation.places(size, image.device).permute(2, 0, 1)
    pixels = places * places.new_tensor([width / 2, height / 2]).view(2, 1, 1)
    if transformation.source is None:
        stretch = places.new_zeros(2, 2, *size)
        stretch[0, 0], stretch[1, 1] = width / size[1], height / size[0]
    else:
        stretch = torch.stack(torch.gradient(pixels, dim=(2, 1)), 1)  # by x, by y
    still = torch.eye(2, device=image.device)[:, :, None, None]
    return torch.cat([places, (stretch - still).flatten(0, 1)])[None]


class EncoderDecoder(nn.Module):
    """A small U-Net with residual blocks at its coarsest scale; it begins by drawing 0.

    Parameters
    ----------
    before, after : int
        Channels that it sees, and draws.
    widths : sequence of int
        Channels at each scale from the finest; each is half as large as the one before.
    blocks : int
        Residual blocks.
    rng : torch.Generator
        Draws the weights.
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
                nn.LeakyReLU(SLOPE),
                convolution(widths[-1], widths[-1], 3, 1, rng),
                nn.LeakyReLU(SLOPE),
                convolution(widths[-1], widths[-1], 3, 1, rng),
            )
            for _ in range(blocks)
        )
        self.up = nn.ModuleList(convolution(a + b, a, 3, 1, rng) for a, b in pairs)
        self.last = convolution(widths[0], after, 3, 1, rng)
        for parameter in self.last.parameters():  # at first it changes nothing
            nn.init.zeros_(parameter)

    def forward(self, x: Batch) -> Batch:
        """As large as its input."""
        height, width = x.shape[-2:]
        step = 2 ** len(self.down)
        x = F.pad(x, (0, -width % step, 0, -height % step), mode="replicate")
        x = self.first(x)
        seen = []
        for down in self.down:
            seen.append(x)
            x = down(F.leaky_relu(x, SLOPE))
        for block in self.blocks:
            x = x + block(x)
        for up, across in zip(reversed(self.up), reversed(seen), strict=True):
            larger = F.interpolate(F.leaky_relu(x, SLOPE), scale_factor=2.0)
            x = up(torch.cat([larger, across], 1))
        return self.last(F.leaky_relu(x, SLOPE))[..., :height, :width]


class Discriminator(nn.Sequential):
    """Tells patches of the image from others: one logit for each patch that it sees.

    Parameters
    ----------
    channels : int
        Of the image.
    layers : int
        3 x 3 convolutions without padding: patches have 2 * layers + 1 pixels a side.
    rng : torch.Generator
        Draws the weights.
    """

    def __init__(self, channels: int, layers: int, rng: torch.Generator) -> None:
        parts: list[nn.Module] = []
        for before in [channels] + (layers - 1) * [FEATURES]:
            inner = convolution(before, FEATURES, 3, 1, rng)
            inner.padding = (0, 0)
            parts += [inner, nn.LeakyReLU(SLOPE, inplace=True)]
        super().__init__(*parts, convolution(FEATURES, 1, 1, 1, rng))
        self.patch = 2 * layers + 1
