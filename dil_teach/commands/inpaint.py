"""dil-teach inpaint: Deep Image Prior, and filling with patches or pixels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from dil_teach.commands.checks import MOST_PIXELS, check_apart
from dil_teach.commands.estimate import expect
from dil_teach.commands.files import grown, load_mask, write
from dil_teach.commands.options import (
    In,
    Options,
    Out,
    Read,
    Reading,
    train_with_bar,
)
from dil_teach.commands.pictures import Pictures, load_pictures

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from dil_teach.image.convention import Video

    Masks = Float[Tensor, "t 1 h w"]

MOST_SAMPLE = 500_000
"""Maximum number of pixels that Efros and Leung's method searches: 1 GB of memory."""
AROUND = 25
"""The network sees the surroundings in a box with this many times the pixels of the
smallest box around the holes."""
MOST_AROUND = 4_000_000
"""Maximum number of pixels of this box: about 2 GB of memory."""
MOST_PRODUCTS = 10**12
"""Maximum number of products in Efros and Leung's method: about two minutes."""


def inpaint(
    image: In,
    mask: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MASK")],
    out: Out,
    /,
    training: Options,
    reading: Read,
    method: Literal["wexler", "dip", "efros-leung"] = "wexler",
    grow: int = 0,
) -> str:
    """Fill the holes of a photograph, or of a video, from its other pixels.

    The holes become opaque. The other pixels and their transparency do not change.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour. For wexler
            also a video.
        mask: A picture of the same size, black outside of the holes: all other pixels
            are filled, also grey ones. A video needs one picture for all frames, or a
            video or a folder of masks.
        out: The file to write: .png or .tif with the bits per channel of the
            photograph, or with 8: .webp, or if not transparent .jpg, .bmp. For a
            video, name a new folder of frames, or a .mkv (lossless), .mp4, .mov,
            .webm or .gif file.
        method: wexler copies patches, from coarse to fine. dip (Deep Image Prior)
            trains a network on the surroundings of the holes; if they have more than
            128 x 128 pixels, it sees a smaller copy, and wexler continues from its
            result; this takes three times as long, and is as good. efros-leung copies
            pixel by pixel, at random; it suits textures. In a large photograph, all
            methods look only at the surroundings of the holes.
        grow: Number of pixels by which the holes become wider on all sides.
    """
    import torch

    from dil_teach.image.films import is_film

    if is_film(image) and method != "wexler":
        raise ValueError(
            f"--method: expected wexler for a video, got {method}; leave out --method"
        )
    pictures = load_pictures(image, reading)
    pictures.check_output(out, pictures.alpha)
    check_apart([out], mask)
    holes = _load_holes(mask, pictures, reading, grow)
    video = training.to_device(pictures.colour)
    holes = holes.to(training.device)
    seen = ""
    if method == "dip":
        filled, seen = _by_network(image, video, holes, mask, training)
    else:
        filled = _by_copying(method, image, video, holes, mask, training.seed)
    height, width = pictures.size
    what = f"{len(filled)} frames of " * pictures.film
    alpha = pictures.alpha
    if alpha is not None:
        alpha = torch.maximum(alpha, holes.cpu())
    content = pictures.result(filled, alpha, out)
    return write({out: content}, f"{what}{height} x {width} pixels{seen} written")


def _load_holes(mask: Path, pictures: Pictures, reading: Reading, grow: int) -> "Masks":
    """A mask for each frame: 0 where it is black, 1 elsewhere."""
    import torch
    from torch.nn.functional import adaptive_max_pool2d

    from dil_teach.image.convention import check_grey
    from dil_teach.image.films import is_film, load_film

    count = len(pictures.colour)
    if is_film(mask):
        drawn = load_film(mask)
        wanted = (count, *pictures.size)
        got = (len(drawn), *reading.size(drawn.shape[2:]))
        if got != wanted:
            raise ValueError(
                f"{mask}: expected {' x '.join(map(str, wanted))} (frames x height x "
                f"width) as in {pictures.path}, got {' x '.join(map(str, got))}"
            )
        for frame in drawn:
            check_grey(frame[:3], mask, "masks")
        white = grown(drawn[:, :3].mean(1, keepdim=True) > 0, grow).float()
        holes = adaptive_max_pool2d(white, pictures.size)
        if not holes.any():
            raise ValueError(
                f"{mask}: expected some white pixels, got none; paint some"
            )
    else:
        one = load_mask(mask, pictures.size, reading, soft=True, grow=grow)
        holes = torch.stack([one] * count)
    if holes.min() == 1:
        raise ValueError(
            f"{mask}: expected white in the hole and black elsewhere, got only white; "
            "paint the pixels to keep black"
        )
    return holes


def _by_network(
    file: Path, video: "Video", holes: "Masks", mask: Path, training: Options
) -> tuple["Video", str]:
    """Fill the holes of one picture by a network; also say what the network saw.

    The network sees the surroundings of the holes. If they are large, it sees a smaller
    copy, and patches carry its result to the size of the picture.
    """
    from dil_teach.classical.completion.pyramid import shrink_with_hole
    from dil_teach.classical.completion.wexler import complete_image
    from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
    from dil_teach.deep.working_size import working_size
    from dil_teach.image.degradation import masked

    # as measured in benchmarks/deep_image_prior.py; inpainting does not stop early
    more = {"steps": 700} if training.budget == "standard" else {}
    settings = training.settings(DeepImagePriorSettings, **more)
    rows, columns = _surroundings(holes, _most_around(holes), mask)
    near, hole = video[0][..., rows, columns], holes[0][..., rows, columns]
    height, width = working_size(hole.shape[1:])
    cost = expect("inpaint dip", file, holes.shape[2:])
    small, gap = shrink_with_hole(near, hole.bool(), (height, width))
    if gap.any():  # a thin hole can vanish
        prior = DeepImagePrior(small, masked(gap.float()), settings)
        small = train_with_bar(prior, cost).result()
    if small.shape != near.shape:
        small = complete_image(near, hole, start=small).image
    filled = video.clone()
    filled[..., rows, columns] = small
    seen = f" (network: {height} x {width})"
    return filled, seen if (height, width) != holes.shape[2:] else ""


def _most_around(holes: "Masks") -> int:
    """Maximum number of pixels of the surroundings that the network sees."""
    from dil_teach.deep.working_size import MOST_SEEN

    rows, columns = holes.amax((0, 1)).nonzero().T
    box = int((rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1))
    return min(max(AROUND * box, MOST_SEEN), max(box, MOST_AROUND))


def _by_copying(
    method: str, file: Path, video: "Video", holes: "Masks", mask: Path, seed: int
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
    # exhaustive search, or search in a tree
    work = float(gaps.sum()) * (near[0, 0].numel() if method == "efros-leung" else 1)
    expect(f"inpaint {method}", file, near.shape[2:], work, len(near))
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
