"""Some patches of a large image: a regular grid, those inside a mask, bands of rows."""

from collections.abc import Callable, Sequence
from math import isqrt

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dil_teach.image.convention import Image
from dil_teach.image.resize import resize
from dil_teach.patches.extract import Mask, patches_inside

WHOLE = 1e-3
"""A pixel of a downscaled image is used if its pixels outside the mask have less weight
than this."""
BAND = 2**20
"""Limits and contrasts are computed in bands of rows with about this number of pixels,
which need 0.2 GB."""


def query_grid(
    image: Image, patch_size: int, enough: int, mask: Mask | None = None
) -> tuple[int, Bool[Tensor, "h w"]]:
    """Choose a regular grid of about ``enough`` patches, or slightly more.

    Returns the stride in pixels, which is 1 for an image with few patches; and which
    patches of the grid are completely inside the mask.
    """
    size = image.shape[-2:]
    if mask is None:
        mask = torch.ones(size, dtype=torch.bool, device=image.device)
    inside = patches_inside(mask, patch_size)
    if mask.shape != size or not inside.any():
        got = " x ".join(map(str, mask.shape))
        raise ValueError(
            f"mask: expected {size[0]} x {size[1]} pixels with at least one patch of "
            f"{patch_size} x {patch_size} inside, got {got} with {int(inside.sum())}; "
            "mark more pixels"
        )
    stride = max(isqrt(int(inside.sum()) // enough), 1)
    some = inside[::stride, ::stride]
    return (stride, some) if some.any() else (1, inside)


def resize_mask(mask: Mask, size: Sequence[int]) -> Mask:
    """A mask for the image resized to ``size``.

    It marks the pixels to which pixels outside the mask contribute nothing.
    """
    height, width = size
    if mask.shape == (height, width):
        return mask
    return (resize(mask[None].float(), size=(height, width))[0] - 1).abs() < WHOLE


def by_bands(
    measure: Callable[[Image], Float[Tensor, "_h _w"]],
    image: Image,
    patch_size: int,
    stride: int,
) -> Float[Tensor, "h w"]:
    """A measure of every stride-th patch, computed for a few rows of patches at a time.

    A value of the measure depends on the patch and on two pixels around it.
    """
    height, width = image.shape[-2:]
    step = stride * max(BAND // width // stride, 1)
    bands = []
    for top in range(0, height - patch_size + 1, step):
        first = max(top - 2, 0)
        rows = image[:, first : top + step + patch_size + 1]
        bands.append(measure(rows)[top - first :][:step][::stride, ::stride])
    return torch.cat(bands)
