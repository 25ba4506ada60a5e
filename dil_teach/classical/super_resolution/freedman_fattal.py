"""Upscaling from local self-examples: Freedman and Fattal, ACM TOG 2011.

A patch of an edge resembles the patch at the same relative place of a slightly smaller
copy of the image. The method therefore enlarges the image in steps by small factors (n
+ 1) / n, and searches examples only in a small window. With a filter pair U and D (see
:mod:`dil_teach.classical.super_resolution.filter_pairs`), one step is

    x = U y + the detail of the examples,    detail of y = y - U D y .

For each patch of U y, the example is the most similar patch of U D y in a window around
the same relative place; U D y is as smooth as U y. The detail of overlapping examples
is averaged.

Departures from the paper: U is bicubic interpolation, and D is its pseudo-inverse; the
mean over all examples of the window, with weights that fall with the distance, replaces
the single best example; and back-projection corrects the result.
Colour images: see :func:`dil_teach.image.colour.enlarge_luma`.
"""

from fractions import Fraction

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dil_teach.classical.back_projection import back_project
from dil_teach.classical.super_resolution.filter_pairs import enlarge, reduce
from dil_teach.image.colour import enlarge_luma
from dil_teach.image.convention import Image, check_image
from dil_teach.image.resize import prepare_kernel, resize
from dil_teach.image.scale import Scale, scale_and_size
from dil_teach.patches.extract import extract_patches
from dil_teach.training.conditions import same_conditions

Plane = Float[Tensor, "1 _h _w"]

MIN_SIDE = 16
"""Smallest side of the given image in pixels."""
MOST_PIXELS = 4_000_000
"""Largest number of pixels of the result."""
PATCH = 5
"""Side of a patch in pixels (paper: 5)."""
REACH = 4
"""The window reaches this number of pixels in each direction."""
TOLERANCE = 0.03
"""An example has the weight exp(-d^2 / (2 TOLERANCE^2)), where d is the root mean
square difference of the patches."""
CORRECTIONS = 5
"""Number of iterations of back-projection."""
BAND = 32
"""Number of rows of the result that are searched at a time, to save memory."""


@same_conditions()
def super_resolve_by_local_examples(
    image: Image, scale: Scale = 2, size: tuple[int, int] | None = None
) -> Image:
    """Enlarge an image by examples near the same place (Freedman and Fattal 2011).

    The image is assumed to be the result of bicubic downscaling.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1], grey or RGB, 16 x 16 pixels or larger.
    scale : float or (float, float)
        Scale factor of height and width, at least 1. The image is enlarged to the
        larger of the two, or more; bicubic downscaling leads to the exact size.
    size : (int, int), optional
        Height and width of the result in pixels, instead of a scale.

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
    prepare_kernel("bicubic", scales)  # refuses scales below 1
    steps, total = steps_to(max(scales))
    if total**2 * low_size[0] * low_size[1] > MOST_PIXELS:
        raise ValueError(
            f"scale: expected a result of at most {MOST_PIXELS} pixels, got "
            f"{high_size[0]} x {high_size[1]}; take a smaller scale, or crop the image"
        )

    def enlarged(low: Plane) -> Plane:
        high = low
        for n in steps:
            high = one_step(high, n)
        rest = (scales[0] / float(total), scales[1] / float(total))
        high = resize(high, rest, high_size)
        return back_project(high, low, "bicubic", scales, CORRECTIONS)

    return enlarge_luma(image, scales, high_size, enlarged)


def steps_to(scale: float) -> tuple[list[int], Fraction]:
    """The steps n = 5, 4, 3, each by (n + 1) / n, until their product is ``scale``.

    6/5 * 5/4 * 4/3 = 2, so three steps double an image. The second result is the
    product: the smallest that these steps can reach and that is not below ``scale``.
    """
    steps: list[int] = []
    total = Fraction(1)
    while total < scale:
        n = 5 - len(steps) % 3
        steps.append(n)
        total *= Fraction(n + 1, n)
    return steps, total


def one_step(image: Plane, n: int) -> Plane:
    """Enlarge an image by (n + 1) / n, and add the detail of local examples."""
    low_size = (image.shape[-2], image.shape[-1])
    height, width = (round(side * (n + 1) / n) for side in low_size)
    smooth = enlarge(image, n, (height, width))
    example = enlarge(reduce(image, n), n, low_size)
    examples, details = _all_patches(example), _all_patches(image - example)
    rows, columns = (
        # the pixel of the image at the same relative place
        ((torch.arange(side, device=image.device) + 0.5) * n / (n + 1)).long()
        for side in (height, width)
    )
    total = torch.zeros(1, height + PATCH - 1, width + PATCH - 1).to(image)
    patches = _padded(smooth)
    for top in range(0, height, BAND):
        near = rows[top : top + BAND]
        below = top + len(near) + PATCH - 1
        query = extract_patches(patches[:, top:below], PATCH)
        detail = _similar_detail(query, examples, details, near, columns, low_size)
        size = (below - top, width + PATCH - 1)
        total[:, top:below] += F.fold(detail.T[None], size, PATCH)[0]
    margin = PATCH // 2
    # each pixel inside the margin is covered by all patches around it
    return smooth + total[:, margin:-margin, margin:-margin] / PATCH**2


def _similar_detail(
    query: Float[Tensor, "n values"],
    examples: Float[Tensor, "m values"],
    details: Float[Tensor, "m values"],
    rows: Int[Tensor, "_h"],
    columns: Int[Tensor, "_w"],
    low_size: tuple[int, int],
) -> Float[Tensor, "n values"]:
    """The weighted mean of the details of all examples in each patch's window.

    ``rows`` and ``columns`` are the middles of the windows, in pixels of the image with
    the examples, which has ``low_size`` pixels.
    """
    total, weights = torch.zeros_like(query), query.new_full((len(query), 1), 1e-9)
    for dy in range(-REACH, REACH + 1):
        row = (rows + dy).clamp(0, low_size[0] - 1)
        for dx in range(-REACH, REACH + 1):
            column = (columns + dx).clamp(0, low_size[1] - 1)
            place = (row[:, None] * low_size[1] + column).flatten()
            distance = (query - examples[place]).square().mean(1, keepdim=True)
            weight = torch.exp(-distance / (2 * TOLERANCE**2))
            total += weight * details[place]
            weights += weight
    return total / weights


def _all_patches(image: Plane) -> Float[Tensor, "pixels values"]:
    """The patch around each pixel, also at the border."""
    return extract_patches(_padded(image), PATCH).contiguous()


def _padded(image: Plane) -> Plane:
    """The image with repeated border pixels, so that each pixel is inside a patch."""
    return F.pad(image[None], (PATCH // 2,) * 4, mode="replicate")[0]
