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
from dil_teach.image.resize import resize
from dil_teach.notebook.figures import (
    Picture,
    display_html,
    figure_html,
    png_address,
    side_by_side,
)
from dil_teach.notebook.overlay import Clickable, look
from dil_teach.notebook.touch import Touch

Values = dict[str, Any]
POINT = ("row", "column")  # the controls that a click sets


@dataclass(frozen=True)
class Slider:
    """A number from `low` to `high`; an integer if `step` is an integer."""

    label: str
    low: int | float
    high: int | float
    default: int | float
    step: int | float

    @property
    def options(self) -> tuple[int | float, int | float]:
        """The extreme values."""
        return self.low, self.high

    def widget(self, live: bool) -> ipywidgets.DOMWidget:
        integer = isinstance(self.step, int)
        return (ipywidgets.IntSlider if integer else ipywidgets.FloatSlider)(
            value=self.default,
            min=self.low,
            max=self.high,
            step=self.step,
            continuous_update=live,
            **look(self.label),
        )


@dataclass(frozen=True)
class Choice:
    """One of several named options."""

    label: str
    options: tuple[str, ...]
    default: str

    def widget(self, live: bool) -> ipywidgets.DOMWidget:
        return ipywidgets.Dropdown(
            options=self.options, value=self.default, **look(self.label)
        )


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
    """The defaults, then all combinations of the options, of sliders the extremes.

    Tests call ``render`` with each of them.
    """
    defaults = {name: control.default for name, control in controls.items()}
    extremes = itertools.product(*(control.options for control in controls.values()))
    return [defaults, *(dict(zip(controls, e, strict=True)) for e in extremes)]


@dataclass(frozen=True)
class Explorer:
    """A displayed panel: the pure function, its controls and its alt text."""

    render: Callable[..., Picture]
    controls: Mapping[str, Control]
    alt: str
    click: Clickable | None = None

    def html(self, values: Values) -> str:
        """The picture at these values, with its alt text."""
        return figure_html(self.render(**values), self.alt.format(**values))

    def static_html(self, values: Values) -> str:
        """The picture and, if there is one, the clickable picture with its marks."""
        if self.click is None:
            return self.html(values)
        return side_by_side([self.click.html(values), self.html(values)])

    def try_corners(self) -> int:
        """Draw at all `corners`, raising any error; returns how many were drawn."""
        return len([self.static_html(values) for values in corners(self.controls)])


def explore(
    render: Callable[..., Picture],
    controls: Mapping[str, Control],
    alt: str,
    examples: Sequence[Values],
    live: bool = False,
    click: Clickable | None = None,
) -> Explorer:
    """Show controls, the picture that they change, and static examples below.

    Parameters
    ----------
    render : function of the controls' values
        Pure: values in, picture out (an Image, a dict of title to Image, or a Figure).
    controls : dict of argument name to Slider, Choice or Toggle
        Each has a label and can be used from the keyboard.
    alt : str
        What can be seen; a field such as ``{scale}`` becomes that control's value.
    examples : list of dict
        Values of the static examples, for a reader without a kernel.
    live : bool
        Redraw while a slider moves; only if `render` takes well under a second.
    click : Clickable, optional
        A picture with marks; a click on it sets the sliders `row` and `column`.

    Returns
    -------
    Explorer
        The pure function with its controls. Assign it, so that tests find it.

    Raises
    ------
    ValueError
        If `row` and `column` are not integer sliders within the picture of `click`.
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
            # A kernel only logs an error of a callback: show it to the reader too.
            area.value = f"<pre>{escape(traceback.format_exc())}</pre>"
            raise

    def watch(on: bool) -> None:
        for shell in shells.values():
            (shell.observe if on else shell.unobserve)(redraw, names="value")

    def clicked(_change: object, touch: Touch) -> None:
        goal = {name: _nearest(shells[name], getattr(touch, name)) for name in POINT}
        moved = any(shells[name].value != at for name, at in goal.items())
        watch(False)  # two sliders move, but the picture is drawn once
        for name, at in goal.items():
            shells[name].value = at
        watch(True)
        touch.row, touch.column = goal.values()
        if moved:
            redraw()

    watch(True)
    redraw()
    panel = [*shells.values(), area]
    if touch:
        touch.observe(partial(clicked, touch=touch), POINT)
        sliders = ipywidgets.VBox([*shells.values()], layout={"flex": "1 1 20em"})
        row = ipywidgets.Box([touch, sliders], layout={"flex_flow": "row wrap"})
        panel = [row, area]
    display(ipywidgets.VBox(panel))
    _show_examples(explorer, examples)
    return explorer


def before_after(
    before: Image, after: Image, names: tuple[str, str], zoom: int = 1
) -> Explorer:
    """Two images of one scene, left and right of a divider that a slider moves.

    Parameters
    ----------
    before, after : Image
        Of the same shape; `before` is left of the divider.
    names : (str, str)
        Their names, such as ``("bicubic", "ZSSR")``.
    zoom : int
        Side of the square that shows a pixel.

    Returns
    -------
    Explorer
        Its ``render(position)`` composes the picture, with `position` from 0 to 1.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if before.shape != after.shape:
        raise ValueError(
            f"after: expected before's shape {tuple(before.shape)}, got "
            f"{tuple(after.shape)}; resize or crop one of them"
        )
    before, after = before.detach().cpu(), after.detach().cpu()

    def render(position: float) -> Image:
        left, right = enlarged(before, zoom), enlarged(after, zoom)
        width = left.shape[2]
        edge = round(position * width)
        picture = torch.cat([left[:, :, :edge], right[:, :, edge:]], dim=2)
        if 0 < edge < width:
            # Black next to white is visible on any photograph.
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
    touch = Touch(
        "divide",
        after,
        zoom,
        other=png_address(before),
        alt=alt.replace("{position:.0%}", "{position}"),
    )
    slider = divider.widget(live=True)
    # In the browser: the divider moves even while the kernel is busy.
    ipywidgets.jslink((touch, "position"), (slider, "value"))
    display(ipywidgets.VBox([touch, slider]))
    _show_examples(explorer, [{"position": 1.0}, {"position": 0.0}])
    return explorer


def enlarged(image: Image, zoom: int) -> Image:
    """The image with each pixel enlarged to a square of `zoom` x `zoom` pixels."""
    return image.repeat_interleave(zoom, 1).repeat_interleave(zoom, 2)


def upload(label: str) -> ipywidgets.FileUpload:
    """Show a button to upload one picture; `uploaded_image` reads its value."""
    button = ipywidgets.FileUpload(
        accept="image/*",
        multiple=False,
        description=label,
        layout=ipywidgets.Layout(width="auto", max_width="20em"),
    )
    display(button)
    return button


def uploaded_image(value: Any, default: Image, max_side: int = 2048) -> Image:
    """The uploaded photograph, or `default` if nothing was uploaded.

    Parameters
    ----------
    value : FileUpload.value
        A dict of file name to file in ipywidgets 7, a tuple of files in 8.
    default : Image
        Returned unchanged if there is no upload.
    max_side : int
        A larger photograph is downscaled to this side, in pixels, with a message.

    Returns
    -------
    Image
        Grey or RGB; the transparency channel is dropped.

    Raises
    ------
    ValueError
        If the file is not a picture.
    """
    files = list(value.values() if isinstance(value, dict) else value)
    if not files:
        return default
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "your photograph"
        path.write_bytes(bytes(files[-1]["content"]))
        image, _alpha = split_alpha(load_image(path))
    side = max(image.shape[1:])
    if side > max_side:
        small = resize(image, scale=max_side / side).clamp(0, 1)
        print(
            f"Your photograph of {image.shape[2]} x {image.shape[1]} pixels was "
            f"downscaled to {small.shape[2]} x {small.shape[1]}, to keep this short."
        )
        image = small
    return image


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
                f"{side - 1}, the picture's pixels, got {control}; add one"
            )
    return Touch("click", click.image)


def _nearest(slider: ipywidgets.IntSlider, value: int) -> int:
    """The slider's possible value that is nearest to this one."""
    to = slider.min + slider.step * round((value - slider.min) / slider.step)
    return min(max(to, slider.min), slider.max)


def _show_examples(explorer: Explorer, examples: Sequence[Values]) -> None:
    blocks = []
    for values in examples:
        settings = (f"{explorer.controls[n].label}: {v}" for n, v in values.items())
        caption = escape(", ".join(settings))
        blocks.append(f"{caption}<br>{explorer.static_html(values)}")
    if explorer.click is None:
        rows = side_by_side(blocks)
    else:
        rows = "".join(f"<div>{block}</div>" for block in blocks)
    note = "Examples at fixed settings, for reading without a running kernel:"
    display_html(f"{note}{rows}", note)
