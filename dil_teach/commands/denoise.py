"""dil-teach denoise: with and without a network."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from dil_teach.commands.checks import MOST_PIXELS_IN_ALL, check_pixels
from dil_teach.commands.estimate import Estimate, expect
from dil_teach.commands.files import write
from dil_teach.commands.options import (
    PLAIN,
    In,
    Options,
    Out,
    Read,
    Training,
    say,
    train_with_bar,
)
from dil_teach.commands.pictures import frame_by_frame, load_pictures

if TYPE_CHECKING:
    from dil_teach.image.convention import Image, Video


LEAST_NOISE = {"bm3d": 1.0, "nlm": 1.0, "ksvd": 1.0, "zs-n2n": 6.0, "dip": 8.0}
"""Estimated noise, in grey levels, below which a method leaves a picture unchanged.

Photographs without noise have estimates up to 1. With noise of 1 grey level and the
estimate, BM3D gains 0.95 to 1.6 dB on four photographs of 128 pixels, and non-local
means 0.1 and 0.7 dB on two. On photographs of 64 pixels, ZS-N2N loses 0.9 dB with noise
of 4, and gains 0.4 to 1.1 dB with 6 and 8; Deep Image Prior loses 2.6 and 2.9 dB with 4
and 6, and gains 3.9 dB with 10. K-SVD was not measured: it has the level of BM3D."""
FRAMES = 8
"""Number of frames of a video whose noise is estimated."""


def denoise(
    image: In,
    out: Out,
    /,
    training: Options,
    reading: Read,
    method: Literal["dip", "zs-n2n", "nlm", "bm3d", "ksvd"] = "bm3d",
    noise: Annotated[float | None, tyro.conf.arg(metavar="SIGMA")] = None,
) -> str:
    """Denoise a photograph or a video with what its own pixels show, and nothing else.

    Transparency does not change. Each frame of a video is denoised alone, with one
    noise level for all frames.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour. Or a video.
        out: The file to write: .png or .tif with the bits per channel of the
            photograph, or with 8: .webp, or if not transparent .jpg, .bmp. For a
            video, name a new folder of frames, or a .mkv (lossless), .mp4, .mov,
            .webm or .gif file.
        method: bm3d filters stacks of similar blocks: on photographs of 128 and 256
            pixels with independent noise, it was the best of the five methods. nlm
            (non-local means) averages pixels with similar patches; it is the fastest.
            ksvd writes each patch as a sum of few atoms of a dictionary that it learns.
            These three methods have no network, so --budget and --seed do not change
            their results, and they also accept large photographs. Two methods train a
            network. zs-n2n (Zero-Shot Noise2Noise) predicts one half of the pixels from
            the other half. dip (Deep Image Prior) fits the picture before it fits the
            noise; a message says if the budget had too few steps. In a photograph of
            more than 128 x 128 pixels, it sees a smaller copy, and BM3D denoises what
            this copy does not show, at several sizes, which makes nearly the whole
            gain. All methods except dip need independent noise at each pixel.
        noise: Standard deviation of the noise in grey levels. By default it is
            estimated from smooth parts of the photograph; if there is so little noise
            that the method may remove more detail than noise, the photograph is
            written unchanged. With a given value, it is denoised in any case; dip and
            zs-n2n do not use the value itself.
    """
    classical = method not in ("dip", "zs-n2n")
    if noise is not None and not 0 < noise <= 255:
        raise ValueError(
            "--noise: expected a standard deviation above 0 and at most 255, got "
            f"{noise}; leave it out to estimate the noise"
        )

    pictures = load_pictures(image, reading)
    size = pictures.size
    check_pixels(image, size, most=MOST_PIXELS_IN_ALL)
    pictures.check_output(out, pictures.alpha)
    video = training.to_device(pictures.colour)
    what = f"{len(video)} frames of " * pictures.film + f"{size[0]} x {size[1]} pixels"
    if noise is None and (noise := _noise_to_remove(video, method)) is None:
        content = pictures.result(video, pictures.alpha, out)
        if out.suffix.lower() == image.suffix.lower() and reading == PLAIN:
            content = image.read_bytes()
        return write({out: content}, f"{what} written unchanged")
    cost = expect(f"denoise {method}", image, size)
    if classical:
        clean = frame_by_frame(_without_network(method, noise), video)
    else:
        clean = frame_by_frame(partial(_with_network, method, training, cost), video)
    content = pictures.result(clean, pictures.alpha, out)
    seen = _seen(method, size)
    if seen != tuple(size):
        what += f" (network: {seen[0]} x {seen[1]}; finer detail: BM3D)"
    return write({out: content}, f"{what} written")


def _noise_to_remove(video: "Video", method: str) -> float | None:
    """The estimated noise in grey levels, or None if the method would do harm.

    A line says how much noise there is.
    """
    from dil_teach.patches.noise import smooth_noise_level

    frames = video[:: len(video) // FRAMES + 1]
    levels = [level for level in map(smooth_noise_level, frames) if level is not None]
    why = "no smooth part of the picture shows it; it may be texture"
    if levels:
        noise = 255 * sum(levels) / len(levels)
        if noise >= LEAST_NOISE[method]:
            say(f"noise: {noise:.1f} grey levels")
            return noise
        why = (
            f"{noise:.1f} grey levels; below {LEAST_NOISE[method]:.1f}, {method} "
            "may remove more detail than noise"
        )
    say(f"noise: {why}: written unchanged; --noise SIGMA denoises in any case")
    return None


def _without_network(method: str, noise: float) -> "Callable[[Image], Image]":
    """The function that denoises a frame; ``noise`` is in grey levels."""
    from dil_teach.classical.denoise.bm3d import bm3d
    from dil_teach.classical.denoise.ksvd import ksvd
    from dil_teach.classical.denoise.nlm import nlm

    denoiser = {"nlm": nlm, "bm3d": bm3d, "ksvd": ksvd}[method]
    return lambda frame: denoiser(frame, noise / 255)


def _seen(method: str, size: Sequence[int]) -> tuple[int, int]:
    """Height and width of the picture that a network sees."""
    from dil_teach.deep.working_size import working_size

    return working_size(size) if method == "dip" else (size[0], size[1])


def _with_network(
    method: str, training: Training, cost: Estimate, colour: "Image"
) -> "Image":
    """The image denoised by a network that is trained on it."""
    from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
    from dil_teach.deep.working_size import add_octaves, steps_of_copy
    from dil_teach.deep.zs_n2n import ZSN2N, ZSN2NSettings
    from dil_teach.image.resize import resize

    if method == "zs-n2n":
        settings = training.settings(ZSN2NSettings)
        return train_with_bar(ZSN2N(colour, settings), cost).result()
    settings = training.settings(DeepImagePriorSettings)
    size = (colour.shape[1], colour.shape[2])
    seen = _seen(method, size)
    if seen != size:
        small = resize(colour, size=seen).clamp(0, 1)
        settings = replace(settings, steps=steps_of_copy(settings.steps))
        prior = DeepImagePrior(small, settings=settings)
        return add_octaves(train_with_bar(prior, cost).result(), colour)
    prior = train_with_bar(DeepImagePrior(colour, settings=settings), cost)
    if not prior.rule_met:
        say(
            "the training used all of its steps before it met its stopping rule, so "
            "detail may be missing; try a larger --budget"
        )
    return prior.result()
