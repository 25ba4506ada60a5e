"""Records of the benchmarks in chapters: tables and figures agree with the rows."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from dil_teach.course.records import (
    differences,
    gain_figure,
    per_picture,
    record,
    table,
)
from dil_teach.image.shipped import shipped

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
ROWS = [
    {"image": "a", "seed": 0, "EDSR+": 30.0, "ZSSR": 31.0, "SRCNN": 29.0},
    {"image": "a", "seed": 1, "ZSSR": 32.0},
    {"image": "b", "seed": 0, "EDSR+": 28.0, "ZSSR": 27.0, "SRCNN": 27.0},
]


def test_a_record_is_the_file_of_the_benchmark():
    path = shipped("benchmarks/results/unknown_kernels_gaussians.json")
    assert record("unknown_kernels_gaussians") == json.loads(path.read_text())["rows"]
    assert record("no such benchmark") == []


def test_seeds_of_one_picture_are_averaged():
    first, second = per_picture(ROWS)
    assert first == {"image": "a", "EDSR+": 30.0, "ZSSR": 31.5, "SRCNN": 29.0}
    assert second["ZSSR"] == 27.0


def test_differences_need_both_methods():
    assert differences(ROWS, "ZSSR", "EDSR+") == [1.0, -1.0]
    assert differences(ROWS, "ZSSR", "nobody") == []


def test_a_table_has_means_spreads_and_wins():
    printed = table(per_picture(ROWS), ("SRCNN", "nobody", "EDSR+", "ZSSR"), "EDSR+")
    lines = [line.split() for line in printed.splitlines()[1:]]
    assert [line[0] for line in lines] == ["SRCNN", "EDSR+", "ZSSR"]
    assert lines[0][1:] == "28.00 ± 1.41 -1.00 ± 0.00 better on 0 of 2".split()
    assert lines[1][1:] == "29.00 ± 1.41".split()
    assert lines[2][1:] == "29.25 ± 3.18 +0.25 ± 1.77 better on 1 of 2".split()
    assert table([], ("ZSSR",), "EDSR+") == "This record does not exist yet."


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("cases", [{}, {"none": {"g": []}}, {"one": {"g": [1.0]}}])
def test_a_figure_of_few_rows_can_be_drawn(cases):
    axes = gain_figure(cases, "gain [dB]").axes[0]
    assert re.match("gain", axes.get_xlabel())
    assert [label.get_text() for label in axes.get_yticklabels()] == list(cases)


def test_each_photograph_is_a_mark_and_each_group_has_a_mean():
    figure = gain_figure({"x": {"g": [1.0, 3.0], "h": [2.0]}}, "gain [dB]")
    marks = [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    assert [list(line.get_xdata()) for line in marks] == [[1.0, 3.0], [2.0]]
    bars = [line for line in figure.axes[0].lines if line.get_linewidth() == 3]
    assert [line.get_xdata()[0] for line in bars] == [2.0, 2.0]


# ---- the tables that chapter 11 reads from ``data/``


def rows_of(path: Path) -> list[dict]:
    found = json.loads(path.read_text())
    return found if isinstance(found, list) else found["rows"]


def test_chapter_11_shows_the_record_of_its_benchmark():
    shown = rows_of(shipped("data/kernelgan/estimates.json"))
    assert shown == rows_of(RESULTS / "kernelgan.json")


def test_its_other_scores_come_from_the_record_of_unknown_kernels():
    shown = rows_of(shipped("data/kernelgan/estimates.json"))
    known = rows_of(RESULTS / "unknown_kernels_gaussians.json")
    assert shown and all(row["kernels"] == "gaussians" for row in shown)
    for row in shown:
        same = ("photograph", "seed")
        (wanted,) = (k for k in known if all(k[s] == row[s] for s in same))
        assert {key: row[key] for key in wanted} == wanted


def test_the_recorded_trainings_are_kernels_of_the_generator():
    stored = np.load(shipped("data/kernelgan/training.npz"))
    assert "all, seed 0" in stored
    for frames in stored.values():
        assert frames.shape[1:] == (13, 13)
        assert np.isfinite(frames).all()
