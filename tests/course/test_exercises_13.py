"""Chapter 13's exercises: planted mistakes get their diagnosis, other answers pass."""

import re

import pytest
import torch
import torch.nn.functional as F

from dil_teach import resize
from dil_teach.course import check
from dil_teach.image.degradation import downsampled, identity, masked


def kept(variances, patience, late=0):
    best = 0
    for step, variance in enumerate(variances):
        if variance < variances[best]:
            best = step
        elif step - best >= patience + late:
            break
    return best + 1


def halting_step(variances, patience):
    return min(kept(variances, patience) + patience, len(variances))


def first_rise(variances, patience):
    for step in range(1, len(variances)):
        if variances[step] > variances[step - 1]:
            return step
    return len(variances)


def equal_takes_over(variances, patience):
    best = 0
    for step, variance in enumerate(variances):
        if variance <= variances[best]:
            best = step
        elif step - best >= patience:
            break
    return best + 1


def total_waiting(variances, patience):
    """Waiting that is never set back."""
    best, waited = 0, 0
    for step, variance in enumerate(variances):
        if variance < variances[best]:
            best = step
        elif step:
            waited += 1
            if waited >= patience:
                break
    return best + 1


def least(variances):
    return 1 + int(variances.argmin())


def difference(drawn, given, mask, scale):
    seen = resize(drawn, 1 / scale) if scale > 1 else drawn
    return (seen - given) * (1 if mask is None else 1 - mask)


def loss(drawn, given, mask, scale):
    return difference(drawn, given, mask, scale).square().mean()


def hole_only(drawn, given, mask, scale):
    return loss(drawn, given, None if mask is None else 1 - mask, scale)


def half_masked(drawn, given, mask, scale):
    if mask is None:
        return loss(drawn, given, mask, scale)
    return ((1 - mask) * drawn - given).square().mean()


def black_hole(drawn, given, mask, scale):
    """The value is right, but the hole is taught to be black."""
    if mask is None:
        return loss(drawn, given, mask, scale)
    known = loss(drawn, given, mask, scale)
    hole = (mask * drawn).sum()
    return known + hole - hole.detach()


def subsampled(drawn, given, mask, scale):
    return loss(drawn[..., ::scale, ::scale], given, mask, 1)


def pooled(drawn, given, mask, scale):
    return loss(F.avg_pool2d(drawn, scale), given, mask, 1)


def enlarged(drawn, given, mask, scale):
    return loss(drawn, resize(given, scale) if scale > 1 else given, mask, 1)


def aliased(drawn, given, mask, scale):
    if scale > 1:
        drawn = resize(drawn, 1 / scale, antialias=False)
    return loss(drawn, given, mask, 1)


MISTAKES = {
    "stopping_step": {
        "where is `patience`": lambda v, n: least(v),
        "step at which training stops": halting_step,
        "Counted from 0": lambda v, n: kept(v, n) - 1,
        "is that a variance": lambda v, n: v[kept(v, n) - 1],
        "one rise is chance": first_rise,
        "one step too many": lambda v, n: kept(v, n, late=1),
        "too short a time": lambda v, n: kept(v, n, late=-1),
        "only equals the least": equal_takes_over,
        "never stopped": lambda v, n: kept(v[:-1], n),
        "sets the count back": total_waiting,
        "One number is wanted": lambda v, n: v,
        "is there a `return`": lambda v, n: None,
    },
    "damage_loss": {
        "differences are summed": lambda *g: difference(*g).square().sum(),
        "not squared": lambda *g: difference(*g).abs().mean(),
        "root of the mean": lambda *g: loss(*g).sqrt(),
        "over which axes": lambda *g: difference(*g).square(),
        "wrong way round": hole_only,
        "hole counts like all else": lambda d, g, m, s: loss(d, g, None, s),
        "what is given still counts": half_masked,
        "in the hole set to 0": lambda d, g, m, s: (
            loss(d, g, m, s) + 0.01 * (m is not None)
        ),
        "gradient reaches the hole": black_hole,
        "no gradient comes through": lambda *g: loss(*g).item(),
        "th pixel of the drawing": subsampled,
        "averaged in squares": pooled,
        "What is given was made larger": enlarged,
        "without antialiasing": aliased,
        "RuntimeError|ValueError": lambda d, g, m, s: loss(d, g, m, 1),
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


def kept_by_slices(variances, patience):
    for step in range(1, len(variances) + 1):
        if all(v >= variances[step - 1] for v in variances[step : step + patience]):
            if min(variances[:step]) == variances[step - 1]:
                return torch.tensor(step)
    return len(variances)


def loss_of_the_library(drawn, given, mask, scale):
    target, degradation = given, downsampled(scale) if scale > 1 else identity
    if mask is not None:
        degradation = masked(mask)
        target = degradation(given[None])
    return (degradation(drawn) - target).square().mean()


def mean_over_the_known(drawn, given, mask, scale):
    if mask is None:
        return loss(drawn, given, mask, scale)
    return (drawn[0] - given)[:, mask[0] == 0].square().mean()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("stopping_step", kept),
        ("stopping_step", kept_by_slices),
        ("damage_loss", loss),
        ("damage_loss", loss_of_the_library),
        ("damage_loss", mean_over_the_known),
    ],
)
def test_another_right_answer_passes(name, answer):
    found = getattr(check, name)(answer)
    assert found.state == "passed", found


def test_the_rule_of_the_exercise_cannot_see_what_comes_later():
    def looks_ahead(variances, patience):
        return least(variances[: kept(variances, patience) + patience + 1])

    assert check.stopping_step(looks_ahead).state == "not yet right"
