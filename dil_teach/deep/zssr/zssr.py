"""ZSSR: 'Zero-Shot' Super-Resolution using Deep Internal Learning.

Shocher, Cohen and Irani, CVPR 2018. A small network learns, at test time and from the
test image alone, to undo its downscaling. It is trained on pairs of a *father*, the
image or a smaller copy of it, and a *son*, the father made smaller once more; then it
is applied to the image itself, the son of the picture that is wanted.

Departures from the paper, which ``benchmarks/zssr.py`` measures as a whole: the network
works on the low-resolution grid and ends in a pixel shuffle, instead of on the
interpolated image; each hidden layer adds to the one before; small crops in batches;
leaky ReLU; Adam with a warm-up and a cosine instead of steps that a plateau cuts;
fathers are cut from the largest result so far; the mean of the eight orientations
instead of their median.
"""

import copy
import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dil_teach.classical.back_projection import back_project
from dil_teach.deep.zssr.tiles import tile_by_tile
from dil_teach.image.augment import (
    ORIENTATIONS,
    add_noise,
    jpeg,
    orient,
    orient_back,
    random_crop,
)
from dil_teach.image.convention import Image, check_image
from dil_teach.image.pyramid import pyramid
from dil_teach.image.resize import (
    Kernel2d,
    Scale,
    blur_and_subsample,
    centre_kernel,
    check_name,
    resize,
    scale_and_size,
)
from dil_teach.training.precision import autocast

SLOPE = 0.1
"""Of the leaky ReLU: a plain one dies on smooth images, and bicubic is what remains."""
MIN_SIDE = 16
WHOLE_PIXELS = 1024 * 1024
"""Larger images are learned from windows, and super-resolved tile by tile."""
TILE, TILE_MARGIN = 256, 32
MEMORY_LIMIT = 4e9


@dataclasses.dataclass(frozen=True)
class ZSSRSettings:
    """How ZSSR learns. ``quick()``, ``standard()`` and ``full()`` are the budgets."""

    steps: int = 500
    """Training steps in all."""
    gradual: int = 2
    """Scales on the way, the last included (paper, section 3): each result joins the
    fathers of the next."""
    depth: int = 8
    """Convolutions of 3 x 3: the receptive field is 2 * depth + 1 LR pixels a side."""
    width: int = 64
    """Channels of the hidden layers."""
    learning_rate: float = 3e-3
    """Of Adam, at the top of each scale's warm-up and cosine."""
    crop: int = 24
    """Side of the sons in pixels."""
    batch: int = 2
    """Pairs a step."""
    father_scales: tuple[float, ...] = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
    """Sizes of the fathers against the image."""
    augment: bool = True
    """Whether fathers come in eight orientations."""
    noise: float = 0.0
    """Standard deviation of noise added to the sons, in [0, 1], for noisy images
    (paper, section 3). Turns back-projection off: it would bring the noise back."""
    jpeg_quality: int | None = None
    """Quality at which the sons are compressed, for images that were; as noise does, it
    turns back-projection off."""
    back_projections: int = 3
    """Iterations of back-projection on the network's result. Few: where the blur is
    wide, more of them bring the camera's rounding through as grain."""
    bf16: bool = True
    """Whether the convolutions use bfloat16 where the processor has it."""
    seed: int = 0

    def __post_init__(self) -> None:
        whole = (self.steps, self.gradual, self.width, self.crop, self.batch)
        if min(whole) < 1 or self.depth < 2 or self.back_projections < 0:
            raise ValueError(
                "settings: expected at least 1 for steps, gradual, width, crop and "
                f"batch, 2 for depth and 0 for back_projections, got {self}"
            )
        quality = 95 if self.jpeg_quality is None else self.jpeg_quality
        if not 0 <= self.noise <= 1 or not 1 <= quality <= 95:
            raise ValueError(
                "settings: expected noise in [0, 1] (divide levels of 255 by 255) and "
                f"jpeg_quality in 1 to 95, got {self.noise} and {self.jpeg_quality}"
            )

    @classmethod
    def quick(cls, **changes: Any) -> "ZSSRSettings":
        """For a lesson: about 8 CPU seconds for a 128 x 128 image."""
        return cls(**changes)

    @classmethod
    def standard(cls, **changes: Any) -> "ZSSRSettings":
        """For a result: about 20 CPU seconds for a 128 x 128 image."""
        return cls(**{"steps": 1600, **changes})

    @classmethod
    def full(cls, **changes: Any) -> "ZSSRSettings":
        """The best that we know: about 50 CPU seconds for a 128 x 128 image."""
        return cls(**{"steps": 4000, **changes})


class ZSSR:
    """A super-resolver that learns from one image.

    ``fit(ZSSR(image)).super_resolve()`` doubles an image. Training is on the image's
    device; on a CPU it is the same to the bit for the same seed.

    Parameters
    ----------
    image : Image
        The low-resolution image, Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    scale : float or (float, float)
        How many times higher and wider the result is, each at least 1.
    kernel : str or Float["kh kw"]
        How the image came from the one that is wanted: the name of an antialiased
        interpolation, or a blur kernel on the pixels of the result (see
        :func:`dil_teach.image.resize.blur_and_subsample`).
    settings : ZSSRSettings
        The budget and all else.
    size : (int, int), optional
        Height and width of the result in pixels, instead of a scale.

    Raises
    ------
    ValueError
        If an argument cannot be used, or the result would not fit in memory.
    """

    def __init__(
        self,
        image: Image,
        scale: Scale = 2,
        kernel: str | Kernel2d = "bicubic",
        settings: ZSSRSettings = ZSSRSettings.quick(),  # noqa: B008 (frozen)
        size: tuple[int, int] | None = None,
    ) -> None:
        check_image(image, min_side=MIN_SIDE)
        self.image = image = image.detach()
        self.settings = settings
        self.scale, self.size = scale_and_size(
            _size(image), scale if size is None else None, size
        )
        if min(self.scale) < 1:
            raise ValueError(
                f"scale: expected at least 1 for height and width, got {self.scale}; "
                "resize makes images smaller"
            )
        _check_memory(image, self.scale, self.size, settings.width)
        if isinstance(kernel, str):
            check_name(kernel)
            self.kernel = kernel
        else:
            self.kernel = centre_kernel(kernel, self.scale)
        self.stages = _stages(self.scale, settings.gradual)
        self.step, self.total_steps = 0, settings.steps
        self.rng = torch.Generator().manual_seed(settings.seed)
        self.network = ResidualNetwork(
            len(image),
            settings.width,
            settings.depth,
            math.ceil(max(self.scale)),
            self.rng,
        ).to(image.device)
        self.optimizer = torch.optim.Adam(
            self.network.parameters(),
            betas=(0.9, 0.99),
            fused=image.device.type != "mps",
        )
        self.windows = _windows(image, self.rng)
        self.images = list(self.windows)  # what fathers are cut from, larger by stages
        self.fathers = self._fathers()

    @property
    def done(self) -> bool:
        """Its stopping rule: after the budget's steps the learning rate is 0."""
        return self.step >= self.total_steps

    @property
    def stage(self) -> int:
        """Which of the gradual scales is being learned, from 0."""
        return min(
            self.step * len(self.stages) // self.total_steps, len(self.stages) - 1
        )

    def train_step(self) -> dict[str, Tensor]:
        """Learn from one batch of fathers and sons."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * self._warm_up_and_cosine()
        father, son = self.father_and_son()
        with autocast(father.device, self.settings.bf16):
            restored = self.network(
                son, resize(son, self.stages[self.stage], _size(father))
            )
        loss = (restored - father).abs().mean()
        self.optimizer.zero_grad()
        loss.backward()
        # the first steps of a stage would otherwise throw away what was learned before
        nn.utils.clip_grad_norm_(self.network.parameters(), 0.1)
        self.optimizer.step()
        stage = self.stage
        self.step += 1
        if self.stage > stage:
            self._next_stage()
        return {"loss": loss.detach()}

    def father_and_son(
        self,
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b c _h _w"]]:
        """A batch of random crops of fathers, oriented at random, and their sons."""
        scale = self.stages[self.stage]
        smallest = min(min(father.shape[-2:]) for father in self.fathers)
        side = min(round(self.settings.crop * max(scale)), smallest)
        crops = []
        for _ in range(self.settings.batch):
            father = self.fathers[self._below(len(self.fathers))]
            orientation = self._below(8) if self.settings.augment else 0
            crops.append(
                orient(random_crop(father, (side, side), self.rng), orientation)
            )
        father = torch.stack(crops)
        return father, self._son(father)

    def _son(self, father: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c _h _w"]:
        """The father as a poor camera sees it: blurred, subsampled, and spoilt."""
        scale = self.stages[self.stage]
        son = blur_and_subsample(father, self._kernel(scale), scale)
        if self.settings.noise > 0:
            # the son of a noisy father is too clean: the image itself is not
            son = add_noise(son, self.settings.noise, self.rng)
        if self.settings.jpeg_quality is not None:
            son = torch.stack([jpeg(one, self.settings.jpeg_quality) for one in son])
        return son

    def _warm_up_and_cosine(self) -> float:
        """From 0 to 1 over the first 15% of a stage, then down to 0 along a cosine."""
        progress = (self.step + 1) * len(self.stages) / self.total_steps - self.stage
        if progress < 0.15:
            return progress / 0.15
        return 0.5 + 0.5 * math.cos(math.pi * min((progress - 0.15) / 0.85, 1))

    def _below(self, n: int) -> int:
        return int(torch.randint(n, (), generator=self.rng))

    def _fathers(self) -> list[Image]:
        side = round(self.settings.crop * max(self.stages[self.stage]))
        return [
            father
            for image in self.images
            for father in pyramid(image, self.settings.father_scales, min_side=side)
        ]

    def _next_stage(self) -> None:
        """Let what was learned enlarge the fathers (paper, section 3)."""
        scale = self.stages[self.stage - 1]
        for i, low in enumerate(self.windows):
            high = self._raw(low, scale, _size(low, scale))
            self.images[i] = self._back_project(high, low, scale).clamp(0, 1)
        self.fathers = self._fathers()

    def _kernel(self, scale: tuple[float, float]) -> str | Kernel2d:
        """The kernel between the image and one so many times larger.

        A blur kernel is given on the pixels of the final result; on those of a smaller
        one it is smaller in proportion.
        """
        if isinstance(self.kernel, str) or scale == self.scale:
            return self.kernel
        ratio = (scale[0] / self.scale[0], scale[1] / self.scale[1])
        return resize(self.kernel[None], ratio)[0]

    def _raw(self, low: Image, scale: Scale, size: tuple[int, int]) -> Image:
        """The network's own output."""
        with torch.no_grad(), autocast(low.device, self.settings.bf16):
            return self.network(low[None], resize(low, scale, size)[None])[0]

    def _ensemble(self, low: Image, scale: Scale, size: tuple[int, int]) -> Image:
        """The mean of its outputs over the orientations that the problem allows."""
        total = torch.zeros(len(low), *size, device=low.device)
        orientations = self._orientations()
        for o in orientations:
            turned_size = (size[1], size[0]) if o % 2 else size
            total += orient_back(self._raw(orient(low, o), scale, turned_size), o)
        return total / len(orientations)

    def _orientations(self) -> list[int]:
        """Those that leave kernel and grid as they are: a turned image must be one that
        the same camera could have taken."""
        extent = zip(self.scale, self.image.shape[-2:], self.size, strict=True)
        if any(abs(s * n - wanted) > 1e-6 for s, n, wanted in extent):
            return [0]  # the last pixels are cut: turned, the first would be
        step = 1 if self.scale[0] == self.scale[1] else 2  # by half turns alone
        allowed = ORIENTATIONS[::step]
        if isinstance(self.kernel, str):
            return list(allowed)
        tolerance = 1e-2 * self.kernel.abs().max()
        return [
            o
            for o in allowed
            if (turned := orient(self.kernel, o)).shape == self.kernel.shape
            and (turned - self.kernel).abs().max() < tolerance
        ]

    def _back_project(
        self, high: Image, low: Image, scale: tuple[float, float]
    ) -> Image:
        """Back-projection, where the image is clean enough to be believed."""
        if self.settings.noise > 0 or self.settings.jpeg_quality is not None:
            return high
        times = self.settings.back_projections
        return back_project(high, low, self._kernel(scale), scale, times)

    def raw(self) -> Image:
        """The network's own output at the wanted size: what it has learned so far.

        Returns
        -------
        Image
            Float[Tensor, "c h2 w2"] in [0, 1].
        """
        return self._whole_or_tiled(lambda low, size: self._raw(low, self.scale, size))

    def super_resolve(self) -> Image:
        """The image at the wanted size, by what was learned so far.

        The mean of the network's outputs over eight orientations (fewer where kernel or
        grid are not symmetric), then back-projection, unless the image is noisy.

        Returns
        -------
        Image
            Float[Tensor, "c h2 w2"] in [0, 1].
        """
        return self._whole_or_tiled(self._final)

    def _final(self, low: Image, size: tuple[int, int]) -> Image:
        return self._back_project(
            self._ensemble(low, self.scale, size), low, self.scale
        )

    def results(self) -> dict[str, Image]:
        """The result step by step, and beside it what needs no network.

        Returns
        -------
        dict of str to Image
            ``bicubic``; ``bicubic + back-projection`` with the same kernel, the control
            that a network must beat, at the twenty iterations that suit it best;
            ``raw``, the network's own output; ``raw + back-projection``; ``ensemble``,
            the mean over orientations; ``final``, what :meth:`super_resolve` returns.
        """
        scale, kernel = self.scale, self.kernel

        def control(low: Image, size: tuple[int, int]) -> Image:
            return back_project(resize(low, scale, size), low, kernel, scale)

        def raw(low: Image, size: tuple[int, int]) -> Image:
            return self._raw(low, scale, size)

        versions = {
            "bicubic": lambda low, size: resize(low, scale, size),
            "bicubic + back-projection": control,
            "raw": raw,
            "raw + back-projection": lambda low, size: self._back_project(
                raw(low, size), low, scale
            ),
            "ensemble": lambda low, size: self._ensemble(low, scale, size),
            "final": self._final,
        }
        return {name: self._whole_or_tiled(make) for name, make in versions.items()}

    def _whole_or_tiled(self, make: Callable[[Image, tuple[int, int]], Image]) -> Image:
        """What ``make`` makes of the image, given it and the size that is wanted."""
        if not _tiled(self.image, self.scale):
            return make(self.image, self.size).clamp(0, 1)
        factors = (int(self.scale[0]), int(self.scale[1]))
        return tile_by_tile(
            lambda tile: make(tile, _size(tile, self.scale)).clamp(0, 1),
            self.image,
            factors,
            TILE,
            TILE_MARGIN,
        )

    def arguments(self) -> dict[str, Any]:
        """What, beside the image, it was constructed with."""
        return {
            "scale": self.scale,
            "kernel": self.kernel,
            "settings": self.settings,
            "size": self.size,
        }

    def state_dict(self) -> dict[str, Any]:
        """All that carrying on needs."""
        state = {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.get_state(),
            "images": self.images,
        }
        return copy.deepcopy(state)  # torch hands out the tensors that it trains

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state that :meth:`state_dict` gave."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.rng.set_state(state["rng"])
        self.images = [image.to(self.image.device) for image in state["images"]]
        self.fathers = self._fathers()


class ResidualNetwork(nn.Module):
    """Convolutions on the small grid and a pixel shuffle: what interpolation lacks."""

    def __init__(
        self, channels: int, width: int, depth: int, factor: int, rng: torch.Generator
    ) -> None:
        super().__init__()
        self.factor = factor
        last = channels * factor**2
        sizes = [channels] + [width] * (depth - 1) + [last]
        # skip_init: torch's own initialisation would draw from the user's random state
        convolutions: list[Any] = [
            nn.utils.skip_init(nn.Conv2d, before, after, 3, padding=1)
            for before, after in itertools.pairwise(sizes)
        ]
        for convolution in convolutions:
            nn.init.kaiming_normal_(convolution.weight, a=SLOPE, generator=rng)
            nn.init.zeros_(convolution.bias)
        with torch.no_grad():
            for convolution in convolutions[1:-1]:
                convolution.weight.mul_(0.3)  # small steps from one layer to the next
            # nothing to add at first: learning starts from the interpolated image
            convolutions[-1].weight.zero_()
        self.convolutions = nn.ModuleList(convolutions)

    def forward(
        self, low: Float[Tensor, "b c _h _w"], interpolated: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b c h w"]:
        """The enlarged batch, given it and its interpolation."""
        first, *hidden, last = self.convolutions
        x = F.leaky_relu(
            first(low.contiguous(memory_format=torch.channels_last)), SLOPE
        )
        for convolution in hidden:
            # without 'x +', noisy gradients shrink the signal until bicubic is left
            x = x + F.leaky_relu(convolution(x), SLOPE)
        residual = F.pixel_shuffle(last(x).float(), self.factor)
        size = (interpolated.shape[-2], interpolated.shape[-1])
        return interpolated + resize(residual, size=size)


def _stages(scale: tuple[float, float], gradual: int) -> list[tuple[float, float]]:
    """Scales from 1, exclusive, to the final one, evenly."""
    steps = [(k + 1) / gradual for k in range(gradual - 1)]
    between = [(1 + t * (scale[0] - 1), 1 + t * (scale[1] - 1)) for t in steps]
    return [*between, scale]


def _size(image: Tensor, scale: tuple[float, float] = (1, 1)) -> tuple[int, int]:
    return round(scale[0] * image.shape[-2]), round(scale[1] * image.shape[-1])


def _windows(image: Image, rng: torch.Generator) -> list[Image]:
    """What is learned from: the image, or random windows of one that is large."""
    if image.shape[-2] * image.shape[-1] <= WHOLE_PIXELS:
        return [image]
    return [
        random_crop(image, (TILE, TILE), rng) for _ in range(WHOLE_PIXELS // TILE**2)
    ]


def _tiled(image: Image, scale: tuple[float, float]) -> bool:
    """Whether it is large, and its tiles fall on whole pixels of the result."""
    whole = all(s == int(s) for s in scale)
    return whole and image.shape[-2] * image.shape[-1] > WHOLE_PIXELS


def _check_memory(
    image: Image, scale: tuple[float, float], size: tuple[int, int], width: int
) -> None:
    tiled = _tiled(image, scale)
    pixels = TILE**2 if tiled else image.shape[-2] * image.shape[-1]
    shuffled = len(image) * math.ceil(max(scale)) ** 2  # channels of the last layer
    result = 4 * len(image) * size[0] * size[1]
    network = 4 * (4 * width * (pixels + 9 * shuffled) + 3 * shuffled * pixels)
    needed = (3 if tiled else 6) * result + network + 5e8
    if needed > MEMORY_LIMIT:
        raise ValueError(
            f"scale: a result of {size[0]} x {size[1]} pixels from {image.shape[-2]} x "
            f"{image.shape[-1]} needs about {needed / 1e9:.3g} GB, expected at most "
            f"{MEMORY_LIMIT / 1e9:.0f}; take a smaller "
            + ("scale or image" if tiled else "image, or a whole scale such as 2")
        )
