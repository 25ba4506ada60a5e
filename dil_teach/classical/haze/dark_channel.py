"""The dark channel: He, Sun and Tang, 'Single Image Haze Removal Using Dark Channel
Prior', CVPR 2009 and TPAMI 2011. The control of every dehazing here.

Haze lays airlight over a scene: hazy = transmission * clear + (1 - transmission) *
airlight. In small patches of a clear outdoor picture some pixel is nearly black in some
channel, so what is not black there is haze.

Departure from the paper: light adds to light, so all is computed in linear light, not
on a file's codes. The refinement is that of the authors' guided filter (ECCV 2010).
"""

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.guided_filter import guided_filter

FLOOR = 0.1
"""Transmissions below it are raised to it before anything is divided by them."""


@dataclasses.dataclass(frozen=True)
class DarkChannelSettings:
    """How the dark channel is turned into a transmission."""

    patch: int = 15
    """Side of the patches in pixels, odd."""
    omega: float = 0.95
    """How much of the haze is taken away: a little is left for the distance."""
    radius: int = 0
    """Of the guided filter in pixels; 0 for an eighth of the shorter side, -1 for no
    refinement."""
    eps: float = 1e-3
    """Of the guided filter."""

    def __post_init__(self) -> None:
        if self.patch < 1 or self.patch % 2 == 0 or not 0 < self.omega <= 1:
            raise ValueError(
                "settings: expected an odd patch of at least 1 pixel and an omega in "
                f"(0, 1], got {self.patch} and {self.omega}"
            )


def remove_haze_by_dark_channel(
    frames: Float[Tensor, "n c h w"],
    airlight: Float[Tensor, "_n c _h _w"] | None = None,
    settings: DarkChannelSettings = DarkChannelSettings(),
) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n 1 h w"]]:
    """The whole method: airlight, transmission, refinement, inversion.

    Parameters
    ----------
    frames : Float[Tensor, "n c h w"]
        Hazy pictures under one haze, sRGB-encoded in [0, 1].
    airlight : Float[Tensor, "n c h w"], optional
        Linear, of any shape that broadcasts to the frames; else it is estimated.
    settings : DarkChannelSettings
        Patch, omega and refinement.

    Returns
    -------
    image : Float[Tensor, "n c h w"]
        Haze-free, sRGB-encoded in [0, 1].
    transmission : Float[Tensor, "n 1 h w"]
        In [0, 1].
    """
    linear = to_linear(frames)
    if airlight is None:
        airlight = brightest_haze(linear)
    transmission = dark_channel_transmission(
        linear, airlight, settings.patch, settings.omega
    )
    if settings.radius >= 0:
        radius = settings.radius or max(1, min(frames.shape[-2:]) // 8)
        transmission = guided_filter(frames, transmission, radius, settings.eps)
    transmission = transmission.clamp(0, 1)
    return to_srgb(remove_haze(linear, transmission, airlight)), transmission


def dark_channel(
    image: Float[Tensor, "n c h w"], patch: int = 15
) -> Float[Tensor, "n 1 h w"]:
    """The smallest value of any channel in the patch about each pixel.

    Parameters
    ----------
    image : Float[Tensor, "n c h w"]
        Usually linear light, or linear light divided by the airlight.
    patch : int
        Side in pixels, odd; patches are cut at the border.
    """
    darkest = -image.amin(1, keepdim=True)
    rows = F.max_pool2d(darkest, (patch, 1), 1, (patch // 2, 0))
    return -F.max_pool2d(rows, (1, patch), 1, (0, patch // 2))


def brightest_haze(
    linear: Float[Tensor, "n c h w"], patch: int = 15
) -> Float[Tensor, "1 c 1 1"]:
    """The airlight, as the paper has it: among the thousandth of the pixels that is
    haziest by the dark channel, the brightest.

    Parameters
    ----------
    linear : Float[Tensor, "n c h w"]
        Pictures under one haze, linear light.
    patch : int
        Of the dark channel.

    Returns
    -------
    Float[Tensor, "1 c 1 1"]
        Linear light.
    """
    haze = dark_channel(linear, patch).flatten()
    # at least one: a thousandth of a small picture rounds to none
    most = haze.topk(max(1, round(0.001 * haze.numel()))).indices
    colours = linear.transpose(0, 1).flatten(1)[:, most]
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
        Hazy, linear light.
    transmission, airlight : Tensor
        Of the haze.
    floor : float
        The least transmission that is divided by: noise is not blown up for ever.

    Returns
    -------
    Float[Tensor, "n c h w"]
        Linear light, not clamped.
    """
    return (linear - airlight) / transmission.clamp_min(floor) + airlight


def to_linear(srgb: Tensor) -> Tensor:
    """Linear light of sRGB-encoded values, any shape (IEC 61966-2-1)."""
    return torch.where(
        srgb <= 0.04045, srgb / 12.92, ((srgb.clamp_min(0) + 0.055) / 1.055) ** 2.4
    )


def to_srgb(linear: Tensor) -> Tensor:
    """sRGB-encoded values of linear light, any shape, clamped to [0, 1]."""
    linear = linear.clamp(0, 1)
    curve = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, curve).clamp_max(1)
