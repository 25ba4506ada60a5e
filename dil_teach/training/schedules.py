"""Learning-rate schedules, updates of weights, and their moving averages."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from dil_teach.training.adam import Adam


def schedule(
    progress: float,
    warm_up: float = 0.0,
    decay: float = 0.0,
    shape: Literal["cosine", "linear"] = "cosine",
    least: float = 0.0,
) -> float:
    """The factor of the learning rate: it rises to 1, stays at 1, and falls.

    Parameters
    ----------
    progress : float
        Fraction of the steps that have been taken, in [0, 1].
    warm_up : float
        The factor rises linearly from 0 to 1 in this first fraction of the steps.
    decay : float
        After this fraction of the steps (at least ``warm_up``), the factor falls.
    shape : {"cosine", "linear"}
        Shape of the decay.
    least : float
        Smallest value to which the factor falls.
    """
    if progress < warm_up:
        return progress / warm_up
    if progress <= decay:
        return 1.0
    left = min((progress - decay) / (1 - decay), 1.0)
    fallen = 0.5 + 0.5 * math.cos(math.pi * left) if shape == "cosine" else 1 - left
    return max(fallen, least)


def set_learning_rate(optimizer: Adam, rate: float) -> None:
    """Set the learning rate of all parameters of an optimizer."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def update(
    optimizer: Adam,
    loss: Tensor,
    max_norm: float | None = None,
    retain_graph: bool = False,
) -> None:
    """Update the weights of one optimizer, and leave all others unchanged.

    Only the gradient with respect to these weights is computed. A gradient that is
    longer than ``max_norm`` is scaled down to this length. ``retain_graph`` is True if
    a later loss uses the same computation graph.
    """
    weights = optimizer.weights
    optimizer.zero_grad()
    loss.backward(retain_graph=retain_graph, inputs=weights)
    if max_norm is not None:
        nn.utils.clip_grad_norm_(weights, max_norm)
    optimizer.step()


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, keep: float) -> None:
    """Update the exponential moving average of a network's weights.

    Each weight of ``average`` becomes ``keep`` times its old value plus ``1 - keep``
    times the weight of ``network``. Both networks have the same architecture.
    """
    for kept, new in zip(average.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, 1 - keep)
