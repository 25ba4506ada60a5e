"""Build the chapters from their sources.

``python -m dil_teach.course.build [NAME ...]`` reads ``notebooks/source/NAME.py``, a
jupytext percent script that contains the exercises' solutions. It writes
``notebooks/NAME.ipynb`` without the solutions, executed at budget `quick`, with its
outputs. Without names it builds every chapter.
"""

import hashlib
import sys
import tempfile
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode, from_dict

from dil_teach.course.exercises import clear_solutions, fold_solutions, keep_solutions
from dil_teach.course.lesson import without_widgets
from dil_teach.course.one_click import one_click
from dil_teach.course.references import with_references
from dil_teach.image.files import written_whole
from dil_teach.image.shipped import shipped

MAX_BYTES = 1_000_000  # size of a built chapter; a larger one opens slowly
CELL_SECONDS = 600  # time limit of a cell
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
METADATA = {
    "kernelspec": KERNEL | {"language": "python"},
    "language_info": {"name": "python"},
}


def learner_notebook(name: str) -> NotebookNode:
    """The chapter for learners, such as ``"00_tour"``, without solutions and outputs.

    The result is deterministic, including the ids of the cells.
    """
    return with_ids(clear_solutions(marked_notebook(name)))


def solution_notebook(name: str) -> NotebookNode:
    """The same chapter, cell for cell, with every exercise solved."""
    return with_ids(keep_solutions(marked_notebook(name)))


def marked_notebook(name: str) -> NotebookNode:
    """The chapter with everything that the build adds, and with marked solutions."""
    notebook = with_references(fold_solutions(read_source(name)), name)
    return one_click(notebook, name)


def read_source(name: str) -> NotebookNode:
    """The cells of a chapter's source, unchanged."""
    source = jupytext.read(shipped(f"notebooks/source/{name}.py"))
    return nbformat.v4.new_notebook(cells=source.cells, metadata=METADATA)


def with_ids(notebook: NotebookNode) -> NotebookNode:
    """Make each cell's id a hash of its text, because jupytext draws random ids."""
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode())
        cell.id = digest.hexdigest()[:12]
        seen[cell.id] += 1
        if seen[cell.id] > 1:
            cell.id += f"-{seen[cell.id]}"
    return notebook


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run all cells in a new kernel, and keep the outputs that a static page can show.

    Parameters
    ----------
    notebook : NotebookNode
        It is changed in place and returned.
    folder : Path
        The kernel's working folder.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    ValueError
        If a cell writes to standard error, or prints a path of this machine.
    """
    NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
    ).execute()
    # nbclient adds the exact Python version of this machine.
    notebook.metadata = from_dict(METADATA)
    for cell in without_widgets(notebook).cells:
        for output in cell.get("outputs", []):
            _check_output(cell, output)
    return notebook


def build(name: str) -> Path:
    """Build one chapter, such as ``"00_tour"``, and return the path of its notebook.

    The old file is replaced only when the new one is complete.

    Raises
    ------
    ValueError
        If the notebook is larger than 1 MB, or as in :func:`execute`.
    """
    folder = shipped("notebooks")
    target = folder / f"{name}.ipynb"
    notebook = execute(learner_notebook(name), folder)
    text = nbformat.writes(notebook) + "\n"
    size = len(text.encode())
    if size > MAX_BYTES:
        largest = max(
            range(len(notebook.cells)), key=lambda i: len(str(notebook.cells[i]))
        )
        raise ValueError(
            f"{target.name}: expected at most {MAX_BYTES:,} bytes, got {size:,}; show "
            f"smaller or fewer crops (cell {largest} is the largest)"
        )
    with written_whole(target) as place:
        place.write_text(text, encoding="utf-8", newline="\n")
    return target


def chapters() -> list[str]:
    """The names of all chapters that have a source, in reading order."""
    return sorted(path.stem for path in shipped("notebooks/source").glob("[0-9]*.py"))


def _check_output(cell: NotebookNode, output: NotebookNode) -> None:
    text = output.get("text", "") + output.get("data", {}).get("text/plain", "")
    if output.get("name") == "stderr":
        raise ValueError(
            f"expected no output on standard error, got {text.strip()!r} from\n"
            f"{cell.source}\nremove the cause of the warning"
        )
    here = (str(shipped("notebooks").parent), sys.prefix, tempfile.gettempdir())
    if found := [place for place in here if place in text]:
        raise ValueError(
            f"expected no path of this machine in an output, got {found[0]!r} from\n"
            f"{cell.source}\nprint only the file's name"
        )


if __name__ == "__main__":
    for chapter in sys.argv[1:] or chapters():
        path = build(chapter)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
