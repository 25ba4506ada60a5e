"""dil-teach as a program: its streams, its signals, and wrong usage."""

import errno
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

import dil_teach
import dil_teach.commands.estimate as estimate_module
import dil_teach.patches.recurrence as recurrence_module
from dil_teach.cli import COMMANDS, main
from dil_teach.deep.zssr.zssr import ZSSRSettings
from dil_teach.image.convention import to_uint8
from dil_teach.image.photos import photo

PROGRAM = (sys.executable, "-m", "dil_teach")
PATIENCE = 300
"""Seconds after which a program counts as hanging, on a busy machine."""
NEW = Path(dil_teach.__file__).parent.parent
"""The folder that contains the package: programs run in other folders."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix only")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a small photograph, and a budget of two steps."""
    two_steps = classmethod(lambda cls, **changes: cls(**{"steps": 2, **changes}))
    monkeypatch.setattr(ZSSRSettings, "quick", two_steps)
    monkeypatch.setenv("PYTHONPATH", str(NEW))
    monkeypatch.chdir(tmp_path)
    Picture.fromarray(to_uint8(photo("astronaut", size=32))[:24]).save("in.png")
    return tmp_path


def program(*arguments: str, **options) -> subprocess.CompletedProcess:
    command = [*PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, timeout=PATIENCE, **options)


# ---- streams


class Full(io.TextIOBase):
    """A stream of a full disk."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


class BrokenPipe(Full):
    def write(self, text: str) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("name", ["stdout", "stderr"])
@pytest.mark.parametrize("make", [Full, BrokenPipe, closed, lambda: None])
def test_a_result_counts_even_if_no_message_can_be_printed(
    name: str,
    make: Callable[[], io.TextIOBase | None],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, name, make())
    assert main(["super-resolve", "in.png", "out.png"]) == 0
    assert np.asarray(Picture.open("out.png")).shape == (48, 64, 3)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_other_letters_are_spelled_out(
    encoding: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", printed)
    monkeypatch.setattr(sys, "stderr", printed)
    assert main(["super-resolve", "in.png", "дом.png"]) == 0
    assert main(["super-resolve", "нет.png", "дом.png"]) == 2
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    printed.seek(0)
    text = printed.read()
    assert r"\u0434\u043e\u043c.png: 48 x 64 pixels written" in text
    assert r"\u043d\u0435\u0442.png: no such file" in text
    assert "- super-resolve " in text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_stream_leaves_the_exit_status(folder: Path) -> None:
    for stream in ("stdout", "stderr"):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [*PROGRAM, "--version"], **{stream: full}, timeout=PATIENCE
            )
        assert done.returncode == 0


def test_closed_streams_do_not_lose_the_result(folder: Path) -> None:
    # the output must not get the number of a closed stream, where messages would go
    command = f"{sys.executable} -m dil_teach compress in.png out.frac <&- >&- 2>&-"
    assert subprocess.run(command, shell=True, timeout=PATIENCE).returncode == 0
    assert main(["compress", "in.png", "again.frac"]) == 0
    assert Path("out.frac").read_bytes() == Path("again.frac").read_bytes()


# ---- signals


@pytest.mark.parametrize("module", ["tyro", "torch"])
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_slow_imports_is_one_line(
    module: str, stop: signal.Signals, folder: Path, tmp_path: Path
) -> None:
    slow = "print('importing', flush=True); import time; time.sleep(60)"
    (tmp_path / "slow").mkdir()
    (tmp_path / f"slow/{module}.py").write_text(slow)
    started = subprocess.Popen(
        [*PROGRAM, "compress", "in.png", "out.frac"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}/slow:{NEW}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout and started.stdout.readline() == "importing\n"
    started.send_signal(stop)
    out, err = started.communicate(timeout=PATIENCE)
    assert (out, err) == ("", "dil-teach: interrupted\n")
    assert started.returncode == 128 + stop


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_clock_erases_the_message(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object) -> None:
        while "of about 50 s:   0%" not in terminal.getvalue():
            time.sleep(0.01)
        raise KeyboardInterrupt

    terminal = Terminal()
    row = {"work": 1, "probes": 50, "bytes": 1, "share": 0}
    monkeypatch.setattr(estimate_module, "_record", lambda: {"recurrence": [row]})
    monkeypatch.setattr(estimate_module, "probe", lambda: 1.0)
    monkeypatch.setattr(recurrence_module, "recurrence_map", stop)
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["recurrence", "in.png", "map.png"]) == 130
    assert terminal.getvalue().endswith("\rdil-teach: interrupted\n")


def test_a_progress_bar_is_for_terminals(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["super-resolve", "in.png", "out.png"]) == 0
    assert "\r" not in capsys.readouterr().err
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["super-resolve", "in.png", "out.png"]) == 0
    assert "/2 [" in terminal.getvalue()


# ---- usage


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "expected a command, one of super-resolve, denoise, "),
        ("denois a b", "estimate-kernel, lesson, got 'denois'; try dil-teach --help"),
        ("denoise", "expected a value for IN OUT, got none; try dil-teach denoise --h"),
        ("synthesise a b", "expected a value for --size HxW, got none; try"),
        ("denoise a b c", "expected no further arguments, got c; try dil-teach denois"),
        (
            "denoise a b --nois 3",
            "got --nois, 3; perhaps you mean --noise; try dil-t",
        ),
        ("denoise a b --noise", "--noise: expected a value, got none; try"),
        ("denoise a b --noise x", "--noise: expected a number, got 'x'; try"),
        ("denoise a b --seed 1.5", "--seed: expected a whole number, got '1.5'; try"),
        ("retarget a b --frames x", "--frames: expected a whole number, got 'x'; try"),
        ("retarget a b --scale-x x", "--scale-x: expected a number, got 'x'; try"),
        ("denoise a b --method x", "--method: expected one of 'dip', 'zs-n2n', 'nlm',"),
        ("dehaze a b --non-uniform 3", "expected no further arguments, got 3; try dil"),
    ],
)
@pytest.mark.parametrize("columns", ["80", "5"])
def test_wrong_usage_is_one_line(
    arguments: str,
    said: str,
    columns: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit) as stopped:
        main(arguments.split())
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    assert printed.err.startswith("dil-teach: ") and said in printed.err
    assert os.environ["COLUMNS"] == columns


def test_wrong_usage_on_a_terminal_has_no_colours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(SystemExit):
        main(["denoise", "a", "b", "--noise", "x"])
    assert sys.stderr.getvalue().startswith("dil-teach: --noise: expected a number, g")


def test_help_in_a_narrow_terminal_ends(folder: Path) -> None:
    done = program("denoise", "--help", env=os.environ | {"COLUMNS": "5"})
    lines = done.stdout.decode().splitlines()
    boxes = [line for line in lines if line.startswith(("│", "╭"))]
    assert done.returncode == 0
    assert {len(line) for line in boxes} == {40} and len(boxes) < 150


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_no_default_of_none(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = re.sub(r"[│\s]+", " ", capsys.readouterr().out)
    assert "None" not in shown and "(required)" in shown


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"dil-teach {dil_teach.__version__}\n"
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "--version" in capsys.readouterr().out
