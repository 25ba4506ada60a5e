"""The exercises in a chapter's source, and how each version of the notebook shows them.

In the source, an exercise consists of four cells:

- a markdown cell whose heading is ``## Exercise: ...``;
- a code cell tagged ``exercise``, with the solution between nbgrader's two markers. The
  last function or value that the cell defines is the answer, NAME;
- a code cell ``check.NAME(NAME)``. It follows directly, or, for a prediction, after the
  cell that shows the result;
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
    """The name of the answer, which is also the name of its check."""
    cell: int
    check: int
    hints: int
    prediction: bool
    """Whether the learner writes a value (True) or a function (False)."""


def exercises(notebook: NotebookNode) -> list[ExerciseCells]:
    """The exercises of a notebook that contains the solutions, in reading order.

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
        found.append(ExerciseCells(name, place, check, check + 1, not function))
    return found


def fold_solutions(notebook: NotebookNode) -> NotebookNode:
    """Append each solution, folded, to the hints of its exercise."""
    for exercise in exercises(notebook):
        code = REGION.sub(r"\2", notebook.cells[exercise.cell].source)
        notebook.cells[exercise.hints].source += FOLDED.format(code=code)
    return notebook


def clear_solutions(notebook: NotebookNode) -> NotebookNode:
    """Replace each solution by a stub, so that Run All still reaches the end."""
    for exercise in exercises(notebook):
        value = f"{exercise.name} = ..."
        stub = value if exercise.prediction else r"\1raise NotImplementedError"
        cell = notebook.cells[exercise.cell]
        cell.source = REGION.sub(stub, cell.source)
    return notebook


def keep_solutions(notebook: NotebookNode) -> NotebookNode:
    """Keep each solution, but remove the markers around it."""
    for exercise in exercises(notebook):
        cell = notebook.cells[exercise.cell]
        cell.source = REGION.sub(r"\2", cell.source)
    return notebook
