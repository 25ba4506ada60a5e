"""Tests of the last pass of completion, and of the graph cut that it uses."""

import itertools

import torch

from dil_teach.classical.completion.copies import _expand, copy_pieces
from dil_teach.classical.completion.windows import interpolate, recurring_windows
from dil_teach.classical.graph_cut import graph_cut


def test_the_graph_cut_has_the_minimum_cost() -> None:
    rng = torch.Generator().manual_seed(0)
    here = torch.tensor([0, 1, 2, 3, 4, 5, 0, 2])
    there = torch.tensor([1, 2, 3, 4, 5, 6, 4, 6])
    for _ in range(10):
        inside, outside = torch.rand(2, 7, generator=rng)
        cost = torch.rand(8, generator=rng) / 2

        def total(mask, inside=inside, outside=outside, cost=cost):
            parts = cost[mask[here] != mask[there]].sum()
            return float(torch.where(mask, inside, outside).sum() + parts)

        every = itertools.product((False, True), repeat=7)
        best = min(total(torch.tensor(mask)) for mask in every)
        assert total(graph_cut(inside, outside, [(here, there, cost)])) < best + 0.01


def test_no_offset_for_all_pixels_is_better_than_the_chosen_ones() -> None:
    rng = torch.Generator().manual_seed(0)
    cost = torch.rand(4, 12, generator=rng) / 4
    colours = torch.rand(3, 4, 12, generator=rng)
    here, there = torch.arange(11), torch.arange(1, 12)
    chosen = _expand(cost, colours, torch.stack([here, there]))

    def total(chosen: torch.Tensor) -> float:
        one, other = colours[:, chosen[here]], colours[:, chosen[there]]
        pairs = torch.arange(11)
        seams = [
            (one[:, pairs, at] - other[:, pairs, at]).square().sum(0).sqrt().sum()
            for at in (here, there)
        ]
        return float(cost[chosen, torch.arange(12)].sum() + sum(seams))

    assert all(total(chosen) <= total(torch.full((12,), k)) + 1e-5 for k in range(4))
    assert total(chosen) < total(cost.argmin(0))


def test_a_texture_that_recurs_is_copied_exactly() -> None:
    texture = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(1))
    image = torch.cat([texture, texture], 2)[:, None]
    hole = torch.zeros(1, 40, 80, dtype=torch.bool)
    hole[:, 12:26, 10:22] = True
    blurred = torch.where(hole, 0.5, image)
    offsets = recurring_windows(image * ~hole, hole)
    assert [0, 0, 40] in offsets.tolist()
    wrong = torch.tensor([[0, 0, 30], [0, 3, 41]])
    copied = copy_pieces(blurred, hole, wrong, 3)
    assert torch.equal(copied, image)


def test_thin_parts_and_parts_without_source_keep_their_votes() -> None:
    image = torch.rand(1, 1, 30, 30, generator=torch.Generator().manual_seed(2))
    hole = torch.zeros(1, 30, 30, dtype=torch.bool)
    hole[:, 4:8, 3:25] = True
    copied = copy_pieces(image, hole, torch.tensor([[0, 10, 0]]), 1)
    assert torch.equal(copied, image)
    film, lost = image.expand(1, 2, 30, 30), hole.new_ones(2, 30, 30)
    lost[0, :10] = False
    copied = copy_pieces(film, lost, torch.tensor([[0, -3, 0]]), 1)
    assert torch.equal(copied[:, 1], film[:, 1])


def test_interpolation_continues_a_plane() -> None:
    y, x = torch.meshgrid(torch.arange(12.0), torch.arange(15.0), indexing="ij")
    plane = (0.3 * y - 0.1 * x)[None]
    hole = torch.zeros(1, 12, 15, dtype=torch.bool)
    hole[:, 3:9, 4:11] = True
    filled = interpolate(torch.where(hole, 99.0, plane), hole)
    assert torch.allclose(filled, plane, atol=1e-5)
