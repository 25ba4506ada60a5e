"""Tools of the chapters: figures with alt text, the live panel, controls."""

from dil_teach.notebook.claims import check_claims
from dil_teach.notebook.figures import curves, figure_html, show, show_source, strip
from dil_teach.notebook.live import LivePanel, scrub
from dil_teach.notebook.overlay import Clickable, Mark, Painter, paint
from dil_teach.notebook.setup import device, start
from dil_teach.notebook.widgets import (
    Choice,
    Explorer,
    Slider,
    Toggle,
    before_after,
    corners,
    enlarged,
    explore,
    upload,
    uploaded_image,
)

__all__ = [
    "Choice",
    "Clickable",
    "Explorer",
    "LivePanel",
    "Mark",
    "Painter",
    "Slider",
    "Toggle",
    "before_after",
    "check_claims",
    "corners",
    "curves",
    "device",
    "enlarged",
    "explore",
    "figure_html",
    "paint",
    "scrub",
    "show",
    "show_source",
    "start",
    "strip",
    "upload",
    "uploaded_image",
]
