"""Records of measurements: the rows, the machine, and the commit."""

import json
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

import torch

import dil_teach

RESULTS = Path(__file__).parent / "results"


def commit_of_code(script: str) -> str:
    """The hash of the last commit that changed the library or the script."""
    measured = ("--", "dil_teach", script)
    commit = _git("log", "-1", "--format=%h", *measured)
    if _git("diff", "HEAD", "--name-only", *measured):
        commit += " and changes that were not committed"
    return commit


def write(name: str, rows: list[dict], commit: str, **more: Any) -> None:
    """Write ``benchmarks/results/NAME.json``."""
    processor = getattr(torch.cpu, "get_capabilities", dict)().get("cpu_name")
    record = {
        "section": name,
        "device": f"CPU, one thread: {processor or platform.processor()}",
        "versions": {
            "dil_teach": dil_teach.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "commit": commit,
        **more,
        "rows": rows,
    }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(record, indent=1, default=str)
    # more digits would not be significant
    text = re.sub(r"\d+\.\d{4,}", lambda found: f"{float(found[0]):.4f}", text)
    (RESULTS / f"{name}.json").write_text(text + "\n")


def read(name: str) -> list[dict]:
    """The rows of a record; empty if there is no such record."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text())["rows"] if path.exists() else []


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(RESULTS.parents[1]), *arguments]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()
