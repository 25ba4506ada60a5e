"""KernelGAN: Blind Super-Resolution Kernel Estimation using an Internal-GAN.

Bell-Kligler, Shocher and Irani, NeurIPS 2019. The given image, I, was downscaled with
an unknown blur kernel. A generator G makes crops of I two times smaller, and a
discriminator D tries to tell patches of G(I) from patches of I. Patches recur at
smaller scales, so G deceives D best if it blurs almost as the unknown kernel did. The
objective is

    min over G, max over D of  E | D(patch of I) | + E | 1 - D(patch of G(I)) |  +  R(k)

with D in [0, 1], where k is the kernel of G and R the regularisers of the paper. Both
networks are updated with one gradient of this objective.

G is a stack of convolutions without activations, so it is one 13 x 13 kernel k. At each
step, :class:`~dil_teach.deep.kernelgan.networks.DeepLinear` computes k by passing a
delta back through the layers, and only k is applied to the image. This is the same
function as applying the layers one after another. It costs less, because the layers
work on at most 13 x 13 pixels, not on the whole crop.

Departures from the paper:

- Real and fake crops get noise, because rounding errors tell real from fake. The
  authors add noise to fake crops only, and only when D learns.
- Each step judges the fake crop once, and computes one gradient for both networks. The
  authors' code downscales and judges the crop once more for the update of D.
- The estimate is the average of k over the last steps, not the last k.
- The authors centre k and keep its largest weights. But at the end of training, k is
  narrower than the unknown kernel. So
  :func:`dil_teach.image.kernel_estimate.finish` computes the unknown kernel from k.
- The weight of the sparsity penalty is half of the authors' weight.
- The weights of the regularisers change at fixed steps. The authors' code first waits
  until G is similar to bicubic downscaling.
- The learning rate falls along a cosine, from a quarter of the steps on. The authors'
  code divides it by 10 after every 750 of 3000 steps.
- Crops are drawn uniformly; all crops of a step form one batch.
"""

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.deep.kernelgan.networks import (
    PATCH,
    SIDE,
    DeepLinear,
    OneKernel,
    PatchDiscriminator,
)
from dil_teach.image.augment import add_noise, random_crop
from dil_teach.image.convention import Image, check_image, check_not_flat, own_copy
from dil_teach.image.kernel import Kernel2d, check_kernel, gaussian_kernel
from dil_teach.image.kernel_estimate import finish
from dil_teach.image.resize import blur_and_subsample
from dil_teach.training.adam import Adam
from dil_teach.training.conditions import repeatable
from dil_teach.training.loop import all_steps_taken
from dil_teach.training.schedules import schedule, set_learning_rate, update
from dil_teach.training.settings import budget, check_settings

CENTRE = SIDE / 2
"""The regularisers move the kernel's centre of mass to this coordinate, half a pixel
from the middle. Then the first pixel of a downscaled crop lies between two pixels of
the crop."""
PHASES = 15
"""The regularisers change at 1/15 and 2/15 of the steps: after 200 and 400 of 3000."""
BICUBIC_PHASES = 4
"""After this number of phases, the penalty of the difference from bicubic downscaling
has lost its influence: its weight is 100**4 times smaller than at first."""
NOISE = 1 / 255
"""Standard deviation of the noise on all crops, in [0, 1]. Without this noise, D could
tell the crops apart, because downscaling averages rounding errors."""
AVERAGE = 0.995
"""Decay of the exponential moving average of the kernel, which starts as a Gaussian."""
SPARSITY_POWER = 0.2
"""Exponent of the sparsity penalty, as in the authors' code; 1/2 in the paper."""


@dataclasses.dataclass(frozen=True)
class KernelGANSettings:
    """Settings; ``quick()``, ``standard()`` and ``full()`` are the budgets."""

    steps: int = 1500
    """Number of training steps."""
    deep: bool = True
    """Whether the generator is the paper's six layers. Otherwise, the generator is one
    kernel of 169 weights, which can represent the same functions, but needs a learning
    rate of 1e-3."""
    width: int = 64
    """Number of channels of both networks' hidden layers."""
    learning_rate: float = 2e-4
    """Initial learning rate of Adam for both networks."""
    crop: int = 64
    """Side in pixels of the crops that the generator makes smaller."""
    batch: int = 1
    """Each step uses this number of real crops, and the same number of downscaled
    crops."""
    bicubic: float = 5.0
    """Initial weight of the difference from bicubic downscaling. This penalty makes the
    generator a blur at first. The weight falls by a factor of 100 at each 1/15 of the
    steps."""
    sum_to_one: float = 0.5
    """Weight of the difference between the kernel's sum and 1."""
    boundaries: float = 0.5
    """Weight of the penalty on kernel weights near the border."""
    sparsity: float = 2.5
    """Weight of the penalty that makes the kernel sparse, from 2/15 of the steps on.
    For pictures of 240 x 160 pixels, a weight of 5 (the authors' value) made the
    kernels too narrow, and a weight of 1 too wide."""
    centre: float = 1.0
    """Weight of the distance between the centre of mass and ``CENTRE``, from 2/15 of
    the steps on."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self, steps=1, width=1, batch=1, learning_rate=1e-6)
        check_settings(self, bicubic=0, sum_to_one=0, boundaries=0, sparsity=0)
        check_settings(self, centre=0, crop=SIDE + 2 * PATCH)

    quick = budget("Settings for a quick run: about 10 CPU seconds at any image size.")
    standard = budget("Settings for good results.", steps=3000)
    full = budget("Settings for the best quality.", steps=6000, batch=2)


@repeatable
class KernelGAN:
    """An estimator of the blur kernel of one image, for super-resolution by 2.

    ``ZSSR(image, 2, fit(KernelGAN(image)).kernel())`` super-resolves an image with an
    unknown kernel.

    Parameters
    ----------
    image : Image
        The low-resolution image, Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    settings : KernelGANSettings
        Budget, generator, weights of the regularisers, and seed.

    Raises
    ------
    ValueError
        If the image is too small or the same at all pixels.
    """

    STATE = (
        "step",
        "generator",
        "discriminator",
        "optimizer",
        "average",
        "rng",
    )

    def __init__(
        self,
        image: Image,
        settings: KernelGANSettings = KernelGANSettings.quick(),  # noqa: B008 (frozen)
    ) -> None:
        image = check_image(image, min_side=settings.crop)
        check_not_flat(image, span=1.5 / 255)
        self.image = image = own_copy(image)
        self.settings = settings
        self.arguments = {"settings": settings}
        self.step, self.total_steps = 0, settings.steps
        self.rng = torch.Generator().manual_seed(settings.seed)
        deep = settings.deep
        self.generator = DeepLinear(settings.width, self.rng) if deep else OneKernel()
        self.generator.to(image.device)
        self.discriminator = PatchDiscriminator(len(image), settings.width, self.rng)
        self.discriminator.to(image.device)
        # one objective: the generator makes it small, the discriminator makes it large
        players = [
            {"params": self.generator.parameters()},
            {"params": self.discriminator.parameters(), "maximize": True},
        ]
        self.optimizer = Adam(players, betas=(0.5, 0.999))
        self.average = gaussian_kernel((1.0, 1.0), size=SIDE).to(image)
        self.border = border_mask().to(image)

    done = all_steps_taken

    def train_step(self) -> dict[str, Tensor]:
        """Update both networks on one batch of crops."""
        rate = self.settings.learning_rate * schedule(self._progress, decay=0.25)
        set_learning_rate(self.optimizer, rate)
        source = self._crops(self.settings.crop)
        kernel = self.generator()
        fake = downscale(source, kernel)
        real = self._crops(fake.shape[-1])
        weights = self.discriminator.weights()
        said_fake, said_real = (
            self.discriminator(add_noise(crops, NOISE, self.rng), weights).mean()
            for crops in (fake, real)
        )
        penalties = self.penalties(kernel, source, fake)
        judged = said_real + 1 - said_fake
        update(self.optimizer, judged + torch.stack([*penalties.values()]).sum())

        self.average.lerp_(kernel.detach(), 1 - AVERAGE)
        self.step += 1
        losses = {"fake": said_fake, "real": 1 - said_real} | penalties
        return {name: loss.detach() for name, loss in losses.items()}

    def penalties(
        self,
        kernel: Float[Tensor, "13 13"],
        source: Float[Tensor, "b c h w"],
        fake: Float[Tensor, "b c _h _w"],
    ) -> dict[str, Float[Tensor, ""]]:
        """The weighted regularisers R(k) of the paper (section 4.2)."""
        settings = self.settings
        phase = int(PHASES * self._progress)
        penalties = {
            "sum_to_one": settings.sum_to_one * (kernel.sum() - 1).abs(),
            "boundaries": settings.boundaries * (self.border * kernel).abs().mean(),
        }
        if phase < BICUBIC_PHASES:
            bicubic = blur_and_subsample(source, "bicubic", 2)
            # pixel 0 of the fake and pixel 3 of this copy are both at 6.5 in the crop
            inside = slice(SIDE // 4, SIDE // 4 + fake.shape[-1])
            error = fake - bicubic[..., inside, inside]
            weight = settings.bicubic * 0.01**phase
            penalties["bicubic"] = weight * (2 * error).square().mean()
        if phase >= 2:
            small = (kernel.abs() + 1e-8) ** SPARSITY_POWER
            penalties["sparsity"] = settings.sparsity * small.mean()
            place = torch.arange(SIDE, device=kernel.device) - CENTRE
            offset = torch.stack([kernel.sum(1) @ place, kernel.sum(0) @ place])
            penalties["centre"] = (
                settings.centre * (offset / kernel.sum()).square().mean()
            )
        return penalties

    @property
    def _progress(self) -> float:
        return self.step / self.total_steps

    def _crops(self, side: int) -> Float[Tensor, "b c side side"]:
        """Random crops of the image."""
        crops = [
            random_crop(self.image, (side, side), self.rng)
            for _ in range(self.settings.batch)
        ]
        return torch.stack(crops)

    def raw_kernel(self) -> Float[Tensor, "13 13"]:
        """The generator's kernel, averaged over the training steps, with sum 1.

        It is narrower than the unknown kernel: for a Gaussian, the ideal k has 3/4 of
        the covariance. It is not centred, and some weights are negative.
        """
        return self.average / self.average.sum()

    def kernel(self) -> Float[Tensor, "_kh _kw"]:
        """The estimate of the unknown kernel, for ZSSR at scale 2."""
        return finish(self.raw_kernel())


def downscale(
    source: Float[Tensor, "b c h w"], kernel: Float[Tensor, "_kh _kw"]
) -> Float[Tensor, "b c _h _w"]:
    """Blur each channel with the kernel, and keep every second pixel."""
    planes = source.flatten(0, 1)[:, None]
    small = F.conv2d(planes, kernel[None, None], stride=2)
    return small[:, 0].unflatten(0, source.shape[:2])


def border_mask() -> Float[Tensor, "13 13"]:
    """Weights of the boundary penalty, as in the authors' code.

    0 in the middle 9 x 9 pixels, and 30 (1 - Gaussian) near the border.
    """
    near = gaussian_kernel((SIDE, SIDE), size=SIDE).float()
    mask = 30 * (1 - near / near.max())
    mask[2:-2, 2:-2] = 0
    return mask


def kernel_for_scale_4(kernel: Kernel2d) -> Float[Tensor, "_kh _kw"]:
    """The kernel of downscaling by 4, from the kernel of downscaling by 2.

    Downscaling twice equals one downscaling with ``kernel``, blurred by a copy of
    ``kernel`` that has zeros between its weights (paper, supplementary material). A
    side of n pixels becomes 3 n - 2; the sum is 1.
    """
    weights = torch.from_numpy(check_kernel(kernel))
    rows, columns = weights.shape
    apart = weights.new_zeros(2 * rows - 1, 2 * columns - 1)
    apart[::2, ::2] = weights
    padding = (rows - 1, columns - 1)
    flipped = weights.flip(0, 1)[None, None]
    return F.conv2d(apart[None, None], flipped, padding=padding)[0, 0]
