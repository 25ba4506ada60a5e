"""The tables that chapters read from ``data/`` agree with the benchmarks' records."""

import json
from pathlib import Path

import numpy as np
import pytest

from dil_teach.image.shipped import shipped

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def rows_of(path: Path) -> list[dict]:
    found = json.loads(path.read_text())
    return found if isinstance(found, list) else found["rows"]


def test_chapter_11_shows_the_record_of_its_benchmark():
    shown = rows_of(shipped("data/kernelgan/estimates.json"))
    assert shown == rows_of(RESULTS / "kernelgan.json")


@pytest.mark.parametrize("kind", ["gaussians", "levin2009"])
def test_its_other_scores_come_from_the_record_of_unknown_kernels(kind):
    shown = rows_of(shipped("data/kernelgan/estimates.json"))
    known = rows_of(RESULTS / f"unknown_kernels_{kind}.json")
    for row in (row for row in shown if row["kernels"] == kind):
        same = ("photograph", "seed")
        (wanted,) = (k for k in known if all(k[s] == row[s] for s in same))
        assert {key: row[key] for key in wanted} == wanted


def test_the_recorded_trainings_are_kernels_of_the_generator():
    stored = np.load(shipped("data/kernelgan/training.npz"))
    assert "all, seed 0" in stored
    for frames in stored.values():
        assert frames.shape[1:] == (13, 13)
        assert np.isfinite(frames).all()
