"""Tests of the bidirectional similarity of two images."""

import pytest
import torch

from dil_teach import photo
from dil_teach.patches.extract import extract_patches, patches_inside
from dil_teach.patches.similarity import (
    bidirectional_similarity,
    coherence,
    completeness,
    relative_location,
)


def test_completeness_and_coherence_as_by_hand():
    source, target = photo("china", size=40), photo("coffee", size=36)
    a, b = (extract_patches(image, 7).double() for image in (source, target))
    distances = torch.cdist(a, b).square() / (3 * 49)
    to_target, to_source = distances.amin(1).mean(), distances.amin(0).mean()
    assert completeness(source, target) == pytest.approx(to_target.item(), rel=1e-4)
    assert coherence(source, target) == pytest.approx(to_source.item(), rel=1e-4)


def test_a_part_is_coherent_with_the_whole_and_not_complete():
    whole = photo("flower", size=48)
    part = whole[:, 8:32, 10:36]
    assert completeness(whole, whole) == 0
    assert coherence(whole, part) == 0
    assert completeness(whole, part) > 1e-4


def test_a_picture_beside_itself_has_moved_by_a_quarter_of_its_width() -> None:
    image = photo("flower", size=48)
    twice = torch.cat([image, image], 2)
    assert relative_location(image, image) == 0
    assert relative_location(image, twice) == pytest.approx(0.25, abs=0.02)


def test_both_measures_together_are_each_alone() -> None:
    source = photo("flower", size=32)
    target = source[:, :, 4:20]
    expected = completeness(source, target), coherence(source, target)
    assert bidirectional_similarity(source, target) == expected
    assert bidirectional_similarity(source, source) == (0, 0)


def test_importance_weighs_what_is_missing() -> None:
    source = torch.rand(3, 16, 40, generator=torch.Generator().manual_seed(0))
    target = source[:, :, :20]  # the right half is missing
    left = torch.full((1, 16, 40), 1e-3)
    left[..., :20] = 1
    none, _ = bidirectional_similarity(source, target)
    less, whole = bidirectional_similarity(source, target, importance=left)
    more, _ = bidirectional_similarity(source, target, importance=left.flip(2))
    assert less < none < more and whole == 0


def test_importance_weighs_a_new_patch_as_its_nearest_one() -> None:
    source, target = photo("china", size=24), photo("coffee", size=24)
    importance = 1 + torch.arange(24.0).expand(1, source.shape[1], 24)
    importance = importance.clone()
    importance[:, :3, :3] = 0  # the patches that touch it are not used
    a, b = (extract_patches(image, 7).double() for image in (source, target))
    nearest = (torch.cdist(b, a).square() / (3 * 49)).min(1)
    weights = extract_patches(importance, 7)
    weights = (weights.mean(1) * (weights > 0).all(1))[nearest.indices].double()
    expected = (weights * nearest.values).sum() / weights.sum()
    found = coherence(source, target, importance=importance)
    assert found == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize(
    ("importance", "says"),
    [
        (-torch.ones(1, 20, 20), "importance: expected finite"),
        (torch.ones(1, 3, 3), "importance: expected 1 x"),
        (torch.zeros(1, 20, 20), "importance: expected a patch"),
    ],
)
def test_importance_that_does_not_fit_is_refused(importance, says) -> None:
    image = torch.rand(3, 20, 20, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=says):
        completeness(image, image, importance=importance)


def test_patches_inside_lie_wholly_inside() -> None:
    inside = torch.zeros(12, 15, dtype=torch.bool)
    inside[2:10, 3:11] = True
    found = patches_inside(inside, 7)
    assert tuple(found.shape) == (6, 9)
    assert found.nonzero().tolist() == [[2, 3], [2, 4], [3, 3], [3, 4]]
