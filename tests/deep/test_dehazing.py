"""Tests of dehazing by Double-DIP: airlight, transmission, closed form, bad input."""

import pytest
import torch

from dil_teach import Dehazing, DehazingSettings, fit, psnr, resize, resume, save
from dil_teach.classical.haze.airlight import (
    estimate_airlight,
    haziest_part,
    vary_airlight,
)
from dil_teach.classical.haze.dark_channel import (
    add_haze,
    guided_dark_channel,
    transmission_bound,
)
from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.scenes import Scene, scene

FEW = DehazingSettings(steps=30)


@pytest.fixture(scope="module")
def alley() -> Scene:
    return scene("haze_alley")


def planted(opaque: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """A wall of random bricks that recedes, and its airlight, sRGB."""
    rng = torch.Generator().manual_seed(0)
    bricks = torch.rand(1, 3, 12, 12, generator=rng) * torch.tensor(
        [0.5, 0.35, 0.3]
    ).reshape(1, 3, 1, 1)
    clear = bricks.repeat(1, 1, 8, 8)
    airlight = torch.tensor([0.78, 0.81, 0.86])
    end = 5.0 if opaque else 2.0
    depth = torch.linspace(end, 0.2, 96).reshape(1, 1, 96, 1).expand(1, 1, 96, 96)
    hazy = add_haze(clear, (-depth).exp(), to_linear(airlight).reshape(1, 3, 1, 1))
    return (to_srgb(hazy) * 255).round() / 255, airlight


@pytest.mark.parametrize("opaque", [True, False])
def test_airlight_of_a_planted_scene(opaque: bool) -> None:
    hazy, airlight = planted(opaque)
    found = to_srgb(estimate_airlight(hazy)).flatten()
    assert (found - airlight).abs().max() < 0.06
    tint, wanted = found - found.mean(), airlight - airlight.mean()
    assert (tint - wanted).abs().max() < 0.02


def test_the_haziest_part_of_a_wall_has_contrast_and_a_sky_has_none(alley) -> None:
    square = scene("haze_square")
    shares = [
        float(haziest_part(s.images["image"][None], air(s))[1]) for s in (alley, square)
    ]
    assert shares[0] > 0.1 > 0.035 > shares[1]


def air(one: Scene) -> torch.Tensor:
    return to_linear(torch.tensor(one.known["airlight"])).reshape(1, 3, 1, 1)


@pytest.mark.parametrize(
    ("name", "doubt"), [("haze_alley", "far from opaque"), ("haze_square", "be sky")]
)
def test_dehazing_gains_four_decibels_and_states_its_doubts(
    name: str, doubt: str
) -> None:
    one = scene(name)
    hazy, clear = one.images["image"], one.images["clear"]
    dehazing = fit(Dehazing(hazy, settings=FEW))
    assert psnr(dehazing.haze_free(), clear) > psnr(hazy, clear) + 4
    assert dehazing.transmission().shape == (1, 128, 128)
    assert dehazing.airlight().shape == (1, 3, 1, 1)
    assert doubt in str(dehazing.doubts())


def test_a_known_airlight_is_kept_and_helps(alley) -> None:
    hazy, clear = alley.images["image"][None], alley.images["clear"]
    airlight = alley.known["airlight"]
    found = fit(Dehazing(hazy, airlight, settings=FEW))
    assert torch.allclose(found.airlight().flatten(), torch.tensor(airlight), atol=1e-3)
    true = alley.images["transmission"][None]
    assert (found.transmission() - true).square().mean().sqrt() < 0.06
    assert found.doubts() is None  # for the alley, only the airlight is doubtful
    guessed = fit(Dehazing(hazy, settings=FEW))
    assert psnr(found.haze_free()[0], clear) > psnr(guessed.haze_free()[0], clear)


def test_an_airlight_that_varies_is_smooth_and_brightens_towards_the_light() -> None:
    one = scene("haze_sunset")  # the sun is on the left
    hazy = one.images["image"][None]
    grid = vary_airlight(hazy, air(one))
    assert grid.shape == (1, 3, 9, 9)
    warm = grid[:, 0] - grid[:, 2]
    assert warm[..., :3].mean() > warm[..., -3:].mean() + 0.05
    airlight = Dehazing(hazy, non_uniform=True, settings=FEW).airlight()
    assert airlight.shape == (1, 3, 128, 128)
    known = Dehazing(hazy, one.images["airlight"], settings=FEW).airlight()
    assert (known[0] - one.images["airlight"]).abs().mean() < 0.01


def test_a_wall_in_nearly_opaque_haze_raises_no_doubt() -> None:
    one = scene("haze_gallery")
    assert Dehazing(one.images["image"], settings=FEW).doubts() is None


def small(one: Scene, name: str = "image") -> torch.Tensor:
    return resize(one.images[name], 0.25).clamp(0, 1)[None]


def test_the_same_seed_gives_the_same_bits_and_resuming_carries_on(
    alley, tmp_path
) -> None:
    hazy, settings = small(alley), DehazingSettings(steps=6)

    def trained() -> Dehazing:
        return fit(Dehazing(hazy, settings=settings))

    state, first, again = torch.random.get_rng_state(), trained(), trained()
    assert torch.equal(first.haze_free(), again.haze_free())
    assert torch.equal(first.dip.layers().front, again.dip.layers().front)
    assert torch.equal(state, torch.random.get_rng_state())
    part = Dehazing(hazy, settings=settings)
    part.train_step()
    save(part, tmp_path / "part.safetensors")
    carried = fit(resume(tmp_path / "part.safetensors", part.image))
    assert torch.equal(carried.haze_free(), first.haze_free())


def test_what_is_computed_once_does_not_change_in_training(alley) -> None:
    dehazing = fit(Dehazing(small(alley), settings=DehazingSettings(steps=3)))
    airlight = dehazing.dip.draw().back
    assert torch.equal(airlight, dehazing.air)
    assert torch.equal(dehazing.dip.layers().back, dehazing.air)
    assert torch.equal(transmission_bound(dehazing.small, airlight), dehazing.bound)
    assert torch.equal(guided_dark_channel(dehazing.small, airlight), dehazing.dark)


def test_a_film_has_one_airlight_and_a_transmission_for_each_frame() -> None:
    frames = resize(scene("video_haze").images["frames"][:3], 0.25).clamp(0, 1)
    dehazing = fit(Dehazing(frames, settings=DehazingSettings(steps=8)))
    assert dehazing.haze_free().shape == frames.shape
    assert dehazing.dip.layers().front.shape == frames.shape
    assert dehazing.transmission().shape == (3, 1, 32, 32)
    assert dehazing.airlight().shape == (1, 3, 1, 1)


def test_a_large_picture_is_dehazed_at_its_own_size(alley) -> None:
    hazy = resize(alley.images["image"], size=(300, 400)).clamp(0, 1)[None]
    dehazing = Dehazing(hazy, settings=DehazingSettings(steps=2))
    assert dehazing.dip.image.shape == (1, 3, 192, 256)
    clear, transmission = dehazing.haze_free(), dehazing.transmission()
    assert clear.shape == hazy.shape
    assert transmission.shape == (1, 1, 300, 400)
    airlight = to_linear(dehazing.airlight())
    back = add_haze(to_linear(clear), transmission, airlight)
    inside = (clear > 0) & (clear < 1) & (transmission > 0.1)
    assert torch.allclose(to_srgb(back)[inside], hazy[inside], atol=1e-3)


def test_bad_input_is_refused(alley) -> None:
    hazy = small(alley)
    for frames, complaint in (
        (torch.full((1, 3, 32, 32), 0.4), "the same at all pixels"),
        (hazy[..., :12], "at least 16 x 16 pixels, got 32 x 12"),
        (hazy[:, :1], r"got 1 \(grey\)"),
    ):
        with pytest.raises(ValueError, match=complaint) as caught:
            Dehazing(frames)
        assert str(caught.value).startswith("image: ")
    for airlight in ((0.8, 0.9, 1.2), (0.0, 0.5, 0.5), (0.8, 0.8), (200, 210, 220)):
        with pytest.raises(ValueError, match="airlight: expected red, green and blue"):
            Dehazing(hazy, airlight)
