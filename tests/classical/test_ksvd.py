"""K-SVD: sparse codes against scikit-learn, the update of atoms, and denoising."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import orthogonal_mp

import dil_teach.classical.denoise.ksvd as ksvd_module
from dil_teach import photo, psnr
from dil_teach.classical.denoise.bm3d import bm3d
from dil_teach.classical.denoise.ksvd import (
    Codes,
    dct_denoise,
    dct_dictionary,
    denoise_plane,
    ksvd,
    learn_dictionary,
    sparse_codes,
    update_dictionary,
)
from dil_teach.image.augment import add_noise
from dil_teach.patches.extract import extract_patches

SIGMA = 25 / 255


def noisy(image: torch.Tensor, sigma: float = SIGMA) -> torch.Tensor:
    return add_noise(image, sigma, torch.Generator().manual_seed(0))


def centred_patches(image: torch.Tensor, stride: int = 1) -> torch.Tensor:
    patches = extract_patches(image, 8, stride)
    return patches - patches.mean(1, keepdim=True)


def sums(codes: Codes, dictionary: torch.Tensor) -> torch.Tensor:
    """The sums of atoms; unused places have the weight 0."""
    return (codes.weights[:, :, None] * dictionary[codes.atoms]).sum(1)


def test_the_dictionary_has_256_waves() -> None:
    dictionary = dct_dictionary()
    assert dictionary.shape == (256, 64)
    assert torch.allclose(dictionary.norm(dim=1), torch.ones(256), atol=1e-5)
    # only the first wave has a mean
    assert torch.allclose(dictionary.sum(1)[1:], torch.zeros(255), atol=1e-5)
    column, row = 3, 5  # frequencies in units of half a cycle per 16 pixels
    x = np.arange(8)
    waves = [np.cos(np.pi * k * x / 16) for k in (row, column)]
    plain = np.outer(*(wave - wave.mean() for wave in waves)).ravel()
    plain /= np.linalg.norm(plain)
    assert np.allclose(dictionary[16 * row + column].numpy(), plain, atol=1e-6)


def test_the_codes_are_scikit_learns() -> None:
    dictionary = dct_dictionary()
    patches = centred_patches(noisy(photo("camera", 64)), stride=9)[:40]
    error = 64 * (1.15 * SIGMA / 2) ** 2
    codes = sparse_codes(patches, dictionary, error)
    wanted = orthogonal_mp(dictionary.double().numpy().T, patches.numpy().T, tol=error)
    dense = torch.zeros(len(patches), 257)
    dense.scatter_(1, codes.atoms % 257, codes.weights)  # -1 becomes 256
    assert np.allclose(dense[:, :256].numpy(), wanted.T, atol=1e-4)
    assert torch.allclose(patches - sums(codes, dictionary), codes.residual, atol=1e-5)
    assert (codes.residual.square().sum(1) <= error).all()
    assert ((codes.atoms >= 0).sum(1) > 1).any()


def test_a_patch_without_detail_needs_no_atom() -> None:
    codes = sparse_codes(torch.zeros(3, 64), dct_dictionary(), 1e-6)
    assert (codes.atoms == -1).all() and (codes.weights == 0).all()


def test_an_atom_becomes_the_best_one_of_rank_one() -> None:
    rng = torch.Generator().manual_seed(0)
    dictionary = F.normalize(torch.randn(2, 64, generator=rng), dim=1)
    patches = torch.randn(9, 64, generator=rng)
    # all patches use the first atom only
    weights = (patches @ dictionary[0])[:, None]
    codes = Codes(
        torch.zeros(9, 1, dtype=torch.long), weights, patches - weights * dictionary[0]
    )
    new = update_dictionary(dictionary, codes)
    _, _, right = torch.linalg.svd(patches)
    assert float((new[0] @ right[0]).abs()) == pytest.approx(1, abs=1e-5)
    # nothing uses the second atom, so it becomes the patch that is explained worst
    left = patches - torch.outer(patches @ new[0], new[0])
    worst = F.normalize(left[left.square().sum(1).argmax()], dim=0)
    assert torch.allclose(new[1], worst, atol=1e-4)


def test_an_update_reduces_the_error_of_the_same_atoms() -> None:
    dictionary = dct_dictionary()
    patches = centred_patches(noisy(photo("brick", 96)), stride=3)
    codes = sparse_codes(patches, dictionary, 64 * (1.15 * SIGMA) ** 2)
    new = update_dictionary(dictionary, codes)
    before = codes.residual.square().sum()
    after = 0.0
    for patch, atoms in zip(patches, codes.atoms, strict=True):
        used = new[atoms[atoms >= 0]]
        fitted = torch.linalg.lstsq(used.T, patch).solution @ used if len(used) else 0
        after += float((patch - fitted).square().sum())
    assert after < before
    assert torch.allclose(new.norm(dim=1), torch.ones(256), atol=1e-4)


def test_learning_helps_where_a_texture_repeats() -> None:
    truth = photo("brick", 128)
    image = noisy(truth)
    fixed = dct_denoise(image, SIGMA)
    level = [psnr(image, truth), psnr(fixed, truth), psnr(ksvd(image, SIGMA), truth)]
    assert level[1] > level[0] + 4
    assert level[2] > level[1] + 0.2


@pytest.mark.slow
def test_on_photographs_it_is_between_the_fixed_dictionary_and_bm3d() -> None:
    means = torch.zeros(3)
    for name in ("camera", "coins", "brick", "gravel", "clock"):
        truth = photo(name, 256)
        image = noisy(truth)
        found = [psnr(f(image, SIGMA), truth) for f in (dct_denoise, ksvd, bm3d)]
        print(name, *(f"{value:.2f}" for value in found))
        means += torch.tensor(found) / 5
    fixed, learned, blocks = means.tolist()
    assert learned > fixed + 0.3
    assert learned > blocks - 1.0


def test_strips_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    image = noisy(photo("camera", 48)[:, :40])
    whole = denoise_plane(image, SIGMA, dct_dictionary())
    monkeypatch.setattr(ksvd_module, "STRIP", 100)
    small = denoise_plane(image, SIGMA, dct_dictionary())
    assert torch.allclose(small, whole, atol=1e-5)


def test_no_iteration_is_the_fixed_dictionary() -> None:
    image = noisy(photo("camera", 48))
    assert torch.equal(learn_dictionary(image, SIGMA, 0), dct_dictionary())


def test_a_large_picture_is_learned_from_some_patches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ksvd_module, "MOST_PATCHES", 300)
    image = noisy(photo("coffee", 64))
    dictionary = learn_dictionary(image[:1], SIGMA, iterations=1)
    assert torch.isfinite(dictionary).all()
    assert torch.isfinite(ksvd(image, SIGMA)).all()


@pytest.mark.parametrize(
    ("shape", "sigma", "said"),
    [
        ((1, 7, 20), 0.1, "expected at least 8 x 8 pixels, got 7 x 20"),
        ((1, 22, 23), 0.1, "noisy: expected at least 256 patches .* got 240 in 22 x"),
        ((1, 30, 30), 0.0, "sigma: expected above 0 and at most 1, got 0.0"),
    ],
)
def test_bad_input(shape: tuple[int, ...], sigma: float, said: str) -> None:
    for denoise in (ksvd, dct_denoise):
        with pytest.raises(ValueError, match=said):
            denoise(torch.rand(shape), sigma)
