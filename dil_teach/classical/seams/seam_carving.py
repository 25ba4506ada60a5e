"""Seam carving: Avidan and Shamir, "Seam carving for content-aware image resizing",
SIGGRAPH 2007. Seam carving is our baseline for retargeting.

A seam has one pixel in each row, and its column changes by at most one from row to row.
To make an image narrower, the seam of least energy is removed, again and again. To make
an image wider, the seams that would be removed first are duplicated.

Departures: all columns are carved before the rows, while the paper finds the best order
("Retargeting with optimal seams-order"); the default is the forward energy of
Rubinstein, Shamir and Avidan, SIGGRAPH 2008.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dil_teach.classical.seams.fast_seams import fast_seams_in_turn
from dil_teach.classical.seams.seams import Energy
from dil_teach.image.convention import Image, check_image

Mask = Bool[Tensor, "_h _w"] | Float[Tensor, "_h _w"]
Masks = Float[Tensor, "2 _h _w"]
"""The mask of protected pixels, and the mask of pixels to remove."""

MOST_AT_ONCE = 0.5
"""Largest fraction of the width that is inserted in one round. A larger fraction would
duplicate important parts (Avidan and Shamir, "Image enlarging")."""


def carve(
    image: Image,
    size: tuple[int, int],
    *,
    energy: Energy = "forward",
    protect: Mask | None = None,
    remove: Mask | None = None,
) -> Image:
    """Change the size of an image by removing or inserting seams.

    A ValueError is raised if a side of the result is below 1, if a mask differs in size
    from the image, or if a mask has values outside [0, 1].

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"], grey or RGB.
    size : (int, int)
        Height and width of the result, in pixels.
    energy : {"forward", "backward"}
        ``forward`` minimises the differences that removing a seam creates; ``backward``
        minimises the gradients along the seam.
    protect, remove : Bool or Float[Tensor, "h w"], optional
        ``protect`` is 1 on pixels that seams should avoid; ``remove`` is 1 on pixels
        that seams should remove first. If the image grows, seams avoid the pixels of
        both masks. Values between 0 and 1 weigh less.
    """
    check_image(image, min_side=2)
    if min(size) < 1:
        raise ValueError(f"size: expected sides of at least 1 pixel, got {size}")
    masks = _stack_masks(image, protect, remove)
    for width in reversed(size):
        if image.shape[2] > width:
            image, masks = _remove_seams(image, masks, image.shape[2] - width, energy)
        while (now := image.shape[2]) < width:
            count = min(width - now, round(MOST_AT_ONCE * now))
            # pixels that should be removed are not duplicated either
            order = seam_order(image, count, energy=energy, protect=masks.amax(0))
            image, masks = (at_width(x, order, now + count) for x in (image, masks))
        image, masks = image.mT, masks.mT  # rows become columns
    return image.contiguous()


def _remove_seams(
    image: Image, masks: Masks, count: int, energy: Energy
) -> tuple[Image, Masks]:
    protect, remove = masks
    order = seam_order(image, count, energy=energy, protect=protect, remove=remove)
    left = image.shape[2] - count
    return at_width(image, order, left), at_width(masks, order, left)


def remove_object(
    image: Image,
    remove: Bool[Tensor, "_h _w"],
    protect: Mask | None = None,
    size: tuple[int, int] | None = None,
    *,
    energy: Energy = "forward",
) -> Image:
    """Remove an object by removing seams through it.

    Source: Avidan and Shamir 2007, "Object removal". A ValueError is raised if a mask
    has another size than the image, the object fills a whole row or column, or
    protected pixels keep all seams away from the object.

    Parameters
    ----------
    image, protect, energy
        As in :func:`carve`.
    remove : Bool[Tensor, "h w"]
        The object. Seams run along its longer side, so that fewer seams are needed.
    size : (int, int), optional
        Height and width of the result; by default those that the removal leaves.
    """
    check_image(image)
    masks = _stack_masks(image, protect, remove.bool())
    rows, columns = remove.any(1).sum(), remove.any(0).sum()
    across = bool(columns > rows)
    if across:
        image, masks = image.mT, masks.mT
    while left := int(masks[1].sum()):
        count = int(masks[1].sum(1).max())  # each seam removes one pixel of each row
        if count > image.shape[2] - 2:
            raise ValueError(
                "remove: expected an object that leaves at least 2 pixels of each row "
                f"and column, got one that fills {count} of {image.shape[2]}"
            )
        image, masks = _remove_seams(image, masks, count, energy)
        if masks[1].sum() == left:
            raise ValueError(
                "protect: expected seams to reach the object, but protected pixels "
                "keep all seams away; protect fewer pixels"
            )
    if across:
        image, masks = image.mT, masks.mT
    if size is None:
        return image.contiguous()
    return carve(image, size, energy=energy, protect=masks[0])


def seam_order(
    image: Image,
    count: int,
    *,
    energy: Energy = "forward",
    protect: Mask | None = None,
    remove: Mask | None = None,
) -> Int[Tensor, "h w"]:
    """For each pixel, the index of the seam that removes it, starting with 0.

    Source: the index map of Avidan and Shamir 2007, "Multi-size images". A ValueError
    is raised if there are not enough columns, or a mask does not fit the image.

    Parameters
    ----------
    image, energy, protect, remove
        As in :func:`carve`.
    count : int
        Number of seams, from top to bottom, that are removed: 1 to w - 1.

    Returns
    -------
    Int[Tensor, "h w"]
        0 on the first seam, 1 on the second, ...; ``count`` on pixels that stay.
    """
    check_image(image)
    height, width = image.shape[-2:]
    if not 1 <= count < width:
        raise ValueError(
            f"count: expected 1 to {width - 1} for {width} columns, got {count}"
        )
    protected, removed = _stack_masks(image, protect, remove).double()
    # a pixel to remove outweighs the energy of any seam; a protected pixel outweighs a
    # whole seam of pixels to remove
    bias = 4 * height * ((height + 1) * protected - removed)
    places = fast_seams_in_turn(image, count, energy, bias)
    for i in range(count - 1, 0, -1):  # count columns in the whole image
        places[i:] += places[i:] >= places[i - 1]
    turns = torch.arange(count, device=image.device).expand(height, count)
    order = turns.new_full((height, width), count)
    return order.scatter(1, places.T, turns)


def at_width(
    image: Float[Tensor, "*c h w"], order: Int[Tensor, "h w"], width: int
) -> Float[Tensor, "*c h w2"]:
    """Resize an image to another width with its seam order, without a new search.

    For a narrower image, the first seams are removed. For a wider image, a pixel is
    inserted to the right of each pixel of the first seams: the mean of its neighbours.

    Source: Avidan and Shamir 2007, "Multi-size images" and "Image enlarging". A
    ValueError is raised if the order has too few seams, or another size than the image.

    Parameters
    ----------
    image : Float[Tensor, "*c h w"]
        An image, or masks.
    order : Int[Tensor, "h w"]
        Result of :func:`seam_order`. To change the height, transpose image and order.
    width : int
        Width of the result in pixels; it can change by at most the number of seams.
    """
    now, count = order.shape[1], int(order.max())
    if image.shape[-2:] != order.shape:
        raise ValueError(
            f"order: expected the size of its image, {tuple(image.shape[-2:])}, got "
            f"{tuple(order.shape)}"
        )
    if abs(width - now) > count:
        raise ValueError(
            f"width: expected {now - count} to {now + count} pixels, got {width}; for "
            "other widths, call seam_order with a larger count"
        )
    rows = image.shape[:-1]
    if width <= now:
        return image[..., order >= now - width].view(*rows, width)
    right = torch.cat([image[..., 1:], image[..., -1:]], -1)
    pairs = torch.stack([image, (image + right) / 2], -1)
    doubled = order < width - now
    both = torch.stack([torch.ones_like(doubled), doubled], -1)
    return pairs[..., both].view(*rows, width)


def _stack_masks(image: Image, protect: Mask | None, remove: Mask | None) -> Masks:
    size = image.shape[-2:]
    masks = []
    for name, mask in (("protect", protect), ("remove", remove)):
        mask = image.new_zeros(size) if mask is None else mask.to(image)
        if mask.shape != size or mask.min() < 0 or mask.max() > 1:
            raise ValueError(
                f"{name}: expected 0 to 1 and shape {tuple(size)}, got "
                f"{mask.min():.3g} to {mask.max():.3g} and {tuple(mask.shape)}"
            )
        masks.append(mask)
    return torch.stack(masks)
