"""The nearest-neighbour search is compared with all distances in double precision."""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dil_teach import photo, resize
from dil_teach.image.convention import Image
from dil_teach.image.resize import pyramid
from dil_teach.patches import extract, search
from dil_teach.patches.extract import extract_patches
from dil_teach.patches.search import Neighbours, nearest_patches, nearest_rows

# The exact search sorts candidates by float32 matrix products, whose sums are up to
# some tens. This is a few times their rounding error: patches whose distances differ by
# less may be exchanged before the true distances are computed.
TOLERANCE = 1e-5


def noise(*shape: int, seed: int = 0) -> Image:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def some_mask(height: int, width: int, seed: int) -> Tensor:
    """A random mask that excludes only a few pixels."""
    return noise(height, width, seed=seed) > 0.03


# ---- the obvious version


def rows_of(image: Image, patch_size: int, remove_mean: bool) -> Tensor:
    rows = extract_patches(image.double(), patch_size)
    if remove_mean:
        each = rows.view(len(rows), len(image), -1)
        rows = (each - each.mean(2, keepdim=True)).flatten(1)
    return rows


def allowed(mask: Tensor | None, image: Image, patch_size: int) -> Tensor:
    height, width = image.shape[-2:]
    places = product(range(height - patch_size + 1), range(width - patch_size + 1))
    return torch.tensor(
        [
            mask is None or bool(mask[r : r + patch_size, c : c + patch_size].all())
            for r, c in places
        ]
    )


def is_itself(query: Image, level: Image, patch_size: int) -> Tensor:
    """The positions less than one pixel from each patch's own position, in a loop."""
    here, there = query.shape[-2:], level.shape[-2:]
    half = Fraction(patch_size, 2)

    def near(axis: int, own: int, place: int) -> bool:
        centre = (own + half) * Fraction(there[axis], here[axis])
        return abs(place + half - centre) < 1

    rows, columns = (
        torch.tensor(
            [
                [
                    near(axis, own, place)
                    for place in range(there[axis] - patch_size + 1)
                ]
                for own in range(here[axis] - patch_size + 1)
            ]
        )
        for axis in (0, 1)
    )
    both = rows[:, None, :, None] & columns[None, :, None, :]
    return both.flatten(2).flatten(0, 1)


def all_distances(
    query: Image,
    levels: Sequence[Image],
    patch_size: int,
    remove_mean: bool = False,
    exclude_self: bool = False,
    query_mask: Tensor | None = None,
    database_masks: Sequence[Tensor | None] | None = None,
) -> list[Tensor]:
    """Squared distances of all patches to all patches of a level; masked: infinite."""
    asking = rows_of(query, patch_size, remove_mean)
    tables = []
    for level, mask in zip(levels, database_masks or [None] * len(levels), strict=True):
        known = rows_of(level, patch_size, remove_mean)
        direct = "donot_use_mm_for_euclid_dist"
        table = torch.cdist(asking, known, compute_mode=direct).square()
        table[:, ~allowed(mask, level, patch_size)] = math.inf
        table[~allowed(query_mask, query, patch_size)] = math.inf
        if exclude_self:
            table[is_itself(query, level, patch_size)] = math.inf
        tables.append(table)
    return tables


def check(
    found: Neighbours,
    tables: list[Tensor],
    query: Image,
    levels: Sequence[Image],
    patch_size: int,
    k: int,
    exact: bool = True,
) -> None:
    """The distances are the smallest, and each belongs to the returned position.

    So the positions are right, too, even if several patches have equal distances.
    """
    height, width = (side - patch_size + 1 for side in query.shape[-2:])
    assert all(field.shape == (height, width, k) for field in found)
    distance, level, row, column = (field.flatten(0, 1).cpu() for field in found)
    everything = torch.cat(tables, 1)
    wanted = everything.sort(1).values[:, :k]
    asks = wanted[:, 0] < math.inf
    assert (distance[~asks] == math.inf).all()
    assert all((of[~asks] == -1).all() for of in (level, row, column))
    distance, wanted = distance[asks], wanted[asks]
    assert (distance.diff(dim=1) >= 0).all()
    if exact:
        assert torch.allclose(distance.double(), wanted, rtol=0, atol=TOLERANCE)
    else:
        assert (distance > wanted - TOLERANCE).all()

    starts = torch.tensor([0, *np.cumsum([table.shape[1] for table in tables])])
    widths = torch.tensor([image.shape[-1] - patch_size + 1 for image in levels])
    level, row, column = level[asks], row[asks], column[asks]
    assert (column < widths[level]).all() and (column >= 0).all()
    index = starts[level] + row * widths[level] + column
    assert (index < starts[level + 1]).all()
    there = everything[asks].gather(1, index)
    assert torch.allclose(distance.double(), there, rtol=1e-5, atol=1e-6)
    assert all(len(set(places)) == k for places in index.tolist()), "a place twice"


# ---- exact


@pytest.mark.parametrize("k", [1, 4, 16])
@pytest.mark.parametrize("patch_size", [3, 5, 7])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("remove_mean", [False, True])
def test_exact_is_exact(k, patch_size, channels, remove_mean):
    query = photo("coffee", 40)[:channels, :31]
    levels = [photo("chelsea", 36)[:channels, 3:], photo("coffee", 24)[:channels]]
    found = nearest_patches(
        query, levels, patch_size, k, exact=True, remove_mean=remove_mean
    )
    tables = all_distances(query, levels, patch_size, remove_mean)
    check(found, tables, query, levels, patch_size, k)


def test_places_are_those_of_the_smallest_distances_where_nothing_ties():
    query, level = noise(3, 20, 23), noise(3, 26, 19, seed=1)
    found = nearest_patches(query, level, 3, 2, exact=True)
    table = all_distances(query, [level], 3)[0]
    smallest, index = (of.view(18, 21, -1) for of in table.sort(1))
    clear = smallest.diff(dim=2)[..., :2].amin(2) > TOLERANCE
    assert clear.double().mean() > 0.99
    assert (found.row * 17 + found.column == index[..., :2])[clear].all()
    assert (found.level == 0).all()


@pytest.mark.parametrize("exact", [True, False])
def test_tiles_blocks_and_groups_have_no_seams(monkeypatch, exact):
    query, level = noise(1, 21, 25), noise(1, 23, 18, seed=1)
    whole = nearest_patches(query, [level, query], 5, 3, exact=exact)
    for name, size in {"ROWS": 37, "COLUMNS": 48, "GROUP": 4, "BLOCK": 101}.items():
        monkeypatch.setattr(search, name, size)
    monkeypatch.setattr(extract, "BLOCK", 101)
    tiled = nearest_patches(query, [level, query], 5, 3, exact=exact)
    assert all(map(torch.equal, whole, tiled))
    tables = all_distances(query, [level, query], 5)
    check(tiled, tables, query, [level, query], 5, 3, exact)


@pytest.mark.parametrize("exact", [True, False])
def test_every_patch_of_the_database_can_be_asked_for(exact):
    query, level = noise(3, 9, 8), noise(3, 7, 6, seed=1)
    found = nearest_patches(query, level, 3, 20, exact=exact)
    check(found, all_distances(query, [level], 3), query, [level], 3, 20)


@pytest.mark.parametrize("exact", [True, False])
def test_of_itself_each_patch_finds_itself(exact):
    image = photo("flower", 48)
    found = nearest_patches(image, image, 7, exact=exact)
    assert found.distance.max() == 0


@pytest.mark.parametrize("exact", [True, False])
def test_flat_images_and_single_patches(exact):
    flat = torch.full((3, 12, 11), 0.3)
    found = nearest_patches(flat, flat, 5, 4, exact=exact, exclude_self=True)
    assert (found.distance == 0).all()
    rows, columns = torch.arange(8)[:, None, None], torch.arange(7)[None, :, None]
    assert not ((found.row == rows) & (found.column == columns)).any()


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_database_of_one_patch_and_patches_of_one_pixel(channels, exact):
    query, level = noise(channels, 8, 8), noise(channels, 5, 5, seed=1)
    alone = nearest_patches(query, level, 5, exact=exact)
    assert (alone.row == 0).all() and (alone.column == 0).all()
    check(alone, all_distances(query, [level], 5), query, [level], 5, 1)
    pixels = nearest_patches(query, level, 1, 2, exact=exact)
    check(pixels, all_distances(query, [level], 1), query, [level], 1, 2)


@pytest.mark.parametrize("k", [1, 3, 40])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("columns", [4096, 16])
def test_nearest_rows_are_those_of_all_distances(monkeypatch, k, weighted, columns):
    monkeypatch.setattr(search, "COLUMNS", columns)
    queries, keys = noise(300, 5), noise(40, 5, seed=1)
    weights = 0.1 + noise(40, seed=2) if weighted else None
    scores = torch.cdist(queries.double(), keys.double()).square()
    scores = scores if weights is None else scores * weights
    distance, index = nearest_rows(queries, keys, k, weights)
    wanted = scores.sort(1)
    assert torch.allclose(distance.double(), wanted.values[:, :k], atol=1e-5)
    assert torch.equal(index[:, 0], wanted.indices[:, 0])
    there = scores.gather(1, index)
    assert torch.allclose(distance.double(), there, atol=1e-5)


@pytest.mark.parametrize("columns", [4096, 16])
def test_of_equal_keys_the_first_is_the_nearest(monkeypatch, columns):
    monkeypatch.setattr(search, "COLUMNS", columns)
    key = noise(1, 5)
    _, index = nearest_rows(key, torch.cat([key + 1, key.expand(50, 5)]))
    assert index.tolist() == [[1]]


# ---- without the patch itself


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("patch_size", [3, 4, 5])
@pytest.mark.parametrize("size", [(20, 25), (16, 20), (13, 17), (10, 12), (24, 30)])
def test_itself_is_left_out_at_every_scale(size, patch_size, exact):
    query = noise(1, 20, 25)
    level = query if size == (20, 25) else resize(query, size=size)
    found = nearest_patches(query, level, patch_size, 3, exact=exact, exclude_self=True)
    tables = all_distances(query, [level], patch_size, exclude_self=True)
    left_out = tables[0].isinf().sum(1)
    assert left_out.max() <= (1 if level is query else 4)
    if level is query:
        assert (left_out == 1).all()
    check(found, tables, query, [level], patch_size, 3, exact)


def test_itself_is_left_out_of_every_level():
    image = noise(3, 20, 25)
    levels = pyramid(image, [1, 0.8, 0.4])
    every = sum(math.prod(side - 4 for side in level.shape[-2:]) for level in levels)
    for k in (16, every - 1 - 2 * 4):
        found = nearest_patches(image, levels, 5, k, exact=True, exclude_self=True)
        tables = all_distances(image, levels, 5, exclude_self=True)
        check(found, tables, image, levels, 5, k)


def test_one_whole_pixel_from_its_own_place_is_not_itself():
    query = noise(1, 20, 25)
    level = resize(query, size=(12, 15))  # the patch at 5, 5 lies at 2, 2 of it
    found = nearest_patches(query, level, 5, 64, exact=True, exclude_self=True)
    tables = all_distances(query, [level], 5, exclude_self=True)
    check(found, tables, query, [level], 5, 64)


# ---- masks


@pytest.mark.parametrize("exact", [True, False])
def test_where_the_mask_lets_none_ask_nothing_is_found(exact):
    image, none = noise(3, 9, 9), torch.zeros(9, 9, dtype=torch.bool)
    found = nearest_patches(image, image, 5, 2, exact=exact, query_mask=none)
    assert (found.distance == math.inf).all() and (found.row == -1).all()


@pytest.mark.parametrize("exact", [True, False])
def test_only_patches_wholly_inside_the_masks_ask_and_answer(exact):
    query, levels = noise(3, 22, 19), [noise(3, 17, 23, seed=1), noise(3, 15, 12)]
    query_mask = some_mask(22, 19, 2)
    masks = [some_mask(17, 23, 3), some_mask(15, 12, 4)]
    found = nearest_patches(
        *(query, levels, 3, 2),
        exact=exact,
        query_mask=query_mask,
        database_mask=masks,
    )
    tables = all_distances(
        query, levels, 3, query_mask=query_mask, database_masks=masks
    )
    assert 0 < found.distance.isinf().sum() < found.distance.numel()
    check(found, tables, query, levels, 3, 2, exact)


def test_a_single_image_takes_a_single_mask():
    query, level, mask = (
        noise(1, 12, 12),
        noise(1, 14, 15, seed=1),
        some_mask(14, 15, 2),
    )
    found = nearest_patches(query, level, 3, exact=True, database_mask=mask)
    again = nearest_patches(query, [level], 3, exact=True, database_mask=[mask])
    assert all(map(torch.equal, found, again))
    tables = all_distances(query, [level], 3, database_masks=[mask])
    check(found, tables, query, [level], 3, 1)


# ---- a stride


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(("height", "width", "stride"), [(22, 19, 2), (21, 20, 3)])
def test_with_a_stride_each_so_manieth_row_and_column_asks(
    height, width, stride, exact
):
    image, mask = noise(3, height, width), some_mask(height, width, 2)
    options = {"exact": exact, "exclude_self": True, "query_mask": mask}
    of_all = nearest_patches(image, [image, noise(3, 9, 9)], 3, 2, **options)
    some = nearest_patches(
        image, [image, noise(3, 9, 9)], 3, 2, stride=stride, **options
    )
    assert some.distance.isinf().any()
    for found, whole in zip(some, of_all, strict=True):
        assert torch.equal(found, whole[::stride, ::stride])


# ---- a large database


@pytest.mark.parametrize("exact", [True, False])
def test_a_database_in_parts_has_the_same_nearest_patches(monkeypatch, exact):
    image, mask = photo("coffee", 40), some_mask(40, 40, 2)
    levels = pyramid(image, [1, 0.8])
    options = {"exclude_self": True, "remove_mean": True, "query_mask": mask}
    whole = nearest_patches(image, levels, 5, 3, exact=True, **options)
    monkeypatch.setattr(search, "PART", 500)
    parts = nearest_patches(image, levels, 5, 3, exact=exact, **options)
    if exact:
        assert all(map(torch.equal, whole, parts))
    there = whole.distance < math.inf
    assert torch.equal(parts.distance < math.inf, there)
    assert (parts.distance >= whole.distance - TOLERANCE).all()
    mean = whole.distance[there].mean().item()
    assert parts.distance[there].mean().item() == pytest.approx(mean, rel=0.02)
    tables = all_distances(
        image, levels, 5, remove_mean=True, exclude_self=True, query_mask=mask
    )
    check(parts, tables, image, levels, 5, 3, exact=exact)


def test_the_number_of_threads_changes_nothing(monkeypatch):
    image = photo("coffee", 40)
    one = nearest_patches(image, image, 5, 4, exclude_self=True)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    two = nearest_patches(image, image, 5, 4, exclude_self=True)
    assert all(map(torch.equal, one, two))


# ---- all options together


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_small_images(data):
    draw = data.draw
    patch_size, channels = draw(st.integers(1, 4)), draw(st.sampled_from([1, 3]))
    sides = st.integers(patch_size + 2, 14)
    seed = draw(st.integers(0, 2**16))
    query = noise(channels, draw(sides), draw(sides), seed=seed)
    levels = [
        noise(channels, draw(sides), draw(sides), seed=seed + 1 + n)
        for n in range(draw(st.integers(1, 3)))
    ]
    if draw(st.booleans()):  # few values: ties everywhere
        query, levels = query.round(), [level.round() for level in levels]
    options = {name: draw(st.booleans()) for name in ("remove_mean", "exclude_self")}
    exact = draw(st.booleans())
    mask = some_mask(*query.shape[1:], seed=seed) if draw(st.booleans()) else None
    if mask is not None and not allowed(mask, query, patch_size).any():
        mask = None
    k = draw(st.integers(1, 4))
    found = nearest_patches(
        query, levels, patch_size, k, exact=exact, query_mask=mask, **options
    )
    tables = all_distances(query, levels, patch_size, query_mask=mask, **options)
    check(found, tables, query, levels, patch_size, k, exact)


# ---- fast


@pytest.mark.parametrize(("name", "excess"), [("coffee", 0.01), ("china", 0.03)])
def test_the_fast_search_is_nearly_exact_on_photographs(name, excess):
    image = photo(name, 128)
    levels = pyramid(image, [0.8, 0.64])
    fast = nearest_patches(image, levels)
    exact = nearest_patches(image, levels, exact=True)
    assert (fast.distance >= exact.distance - TOLERANCE).all()
    assert fast.distance.mean() <= (1 + excess) * exact.distance.mean()


@pytest.mark.parametrize("exact", [True, False])
def test_two_calls_agree_to_the_bit_and_draw_nothing(exact):
    image = photo("astronaut", 64)
    levels = pyramid(image, [1, 0.8])
    state = torch.get_rng_state()
    once, twice = (
        nearest_patches(image, levels, 5, 9, exact=exact, exclude_self=True)
        for _ in range(2)
    )
    assert all(map(torch.equal, once, twice))
    assert torch.equal(torch.get_rng_state(), state)


# ---- bad input


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    ("said", "change"),
    [
        (r"patch_size: expected 1 to 9, .*query", {"patch_size": 10}),
        (r"patch_size: expected 1 to 6, .*database", {"patch_size": 7}),
        (r"patch_size: expected 1 to 9", {"patch_size": 0}),
        (r"k: expected 1 to 20, .*got 21", {"k": 21}),
        (r"k: expected 1 to 20, .*got 0", {"k": 0}),
        (r"stride: expected at least 1, got 0", {"stride": 0}),
        (r"k: expected 1 to 16, .*without the patch", {"k": 17, "exclude_self": True}),
        (
            r"query_mask: expected .* 10 x 9, got 9 x 10",
            {"query_mask": some_mask(9, 10, 0)},
        ),
        (r"database_mask: .* 7 x 6, got 6 x 7", {"database_mask": some_mask(6, 7, 0)}),
        (
            r"database_mask: expected one per image",
            {"database_mask": [some_mask(7, 6, 0)] * 2},
        ),
        (r"k: expected 1 to 0", {"database_mask": some_mask(7, 6, 0) & False}),
        (r"database: expected 3 channels .*got 1", {"database": noise(1, 7, 6)}),
        (
            r"database: .*all grey or all colour",
            {"database": [noise(3, 7, 6), noise(1, 7, 6)]},
        ),
        (r"database: expected at least one image", {"database": []}),
        (r"query: expected finite", {"query": noise(3, 10, 9) * math.nan}),
        (r"database: expected finite", {"database": noise(3, 7, 6) * math.nan}),
        (r"query: .*got 2 ", {"query": noise(2, 10, 9)}),
        (r"query: expected float32", {"query": noise(3, 10, 9).double()}),
    ],
)
def test_what_cannot_be_searched_is_refused_in_one_sentence(said, change, exact):
    good = {"query": noise(3, 10, 9), "database": noise(3, 7, 6), "patch_size": 3}
    with pytest.raises(ValueError, match=said) as error:
        nearest_patches(**{**good, "exact": exact, **change})
    assert "\n" not in str(error.value)


# ---- GPU


@pytest.mark.gpu
def test_the_gpu_finds_what_the_cpu_finds(gpu):
    image = photo("coffee", 64)
    levels, mask = pyramid(image, [1, 0.8]), some_mask(64, 64, 0)
    options = {"exclude_self": True, "remove_mean": True}
    found = nearest_patches(
        image.to(gpu),
        [level.to(gpu) for level in levels],
        *(5, 4),
        query_mask=mask.to(gpu),
        **options,
    )
    assert all(field.device.type == gpu.type for field in found)
    tables = all_distances(image, levels, 5, query_mask=mask, **options)
    check(found, tables, image, levels, 5, 4)
    cpu = nearest_patches(image, levels, 5, 4, exact=True, query_mask=mask, **options)
    asks = cpu.distance < math.inf
    assert torch.allclose(
        found.distance.cpu()[asks], cpu.distance[asks], rtol=0, atol=TOLERANCE
    )
