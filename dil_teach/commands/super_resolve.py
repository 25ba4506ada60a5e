"""dil-teach super-resolve: ZSSR."""

import math
import re
import time
from pathlib import Path
from typing import Annotated

import tyro

from dil_teach.commands.files import (
    Budget,
    In,
    Out,
    check_device,
    check_output,
    check_seed,
    train_with_bar,
)


def super_resolve(
    image: In,
    out: Out,
    /,
    scale: float = 2.0,
    size: Annotated[str | None, tyro.conf.arg(metavar="HxW")] = None,
    kernel: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    noise: Annotated[float, tyro.conf.arg(metavar="SIGMA")] = 0.0,
    jpeg_quality: Annotated[int | None, tyro.conf.arg(metavar="Q")] = None,
    budget: Budget = "quick",
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Enlarge a photograph with a small network trained on it alone (ZSSR).

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        out: The file to write: .png, .tif, .webp, or if not transparent .jpg, .bmp.
        scale: How many times higher and wider the result is, at least 1.
        size: Height and width of the result in pixels, instead of a scale.
        kernel: The camera's blur kernel, on the pixels of the result: .npy, .mat or a
            picture. Without it, bicubic downscaling is assumed.
        noise: Standard deviation of the photograph's noise, in grey levels of 255.
        jpeg_quality: JPEG quality of the photograph, 1 to 95.
        budget: How long to train.
        seed: The same seed gives the same result.
        device: Where to train: cpu, cuda or mps.
    """
    begin = time.perf_counter()
    wanted_size = None if size is None else _height_and_width(size)
    _check_camera(noise, jpeg_quality)
    check_seed(seed)

    import torch

    from dil_teach.deep.zssr.zssr import ZSSR, ZSSRSettings
    from dil_teach.image.convention import split_alpha
    from dil_teach.image.files import load_image, save_image
    from dil_teach.image.kernel import load_kernel
    from dil_teach.image.resize import resize
    from dil_teach.image.scale import scale_and_size

    colour, alpha = split_alpha(load_image(image))
    low_size = (colour.shape[-2], colour.shape[-1])
    scales, high_size = scale_and_size(
        low_size, scale if wanted_size is None else None, wanted_size
    )
    check_output(out, image, high_size, transparent=alpha is not None)
    settings = getattr(ZSSRSettings, budget)(
        noise=noise / 255, jpeg_quality=jpeg_quality, seed=seed
    )
    check_device(device)
    zssr = ZSSR(
        colour.to(device),
        scales,
        "bicubic" if kernel is None else load_kernel(kernel, scales),
        settings,
        wanted_size,
    )

    train_with_bar(zssr)
    result = zssr.super_resolve().cpu()
    if alpha is not None:
        result = torch.cat([result, resize(alpha, scales, high_size).clamp(0, 1)])
    save_image(result, out)
    height, width = high_size
    seconds = time.perf_counter() - begin
    print(f"{out}: {height} x {width} pixels written in {seconds:.1f} s")


def _height_and_width(size: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,9})[xX×]([0-9]{1,9})", size.strip())
    if not found:
        raise ValueError(
            f"--size: expected height x width in pixels, such as 300x400, got '{size}'"
        )
    return int(found[1]), int(found[2])


def _check_camera(noise: float, jpeg_quality: int | None) -> None:
    if not (math.isfinite(noise) and 0 <= noise <= 255):
        raise ValueError(
            f"--noise: expected a standard deviation of 0 to 255, got {noise}; "
            "10 is a grainy photograph"
        )
    if jpeg_quality is not None and not 1 <= jpeg_quality <= 95:
        raise ValueError(f"--jpeg-quality: expected 1 to 95, got {jpeg_quality}")
