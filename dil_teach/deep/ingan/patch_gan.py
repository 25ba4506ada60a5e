"""InGAN's adversarial loss on patches, at several scales and inside any shape.

Shocher et al., ICCV 2019: an adaptive multi-scale patch discriminator. The paper's loss
is least squares; here it is the hinge loss (Lim and Ye, 'Geometric GAN', 2017).
"""

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.deep.ingan.networks import Batch, Discriminator
from dil_teach.image.resize import resize
from dil_teach.image.warp import Transformation
from dil_teach.patches.extract import patches_inside
from dil_teach.training.precision import autocast, fast_order

Logits = Float[Tensor, "1 1 _h _w"]
Judged = Sequence[tuple[Logits, Tensor | None]]
"""Logits of all patches, and the mask of patches inside the shape, for each scale."""

SCALE_FACTOR = 1.5
"""Ratio between the sizes of neighbouring scales."""


def judge(
    discriminator: Discriminator,
    picture: Batch,
    transformation: Transformation,
    scales: int,
) -> Judged:
    """The discriminator's logits of a picture, at each scale that fits a patch.

    Parameters
    ----------
    discriminator : Discriminator
        One network for all scales.
    picture : Float[Tensor, "1 c h w"]
        A picture with mean 0 and variance 1.
    transformation : Transformation
        The transformation of the picture. Patches that are not completely inside the
        transformed shape are masked.
    scales : int
        The largest number of scales; a small picture gets fewer.
    """
    judged = []
    for scale in range(scales):
        smaller = resize(picture, 1 / SCALE_FACTOR**scale) if scale else picture
        size = (smaller.shape[-2], smaller.shape[-1])
        if scale and min(size) < discriminator.patch:
            break
        shape = transformation.shape(size, picture.device)
        mask = None if shape is None else patches_inside(shape, discriminator.patch)
        with autocast(picture.device):
            logits = discriminator(fast_order(smaller))
        judged.append((logits.float(), mask))
    return judged


def generator_loss(fake: Judged, progress: float) -> Float[Tensor, ""]:
    """Minus the mean logit of the fake's patches."""
    return weighted([mean_inside(-logits, mask) for logits, mask in fake], progress)


def discriminator_loss(
    fake: Judged, real: Judged, progress: float
) -> Float[Tensor, ""]:
    """The hinge loss: logits should be below -1 for the fake, above 1 for the image."""
    terms = [
        mean_inside(F.relu(1 + of_fake), mask) + F.relu(1 - of_real).mean()
        for (of_fake, mask), (of_real, _) in zip(fake, real, strict=False)
    ]
    return weighted(terms, progress)


def weighted(terms: Sequence[Tensor], progress: float) -> Float[Tensor, ""]:
    """The mean over scales, weighted by :func:`scale_weights`."""
    weights = scale_weights(progress, len(terms))
    total = 0 * terms[0]
    for weight, term in zip(weights, terms, strict=True):
        total = total + weight * term
    return total


def scale_weights(progress: float, scales: int) -> list[float]:
    """Weights of the discriminator's scales, the finest first; their sum is 1.

    At first, the coarsest scale has the largest weight, so large structures are learned
    first. At the end, the finest scale has the largest weight. The authors change the
    weights, too.
    """
    weights = [
        (1 - progress) * scale + progress * (scales - 1 - scale) + 1
        for scale in range(scales)
    ]
    return [weight / sum(weights) for weight in weights]


def mean_inside(values: Batch, mask: Tensor | None) -> Tensor:
    """The mean of the values where the mask is True, or of all if there is no mask."""
    if mask is None:
        return values.mean()
    return (values * mask).sum() / mask.sum().clamp_min(1)
