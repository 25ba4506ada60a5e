"""Find the nearest patches of each patch, in the same image or in other images."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dil_teach.image.convention import Image, check_image
from dil_teach.patches.extract import BLOCK, Mask, PatchBag, bag_of
from dil_teach.patches.tree import candidates_by_tree

Rows = Float[Tensor, "_n values"]

PART = 2**20
"""Largest number of patches in a KD-tree, which needs 0.4 GB. A larger database is
divided into parts, which are searched one after another."""
SPARE, SPARE_EXACT = 8, 2
"""Number of candidates beyond k. The true distances of all candidates are compared at
the end. The exact search needs more than k because its distances are rounded."""
ROWS, COLUMNS, GROUP = 512, 4096, 16
"""Height and width of a tile of the distance table (8 MB), and size of the groups of
columns whose minima are compared first."""


class Neighbours(NamedTuple):
    """The k nearest patches of each query patch, nearest first.

    Axes h and w: the position of the query patch's top left pixel. Query patches
    outside the mask have infinite distances and indices of -1.
    """

    distance: Float[Tensor, "h w k"]
    """Squared distance: the sum over all c * patch_size**2 values."""
    level: Int[Tensor, "h w k"]
    """Index of the match's image in the database; 0 if there is only one."""
    row: Int[Tensor, "h w k"]
    """Row and column of the match's top left pixel in that image."""
    column: Int[Tensor, "h w k"]


def nearest_patches(
    query: Image,
    database: Image | Sequence[Image],
    patch_size: int = 5,
    k: int = 1,
    *,
    stride: int = 1,
    exact: bool = False,
    remove_mean: bool = False,
    exclude_self: bool = False,
    query_mask: Mask | None = None,
    database_mask: Mask | Sequence[Mask] | None = None,
) -> Neighbours:
    """Find the k nearest patches in a database for each patch of an image.

    A ValueError is raised if an image is smaller than a patch, a mask does not fit its
    image, the numbers of channels differ, or the database has fewer than k patches.

    Parameters
    ----------
    query : Image
        Float[Tensor, "c h w"].
    database : Image or sequence of Image
        The images that are searched, with the query's channels and device; for example
        a :func:`~dil_teach.image.resize.pyramid`.
    patch_size : int
        Side of a patch in pixels.
    k : int
        Number of neighbours.
    stride : int
        Distance between neighbouring query patches, in pixels.
    exact : bool
        Compare each patch with every other (always done on a GPU). Otherwise a KD-tree
        on the first 24 principal components proposes candidates, whose true distances
        are compared. On photographs, the tree takes 1/4 to 1/14 of the time, and the
        distances are 0.2 to 2.5% too large (benchmarks/results/recurrence_speed.json).
    remove_mean : bool
        Subtract the mean of each channel over the patch before patches are compared.
    exclude_self : bool
        Leave out the patch itself and patches less than one pixel away from it (one
        pixel of the searched image). Set ``exclude_self`` if the database is the query
        at one or several scales.
    query_mask, database_mask : Bool[Tensor, "h w"], optional
        True where a pixel may be used: only patches completely inside the mask are
        used. If the database is a sequence, its mask is a sequence too.

    Returns
    -------
    Neighbours
        Each field has shape (h - patch_size + 1, w - patch_size + 1, k); with a stride,
        it has only every stride-th of these rows and columns.
    """
    query = check_image(query, "query", in_range=False)
    levels = [database] if isinstance(database, Tensor) else list(database)
    levels = [check_image(level, "database", in_range=False) for level in levels]
    masks = [database_mask] if isinstance(database_mask, Tensor) else database_mask
    asking = bag_of([query], [query_mask], patch_size, remove_mean, "query", stride)
    known = bag_of(levels, masks, patch_size, remove_mean, "database")
    if len(known.pixels) != len(query):
        raise ValueError(
            f"database: expected {len(query)} channels as in the query, got "
            f"{len(known.pixels)}"
        )
    most_own = sum(1 if level.shape == query.shape else 4 for level in levels)
    left_out = most_own if exclude_self else 0
    if not 1 <= k <= len(known) - left_out:
        raise ValueError(
            f"k: expected 1 to {max(len(known) - left_out, 0)}, the number of patches "
            f"in the database{' without the patch itself' * exclude_self}, got {k}"
        )
    exact = exact or query.device.type != "cpu"
    count = k + left_out + (SPARE_EXACT if exact else SPARE)
    size = [(side - patch_size) // stride + 1 for side in query.shape[-2:]]
    _, row, column = asking.place.T // stride  # patches inside the mask
    own = own_places(asking, query, levels) if exclude_self else None
    propose = _exact if exact else candidates_by_tree
    distance, corner = _in_parts(asking, known, count, k, own, propose)

    def spread(found: Tensor, missing: float) -> Tensor:
        whole = found.new_full((*size, k), missing)
        whole[row, column] = found
        return whole

    places = known.places(corner).unbind(-1)
    return Neighbours(
        spread(distance, torch.inf), *(spread(each, -1) for each in places)
    )


def nearest_rows(
    queries: Rows,
    keys: Rows | PatchBag,
    k: int = 1,
    weights: Float[Tensor, "_m"] | None = None,
    centre: Float[Tensor, "values"] | float = 0.0,
) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """Find the k nearest keys of each query, by computing all squared distances.

    Parameters
    ----------
    queries, keys : Float[Tensor, "n values"]
        One query or key in each row; all rows have the same length.
    k : int
        Number of keys to find; at most the number of given keys.
    weights : Float[Tensor, "m"], optional
        The distance to each key is multiplied by the key's weight, which is positive.
    centre : Float[Tensor, "values"]
        A row that is subtracted from all queries and keys.

    Returns
    -------
    distance : Float[Tensor, "n k"]
        The weighted squared distances, smallest first. Rounding errors of the distances
        are about 1e-6 of the rows' squared norms, so use the mean as ``centre``.
    index : Int[Tensor, "n k"]
        Index of the key; for k = 1 and equal distances, the first key.
    """
    # w |q - d|^2 = (q, 1, |q|^2) . (-2 w d, w |d|^2, w): one matrix product
    queries = queries - centre
    squares = queries.square().sum(1, keepdim=True)
    queries = torch.cat([queries, torch.ones_like(squares), squares], 1)
    best = queries.new_full((len(queries), k), torch.inf)
    index = torch.zeros_like(best, dtype=torch.long)
    memory = queries.new_empty(ROWS * (COLUMNS + GROUP))  # reused to save time
    for first in range(0, len(keys), COLUMNS):
        tile = keys[first : first + COLUMNS] - centre
        squares = tile.square().sum(1, keepdim=True)
        tile = torch.cat([-2 * tile, squares, torch.ones_like(squares)], 1)
        if weights is not None:
            tile = tile * weights[first : first + COLUMNS, None]
        padding = -len(tile) % GROUP  # adds keys at an infinite distance
        tile = F.pad(tile, (0, 0, 0, padding))
        tile[len(tile) - padding :, -2] = torch.inf
        for top in range(0, len(queries), ROWS):
            rows = slice(top, min(top + ROWS, len(queries)))
            size = rows.stop - top, len(tile)
            scores = memory[: size[0] * size[1]].view(size)
            torch.mm(queries[rows], tile.T, out=scores)
            found, where = _smallest(scores, k)
            found = torch.cat([best[rows], found], 1)
            where = torch.cat([index[rows], where + first], 1)
            found, order = found.sort(dim=1, stable=True)
            best[rows], index[rows] = found[:, :k], where.gather(1, order[:, :k])
    return best.clamp_min(0), index


def _smallest(
    scores: Float[Tensor, "n tile"], k: int
) -> tuple[Float[Tensor, "n found"], Int[Tensor, "n found"]]:
    """The k smallest scores of each row (or all, if fewer), and their columns."""
    if k == 1 and scores.device.type == "cpu":  # NumPy's argmin is ten times faster
        columns = torch.from_numpy(scores.numpy().argmin(1))[:, None]
        return scores.gather(1, columns), columns
    # the k smallest scores lie in the k groups with the smallest minima
    step = scores.shape[1] // GROUP
    minima = scores.view(-1, GROUP, step).amin(1)
    groups = minima.topk(min(k, step), largest=False, sorted=False).indices
    offsets = step * torch.arange(GROUP, device=scores.device)
    columns = (groups[:, None] + offsets[:, None]).flatten(1)
    found = scores.gather(1, columns)
    found, order = found.topk(min(k, found.shape[1]), largest=False)
    return found, columns.gather(1, order)


def _in_parts(
    asking: PatchBag,
    known: PatchBag,
    count: int,
    k: int,
    own: Float[Tensor, "n levels 2"] | None,
    propose: Callable[..., Int[Tensor, "n candidates"]],
) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """Distances and corners of the nearest patches; a large database is divided."""
    parts = -(-len(known) // PART)
    if parts == 1:
        candidates = propose(asking, known, min(count, len(known)))
        distance, index = _rank(asking, known, candidates, k, own)
        return distance, known.corner[index]
    distance = known.pixels.new_full((len(asking), k), torch.inf)
    corner = known.corner.new_zeros(len(asking), k)
    for number in range(parts):
        part = known.some(slice(number, None, parts))  # taken from everywhere
        candidates = propose(asking, part, min(count, len(part)))
        near, index = _rank(asking, part, candidates, k, own)
        distance, order = torch.cat([distance, near], 1).sort(dim=1, stable=True)
        distance = distance[:, :k]
        corner = torch.cat([corner, part.corner[index]], 1).gather(1, order[:, :k])
    return distance, corner


def _exact(asking: PatchBag, known: PatchBag, count: int) -> Int[Tensor, "n count"]:
    """The ``count`` nearest patches of each query patch, from all distances."""
    centre = next(known.blocks()).mean(0)
    found = [nearest_rows(b, known, count, centre=centre) for b in asking.blocks()]
    return torch.cat([index for _, index in found])


def _rank(
    asking: PatchBag,
    known: PatchBag,
    candidates: Int[Tensor, "n count"],
    k: int,
    own: Float[Tensor, "n levels 2"] | None,
) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """The k candidates with the smallest true distances (if equal, the first)."""
    distances = [known.pixels.new_empty(0, k)]  # the mask may leave no query patch
    indices = [candidates[:0, :k]]
    size = max(BLOCK // candidates.shape[1], 1)
    # if they fit in memory, whole rows are faster to fetch than pixels
    rows = known[:] if len(known) <= BLOCK else known
    for first in range(0, len(asking), size):
        chosen = candidates[first : first + size].sort(1).values
        answers = rows[chosen.flatten()].view(*chosen.shape, -1)
        query = asking[first : first + size]
        distance = (answers - query[:, None]).square().sum(2)
        if own is not None:
            place = known.places(known.corner[chosen])  # level, row and column
            levels = place[..., :1].expand(-1, -1, 2)
            centre = own[first : first + size].gather(1, levels)
            apart = (place[..., 1:] - centre).abs()
            # 0.999, as rounding may bring a neighbour's distance just below 1
            distance[(apart < 0.999).all(2)] = torch.inf
        distance, order = distance.sort(dim=1, stable=True)
        distances.append(distance[:, :k])
        indices.append(chosen.gather(1, order[:, :k]))
    return torch.cat(distances), torch.cat(indices)


def own_places(
    asking: PatchBag, query: Image, levels: Sequence[Image]
) -> Float[Tensor, "n levels 2"]:
    """The row and column of each query patch's top left pixel in each level."""
    half = asking.patch_size / 2
    corner = asking.place[:, None, 1:]
    sizes = torch.tensor([level.shape[-2:] for level in levels], device=corner.device)
    scale = sizes / torch.tensor(query.shape[-2:], device=corner.device)
    return (corner + half) * scale - half
