"""Agreement with a blurred image by least squares: Hestenes and Stiefel, 'Methods of
Conjugate Gradients for Solving Linear Systems', 1952.

A super-resolved image x must have the given image y as its blurred and subsampled copy
A x. We look for the smallest smooth correction d:

    argmin over d of  | A (x + d) - y |^2 + smoothness | grad d |^2 .

Back-projection solves the same task for interpolation kernels and Gaussians, but it
amplifies the waves whose contrast the kernel inverts, and most kernels of motion invert
some. Conjugate gradients multiply by the transposed matrix of A, and converge for every
kernel.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from dil_teach.image.convention import Image
from dil_teach.image.kernel import Kernel2d, check_kernel
from dil_teach.image.resize import blur_and_subsample
from dil_teach.image.scale import Scale

SMOOTHNESS = 1e-3
"""Weight of the squared gradient of the correction. After ZSSR with kernels of motion
on three pictures of BSD200, a ten times larger or smaller weight was up to 0.3 dB
worse."""
SMOOTHNESS_OF_NOISE = 30
"""This number times the variance of the noise is added to the weight. With half and
double this value, results for noise of 0.03 and a known kernel of motion, and for
estimated kernels of motion, changed by less than 0.3 dB (BSD200)."""
ITERATIONS = 30
"""Number of iterations of conjugate gradients."""
INVERTED = -0.12
"""A kernel inverts the contrast if it multiplies a wave by less than this. Estimates of
Gaussians reach -0.09 by mistake, and back-projection was better there. The kernels of
Levin et al. (CVPR 2009) reach -0.17 to -0.62."""


def correct_by_least_squares(
    high: Image, low: Image, kernel: Kernel2d, scale: Scale, noise: float = 0.0
) -> Image:
    """Correct a super-resolved image until its downscaled copy equals the given image.

    Parameters
    ----------
    high : Image
        Float[Tensor, "c h2 w2"]: the first estimate.
    low : Image
        Float[Tensor, "c h w"]: the given image.
    kernel, scale
        How ``low`` was downscaled, as in
        :func:`dil_teach.image.resize.blur_and_subsample`.
    noise : float
        Standard deviation of the noise of ``low``, in [0, 1]. The error of an estimated
        kernel acts like noise. With more noise, the correction is smoother, and the
        downscaled copy differs more from ``low``.

    Returns
    -------
    Image
        Float[Tensor, "c h2 w2"]; some values may lie slightly outside [0, 1].
    """
    size = (low.shape[-2], low.shape[-1])
    smoothness = SMOOTHNESS + SMOOTHNESS_OF_NOISE * noise**2
    with torch.enable_grad():
        unknown = torch.zeros_like(high, requires_grad=True)
        seen = blur_and_subsample(unknown, kernel, scale, size=size)

    def transposed(error: Tensor) -> Tensor:
        # with the argument grad_outputs, torch would import symbolic mathematics (1 s)
        with torch.enable_grad():
            product = (seen * error).sum()
        return torch.autograd.grad(product, unknown, retain_graph=True)[0]

    def normal(correction: Tensor) -> Tensor:
        copy = blur_and_subsample(correction, kernel, scale, size=size)
        return transposed(copy) + smoothness * minus_laplacian(correction)

    with torch.no_grad():
        missing = low - blur_and_subsample(high, kernel, scale, size=size)
        return high + conjugate_gradients(normal, transposed(missing), ITERATIONS)


def conjugate_gradients(
    matrix: Callable[[Tensor], Tensor], right: Tensor, iterations: int
) -> Tensor:
    """Solve a linear system with a symmetric positive matrix, from zero.

    Parameters
    ----------
    matrix : Callable
        Multiplies a tensor of the shape of ``right`` by the matrix.
    right : Tensor
        The right-hand side of the system.
    iterations : int
        Number of iterations, each with one product of ``matrix``.

    Returns
    -------
    Tensor
        The solution, of the shape of ``right``.

    References
    ----------
    Hestenes and Stiefel, 'Methods of Conjugate Gradients for Solving Linear Systems',
    1952.
    """
    solution, residual = torch.zeros_like(right), right
    direction, energy = residual, residual.square().sum()
    for _ in range(iterations):
        if energy == 0:  # the solution is exact already
            break
        change = matrix(direction)
        length = energy / (direction * change).sum()
        solution = solution + length * direction
        residual = residual - length * change
        previous, energy = energy, residual.square().sum()
        direction = residual + energy / previous * direction
    return solution


def inverts_contrast(kernel: Kernel2d) -> bool:
    """Whether a kernel clearly inverts waves that an image of half the size shows.

    It is True for most kernels of motion, and False for Gaussians.
    """
    weights = check_kernel(kernel)
    frequency = np.linspace(-0.25, 0.25, 33)  # in cycles per pixel of the larger image
    rows, columns = (
        np.exp(-2j * np.pi * frequency[:, None] * (np.arange(n) - (n - 1) / 2))
        for n in weights.shape
    )
    return bool((rows @ weights @ columns.T).real.min() < INVERTED)


def minus_laplacian(image: Image) -> Image:
    """Half the gradient of the sum of squared differences of neighbouring pixels."""
    result = torch.zeros_like(image)
    for dim in (-2, -1):
        slope, length = image.diff(dim=dim), image.shape[dim]
        result.narrow(dim, 1, length - 1).add_(slope)
        result.narrow(dim, 0, length - 1).sub_(slope)
    return result
