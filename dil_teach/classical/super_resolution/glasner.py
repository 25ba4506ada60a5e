"""Super-resolution from a single image: Glasner, Bagon and Irani, ICCV 2009.

Small patches of an image recur in it, at the same scale and at coarser scales. The
method enlarges the given image y in a cascade of small scale factors. At each level,
the high-resolution image x minimises the sum of three weighted squared errors:

    | D x - y |^2                              x, blurred and subsampled, is y
    + WITHIN * sum over i of  w_i ((B x)(p_i) - q_i)^2     within one scale
    + ACROSS * sum over u of  c_u (x_u - z_u)^2            across scales .

D blurs x by the kernel of the level and subsamples it; B only blurs it. The second term
holds the classical constraints: similar patches of y show B x at the sub-pixel
positions p_i (:mod:`dil_teach.classical.super_resolution.within_scale`). The third term
holds the example-based constraints: the image z consists of high-resolution parents of
patches that are similar to the patches of x.

Departures from the paper. The levels follow one another: the patches of a level are
enlarged copies of the previous level's result, while the paper copies parents of y's
patches to all levels. Parents therefore lie on the pixel grid of y, which corresponds
to sub-pixel positions in its coarser copy. The first term takes the place of the
paper's back-projection. Colour images: see
:func:`dil_teach.image.colour.enlarge_luma`.
"""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse.linalg import LinearOperator, cg
from torch import Tensor

from dil_teach.classical.super_resolution.within_scale import (
    Samples,
    blur_of,
    sample,
    similar_samples,
)
from dil_teach.image.colour import enlarge_luma
from dil_teach.image.convention import Image, check_image
from dil_teach.image.degradation import kernel_at
from dil_teach.image.kernel import Kernel2d, check_fits
from dil_teach.image.resize import blur_and_subsample, prepare_kernel, resize
from dil_teach.image.scale import Scale, scale_and_size
from dil_teach.patches.search import nearest_patches
from dil_teach.training.conditions import same_conditions
from dil_teach.training.tiles import by_tiles

Plane = Float[Tensor, "1 _h _w"]
Pair = tuple[float, float]

MIN_SIDE = 16
"""Smallest side of the given image in pixels: its coarser copy still has patches."""
MOST_PIXELS = 4_000_000
"""Largest number of pixels of the result."""
TILE, MOST_WHOLE = 256, 256 * 256
"""The side of a tile in pixels. For an integer scale, images with more pixels than
``MOST_WHOLE`` are enlarged tile by tile; each tile searches its own patches only, so
the searches do not become larger with the image. On a photograph of 260 x 384 pixels,
the PSNR at twice the size is the same within 0.01 dB."""
STEP = 1.25
"""Scale factor of one level, approximately; the levels have equal factors (paper,
section 4)."""
PATCH = 5
"""Side of a patch in pixels (paper, section 2)."""
NEIGHBOURS = 9
"""Number of similar patches for each patch."""
TOLERANCE = 0.04
"""A similar patch has the weight exp(-d^2 / (2 TOLERANCE^2)), where d is the root mean
square difference of the patches. On five pictures (astronaut and four of T91), the PSNR
at twice the size was 0.6 dB lower for 0.01, and the same within 0.1 dB for 0.03 to 0.1.
"""
ACROSS = 0.01
"""Weight of the examples, relative to the given image."""
WITHIN = 0.1
"""Weight of the sub-pixel samples, relative to the given image."""
INTERPOLATED = 1.0
"""Weight of the interpolated image among the parents; a perfect parent has weight 1."""
ITERATIONS = 20
"""Number of iterations of conjugate gradients at each level."""


@same_conditions()
def super_resolve_by_recurrence(
    image: Image,
    scale: Scale = 2,
    kernel: str | Kernel2d = "bicubic",
    size: tuple[int, int] | None = None,
    *,
    within: bool = True,
    across: bool = True,
) -> Image:
    """Enlarge an image by the recurrence of its patches (Glasner et al. 2009).

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1], grey or RGB, 16 x 16 pixels or larger.
    scale : float or (float, float)
        Scale factor of height and width, at least 1.
    kernel : str or Float["kh kw"]
        The downscaling that made the image, as in
        :func:`dil_teach.image.resize.blur_and_subsample`.
    size : (int, int), optional
        Height and width of the result in pixels, instead of a scale.
    within, across : bool
        Whether to use the patches of the same scale, and of coarser scales. Without
        both, the result only agrees with the given image.

    Returns
    -------
    Image
        Float[Tensor, "c h2 w2"] in [0, 1].

    Raises
    ------
    ValueError
        If an argument is invalid, or the result has more than 4 million pixels.
    """
    image = check_image(image, min_side=MIN_SIDE)
    low_size = (image.shape[-2], image.shape[-1])
    scales, high_size = scale_and_size(low_size, None if size else scale, size)
    blur = prepare_kernel(kernel, scales)
    if not isinstance(blur, str):
        check_fits(blur, high_size)
    if high_size[0] * high_size[1] > MOST_PIXELS:
        raise ValueError(
            f"scale: expected a result of at most {MOST_PIXELS} pixels, got "
            f"{high_size[0]} x {high_size[1]}; take a smaller scale, or crop the image"
        )

    def draw(part: Plane, part_size: tuple[int, int]) -> Plane:
        return _cascade(part, scales, part_size, blur, within, across)

    def enlarge(low: Plane) -> Plane:
        return by_tiles(low, scales, high_size, draw, TILE, MOST_WHOLE)

    return enlarge_luma(image, scales, high_size, enlarge)


def _cascade(
    low: Plane,
    scales: Pair,
    size: tuple[int, int],
    kernel: str | Float[Tensor, "_kh _kw"],
    within: bool,
    across: bool,
) -> Plane:
    """Enlarge one channel level by level."""
    samples = similar_samples(low, PATCH, NEIGHBOURS) if within else None
    levels = max(1, round(math.log(max(scales)) / math.log(STEP)))
    ratio = (scales[0] ** (1 / levels), scales[1] ** (1 / levels))
    high = low
    for level in range(1, levels + 1):
        at, level_size = scales, size
        if level < levels:
            at = (ratio[0] ** level, ratio[1] ** level)
            level_size = (round(at[0] * low.shape[1]), round(at[1] * low.shape[2]))
        high = resize(high, ratio, level_size)
        confidence = torch.ones_like(high)
        if across:
            high, confidence = paste_parents(
                high, low, kernel_at(ratio, kernel, scales), ratio
            )
        high = _solve(high, confidence, low, samples, kernel_at(at, kernel, scales), at)
    return high.clamp(0, 1)


def paste_parents(
    smooth: Plane, low: Plane, kernel: str | Kernel2d, ratio: Pair
) -> tuple[Plane, Plane]:
    """The example-based constraints: parents of patches that resemble those of x.

    The given image is the parent of its own coarser copy. If this copy is enlarged
    again, each of its patches has the place and the size of its parent.

    Parameters
    ----------
    smooth : Float[Tensor, "1 h2 w2"]
        The result of the previous level, enlarged by ``ratio``.
    low : Float[Tensor, "1 h w"]
        The given image y.
    kernel, ratio
        The downscaling from one level to the previous level.

    Returns
    -------
    pasted : Float[Tensor, "1 h2 w2"]
        The weighted mean of the overlapping parents, and of ``smooth`` itself.
    confidence : Float[Tensor, "1 h2 w2"]
        The sum of the weights, divided by its largest possible value.
    """
    low_size = (low.shape[-2], low.shape[-1])
    coarser = blur_and_subsample(low, kernel, ratio)
    son = resize(coarser, ratio, low_size)
    found = nearest_patches(smooth, son, PATCH, NEIGHBOURS)
    weight = torch.exp(-found.distance / (2 * PATCH**2 * TOLERANCE**2))
    total, confidence = INTERPOLATED * smooth, torch.full_like(smooth, INTERPOLATED)
    height, width = weight.shape[:2]
    for y in range(PATCH):
        for x in range(PATCH):
            parent = low[0, found.row + y, found.column + x]
            total[0, y : y + height, x : x + width] += (weight * parent).sum(-1)
            confidence[0, y : y + height, x : x + width] += weight.sum(-1)
    return total / confidence, confidence / (PATCH**2 * NEIGHBOURS)


def _solve(
    pasted: Plane,
    confidence: Plane,
    low: Plane,
    samples: Samples | None,
    kernel: str | Kernel2d,
    scales: Pair,
) -> Plane:
    """Minimise the three squared errors by conjugate gradients."""
    low_size = (low.shape[-2], low.shape[-1])
    blur = blur_of(kernel, scales)

    def energy(x: Plane, known: float) -> Tensor:
        seen = blur_and_subsample(x, kernel, scales, size=low_size)
        terms = [(seen - known * low).square().sum()]
        terms.append(ACROSS * (confidence * (x - known * pasted).square()).sum())
        if samples is not None:
            error = sample(x, samples, blur, scales) - known * samples.value
            terms.append(WITHIN * (samples.weight * error.square()).sum())
        return sum(terms[1:], terms[0]) / 2

    def gradient(x: Tensor, known: float) -> Tensor:
        with torch.enable_grad():
            x = x.detach().view_as(pasted).requires_grad_()
            return torch.autograd.grad(energy(x, known), x)[0].flatten()

    def normal(x: np.ndarray) -> np.ndarray:
        return gradient(torch.from_numpy(x).to(pasted), 0.0).cpu().numpy()

    side = pasted.numel()
    operator: Any = LinearOperator
    matrix = operator((side, side), matvec=normal, dtype=np.float32)
    zero = torch.zeros_like(pasted)
    right = -gradient(zero, 1.0).cpu().numpy()
    start = pasted.flatten().cpu().numpy()
    solution, _ = cg(matrix, right, start, rtol=1e-5, maxiter=ITERATIONS)
    return torch.from_numpy(solution).to(pasted).view_as(pasted)
