"""InGAN: parts and losses computed by hand, resuming, learning, shipped checkpoints."""

import dataclasses
import json
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from dil_teach.deep.ingan import ingan as ingan_module
from dil_teach.deep.ingan import patch_gan
from dil_teach.deep.ingan.ingan import InGAN, InGANSettings, level_sizes
from dil_teach.deep.ingan.networks import (
    Batch,
    Discriminator,
    Generator,
    place_channels,
)
from dil_teach.deep.ingan.patch_gan import (
    discriminator_loss,
    generator_loss,
    judge,
    mean_inside,
    scale_weights,
)
from dil_teach.deep.ingan.patch_loss import distribution_distance, patch_distance
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

TINY = InGANSettings(steps=4, finer_steps=3, coarsest=20)
SHIPPED = sorted(shipped("data/ingan").glob("*.safetensors"))


@pytest.fixture(scope="module")
def coins() -> Image:
    """24 coins in 32 x 40 pixels: two levels."""
    return resize(photo("coins"), size=(32, 40)).clamp(0, 1)


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


def test_an_untrained_generator_only_transforms(coins: Image) -> None:
    generator = Generator(1, 2, rng())
    pyramid = [resize(coins, size=(20, 25))[None], coins[None]]

    def drawn(transformation: Transformation, levels: int) -> torch.Tensor:
        sizes = [transformation.size_of(size) for size in ((20, 25), (32, 40))]
        return generator(pyramid[:levels], transformation, sizes[:levels])

    for still in (resizing(1, 1), smooth_warp(torch.zeros(5, 5, 2))):
        assert (drawn(still, 2) - coins).abs().max() < 1e-3
    stretching = resizing(0.5, 2)  # the image's own detail would be stretched too
    coarse = resize(drawn(stretching, 1), size=(16, 80))
    assert (drawn(stretching, 2) - coarse).abs().max() < 1e-3


def test_place_channels_hold_the_source_place_and_the_stretch(coins: Image) -> None:
    image = coins[None]
    channels = place_channels(resizing(2, 0.5), (64, 20), image)[0]
    across, along = channels[0, 0], channels[1, :, 0]
    assert torch.allclose(across, (2 * torch.arange(20) + 1) / 20 - 1)
    assert torch.allclose(along, (2 * torch.arange(64) + 1) / 64 - 1)
    # source pixels for each output pixel, minus 1: x by x, and y by y
    assert torch.allclose(channels[2], torch.tensor(40 / 20 - 1))
    assert torch.allclose(channels[5], torch.tensor(-0.5))
    assert channels[3:5].abs().max() == 0
    same = place_channels(homography(SQUARE, (2, 0.5)), (64, 20), image)[0]
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


def test_the_hinge_losses_by_hand() -> None:
    fake = [(torch.tensor([[[[0.5, -3.0]]]]), None)]
    real = [(torch.tensor([[[[0.25, 2.0]]]]), None)]
    assert generator_loss(fake, 0.5) == 1.25  # -(0.5 - 3) / 2
    # fake: (1.5 + 0) / 2; real: (0.75 + 0) / 2
    assert discriminator_loss(fake, real, 0.5) == 0.75 + 0.375


def test_logits_outside_of_the_shape_do_not_count(coins: Image) -> None:
    ingan = InGAN(coins, TINY)
    corners = homography(SQUARE * 0.5)
    picture = torch.rand(1, 1, 32, 40, generator=rng())
    changed = picture.clone()
    changed[..., :4, :] += 5

    def loss(picture: Batch, transformation: Transformation) -> torch.Tensor:
        logits = judge(ingan.discriminator, picture, transformation, scales=2)
        return generator_loss(logits, 0.5)

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


def test_patch_distance_samples_completeness_and_coherence() -> None:
    image, other = photo("china", size=40), photo("coffee", size=36)
    sampled = patch_distance(image[None], other[None], rng(), samples=20_000).item()
    whole = completeness(image, other) + coherence(image, other)
    assert sampled == pytest.approx(whole, rel=0.05)


def test_patch_distance_is_small_for_moved_patches_and_large_for_stretched_ones() -> (
    None
):
    image = resize(photo("coins"), size=(50, 63)).clamp(0, 1)[None]
    assert patch_distance(image, image, rng()) == 0
    stretched = resize(image, size=(50, 126))
    shifted = image.roll(20, -1)  # nearly the same patches at other positions
    near, far = (patch_distance(x, image, rng()) for x in (shifted, stretched))
    assert near < far / 2


def test_patch_distance_ignores_patches_outside_the_shape() -> None:
    image = photo("flower", size=48)[None]
    inside = torch.zeros(image.shape[-2:], dtype=torch.bool)
    inside[4:30, 6:40] = True
    fake = torch.where(inside, image, 0.0).requires_grad_(True)
    patch_distance(fake, image, rng(), inside).backward()
    assert fake.grad[..., inside].abs().max() > 0
    assert fake.grad[..., ~inside].abs().max() == 0
    nothing = torch.zeros_like(inside)
    assert patch_distance(fake, image, rng(), nothing) == 0


# ---- the method


def test_distribution_distance_compares_how_often_patches_occur(coins: Image) -> None:
    one, moved = coins[None], coins.flip(0).roll(12, 2)[None]
    twice = torch.cat([one, one], 3)
    repeated = coins[:, :, :8].repeat(1, 1, 10)[None]
    wide = resize(one, size=(32, 80))
    assert distribution_distance(one, one, rng()) == 0
    copies, columns, stretched, shifted = (
        distribution_distance(picture, one, rng())
        for picture in (twice, repeated, wide, moved)
    )
    assert copies < 0.5 * columns and copies < 0.5 * stretched and shifted < stretched
    assert patch_distance(repeated, one, rng()) < patch_distance(wide, one, rng())


def test_distribution_distance_of_one_pixel_is_the_mean_difference_of_ranks() -> None:
    first = torch.tensor([3.0, 1.0, 2.0]).view(1, 1, 1, 3)
    second = torch.tensor([1.0, 5.0, 2.0]).view(1, 1, 1, 3)
    found = distribution_distance(first, second, rng(), patch_size=1)
    assert found == pytest.approx(2 / 3)  # 1, 2, 3 and 1, 2, 5; a direction is 1 or -1


def test_the_same_seed_gives_the_same_bits(coins: Image) -> None:
    first, again, other = (
        fit(InGAN(coins, dataclasses.replace(TINY, seed=seed))) for seed in (5, 5, 6)
    )
    assert torch.equal(first.retarget(1, 1.5), again.retarget(1, 1.5))
    assert not torch.equal(first.retarget(1, 1.5), other.retarget(1, 1.5))


@pytest.mark.parametrize("stop", [2, 4, 6])
def test_resuming_equals_never_stopping(
    stop: int, coins: Image, tmp_path: Path
) -> None:
    settings = dataclasses.replace(TINY, warps=0.5)
    whole = fit(InGAN(coins, settings))
    stopped = InGAN(coins, settings)
    for progress in train(stopped, report_every=1):
        if progress.step == stop:
            break
    save(stopped, tmp_path / "part.safetensors")
    resumed = fit(resume(tmp_path / "part.safetensors", coins))
    assert torch.equal(resumed.retarget(1.2, 2), whole.retarget(1.2, 2))


def test_a_finished_checkpoint_holds_only_the_averaged_generator(
    coins: Image, tmp_path: Path
) -> None:
    done = fit(InGAN(coins, TINY))
    save(done, tmp_path / "done.safetensors", {"photograph": "coins"})
    again = resume(tmp_path / "done.safetensors", coins)
    assert again.done and torch.equal(again.retarget(1, 2), done.retarget(1, 2))
    weights = sum(p.numel() for p in done.averaged.parameters())
    assert (tmp_path / "done.safetensors").stat().st_size < 4.2 * weights + 20_000


@pytest.mark.parametrize("step", [5, 6])
def test_a_step_by_hand(
    step: int, coins: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the finer level, in float32: the losses and both networks' gradients."""
    for module in (ingan_module, patch_gan):
        monkeypatch.setattr(module, "autocast", lambda device: nullcontext())
    ingan, twin = (InGAN(coins, dataclasses.replace(TINY, warps=0)) for _ in range(2))
    for _ in range(step):
        ingan.train_step()
        twin.train_step()
    image, discriminator = twin.pyramid[1], twin.discriminator
    there = twin._draw_transformation()
    fake = twin._draw(there)
    parts = {"discriminator": torch.zeros(()), "adversarial": torch.zeros(())}
    progress = (step - 4) / 3  # at the end, the finest scale has twice the weight
    for smaller, weight in ((1, 1 + progress), (1.5, 2 - progress)):
        of_fake = discriminator(resize(fake, 1 / smaller))
        of_real = discriminator(resize(image, 1 / smaller))
        hinge = (1 + of_fake).clamp_min(0).mean() + (1 - of_real).clamp_min(0).mean()
        parts["discriminator"] = parts["discriminator"] + weight / 3 * hinge
        parts["adversarial"] = parts["adversarial"] - weight / 3 * of_fake.mean()
    if step % 2:
        parts["identity"] = F.l1_loss(twin._draw(resizing(1, 1)), image)
    else:
        parts["reconstruction"] = F.l1_loss(twin._draw_back(fake, there), image)
    parts["patches"] = patch_distance(fake, image, twin.rng)
    weights = {"adversarial": 1, "identity": 4, "reconstruction": 0.2, "patches": 160}
    total = sum(parts[name] * weights.get(name, 0) for name in parts)
    networks = twin.generator.levels[1], discriminator
    wanted = [
        torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
        for loss, network in zip((total, parts["discriminator"]), networks, strict=True)
    ]

    losses = ingan.train_step()
    assert losses.keys() == parts.keys()
    for name, loss in losses.items():
        assert loss.item() == pytest.approx(parts[name].item(), rel=1e-3), name
    for network, gradients in zip(
        (ingan.generator.levels[1], ingan.discriminator), wanted, strict=True
    ):
        scale = max(float(gradient.abs().max()) for gradient in gradients)
        for weight, gradient in zip(network.parameters(), gradients, strict=True):
            assert torch.allclose(weight.grad, gradient, rtol=1e-3, atol=1e-4 * scale)
    finished = twin.generator.levels[0].state_dict()
    for name, weight in ingan.generator.levels[0].state_dict().items():
        assert torch.equal(weight, finished[name])


def test_learning_rates_fall_in_the_second_half_of_a_level(coins: Image) -> None:
    ingan = InGAN(coins, dataclasses.replace(TINY, steps=8, finer_steps=4))
    rates = []
    while not ingan.done:
        optimizers = ingan.generator_optimizer, ingan.discriminator_optimizer
        ingan.train_step()
        rates.append([o.param_groups[0]["lr"] for o in optimizers])
    shares = [1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 1, 1, 1, 0.5]
    generator = [5e-4] * 8 + [2e-3] * 4
    for found, share, rate in zip(rates, shares, generator, strict=True):
        assert found == pytest.approx([share * rate, share * 1e-3])


def test_the_averaged_generator_draws_the_results(coins: Image) -> None:
    ingan = InGAN(coins, TINY)
    ingan.train_step()
    before = ingan.averaged.state_dict()["levels.0.last.weight"].clone()
    ingan.train_step()
    average = ingan.averaged.state_dict()["levels.0.last.weight"]
    newest = ingan.generator.state_dict()["levels.0.last.weight"]
    keep = 2 / 11  # (step + 1) / (step + 10): few steps count more
    assert torch.allclose(average, keep * before + (1 - keep) * newest)
    drawn = ingan.retarget()
    with torch.no_grad():
        ingan.generator.levels[0].last.weight += 1
        assert torch.equal(ingan.retarget(), drawn)
        ingan.averaged.levels[0].last.weight += 1
    assert not torch.equal(ingan.retarget(), drawn)


def test_output_has_the_requested_size_and_shape(coins: Image) -> None:
    ingan = fit(InGAN(coins, TINY))
    assert ingan.retarget(2, 0.5).shape == (1, 64, 20)
    assert ingan.remap(resizing(1, 2), level=0).shape == (1, 20, 50)
    corners = homography(SQUARE * 0.7, (1.5, 1.5))
    shaped = ingan.remap(corners)
    outside = ~corners.inside((48, 60), coins.device)
    assert shaped.shape == (1, 48, 60) and outside.any()
    assert shaped[:, outside].abs().max() == 0 < shaped.max() <= 1


@pytest.mark.parametrize(
    ("steps", "size", "limit"),
    [(100, (24, 36), 0.7), pytest.param(150, (36, 48), 0.4, marks=pytest.mark.slow)],
)
def test_it_repeats_stripes_instead_of_stretching_them(
    steps: int, size: tuple[int, int], limit: float
) -> None:
    """The patches are better than by resizing; without stretching, nothing changes."""
    stripes = (torch.arange(size[1]) // 3 % 2).float().expand(1, *size).clone()
    settings = InGANSettings(
        steps=steps, finer_steps=1, coarsest=size[0], warps=0, both=0
    )
    ingan = fit(InGAN(stripes, settings))
    plain = resize(stripes, size=(size[0], 2 * size[1])).clamp(0, 1)
    made = ingan.retarget(1, 2)
    assert coherence(stripes, made) < limit * coherence(stripes, plain)
    assert F.l1_loss(ingan.retarget(), stripes) < 0.05


# ---- the shipped checkpoints


def test_shipped_checkpoints_are_small() -> None:
    sizes = [path.stat().st_size for path in SHIPPED]
    assert len(sizes) >= 3 and max(sizes) <= 3e6 and sum(sizes) <= 12e6


@pytest.mark.parametrize(
    ("from_finest", "width"),
    [(3, 2.0), *(pytest.param(2, x, marks=pytest.mark.slow) for x in (2.0, 1.5))],
)
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_checkpoint_is_nearer_to_the_patches_than_resizing(
    path: Path, from_finest: int, width: float
) -> None:
    """The level sizes to test: 76 pixels and more; 121 pixels and more take minutes."""
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
    if path.stem == "hubble" and from_finest == 2:  # refined for the distribution
        ours, theirs = (
            distribution_distance(x[None], source[None], rng()) for x in (made, plain)
        )
        assert ours < 0.65 * theirs
        return
    for distance in (completeness, coherence):
        assert distance(source, made) < 0.75 * distance(source, plain)


# ---- errors and old files


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": 0}, "settings: expected steps at least 1"),
        ({"finer_steps": 0}, "settings: expected finer_steps at least 1"),
        ({"discriminator_scales": 0}, "expected discriminator_scales at least 1"),
        ({"coarsest": 12}, "coarsest: expected at least 14 pixels for patches of 7"),
    ],
)
def test_settings_that_cannot_train_raise(changes: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        InGANSettings(**changes)


def test_images_and_sizes_that_cannot_be_used_raise(
    coins: Image, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="image: expected at least 11 x 11 pixels"):
        InGAN(coins[:, :10, :10])
    with pytest.raises(ValueError, match="the same at all pixels"):
        InGAN(torch.full((1, 40, 40), 0.3))
    ingan = InGAN(coins, TINY)
    with pytest.raises(ValueError, match="scales: expected at least 8 pixels a side"):
        ingan.retarget(0.1, 1)
    with pytest.raises(ValueError, match="scale: expected a positive number"):
        ingan.retarget(1, -2)
    with pytest.raises(ValueError, match="level: expected 0, the coarsest, to 1"):
        ingan.remap(resizing(1, 1), level=7)
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(ValueError, match="expected a checkpoint"):
        resume(tmp_path / "text.safetensors", coins)


def test_a_file_with_former_settings_loads_if_they_have_the_fixed_values(
    coins: Image, tmp_path: Path
) -> None:
    ingan, file = fit(InGAN(coins, TINY)), tmp_path / "old.safetensors"
    save(ingan, file)
    with safe_open(file, "pt") as opened:
        tree = json.loads(opened.metadata()["dil_teach"])
    del tree["sha256"]  # as in a file from before there were hashes
    fields = tree["arguments"]["dict"][0][1]["fields"]["dict"]
    for loss in ("hinge", "least squares"):
        fields[:] = [field for field in fields if field[0] != "loss"] + [["loss", loss]]
        save_file(load_file(file), file, {"dil_teach": json.dumps(tree)})
        if loss == "hinge":
            assert torch.equal(resume(file, coins).retarget(1, 2), ingan.retarget(1, 2))
    with pytest.raises(
        ValueError, match=r"expected loss = hinge, .* got least squares"
    ):
        resume(file, coins)
