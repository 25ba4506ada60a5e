"""dil-teach deblur: remove camera shake whose kernel is unknown."""

import sys
from functools import partial

from dil_teach.commands.files import (
    check_apart,
    check_output,
    check_place,
    load_picture,
    with_alpha,
    write,
)
from dil_teach.commands.options import Budget, In, Out

ENLARGE = 8
"""Side in pixels of each weight in the picture of the kernel."""


def deblur(image: In, out: Out, /, size: int = 31, budget: Budget = "quick") -> str:
    """Remove an unknown blur that is the same everywhere, such as camera shake.

    The estimated kernel is written beside the result: as out_kernel.npy (weights on the
    photograph's pixels) and as out_kernel.png. A photograph in which no blur is
    found is not changed.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        out: The file to write, with 8 bits per channel: .png, .tif, .webp, or if not
            transparent .jpg, .bmp.
        size: Side of the kernel in pixels, odd; the blur must fit in it.
        budget: Amount of computing.
    """
    weights = out.with_name(f"{out.stem}_kernel.npy")
    picture = weights.with_suffix(".png")

    colour, alpha = load_picture(image)
    check_output(out, image, colour.shape[1:], alpha)
    check_place(weights, (".npy",))
    check_place(picture, (".png",))
    check_apart([out, weights, picture], image)

    import numpy as np

    from dil_teach.classical.deblur import blind
    from dil_teach.image.resize import resize

    found = blind.deblur(colour, getattr(blind.DeblurSettings, budget)(size=size))
    if found.sharp:
        print(
            "dil-teach: no blur was found, so the photograph is unchanged",
            file=sys.stderr,
        )
    kernel = found.kernel
    bright = resize((kernel / kernel.max())[None], ENLARGE, kernel="area")
    files = {
        out: with_alpha(found.image, alpha),
        weights: partial(np.save, arr=kernel.numpy()),
        picture: bright,
    }
    return write(files, f"{colour.shape[1]} x {colour.shape[2]} pixels written")
