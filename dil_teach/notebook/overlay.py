"""What lies over a picture that is touched: marks, and the mask that is painted."""

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
from dil_teach.notebook.figures import STYLES, display_html, figure_html, strip
from dil_teach.notebook.touch import STRIPES, Touch

DASHES = {"-": "", "--": "6 3", "-.": "8 3 2 3", ":": "2 3"}  # matplotlib's, in SVG


@dataclass(frozen=True)
class Mark:
    """A rectangle over a picture, in its pixels; `style` picks colour and dash."""

    top: float
    left: float
    height: float
    width: float
    label: str = ""
    style: int = 0

    def __post_init__(self) -> None:
        if min(self.height, self.width) <= 0:
            raise ValueError(
                f"Mark: expected height and width above 0, got {self.height} and "
                f"{self.width}; the order is (top, left, height, width, label, style)"
            )

    def look(self) -> tuple[str, str]:
        """Colour and dash: one never changes without the other."""
        return STYLES[self.style % len(STYLES)]

    def state(self) -> dict[str, Any]:
        """As the widget has it."""
        colour, dash = self.look()
        return asdict(self) | {"colour": colour, "dash": DASHES[dash]}


@dataclass(frozen=True)
class Clickable:
    """A picture whose click sets two sliders of `explore`.

    Parameters
    ----------
    image : Image
        Grey or RGB.
    row, column : str
        Names of the two whole-number controls, in pixels of the image.
    marks : function of the controls' values, optional
        Pure: values in, list of `Mark` out. Without it the pixel itself is marked.
    alt : str
        What the picture shows; the point and the marks are added in words.
    """

    image: Image
    row: str = "row"
    column: str = "column"
    marks: Callable[..., list[Mark]] | None = None
    alt: str = "The picture to click on"

    def __post_init__(self) -> None:
        check_image(self.image, in_range=False)

    def marks_at(self, values: Mapping[str, Any]) -> list[Mark]:
        """What is drawn over the picture at these values."""
        if self.marks is None:
            return [Mark(values[self.row], values[self.column], 1, 1)]
        marks = self.marks(**values)
        if not all(isinstance(mark, Mark) for mark in marks):
            raise ValueError(
                f"marks: expected a function that returns a list of Mark, got {marks}; "
                "write Mark(top, left, height, width, label)"
            )
        return marks

    def state(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Point, marks and alt text as the widget has them at these values."""
        marks = self.marks_at(values)
        return {
            "row": values[self.row],
            "column": values[self.column],
            "marks": [mark.state() for mark in marks],
            "alt": self._alt(values, marks),
        }

    def html(self, values: Mapping[str, Any]) -> str:
        """The picture with its marks drawn in, for a reader without a kernel."""
        marks = self.marks_at(values)
        return figure_html(marked(self.image, marks), self._alt(values, marks))

    def _alt(self, values: Mapping[str, Any], marks: Sequence[Mark]) -> str:
        labels = [mark.label for mark in marks if mark.label]
        words = f"{self.alt}, at row {values[self.row]}, column {values[self.column]}"
        return f"{words}, marked: {', '.join(labels)}" if labels else words


def marked(image: Image, marks: Sequence[Mark]) -> Figure:
    """The image with its marks drawn in, as the widget draws them."""
    figure = strip(image)
    axes = figure.axes[0]
    for mark in marks:
        colour, dash = mark.look()
        left, top = mark.left - 0.5, mark.top - 0.5  # matplotlib's pixels are centred
        lines = (("k", 3.2, "-"), ("w", 2.2, "-"), (colour, 1.5, dash))
        for edge, thick, line in lines:
            look = {"edgecolor": edge, "linewidth": thick, "linestyle": line}
            box = Rectangle((left, top), mark.width, mark.height, fill=False, **look)
            axes.add_patch(box)
        below = top * figure.get_figheight() * 100 < 14 * image.shape[1]
        axes.annotate(
            mark.label,
            (left, top + mark.height if below else top),
            xytext=(0, -3 if below else 3),
            textcoords="offset points",
            va="top" if below else "bottom",
            color="w",
            weight="bold",
            fontsize=9,
            path_effects=[withStroke(linewidth=2.2, foreground="k")],
        )
    return figure


class Painter:
    """A mask and what paints it; `paint` shows one."""

    def __init__(
        self, image: Image, label: str, zoom: int | None, mask: Tensor | None
    ) -> None:
        check_image(image, in_range=False)
        self.image, self.label = image, label
        height, width = image.shape[1:]
        self.touch = Touch("paint", image, zoom, row=height // 2, column=width // 2)
        self.mask = torch.zeros(1, height, width) if mask is None else mask
        self.touch.brush = min(min(height, width) // 16 * 2 + 1, 63)

        def linked(trait: str, control: type, label: str, **limits: Any) -> Any:
            made = control(value=getattr(self.touch, trait), **limits, **look(label))
            ipywidgets.link((self.touch, trait), (made, "value"))
            if control is checkbox:  # at once: the next stroke waits for no kernel
                ipywidgets.jslink((made, "value"), (self.touch, trait))
            return made

        def button(name: str, tip: str, act: Callable[[], None]) -> ipywidgets.Button:
            made = ipywidgets.Button(description=name, tooltip=tip)
            made.on_click(lambda _: act())
            return made

        slider, checkbox = ipywidgets.IntSlider, ipywidgets.Checkbox
        at = "at row and column"
        buttons = [
            button("Paint", f"Press the brush {at}", lambda: self._press(1)),
            button("Erase", f"Erase with the brush {at}", lambda: self._press(0)),
            button("Clear", "Erase all", self._clear),
        ]
        said = ipywidgets.HTML()
        self.panel = ipywidgets.VBox(
            [
                self.touch,
                said,
                linked("row", slider, "Row", min=0, max=height - 1),
                linked("column", slider, "Column", min=0, max=width - 1),
                linked("brush", slider, "Brush, pixels across", min=1, max=63, step=2),
                ipywidgets.HBox(buttons),
                linked("erase", checkbox, "The pointer erases", indent=False),
            ]
        )

        def say(_change: object = None) -> None:
            count = sum(self.touch.runs[1::2])
            self.touch.alt = said.value = (
                f"{label}: {count} of {height * width} pixels are painted"
            )

        self.touch.observe(say, names="runs")
        say()

    @property
    def mask(self) -> Float[Tensor, "1 h w"]:
        """The mask as painted so far, 1 where painted and 0 elsewhere."""
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
                f"{tuple(mask.shape)}, from {values.min():.3g} to {values.max():.3g}: "
                "resize it to the picture, then threshold it"
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


def paint(
    image: Image,
    label: str = "mask",
    zoom: int | None = None,
    mask: Tensor | None = None,
) -> Painter:
    """Show a picture to paint a mask on, with brush strokes or from the keyboard.

    Parameters
    ----------
    image : Image
        Grey or RGB.
    label : str
        What the mask is, such as ``"hole"``.
    zoom : int, optional
        Side of the square that a pixel becomes; as large as fits if left out.
    mask : Tensor, optional
        What is painted to begin with, zeros and ones of shape (1, h, w); nothing if
        left out. It is what a notebook that runs without a reader goes on with.

    Returns
    -------
    Painter
        Whose `mask`, float32 of shape (1, h, w) with 0 and 1, can be read and set.

    Raises
    ------
    ValueError
        If `image` is no image, or the mask is not of its size.
    """
    painter = Painter(image, label, zoom, mask)
    display(painter.panel)
    note = f"The {label} to begin with, for reading without a running kernel:"
    still = strip(striped(image, painter.mask), zoom=max(256 // image.shape[2], 1))
    picture = figure_html(still, painter.touch.alt)
    display_html(f"{note}<br>{picture}", note)
    return painter


def striped(image: Image, mask: Float[Tensor, "1 h w"]) -> Image:
    """The image under its mask, in stripes that are seen on any photograph."""
    image, mask = image.detach().cpu().expand(3, -1, -1), mask.cpu()
    row, column = (torch.arange(side) for side in image.shape[1:])
    stripe = (row[:, None] + column) % 4 // 2
    ink = torch.tensor(STRIPES)[stripe].permute(2, 0, 1)
    opacity = mask * ink[3]
    return image * (1 - opacity) + ink[:3] / 255 * opacity


def look(label: str) -> dict[str, Any]:
    """How every control of the course looks."""
    return {
        "description": label,
        "style": {"description_width": "initial"},
        "layout": ipywidgets.Layout(width="40em", max_width="100%"),
    }
