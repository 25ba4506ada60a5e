"""A widget for clicking on a pixel, dragging a divider or corners, painting a mask.

The widget's JavaScript is in touch.js. With the sliders and buttons beside the widget,
the keyboard can do everything that the pointer can.
"""

from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets

from dil_teach.image.convention import Image
from dil_teach.notebook.figures import MAX_PANEL, png_address

# The two colours of a mask's stripes: red, green, blue (0 to 255) and opacity.
STRIPES = ((213, 94, 0, 0.8), (255, 255, 255, 0.6))


class Touch(anywidget.AnyWidget):
    """A picture that responds to mouse, finger, pen and arrow keys."""

    _esm = Path(__file__).with_name("touch.js")
    _css = Path(__file__).with_name("touch.css")
    mode = traitlets.Enum(("click", "divide", "paint", "corners")).tag(sync=True)
    size = traitlets.List().tag(sync=True)  # height, width
    zoom = traitlets.Int(1).tag(sync=True)
    picture = traitlets.Unicode().tag(sync=True)  # a data: address, like `other`
    alt = traitlets.Unicode().tag(sync=True)
    # click and paint
    row = traitlets.Int().tag(sync=True)
    column = traitlets.Int().tag(sync=True)
    marks = traitlets.List().tag(sync=True)
    # divide: `other` is left of the divider, `picture` right of it
    other = traitlets.Unicode().tag(sync=True)
    position = traitlets.Float(0.5).tag(sync=True)
    # corners: (row, column) of each, clockwise from the top left; the shortest side
    corners = traitlets.List().tag(sync=True)
    rectangle = traitlets.Bool(True).tag(sync=True)
    least = traitlets.Float(1.0).tag(sync=True)
    # paint: `runs` are the mask's run lengths, row by row: zeros, ones, zeros, ...
    runs = traitlets.List().tag(sync=True)
    brush = traitlets.Int(1).tag(sync=True)
    erase = traitlets.Bool(False).tag(sync=True)
    stripes = traitlets.List(list(STRIPES)).tag(sync=True)

    def __init__(
        self, mode: str, image: Image, zoom: int | None = None, **state: Any
    ) -> None:
        if zoom is None:
            zoom = min(max(MAX_PANEL // image.shape[2], 1), 8)
        if zoom < 1:
            raise ValueError(f"zoom: expected at least 1, got {zoom}; leave it out")
        super().__init__(
            mode=mode,
            size=list(image.shape[1:]),
            zoom=zoom,
            picture=png_address(image),
            layout=ipywidgets.Layout(max_width="100%", margin="0 1em 0.5em 0"),
            **state,
        )
