"""ZS-N2N: Mansour and Heckel, 'Zero-Shot Noise2Noise', CVPR 2023.

Two fixed filters D1 and D2 turn one noisy image y into two images of half the size.
Both images show the same picture, and their noise is independent. A small network n
predicts the noise of an image, and f(x) = x - n(x) is the clean image. The objective is

    1/2 (|| f(D1 y) - D2 y ||^2 + || f(D2 y) - D1 y ||^2)               residual
    + 1/2 (|| f(D1 y) - D1 f(y) ||^2 + || f(D2 y) - D2 f(y) ||^2) ,     consistency

where || ||^2 is a mean over all values. The result is f(y). The network cannot predict
the noise of D1 y from D2 y, so it learns the picture, which D1 y and D2 y share.

Departure from the paper: each step on a large image uses a random window of it.
"""

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dil_teach.image.augment import random_crop
from dil_teach.image.convention import Image, check_image, check_not_flat, own_copy
from dil_teach.training.adam import Adam
from dil_teach.training.conditions import repeatable
from dil_teach.training.loop import all_steps_taken
from dil_teach.training.networks import convolution
from dil_teach.training.precision import autocast, fast_order
from dil_teach.training.schedules import set_learning_rate, update
from dil_teach.training.settings import budget, check_settings
from dil_teach.training.tiles import by_tiles

WINDOW = 80
"""Side of a window in pixels. With 72, the result for one photograph had 0.1 dB less
than with 96, in half the time."""
MOST_AT_ONCE = 256 * 256
"""Of an image with more pixels, each step uses a window."""
MIN_SIDE = 8
"""Smallest side of the noisy image in pixels."""
SLOPE = 0.2
"""Slope of the leaky ReLU, as in the authors' network."""
DIAGONALS = ((0.0, 0.5), (0.5, 0.0)), ((0.5, 0.0), (0.0, 0.5))
"""The filters D1 and D2: means of the diagonals of a 2 x 2 block (paper, section 3)."""


@dataclasses.dataclass(frozen=True)
class ZSN2NSettings:
    """Settings with the budgets ``quick()``, ``standard()`` and ``full()``."""

    steps: int = 400
    """Number of training steps."""
    width: int = 48
    """Number of channels of the two hidden layers."""
    learning_rate: float = 1e-3
    """Learning rate of Adam. The rate is halved after each third of the steps."""
    bf16: bool = True
    """Whether convolutions use bfloat16 where the processor supports it."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self, steps=1, width=1, learning_rate=1e-6)

    quick = budget("Settings for a quick run.")
    standard = budget("Settings for good results.", steps=2000)
    full = budget("Settings for the best quality.", steps=3000)


@repeatable
class ZSN2N:
    """A denoising network trained on one noisy image: ``fit(ZSN2N(noisy)).result()``.

    A ValueError is raised if a side is under 8 pixels, or the image has one colour.

    Parameters
    ----------
    image : Image
        The noisy image, Float[Tensor, "c h w"] in [0, 1], grey or RGB. The noise must
        be independent from pixel to pixel.
    settings : ZSN2NSettings
        The training budget, the size of the network and the seed.
    """

    STATE = ("step", "network", "optimizer", "rng")

    def __init__(
        self,
        image: Image,
        settings: ZSN2NSettings = ZSN2NSettings.quick(),  # noqa: B008 (frozen)
    ) -> None:
        check_image(image, min_side=MIN_SIDE)
        self.image = image = own_copy(image)
        check_not_flat(image)
        self.settings = settings
        self.arguments = {"settings": settings}
        self.step, self.total_steps = 0, settings.steps
        self.rng = torch.Generator().manual_seed(settings.seed)
        width = settings.width
        self.network = nn.Sequential(
            convolution(len(image), width, 3, 1, self.rng),
            nn.LeakyReLU(SLOPE),
            convolution(width, width, 3, 1, self.rng),
            nn.LeakyReLU(SLOPE),
            convolution(width, len(image), 1, 1, self.rng),
        ).to(image.device)
        self.optimizer = Adam(self.network.parameters())

    done = all_steps_taken

    def train_step(self) -> dict[str, Tensor]:
        """Denoise both half-size images, compute both losses, update the network."""
        third = 3 * self.step // self.total_steps
        set_learning_rate(self.optimizer, self.settings.learning_rate * 0.5**third)
        noisy = self.image[None]
        if noisy[0, 0].numel() > MOST_AT_ONCE:
            noisy = random_crop(self.image, (WINDOW, WINDOW), self.rng)[None]
        first, second = pair_downsample(noisy)
        first_clean, second_clean = self._clean(torch.cat([first, second])).split(1)
        residual = 0.5 * (
            (first_clean - second).square().mean()
            + (second_clean - first).square().mean()
        )
        whole_first, whole_second = pair_downsample(self._clean(noisy))
        consistency = 0.5 * (
            (first_clean - whole_first).square().mean()
            + (second_clean - whole_second).square().mean()
        )
        update(self.optimizer, residual + consistency)
        self.step += 1
        return {"residual": residual.detach(), "consistency": consistency.detach()}

    def _clean(self, noisy: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The noisy batch minus the noise that the network predicts."""
        with autocast(noisy.device, self.settings.bf16):
            noise = self.network(fast_order(noisy))
        return noisy - noise.float()

    def result(self) -> Image:
        """The denoised image, Float[Tensor, "c h w"] in [0, 1]."""

        def clean(part: Image, _: tuple[int, int]) -> Image:
            return self._clean(part[None])[0].clamp(0, 1)

        size = (self.image.shape[-2], self.image.shape[-1])
        with torch.no_grad():
            return by_tiles(self.image, (1, 1), size, clean)


def pair_downsample(
    image: Float[Tensor, "n c h w"],
) -> tuple[Float[Tensor, "n c h2 w2"], Float[Tensor, "n c h2 w2"]]:
    """Two images of half the size: the means of both diagonals of each 2 x 2 block.

    The first image averages the top right and bottom left pixels of each block. The
    second image averages the other two pixels. The images share no pixel, so their
    noise is independent. The last row or column of an odd side is ignored.
    """
    channels = image.shape[1]
    first, second = (
        F.conv2d(
            image,
            image.new_tensor(kernel).expand(channels, 1, 2, 2),
            stride=2,
            groups=channels,
        )
        for kernel in DIAGONALS
    )
    return first, second
