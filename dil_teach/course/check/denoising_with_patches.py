"""Exercises of chapter 03: weights of non-local means, a group of BM3D, an atom."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach.classical.denoise.transforms import cosine, haar
from dil_teach.course.check.engine import Case, Exercise, rand

# ---- patch_weights


def _excess(distance: Tensor, sigma: float) -> Tensor:
    return (distance - 2 * sigma**2).clamp_min(0)


def _unit(weights: Tensor) -> Tensor:
    return weights / weights.sum()


def _weights(
    patch: Tensor,
    others: Tensor,
    bell: Tensor,
    sigma: float,
    h: float,
    excess: Callable = _excess,
    finish: Callable = _unit,
) -> Tensor:
    """The weights of non-local means, with replaceable parts for mistakes."""
    distance = (bell * (others - patch).square()).sum((1, 2))
    return finish(torch.exp(-excess(distance, sigma) / h**2))


def _equal_bell(
    patch: Tensor, others: Tensor, bell: Tensor, sigma: float, h: float
) -> Tensor:
    return _weights(patch, others, torch.ones_like(bell) / bell.numel(), sigma, h)


def _divided_twice(
    patch: Tensor, others: Tensor, bell: Tensor, sigma: float, h: float
) -> Tensor:
    return _weights(patch, others, bell / bell.numel(), sigma, h)


def _absolute(
    patch: Tensor, others: Tensor, bell: Tensor, sigma: float, h: float
) -> Tensor:
    distance = (bell * (others - patch).abs()).sum((1, 2))
    return _unit(torch.exp(-_excess(distance, sigma) / h**2))


def _twice(
    patch: Tensor, others: Tensor, bell: Tensor, sigma: float, h: float
) -> Tensor:
    return _weights(patch, others, bell, sigma, 2**0.5 * h)


BELL = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
FLAT = torch.zeros(3, 3)
STEPS = torch.stack([FLAT, FLAT + 0.1, FLAT + 0.2])
CENTRED = torch.stack([FLAT, F.pad(torch.tensor([[0.4]]), (1, 1, 1, 1))])

patch_weights = Exercise(
    "patch_weights",
    _weights,
    [
        Case(
            (FLAT, STEPS[:2], BELL, 0.05, 0.1),
            "The second patch differs by 0.1 in each pixel, so its distance is 0.01. "
            "What is the exponent?",
            wanted=_unit(torch.tensor([1.0, 0.6065307])),
        ),
        Case((FLAT, CENTRED, BELL, 0.1, 0.2), "Only the central pixel differs here."),
        Case(
            (FLAT, STEPS, BELL, 0.1, 0.1),
            "Two of the three distances are at most 2 sigma squared.",
        ),
        Case((rand(3, 3), rand(6, 3, 3, seed=1), BELL, 0.1, 0.3)),
        Case((rand(3, 3, seed=2), rand(4, 3, 3, seed=3), BELL.flip(0), 0.2, 0.25)),
    ],
    {
        "Your weights are the same without 2 sigma squared. Do you subtract it and "
        "take the maximum with 0? Without the maximum, it cancels in the division by "
        "the sum.": partial(_weights, excess=lambda d, s: d),
        "Subtract 2 sigma squared, not sigma squared: both patches are noisy.": partial(
            _weights, excess=lambda d, s: (d - s**2).clamp_min(0)
        ),
        "Divide the weights by their sum.": partial(_weights, finish=lambda w: w),
        "Divide the weights by their sum, not by the largest weight.": partial(
            _weights, finish=lambda w: w / w.max()
        ),
        "Divide the distance by the square of h, not by h.": lambda p, o, b, s, h: (
            _weights(p, o, b, s, h**0.5)
        ),
        "Divide the distance by the square of h, not by twice the square.": _twice,
        "You do not use `bell`.": _equal_bell,
        "`bell` has the sum 1 already. Take the sum over the pixels, not the "
        "mean.": _divided_twice,
        "Use squared differences, not absolute differences.": _absolute,
    },
    "Similar patches count, and different patches hardly count.",
)


# ---- threshold_group


def _filtered(
    blocks: Tensor,
    along: Tensor,
    across: Tensor,
    limit: float,
    shrink: Callable = lambda x, limit: x * (x.abs() > limit),
) -> Tensor:
    """The collaborative threshold, with a replaceable shrinkage for mistakes."""
    values = torch.einsum("kn,nij->kij", along, across @ blocks @ across.T)
    planes = torch.einsum("kn,kij->nij", along, shrink(values, limit))
    return across.T @ planes @ across


def _without_stack(b: Tensor, along: Tensor, across: Tensor, limit: float) -> Tensor:
    return _filtered(b, torch.eye(len(b)), across, limit)


def _without_blocks(b: Tensor, along: Tensor, across: Tensor, limit: float) -> Tensor:
    return _filtered(b, along, torch.eye(b.shape[1]), limit)


def _spectrum(b: Tensor, along: Tensor, across: Tensor, limit: float) -> Tensor:
    values = torch.einsum("kn,nij->kij", along, across @ b @ across.T)
    return values * (values.abs() > limit)


def _stack_stays(b: Tensor, along: Tensor, across: Tensor, limit: float) -> Tensor:
    return across.T @ _spectrum(b, along, across, limit) @ across


def _one_side(b: Tensor, along: Tensor, across: Tensor, limit: float) -> Tensor:
    values = torch.einsum("kn,nij->kij", along, across @ b)
    values = values * (values.abs() > limit)
    return across.T @ torch.einsum("kn,kij->nij", along, values)


PAIR = torch.stack([torch.full((2, 2), 0.5), torch.full((2, 2), 0.7)])
GROUP = 0.5 + 0.2 * rand(4, 4, 4, seed=5)

threshold_group = Exercise(
    "threshold_group",
    _filtered,
    [
        Case(
            (PAIR, haar(2), cosine(2), 0.5),
            "Two flat blocks have one coefficient for their sum, and one for their "
            "difference. The difference is below the limit here.",
            wanted=torch.full((2, 2, 2), 0.6),
        ),
        Case((GROUP, haar(4), cosine(4), 0.0), "With limit 0, nothing changes."),
        Case((GROUP, haar(4), cosine(4), 0.1), "Here, the limit is 0.1."),
        Case((rand(2, 8, 8, seed=6) - 0.5, haar(2), cosine(8), 0.3)),
    ],
    {
        "You return the spectrum. Apply the inverse transforms.": _spectrum,
        "You do not transform along the stack.": _without_stack,
        "You do not transform the blocks.": _without_blocks,
        "You transform the columns of each block, but not its rows.": _one_side,
        "You do not invert the transform along the stack.": _stack_stays,
        "You keep the small coefficients, and remove the large ones.": partial(
            _filtered, shrink=lambda x, limit: x * (x.abs() <= limit)
        ),
        "You remove large negative coefficients. Compare their absolute values with "
        "the limit.": partial(_filtered, shrink=lambda x, limit: x * (x > limit)),
        "Do not change the coefficients that stay: this is a hard threshold.": partial(
            _filtered, shrink=lambda x, t: x.sign() * (x.abs() - t).clamp_min(0)
        ),
        "You do not use `limit`.": lambda b, along, across, limit: b,
    },
    "What the blocks have in common stays, and most of the noise is gone.",
)


# ---- update_atom


def _atom(remainders: Tensor, old: Tensor, number: int = 0) -> Tensor:
    atom = torch.linalg.svd(remainders, full_matrices=False).Vh[number]
    return _like(atom, old)


def _like(atom: Tensor, old: Tensor) -> Tensor:
    return atom if atom @ old >= 0 else -atom


def _scaled(remainders: Tensor, old: Tensor) -> Tensor:
    return torch.linalg.svd(remainders, full_matrices=False).S[0] * _atom(
        remainders, old
    )


def _mean(remainders: Tensor, old: Tensor) -> Tensor:
    return _like(F.normalize(remainders.mean(0), dim=0), old)


def _least_squares(remainders: Tensor, old: Tensor) -> Tensor:
    """The atom that fits best if the weights stay as they are."""
    return _like(F.normalize((remainders @ old) @ remainders, dim=0), old)


def _without_mean(remainders: Tensor, old: Tensor) -> Tensor:
    return _atom(remainders - remainders.mean(0), old)


DIRECTION = torch.tensor([0.6, 0.8, 0.0])
MULTIPLES = torch.tensor([1.0, -2, 3, 0.5])[:, None] * DIRECTION
NEAR_ATOM = torch.tensor([1.0, 0, 0])
CLOUD = rand(9, 4, seed=7) - 0.3
OLD = F.normalize(rand(4, seed=8) - 0.5, dim=0)

update_atom = Exercise(
    "update_atom",
    _atom,
    [
        Case(
            (MULTIPLES, NEAR_ATOM),
            "Here, each remainder is a multiple of one direction. Which one?",
            wanted=DIRECTION,
        ),
        Case(
            (MULTIPLES, -NEAR_ATOM),
            "Here, the old atom points away.",
            wanted=-DIRECTION,
        ),
        Case((CLOUD, OLD)),
        Case((rand(12, 6, seed=9) - 0.5, F.normalize(rand(6, seed=10), dim=0))),
    ],
    {
        "The sign is wrong: the scalar product with `old` must not be "
        "negative.": lambda e, old: -_atom(e, old),
        "You do not use `old`. Choose the sign of the atom.": lambda e, old: (
            torch.linalg.svd(e, full_matrices=False).Vh[0]
        ),
        "An atom has norm 1. The singular value belongs to the weights.": _scaled,
        "You return the last singular vector. The first one belongs to the largest "
        "singular value.": partial(_atom, number=-1),
        "You return the mean of the remainders. Weights may be negative, so remainders "
        "can cancel in the mean.": _mean,
        "You keep the old weights. The atom and the weights change together.": (
            _least_squares
        ),
        "You subtract the mean of the remainders first. Do not change them.": (
            _without_mean
        ),
    },
    "The new atom describes its patches better than any other single atom.",
    tolerance=1e-3,
)
