"""dil-teach deblur: remove camera shake whose kernel is unknown."""

from functools import partial

from dil_teach.commands.checks import (
    check_apart,
    check_beside,
    check_output,
    check_place,
)
from dil_teach.commands.estimate import expect
from dil_teach.commands.files import beside, load_picture, with_result, write
from dil_teach.commands.options import Budget, In, Out, Read, say

ENLARGE = 8
"""Side in pixels of each weight in the picture of the kernel."""


def deblur(
    image: In, out: Out, /, reading: Read, size: int = 31, budget: Budget = "quick"
) -> str:
    """Remove an unknown blur that is the same everywhere, such as camera shake.

    The estimated kernel is written beside the result: as out_kernel.npy (weights on the
    photograph's pixels) and as out_kernel.png. A photograph in which no blur is
    found is not changed.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        out: The file to write: .png or .tif with the bits per channel of the
            photograph, or with 8: .webp, or if not transparent .jpg, .bmp.
        size: Side of the kernel in pixels, odd; the blur must fit in it.
        budget: Amount of computing.
    """
    weights = out.with_name(f"{out.stem}_kernel.npy")
    picture = weights.with_suffix(".png")

    photograph = load_picture(image, reading)
    colour, alpha = photograph.colour, photograph.alpha
    check_output(out, image, colour.shape[1:], alpha)
    check_place(weights, (".npy",))
    check_place(picture, (".png",))
    check_apart([out, weights, picture], image)
    check_beside(weights, out)
    check_beside(picture, out)

    import numpy as np

    from dil_teach.classical.deblur import blind
    from dil_teach.image.resize import resize

    expect(f"deblur {budget}", image, colour.shape[1:])
    found = blind.deblur(colour, getattr(blind.DeblurSettings, budget)(size=size))
    if found.sharp:
        say("no blur was found, so the photograph is unchanged")
    kernel = found.kernel
    bright = resize((kernel / kernel.max())[None], ENLARGE, kernel="area")
    files = {
        out: with_result(photograph, found.image, alpha),
        weights: partial(np.save, arr=kernel.numpy()),
        picture: beside(bright),
    }
    return write(files, f"{colour.shape[1]} x {colour.shape[2]} pixels written")
