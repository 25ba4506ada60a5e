"""Seam carving: Avidan and Shamir, 'Seam carving for content-aware image resizing',
SIGGRAPH 2007. The control of every retargeting here. Seams themselves are in `seams`.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dil_teach.classical.seams.seams import Energy, seams_in_turn
from dil_teach.image.convention import Image, check_image

Mask = Bool[Tensor, "_h _w"] | Float[Tensor, "_h _w"]

MOST_AT_ONCE = 0.5
"""Share of the width that is inserted in one round: beyond it seams run out, and what
is left to double is what matters (Avidan and Shamir, "Image enlarging")."""


def carve(
    image: Image,
    size: tuple[int, int],
    *,
    energy: Energy = "forward",
    protect: Mask | None = None,
    remove: Mask | None = None,
) -> Image:
    """Bring an image to any size by seams taken out or put in, columns first.

    A seam is one pixel in each row, each at most one column beside the last. Smaller:
    the seam of least energy is taken out, again and again. Larger: the seams that would
    be taken out first are doubled, at most half the width in a round.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"], grey or RGB.
    size : (int, int)
        Height and width of the result, in pixels.
    energy : {"forward", "backward"}
        What is least: the differences that a seam makes, or those that lie under it.
    protect, remove : Bool or Float[Tensor, "h w"], optional
        1 where seams do not go as long as they can go elsewhere, and 1 where they go
        first (in a direction that grows they keep off both). Values between weigh less.

    Returns
    -------
    Image
        Float[Tensor, "c h2 w2"].

    Raises
    ------
    ValueError
        If a side of the size is below 1, or a mask has another size than the image or
        leaves [0, 1].

    References
    ----------
    Avidan and Shamir 2007; the order of directions is the simplest, not the best that
    their "Retargeting with optimal seams-order" finds.
    """
    check_image(image, min_side=2)
    if min(size) < 1:
        raise ValueError(
            f"size: expected a height and width of at least 1 pixel, got {size}"
        )
    masks = _masks(image, protect, remove)
    for width in (size[1], size[0]):
        image, masks = _to_width(image, masks, width, energy)
        image, masks = image.mT, masks.mT  # rows are the columns of the transpose
    return image.contiguous()


def _to_width(
    image: Image, masks: Float[Tensor, "2 _h _w"], width: int, energy: Energy
) -> tuple[Image, Float[Tensor, "2 _h2 _w2"]]:
    while (now := image.shape[2]) > width:
        image, masks = _without_seams(image, masks, now - width, energy)
    while (now := image.shape[2]) < width:
        count = min(width - now, round(MOST_AT_ONCE * now))
        # what should go is not doubled either
        order = seam_order(image, count, energy=energy, protect=masks.amax(0))
        image, masks = (at_width(x, order, now + count) for x in (image, masks))
    return image, masks


def _without_seams(
    image: Image, masks: Float[Tensor, "2 _h _w"], count: int, energy: Energy
) -> tuple[Image, Float[Tensor, "2 _h2 _w2"]]:
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
    """Take an object out by seams through it.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"], grey or RGB.
    remove : Bool[Tensor, "h w"]
        The object. Seams run along its longer side, so that fewer are needed.
    protect : Bool or Float[Tensor, "h w"], optional
        As in :func:`carve`.
    size : (int, int), optional
        Height and width that seams elsewhere bring the rest to, such as the image's.
    energy : {"forward", "backward"}
        As in :func:`carve`.

    Raises
    ------
    ValueError
        If a mask has another size than the image, the object fills a whole line, or
        protected pixels keep every seam from it.

    References
    ----------
    Avidan and Shamir 2007, "Object removal".
    """
    check_image(image)
    masks = _masks(image, protect, remove.bool())
    rows, columns = remove.any(1).sum(), remove.any(0).sum()
    across = bool(columns > rows)
    if across:
        image, masks = image.mT, masks.mT
    while left := int(masks[1].sum()):
        # a seam takes one pixel of each row: so many are needed at least
        count = int(masks[1].sum(1).max())
        if count > image.shape[2] - 2:
            raise ValueError(
                f"remove: expected an object that leaves 2 pixels of each line, got "
                f"one that fills {count} of {image.shape[2]}; carve to a smaller size"
            )
        image, masks = _without_seams(image, masks, count, energy)
        if masks[1].sum() == left:
            raise ValueError(
                "protect: expected a way for seams to the object, got pixels that "
                "close it off; protect less"
            )
    if across:
        image, masks = image.mT, masks.mT
    if size is None:
        return image.contiguous()
    return carve(image, size, energy=energy, protect=masks[0])


def at_width(
    image: Float[Tensor, "*c h w"], order: Int[Tensor, "h w"], width: int
) -> Float[Tensor, "*c h w2"]:
    """An image at any width that the order of its seams reaches, at once.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"]; or a mask.
    order : Int[Tensor, "h w"]
        From :func:`seam_order`. Of rows: of the transposed image, and transpose back.
    width : int
        In pixels: narrower or wider than the image by at most the number of seams.

    Returns
    -------
    Float[Tensor, "c h width"]
        Narrower: without the seams that go first. Wider: with a new pixel to the right
        of each that goes first, the mean of the two beside it.

    Raises
    ------
    ValueError
        If the order does not reach that width, or is of another size than the image.

    References
    ----------
    Avidan and Shamir 2007, "Multi-size images" and "Image enlarging".
    """
    now, count = order.shape[1], int(order.max())
    if image.shape[-2:] != order.shape or abs(width - now) > count:
        raise ValueError(
            f"width: expected {now - count} to {now + count}, as far as {count} seams "
            f"of {order.shape[0]} x {now} pixels reach, got {width}; ask seam_order "
            "for more"
        )
    rows = image.shape[:-1]
    if width <= now:
        return image[..., order >= now - width].view(*rows, width)
    right = torch.cat([image[..., 1:], image[..., -1:]], -1)
    pairs = torch.stack([image, (image + right) / 2], -1)
    doubled = order < width - now
    return pairs[..., torch.stack([torch.ones_like(doubled), doubled], -1)].view(
        *rows, width
    )


def seam_order(
    image: Image,
    count: int,
    *,
    energy: Energy = "forward",
    protect: Mask | None = None,
    remove: Mask | None = None,
) -> Int[Tensor, "h w"]:
    """In which order the pixels of each row go: those of the first seam, the second...

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"], grey or RGB.
    count : int
        How many seams, from top to bottom, are taken out: 1 to w - 1.
    energy, protect, remove
        As in :func:`carve`.

    Returns
    -------
    Int[Tensor, "h w"]
        0 where the first seam is, and so on; ``count`` where a pixel stays.

    Raises
    ------
    ValueError
        If there are not so many columns, or a mask does not fit.

    References
    ----------
    Avidan and Shamir 2007, "Multi-size images": the index map.
    """
    check_image(image)
    height, width = image.shape[-2:]
    if not 1 <= count < width:
        raise ValueError(
            f"count: expected 1 to {width - 1} seams of an image {width} pixels wide, "
            f"got {count}; ask for fewer"
        )
    protected, removed = _masks(image, protect, remove).double()
    # a pixel to remove outweighs all that a seam can meet, one to protect even that
    bias = 4 * height * ((height + 1) * protected - removed)
    places = _places(seams_in_turn(image, count, energy, bias))
    turns = torch.arange(count, device=image.device).expand(height, count)
    order = turns.new_full((height, width), count)
    return order.scatter(1, places.T, turns)


def _places(seams: Int[Tensor, "count h"]) -> Int[Tensor, "count h"]:
    """Columns of the image, from columns of what earlier seams had left."""
    places = seams.clone()
    for i in range(len(seams) - 1, 0, -1):  # put the earlier seams back, last first
        places[i:] += places[i:] >= seams[i - 1]
    return places


def _masks(
    image: Image, protect: Mask | None, remove: Mask | None
) -> Float[Tensor, "2 _h _w"]:
    size = image.shape[-2:]
    masks = []
    for name, mask in (("protect", protect), ("remove", remove)):
        mask = image.new_zeros(size) if mask is None else mask.to(image)
        if mask.shape != size or mask.min() < 0 or mask.max() > 1:
            raise ValueError(
                f"{name}: expected 0 to 1 for each of {size[0]} x {size[1]} pixels, "
                f"got {mask.min():.3g} to {mask.max():.3g} for "
                f"{' x '.join(map(str, mask.shape))}; make the mask from that image"
            )
        masks.append(mask)
    return torch.stack(masks)
