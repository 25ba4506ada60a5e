"""A proposal for the box around a watermark, from the opacity of several images."""

import numpy as np
from jaxtyping import Float
from skimage.measure import label, regionprops
from torch import Tensor

from dil_teach.classical.watermark.border import OPACITY_QUANTILE

Box = tuple[int, int, int, int]
"""Row, column, height and width in pixels."""

CELLS, CONCENTRATED, PART, MARGIN = 64, 3, 0.1, 2
"""Largest number of cells along a side of the grid; the mean
opacity of the first box is at least this many times that of the picture; a part of the
mark has at least this fraction of its opacity; pixels of margin. With nine rendered
marks on two to four photographs of 112 and 128 pixels, all boxes contain the mark; they
have up to 1.6 times its area, and one 2.9 times. With one photograph, only two of eight
did: the opacity of one photograph does not show where its mark is."""
SURE = 0.4
"""A part of the mark is above this fraction of the full opacity."""


def likely_box(opacity: Float[Tensor, "1 h w"]) -> Box:
    """A proposal for the mark's box: where an opacity from several images concentrates.

    It begins with the box on a grid that has the largest sum of (opacity -
    ``CONCENTRATED`` * mean opacity), and grows by the connected parts that overlap it.
    """
    values = opacity[0].cpu().double().numpy()
    first, last, core = _densest_cells(values)
    sure = values > SURE * np.quantile(values, OPACITY_QUANTILE)
    parts = [
        (p.intensity_mean * p.area, p.bbox) for p in regionprops(label(sure), values)
    ]
    for mass, bounds in sorted(parts, reverse=True):
        start, end = np.array(bounds[:2]), np.array(bounds[2:])
        if mass >= PART * core and (start < last).all() and (first < end).all():
            first, last = np.minimum(first, start), np.maximum(last, end)
    top, left = np.maximum(first - MARGIN, 0).tolist()
    bottom, right = np.minimum(last + MARGIN, values.shape).tolist()
    return top, left, bottom - top, right - left


def _densest_cells(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The first and the last row and column of the densest box, and its sum."""
    cell = -(-max(values.shape) // CELLS)
    padded = np.pad(values, [(0, -side % cell) for side in values.shape])
    height, width = (side // cell for side in padded.shape)
    cells = padded.reshape(height, cell, width, cell).sum((1, 3))
    excess = cells - CONCENTRATED * cells.mean()
    above = np.vstack([np.zeros(width), excess.cumsum(0)])
    best = (-np.inf, 0, 0, 0, 0)
    for top in range(height):
        # a row for each bottom of the box: the sums of all columns up to each column
        sums = np.pad((above[top + 1 :] - above[top]).cumsum(1), ((0, 0), (1, 0)))
        gain = sums[:, 1:] - np.minimum.accumulate(sums[:, :-1], 1)
        row, right = np.unravel_index(gain.argmax(), gain.shape)
        left = sums[row, : right + 1].argmin()
        best = max(best, (gain[row, right], top, left, top + row + 1, right + 1))
    top, left, bottom, right = best[1:]
    first, last = cell * np.array([top, left]), cell * np.array([bottom, right])
    return first, last, float(cells[top:bottom, left:right].sum())
