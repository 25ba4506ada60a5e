"""dil-teach super-resolve: ZSSR, patches of the image, or other trained networks."""

import dataclasses
import math
import re
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from dil_teach.commands.checks import check_apart
from dil_teach.commands.estimate import expect
from dil_teach.commands.files import write
from dil_teach.commands.options import (
    File,
    In,
    Options,
    Out,
    Read,
    say,
    train_with_bar,
)
from dil_teach.commands.pictures import frame_by_frame, load_pictures

if TYPE_CHECKING:
    from dil_teach.image.convention import Image, Video
    from dil_teach.image.kernel import Kernel2d

ESTIMATE = "estimate"
"""Value of ``--kernel`` that estimates the kernel from the photograph."""
NARROW, MORE_STEPS = 32, 1.4
"""Channels of the network that enlarges a photograph by tiles, and the factor of its
training steps. This network takes a quarter of the time for each pixel. On six
photographs of 256 pixels, its result had 0.04 dB less than that of 64 channels."""


def super_resolve(
    image: In,
    out: Out,
    /,
    training: Options,
    reading: Read,
    method: Literal[
        "zssr", "glasner", "freedman-fattal", "srcnn", "vdsr", "edsr"
    ] = "zssr",
    scale: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None,
    size: Annotated[str | None, tyro.conf.arg(metavar="HxW")] = None,
    kernel: File = None,
    noise: Annotated[float, tyro.conf.arg(metavar="SIGMA")] = 0.0,
    jpeg_quality: Annotated[int | None, tyro.conf.arg(metavar="Q")] = None,
) -> str:
    """Enlarge a photograph, by default with a small network trained on it alone (ZSSR).

    Each frame of a video is enlarged alone; with zssr, a network is trained on each.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour. Or a video.
        out: The file to write: .png or .tif with the bits per channel of the
            photograph, or with 8: .webp, or if not transparent .jpg, .bmp. For a
            video, name a new folder of frames, or a .mkv (lossless), .mp4, .mov,
            .webm or .gif file.
        method: zssr trains a network on the photograph. glasner and freedman-fattal
            copy detail from similar patches of the photograph, and train no network.
            srcnn, vdsr and edsr were trained on other photographs for bicubic
            downscaling by 2 (vdsr: by 2, 3 or 4).
        scale: How many times higher and wider the result is, at least 1. It is 2 if
            neither --scale nor --size is given.
        size: Height and width of the result in pixels, instead of a scale.
        kernel: The camera's blur kernel, on the result's pixel grid: .npy, .mat or a
            picture; or the word estimate, for a scale of 2. Without a kernel, or if the
            estimate is not sure, bicubic downscaling is assumed. Only zssr and glasner
            use a kernel.
        noise: Standard deviation of the photograph's noise, in grey levels (0 to 255).
        jpeg_quality: JPEG quality of the photograph, 1 to 95.
    """
    if scale is not None and size is not None:
        raise ValueError(
            f"--scale, --size: expected one of them, got {scale} and {size}; leave out "
            "one"
        )
    wanted_size = None if size is None else _height_and_width(size)
    if scale is None and size is None:
        scale = 2.0
    if not 0 <= noise <= 255:
        raise ValueError(
            f"--noise: expected a standard deviation of 0 to 255, got {noise}; "
            "10 is a grainy photograph"
        )
    if jpeg_quality is not None and not 1 <= jpeg_quality <= 95:
        raise ValueError(
            f"--jpeg-quality: expected 1 to 95, got {jpeg_quality}; leave it out if "
            "the photograph was not compressed"
        )
    if method in ("glasner", "freedman-fattal") and (noise or jpeg_quality):
        raise ValueError(
            f"--method {method}: expected no --noise and no --jpeg-quality, because "
            "only zssr learns to remove noise; leave them out, or use zssr"
        )
    if method == "freedman-fattal" and kernel is not None:
        raise ValueError(
            "--method freedman-fattal: expected no --kernel, because its filters are "
            "made for bicubic downscaling; leave it out, or use glasner"
        )

    from dil_teach.classical.super_resolution.freedman_fattal import (
        super_resolve_by_local_examples,
    )
    from dil_teach.classical.super_resolution.glasner import (
        super_resolve_by_recurrence,
    )
    from dil_teach.deep.zssr.zssr import ZSSR, ZSSRSettings
    from dil_teach.image.kernel import load_kernel
    from dil_teach.image.resize import resize
    from dil_teach.image.scale import scale_and_size
    from dil_teach.training.tiles import is_tiled

    pictures = load_pictures(image, reading)
    low_size = pictures.size
    scales, high_size = scale_and_size(low_size, scale, wanted_size)
    pictures.check_output(out, pictures.alpha, high_size)
    check_apart([out], image, kernel)
    degradation = {"noise": noise / 255, "jpeg_quality": jpeg_quality}
    settings = training.settings(ZSSRSettings, **degradation)
    video = training.to_device(pictures.colour)
    pixels = high_size[0] * high_size[1]
    cost = expect(f"super-resolve {method}", image, low_size, pixels)
    doubled = high_size == (2 * low_size[0], 2 * low_size[1])
    if method == "freedman-fattal":
        result = frame_by_frame(
            lambda frame: super_resolve_by_local_examples(frame, scales, wanted_size),
            video,
        )
    elif method not in ("zssr", "glasner"):
        whole = high_size == tuple(round(scales[0]) * side for side in low_size)
        trained_for = whole and not (kernel or noise or jpeg_quality)
        result = _by_external(method, video, scales[0], trained_for)
    else:
        blur, error = "bicubic", 0.0
        if kernel is not None and str(kernel) == ESTIMATE:
            blur, error = _estimated(video[0], doubled, training.seed)
        elif kernel is not None:
            blur = load_kernel(kernel, scales)
        if method == "glasner":
            result = frame_by_frame(
                lambda frame: super_resolve_by_recurrence(
                    frame, scales, blur, wanted_size
                ),
                video,
            )
        else:
            noise = math.hypot(settings.noise, error)
            settings = dataclasses.replace(settings, noise=noise)

            if is_tiled(video[0], scales):
                steps = round(MORE_STEPS * settings.steps)
                settings = dataclasses.replace(settings, width=NARROW, steps=steps)

            def by_own_network(frame: "Image") -> "Image":
                zssr = ZSSR(frame, scales, blur, settings, wanted_size)
                return train_with_bar(zssr, cost).super_resolve()

            result = frame_by_frame(by_own_network, video)
    alpha = pictures.alpha
    if alpha is not None:
        alpha = resize(alpha, scales, high_size).clamp(0, 1)
    what = f"{len(result)} frames of " * pictures.film
    content = pictures.result(result, alpha, out)
    return write(
        {out: content}, f"{what}{high_size[0]} x {high_size[1]} pixels written"
    )


def _by_external(
    method: str, video: "Video", scale: float, trained_for: bool
) -> "Video":
    """The frames enlarged by a network that was trained on other images."""
    from dil_teach.deep.external_sr.external_sr import (
        load_external_network,
        super_resolve_with,
    )

    network = load_external_network(method).to(video.device)
    if not trained_for or scale not in network.scales:
        scales = " or ".join(map(str, network.scales))
        raise ValueError(
            f"--method {method}: expected a scale of {scales}, and no --kernel, "
            "--noise or --jpeg-quality, because the network was trained for nothing "
            "else; use zssr"
        )
    ensemble = method == "edsr"
    return frame_by_frame(
        lambda frame: super_resolve_with(network, frame, round(scale), ensemble), video
    )


def _estimated(
    image: "Image", doubled: bool, seed: int
) -> "tuple[str | Kernel2d, float]":
    """The estimated kernel, and the training noise that stands for its error.

    If the estimate is not sure, the kernel is bicubic, and a message says so.
    """
    from dil_teach.classical.kernel.choice import choose_kernel

    if not doubled:
        raise ValueError(
            "--kernel estimate: expected a scale of 2, the only scale for which a "
            "kernel can be estimated; leave out --kernel, or use --scale 2"
        )
    choice = choose_kernel(image, seed)
    if choice.kernel is None:
        say(f"bicubic downscaling is assumed: {choice.reason}")
        return "bicubic", 0.0
    say(f"estimated kernel: {choice.reason}")
    return choice.kernel, choice.noise


def _height_and_width(size: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,9})[xX×]([0-9]{1,9})", size.strip())
    if not found:
        raise ValueError(
            f"--size: expected height x width in pixels, such as 300x400, got '{size}'"
        )
    return int(found[1]), int(found[2])
