"""The records of exact credit are complete, and chapters show them."""

import json
import re
import runpy
from pathlib import Path

import pytest

from dil_teach.course import credit
from dil_teach.course.credit import ROLES, best_baseline, credit_record, show_credit
from dil_teach.image.shipped import shipped

FILES = sorted(shipped("benchmarks/results").glob("credit_*.json"))
NAMES = [file.stem.removeprefix("credit_") for file in FILES]
SEEDS = 3


@pytest.mark.parametrize("name", NAMES)
def test_a_record_names_every_part(name):
    record = credit_record(name)
    rows = record["rows"]
    assert {row["role"] for row in rows} | set(record["missing"]) == set(ROLES)
    assert not {row["role"] for row in rows} & set(record["missing"])
    assert all(len(reason) > 15 for reason in record["missing"].values())
    assert len({row["name"] for row in rows}) == len(rows)
    for row in rows:
        assert len(row["values"]) in (1, SEEDS), row
        if row["role"] == "network" and "one seed" not in record["where"]:
            assert len(row["values"]) == SEEDS, row
    assert record["better"] in ("higher", "lower")
    assert all(record[part] for part in ("result", "measure", "where", "commit"))


@pytest.mark.parametrize("name", NAMES)
def test_a_chapter_shows_the_record(name):
    sources = [f.read_text("utf-8") for f in shipped("notebooks/source").glob("*.py")]
    call = re.compile(rf'show_credit\(\s*"{name}"')
    assert any(call.search(text) for text in sources)


def made(folder: Path) -> Path:
    rows = [
        {"role": "final", "name": "blended", "values": [23.0, 24.0, 25.0]},
        {"role": "baseline", "name": "guided filter", "values": [22.5]},
        {"role": "baseline", "name": "dark channel", "values": [20.0]},
        {"role": "input", "name": "hazy", "values": [12.0]},
        {"role": "network", "name": "its layer", "values": [15.0, 16.0, 17.0]},
    ]
    facts = {"result": "Haze", "measure": "PSNR", "where": "six scenes"}
    missing = {"initialisation": "none was <needed>", "oracle": "none is known"}
    record = {**facts, "better": "higher", "missing": missing, "rows": rows}
    path = folder / "credit_haze.json"
    path.write_text(json.dumps(record))
    return path


def test_the_table_shows_all_parts_in_order(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(credit, "shipped", lambda _: made(tmp_path))
    monkeypatch.setattr(credit, "display_html", lambda *what: shown.append(what))
    means = show_credit("haze", here={"blended": 23.456})
    ((html, plain),) = shown
    assert means["blended"] == 24 and plain.startswith("Haze: PSNR, six scenes; higher")
    cells = [re.findall(r"<td[^>]*>([^<]*)<", row) for row in html.split("<tr>")[2:]]
    assert [line[0] for line in cells] == [
        *("input", "baseline", "baseline", "network", "final"),
        *("initialisation", "oracle"),
    ]
    assert cells[4][1:5] == ["blended", "24.00 ± 1.00", "+1.50", "23.46"]
    assert "none: none was &lt;needed&gt;" in html
    widths = [int(w) for w in re.findall(r"width:(\d+)px;height", html)]
    assert max(widths) == widths[4] == credit.BAR and min(widths) == widths[0] > 0
    assert best_baseline(credit_record("haze")) == "guided filter"
    assert credit.spread([20.59, 20.5901, 20.5902]) == " ± 0.00"
    assert credit.spread([20.0]) == ""


def test_a_value_without_a_row_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(credit, "shipped", lambda _: made(tmp_path))
    with pytest.raises(ValueError, match=r"here: expected names .* got \['dehazed'\]"):
        show_credit("haze", here={"dehazed": 1.0})


@pytest.mark.parametrize(
    ("start", "end", "table"),
    [
        ("START", "END", "table"),
        ("GROWTH_START", "GROWTH_END", "growth_table"),
    ],
)
def test_the_tables_of_the_readme_are_up_to_date(start, end, table):
    root = shipped("notebooks").parent
    script = runpy.run_path(str(root / "benchmarks" / "readme.py"))
    readme = (root / "README.md").read_text("utf-8")
    shown = readme.split(script[start])[1].split(script[end])[0]
    assert shown.strip() == script[table](), "run: python benchmarks/readme.py"
