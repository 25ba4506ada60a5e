"""How like two images of different size are, in their patches.

Simakov, Caspi, Shechtman and Irani, 'Summarizing Visual Data Using Bidirectional
Similarity', CVPR 2008: none is lost (completeness), and none is new (coherence).
"""

import torch

from dil_teach.image.convention import Image
from dil_teach.patches.search import nearest_patches


def completeness(source: Image, target: Image, patch_size: int = 7) -> float:
    """How far the source's patches are from the nearest in the target; 0: all are kept.

    Parameters
    ----------
    source, target : Image
        Float[Tensor, "c h w"] of one number of channels; sizes may differ.
    patch_size : int
        Side of a patch in pixels.

    Returns
    -------
    float
        Mean squared error per value to the nearest patch, over all patches (stride 1),
        by the exact search.

    Raises
    ------
    ValueError
        If an image is smaller than a patch, or channels differ.

    References
    ----------
    Simakov et al. 2008, equation 1, its first term.
    """
    found = nearest_patches(source, target, patch_size, exact=True)
    values = len(source) * patch_size**2
    return found.distance.cpu().double().mean().item() / values


def coherence(source: Image, target: Image, patch_size: int = 7) -> float:
    """How far the target's patches are from the nearest in the source; 0: none is new.

    Parameters
    ----------
    source, target, patch_size
        As in :func:`completeness`.

    Returns
    -------
    float
        As there.

    Raises
    ------
    ValueError
        As there.

    References
    ----------
    Simakov et al. 2008, equation 1, its second term.
    """
    return completeness(target, source, patch_size)


def relative_location(source: Image, target: Image, patch_size: int = 7) -> float:
    """How far patches have moved sideways, in shares of the width; 0: all kept places.

    Parameters
    ----------
    source, target : Image
        Float[Tensor, "c h w"] of one number of channels; sizes may differ.
    patch_size : int
        Side of a patch in pixels.

    Returns
    -------
    float
        Mean difference between where a target's patch lies and where the source's
        nearest to it lies (by the exact search; of equal ones the first), each from 0
        at the left border to 1 at the right one. A picture beside itself has 1/4.

    Raises
    ------
    ValueError
        As in :func:`completeness`.
    """
    found = nearest_patches(target, source, patch_size, exact=True)
    half = patch_size / 2
    columns = found.column[..., 0].cpu().double()
    came = (columns + half) / source.shape[-1]
    lies = (torch.arange(columns.shape[1]).double() + half) / target.shape[-1]
    return (came - lies).abs().mean().item()
