"""Watermark estimation by total variation, after Dekel, Rubinstein, Liu and Freeman,
'On the Effectiveness of Visible Watermarks', CVPR 2017.

The model of each marked image is I = (1 - a) clean + a c, with an opacity a at each
pixel and one colour c. All images have the same mark, so the median of their gradients
is the gradient of the mark. The first estimate of the opacity is the integral of this
gradient. Opacity and colour then minimise

    TV((I - a c) / (1 - a)) + opacity weight * TV(a) + 5 * (values outside [0, 1]).

This objective alone prefers an opacity that is too low, because a lower opacity weakens
the texture below the mark. If the clean image's gradients have a Laplace density, the
density of the marked image has a factor 1 / (1 - a) at each pixel, by the change of
variables. Its negative logarithm, log(1 - a), is therefore added, multiplied by the
mean gradient of the surroundings. Then the minimum is at the true opacity if the
texture below the mark is like that around it. A descent from a dark colour also finds
dark marks.

Many marks are graphics, whose opacity is constant up to sharp edges. On images
larger than the first copy, the mean of log(1 + |gradient of a| / 0.005), multiplied by
a weight, is therefore added: it makes small changes of the opacity costly, and large
ones hardly more costly. After each descent on such images, the pixels on both sides of
the mark's border determine its full opacity and its colour (:mod:`.border`).

In one image, a mark cannot be told from other pale strokes, so the caller may say which
pixels it covers. On the practice scenes, this gains 3 to 5 dB for one image.

Departures: we use gradient descent on opacity and colour together, instead of
alternating least squares; the mark has one colour, and the same place in all images;
the density of the marked image, the flatness and the fit to the border are ours.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.fft import dctn, idctn
from scipy.ndimage import binary_dilation
from skimage.filters import apply_hysteresis_threshold
from torch import Tensor

from dil_teach.classical.watermark.border import OPACITY_QUANTILE, fit_to_border
from dil_teach.classical.watermark.box import SURE, Box
from dil_teach.image.convention import Video
from dil_teach.training.adam import Adam
from dil_teach.training.schedules import schedule, set_learning_rate, update

STEPS, RATE = 400, 0.05
"""Number of Adam steps; learning rate, which falls in the second half of the steps."""
START_COLOUR, START_OPACITY, LEAST_START = 0.8, 0.3, 0.06
"""Grey value, and opacity where the outline is 1, before the first step; the value of a
dark mark is ``1 - START_COLOUR``. The outline is at least ``LEAST_START``, so that the
opacity can grow everywhere."""
OUTLINE_QUANTILE = 0.98
"""The outline's value inside the mark is estimated by this quantile."""
NEARLY_FULL = 0.8
"""Fraction of the full opacity; see :func:`_evidence`."""
NEAR, RENEWED, SEVERAL = 17, 10, 3
"""The side of the surroundings in pixels; they are measured again after this number of
steps; the smallest number of images for which log(1 - a) is added. (With one image and
with two, the texture below the mark is too often unlike that around it: results of
practice images are up to 2.8 dB worse.) On two times three practice photographs of 480
pixels under wide strokes, the texture of the surroundings gains 9.2 and 5.4 dB, and
that of the whole picture 6.3 and 5.3 dB."""
OPACITY_WEIGHT = 0.15
"""The opacity's variation is multiplied by this number divided by the number of images.
For three images, a weight of 0.05 was better than 0.1 and 0.2 on practice images."""
FLATNESS, SMALL_STEP = 8, 0.005
"""Weight of the penalty for small changes of the opacity, divided by the number of
images, and the change that is small. On three times three practice photographs of 480
pixels, it gains 0.5 to 3.2 dB for a mark of three opacities, and 2.3 to 4.6 dB for dark
letters; a soft mark, enlarged from a small one, loses 0.5 to 1.7 dB. On the copies of
128 pixels, the penalty loses up to 2 dB, so it is not used there."""
RANGE_WEIGHT = 5
"""Weight of the penalty for values of the clean images outside [0, 1]."""
LEAST_LIGHT = 0.05
"""Minimum of the divisor 1 - opacity when the clean images are computed."""
MOST_WHOLE, FINE_STEPS = 128 * 128, 100
"""For images with more pixels, the mark is first found on copies with this number of
pixels; then this number of steps sharpens it at each size, up to the full one, and once
more at the full one. Sizes between the first and the full one gain 0.3 dB on the mean
of three marks on two times three practice photographs of 480 pixels."""
LIKELY = 0.15
"""Hysteresis thresholds, as fractions of the full opacity: a pixel is in the mark if it
is above ``SURE``, or above ``LIKELY`` and connected to a pixel above ``SURE``."""


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
    if outline is not None:
        shape = (outline > 0).to(outline)
        starts = ((shape, START_COLOUR), (shape, 1 - START_COLOUR))
        first = _best_start(images, starts, outline)
        return _descend(images, *first, outline, STEPS)
    box = box or (0, 0, images.shape[-2], images.shape[-1])
    inside = torch.zeros_like(images[0, :1])
    inside[_part(box)] = 1
    drawn = common_outline(images, box)
    if inside.numel() <= MOST_WHOLE:
        return _find(images, drawn, inside)
    small, *larger = _sizes(inside.shape[-2:])
    several = (images, drawn[None], inside[None])
    copies, drawn, part = (F.interpolate(x, small, mode="area") for x in several)
    opacity, colour = _find(copies, drawn[0], (part[0] > 0.5).to(part))
    for size in (*larger, larger[-1]):
        opacity = F.interpolate(opacity[None], size, mode="bilinear")[0]
        copies, part = (
            F.interpolate(x, size, mode="area") for x in (images, inside[None])
        )
        part = (part[0] > 0.5) * _mark(opacity)
        opacity, colour = _descend(
            copies, opacity, colour, part, FINE_STEPS, flatness=FLATNESS
        )
        if len(images) > 1:  # with one image, it loses 0.7 dB on practice photographs
            opacity, colour = fit_to_border(copies, opacity, colour)
    return opacity, colour


def _sizes(full: Sequence[int]) -> list[tuple[int, int]]:
    """Heights and widths from about ``MOST_WHOLE`` pixels to the full size.

    Each is at most twice the one before.
    """
    shrink = math.sqrt(MOST_WHOLE / math.prod(full))
    count = math.ceil(-math.log2(shrink))
    factors = (shrink ** (k / count) for k in range(count, -1, -1))
    return [(math.ceil(f * full[0]), math.ceil(f * full[1])) for f in factors]


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
    # positive where the mark makes the images brighter
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


def _texture_around(
    images: Video, opacity: Tensor, colour: Tensor
) -> Float[Tensor, "1 h w"]:
    """The mean gradient of the clean images' surroundings: the weight of log(1 - a).

    It is multiplied by the opacity, relative to that of the mark: otherwise, faint
    structures of the images that look like a mark would become stronger.
    """
    left = without_mark(images, opacity, colour)
    across, down = (left.diff(dim=dim).abs().mean((0, 1)) for dim in (-1, -2))
    size = F.pad(across, (0, 1)) + F.pad(down, (0, 0, 0, 1))
    size = F.avg_pool2d(size[None], NEAR, 1, NEAR // 2, count_include_pad=False)
    typical = opacity.square().sum() / opacity.sum().clamp_min(1e-6)
    return size * (opacity / typical.clamp_min(1e-6)).clamp_max(1)


def _variation(image: Tensor) -> Tensor:
    steps = [image.diff(dim=dim).square() for dim in (-1, -2)]
    return torch.stack([(step + 1e-6).sqrt().mean() for step in steps]).sum()


def _flatness(opacity: Float[Tensor, "1 h w"]) -> Tensor:
    """Small for an opacity that is constant up to sharp edges; a concave penalty."""
    steps = [opacity.diff(dim=dim).abs() for dim in (-1, -2)]
    return torch.stack([(step / SMALL_STEP).log1p().mean() for step in steps]).sum()


def _find(
    images: Video, drawn: Tensor, inside: Tensor
) -> tuple[Float[Tensor, "1 h w"], Float[Tensor, " c"]]:
    """The opacity and the colour; the last descent uses the mark's pixels only."""
    starts = [(drawn, START_COLOUR)]
    if len(images) > 1:  # the strokes of one image may be dark without a mark
        starts.append((-drawn, 1 - START_COLOUR))
    opacity, colour = _best_start(images, starts, inside)
    return _descend(images, opacity, colour, inside * _mark(opacity), STEPS)


def _best_start(
    images: Video, starts: Sequence[tuple[Tensor, float]], inside: Tensor
) -> tuple[Float[Tensor, "1 h w"], Float[Tensor, " c"]]:
    """The descent with the most evidence of a mark, of several starts.

    Each start is an outline and a grey value.
    """
    found = []
    for shape, grey in starts:
        opacity = START_OPACITY * shape.clamp(LEAST_START, 1)
        colour = images.new_full((images.shape[1],), grey)
        found.append(_descend(images, opacity, colour, inside, STEPS, known=False))
    return max(found, key=lambda each: _evidence(images, *each))


def _evidence(
    images: Video, opacity: Float[Tensor, "1 h w"], colour: Float[Tensor, " c"]
) -> float:
    """What a mark gains in the objective, times the share of its nearly full opacity.

    The opacity of a mark is nearly constant, and that of a structure that the images
    share is not.
    """
    nothing = torch.zeros_like(opacity)
    without, with_mark = (
        mark_variation(images, each, colour).item() for each in (nothing, opacity)
    )
    values = opacity.cpu().numpy()
    full = values > NEARLY_FULL * np.quantile(values, OPACITY_QUANTILE)
    share = float(values[full].sum() / max(values.sum(), 1e-6))
    return (without - with_mark) * share


def _descend(
    images: Video,
    opacity: Tensor,
    colour: Tensor,
    inside: Tensor,
    steps: int,
    known: bool = True,
    flatness: float = 0,
) -> tuple[Float[Tensor, "1 h w"], Float[Tensor, " c"]]:
    """Descent inside a mask; if this is known to be the mark, with log(1 - a).

    ``flatness`` is the weight of the penalty for small changes of the opacity.
    """
    window = (...,) if inside.numel() <= MOST_WHOLE else _window(inside)
    part, images = inside[window], images[window]
    share = part.numel() / inside.numel()  # the means are over this part of the pixels
    start = opacity[window], colour
    logits = [x.clamp(0.02, 0.98).logit().requires_grad_() for x in start]
    optimizer, texture = Adam(logits), torch.zeros_like(part)
    for step in range(steps):
        set_learning_rate(optimizer, RATE * schedule(step / steps, decay=0.5))
        opacity, colour = part * logits[0].sigmoid(), logits[1].sigmoid()
        loss = mark_variation(images, opacity, colour)
        if flatness:
            loss = loss + flatness * SMALL_STEP / len(images) * _flatness(opacity)
        if known and len(images) >= SEVERAL and step % RENEWED == 0:
            texture = _texture_around(images, opacity.detach(), colour.detach())
        light = (1 - opacity).clamp_min(LEAST_LIGHT)
        loss = loss + (texture * light.log()).mean()
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
