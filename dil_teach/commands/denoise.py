"""dil-teach denoise and inpaint: Deep Image Prior and ZS-N2N."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from dil_teach.commands.files import (
    Budget,
    In,
    Out,
    check_device,
    check_input_is_kept,
    check_output,
    check_pixels,
    check_seed,
    load_mask,
    train_with_bar,
)

if TYPE_CHECKING:
    from dil_teach.image.convention import Image


def denoise(
    image: In,
    out: Out,
    /,
    method: Literal["dip", "zs-n2n"] = "dip",
    budget: Budget = "quick",
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Denoise a photograph with a network trained on it alone.

    Transparency does not change.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        out: The file to write: .png, .tif, .webp, or if not transparent .jpg, .bmp.
        method: dip fits the picture before it fits the noise (Deep Image Prior);
            zs-n2n predicts one half of the pixels from the other (Zero-Shot
            Noise2Noise), which is faster and needs noise that is independent from
            pixel to pixel.
        budget: How long to train.
        seed: The same seed gives the same result.
        device: Where to train: cpu, cuda or mps.
    """
    begin = time.perf_counter()
    check_seed(seed)

    from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
    from dil_teach.deep.zs_n2n import ZSN2N, ZSN2NSettings

    colour, alpha = _load(image, out)
    check_device(device)
    colour = colour.to(device)
    if method == "dip":
        settings = getattr(DeepImagePriorSettings, budget)(seed=seed)
        denoiser = DeepImagePrior(colour, settings=settings)
    else:
        settings = getattr(ZSN2NSettings, budget)(seed=seed)
        denoiser = ZSN2N(colour, settings)
    train_with_bar(denoiser)
    _save(denoiser.result(), alpha, out, begin)


def inpaint(
    image: In,
    mask: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MASK")],
    out: Out,
    /,
    budget: Budget = "quick",
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Fill the holes of a photograph with a network trained on the rest of it.

    All other pixels, and transparency, do not change.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        mask: A picture of the same size, white where there is a hole, black elsewhere.
        out: The file to write: .png, .tif, .webp, or if not transparent .jpg, .bmp.
        budget: How long to train.
        seed: The same seed gives the same result.
        device: Where to train: cpu, cuda or mps.
    """
    begin = time.perf_counter()
    check_seed(seed)

    from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
    from dil_teach.image.degradation import masked

    colour, alpha = _load(image, out)
    hole = load_mask(mask, (colour.shape[-2], colour.shape[-1]))
    if hole.min() == 1:
        raise ValueError(
            f"{mask}: expected white in the hole and black elsewhere, got white "
            "everywhere; what is known must be black"
        )
    check_input_is_kept(out, mask)
    check_device(device)
    # there is no noise to overfit, and more steps help some pictures
    more = {"steps": 700} if budget == "standard" else {}
    settings = getattr(DeepImagePriorSettings, budget)(seed=seed, **more)
    inpainter = DeepImagePrior(colour.to(device), masked(hole.to(device)), settings)
    train_with_bar(inpainter)
    _save(inpainter.result(), alpha, out, begin)


def _load(image: Path, out: Path) -> "tuple[Image, Image | None]":
    from dil_teach.image.convention import split_alpha
    from dil_teach.image.files import load_image

    colour, alpha = split_alpha(load_image(image))
    size = (colour.shape[-2], colour.shape[-1])
    check_pixels(image, size)
    check_output(out, image, size, transparent=alpha is not None)
    return colour, alpha


def _save(result: "Image", alpha: "Image | None", out: Path, begin: float) -> None:
    import torch

    from dil_teach.image.files import save_image

    result = result.cpu()
    save_image(result if alpha is None else torch.cat([result, alpha]), out)
    height, width = result.shape[1:]
    seconds = time.perf_counter() - begin
    print(f"{out}: {height} x {width} pixels written in {seconds:.1f} s")
