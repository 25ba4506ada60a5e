"""Every figure of the course: a picture with alt text, as HTML."""

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
PAGE_WIDTH = 900  # CSS pixels: what a JupyterLab cell shows unscaled on a laptop
MAX_PANEL = 512  # CSS pixels: a single photograph need not fill the page
MAX_PNG_BYTES = 60_000  # larger ones may become JPEG: a whole chapter is <= 1 MB
STYLES = (  # Okabe and Ito's colours, each with a dash of its own: never colour alone
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
        Images are laid out side by side by `strip`.
    alt : str
        What can be seen, in at least 20 characters, for a reader who cannot see it.
    truth, crop, zoom
        As in `strip`; for images only.

    Raises
    ------
    ValueError
        If `alt` is too short, or as in `strip`.
    """
    if not isinstance(picture, Figure):
        picture = strip(picture, crop=crop, zoom=zoom, truth=truth)
    elif truth is not None or crop is not None or zoom is not None:
        raise ValueError(
            "truth, crop and zoom are for images and the picture is a finished "
            "Figure: pass them to strip(images, ...) when you make it"
        )
    display_html(figure_html(picture, alt), alt)


def display_html(html: str, plain: str) -> None:
    """Display HTML with its plain-text form, and no image beside it."""
    display({"text/html": html, "text/plain": plain}, raw=True)


def figure_html(picture: Picture, alt: str) -> str:
    """HTML ``<img>`` of a picture, its pixels inside and its alt text required.

    Parameters
    ----------
    picture : Image, dict of title to Image, or matplotlib Figure
    alt : str
        What can be seen, in at least 20 characters.

    Returns
    -------
    str
        One ``<img>`` element with a ``data:`` address (PNG, or JPEG where smaller).

    Raises
    ------
    ValueError
        If `alt` is too short.
    """
    alt = " ".join(alt.split())
    if len(alt) < MIN_ALT_CHARACTERS:
        raise ValueError(
            f"alt must say what can be seen, in at least {MIN_ALT_CHARACTERS} "
            f"characters, got {alt!r}: name what changed from one picture to the next"
        )
    figure = picture if isinstance(picture, Figure) else strip(picture)
    kind, data = _encode(figure)
    width = round(figure.get_figwidth() * 100)
    return (
        f'<img alt="{escape(alt)}" width="{width}" style="max-width:100%;height:auto" '
        f'src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'
    )


def side_by_side(blocks: Iterable[str]) -> str:
    """Blocks of HTML in a row, below one another where the page is narrow."""
    items = "".join(f'<div style="flex:1 1 12em">{block}</div>' for block in blocks)
    return f'<div style="display:flex;flex-wrap:wrap;gap:1em">{items}</div>'


def strip(
    images: Image | Mapping[str, Image],
    crop: Crop | None = None,
    zoom: int | None = None,
    truth: Image | None = None,
) -> Figure:
    """Images side by side, their pixels enlarged to squares and never smoothed.

    Parameters
    ----------
    images : Image or dict of title to Image
        Sizes may differ unless `crop` is given; all are enlarged alike, so that a
        smaller image looks smaller.
    crop : (top, left, height, width), optional
        The part to show, in pixels.
    zoom : int, optional
        Side of the square that a pixel becomes; as large as fits, up to 8, if left out.
    truth : Image, optional
        The ground truth: shown last, and each image of its size gets its PSNR on Y,
        measured on the whole image less a border of 2 pixels.

    Returns
    -------
    matplotlib.figure.Figure
        With exactly the size that its pixels need.

    Raises
    ------
    ValueError
        If there is no image, one is no image, or the crop lies outside one of them.
    """
    panels = dict(images) if isinstance(images, Mapping) else {"": images}
    if not panels:
        raise ValueError("images must hold at least one image, got none")
    for title, image in panels.items():
        check_image(
            image, name=f"images[{title!r}]" if title else "images", in_range=False
        )
    captions = [_caption(title, image, truth) for title, image in panels.items()]
    if truth is not None:
        panels["ground truth"] = truth
        captions.append("ground truth")
    pixels = [to_uint8(_cut(image, crop)) for image in panels.values()]

    gap, line_height = 10, 15
    height = max(p.shape[0] for p in pixels)
    width = max(p.shape[1] for p in pixels)
    if zoom is None:
        room = PAGE_WIDTH - gap * (len(pixels) - 1)
        fitting = min(room // (width * len(pixels)), MAX_PANEL // width)
        zoom = min(max(fitting, 1), 8)
    height, width = height * zoom, width * zoom
    captions = [_wrapped(caption, width) for caption in captions]
    title_height = line_height * max(c.count("\n") + 1 for c in captions)
    title_height = title_height + 4 if any(captions) else 0
    columns = min(max((PAGE_WIDTH + gap) // (width + gap), 1), len(pixels))
    rows = math.ceil(len(pixels) / columns)
    total_width = columns * (width + gap) - gap
    total_height = rows * (height + title_height + gap) - gap

    figure = Figure(figsize=(total_width / 100, total_height / 100), dpi=100)
    for index, (panel, caption) in enumerate(zip(pixels, captions, strict=True)):
        row, column = divmod(index, columns)
        left = column * (width + gap)
        top = row * (height + title_height + gap) + title_height
        panel_height, panel_width = panel.shape[0] * zoom, panel.shape[1] * zoom
        axes = figure.add_axes(
            (
                left / total_width,
                1 - (top + panel_height) / total_height,
                panel_width / total_width,
                panel_height / total_height,
            )
        )
        axes.set_axis_off()
        axes.imshow(
            panel, cmap="gray", vmin=0, vmax=255, aspect="auto", interpolation="nearest"
        )
        figure.text(
            left / total_width,
            1 - (top - 4) / total_height,
            caption,
            fontsize=8.5,
            va="bottom",
        )
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
        If there are more than four lines, which nobody can tell apart.
    """
    if len(lines) > len(STYLES):
        raise ValueError(
            f"lines must hold at most {len(STYLES)} curves, got {len(lines)}: "
            "draw several figures"
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
    """Display the tested library's own code where it is being taught.

    Parameters
    ----------
    thing : function, method or class
        Of this library.
    """
    code = textwrap.dedent(inspect.getsource(thing)).rstrip()
    file = thing.__module__.replace(".", "/") + ".py"
    display(Markdown(f"`{thing.__qualname__}` in `{file}`:\n```python\n{code}\n```"))


def _caption(title: str, image: Image, truth: Image | None) -> str:
    if truth is None or image.shape != truth.shape:
        return title
    return f"{title}\n{psnr_y(image, truth, shave=2):.2f} dB"


def _wrapped(caption: str, width: int) -> str:
    characters = max(width // 7, 8)
    return "\n".join(
        line for part in caption.split("\n") for line in textwrap.wrap(part, characters)
    )


def _cut(image: Image, crop: Crop | None) -> Image:
    if crop is None:
        return image
    top, left, height, width = crop
    inside = (
        min(top, left) >= 0
        and min(height, width) >= 1
        and top + height <= image.shape[1]
        and left + width <= image.shape[2]
    )
    if not inside:
        raise ValueError(
            "crop must be (top, left, height, width) inside every image, got "
            f"{crop} for one of {image.shape[1]}x{image.shape[2]}: make it smaller"
        )
    return image[:, top : top + height, left : left + width]


def _encode(figure: Figure) -> tuple[str, bytes]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    rgba = np.asarray(canvas.buffer_rgba())
    pixels = PillowImage.fromarray(np.ascontiguousarray(rgba[..., :3]))
    png = io.BytesIO()
    pixels.save(png, "PNG")
    if png.tell() <= MAX_PNG_BYTES:
        return "png", png.getvalue()
    jpeg = io.BytesIO()
    # Full-resolution chroma: a course on super-resolution must not blur its colours.
    pixels.save(jpeg, "JPEG", quality=90, subsampling=0)
    smaller = min((png, jpeg), key=lambda file: file.tell())
    return ("jpeg" if smaller is jpeg else "png"), smaller.getvalue()
