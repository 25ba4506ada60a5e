"""The program dil-teach: what it does with signals and streams, before slow imports."""

import os
import signal
import sys
from types import FrameType

STOPS = ("SIGINT", "SIGTERM", "SIGHUP")
"""Signals that stop the program."""


def main() -> int:
    """Run the command line as a program, and return its exit status.

    A signal of ``STOPS`` prints one line; the exit status is 128 plus its number. A
    standard stream that is closed, full or a broken pipe does not change the status.
    """
    _open_closed_streams()
    # while modules are imported, there is nothing to clean up
    _on_stop(_exit_at_once)
    from dil_teach.cli import parse, run, unfailing_streams, use_one_thread

    try:
        with unfailing_streams():
            command = parse()
            use_one_thread()
            import torch  # noqa: F401

            _on_stop(_raise)
            return run(command)
    finally:
        _drop_what_cannot_be_printed()


def _open_closed_streams() -> None:
    """Open the null device for each closed standard stream.

    Otherwise the first output file would get the number of the closed stream, and
    messages of libraries would go into this file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number


def _on_stop(handle: "signal._HANDLER") -> None:
    """Handle ``STOPS`` with a function, but not those that the caller ignores (nohup).

    Some systems do not have all of them.
    """
    for number in (getattr(signal, name, None) for name in STOPS):
        if number and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handle)


def _exit_at_once(number: int, frame: FrameType | None) -> None:
    os.write(2, b"dil-teach: interrupted\n")
    os._exit(128 + number)


def _raise(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(number)


def _drop_what_cannot_be_printed() -> None:
    """Flush the streams, because Python changes the exit status if it fails to."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
