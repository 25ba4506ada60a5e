"""Images with a new size or layout, from which the patch methods start."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.convention import Image

Map = Float[Tensor, "1 _h _w"]

POWER = 3.5
"""A column's stiffness is its mean gradient to this power; with the power 0, all
columns are stretched equally. ``POWER`` and the settings below were chosen on the first
five photographs of benchmarks/retargeting_with_patches.py."""
OBJECT = 0.2
"""Widest gap inside an object, as a fraction of the width. Smooth columns in such a
gap, between detailed columns, keep their width."""
SMOOTH = 0.03
"""Radius of the mean filter over the columns' gradients, as a fraction of the width."""
SOFTEST = 0.05
"""Minimum gradient of a column, relative to the mean of all columns."""
LEAST = 0.1
"""Minimum width of a source column, or height of a source row, in the result."""


def stretch(
    image: Image, size: tuple[int, int], importance: Map | None = None
) -> tuple[Image, Float[Tensor, "2 h2 w2"]]:
    """Resize an image; regions with small gradients change most.

    The new widths of the columns minimise ``sum E (width - 1)^2``; their sum is the
    given width. The stiffness E is the column's mean gradient to the power ``POWER``.
    Rows are treated in the same way. Source: Wang, Tai, Sorkine and Lee, "Optimized
    scale-and-stretch for image resizing", SIGGRAPH Asia 2008; we treat each axis alone.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"].
    size : (int, int)
        Height and width of the result in pixels.
    importance : Float[Tensor, "1 h w"], optional
        Factors by which the gradients are multiplied; at least 0.

    Returns
    -------
    image : Image
        The resized image, by linear interpolation.
    where : Float[Tensor, "2 h2 w2"]
        The place (y, x) in the source of each pixel of the result, as fractions of the
        source's height and width.
    """
    detail = _gradients(image)
    detail = detail if importance is None else detail * importance[0]
    down = _source_positions(detail.mean(1), size[0])
    right = _source_positions(detail.mean(0), size[1])
    stretched = _sample_columns(_sample_columns(image, right).mT, down).mT.contiguous()
    shares = ((down + 0.5) / image.shape[-2], (right + 0.5) / image.shape[-1])
    return stretched, torch.stack(torch.meshgrid(*shares, indexing="ij")).float()


def _gradients(image: Image) -> Float[Tensor, "h w"]:
    padded = F.pad(image[None], (1, 1, 1, 1), mode="replicate")[0]
    across = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]).abs()
    down = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]).abs()
    return (across + down).sum(0)


def _source_positions(detail: Float[Tensor, " n"], count: int) -> Float[Tensor, " m"]:
    """The position in the source, in pixels, of each of `count` columns of the result.

    The widths 1 + mu / E minimise the sum (1 - mu / E if the result is narrower), where
    mu is found by bisection.
    """
    n = len(detail)
    if count == n:
        return torch.arange(n, device=detail.device).double()
    soft, half = max(round(SMOOTH * n), 1), max(round(OBJECT * n / 2), 1)
    line = F.pad(detail[None, None].double(), (soft, soft), mode="replicate")
    line = F.avg_pool1d(line, 2 * soft + 1, 1)
    # a morphological closing: fill the gaps inside an object
    line = F.max_pool1d(line, 2 * half + 1, 1, half)
    line = -F.max_pool1d(-F.pad(line, (half, half), mode="replicate"), 2 * half + 1, 1)
    stiffness = (line[0, 0] / line.mean().clamp_min(1e-9)).clamp_min(SOFTEST) ** POWER
    low, high, wider = 0.0, 1e9, count > n
    widths = torch.ones_like(stiffness)
    for _ in range(100):
        mu = (low + high) / 2
        widths = (1 + (mu if wider else -mu) / stiffness).clamp_min(LEAST)
        too_far = bool((widths.sum() > count) == wider)
        low, high = (low, mu) if too_far else (mu, high)
    widths *= count / widths.sum()
    edges = np.concatenate([[0.0], widths.cumsum(0).cpu().numpy()])
    middles = np.interp(np.arange(count) + 0.5, edges, np.arange(n + 1.0)) - 0.5
    return torch.from_numpy(middles).to(detail.device)


def _sample_columns(image: Image, columns: Float[Tensor, " m"]) -> Image:
    """The image's columns at fractional positions, by linear interpolation."""
    columns = columns.clamp(0, image.shape[-1] - 1)
    left = columns.floor().long()
    right = (left + 1).clamp_max(image.shape[-1] - 1)
    share = (columns - left).float()
    return image[..., left] * (1 - share) + image[..., right] * share


def fill_softly(image: Image, hole: Map) -> Image:
    """Fill a hole (1 in the mask) inwards from its border, with means of neighbours."""
    known, filled = 1 - hole, image * (1 - hole)
    while bool((known == 0).any()) and bool((known > 0).any()):
        total = F.avg_pool2d(filled, 3, 1, 1)
        weight = F.avg_pool2d(known, 3, 1, 1)
        grown = total / weight.clamp_min(1e-9)
        filled = torch.where(known > 0, filled, grown)
        known = ((known > 0) | (weight > 1e-9)).float()
    return filled


def move_object(image: Image, mask: Map, shift: tuple[int, int]) -> tuple[Image, Map]:
    """Cut an object out, fill the hole smoothly and paste the object elsewhere.

    Returns the edited image, and a mask that is 1 where the object is now. A ValueError
    is raised if the mask has another size or other values, or no part of the object
    stays in the image.

    Parameters
    ----------
    mask : Float[Tensor, "1 h w"]
        1 on the object, 0 elsewhere.
    shift : (int, int)
        Move in pixels, down and to the right; parts outside the image are cut off.
    """
    height, width = image.shape[-2:]
    if mask.shape != (1, height, width) or not ((mask == 0) | (mask == 1)).all():
        raise ValueError(
            f"mask: expected 0 and 1, of shape (1, {height}, {width}) as the image, "
            f"got shape {tuple(mask.shape)}"
        )
    place = (mask[0] == 1).nonzero()
    goal = place + place.new_tensor(shift)
    inside = ((goal >= 0) & (goal < place.new_tensor([height, width]))).all(1)
    if not inside.any():
        raise ValueError(
            f"shift: expected to keep a part of the object in the image, got {shift}; "
            "mark the object in the mask, or move it less"
        )
    edited, fixed = fill_softly(image, mask), torch.zeros_like(mask)
    (row, column), (to_row, to_column) = place[inside].T, goal[inside].T
    edited[:, to_row, to_column] = image[:, row, column]
    fixed[0, to_row, to_column] = 1
    return edited, fixed
