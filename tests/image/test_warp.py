"""Geometric transformations move points to known positions and back."""

import math

import pytest
import torch

from dil_teach.image.photos import photo
from dil_teach.image.resize import resize
from dil_teach.image.warp import (
    NODES,
    SQUARE,
    homography,
    pixel_centres,
    random_homography,
    random_smooth_warp,
    resizing,
    smooth_warp,
    warp,
)

CPU = torch.device("cpu")
INNER = torch.tensor([[-0.8, -0.9], [0.7, -0.6], [0.9, 0.8], [-0.6, 0.7]])


def bend(amount: float, seed: int = 0) -> torch.Tensor:
    drawn = torch.zeros(5, 5, 2)
    rng = torch.Generator().manual_seed(seed)
    drawn[1:-1, 1:-1] = amount * (2 * torch.rand(3, 3, 2, generator=rng) - 1)
    return drawn


def test_resizing_is_what_resize_does() -> None:
    image = photo("astronaut", size=40)[None]
    found = warp(image, resizing(0.5, 1.75), (20, 70))
    assert torch.equal(found, resize(image, size=(20, 70)))
    assert resizing(0.5, 1.75).size_of((40, 40)) == (20, 70)
    assert resizing(0.5, 2).inverse() == resizing(2, 0.5)


def test_places_of_pixels_are_their_centres() -> None:
    places = pixel_centres((2, 4), CPU)
    assert places[0, 0].tolist() == [-0.75, -0.5]
    assert places[1, 3].tolist() == [0.75, 0.5]


def test_a_warp_without_a_known_inverse_raises() -> None:
    outwards = torch.stack(
        torch.meshgrid(*2 * [torch.linspace(-1, 1, 5)], indexing="xy"), -1
    )
    spread = smooth_warp(0.5 * outwards)
    assert (spread.output - spread.source / 1.5**2).abs().max() < 0.03
    with pytest.raises(ValueError, match="whose inverse is not found"):
        smooth_warp(1.2 * outwards)


def test_random_warps_depend_on_the_seed_and_on_the_reach() -> None:
    for draw in (random_homography, random_smooth_warp):
        first, again, other = (
            draw((1, 2), 0.15, torch.Generator().manual_seed(seed))
            for seed in (0, 0, 1)
        )
        assert torch.equal(first.source, again.source)
        assert not torch.equal(first.source, other.source)
        still = draw((1, 2), 0.0, torch.Generator().manual_seed(0))
        places = still.places((20, 30), CPU)
        assert (places - pixel_centres((20, 30), CPU)).abs().max() < 1e-4


def test_a_random_warp_that_folds_is_made_weaker() -> None:
    folded = random_smooth_warp((1, 1), 3.0, torch.Generator().manual_seed(0))
    moved = (folded.source - resizing(1, 1).places((NODES, NODES), CPU)).abs().max()
    assert 0 < moved < 1.5


def test_fixed_corners_give_the_identity() -> None:
    still = homography(SQUARE)
    assert (
        still.places((30, 20), CPU) - pixel_centres((30, 20), CPU)
    ).abs().max() < 1e-5
    assert still.inside((30, 20), CPU).all()


def test_a_homography_moves_the_corners_to_the_given_places() -> None:
    moved = homography(INNER)
    assert moved.output is not None
    corners = moved.output[[0, 0, -1, -1], [0, -1, -1, 0]]
    assert (corners - INNER).abs().max() < 1e-4


def test_pixels_outside_the_quadrilateral_come_from_outside_the_image() -> None:
    size = (60, 80)
    inside = homography(INNER).inside(size, CPU)
    # the area of the quadrilateral, by the shoelace formula, out of 2 x 2
    x, y = INNER.T
    after = INNER.roll(-1, 0)
    area = float((x * after[:, 1] - y * after[:, 0]).sum()) / 2
    assert float(inside.float().mean()) == pytest.approx(area / 4, abs=0.01)
    assert not inside[0, 0] and inside[30, 40]


@pytest.mark.parametrize("transformation", [homography(INNER), smooth_warp(bend(0.15))])
def test_the_inverse_brings_each_place_back(transformation) -> None:
    inverse = transformation.inverse()
    nodes = inverse.source  # where in the output each node of the image lies
    grid = nodes.permute(2, 0, 1)[None]
    there = torch.nn.functional.grid_sample(
        transformation.source.permute(2, 0, 1)[None], nodes[None], align_corners=True
    )
    steps = torch.linspace(-1, 1, NODES)
    home = torch.stack(torch.meshgrid(steps, steps, indexing="xy"))
    inner = (grid[0].abs() < 0.99).all(0)
    # linear between the nodes: a fortieth of the distance between two of them
    assert (there[0] - home)[:, inner].abs().max() < 2 / (NODES - 1) / 40


def test_there_and_back_is_nearly_the_image() -> None:
    image = resize(photo("astronaut", size=16), 4)[None]  # smooth
    transformation = smooth_warp(bend(0.15), (1.5, 2.0))
    size = transformation.size_of((64, 64))
    back = warp(warp(image, transformation, size), transformation.inverse(), (64, 64))
    error = (back - image).square().mean()
    assert error < (image - image.mean()).square().mean() / 100


def test_warp_takes_the_values_at_the_places() -> None:
    across = pixel_centres((50, 60), CPU)[..., 0]  # an image of its own x coordinate
    transformation = smooth_warp(bend(0.1, seed=3))
    moved = warp(across[None, None], transformation, (50, 60))[0, 0]
    wanted = transformation.places((50, 60), CPU)[..., 0]
    assert (moved - wanted)[2:-2, 2:-2].abs().max() < 0.01


def test_invalid_transformations_raise() -> None:
    with pytest.raises(ValueError, match="scale: expected a positive number"):
        resizing(0, 1)
    with pytest.raises(ValueError, match="scale: expected a positive number"):
        homography(SQUARE, (1, math.inf))
    with pytest.raises(ValueError, match="corners: expected"):
        homography(SQUARE.flip(0))
    with pytest.raises(ValueError, match="corners: expected"):
        homography(torch.tensor([[-1.0, -1], [1, -1], [-0.9, -0.9], [-1, 1]]))
    with pytest.raises(ValueError, match="without folds"):
        smooth_warp(bend(1.5))
