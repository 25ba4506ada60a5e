"""InGAN: Shocher, Bagon, Isola and Irani, 'InGAN: Capturing and Retargeting the "DNA"
of a Natural Image', ICCV 2019.

Of one image, a generator learns to make images of any size and shape whose patches, at
all scales, are the image's own; a discriminator that sees patches alone teaches it.
"""

import copy
import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, get_args

import torch
from torch import Tensor

from dil_teach.deep.ingan.networks import Batch, Discriminator, Generator
from dil_teach.deep.ingan.patch_gan import (
    SCALE_FACTOR,
    Judged,
    Loss,
    discriminator_loss,
    generator_loss,
    judge,
)
from dil_teach.image.convention import Image, check_image
from dil_teach.image.resize import resize
from dil_teach.image.warp import (
    Transformation,
    random_homography,
    random_smooth_warp,
    resizing,
)
from dil_teach.patches.similarity import patch_distance
from dil_teach.training.precision import autocast

LEVEL_FACTOR = 1.55
"""About how much larger each level of the pyramid is than the one before."""
SIDE_STEP = 4
"""Sides that are scaled, at the coarsest level, become multiples of so many pixels: few
sizes, for which the processor has to be prepared anew."""
GROWTH = 0.3
"""Share of the coarsest level's steps in which transformations grow to full size."""
LAST_RATE = 0.05
"""Of the learning rate, what is left at a level's end; it falls in its second half."""
CORNER, BEND = 0.35, 0.15
"""In half sides: how far, at the most, corners move inwards, and the inner 3 x 3 of
5 x 5 nodes move."""


def without_cudnn(step: Callable) -> Callable:
    """On a GPU: cuDNN prepares a second for each new size, and sizes vary here.

    PyTorch's own convolutions need none. cuDNN is off for the whole process meanwhile.
    """

    @functools.wraps(step)
    def taken(self: "InGAN", *arguments: Any, **named: Any) -> Any:
        if not self.image.is_cuda:
            return step(self, *arguments, **named)
        with torch.backends.cudnn.flags(enabled=False):
            return step(self, *arguments, **named)

    return taken


@dataclasses.dataclass(frozen=True)
class InGANSettings:
    """How it learns. ``quick()``, ``standard()`` and ``full()``: budgets."""

    steps: int = 600
    """Training steps of the coarsest level, which arranges."""
    finer_steps: int = 100
    """Training steps of the first of the finer levels, which add detail; each of the
    next has half as many as the one before, which cost as much."""
    coarsest: int = 32
    """Shorter side of the coarsest level in pixels: objects should have about five."""
    smallest: float = 0.5
    largest: float = 2.1
    """Scales of height and width that are trained for."""
    both: float = 0.3
    """Share of steps that scale height and width at once; the others scale one."""
    warps: float = 0.2
    """Share of steps with a homography or a smooth warp."""
    discriminator_layers: int = 3
    discriminator_scales: int = 2
    """Scales at which it looks at each level's output."""
    loss: Loss = "hinge"
    """The paper's is least squares; in one run on coins both did about as well."""
    reconstruction: float = 0.1
    """Weight of coming back to the image by the inverse transformation."""
    identity: float = 2.0
    """Weight of leaving the image as it is where nothing is transformed."""
    patches: float = 160.0
    """Weight of a loss that is not the paper's, :func:`patch_distance`; 0: the
    discriminator alone teaches."""
    patch_samples: int = 128
    """Patches of each picture that this loss looks at. With 512 finer levels learn more
    in as many steps, but on a CPU a step takes up to half as long again."""
    generator_rate: float = 5e-4
    finer_rate: float = 2e-3
    discriminator_rate: float = 1e-3
    """Learning rates of Adam: of the generator's coarsest and finer levels, and of the
    discriminator."""
    average: float = 0.995
    """Of the running average of the generator's weights, which draws the results."""
    bf16: bool = True
    """Whether the networks use bfloat16 where the processor has it."""
    seed: int = 0

    def __post_init__(self) -> None:
        counts = (
            self.steps,
            self.finer_steps,
            self.discriminator_layers,
            self.discriminator_scales,
            self.patch_samples,
        )
        if min(counts) < 1 or self.loss not in get_args(Loss):
            raise ValueError(
                "settings: expected at least 1 for steps, finer_steps, "
                "discriminator_layers, discriminator_scales and patch_samples, and a "
                f"loss of {' or '.join(get_args(Loss))}, got {self}"
            )
        if not 0 < self.smallest <= 1 <= self.largest < math.inf or (
            self.smallest * self.coarsest < self.patch_size
        ):
            raise ValueError(
                "settings: expected 0 < smallest <= 1 <= largest, and smallest times "
                f"coarsest of at least {self.patch_size} pixels, which the "
                f"discriminator looks at, got {self}"
            )

    @property
    def patch_size(self) -> int:
        """Side of the patches that the discriminator looks at, in pixels."""
        return 2 * self.discriminator_layers + 1

    @classmethod
    def quick(cls, **changes: Any) -> "InGANSettings":
        """For a lesson."""
        return cls(**changes)

    @classmethod
    def standard(cls, **changes: Any) -> "InGANSettings":
        """For a result."""
        return cls(**{"steps": 4000, "finer_steps": 2500, **changes})

    @classmethod
    def full(cls, **changes: Any) -> "InGANSettings":
        """Twice as long."""
        return cls(**{"steps": 8000, "finer_steps": 5000, **changes})


class InGAN:
    """A generator that learns to remap one image.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    settings : InGANSettings
        The budget and all else.

    Raises
    ------
    ValueError
        If the image is smaller than the largest patch that the discriminator looks
        at, or is one colour everywhere.
    """

    def __init__(
        self,
        image: Image,
        settings: InGANSettings = InGANSettings.quick(),  # noqa: B008 (frozen)
    ) -> None:
        check_image(image)
        self.image, self.settings = image.detach(), settings
        coarsest_scale = SCALE_FACTOR ** (settings.discriminator_scales - 1)
        largest_patch = settings.patch_size * coarsest_scale
        if min(image.shape[1:]) < largest_patch:
            raise ValueError(
                f"image: expected at least {math.ceil(largest_patch)} pixels a side, "
                f"the largest patch that the discriminator looks at, got "
                f"{image.shape[1]} x {image.shape[2]}; take a larger image"
            )
        self.mean = self.image.mean((1, 2), keepdim=True)
        self.deviation = (self.image - self.mean).square().mean().sqrt()
        if self.deviation < 1e-3:
            raise ValueError(
                "image: expected a picture, got one colour everywhere, which has no "
                "patches to learn; take a picture with something in it"
            )
        self.step = 0
        self.sizes = level_sizes((image.shape[1], image.shape[2]), settings.coarsest)
        levels = range(len(self.sizes) - 1)
        finer = [max(1, settings.finer_steps // 2**level) for level in levels]
        self.level_steps = [settings.steps, *finer]
        self.total_steps = sum(self.level_steps)
        self.rng = torch.Generator().manual_seed(settings.seed)
        whole = ((self.image - self.mean) / self.deviation)[None]
        self.pyramid = [resize(whole, size=size) for size in self.sizes]
        channels, levels = len(image), len(self.sizes)
        self.generator = Generator(channels, levels, self.rng).to(image.device)
        self.averaged = copy.deepcopy(self.generator).requires_grad_(False)
        self.discriminator = Discriminator(
            channels, settings.discriminator_layers, self.rng
        ).to(image.device)
        self._enter_level()

    @property
    def done(self) -> bool:
        """Its stopping rule: after the budget's steps."""
        return self.step >= self.total_steps

    @property
    def level(self) -> int:
        """Which network of the generator is learning; the last one, once it is done."""
        return min(self._level_and_step()[0], len(self.sizes) - 1)

    @without_cudnn
    def train_step(self) -> dict[str, Tensor]:
        """Transform; then a step of the generator, and one of the discriminator."""
        settings, level = self.settings, self.level
        self._set_rates()
        image = self.pyramid[level]
        transformation = self._draw_transformation()
        fake = self._draw(transformation)
        judged = self._judge(fake, transformation)  # once, for both networks' losses
        progress = self._level_and_step()[1] / self.level_steps[level]

        loss = adversarial = generator_loss(judged, progress, settings.loss)
        losses = {"adversarial": adversarial.detach()}
        if self.step % 2:  # the two by turns: half of the work, the same on average
            drawn = self._draw(resizing(1, 1))
            identity = (drawn - image).abs().mean()
            loss = loss + 2 * settings.identity * identity
        elif settings.reconstruction:
            back = self._draw_back(fake, transformation)
            reconstruction = (back - image).abs().mean()
            loss = loss + 2 * settings.reconstruction * reconstruction
        if settings.patches:
            size = (fake.shape[-2], fake.shape[-1])
            shape = transformation.shape(size, fake.device)
            samples = settings.patch_samples
            distance = patch_distance(fake, image, self.rng, shape, samples=samples)
            loss = loss + settings.patches * distance
        real = self._judge(image, resizing(1, 1))
        discrimination = discriminator_loss(judged, real, progress, settings.loss)

        self.generator_optimizer.zero_grad()
        drawing = list(self.generator.levels[level].parameters())
        loss.backward(retain_graph=True, inputs=drawing)
        self.discriminator_optimizer.zero_grad()
        discrimination.backward(inputs=list(self.discriminator.parameters()))
        self.generator_optimizer.step()
        self._update_average()
        self.discriminator_optimizer.step()

        self.step += 1
        if self.done:
            self.averaged.load_state_dict(self._stored_weights())
        elif self._level_and_step()[1] == 0:
            self._enter_level()
        return losses | {"discriminator": discrimination.detach()}

    def _stored_weights(self) -> dict[str, Tensor]:
        """Of the averaged generator: once done, in half precision, as they ship."""
        weights = self.averaged.state_dict()
        if not self.done:
            return weights
        return {name: weight.half() for name, weight in weights.items()}

    def _judge(self, picture: Batch, transformation: Transformation) -> Judged:
        scales, bf16 = self.settings.discriminator_scales, self.settings.bf16
        return judge(self.discriminator, picture, transformation, scales, bf16)

    def _draw_transformation(self) -> Transformation:
        """Each axis by its own scale, at times warped; weak at first (a curriculum)."""
        settings = self.settings
        reach = min(1.0, (self.step + 1) / (GROWTH * settings.steps))
        chance = torch.rand(4, generator=self.rng).tolist()
        ends = math.log(settings.smallest), math.log(settings.largest)
        scales = []
        least = math.ceil(settings.patch_size / SIDE_STEP)
        for side, share in zip(self.sizes[0], chance[:2], strict=True):
            scale = math.exp(reach * (ends[0] + share * (ends[1] - ends[0])))
            steps = max(round(scale * side / SIDE_STEP), least)
            scales.append(steps * SIDE_STEP / side)
        if chance[2] >= settings.both:
            scales[chance[3] < 0.5] = 1.0
        scaled = (scales[0], scales[1])
        kind = torch.rand(2, generator=self.rng).tolist()
        if kind[0] >= settings.warps:
            return resizing(*scaled)
        if kind[1] < 0.5:
            return random_homography(scaled, CORNER * reach, self.rng)
        return random_smooth_warp(scaled, BEND * reach, self.rng)

    def _draw(self, transformation: Transformation) -> Batch:
        """The fake at the level that learns, in the networks' own range."""
        level, image = self.level, self.pyramid[self.level]
        sizes = [transformation.size_of(size) for size in self.sizes[: level + 1]]
        with autocast(self.image.device, self.settings.bf16):
            coarser = self._coarser(self.pyramid[:level], transformation, sizes[:-1])
            return self.generator.draw_level(
                level, coarser, image, transformation, sizes[-1]
            )

    def _coarser(
        self,
        pyramid: list[Batch],
        transformation: Transformation,
        sizes: list[tuple[int, int]],
    ) -> Batch | None:
        """What the levels that have learned draw; of plain resizing it is kept."""
        if not pyramid:
            return None
        known = self.kept.get(transformation.scales)
        if known is not None and transformation.source is None:
            return known
        with torch.no_grad():
            drawn = self.generator(pyramid, transformation, sizes)
        if transformation.source is None:
            self.kept[transformation.scales] = drawn
        return drawn

    def _draw_back(self, fake: Batch, transformation: Transformation) -> Batch:
        """The image again, from the fake by the inverse transformation."""
        level, inverse = self.level, transformation.inverse()
        sizes = self.sizes[: level + 1]
        with autocast(self.image.device, self.settings.bf16):
            coarser = None
            if level:
                with torch.no_grad():
                    shrunk = [
                        resize(fake, size=transformation.size_of(size))
                        for size in sizes[:-1]
                    ]
                    coarser = self.generator(shrunk, inverse, sizes[:-1])
            return self.generator.draw_level(level, coarser, fake, inverse, sizes[-1])

    @without_cudnn
    def remap(self, transformation: Transformation, level: int | None = None) -> Image:
        """The image under any transformation, remade of its own patches.

        Parameters
        ----------
        transformation : Transformation
            :func:`~dil_teach.image.warp.resizing`, ``homography`` or ``smooth_warp``.
            What lies outside the image's shape is 0: see ``Transformation.inside``.
        level : int, optional
            The scale of the pyramid to draw at; where not given, the finest that has
            begun to learn.

        Returns
        -------
        Image
            Float[Tensor, "c h2 w2"] in [0, 1].

        Raises
        ------
        ValueError
            If there is no such level, or as :meth:`output_sizes`.
        """
        level = self.level if level is None else level
        if not 0 <= level < len(self.sizes):
            raise ValueError(
                f"level: expected 0, the coarsest, to {len(self.sizes) - 1}, got "
                f"{level}; leave it out for the finest"
            )
        pyramid = self.pyramid[: level + 1]
        wanted = self.output_sizes(transformation)[: level + 1]
        with torch.no_grad(), autocast(self.image.device, self.settings.bf16):
            drawn = self.averaged(pyramid, transformation, wanted)[0]
        inside = transformation.inside(wanted[-1], drawn.device)
        return (drawn * self.deviation + self.mean).clamp(0, 1) * inside

    def output_sizes(self, transformation: Transformation) -> list[tuple[int, int]]:
        """Height and width of the output at each level.

        Raises
        ------
        ValueError
            If a side would have under 8 pixels at the coarsest level.
        """
        wanted = [transformation.size_of(size) for size in self.sizes]
        if min(wanted[0]) < 2 * SIDE_STEP:
            (height, width), coarsest = wanted[0], self.sizes[0]
            raise ValueError(
                f"scales: expected at least {2 * SIDE_STEP} pixels a side at the "
                f"coarsest level, where the image has {coarsest[0]} x {coarsest[1]}, "
                f"got {height} x {width}; take larger scales"
            )
        return wanted

    def retarget(self, scale_y: float = 1.0, scale_x: float = 1.0) -> Image:
        """The image at another size: :meth:`remap` by plain resizing."""
        return self.remap(resizing(scale_y, scale_x))

    def arguments(self) -> dict[str, Any]:
        """What, beside the image, it was constructed with."""
        return {"settings": self.settings}

    def state_dict(self) -> dict[str, Any]:
        """All that carrying on needs; once done, the averaged generator alone."""
        state: dict[str, Any] = {
            "step": self.step,
            "averaged": self._stored_weights(),
        }
        if not self.done:
            state |= {
                name: part.state_dict() for name, part in self._learning().items()
            }
            state["rng"] = self.rng.get_state()
        return copy.deepcopy(state)  # torch hands out the tensors that it trains

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state that :meth:`state_dict` gave."""
        self.step = state["step"]
        self.averaged.load_state_dict(state["averaged"])
        self.kept = {}
        if not self.done:
            self._choose_optimizers()
            for name, part in self._learning().items():
                part.load_state_dict(copy.deepcopy(state[name]))
            self.rng.set_state(state["rng"])

    def _learning(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }

    def _level_and_step(self) -> tuple[int, int]:
        """The level that is learning, and its steps so far."""
        step = self.step
        for level, steps in enumerate(self.level_steps):
            if step < steps:
                return level, step
            step -= steps
        return len(self.level_steps), 0

    def _enter_level(self) -> None:
        """Begin a level: coarser networks rest at their average; from the second of the
        finer ones on, each begins as the one before it ended."""
        level, self.kept = self.level, {}
        if level:
            finished = self.averaged.levels[level - 1].state_dict()
            self.generator.levels[level - 1].load_state_dict(finished)
            if level > 1:
                for network in (self.generator, self.averaged):
                    network.levels[level].load_state_dict(finished)
        self._choose_optimizers()

    def _choose_optimizers(self) -> None:
        self.generator.requires_grad_(False)
        learning = self.generator.levels[self.level].requires_grad_(True)
        settings, fused = self.settings, self.image.device.type != "mps"
        self.generator_optimizer = torch.optim.Adam(
            learning.parameters(), self._generator_rate(), (0.5, 0.9), fused=fused
        )
        self.discriminator_optimizer = torch.optim.Adam(
            self.discriminator.parameters(),
            settings.discriminator_rate,
            (0.5, 0.9),
            fused=fused,
        )

    def _set_rates(self) -> None:
        level, step = self._level_and_step()
        left = 2 * (1 - step / self.level_steps[level])
        share = max(min(left, 1.0), LAST_RATE)
        for optimizer, rate in (
            (self.generator_optimizer, self._generator_rate()),
            (self.discriminator_optimizer, self.settings.discriminator_rate),
        ):
            for group in optimizer.param_groups:
                group["lr"] = share * rate

    def _generator_rate(self) -> float:
        settings = self.settings
        return settings.finer_rate if self.level else settings.generator_rate

    def _update_average(self) -> None:
        level, step = self._level_and_step()
        keep = min(self.settings.average, (step + 1) / (step + 10))
        pairs = zip(
            self.averaged.levels[level].parameters(),
            self.generator.levels[level].parameters(),
            strict=True,
        )
        with torch.no_grad():
            for average, weight in pairs:
                average.lerp_(weight, 1 - keep)


def level_sizes(size: tuple[int, int], coarsest: int) -> list[tuple[int, int]]:
    """Height and width of each level of the pyramid, the coarsest first."""
    ratio = min(size) / coarsest
    finer = max(0, round(math.log(ratio) / math.log(LEVEL_FACTOR)))
    shares = [
        ratio ** (level / finer - 1) if finer else 1.0 for level in range(finer + 1)
    ]
    return [(round(size[0] * share), round(size[1] * share)) for share in shares]
