"""Blur kernels: one convention, anisotropic Gaussians, and kernels from files.

A kernel array contains correlation weights on high-resolution (HR) pixels.
Low-resolution (LR) pixel i of a picture made s times smaller is at HR coordinate s*i +
(s-1)/2. :func:`centre_kernel` moves the kernel's centre of mass to this coordinate.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy import io, ndimage
from torch import Tensor

from dil_teach.image.convention import check_grey, split_alpha
from dil_teach.image.files import check_readable, load_image
from dil_teach.image.scale import Scale, per_axis

Kernel2d = Float[Tensor, "_kh _kw"] | Float[np.ndarray, "_kh _kw"]

LEAST_SUM = 0.01
"""Smallest sum of a kernel's weights, as a fraction of the sum of their magnitudes. If
positive and negative weights cancel, the normalised kernel amplifies all errors, and
its centre of mass is far outside the array."""
LARGEST_KERNEL = 0.5
"""Largest side of a kernel, as a fraction of the shorter side of the HR image. A larger
kernel reaches over the image's border at most pixels."""


def gaussian_kernel(
    sigmas: tuple[float, float], angle: float = 0.0, size: int = 13
) -> Float[Tensor, "size size"]:
    """An anisotropic Gaussian, float64, with sum 1, centred in its array.

    Parameters
    ----------
    sigmas : (float, float)
        Standard deviations along the Gaussian's two axes, in HR pixels, positive.
    angle : float
        Angle between the first axis and the image's x axis, in radians.
    size : int
        Side of the array in pixels, positive.
    """
    if not all(0 < sigma < np.inf for sigma in sigmas) or size < 1:
        raise ValueError(f"expected positive sigmas and size, got {sigmas} and {size}")
    across = np.arange(size) - (size - 1) / 2
    y, x = np.meshgrid(across, across, indexing="ij")
    u = (np.cos(angle) * x + np.sin(angle) * y) / sigmas[0]
    v = (np.cos(angle) * y - np.sin(angle) * x) / sigmas[1]
    weights = np.exp(-(u**2 + v**2) / 2)
    return torch.from_numpy(weights / weights.sum())


def random_kernel(seed: int, size: int = 13) -> Float[Tensor, "size size"]:
    """A Gaussian with sigmas uniform in [0.8, 3] pixels and a random angle.

    The paper on ZSSR has an experiment with such 'non-ideal' kernels (Shocher et al.
    2018, section 4.2); we chose the ranges.
    """
    rng = np.random.default_rng(seed)
    sigmas = rng.uniform(0.8, 3.0, size=2)
    return gaussian_kernel((sigmas[0], sigmas[1]), rng.uniform(0, np.pi), size)


def load_kernel(path: str | Path, scale: Scale) -> Float[Tensor, "_kh _kw"]:
    """Read a kernel from a file, normalise it and centre it (:func:`centre_kernel`).

    Parameters
    ----------
    path : str or Path
        A ``.npy`` file, a ``.mat`` file with a variable ``Kernel`` or only one matrix,
        or a picture whose brightness gives the weights. A ValueError is raised if the
        file contains no usable kernel.
    scale : float or (float, float)
        The scale at which the kernel will be used.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such kernel file; check the name")
    check_readable(path)
    suffix = path.suffix.lower()
    if suffix in (".npy", ".mat"):
        array = _array(path, np.load if suffix == ".npy" else io.loadmat)
    else:
        picture = split_alpha(load_image(path))[0]
        check_grey(picture, path, "a picture of a kernel")
        array = picture.mean(0).numpy()
    try:
        weights = check_kernel(array)
    except ValueError as error:
        raise ValueError(f"{path}: no usable kernel: {error}") from None
    return centre_kernel(weights, scale)


def _array(path: Path, read: Callable[[Path], Any]) -> np.ndarray:
    """The array in a file. If the file has several variables, it is ``Kernel`` or the
    only matrix."""
    try:
        found = read(path)
    except Exception:  # a reader may raise anything on a damaged file
        raise ValueError(
            f"{path}: expected an array of numbers, got a damaged file or another kind "
            "of file; save the kernel again"
        ) from None
    if not isinstance(found, dict):
        return np.asarray(found)
    if "Kernel" in found:
        return np.asarray(found["Kernel"])
    matrices = [v for v in found.values() if np.ndim(v) == 2 and np.size(v) > 1]
    if len(matrices) != 1:
        raise ValueError(
            f"{path}: expected the variable 'Kernel' or a single matrix, got "
            f"{len(matrices)} matrices; save only the kernel"
        )
    return np.asarray(matrices[0])


def centre_kernel(kernel: Kernel2d, scale: Scale) -> Float[Tensor, "_kh _kw"]:
    """Normalise a kernel and move its centre of mass to the middle of its array.

    :func:`dil_teach.image.resize.blur_and_subsample` puts the middle of the array at HR
    coordinate s*i + (s-1)/2. To reach this coordinate without interpolation, the array
    needs even sides for an even scale, and odd sides for an odd scale. If necessary,
    zeros are added *at the end*. For example, the ZSSR authors' 9 x 9 kernels for scale
    2 have their centre of mass near 4.5, which is the middle of the new 10 x 10 array,
    so these kernels are not shifted. For fractional scales, sides become odd.

    Parameters
    ----------
    kernel : Float["kh kw"]
        Correlation weights, finite, with a positive sum and the centre of mass inside
        the array; otherwise a ValueError.
    scale : float or (float, float)
        The scale at which the kernel will be used.

    Returns
    -------
    Float[Tensor, "_kh _kw"]
        float64 with sum 1, centred to within 0.001 pixel; an offset of at most 0.01
        pixel is not changed.
    """
    weights = check_kernel(kernel)
    factors = per_axis(scale)
    whole = all(f == int(f) for f in factors)
    parity = [int(f) % 2 if whole else 1 for f in factors]
    ends = [(0, (n - p) % 2) for n, p in zip(weights.shape, parity, strict=True)]
    weights = np.pad(weights, ends)
    offset = _offset(weights)
    if any(abs(offset) > np.array(weights.shape) / 2):
        raise ValueError(
            "kernel: expected a centre of mass inside the array, got one "
            f"{abs(offset).max():.3g} pixels from its middle, because weights of both "
            "signs cancel; check how the kernel was made"
        )
    if abs(offset).max() > 0.01:
        weights = np.pad(weights, math.ceil(abs(offset).max()) + 1)
        original, shift = weights, -offset
        for _ in range(3):  # spline interpolation adds a small shift; correct it
            weights = ndimage.shift(original, shift, order=3, mode="constant")
            shift = shift - _offset(weights)
        weights = _trim(weights)
    return torch.from_numpy(_normalised(weights))


def check_kernel(kernel: Kernel2d | np.ndarray) -> np.ndarray:
    """The kernel as float64 with sum 1; raises a ValueError if it cannot be used."""
    if isinstance(kernel, Tensor):
        kernel = kernel.detach().cpu()
        # NumPy has no bfloat16
        kernel = kernel.double() if kernel.is_floating_point() else kernel
    array = np.asarray(kernel)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "biuf":
        raise ValueError(
            f"kernel: expected a 2-D array of numbers, got {array.shape} {array.dtype}"
            "; take one channel, or reshape it to rows and columns"
        )
    array = array.astype(np.float64)
    with np.errstate(over="ignore"):  # the sum of huge weights is refused below
        total, size = array.sum(), abs(array).sum()
    if not np.isfinite(size) or not total > LEAST_SUM * max(size, 1e-12):
        raise ValueError(
            "kernel: expected finite weights with a positive sum, at least "
            f"{LEAST_SUM} of the sum of their magnitudes, got the sums {total:.3g} and "
            f"{size:.3g}; check how the kernel was made"
        )
    return _normalised(array)


def check_fits(kernel: Kernel2d, size: tuple[int, int]) -> None:
    """Raise a ValueError if a kernel is too large for an HR image of this size."""
    most = int(LARGEST_KERNEL * min(size))
    if max(kernel.shape) > most:
        raise ValueError(
            f"kernel: expected at most {most} pixels a side for a result of {size[0]} "
            f"x {size[1]}, got {kernel.shape[0]} x {kernel.shape[1]} after centring; "
            "crop the kernel, or take a larger image"
        )


def _normalised(weights: np.ndarray) -> np.ndarray:
    """Divide the weights by their sum, unless the sum is 1 already."""
    total = weights.sum()
    return weights if abs(total - 1) < 1e-12 else weights / total


def _offset(weights: np.ndarray) -> np.ndarray:
    """Centre of mass minus the middle of the array, in pixels."""
    middle = (np.array(weights.shape) - 1) / 2
    return np.array(ndimage.center_of_mass(weights)) - middle


def _trim(weights: np.ndarray) -> np.ndarray:
    """Remove outer rings of (nearly) zero weights."""
    while min(weights.shape) > 3:
        inner = weights[1:-1, 1:-1]
        if abs(weights).sum() - abs(inner).sum() > 1e-4 * abs(weights).sum():
            break
        weights = inner
    return weights
