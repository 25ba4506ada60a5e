"""Figures of the course: pictures with alt text, as HTML."""

import base64
import inspect
import io
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape

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
PAGE_WIDTH = 900  # CSS pixels: a JupyterLab cell on a laptop, without scaling
MAX_PANEL = 512  # CSS pixels: the largest width of a single enlarged photograph
MAX_PNG_BYTES = 60_000  # a larger figure may become JPEG; a chapter has at most 1 MB
GAP, LINE_HEIGHT = 10, 15  # CSS pixels: between two panels, and for a line of title
STYLES = (  # Okabe and Ito's colours, each with its own dash: never colour alone
    ("#0072B2", "-"),
    ("#D55E00", "--"),
    ("#009E73", "-."),
    ("#CC79A7", ":"),
)


def show(
    picture: Picture,
    alt: str,
    truth: Image | None = None,
    crop: Crop | None = None,
    zoom: int | None = None,
) -> None:
    """Display a figure below the running cell.

    Parameters
    ----------
    picture : Image, dict of title to Image, or matplotlib Figure
        :func:`strip` places images side by side.
    alt : str
        What can be seen, in at least 20 characters, for a reader who cannot see it.
    truth, crop, zoom
        As in :func:`strip`; for images only.

    Raises
    ------
    ValueError
        If `alt` is too short, or as in :func:`strip`.
    """
    if not isinstance(picture, Figure):
        picture = strip(picture, crop=crop, zoom=zoom, truth=truth)
    elif truth is not None or crop is not None or zoom is not None:
        raise ValueError(
            "truth, crop and zoom: expected none of them with a finished Figure, got "
            "one; pass them to strip(images, ...), which makes the figure"
        )
    display_html(figure_html(picture, alt), alt)


def display_html(html: str, plain: str) -> None:
    """Display HTML together with its plain text."""
    display({"text/html": html, "text/plain": plain}, raw=True)


def figure_html(picture: Picture, alt: str) -> str:
    """One HTML ``<img>`` that contains the pixels and the required alt text.

    Parameters
    ----------
    picture, alt
        As in :func:`show`.

    Returns
    -------
    str
        ``<img>`` with a ``data:`` address (PNG, or JPEG if the PNG is too large).

    Raises
    ------
    ValueError
        If `alt` is too short.
    """
    alt = " ".join(alt.split())
    if len(alt) < MIN_ALT_CHARACTERS:
        raise ValueError(
            f"alt: expected at least {MIN_ALT_CHARACTERS} characters, got {alt!r}; say "
            "what can be seen, and what changes from one picture to the next"
        )
    figure = picture if isinstance(picture, Figure) else strip(picture)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = PillowImage.fromarray(np.array(canvas.buffer_rgba())[..., :3])
    kind, data = "png", _encode(pixels, "PNG")
    if len(data) > MAX_PNG_BYTES:
        # JPEG with full-resolution chroma: colours must not be blurred.
        jpeg = _encode(pixels, "JPEG", quality=90, subsampling=0)
        if len(jpeg) < len(data):
            kind, data = "jpeg", jpeg
    width = round(figure.get_figwidth() * 100)
    return (
        f'<img alt="{escape(alt)}" width="{width}" style="max-width:100%;height:auto" '
        f'src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'
    )


def png_address(image: Image) -> str:
    """The image's pixels as a PNG in a ``data:`` address."""
    data = _encode(PillowImage.fromarray(to_uint8(image)), "PNG")
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def side_by_side(blocks: Iterable[str]) -> str:
    """Blocks of HTML in a row; a narrow page wraps them."""
    items = "".join(f'<div style="flex:1 1 12em">{block}</div>' for block in blocks)
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
        Sizes may differ unless `crop` is given. All images are enlarged by the same
        factor, so a smaller image looks smaller.
    crop : (top, left, height, width), optional
        The part to show, in pixels.
    zoom : int, optional
        Side of the square that shows a pixel; by default the largest that fits, up to
        8.
    truth : Image, optional
        The ground truth. It is shown last, and the PSNR on Y of each image of the same
        size is printed above it; the PSNR ignores a border of 2 pixels.

    Returns
    -------
    matplotlib.figure.Figure
        Exactly as large as its pixels and titles need.

    Raises
    ------
    ValueError
        If there is no image, a value is not an image, or the crop is not inside all.
    """
    panels = dict(images) if isinstance(images, Mapping) else {"": images}
    if not panels:
        raise ValueError("images: expected at least one image, got none; add one")
    for title, image in panels.items():
        check_image(
            image, name=f"images[{title!r}]" if title else "images", in_range=False
        )
    captions = [_caption(title, image, truth) for title, image in panels.items()]
    if truth is not None:
        panels["ground truth"] = truth
        captions.append("ground truth")
    pixels = [to_uint8(_cut(image, crop)) for image in panels.values()]

    height = max(p.shape[0] for p in pixels)
    width = max(p.shape[1] for p in pixels)
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
        panel_height, panel_width = panel.shape[0] * zoom, panel.shape[1] * zoom
        bottom = 1 - (top + panel_height) / total_height
        axes = figure.add_axes(
            (left, bottom, panel_width / total_width, panel_height / total_height)
        )
        axes.set_axis_off()
        axes.imshow(
            panel, cmap="gray", vmin=0, vmax=255, aspect="auto", interpolation="nearest"
        )
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
        At most four.
    xlabel, ylabel : str
        With their units.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are more than four lines, which are hard to tell apart.
    """
    if len(lines) > len(STYLES):
        raise ValueError(
            f"lines: expected at most {len(STYLES)} curves, got {len(lines)}; draw "
            "several figures"
        )
    figure = Figure(figsize=(4.6, 2.8), dpi=160, layout="constrained")
    axes = figure.add_subplot()
    for (name, (x, y)), (colour, dash) in zip(lines.items(), STYLES, strict=False):
        axes.plot(x, y, label=name, color=colour, linestyle=dash)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
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
            f"{crop} for one of {image.shape[1]}x{image.shape[2]}; make it smaller"
        )
    return part


def _encode(pixels: PillowImage.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    pixels.save(file, kind, **options)
    return file.getvalue()
