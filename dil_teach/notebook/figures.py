"""Figures of the course: pictures with alt text, as HTML."""

import inspect
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
from dil_teach.notebook.rows import Panel, Row, address, encoded, scale_of, zoom_script

Picture = Image | Mapping[str, Image] | Row | Figure
Crop = tuple[int, int, int, int]

MIN_ALT_CHARACTERS = 20
MAX_PANEL = 512  # CSS pixels: the largest width of a single enlarged photograph
CHART_COLOURS = 256  # colours of a figure without a photograph; at most 256 in a PNG
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
    picture : Image, dict of title to Image, Row, or matplotlib Figure
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
    finished = isinstance(picture, Figure | Row)
    if finished and options:
        raise ValueError(f"{', '.join(options)}: pass them to strip(images, ...)")
    figure = picture if finished else strip(picture, **options)
    display_html(figure_html(figure, alt) + zoom_script(), alt)


def display_html(html: str, plain: str) -> None:
    """Display HTML, and plain text where HTML cannot be shown."""
    display({"text/html": html, "text/plain": plain}, raw=True)


def figure_html(picture: Picture, alt: str) -> str:
    """A picture as HTML that contains its pixels (PNG, or JPEG if the PNG is large).

    `picture` and `alt` are as in :func:`show`; a short `alt` raises a ValueError.
    """
    alt = " ".join(alt.split())
    if len(alt) < MIN_ALT_CHARACTERS:
        raise ValueError(
            f"alt: expected at least {MIN_ALT_CHARACTERS} characters, got {alt!r}; say "
            "what can be seen"
        )
    if isinstance(picture, Row):
        return picture.html(alt)
    if not isinstance(picture, Figure):
        return strip(picture).html(alt)
    drawn = FigureCanvasAgg(picture)
    drawn.draw()
    pixels = PillowImage.fromarray(np.array(drawn.buffer_rgba())[..., :3])
    if not any(axes.images for axes in picture.axes):
        # A chart needs few colours; with a palette its PNG is less than half as large.
        pixels = pixels.quantize(CHART_COLOURS, dither=PillowImage.Dither.NONE)
        source = encoded(pixels, "png")
    else:
        source = address(pixels)
    width = round(picture.get_figwidth() * 100)
    return (
        f'<img alt="{escape(alt)}" width="{width}" style="max-width:100%;height:auto" '
        f'src="{source}">'
    )


def png_address(image: Image) -> str:
    """The ``data:`` address of a PNG that contains the image's pixels."""
    return encoded(PillowImage.fromarray(to_uint8(image)), "png")


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
) -> Row:
    """Images side by side, each pixel enlarged to a square without smoothing.

    Parameters
    ----------
    images : Image or dict of title to Image
        All images are enlarged by the same factor, so a smaller image looks smaller.
    crop : (top, left, height, width), optional
        The part of each image to show, in pixels.
    zoom : int, optional
        Side of the square that shows one pixel of the image, in CSS pixels; it is
        increased if the widest image would have less than 256 CSS pixels. By default
        the images fill the page.
    truth : Image, optional
        The ground truth, shown last. The title of each image of the same size shows the
        image's PSNR on Y, without a border of 2 pixels.

    Returns
    -------
    Row

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
    files = [PillowImage.fromarray(values) for values in pixels]
    sizes = [(file.height, file.width) for file in files]
    made = zip(captions, map(address, files), sizes, strict=True)
    return Row(tuple(Panel(*facts) for facts in made), scale_of(sizes, zoom))


def canvas(image: Image, zoom: int | None = None) -> Figure:
    """An image as a figure to draw on, with axes in pixels of the image.

    Parameters
    ----------
    image : Image
        Grey or RGB.
    zoom : int, optional
        Side of the square that shows one pixel, as in :func:`strip`.
    """
    check_image(image, in_range=False)
    height, width = image.shape[1:]
    scale = scale_of([(height, width)], zoom)
    figure = Figure(figsize=(width * scale / 100, height * scale / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    greys = {"cmap": "gray", "vmin": 0, "vmax": 255}
    axes.imshow(to_uint8(image), **greys, aspect="auto", interpolation="nearest")
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
