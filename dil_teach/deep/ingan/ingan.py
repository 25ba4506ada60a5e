"""InGAN: Shocher, Bagon, Isola and Irani, 'InGAN: Capturing and Retargeting the "DNA"
of a Natural Image', ICCV 2019.

A generator G learns from one image x to generate it at any size and shape. A
discriminator D learns to distinguish patches of x from patches of G's output, and G
learns to generate patches that D takes for patches of x. In each step, G generates y =
G(x; T) under a random transformation T, and

    loss of G =  - mean D(y)                       adversarial
                 + w_r |G(y; inverse of T) - x|    reconstruction
                 + w_i |G(x; identity) - x|        identity
                 + w_p (d(y, x) + d(x, y))         patches

    loss of D =  mean max(0, 1 + D(y)) + mean max(0, 1 - D(x))    discriminator

The terms with D are means over all patches, then weighted means over the scales. |.| is
the mean absolute value. d(a, b) is the mean squared difference between a patch of a and
its nearest patch in b.

The authors' code (github.com/assafshocher/InGAN) trains one network for 75,000 steps on
crops of 256 x 256 pixels on a GPU. Departures from the paper and this code:

- G is a pyramid of small networks that learn one after the other, from coarse to fine,
  as in SinGAN (Shaham et al., ICCV 2019). The coarsest level arranges the objects, and
  its steps cost hundreds of times less.
- T transforms the input, not the features of the first layer. Six additional input
  channels contain each pixel's source position and stretching.
- Each network adds a residual to the transformed image, or to the coarser output. The
  last layer of each network starts at 0, so an untrained G only transforms the image.
  Where T does not stretch, the detail of the image is added to the coarser output.
- The networks have no batch or spectral normalisation, no input noise and no final
  tanh. Their input is the whole image with mean 0 and standard deviation 1.
- One D judges two scales, which differ by a factor of 1.5. The authors use many scales
  with a factor of 1.4, and one network for each scale.
- The hinge loss replaces least squares; in one run on coins, both were equally good.
- We add the identity and patch losses. Identity and reconstruction losses alternate,
  each with twice its weight. The authors' extra reconstruction steps are left out.
- Heights and widths are scaled by 0.5 to 2.1 (the authors: 0.15 to 2.25). Most steps
  scale only one side. One step in five uses a homography or a smooth warp.
- Adam has larger learning rates (5e-4 to 2e-3, not 5e-5) and a beta_2 of 0.9, not
  0.999. The learning rates fall in the second half of each level's training.
- The results are computed with an exponential moving average of G's weights.

Limitation: between the image's size and twice its size, objects may fuse, because some
have divided and others have not. The patch loss does not compare how often patches
occur, so small points such as galaxies become rare. ``data/refine_checkpoints.py``
corrects both for two of the shipped networks. In a third one, of a brick wall, it
teaches the coarsest level to imitate the column warp.
"""

import copy
import dataclasses
import math
from bisect import bisect
from itertools import accumulate
from typing import Any, ClassVar

import torch
from torch import Tensor

from dil_teach.deep.ingan.networks import Batch, Discriminator, Generator
from dil_teach.deep.ingan.patch_gan import (
    SCALE_FACTOR,
    discriminator_loss,
    generator_loss,
    judge,
)
from dil_teach.deep.ingan.patch_loss import patch_distance
from dil_teach.image.convention import Image, check_image, check_not_flat, own_copy
from dil_teach.image.resize import resize
from dil_teach.image.warp import (
    Transformation,
    random_homography,
    random_smooth_warp,
    resizing,
)
from dil_teach.training.adam import Adam
from dil_teach.training.conditions import repeatable
from dil_teach.training.loop import all_steps_taken
from dil_teach.training.precision import autocast, without_cudnn
from dil_teach.training.schedules import (
    schedule,
    set_learning_rate,
    update,
    update_average,
)
from dil_teach.training.settings import budget, check_settings
from dil_teach.training.state import load_attributes, state_of

LEVEL_FACTOR = 1.55
"""Approximate ratio between the sizes of neighbouring levels of the pyramid."""
SIDE_STEP = 4
"""In training, the sides of the coarsest output are multiples of this number of pixels.
Training is faster with few different sizes, because each new size needs preparation."""
SMALLEST, LARGEST = 0.5, 2.1
"""Range of the random scales of height and width."""
GROWTH = 0.3
"""Random transformations reach full strength after this fraction of the coarsest
level's steps (a curriculum)."""
CORNER, BEND = 0.35, 0.15
"""Largest displacement of the corners by a random homography, and of the inner nodes of
a 5 x 5 grid by a random smooth warp. The unit is half a side of the image."""
IDENTITY = 2.0
"""Weight of the identity loss."""
COARSEST_RATE, FINER_RATE, DISCRIMINATOR_RATE = 5e-4, 2e-3, 1e-3
"""Learning rates of Adam for the coarsest network, the finer networks and the
discriminator."""
BETAS = (0.5, 0.9)
"""Adam's decay rates."""
DECAY, LAST_RATE = 0.5, 0.05
"""The learning rates fall after the fraction ``DECAY`` of a level's steps. At the
level's end, the rates are multiplied by ``LAST_RATE``."""
AVERAGE = 0.995
"""Decay of the exponential moving average of the generator's weights."""


@dataclasses.dataclass(frozen=True)
class InGANSettings:
    """Settings with the budgets ``quick()``, ``standard()`` and ``full()``."""

    steps: int = 600
    """Number of training steps of the coarsest level, which arranges the objects."""
    finer_steps: int = 100
    """Number of training steps of the first finer level. Each finer level has half as
    many steps as the level before, and takes about as long."""
    coarsest: int = 32
    """Shorter side of the coarsest level in pixels. At this size, objects should be
    about five pixels wide."""
    both: float = 0.3
    """Fraction of steps that scale height and width; the other steps scale one side."""
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
    """Settings that old checkpoints contain, and the only value that each may have."""

    def __post_init__(self) -> None:
        check_settings(self, steps=1, finer_steps=1, patch_samples=1)
        check_settings(self, discriminator_layers=1, discriminator_scales=1)
        check_settings(self, both=0, warps=0, reconstruction=0, patches=0)
        if self.coarsest < (least := math.ceil(self.patch_size / SMALLEST)):
            raise ValueError(
                f"coarsest: expected at least {least} pixels for patches of "
                f"{self.patch_size}, got {self.coarsest}; take a larger level or fewer "
                "discriminator_layers"
            )

    @property
    def patch_size(self) -> int:
        """Side of the discriminator's patches in pixels."""
        return 2 * self.discriminator_layers + 1

    quick = budget("Settings for a quick run.")
    standard = budget("Settings for good results.", steps=4000, finer_steps=2500)
    full = budget("Settings for the best quality.", steps=8000, finer_steps=5000)


@repeatable
class InGAN:
    """A generator that learns to generate one image at any size and shape.

    A ValueError is raised if the image is smaller than the largest patch that the
    discriminator sees, or has one colour everywhere.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    settings : InGANSettings
        The training budget, the loss weights and the seed.
    """

    STATE = (
        "step",
        "averaged",
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
        largest = SCALE_FACTOR ** (settings.discriminator_scales - 1)
        image = check_image(image, min_side=math.ceil(settings.patch_size * largest))
        check_not_flat(image)
        self.image, self.settings = own_copy(image), settings
        self.arguments = {"settings": settings}
        self.mean = self.image.mean((1, 2), keepdim=True)
        self.deviation = (self.image - self.mean).square().mean().sqrt()
        self.sizes = level_sizes((image.shape[1], image.shape[2]), settings.coarsest)
        channels, levels = len(image), len(self.sizes)
        finer = [max(1, settings.finer_steps // 2**n) for n in range(levels - 1)]
        self.level_steps = [settings.steps, *finer]
        self.step, self.total_steps = 0, sum(self.level_steps)
        self.weights = {
            "adversarial": 1.0,
            "reconstruction": 2 * settings.reconstruction,  # loss of every second step
            "identity": 2 * IDENTITY,
            "patches": settings.patches,
        }
        self.rng = torch.Generator().manual_seed(settings.seed)
        whole = ((self.image - self.mean) / self.deviation)[None]
        self.pyramid = [resize(whole, size=size) for size in self.sizes]
        self.generator = Generator(channels, levels, self.rng).to(image.device)
        self.averaged = copy.deepcopy(self.generator).requires_grad_(False)
        self.discriminator = Discriminator(
            channels, settings.discriminator_layers, self.rng
        ).to(image.device)
        self._begin_level()

    done = all_steps_taken

    @property
    def level(self) -> int:
        """Index of the level that is learning, or the finest level after training."""
        return bisect(list(accumulate(self.level_steps[:-1])), self.step)

    @property
    def _level_step(self) -> int:
        """Number of steps that the current level has taken."""
        return self.step - sum(self.level_steps[: self.level])

    @without_cudnn
    def train_step(self) -> dict[str, Tensor]:
        """Draw and judge a transformed image, then update both networks."""
        settings, image = self.settings, self.pyramid[self.level]
        scales = settings.discriminator_scales
        progress = self._level_step / self.level_steps[self.level]
        transformation = self._draw_transformation()
        fake = self._draw(transformation)
        fake_logits = judge(self.discriminator, fake, transformation, scales)
        real_logits = judge(self.discriminator, image, resizing(1, 1), scales)

        losses = {"adversarial": generator_loss(fake_logits, progress)}
        if self.step % 2:  # the next two losses alternate, which halves their cost
            unchanged = self._draw(resizing(1, 1))
            losses["identity"] = (unchanged - image).abs().mean()
        elif settings.reconstruction:
            back = self._draw_back(fake, transformation)
            losses["reconstruction"] = (back - image).abs().mean()
        if settings.patches:
            shape = transformation.shape((fake.shape[-2], fake.shape[-1]), fake.device)
            losses["patches"] = patch_distance(
                fake, image, self.rng, shape, samples=settings.patch_samples
            )
        total = fake.new_zeros(())
        for name, loss in losses.items():
            total = total + self.weights[name] * loss
        losses["discriminator"] = discriminator_loss(fake_logits, real_logits, progress)

        self._set_learning_rates(progress)
        update(self.generator_optimizer, total, retain_graph=True)
        update(self.discriminator_optimizer, losses["discriminator"])
        self._advance()
        return {name: loss.detach() for name, loss in losses.items()}

    def _draw_transformation(self) -> Transformation:
        """A random transformation, weak at first and stronger later (a curriculum)."""
        settings = self.settings
        strength = min(1.0, (self.step + 1) / (GROWTH * settings.steps))
        low, high = math.log(SMALLEST), math.log(LARGEST)
        fewest = math.ceil(settings.patch_size / SIDE_STEP)
        *shares, both, wide, warped, bent = torch.rand(6, generator=self.rng).tolist()
        scales = []
        for side, share in zip(self.sizes[0], shares, strict=True):
            scale = math.exp(strength * (low + share * (high - low)))
            steps = max(round(scale * side / SIDE_STEP), fewest)
            scales.append(steps * SIDE_STEP / side)
        if both >= settings.both:
            scales[wide < 0.5] = 1.0
        scaled = (scales[0], scales[1])
        if warped >= settings.warps:
            return resizing(*scaled)
        if bent < 0.5:
            return random_homography(scaled, CORNER * strength, self.rng)
        return random_smooth_warp(scaled, BEND * strength, self.rng)

    def _draw(self, transformation: Transformation) -> Batch:
        """The transformed image at the level that is learning, normalised.

        The output of the finished levels is cached for plain resizing.
        """
        level, plain = self.level, transformation.source is None
        sizes = [transformation.size_of(size) for size in self.sizes[: level + 1]]
        coarser = self.cache.get(transformation.scales) if plain else None
        with autocast(self.image.device):
            if level and coarser is None:
                finished = self.pyramid[:level]
                coarser = self.generator(finished, transformation, sizes[:-1])
                if plain:
                    self.cache[transformation.scales] = coarser
            return self.generator.draw_level(
                level, coarser, self.pyramid[level], transformation, sizes[-1]
            )

    def _draw_back(self, fake: Batch, transformation: Transformation) -> Batch:
        """Reconstruct the image from the fake, with the inverse transformation."""
        sizes = self.sizes[: self.level + 1]
        fixed = fake.detach()  # the loss has no gradient through the coarser levels
        with autocast(self.image.device):
            small = [resize(fixed, size=transformation.size_of(s)) for s in sizes[:-1]]
            return self.generator([*small, fake], transformation.inverse(), sizes)

    def _advance(self) -> None:
        """Average the generator's weights, count the step, and start the next level."""
        level, step = self.level, self._level_step
        keep = min(AVERAGE, (step + 1) / (step + 10))
        update_average(self.averaged.levels[level], self.generator.levels[level], keep)
        self.step += 1
        if self.done:
            self.averaged.half().float()  # checkpoints store half precision
        elif self.level > level:
            self._begin_level()

    def _begin_level(self) -> None:
        """Fix the finished level at its average weights, and create new optimizers.

        The networks of the first two levels start from random weights. Every later
        network starts from the weights of the level before it.
        """
        if level := self.level:
            finished = self.averaged.levels[level - 1].state_dict()
            self.generator.levels[level - 1].load_state_dict(finished)
            if level > 1:
                for network in (self.generator, self.averaged):
                    network.levels[level].load_state_dict(finished)
        self.cache: dict[tuple[float, float], Batch] = {}
        self.generator.requires_grad_(False)
        learning = self.generator.levels[level].requires_grad_(True)
        self.generator_optimizer, self.discriminator_optimizer = (
            Adam(network.parameters(), betas=BETAS)
            for network in (learning, self.discriminator)
        )

    def _set_learning_rates(self, progress: float) -> None:
        share = schedule(progress, decay=DECAY, shape="linear", least=LAST_RATE)
        rate = FINER_RATE if self.level else COARSEST_RATE
        set_learning_rate(self.generator_optimizer, share * rate)
        set_learning_rate(self.discriminator_optimizer, share * DISCRIMINATOR_RATE)

    @without_cudnn
    def remap(self, transformation: Transformation, level: int | None = None) -> Image:
        """Draw the image under any transformation: Float[Tensor, "c h2 w2"] in [0, 1].

        A ValueError is raised if the level does not exist, or the output is too small.

        Parameters
        ----------
        transformation : Transformation
            :func:`~dil_teach.image.warp.resizing`, ``homography`` or ``smooth_warp``.
            Outside the image's shape (``Transformation.inside``) the result is 0.
        level : int, optional
            The pyramid level at which to draw. The default is the finest level that has
            started to learn.
        """
        level = self.level if level is None else level
        if not 0 <= level < len(self.sizes):
            raise ValueError(
                f"level: expected 0, the coarsest, to {len(self.sizes) - 1}, got "
                f"{level}; leave it out for the finest"
            )
        sizes = self.output_sizes(transformation)[: level + 1]
        with torch.no_grad(), autocast(self.image.device):
            drawn = self.averaged(self.pyramid[: level + 1], transformation, sizes)[0]
        inside = transformation.inside(sizes[-1], drawn.device)
        return (drawn * self.deviation + self.mean).clamp(0, 1) * inside

    def output_sizes(self, transformation: Transformation) -> list[tuple[int, int]]:
        """Height and width of the output at each level.

        A ValueError is raised if a side has under 8 pixels at the coarsest level.
        """
        sizes = [transformation.size_of(size) for size in self.sizes]
        (height, width), (y, x) = self.sizes[0], sizes[0]
        if min(y, x) < 2 * SIDE_STEP:
            raise ValueError(
                f"scales: expected at least {2 * SIDE_STEP} pixels a side at the "
                f"coarsest level, where the image has {height} x {width}, got {y} x "
                f"{x}; take larger scales"
            )
        return sizes

    def retarget(self, scale_y: float = 1.0, scale_x: float = 1.0) -> Image:
        """Draw the image at another size: :meth:`remap` with plain resizing."""
        return self.remap(resizing(scale_y, scale_x))

    def state_dict(self) -> dict[str, Any]:
        """All that training needs to continue; at its end, the averaged generator."""
        if self.done:
            averaged = copy.deepcopy(self.averaged).half()
            return {"step": self.step, "averaged": averaged.state_dict()}
        return {name: state_of(getattr(self, name)) for name in self.STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that :meth:`state_dict` returned."""
        load_attributes(self, state, ("step", "averaged"))
        if not self.done:
            self._begin_level()
            load_attributes(self, state, self.STATE)


def level_sizes(size: tuple[int, int], coarsest: int) -> list[tuple[int, int]]:
    """Height and width of each level of the pyramid, the coarsest first."""
    ratio = min(size) / coarsest
    finer = max(0, round(math.log(ratio) / math.log(LEVEL_FACTOR)))
    shares = [ratio ** (n / finer - 1) for n in range(finer)] + [1.0]
    return [(round(size[0] * share), round(size[1] * share)) for share in shares]
