"""Haze estimated by classical means: where Double-DIP starts, and when to doubt it."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.haze.airlight import (
    CELLS,
    LEAST,
    contrast_confidence,
    estimate_airlight,
    haziest_part,
    vary_airlight,
)
from dil_teach.classical.haze.dark_channel import (
    DarkChannelSettings,
    dark_channel_transmission,
    guided_transmission,
)
from dil_teach.image.colour import to_linear
from dil_teach.image.convention import Image, Video

GUIDED = DarkChannelSettings(patch=7, omega=0.98, radius=4, eps=1e-2)
"""The settings of the dark channel that did best on the practice scenes."""
OPAQUE_CONTRAST = 0.2
"""Relative contrast of the haziest part above which its haze is far from opaque."""


class HazeEstimate(NamedTuple):
    """A first estimate of the haze, in linear light."""

    airlight: Float[Tensor, "1 3 _h _w"]
    """One pixel, or a grid from corner to corner of the picture."""
    transmission: Float[Tensor, "n 1 h w"]
    """The guided dark channel's, in [0.05, 0.98]."""


def estimate_haze(
    frames: Video,
    airlight: Sequence[float] | Image | None = None,
    non_uniform: bool = False,
) -> HazeEstimate:
    """Estimate airlight and transmission.

    Parameters
    ----------
    frames : Video
        Float[Tensor, "n 3 h w"] in [0, 1], sRGB-encoded, under one haze.
    airlight : three numbers or Image, optional
        The known airlight, sRGB-encoded in (0, 1]: one colour, or a picture of it.
        Default: it is estimated.
    non_uniform : bool
        Whether one colour, known or estimated, is fitted to change over the picture.

    Returns
    -------
    HazeEstimate

    Raises
    ------
    ValueError
        If the airlight is not a colour.
    """
    if airlight is None:
        found = estimate_airlight(frames)
    else:
        found = _known_airlight(airlight).to(frames.device)
    if non_uniform and found.shape[-1] == 1:
        found = vary_airlight(frames, found)
    wide = found if found.shape[-1] == 1 else _resample(found, frames.shape[-2:])
    return HazeEstimate(found, guided_dark_channel(frames, wide))


def guided_dark_channel(
    frames: Video, airlight: Float[Tensor, "_n 3 _h _w"]
) -> Float[Tensor, "n 1 h w"]:
    """The guided dark channel's transmission by ``GUIDED``, within [0.05, 0.98]."""
    return guided_transmission(frames, airlight, GUIDED).clamp(LEAST, 0.98)


def transmission_bound(
    frames: Video, airlight: Float[Tensor, "_n 3 _h _w"]
) -> Float[Tensor, "n 1 h w"]:
    """A lower bound on the transmission: 1 - min over channels of hazy / airlight.

    It holds because the clear picture is not negative: the boundary constraint of Meng
    et al., ICCV 2013, which Berman et al., CVPR 2016, use as well. The minimum is taken
    over 3 x 3 pixels, in which the transmission hardly changes, with an omega of 0.99.

    Parameters
    ----------
    frames : Video
        Float[Tensor, "n 3 h w"] in [0, 1], sRGB-encoded.
    airlight : Float[Tensor, "n 3 h w"]
        In linear light; an axis may be 1.
    """
    return dark_channel_transmission(to_linear(frames), airlight, patch=3, omega=0.99)


def doubt(
    frames: Video, airlight: Float[Tensor, "_n 3 _h _w"], estimated: bool
) -> str | None:
    """The reason, in one sentence, why dehazing may fail on this picture.

    Parameters
    ----------
    frames : Video
        Float[Tensor, "n 3 h w"] in [0, 1], sRGB-encoded.
    airlight : Float[Tensor, "n 3 h w"]
        In linear light; an axis may be 1.
    estimated : bool
        Whether the airlight was estimated; otherwise it is known.
    """
    _, contrast, _ = haziest_part(frames, airlight)
    if contrast_confidence(contrast) < 0.5:
        return (
            "the haziest part of the picture is smooth: it may be sky, whose distance "
            "and colour cannot be estimated"
        )
    if estimated and contrast > OPAQUE_CONTRAST:
        return (
            "even the haziest part of the picture is far from opaque, so the estimate "
            "of the airlight is uncertain"
        )
    return None


def _known_airlight(airlight: Sequence[float] | Image) -> Float[Tensor, "1 3 _h _w"]:
    """In linear light, of one pixel or on a grid."""
    colour = torch.as_tensor(airlight, dtype=torch.float32)
    colour = colour[:, None, None] if colour.ndim == 1 else colour
    good = colour.ndim == 3 and len(colour) == 3 and 0 < colour.min() <= colour.max()
    if not good or colour.max() > 1:
        raise ValueError(
            "airlight: expected red, green and blue above 0 and at most 1, in sRGB, "
            f"got {airlight}; divide levels of 255 by 255"
        )
    linear = to_linear(colour)[None]
    return linear if linear.shape[-1] == 1 else _resample(linear, (CELLS, CELLS))


def _resample(airlight: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(airlight, [*size], mode="bilinear", align_corners=True)
