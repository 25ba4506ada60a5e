"""Controls as thin shells round pure functions ``render(**values)``."""

import itertools
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets
import torch
from IPython.display import display

from dil_teach.image.convention import Image, split_alpha
from dil_teach.image.files import load_image
from dil_teach.image.resize import resize
from dil_teach.notebook.figures import Picture, display_html, figure_html, side_by_side
from dil_teach.notebook.overlay import Clickable, look
from dil_teach.notebook.touch import Touch, png_address

Values = dict[str, Any]


@dataclass(frozen=True)
class Slider:
    """A number from `low` to `high`; whole numbers where `step` is whole."""

    label: str
    low: int | float
    high: int | float
    default: int | float
    step: int | float

    def extremes(self) -> list[int | float]:
        return [self.low, self.high]

    def widget(self, live: bool) -> ipywidgets.DOMWidget:
        whole = isinstance(self.step, int)
        make = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
        return make(
            value=self.default,
            min=self.low,
            max=self.high,
            step=self.step,
            continuous_update=live,
            **look(self.label),
        )


@dataclass(frozen=True)
class Choice:
    """One of a few named options."""

    label: str
    options: tuple[str, ...]
    default: str

    def extremes(self) -> list[str]:
        return list(self.options)

    def widget(self, live: bool) -> ipywidgets.DOMWidget:
        return ipywidgets.Dropdown(
            options=self.options, value=self.default, **look(self.label)
        )


@dataclass(frozen=True)
class Toggle:
    """On or off."""

    label: str
    default: bool

    def extremes(self) -> list[bool]:
        return [False, True]

    def widget(self, live: bool) -> ipywidgets.DOMWidget:
        return ipywidgets.Checkbox(value=self.default, indent=False, **look(self.label))


Control = Slider | Choice | Toggle


def corners(controls: Mapping[str, Control]) -> list[Values]:
    """The defaults, then every combination of the controls' extremes.

    Parameters
    ----------
    controls : dict of name to Slider, Choice or Toggle

    Returns
    -------
    list of dict
        Arguments for ``render``, on which a test must call it.
    """
    defaults = {name: control.default for name, control in controls.items()}
    extremes = itertools.product(*(c.extremes() for c in controls.values()))
    return [defaults, *(dict(zip(controls, e, strict=True)) for e in extremes)]


@dataclass(frozen=True)
class Explorer:
    """A control panel that was shown: the pure function and what moves it."""

    render: Callable[..., Picture]
    controls: Mapping[str, Control]
    alt: str
    click: Clickable | None = None

    def html(self, values: Values) -> str:
        """The picture at these values, its alt text filled in."""
        return figure_html(self.render(**values), self.alt.format(**values))

    def static_html(self, values: Values) -> str:
        """All that is seen at these values, the clickable picture with its marks."""
        if self.click is None:
            return self.html(values)
        return side_by_side([self.click.html(values), self.html(values)])

    def try_corners(self) -> int:
        """Draw at the defaults and at all extremes; an error is raised, not shown.

        Returns
        -------
        int
            How many pictures were drawn.
        """
        return len([self.static_html(values) for values in corners(self.controls)])


def explore(
    render: Callable[..., Picture],
    controls: Mapping[str, Control],
    alt: str,
    examples: Sequence[Values],
    live: bool = False,
    click: Clickable | None = None,
) -> Explorer:
    """Show controls and the picture that they change, and below a static strip.

    Parameters
    ----------
    render : function of the controls' values
        Pure: values in, picture out (an Image, a dict of title to Image, or a Figure).
    controls : dict of argument name to Slider, Choice or Toggle
        Each has a label and answers to the keyboard.
    alt : str
        What can be seen; a field such as ``{scale}`` becomes that control's value.
    examples : list of dict
        Values of the static strip, for a reader who has no kernel.
    live : bool
        Draw while a slider moves; only for pictures made in well under a second.
    click : Clickable, optional
        A picture whose click sets two of the sliders, and what is marked in it.

    Returns
    -------
    Explorer
        The pure function with its controls: assign it, so that tests find it.

    Raises
    ------
    ValueError
        If what `click` names are not sliders over whole pixels of its picture.
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
            # A kernel only logs what a callback raises: the reader must see it too.
            area.value = f"<pre>{escape(traceback.format_exc())}</pre>"
            raise

    def watch(on: bool) -> None:
        for shell in shells.values():
            (shell.observe if on else shell.unobserve)(redraw, names="value")

    watch(True)
    redraw()
    panel = [*shells.values(), area]
    if click and touch:

        def clicked(_change: object) -> None:
            at = {click.row: touch.row, click.column: touch.column}
            to = {name: _nearest(shells[name], at[name]) for name in at}
            moved = any(shells[name].value != to[name] for name in to)
            watch(False)  # two sliders move, and the picture is drawn once
            for name in to:
                shells[name].value = to[name]
            watch(True)
            touch.row, touch.column = to.values()
            if moved:
                redraw()

        touch.observe(clicked, names=["row", "column"])
        sliders = ipywidgets.VBox([*shells.values()], layout={"flex": "1 1 20em"})
        panel = [
            ipywidgets.Box([touch, sliders], layout={"flex_flow": "row wrap"}),
            area,
        ]
    display(ipywidgets.VBox(panel))
    _show_examples(explorer, examples)
    return explorer


def before_after(
    before: Image, after: Image, names: tuple[str, str], zoom: int = 1
) -> Explorer:
    """Two images of one scene, one on each side of a divider that a slider moves.

    Parameters
    ----------
    before, after : Image
        Of one shape; `before` is seen left of the divider.
    names : (str, str)
        What they are, such as ``("bicubic", "ZSSR")``.
    zoom : int
        Side of the square that a pixel becomes.

    Returns
    -------
    Explorer
        Whose ``render(position)`` composes the picture, `position` from 0 to 1.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if before.shape != after.shape:
        raise ValueError(
            f"after must have before's shape {tuple(before.shape)}, got "
            f"{tuple(after.shape)}: resize or crop one of them"
        )
    before, after = before.detach().cpu(), after.detach().cpu()

    def render(position: float) -> Image:
        left, right = enlarged(before, zoom), enlarged(after, zoom)
        width = left.shape[2]
        edge = round(position * width)
        picture = torch.cat([left[:, :, :edge], right[:, :, edge:]], dim=2)
        if 0 < edge < width:
            # Black beside white: the divider is seen on any photograph.
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
    # In the browser: the divider follows the finger, whatever the kernel is busy with.
    ipywidgets.jslink((touch, "position"), (slider, "value"))
    display(ipywidgets.VBox([touch, slider]))
    _show_examples(explorer, [{"position": 1.0}, {"position": 0.0}])
    return explorer


def enlarged(image: Image, zoom: int) -> Image:
    """The image with each pixel as a square of `zoom` x `zoom`."""
    return image.repeat_interleave(zoom, 1).repeat_interleave(zoom, 2)


def upload(label: str = "Your own photograph") -> ipywidgets.FileUpload:
    """Show a button that takes one picture file; read it with `uploaded_image`."""
    button = ipywidgets.FileUpload(
        accept="image/*",
        multiple=False,
        description=label,
        layout=ipywidgets.Layout(width="auto", max_width="20em"),
    )
    display(button)
    return button


def uploaded_image(value: Any, default: Image, max_side: int = 2048) -> Image:
    """The photograph in an upload button, or the default where there is none.

    Parameters
    ----------
    value : FileUpload.value
        A dict of file name to file in ipywidgets 7, a tuple of files in 8.
    default : Image
        Taken as it is where nothing was uploaded.
    max_side : int
        A larger photograph is made smaller, and that is said; in pixels.

    Returns
    -------
    Image
        Grey or RGB; transparency is left out.

    Raises
    ------
    ValueError
        If the file is no picture.
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
            f"Your photograph, {image.shape[2]} x {image.shape[1]} pixels, was made "
            f"smaller, to {small.shape[2]} x {small.shape[1]}, to keep this short."
        )
        image = small
    return image


def _clickable(click: Clickable, controls: Mapping[str, Control]) -> Touch:
    for name, side in zip(
        (click.row, click.column), click.image.shape[1:], strict=True
    ):
        control = controls.get(name)
        if not (
            isinstance(control, Slider)
            and isinstance(control.step, int)
            and 0 <= control.low <= control.high < side
        ):
            raise ValueError(
                f"click: expected {name!r} to name a Slider of whole numbers from 0 "
                f"to {side - 1}, the picture's pixels, got {control}: "
                "give it in controls"
            )
    return Touch("click", click.image, None)


def _nearest(slider: ipywidgets.IntSlider, value: int) -> int:
    """Where the slider can stand, nearest to this value."""
    to = slider.min + slider.step * round((value - slider.min) / slider.step)
    return min(max(to, slider.min), slider.max)


def _show_examples(explorer: Explorer, examples: Sequence[Values]) -> None:
    blocks = []
    for values in examples:
        settings = (f"{explorer.controls[n].label}: {v}" for n, v in values.items())
        caption = escape(", ".join(settings))
        blocks.append(f"{caption}<br>{explorer.static_html(values)}")
    note = "The same at fixed settings, for reading without a running kernel:"
    rows = (
        side_by_side(blocks)
        if explorer.click is None
        else "".join(f"<div>{block}</div>" for block in blocks)
    )
    display_html(f"{note}{rows}", note)
