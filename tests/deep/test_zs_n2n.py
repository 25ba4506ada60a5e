"""ZS-N2N works as documented on small budgets; benchmarks/ has figures."""

import dataclasses

import pytest
import torch

from dil_teach import fit, photo, psnr, resume, save
from dil_teach.deep import zs_n2n
from dil_teach.deep.zs_n2n import ZSN2N, ZSN2NSettings, pair_downsample
from dil_teach.image.augment import add_noise
from dil_teach.image.convention import from_uint8, to_uint8
from dil_teach.training import tiles

TINY = ZSN2NSettings(steps=6, width=8)


@pytest.fixture(scope="module")
def truth() -> torch.Tensor:
    return photo("astronaut", 64)


@pytest.fixture(scope="module")
def noisy(truth) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return from_uint8(to_uint8(add_noise(truth, 25 / 255, rng)))


def test_the_pair_downsampler_by_hand():
    image = torch.tensor([[[[1.0, 2.0, 5.0], [3.0, 4.0, 5.0], [9.0, 9.0, 9.0]]]])
    first, second = pair_downsample(image)
    assert first.flatten().tolist() == [2.5]  # (2 + 3) / 2
    assert second.flatten().tolist() == [2.5]  # (1 + 4) / 2
    first, second = pair_downsample(torch.tensor([[[[1.0, 0.0], [0.0, 7.0]]]]))
    assert (first.item(), second.item()) == (0, 4)


def test_the_pair_has_independent_noise_and_one_picture():
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 3, 256, 256, generator=rng)
    first, second = pair_downsample(noise)
    assert abs(float((first * second).mean())) < 0.02
    assert float(first.var()) == pytest.approx(0.5, abs=0.02)
    ramp = torch.arange(8.0).expand(1, 1, 8, 8) + torch.arange(8.0)[:, None]
    first, second = pair_downsample(ramp)
    assert torch.equal(first, second)


def test_it_removes_noise(truth, noisy):
    result = fit(ZSN2N(noisy, ZSN2NSettings(steps=250, width=24))).result()
    assert psnr(result, truth) > psnr(noisy, truth) + 3


def test_a_large_image_is_learned_from_windows_and_denoised_in_tiles(
    noisy, monkeypatch
):
    method = ZSN2N(noisy, TINY)
    fit(method)
    whole = method.result()
    monkeypatch.setattr(tiles, "WHOLE_PIXELS", 60 * 60)
    monkeypatch.setattr(tiles, "TILE", 24)
    assert torch.allclose(method.result(), whole, atol=5e-3)  # no seams
    monkeypatch.setattr(zs_n2n, "MOST_AT_ONCE", 60 * 60)
    monkeypatch.setattr(zs_n2n, "WINDOW", 32)
    seen = []
    monkeypatch.setattr(
        zs_n2n, "pair_downsample", lambda x: seen.append(x.shape) or pair_downsample(x)
    )
    learned = fit(ZSN2N(noisy, TINY))
    assert {tuple(shape[2:]) for shape in seen} == {(32, 32)}
    assert torch.equal(fit(ZSN2N(noisy, TINY)).result(), learned.result())


def test_the_network_has_the_papers_size(noisy):
    network = ZSN2N(noisy, ZSN2NSettings.quick()).network
    assert 22_000 < sum(p.numel() for p in network.parameters()) < 23_000


def test_the_same_seed_gives_the_same_bits(noisy):
    first = fit(ZSN2N(noisy, TINY)).result()
    assert torch.equal(fit(ZSN2N(noisy, TINY)).result(), first)
    other = dataclasses.replace(TINY, seed=1)
    assert not torch.equal(fit(ZSN2N(noisy, other)).result(), first)


def test_resuming_equals_never_stopping(noisy, tmp_path):
    whole = fit(ZSN2N(noisy, TINY)).result()
    method = ZSN2N(noisy, TINY)
    method.train_step()
    save(method, tmp_path / "one.safetensors")
    assert torch.equal(fit(resume(tmp_path / "one.safetensors", noisy)).result(), whole)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (torch.full((3, 64, 64), 0.5), "the same at all pixels"),
        (torch.rand(3, 4, 64), "at least 8 x 8"),
        (torch.full((3, 64, 64), torch.nan), "NaN"),
        (torch.rand(4, 64, 64), "split_alpha"),
    ],
)
def test_bad_images_are_refused(image, said):
    with pytest.raises(ValueError, match=said):
        ZSN2N(image)


@pytest.mark.parametrize("nonsense", [{"steps": 0}, {"width": 0}, {"learning_rate": 0}])
def test_unusable_settings_are_refused(nonsense):
    with pytest.raises(ValueError, match="settings: expected"):
        ZSN2NSettings.quick(**nonsense)
