"""ZSSR works as documented on small budgets; benchmarks/ has figures."""

import math

import pytest
import torch

from dil_teach import (
    ZSSR,
    ZSSRSettings,
    blur_and_subsample,
    fit,
    photo,
    psnr,
    psnr_y,
    resize,
    train,
)
from dil_teach.deep.zssr.comparison import compare
from dil_teach.deep.zssr.network import ResidualNetwork
from dil_teach.image.augment import add_noise, jpeg, orient
from dil_teach.image.convention import from_uint8, to_uint8
from dil_teach.image.kernel import gaussian_kernel, random_kernel
from dil_teach.training import tiles

TINY = ZSSRSettings(steps=6, width=8, depth=3, crop=8)
SMALL = ZSSRSettings(steps=150, width=32)


def half(high: torch.Tensor) -> torch.Tensor:
    return resize(high, 0.5, exact_uint8=True)


@pytest.fixture(scope="module")
def facade() -> torch.Tensor:
    return from_uint8(to_uint8(photo("facade", 160)))


@pytest.fixture(scope="module")
def trained(facade) -> ZSSR:
    return fit(ZSSR(half(facade), settings=SMALL))


def test_it_beats_the_control_on_a_recurrent_image(facade, trained):
    score = {n: psnr_y(image, facade, 2) for n, image in compare(trained).items()}
    assert score["raw"] > score["bicubic"]
    assert score["final"] > score["bicubic + back-projection"] + 0.2
    assert score["final"] >= score["ensemble"] - 0.05


def test_results_hold_every_version(facade, trained):
    results = compare(trained)
    assert list(results) == [
        "bicubic",
        "bicubic + back-projection",
        "raw",
        "raw + back-projection",
        "ensemble",
        "final",
    ]
    assert all(image.shape == facade.shape for image in results.values())
    assert torch.equal(results["final"], trained.super_resolve())
    assert torch.equal(results["raw"], trained.raw())
    assert torch.equal(results["bicubic"], resize(half(facade), 2).clamp(0, 1))
    again = blur_and_subsample(results["final"], "bicubic", 2)
    assert psnr(again, half(facade)) > 45  # the result explains the image


def test_the_same_seed_gives_the_same_bits(facade):
    low = half(facade)
    first = fit(ZSSR(low, settings=TINY)).super_resolve()
    assert torch.equal(fit(ZSSR(low, settings=TINY)).super_resolve(), first)
    other = ZSSRSettings(steps=6, width=8, depth=3, crop=8, seed=1)
    assert not torch.equal(fit(ZSSR(low, settings=other)).super_resolve(), first)


def test_reading_results_changes_nothing(facade):
    low = half(facade)
    whole = fit(ZSSR(low, settings=TINY)).super_resolve()
    looked = ZSSR(low, settings=TINY)
    for _ in train(looked, report_every=1):
        compare(looked)
    assert torch.equal(looked.super_resolve(), whole)


def test_an_untrained_network_is_the_interpolation(facade):
    assert torch.allclose(
        ZSSR(facade, 1.5, settings=TINY).raw(), resize(facade, 1.5).clamp(0, 1)
    )


def test_a_son_is_its_father_made_smaller_by_the_kernel(facade):
    kernel = random_kernel(1)
    settings = ZSSRSettings(gradual=1, crop=16, batch=4)
    zssr = ZSSR(facade, 2, kernel, settings)
    father, son = zssr.father_and_son()
    assert father.shape == (4, 3, 32, 32) and son.shape == (4, 3, 16, 16)
    assert torch.equal(son, blur_and_subsample(father, kernel, 2))


@pytest.mark.parametrize(
    ("scale", "size", "expected"),
    [
        (2, None, (80, 60)),
        (3, None, (120, 90)),
        (4, None, (160, 120)),
        (1.37, None, (55, 41)),
        ((1.5, 3), None, (60, 90)),
        (2, (77, 95), (77, 95)),
    ],
)
@pytest.mark.parametrize("channels", [1, 3, 6])
def test_any_scale_shape_and_channels(scale, size, expected, channels):
    low = photo("chelsea", 48).repeat(2, 1, 1)[:channels, 4:44, 9:39]
    result = fit(ZSSR(low, scale, settings=TINY, size=size)).super_resolve()
    assert result.shape == (channels, *expected)
    assert result.min() >= 0 and result.max() <= 1


@pytest.mark.parametrize("scale", [2, 3, 1.5])
def test_gradual_scales_lead_to_the_wanted_one(facade, scale):
    zssr = ZSSR(facade[:, :48, :48], scale, settings=ZSSRSettings(gradual=3, steps=9))
    assert zssr.stages[-1] == (scale, scale) and len(zssr.stages) == 3
    sides = []
    for _ in train(zssr, report_every=1):
        sides.append(zssr.images[0].shape[-1])
    assert sides == sorted(sides) and len(set(sides)) == 3
    assert zssr.step == 9 and zssr.stage == 2


def test_the_ensemble_uses_the_orientations_that_the_kernel_allows(facade):
    def orientations(**arguments):
        return ZSSR(facade, settings=TINY, **arguments).orientations

    assert orientations() == list(range(8))
    assert orientations(kernel=gaussian_kernel((1.0, 1.0))) == list(range(8))
    assert orientations(kernel=gaussian_kernel((2.0, 1.0), 0.3)) == [0, 2]
    assert orientations(kernel=gaussian_kernel((2.0, 1.0))) == [0, 2, 4, 6]
    assert orientations(scale=(2, 3)) == [0, 2, 4, 6]
    assert orientations(scale=1.013) == [0]


def test_a_turned_image_gives_the_turned_result(facade):
    """Training uses all eight orientations, so turning the image turns the result."""
    trained = fit(ZSSR(half(facade), settings=TINY))
    turned = ZSSR(orient(half(facade), 5), settings=TINY)
    turned.network.load_state_dict(trained.network.state_dict())
    assert torch.allclose(
        turned.super_resolve(), orient(trained.super_resolve(), 5), atol=2e-3
    )


def test_a_large_image_is_learned_from_windows_and_made_in_tiles(facade, monkeypatch):
    low = half(facade)
    whole = ZSSR(low, settings=TINY)
    monkeypatch.setattr(tiles, "WHOLE_PIXELS", 60 * 60)
    monkeypatch.setattr(tiles, "WINDOW", 30)
    monkeypatch.setattr(tiles, "TILE", 30)
    tiled = ZSSR(low, settings=TINY)
    assert [tuple(window.shape[1:]) for window in tiled.windows] == [(30, 30)] * 4
    for zssr in (whole, tiled):  # nonzero weights would show seams
        rng = torch.Generator().manual_seed(0)
        torch.nn.init.normal_(
            zssr.network.convolutions[-1].weight, 0, 0.01, generator=rng
        )
    whole.network.load_state_dict(tiled.network.state_dict())
    whole.orientations = tiled.orientations
    assert len(tiled.orientations) == 2
    made = tiled.super_resolve()
    monkeypatch.setattr(tiles, "WHOLE_PIXELS", 1024 * 1024)
    assert torch.allclose(whole.super_resolve(), made, atol=5e-3)
    fit(tiled)


def test_noise_mode_beats_bicubic_on_a_noisy_image(facade):
    rng = torch.Generator().manual_seed(0)
    noisy = add_noise(half(facade), 10 / 255, rng).clamp(0, 1)
    settings = ZSSRSettings(steps=150, width=32, noise=10 / 255)
    results = compare(fit(ZSSR(noisy, settings=settings)))
    assert psnr_y(results["final"], facade, 2) > psnr_y(results["bicubic"], facade, 2)
    assert torch.equal(results["final"], results["ensemble"])


def test_noise_mode_corrects_only_with_a_kernel_that_inverts_contrast(facade):
    motion = torch.eye(14) / 14
    low = blur_and_subsample(facade, motion, 2).clamp(0, 1)
    settings = ZSSRSettings(steps=6, width=8, noise=5 / 255)
    for kernel, corrected in (("bicubic", False), (motion, True)):
        results = compare(fit(ZSSR(low, 2, kernel, settings)))
        assert torch.equal(results["final"], results["ensemble"]) != corrected


def test_jpeg_mode_compresses_the_sons(facade):
    settings = ZSSRSettings(steps=6, gradual=1, jpeg_quality=50)
    zssr = ZSSR(jpeg(half(facade), 50), settings=settings)
    father, son = zssr.father_and_son()
    for one, made in zip(father, son, strict=True):
        assert torch.equal(jpeg(blur_and_subsample(one, "bicubic", 2), 50), made)


def test_the_network_leaves_the_users_random_state_alone():
    before = torch.get_rng_state()
    ResidualNetwork(3, 8, 3, 2, torch.Generator())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"scale": 0}, "positive"),
        ({"scale": -1}, "positive"),
        ({"scale": math.nan}, "positive"),
        ({"scale": 0.5}, "at least 1"),
        ({"scale": 100}, "GB"),
        ({"scale": 1e9}, "scale: expected a result of at most"),
        ({"size": (0, 10)}, "at least 1"),
        ({"kernel": "bicubik"}, "expected one of"),
        ({"kernel": torch.zeros(5, 5)}, "positive sum"),
        ({"kernel": torch.ones(3, 999)}, "kernel: expected at most"),
    ],
)
def test_bad_arguments_are_refused(facade, arguments, word):
    with pytest.raises(ValueError, match=word):
        ZSSR(facade, **arguments)


@pytest.mark.parametrize(
    "nonsense",
    [{"steps": 0}, {"batch": 0}, {"depth": 1}, {"noise": 10.0}, {"jpeg_quality": 0}],
)
def test_unusable_settings_are_refused(nonsense):
    with pytest.raises(ValueError, match="settings: expected"):
        ZSSRSettings.quick(**nonsense)


def test_an_image_of_a_graph_is_learned_from_all_the_same(facade):
    low = half(facade).requires_grad_()
    assert not fit(ZSSR(low, settings=TINY)).super_resolve().requires_grad


def test_bad_images_are_refused():
    with pytest.raises(ValueError, match="at least 16 x 16"):
        ZSSR(torch.rand(3, 2, 3))
    with pytest.raises(ValueError, match="expected 1 to 8 channels"):
        ZSSR(torch.rand(9, 32, 32))
    with pytest.raises(ValueError, match="grey or RGB"):
        ZSSR(torch.rand(4, 32, 32), settings=ZSSRSettings(jpeg_quality=50))


def test_a_result_that_needs_too_much_memory_is_refused():
    large = torch.zeros(3, 1, 1).expand(3, 3000, 4000)
    for scale in (4, 1.5):
        with pytest.raises(ValueError, match=r"needs about \d"):
            ZSSR(large, scale)


@pytest.mark.gpu
def test_on_a_gpu_it_agrees_with_the_cpu(facade, gpu):
    low = half(facade)
    on_cpu = fit(ZSSR(low, settings=SMALL)).super_resolve()
    first, second = (
        fit(ZSSR(low.to(gpu), settings=SMALL)).super_resolve().cpu() for _ in range(2)
    )
    assert abs(psnr_y(first, facade, 2) - psnr_y(second, facade, 2)) <= 0.05
    assert abs(psnr_y(first, facade, 2) - psnr_y(on_cpu, facade, 2)) <= 0.3


def test_a_kernel_of_motion_is_undone_by_least_squares():
    """Back-projection would amplify the waves whose contrast the kernel inverts."""
    truth = photo("camera")[:, 100:228, 100:228]
    kernel = torch.zeros(14, 14).fill_diagonal_(1 / 14)
    low = (blur_and_subsample(truth, kernel, 2) * 255).round() / 255
    trained = fit(ZSSR(low, 2, kernel, ZSSRSettings.quick(steps=40)))
    kept = psnr_y(trained.raw().clamp(0, 1), truth, 8)
    assert psnr_y(trained.super_resolve(), truth, 8) > kept + 0.5
