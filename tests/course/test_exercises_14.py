"""The exercises of chapter 14: what planted mistakes are told, and other answers."""

import re

import pytest
import torch

from dil_teach.course import check


def composed(front, back, mask):
    return mask * front + (1 - mask) * back


def hard(front, back, mask):
    return torch.where(mask > 0.5, front, back)


def edges(x, dim):
    return x.diff(dim=dim).abs()


def strength(x, times=2.0):
    return torch.tanh(x / (times * x.abs().mean()).clamp_min(1e-6))


def excluded(a, b, product=lambda x, y: strength(x) * strength(y), dims=(1, 2)):
    means = [product(edges(a, d), edges(b, d)).mean() for d in dims]
    return torch.stack(means).mean()


def without_guard(a, b):
    def squashed(x):
        return torch.tanh(x / (2 * x.mean()))

    return excluded(a, b, lambda x, y: squashed(x) * squashed(y))


def guarded_afterwards(a, b):
    return without_guard(a, b).nan_to_num()


def rooted_and_squared(a, b):
    return excluded(a, b, lambda x, y: (strength(x) * strength(y)).sqrt() ** 2)


def one_mean(a, b):
    both = [torch.cat([edges(x, d).flatten() for d in (1, 2)]) for x in (a, b)]
    return (strength(both[0]) * strength(both[1])).mean()


def signed(a, b):
    pairs = [(a.diff(dim=d), b.diff(dim=d)) for d in (1, 2)]
    return sum((strength(x) * strength(y)).mean() for x, y in pairs) / 2


def unmixed(first, second, a1, a2):
    difference = (first - second) / (a1 - a2)
    return first + (1 - a1) * difference, second - a2 * difference


def one_equation_each(first, second, a1, a2):
    """Right, but for a mixture in which one layer does not occur."""
    x, _ = unmixed(first, second, a1, a2)
    return x, (second - a2 * x) / (1 - a2)


MISTAKES = {
    "compose": {
        "changed places": lambda f, b, m: composed(b, f, m),
        "back shines through": lambda f, b, m: m * f + b,
        "Where is the back": lambda f, b, m: m * f,
        "made hard": hard,
        "left over": lambda f, b, m: m * (f + b),
        "add up to 1": lambda f, b, m: m * f + (1 - m) * b + 0.1 * (len(f) > 1),
        r"shape of the picture should be \(3, 5, 6\)": lambda f, b, m: composed(
            f, b, m
        ).mean(0, keepdim=True),
        "NumPy array": lambda f, b, m: composed(f, b, m).numpy(),
        "is there a `return`": lambda f, b, m: None,
    },
    "exclusion": {
        "edges are as they are": lambda a, b: excluded(a, b, lambda x, y: x * y),
        "squashed, but not divided": lambda a, b: excluded(
            a, b, lambda x, y: x.tanh() * y.tanh()
        ),
        "not squashed": lambda a, b: excluded(
            a, b, lambda x, y: x * y / (4 * x.mean() * y.mean()).clamp_min(1e-9)
        ),
        "Wanted is twice": lambda a, b: excluded(
            a, b, lambda x, y: strength(x, 1) * strength(y, 1)
        ),
        "are summed": lambda a, b: excluded(
            a, b, lambda x, y: (strength(x) * strength(y)).sum()
        ),
        "Only edges downwards": lambda a, b: excluded(a, b, dims=(1,)),
        "Only edges across": lambda a, b: excluded(a, b, dims=(2,)),
        "two directions were added": lambda a, b: 2 * excluded(a, b),
        "divided by one mean": one_mean,
        "sign is left in": signed,
        "strengths were added": lambda a, b: excluded(
            a, b, lambda x, y: strength(x) + strength(y)
        ),
        "root was taken": lambda a, b: excluded(a, b).sqrt(),
        "over which axes": lambda a, b: strength(edges(a, 2)) * strength(edges(b, 2)),
        "NaN or infinite": without_guard,
        "its gradient is not": rooted_and_squared,
        "downwards there are none, 0": lambda a, b: excluded(a, b) + 0.3,
        "No gradient": lambda a, b: excluded(a, b).item(),
        "one of them pale": lambda a, b: (
            excluded(a, b) * (0.9 if a.max() < 0.3 else 1.0)
        ),
        "none meet": lambda a, b: excluded(a, b) + 0.1 * (a.std() == 0),
    },
    "solve_mixtures": {
        "have changed places: first comes x": lambda *given: unmixed(*given)[::-1],
        "of which .a1. and .a2. are the shares": lambda f, s, a1, a2: unmixed(
            f, s, 1 - a1, 1 - a2
        ),
        "goes the wrong way": lambda f, s, a1, a2: (
            f - (1 - a1) * (f - s) / (a1 - a2),
            s + a2 * (f - s) / (a1 - a2),
        ),
        "a1 and a2 have changed": lambda f, s, a1, a2: unmixed(f, s, a2, a1),
        r"divided by a1 \+ a2": lambda f, s, a1, a2: (
            f + (1 - a1) * (f - s) / (a1 + a2),
            s - a2 * (f - s) / (a1 + a2),
        ),
        "Only x comes back": lambda f, s, a1, a2: (unmixed(f, s, a1, a2)[0], s),
        "Only y comes back": lambda f, s, a1, a2: (f, unmixed(f, s, a1, a2)[1]),
        "These are the mixtures": lambda f, s, a1, a2: (f, s),
        "NaN or infinite": one_equation_each,
        "cut off at 0 and 1": lambda *given: [x.clamp(0, 1) for x in unmixed(*given)],
        "Two layers are wanted": lambda *given: unmixed(*given)[0],
        "both equations": lambda f, s, a1, a2: (
            unmixed(f, s, a1, a2) if f.numel() == 1 else unmixed(f, s, a1, a2 / 2)
        ),
    },
}


@pytest.mark.parametrize(
    ("name", "diagnosis"), [(name, d) for name in MISTAKES for d in MISTAKES[name]]
)
def test_a_mistake_gets_its_diagnosis(name, diagnosis):
    found = getattr(check, name)(MISTAKES[name][diagnosis])
    assert found.state == "not yet right", found
    assert re.search(diagnosis, found.message), found


# ---- other right answers than the chapter's own


def composed_by_lerp(front, back, mask):
    return torch.lerp(back, front, mask.expand_as(back))


def excluded_in_a_batch(a, b):
    """The library's, at the first of its three levels."""
    means = []
    for dim in (2, 3):
        parts = []
        for x in (a[None], b[None]):
            size = x.diff(dim=dim).abs()
            mean = size.detach().mean((1, 2, 3), keepdim=True)
            parts.append(torch.tanh(size / (2 * mean.clamp_min(1e-4))))
        means.append((parts[0] * parts[1]).mean())
    return torch.stack(means).mean()


def unmixed_by_solving(first, second, a1, a2):
    matrix = torch.tensor([[a1, 1 - a1], [a2, 1 - a2]])
    both = torch.stack([first.flatten(), second.flatten()])
    return torch.linalg.solve(matrix, both).view(2, *first.shape)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("compose", composed),
        ("compose", composed_by_lerp),
        ("exclusion", excluded),
        ("exclusion", excluded_in_a_batch),
        ("solve_mixtures", unmixed),
        ("solve_mixtures", unmixed_by_solving),
    ],
)
def test_another_right_answer_passes(name, answer):
    found = getattr(check, name)(answer)
    assert found.state == "passed", found
