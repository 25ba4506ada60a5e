"""Every chapter's claims hold on CUDA, also at `full`; `make test-gpu` runs this."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_chapters import CHAPTERS, path_of, run_by_papermill, text_of

from dil_teach.notebook import device

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason="no CUDA: chapters leave Apple's MPS be"
    ),
]


@CHAPTERS
def test_nbval_finds_the_claims_of_the_cpu_on_cuda(name: str) -> None:
    assert device().type == "cuda"
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env"]
    run = subprocess.run(
        [*command, "-q", "-p", "no:cacheprovider", str(path_of(name))],
        capture_output=True,
        text=True,
        cwd=path_of(name).parents[1],
    )
    assert run.returncode == 0, run.stdout + run.stderr


@CHAPTERS
def test_papermill_runs_the_chapter_at_full_on_cuda(name: str, tmp_path: Path) -> None:
    assert "Device: cuda" in text_of(run_by_papermill(name, tmp_path, "full", seed=3))
