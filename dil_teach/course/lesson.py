"""A chapter run from its first cell to its last, as one page of HTML."""

import re
import subprocess
import tempfile
from collections.abc import Iterator

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from dil_teach.image.shipped import shipped

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def find_chapter(wanted: str) -> str:
    """The chapter's full name, by its number, its name or both.

    Parameters
    ----------
    wanted : str
        ``"1"``, ``"01"``, ``"patch_recurrence"`` or ``"01_patch_recurrence"``.

    Returns
    -------
    str
        Such as ``"01_patch_recurrence"``.

    Raises
    ------
    ValueError
        If there is none.
    """
    names = sorted(path.stem for path in shipped("notebooks").glob("[0-9]*.ipynb"))
    for name in names:
        number, _, title = name.partition("_")
        if wanted in (name, number, number.lstrip("0") or "0", title):
            return name
    raise ValueError(
        f"chapter: expected one of {', '.join(names)}, or its number, got '{wanted}'"
    )


def learner_chapter(name: str, budget: str) -> NotebookNode:
    """The chapter as it ships, at another budget, without what only opens it online."""
    notebook = nbformat.read(shipped(f"notebooks/{name}.ipynb"), as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not _tagged(cell, "one-click")]
    for cell in notebook.cells:
        if _tagged(cell, "parameters"):
            cell.source = f'budget = "{budget}"'
        if cell.cell_type == "markdown":  # a badge is fetched; its words need not be
            cell.source = re.sub(r"\[!\[([^]]*)\]\([^)]*\)\]", r"[\1]", cell.source)
    return notebook


def run_cells(notebook: NotebookNode, name: str) -> Iterator[int]:
    """Run the cells in a kernel of its own, in an empty folder.

    Parameters
    ----------
    notebook : NotebookNode
        Its outputs are changed in place.
    name : str
        What an error calls it.

    Yields
    ------
    int
        The number of the cell that ran, from 1.

    Raises
    ------
    ValueError
        If a cell fails, or the kernel dies.
    """
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=None,
            resources={"metadata": {"path": folder}},
            store_widget_state=False,
            shutdown_kernel="immediate",
        )
        with client.setup_kernel(**quiet):
            for number, cell in enumerate(notebook.cells, start=1):
                try:
                    client.execute_cell(cell, number - 1)
                except CellExecutionError as error:
                    why = f"{error.ename}: {error.evalue}"
                    raise ValueError(f"{name}: cell {number} failed: {why}") from None
                except DeadKernelError:
                    raise ValueError(
                        f"{name}: the kernel died in cell {number}; is there memory "
                        "enough? take a smaller budget"
                    ) from None
                yield number


def page(notebook: NotebookNode) -> str:
    """The chapter as one page of HTML, its pictures and styles inside.

    Widgets are left out, for they need their kernel: a static strip stands beside each.
    One thing may be fetched as the page is read, the MathJax that sets formulas.

    Parameters
    ----------
    notebook : NotebookNode
        With its outputs, which are changed in place.

    Returns
    -------
    str
        HTML.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                o for o in cell.outputs if WIDGET_VIEW not in o.get("data", {})
            ]
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    title = prose[0].split("\n")[0].lstrip("# ")
    html, _ = HTMLExporter(template_name="lab").from_notebook_node(
        notebook, resources={"metadata": {"name": title}}
    )
    fetched = r'<script src="https?:[^"]*"[^>]*>\s*</script>'
    if "$" in "".join(prose):
        fetched = fetched.replace("https?:", "(?!.*mathjax)https?:")
    return re.sub(fetched, "", html)


def _tagged(cell: NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])
