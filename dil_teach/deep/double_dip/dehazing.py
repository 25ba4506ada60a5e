"""Dehazing by Double-DIP: Gandelsman, Shocher and Irani, CVPR 2019.

hazy = transmission * clear + (1 - transmission) * airlight, in linear light: the one
model of ``double_dip.py``, its mask the transmission. The final picture is that formula
solved for the clear one; what the network drew is shown beside it.

Departures from the paper. The networks do not know haze from paint: what tells them is
the *upper envelope* of the dark channel's transmission (He, Sun and Tang), which is too
low wherever nothing is black, and is reached where something is. The mask is a smooth
layer: a network in its place does as well in twice the time. The airlight comes first:
its tint from recurring patches (Bahat and Irani, 'Blind Dehazing Using Internal Patch
Recurrence', ICCP 2016), its brightness from what contrast the haziest part has left.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.haze.airlight import (
    contrast_confidence,
    estimate_airlight,
    haziest_part,
    vary_airlight,
)
from dil_teach.classical.haze.dark_channel import (
    dark_channel_transmission,
    remove_haze,
)
from dil_teach.deep.double_dip.double_dip import (
    Constant,
    DoubleDIP,
    DoubleDIPSettings,
    Layers,
    Network,
    Smooth,
    check_images,
)
from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.convention import Image, Video
from dil_teach.image.guided_filter import guided_filter, guided_upsample
from dil_teach.image.resize import resize

BUDGETS = {
    "quick": DoubleDIPSettings(steps=120),
    "standard": DoubleDIPSettings(steps=400),
    "full": DoubleDIPSettings(steps=1000),
}
"""At 128 pixels a side about 5, 13 and 30 CPU seconds. More steps sharpen the network's
own layer; the final picture hardly changes."""
WORK_SIDE = 256
"""Larger pictures are learned from on a copy whose longer side is this, in pixels."""
MIN_SIDE = 16
GRID = 64
"""Cells of the transmission along the longer side."""
QUANTILE = 0.9
"""Of the dark channel's transmissions nearby, the true one: some are too high by
noise, most too low because nothing is black."""
SMOOTHNESS = 0.3
WEIGHT = 10.0
"""Of what is known of haze, against the error of reconstruction: else the first steps,
when the front is still grey, would pull the transmission away."""
EDGE = 0.1
"""Neighbours whose colours differ by this, summed over channels, are tied 1 / e."""
TRUST = 0.65
"""In the envelope, in the geometric mean with the guided dark channel: one errs where
it is too high, the other where it is too low."""


@dataclasses.dataclass(frozen=True)
class Dehazed:
    """What :func:`dehazed` found; pictures are sRGB-encoded in [0, 1]."""

    image: Float[Tensor, "n 3 h w"]
    """The haze-free picture: the model solved for it."""
    transmission: Float[Tensor, "n 1 h w"]
    airlight: Float[Tensor, "_n 3 _h _w"]
    """(1, 3, 1, 1), or (1, 3, h, w) where it is not uniform."""
    front: Float[Tensor, "n 3 _k _l"]
    """The network's own layer, of the size that was worked at."""
    unsure: str | None
    """Why the result should not be trusted, if there is a reason."""


def dehaze(
    frames: Video,
    airlight: Sequence[float] | Image | None = None,
    non_uniform: bool = False,
    settings: DoubleDIPSettings = BUDGETS["quick"],
) -> DoubleDIP:
    """What learns to take the haze off a picture, or off a film under one haze.

    ``dehazed(fit(dehaze(frames)), frames)`` is the result.

    Parameters
    ----------
    frames : Video
        Float[Tensor, "n 3 h w"] in [0, 1], sRGB-encoded, of any size.
    airlight : three numbers or Image, optional
        The colour of opaque haze, sRGB-encoded in (0, 1], or a picture of it where it
        is known to change slowly; else it is estimated.
    non_uniform : bool
        Whether the airlight changes slowly over the picture, as near a low sun. Three
        numbers are then taken for about its mean.
    settings : DoubleDIPSettings
        One of ``BUDGETS``.

    Returns
    -------
    DoubleDIP
        Not trained yet. Its image is a copy in linear light, of ``WORK_SIDE`` at most.

    Raises
    ------
    ValueError
        If the frames are grey, the same at all pixels or under ``MIN_SIDE`` pixels a
        side, or the airlight is no colour.
    """
    if isinstance(frames, Tensor) and frames.ndim == 4 and frames.shape[1] == 1:
        raise ValueError(
            "frames: expected 3 channels, as haze is told from paint by its lack of "
            "colour, got 1 (grey); take the picture in colour"
        )
    check_images(frames, "frames", (3,))
    if min(frames.shape[-2:]) < MIN_SIDE:
        raise ValueError(
            f"frames: expected at least {MIN_SIDE} pixels a side, got "
            f"{frames.shape[-2]} x {frames.shape[-1]}; take a larger picture"
        )
    small = _working_copy(frames.detach())
    linear = to_linear(small)
    if airlight is None:
        air = estimate_airlight(small)
    else:
        air = _given_airlight(airlight).to(frames.device)
    if non_uniform and air.shape[-1] == 1:
        air = vary_airlight(small, air)
    # learned along with the layers, by these penalties, it strays from the estimate
    back = Constant(air, rate=0) if air.shape[-1] == 1 else Smooth(air, rate=0)
    if air.shape[-1] > 1:
        air = _enlarge(air, linear.shape[-2:])
    dark = guided_dark_channel(small, air)
    cell = max(dark.shape[-2:]) / GRID
    cells = (round(dark.shape[-2] / cell), round(dark.shape[-1] / cell))
    coarse = F.adaptive_avg_pool2d(dark, (max(2, cells[0]), max(2, cells[1])))
    mask = Smooth(coarse, rate=5)
    given = {"frames": small, "guessed": airlight is None}
    return DoubleDIP(
        linear, haze_penalties, given, Network(each=True), back, mask, settings
    )


def haze_penalties(
    layers: Layers, progress: float, *, frames: Video, **_: Any
) -> dict[str, Tensor]:
    """The transmission is the upper envelope of the dark channel's, and depth is
    smooth where colours are, from pixel to pixel and from frame to frame."""
    transmission = layers.mask
    # patches of 3: the envelope finds by itself how far the next black thing is
    dark = dark_channel_transmission(to_linear(frames), layers.back, 3, omega=0.99)
    missing = dark - transmission
    envelope = torch.maximum(QUANTILE * missing, (QUANTILE - 1) * missing).mean()
    depth = -transmission.clamp_min(1e-3).log()  # times the haze's density
    rough = depth.new_zeros(())
    for along in (0, -2, -1):
        if depth.shape[along] > 1:
            alike = (-frames.diff(dim=along).abs().sum(1, keepdim=True) / EDGE).exp()
            step = (depth.diff(dim=along).square() + 1e-6).sqrt()
            rough = rough + (alike * step).mean()
    return {"envelope": WEIGHT * envelope, "roughness": WEIGHT * SMOOTHNESS * rough}


def dehazed(dip: DoubleDIP, frames: Video) -> Dehazed:
    """The haze-free picture, by what was learned so far.

    Parameters
    ----------
    dip : DoubleDIP
        Of :func:`dehaze`.
    frames : Video
        What :func:`dehaze` was given.

    Returns
    -------
    Dehazed

    Raises
    ------
    ValueError
        If the frames are others than those learned from.
    """
    small = _working_copy(frames)
    if small.shape != dip.image.shape:
        raise ValueError(
            f"frames: expected those that were learned from, got {tuple(frames.shape)}"
            f", whose working copy {tuple(small.shape)} is not "
            f"{tuple(dip.image.shape)}; give the same to both"
        )
    layers = dip.layers()
    dark = guided_dark_channel(small, layers.back)
    transmission = layers.mask**TRUST * dark ** (1 - TRUST)
    unsure = _doubts(small, layers.back, dip.given["guessed"])
    size, airlight = frames.shape[-2:], layers.back
    if size != small.shape[-2:]:
        radius = max(1, max(small.shape[-2:]) // 32)
        transmission = guided_upsample(frames, small, transmission, radius, 1e-3)
    if airlight.shape[-1] > 1:
        airlight = _enlarge(airlight, size)
    transmission = transmission.clamp(1e-3, 1)
    return Dehazed(
        image=to_srgb(remove_haze(to_linear(frames), transmission, airlight)),
        transmission=transmission,
        airlight=to_srgb(airlight),
        front=to_srgb(layers.front),
        unsure=unsure,
    )


def guided_dark_channel(
    frames: Video, airlight: Float[Tensor, "_n 3 _h _w"]
) -> Float[Tensor, "n 1 h w"]:
    """The classical transmission at the settings that did best on practice scenes."""
    dark = dark_channel_transmission(to_linear(frames), airlight, 7, omega=0.98)
    return guided_filter(frames, dark, 4, 1e-2).clamp(0.05, 0.98)


def _doubts(frames: Video, airlight: Tensor, guessed: bool) -> str | None:
    """What speaks against the result, in one sentence."""
    _, share, _ = haziest_part(frames, airlight)
    if contrast_confidence(share) < 0.5:
        return (
            "the haziest part of the picture is smooth: it may be sky, whose depth and "
            "colour nothing tells"
        )
    if guessed and share > 0.2:
        return (
            "even the haziest part of the picture is far from opaque: an airlight that "
            "is estimated from it is a guess"
        )
    return None


def _working_copy(frames: Video) -> Video:
    """The frames, no larger than is learned from."""
    scale = WORK_SIDE / max(frames.shape[-2:])
    if scale >= 1:
        return frames.detach()
    return resize(frames.detach(), scale).clamp(0, 1)


def _enlarge(grid: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(grid, tuple(size), mode="bilinear", align_corners=True)


def _given_airlight(
    airlight: Sequence[float] | Image,
) -> Float[Tensor, "1 3 _h _w"]:
    """Linear light, of one pixel or on a grid."""
    colour = torch.as_tensor(airlight, dtype=torch.float32)
    colour = colour[:, None, None] if colour.ndim == 1 else colour
    good = colour.ndim == 3 and len(colour) == 3 and 0 < colour.min() <= colour.max()
    if not good or colour.max() > 1:
        raise ValueError(
            "airlight: expected red, green and blue above 0 and at most 1, in sRGB, "
            f"got {airlight}; divide levels of 255 by 255"
        )
    linear = to_linear(colour)[None]
    return linear if linear.shape[-1] == 1 else _enlarge(linear, (9, 9))
