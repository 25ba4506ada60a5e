"""Separate two mixtures into layers, by a search for the smallest exclusion loss.

After Sarel and Irani, 'Separating Transparent Layers through Layer Information
Exchange', ECCV 2004. The two original pictures are independent, so the layers correlate
least if they are separated correctly. Departures: one pair of coefficients holds for
the whole image; the correlation is measured by the exclusion loss of edges (Zhang, Ng
and Chen, 'Single Image Reflection Separation with Perceptual Losses', CVPR 2018); the
search is exhaustive.

For the mixtures I1 = a1 y1 + (1 - a1) y2 and I2 = a2 y1 + (1 - a2) y2 with a1 > a2,
each layer is a mixture plus or minus a multiple of the difference of the mixtures:

    y1 = I1 + p (I1 - I2),  p = (1 - a1) / (a1 - a2)
    y2 = I2 - q (I1 - I2),  q = a2 / (a1 - a2)

Each of the two unknown numbers, p and q, changes only one layer.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.ndimage import gaussian_filter
from torch import Tensor

from dil_teach.image.convention import Image, Video, check_images
from dil_teach.image.resize import limit_side

LARGEST_SIDE = 256
"""Larger mixtures are searched on copies with this longer side, in pixels."""
GRID = 48
"""Number of values of p, and of q, in each round of the search."""
ROUNDS = 4
"""Number of rounds; each centres its grid on the best pair of the previous round."""
ZOOM = 4
"""On each side of the best pair, the grid of the next round covers this number of cells
of the current grid."""
LARGEST = 20
"""Largest p and q; with these values, the mixtures differ by 1/20 of the layers'
contrast."""
LEVELS = 3
"""Number of scales, each half as large, at which :func:`exclusion` compares edges."""
LEAST_EDGE = 1e-4
"""We divide by the mean edge, at least by this number: constant layers have mean 0."""


def exclusion_search(mixtures: Video, blur: float = 0.0) -> tuple[float, float]:
    """Estimate a1 and a2, the first layer's coefficients in two mixtures, in [0, 1].

    The first layer is stronger in the first mixture than in the second: a1 > a2. A
    ValueError is raised if there are not two mixtures, or they are the same picture.

    Parameters
    ----------
    mixtures : Video
        Float[Tensor, "2 c h w"] in [0, 1], such as two photographs through a window.
    blur : float
        Standard deviation, in pixels, of a Gaussian blur on the mixtures before the
        search. If mixtures are noisy, this blur removes the edges of the noise.
    """
    check_two_mixtures(mixtures)
    mixtures = limit_side(mixtures, LARGEST_SIDE)
    if blur > 0:
        spread = (0, 0, blur, blur)
        values = gaussian_filter(mixtures.cpu().numpy(), spread, mode="nearest")
        mixtures = torch.from_numpy(values).to(mixtures)
    first, second = edges(mixtures[0]), edges(mixtures[1])
    # the grid is uniform in u = p / (1 + p): a change of p matters more if p is small
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
        # the losses of all (p, q) in one product: (p, pixels) @ (pixels, q)
        row, column = divmod(int((one @ two.T).argmin()), GRID)
        centre = [float(grids[0][row]), float(grids[1][column])]
        reach *= ZOOM / GRID
    p, q = (u / (1 - u) for u in centre)
    return (1 + q) / (1 + p + q), q / (1 + p + q)


def edges(image: Image) -> Float[Tensor, " _n"]:
    """Vertical and horizontal differences of neighbouring pixels, in one vector."""
    return torch.cat([image.diff(dim=1).flatten(), image.diff(dim=2).flatten()])


def edge_strength(edges: Float[Tensor, "n *_rest"]) -> Float[Tensor, "n *_rest"]:
    """``tanh(|e| / (2 mean |e|))``, from 0 (no edge) to 1 (far above the mean).

    The mean is computed separately for each item of the first axis.
    """
    size = edges.abs()
    # no gradient through the mean: else a network could lower the loss by a few huge
    # edges, which raise the mean and make all other edges look weak
    mean = size.detach().mean(tuple(range(1, size.ndim)), keepdim=True)
    return torch.tanh(size / (2 * mean.clamp_min(LEAST_EDGE)))


def exclusion(
    a: Float[Tensor, "_n _c _h _w"], b: Float[Tensor, "_n _c _h _w"]
) -> Float[Tensor, ""]:
    """The exclusion loss, from 0 to 1: how strongly the edges of two layers coincide.

    The mean of ``edge_strength(a) * edge_strength(b)`` over three scales and both
    directions (Zhang et al., equation 5). Departures: each layer's edges are divided by
    their mean, so that a lower contrast does not lower the loss. The mean replaces a
    Frobenius norm, because the norm has an infinite gradient if no edges coincide.

    The loss is about 0.1 for two photographs, 0.2 for two mixtures of them, and 0 (with
    a finite gradient) if a layer is constant.
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
    """Compute two layers from two mixtures and the coefficients (a1, a2), unclamped.

    The result solves the model's 2 x 2 equations. A ValueError is raised if the
    coefficients are equal, because then there is no unique solution.
    """
    a1, a2 = coefficients
    if a1 == a2:
        raise ValueError(
            f"coefficients: expected two different numbers, got {a1} twice; take other "
            "mixtures"
        )
    difference = (mixtures[0] - mixtures[1]) / (a1 - a2)
    return torch.stack(
        [mixtures[0] + (1 - a1) * difference, mixtures[1] - a2 * difference]
    )


def check_two_mixtures(mixtures: Tensor) -> None:
    """Raise a ValueError unless ``mixtures`` contains two different images."""
    check_images(mixtures, "mixtures", min_side=2, constant=True)
    if len(mixtures) != 2:
        raise ValueError(f"mixtures: expected two images, got {len(mixtures)}")
    if (mixtures[0] - mixtures[1]).abs().max() < 2 / 255:
        raise ValueError(
            "mixtures: expected two different pictures, got the same picture twice; "
            "give only one, or replace the second"
        )
