"""Chapter 12's exercises: planted mistakes, and right answers that look otherwise."""

import re
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dil_teach import resize
from dil_teach.course import check
from dil_teach.course.check import ingan as module
from dil_teach.deep.ingan.patch_gan import SCALE_FACTOR


def affine_of(linear, offset):
    return torch.cat([linear, offset], 1)


def right_invert(affine):
    inverse = torch.linalg.inv(affine[:, :2])
    return affine_of(inverse, -inverse @ affine[:, 2:])


def reciprocal(linear):
    return torch.where(linear == 0, linear, 1 / linear)


def loss_by(measure, at=lambda picture, s: resize(picture, 1 / 1.5**s), weigh=None):
    """A loss that differs from the right one in one thing."""

    def multi_scale_loss(discriminator, picture, weights):
        total = 0.0
        for scale, weight in enumerate(weights if weigh is None else weigh(weights)):
            total = total + weight * measure(discriminator(at(picture, scale)))
        return total

    return multi_scale_loss


def squares(value):
    return (value - 1).square().mean()


right_loss = loss_by(squares)


def one_after_another(discriminator, picture, weights):
    total = 0.0
    for weight in weights:
        total = total + weight * squares(discriminator(picture))
        picture = resize(picture, 1 / 1.5)
    return total


def one_scale_too_many(discriminator, picture, weights):
    discriminator(resize(picture, 1 / 1.5**3))
    return right_loss(discriminator, picture, weights)


MISTAKES: dict[str, dict[str, Any]] = {
    "invert": {
        "only turned round": lambda a: affine_of(torch.linalg.inv(a[:, :2]), -a[:, 2:]),
        "left as it was": lambda a: affine_of(torch.linalg.inv(a[:, :2]), a[:, 2:]),
        "wrong sign": lambda a: affine_of(
            torch.linalg.inv(a[:, :2]), torch.linalg.inv(a[:, :2]) @ a[:, 2:]
        ),
        "shift is lost": lambda a: affine_of(torch.linalg.inv(a[:, :2]), 0 * a[:, 2:]),
        "multiplied by the forward map": lambda a: affine_of(
            torch.linalg.inv(a[:, :2]), -a[:, :2] @ a[:, 2:]
        ),
        "was transposed. That": lambda a: affine_of(a[:, :2].T, -a[:, :2].T @ a[:, 2:]),
        "was transposed, which": lambda a: affine_of(a[:, :2].T, -a[:, 2:]),
        "reciprocal. That is right": lambda a: affine_of(
            reciprocal(a[:, :2]), -reciprocal(a[:, :2]) @ a[:, 2:]
        ),
        "is divided by zero": lambda a: affine_of(1 / a[:, :2], -a[:, 2:]),
        "the map itself": lambda a: a.clone(),
        "All signs": lambda a: -a,
        r"should be \(2, 3\)": lambda a: torch.linalg.inv(a[:, :2]),
        "NumPy array": lambda a: right_invert(a).numpy(),
    },
    "multi_scale_loss": {
        "should answer 1, not 0": loss_by(lambda v: v.square().mean()),
        "not squared": loss_by(lambda v: (1 - v).mean()),
        "have their signs": loss_by(lambda v: (v - 1).mean()),
        "least squares wants squares": loss_by(lambda v: (v - 1).abs().mean()),
        "weights are not used": loss_by(squares, weigh=lambda w: [1.0] * len(w)),
        "opposite order": loss_by(squares, weigh=lambda w: w[::-1]),
        "same scale each time": loss_by(squares, at=lambda p, s: p),
        "smaller already": loss_by(
            squares, at=lambda p, s: resize(p, 1 / 1.5 ** (s + 1))
        ),
        "grows from scale to scale": loss_by(
            squares, at=lambda p, s: resize(p, 1.5**s)
        ),
        "half as large": loss_by(squares, at=lambda p, s: resize(p, 0.5**s)),
        "power of s": loss_by(squares, at=lambda p, s: resize(p, 1 / (1 + s / 2))),
        "of the one before, which blurs": one_after_another,
        "added up, not averaged": loss_by(lambda v: (v - 1).square().sum()),
        "mean was squared": loss_by(lambda v: (v.mean() - 1).square()),
        "That is hinge": loss_by(lambda v: -v.mean()),
        "halved": lambda d, p, w: right_loss(d, p, w) / 2,
        "scales' mean was taken": lambda d, p, w: right_loss(d, p, w) / len(w),
        "divided by the sum": lambda d, p, w: right_loss(d, p, w) / sum(w),
        "it was shown": one_scale_too_many,
        "over which axes": lambda d, p, w: (d(p) - 1).square(),
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


def invert_by_a_third_row(affine):
    whole = torch.cat([affine, torch.tensor([[0.0, 0.0, 1.0]])])
    return torch.linalg.inv(whole)[:2]


def invert_by_hand(affine):
    (a, b, u), (c, d, v) = affine.tolist()
    size = a * d - b * c
    rows = [
        [d / size, -b / size, (b * v - d * u) / size],
        [-c / size, a / size, (c * u - a * v) / size],
    ]
    return torch.tensor(rows)


def loss_by_numpy(discriminator, picture, weights):
    values = [
        np.square(discriminator(resize(picture, 1 / 1.5**s)).numpy() - 1).mean()
        for s in range(len(weights))
    ]
    return float(np.dot(values, weights))


def loss_by_torch(discriminator, picture, weights):
    losses = []
    for scale in range(len(weights)):
        value = discriminator(resize(picture, 1 / 1.5**scale))
        losses.append(F.mse_loss(value, torch.ones_like(value)))
    return torch.stack(losses) @ torch.tensor(weights)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("invert", right_invert),
        ("invert", invert_by_a_third_row),
        ("invert", invert_by_hand),
        ("multi_scale_loss", right_loss),
        ("multi_scale_loss", loss_by_numpy),
        ("multi_scale_loss", loss_by_torch),
    ],
)
def test_right_answers_of_other_kinds_pass(name, answer):
    found = getattr(check, name)(answer)
    assert found.state == "passed", found


def test_the_examples_of_the_messages_are_true():
    halves = torch.tensor([0.0, 1.5])
    assert squares(halves) == 0.625
    assert module.SCALE_FACTOR == SCALE_FACTOR
    assert [round(7 * 1.5**s, 1) for s in (1, 2)] == [10.5, 15.8]
