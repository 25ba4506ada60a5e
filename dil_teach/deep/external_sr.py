"""External super-resolution: three networks that are trained on other images.

- SRCNN: Dong, Loy, He and Tang, 'Learning a deep convolutional network for image
  super-resolution', ECCV 2014. Three convolutions (9-5-5) on the interpolated luma.
- VDSR: Kim, Lee and Lee, 'Accurate image super-resolution using very deep convolutional
  networks', CVPR 2016. Twenty convolutions predict the residual of the luma.
- EDSR: Lim, Son, Kim, Nah and Lee, 'Enhanced deep residual networks for single image
  super-resolution', CVPRW 2017. The baseline size: 16 residual blocks of 64 channels on
  the low-resolution RGB image, and a pixel shuffle. EDSR+ is the mean of its outputs
  for the eight orientations of the image.

With pairs of an image X and its degraded copy d(X), all three minimise

    min over theta of  mean over X of | f_theta(d(X)) - X | .

The architectures are those of the papers. Departures in the training: the loss of all
three is L1, as in EDSR (SRCNN and VDSR use L2); Adam with warm-up, cosine decay and
gradient clipping; the result uses the exponential moving average of the weights.
"""

import dataclasses
import itertools
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dil_teach.image.augment import ORIENTATIONS, orient, orient_back, random_below
from dil_teach.image.convention import Image, Video, check_image
from dil_teach.image.kernel import Kernel2d
from dil_teach.image.metrics import luma
from dil_teach.image.resize import blur_and_subsample, resize
from dil_teach.image.shipped import shipped
from dil_teach.training.loop import all_steps_taken
from dil_teach.training.networks import convolution
from dil_teach.training.precision import autocast
from dil_teach.training.schedules import (
    adam,
    schedule,
    set_learning_rate,
    update,
    update_average,
)
from dil_teach.training.settings import check_settings

Batch = Float[Tensor, "b c _h _w"]
WARM_UP = 0.02
"""Fraction of the steps in which the learning rate rises."""
KEEP = 0.999
"""Decay of the moving average of the weights."""
MEAN_RGB = (0.4488, 0.4371, 0.4040)
"""Mean colour that EDSR subtracts: the mean colour of DIV2K, from the authors' code."""


class SRCNN(nn.Module):
    """Patch extraction, nonlinear mapping and reconstruction, on interpolated luma."""

    channels, scales = 1, (2,)

    def __init__(self, rng: torch.Generator) -> None:
        super().__init__()
        self.extract = convolution(1, 64, 9, 1, rng)
        self.map = convolution(64, 32, 5, 1, rng)
        self.reconstruct = convolution(32, 1, 5, 1, rng)

    def forward(self, low: Batch, scale: int) -> Batch:
        """The enlarged luma of a batch."""
        x = resize(low, scale).contiguous(memory_format=torch.channels_last)
        with autocast(low.device):
            x = F.relu(self.map(F.relu(self.extract(x)))).float()
        return self.reconstruct(x)


class VDSR(nn.Module):
    """Twenty convolutions without bias predict the residual of the luma."""

    channels, scales = 1, (2, 3, 4)

    def __init__(self, rng: torch.Generator) -> None:
        super().__init__()
        widths = [1] + [64] * 19 + [1]
        layers: list[Any] = [
            nn.utils.skip_init(nn.Conv2d, before, after, 3, padding=1, bias=False)
            for before, after in itertools.pairwise(widths)
        ]
        for layer in layers:  # the paper's initialisation, of He et al. 2015
            nn.init.kaiming_normal_(
                layer.weight, mode="fan_out", nonlinearity="relu", generator=rng
            )
        self.layers = nn.ModuleList(layers)

    def forward(self, low: Batch, scale: int) -> Batch:
        """The enlarged luma of a batch."""
        interpolated = resize(low, scale)
        *hidden, last = self.layers
        with autocast(low.device):
            x = interpolated.contiguous(memory_format=torch.channels_last)
            for layer in hidden:
                x = F.relu(layer(x))
            return interpolated + last(x).float()


class EDSR(nn.Module):
    """Residual blocks without batch normalisation, on the low-resolution RGB image."""

    channels, scales = 3, (2,)

    def __init__(self, rng: torch.Generator, width: int = 64, blocks: int = 16) -> None:
        super().__init__()
        self.head = convolution(3, width, 3, 1, rng)
        self.blocks: Any = nn.ModuleList(
            nn.ModuleList(convolution(width, width, 3, 1, rng) for _ in range(2))
            for _ in range(blocks)
        )
        self.body = convolution(width, width, 3, 1, rng)
        self.enlarge = convolution(width, 4 * width, 3, 1, rng)
        self.tail = convolution(width, 3, 3, 1, rng)

    def forward(self, low: Batch, scale: int = 2) -> Batch:
        """The batch at twice the size; other scales are not trained."""
        mean = low.new_tensor(MEAN_RGB)[:, None, None]
        with autocast(low.device):
            x = (low - mean).contiguous(memory_format=torch.channels_last)
            x = first = self.head(x)
            for one, two in self.blocks:
                x = x + two(F.relu(one(x)))
            x = first + self.body(x)
            x = F.pixel_shuffle(self.enlarge(x), 2)
            return self.tail(x).float() + mean


Network = SRCNN | VDSR | EDSR
NETWORKS = {"srcnn": SRCNN, "vdsr": VDSR, "edsr": EDSR}


@dataclasses.dataclass(frozen=True)
class ExternalSettings:
    """Settings of the training of an external network."""

    network: Literal["srcnn", "vdsr", "edsr"] = "edsr"
    kernel: str | Kernel2d = "bicubic"
    """The degradation d that makes the low-resolution images."""
    steps: int = 30_000
    """Number of training steps."""
    batch: int = 16
    """Number of crops in each step."""
    crop: int = 48
    """Side of the high-resolution crops in pixels; divisible by all scales."""
    learning_rate: float = 5e-4
    """Learning rate of Adam after the warm-up."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self, steps=1, batch=1, crop=12)


class ExternalTraining:
    """Training of one external network on tiles of many pictures.

    Parameters
    ----------
    image : Float[Tensor, "n 3 h w"]
        RGB tiles of the training pictures, in [0, 1]; sides divisible by 12.
    settings : ExternalSettings
        Network, degradation, budget and seed.
    weights : dict of str to Tensor, optional
        Weights to start from, for fine-tuning.
    """

    STATE = ("step", "network", "average", "optimizer", "rng")

    def __init__(
        self,
        image: Video,
        settings: ExternalSettings = ExternalSettings(),
        weights: dict[str, Tensor] | None = None,
    ) -> None:
        self.image, self.settings = image, settings
        self.arguments: dict[str, Any] = {"settings": settings, "weights": weights}
        self.step, self.total_steps = 0, settings.steps
        self.rng = torch.Generator().manual_seed(settings.seed)
        kind = NETWORKS[settings.network]
        self.network, self.average = (kind(self.rng).to(image.device) for _ in "12")
        if weights:
            self.network.load_state_dict(weights)
        self.average.load_state_dict(self.network.state_dict())
        self.optimizer = adam(self.network.parameters(), image.device)
        self.high = image
        if kind.channels == 1:
            self.high = torch.stack([luma(tile).float() for tile in image])
        self.low = {
            scale: _rounded(blur_and_subsample(self.high, settings.kernel, scale))
            for scale in kind.scales
        }

    done = all_steps_taken

    def train_step(self) -> dict[str, Tensor]:
        """Enlarge degraded crops, compare them with the crops, update the network."""
        progress = (self.step + 1) / self.total_steps
        rate = self.settings.learning_rate * schedule(progress, WARM_UP, WARM_UP)
        set_learning_rate(self.optimizer, rate)
        low, high, scale = self.pairs()
        loss = (self.network(low, scale) - high).abs().mean()
        update(self.optimizer, loss, max_norm=0.1)
        update_average(self.average, self.network, min(KEEP, progress * 100))
        self.step += 1
        return {"loss": loss.detach()}

    def pairs(self) -> tuple[Batch, Batch, int]:
        """A batch of degraded crops, randomly oriented; the crops; and the scale."""
        scale = list(self.low)[random_below(len(self.low), self.rng)]
        side, tiles = self.settings.crop // scale, self.low[scale]
        low, high = [], []
        for _ in range(self.settings.batch):
            n = random_below(len(tiles), self.rng)
            y, x = (
                random_below(length - side + 1, self.rng) for length in tiles.shape[2:]
            )
            o = random_below(8, self.rng)
            low.append(orient(tiles[n, :, y : y + side, x : x + side], o))
            y, x, big = scale * y, scale * x, scale * side
            high.append(orient(self.high[n, :, y : y + big, x : x + big], o))
        return torch.stack(low), torch.stack(high), scale


def _rounded(images: Tensor) -> Tensor:
    """Values in [0, 1], rounded to eight bits as in a file."""
    return (images.clamp(0, 1) * 255).round() / 255


def load_external_network(source: str | Path) -> Network:
    """Load a trained network: one of this library's networks, or a network from a file.

    Parameters
    ----------
    source : {"srcnn", "vdsr", "edsr"} or path
        The name of a network, or a safetensors file with a network's weights. Published
        weights of VDSR, with the layers ``input``, ``residual_layer.N.conv`` and
        ``output``, can be loaded as well.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is no safetensors file, or its weights fit none of the networks.
    """
    path = Path(source)
    if source in NETWORKS:
        path = shipped(f"data/external_sr/{source}.safetensors")
    elif not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file; name one, or {', '.join(NETWORKS)}"
        )
    try:
        weights = {name: w.float() for name, w in load_file(path).items()}
    except SafetensorError as error:
        raise ValueError(
            f"{path}: expected a safetensors file, got another or a damaged file "
            f"({error}); convert it, or download it again"
        ) from None
    if "input.weight" in weights:  # the published names of VDSR
        middle = [f"residual_layer.{n}.conv.weight" for n in range(len(weights) - 2)]
        names = ["input.weight", *middle, "output.weight"]
        weights = {
            f"layers.{n}.weight": weights.get(name, torch.empty(0))
            for n, name in enumerate(names)
        }
    shapes = {name: w.shape for name, w in weights.items()}
    for kind in NETWORKS.values():
        network = kind(torch.Generator())
        if shapes == {name: w.shape for name, w in network.state_dict().items()}:
            network.load_state_dict(weights)
            return network.requires_grad_(False)
    raise ValueError(
        f"{path}: expected the weights of {', '.join(NETWORKS)}, got other layers "
        f"({', '.join(list(shapes)[:3])}, ...)"
    )


@torch.no_grad()
def super_resolve_with(
    network: Network, image: Image, scale: int = 2, ensemble: bool = False
) -> Image:
    """Enlarge an image with a network that was trained on other images.

    Parameters
    ----------
    network : SRCNN, VDSR or EDSR
        From :func:`load_external_network`. SRCNN and VDSR enlarge the luma; the colour
        is interpolated, as in their papers.
    image : Image
        Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    scale : int
        2; VDSR also 3 and 4.
    ensemble : bool
        Whether to average the outputs for the eight orientations: EDSR+.

    Returns
    -------
    Image
        Float[Tensor, "c h2 w2"] in [0, 1].

    Raises
    ------
    ValueError
        If the image cannot be used, or the network was not trained for this scale.
    """
    check_image(image)
    if scale not in network.scales:
        raise ValueError(
            f"scale: {type(network).__name__} was trained for "
            f"{' and '.join(map(str, network.scales))}, got {scale}; ZSSR learns any"
        )
    grey = network.channels == 1
    given = luma(image).float() if grey else image.expand(3, -1, -1)
    result = torch.zeros_like(resize(given, scale))
    orientations = ORIENTATIONS if ensemble else ORIENTATIONS[:1]
    for o in orientations:
        output = orient_back(network(orient(given, o)[None], scale)[0], o)
        result += output / len(orientations)
    if grey:
        # with the same chroma, a luma change of d changes R, G and B by 255 / 219 d
        change = (result - resize(given, scale)) * 255 / 219
        return (resize(image, scale) + change).clamp(0, 1)
    return (result.mean(0, keepdim=True) if len(image) == 1 else result).clamp(0, 1)
