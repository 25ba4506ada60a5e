"""Deep Image Prior: what it promises, on small budgets; figures are in benchmarks/."""

import dataclasses
import math

import pytest
import torch

from dil_teach import fit, photo, psnr, resize, resume, save, train
from dil_teach.deep.deep_image_prior import (
    DeepImagePrior,
    DeepImagePriorSettings,
    denoising_loss,
    inpainting_loss,
    super_resolution_loss,
)
from dil_teach.image.augment import add_noise
from dil_teach.image.convention import from_uint8, to_uint8

TINY = DeepImagePriorSettings(steps=6, networks=2, widths=(4, 8), skip=2)
SMALL = DeepImagePriorSettings(steps=150, widths=(16, 32, 32), average=0.9)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def truth() -> torch.Tensor:
    return photo("astronaut", 64)


@pytest.fixture(scope="module")
def noisy(truth) -> torch.Tensor:
    return from_uint8(to_uint8(add_noise(truth, 25 / 255, rng())))


@pytest.fixture(scope="module")
def mask() -> torch.Tensor:
    return (torch.rand(1, 64, 64, generator=rng(1)) < 0.5).float()


def test_it_takes_noise_away(truth, noisy):
    dip = fit(DeepImagePrior(noisy, settings=SMALL))
    assert psnr(dip.result(), truth) > psnr(noisy, truth) + 3
    assert psnr(dip.averaged(), truth) > psnr(dip.raw(), truth)


def test_what_it_draws_in_holes_beats_the_mean_of_what_is_known(truth, mask):
    dip = fit(DeepImagePrior(truth * (1 - mask), mask, settings=SMALL))
    filled = dip.result()
    known = mask.expand_as(truth) == 0
    assert torch.equal(filled[known], truth[known])
    mean = truth[:, mask[0] == 0].mean(1)[:, None, None]
    flat = torch.where(mask == 1, mean, truth)
    assert psnr(filled, truth) > psnr(flat, truth) + 6
    assert dip.stopped_at == dip.step == SMALL.steps


def test_small_images_gain_nothing_by_bfloat16_and_learn_without_it(noisy):
    one, other = (
        fit(DeepImagePrior(noisy, settings=dataclasses.replace(TINY, bf16=wanted)))
        for wanted in (True, False)
    )
    assert torch.equal(one.result(), other.result())


def test_what_lies_in_holes_is_not_looked_at(truth, mask):
    results = [
        fit(DeepImagePrior(torch.where(mask == 1, inside, truth), mask, settings=TINY))
        for inside in (torch.zeros(()), torch.ones(()))
    ]
    assert torch.equal(results[0].result(), results[1].result())


def test_it_super_resolves_what_explains_the_image(truth):
    low = resize(truth, 0.5).clamp(0, 1)
    dip = fit(DeepImagePrior(low, scale=2, settings=SMALL))
    high = dip.result()
    assert high.shape == truth.shape
    assert psnr(resize(high, 0.5), low) > 22
    kernel = torch.ones(2, 2)
    assert not dip.stops_early
    other = DeepImagePrior(low, scale=2, kernel=kernel, settings=TINY)
    assert fit(other).result().shape == truth.shape


def test_the_losses_by_hand():
    image = torch.zeros(1, 2, 2)
    drawn = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    mask = torch.tensor([[[1.0, 1.0], [0.0, 1.0]]])
    assert denoising_loss(drawn, image) == (1 + 4 + 9) / 4
    assert inpainting_loss(drawn, image, mask) == 4 / 4
    low = torch.tensor([[[0.5]]])
    area = super_resolution_loss(drawn, low, torch.ones(2, 2), 2)
    assert area == pytest.approx(1)  # the mean, 1.5, less 0.5, squared


def test_a_loss_of_ones_own_is_learned_from(truth, noisy):
    dip = DeepImagePrior(noisy, settings=TINY)
    dip.loss = lambda drawn: (drawn - truth).abs().mean()
    losses = dip.train_step()
    assert losses["loss"] < 1 and dip.step == 1


def test_the_same_seed_gives_the_same_bits(noisy):
    first = fit(DeepImagePrior(noisy, settings=TINY)).result()
    assert torch.equal(fit(DeepImagePrior(noisy, settings=TINY)).result(), first)
    other = dataclasses.replace(TINY, seed=1)
    assert not torch.equal(fit(DeepImagePrior(noisy, settings=other)).result(), first)


def test_looking_changes_nothing_and_global_randomness_is_left_alone(noisy):
    before = torch.get_rng_state()
    whole = fit(DeepImagePrior(noisy, settings=TINY)).result()
    looked = DeepImagePrior(noisy, settings=TINY)
    for _ in train(looked, report_every=1):
        looked.raw(), looked.averaged(), looked.result()
    assert torch.equal(looked.result(), whole)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("task", ["denoise", "inpaint", "super-resolve"])
def test_resuming_equals_never_stopping(task, noisy, mask, tmp_path):
    settings = dataclasses.replace(TINY, steps=12, average=0.5, patience=5)
    given = {
        "denoise": {},
        "inpaint": {"mask": mask},
        "super-resolve": {"scale": 1.5, "kernel": torch.ones(3, 3)},
    }[task]
    whole = fit(DeepImagePrior(noisy, settings=settings, **given))
    dip = DeepImagePrior(noisy, settings=settings, **given)
    for _ in range(7):
        dip.train_step()
    save(dip, tmp_path / "half.safetensors")
    state = dip.state_dict()
    dip.train_step()  # what was handed out must not change
    resumed = resume(tmp_path / "half.safetensors", noisy)
    taken_up = DeepImagePrior(noisy, settings=settings, **given)
    taken_up.load_state_dict(state)
    for carried_on in (fit(resumed), fit(taken_up)):
        assert carried_on.step == whole.step
        assert carried_on.stopped_at == whole.stopped_at
        assert torch.equal(carried_on.result(), whole.result())
        assert torch.equal(carried_on.raw(), whole.raw())


def watched(noisy, pictures, **changes) -> DeepImagePrior:
    """A prior that was shown these pictures, as if it had drawn them, until done."""
    settings = dataclasses.replace(TINY, steps=len(pictures), average=0.9, **changes)
    dip = DeepImagePrior(noisy, settings=settings)
    for picture in pictures:
        dip.step += 1
        dip._watch(picture)
        if dip.done:
            break
    return dip


def test_it_stops_where_the_answer_is_nearer_than_the_noise(truth, noisy):
    far, near = torch.full_like(noisy, 0.5), 0.3 * truth + 0.7 * noisy
    assert not watched(noisy, [far] * 30, patience=100).too_near
    assert not watched(noisy, [truth] * 30, patience=100).too_near
    dip = watched(noisy, [truth] * 20 + [near] * 30, patience=100)
    assert dip.done and dip.too_near and dip.step < 50


def test_no_calm_counts_before_the_picture_is_drawn(truth, noisy):
    flat = 0.5 + 0.1 * (truth - 0.5)
    dip = watched(noisy, [flat] * 30 + [truth] * 60, patience=10)
    assert dip.stopped_at > 40 and psnr(dip.result(), truth) > 25


def forming_then_noisy(truth, calm=100, length=300):
    """Pictures that come nearer and nearer until ``calm``, then are ever noisier."""
    draw = rng()
    for i in range(length):
        away = math.exp(-i / 20)
        wobble = 0.02 * max(i - calm, 0) / calm
        yield truth * (1 - away) + wobble * torch.randn(truth.shape, generator=draw)


def test_it_stops_between_the_picture_and_the_noise(truth, noisy):
    pictures = list(forming_then_noisy(truth))
    dip = watched(noisy, pictures, patience=40)
    assert 90 <= dip.stopped_at <= 140
    assert dip.step == dip.stopped_at + 40  # it waited, and no longer
    assert torch.equal(dip.result(), dip.best)
    assert psnr(dip.result(), truth) > 35


def test_what_never_turns_back_stops_when_the_steps_are_over(truth, noisy):
    pictures = list(forming_then_noisy(truth, calm=10**6, length=80))
    dip = watched(noisy, pictures, patience=40)
    assert dip.done and dip.step == dip.stopped_at == 80


def test_the_average_and_the_variance_follow_their_formulas(noisy):
    pictures = [torch.full_like(noisy, value) for value in (0.0, 1.0, 0.5)]
    dip = watched(noisy, pictures)
    # rates 1, 1/2, 1/3 at first: the plain mean and variance of what was seen
    assert torch.allclose(dip.averaged(), torch.full_like(noisy, 0.5))
    assert float(dip.variance) == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mask": torch.ones(1, 32, 64)}, "mask: expected the image's size"),
        ({"mask": torch.zeros(1, 64, 64)}, "no hole"),
        ({"mask": torch.ones(1, 64, 64)}, "nothing but hole"),
        ({"mask": torch.full((1, 64, 64), 0.5)}, "threshold"),
        ({"scale": 0}, "scale: expected a positive number"),
        ({"scale": -2}, "scale: expected a positive number"),
        ({"scale": math.nan}, "scale: expected a positive number"),
        ({"scale": 0.5}, "scale: expected at least 1"),
        ({"scale": 2, "kernel": "quintic"}, "kernel: expected one of"),
        ({"scale": 2, "kernel": torch.zeros(3, 3)}, "positive sum"),
        ({"image": torch.full((3, 64, 64), 0.5)}, "one colour everywhere"),
        ({"image": torch.full((3, 64, 64), math.nan)}, "NaN"),
        ({"image": torch.zeros(2, 64, 64)}, "split_alpha"),
        ({"image": torch.rand(3, 32, 64)}, "more than 32 pixels a side"),
    ],
)
def test_bad_input_is_told_off_before_training(change, said, noisy):
    settings = DeepImagePriorSettings.quick()
    with pytest.raises(ValueError, match=said):
        DeepImagePrior(**{"image": noisy, "settings": settings, **change})


def test_a_mask_beside_a_scale_is_told_off(noisy, mask):
    with pytest.raises(ValueError, match="mask: expected a mask or a scale"):
        DeepImagePrior(noisy, mask, 2)


def test_what_is_known_must_show_something(noisy, mask):
    image = torch.where(mask == 1, noisy, torch.full_like(noisy, 0.5))
    with pytest.raises(ValueError, match="one colour everywhere"):
        DeepImagePrior(image, mask)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"steps": 0},
        {"networks": 0},
        {"patience": 0},
        {"widths": ()},
        {"learning_rate": 0.0},
        {"input_noise": -1.0},
        {"average": 1.0},
    ],
)
def test_nonsense_settings_are_told_off(nonsense):
    with pytest.raises(ValueError, match="settings: expected"):
        DeepImagePriorSettings.quick(**nonsense)


def test_the_smallest_image_it_takes_and_a_grey_one():
    image = torch.rand(1, 33, 40, generator=rng())
    settings = DeepImagePriorSettings.quick(steps=2)
    assert fit(DeepImagePrior(image, settings=settings)).result().shape == image.shape


@pytest.mark.gpu
def test_on_a_gpu_it_agrees_with_the_cpu(truth, noisy, gpu):
    on_cpu = fit(DeepImagePrior(noisy, settings=SMALL)).result()
    on_gpu = fit(DeepImagePrior(noisy.to(gpu), settings=SMALL)).result().cpu()
    assert abs(psnr(on_cpu, truth) - psnr(on_gpu, truth)) < 1
