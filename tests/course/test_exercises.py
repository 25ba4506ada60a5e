"""The exercises: solutions pass, stubs fail cleanly, mistakes get their diagnosis."""

import ast
import json
import random
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dil_teach import photo, resize
from dil_teach.course import check
from dil_teach.course.build import (
    chapters,
    execute,
    learner_notebook,
    marked_notebook,
    solution_notebook,
)
from dil_teach.course.check import Verdict, tour
from dil_teach.course.check.engine import (
    LOOKS,
    Case,
    Exercise,
    NotYetRight,
    as_image,
    call,
)
from dil_teach.course.exercises import (
    clear_solutions,
    exercises,
    fold_solutions,
    keep_solutions,
)
from dil_teach.image.augment import orient, orient_back
from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.shipped import shipped

NAMES = sorted(n for n in vars(check) if callable(getattr(check, n)) and n != "Verdict")
TABLES = {
    name: table for name in NAMES if isinstance(table := getattr(check, name), Exercise)
}
ALL = [(c, e) for c in chapters() for e in exercises(marked_notebook(c))]
EACH = pytest.mark.parametrize(
    ("chapter", "exercise"), ALL, ids=[exercise.name for _, exercise in ALL]
)


right = SimpleNamespace(**{name: table.reference for name, table in TABLES.items()})
"""The reference answers, by name."""


# ---- the arguments of the checks of predictions


def measured(best: str = "outlines") -> list:
    """A photograph, and a stand-in for ZSSR that repairs one kind of region best."""
    truth = photo("coffee", size=128)
    bicubic = resize(resize(truth, 0.5), 2)
    kept = torch.ones(truth.shape[1:])
    kept[4:-4, 4:-4][tour._regions(truth)["smooth parts"]] = 0.9
    kept[4:-4, 4:-4][tour._regions(truth)[best]] = 0.4
    return [bicubic, truth + kept * (bicubic - truth), truth]


def judged(name: str, answer: object) -> Verdict:
    others = {
        "where_it_wins": measured,
        "what_to_learn_from": lambda: [photo("coffee", size=64)],
    }
    return getattr(check, name)(answer, *others.get(name, list)())


# ---- solutions and stubs from the chapters


def answer_of(notebook, exercise):
    """The value that an exercise cell defines, given the imports before it."""
    names: dict = {}
    for cell in notebook.cells[: exercise.cell]:
        if cell.cell_type == "code":
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.Import | ast.ImportFrom):
                    exec(ast.unparse(node), names)
    exec(notebook.cells[exercise.cell].source, names)
    return names[exercise.name]


learner, solution = cache(learner_notebook), cache(solution_notebook)


@EACH
def test_the_solution_passes_and_the_stub_is_not_done_yet(chapter, exercise):
    found = judged(exercise.name, answer_of(solution(chapter), exercise))
    assert found.state == "passed", found
    assert found.exercise == exercise.name
    found = judged(exercise.name, answer_of(learner(chapter), exercise))
    assert found.state == "not done yet", found


def test_every_check_is_used_by_one_chapter():
    assert sorted(exercise.name for _, exercise in ALL) == NAMES


@pytest.mark.slow
@pytest.mark.parametrize("chapter", chapters())
def test_the_solution_notebook_runs_and_every_check_passes(chapter):
    notebook = execute(solution_notebook(chapter), shipped("notebooks"))
    for exercise in exercises(marked_notebook(chapter)):
        (output,) = notebook.cells[exercise.check].outputs
        found = output["data"]["text/plain"]
        assert found.startswith(f"✓ {exercise.name}: passed"), found


# ---- the tables


@pytest.mark.parametrize("name", TABLES)
def test_the_reference_of_a_table_passes(name):
    found = TABLES[name](TABLES[name].reference)
    assert (found.state, found.message) == ("passed", TABLES[name].praise)
    assert len(TABLES[name].mistakes) >= 3


@pytest.mark.parametrize(
    ("name", "diagnosis"),
    [(n, d) for n, table in TABLES.items() for d in table.mistakes],
)
def test_a_mistake_of_a_table_gets_its_own_diagnosis(name, diagnosis):
    found = TABLES[name](TABLES[name].mistakes[diagnosis])
    assert (found.state, found.message) == ("not yet right", diagnosis)


DIAGNOSES = Path(__file__).with_name("diagnoses.json")


def fingerprints(table: Exercise) -> dict[str, float]:
    """For each diagnosis, a number computed from its mistake's errors."""
    cases = [case.arguments for case in table.cases if isinstance(case, Case)]
    known = [(given, call(table.reference, *given)) for given in cases]
    totals = dict.fromkeys(table.mistakes, 0.0)
    for text, mistake in table.mistakes.items():
        for place, (given, right) in enumerate(known, start=1):
            try:
                pair = (call(mistake, *given), right)
                pair = [table.returns(x, right, *given) for x in pair]
            except NotYetRight:
                continue
            got, wanted = (torch.as_tensor(x).double().flatten() for x in pair)
            weights = torch.arange(place, place + len(got)).double().sqrt()
            totals[text] += float((got - wanted) @ weights)
    return {text: float(f"{total:.4g}") for text, total in totals.items()}


def test_each_diagnosis_still_belongs_to_the_same_mistake():
    """This test notices swapped diagnoses.

    After a change of a table, compare each diagnosis with its mistake, then record the
    diagnoses: ``python tests/course/test_exercises.py``.
    """
    known = json.loads(DIAGNOSES.read_text("utf-8"))
    assert set(known) == set(TABLES)
    for name, table in TABLES.items():
        numbers = known[name]
        found = fingerprints(table)
        assert set(found) == set(numbers), name
        for text, number in found.items():
            # A list has one number for each processor: a tie may end differently.
            recorded = np.atleast_1d(numbers[text])
            assert any(np.isclose(number, recorded, rtol=2e-3, atol=1e-4)), (name, text)
        assert len(set(found.values())) == len(found), name


def fails(*arguments):
    missing = torch.zeros(5)
    return missing + torch.zeros(7)  # this line stops


def in_place(reference, first, *others):
    result = reference(first, *others)
    if isinstance(first, torch.Tensor):
        first.zero_()
    return result


FAULTS = {
    "returns None: does it": lambda f: lambda *given: None,
    "stops at line .*`return missing .*`, with RuntimeError": lambda f: fails,
    "cannot be called .TypeError": lambda f: lambda: 2,
    "without brackets, not": lambda f: torch.ones(3),
    "NotImplementedError: later": lambda f: (
        lambda *g: (_ for _ in ()).throw(NotImplementedError("later"))
    ),
    "change the tensor": lambda f: lambda *g: in_place(f, *g),
    "tensor, not a ndarray": lambda f: lambda *g: f(*g).numpy(),
    "You return float64": lambda f: lambda *g: f(*g).double(),
    "should be .*, got": lambda f: lambda *g: f(*g)[None],
    "NaN or infinite": lambda f: lambda *g: f(*g) * torch.nan,
}
NO_TENSOR_FIRST = {"eight_fold", "multi_scale_loss", "collapse", "scene_transform"}
COMMON = [
    (name, fault)
    for name, table in TABLES.items()
    for place, fault in enumerate(FAULTS)
    if place < 5
    or (place == 5 and name not in NO_TENSOR_FIRST)
    or (place > 5 and table.returns is as_image)
]


@pytest.mark.parametrize(("name", "fault"), COMMON)
def test_a_common_fault_gets_its_diagnosis(name, fault):
    found = TABLES[name](FAULTS[fault](TABLES[name].reference))
    assert found.state == "not yet right", found
    assert re.search(fault, found.message), found


# ---- more mistakes, each with words from the expected diagnosis


def shifted_son(father, kernel, sigma, rng, first):
    """A son whose first pixel has this coordinate in the father."""
    border, shift = len(kernel) // 2 - 1, round(0.5 - first)
    padded = F.pad(father[:, None], 4 * [border + 2], mode="replicate")
    start = 2 - shift
    blurred = F.conv2d(padded[..., start:, start:], kernel[None, None], stride=2)
    size = (father.shape[1] // 2, father.shape[2] // 2)
    return blurred[:, 0, : size[0], : size[1]]


def zero_border(father, kernel, sigma, rng):
    border = len(kernel) // 2 - 1
    return F.conv2d(father[:, None], kernel[None, None], stride=2, padding=border)[:, 0]


def odd_kernel(father, kernel, sigma, rng):
    """A kernel centred on a pixel, which shifts the result by half a pixel."""
    odd = F.pad(kernel, (0, 1, 0, 1))
    odd = (odd + odd.roll(1, 0) + odd.roll(1, 1) + odd.roll((1, 1), (0, 1))) / 4
    padded = F.pad(father[:, None], 4 * [len(odd) // 2], mode="replicate")
    return F.conv2d(padded, odd[None, None], stride=2)[:, 0]


GENERATOR = torch.Generator()


def noisy(draw):
    """A son whose noise is drawn by `draw(shape, sigma, rng)`."""

    def son(father, kernel, sigma, rng):
        clean = right.make_son(father, kernel, 0.0, rng)
        return clean + draw(clean.shape, sigma, rng)

    return son


def noise_first(father, kernel, sigma, rng):
    dirty = father + sigma * torch.randn(father.shape, generator=rng)
    return right.make_son(dirty, kernel, 0.0, rng)


def fold(enlarge, low, orientations=tuple(range(8))):
    answers = [orient_back(enlarge(orient(low, o)), o) for o in orientations]
    answers = torch.stack(answers)
    return answers.mean(0), answers.std(0).mean(0, keepdim=True)


def centred(patch):
    return patch - patch.mean((1, 2), keepdim=True)


def normalised(a, b):
    a, b = centred(a), centred(b)
    return (a / a.std() - b / b.std()).square().sum()


def nearest_by(distance):
    """A search that compares the patch with one window after another."""

    def nearest_match(patch, image):
        side = patch.shape[-1]
        rows, columns = (n - side + 1 for n in image.shape[1:])
        found = [
            (float(distance(patch, image[:, y : y + side, x : x + side])), y, x)
            for y in range(rows)
            for x in range(columns)
        ]
        return min(found)

    return nearest_match


def round_the_border(energy):
    """`roll` instead of a border: the left neighbour of column 0 is the last one."""
    sums = [energy[0]]
    for row in energy[1:]:
        a = sums[-1]
        sums.append(row + torch.minimum(torch.minimum(a.roll(1), a), a.roll(-1)))
    seam = [int(sums[-1].argmin())]
    for row in reversed(sums[:-1]):
        ways = [(seam[-1] + s) % len(row) for s in (-1, 0, 1)]
        seam.append(min(ways, key=row.__getitem__))
    return torch.tensor(seam[::-1])


def total_waiting(variances, patience):
    """A stopping rule that never resets the waiting time."""
    best, waited = 0, 0
    for step, variance in enumerate(variances):
        if variance < variances[best]:
            best = step
        elif step:
            waited += 1
            if waited >= patience:
                break
    return best + 1


def looks_ahead(variances, patience):
    seen = variances[: right.stopping_step(variances, patience) + patience + 1]
    return 1 + int(seen.argmin())


def black_hole(drawn, given, mask, scale):
    """The value is right, but the gradient makes the hole black."""
    hole = 0 * drawn.sum() if mask is None else (mask * drawn).sum()
    return right.damage_loss(drawn, given, mask, scale) + hole - hole.detach()


def excluded(product):
    def exclusion(a, b):
        edges = [(a.diff(dim=d).abs(), b.diff(dim=d).abs()) for d in (1, 2)]
        return torch.stack([product(x, y).mean() for x, y in edges]).mean()

    return exclusion


def strength(x):
    return torch.tanh(x / (2 * x.mean()).clamp_min(1e-6))


def unguarded(x, y):
    return torch.tanh(x / (2 * x.mean())) * torch.tanh(y / (2 * y.mean()))


def one_equation_each(first, second, pairs, loss):
    """The answer divides by a quantity that can be 0."""
    x, y = right.separate_by_search(first, second, pairs, loss)
    return x, y / (len(pairs) > 1)


def squares_of_zero(marked, guesses, colour, floor):
    """The squares may be 0, and then the mask is not a number."""
    x, y = guesses - colour, marked - colour
    mask = ((x * y).sum((0, 1)) / x.square().sum((0, 1))).clamp(floor, 1)[None]
    mask = mask.nan_to_num(1)
    return 1 - mask, colour + y / mask


def one_scale_too_many(discriminator, picture, weights):
    discriminator(resize(picture, 1 / 1.5**3))
    return right.multi_scale_loss(discriminator, picture, weights)


def scores(change):
    """A score whose two results are changed by a function."""
    return lambda s, t, size=7: change(right.similarity(s, t, size))


PLANTED = {
    "what_to_learn_from": {
        "A network that returns its input": "itself to itself",
        "only interpolates is perfect": "itself to bicubic",
        "Expected one of": "everything",
    },
    "where_it_wins": {
        "there is little to gain": "smooth parts",
        "does such a detail occur again": "fine detail",
        "Expected one of": "the emblem",
    },
    "make_son": {
        "become black or white": lambda f, k, s, r: f[:, ::2, ::2],
        "0.50 father pixels.* left of": odd_kernel,
        "1.00 father pixels.* right of": lambda *g: shifted_son(*g, first=1.5),
        "1.00 father pixels.* left of": lambda *g: shifted_son(*g, first=-0.5),
        r"should be \(3, 4, 6\)": lambda f, k, s, r: F.conv2d(
            f[:, None], k[None, None], padding=len(k) // 2 - 1
        )[:, 0],
        "weights sum to 1": lambda f, k, s, r: shifted_son(
            f, k / k.max(), s, r, first=0.5
        ),
        "no border edge": zero_border,
        "has no noise": lambda f, k, s, r: right.make_son(f, k, 0.0, r),
        "mean of the noise": noisy(lambda n, s, r: s * torch.rand(n, generator=r)),
        "clip the son": lambda *g: right.make_son(*g).clamp(0, 1),
        "after the blur": noise_first,
        "in the units of": noisy(lambda n, s, r: 255 * s * torch.randn(n, generator=r)),
        "Different seeds": noisy(lambda n, s, r: s * torch.randn(n)),
        "Equal seeds": noisy(lambda n, s, r: s * torch.randn(n, generator=GENERATOR)),
        "Each channel should have": noisy(
            lambda n, s, r: s * torch.randn(n[1:], generator=r)
        ),
    },
    "eight_fold": {
        "gets 4 of the eight.* mirrorings": lambda e, x: fold(e, x, range(4)),
        "gets 4 of the eight.* turns": lambda e, x: fold(e, x, (0, 2, 4, 6)),
        "gets 2 of the eight": lambda e, x: fold(e, x, (0, 4)),
        "gets only one of the eight": lambda e, x: fold(e, x, 8 * [0]),
        "exactly once": lambda e, x: fold(e, x, [*range(8), 0]),
        "takes one image": lambda e, x: e(x[None]),
        "You never call `enlarge`": lambda e, x: resize(x, 2),
        "gets other images": lambda e, x: e(1 - x),
        "two tensors": lambda e, x: fold(e, x)[0],
        r"should be \(1, 8, 8\)": lambda e, x: (fold(e, x)[0], fold(e, x)[1][0]),
    },
    "control": {
        "For rounds = 0": lambda x, k, n: right.control(x, k, n + 1),
        "Without rounds": lambda x, k, n: right.control(0.9 * x, k, n),
        "round or clip": lambda x, k, n: right.control(x, k, n + 9 * (n == 20)),
        "right sign": lambda x, k, n: right.control(x, k, n) + 0.1 * n,
        "result so far": lambda x, k, n: right.control(x, k, 2 * n),
        r"should be \(3, 24, 32\)": lambda x, k, n: x,
    },
    "nearest_match": {
        "divide by the contrast": nearest_by(normalised),
        "return a float": lambda p, i: float(right.nearest_match(p, i)[0]),
        "Expected 3 numbers, got 2": lambda p, i: right.nearest_match(p, i)[1:],
        "a square root": nearest_by(lambda a, b: torch.dist(centred(a), centred(b))),
    },
    "paste_parents_by_hand": {
        "keep `smooth`": lambda i, s, *g: right.paste_parents_by_hand(i, 0 * s, *g),
        r"should be \(1, 20, 24\)": lambda image, *g: image,
    },
    "least_seam": {
        "leave the picture on one side": round_the_border,
        "From which pixels": lambda e: torch.zeros(len(e), dtype=torch.long),
        "Return the columns": lambda e: e.min(),
        "one column for each row": lambda e: e.cumsum(0),
        "from left to right": lambda e: right.least_seam(e.T),
        r"should be \(5,\)": lambda e: right.least_seam(e)[:-1],
        "return whole numbers": lambda e: right.least_seam(e).float(),
        "one torch tensor": lambda e: right.least_seam(e).tolist(),
        "happens at the border": lambda e: right.least_seam(e) - 1,
    },
    "similarity": {
        "By default, `patch_size`": lambda s, t, size=5: right.similarity(s, t, size),
        "expected a list of 2": scores(sum),
        "Expected 2 numbers, got 3": scores(lambda pair: (*pair, 0)),
        "over which axes": scores(lambda pair: [x[None] for x in pair]),
    },
    "stopping_step": {
        "a variance": lambda v, n: v[right.stopping_step(v, n) - 1],
        "training never stops": lambda v, n: right.stopping_step(v[:-1], n),
        "Restart the count": total_waiting,
        "one number": lambda v, n: v,
        "": looks_ahead,
    },
    "damage_loss": {
        "over which axes": lambda d, g, m, s: (d - g).square(),
        "in the hole to 0": lambda d, g, m, s: (
            right.damage_loss(d, g, m, s) + 0.01 * (m is not None)
        ),
        "gradient reaches the hole": black_hole,
        "Invert the mask": lambda d, g, m, s: right.damage_loss(
            d, g, None if m is None else 1 - m, s
        ),
        "no gradient": lambda *g: right.damage_loss(*g).item(),
        "RuntimeError": lambda d, g, m, s: right.damage_loss(d, g, m, 1),
    },
    "exclusion": {
        "over which axes": lambda a, b: a.diff().abs() * b.diff().abs(),
        "NaN or infinite": excluded(unguarded),
        "its gradient is not": excluded(
            lambda x, y: (strength(x) * strength(y)).sqrt() ** 2
        ),
        "All vertical differences are 0": lambda a, b: right.exclusion(a, b) + 0.3,
        "no gradient": lambda a, b: right.exclusion(a, b).item(),
        "Less contrast": lambda a, b: (
            right.exclusion(a, b) * (0.9 if a.max() < 0.3 else 1)
        ),
        "one colour has no edges": lambda a, b: (
            right.exclusion(a, b) + 0.1 * (a.std() == 0)
        ),
    },
    "separate_by_search": {
        "NaN or infinite": one_equation_each,
        "should be two layers": lambda *g: right.separate_by_search(*g)[0],
        "two layers, `return x, y`": lambda *g: right.separate_by_search(*g)[0].mean(),
        "which pair did you choose": lambda f, s, pairs, loss: [
            layer * (1 - 0.1 * (len(pairs) > 1))
            for layer in right.separate_by_search(f, s, pairs, loss)
        ],
    },
    "lift_haze": {
        "becomes black": lambda i, a, n, f: i,
        "window centred": lambda i, a, n, f: right.lift_haze(
            i.roll(n // 3, 1), a, n, f
        ).roll(-(n // 3), 1),
        r"should be \(3, 1, 2\)": lambda *g: right.lift_haze(*g)[:1],
    },
    "remove_mark": {
        "two tensors": lambda *g: right.remove_mark(*g)[1],
        "equal the colour": squares_of_zero,
        r"should be \(1, 1, 1\)": lambda *g: [x[None] for x in right.remove_mark(*g)],
    },
    "update_atom": {
        "two tensors": lambda *g: right.update_atom(*g)[0],
        "multiple of one direction": lambda x, w, d, n: (d.roll(1, 0), w),
    },
    "across_scales": {
        "without parents": lambda low, scale, n, paste: right.across_scales(
            low, scale, n, lambda high, *_: high.roll(1, 2)
        ),
        r"should be \(1, 12, 12\)": lambda low, *_: low,
    },
    "flicker": {
        "over which axes": lambda m, motion: (m[1:] - m[:-1]).abs().mean((1, 2, 3))
    },
    "sliced_distance": {
        "over which axes": lambda a, b, d: right.sliced_distance(a, b, d).expand(2),
    },
    "collapse": {
        "one channel is the kernel": lambda f: 2 * right.collapse(f),
        r"should be \(2, 2\)": lambda f: right.collapse(f)[None],
        "stops at line": lambda f: f[0] @ f[1],
    },
    "scene_transform": {
        "stays 1": lambda transform, f: 2 * transform(f),
        r"should be \(9,\)": lambda transform, f: transform(f).prod(),
    },
    "multi_scale_loss": {
        "it was shown": one_scale_too_many,
        "over which axes": lambda d, p, w: (d(p) - 1).square(),
    },
}


@pytest.mark.parametrize(
    ("name", "words"), [(name, words) for name in PLANTED for words in PLANTED[name]]
)
def test_another_mistake_is_described(name, words):
    found = judged(name, PLANTED[name][words])
    assert found.state == "not yet right", found
    assert re.search(words, found.message), found


# ---- right answers that differ from the references


def son_by_unfolding(father, kernel, sigma, rng):
    padded = F.pad(father, 4 * [len(kernel) // 2 - 1], mode="replicate")
    windows = padded.unfold(1, len(kernel), 2).unfold(2, len(kernel), 2)
    blurred = (windows * kernel).sum((-1, -2))
    return torch.normal(blurred, sigma, generator=rng) if sigma else blurred


def eight_by_hand(enlarge, low):
    answers = []
    for upright in (low, low.flip(1)):
        for quarters in range(4):
            answer = enlarge(upright.rot90(quarters, (1, 2))).rot90(-quarters, (1, 2))
            answers.append(answer if upright is low else answer.flip(1))
    mean = sum(answers) / 8
    variance = sum((answer - mean).square() for answer in answers) / 7
    return mean, variance.sqrt().mean(0, keepdim=True)


def mirrored_seam(energy):
    """Return the best seam; of several best seams, the one that ends farthest right."""
    return energy.shape[1] - 1 - right.least_seam(energy.flip(1))


def kept_by_slices(variances, patience):
    for step in range(1, len(variances) + 1):
        if all(v >= variances[step - 1] for v in variances[step : step + patience]):
            if min(variances[:step]) == variances[step - 1]:
                return torch.tensor(step)
    return len(variances)


def mean_over_the_known(drawn, given, mask, scale):
    if mask is None:
        return right.damage_loss(drawn, given, mask, scale)
    return (drawn[0] - given)[:, mask[0] == 0].square().mean()


def excluded_with_a_detached_mean(a, b):
    def squashed(x):
        return torch.tanh(x / (2 * x.detach().mean().clamp_min(1e-4)))

    return excluded(lambda x, y: squashed(x) * squashed(y))(a, b)


def searched_by_solving(first, second, pairs, loss):
    both = torch.stack([first.flatten(), second.flatten()])
    found = []
    for a1, a2 in pairs:
        matrix = torch.tensor([[a1, 1 - a1], [a2, 1 - a2]])
        found.append(torch.linalg.solve(matrix, both).view(2, *first.shape))
    return found[int(torch.tensor([loss(*pair) for pair in found]).argmin())]


def haze_lifted_by_hand(hazy, airlight, side, floor):
    """One pixel after another, with a window that ends at the border."""
    light, air = (to_linear(x) for x in (hazy, airlight))
    clear, half = torch.zeros_like(light), side // 2
    for y in range(light.shape[1]):
        for x in range(light.shape[2]):
            rows = slice(max(y - half, 0), y + half + 1)
            columns = slice(max(x - half, 0), x + half + 1)
            mask = max(1 - float((light / air)[:, rows, columns].min()), floor)
            haze = (1 - mask) * air[:, 0, 0]
            clear[:, y, x] = (light[:, y, x] - haze) / mask
    return to_srgb(clear)


def mark_by_lstsq(marked, guesses, colour, floor):
    """Solve the equations of each pixel by `lstsq`."""
    n, c, h, w = marked.shape
    x, y = (
        (images - colour).permute(2, 3, 0, 1).reshape(h * w, n * c, 1)
        for images in (guesses, marked)
    )
    slope = torch.where(x.abs().amax(1) > 1e-3, torch.linalg.lstsq(x, y)[0][..., 0], 0)
    mask = slope.clamp(floor, 1).reshape(1, h, w)
    return 1 - mask, (marked - (1 - mask) * colour) / mask


def atom_by_alternation(patches, weights, dictionary, number):
    """Fit the atom and its weights in turns, until nothing changes (power method)."""
    users = weights[:, number].nonzero()[:, 0]
    new, atom = weights.clone(), dictionary[number].clone()
    others = [n for n in range(len(dictionary)) if n != number]
    remainders = patches[users] - weights[users][:, others] @ dictionary[others]
    for _ in range(2000):
        atom = F.normalize((remainders @ atom) @ remainders, dim=0)
    new[users, number] = remainders @ atom
    return torch.cat([dictionary[:number], atom[None], dictionary[number + 1 :]]), new


def across_by_recursion(low, scale, levels, paste):
    """A level is made from the level before; `resize` also reduces the picture."""
    ratio = scale ** (1 / levels)
    sizes = [[round(ratio**n * side) for side in low.shape[1:]] for n in range(9)]

    def level(n):
        if n == 0:
            return low
        high = paste(resize(level(n - 1), ratio, tuple(sizes[n])), low, ratio)
        for _ in range(20):
            seen = resize(high, ratio**-n, tuple(low.shape[1:]))
            high = high + resize(low, ratio**n, tuple(sizes[n]))
            high = high - resize(seen, ratio**n, tuple(sizes[n]))
        return high

    return level(levels).clamp(0, 1)


def flicker_by_hand(masks, motion):
    values = []
    for k, (down, across) in enumerate(motion):
        before, after = masks[k, 0].tolist(), masks[k + 1, 0].tolist()
        rows, columns = range(len(after)), range(len(after[0]))
        same = [
            abs(after[y][x] - before[y - down][x - across])
            for y in rows
            for x in columns
            if y - down in rows and x - across in columns
        ]
        values.append(np.mean(same))
    return float(np.mean(values))


def sliced_in_numpy(first, second, directions):
    """Compare the sorted projections, one direction after another."""
    gaps = [
        np.abs(np.sort(first.numpy() @ d) - np.sort(second.numpy() @ d)).mean()
        for d in directions.numpy()
    ]
    return float(np.mean(gaps))


def collapse_from_the_image(filters):
    """Compose the layers in the order in which they are applied."""
    kernel = filters[0]
    for weights in filters[1:]:
        side = weights.shape[-1] - 1
        kernel = F.conv2d(
            kernel.transpose(0, 1), weights.flip(2, 3), padding=side
        ).transpose(0, 1)
    return kernel[0, 0]


def scene_by_recursion(transform, frequencies, level=0):
    if level == 6:
        return torch.ones_like(frequencies)
    rest = scene_by_recursion(transform, frequencies / 2, level + 1)
    return transform(frequencies) * rest


def loss_by_numpy(discriminator, picture, weights):
    scales = [resize(picture, 1 / 1.5**s) for s in range(len(weights))]
    values = [np.square(discriminator(scale).numpy() - 1).mean() for scale in scales]
    return float(np.dot(values, weights))


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("make_son", son_by_unfolding),
        ("eight_fold", eight_by_hand),
        (
            "nearest_match",
            nearest_by(lambda a, b: (centred(a) - centred(b)).norm() ** 2),
        ),
        ("where_it_wins", " Outlines"),
        ("least_seam", mirrored_seam),
        ("least_seam", lambda energy: right.least_seam(energy).int()),
        ("similarity", scores(lambda pair: np.array([float(x) for x in pair]))),
        ("similarity", scores(list)),
        ("stopping_step", kept_by_slices),
        ("damage_loss", mean_over_the_known),
        ("exclusion", excluded_with_a_detached_mean),
        ("separate_by_search", searched_by_solving),
        ("lift_haze", haze_lifted_by_hand),
        ("remove_mark", mark_by_lstsq),
        ("update_atom", atom_by_alternation),
        ("across_scales", across_by_recursion),
        ("flicker", flicker_by_hand),
        ("sliced_distance", sliced_in_numpy),
        ("multi_scale_loss", loss_by_numpy),
        ("collapse", collapse_from_the_image),
        ("scene_transform", scene_by_recursion),
    ],
)
def test_another_right_answer_passes(name, answer):
    found = judged(name, answer)
    assert found.state == "passed", found


def test_a_prediction_is_compared_with_what_was_measured():
    told = measured("fine detail")
    assert check.where_it_wins("fine detail", *told).state == "passed"
    assert check.where_it_wins("outlines", *told).state == "not yet right"
    grey = 3 * [torch.full((3, 32, 32), 0.5)]
    assert "Less than 1%" in check.where_it_wins("outlines", *grey).message
    assert check.where_it_wins("smooth parts", *grey).state == "passed"


# ---- the engine


DOUBLED = Exercise(
    "doubled",
    lambda x: 2 * x,
    [
        Case((torch.ones(3),), "Is it doubled?"),
        lambda answer: {"It has a limit.": answer(9) < 18},
        Case((torch.tensor([0.0, 1.0]),), leak="A gradient leaks."),
    ],
    {
        "Three were added.": lambda x: x + 3,
        "Halved, then two added.": lambda x: x / 2 + 3.5,
    },
    "Doubled.",
)


def test_the_engine_stops_at_the_first_thing_that_is_wrong():
    assert DOUBLED(lambda x: x).message == (
        "For x = [1.0, 1.0, 1.0], the result should be [2.0, 2.0, 2.0]; yours is "
        "[1.0, 1.0, 1.0]. Is it doubled?"
    )
    assert DOUBLED(lambda x: 2 * x).message == "Doubled."
    assert (
        DOUBLED(lambda x: min(2 * x, 10) if isinstance(x, int) else 2 * x).message
        == "It has a limit."
    )
    assert DOUBLED(lambda x: ...).state == DOUBLED(...).state == "not done yet"
    # both mistakes give 4 for 1, but only the second mistake gives 3.5 for 0
    assert DOUBLED(lambda x: x / 2 + 3.5).message == "Halved, then two added."


def test_a_verdict_shows_sign_and_state_in_both_forms():
    for state, (sign, _) in LOOKS.items():
        found = Verdict("son", state, "1 < 2, as `son` has it")
        assert repr(found) == f"{sign} son: {state}. 1 < 2, as `son` has it"
        html = found._repr_html_()
        assert f"{sign} {state}" in html
        assert "1 &lt; 2, as <code>son</code> has it" in html


def test_a_check_restores_random_states_and_defaults():
    def state():
        return (
            torch.get_rng_state().tolist(),
            str(np.random.get_state()),  # noqa: NPY002
            random.getstate(),
            torch.get_default_dtype(),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
        )

    def seeding(name):
        def answer(*arguments):
            made = TABLES[name].reference(*arguments)
            torch.manual_seed(1)
            np.random.seed(1)  # noqa: NPY002
            random.seed(1)
            torch.set_default_dtype(torch.float64)
            torch.set_num_threads(2)
            torch.set_grad_enabled(False)
            return made

        return answer

    before = state()
    for name, table in TABLES.items():
        assert table(seeding(name)).state == "passed", name
        table(next(iter(table.mistakes.values())))
        assert state() == before, name


def test_a_check_works_in_any_notebook_and_shows_one_verdict(tmp_path):
    """A function is split over cells of another notebook, without ids or metadata."""
    cells = [
        "from dil_teach.course import check",
        "def difference(a, b):\n    return a - missing",
        "def nearest_match(a, b):\n    return difference(a, b).sum()",
        "check.nearest_match(nearest_match)",
        "check.nearest_match(nearest_match)",
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells]
    )
    for cell in execute(notebook, tmp_path).cells[-2:]:
        (output,) = cell.outputs
        assert set(output.data) == {"text/html", "text/plain"}
        assert output.data["text/plain"] == (
            "✗ nearest_match: not yet right. It stops at line 2, "
            "`return a - missing`, with NameError: name 'missing' is not defined."
        )


def test_a_check_needs_nothing_that_only_builders_have():
    program = (
        "import sys; from dil_teach.course import check;"
        "print(*{'jupytext', 'nbformat', 'nbclient', 'nbgrader'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert (run.returncode, run.stdout.strip()) == (0, ""), run.stderr


# ---- the versions of an exercise


SOURCE = [
    ("markdown", None, "## Exercise: twice"),
    (
        "code",
        "exercise",
        "import math\n\n\ndef twice(x):\n    ### BEGIN SOLUTION\n    y = x\n"
        "    return x + y\n    ### END SOLUTION",
    ),
    ("code", None, "check.twice(twice)"),
    ("markdown", "hints", "<details><summary>Hint 1</summary>Add.</details>"),
    ("markdown", None, "## Exercise: guess"),
    ("code", "exercise", "### BEGIN SOLUTION\nguess = 3\n### END SOLUTION"),
    ("code", None, "print(3)"),
    ("code", None, "import math\n\ncheck.guess(guess, 3)"),
    ("markdown", "hints", "<details><summary>Hint 1</summary>Count.</details>"),
]


def notebook_of(source):
    notebook = nbformat.v4.new_notebook()
    for kind, tag, text in source:
        make = getattr(nbformat.v4, f"new_{kind}_cell")
        notebook.cells.append(make(text, metadata={"tags": [tag]} if tag else {}))
    return notebook


def test_learners_get_stubs_and_the_solution_folded_after_the_hints():
    notebook = clear_solutions(fold_solutions(notebook_of(SOURCE)))
    texts = [cell.source for cell in notebook.cells]
    assert texts[1] == "import math\n\n\ndef twice(x):\n    raise NotImplementedError"
    assert texts[5] == "guess = ..."
    assert texts[3].endswith(
        "<details><summary>Solution</summary>\n\n```python\nimport math\n\n\n"
        "def twice(x):\n    y = x\n    return x + y\n```\n\n</details>"
    )
    assert "guess = 3" in texts[8]


def test_the_solution_version_keeps_the_code_without_the_markers():
    texts = [cell.source for cell in keep_solutions(notebook_of(SOURCE)).cells]
    assert texts[1].endswith("def twice(x):\n    y = x\n    return x + y")
    assert texts[5] == "guess = 3"
    assert not any("SOLUTION" in text for text in texts)


@pytest.mark.parametrize(
    ("place", "text", "complaint"),
    [
        (1, "def twice(x):\n    return 2 * x", "expected '### BEGIN SOLUTION'"),
        (2, "print(twice(1))", "move or add check.twice(twice)"),
        (3, None, "tag the cell after check.twice(twice) 'hints'"),
        (6, "### BEGIN SOLUTION\nx = 1\n### END SOLUTION", "tag this cell 'exercise'"),
    ],
)
def test_an_exercise_that_is_not_whole_is_refused(place, text, complaint):
    source = list(SOURCE)
    source[place] = ("code", source[place][1] if text else None, text or "1")
    with pytest.raises(AssertionError, match=re.escape(complaint)):
        exercises(notebook_of(source))


if __name__ == "__main__":
    found = {name: fingerprints(table) for name, table in TABLES.items()}
    text = json.dumps(found, indent=1, ensure_ascii=False)
    DIAGNOSES.write_text(text + "\n", "utf-8")
