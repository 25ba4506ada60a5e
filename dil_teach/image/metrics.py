"""Similarity of two images, noise level, finest detail, and counting objects."""

import math
from collections.abc import Container
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy import ndimage
from skimage import feature, measure
from skimage.metrics import structural_similarity
from torch import Tensor

from dil_teach.image.convention import (
    Image,
    check_floats,
    check_image,
    check_same_shape,
)
from dil_teach.image.resize import resize
from dil_teach.image.scale import Scale, per_axis


def psnr(a: Image, b: Image) -> float:
    """Peak signal-to-noise ratio over all values, in dB; infinite for equal images.

    A ValueError is raised if the shapes differ, the values are integers, or a value is
    not finite.

    Parameters
    ----------
    a, b : Image
        Images of the same shape, in [0, 1] (the peak is 1), float32 or float64.
    """
    a, b = _check_pair(a, b)
    error = (a.double() - b.double()).square().mean().item()
    return math.inf if error == 0 else -10 * math.log10(error)


def luma(image: Image) -> Float[Tensor, "1 h w"]:
    """Luma: the channel Y of MATLAB's ``rgb2ycbcr`` (BT.601), in [16/255, 235/255].

    A grey image is treated as an RGB image with R = G = B.
    """
    red, green, blue = image[:3].double().expand(3, -1, -1)
    return (16 + 65.481 * red + 128.553 * green + 24.966 * blue)[None] / 255


def psnr_y(a: Image, b: Image, shave: int = 0) -> float:
    """PSNR of luma without a border, as in tables of super-resolution results.

    Raises the same errors as :func:`psnr`, and a ValueError if no pixel is left inside
    the border.

    Parameters
    ----------
    a, b : Image
        Grey or RGB images, as in :func:`psnr`. For published tables, round the result
        to eight bits first.
    shave : int
        Width of the ignored border in pixels; usually the scale factor.
    """
    a, b = _check_pair(a, b, (1, 3, 4))
    if not 0 <= shave or 2 * shave >= min(a.shape[-2:]):
        raise ValueError(
            f"shave: expected 0 to {(min(a.shape[-2:]) - 1) // 2} pixels, got {shave}"
        )
    inside = slice(shave, -shave or None)
    return psnr(luma(a)[:, inside, inside], luma(b)[:, inside, inside])


def ssim(a: Image, b: Image) -> float:
    """Structural similarity (Wang et al. 2004), from -1 to 1; mean over the channels.

    scikit-image computes SSIM with Gaussian windows of sigma 1.5, as in the paper. The
    parameters and errors are those of :func:`psnr`. Each side needs 11 pixels or more.
    """
    a, b = _check_pair(a, b, range(1, 9))
    if min(a.shape[-2:]) < 11:
        raise ValueError(
            "a: expected at least 11 x 11 pixels, the window of SSIM, got "
            f"{a.shape[-2]} x {a.shape[-1]}; take a larger picture"
        )
    first, second = (x.double().cpu().numpy() for x in (a, b))
    how: Any = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    found: Any = structural_similarity(
        first, second, data_range=1, channel_axis=0, **how
    )
    return float(found)


def _check_pair(
    a: Image, b: Image, channels: Container[int] | None = None
) -> tuple[Image, Image]:
    """Check two images; return them without gradients.

    With ``channels``, the accepted numbers, the images have exactly three axes.
    """
    for name, image in (("a", a), ("b", b)):
        check_floats(image, name)
        if channels and not (image.ndim == 3 and len(image) in channels):
            raise ValueError(
                f"{name}: expected shape (channels, height, width), grey or RGB, got "
                f"{tuple(image.shape)}; compare one image at a time"
            )
        if not torch.isfinite(image).all():
            raise ValueError(
                f"{name}: expected finite values, got NaN or infinity; find out where "
                "they come from"
            )
    check_same_shape(b, a)
    return a.detach(), b.detach()


def noise_level(image: Image) -> float:
    """Estimate the standard deviation of white noise, in units of [0, 1].

    The result is the mean over the channels. The filter of J. Immerkaer, "Fast noise
    variance estimation", 1996, does not respond to planes and hardly responds to edges.
    We take the median of its responses (Donoho and Johnstone 1994) instead of the mean,
    because texture makes some responses large.
    """
    image = check_image(image, min_side=3, in_range=False)
    along = image.new_tensor([1.0, -2.0, 1.0])
    mask = torch.outer(along, along)[None, None] / 6  # white noise keeps its sigma
    responses = F.conv2d(image[:, None], mask).flatten(1).abs()
    # 0.6745 is the median of |x| for a normal x with standard deviation 1
    return float(responses.median(1).values.mean()) / 0.6745


def finest_detail(image: Image, scale: Scale) -> float:
    """The root mean square of the detail that an image loses when it is downscaled.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1].
    scale : float or (float, float)
        How many times smaller the image becomes, at least 1.

    Returns
    -------
    float
        The root mean square of the difference between the image and its downscaled
        copy, which bicubic interpolation enlarges again; for values in [0, 1].
    """
    rows, columns = per_axis(scale)
    low = resize(image, (1 / rows, 1 / columns))
    size = (image.shape[-2], image.shape[-1])
    return float((image - resize(low, size=size)).square().mean().sqrt())


def check_sigma(sigma: float) -> None:
    """Raise a ValueError unless ``sigma`` is a noise level in units of [0, 1]."""
    if not 0 < sigma <= 1:
        raise ValueError(
            f"sigma: expected above 0 and at most 1, got {sigma}; divide a value "
            "from 0 to 255 by 255, or use noise_level(image)"
        )


def count_objects(image: Image) -> tuple[int, float]:
    """Count separate bright objects on a darker background, and measure their shape.

    A pixel belongs to an object if it is more than 1/16 brighter than a wide Gaussian
    blur of the image. Holes are filled and thin connections are cut. Objects below a
    quarter of the median area are ignored.

    Returns
    -------
    int, float
        The number of objects, and the median ratio of width to height of their bounding
        boxes: about 1 for coins, 2 for stretched coins. (0, nan) without objects.
    """
    objects = _bright_objects(image)
    if not objects:
        return 0, math.nan
    boxes = [found.bbox for found in objects]
    ratios = [(right - left) / (below - top) for top, left, below, right in boxes]
    return len(ratios), float(np.median(ratios))


def object_areas(image: Image) -> list[int]:
    """The areas in pixels, in rising order, of the objects of `count_objects`."""
    return sorted(int(found.area) for found in _bright_objects(image))


def _bright_objects(image: Image) -> list[Any]:
    """The objects that `count_objects` counts, as regions of scikit-image."""
    image = check_image(image)
    grey = image.mean(0).cpu().double().numpy()
    side = min(grey.shape)
    bright = grey > ndimage.gaussian_filter(grey, side / 6) + 1 / 16
    bright = ndimage.binary_fill_holes(bright)
    bright = ndimage.binary_opening(bright, iterations=max(1, round(side / 76)))
    objects = measure.regionprops(measure.label(bright, connectivity=1))
    least = 0.25 * float(np.median([found.area for found in objects] or [0]))
    return [found for found in objects if found.area > least]


def count_points(image: Image, least: float = 0.25) -> int:
    """Count points of light, such as small galaxies: bright local maxima.

    A pixel counts if no pixel beside it is brighter, and if the mean of its channels is
    above ``least``. In a picture twice as large, an equal density of points gives twice
    the number.
    """
    image = check_image(image)
    grey = image.mean(0).cpu().numpy()
    found = feature.peak_local_max(
        grey, min_distance=1, threshold_abs=least, exclude_border=False
    )
    return len(found)
