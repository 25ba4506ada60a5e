"""Patch recurrence: known patterns recur and noise does not; numbers by hand."""

import pytest
import torch
import torch.nn.functional as F

from dil_teach.image.photos import photo
from dil_teach.image.resize import resize
from dil_teach.patches import recurrence, sampling
from dil_teach.patches.extract import extract_patches
from dil_teach.patches.recurrence import (
    CONTRAST,
    UNSEEN,
    contrast,
    detailed,
    good_distance,
    match_distances,
    moved_by_half,
    recurrence_curve,
    recurrence_map,
    recurrence_score,
)
from dil_teach.patches.sampling import query_grid
from dil_teach.patches.search import nearest_patches


def noise(channels: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(channels, height, width, generator=rng)


def share(counts: torch.Tensor) -> float:
    return (counts > 0).double().mean().item()


def without_mean(image: torch.Tensor, patch_size: int) -> torch.Tensor:
    rows = extract_patches(image, patch_size).view(-1, len(image), patch_size**2)
    return (rows - rows.mean(-1, keepdim=True)).flatten(1).double()


# ---- properties of recurrence


@pytest.mark.parametrize("tile", [noise(3, 16, 20), photo("coffee", size=32)])
def test_a_tiled_image_recurs(tile):
    counts = recurrence_map(tile.repeat(1, 5, 5))
    assert share(counts) >= 0.99
    assert counts.double().mean() > 15  # twenty-four other tiles, counted up to 16


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("channels", [1, 3])
def test_white_noise_does_not(channels, seed):
    uniform = noise(channels, 64, 64, seed)
    rng = torch.Generator().manual_seed(seed)
    normal = 0.5 + 0.15 * torch.randn(channels, 64, 64, generator=rng)
    for scale in (1.0, 0.8, 0.5):
        assert share(recurrence_map(uniform, scale=scale)) <= 0.01
        assert share(recurrence_map(normal.clamp(0, 1), scale=scale)) <= 0.01


@pytest.mark.parametrize("at", [(4, 90), (7, 93)])
@pytest.mark.parametrize("ground", ["noise", "grass"])
def test_a_planted_half_size_copy_is_found_at_half_the_size(at, ground):
    image = noise(3, 128, 128) if ground == "noise" else photo("grass", size=128)
    image = image.expand(3, -1, -1).clone()
    part = photo("flower", size=96)[:, 20:76, 20:76]
    image[:, 40:96, 10:66] = part
    small = resize(part, 0.5).clamp(0, 1)
    top, left = at
    image[:, top : top + 28, left : left + 28] = small
    found = nearest_patches(image, resize(image, 0.5).clamp(0, 1), remove_mean=True)
    # away from the copy's border, whose pixels the larger image mixed with its ground
    inner = slice(top + 2, top + 22), slice(left + 2, left + 22)
    rows, columns = torch.meshgrid(
        torch.arange(2, 22), torch.arange(2, 22), indexing="ij"
    )
    off = torch.maximum(
        (found.row[inner][..., 0] - (20 + rows)).abs(),
        (found.column[inner][..., 0] - (5 + columns)).abs(),
    )
    assert (off <= 1).double().mean() > 0.99
    assert share(recurrence_map(image, scale=0.5)[inner]) > 0.99


def test_a_plain_wall_recurs_though_its_noise_does_not_repeat():
    rng = torch.Generator().manual_seed(0)
    wall = (0.5 + torch.randn(3, 48, 48, generator=rng) / 255).clamp(0, 1)
    assert share(recurrence_map(wall)) == 1
    grainy = (0.5 + 10 * torch.randn(3, 48, 48, generator=rng) / 255).clamp(0, 1)
    assert share(recurrence_map(grainy)) <= 0.01


def test_larger_patches_and_smaller_scales_recur_less():
    image = photo("coffee", size=96)
    five, seven = (share(recurrence_map(image, p)) for p in (5, 7))
    assert five > seven
    assert five > share(recurrence_map(image, 5, 0.5))


# ---- the numbers


def test_the_map_counts_good_matches_as_by_hand():
    image = photo("chelsea", size=40)
    rows = without_mean(image, 5)
    distances = torch.cdist(rows, rows).square().fill_diagonal_(torch.inf)
    good = good_distance(image).flatten()[:, None]
    wanted = (distances <= good).sum(1).clamp(max=16).view(36, 36)
    exact = (match_distances(image, exact=True) <= good_distance(image)[..., None]).sum(
        2
    )
    assert (exact != wanted).double().mean() < 0.002  # rounding near the limit
    counts = recurrence_map(image)
    assert counts.shape == (36, 36)
    assert not counts.is_floating_point()
    assert (counts <= wanted + 1).all()
    assert (counts - wanted).abs().double().mean() < 0.1  # the fast search misses few
    assert torch.equal(counts, recurrence_map(image))


def test_the_good_distance_as_by_hand():
    image = noise(3, 12, 13) * torch.linspace(0, 1, 13)
    image[:, 6:] = 0.5
    padded = F.pad(image, (2, 2, 2, 2), mode="replicate").double()
    weights = (-0.0625, 0.5625, 0.5625, -0.0625)

    def moved(dy, dx):
        total = 0
        for weight, step in zip(weights, (-1, 0, 1, 2), strict=True):
            y, x = 2 + dy * step, 2 + dx * step
            total = total + weight * padded[:, y : y + 12, x : x + 13]
        return total

    rows = without_mean(image, 5)
    moves = [moved(*d) for d in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    far = torch.stack([(without_mean(m, 5) - rows).square().sum(1) for m in moves])
    wanted = torch.minimum(far.amax(0), CONTRAST * rows.square().sum(1))
    wanted = wanted.clamp_min(UNSEEN * 75).view(8, 9)
    assert torch.allclose(good_distance(image), wanted.float(), rtol=1e-4, atol=1e-6)
    assert len({m.shape for m in moved_by_half(image)}) == 1


def test_contrast_and_the_detailed_quarter():
    image = photo("astronaut", size=48)
    wanted = without_mean(image, 7).square().sum(1).view(42, 42)
    assert torch.allclose(contrast(image, 7).double(), wanted, rtol=1e-3, atol=1e-6)
    quarter = detailed(image, 7)
    assert quarter.sum() == 42 * 42 // 4
    assert contrast(image, 7)[quarter].min() >= contrast(image, 7)[~quarter].max()


def test_the_curve_and_the_score_are_shares_of_the_map():
    image = photo("coffee", size=64)
    quarter = detailed(image)
    for least in (1, 9):
        counts = recurrence_map(image, 5, 0.64) >= least
        all_of_them, among = (
            recurrence_curve(image, scales=[0.64], least=least, among=chosen)[0]
            for chosen in (None, quarter)
        )
        assert all_of_them == pytest.approx(100 * counts.double().mean().item(), abs=1)
        assert among == pytest.approx(
            100 * counts[quarter].double().mean().item(), abs=2
        )
    score = recurrence_score(image)
    assert score == pytest.approx(sum(recurrence_curve(image, least=1)) / 500)
    assert recurrence_score(noise(3, 64, 64)) <= 0.01
    assert recurrence_score(photo("grass", size=64)) < score / 2


@pytest.mark.parametrize(
    "name",
    ["brick", *(pytest.param(n, marks=pytest.mark.slow) for n in ("coffee", "grass"))],
)
def test_the_score_of_a_large_image_uses_enough_patches(name):
    image = photo(name, size=160)
    of_all = sum(recurrence_curve(image, least=1)) / 500
    assert recurrence_score(image) == pytest.approx(of_all, abs=0.01)
    assert recurrence_score(image) != of_all


def test_a_stride_leaves_patches_out():
    image = photo("coffee", size=64)
    some = match_distances(image, 5, 0.64, stride=3)
    assert torch.equal(some, match_distances(image, 5, 0.64)[::3, ::3])
    assert match_distances(noise(3, 5, 5), stride=3).shape == (1, 1, 16)


def test_the_map_of_a_grid_is_part_of_the_whole_map():
    image = photo("coffee", size=64)
    for scale in (1.0, 0.64):
        some = recurrence_map(image, 5, scale, stride=3)
        assert torch.equal(some, recurrence_map(image, 5, scale)[::3, ::3])
    assert torch.equal(contrast(image, 5, 3), contrast(image, 5)[::3, ::3])


@pytest.mark.parametrize("stride", [1, 3])
def test_bands_of_rows_have_no_seams(monkeypatch, stride):
    image = photo("coffee", size=50)
    measures = (good_distance, contrast)
    whole = [measure(image, 5, stride) for measure in measures]
    monkeypatch.setattr(sampling, "BAND", 7 * 50)
    for measure, wanted in zip(measures, whole, strict=True):
        banded = measure(image, 5, stride)
        assert banded.shape == wanted.shape
        assert torch.allclose(banded, wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["coffee", "grass"])
def test_a_large_photograph_has_the_same_map_and_score(monkeypatch, name):
    image = photo(name, size=80)
    score, counts = recurrence_score(image), recurrence_map(image)
    exact = match_distances(image, exact=True) <= good_distance(image)[..., None]
    monkeypatch.setattr(recurrence, "MOST_BY_TREE", 0)
    assert recurrence_score(image) == pytest.approx(score, abs=0.01)
    large = recurrence_map(image)
    # the tree misses some matches; a large image has all but those near the limit
    assert (large >= counts).double().mean() > 0.999
    assert (large != exact.sum(2)).double().mean() < 0.002
    mask = torch.ones(image.shape[-2:], dtype=torch.bool)
    mask[20:50, 30:44] = False
    some = recurrence_map(image, 5, 0.64, 2, mask)
    monkeypatch.undo()
    by_tree = recurrence_map(image, 5, 0.64, 2, mask)
    assert (some - by_tree).double().mean() < 0.1
    assert torch.equal(some[10:25, 15:22], torch.zeros(15, 7, dtype=torch.long))


def test_a_masked_copy_is_no_match():
    image, mask = noise(3, 24, 60), torch.ones(24, 60, dtype=torch.bool)
    image[:, 4:20, 40:56] = image[:, 4:20, 4:20]  # a copy
    assert (recurrence_map(image)[4:16, 4:16] == 1).all()
    mask[:, 38:58] = False
    counts = recurrence_map(image, mask=mask)
    assert (counts == 0).all()
    other = torch.where(mask, image, noise(3, 24, 60, seed=1))
    for scale in (1.0, 0.64):
        near = recurrence_map(image, 5, scale, mask=mask)[:, :32]
        assert torch.equal(near, recurrence_map(other, 5, scale, mask=mask)[:, :32])


def test_the_score_counts_only_patches_inside_the_mask():
    image, mask = noise(3, 48, 96), torch.zeros(48, 96, dtype=torch.bool)
    image[:, :, :48] = photo("coffee", size=48)
    mask[:, :46] = True
    alone = recurrence_score(image[:, :, :48])
    assert recurrence_score(image) < 0.6 * alone
    assert recurrence_score(image, mask=mask) == pytest.approx(alone, abs=0.02)


def test_a_grid_has_enough_patches_or_all_of_them():
    image = noise(1, 44, 64)  # 40 x 60 patches
    assert query_grid(image, 5, 3000)[0] == 1
    stride, inside = query_grid(image, 5, 200)
    assert (stride, inside.shape, inside.all().item()) == (3, (14, 20), True)
    mask = torch.zeros(44, 64, dtype=torch.bool)
    mask[:, 1:6] = True  # one column of patches, which the grid would miss
    stride, inside = query_grid(image, 5, 10, mask)
    assert (stride, inside.sum().item()) == (1, 40)
    with pytest.raises(ValueError, match=r"mask: expected 44 x 64 .*with 0; mark more"):
        query_grid(image, 5, 10, mask & False)


def test_an_image_of_one_patch_has_no_matches():
    assert recurrence_map(noise(3, 5, 5)).tolist() == [[0]]
    assert match_distances(noise(3, 6, 6)).isinf().sum() == 4 * (16 - 3)
    assert recurrence_map(noise(1, 12, 12), 5, 0.5).shape == (8, 8)


# ---- bad input


@pytest.mark.parametrize(
    ("complaint", "image", "arguments"),
    [
        ("patch_size: expected 2 to 4, .*4 x 9 pixels", noise(3, 4, 9), {}),
        ("the same at all pixels", torch.full((3, 20, 20), 0.4), {}),
        (
            "the same at all pixels",
            torch.tensor([0.1, 0.5, 0.9])[:, None, None].expand(3, 9, 9),
            {},
        ),
        ("at least one patch", noise(3, 20, 30), {"scale": 0.2}),
        ("scale: expected at most 1", noise(3, 20, 20), {"scale": 0.0}),
        ("at most 1", noise(3, 20, 20), {"scale": 1.5}),
        ("at most 1", noise(3, 20, 20), {"scale": torch.nan}),
        ("at most 1", noise(3, 20, 20), {"scale": -torch.inf}),
        ("channels", noise(2, 20, 20), {}),
        ("finite", torch.full((3, 20, 20), torch.nan), {}),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_sentence(
    complaint, image, arguments
):
    with pytest.raises(ValueError, match=complaint) as refusal:
        recurrence_map(image, **arguments)
    assert "\n" not in str(refusal.value)


def test_more_matches_than_are_counted_cannot_be_asked_for():
    with pytest.raises(ValueError, match="least: expected 1 to 16"):
        recurrence_curve(noise(3, 20, 20), least=17)


@pytest.mark.gpu
def test_the_gpu_counts_the_same(gpu):
    image = photo("coffee", size=64)
    there = (
        match_distances(image.to(gpu)) <= good_distance(image.to(gpu))[..., None]
    ).sum(2)
    here = (match_distances(image, exact=True) <= good_distance(image)[..., None]).sum(
        2
    )
    assert (there.cpu() != here).double().mean() < 0.01
