"""The dark channel and the guided filter are compared with slow, obvious versions."""

import pytest
import torch

from dil_teach import photo, psnr, resize, scene
from dil_teach.classical.haze.dark_channel import (
    DarkChannelSettings,
    add_haze,
    brightest_haze,
    dark_channel,
    dark_channel_transmission,
    remove_haze,
    remove_haze_by_dark_channel,
)
from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.guided_filter import box, guided_filter, guided_upsample


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def window(values: torch.Tensor, y: int, x: int, radius: int) -> torch.Tensor:
    rows = slice(max(0, y - radius), y + radius + 1)
    return values[..., rows, max(0, x - radius) : x + radius + 1]


@pytest.mark.parametrize("patch", [1, 3, 7])
def test_dark_channel_is_the_minimum_of_each_patch(patch: int) -> None:
    image = noise(2, 3, 9, 11)
    found = dark_channel(image, patch)
    for n in range(2):
        for y in range(9):
            for x in range(11):
                least = window(image[n], y, x, patch // 2).min()
                assert found[n, 0, y, x] == least


def test_removing_haze_inverts_adding_it() -> None:
    clear, transmission = noise(2, 3, 12, 10), 0.2 + 0.8 * noise(2, 1, 12, 10, seed=1)
    for airlight in (noise(1, 3, 1, 1), noise(1, 3, 12, 10)):
        hazy = add_haze(clear, transmission, airlight)
        found = remove_haze(hazy, transmission, airlight)
        assert torch.allclose(found, clear, atol=2e-6)
    quarter = torch.full((2, 1, 12, 10), 0.25)
    assert torch.allclose(
        add_haze(torch.zeros(2, 3, 12, 10), quarter, clear), 0.75 * clear
    )


def test_the_transmission_is_exact_if_every_patch_has_a_black_pixel() -> None:
    clear = noise(1, 3, 20, 20)
    clear[..., ::3, ::3] = 0
    airlight = torch.tensor([0.6, 0.65, 0.7]).reshape(1, 3, 1, 1)
    hazy = add_haze(clear, torch.full((1, 1, 20, 20), 0.4), airlight)
    found = dark_channel_transmission(hazy, airlight, 5, omega=1)
    assert torch.allclose(found, torch.full_like(found, 0.4), atol=1e-6)


def test_airlight_is_found_in_opaque_haze_of_a_small_picture() -> None:
    clear, airlight = 0.5 * noise(1, 3, 24, 24), torch.tensor([0.7, 0.75, 0.8])
    airlight = airlight.reshape(1, 3, 1, 1)
    depth = torch.linspace(0, 1, 24).reshape(1, 1, 24, 1)
    hazy = add_haze(clear, (1 - depth).clamp_min(0).expand(1, 1, 24, 24), airlight)
    assert torch.allclose(brightest_haze(hazy, 3), airlight, atol=0.03)


def test_the_whole_method_makes_a_hazy_photograph_clearer() -> None:
    clear = photo("coffee", 64)[None]
    depth = torch.linspace(0.1, 1.5, 64).reshape(1, 1, 64, 1).expand(1, 1, 64, 64)
    airlight = torch.full((1, 3, 1, 1), 0.7)
    hazy = to_srgb(add_haze(to_linear(clear), (-depth).exp(), airlight))
    settings = DarkChannelSettings(patch=7)
    image, transmission, _ = remove_haze_by_dark_channel(hazy, airlight, settings)
    assert transmission.shape == (1, 1, 64, 64)
    assert psnr(image[0], clear[0]) > psnr(hazy[0], clear[0]) + 3


def test_a_large_picture_is_inverted_at_its_own_size() -> None:
    hazy = resize(scene("haze_alley").images["image"], size=(300, 400)).clamp(0, 1)
    image, transmission, airlight = remove_haze_by_dark_channel(hazy[None])
    assert image.shape == (1, 3, 300, 400) and transmission.shape == (1, 1, 300, 400)
    again = to_srgb(add_haze(to_linear(image), transmission, to_linear(airlight)))[0]
    inside = (image > 0).all(1) & (image < 1).all(1) & (transmission[:, 0] > 0.1)
    assert torch.allclose(again[:, inside[0]], hazy[:, inside[0]], atol=1e-3)


def test_settings_are_checked() -> None:
    for wrong in ({"patch": 4}, {"patch": 0}, {"omega": 0}, {"omega": 1.5}):
        with pytest.raises(ValueError, match="an odd patch"):
            DarkChannelSettings(**wrong)
    for wrong in ({"eps": 0.0}, {"eps": torch.nan}, {"radius": -2}):
        with pytest.raises(ValueError, match=r"expected (eps|radius) at least"):
            DarkChannelSettings(**wrong)


# ---- guided filter


@pytest.mark.parametrize("radius", [1, 2, 30])
def test_box_is_the_mean_of_each_window(radius: int) -> None:
    values = noise(1, 2, 7, 6)
    found = box(values, radius)
    for y in range(7):
        for x in range(6):
            mean = window(values, y, x, radius).mean((-2, -1))
            assert torch.allclose(found[..., y, x], mean, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_guided_filter_is_a_ridge_regression_in_each_window(channels: int) -> None:
    guide, source = noise(1, channels, 8, 7), noise(1, 1, 8, 7, seed=1)
    radius, eps, fits = 2, 1e-2, {}
    for y in range(8):
        for x in range(7):
            inside = window(guide[0], y, x, radius).flatten(1).T.double()
            wanted = window(source[0], y, x, radius).flatten().double()
            moved = inside - inside.mean(0)
            ridge = moved.T @ moved / len(moved) + eps * torch.eye(channels)
            slope = torch.linalg.solve(ridge, moved.T @ wanted / len(moved))
            fits[y, x] = slope, wanted.mean() - inside.mean(0) @ slope
    found = guided_filter(guide, source, radius, eps)
    for y in range(8):
        for x in range(7):
            colour = guide[0, :, y, x].double()
            seen = [
                colour @ slope + offset
                for (v, u), (slope, offset) in fits.items()
                if abs(v - y) <= radius and abs(u - x) <= radius
            ]
            assert found[0, 0, y, x] == pytest.approx(
                float(sum(seen)) / len(seen), abs=1e-5
            )


def test_guided_filter_keeps_constants_and_the_guides_edges() -> None:
    edge = torch.zeros(1, 1, 16, 16)
    edge[..., 8:] = 1
    assert torch.allclose(guided_filter(edge, edge, 4, 1e-6), edge, atol=1e-3)
    flat = torch.full((1, 1, 16, 16), 0.3)
    assert torch.allclose(guided_filter(edge, flat, 4, 1e-3), flat, atol=1e-6)
    plain = guided_filter(flat, edge, 4, 1e-3)  # a guide without edges: twice the mean
    assert torch.allclose(plain, box(box(edge, 4), 4), atol=1e-6)


def test_upsampling_follows_the_large_guide() -> None:
    guide = torch.zeros(1, 3, 64, 64)
    guide[..., 22:] = 0.8
    small = torch.zeros(1, 3, 16, 16)
    small[..., 6:] = 0.8
    small[..., 5] = 0.4
    source = 0.2 + small[:, :1]
    found = guided_upsample(guide, small, source, 2, 1e-4)
    assert found.shape == (1, 1, 64, 64)
    assert torch.allclose(found[..., :20], torch.tensor(0.2), atol=0.02)
    assert torch.allclose(found[..., 24:], torch.tensor(1.0), atol=0.02)
    assert found[..., 22].mean() - found[..., 21].mean() > 0.7


def test_the_guided_filter_refuses_bad_input() -> None:
    guide, source = noise(1, 3, 8, 8), noise(1, 1, 8, 9)
    with pytest.raises(ValueError, match="expected the guide's size"):
        guided_filter(guide, source, 2, 1e-3)
    with pytest.raises(ValueError, match="a radius of at least 1"):
        guided_filter(guide, guide, 0, 1e-3)
    with pytest.raises(ValueError, match="eps above 0"):
        guided_filter(guide, guide, 1, 0.0)
    with pytest.raises(ValueError, match="eps above 0"):
        guided_filter(guide, guide, 1, torch.nan)
