"""Tools of the chapters: figures with alt text, the live panel, controls."""

# ruff: noqa: F401

from dil_teach.notebook.claims import check_claims
from dil_teach.notebook.drag import drag_corners
from dil_teach.notebook.figures import curves, figure_html, show, show_source, strip
from dil_teach.notebook.live import LivePanel, scrub
from dil_teach.notebook.maps import beside_maps
from dil_teach.notebook.overlay import Clickable, Mark, paint
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
