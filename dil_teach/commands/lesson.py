"""dil-teach lesson: run a chapter and save it as one HTML page."""

import importlib.util
from typing import Annotated

import tyro
from tqdm import tqdm

from dil_teach.commands.files import check_place, write
from dil_teach.commands.options import Budget, Out


def lesson(
    chapter: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="CHAPTER")],
    out: Out,
    /,
    budget: Budget = "quick",
) -> str:
    """Run a chapter from the first cell to the last, and save it as one HTML page.

    The page contains its pictures and styles. The browser downloads only MathJax, which
    renders formulas; without it, formulas appear as TeX.

    Args:
        chapter: Number or name of the chapter, for example 01 or 01_patch_recurrence.
        out: The page to write: .html.
        budget: How long the chapter may compute.
    """
    check_place(out, (".html", ".htm"))
    for tool in ("ipykernel", "nbclient", "nbconvert"):
        if importlib.util.find_spec(tool) is None:
            raise ValueError(
                f"lesson: needs {tool}, a part of JupyterLab; pip install jupyterlab"
            )

    from dil_teach.course.lesson import find_chapter, learner_chapter, page, run_cells

    name = find_chapter(chapter)
    notebook = learner_chapter(name, budget)
    cells = run_cells(notebook, name)
    total = len(notebook.cells)
    for _ in tqdm(cells, name, total, leave=False, unit="cell", mininterval=0):
        pass
    return write({out: page(notebook)}, f"{name} at {budget}, run and written")
