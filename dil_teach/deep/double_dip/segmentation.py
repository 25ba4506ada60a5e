"""Segmentation by Double-DIP: Gandelsman, Shocher and Irani, CVPR 2019, section 4.1.

Two networks output the foreground and the background, and the mask is the opacity of
the foreground at each pixel:

    mean |mask * front + (1 - mask) * back - F|^2 + hint + start + border + binary,

with a weight for each penalty, see :meth:`Segmentation.train_step`.

Departures from the paper. F is not the image but the first ten principal components of
its texture features, because one network alone could output all colours of the image.
The mask is a small function of the features at each pixel instead of a third hourglass,
so that it cannot memorise positions. Missing hints are computed. The penalty "start"
compares the mask with a segmentation without networks, which repeats discriminant
analysis of the features and a graph cut. The weight of "start" falls to 0. After
training, a graph cut along the picture's edges makes the mask binary. In a video,
motion is one of the features, and the graph cuts use all frames.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dil_teach.classical.segmentation.region_growing import (
    final_cut,
    scaled,
    start_segmentation,
)
from dil_teach.deep.double_dip.double_dip import DoubleDIP, Network, Noise
from dil_teach.image.convention import Image, Video, check_images, own_copy
from dil_teach.training.conditions import repeatable
from dil_teach.training.loop import all_steps_taken
from dil_teach.training.networks import SLOPE, convolution
from dil_teach.training.settings import budget, check_settings

WIDTHS = (16, 32, 32)
"""Number of channels of the networks at each scale, the finest scale first."""
COMPONENTS = 10
"""Number of principal components that the networks output."""


@dataclass(frozen=True)
class SegmentationSettings:
    """Settings of :class:`Segmentation`: ``quick()``, ``standard()``, ``full()``."""

    steps: int = 60
    """Number of training steps."""
    learning_rate: float = 3e-2
    """Learning rate of Adam in the first half of the steps."""
    hint: float = 0.1
    """Weight of the hints: the mask should be 1 or 0 at marked pixels."""
    start: float = 0.1
    """Weight of the difference between the mask and a segmentation without networks.
    The weight falls to 0 during training."""
    border: float = 0.3
    """Weight of the length of the mask's boundary; a boundary at an image edge costs
    less than elsewhere."""
    binary: float = 0.1
    """Weight of mask * (1 - mask), which is 0 for a binary mask. The weight grows from
    0 during training."""
    seed: int = 0
    """Seed of the start, the weights, the network inputs and their noise."""

    def __post_init__(self) -> None:
        check_settings(self, steps=1, learning_rate=1e-6, hint=0, start=0)
        check_settings(self, border=0, binary=0)

    quick = budget("Settings for a quick run.")
    standard = budget("Settings for good results.", steps=150)
    full = budget("Settings for the best quality.", steps=600, learning_rate=2e-2)


@repeatable
class Segmentation:
    """Separates the foreground of an image, or of a video, from its background.

    ``fit(Segmentation(image)).mask()`` returns the mask.

    The attribute ``start`` contains the segmentation without networks and all hints. A
    ValueError is raised if the picture is constant or too small, or if a hint has the
    wrong size, marks no pixel, or leaves no pixel for the other hint.

    Parameters
    ----------
    image : Image or Video
        Float[Tensor, "c h w"], or the frames of a video, Float[Tensor, "t c h w"].
    foreground, background : Image or Video, optional
        Hints, Float[Tensor, "1 h w"], above 0.5 at pixels that belong to the layer. For
        a video, a hint is for the first frame, or it is (t, 1, h, w) with a hint for
        each frame. A missing hint is computed: salient pixels are foreground, and a
        strip along the border of the image is background.
    settings : SegmentationSettings
        The number of steps, the weights of the penalties and the seed.
    """

    STATE = ("step", "dip")

    def __init__(
        self,
        image: Image | Video,
        foreground: Image | Video | None = None,
        background: Image | Video | None = None,
        settings: SegmentationSettings = SegmentationSettings.quick(),  # noqa: B008
    ) -> None:
        film = not isinstance(image, Tensor) or image.ndim != 3
        pictures = image if film else image[None]
        min_side = 2 * 2 ** len(WIDTHS)
        check_images(pictures, "image", min_side=min_side)
        self.image, self.settings = own_copy(image), settings
        foreground, background = own_copy(foreground), own_copy(background)
        self.arguments = {
            "foreground": foreground,
            "background": background,
            "settings": settings,
        }
        self.step, self.total_steps = 0, settings.steps
        self.start = start_segmentation(
            self.image if film else self.image[None],
            foreground,
            background,
            settings.seed,
            min_side,
        )
        components = principal_components(self.start.features)
        rng = torch.Generator().manual_seed(settings.seed)
        self.dip = DoubleDIP(
            components,
            front=Network(components, rng, each=True, widths=WIDTHS),
            back=Network(components, rng, each=True, widths=WIDTHS),
            mask=FeatureMask(self.start.features, rng),
            rng=rng,
            steps=settings.steps,
            learning_rate=settings.learning_rate,
        )

    done = all_steps_taken

    def train_step(self) -> dict[str, Tensor]:
        """Draw layers, compare their composite with the features, update the layers."""
        progress, weight = self.step / self.total_steps, self.settings
        layers, known = self.dip.draw(), self.start
        reconstruction, mask = self.dip.reconstruction(layers), layers.mask
        hint = binary_cross_entropy(mask, known.foreground, known.background)
        start = binary_cross_entropy(mask, known.mask, 1 - known.mask)
        losses = {
            "reconstruction": reconstruction,
            "hint": weight.hint * hint,
            "start": weight.start * (1 - progress) * start,
            "border": weight.border * border(mask, known.small),
            "binary": weight.binary * progress * (mask * (1 - mask)).mean(),
        }
        losses = self.dip.update(layers, losses, self.step)
        self.step += 1
        return losses

    def mask(self) -> Image | Video:
        """The mask after the steps taken so far; its boundary follows image edges.

        The mask is Float[Tensor, "1 h w"], or (t, 1, h, w) for a video, in [0, 1]; 1 is
        foreground. The graph cut uses the learned mask and the difference between the
        errors of both networks at each pixel. In a video, the graph cut uses all
        frames, and the masks are averaged along the motion, so their edges are soft.
        If a side has more than 192 pixels, the mask of the smaller copy is enlarged. An
        image gets its border from cuts at full resolution, a video from the guided
        filter.
        """
        layers = self.dip.layers()
        front, back = (
            (layer - self.dip.image).square().sum(1, keepdim=True)
            for layer in (layers.front, layers.back)
        )
        logit = layers.mask.clamp(1e-3, 1 - 1e-3).logit()
        mask = final_cut(self.start, scaled(logit) + scaled(back - front))
        return mask if self.image.ndim == 4 else mask[0]


def binary_cross_entropy(mask: Tensor, front: Tensor, back: Tensor) -> Tensor:
    """The cross-entropy; both layers have the same weight, whatever their areas."""
    sure = mask.clamp(1e-4, 1 - 1e-4)
    in_front = (sure.log() * front).sum() / front.sum().clamp_min(1)
    in_back = ((1 - sure).log() * back).sum() / back.sum().clamp_min(1)
    return -in_front - in_back


def border(mask: Video, picture: Video) -> Float[Tensor, ""]:
    """The length of the mask's boundary, with less weight at strong image gradients."""
    steps = [picture.diff(dim=axis).square().sum(1, keepdim=True) for axis in (-1, -2)]
    mean = torch.cat([step.flatten() for step in steps]).mean().clamp_min(1e-12)
    lengths = [
        (mask.diff(dim=axis).abs() * torch.exp(-step / (2 * mean))).mean()
        for axis, step in zip((-1, -2), steps, strict=True)
    ]
    return torch.stack(lengths).sum()


def principal_components(
    features: Float[Tensor, "n _k h w"],
) -> Float[Tensor, "n components h w"]:
    """The first ten components, scaled: -3 and 3 standard deviations become 0 and 1."""
    values = features - features.mean((0, 2, 3), keepdim=True)
    values = values.cpu().double()  # MPS has no float64
    rows = values.transpose(0, 1).flatten(1)
    _, directions = torch.linalg.eigh(rows @ rows.T)
    directions = directions.flip(1)[:, :COMPONENTS]
    # the sign of an eigenvector is arbitrary: fix it, so that all machines agree
    directions = directions * directions.sum(0).sign()
    found = torch.einsum("nkhw,kc->nchw", values, directions)
    deviations = found.std((0, 2, 3), keepdim=True).clamp_min(1e-9)
    return (0.5 + found / (6 * deviations)).clamp(0, 1).to(features)


class FeatureMask(nn.Module):
    """A mask that two 1 x 1 convolutions compute from the features of each pixel.

    The features have mean 0 and standard deviation 1.
    """

    rate = 1.0
    width = 12
    """Number of channels between the two convolutions."""
    noise_gain = 5.0
    """The noise on the features is larger than on network inputs by this factor.
    Network inputs have the standard deviation 0.03, and features have 1."""

    def __init__(
        self, features: Float[Tensor, "_n _k _h _w"], rng: torch.Generator
    ) -> None:
        super().__init__()
        self.register_buffer("features", features)
        self.features: Tensor
        self.first = convolution(features.shape[1], self.width, 1, 1, rng)
        self.last = convolution(self.width, 1, 1, 1, rng)

    def forward(self, noise: Noise) -> Tensor:
        x = self.features + self.noise_gain * noise(self.features.shape)
        return self.last(F.leaky_relu(self.first(x), SLOPE)).sigmoid()
