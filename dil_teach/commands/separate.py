"""dil-teach separate: the two layers of a mixture, by Double-DIP."""

from pathlib import Path
from typing import Annotated

import tyro

from dil_teach.commands.files import (
    MOST_PIXELS_IN_ALL,
    check_apart,
    check_output,
    check_pixels,
    load_alike,
    write,
)
from dil_teach.commands.options import Options, train_with_bar

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
) -> str:
    """Separate a mixture of two pictures, such as a reflection (Double-DIP).

    Two mixtures with different coefficients determine the layers. For one mixture, the
    result is one of many solutions. Transparency is ignored. Results have 8 bits per
    channel.

    Args:
        mixture: A photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        second_mixture: Another mixture of the same layers, with other coefficients.
        out_first: The file for the layer that is stronger in the first mixture.
        out_second: The file for the other layer.
    """
    from dil_teach.deep.double_dip.separation import Separation, SeparationSettings

    files = [mixture] if second_mixture is None else [mixture, second_mixture]
    images, _ = load_alike(files)
    check_pixels(mixture, images.shape[2:], len(files), MOST_PIXELS_IN_ALL)
    for out in (out_first, out_second):
        check_output(out, mixture, images.shape[2:])
    check_apart([out_first, out_second], *files)
    images = training.to_device(images)
    separation = Separation(images, training.settings(SeparationSettings))
    found = train_with_bar(separation).layers()
    shares = " and ".join(f"{share:.3f}" for share in found.coefficients)
    what = (
        f"coefficients {shares}" if second_mixture else f"coefficient {shares} assumed"
    )
    layers = {out_first: found.first, out_second: found.second}
    return write(layers, f"{what}, written")
