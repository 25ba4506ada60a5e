"""Where things should go in a picture of another size or order: what methods that
rearrange patches start from."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.image.convention import Image, check_image

Map = Float[Tensor, "1 _h _w"]

POWER = 3.5
"""How firmly columns where much happens keep their width; 0 stretches all alike."""
THING = 0.2
"""Calm columns between busy ones belong to one thing within this share of the width."""
LEAST = 0.1
"""Least width of a column or height of a row, in pixels, when a picture shrinks."""


def stretch(
    image: Image, size: tuple[int, int], importance: Map | None = None
) -> tuple[Image, Float[Tensor, "2 h2 w2"]]:
    """Resize a picture mostly where little happens in it.

    The widths of the source's columns minimise ``sum E (width - 1)^2`` for their sum,
    where E is the mean gradient of the column (calm columns inside a thing count as
    busy), to a power; rows likewise.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"].
    size : (int, int)
        Height and width of the result in pixels.
    importance : Float[Tensor, "1 h w"], optional
        Multiplies the gradients; not negative.

    Returns
    -------
    image : Image
        Linearly interpolated.
    where : Float[Tensor, "2 h2 w2"]
        Where each of its pixels comes from: down and right, in shares of the sides.

    References
    ----------
    After Wang, Tai, Sorkine and Lee, "Optimized scale-and-stretch for image resizing",
    SIGGRAPH Asia 2008, kept to one axis at a time.
    """
    busy = _gradients(image)
    busy = busy if importance is None else busy * importance[0]
    down, right = _sources(busy.mean(1), size[0]), _sources(busy.mean(0), size[1])
    stretched = _sampled(_sampled(image, right).mT, down).mT.contiguous()
    shares = ((down + 0.5) / image.shape[-2], (right + 0.5) / image.shape[-1])
    return stretched, torch.stack(torch.meshgrid(*shares, indexing="ij")).float()


def check_size(size: tuple[int, int], patch_size: int) -> None:
    """See that a picture of this height and width holds more than a patch.

    Raises
    ------
    ValueError
        If it does not.
    """
    if min(size) <= patch_size:
        raise ValueError(
            f"size: expected a height and a width of at least {patch_size + 1} pixels, "
            f"got {size}; ask for a larger picture"
        )


def check_edited(edited: Image, image: Image, patch_size: int) -> None:
    """See that a layout is an image that can be remade of another one's patches.

    Raises
    ------
    ValueError
        If it is no image, holds no more than a patch, or has other channels.
    """
    check_image(edited, "edited", min_side=patch_size + 1)
    if len(edited) != len(image):
        raise ValueError(
            f"edited: expected {len(image)} channels as in the image, got "
            f"{len(edited)}; make both grey or both colour"
        )


def _gradients(image: Image) -> Float[Tensor, "h w"]:
    padded = F.pad(image[None], (1, 1, 1, 1), mode="replicate")[0]
    across = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]).abs()
    down = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]).abs()
    return (across + down).sum(0)


def _sources(busy: Float[Tensor, " n"], count: int) -> Float[Tensor, " m"]:
    """The place in the source, in pixels, of each of `count` columns of the result."""
    n = len(busy)
    if count == n:
        return torch.arange(n, device=busy.device).double()
    soft, half = max(round(0.03 * n), 1), max(round(THING * n / 2), 1)
    line = F.pad(busy[None, None].double(), (soft, soft), mode="replicate")
    line = F.avg_pool1d(line, 2 * soft + 1, 1)
    line = F.max_pool1d(line, 2 * half + 1, 1, half)  # fill valleys inside a thing
    line = -F.max_pool1d(-F.pad(line, (half, half), mode="replicate"), 2 * half + 1, 1)
    stiff = (line[0, 0] / line.mean().clamp_min(1e-9)).clamp_min(0.05) ** POWER
    low, high, more = 0.0, 1e9, count > n
    widths = torch.ones_like(stiff)
    for _ in range(100):  # widths 1 +- mu / E; their sum grows or falls with mu
        mu = (low + high) / 2
        widths = (1 + (mu if more else -mu) / stiff).clamp_min(LEAST)
        too_far = bool((widths.sum() > count) == more)
        low, high = (low, mu) if too_far else (mu, high)
    widths *= count / widths.sum()
    edges = np.concatenate([[0.0], widths.cumsum(0).cpu().numpy()])
    middles = np.interp(np.arange(count) + 0.5, edges, np.arange(n + 1.0)) - 0.5
    return torch.from_numpy(middles).to(busy.device)


def _sampled(image: Image, columns: Float[Tensor, " m"]) -> Image:
    columns = columns.clamp(0, image.shape[-1] - 1)
    left = columns.floor().long()
    right = (left + 1).clamp_max(image.shape[-1] - 1)
    share = (columns - left).float()
    return image[..., left] * (1 - share) + image[..., right] * share


def fill_softly(image: Image, hole: Map) -> Image:
    """Give each pixel of a hole the mean of the nearest known ones.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"].
    hole : Float[Tensor, "1 h w"]
        1 where nothing is known, 0 elsewhere.
    """
    known, filled = 1 - hole, image * (1 - hole)
    while bool((known == 0).any()) and bool((known > 0).any()):
        total = F.avg_pool2d(filled, 3, 1, 1)
        weight = F.avg_pool2d(known, 3, 1, 1)
        grown = total / weight.clamp_min(1e-9)
        filled = torch.where(known > 0, filled, grown)
        known = ((known > 0) | (weight > 1e-9)).float()
    return filled


def move_object(image: Image, mask: Map, shift: tuple[int, int]) -> tuple[Image, Map]:
    """Cut a thing out, fill its place softly and lay it down elsewhere.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"].
    mask : Float[Tensor, "1 h w"]
        1 on the thing, 0 elsewhere.
    shift : (int, int)
        Pixels down and right; what leaves the picture is cut off.

    Returns
    -------
    edited : Image
        As large as the image.
    fixed : Float[Tensor, "1 h w"]
        1 where the thing now lies.

    Raises
    ------
    ValueError
        If the mask has another size or other values, or the thing leaves the picture.
    """
    height, width = image.shape[-2:]
    if mask.shape != (1, height, width) or not ((mask == 0) | (mask == 1)).all():
        raise ValueError(
            f"mask: expected 0 and 1 of shape (1, {height}, {width}), the image's "
            f"size, got shape {tuple(mask.shape)}; draw it on that image"
        )
    down, right = shift
    row, column = (mask[0] == 1).nonzero(as_tuple=True)
    to_row, to_column = row + down, column + right
    inside = (to_row >= 0) & (to_row < height)
    inside &= (to_column >= 0) & (to_column < width)
    if not inside.any():
        raise ValueError(
            f"shift: expected one that keeps some of the thing in the picture, got "
            f"{shift}; mark the thing in the mask or move it less"
        )
    edited, fixed = fill_softly(image, mask), torch.zeros_like(mask)
    to = to_row[inside], to_column[inside]
    edited[:, to[0], to[1]] = image[:, row[inside], column[inside]]
    fixed[0, to[0], to[1]] = 1
    return edited, fixed
