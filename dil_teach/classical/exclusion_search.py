"""Two layers from two mixtures of them: the coefficients at which edges meet least.

After Sarel and Irani, 'Separating Transparent Layers through Layer Information
Exchange', ECCV 2004: two pictures have nothing in common, so the separation is right
where the layers' structures correlate least. Departures: one pair of coefficients for
the whole image; structure is the exclusion of edges (Zhang, Ng and Chen, 'Single Image
Reflection Separation with Perceptual Losses', CVPR 2018); all pairs are tried.

Of the mixtures I1 = a1 y1 + (1 - a1) y2 and I2 = a2 y1 + (1 - a2) y2, a1 > a2, each
layer is a mixture with some of the mixtures' difference added or taken away:

    y1 = I1 + p (I1 - I2),  p = (1 - a1) / (a1 - a2)
    y2 = I2 - q (I1 - I2),  q = a2 / (a1 - a2)

Two numbers alone are unknown, and each moves one layer alone.
"""

import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter
from torch import Tensor

from dil_teach.image.convention import Image, Video, check_image
from dil_teach.image.resize import resize

LARGEST_SIDE = 256
"""Of the pictures that are looked at: they are mixed alike at every size."""
GRID = 48
ROUNDS = 4
"""Grids of pairs, each round the best pair of the one before."""


def exclusion_search(mixtures: Video, blur: float = 0.0) -> tuple[float, float]:
    """Estimate the coefficients of two mixtures of the same two layers.

    Parameters
    ----------
    mixtures : Video
        Float[Tensor, "2 c h w"] in [0, 1]: two pictures through one pane, say.
    blur : float
        Standard deviation in pixels of a Gaussian on both mixtures before the search.
        Noise has edges everywhere, and without a blur they decide.

    Returns
    -------
    tuple of float
        The first layer's share of each mixture, (a1, a2), each in [0, 1]. The first
        layer is the one of which the first mixture has more: a1 > a2.

    Raises
    ------
    ValueError
        If there are not two mixtures, or they are the same picture.
    """
    check_two_mixtures(mixtures)
    largest = max(mixtures.shape[-2:])
    if largest > LARGEST_SIDE:
        mixtures = resize(mixtures, LARGEST_SIDE / largest)
    if blur > 0:
        spread = (0, 0, blur, blur)
        values = gaussian_filter(mixtures.cpu().numpy(), spread, mode="nearest")
        mixtures = torch.from_numpy(values).to(mixtures)
    first, second = edges(mixtures[0]), edges(mixtures[1])
    p, q = _least_exclusion(first, second)
    return (1 + q) / (1 + p + q), q / (1 + p + q)


def _least_exclusion(
    first: Float[Tensor, " n"], second: Float[Tensor, " n"]
) -> tuple[float, float]:
    """The p and q, each from 0 to 20, at which the two layers' edges meet least."""
    # the grid is even in u = p / (1 + p): p near 0 moves the layer more than far ones
    centre, reach = [10 / 21, 10 / 21], 10 / 21
    for _ in range(ROUNDS):
        grids = [
            torch.linspace(max(c - reach, 0), min(c + reach, 20 / 21), GRID).to(first)
            for c in centre
        ]
        p, q = (u / (1 - u) for u in grids)
        one = strength(first + p[:, None] * (first - second))
        two = strength(second - q[:, None] * (first - second))
        # the product of all pairs at once: (p, pixels) times (pixels, q)
        row, column = divmod(int((one @ two.T).argmin()), GRID)
        centre = [float(grids[0][row]), float(grids[1][column])]
        reach *= 4 / GRID
    return centre[0] / (1 - centre[0]), centre[1] / (1 - centre[1])


def edges(image: Image) -> Float[Tensor, " _n"]:
    """Differences of neighbouring pixels, down and across, in one row."""
    return torch.cat([image.diff(dim=1).flatten(), image.diff(dim=2).flatten()])


def strength(edges: Float[Tensor, "_k _n"]) -> Float[Tensor, "_k _n"]:
    """From 0, no edge, to 1, one far over the mean of its row."""
    size = edges.abs()
    return torch.tanh(size / (2 * size.mean(1, keepdim=True).clamp_min(1e-6)))


def unmix(mixtures: Video, coefficients: tuple[float, float]) -> Video:
    """The two layers in closed form, the 2 x 2 system of the model inverted.

    Parameters
    ----------
    mixtures : Video
        Float[Tensor, "2 c h w"].
    coefficients : tuple of float
        The first layer's share of each mixture; they differ.

    Returns
    -------
    Video
        Float[Tensor, "2 c h w"]: first and second layer, not clamped.

    Raises
    ------
    ValueError
        If the coefficients are the same, so that nothing tells the layers apart.
    """
    a1, a2 = coefficients
    if a1 == a2:
        raise ValueError(
            f"coefficients: expected two that differ, got {a1} twice; mixtures with "
            "the same shares cannot be told apart: take another pair"
        )
    difference = (mixtures[0] - mixtures[1]) / (a1 - a2)
    return torch.stack(
        [mixtures[0] + (1 - a1) * difference, mixtures[1] - a2 * difference]
    )


def check_two_mixtures(mixtures: Tensor) -> None:
    """Refuse, in one sentence, what are not two different mixtures.

    Raises
    ------
    ValueError
        If there are not two images, or they do not differ.
    """
    if mixtures.ndim != 4 or len(mixtures) != 2:
        raise ValueError(
            f"mixtures: expected two images, (2, c, h, w), got "
            f"{tuple(mixtures.shape)}; torch.stack makes one tensor of two images"
        )
    for mixture in mixtures:
        check_image(mixture, "mixtures", min_side=2)
    if (mixtures[0] - mixtures[1]).abs().max() < 2 / 255:
        raise ValueError(
            "mixtures: expected two that differ, got the same picture twice; take one "
            "alone, or a second in which the layers have other shares"
        )
