"""Zhou, Zhu, Bai, Lischinski, Cohen-Or and Huang, 'Non-Stationary Texture Synthesis by
Adversarial Expansion', SIGGRAPH 2018.

A generator learns, from one image, to expand a crop of k x k pixels to the block of
2k x 2k that it was cut from. It is fully convolutional: given the whole image it draws
one twice as high and wide, in which the texture goes on at the same grain.

Departures from the paper. Its style loss compares features of VGG-19, which was trained
on a million other photographs: here they are random filters, drawn anew at each step,
at three scales (Ustyuzhaninov et al., 'What does it take to generate natural
textures?', ICLR 2017, found that random filters will do). The adversarial loss is least
squares. The networks are small, and crops have 16 pixels instead of 128: a step is 1.1
GFLOP, and a CPU needs minutes instead of a GPU's hours.

Its weakness: the generator looks at 23 pixels, the discriminator at 20. Objects that
are not well below that, as coins of 20 pixels, come out enlarged and deformed instead
of repeated; make the picture smaller first, until they have about 10.
"""

import copy
import dataclasses
import math
from typing import Any

import torch
from torch import Tensor, nn

from dil_teach.deep.texture_expansion.networks import Generator, discriminator
from dil_teach.deep.texture_expansion.style import Batch, random_filters, style_loss
from dil_teach.image.augment import random_crop
from dil_teach.image.convention import Image, check_image

BATCH = 2
BETAS = (0.5, 0.99)
WARM_UP, COOL_DOWN = 50, 0.3
"""Steps in which the learning rate rises, and the last share of them in which it falls
to 0."""
GRADIENT_NORM = 1.0
"""The generator's gradient is cut to this length: a step early on could wreck it."""
AVERAGE = 0.99
"""Share of the averaged weights that is kept at each step: a generator that is at odds
with a discriminator never comes to rest."""
LEAST_CROP = 12
"""A block twice as large, made smaller by 4, must hold a filter of the style loss at
more than one place."""
MOST_DOUBLINGS = 3
LEARNED = (
    "generator",
    "averaged",
    "discriminator",
    "generator_optimizer",
    "discriminator_optimizer",
)
"""What a state holds beside the step and the random generator."""


@dataclasses.dataclass(frozen=True)
class TextureExpansionSettings:
    """How the networks learn. ``quick()``, ``standard()`` and ``full()``: budgets."""

    steps: int = 700
    """Training steps in all."""
    crop: int = 16
    """k, in pixels: the image must have 2k x 2k at least. The paper's is 128."""
    width: int = 48
    """Channels of the generator's hidden layers."""
    blocks: int = 4
    """Residual blocks of the generator; the paper has 6."""
    learning_rate: float = 1e-3
    """Of Adam, for both networks."""
    reconstruction: float = 1.0
    """Weight of the L1 loss. The paper's is 100 times the adversarial loss's: but where
    in its block a crop lay is not told, so L1 alone draws a blur."""
    adversarial: float = 1.0
    style: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        counts = (self.steps, self.crop // LEAST_CROP, self.width, self.blocks)
        weights = (self.reconstruction, self.adversarial, self.style)
        if min(counts) < 1 or self.learning_rate <= 0 or not 0 <= min(weights):
            raise ValueError(
                "settings: expected at least 1 for steps, width and blocks, a crop of "
                f"{LEAST_CROP} pixels or more, a learning_rate above 0 and weights of "
                f"0 or more, got {self}"
            )

    @classmethod
    def quick(cls, **changes: Any) -> "TextureExpansionSettings":
        """For a lesson: about 25 CPU seconds, at any size of image."""
        return cls(**changes)

    @classmethod
    def standard(cls, **changes: Any) -> "TextureExpansionSettings":
        """For a result: about two and a half CPU minutes."""
        return cls(**{"steps": 4000, **changes})

    @classmethod
    def full(cls, **changes: Any) -> "TextureExpansionSettings":
        """Three times as long."""
        return cls(**{"steps": 12000, **changes})


class TextureExpansion:
    """A generator that learns to double the extent of one image's texture.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    settings : TextureExpansionSettings
        The budget and all else.

    Raises
    ------
    ValueError
        If the image is constant, or smaller than twice the crop.
    """

    def __init__(
        self,
        image: Image,
        settings: TextureExpansionSettings = TextureExpansionSettings.quick(),  # noqa: B008 (frozen)
    ) -> None:
        check_image(image)
        if min(image.shape[-2:]) < 2 * settings.crop:
            raise ValueError(
                f"image: expected at least twice the crop, {2 * settings.crop} pixels "
                f"a side, got {image.shape[-2]} x {image.shape[-1]}; take a larger "
                "picture or a smaller crop"
            )
        if (image == image[:, :1, :1]).all():
            raise ValueError(
                "image: expected a texture, got one colour everywhere; any size of "
                "that is known already; take a picture with something in it"
            )
        self.image = image = image.detach()
        self.settings = settings
        self.step, self.total_steps = 0, settings.steps
        self.rng = torch.Generator().manual_seed(settings.seed)
        channels, device = len(image), image.device
        self.mean = image.mean((1, 2), keepdim=True)
        self.spread = image.std()
        generator = Generator(channels, settings.width, settings.blocks, self.rng)
        self.generator = generator.to(device)
        self.averaged = copy.deepcopy(self.generator).requires_grad_(False)
        self.discriminator = discriminator(channels, self.rng).to(device)
        self.generator_optimizer, self.discriminator_optimizer = (
            torch.optim.Adam(
                network.parameters(), betas=BETAS, fused=device.type != "mps"
            )
            for network in (self.generator, self.discriminator)
        )

    @property
    def done(self) -> bool:
        """Its stopping rule: after the budget's steps."""
        return self.step >= self.total_steps

    def train_step(self) -> dict[str, Tensor]:
        """Expand crops; teach the generator, then the discriminator."""
        settings = self.settings
        pairs = [crop_pair(self.image, settings.crop, self.rng) for _ in range(BATCH)]
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
        total = (
            settings.reconstruction * losses["reconstruction"]
            + settings.adversarial * losses["adversarial"]
            + settings.style * losses["style"]
        )
        self._update(self.generator, self.generator_optimizer, total)
        for kept, new in zip(
            self.averaged.parameters(), self.generator.parameters(), strict=True
        ):
            kept.lerp_(new.detach(), 1 - AVERAGE)
        losses["discriminator"] = 0.5 * (
            (self.discriminator(blocks) - 1).square().mean()
            + self.discriminator(expanded.detach()).square().mean()
        )
        self._update(
            self.discriminator, self.discriminator_optimizer, losses["discriminator"]
        )
        self.step += 1
        return {name: loss.detach() for name, loss in losses.items()}

    def _update(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor
    ) -> None:
        """One step of Adam: the gradient is that of this network's weights alone."""
        warm = min(1, (self.step + 1) / WARM_UP)
        left = (self.total_steps - self.step) / self.total_steps
        for group in optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * min(warm, left / COOL_DOWN)
        weights = list(network.parameters())
        for weight, gradient in zip(
            weights, torch.autograd.grad(loss, weights), strict=True
        ):
            weight.grad = gradient
        nn.utils.clip_grad_norm_(weights, GRADIENT_NORM)
        optimizer.step()

    def _normalised(self, images: Batch) -> Batch:
        """Each channel's mean over the image taken off, in units of its deviation."""
        return (images - self.mean) / self.spread

    @torch.no_grad()
    def expand(self, image: Image) -> Image:
        """A picture of this texture at twice its height and width.

        Parameters
        ----------
        image : Image
            Float[Tensor, "c h w"]: what it learns from, a part of that, or a result.

        Returns
        -------
        Image
            Float[Tensor, "c h2 w2"] in [0, 1].

        Raises
        ------
        ValueError
            If it has another number of channels.
        """
        if len(image) != len(self.image):
            raise ValueError(
                f"image: expected {len(self.image)} channels, as it learned from, got "
                f"{len(image)}; give it a part of that image"
            )
        expanded = self.averaged(self._normalised(image[None]))
        return (expanded[0] * self.spread + self.mean).clamp(0, 1)

    def result(self, size: tuple[int, int] | None = None) -> Image:
        """The image expanded to twice its size, or to any other.

        The paper only doubles. Another size is cut from the middle of the image doubled
        as often as it takes: so the grain stays, and what lies outside is lost.
        Squeezing the image first would keep all of it, but show the network a grain
        that it never learned from.

        Parameters
        ----------
        size : (int, int), optional
            Height and width in pixels. Each doubling of a result repeats its faults.

        Returns
        -------
        Image
            Float[Tensor, "c h2 w2"] in [0, 1].

        Raises
        ------
        ValueError
            If the size has no pixel, or is more than eight times the image's.
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
        """Refuse a size that :meth:`result` refuses, also before training."""
        height, width = self.image.shape[-2:]
        most = 2**MOST_DOUBLINGS
        if min(size) < 1 or size[0] > most * height or size[1] > most * width:
            raise ValueError(
                f"size: expected at least 1 pixel and at most {most} times the image's "
                f"{height} x {width}, got {size[0]} x {size[1]}; larger ones show "
                "little but the network's own faults"
            )

    def arguments(self) -> dict[str, Any]:
        """What, beside the image, it was constructed with."""
        return {"settings": self.settings}

    def state_dict(self) -> dict[str, Any]:
        """All that carrying on needs."""
        state = {name: getattr(self, name).state_dict() for name in LEARNED}
        state |= {"step": self.step, "rng": self.rng.get_state()}
        return copy.deepcopy(state)  # torch hands out the tensors that it trains

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state that :meth:`state_dict` gave."""
        for name in LEARNED:
            getattr(self, name).load_state_dict(copy.deepcopy(state[name]))
        self.step = state["step"]
        self.rng.set_state(state["rng"])


def crop_pair(image: Image, crop: int, rng: torch.Generator) -> tuple[Image, Image]:
    """A random crop of k x k pixels, and the random block of 2k x 2k that it lies in.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"], at least 2k pixels a side.
    crop : int
        k.
    rng : torch.Generator
        Draws the block's place in the image, then the crop's in the block.

    Returns
    -------
    (Image, Image)
        Float[Tensor, "c k k"] and Float[Tensor, "c 2k 2k"].

    References
    ----------
    Zhou et al. 2018: the k x k block inside the 2k x 2k one.
    """
    block = random_crop(image, (2 * crop, 2 * crop), rng)
    return random_crop(block, (crop, crop), rng), block
