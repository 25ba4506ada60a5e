"""Filter pairs that enlarge by (n + 1) / n: Freedman and Fattal, ACM TOG 2011.

An enlarging filter U and a reducing filter D of such a pair fulfil these conditions of
the paper:

- Linear functions are reproduced, so nothing is distorted or shifted.
- U reproduces waves of low frequency.
- D U is the identity: an enlarged image, reduced again, is the image itself. Then U D
  is a projection, and y - U D y is the part of y that enlarging cannot restore.

The paper optimises short filters. Here U is bicubic interpolation, and D is its
pseudo-inverse: D y is the image whose enlarged copy is nearest to y. D U is the
identity exactly, also at the border.
"""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.convention import Image
from dil_teach.image.resize import resize


def enlarge(image: Image, n: int, size: tuple[int, int]) -> Image:
    """Make an image (n + 1) / n times larger by U, with ``size`` pixels."""
    return resize(image, (n + 1) / n, size)


def reduce(image: Image, n: int) -> Image:
    """Make an image (n + 1) / n times smaller by D."""
    height, width = (_pseudo_inverse(n, side).to(image) for side in image.shape[-2:])
    return height @ image @ width.T


@lru_cache(16)
def _pseudo_inverse(n: int, after: int) -> Float[Tensor, "before after"]:
    """D for one axis: inverse(U^T U) U^T, for the matrix U."""
    before = round(after * n / (n + 1))
    unit = torch.eye(before, dtype=torch.float64)
    enlarging = resize(unit, ((n + 1) / n, 1.0), (after, before))
    square = enlarging.T @ enlarging
    return torch.cholesky_solve(enlarging.T, torch.linalg.cholesky(square)).float()
