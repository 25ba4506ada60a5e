"""Marks and masks drawn over a picture that the reader clicks or paints on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import ipywidgets
import numpy as np
import torch
from IPython.display import display
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from torch import Tensor

from dil_teach.image.convention import Image, check_image
from dil_teach.notebook.figures import STYLES, canvas, display_html, figure_html, strip
from dil_teach.notebook.touch import STRIPES, Touch

DASHES = {"-": "", "--": "6 3", "-.": "8 3 2 3", ":": "2 3"}  # matplotlib to SVG


@dataclass(frozen=True)
class Mark:
    """A rectangle over a picture, in pixels, with a label."""

    top: float
    left: float
    height: float
    width: float
    label: str = ""
    style: int = 0
    """Index of the mark's colour and dash in ``STYLES``."""

    def __post_init__(self) -> None:
        if min(self.height, self.width) <= 0:
            raise ValueError(f"mark: expected height and width above 0, got {self}")

    def look(self) -> tuple[str, str]:
        """Colour and dash. Marks never differ only in colour."""
        return STYLES[self.style % len(STYLES)]

    def state(self) -> dict[str, Any]:
        """The mark as values for the widget's JavaScript."""
        colour, dash = self.look()
        return asdict(self) | {"colour": colour, "dash": DASHES[dash]}


@dataclass(frozen=True)
class Clickable:
    """A picture; a click on it sets the sliders `row` and `column` of `explore`."""

    image: Image
    """Grey or RGB."""
    marks: Callable[..., list[Mark]] | None = None
    """A function that returns the marks for the controls' values; default: a mark at
    the pixel."""
    alt: str = "The picture to click on"
    """What the picture shows. The point and the marks' labels are appended."""

    def __post_init__(self) -> None:
        check_image(self.image, in_range=False)

    def state(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The widget's point, marks and alt text at these values of the controls."""
        marks, alt = self._marks_and_alt(values)
        point = {"row": values["row"], "column": values["column"]}
        return point | {"marks": [mark.state() for mark in marks], "alt": alt}

    def html(self, values: Mapping[str, Any]) -> str:
        """The picture with its marks as HTML, visible without a running kernel."""
        marks, alt = self._marks_and_alt(values)
        return figure_html(marked(self.image, marks), alt)

    def _marks_and_alt(self, values: Mapping[str, Any]) -> tuple[list[Mark], str]:
        row, column = values["row"], values["column"]
        marks = self.marks(**values) if self.marks else [Mark(row, column, 1, 1)]
        if not all(isinstance(mark, Mark) for mark in marks):
            raise ValueError(f"marks: expected a list of Mark as result, got {marks}")
        labels = ", ".join(mark.label for mark in marks if mark.label)
        alt = f"{self.alt}, at row {row}, column {column}"
        return marks, f"{alt}, marked: {labels}" if labels else alt


def marked(image: Image, marks: Sequence[Mark]) -> Figure:
    """The image with its marks, drawn as in the widget."""
    figure = canvas(image)
    axes = figure.axes[0]
    for mark in marks:
        colour, dash = mark.look()
        left, top = mark.left - 0.5, mark.top - 0.5  # the pixel's corner
        lines = (("k", 3.2, "-"), ("w", 2.2, "-"), (colour, 1.5, dash))
        for edge, thick, line in lines:
            box = Rectangle((left, top), mark.width, mark.height, fill=False)
            box.set(edgecolor=edge, linewidth=thick, linestyle=line)
            axes.add_patch(box)
        above = top * figure.get_figheight() * 100 >= 14 * image.shape[1]
        at, shift, va = (top, 3, "bottom") if above else (top + mark.height, -3, "top")
        outline = [withStroke(linewidth=2.2, foreground="k")]
        axes.annotate(
            mark.label,
            (left, at),
            xytext=(0, shift),
            textcoords="offset points",
            va=va,
            **{"color": "w", "weight": "bold", "fontsize": 9, "path_effects": outline},
        )
    return figure


class Painter:
    """A mask and the controls that paint the mask; `paint` displays them."""

    def __init__(self, image: Image, label: str, mask: Tensor | None) -> None:
        check_image(image, in_range=False)
        self.image = image
        height, width = image.shape[1:]
        self.touch = Touch("paint", image, row=height // 2, column=width // 2)
        self.mask = torch.zeros(1, height, width) if mask is None else mask
        self.touch.brush = min(min(height, width) // 16 * 2 + 1, 63)
        controls = {
            "row": ipywidgets.IntSlider(max=height - 1, **look("Row")),
            "column": ipywidgets.IntSlider(max=width - 1, **look("Column")),
            "brush": ipywidgets.IntSlider(
                min=1, max=63, step=2, **look("Brush, pixels across")
            ),
            "erase": ipywidgets.Checkbox(indent=False, **look("The pointer erases")),
        }
        for trait, control in controls.items():
            ipywidgets.link((self.touch, trait), (control, "value"))
        # Also linked in the browser, so that no stroke waits for the kernel.
        ipywidgets.jslink((controls["erase"], "value"), (self.touch, "erase"))
        buttons = [
            _button("Paint", "Press the brush at row and column", self._press, 1),
            _button("Erase", "Erase with the brush at row and column", self._press, 0),
            _button("Clear", "Erase all", self._clear),
        ]
        count = ipywidgets.HTML()
        *sliders, checkbox = controls.values()
        self.panel = ipywidgets.VBox(
            [self.touch, count, *sliders, ipywidgets.HBox(buttons), checkbox]
        )

        def show_count(_change: object = None) -> None:
            painted = sum(self.touch.runs[1::2])
            self.touch.alt = count.value = (
                f"{label}: {painted} of {height * width} pixels are painted"
            )

        self.touch.observe(show_count, names="runs")
        show_count()

    @property
    def mask(self) -> Float[Tensor, "1 h w"]:
        """The mask: 1 where painted, and 0 elsewhere. This property can be set."""
        runs = self.touch.runs
        values = np.repeat(np.arange(len(runs)) % 2, runs).astype(np.float32)
        shape = (1, *self.image.shape[1:])
        return torch.from_numpy(values).reshape(shape).to(self.image.device)

    @mask.setter
    def mask(self, mask: Tensor) -> None:
        shape = (1, *self.image.shape[1:])
        values = mask.detach().cpu().float()
        if mask.shape != shape or not ((values == 0) | (values == 1)).all():
            raise ValueError(
                f"mask: expected zeros and ones of shape {shape}, got "
                f"{tuple(mask.shape)}, from {values.min():.3g} to {values.max():.3g}"
            )
        flat = values.flatten().numpy()
        edges = np.flatnonzero(np.diff(flat)) + 1
        runs = np.diff(edges, prepend=0, append=len(flat)).tolist()
        self.touch.runs = [0, *runs] if flat[0] else runs

    def _clear(self) -> None:
        self.mask = torch.zeros_like(self.mask)

    def _press(self, value: int) -> None:
        height, width = self.image.shape[1:]
        y = torch.arange(height) - self.touch.row
        x = torch.arange(width) - self.touch.column
        pressed = 4 * (y[:, None] ** 2 + x**2) < self.touch.brush**2
        mask = self.mask
        mask[:, pressed] = value
        self.mask = mask


def paint(image: Image, label: str = "mask", mask: Tensor | None = None) -> Painter:
    """Show a picture to paint a mask on, with the pointer or from the keyboard.

    Parameters
    ----------
    image : Image
        Grey or RGB.
    label : str
        The name of the mask, such as ``"hole"``.
    mask : Tensor, optional
        The initial mask, zeros and ones of shape (1, h, w); by default zeros. Other
        values or another shape raise a ValueError.

    Returns
    -------
    Painter
        Its attribute `mask` is the mask that was painted so far.
    """
    painter = Painter(image, label, mask)
    display(painter.panel)
    note = f"The initial {label}, for reading without a running kernel:"
    still = strip(striped(image, painter.mask))
    picture = figure_html(still, painter.touch.alt)
    display_html(f"{note}<br>{picture}", note)
    return painter


def striped(image: Image, mask: Float[Tensor, "1 h w"]) -> Image:
    """Draw a mask over an image, as stripes that are visible on any photograph."""
    image, mask = image.detach().cpu().expand(3, -1, -1), mask.cpu()
    row, column = (torch.arange(side) for side in image.shape[1:])
    stripe = (row[:, None] + column) % 4 // 2
    ink = torch.tensor(STRIPES)[stripe].permute(2, 0, 1)
    opacity = mask * ink[3]
    return image * (1 - opacity) + ink[:3] / 255 * opacity


def look(label: str) -> dict[str, Any]:
    """The display options that all controls of the course share."""
    return {
        "description": label,
        "style": {"description_width": "initial"},
        "layout": ipywidgets.Layout(width="40em", max_width="100%"),
    }


def _button(name: str, tip: str, act: Callable, *arguments: int) -> ipywidgets.Button:
    button = ipywidgets.Button(description=name, tooltip=tip)
    button.on_click(lambda _: act(*arguments))
    return button
