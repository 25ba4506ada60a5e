"""Run a chapter from the first cell to the last and write it as one HTML page."""

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from urllib.parse import urljoin

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

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


def learner_chapter(
    name: str, budget: str, choices: Mapping[str, str] | None = None
) -> NotebookNode:
    """The built chapter at another budget, without the badges and the Colab cell.

    `choices` are values of variables. Each variable is set again below the cell with
    the tag ``choices`` that sets it. A ValueError is raised if no such cell does.
    """
    notebook = nbformat.read(shipped(f"notebooks/{name}.ipynb"), as_version=4)
    cells, notebook.cells = notebook.cells, []
    left = dict(choices or {})
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        if "parameters" in tags:
            cell.source = f'budget = "{budget}"'
        if cell.cell_type == "markdown":  # pictures of badges would need a download
            cell.source = re.sub(r"\[!\[([^]]*)\]\([^)]*\)\]", r"[\1]", cell.source)
        if "one-click" not in tags:
            notebook.cells.append(cell)
        if "choices" in tags:
            notebook.cells += chosen(cell, left)
    if left:
        raise ValueError(
            f"chapter: expected one with a choice of {' and '.join(left)}, got {name}; "
            "take chapter 16"
        )
    return notebook


def chosen(cell: NotebookNode, left: dict[str, str]) -> list[NotebookNode]:
    """A cell with new values of the variables that this cell sets, if there are any.

    These variables are removed from `left`.
    """
    names = [n for n in left if re.search(rf"^{n} = ", cell.source, re.MULTILINE)]
    lines = [f"{name} = {left.pop(name)!r}" for name in names]
    tags = [tag for tag in cell.metadata.tags if tag != "choices"]
    new = new_code_cell("\n".join(lines), metadata={"tags": tags})
    return [new] if lines else []


def only_report(notebook: NotebookNode, name: str) -> NotebookNode:
    """A notebook of the cells with the tag ``report``; a ValueError if there are none.

    The cells are those of the given notebook, which also get its outputs.
    """
    tagged = [c for c in notebook.cells if "report" in c.metadata.get("tags", [])]
    if not tagged:
        raise ValueError(f"{name}: has no report; leave --report out, or take 16")
    return NotebookNode(notebook | {"cells": tagged})


def run_cells(notebook: NotebookNode, name: str) -> Iterator[int]:
    """Run the cells in a new kernel and an empty folder; yield each cell's number.

    Numbers start at 1. The outputs are changed in place. If a cell fails or the kernel
    dies, a ValueError gives the number of the cell and the chapter's `name`; if the
    cell raised a ValueError itself, it gives the chapter's `name` and the sentence.
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
                    if error.ename == "ValueError":  # a sentence for the reader
                        raise ValueError(f"{name}: {error.evalue}") from None
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


def address_of(name: str) -> str:
    """The address of a built chapter in the repository, from its link to Colab."""
    text = shipped(f"notebooks/{name}.ipynb").read_text(encoding="utf-8")
    found = re.search(r"https://colab\.research\.google\.com/(github/[\w./-]+)", text)
    return f"https://{found[1].replace('/', '.com/', 1)}" if found else ""


def page(notebook: NotebookNode, name: str, code: bool = True) -> str:
    """An executed chapter as one HTML page that contains its pictures and styles.

    The browser downloads only MathJax, which renders the formulas. Links to other files
    of the course lead to the repository. Widgets are removed from the notebook in
    place. Without `code`, the page has no code.
    """
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    title = prose[0].split("\n")[0].lstrip("# ")
    exporter = HTMLExporter(template_name="lab", exclude_input=not code)
    html, _ = exporter.from_notebook_node(
        without_widgets(notebook), resources={"metadata": {"name": title}}
    )
    scripts = r'<script src="https?:[^"]*"[^>]*>\s*</script>'
    if "$" in "".join(prose):
        scripts = scripts.replace("https?:", "(?!.*mathjax)https?:")
    return with_absolute_links(re.sub(scripts, "", html), address_of(name))


def with_absolute_links(html: str, address: str) -> str:
    """Make links absolute that are relative to a chapter with this address."""
    return re.sub(
        r'(<a\b[^>]*\bhref=")([^"#][^"]*)',
        lambda link: link[1] + urljoin(address, link[2]),
        html,
    )
