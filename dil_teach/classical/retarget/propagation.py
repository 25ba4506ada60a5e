"""Nearest patches at fine levels, after PatchMatch: Barnes, Shechtman, Finkelstein and
Goldman, "PatchMatch: a randomized correspondence algorithm for structural image
editing", SIGGRAPH 2009.

An exact search compares all pairs of patches; its cost grows with the square of the
number of pixels. Here, each patch is compared with few candidates, so the cost grows
with the number of pixels. The candidates of a patch are:

- the match that was found at the coarser level (:func:`carry_field`);
- the matches of its eight neighbours, shifted back by one pixel;
- patches at random places around its best match so far;
- the patches of the other image that chose it (:func:`best_of_inverse`).

The candidate with the smallest distance is kept. Patches are compared as in the exact
search of the coarse levels: by principal components and places.

Departure: the paper visits the patches one by one, in reading order. We test one
candidate of all patches of a band of rows at once.
"""

from collections.abc import Iterator, Sequence
from itertools import product

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float16, Int
from torch import Tensor

from dil_teach.classical.retarget.matching import (
    PATCH_SIZE,
    PLACE_WEIGHT,
    Level,
    Places,
    Size,
)
from dil_teach.image.convention import Image
from dil_teach.patches.extract import BLOCK

Field = Int[Tensor, "_h _w"]
"""For the patch at each place, the index of its match among the patches of the other
image, in reading order."""
HalfRows = Float16[Tensor, "_n _values"]

EIGHT = [shift for shift in product((-1, 0, 1), repeat=2) if shift != (0, 0)]


def propagate(
    field: Field,
    queries: HalfRows,
    keys: HalfRows,
    size: Size,
    rounds: Sequence[int],
    rng: torch.Generator,
    weights: Float[Tensor, " m"] | None = None,
) -> Float[Tensor, "h w"]:
    """Improve the matches of all patches, in place; none becomes worse.

    Parameters
    ----------
    field : Int[Tensor, "h w"]
        The index of a key for each query; it is changed.
    queries, keys : Float16[Tensor, "n values"]
        One query or key in each row, in reading order.
    size : (int, int)
        Numbers of rows and columns of the keys' patches.
    rounds : sequence of int
        Largest distance of the random candidates in each round.
    rng : torch.Generator
        Draws the random candidates.
    weights : Float[Tensor, "m"], optional
        As in :func:`~dil_teach.patches.search.nearest_rows`.

    Returns
    -------
    Float[Tensor, "h w"]
        The squared distances to the matches, without the weights.
    """
    height, width = field.shape
    distance = torch.empty(field.shape, device=field.device)
    for radius in rounds:
        for top, bottom in bands(height, width):
            band = slice(top * width, bottom * width)
            own, best = queries[band].float(), field.view(-1)[band]
            least = _scores(own, keys, best, weights)
            for match in _candidates(field, top, bottom, size, radius, rng):
                match = match.clamp_(0, len(keys) - 1)
                # most neighbours propose what the patch has already
                new = (match != best).nonzero()[:, 0]
                score = _scores(own[new], keys, match[new], weights)
                better = score < least[new]
                new = new[better]
                best[new], least[new] = match[new], score[better]
            if weights is not None:
                least /= weights[best]
            distance.view(-1)[band] = least
    return distance


def _candidates(
    field: Field, top: int, bottom: int, size: Size, radius: int, rng: torch.Generator
) -> Iterator[Int[Tensor, " n"]]:
    """Indices of keys for the rows from ``top`` to ``bottom``.

    Some are in the wrong row or beyond the last key, where a shift crosses a border.
    """
    height, width = field.shape
    rows = torch.arange(top, bottom, device=field.device)
    columns = torch.arange(width, device=field.device)
    for y, x in EIGHT:
        near = field[(rows + y).clamp(0, height - 1)]
        near = near[:, (columns + x).clamp(0, width - 1)]
        yield near.flatten() - (y * size[1] + x)
    best = field[top:bottom].flatten()
    y, x = torch.randint(
        -radius, radius + 1, (2, len(best)), generator=rng, device=field.device
    )
    yield best + y * size[1] + x


def _scores(
    queries: Float[Tensor, "n values"],
    keys: HalfRows,
    match: Int[Tensor, " n"],
    weights: Float[Tensor, " m"] | None,
) -> Float[Tensor, " n"]:
    apart = keys.index_select(0, match).float().sub_(queries).square_().sum(1)
    return apart if weights is None else apart * weights[match]


def best_of_inverse(
    to_target: Field,
    nearest: Float[Tensor, "h w"],
    to_source: Field,
    distance: Float[Tensor, "h2 w2"],
) -> Field:
    """Replace matches of source patches by nearer target patches that chose them."""
    # the distances of positive floats have the order of their bits as integers; the
    # lower half has the index of the target patch, so that the result is deterministic
    bits = distance.flatten().view(torch.int32).long() << 32
    offers = bits | torch.arange(len(bits), device=bits.device)
    best = (nearest.flatten().view(torch.int32).long() << 32) | to_target.flatten()
    best.scatter_reduce_(0, to_source.flatten(), offers, "amin")
    return (best & 0xFFFFFFFF).view(to_target.shape)


def uniform_field(size: Size, matched: Size, device: torch.device) -> Field:
    """The field from one image to another, as plain resizing moves the patches."""
    rows, columns = (
        torch.linspace(0, other - PATCH_SIZE, own - PATCH_SIZE + 1, device=device)
        for own, other in zip(size, matched, strict=True)
    )
    rows, columns = rows.round().long(), columns.round().long()
    return rows[:, None] * (matched[1] - PATCH_SIZE + 1) + columns


def carry_field(field: Field, before: Level, level: Level) -> Field:
    """Take a field to a finer level: each patch is shifted as its parent was.

    ``before`` and ``level`` are the coarser and the finer level. The field goes from
    the target to the source.
    """
    half = PATCH_SIZE / 2
    parents, rests = [], []
    for old, new in zip(before.target, level.target, strict=True):
        centre = torch.arange(new - PATCH_SIZE + 1, device=field.device) + half
        parent = (centre * (old / new) - half).round().clamp(0, old - PATCH_SIZE)
        parents.append(parent.long())
        rests.append(centre - (parent + half) * (new / old))
    coarse = field[parents[0]][:, parents[1]]
    columns = before.source[1] - PATCH_SIZE + 1
    matches = []
    for axis, match in enumerate((coarse // columns, coarse % columns)):
        old, new = before.source[axis], level.source[axis]
        rest = rests[0][:, None] if axis == 0 else rests[1]
        match = (match + half) * (new / old) - half + rest
        matches.append(match.round_().clamp_(0, new - PATCH_SIZE).long())
    return matches[0] * (level.source[1] - PATCH_SIZE + 1) + matches[1]


def half_rows(
    image: Image,
    components: tuple[Float[Tensor, " values"], Float[Tensor, "values components"]],
    where: Places | None,
) -> HalfRows:
    """Rows as :func:`~.matching.search_rows` makes them, in half precision.

    ``components`` is the result of :func:`~.principal_components`. ``where`` has the
    place in the source of each pixel of the image.
    """
    centre, directions = components
    kernels = directions.T.reshape(-1, len(image), PATCH_SIZE, PATCH_SIZE)
    height, width = grid(image)
    values = len(kernels) + (0 if where is None else 2)
    rows = image.new_empty(height, width, values, dtype=torch.float16)
    for top, bottom in bands(height, width):
        within = slice(top, bottom + PATCH_SIZE - 1)
        band = F.conv2d(image[:, within], kernels, -centre @ directions)
        if where is not None:
            places = F.avg_pool2d(where[:, within].to(band), PATCH_SIZE, 1)
            band = torch.cat([band, PLACE_WEIGHT * places])
        rows[top:bottom] = band.permute(1, 2, 0)
    return rows.flatten(0, 1)


def grid(image: Image) -> Size:
    """The numbers of rows and columns of an image's patches."""
    return image.shape[1] - PATCH_SIZE + 1, image.shape[2] - PATCH_SIZE + 1


def bands(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Split rows of patches into bands of about ``BLOCK`` patches."""
    step = max(BLOCK // width, 1)
    for top in range(0, height, step):
        yield top, min(top + step, height)
