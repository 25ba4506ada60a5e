"""One click: what makes a chapter open, and run, on Colab and on Binder.

``[project.urls] Repository`` in pyproject.toml is the one place that names where the
course lies. A fork changes it there and runs ``make notebooks``, which stamps the
chapters, and README by ``python -m dil_teach.course.one_click``.
"""

import re
import tomllib
from importlib.metadata import metadata

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from dil_teach.image.shipped import shipped

BRANCH = "main"
# What is there is asked for at its own version, and pip has nothing to replace: another
# torch takes minutes, a numpy or ipywidgets swapped under a running kernel breaks it.
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
    """Where the course lies: a checkout's pyproject.toml, else the wheel's metadata.

    Returns
    -------
    str
        Such as ``"https://github.com/OWNER/NAME"``.

    Raises
    ------
    ValueError
        If it is no repository on GitHub, the one host that both Colab and Binder open.
    """
    try:
        project = tomllib.loads(shipped("pyproject.toml").read_text("utf-8"))["project"]
        urls = project["urls"]
    except FileNotFoundError:
        lines = metadata("dil_teach").get_all("Project-URL", [])
        urls = dict(line.split(", ", 1) for line in lines)
    url = urls.get("Repository", "")
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", url):
        raise ValueError(
            "[project.urls] Repository: expected https://github.com/OWNER/NAME, got "
            f"{url!r}; change it in pyproject.toml"
        )
    return url.removesuffix(".git")


def badges(name: str) -> str:
    """Markdown of the two links that open a chapter, each a picture with alt text.

    Parameters
    ----------
    name : str
        Such as ``"00_tour"``.

    Returns
    -------
    str
        One line.
    """
    place = repository().removeprefix("https://github.com/")
    path = f"notebooks/{name}.ipynb"
    colab = "https://colab.research.google.com"
    binder = "https://mybinder.org"
    return (
        f"[![Open in Colab]({colab}/assets/colab-badge.svg)]"
        f"({colab}/github/{place}/blob/{BRANCH}/{path}) "
        f"[![Open in Binder]({binder}/badge_logo.svg)]"
        f"({binder}/v2/gh/{place}/{BRANCH}?urlpath=lab/tree/{path})"
    )


def one_click(notebook: NotebookNode, name: str) -> NotebookNode:
    """Stamp a chapter: badges under its heading, and the cell that installs on Colab.

    The cell stands before all other code, `parameters` too, and does nothing where the
    package can be imported or Colab is not.

    Parameters
    ----------
    notebook : NotebookNode
        Its first cell is the heading. Left as it is.
    name : str
        Such as ``"00_tour"``.

    Returns
    -------
    NotebookNode
        Another one, with the same cells otherwise.

    Raises
    ------
    ValueError
        If there is no heading to stand under.
    """
    stamped = NotebookNode(notebook)
    first, *others = (NotebookNode(cell) for cell in notebook.cells)
    heading, *rest = first.source.split("\n")
    if first.cell_type != "markdown" or not heading.startswith("# "):
        raise ValueError(
            f"{name}: expected a cell that begins with its heading '# ...', got "
            f"{heading!r}; begin with one"
        )
    first.source = "\n".join([heading, "", badges(name), *rest])
    install = new_code_cell(
        INSTALL.format(url=repository()),
        id="one-click",
        metadata={
            "cellView": "form",  # Colab shows the title alone
            "jupyter": {"source_hidden": True},
            "tags": ["one-click", "hide-input"],
        },
    )
    stamped.cells = [first, install, *others]
    return stamped


def stamp_readme() -> None:
    """Write the tour's badges between README's two markers."""
    readme = shipped("README.md")
    line = badges("00_tour") + "\n"
    text = readme.read_text("utf-8")
    readme.write_text(README_BADGES.sub(lambda _: line, text), "utf-8", newline="\n")


if __name__ == "__main__":
    stamp_readme()
