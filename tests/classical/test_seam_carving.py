"""Seam carving is compared with all seams and with a plain version; masks; sizes."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from dil_teach import photo
from dil_teach.classical.seams.fast_seams import fast_seams_in_turn
from dil_teach.classical.seams.seam_carving import (
    at_width,
    carve,
    remove_object,
    seam_order,
)
from dil_teach.classical.seams.seams import (
    ENERGIES,
    Energy,
    energy_map,
    find_seam,
    seam_energy,
)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def all_seams(height: int, width: int) -> list[Tensor]:
    seams = []
    for start in range(width):
        for steps in itertools.product((-1, 0, 1), repeat=height - 1):
            seam = torch.tensor([start, *steps]).cumsum(0)
            if seam.min() >= 0 and seam.max() < width:
                seams.append(seam)
    return seams


def without(image: Tensor, seam: Tensor) -> Tensor:
    keep = torch.arange(image.shape[-1]) != seam[:, None]
    return image[..., keep].view(*image.shape[:-1], -1)


@pytest.mark.parametrize("shape", [(5, 4), (3, 5, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_no_seam_costs_less_than_the_one_found(shape, seed) -> None:
    costs = noise(*shape, seed=seed)
    found = find_seam(costs)
    assert found.diff().abs().max() <= 1
    least = min(seam_energy(costs, seam) for seam in all_seams(5, 4))
    assert seam_energy(costs, found) == pytest.approx(least, abs=1e-6)


def test_a_seam_that_jumps_has_no_energy() -> None:
    for seam in ([0, 2, 2], [2, 0, 0]):
        with pytest.raises(ValueError, match="at most one column from row to row"):
            seam_energy(noise(3, 4), torch.tensor(seam))


def test_forward_energy_is_what_new_neighbours_differ_by() -> None:
    image = noise(1, 4, 7)
    costs = energy_map(image, "forward")
    grey = costs.new_tensor(np.arange(28)).view(4, 7)  # all values differ
    brightness = energy_map_grey(image)
    pairs = set(neighbours(grey))
    for seam in all_seams(4, 7):
        if 0 < seam.min() and seam.max() < 6:  # at a border the only neighbour is lost
            new = set(neighbours(without(grey, seam))) - pairs
            differ = [abs(brightness[a] - brightness[b]) for a, b in new]
            assert seam_energy(costs, seam) == pytest.approx(sum(differ), abs=1e-5)


def energy_map_grey(image: Tensor) -> list[float]:
    """Luma of a grey image by BT.601: from 16 to 235, divided by 255."""
    return ((16 + 219 * image[0]) / 255).flatten().tolist()


def neighbours(grey: Tensor) -> list[tuple[int, int]]:
    beside = zip(grey[:, :-1].flatten(), grey[:, 1:].flatten(), strict=True)
    below = zip(grey[:-1].flatten(), grey[1:].flatten(), strict=True)
    return [(int(a), int(b)) for a, b in (*beside, *below)]


def seams_in_turn(image: Tensor, count: int, energy: Energy, bias: Tensor) -> Tensor:
    """The plain version of `fast_seams_in_turn`."""
    seams = []
    for _ in range(count):
        seam = find_seam(energy_map(image, energy) + bias)
        image, bias = without(image, seam), without(bias, seam)
        seams.append(seam)
    return torch.stack(seams)


@pytest.mark.parametrize("energy", ENERGIES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("biased", [False, True])
def test_the_fast_seams_are_the_plain_ones(energy, channels, biased) -> None:
    image = noise(channels, 20, 18)
    bias = 80 * (noise(20, 18, seed=1).round() - noise(20, 18, seed=2).round())
    given = image, 17, energy, biased * bias.double()
    assert torch.equal(fast_seams_in_turn(*given), seams_in_turn(*given))


@pytest.mark.parametrize("energy", ENERGIES)
def test_the_fast_seams_are_the_plain_ones_on_a_photograph(energy) -> None:
    image = photo("coffee", size=48)  # smooth parts, where energies nearly tie
    given = image, 30, energy, torch.zeros(image.shape[1:])
    assert torch.equal(fast_seams_in_turn(*given), seams_in_turn(*given))


@pytest.mark.parametrize("energy", ENERGIES)
def test_the_order_removes_the_seams_in_turn(energy) -> None:
    image = noise(3, 20, 18)
    order = seam_order(image, 17, energy=energy)
    left, column = image, torch.arange(18).expand(20, 18)
    for i, seam in enumerate(seams_in_turn(image, 17, energy, torch.zeros(20, 18))):
        gone = column.gather(1, seam[:, None])
        assert (order.gather(1, gone) == i).all()
        left, column = without(left, seam), without(column, seam)
        assert torch.equal(at_width(image, order, 17 - i), left)
    assert ((order == 17).sum(1) == 1).all()


def test_a_wider_image_has_means_beside_the_first_seams() -> None:
    image = torch.tensor([[[0.0, 0.2, 0.6, 1.0], [0.0, 0.2, 0.6, 1.0]]])
    order = torch.tensor([[2, 0, 2, 1], [0, 2, 1, 2]])
    wider = at_width(image, order, 6)
    expected = [[[0, 0.2, 0.4, 0.6, 1, 1], [0, 0.1, 0.2, 0.6, 0.8, 1]]]
    assert torch.allclose(wider, torch.tensor(expected))
    assert torch.equal(at_width(image, order, 4), image)


@pytest.mark.parametrize("energy", ENERGIES)
def test_masks_say_where_seams_go_first_and_last(energy) -> None:
    image = noise(3, 16, 24)
    protect = torch.zeros(16, 24, dtype=torch.bool)
    protect[4:12, 4:10] = True  # eighteen seams can pass beside it
    order = seam_order(image, 18, energy=energy, protect=protect)
    assert (order[protect] == 18).all()
    remove = torch.zeros(16, 24)
    remove[:, 3:6] = 1  # whole columns: three seams remove exactly these columns
    order = seam_order(image, 3, energy=energy, remove=remove)
    assert torch.equal(order < 3, remove > 0)
    both = seam_order(image, 1, energy=energy, protect=remove, remove=remove)
    assert (both[remove > 0] == 1).all()  # pixels in both masks stay


@pytest.mark.parametrize("size", [(12, 16), (12, 9), (7, 16), (5, 30), (50, 3), (1, 1)])
@pytest.mark.parametrize("energy", ENERGIES)
def test_any_size_is_reached(size, energy) -> None:
    image = noise(3, 12, 16)
    result = carve(image, size, energy=energy)
    assert result.shape == (3, *size)
    assert result.min() >= image.min() and result.max() <= image.max()
    assert torch.equal(result, carve(image, size, energy=energy))
    if size == (12, 16):
        assert torch.equal(result, image)


def test_rows_are_carved_as_columns_of_the_transpose() -> None:
    image, remove = noise(1, 12, 16), noise(12, 16, seed=1) > 0.7
    upright = carve(image.mT.contiguous(), (16, 8), remove=remove.mT)
    assert torch.equal(carve(image, (8, 16), remove=remove), upright.mT)


def test_what_is_protected_is_not_doubled() -> None:
    image = noise(1, 12, 20) / 2
    image[:, :, 8:12] = 1
    wide = carve(image, (12, 26), protect=image[0] == 1)
    assert ((wide == 1).sum(2) == 4).all()


@pytest.mark.parametrize("rows", [(2, 5), (2, 11)])
@pytest.mark.parametrize("restore", [True, False])
def test_an_object_goes_and_the_size_comes_back(rows, restore) -> None:
    image = noise(3, 14, 14) / 2
    image[:, slice(*rows), 4:9] = 1
    mask = image[0] == 1
    result = remove_object(image, mask, size=(14, 14) if restore else None)
    assert result.max() <= 0.5
    lost = min(rows[1] - rows[0], 5)  # seams run across its longer side
    smaller = (14 - lost, 14) if lost < 5 else (14, 14 - lost)
    assert result.shape[1:] == ((14, 14) if restore else smaller)


def test_an_object_that_is_closed_off_is_refused() -> None:
    image = noise(1, 8, 8)
    line = torch.zeros(8, 8, dtype=torch.bool)
    line[3] = line[:, 3] = True
    with pytest.raises(ValueError, match="remove: expected an object"):
        remove_object(image, line)
    spot = torch.zeros(8, 8, dtype=torch.bool)
    spot[4, 4] = True
    with pytest.raises(ValueError, match="protect: expected seams"):
        remove_object(image, spot, protect=spot)


def test_what_cannot_be_is_refused() -> None:
    image = noise(1, 8, 8)
    with pytest.raises(ValueError, match="size: expected"):
        carve(image, (0, 8))
    with pytest.raises(ValueError, match="count: expected 1 to 7"):
        seam_order(image, 8)
    with pytest.raises(ValueError, match="protect: expected 0 to 1"):
        carve(image, (8, 6), protect=noise(8, 7))
    with pytest.raises(ValueError, match="remove: expected 0 to 1"):
        carve(image, (8, 6), remove=2 + noise(8, 8))
    with pytest.raises(ValueError, match="width: expected 5 to 11 pixels, got 12"):
        at_width(image, seam_order(image, 3), 12)


@pytest.mark.parametrize("energy", ENERGIES)
def test_the_peer_finds_seams_of_the_same_energy(energy) -> None:
    peer = pytest.importorskip("seam_carving.carve", reason="seam-carving is a peer")
    image = noise(1, 40, 50)
    costs = energy_map(image, energy)
    if energy == "forward":
        grey = np.float32(energy_map_grey(image)).reshape(40, 50)
        seam = peer._get_forward_seam(grey, None)
    else:
        seam = peer._get_backward_seam(costs.numpy())
    theirs = seam_energy(costs, torch.from_numpy(seam).long())
    assert seam_energy(costs, find_seam(costs)) == pytest.approx(theirs, rel=1e-6)
