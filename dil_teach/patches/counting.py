"""Count the good matches of some patches in a large image, up to a maximum.

A good match is nearer than a limit, so the nearest patches need not be found. Each
query patch is compared with a small part of the database first, then with parts that
grow: many patches have enough good matches in a small part, and are not searched for
again. For the others, all matches are counted: principal components give a lower bound
of a distance, and where it is below the limit, the true distance is computed.

A KD-tree of millions of patches takes longer to build than these comparisons take.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dil_teach.image.convention import Image
from dil_teach.patches.components import SAMPLE, principal_components
from dil_teach.patches.extract import BLOCK, Mask, bag_of
from dil_teach.patches.search import own_places

Rows = Float[Tensor, "_n _values"]

COMPONENTS = 48
"""Number of principal components. With more, fewer true distances are computed. Noise
is in all components: on a photograph with noise of 4 grey levels, 24 components take
eight times as long as 48, and 75 (all) as long as 48."""
FIRST, PART = 32, 2**18
"""Approximate size of the first part of the database, and maximum size of a part. Each
part has as many patches as all parts before it, so a patch that still has fewer than
``most`` good matches has about as few in the next part. The first part is small,
because a patch of a smooth picture has good matches nearly everywhere: with 512 instead
of 32, counting takes six times as long in such a picture."""
ROWS, COLUMNS, GROUP = 256, 2048, 16
"""Height and width of a tile of the distance table (2 MB), and size of the groups of
columns whose minima are compared with the limits first."""
ROUNDING = 1e-4
"""This is added to the limits of the lower bounds, for the errors of float32."""


def count_matches(
    query: Image,
    searched: Image,
    limit: Float[Tensor, "h w"],
    patch_size: int,
    most: int,
    stride: int = 1,
    query_mask: Mask | None = None,
    searched_mask: Mask | None = None,
) -> Int[Tensor, "h w"]:
    """For each patch of an image, count the patches of another that are near it.

    The means of the channels are subtracted from each patch. The patch itself, and
    patches less than one pixel from its place, do not count.

    Parameters
    ----------
    query, searched : Image
        Float[Tensor, "c h w"]: the image, and the image at another scale.
    limit : Float[Tensor, "h w"]
        For each query patch, the largest squared distance of a match that counts.
    most : int
        The counts end at this number.
    patch_size, stride, query_mask, searched_mask
        As in :func:`~dil_teach.patches.search.nearest_patches`.

    Returns
    -------
    Int[Tensor, "h w"]
        The counts; 0 for patches that are not inside the mask.
    """
    asking = bag_of([query], [query_mask], patch_size, True, "query", stride)
    known = bag_of([searched], [searched_mask], patch_size, True, "database")
    counts = torch.zeros_like(limit, dtype=torch.long)
    if not len(known):
        return counts
    _, row, column = asking.place.T // stride
    sample = known[:: len(known) // SAMPLE + 1]
    centre, directions = principal_components(sample, COMPONENTS)

    def project(rows: Rows) -> Rows:
        """The components, and the length of the rest: their distance is the bound."""
        rows = rows - centre
        projected = rows @ directions
        rest = rows.square().sum(1, True) - projected.square().sum(1, True)
        return torch.cat([projected, rest.clamp_min(0).sqrt()], 1)

    patches = asking[:]
    queries = project(patches)
    order = queries.norm(dim=1).argsort(stable=True)  # see _pairs_within
    patches, queries = patches[order], queries[order]
    limits = limit[row, column][order]
    own = own_places(asking, query, [searched])[order, 0]
    found = counts.new_zeros(len(asking))
    for some in _growing_parts(len(known)):
        left = (found < most).nonzero()[:, 0]
        if not len(left):
            break
        part = known.some(some)
        matches = part[:]
        keys = project(matches)
        by_norm = keys.norm(dim=1).argsort(stable=True)
        near = limits[left] + ROUNDING
        for one, other in _pairs_within(queries[left], keys[by_norm], near):
            one, other = left[one], by_norm[other]
            distance = (patches[one] - matches[other]).square().sum(1)
            apart = (part.places(part.corner[other])[:, 1:] - own[one]).abs()
            # 0.999, as rounding may bring a neighbour's distance just below 1
            good = (distance <= limits[one]) & (apart >= 0.999).any(1)
            found += one[good].bincount(minlength=len(found))
    counts[row[order], column[order]] = found.clamp(max=most)
    return counts


def _growing_parts(count: int) -> Iterator[slice]:
    """Slices that divide ``count`` patches; each one takes them from everywhere."""
    step = 1 << max((count // FIRST).bit_length() - 1, 0)
    yield slice(0, None, step)
    while step > 1:
        parts = -(-count // (step * PART))
        for part in range(parts):
            yield slice(step // 2 + part * step, None, parts * step)
        step //= 2


def _pairs_within(
    queries: Rows, keys: Rows, limit: Float[Tensor, " n"]
) -> Iterator[tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"]]]:
    """Yield all pairs whose squared distance is at most the query's limit, in blocks.

    Queries and keys are sorted by their norms. Two rows are at least as far apart as
    their norms are, so most tiles of the distance table have no pair.
    """
    lengths, reach = queries.norm(dim=1), limit.sqrt()
    blocks = [slice(top, top + ROWS) for top in range(0, len(queries), ROWS)]
    nearest = [(lengths[b] - reach[b]).min().item() for b in blocks]
    farthest = [(lengths[b] + reach[b]).max().item() for b in blocks]
    # |q - d|^2 - limit = (q, 1, |q|^2 - limit) . (-2 d, |d|^2, 1): one matrix product
    rest = lengths.square() - limit
    queries = torch.cat([queries, torch.ones_like(rest)[:, None], rest[:, None]], 1)
    squares = keys.square().sum(1)
    norms = squares.sqrt()
    keys = torch.cat([-2 * keys, squares[:, None], torch.ones_like(keys[:, :1])], 1)
    padding = -len(keys) % GROUP  # adds keys at an infinite distance
    keys = F.pad(keys, (0, 0, 0, padding))
    keys[len(keys) - padding :, -2] = torch.inf
    memory = queries.new_empty(ROWS * COLUMNS)  # reused to save time
    pairs: list[tuple[Tensor, Tensor]] = []
    waiting = 0
    for first in range(0, len(norms), COLUMNS):
        tile = keys[first : first + COLUMNS].T
        low, high = norms[first].item(), norms[first : first + COLUMNS][-1].item()
        step = tile.shape[1] // GROUP
        for block, least, largest in zip(blocks, nearest, farthest, strict=True):
            if least > high or largest < low:
                continue
            rows = queries[block]
            scores = memory[: len(rows) * tile.shape[1]].view(len(rows), -1)
            torch.mm(rows, tile, out=scores)
            minima = scores.view(-1, GROUP, step).amin(1)
            row, column = (minima <= 0).nonzero(as_tuple=True)
            each = scores.view(-1, GROUP, step)[row, :, column]
            hit, group = (each <= 0).nonzero(as_tuple=True)
            pairs.append((block.start + row[hit], first + group * step + column[hit]))
            waiting += len(hit)
            if waiting >= BLOCK:
                yield _joined(pairs)
                pairs, waiting = [], 0
    if waiting:
        yield _joined(pairs)


def _joined(pairs: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    one, other = (torch.cat(each) for each in zip(*pairs, strict=True))
    return one, other
