"""The principal components of patches: a short row for each patch, to compare fast."""

import torch
from jaxtyping import Float
from torch import Tensor

Rows = Float[Tensor, "_n _values"]

SAMPLE = 4000
"""Number of patches from which the components are computed."""


def principal_components(
    rows: Rows, count: int
) -> tuple[Float[Tensor, " values"], Float[Tensor, "values components"]]:
    """The mean of patches, and the ``count`` directions in which they vary most.

    ``(rows - mean) @ directions`` projects patches. Distances between projected patches
    are a little too small, because the other directions are left out.

    Parameters
    ----------
    rows : Float[Tensor, "n values"]
        One patch in each row. The directions come from about 4000 of the patches.
    count : int
        Number of directions, from 1; all directions if there are fewer.
    """
    centre = rows.mean(0)
    sample = (rows - centre)[:: len(rows) // SAMPLE + 1].double()
    directions = torch.linalg.eigh(sample.T @ sample).eigenvectors  # rising order
    return centre, directions[:, -count:].float()
