"""The dark channel: He, Sun and Tang, 'Single Image Haze Removal Using Dark Channel
Prior', CVPR 2009 and TPAMI 2011. The dark channel is our baseline for dehazing.

The model of haze is hazy = transmission * clear + (1 - transmission) * airlight. In a
clear outdoor picture, most small patches have a pixel that is nearly black in some
channel. Haze makes this dark pixel brighter, so the pixel measures the haze.

Departures from the paper: all values are in linear light, because the model holds for
light. The transmission is refined by the authors' guided filter (ECCV 2010). For a
large picture, the transmission of a small copy is upscaled along the picture's edges.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.convention import Video, check_images
from dil_teach.image.guided_filter import guided_filter, guided_upsample
from dil_teach.image.resize import limit_side
from dil_teach.training.settings import check_settings

Frames = Float[Tensor, "n 3 _h _w"]
"""Pictures with the same haze: sRGB-encoded in [0, 1], unless the name says linear."""
Airlight = Float[Tensor, "_n 3 _h _w"]
"""The colour of opaque haze, in linear light. The axes n, h and w may have length 1."""
Transmission = Float[Tensor, "n 1 _h _w"]
"""The fraction of the scene's light that reaches the camera."""

FLOOR = 0.1
"""Minimum of the transmission when we divide by it (t0 in the paper), because division
by smaller values amplifies noise."""
LEAST = 0.05
"""Lower limit of an estimated airlight or transmission, by which we divide."""
WORK_SIDE = 256
"""Longer side, in pixels, of the copy on which the transmission is computed."""


@dataclasses.dataclass(frozen=True)
class DarkChannelSettings:
    """Settings for computing the transmission from the dark channel."""

    patch: int = 15
    """Side of the patches in pixels, odd."""
    omega: float = 0.95
    """Fraction of the haze that is removed. The remaining haze makes distant objects
    look distant."""
    radius: int = 0
    """Radius of the guided filter in pixels of the working copy. 0 means an eighth of
    the shorter side; -1 means no refinement."""
    eps: float = 1e-3
    """Regularisation of the guided filter."""

    def __post_init__(self) -> None:
        check_settings(self, radius=-1, eps=1e-12)
        if self.patch < 1 or self.patch % 2 == 0 or not 0 < self.omega <= 1:
            raise ValueError(
                "settings: expected an odd patch size and an omega in (0, 1], got "
                f"{self.patch} and {self.omega}"
            )


GUIDED = DarkChannelSettings(patch=7, omega=0.98, radius=4, eps=1e-2)
"""The best settings for the practice scenes of ``data/render_scenes.py``."""


class HazeFree(NamedTuple):
    """The dehazed frames, and the transmission and airlight of the removed haze."""

    image: Float[Tensor, "n 3 h w"]
    """sRGB-encoded in [0, 1]."""
    transmission: Float[Tensor, "n 1 h w"]
    """In [0, 1]."""
    airlight: Airlight
    """sRGB-encoded; shape (1, 3, 1, 1) if it is uniform, otherwise the frames' size."""


def remove_haze_by_dark_channel(
    frames: Video,
    airlight: Airlight | None = None,
    settings: DarkChannelSettings = DarkChannelSettings(),
) -> HazeFree:
    """Remove haze: estimate airlight and transmission, then invert the model.

    The default airlight is that of :func:`brightest_haze`. A ValueError is raised if
    the frames are grey, constant or not in [0, 1].
    """
    check_images(frames, "frames", channels=(3,))
    small = working_copy(frames)
    if airlight is None:
        airlight = brightest_haze(to_linear(small))
    transmission = guided_transmission(small, airlight, settings).clamp(0, 1)
    return invert_haze(frames, small, transmission, airlight)


def guided_transmission(
    frames: Frames, airlight: Airlight, settings: DarkChannelSettings
) -> Transmission:
    """The transmission from the dark channel, smoothed along the picture's edges."""
    transmission = dark_channel_transmission(
        to_linear(frames), airlight, settings.patch, settings.omega
    )
    if settings.radius < 0:
        return transmission
    radius = settings.radius or max(1, min(frames.shape[-2:]) // 8)
    return guided_filter(frames, transmission, radius, settings.eps)


def guided_dark_channel(frames: Frames, airlight: Airlight) -> Transmission:
    """:func:`guided_transmission` with settings ``GUIDED``, clamped to [0.05, 0.98]."""
    return guided_transmission(frames, airlight, GUIDED).clamp(LEAST, 0.98)


def transmission_bound(frames: Frames, airlight: Airlight) -> Transmission:
    """A lower bound on the transmission: 1 - min over channels of hazy / airlight.

    The bound holds because the clear picture is not negative (Meng et al., ICCV 2013;
    Berman et al., CVPR 2016). We also take the minimum over 5 x 5 pixels, in which the
    transmission hardly changes.
    """
    return dark_channel_transmission(to_linear(frames), airlight, patch=5, omega=0.99)


def dark_channel(
    image: Float[Tensor, "n c h w"], patch: int = 15
) -> Float[Tensor, "n 1 h w"]:
    """The minimum over all channels and over the patch around each pixel.

    The image is usually in linear light, and often divided by the airlight. ``patch``
    is the odd side of a patch in pixels; patches are cropped at the border.
    """
    darkest = -image.amin(1, keepdim=True)
    rows = F.max_pool2d(darkest, (patch, 1), 1, (patch // 2, 0))
    return -F.max_pool2d(rows, (1, patch), 1, (0, patch // 2))


def brightest_haze(linear: Frames, patch: int = 15) -> Float[Tensor, "1 3 1 1"]:
    """Estimate the airlight: the brightest colour of the 0.1 % haziest pixels."""
    haze = dark_channel(linear, patch).flatten()
    # at least one pixel: 0.1 % of a small picture rounds to zero pixels
    haziest = haze.topk(max(1, round(0.001 * haze.numel()))).indices
    colours = linear.transpose(0, 1).flatten(1)[:, haziest]
    return colours[:, colours.sum(0).argmax()].reshape(1, 3, 1, 1)


def dark_channel_transmission(
    linear: Frames, airlight: Airlight, patch: int = 15, omega: float = 0.95
) -> Transmission:
    """Transmission by equation 12: 1 - omega * dark channel of (hazy / airlight)."""
    return 1 - omega * dark_channel(linear / airlight.clamp_min(1e-3), patch)


def add_haze(linear: Frames, transmission: Transmission, airlight: Airlight) -> Frames:
    """Add haze by the model, equation 1 of the paper, in linear light."""
    return transmission * linear + (1 - transmission) * airlight


def remove_haze(
    linear: Frames, transmission: Transmission, airlight: Airlight
) -> Frames:
    """Invert :func:`add_haze` by equation 22, in linear light, without clamping."""
    return (linear - airlight) / transmission.clamp_min(FLOOR) + airlight


def working_copy(frames: Frames) -> Frames:
    """The frames, downscaled if a side is longer than ``WORK_SIDE``."""
    return limit_side(frames, WORK_SIDE)


def resample_airlight(airlight: Airlight, size: Sequence[int]) -> Airlight:
    """Resize the map of the airlight; an airlight of one pixel does not change."""
    if airlight.shape[-1] == 1:
        return airlight
    return F.interpolate(airlight, [*size], mode="bilinear", align_corners=True)


def invert_haze(
    frames: Frames, small: Frames, transmission: Transmission, airlight: Airlight
) -> HazeFree:
    """Remove haze from the frames, given the transmission of their working copy.

    ``small`` is the :func:`working_copy`. The transmission is upscaled with the edges
    of the frames as a guide, and is at least the :func:`white_bound`. The airlight is
    one colour, or a map of any size.
    """
    size, linear = frames.shape[-2:], to_linear(frames)
    if small.shape[-2:] != size:
        radius = max(1, max(small.shape[-2:]) // 32)
        transmission = guided_upsample(frames, small, transmission, radius, eps=1e-3)
    airlight = resample_airlight(airlight, size)
    transmission = transmission.maximum(white_bound(linear, airlight)).clamp(0, 1)
    image = to_srgb(remove_haze(linear, transmission, airlight))
    return HazeFree(image, transmission, to_srgb(airlight))


def white_bound(linear: Frames, airlight: Airlight) -> Transmission:
    """A lower bound on the transmission: no channel of the clear picture exceeds 1.

    The bound is (hazy - airlight) / (1 - airlight), the second half of the boundary
    constraint (Meng et al., ICCV 2013). Where a cloud or the sun is brighter than the
    airlight, division by a low transmission would make one channel exceed 1 before the
    others, and so tint the sky.
    """
    above = (linear - airlight) / (1 - airlight).clamp_min(1e-3)
    return above.amax(1, keepdim=True)
