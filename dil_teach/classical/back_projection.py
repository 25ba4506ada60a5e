"""Iterative back-projection: Irani and Peleg, 'Improving resolution by image
registration', CVGIP 1991. The control of every super-resolution here: no learning, only
the demand that the result explain the image."""

from dil_teach.image.convention import Image
from dil_teach.image.kernel import Kernel2d
from dil_teach.image.resize import blur_and_subsample, resize
from dil_teach.image.scale import Scale


def back_project(
    high: Image,
    low: Image,
    kernel: str | Kernel2d,
    scale: Scale,
    iterations: int = 20,
) -> Image:
    """Add to a super-resolved image what it lacks to explain the low-resolution one.

    high <- high + upsample(low - downsample(high)), again and again, the upsampling
    being bicubic.

    Parameters
    ----------
    high : Image
        Float[Tensor, "c h2 w2"]: a first guess, such as the bicubic interpolation.
    low : Image
        Float[Tensor, "c h w"]: the image that was taken.
    kernel : str or Float["kh kw"]
        How ``low`` came from the image that is wanted: see
        :func:`dil_teach.image.resize.blur_and_subsample`.
    scale : float or (float, float)
        How many times higher and wider ``high`` is.
    iterations : int
        From a bicubic guess twenty do best, measured on four photographs: with a wide
        blur fewer leave it soft, more bring the rounding of ``low`` out as grain.

    Returns
    -------
    Image
        Float[Tensor, "c h2 w2"]; may leave [0, 1] a little.
    """
    low_size, high_size = low.shape[-2:], high.shape[-2:]
    for _ in range(iterations):
        seen = blur_and_subsample(high, kernel, scale, size=(low_size[0], low_size[1]))
        missing = low - seen
        high = high + resize(missing, scale, size=(high_size[0], high_size[1]))
    return high
