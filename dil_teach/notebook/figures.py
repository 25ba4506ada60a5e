"""Figures of the course: pictures with alt text, as HTML."""

import base64
import inspect
import io
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from IPython.display import Markdown, display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image as PillowImage

from dil_teach.image.convention import Image, check_image, to_uint8
from dil_teach.image.metrics import psnr_y

Picture = Image | Mapping[str, Image] | Figure
Crop = tuple[int, int, int, int]

MIN_ALT_CHARACTERS = 20
PAGE_WIDTH = 900  # CSS pixels: the width of a JupyterLab cell on a laptop
MAX_PANEL = 512  # CSS pixels: the largest width of a single enlarged photograph
MAX_PNG = 80_000  # characters; a larger figure may be JPEG, as a chapter has up to 1 MB
CHART_COLOURS = 256  # colours of a figure without a photograph; at most 256 in a PNG
GAP, LINE_HEIGHT = 10, 15  # CSS pixels between two panels; and for a line of a title
STYLES = (  # Okabe and Ito's colours; curves also differ in their dashes
    ("#0072B2", "-"),
    ("#D55E00", "--"),
    ("#009E73", "-."),
    ("#CC79A7", ":"),
)
CURVES: tuple[tuple[str, Any], ...] = (*STYLES, ("#000000", (0, (1, 3))))


def show(picture: Picture, alt: str, **options: Any) -> None:
    """Display a figure below the running cell.

    Parameters
    ----------
    picture : Image, dict of title to Image, or matplotlib Figure
        Images are placed side by side by :func:`strip`.
    alt : str
        A description of the picture, in at least 20 characters, for a reader who cannot
        see the picture.
    **options
        `crop`, `zoom` and `truth`, as in :func:`strip`; only for images.

    Raises
    ------
    ValueError
        If `alt` is too short, and for the reasons that :func:`strip` lists.
    """
    if isinstance(picture, Figure) and options:
        raise ValueError(f"{', '.join(options)}: pass them to strip(images, ...)")
    figure = picture if isinstance(picture, Figure) else strip(picture, **options)
    display_html(figure_html(figure, alt), alt)


def display_html(html: str, plain: str) -> None:
    """Display HTML, and plain text where HTML cannot be shown."""
    display({"text/html": html, "text/plain": plain}, raw=True)


def figure_html(picture: Picture, alt: str) -> str:
    """One HTML ``<img>`` that contains the pixels (PNG, or JPEG if the PNG is large).

    `picture` and `alt` are as in :func:`show`; a short `alt` raises a ValueError.
    """
    alt = " ".join(alt.split())
    if len(alt) < MIN_ALT_CHARACTERS:
        raise ValueError(
            f"alt: expected at least {MIN_ALT_CHARACTERS} characters, got {alt!r}; say "
            "what can be seen"
        )
    figure = picture if isinstance(picture, Figure) else strip(picture)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = PillowImage.fromarray(np.array(canvas.buffer_rgba())[..., :3])
    if not any(axes.images for axes in figure.axes):
        # A chart needs few colours; with a palette its PNG is less than half as large.
        pixels = pixels.quantize(CHART_COLOURS, dither=PillowImage.Dither.NONE)
    address = _address(pixels, "png")
    if len(address) > MAX_PNG:
        # Chroma has full resolution, so that colours are not blurred.
        jpeg = _address(pixels.convert("RGB"), "jpeg", quality=90, subsampling=0)
        address = min(address, jpeg, key=len)
    width = round(figure.get_figwidth() * 100)
    return (
        f'<img alt="{escape(alt)}" width="{width}" style="max-width:100%;height:auto" '
        f'src="{address}">'
    )


def png_address(image: Image) -> str:
    """The ``data:`` address of a PNG that contains the image's pixels."""
    return _address(PillowImage.fromarray(to_uint8(image)), "png")


def side_by_side(blocks: Iterable[str]) -> str:
    """Place blocks of HTML in a row, which wraps on a narrow page."""
    items = "".join(
        f'<div style="flex:0 1 auto;max-width:100%">{block}</div>' for block in blocks
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:1em">{items}</div>'


def strip(
    images: Image | Mapping[str, Image],
    crop: Crop | None = None,
    zoom: int | None = None,
    truth: Image | None = None,
) -> Figure:
    """Images side by side, each pixel enlarged to a square without smoothing.

    Parameters
    ----------
    images : Image or dict of title to Image
        All images are enlarged by the same factor, so a smaller image looks smaller.
    crop : (top, left, height, width), optional
        The part of each image to show, in pixels.
    zoom : int, optional
        Side of the square that shows one pixel of the image, in pixels of the figure.
        By default the largest side that fits, but at most 8.
    truth : Image, optional
        The ground truth, shown last. The title of each image of the same size shows the
        image's PSNR on Y, without a border of 2 pixels.

    Returns
    -------
    matplotlib.figure.Figure
        A figure exactly as large as the pixels and titles need.

    Raises
    ------
    ValueError
        If no image is given, a value is not an image, or `crop` is not inside an image.
    """
    panels = dict(images) if isinstance(images, Mapping) else {"": images}
    if not panels:
        raise ValueError("images: expected at least one image, got none")
    for title, image in panels.items():
        name = f"images[{title!r}]" if title else "images"
        check_image(image, name, in_range=False)
    captions = [_caption(title, image, truth) for title, image in panels.items()]
    if truth is not None:
        panels["ground truth"] = truth
        captions.append("ground truth")
    pixels = [to_uint8(_cut(image, crop)) for image in panels.values()]

    height, width = (max(p.shape[axis] for p in pixels) for axis in (0, 1))
    if zoom is None:
        room = PAGE_WIDTH - GAP * (len(pixels) - 1)
        fitting = min(room // (width * len(pixels)), MAX_PANEL // width)
        zoom = min(max(fitting, 1), 8)
    height, width = height * zoom, width * zoom
    captions = [_wrap(caption, width) for caption in captions]
    title_height = LINE_HEIGHT * max(c.count("\n") + 1 for c in captions)
    title_height = title_height + 4 if any(captions) else 0
    columns = min(max((PAGE_WIDTH + GAP) // (width + GAP), 1), len(pixels))
    rows = math.ceil(len(pixels) / columns)
    total_width = columns * (width + GAP) - GAP
    total_height = rows * (height + title_height + GAP) - GAP

    figure = Figure(figsize=(total_width / 100, total_height / 100), dpi=100)
    for index, (panel, caption) in enumerate(zip(pixels, captions, strict=True)):
        row, column = divmod(index, columns)
        left = column * (width + GAP) / total_width
        top = row * (height + title_height + GAP) + title_height
        high, wide = panel.shape[0] * zoom, panel.shape[1] * zoom
        bottom = 1 - (top + high) / total_height
        place = (left, bottom, wide / total_width, high / total_height)
        axes = figure.add_axes(place)
        axes.set_axis_off()
        greys = {"cmap": "gray", "vmin": 0, "vmax": 255}
        axes.imshow(panel, **greys, aspect="auto", interpolation="nearest")
        title_bottom = 1 - (top - 4) / total_height
        figure.text(left, title_bottom, caption, fontsize=8.5, va="bottom")
    return figure


def curves(
    lines: Mapping[str, tuple[Sequence[int | float], Sequence[int | float]]],
    xlabel: str,
    ylabel: str,
) -> Figure:
    """Curves that differ in colour and in dash, with a legend.

    Parameters
    ----------
    lines : dict of name to (x values, y values)
        At most five curves, because more are hard to tell apart; else a ValueError.
    xlabel, ylabel : str
        What the axes show, with units.
    """
    if len(lines) > len(CURVES):
        raise ValueError(f"lines: expected at most {len(CURVES)}, got {len(lines)}")
    figure = Figure(figsize=(4.6, 2.8), dpi=160, layout="constrained")
    axes = figure.add_subplot()
    for (name, (x, y)), (colour, dash) in zip(lines.items(), CURVES, strict=False):
        axes.plot(x, y, label=name, color=colour, linestyle=dash)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    if lines:
        axes.legend(frameon=False)
    return figure


def show_source(thing: Callable | type) -> None:
    """Display the source code of a function, method or class of this library."""
    code = textwrap.dedent(inspect.getsource(thing)).rstrip()
    file = thing.__module__.replace(".", "/") + ".py"
    display(Markdown(f"`{thing.__qualname__}` in `{file}`:\n```python\n{code}\n```"))


def _caption(title: str, image: Image, truth: Image | None) -> str:
    if truth is None or image.shape != truth.shape:
        return title
    return f"{title}\n{psnr_y(image, truth, shave=2):.2f} dB"


def _wrap(caption: str, width: int) -> str:
    characters = max(width // 7, 8)
    return "\n".join(
        line for part in caption.split("\n") for line in textwrap.wrap(part, characters)
    )


def _cut(image: Image, crop: Crop | None) -> Image:
    if crop is None:
        return image
    top, left, height, width = crop
    part = image[:, max(top, 0) : top + height, max(left, 0) : left + width]
    if min(height, width) < 1 or part.shape[1:] != (height, width):
        raise ValueError(
            "crop: expected (top, left, height, width) inside every image, got "
            f"{crop} for an image of {image.shape[1]} x {image.shape[2]} pixels; make "
            "the crop smaller"
        )
    return part


def _address(pixels: PillowImage.Image, kind: str, **options: int) -> str:
    """The ``data:`` address of a file of this kind that contains the pixels."""
    file = io.BytesIO()
    pixels.save(file, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
