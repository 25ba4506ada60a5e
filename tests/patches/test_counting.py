"""Counts of good matches in large images, against all distances in double precision."""

import pytest
import torch

from dil_teach import photo, resize
from dil_teach.image.convention import Image
from dil_teach.patches import counting
from dil_teach.patches.counting import count_matches
from dil_teach.patches.extract import Mask, extract_patches, patches_inside


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts, tiles and blocks so small that a small image has several of each."""
    for name, size in {"FIRST": 50, "PART": 300, "ROWS": 64, "COLUMNS": 128}.items():
        monkeypatch.setattr(counting, name, size)
    monkeypatch.setattr(counting, "BLOCK", 1000)


def all_counts(
    query: Image, searched: Image, limit: torch.Tensor, size: int
) -> torch.Tensor:
    """The plain version: for each query patch, all good matches."""

    def rows(image: Image) -> torch.Tensor:
        patches = extract_patches(image.double(), size).view(-1, len(image), size**2)
        return (patches - patches.mean(2, keepdim=True)).flatten(1)

    def places(image: Image) -> torch.Tensor:
        sides = zip(image.shape[-2:], searched.shape[-2:], strict=True)
        axes = [(torch.arange(n - size + 1) + size / 2) / n * m for n, m in sides]
        return torch.cartesian_prod(*axes)  # centres, in pixels of the searched image

    distances = torch.cdist(rows(query), rows(searched)).square()
    apart = (places(query)[:, None] - places(searched)).abs() > 0.999
    good = (distances <= limit.flatten()[:, None]) & apart.any(2)
    return good.sum(1).view(limit.shape)


@pytest.mark.parametrize("scale", [1.0, 0.7])
@pytest.mark.parametrize(("size", "channels"), [(5, 1), (5, 3), (2, 1)])
def test_counts_are_those_of_all_distances(scale, size, channels):
    image = photo("coffee", 44)[:channels, :40]
    searched = resize(image, scale).clamp(0, 1)
    shape = [n - size + 1 for n in image.shape[-2:]]
    limit = (
        0.002
        * channels
        * size**2
        * torch.rand(shape, generator=torch.Generator().manual_seed(0))
    )
    wanted = all_counts(image, searched, limit, size)
    most = 10_000
    found = count_matches(image, searched, limit, size, most)
    assert (found != wanted).double().mean() < 0.002  # rounding near the limit
    assert 0 < wanted.double().mean() < 500
    few = count_matches(image, searched, limit, size, 3)
    assert torch.equal(few, found.clamp(max=3))
    some = count_matches(image, searched, limit[::3, ::3], size, most, 3)
    assert torch.equal(some, found[::3, ::3])


def test_a_patch_with_enough_matches_is_not_searched_for_again(monkeypatch):
    image = photo("coffee", 40)
    limit = torch.full((36, 36), 0.5)
    find, asked = counting._pairs_within, []

    def count(queries, *others):
        asked.append(len(queries))
        return find(queries, *others)

    monkeypatch.setattr(counting, "_pairs_within", count)
    counts = count_matches(image, image, limit, 5, 4)
    assert len(asked) > 5 and asked == sorted(asked, reverse=True)
    assert (counts < 4).sum() <= asked[-1] < 0.8 * asked[0]


def test_masks_leave_patches_out():
    image = photo("coffee", 40)
    limit = torch.full((36, 36), 0.1)
    mask: Mask = torch.ones(40, 40, dtype=torch.bool)
    mask[:, 22:] = False
    found = count_matches(image, image, limit, 5, 9, 1, mask, mask)
    half = count_matches(image[..., :22], image[..., :22], limit[:, :18], 5, 9)
    inside = patches_inside(mask, 5)
    assert torch.equal(found[:, :18], half) and not found[~inside].any()
    nothing = count_matches(image, image, limit, 5, 9, 1, mask, mask & False)
    assert not nothing.any()
    nobody = count_matches(image, image, limit, 5, 9, 1, mask & False, mask)
    assert not nobody.any()
