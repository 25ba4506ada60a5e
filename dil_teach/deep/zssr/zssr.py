"""ZSSR: 'Zero-Shot' Super-Resolution using Deep Internal Learning.

Shocher, Cohen and Irani, CVPR 2018. A small network f learns at test time, from the
test image I alone, to undo the downscaling d that made I. Fathers F are crops of I and
of smaller copies of I. The son of F is d(F). The objective and the result are

    min over theta of  sum over F of | f_theta(d(F)) - F | ,     X = f_theta(I) .

Departures from the paper; ``benchmarks/zssr.py`` measures their joint effect. The
network works on the low-resolution grid and ends in a pixel shuffle; the paper's
network works on the interpolated image. Hidden layers have residual connections and the
leaky ReLU. Batches consist of small crops. The learning rate has a warm-up and a cosine
decay. Fathers are cut from the largest result so far. The result is the mean over eight
orientations; the paper takes the median. For kernels that clearly invert contrast,
:mod:`dil_teach.classical.least_squares` replaces back-projection, which diverges.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dil_teach.classical.back_projection import back_project
from dil_teach.classical.least_squares import correct_by_least_squares, inverts_contrast
from dil_teach.deep.zssr.memory import check_memory
from dil_teach.deep.zssr.network import ResidualNetwork, enlarge
from dil_teach.image.augment import (
    allowed_orientations,
    orient,
    random_below,
    random_crop,
)
from dil_teach.image.convention import Image, check_image, own_copy
from dil_teach.image.degradation import degrade, kernel_at
from dil_teach.image.kernel import Kernel2d, check_fits
from dil_teach.image.resize import prepare_kernel, pyramid, resize
from dil_teach.image.scale import Scale, scale_and_size
from dil_teach.training.adam import Adam
from dil_teach.training.conditions import repeatable
from dil_teach.training.loop import all_steps_taken
from dil_teach.training.schedules import schedule, set_learning_rate
from dil_teach.training.settings import budget, check_settings
from dil_teach.training.state import load_attributes
from dil_teach.training.tiles import by_tiles, is_tiled, windows

MIN_SIDE = 16
"""Smallest side of the given image in pixels."""
CHANNELS = tuple(range(1, 9))
"""Accepted numbers of channels. More than photographs have, because the network learns
from the given image alone."""
LARGE_ENSEMBLE = 2
"""Number of orientations for an image that is enlarged by tiles: eight would take
hours."""
WARM_UP = 0.15
"""The learning rate rises during this fraction of a stage's steps."""


@dataclasses.dataclass(frozen=True)
class ZSSRSettings:
    """Settings with the budgets ``quick()``, ``standard()`` and ``full()``."""

    steps: int = 500
    """Number of training steps."""
    gradual: int = 2
    """Number of stages. Each stage has a larger scale than the stage before. The
    fathers of the next stage are cut from the result of a stage (paper, section 3)."""
    depth: int = 8
    """Number of 3 x 3 convolutions. The receptive field has 2 * depth + 1 pixels a
    side at low resolution."""
    width: int = 64
    """Number of channels of the hidden layers."""
    learning_rate: float = 3e-3
    """Learning rate of Adam at the end of each stage's warm-up."""
    crop: int = 24
    """Side of the sons in pixels."""
    batch: int = 2
    """Number of father-son pairs in each step."""
    father_scales: tuple[float, ...] = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
    """Scales of the image copies from which fathers are cropped."""
    augment: bool = True
    """Whether fathers are flipped and rotated to eight orientations."""
    noise: float = 0.0
    """Standard deviation, in [0, 1], of the noise that is added to the sons. Use this
    setting for noisy images (paper, section 3), and for an estimated kernel of motion
    (``KernelChoice.noise``). A value above 0 turns off back-projection, which would
    restore the noise, but not least squares."""
    jpeg_quality: int | None = None
    """Sons' JPEG quality for compressed images; any value turns off the correction."""
    back_projections: int = 3
    """Number of back-projection iterations on the network's output. With a wide blur,
    more iterations amplify the rounding errors of the image. For kernels that invert
    contrast, such as most motion blurs, least squares replace them; 0 turns off both.
    """
    bf16: bool = True
    """Whether convolutions use bfloat16 where the processor supports it."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self, steps=1, gradual=1, width=1, crop=1, batch=1)
        check_settings(self, depth=2, back_projections=0, learning_rate=1e-6)
        if not self.father_scales or not all(0 < s <= 1 for s in self.father_scales):
            raise ValueError(
                "settings: expected father_scales above 0 and at most 1, got "
                f"{self.father_scales}; try (1.0, 0.8)"
            )
        quality = 95 if self.jpeg_quality is None else self.jpeg_quality
        if not 0 <= self.noise <= 1 or not 1 <= quality <= 95:
            raise ValueError(
                "settings: expected noise in [0, 1] (divide grey levels by 255) and "
                f"jpeg_quality from 1 to 95, got {self.noise} and {self.jpeg_quality}"
            )

    quick = budget("Settings for a quick run: 8 CPU seconds for 128 x 128 pixels.")
    standard = budget("Settings for good results: about 20 CPU seconds.", steps=1600)
    full = budget("Settings for the best quality: about 50 CPU seconds.", steps=4000)


@repeatable
class ZSSR:
    """A super-resolution network trained on the one image that it enlarges.

    ``fit(ZSSR(image)).super_resolve()`` doubles an image. The network trains on the
    image's device. On one CPU, the same seed gives the same bits.

    A ValueError is raised if an argument cannot be used, or the result would need too
    much memory.

    Parameters
    ----------
    image : Image
        The low-resolution image, Float[Tensor, "c h w"] in [0, 1]: grey, RGB, or up to
        8 channels of a microscope or a multispectral camera.
    scale : float or (float, float)
        Scale factor of height and width, at least 1.
    kernel : str or Float["kh kw"]
        The downscaling that made the image: the name of an antialiased interpolation,
        or a blur kernel at the resolution of the result, as in
        :func:`dil_teach.image.resize.blur_and_subsample`.
    settings : ZSSRSettings
        The training budget, the size of the network and the seed.
    size : (int, int), optional
        Height and width of the result in pixels, instead of a scale.
    """

    STATE = ("step", "network", "optimizer", "rng", "images")

    def __init__(
        self,
        image: Image,
        scale: Scale = 2,
        kernel: str | Kernel2d = "bicubic",
        settings: ZSSRSettings = ZSSRSettings.quick(),  # noqa: B008 (frozen)
        size: tuple[int, int] | None = None,
    ) -> None:
        image = check_image(image, channels=CHANNELS, min_side=MIN_SIDE)
        if settings.jpeg_quality is not None and len(image) not in (1, 3):
            raise ValueError(
                "jpeg_quality: expected a grey or RGB image, as in a JPEG file, got "
                f"{len(image)} channels; leave out jpeg_quality"
            )
        self.image = image = own_copy(image)
        self.scale, self.size = scale_and_size(
            _size(image), scale if size is None else None, size
        )
        self.kernel = prepare_kernel(kernel, self.scale)
        if not isinstance(self.kernel, str):
            check_fits(self.kernel, self.size)
        check_memory(image, self.scale, self.size, settings.width)
        steps = [(k + 1) / settings.gradual for k in range(settings.gradual - 1)]
        rows, columns = self.scale
        between = [(1 + t * (rows - 1), 1 + t * (columns - 1)) for t in steps]
        self.stages = [*between, self.scale]
        self.orientations = allowed_orientations(
            self.kernel, self.scale, _size(image), self.size
        )
        if is_tiled(image, self.scale):
            self.orientations = self.orientations[:LARGE_ENSEMBLE]
        self.settings, self.step, self.total_steps = settings, 0, settings.steps
        names = ("scale", "kernel", "settings", "size")
        self.arguments = {name: getattr(self, name) for name in names}
        self.rng = torch.Generator().manual_seed(settings.seed)
        self.network = ResidualNetwork(
            len(image),
            settings.width,
            settings.depth,
            math.ceil(max(self.scale)),
            self.rng,
            settings.bf16,
        ).to(image.device)
        self.optimizer = Adam(self.network.parameters(), betas=(0.9, 0.99))
        self.windows = windows(image, self.rng)
        # fathers are cut from these images; each stage replaces them by larger ones
        self.images = list(self.windows)
        self.fathers = self._fathers()

    done = all_steps_taken

    @property
    def stage(self) -> int:
        """Index of the current stage, from 0."""
        stage = self.step * len(self.stages) // self.total_steps
        return min(stage, len(self.stages) - 1)

    def train_step(self) -> dict[str, Tensor]:
        """Enlarge sons, compare them with their fathers, update the network."""
        set_learning_rate(self.optimizer, self._learning_rate())
        father, son = self.father_and_son()
        interpolated = resize(son, self.stages[self.stage], _size(father))
        restored = self.network(son, interpolated)
        loss = (restored - father).abs().mean()
        self.optimizer.zero_grad()
        loss.backward()
        # large gradients at the start of a stage would undo the previous stage
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
        """A batch of fathers (crops in random orientations), and their sons."""
        scale = self.stages[self.stage]
        smallest = min(min(father.shape[-2:]) for father in self.fathers)
        side = min(round(self.settings.crop * max(scale)), smallest)
        crops = []
        for _ in range(self.settings.batch):
            father = self.fathers[random_below(len(self.fathers), self.rng)]
            orientation = random_below(8, self.rng) if self.settings.augment else 0
            crop = random_crop(father, (side, side), self.rng)
            crops.append(orient(crop, orientation))
        father = torch.stack(crops)
        noise, quality = self.settings.noise, self.settings.jpeg_quality
        kernel = kernel_at(scale, self.kernel, self.scale)
        return father, degrade(father, kernel, scale, noise, quality, self.rng)

    def _learning_rate(self) -> float:
        """The learning rate: warm-up and cosine decay in each stage."""
        progress = (self.step + 1) * len(self.stages) / self.total_steps - self.stage
        return self.settings.learning_rate * schedule(progress, WARM_UP, WARM_UP)

    def _fathers(self) -> list[Image]:
        side = round(self.settings.crop * max(self.stages[self.stage]))
        return [
            father
            for image in self.images
            for father in pyramid(image, self.settings.father_scales, min_side=side)
        ]

    def _next_stage(self) -> None:
        """Enlarge the images from which fathers are cut (paper, section 3)."""
        scale = self.stages[self.stage - 1]
        for i, low in enumerate(self.windows):
            kernel = kernel_at(scale, self.kernel, self.scale)
            high = enlarge(self.network, low, scale, _size(low, scale))
            high = make_consistent(high, low, kernel, scale, self.settings)
            self.images[i] = high.clamp(0, 1)
        self.fathers = self._fathers()

    def super_resolve(self) -> Image:
        """The image at the requested size, after the steps taken so far.

        The result, in [0, 1], is the mean of the network's outputs for eight
        orientations, or fewer if the kernel or scale is not symmetric or the image has
        more than a megapixel. A correction follows (:func:`make_consistent`).
        """
        return self._result(self.orientations)

    def raw(self) -> Image:
        """The network's output, without ensemble and back-projection."""
        return self._result([0], corrected=False)

    def _result(self, orientations: Sequence[int], corrected: bool = True) -> Image:
        """The enlarged image in [0, 1], computed tile by tile."""

        def draw(low: Image, size: tuple[int, int]) -> Image:
            high = enlarge(self.network, low, self.scale, size, orientations)
            if corrected:
                high = make_consistent(
                    high, low, self.kernel, self.scale, self.settings
                )
            return high.clamp(0, 1)

        return by_tiles(self.image, self.scale, self.size, draw)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state, and compute the fathers from it."""
        load_attributes(self, state, self.STATE)
        scale = self.stages[self.stage - 1] if self.stage else (1, 1)
        sizes = [_size(window, scale) for window in self.windows]
        if [_size(image) for image in self.images] != sizes:
            raise ValueError("images: other sizes than those of the stage")
        self.fathers = self._fathers()


def make_consistent(
    high: Image,
    low: Image,
    kernel: str | Kernel2d,
    scale: Scale,
    settings: ZSSRSettings,
) -> Image:
    """Correct an enlarged image until its downscaled copy equals the given image.

    A compressed image is not corrected, because its artefacts would come back. A noisy
    image is corrected only if the kernel inverts contrast. Then least squares, which
    allow for noise, replace back-projection, which would restore the noise.
    """
    if settings.back_projections == 0 or settings.jpeg_quality is not None:
        return high
    if not isinstance(kernel, str) and inverts_contrast(kernel):
        return correct_by_least_squares(high, low, kernel, scale, settings.noise)
    if settings.noise > 0:
        return high
    return back_project(high, low, kernel, scale, settings.back_projections)


def _size(image: Tensor, scale: tuple[float, float] = (1, 1)) -> tuple[int, int]:
    return round(scale[0] * image.shape[-2]), round(scale[1] * image.shape[-1])
