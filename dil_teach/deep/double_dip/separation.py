"""Separation of transparent layers: Double-DIP with one coefficient an image as mask.

Gandelsman, Shocher and Irani, '"Double-DIP": Unsupervised Image Decomposition via
Coupled Deep-Image-Priors', CVPR 2019, section 5. A photograph through a window is a
mixture of two pictures, I = a y1 + (1 - a) y2. Two networks draw y1 and y2:

    mean |a y1 + (1 - a) y2 - I|^2 + exclusion weight * exclusion(y1, y2).

The only penalty is the exclusion loss (Zhang, Ng and Chen, 'Single Image Reflection
Separation with Perceptual Losses', CVPR 2018, section 3.3): it keeps the edges of the
two layers in different places.

*Two mixtures* of the same layers leave two numbers unknown, the coefficients. These are
learned with the networks. Then the layers follow in closed form, with all the detail of
the mixtures. Departure: the coefficients start from the classical search for the least
exclusion (:mod:`dil_teach.classical.exclusion_search`) on blurred mixtures, and change
slowly. From other starts the networks alone were off by up to 0.08.

*One mixture* leaves a whole picture unknown: for any y1 there is a y2. The networks
return one of many answers.
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
from dil_teach.image.convention import Image, Video, check_images
from dil_teach.image.resize import resize
from dil_teach.training.settings import budget

LEARNING_RATE, INPUT_NOISE = 0.02, 0.003
"""Rate of Adam, and standard deviation of the noise on the network inputs."""
BLUR = 2.0
"""Standard deviation, in pixels, of the blur before the search for the coefficients.
Without it, noise decides the search."""
CORRECTION = 0.01
"""Learning rate of the coefficients, as a multiple of the networks' rate. At a higher
rate they follow edges that the networks have not drawn yet."""
LARGEST_SIDE = 256
"""Longer side, in pixels, of the copies from which the networks learn."""


@dataclass(frozen=True)
class SeparationSettings:
    """Settings of :class:`Separation`: ``quick()``, ``standard()``, ``full()``."""

    steps: int = 200
    """Number of training steps."""
    exclusion: float = 3e-4
    """Weight of the exclusion loss. With a higher weight the networks lower the
    exclusion by layers that do not add up to the mixtures."""
    seed: int = 0
    """Seed of the weights, the network inputs and their noise."""

    quick = budget("For a lesson: about 14 CPU seconds at 128 x 128.")
    standard = budget("For a result: about 56 CPU seconds at 128 x 128.", steps=800)
    full = budget("The best result: about 140 CPU seconds at 128 x 128.", steps=2000)


@dataclass(frozen=True)
class SeparatedLayers:
    """Two layers of one or two mixtures.

    The first layer is the one with the larger share in the first mixture than in the
    second. One mixture has no such order: the layers may come either way round.
    """

    first: Image
    second: Image
    """Float[Tensor, "c h w"] in [0, 1], of the mixtures' size: in closed form from the
    learned coefficients (of one mixture: from the difference of the networks' layers).
    """
    coefficients: tuple[float, ...]
    """The first layer's share of each mixture."""
    network_first: Image
    network_second: Image
    """The layers as the networks draw them, at the size at which they learned. The
    closed form amplifies noise, and the networks leave it out: use these for noisy
    mixtures."""


class Separation:
    """Separates the two layers of a mixture, or of two mixtures of the same layers.

    ``fit(Separation(mixtures)).layers()`` returns the layers.

    Parameters
    ----------
    mixtures : Video
        Float[Tensor, "n c h w"] in [0, 1], n = 1 or 2, each side at least 16 pixels.
        The networks learn from smaller copies of mixtures over ``LARGEST_SIDE``: the
        coefficients are the same at every size.
    settings : SeparationSettings
        The number of steps, the weight of the penalty and the seed.

    Raises
    ------
    ValueError
        If there are not one or two mixtures, or they are constant, equal or too small.
    """

    STATE = ("step", "dip")

    def __init__(
        self,
        mixtures: Video,
        settings: SeparationSettings = SeparationSettings.quick(),  # noqa: B008 (frozen)
    ) -> None:
        check_images(mixtures, "mixtures")
        if len(mixtures) > 2:
            raise ValueError(
                f"mixtures: expected one or two, got {len(mixtures)}; take the two in "
                "which the layers' shares differ most"
            )
        if len(mixtures) == 2:
            check_two_mixtures(mixtures)
        self.image, self.settings = mixtures.detach(), settings
        self.arguments = {"settings": settings}
        self.step, self.total_steps = 0, settings.steps
        largest = max(mixtures.shape[-2:])
        small = self.image
        if largest > LARGEST_SIDE:
            small = resize(small, LARGEST_SIDE / largest).clamp(0, 1)
        if len(small) == 1:
            # one mixture does not show the coefficient: one half, frozen
            shares = Constant(torch.full((1, 1, 1, 1), 0.5), rate=0)
        else:
            found = torch.tensor(exclusion_search(small, BLUR)).clamp(0.02, 0.98)
            shares = Constant(found.reshape(2, 1, 1, 1), rate=CORRECTION)
        rng = torch.Generator().manual_seed(settings.seed)
        self.dip = DoubleDIP(
            small,
            front=Network(small, rng),
            back=Network(small, rng),
            mask=shares,
            rng=rng,
            steps=settings.steps,
            learning_rate=LEARNING_RATE,
            input_noise=INPUT_NOISE,
        )

    @property
    def done(self) -> bool:
        """Its stopping rule: whether all steps of the settings are taken."""
        return self.step >= self.total_steps

    def train_step(self) -> dict[str, Tensor]:
        """Draw the layers, compare their composition with the mixtures, update."""
        layers = self.dip.draw()
        losses = {
            "reconstruction": self.dip.reconstruction(layers),
            "exclusion": self.settings.exclusion * exclusion(layers.front, layers.back),
        }
        losses = self.dip.update(layers, losses, self.step)
        self.step += 1
        return losses

    def layers(self) -> SeparatedLayers:
        """The layers by what was learned so far, at the size of the mixtures."""
        mixtures, drawn = self.image, self.dip.layers()
        own = torch.stack([drawn.front[0], drawn.back[0]])
        shares = [float(share) for share in drawn.mask.flatten()]
        if len(shares) == 1:
            # the mixture is the mean of its layers; the networks give the difference
            size = (mixtures.shape[2], mixtures.shape[3])
            half = resize(own[0] - own[1], size=size) / 2
            layers = torch.stack([mixtures[0] + half, mixtures[0] - half])
        else:
            if shares[0] < shares[1]:
                shares, own = [1 - share for share in shares], own.flip(0)
            layers = unmix(mixtures, (shares[0], shares[1]))
        layers = layers.clamp(0, 1)
        return SeparatedLayers(layers[0], layers[1], tuple(shares), own[0], own[1])
