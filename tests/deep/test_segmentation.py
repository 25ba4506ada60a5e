"""Segmentation by Double-DIP: hints, the penalty, films, what is refused."""

import pytest
import torch
from torch import Tensor

from dil_teach import Segmentation, SegmentationSettings, fit, resume, save
from dil_teach.classical.segmentation.grab_cut import grab_cut
from dil_teach.deep.double_dip.segmentation import (
    binary_cross_entropy,
    border,
    principal_components,
)
from dil_teach.image.scenes import scene

SHORT = SegmentationSettings(steps=4)


def iou(a: Tensor, b: Tensor) -> float:
    a, b = a > 0.5, b > 0.5
    return float((a & b).sum() / (a | b).sum())


@pytest.fixture(scope="module")
def ring() -> dict[str, Tensor]:
    images = scene("ring").images
    return {k: images[k][..., ::2, ::2].contiguous() for k in images}  # 64 pixels


def test_a_ring_is_found_and_hints_are_kept(ring) -> None:
    hints = ring["foreground_hint"], ring["background_hint"]
    mask = fit(Segmentation(ring["image"], *hints)).mask()
    assert mask.shape == (1, 64, 64) and mask.min() >= 0 and mask.max() <= 1
    assert iou(mask, ring["mask"]) > 0.9
    assert (mask[hints[0] > 0.5] == 1).all() and (mask[hints[1] > 0.5] == 0).all()


def test_hints_are_computed_where_none_are_given(ring) -> None:
    mask = fit(Segmentation(ring["image"])).mask()
    assert iou(mask, ring["mask"]) > 0.7
    only_ground = Segmentation(ring["image"], None, ring["background_hint"], SHORT)
    front = only_ground.start.foreground
    assert front.any() and not (front * ring["background_hint"]).any()
    only_figure = Segmentation(ring["image"], ring["foreground_hint"], None, SHORT)
    assert not (only_figure.start.background * ring["foreground_hint"]).any()


def test_the_penalties_are_finite_where_the_mask_is_undecided_or_decided() -> None:
    for value in (0.0, 0.5, 1.0):
        mask = torch.full((1, 1, 8, 8), value, requires_grad=True)
        hint = torch.zeros(1, 1, 8, 8)
        small = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        # an empty hint is no division by zero
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
    hints = ring["foreground_hint"], ring["background_hint"]
    state = torch.random.get_rng_state()
    first = fit(Segmentation(ring["image"], *hints, SHORT))
    part = Segmentation(ring["image"], *hints, SHORT)
    part.train_step()
    save(part, tmp_path / "part.safetensors")
    carried = fit(resume(tmp_path / "part.safetensors", part.image))
    assert torch.equal(first.dip.layers().mask, carried.dip.layers().mask)
    assert torch.equal(first.mask(), carried.mask())
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_film_has_a_mask_a_frame(ring) -> None:
    frames = torch.stack([ring["image"].roll(k, -1) for k in range(3)])
    hints = ring["foreground_hint"], ring["background_hint"]
    mask = fit(Segmentation(frames, *hints)).mask()
    assert mask.shape == (3, 1, 64, 64)
    assert iou(mask[0], ring["mask"]) > 0.8
    assert iou(mask[2], ring["mask"].roll(2, -1)) > 0.8


def test_a_large_picture_gets_a_mask_of_its_size(ring) -> None:
    large = ring["image"].repeat_interleave(4, 1).repeat_interleave(5, 2)
    mask = Segmentation(large, settings=SHORT).mask()
    assert mask.shape == (1, 256, 320) and mask.isfinite().all()


def test_what_cannot_be_taken_apart_is_refused(ring) -> None:
    image, dot = ring["image"], ring["foreground_hint"]
    empty, full = torch.zeros_like(dot), torch.ones_like(dot)
    for complaint, arguments in {
        "foreground: expected one channel of 64 x 64": (image, dot[:, 1:]),
        "background: expected a hint .* marks nothing": (image, dot, empty),
        "foreground: expected a hint .* marks all": (image, full),
        "foreground: expected some pixels that the other": (image, dot, dot),
        "image: expected a picture with something": (image * 0 + 0.4,),
        "image: expected at least 16 x 16": (image[:, :12],),
        "image: expected finite": (image * torch.nan,),
    }.items():
        with pytest.raises(ValueError, match=complaint):
            Segmentation(*arguments)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("star", 0.85), ("grass_star", 0.5)])
def test_texture_alone_finds_a_star(name: str, least: float) -> None:
    """Inside and outside have one mean and contrast: colours find less of it."""
    images = scene(name).images
    hints = images["foreground_hint"], images["background_hint"]
    mask = fit(Segmentation(images["image"], *hints)).mask()
    control = grab_cut(images["image"], *hints)
    assert iou(mask, images["mask"]) > least > iou(control, images["mask"]) + 0.1
