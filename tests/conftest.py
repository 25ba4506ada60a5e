"""All tests share checked shapes, one thread, and a list of the tests left out."""

import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

# Before torch is imported, here and in the processes and kernels that tests start: the
# workers of pytest-xdist share the cores, and results depend on the number of threads.
os.environ["OMP_NUM_THREADS"] = "1"

import torch
from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

SLOW = pytest.StashKey[int]()
"""The number of slow tests that were left out."""
LONGEST = ("test_chapters", "test_browser")
"""Files that take minutes: they start first, so that they do not end last."""

# Shells start background jobs with Ctrl-C ignored; tests of interrupts need it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# An int is allowed where a float is annotated, as in type checkers (PEP 484).
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
# This runs before a test imports the library, so every call checks shapes and types.
install_import_hook("dil_teach", f"{__name__}.checked")


def find_chromium() -> str | None:
    """Path of this machine's Chromium or Chrome, or None if neither is installed."""
    on_a_mac = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
    names = ("chromium", "chromium-browser", "google-chrome", on_a_mac)
    return next(filter(None, map(shutil.which, names)), None)


def find_gpu() -> torch.device | None:
    """The GPU that torch can use, or None."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps") if torch.backends.mps.is_available() else None


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser, for a test with the mark ``browser``."""
    path = find_chromium()
    assert path, "mark this test with pytest.mark.browser"
    return path


@pytest.fixture(scope="session")
def gpu() -> torch.device:
    """The GPU, for a test with the mark ``gpu``."""
    device = find_gpu()
    assert device, "mark this test with pytest.mark.gpu"
    return device


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands announce no time and memory; a test of that sets its own record."""
    if estimate := sys.modules.get("dil_teach.commands.estimate"):
        monkeypatch.setattr(estimate, "_record", dict)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first; skip tests that need a missing browser or GPU."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)  # stable
    left_out = {}
    if find_chromium() is None:
        left_out["browser"] = pytest.mark.skip(reason="no browser (Chromium or Chrome)")
    if find_gpu() is None:
        left_out["gpu"] = pytest.mark.skip(reason="no GPU (CUDA or Apple's MPS)")
    for item in items:
        for need, skip in left_out.items():
            if item.get_closest_marker(need):
                item.add_marker(skip)


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count the slow tests that are left out."""
    if not items:  # for example with --lf
        return
    config = items[0].config
    config.stash[SLOW] = sum(bool(item.get_closest_marker("slow")) for item in items)
    if hasattr(config, "workeroutput"):  # a worker of pytest-xdist
        config.workeroutput["slow"] = config.stash[SLOW]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the count from one worker, because each worker collects all tests."""
    node.config.stash[SLOW] = getattr(node, "workeroutput", {}).get("slow", 0)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Iterator[None]:
    """Print which tests were left out, before pytest's last line."""
    yield
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", ())
    )
    if slow := terminalreporter.config.stash.get(SLOW, 0):
        reasons["slow: make test-all runs them"] = slow
    terminalreporter.section("left out")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count} {'test' if count == 1 else 'tests'}: {reason}")
    if not reasons:
        terminalreporter.line("nothing")
