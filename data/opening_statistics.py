"""The opening of chapter 02, for data/draw_openings.py: patches inside and outside.

Three figures, like those of Zontak and Irani, CVPR 2011: patches of a photograph with
their best representatives inside; the best representatives inside and outside,
enlarged; and the record of the benchmark with up to 290 external pictures.

The record of the opening also has the PSNR of a photograph of which each patch of a
grid is replaced by its best representative. The mean of the patch is kept. No patch
that shows a pixel of the replaced patch is used.
"""

from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from opening_files import MEASURE, Seconds, luma_decibels, picture_of, write
from torch import Tensor

from dil_teach import photo, photos
from dil_teach.course.records import record
from dil_teach.image.convention import Image
from dil_teach.image.metrics import luma
from dil_teach.image.resize import pyramid
from dil_teach.patches.extract import average_patches, extract_patches
from dil_teach.patches.statistics import (
    SCALES,
    external_matches,
    internal_matches,
    patch_bag,
    patches_at,
)

SIZE, PATCH = 384, 5
"""Side of the photograph, as in the benchmark, and of a patch."""
SUBJECT = "coffee"
OTHERS = (
    *("astronaut", "chelsea", "china", "flower", "hubble", "retina", "camera"),
    *("coins", "brick", "grass", "gravel", "clock"),
)
"""The external pictures, in the order of chapter 02."""
COUNTS = (1, 5, 12)
"""Numbers of external pictures in the second figure."""
PLACES = {"A": (319, 43), "B": (265, 222), "C": (60, 130)}
"""Row and column of three patches, chosen by hand: two with strong gradients, and a
smooth one."""
COLOURS = {"A": "#E69F00", "B": "#56B4E9", "C": "#FFFFFF"}
"""Colours of the three patches that remain distinct for colour-blind readers."""
SHOWN = 4
"""Number of matches inside that are drawn."""
DETAIL = 70
"""Side of the enlarged parts of the photograph, in its pixels."""
CONTEXT = 5
"""Pixels around a patch that are drawn with it."""
DPI, INCH = 200, 100
"""Pixels, and CSS pixels, of an inch of the figures."""


class Found(NamedTuple):
    """A representative, and what it looks like."""

    error: float
    """Root mean squared difference in grey levels."""
    source: Image
    """The picture that contains it, at its scale."""
    row: int
    column: int
    scale: float


def clear(image: Image) -> list[Image]:
    """The picture at all scales, in [0, 1]."""
    return [level.clamp(0, 1) for level in pyramid(image, SCALES, PATCH)]


def found_in(distance: Tensor, place: Tensor, levels: list[Image]) -> Found:
    """The representative at (level, row, column)."""
    level, row, column = place.tolist()
    error = 255 * float(distance) ** 0.5
    return Found(error, levels[level], row, column, SCALES[level])


def inside(image: Image, place: tuple[int, int]) -> list[Found]:
    """The best representatives of a patch inside, none of which overlap."""
    matches = internal_matches(image, torch.tensor([place]), 200)
    bag, levels, kept = patch_bag(image), clear(image), []
    for distance, row in zip(matches.distance[0], matches.row[0], strict=True):
        new = found_in(distance, bag.place[row], levels)
        if not any(near(new, old) for old in kept):
            kept.append(new)
    return kept[:SHOWN]


def near(a: Found, b: Found) -> bool:
    """Whether two patches of one picture overlap."""
    reach = PATCH / 2 * (1 / a.scale + 1 / b.scale)
    down = abs((a.row + 2.5) / a.scale - (b.row + 2.5) / b.scale)
    right = abs((a.column + 2.5) / a.scale - (b.column + 2.5) / b.scale)
    return max(down, right) < reach


def outside(image: Image, place: tuple[int, int]) -> list[Found]:
    """The best representative of a patch in each external picture."""
    patch = patches_at(image, torch.tensor([place]))
    best = []
    for name in OTHERS:
        other = photo(name, size=min(SIZE, *photos()[name].size))
        bag = patch_bag(other)
        match = external_matches(patch, bag)
        place_there = bag.place[match.row[0, 0]]
        best.append(found_in(match.distance[0, 0], place_there, clear(other)))
    return best


# ---- the figures


def sheet(width: int, height: int) -> Figure:
    """An empty figure with this size in CSS pixels."""
    return Figure(figsize=(width / INCH, height / INCH), dpi=DPI)


def box(axes: Axes, found: Found, colour: str, width: float) -> None:
    """Draw the frame of a patch into the whole picture, with a dark outline."""
    side = PATCH / found.scale
    corner = (found.column / found.scale - 0.5, found.row / found.scale - 0.5)
    for edge, line in (("black", width + 1.5), (colour, width)):
        axes.add_patch(
            Rectangle(corner, side, side, fill=False, edgecolor=edge, linewidth=line)
        )


def label(axes: Axes, found: Found, text: str, colour: str, size: int = 9) -> None:
    """Write a name beside the frame of a patch."""
    x = (found.column + PATCH) / found.scale + 2
    y = found.row / found.scale
    style = {"facecolor": "black", "pad": 1.2, "linewidth": 0}
    axes.text(x, y, text, color=colour, fontsize=size, weight="bold", bbox=style)


def the_photograph(image: Image, matches: dict[str, list[Found]]) -> Figure:
    """The photograph with the patches and their representatives inside; two details."""
    figure, pixels = sheet(900, 600), image.permute(1, 2, 0)
    whole = figure.add_axes((0, 0, 600 / 900, 1))
    whole.imshow(pixels, interpolation="lanczos")
    draw_matches(whole, matches, image, 1)
    for name, bottom in (("A", 0.505), ("B", 0)):
        detail = figure.add_axes((605 / 900, bottom, 295 / 900, 0.495))
        detail.imshow(pixels, interpolation="nearest")
        draw_matches(detail, {name: matches[name]}, image, 2)
        row, column = (n + PATCH / 2 for n in PLACES[name])
        left = min(max(column - DETAIL / 2, 0), SIZE - DETAIL)
        top = min(max(row - DETAIL / 2, 0), SIZE - DETAIL)
        detail.set(xlim=(left, left + DETAIL), ylim=(top + DETAIL, top))
        frame = Rectangle((left, top), DETAIL, DETAIL, fill=False, linestyle=":")
        frame.set(edgecolor="white", linewidth=1)
        whole.add_patch(frame)
    for axes in figure.axes:
        axes.set_axis_off()
    return figure


def draw_matches(
    axes: Axes, matches: dict[str, list[Found]], image: Image, line: float
) -> None:
    """Draw the frames of patches and of their representatives, with names."""
    for name, found in matches.items():
        place = Found(0, image, *PLACES[name], 1.0)
        for number, match in enumerate(found, 1):
            box(axes, match, COLOURS[name], line)
            if line > 1:
                label(axes, match, str(number), COLOURS[name])
        box(axes, place, COLOURS[name], 2 * line)
        label(axes, place, name, COLOURS[name], 13)


def tile(axes: Axes, found: Found, colour: str) -> None:
    """A patch with its surroundings, enlarged with sharp pixels."""
    pixels = found.source.permute(1, 2, 0)
    pixels = pixels.expand(-1, -1, 3)
    axes.imshow(pixels, interpolation="nearest")
    axes.set_xlim(found.column - CONTEXT - 0.5, found.column + PATCH + CONTEXT - 0.5)
    axes.set_ylim(found.row + PATCH + CONTEXT - 0.5, found.row - CONTEXT - 0.5)
    corner, side = (found.column - 0.65, found.row - 0.65), PATCH + 0.3
    for edge, line in (("black", 4), (colour, 2)):
        axes.add_patch(
            Rectangle(corner, side, side, fill=False, edgecolor=edge, linewidth=line)
        )
    axes.set(xticks=[], yticks=[], facecolor="white")


def the_patches(
    image: Image, matches: dict[str, list[Found]], others: dict[str, list[Found]]
) -> Figure:
    """Each patch beside its best representatives inside and outside."""
    figure = sheet(900, 640)
    rows = figure.subplots(3, 2 + len(COUNTS))
    figure.subplots_adjust(0.005, 0.01, 0.995, 0.93, 0.05, 0.2)
    heads = ["the patch", "best inside", *(f"best of {n} outside" for n in COUNTS)]
    heads[2] = "outside, 1 picture"
    for row, name in zip(rows, PLACES, strict=True):
        shown = [Found(0, image, *PLACES[name], 1.0), matches[name][0]]
        shown += [min(others[name][:n], key=lambda f: f.error) for n in COUNTS]
        for axes, found, head in zip(row, shown, heads, strict=True):
            tile(axes, found, COLOURS[name])
            text = f"error {found.error:.1f}" if found.error else name
            text = f"{head}\n{text}" if name == "A" else text
            axes.set_title(text, fontsize=11)
    return figure


def the_curves() -> Figure:
    """The benchmark's record of strong edges: error and share against pictures."""
    rows = record("internal_statistics_expressiveness")
    rows = {r["image"]: r for r in rows if r["gradient"] == "over 30"}
    figure = sheet(900, 400)
    left, right = figure.subplots(1, 2)
    one = rows[SUBJECT]
    x, mean = one["pictures"], one["external, mean"]
    band = (one["external, least"], one["external, most"])
    left.fill_between(x, *band, color="#0072B2", alpha=0.2)
    left.plot(x, mean, "o-", color="#0072B2", label="outside: mean of 20 orders")
    line = one["internal, apart"]
    left.axhline(line, color="#D55E00", linestyle="--", label="inside")
    left.set(ylim=(0, None), ylabel="error of the best match [grey levels]")
    left.set_title(f"{SUBJECT}: mean error", fontsize=10)
    styles = {"astronaut": ("#009E73", "s-"), "coffee": ("#0072B2", "o-")}
    styles["camera"] = ("#CC79A7", "^-")
    names = iter(("three Berkeley photographs", None, None))
    for name, r in rows.items():
        colour, style = styles.get(name, ("#777777", ":"))
        y = r["apart: matched outside, %"]
        shown = name if name in styles else next(names)
        right.plot(r["pictures"], y, style, color=colour, label=shown)
    right.axhline(90, color="black", linewidth=0.8, linestyle="--")
    right.set(ylim=(0, 104), ylabel="patches matched outside [%]")
    right.set_title("six images: patches with an equal match outside", fontsize=10)
    for axes in (left, right):
        axes.set(xscale="log", xlabel="number of external pictures")
        axes.set_xticks(
            [1, 2, 5, 10, 20, 50, 100, 290], [1, 2, 5, 10, 20, 50, 100, 290]
        )
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=9)
    figure.set_layout_engine("constrained")
    return figure


# ---- a photograph made of other patches


def assembled_decibels(seconds: Seconds) -> dict[str, float]:
    """PSNR of a photograph whose patches are replaced by representatives."""
    side = SIZE // PATCH * PATCH
    truth = luma(photo(SUBJECT, size=side)).float()
    start = torch.arange(0, side, PATCH)
    places = torch.cartesian_prod(start, start)
    means = extract_patches(truth, PATCH, PATCH).mean(1, keepdim=True)
    patches = patches_at(truth, places)

    def assembled(values: Tensor) -> Image:
        return average_patches(values + means, (side, side), PATCH, PATCH).clamp(0, 1)

    def from_inside() -> Image:
        found = internal_matches(truth, places)
        return assembled(patch_bag(truth)[found.row[:, 0]])

    def from_outside() -> dict[str, Image]:
        best, values, pictures = torch.full((len(places),), torch.inf), patches * 0, {}
        for number, name in enumerate(OTHERS, 1):
            bag = patch_bag(photo(name, size=min(side, *photos()[name].size)))
            found = external_matches(patches, bag)
            better = found.distance[:, 0] < best
            best = torch.where(better, found.distance[:, 0], best)
            values[better] = bag[found.row[better, 0]]
            if number in (1, len(OTHERS)):
                pictures[f"{number} outside"] = assembled(values)
        return pictures

    pictures = {"inside": seconds.of("search inside", from_inside)}
    pictures |= seconds.of("search outside", from_outside)
    return luma_decibels(pictures, truth)


def statistics() -> None:
    """Chapter 02: a photograph of 384 pixels, and the record of 290 pictures."""
    image, seconds = photo(SUBJECT, size=SIZE), Seconds()
    matches = {name: inside(image, place) for name, place in PLACES.items()}
    others = {name: outside(image, place) for name, place in PLACES.items()}
    best = [min(f[:n], key=lambda x: x.error) for f in others.values() for n in COUNTS]
    used = [
        name
        for k, name in enumerate(OTHERS)
        if any(b is f[k] for b in best for f in others.values())
    ]
    photograph = the_photograph(image, matches)
    enlarged = the_patches(image, matches, others)
    figures = {
        "the photograph: patches A, B, C, and their best matches inside": photograph,
        "the same patches, enlarged, and their best matches inside and outside": (
            enlarged
        ),
        "strong edges, and up to 290 external pictures": the_curves(),
    }
    write(
        "statistics",
        {title: picture_of(figure) for title, figure in figures.items()},
        assembled_decibels(seconds),
        None,
        form="webp",
        truth="not shown: the photograph itself",
        measure=f"{MEASURE}, of the photograph made of other patches",
        settings=f"patches of 5 x 5 pixels, five scales, {len(OTHERS)} photographs",
        size=[SIZE, SIZE],
        scale=INCH / DPI,
        seconds=seconds,
        licence="CC BY 2.0",
        attribution=" ".join(photos()[name].attribution for name in (SUBJECT, *used)),
    )
