"""Checks of scales and sizes."""

from numbers import Real

Scale = int | float | tuple[int | float, int | float]
"""Output size over input size: one number, or one for height and one for width."""

MOST_PIXELS = 10**9
"""Largest number of pixels of a resized image: 12 GB in colour."""


def per_axis(scale: Scale) -> tuple[float, float]:
    """Check that a scale is positive and finite; return it for height and width."""
    pair = scale if isinstance(scale, tuple | list) else (scale, scale)
    numbers = all(isinstance(s, Real) for s in pair)
    if len(pair) != 2 or not numbers or not all(0 < s < 1e12 for s in pair):
        raise ValueError(
            f"scale: expected a positive number, or two (height, width), got {scale}; "
            "2 doubles an image"
        )
    return float(pair[0]), float(pair[1])


def scale_and_size(
    in_size: tuple[int, int], scale: Scale | None, size: tuple[int, int] | None
) -> tuple[tuple[float, float], tuple[int, int]]:
    """The scale of each axis, and the output's size (height, width) in pixels.

    Without ``size``, the output has ``round(scale * in_size)`` pixels. Without
    ``scale``, the scale is ``size / in_size``.
    """
    scales = None if scale is None else per_axis(scale)
    name = "scale" if size is None else "size"
    if size is None:
        if scales is None:
            raise ValueError("scale: expected a scale or a size, got neither; try 2")
        size = (round(scales[0] * in_size[0]), round(scales[1] * in_size[1]))
        if min(size) < 1:
            raise ValueError(
                f"scale: expected a result of at least 1 x 1 pixel, got {size[0]} x "
                f"{size[1]} from an image of {in_size[0]} x {in_size[1]}; take a "
                "larger scale"
            )
    whole = all(isinstance(n, Real) and n % 1 == 0 for n in size)  # NaN % 1 is NaN
    if len(size) != 2 or not whole or min(size) < 1:
        raise ValueError(
            f"size: expected (height, width), whole and at least 1, got {size}; try "
            f"{tuple(in_size)}"
        )
    size = (int(size[0]), int(size[1]))
    if size[0] * size[1] > MOST_PIXELS:
        raise ValueError(
            f"{name}: expected a result of at most {MOST_PIXELS} pixels, got "
            f"{size[0]} x {size[1]}; make it smaller"
        )
    return scales or (size[0] / in_size[0], size[1] / in_size[1]), size
