"""The only resampler of the library, for any real scale and any kernel.

Output pixel i of a picture scaled by s is at input coordinate (i + 1/2) / s - 1/2. So
pixel i of a picture made s times *smaller* is at s*i + (s-1)/2. This is the convention
of MATLAB's ``imresize``, which the published tables of super-resolution use.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.convention import check_floats
from dil_teach.image.kernel import Kernel2d, centre_kernel
from dil_teach.image.scale import Scale, per_axis, scale_and_size

Border = Literal["clamp", "mirror"]


def _cubic(x: np.ndarray) -> np.ndarray:
    """The kernel of Keys, "Cubic convolution interpolation ...", 1981, a = -1/2."""
    x = abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0))


INTERPOLATION: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "bicubic": (_cubic, 2.0),
    "bilinear": (lambda x: np.maximum(1 - abs(x), 0), 1.0),
    "lanczos": (lambda x: np.where(abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0), 3.0),
    "area": (lambda x: ((-0.5 <= x) & (x < 0.5)).astype(float), 0.5),
}
"""For each interpolation: the weight as a function of the distance in pixels, and the
distance at which the weight becomes 0."""


def resize(
    image: Float[Tensor, "*batch h w"],
    scale: Scale | None = None,
    size: tuple[int, int] | None = None,
    kernel: str | Kernel2d = "bicubic",
    border: Border = "clamp",
    antialias: bool = True,
    exact_uint8: bool = False,
) -> Float[Tensor, "*batch h2 w2"]:
    """Resample an image to a scale or a size; at least one of them must be given.

    Parameters
    ----------
    image : Float[Tensor, "*batch h w"]
        One image or a batch, of floating-point values; differentiable in its values.
    scale : float or (float, float), optional
        Output size divided by input size, for height and width. The scale is exact;
        the output has ``round(scale * size)`` pixels.
    size : (int, int), optional
        Height and width of the output, in pixels. Without ``scale``, this also sets the
        scale; with ``scale``, the size only sets the number of pixels.
    kernel : {"bicubic", "bilinear", "lanczos", "area"} or Float["kh kw"]
        Weights of the neighbouring pixels. An array is a blur kernel on the input's
        pixel grid, for scales below 1: see :func:`blur_and_subsample`.
    border : {"clamp", "mirror"}
        Values outside the image: the border pixel repeated, or the image reflected.
    antialias : bool
        Widen the kernel when the image gets smaller.
    exact_uint8 : bool
        Compute in double precision, and round to eight bits before, between and after
        the two passes (rows first), as MATLAB does with eight-bit pictures.

    Returns
    -------
    Float[Tensor, "*batch h2 w2"]
        Values may lie slightly outside [0, 1], because cubic weights overshoot; with
        ``exact_uint8`` they do not.

    Raises
    ------
    ValueError
        If the image has integers or no pixels, or another argument is out of its range.
    """
    check_floats(image)
    in_size = (image.shape[-2], image.shape[-1])
    scales, out_size = scale_and_size(in_size, scale, size)
    if not isinstance(kernel, str):
        factors = (1 / scales[0], 1 / scales[1])
        return blur_and_subsample(image, kernel, factors, border, out_size)
    check_name(kernel)
    out = (image.double() * 255).round() if exact_uint8 else image
    for k in (0, 1):
        axis = _Axis(in_size[k], out_size[k], scales[k], kernel, border, antialias)
        out = _resize_axis(out, k - 2, axis)
        if exact_uint8:
            out = (out + 0.5).floor().clamp(0, 255)  # rounds halves up, as MATLAB does
    return (out / 255).to(image.dtype) if exact_uint8 else out


def check_name(kernel: str) -> None:
    """Raise a ValueError unless the name is in :data:`INTERPOLATION`."""
    if kernel not in INTERPOLATION:
        names = ", ".join(INTERPOLATION)
        raise ValueError(f"kernel: expected one of {names}; got '{kernel}'")


class _Axis(NamedTuple):
    """The parameters of resampling along one axis."""

    length: int
    out_length: int
    scale: float
    kernel: str
    border: Border
    antialias: bool


def _resize_axis(x: Tensor, dim: int, axis: _Axis) -> Tensor:
    if axis.scale == 1 and axis.out_length == axis.length:
        return x
    if x.is_cuda:  # on a GPU, one matrix product is faster than many additions
        matrix = _matrix(axis, x.device).to(x.dtype)
        return matrix @ x if dim == -2 else x @ matrix.T
    taps, weights = _taps(axis)
    taps_t = torch.from_numpy(taps).to(x.device)
    weights_t = torch.from_numpy(weights).to(x.device, x.dtype)
    if dim == -2:
        weights_t = weights_t[..., None]
    out = x.index_select(dim, taps_t[0]) * weights_t[0]
    for tap, weight in zip(taps_t[1:], weights_t[1:], strict=True):
        out = torch.addcmul(out, x.index_select(dim, tap), weight)
    return out


@lru_cache(1024)
def _matrix(axis: _Axis, device: torch.device) -> Float[Tensor, "out length"]:
    """The weights as a matrix: one row for each output pixel."""
    matrix = np.zeros((axis.out_length, axis.length))
    for tap, weight in zip(*_taps(axis), strict=True):
        np.add.at(matrix, (np.arange(axis.out_length), tap), weight)
    return torch.from_numpy(matrix).to(device)


@lru_cache(1024)
def _taps(axis: _Axis) -> tuple[np.ndarray, np.ndarray]:
    """Input pixels and weights of each output pixel, as two (taps, out) arrays."""
    function, reach = INTERPOLATION[axis.kernel]
    widen = max(1 / axis.scale, 1.0) if axis.antialias else 1.0
    centre = (np.arange(axis.out_length) + 0.5) / axis.scale - 0.5
    first = np.floor(centre - reach * widen).astype(np.int64)
    taps = first[None] + np.arange(math.ceil(2 * reach * widen) + 2)[:, None]
    weights = function((centre[None] - taps) / widen)
    weights /= weights.sum(0)
    used = (weights != 0).any(1)
    return fold_border(taps[used], axis.length, axis.border), weights[used]


def fold_border(index: np.ndarray, length: int, border: Border) -> np.ndarray:
    """Clamp or mirror the indices that lie outside [0, length)."""
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
    """Blur an image and keep every s-th pixel: LR = (HR * kernel), subsampled.

    LR pixel i is centred at HR coordinate s*i + (s-1)/2.

    Parameters
    ----------
    image : Float[Tensor, "*batch h w"]
        The high-resolution image.
    kernel : Float["kh kw"] or str
        Correlation weights on HR pixels; normalised and centred here (see
        :func:`dil_teach.image.kernel.centre_kernel`). The name of an
        interpolation selects the antialiased kernel of :func:`resize`.
    scale : float or (float, float)
        How many times smaller the LR image is: 2 halves each side.
    border : {"clamp", "mirror"}
        As in :func:`resize`.
    size : (int, int), optional
        Size of the LR image in pixels, ``round(HR size / scale)`` if not given.

    Raises
    ------
    ValueError
        If the image has integers or no pixels, or another argument is out of its range.
    """
    check_floats(image)
    factors = per_axis(scale)
    inverse = (1 / factors[0], 1 / factors[1])
    if isinstance(kernel, str):
        return resize(image, inverse, size, kernel, border)
    if min(factors) < 1:
        raise ValueError(
            f"scale: expected at least 1 with a blur kernel, got {scale}; name an "
            "interpolation such as 'bicubic' to make an image larger"
        )
    weights = centre_kernel(kernel, factors).to(image.device, image.dtype)
    in_size = (image.shape[-2], image.shape[-1])
    size = scale_and_size(in_size, inverse, size)[1]
    whole = all(f == int(f) for f in factors)
    stride = (int(factors[0]), int(factors[1])) if whole else (1, 1)
    sampled = size if whole else in_size
    sides = zip(in_size, sampled, stride, weights.shape, strict=True)
    rows, columns = (_window(*side, border) for side in sides)
    padded = image[..., rows, :][..., :, columns]
    # planes as channels, each with its own filter: three times as fast as a batch
    planes = padded.reshape(1, -1, *padded.shape[-2:])
    count = planes.shape[1]
    filters = weights.expand(count, 1, *weights.shape).contiguous()
    blurred = F.conv2d(planes, filters, stride=stride, groups=count)
    blurred = blurred.reshape(*image.shape[:-2], *sampled)
    if whole:
        return blurred
    return resize(blurred, inverse, size, "bicubic", border, antialias=False)


def _window(length: int, samples: int, step: int, taps: int, border: Border) -> Tensor:
    """Indices of the pixels that a kernel of ``taps`` weights covers at all samples."""
    first = (step - taps) // 2
    index = np.arange(first, first + (samples - 1) * step + taps)
    return torch.from_numpy(fold_border(index, length, border))


def prepare_kernel(kernel: str | Kernel2d, scales: tuple[float, float]) -> str | Tensor:
    """Check that the scales are at least 1; check the kernel, and centre an array."""
    if min(scales) < 1:
        raise ValueError(
            "scale: expected at least 1 for height and width, because super-resolution "
            f"only enlarges, got {scales[0]:.3g} and {scales[1]:.3g}; try 2"
        )
    if not isinstance(kernel, str):
        return centre_kernel(kernel, scales)
    check_name(kernel)
    return kernel


def limit_side(
    image: Float[Tensor, "*batch h w"], side: int, min_side: int | None = None
) -> Float[Tensor, "*batch h2 w2"]:
    """Downscale an image in [0, 1] whose longer side has more than ``side`` pixels.

    The scale is ``side`` divided by the longer side, and the result is clamped to
    [0, 1]. With ``min_side``, each side has at least this number of pixels, so the
    scales of the two axes may differ.
    """
    scale = min(1.0, side / max(image.shape[-2:]))
    if min_side is None:
        return resize(image, scale).clamp(0, 1)
    height, width = (max(round(scale * n), min_side) for n in image.shape[-2:])
    return resize(image, size=(height, width)).clamp(0, 1)


def pyramid(
    image: Float[Tensor, "c h w"], scales: Sequence[float], min_side: int = 1
) -> list[Float[Tensor, "c _h _w"]]:
    """Resize an image to each scale (bicubic, antialiased), and clamp it to [0, 1].

    Levels with a side below ``min_side`` are left out, but never the largest level.
    """
    levels = [resize(image, scale).clamp(0, 1) for scale in scales]
    large_enough = [level for level in levels if min(level.shape[-2:]) >= min_side]
    return large_enough or [max(levels, key=lambda level: level.shape[-1])]
