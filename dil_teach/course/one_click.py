"""The badges and the first cell with which a chapter opens on Colab and Binder.

The repository's address is only in pyproject.toml, ``[project.urls] Repository``. In
a fork, change that line and run ``make notebooks``, which writes the address into the
chapters. ``python -m dil_teach.course.one_click`` writes the address into README.md.
"""

import re
import tomllib

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from dil_teach.image.shipped import shipped

BRANCH = "main"
# The installed versions are pinned, so that pip does not replace them: another torch
# takes minutes, and another numpy or ipywidgets breaks the running kernel.
INSTALL = """\
# @title On Google Colab alone: install the course, and keep the torch that is there
import importlib.util
import subprocess
import sys
from importlib.metadata import version

if "google.colab" in sys.modules and not importlib.util.find_spec("dil_teach"):
    course = "git+{url}"
    there = "torch numpy scipy pillow matplotlib ipython ipykernel ipywidgets".split()
    kept = [f"{{name}}=={{version(name)}}" for name in there]
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    done = subprocess.run([*pip, *kept, course], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    importlib.invalidate_caches()"""
README_BADGES = re.compile(r"(?<=<!-- badges -->\n).*?(?=<!-- end of badges -->)", re.S)


def repository() -> str:
    """The repository's address, such as ``"https://github.com/OWNER/NAME"``.

    Only GitHub is accepted, because both Colab and Binder open it.
    """
    project = tomllib.loads(shipped("pyproject.toml").read_text("utf-8"))["project"]
    url = project["urls"]["Repository"]
    assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", url), (
        "pyproject.toml, [project.urls] Repository: expected "
        f"https://github.com/OWNER/NAME, got {url!r}"
    )
    return url.removesuffix(".git")


def badges(name: str) -> str:
    """A chapter's links to Colab and Binder: two pictures in one line of Markdown."""
    place = repository().removeprefix("https://github.com/")
    path = f"notebooks/{name}.ipynb"
    colab, binder = "https://colab.research.google.com", "https://mybinder.org"
    return (
        f"[![Open in Colab]({colab}/assets/colab-badge.svg)]"
        f"({colab}/github/{place}/blob/{BRANCH}/{path}) "
        f"[![Open in Binder]({binder}/badge_logo.svg)]"
        f"({binder}/v2/gh/{place}/{BRANCH}?urlpath=lab/tree/{path})"
    )


def one_click(notebook: NotebookNode, name: str) -> NotebookNode:
    """Add the badges below the heading, and a first code cell that installs on Colab.

    The code cell does nothing outside Colab, or if the package can be imported. `name`
    names the chapter, as ``"00_tour"``. The notebook is changed in place and returned.
    """
    first = notebook.cells[0]
    heading, *rest = first.source.split("\n")
    assert heading.startswith("# "), f"{name}: begin with '# ...', not with {heading!r}"
    first.source = "\n".join([heading, "", badges(name), *rest])
    metadata = {
        "cellView": "form",  # Colab shows only the title of the cell
        "jupyter": {"source_hidden": True},
        "tags": ["one-click", "hide-input"],
    }
    source = INSTALL.format(url=repository())
    notebook.cells.insert(1, new_code_cell(source, id="one-click", metadata=metadata))
    return notebook


def stamp_readme() -> None:
    """Write the tour's badges between the two markers in README.md."""
    readme, line = shipped("README.md"), badges("00_tour") + "\n"
    text = README_BADGES.sub(lambda _: line, readme.read_text("utf-8"))
    readme.write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    stamp_readme()
