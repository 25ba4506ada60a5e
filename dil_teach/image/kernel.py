"""Blur kernels: anisotropic Gaussians, and kernels from files.

A kernel array holds correlation weights on high-resolution pixels. It is normalised and
centred where it is used: :func:`~.resize.centre_kernel` holds the convention.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scipy import io
from torch import Tensor

from dil_teach.image.convention import split_alpha
from dil_teach.image.files import load_image
from dil_teach.image.resize import Scale, centre_kernel, check_kernel


def gaussian_kernel(
    sigmas: tuple[float, float], angle: float = 0.0, size: int = 13
) -> Float[Tensor, "size size"]:
    """An anisotropic Gaussian.

    Parameters
    ----------
    sigmas : (float, float)
        Standard deviations along its two axes, in HR pixels, positive.
    angle : float
        Of the first axis against the image's x axis, in radians.
    size : int
        Side of the array in pixels.

    Returns
    -------
    Float[Tensor, "size size"]
        float64, sum 1, centred in its array.

    Raises
    ------
    ValueError
        If a sigma or the size is not positive.
    """
    if min(sigmas) <= 0 or size < 1:
        raise ValueError(
            f"gaussian_kernel: expected positive sigmas and size, got {sigmas}, {size}"
        )
    across = np.arange(size) - (size - 1) / 2
    y, x = np.meshgrid(across, across, indexing="ij")
    u = (np.cos(angle) * x + np.sin(angle) * y) / sigmas[0]
    v = (np.cos(angle) * y - np.sin(angle) * x) / sigmas[1]
    weights = np.exp(-(u**2 + v**2) / 2)
    return torch.from_numpy(weights / weights.sum())


def random_kernel(seed: int, size: int = 13) -> Float[Tensor, "size size"]:
    """A Gaussian with sigmas uniform in [0.8, 3] pixels and any angle.

    The family of ZSSR's experiment with 'non-ideal' kernels (Shocher et al. 2018,
    section 4.2), by our own ranges.
    """
    rng = np.random.default_rng(seed)
    sigmas = rng.uniform(0.8, 3.0, size=2)
    return gaussian_kernel((sigmas[0], sigmas[1]), rng.uniform(0, np.pi), size)


def load_kernel(path: str | Path, scale: Scale) -> Float[Tensor, "_kh _kw"]:
    """Read a kernel from a file, normalise it and centre it for a scale.

    Parameters
    ----------
    path : str or Path
        ``.npy``; ``.mat`` (the variable ``Kernel``, or the only matrix in it); or a
        picture, whose brightness gives the weights.
    scale : float or (float, float)
        The scale at which it will be used.

    Returns
    -------
    Float[Tensor, "_kh _kw"]
        float64, sum 1, centred (see :func:`dil_teach.image.resize.centre_kernel`).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file cannot be read, or holds no usable kernel.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such kernel file; check the name")
    suffix = path.suffix.lower()
    try:
        if suffix == ".npy":
            array = np.load(path, allow_pickle=False)
        elif suffix == ".mat":
            array = _only_matrix(io.loadmat(path))
        else:
            array = split_alpha(load_image(path))[0].mean(0).numpy()
        weights = check_kernel(array)
    except Exception as error:  # a reader may raise anything on a damaged file
        raise ValueError(f"{path}: no usable kernel: {error}") from None
    return centre_kernel(weights, scale)


def _only_matrix(variables: dict) -> np.ndarray:
    if "Kernel" in variables:
        return np.asarray(variables["Kernel"])
    matrices = [
        value
        for name, value in variables.items()
        if not name.startswith("__") and np.ndim(value) == 2 and np.size(value) > 1
    ]
    if len(matrices) != 1:
        raise ValueError(
            f"expected a variable 'Kernel', or one matrix alone, got {len(matrices)}"
        )
    return np.asarray(matrices[0])
