"""InGAN: what its parts compute, that it resumes, and that it learns."""

import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch.nn import functional as F

from dil_teach.deep.ingan.ingan import InGAN, InGANSettings, level_sizes
from dil_teach.deep.ingan.networks import (
    Batch,
    Discriminator,
    Generator,
    place_channels,
)
from dil_teach.deep.ingan.patch_gan import generator_loss, mean_inside, scale_weights
from dil_teach.image.convention import Image
from dil_teach.image.files import load_image
from dil_teach.image.metrics import psnr
from dil_teach.image.photos import photo, photos
from dil_teach.image.resize import resize
from dil_teach.image.shipped import shipped
from dil_teach.image.warp import (
    SQUARE,
    Transformation,
    homography,
    resizing,
    smooth_warp,
)
from dil_teach.patches.similarity import coherence, completeness
from dil_teach.training.checkpoint import resume, save
from dil_teach.training.loop import fit, train

SHORT = InGANSettings(steps=4, finer_steps=3)
SHIPPED = sorted(shipped("data/ingan").glob("*.safetensors"))


@pytest.fixture(scope="module")
def coins() -> Image:
    return resize(photo("coins"), size=(50, 63)).clamp(0, 1)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ---- the parts


def test_levels_grow_by_one_factor_to_the_image_itself() -> None:
    sizes = level_sizes((144, 180), 32)
    assert sizes[0] == (32, 40) and sizes[-1] == (144, 180)
    ratios = [b[0] / a[0] for a, b in pairwise(sizes)]
    assert max(ratios) - min(ratios) < 0.08 and 1.4 < ratios[0] < 1.75
    assert level_sizes((30, 40), 32) == [(30, 40)]


def test_weights_of_scales_move_from_coarse_to_fine() -> None:
    first, last = scale_weights(0, 3), scale_weights(1, 3)
    assert first == sorted(first) and last == first[::-1]
    for progress in (0, 0.3, 1):
        assert sum(scale_weights(progress, 3)) == pytest.approx(1)
    assert scale_weights(0.5, 1) == [1]


def test_a_generator_that_has_learned_nothing_only_transforms(coins: Image) -> None:
    generator = Generator(1, 2, rng())
    pyramid = [resize(coins, size=(32, 40))[None], coins[None]]

    def drawn(transformation: Transformation, levels: int) -> torch.Tensor:
        sizes = [transformation.size_of(size) for size in ((32, 40), (50, 63))]
        return generator(pyramid[:levels], transformation, sizes[:levels])

    for still in (resizing(1, 1), smooth_warp(torch.zeros(5, 5, 2))):
        assert (drawn(still, 2) - coins).abs().max() < 1e-3
    stretching = resizing(0.5, 2)  # the image's own detail would be stretched too
    coarse = resize(drawn(stretching, 1), size=(25, 126))
    assert (drawn(stretching, 2) - coarse).abs().max() < 1e-3


def test_place_channels_say_where_from_and_how_stretched(coins: Image) -> None:
    image = coins[None]
    channels = place_channels(resizing(2, 0.5), (100, 32), image)[0]
    across, along = channels[0, 0], channels[1, :, 0]
    assert torch.allclose(across, (2 * torch.arange(32) + 1) / 32 - 1)
    assert torch.allclose(along, (2 * torch.arange(100) + 1) / 100 - 1)
    # source pixels for each output pixel, less 1: x by x, and y by y
    assert torch.allclose(channels[2], torch.tensor(63 / 32 - 1))
    assert torch.allclose(channels[5], torch.tensor(-0.5))
    assert channels[3:5].abs().max() == 0
    same = place_channels(homography(SQUARE, (2, 0.5)), (100, 32), image)[0]
    assert (same - channels)[:, 2:-2, 2:-2].abs().max() < 1e-3


def test_the_discriminator_sees_patches_of_seven_pixels() -> None:
    discriminator = Discriminator(1, 3, rng())
    picture = torch.rand(1, 1, 20, 20, generator=rng())
    logits = discriminator(picture)
    assert logits.shape[-2:] == (14, 14)
    changed = picture.clone()
    changed[0, 0, 10, 10] += 1
    rows, columns = (discriminator(changed) != logits)[0, 0].nonzero().T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 10, 4, 10)


def test_a_masked_mean_is_of_what_is_inside() -> None:
    values = torch.arange(6.0).view(1, 1, 2, 3)
    mask = torch.tensor([[0, 1, 1], [0, 0, 0]]).view(1, 1, 2, 3)
    assert mean_inside(values, mask) == 1.5
    assert mean_inside(values, None) == 2.5
    assert mean_inside(values, 0 * mask) == 0


def test_logits_outside_of_the_shape_do_not_count(coins: Image) -> None:
    ingan = InGAN(coins, SHORT)
    corners = homography(SQUARE * 0.5)
    picture = torch.rand(1, 1, 32, 40, generator=rng())
    changed = picture.clone()
    changed[..., :4, :] += 5

    def loss(picture: Batch, transformation: Transformation) -> torch.Tensor:
        return generator_loss(ingan._judge(picture, transformation), 0.5, "hinge")

    assert torch.equal(loss(picture, corners), loss(changed, corners))
    assert loss(picture, resizing(1, 1)) != loss(changed, resizing(1, 1))


def test_transformations_are_weak_at_first_and_reach_the_ends(coins: Image) -> None:
    settings = InGANSettings(steps=1000, warps=0, both=1)
    ingan = InGAN(coins, settings)
    early = [ingan._draw_transformation().scales for _ in range(50)]
    ingan.step = 900
    late = [ingan._draw_transformation().scales for _ in range(300)]
    assert all(0.9 < s < 1.1 for pair in early for s in pair)
    every = [s for pair in late for s in pair]
    assert min(every) < 0.56 and max(every) > 1.9
    assert 0.45 < min(every) and max(every) < 2.2
    ingan.settings = InGANSettings(steps=1000, warps=1)
    assert all(ingan._draw_transformation().source is not None for _ in range(20))


@pytest.mark.parametrize(("side", "coarsest"), [(14, 32), (60, 18)])
def test_no_side_becomes_shorter_than_a_patch(
    side: int, coarsest: int, coins: Image
) -> None:
    image = resize(coins, size=(side, side)).clamp(0, 1)
    settings = InGANSettings(steps=100, discriminator_layers=4, coarsest=coarsest)
    ingan = InGAN(image, settings)
    ingan.step = 50
    sides = []
    for _ in range(100):
        sides += ingan._draw_transformation().size_of(ingan.sizes[0])
    assert min(sides) == 12  # of at least 9, the first multiple of 4


# ---- the method


def test_one_seed_gives_the_same_bits_and_another_others(coins: Image) -> None:
    first, again, other = (
        fit(InGAN(coins, InGANSettings(steps=4, finer_steps=3, seed=seed)))
        for seed in (5, 5, 6)
    )
    assert torch.equal(first.retarget(1, 1.5), again.retarget(1, 1.5))
    assert not torch.equal(first.retarget(1, 1.5), other.retarget(1, 1.5))


@pytest.mark.parametrize("stop", [2, 4, 6])
def test_resuming_equals_never_stopping(
    stop: int, coins: Image, tmp_path: Path
) -> None:
    settings = InGANSettings(steps=4, finer_steps=3, warps=0.5)
    whole = fit(InGAN(coins, settings))
    stopped = InGAN(coins, settings)
    for progress in train(stopped, report_every=1):
        if progress.step == stop:
            break
    save(stopped, tmp_path / "part.safetensors")
    carried_on = fit(resume(tmp_path / "part.safetensors", coins))
    assert torch.equal(carried_on.retarget(1.2, 2), whole.retarget(1.2, 2))


def test_what_is_done_is_kept_without_what_trained_it(
    coins: Image, tmp_path: Path
) -> None:
    done = fit(InGAN(coins, SHORT))
    save(done, tmp_path / "done.safetensors", {"photograph": "coins"})
    again = resume(tmp_path / "done.safetensors", coins)
    assert again.done and torch.equal(again.retarget(1, 2), done.retarget(1, 2))
    weights = sum(p.numel() for p in done.averaged.parameters())
    assert (tmp_path / "done.safetensors").stat().st_size < 4.2 * weights + 20_000


def test_any_size_and_shape_comes_out(coins: Image) -> None:
    ingan = fit(InGAN(coins, SHORT))
    assert ingan.retarget(2, 0.5).shape == (1, 100, 32)
    assert ingan.remap(resizing(1, 2), level=0).shape == (1, 32, 80)
    corners = homography(SQUARE * 0.7, (1.5, 1.5))
    shaped = ingan.remap(corners)
    outside = ~corners.inside((75, 94), coins.device)
    assert shaped.shape == (1, 75, 94) and outside.any()
    assert shaped[:, outside].abs().max() == 0 < shaped.max() <= 1


def test_it_learns_to_leave_the_image_and_then_to_change_stretched_patches() -> None:
    """A hundred steps on stripes: nearer to their patches than plain resizing is."""
    stripes = (torch.arange(48) // 3 % 2).float().expand(1, 36, 48).clone()
    settings = InGANSettings(
        steps=150, finer_steps=1, coarsest=36, warps=0, both=0, bf16=False
    )
    ingan = fit(InGAN(stripes, settings))
    plain = resize(stripes, size=(36, 96)).clamp(0, 1)

    def share_of_wide(picture: Image) -> float:
        """How much of the image's power stripes twice as wide have."""
        power = torch.fft.rfft(picture - picture.mean()).abs().square().sum((0, 1))
        return float(power[8] / power.sum())

    assert share_of_wide(ingan.retarget(1, 2)) < share_of_wide(plain)
    assert F.l1_loss(ingan.retarget(), stripes) < 0.05


# ---- what ships


def test_checkpoints_that_ship_are_small() -> None:
    sizes = [path.stat().st_size for path in SHIPPED]
    assert len(sizes) >= 3 and max(sizes) <= 3e6 and sum(sizes) <= 12e6


@pytest.mark.parametrize(
    ("from_finest", "width"),
    [(3, 2.0), *(pytest.param(2, x, marks=pytest.mark.slow) for x in (2.0, 1.5))],
)
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_checkpoint_that_ships_does_its_job(
    path: Path, from_finest: int, width: float
) -> None:
    """At 76 pixels and more; at 121 and more it takes minutes."""
    image = load_image(path.with_suffix(".png"))
    ingan = resume(path, image)
    assert ingan.done and min(image.shape[1:]) >= 112
    with safe_open(path, "pt") as file:
        told = file.metadata()
    assert told["photograph"] in photos() and told["attribution"] and told["commit"]
    assert told["recipe"] == "data/train_checkpoints.py"
    assert psnr(ingan.retarget(), image) >= 32
    level = len(ingan.sizes) - from_finest
    source = (ingan.pyramid[level][0] * ingan.deviation + ingan.mean).clamp(0, 1)
    made = ingan.remap(resizing(1, width), level)
    plain = resize(source, size=(made.shape[1], made.shape[2])).clamp(0, 1)
    for distance in (completeness, coherence):
        assert distance(source, made) < 0.65 * distance(source, plain)


# ---- how it says no


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 0},
        {"finer_steps": 0},
        {"discriminator_scales": 0},
        {"smallest": 0},
        {"smallest": 1.5},
        {"largest": math.inf},
        {"coarsest": 12},
    ],
)
def test_settings_that_cannot_train_are_refused(changes: dict) -> None:
    with pytest.raises(ValueError, match="settings: expected"):
        InGANSettings(**changes)


def test_what_cannot_be_learned_from_is_refused(coins: Image, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="image: expected at least 11 pixels a side"):
        InGAN(coins[:, :10, :10])
    with pytest.raises(ValueError, match="one colour everywhere"):
        InGAN(torch.full((1, 40, 40), 0.3))
    ingan = InGAN(coins, SHORT)
    with pytest.raises(ValueError, match="scales: expected at least 8 pixels a side"):
        ingan.retarget(0.1, 1)
    with pytest.raises(ValueError, match="scale: expected a positive number"):
        ingan.retarget(1, -2)
    with pytest.raises(ValueError, match="level: expected 0, the coarsest, to 1"):
        ingan.remap(resizing(1, 1), level=7)
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(ValueError, match="expected a checkpoint"):
        resume(tmp_path / "text.safetensors", coins)
