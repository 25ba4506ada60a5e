"""Double-DIP: unsupervised image decomposition by coupled Deep Image Priors.

Gandelsman, Shocher and Irani, CVPR 2019. The model of an image, or of a few images that
share a layer, is

    image = mask * front + (1 - mask) * back.

Each layer (mask, front, back) is the output of an untrained network, a smooth grid or a
constant. All three layers are trained together by minimising

    mean |mask * front + (1 - mask) * back - image|^2 + penalties.

Two networks fit a mixture faster than one network does, and the penalties make them
separate the layers. The file of each application defines its penalties.

Departures from the paper: the networks are small. The answer is the moving average of
the layers after a fixed number of steps. The paper takes the step with the smallest
reconstruction error, but this error does not measure the separation of the layers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dil_teach.image.convention import Video
from dil_teach.training.adam import Adam
from dil_teach.training.networks import INPUT_CHANNELS, Hourglass, draw_network_input
from dil_teach.training.precision import autocast
from dil_teach.training.schedules import schedule

AVERAGE = 0.95
"""Decay of the exponential moving average of the layers."""
DRIFT = 0.1
"""Distance between the network inputs of neighbouring images, in standard deviations of
an input. For similar inputs, the network outputs similar layers."""
SKIP = 4
"""Number of channels of each skip connection."""

Noise = Callable[[torch.Size], Tensor | float]
"""A function that takes a tensor's shape and returns the noise to add to the tensor."""


@dataclass(frozen=True)
class Layers:
    """The layers of an image. Each layer has shape (n, c, h, w) or broadcasts to it."""

    front: Float[Tensor, "_n _c _h _w"]
    back: Float[Tensor, "_n _c _h _w"]
    mask: Float[Tensor, "_n _c _h _w"]

    def compose(self) -> Float[Tensor, "_n _c _h _w"]:
        """The model of all applications: ``mask * front + (1 - mask) * back``."""
        return self.mask * self.front + (1 - self.mask) * self.back


class Network(nn.Module):
    """A layer that is the output of an initially untrained network for a fixed input.

    A ValueError is raised if the images are smaller than the network's stride.

    Parameters
    ----------
    images : Video
        The images to decompose; only their shape is used.
    rng : torch.Generator
        Random generator for the network input and the weights.
    each : bool
        Whether each image has its own layer; otherwise all images share one layer.
    channels : int, optional
        Number of channels of the layer; by default, as many as the images have.
    widths : tuple of int
        Number of channels of the network at each scale, the finest scale first.
    name : str
        The caller's name of the images, for error messages.
    """

    rate = 1.0

    def __init__(
        self,
        images: Video,
        rng: torch.Generator,
        each: bool = False,
        channels: int | None = None,
        widths: tuple[int, ...] = (16, 32, 32, 64),
        name: str = "images",
    ) -> None:
        super().__init__()
        size, stride = (images.shape[-2], images.shape[-1]), 2 ** len(widths)
        if min(size) < stride:
            raise ValueError(
                f"{name}: expected at least {stride} pixels a side, because the "
                f"network shrinks the image {stride} times, got {size[0]} x {size[1]}; "
                "take a larger picture"
            )
        if max(size) == stride and not (each and len(images) > 1):
            raise ValueError(
                f"{name}: expected more than {stride} pixels on one side, because the "
                f"network cannot normalise a single value, got {size[0]} x {size[1]}; "
                "take a larger picture"
            )
        inputs = [draw_network_input(size, rng)]
        for _ in range(len(images) - 1 if each else 0):
            change = draw_network_input(size, rng) - 0.05  # minus its mean
            inputs.append(inputs[-1] + DRIFT * change)
        channels = channels or images.shape[1]
        self.network = Hourglass(INPUT_CHANNELS, channels, widths, SKIP, rng)
        self.register_buffer("input", torch.cat(inputs))
        self.input: Tensor

    def forward(self, noise: Noise) -> Tensor:
        return self.network(self.input + noise(self.input.shape)).sigmoid()


class Constant(nn.Module):
    """A layer with one value for all pixels: a coefficient or a colour.

    ``start`` is the initial value, in (0, 1). ``rate`` is the learning rate relative to
    that of the networks; 0 freezes the layer.
    """

    def __init__(self, start: Float[Tensor, "_n _c _h _w"], rate: float = 1.0) -> None:
        super().__init__()
        logit = start.detach().clamp(1e-4, 1 - 1e-4).logit()
        self.logit = nn.Parameter(logit, requires_grad=rate > 0)
        self.rate = rate

    def forward(self, noise: Noise) -> Tensor:
        return self.logit.sigmoid()


class Smooth(Constant):
    """A smooth layer: values on a coarse grid, interpolated bilinearly to ``size``.

    ``start`` has the initial values on the grid, in (0, 1); ``rate`` has the same
    meaning as in :class:`Constant`.
    """

    def __init__(
        self, start: Float[Tensor, "_n _c _h _w"], size: Sequence[int], rate: float = 1
    ) -> None:
        super().__init__(start, rate)
        self.size = size

    def forward(self, noise: Noise) -> Tensor:
        size, mode = self.size, "bilinear"
        return F.interpolate(self.logit, size, mode=mode, align_corners=True).sigmoid()


class DoubleDIP:
    """Two layers and a mask, learned from one image or a few.

    Parameters
    ----------
    image : Video
        Images to decompose, Float[Tensor, "n c h w"] in [0, 1]. Values may be colours,
        linear light or texture features; the layers have the same kind of values.
    front, back, mask : nn.Module
        The module that computes each layer: a :class:`Network`, :class:`Constant`,
        :class:`Smooth` or a similar module. The mask has one channel.
    rng : torch.Generator
        Random generator for the noise on the network inputs.
    steps : int
        Number of training steps.
    learning_rate : float
        Learning rate of Adam in the first half of the steps. In the second half, the
        rate falls to 0 along a cosine.
    input_noise : float
        Standard deviation of the noise on the network inputs, drawn at each step. The
        noise prevents the networks from memorising the image (Ulyanov et al., section
        3).
    """

    STATE = ("modules", "optimizer", "rng", "average")

    def __init__(
        self,
        image: Video,
        front: nn.Module,
        back: nn.Module,
        mask: nn.Module,
        rng: torch.Generator,
        steps: int,
        learning_rate: float = 1e-2,
        input_noise: float = 0.02,
    ) -> None:
        self.image, self.rng, self.steps = image.detach(), rng, steps
        self.learning_rate, self.input_noise = learning_rate, input_noise
        self.modules = nn.ModuleDict({"front": front, "back": back, "mask": mask})
        self.modules.to(image.device)
        parts = self.modules.values()
        groups = [{"params": part.parameters(), "rate": part.rate} for part in parts]
        self.optimizer = Adam(groups)
        self.average: list[Tensor] | None = None

    def draw(self) -> Layers:
        """The layers that the current weights give, with new noise on the network
        inputs."""

        def noise(shape: torch.Size) -> Tensor:
            drawn = torch.randn(shape, generator=self.rng) * self.input_noise
            return drawn.to(self.image.device)

        return self._draw(noise)

    def reconstruction(self, layers: Layers) -> Float[Tensor, ""]:
        """The mean squared error between the composed layers and the image."""
        return (layers.compose() - self.image).square().mean()

    def update(
        self, layers: Layers, losses: dict[str, Tensor], step: int
    ) -> dict[str, Tensor]:
        """Take one step of Adam on the sum of the losses; update the moving average.

        ``losses`` contains the weighted losses of ``layers`` by name. ``step`` is the
        number of steps taken before this one. Losses are returned without gradients.
        """
        share = schedule(step / self.steps, decay=0.5)
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * self.learning_rate * share
        self.optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        self.optimizer.step()
        new = [x.detach() for x in (layers.front, layers.back, layers.mask)]
        # the first steps count equally, so the average needs no initial value
        keep = min(AVERAGE, step / (step + 1))
        old = self.average or new
        self.average = [a.lerp(b, 1 - keep) for a, b in zip(old, new, strict=True)]
        return {name: loss.detach() for name, loss in losses.items()}

    def layers(self) -> Layers:
        """The layers learned so far: the moving average over the latest steps."""
        if self.average is None:
            with torch.no_grad():
                return self._draw(lambda shape: 0.0)
        return Layers(*self.average)

    def _draw(self, noise: Noise) -> Layers:
        with autocast(self.image.device, True, self.image[:, 0].numel()):
            return Layers(*(draw(noise).float() for draw in self.modules.values()))
