"""A mode of weighted colours, by mean shift: Comaniciu and Meer, "Mean shift: a robust
approach toward feature space analysis", PAMI 2002."""

import torch
from jaxtyping import Float
from torch import Tensor

BANDWIDTHS = (0.2, 0.1, 0.05)
"""Bandwidth of each step of the mean shift, as a difference of colours in [0, 1]. The
first step starts from the mean of all votes. Chosen by hand."""


def mode(
    votes: Float[Tensor, "c n voters"],
    weight: Float[Tensor, "n voters"],
    otherwise: Float[Tensor, "c n"],
) -> Float[Tensor, "c n"]:
    """Follow a mean shift from the mean of the votes to a mode of them."""
    total = weight.sum(1)
    weight = weight / total.clamp_min(1e-30)[:, None]
    colour = (votes * weight).sum(2)
    for bandwidth in BANDWIDTHS:
        apart = (votes - colour[:, :, None]).square().sum(0)
        near = weight * (torch.exp(-apart / (2 * bandwidth**2)) + 1e-9)
        colour = (votes * near).sum(2) / near.sum(1).clamp_min(1e-30)
    return torch.where(total > 0, colour, otherwise)
