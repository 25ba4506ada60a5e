"""dil-teach separate: two layers of mixtures, by exclusion search or Double-DIP."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from dil_teach.commands.checks import (
    MOST_PIXELS_IN_ALL,
    check_apart,
    check_output,
    check_pixels,
)
from dil_teach.commands.estimate import expect
from dil_teach.commands.files import load_alike, with_result, write
from dil_teach.commands.options import Options, Read, train_with_bar

BLUR = 1.0
"""Standard deviation, in pixels, of the blur before the search: best on practice scenes
(``data/render_scenes.py --practice``) with noise of 1 or 2 grey levels."""
LayerOut = Annotated[Path, tyro.conf.arg(metavar="PNG")]


def separate(
    mixture: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MIX")],
    second_mixture: Annotated[
        tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="MIX2")
    ] = None,
    /,
    *,
    out_first: LayerOut,
    out_second: LayerOut,
    training: Options,
    reading: Read,
    method: Literal["exclusion-search", "double-dip"] = "exclusion-search",
) -> str:
    """Separate mixtures of two pictures, such as a picture and a reflection.

    Two mixtures with different coefficients determine the layers. For one mixture, the
    result is one of many solutions, and only double-dip gives one. Transparency is
    ignored.

    Args:
        mixture: A photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        second_mixture: Another mixture of the same layers, with other coefficients.
        out_first: The file for the layer that is stronger in the first mixture.
        out_second: The file for the other layer.
        method: exclusion-search finds the coefficients without a network; double-dip
            learns them with two networks, and is not better on our mixtures.
    """
    if second_mixture is None and method == "exclusion-search":
        raise ValueError(
            "--method: expected two mixtures for exclusion-search, got one; give "
            "another mixture, or take --method double-dip"
        )
    from dil_teach.classical.exclusion_search import exclusion_search, unmix
    from dil_teach.deep.double_dip.separation import Separation, SeparationSettings
    from dil_teach.image.convention import check_images

    files = [mixture] if second_mixture is None else [mixture, second_mixture]
    images, photographs = load_alike(files, reading)
    check_pixels(mixture, images.shape[2:], len(files), MOST_PIXELS_IN_ALL)
    for out in (out_first, out_second):
        check_output(out, mixture, images.shape[2:])
    check_apart([out_first, out_second], *files)
    images = training.to_device(images)
    size = images.shape[2:]
    cost = expect(f"separate {method}", mixture, size, frames=len(files))
    if method == "exclusion-search":
        check_images(images, "mixtures")
        coefficients = exclusion_search(images, BLUR)
        first, second = unmix(images, coefficients).clamp(0, 1)
    else:
        separation = Separation(images, training.settings(SeparationSettings))
        found = train_with_bar(separation, cost).layers()
        coefficients, first, second = found.coefficients, found.first, found.second
    shares = " and ".join(f"{share:.3f}" for share in coefficients)
    what = (
        f"coefficients {shares}" if second_mixture else f"coefficient {shares} assumed"
    )
    layers = {
        out: with_result(photographs[0], layer, None)
        for out, layer in ((out_first, first), (out_second, second))
    }
    return write(layers, f"{what}, written")
