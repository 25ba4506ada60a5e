"""All patches of one image against all of another, both ways, and their votes."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dil_teach.image.convention import Image
from dil_teach.patches.extract import extract_patches

Rows = Float[Tensor, "_n values"]
Size = tuple[int, int]

COMPONENTS = 32
"""Principal components that are compared: nearly all of a patch."""
SAMPLE = 4000
"""Patches that the components are computed from."""
TILE = 4_000_000
"""Distances that are held at a time: 16 MB."""


class Level(NamedTuple):
    """Sizes, in pixels, of source and target at one level of a pyramid."""

    source: Size
    target: Size


def size_of(image: Tensor) -> Size:
    """Height and width of an image, in pixels."""
    return image.shape[-2], image.shape[-1]


def coarse_to_fine(
    source: Size, target: Size, least: int, factor: float = 0.75
) -> list[Level]:
    """Sizes of a source and a target that shrink together, coarsest first.

    Parameters
    ----------
    source, target : (int, int)
        Height and width at the finest level, in pixels.
    least : int
        No side of either gets smaller than this, but those of the finest level.
    factor : float
        From level to level, below 1.

    Returns
    -------
    list of Level
    """
    levels = [Level(source, target)]
    scale = factor
    while scale * min(*source, *target) >= least:
        small = [(round(scale * h), round(scale * w)) for h, w in (source, target)]
        levels.append(Level(small[0], small[1]))
        scale *= factor
    return levels[::-1]


def project(
    source: Rows, target: Rows, components: int = COMPONENTS
) -> tuple[Float[Tensor, "n k"], Float[Tensor, "m k"]]:
    """Patches as the first principal components of the source's.

    Parameters
    ----------
    source, target : Float[Tensor, "n values"]
        Patches as :func:`~dil_teach.patches.extract.extract_patches` has them.
    components : int
        How many are kept, of as many as there are values.
    """
    centre = source.mean(0)
    sample = (source - centre)[:: len(source) // SAMPLE + 1].double()
    directions = torch.linalg.eigh(sample.T @ sample).eigenvectors  # rising order
    directions = directions[:, -components:].float()
    return (source - centre) @ directions, (target - centre) @ directions


def nearest_rows(
    queries: Rows, keys: Rows, weights: Float[Tensor, "_m"] | None = None
) -> tuple[Float[Tensor, "n"], Int[Tensor, "n"]]:
    """The key of the smallest squared distance, or weighted one, to each query.

    Parameters
    ----------
    queries, keys : Float[Tensor, "n values"]
        Of as many values.
    weights : Float[Tensor, "m"], optional
        The distance to each key is multiplied by its weight, which is positive.

    Returns
    -------
    distance : Float[Tensor, "n"]
        As weighted; of exact products, so rounded to about 1e-6 of the rows' squares.
    index : Int[Tensor, "n"]
        Which key; of equal ones the first.
    """
    # w |q - k|^2 = (-2 w k, w |k|^2, w) . (q, 1, |q|^2): one product of matrices
    weights = keys.new_ones(len(keys)) if weights is None else weights
    square = keys.square().sum(1, keepdim=True)
    keys = torch.cat([-2 * keys, square, torch.ones_like(square)], 1) * weights[:, None]
    square = queries.square().sum(1, keepdim=True)
    queries = torch.cat([queries, torch.ones_like(square), square], 1)
    columns = keys.T.contiguous()
    distances, indices = [], []
    step = max(TILE // len(keys), 1)
    memory = queries.new_empty(step * len(keys))  # used again: new pages cost time
    for rows in queries.split(step):
        tile = memory[: len(rows) * len(keys)].view(len(rows), len(keys))
        torch.mm(rows, columns, out=tile)
        if tile.device.type == "cpu":  # NumPy's is ten times faster there
            index = torch.from_numpy(tile.numpy().argmin(1))
        else:
            index = tile.argmin(1)
        distances.append(tile.gather(1, index[:, None])[:, 0])
        indices.append(index)
    return torch.cat(distances).clamp_min(0), torch.cat(indices)


def vote(
    patches: Rows, weights: Float[Tensor, "_n"], start: Image, patch_size: int
) -> Image:
    """The weighted mean, at each pixel, of the patches that lie over it.

    Parameters
    ----------
    patches : Float[Tensor, "n values"]
        One at each place, row by row, already multiplied by its weight.
    weights : Float[Tensor, "n"]
        Not negative.
    start : Image
        What stays where the weights are all 0.
    patch_size : int
        Side of a patch in pixels.
    """
    size = size_of(start)
    total = F.fold(patches.T[None], size, patch_size)[0]
    each = weights.expand(1, patch_size**2, -1)
    weight = F.fold(each, size, patch_size)[0]
    return torch.where(weight > 0, total / weight.clamp_min(1e-30), start)


def patch_places(
    where: Float[Tensor, "2 _h _w"], patch_size: int
) -> Float[Tensor, "n 2"]:
    """What a map of places holds at the middle of each patch, row by row.

    Parameters
    ----------
    where : Float[Tensor, "2 h w"]
        Down and right, each in [0, 1].
    patch_size : int
        Side of a patch in pixels.
    """
    return extract_patches(where, patch_size).view(-1, 2, patch_size**2).mean(2)


def own_places(size: Size) -> Float[Tensor, "2 h w"]:
    """Where each pixel of an image lies: down and right, in shares of its sides."""
    height, width = size
    y = (torch.arange(height) + 0.5) / height
    x = (torch.arange(width) + 0.5) / width
    return torch.stack(torch.meshgrid(y, x, indexing="ij"))
