"""GPNN: Granot, Feinstein, Shocher, Bagon and Irani, "Drop the GAN: in defense of
patches nearest neighbors as single image generative models", CVPR 2022.

A coarse-to-fine pyramid of nearest-patch searches does the tasks of a GAN trained on
one image, without training. At each level, each query patch Q_i (of the present image)
is replaced by the value patch V_j of its best key K_j, and overlapping patches are
averaged. The best key has the smallest normalised score

    S_ij = D_ij / (alpha + min_l D_lj),

where D_ij is the mean squared difference of Q_i and K_j. Even a key far from all
queries has a small score, so a small alpha makes the result use all source patches.

Departures: :func:`retarget` starts and searches as in :mod:`.bidirectional`; the paper
starts from the resized image. Large images continue with :mod:`.refinement`. The
constants describe differences in the number of updates, the coarsest sizes and the
noise.
"""

import torch

from dil_teach.classical.retarget.layouts import stretch
from dil_teach.classical.retarget.matching import (
    PATCH_SIZE,
    Level,
    Places,
    check_edited,
    check_sizes,
    coarse_to_fine,
    count_exact,
    finest_exact,
    search_rows,
    size_of,
)
from dil_teach.classical.retarget.refinement import Fields, refine, sum_votes
from dil_teach.image.convention import Image
from dil_teach.image.resize import resize
from dil_teach.patches.extract import average_patches, extract_patches
from dil_teach.patches.search import nearest_rows

ALPHA = 0.005
"""Alpha in the normalised score; with a smaller alpha, the result contains more of the
source's patches. The paper uses this value for tasks that need completeness."""
COARSEST_NOVEL = 14
"""Smallest side of the coarsest level for new layouts, in pixels: twice the side of a
patch."""
NOISE = 5.0
"""Standard deviation of the noise, divided by that of the image. A departure: the paper
uses 0.75 and a single search at the coarsest level. With 0.75, our 20 searches at this
level would restore the original image."""


def nearest_patch_module(
    query: Image,
    key: Image,
    value: Image,
    alpha: float = ALPHA,
    where: Places | None = None,
) -> Image:
    """The paper's PNN module: replace each query patch by the value of its best key.

    Parameters
    ----------
    query : Image
        Float[Tensor, "c h w"].
    key, value : Image
        Float[Tensor, "c h2 w2"]: the source blurred like the query, and the source.
    alpha : float
        Mean squared difference, above 0. If alpha is large, the nearest key is best.
    where : Float[Tensor, "2 h w"], optional
        The place (y, x) in the source that each pixel of the query should come from, as
        fractions of the source's height and width.
    """
    keys = extract_patches(key, PATCH_SIZE)
    keys, queries = search_rows(keys, size_of(key), query, where)
    nearest = nearest_rows(keys, queries)[0][:, 0]  # min_l D_lj
    weights = 1 / (alpha * len(query) * PATCH_SIZE**2 + nearest)
    best = nearest_rows(queries, keys, weights=weights)[1][:, 0]
    patches = extract_patches(value, PATCH_SIZE)[best]
    return average_patches(patches, size_of(query), PATCH_SIZE)


def retarget(image: Image, size: tuple[int, int], alpha: float = ALPHA) -> Image:
    """An image of another size that contains all patches of the given image.

    Doubling the width of a 112 x 84 image takes about 2 CPU seconds. A ValueError is
    raised if a side of the image or the result is shorter than 8 pixels, or ``alpha``
    is not above 0.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1].
    size : (int, int)
        Height and width of the result in pixels.
    alpha : float
        The smaller alpha is, the more of the image's patches appear in the result.
    """
    check_sizes(image, size)
    levels = coarse_to_fine(size_of(image), size)
    start, where = stretch(image, size)
    start = resize(start, size=finest_exact(levels).target)  # takes less memory
    return _refine(image, start, levels, alpha, where)


def generate(
    image: Image,
    rng: torch.Generator,
    size: tuple[int, int] | None = None,
    noise: float = NOISE,
    alpha: float = 1.0,
) -> Image:
    """A random new image that is similar to the given image.

    Raises the same errors as :func:`retarget`, and a ValueError if ``noise`` is
    negative.

    Parameters
    ----------
    image, alpha
        As in :func:`retarget`; with alpha = 1, patches may be left out.
    rng : torch.Generator
        Draws the noise.
    size : (int, int), optional
        Height and width of the result in pixels; by default those of the image.
    noise : float
        Standard deviation of the noise at the coarsest level, divided by that of the
        image. With ``noise`` below 3, most results equal the image.
    """
    size = size_of(image) if size is None else size
    check_sizes(image, size)
    if not 0 <= noise < float("inf"):
        raise ValueError(
            f"noise: expected at least 0 and finite, got {noise}; try {NOISE:g}"
        )
    levels = coarse_to_fine(size_of(image), size, COARSEST_NOVEL)
    coarsest = levels[0].target
    drawn = torch.randn((len(image), *coarsest), generator=rng, device=rng.device)
    start = resize(image, size=coarsest).clamp(0, 1)
    start = start + noise * image.std() * drawn.to(image)
    return _refine(image, start, levels, alpha)


def reshuffle(image: Image, edited: Image, alpha: float = ALPHA) -> Image:
    """Make a rough edit look like the image.

    The result is as large as the edit. Raises the same errors as :func:`retarget`, and
    a ValueError if the numbers of channels differ.

    Parameters
    ----------
    image, alpha
        As in :func:`retarget`.
    edited : Image
        Float[Tensor, "c h2 w2"]: an image in which objects were moved or drawn, for
        example by :func:`~.layouts.move_object`. The result keeps the layout of the
        edit, not its details.
    """
    check_edited(edited, image)
    levels = coarse_to_fine(size_of(image), size_of(edited))
    return _refine(image, edited, levels, alpha)


def enlarge(
    image: Image, result: Image, size: tuple[int, int], alpha: float = ALPHA
) -> Image:
    """Redraw a result that was made from a small copy of an image, at full size.

    Returns an image of the given size. Raises the same errors as :func:`reshuffle`.

    Parameters
    ----------
    image, alpha
        As in :func:`retarget`.
    result : Image
        Float[Tensor, "c h2 w2"]: for example a result of
        :class:`~dil_teach.deep.ingan.ingan.InGAN`. The new image keeps its layout, and
        has the details of the image's patches.
    size : (int, int)
        Height and width in pixels. If the copy is n times smaller than the image, the
        size is n times that of ``result``.
    """
    check_edited(result, image, "result")
    check_sizes(image, size)
    levels = coarse_to_fine(size_of(image), size)
    first = levels.index(finest_exact(levels))
    return _refine(image, result, levels[first:], alpha)


def _refine(
    image: Image,
    start: Image,
    levels: list[Level],
    alpha: float,
    where: Places | None = None,
) -> Image:
    """Apply the PNN module from the coarsest level to the finest."""
    if not alpha > 0:
        raise ValueError(f"alpha: expected above 0, got {alpha}; try {ALPHA}")
    target, coarser = start, None
    for level in levels[: count_exact(levels)]:
        source = resize(image, size=level.source).clamp(0, 1)
        target = resize(target, size=level.target)
        places = None if where is None else resize(where, size=level.target)
        # an upscaled target is blurred; its first search uses equally blurred keys
        key = source if coarser is None else resize(coarser, size=level.source)
        for _ in range(level.updates):
            target = nearest_patch_module(target, key, source, alpha, places)
            key = source
        coarser = source
    first = levels.index(finest_exact(levels))
    if count_exact(levels) < len(levels):
        values = len(image) * PATCH_SIZE**2
        target = refine(
            image,
            target,
            levels[first:],
            where,
            _average_votes,
            lambda nearest: 1 / (alpha * values + nearest),
        )
    return target.clamp(0, 1)


def _average_votes(source: Image, fields: Fields, target: Image) -> Image:
    votes, weight = sum_votes(source, fields, size_of(target))
    return votes / weight
