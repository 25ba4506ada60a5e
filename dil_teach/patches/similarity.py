"""How like two images of different size are, in their patches.

Simakov, Caspi, Shechtman and Irani, 'Summarizing Visual Data Using Bidirectional
Similarity', CVPR 2008: none is lost (completeness), and none is new (coherence).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dil_teach.image.convention import Image
from dil_teach.patches.extract import patches_inside
from dil_teach.patches.search import nearest_patches

Picture = Float[Tensor, "1 _c _h _w"]


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


def patch_distance(
    fake: Picture,
    image: Picture,
    rng: torch.Generator,
    inside: Bool[Tensor, "h w"] | None = None,
    patch_size: int = 7,
    samples: int = 128,
) -> Float[Tensor, ""]:
    """Completeness and coherence of some patches, for a network to learn from.

    Parameters
    ----------
    fake, image : Float[Tensor, "1 c h w"]
        Sizes may differ.
    rng : torch.Generator
        Draws the patches.
    inside : Bool[Tensor, "h w"], optional
        The fake's shape: only patches that lie wholly inside of it count.
    patch_size : int
        Side of a patch in pixels.
    samples : int
        Patches of each that are drawn, with repetition.

    Returns
    -------
    Float[Tensor, ""]
        Mean squared error per value to the nearest patch of the other, both ways
        added; its gradient leaves which patch is nearest alone.

    References
    ----------
    Simakov et al. 2008, equation 1.
    """
    total = fake.new_zeros(())
    outside = None
    if inside is not None:
        outside = ~patches_inside(inside, patch_size).flatten()
        if outside.all():
            return total
    for asked, known in ((fake, image), (image, fake)):
        rows, columns = (side - patch_size + 1 for side in asked.shape[-2:])
        places = torch.arange(rows * columns, device=asked.device)
        if outside is not None and asked is fake:
            places = places[~outside]
        chosen = torch.randint(len(places), (samples,), generator=rng)
        some = patches_at(asked, places[chosen.to(asked.device)], patch_size)
        with torch.no_grad():  # |known|^2 - 2 <some, known>, for all places at once
            norms = F.avg_pool2d(
                known.square().sum(1), patch_size, stride=1, divisor_override=1
            )
            distances = F.conv2d(known, some).mul_(-2).add_(norms)[0].flatten(1)
            if outside is not None and known is fake:
                distances[:, outside] = torch.inf
            nearest = distances.min(1).indices  # in half of argmin's time
        found = patches_at(known, nearest, patch_size)
        total = total + (some - found).square().mean()
    return total


def patches_at(
    picture: Picture, places: Int[Tensor, "n"], patch_size: int
) -> Float[Tensor, "n c side side"]:
    """The square patches at these places, counted along the rows of patches."""
    width = picture.shape[-1]
    columns = width - patch_size + 1
    corners = places // columns * width + places % columns
    within = torch.arange(patch_size, device=places.device)
    pixels = corners[:, None, None] + within[:, None] * width + within
    return picture[0].flatten(1)[:, pixels].transpose(0, 1)
