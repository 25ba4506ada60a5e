"""Tests of segmentation by Double-DIP: hints, the penalty, videos, bad input."""

import pytest
import torch
from torch import Tensor

from dil_teach import Segmentation, SegmentationSettings, fit, resume, save
from dil_teach.classical.segmentation.grab_cut import grab_cut
from dil_teach.classical.segmentation.hints import complete_hints
from dil_teach.deep.double_dip.segmentation import (
    binary_cross_entropy,
    border,
    principal_components,
)
from dil_teach.image.scenes import scene

SHORT = SegmentationSettings(steps=10)
LESSON = pytest.param(SegmentationSettings.quick(), marks=pytest.mark.slow)
HINTS = "foreground_hint", "background_hint"


def iou(a: Tensor, b: Tensor) -> float:
    a, b = a > 0.5, b > 0.5
    return float((a & b).sum() / (a | b).sum())


@pytest.fixture(scope="module")
def ring() -> dict[str, Tensor]:
    images = scene("ring").images
    return {k: images[k][..., ::2, ::2].contiguous() for k in images}  # 64 pixels


@pytest.mark.parametrize("settings", [SHORT, LESSON])
def test_a_ring_is_found_and_hints_are_kept(ring, settings) -> None:
    hints = [ring[k] for k in HINTS]
    mask = fit(Segmentation(ring["image"], *hints, settings)).mask()
    assert mask.shape == (1, 64, 64) and mask.min() >= 0 and mask.max() <= 1
    assert iou(mask, ring["mask"]) > 0.9
    assert (mask[hints[0] > 0.5] == 1).all() and (mask[hints[1] > 0.5] == 0).all()


@pytest.mark.parametrize("settings", [SHORT, LESSON])
def test_hints_are_computed_where_none_are_given(ring, settings) -> None:
    mask = fit(Segmentation(ring["image"], settings=settings)).mask()
    assert iou(mask, ring["mask"]) > 0.7


def test_a_computed_hint_leaves_out_the_given_one(ring) -> None:
    image, front, back = (ring[k][None] for k in ("image", *HINTS))
    computed, _ = complete_hints(image, None, back)
    assert computed.any() and not (computed * back).any()
    _, computed = complete_hints(image, front, None)
    assert computed.any() and not (computed * front).any()


def test_the_penalties_are_finite_where_the_mask_is_undecided_or_decided() -> None:
    for value in (0.0, 0.5, 1.0):
        mask = torch.full((1, 1, 8, 8), value, requires_grad=True)
        hint = torch.zeros(1, 1, 8, 8)
        small = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        # an empty hint causes no division by zero
        losses = binary_cross_entropy(mask, hint, 1 - hint), border(mask, small)
        torch.stack(losses).sum().backward()
        assert all(loss.isfinite() for loss in losses)
        assert mask.grad is not None and mask.grad.isfinite().all()


def test_a_border_along_an_edge_costs_less() -> None:
    picture = torch.zeros(1, 3, 8, 8)
    picture[..., 4:] = 1
    along, beside = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    along[..., 4:], beside[..., 2:] = 1, 1
    assert border(along, picture) < 0.1 * border(beside, picture)


def test_principal_components_are_uncorrelated() -> None:
    features = torch.randn(1, 12, 20, 20, generator=torch.Generator().manual_seed(0))
    features[:, 1] += 3 * features[:, 0]
    found = principal_components(features)
    assert found.shape == (1, 10, 20, 20) and found.min() >= 0 and found.max() <= 1
    correlation = found[0].flatten(1).corrcoef() - torch.eye(10)
    assert correlation.abs().max() < 0.05


def test_the_same_seed_gives_the_same_bits_and_resuming_equals_it(
    ring, tmp_path
) -> None:
    hints = [ring[k] for k in HINTS]
    state = torch.random.get_rng_state()
    first = fit(Segmentation(ring["image"], *hints, SHORT))
    part = Segmentation(ring["image"], *hints, SHORT)
    part.train_step()
    save(part, tmp_path / "part.safetensors")
    carried = fit(resume(tmp_path / "part.safetensors", part.image))
    assert torch.equal(first.dip.layers().mask, carried.dip.layers().mask)
    assert torch.equal(first.mask(), carried.mask())
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("settings", [SHORT, LESSON])
def test_a_film_has_a_mask_a_frame(ring, settings) -> None:
    frames = torch.stack([ring["image"].roll(k, -1) for k in range(2)])
    hints = [ring[k] for k in HINTS]
    mask = fit(Segmentation(frames, *hints, settings)).mask()
    assert mask.shape == (2, 1, 64, 64)
    for k in range(2):
        assert iou(mask[k], ring["mask"].roll(k, -1)) > 0.8


def test_a_large_picture_gets_a_mask_of_its_size(ring, monkeypatch) -> None:
    monkeypatch.setattr("dil_teach.classical.segmentation.region_growing.SIDE", 48)
    large = ring["image"].repeat_interleave(2, 1).repeat_interleave(3, 2)
    segmentation = Segmentation(large, settings=SHORT)
    assert segmentation.start.small.shape == (1, 3, 32, 48)
    mask = segmentation.mask()
    assert mask.shape == (1, 128, 192) and mask.isfinite().all()


def test_bad_pictures_and_hints_are_refused(ring) -> None:
    image, dot = ring["image"], ring["foreground_hint"]
    empty, full = torch.zeros_like(dot), torch.ones_like(dot)
    for complaint, arguments in {
        r"foreground: expected shape \(1, 64, 64\)": (image, dot[:, 1:]),
        "background: expected a hint .* marks nothing": (image, dot, empty),
        "foreground: expected a hint .* marks all": (image, full),
        "foreground: expected some pixels that the other": (image, dot, dot),
        "image: expected a picture with some": (image * 0 + 0.4,),
        "image: expected at least 16 x 16": (image[:, :12],),
        "image: expected finite": (image * torch.nan,),
    }.items():
        with pytest.raises(ValueError, match=complaint):
            Segmentation(*arguments)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("star", 0.85), ("grass_star", 0.5)])
def test_texture_alone_finds_a_star(name: str, least: float) -> None:
    """Inside and outside have one mean and contrast, so colours are less useful."""
    images = scene(name).images
    hints = [images[k] for k in HINTS]
    mask = fit(Segmentation(images["image"], *hints)).mask()
    control = grab_cut(images["image"], *hints)
    assert iou(mask, images["mask"]) > least > iou(control, images["mask"]) + 0.1
