"""Run a chapter from the first cell to the last and write it as one HTML page."""

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
    """The full name of a chapter, such as ``"01_patch_recurrence"``.

    `wanted` is the chapter's number, its title or both: ``"1"``, ``"01"`` or
    ``"patch_recurrence"``. A ValueError lists the chapters if none of them matches.
    """
    names = sorted(path.stem for path in shipped("notebooks").glob("[0-9]*.ipynb"))
    for name in names:
        number, _, title = name.partition("_")
        if wanted in (name, number, number.lstrip("0") or "0", title):
            return name
    raise ValueError(
        f"chapter: expected one of {', '.join(names)}, or its number, got '{wanted}'; "
        f"try {names[0][:2]}"
    )


def learner_chapter(name: str, budget: str) -> NotebookNode:
    """The built chapter at another budget, without the badges and the Colab cell."""
    notebook = nbformat.read(shipped(f"notebooks/{name}.ipynb"), as_version=4)
    cells, notebook.cells = notebook.cells, []
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        if "parameters" in tags:
            cell.source = f'budget = "{budget}"'
        if cell.cell_type == "markdown":  # pictures of badges would need a download
            cell.source = re.sub(r"\[!\[([^]]*)\]\([^)]*\)\]", r"[\1]", cell.source)
        if "one-click" not in tags:
            notebook.cells.append(cell)
    return notebook


def run_cells(notebook: NotebookNode, name: str) -> Iterator[int]:
    """Run the cells in a new kernel and an empty folder; yield each cell's number.

    Numbers start at 1. The outputs are changed in place. If a cell fails or the kernel
    dies, a ValueError gives the number of the cell and the chapter's `name`.
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
                        f"{name}: the kernel died in cell {number}, perhaps for lack "
                        "of memory; try a smaller budget"
                    ) from None
                yield number


def without_widgets(notebook: NotebookNode) -> NotebookNode:
    """Remove the widgets, which need a kernel; the static examples remain."""
    for cell in notebook.cells:
        if outputs := cell.get("outputs"):
            shown = (o for o in outputs if WIDGET_VIEW not in o.get("data", {}))
            cell.outputs = list(shown)
    return notebook


def page(notebook: NotebookNode) -> str:
    """An executed chapter as one HTML page that contains its pictures and styles.

    The browser downloads only MathJax, which renders the formulas. Widgets are removed
    from the notebook in place.
    """
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    title = prose[0].split("\n")[0].lstrip("# ")
    html, _ = HTMLExporter(template_name="lab").from_notebook_node(
        without_widgets(notebook), resources={"metadata": {"name": title}}
    )
    scripts = r'<script src="https?:[^"]*"[^>]*>\s*</script>'
    if "$" in "".join(prose):
        scripts = scripts.replace("https?:", "(?!.*mathjax)https?:")
    return re.sub(scripts, "", html)
