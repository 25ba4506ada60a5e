"""Pictures in one row, at one scale, that the reader enlarges together."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from PIL import Image as PillowImage

PAGE_WIDTH = 900  # CSS pixels: the width of a JupyterLab cell on a laptop
LEAST_WIDTH = 256  # CSS pixels: a smaller picture is hard to judge
MAX_PNG = 80_000  # characters; a larger picture may be JPEG, to keep a chapter small
GAP = 10  # CSS pixels between two pictures
ZOOM = Path(__file__).with_name("zoom.js")
HELP = "Click, or press Enter, to enlarge these pictures at one point; Escape ends"


@dataclass(frozen=True)
class Panel:
    """One picture of a row."""

    caption: str
    """Text above the picture; it may have several lines."""
    address: str
    """The address of the picture: a ``data:`` address contains its pixels."""
    size: tuple[int, int]
    """Height and width of the picture in its own pixels."""


@dataclass(frozen=True)
class Row:
    """Pictures side by side; the row wraps on a narrow page."""

    panels: tuple[Panel, ...]
    scale: float
    """Size of a pixel of the pictures in CSS pixels."""

    def html(self, alt: str, alts: Sequence[str] = ()) -> str:
        """The row as HTML.

        Each picture has its own alt text of `alts`. Without `alts`, the first picture
        has the alt text of the whole row, and the others are named by their caption.
        """
        blocks = []
        for number, panel in enumerate(self.panels, 1):
            place = (
                f"{panel.caption}, picture {number} of {len(self.panels)} in this row"
            )
            words = alt if number == 1 else place.replace("\n", ", ")
            words = alts[number - 1] if alts else words
            height, width = (round(side * self.scale) for side in panel.size)
            sharp = "pixelated" if self.scale >= 1 else "auto"
            caption = escape(panel.caption).replace("\n", "<br>")
            blocks.append(
                f'<figure style="margin:0;width:{width}px;max-width:100%">'
                f'<figcaption style="font-size:13px;line-height:1.3">{caption}'
                '</figcaption><div class="dil-view" style="overflow:hidden;'
                'outline:1px solid #888;line-height:0">'
                f'<img alt="{escape(words)}" width="{width}" height="{height}" style="'
                f"max-width:100%;height:auto;margin:0;image-rendering:{sharp};"
                f'cursor:zoom-in" src="{panel.address}"></div></figure>'
            )
        return (
            f'<div class="dil-row" role="group" tabindex="0" title="{HELP}" '
            'data-lm-suppress-shortcuts="true" style="display:flex;flex-wrap:wrap;'
            f'align-items:flex-end;gap:{GAP}px;padding:2px">{"".join(blocks)}</div>'
        )


def scale_of(sizes: Sequence[tuple[int, int]], wanted: int | None) -> float:
    """The scale at which pictures of these sizes (height, width) stand in a row.

    The widest picture has at least ``LEAST_WIDTH`` CSS pixels. A scale above 1 is an
    integer, so that all pixels are equally large.

    Parameters
    ----------
    sizes : list of (int, int)
        Height and width of each picture in pixels.
    wanted : int, optional
        The scale that the caller wants. By default the pictures fill the page, up to a
        width of 512 CSS pixels each.
    """
    widest = max(width for _, width in sizes)
    least = -(-LEAST_WIDTH // widest)
    if wanted is not None:
        return max(wanted, least)
    room = (PAGE_WIDTH - GAP * (len(sizes) - 1)) / len(sizes)
    fitting = min(room, 2 * LEAST_WIDTH) / widest
    if fitting < 1:
        return max(fitting, LEAST_WIDTH / widest) if widest > LEAST_WIDTH else least
    return max(min(int(fitting), 8), least)


def zoom_script() -> str:
    """The HTML element that makes the rows of a page respond to clicks and keys."""
    return f"<script>{ZOOM.read_text(encoding='utf-8')}</script>"


def address(pixels: PillowImage.Image) -> str:
    """The ``data:`` address of a PNG with these pixels, or of a smaller JPEG."""
    found = encoded(pixels, "png", optimize=True)
    if len(found) > MAX_PNG:
        # Chroma has full resolution, so that colours are not blurred.
        jpeg = encoded(pixels, "jpeg", quality=90, subsampling=0)
        found = min(found, jpeg, key=len)
    return found


def encoded(pixels: PillowImage.Image, kind: str, **options: int) -> str:
    """The ``data:`` address of a file of this kind, such as ``"png"``."""
    file = io.BytesIO()
    pixels.save(file, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
