"""InGAN: Shocher, Bagon, Isola and Irani, 'InGAN: Capturing and Retargeting the "DNA"
of a Natural Image', ICCV 2019.

A generator G learns from one image x to draw it at any size and shape. A discriminator
D sees only patches. D learns to distinguish patches of x from patches of G's output,
and G learns to draw patches that D accepts. At each step a random transformation T is
applied, G draws y = G(x; T), and

    loss of G =  - mean D(y)                       adversarial
                 + w_r |G(y; inverse of T) - x|    reconstruction
                 + w_i |G(x; identity) - x|        identity
                 + w_p (d(y, x) + d(x, y))         patches

    loss of D =  mean max(0, 1 + D(y)) + mean max(0, 1 - D(x))    discriminator

The means of D are over all patches, followed by a weighted mean over scales. |.| is the
mean absolute difference. d(a, b) is the mean squared difference between a patch of a
and its nearest patch in b.

Departures from the paper and its code (github.com/assafshocher/InGAN), whose network
learns for 75,000 steps from crops of 256 x 256 pixels on a GPU:

- G is a pyramid of small networks, not one network at full size. They learn one after
  the other from coarse to fine, as in SinGAN (Shaham et al., ICCV 2019). Objects are
  arranged at the coarsest level, where a step costs hundreds of times less.
- T is applied to the input, not to the features of the first layer. Six more channels
  give G the source of each pixel and the stretching by T.
- Each network adds a residual to the transformed image, or to the coarser output. Its
  last layer starts at 0, so an untrained G only transforms. Where T does not stretch,
  the detail of the image is added to the coarser output.
- The networks have no batch or spectral normalisation, no input noise and no final
  tanh. Their input is the whole image with mean 0 and standard deviation 1.
- One D judges two scales, which differ by a factor of 1.5. The authors have a network
  for each of many
  scales, 1.4 apart.
- The hinge loss replaces least squares. In one run on coins both were equally good.
- The identity and patch losses are added. Identity and reconstruction alternate, each
  with twice its weight; the authors' extra steps on the reconstruction are left out.
- Heights and widths are scaled by 0.5 to 2.1 (the authors: 0.15 to 2.25), in most steps
  one of them alone. One step in five uses a homography or a smooth warp.
- Adam has larger learning rates (5e-4 to 2e-3, not 5e-5) and a beta_2 of 0.9, not
  0.999. The rates fall in the second half of each level.
- An exponential moving average of G's weights draws the results.
"""

import copy
import dataclasses
import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from dil_teach.deep.ingan.networks import Batch, Discriminator, Generator
from dil_teach.deep.ingan.patch_gan import (
    SCALE_FACTOR,
    Judged,
    discriminator_loss,
    generator_loss,
    judge,
)
from dil_teach.deep.ingan.patch_loss import patch_distance
from dil_teach.image.convention import Image, check_image
from dil_teach.image.resize import resize
from dil_teach.image.warp import (
    Transformation,
    random_homography,
    random_smooth_warp,
    resizing,
)
from dil_teach.training.checkpoint import load_attributes, state_of
from dil_teach.training.loop import all_steps_taken
from dil_teach.training.precision import autocast, without_cudnn
from dil_teach.training.schedules import (
    adam,
    schedule,
    set_learning_rate,
    update,
    update_average,
)
from dil_teach.training.settings import budget, check_settings

LEVEL_FACTOR = 1.55
"""Approximate ratio between the sizes of neighbouring levels of the pyramid."""
SIDE_STEP = 4
"""At the coarsest level, the output's height and width are multiples of this number of
pixels. Fewer different sizes are faster, because the processor prepares for each new
size."""
SMALLEST, LARGEST = 0.5, 2.1
"""Range of the random scales of height and width."""
GROWTH = 0.3
"""Fraction of the coarsest level's steps in which random transformations grow to full
strength (a curriculum)."""
CORNER, BEND = 0.35, 0.15
"""Largest displacement of the corners by a random homography, and of the inner 3 x 3 of
5 x 5 nodes by a random smooth warp. The unit is half a side of the image."""
IDENTITY = 2.0
"""Weight of the identity loss."""
COARSEST_RATE, FINER_RATE, DISCRIMINATOR_RATE = 5e-4, 2e-3, 1e-3
"""Learning rates of Adam for the coarsest network, the finer networks and the
discriminator."""
BETAS = (0.5, 0.9)
"""Adam's decay rates."""
DECAY, LAST_RATE = 0.5, 0.05
"""Fraction of a level's steps after which the learning rates fall, and the factor to
which they fall at its end."""
AVERAGE = 0.995
"""Decay of the exponential moving average of the generator's weights."""
FINAL = ("step", "averaged")
"""Names of the attributes that are saved when training is done."""


@dataclasses.dataclass(frozen=True)
class InGANSettings:
    """Settings of InGAN. ``quick()``, ``standard()`` and ``full()`` are budgets."""

    steps: int = 600
    """Number of training steps of the coarsest level, which arranges the objects."""
    finer_steps: int = 100
    """Number of training steps of the first finer level. Each next level has half as
    many steps, which take about the same time."""
    coarsest: int = 32
    """Shorter side of the coarsest level in pixels. At this size, objects should be
    about five pixels wide."""
    both: float = 0.3
    """Fraction of steps that scale height and width. The others scale only one."""
    warps: float = 0.2
    """Fraction of steps with a homography or a smooth warp."""
    discriminator_layers: int = 3
    """Number of 3 x 3 convolutions of the discriminator. Three give 7 x 7 patches."""
    discriminator_scales: int = 2
    """Number of scales at which the discriminator judges each level's output."""
    reconstruction: float = 0.1
    """Weight of the reconstruction loss, as in the paper."""
    patches: float = 160.0
    """Weight of the patch loss; 0 turns it off."""
    patch_samples: int = 128
    """Number of patches of each image in the patch loss. With 512 patches the finer
    levels learn more per step, but a CPU step takes up to 1.5 times as long."""
    seed: int = 0

    CONSTANT: ClassVar[dict[str, Any]] = {
        "smallest": SMALLEST,
        "largest": LARGEST,
        "loss": "hinge",
        "identity": IDENTITY,
        "generator_rate": COARSEST_RATE,
        "finer_rate": FINER_RATE,
        "discriminator_rate": DISCRIMINATOR_RATE,
        "average": AVERAGE,
        "bf16": True,
    }
    """Former settings in old checkpoints, and the only value that each may have."""

    def __post_init__(self) -> None:
        check_settings(self, steps=1, finer_steps=1, patch_samples=1)
        check_settings(self, discriminator_layers=1, discriminator_scales=1)
        if SMALLEST * self.coarsest < self.patch_size:
            raise ValueError(
                f"coarsest: expected at least {math.ceil(self.patch_size / SMALLEST)} "
                f"pixels for patches of {self.patch_size} pixels, got {self.coarsest}; "
                "take a larger coarsest level or fewer discriminator_layers"
            )

    @property
    def patch_size(self) -> int:
        """Side of the discriminator's patches in pixels."""
        return 2 * self.discriminator_layers + 1

    quick = budget("Settings for a quick run.")
    standard = budget("Settings for good results.", steps=4000, finer_steps=2500)
    full = budget("Settings for the best quality.", steps=8000, finer_steps=5000)


class InGAN:
    """A generator that learns to draw one image at any size and shape.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    settings : InGANSettings
        The budget and the other settings.

    Raises
    ------
    ValueError
        If the image is smaller than the largest patch that the discriminator sees, or
        has one colour everywhere.
    """

    STATE = (
        *FINAL,
        "generator",
        "discriminator",
        "generator_optimizer",
        "discriminator_optimizer",
        "rng",
    )

    def __init__(
        self,
        image: Image,
        settings: InGANSettings = InGANSettings.quick(),  # noqa: B008 (frozen)
    ) -> None:
        check_image(image)
        self.image, self.settings = image.detach(), settings
        self.arguments = {"settings": settings}
        coarsest_scale = SCALE_FACTOR ** (settings.discriminator_scales - 1)
        largest_patch = settings.patch_size * coarsest_scale
        if min(image.shape[1:]) < largest_patch:
            raise ValueError(
                f"image: expected at least {math.ceil(largest_patch)} pixels a side, "
                f"the largest patch that the discriminator sees, got {image.shape[1]} "
                f"x {image.shape[2]}; take a larger image"
            )
        self.mean = self.image.mean((1, 2), keepdim=True)
        self.deviation = (self.image - self.mean).square().mean().sqrt()
        if self.deviation < 1e-3:
            raise ValueError(
                "image: expected a picture with different patches, got one colour "
                "everywhere; take another picture"
            )
        self.step = 0
        self.sizes = level_sizes((image.shape[1], image.shape[2]), settings.coarsest)
        levels = range(len(self.sizes) - 1)
        finer = [max(1, settings.finer_steps // 2**level) for level in levels]
        self.level_steps = [settings.steps, *finer]
        self.total_steps = sum(self.level_steps)
        self.weights = {
            "adversarial": 1.0,
            "reconstruction": 2 * settings.reconstruction,  # in every second step
            "identity": 2 * IDENTITY,
            "patches": settings.patches,
        }
        self.rng = torch.Generator().manual_seed(settings.seed)
        whole = ((self.image - self.mean) / self.deviation)[None]
        self.pyramid = [resize(whole, size=size) for size in self.sizes]
        channels, levels = len(image), len(self.sizes)
        self.generator = Generator(channels, levels, self.rng).to(image.device)
        self.averaged = copy.deepcopy(self.generator).requires_grad_(False)
        self.discriminator = Discriminator(
            channels, settings.discriminator_layers, self.rng
        ).to(image.device)
        self._begin_level()

    done = all_steps_taken

    @property
    def level(self) -> int:
        """Index of the level that is learning; the finest when training is done."""
        return min(self._level_and_step()[0], len(self.sizes) - 1)

    @without_cudnn
    def train_step(self) -> dict[str, Tensor]:
        """Draw and judge a transformed image, then update both networks."""
        settings, image = self.settings, self.pyramid[self.level]
        transformation = self._draw_transformation()
        fake = self._draw(transformation)
        fake_logits = self._judge(fake, transformation)  # once, for both networks
        real_logits = self._judge(image, resizing(1, 1))

        losses = {"adversarial": generator_loss(fake_logits, self._progress)}
        if self.step % 2:  # the next two losses alternate, which halves their cost
            unchanged = self._draw(resizing(1, 1))
            losses["identity"] = (unchanged - image).abs().mean()
        elif settings.reconstruction:
            back = self._draw_back(fake, transformation)
            losses["reconstruction"] = (back - image).abs().mean()
        if settings.patches:
            size = (fake.shape[-2], fake.shape[-1])
            shape = transformation.shape(size, fake.device)
            losses["patches"] = patch_distance(
                fake, image, self.rng, shape, samples=settings.patch_samples
            )
        total = fake.new_zeros(())
        for name, loss in losses.items():
            total = total + self.weights[name] * loss
        losses["discriminator"] = discriminator_loss(
            fake_logits, real_logits, self._progress
        )

        update(self.generator_optimizer, total, retain_graph=True)
        update(self.discriminator_optimizer, losses["discriminator"])
        self._advance()
        return {name: loss.detach() for name, loss in losses.items()}

    def _draw_transformation(self) -> Transformation:
        """A random transformation, weak at first and stronger later (a curriculum)."""
        settings = self.settings
        strength = min(1.0, (self.step + 1) / (GROWTH * settings.steps))
        chance = torch.rand(4, generator=self.rng).tolist()
        ends = math.log(SMALLEST), math.log(LARGEST)
        fewest = math.ceil(settings.patch_size / SIDE_STEP)
        scales = []
        for side, share in zip(self.sizes[0], chance[:2], strict=True):
            scale = math.exp(strength * (ends[0] + share * (ends[1] - ends[0])))
            steps = max(round(scale * side / SIDE_STEP), fewest)
            scales.append(steps * SIDE_STEP / side)
        if chance[2] >= settings.both:
            scales[chance[3] < 0.5] = 1.0
        scaled = (scales[0], scales[1])
        kind = torch.rand(2, generator=self.rng).tolist()
        if kind[0] >= settings.warps:
            return resizing(*scaled)
        if kind[1] < 0.5:
            return random_homography(scaled, CORNER * strength, self.rng)
        return random_smooth_warp(scaled, BEND * strength, self.rng)

    def _draw(self, transformation: Transformation) -> Batch:
        """The transformed image at the level that is learning, normalised."""
        level = self.level
        sizes = [transformation.size_of(size) for size in self.sizes[: level + 1]]
        with autocast(self.image.device):
            coarser = self._draw_coarser(transformation, sizes[:-1]) if level else None
            return self.generator.draw_level(
                level, coarser, self.pyramid[level], transformation, sizes[-1]
            )

    @torch.no_grad()
    def _draw_coarser(
        self, transformation: Transformation, sizes: list[tuple[int, int]]
    ) -> Batch:
        """The output of the finished levels; it is cached for plain resizing."""
        plain = transformation.source is None
        if plain and transformation.scales in self.cache:
            return self.cache[transformation.scales]
        drawn = self.generator(self.pyramid[: len(sizes)], transformation, sizes)
        if plain:
            self.cache[transformation.scales] = drawn
        return drawn

    def _draw_back(self, fake: Batch, transformation: Transformation) -> Batch:
        """The reconstruction: the fake, drawn under the inverse transformation."""
        level, inverse, coarser = self.level, transformation.inverse(), None
        sizes = self.sizes[: level + 1]
        with autocast(self.image.device):
            if level:
                with torch.no_grad():
                    shrunk = [
                        resize(fake, size=transformation.size_of(size))
                        for size in sizes[:-1]
                    ]
                    coarser = self.generator(shrunk, inverse, sizes[:-1])
            return self.generator.draw_level(level, coarser, fake, inverse, sizes[-1])

    def _judge(self, picture: Batch, transformation: Transformation) -> Judged:
        """The discriminator's logits, at each scale."""
        scales = self.settings.discriminator_scales
        return judge(self.discriminator, picture, transformation, scales)

    def _advance(self) -> None:
        """Average the generator's weights, count the step, and prepare the next one."""
        level, step = self._level_and_step()
        keep = min(AVERAGE, (step + 1) / (step + 10))
        update_average(self.averaged.levels[level], self.generator.levels[level], keep)
        self.step += 1
        if self.done:  # so that a checkpoint gives the same result
            self.averaged.load_state_dict(self._half_precision())
            return
        if self._level_and_step()[1] == 0:
            self._begin_level()
        self._set_learning_rates()

    def _begin_level(self) -> None:
        """Give the finished level its average weights, and start the next level.

        From the second finer level on, a network starts from the weights of the
        previous level.
        """
        level = self.level
        if level:
            finished = self.averaged.levels[level - 1].state_dict()
            self.generator.levels[level - 1].load_state_dict(finished)
            if level > 1:
                for network in (self.generator, self.averaged):
                    network.levels[level].load_state_dict(finished)
        self._create_optimizers()

    def _create_optimizers(self) -> None:
        """Create one Adam for the current level and one for the discriminator."""
        self.cache: dict[tuple[float, float], Batch] = {}
        self.generator.requires_grad_(False)
        learning = self.generator.levels[self.level].requires_grad_(True)
        self.generator_optimizer, self.discriminator_optimizer = (
            adam(network.parameters(), self.image.device, betas=BETAS)
            for network in (learning, self.discriminator)
        )
        self._set_learning_rates()

    def _set_learning_rates(self) -> None:
        share = schedule(self._progress, decay=DECAY, shape="linear", least=LAST_RATE)
        rate = FINER_RATE if self.level else COARSEST_RATE
        set_learning_rate(self.generator_optimizer, share * rate)
        set_learning_rate(self.discriminator_optimizer, share * DISCRIMINATOR_RATE)

    @property
    def _progress(self) -> float:
        """Fraction of the level's steps that are taken."""
        level, step = self._level_and_step()
        return step / self.level_steps[level]

    def _level_and_step(self) -> tuple[int, int]:
        """The level that is learning, and the number of its steps so far."""
        step = self.step
        for level, steps in enumerate(self.level_steps):
            if step < steps:
                return level, step
            step -= steps
        return len(self.level_steps), 0

    @without_cudnn
    def remap(self, transformation: Transformation, level: int | None = None) -> Image:
        """Draw the image under any transformation.

        Parameters
        ----------
        transformation : Transformation
            :func:`~dil_teach.image.warp.resizing`, ``homography`` or ``smooth_warp``.
            Outside the image's shape (``Transformation.inside``) the result is 0.
        level : int, optional
            The pyramid level at which to draw. The default is the finest level that has
            started to learn.

        Returns
        -------
        Image
            Float[Tensor, "c h2 w2"] in [0, 1].

        Raises
        ------
        ValueError
            If the level does not exist, or the output is too small.
        """
        level = self.level if level is None else level
        if not 0 <= level < len(self.sizes):
            raise ValueError(
                f"level: expected 0, the coarsest, to {len(self.sizes) - 1}, got "
                f"{level}; leave it out for the finest"
            )
        pyramid = self.pyramid[: level + 1]
        sizes = self.output_sizes(transformation)[: level + 1]
        with torch.no_grad(), autocast(self.image.device):
            drawn = self.averaged(pyramid, transformation, sizes)[0]
        inside = transformation.inside(sizes[-1], drawn.device)
        return (drawn * self.deviation + self.mean).clamp(0, 1) * inside

    def output_sizes(self, transformation: Transformation) -> list[tuple[int, int]]:
        """Height and width of the output at each level.

        Raises
        ------
        ValueError
            If a side would have fewer than 8 pixels at the coarsest level.
        """
        sizes = [transformation.size_of(size) for size in self.sizes]
        if min(sizes[0]) < 2 * SIDE_STEP:
            (height, width), coarsest = sizes[0], self.sizes[0]
            raise ValueError(
                f"scales: expected at least {2 * SIDE_STEP} pixels a side at the "
                f"coarsest level, where the image has {coarsest[0]} x {coarsest[1]}, "
                f"got {height} x {width}; take larger scales"
            )
        return sizes

    def retarget(self, scale_y: float = 1.0, scale_x: float = 1.0) -> Image:
        """Draw the image at another size: :meth:`remap` with plain resizing."""
        return self.remap(resizing(scale_y, scale_x))

    def state_dict(self) -> dict[str, Any]:
        """The state for further training, or the averaged generator when done."""
        if self.done:
            return {"step": self.step, "averaged": self._half_precision()}
        return {name: state_of(getattr(self, name)) for name in self.STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that :meth:`state_dict` returned."""
        load_attributes(self, state, FINAL)
        if not self.done:
            self._create_optimizers()
            load_attributes(self, state, self.STATE)
            self._set_learning_rates()

    def _half_precision(self) -> dict[str, Tensor]:
        """The averaged generator's weights in half precision."""
        weights = self.averaged.state_dict()
        return {name: weight.half() for name, weight in weights.items()}


def level_sizes(size: tuple[int, int], coarsest: int) -> list[tuple[int, int]]:
    """Height and width of each level of the pyramid, the coarsest first."""
    ratio = min(size) / coarsest
    finer = max(0, round(math.log(ratio) / math.log(LEVEL_FACTOR)))
    shares = [
        ratio ** (level / finer - 1) if finer else 1.0 for level in range(finer + 1)
    ]
    return [(round(size[0] * share), round(size[1] * share)) for share in shares]
