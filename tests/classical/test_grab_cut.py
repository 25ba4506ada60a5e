"""GrabCut, its minimum cut, saliency and texture features give known answers."""

import itertools

import pytest
import torch
from torch import Tensor

from dil_teach.classical.segmentation.grab_cut import (
    NEIGHBOURS,
    edge_weights,
    grab_cut,
    min_cut,
)
from dil_teach.classical.segmentation.optical_flow import (
    links,
    motion,
    optical_flows,
    steady,
)
from dil_teach.classical.segmentation.saliency import saliency
from dil_teach.classical.segmentation.texture import (
    blur,
    discriminant,
    patch_evidence,
    texture_features,
)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def two_colours() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A red disk on green, with noise; its mask; a dot and a frame as hints."""
    y, x = torch.meshgrid(torch.arange(40), torch.arange(48), indexing="ij")
    mask = ((y - 20) ** 2 + (x - 22) ** 2 < 12**2).float()[None]
    red, green = torch.tensor([0.7, 0.3, 0.3]), torch.tensor([0.3, 0.7, 0.3])
    image = mask * red[:, None, None] + (1 - mask) * green[:, None, None]
    image = (image + 0.05 * torch.randn(3, 40, 48, generator=rng())).clamp(0, 1)
    dot, frame = torch.zeros_like(mask), torch.ones_like(mask)
    dot[:, 18:22, 20:24], frame[:, 4:-4, 4:-4] = 1, 0
    return image, mask, dot, frame


def test_two_colours_are_told_apart(two_colours) -> None:
    image, mask, dot, frame = two_colours
    assert torch.equal(grab_cut(image, dot, frame), mask)
    assert torch.equal(grab_cut(image, None, frame), mask)
    assert torch.equal(grab_cut(image[:1], dot, frame), mask)  # grey


def test_the_same_seed_gives_the_same_bits(two_colours) -> None:
    image, _, dot, frame = two_colours
    state = torch.random.get_rng_state()
    assert torch.equal(grab_cut(image, dot, frame, 3), grab_cut(image, dot, frame, 3))
    assert torch.equal(state, torch.random.get_rng_state())


def energy(mask: Tensor, inside: Tensor, outside: Tensor, edges: list) -> float:
    total = float(inside[mask].sum() + outside[~mask].sum())
    for (dy, dx), edge in zip(NEIGHBOURS, edges, strict=True):
        for y, x in itertools.product(*map(range, mask.shape)):
            there = (y + dy, x + dx)
            if 0 <= there[0] < mask.shape[0] and 0 <= there[1] < mask.shape[1]:
                total += float(edge[y, x]) * bool(mask[y, x] != mask[there])
    return total


def test_no_mask_costs_less_than_the_minimum_cut() -> None:
    for seed in range(5):
        draw = rng(seed)
        inside, outside = torch.rand(2, 3, 3, generator=draw).double() * 4
        edges = edge_weights(torch.rand(3, 3, 3, generator=draw), 1.0)
        found = energy(min_cut(inside, outside, edges), inside, outside, edges)
        least = min(
            energy(torch.tensor(bits).view(3, 3), inside, outside, edges)
            for bits in itertools.product((False, True), repeat=9)
        )
        assert found == pytest.approx(least, abs=0.05)  # costs are rounded to 1e-3


@pytest.mark.parametrize("which", ["none", "size", "all"])
def test_bad_hints_are_refused(two_colours, which) -> None:
    image, _, dot, frame = two_colours
    bad = {
        "none": (dot * 0, frame * 0),
        "size": (dot[:, 1:], frame),
        "all": (dot, frame * 0 + 1),
    }[which]
    with pytest.raises(ValueError, match="foreground, background: expected"):
        grab_cut(image, *bad)


def test_the_odd_patch_is_the_most_salient() -> None:
    stripes = (torch.arange(64) % 8 < 4).float().expand(3, 64, 64).clone()
    stripes[:, 24:36, 40:52] = stripes[:, 24:36, 40:52].mT.clone()
    stripes[0, 24:36, 40:52] = 0.5
    found = saliency(0.2 + 0.6 * stripes)
    assert found.shape == (1, 64, 64) and found.min() >= 0 and found.max() <= 1
    most = int(found.argmax())
    assert 20 <= most // 64 < 40 and 36 <= most % 64 < 56


def test_saliency_refuses_what_is_too_small() -> None:
    with pytest.raises(ValueError, match="at least 16 x 16"):
        saliency(torch.rand(3, 12, 40))


def test_features_and_patches_tell_stripes_that_are_turned() -> None:
    x = torch.arange(64.0)
    fine, coarse = torch.sin(2.2 * x), torch.sin(1.1 * x)
    image = (0.5 + 0.3 * torch.stack([fine, coarse])).repeat_interleave(32, 0)[None]
    image = image + 0.05 * torch.randn(1, 64, 64, generator=rng())
    image = image.clamp(0, 1)[None]
    inside = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    outside = inside.clone()
    inside[..., 4:24, :], outside[..., 40:60, :] = True, True
    features = texture_features(image)
    assert torch.allclose(features.mean((0, 2, 3)), torch.zeros(36), atol=1e-4)
    for evidence in (
        discriminant(features, inside, outside),
        patch_evidence(image, inside, outside, seed=0),
    ):
        assert (evidence[..., :28, :] > 0).double().mean() > 0.95
        assert (evidence[..., 36:, :] < 0).double().mean() > 0.95


def test_a_mask_that_flickers_is_steadied() -> None:
    picture = torch.rand(3, 40, 40, generator=rng())
    frames = torch.stack([picture] * 5)
    masks = torch.zeros(5, 1, 40, 40)
    masks[..., 10:30, 10:30] = 1
    masks[1::2, :, 28:30] = 0  # every other frame lacks a strip
    found = steady(masks, frames, optical_flows(frames))
    assert found.diff(dim=0).abs().mean() < 0.5 * masks.diff(dim=0).abs().mean()
    assert (found[..., 14:24, 14:26] > 0.99).all() and (found[..., :6, :] < 0.01).all()


def moving_square() -> tuple[Tensor, Tensor]:
    """A square of noise moves right by one pixel per frame; the ground moves left."""
    noise = blur(torch.rand(2, 3, 48, 64, generator=rng()), 1.5)
    ground, square = (0.5 + 4 * (noise - 0.5)).clamp(0, 1)
    frames, masks = [], []
    for k in range(4):
        mask = torch.zeros(1, 48, 64)
        mask[:, 14:34, 20 + k : 40 + k] = 1
        masks.append(mask)
        frames.append(mask * square.roll(k, 2) + (1 - mask) * ground.roll(-k, 2))
    return torch.stack(frames), torch.stack(masks)


def test_the_flow_parts_what_moves_apart() -> None:
    frames, masks = moving_square()
    flows = optical_flows(frames)
    inside = masks[:, 0] > 0
    inside[:, :, :4] = inside[:, :, -4:] = False  # pixels that wrapped around
    right = flows[:-1, 0, 1][inside[:-1]]
    assert ((right - 1).abs() < 0.3).double().mean() > 0.8
    left = flows[1:, 1, 1][inside[1:]]
    assert ((left + 1).abs() < 0.3).double().mean() > 0.8
    moved = motion(flows)
    assert moved.shape == (4, 2, 48, 64)
    assert (moved[:, 1][masks[:, 0] > 0] > 0).double().mean() > 0.9
    assert (moved[:, 1][masks[:, 0] == 0] < 0).double().mean() > 0.8


def test_a_still_film_moves_nowhere() -> None:
    frames = torch.rand(1, 3, 24, 24, generator=rng()).repeat(3, 1, 1, 1)
    assert motion(optical_flows(frames)).abs().max() < 0.1


def test_a_cut_through_a_film_follows_the_links() -> None:
    frames, masks = moving_square()
    evidence = 2 * masks[:, 0].double() - 1
    evidence[2] = -0.2  # the evidence in one frame says only that ground is likelier
    costs = (-evidence).clamp_min(0), evidence.clamp_min(0)
    edges = edge_weights(frames, 0.0)
    alone = min_cut(*costs, edges)
    assert not alone[2].any()
    across = links(frames, optical_flows(frames), 0.3)
    found = min_cut(*costs, edges, across)
    assert torch.equal(found[0], masks[0, 0] > 0)
    share = (found[2] & (masks[2, 0] > 0)).sum() / masks[2].sum()
    assert share > 0.6 and found[2][masks[2, 0] == 0].double().mean() < 0.1
