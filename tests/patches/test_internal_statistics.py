"""Internal statistics, parents and entropy: brute force, known limits, bad input."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach import photo, resize
from dil_teach.image.metrics import luma
from dil_teach.patches.entropy import (
    entropy,
    gaussian_bias,
    gaussian_entropy,
    principal_components,
)
from dil_teach.patches.parents import parent_pairs, predict_parent
from dil_teach.patches.statistics import (
    GRADIENT_EDGES,
    GRADIENT_NAMES,
    draw_places,
    external_matches,
    gradient_bins,
    gradient_magnitude,
    internal_matches,
    patch_bag,
    patches_at,
    recurrence_density,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(height: int, width: int, channels: int = 1, seed: int = 0) -> Tensor:
    return torch.rand(channels, height, width, generator=generator(seed))


def texture(image: Tensor, row: int, column: int, side: int) -> Tensor:
    """One patch of an image, minus its mean, in double precision."""
    patch = image[0, row : row + side, column : column + side].double()
    return patch - patch.mean()


PLACES = torch.tensor([[0, 0], [7, 9], [19, 4]])


def test_gradient_of_a_ramp_and_of_stripes() -> None:
    ramp = (torch.arange(32.0) / 32).expand(1, 24, 32).contiguous()
    found = gradient_magnitude(ramp, 5)
    assert found.shape == (20, 28)
    # luma has 219 grey levels from black to white
    assert torch.allclose(found, torch.full_like(found, 219 / 32), atol=1e-3)
    stripes = (torch.arange(24) % 2).float()[:, None].expand(1, 24, 30).contiguous()
    found = gradient_magnitude(stripes, 3)
    assert torch.allclose(found, torch.full_like(found, 219.0), atol=1e-3)


def test_places_are_drawn_from_each_bin() -> None:
    image = photo("coffee", 96)
    gradient = gradient_magnitude(image)
    places = draw_places(gradient, 7, generator())
    bins = gradient_bins(gradient[places[:, 0], places[:, 1]])
    counts = torch.bincount(bins, minlength=len(GRADIENT_NAMES))
    there = torch.bincount(gradient_bins(gradient).flatten(), minlength=5)
    assert torch.equal(counts, there.clamp_max(7))
    assert len(places.unique(dim=0)) == len(places)
    assert torch.equal(places, draw_places(gradient, 7, generator()))
    edges = torch.tensor([0.0, *GRADIENT_EDGES])
    assert gradient_bins(edges).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("overlapping", [False, True])
def test_internal_matches_are_those_of_brute_force(overlapping: bool) -> None:
    image, side, scales = noise(24, 26, 3), 3, (1.0, 0.8, 0.5)
    found = internal_matches(image, PLACES, 4, side, scales, overlapping)
    light = luma(image).float()
    for row in range(len(PLACES)):
        y, x = PLACES[row].tolist()
        query, distances = texture(light, y, x, side), []
        for scale in scales:
            level = resize(light, scale).clamp(0, 1)
            for i in range(level.shape[1] - side + 1):
                for j in range(level.shape[2] - side + 1):
                    # intervals of pixels of the image that the patch shows
                    shown = [(k / scale, (k + side) / scale) for k in (i, j)]
                    inside = [
                        min(b, o + side) - max(a, o) > 1e-3
                        for (a, b), o in zip(shown, (y, x), strict=True)
                    ]
                    centre = [(k + side / 2) - (o + side / 2) * scale
                              for k, o in ((i, y), (j, x))]  # fmt: skip
                    same = all(abs(c) < 0.999 for c in centre)
                    if same if overlapping else all(inside):
                        continue
                    other = texture(level, i, j, side)
                    distances.append((query - other).square().mean().item())
        wanted = torch.tensor(sorted(distances)[:4])
        assert torch.allclose(found.distance[row], wanted, atol=1e-6)


def test_a_copy_is_found_and_overlap_is_not() -> None:
    image = noise(40, 40)
    image[:, 30:35, 20:25] = image[:, 5:10, 5:10]
    found = internal_matches(image, torch.tensor([[5, 5]]), scales=(1.0,))
    assert found.distance.item() == pytest.approx(0, abs=1e-7)
    row, column = patch_bag(image, 5, (1.0,)).place[found.row[0, 0], 1:].tolist()
    assert (row, column) == (30, 20)
    smooth = F.avg_pool2d(noise(44, 44), 5, 1)
    places = torch.tensor([[5 * i, 3 * i] for i in range(8)])
    apart = internal_matches(smooth, places).distance
    shifted = internal_matches(smooth, places, overlapping=True).distance
    assert (shifted <= apart).all() and (shifted < apart).any()


def test_external_matches_are_those_of_brute_force() -> None:
    image, other = photo("coffee", 48), photo("chelsea", 40)
    places = draw_places(gradient_magnitude(image), 3, generator())
    queries, bag = patches_at(image, places), patch_bag(other)
    found = external_matches(queries, bag, 5)
    distance = torch.cdist(queries.double(), bag[:].double()).square() / 25
    wanted = distance.sort(1).values[:, :5].float()
    assert torch.allclose(found.distance, wanted, atol=1e-6)
    there = (bag[found.row.flatten()].view(*found.row.shape, -1)
             - queries[:, None]).square().mean(2)  # fmt: skip
    assert torch.allclose(there, found.distance, atol=1e-7)
    # a second picture can only help
    both = torch.minimum(
        found.distance[:, 0], external_matches(queries, patch_bag(image)).distance[:, 0]
    )
    assert torch.allclose(both, torch.zeros_like(both), atol=1e-6)


def test_density_is_that_of_brute_force() -> None:
    image, side, radii, h = noise(24, 26, 3), 3, (5.0, 9.0, 40.0), 0.3
    found = recurrence_density(image, PLACES, radii, side, h)
    light = luma(image).float()
    for row in range(len(PLACES)):
        y, x = PLACES[row].tolist()
        for column, radius in enumerate(radii):
            kernel, close = [], 0
            for i in range(24 - side + 1):
                for j in range(26 - side + 1):
                    near = math.hypot(i - y, j - x) <= radius
                    if not near or (abs(i - y) < side and abs(j - x) < side):
                        continue
                    difference = texture(light, y, x, side) - texture(light, i, j, side)
                    d = difference.square().mean().item()
                    kernel.append(math.exp(-d / (2 * h**2)))
                    close += d <= h**2
            assert found.patches[row, column] == len(kernel)
            assert found.close[row, column] == close
            mean = sum(kernel) / len(kernel)
            assert found.density[row, column].item() == pytest.approx(mean, abs=1e-4)


def test_density_of_noise_and_of_a_periodic_image() -> None:
    places = torch.tensor([[10, 10]])
    stripes = ((torch.arange(48) // 3) % 2).float().expand(1, 32, 48).contiguous()
    # one of six shifts is equal; in between, at most a few are similar
    found = recurrence_density(stripes, places, (200,), 5, 1e-3)
    assert found.density.item() == pytest.approx(1 / 6, abs=0.03)
    assert recurrence_density(noise(32, 48), places, (200,)).density.item() < 1e-3
    wide = recurrence_density(noise(32, 48), places, (200,), 5, 1e3)
    assert wide.density.item() == pytest.approx(1, abs=1e-4)


def test_detailed_patches_recur_less() -> None:
    """The paper's ordering, on three photographs; two of the bins are similar."""
    for name in ("coffee", "astronaut", "camera"):
        image = photo(name, 96)
        gradient = gradient_magnitude(image)
        places = draw_places(gradient, 20, generator())
        bins = gradient_bins(gradient[places[:, 0], places[:, 1]])
        error = internal_matches(image, places).distance[:, 0]
        density = recurrence_density(image, places, (32,)).density[:, 0]
        errors, densities = (
            torch.stack([values[bins == b].mean() for b in range(5)])
            for values in (error, density)
        )
        assert (errors.diff() > 0).all()
        assert (densities[1:].diff() < 0).all() and densities[0] > densities[2]


def test_parents_show_the_same_place() -> None:
    image = photo("coffee", 60)[:, :57]  # an odd height
    pairs = parent_pairs(image, 5, (1.0, 0.7))
    assert len(pairs.low) == len(pairs.high) and pairs.high[:2].shape == (2, 100)
    for number, scale in enumerate((1.0, 0.7)):
        high = resize(luma(image).float(), scale).clamp(0, 1)
        high = high[:, : high.shape[1] // 2 * 2, : high.shape[2] // 2 * 2]
        low = resize(high, 0.5).clamp(0, 1)
        mine = (pairs.low.place[:, 0] == number).nonzero()[:, 0]
        for index in mine[[0, len(mine) // 2, -1]]:
            row, column = pairs.low.place[index, 1:].tolist()
            patch, parent = pairs.low[index[None]], pairs.high[index[None]]
            wanted = texture(low, row, column, 5).flatten()
            assert torch.allclose(patch[0].double(), wanted, atol=1e-6)
            wanted = texture(high, 2 * row, 2 * column, 10).flatten()
            assert torch.allclose(parent[0].double(), wanted, atol=1e-6)


def test_prediction_is_a_weighted_mean() -> None:
    parents = torch.tensor([[[0.0, 2.0], [4.0, 2.0]]])
    prediction, spread = predict_parent(torch.tensor([[0.01, 0.01]]), parents)
    assert torch.allclose(prediction, torch.tensor([[2.0, 2.0]]))
    assert spread.item() == pytest.approx((4 + 0) / 2)
    prediction, spread = predict_parent(torch.tensor([[0.0, 1.0]]), parents)
    assert torch.allclose(prediction, parents[:, 0], atol=1e-6)
    assert spread.item() == pytest.approx(0, abs=1e-6)
    # far matches get equal weights, not none
    prediction, _ = predict_parent(torch.tensor([[100.0, 100.0]]), parents)
    assert torch.allclose(prediction, torch.tensor([[2.0, 2.0]]))


@pytest.mark.parametrize(("n", "d", "error"), [(1000, 1, 0.2), (2000, 4, 0.25)])
def test_entropy_of_known_distributions(n: int, d: int, error: float) -> None:
    spread = torch.diag(torch.linspace(1, 3, d)).double() + 0.2
    samples = torch.randn(n, d, generator=generator(), dtype=torch.float64) @ spread
    known = gaussian_entropy(spread.T @ spread)
    assert entropy(samples) == pytest.approx(known, abs=error)
    uniform = torch.rand(n, d, generator=generator(), dtype=torch.float64)
    assert entropy(uniform) == pytest.approx(0, abs=2 * error)


def test_entropy_of_a_line_by_hand() -> None:
    """n = 3, k = 1, d = 1: psi(3) - psi(1) = 3/2, c = 2, distances 1, 1 and 3."""
    samples = torch.tensor([[0.0], [1.0], [4.0]])
    wanted = (1.5 + math.log(2) + math.log(3) / 3) / math.log(2)
    assert entropy(samples, 1) == pytest.approx(wanted)
    assert entropy(8 * samples, 1) == pytest.approx(wanted + 3)


def test_bias_for_a_gaussian() -> None:
    bias, spread = gaussian_bias(1000, 8, generator())
    assert abs(bias) < 0.3 and 0 < spread < 0.3
    few, _ = gaussian_bias(200, 16, generator())
    many, _ = gaussian_bias(2000, 16, generator())
    assert few > many > 0.3  # too few samples in many dimensions: too large


def test_principal_components_have_unit_variances() -> None:
    patches = patch_bag(photo("coffee", 64), 5, (1.0,))[:]
    values = (patches @ principal_components(patches, 6)).double()
    assert torch.allclose(values.T.cov(), torch.eye(6).double(), atol=0.01)
    with pytest.raises(ValueError, match="d: expected 1 to 24, the number of"):
        principal_components(patches, 25)
    with pytest.raises(ValueError, match="d: expected 1 to 0"):
        principal_components(torch.ones(10, 3), 1)


def matches(**changes: object) -> Callable:
    given = {"image": noise(24, 24), "places": PLACES, "k": 1} | changes
    return lambda: internal_matches(**given)  # type: ignore[arg-type]


def density(**changes: object) -> Callable:
    given = {"image": noise(24, 24), "places": PLACES, "radii": (8, 16)} | changes
    return lambda: recurrence_density(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (matches(image=noise(19, 40)), "image: expected at least 20 x 20 pixels"),
        (matches(image=torch.ones(1, 24, 24)), "some detail to learn from"),
        (matches(image=noise(24, 24) * 3), r"image: expected values in \[0, 1\]"),
        (matches(image=torch.rand(2, 24, 24)), "image: expected 1 or 3 channels"),
        (matches(k=0), "k: expected 1 to"),
        (matches(k=10000), "k: expected 1 to"),
        (matches(patch_size=1), "patch_size: expected 2 to 24"),
        (density(radii=()), "radii: expected rising numbers above 0"),
        (density(radii=(8, 8)), "radii: expected rising"),
        (density(radii=(0, 8)), "radii: expected rising"),
        (density(bandwidth=float("nan")), "bandwidth: expected above 0, got nan"),
        (density(bandwidth=0.0), "bandwidth: expected above 0"),
        (lambda: draw_places(torch.ones(3, 3), 0, generator()), "per_bin: expected"),
        (lambda: external_matches(torch.ones(1, 25), patch_bag(noise(9, 9)), 99), "k:"),
        (lambda: patch_bag(noise(4, 9)), "expected 1 to 4"),
        (lambda: entropy(torch.rand(4, 2)), "expected more than k = 4 samples"),
        (lambda: entropy(torch.zeros(9, 2)), "expected different samples"),
        (lambda: gaussian_bias(10, 2, generator(), trials=1), "trials: expected"),
    ],
)
def test_bad_input_is_explained(call: Callable, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()
