"""Deep Image Prior: Ulyanov, Vedaldi and Lempitsky, CVPR 2018.

An untrained convolutional network draws natural pictures sooner than noise. So it is
trained to draw one spoilt image, from a code that does not change, and what it draws
before it has learned the damage is the answer. What the damage was is said by the loss
alone: noise and JPEG blocks by the plain distance, holes by the known pixels' distance,
lost resolution by the distance after shrinking.

The stopping rule needs no ground truth: Wang et al., 'Early Stopping for Deep Image
Prior', TMLR 2023, with a running variance instead of that of a window.

Departures from the paper: several small networks instead of a large one; nearest
upsampling; the drawing starts from the mean colour; the noise on the code is larger,
and grows.
"""

import copy
import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dil_teach.classical.denoising import noise_level
from dil_teach.classical.inpainting import check_mask
from dil_teach.image.convention import Image, check_image
from dil_teach.image.resize import (
    Kernel2d,
    Scale,
    blur_and_subsample,
    centre_kernel,
    check_name,
    scale_and_size,
)
from dil_teach.training.networks import Hourglass, draw_network_input
from dil_teach.training.precision import autocast

INPUT_CHANNELS = 8
"""Half as many as elsewhere: noise is drawn for each at each step, which takes time."""
NOISE_GROWS = 300
"""Steps over which the noise on the code grows to its full size."""
LESS_NOISE = 0.3
"""Its size where holes are filled or resolution is won, against denoising."""
TOO_NEAR, TOO_FAR = 0.85, 1.2
"""The answer's squared distance from the image, as shares of the noise's estimated
variance: below the first it has learned noise, above the second it lacks detail. Wide
apart, as the estimate counts texture for noise, and misses what is not white."""


@dataclasses.dataclass(frozen=True)
class DeepImagePriorSettings:
    """How the network learns. ``quick()``, ``standard()`` and ``full()``: budgets."""

    steps: int = 280
    """Training steps at the most."""
    networks: int = 1
    """Networks that learn side by side, each from a code of its own; the answer is the
    mean of what they draw: what they draw of the noise differs more than what they draw
    of the picture (paper, section 3: two runs)."""
    widths: tuple[int, ...] = (16, 32, 64, 64, 64)
    """Channels of the network at each scale, from the finest."""
    skip: int = 8
    """Channels that go across at each scale."""
    learning_rate: float = 0.01
    """Of Adam."""
    input_noise: float = 0.1
    """Standard deviation of the noise on the code, new at each step: it keeps the
    network from memorising (paper, section 3). It grows over the first steps: then
    there is nothing to memorise, and it only delays."""
    average: float = 0.98
    """How much of the running average of the pictures drawn stays at each step."""
    patience: int = 100
    """Steps without a smaller variance after which denoising stops."""
    bf16: bool = True
    """Whether the convolutions use bfloat16 where the processor has it, and the image
    is large enough to gain by it."""
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.networks, self.patience) < 1 or not self.widths:
            raise ValueError(
                "settings: expected at least 1 for steps, networks and patience, and "
                f"one width, got {self}"
            )
        if self.learning_rate <= 0 or self.input_noise < 0 or not 0 <= self.average < 1:
            raise ValueError(
                "settings: expected a learning_rate above 0, input_noise at least 0 "
                f"and an average in [0, 1), got {self}"
            )

    @classmethod
    def quick(cls, **changes: Any) -> "DeepImagePriorSettings":
        """For a lesson: about 10 CPU seconds for a 128 x 128 image."""
        return cls(**changes)

    @classmethod
    def standard(cls, **changes: Any) -> "DeepImagePriorSettings":
        """For a result: at most 60 CPU seconds for a 128 x 128 image."""
        return cls(**{"steps": 560, "networks": 3, **changes})

    @classmethod
    def full(cls, **changes: Any) -> "DeepImagePriorSettings":
        """The best that we know; denoising seldom takes all of the steps."""
        return cls(**{"steps": 1200, "networks": 6, **changes})


FOR_HOLES = {
    "quick": DeepImagePriorSettings.quick(),
    "standard": DeepImagePriorSettings.standard(steps=700),
    "full": DeepImagePriorSettings.full(),
}
"""Budgets of inpainting: there is no noise to stop for, and more steps help some
pictures."""


class DeepImagePrior:
    """A network that draws one image, and what it drew before it drew the damage.

    ``fit(DeepImagePrior(noisy)).result()`` denoises. Training is on the image's device;
    on a CPU it is the same to the bit for the same seed.

    Parameters
    ----------
    image : Image
        The spoilt image, Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    mask : Float[Tensor, "1 h w"], optional
        For inpainting: 1 (white) where there is a hole, 0 where the image is known.
    scale : float or (float, float), optional
        For super-resolution: how many times higher and wider the answer is.
    kernel : str or Float["kh kw"]
        How the image came from the one that is wanted: see
        :func:`dil_teach.image.resize.blur_and_subsample`. Only beside ``scale``.
    settings : DeepImagePriorSettings
        The budget and all else.

    Attributes
    ----------
    loss : function
        From what the network draws, Float[Tensor, "n c h w"], to a number. Replace it
        to tell another damage; a checkpoint does not hold it.

    Raises
    ------
    ValueError
        If an argument cannot be used.
    """

    def __init__(
        self,
        image: Image,
        mask: Float[Tensor, "1 _h _w"] | None = None,
        scale: Scale | None = None,
        kernel: str | Kernel2d = "bicubic",
        settings: DeepImagePriorSettings = DeepImagePriorSettings.quick(),  # noqa: B008
    ) -> None:
        check_image(image)
        self.image = image = image.detach()
        self.mask, self.scale, self.settings = mask, scale, settings
        self.kernel = kernel
        size = (image.shape[-2], image.shape[-1])
        self.loss: Callable[[Tensor], Tensor] = partial(denoising_loss, image=image)
        if mask is not None and scale is not None:
            raise ValueError(
                "mask: expected a mask or a scale, got both; fill the holes first"
            )
        if mask is not None:
            check_mask(mask, image)
            self.mask = mask = mask.detach().to(image)
            self.loss = partial(inpainting_loss, image=image, mask=mask)
        if scale is not None:
            self.scale, size = scale_and_size(size, scale, None)
            if min(self.scale) < 1:
                raise ValueError(
                    f"scale: expected at least 1, got {scale}; resize makes images "
                    "smaller"
                )
            if isinstance(kernel, str):
                check_name(kernel)
            else:
                self.kernel = centre_kernel(kernel, self.scale)
            self.loss = partial(
                super_resolution_loss,
                image=image,
                kernel=self.kernel,
                scale=self.scale,
            )
        _check_content(image, mask, size, 2 ** len(settings.widths))
        self.step, self.total_steps = 0, settings.steps
        self.rng = torch.Generator().manual_seed(settings.seed)
        codes = [
            draw_network_input(size, self.rng, INPUT_CHANNELS)
            for _ in range(settings.networks)
        ]
        self.codes = torch.cat(codes).to(image.device)
        networks = [
            Hourglass(
                INPUT_CHANNELS,
                len(image),
                settings.widths,
                settings.skip,
                self.rng,
                upsample="nearest",
            )
            for _ in codes
        ]
        known = image if mask is None else image[:, mask[0] == 0]
        colour = known.flatten(1).mean(1).cpu().clamp(0.01, 0.99)
        for network in networks:
            # dark and light pictures would otherwise be drawn late
            network.state_dict()["last.bias"].add_(colour.logit())
        self.networks = nn.ModuleList(networks).to(image.device)
        self.optimizer = torch.optim.Adam(
            self.networks.parameters(),
            lr=settings.learning_rate,
            fused=image.device.type != "mps",
        )
        self.average = torch.zeros(len(image), *size, device=image.device)
        self.variance = torch.zeros((), device=image.device)
        self.best, self.best_step = self.average.clone(), 0
        self.least = float("inf")
        self.level, self.too_near = noise_level(image), False

    @property
    def stops_early(self) -> bool:
        """Whether it stops before it has learned the damage: when denoising."""
        return self.mask is None and self.scale is None

    @property
    def stopped_at(self) -> int:
        """The step whose answer :meth:`result` returns."""
        return self.best_step if self.stops_early else self.step

    @property
    def done(self) -> bool:
        """Its stopping rule.

        Denoising is done when the variance of what is drawn, as a share of the
        picture's own, has not become smaller for ``patience`` steps. The noise's
        estimated level sets bounds to that (the discrepancy principle, Morozov 1966):
        no calm counts while the answer is farther from the image than noise explains,
        and it is done where the answer is nearer. All else is done when the steps are
        over.
        """
        if self.stops_early and self.best_step:
            waited = self.step - self.best_step
            if waited >= self.settings.patience or self.too_near:
                return True
        return self.step >= self.total_steps

    def train_step(self) -> dict[str, Tensor]:
        """Draw the picture from the code, see it as it was seen, learn."""
        drawn = self._draw(self.codes + self._noise())
        loss = self.loss(drawn)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.step += 1
        self._watch(drawn.detach().mean(0))
        return {"loss": loss.detach(), "variance": self.variance / self.average.var()}

    def _draw(self, codes: Float[Tensor, "n _k h w"]) -> Float[Tensor, "n _c h w"]:
        """What each network draws from its code."""
        pixels = codes[0, 0].numel()
        with autocast(codes.device, self.settings.bf16, pixels):
            drawn = [
                network(code)
                for network, code in zip(self.networks, codes.split(1), strict=True)
            ]
        return torch.cat(drawn).sigmoid()

    def _noise(self) -> Float[Tensor, "n _k h w"]:
        """Noise for the codes; less where the image has none that could be learned."""
        most = self.settings.input_noise * (1 if self.stops_early else LESS_NOISE)
        noise = torch.randn(self.codes.shape, generator=self.rng)
        return most * min(1, self.step / NOISE_GROWS) * noise.to(self.codes.device)

    def _watch(self, drawn: Image) -> None:
        """Keep the running average and variance, and the answer of least variance."""
        rate = max(1 - self.settings.average, 1 / self.step)
        away = drawn - self.average
        self.average += rate * away
        self.variance = (1 - rate) * (self.variance + rate * away.square().mean())
        if not self.stops_early or self.step < 1 / (1 - self.settings.average):
            return
        distance = float((self.average - self.image).square().mean())
        self.too_near = distance < TOO_NEAR * self.level**2
        if distance > TOO_FAR * self.level**2:
            self.least = float("inf")  # calm, but not drawn yet: look on
        # a share: at first next to nothing is drawn, and so next to nothing changes
        share = float(self.variance / self.average.var())
        if share < self.least:
            self.least, self.best_step = share, self.step
            self.best = self.average.clone()

    def raw(self) -> Image:
        """What the network draws now, Float[Tensor, "c h w"] in [0, 1]."""
        with torch.no_grad():
            return self._draw(self.codes).mean(0)

    def averaged(self) -> Image:
        """The running average of what it drew, Float[Tensor, "c h w"] in [0, 1]."""
        return self.average.clone()

    def result(self) -> Image:
        """The answer, by what was learned so far.

        Returns
        -------
        Image
            Float[Tensor, "c h w"] in [0, 1]. Denoising: the running average where the
            variance was least. Inpainting: the running average in the hole, and the
            known pixels exactly. Super-resolution: the running average.
        """
        if self.stops_early and self.best_step:
            return self.best.clone()
        if self.mask is not None:
            return torch.where(self.mask > 0.5, self.average, self.image)
        return self.averaged()

    def arguments(self) -> dict[str, Any]:
        """What, beside the image, it was constructed with."""
        return {
            "mask": self.mask,
            "scale": self.scale,
            "kernel": self.kernel,
            "settings": self.settings,
        }

    def state_dict(self) -> dict[str, Any]:
        """All that carrying on needs."""
        state = {
            "step": self.step,
            "codes": self.codes,
            "networks": self.networks.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.get_state(),
            "average": self.average,
            "variance": self.variance,
            "best": self.best,
            "best_step": self.best_step,
            "least": self.least,
            "too_near": self.too_near,
        }
        return copy.deepcopy(state)  # torch hands out the tensors that it trains

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state that :meth:`state_dict` gave."""
        state = copy.deepcopy(state)
        device = self.image.device
        self.networks.load_state_dict(state["networks"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rng.set_state(state["rng"])
        for name in ("codes", "average", "variance", "best"):
            setattr(self, name, state[name].to(device))
        for name in ("step", "best_step", "least", "too_near"):
            setattr(self, name, state[name])


def denoising_loss(drawn: Float[Tensor, "n c h w"], image: Image) -> Float[Tensor, ""]:
    """The plain distance: nothing is known of the damage."""
    return (drawn - image).square().mean()


def inpainting_loss(
    drawn: Float[Tensor, "n c h w"], image: Image, mask: Float[Tensor, "1 h w"]
) -> Float[Tensor, ""]:
    """The distance on the known pixels; a hole may be drawn in any way."""
    return ((1 - mask) * (drawn - image)).square().mean()


def super_resolution_loss(
    drawn: Float[Tensor, "n c h w"],
    image: Image,
    kernel: str | Kernel2d,
    scale: Scale,
) -> Float[Tensor, ""]:
    """The distance after shrinking what was drawn, as the camera did."""
    size = (image.shape[-2], image.shape[-1])
    seen = blur_and_subsample(drawn, kernel, scale, size=size)
    return (seen - image).square().mean()


def _check_content(
    image: Image, mask: Tensor | None, size: tuple[int, int], stride: int
) -> None:
    if min(size) <= stride:
        raise ValueError(
            f"image: expected more than {stride} pixels a side, the network's stride, "
            f"got {size[0]} x {size[1]}; take a larger picture or fewer widths"
        )
    known = image if mask is None else image[:, mask[0] == 0]
    if known.flatten(1).amin(1).equal(known.flatten(1).amax(1)):
        raise ValueError(
            "image: expected a picture, got one colour everywhere; "
            "there is nothing in it to learn from"
        )
