"""Tests of separation: the exclusion, the search, the closed form, the networks."""

import math

import pytest
import torch
from torch import Tensor

from dil_teach import Separation, SeparationSettings, fit, photo, resume, save
from dil_teach.classical.exclusion_search import (
    LEVELS,
    exclusion,
    exclusion_search,
    unmix,
)
from dil_teach.deep.double_dip.separation import SeparatedLayers
from dil_teach.image.scenes import scene

SHORT = SeparationSettings(steps=6)


def mixed(layers: Tensor, a1: float, a2: float) -> Tensor:
    return torch.stack([a * layers[0] + (1 - a) * layers[1] for a in (a1, a2)])


def layers_of(size: int) -> Tensor:
    return torch.stack([photo(name, size) for name in ("coffee", "chelsea")])


def psnr(a: Tensor, b: Tensor) -> float:
    return -10 * math.log10((a - b).square().mean().item())


@pytest.fixture(scope="module")
def layers() -> Tensor:
    return layers_of(32)


@pytest.fixture(scope="module")
def result(layers: Tensor) -> SeparatedLayers:
    return fit(Separation(mixed(layers, 0.7, 0.3), SHORT)).layers()


# ---- the exclusion


def slow_exclusion(a: Tensor, b: Tensor) -> float:
    """Equation 5 of Zhang et al., scaled by each layer's mean edge, value by value."""
    means = []
    for level in range(LEVELS):
        pair = []
        for layer in (a, b):
            for _ in range(level):
                corners = [layer[..., i::2, j::2] for i in (0, 1) for j in (0, 1)]
                layer = torch.stack(corners).mean(0)
            pair.append(layer.double().tolist()[0])
        for down, across in ((1, 0), (0, 1)):
            found = [differences(layer, down, across) for layer in pair]
            strong = [
                [math.tanh(e / (2 * sum(edges) / len(edges))) for e in edges]
                for edges in found
            ]
            products = [x * y for x, y in zip(*strong, strict=True)]
            means.append(sum(products) / len(products))
    return sum(means) / len(means)


def differences(layer: list, down: int, across: int) -> list[float]:
    return [
        abs(channel[y + down][x + across] - channel[y][x])
        for channel in layer
        for y in range(len(channel) - down)
        for x in range(len(channel[0]) - across)
    ]


def test_the_exclusion_is_the_formula() -> None:
    rng = torch.Generator().manual_seed(0)
    a, b = (torch.rand(1, 2, 8, 12, generator=rng) for _ in range(2))
    assert float(exclusion(a, b)) == pytest.approx(slow_exclusion(a, b), abs=1e-5)


def test_the_exclusion_takes_both_layers_alike_at_any_contrast(layers) -> None:
    a, b = layers[:1], layers[1:]
    assert torch.allclose(exclusion(a, b), exclusion(b, a))
    assert torch.allclose(exclusion(0.2 * a + 0.5, b), exclusion(a, b), atol=1e-4)


def test_mixtures_exclude_each_other_less_than_their_layers(layers) -> None:
    mixtures = mixed(layers, 0.7, 0.3)
    assert exclusion(mixtures[:1], mixtures[1:]) > 1.3 * exclusion(
        layers[:1], layers[1:]
    )


@pytest.mark.parametrize("noise", [0.0, 1e-7, 1e-3])
def test_the_exclusion_and_its_gradient_are_finite_on_constants(layers, noise) -> None:
    rng = torch.Generator().manual_seed(0)
    flat = 0.5 + noise * torch.randn(1, 3, 32, 32, generator=rng)
    flat.requires_grad_()
    for other in (layers[:1], torch.full((1, 3, 32, 32), 0.5)):
        flat.grad = None
        value = exclusion(flat, other)
        value.backward()
        assert 0 <= value <= 1
        assert flat.grad is not None and torch.isfinite(flat.grad).all()
    if noise == 0:
        assert exclusion(flat, layers[:1]) == 0


# ---- the search and the closed form


@pytest.mark.parametrize("name", ["mix_cat", "mix_astronaut", "mix_retina"])
def test_the_search_finds_the_coefficients_of_clean_mixtures(name) -> None:
    shipped = scene(name)
    found = exclusion_search(shipped.images["mixtures"])
    assert found == pytest.approx(shipped.known["coefficients"], abs=0.02)


def test_large_mixtures_are_searched_on_small_copies(monkeypatch) -> None:
    monkeypatch.setattr("dil_teach.classical.exclusion_search.LARGEST_SIDE", 64)
    found = exclusion_search(mixed(layers_of(96), 0.7, 0.3))
    assert found == pytest.approx((0.7, 0.3), abs=0.03)


def test_the_search_puts_the_first_mixtures_layer_first() -> None:
    mixtures = mixed(layers_of(64), 0.7, 0.3)
    a1, a2 = exclusion_search(mixtures)
    b1, b2 = exclusion_search(mixtures.flip(0))
    assert a1 > a2 and b1 > b2
    # if the mixtures are swapped, the layers are swapped
    assert (b1, b2) == pytest.approx((1 - a2, 1 - a1), abs=0.01)


def test_the_closed_form_inverts_the_model(layers) -> None:
    unmixed = unmix(mixed(layers, 0.65, 0.2), (0.65, 0.2))
    assert torch.allclose(unmixed, layers, atol=1e-5)


def test_equal_coefficients_cannot_be_inverted(layers) -> None:
    with pytest.raises(ValueError, match="expected two different"):
        unmix(layers, (0.4, 0.4))


# ---- the networks


def test_the_result_is_two_layers_and_their_shares(layers, result) -> None:
    assert result.first.shape == result.second.shape == (3, 32, 32)
    assert result.network_first.shape == result.network_second.shape == (3, 32, 32)
    a1, a2 = result.coefficients
    assert 0 < a2 < a1 < 1
    wanted = unmix(mixed(layers, 0.7, 0.3), (a1, a2)).clamp(0, 1)
    assert torch.equal(torch.stack([result.first, result.second]), wanted)


def test_the_first_layer_is_that_of_which_the_first_mixture_has_more(layers) -> None:
    separation = fit(Separation(mixed(layers, 0.7, 0.3), SHORT))
    before = separation.layers()
    drawn = separation.dip.layers()
    # the same answer with the two layers swapped
    separation.dip.average = [drawn.back, drawn.front, 1 - drawn.mask]
    after = separation.layers()
    assert after.coefficients == pytest.approx(before.coefficients, abs=1e-6)
    assert torch.allclose(after.first, before.first, atol=1e-4)
    assert torch.equal(after.network_first, before.network_first)


def test_one_mixture_is_the_mean_of_its_layers(layers) -> None:
    mixture = layers.mean(0, keepdim=True) * 0.6 + 0.2
    found = fit(Separation(mixture, SHORT)).layers()
    assert found.coefficients == (0.5,)
    inside = ((found.first > 0) & (found.first < 1)) & (
        (found.second > 0) & (found.second < 1)
    )
    mean = (found.first + found.second) / 2
    assert inside.any() and torch.allclose(mean[inside], mixture[0][inside], atol=1e-6)


def test_large_mixtures_are_learned_small_and_separated_whole(monkeypatch) -> None:
    monkeypatch.setattr("dil_teach.deep.double_dip.separation.LARGEST_SIDE", 32)
    large = mixed(layers_of(48), 0.7, 0.3)
    separation = Separation(large, SeparationSettings(steps=1))
    assert separation.dip.image.shape == (2, 3, 32, 32)
    found = fit(separation).layers()
    assert found.first.shape == (3, 48, 48)
    assert found.network_first.shape == (3, 32, 32)


def test_the_same_seed_gives_the_same_bits_and_resuming_too(layers, tmp_path) -> None:
    mixtures = mixed(layers, 0.7, 0.3)
    whole, part = (Separation(mixtures, SHORT) for _ in range(2))
    fit(whole)
    for _ in range(2):
        part.train_step()
    save(part, tmp_path / "part.safetensors")
    carried = fit(resume(tmp_path / "part.safetensors", mixtures))
    first, second = whole.layers(), carried.layers()
    assert first.coefficients == second.coefficients
    assert torch.equal(first.first, second.first)
    assert torch.equal(first.network_first, second.network_first)


@pytest.mark.parametrize(
    ("size", "steps"), [(48, 20), pytest.param(64, 150, marks=pytest.mark.slow)]
)
def test_the_networks_learn_the_coefficients(size: int, steps: int) -> None:
    layers = layers_of(size)
    mixtures = mixed(layers, 0.75, 0.3)
    found = fit(Separation(mixtures, SeparationSettings(steps=steps))).layers()
    assert found.coefficients == pytest.approx((0.75, 0.3), abs=0.1)
    for k, closed in enumerate((found.first, found.second)):
        assert psnr(closed, layers[k]) > psnr(mixtures[k], layers[k]) + 6


# ---- bad input


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda m: m[[0, 1, 0]], "mixtures: expected 1 or 2, got 3"),
        (lambda m: m[[0, 0]], "mixtures: expected two different"),
        (lambda m: torch.full_like(m, 0.4), "the same at all pixels"),
        (lambda m: m[:, :, :12], "at least 16 pixels a side"),
        (lambda m: m * 255, "expected values in"),
    ],
)
def test_bad_mixtures_are_refused_before_any_training(layers, make, complaint) -> None:
    with pytest.raises(ValueError, match=complaint):
        Separation(make(mixed(layers, 0.7, 0.3)), SHORT)


def test_the_search_asks_for_two(layers) -> None:
    with pytest.raises(ValueError, match="expected two images"):
        exclusion_search(layers[:1])
