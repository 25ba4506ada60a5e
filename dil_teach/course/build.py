"""Build the chapters from their sources.

``python -m dil_teach.course.build [NAME ...]`` reads ``notebooks/source/NAME.py``, a
jupytext percent script that contains the exercises' solutions. It writes
``notebooks/NAME.ipynb`` without the solutions, executed at budget `quick`, with its
outputs. Without a NAME, every chapter is built.
"""

import hashlib
import sys
import tempfile
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

MAX_BYTES = 1_500_000  # size of a chapter; a larger notebook opens slowly
CELL_SECONDS = 600  # time limit for one cell
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
    """The chapter with every exercise solved, cell for cell like the learner's."""
    return with_ids(keep_solutions(marked_notebook(name)))


def marked_notebook(name: str) -> NotebookNode:
    """The chapter with all added parts, and with the solutions between markers."""
    source = jupytext.read(shipped(f"notebooks/source/{name}.py"))
    notebook = nbformat.v4.new_notebook(cells=source.cells, metadata=METADATA)
    return one_click(with_references(fold_solutions(notebook)), name)


def with_ids(notebook: NotebookNode) -> NotebookNode:
    """Make each cell's id a hash of its text, because jupytext draws random ids."""
    for cell in notebook.cells:
        text = f"{cell.cell_type}\n{cell.source}"
        cell.id = hashlib.sha256(text.encode()).hexdigest()[:12]
    return notebook


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run all cells in a new kernel, and keep the outputs that a static page can show.

    A cell that fails raises a CellExecutionError. A cell that writes to standard error,
    or that prints a path of this machine, raises an AssertionError.

    Parameters
    ----------
    notebook : NotebookNode
        The notebook is changed in place and returned.
    folder : Path
        The folder in which the kernel runs.
    """
    NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
    ).execute()
    # nbclient adds the exact Python version of this machine, so remove it.
    notebook.metadata = from_dict(METADATA)
    here = (str(shipped("notebooks").parent), sys.prefix, tempfile.gettempdir())
    for cell in without_widgets(notebook).cells:
        for output in cell.get("outputs", []):
            text = output.get("text", "") + output.get("data", {}).get("text/plain", "")
            shows_path = any(place in text for place in here)
            assert output.get("name") != "stderr" and not shows_path, (
                "expected no standard error and no path of this machine, got\n"
                f"{text}\nfrom\n{cell.source}"
            )
    return notebook


def build(name: str) -> Path:
    """Build one chapter, such as ``"00_tour"``, and return the path of its notebook.

    The old file is replaced only when the new one is complete. Errors are those of
    :func:`execute`, and an AssertionError for a notebook that is larger than 1.5 MB.
    """
    folder = shipped("notebooks")
    notebook = execute(learner_notebook(name), folder)
    text = nbformat.writes(notebook) + "\n"
    size, sizes = len(text.encode()), [len(str(cell)) for cell in notebook.cells]
    assert size <= MAX_BYTES, (
        f"{name}: expected at most {MAX_BYTES:,} bytes, got {size:,}; show smaller or "
        f"fewer crops (cell {sizes.index(max(sizes))} is the largest)"
    )
    with written_whole(folder / f"{name}.ipynb") as place:
        place.write_text(text, encoding="utf-8", newline="\n")
    return folder / f"{name}.ipynb"


def chapters() -> list[str]:
    """The names of all chapters that have a source, in reading order."""
    return sorted(path.stem for path in shipped("notebooks/source").glob("[0-9]*.py"))


if __name__ == "__main__":
    for chapter in sys.argv[1:] or chapters():
        print(f"{chapter}: ", end="", flush=True)
        print(f"{build(chapter).stat().st_size / 1000:.0f} kB")
