"""Separation of transparent layers: Double-DIP with one coefficient per image as mask.

Gandelsman, Shocher and Irani, '"Double-DIP": Unsupervised Image Decomposition via
Coupled Deep-Image-Priors', CVPR 2019, section 5. A photograph through a window is a
mixture of two pictures, I = a y1 + (1 - a) y2. Two networks output y1 and y2:

    mean |a y1 + (1 - a) y2 - I|^2 + exclusion weight * exclusion(y1, y2).

The only penalty is the exclusion loss (Zhang, Ng and Chen, 'Single Image Reflection
Separation with Perceptual Losses', CVPR 2018, section 3.3). This loss penalises edges
that both layers have at the same place.

With *two mixtures* of the same layers, only the two coefficients are unknown. The
coefficients are learned with the networks. After training, the layers are computed in
closed form, with all the detail of the mixtures. Departure from the paper: the
coefficients start at the values that minimise the exclusion loss of the layers computed
from blurred mixtures (:mod:`dil_teach.classical.exclusion_search`), and change slowly.
With other start values, the learned coefficients had errors up to 0.08.

With *one mixture*, a whole picture is unknown, because for any y1 there is a y2 that
explains the mixture. The networks return one of many answers.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dil_teach.classical.exclusion_search import (
    check_two_mixtures,
    exclusion,
    exclusion_search,
    unmix,
)
from dil_teach.deep.double_dip.double_dip import Constant, DoubleDIP, Network
from dil_teach.image.convention import Image, Video, check_images, own_copy
from dil_teach.image.resize import limit_side, resize
from dil_teach.training.conditions import repeatable
from dil_teach.training.loop import all_steps_taken
from dil_teach.training.settings import budget, check_settings

LEARNING_RATE, INPUT_NOISE = 0.02, 0.003
"""Learning rate of Adam, and standard deviation of the noise on network inputs."""
BLUR = 2.0
"""Standard deviation, in pixels, of the blur before the search for the coefficients.
Without the blur, noise would determine the result of the search."""
CORRECTION = 0.01
"""Learning rate of the coefficients, as a multiple of the networks' rate. With a higher
rate, the coefficients would depend on edges that the networks have not learned yet."""
LARGEST_SIDE = 256
"""Largest side, in pixels, of the copies from which the networks learn."""


@dataclass(frozen=True)
class SeparationSettings:
    """Settings of :class:`Separation`: ``quick()``, ``standard()``, ``full()``."""

    steps: int = 200
    """Number of training steps."""
    exclusion: float = 3e-4
    """Weight of the exclusion loss. With a higher weight, the layers no longer add up
    to the mixtures."""
    seed: int = 0
    """Seed of the weights, the network inputs and their noise."""

    def __post_init__(self) -> None:
        check_settings(self, steps=1, exclusion=0)

    quick = budget("Settings for a quick run: 14 CPU seconds for 128 x 128 pixels.")
    standard = budget("Settings for good results: about 56 CPU seconds.", steps=800)
    full = budget("Settings for the best quality: about 140 CPU seconds.", steps=2000)


@dataclass(frozen=True)
class SeparatedLayers:
    """The two layers of one or two mixtures.

    The first layer has a larger coefficient in the first mixture than in the second.
    For one mixture, the order of the layers is arbitrary.
    """

    first: Image
    second: Image
    """Both layers are Float[Tensor, "c h w"] in [0, 1], as large as the mixtures. They
    are computed in closed form from the coefficients. For one mixture, the networks
    give the difference of the layers."""
    coefficients: tuple[float, ...]
    """The fraction of the first layer in each mixture."""
    network_first: Image
    network_second: Image
    """The outputs of the networks, as large as the networks' training images. Use these
    outputs for noisy mixtures, because the closed form amplifies noise."""


@repeatable
class Separation:
    """Separates the two layers of a mixture, or of two mixtures of the same layers.

    ``fit(Separation(mixtures)).layers()`` returns the layers.

    A ValueError is raised if there are more than two mixtures, or if they are constant,
    equal or too small.

    Parameters
    ----------
    mixtures : Video
        Float[Tensor, "n c h w"] in [0, 1], n = 1 or 2, each side at least 16 pixels.
        The networks learn from copies of at most ``LARGEST_SIDE`` pixels a side,
        because the coefficients are the same at every size.
    settings : SeparationSettings
        The number of steps, the weight of the penalty and the seed.
    """

    STATE = ("step", "dip")

    def __init__(
        self,
        mixtures: Video,
        settings: SeparationSettings = SeparationSettings.quick(),  # noqa: B008 (frozen)
    ) -> None:
        mixtures = check_images(mixtures, "mixtures")
        if len(mixtures) > 2:
            raise ValueError(
                f"mixtures: expected 1 or 2, got {len(mixtures)}; take two that differ"
            )
        if len(mixtures) == 2:
            check_two_mixtures(mixtures)
        self.image, self.settings = own_copy(mixtures), settings
        self.arguments = {"settings": settings}
        self.step, self.total_steps = 0, settings.steps
        small = limit_side(self.image, LARGEST_SIDE)
        if len(small) == 1:
            # one mixture does not determine the coefficient: use a constant 0.5
            shares = Constant(torch.full((1, 1, 1, 1), 0.5), rate=0)
        else:
            found = torch.tensor(exclusion_search(small, BLUR)).clamp(0.02, 0.98)
            shares = Constant(found.reshape(2, 1, 1, 1), rate=CORRECTION)
        rng = torch.Generator().manual_seed(settings.seed)
        self.dip = DoubleDIP(
            small,
            front=Network(small, rng, name="mixtures"),
            back=Network(small, rng, name="mixtures"),
            mask=shares,
            rng=rng,
            steps=settings.steps,
            learning_rate=LEARNING_RATE,
            input_noise=INPUT_NOISE,
        )

    done = all_steps_taken

    def train_step(self) -> dict[str, Tensor]:
        """Draw layers, compare their composite with the mixtures, update the layers."""
        layers = self.dip.draw()
        losses = {
            "reconstruction": self.dip.reconstruction(layers),
            "exclusion": self.settings.exclusion * exclusion(layers.front, layers.back),
        }
        losses = self.dip.update(layers, losses, self.step)
        self.step += 1
        return losses

    def layers(self) -> SeparatedLayers:
        """The layers after the steps taken so far, at the size of the mixtures."""
        mixtures, drawn = self.image, self.dip.layers()
        own = torch.stack([drawn.front[0], drawn.back[0]])
        shares = [float(share) for share in drawn.mask.flatten()]
        if len(shares) == 1:
            # the layers' mean is the mixture; the networks give the layers' difference
            size = (mixtures.shape[2], mixtures.shape[3])
            half = resize(own[0] - own[1], size=size) / 2
            layers = torch.stack([mixtures[0] + half, mixtures[0] - half])
        else:
            if shares[0] < shares[1]:
                shares, own = [1 - share for share in shares], own.flip(0)
            layers = unmix(mixtures, (shares[0], shares[1]))
        layers = layers.clamp(0, 1)
        return SeparatedLayers(layers[0], layers[1], tuple(shares), own[0], own[1])
