"""Bidirectional similarity: tests of the update rule and of its applications."""

import pytest
import torch
from torch import Tensor

from dil_teach.classical.retarget import matching
from dil_teach.classical.retarget.bidirectional import (
    collage,
    reshuffle,
    retarget,
    update,
)
from dil_teach.classical.retarget.layouts import fill_softly, move_object, stretch
from dil_teach.classical.retarget.matching import (
    PATCH_SIZE,
    coarse_to_fine,
    own_places,
)
from dil_teach.image.photos import photo
from dil_teach.image.resize import resize
from dil_teach.patches.extract import extract_patches
from dil_teach.patches.similarity import (
    coherence,
    completeness,
    relative_location,
)


def noise(channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(channels, height, width, generator=rng)


@pytest.fixture(scope="module")
def small() -> Tensor:
    return resize(photo("hubble"), size=(28, 32)).clamp(0, 1)


# ---- the tools


def test_levels_shrink_together_and_end_at_full_size() -> None:
    levels = coarse_to_fine((40, 80), (40, 160), 30)
    assert levels == [((30, 60), (30, 120), 20), ((40, 80), (40, 160), 6)]
    assert coarse_to_fine((9, 9), (9, 9)) == [((9, 9), (9, 9), 20)]
    assert [level.updates for level in coarse_to_fine((99, 99), (99, 99))] == [
        *matching.UPDATES,
        *[3, 3],
    ]


def test_a_stretch_to_the_same_size_changes_nothing(small) -> None:
    stretched, where = stretch(small, (28, 32))
    assert torch.equal(stretched, small)
    assert torch.allclose(where, own_places((28, 32)))


@pytest.mark.parametrize("width", [12, 24, 120])
def test_busy_columns_keep_their_width(width) -> None:
    image = torch.full((1, 20, 48), 0.5)
    image[:, :, 18:30] = noise(1, 20, 12)  # the middle quarter
    _, where = stretch(image, (20, width))
    places = where[1, 0]
    assert (places.diff() >= 0).all() and 0 <= places[0] and places[-1] <= 1
    inside = ((places > 18 / 48) & (places < 30 / 48)).double().mean().item()
    alike = 12 / 48
    rigid = min(12 / width, 1)
    assert abs(inside - rigid) < abs(inside - alike)


def test_a_hole_is_filled_from_its_rim() -> None:
    image, hole = torch.full((3, 20, 20), 0.3), torch.zeros(1, 20, 20)
    hole[:, 5:15, 5:15] = 1
    filled = fill_softly(torch.where(hole > 0, torch.ones_like(image), image), hole)
    assert torch.allclose(filled, image, atol=1e-6)


def test_an_object_is_moved(small) -> None:
    mask = torch.zeros(1, 28, 32)
    mask[:, 4:9, 5:11] = 1
    edited, fixed = move_object(small, mask, (10, 12))
    assert torch.equal(edited[:, 14:19, 17:23], small[:, 4:9, 5:11])
    assert fixed.sum() == mask.sum() and (fixed[:, 14:19, 17:23] == 1).all()
    with pytest.raises(ValueError, match="shift: expected"):
        move_object(small, mask, (40, 0))
    with pytest.raises(ValueError, match="mask: expected"):
        move_object(small, mask[:, 1:], (1, 0))


# ---- the update rule


def slow_update(
    target: Tensor, source: Tensor, importance: Tensor, alpha: float
) -> Tensor:
    """The slow version: loops over pixels and patches."""
    p = PATCH_SIZE

    def corners(image: Tensor) -> list[tuple[int, int]]:
        height, width = image.shape[-2:]
        return [(y, x) for y in range(height - p + 1) for x in range(width - p + 1)]

    def at(image: Tensor, corner: tuple[int, int]) -> Tensor:
        return image[:, corner[0] : corner[0] + p, corner[1] : corner[1] + p]

    def nearest(patch: Tensor, image: Tensor, among: list) -> tuple[int, int]:
        return min(among, key=lambda c: float((at(image, c) - patch).square().sum()))

    used = [c for c in corners(source) if (at(importance, c) > 0).all()]
    weigh = {c: float(at(importance, c).mean()) for c in used}
    votes = [
        (c, nearest(at(target, c), source, used), "cohere") for c in corners(target)
    ]
    votes += [
        (nearest(at(source, c), target, corners(target)), c, "complete") for c in used
    ]
    total = {
        kind: sum(weigh[there] for _, there, k in votes if k == kind)
        for kind in ("cohere", "complete")
    }
    share = {"cohere": 1 - alpha, "complete": alpha}
    summed, weights = torch.zeros_like(target), torch.zeros_like(target)
    for here, there, kind in votes:
        weight = share[kind] * weigh[there] / total[kind]
        at(summed, here).add_(weight * at(source, there))
        at(weights, here).add_(weight)
    return torch.where(weights > 0, summed / weights, target)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_update_is_that_of_a_slow_loop(monkeypatch, alpha, weighted) -> None:
    # with all components the projection loses nothing
    monkeypatch.setattr(matching, "COMPONENTS", 49)
    source, target = noise(1, 13, 30), noise(1, 12, 20, 1)
    importance = torch.ones(1, 13, 30)
    if weighted:
        importance = importance + (torch.arange(30) > 12)
        importance[:, 3, 20:23] = 0
    expected = slow_update(target, source, importance, alpha)
    found = update(target, [source], [importance], alpha)
    assert torch.allclose(found, expected, atol=1e-4)


def test_a_picture_is_a_fixed_point(small) -> None:
    assert torch.allclose(update(small, [small], [None]), small, atol=1e-5)
    assert torch.allclose(retarget(small, (28, 32)), small, atol=1e-5)


def test_alpha_weighs_completeness_and_coherence(small) -> None:
    size = (28, 18)
    whole, sound = (retarget(small, size, alpha=a) for a in (0.9, 0.0))
    assert completeness(small, whole) < completeness(small, sound)
    assert coherence(small, sound) < coherence(small, whole)


@pytest.mark.parametrize("name", ["clock", "camera"])
@pytest.mark.parametrize("factor", [0.5, 2])
def test_both_measures_beat_resizing(name, factor) -> None:
    image = photo(name, size=48)
    height, width = image.shape[-2:]
    size = (height, round(factor * width))
    plain, ours = resize(image, size=size).clamp(0, 1), retarget(image, size)
    assert completeness(image, ours) < completeness(image, plain)
    assert coherence(image, ours) < coherence(image, plain) / 2
    assert relative_location(image, ours) < 0.2


# ---- what it is used for


@pytest.mark.parametrize("size", [(20, 40), (40, 20), (28, 32), (33, 9)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size(small, size, channels) -> None:
    result = retarget(small[:channels], size)
    assert result.shape == (channels, *size)
    assert result.min() >= 0 and result.max() <= 1
    assert torch.equal(result, retarget(small[:channels], size))


def test_importance_protects() -> None:
    image = noise(3, 24, 48)
    keep = torch.full((1, 24, 48), 0.01)
    keep[..., 30:44] = 1
    plain, kept = (retarget(image, (24, 24), each) for each in (None, keep))
    face = image[:, :, 30:44]
    assert completeness(face, kept) < completeness(face, plain) / 2


def test_what_is_removed_is_gone() -> None:
    image = 0.3 + 0.1 * noise(3, 40, 48)
    image[:, 14:24, 18:28] = torch.tensor([0.9, 0.9, 0.1])[:, None, None]
    mask = torch.zeros(1, 40, 48)
    mask[:, 13:25, 17:29] = 1
    result = retarget(image, (40, 48), remove=mask)
    assert result.amax() < 0.5 and result.amin() > 0.25
    assert coherence(image, result) < 0.01


def test_what_is_fixed_is_held_exactly(small) -> None:
    mask = torch.zeros(1, 28, 32)
    mask[:, 4:12, 5:13] = 1
    edited, fixed = move_object(small, mask, (10, 12))
    result = reshuffle(small, edited, fixed)
    assert torch.equal(result[:, fixed[0] > 0], edited[:, fixed[0] > 0])
    assert coherence(small, result) < coherence(small, edited)


def test_a_collage_holds_all_its_pictures(small) -> None:
    other = photo("brick", size=32).expand(3, -1, -1)[:, :28]
    result = collage([small, other], (28, 60))
    assert result.shape == (3, 28, 60)
    alone = collage([small], (28, 60))
    for each in (small, other):
        assert completeness(each, result) < 0.02
    assert completeness(other, alone) > 2 * completeness(other, result)
    known = torch.cat([extract_patches(each, PATCH_SIZE) for each in (small, other)])
    patches = extract_patches(result, PATCH_SIZE)
    assert (torch.cdist(patches, known).amin(1).square() / 147).mean() < 0.01


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda image: retarget(image, (5, 40)), "size: expected"),
        (lambda image: retarget(image, (28, 20), alpha=1.5), "alpha: expected"),
        (
            lambda image: retarget(image, (28, 20), -torch.ones(1, 28, 32)),
            "importance: expected finite",
        ),
        (
            lambda image: retarget(image, (28, 20), torch.ones(1, 3, 3)),
            "importance: expected 1 x",
        ),
        (
            lambda image: retarget(image, (28, 20), torch.zeros(1, 28, 32)),
            "importance: expected a patch",
        ),
        (
            lambda image: retarget(image, (28, 20), remove=torch.ones(1, 28, 32)),
            "remove: expected to keep",
        ),
        (
            lambda image: reshuffle(image, image[:1], torch.ones(1, 28, 32)),
            "edited: expected 3 channels",
        ),
        (lambda image: reshuffle(image, image, torch.ones(1, 3, 3)), "fixed: expected"),
        (lambda image: collage([], (20, 20)), "images: expected one or more"),
        (lambda image: collage([image] * 30, (20, 20)), "size: expected at least"),
        (lambda image: retarget(image[:, :5], (28, 20)), "image: expected"),
    ],
)
def test_what_cannot_be_done_is_refused(small, call, says) -> None:
    with pytest.raises(ValueError, match=says):
        call(small)
