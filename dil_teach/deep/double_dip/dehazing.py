"""Dehazing by Double-DIP: Gandelsman, Shocher and Irani, CVPR 2019.

In linear light, the hazy picture I is composed of the clear picture J (the front), the
airlight A (the back) and the transmission t (the mask). A network outputs J:

    minimise  mean (t J + (1 - t) A - I)^2
              + envelope * mean max(q (b - t), (q - 1) (b - t))
              + roughness * mean over neighbours s |log t - log t'|

``classical/haze/envelope.py`` explains the two penalties, and minimises them without
the network.

The airlight is estimated first and then frozen. The mask starts from the guided dark
channel, on a coarse grid. The result is the solution of the model for J; the output of
the network is discarded. The transmission of the result is
t^``TRUST`` * dark^(1 - ``TRUST``), where dark is the guided dark channel. Most of the
gain over the paper's baseline is that of the airlight, and the rest is that of the
penalties. The networks add nothing to it (``benchmarks/dehazing.py``), so the command
``dil-teach dehaze`` does not use them by default.

Departures from the paper. The networks alone cannot distinguish haze from pale paint,
but the penalties can. The mask is a smooth layer, because a network would need twice
the time for the same quality. The airlight is estimated by
``classical/haze/airlight.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.haze.airlight import doubt, find_airlight
from dil_teach.classical.haze.dark_channel import (
    HazeFree,
    guided_dark_channel,
    invert_haze,
    resample_airlight,
    transmission_bound,
    working_copy,
)
from dil_teach.classical.haze.envelope import (
    ENVELOPE,
    MIN_SIDE,
    ROUGHNESS,
    TRUST,
    coarse,
    envelope,
    neighbour_similarity,
    roughness,
)
from dil_teach.deep.double_dip.double_dip import Constant, DoubleDIP, Network, Smooth
from dil_teach.image.colour import to_linear
from dil_teach.image.convention import Image, Video, check_images, own_copy
from dil_teach.training.conditions import repeatable
from dil_teach.training.loop import all_steps_taken
from dil_teach.training.settings import budget, check_settings


@dataclass(frozen=True)
class DehazingSettings:
    """Settings of :class:`Dehazing`: ``quick()``, ``standard()``, ``full()``."""

    steps: int = 120
    """Number of training steps. More steps sharpen the network's own layer; the final
    picture hardly changes."""
    envelope: float = ENVELOPE
    """Weight of the envelope. In the first steps, the front is still grey. A low weight
    would let the reconstruction error change the transmission."""
    roughness: float = ROUGHNESS
    """Weight of the penalty on the roughness of the depth."""
    seed: int = 0
    """Seed of the weights, the network inputs and their noise."""

    def __post_init__(self) -> None:
        check_settings(self, steps=1, envelope=0, roughness=0)

    quick = budget("Settings for a quick run: 5 CPU seconds for 128 x 128 pixels.")
    standard = budget("Settings for good results: about 13 CPU seconds.", steps=400)
    full = budget("Settings for the best quality: about 30 CPU seconds.", steps=1000)


@repeatable
class Dehazing:
    """Removes the haze from a picture, or from a video with one airlight.

    ``fit(Dehazing(image)).haze_free()`` returns the picture without haze.

    A ValueError is raised if the image is grey, constant or under ``MIN_SIDE`` pixels a
    side, or the airlight is not a colour.

    Parameters
    ----------
    image : Image or Video
        Float[Tensor, "3 h w"] in [0, 1], sRGB-encoded, of any size, or the frames of a
        video, Float[Tensor, "t 3 h w"].
    airlight : three numbers or Image, optional
        The colour of opaque haze, sRGB-encoded in (0, 1], or an image of this colour if
        it changes over the picture. By default, the airlight is estimated.
    non_uniform : bool
        Whether the airlight changes slowly over the picture, as near a low sun. If so,
        the three numbers in ``airlight`` give its approximate mean.
    settings : DehazingSettings
        The number of steps, the weights of the penalties and the seed.
    """

    STATE = ("step", "dip")

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
        self.image, airlight = own_copy(image), own_copy(airlight)
        self.frames = self.image[None] if one else self.image
        self.settings = settings
        self.arguments = {
            "airlight": airlight,
            "non_uniform": non_uniform,
            "settings": settings,
        }
        self.step, self.total_steps = 0, settings.steps
        self.small = small = working_copy(self.frames)
        size = small.shape[-2], small.shape[-1]
        airlight = find_airlight(small, airlight, non_uniform)
        # the airlight is frozen: the penalties would pull it away from the estimate
        if airlight.shape[-1] == 1:
            back = Constant(airlight, rate=0)
        else:
            back = Smooth(airlight, size, rate=0)
        start = guided_dark_channel(small, resample_airlight(airlight, size))
        linear, rng = to_linear(small), torch.Generator().manual_seed(settings.seed)
        self.dip = DoubleDIP(
            linear,
            front=Network(linear, rng, each=True, name="image"),
            back=back,
            mask=Smooth(coarse(start), size, rate=5),
            rng=rng,
            steps=settings.steps,
        )
        # the following values do not change during training
        self.air = self.dip.layers().back
        self.dark = guided_dark_channel(small, self.air)
        self.bound = transmission_bound(small, self.air)
        self.similarity = neighbour_similarity(small)

    done = all_steps_taken

    def train_step(self) -> dict[str, Tensor]:
        """Draw the layers, compare the composite with the frames, update the layers."""
        layers, weight = self.dip.draw(), self.settings
        losses = {
            "reconstruction": self.dip.reconstruction(layers),
            "envelope": weight.envelope * envelope(layers.mask, self.bound),
            "roughness": weight.roughness * roughness(layers.mask, self.similarity),
        }
        losses = self.dip.update(layers, losses, self.step)
        self.step += 1
        return losses

    def result(self) -> HazeFree:
        """All frames without haze, their transmission and the airlight."""
        transmission = self.dip.layers().mask ** TRUST * self.dark ** (1 - TRUST)
        return invert_haze(self.frames, self.small, transmission, self.air)

    def haze_free(self) -> Image | Video:
        """The picture without haze, sRGB-encoded in [0, 1]."""
        return self._as_given(self.result().image)

    def transmission(self) -> Image | Video:
        """The transmission: one channel in [0, 1], as large as the picture."""
        return self._as_given(self.result().transmission)

    def airlight(self) -> Float[Tensor, "1 3 _h _w"]:
        """The airlight, sRGB-encoded; as large as the picture if it is not uniform."""
        return self.result().airlight

    def doubts(self) -> str | None:
        """The reason why the result should not be trusted, if there is one."""
        estimated = self.arguments["airlight"] is None
        return doubt(self.small, self.air, estimated=estimated)

    def _as_given(self, frames: Video) -> Image | Video:
        return frames if self.image.ndim == 4 else frames[0]


def _check_frames(frames: Video) -> None:
    if isinstance(frames, Tensor) and frames.ndim == 4 and frames.shape[1] == 1:
        raise ValueError(
            "image: expected 3 channels, got 1 (grey); finding haze needs colour"
        )
    check_images(frames, "image", (3,), MIN_SIDE)
