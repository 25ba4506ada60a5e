"""Exact credit: which part of a method made its result better, as a table with bars.

A benchmark wrote ``benchmarks/results/credit_NAME.json``: the value of the input, of
the initialisation, of baselines with the same inputs, of the network's own output, of
the final result, and of an oracle that is given the ground truth.
"""

import json
from collections.abc import Mapping
from html import escape
from statistics import mean, stdev
from typing import Any

from dil_teach.image.shipped import shipped
from dil_teach.notebook.figures import display_html

ROLES = ("input", "initialisation", "baseline", "network", "final", "oracle")
BAR = 140  # CSS pixels: the longest bar
CELL = "text-align:left;padding:2px 8px"
OURS, GREY = "#0072B2", "#888888"  # bars of the network and its result; other bars


def credit_record(name: str) -> dict[str, Any]:
    """The record ``credit_NAME.json`` of the benchmarks.

    Its entries are `result`, `measure`, `where`, `better` ("higher" or "lower"), `rows`
    and `missing`. A row has a `role` of ``ROLES``, a `name`, and `values`: one mean for
    each seed. `missing` gives a reason for each role that has no row.

    Raises
    ------
    FileNotFoundError
        If there is no such record.
    """
    file = shipped(f"benchmarks/results/credit_{name}.json")
    return json.loads(file.read_text(encoding="utf-8"))


def show_credit(name: str, here: Mapping[str, float] | None = None) -> dict[str, float]:
    """Display what each part of a method contributes to its result.

    Parameters
    ----------
    name : str
        The name of a record, as in :func:`credit_record`.
    here : dict of row name to float, optional
        Values of the same measure in this run of the chapter, for one column more.

    Returns
    -------
    dict of str to float
        The mean of each row, by its name.

    Raises
    ------
    ValueError
        If a name of `here` is not a row of the record.
    """
    record = credit_record(name)
    means = {row["name"]: mean(row["values"]) for row in record["rows"]}
    here = dict(here or {})
    if unknown := sorted(set(here) - set(means)):
        raise ValueError(f"here: expected names of {list(means)}, got {unknown}")
    better = f"{record['better']} is better"
    caption = f"{record['result']}: {record['measure']}, {record['where']}; {better}"
    rows = "".join(f"<tr>{line}</tr>" for line in _lines(record, means, here))
    display_html(
        f'<table style="font-size:13px"><caption style="{CELL}">{escape(caption)}'
        f"</caption>{rows}</table>",
        caption,
    )
    return means


def _lines(
    record: Mapping[str, Any], means: Mapping[str, float], here: Mapping[str, float]
) -> list[str]:
    """The cells of each line of the table, as HTML."""
    reference = best_baseline(record)
    low, high = min(means.values()), max(means.values())
    start = max(low - 0.08 * (high - low), 0.0 if low >= 0 else low)
    heads = ["part", "", "mean ± spread", f"minus {reference}" if reference else ""]
    heads += ["this run"] * bool(here) + [f"bars start at {start:.3g}"]
    lines = ["".join(f'<th scope="col" style="{CELL}">{escape(h)}</th>' for h in heads)]
    for row in sorted(record["rows"], key=lambda row: ROLES.index(row["role"])):
        name, value = row["name"], means[row["name"]]
        cells = [row["role"], name, number(value) + spread(row["values"])]
        gain = value - means[reference] if reference else 0.0
        cells.append(f"{gain:+.2f}" if abs(gain) >= 0.01 else f"{gain:+.3g}")
        cells += [number(here[name]) if name in here else ""] * bool(here)
        long = BAR * (value - start) / (high - start) if high > start else BAR
        ours = row["role"] in ("network", "final")
        style = f"width:{long:.0f}px;height:12px;background:{OURS if ours else GREY}"
        shown = "".join(f'<td style="{CELL}">{escape(cell)}</td>' for cell in cells)
        lines.append(f'{shown}<td style="{CELL}"><div style="{style}"></div></td>')
    for role, reason in record["missing"].items():
        lines.append(
            f'<td style="{CELL}">{role}</td><td style="{CELL}" '
            f'colspan="{len(heads) - 1}">none: {escape(reason)}</td>'
        )
    return lines


def best_baseline(record: Mapping[str, Any]) -> str:
    """The name of the best baseline of a record; empty if the record has none."""
    found = {
        r["name"]: mean(r["values"]) for r in record["rows"] if r["role"] == "baseline"
    }
    best = max if record["better"] == "higher" else min
    return best(found, key=found.__getitem__) if found else ""


def number(value: float) -> str:
    """The value with two decimals, or three significant digits if it is below 1."""
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def spread(values: list[float]) -> str:
    """The standard deviation over the seeds, as `` ± 0.12``; empty for one value.

    It has as many decimals as the mean.
    """
    if len(values) < 2:
        return ""
    decimals = len(number(mean(values)).partition(".")[2])
    return f" ± {stdev(values):.{decimals}f}"
