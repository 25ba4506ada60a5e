"""Figures of pictures beside maps of their pixels, with one colour bar."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Shaped
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from dil_teach.image.convention import Image, to_uint8

PANEL = 264  # CSS pixels: side of a panel
GAP, BAR, TITLE, MARGIN = 8, 78, 36, 4  # CSS pixels
NO_VALUE = "#BBBBBB"  # grey: pixels without a value
DIVERGING, SEQUENTIAL = "PuOr_r", "cividis"
"""Colour-safe palettes: for values of both signs, and for values from 0 upwards."""


def beside_maps(
    pictures: Mapping[str, Image],
    maps: Mapping[str, Shaped[Tensor, "_h _w"]],
    limits: tuple[float, float],
    label: str,
) -> Figure:
    """Pictures and maps in a row, all at one scale, with a colour bar of the maps.

    Parameters
    ----------
    pictures : dict of title to Image
        Grey or RGB, in [0, 1].
    maps : dict of title to Tensor
        At least one map. A picture or map that is smaller than the others is drawn in
        the middle of a grey panel.
    limits : (float, float)
        The values of the first and the last colour; values beyond have these colours.
        If the first is below 0, the colours go from purple over white to orange.
    label : str
        What the colours mean, with the unit.

    Raises
    ------
    ValueError
        If there is no map, or the limits do not rise.
    """
    if not maps or limits[0] >= limits[1]:
        raise ValueError(f"expected a map and rising limits, got {len(maps)}, {limits}")
    panels = [*pictures.values(), *maps.values()]
    height, width = (max(panel.shape[axis] for panel in panels) for axis in (-2, -1))
    side = PANEL / max(height, width)
    norm = Normalize(*limits)
    palette = colormaps[DIVERGING if limits[0] < 0 else SEQUENTIAL]
    palette = palette.with_extremes(bad=NO_VALUE)
    wide, high = width * side, height * side
    total = len(panels) * (wide + GAP) + BAR
    tall = TITLE + high + MARGIN
    figure = Figure(figsize=(total / 100, tall / 100), dpi=100)
    for place, (title, panel) in enumerate([*pictures.items(), *maps.items()]):
        left = place * (wide + GAP)
        axes = figure.add_axes(
            (left / total, MARGIN / tall, wide / total, high / tall), facecolor=NO_VALUE
        )
        axes.set(xticks=[], yticks=[])
        rows, columns = panel.shape[-2:]
        top, start = (height - rows) / 2 - 0.5, (width - columns) / 2 - 0.5
        extent = (start, start + columns, top + rows, top)
        if place < len(pictures):
            shown = to_uint8(panel.detach().cpu())
            axes.imshow(shown, cmap="gray", vmin=0, vmax=255, extent=extent)
        else:
            values = np.asarray(panel.detach().cpu(), dtype=float)
            axes.imshow(values, cmap=palette, norm=norm, extent=extent)
        axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
        figure.text(left / total, 1 - (TITLE - 4) / tall, title, fontsize=9)
    place = ((total - BAR + 6) / total, MARGIN / tall, 14 / total, high / tall)
    bar = figure.colorbar(ScalarMappable(norm, palette), figure.add_axes(place))
    bar.ax.tick_params(labelsize=9)
    bar.set_label(label, fontsize=9)
    return figure
