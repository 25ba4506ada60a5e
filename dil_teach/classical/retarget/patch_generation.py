"""GPNN: Granot, Feinstein, Shocher, Bagon and Irani, 'Drop the GAN: in defense of
patches nearest neighbors as single image generative models', CVPR 2022. A pyramid of
searches for nearest patches makes what a GAN of one image makes, without training."""

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.retarget.layouts import check_edited, check_size, stretch
from dil_teach.classical.retarget.matching import (
    coarse_to_fine,
    nearest_rows,
    own_places,
    patch_places,
    project,
    size_of,
    vote,
)
from dil_teach.image.convention import Image, check_image
from dil_teach.image.resize import resize
from dil_teach.patches.extract import extract_patches

Places = Float[Tensor, "2 _h _w"]

PATCH_SIZE = 7
ALPHA = 0.005
"""Of the normalised score, in squared difference per value: the smaller, the more
complete. The paper's for tasks that want completeness."""
COARSEST, COARSEST_NOVEL = 20, 14
"""Pixels of the smallest side at the coarsest level: for what keeps its places, and for
new layouts, where a patch should see most of the picture."""
STEPS = (20, 6, 4, 3)
"""Repetitions at the coarsest levels (the paper has 10 at each); the last number holds
for all finer ones."""
NOISE = 5.0
"""In units of the image's own deviation. A departure: the paper's 0.75 is searched once
at the coarsest level; repeated searches at 14 pixels find the picture itself again."""
PLACE = 3.0
"""How much a patch's distance from where the start took it counts: squared, in shares
of the sides, beside the squared distance of its values. A departure: the paper keeps
places by its start alone."""


def nearest_patch_module(
    query: Image,
    key: Image,
    value: Image,
    alpha: float = ALPHA,
    where: Places | None = None,
) -> Image:
    """One PNN module: each patch of the query becomes the value of its best key.

    The best key j of query i has the least ``S_ij = D_ij / (alpha + min_l D_lj)``: a
    key that no query is near to is cheap, and so nothing of the source gets lost.

    Parameters
    ----------
    query : Image
        Float[Tensor, "c h w"].
    key, value : Image
        Float[Tensor, "c h2 w2"], of one size: the source as blurred as the query, and
        as it is.
    alpha : float
        Squared difference per value, above 0; large values leave the plain nearest
        patch.
    where : Float[Tensor, "2 h w"], optional
        Where in the source each pixel of the query should come from, in shares of its
        sides.

    Returns
    -------
    Image
        As large as the query.

    References
    ----------
    Granot et al. 2022: the normalised score of PNN, their generation module.
    """
    keys = extract_patches(key, PATCH_SIZE)
    ours, theirs = project(keys, extract_patches(query, PATCH_SIZE))
    if where is not None:
        places = own_places(size_of(key)).to(query)
        ours = torch.cat([ours, PLACE * patch_places(places, PATCH_SIZE)], 1)
        theirs = torch.cat([theirs, PLACE * patch_places(where, PATCH_SIZE)], 1)
    nearest, _ = nearest_rows(ours, theirs)
    _, best = nearest_rows(theirs, ours, 1 / (alpha * keys.shape[1] + nearest))
    patches = extract_patches(value, PATCH_SIZE)[best]
    return vote(patches, patches.new_ones(len(patches)), query, PATCH_SIZE)


def retarget(image: Image, size: tuple[int, int], alpha: float = ALPHA) -> Image:
    """A picture of another size, made of all the patches of the given one.

    Departures from the paper, which starts from the picture resized: the start is
    :func:`~.layouts.stretch`, which keeps busy columns as wide as they are,
    and patches are drawn to where it put them. Without these, round things come out
    long: benchmarks/results/retargeting_with_patches.json.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1].
    size : (int, int)
        Height and width of the result in pixels.
    alpha : float
        The smaller, the more complete.

    Returns
    -------
    Image
        In [0, 1]. 112 x 84 pixels made twice as wide take about 2 CPU seconds.

    Raises
    ------
    ValueError
        If a side of the picture or the result is shorter than 8 pixels, or ``alpha`` is
        not above 0.
    """
    _check(image, size, alpha)
    start, where = stretch(image, size)
    return _generated(image, start, COARSEST, alpha, where)


def generate(
    image: Image,
    rng: torch.Generator,
    size: tuple[int, int] | None = None,
    noise: float = NOISE,
    alpha: float = 1.0,
) -> Image:
    """A new picture of the same kind.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1].
    rng : torch.Generator
        Draws the noise: another picture each time.
    size : (int, int), optional
        Height and width of the result in pixels; the image's where not given.
    noise : float
        Added to the coarsest level, in units of the image's standard deviation. Below 3
        most pictures come back as they were.
    alpha : float
        The smaller, the more complete; at 1 patches may be left out.

    Returns
    -------
    Image
        In [0, 1].

    Raises
    ------
    ValueError
        As :func:`retarget`; or if ``noise`` is negative.
    """
    size = size_of(image) if size is None else size
    _check(image, size, alpha)
    if not noise >= 0:
        raise ValueError(
            f"noise: expected at least 0, got {noise}; {NOISE:g} changes the layout"
        )
    coarsest = coarse_to_fine(size_of(image), size, COARSEST_NOVEL)[0].target
    drawn = torch.randn((len(image), *coarsest), generator=rng, device=rng.device)
    start = resize(image, size=coarsest).clamp(0, 1)
    start = start + noise * image.std() * drawn.to(image)
    return _generated(image, start, COARSEST_NOVEL, alpha, size=size)


def reshuffle(image: Image, edited: Image, alpha: float = ALPHA) -> Image:
    """Make a crude edit look like the picture.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1].
    edited : Image
        Float[Tensor, "c h2 w2"]: things moved about or drawn on, such as
        :func:`~.layouts.move_object` makes. Its layout is kept; its details
        are not.
    alpha : float
        The smaller, the more complete.

    Returns
    -------
    Image
        As large as the edit, in [0, 1].

    Raises
    ------
    ValueError
        As :func:`retarget`; or if channels differ.
    """
    check_edited(edited, image, PATCH_SIZE)
    _check(image, size_of(edited), alpha)
    return _generated(image, edited, COARSEST, alpha)


def _generated(
    image: Image,
    start: Image,
    coarsest: int,
    alpha: float,
    where: Places | None = None,
    size: tuple[int, int] | None = None,
) -> Image:
    """The pyramid of modules, from the start at the coarsest level to the image's."""
    size = size_of(start) if size is None else size
    target, coarser = start, None
    levels = coarse_to_fine(size_of(image), size, coarsest)
    for k, level in enumerate(levels):
        source = resize(image, size=level.source).clamp(0, 1)
        target = resize(target, size=level.target)
        places = None if where is None else resize(where, size=level.target)
        # what comes from the coarser level is blurred: compare it with what is so too
        key = source if coarser is None else resize(coarser, size=level.source)
        for _ in range(STEPS[min(k, len(STEPS) - 1)]):
            target = nearest_patch_module(target, key, source, alpha, places)
            key = source
        coarser = source
    return target.clamp(0, 1)


def _check(image: Image, size: tuple[int, int], alpha: float) -> None:
    check_image(image, min_side=PATCH_SIZE + 1)
    check_size(size, PATCH_SIZE)
    if not alpha > 0:
        raise ValueError(
            f"alpha: expected above 0, got {alpha}; 0.005 is complete, 1 hardly so"
        )
