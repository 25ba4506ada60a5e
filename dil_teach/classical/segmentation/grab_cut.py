"""GrabCut: Rother, Kolmogorov and Blake, '"GrabCut": interactive foreground extraction
using iterated graph cuts', SIGGRAPH 2004. GrabCut is our baseline for segmentation:
each layer has a Gaussian mixture of colours, and the mask is the minimum cut."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from sklearn.cluster import KMeans
from torch import Tensor

from dil_teach.classical.graph_cut import Pairs, graph_cut
from dil_teach.image.convention import Image, Video, check_image

COMPONENTS = 5
"""Number of Gaussians in the mixture of a layer (paper, section 3.1)."""
SMOOTHNESS = 50.0
"""Gamma: cost, in nats, of the boundary between two pixels of equal colour (paper)."""
ROUNDS = 5
"""Number of rounds of fitting and cutting; in later rounds the mask hardly changes."""
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Steps (dy, dx) to half of the eight neighbours, so that each pair is used once."""
SURE = 1e4
"""Cost, in nats, of a pixel that contradicts its hint: more than any boundary costs."""
SPREAD = 1e-4
"""Added to the variance of each component: the square of 2.5 grey levels."""

Map = Float[Tensor, "*t h w"]
"""A value for each pixel of a picture or of a video's frames."""
Colours = Float[Tensor, "n c"]


def grab_cut(
    image: Image, foreground: Image | None, background: Image | None, seed: int = 0
) -> Image:
    """Separate foreground (1 in the result) and background by colours and edges.

    The energy is the sum of U over all pixels and of V over all pairs of neighbours
    that the mask separates. U is minus the log-likelihood of a pixel's colour in its
    layer's Gaussian mixture. V is ``gamma / distance * exp(-beta |difference of
    colours|^2)``. Fitting the mixtures and cutting the mask alternate. As in the paper,
    all pixels that are not marked as background start as foreground.

    A ValueError is raised if a hint has another size, both hints mark nothing, or one
    hint marks all pixels.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"]. A cut takes 0.1 CPU seconds for 128 x 128 pixels, and 3
        seconds for 256 x 256. Downscale larger pictures first.
    foreground, background : Image or None
        Float[Tensor, "1 h w"], above 0.5 on pixels known to belong to the layer. At
        least one hint must mark something.
    seed : int
        Seed of the k-means clustering that starts the mixtures.
    """
    check_image(image)
    name = "foreground, background"
    front, back = (
        torch.zeros(image.shape[-2:], dtype=torch.bool)
        if hint is None
        else marked(name, hint, image)[0, 0].cpu()
        for hint in (foreground, background)
    )
    front = front & ~back
    if not (front.any() or back.any()) or back.all() or front.all():
        raise ValueError(
            f"{name}: expected hints that mark a part of the pixels, got none or all; "
            "mark a part of each layer"
        )
    edges = edge_weights(image, SMOOTHNESS)
    colours = image.flatten(1).T.cpu().double()
    mask = ~back if back.any() else front
    layers = mask.flatten(), ~mask.flatten()
    mixtures = [fit_mixture(colours[layer], seed) for layer in layers]
    for _ in range(ROUNDS):
        inside, outside = (mixture.costs(colours).view_as(mask) for mixture in mixtures)
        inside, outside = inside.where(~back, SURE), outside.where(~front, SURE)
        mask = min_cut(inside.where(~front, 0), outside.where(~back, 0), edges)
        if mask.all() or not mask.any():
            break
        layers = mask.flatten(), ~mask.flatten()
        mixtures = [
            mixture.fitted_again(colours[layer])
            for mixture, layer in zip(mixtures, layers, strict=True)
        ]
    return mask[None].float().to(image.device)


def marked(
    name: str, hint: Image | Video, picture: Image | Video
) -> Bool[Tensor, "n 1 h w"]:
    """True where a hint for one picture, the first frame or all frames is above 0.5.

    A ValueError is raised if the hint has another size than the picture.
    """
    height, width = picture.shape[-2:]
    whole = hint[None] if hint.ndim == 3 else hint
    frames = len(picture) if picture.ndim == 4 else 1
    if whole.shape[1:] != (1, height, width) or len(whole) not in (1, frames):
        raise ValueError(
            f"{name}: expected shape (1, {height}, {width}) as the image, got "
            f"{tuple(hint.shape)}; make the hint from that image"
        )
    return whole > 0.5


@dataclass(frozen=True)
class ColourMixture:
    """A Gaussian mixture. Each pixel belongs to its most likely component."""

    shares: list[float]
    means: list[Float[Tensor, "c"]]
    factors: list[Float[Tensor, "c c"]]
    """Lower triangular factors of the covariances (Cholesky)."""

    def likelihoods(self, colours: Colours) -> Float[Tensor, "n k"]:
        """log(weight * density) of each component, for each colour."""
        logs = []
        for share, mean, factor in zip(
            self.shares, self.means, self.factors, strict=True
        ):
            away = torch.linalg.solve_triangular(
                factor, (colours - mean).T, upper=False
            )
            size = factor.diagonal().log().sum() + len(mean) / 2 * math.log(math.tau)
            logs.append(math.log(share) - size - away.square().sum(0) / 2)
        return torch.stack(logs, 1)

    def costs(self, colours: Colours) -> Float[Tensor, "n"]:
        """Minus the log-likelihood of each colour in its best component, in nats."""
        return -self.likelihoods(colours).amax(1)

    def fitted_again(self, colours: Colours) -> "ColourMixture":
        """A new mixture; each component is fitted to the colours that belong to it."""
        return _fitted(colours, self.likelihoods(colours).argmax(1))


def fit_mixture(colours: Colours, seed: int) -> ColourMixture:
    """The first mixture of a layer: one Gaussian for each cluster of k-means."""
    some = colours[:: len(colours) // 1000 + 1]  # sorting all colours takes long
    different = len(some.unique(dim=0))
    if different < COMPONENTS:
        different = len(colours.unique(dim=0))
    k_means = KMeans(min(COMPONENTS, different), random_state=seed)
    return _fitted(colours, torch.from_numpy(k_means.fit(colours.numpy()).labels_))


def _fitted(colours: Colours, belongs: Tensor) -> ColourMixture:
    shares, means, factors = [], [], []
    least = SPREAD * torch.eye(colours.shape[1], dtype=colours.dtype)
    for k in belongs.unique():
        own = colours[belongs == k]
        covariance = torch.atleast_2d(own.T.cov(correction=0)) + least
        shares.append(len(own) / len(colours))
        means.append(own.mean(0))
        factors.append(torch.linalg.cholesky(covariance))
    return ColourMixture(shares, means, factors)


def edge_weights(image: Image | Video, smoothness: float) -> list[Map]:
    """The cost if a mask's boundary runs between two neighbouring pixels.

    For each (dy, dx) of ``NEIGHBOURS``, the result has the cost between each pixel (y,
    x) and its neighbour (y + dy, x + dx); 0 where there is no neighbour. The channels
    of the image are colours or other features; ``smoothness`` is gamma, in nats.
    """
    image = image.cpu().double()
    neighbours = [_neighbours(image, d) for d in NEIGHBOURS]
    steps = [(there - image).square().sum(-3) * exists for there, exists in neighbours]
    frames = image[..., 0, 0, 0].numel()
    pairs = frames * sum(int(exists.sum()) for _, exists in neighbours)
    beta = 0.5 / (torch.stack(steps).sum() / max(pairs, 1)).clamp_min(1e-12)
    return [
        smoothness / math.hypot(*d) * torch.exp(-beta * step) * exists
        for d, step, (_, exists) in zip(NEIGHBOURS, steps, neighbours, strict=True)
    ]


def _neighbours(
    image: Tensor, d: tuple[int, int]
) -> tuple[Tensor, Bool[Tensor, "h w"]]:
    """The values at (y + dy, x + dx), and whether such a pixel exists."""
    height, width = image.shape[-2:]
    y, x = torch.arange(height)[:, None] + d[0], torch.arange(width) + d[1]
    exists = (y < height) & (x >= 0) & (x < width)
    return image.roll((-d[0], -d[1]), (-2, -1)), exists


def min_cut(
    cost_in: Map, cost_out: Map, edges: list[Map], links: Pairs | None = None
) -> Bool[Tensor, "*t h w"]:
    """The mask of minimum cost, by graph cut (Boykov and Jolly, ICCV 2001).

    If several masks have the minimum cost, the result is the smallest of these masks.

    Parameters
    ----------
    cost_in, cost_out : Float[Tensor, "*t h w"]
        Cost of each pixel if the pixel is inside or outside the mask.
    edges : list of Float[Tensor, "*t h w"]
        Costs of a boundary between neighbours, from :func:`edge_weights`.
    links : Pairs, optional
        Pairs of pixels of different frames that show the same point. Pixels are
        numbered row by row and frame by frame.
    """
    index = torch.arange(cost_in.numel()).view(cost_in.shape)
    pairs = [links] if links else []
    for d, edge in zip(NEIGHBOURS, edges, strict=True):
        there, exists = _neighbours(index, d)
        exists = exists.expand(cost_in.shape)
        pairs.append((index[exists], there[exists], edge[exists]))
    mask = graph_cut(cost_in.flatten(), cost_out.flatten(), pairs)
    return mask.view(cost_in.shape)
