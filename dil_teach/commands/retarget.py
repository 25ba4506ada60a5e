"""dil-teach retarget: change an image's size by its patches, by seams or by InGAN."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tqdm import tqdm

from dil_teach.commands.files import (
    MOST_PIXELS,
    MOST_PIXELS_IN_ALL,
    check_apart,
    check_output,
    check_pixels,
    check_place,
    load_mask,
    load_picture,
    write,
)
from dil_teach.commands.options import File, In, Options, Out, Png, train_with_bar

if TYPE_CHECKING:
    from dil_teach.commands.files import Content
    from dil_teach.deep.ingan.ingan import InGAN
    from dil_teach.deep.texture_expansion.texture_expansion import TextureExpansion
    from dil_teach.image.convention import Image

Method = Literal["gpnn", "bidirectional", "seam", "ingan", "expand"]
Draw = Callable[[float, float], "Image"]
"""Computes the image for two scale factors, height first, then width."""
Size = tuple[int, int]

MOST_TOGETHER = {
    "gpnn": 120_000,
    "bidirectional": 120_000,
    "seam": MOST_PIXELS_IN_ALL,
    "ingan": MOST_PIXELS,
    "expand": MOST_PIXELS,
}
"""Maximum number of pixels of photograph and result together, for memory and time. The
first two methods compare all patches of both pictures, which takes about a minute."""
MOST_LEARNED = 120_000
"""Maximum number of pixels of a photograph for InGAN: a larger photograph takes hours
without a GPU."""
SEAM_PIXELS = 1.5e8
"""Pixels of the picture times seams that seam carving removes or inserts in a second,
measured with one thread of a CPU from 0.1 to 1.2 megapixels."""
MOST_SECONDS = 600
"""Longest time of seam carving. To halve the width of 24 megapixels takes about six
minutes at the rate above."""
RATE = 12.0
"""Frames per second of a video."""
FRAMES = 24
"""Number of frames of a video, unless --frames gives another number."""


def retarget(
    image: In,
    out: Out,
    /,
    training: Options,
    method: Method = "gpnn",
    scale_y: float = 1.0,
    scale_x: float = 1.0,
    protect: Png = None,
    remove: Png = None,
    checkpoint: File = None,
    save_checkpoint: File = None,
    film: File = None,
    frames: int | None = None,
) -> str:
    """Change the size of a photograph without stretching what it shows.

    The result has no transparency.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        out: The file to write, with 8 bits per channel: .png, .tif, .webp, .jpg or
            .bmp.
        method: gpnn and bidirectional rearrange patches, in seconds, without learning;
            bidirectional can protect and remove parts. seam removes or duplicates
            seams of pixels. ingan trains a network that remaps the photograph; it needs
            objects that repeat in the direction in which the picture grows. expand
            trains a network that continues a texture, and needs objects of about 10
            pixels. gpnn and bidirectional take at most 120,000 pixels in the photograph
            and the result together; ingan takes a photograph of at most 120,000 pixels.
        scale_y: Result's height divided by the photograph's height.
        scale_x: Result's width divided by the photograph's width: 2 is twice as wide.
        protect: A mask of the same size, white on parts to keep (seam, bidirectional).
        remove: A mask of the same size, white on parts to remove (seam, bidirectional).
        checkpoint: A file that --save-checkpoint wrote for this photograph; it replaces
            training (ingan).
        save_checkpoint: The file for the trained network, .safetensors (ingan).
        film: The file for a video from the photograph to the result: .gif, .mp4, .webm
            or .mkv.
        frames: Number of frames of the video, by default 24.
    """
    _check_options(method, protect or remove, checkpoint or save_checkpoint)
    if frames is not None and not film:
        raise ValueError(
            f"--frames: needs --film, got only {frames} frames; name a file for the "
            "video, or leave out --frames"
        )
    frames = FRAMES if frames is None else frames

    from dil_teach.training.checkpoint import save

    colour, _ = load_picture(image)
    size = colour.shape[1], colour.shape[2]
    wanted = _wanted_size(method, image, size, scale_y, scale_x)
    check_output(out, image, wanted)
    if film:
        _check_film(film, frames, max(size[0], wanted[0]), max(size[1], wanted[1]))
    if save_checkpoint:
        check_place(save_checkpoint, (".safetensors",))
    check_apart([out, film, save_checkpoint], image, protect, remove, checkpoint)
    colour = training.to_device(colour)
    kept, removed = (
        file and load_mask(file, size).to(colour) for file in (protect, remove)
    )
    if kept is not None and removed is not None and not (removed > kept).any():
        raise ValueError(
            f"{remove}: expected some pixels that --protect does not mark, got none; "
            "mark different places in the two masks"
        )

    ingan: Any = None
    if method == "ingan":
        ingan = _ingan(colour, (scale_y, scale_x), checkpoint, training)
        draw = ingan.retarget
    elif method == "expand":
        draw = _at_scales(size, _expansion(colour, wanted, training).result)
    else:
        draw = _at_scales(
            size, partial(_without_training, method, colour, kept, removed)
        )
    result = draw(scale_y, scale_x).cpu()
    files: dict[Path, Content] = {out: result}
    if film:
        files[film] = _film(draw, scale_y, scale_x, frames)
    if save_checkpoint:
        files[save_checkpoint] = partial(save, ingan)
    return write(files, f"{result.shape[1]} x {result.shape[2]} pixels written")


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
    from dil_teach.image.resize import scale_and_size

    for name, scale in (("--scale-y", scale_y), ("--scale-x", scale_x)):
        if not 0 < scale * max(size) < float("inf"):
            raise ValueError(f"{name}: expected a number above 0, got {scale}; try 1.5")
    wanted = scale_and_size(size, (scale_y, scale_x), None)[1]
    if method == "ingan":
        check_pixels(image, size, most=MOST_LEARNED)
    if size[0] * size[1] + wanted[0] * wanted[1] > MOST_TOGETHER[method]:
        raise ValueError(
            f"--scale-y, --scale-x: expected at most {MOST_TOGETHER[method]} pixels in "
            f"the photograph and the result together for {method}, got {size[0]} x "
            f"{size[1]} and {wanted[0]} x {wanted[1]}; take a smaller scale"
        )
    heights, widths = zip(size, wanted, strict=True)
    # the columns change first, at the photograph's height; then the rows
    work = abs(widths[1] - widths[0]) * sum(widths) / 2 * heights[0]
    work += abs(heights[1] - heights[0]) * sum(heights) / 2 * widths[1]
    if method == "seam" and work > SEAM_PIXELS * MOST_SECONDS:
        raise ValueError(
            f"--scale-y, --scale-x: expected a size that seams reach in "
            f"{MOST_SECONDS // 60} minutes, got {size[0]} x {size[1]} and {wanted[0]} "
            f"x {wanted[1]}, which take about {work / SEAM_PIXELS / 60:.0f} minutes; "
            "take scales nearer to 1"
        )
    return wanted


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
    return lambda y, x: at_size((round(y * size[0]), round(x * size[1])))


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


def _ingan(
    image: "Image",
    scales: tuple[float, float],
    checkpoint: Path | None,
    training: Options,
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
    return train_with_bar(ingan)


def _expansion(image: "Image", size: Size, training: Options) -> "TextureExpansion":
    from dil_teach.deep.texture_expansion.texture_expansion import (
        TextureExpansion,
        TextureExpansionSettings,
    )

    expansion = TextureExpansion(image, training.settings(TextureExpansionSettings))
    expansion.check_size(size)  # raises an error before the training
    return train_with_bar(expansion)


def _film(
    draw: Draw, scale_y: float, scale_x: float, frames: int
) -> Callable[[Path], object]:
    """Return the function that writes a video from scale 1 to the wanted scales."""
    import torch
    import torch.nn.functional as F

    from dil_teach.image.films import save_film

    shares = [step / max(frames - 1, 1) for step in range(frames)]
    drawn = [
        draw(scale_y**share, scale_x**share).cpu()
        for share in tqdm(shares, "film", leave=False)
    ]
    height, width = (max(each.shape[axis] for each in drawn) for axis in (1, 2))
    rims = [(0, width - each.shape[2], 0, height - each.shape[1]) for each in drawn]
    video = torch.stack(list(map(F.pad, drawn, rims)))
    return lambda file: save_film(video, file, RATE)
