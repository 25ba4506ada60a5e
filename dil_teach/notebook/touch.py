"""What a reader touches: pixels to click, a divider to drag, a mask to paint.

One widget, its JavaScript in this file, serves all three. Whatever the pointer does in
it, sliders and buttons beside it do from the keyboard.
"""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import anywidget
import ipywidgets
import numpy as np
import torch
import traitlets
from IPython.display import display
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from PIL import Image as PillowImage
from torch import Tensor

from dil_teach.image import Image, check_image, to_uint8
from dil_teach.notebook.figures import (
    MAX_PANEL,
    STYLES,
    display_html,
    figure_html,
    strip,
)

DASHES = {"-": "", "--": "6 3", "-.": "8 3 2 3", ":": "2 3"}  # matplotlib's, in SVG
STRIPES = ((213, 94, 0, 0.8), (255, 255, 255, 0.6))  # a mask: red, green, blue, opacity

SCRIPT = """
const ARROWS = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
};
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function add(parent, tag, attributes = {}) {
  const inside = tag === "svg" || parent instanceof SVGElement;
  const made = inside
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const name in attributes) made.setAttribute(name, attributes[name]);
  return parent.appendChild(made);
}

// Each line is drawn thrice: black beside white is seen on any photograph.
function outlined(parent, tag, shape, colour, dash) {
  for (const [stroke, thick, dashes] of [
    ["black", 4.5, ""], ["white", 3, ""], [colour, 2, dash],
  ]) {
    add(parent, tag, { ...shape, stroke, "stroke-width": thick, fill: "none",
      "stroke-dasharray": dashes, "vector-effect": "non-scaling-stroke" });
  }
}

function render({ model, el }) {
  const mode = model.get("mode"), [height, width] = model.get("size");
  const zoom = model.get("zoom");
  const ending = new AbortController(), followed = [];
  const listen = (target, event, act) =>
    target.addEventListener(event, act, { signal: ending.signal });
  const follow = (names, act) => {
    for (const name of names) {
      model.on(`change:${name}`, act);
      followed.push([`change:${name}`, act]);
    }
    act();
  };
  const set = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };

  const frame = add(el, "div", { class: `dil-touch dil-${mode}` });
  frame.style.width = `${width * zoom}px`;
  frame.style.aspectRatio = `${width} / ${height}`;
  const picture = add(frame, "img", { draggable: "false" });
  follow(["picture"], () => { picture.src = model.get("picture"); });

  // The page may have shrunk the picture by any factor.
  const place = (event) => {
    const box = frame.getBoundingClientRect();
    return [((event.clientY - box.top) / box.height) * height,
            ((event.clientX - box.left) / box.width) * width];
  };
  const pixel = ([row, column]) => ({
    row: clamp(Math.floor(row), 0, height - 1),
    column: clamp(Math.floor(column), 0, width - 1),
  });
  let waiting = false;  // for Python to answer a click
  const point = () => ({ row: model.get("row"), column: model.get("column") });
  const drag = (act, end = () => {}) => {
    listen(frame, "pointerdown", (event) => {
      if (event.button !== 0) return;
      frame.setPointerCapture(event.pointerId);
      act(event);
    });
    listen(frame, "pointermove", (event) => {
      if (frame.hasPointerCapture(event.pointerId)) act(event);
    });
    listen(frame, "lostpointercapture", end);
  };
  const keys = (target, act) => {
    target.tabIndex = 0;
    target.dataset.lmSuppressShortcuts = "true";  // JupyterLab would take the arrows
    listen(target, "keydown", (event) => {
      if (!act(event.key, event.shiftKey ? 10 : 1)) return;
      event.preventDefault();
      event.stopPropagation();
    });
  };

  const walk = (key, step) => {
    if (!(key in ARROWS)) return false;
    const { row, column } = point(), [down, right] = ARROWS[key];
    waiting = true;
    set(pixel([row + step * down, column + step * right]));
    return true;
  };

  if (mode === "divide") divide();
  else {
    follow(["alt"], () => { picture.alt = model.get("alt"); waiting = false; });
    if (mode === "paint") paint();
    else click();
    frame.setAttribute("role", "application");
    frame.setAttribute("aria-label", mode === "paint"
      ? "Paint with the pointer; arrow keys move the brush, space presses it"
      : "Click a pixel; arrow keys move the point, with Shift by ten");
    const drawn = add(frame, "svg", { class: "dil-over",
      viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none" });
    follow(["marks", "row", "column", "brush", "alt"], () => { draw(drawn); });
  }

  function divide() {
    const over = add(frame, "img", { class: "dil-over", alt: "", draggable: "false" });
    const line = add(frame, "div", { class: "dil-line", role: "slider",
      "aria-label": "Divider", "aria-valuemin": 0, "aria-valuemax": 100 });
    follow(["other"], () => { over.src = model.get("other"); });
    follow(["position", "alt"], () => {
      const percent = Math.round(1000 * model.get("position")) / 10;
      over.style.clipPath = `inset(0 ${100 - percent}% 0 0)`;
      line.style.left = `${percent}%`;
      line.setAttribute("aria-valuenow", Math.round(percent));
      picture.alt = model.get("alt").replace("{position}", `${Math.round(percent)}%`);
    });
    const move = (position) => set({ position: clamp(position, 0, 1) });
    drag((event) => { move(place(event)[1] / width); });
    keys(line, (key, step) => {
      if (key in ARROWS) {
        const [down, right] = ARROWS[key];
        move(Math.round(100 * model.get("position") + step * (right - down)) / 100);
      }
      return key in ARROWS;
    });
  }

  function click() {
    listen(frame, "click", (event) => {
      waiting = true;
      set(pixel(place(event)));
    });
    keys(frame, walk);
  }

  function paint() {
    const canvas = add(frame, "canvas", { class: "dil-over", width, height });
    const ink = canvas.getContext("2d"), mask = new Uint8Array(height * width);
    const stripes = model.get("stripes");
    let last = null;
    const show = () => {
      const shown = ink.createImageData(width, height);
      mask.forEach((on, i) => {
        if (!on) return;
        const stripe = (Math.floor(i / width) + (i % width)) % 4 < 2 ? 0 : 1;
        const [red, green, blue, opacity] = stripes[stripe];
        shown.data.set([red, green, blue, 255 * opacity], 4 * i);
      });
      ink.putImageData(shown, 0, 0);
    };
    const press = (row, column) => {
      const brush = model.get("brush"), reach = brush >> 1;
      const value = model.get("erase") ? 0 : 1;
      for (let y = Math.max(row - reach, 0); y <= row + reach && y < height; y++)
        for (let x = Math.max(column - reach, 0); x <= column + reach && x < width; x++)
          if (4 * ((y - row) ** 2 + (x - column) ** 2) < brush ** 2)
            mask[y * width + x] = value;
    };
    const send = () => {
      const runs = [];
      let value = 0, length = 0;
      for (const on of mask) {
        if (on !== value) { runs.push(length); value = on; length = 0; }
        length += 1;
      }
      set({ runs: [...runs, length], ...last });
      last = null;
    };
    follow(["runs"], () => {
      let start = 0, value = 0;
      for (const length of model.get("runs")) {
        mask.fill(value, start, start + length);
        start += length;
        value = 1 - value;
      }
      show();
    });
    drag((event) => {
      const to = pixel(place(event)), from = last ?? to;
      const down = to.row - from.row, right = to.column - from.column;
      const steps = Math.max(Math.abs(down), Math.abs(right), 1);
      for (let i = 0; i <= steps; i++)
        press(Math.round(from.row + (i / steps) * down),
              Math.round(from.column + (i / steps) * right));
      last = to;
      show();
    }, send);
    keys(frame, (key, step) => {
      if (key !== " ") return walk(key, step);
      last = point();
      press(last.row, last.column);
      send();
      return true;
    });
  }

  function draw(drawn) {
    drawn.replaceChildren();
    for (const mark of model.get("marks")) {
      const { top, left, label, colour, dash } = mark;
      const group = add(drawn, "g", { class: "dil-mark" });
      const shape = { x: left, y: top, width: mark.width, height: mark.height };
      outlined(group, "rect", shape, colour, dash);
      const below = top < 14 / zoom;
      add(group, "text", { x: left, y: below ? top + mark.height + 13 / zoom
        : top - 4 / zoom, "font-size": 13 / zoom, "stroke-width": 3 / zoom,
      }).textContent = label;
    }
    const x = model.get("column") + 0.5, y = model.get("row") + 0.5;
    if (mode === "paint") {
      const r = model.get("brush") / 2;
      outlined(drawn, "circle", { cx: x, cy: y, r }, "black", "4 4");
    } else if (waiting) {
      const near = 4 / zoom, far = 10 / zoom;
      const d = [[0, 1], [0, -1], [1, 0], [-1, 0]].map(([a, b]) =>
        `M${x + a * near} ${y + b * near}L${x + a * far} ${y + b * far}`).join("");
      outlined(drawn, "path", { d }, "white", "");
    }
  }

  return () => {
    ending.abort();
    for (const [event, act] of followed) model.off(event, act);
    frame.remove();
  };
}

export default { render };
"""

STYLE = """
.dil-touch { position: relative; max-width: 100%; user-select: none; }
.dil-touch img, .dil-touch canvas { image-rendering: pixelated; }
.dil-touch > img, .dil-touch > .dil-over {
  position: absolute; inset: 0; width: 100%; height: 100%; max-width: none; margin: 0;
}
.dil-touch > .dil-over { pointer-events: none; }
.dil-touch text {
  fill: white; stroke: black; paint-order: stroke; font-family: sans-serif;
  font-weight: bold;
}
.dil-click, .dil-paint { cursor: crosshair; }
.dil-click { touch-action: manipulation; }
.dil-paint { touch-action: none; }
.dil-divide { cursor: ew-resize; touch-action: pan-y; overflow: hidden; }
.dil-line {
  position: absolute; top: 0; bottom: 0; width: 2px; margin-left: -1px;
  background: white; box-shadow: 0 0 0 1px black;
}
.dil-line::after {
  content: "\\2194"; position: absolute; top: 50%; left: -14px; width: 30px;
  height: 30px; margin-top: -15px; border-radius: 50%; text-align: center;
  font: bold 20px/28px sans-serif; color: black; background: white;
  box-shadow: 0 0 0 1px black;
}
.dil-touch:focus-visible, .dil-line:focus-visible {
  outline: 3px solid #0072B2; outline-offset: -3px;
}
"""


class Touch(anywidget.AnyWidget):
    """The widget: a picture that answers to mouse, finger, pen and arrow keys."""

    _esm = SCRIPT
    _css = STYLE
    mode = traitlets.Enum(("click", "divide", "paint")).tag(sync=True)
    size = traitlets.List().tag(sync=True)  # height, width
    zoom = traitlets.Int(1).tag(sync=True)
    picture = traitlets.Unicode().tag(sync=True)  # as a data: address, like `other`
    alt = traitlets.Unicode().tag(sync=True)
    # click and paint
    row = traitlets.Int().tag(sync=True)
    column = traitlets.Int().tag(sync=True)
    marks = traitlets.List().tag(sync=True)
    # divide: `picture` is seen right of the divider, `other` left of it
    other = traitlets.Unicode().tag(sync=True)
    position = traitlets.Float(0.5).tag(sync=True)
    # paint: lengths of the mask's runs of zeros, ones, zeros, ... row by row
    runs = traitlets.List().tag(sync=True)
    brush = traitlets.Int(1).tag(sync=True)
    erase = traitlets.Bool(False).tag(sync=True)
    stripes = traitlets.List(list(STRIPES)).tag(sync=True)

    def __init__(self, mode: str, image: Image, zoom: int | None, **state: Any) -> None:
        zoom = min(max(MAX_PANEL // image.shape[2], 1), 8) if zoom is None else zoom
        if zoom < 1:
            raise ValueError(
                f"zoom: expected a whole number from 1, got {zoom}; leave it out"
            )
        super().__init__(
            mode=mode,
            size=list(image.shape[1:]),
            zoom=zoom,
            picture=png_address(image),
            layout=ipywidgets.Layout(max_width="100%", margin="0 1em 0.5em 0"),
            **state,
        )


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


def png_address(image: Image) -> str:
    """The image's own pixels as a PNG in a data: address; browsers enlarge it."""
    file = io.BytesIO()
    PillowImage.fromarray(to_uint8(image)).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def look(label: str) -> dict[str, Any]:
    """How every control of the course looks."""
    return {
        "description": label,
        "style": {"description_width": "initial"},
        "layout": ipywidgets.Layout(width="40em", max_width="100%"),
    }
