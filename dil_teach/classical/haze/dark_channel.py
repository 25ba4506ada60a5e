"""The dark channel: He, Sun and Tang, 'Single Image Haze Removal Using Dark Channel
Prior', CVPR 2009 and TPAMI 2011. The baseline of every dehazing here.

The model of haze is hazy = transmission * clear + (1 - transmission) * airlight. In a
clear outdoor picture, most small patches hold a pixel that is nearly black in some
channel. Haze makes that pixel brighter, so its value measures the haze.

Departures from the paper: all is computed in linear light, because light adds and sRGB
values do not. The refinement is the authors' guided filter (ECCV 2010). In a large
picture the transmission is found on a small copy and upscaled along the picture's
edges.
"""

import dataclasses
from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.convention import Video, check_images
from dil_teach.image.guided_filter import guided_filter, guided_upsample
from dil_teach.image.resize import resize

FLOOR = 0.1
"""Transmission: lower values are raised to it before a division (t0 in the paper)."""
WORK_SIDE = 256
"""Pixels: the transmission is found on a copy whose longer side is at most this."""


@dataclasses.dataclass(frozen=True)
class DarkChannelSettings:
    """How the dark channel becomes a transmission."""

    patch: int = 15
    """Side of the patches in pixels, odd."""
    omega: float = 0.95
    """Share of the haze that is removed; a little is left as a cue of distance."""
    radius: int = 0
    """Radius of the guided filter in pixels of the working copy; 0: an eighth of the
    shorter side; -1: no refinement."""
    eps: float = 1e-3
    """Regularisation of the guided filter."""

    def __post_init__(self) -> None:
        if self.patch < 1 or self.patch % 2 == 0 or not 0 < self.omega <= 1:
            raise ValueError(
                "settings: expected an odd patch of at least 1 pixel and an omega in "
                f"(0, 1], got {self.patch} and {self.omega}"
            )


class HazeFree(NamedTuple):
    """Frames without haze, and the haze that was removed."""

    image: Float[Tensor, "n 3 h w"]
    """sRGB-encoded in [0, 1]."""
    transmission: Float[Tensor, "n 1 h w"]
    """In [0, 1]."""
    airlight: Float[Tensor, "_n 3 _h _w"]
    """sRGB-encoded: (1, 3, 1, 1), or of the frames' size where it is not uniform."""


def remove_haze_by_dark_channel(
    frames: Video,
    airlight: Float[Tensor, "_n 3 _h _w"] | None = None,
    settings: DarkChannelSettings = DarkChannelSettings(),
) -> HazeFree:
    """Remove haze: airlight, transmission, refinement and inversion of the model.

    Parameters
    ----------
    frames : Video
        Float[Tensor, "n 3 h w"] in [0, 1], sRGB-encoded, under one haze; of any size.
    airlight : Float[Tensor, "n 3 h w"], optional
        In linear light, of any shape that broadcasts to the working copy. Default: the
        estimate of :func:`brightest_haze`.
    settings : DarkChannelSettings
        Patch, omega and refinement.

    Returns
    -------
    HazeFree

    Raises
    ------
    ValueError
        If the frames are grey, constant or not in [0, 1].
    """
    check_images(frames, "frames", channels=(3,))
    small = working_copy(frames)
    if airlight is None:
        airlight = brightest_haze(to_linear(small))
    transmission = guided_transmission(small, airlight, settings).clamp(0, 1)
    return invert_haze(frames, small, transmission, airlight)


def guided_transmission(
    frames: Video, airlight: Float[Tensor, "_n 3 _h _w"], settings: DarkChannelSettings
) -> Float[Tensor, "n 1 h w"]:
    """The dark channel's transmission, smoothed along the edges of the picture.

    Parameters
    ----------
    frames : Video
        Float[Tensor, "n 3 h w"] in [0, 1], sRGB-encoded.
    airlight : Float[Tensor, "n 3 h w"]
        In linear light; an axis may be 1.
    settings : DarkChannelSettings
        Patch, omega and refinement.

    Returns
    -------
    Float[Tensor, "n 1 h w"]
        Not clamped.
    """
    transmission = dark_channel_transmission(
        to_linear(frames), airlight, settings.patch, settings.omega
    )
    if settings.radius < 0:
        return transmission
    radius = settings.radius or max(1, min(frames.shape[-2:]) // 8)
    return guided_filter(frames, transmission, radius, settings.eps)


def dark_channel(
    image: Float[Tensor, "n c h w"], patch: int = 15
) -> Float[Tensor, "n 1 h w"]:
    """The minimum over all channels and over the patch around each pixel.

    Parameters
    ----------
    image : Float[Tensor, "n c h w"]
        Usually linear light, or linear light divided by the airlight.
    patch : int
        Side in pixels, odd; patches are cropped at the border.
    """
    darkest = -image.amin(1, keepdim=True)
    rows = F.max_pool2d(darkest, (patch, 1), 1, (patch // 2, 0))
    return -F.max_pool2d(rows, (1, patch), 1, (0, patch // 2))


def brightest_haze(
    linear: Float[Tensor, "n c h w"], patch: int = 15
) -> Float[Tensor, "1 c 1 1"]:
    """Estimate the airlight: the brightest of the 0.1 % haziest pixels.

    Parameters
    ----------
    linear : Float[Tensor, "n c h w"]
        Pictures under one haze, in linear light.
    patch : int
        Side of the dark channel's patches in pixels.

    Returns
    -------
    Float[Tensor, "1 c 1 1"]
        In linear light.
    """
    haze = dark_channel(linear, patch).flatten()
    # at least one: 0.1 % of a small picture rounds to zero pixels
    haziest = haze.topk(max(1, round(0.001 * haze.numel()))).indices
    colours = linear.transpose(0, 1).flatten(1)[:, haziest]
    return colours[:, colours.sum(0).argmax()].reshape(1, -1, 1, 1)


def dark_channel_transmission(
    linear: Float[Tensor, "n c h w"],
    airlight: Float[Tensor, "_n c _h _w"],
    patch: int = 15,
    omega: float = 0.95,
) -> Float[Tensor, "n 1 h w"]:
    """Equation 12: 1 - omega * dark channel of (hazy / airlight)."""
    return 1 - omega * dark_channel(linear / airlight.clamp_min(1e-3), patch)


def add_haze(
    linear: Float[Tensor, "n c h w"],
    transmission: Float[Tensor, "_n 1 h w"],
    airlight: Float[Tensor, "_m c _h _w"],
) -> Float[Tensor, "n c h w"]:
    """The model of haze, equation 1, in linear light."""
    return transmission * linear + (1 - transmission) * airlight


def remove_haze(
    linear: Float[Tensor, "n c h w"],
    transmission: Float[Tensor, "_n 1 h w"],
    airlight: Float[Tensor, "_m c _h _w"],
    floor: float = FLOOR,
) -> Float[Tensor, "n c h w"]:
    """The inverse of :func:`add_haze`, equation 22.

    Parameters
    ----------
    linear : Float[Tensor, "n c h w"]
        Hazy, in linear light.
    transmission, airlight : Tensor
        As in :func:`add_haze`.
    floor : float
        Lower limit of the divisor, so that noise in thick haze is not amplified.

    Returns
    -------
    Float[Tensor, "n c h w"]
        In linear light, not clamped.
    """
    return (linear - airlight) / transmission.clamp_min(floor) + airlight


def working_copy(frames: Video) -> Video:
    """The frames, downscaled to a longer side of ``WORK_SIDE`` where it is longer."""
    scale = WORK_SIDE / max(frames.shape[-2:])
    return frames if scale >= 1 else resize(frames, scale).clamp(0, 1)


def invert_haze(
    frames: Video,
    small: Video,
    transmission: Float[Tensor, "n 1 _h _w"],
    airlight: Float[Tensor, "_n 3 _k _l"],
) -> HazeFree:
    """Remove haze that is known on a working copy from the frames themselves.

    Parameters
    ----------
    frames : Video
        Float[Tensor, "n 3 H W"] in [0, 1], sRGB-encoded.
    small : Video
        Float[Tensor, "n 3 h w"]: their :func:`working_copy`.
    transmission : Float[Tensor, "n 1 h w"]
        Upscaled along the edges of the frames.
    airlight : Float[Tensor, "n 3 h w"]
        In linear light, one colour or a picture of any size.

    Returns
    -------
    HazeFree
    """
    size = [*frames.shape[-2:]]
    if small.shape[-2:] != frames.shape[-2:]:
        radius = max(1, max(small.shape[-2:]) // 32)
        transmission = guided_upsample(frames, small, transmission, radius, eps=1e-3)
    if airlight.shape[-1] > 1:
        airlight = F.interpolate(airlight, size, mode="bilinear", align_corners=True)
    transmission = transmission.clamp(0, 1)
    image = to_srgb(remove_haze(to_linear(frames), transmission, airlight))
    return HazeFree(image, transmission, to_srgb(airlight))
