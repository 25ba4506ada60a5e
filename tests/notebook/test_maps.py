"""Pictures beside maps: sizes, colours, and what is refused."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dil_teach.notebook.maps import beside_maps

PICTURE = torch.full((3, 20, 30), 0.5)


def pixels(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int)


def colour_in_the_middle(value: float, limits: tuple[float, float]) -> np.ndarray:
    drawn = pixels(beside_maps({}, {"map": torch.full((8, 8), value)}, limits, "dB"))
    return drawn[drawn.shape[0] // 2, 132]


def test_signs_have_two_colours_and_zero_is_white() -> None:
    better, equal, worse = (colour_in_the_middle(v, (-6, 6)) for v in (-6, 0, 6))
    assert better[2] > better[1] + 40  # purple
    assert worse[0] > worse[2] + 40  # orange
    assert equal.min() > 235
    assert (colour_in_the_middle(100, (-6, 6)) == worse).all()


def test_a_smaller_map_lies_in_the_middle_of_a_grey_panel() -> None:
    figure = beside_maps({"a": PICTURE}, {"b": torch.ones(10, 20)}, (0, 1), "errors")
    drawn = pixels(figure)
    row, start = drawn.shape[0] // 2, 264 + 8
    edge, inside = drawn[row, start + 10], drawn[row, start + 132]
    assert np.ptp(edge) == 0 and (edge == 0xBB).all()
    assert np.ptp(inside) > 60
    assert [text.get_text() for text in figure.texts] == ["a", "b"]


def test_a_missing_value_is_grey() -> None:
    assert (colour_in_the_middle(float("nan"), (0, 1)) == 0xBB).all()


@pytest.mark.parametrize(
    ("maps", "limits"), [({}, (0, 1)), ({"a": torch.ones(4, 4)}, (1, 1))]
)
def test_no_map_and_no_range_are_refused(maps: dict, limits: tuple) -> None:
    with pytest.raises(ValueError, match="expected a map and rising limits"):
        beside_maps({"a": PICTURE}, maps, limits, "errors")
