"""dil-teach retarget: change an image's size by its patches, by seams or by InGAN."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dil_teach.commands.checks import (
    MOST_PIXELS,
    MOST_PIXELS_IN_ALL,
    check_apart,
    check_place,
)
from dil_teach.commands.estimate import Estimate, expect
from dil_teach.commands.files import load_mask, write
from dil_teach.commands.options import File, In, Options, Out, Png, Read, train_with_bar
from dil_teach.commands.pictures import Pictures, frame_by_frame, load_pictures

if TYPE_CHECKING:
    from dil_teach.commands.files import Content
    from dil_teach.deep.ingan.ingan import InGAN
    from dil_teach.deep.texture_expansion.texture_expansion import TextureExpansion
    from dil_teach.image.convention import Image, Video

Method = Literal["gpnn", "bidirectional", "seam", "ingan", "expand"]
Draw = Callable[[float, float], "Image"]
"""Computes the image for two scale factors, height first, then width."""
Size = tuple[int, int]

MOST_TOGETHER = {
    "gpnn": 32_000_000,
    "bidirectional": 32_000_000,
    "seam": MOST_PIXELS_IN_ALL,
    "ingan": MOST_PIXELS,
    "expand": MOST_PIXELS,
}
"""Maximum number of pixels of photograph and result together, for memory and time: the
first two methods need about 115 bytes for each of these pixels."""
SEAM_PIXELS = 1.5e8
"""Pixels of the picture times seams that seam carving removes or inserts in a second,
measured with one thread of a CPU from 0.1 to 1.2 megapixels."""
MOST_SECONDS = 600
"""Longest time of seam carving, for all frames of a video. To halve the width of 24
megapixels takes about six minutes at the rate above."""
RATE = 12.0
"""Frames per second of a video."""
FRAMES = 24
"""Number of frames of a video, unless --frames gives another number."""


def retarget(
    image: In,
    out: Out,
    /,
    training: Options,
    reading: Read,
    method: Method = "gpnn",
    scale_y: float = 1.0,
    scale_x: float = 1.0,
    protect: Png = None,
    remove: Png = None,
    grow: int = 0,
    checkpoint: File = None,
    save_checkpoint: File = None,
    film: File = None,
    frames: int | None = None,
) -> str:
    """Change the size of a photograph or a video without stretching what it shows.

    The result has no transparency. In a video, seam removes or duplicates the same
    seams in all frames, against flicker; gpnn rearranges each frame alone.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour. For seam and
            gpnn also a video.
        out: The file to write: .png or .tif with the bits per channel of the
            photograph, or with 8: .webp, .jpg or .bmp. For a video, name a new folder
            of frames, or a .mkv (lossless), .mp4, .mov, .webm or .gif file.
        method: gpnn and bidirectional rearrange patches, without learning;
            bidirectional can protect and remove parts. seam removes or duplicates
            seams of pixels. ingan trains a network that remaps the photograph; it needs
            objects that repeat in the direction in which the picture grows. Of a
            photograph of more than 120,000 pixels, it remaps a copy with a side of 192
            pixels, and patches of the photograph carry the result to full size. expand
            trains a network that continues a texture, and needs objects of about 10
            pixels.
        scale_y: Result's height divided by the photograph's height.
        scale_x: Result's width divided by the photograph's width: 2 is twice as wide.
        protect: A mask of the same size, white on parts to keep (seam, bidirectional).
        remove: A mask of the same size, white or grey on parts to remove (seam,
            bidirectional).
        grow: Number of pixels by which the parts of --remove become wider on all sides.
        checkpoint: A file that --save-checkpoint wrote for this photograph; it replaces
            training (ingan).
        save_checkpoint: The file for the trained network, .safetensors (ingan).
        film: The file for a video from the photograph to the result: .gif, .mp4, .mov,
            .webm or .mkv.
        frames: Number of frames of the video, by default 24.
    """
    _check_options(method, protect or remove, checkpoint or save_checkpoint)
    if frames is not None and not film:
        raise ValueError(
            f"--frames: needs --film, got only {frames} frames; name a file for the "
            "video, or leave out --frames"
        )
    frames = FRAMES if frames is None else frames

    from dil_teach.deep.ingan.full_size import learned_copy, retarget_at_full_size
    from dil_teach.image.films import is_film
    from dil_teach.training.checkpoint import save

    if is_film(image) and (film or method not in ("seam", "gpnn")):
        raise ValueError(
            f"{image}: expected a photograph for --film and for --method {method}, got "
            "a video; take --method seam or gpnn without --film"
        )
    pictures = load_pictures(image, reading)
    colour, size = pictures.colour[0], pictures.size
    wanted = _wanted_size(method, image, size, scale_y, scale_x)
    pictures.check_output(out, size=wanted)
    if film:
        _check_film(film, frames, max(size[0], wanted[0]), max(size[1], wanted[1]))
    shares = _shares(frames) if film else []
    sizes = [wanted] + [_scaled(size, scale_y**s, scale_x**s) for s in shares]
    work = _work(method, size, sizes)
    if save_checkpoint:
        check_place(save_checkpoint, (".safetensors",))
    check_apart([out, film, save_checkpoint], image, protect, remove, checkpoint)
    colour = training.to_device(colour)
    kept = protect and load_mask(protect, size, reading).to(colour)
    removed = remove and load_mask(remove, size, reading, soft=True, grow=grow)
    removed = None if removed is None else removed.to(colour)
    if kept is not None and removed is not None and not (removed > kept).any():
        raise ValueError(
            f"{remove}: expected some pixels that --protect does not mark, got none; "
            "mark different places in the two masks"
        )

    cost = expect(f"retarget {method}", image, size, work)
    if pictures.film:
        video = _retarget_film(method, pictures, wanted, kept, removed, training)
        what = f"{len(video)} frames of {wanted[0]} x {wanted[1]} pixels written"
        return write({out: pictures.content(video, out)}, what)
    ingan: Any = None
    learned_from = ""
    if method == "ingan":
        copy = learned_copy(colour)
        ingan = _ingan(copy, (scale_y, scale_x), checkpoint, training, cost)
        draw = partial(retarget_at_full_size, colour, ingan)
        if copy is not colour:
            learned_from = f", learned at {copy.shape[1]} x {copy.shape[2]} pixels,"
    elif method == "expand":
        draw = _at_scales(size, _expansion(colour, wanted, training, cost).result)
    else:
        draw = _at_scales(
            size, partial(_without_training, method, colour, kept, removed)
        )
    result = draw(scale_y, scale_x).cpu()
    files: dict[Path, Content] = {out: pictures.result(result[None], None, out)}
    if film:
        files[film] = _film(draw, scale_y, scale_x, shares)
    if save_checkpoint:
        files[save_checkpoint] = partial(save, ingan)
    what = f"{result.shape[1]} x {result.shape[2]} pixels{learned_from} written"
    return write(files, what)


def _check_options(method: Method, mask: Path | None, learned: Path | None) -> None:
    if mask and method not in ("seam", "bidirectional"):
        raise ValueError(
            f"--protect, --remove: need --method seam or bidirectional, got {method}"
        )
    if learned and method != "ingan":
        raise ValueError(
            f"--checkpoint, --save-checkpoint: need --method ingan, got {method}"
        )


def _wanted_size(
    method: Method, image: Path, size: Size, scale_y: float, scale_x: float
) -> Size:
    from dil_teach.deep.ingan.full_size import MOST_LEARNED, SIDE
    from dil_teach.image.resize import scale_and_size

    for name, scale in (("--scale-y", scale_y), ("--scale-x", scale_x)):
        if not 0 < scale * max(size) < float("inf"):
            raise ValueError(f"{name}: expected a number above 0, got {scale}; try 1.5")
    wanted = scale_and_size(size, (scale_y, scale_x), None)[1]
    most, pixels = MOST_TOGETHER[method], size[0] * size[1]
    if method == "ingan" and pixels > MOST_LEARNED:
        # the network draws a result of about this number of pixels; patches enlarge it
        most = min(MOST_TOGETHER["gpnn"], most * max(size) ** 2 // SIDE**2)
    if pixels + wanted[0] * wanted[1] > most:
        raise ValueError(
            f"--scale-y, --scale-x: expected at most {most} pixels in "
            f"the photograph and the result together for {method}, got {size[0]} x "
            f"{size[1]} and {wanted[0]} x {wanted[1]}; take a smaller scale"
        )
    return wanted


def _shares(frames: int) -> list[float]:
    """The exponents of the scale of each frame of a video, from 0 to 1."""
    return [step / max(frames - 1, 1) for step in range(frames)]


def _scaled(size: Size, scale_y: float, scale_x: float) -> Size:
    return round(scale_y * size[0]), round(scale_x * size[1])


def _work(method: Method, size: Size, sizes: Sequence[Size]) -> float:
    """Work for results of these sizes: pixels, or for seams pixels times seams.

    A ValueError is raised if seams take too long for all results together.
    """
    if method != "seam":
        both = size[0] * size[1] if method in ("gpnn", "bidirectional") else 0
        return float(sum(both + height * width for height, width in sizes))
    work = 0.0
    for height, width in sizes:
        # the columns change first, at the photograph's height; then the rows
        work += abs(width - size[1]) * (width + size[1]) / 2 * size[0]
        work += abs(height - size[0]) * (height + size[0]) / 2 * width
    if work > SEAM_PIXELS * MOST_SECONDS:
        frames = f" in {len(sizes) - 1} frames of a video" if len(sizes) > 1 else ""
        raise ValueError(
            f"--scale-y, --scale-x: expected a size that seams reach in "
            f"{MOST_SECONDS // 60} minutes, got {size[0]} x {size[1]} and "
            f"{sizes[0][0]} x {sizes[0][1]}{frames}, which take about "
            f"{work / SEAM_PIXELS / 60:.0f} minutes; take scales nearer to 1"
            f"{', or fewer --frames' if frames else ''}"
        )
    return work


def _check_film(film: Path, frames: int, height: int, width: int) -> None:
    from dil_teach.image.films import MAX_MEGAPIXELS, WRITTEN

    most = int(MAX_MEGAPIXELS * 1e6) // (height * width)
    if not 1 <= frames <= most:
        raise ValueError(
            f"--frames: expected 1 to {most} frames of {height} x {width} pixels "
            f"({MAX_MEGAPIXELS} megapixels), got {frames}; try 24, or smaller scales"
        )
    check_place(film, WRITTEN)


def _at_scales(size: Size, at_size: "Callable[[Size], Image]") -> Draw:
    return lambda y, x: at_size(_scaled(size, y, x))


def _without_training(
    method: Method,
    image: "Image",
    protect: "Image | None",
    remove: "Image | None",
    size: Size,
) -> "Image":
    from dil_teach.classical.retarget import bidirectional, patch_generation
    from dil_teach.classical.seams.seam_carving import carve, remove_object

    if method == "gpnn":
        return patch_generation.retarget(image, size)
    if method == "bidirectional":
        importance = None if protect is None else 1 + 9 * protect
        return bidirectional.retarget(image, size, importance, remove)
    protect = None if protect is None else protect[0]
    if remove is None:
        return carve(image, size, protect=protect)
    if image.shape[2] - size[1] >= remove[0].sum(1).max():
        return carve(image, size, protect=protect, remove=remove[0])
    # the object is wider than the removed columns: it is removed first
    return remove_object(image, remove[0] > 0, protect, size)


def _retarget_film(
    method: Method,
    pictures: Pictures,
    size: Size,
    protect: "Image | None",
    remove: "Image | None",
    training: Options,
) -> "Video":
    from dil_teach.classical.retarget import patch_generation
    from dil_teach.classical.seams.film_carving import carve_film

    video = training.to_device(pictures.colour)
    if method == "seam":
        kept, removed = (None if m is None else m[0] for m in (protect, remove))
        return carve_film(video, size, protect=kept, remove=removed)
    # to start from the result of the frame before does not reduce the flicker
    return frame_by_frame(lambda frame: patch_generation.retarget(frame, size), video)


def _ingan(
    image: "Image",
    scales: tuple[float, float],
    checkpoint: Path | None,
    training: Options,
    cost: Estimate,
) -> "InGAN":
    from dil_teach.deep.ingan.ingan import InGAN, InGANSettings
    from dil_teach.image.warp import resizing
    from dil_teach.training.checkpoint import resume

    if checkpoint is None:
        ingan = InGAN(image, training.settings(InGANSettings))
    else:
        ingan = resume(checkpoint, image)
        if not isinstance(ingan, InGAN):
            raise ValueError(
                f"{checkpoint}: expected a checkpoint of InGAN, got one of "
                f"{type(ingan).__name__}; train one with --save-checkpoint"
            )
    ingan.output_sizes(resizing(*scales))  # raises an error before the training
    return train_with_bar(ingan, cost)


def _expansion(
    image: "Image", size: Size, training: Options, cost: Estimate
) -> "TextureExpansion":
    from dil_teach.deep.texture_expansion.texture_expansion import (
        TextureExpansion,
        TextureExpansionSettings,
    )

    expansion = TextureExpansion(image, training.settings(TextureExpansionSettings))
    expansion.check_size(size)  # raises an error before the training
    return train_with_bar(expansion, cost)


def _film(
    draw: Draw, scale_y: float, scale_x: float, shares: Sequence[float]
) -> Callable[[Path], object]:
    """Return the function that writes a video from scale 1 to the wanted scales."""
    import torch
    import torch.nn.functional as F

    from dil_teach.image.films import save_film

    drawn = [draw(scale_y**share, scale_x**share).cpu() for share in shares]
    height, width = (max(each.shape[axis] for each in drawn) for axis in (1, 2))
    rims = [(0, width - each.shape[2], 0, height - each.shape[1]) for each in drawn]
    video = torch.stack(list(map(F.pad, drawn, rims)))
    return lambda file: save_film(video, file, RATE)
