"""A panel with a picture whose four corners the reader drags to another shape."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import ipywidgets

from dil_teach.image.convention import Image
from dil_teach.notebook.figures import figure_html, png_address, strip
from dil_teach.notebook.overlay import look
from dil_teach.notebook.touch import Touch
from dil_teach.notebook.widgets import Choice, Explorer, show_panel

Corner = tuple[int, int]
Shape = tuple[Corner, Corner, Corner, Corner]
"""(row, column) of the top left, top right, bottom right and bottom left corner."""


def drag_corners(
    render: Callable[[Shape], Image],
    original: Image,
    shapes: Mapping[str, Shape],
    alt: str,
    rectangle: bool = True,
) -> Explorer:
    """Show a picture with four handles, beside the original at the same scale.

    The handles and the outline follow the pointer at once. The picture follows as soon
    as it is drawn.

    Parameters
    ----------
    render : function of a shape
        A pure function. It returns the picture in this shape, on a canvas whose size is
        always the same. Rows and columns are in pixels of the canvas.
    original : Image
        The picture that is remapped.
    shapes : dict of str to shape
        Named shapes, which a menu offers. The first one is shown at first.
    alt : str
        What the picture shows; ``{shape}`` is replaced by the name of the shape or by
        its corners.
    rectangle : bool
        Whether a moved corner moves its neighbours, so that the shape stays a
        rectangle. A checkbox changes this.

    Returns
    -------
    Explorer
        Its ``render(shape)`` draws the named shape. Assign it to a variable, so that
        tests find it.
    """
    first = next(iter(shapes))
    menu = Choice("Shape", tuple(shapes), first)

    def drawn(shape: str) -> Image:
        return render(shapes[shape])

    explorer = Explorer(drawn, {"shape": menu}, alt)
    touch = Touch(
        "corners",
        render(shapes[first]),
        zoom=1,
        corners=_lists(shapes[first]),
        rectangle=rectangle,
        least=min(original.shape[1:]) / 2,
        alt=alt.format(shape=first),
    )
    named: Any = menu.widget(live=False)
    straight = ipywidgets.Checkbox(
        value=rectangle, indent=False, **look("Keep a rectangle")
    )
    ipywidgets.jslink((straight, "value"), (touch, "rectangle"))

    def redraw(_change: object) -> None:
        shape: Any = tuple(map(tuple, touch.corners))
        with touch.hold_sync():
            touch.picture = png_address(render(shape))
            touch.alt = alt.format(shape=f"corners at {shape}")

    def choose(_change: object) -> None:
        touch.corners = _lists(shapes[named.value])

    touch.observe(redraw, "corners")
    named.observe(choose, "value")
    beside = replace(strip({"the photograph": original}), scale=1.0)  # as the canvas
    photograph = ipywidgets.HTML(figure_html(beside, "The photograph, not remapped"))
    row = ipywidgets.Box([photograph, touch], layout={"flex_flow": "row wrap"})
    show_panel([named, straight, row], explorer, [{"shape": name} for name in shapes])
    return explorer


def _lists(shape: Shape) -> list[list[int]]:
    return [list(corner) for corner in shape]
