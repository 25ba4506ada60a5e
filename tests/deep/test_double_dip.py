"""Double-DIP's one model, whatever the application: layers, budget, resuming."""

import dataclasses

import pytest
import torch
from torch import Tensor

from dil_teach import fit, photo, resume, save, train
from dil_teach.deep.double_dip import double_dip as module
from dil_teach.deep.double_dip.double_dip import (
    Constant,
    DoubleDIP,
    DoubleDIPSettings,
    Layers,
    Network,
    Smooth,
    check_images,
)

SMALL = Network(widths=(8, 8), skip=2)
HALVES = Constant(torch.tensor([0.6, 0.4]).reshape(2, 1, 1, 1), held=0.5)


def bright_front(
    layers: Layers, progress: float, *, weight: float
) -> dict[str, Tensor]:
    """A penalty for the tests: it lives in the library's module to be saved by name."""
    return {"dark": weight * (1 - layers.front).mean()}


@pytest.fixture(autouse=True)
def a_penalty_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bright_front, "__module__", module.__name__)
    monkeypatch.setattr(module, "bright_front", bright_front, raising=False)


@pytest.fixture(scope="module")
def mixtures() -> Tensor:
    first, second = photo("coffee", 32), photo("chelsea", 32)
    return torch.stack([0.7 * first + 0.3 * second, 0.4 * first + 0.6 * second])


def made(images: Tensor, mask=HALVES, **changes) -> DoubleDIP:
    settings = DoubleDIPSettings(**{"steps": 8, **changes})
    given = {"weight": 0.1}
    return DoubleDIP(images, bright_front, given, SMALL, SMALL, mask, settings)


def equal(a: Layers, b: Layers) -> bool:
    names = [field.name for field in dataclasses.fields(Layers)]
    return all(torch.equal(getattr(a, n), getattr(b, n)) for n in names)


def test_the_composition_is_the_models_formula() -> None:
    front, back = torch.rand(1, 3, 4, 4), torch.rand(2, 3, 4, 4)
    mask = torch.tensor([0.25, 1.0]).reshape(2, 1, 1, 1)
    composed = Layers(front, back, mask).compose()
    assert torch.allclose(composed[0], 0.25 * front[0] + 0.75 * back[0])
    assert torch.equal(composed[1], front[0])


def test_shared_layers_and_layers_of_their_own(mixtures) -> None:
    shared = made(mixtures).layers()
    assert shared.front.shape == (1, 3, 32, 32) and shared.mask.shape == (2, 1, 1, 1)
    each = dataclasses.replace(SMALL, each=True)
    dip = DoubleDIP(
        mixtures, bright_front, {"weight": 0}, each, SMALL, HALVES, DoubleDIPSettings()
    )
    front = dip.layers().front
    assert front.shape == (2, 3, 32, 32)
    between = (front[0] - front[1]).square().mean()
    assert 0 < between < front.var()  # neighbours start alike


def test_it_explains_the_images_better_and_better(mixtures) -> None:
    losses = [p.losses["reconstruction"] for p in train(made(mixtures, steps=60), 20)]
    assert losses[2] < losses[1] < losses[0]


def test_a_held_constant_waits(mixtures) -> None:
    dip = made(mixtures)
    for _ in train(dip, 1):
        moved = not torch.allclose(dip.modules["mask"](1.0), HALVES.start)
        assert moved == (dip.step > 4)


def test_a_smooth_layer_is_its_grid_interpolated(mixtures) -> None:
    grid = torch.tensor([[0.2, 0.4], [0.6, 0.8]]).reshape(1, 1, 2, 2)
    mask = made(mixtures, Smooth(grid)).layers().mask
    assert mask.shape == (1, 1, 32, 32)
    assert torch.allclose(mask[0, 0, ::31, ::31], grid[0, 0], atol=1e-5)
    assert (mask.diff(dim=-1) > 0).all() and (mask.diff(dim=-2) > 0).all()


def test_the_answer_is_the_mean_of_the_latest_layers(mixtures) -> None:
    dip = made(mixtures, average=0.5, steps=3)
    seen = []
    draw = dip._draw
    dip._draw = lambda *a: seen.append(draw(*a)) or seen[-1]
    fit(dip)
    first, second, third = (layers.front.detach() for layers in seen)
    wanted = ((first + second) / 2 + third) / 2
    assert torch.allclose(dip.layers().front, wanted, atol=1e-6)


def test_the_same_seed_gives_the_same_bits_and_looking_changes_nothing(mixtures):
    state = torch.random.get_rng_state()
    first = fit(made(mixtures)).layers()
    looked = made(mixtures)
    for _ in train(looked, report_every=1):
        looked.layers().compose()
    assert equal(first, looked.layers())
    assert not equal(first, fit(made(mixtures, seed=1)).layers())
    assert torch.equal(state, torch.random.get_rng_state())


def test_resuming_equals_never_stopping(mixtures, tmp_path) -> None:
    whole, part = fit(made(mixtures)), made(mixtures)
    for _ in range(3):
        part.train_step()
    save(part, tmp_path / "part.safetensors")
    carried = resume(tmp_path / "part.safetensors", mixtures)
    assert carried.step == 3 and carried.penalties is bright_front
    assert equal(fit(carried).layers(), whole.layers())


def test_a_checkpoint_cannot_name_code_that_is_not_ours(mixtures, tmp_path) -> None:
    bright_front.__module__ = "os"
    save(made(mixtures), tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="a part of dil_teach, got 'os:bright_front'"):
        resume(tmp_path / "other.safetensors", mixtures)


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


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="at least 1 step"):
        DoubleDIPSettings(steps=0)
