"""The adversarial loss of patches, at several scales and inside of any shape.

Shocher et al., ICCV 2019: an adaptive multi-scale patch discriminator. The loss is the
hinge or least squares (Mao et al., ICCV 2017).
"""

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.deep.ingan.networks import Batch, Discriminator, channels_last
from dil_teach.image.resize import resize
from dil_teach.image.warp import Transformation
from dil_teach.patches.extract import patches_inside
from dil_teach.training.precision import autocast

Loss = Literal["hinge", "least squares"]
Logits = Float[Tensor, "1 1 _h _w"]
Judged = Sequence[tuple[Logits, Tensor | None]]
"""Logits of all patches at each scale, and which of them lie inside the shape."""

SCALE_FACTOR = 1.5
"""How much smaller each scale is than the one before."""


def judge(
    discriminator: Discriminator,
    picture: Batch,
    transformation: Transformation,
    scales: int,
    bf16: bool = True,
) -> Judged:
    """What the discriminator says of a picture, at as many scales as have a patch.

    Parameters
    ----------
    discriminator : Discriminator
        One for all scales.
    picture : Float[Tensor, "1 c h w"]
        Of mean 0 and variance 1.
    transformation : Transformation
        That it was drawn by; patches that are not wholly inside its shape are masked.
    scales : int
        How many at the most, the finest first.
    bf16 : bool
        Whether it uses bfloat16 where the processor has it.
    """
    judged = []
    for scale in range(scales):
        smaller = resize(picture, 1 / SCALE_FACTOR**scale) if scale else picture
        size = (smaller.shape[-2], smaller.shape[-1])
        if scale and min(size) < discriminator.patch:
            break
        shape = transformation.shape(size, picture.device)
        mask = None if shape is None else patches_inside(shape, discriminator.patch)
        with autocast(picture.device, bf16):
            logits = discriminator(channels_last(smaller))
        judged.append((logits.float(), mask))
    return judged


def generator_loss(fake: Judged, progress: float, loss: Loss) -> Float[Tensor, ""]:
    """How far the discriminator is from taking the fake's patches for real."""
    terms = [
        mean_inside(-logits if loss == "hinge" else (logits - 1) ** 2, mask)
        for logits, mask in fake
    ]
    return weighted(terms, progress)


def discriminator_loss(
    fake: Judged, real: Judged, progress: float, loss: Loss
) -> Float[Tensor, ""]:
    """How far it is from telling patches of the image from those of the fake."""
    terms = []
    for (of_fake, mask), (of_real, _) in zip(fake, real, strict=False):
        if loss == "hinge":
            errors = F.relu(1 + of_fake), F.relu(1 - of_real)
        else:
            errors = of_fake**2, (of_real - 1) ** 2
        terms.append(mean_inside(errors[0], mask) + errors[1].mean())
    return weighted(terms, progress)


def weighted(terms: Sequence[Tensor], progress: float) -> Float[Tensor, ""]:
    """The scales' weighted mean, by the weights of :func:`scale_weights`."""
    weights = scale_weights(progress, len(terms))
    total = 0 * terms[0]
    for weight, term in zip(weights, terms, strict=True):
        total = total + weight * term
    return total


def scale_weights(progress: float, scales: int) -> list[float]:
    """Weights of the discriminator's scales, the finest first; they sum to 1.

    The coarsest counts most at first, of two scales twice as much as the other, and the
    finest at the end: what is large is settled first (Shocher et al. 2019: the weights
    of the scales change as it learns).
    """
    coarse_first = [
        (1 - progress) * scale + progress * (scales - 1 - scale)
        for scale in range(scales)
    ]
    raised = [weight + 1 for weight in coarse_first]
    return [weight / sum(raised) for weight in raised]


def mean_inside(values: Batch, mask: Tensor | None) -> Tensor:
    """The mean of what a mask leaves; of all where there is none."""
    if mask is None:
        return values.mean()
    return (values * mask).sum() / mask.sum().clamp_min(1)
