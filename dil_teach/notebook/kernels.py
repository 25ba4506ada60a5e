"""Figures of blur kernels: each with its covariance, all at one scale."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from dil_teach.image.kernel_estimate import moments

REACH = 7.5  # pixels from the centre of mass to the edge of a panel
PANEL, GAP = 2.56, 0.12  # inches: side of a panel, and the space between two panels
LEFT, RIGHT, TOP, BOTTOM = 0.5, 0.85, 0.3, 0.45  # inches: margins; RIGHT has the bar
TICKS = (-6, -3, 0, 3, 6)
COLOURS = "PuOr_r"  # colour-safe: orange for positive weights, purple for negative


def kernels(
    shown: Mapping[str, Float[Tensor, "_kh _kw"]],
    truth: Float[Tensor, "_th _tw"] | None = None,
) -> Figure:
    """Blur kernels side by side, with a colour bar.

    A line shows the ellipse of one standard deviation of each kernel's covariance, and
    a dashed line that of the true kernel. A kernel whose weights cancel, because their
    sum is under a tenth of the sum of their absolute values, has no ellipse.

    Parameters
    ----------
    shown : dict of title to Float[Tensor, "kh kw"]
        At least one kernel; weights may be negative. Each kernel is drawn around its
        centre of mass, and divided by its largest absolute weight.
    truth : Float[Tensor, "kh kw"], optional
        The true kernel; it is drawn last.
    """
    if not shown:
        raise ValueError("shown: expected at least one kernel, got none")
    panels = dict(shown) if truth is None else {**shown, "truth": truth}
    end = LEFT + len(panels) * (PANEL + GAP)
    width, height = end + RIGHT - GAP, BOTTOM + PANEL + TOP
    figure = Figure(figsize=(width, height), dpi=100)
    bottom, tall = BOTTOM / height, PANEL / height
    for place, (title, kernel) in enumerate(panels.items()):
        start = (LEFT + place * (PANEL + GAP)) / width
        axes = figure.add_axes((start, bottom, PANEL / width, tall))
        weights = np.asarray(kernel.detach().cpu(), dtype=float)
        rows, columns = weights.shape
        (x, y), covariance = ((columns - 1) / 2, (rows - 1) / 2), np.zeros((2, 2))
        if weights.sum() > 0.1 * abs(weights).sum():
            (x, y), covariance = moments(weights)
        left, top = -0.5 - x, -0.5 - y
        axes.imshow(
            weights / abs(weights).max(),
            cmap=COLOURS,
            vmin=-1,
            vmax=1,
            extent=(left, left + columns, top + rows, top),
        )
        axes.plot(*_ellipse(covariance), color="black", linewidth=1.2)
        if truth is not None and kernel is not truth:
            wanted = moments(np.asarray(truth.detach().cpu(), dtype=float))[1]
            axes.plot(*_ellipse(wanted), color="#009E73", linestyle="--", linewidth=1.6)
        axes.set(xlim=(-REACH, REACH), ylim=(REACH, -REACH))
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_xlabel("pixels", fontsize=9)
        axes.tick_params(labelsize=9, labelleft=place == 0)
        axes.set_xticks(TICKS)
        axes.set_yticks(TICKS)
    figure.axes[0].set_ylabel("pixels", fontsize=9, labelpad=1)
    colours = ScalarMappable(Normalize(-1, 1), COLOURS)
    bar = figure.colorbar(colours, figure.add_axes((end / width, bottom, 0.015, tall)))
    bar.ax.tick_params(labelsize=9)
    bar.set_label("weight / largest weight", fontsize=9)
    return figure


def _ellipse(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (x, y) at one standard deviation; nothing if a variance is negative."""
    variances, axes = np.linalg.eigh(covariance)
    turn = np.linspace(0, 2 * np.pi, 100)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    x, y = axes @ (np.sqrt(variances.clip(0))[:, None] * circle)
    return x, y
