"""Controls that call a pure function ``render(**values)`` and show its picture."""

import itertools
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets
import torch
from IPython.display import display

from dil_teach.image.convention import Image, split_alpha
from dil_teach.image.files import load_image
from dil_teach.image.resize import limit_side
from dil_teach.notebook.figures import (
    Picture,
    display_html,
    figure_html,
    png_address,
    side_by_side,
)
from dil_teach.notebook.overlay import Clickable, look
from dil_teach.notebook.rows import zoom_script
from dil_teach.notebook.touch import Touch

Values = dict[str, Any]
HIDE_STATIC = "<style>.jp-OutputArea:has(.dil-live) .dil-static{display:none}</style>"
"""JupyterLab hides static examples while a kernel runs the live panel above them."""
POINT = ("row", "column")  # names of the controls that a click sets


@dataclass(frozen=True)
class Slider:
    """A number from `low` to `high`. It is an integer if `step` is an integer."""

    label: str
    low: int | float
    high: int | float
    default: int | float
    step: int | float

    @property
    def options(self) -> tuple[int | float, int | float]:
        """The smallest and the largest value."""
        return self.low, self.high

    def widget(self, live: bool) -> ipywidgets.DOMWidget:
        whole = isinstance(self.step, int)
        kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
        span = {"min": self.low, "max": self.high, "step": self.step}
        options = span | look(self.label)
        return kind(value=self.default, continuous_update=live, **options)


@dataclass(frozen=True)
class Choice:
    """One of several named options."""

    label: str
    options: tuple[str, ...]
    default: str

    def widget(self, live: bool) -> ipywidgets.DOMWidget:
        options = {"options": self.options, "value": self.default}
        return ipywidgets.Dropdown(**options, **look(self.label))


@dataclass(frozen=True)
class Toggle:
    """On or off."""

    label: str
    default: bool
    options = (False, True)

    def widget(self, live: bool) -> ipywidgets.DOMWidget:
        return ipywidgets.Checkbox(value=self.default, indent=False, **look(self.label))


Control = Slider | Choice | Toggle


def corners(controls: Mapping[str, Control]) -> list[Values]:
    """The defaults, then all combinations of options and of the sliders' extremes.

    Tests call ``render`` with each combination.
    """
    defaults = {name: control.default for name, control in controls.items()}
    extremes = itertools.product(*(control.options for control in controls.values()))
    return [defaults, *(dict(zip(controls, e, strict=True)) for e in extremes)]


@dataclass(frozen=True)
class Explorer:
    """The parts of a displayed panel: a pure function, its controls, its alt text."""

    render: Callable[..., Picture]
    controls: Mapping[str, Control]
    alt: str
    click: Clickable | None = None

    def html(self, values: Values) -> str:
        """The picture at these values of the controls, with its alt text."""
        return figure_html(self.render(**values), self.alt.format(**values))

    def static_html(self, values: Values) -> str:
        """The picture, and the clickable picture beside it if there is one."""
        if self.click is None:
            return self.html(values)
        return side_by_side([self.click.html(values), self.html(values)])

    def try_corners(self) -> int:
        """Draw the panel at all `corners`, and return their number."""
        return len([self.static_html(values) for values in corners(self.controls)])


def explore(
    render: Callable[..., Picture],
    controls: Mapping[str, Control],
    alt: str,
    examples: Sequence[Values],
    live: bool = False,
    click: Clickable | None = None,
) -> Explorer:
    """Show controls, the picture that they change, and static examples below it.

    Parameters
    ----------
    render : function of the controls' values
        A pure function. It returns an Image, a dict of title to Image, or a Figure.
    controls : dict of argument name to Slider, Choice or Toggle
        Each control has a label and can be used from the keyboard.
    alt : str
        What the picture shows. The value of a control replaces ``{its_name}``.
    examples : list of dict
        Values of the static examples, which are visible when no notebook kernel is
        running.
    live : bool
        Whether to redraw while a slider moves, if `render` takes well under a second.
    click : Clickable, optional
        A picture with marks. A click on the picture sets `row` and `column`, which must
        be integer sliders within the picture; otherwise a ValueError is raised.

    Returns
    -------
    Explorer
        Assign the result to a variable, so that tests find it.
    """
    explorer = Explorer(render, controls, alt, click)
    shells: Values = {name: made.widget(live) for name, made in controls.items()}
    area = ipywidgets.HTML()
    touch = None if click is None else _clickable(click, controls)

    def redraw(_change: object = None) -> None:
        values = {name: shell.value for name, shell in shells.items()}
        try:
            if click and touch:
                with touch.hold_sync():
                    for name, value in click.state(values).items():
                        setattr(touch, name, value)
            area.value = explorer.html(values)
        except Exception:
            # A kernel only logs errors of callbacks, so show them to the reader too.
            area.value = f"<pre>{escape(traceback.format_exc())}</pre>"
            raise

    def clicked(_change: object, touch: Touch) -> None:
        sliders = [shells[name] for name in POINT]
        before = [slider.value for slider in sliders]
        for name, slider in zip(POINT, sliders, strict=True):
            steps = round((getattr(touch, name) - slider.min) / slider.step)
            slider.unobserve(redraw, "value")  # one redraw for both sliders
            slider.value = min(slider.min + steps * slider.step, slider.max)
            slider.observe(redraw, "value")
        touch.row, touch.column = after = [slider.value for slider in sliders]
        if after != before:
            redraw()

    for shell in shells.values():
        shell.observe(redraw, "value")
    redraw()
    panel = [*shells.values(), area]
    if touch:
        touch.observe(partial(clicked, touch=touch), POINT)
        sliders = ipywidgets.VBox([*shells.values()], layout={"flex": "1 1 20em"})
        row = ipywidgets.Box([touch, sliders], layout={"flex_flow": "row wrap"})
        panel = [row, area]
    show_panel(panel, explorer, examples)
    return explorer


def before_after(
    before: Image, after: Image, names: tuple[str, str], zoom: int = 1
) -> Explorer:
    """Two images of one scene, left and right of a divider that a slider moves.

    Parameters
    ----------
    before, after : Image
        Two images of the same shape; otherwise a ValueError is raised. `before` is left
        of the divider.
    names : (str, str)
        Names of the two images, such as ``("bicubic", "ZSSR")``.
    zoom : int
        Side of the square that shows a pixel of the image, in pixels of the screen.

    Returns
    -------
    Explorer
        Its ``render(position)`` returns the picture for a position from 0 to 1.
    """
    if before.shape != after.shape:
        shapes = f"{tuple(before.shape)}, got {tuple(after.shape)}"
        raise ValueError(f"after: expected the shape of before, {shapes}")
    before, after = before.detach().cpu(), after.detach().cpu()

    def render(position: float) -> Image:
        left, right = enlarged(before, zoom), enlarged(after, zoom)
        width = left.shape[2]
        edge = round(position * width)
        picture = torch.cat([left[:, :, :edge], right[:, :, edge:]], dim=2)
        if 0 < edge < width:
            # a black line beside a white line is visible on any picture
            picture[:, :, edge - 1] = 0
            picture[:, :, edge] = 1
        return picture

    label = f"Divider (left {names[0]}, right {names[1]})"
    divider = Slider(label, 0.0, 1.0, 0.5, 0.01)
    alt = (
        f"The same photograph, {names[0]} left of a divider at "
        f"{{position:.0%}} of the width and {names[1]} right of it"
    )
    explorer = Explorer(render, {"position": divider}, alt)
    touch = Touch("divide", after, zoom, other=png_address(before))
    touch.alt = alt.replace("{position:.0%}", "{position}")
    slider = divider.widget(live=True)
    # The link is in the browser, so that the divider moves while the kernel is busy.
    ipywidgets.jslink((touch, "position"), (slider, "value"))
    show_panel([touch, slider], explorer, [{"position": 1.0}, {"position": 0.0}])
    return explorer


def enlarged(image: Image, zoom: int) -> Image:
    """The image with each pixel enlarged to a square of `zoom` x `zoom` pixels."""
    return image.repeat_interleave(zoom, 1).repeat_interleave(zoom, 2)


def upload(label: str) -> ipywidgets.FileUpload:
    """Show a button to upload a picture, which `uploaded_image` reads."""
    layout = ipywidgets.Layout(width="auto", max_width="20em")
    options = {"accept": "image/*", "multiple": False}
    button = ipywidgets.FileUpload(description=label, layout=layout, **options)
    display(button)
    return button


def uploaded_image(value: Any, default: Image, max_side: int = 2048) -> Image:
    """The uploaded photograph without its alpha channel, or `default` if there is none.

    Parameters
    ----------
    value : FileUpload.value
        In ipywidgets 7 a dict of file name to file, in ipywidgets 8 a tuple of files. A
        file that is not a picture raises a ValueError.
    default : Image
        The image that is returned if no file was uploaded.
    max_side : int
        Largest side in pixels. A larger photograph is downscaled, and a message says
        so.
    """
    files = list(value.values() if isinstance(value, dict) else value)
    if not files:
        return default
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "your photograph"
        path.write_bytes(bytes(files[-1]["content"]))
        image, _alpha = split_alpha(load_image(path))
    small = limit_side(image, max_side)
    if small.shape != image.shape:
        print(
            f"Your photograph of {image.shape[2]} x {image.shape[1]} pixels was "
            f"downscaled to {small.shape[2]} x {small.shape[1]}, to save time."
        )
    return small


def _clickable(click: Clickable, controls: Mapping[str, Control]) -> Touch:
    for name, side in zip(POINT, click.image.shape[1:], strict=True):
        control = controls.get(name)
        if not (
            isinstance(control, Slider)
            and isinstance(control.step, int)
            and 0 <= control.low <= control.high < side
        ):
            raise ValueError(
                f"controls: expected {name!r} to be a Slider of integers from 0 to "
                f"{side - 1}, the picture's pixels, got {control}"
            )
    return Touch("click", click.image)


def show_panel(
    panel: Sequence[ipywidgets.Widget], explorer: Explorer, examples: Sequence[Values]
) -> None:
    """Show the live panel, and the examples, which the page hides beside the panel."""
    box = ipywidgets.VBox(panel)
    box.add_class("dil-live")
    display(box)
    blocks = []
    for values in examples:
        settings = (f"{explorer.controls[n].label}: {v}" for n, v in values.items())
        caption = escape(", ".join(settings))
        blocks.append(f"{caption}<br>{explorer.static_html(values)}")
    rows = "".join(f"<div>{block}</div>" for block in blocks)
    if explorer.click is None:
        rows = side_by_side(blocks)
    note = "Examples at fixed settings, for reading without a running kernel:"
    static = f'<div class="dil-static">{note}{rows}</div>'
    display_html(f"{HIDE_STATIC}{static}{zoom_script()}", note)
