"""Diagrams of networks: labelled boxes, connected by arrows."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from matplotlib.figure import Figure

Box = tuple[float, float, str]
"""Column, row and text; lines of the text are separated by ``\\n``."""

FONT = 9.5  # points; above 12 CSS pixels
WIDTH, HEIGHT = 1.65, 0.92  # inches of a cell of the grid


def diagram(boxes: Mapping[str, Box], arrows: Sequence[tuple[str, str, str]]) -> Figure:
    """Draw boxes on a grid, and arrows between them.

    Parameters
    ----------
    boxes : dict of name to (column, row, text)
        Column 0 is on the left, row 0 at the top. A name that starts with ``*`` is
        drawn with a coloured border: a network that is trained.
    arrows : list of (name, name, text)
        An arrow leads from the first box to the second, with this text beside it.

    Returns
    -------
    Figure
    """
    columns = 1 + max(column for column, _, _ in boxes.values())
    rows = 1 + max(row for _, row, _ in boxes.values())
    figure = Figure(figsize=(WIDTH * columns, HEIGHT * rows), dpi=120)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    axes.set_axis_off()
    drawn = {}
    for name, (column, row, text) in boxes.items():
        trained = name.startswith("*")
        border = {
            "boxstyle": "round,pad=0.45",
            "facecolor": "white",
            "edgecolor": "#0072B2" if trained else "black",
            "linewidth": 2.5 if trained else 1.0,
        }
        drawn[name] = axes.text(
            column, row, text, ha="center", va="center", fontsize=FONT, bbox=border
        )
    for start, end, text in arrows:
        (x0, y0, _), (x1, y1, _) = boxes[start], boxes[end]
        axes.annotate(
            "",
            (x1, y1),
            (x0, y0),
            arrowprops={
                "arrowstyle": "-|>",
                "color": "black",
                "patchA": drawn[start].get_bbox_patch(),
                "patchB": drawn[end].get_bbox_patch(),
                "shrinkA": 1,
                "shrinkB": 1,
            },
        )
        middle = ((x0 + x1) / 2, (y0 + y1) / 2)
        axes.annotate(
            text,
            middle,
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=FONT,
        )
    return figure


def ingan_diagram() -> Figure:
    """The networks of InGAN and the cycle of the reconstruction, for chapter 12."""
    boxes: dict[str, Box] = {
        "x": (0, 0, "photograph x"),
        "T": (1, 0, "transformation T,\nplace of each\npixel"),
        "*G": (2.1, 0, "generator G:\na pyramid of\nnetworks"),
        "y": (3.1, 0, "picture\ny = G(x; T)"),
        "*D": (4.2, 0, "discriminator D:\npatches of y and x,\nat several scales"),
        "inverse": (3.1, 1.15, "inverse of T"),
        "*G again": (2.1, 1.15, "the same G"),
        "back": (1, 1.15, "reconstruction,\ncompared with x"),
    }
    path = ("x", "T", "*G", "y", "inverse", "*G again", "back", "x")
    arrows = [(a, b, "") for a, b in pairwise(path)]
    return diagram(boxes, [*arrows, ("y", "*D", "")])
