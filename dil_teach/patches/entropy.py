"""Differential entropy from nearest neighbours (Kozachenko and Leonenko, 1987).

For n samples in d dimensions, with e_i the distance of sample i to its k-th nearest
neighbour and c_d the volume of the unit ball,

    H = psi(n) - psi(k) + log c_d + d/n sum_i log e_i,

where psi is the digamma function. The estimate is exact for n towards infinity. For few
samples in many dimensions it is biased, because the density is not constant in the
balls: :func:`gaussian_bias` measures the bias on Gaussian samples, whose entropy is
known. Entropies are in bits.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import KDTree
from scipy.special import digamma, gammaln
from torch import Tensor

NEIGHBOURS = 4
"""k: one neighbour has the smallest bias, more have a smaller variance."""


def entropy(samples: Float[Tensor, "n d"], k: int = NEIGHBOURS) -> float:
    """Estimate the differential entropy of independent samples, in bits.

    Parameters
    ----------
    samples : Float[Tensor, "n d"]
        One sample in each row, all different from one another. Add uniform noise of one
        quantisation step to quantised values, because equal samples have an entropy of
        minus infinity.
    k : int
        Which neighbour's distance is used.

    Raises
    ------
    ValueError
        If there are at most k samples, or k others equal one of them.
    """
    n, d = samples.shape
    if not 1 <= k < n:
        raise ValueError(
            f"samples: expected more than k = {k} samples and k at least 1, got {n}; "
            "draw more samples"
        )
    points = samples.double().cpu().numpy()
    distance = KDTree(points).query(points, k + 1)[0][:, k]  # [:, 0] is the point
    if distance.min() == 0:
        raise ValueError(
            f"samples: expected different samples, got one that {k} others equal; add "
            "uniform noise of one quantisation step"
        )
    log_ball = d / 2 * math.log(math.pi) - float(gammaln(d / 2 + 1))
    mean = d * float(np.log(distance).mean())
    return (float(digamma(n) - digamma(k)) + log_ball + mean) / math.log(2)


def gaussian_entropy(covariance: Float[Tensor, "d d"]) -> float:
    """The entropy of a Gaussian, in bits: the largest for this covariance."""
    d = len(covariance)
    determinant = float(torch.linalg.slogdet(covariance.double())[1])
    return (d * math.log(2 * math.pi * math.e) + determinant) / (2 * math.log(2))


def gaussian_bias(
    n: int, d: int, rng: torch.Generator, k: int = NEIGHBOURS, trials: int = 5
) -> tuple[float, float]:
    """Mean and standard deviation of the error of :func:`entropy`, in bits.

    The samples are standard normal, ``n`` in ``d`` dimensions, drawn ``trials`` times.
    Samples with heavier tails, such as patches, have another bias.
    """
    if trials < 2:
        raise ValueError(f"trials: expected at least 2, got {trials}; try 5")
    truth = gaussian_entropy(torch.eye(d))
    errors = [
        entropy(torch.randn(n, d, generator=rng, dtype=torch.float64), k) - truth
        for _ in range(trials)
    ]
    return float(np.mean(errors)), float(np.std(errors, ddof=1))


def principal_components(
    patches: Float[Tensor, "n values"], d: int
) -> Float[Tensor, "values d"]:
    """Directions of the d largest variances, scaled so that each variance becomes 1.

    ``patches @ principal_components(patches, d)`` has unit variances. A fixed linear
    map adds the same constant to every entropy, so it keeps differences of entropies.
    Equal variances make the bias small. A ValueError is raised if fewer than d
    directions vary.
    """
    covariance = torch.atleast_2d(patches.double().T.cov(correction=0))
    variances, directions = torch.linalg.eigh(covariance)
    rank = int((variances > 1e-9 * variances[-1]).sum()) if variances[-1] > 0 else 0
    if not 1 <= d <= rank:
        raise ValueError(
            f"d: expected 1 to {rank}, the number of directions in which the patches "
            f"vary, got {d}; take fewer components"
        )
    chosen = directions[:, -d:] / variances[-d:].sqrt()
    return chosen.flip(1).to(patches.dtype)
