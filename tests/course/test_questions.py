"""The six questions of chapter 16: the same seed, the same trial; and fair errors."""

from collections.abc import Callable

import pytest
import torch

from dil_teach import photo
from dil_teach.course import questions
from dil_teach.course.questions import Trial, shake

SIDE = 64
EVERY = pytest.mark.parametrize(
    "question",
    questions.QUESTIONS.values(),
    ids=lambda question: question.__name__,
)
Question = Callable[[torch.Tensor, int, str], Trial]


@pytest.fixture(scope="module")
def photograph() -> torch.Tensor:
    return photo("coffee", size=SIDE)


def control_of(trial: Trial) -> str:
    return next(iter(trial.methods))


@EVERY
def test_a_seed_draws_the_damage(question: Question, photograph: torch.Tensor) -> None:
    one, again, other = (question(photograph, seed, "quick") for seed in (3, 3, 4))
    results = [trial.methods[control_of(trial)]() for trial in (one, again, other)]
    assert torch.equal(one.given, again.given) and torch.equal(*results[:2])
    changed = results[0].shape != results[2].shape or (results[0] != results[2]).any()
    assert changed
    assert 0 <= one.given.min() <= one.given.max() <= 1


@EVERY
def test_the_photograph_itself_has_no_error(
    question: Question, photograph: torch.Tensor
) -> None:
    trial = question(photograph, 0, "quick")
    perfect, control = (
        trial.errors(image)
        for image in (photograph, trial.methods[control_of(trial)]())
    )
    assert perfect.max() < 1e-6 < control.mean()
    assert control.ndim == 2 and control.min() >= 0


@EVERY
def test_the_first_method_is_called_the_control(
    question: Question, photograph: torch.Tensor
) -> None:
    names = list(question(photograph, 0, "quick").methods)
    assert names[0].endswith("(control)") and len(names) >= 3
    assert not any("control" in name for name in names[1:])


def test_only_the_hole_has_an_error(photograph: torch.Tensor) -> None:
    trial = questions.completion(photograph, 0, "quick")
    hole = (trial.given != photograph).any(0)
    errors = trial.errors(torch.zeros_like(photograph))
    assert (errors[~hole] == 0).all() and errors[hole].min() > 0
    assert (SIDE // 5 - 1) ** 2 < hole.sum() <= (SIDE // 5) ** 2


@pytest.mark.parametrize("seed", range(5))
def test_a_shake_is_a_path_inside_its_kernel(seed: int) -> None:
    kernel = shake(seed)
    assert kernel.sum() == pytest.approx(1) and kernel.min() >= 0
    assert 4 < (kernel > 0.01).sum() < 60
    border = kernel.clone()  # clean_kernel centres the path, so its end may reach it
    border[1:-1, 1:-1] = 0
    assert border.sum() < 0.05


def test_an_unknown_question_is_refused_in_one_sentence() -> None:
    with pytest.raises(
        ValueError, match=r"^question: expected one of den.*got 'haze'$"
    ):
        questions.asked("haze")
