"""The command line: its commands by name, and how it reports bad input."""

import contextlib
import functools
import inspect
import io
import itertools
import os
import re
import shutil
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Annotated, Any, NoReturn, get_args

import tyro

import dil_teach
from dil_teach.commands.compress import compress, decompress
from dil_teach.commands.deblur import deblur
from dil_teach.commands.dehaze import dehaze
from dil_teach.commands.denoise import denoise
from dil_teach.commands.estimate import stop_clock
from dil_teach.commands.estimate_kernel import estimate_kernel
from dil_teach.commands.folders import for_folders
from dil_teach.commands.inpaint import inpaint
from dil_teach.commands.lesson import lesson
from dil_teach.commands.recurrence import recurrence
from dil_teach.commands.remove_watermark import remove_watermark
from dil_teach.commands.retarget import retarget
from dil_teach.commands.segment import segment
from dil_teach.commands.separate import separate
from dil_teach.commands.statistics import statistics
from dil_teach.commands.super_resolve import super_resolve
from dil_teach.commands.synthesise import synthesise

COMMANDS = {
    "super-resolve": super_resolve,
    "denoise": denoise,
    "inpaint": inpaint,
    "synthesise": synthesise,
    "deblur": deblur,
    "dehaze": dehaze,
    "segment": segment,
    "separate": separate,
    "remove-watermark": remove_watermark,
    "retarget": retarget,
    "recurrence": recurrence,
    "statistics": statistics,
    "compress": compress,
    "decompress": decompress,
    "estimate-kernel": estimate_kernel,
    "lesson": lesson,
}


LEAST_COLUMNS = 40
"""Smallest width of a help text. tyro needs more than 5 columns to come to an end."""
THREADS = ("OMP", "MKL", "OPENBLAS", "VECLIB_MAXIMUM")
"""Libraries that read their number of threads from a variable ``..._NUM_THREADS``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name, by default those of the command line.

    The exit status is 0 on success; 2 if the input cannot be used (one line on standard
    error says why); 130 if interrupted. A message that cannot be printed does not
    change the status. A SystemExit is raised after a help text and for wrong usage.
    """
    with unfailing_streams():
        return run(parse(arguments))


def run(command: Callable[[], str]) -> int:
    """Run a parsed command with one thread; print its message or why it failed."""
    use_one_thread()
    begin = time.perf_counter()
    try:
        with warnings.catch_warnings():
            # warnings are for programmers; users get errors
            warnings.simplefilter("ignore")
            try:
                done = command()
            finally:
                stop_clock()
        reading = getattr(command, "keywords", {}).get("reading")
        limit = reading and reading.max_side
        done += f", with --max-side {limit}," if limit else ""
        print(f"{done} in {time.perf_counter() - begin:.1f} s")
        return 0
    except (ValueError, OSError) as error:
        why, status = str(error), 2
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise  # a bug of ours; torch also raises RuntimeErrors for lack of memory
        why, status = "not enough memory; try a smaller image, scale or size", 2
    except KeyboardInterrupt as stop:
        why, status = "interrupted", 128 + (stop.args or (2,))[0]
    # here, not above: with the exception, progress bars end and erase their line
    print(_one_line(why), file=sys.stderr)
    return status


def parse(arguments: Sequence[str] | None = None) -> Callable[[], str]:
    """Return the call that the arguments describe.

    Raises a SystemExit: with status 0 after a help text or the version is printed, and
    with status 2 after one line says what is wrong.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments == ["--version"]:
        print(f"dil-teach {dil_teach.__version__}")
        sys.exit(0)
    boxes = io.StringIO()
    try:
        with _wide_enough(), redirect_stderr(boxes):
            return tyro.extras.subcommand_cli_from_dict(
                {
                    name: _later(for_folders(name, command))
                    for name, command in COMMANDS.items()
                },
                prog="dil-teach",
                description="Deep Internal Learning: what one single image can teach. "
                "The option --version prints the version.",
                args=arguments,
            )
    except SystemExit as stop:
        if stop.code == 0:
            raise
    _refuse_usage(boxes.getvalue(), arguments)


def _later(command: Callable[..., str]) -> Callable[..., Callable[[], str]]:
    """A function with a command's options that returns the call of the command."""
    return _described(
        lambda *values, **options: functools.partial(command, *values, **options),
        command,
    )


def _described(later: Any, command: Callable[..., str]) -> Any:
    """Give a function the name, the options and the help of a command.

    Its docstring has each argument on one line, because tyro keeps line breaks. Its
    help does not print None as a default value or as a choice.
    """
    later.__name__ = command.__name__
    later.__doc__ = re.sub(r"\n {8,}", " ", inspect.cleandoc(command.__doc__ or ""))
    later.__signature__ = inspect.signature(command)
    later.__annotations__ = dict(command.__annotations__)
    for name, option in later.__signature__.parameters.items():
        if option.default is None:
            kind = option.annotation
            plain = None if hasattr(kind, "__metadata__") else get_args(kind)[0]
            metavar = plain and plain.__name__.upper()
            unsaid = tyro.conf.arg(metavar=metavar, help_behavior_hint="")
            later.__annotations__[name] = Annotated[kind, unsaid]
    return later


def _refuse_usage(boxes: str, arguments: Sequence[str]) -> NoReturn:
    """Print one line instead of tyro's boxes of five to twenty lines; exit with 2."""
    command = arguments[0] if arguments and arguments[0] in COMMANDS else ""
    if command:
        why = _sentence(boxes)
    else:
        got = f"'{arguments[0]}'" if arguments else "none"
        why = f"expected a command, one of {', '.join(COMMANDS)}, got {got}"
    print(_one_line(f"{why}; try dil-teach {command} --help"), file=sys.stderr)
    sys.exit(2)


USAGE = (
    (r"Missing from dil-teach \S+ (.*)", r"expected a value for \1, got none"),
    (r"Missing value for argument '(\S+)'.*", r"\1: expected a value, got none"),
    (r"Unrecognized options: (.*)", r"expected no further arguments, got \1"),
    (
        r"invalid choice (.*) for argument '(\S+)'. Expected one of \((.*)\)",
        r"\2: expected one of \3, got \1",
    ),
    (
        r"Error parsing (\S+): .*\bint\b.*?(['\"].*['\"]).*",
        r"\1: expected a whole number, got \2",
    ),
    (
        r"Error parsing (\S+): .*\bfloat\b.*?(['\"].*['\"]).*",
        r"\1: expected a number, got \2",
    ),
)
"""Sentences of tyro, and what we say instead."""


def _sentence(boxes: str) -> str:
    """The first sentence in a box of tyro, without the help of the arguments."""
    plain = re.sub(r"\x1b\[[\d;]*m", "", boxes).splitlines()[1:]  # without the title
    near = re.search(r"Perhaps you meant:[│\s]*(--\S+)", "\n".join(plain))
    inner = (line.strip("│") for line in plain if line.startswith(("│", " ")))
    lines = textwrap.dedent("\n".join(inner)).splitlines()
    rule = re.compile(r"[-─\s]*")  # also an empty line
    said = itertools.dropwhile(rule.fullmatch, lines)
    said = itertools.takewhile(lambda line: not rule.fullmatch(line), said)
    text = " ".join(line.strip() for line in said if not line.startswith(8 * " "))
    for pattern, ours in USAGE:
        text = re.sub(pattern, ours, text.rstrip("."), flags=re.IGNORECASE)
    return text if near is None else f"{text}; perhaps you mean {near[1]}"


@contextmanager
def _wide_enough() -> Iterator[None]:
    """Let no help text be narrower than ``LEAST_COLUMNS``."""
    before = os.environ.get("COLUMNS")
    if shutil.get_terminal_size().columns < LEAST_COLUMNS:
        os.environ["COLUMNS"] = str(LEAST_COLUMNS)
    try:
        yield
    finally:
        os.environ.pop("COLUMNS", None)
        if before is not None:
            os.environ["COLUMNS"] = before


def use_one_thread() -> None:
    """Let libraries compute with one thread, whatever the environment says.

    The same seed then gives the same bits. One image hardly fills one core, so on a
    busy machine a second thread mostly waits for the first.
    """
    for library in THREADS:  # they read it when a command imports them
        os.environ[f"{library}_NUM_THREADS"] = "1"
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


class _Unfailing:
    """A stream that drops what it cannot print, instead of raising an error."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream or open(os.devnull, "w")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        try:
            with contextlib.suppress(UnicodeEncodeError):
                return self.stream.write(text)
            encoding = self.stream.encoding
            plain = text.replace("•", "-").encode(encoding, "backslashreplace")
            return self.stream.write(plain.decode(encoding))
        except (OSError, ValueError):  # full, a broken pipe, or closed
            return len(text)

    def isatty(self) -> bool:
        return not self.stream.closed and self.stream.isatty()

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.stream.flush()


@contextmanager
def unfailing_streams() -> Iterator[None]:
    """Let no message to standard output or standard error raise an error."""
    with (
        redirect_stdout(_Unfailing(sys.stdout)),
        redirect_stderr(_Unfailing(sys.stderr)),
    ):
        yield


def _one_line(why: str) -> str:
    return f"dil-teach: {' '.join(why.split())}"


if __name__ == "__main__":
    sys.exit(main())
