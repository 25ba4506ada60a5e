"""The live panel: progress, losses and a preview while a method trains."""

from collections.abc import Sequence

from IPython.core.getipython import get_ipython
from IPython.display import DisplayHandle, display

from dil_teach.image.convention import Image
from dil_teach.notebook.figures import curves, figure_html, side_by_side, strip
from dil_teach.notebook.widgets import Explorer, Slider, explore
from dil_teach.training.loop import Progress

History = list[tuple[int, Image]]

PREVIEW_WIDTH = 300  # CSS pixels: it fits beside the losses


class LivePanel:
    """What a training loop shows below its cell; it never trains anything itself.

    ``for progress in train(zssr): panel.update(progress, zssr.super_resolve())``

    Make it beside the method, not in the cell that trains: a cell that is stopped and
    run again then carries on with the panel too.

    Parameters
    ----------
    alt : str
        What the preview shows, in at least 20 characters; the step is added.

    Attributes
    ----------
    history : list of (int, Image)
        The step and the preview of each update, for `scrub`.
    """

    def __init__(self, alt: str) -> None:
        self.alt = alt
        self.history: History = []
        self._losses: dict[str, dict[int, float]] = {}
        self._cell: int | None = None
        self._handle: DisplayHandle | None = None

    def update(self, progress: Progress, preview: Image) -> None:
        """Show where training is.

        Parameters
        ----------
        progress : Progress
            As `train` yields it.
        preview : Image
            The method's present answer.
        """
        kept = [(step, image) for step, image in self.history if step < progress.step]
        self.history = [*kept, (progress.step, preview.detach().cpu())]
        for name, value in progress.losses.items():
            self._losses.setdefault(name, {})[progress.step] = value
        shell = get_ipython()
        if shell is None:
            return  # a script has no cell to draw below
        html = panel_html(progress, self._losses, preview, self.alt)
        bundle = {
            "text/html": html,
            "text/plain": f"Step {progress.step} of {progress.total_steps}",
        }
        if self._handle is None or self._cell != shell.execution_count:
            self._cell = shell.execution_count
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def panel_html(
    progress: Progress,
    losses: dict[str, dict[int, float]],
    preview: Image,
    alt: str,
) -> str:
    """The panel as HTML: a progress bar with its figures in words, losses, preview."""
    state = "done" if progress.done else f"of {progress.total_steps}"
    words = f"Step {progress.step} {state}"
    for name, values in losses.items():
        words += f", {name} {values[max(values)]:.4g}"
    steps = sorted({step for values in losses.values() for step in values})
    loss_alt = f"Loss against training step, from step {steps[0]} to step {steps[-1]}"
    loss_alt += "".join(
        f"; {name} went from {values[min(values)]:.4g} to {values[max(values)]:.4g}"
        for name, values in losses.items()
    )
    lines = {
        name: (sorted(values), [values[step] for step in sorted(values)])
        for name, values in losses.items()
    }
    zoom = max(PREVIEW_WIDTH // preview.shape[2], 1)
    pictures = (
        figure_html(curves(lines, "training step", "loss"), loss_alt),
        figure_html(strip(preview, zoom=zoom), f"{alt}, at step {progress.step}"),
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
        As in ``panel.history``.
    alt : str
        What the pictures show; ``{step}`` in it becomes the step.

    Returns
    -------
    Explorer
        Whose ``render(step)`` gives the last preview not later than that step.

    Raises
    ------
    ValueError
        If nothing has been trained yet.
    """
    if not history:
        raise ValueError(
            "history must hold at least one (step, image), got none: train first"
        )
    steps = [step for step, _ in history]

    def render(step: int) -> Image:
        return [image for at, image in history if at <= step][-1]

    stride = max(steps[1] - steps[0], 1) if len(steps) > 1 else 1
    shown = sorted({steps[0], steps[len(steps) // 2], steps[-1]})
    return explore(
        render,
        {"step": Slider("Training step", steps[0], steps[-1], steps[-1], stride)},
        alt,
        examples=[{"step": step} for step in shown],
        live=True,
    )
