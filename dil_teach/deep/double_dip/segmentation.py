"""Segmentation by Double-DIP: Gandelsman, Shocher and Irani, CVPR 2019, section 4.1.

Figure and ground are the two layers; two networks draw them, and the mask says whose
drawing explains a pixel. Departures from the paper: what the networks draw is the first
ten principal components of texture features, not colours (two networks draw any colours
equally well); the mask is a small function of those features instead of a third
hourglass, so that it cannot memorise places; hints are computed here where none are
given; discriminant analysis of the features and a cut give the mask a start, which
fades; and a last cut along the picture's edges makes the mask crisp. In a film motion
is a feature, and the cuts go through all frames.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.segmentation.hints import (
    SMOOTHNESS,
    SMOOTHNESS_OF_TEXTURE,
    best_cut,
    colour_evidence,
    grow,
    scaled,
)
from dil_teach.classical.segmentation.optical_flow import optical_flows, steady
from dil_teach.classical.segmentation.saliency import saliency
from dil_teach.classical.segmentation.texture import blur
from dil_teach.deep.double_dip.double_dip import (
    DoubleDIP,
    DoubleDIPSettings,
    LayerModule,
    Layers,
    Network,
    check_images,
)
from dil_teach.image.convention import Image, Video, check_image
from dil_teach.image.guided_filter import guided_upsample
from dil_teach.image.resize import resize
from dil_teach.training.networks import SLOPE, convolution

BUDGETS = {
    "quick": DoubleDIPSettings(steps=60, learning_rate=3e-2),
    "standard": DoubleDIPSettings(steps=150, learning_rate=3e-2),
    "full": DoubleDIPSettings(steps=600, learning_rate=2e-2),
}
LAYER = Network(widths=(16, 32, 32), skip=4, each=True)
SIDE = 192
"""Pixels of the longer side at which larger pictures are taken apart."""
COMPONENTS = 10
FRAME = 16
"""The frame that is taken for ground is this part of the shorter side."""
SALIENT = 0.08
"""The share of the picture that is taken for figure where nothing is given."""


def segment(
    image: Image | Video,
    foreground: Image | Video | None = None,
    background: Image | Video | None = None,
    settings: DoubleDIPSettings = BUDGETS["quick"],
) -> DoubleDIP:
    """Take a picture, or a film, apart into figure and ground.

    Parameters
    ----------
    image : Image or Video
        Float[Tensor, "c h w"], or the frames of a film, Float[Tensor, "t c h w"].
    foreground, background : Image or Video, optional
        Hints, Float[Tensor, "1 h w"], above 0.5 where a pixel is known to belong
        there; of a film for the first frame, or (t, 1, h, w) for each. What is not
        given is computed: what is salient is figure, a frame along the border ground.
    settings : DoubleDIPSettings
        One of ``BUDGETS``, or another.

    Returns
    -------
    DoubleDIP
        To be trained; :func:`final_mask` then gives the mask. Its layers are features.

    Raises
    ------
    ValueError
        If the picture has nothing in it or is too small, or a hint has another size,
        marks nothing, or leaves the other layer no place.
    """
    film = not isinstance(image, Tensor) or image.ndim != 3
    pictures = image if film else image[None]
    check_images(pictures, "image")
    stride = 2 ** len(LAYER.widths)
    check_image(pictures[0], "image", min_side=2 * stride)
    hints = _hints(pictures, foreground, background)
    size = _small_size(pictures)
    small = torch.stack([resize(p, size=size).clamp(0, 1) for p in pictures])
    front, back = (_small_hint(hint, size) for hint in hints)
    flows = optical_flows(small) if len(small) > 1 else None
    start, features = grow(small, front, back, settings.seed, flows)
    given = {
        "pictures": pictures,
        "small": small,
        "front_hint": front,
        "back_hint": back,
        "start": start,
        "flows": flows,
        "film": film,
    }
    return DoubleDIP(
        principal_components(features),
        penalties,
        given,
        LAYER,
        LAYER,
        FeatureMask(features),
        settings,
    )


def penalties(
    layers: Layers,
    progress: float,
    *,
    small: Video,
    front_hint: Video,
    back_hint: Video,
    start: Video,
    **_: Any,
) -> dict[str, Tensor]:
    """What is known of the mask: hints, a start that fades, borders along edges, and
    that it is 0 or 1."""
    mask = layers.mask
    return {
        "hint": 0.1 * _balanced(mask, front_hint, back_hint),
        "start": 0.1 * (1 - progress) * _balanced(mask, start, 1 - start),
        "border": 0.3 * border(mask, small),
        "binary": 0.1 * progress * (mask * (1 - mask)).mean(),
    }


def _balanced(mask: Tensor, front: Tensor, back: Tensor) -> Tensor:
    """Logistic loss in which the two layers count alike, however much is marked."""
    sure = mask.clamp(1e-4, 1 - 1e-4)
    in_front = (sure.log() * front).sum() / front.sum().clamp_min(1)
    in_back = ((1 - sure).log() * back).sum() / back.sum().clamp_min(1)
    return -in_front - in_back


def border(mask: Video, picture: Video) -> Float[Tensor, ""]:
    """The length of the mask's border, which costs less along the picture's edges."""
    steps = [picture.diff(dim=axis).square().sum(1, keepdim=True) for axis in (-1, -2)]
    mean = torch.cat([step.flatten() for step in steps]).mean().clamp_min(1e-12)
    lengths = [
        (mask.diff(dim=axis).abs() * torch.exp(-step / (2 * mean))).mean()
        for axis, step in zip((-1, -2), steps, strict=True)
    ]
    return torch.stack(lengths).sum()


def final_mask(dip: DoubleDIP) -> Image | Video:
    """The mask by what was learned so far, cut along the picture's edges.

    Parameters
    ----------
    dip : DoubleDIP
        What :func:`segment` made.

    Returns
    -------
    Image or Video
        Float[Tensor, "1 h w"], or (t, 1, h, w) of a film, of the picture's size, in
        [0, 1]: 1 is figure. A film is cut through all frames at once, and its masks are
        averaged along the motion, so that their edges are soft.
    """
    given, layers = dip.given, dip.layers()
    small, front, back = (given[k] for k in ("small", "front_hint", "back_hint"))
    flows = given["flows"]
    evidence = _evidence(dip.image, layers)
    mask = best_cut(evidence, small, front, back, SMOOTHNESS_OF_TEXTURE, flows)
    if flows is None:
        for _ in range(2):
            colours = colour_evidence(small, mask > 0, mask == 0, dip.settings.seed)
            mask = best_cut(evidence + colours, small, front, back, SMOOTHNESS)
    else:  # motion tells more than colours, which the ground may share
        mask = steady(mask, small, flows)
    if small.shape != given["pictures"].shape:
        radius = max(1, min(mask.shape[-2:]) // 32)
        mask = guided_upsample(given["pictures"], small, mask, radius, 1e-3)
    mask = mask.clamp(0, 1)
    return mask if given["film"] else mask[0]


def _evidence(image: Video, layers: Layers) -> Float[Tensor, "n 1 h w"]:
    """For the figure and against the ground: the mask's, and by how much better the
    figure's network explains a pixel."""
    logit = layers.mask.clamp(1e-3, 1 - 1e-3).logit()
    errors = [
        (layer - image).square().sum(1, keepdim=True)
        for layer in (layers.back, layers.front)
    ]
    return scaled(scaled(logit) + scaled(errors[0] - errors[1]))


def principal_components(
    features: Float[Tensor, "n _k h w"],
) -> Float[Tensor, "n components h w"]:
    """The first ten, each brought to [0, 1]: three deviations reach its ends."""
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


@dataclasses.dataclass(frozen=True)
class FeatureMask:
    """A mask that is a small function of the features at each pixel."""

    features: Float[Tensor, "_n _k _h _w"]
    width: int = 12
    rate: float = 1.0

    def module(
        self, images: Video, channels: int, rng: torch.Generator
    ) -> "LayerModule":
        return DrawnFromFeatures(self.features, self.width, rng)


class DrawnFromFeatures(LayerModule):
    """The layer of a :class:`FeatureMask`: 1x1 convolutions, to 12 channels, to 1."""

    def __init__(self, features: Tensor, width: int, rng: torch.Generator) -> None:
        super().__init__()
        self.register_buffer("features", features)
        self.features: Tensor
        self.first = convolution(features.shape[1], width, 1, 1, rng)
        self.last = convolution(width, 1, 1, 1, rng)

    def forward(
        self, progress: float, noise: Callable[..., Tensor] | None = None
    ) -> Tensor:
        x = self.features
        if noise is not None:  # features have a deviation of 1, codes of 0.03
            x = x + 5 * noise(x.shape)
        return self.last(F.leaky_relu(self.first(x), SLOPE)).sigmoid()


def _hints(
    pictures: Video,
    foreground: Image | Video | None,
    background: Image | Video | None,
) -> tuple[Video, Video]:
    """Hints for all frames, zeros and ones; those that lack are computed."""
    front = _given_hint("foreground", foreground, pictures)
    back = _given_hint("background", background, pictures)
    if front is not None and back is not None:
        both = (front * back) > 0
        front, back = front.where(~both, 0), back.where(~both, 0)
    elif front is None:
        salient = torch.stack([blur(saliency(p)[None], 2.0)[0] for p in pictures])
        if back is not None:
            salient = salient.where(back == 0, 0)
        least = salient.flatten(1).quantile(1 - SALIENT, dim=1).view(-1, 1, 1, 1)
        front = (salient > least).float()
    if back is None:
        wide = max(1, min(pictures.shape[-2:]) // FRAME)
        back = torch.ones_like(front)
        back[..., wide:-wide, wide:-wide] = 0
        back = back.where(front == 0, 0)
    for name, hint in (("foreground", front), ("background", back)):
        if not hint.any():
            raise ValueError(
                f"{name}: expected some pixels that the other hint does not mark, got "
                "none; mark different places in the two"
            )
    return front, back


def _given_hint(name: str, hint: Image | Video | None, pictures: Video) -> Video | None:
    if hint is None:
        return None
    size = tuple(pictures.shape[-2:])
    whole = hint[None] if hint.ndim == 3 else hint
    if whole.shape[1:] != (1, *size) or len(whole) not in (1, len(pictures)):
        raise ValueError(
            f"{name}: expected one channel of {size[0]} x {size[1]} pixels, the "
            f"image's size, got shape {tuple(hint.shape)}; make the hint from that "
            "image"
        )
    marked = (whole > 0.5).to(pictures)
    if not marked.any() or marked.all():
        raise ValueError(
            f"{name}: expected a hint that marks a part of the picture, got one that "
            f"marks {'all' if marked.any() else 'nothing'}; paint a part of it white"
        )
    unknown = marked.new_zeros(len(pictures) - len(marked), *marked.shape[1:])
    return torch.cat([marked, unknown])


def _small_size(pictures: Video) -> tuple[int, int]:
    height, width = pictures.shape[-2:]
    scale = min(1.0, SIDE / max(height, width))
    stride = 2 * 2 ** len(LAYER.widths)
    return max(round(scale * height), stride), max(round(scale * width), stride)


def _small_hint(hint: Video, size: tuple[int, int]) -> Video:
    if tuple(hint.shape[-2:]) == size:
        return hint
    return F.adaptive_max_pool2d(hint, size)
