"""Diagrams of networks."""

from dil_teach.course.diagrams import diagram, ingan_diagram
from dil_teach.notebook.figures import figure_html


def test_each_box_and_arrow_is_drawn_inside_the_figure():
    boxes = {"a": (0, 0, "one\ntwo"), "*b": (1.5, 1, "three")}
    figure = diagram(boxes, [("a", "*b", "beside")])
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == [
        "one\ntwo",
        "three",
        "",
        "beside",
    ]
    figure_html(figure, "Two boxes and one arrow between them")
    for text in ingan_diagram().axes[0].texts:
        assert text.get_fontsize() / 72 * 100 >= 12
