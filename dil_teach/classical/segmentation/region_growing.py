"""Segmentation without networks: hints grow into regions that look similar.

Discriminant analysis of the marked pixels' features gives the evidence of each pixel:
the log-likelihood ratio of foreground to background. A minimum cut (Boykov and Jolly,
ICCV 2001) along the picture's edges makes a mask of the evidence. The next round learns
from the pixels of this mask. Colours are modelled as in GrabCut (Rother, Kolmogorov and
Blake, SIGGRAPH 2004). In a video, motion is a feature, and one cut goes through all
frames.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from dil_teach.classical.segmentation.border import refine_border
from dil_teach.classical.segmentation.grab_cut import (
    SURE,
    edge_weights,
    fit_mixture,
    min_cut,
)
from dil_teach.classical.segmentation.hints import complete_hints
from dil_teach.classical.segmentation.optical_flow import (
    Flows,
    links,
    motion,
    optical_flows,
    steady,
)
from dil_teach.classical.segmentation.texture import (
    blur,
    discriminant,
    patch_evidence,
    standardised,
    texture_features,
)
from dil_teach.image.convention import Image, Video, check_images
from dil_teach.image.guided_filter import guided_upsample
from dil_teach.image.resize import limit_side

SIDE, MIN_SIDE = 192, 16
"""Larger pictures are segmented on copies with this longer side, in pixels; smaller
sides are refused."""
MAX_COLOUR_EVIDENCE, MAX_PATCH_EVIDENCE = 8.0, 20.0
"""Largest log-likelihood ratios, in nats, while the mask grows: Gaussian mixtures are
overconfident about pixels to which they were not fitted."""
EVIDENCE = 2.0
"""Before the cut, log-likelihood ratios are scaled to this mean absolute value, in
nats."""
SMOOTHNESS, SMOOTHNESS_OF_TEXTURE = 5.0, 4.0
"""Costs, in nats, of a boundary between two pixels of equal colour: with and without
evidence from colours. GrabCut's cost, 50 nats, would cut off thin parts."""
ROUNDS = 5
"""Number of rounds of learning and cutting; in later rounds the mask hardly changes."""
PATCH_ROUNDS = (1, 2)
"""Gaussian mixtures are fitted to patches in these rounds. In round 0 there are too few
patches, and after round 2 the mixtures hardly change."""
COLOUR_BLUR, PATCH_BLURS = 2.0, (1.5, 3.0)
"""Standard deviations, in pixels, of the blurs on log-likelihood ratios."""
ISLAND = 0.1
"""A part of the foreground without a hint is removed if its area is below this fraction
of the area of the largest part."""
MOTION = 3
"""The features contain the motion this number of times, and the colours three times."""

Where = Bool[Tensor, "n 1 h w"]


@dataclass(frozen=True)
class Start:
    """The result of :func:`start_segmentation`.

    All tensors except ``pictures`` have the size of ``small``, at most ``SIDE`` pixels.
    """

    pictures: Video
    """The given frames."""
    small: Video
    foreground: Video
    """The given or computed hint: zeros and ones, Float[Tensor, "n 1 h w"]."""
    background: Video
    flows: Flows | None
    """The optical flow of a video."""
    mask: Video
    """1 in the foreground, 0 in the background."""
    features: Float[Tensor, "n _k h w"]
    """The features of the last cut: texture, motion, and the log-likelihood ratios of
    Gaussian mixtures of colours and of patches."""
    hints: tuple[Video, Video]
    """The hints ``foreground`` and ``background`` at the size of ``pictures``."""
    seed: int


def segment_by_growing(
    image: Image | Video,
    foreground: Image | Video | None = None,
    background: Image | Video | None = None,
    seed: int = 0,
) -> Image | Video:
    """Separate the foreground from the background without a network.

    The hints grow, and a last cut follows the edges of the picture, as after the
    training of :class:`dil_teach.Segmentation`. A picture with a side of more than 192
    pixels is segmented on a smaller copy; then the border of an image is found again at
    full resolution (:mod:`dil_teach.classical.segmentation.border`).

    Parameters
    ----------
    image : Image or Video
        Float[Tensor, "c h w"] or the frames of a video, Float[Tensor, "t c h w"], in
        [0, 1], each side at least 16 pixels.
    foreground, background : Image or Video, optional
        Hints, as in :class:`dil_teach.Segmentation`; a missing hint is computed.
    seed : int
        Seed of the fit of the Gaussian mixtures.

    Returns
    -------
    Image or Video
        The mask, Float[Tensor, "1 h w"] of zeros and ones, or Float[Tensor, "t 1 h w"]
        in [0, 1].

    Raises
    ------
    ValueError
        If the picture is constant or too small, or if a hint is not usable.
    """
    film = not isinstance(image, Tensor) or image.ndim != 3
    pictures = image if film else image[None]
    check_images(pictures, "image", min_side=MIN_SIDE)
    start = start_segmentation(
        pictures.detach(), foreground, background, seed, MIN_SIDE
    )
    mask = cut_grown_hints(start)
    return mask if film else mask[0]


def cut_grown_hints(start: Start) -> Video:
    """The last cut of a start: the discriminant learns once more from its mask."""
    inside = start.mask > 0
    return final_cut(start, discriminant(start.features, inside, ~inside))


def start_segmentation(
    pictures: Video,
    foreground: Image | Video | None,
    background: Image | Video | None,
    seed: int,
    min_side: int,
) -> Start:
    """Segment pictures from hints alone: learn, cut, and learn again.

    The first three parameters, and the errors raised, are those of
    :func:`dil_teach.classical.segmentation.hints.complete_hints`. ``seed`` is the seed
    of the fit of the Gaussian mixtures. The sides of the small copies have at least
    ``min_side`` pixels.
    """
    hints = complete_hints(pictures, foreground, background)
    small = limit_side(pictures, SIDE, min_side)
    front, back = (F.adaptive_max_pool2d(hint, small.shape[-2:]) for hint in hints)
    flows = optical_flows(small) if len(small) > 1 else None
    mask, features = grow(small, front, back, seed, flows)
    return Start(pictures, small, front, back, flows, mask, features, hints, seed)


def final_cut(start: Start, evidence: Float[Tensor, "n 1 h w"]) -> Video:
    """Cut a mask in [0, 1], given a new log-likelihood ratio of the foreground.

    The ratio may be multiplied by any positive number, because this function scales it.
    The mask is cut along edges, has the size of the given pictures, and in a video is
    averaged along the motion. The mask of a small copy is enlarged: cuts at full
    resolution find the border in a single picture; in a video, the guided filter does.
    """
    small, hints = start.small, (start.foreground, start.background)
    evidence = scaled(evidence)
    mask = best_cut(evidence, small, *hints, SMOOTHNESS_OF_TEXTURE, start.flows)
    if start.flows is None:
        for _ in range(2):
            colours = colour_evidence(small, mask > 0, mask == 0, start.seed)
            mask = best_cut(evidence + colours, small, *hints, SMOOTHNESS)
    else:  # in a video, motion says more than colours, which the layers may share
        mask = steady(mask, small, start.flows)
    if small.shape == start.pictures.shape:
        return mask.clamp(0, 1)
    # enlarging would spread a small island along the edges near it
    mask = without_islands(mask, start.foreground)
    if start.flows is None:
        front, back = (hint[0, 0].cpu() > 0 for hint in start.hints)
        picture, small_mask = start.pictures[0].cpu(), mask[0, 0].cpu() > 0
        return refine_border(picture, small_mask, front, back)[None, None].to(mask)
    radius = max(1, min(mask.shape[-2:]) // 32)
    return guided_upsample(start.pictures, small, mask, radius, 1e-3).clamp(0, 1)


def without_islands(mask: Video, foreground: Video) -> Video:
    """Set small connected parts of the mask to 0, unless they contain a hint.

    In a video, parts are also connected through the same pixel of the next frame.
    """
    labelled: Any = ndimage.label(mask[:, 0].cpu().numpy() > 0.5)
    parts, count = labelled
    if count < 2:
        return mask
    areas = np.bincount(parts.ravel())
    kept = areas >= ISLAND * areas[1:].max()
    kept[parts[foreground[:, 0].cpu().numpy() > 0.5]] = True
    kept[0] = True
    return mask * torch.from_numpy(kept[parts])[:, None].to(mask)


def grow(
    pictures: Video, front: Video, back: Video, seed: int, flows: Flows | None
) -> tuple[Video, Float[Tensor, "n _k h w"]]:
    """The mask and the features of the last round, as in :class:`Start`."""
    texture = texture_features(pictures)
    if flows is not None:
        texture = torch.cat([texture, motion(flows).repeat(1, MOTION, 1, 1)], 1)
    mask, features = front, texture
    inside, outside = front > 0, back > 0
    patches = None
    for k in range(ROUNDS):
        colours = colour_evidence(pictures, inside, outside, seed)
        colours = colours.clamp(-MAX_COLOUR_EVIDENCE, MAX_COLOUR_EVIDENCE)
        votes = [colours, blur(colours, COLOUR_BLUR)]
        if k in PATCH_ROUNDS:
            patches = patch_evidence(pictures, inside, outside, seed)
            patches = patches.clamp(-MAX_PATCH_EVIDENCE, MAX_PATCH_EVIDENCE)
        if patches is not None:
            votes += [blur(patches, sigma) for sigma in PATCH_BLURS]
        features = torch.cat([texture, standardised(torch.cat(votes, 1))], 1)
        evidence = scaled(discriminant(features, inside, outside))
        mask = best_cut(evidence, pictures, front, back, SMOOTHNESS_OF_TEXTURE, flows)
        inside, outside = mask > 0, mask == 0
    return mask, features


def colour_evidence(
    pictures: Video, inside: Where, outside: Where, seed: int
) -> Float[Tensor, "n 1 h w"]:
    """Log-likelihood ratio of the foreground, in nats, from GrabCut's colour mixtures.

    One mixture is fitted to the pixels inside the mask, another to the pixels outside.
    The ratio is 0 if a layer has fewer than two pixels.
    """
    colours = pictures.transpose(0, 1).flatten(1).T.cpu().double()
    layers = [where.flatten().cpu() for where in (inside, outside)]
    if min(int(layer.sum()) for layer in layers) < 2:
        return torch.zeros_like(pictures[:, :1])
    front, back = (fit_mixture(colours[w], seed).costs(colours) for w in layers)
    return (back - front).view_as(inside).to(pictures)


def best_cut(
    evidence: Video,
    pictures: Video,
    front: Video,
    back: Video,
    smoothness: float,
    flows: Flows | None = None,
) -> Video:
    """The mask of minimum cost (graph cut), Float[Tensor, "n 1 h w"].

    ``evidence`` is the log-likelihood ratio of the foreground, in nats. ``smoothness``
    is the cost, in nats, of a boundary between two pixels of equal colour; in a video,
    the same cost applies if a point is foreground in one frame and background in the
    next. The other parameters are ``small``, ``foreground``, ``background`` and
    ``flows`` of a :class:`Start`.
    """
    evidence = evidence.where(front == 0, SURE).where(back == 0, -SURE).cpu().double()
    across = None if flows is None else links(pictures, flows, smoothness)
    costs = (-evidence[:, 0]).clamp_min(0), evidence[:, 0].clamp_min(0)
    mask = min_cut(*costs, edge_weights(pictures, smoothness), across)
    return mask[:, None].to(pictures)


def scaled(evidence: Tensor) -> Tensor:
    """Scale log-likelihood ratios to a mean absolute value of ``EVIDENCE`` nats."""
    return EVIDENCE * evidence / evidence.abs().mean().clamp_min(1e-9)
