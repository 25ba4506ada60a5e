"""The training loop.

The method owns its state; the loop is disposable. Stop a loop anywhere, start another
on the same method, and it carries on at the next step.
"""

import dataclasses
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from dil_teach.image.convention import Image, Video


@runtime_checkable
class SingleImageMethod(Protocol):
    """What the loop asks of a method. Nobody inherits it."""

    image: Image | Video
    """The one image that it learns from, or the few that share a layer."""
    step: int
    """Training steps taken so far."""
    total_steps: int
    """Steps after which it stops at the latest."""

    @property
    def done(self) -> bool:
        """Its stopping rule: whether there is nothing left to learn."""
        ...

    def train_step(self) -> dict[str, Tensor]:
        """One step: data, loss, update. Returns the losses by name."""
        ...

    def arguments(self) -> dict[str, Any]:
        """What, beside the image, it was constructed with, by name."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that carrying on needs: nested dicts of tensors, numbers and strings."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state that :meth:`state_dict` gave."""
        ...


Method = TypeVar("Method", bound=SingleImageMethod)


@dataclasses.dataclass(frozen=True)
class Progress:
    """What a loop reports: where the method stands, and its losses of that step."""

    step: int
    total_steps: int
    losses: dict[str, float]
    done: bool


def train(method: SingleImageMethod, report_every: int = 50) -> Iterator[Progress]:
    """Train a method until it is done, reporting as it goes.

    It never prints, draws or saves. An interrupt (Ctrl-C, a notebook's stop button) is
    held back until the step in hand is whole; then train again to carry on.

    Parameters
    ----------
    method : SingleImageMethod
        Its state changes; it needs no loop's help to carry on.
    report_every : int
        Reports fall on the multiples of this, and on the last step.

    Yields
    ------
    Progress

    Raises
    ------
    ValueError
        If ``report_every`` is not positive.
    """
    if report_every < 1:
        raise ValueError(f"report_every: expected at least 1 step, got {report_every}")
    while not method.done:
        with _interrupts_held_back():
            losses = method.train_step()
        if method.done or method.step % report_every == 0:
            values = {name: float(loss) for name, loss in losses.items()}
            yield Progress(method.step, method.total_steps, values, method.done)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let an interrupt through at the end of the block, not inside it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers interrupts to the main thread alone
        return
    before = signal.getsignal(signal.SIGINT)
    if not callable(before):
        yield  # ignored, or not Python's to handle
        return
    held: list[tuple] = []
    signal.signal(signal.SIGINT, lambda *arguments: held.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        before(*held[0])


def fit(method: Method) -> Method:
    """Train a method to its end, and return it."""
    for _ in train(method):
        pass
    return method


def fit_all(methods: Iterable[Method]) -> list[Method]:
    """Train several methods to their ends, side by side, and return them.

    As many at a time as there are cores, each in a thread of its own: what they learn
    is the same to the bit as one after another. An interrupt is held back until the
    steps in hand are whole; then train again to carry on.

    Parameters
    ----------
    methods : iterable of SingleImageMethod
        No two of which share anything that is trained.

    Returns
    -------
    list of SingleImageMethod
        The same, in their order.
    """
    methods = list(methods)
    stopped = threading.Event()

    def work(method: SingleImageMethod) -> None:
        while not (method.done or stopped.is_set()):
            method.train_step()

    at_a_time = max((os.cpu_count() or 1) // torch.get_num_threads(), 1)
    with ThreadPoolExecutor(at_a_time) as pool:
        try:
            with _interrupts_held_back():  # else a thread might start unseen
                tasks = [pool.submit(work, method) for method in methods]
            for task in as_completed(tasks):
                task.result()
        except BaseException:  # an interrupt is one
            stopped.set()
            raise
    return methods
