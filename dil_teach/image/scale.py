"""Scales and sizes of images, checked."""

Scale = int | float | tuple[int | float, int | float]
"""Output over input size: one number, or one each for height and width."""


def per_axis(scale: Scale) -> tuple[float, float]:
    """The scale of height and width, checked to be positive and finite."""
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
    """The scale of each axis and the size of the output; one follows from the other.

    Sizes are height and width in pixels. Without ``size``, the output has
    ``round(scale * in_size)`` pixels. A ValueError is raised if neither is given, one
    is not positive, or the output would have no pixel.
    """
    if size is not None:
        if len(size) != 2 or min(size) < 1 or any(n != int(n) for n in size):
            raise ValueError(
                f"size: expected (height, width), whole and at least 1, got {size}"
            )
        size = (int(size[0]), int(size[1]))
    if scale is None:
        if size is None:
            raise ValueError("resize: expected a scale or a size, got neither")
        return (size[0] / in_size[0], size[1] / in_size[1]), size
    scales = per_axis(scale)
    if size is not None:
        return scales, size
    out = (round(scales[0] * in_size[0]), round(scales[1] * in_size[1]))
    if min(out) < 1:
        raise ValueError(
            f"scale: {scale} leaves no pixel of {in_size[0]} x {in_size[1]}; "
            "take a larger scale"
        )
    return scales, out
