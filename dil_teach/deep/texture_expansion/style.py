"""A style loss without a pretrained network: Gram matrices of random filters' features.

Gatys, Ecker and Bethge, 'Texture Synthesis Using Convolutional Neural Networks', NIPS
2015, compare features of a network that was trained on a million photographs. Random
filters work, too (Ustyuzhaninov et al., 'What does it take to generate natural
textures?', ICLR 2017).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.training.precision import fast_order

Batch = Float[Tensor, "_n _c _h _w"]

FILTERS, FILTER_SIDE, LEVELS = 32, 5, 3
"""Number of filters, their side in pixels, and number of scales. Each scale halves the
image size, so the filters cover 5, 10 and 20 pixels of the image."""


def random_filters(channels: int, rng: torch.Generator) -> Float[Tensor, "f c k k"]:
    """Gaussian filters with mean 0 and norm 1: a constant colour has no response."""
    shape = (FILTERS, channels, FILTER_SIDE, FILTER_SIDE)
    filters = torch.randn(shape, generator=rng)
    filters = filters - filters.mean((2, 3), keepdim=True)
    return filters / filters.square().sum((1, 2, 3), keepdim=True).sqrt()


def style_loss(
    drawn: Batch, real: Batch, filters: Float[Tensor, "f c k k"]
) -> Float[Tensor, ""]:
    """The relative squared difference between the Gram matrices of two batches.

    The sum of squared differences is divided by the sum of squares of the real matrix,
    averaged over the batch, and summed over three scales. The image sizes may differ.
    """
    loss = drawn.new_zeros(())
    for level in range(LEVELS):
        target = gram_matrix(features(real, filters))
        difference = gram_matrix(features(drawn, filters)) - target
        share = difference.square().sum((1, 2)) / target.square().sum((1, 2))
        loss = loss + share.mean()
        if level < LEVELS - 1:
            drawn, real = F.avg_pool2d(drawn, 2), F.avg_pool2d(real, 2)
    return loss


def features(images: Batch, filters: Float[Tensor, "f c k k"]) -> Batch:
    """The features: positive responses of the filters, and colours."""
    images = fast_order(images)
    edge = filters.shape[-1] // 2
    responses = F.conv2d(images, filters).relu()
    return torch.cat([responses, images[..., edge:-edge, edge:-edge]], dim=1)


def gram_matrix(features: Batch) -> Float[Tensor, "n f f"]:
    """For each pair of features, the mean of their product over all places."""
    rows = features.flatten(2)
    return rows @ rows.mT / rows.shape[-1]
