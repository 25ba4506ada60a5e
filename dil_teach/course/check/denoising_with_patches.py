"""Exercises of chapter 03: weights of non-local means, a group of BM3D, an atom."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from dil_teach.classical.denoise.transforms import cosine, haar
from dil_teach.course.check.engine import Case, Exercise, as_pair, rand

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


def _others(patches: Tensor, weights: Tensor, dictionary: Tensor, n: int) -> Tensor:
    """The remainders: what all atoms but one leave of each patch."""
    return patches - weights @ dictionary + torch.outer(weights[:, n], dictionary[n])


def _rank_one(remainders: Tensor, old: Tensor, place: int = 0) -> tuple[Tensor, Tensor]:
    """The atom, with the sign of the old one, and its weights."""
    u, s, vh = torch.linalg.svd(remainders, full_matrices=False)
    sign = 1 if vh[place] @ old >= 0 else -1
    return sign * vh[place], sign * s[place] * u[:, place]


def _update(
    solve: Callable = _rank_one,
    remainders: Callable = _others,
    users_of: Callable = lambda weights: weights != 0,
    weighted: Callable = lambda new, old: new,
) -> Callable:
    """A function that updates one atom, with another step."""

    def update_atom(
        patches: Tensor, weights: Tensor, dictionary: Tensor, number: int
    ) -> tuple[Tensor, Tensor]:
        users, changed = users_of(weights[:, number]), weights.clone()
        left = remainders(patches, weights, dictionary, number)[users]
        atom, new = solve(left, dictionary[number])
        changed[users, number] = weighted(new, weights[users, number])
        made = dictionary.clone()
        made[number] = atom
        return made, changed

    return update_atom


def _flipped(remainders: Tensor, old: Tensor) -> tuple[Tensor, Tensor]:
    atom, new = _rank_one(remainders, old)
    return -atom, -new


def _half_flipped(remainders: Tensor, old: Tensor) -> tuple[Tensor, Tensor]:
    atom, new = _rank_one(remainders, old)
    return atom, -new


def _scaled(remainders: Tensor, old: Tensor) -> tuple[Tensor, Tensor]:
    atom, new = _rank_one(remainders, old)
    return new.norm() * atom, new / new.norm()


def _unscaled(remainders: Tensor, old: Tensor) -> tuple[Tensor, Tensor]:
    atom, new = _rank_one(remainders, old)
    return atom, new / new.norm()


def _with_atom(atom: Tensor, remainders: Tensor, old: Tensor) -> tuple[Tensor, Tensor]:
    """An atom of norm 1, with the sign of the old one, and the best weights for it."""
    atom = F.normalize(atom, dim=0) * (1 if atom @ old >= 0 else -1)
    return atom, remainders @ atom


ATOMS = F.normalize(rand(4, 6, seed=8) - 0.5, dim=1)
WEIGHTS = (rand(9, 4, seed=7) - 0.5) * (rand(9, 4, seed=6) > 0.4)
PATCHES = WEIGHTS @ ATOMS + 0.2 * (rand(9, 6, seed=9) - 0.5)
TWO_ATOMS = torch.eye(3)[:2]
DIRECTION = torch.tensor([0.6, 0.8, 0.0])
MULTIPLES = torch.tensor([1.0, -2, 3, 0.5])[:, None] * DIRECTION
ONE_USED = torch.tensor([[1.0, 0], [-1, 0], [2, 0], [1, 0]])

HALF = "You changed the sign of the atom, but not of its weights."


def _signs(answer: Callable) -> dict:
    """Whether the atom times its weights has the wrong sign for some old atom."""
    wrong = False
    for sign in (1, -1):
        used, old = sign * ONE_USED, sign * TWO_ATOMS
        result = answer(MULTIPLES, used, old, 0)
        as_pair(result, (old, used))
        product = torch.outer(result[1][:, 0], result[0][0])
        wrong |= torch.allclose(product, -MULTIPLES, atol=1e-3)
    return {HALF: wrong}


update_atom = Exercise(
    "update_atom",
    _update(),
    [
        _signs,
        Case(
            (MULTIPLES, ONE_USED, TWO_ATOMS, 0),
            "Here, each patch uses only this atom, and is a multiple of one "
            "direction. Which one?",
            wanted=(
                torch.stack([DIRECTION, TWO_ATOMS[1]]),
                torch.tensor([[1.0, 0], [-2, 0], [3, 0], [0.5, 0]]),
            ),
        ),
        Case((MULTIPLES, -ONE_USED, -TWO_ATOMS, 0), "Here, the old atom points away."),
        Case((PATCHES, WEIGHTS, ATOMS, 1)),
        Case((PATCHES, WEIGHTS, ATOMS, 2)),
        Case((3 * PATCHES - 0.2, WEIGHTS, ATOMS, 0)),
    ],
    {
        "The sign is wrong: the scalar product with the old atom must not be "
        "negative.": _update(_flipped),
        HALF: _update(_half_flipped),
        "An atom has norm 1. The singular value belongs to the weights.": _update(
            _scaled
        ),
        "Your weights lack the singular value.": _update(_unscaled),
        "You keep the old weights. The atom and its weights change together.": _update(
            weighted=lambda new, old: old
        ),
        "You return the last singular vector. The first one belongs to the largest "
        "singular value.": _update(partial(_rank_one, place=-1)),
        "You return the mean of the remainders. Weights may be negative, so remainders "
        "can cancel in the mean.": _update(
            lambda e, old: _with_atom(e.mean(0), e, old)
        ),
        "You fit the atom to the old weights. The rank-one approximation changes both "
        "together.": _update(lambda e, old: _with_atom((e @ old) @ e, e, old)),
        "You subtract the mean of the remainders first. Do not change them.": _update(
            lambda e, old: _rank_one(e - e.mean(0), old)
        ),
        "You decompose the patches themselves. Subtract their other atoms "
        "first.": _update(remainders=lambda patches, *others: patches),
        "You subtract the atom itself, too. Its part belongs to the "
        "remainders.": _update(remainders=lambda x, w, d, number: x - w @ d),
        "You use all patches. A patch that does not use the atom must not use it "
        "afterwards.": _update(users_of=lambda weights: weights.abs() >= 0),
        "Patches with a negative weight use the atom, too.": _update(
            users_of=lambda weights: weights > 0
        ),
    },
    "The new atom and its weights describe the remainders better than any others: no "
    "update can increase the error.",
    as_pair,
    tolerance=1e-3,
)
