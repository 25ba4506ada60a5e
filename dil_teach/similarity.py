"""How like two images of different size are, in their patches.

Simakov, Caspi, Shechtman and Irani, 'Summarizing Visual Data Using Bidirectional
Similarity', CVPR 2008: none is lost (completeness), and none is new (coherence).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dil_teach.image import Image
from dil_teach.nearest import nearest_patches

Batch = Float[Tensor, "_n _c _h _w"]


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
    fake: Batch,
    image: Batch,
    rng: torch.Generator,
    side: int = 7,
    samples: int = 512,
) -> Float[Tensor, ""]:
    """How far patches of each are from the nearest of the other, per value.

    Of some patches of the fake, their squared distance to the nearest of the image
    (coherence), and of some of the image, to the nearest of the fake (completeness). No
    part of InGAN: it trains on what the measures measure, which must be said beside
    them.

    References
    ----------
    Simakov et al. 2008, equation 1; N. Granot et al. 2022 for nearest patches in place
    of a discriminator.
    """
    total = fake.new_zeros(())
    for asked, known in ((fake, image), (image, fake)):
        rows, columns = asked.shape[-2] - side + 1, asked.shape[-1] - side + 1
        chosen = torch.randint(rows * columns, (samples,), generator=rng)
        some = patches_at(asked, chosen.to(asked.device), side)
        with torch.no_grad():  # |known|^2 - 2 <some, known>, for all places at once
            norms = F.avg_pool2d(
                known.square().sum(1), side, stride=1, divisor_override=1
            )
            nearest = F.conv2d(known, some).mul_(-2).add_(norms)[0].flatten(1)
            place = nearest.argmin(1)
        total = total + (some - patches_at(known, place, side)).square().mean()
    return total


def patches_at(
    picture: Batch, places: Int[Tensor, "n"], side: int
) -> Float[Tensor, "n c side side"]:
    """The square patches at these places, counted along the rows of patches."""
    width = picture.shape[-1]
    columns = width - side + 1
    corners = places // columns * width + places % columns
    within = torch.arange(side, device=places.device)
    pixels = corners[:, None, None] + within[:, None] * width + within
    return picture[0].flatten(1)[:, pixels].transpose(0, 1)
