"""Dehazing by patch recurrence: a planted pair, the objective, scenes, bad input."""

import pytest
import torch

from dil_teach import psnr, scene
from dil_teach.classical.haze.dark_channel import (
    LEAST,
    add_haze,
    brightest_haze,
    guided_dark_channel,
    transmission_bound,
)
from dil_teach.classical.haze.recurrence import (
    DISAGREEMENT,
    EDGE,
    QUANTILE,
    RECURRENCE,
    ROUGHNESS,
    minimise_depth,
    remove_haze_by_recurrence,
    transmission_by_recurrence,
)
from dil_teach.classical.haze.recurring_pairs import (
    Pairs,
    airlight_of_pairs,
    find_pairs,
    votes,
)
from dil_teach.image.colour import to_linear, to_srgb

AIRLIGHT = torch.tensor([0.6, 0.65, 0.72])


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def planted() -> torch.Tensor:
    """A pattern at transmissions 0.8 and 0.3, and opaque haze everywhere else."""
    clear, transmission = torch.zeros(1, 3, 40, 48), torch.zeros(1, 1, 40, 48)
    pattern = 0.5 * noise(3, 7, 7)
    for left, t in ((6, 0.8), (28, 0.3)):
        clear[..., 16:23, left : left + 7] = pattern
        transmission[..., 16:23, left : left + 7] = t
    return add_haze(clear, transmission, AIRLIGHT.reshape(1, 3, 1, 1))[0]


def test_a_planted_pair_gives_the_ratio_and_the_airlight() -> None:
    pairs = find_pairs(planted())
    same = pairs.kept(pairs.correlation > 0.9999)
    assert len(same.ratio) >= 1
    assert torch.allclose(same.ratio, torch.full_like(same.ratio, 0.3 / 0.8), atol=1e-3)
    assert torch.allclose(votes(same), AIRLIGHT.expand(len(same.ratio), 3), atol=1e-3)
    inside = (16 / 40, 6 / 48), (16 / 40, 28 / 48)
    for boxes, (top, left) in zip((same.near_box, same.far_box), inside, strict=True):
        assert ((boxes[:, 0] - top).abs() < 7 / 40).all()
        assert ((boxes[:, 1] - left).abs() < 7 / 48).all()


def test_the_agreement_of_many_pairs_wins_over_false_pairs() -> None:
    near, ratio = 0.5 * noise(200, 3), 0.1 + 0.4 * noise(200, seed=1)
    far = AIRLIGHT + ratio[:, None] * (near - AIRLIGHT)
    far[80:] = near[80:]  # two patches of one distance: they vote for their own colour
    boxes = torch.zeros(200, 3)
    pairs = Pairs(near, far, ratio, torch.ones(200), boxes, boxes)
    found = airlight_of_pairs(pairs, torch.full((1, 3, 1, 1), 0.8))
    assert torch.allclose(found.flatten(), AIRLIGHT, atol=0.02)
    none = pairs.kept(torch.zeros(200, dtype=torch.bool))
    prior = torch.full((1, 3, 1, 1), 0.8)
    assert torch.equal(airlight_of_pairs(none, prior), prior)


def test_the_depth_minimises_the_objective_of_the_docstring() -> None:
    image = scene("haze_alley").images["image"][:, 40:88, 40:88].contiguous()
    airlight = to_linear(torch.tensor([0.82, 0.84, 0.87]))
    air = airlight.reshape(1, 3, 1, 1)
    bound = transmission_bound(image[None], air)[0].clamp(LEAST, 0.99)
    start = guided_dark_channel(image[None], air)[0]
    pairs = find_pairs(to_linear(image))
    error = pairs.far - airlight - pairs.ratio[:, None] * (pairs.near - airlight)
    trust = pairs.correlation**4 / (1 + error.square().sum(1) / DISAGREEMENT**2) ** 2

    def mean_depth(depth: torch.Tensor, box: torch.Tensor) -> torch.Tensor:
        top, left, side = (48 * box.double()).tolist()
        steps = [side * k / 6 for k in (1, 3, 5)]
        places = [(int(top + y), int(left + x)) for y in steps for x in steps]
        return torch.stack([depth[0, min(y, 47), min(x, 47)] for y, x in places]).mean()

    def objective(depth: torch.Tensor) -> float:
        rest = -bound.log() - depth
        value = torch.maximum((1 - QUANTILE) * rest, -QUANTILE * rest).sum()
        for axis in (1, 2):
            similar = (-image.diff(dim=axis).abs().sum(0) / EDGE).exp()
            value = (
                value + ROUGHNESS * (similar * depth[0].diff(dim=axis - 1).abs()).sum()
            )
        far, near = (
            torch.stack([mean_depth(depth, box) for box in boxes])
            for boxes in (pairs.far_box, pairs.near_box)
        )
        gap = far - near + pairs.ratio.log()
        return float(value + RECURRENCE * (trust * gap.abs()).sum())

    depth = minimise_depth(image, bound, start, pairs, airlight)
    least = objective(depth)
    assert least < objective(-start.log())
    for seed in range(3):
        smooth = torch.nn.functional.interpolate(
            noise(1, 1, 4, 4, seed=seed), (48, 48), mode="bilinear"
        )[0]
        for change in (0.2 * smooth, -0.2 * smooth, 0.1 * (noise(1, 48, 48) - 0.5)):
            assert objective((depth + change).clamp_min(0)) > least


def test_constant_haze_is_found_if_every_window_has_a_black_pixel() -> None:
    clear = 0.8 * noise(1, 3, 48, 48)
    clear[..., ::3, ::3] = 0
    air = AIRLIGHT.reshape(1, 3, 1, 1)
    hazy = to_srgb(add_haze(clear, torch.full((1, 1, 48, 48), 0.4), air))
    found = transmission_by_recurrence(hazy, air)
    assert (found - 0.4).abs().max() < 0.03


def test_a_rendered_scene_becomes_clearer_and_its_airlight_is_found() -> None:
    square = scene("haze_square")
    hazy, clear = square.images["image"], square.images["clear"]
    found = remove_haze_by_recurrence(hazy[None])
    error = found.airlight.flatten() - torch.tensor(square.known["airlight"])
    assert error.norm() < 0.05
    assert psnr(found.image[0], clear) > psnr(hazy, clear) + 6
    wrong = found.transmission[0] - square.images["transmission"]
    assert wrong.abs().mean() < 0.1
    again = remove_haze_by_recurrence(hazy[None])
    assert torch.equal(again.image, found.image)


def test_a_given_airlight_is_kept_and_frames_share_one_airlight() -> None:
    frames = scene("video_haze").images["frames"][:2]
    air = brightest_haze(to_linear(frames))
    given = remove_haze_by_recurrence(frames, air)
    assert torch.allclose(to_linear(given.airlight), air, atol=1e-5)
    assert given.image.shape == frames.shape
    assert remove_haze_by_recurrence(frames).airlight.shape == (1, 3, 1, 1)


def test_bad_input_is_refused() -> None:
    ramp = torch.linspace(0.4, 0.6, 64).expand(3, 64, 64) * AIRLIGHT.reshape(3, 1, 1)
    white = noise(3, 64, 64)
    white[:, :48] = 1
    for image, complaint in (
        (torch.full((3, 64, 64), 0.5), "the same at all pixels"),
        (white, "at most 50% white or black pixels, got 75%"),
        (noise(1, 64, 64), r"expected 3 channels, got 1 .*; take a colour image"),
        (noise(1, 64, 64).expand(3, -1, -1), "red, green and blue that are equal"),
        (noise(3, 20, 64), "at least 32 x 32 pixels"),
        (ramp.contiguous(), "pairs of recurring patches, found"),
    ):
        with pytest.raises(ValueError, match=complaint) as caught:
            remove_haze_by_recurrence(image[None].contiguous())
        assert str(caught.value).startswith("image: ")
