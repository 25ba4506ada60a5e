"""Split an image into its patches, and put the patches together again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dil_teach.image.convention import Image, check_image

Mask = Bool[Tensor, "_h _w"]

BLOCK = 65536
"""Number of patches extracted at a time: 20 MB for colour patches of 5 x 5 pixels."""


def extract_patches(
    image: Image, patch_size: int = 5, stride: int = 1
) -> Float[Tensor, "patches values"]:
    """All patches of an image, one in each row.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"].
    patch_size, stride : int
        Side of a patch, and distance between neighbouring patches, in pixels.

    Returns
    -------
    Float[Tensor, "patches values"]
        Patches in reading order; each has c * patch_size**2 values, channel by channel.
    """
    check_patches(image, patch_size, stride)
    return F.unfold(image[None], patch_size, stride=stride)[0].T


def check_patches(
    image: Image, patch_size: int, stride: int = 1, name: str = "image", least: int = 1
) -> None:
    """Raise a ValueError if a patch is larger than the image or below ``least``."""
    height, width = image.shape[-2:]
    if min(height, width) < least:
        raise ValueError(
            f"{name}: expected at least {least} x {least} pixels, got {height} x "
            f"{width}; take a larger picture"
        )
    if not least <= patch_size <= min(height, width):
        raise ValueError(
            f"patch_size: expected {least} to {min(height, width)}, the smaller side "
            f"of the {name} ({height} x {width} pixels), got {patch_size}; take a "
            "larger image or scale, or smaller patches"
        )
    if stride < 1:
        raise ValueError(f"stride: expected at least 1, got {stride}; try 1")


def gather_patches(
    pixels: Float[Tensor, "c pixels"],
    corners: Int[Tensor, "n"],
    width: int | Int[Tensor, "n"],
    patch_size: int,
) -> Float[Tensor, "n c values"]:
    """The patches whose top left pixels have the indices ``corners``.

    ``pixels`` contains one or several images, each flattened row by row. ``width`` is
    the width, in pixels, of the image that contains each patch. The patch_size**2
    values of a channel are in reading order.
    """
    side = torch.arange(patch_size, device=corners.device)
    rows = corners[:, None] + side * torch.as_tensor(width).to(corners).view(-1, 1)
    inside = rows[:, :, None] + side  # shape (n, patch_size, patch_size)
    return pixels[:, inside.flatten(1)].transpose(0, 1)


def average_patches(
    patches: Float[Tensor, "patches values"],
    image_size: tuple[int, int],
    patch_size: int = 5,
    stride: int = 1,
) -> Image:
    """The inverse of :func:`extract_patches`; overlapping patches are averaged.

    ``image_size`` is the height and width in pixels. Pixels that no patch covers are 0.
    """
    columns = patches.T[None]
    total, count = (
        F.fold(each, image_size, patch_size, stride=stride)[0]
        for each in (columns, torch.ones_like(columns))
    )
    return total / count.clamp_min(1)


def patches_inside(
    inside: Bool[Tensor, "h w"], patch_size: int
) -> Bool[Tensor, "_h _w"]:
    """True at the top left pixel of each patch that lies completely inside a shape."""
    outside = (~inside)[None, None].float()
    return F.max_pool2d(outside, patch_size, stride=1)[0, 0] == 0


@dataclass(frozen=True)
class PatchBag:
    """The patches of several images, extracted only when they are used.

    ``bag[index]`` returns rows as in :func:`extract_patches`.
    """

    pixels: Float[Tensor, "c pixels"]
    """The pixels of all images, one after another."""
    corner: Int[Tensor, "n"]
    """Index in ``pixels`` of each patch's top left pixel."""
    first: Int[Tensor, "images"]
    """Index in ``pixels`` of the first pixel of each image."""
    width: Int[Tensor, "images"]
    """Width of each image in pixels."""
    patch_size: int
    remove_mean: bool

    def __len__(self) -> int:
        return len(self.corner)

    @property
    def place(self) -> Int[Tensor, "n 3"]:
        """Index of each patch's image; row and column of the patch's top left pixel."""
        return self.places(self.corner)

    def places(self, corner: Int[Tensor, "*n"]) -> Int[Tensor, "*n 3"]:
        """As ``place``, for the patches with these corners."""
        image = torch.bucketize(corner, self.first, right=True) - 1
        inside, width = corner - self.first[image], self.width[image]
        return torch.stack([image, inside // width, inside % width], -1)

    def some(self, index: Int[Tensor, "n"] | slice) -> "PatchBag":
        """A bag of some of the patches."""
        return replace(self, corner=self.corner[index].contiguous())

    def __getitem__(
        self, index: Int[Tensor, "n"] | slice
    ) -> Float[Tensor, "patches values"]:
        corner = self.corner[index].contiguous()
        width = self.width[torch.bucketize(corner, self.first, right=True) - 1]
        values = gather_patches(self.pixels, corner, width, self.patch_size)
        if self.remove_mean:
            values = values - values.mean(-1, keepdim=True)
        return values.flatten(1)

    def blocks(self) -> Iterator[Float[Tensor, "patches values"]]:
        """Yield all rows, ``BLOCK`` at a time; without rows, yield one empty block."""
        for first in range(0, max(len(self), 1), BLOCK):
            yield self[first : first + BLOCK]


def bag_of(
    images: Sequence[Image],
    masks: Sequence[Mask | None] | None,
    patch_size: int,
    remove_mean: bool,
    name: str,
    stride: int = 1,
) -> PatchBag:
    """The patches of images; with masks, only those completely inside the masks.

    For parameters and errors, see :func:`~dil_teach.patches.search.nearest_patches`.
    Error messages call the images ``name``.
    """
    masks = [None] * len(images) if masks is None else masks
    if not images or len({len(image) for image in images}) > 1:
        raise ValueError(
            f"{name}: expected at least one image, all grey or all colour, got "
            f"{[len(image) for image in images]} channels"
        )
    if len(masks) != len(images):
        raise ValueError(
            f"{name}_mask: expected one per image ({len(images)}), got {len(masks)}"
        )
    corners, starts, first = [], [], 0
    for image, mask in zip(images, masks, strict=True):
        check_image(image, name, in_range=False)
        check_patches(image, patch_size, stride, name)
        height, width = image.shape[-2:]
        numbers = torch.arange(height * width, device=image.device).view(height, width)
        corner = numbers[: height - patch_size + 1, : width - patch_size + 1]
        corner = (first + corner)[::stride, ::stride]
        if mask is None:
            corners.append(corner.flatten())
        elif mask.dtype == torch.bool and mask.shape == (height, width):
            inside = patches_inside(mask, patch_size)[::stride, ::stride]
            corners.append(corner[inside])
        else:
            raise ValueError(
                f"{name}_mask: expected booleans of the image's size, {height} x "
                f"{width}, got {' x '.join(map(str, mask.shape))} of {mask.dtype}"
            )
        starts.append(first)
        first += height * width
    pixels = torch.cat([image.flatten(1) for image in images], 1)
    start, width = (
        torch.tensor(each, device=pixels.device)
        for each in (starts, [image.shape[2] for image in images])
    )
    return PatchBag(pixels, torch.cat(corners), start, width, patch_size, remove_mean)
