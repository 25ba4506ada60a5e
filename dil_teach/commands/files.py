"""Shared by the commands: checks of options and files, writing, the progress bar."""

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tqdm import tqdm

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from dil_teach.image.convention import Image
    from dil_teach.training.loop import SingleImageMethod

In = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="IN")]
Out = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
Budget = Literal["quick", "standard", "full"]

MOST_PIXELS = 1_000_000
"""Limit for what a network renders at once: about 4 GB of memory."""
MOST_PIXELS_IN_ALL = 36_000_000
"""Limit where a network sees smaller copies only: about 4 GB as well."""
OPAQUE = (".jpg", ".jpeg", ".bmp")
"""Formats that cannot hold transparency."""
FORMATS = (".png", ".tif", ".tiff", ".webp", *OPAQUE)
"""Formats that commands write. Others have few colours or allow small sizes only."""
LONGEST_SIDE = {".webp": 16383, ".jpg": 65500, ".jpeg": 65500}
"""In pixels: the limits of formats that can be smaller than our results."""


def check_seed(seed: int) -> None:
    """Raise a ValueError unless torch accepts the seed."""
    if not 0 <= seed < 2**63:
        raise ValueError(f"--seed: expected 0 to 2**63 - 1, got {seed}")


def check_device(device: str) -> None:
    """Raise a ValueError unless torch can use the device on this machine."""
    import torch

    try:
        torch.ones(1, device=device).cpu()
    except (RuntimeError, AssertionError, ImportError):
        raise ValueError(
            f"--device: expected cpu, or cuda or mps where the machine has it, got "
            f"'{device}'; leave it out to use the cpu"
        ) from None


def check_pixels(
    image: Path, size: tuple[int, int], count: int = 1, most: int = MOST_PIXELS
) -> None:
    """Raise a ValueError if pictures of this size need too much memory and time."""
    if count * size[0] * size[1] > most:
        raise ValueError(
            f"{image}: expected at most {most // count} pixels"
            f"{'' if count == 1 else f' in each of {count} pictures'}, got {size[0]} x "
            f"{size[1]}; crop it, or make it smaller first"
        )


def check_alike(files: Sequence[Path], images: "Sequence[Image]") -> None:
    """Raise a ValueError unless all images have the same shape."""
    from dil_teach.image.convention import check_same_shape

    for file, image in zip(files, images, strict=True):
        check_same_shape(image, images[0], file, files[0])


def check_output(
    out: Path, image: Path, size: tuple[int, int], transparent: bool = False
) -> None:
    """Raise an error if the result could not be written, before minutes of work."""
    check_place(out, FORMATS)
    check_format(out, image, size, transparent)
    check_input_is_kept(out, image)


def check_format(
    out: Path, image: Path, size: tuple[int, int], transparent: bool
) -> None:
    """Raise a ValueError if the format that ``out`` names cannot hold the picture."""
    check_suffix(out, FORMATS)
    suffix = out.suffix.lower()
    if transparent and suffix in OPAQUE:
        raise ValueError(
            f"{out}: {image} is transparent in places, which {suffix} cannot hold; "
            "save it as .png"
        )
    if max(size) > LONGEST_SIDE.get(suffix, max(size)):
        raise ValueError(
            f"{out}: {suffix} holds at most {LONGEST_SIDE[suffix]} pixels a side, got "
            f"{size[0]} x {size[1]}; save it as .png"
        )


def check_input_is_kept(out: Path, *inputs: Path) -> None:
    """Raise a ValueError if ``out`` is one of the input files."""
    if out.exists() and any(out.samefile(file) for file in inputs):
        raise ValueError(f"{out}: would replace a file that is read; name another file")


def check_different(outs: Sequence[Path]) -> None:
    """Raise a ValueError if two results have the same place, or one is in another."""
    places = [out.resolve() for out in outs]
    for number, (out, place) in enumerate(zip(outs, places, strict=True)):
        others = places[:number] + places[number + 1 :]
        if place in others or any(place in other.parents for other in others):
            raise ValueError(
                f"{out}: expected another place for each result, got this one for two; "
                "name another"
            )


def check_suffix(out: Path, suffixes: tuple[str, ...]) -> None:
    """Raise a ValueError unless the name ends in one of the suffixes."""
    suffix = out.suffix.lower()
    if suffix not in suffixes:
        wanted = f"one of {', '.join(suffixes)}" if suffixes[1:] else suffixes[0]
        raise ValueError(
            f"{out}: expected {wanted}, got '{suffix}'; name the file with "
            f"{'one' if suffixes[1:] else 'it'}"
        )


def check_place(out: Path, suffixes: tuple[str, ...]) -> None:
    """Raise an error if a file with one of the suffixes cannot be written there."""
    if out.is_dir():
        raise ValueError(f"{out}: expected a file to write, got a folder; name a file")
    check_suffix(out, suffixes)
    if out.exists() and not (out.is_file() and os.access(out, os.W_OK)):
        raise OSError(f"{out}: cannot be overwritten; name another file")
    check_parent(out)


def check_parent(out: Path) -> None:
    """Raise an OSError if the folder that contains ``out`` is not writable."""
    if not out.parent.is_dir():
        raise FileNotFoundError(f"{out.parent}: no such folder; create it first")
    try:
        tempfile.TemporaryDirectory(dir=out.parent, prefix=".").cleanup()
    except OSError as error:
        raise OSError(
            f"{out}: cannot be written ({error.strerror}); "
            "choose a folder that you may write to"
        ) from None


def load_mask(file: Path, size: tuple[int, int]) -> "Float[Tensor, '1 h w']":
    """Read a mask that was painted in white: 1 where it is white, 0 elsewhere.

    ``size`` is the height and width that it must have.
    """
    from dil_teach.image.convention import split_alpha
    from dil_teach.image.files import load_image

    drawn, alpha = split_alpha(load_image(file))
    if drawn.shape[1:] != size:
        raise ValueError(
            f"{file}: expected the size of the image, {size[0]} x {size[1]}, got "
            f"{drawn.shape[1]} x {drawn.shape[2]}; draw it on the image itself"
        )
    light = drawn.mean(0, keepdim=True) * (1 if alpha is None else alpha)
    if light.max() <= 0.5:
        raise ValueError(
            f"{file}: expected a mask with white pixels, got none; paint the marked "
            "places white"
        )
    return (light > 0.5).float()


def write(files: dict[Path, Callable[[Path], object]]) -> None:
    """Write all of the files or, if one of them fails, none.

    Each function writes a file or a folder to the temporary place that it receives.
    """
    from dil_teach.image.files import written_whole

    with ExitStack() as places:
        for out, save in files.items():
            save(places.enter_context(written_whole(out)))


def train_with_bar(method: "SingleImageMethod") -> None:
    """Train a method to the end and show its losses in a progress bar."""
    from dil_teach.training.loop import train

    with tqdm(total=method.total_steps, unit="step", leave=False) as bar:
        for progress in train(method, report_every=5):
            bar.set_postfix(progress.losses, refresh=False)
            bar.update(progress.step - bar.n)
