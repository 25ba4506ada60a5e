"""Tests of Double-DIP's core: layers, the step, the moving average, and bad input."""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from dil_teach import Separation, photo, resume, save
from dil_teach.deep.double_dip import double_dip as module
from dil_teach.deep.double_dip.double_dip import (
    Constant,
    DoubleDIP,
    Layers,
    Network,
    Smooth,
)
from dil_teach.image.convention import check_images
from dil_teach.training.state import load_state, state_of


@pytest.fixture(scope="module")
def mixtures() -> Tensor:
    first, second = photo("coffee", 32), photo("chelsea", 32)
    return torch.stack([0.7 * first + 0.3 * second, 0.4 * first + 0.6 * second])


def halves(rate: float = 1.0) -> Constant:
    return Constant(torch.tensor([0.6, 0.4]).reshape(2, 1, 1, 1), rate)


def made(images: Tensor, mask=None, steps: int = 8, seed: int = 0, each=False):
    rng = torch.Generator().manual_seed(seed)
    front = Network(images, rng, each, widths=(8, 8))
    back = Network(images, rng, widths=(8, 8))
    return DoubleDIP(images, front, back, mask or halves(), rng, steps)


def trained(dip: DoubleDIP, start: int = 0, end: int | None = None) -> list[Tensor]:
    """The reconstruction error of each step; the front layer stays bright."""
    errors = []
    for step in range(start, end or dip.steps):
        layers = dip.draw()
        losses = {"reconstruction": dip.reconstruction(layers)}
        losses["dark"] = 0.1 * (1 - layers.front).mean()
        errors.append(dip.update(layers, losses, step)["reconstruction"])
    return errors


def equal(a: Layers, b: Layers) -> bool:
    names = [field.name for field in dataclasses.fields(Layers)]
    return all(torch.equal(getattr(a, n), getattr(b, n)) for n in names)


@contextmanager
def metadata(file: Path) -> Iterator[dict[str, Any]]:
    """The metadata of a checkpoint, to be changed in place."""
    with safe_open(file, "pt") as opened:
        tree = json.loads(opened.metadata()["dil_teach"])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}
    yield tree
    save_file(tensors, file, {"dil_teach": json.dumps(tree)})


def test_the_composition_is_the_formula_of_the_model() -> None:
    front, back = torch.rand(1, 3, 4, 4), torch.rand(2, 3, 4, 4)
    mask = torch.tensor([0.25, 1.0]).reshape(2, 1, 1, 1)
    composed = Layers(front, back, mask).compose()
    assert torch.allclose(composed[0], 0.25 * front[0] + 0.75 * back[0])
    assert torch.equal(composed[1], front[0])


def test_images_share_a_layer_or_have_their_own(mixtures) -> None:
    shared = made(mixtures).layers()
    assert shared.front.shape == (1, 3, 32, 32) and shared.mask.shape == (2, 1, 1, 1)
    front = made(mixtures, each=True).layers().front
    assert front.shape == (2, 3, 32, 32)
    between = (front[0] - front[1]).square().mean()
    assert 0 < between < front.var()  # neighbouring images have similar initial layers


def test_the_reconstruction_error_falls(mixtures) -> None:
    errors = trained(made(mixtures, steps=60))
    assert errors[59] < 0.7 * errors[9] < 0.7 * errors[0]


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_rate_of_zero_freezes_a_layer(mixtures, rate: float) -> None:
    dip = made(mixtures, halves(rate))
    before = dip.layers().mask
    trained(dip)
    assert torch.equal(dip.layers().mask, before) == (rate == 0)


def test_a_smooth_layer_is_its_grid_interpolated(mixtures) -> None:
    grid = torch.tensor([[0.2, 0.4], [0.6, 0.8]]).reshape(1, 1, 2, 2)
    mask = made(mixtures, Smooth(grid, (32, 32))).layers().mask
    assert mask.shape == (1, 1, 32, 32)
    assert torch.allclose(mask[0, 0, ::31, ::31], grid[0, 0], atol=1e-5)
    assert (mask.diff(dim=-1) > 0).all() and (mask.diff(dim=-2) > 0).all()


def test_the_answer_is_the_moving_average_of_the_layers(
    mixtures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AVERAGE", 0.5)
    dip, seen = made(mixtures, steps=3), []
    draw = dip.draw
    dip.draw = lambda: seen.append(draw()) or seen[-1]
    trained(dip)
    first, second, third = (layers.front.detach() for layers in seen)
    wanted = ((first + second) / 2 + third) / 2
    assert torch.allclose(dip.layers().front, wanted, atol=1e-6)


def test_the_same_seed_gives_the_same_bits_and_looking_changes_nothing(mixtures):
    state = torch.random.get_rng_state()
    first, looked, other = made(mixtures), made(mixtures), made(mixtures, seed=1)
    trained(first)
    for step in range(looked.steps):
        trained(looked, step, step + 1)
        looked.layers().compose()
    assert equal(first.layers(), looked.layers())
    trained(other)
    assert not equal(first.layers(), other.layers())
    assert torch.equal(state, torch.random.get_rng_state())


def test_its_state_carries_on_where_it_stopped(mixtures) -> None:
    whole, part, carried = made(mixtures), made(mixtures), made(mixtures, seed=1)
    trained(whole)
    trained(part, end=3)
    load_state(carried, state_of(part))
    trained(part, start=3)  # the state is a copy
    trained(carried, start=3)
    assert equal(carried.layers(), whole.layers())


@pytest.mark.parametrize("before", ["deep", "deep.double_dip"])
def test_a_checkpoint_of_version_0_1_0_is_refused_in_one_line(
    mixtures, before: str, tmp_path: Path
) -> None:
    """An old checkpoint's arguments are functions and layers that no longer exist."""
    file = tmp_path / "old.safetensors"
    save(Separation(mixtures), file)
    with metadata(file) as tree:
        tree["method"] = f"dil_teach.{before}.double_dip:DoubleDIP"
        function = f"dil_teach.{before}.separation:separation_penalties"
        tree["arguments"]["dict"].append(["penalties", {"function": function}])
    with pytest.raises(ValueError, match="train and save again") as caught:
        resume(file, mixtures)
    assert "\n" not in str(caught.value) and str(file) in str(caught.value)


def test_a_checkpoint_cannot_name_other_code(mixtures, tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    save(Separation(mixtures), file)
    with metadata(file) as tree:
        tree["arguments"]["dict"].append(["penalties", {"function": "os:system"}])
        del tree["sha256"]  # as in a file from before there were hashes
    with pytest.raises(ValueError, match="a part of dil_teach, got 'os:system'"):
        resume(file, mixtures)


@pytest.mark.parametrize(
    ("images", "complaint"),
    [
        (torch.rand(3, 8, 8), "expected a tensor of shape"),
        (torch.rand(0, 3, 8, 8), "expected a tensor of shape"),
        (torch.rand(1, 2, 8, 8), "expected 1 or 3 channels"),
        (torch.full((1, 3, 8, 8), 0.3), "the same at all pixels"),
        (torch.rand(1, 3, 8, 8) * 255, "divide by the largest"),
    ],
)
def test_what_cannot_be_decomposed_is_refused(images, complaint) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        check_images(images, "mixtures")
    assert str(caught.value).startswith("mixtures: ")


def test_a_picture_smaller_than_the_stride_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 4 pixels a side"):
        made(torch.rand(2, 3, 3, 9))
