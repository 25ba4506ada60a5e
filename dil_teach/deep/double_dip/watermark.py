"""Watermark removal by Double-DIP: Gandelsman, Shocher and Irani, CVPR 2019, section 6.

Images with the same watermark are `mask * front + (1 - mask) * back`. The mask is the
opacity a of the mark, and the front is its colour c. Mask and front are the same in all
images. One network outputs the back, the clean images, for similar inputs:

    mean |a c + (1 - a) back - I|^2 + variation weight * TV((I - a c) / (1 - a)).

The initial opacity and colour are the total-variation estimate
(:mod:`dil_teach.classical.watermark.total_variation`). The total variation is the only
penalty. After training, the clean images are `(I - a c) / (1 - a)` inside the mark, and
the given images elsewhere.

Departures from the paper: the front is one colour, not a network. The answer is
computed with the formula above; it is not the network's output.
`benchmarks/watermark.py` also prints the result of the total-variation estimate, which
the networks improve only a little; on the three photographs of 256 pixels that open
chapter 15, they lose 3 to 4 dB.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.watermark.total_variation import (
    Box,
    mark_variation,
    watermark_by_total_variation,
    without_mark,
)
from dil_teach.deep.double_dip.double_dip import Constant, DoubleDIP, Network, Smooth
from dil_teach.image.convention import (
    Video,
    check_images,
    check_same_shape,
    own_copy,
)
from dil_teach.training.conditions import repeatable
from dil_teach.training.loop import all_steps_taken
from dil_teach.training.settings import budget, check_settings

MIN_SIDE = 16
"""Smallest side of an image in pixels."""
MOST_PIXELS = 1_000_000
"""Largest number of pixels of an image. Training uses all images at once, so larger
images would need too much time and memory."""


@dataclass(frozen=True)
class WatermarkSettings:
    """Settings of watermark removal: ``quick()``, ``standard()`` and ``full()``."""

    steps: int = 60
    """Number of training steps."""
    variation: float = 1.0
    """Weight of the total variation of the images without the mark."""
    seed: int = 0
    """Seed of the weights, the network inputs and their noise."""

    def __post_init__(self) -> None:
        check_settings(self, steps=1, variation=0)

    quick = budget("Settings for a quick run.")
    standard = budget("Settings for good results.", steps=300)
    full = budget("Settings for the best quality.", steps=1000)


@repeatable
class WatermarkRemoval:
    """Removes the watermark of several images, or of one image with a box or outline.

    ``fit(WatermarkRemoval(images)).clean()`` returns the images without the mark.

    The attribute ``start`` is the total-variation estimate: the opacity, Float[Tensor,
    "1 h w"], and the colour. A ValueError is raised if the images or the box cannot be
    used, or no mark is found.

    Parameters
    ----------
    images : Video
        Float[Tensor, "n c h w"] in [0, 1], grey or RGB, with the mark at the same
        place.
    box : (int, int, int, int), optional
        Row, column, height and width of the mark's box in pixels. One image needs a box
        or an outline.
    settings : WatermarkSettings
        The number of steps, the weight of the penalty and the seed.
    outline : Float[Tensor, "1 h w"], optional
        A mask that is 1 where the mark is, and may be a few pixels too wide, instead of
        a box. For one image, the result is then much better.
    """

    STATE = ("step", "dip")

    def __init__(
        self,
        images: Video,
        box: Box | None = None,
        settings: WatermarkSettings = WatermarkSettings.quick(),  # noqa: B008 (frozen)
        outline: Float[Tensor, "1 _h _w"] | None = None,
    ) -> None:
        _check(images, box, outline)
        self.image, self.settings = own_copy(images), settings
        outline = own_copy(outline)
        self.arguments = {"box": box, "settings": settings, "outline": outline}
        self.step, self.total_steps = 0, settings.steps
        self.start = opacity, colour = watermark_by_total_variation(
            self.image, box, outline
        )
        if not opacity.any():
            raise ValueError(
                "images: found no mark that they share; give a box around it"
            )
        rng = torch.Generator().manual_seed(settings.seed)
        self.dip = DoubleDIP(
            self.image,
            front=Constant(colour.reshape(1, -1, 1, 1)),
            back=Network(self.image, rng, each=True),
            mask=Smooth(opacity[None], images.shape[-2:]),
            rng=rng,
            steps=settings.steps,
        )

    done = all_steps_taken

    def train_step(self) -> dict[str, Tensor]:
        """Draw the layers, compare the composite with the images, update the layers."""
        layers = self.dip.draw()
        reconstruction = self.dip.reconstruction(layers)
        opacity, colour = self._in_the_mark(layers.mask), layers.front[0, :, 0, 0]
        variation = mark_variation(self.image, opacity, colour)
        losses = {
            "reconstruction": reconstruction,
            "variation": self.settings.variation * variation,
        }
        losses = self.dip.update(layers, losses, self.step)
        self.step += 1
        return losses

    def clean(self) -> Video:
        """The images without the mark, after the steps taken so far.

        The result is Float[Tensor, "n c h w"] in [0, 1]. Pixels outside the mark are
        unchanged.
        """
        return self._solved(self.opacity(), self.colour())

    def clean_by_start(self) -> Video:
        """The baseline: the mark is removed with the total-variation estimate."""
        return self._solved(*self.start)

    def opacity(self) -> Float[Tensor, "1 h w"]:
        """The opacity of the mark, in [0, 1]; exactly 0 outside the mark."""
        return self._in_the_mark(self.dip.layers().mask)

    def colour(self) -> Float[Tensor, " c"]:
        """The colour of the mark, in [0, 1]."""
        return self.dip.layers().front[0, :, 0, 0]

    def _in_the_mark(self, mask: Float[Tensor, "1 1 h w"]) -> Float[Tensor, "1 h w"]:
        return mask[0] * (self.start[0] > 0)

    def _solved(self, opacity: Tensor, colour: Tensor) -> Video:
        clean = without_mark(self.image, opacity, colour).clamp(0, 1)
        return torch.where(opacity > 0, clean, self.image)


def _check(images: Video, box: Box | None, outline: Tensor | None) -> None:
    check_images(images, min_side=MIN_SIDE)
    height, width = images.shape[-2:]
    if height * width > MOST_PIXELS:
        raise ValueError(
            f"images: expected at most {MOST_PIXELS} pixels, got {height} x {width}; "
            "cut out the part with the mark"
        )
    if any(torch.equal(images[0], other) for other in images[1:]):
        raise ValueError(
            "images: expected different pictures under one mark, got the same twice"
        )
    if outline is not None:
        if box is not None:
            raise ValueError("outline: expected a box or an outline, got both")
        check_same_shape(outline, images[0, :1], "outline", "one channel of an image")
        if outline.unique().tolist() != [0, 1]:
            raise ValueError(
                "outline: expected 1 in the mark, 0 elsewhere and nothing else, got "
                f"values {outline.unique()[:3].tolist()}; threshold it at 0.5"
            )
        return
    if box is None and len(images) == 1:
        raise ValueError(
            "box: expected row, column, height and width around the mark, got none; "
            "give a box, an outline, or more images with the same mark"
        )
    row, column, tall, wide = box or (0, 0, height, width)
    inside = 0 <= row <= height - tall and 0 <= column <= width - wide
    if not inside or min(tall, wide) < 4:
        raise ValueError(
            "box: expected row, column, height and width, at least 4 pixels a side and "
            f"inside the {height} x {width} images, got {box}; count from the top left"
        )
