"""Segmentation by Double-DIP: Gandelsman, Shocher and Irani, CVPR 2019, section 4.1.

Foreground and background are the two layers. Two networks draw them, and the mask is
the foreground's share of each pixel:

    mean |mask * front + (1 - mask) * back - F|^2 + hint + start + border + binary,

each penalty with its weight: see :meth:`Segmentation.train_step`.

Departures from the paper. F is not the image but the first ten principal components of
its texture features: two networks draw any colours equally well. The mask is a small
function of the features at each pixel instead of a third hourglass, so that it cannot
memorise places. Missing hints are computed. The mask starts from a segmentation without
networks: discriminant analysis of the features and a graph cut, repeated; this penalty
fades. After training, a graph cut along the picture's edges makes the mask binary. In a
film, motion is one of the features, and the graph cuts go through all frames.
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
from dil_teach.image.convention import Image, Video, check_image, check_images
from dil_teach.training.networks import SLOPE, convolution
from dil_teach.training.settings import budget

WIDTHS = (16, 32, 32)
"""Channels of the networks at each scale, from the finest."""
COMPONENTS = 10
"""Principal components that the networks draw."""


@dataclass(frozen=True)
class SegmentationSettings:
    """Settings of :class:`Segmentation`: ``quick()``, ``standard()``, ``full()``."""

    steps: int = 60
    """Number of training steps."""
    learning_rate: float = 3e-2
    """Of Adam, in the first half of the steps."""
    hint: float = 0.1
    """Weight of the hints: the mask is 1 or 0 where a hint says so."""
    start: float = 0.1
    """Weight of the start that was found without a network. It falls to 0 over the
    training."""
    border: float = 0.3
    """Weight of the length of the mask's border, which is cheap along edges."""
    binary: float = 0.1
    """Weight of the mask's greyness, mask * (1 - mask). It grows from 0."""
    seed: int = 0
    """Seed of the start, the weights, the network inputs and their noise."""

    quick = budget("For a lesson.")
    standard = budget("For a result: 2.5 times the steps of ``quick()``.", steps=150)
    full = budget("More and smaller steps.", steps=600, learning_rate=2e-2)


class Segmentation:
    """Separates the foreground of an image, or of a film, from its background.

    ``fit(Segmentation(image)).mask()`` returns the mask.

    Parameters
    ----------
    image : Image or Video
        Float[Tensor, "c h w"], or the frames of a film, Float[Tensor, "t c h w"].
    foreground, background : Image or Video, optional
        Hints, Float[Tensor, "1 h w"], above 0.5 where a pixel is known to belong there;
        of a film for the first frame, or (t, 1, h, w) for each frame. A missing hint is
        computed: salient pixels are foreground, a frame along the border background.
    settings : SegmentationSettings
        The number of steps, the weights of the penalties and the seed.

    Attributes
    ----------
    start : Start
        The segmentation without networks from which training starts, with all hints.

    Raises
    ------
    ValueError
        If the picture is constant or too small, or a hint has another size, marks
        nothing, or leaves no pixel to the other hint.
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
        check_images(pictures, "image")
        min_side = 2 * 2 ** len(WIDTHS)
        check_image(pictures[0], "image", min_side=min_side)
        self.image, self.settings = image.detach(), settings
        self.arguments = {
            "foreground": foreground,
            "background": background,
            "settings": settings,
        }
        self.step, self.total_steps = 0, settings.steps
        self.start = start_segmentation(
            pictures.detach(), foreground, background, settings.seed, min_side
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

    @property
    def done(self) -> bool:
        """Its stopping rule: whether all steps of the settings are taken."""
        return self.step >= self.total_steps

    def train_step(self) -> dict[str, Tensor]:
        """Draw the layers, compare their composition with the features, update."""
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
        """The mask by what was learned so far, cut along the picture's edges.

        A pixel is foreground by the learned mask, and by the difference between the two
        networks' errors there.

        Returns
        -------
        Image or Video
            Float[Tensor, "1 h w"], or (t, 1, h, w) of a film, of the picture's size, in
            [0, 1]: 1 is foreground. A film is cut through all frames at once, and its
            masks are averaged along the motion, so that their edges are soft.
        """
        layers = self.dip.layers()
        front, back = (
            (layer - self.dip.image).square().sum(1, keepdim=True)
            for layer in (layers.front, layers.back)
        )
        logit = layers.mask.clamp(1e-3, 1 - 1e-3).logit()
        mask = final_cut(self.start, scaled(logit) + scaled(back - front))
        return mask if self.image.ndim == 4 else mask[0]


def binary_cross_entropy(
    mask: Tensor, front: Tensor, back: Tensor
) -> Float[Tensor, ""]:
    """Cross-entropy in which both layers have the same weight, whatever their area."""
    sure = mask.clamp(1e-4, 1 - 1e-4)
    in_front = (sure.log() * front).sum() / front.sum().clamp_min(1)
    in_back = ((1 - sure).log() * back).sum() / back.sum().clamp_min(1)
    return -in_front - in_back


def border(mask: Video, picture: Video) -> Float[Tensor, ""]:
    """The length of the mask's border, weighted low along the picture's edges."""
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
    """The first ten components, in [0, 1]: 3 standard deviations reach 0 and 1."""
    values = features - features.mean((0, 2, 3), keepdim=True)
    values = values.cpu().double()  # MPS has no double
    rows = values.transpose(0, 1).flatten(1)
    _, directions = torch.linalg.eigh(rows @ rows.T)
    directions = directions.flip(1)[:, :COMPONENTS]
    # an eigenvector's sign is arbitrary: fixed, the same on all machines
    directions = directions * directions.sum(0).sign()
    found = torch.einsum("nkhw,kc->nchw", values, directions)
    deviations = found.std((0, 2, 3), keepdim=True).clamp_min(1e-9)
    return (0.5 + found / (6 * deviations)).clamp(0, 1).to(features)


class FeatureMask(nn.Module):
    """A mask that is a small function of the features at each pixel.

    Parameters
    ----------
    features : Float[Tensor, "n k h w"]
        With mean 0 and standard deviation 1.
    rng : torch.Generator
        Draws the weights of the two 1x1 convolutions.
    """

    rate = 1.0
    width = 12
    """Channels between the two convolutions."""
    noise_gain = 5.0
    """Noise on the features, whose standard deviation is 1, as a multiple of that on
    network inputs, whose standard deviation is 0.03."""

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
