"""How like two images are, in their patches."""

import pytest
import torch

from dil_teach import photo
from dil_teach.patches.extract import extract_patches, patches_inside
from dil_teach.patches.similarity import (
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


def test_patches_inside_lie_wholly_inside() -> None:
    inside = torch.zeros(12, 15, dtype=torch.bool)
    inside[2:10, 3:11] = True
    found = patches_inside(inside, 7)
    assert tuple(found.shape) == (6, 9)
    assert found.nonzero().tolist() == [[2, 3], [2, 4], [3, 3], [3, 4]]
