"""Deep Image Prior on large pictures: the network sees a smaller copy.

A training step costs as much as the picture has pixels, and a larger picture also needs
more steps. So the network restores a copy of :func:`working_size`; other methods carry
its answer to the size of the picture.

- A hole: the answer is the start of the finer levels of Wexler's completion.

      small, gap = shrink_with_hole(image, hole, working_size(image.shape[1:]))
      coarse = fit(DeepImagePrior(small, masked(gap))).result()
      filled = complete_image(image, hole, start=coarse).image

- Noise: :func:`add_octaves` adds the finer detail, octave by octave, each denoised by
  BM3D at its own noise level.

      small = resize(noisy, size=working_size(noisy.shape[1:])).clamp(0, 1)
      settings = DeepImagePriorSettings.quick()
      settings = replace(settings, steps=steps_of_copy(settings.steps))
      coarse = fit(DeepImagePrior(small, settings=settings)).result()
      clean = add_octaves(coarse, noisy)
"""

import math
from collections.abc import Sequence

from dil_teach.classical.denoise.bm3d import bm3d
from dil_teach.image.convention import Image, check_image
from dil_teach.image.resize import resize
from dil_teach.training.conditions import same_conditions

MOST_SEEN = 128 * 128
"""Maximum number of pixels that a network sees. The training with ``quick`` then takes
about 40 CPU seconds on a processor without AVX-512 (measured)."""
STEPS_OF_COPY = 4
"""A copy of a noisy picture is trained for the steps of the budget divided by this
number. BM3D adds what the network misses, so more steps only add noise: on three
practice photographs of 512 pixels with white and with blurred noise, 100, 200 and 400
steps have 27.2, 27.1 and 26.8 dB on the mean."""
LEAST_SIDE = 33
"""Minimum side in pixels: the network shrinks its input 32 times."""
MEDIAN = 0.6745
"""Median of the absolute values of normal noise with standard deviation 1."""


def working_size(size: Sequence[int]) -> tuple[int, int]:
    """The size of the copy that a network sees; a small picture keeps its size.

    Parameters
    ----------
    size : (int, int)
        Height and width of the picture, in pixels. The copy of a very long picture has
        more than ``MOST_SEEN`` pixels, because each side keeps at least 33 pixels.
    """
    height, width = size
    scale = max(math.sqrt(MOST_SEEN / (height * width)), LEAST_SIDE / min(size))
    if scale >= 1:
        return height, width
    return (
        max(math.floor(scale * height), LEAST_SIDE),
        max(math.floor(scale * width), LEAST_SIDE),
    )


def steps_of_copy(steps: int) -> int:
    """The number of steps for the copy of a noisy picture: fewer, see above."""
    return -(-steps // STEPS_OF_COPY)


@same_conditions()
def add_octaves(answer: Image, noisy: Image) -> Image:
    """Add the finer detail of a noisy picture to a small copy without noise.

    First, BM3D denoises the difference between the copy that the network saw and its
    answer, because the network misses detail in few steps. Then follow the octaves:
    each is a picture twice as large as the one before. BM3D denoises it at its
    own noise level, and its coarse part is replaced by the result so far: conservative
    recomposition (Pierazzo, Morel and Facciolo, "Multi-scale DCT denoising", IPOL
    2017). If noise is not independent from pixel to pixel, each octave has another
    noise level, and BM3D alone misses the coarse part of the noise (Lebrun, Colom and
    Morel, "Multiscale image blind denoising", 2015).

    Parameters
    ----------
    answer : Image
        Float[Tensor, "c h2 w2"]: the smaller picture without noise.
    noisy : Image
        Float[Tensor, "c h w"] in [0, 1]: the picture with noise.

    Returns
    -------
    Image
        Float[Tensor, "c h w"] in [0, 1].
    """
    check_image(noisy, "noisy")
    clean = check_image(answer, "answer")
    seen = resize(noisy, size=(answer.shape[1], answer.shape[2]))
    clean = clean + _denoise(seen - clean, _level_of_octave(seen))
    sizes = [(noisy.shape[1], noisy.shape[2])]
    while sizes[-1][0] > 2 * answer.shape[1]:
        sizes.append(_half(sizes[-1]))
    for size in reversed(sizes):
        octave = resize(noisy, size=size)
        fine = _denoise(octave, _level_of_octave(octave))
        coarse = clean - resize(fine, size=(clean.shape[1], clean.shape[2]))
        clean = fine + resize(coarse, size=size)
    return clean.clamp(0, 1)


def _denoise(image: Image, sigma: float) -> Image:
    return bm3d(image, min(sigma, 1.0)) if sigma > 0 else image


def _level_of_octave(image: Image) -> float:
    """The noise level of the detail that a copy of half the size does not have.

    The median of its absolute values ignores edges (Donoho and Johnstone 1994). White
    noise has 3/4 of its variance in this octave.
    """
    size = (image.shape[1], image.shape[2])
    detail = image - resize(resize(image, size=_half(size)), size=size)
    median = detail.abs().flatten(1).median(1).values.mean()
    return float(median / MEDIAN / math.sqrt(3 / 4))


def _half(size: tuple[int, int]) -> tuple[int, int]:
    return (size[0] + 1) // 2, (size[1] + 1) // 2
