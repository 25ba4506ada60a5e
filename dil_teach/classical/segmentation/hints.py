"""Hints that grow: what looks like the marked pixels joins them, without a network.

Discriminant analysis of the features that the marked pixels have, then a minimal cut
(Boykov and Jolly, ICCV 2001) along the picture's edges, and again from what that found;
colours as in GrabCut (Rother, Kolmogorov and Blake, SIGGRAPH 2004). In a film, what
moves alike looks alike too, and one cut goes through all frames.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dil_teach.classical.segmentation.grab_cut import (
    SURE,
    edge_weights,
    fit_mixture,
    min_cut,
)
from dil_teach.classical.segmentation.optical_flow import Flows, links, motion
from dil_teach.classical.segmentation.texture import (
    blur,
    discriminant,
    patch_evidence,
    standardised,
    texture_features,
)
from dil_teach.image.convention import Video

MOST = 8.0
"""Evidence of colours beyond this is not believed while the mask is only growing."""
EVIDENCE = 2.0
"""The mean evidence of a pixel's texture, in nats; the cut weighs it against edges."""
SMOOTHNESS, SMOOTHNESS_OF_TEXTURE = 5.0, 4.0
"""What a border costs the cuts, in nats: GrabCut's 50 would cut off the tips of a star.
"""
ROUNDS = 5
MOTION = 3
"""How many times motion counts among the features, like colours."""

Where = Bool[Tensor, "n 1 h w"]


def grow(
    pictures: Video, front: Video, back: Video, seed: int, flows: Flows | None = None
) -> tuple[Video, Float[Tensor, "n _k h w"]]:
    """Let the hints grow over what looks like them: learn, cut, and learn again.

    Parameters
    ----------
    pictures, front, back : Video
        Of one size; the hints have one channel of zeros and ones.
    seed : int
        Draws where mixtures start.
    flows : Float[Tensor, "n 2 2 h w"], optional
        Of a film: :func:`dil_teach.classical.segmentation.optical_flow.optical_flows`.

    Returns
    -------
    mask : Float[Tensor, "n 1 h w"]
        1 in the figure, 0 in the ground.
    features : Float[Tensor, "n k h w"]
        Those that the last cut was learned from: of texture, of motion, and what
        mixtures of colours and of patches say.
    """
    texture = texture_features(pictures)
    if flows is not None:
        texture = torch.cat([texture, motion(flows).repeat(1, MOTION, 1, 1)], 1)
    mask, features = front, texture
    inside, outside = front > 0, back > 0
    patches = None
    for k in range(ROUNDS):
        colours = colour_evidence(pictures, inside, outside, seed).clamp(-MOST, MOST)
        votes = [colours, blur(colours, 2.0)]
        if k in (1, 2):  # two hints are too few patches, and later little changes
            patches = patch_evidence(pictures, inside, outside, seed).clamp(-20, 20)
        if patches is not None:
            votes += [blur(patches, 1.5), blur(patches, 3.0)]
        features = torch.cat([texture, standardised(torch.cat(votes, 1))], 1)
        evidence = scaled(discriminant(features, inside, outside))
        mask = best_cut(evidence, pictures, front, back, SMOOTHNESS_OF_TEXTURE, flows)
        inside, outside = mask > 0, mask == 0
    return mask, features


def colour_evidence(
    pictures: Video, inside: Where, outside: Where, seed: int
) -> Float[Tensor, "n 1 h w"]:
    """What GrabCut's mixtures of colours, one for each layer, say of each pixel.

    Parameters
    ----------
    pictures : Video
        Float[Tensor, "n c h w"] in [0, 1].
    inside, outside : Bool[Tensor, "n 1 h w"]
        The pixels from which the two mixtures are fitted.
    seed : int
        Draws where they start.

    Returns
    -------
    Float[Tensor, "n 1 h w"]
        For the figure and against the ground, in nats; 0 where a layer has no pixels.
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
    """The best mask of a picture or a film, borders along edges being cheap.

    Parameters
    ----------
    evidence : Video
        Float[Tensor, "n 1 h w"], for the figure, in nats.
    pictures, front, back, flows : Video
        As :func:`grow` takes them.
    smoothness : float
        What a border costs between two pixels of one colour, in nats; in a film, also
        between the frames, where a point is figure in one and ground in the next.

    Returns
    -------
    Video
        Float[Tensor, "n 1 h w"] of zeros and ones.
    """
    evidence = evidence.where(front == 0, SURE).where(back == 0, -SURE).cpu().double()
    across = None if flows is None else links(pictures, flows, smoothness)
    costs = (-evidence[:, 0]).clamp_min(0), evidence[:, 0].clamp_min(0)
    mask = min_cut(*costs, edge_weights(pictures, smoothness), across)
    return mask[:, None].to(pictures)


def scaled(evidence: Tensor) -> Tensor:
    """Evidence in nats, of the mean size that ``SMOOTHNESS`` is weighed against."""
    return EVIDENCE * evidence / evidence.abs().mean().clamp_min(1e-9)
