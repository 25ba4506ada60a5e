"""A KD-tree on principal components proposes candidates for the nearest patches."""

import numpy as np
import torch
from jaxtyping import Int
from scipy.spatial import KDTree
from torch import Tensor

from dil_teach.patches.extract import PatchBag

COMPONENTS = 24
"""Number of principal components that the KD-tree compares. All settings of the tree
were chosen by hand; benchmarks/recurrence.py measures their speed and error."""
EPS, EPS_OF_TEXTURE = 1.75, 2.5
"""The KD-tree's eps: it prunes branches that cannot improve the best distance by a
factor of 1 + EPS. In texture, distances are similar, so more branches can be pruned."""
TEXTURE = 0.1
"""An image is texture if its first 8 principal components leave more than this fraction
of the patches' variance; tuned on the photographs of benchmarks/recurrence.py."""
LEAF = 64
"""Number of patches in a leaf of the KD-tree."""
SAMPLE = 20000
"""Number of patches from which the principal components are computed."""


def candidates_by_tree(
    asking: PatchBag, known: PatchBag, count: int
) -> Int[Tensor, "n count"]:
    """Approximate nearest patches, by a KD-tree on the principal components."""
    sample = known[:: len(known) // SAMPLE + 1].double()
    covariance = torch.atleast_2d(sample.T.cov(correction=0))
    variances, directions = torch.linalg.eigh(covariance)  # in rising order
    directions = directions[:, -COMPONENTS:].float()
    texture = variances[:-8].sum() > TEXTURE * variances.sum()
    database, queries = (
        torch.cat([block @ directions for block in bag.blocks()]).numpy()
        for bag in (known, asking)
    )
    # a tree is built faster if its boxes are split in the middle, not at the median
    tree = KDTree(database, LEAF, balanced_tree=False)
    eps = EPS_OF_TEXTURE if texture else EPS
    _, index = tree.query(queries, count, eps=eps, workers=torch.get_num_threads())
    return torch.from_numpy(np.asarray(index)).view(len(asking), count)
