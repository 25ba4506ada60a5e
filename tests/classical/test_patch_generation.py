"""GPNN: the normalised score against a slow loop; sizes, completeness and noise."""

import pytest
import torch
from torch import Tensor

from dil_teach.classical.retarget import matching
from dil_teach.classical.retarget.layouts import move_object
from dil_teach.classical.retarget.matching import PATCH_SIZE
from dil_teach.classical.retarget.patch_generation import (
    enlarge,
    generate,
    nearest_patch_module,
    reshuffle,
    retarget,
)
from dil_teach.image.photos import photo
from dil_teach.image.resize import resize
from dil_teach.patches.extract import average_patches, extract_patches
from dil_teach.patches.similarity import coherence, completeness, relative_location


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def all_components(monkeypatch) -> None:
    """Use all components, so that the projection loses nothing."""
    monkeypatch.setattr(matching, "COMPONENTS", 147)


@pytest.fixture(scope="module")
def small() -> Tensor:
    return resize(photo("hubble"), size=(28, 32)).clamp(0, 1)


@pytest.mark.parametrize("alpha", [0.005, 1.0])
def test_the_module_is_the_formula(small, alpha, all_components) -> None:
    query = resize(small[:1, :14], size=(14, 20))
    key, value = small[:1, 5:20], small[:1, 5:20].flip(1)
    queries, keys, values = (
        extract_patches(each, PATCH_SIZE).double() for each in (query, key, value)
    )
    distance = torch.cdist(queries, keys).square() / PATCH_SIZE**2
    score = distance / (alpha + distance.amin(0))
    best = score.argmin(1)
    expected = average_patches(values[best].float(), (14, 20), PATCH_SIZE)
    found = nearest_patch_module(query, key, value, alpha)
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_large_alpha_is_the_plain_nearest_patch(small, all_components) -> None:
    query = resize(small, size=(28, 20)).clamp(0, 1)
    found = nearest_patch_module(query, small, small, 1e6)
    distance = torch.cdist(
        extract_patches(query, PATCH_SIZE), extract_patches(small, PATCH_SIZE)
    )
    patches = extract_patches(small, PATCH_SIZE)[distance.argmin(1)]
    expected = average_patches(patches, (28, 20), PATCH_SIZE)
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_small_alpha_is_more_complete(small) -> None:
    whole, sound = (retarget(small, (28, 50), alpha=alpha) for alpha in (0.001, 10))
    assert completeness(small, whole) < completeness(small, sound)


def test_a_picture_is_a_fixed_point(small) -> None:
    assert torch.allclose(retarget(small, (28, 32)), small, atol=1e-5)
    assert torch.allclose(reshuffle(small, small), small, atol=1e-5)
    assert torch.allclose(generate(small, rng(), noise=0), small, atol=1e-5)


@pytest.mark.parametrize("name", ["clock", "camera"])
@pytest.mark.parametrize("factor", [0.5, 2])
def test_both_measures_beat_resizing(name, factor) -> None:
    image = photo(name, size=48)
    height, width = image.shape[-2:]
    size = (height, round(factor * width))
    plain, ours = resize(image, size=size).clamp(0, 1), retarget(image, size)
    assert completeness(image, ours) < completeness(image, plain)
    assert coherence(image, ours) < coherence(image, plain) / 2
    assert relative_location(image, ours) < 0.2


@pytest.mark.parametrize("size", [(20, 40), (40, 20), (33, 9)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size(small, size, channels) -> None:
    for result in (
        retarget(small[:channels], size),
        generate(small[:channels], rng(), size),
    ):
        assert result.shape == (channels, *size)
        assert result.min() >= 0 and result.max() <= 1


def test_seeds_draw_different_pictures_of_the_same_patches() -> None:
    image = photo("hubble", size=48)
    state = torch.random.get_rng_state()
    one, again, other = (generate(image, rng(seed)) for seed in (0, 0, 1))
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(one, again)
    apart = (one - other).square().mean()
    assert apart > 10 * coherence(image, one) > 0
    assert apart > 0.1 * image.var()


def test_an_edit_becomes_coherent_and_keeps_its_layout(small) -> None:
    mask = torch.zeros(1, 28, 32)
    mask[:, 4:12, 5:13] = 1
    edited, _ = move_object(small, mask, (10, 12))
    result = reshuffle(small, edited)
    assert coherence(small, result) < coherence(small, edited)
    assert (result - edited).square().mean() < small.var()


@pytest.mark.parametrize("most_exact", [3000, 50_000])
def test_a_small_result_is_redrawn_at_full_size(most_exact, monkeypatch) -> None:
    monkeypatch.setattr(matching, "MOST_EXACT", most_exact)
    image = photo("clock", size=64)
    small = resize(image, 0.5).clamp(0, 1)
    result = torch.cat([small, small], 2)  # the layout of a tiled copy
    blurred = resize(result, size=(64, 128)).clamp(0, 1)
    found = enlarge(image, result, (64, 128))
    assert found.shape == (1, 64, 128)
    assert coherence(image, found) < coherence(image, blurred) / 4
    assert (found - blurred).square().mean() < 0.1 * image.var()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda image: retarget(image, (5, 40)), "size: expected"),
        (lambda image: retarget(image, (28, 20), alpha=0), "alpha: expected"),
        (lambda image: generate(image, rng(), noise=-1), "noise: expected"),
        (lambda image: generate(image, rng(), noise=torch.inf), "noise: expected"),
        (lambda image: reshuffle(image, image[:1]), "edited: expected 3 channels"),
        (lambda image: enlarge(image, image[:1], (56, 64)), "result: expected 3"),
        (lambda image: enlarge(image, image, (5, 64)), "size: expected"),
        (lambda image: retarget(image[:, :5], (28, 20)), "image: expected"),
    ],
)
def test_what_cannot_be_done_is_refused(small, call, says) -> None:
    with pytest.raises(ValueError, match=says):
        call(small)
