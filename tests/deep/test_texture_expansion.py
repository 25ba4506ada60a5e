"""Texture expansion: losses computed by hand, crops, and documented properties."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from dil_teach import coherence, fit, photo, resize, resume, save
from dil_teach.deep.texture_expansion.style import (
    features,
    gram_matrix,
    random_filters,
    style_loss,
)
from dil_teach.deep.texture_expansion.texture_expansion import (
    TextureExpansion,
    TextureExpansionSettings,
    crop_pair,
)

TINY = TextureExpansionSettings(steps=4)


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="module")
def texture() -> torch.Tensor:
    return photo("gravel", 48)[:, :32]


def stripes(size: int = 48, period: int = 6) -> torch.Tensor:
    """A periodic texture, which can be continued without end."""
    wave = torch.cos(2 * torch.pi * torch.arange(size) / period)
    return (0.5 + 0.4 * wave).expand(1, size, size).clone()


def places(part: torch.Tensor, whole: torch.Tensor) -> list[tuple[int, int]]:
    """The position of a part in an image, found by comparing all positions."""
    rows, columns = (w - p + 1 for w, p in zip(whole.shape, part.shape, strict=True))
    return [
        (y, x)
        for y in range(rows)
        for x in range(columns)
        if torch.equal(whole[y : y + len(part), x : x + part.shape[1]], part)
    ]


def test_a_crop_lies_in_its_block_and_the_block_in_the_image(rng):
    image = torch.rand(1, 20, 24, generator=rng)
    at_block, at_crop = set(), set()
    for _ in range(200):
        crop, block = crop_pair(image, 8, rng)
        assert crop.shape == (1, 8, 8) and block.shape == (1, 16, 16)
        (in_image,) = places(block[0], image[0])
        (in_block,) = places(crop[0], block[0])
        at_block.add(in_image)
        at_crop.add(in_block)
    rows, columns = zip(*at_block, strict=True)
    assert set(rows) == set(range(5)) and set(columns) == set(range(9))
    rows, columns = zip(*at_crop, strict=True)
    assert set(rows) == set(columns) == set(range(9))  # all positions occur


def test_the_gram_matrix_by_loops(rng):
    seen = torch.randn(2, 3, 4, 5, generator=rng)
    for n, found in enumerate(gram_matrix(seen)):
        for i in range(3):
            for j in range(3):
                slow = sum(
                    float(seen[n, i, y, x] * seen[n, j, y, x])
                    for y in range(4)
                    for x in range(5)
                )
                assert float(found[i, j]) == pytest.approx(slow / 20, abs=1e-5)


def test_features_are_positive_responses_and_colours(rng):
    images, filters = torch.randn(1, 2, 9, 8, generator=rng), random_filters(2, rng)
    seen = features(images, filters)
    assert seen.shape == (1, len(filters) + 2, 5, 4)
    slow = (images[0, :, 1:6, 3:8] * filters[7]).sum().clamp_min(0)
    assert float(seen[0, 7, 1, 3]) == pytest.approx(float(slow), abs=1e-5)
    assert torch.equal(seen[:, -2:], images[..., 2:-2, 2:-2])


def test_filters_have_mean_0_and_norm_1(rng):
    filters = random_filters(3, rng)
    assert filters.sum((2, 3)).abs().max() < 1e-5
    assert torch.allclose(filters.square().sum((1, 2, 3)), torch.ones(len(filters)))


def test_the_style_loss_sees_contrast_and_ignores_place(rng):
    image, filters = stripes()[None] - 0.5, random_filters(1, rng)
    moved, faint = image.roll(2, -1), 0.5 * image
    assert style_loss(image, image, filters) == 0
    lost = style_loss(faint, image, filters)
    assert lost > 0.3 and style_loss(moved, image, filters) < 0.1 * lost


def test_sizes(texture):
    method = fit(TextureExpansion(texture, TINY))
    assert method.done and method.step == method.total_steps == 4
    doubled = method.result()
    assert doubled.shape == (1, 64, 96)
    assert 0 <= doubled.min() and doubled.max() <= 1
    wide = method.result((32, 96))
    assert torch.equal(wide, doubled[:, 16:48])  # cut from the middle
    for size in ((65, 96), (31, 17), (1, 1), (100, 190)):
        assert method.result(size).shape == (1, *size)
    fourfold = method.expand(doubled)
    assert torch.equal(method.result((128, 192)), fourfold)
    colour = TextureExpansion(texture.expand(3, -1, -1).clone(), TINY)
    assert {"reconstruction", "adversarial", "style"} < colour.train_step().keys()
    assert colour.result().shape == (3, 64, 96)


def test_a_step_by_hand(texture):
    """The losses, and the gradients that update each network."""
    method, twin = (TextureExpansion(texture, TINY) for _ in range(2))
    pairs = [crop_pair(texture, 16, twin.rng) for _ in range(2)]
    crops, blocks = (
        (torch.stack(images) - texture.mean()) / texture.std()
        for images in zip(*pairs, strict=True)
    )
    expanded, judge = twin.generator(crops), twin.discriminator
    parts = {
        "reconstruction": F.l1_loss(expanded, blocks),
        "adversarial": (1 - judge(expanded)).square().mean(),
        "style": style_loss(expanded, blocks, random_filters(1, twin.rng)),
        "discriminator": (1 - judge(blocks)).square().mean() / 2
        + judge(expanded.detach()).square().mean() / 2,
    }
    total = parts["reconstruction"] + parts["adversarial"] + parts["style"]
    losses = method.train_step()
    assert losses.keys() == parts.keys()
    for name, loss in losses.items():
        assert loss.item() == pytest.approx(parts[name].item(), rel=1e-4), name
    for loss, network, other in (
        (total, twin.generator, method.generator),
        (parts["discriminator"], twin.discriminator, method.discriminator),
    ):
        weights = list(network.parameters())
        gradients = torch.autograd.grad(loss, weights, retain_graph=True)
        norm = sum(gradient.square().sum() for gradient in gradients).sqrt()
        for gradient, weight in zip(gradients, other.parameters(), strict=True):
            clipped = gradient / norm.clamp_min(1)
            assert torch.allclose(weight.grad, clipped, rtol=1e-3, atol=1e-4)


def test_the_learning_rate_rises_for_50_steps_and_falls_in_the_last_30_percent(texture):
    method = TextureExpansion(texture, TextureExpansionSettings(steps=200))
    found = {}
    for step in (0, 24, 49, 100, 140, 170, 199):
        method.step = step
        method._set_learning_rates()
        for optimizer in (method.generator_optimizer, method.discriminator_optimizer):
            found[step] = 1000 * optimizer.param_groups[0]["lr"]
    rates = {0: 0.02, 24: 0.5, 49: 1, 100: 1, 140: 1, 170: 0.5, 199: 1 / 60}
    assert found == pytest.approx(rates)


def test_the_averaged_generator_draws_the_results(texture):
    method = TextureExpansion(texture, TINY)
    before = method.averaged.first.weight.clone()
    method.train_step()
    newest = method.generator.first.weight
    assert torch.allclose(method.averaged.first.weight, 0.99 * before + 0.01 * newest)
    drawn = method.result()
    with torch.no_grad():
        method.generator.first.weight += 1
    assert torch.equal(method.result(), drawn)


def test_the_same_seed_gives_the_same_bits(texture):
    state = torch.random.get_rng_state()
    first = fit(TextureExpansion(texture, TINY)).result()
    assert torch.equal(fit(TextureExpansion(texture, TINY)).result(), first)
    assert torch.equal(torch.random.get_rng_state(), state)
    other = dataclasses.replace(TINY, seed=1)
    assert not torch.equal(fit(TextureExpansion(texture, other)).result(), first)


def test_resuming_equals_never_stopping(texture, tmp_path):
    whole = fit(TextureExpansion(texture, TINY)).result()
    method = TextureExpansion(texture, TINY)
    method.train_step()
    method.train_step()
    save(method, tmp_path / "two.safetensors")
    again = resume(tmp_path / "two.safetensors", texture)
    assert again.step == 2 and torch.equal(again.result(), method.result())
    assert torch.equal(fit(again).result(), whole)
    assert torch.equal(fit(method).result(), whole)


@pytest.mark.parametrize(
    ("steps", "limit"), [(120, 0.75), pytest.param(250, 0.4, marks=pytest.mark.slow)]
)
def test_a_periodic_texture_goes_on_at_its_own_grain(steps, limit):
    image = stripes()
    method = fit(TextureExpansion(image, TextureExpansionSettings(steps=steps)))
    enlarged = resize(image, 2).clamp(0, 1)
    assert coherence(image, method.result()) < limit * coherence(image, enlarged)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (torch.full((3, 64, 64), 0.5), "image: .*the same at all pixels"),
        (torch.rand(1, 31, 80), "image: expected at least 32 x 32 pixels, .* 31 x 80"),
        (torch.full((3, 64, 64), torch.nan), "NaN"),
        (torch.rand(4, 64, 64), "split_alpha"),
    ],
)
def test_unusable_images_raise(image, said):
    with pytest.raises(ValueError, match=said):
        TextureExpansion(image)


@pytest.mark.parametrize("size", [(0, 64), (257, 64), (64, 1000)])
def test_sizes_out_of_range_raise(texture, size):
    with pytest.raises(
        ValueError, match="size: expected at least 1 pixel and at most 8 times"
    ):
        TextureExpansion(texture, TINY).result(size)


def test_a_budget_without_steps_raises():
    with pytest.raises(ValueError, match="settings: expected steps at least 1, got 0"):
        TextureExpansionSettings.quick(steps=0)
