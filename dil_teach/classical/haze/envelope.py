"""The transmission as an upper envelope: the boundary constraint of Meng, Wang, Duan,
Xiang and Pan, 'Efficient Image Dehazing with Boundary Constraint and Contextual
Regularization', ICCV 2013, in our formulation.

Light is not negative, so each pixel gives a lower bound b on its transmission t. The
mask, on a coarse grid, minimises

    ENVELOPE * mean max(q (b - t), (q - 1) (b - t))
    + ROUGHNESS * mean over neighbours s |log t - log t'|,   q = ``QUANTILE``.

The first term makes t the *upper envelope* of the bounds: a bound equals t where the
scene contains black, and is too low elsewhere. s is the similarity of two neighbours,
exp(-(difference of their colours) / ``EDGE``).

Departures from the paper: the pinball loss instead of a patch-wise closing of the
bounds, and Adam from the guided dark channel instead of half-quadratic splitting. The
result is a geometric mean of the mask and the guided dark channel. The weights were
chosen on the practice scenes of ``data/render_scenes.py --practice`` and on nine
photographs under rendered haze: the mean gain over the guided dark channel is largest
among those for which no picture loses over 0.4 dB, with the true airlight or an
estimate. Weights of the mask that depend on its sign or size, a limit on its distance
from the dark channel, and other quantiles were not better.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.haze.airlight import find_airlight
from dil_teach.classical.haze.dark_channel import (
    Airlight,
    Frames,
    HazeFree,
    Transmission,
    guided_dark_channel,
    invert_haze,
    resample_airlight,
    transmission_bound,
    working_copy,
)
from dil_teach.image.convention import Image, Video, check_images
from dil_teach.training.adam import Adam
from dil_teach.training.schedules import schedule

MIN_SIDE = 16
"""Smallest side of a picture in pixels."""
GRID = 64
"""Number of cells of the transmission grid along the longer side."""
STEPS, RATE = 120, 0.05
"""Number of steps of Adam, and its learning rate. Longer descents lose on the practice
pictures: stopping early keeps the mask near its start."""
QUANTILE = 0.9
"""The envelope penalty is smallest if this fraction of the lower bounds is below the
transmission. Most bounds are too low, because nothing nearby is black. Noise makes a
few bounds too high."""
ENVELOPE, ROUGHNESS = 10.0, 4.0
"""Weights of the envelope and of the roughness of the depth. With a roughness of 6 or
more, two practice pictures lose over 0.6 dB."""
EDGE = 0.1
"""If the colours of two neighbours differ by this sum over the channels, their
similarity is 1 / e."""
TRUST = 0.65
"""The transmission is a geometric mean, in which the mask has this weight and the
guided dark channel has the rest. If the mask is too high, the dark channel tends to be
too low, and the reverse."""


def remove_haze_by_envelope(
    frames: Video,
    airlight: Sequence[float] | Image | None = None,
    non_uniform: bool = False,
) -> HazeFree:
    """Remove haze: estimate airlight and upper envelope, then invert the model.

    ``airlight`` and ``non_uniform`` are the arguments of
    :func:`~dil_teach.classical.haze.airlight.find_airlight`. A ValueError is raised if
    the frames are grey, constant or too small, or if the airlight is not a colour.
    """
    check_images(frames, "image", (3,), MIN_SIDE)
    small = working_copy(frames)
    found = find_airlight(small, airlight, non_uniform)
    fitting = resample_airlight(found, small.shape[-2:])
    return invert_haze(frames, small, upper_envelope(small, fitting), found)


def upper_envelope(frames: Frames, airlight: Airlight) -> Transmission:
    """The transmission, given an airlight of one pixel or of the size of the frames."""
    dark = guided_dark_channel(frames, airlight)
    return fit_mask(frames, airlight, dark) ** TRUST * dark ** (1 - TRUST)


def fit_mask(frames: Frames, airlight: Airlight, start: Transmission) -> Transmission:
    """The mask after ``STEPS`` steps of gradient descent from ``start``."""
    size = frames.shape[-2:]
    bound = transmission_bound(frames, airlight)
    similarity = neighbour_similarity(frames)
    logit = coarse(start).logit().requires_grad_()
    optimizer = Adam([logit])

    def mask() -> Transmission:
        return F.interpolate(logit, size, mode="bilinear", align_corners=True).sigmoid()

    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * schedule(step / STEPS, decay=0.5)
        t = mask()
        loss = ENVELOPE * envelope(t, bound) + ROUGHNESS * roughness(t, similarity)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return mask().detach()


def coarse(start: Transmission) -> Float[Tensor, "n 1 _h _w"]:
    """The means of the cells of a grid with ``GRID`` cells along the longer side."""
    height, width = start.shape[-2:]
    cell = max(height, width) / GRID
    cells = max(2, round(height / cell)), max(2, round(width / cell))
    return F.adaptive_avg_pool2d(start, cells)


def envelope(
    transmission: Float[Tensor, "n 1 h w"], bound: Float[Tensor, "n 1 h w"]
) -> Float[Tensor, ""]:
    """The pinball loss, which is minimal at the quantile ``QUANTILE`` of the bounds."""
    missing = bound - transmission
    return torch.maximum(QUANTILE * missing, (QUANTILE - 1) * missing).mean()


def roughness(
    transmission: Float[Tensor, "n 1 h w"], similarity: list[tuple[int, Tensor]]
) -> Float[Tensor, ""]:
    """The mean change of depth between similar neighbours, in space and time.

    The negative logarithm of the transmission is the depth times the density of the
    haze. ``similarity`` is the result of :func:`neighbour_similarity`.
    """
    depth = -transmission.clamp_min(1e-3).log()
    rough = depth.new_zeros(())
    for axis, similar in similarity:
        change = (depth.diff(dim=axis).square() + 1e-6).sqrt()
        rough = rough + (similar * change).mean()
    return rough


def neighbour_similarity(frames: Video) -> list[tuple[int, Tensor]]:
    """Each axis (frames, rows, columns) and the similarity of neighbours along it."""
    return [
        (axis, (-frames.diff(dim=axis).abs().sum(1, keepdim=True) / EDGE).exp())
        for axis in (0, -2, -1)
        if frames.shape[axis] > 1
    ]
