"""What a chapter needs to open and run on Colab and Binder.

The repository's address is only in pyproject.toml, ``[project.urls] Repository``. A
fork changes it there and runs ``make notebooks``, which writes it into the chapters
and, by ``python -m dil_teach.course.one_click``, into README.md.
"""

import re
import tomllib
from importlib.metadata import metadata as package_metadata

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from dil_teach.image.shipped import shipped

BRANCH = "main"
# Pinning the installed versions keeps pip from replacing them: another torch takes
# minutes, and another numpy or ipywidgets breaks the running kernel.
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
    """The repository's address, from pyproject.toml or the wheel's metadata.

    Returns
    -------
    str
        Such as ``"https://github.com/OWNER/NAME"``.

    Raises
    ------
    ValueError
        If it is not on GitHub, the only host that both Colab and Binder open.
    """
    try:
        project = tomllib.loads(shipped("pyproject.toml").read_text("utf-8"))["project"]
        urls = project["urls"]
    except FileNotFoundError:
        lines = package_metadata("dil_teach").get_all("Project-URL", [])
        urls = dict(line.split(", ", 1) for line in lines)
    url = urls.get("Repository", "")
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", url):
        raise ValueError(
            "[project.urls] Repository: expected https://github.com/OWNER/NAME, got "
            f"{url!r}; change it in pyproject.toml"
        )
    return url.removesuffix(".git")


def badges(name: str) -> str:
    """One line of Markdown: a chapter's Colab and Binder links, as pictures.

    Parameters
    ----------
    name : str
        Such as ``"00_tour"``.
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
    """Add the badges below the heading, and a first code cell that installs on Colab.

    That cell does nothing outside Colab, or if the package can be imported.

    Parameters
    ----------
    notebook : NotebookNode
        Its first cell begins with the heading. Changed in place, and returned.
    name : str
        Such as ``"00_tour"``.

    Raises
    ------
    ValueError
        If there is no heading.
    """
    first = notebook.cells[0]
    heading, *rest = first.source.split("\n")
    if first.cell_type != "markdown" or not heading.startswith("# "):
        raise ValueError(
            f"{name}: expected a first cell that begins with the heading '# ...', got "
            f"{heading!r}; add the heading"
        )
    first.source = "\n".join([heading, "", badges(name), *rest])
    metadata = {
        "cellView": "form",  # Colab shows only the title
        "jupyter": {"source_hidden": True},
        "tags": ["one-click", "hide-input"],
    }
    source = INSTALL.format(url=repository())
    notebook.cells.insert(1, new_code_cell(source, id="one-click", metadata=metadata))
    return notebook


def stamp_readme() -> None:
    """Write the tour's badges between README's two markers."""
    readme = shipped("README.md")
    line = badges("00_tour") + "\n"
    text = readme.read_text("utf-8")
    readme.write_text(README_BADGES.sub(lambda _: line, text), "utf-8", newline="\n")


if __name__ == "__main__":
    stamp_readme()
