"""The symbols of a ``.frac`` file: their order and their probabilities."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat

import numpy as np
import torch

from dil_teach.classical.fractal.arithmetic import Counts, Decoder, Encoder
from dil_teach.classical.fractal.domains import REACHES, Squares, squares
from dil_teach.classical.fractal.quadtree import (
    MOST_STEP,
    Level,
    children,
    grid_corners,
)

MOST_DIFFERENCE = 400
"""Largest difference of a mean from its prediction, in grey levels."""
EDGES = (4, 16)
"""Differences of the means above and to the left, in grey levels, from which on a
prediction counts as uncertain and as very uncertain."""
Map = list[int]
"""Reach, contrast, isometry, place of the domain in its square, and mean."""


class _Model:
    """The adaptive probabilities of one level."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.split = Counts([12] * 2)
        self.reach = Counts([12] * (len(REACHES) + 1))
        self.contrast = Counts([10] * 30)
        self.isometry = [Counts([20] * reach.isometries) for reach in REACHES]
        self.most = MOST_DIFFERENCE // step
        differences = range(-self.most, self.most + 1)
        # small differences are more probable
        first = [max(round(60 * 0.8 ** abs(n)), 1) for n in differences]
        self.mean = [Counts(first) for _ in range(len(EDGES) + 1)]


def code_levels(
    coder: Encoder | Decoder,
    size: tuple[int, int],
    sides: tuple[int, ...],
    given: Sequence[Level] = (),
) -> tuple[Level, ...]:
    """Write the levels of a channel, or read them if none are given.

    A decoder raises an EOFError if its content ends too early.
    """
    trees, models = _code_tree(coder, size, sides, given)
    half = size[0] // 2, size[1] // 2
    within = [_leaf_squares(tree, half) for tree in trees]
    known: Iterable[Iterable[Map]] = repeat(repeat([0] * 5), len(trees))
    if given:
        known = [_to_maps(*pair) for pair in zip(given, within, strict=True)]
    known, maps = [iter(each) for each in known], [[] for _ in trees]
    # the means of the blocks so far, in grey levels
    cell, seen = sides[-1], np.zeros([length // sides[-1] for length in size], int)
    starts = [(tree.corner[~tree.split] // cell).numpy() for tree in trees]
    for depth, number in walk([tree.split.tolist() for tree in trees]):
        model, (reach, contrast, turn, place, mean) = models[depth], next(known[depth])
        reach = coder.symbol(reach, model.reach)
        if reach:
            # contrast is never 0 here
            symbol = coder.symbol(contrast + 15 - (contrast > 0), model.contrast)
            contrast = symbol - 15 + (symbol >= 15)
            turn = coder.symbol(turn, model.isometry[reach - 1])
            place = coder.uniform(place, within[depth][reach - 1].count)
        row, column = starts[depth][number].tolist()
        wide = sides[depth] // cell
        guess, edge = predict_mean(seen, row, column, wide)
        guess = round(guess / model.step) - model.most
        mean = guess + coder.symbol(mean - guess, model.mean[edge])
        seen[row : row + wide, column : column + wide] = mean * model.step
        maps[depth].append([reach, contrast, turn, place, mean])
    return tuple(_to_level(*each) for each in zip(trees, maps, within, strict=True))


def predict_mean(
    seen: np.ndarray, row: int, column: int, wide: int
) -> tuple[float, int]:
    """The mean of the blocks above and to the left, and the class of its uncertainty.

    Parameters
    ----------
    seen : ndarray
        Grey levels of the blocks so far, in cells of the smallest side.
    row, column, wide : int
        The place and the side of the block, in cells.
    """
    above = seen[row - 1, column : column + wide].sum() if row else None
    left = seen[row : row + wide, column - 1].sum() if column else None
    known = [int(each) / wide for each in (above, left) if each is not None]
    if len(known) < 2:
        return (known[0] if known else 128.0), len(EDGES)
    difference = abs(known[0] - known[1])
    return sum(known) / 2, sum(difference > edge for edge in EDGES)


def walk(splits: Sequence[Sequence[bool]]) -> Iterator[tuple[int, int]]:
    """The level of each range block and its number in the level, block by block.

    The four quarters of a block follow one another. So the neighbours above a range
    block and to the left of it come before it.
    """
    blocks, leaves = [0] * len(splits), [0] * len(splits)

    def visit(depth: int) -> Iterator[tuple[int, int]]:
        blocks[depth] += 1
        if splits[depth][blocks[depth] - 1]:
            for _ in range(4):
                yield from visit(depth + 1)
        else:
            leaves[depth] += 1
            yield depth, leaves[depth] - 1

    for _ in splits[0]:
        yield from visit(0)


def _code_tree(
    coder: Encoder | Decoder,
    size: tuple[int, int],
    sides: tuple[int, ...],
    given: Sequence[Level],
) -> tuple[list[Level], list[_Model]]:
    """The levels without their maps."""
    trees, models, corner = [], [], grid_corners(size, sides[0])
    for depth, side in enumerate(sides):
        step = 1 + coder.uniform(given[depth].step - 1 if given else 0, MOST_STEP)
        models.append(_Model(step))
        flags = given[depth].split.int().tolist() if given else [0] * len(corner)
        if side != sides[-1]:
            flags = [coder.symbol(flag, models[-1].split) for flag in flags]
        none = torch.zeros(0, dtype=torch.long)
        split = torch.tensor(flags, dtype=torch.bool)
        trees.append(Level(side, step, corner, split, *[none] * 5))
        corner = children(trees[-1])
    return trees, models


def _leaf_squares(tree: Level, half: tuple[int, int]) -> list[Squares]:
    corner = tree.corner[~tree.split]
    return [squares(corner, tree.side, half, reach) for reach in REACHES]


def _to_maps(level: Level, within: Sequence[Squares]) -> list[Map]:
    places = [torch.zeros_like(level.domain), *(s.place(level.domain) for s in within)]
    place = torch.stack(places).gather(0, level.reach[None])[0]
    fields = level.reach, level.contrast, level.isometry, place, level.mean
    return torch.stack(fields, 1).tolist()


def _to_level(tree: Level, maps: list[Map], within: Sequence[Squares]) -> Level:
    fields = torch.tensor(maps, dtype=torch.long).view(len(maps), 5)
    reach, contrast, isometry, place, mean = fields.unbind(1)
    domains = [torch.zeros_like(place), *(s.domain(place) for s in within)]
    domain = torch.stack(domains).gather(0, reach[None])[0]
    split = tree.side, tree.step, tree.corner, tree.split
    return Level(*split, mean, reach, contrast, isometry, domain)
