"""The built chapters agree with their sources, are complete, and make true claims.

Papermill runs each chapter once, at another seed than the reader's. Its claims must
hold, the outputs that nbval compares must be those of the built notebook, and each
control is drawn at all its extremes. ``make test-all`` also runs every chapter by
nbval, at the reader's seed, and at the larger budgets.
"""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import nbformat
import papermill
import pytest
from nbformat import NotebookNode

from dil_teach.course.build import (
    MAX_BYTES,
    chapters,
    execute,
    learner_notebook,
    marked_notebook,
    solution_notebook,
)
from dil_teach.course.exercises import exercises
from dil_teach.image.shipped import shipped
from dil_teach.notebook.figures import MIN_ALT_CHARACTERS

CHAPTERS = pytest.mark.parametrize("name", chapters())
BY_NBVAL_TOO = "00_tour"
"""The chapter that ``make test`` runs by nbval: the shortest."""
CONTROL = r"(?:explore|before_after|scrub|drag_corners)\("
TRY_CONTROLS = """\
from dil_teach.notebook import Explorer

controls = {id(v): v for v in list(globals().values()) if isinstance(v, Explorer)}
print(f"drew {len(controls)} controls:", [c.try_corners() for c in controls.values()])
"""


def test_the_same_source_gives_the_same_notebook():
    for name in chapters():
        notebook = learner_notebook(name)
        assert notebook == learner_notebook(name)
        ids = [cell.id for cell in notebook.cells]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("import sys\nprint('a warning', file=sys.stderr)", "got\na warning"),
        ("import sys\nprint(sys.prefix)", "no path of this machine, got"),
    ],
)
def test_a_chapter_that_shows_what_readers_need_not_see_is_refused(
    code, complaint, tmp_path
):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    with pytest.raises(AssertionError, match=complaint):
        execute(notebook, tmp_path)


def test_widgets_are_left_out_of_the_saved_notebook(tmp_path):
    code = "import ipywidgets\nprint('kept')\nipywidgets.IntSlider()"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    outputs = execute(notebook, tmp_path).cells[0].outputs
    assert [output.get("text") for output in outputs] == ["kept\n"]


def path_of(name: str) -> Path:
    return shipped(f"notebooks/{name}.ipynb")


def read(name: str) -> NotebookNode:
    return nbformat.read(path_of(name), as_version=4)


def code_of(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def checked_outputs(notebook: NotebookNode) -> list[str]:
    """The outputs that nbval compares: printed claims and source code of each cell.

    On a busy computer, a kernel may send the text of one cell in several parts.
    """
    return [
        "".join(
            output.get("text") or output.data.get("text/markdown", str(output.data))
            for output in cell.outputs
        )
        for cell in code_of(notebook)
        if "# NBVAL_CHECK_OUTPUT" in cell.source
    ]


def html_of(cell: NotebookNode) -> str:
    return "".join(o.get("data", {}).get("text/html", "") for o in cell.outputs)


@CHAPTERS
def test_the_built_notebook_is_its_source_run_from_top_to_bottom(name):
    built, source = read(name), learner_notebook(name)
    nbformat.validate(built)
    assert built.metadata == source.metadata
    for got, wanted in zip(built.cells, source.cells, strict=True):
        fields = ("id", "cell_type", "source", "metadata")
        assert {f: got[f] for f in fields} == {f: wanted[f] for f in fields}, (
            f"notebooks/{name}.ipynb is older than its source: make notebooks"
        )
    counts = [cell.execution_count for cell in code_of(built)]
    assert counts == list(range(1, len(counts) + 1))


@CHAPTERS
def test_every_picture_has_an_alt_text_and_no_twin(name):
    pictures = 0
    for cell in code_of(read(name)):
        for output in cell.outputs:
            assert not [kind for kind in output.get("data", {}) if "image/" in kind]
        for img in re.findall(r"<img[^>]*>", html_of(cell)):
            pictures += 1
            (alt,) = re.findall(r'alt="([^"]*)"', img)
            assert len(alt) >= MIN_ALT_CHARACTERS
            assert 'src="data:image/' in img
    assert pictures


@CHAPTERS
def test_an_interpretation_follows_every_figure(name):
    cells = read(name).cells
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        if cell.cell_type == "code" and "<img" in html_of(cell):
            text = following.source if following else ""
            assert following and following.cell_type == "markdown", cell.source
            assert not text.startswith("#") and len(text) > 40 and "." in text, text


@CHAPTERS
def test_code_cells_make_one_point(name):
    for cell in code_of(read(name)) + code_of(solution_notebook(name)):
        lines = cell.source.splitlines()
        most = 25 if "algorithm" in cell.metadata.get("tags", []) else 15
        assert sum(bool(line.strip()) for line in lines) <= most, cell.source
        assert max(map(len, lines)) <= 88, cell.source


@CHAPTERS
def test_an_exercise_says_what_is_asked_and_has_three_hints(name):
    source = marked_notebook(name)
    whole = exercises(source)
    headings = [c for c in source.cells if "\n## Exercise" in "\n" + c.source]
    assert len(headings) == len(whole) >= 1
    for exercise in whole:
        statement = source.cells[exercise.cell - 1]
        assert statement.cell_type == "markdown"
        words = statement.source.rpartition("## Exercise: ")[2]
        assert f"`{exercise.name}" in words  # a signature, or the name of a value
        assert "xpected run time" in words
        assert re.search(r"\[0, 1\]|pixel|percent|dB|Units", words)
        if not exercise.prediction:
            (arguments,) = re.findall(rf"`{exercise.name}\((.*?)\)", words)
            cell = source.cells[exercise.cell].source
            assert f"def {exercise.name}({arguments})" in cell.replace("\n", "")
            assert re.search(r'Float\[Tensor, "[^"]+"\]', words)
        hints = source.cells[exercise.hints].source
        summaries = re.findall(r"<details><summary>(.*?)</summary>", hints)
        assert summaries == ["Hint 1", "Hint 2", "Hint 3", "Solution"]
        assert hints.count("</details>") == 4


@CHAPTERS
def test_learners_find_every_exercise_still_to_be_done(name):
    built = read(name)
    assert not [cell for cell in built.cells if "SOLUTION" in cell.source]
    for exercise in exercises(marked_notebook(name)):
        (verdict,) = built.cells[exercise.check].outputs
        found = verdict.data["text/plain"]
        assert found.startswith(f"○ {exercise.name}: not done yet"), found


@CHAPTERS
def test_headings_step_down_one_level_at_a_time(name):
    text = "\n".join(c.source for c in read(name).cells if c.cell_type == "markdown")
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    levels = [len(marks) for marks in re.findall(r"^(#{1,6}) ", text, re.MULTILINE)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    steps = [after - before for before, after in pairwise(levels)]
    assert max(steps) <= 1


@CHAPTERS
def test_the_notebook_is_small(name):
    assert path_of(name).stat().st_size <= MAX_BYTES


@CHAPTERS
def test_budget_is_the_one_parameter_and_a_claim_is_asserted(name):
    cells = code_of(read(name))
    tagged = [c.source for c in cells if "parameters" in c.metadata.get("tags", [])]
    assert tagged == ['budget = "quick"']
    checked = [cell for cell in cells if "# NBVAL_CHECK_OUTPUT" in cell.source]
    assert all(cell.outputs for cell in checked)
    assert any("check_claims(" in cell.source for cell in checked)


@CHAPTERS
def test_links_between_chapters_lead_somewhere(name):
    for cell in read(name).cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\((\w+)\.ipynb", cell.source):
                assert target in chapters()


def test_the_tour_lists_every_chapter_and_links_those_that_exist():
    text = "\n".join(cell.source for cell in learner_notebook("00_tour").cells)
    rows = re.findall(r"^\| *\[?(\d\d) .*$", text, re.MULTILINE)
    assert rows == [f"{number:02}" for number in range(17)]
    linked = re.findall(r"^\| *\[\d\d [^\]]+\]\((\w+)\.ipynb\)", text, re.MULTILINE)
    assert linked == chapters()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == BY_NBVAL_TOO else pytest.mark.slow)
        for name in chapters()
    ],
)
def test_nbval_finds_the_claims_as_they_were(name):
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env"]
    run = subprocess.run(
        [*command, "-q", "-p", "no:cacheprovider", str(path_of(name))],
        capture_output=True,
        text=True,
        cwd=shipped("notebooks").parent,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def run_by_papermill(name: str, folder: Path, budget: str, seed: int) -> NotebookNode:
    """Run a chapter at another seed, then draw each of its controls at its extremes."""
    notebook = read(name)
    source = "\n".join(cell.source for cell in code_of(notebook))
    assigned = re.findall(rf"^\w+ = {CONTROL}", source, re.MULTILINE)
    assert len(assigned) == len(re.findall(rf"\b{CONTROL}", source)) >= 1
    (seeded,) = [c for c in notebook.cells if re.search(r"^seed = 0$", c.source, re.M)]
    seeded.source = re.sub(r"^seed = 0$", f"seed = {seed}", seeded.source, flags=re.M)
    notebook.cells.append(nbformat.v4.new_code_cell(TRY_CONTROLS))
    nbformat.write(notebook, folder / "in.ipynb")
    done = papermill.execute_notebook(
        folder / "in.ipynb",
        folder / "out.ipynb",
        parameters={"budget": budget},
        progress_bar=False,
        cwd=folder,
    )
    assert f"drew {len(assigned)} controls" in done.cells[-1].outputs[0].text
    assert f"Budget: {budget}" in text_of(done)
    return done


def text_of(notebook: NotebookNode) -> str:
    return "\n".join(o.get("text", "") for c in code_of(notebook) for o in c.outputs)


@CHAPTERS
def test_at_another_seed_the_chapter_runs_and_its_claims_hold(name, tmp_path):
    done = run_by_papermill(name, tmp_path, "quick", seed=1)
    assert checked_outputs(done) == checked_outputs(read(name)), (
        f"notebooks/{name}.ipynb is older than the library: make notebooks"
    )


@pytest.mark.slow
@pytest.mark.parametrize("budget", ["standard", "full"])
@CHAPTERS
def test_papermill_runs_the_chapter_at_the_larger_budgets(name, budget, tmp_path):
    run_by_papermill(name, tmp_path, budget, seed=2)
