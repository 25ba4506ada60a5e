"""Deep Image Prior works as documented on small budgets; benchmarks/ has figures."""

import dataclasses
import math

import pytest
import torch

from dil_teach import fit, photo, psnr, resize, resume, save, train
from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
from dil_teach.image.augment import add_noise, jpeg
from dil_teach.image.convention import from_uint8, to_uint8
from dil_teach.image.degradation import compressed, downsampled, identity, masked
from dil_teach.image.metrics import finest_detail
from dil_teach.training.state import load_state, state_of

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


def test_it_removes_noise(truth, noisy):
    dip = fit(DeepImagePrior(noisy, settings=SMALL))
    assert psnr(dip.result(), truth) > psnr(noisy, truth) + 3
    assert psnr(dip.averaged(), truth) > psnr(dip.raw(), truth)


def test_inpainting_beats_the_mean_of_the_known_pixels(truth, mask):
    dip = fit(DeepImagePrior(truth * (1 - mask), masked(mask), SMALL))
    filled = dip.result()
    known = mask.expand_as(truth) == 0
    assert torch.equal(filled[known], truth[known])
    mean = truth[:, mask[0] == 0].mean(1)[:, None, None]
    flat = torch.where(mask == 1, mean, truth)
    assert psnr(filled, truth) > psnr(flat, truth) + 6
    assert dip.stopped_at == dip.step == SMALL.steps


def test_small_images_are_trained_without_bfloat16(noisy):
    one, other = (
        fit(DeepImagePrior(noisy, settings=dataclasses.replace(TINY, bf16=wanted)))
        for wanted in (True, False)
    )
    assert torch.equal(one.result(), other.result())


def test_values_inside_the_hole_are_ignored(truth, mask):
    results = [
        fit(DeepImagePrior(torch.where(mask == 1, inside, truth), masked(mask), TINY))
        for inside in (torch.zeros(()), torch.ones(()))
    ]
    assert torch.equal(results[0].raw(), results[1].raw())
    assert torch.equal(results[0].result(), results[1].result())


def test_the_super_resolved_image_explains_the_given_one(truth):
    low = resize(truth, 0.5).clamp(0, 1)
    dip = fit(DeepImagePrior(low, downsampled(2), SMALL))
    high = dip.result()
    assert high.shape == truth.shape
    assert psnr(resize(dip.averaged(), 0.5), low) > 22
    assert psnr(resize(high, 0.5), low) > 40  # by back-projection
    kernel = torch.ones(2, 2)
    assert not dip.stops_early
    other = DeepImagePrior(low, downsampled(2, kernel), TINY)
    assert fit(other).result().shape == truth.shape


def test_the_degradations_by_hand():
    image = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    mask = torch.tensor([[[1.0, 1.0], [0.0, 1.0]]])
    assert torch.equal(identity(image), image)
    assert masked(mask)(image).flatten().tolist() == [0, 0, 2, 0]
    assert float(downsampled(2, torch.ones(2, 2))(image)) == pytest.approx(1.5)


def test_compression_is_that_of_a_file_and_its_gradient_is_the_identitys(truth):
    batch = torch.stack([truth, truth.flip(-1)]).requires_grad_()
    degraded = compressed(10)(batch)
    assert torch.allclose(degraded[0], jpeg(truth, 10), atol=1e-6)
    (degraded * torch.arange(2.0)[:, None, None, None]).sum().backward()
    assert batch.grad is not None
    assert batch.grad[0].eq(0).all() and batch.grad[1].eq(1).all()


@pytest.mark.parametrize("task", ["identity", "masked", "downsampled", "compressed"])
def test_the_loss_compares_the_degraded_output_with_the_image(task, noisy, mask):
    given = {
        "identity": identity,
        "masked": masked(mask),
        "downsampled": downsampled(2),
        "compressed": compressed(20),
    }[task]
    dip = DeepImagePrior(noisy, given, TINY)
    drawn = dip._draw(dip.inputs).detach()  # the first step adds no noise to the input
    target = given(noisy[None]) if task == "masked" else noisy
    expected = (given(drawn) - target).square().mean()
    assert float(dip.train_step()["loss"]) == pytest.approx(float(expected), rel=1e-5)


def test_any_differentiable_degradation_can_be_used(noisy):
    dip = DeepImagePrior(noisy, lambda drawn: 1 - drawn, TINY)
    assert not dip.stops_early
    assert fit(dip).result().shape == noisy.shape


@pytest.mark.parametrize("scale", [1.1, 1.37, (1.5, 2.0)])
def test_the_degraded_output_has_the_size_of_the_image(scale):
    image = torch.rand(1, 15, 25, generator=rng())
    dip = DeepImagePrior(image, downsampled(scale), TINY)
    assert dip.degradation(dip.inputs).shape[-2:] == image.shape[-2:]


def test_the_same_seed_gives_the_same_bits(noisy):
    first = fit(DeepImagePrior(noisy, settings=TINY)).result()
    assert torch.equal(fit(DeepImagePrior(noisy, settings=TINY)).result(), first)
    other = dataclasses.replace(TINY, seed=1)
    assert not torch.equal(fit(DeepImagePrior(noisy, settings=other)).result(), first)


def test_reading_results_changes_nothing_and_global_randomness_is_kept(noisy):
    before = torch.get_rng_state()
    whole = fit(DeepImagePrior(noisy, settings=TINY)).result()
    looked = DeepImagePrior(noisy, settings=TINY)
    for _ in train(looked, report_every=1):
        looked.raw(), looked.averaged(), looked.result()
    assert torch.equal(looked.result(), whole)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("task", ["identity", "masked", "downsampled", "compressed"])
def test_resuming_equals_never_stopping(task, noisy, mask, tmp_path):
    settings = dataclasses.replace(TINY, steps=12, average=0.5, patience=5)
    given = {
        "identity": identity,
        "masked": masked(mask),
        "downsampled": downsampled(1.5, torch.ones(3, 3)),
        "compressed": compressed(30),
    }[task]
    whole = fit(DeepImagePrior(noisy, given, settings))
    dip = DeepImagePrior(noisy, given, settings)
    for _ in range(7):
        dip.train_step()
    save(dip, tmp_path / "half.safetensors")
    state = state_of(dip)
    dip.train_step()  # must not change the state that was returned
    resumed = resume(tmp_path / "half.safetensors", noisy)
    taken_up = DeepImagePrior(noisy, given, settings)
    load_state(taken_up, state)
    for carried_on in (fit(resumed), fit(taken_up)):
        assert carried_on.step == whole.step
        assert carried_on.stopped_at == whole.stopped_at
        assert torch.equal(carried_on.result(), whole.result())
        assert torch.equal(carried_on.raw(), whole.raw())


def test_super_resolution_stops_when_half_of_the_finest_detail_is_fitted(truth):
    low = resize(truth, 0.5).clamp(0, 1)
    settings = dataclasses.replace(SMALL, steps=10)
    dip = DeepImagePrior(low, downsampled(2), settings)
    detail = finest_detail(low, 2)
    high = resize(low, 2)
    for wrong, wanted in ((0.7 * detail, False), (0.3 * detail, True)):
        dip.average = torch.zeros_like(dip.average)
        dip.step = 1
        dip._update_average(high + wrong)  # the first rate is 1
        assert dip.too_near == dip.done == wanted
    assert dip.stopped_at == 1


def test_one_bad_update_does_not_spoil_the_training(noisy):
    settings = dataclasses.replace(SMALL, steps=60)
    whole = fit(DeepImagePrior(noisy, settings=settings))
    spoilt = DeepImagePrior(noisy, settings=settings)
    while not spoilt.done:
        spoilt.train_step()
        if spoilt.step == 40:
            with torch.no_grad():
                for weight in spoilt.networks.parameters():
                    weight += 0.3 * torch.randn(weight.shape, generator=rng())
    error = [(d.raw() - noisy).square().mean() for d in (whole, spoilt)]
    assert error[1] < 1.2 * error[0]


def watched(noisy, pictures, **changes) -> DeepImagePrior:
    """A prior that gets these pictures instead of its outputs, until it is done."""
    settings = dataclasses.replace(TINY, steps=len(pictures), average=0.9, **changes)
    dip = DeepImagePrior(noisy, settings=settings)
    for picture in pictures:
        dip.step += 1
        dip._update_average(picture)
        if dip.done:
            break
    return dip


def test_it_stops_when_the_answer_is_nearer_than_the_noise_explains(truth, noisy):
    far, near = torch.full_like(noisy, 0.5), 0.3 * truth + 0.7 * noisy
    assert not watched(noisy, [far] * 30, patience=100).too_near
    assert not watched(noisy, [truth] * 30, patience=100).too_near
    dip = watched(noisy, [truth] * 20 + [near] * 30, patience=100)
    assert dip.done and dip.too_near and dip.step < 50


def test_a_minimum_before_the_picture_is_there_is_ignored(truth, noisy):
    flat = 0.5 + 0.1 * (truth - 0.5)
    dip = watched(noisy, [flat] * 30 + [truth] * 60, patience=10)
    assert dip.stopped_at > 40 and psnr(dip.result(), truth) > 25


def forming_then_noisy(truth, calm=100, length=300):
    """Pictures that approach the image until step ``calm``, and then get noisier."""
    draw = rng()
    for i in range(length):
        away = math.exp(-i / 20)
        wobble = 0.02 * max(i - calm, 0) / calm
        yield truth * (1 - away) + wobble * torch.randn(truth.shape, generator=draw)


def test_it_stops_between_the_picture_and_the_noise(truth, noisy):
    pictures = list(forming_then_noisy(truth))
    dip = watched(noisy, pictures, patience=40)
    assert 90 <= dip.stopped_at <= 140
    assert dip.step == dip.stopped_at + 40  # it waited exactly this long
    assert torch.equal(dip.result(), dip.best)
    assert psnr(dip.result(), truth) > 35


def test_without_a_minimum_it_stops_after_the_last_step(truth, noisy):
    pictures = list(forming_then_noisy(truth, calm=10**6, length=80))
    dip = watched(noisy, pictures, patience=40)
    assert dip.done and dip.step == dip.stopped_at == 80


def test_the_average_and_the_variance_follow_their_formulas(noisy):
    pictures = [torch.full_like(noisy, value) for value in (0.0, 1.0, 0.5)]
    dip = watched(noisy, pictures)
    # rates 1, 1/2, 1/3 at first: the plain mean and variance of the pictures so far
    assert torch.allclose(dip.averaged(), torch.full_like(noisy, 0.5))
    assert float(dip.variance) == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"degradation": masked(torch.ones(1, 32, 64))}, "mask: expected 1 x"),
        ({"degradation": masked(torch.zeros(1, 64, 64))}, r"values \[0.0\]"),
        ({"degradation": masked(torch.ones(1, 64, 64))}, r"values \[1.0\]"),
        ({"degradation": masked(torch.full((1, 64, 64), 0.5))}, "threshold"),
        ({"image": torch.full((3, 64, 64), 0.5)}, "the same at all pixels"),
        ({"image": torch.full((3, 64, 64), math.nan)}, "NaN"),
        ({"image": torch.zeros(2, 64, 64)}, "split_alpha"),
        ({"image": torch.rand(3, 32, 64)}, "more than 32 pixels a side"),
    ],
)
def test_bad_input_is_refused_before_training(change, said, noisy):
    settings = DeepImagePriorSettings.quick()
    with pytest.raises(ValueError, match=said):
        DeepImagePrior(**{"image": noisy, "settings": settings, **change})


@pytest.mark.parametrize(
    ("degradation", "said"),
    [
        (lambda: downsampled(0), "scale: expected a positive number"),
        (lambda: downsampled(-2), "scale: expected a positive number"),
        (lambda: downsampled(math.nan), "scale: expected a positive number"),
        (lambda: downsampled(0.5), "scale: expected at least 1"),
        (lambda: downsampled(2, "quintic"), "kernel: expected one of"),
        (lambda: downsampled(2, torch.zeros(3, 3)), "positive sum"),
        (lambda: compressed(0), "quality: expected 1 to 95"),
    ],
)
def test_degradations_that_cannot_be_used_are_refused(degradation, said):
    with pytest.raises(ValueError, match=said):
        degradation()


def test_the_known_pixels_must_not_be_one_colour(noisy, mask):
    image = torch.where(mask == 1, noisy, torch.full_like(noisy, 0.5))
    with pytest.raises(ValueError, match="the same at all pixels"):
        DeepImagePrior(image, masked(mask))


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
def test_unusable_settings_are_refused(nonsense):
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
