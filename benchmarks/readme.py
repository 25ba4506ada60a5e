"""Write the table of exact credit into the README: ``python benchmarks/readme.py``.

Each line is a record ``benchmarks/results/credit_NAME.json``.
"""

from pathlib import Path
from statistics import mean
from typing import Any

from dil_teach.course.credit import ROLES, credit_record, number, spread
from dil_teach.image.shipped import shipped

README = Path(__file__).parents[1] / "README.md"
START, END = "<!-- credit table -->", "<!-- end of credit table -->"


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


if __name__ == "__main__":
    before, rest = README.read_text("utf-8").split(START)
    after = rest.split(END)[1]
    README.write_text(f"{before}{START}\n{table()}\n{END}{after}", "utf-8")
