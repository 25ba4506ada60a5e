"""Zhou, Zhu, Bai, Lischinski, Cohen-Or and Huang, 'Non-Stationary Texture Synthesis by
Adversarial Expansion', SIGGRAPH 2018.

A generator G learns, from one image, to expand a crop c of k x k pixels to the block b
of 2k x 2k pixels that contains it. G is fully convolutional, so it can expand the whole
image to twice its height and width. The scale of the texture does not change. With a
discriminator D,

    loss of G =  |G(c) - b|                        reconstruction
                 + mean (D(G(c)) - 1)^2            adversarial
                 + difference of Gram matrices     style

    loss of D =  (mean (D(b) - 1)^2 + mean D(G(c))^2) / 2    discriminator

Departures from the paper: G and D are smaller, and crops have 16 pixels a side instead
of 128. Therefore, training takes minutes on a CPU instead of hours on a GPU. The style
loss compares the responses of random filters, with new filters in each step. The
paper compares features of VGG-19, which was trained on a million photographs.
Ustyuzhaninov et al., 'What does it take to generate natural textures?', ICLR 2017,
found that random filters suffice. The adversarial loss is least squares. All losses
have the same weight; the paper multiplies the reconstruction loss by 100. G does not
know where in its block a crop lies, so such a large weight would blur the result.

Limitation: the receptive field has 23 pixels a side in the generator, and 20 pixels in
the discriminator. Objects of about this size, such as coins of 20 pixels, become larger
and deformed instead of being repeated. Downscale the picture first, until objects have
about 10 pixels.
"""

import copy
import dataclasses
import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from dil_teach.deep.texture_expansion.networks import (
    BLOCKS,
    WIDTH,
    Generator,
    discriminator,
)
from dil_teach.deep.texture_expansion.style import Batch, random_filters, style_loss
from dil_teach.image.augment import random_crop
from dil_teach.image.convention import Image, check_image, check_not_flat, own_copy
from dil_teach.training.adam import Adam
from dil_teach.training.conditions import repeatable
from dil_teach.training.loop import all_steps_taken
from dil_teach.training.schedules import (
    schedule,
    set_learning_rate,
    update,
    update_average,
)
from dil_teach.training.settings import budget, check_settings

CROP = 16
"""Side k of a crop in pixels; the paper's crops have 128 pixels."""
BATCH = 2
"""Number of crops in each step."""
LEARNING_RATE = 1e-3
"""Learning rate of Adam for both networks."""
BETAS = (0.5, 0.99)
"""Adam's decay rates."""
WARM_UP, DECAY = 50, 0.7
"""The learning rate rises during the first ``WARM_UP`` steps. After the fraction
``DECAY`` of all steps, the rate falls towards 0."""
GRADIENT_NORM = 1.0
"""Largest norm of a gradient; longer gradients are scaled down."""
AVERAGE = 0.99
"""Decay of the exponential moving average of G's weights. The results are computed with
the averaged weights, because G's own weights never converge."""
MOST_DOUBLINGS = 3
"""Largest number of times that a result is doubled. Each doubling adds errors of the
network."""


@dataclasses.dataclass(frozen=True)
class TextureExpansionSettings:
    """Settings with the budgets ``quick()``, ``standard()`` and ``full()``."""

    steps: int = 700
    """Number of training steps."""
    seed: int = 0

    CONSTANT: ClassVar[dict[str, Any]] = {
        "crop": CROP,
        "width": WIDTH,
        "blocks": BLOCKS,
        "learning_rate": LEARNING_RATE,
        "reconstruction": 1.0,
        "adversarial": 1.0,
        "style": 1.0,
    }
    """Settings that old checkpoints contain, and the only value that each may have."""

    def __post_init__(self) -> None:
        check_settings(self, steps=1)

    quick = budget("Settings for a quick run: about 25 CPU seconds for any image.")
    standard = budget("Settings for good results: about 150 CPU seconds.", steps=4000)
    full = budget("Settings for the best quality: about 8 CPU minutes.", steps=12000)


@repeatable
class TextureExpansion:
    """A generator that learns to double the extent of one image's texture.

    A ValueError is raised if a side is under 32 pixels, or the image has one colour.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    settings : TextureExpansionSettings
        The training budget and the seed.
    """

    STATE = (
        "step",
        "rng",
        "generator",
        "averaged",
        "discriminator",
        "generator_optimizer",
        "discriminator_optimizer",
    )

    def __init__(
        self,
        image: Image,
        settings: TextureExpansionSettings = TextureExpansionSettings.quick(),  # noqa: B008 (frozen)
    ) -> None:
        image = check_image(image, min_side=2 * CROP)
        check_not_flat(image)
        self.image = image = own_copy(image)
        self.settings = settings
        self.arguments = {"settings": settings}
        self.step, self.total_steps = 0, settings.steps
        self.rng = torch.Generator().manual_seed(settings.seed)
        channels, device = len(image), image.device
        self.mean = image.mean((1, 2), keepdim=True)
        self.spread = image.std()
        self.generator = Generator(channels, self.rng).to(device)
        self.averaged = copy.deepcopy(self.generator).requires_grad_(False)
        self.discriminator = discriminator(channels, self.rng).to(device)
        self.generator_optimizer, self.discriminator_optimizer = (
            Adam(network.parameters(), betas=BETAS)
            for network in (self.generator, self.discriminator)
        )

    done = all_steps_taken

    def train_step(self) -> dict[str, Tensor]:
        """Expand two crops; update the generator, then the discriminator."""
        pairs = [crop_pair(self.image, CROP, self.rng) for _ in range(BATCH)]
        crops, blocks = (
            self._normalised(torch.stack(images)) for images in zip(*pairs, strict=True)
        )
        filters = random_filters(len(self.image), self.rng).to(blocks.device)
        expanded = self.generator(crops)
        losses = {
            "reconstruction": (expanded - blocks).abs().mean(),
            "adversarial": (self.discriminator(expanded) - 1).square().mean(),
            "style": style_loss(expanded, blocks, filters),
        }
        total = losses["reconstruction"] + losses["adversarial"] + losses["style"]
        self._set_learning_rates()
        update(self.generator_optimizer, total, GRADIENT_NORM)

        losses["discriminator"] = 0.5 * (
            (self.discriminator(blocks) - 1).square().mean()
            + self.discriminator(expanded.detach()).square().mean()
        )
        update(self.discriminator_optimizer, losses["discriminator"], GRADIENT_NORM)
        update_average(self.averaged, self.generator, AVERAGE)
        self.step += 1
        return {name: loss.detach() for name, loss in losses.items()}

    def _set_learning_rates(self) -> None:
        """Set the learning rates: rising for 50 steps, falling in the last 30%."""
        fall = schedule(self.step / self.total_steps, decay=DECAY, shape="linear")
        rate = LEARNING_RATE * min((self.step + 1) / WARM_UP, fall)
        set_learning_rate(self.generator_optimizer, rate)
        set_learning_rate(self.discriminator_optimizer, rate)

    def _normalised(self, images: Batch) -> Batch:
        """The images minus the mean colour, divided by the standard deviation."""
        return (images - self.mean) / self.spread

    @torch.no_grad()
    def expand(self, image: Image) -> Image:
        """A picture of this texture at twice the height and width of ``image``.

        ``image`` is the training image, a part of it, or an earlier result. A
        ValueError is raised if the numbers of channels differ. The result is
        Float[Tensor, "c h2 w2"] in [0, 1].
        """
        if len(image) != len(self.image):
            raise ValueError(
                f"image: expected {len(self.image)} channels, like the training image, "
                f"got {len(image)}; take a part of that image"
            )
        expanded = self.averaged(self._normalised(image[None]))
        return (expanded[0] * self.spread + self.mean).clamp(0, 1)

    def result(self, size: tuple[int, int] | None = None) -> Image:
        """The image expanded to twice its size, or to another size.

        The paper only doubles the size. Here the image is doubled as often as
        necessary, and the result is cut from the centre. The scale of the texture does
        not change.

        Parameters
        ----------
        size : (int, int), optional
            Height and width in pixels. A ValueError is raised if a side is over eight
            times the image's side. Each doubling adds errors.
        """
        height, width = self.image.shape[-2:]
        size = (2 * height, 2 * width) if size is None else size
        self.check_size(size)
        times = max(size[0] / height, size[1] / width, 2)
        expanded = self.image
        for _ in range(math.ceil(math.log2(times))):
            expanded = self.expand(expanded)
        top, left = (
            (n - m) // 2 for n, m in zip(expanded.shape[-2:], size, strict=True)
        )
        return expanded[:, top : top + size[0], left : left + size[1]].clone()

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise a ValueError if :meth:`result` cannot return this size."""
        height, width = self.image.shape[-2:]
        most = 2**MOST_DOUBLINGS
        if min(size) < 1 or size[0] > most * height or size[1] > most * width:
            raise ValueError(
                f"size: expected at least 1 pixel and at most {most} times the image's "
                f"size {height} x {width}, got {size[0]} x {size[1]}; make it smaller"
            )


def crop_pair(image: Image, crop: int, rng: torch.Generator) -> tuple[Image, Image]:
    """A random crop of k x k pixels, and the block of 2k x 2k pixels that contains it.

    The block's place in the image is drawn first, then the crop's place in the block.
    """
    block = random_crop(image, (2 * crop, 2 * crop), rng)
    return random_crop(block, (crop, crop), rng), block
