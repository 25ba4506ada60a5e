"""What a command will need, before it starts: time and memory.

``benchmarks/scaling.py`` measures every method at several sizes and writes a record. A
command interpolates it at its own size. The record holds times as multiples of the time
of :func:`probe`, a fixed computation, which is measured again on the user's machine.
The time of training is measured in its own first steps.
"""

import functools
import itertools
import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from dil_teach.commands.options import say

if TYPE_CHECKING:
    from dil_teach.training.loop import Progress, SingleImageMethod

RECORD = "benchmarks/results/scaling.json"
OWN_MEMORY = 0.35e9
"""Bytes that the program and its libraries use before a method starts."""
LEAST_SECONDS, PERIOD = 2, 0.5
"""Shortest time that is told, and how often the clock changes, in seconds."""
FIRST_STEPS = 3
"""Number of steps that are timed; the first also prepares the library for the sizes."""

Row = dict[str, Any]
"""A measurement: ``work`` (in most methods, the number of pixels); ``probes``, the time
without training in multiples of the time of :func:`probe`; ``bytes``, the peak memory
in addition to ``OWN_MEMORY``; ``share``, the time of training divided by the product of
``total_steps`` and the time of a first step. It is 1 if all steps take the same time,
less if training stops early, and 0 without training."""


@dataclass(frozen=True)
class Estimate:
    """The expected cost of a command."""

    about: str
    seconds: float
    """Expected time without training; NaN if the method was not measured."""
    memory: float
    share: float

    def announce(self, training: float = 0.0) -> None:
        """Print what is expected, with this number of seconds for training.

        Nothing is printed about a method that was not measured.
        """
        cost = f"{in_words(self.seconds + training)}, {gigabytes(self.memory)}"
        if not math.isnan(self.seconds):
            say(f"{self.about}: {cost}")

    def watch(self, method: "SingleImageMethod") -> "Iterator[Progress]":
        """Train a method to the end; announce the time after ``FIRST_STEPS`` steps."""
        from dil_teach.training.loop import train

        times = [time.perf_counter()]
        for progress in itertools.islice(train(method, report_every=1), FIRST_STEPS):
            times.append(time.perf_counter())
            yield progress
        steady = times[1:] if len(times) > 2 else times
        step = (steady[-1] - steady[0]) / max(len(steady) - 1, 1)
        self.announce(self.share * step * method.total_steps)
        yield from train(method, report_every=5)


def expect(
    method: str,
    image: Path,
    size: Sequence[int],
    work: float | None = None,
    frames: int = 1,
) -> Estimate:
    """What a command needs for pictures of this height and width.

    ``method`` is the command and its method, as in the record; ``work`` is by default
    the number of pixels in all frames. Without training, the estimate is announced. A
    ValueError is raised if the memory is too small.
    """
    work = float(frames * size[0] * size[1]) if work is None else work
    rows = _record().get(method, [])
    memory = OWN_MEMORY + _at(rows, "bytes", work)
    free = available_memory()
    if memory - OWN_MEMORY > free:  # false if the memory is NaN
        part = _largest(lambda part: _at(rows, "bytes", part * work), free)
        side = int(max(size) * math.sqrt(part))
        smaller = f"make it smaller with --max-side {side}"
        raise ValueError(
            f"{image}: expected a picture for which {gigabytes(free)} is enough, got "
            f"{size[0]} x {size[1]} pixels, which need about {gigabytes(memory)}; "
            f"{smaller if side > 0 else 'close other programs'}"
        )
    about = f"{image}: {f'{frames} frames of ' * (frames > 1)}{size[0]} x {size[1]}"
    seconds = _at(rows, "probes", work) * probe() if rows else math.nan
    estimate = Estimate(f"{about} pixels", seconds, memory, _at(rows, "share", work))
    if estimate.share == 0:
        estimate.announce()
        _start_clock(seconds)
    return estimate


_clocks: list[tuple[threading.Thread, threading.Event]] = []
"""The running clock of :func:`_start_clock`, and how to stop it."""


def _start_clock(seconds: float) -> None:
    """Show the time on a terminal: a method without training reports no progress."""
    if not (seconds > LEAST_SECONDS and sys.stderr and sys.stderr.isatty()):
        return

    def show(stopped: threading.Event) -> None:
        form = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}"
        about, begin = f"of {in_words(seconds)}", time.monotonic()
        with tqdm(
            total=seconds, desc=about, leave=False, disable=None, bar_format=form
        ) as bar:
            while not stopped.wait(PERIOD):
                passed = time.monotonic() - begin
                bar.update(min(passed, 0.99 * seconds) - bar.n)

    stop_clock()
    stopped = threading.Event()
    thread = threading.Thread(target=show, args=(stopped,), daemon=True)
    _clocks.append((thread, stopped))
    thread.start()


def stop_clock() -> None:
    """Remove the clock from the terminal, when a command has ended."""
    while _clocks:
        thread, stopped = _clocks.pop()
        stopped.set()
        thread.join()


@functools.cache
def _record() -> dict[str, list[Row]]:
    from dil_teach.image.shipped import shipped

    rows = json.loads(shipped(RECORD).read_text())["rows"]
    rows.sort(key=lambda row: (row["method"], row["work"]))
    groups = itertools.groupby(rows, key=lambda row: row["method"])
    return {method: list(group) for method, group in groups}


def _at(rows: list[Row], name: str, work: float) -> float:
    """A measured value at another amount of work; NaN without measurements.

    It is linear between two measurements and above them, and constant below them; a
    share is constant above them, too.
    """
    if not rows:
        return math.nan
    if len(rows) == 1 or work <= rows[0]["work"]:
        return rows[0][name]
    if name == "share" and work >= rows[-1]["work"]:
        return rows[-1][name]
    above = next((i for i, row in enumerate(rows) if row["work"] >= work), -1)
    low, high = rows[above - 1], rows[above]
    slope = (high[name] - low[name]) / (high["work"] - low["work"])
    return max(low[name] + slope * (work - low["work"]), low[name] / 2)


def _largest(need: Callable[[float], float], most: float) -> float:
    """The largest part of the work for which the need is at most ``most``."""
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if need(middle) <= most else (low, middle)
    return low


@functools.cache
def probe(clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds that this machine needs for a fixed computation: 32 filters."""
    import torch
    import torch.nn.functional as F

    image, filters = torch.ones(1, 32, 128, 128), torch.ones(32, 32, 3, 3)
    F.conv2d(image, filters)  # the first call prepares the library
    begin = clock()
    for _ in range(10):
        F.conv2d(image, filters, padding=1).sigmoid()
    return (clock() - begin) / 10


def available_memory() -> float:
    """Bytes that a program can still use; infinity if the system does not say."""
    free = [math.inf]
    try:
        (known,) = (
            line.split()[1]
            for line in Path("/proc/meminfo").read_text().splitlines()
            if line.startswith("MemAvailable:")
        )
        free.append(1024 * float(known))
        group = Path("/sys/fs/cgroup")  # the limit of a container
        used = float((group / "memory.current").read_text())
        free.append(float((group / "memory.max").read_text()) - used)
    except (OSError, ValueError):  # another system, or no limit ("max")
        names = getattr(os, "sysconf_names", {})
        if len(free) == 1 and "SC_PHYS_PAGES" in names:
            free.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(free)


def in_words(seconds: float) -> str:
    """A duration: "under 2 s", "about 75 s" or "about 3.5 minutes"."""
    if seconds < LEAST_SECONDS:
        return f"under {LEAST_SECONDS} s"
    if seconds < 100:
        return f"about {seconds:.1f} s" if seconds < 10 else f"about {seconds:.0f} s"
    return f"about {seconds / 60:.1f} minutes"


def gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB of memory"
