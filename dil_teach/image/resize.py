"""The one resampler: any real scale, any kernel, one convention of coordinates.

Output pixel i of a picture scaled by s sits at input coordinate (i + 1/2) / s - 1/2.
So pixel i of a picture made s times *smaller* sits at s*i + (s-1)/2: the convention of
MATLAB's ``imresize``, on which the published tables of super-resolution rest.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor

Border = Literal["clamp", "mirror"]
Scale = int | float | tuple[int | float, int | float]
Kernel2d = Float[Tensor, "_kh _kw"] | Float[np.ndarray, "_kh _kw"]


def _cubic(x: np.ndarray) -> np.ndarray:
    x = abs(x)  # Keys 1981, a = -1/2
    return np.where(
        x <= 1,
        1.5 * x**3 - 2.5 * x**2 + 1,
        np.where(x <= 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0),
    )


INTERPOLATION: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "bicubic": (_cubic, 2.0),
    "bilinear": (lambda x: np.maximum(1 - abs(x), 0), 1.0),
    "lanczos": (lambda x: np.where(abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0), 3.0),
    "area": (lambda x: ((-0.5 <= x) & (x < 0.5)).astype(float), 0.5),
}
"""Name -> the function of distance, in pixels, and how far it reaches on each side."""


def resize(
    image: Float[Tensor, "*batch h w"],
    scale: Scale | None = None,
    size: tuple[int, int] | None = None,
    kernel: str | Kernel2d = "bicubic",
    border: Border = "clamp",
    antialias: bool = True,
    exact_uint8: bool = False,
) -> Float[Tensor, "*batch h2 w2"]:
    """Resample an image.

    Parameters
    ----------
    image : Float[Tensor, "*batch h w"]
        One image or a batch; differentiable in its values.
    scale : float or (float, float), optional
        Output over input size, of the height and of the width. The output has
        ``round(scale * size)`` pixels and keeps the exact scale.
    size : (int, int), optional
        Height and width of the output, in pixels. Alone, it sets the scale as well;
        beside ``scale`` it only says how many pixels are wanted.
    kernel : {"bicubic", "bilinear", "lanczos", "area"} or Float["kh kw"]
        How to weight the neighbours. An array is a blur kernel on the pixels of the
        input, for a scale below 1: see :func:`blur_and_subsample`.
    border : {"clamp", "mirror"}
        What lies outside: the border pixel repeated, or the image reflected.
    antialias : bool
        Whether a kernel is widened when the image gets smaller.
    exact_uint8 : bool
        Round to eight bits before, between and after the two passes, rows first, in
        double precision, as MATLAB does with eight-bit pictures.

    Returns
    -------
    Float[Tensor, "*batch h2 w2"]
        May leave [0, 1] a little, as cubic weights overshoot; not so with
        ``exact_uint8``.

    Raises
    ------
    ValueError
        If neither scale nor size is given, one is not positive, or a name is unknown.

    References
    ----------
    R. Keys, "Cubic convolution interpolation for digital image processing", 1981.
    """
    in_size = (image.shape[-2], image.shape[-1])
    scales, out_size = scale_and_size(in_size, scale, size)
    if not isinstance(kernel, str):
        factors = (1 / scales[0], 1 / scales[1])
        return blur_and_subsample(image, kernel, factors, border, out_size)
    check_name(kernel)
    out = (image.double() * 255).round() if exact_uint8 else image
    for axis in (0, 1):
        out = _resize_axis(
            out, axis - 2, scales[axis], out_size[axis], kernel, border, antialias
        )
        if exact_uint8:
            out = (out + 0.5).floor().clamp(0, 255)  # halves go up, as in MATLAB
    return (out / 255).to(image.dtype) if exact_uint8 else out


def check_name(kernel: str) -> None:
    """Refuse a name that is none of :data:`INTERPOLATION`."""
    if kernel not in INTERPOLATION:
        raise ValueError(
            f"kernel: expected one of {', '.join(INTERPOLATION)}, or an array, "
            f"got '{kernel}'"
        )


def scale_and_size(
    in_size: tuple[int, int], scale: Scale | None, size: tuple[int, int] | None
) -> tuple[tuple[float, float], tuple[int, int]]:
    """Scale of each axis and size of the output: given one, the other (see resize)."""
    if size is not None:
        if len(size) != 2 or min(size) < 1 or any(n != int(n) for n in size):
            raise ValueError(
                f"size: expected (height, width), whole and at least 1, got {size}"
            )
        size = (int(size[0]), int(size[1]))
    if scale is None:
        if size is None:
            raise ValueError("resize: expected a scale or a size, got neither")
        return (size[0] / in_size[0], size[1] / in_size[1]), (size[0], size[1])
    scales = per_axis(scale)
    if size is not None:
        return scales, (size[0], size[1])
    out = (round(scales[0] * in_size[0]), round(scales[1] * in_size[1]))
    if min(out) < 1:
        raise ValueError(
            f"scale: {scale} leaves no pixel of {in_size[0]} x {in_size[1]}; "
            "take a larger scale"
        )
    return scales, out


def per_axis(scale: Scale) -> tuple[float, float]:
    """The scale of the height and of the width, checked to be positive and finite."""
    pair = scale if isinstance(scale, tuple | list) else (scale, scale)
    if len(pair) != 2 or not all(0 < s < 1e12 for s in pair):
        raise ValueError(
            f"scale: expected a positive number, or two (height, width), got {scale}; "
            "2 doubles an image"
        )
    return float(pair[0]), float(pair[1])


def _resize_axis(
    x: Tensor,
    dim: int,
    scale: float,
    out_length: int,
    kernel: str,
    border: Border,
    antialias: bool,
) -> Tensor:
    length = x.shape[dim]
    if scale == 1 and out_length == length:
        return x
    if x.is_cuda:  # one product for all taps: launching each costs more than it does
        matrix = _matrix(length, out_length, scale, kernel, border, antialias, x.device)
        matrix = matrix.to(x.dtype)
        return matrix @ x if dim == -2 else x @ matrix.T
    taps, weights = _taps(length, out_length, scale, kernel, border, antialias)
    taps_t = torch.from_numpy(taps).to(x.device)
    weights_t = torch.from_numpy(weights).to(x.device, x.dtype)
    if dim == -2:
        weights_t = weights_t[..., None]
    out = x.index_select(dim, taps_t[0]) * weights_t[0]
    for tap, weight in zip(taps_t[1:], weights_t[1:], strict=True):
        out = torch.addcmul(out, x.index_select(dim, tap), weight)
    return out


@lru_cache(1024)
def _matrix(
    length: int,
    out_length: int,
    scale: float,
    kernel: str,
    border: Border,
    antialias: bool,
    device: torch.device,
) -> Float[Tensor, "out length"]:
    """Weights of all input pixels, a row for each output pixel."""
    taps, weights = _taps(length, out_length, scale, kernel, border, antialias)
    matrix = np.zeros((out_length, length))
    for tap, weight in zip(taps, weights, strict=True):
        np.add.at(matrix, (np.arange(out_length), tap), weight)
    return torch.from_numpy(matrix).to(device)


@lru_cache(1024)
def _taps(
    length: int,
    out_length: int,
    scale: float,
    kernel: str,
    border: Border,
    antialias: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Input pixels, and their weights, of each output pixel: two (taps, out) arrays."""
    function, reach = INTERPOLATION[kernel]
    widen = max(1 / scale, 1.0) if antialias else 1.0
    centre = (np.arange(out_length) + 0.5) / scale - 0.5
    first = np.floor(centre - reach * widen).astype(np.int64)
    taps = first[None] + np.arange(math.ceil(2 * reach * widen) + 2)[:, None]
    weights = function((centre[None] - taps) / widen)
    weights /= weights.sum(0)
    used = (weights != 0).any(1)
    return fold_border(taps[used], length, border), weights[used]


def fold_border(index: np.ndarray, length: int, border: Border) -> np.ndarray:
    """Indices outside [0, length) brought inside: clamped, or mirrored at the edge."""
    if border == "clamp":
        return index.clip(0, length - 1)
    if border == "mirror":
        index = index % (2 * length)
        return np.where(index < length, index, 2 * length - 1 - index)
    raise ValueError(f"border: expected 'clamp' or 'mirror', got '{border}'")


def blur_and_subsample(
    image: Float[Tensor, "*batch h w"],
    kernel: str | Kernel2d,
    scale: Scale,
    border: Border = "clamp",
    size: tuple[int, int] | None = None,
) -> Float[Tensor, "*batch h2 w2"]:
    """Make the low-resolution image: LR = (HR * kernel) sampled at every s-th place.

    Parameters
    ----------
    image : Float[Tensor, "*batch h w"]
        The high-resolution image.
    kernel : Float["kh kw"] or str
        Correlation weights on HR pixels; normalised and centred here (see
        :func:`centre_kernel`). A name means :func:`resize`'s antialiased kernel.
    scale : float or (float, float)
        How many times smaller the LR image is: 2 halves each side.
    border : {"clamp", "mirror"}
        What lies outside the image.
    size : (int, int), optional
        Size of the LR image in pixels, if not ``round(size / scale)``.

    Returns
    -------
    Float[Tensor, "*batch h2 w2"]
        LR pixel i shows what surrounds HR coordinate s*i + (s-1)/2.

    Raises
    ------
    ValueError
        If the scale is not positive, or the kernel is not usable.
    """
    factors = per_axis(scale)
    inverse = (1 / factors[0], 1 / factors[1])
    if isinstance(kernel, str):
        return resize(image, inverse, size, kernel, border)
    if min(factors) < 1:
        raise ValueError(
            f"kernel: a blur kernel makes images smaller, got a scale of {scale}; "
            "name an interpolation, such as 'bicubic', to make them larger"
        )
    weights = centre_kernel(kernel, factors).to(image.device, image.dtype)
    in_size = (image.shape[-2], image.shape[-1])
    size = scale_and_size(in_size, inverse, size)[1]
    whole = all(f == int(f) for f in factors)
    stride = (int(factors[0]), int(factors[1])) if whole else (1, 1)
    sampled = size if whole else in_size
    rows, columns = (
        _window(length, n, step, taps, border)
        for length, n, step, taps in zip(
            in_size, sampled, stride, weights.shape, strict=True
        )
    )
    padded = image[..., rows, :][..., :, columns]
    planes = padded.reshape(-1, 1, *padded.shape[-2:])
    blurred = F.conv2d(planes, weights[None, None], stride=stride)
    blurred = blurred.reshape(*image.shape[:-2], *sampled)
    if whole:
        return blurred
    return resize(blurred, inverse, size, "bicubic", border, antialias=False)


def _window(length: int, samples: int, step: int, taps: int, border: Border) -> Tensor:
    """The pixels that a kernel of so many taps meets at samples i*step + (step-1)/2."""
    first = (step - taps) // 2
    index = np.arange(first, first + (samples - 1) * step + taps)
    return torch.from_numpy(fold_border(index, length, border))


def centre_kernel(kernel: Kernel2d, scale: Scale) -> Float[Tensor, "_kh _kw"]:
    """Normalise a kernel and bring its centre of mass to the middle of its array.

    The middle of the array is what :func:`blur_and_subsample` puts at HR coordinate
    s*i + (s-1)/2. For whole scales the array gets as many rows and columns, modulo 2,
    as the scale, zeros being added *at the end*: then that coordinate is reached
    without interpolating, and the ZSSR authors' 9 x 9 kernels for scale 2, whose centre
    of mass lies near 4.5, pass unchanged. For other scales the array gets odd sides.

    Parameters
    ----------
    kernel : Float["kh kw"]
        Correlation weights.
    scale : float or (float, float)
        The scale at which it will be used.

    Returns
    -------
    Float[Tensor, "_kh _kw"]
        float64, sum 1, centred to within 0.001 pixel unless it was within 0.01 before.

    Raises
    ------
    ValueError
        If it is no finite 2-D array with a positive sum.
    """
    weights = check_kernel(kernel)
    factors = per_axis(scale)
    whole = all(f == int(f) for f in factors)
    parity = [int(f) % 2 if whole else 1 for f in factors]
    ends = [(0, (n - p) % 2) for n, p in zip(weights.shape, parity, strict=True)]
    weights = np.pad(weights, ends)
    offset = _offset(weights)
    if abs(offset).max() > 0.01:
        weights = np.pad(weights, math.ceil(abs(offset).max()) + 1)
        original, shift = weights, -offset
        for _ in range(3):  # the spline's ringing moves the centre a little: correct it
            weights = ndimage.shift(original, shift, order=3, mode="constant")
            shift = shift - _offset(weights)
        weights = _trim(weights)
    return torch.from_numpy(_normalised(weights))


def check_kernel(kernel: Kernel2d) -> np.ndarray:
    """The kernel as a float64 array with sum 1, or a ValueError that says why not."""
    array = np.asarray(kernel.detach().cpu() if isinstance(kernel, Tensor) else kernel)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "biuf":
        raise ValueError(
            f"kernel: expected a 2-D array of real numbers, got shape {array.shape} of "
            f"{array.dtype}"
        )
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError("kernel: expected finite weights, got NaN or infinity")
    if array.sum() <= 1e-6 * max(abs(array).max(), 1e-12):
        raise ValueError(
            f"kernel: expected weights with a positive sum, got {array.sum():.3g}; "
            "a kernel of zeros would make every image black"
        )
    return _normalised(array)


def _normalised(weights: np.ndarray) -> np.ndarray:
    """With sum 1; to the bit as they are where it is 1 already."""
    total = weights.sum()
    return weights if abs(total - 1) < 1e-12 else weights / total


def _offset(weights: np.ndarray) -> np.ndarray:
    """Centre of mass less the middle of the array, in pixels."""
    middle = (np.array(weights.shape) - 1) / 2
    return np.array(ndimage.center_of_mass(weights)) - middle


def _trim(weights: np.ndarray) -> np.ndarray:
    """Take away outer rings that hold nothing."""
    while min(weights.shape) > 3:
        inner = weights[1:-1, 1:-1]
        if abs(weights).sum() - abs(inner).sum() > 1e-4 * abs(weights).sum():
            break
        weights = inner
    return weights
