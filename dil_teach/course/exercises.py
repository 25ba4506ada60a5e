"""The exercises in a chapter's source, and how each version of the notebook shows them.

In the source an exercise is

- a markdown cell whose heading is ``## Exercise: ...``;
- a code cell tagged ``exercise``, the solution between nbgrader's two markers. The last
  function or value that it defines is the answer, NAME;
- a code cell ``check.NAME(NAME)``. It is the next cell, or, for a prediction, a later
  one where the result has been shown;
- a markdown cell tagged ``hints`` with three folded hints.
"""

import re
from dataclasses import dataclass

from nbformat import NotebookNode

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
REGION = re.compile(rf"^( *){BEGIN}\n(.*?)\n *{END}$", re.DOTALL | re.MULTILINE)
ANSWER = re.compile(r"^(def )?(\w+)(?:\(| = )", re.MULTILINE)
FOLDED = """\


<details><summary>Solution</summary>

```python
{code}
```

</details>"""


@dataclass(frozen=True)
class ExerciseCells:
    """The indices of the cells of one exercise in the notebook."""

    name: str
    """The name of the answer and of its check."""
    statement: int
    cell: int
    check: int
    hints: int
    prediction: bool
    """Whether the learner writes a value rather than a function."""


def exercises(notebook: NotebookNode) -> list[ExerciseCells]:
    """The exercises of a source with its solutions, in reading order.

    An AssertionError says which part of an exercise is missing or in the wrong place.
    """
    texts = [cell.source for cell in notebook.cells]
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    found = []
    for place, text in enumerate(texts):
        if "exercise" not in tags[place]:
            assert BEGIN not in text, f"tag this cell 'exercise':\n{text}"
            continue
        assert REGION.search(text), f"expected '{BEGIN}' and '{END}' in\n{text}"
        function, name = ANSWER.findall(text)[-1]
        call = f"check.{name}({name}"
        places = range(place + 1, len(texts))
        check = next((later for later in places if call in texts[later]), 0)
        assert check and (check == place + 1 or not function), f"move or add {call})"
        assert "hints" in tags[check + 1], f"tag the cell after {call}) 'hints'"
        found.append(
            ExerciseCells(name, place - 1, place, check, check + 1, not function)
        )
    return found


def fold_solutions(notebook: NotebookNode) -> NotebookNode:
    """Append each solution, folded, to its hints."""
    for exercise in exercises(notebook):
        code = REGION.sub(r"\2", notebook.cells[exercise.cell].source)
        notebook.cells[exercise.hints].source += FOLDED.format(code=code)
    return notebook


def clear_solutions(notebook: NotebookNode) -> NotebookNode:
    """Replace each solution by a stub, with which Run All reaches the end."""
    for exercise in exercises(notebook):
        value = f"{exercise.name} = ..."
        stub = value if exercise.prediction else r"\1raise NotImplementedError"
        cell = notebook.cells[exercise.cell]
        cell.source = REGION.sub(stub, cell.source)
    return notebook


def keep_solutions(notebook: NotebookNode) -> NotebookNode:
    """Keep each solution, without the markers."""
    for exercise in exercises(notebook):
        cell = notebook.cells[exercise.cell]
        cell.source = REGION.sub(r"\2", cell.source)
    return notebook
