"""The exercises in a chapter's source, and how each version of the notebook shows them.

In the source an exercise is

- a markdown cell whose heading is ``## Exercise: ...``;
- a code cell tagged ``exercise``, the solution between nbgrader's two markers;
- a code cell ``check.NAME(NAME)``, where the exercise cell defines NAME. It is the next
  cell, or, for a prediction, a later one where the result has been shown;
- a markdown cell tagged ``hints`` with three folded hints.
"""

import ast
import re
import textwrap
from dataclasses import dataclass

from nbformat import NotebookNode

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
REGION = re.compile(
    rf"^([ \t]*){BEGIN}[ \t]*\n(.*?)^[ \t]*{END}[ \t]*$", re.DOTALL | re.MULTILINE
)
FOLDED = """\


<details><summary>Solution</summary>

```python
{code}
```

</details>"""


@dataclass(frozen=True)
class ExerciseCells:
    """The cells of one exercise, by their places in the notebook."""

    name: str
    """What the exercise cell defines. The check has the same name."""
    statement: int
    cell: int
    check: int
    hints: int
    prediction: bool
    """Whether the learner writes a value rather than a function."""


def exercises(notebook: NotebookNode) -> list[ExerciseCells]:
    """The exercises of a source with its solutions, in reading order.

    Raises
    ------
    ValueError
        If a part of an exercise is missing or is in the wrong place.
    """
    found = []
    for place, cell in enumerate(notebook.cells):
        if not _tagged(cell, "exercise"):
            if BEGIN in cell.source or END in cell.source:
                raise ValueError(
                    "a solution must be in a cell tagged 'exercise', got\n"
                    f"{cell.source}"
                )
            continue
        name, prediction = _defined(cell)
        called = re.compile(rf"^check\.{name}\({name}\b", re.MULTILINE)
        checks = [
            later
            for later, other in enumerate(notebook.cells)
            if later > place and called.search(other.source)
        ]
        if not checks or not (prediction or checks[0] == place + 1):
            raise ValueError(
                f"exercise {name} must be followed by a cell check.{name}({name})"
            )
        hints = checks[0] + 1
        if not any(_tagged(c, "hints") for c in notebook.cells[hints : hints + 1]):
            raise ValueError(
                f"the check of {name} must be followed by a markdown cell tagged "
                "'hints'"
            )
        cells = (place - 1, place, checks[0], hints)
        found.append(ExerciseCells(name, *cells, prediction))
    return found


def fold_solutions(notebook: NotebookNode) -> NotebookNode:
    """Append each solution, folded, to its hints."""
    for exercise in exercises(notebook):
        code = _without_markers(notebook.cells[exercise.cell].source)
        notebook.cells[exercise.hints].source += FOLDED.format(code=code)
    return notebook


def clear_solutions(notebook: NotebookNode) -> NotebookNode:
    """Replace each solution by a stub, with which Run All reaches the end."""
    for exercise in exercises(notebook):
        cell = notebook.cells[exercise.cell]
        stub = _ellipsis if exercise.prediction else r"\1raise NotImplementedError"
        cell.source = REGION.sub(stub, cell.source)
    return notebook


def keep_solutions(notebook: NotebookNode) -> NotebookNode:
    """Keep each solution, without the markers."""
    for exercise in exercises(notebook):
        cell = notebook.cells[exercise.cell]
        cell.source = _without_markers(cell.source)
    return notebook


def _defined(cell: NotebookNode) -> tuple[str, bool]:
    """The name that an exercise cell defines, and whether it is a prediction."""
    regions = REGION.findall(cell.source)
    if len(regions) != 1 or cell.source.count(BEGIN) != 1:
        raise ValueError(
            f"an exercise must have one solution from '{BEGIN}' to '{END}', each on a "
            f"line of its own, got {len(regions)} in\n{cell.source}"
        )
    indent, solution = regions[0]
    if indent:
        for node in ast.parse(cell.source).body:
            code = ast.get_source_segment(cell.source, node) or ""
            if isinstance(node, ast.FunctionDef) and BEGIN in code:
                return node.name, False
    elif names := _assigned(solution):
        return names[-1], True
    raise ValueError(
        "a solution must be the body of a function, or plain assignments without "
        f"indentation, got\n{cell.source}"
    )


def _assigned(code: str) -> list[str]:
    """The names that the code assigns to; none if it does anything else."""
    statements = ast.parse(textwrap.dedent(code)).body
    names = [
        statement.targets[0].id
        for statement in statements
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
    ]
    return names if len(names) == len(statements) else []


def _ellipsis(region: re.Match[str]) -> str:
    return "\n".join(f"{name} = ..." for name in _assigned(region[2]))


def _without_markers(source: str) -> str:
    return REGION.sub(lambda region: region[2].rstrip("\n"), source)


def _tagged(cell: NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])
