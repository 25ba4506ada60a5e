"""Patch methods on large images: each part against an exact or slow version, and the
results of the methods where all fine levels are searched by propagation."""

import pytest
import torch
from torch import Tensor

from dil_teach.classical.retarget import bidirectional, matching, patch_generation
from dil_teach.classical.retarget.layouts import move_object, stretch
from dil_teach.classical.retarget.matching import PATCH_SIZE, Level, own_places
from dil_teach.classical.retarget.propagation import best_of_inverse, propagate
from dil_teach.classical.retarget.refinement import (
    Fields,
    Search,
    carry,
    sum_votes,
    uniform,
)
from dil_teach.image.photos import photo
from dil_teach.image.resize import resize
from dil_teach.patches.extract import average_patches, extract_patches
from dil_teach.patches.similarity import coherence, completeness

METHODS = {
    "gpnn": patch_generation.retarget,
    "bidirectional": bidirectional.retarget,
}


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def noise(channels: int, height: int, width: int) -> Tensor:
    return torch.rand(channels, height, width, generator=rng())


@pytest.fixture
def early(monkeypatch) -> None:
    """Propagation starts at a level of 40 pixels, not of 200."""
    monkeypatch.setattr(matching, "MOST_EXACT", 3000)


@pytest.fixture(scope="module")
def image() -> Tensor:
    return photo("clock", size=72)


# ---- the fields


def grid_of(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] - PATCH_SIZE + 1, size[1] - PATCH_SIZE + 1


def shifted(size: tuple[int, int], matched: tuple[int, int], by: int) -> Tensor:
    """The field in which each patch of a target matches a patch further right."""
    height, width = grid_of(size)
    row, column = torch.arange(height)[:, None], torch.arange(width)
    return row * grid_of(matched)[1] + (column + by).clamp(0, grid_of(matched)[1] - 1)


def test_a_carried_field_keeps_the_shift() -> None:
    coarse, fine = Level((20, 40), (20, 30), 3), Level((40, 80), (40, 60), 3)
    fields = Fields(
        shifted(coarse.target, coarse.source, 5),
        shifted(coarse.source, coarse.target, -5),
    )
    found = carry(fields, coarse, fine)
    assert torch.equal(found.to_source, shifted(fine.target, fine.source, 10))
    inside = slice(14, 48)  # matches at the border were clamped at the coarser level
    expected = shifted(fine.source, fine.target, -10)
    assert torch.equal(found.to_target[:, inside], expected[:, inside])


def test_plain_resizing_is_the_uniform_field() -> None:
    field = uniform(Level((20, 30), (20, 30), 3), torch.device("cpu"))
    assert torch.equal(field.to_source, shifted((20, 30), (20, 30), 0))
    wide = uniform(Level((20, 30), (20, 60), 3), torch.device("cpu")).to_source
    assert wide[0, 0] == 0 and wide[-1, -1] == 14 * 24 - 1
    assert (wide[0].diff() >= 0).all()


def test_propagation_finds_a_shift_from_a_single_match() -> None:
    # only the patch in the middle knows its match; all others learn it from neighbours
    keys = extract_patches(noise(1, 20, 40), PATCH_SIZE).half()
    expected = shifted((20, 30), (20, 40), 5)
    queries = keys[expected.flatten()]
    field = torch.zeros_like(expected)
    field[7, 12] = expected[7, 12]
    distances = [
        propagate(field, queries, keys, (14, 34), (1,), rng()) for _ in range(24)
    ]
    assert torch.equal(field, expected) and distances[-1].max() == 0


def test_propagation_compares_weighted_distances() -> None:
    keys = torch.tensor([[0.0], [1.0]]).half()
    queries = torch.tensor([[0.4]]).half()
    field = torch.tensor([[0]])
    weights = torch.tensor([8.0, 1.0])
    distance = propagate(field, queries, keys, (1, 2), (3,) * 9, rng(), weights)
    assert field.item() == 1
    assert distance.item() == pytest.approx(0.36, abs=1e-3)  # without the weight
    propagate(field, queries, keys, (1, 2), (3,) * 9, rng())
    assert field.item() == 0


def test_the_nearest_patch_that_chose_it_is_offered() -> None:
    to_source = torch.tensor([[2, 0, 2, 2]])
    distance = torch.tensor([[0.5, 0.3, 0.2, 0.2]])
    to_target = torch.tensor([[3, 3, 3]])
    nearest = torch.tensor([[0.1, 0.4, 0.4]])
    found = best_of_inverse(to_target, nearest, to_source, distance)
    # 0: its match is nearer; 1: nothing chose it; 2: the first of the two nearest
    assert found.tolist() == [[3, 3, 2]]


def test_few_rounds_are_almost_exact(image) -> None:
    size = (72, 100)
    target, where = stretch(image, size)
    search = Search(image, where, None, None, rng())
    fields = uniform(Level((72, 72), size, 3), image.device)
    for _ in range(4):
        fields = search.improve(fields, target, (16, 8, 4, 2))
    exact = search.exact(target)

    def error(fields: Fields) -> tuple[float, float]:
        rows = matching.search_rows(
            extract_patches(image, PATCH_SIZE), (72, 72), target, where
        )
        ours, theirs = rows
        forward = (theirs - ours[fields.to_source.flatten()]).square().sum(1).mean()
        back = (ours - theirs[fields.to_target.flatten()]).square().sum(1).mean()
        return forward.item(), back.item()

    for found, least in zip(error(fields), error(exact), strict=True):
        assert least <= found < 1.1 * least


def test_patches_that_are_not_allowed_are_not_chosen(image) -> None:
    source = image[:, :40, :40]
    allowed = torch.ones(34, 34, dtype=torch.bool)
    allowed[5:30, 5:30] = False
    search = Search(source, own_places((40, 40)), None, allowed.flatten(), rng())
    fields = uniform(Level((40, 40), (40, 40), 3), source.device)
    for _ in range(3):
        fields = search.improve(fields, source, (32, 16, 8))
    for found in (search.exact(source), fields):
        assert allowed.flatten()[found.to_source.flatten()].all()


# ---- the votes, against the exact updates of both methods


def test_votes_are_the_update_of_bidirectional_similarity(image) -> None:
    source, target = image[:, :30, :40], image[:, 20:48, 10:60]
    fields = Search(source, None, None, None, rng()).exact(target)
    importance = torch.ones(1, 30, 40)
    importance[..., 20:] = 3
    weights = bidirectional.patch_weights(importance, source, PATCH_SIZE)
    chosen = weights[fields.to_source.flatten()]
    shares = chosen * 0.3 / chosen.sum(), weights * 0.7 / weights.sum()
    votes, weight = sum_votes(source, fields, (28, 50), *shares)
    expected = bidirectional.update(target, [source], [importance], alpha=0.7)
    assert torch.allclose(votes / weight, expected, atol=1e-5)


def test_votes_are_the_average_of_gpnn(image) -> None:
    source, target = image[:, :30, :40], image[:, 20:48, 10:60]
    fields = Search(source, None, None, None, rng()).exact(target)
    votes, weight = sum_votes(source, fields, (28, 50))
    patches = extract_patches(source, PATCH_SIZE)[fields.to_source.flatten()]
    expected = average_patches(patches, (28, 50), PATCH_SIZE)
    assert torch.allclose(votes / weight, expected, atol=1e-5)


# ---- the methods


@pytest.mark.parametrize(
    ("method", "size"), [("gpnn", (72, 108)), ("bidirectional", (60, 56))]
)
def test_both_measures_are_almost_those_of_the_exact_search(
    method, size, image, monkeypatch
) -> None:
    plain = resize(image, size=size).clamp(0, 1)
    exact = METHODS[method](image, size)
    monkeypatch.setattr(matching, "MOST_EXACT", 3000)
    found = METHODS[method](image, size)
    assert not torch.equal(found, exact)
    assert torch.equal(found, METHODS[method](image, size))
    for measure in (completeness, coherence):
        least, most = measure(image, exact), measure(image, plain)
        assert measure(image, found) < least + 0.1 * most


@pytest.mark.parametrize("method", METHODS)
def test_a_small_picture_is_searched_exactly(method, image, monkeypatch) -> None:
    def never(*_arguments: object) -> None:
        raise AssertionError("a small picture needs no propagation")

    monkeypatch.setattr(Search, "improve", never)
    small = resize(image, size=(32, 32)).clamp(0, 1)
    METHODS[method](small, (32, 48))


@pytest.mark.parametrize("method", METHODS)
def test_a_picture_is_a_fixed_point(method, image, early) -> None:
    assert torch.allclose(METHODS[method](image, (72, 72)), image, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_long_picture_has_no_small_level(method, monkeypatch) -> None:
    monkeypatch.setattr(matching, "MOST_EXACT", 100)
    image = resize(photo("clock"), size=(24, 90)).clamp(0, 1)
    plain = resize(image, size=(24, 120)).clamp(0, 1)
    found = METHODS[method](image, (24, 120))
    assert completeness(image, found) < completeness(image, plain)
    assert coherence(image, found) < coherence(image, plain) / 2


def test_what_is_removed_is_gone(early) -> None:
    image = 0.3 + 0.1 * noise(3, 60, 72)
    image[:, 24:34, 28:38] = torch.tensor([0.9, 0.9, 0.1])[:, None, None]
    mask = torch.zeros(1, 60, 72)
    mask[:, 23:35, 27:39] = 1
    result = bidirectional.retarget(image, (60, 72), remove=mask)
    assert result.amax() < 0.5 and result.amin() > 0.25


def test_only_a_fine_level_has_a_patch_left(early) -> None:
    image, mask = noise(1, 60, 72), torch.ones(1, 60, 72)
    mask[:, 20:29, 30:39] = 0
    result = bidirectional.retarget(image, (60, 60), remove=mask)
    assert result.shape == (1, 60, 60) and result.isfinite().all()


def test_what_is_fixed_is_held_exactly(image, early) -> None:
    mask = torch.zeros(1, 72, 72)
    mask[:, 14:32, 15:33] = 1
    edited, fixed = move_object(image, mask, (20, 22))
    result = bidirectional.reshuffle(image, edited, fixed)
    assert torch.equal(result[:, fixed[0] > 0], edited[:, fixed[0] > 0])
    assert coherence(image, result) < coherence(image, edited)
