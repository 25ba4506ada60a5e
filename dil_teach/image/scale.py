"""Checks of scales and sizes."""

Scale = int | float | tuple[int | float, int | float]
"""Output size over input size: one number, or one for height and one for width."""


def per_axis(scale: Scale) -> tuple[float, float]:
    """Check that a scale is positive and finite; return it for height and width."""
    pair = scale if isinstance(scale, tuple | list) else (scale, scale)
    if len(pair) != 2 or not all(0 < s < 1e12 for s in pair):
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
    if size is None:
        if scales is None:
            raise ValueError("resize: expected a scale or a size, got neither")
        size = (round(scales[0] * in_size[0]), round(scales[1] * in_size[1]))
        if min(size) < 1:
            raise ValueError(
                f"scale: expected a result of at least 1 x 1 pixel, got {size[0]} x "
                f"{size[1]} from an image of {in_size[0]} x {in_size[1]}; take a "
                "larger scale"
            )
    if len(size) != 2 or min(size) < 1 or any(n != int(n) for n in size):
        raise ValueError(
            f"size: expected (height, width), whole and at least 1, got {size}; try "
            f"{tuple(in_size)}"
        )
    size = (int(size[0]), int(size[1]))
    return scales or (size[0] / in_size[0], size[1] / in_size[1]), size
