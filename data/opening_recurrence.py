"""The opening of chapter 01, for data/draw_openings.py: patches, matches and parents.

The first figure shows the idea of Glasner, Bagon and Irani, ICCV 2009: a patch of the
photograph, its match in the photograph at half the size, and the parent of the match,
which is a part of the photograph itself. The other pictures are the result.
"""

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Rectangle
from opening_files import (
    MEASURE,
    SIDE,
    Seconds,
    animate,
    luma_decibels,
    picture_of,
    rounded,
    write,
)

from dil_teach import photo
from dil_teach.classical.back_projection import back_project
from dil_teach.classical.super_resolution.by_hand import (
    find_sons,
    most_contrast,
    paste_parents,
)
from dil_teach.image.convention import Image
from dil_teach.image.photos import photos
from dil_teach.image.resize import resize
from dil_teach.patches.recurrence import contrast
from dil_teach.patches.search import Neighbours

CREDIT = photos()["coffee"]
PATCH = 5
PLACES = {"A": (28, 43), "B": (73, 50), "C": (103, 142)}
"""Row and column of three patches with good matches, chosen by hand."""
COLOURS = {"A": "#F0E442", "B": "#56B4E9", "C": "#FFFFFF"}
CORNER, DETAIL, ENLARGED = (56, 240), 144, 3
"""Upper left corner and side of the part that is shown; its enlargement."""
ANIMATED = (40, 100)
"""Upper left corner of the animation."""
FRAMES = 14
"""Number of frames of the animation."""
DPI, INCH = 150, 100
"""Pixels, and CSS pixels, of an inch of the figure."""


class Box(NamedTuple):
    """A square part of a picture, by its upper left pixel."""

    image: Image
    row: int
    column: int
    side: int

    def corner(self) -> tuple[float, float]:
        return self.column - 0.5, self.row - 0.5

    def centre(self) -> tuple[float, float]:
        return self.column + self.side / 2 - 0.5, self.row + self.side / 2 - 0.5

    def pixels(self) -> Image:
        rows = slice(self.row, self.row + self.side)
        return self.image[:, rows, self.column : self.column + self.side]


def frame(axes: Axes, box: Box, colour: str, line: float) -> None:
    """Draw the frame of a part, with a dark outline."""
    for edge, width in (("black", line + 1.6), (colour, line)):
        square = Rectangle(box.corner(), box.side, box.side, fill=False)
        square.set(edgecolor=edge, linewidth=width)
        axes.add_patch(square)


def name(axes: Axes, box: Box, text: str, colour: str) -> None:
    """Write a name at the right of a part."""
    style = {"facecolor": "black", "pad": 1.2, "linewidth": 0}
    x, y = box.corner()
    place = (x + box.side + 1.5, y + (box.side if box.side > PATCH else 0))
    axes.text(*place, text, color=colour, fontsize=10, weight="bold", bbox=style)


def arrow(figure: Figure, start: tuple[Axes, Box], end: tuple[Axes, Box], colour: str):
    """Draw an arrow from one part to another, in one picture or in two."""
    (a, first), (b, second) = start, end
    places = {"xyA": first.centre(), "xyB": second.centre()}
    for edge, width in (("black", 2.6), (colour, 1.2)):
        style = {"color": edge, "linewidth": width, "arrowstyle": "-|>"}
        style |= {"shrinkA": 6, "shrinkB": 6, "mutation_scale": 14}
        line = ConnectionPatch(
            **places, coordsA="data", coordsB="data", axesA=a, axesB=b, **style
        )
        figure.add_artist(line)


def the_idea(given: Image, sons: Neighbours) -> Figure:
    """The photograph and its half, with three patches, their matches and parents."""
    half = resize(given, 0.5).clamp(0, 1)
    figure = Figure(figsize=(9, 6.2), dpi=DPI)
    places = {"large": (0, 0, 600 / 900, 600 / 620)}
    places["small"] = (605 / 900, 300 / 620, 300 / 900, 300 / 620)
    large, small = (figure.add_axes(place) for place in places.values())
    for axes, image in ((large, given), (small, half)):
        axes.imshow(image.permute(1, 2, 0), interpolation="nearest")
    large.set_title("the photograph, 200 x 200 pixels", fontsize=10, pad=3)
    small.set_title("the photograph at half its size", fontsize=10, pad=3)
    above = []  # frames and names are drawn above the arrows
    for axes, place in zip((large, small), places.values(), strict=True):
        above.append(figure.add_axes(place, zorder=10, facecolor="none"))
        above[-1].set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    for axes in (large, small, *above):
        axes.set_axis_off()
    for line, (letter, place) in enumerate(PLACES.items()):
        row, column = (int(x[(*place, 0)]) for x in (sons.row, sons.column))
        colour, size = COLOURS[letter], 2 * PATCH
        patch = Box(given, *place, PATCH)
        match = Box(half, row, column, PATCH)
        parent = Box(given, 2 * row, 2 * column, size)
        arrow(figure, (large, patch), (small, match), colour)
        arrow(figure, (small, match), (large, parent), colour)
        frame(above[0], patch, colour, 2)
        frame(above[0], parent, colour, 2)
        frame(above[1], match, colour, 2)
        name(above[0], patch, letter, colour)
        name(above[0], parent, f"parent of {letter}", colour)
        tiles(figure, line, letter, (patch, match, parent))
    return figure


def tiles(figure: Figure, line: int, letter: str, boxes: tuple[Box, ...]) -> None:
    """A patch, its match and its parent, enlarged with sharp pixels, in one row."""
    heads, side = ("patch", "match", "parent"), 78
    for number, (head, box) in enumerate(zip(heads, boxes, strict=True)):
        left, bottom = 625 + 92 * number, 182 - 88 * line
        axes = figure.add_axes((left / 900, bottom / 620, side / 900, side / 620))
        axes.imshow(box.pixels().permute(1, 2, 0), interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        if line == 0:
            axes.set_title(head, fontsize=10, pad=4)
        if number == 0:
            axes.set_ylabel(letter, fontsize=11, weight="bold", rotation=0, labelpad=9)


def detail(image: Image) -> Image:
    """The part that is shown, enlarged with sharp pixels."""
    top, left = CORNER
    part = image[:, top : top + DETAIL, left : left + DETAIL]
    return part.repeat_interleave(ENLARGED, 1).repeat_interleave(ENLARGED, 2)


def recurrence() -> None:
    """Chapter 01: the cup, enlarged from 200 pixels by the parents of its patches."""
    truth = photo("coffee", size=400)
    given, (top, left) = rounded(resize(truth, 0.5)), ANIMATED
    smooth = resize(given, 2).clamp(0, 1)

    def projected(image: Image) -> Image:
        return back_project(image, given, "bicubic", 2).clamp(0, 1)

    seconds = Seconds()
    sons = seconds.of("matches of all patches", lambda: find_sons(given))
    places, contrasts = (sons.row[..., 0], sons.column[..., 0]), contrast(given)

    def pasted(share: float) -> Image:
        chosen = most_contrast(contrasts, share)
        return paste_parents(given, smooth, *places, chosen).clamp(0, 1)

    everywhere = seconds.of("parents pasted", lambda: pasted(1.0))
    pictures = {
        "bicubic interpolation": smooth,
        "bicubic, back-projected": projected(resize(given, 2)),
        "parents pasted": everywhere,
        "parents pasted, back-projected": projected(everywhere),
    }
    corner = slice(top, top + SIDE), slice(left, left + SIDE)
    shares = [k / (FRAMES - 1) for k in range(FRAMES)]
    shown = {title: detail(x) for title, x in pictures.items()}
    write(
        "recurrence",
        {"patches, matches and parents": picture_of(the_idea(given, sons))}
        | shown
        | {"ground truth": detail(truth)},
        luma_decibels(pictures, truth),
        None,
        form="webp",
        measure=MEASURE,
        settings="patches of 5 x 5 pixels, one match for each patch",
        size=list(truth.shape[1:]),
        scale=INCH / DPI,
        seconds=seconds,
        animation=animate(
            "recurrence",
            [pasted(share)[:, *corner] for share in shares],
            "The cup, blurred at first; parents are pasted, beginning at the "
            "strongest edges, and the rim and the outlines become sharp",
        ),
        licence=CREDIT.licence,
        attribution=CREDIT.attribution,
    )
