"""A large image in tiles, so that memory does not grow with it."""

from collections.abc import Callable

from dil_teach.image.convention import Image


def tile_by_tile(
    make: Callable[[Image], Image],
    image: Image,
    factors: tuple[int, int],
    side: int = 256,
    margin: int = 32,
) -> Image:
    """Make a larger image tile by tile.

    Parameters
    ----------
    make : callable
        Image in, image out that is ``factors`` times higher and wider.
    image : Image
        Float[Tensor, "c h w"].
    factors : (int, int)
        Output over input size of the height and of the width: whole numbers, so that
        tiles meet on pixels.
    side : int
        Of a tile, in pixels of the input.
    margin : int
        How far around its tile ``make`` looks, in pixels of the input; what is farther
        cannot show.

    Returns
    -------
    Image
        Float[Tensor, "c h2 w2"].
    """
    rows, columns = factors
    height, width = image.shape[-2:]
    result = image.new_empty(len(image), height * rows, width * columns)
    for y in range(0, height, side):
        for x in range(0, width, side):
            top, left = max(y - margin, 0), max(x - margin, 0)
            seen = image[:, top : y + side + margin, left : x + side + margin]
            made = make(seen)[:, (y - top) * rows :, (x - left) * columns :]
            place = result[
                :, y * rows : (y + side) * rows, x * columns : (x + side) * columns
            ]
            place.copy_(made[:, : place.shape[1], : place.shape[2]])
    return result
