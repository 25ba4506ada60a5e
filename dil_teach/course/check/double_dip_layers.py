"""Checks of chapter 14: composition, exclusion, and two mixtures solved for layers."""

import functools
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.course.check.verdict import (
    NotYetRight,
    as_image,
    as_number,
    call,
    compare,
    verdict,
)
from dil_teach.image.convention import Image

FINITE = 1e-2  # what keeps a division finite may move the answer by that share


# ---- compose


@verdict
def compose(answer: Any) -> str:
    """``compose(front, back, mask)``: the one model of Double-DIP.

    front and back are Float[Tensor, "c h w"], the mask is Float[Tensor, "1 h w"].
    """
    rng = torch.Generator().manual_seed(0)
    front, back = torch.ones(1, 1, 4), torch.full((1, 1, 4), 0.2)
    mask = torch.tensor([[[1.0, 0.0, 0.5, 0.25]]])
    by_hand = as_image(call(answer, front, back, mask), (1, 1, 4), "the picture")
    compare(
        by_hand,
        torch.tensor([[[1.0, 0.2, 0.6, 0.4]]]),
        "For a white front, a back of 0.2 and the mask [1, 0, 0.5, 0.25] the four "
        "pixels are [1, 0.2, 0.6, 0.4] by hand; yours are "
        f"{[round(x, 3) for x in by_hand.flatten().tolist()]}.",
        partial(_compose_mistakes, front, back, mask),
    )

    # a property: two layers that are one picture are that picture, whatever the mask
    one, mask = torch.rand(3, 5, 6, generator=rng), torch.rand(1, 5, 6, generator=rng)
    same = as_image(call(answer, one, one, mask), (3, 5, 6), "the picture")
    compare(
        same,
        one,
        "Where front and back are one picture, so is the result, whatever the mask: do "
        "the two shares of each pixel add up to 1?",
        partial(_compose_mistakes, one, one, mask),
    )
    front, back = torch.rand(2, 3, 5, 6, generator=rng)
    picture = as_image(call(answer, front, back, mask), (3, 5, 6), "the picture")
    compare(
        picture,
        mask * front + (1 - mask) * back,
        "For random layers of three channels and a random mask of one the result "
        "differs.",
        partial(_compose_mistakes, front, back, mask),
    )
    return (
        "That one line is the model of every application: a mask, a coefficient or a "
        "transmission, each is how much of the front is seen."
    )


def _compose_mistakes(front: Image, back: Image, mask: Image) -> dict[str, Tensor]:
    hard = (mask > 0.5).float()
    return {
        "Front and back have changed places: where the mask is 1, the front is "
        "seen.": mask * back + (1 - mask) * front,
        "The back shines through where the front should cover it: what is its share "
        "of a pixel of which the front has `mask`?": mask * front + back,
        "Where is the back? A pixel outside the mask is not black.": mask * front,
        "The mask was made hard. A pixel on an outline, or behind glass, belongs to "
        "both layers.": hard * front + (1 - hard) * back,
        "Both layers have the same share: how much of the back is left over?": mask
        * (front + back),
    }


# ---- exclusion


@verdict
def exclusion(answer: Any) -> str:
    """``exclusion(a, b)``: how much the edges of two layers meet, from 0 to 1.

    a and b are Float[Tensor, "c h w"] of one shape; the result is one number: the mean
    of strength times strength over the edges downwards, and over those across, halved.
    """
    rng = torch.Generator().manual_seed(0)
    # by hand: two of the seven edges of a row are there, both of one strength
    row = torch.tensor([0.0, 0.0, 0.7, 0.7, 0.7, 0.0, 0.0, 0.0])
    a = row.expand(1, 3, 8).clone()
    wanted = _exclusion(a, a)
    by_hand = as_number(call(answer, a, a))
    compare(
        by_hand,
        wanted,
        "For a picture with itself, each row being [0, 0, .7, .7, .7, 0, 0, 0]: "
        "across, two of seven edges are .7, their mean is .2, tanh(.7 / .4) is .941, "
        "the mean of the squares .253; downwards there are none, 0; so it is "
        f"{wanted:.3f}. Yours is {by_hand:.4g}.",
        partial(_exclusion_mistakes, a, a),
        FINITE,
    )

    # properties: contrast does not matter, and a plain layer excludes nothing
    a, b = torch.rand(2, 3, 6, 9, generator=rng)
    a = 0.8 * a[:, :, :1] + 0.2 * (a > 0.8)  # few edges across, and weak ones
    for words, (one, two) in {
        "as they are": (a, b),
        "one of them pale": (0.25 * a, b),
    }.items():
        got, wanted = as_number(call(answer, one, two)), _exclusion(one, two)
        compare(
            got,
            wanted,
            f"For two random layers of shape (3, 6, 9), {words}, it is {wanted:.4f}; "
            f"yours is {got:.4f}.",
            partial(_exclusion_mistakes, one, two),
            FINITE,
        )
    plain = torch.full_like(a, 0.5)
    got = as_number(call(answer, plain, b))
    if abs(got) > 0.01:
        raise NotYetRight(
            "A plain layer has no edges, so none meet and the exclusion is 0; yours "
            f"is {got:.4g}."
        )
    for one in (a, plain):
        slope = call(functools.wraps(answer)(partial(_slope, answer)), one, b)
        if not torch.isfinite(slope).all():
            raise NotYetRight(
                "The loss itself is finite, but its gradient is not, and one NaN "
                "spoils every weight: is a root taken, or anything divided, at 0?"
            )
    return (
        "A pale reflection is excluded like a strong one, and a layer without edges "
        "costs nothing: that is a way out for a network, which reconstruction closes."
    )


def _slope(answer: Any, a: Image, b: Image) -> Tensor:
    """The gradient for the first layer, as a training step would have it."""
    with torch.enable_grad():
        layer = a.clone().requires_grad_()
        loss = answer(layer, b)
        if not isinstance(loss, Tensor) or not loss.requires_grad:
            raise NotYetRight(
                "No gradient comes through: a loss has to stay a tensor from the "
                "layers to the end, without `.item()`, `.detach()` or NumPy."
            )
        return torch.autograd.grad(loss.sum(), layer)[0]


def _edges(image: Image, dim: int) -> Float[Tensor, "n"]:
    """Differences of neighbours down (1) or across (2)."""
    return image.diff(dim=dim).flatten()


def _strength(edges: Tensor, times: float = 2) -> Tensor:
    return torch.tanh(edges / (times * edges.abs().mean()).clamp_min(1e-6))


def _exclusion(a: Image, b: Image, times: float = 2) -> float:
    return float(_each_direction(a, b, times).mean())


def _each_direction(a: Image, b: Image, times: float = 2) -> Float[Tensor, "2"]:
    means = [
        (_strength(_edges(a, d).abs(), times) * _strength(_edges(b, d).abs(), times))
        for d in (1, 2)
    ]
    return torch.stack([product.mean() for product in means])


def _exclusion_mistakes(a: Image, b: Image) -> dict[str, float]:
    """What known mistakes give for these layers, by their diagnosis."""
    down, across = _each_direction(a, b).tolist()
    pairs = [(_edges(a, d), _edges(b, d)) for d in (1, 2)]

    def mean(measure: Callable[[Tensor, Tensor], Tensor]) -> float:
        return sum(float(measure(one, two).mean()) for one, two in pairs) / 2

    both = [torch.cat([pair[i] for pair in pairs]).abs() for i in (0, 1)]
    return {
        "The edges are as they are: a reflection of a quarter of the contrast then "
        "counts a quarter. Divide each layer's edges by twice their own "
        "mean.": mean(lambda x, y: (x * y).abs()),
        "The edges were squashed, but not divided by twice their mean first: a pale "
        "layer has hardly any edges then.": mean(
            lambda x, y: (x.tanh() * y.tanh()).abs()
        ),
        "The edges are divided by their mean, but not squashed by `tanh`: the one "
        "strongest edge of the picture then outweighs all others.": mean(
            lambda x, y: (
                (x * y).abs() / (4 * x.abs().mean() * y.abs().mean()).clamp_min(1e-9)
            )
        ),
        "The edges are divided by their mean. Wanted is twice the mean, so that a "
        "usual edge is not yet a full one.": _exclusion(a, b, 1),
        "The products are summed: the mean is wanted, which is the same for a small "
        "and for a large picture.": mean(
            lambda x, y: (_strength(x) * _strength(y)).abs().sum()
        ),
        "Only edges downwards are counted: and across?": down,
        "Only edges across are counted, or the two directions were added: their mean "
        "is wanted.": across,
        "All edges of a layer were divided by one mean. Edges down and across each "
        "have a mean of their own here.": float(
            (_strength(both[0]) * _strength(both[1])).mean()
        ),
        "The sign is left in: an edge to the bright in one layer and to the dark in "
        "the other are then counted against each other.": mean(
            lambda x, y: _strength(x) * _strength(y)
        ),
        "The strengths were added: an edge in one layer alone is no fault. Which "
        "operation is 0 unless both are there?": mean(
            lambda x, y: _strength(x.abs()) + _strength(y.abs())
        ),
        "A root was taken at the end: the mean itself is wanted.": _exclusion(a, b)
        ** 0.5,
    }


# ---- solve_mixtures


@verdict
def solve_mixtures(answer: Any) -> str:
    """``solve_mixtures(first, second, a1, a2)``: the two layers, in closed form.

    first = a1 x + (1 - a1) y and second = a2 x + (1 - a2) y; the answer is (x, y), each
    Float[Tensor, "c h w"] like the mixtures.
    """
    # by hand: one pixel
    first, second = torch.full((1, 1, 1), 0.65), torch.full((1, 1, 1), 0.5)
    x, y = _layers(call(answer, first, second, 0.75, 0.5), (1, 1, 1))
    compare(
        torch.cat([x, y]),
        torch.tensor([0.8, 0.2])[:, None, None],
        "One pixel: 0.75 x + 0.25 y = 0.65 and 0.5 x + 0.5 y = 0.5. By hand x = 0.8 "
        f"and y = 0.2; yours are {float(x):.3g} and {float(y):.3g}.",
        partial(_solve_mistakes, first, second, 0.75, 0.5),
    )

    # a property: mixed and unmixed is as before, for all coefficients that differ
    rng = torch.Generator().manual_seed(0)
    layers = torch.rand(2, 3, 4, 5, generator=rng)
    for a1, a2 in ((0.7, 0.35), (0.2, 0.9), (1.0, 0.5), (0.5, 1.0), (0.6, 0.0)):
        first, second = (a * layers[0] + (1 - a) * layers[1] for a in (a1, a2))
        result = call(answer, first, second, a1, a2)
        x, y = _layers(result, (3, 4, 5), f" for a1 = {a1} and a2 = {a2}")
        compare(
            torch.cat([x, y]),
            torch.cat([*layers]),
            f"Two random layers, mixed with a1 = {a1} and a2 = {a2}, do not come back: "
            "put your layers into both equations, and see which one fails.",
            partial(_solve_mistakes, first, second, a1, a2),
        )
    # coefficients that are a little wrong leave the range, and that has to be seen
    first, second = (a * layers[0] + (1 - a) * layers[1] for a in (0.7, 0.35))
    x, y = _layers(call(answer, first, second, 0.6, 0.45), (3, 4, 5))
    right = _solve(first, second, 0.6, 0.45)
    compare(
        torch.cat([x, y]),
        torch.cat(right),
        "With coefficients that are a little wrong the layers leave [0, 1]; yours are "
        "other ones.",
        lambda: {
            "The layers are cut off at 0 and 1: that they leave the range is the one "
            "sign of wrong coefficients that you have, so leave it to be "
            "seen.": torch.cat(right).clamp(0, 1)
        },
    )
    return (
        "No network is needed for that. What divides by a1 - a2 also multiplies noise: "
        f"here, for 0.7 and 0.35, by up to {(0.7**2 + 0.35**2) ** 0.5 / 0.35:.1f}."
    )


def _layers(
    result: Any, shape: tuple[int, ...], where: str = ""
) -> tuple[Tensor, Tensor]:
    """The answer, if it is two images."""
    if isinstance(result, Tensor) and result.shape == (2, *shape):
        result = tuple(result)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise NotYetRight(
            "Two layers are wanted, first the one that the coefficients count: "
            "`return x, y`."
        )
    what = (f"the layer {name}{where}" for name in "xy")
    x, y = (as_image(r, shape, w) for r, w in zip(result, what, strict=True))
    return x.detach(), y.detach()


def _solve(first: Image, second: Image, a1: float, a2: float) -> list[Tensor]:
    difference = (first - second) / (a1 - a2)
    return [first + (1 - a1) * difference, second - a2 * difference]


def _solve_mistakes(
    first: Image, second: Image, a1: float, a2: float
) -> dict[str, Tensor]:
    x, y = _solve(first, second, a1, a2)
    d = (first - second) / (a1 - a2)
    wrong = {
        "The two layers have changed places: first comes x, of which `a1` and `a2` are "
        "the shares.": [y, x],
        "The difference goes the wrong way: each layer becomes more like the other "
        "one.": [first - (1 - a1) * d, second + a2 * d],
        "a1 and a2 have changed places.": _solve(first, second, a2, a1),
        "The difference is divided by a1 + a2: what is first - second in terms of x "
        "and y?": [
            first + (1 - a1) * (first - second) / (a1 + a2),
            second - a2 * (first - second) / (a1 + a2),
        ],
        "Only x comes back: y has to be put right as well.": [x, second],
        "Only y comes back: x has to be put right as well.": [first, y],
        "These are the mixtures: no layer was taken out of either.": [first, second],
    }
    return {words: torch.cat(layers) for words, layers in wrong.items()}
