"""Write two tables into the README: ``python benchmarks/readme.py``.

The first table shows how the time of each command grows; it comes from the record of
``benchmarks/scaling.py``. The second table is that of exact credit; each of its lines
is a record ``benchmarks/results/credit_NAME.json``.
"""

import itertools
import json
import math
from pathlib import Path
from statistics import mean
from typing import Any

from dil_teach.commands.estimate import OWN_MEMORY
from dil_teach.course.credit import ROLES, credit_record, number, spread
from dil_teach.image.shipped import shipped

README = Path(__file__).parents[1] / "README.md"
START, END = "<!-- credit table -->", "<!-- end of credit table -->"
GROWTH_START, GROWTH_END = "<!-- growth table -->", "<!-- end of growth table -->"


def growth_table() -> str:
    """Time, memory and growth of each measured method, at its largest size.

    The exponent e says that the time grows with (number of pixels)^e from the second
    largest to the largest size.
    """
    rows = json.loads(shipped("benchmarks/results/scaling.json").read_text())["rows"]
    lines = ["| command and method | pixels | CPU s | memory | exponent |"]
    lines.append("|---" * 5 + "|")
    for method, of in itertools.groupby(rows, key=lambda row: row["method"]):
        *_, low, high = sorted(of, key=lambda row: row["side"])
        pixels = 2 * math.log(high["side"] / low["side"])
        exponent = math.log(high["seconds"] / low["seconds"]) / pixels
        lines.append(
            f"| {method} | {high['side'] * 3 // 4} x {high['side']} | "
            f"{high['seconds']:.3g} | {(high['bytes'] + OWN_MEMORY) / 1e9:.1f} GB | "
            f"{exponent:.2f} |"
        )
    return "\n".join(lines)


def line(record: dict[str, Any]) -> str:
    """The line of one record: of each role, the best row."""
    cells = [f"{record['result']}: {record['measure']}; {record['where']}"]
    best = max if record["better"] == "higher" else min
    for role in ROLES:
        rows = [row for row in record["rows"] if row["role"] == role]
        if rows:
            row = best(rows, key=lambda row: mean(row["values"]))
            value = number(mean(row["values"])) + spread(row["values"])
            cells.append(f"{value} ({row['name']})")
        else:
            cells.append("none")
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """The whole table, in the order of the records' names."""
    files = sorted(shipped("benchmarks/results").glob("credit_*.json"))
    names = [file.stem.removeprefix("credit_") for file in files]
    head = f"| result | {' | '.join(ROLES)} |"
    rule = "|---" * (len(ROLES) + 1) + "|"
    return "\n".join([head, rule, *(line(credit_record(name)) for name in names)])


def between(text: str, start: str, end: str, table: str) -> str:
    """The text with the table between two marks."""
    before, rest = text.split(start)
    return f"{before}{start}\n{table}\n{end}{rest.split(end)[1]}"


if __name__ == "__main__":
    text = between(README.read_text("utf-8"), START, END, table())
    text = between(text, GROWTH_START, GROWTH_END, growth_table())
    README.write_text(text, "utf-8")
