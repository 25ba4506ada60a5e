"""Tests of the touch widget in Python; test_browser.py tests it in the browser."""

import base64
import io
import re
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from dil_teach.image.convention import to_uint8
from dil_teach.notebook import (
    Clickable,
    Mark,
    Slider,
    Toggle,
    before_after,
    drag_corners,
    explore,
    figures,
    overlay,
    paint,
    widgets,
)
from dil_teach.notebook.overlay import DASHES, marked, striped
from dil_teach.notebook.touch import Touch

HEIGHT, WIDTH = 24, 40
IMAGE = torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))


def pixels_at(address: str) -> np.ndarray:
    file = io.BytesIO(base64.b64decode(address.partition("base64,")[2]))
    return np.asarray(PillowImage.open(file).convert("RGB"))


@pytest.fixture
def shown(monkeypatch) -> list[Any]:
    """A list that collects the displayed objects."""
    things: list[Any] = []
    for module in (figures, overlay, widgets):
        monkeypatch.setattr(
            module, "display", lambda thing, raw=False: things.append(thing)
        )
    return things


def parts(box: Any) -> list[Any]:
    """All widgets in a box, at any depth."""
    inside = [part for child in getattr(box, "children", ()) for part in parts(child)]
    return [box, *inside]


def one(box: Any, kind: type, label: str = "") -> Any:
    (found,) = (
        part
        for part in parts(box)
        if isinstance(part, kind) and label in getattr(part, "description", "")
    )
    return found


# ---- click

CONTROLS = {
    "row": Slider("Row", 0, HEIGHT - 5, 10, 1),
    "column": Slider("Column", 0, 35, 15, 5),
    "grey": Toggle("Grey", False),
}


def marks(row: int, column: int, grey: bool) -> list[Mark]:
    return [Mark(row, column, 5, 5, "patch"), Mark(0, 0, 5, 5, "1", style=1)]


class Clicked:
    """An explorer with a clickable picture, and the number of times it was drawn."""

    def __init__(self, shown: list[Any], marks: Any = marks) -> None:
        self.drawn: list[tuple[int, int]] = []
        click = Clickable(IMAGE, marks=marks)
        example = {"row": 3, "column": 20, "grey": False}
        alt = "The patch at row {row}, column {column}"
        self.explorer = explore(self.render, CONTROLS, alt, [example], click=click)
        self.panel, self.static = shown
        self.touch = one(self.panel, Touch)
        self.row, self.column = (
            one(self.panel, ipywidgets.IntSlider, n) for n in ("Row", "Column")
        )
        self.area = one(self.panel, ipywidgets.HTML)
        self.drawn.clear()

    def render(self, row: int, column: int, grey: bool) -> torch.Tensor:
        self.drawn.append((row, column))
        return IMAGE[:, row : row + 5, column : column + 5]

    def click(self, row: int, column: int) -> None:
        # a browser sends both in one message
        self.touch.set_state({"row": row, "column": column})


def test_a_click_sets_two_sliders_and_draws_once(shown):
    panel = Clicked(shown)
    panel.click(4, 30)
    assert (panel.row.value, panel.column.value) == (4, 30)
    assert panel.drawn == [(4, 30)]
    assert 'alt="The patch at row 4, column 30"' in panel.area.value
    assert panel.touch.alt.endswith("at row 4, column 30, marked: patch, 1")


def test_a_click_moves_to_the_nearest_slider_values(shown):
    panel = Clicked(shown)
    panel.click(
        HEIGHT - 1, 23
    )  # the last row is out of range, and 23 is between two steps
    assert (panel.row.value, panel.column.value) == (19, 25)
    assert (panel.touch.row, panel.touch.column) == (19, 25)
    assert panel.drawn == [(19, 25)]
    panel.click(19, 24)  # no slider moves: nothing to draw
    assert (panel.touch.row, panel.touch.column) == (19, 25)
    assert panel.drawn == [(19, 25)]


def test_a_slider_moves_the_marks_and_draws_once(shown):
    panel = Clicked(shown)
    panel.row.value = 7
    assert panel.drawn == [(7, 15)]
    assert (panel.touch.row, panel.touch.column) == (7, 15)
    assert [(mark["top"], mark["left"]) for mark in panel.touch.marks] == [
        (7, 15),
        (0, 0),
    ]


def test_the_clickable_picture_keeps_its_pixels(shown):
    panel = Clicked(shown)
    assert np.array_equal(pixels_at(panel.touch.picture), to_uint8(IMAGE))
    assert panel.touch.size == [HEIGHT, WIDTH]
    grey = Touch("click", IMAGE[:1])
    assert np.array_equal(pixels_at(grey.picture)[..., 0], to_uint8(IMAGE[:1]))


def test_the_static_picture_contains_the_marks(shown):
    panel = Clicked(shown)
    clickable, patch = re.findall(r'<img alt="([^"]+)"', panel.static["text/html"])
    assert clickable.endswith("at row 3, column 20, marked: patch, 1")
    assert patch == "The patch at row 3, column 20"
    assert len(marked(IMAGE, marks(3, 20, False)).axes[0].patches) == 2 * 3


def test_without_marks_the_pixel_itself_is_marked(shown):
    panel = Clicked(shown, marks=None)
    panel.click(4, 30)
    (mark,) = panel.touch.marks
    assert [mark[side] for side in ("top", "left", "height", "width")] == [4, 30, 1, 1]


def test_an_error_in_the_marks_is_shown_and_raised(shown):
    def breaking(row: int, column: int, grey: bool) -> list[Mark]:
        if row < 2:
            raise ValueError("these marks <break>")
        return []

    panel = Clicked(shown, marks=breaking)
    with pytest.raises(ValueError, match="these marks"):
        panel.row.value = 1
    assert "ValueError: these marks &lt;break&gt;" in panel.area.value
    with pytest.raises(ValueError, match="these marks"):
        panel.explorer.try_corners()


def test_try_corners_draws_the_marks_too(shown):
    seen = []

    def recorded(**values: Any) -> list[Mark]:
        seen.append(values)
        return marks(**values)

    panel = Clicked(shown, marks=recorded)
    seen.clear()
    assert panel.explorer.try_corners() == 9
    assert len(seen) == 9


def test_marks_differ_in_colour_and_in_dash():
    looks = [Mark(0, 0, 5, 5, style=style).look() for style in range(4)]
    assert len({colour for colour, _ in looks}) == len({dash for _, dash in looks}) == 4
    assert len(set(DASHES.values())) == 4
    state = Mark(0, 0, 5, 5, "1", style=5).state()
    assert (state["colour"], state["dash"]) == ("#D55E00", DASHES["--"])


@pytest.mark.parametrize("row", [
    Slider("Row", 0, HEIGHT, 0, 1),
    Slider("Row", -1, 5, 0, 1),
    Slider("Row", 0.0, 5.0, 0.0, 0.5),
    Toggle("Row", False),
])  # fmt: skip
def test_a_click_needs_integer_sliders_within_the_picture(row, shown):
    with pytest.raises(ValueError, match="'row' to be a Slider of integers"):
        explore(
            lambda **_: IMAGE,
            CONTROLS | {"row": row},
            "x" * 20,
            [],
            click=Clickable(IMAGE),
        )
    missing = {name: CONTROLS[name] for name in ("row", "grey")}
    with pytest.raises(ValueError, match=r"'column' to be .* got None"):
        explore(lambda **_: IMAGE, missing, "x" * 20, [], click=Clickable(IMAGE))


def test_a_bad_mark_or_picture_is_rejected():
    with pytest.raises(
        ValueError, match=r"height and width above 0.*height=0, width=5"
    ):
        Mark(3, 3, 0, 5)
    with pytest.raises(ValueError, match="image: expected float32"):
        Clickable(IMAGE.double())
    with pytest.raises(ValueError, match="a list of Mark"):
        Clickable(IMAGE, marks=lambda **_: [(1, 2, 3, 4)]).state(  # pyright: ignore
            {"row": 1, "column": 1}
        )
    with pytest.raises(ValueError, match="zoom: expected at least 1, got 0"):
        Touch("click", IMAGE, 0)


# ---- divide


def test_the_divider_has_both_pictures_and_is_linked_to_the_slider(shown, monkeypatch):
    linked = []
    monkeypatch.setattr(ipywidgets, "jslink", lambda *ends: linked.append(ends))
    before_after(IMAGE, 1 - IMAGE, ("image", "negative"), zoom=2)
    panel, static = shown
    divider, slider = panel.children
    assert linked == [((divider, "position"), (slider, "value"))]
    assert divider.position == slider.value == 0.5
    assert np.array_equal(pixels_at(divider.other), to_uint8(IMAGE))
    assert np.array_equal(pixels_at(divider.picture), to_uint8(1 - IMAGE))
    assert "a divider at {position} of the width" in divider.alt
    assert static["text/html"].count("<img") == 2


# ---- paint


def test_a_painted_mask_reaches_python(shown):
    painter = paint(IMAGE, "hole")
    assert painter.mask.dtype == torch.float32
    assert torch.equal(painter.mask, torch.zeros(1, HEIGHT, WIDTH))
    stroke = [WIDTH + 2, 3, WIDTH - 3, 3, (HEIGHT - 2) * WIDTH - 5]
    painter.touch.set_state({"runs": stroke, "row": 2, "column": 4})
    expected = torch.zeros(1, HEIGHT, WIDTH)
    expected[:, 1:3, 2:5] = 1
    assert torch.equal(painter.mask, expected)
    assert one(painter.panel, ipywidgets.IntSlider, "Column").value == 4
    said = one(painter.panel, ipywidgets.HTML).value
    assert said == painter.touch.alt == "hole: 6 of 960 pixels are painted"


@pytest.mark.parametrize("seed", range(3))
def test_setting_and_reading_a_mask_gives_the_same_mask(seed, shown):
    noise = torch.rand(1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed))
    painter = paint(IMAGE, mask=(noise > 0.5).float())
    assert torch.equal(painter.mask, (noise > 0.5).float())
    for mask in (noise > 0.9, torch.ones(1, HEIGHT, WIDTH), torch.zeros_like(noise)):
        painter.mask = mask
        assert torch.equal(painter.mask, mask.float())


def test_buttons_and_sliders_paint_erase_and_clear(shown):
    painter = paint(IMAGE)
    for label, value in {"Row": 10, "Column": 20, "Brush": 5}.items():
        one(painter.panel, ipywidgets.IntSlider, label).value = value
    assert (painter.touch.row, painter.touch.column, painter.touch.brush) == (10, 20, 5)
    press = {n: one(painter.panel, ipywidgets.Button, n).click for n in
             ("Paint", "Erase", "Clear")}  # fmt: skip
    press["Paint"]()
    assert painter.mask.sum() == 21  # a disc 5 pixels across
    assert painter.mask[0, 8, 19:22].all() and not painter.mask[0, 8, 18]
    one(painter.panel, ipywidgets.IntSlider, "Brush").value = 1
    press["Erase"]()
    assert painter.mask.sum() == 20 and painter.mask[0, 10, 20] == 0
    press["Clear"]()
    assert painter.mask.sum() == 0
    one(painter.panel, ipywidgets.IntSlider, "Row").value = 0
    one(painter.panel, ipywidgets.IntSlider, "Brush").value = 3
    press["Paint"]()
    assert painter.mask.sum() == 6  # half of it is outside the image
    one(painter.panel, ipywidgets.Checkbox).value = True
    assert painter.touch.erase


@pytest.mark.parametrize("mask", [
    torch.zeros(HEIGHT, WIDTH),
    torch.zeros(1, WIDTH, HEIGHT),
    torch.full((1, HEIGHT, WIDTH), 0.5),
])  # fmt: skip
def test_a_mask_of_another_size_or_with_grey_values_is_rejected(mask, shown):
    expected = rf"mask: expected zeros and ones of shape \(1, {HEIGHT}, {WIDTH}\), got"
    with pytest.raises(ValueError, match=expected):
        paint(IMAGE, mask=mask)
    painter = paint(IMAGE)
    with pytest.raises(ValueError, match=expected):
        painter.mask = mask


def test_the_static_picture_contains_the_mask(shown):
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, :8] = 1
    paint(IMAGE, "sky", mask=mask)
    html = shown[1]["text/html"]
    assert 'alt="sky: 320 of 960 pixels are painted"' in html
    seen = striped(IMAGE, mask)
    assert torch.equal(seen[:, 8:], IMAGE[:, 8:])
    # visible on any colour: the two kinds of stripe differ strongly
    for flat in (torch.zeros_like(IMAGE), torch.ones_like(IMAGE)):
        dark, light = striped(flat, mask)[:, 0, 0], striped(flat, mask)[:, 0, 2]
        assert (light - dark).abs().max() > 0.5
        assert (dark - flat[:, 0, 0]).abs().max() > 0.5


# ---- corners

SHAPES = {
    "whole": ((0, 0), (0, WIDTH), (HEIGHT, WIDTH), (HEIGHT, 0)),
    "narrow": ((0, 0), (0, WIDTH // 2), (HEIGHT, WIDTH // 2), (HEIGHT, 0)),
}


def test_corners_set_the_shape_and_draw_once(shown):
    drawn = []

    def render(shape: Any) -> torch.Tensor:
        drawn.append(shape)
        return IMAGE * len(drawn) / 10

    explorer = drag_corners(render, IMAGE, SHAPES, "A photograph in the shape {shape}")
    panel, static = shown
    touch, menu = one(panel, Touch), one(panel, ipywidgets.Dropdown)
    assert static["text/html"].count("<img") == len(SHAPES)
    assert touch.size == [HEIGHT, WIDTH] and touch.least == HEIGHT / 2
    drawn.clear()
    moved = [[0, 0], [0, 30], [20, 30], [20, 0]]
    touch.set_state({"corners": moved})
    assert drawn == [((0, 0), (0, 30), (20, 30), (20, 0))]
    assert np.array_equal(pixels_at(touch.picture)[..., :3], to_uint8(IMAGE / 10))
    assert "(20, 30)" in touch.alt
    menu.value = "narrow"
    assert touch.corners == [list(corner) for corner in SHAPES["narrow"]]
    assert drawn[1:] == [SHAPES["narrow"]]
    straight = one(panel, ipywidgets.Checkbox)
    assert straight.value and touch.rectangle
    assert explorer.try_corners() == 3
