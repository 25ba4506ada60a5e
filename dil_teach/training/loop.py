"""The training loop.

The state of the training is in the method; the loop has no state. So you can stop a
loop and start another loop with the same method: training continues at the next step.

The same seed gives the same bits on one CPU, whatever number of threads the caller or
the environment sets: methods train, and compute their results, with one thread
(:mod:`~dil_teach.training.conditions`).
"""

import dataclasses
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, runtime_checkable

from torch import Tensor

from dil_teach.image.convention import Image, Video
from dil_teach.training.conditions import same_conditions


@runtime_checkable
class SingleImageMethod(Protocol):
    """The attributes of a method that the loop and checkpoints use.

    Methods do not inherit from this class. If ``STATE`` is not enough to restore a
    method, the method also has ``state_dict()`` and ``load_state_dict(state)``.
    """

    image: Image | Video
    """The training image, or several images that share a layer."""
    step: int
    """Number of training steps taken so far."""
    total_steps: int
    """Largest number of steps; training may stop earlier."""

    arguments: dict[str, Any]
    """The constructor's arguments by name, without the image."""

    @property
    def STATE(self) -> Sequence[str]:
        """The names of all attributes that training changes."""
        ...

    @property
    def done(self) -> bool:
        """Whether training has ended: its stopping rule."""
        ...

    def train_step(self) -> dict[str, Tensor]:
        """Take one step (data, loss, update) and return the losses by name."""
        ...


Method = TypeVar("Method", bound=SingleImageMethod)


@property
def all_steps_taken(method: Any) -> bool:
    """Whether all steps of the budget are taken: the stopping rule of most methods."""
    return method.step >= method.total_steps


@dataclasses.dataclass(frozen=True)
class Progress:
    """A report on the training so far."""

    step: int
    total_steps: int
    losses: dict[str, float]
    """The latest value of each loss since the last report. A method may alternate
    between losses, so one step does not always have all of them."""
    done: bool


def train(method: SingleImageMethod, report_every: int = 50) -> Iterator[Progress]:
    """Train a method until it is done, and report its progress.

    This function does not print, plot or save. An interrupt (Ctrl-C, a notebook's stop
    button) takes effect after the current step. Call this function again to continue.

    A :class:`Progress` is yielded after every ``report_every`` steps of the training,
    and after the last step. A ValueError is raised if ``report_every`` is below 1.
    """
    if not report_every >= 1:  # NaN is not
        raise ValueError(f"report_every: expected at least 1 step, got {report_every}")
    losses: dict[str, Tensor] = {}
    while not method.done:
        with _interrupts_held_back(), same_conditions():
            losses |= method.train_step()
        if method.done or method.step % report_every == 0:
            values = {name: float(loss) for name, loss in losses.items()}
            losses = {}
            yield Progress(method.step, method.total_steps, values, method.done)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Delay an interrupt (Ctrl-C) until the end of the block."""
    before = signal.getsignal(signal.SIGINT)
    in_main = threading.current_thread() is threading.main_thread()
    if not (in_main and callable(before)):
        yield  # Python delivers no interrupt to this thread, or ignores interrupts
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
    """Train a method until it is done, and return it."""
    for _ in train(method):
        pass
    return method


def fit_all(methods: Iterable[Method]) -> list[Method]:
    """Train several methods in parallel until they are done, and return them.

    Each core trains one method at a time, in its own thread. A method that is listed
    twice is trained once. Different methods must not share networks or other state. The
    results are bit-identical to training the methods one after another. An interrupt
    takes effect after the current steps; call this function again to continue.
    """
    methods = list(methods)
    different = {id(method): method for method in methods}.values()
    stopped = threading.Event()

    def work(method: SingleImageMethod) -> None:
        with same_conditions():
            while not (method.done or stopped.is_set()):
                method.train_step()

    # the caller's own conditions return after those of all threads
    with same_conditions(), ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            with _interrupts_held_back():  # otherwise a new thread might not be stopped
                tasks = [pool.submit(work, method) for method in different]
            for task in as_completed(tasks):
                task.result()
        except BaseException:  # also an interrupt
            stopped.set()
            raise
    return methods
