"""Tests of the completion of images and films by Wexler, Shechtman and Irani."""

import itertools

import pytest
import torch

import dil_teach.classical.completion.mean_shift as mean_shift
import dil_teach.classical.completion.wexler as wexler
from dil_teach.classical.completion.pyramid import pyramid, texture
from dil_teach.classical.completion.wexler import complete_film, complete_image
from dil_teach.classical.inpainting import biharmonic
from dil_teach.image.photos import photo
from dil_teach.image.resize import resize
from dil_teach.patches.search import nearest_patches


def hole_of(height: int, width: int, *box: int) -> torch.Tensor:
    top, bottom, left, right = box
    mask = torch.zeros(1, height, width)
    mask[:, top:bottom, left:right] = 1
    return mask


def tiles(height: int, width: int) -> torch.Tensor:
    """A grey checkerboard with a period of 8 pixels."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return 0.2 + 0.6 * ((y // 4 + x // 4) % 2)[None].float()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_regular_pattern_is_restored(channels: int) -> None:
    image = tiles(48, 40).expand(channels, -1, -1).contiguous()
    mask = hole_of(48, 40, 20, 30, 14, 26)
    filled = complete_image(image * (1 - mask), mask).image
    assert (filled - image).abs().max() < 0.02


def test_a_hole_at_the_border_is_filled() -> None:
    image = tiles(48, 40)
    mask = hole_of(48, 40, 38, 48, 30, 40)
    mask[:, :2, :3] = 1
    done = complete_image(image * (1 - mask), mask)
    assert (done.image - image).abs().mean() < 0.01
    row, column = done.source[:, mask[0] == 1]
    assert (mask[0, row, column] == 0).all()


def test_it_copies_patches_from_outside_the_hole() -> None:
    image, mask = photo("brick", 96)[:, :48, :48], hole_of(48, 48, 20, 32, 18, 30)
    hole = mask[0] == 1
    done = complete_image(image * (1 - mask), mask)
    assert torch.equal(done.image[:, ~hole], image[:, ~hole])
    assert (done.source[:, ~hole] == -1).all()
    row, column = done.source[:, hole]
    assert not hole[row, column].any() and row.min() >= 0
    again = complete_image(image * (1 - mask), mask)
    assert torch.equal(again.image, done.image)
    assert [level.shape[1] for level in done.levels] == [27, 36, 48]
    assert torch.equal(done.levels[-1], done.image)

    def incoherence(filled: torch.Tensor) -> float:
        part = filled[:, 14:38, 12:36]
        found = nearest_patches(part, image, 7, exact=True, database_mask=~hole)
        return float(found.distance.mean())

    assert incoherence(done.image) < 0.5 * incoherence(biharmonic(image, mask))


def test_search_and_vote_agree_with_plain_loops(monkeypatch) -> None:
    monkeypatch.setattr(mean_shift, "BANDWIDTHS", ())  # the mean of the votes
    image, mask = torch.rand(1, 14, 15), hole_of(14, 15, 5, 8, 6, 10)
    hole = mask == 1
    level = wexler._Level(image[:, None], hole, (1, 3, 3))
    weights = level.search(image[:, None])
    voted = level.vote(image[:, None], weights)[:, 0]

    found = nearest_patches(image, image, 3, exact=True, database_mask=~hole[0])
    total, weight = torch.zeros(14, 15), torch.zeros(14, 15)
    for n, (_, y, x) in enumerate(level.asking.tolist()):
        place = level.known[level.match[n]].tolist()
        assert place[1:] == [found.row[y, x, 0], found.column[y, x, 0]]
        for a, b in itertools.product(range(3), range(3)):
            total[y + a, x + b] += weights[n] * image[0, place[1] + a, place[2] + b]
            weight[y + a, x + b] += weights[n]
    inside = hole[0]
    assert torch.allclose(voted[0, inside], (total / weight)[inside], atol=1e-5)
    assert torch.equal(voted[0, ~inside], image[0, ~inside])


def test_coarse_levels_ignore_the_values_in_the_hole() -> None:
    image, mask = photo("chelsea", 64), hole_of(64, 64, 20, 44, 22, 40)
    bright, dark = (torch.where(mask == 1, value, image) for value in (1.0, 0.0))
    for one, other in zip(
        *(pyramid(each[:, None], mask == 1, (1, 7, 7)) for each in (bright, dark)),
        strict=True,
    ):
        if one[0].shape[-1] < 64:
            assert torch.allclose(one[0], other[0], atol=1e-6)
        assert torch.equal(one[1], other[1])
    known = mask[0] == 0
    assert torch.allclose(
        (texture(bright, known) * known), (texture(dark, known) * known), atol=1e-5
    )


def test_a_film_takes_what_another_frame_shows() -> None:
    still = photo("coffee", 96)[:, 30:54, 20:52]
    film = still.expand(7, -1, -1, -1).contiguous()
    masks = torch.zeros(7, 1, 24, 32)
    for t in range(7):
        masks[t, :, 8:14, 3 * t : 3 * t + 7] = 1
    masks[6] = 1  # the last frame is lost
    done = complete_film(film * (1 - masks), masks)
    error = (done.film - film).square().mean((1, 2, 3)).sqrt()
    assert error.max() < 0.04
    change = (done.film[1:] - done.film[:-1]).square().mean().sqrt()
    assert change < 0.03
    frame, row, column = done.source[:, masks[:, 0] == 1]
    assert (masks[frame, 0, row, column] == 0).all()
    assert torch.equal(done.film * (1 - masks), film * (1 - masks))


def test_a_large_level_copies_from_the_places_that_a_smaller_one_found(
    monkeypatch,
) -> None:
    image, mask = tiles(48, 48), hole_of(48, 48, 20, 32, 18, 30)
    monkeypatch.setattr(wexler, "MOST_PAIRS", 200 * 1000)
    copied = []
    copy_pieces = wexler.copy_pieces
    monkeypatch.setattr(
        wexler, "copy_pieces", lambda *a: copied.append(a[1].shape) or copy_pieces(*a)
    )
    monkeypatch.setattr(wexler, "MOST_COPIED", 100)  # the hole has 144 pixels
    done = complete_image(image * (1 - mask), mask)
    assert (done.image - image).abs().mean() < 0.05
    assert copied == [(1, *done.levels[-2].shape[1:])]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_empty_and_full_masks_are_refused(value: float) -> None:
    mask = torch.full((1, 16, 16), value)
    with pytest.raises(ValueError, match="mask: expected both 1"):
        complete_image(torch.rand(3, 16, 16), mask)
    with pytest.raises(ValueError, match="masks: expected both 1"):
        complete_film(torch.rand(5, 3, 16, 16), mask.expand(5, -1, -1, -1))


def test_other_bad_input_is_refused() -> None:
    image, mask = torch.rand(1, 16, 18), hole_of(16, 18, 4, 8, 4, 8)
    with pytest.raises(ValueError, match="mask: expected 1 x 16 x 18"):
        complete_image(image, mask[:, :8])
    for patch_size in (1, 6, 17):
        with pytest.raises(ValueError, match="patch_size: expected an odd number from"):
            complete_image(image, mask, patch_size)
    mask[:, 8, :] = mask[:, :, 9] = 1
    with pytest.raises(ValueError, match="mask: expected a known patch of 1 x 9 x 9"):
        complete_image(image, mask, 9)
    with pytest.raises(ValueError, match="masks: expected shape"):
        complete_film(torch.rand(5, 1, 16, 18), mask.expand(4, -1, -1, -1))


def test_what_a_start_shows_in_the_hole_is_filled_in() -> None:
    image = torch.full((1, 48, 80), 0.2)
    image[:, 20:28, 12:20] = 0.8
    shown = image.clone()
    shown[:, 20:28, 52:60] = 0.8
    mask = hole_of(48, 80, 14, 34, 46, 66)
    for wanted in (image, shown):
        start = resize(wanted, size=(40, 66)).clamp(0, 1)
        done = complete_image(image * (1 - mask), mask, start=start)
        assert float((done.image - wanted).abs().max()) < 0.05
        assert [level.shape[1] for level in done.levels] == [48]


def test_a_start_of_another_size_or_with_other_channels_is_refused() -> None:
    image, mask = torch.rand(1, 16, 18), hole_of(16, 18, 4, 8, 4, 8)
    for start in (torch.rand(3, 8, 9), torch.rand(1, 17, 18)):
        with pytest.raises(ValueError, match="start: expected 1 channels and at most"):
            complete_image(image, mask, start=start)
