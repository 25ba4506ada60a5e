"""Two layers from two mixtures: search for the coefficients of least exclusion loss.

After Sarel and Irani, 'Separating Transparent Layers through Layer Information
Exchange', ECCV 2004: two pictures are independent, so in the right separation the
layers correlate least. Departures: one pair of coefficients for the whole image;
the correlation is the exclusion loss of edges (Zhang, Ng and Chen, 'Single Image
Reflection Separation with Perceptual Losses', CVPR 2018); the search is exhaustive.

For the mixtures I1 = a1 y1 + (1 - a1) y2 and I2 = a2 y1 + (1 - a2) y2 with a1 > a2,
each layer is a mixture plus or minus a multiple of the difference of the mixtures:

    y1 = I1 + p (I1 - I2),  p = (1 - a1) / (a1 - a2)
    y2 = I2 - q (I1 - I2),  q = a2 / (a1 - a2)

The two unknown numbers p and q each change one layer only.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.ndimage import gaussian_filter
from torch import Tensor

from dil_teach.image.convention import Image, Video, check_image
from dil_teach.image.resize import resize

LARGEST_SIDE = 256
"""Longer side, in pixels, of the copies on which the search works: the coefficients are
the same at every size."""
GRID = 48
"""Number of values of p, and of q, in each round of the search."""
ROUNDS = 4
"""Number of rounds: each grid lies around the best pair of the previous round."""
ZOOM = 4
"""Half the width of the next grid, in cells of the present one."""
LARGEST = 20
"""Largest p and q: at 20 the mixtures differ by a twentieth of the layers' contrast."""
LEVELS = 3
"""Number of scales at which :func:`exclusion` compares edges, each half the last."""
LEAST_EDGE = 1e-4
"""Minimum of the mean edge in a division, so that a constant layer has no edges."""


def exclusion_search(mixtures: Video, blur: float = 0.0) -> tuple[float, float]:
    """Estimate the coefficients of two mixtures of the same two layers.

    A ValueError is raised if there are not two mixtures, or they are the same picture.

    Parameters
    ----------
    mixtures : Video
        Float[Tensor, "2 c h w"] in [0, 1], such as two photographs through a window.
    blur : float
        Standard deviation, in pixels, of a Gaussian blur on both mixtures before the
        search. Without a blur, the result depends mainly on edges caused by noise.

    Returns
    -------
    tuple of float
        The first layer's coefficient in each mixture, (a1, a2), each in [0, 1]. The
        first layer is the one that is stronger in the first mixture: a1 > a2.
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
    # the grid is uniform in u = p / (1 + p), because the same change of p has a larger
    # effect when p is small
    most = LARGEST / (1 + LARGEST)
    centre, reach = [most / 2, most / 2], most / 2
    for _ in range(ROUNDS):
        grids = [
            torch.linspace(max(c - reach, 0), min(c + reach, most), GRID).to(first)
            for c in centre
        ]
        p, q = (u / (1 - u) for u in grids)
        one = edge_strength(first + p[:, None] * (first - second))
        two = edge_strength(second - q[:, None] * (first - second))
        # all pairs at once: (p, pixels) times (pixels, q)
        row, column = divmod(int((one @ two.T).argmin()), GRID)
        centre = [float(grids[0][row]), float(grids[1][column])]
        reach *= ZOOM / GRID
    p, q = (u / (1 - u) for u in centre)
    return (1 + q) / (1 + p + q), q / (1 + p + q)


def edges(image: Image) -> Float[Tensor, " _n"]:
    """Differences of neighbouring pixels, down and across, in one vector."""
    return torch.cat([image.diff(dim=1).flatten(), image.diff(dim=2).flatten()])


def edge_strength(edges: Float[Tensor, "n *_rest"]) -> Float[Tensor, "n *_rest"]:
    """The strength of edges, from 0 (none) to 1 (far above the mean).

    It is ``tanh(|e| / (2 mean |e|))``, with the mean of each item of the first axis.
    """
    size = edges.abs()
    # detached: otherwise a few huge edges could raise the mean and hide all others
    mean = size.detach().mean(tuple(range(1, size.ndim)), keepdim=True)
    return torch.tanh(size / (2 * mean.clamp_min(LEAST_EDGE)))


def exclusion(
    a: Float[Tensor, "_n _c _h _w"], b: Float[Tensor, "_n _c _h _w"]
) -> Float[Tensor, ""]:
    """The exclusion loss: how strongly edges of two layers coincide, from 0 to 1.

    The mean of ``edge_strength(a) * edge_strength(b)`` over three scales and both
    directions (Zhang et al., equation 5). Departures: each layer's edges are divided by
    their mean, so that a lower contrast does not lower the loss. The mean replaces a
    Frobenius norm, whose gradient is infinite where no edges coincide.

    It is about 0.1 for two photographs and 0.2 for two mixtures of them. It is 0, with
    a finite gradient, if a layer is constant.
    """
    means = []
    for level in range(LEVELS):
        if level > 0:
            a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
        for dim in (2, 3):
            strengths = edge_strength(a.diff(dim=dim)), edge_strength(b.diff(dim=dim))
            means.append((strengths[0] * strengths[1]).mean())
    return torch.stack(means).mean()


def unmix(mixtures: Video, coefficients: tuple[float, float]) -> Video:
    """Compute the two layers in closed form, by the model's 2 x 2 system; not clamped.

    A ValueError is raised if the coefficients are equal, so that the system has no
    unique solution.

    Parameters
    ----------
    mixtures : Video
        Float[Tensor, "2 c h w"].
    coefficients : tuple of float
        The first layer's coefficient in each mixture.
    """
    a1, a2 = coefficients
    if a1 == a2:
        raise ValueError(
            f"coefficients: expected two that differ, got {a1} twice; take mixtures in "
            "which the layers have different coefficients"
        )
    difference = (mixtures[0] - mixtures[1]) / (a1 - a2)
    return torch.stack(
        [mixtures[0] + (1 - a1) * difference, mixtures[1] - a2 * difference]
    )


def check_two_mixtures(mixtures: Tensor) -> None:
    """Raise a ValueError unless these are two images that differ."""
    if mixtures.ndim != 4 or len(mixtures) != 2:
        raise ValueError(
            f"mixtures: expected two images, (2, c, h, w), got "
            f"{tuple(mixtures.shape)}; torch.stack makes one tensor of two images"
        )
    for mixture in mixtures:
        check_image(mixture, "mixtures", min_side=2)
    if (mixtures[0] - mixtures[1]).abs().max() < 2 / 255:
        raise ValueError(
            "mixtures: expected two that differ, got the same picture twice; give only "
            "one, or a second with other coefficients of the layers"
        )
