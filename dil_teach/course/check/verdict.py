"""What all checks share: the verdict, and how an answer is called and compared."""

import functools
import inspect
import linecache
import random
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

State = Literal["not done yet", "not yet right", "passed"]
LOOKS: dict[State, tuple[str, str]] = {  # sign and border: never colour alone
    "not done yet": ("○", "4px dotted #767676"),
    "not yet right": ("✗", "4px dashed #D55E00"),
    "passed": ("✓", "4px solid #0072B2"),
}
Reading = float | Tensor
"""What is compared: a number, or a tensor."""


@dataclass(frozen=True, repr=False)
class Verdict:
    """What a check found; a cell that ends on it shows it."""

    exercise: str
    state: State
    message: str

    def __repr__(self) -> str:
        return f"{LOOKS[self.state][0]} {self.exercise}: {self.state}. {self.message}"

    def _repr_html_(self) -> str:
        sign, border = LOOKS[self.state]
        message = re.sub("`([^`]+)`", r"<code>\1</code>", escape(self.message))
        return (
            f'<div style="border-left:{border};padding:0.2em 0.8em">'
            f"<strong>{sign} {self.state}</strong>: <code>{self.exercise}</code>"
            f"<br>{message}</div>"
        )


class NotDone(Exception):
    """The stub stands as it was."""


class NotYetRight(Exception):
    """The first thing that is wrong, as a sentence for the learner."""


def verdict(check: Callable[..., str]) -> Callable[..., Verdict]:
    """Make a check of a function that stops at the first thing that is wrong.

    Parameters
    ----------
    check : function
        Takes the learner's answer first; raises `NotYetRight` with a diagnosis, or
        returns what to say to a right answer. Its name is the exercise's.

    Returns
    -------
    function
        Of the same arguments, returning a `Verdict`. Random states and torch's
        defaults are afterwards as they were.
    """

    @functools.wraps(check)
    def judged(answer: Any, *arguments: Any, **named: Any) -> Verdict:
        exercise = check.__name__
        try:
            with _as_it_was():
                praise = check(_started(answer), *arguments, **named)
        except NotDone:
            todo = f"Fill in `{exercise}`, run its cell, then run this one again."
            return Verdict(exercise, "not done yet", todo)
        except NotYetRight as wrong:
            return Verdict(exercise, "not yet right", str(wrong))
        return Verdict(exercise, "passed", praise)

    return judged


def call(answer: Any, *arguments: Any) -> Any:
    """What the learner's function makes of copies of these arguments.

    Raises
    ------
    NotDone
        If it is still the stub.
    NotYetRight
        If it cannot be called, fails, returns nothing or changes an argument.
    """
    if not callable(answer):
        raise NotYetRight(
            f"The check calls your function itself: give it the function's name "
            f"without brackets, not {_kind(answer)}."
        )
    copies = [_copy(argument) for argument in arguments]
    try:
        with _as_it_was():
            result = answer(*copies)
    except NotYetRight:
        raise  # from a tool that the check has lent to the answer
    except NotImplementedError as error:
        # torch raises it as well, but always says of what
        if not error.args:
            raise NotDone from None
        raise NotYetRight(_failure(answer, error)) from None
    except Exception as error:
        raise NotYetRight(_failure(answer, error)) from None
    for copy, original in zip(copies, arguments, strict=True):
        if isinstance(copy, Tensor) and not torch.equal(copy, original):
            raise NotYetRight(
                "It changes the tensor that it was given, which its caller may still "
                "need. Make a new one instead of writing into the old one."
            )
    if result is Ellipsis:
        raise NotDone
    if result is None:
        raise NotYetRight("It returns None: is there a `return` at its end?")
    return result.detach().cpu() if isinstance(result, Tensor) else result


def as_image(result: Any, shape: tuple[int, ...], what: str) -> Tensor:
    """The result, if it is a finite float32 tensor of this shape.

    Parameters
    ----------
    result : Any
        As `call` returns it.
    shape : tuple of int
        What it should have.
    what : str
        What it is, such as "the son of a father of 8 x 12 pixels".
    """
    if isinstance(result, np.ndarray):
        raise NotYetRight(
            "It returns a NumPy array. The values may well be right, but images are "
            "torch tensors here: stay with torch's functions from start to end."
        )
    if not isinstance(result, Tensor):
        raise NotYetRight(f"It returns {_kind(result)}; expected one torch tensor.")
    if tuple(result.shape) != shape:
        raise NotYetRight(
            f"The shape of {what} should be {shape}, got {tuple(result.shape)}."
        )
    if result.dtype != torch.float32:
        raise NotYetRight(
            f"It returns {_dtype(result)}. The values may well be right, but images "
            "are float32 here, and one such tensor turns all that it meets: where "
            "does it come from?"
        )
    if not torch.isfinite(result).all():
        raise NotYetRight("Some values are NaN or infinite: what is divided by zero?")
    return result


def as_number(result: Any) -> float:
    """The result, if it is one finite number: a float, or a tensor without axes."""
    if isinstance(result, Tensor | np.ndarray) and result.ndim > 0:
        raise NotYetRight(
            f"One number is wanted for the two together, got shape "
            f"{tuple(result.shape)}: over which axes is still to be summed?"
        )
    try:
        number = float(result)
    except (TypeError, ValueError):
        raise NotYetRight(f"It returns {_kind(result)}; expected one number.") from None
    if not np.isfinite(number):
        raise NotYetRight("The result is NaN or infinite: what is divided by zero?")
    return number


def compare(
    got: Reading,
    wanted: Reading,
    otherwise: str,
    suspects: Callable[[], Mapping[str, Reading]] = dict,
    tolerance: float = 1e-4,
) -> None:
    """Refuse what is not as wanted, with the diagnosis of the mistake that it equals.

    Parameters
    ----------
    got, wanted : float or Tensor
        Tensors of one shape.
    otherwise : str
        What to say where no suspect fits.
    suspects : function
        Its dict holds what known mistakes give, by diagnosis, the likeliest first.
    tolerance : float
        Against the largest value wanted.
    """
    if _close(got, wanted, tolerance):
        return
    for diagnosis, value in suspects().items():
        if _close(got, value, tolerance):
            raise NotYetRight(diagnosis)
    raise NotYetRight(otherwise)


def one_of(answer: Any, options: Iterable[str]) -> str:
    """The prediction, if it is one of the options."""
    options = list(options)
    if not isinstance(answer, str) or answer.strip().lower() not in options:
        listed = ", ".join(f'"{option}"' for option in options)
        raise NotYetRight(f"Expected one of {listed}, got {answer!r}.")
    return answer.strip().lower()


def _close(got: Reading, wanted: Reading, tolerance: float) -> bool:
    got, wanted = (torch.as_tensor(x, dtype=torch.float64) for x in (got, wanted))
    if got.shape != wanted.shape:
        return False
    largest = max(float(wanted.abs().max()), 1e-6)
    return float((got - wanted).abs().max()) <= tolerance * largest


def _started(answer: Any) -> Any:
    """The answer, unless nobody has begun: `...` is the stub of a prediction."""
    if answer is Ellipsis:
        raise NotDone
    return answer


@contextmanager
def _as_it_was() -> Iterator[None]:
    """float32 and one thread inside; random states and defaults restored afterwards."""
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    grad = torch.is_grad_enabled()
    of_numpy, of_python = np.random.get_state(), random.getstate()  # noqa: NPY002
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(1)  # so small, a second thread only waits for the first
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        torch.set_num_threads(threads)
        np.random.set_state(of_numpy)  # noqa: NPY002
        random.setstate(of_python)


def _failure(answer: Callable, error: Exception) -> str:
    """The exception in one sentence, with the line of the learner's own code."""
    first, *_ = str(error).splitlines() or [""]
    what = f"{type(error).__name__}: {first}" if first else type(error).__name__
    # what a learner wrote, in however many cells, shares one namespace
    own = getattr(inspect.unwrap(answer), "__globals__", None)
    frames = traceback.walk_tb(error.__traceback__)
    lines = [
        (frame.f_code.co_filename, number)
        for frame, number in frames
        if frame.f_globals is own
    ]
    if not lines:
        return (
            f"It cannot be called ({what}): do the names and number of its arguments "
            "agree with the exercise?"
        )
    file, number = lines[-1]
    text = linecache.getline(file, number).strip()
    where = f"line {number}, `{text}`" if text else f"line {number}"
    return f"It stops at {where}, with {what.rstrip('.')}."


def _copy(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return argument.clone()
    return list(argument) if isinstance(argument, list) else argument


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return f"{type(value).__name__} {value!r}"[:80]


def _dtype(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")
