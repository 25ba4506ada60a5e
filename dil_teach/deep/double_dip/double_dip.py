"""Double-DIP: unsupervised image decomposition via coupled Deep Image Priors.

Gandelsman, Shocher and Irani, CVPR 2019. One image, or a few that share something, are
taken for `mask * front + (1 - mask) * back`. Each of the three is drawn by something
that is poor at drawing all else: an untrained network, a smooth layer, one colour. What
a mixture has of two layers is drawn sooner by two networks than by one, and so they
part. What else is known of the layers is one function an application, `penalties`:
see `segmentation`, `separation`, `dehazing` and `watermark`.

Departures from the paper: small networks; the mean of the latest layers is the answer,
after a stated number of steps, instead of the step of best reconstruction, which says
nothing of how well the layers are parted.
"""

import copy
import dataclasses
import math
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dil_teach.image.convention import Video, check_image
from dil_teach.training.networks import (
    INPUT_CHANNELS,
    Hourglass,
    draw_network_input,
)
from dil_teach.training.precision import autocast

Penalties = Callable[..., dict[str, Tensor]]
"""`penalties(layers, progress, **given)`: losses by name, each already weighted;
`progress` is the share of the steps taken, from 0 to 1."""


@dataclasses.dataclass(frozen=True)
class Layers:
    """What an image is taken for; each is (n, c, h, w) or broadcasts to it."""

    front: Float[Tensor, "_n _c _h _w"]
    back: Float[Tensor, "_n _c _h _w"]
    mask: Float[Tensor, "_n _c _h _w"]

    def compose(self) -> Float[Tensor, "_n _c _h _w"]:
        """The one model of all applications."""
        return self.mask * self.front + (1 - self.mask) * self.back


@dataclasses.dataclass(frozen=True)
class DoubleDIPSettings:
    """How Double-DIP learns; each application has its own `BUDGETS` of these."""

    steps: int = 400
    """Training steps in all, its stopping rule."""
    learning_rate: float = 1e-2
    """Of Adam, until half of the steps are taken; then down to 0 along a cosine."""
    input_noise: float = 0.02
    """Standard deviation of the noise on the networks' codes, new at each step: it
    keeps them from memorising (Ulyanov et al., section 3)."""
    average: float = 0.95
    """How much of the running mean of the layers stays at each step."""
    bf16: bool = True
    """Whether the convolutions use bfloat16 where the processor has it, and the images
    are large enough to gain by it."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.learning_rate <= 0 or not 0 <= self.average < 1:
            raise ValueError(
                "settings: expected at least 1 step, a learning_rate above 0 and an "
                f"average in [0, 1), got {self}"
            )


@runtime_checkable
class Spec(Protocol):
    """What draws a layer. Nobody inherits it: a frozen dataclass with these two."""

    @property
    def rate(self) -> float:
        """Its learning rate as a multiple of the settings'."""
        ...

    def module(
        self, images: Video, channels: int, rng: torch.Generator
    ) -> "LayerModule":
        """The module that draws the layer, its first state drawn by ``rng``."""
        ...


class LayerModule(nn.Module):
    """`forward(progress, noise)`: the layer in [0, 1]. `noise`, where training, is a
    function of a tensor's shape that draws what is added to codes."""


@dataclasses.dataclass(frozen=True)
class Network:
    """A layer drawn by an untrained network from a code that does not change."""

    widths: tuple[int, ...] = (16, 32, 32, 64)
    """Channels at each scale, from the finest."""
    skip: int = 4
    each: bool = False
    """Whether each image has a layer of its own, or all share one. The codes of
    neighbouring images are nearly the same: what changes little is easily drawn."""
    drift: float = 0.1
    """How far the code moves from one image to the next, against its own deviation."""
    rate: float = 1.0

    def module(
        self, images: Video, channels: int, rng: torch.Generator
    ) -> "LayerModule":
        size = (images.shape[-2], images.shape[-1])
        if min(size) < 2 ** len(self.widths):
            raise ValueError(
                f"images: expected at least {2 ** len(self.widths)} pixels a side, the "
                f"network's stride, got {size[0]} x {size[1]}; take a larger picture"
            )
        codes = [draw_network_input(size, rng)]
        for _ in range(len(images) - 1 if self.each else 0):
            codes.append(
                codes[-1] + self.drift * (draw_network_input(size, rng) - 0.05)
            )
        network = Hourglass(INPUT_CHANNELS, channels, self.widths, self.skip, rng)
        return DrawnByNetwork(network, torch.cat(codes))


class DrawnByNetwork(LayerModule):
    """The layer of a :class:`Network`."""

    def __init__(self, network: Hourglass, code: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("code", code)
        self.code: Tensor

    def forward(
        self, progress: float, noise: Callable[..., Tensor] | None = None
    ) -> Tensor:
        code = self.code if noise is None else self.code + noise(self.code.shape)
        return self.network(code).sigmoid()


@dataclasses.dataclass(frozen=True)
class Constant:
    """A value an image, the same at all pixels: a coefficient, an airlight."""

    start: Float[Tensor, "_n _c 1 1"]
    """In (0, 1)."""
    held: float = 0.0
    """The share of the steps during which it is not learned yet."""
    rate: float = 1.0

    def module(
        self, images: Video, channels: int, rng: torch.Generator
    ) -> "LayerModule":
        return Held(self.start, self.held, None)


@dataclasses.dataclass(frozen=True)
class Smooth:
    """A layer that changes slowly: its values on a coarse grid, interpolated."""

    start: Float[Tensor, "_n _c _h _w"]
    """In (0, 1), of the grid's size."""
    held: float = 0.0
    rate: float = 1.0

    def module(
        self, images: Video, channels: int, rng: torch.Generator
    ) -> "LayerModule":
        return Held(self.start, self.held, (images.shape[-2], images.shape[-1]))


class Held(LayerModule):
    """The layer of a :class:`Constant` or :class:`Smooth`."""

    def __init__(
        self, start: Tensor, held: float, size: tuple[int, int] | None
    ) -> None:
        super().__init__()
        self.logit = nn.Parameter(start.detach().clamp(1e-4, 1 - 1e-4).logit())
        self.held, self.size = held, size

    def forward(
        self, progress: float, noise: Callable[..., Tensor] | None = None
    ) -> Tensor:
        logit = self.logit if progress >= self.held else self.logit.detach()
        if self.size is not None:
            logit = F.interpolate(
                logit, size=self.size, mode="bilinear", align_corners=True
            )
        return logit.sigmoid()


class DoubleDIP:
    """One image, or a few, as two layers and a mask.

    The applications construct it: `segment`, `separate`, `dehaze`, `remove_watermark`.

    Parameters
    ----------
    image : Video
        Float[Tensor, "n c h w"] in [0, 1]: what is decomposed. Values may be colours,
        linear light or texture features; the layers are of the same kind.
    penalties : function
        `penalties(layers, progress, **given)`, of this library, so that it can be saved
        by name.
    given : dict of str to tensor or number
        What the application knows beside the image: hints, estimates.
    front, back, mask : Network, Constant, Smooth
        What draws each layer. The mask has one channel.
    settings : DoubleDIPSettings
        The budget and all else.

    Raises
    ------
    ValueError
        If the image cannot be used, or is smaller than a network's stride.
    """

    def __init__(
        self,
        image: Video,
        penalties: Penalties,
        given: dict[str, Any],
        front: Spec,
        back: Spec,
        mask: Spec,
        settings: DoubleDIPSettings,
    ) -> None:
        self.image = image = image.detach()
        self.penalties, self.given, self.settings = penalties, given, settings
        self.specs = {"front": front, "back": back, "mask": mask}
        self.step, self.total_steps = 0, settings.steps
        self.rng = torch.Generator().manual_seed(settings.seed)
        channels = {"front": image.shape[1], "back": image.shape[1], "mask": 1}
        self.modules = nn.ModuleDict(
            {n: s.module(image, channels[n], self.rng) for n, s in self.specs.items()}
        ).to(image.device)
        self.optimizer = torch.optim.Adam(
            [
                {"params": self.modules[n].parameters(), "rate": s.rate}
                for n, s in self.specs.items()
                if any(True for _ in self.modules[n].parameters())
            ],
            fused=image.device.type != "mps",
        )
        self.mean: Layers | None = None

    @property
    def done(self) -> bool:
        """Its stopping rule: the budget's steps. The layers' quality shows in nothing
        that could be measured without the truth, reconstruction least of all."""
        return self.step >= self.total_steps

    def train_step(self) -> dict[str, Tensor]:
        """Draw the layers, compose them, compare, and add what else is known."""
        progress = self.step / self.total_steps
        for group in self.optimizer.param_groups:
            rate = group["rate"] * self.settings.learning_rate
            group["lr"] = rate * (
                0.5 - 0.5 * math.cos(2 * math.pi * progress) if progress > 0.5 else 1
            )
        layers = self._draw(progress, self._noise)
        reconstruction = (layers.compose() - self.image).square().mean()
        losses = {"reconstruction": reconstruction}
        losses |= self.penalties(layers, progress, **self.given)
        self.optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        self.optimizer.step()
        self._average(layers)
        self.step += 1
        return {name: loss.detach() for name, loss in losses.items()}

    def layers(self) -> Layers:
        """The layers learned so far: the running mean over the latest steps."""
        if self.mean is None:
            with torch.no_grad():
                return self._draw(0.0, None)
        return self.mean

    def _draw(self, progress: float, noise: Callable[..., Tensor] | None) -> Layers:
        pixels = self.image[:, 0].numel()
        with autocast(self.image.device, self.settings.bf16, pixels):
            drawn = {n: module(progress, noise) for n, module in self.modules.items()}
        return Layers(**{name: layer.float() for name, layer in drawn.items()})

    def _noise(self, shape: tuple[int, ...]) -> Tensor:
        noise = torch.randn(shape, generator=self.rng) * self.settings.input_noise
        return noise.to(self.image.device)

    def _average(self, layers: Layers) -> None:
        # as Adam corrects its own means: the first steps count less, not as zeros
        kept = min(self.settings.average, self.step / (self.step + 1))
        new = {f.name: getattr(layers, f.name).detach() for f in _LAYERS}
        if self.mean is not None:
            new = {n: getattr(self.mean, n).lerp(x, 1 - kept) for n, x in new.items()}
        self.mean = Layers(**new)

    def arguments(self) -> dict[str, Any]:
        """What, beside the image, it was constructed with."""
        return {
            "penalties": self.penalties,
            "given": self.given,
            **self.specs,
            "settings": self.settings,
        }

    def state_dict(self) -> dict[str, Any]:
        """All that carrying on needs."""
        state = {
            "step": self.step,
            "modules": self.modules.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.get_state(),
            "mean": None if self.mean is None else vars(self.mean),
        }
        return copy.deepcopy(state)  # torch hands out the tensors that it trains

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state that :meth:`state_dict` gave."""
        self.step = state["step"]
        self.modules.load_state_dict(state["modules"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.rng.set_state(state["rng"])
        mean = state["mean"]
        self.mean = mean and Layers(
            **{name: layer.to(self.image.device) for name, layer in mean.items()}
        )


_LAYERS = dataclasses.fields(Layers)


def check_images(
    images: Tensor, name: str = "images", channels: tuple[int, ...] = (1, 3)
) -> None:
    """Refuse, in one sentence, what cannot be decomposed.

    Parameters
    ----------
    images : Video
        What should be Float[Tensor, "n c h w"], n at least 1, in [0, 1].
    name : str
        What the caller calls it.
    channels : tuple of int
        The numbers of channels that the caller can take.

    Raises
    ------
    ValueError
        If it is none, or one of the images is the same at all pixels.
    """
    if not isinstance(images, Tensor) or images.ndim != 4 or len(images) == 0:
        what = tuple(images.shape) if hasattr(images, "shape") else type(images)
        raise ValueError(
            f"{name}: expected a tensor of shape (images, channels, height, width), "
            f"got {what}; torch.stack makes one of images of one size"
        )
    for image in images:
        check_image(image, name, channels)
        if (image.amax((1, 2)) - image.amin((1, 2))).max() < 2 / 255:
            raise ValueError(
                f"{name}: expected a picture with something in it, got one that is the "
                "same at all pixels; take another"
            )
