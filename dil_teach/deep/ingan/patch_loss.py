"""InGAN's patch losses: distances between the patches of two images.

- :func:`patch_distance`: Simakov, Caspi, Shechtman and Irani, 'Summarizing Visual Data
  Using Bidirectional Similarity', CVPR 2008, equation 1: completeness plus coherence.
  Each patch needs one similar patch in the other image; how many it has plays no role.
- :func:`distribution_distance`: the sliced Wasserstein distance between the two
  distributions of patches, which also compares how often each kind of patch occurs.
  Elnekave and Weiss, 'Generating Natural Images with Direct Patch Distributions
  Matching', ECCV 2022.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dil_teach.deep.ingan.networks import Batch
from dil_teach.patches.extract import gather_patches, patches_inside
from dil_teach.patches.sorting import sort_rows


def patch_distance(
    fake: Batch,
    image: Batch,
    rng: torch.Generator,
    inside: Bool[Tensor, "h w"] | None = None,
    patch_size: int = 7,
    samples: int = 128,
) -> Float[Tensor, ""]:
    """Completeness plus coherence, estimated from random patches.

    Parameters
    ----------
    fake, image : Float[Tensor, "1 c h w"]
        The two images to compare; their sizes may differ.
    rng : torch.Generator
        Random generator for the choice of patches.
    inside : Bool[Tensor, "h w"], optional
        The fake's shape. Only patches completely inside this shape are compared.
    patch_size : int
        Side of a patch in pixels.
    samples : int
        Number of patches drawn from each image, with replacement.

    Returns
    -------
    Float[Tensor, ""]
        Mean squared error per value between a patch and its nearest patch in the other
        image, summed over both directions; 0 if no patch is inside the shape. The
        choice of the nearest patch has no gradient.
    """
    total = fake.new_zeros(())
    outside = None
    if inside is not None:
        outside = ~patches_inside(inside, patch_size).flatten()
        if outside.all():
            return total
    for query, database in ((fake, image), (image, fake)):
        rows, columns = (side - patch_size + 1 for side in query.shape[-2:])
        places = torch.arange(rows * columns, device=query.device)
        if outside is not None and query is fake:
            places = places[~outside]
        chosen = torch.randint(len(places), (samples,), generator=rng)
        some = patches_at(query, places[chosen.to(query.device)], patch_size)
        # One convolution computes |database|^2 - 2 <query, database> at all places.
        # Unlike patches.search, it copies no patches, so it is fast for few queries.
        with torch.no_grad():
            norms = F.avg_pool2d(
                database.square().sum(1), patch_size, stride=1, divisor_override=1
            )
            distances = F.conv2d(database, some).mul_(-2).add_(norms)[0].flatten(1)
            if outside is not None and database is fake:
                distances[:, outside] = torch.inf
            nearest = distances.min(1).indices  # min is twice as fast as argmin
        found = patches_at(database, nearest, patch_size)
        total = total + (some - found).square().mean()
    return total


def distribution_distance(
    fake: Batch,
    image: Batch,
    rng: torch.Generator,
    patch_size: int = 7,
    directions: int = 64,
    samples: int = 8192,
) -> Float[Tensor, ""]:
    """The sliced Wasserstein distance between the patches of two images.

    Patches are projected onto random directions. Along each direction the values are
    sorted, and values of equal rank are compared. The distance is 0 if both images have
    the same patches in the same proportions, wherever they lie and whatever the sizes
    of the images are.

    Parameters
    ----------
    fake, image : Float[Tensor, "1 c h w"]
        The two images to compare; their sizes may differ.
    rng : torch.Generator
        Random generator for the directions and the choice of patches.
    patch_size : int
        Side of a patch in pixels.
    directions : int
        Number of random directions, each a unit vector.
    samples : int
        Largest number of patches of each image; a larger image is sampled.

    Returns
    -------
    Float[Tensor, ""]
        The mean absolute difference, over directions and ranks, in units of the values.
    """
    shape = (directions, fake.shape[1], patch_size, patch_size)
    slices = torch.randn(shape, generator=rng).to(fake)
    slices = slices / slices.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    ranked = []
    for picture in (fake, image):
        values = F.conv2d(picture, slices)[0].flatten(1)
        if (count := values.shape[1]) > samples:
            some = torch.randint(count, (samples,), generator=rng)
            values = values[:, some.to(values.device)]
        ranked.append(sort_rows(values))
    of_fake, of_image = ranked
    count, other = of_fake.shape[1], of_image.shape[1]
    ranks = (torch.arange(count, device=fake.device) + 0.5) / count * other
    return (of_fake - of_image[:, ranks.long().clamp_max(other - 1)]).abs().mean()


def patches_at(
    picture: Batch, places: Int[Tensor, "n"], patch_size: int
) -> Float[Tensor, "n c side side"]:
    """The patches at these places; gradients flow back to the picture.

    A place is a row number of :func:`~dil_teach.patches.extract.extract_patches`.
    """
    width = picture.shape[-1]
    columns = width - patch_size + 1
    corners = places // columns * width + places % columns
    found = gather_patches(picture[0].flatten(1), corners, width, patch_size)
    return found.unflatten(2, (patch_size, patch_size))
