"""Builds the chapters that learners open from their one source each.

``python -m dil_teach.course.build [NAME ...]`` turns ``notebooks/source/NAME.py``, a
jupytext percent script with the solutions of its exercises, into
``notebooks/NAME.ipynb``, without them, executed at budget `quick`, its outputs kept.
Without names it builds every chapter.
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
from dil_teach.course.one_click import one_click
from dil_teach.course.references import with_references
from dil_teach.image.files import written_whole
from dil_teach.image.shipped import shipped

MAX_BYTES = 1_000_000
CELL_SECONDS = 600
METADATA = {
    "kernelspec": {
        "name": "python3",
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
    },
    "language_info": {"name": "python"},
}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def learner_notebook(name: str) -> NotebookNode:
    """The chapter as learners open it: exercises to be done, cells without outputs.

    The same source gives the same bytes.

    Parameters
    ----------
    name : str
        Such as ``"00_tour"``.

    Returns
    -------
    NotebookNode
        Version 4.5.
    """
    return with_ids(clear_solutions(marked_notebook(name)))


def solution_notebook(name: str) -> NotebookNode:
    """The same chapter, cell for cell, with every exercise solved."""
    return with_ids(keep_solutions(marked_notebook(name)))


def marked_notebook(name: str) -> NotebookNode:
    """The chapter with all that the build adds; solutions still between their marks.

    Each step takes the notebook and returns it.
    """
    notebook = read_source(name)
    notebook = fold_solutions(notebook)
    notebook = with_references(notebook, name)
    notebook = one_click(notebook, name)
    return notebook


def read_source(name: str) -> NotebookNode:
    """The cells of a chapter's source, as they stand there."""
    source = jupytext.read(shipped(f"notebooks/source/{name}.py"))
    return nbformat.v4.new_notebook(cells=source.cells, metadata=METADATA)


def with_ids(notebook: NotebookNode) -> NotebookNode:
    """Each cell's id made from its text, for jupytext's own differ at each reading."""
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode())
        cell.id = digest.hexdigest()[:12]
        seen[cell.id] = seen.get(cell.id, 0) + 1
        if seen[cell.id] > 1:
            cell.id += f"-{seen[cell.id]}"
    return notebook


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run all cells in a fresh kernel, in `folder`, and keep what a page can show.

    Widgets are left out: without their kernel they are an error message, and the
    static strip beside each says the same.

    Parameters
    ----------
    notebook : NotebookNode
        Changed in place.
    folder : Path
        The kernel's working folder.

    Returns
    -------
    NotebookNode
        The same one.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    ValueError
        If a cell writes to standard error, or shows a path of this machine.
    """
    NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
    ).execute()
    # What nbclient adds names this machine's Python to the patch level.
    notebook.metadata = from_dict(METADATA)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                o for o in cell.outputs if WIDGET_VIEW not in o.get("data", {})
            ]
            for output in cell.outputs:
                _check_output(cell, output)
    return notebook


def build(name: str) -> Path:
    """Build one chapter; the old one stays until the new one is whole.

    Parameters
    ----------
    name : str
        Such as ``"00_tour"``.

    Returns
    -------
    Path
        The learner's notebook.

    Raises
    ------
    ValueError
        If it is larger than 1 MB, or as in `execute`.
    """
    folder = shipped("notebooks")
    text = nbformat.writes(execute(learner_notebook(name), folder)) + "\n"
    if len(text.encode()) > MAX_BYTES:
        raise ValueError(
            f"{name}.ipynb must be at most {MAX_BYTES:,} bytes, got "
            f"{len(text.encode()):,}: show smaller crops, or fewer of them"
        )
    target = folder / f"{name}.ipynb"
    with written_whole(target) as place:
        place.write_text(text, encoding="utf-8", newline="\n")
    return target


def chapters() -> list[str]:
    """Names of all chapters that have a source, in reading order."""
    return sorted(path.stem for path in shipped("notebooks/source").glob("[0-9]*.py"))


def _check_output(cell: NotebookNode, output: NotebookNode) -> None:
    text = output.get("text", "") + output.get("data", {}).get("text/plain", "")
    if output.get("name") == "stderr":
        raise ValueError(
            f"a cell must not write to standard error, got {text.strip()!r} from\n"
            f"{cell.source}\ntake away the cause of the warning"
        )
    here = (str(shipped("notebooks").parent), sys.prefix, tempfile.gettempdir())
    if found := [place for place in here if place in text]:
        raise ValueError(
            f"a cell must not show a path of this machine, got {found[0]!r} from\n"
            f"{cell.source}\nprint the file's name alone"
        )


if __name__ == "__main__":
    for chapter in sys.argv[1:] or chapters():
        path = build(chapter)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
