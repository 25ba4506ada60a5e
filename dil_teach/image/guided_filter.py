"""The guided filter: He, Sun and Tang, 'Guided Image Filtering', ECCV 2010.

In each window, the source is approximated by a linear function of the guide's colours,
so the result follows the guide's edges. To upscale, fit this function on small copies,
and apply it to the large guide (He and Sun, 'Fast Guided Filter', 2015).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def guided_filter(
    guide: Float[Tensor, "n c h w"],
    source: Float[Tensor, "n k _h _w"],
    radius: int,
    eps: float,
) -> Float[Tensor, "n k h w"]:
    """Smooth a source, but not across the edges of a guide.

    Parameters
    ----------
    guide : Float[Tensor, "n c h w"]
        The guide image in [0, 1], grey or in colour.
    source : Float[Tensor, "n k h w"]
        The map to smooth, such as a transmission or a mask. The result is not clamped
        and may leave the source's range slightly.
    radius : int
        At least 1. Each window has 2 * radius + 1 pixels a side, cropped at the border.
        Scale the radius with the image.
    eps : float
        Positive. Edges of the guide with a variance below ``eps`` are smoothed.
    """
    return guided_upsample(guide, guide, source, radius, eps)


def guided_upsample(
    guide: Float[Tensor, "n c _h _w"],
    small_guide: Float[Tensor, "n c _h2 _w2"],
    source: Float[Tensor, "n k _h3 _w3"],
    radius: int,
    eps: float,
) -> Float[Tensor, "n k _h _w"]:
    """Smooth a source and upscale it to the size of a guide, along the guide's edges.

    As :func:`guided_filter`; ``small_guide`` is the guide at the size of ``source``.
    ``radius`` is in pixels of ``source``.
    """
    if small_guide.shape[-2:] != source.shape[-2:]:
        raise ValueError(
            f"source: expected the guide's size {[*small_guide.shape[-2:]]}, got "
            f"{[*source.shape[-2:]]}; resize one of them"
        )
    if radius < 1 or not eps > 0:
        raise ValueError(
            f"expected a radius of at least 1 and eps above 0, got {radius} and {eps}"
        )
    slope, offset = _coefficients(small_guide, source, radius, eps)
    size = [*guide.shape[-2:]]
    if size != [*source.shape[-2:]]:
        slope = F.interpolate(slope, size, mode="bilinear")
        offset = F.interpolate(offset, size, mode="bilinear")
    result = offset
    for c, channel in enumerate(slope.unflatten(1, (guide.shape[1], -1)).unbind(1)):
        result = result + channel * guide[:, c : c + 1]
    return result


def _coefficients(
    guide: Tensor, source: Tensor, radius: int, eps: float
) -> tuple[Float[Tensor, "n ck h w"], Float[Tensor, "n k h w"]]:
    """Equations 19 and 20: a and b of q = a . I + b, averaged over the windows."""
    # double precision, because a variance is a small difference of two means
    guide, wanted = guide.double(), source.double()
    mean_guide, mean_source = box(guide, radius), box(wanted, radius)

    def covariance(other: Tensor, mean: Tensor) -> Float[Tensor, "n h w c k"]:
        products = guide[:, :, None] * other[:, None]
        means = box(products.flatten(1, 2), radius).unflatten(1, products.shape[1:3])
        return (means - mean_guide[:, :, None] * mean[:, None]).permute(0, 3, 4, 1, 2)

    ridge = eps * torch.eye(guide.shape[1], dtype=torch.float64, device=guide.device)
    slope = torch.linalg.solve(
        covariance(guide, mean_guide) + ridge, covariance(wanted, mean_source)
    ).permute(0, 3, 4, 1, 2)
    offset = mean_source - (slope * mean_guide[:, :, None]).sum(1)
    averages = box(slope.flatten(1, 2), radius), box(offset, radius)
    return averages[0].to(source.dtype), averages[1].to(source.dtype)


def box(values: Float[Tensor, "n k h w"], radius: int) -> Float[Tensor, "n k h w"]:
    """The mean over a square window around each pixel, cropped at the border."""
    side = 2 * radius + 1
    rows = F.avg_pool2d(values, (side, 1), 1, (radius, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, side), 1, (0, radius), count_include_pad=False)
