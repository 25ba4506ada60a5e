"""Volumes for completion: a film, or an image as a film of one frame, with a hole."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from dil_teach.classical.completion.efros_leung import fill_hole
from dil_teach.image.convention import Image
from dil_teach.image.resize import resize

Volume = Float[Tensor, "_channels _t _h _w"]
Hole = Bool[Tensor, "_t _h _w"]
"""True in the hole."""
Sides = tuple[int, int, int]
"""Frames, rows and columns of a patch."""

SHRINK = 0.75
"""Size of a level, divided by the size of the next finer level."""
THIN = 0.35
"""Depth of the hole at the coarsest level, divided by the side of a patch: there, the
patches at the border of the hole almost cover the hole."""
LEAST = 3
"""Minimum side of a level, divided by the side of a patch."""
BOX = 11
"""Side of the square over which texture features are averaged, in pixels: about as
large as a pixel of the coarsest level. Chosen by hand."""
SLOWNESS = 0.3
"""Length of a step in time, in pixels, when the nearest known pixel is looked for. Most
films move slowly, so another frame is a better start than another place."""
SMALL = 10_000
"""Maximum number of pixels of a level that Efros and Leung's method fills."""


def pyramid(volume: Volume, hole: Hole, sides: Sides) -> list[tuple[Volume, Hole]]:
    """The volume and its hole at each level, finest first, until the hole is thin.

    Frames become smaller, but their number stays the same. Values in the hole are 0 and
    do not enter the means of coarser levels.
    """
    levels = [(volume, hole)]
    thickness = depth(hole).max()
    while thickness > THIN * sides[-1]:
        scale = SHRINK ** len(levels)
        size = round(scale * hole.shape[1]), round(scale * hole.shape[2])
        if min(size) < LEAST * sides[-1]:
            break
        small, gap = shrink_with_hole(volume.transpose(0, 1), hole[:, None], size)
        gap = gap[:, 0]
        if not gap.any() or patches_in_hole(gap, sides).all():
            break
        levels.append((small.transpose(0, 1), gap))
        thickness *= SHRINK
    return levels


def shrink_with_hole(
    images: Float[Tensor, "*n c h w"],
    hole: Bool[Tensor, "*n 1 h w"],
    size: tuple[int, int],
) -> tuple[Float[Tensor, "*n c h2 w2"], Bool[Tensor, "*n 1 h2 w2"]]:
    """Smaller images and their hole: each pixel is the mean of the known pixels in it.

    A pixel of which more than half is hole belongs to the hole, and is 0.
    """
    known = (~hole).float()
    share = resize(known, size=size, kernel="area")
    gap = share < 0.5
    small = resize(images * known, size=size, kernel="area")
    return small / share.clamp_min(0.5) * ~gap, gap


def patches_in_hole(hole: Hole, sides: Sides) -> Bool[Tensor, "_t _h _w"]:
    """True at the first corner of each patch that overlaps the hole."""
    return F.max_pool3d(hole[None].float(), sides, stride=1)[0] > 0


def depth(hole: Hole) -> Float[Tensor, "_t _h _w"]:
    """The distance of each pixel from the nearest known pixel, in pixels."""
    distance = ndimage.distance_transform_edt(hole.cpu().numpy())
    return torch.from_numpy(distance).float().to(hole.device)


def first_estimate(known: Volume, hole: Hole, sides: Sides, colours: int) -> Volume:
    """Fill the coarsest level: an image by Efros and Leung, a film by nearest pixels.

    ``colours`` is the number of the first channels that are colours.
    """
    if len(hole) == 1 and hole.numel() <= SMALL:
        rng = torch.Generator().manual_seed(0)
        image = known[:colours, 0].clamp(0, 1)
        row, column = fill_hole(image, hole.float(), rng, sides[-1]).source
        return known[:, :, row, column]
    places = ndimage.distance_transform_edt(
        hole.cpu().numpy(),
        sampling=(SLOWNESS, 1, 1),
        return_distances=False,
        return_indices=True,
    )
    frame, row, column = torch.from_numpy(places).long().to(known.device)
    return known[:, frame, row, column]


def estimate_from(start: Image, known: Volume, hole: Hole) -> Volume:
    """Fill the coarsest level of an image with the colours of a smaller filled image.

    The other channels get the values of the nearest known pixel.
    """
    size = (hole.shape[1], hole.shape[2])
    place = ndimage.distance_transform_edt(
        hole[0].cpu().numpy(), return_distances=False, return_indices=True
    )
    row, column = torch.from_numpy(place).long().to(known.device)
    estimate = known[:, :, row, column]
    estimate[: len(start), 0] = resize(start, size=size)
    return torch.where(hole, estimate, known)


def texture(image: Image, known: Bool[Tensor, "h w"]) -> Float[Tensor, "2 h w"]:
    """The mean absolute differences across and down, around each pixel.

    Source: section 3.2 of Newson et al. 2014. Only differences of known pixels count.
    """
    features = []
    for axis in (-1, -2):
        size = image.shape[axis] - 1
        both = known.narrow(axis, 0, size) & known.narrow(axis, 1, size)
        change = image.diff(dim=axis).abs().mean(0) * both
        end = (0, 1) if axis == -1 else (0, 0, 0, 1)
        sums = F.avg_pool2d(
            torch.stack([F.pad(change, end), F.pad(both.float(), end)]),
            kernel_size=BOX,
            stride=1,
            padding=BOX // 2,
        )
        features.append(sums[0] / sums[1].clamp_min(1e-6))
    return torch.stack(features)


def check_patch(sides: Sides, hole: Hole, name: str = "mask") -> None:
    """Raise a ValueError unless a patch is odd, fits, and is known somewhere."""
    most = min(hole.shape[1:])
    if sides[-1] % 2 == 0 or not 3 <= sides[-1] <= most:
        raise ValueError(
            f"patch_size: expected an odd number from 3 to {most}, the smaller side in "
            f"pixels, got {sides[-1]}; try 7 for images, 5 for films"
        )
    if patches_in_hole(hole, sides).all():
        raise ValueError(
            f"{name}: expected a known patch of {' x '.join(map(str, sides))} (frames, "
            "rows, columns) outside the hole, got none; paint a smaller hole, or take "
            "smaller patches"
        )
