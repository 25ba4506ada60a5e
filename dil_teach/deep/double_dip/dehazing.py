"""Dehazing by Double-DIP: Gandelsman, Shocher and Irani, CVPR 2019.

The model, in linear light: hazy = transmission * clear + (1 - transmission) * airlight.
The mask is the transmission t, the front the clear picture, the back the airlight:

    mean |t * front + (1 - t) * airlight - hazy|^2 + envelope(t) + roughness(t),

each penalty with its weight. The transmission starts from the guided dark channel. The
final picture is the model solved for the clear picture, with the geometric mean of the
learned transmission and the guided dark channel.

Departures from the paper. The networks do not know haze from paint: what tells them is
the *upper envelope* of the dark channel's transmission (He, Sun and Tang), which is too
low wherever nothing is black, and is reached where something is. The mask is a smooth
layer: a network in its place does as well in twice the time. The airlight comes first:
its tint from recurring patches (Bahat and Irani, 'Blind Dehazing Using Internal Patch
Recurrence', ICCP 2016), its brightness from what contrast the haziest part has left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
    Network,
    Smooth,
    check_images,
)
from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.convention import Image, Video
from dil_teach.image.guided_filter import guided_filter, guided_upsample
from dil_teach.image.resize import resize
from dil_teach.training.checkpoint import load_state, state_of

WORK_SIDE = 256
"""Larger pictures are learned from on a copy whose longer side is this, in pixels."""
MIN_SIDE = 16
GRID = 64
"""Cells of the transmission along the longer side."""
QUANTILE = 0.9
"""Of the dark channel's transmissions nearby, the true one: some are too high by
noise, most too low because nothing is black."""
EDGE = 0.1
"""Neighbours whose colours differ by this, summed over channels, are tied 1 / e."""
TRUST = 0.65
"""In the envelope, in the geometric mean with the guided dark channel: one errs where
it is too high, the other where it is too low."""


@dataclass(frozen=True)
class DehazingSettings:
    """Settings of :class:`Dehazing`: ``quick()``, ``standard()``, ``full()``."""

    steps: int = 120
    """Number of training steps. More steps sharpen the network's own layer; the final
    picture hardly changes."""
    envelope: float = 10.0
    """Weight of the envelope: the transmission is the upper envelope of the dark
    channel's. It is high, because the front is still grey in the first steps, and the
    reconstruction error would pull the transmission away."""
    roughness: float = 3.0
    """Weight of the roughness of the depth."""
    seed: int = 0
    """Seed of the weights, the network inputs and their noise."""

    @classmethod
    def quick(cls, **changes: Any) -> "DehazingSettings":
        """For a lesson: about 5 CPU seconds for a 128 x 128 image."""
        return cls(**changes)

    @classmethod
    def standard(cls, **changes: Any) -> "DehazingSettings":
        """For a result: about 13 CPU seconds for a 128 x 128 image."""
        return cls(**{"steps": 400, **changes})

    @classmethod
    def full(cls, **changes: Any) -> "DehazingSettings":
        """The best result: about 30 CPU seconds for a 128 x 128 image."""
        return cls(**{"steps": 1000, **changes})


STATE = ("step", "dip")


class Dehazing:
    """Removes the haze from a picture, or from a film under one haze.

    ``fit(Dehazing(image)).haze_free()`` returns the picture without haze.

    Parameters
    ----------
    image : Image or Video
        Float[Tensor, "3 h w"] in [0, 1], sRGB-encoded, of any size, or the frames of a
        film, Float[Tensor, "t 3 h w"].
    airlight : three numbers or Image, optional
        The colour of opaque haze, sRGB-encoded in (0, 1], or a picture of it where it
        is known to change slowly. Otherwise it is estimated.
    non_uniform : bool
        Whether the airlight changes slowly over the picture, as near a low sun. Three
        numbers are then taken as its approximate mean.
    settings : DehazingSettings
        The number of steps, the weights of the penalties and the seed.

    Raises
    ------
    ValueError
        If the frames are grey, constant or under ``MIN_SIDE`` pixels a side, or the
        airlight is no colour.
    """

    def __init__(
        self,
        image: Image | Video,
        airlight: Sequence[float] | Image | None = None,
        non_uniform: bool = False,
        settings: DehazingSettings = DehazingSettings.quick(),  # noqa: B008 (frozen)
    ) -> None:
        one = isinstance(image, Tensor) and image.ndim == 3
        frames = image[None] if one else image
        _check_frames(frames)
        self.image, self.frames = image.detach(), frames.detach()
        self.given, self.settings = (airlight, non_uniform), settings
        self.step, self.total_steps = 0, settings.steps
        self.small = _working_copy(self.frames)
        linear = to_linear(self.small)
        if airlight is None:
            air = estimate_airlight(self.small)
        else:
            air = _given_airlight(airlight).to(frames.device)
        if non_uniform and air.shape[-1] == 1:
            air = vary_airlight(self.small, air)
        size = (linear.shape[-2], linear.shape[-1])
        # frozen: if it were learned, the penalties would pull it from the estimate
        if air.shape[-1] == 1:
            back = Constant(air, rate=0)
        else:
            back = Smooth(air, size, rate=0)
            air = _enlarge(air, size)
        dark = guided_dark_channel(self.small, air)
        cell = max(size) / GRID
        cells = (round(size[0] / cell), round(size[1] / cell))
        coarse = F.adaptive_avg_pool2d(dark, (max(2, cells[0]), max(2, cells[1])))
        rng = torch.Generator().manual_seed(settings.seed)
        self.dip = DoubleDIP(
            linear,
            front=Network(linear, rng, each=True),
            back=back,
            mask=Smooth(coarse, size, rate=5),
            rng=rng,
            steps=settings.steps,
        )

    @property
    def done(self) -> bool:
        """Its stopping rule: whether all steps of the settings are taken."""
        return self.step >= self.total_steps

    def train_step(self) -> dict[str, Tensor]:
        """Draw the layers, compare their composition with the frames, update."""
        layers, weight = self.dip.draw(), self.settings
        # patches of 3: the envelope finds by itself how far the next black thing is
        bound = dark_channel_transmission(
            to_linear(self.small), layers.back, 3, omega=0.99
        )
        losses = {
            "reconstruction": self.dip.reconstruction(layers),
            "envelope": weight.envelope * envelope(layers.mask, bound),
            "roughness": weight.roughness * roughness(layers.mask, self.small),
        }
        losses = self.dip.update(layers, losses, self.step)
        self.step += 1
        return losses

    def haze_free(self) -> Image | Video:
        """The picture without haze: the model solved for it, sRGB-encoded in [0, 1]."""
        transmission = self._transmission()
        airlight = _at_size(self.dip.layers().back, self.frames.shape[-2:])
        clear = to_srgb(remove_haze(to_linear(self.frames), transmission, airlight))
        return self._as_given(clear)

    def transmission(self) -> Image | Video:
        """The transmission, one channel in (0, 1], of the picture's size."""
        return self._as_given(self._transmission())

    def airlight(self) -> Float[Tensor, "1 3 _h _w"]:
        """The airlight, sRGB-encoded: (1, 3, 1, 1), or of the picture's size where it
        is not uniform."""
        return to_srgb(_at_size(self.dip.layers().back, self.frames.shape[-2:]))

    def doubts(self) -> str | None:
        """The reason why the result should not be trusted, if there is one."""
        _, share, _ = haziest_part(self.small, self.dip.layers().back)
        if contrast_confidence(share) < 0.5:
            return (
                "the haziest part of the picture is smooth: it may be sky, whose depth "
                "and colour nothing tells"
            )
        if self.given[0] is None and share > 0.2:
            return (
                "even the haziest part of the picture is far from opaque: an airlight "
                "that is estimated from it is a guess"
            )
        return None

    def _transmission(self) -> Float[Tensor, "n 1 h w"]:
        small, layers = self.small, self.dip.layers()
        dark = guided_dark_channel(small, layers.back)
        transmission = layers.mask**TRUST * dark ** (1 - TRUST)
        if self.frames.shape != small.shape:
            radius = max(1, max(small.shape[-2:]) // 32)
            transmission = guided_upsample(
                self.frames, small, transmission, radius, 1e-3
            )
        return transmission.clamp(1e-3, 1)

    def _as_given(self, frames: Video) -> Image | Video:
        return frames if self.image.ndim == 4 else frames[0]

    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, without the image."""
        airlight, non_uniform = self.given
        return {
            "airlight": airlight,
            "non_uniform": non_uniform,
            "settings": self.settings,
        }

    def state_dict(self) -> dict[str, Any]:
        """The whole state that training changes."""
        return state_of(self, STATE)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set the state that :meth:`state_dict` returned."""
        load_state(self, STATE, state)


def envelope(
    transmission: Float[Tensor, "n 1 h w"], bound: Float[Tensor, "n 1 h w"]
) -> Float[Tensor, ""]:
    """The pinball loss: least where a share ``QUANTILE`` of the bounds lie below."""
    missing = bound - transmission
    return torch.maximum(QUANTILE * missing, (QUANTILE - 1) * missing).mean()


def roughness(
    transmission: Float[Tensor, "n 1 h w"], frames: Video
) -> Float[Tensor, ""]:
    """How much the depth changes between neighbours of similar colour, in space and
    from frame to frame."""
    depth = -transmission.clamp_min(1e-3).log()  # times the haze's density
    rough = depth.new_zeros(())
    for along in (0, -2, -1):
        if depth.shape[along] > 1:
            alike = (-frames.diff(dim=along).abs().sum(1, keepdim=True) / EDGE).exp()
            step = (depth.diff(dim=along).square() + 1e-6).sqrt()
            rough = rough + (alike * step).mean()
    return rough


def guided_dark_channel(
    frames: Video, airlight: Float[Tensor, "_n 3 _h _w"]
) -> Float[Tensor, "n 1 h w"]:
    """The classical transmission at the settings that did best on practice scenes."""
    dark = dark_channel_transmission(to_linear(frames), airlight, 7, omega=0.98)
    return guided_filter(frames, dark, 4, 1e-2).clamp(0.05, 0.98)


def _check_frames(frames: Video) -> None:
    if isinstance(frames, Tensor) and frames.ndim == 4 and frames.shape[1] == 1:
        raise ValueError(
            "image: expected 3 channels, as haze is told from paint by its lack of "
            "colour, got 1 (grey); take the picture in colour"
        )
    check_images(frames, "image", (3,))
    if min(frames.shape[-2:]) < MIN_SIDE:
        raise ValueError(
            f"image: expected at least {MIN_SIDE} pixels a side, got "
            f"{frames.shape[-2]} x {frames.shape[-1]}; take a larger picture"
        )


def _working_copy(frames: Video) -> Video:
    """The frames, no larger than is learned from."""
    scale = WORK_SIDE / max(frames.shape[-2:])
    if scale >= 1:
        return frames.detach()
    return resize(frames.detach(), scale).clamp(0, 1)


def _at_size(airlight: Tensor, size: Sequence[int]) -> Tensor:
    """The airlight of a picture's size; one colour as it is."""
    return airlight if airlight.shape[-1] == 1 else _enlarge(airlight, size)


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
