"""Degradations: how the given image was made from the image that we want.

:func:`identity`, :func:`masked`, :func:`downsampled` and :func:`compressed` return a
differentiable function of a batch of images, which can be saved in a checkpoint.
"""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.augment import add_noise, jpeg
from dil_teach.image.convention import Image, check_same_shape
from dil_teach.image.kernel import Kernel2d
from dil_teach.image.resize import blur_and_subsample, prepare_kernel, resize
from dil_teach.image.scale import Scale, per_axis

Batch = Float[Tensor, "n c _h _w"]
Degradation = Callable[..., Batch]


def identity(images: Batch) -> Batch:
    """Return the images unchanged, as the degradation of images with noise alone."""
    return images


def masked(mask: Float[Tensor, "1 h w"]) -> Degradation:
    """Set the pixels of a hole to 0: d(x) = (1 - mask) x; the mask is 1 in the hole."""
    return partial(hide, mask=mask)


def downsampled(scale: Scale, kernel: str | Kernel2d = "bicubic") -> Degradation:
    """Blur the images and make them ``scale`` times smaller.

    See :func:`dil_teach.image.resize.blur_and_subsample`; ``scale`` is at least 1.
    """
    scales = per_axis(scale)
    kernel = prepare_kernel(kernel, scales)
    return partial(blur_and_subsample, kernel=kernel, scale=scales)


def compressed(quality: int) -> Degradation:
    """Compress the images as JPEG files; the gradient passes straight through.

    Rounding has no useful gradient, so the gradient of the identity is used: the
    straight-through estimator of Bengio, Leonard and Courville, "Estimating or
    propagating gradients through stochastic neurons", 2013. This estimator does not
    always improve Deep Image Prior. At quality 10 and budget `quick`, the estimator was
    better than :func:`identity` on three of five photographs, but 0.2 dB worse on
    average. ``quality`` is from 1 to 95.
    """
    if not 1 <= quality <= 95:
        raise ValueError(f"quality: expected 1 to 95, got {quality}; 75 is common")
    return partial(compress_straight_through, quality=quality)


def degrade(
    images: Batch,
    kernel: str | Kernel2d,
    scale: Scale,
    noise: float,
    jpeg_quality: int | None,
    rng: torch.Generator,
) -> Batch:
    """Make the sons of ZSSR: blur and subsample images, add noise, and compress them.

    Downscaling averages noise away, so without ``noise`` the sons of a noisy father
    would be too clean.

    Parameters
    ----------
    images, kernel, scale
        As in :func:`dil_teach.image.resize.blur_and_subsample`.
    noise : float
        Standard deviation for values in [0, 1]; 0 adds none. ``rng`` draws the noise.
    jpeg_quality : int, optional
        From 1 to 95.
    """
    degraded = blur_and_subsample(images, kernel, scale)
    if noise > 0:
        degraded = add_noise(degraded, noise, rng)
    if jpeg_quality is not None:
        degraded = torch.stack([jpeg(one, jpeg_quality) for one in degraded])
    return degraded


def kernel_at(
    scale: tuple[float, float],
    kernel: str | Float[Tensor, "_kh _kw"],
    final: tuple[float, float],
) -> str | Kernel2d:
    """Adapt the blur kernel of the final scale to an intermediate scale.

    A kernel array is resized in proportion. The name of an interpolation is returned
    unchanged.
    """
    if isinstance(kernel, str) or scale == final:
        return kernel
    return resize(kernel[None], (scale[0] / final[0], scale[1] / final[1]))[0]


def hide(images: Batch, mask: Float[Tensor, "1 _h _w"]) -> Batch:
    """Set the pixels in the hole to 0; see :func:`masked`."""
    return (1 - mask) * images


def compress_straight_through(images: Batch, quality: int) -> Batch:
    """JPEG with the gradient of the identity; see :func:`compressed`."""
    with torch.no_grad():
        change = torch.stack([jpeg(one, quality) for one in images]) - images
    return images + change


def check_mask(mask: Tensor, image: Image, name: str = "mask") -> None:
    """Raise a ValueError unless a mask has the image's size and both 0s and 1s."""
    check_same_shape(mask, image[:1], name, "one channel of the image")
    values = mask.unique()
    if values.tolist() != [0, 1]:
        raise ValueError(
            f"{name}: expected both 1 (hole) and 0 (known) and nothing else, got "
            f"values {values[:3].tolist()}; paint a part of the mask, or threshold it "
            "at 0.5"
        )
