"""Deep Image Prior: Ulyanov, Vedaldi and Lempitsky, CVPR 2018.

An untrained convolutional network f with weights theta reproduces one degraded image I.
The network input z is random and fixed. The degradation d made I. The objective is

    min over theta of  || d(f_theta(z)) - I ||^2 ,

and the answer is f_theta(z). The network fits natural structure in fewer steps than
noise. For denoising, d is the identity, and training must stop before the network fits
the noise. Training stops at the minimum of the outputs' exponential moving variance
(Wang et al., 'Early Stopping for Deep Image Prior', TMLR 2023), or when the answer is
nearer to the image than the noise explains: the discrepancy principle (Morozov 1966).

Departures from the paper: several small networks instead of a large one;
nearest-neighbour upsampling; the output starts at the mean colour; the noise on the
network input is larger and grows during training; super-resolution stops before the
network fits the finest detail, and back-projection adds this detail.
"""

import dataclasses
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dil_teach.classical.back_projection import back_project
from dil_teach.image.convention import Image, check_image, check_not_flat, own_copy
from dil_teach.image.degradation import (
    Degradation,
    check_mask,
    hide,
    identity,
)
from dil_teach.image.metrics import finest_detail, noise_level
from dil_teach.image.scale import scale_and_size
from dil_teach.training.adam import Adam
from dil_teach.training.conditions import repeatable
from dil_teach.training.jumps import JumpGuard
from dil_teach.training.networks import Hourglass, draw_network_input
from dil_teach.training.precision import autocast
from dil_teach.training.settings import budget, check_settings

INPUT_CHANNELS = 8
"""Number of channels of the network input; each step draws noise for all channels."""
NOISE_GROWS = 300
"""Number of steps in which the input noise grows to its full size (measured)."""
LESS_NOISE = 0.3
"""Factor that reduces the input noise in tasks other than denoising and
super-resolution."""
TOO_NEAR, TOO_FAR = 0.85, 1.2
"""Bounds on the mean squared distance between answer and image, divided by the
estimated noise variance. Below the lower bound, the network has fitted noise. Above the
upper bound, detail is missing. The bounds are wide: texture increases the estimate."""
ENOUGH = 0.5
"""Super-resolution ends when the answer differs from the given image by less than this
part of the given image's finest detail (chosen on `room`, `dogs` and `brook`)."""


@dataclasses.dataclass(frozen=True)
class DeepImagePriorSettings:
    """Settings with the budgets ``quick()``, ``standard()`` and ``full()``."""

    steps: int = 400
    """Largest number of training steps."""
    networks: int = 1
    """Number of networks, each with its own input. The answer is the mean of the
    networks' outputs, because the networks make different errors (paper, section 3)."""
    widths: tuple[int, ...] = (16, 32, 64, 64, 64)
    """Number of channels of the network at each scale, the finest scale first."""
    skip: int = 8
    """Number of channels of the skip connection at each scale."""
    learning_rate: float = 0.01
    """Learning rate of Adam."""
    input_noise: float = 0.1
    """Standard deviation of the noise that each step adds to the network input. The
    noise reduces overfitting (paper, section 3). The noise grows during the first
    steps, because full noise would slow the first steps."""
    average: float = 0.98
    """Decay of the exponential moving average of the outputs."""
    patience: int = 100
    """Number of steps without a new variance minimum after which denoising stops."""
    bf16: bool = True
    """Whether convolutions use bfloat16 where bfloat16 saves time."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self, steps=1, networks=1, patience=1)
        check_settings(self, learning_rate=1e-6, input_noise=0, skip=0)
        if not self.widths or min(self.widths) < 1 or not 0 <= self.average < 1:
            raise ValueError(
                "settings: expected positive widths and an average in [0, 1), got "
                f"{self.widths} and {self.average}"
            )

    quick = budget("Settings for a quick run: 14 CPU seconds for 128 x 128 pixels.")
    standard = budget(
        "Settings for good results: at most 80 CPU seconds.", steps=840, networks=3
    )
    full = budget("Settings for the best quality.", steps=2000, networks=6)


@repeatable
class DeepImagePrior:
    """An initially untrained network that denoises, inpaints or restores one image.

    ``fit(DeepImagePrior(noisy)).result()`` denoises, and ``fit(DeepImagePrior(image,
    masked(mask))).result()`` fills a hole. A ValueError is raised if the image is too
    small or has one colour, or the mask does not fit the image.

    Parameters
    ----------
    image : Image
        The degraded image, Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    degradation : Degradation
        The function that made the degraded image from the unknown clean image, see
        :mod:`dil_teach.image.degradation`. Denoising uses ``identity``. Any other
        differentiable function of a batch works, but a checkpoint cannot store this
        function.
    settings : DeepImagePriorSettings
        The training budget, the size of the networks and the seed.
    """

    STATE = (
        "step",
        "inputs",
        "networks",
        "optimizer",
        "rng",
        "average",
        "variance",
        "best",
        "best_step",
        "least",
        "too_near",
        "guard",
    )

    def __init__(
        self,
        image: Image,
        degradation: Degradation = identity,
        settings: DeepImagePriorSettings = DeepImagePriorSettings.quick(),  # noqa: B008
    ) -> None:
        check_image(image)
        self.image = self.target = image = own_copy(image)
        self.degradation, self.settings = degradation, settings
        known, size = image, (image.shape[-2], image.shape[-1])
        # the degradation's mask or scale
        given = degradation.keywords if isinstance(degradation, partial) else {}
        self.mask: Tensor | None = given.get("mask")
        if self.mask is not None:
            check_mask(self.mask, image)
            self.mask = mask = own_copy(self.mask).to(image)
            self.degradation = partial(hide, mask=mask)
            self.target = hide(image[None], mask)[0]
            known = image[:, mask[0] == 0]
        self.enlarges = "scale" in given  # super-resolution
        self.detail = finest_detail(image, given["scale"]) if self.enlarges else 0.0
        if self.enlarges:
            self.degradation = partial(degradation, size=size)
            size = scale_and_size(size, given["scale"], None)[1]
        stride = 2 ** len(settings.widths)
        if min(size) <= stride:
            raise ValueError(
                f"image: expected more than {stride} pixels a side, because the "
                f"network shrinks the image {stride} times, got {size[0]} x {size[1]}; "
                "use a larger image"
            )
        check_not_flat(known)
        self.arguments = {"degradation": self.degradation, "settings": settings}
        self.step, self.total_steps = 0, settings.steps
        self.rng = torch.Generator().manual_seed(settings.seed)
        count = range(settings.networks)
        inputs = [draw_network_input(size, self.rng, INPUT_CHANNELS) for _ in count]
        self.inputs = torch.cat(inputs).to(image.device)
        shape = INPUT_CHANNELS, len(image), settings.widths, settings.skip
        networks = [Hourglass(*shape, self.rng, upsample="nearest") for _ in count]
        colour = known.flatten(1).mean(1).cpu().clamp(0.01, 0.99)
        for network in networks:
            # start at the mean colour: very dark or light pictures need fewer steps
            network.state_dict()["last.bias"].add_(colour.logit())
        self.networks = nn.ModuleList(networks).to(image.device)
        self.optimizer = Adam(self.networks.parameters(), lr=settings.learning_rate)
        self.average = torch.zeros(len(image), *size, device=image.device)
        self.variance = torch.zeros((), device=image.device)
        self.best, self.best_step = self.average.clone(), 0
        self.least = float("inf")
        self.level, self.too_near = noise_level(image), False
        self.guard = JumpGuard(self.networks)

    @property
    def stops_early(self) -> bool:
        """Whether the answer of an earlier step is kept: only for denoising."""
        return self.degradation is identity

    @property
    def stopped_at(self) -> int:
        """The step whose answer :meth:`result` returns."""
        return self.best_step if self.stops_early else self.step

    @property
    def rule_met(self) -> bool:
        """Whether a stopping rule has ended the training.

        Denoising ends if the outputs' variance has no new minimum for ``patience``
        steps, or if the answer is nearer to the image than the estimated noise explains
        (the discrepancy principle). Super-resolution ends if the difference between
        answer and image is below ``ENOUGH`` of the image's finest detail.
        """
        waited = self.best_step and self.step - self.best_step >= self.settings.patience
        if self.stops_early:
            return bool(waited or (self.best_step and self.too_near))
        return self.too_near

    @property
    def done(self) -> bool:
        """Whether training has ended: by a rule, or after ``settings.steps`` steps."""
        return self.rule_met or self.step >= self.total_steps

    def train_step(self) -> dict[str, Tensor]:
        """Draw and degrade a picture, compare it with the image, update the weights."""
        drawn = self._draw(self.inputs + self._noise())
        loss = (self.degradation(drawn) - self.target).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        if self.stops_early:
            self.guard.undo_jumps()
        self.optimizer.step()
        self.step += 1
        self._update_average(drawn.detach().mean(0))
        return {"loss": loss.detach(), "variance": self.variance / self.average.var()}

    def _draw(self, inputs: Float[Tensor, "n _k h w"]) -> Float[Tensor, "n _c h w"]:
        """The output of each network for its own input."""
        pixels = inputs[0, 0].numel()
        with autocast(inputs.device, self.settings.bf16, pixels):
            drawn = [
                network(z)
                for network, z in zip(self.networks, inputs.split(1), strict=True)
            ]
        return torch.cat(drawn).sigmoid()

    def _noise(self) -> Float[Tensor, "n _k h w"]:
        """Noise for the network inputs."""
        full = self.stops_early or self.enlarges
        most = self.settings.input_noise * (1 if full else LESS_NOISE)
        noise = torch.randn(self.inputs.shape, generator=self.rng)
        return most * min(1, self.step / NOISE_GROWS) * noise.to(self.inputs.device)

    def _update_average(self, drawn: Image) -> None:
        """Update the outputs' moving average and variance, and the best answer."""
        rate = max(1 - self.settings.average, 1 / self.step)
        change = drawn - self.average
        self.average += rate * change
        self.variance = (1 - rate) * (self.variance + rate * change.square().mean())
        if self.enlarges:
            difference = self.degradation(self.average[None])[0] - self.image
            miss = float(difference.square().mean().sqrt())
            self.too_near = miss < ENOUGH * self.detail
        if not self.stops_early or self.step < 1 / (1 - self.settings.average):
            return
        distance = float((self.average - self.image).square().mean())
        self.too_near = distance < TOO_NEAR * self.level**2
        if distance > TOO_FAR * self.level**2:
            # detail is still missing: ignore the minimum found so far
            self.least = float("inf")
        # divide by the variance over pixels, because the first outputs are uniform
        share = float(self.variance / self.average.var())
        if share < self.least:
            self.least, self.best_step = share, self.step
            self.best = self.average.clone()

    def raw(self) -> Image:
        """The mean of the networks' outputs, Float[Tensor, "c h w"] in [0, 1]."""
        with torch.no_grad():
            return self._draw(self.inputs).mean(0)

    def averaged(self) -> Image:
        """The moving average of the outputs, Float[Tensor, "c h w"] in [0, 1]."""
        return self.average.clone()

    def result(self) -> Image:
        """The restored image after the steps taken so far, "c h2 w2" in [0, 1].

        The result is the moving average of the outputs. Denoising returns this average
        at the minimum of the variance. Inpainting leaves known pixels unchanged.
        Super-resolution corrects the average by back-projection, so that its downscaled
        copy equals the given image.
        """
        if self.enlarges:
            assert isinstance(self.degradation, partial)  # __init__ checked it
            given = self.degradation.keywords
            kernel, scale = given["kernel"], given["scale"]
            return back_project(self.average, self.image, kernel, scale).clamp(0, 1)
        if self.stops_early and self.best_step:
            return self.best.clone()
        if self.mask is not None:
            return torch.where(self.mask > 0.5, self.average, self.image)
        return self.averaged()
