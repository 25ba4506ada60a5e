"""ZS-N2N: Mansour and Heckel, 'Zero-Shot Noise2Noise', CVPR 2023.

One noisy image gives two, half as large, whose noise is independent: what a small
network can learn to predict of one from the other is what they share, the picture.
"""

import copy
import dataclasses
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dil_teach.image.convention import Image, check_image
from dil_teach.training.networks import convolution
from dil_teach.training.precision import autocast

MIN_SIDE = 8
SLOPE = 0.2
DIAGONALS = ((0.0, 0.5), (0.5, 0.0)), ((0.5, 0.0), (0.0, 0.5))


@dataclasses.dataclass(frozen=True)
class ZSN2NSettings:
    """How the network learns. ``quick()``, ``standard()`` and ``full()``: budgets."""

    steps: int = 400
    """Training steps in all."""
    width: int = 48
    """Channels of the two hidden layers."""
    learning_rate: float = 1e-3
    """Of Adam; halved at each third of the steps."""
    bf16: bool = True
    """Whether the convolutions use bfloat16 where the processor has it."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.width < 1 or self.learning_rate <= 0:
            raise ValueError(
                "settings: expected at least 1 for steps and width, and a "
                f"learning_rate above 0, got {self}"
            )

    @classmethod
    def quick(cls, **changes: Any) -> "ZSN2NSettings":
        """For a lesson."""
        return cls(**changes)

    @classmethod
    def standard(cls, **changes: Any) -> "ZSN2NSettings":
        """For a result."""
        return cls(**{"steps": 2000, **changes})

    @classmethod
    def full(cls, **changes: Any) -> "ZSN2NSettings":
        """The best that we know."""
        return cls(**{"steps": 3000, **changes})


class ZSN2N:
    """A denoiser that learns from one noisy image.

    Parameters
    ----------
    image : Image
        The noisy image, Float[Tensor, "c h w"] in [0, 1], grey or RGB. Its noise must
        be independent from pixel to pixel.
    settings : ZSN2NSettings
        The budget and all else.

    Raises
    ------
    ValueError
        If the image cannot be used.
    """

    def __init__(
        self,
        image: Image,
        settings: ZSN2NSettings = ZSN2NSettings.quick(),  # noqa: B008 (frozen)
    ) -> None:
        check_image(image, min_side=MIN_SIDE)
        self.image = image = image.detach()
        if image.flatten(1).amin(1).equal(image.flatten(1).amax(1)):
            raise ValueError(
                "image: expected a picture, got one colour everywhere; "
                "there is no noise in it"
            )
        self.settings = settings
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
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), fused=image.device.type != "mps"
        )

    @property
    def done(self) -> bool:
        """Its stopping rule: after the budget's steps."""
        return self.step >= self.total_steps

    def train_step(self) -> dict[str, Tensor]:
        """Predict each half from the other, and the halves of the denoised whole."""
        for group in self.optimizer.param_groups:
            third = 3 * self.step // self.total_steps
            group["lr"] = self.settings.learning_rate * 0.5**third
        first, second = pair_downsample(self.image[None])
        first_clean, second_clean = self._clean(torch.cat([first, second])).split(1)
        residual = 0.5 * (
            (first_clean - second).square().mean()
            + (second_clean - first).square().mean()
        )
        whole_first, whole_second = pair_downsample(self._clean(self.image[None]))
        consistency = 0.5 * (
            (first_clean - whole_first).square().mean()
            + (second_clean - whole_second).square().mean()
        )
        loss = residual + consistency
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.step += 1
        return {"residual": residual.detach(), "consistency": consistency.detach()}

    def _clean(self, noisy: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The noisy batch less the noise that the network finds in it."""
        with autocast(noisy.device, self.settings.bf16):
            noise = self.network(noisy.contiguous(memory_format=torch.channels_last))
        return noisy - noise.float()

    def result(self) -> Image:
        """The denoised image, Float[Tensor, "c h w"] in [0, 1]."""
        with torch.no_grad():
            return self._clean(self.image[None])[0].clamp(0, 1)

    def arguments(self) -> dict[str, Any]:
        """What, beside the image, it was constructed with."""
        return {"settings": self.settings}

    def state_dict(self) -> dict[str, Any]:
        """All that carrying on needs."""
        state = {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.get_state(),
        }
        return copy.deepcopy(state)  # torch hands out the tensors that it trains

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state that :meth:`state_dict` gave."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.rng.set_state(state["rng"])


def pair_downsample(
    image: Float[Tensor, "n c h w"],
) -> tuple[Float[Tensor, "n c h2 w2"], Float[Tensor, "n c h2 w2"]]:
    """Two images of half the size: the means of the diagonals of each 2 x 2 block.

    Parameters
    ----------
    image : Float[Tensor, "n c h w"]
        An odd last row or column is left out.

    Returns
    -------
    (Float[Tensor, "n c h2 w2"], Float[Tensor, "n c h2 w2"])
        Of each block the mean of top right and bottom left, and of top left and bottom
        right. No pixel is in both, so their noise is independent.
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
