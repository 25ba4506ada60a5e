"""Segmentation without a network: hints grow, and are kept; videos; bad input."""

import pytest
import torch
from torch import Tensor

from dil_teach.classical.segmentation.hints import complete_hints
from dil_teach.classical.segmentation.region_growing import (
    segment_by_growing,
    without_islands,
)
from dil_teach.image.scenes import scene

HINTS = "foreground_hint", "background_hint"


@pytest.fixture(scope="module")
def ring() -> dict[str, Tensor]:
    images = scene("ring").images
    return {k: images[k][..., ::2, ::2].contiguous() for k in images}  # 64 pixels


def test_a_ring_is_found_and_hints_are_kept(ring) -> None:
    hints = [ring[k] for k in HINTS]
    mask = segment_by_growing(ring["image"], *hints)
    truth = ring["mask"] > 0.5
    assert mask.shape == (1, 64, 64) and set(mask.unique().tolist()) == {0.0, 1.0}
    assert ((mask > 0.5) & truth).sum() > 0.9 * ((mask > 0.5) | truth).sum()
    assert (mask[hints[0] > 0.5] == 1).all() and (mask[hints[1] > 0.5] == 0).all()


def test_islands_without_a_hint_are_removed() -> None:
    mask, hint = torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)
    mask[..., 4:20, 4:20] = 1  # the largest part, 256 pixels
    mask[..., 4:10, 24:30] = 1  # 36 pixels: over a tenth of it
    kept = mask.clone()
    mask[..., 24:28, 2:6] = 1  # 16 pixels without a hint
    mask[..., 24:28, 20:24] = kept[..., 24:28, 20:24] = 1  # 16 pixels with a hint
    hint[..., 25, 21] = 1
    assert torch.equal(without_islands(mask, hint), kept)
    assert torch.equal(without_islands(kept, kept), kept)


def test_the_same_seed_gives_the_same_mask(ring) -> None:
    masks = [segment_by_growing(ring["image"], seed=3) for _ in range(2)]
    assert torch.equal(*masks)


def test_a_video_gives_a_mask_for_each_frame(ring) -> None:
    frames = torch.stack([ring["image"].roll(k, -1) for k in range(3)])
    mask = segment_by_growing(frames, ring[HINTS[0]], ring[HINTS[1]])
    assert mask.shape == (3, 1, 64, 64) and 0 < mask.mean() < 1


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (torch.rand(3, 8, 40), "image"),
        (torch.full((3, 32, 32), 0.5), "image"),
    ],
)
def test_bad_pictures_are_refused(image: Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        segment_by_growing(image)


@pytest.mark.slow
def test_hints_are_computed_for_more_than_sixteen_megapixels() -> None:
    squares = torch.zeros(1, 3, 42, 42)
    squares[..., 18:24, 18:24] = 0.8
    picture = squares.repeat_interleave(100, 2).repeat_interleave(100, 3)
    front, back = complete_hints(picture, None, None)
    assert front[..., 2100, 2100] == 1 and back[..., 0, 0] == 1
    assert front.mean() <= 0.08


def test_a_hint_of_another_size_is_refused(ring) -> None:
    with pytest.raises(ValueError, match="foreground: expected shape"):
        segment_by_growing(ring["image"], torch.ones(1, 8, 8))
