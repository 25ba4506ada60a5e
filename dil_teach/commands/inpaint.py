"""dil-teach inpaint: Deep Image Prior, and filling with patches or pixels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from dil_teach.commands.files import (
    MOST_PIXELS,
    check_apart,
    check_pixels,
    load_mask,
    with_alpha,
    write,
)
from dil_teach.commands.options import In, Options, Out, train_with_bar
from dil_teach.commands.pictures import Pictures, load_pictures

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from dil_teach.image.convention import Image, Video

    Masks = Float[Tensor, "t 1 h w"]

MOST_SAMPLE = 500_000
"""Maximum number of pixels that Efros and Leung's method searches: 1 GB of memory."""
MOST_PRODUCTS = 10**12
"""Maximum number of products in Efros and Leung's method: about two minutes."""


def inpaint(
    image: In,
    mask: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MASK")],
    out: Out,
    /,
    training: Options,
    method: Literal["dip", "wexler", "efros-leung"] = "dip",
) -> str:
    """Fill the holes of a photograph, or of a video, from its other pixels.

    The other pixels and the transparency do not change.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour. For wexler
            also a video or a folder of frames.
        mask: A picture of the same size, white where there is a hole, black elsewhere.
            A video needs one picture for all frames, or a video or a folder of masks.
        out: The file to write, with 8 bits per channel: .png, .tif, .webp, or if not
            transparent .jpg, .bmp. For a video, name a new folder of frames, or a .mkv
            (lossless), .mp4, .webm or .gif file.
        method: dip (Deep Image Prior) trains a network on the other pixels. wexler
            copies patches, from coarse to fine, in seconds. efros-leung copies pixel by
            pixel, at random; it suits textures. wexler and efros-leung look only at the
            surroundings of the holes in a large photograph.
    """
    from dil_teach.image.films import is_film

    if is_film(image) and method != "wexler":
        raise ValueError(
            f"--method: expected wexler for a video, got {method}; add --method wexler"
        )
    pictures = load_pictures(image)
    if method == "dip":
        check_pixels(image, pictures.size)
    pictures.check_output(out, pictures.alpha)
    holes = _load_holes(mask, pictures)
    check_apart([out], mask)
    video = training.to_device(pictures.colour)
    holes = holes.to(training.device)
    if method == "dip":
        filled = _by_network(video[0], holes[0], training)[None]
    else:
        filled = _by_copying(method, video, holes, mask, training.seed)
    height, width = pictures.size
    what = f"{len(filled)} frames of " * pictures.film
    content = pictures.content(with_alpha(filled, pictures.alpha), out)
    return write({out: content}, f"{what}{height} x {width} pixels written")


def _load_holes(mask: Path, pictures: Pictures) -> "Masks":
    """A mask for each frame: 1 where it is white, 0 elsewhere."""
    import torch

    from dil_teach.image.convention import check_grey
    from dil_teach.image.films import is_film, load_film

    count = len(pictures.colour)
    if is_film(mask):
        drawn = load_film(mask)
        wanted = (count, *pictures.size)
        got = (len(drawn), *drawn.shape[2:])
        if got != wanted:
            raise ValueError(
                f"{mask}: expected {' x '.join(map(str, wanted))} (frames x height x "
                f"width) as in {pictures.path}, got {' x '.join(map(str, got))}"
            )
        for frame in drawn:
            check_grey(frame[:3], mask, "masks")
        holes = (drawn[:, :3].mean(1, keepdim=True) > 0.5).float()
        if not holes.any():
            raise ValueError(
                f"{mask}: expected some white pixels, got none; paint some"
            )
    else:
        holes = torch.stack([load_mask(mask, pictures.size)] * count)
    if holes.min() == 1:
        raise ValueError(
            f"{mask}: expected white in the hole and black elsewhere, got only white; "
            "paint the pixels to keep black"
        )
    return holes


def _by_network(image: "Image", hole: "Image", training: Options) -> "Image":
    from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
    from dil_teach.image.degradation import masked

    # as measured in benchmarks/deep_image_prior.py; inpainting does not stop early
    more = {"steps": 700} if training.budget == "standard" else {}
    settings = training.settings(DeepImagePriorSettings, **more)
    return train_with_bar(DeepImagePrior(image, masked(hole), settings)).result()


def _by_copying(
    method: str, video: "Video", holes: "Masks", mask: Path, seed: int
) -> "Video":
    """Fill the holes with parts of their surroundings."""
    import torch

    from dil_teach.classical.completion.efros_leung import WINDOW, fill_hole
    from dil_teach.classical.completion.wexler import complete_film, complete_image

    most = MOST_PIXELS // len(video)
    if method == "efros-leung":
        values = (video.shape[1] + 1) * WINDOW**2
        most = min(MOST_SAMPLE, int(MOST_PRODUCTS / values / float(holes.sum())))
    rows, columns = _surroundings(holes, most, mask)
    near, gaps = video[..., rows, columns], holes[..., rows, columns]
    if len(video) > 1:
        part = complete_film(near, gaps).film
    elif method == "wexler":
        part = complete_image(near[0], gaps[0]).image[None]
    else:
        rng = torch.Generator().manual_seed(seed)
        part = fill_hole(near[0], gaps[0], rng).image[None]
    filled = video.clone()
    filled[..., rows, columns] = part
    return filled


def _surroundings(holes: "Masks", most: int, mask: Path) -> tuple[slice, slice]:
    """Rows and columns of the largest box around the holes with ``most`` pixels.

    The box is as far from the holes on all sides, or ends at the border.
    """
    places = holes.amax((0, 1)).nonzero()
    first, last = places.amin(0).tolist(), places.amax(0).tolist()
    sides = holes.shape[-2:]
    height, width = sides
    for margin in range(max(sides), -1, -1):
        rows, columns = (
            slice(max(a - margin, 0), min(b + margin + 1, side))
            for a, b, side in zip(first, last, sides, strict=True)
        )
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if height * width <= most:
            return rows, columns
    raise ValueError(
        f"{mask}: expected holes inside a box of at most {most} pixels, got a box of "
        f"{height} x {width}; fill one hole at a time, or make the picture smaller"
    )
