"""Matrices of the transforms of BM3D: Haar, cosine, and a biorthogonal wavelet."""

import numpy as np
import torch
from jaxtyping import Float
from scipy.fft import dct
from torch import Tensor


def haar(size: int) -> Float[Tensor, "size size"]:
    """The orthonormal Haar transform of ``size`` values; ``size`` is a power of 2."""
    if size == 1:
        return torch.ones(1, 1)
    mean = torch.kron(haar(size // 2), torch.tensor([[1.0, 1.0]]))
    detail = torch.kron(torch.eye(size // 2), torch.tensor([[1.0, -1.0]]))
    return torch.cat([mean, detail]) / 2**0.5


def cosine(side: int) -> Float[Tensor, "side side"]:
    """The orthonormal cosine transform (DCT-II) of ``side`` values."""
    return torch.from_numpy(dct(np.eye(side), norm="ortho", axis=0)).float()


def biorthogonal(side: int) -> Float[Tensor, "side side"]:
    """The biorthogonal spline wavelet 1.5 of ``side`` values, periodic at the border.

    The filters are those of Cohen, Daubechies and Feauveau (1992). Each row is scaled
    to norm 1, so that white noise has the same variance in all coefficients.
    """
    low = torch.tensor([3.0, -3, -22, 22, 128, 128, 22, -22, -3, 3]) / 256
    matrix, size = torch.eye(side), side
    while size > 1:
        step = torch.zeros(size, size)
        for pair in range(size // 2):
            for tap, value in enumerate(low):
                step[pair, (2 * pair + tap - 4) % size] += value
            step[size // 2 + pair, 2 * pair : 2 * pair + 2] = torch.tensor([1.0, -1.0])
        matrix[:size] = step @ matrix[:size]
        size //= 2
    return matrix / matrix.norm(dim=1, keepdim=True)
