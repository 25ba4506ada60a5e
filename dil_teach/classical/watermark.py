"""Watermark estimation by total variation, after Dekel, Rubinstein, Liu and Freeman,
'On the Effectiveness of Visible Watermarks', CVPR 2017.

The model of each marked image is I = (1 - a) clean + a c, with an opacity a at each
pixel and one colour c. All images have the same mark, so the median of their gradients
is the gradient of the mark. The first estimate of the opacity is the integral of this
gradient. Opacity and colour then minimise

    TV((I - a c) / (1 - a)) + opacity weight * TV(a) + 5 * (values outside [0, 1]).

In one image, a mark cannot be told from other pale strokes, so the caller may say which
pixels it covers. On the practice scenes, this gains 3 to 5 dB for one image.

Departures: we use gradient descent on opacity and colour together, instead of
alternating least squares; the mark has one colour, and the same place in all images.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.fft import dctn, idctn
from scipy.ndimage import binary_dilation
from skimage.filters import apply_hysteresis_threshold
from skimage.measure import label, regionprops
from torch import Tensor

from dil_teach.image.convention import Video
from dil_teach.training.adam import Adam
from dil_teach.training.schedules import schedule, set_learning_rate, update

Box = tuple[int, int, int, int]
"""Row, column, height and width in pixels."""

STEPS, RATE = 400, 0.05
"""Number of Adam steps; learning rate, which falls in the second half of the steps."""
START_COLOUR, START_OPACITY, LEAST_START = 0.8, 0.3, 0.06
"""Grey value, and opacity where the outline is 1, before the first step. The outline is
at least ``LEAST_START``, so that the opacity can grow everywhere."""
OUTLINE_QUANTILE, OPACITY_QUANTILE = 0.98, 0.995
"""The outline's value inside the mark is estimated by the first of these quantiles, and
the opacity inside the mark by the second."""
OPACITY_WEIGHT = 0.15
"""The opacity's variation is multiplied by this number divided by the number of images.
For three images, a weight of 0.05 was better than 0.1 and 0.2 on practice images."""
RANGE_WEIGHT = 5
"""Weight of the penalty for values of the clean images outside [0, 1]."""
LEAST_LIGHT = 0.05
"""Minimum of the divisor 1 - opacity when the clean images are computed."""
MOST_WHOLE, FINE_STEPS = 128 * 128, 100
"""For images with more pixels, the mark is first found on copies with this number of
pixels; then this number of steps at full size sharpens it. Many steps at full size make
the opacity of wide strokes too low, because a lower opacity also weakens the texture
below them. With 400 steps, three photographs of 480 x 480 pixels under a wide mark had
2.8 dB less, and three of 384 x 512 pixels under thin letters had the same 32.8 dB."""
SURE, LIKELY = 0.4, 0.15
"""Hysteresis thresholds, as fractions of the full opacity: a pixel is in the mark if it
is above ``SURE``, or above ``LIKELY`` and connected to a pixel above ``SURE``."""

CELLS, CONCENTRATED, PART, MARGIN = 64, 3, 0.1, 2
"""For :func:`likely_box`: largest number of cells along a side of the grid; the mean
opacity of the first box is at least this many times that of the picture; a part of the
mark has at least this fraction of its opacity; pixels of margin. With nine rendered
marks on two to four photographs of 112 and 128 pixels, all boxes contain the mark; they
have up to 1.6 times its area, and one 2.9 times. With one photograph, only two of eight
did: the opacity of one photograph does not show where its mark is."""


def watermark_by_total_variation(
    images: Video,
    box: Box | None = None,
    outline: Float[Tensor, "1 _h _w"] | None = None,
) -> tuple[Float[Tensor, "1 h w"], Float[Tensor, " c"]]:
    """Estimate the opacity and the colour of the watermark that images share.

    Parameters
    ----------
    images : Video
        Float[Tensor, "n c h w"] in [0, 1], with the same mark at the same place.
    box : (int, int, int, int), optional
        Row, column, height and width around the mark; by default the whole image.
    outline : Float[Tensor, "1 h w"], optional
        A mask that is 1 in the mark and may include a border of a few pixels, if it is
        known where the mark is. Then the box is ignored.

    Returns
    -------
    opacity : Float[Tensor, "1 h w"]
        The opacity in [0, 1); exactly 0 outside the mark.
    colour : Float[Tensor, "c"]
        In [0, 1].
    """
    colour = images.new_full((images.shape[1],), START_COLOUR)
    if outline is not None:
        start = START_OPACITY * torch.ones_like(outline)
        first = _descend(images, start, colour, outline, STEPS)
        return _descend(images, *first, outline, STEPS)
    box = box or (0, 0, images.shape[-2], images.shape[-1])
    inside = torch.zeros_like(images[0, :1])
    inside[_part(box)] = 1
    start = START_OPACITY * common_outline(images, box).clamp(LEAST_START, 1)
    if inside.numel() <= MOST_WHOLE:
        return _descend_twice(images, start, colour, inside)
    size = [
        math.ceil(math.sqrt(MOST_WHOLE / inside.numel()) * side)
        for side in inside.shape[-2:]
    ]
    several = (images, start[None], inside[None])
    copies, start, part = (F.interpolate(x, size, mode="area") for x in several)
    found, colour = _descend_twice(copies, start[0], colour, (part[0] > 0.5).to(part))
    opacity = F.interpolate(found[None], inside.shape[-2:], mode="bilinear")[0]
    return _descend(images, opacity, colour, inside * _mark(opacity), FINE_STEPS)


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


def common_outline(images: Video, box: Box) -> Float[Tensor, "1 h w"]:
    """The outline of the mark: 0 on the box's border, about 1 inside the mark.

    The result is the integral of the median of the images' gradients (Dekel et al.,
    section 3.1). Its channels are reduced to one by the first singular vector.
    """
    part = images[_part(box)].cpu()
    across = F.pad(part.diff(dim=-1), (0, 1)).median(0).values
    down = F.pad(part.diff(dim=-2), (0, 0, 0, 1)).median(0).values
    drawn = np.stack([_integrate(*g) for g in zip(across, down, strict=True)])
    border = [drawn[:, 0], drawn[:, -1], drawn[:, :, 0], drawn[:, :, -1]]
    drawn = drawn - np.median(np.concatenate(border, 1), 1)[:, None, None]
    left, _, right = np.linalg.svd(drawn.reshape(len(drawn), -1), full_matrices=False)
    # take the sign of a bright mark; gradient descent also finds dark marks
    shape = right[0].reshape(drawn.shape[1:]) * (1 if left[:, 0].sum() >= 0 else -1)
    scaled = shape / max(np.quantile(np.abs(shape), OUTLINE_QUANTILE), 1e-6)
    outline = torch.zeros_like(images[0, :1])
    outline[_part(box)] = torch.from_numpy(scaled).to(images)
    return outline


def _part(box: Box) -> tuple:
    """An index that selects the pixels in a box."""
    row, column, height, width = box
    return ..., slice(row, row + height), slice(column, column + width)


def without_mark(
    images: Video, opacity: Float[Tensor, "1 h w"], colour: Float[Tensor, " c"]
) -> Video:
    """The clean images in closed form: ``(I - a colour) / (1 - a)``."""
    colour = colour[:, None, None]
    return (images - opacity * colour) / (1 - opacity).clamp_min(LEAST_LIGHT)


def mark_variation(
    images: Video, opacity: Float[Tensor, "1 h w"], colour: Float[Tensor, " c"]
) -> Float[Tensor, ""]:
    """The objective, as in this module's formula."""
    left = without_mark(images, opacity, colour)
    outside = ((-left).relu() + (left - 1).relu()).mean()
    weight = OPACITY_WEIGHT / len(images)
    return _variation(left) + weight * _variation(opacity) + RANGE_WEIGHT * outside


def _variation(image: Tensor) -> Tensor:
    steps = [image.diff(dim=dim).square() for dim in (-1, -2)]
    return torch.stack([(step + 1e-6).sqrt().mean() for step in steps]).sum()


def _descend_twice(
    images: Video, opacity: Tensor, colour: Tensor, inside: Tensor
) -> tuple[Float[Tensor, "1 h w"], Float[Tensor, " c"]]:
    """The opacity and the colour; the second descent uses the mark's pixels only."""
    opacity, colour = _descend(images, opacity, colour, inside, STEPS)
    return _descend(images, opacity, colour, inside * _mark(opacity), STEPS)


def _descend(
    images: Video, opacity: Tensor, colour: Tensor, inside: Tensor, steps: int
) -> tuple[Float[Tensor, "1 h w"], Float[Tensor, " c"]]:
    window = (...,) if inside.numel() <= MOST_WHOLE else _window(inside)
    part, images = inside[window], images[window]
    share = part.numel() / inside.numel()  # the means are over this part of the pixels
    start = opacity[window], colour
    logits = [x.clamp(0.02, 0.98).logit().requires_grad_() for x in start]
    optimizer = Adam(logits)
    for step in range(steps):
        set_learning_rate(optimizer, RATE * schedule(step / steps, decay=0.5))
        loss = mark_variation(images, part * logits[0].sigmoid(), logits[1].sigmoid())
        update(optimizer, share * loss)
    found = torch.zeros_like(inside)
    found[window] = part * logits[0].detach().sigmoid()
    return found, logits[1].detach().sigmoid()


def _window(inside: Float[Tensor, "1 h w"]) -> tuple:
    """An index that selects the smallest box around a mask, and a pixel around it.

    Outside this box, the objective is constant.
    """
    sides = [(inside[0] > 0).any(axis).nonzero()[:, 0] for axis in (1, 0)]
    if not len(sides[0]):
        return (...,)
    ranges = [(max(int(s[0]) - 1, 0), int(s[-1]) + 2) for s in sides]
    return ..., *(slice(*each) for each in ranges)


def _mark(opacity: Float[Tensor, "1 h w"]) -> Float[Tensor, "1 h w"]:
    """A mask of the mark and a border of one pixel, which may be partly covered."""
    values = opacity[0].cpu().numpy()
    full = np.quantile(values, OPACITY_QUANTILE)
    found = apply_hysteresis_threshold(values, LIKELY * full, SURE * full)
    return torch.from_numpy(binary_dilation(found))[None].to(opacity)


def _integrate(across: Float[Tensor, "h w"], down: Float[Tensor, "h w"]) -> np.ndarray:
    """The image whose pixel differences are closest to the given ones (least squares).

    The cosine transform solves the Poisson equation.
    """
    divergence = across.numpy().astype(float) + down.numpy()
    divergence[:, 1:] -= across.numpy()[:, :-1]
    divergence[1:] -= down.numpy()[:-1]
    rows, columns = (2 * np.cos(np.pi * np.arange(n) / n) - 2 for n in across.shape)
    eigenvalues = rows[:, None] + columns
    eigenvalues[0, 0] = 1
    spectrum = dctn(divergence, norm="ortho") / eigenvalues
    spectrum[0, 0] = 0
    return np.asarray(idctn(spectrum, norm="ortho"))
