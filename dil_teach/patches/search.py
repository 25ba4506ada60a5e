"""Nearest patches: where in an image, or its pyramid, the patches of another recur."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from scipy.spatial import KDTree
from torch import Tensor

from dil_teach.image.convention import Image, check_image
from dil_teach.patches.extract import patches_inside

Mask = Bool[Tensor, "_h _w"]
Values = Float[Tensor, "n values"]

COMPONENTS = 24
"""Principal components that the KD-tree compares: they hold nearly all of a patch."""
EPS, EPS_OF_TEXTURE = 1.75, 2.5
"""The tree passes over a branch that is not 1 + EPS times nearer than what it has. In
texture all patches are nearly as far: there a coarser search is no worse, and quicker.
"""
TEXTURE = 0.1
"""What is texture: the share of variance beyond the first 8 components."""
LEAF = 64
"""Patches compared one by one at the end of a branch."""
SPARE, SPARE_EXACT = 8, 2
"""Candidates beyond the k wanted: true distances then choose among them. The exact
search needs them for its rounding alone.
"""
SAMPLE = 20000
"""Patches that the components are computed from."""
BLOCK = 65536
"""Patches unfolded at a time."""
ROWS, COLUMNS, GROUP = 128, 4096, 16
"""Sides of a tile of distances; columns of a group in it."""


class Neighbours(NamedTuple):
    """The k nearest patches, nearest first, of each patch by its top left corner.

    Patches that a mask keeps from asking have infinite distances, and -1 elsewhere.
    """

    distance: Float[Tensor, "h w k"]
    """Squared: the sum over all c * patch_size**2 values."""
    level: Int[Tensor, "h w k"]
    """Which image of the database the match is in; 0 where there is but one."""
    row: Int[Tensor, "h w k"]
    """Of the match's top left corner, in pixels of that image."""
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
    """The k patches of a database that are nearest to each patch of an image.

    Parameters
    ----------
    query : Image
        Float[Tensor, "c h w"]; each of its patches asks.
    database : Image or sequence of Image
        Where to look: an image or several, such as a
        :func:`~dil_teach.image.pyramid.pyramid`, with the query's channels and device.
    patch_size : int
        Side of a patch in pixels.
    k : int
        How many neighbours.
    stride : int
        Distance between neighbouring patches that ask, in pixels.
    exact : bool
        Compare each patch with every other, tile by tile. Otherwise a KD-tree on the
        first 24 principal components proposes candidates and true distances choose
        among them: on photographs the distances found are 1 to 3% above the smallest,
        for a fraction of the time (benchmarks/results/recurrence_speed.json). On a GPU
        the search is always exact.
    remove_mean : bool
        Compare patches less the mean of each channel over the patch.
    exclude_self : bool
        The database is the query at one or several scales: leave out the patch itself,
        that is whatever lies less than one pixel, of its image, from the same place.
    query_mask, database_mask : Bool[Tensor, "h w"], optional
        True where a pixel may be used (a sequence of masks where the database is one of
        images): only patches wholly inside ask, or answer.

    Returns
    -------
    Neighbours
        Each field of shape (h - patch_size + 1, w - patch_size + 1, k); with a stride
        every so many of these rows and columns.

    Raises
    ------
    ValueError
        If an image is smaller than a patch, a mask has another size than its image, the
        numbers of channels differ, the database has fewer than k patches, or the stride
        is below 1.
    """
    levels = [database] if isinstance(database, Tensor) else list(database)
    masks = [database_mask] if isinstance(database_mask, Tensor) else database_mask
    if stride < 1:
        raise ValueError(f"stride: expected at least 1, got {stride}; 1 asks for all")
    asking = _bag("query", [query], [query_mask], patch_size, remove_mean, stride)
    known = _bag("database", levels, masks, patch_size, remove_mean)
    if len(known.pixels) != len(query):
        raise ValueError(
            f"database: expected {len(query)} channels as in the query, got "
            f"{len(known.pixels)}; make both grey or both colour"
        )
    most_own = sum(1 if level.shape == query.shape else 4 for level in levels)
    left_out = most_own if exclude_self else 0
    if not 1 <= k <= len(known) - left_out:
        raise ValueError(
            f"k: expected 1 to {max(len(known) - left_out, 0)}, the patches that the "
            f"database offers{' beside the patch itself' * exclude_self}, got {k}; ask "
            "for fewer, or give a larger database or mask"
        )
    exact = exact or query.device.type != "cpu"
    count = k + left_out + (SPARE_EXACT if exact else SPARE)
    candidates = (_exact if exact else _by_tree)(asking, known, min(count, len(known)))
    own = _own_places(asking, query, levels) if exclude_self else None
    distance, index = _rank(asking, known, candidates, k, own)

    out_size = tuple((side - patch_size) // stride + 1 for side in query.shape[-2:])
    where = asking.row // stride * out_size[1] + asking.column // stride

    def spread(found: Tensor, missing: float) -> Tensor:
        whole = found.new_full((out_size[0] * out_size[1], k), missing)
        return whole.index_copy(0, where, found).view(*out_size, k)

    return Neighbours(
        spread(distance, torch.inf),
        *(spread(of[index], -1) for of in (known.level, known.row, known.column)),
    )


@dataclass(frozen=True)
class _Bag:
    """The patches of some images, unfolded only when and where they are looked at."""

    pixels: Float[Tensor, "c pixels"]  # of all images, one after another
    start: Int[Tensor, "n"]  # of each patch, its top left pixel's index in them
    width: Int[Tensor, "n"]  # of its image: the step from row to row
    level: Int[Tensor, "n"]
    row: Int[Tensor, "n"]
    column: Int[Tensor, "n"]
    patch_size: int
    remove_mean: bool

    def __len__(self) -> int:
        return len(self.start)

    def values(self, index: Int[Tensor, "n"] | slice) -> Values:
        """Patches as rows of values, as ``extract_patches`` has them."""
        side = torch.arange(self.patch_size, device=self.pixels.device)
        rows = self.start[index, None] + side * self.width[index, None]
        pixels = (rows[:, :, None] + side).flatten()
        values = self.pixels[:, pixels].view(
            len(self.pixels), len(rows), len(side) ** 2
        )
        if self.remove_mean:
            values = values - values.mean(-1, keepdim=True)
        return values.transpose(0, 1).flatten(1)


def _bag(
    name: str,
    images: Sequence[Image],
    masks: Sequence[Mask | None] | None,
    patch_size: int,
    remove_mean: bool,
    stride: int = 1,
) -> _Bag:
    if not images:
        raise ValueError(f"{name}: expected at least one image, got none")
    masks = [None] * len(images) if masks is None else masks
    if len(masks) != len(images):
        raise ValueError(
            f"{name}_mask: expected one mask for each of {len(images)} images, got "
            f"{len(masks)}"
        )
    places, first = [], 0
    for level, (image, mask) in enumerate(zip(images, masks, strict=True)):
        check_image(image, name, in_range=False)
        height, width = image.shape[-2:]
        if not 1 <= patch_size <= min(height, width):
            raise ValueError(
                f"patch_size: expected 1 to {min(height, width)}, the smaller side of "
                f"the {name} ({height} x {width} pixels), got {patch_size}; take a "
                "larger image or scale, or smaller patches"
            )
        rows, columns = height - patch_size + 1, width - patch_size + 1
        inside = torch.ones(rows, columns, dtype=torch.bool, device=image.device)
        if mask is not None:
            inside = _wholly_inside(mask, image, patch_size, name)
        row, column = stride * inside[::stride, ::stride].nonzero().T
        start = first + row * width + column
        like = torch.ones_like(start)
        places.append((start, width * like, level * like, row, column))
        first += height * width
    if len({len(image) for image in images}) > 1:
        raise ValueError(f"{name}: expected images of one number of channels")
    pixels = torch.cat([image.flatten(1) for image in images], 1)
    start, width, level, row, column = map(torch.cat, zip(*places, strict=True))
    return _Bag(pixels, start, width, level, row, column, patch_size, remove_mean)


def _wholly_inside(
    mask: Mask, image: Image, patch_size: int, name: str
) -> Bool[Tensor, "h w"]:
    if mask.dtype != torch.bool:
        raise ValueError(
            f"{name}_mask: expected true and false, got {mask.dtype}; compare it: > 0.5"
        )
    if mask.shape != image.shape[-2:]:
        raise ValueError(
            f"{name}_mask: expected the size of its image, {image.shape[-2]} x "
            f"{image.shape[-1]}, got {' x '.join(map(str, mask.shape))}; "
            "make the mask from that image"
        )
    return patches_inside(mask, patch_size)


def _exact(asking: _Bag, known: _Bag, count: int) -> Int[Tensor, "n count"]:
    """Candidates by all distances, one tile of them after another.

    Of |q - d|^2 = |q|^2 + |d|^2 - 2 q.d the first term orders nothing; the others are
    one matrix product. The `count` smallest values of a tile lie in the `count` groups
    with the smallest minima, and minima of groups cost little.
    """
    # small numbers keep their digits: take off what all patches share
    centre = known.values(slice(0, BLOCK)).mean(0)
    best = centre.new_full((len(asking), count), torch.inf)
    index = torch.zeros_like(best, dtype=torch.long)
    memory = centre.new_empty(ROWS * COLUMNS)  # used again: new pages cost time
    for before, queries in _blocks(asking, BLOCK):
        queries = F.pad(-2 * (queries - centre), (0, 1), value=1)
        for first, block in _blocks(known, COLUMNS):
            block = F.pad(block - centre, (0, 1, 0, -len(block) % GROUP))
            block[:, -1] = block.square().sum(1)
            block[len(known) - first :, -1] = torch.inf
            for top in range(0, len(queries), ROWS):
                query = queries[top : top + ROWS]
                scores = memory[: len(query) * len(block)].view(len(query), len(block))
                found, where = _smallest(torch.mm(query, block.T, out=scores), count)
                rows = slice(before + top, before + top + len(query))
                found = torch.cat([best[rows], found], 1)
                where = torch.cat([index[rows], where + first], 1)
                best[rows], order = found.topk(count, largest=False)
                index[rows] = where.gather(1, order)
    return index


def _smallest(
    scores: Float[Tensor, "n tile"], count: int
) -> tuple[Float[Tensor, "n found"], Int[Tensor, "n found"]]:
    """At least the `count` smallest of each row, and their columns."""
    step = scores.shape[1] // GROUP
    minima = scores.view(-1, GROUP, step).amin(1)
    groups = minima.topk(min(count, step), largest=False, sorted=False).indices
    offsets = step * torch.arange(GROUP, device=scores.device)
    columns = (groups[:, None] + offsets[:, None]).flatten(1)
    return scores.gather(1, columns), columns


def _by_tree(asking: _Bag, known: _Bag, count: int) -> Int[Tensor, "n count"]:
    """Candidates by a KD-tree on the database's first principal components."""
    sample = known.values(slice(0, None, len(known) // SAMPLE + 1)).double()
    covariance = torch.atleast_2d(sample.T.cov(correction=0))
    variances, directions = torch.linalg.eigh(covariance)  # in rising order
    directions = directions[:, -COMPONENTS:].float()
    texture = variances[:-8].sum() > TEXTURE * variances.sum()
    database, queries = (
        torch.cat([block @ directions for _, block in _blocks(bag, BLOCK)]).numpy()
        for bag in (known, asking)
    )
    # trees that halve boxes, not numbers of patches, find near ones sooner
    tree = KDTree(database, LEAF, balanced_tree=False)
    eps = EPS_OF_TEXTURE if texture else EPS
    _, index = tree.query(queries, count, eps=eps, workers=torch.get_num_threads())
    return torch.from_numpy(np.asarray(index)).view(len(asking), count)


def _blocks(bag: _Bag, size: int) -> Iterator[tuple[int, Values]]:
    for first in range(0, max(len(bag), 1), size):
        yield first, bag.values(slice(first, first + size))


def _rank(
    asking: _Bag,
    known: _Bag,
    candidates: Int[Tensor, "n count"],
    k: int,
    own: Float[Tensor, "n levels 2"] | None,
) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """The k nearest candidates by true distances; of equal ones, the first in order."""
    distances = [known.pixels.new_empty(0, k)]  # there may be no patch that asks
    indices = [candidates[:0, :k]]
    size = max(BLOCK // candidates.shape[1], 1)
    # rows are quicker to fetch than pixels, where there is room for them
    whole = known.values(slice(None)) if len(known) <= BLOCK else None
    for first in range(0, len(asking), size):
        chosen = candidates[first : first + size].sort(1).values
        flat = chosen.flatten()
        query = asking.values(slice(first, first + size))
        answers = known.values(flat) if whole is None else whole[flat]
        answers = answers.view(*chosen.shape, -1)
        distance = (answers - query[:, None]).square().sum(2)
        if own is not None:
            centre = own[first : first + size].repeat_interleave(chosen.shape[1], 0)
            place = torch.stack([known.row[flat], known.column[flat]], 1)
            centre = centre[torch.arange(len(flat)), known.level[flat]]
            itself = ((place - centre).abs() < 0.999).all(1)  # 1 is another, rounded
            distance[itself.view(chosen.shape)] = torch.inf
        distance, order = distance.sort(dim=1, stable=True)
        distances.append(distance[:, :k])
        indices.append(chosen.gather(1, order[:, :k]))
    return torch.cat(distances), torch.cat(indices)


def _own_places(
    asking: _Bag, query: Image, levels: Sequence[Image]
) -> Float[Tensor, "n levels 2"]:
    """Where, in each level, a patch of the query lies: its top left corner."""
    half = asking.patch_size / 2
    corner = torch.stack([asking.row, asking.column], 1)[:, None]
    sizes = torch.tensor([level.shape[-2:] for level in levels], device=corner.device)
    scale = sizes / torch.tensor(query.shape[-2:], device=corner.device)
    return (corner + half) * scale - half
