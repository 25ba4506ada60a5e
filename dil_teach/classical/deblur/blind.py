"""Blind deblurring by patch recurrence: Michaeli and Irani, 'Blind Deblurring Using
Internal Patch Recurrence', ECCV 2014.

Small patches of a sharp picture recur at smaller scales. Blur destroys this: patches of
the blurred picture y, downscaled by alpha = 4/3, are alpha times sharper than those of
y itself. The sharp picture x and the kernel k are those with the smallest

    |k * x - y|^2 + prior mean_j |Q_j x - z_j|^2 + ridge |k|^2 ,

where Q_j x is the patch at place j, and z_j is the mean of its nearest patches in x
downscaled by alpha. From small scales to the full picture, we repeat three steps:

1. z: replace each patch of x by its nearest patches in the smaller copy, which are
   sharper, and average overlapping patches;
2. x: solve for the picture that, blurred by k, is y, and that is near z;
3. k: solve for the kernel that turns the gradients of x into those of y.

Departures from the paper. In step 1, three neighbours have equal weights. In step 3,
only the strongest gradients of x are used, as by Cho and Lee ('Fast Motion Deblurring',
SIGGRAPH Asia 2009): with all gradients, most estimates fail. The final picture is
computed by :func:`~dil_teach.classical.deblur.deconvolution.deconvolve`.
"""

import dataclasses
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.deblur.deconvolution import deconvolve, fast_length, transfer
from dil_teach.classical.deblur.kernel_fit import Kernel, clean_kernel, fit_kernel
from dil_teach.image.convention import Image, check_image, check_not_flat
from dil_teach.image.resize import resize
from dil_teach.patches.extract import average_patches, extract_patches
from dil_teach.patches.search import nearest_patches
from dil_teach.training.conditions import same_conditions
from dil_teach.training.settings import budget, check_settings

ALPHA = 4 / 3
"""Ratio of sizes between a picture and the copy in which its patches are searched (the
paper's value), and smallest ratio between neighbouring levels of the pyramid, where the
kernel's side is rounded down to an odd number."""
SMALLEST_KERNEL = 3
"""Side of the kernel at the smallest level, in pixels."""
PATCH, STRIDE, NEIGHBOURS = 5, 2, 3
"""Side of the patches, distance between neighbouring patches, both in pixels, and
number of nearest patches that are averaged."""
PRIOR = 0.1
"""Weight of the patches in step 2."""
STRONG = 0.02, 0.1
"""Fraction of the gradients that step 3 uses in the first and in the last round."""
LEAST_SIDE = 64
"""Smallest side of a picture, in pixels; it also needs 3 kernels a side."""
MOST_SIDE = 384
"""Largest side in pixels of the part of a picture from which the kernel is estimated
(for large kernels, eight kernels). The blur is the same everywhere, so one part is
enough. On three photographs of 728 pixels, the results of 384 pixels have -0.2 to +0.5
dB compared with those of the whole picture; with 256 pixels, one kernel is wrong."""
FEWEST_PIXELS = 8
"""A picture is sharp if the estimated kernel covers fewer pixels: the inverse of the
sum of its squared weights."""


@dataclasses.dataclass(frozen=True)
class DeblurSettings:
    """Settings of :func:`deblur`."""

    size: int = 31
    """Side of the kernel in pixels, odd; the blur must fit in it."""
    rounds: int = 6
    """Number of rounds of the three steps at each level of the pyramid."""

    def __post_init__(self) -> None:
        check_settings(self, size=SMALLEST_KERNEL, rounds=1)
        if self.size % 2 == 0:
            raise ValueError(
                f"size: expected an odd number of pixels, got {self.size}; try "
                f"{self.size + 1}"
            )

    quick = budget("For a lesson.")
    standard = budget("For a result.", rounds=10)
    full = budget("For the best result.", rounds=20)


class Deblurred(NamedTuple):
    """The result of :func:`deblur`."""

    image: Image
    """The sharp image, in [0, 1]; the input itself if it is sharp."""
    kernel: Kernel
    """The estimated kernel."""
    sharp: bool
    """True if the input is sharp, because the kernel covers very few pixels."""


@same_conditions()
def deblur(
    image: Image,
    settings: DeblurSettings = DeblurSettings.quick(),  # noqa: B008 (frozen)
) -> Deblurred:
    """Remove an unknown blur that is the same everywhere, such as camera shake.

    Parameters
    ----------
    image : Image
        The blurred image, Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    settings : DeblurSettings
        The size of the kernel, and the budget.

    Raises
    ------
    ValueError
        If the image is the same at all pixels, or its smaller side is below 64 pixels
        or below three times the size of the kernel.
    """
    kernel = estimate_blur(image, settings.size, settings.rounds)
    if pixels_covered(kernel) < FEWEST_PIXELS:
        return Deblurred(image.detach(), kernel, True)
    found = deconvolve(image.detach().cpu(), kernel).clamp(0, 1)
    return Deblurred(found.to(image.device), kernel, False)


def pixels_covered(kernel: Kernel) -> float:
    """Effective number of pixels of a kernel: n for a constant kernel of n pixels."""
    return 1 / float(kernel.square().sum())


@same_conditions()
def estimate_blur(image: Image, size: int = 31, rounds: int = 6) -> Kernel:
    """Estimate the kernel of an unknown blur that is the same everywhere.

    Parameters
    ----------
    image : Image
        The blurred image; errors are those of :func:`deblur`. The part with the largest
        gradients is used, at most 384 x 384 pixels or 8 x 8 kernels.
    size : int
        Side of the kernel in pixels, odd.
    rounds : int
        Number of rounds at each level of the pyramid.

    Returns
    -------
    Float[Tensor, "size size"]
        Correlation weights on the pixels of ``image``: no negative weights, with sum 1,
        and the centre of mass within half a pixel of the middle of the array. The
        kernel of a sharp image covers a few pixels.
    """
    DeblurSettings(size, rounds)
    image = check_image(image, min_side=max(LEAST_SIDE, 3 * size))
    check_not_flat(image, span=1.5 / 255)
    side = max(MOST_SIDE, 8 * size)
    grey = _most_detailed_part(image.cpu().mean(0, keepdim=True), side)
    sharp, kernel = grey, torch.ones(1, 1)
    for side in kernel_sizes(size):
        blurred = resize(grey, side / size)
        sharp = resize(sharp, size=(blurred.shape[1], blurred.shape[2]))
        kernel = enlarge_kernel(kernel, side)
        for step in range(rounds):
            progress = step / max(rounds - 1, 1)
            target = sharper_patches(sharp)
            sharp = deconvolve_near(blurred, kernel, target, PRIOR)
            kernel = fit_kernel(blurred, sharp, side, part_of_gradients(progress))
    return kernel


def _most_detailed_part(image: Image, side: int) -> Image:
    """The window with the largest gradients on the mean, at most ``side`` pixels."""
    height, width = (min(n, side) for n in image.shape[1:])
    across, down = (image.diff(dim=dim).abs() for dim in (2, 1))
    change = F.pad(across, (0, 1)) + F.pad(down, (0, 0, 0, 1))
    # the sums over all windows, as differences of sums from the upper left corner
    until = F.pad(change[0].double().cumsum(0).cumsum(1), (1, 0, 1, 0))
    rows = until[height:] - until[:-height]
    sums = rows[:, width:] - rows[:, :-width]
    top, left = divmod(int(sums.argmax()), sums.shape[1])
    return image[:, top : top + height, left : left + width]


def part_of_gradients(progress: float) -> float:
    """The part of the gradients that is used, when ``progress`` goes from 0 to 1."""
    first, last = STRONG
    return first + (last - first) * progress


def kernel_sizes(size: int) -> list[int]:
    """Odd sides of the kernel from the smallest level to the full picture."""
    sizes = [size]
    while sizes[-1] > SMALLEST_KERNEL:
        side = int(sizes[-1] / ALPHA)
        sizes.append(max(side - 1 + side % 2, SMALLEST_KERNEL))
    return sizes[::-1]


def enlarge_kernel(kernel: Kernel, size: int) -> Float[Tensor, "_size _size"]:
    """The kernel at the next level; at the smallest level, a single weight."""
    if len(kernel) == 1:
        return F.pad(kernel, (size // 2,) * 4)
    return clean_kernel(resize(kernel[None], size=(size, size))[0])


def sharper_patches(image: Image) -> Image:
    """Step 1: each patch becomes the mean of its nearest patches in a smaller copy."""
    smaller = resize(image, 1 / ALPHA)
    near = nearest_patches(image, smaller, PATCH, NEIGHBOURS, stride=STRIDE)
    columns = smaller.shape[2] - PATCH + 1
    found = (near.row * columns + near.column).flatten(0, 1)
    patches = extract_patches(smaller, PATCH)[found].mean(1)
    size = (image.shape[1], image.shape[2])
    covered = average_patches(torch.ones_like(patches), size, PATCH, STRIDE) > 0
    average = average_patches(patches, size, PATCH, STRIDE)
    return torch.where(covered, average, image)


def deconvolve_near(
    blurred: Image, kernel: Kernel, target: Image, prior: float
) -> Image:
    """Step 2: the smallest |k * x - y|^2 + prior |x - target|^2, by Fourier transform.

    The picture is extended so that its opposite borders meet without an edge.
    """
    extended = wrap_smoothly(torch.cat([blurred, target]), len(kernel))
    size = list(extended.shape[1:])
    blur = transfer(kernel, size)
    seen, wanted = torch.fft.rfft2(extended)
    found = (blur.conj() * seen + prior * wanted) / (blur.abs().square() + prior)
    _, height, width = blurred.shape
    return torch.fft.irfft2(found, s=size)[None, :height, :width]


def wrap_smoothly(image: Image, pad: int) -> Image:
    """Extend an image below and to the right, so that it is smooth on a torus."""
    for dim in (1, 2):
        length = image.shape[dim]
        more = fast_length(length + 2 * pad) - length
        way = (torch.arange(more) + 1) / (more + 1)
        way = (1 - torch.cos(math.pi * way)) / 2
        way = way[:, None] if dim == 1 else way
        last, first = image.narrow(dim, length - 1, 1), image.narrow(dim, 0, 1)
        image = torch.cat([image, last + way * (first - last)], dim)
    return image
