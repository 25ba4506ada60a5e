"""Records of the benchmarks, as tables and figures of a chapter.

The folder ``benchmarks/results`` is part of the installed package, so a chapter shows a
benchmark's record itself and not a copy. A row is a dictionary: each
method's name is a key, and the method's PSNR in dB is its value.
"""

import json
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from matplotlib.figure import Figure

from dil_teach.image.shipped import shipped
from dil_teach.notebook.figures import CURVES

MARKS = "osD^v"
"""Marks of the groups in a figure, because colour alone is not enough."""

Rows = Sequence[Mapping[str, Any]]


def record(section: str) -> list[dict[str, Any]]:
    """The rows of ``benchmarks/results/SECTION.json``; empty if there is no record."""
    path = shipped("benchmarks/results") / f"{section}.json"
    return json.loads(path.read_text("utf-8"))["rows"] if path.exists() else []


def per_picture(rows: Rows, key: str = "image") -> list[dict[str, Any]]:
    """One row for each value of ``key``: the means over the rows with this value."""
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    found = []
    for name, group in groups.items():
        figures = {
            what: mean(row[what] for row in group if what in row)
            for what in dict.fromkeys(k for row in group for k in row)
            if all(type(row.get(what, 0.0)) is float for row in group)
        }
        found.append({key: name} | figures)
    return found


def differences(rows: Rows, ours: str, theirs: str) -> list[float]:
    """PSNR of ``ours`` minus PSNR of ``theirs`` in dB, for each row that has both."""
    return [row[ours] - row[theirs] for row in rows if ours in row and theirs in row]


def table(rows: Rows, methods: Sequence[str], reference: str) -> str:
    """A line for each method: its mean PSNR, and its gain over a reference method.

    The spread after each mean is the standard deviation over the rows. Methods that the
    rows do not have are left out.
    """
    lines = [f"{'':33}{'PSNR [dB]':>15}   gain over {reference} [dB]"]
    for method in methods:
        values = [row[method] for row in rows if method in row]
        if not values:
            continue
        line = f"{method:33}{mean(values):7.2f} ± {_spread(values):4.2f}"
        if method != reference:
            gains = differences(rows, method, reference)
            wins = sum(gain > 0 for gain in gains)
            line += f"   {mean(gains):+6.2f} ± {_spread(gains):4.2f}"
            line += f"   better on {wins} of {len(gains)}"
        lines.append(line)
    return "\n".join(lines) if rows else "This record does not exist yet."


def gain_figure(
    cases: Mapping[str, Mapping[str, Sequence[float]]], xlabel: str
) -> Figure:
    """A point for each picture: how much one method gains over another, in dB.

    Parameters
    ----------
    cases : dict of condition to dict of group to list of gains in dB
        Each condition is a line of the figure. Groups differ in colour, mark and
        height; a bar marks the mean of each group.
    xlabel : str
        What the horizontal axis shows, with its unit.

    Returns
    -------
    matplotlib.figure.Figure
    """
    groups = list(dict.fromkeys(name for case in cases.values() for name in case))
    figure = Figure(figsize=(7.2, 0.9 + 0.62 * len(cases)), dpi=120)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color="black", linewidth=0.8)
    for line, case in enumerate(cases.values()):
        for name, gains in case.items():
            number = groups.index(name)
            height = line + 0.22 * (number - (len(groups) - 1) / 2)
            colour = CURVES[number][0]
            mark: dict[str, Any] = {
                "color": colour,
                "marker": MARKS[number],
                "linestyle": "",
            }
            label = name if name not in axes.get_legend_handles_labels()[1] else None
            axes.plot(gains, [height] * len(gains), label=label, alpha=0.6, **mark)
            if gains:
                ends = [height - 0.14, height + 0.14]
                axes.plot([mean(gains)] * 2, ends, color=colour, linewidth=3)
    axes.set(yticks=range(len(cases)), yticklabels=list(cases), xlabel=xlabel)
    axes.set_ylim(max(len(cases), 1) - 0.5, -0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.3)
    if groups:
        axes.legend(frameon=False, fontsize=9)
    return figure


def _spread(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0
