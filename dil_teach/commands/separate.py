"""dil-teach separate: the two layers of a mixture, by Double-DIP."""

import time
from pathlib import Path
from typing import Annotated

import tyro

from dil_teach.commands.files import (
    MOST_PIXELS_IN_ALL,
    Budget,
    check_alike,
    check_device,
    check_different,
    check_input_is_kept,
    check_output,
    check_pixels,
    check_seed,
    train_with_bar,
    write,
)

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
    budget: Budget = "quick",
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Separate a mixture of two pictures, such as a reflection (Double-DIP).

    Two mixtures of the same layers with different shares are enough to find the layers.
    For one mixture the result is one of many answers. Transparency is ignored.

    Args:
        mixture: A photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        second_mixture: Another mixture of the same layers, with different shares.
        out_first: The layer to write that has the larger share in the first mixture.
        out_second: The other layer to write.
        budget: How long to learn.
        seed: Of all that is random: the same seed gives the same result.
        device: Where to learn: cpu, cuda or mps.
    """
    begin = time.perf_counter()
    check_seed(seed)

    import torch

    from dil_teach.deep.double_dip.separation import Separation, SeparationSettings
    from dil_teach.image.convention import split_alpha
    from dil_teach.image.files import load_image, save_image

    files = [mixture] if second_mixture is None else [mixture, second_mixture]
    images = [split_alpha(load_image(file))[0] for file in files]
    check_alike(files, images)
    size = (images[0].shape[1], images[0].shape[2])
    check_pixels(mixture, size, len(files), MOST_PIXELS_IN_ALL)
    for out in (out_first, out_second):
        check_output(out, mixture, size)
        check_input_is_kept(out, *files)
    check_different([out_first, out_second])
    check_device(device)
    settings = getattr(SeparationSettings, budget)(seed=seed)
    separation = Separation(torch.stack(images).to(device), settings)
    train_with_bar(separation)
    found = separation.layers()
    write(
        {
            out_first: lambda file: save_image(found.first, file),
            out_second: lambda file: save_image(found.second, file),
        }
    )
    shares = " and ".join(f"{share:.3f}" for share in found.coefficients)
    what = f"coefficients {shares}" if second_mixture else f"coefficient {shares} taken"
    seconds = time.perf_counter() - begin
    print(f"{out_first}, {out_second}: {what}, written in {seconds:.1f} s")
