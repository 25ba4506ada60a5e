"""Transparency separation: Double-DIP with one coefficient an image for a mask.

Gandelsman, Shocher and Irani, '"Double-DIP": Unsupervised Image Decomposition via
Coupled Deep-Image-Priors', CVPR 2019, section 5. A picture through a pane is a mixture
of two: I = a y1 + (1 - a) y2. Two networks draw the layers, and an exclusion loss
(Zhang, Ng and Chen, 'Single Image Reflection Separation with Perceptual Losses', CVPR
2018, section 3.3) keeps their edges apart.

*Two mixtures* of the same layers leave two numbers unknown, the coefficients, and these
are learned with the networks. The layers then follow in closed form. Departure: the
coefficients start from the classical search for the least exclusion, after a blur, and
change slowly; from another start the networks alone were off by up to 0.08.

*One mixture* leaves a whole picture unknown: any y1 has its y2. What the networks make
of it is one of many answers.
"""

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.exclusion_search import (
    check_two_mixtures,
    exclusion_search,
    unmix,
)
from dil_teach.deep.double_dip.double_dip import (
    Constant,
    DoubleDIP,
    DoubleDIPSettings,
    Layers,
    Network,
    check_images,
)
from dil_teach.image.convention import Image, Video
from dil_teach.image.resize import resize

BUDGETS = {
    "quick": DoubleDIPSettings(steps=200, learning_rate=0.02, input_noise=0.003),
    "standard": DoubleDIPSettings(steps=800, learning_rate=0.02, input_noise=0.003),
    "full": DoubleDIPSettings(steps=2000, learning_rate=0.02, input_noise=0.003),
}
"""At 128 pixels a side about 14, 56 and 140 CPU seconds."""

EXCLUSION = 3e-4
"""Weight of the exclusion beside the squared error of the mixtures. More, and the
networks buy a low exclusion with layers that do not add up to the mixtures."""
BLUR = 2.0
"""Before the search that the coefficients start from: it must bear noise."""
CORRECTION = 0.01
"""How fast, beside the networks, the coefficients of the search are corrected. Any
faster, and they follow edges that the networks have not drawn yet."""
LEVELS = 3
LARGEST_SIDE = 256
"""Of what the networks draw: larger mixtures are learned at a reduced size."""
LEAST_EDGE = 1e-4
"""A mean edge below this is none: a constant layer has nothing to exclude."""


@dataclasses.dataclass(frozen=True)
class Separation:
    """Two layers of one or two mixtures.

    The first layer is the one of which the first mixture has more than the second: that
    settles which of the two is which. One mixture has no such order, and the layers may
    come either way round.
    """

    first: Image
    second: Image
    """Float[Tensor, "c h w"] in [0, 1], of the mixtures' size: in closed form from the
    learned coefficients (of one mixture: from the networks' difference)."""
    coefficients: tuple[float, ...]
    """The first layer's share of each mixture."""
    network_first: Image
    network_second: Image
    """The networks' own layers, at the size at which they were drawn. The closed form
    amplifies noise and the networks leave it out: of noisy mixtures, look at these."""


def separate(
    mixtures: Video,
    settings: DoubleDIPSettings = BUDGETS["quick"],
) -> DoubleDIP:
    """What learns to separate one mixture, or two of the same layers.

    `separated(fit(separate(mixtures)), mixtures)` gives the layers.

    Parameters
    ----------
    mixtures : Video
        Float[Tensor, "n c h w"] in [0, 1], n = 1 or 2, each side at least 16 pixels.
        Over ``LARGEST_SIDE`` it learns from smaller copies: pictures are mixed alike at
        every size.
    settings : DoubleDIPSettings
        One of ``BUDGETS``.

    Returns
    -------
    DoubleDIP
        Not trained yet.

    Raises
    ------
    ValueError
        If there are not one or two mixtures, they are constant, the same or too small.
    """
    check_images(mixtures, "mixtures")
    if len(mixtures) > 2:
        raise ValueError(
            f"mixtures: expected one or two, got {len(mixtures)}; take the two in "
            "which the layers' shares differ most"
        )
    if len(mixtures) == 2:
        check_two_mixtures(mixtures)
    largest = max(mixtures.shape[-2:])
    if largest > LARGEST_SIDE:
        mixtures = resize(mixtures, LARGEST_SIDE / largest).clamp(0, 1)
    if len(mixtures) == 1:
        # the shares cannot be told from the layers' contrast: one half each
        shares = Constant(torch.full((1, 1, 1, 1), 0.5), held=1)
    else:
        searched = torch.tensor(exclusion_search(mixtures, BLUR)).clamp(0.02, 0.98)
        shares = Constant(searched.reshape(2, 1, 1, 1), rate=CORRECTION)
    return DoubleDIP(
        mixtures,
        separation_penalties,
        {},
        front=Network(),
        back=Network(),
        mask=shares,
        settings=settings,
    )


def separation_penalties(layers: Layers, progress: float) -> dict[str, Tensor]:
    """Two pictures have their edges in different places."""
    return {"exclusion": EXCLUSION * exclusion(layers.front, layers.back)}


def exclusion(
    a: Float[Tensor, "_n _c _h _w"], b: Float[Tensor, "_n _c _h _w"]
) -> Float[Tensor, ""]:
    """How strongly edges of two layers meet, from 0 to 1 (Zhang et al., equation 5).

    The mean of tanh(e_a) * tanh(e_b) over three levels and both directions, where e is
    the size of the difference of neighbouring pixels over twice its mean. Departures:
    each layer is scaled by its own mean edge, so that a layer gains nothing by losing
    contrast; the mean instead of a Frobenius norm, whose root has an infinite gradient
    where no edges meet.

    Parameters
    ----------
    a, b : Float[Tensor, "n c h w"]
        Two layers of one shape.

    Returns
    -------
    Float[Tensor, ""]
        About 0.1 for two photographs, 0.2 for two mixtures of them. 0, with a finite
        gradient, where a layer is constant.
    """
    means = []
    for level in range(LEVELS):
        if level > 0:
            a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
        for dim in (2, 3):
            means.append((_edge_strength(a, dim) * _edge_strength(b, dim)).mean())
    return torch.stack(means).mean()


def _edge_strength(layer: Tensor, dim: int) -> Tensor:
    size = layer.diff(dim=dim).abs()
    # detached: a few huge edges that raise the mean would make all others look small
    mean = size.detach().mean((1, 2, 3), keepdim=True)
    return torch.tanh(size / (2 * mean.clamp_min(LEAST_EDGE)))


def separated(dip: DoubleDIP, mixtures: Video) -> Separation:
    """The layers learned so far.

    Parameters
    ----------
    dip : DoubleDIP
        What :func:`separate` made of the mixtures, trained as far as it is.
    mixtures : Video
        The same mixtures, at their full size.

    Returns
    -------
    Separation

    Raises
    ------
    ValueError
        If the mixtures are not as many as it learned from.
    """
    if len(mixtures) != len(dip.image):
        raise ValueError(
            f"mixtures: expected the {len(dip.image)} that it learned from, got "
            f"{len(mixtures)}; give separated the same tensor as separate"
        )
    drawn = dip.layers()
    own = torch.stack([drawn.front[0], drawn.back[0]])
    shares = [float(share) for share in drawn.mask.flatten()]
    if len(shares) == 1:
        # the layers' mean is the mixture: only their difference is the networks' work
        half = resize(own[0] - own[1], size=(mixtures.shape[2], mixtures.shape[3])) / 2
        layers = torch.stack([mixtures[0] + half, mixtures[0] - half])
    else:
        if shares[0] < shares[1]:
            shares, own = [1 - share for share in shares], own.flip(0)
        layers = unmix(mixtures, (shares[0], shares[1]))
    layers = layers.clamp(0, 1)
    return Separation(layers[0], layers[1], tuple(shares), own[0], own[1])
