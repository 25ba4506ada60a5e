"""Exercises as data, and the one engine that checks a learner's answer.

A table states what an exercise expects and which mistakes are known. The engine
compares the answer with both and returns a `Verdict`, which never shows the solution.
"""

import inspect
import random
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, partial, wraps
from html import escape
from typing import Any

import numpy as np
import torch
from torch import Tensor

LOOKS = {  # sign and border, because colour alone is not enough
    "not done yet": ("○", "4px dotted #767676"),
    "not yet right": ("✗", "4px dashed #D55E00"),
    "passed": ("✓", "4px solid #0072B2"),
}
SMALLEST = 1e-2  # tolerances are relative to the expected value, but to at least this
PRINTED = 12  # messages print tensors with at most this number of values
INFINITE = "Your result is NaN or infinite: what is divided by zero?"
INFINITE_GRADIENT = "The loss is finite, but its gradient is not. Is there a root of 0?"


@dataclass(frozen=True, repr=False)
class Verdict:
    """The result of a check. A notebook cell that ends with it displays it."""

    exercise: str
    state: str
    message: str

    def __repr__(self) -> str:
        return f"{LOOKS[self.state][0]} {self.exercise}: {self.state}. {self.message}"

    def _repr_html_(self) -> str:
        sign, border = LOOKS[self.state]
        message = re.sub("`([^`]+)`", r"<code>\1</code>", escape(self.message))
        return (
            f'<div style="border-left:{border};padding:0.2em 0.8em"><strong>{sign} '
            f"{self.state}</strong>: <code>{self.exercise}</code><br>{message}</div>"
        )


class NotYetRight(Exception):
    """The first mistake in an answer, in words for the learner."""


def refuse(found: Mapping[str, Any]) -> None:
    """Raise `NotYetRight` with the first diagnosis that is true."""
    for diagnosis, true in found.items():
        if true:
            raise NotYetRight(diagnosis)


# ---- what an answer returns


def as_image(result: Any, wanted: Tensor, *arguments: Any) -> Tensor:
    """The result, if it is a finite float32 tensor of the same shape as `wanted`."""
    if not isinstance(result, Tensor):
        raise NotYetRight(f"Return one torch tensor, not a {type(result).__name__}.")
    kind = str(result.dtype).removeprefix("torch.")
    shape = f"The shape should be {tuple(wanted.shape)}, got {tuple(result.shape)}."
    refuse(
        {
            shape: result.shape != wanted.shape,
            f"You return {kind}; images are float32.": result.dtype != torch.float32,
            INFINITE: not result.isfinite().all(),
        }
    )
    return result


def as_pair(result: Any, wanted: Sequence[Tensor], *arguments: Any) -> Tensor:
    """The values of two tensors, if each is an image as `as_image` demands it."""
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise NotYetRight("Return two tensors, as a pair.")
    both = [as_image(*pair) for pair in zip(result, wanted, strict=True)]
    return torch.cat([x.flatten() for x in both])


def as_number(result: Any, *others: Any) -> float:
    """The result, if it is one finite number: a float, or a tensor without axes."""
    if isinstance(result, Tensor | np.ndarray) and result.ndim > 0:
        raise NotYetRight(
            f"The result should be one number, got shape {tuple(result.shape)}: over "
            "which axes must you still take the sum or the mean?"
        )
    try:
        number = float(result)
    except (TypeError, ValueError):
        raise NotYetRight(f"You return {_shown(result)}, not one number.") from None
    refuse({INFINITE: not np.isfinite(number)})
    return number


def as_numbers(result: Any, wanted: Sequence, *arguments: Any) -> Tensor:
    """The result as a tensor, if it is as many finite numbers as `wanted`."""
    n, kind = len(wanted), type(result).__name__
    if not isinstance(result, tuple | list):
        raise NotYetRight(f"You return a {kind}; expected a list of {n} numbers.")
    refuse({f"Expected {n} numbers, got {len(result)}.": len(result) != n})
    return torch.tensor([as_number(value) for value in result])


# ---- an exercise


@dataclass(frozen=True, eq=False)
class Case:
    """Arguments for the student's function. Its result must equal the expected one."""

    arguments: tuple
    hint: str | Callable[[Any], str] = ""
    """The end of the message if no known mistake fits. A function gets the answer's
    value, and returns the whole message instead."""
    wanted: Any = None
    """The value worked out by hand; by default, the value of the reference."""
    leak: str = ""
    """If given, the gradient for the first argument is checked, too: it must be 0 where
    the gradient of the reference is 0. Otherwise, this is the diagnosis."""


@dataclass(frozen=True, eq=False)
class Exercise:
    """A function that learners write. Calling the exercise checks their answer.

    `reference` is a right answer, and `praise` is the message for it.
    """

    name: str
    reference: Callable
    cases: Sequence[Case | Callable[[Callable], Mapping[str, Any]]]
    """The checks, in this order. A check that is a function measures the answer, and
    returns for each diagnosis whether it is true."""
    mistakes: Mapping[str, Callable]
    """A wrong answer for each diagnosis, the most likely mistake first."""
    praise: str
    returns: Callable[..., float | Tensor] = as_image
    """Takes the result, the expected result and the arguments. Returns the result as a
    number or a tensor, or raises `NotYetRight` if it has another type or shape."""
    accepts: Callable[..., bool] = lambda got, *arguments: False
    """Whether a value that differs from the value of the reference is right as well."""
    tolerance: float = 1e-4

    def __call__(self, answer: Any) -> Verdict:
        """The first mistake of the answer, or the praise."""
        return _verdict(self.name, self._check, answer)

    def _check(self, answer: Any) -> str:
        for case in self.cases:
            if isinstance(case, Case):
                self._ask(answer, case)
            else:
                refuse(case(partial(call, answer)))
        return self.praise

    def _ask(self, answer: Any, case: Case) -> None:
        given, wanted = case.arguments, case.wanted
        if wanted is None:
            wanted = _known(self.reference, case)
        got = self.returns(call(answer, *given), wanted, *given)
        wanted = self.returns(wanted, wanted, *given)
        if not (self._close(got, wanted) or self.accepts(got, *given)):
            known = self._mistake(answer, case)
            raise NotYetRight(known or _difference(self.reference, case, got, wanted))
        if case.leak:
            got, wanted = (call(_gradient(f), *given) for f in (answer, self.reference))
            leaks = got[wanted == 0].any()
            refuse({INFINITE_GRADIENT: not got.isfinite().all(), case.leak: leaks})

    def _mistake(self, answer: Any, failed: Case) -> str | None:
        """The known mistake that gives the answer's results up to this case.

        If several mistakes give these results, the result is the mistake that agrees
        with most of the later cases.
        """
        cases = [case for case in self.cases if isinstance(case, Case)]
        n = cases.index(failed) + 1
        result = cache(lambda case: call(answer, *case.arguments))

        def alike(diagnosis: str, case: Case) -> bool:
            try:
                wrong = _known(self.mistakes[diagnosis], case)
                pair = (wrong, result(case))
                got = (self.returns(x, wrong, *case.arguments) for x in pair)
                return self._close(*got)
            except (NotImplementedError, NotYetRight):
                return False

        fit = [d for d in self.mistakes if all(alike(d, c) for c in cases[:n][::-1])]
        return max(fit, key=lambda d: sum(alike(d, c) for c in cases[n:]), default=None)

    def _close(self, got: float | Tensor, wanted: float | Tensor) -> bool:
        got, wanted = (torch.as_tensor(x, dtype=torch.float64) for x in (got, wanted))
        allowed = self.tolerance * max(float(wanted.abs().max()), SMALLEST)
        return float((got - wanted).abs().max()) <= allowed


@cache
def _known(function: Callable, case: Case) -> Any:
    """Call the reference or a known mistake; its result never changes, so cache it."""
    return call(function, *case.arguments)


def rand(*shape: int, seed: int = 0) -> Tensor:
    """Uniform random values, always the same for one seed."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def judged(check: Callable[..., str]) -> Callable[..., Verdict]:
    """Make a check of a function that returns the praise or raises `NotYetRight`."""
    return wraps(check)(partial(_verdict, check.__name__, check))


def _verdict(name: str, check: Callable[..., str], answer: Any, *more: Any) -> Verdict:
    try:
        if answer is Ellipsis:  # the stub of a prediction
            raise NotImplementedError
        with _restored_state():
            return Verdict(name, "passed", check(answer, *more))
    except NotImplementedError:
        todo = f"Fill in `{name}`, run its cell, then run this one again."
        return Verdict(name, "not done yet", todo)
    except NotYetRight as wrong:
        return Verdict(name, "not yet right", str(wrong))


# ---- calling the learner's function once


def call(answer: Any, *arguments: Any) -> Any:
    """Call the learner's function with copies of these arguments.

    Raises `NotImplementedError` for a stub, and `NotYetRight` for a function that
    fails, returns nothing or changes an argument.
    """
    if not callable(answer):
        raise NotYetRight(f"Pass your function without brackets, not {_shown(answer)}.")
    copies = [a.clone() if isinstance(a, Tensor) else deepcopy(a) for a in arguments]
    try:
        with _restored_state():
            result = answer(*copies)
    except Exception as error:
        # torch raises NotImplementedError as well, but always with a message
        stub = isinstance(error, NotImplementedError) and not error.args
        if stub or isinstance(error, NotYetRight):  # from a function argument
            raise
        raise NotYetRight(_failure(answer, error)) from None
    if result is Ellipsis:
        raise NotImplementedError
    pairs = zip(copies, arguments, strict=True)
    changed = any(isinstance(a, Tensor) and not a.equal(b) for a, b in pairs)
    refuse(
        {
            "You change the tensor that was given. Make a new tensor.": changed,
            "Your function returns None: does it end with `return`?": result is None,
        }
    )
    return result.detach().cpu() if isinstance(result, Tensor) else result


def _gradient(answer: Callable) -> Callable:
    """A function that computes the gradient of `answer` by its first argument."""

    @wraps(answer)
    def gradient(first: Tensor, *others: Any) -> Tensor:
        loss = answer(first.requires_grad_(), *others)
        if not isinstance(loss, Tensor) or not loss.requires_grad:
            raise NotYetRight(
                "The value is right, but no gradient flows through your function. Use "
                "only torch's functions, without `.item()`, `float()`, `.detach()` or "
                "NumPy."
            )
        with torch.enable_grad():  # the answer may have switched gradients off
            total = loss.sum()
        return torch.autograd.grad(total, first)[0]

    return gradient


@contextmanager
def _restored_state() -> Iterator[None]:
    """Compute in float32 on one thread, then restore defaults and random states."""
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices), torch.enable_grad(), ExitStack() as stack:
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        stack.callback(random.setstate, random.getstate())
        stack.callback(np.random.set_state, np.random.get_state())  # noqa: NPY002
        torch.set_default_dtype(torch.float32)
        torch.set_num_threads(1)  # small problems have no work for a second thread
        yield


# ---- words


def _failure(answer: Callable, error: Exception) -> str:
    """The exception in one sentence, with the line of the learner's own code."""
    what = ": ".join([type(error).__name__, *str(error).splitlines()[:1]]).rstrip(".")
    # all cells of a notebook share one namespace
    own = getattr(inspect.unwrap(answer), "__globals__", None)
    frames = traceback.walk_tb(error.__traceback__)
    lines = traceback.StackSummary.extract(f for f in frames if f[0].f_globals is own)
    if not lines:
        return f"Your function cannot be called ({what}). Check its arguments."
    return f"It stops at line {lines[-1].lineno}, `{lines[-1].line}`, with {what}."


def _difference(reference: Callable, case: Case, got: Any, wanted: Any) -> str:
    """State the arguments, the expected and the returned value, and the hint."""
    if callable(case.hint):
        return case.hint(got)
    names = inspect.signature(reference).parameters
    given = ", ".join(
        f"{name} = {_shown(argument)}"
        for name, argument in zip(names, case.arguments, strict=False)
        if not callable(argument) and not isinstance(argument, torch.Generator)
    )
    words = f"the result should be {_shown(wanted)}; yours is {_shown(got)}."
    if torch.as_tensor(got).numel() > PRINTED:
        largest = float((torch.as_tensor(got) - wanted).abs().max())
        words = f"your result is wrong by up to {largest:.3g}."
    return f"For {given}, {words} {case.hint}".rstrip()


def _shown(value: Any) -> str:
    """A value as text for a message, in at most 80 characters or 12 numbers."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if not isinstance(value, Tensor):
        return repr(value)[:80]
    if value.numel() > PRINTED:
        return f"a tensor of shape {tuple(value.shape)}"
    return str(value.double().round(decimals=4).tolist())
