"""External super-resolution: three networks that are trained on other images.

With pairs of an image X and its degraded copy d(X), a network f with weights theta
minimises

    min over theta of  mean over X of | f_theta(d(X)) - X | .

:mod:`dil_teach.deep.external_sr.networks` has the networks of three papers: SRCNN, VDSR
and EDSR. EDSR+ is the mean of EDSR's outputs for the eight orientations of the image.

Departures from the papers: the loss of all three is L1, as in EDSR (SRCNN and VDSR use
L2). Adam has a warm-up, cosine decay and gradient clipping. The result uses the
exponential moving average of the weights. The weights that ship were trained on nearly
the 291 pictures of VDSR (``data/train_external_sr.py``); the authors of EDSR use the
800 pictures of DIV2K.
"""

import dataclasses
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from dil_teach.deep.external_sr.networks import NETWORKS, Batch, Network
from dil_teach.image.augment import ORIENTATIONS, orient, orient_back, random_below
from dil_teach.image.convention import Image, Video, check_image, check_images
from dil_teach.image.kernel import Kernel2d
from dil_teach.image.metrics import luma
from dil_teach.image.resize import blur_and_subsample, resize
from dil_teach.image.shipped import shipped
from dil_teach.training.adam import Adam
from dil_teach.training.checkpoint import digest
from dil_teach.training.conditions import repeatable, same_conditions
from dil_teach.training.loop import all_steps_taken
from dil_teach.training.schedules import (
    schedule,
    set_learning_rate,
    update,
    update_average,
)
from dil_teach.training.settings import check_settings
from dil_teach.training.tiles import by_tiles

WARM_UP = 0.02
"""Fraction of the steps in which the learning rate rises."""
KEEP = 0.999
"""Decay of the moving average of the weights."""


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
    """Side of the high-resolution crops in pixels, rounded down to a multiple of the
    scale."""
    learning_rate: float = 5e-4
    """Learning rate of Adam after the warm-up."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self, steps=1, batch=1, crop=12, learning_rate=1e-6)


@repeatable
class ExternalTraining:
    """Training of one external network on tiles of many pictures.

    Parameters
    ----------
    image : Float[Tensor, "n 3 h w"]
        RGB tiles of the training pictures, in [0, 1]. The sides are divisible by 12,
        because the scales are 2, 3 and 4, and not smaller than a crop.
    settings : ExternalSettings
        Network, degradation, budget and seed.
    weights : dict of str to Tensor, optional
        Weights to start from, for fine-tuning.

    Raises
    ------
    ValueError
        If the tiles have another shape or values outside [0, 1].
    """

    STATE = ("step", "network", "average", "optimizer", "rng")

    def __init__(
        self,
        image: Video,
        settings: ExternalSettings = ExternalSettings(),
        weights: dict[str, Tensor] | None = None,
    ) -> None:
        image = check_images(
            image, "image", (3,), min_side=settings.crop, constant=True
        )
        if any(side % 12 for side in image.shape[2:]):
            raise ValueError(
                "image: expected tiles with sides divisible by 12, got "
                f"{image.shape[2]} x {image.shape[3]}; cut other tiles"
            )
        self.image, self.settings = image, settings
        self.arguments: dict[str, Any] = {"settings": settings, "weights": weights}
        self.step, self.total_steps = 0, settings.steps
        self.rng = torch.Generator().manual_seed(settings.seed)
        kind = NETWORKS[settings.network]
        self.network, self.average = (kind(self.rng).to(image.device) for _ in range(2))
        if weights:
            self.network.load_state_dict(weights)
        self.average.load_state_dict(self.network.state_dict())
        self.optimizer = Adam(self.network.parameters())
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
        # a short memory at first, so that the average forgets the initial weights
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
        The name of a network whose weights are in ``data/external_sr``, or a
        safetensors file with a network's weights, which are compared with the value
        ``sha256`` of its metadata, if there is one. Published weights of VDSR, with the
        layers ``input``, ``residual_layer.N.conv`` and ``output``, can be loaded too.

    Raises
    ------
    FileNotFoundError
        If the file does not exist, or the weights of this network do not ship.
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
        with safe_open(path, "pt") as file:
            hashed = (file.metadata() or {}).get("sha256")
            weights = {name: file.get_tensor(name) for name in file.keys()}
        if hashed is not None and hashed != digest(None, weights):
            raise ValueError("its weights do not match its SHA-256")
    except (SafetensorError, ValueError) as error:
        raise ValueError(
            f"{path}: expected a safetensors file, got a damaged file or "
            f"one of another format ({error}); convert it, or download it again"
        ) from None
    weights = {name: w.float() for name, w in weights.items()}
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


@same_conditions()
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
    image = check_image(image)
    if scale not in network.scales:
        raise ValueError(
            f"scale: {type(network).__name__} was trained for "
            f"{' and '.join(map(str, network.scales))}, got {scale}; ZSSR learns any"
        )
    grey = network.channels == 1
    given = luma(image).float() if grey else image.expand(3, -1, -1)
    orientations = ORIENTATIONS if ensemble else ORIENTATIONS[:1]

    def draw(part: Image, size: tuple[int, int]) -> Image:
        result = part.new_zeros(len(part), *size)
        for o in orientations:
            output = orient_back(network(orient(part, o)[None], scale)[0], o)
            result += output / len(orientations)
        return result

    size = scale * image.shape[-2], scale * image.shape[-1]
    result = by_tiles(given, (scale, scale), size, draw)
    if grey:
        interpolated = resize(given, scale)
        # with the same chroma, a luma change of d changes R, G and B by 255 / 219 d
        change = (result - interpolated) * 255 / 219
        return (resize(image, scale) + change).clamp(0, 1)
    return (result.mean(0, keepdim=True) if len(image) == 1 else result).clamp(0, 1)
