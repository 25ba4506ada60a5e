"""The live panel: progress, losses and a preview while a method trains."""

from collections.abc import Sequence

from IPython.core.getipython import get_ipython
from IPython.display import DisplayHandle, display

from dil_teach.image.convention import Image
from dil_teach.notebook.figures import curves, figure_html, side_by_side, strip
from dil_teach.notebook.widgets import Explorer, Slider, explore
from dil_teach.training.loop import Progress

PREVIEW_WIDTH = 300  # CSS pixels: fits beside the plot of the losses


class LivePanel:
    """Shows the progress of training below the running cell.

    ``for progress in train(zssr): panel.update(progress, zssr.super_resolve())``

    Create the panel in the cell that creates the method, not in the training cell. Then
    the panel continues when the training cell is stopped and run again.

    Parameters
    ----------
    alt : str
        What the preview shows, in at least 20 characters. The step number is appended.

    Attributes
    ----------
    history : list of (int, Image)
        Step and preview of each update, for :func:`scrub`.
    """

    def __init__(self, alt: str) -> None:
        self.alt = alt
        self.history: list[tuple[int, Image]] = []
        self._losses: dict[str, dict[int, float]] = {}
        self._cell: int | None = None
        self._handle: DisplayHandle | None = None

    def update(self, progress: Progress, preview: Image) -> None:
        """Show the progress that `train` yielded, and the method's current result."""
        kept = [(step, image) for step, image in self.history if step < progress.step]
        self.history = [*kept, (progress.step, preview.detach().cpu())]
        for name, value in progress.losses.items():
            self._losses.setdefault(name, {})[progress.step] = value
        if (shell := get_ipython()) is None:
            return  # outside a notebook there is no cell
        bundle = {
            "text/html": self._html(progress, preview),
            "text/plain": f"Step {progress.step} of {progress.total_steps}",
        }
        if self._handle and self._cell == shell.execution_count:
            self._handle.update(bundle, raw=True)
        else:
            self._cell = shell.execution_count
            self._handle = display(bundle, raw=True, display_id=True)

    def _html(self, progress: Progress, preview: Image) -> str:
        """A progress bar with values in words, a plot of the losses and the preview."""
        lines = {
            name: (sorted(values), [values[step] for step in sorted(values)])
            for name, values in self._losses.items()
        }
        steps = [step for x, _ in lines.values() for step in x]
        words = f"Step {progress.step} "
        words += "done" if progress.done else f"of {progress.total_steps}"
        loss_alt = f"Loss against training step, from step {min(steps)} to {max(steps)}"
        for name, (_, y) in lines.items():
            words += f", {name} {y[-1]:.4g}"
            loss_alt += f"; {name} went from {y[0]:.4g} to {y[-1]:.4g}"
        shown = strip(preview, zoom=max(PREVIEW_WIDTH // preview.shape[2], 1))
        pictures = (
            figure_html(curves(lines, "training step", "loss"), loss_alt),
            figure_html(shown, f"{self.alt}, at step {progress.step}"),
        )
        return (
            f'<progress value="{progress.step}" max="{progress.total_steps}" '
            f'style="width:24em" aria-label="training progress"></progress> {words}'
            f"{side_by_side(pictures)}"
        )


def scrub(history: Sequence[tuple[int, Image]], alt: str) -> Explorer:
    """A slider through the previews that a `LivePanel` kept.

    Parameters
    ----------
    history : list of (int, Image)
        The panel's `history`.
    alt : str
        What the pictures show. ``{step}`` is replaced by the step.

    Returns
    -------
    Explorer
        Its function ``render(step)`` returns the last preview at or before that step.
    """
    if not history:
        raise ValueError("history: expected pairs (step, image), got none; train first")
    steps = [step for step, _ in history]

    def render(step: int) -> Image:
        return [image for at, image in history if at <= step][-1]

    stride = max(steps[1] - steps[0], 1) if len(steps) > 1 else 1
    slider = Slider("Training step", steps[0], steps[-1], steps[-1], stride)
    shown = {steps[0], steps[len(steps) // 2], steps[-1]}
    examples = [{"step": step} for step in sorted(shown)]
    return explore(render, {"step": slider}, alt, examples, live=True)
