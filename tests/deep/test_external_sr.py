"""SRCNN, VDSR and EDSR: their architectures, their training and their use."""

import pytest
import torch
from safetensors.torch import save_file

from dil_teach.deep.external_sr.external_sr import (
    ExternalSettings,
    ExternalTraining,
    load_external_network,
    super_resolve_with,
)
from dil_teach.deep.external_sr.networks import EDSR, NETWORKS, SRCNN, VDSR
from dil_teach.image.augment import ORIENTATIONS, orient
from dil_teach.image.metrics import luma, psnr_y
from dil_teach.image.photos import photo
from dil_teach.image.resize import blur_and_subsample, resize
from dil_teach.image.shipped import shipped
from dil_teach.training import tiles as large
from dil_teach.training.checkpoint import resume, save


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def tiles(n=4, side=48):
    return torch.rand(n, 3, side, side, generator=rng())


@pytest.mark.parametrize(
    ("kind", "weights"),
    [
        # 9-5-5 with 64 and 32 filters, and biases
        (SRCNN, 81 * 64 + 64 + 25 * 64 * 32 + 32 + 25 * 32 + 1),
        # 20 layers of 64 filters
        (VDSR, 9 * 64 + 18 * 9 * 64 * 64 + 9 * 64),
        # Lim et al. 2017, table 1: 1.5 M parameters for x4; x2 has one shuffle less
        (EDSR, 1_369_859),
    ],
)
def test_a_network_has_the_weights_of_its_paper(kind, weights):
    assert sum(w.numel() for w in kind(rng()).parameters()) == weights


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_enlarges_a_batch(name):
    network = NETWORKS[name](rng())
    for scale in network.scales:
        low = torch.rand(2, network.channels, 9, 7)
        assert network(low, scale).shape == (2, network.channels, 9 * scale, 7 * scale)


def test_the_ensemble_commutes_with_the_orientations():
    network, image = EDSR(rng(), width=8, blocks=1), tiles(1, 12)[0]
    upright = super_resolve_with(network, image, ensemble=True)
    for o in ORIENTATIONS:
        turned = super_resolve_with(network, orient(image, o), ensemble=True)
        assert torch.allclose(turned, orient(upright, o), atol=1e-5)


def test_a_large_image_is_enlarged_in_tiles(monkeypatch):
    network, image = VDSR(rng()), tiles(1, 48)[0]
    whole = super_resolve_with(network, image)
    monkeypatch.setattr(large, "WHOLE_PIXELS", 40 * 40)
    monkeypatch.setattr(large, "TILE", 20)
    parts = []
    draw = VDSR.forward
    monkeypatch.setattr(
        VDSR, "forward", lambda *of: parts.append(of[1].shape) or draw(*of)
    )
    assert torch.allclose(super_resolve_with(network, image), whole, atol=1e-5)
    assert len(parts) == 9


def test_networks_of_luma_leave_the_chroma_interpolated():
    network, image = VDSR(rng()), 0.3 + 0.4 * tiles(1, 16)[0]
    with torch.no_grad():
        network.layers[-1].weight.mul_(0.1)  # a small residual: nothing is clamped
    found, plain = super_resolve_with(network, image), resize(image, 2)
    chroma = [x - luma(x).float() * 255 / 219 for x in (found, plain)]
    assert torch.allclose(*chroma, atol=1e-5)
    wanted = network(luma(image).float()[None], 2)[0]
    assert torch.allclose(luma(found).float(), wanted, atol=1e-5)


def test_published_weights_of_vdsr_are_read_by_their_names(tmp_path):
    network = VDSR(rng(3))
    weights = [w.clone() for w in network.state_dict().values()]
    middle = {f"residual_layer.{n}.conv.weight": w for n, w in enumerate(weights[1:-1])}
    published = {"output.weight": weights[-1], **middle, "input.weight": weights[0]}
    save_file(published, tmp_path / "vdsr.safetensors")
    found = load_external_network(tmp_path / "vdsr.safetensors")
    assert all(map(torch.equal, found.state_dict().values(), weights))


def test_files_that_are_no_weights_are_refused_in_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_external_network(tmp_path / "none.safetensors")
    (tmp_path / "text").write_text("no weights")
    with pytest.raises(ValueError, match="expected a safetensors file"):
        load_external_network(tmp_path / "text")
    save_file({"input.weight": torch.ones(3)}, tmp_path / "short")
    save_file({"a": torch.ones(3)}, tmp_path / "other")
    for name in ("short", "other"):
        with pytest.raises(ValueError, match="expected the weights of srcnn, vdsr"):
            load_external_network(tmp_path / name)


def test_a_flipped_bit_of_a_shipped_network_is_found(tmp_path):
    damaged = bytearray(shipped("data/external_sr/srcnn.safetensors").read_bytes())
    (tmp_path / "whole.safetensors").write_bytes(damaged)
    assert load_external_network(tmp_path / "whole.safetensors").channels == 1
    damaged[-100] ^= 1
    (tmp_path / "damaged.safetensors").write_bytes(damaged)
    with pytest.raises(ValueError, match=r"damaged file .*SHA-256"):
        load_external_network(tmp_path / "damaged.safetensors")


def test_a_scale_that_was_not_trained_is_refused():
    with pytest.raises(ValueError, match="EDSR was trained for 2, got 3"):
        super_resolve_with(EDSR(rng(), 8, 1), tiles(1)[0], 3)


@pytest.mark.parametrize("name", NETWORKS)
def test_resuming_equals_never_stopping(name, tmp_path):
    settings = ExternalSettings(name, steps=4, batch=2, crop=24)
    whole, half = (ExternalTraining(tiles(), settings) for _ in range(2))
    for _ in range(4):
        whole.train_step()
    for _ in range(2):
        half.train_step()
    save(half, tmp_path / "half.safetensors")
    half = resume(tmp_path / "half.safetensors", tiles())
    while not half.done:
        half.train_step()
    for kept, wanted in zip(
        half.average.parameters(), whole.average.parameters(), strict=True
    ):
        assert torch.equal(kept, wanted)


def test_pairs_are_degraded_crops():
    training = ExternalTraining(tiles(), ExternalSettings("vdsr", batch=3, crop=24))
    low, high, scale = training.pairs()
    assert low.shape == (3, 1, 24 // scale, 24 // scale)
    assert high.shape == (3, 1, 24, 24)
    again = blur_and_subsample(high, "bicubic", scale)
    inner = (..., slice(2, -2), slice(2, -2))
    assert abs(again[inner] - low[inner]).max() < 0.51 / 255 + 1e-4


def test_unusable_tiles_are_refused():
    with pytest.raises(ValueError, match="divisible by 12, got 50 x 50"):
        ExternalTraining(tiles(side=50))
    with pytest.raises(ValueError, match="at least 48 x 48 pixels"):
        ExternalTraining(tiles(side=36))


def test_fine_tuning_starts_from_given_weights():
    weights = EDSR(rng(5)).state_dict()
    training = ExternalTraining(tiles(), ExternalSettings(steps=1), weights)
    assert torch.equal(
        training.average.state_dict()["head.weight"], weights["head.weight"]
    )


def test_edsr_improves_on_bicubic_interpolation():
    truth = photo("astronaut")[:, 100:260, 100:260]
    low = (resize(truth, 0.5).clamp(0, 1) * 255).round() / 255
    found = super_resolve_with(load_external_network("edsr"), low)
    plain = resize(low, 2).clamp(0, 1)
    assert psnr_y(found, truth, 4) > psnr_y(plain, truth, 4) + 2
