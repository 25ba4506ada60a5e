"""dil-teach retarget: an image's patches at another size, by InGAN or its rivals."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tqdm import tqdm

from dil_teach.commands.files import (
    MOST_PIXELS,
    MOST_PIXELS_IN_ALL,
    Budget,
    In,
    Out,
    check_device,
    check_different,
    check_input_is_kept,
    check_output,
    check_pixels,
    check_place,
    check_seed,
    load_mask,
    train_with_bar,
    write,
)

if TYPE_CHECKING:
    from dil_teach.deep.ingan.ingan import InGAN
    from dil_teach.image.convention import Image, Video

Method = Literal["gpnn", "bidirectional", "seam", "ingan", "expand"]
MaskFile = Annotated[Path | None, tyro.conf.arg(metavar="PNG")]
File = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]
Draw = Callable[[float, float], "Image"]

MOST_COMPARED = 120_000
"""Pixels of an image and its result, for methods that compare all their patches: about
a minute."""
MOST_LEARNED = 120_000
"""Pixels that InGAN learns from: more take hours without a GPU."""
RATE = 12.0
"""Frames a second of a film."""


@dataclass(frozen=True)
class Options:
    """What the methods need beside the photograph."""

    method: Method
    protect: "Image | None"
    remove: "Image | None"
    checkpoint: Path | None
    budget: Budget
    seed: int
    scales: tuple[float, float]


def retarget(
    image: In,
    out: Out,
    /,
    method: Method = "gpnn",
    scale_y: float = 1.0,
    scale_x: float = 1.0,
    protect: MaskFile = None,
    remove: MaskFile = None,
    checkpoint: File = None,
    save_checkpoint: File = None,
    film: File = None,
    frames: int = 24,
    budget: Budget = "quick",
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Bring a photograph to another size, in its own patches instead of stretched.

    Transparency is left out of account.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        out: The file to write: .png, .tif, .webp, .jpg or .bmp.
        method: gpnn lays its patches anew, seconds, nothing learned; so does
            bidirectional, which can protect and remove; seam takes out seams of pixels
            or doubles them; ingan learns a network that remaps the photograph; expand
            learns one that continues a texture. All but seam are for small pictures:
            gpnn and bidirectional take 120,000 pixels with the result, ingan 120,000.
        scale_y: Height of the result, as a multiple of the photograph's.
        scale_x: Width likewise: 2 is twice as wide.
        protect: A picture of the same size, white on what is to be kept as it is (seam,
            bidirectional).
        remove: White on what is to vanish (seam, bidirectional).
        checkpoint: A file of --save-checkpoint for this photograph, instead of training
            (ingan).
        save_checkpoint: Where to keep what was learned, .safetensors (ingan).
        film: Where to write a film from the photograph to the result: .gif, .mp4,
            .webm or .mkv.
        frames: Of the film.
        budget: How long to learn (ingan without a finished checkpoint, expand).
        seed: Of all that is random: the same seed gives the same result.
        device: Where to learn: cpu, cuda or mps.
    """
    begin = time.perf_counter()
    check_seed(seed)
    _check_options(method, protect or remove, checkpoint, save_checkpoint)
    if film and frames < 1:
        raise ValueError(f"--frames: expected at least 1, got {frames}; try 24")

    from dil_teach.image.convention import split_alpha
    from dil_teach.image.files import load_image, save_image
    from dil_teach.image.scale import scale_and_size
    from dil_teach.training.checkpoint import save

    colour = split_alpha(load_image(image))[0]
    size = (colour.shape[1], colour.shape[2])
    for name, scale in (("--scale-y", scale_y), ("--scale-x", scale_x)):
        if not 0 < scale * max(size) < float("inf"):
            raise ValueError(f"{name}: expected a number above 0, got {scale}; try 1.5")
    wanted = scale_and_size(size, (scale_y, scale_x), None)[1]
    _check_pixels(method, image, size, wanted)
    if film:
        _check_film(frames, (max(size[0], wanted[0]), max(size[1], wanted[1])))
    check_output(out, image, wanted)
    given = [file for file in (image, protect, remove, checkpoint) if file]
    outs = [out]
    for other, suffixes in ((film, _films()), (save_checkpoint, (".safetensors",))):
        if other:
            check_place(other, suffixes)
            outs.append(other)
    check_different(outs)
    for other in outs:
        check_input_is_kept(other, *given)
    check_device(device)
    kept, gone = (
        None if mask is None else load_mask(mask, size).to(device)
        for mask in (protect, remove)
    )
    scales = scale_y, scale_x
    options = Options(method, kept, gone, checkpoint, budget, seed, scales)
    draw, ingan = _method(colour.to(device), options)
    result = draw(scale_y, scale_x).cpu()
    files: dict[Path, Callable[[Path], object]] = {out: partial(save_image, result)}
    if film:
        files[film] = _film(draw, scale_y, scale_x, frames)
    if save_checkpoint and ingan:
        files[save_checkpoint] = partial(save, ingan)
    write(files)
    seconds = time.perf_counter() - begin
    height, width = result.shape[1:]
    names = ", ".join(map(str, files))
    print(f"{names}: {height} x {width} pixels written in {seconds:.1f} s")


def _check_options(
    method: Method, mask: Path | None, checkpoint: Path | None, kept: Path | None
) -> None:
    if mask and method not in ("seam", "bidirectional"):
        raise ValueError(
            f"--protect, --remove: expected --method seam or bidirectional with them, "
            f"got {method}"
        )
    if (checkpoint or kept) and method != "ingan":
        raise ValueError(
            f"--checkpoint, --save-checkpoint: expected --method ingan with them, got "
            f"{method}"
        )


def _check_pixels(
    method: Method, image: Path, size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    """Refuse what memory, or patience, is not enough for."""
    most = {
        "gpnn": MOST_COMPARED,
        "bidirectional": MOST_COMPARED,
        "seam": MOST_PIXELS_IN_ALL,
    }
    if method == "ingan":
        check_pixels(image, size, most=MOST_LEARNED)
    pixels = size[0] * size[1] + wanted[0] * wanted[1]
    limit = most.get(method, MOST_PIXELS)
    if pixels > limit:
        raise ValueError(
            f"--scale-y, --scale-x: expected at most {limit} pixels in the photograph "
            f"and the result together for {method}, got {size[0]} x {size[1]} and "
            f"{wanted[0]} x {wanted[1]}; take smaller scales or a smaller photograph"
        )


def _check_film(frames: int, size: tuple[int, int]) -> None:
    from dil_teach.image.films import MAX_MEGAPIXELS

    most = int(MAX_MEGAPIXELS * 1e6) // (size[0] * size[1])
    if frames > most:
        raise ValueError(
            f"--frames: expected at most {most} of {size[0]} x {size[1]} pixels, "
            f"{MAX_MEGAPIXELS} megapixels in all, got {frames}; take fewer, or a "
            "smaller photograph"
        )


def _films() -> tuple[str, ...]:
    from dil_teach.image.films import WRITTEN

    return WRITTEN


def _method(image: "Image", options: Options) -> "tuple[Draw, InGAN | None]":
    """What draws the photograph at any scales, once all is learned."""
    if options.method == "ingan":
        ingan = _ingan(image, options)
        return ingan.retarget, ingan

    def size(scale_y: float, scale_x: float) -> tuple[int, int]:
        return round(scale_y * image.shape[1]), round(scale_x * image.shape[2])

    if options.method == "expand":
        from dil_teach.deep.texture_expansion.texture_expansion import (
            TextureExpansion,
            TextureExpansionSettings,
        )

        settings = getattr(TextureExpansionSettings, options.budget)(seed=options.seed)
        expansion = TextureExpansion(image, settings)
        expansion.check_size(size(*options.scales))  # better refused now than later
        train_with_bar(expansion)
        return lambda y, x: expansion.result(size(y, x)), None
    if options.method == "seam":
        return lambda y, x: _by_seams(image, size(y, x), options), None
    if options.method == "bidirectional":
        from dil_teach.classical.retarget import bidirectional

        importance = None if options.protect is None else 1 + 9 * options.protect
        return lambda y, x: bidirectional.retarget(
            image, size(y, x), importance, options.remove
        ), None
    from dil_teach.classical.retarget import patch_generation

    return lambda y, x: patch_generation.retarget(image, size(y, x)), None


def _by_seams(image: "Image", size: tuple[int, int], options: Options) -> "Image":
    """At this size; an object wider than what the width gives up is taken out first."""
    from dil_teach.classical.seams.seam_carving import carve, remove_object

    protect = None if options.protect is None else options.protect[0]
    if options.remove is None:
        return carve(image, size, protect=protect)
    remove = options.remove[0]
    if image.shape[2] - size[1] >= remove.sum(1).max():
        return carve(image, size, protect=protect, remove=remove)
    return remove_object(image, remove > 0, protect, size)


def _ingan(image: "Image", options: Options) -> "InGAN":
    from dil_teach.deep.ingan.ingan import InGAN, InGANSettings
    from dil_teach.image.warp import resizing
    from dil_teach.training.checkpoint import resume

    if options.checkpoint is None:
        settings = getattr(InGANSettings, options.budget)(seed=options.seed)
        ingan = InGAN(image, settings)
    else:
        ingan = resume(options.checkpoint, image)
        if not isinstance(ingan, InGAN):
            raise ValueError(
                f"{options.checkpoint}: expected a checkpoint of InGAN, got one of "
                f"{type(ingan).__name__}; train one with --save-checkpoint"
            )
    ingan.output_sizes(resizing(*options.scales))  # better refused now than later
    train_with_bar(ingan)
    return ingan


def _film(
    draw: Draw, scale_y: float, scale_x: float, frames: int
) -> Callable[[Path], object]:
    """Writes a film whose scales go from 1 to the wanted ones, step by step alike."""
    import torch
    import torch.nn.functional as F

    from dil_teach.image.films import save_film

    shares = [step / max(frames - 1, 1) for step in range(frames)]
    drawn = [
        draw(scale_y**share, scale_x**share).cpu()
        for share in tqdm(shares, "film", leave=False)
    ]
    height, width = (max(frame.shape[axis] for frame in drawn) for axis in (1, 2))
    video: Video = torch.stack(
        [
            F.pad(frame, (0, width - frame.shape[2], 0, height - frame.shape[1]))
            for frame in drawn
        ]
    )
    return lambda file: save_film(video, file, RATE)
