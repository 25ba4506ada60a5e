"""The exercises: solutions pass, stubs fail cleanly, mistakes get their diagnosis."""

import ast
import random
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import test_exercises_05
import test_exercises_12
import test_exercises_13
import test_exercises_14
import test_exercises_15
import torch
import torch.nn.functional as F

from dil_teach import blur_and_subsample, photo, resize
from dil_teach.classical.back_projection import back_project
from dil_teach.course import check
from dil_teach.course.build import (
    chapters,
    execute,
    learner_notebook,
    marked_notebook,
    solution_notebook,
)
from dil_teach.course.check import Verdict, tour
from dil_teach.course.check.verdict import NotYetRight, call, verdict
from dil_teach.course.exercises import (
    Exercise,
    clear_solutions,
    exercises,
    fold_solutions,
    keep_solutions,
)
from dil_teach.image.augment import add_noise, orient, orient_back
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.shipped import shipped
from dil_teach.patches.recurrence import recurrence_map

ALL = [(c, e) for c in chapters() for e in exercises(marked_notebook(c))]
EACH = pytest.mark.parametrize(
    ("chapter", "exercise"), ALL, ids=[exercise.name for _, exercise in ALL]
)
CHAPTERS = pytest.mark.parametrize("chapter", chapters())


# ---- what the checks are told beside the answer


def measured() -> dict:
    """A photograph, and a stand-in for ZSSR that repairs its long outlines best."""
    truth = photo("coffee", size=128)
    bicubic = resize(resize(truth, 0.5), 2)
    maps = tour._regions(truth)
    kept = torch.ones(truth.shape[1:])
    inner = (slice(4, -4), slice(4, -4))
    for kind, share in {"smooth parts": 0.9, "outlines": 0.4}.items():
        kept[inner][maps[kind]] = share
    return {
        "bicubic": bicubic,
        "zssr": truth + kept * (bicubic - truth),
        "truth": truth,
    }


def others(name: str) -> dict:
    if name == "where_it_wins":
        return measured()
    if name == "what_to_learn_from":
        return {"small": photo("coffee", size=64)}
    if name == "allowed_orientations":
        return {"kernel": gaussian_kernel((2.0, 1.0), angle=0.5)}
    return {}


def judged(name: str, answer: object) -> Verdict:
    return getattr(check, name)(answer, **others(name))


def namespace(chapter: str, exercise: Exercise, solved: bool) -> dict:
    """What an exercise cell leaves behind, given the imports before it."""
    notebook = (solution_notebook if solved else learner_notebook)(chapter)
    names: dict = {}
    for cell in notebook.cells[: exercise.cell]:
        if cell.cell_type == "code":
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.Import | ast.ImportFrom):
                    exec(ast.unparse(node), names)
    exec(notebook.cells[exercise.cell].source, names)
    return names


# ---- solutions and stubs, as the chapters have them


@EACH
def test_the_solution_passes(chapter, exercise):
    answer = namespace(chapter, exercise, solved=True)[exercise.name]
    found = judged(exercise.name, answer)
    assert found.state == "passed", found
    assert found.exercise == exercise.name


@EACH
def test_the_stub_is_not_done_yet(chapter, exercise):
    answer = namespace(chapter, exercise, solved=False)[exercise.name]
    assert judged(exercise.name, answer).state == "not done yet"


def test_every_check_is_used_by_one_chapter():
    assert sorted(exercise.name for _, exercise in ALL) == sorted(
        set(check.__all__) - {"Verdict"}
    )


@pytest.mark.slow
@CHAPTERS
def test_the_solution_notebook_runs_and_every_check_passes(chapter):
    notebook = execute(solution_notebook(chapter), shipped("notebooks"))
    for exercise in exercises(marked_notebook(chapter)):
        (output,) = notebook.cells[exercise.check].outputs
        found = output["data"]["text/plain"]
        assert found.startswith(f"✓ {exercise.name}: passed"), found


# ---- planted mistakes, each with words of its diagnosis


def son(father, kernel, sigma, rng, first=0.5):
    """A right son, or one whose first pixel lies elsewhere."""
    border = len(kernel) // 2 - 1
    before = border + round(0.5 - first)
    after = border - round(0.5 - first)
    sides = (max(before, 0), max(after, 0)) * 2
    padded = F.pad(father[:, None], sides, mode="replicate")
    if before < 0:
        padded = padded[..., -before:, -before:]
    blurred = F.conv2d(padded, kernel[None, None], stride=2)[:, 0]
    return blurred + sigma * torch.randn(blurred.shape, generator=rng)


def zero_border(father, kernel, sigma, rng):
    return F.conv2d(
        father[:, None], kernel[None, None], stride=2, padding=len(kernel) // 2 - 1
    )[:, 0]


def odd_kernel(father, kernel, sigma, rng):
    """The half pixel that research code loses: a kernel centred on a pixel."""
    odd = F.pad(kernel, (0, 1, 0, 1))
    odd = (odd + odd.roll(1, 0) + odd.roll(1, 1) + odd.roll((1, 1), (0, 1))) / 4
    border = len(odd) // 2
    padded = F.pad(father[:, None], 4 * [border], mode="replicate")
    return F.conv2d(padded, odd[None, None], stride=2)[:, 0]


def noise_first(father, kernel, sigma, rng):
    noisy = father + sigma * torch.randn(father.shape, generator=rng)
    return son(noisy, kernel, 0, rng)


def noise_of_its_own(father, kernel, sigma, rng, own=torch.Generator()):  # noqa: B008
    return son(father, kernel, sigma, own)


def global_noise(father, kernel, sigma, rng):
    blurred = son(father, kernel, 0, rng)
    return blurred + sigma * torch.randn(blurred.shape)


def gray_noise(father, kernel, sigma, rng):
    blurred = son(father, kernel, 0, rng)
    return blurred + sigma * torch.randn(blurred.shape[1:], generator=rng)


def fold(enlarge, low, orientations=range(8), back=orient_back):
    return torch.stack([back(enlarge(orient(low, o)), o) for o in orientations])


def undone_in_the_wrong_order(image, o):
    return (image.flip(-1) if o >= 4 else image).rot90(-(o % 4), (-2, -1))


def projected(low, kernel, rounds, sign=1):
    high = resize(low, 2)
    for _ in range(rounds):
        seen = blur_and_subsample(high, kernel, 2)
        high = high + sign * resize(low - seen, 2)
    return high


def first_error_only(low, kernel, rounds):
    high = resize(low, 2)
    missing = low - blur_and_subsample(high, kernel, 2)
    return high + rounds * resize(missing, 2)


def clamped_control(low, kernel, rounds):
    high = resize(low, 2)
    for _ in range(rounds):
        high = back_project(high, low, kernel, 2, 1).clamp(0, 1)
    return high


def ssd(a, b, axes=(1, 2)):
    difference = a - b
    return (difference - difference.mean(axes, keepdim=True)).square()


def normalised(a, b):
    a, b = (x - x.mean((1, 2), keepdim=True) for x in (a, b))
    return (a / a.std() - b / b.std()).square().sum()


def in_place(a, b):
    a -= a.mean((1, 2), keepdim=True)
    b -= b.mean((1, 2), keepdim=True)
    return (a - b).square().sum()


def recurs(image, scale, patch_size, least):
    return (recurrence_map(image, patch_size, scale) >= least).float()


def curve(one):
    """A function of many scales made of a function of one."""

    def percentages(image, scales, patch_size=5, least=9):
        return [float(one(image, scale, patch_size, least)) for scale in scales]

    return percentages


percentages = curve(lambda *given: 100 * recurs(*given).mean())

MISTAKES = {
    "what_to_learn_from": {
        "hands its input on": "itself to itself",
        "holds nothing that interpolation does not know": "itself to bicubic",
        "Expected one of": "everything",
    },
    "where_it_wins": {
        "there is little to gain": "smooth parts",
        "does such a detail occur again": "fine detail",
        "Expected one of": "the emblem",
    },
    "make_son": {
        "plain black or white": lambda f, k, s, r: f[:, ::2, ::2],
        "half a pixel off.* left of": odd_kernel,
        "one pixel off.* right of": lambda *a: son(*a, first=1.5),
        "one pixel off.* left of": lambda *a: son(*a, first=-0.5),
        r"shape of the son .* should be \(3, 4, 6\)": lambda f, k, s, r: F.conv2d(
            f[:, None], k[None, None], padding=len(k) // 2 - 1
        )[:, 0],
        "weights still sum to 1": lambda f, k, s, r: son(f, k / k.max(), s, r),
        "an edge at the border": zero_border,
        "Each two by two pixels": lambda f, k, s, r: F.avg_pool2d(f, 2),
        "by bicubic interpolation": lambda f, k, s, r: resize(f, 0.5),
        "upside down": lambda f, k, s, r: son(f, k.flip(0, 1), s, r),
        "rows and columns": lambda f, k, s, r: son(f, k.mT, s, r),
        "channels were mixed": lambda f, k, s, r: (
            son(f, k, s, r).mean(0, keepdim=True).expand(len(f), -1, -1)
        ),
        "where is the noise": lambda f, k, s, r: son(f, k, 0, r),
        "both sides of 0": lambda f, k, s, r: (
            son(f, k, 0, r)
            + s * torch.rand(len(f), f.shape[1] // 2, f.shape[2] // 2, generator=r)
        ),
        "cut off at 0 and 1": lambda f, k, s, r: son(f, k, s, r).clamp(0, 1),
        "averaged it away": noise_first,
        "in the units of": lambda f, k, s, r: son(f, k, 255 * s, r),
        "same for another seed": global_noise,
        "same `rng`.* other noise": noise_of_its_own,
        "All channels got the same": gray_noise,
        "float64": lambda f, k, s, r: son(f.double(), k.double(), s, r),
        "NumPy array": lambda f, k, s, r: son(f, k, s, r).numpy(),
        "is there a `return`": lambda f, k, s, r: None,
    },
    "eight_fold": {
        "not turned back": lambda e, x: fold(e, x, back=lambda a, o: a).mean(0),
        "a quarter turn to the left": lambda e, x: fold(e, x, back=orient).mean(0),
        "last is undone": lambda e, x: fold(e, x, back=undone_in_the_wrong_order).mean(
            0
        ),
        "saw 4 orientations.* mirrorings": lambda e, x: fold(e, x, range(4)).mean(0),
        "saw 4 orientations.* turns": lambda e, x: fold(e, x, (0, 2, 4, 6)).mean(0),
        "saw 2 orientations": lambda e, x: fold(e, x, (0, 4)).mean(0),
        "8 times, with one orientation": lambda e, x: fold(e, x, 8 * [0]).mean(0),
        "each of the eight answers count once": lambda e, x: fold(
            e, x, [*range(8), 0]
        ).mean(0),
        "far too bright": lambda e, x: fold(e, x).sum(0),
        "median": lambda e, x: fold(e, x).median(0).values,
        "two in the middle": lambda e, x: fold(e, x).quantile(0.5, dim=0),
        r"takes one image of shape": lambda e, x: e(
            torch.stack([orient(x, o) for o in range(8)])
        ),
        "never called": lambda e, x: resize(x, 2),
        "should be .1, 8, 8.": lambda e, x: fold(e, x),
    },
    "allowed_orientations": {
        "Eight are allowed only where": set(range(8)),
        "Orientation 1 turns the blur": {0, 1, 2, 3},
        "Orientation 4 turns the blur": {0, 4},
        "and more are": {0},
        "has taken just that": {2},
        "Expected a set": {0, 8},
    },
    "control": {
        "back-projection was forgotten": lambda x, k, n: resize(x, 2),
        "goes the wrong way": lambda x, k, n: projected(x, k, n, sign=-1),
        "stops after one round and 5": lambda x, k, n: projected(x, k, min(n, 1)),
        "stops after 4 rounds": lambda x, k, n: projected(x, k, min(n, 4)),
        "one round was done all the same": lambda x, k, n: projected(x, k, n + 1),
        "wrong kernel": lambda x, k, n: projected(x, "bicubic", n),
        "measured anew": first_error_only,
        "cut off at 0 and 1 in each round": clamped_control,
        "What does yours begin with": lambda x, k, n: back_project(
            resize(x, 2, kernel="area"), x, k, 2, n
        ),
        "anything rounded, cut off or fixed": lambda x, k, n: projected(
            x, k, min(n, 20) if n < 20 else 25
        ),
        r"should be \(3, 24, 32\)": lambda x, k, n: x,
    },
    "mean_removed_ssd": {
        "mean was not removed": lambda a, b: (a - b).square().sum(),
        "over all channels together": lambda a, b: ssd(a, b, (0, 1, 2)).sum(),
        "across the channels": lambda a, b: ssd(a, b, (0,)).sum(),
        "averaged, not summed": lambda a, b: ssd(a, b).mean(),
        "absolute differences": lambda a, b: ssd(a, b).sqrt().sum(),
        "square root": lambda a, b: ssd(a, b).sum().sqrt(),
        "contrast divided away": normalised,
        "over which axes": lambda a, b: ssd(a, b).sum((1, 2)),
        "changes the tensor": in_place,
        "TypeError": lambda a: a,
    },
    "percentage_against_scale": {
        "share of 1": curve(lambda *given: recurs(*given).mean()),
        "exactly `least`": curve(
            lambda i, s, p, n: 100 * (recurrence_map(i, p, s) > n).float().mean()
        ),
        "mean number of recurrences": curve(
            lambda i, s, p, n: recurrence_map(i, p, s).float().mean()
        ),
        "number of patches": curve(lambda *given: recurs(*given).sum()),
        "too seldom": curve(lambda *given: 100 - 100 * recurs(*given).mean()),
        "made smaller first": curve(
            lambda i, s, p, n: 100 * recurs(resize(i, s), 1.0, p, n).mean()
        ),
        "scale changes nothing": curve(
            lambda i, s, p, n: 100 * recurs(i, 1.0, p, n).mean()
        ),
        "size of the patches changes": curve(
            lambda i, s, p, n: 100 * recurs(i, s, 5, n).mean()
        ),
        "asked for changes nothing": curve(
            lambda i, s, p, n: 100 * recurs(i, s, p, 9).mean()
        ),
        "order of growing": lambda i, s, *given: percentages(i, sorted(s), *given),
        "Called without them": lambda i, s, p=7, n=9: percentages(i, s, p, n),
        "a list of floats": lambda *given: torch.tensor(percentages(*given)),
        "one for each scale": lambda *given: percentages(*given)[0],
        "as many numbers": lambda *given: percentages(*given)[:1],
    },
}


@pytest.mark.parametrize(
    ("name", "diagnosis"), [(name, d) for name in MISTAKES for d in MISTAKES[name]]
)
def test_a_mistake_gets_its_diagnosis(name, diagnosis):
    found = judged(name, MISTAKES[name][diagnosis])
    assert found.state == "not yet right", found
    assert re.search(diagnosis, found.message), found


@pytest.mark.parametrize("name", sorted(set(check.__all__) - {"Verdict"}))
def test_every_check_meets_three_mistakes(name):
    others = (
        test_exercises_05,
        test_exercises_12,
        test_exercises_13,
        test_exercises_14,
        test_exercises_15,
    )
    (found,) = [
        planted[name]
        for planted in (MISTAKES, *(other.MISTAKES for other in others))
        if name in planted
    ]
    assert len(found) >= 3


# ---- other right answers than the chapters' own


def son_by_unfolding(father, kernel, sigma, rng):
    side, border = len(kernel), len(kernel) // 2 - 1
    padded = F.pad(father, 4 * [border], mode="replicate")
    windows = padded.unfold(1, side, 2).unfold(2, side, 2)
    blurred = (windows * kernel).sum((-1, -2))
    return torch.normal(blurred, sigma, generator=rng) if sigma else blurred


def son_of_the_library(father, kernel, sigma, rng):
    return add_noise(blur_and_subsample(father, kernel, 2), sigma, rng)


def eight_by_hand(enlarge, low):
    total = torch.zeros_like(enlarge(low))
    for upright in (low, low.flip(1)):
        for quarters in range(4):
            answer = enlarge(upright.rot90(quarters, (1, 2))).rot90(-quarters, (1, 2))
            total += answer if upright is low else answer.flip(1)
    return total / 8


def ssd_by_variance(a, b):
    difference = (a - b).double().flatten(1)
    return float((difference.var(1, correction=0) * difference.shape[1]).sum())


def ssd_in_numpy(a, b):
    pairs = zip(a.numpy(), b.numpy(), strict=True)
    return sum((((x - x.mean()) - (y - y.mean())) ** 2).sum() for x, y in pairs)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("make_son", son_by_unfolding),
        ("make_son", son_of_the_library),
        ("eight_fold", eight_by_hand),
        ("control", lambda x, k, n: back_project(resize(x, 2), x, k, 2, n)),
        ("mean_removed_ssd", ssd_by_variance),
        ("mean_removed_ssd", ssd_in_numpy),
        ("percentage_against_scale", percentages),
        ("allowed_orientations", [2, 0]),
        ("where_it_wins", " Outlines"),
    ],
)
def test_another_right_answer_passes(name, answer):
    found = judged(name, answer)
    assert found.state == "passed", found


def test_a_prediction_is_held_against_what_was_measured():
    told = measured()
    told["zssr"] = told["truth"] + 0.9 * (told["bicubic"] - told["truth"])
    maps = tour._regions(told["truth"])
    told["zssr"][:, 4:-4, 4:-4][:, maps["fine detail"]] = told["truth"][:, 4:-4, 4:-4][
        :, maps["fine detail"]
    ]
    assert check.where_it_wins("fine detail", **told).state == "passed"
    assert check.where_it_wins("outlines", **told).state == "not yet right"
    grey = {name: torch.full((3, 32, 32), 0.5) for name in told}
    found = check.where_it_wins("outlines", **grey)
    assert "hardly any outlines" in found.message
    assert check.where_it_wins("smooth parts", **grey).state == "passed"


def test_a_round_blur_allows_all_orientations():
    round_one = gaussian_kernel((1.5, 1.5))
    assert check.allowed_orientations(set(range(8)), round_one).state == "passed"
    assert check.allowed_orientations([0, 2], round_one).state == "not yet right"


# ---- what all checks share


@verdict
def doubled(answer):
    got = call(answer, torch.ones(3))
    if not torch.equal(got, torch.full((3,), 2.0)):
        raise NotYetRight("it is not doubled")
    return "it is doubled"


def stopping(x):
    missing = torch.zeros(5)
    return x + missing  # this line stops


def unfinished(x):
    if len(x) == 3:
        raise NotImplementedError("the easy half is missing")
    return x


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (lambda x: 2 * x, "passed", "it is doubled"),
        (lambda x: x, "not yet right", "it is not doubled"),
        (stopping, "not yet right", r"`return x \+ missing .*` *, with RuntimeError"),
        (unfinished, "not yet right", "NotImplementedError: the easy half"),
        (lambda: 2, "not yet right", "cannot be called .TypeError"),
        (lambda x: print(end=""), "not yet right", "returns None: is there"),
        (torch.ones(3), "not yet right", "without brackets, not a tensor"),
        (..., "not done yet", "Fill in"),
        (lambda x: ..., "not done yet", "Fill in"),
    ],
)
def test_every_answer_gets_a_verdict_in_words(answer, state, words):
    found = doubled(answer)
    assert (found.exercise, found.state) == ("doubled", state)
    assert re.search(words, found.message), found


def test_a_verdict_is_told_in_words_with_a_sign_in_both_forms():
    for state, sign in {
        "not done yet": "○",
        "not yet right": "✗",
        "passed": "✓",
    }.items():
        found = Verdict("son", state, "1 < 2, as `son` has it")
        assert repr(found) == f"{sign} son: {state}. 1 < 2, as `son` has it"
        html = found._repr_html_()
        assert f"{sign} {state}" in html
        assert "1 &lt; 2, as <code>son</code> has it" in html


def test_a_check_leaves_random_states_and_defaults_as_they_were():
    def seeding(father, kernel, sigma, rng):
        made = son(father, kernel, sigma, rng)
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002
        random.seed(1)
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(2)
        torch.set_grad_enabled(False)
        return made

    def state():
        return (
            torch.get_rng_state().tolist(),
            str(np.random.get_state()),  # noqa: NPY002
            random.getstate(),
            torch.get_default_dtype(),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
        )

    before = state()
    assert check.make_son(seeding).state == "passed"
    assert state() == before
    for name in MISTAKES:
        judged(name, next(iter(MISTAKES[name].values())))
        assert state() == before, name


def test_a_check_works_wherever_it_stands_and_shows_one_verdict(tmp_path):
    """Cells split and doubled, in another notebook, without ids or metadata."""
    cells = [
        "from dil_teach.course import check",
        "def difference(a, b):\n    return a - missing",
        "def mean_removed_ssd(a, b):\n    return difference(a, b).sum()",
        "check.mean_removed_ssd(mean_removed_ssd)",
        "check.mean_removed_ssd(mean_removed_ssd)",
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells]
    )
    for cell in execute(notebook, tmp_path).cells[-2:]:
        (output,) = cell.outputs
        assert set(output.data) == {"text/html", "text/plain"}
        assert output.data["text/plain"] == (
            "✗ mean_removed_ssd: not yet right. It stops at line 2, "
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
        (1, "def twice(x):\n    return 2 * x", "must have one solution"),
        (1, "### BEGIN SOLUTION\ndef f(): 1\n### END SOLUTION", "body of a function"),
        (2, "print(twice(1))", "must be followed by a cell check.twice"),
        (3, None, "tagged 'hints'"),
        (6, "### BEGIN SOLUTION\nx = 1\n### END SOLUTION", "tagged 'exercise'"),
    ],
)
def test_an_exercise_that_is_not_whole_is_refused(place, text, complaint):
    source = list(SOURCE)
    source[place] = ("code", source[place][1] if text else None, text or "1")
    with pytest.raises(ValueError, match=re.escape(complaint)):
        exercises(notebook_of(source))
