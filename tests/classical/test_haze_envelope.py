"""The upper envelope of the bounds: penalties, scenes, white, bad input."""

import math
import sys
from pathlib import Path

import pytest
import torch

from dil_teach import Dehazing, DehazingSettings, fit, psnr
from dil_teach.classical.haze.airlight import doubt, find_airlight
from dil_teach.classical.haze.dark_channel import (
    add_haze,
    guided_dark_channel,
    invert_haze,
    white_bound,
)
from dil_teach.classical.haze.envelope import (
    envelope,
    neighbour_similarity,
    remove_haze_by_envelope,
    roughness,
)
from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.scenes import scene


def with_white_object(hazy: torch.Tensor, share: float) -> torch.Tensor:
    """A nearly white square near the camera, with a dark stripe, below on the left."""
    image, height = hazy.clone(), hazy.shape[1]
    side = round(share * height)
    top, left = height - side - height // 20, height // 10
    square = torch.full((3, side, side), 0.95) - torch.linspace(0, 0.1, side)
    square[:, side // 8 : side // 5, side // 10 : -side // 10] = 0.15
    image[:, top : top + side, left : left + side] = square
    return image


def test_a_white_object_near_the_camera_raises_a_doubt() -> None:
    hazy = scene("haze_garden").images["image"]
    airlight = find_airlight(hazy[None])
    assert "white places" not in str(doubt(hazy[None], airlight, estimated=True))
    spoilt = with_white_object(hazy, 0.35)[None]
    wrong = find_airlight(spoilt)
    assert to_srgb(wrong).mean() > to_srgb(airlight).mean() + 0.05
    said = str(doubt(spoilt, wrong, estimated=True))
    assert "white places" in said
    upper = [float(value) for value in said.split()[-1].split(",")]
    assert upper == pytest.approx(to_srgb(airlight).flatten().tolist(), abs=0.03)
    assert "white places" not in str(doubt(spoilt, wrong, estimated=False))


@pytest.mark.parametrize("name", ["haze_lake", "haze_sunset"])
def test_distant_haze_raises_no_doubt_about_white_objects(name: str) -> None:
    hazy = scene(name).images["image"][None]
    said = doubt(hazy, find_airlight(hazy), estimated=True)
    assert "white places" not in str(said)


BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_the_envelope_is_least_at_its_quantile() -> None:
    bounds = torch.linspace(0, 1, 101).reshape(1, 1, 1, 101)
    losses = [
        float(envelope(torch.full_like(bounds, t), bounds)) for t in bounds[0, 0, 0]
    ]
    assert losses.index(min(losses)) == 90


def test_roughness_is_the_mean_change_of_depth_between_similar_pixels() -> None:
    frames, t = torch.zeros(1, 3, 4, 4), torch.ones(1, 1, 4, 4)
    t[..., 2:] = 0.5
    flat = float(roughness(torch.ones_like(t), neighbour_similarity(frames)))
    rough = float(roughness(t, neighbour_similarity(frames)))
    assert rough - flat == pytest.approx(math.log(2) / 3, abs=1e-3)
    frames[..., 2:] = 1  # an edge of the picture may be an edge of the depth
    assert float(roughness(t, neighbour_similarity(frames))) < flat + 1e-3


@pytest.mark.parametrize("name", ["room", "dogs"])
def test_pale_walls_gain_over_the_dark_channel(name: str, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.delitem(sys.modules, "dehazing", raising=False)
    from dehazing import hazy_photograph

    layers = hazy_photograph(name)
    hazy, clear, air = (layers[n] for n in ("image", "clear", "airlight"))
    found = remove_haze_by_envelope(hazy[None], air)
    linear = to_linear(air)[None]
    dark = guided_dark_channel(hazy[None], linear)
    baseline = invert_haze(hazy[None], hazy[None], dark, linear)
    gain = psnr(found.image[0], clear) - psnr(baseline.image[0], clear)
    assert gain > 1.5


def test_the_networks_of_double_dip_change_nearly_nothing() -> None:
    one = scene("haze_alley")
    hazy, clear = one.images["image"], one.images["clear"]
    airlight = one.known["airlight"]
    alone = remove_haze_by_envelope(hazy[None], airlight).image[0]
    trained = fit(Dehazing(hazy, airlight, settings=DehazingSettings())).haze_free()
    assert abs(psnr(alone, clear) - psnr(trained, clear)) < 0.2


def test_the_airlight_may_vary_and_frames_share_it() -> None:
    frames = scene("video_haze").images["frames"][:2]
    found = remove_haze_by_envelope(frames)
    assert found.image.shape == frames.shape
    assert found.transmission.shape == (2, 1, 128, 128)
    assert found.airlight.shape == (1, 3, 1, 1)
    sunset = scene("haze_sunset").images["image"][None]
    varied = remove_haze_by_envelope(sunset, non_uniform=True)
    assert varied.airlight.shape == (1, 3, 128, 128)
    grid = find_airlight(sunset, non_uniform=True)
    assert torch.allclose(to_linear(varied.airlight[..., 0, 0]), grid[..., 0, 0])


def test_no_channel_of_the_clear_picture_exceeds_white() -> None:
    rng = torch.Generator().manual_seed(0)
    clear = torch.rand(1, 3, 24, 32, generator=rng)
    airlight = torch.tensor([0.6, 0.7, 0.8]).reshape(1, 3, 1, 1)
    hazy = add_haze(clear, torch.full((1, 1, 24, 32), 0.5), airlight)
    bound = white_bound(hazy, airlight)
    assert bound.max() <= 0.5 + 1e-6  # the true transmission obeys the bound
    cloud = torch.tensor([0.85, 0.75, 0.8]).reshape(1, 3, 1, 1).expand(1, 3, 24, 32)
    thick = torch.full((1, 1, 24, 32), 0.1)
    frames = to_srgb(cloud)
    found = invert_haze(frames, frames, thick, airlight)
    # a red that is clipped at 1 would make the cloud redder than its line to the haze
    light = to_linear(found.image)[0, :, 0, 0]
    away = light - airlight.flatten()
    assert light.max() == pytest.approx(1, abs=1e-5)
    assert torch.allclose(away / away[0], torch.tensor([1, 0.2, 0]), atol=1e-4)


def test_bad_input_is_refused() -> None:
    hazy = scene("haze_alley").images["image"][None]
    with pytest.raises(ValueError, match="image: expected 3 channels"):
        remove_haze_by_envelope(hazy[:, :1])
    with pytest.raises(ValueError, match="at least 16 x 16 pixels"):
        remove_haze_by_envelope(hazy[..., :12])
    with pytest.raises(ValueError, match="airlight: expected red, green and blue"):
        remove_haze_by_envelope(hazy, (0.8, 0.9, 1.2))
