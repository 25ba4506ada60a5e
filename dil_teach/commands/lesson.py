"""dil-teach lesson: run a chapter and save it as one HTML page."""

import importlib.util
from typing import Annotated

import tyro
from tqdm import tqdm

from dil_teach.commands.checks import check_place
from dil_teach.commands.files import write
from dil_teach.commands.options import Budget, File, Out


def lesson(
    chapter: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="CHAPTER")],
    out: Out,
    /,
    budget: Budget = "quick",
    photograph: File = None,
    question: str | None = None,
    prediction: str | None = None,
    conclusion: str | None = None,
    report: bool = False,
) -> str:
    """Run a chapter from the first cell to the last, and save it as one HTML page.

    The page contains its pictures and styles. The browser downloads only MathJax, which
    renders formulas; without it, formulas appear as TeX.

    Args:
        chapter: Number or name of the chapter, for example 01 or 01_patch_recurrence.
        out: The page to write: .html.
        budget: How long the chapter may compute.
        photograph: Your own photograph, for chapter 16.
        question: Your question, for chapter 16, for example super-resolution.
        prediction: Your prediction, for the report of chapter 16.
        conclusion: Your conclusion, for the report of chapter 16.
        report: Write only the report of chapter 16, without text and code.
    """
    check_place(out, (".html", ".htm"))
    for tool in ("ipykernel", "nbclient", "nbconvert"):
        if importlib.util.find_spec(tool) is None:
            raise ValueError(
                f"lesson: needs {tool}, a part of JupyterLab; pip install jupyterlab"
            )
    if photograph is not None:
        from dil_teach.image.files import load_image

        load_image(photograph)  # refuse a bad file before the chapter runs

    from dil_teach.course.lesson import (
        find_chapter,
        learner_chapter,
        only_report,
        page,
        run_cells,
    )

    given = {
        "photograph_file": photograph and str(photograph.resolve()),
        "question": question,
        "prediction": prediction,
        "conclusion": conclusion,
    }
    name = find_chapter(chapter)
    choices = {variable: value for variable, value in given.items() if value}
    notebook = learner_chapter(name, budget, choices)
    shown = only_report(notebook, name) if report else notebook
    cells = run_cells(notebook, name)
    options = {"unit": "cell", "mininterval": 0, "leave": False, "disable": None}
    for _ in tqdm(cells, name, len(notebook.cells), **options):
        pass
    return write(
        {out: page(shown, name, code=not report)},
        f"{name} at {budget}, run and written",
    )
