"""dil-teach denoise and inpaint: Deep Image Prior and ZS-N2N."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from dil_teach.commands.files import (
    check_apart,
    check_output,
    check_pixels,
    load_mask,
    load_picture,
    save_picture,
)
from dil_teach.commands.options import In, Options, Out, train_with_bar


def denoise(
    image: In,
    out: Out,
    /,
    training: Options,
    method: Literal["dip", "zs-n2n"] = "dip",
) -> str:
    """Denoise a photograph with a network trained on it alone.

    Transparency does not change.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        out: The file to write, with 8 bits per channel: .png, .tif, .webp, or if not
            transparent .jpg, .bmp.
        method: dip (Deep Image Prior) fits the picture before it fits the noise. zs-n2n
            (Zero-Shot Noise2Noise) predicts one half of the pixels from the other half.
            zs-n2n is faster than dip, but needs independent noise at each pixel.
    """
    from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
    from dil_teach.deep.zs_n2n import ZSN2N, ZSN2NSettings

    colour, alpha = load_picture(image)
    check_pixels(image, colour.shape[1:])
    check_output(out, image, colour.shape[1:], alpha)
    colour = training.to_device(colour)
    if method == "dip":
        settings = training.settings(DeepImagePriorSettings)
        denoiser = DeepImagePrior(colour, settings=settings)
    else:
        denoiser = ZSN2N(colour, training.settings(ZSN2NSettings))
    return save_picture(train_with_bar(denoiser).result(), alpha, out)


def inpaint(
    image: In,
    mask: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MASK")],
    out: Out,
    /,
    training: Options,
) -> str:
    """Fill the holes of a photograph with a network trained on the other pixels.

    The other pixels and the transparency do not change.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        mask: A picture of the same size, white where there is a hole, black elsewhere.
        out: The file to write, with 8 bits per channel: .png, .tif, .webp, or if not
            transparent .jpg, .bmp.
    """
    from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
    from dil_teach.image.degradation import masked

    colour, alpha = load_picture(image)
    check_pixels(image, colour.shape[1:])
    check_output(out, image, colour.shape[1:], alpha)
    hole = load_mask(mask, colour.shape[1:])
    if hole.min() == 1:
        raise ValueError(
            f"{mask}: expected white in the hole and black elsewhere, got only white; "
            "paint the pixels to keep black"
        )
    check_apart([out], mask)
    colour = training.to_device(colour)
    # more steps help some pictures; without noise there is no overfitting
    more = {"steps": 700} if training.budget == "standard" else {}
    settings = training.settings(DeepImagePriorSettings, **more)
    inpainter = DeepImagePrior(colour, masked(hole.to(training.device)), settings)
    return save_picture(train_with_bar(inpainter).result(), alpha, out)
