"""The column warp is compared with all possible sequences and with known answers."""

import itertools

import pytest
import torch
from torch import Tensor

from dil_teach import coherence, completeness, photo, resize
from dil_teach.classical.retarget.column_warp import (
    PLACE,
    cheapest_sequence,
    column_distances,
    column_sequence,
    column_warp,
    narrower_costs,
    wider_costs,
)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_distances_are_those_of_windows() -> None:
    image = noise(3, 5, 12)
    padded = torch.cat([image[..., :1]] * 4 + [image] + [image[..., -1:]] * 4, -1)
    for a, b in itertools.product(range(14), repeat=2):
        differ = padded[..., a : a + 7] - padded[..., b : b + 7]
        expected = differ.square().mean().item()
        assert column_distances(image)[a, b] == pytest.approx(expected, abs=1e-6)


def price(unlike: Tensor, sequence: tuple[int, ...], width: int) -> float:
    """The cost of a sequence, computed as the docstring of column_sequence says."""
    columns = len(unlike) - 2  # a column's place is its number and one
    total = sum(
        PLACE * ((x + 0.5) / columns - (i + 0.5) / width) ** 2
        for i, x in enumerate(sequence)
    )
    wider = width > columns
    if wider and (sequence[0], sequence[-1]) != (0, columns - 1):
        return torch.inf
    for a, b in itertools.pairwise((-1, *sequence, columns)):
        if (b > a + 1) if wider else (b <= a):
            return torch.inf
        if b != a + 1 and a >= 0 and b < columns:
            total += (unlike[a + 2, b + 1] + unlike[a + 1, b]).item() / 2
        for gone in range(a + 1, b):
            kept = [*range(a + 1), *range(b, columns)]
            total += min(unlike[gone + 1, x + 1].item() for x in kept)
    return total


@pytest.mark.parametrize("width", [1, 3, 5, 6, 7])
@pytest.mark.parametrize("seed", range(3))
def test_no_sequence_costs_less(width, seed) -> None:
    image = noise(1, 4, 5, seed=seed)
    unlike = column_distances(image)
    costs = wider_costs(unlike) if width > 5 else narrower_costs(unlike)
    found = tuple(cheapest_sequence(costs, width).tolist())
    assert found == tuple(column_sequence(image, width).tolist())
    every = itertools.product(range(5), repeat=width)
    least = min(price(unlike, sequence, width) for sequence in every)
    assert price(unlike, found, width) == pytest.approx(least, abs=1e-6)


def test_the_same_width_is_the_same_image() -> None:
    image = noise(3, 9, 20)
    assert torch.equal(column_warp(image, 20), image)


@pytest.mark.parametrize("width", [24, 48, 72])
def test_stripes_keep_their_period(width) -> None:
    stripe = noise(3, 20, 12)
    image = stripe.repeat(1, 1, 4)  # the pattern repeats every twelve columns
    expected = stripe.repeat(1, 1, 6)[:, :, :width]
    assert torch.equal(column_warp(image, width), expected)


@pytest.mark.parametrize("width", [25, 40, 100])
def test_a_wider_result_leaves_no_column_out(width) -> None:
    sequence = column_sequence(noise(1, 10, 24), width)
    assert sequence.unique().tolist() == list(range(24))
    assert sequence.diff().max() == 1


def test_it_beats_resizing_by_the_measures_of_patches() -> None:
    image = resize(photo("brick"), size=(48, 64)).clamp(0, 1)
    for width in (32, 128):
        plain = resize(image, size=(48, width)).clamp(0, 1)
        warped = column_warp(image, width)
        assert coherence(image, warped) < coherence(image, plain)
        assert completeness(image, warped) < completeness(image, plain)


def test_no_width_is_refused() -> None:
    with pytest.raises(ValueError, match="width: expected at least 1"):
        column_warp(noise(1, 8, 8), 0)


def test_a_window_as_long_as_a_brick_keeps_bricks_whole() -> None:
    """A shorter window sees no joint in the middle of a brick, and repeats columns."""
    course = torch.zeros(1, 4, 80)
    course[:, :, ::16] = 1  # a joint after each brick of 15 pixels
    joints = column_warp(course, 144, window=17)[0, 0].nonzero().flatten()
    assert set(joints.diff().tolist()) == {16}
    joints = column_warp(course, 144)[0, 0].nonzero().flatten()
    assert max(joints.diff().tolist()) > 16
