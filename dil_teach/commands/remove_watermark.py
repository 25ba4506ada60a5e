"""dil-teach remove-watermark: removes a mark that pictures share, by Double-DIP."""

import re
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from dil_teach.commands.files import (
    Budget,
    check_alike,
    check_device,
    check_different,
    check_format,
    check_input_is_kept,
    check_output,
    check_parent,
    check_pixels,
    check_seed,
    train_with_bar,
    write,
)

if TYPE_CHECKING:
    from dil_teach.image.convention import Image


def remove_watermark(
    images: Annotated[
        tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="IN...")
    ],
    /,
    *,
    out_dir: Annotated[Path, tyro.conf.arg(metavar="DIR")],
    box: Annotated[str | None, tyro.conf.arg(metavar="Y,X,H,W")] = None,
    budget: Budget = "quick",
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Remove a half-transparent mark that pictures share (Double-DIP).

    Pixels outside the mark and transparency stay as they are. Use it only for pictures
    that you may use without their mark.

    Args:
        images: Pictures of one size with the mark at one place: PNG, JPEG, TIFF, ...
            A single one needs a box.
        out_dir: The folder to write to, under the pictures' own names; it may be new.
        box: Row, column, height and width of a box around the mark, in pixels.
        budget: How long to learn.
        seed: Of all that is random: the same seed gives the same result.
        device: Where to learn: cpu, cuda or mps.
    """
    begin = time.perf_counter()
    check_seed(seed)
    if not images:
        raise ValueError("IN: expected at least one picture, got none")
    wanted_box = None if box is None else _row_column_height_width(box)

    import torch

    from dil_teach.deep.double_dip.watermark import WatermarkRemoval, WatermarkSettings
    from dil_teach.image.convention import split_alpha
    from dil_teach.image.files import load_image, save_image

    parts = [split_alpha(load_image(file)) for file in images]
    colours, alphas = zip(*parts, strict=True)
    check_alike(images, colours)
    size = (colours[0].shape[1], colours[0].shape[2])
    check_pixels(images[0], size, len(images))
    outs = [out_dir / file.name for file in images]
    check_different(outs)
    new = not out_dir.exists()
    if new:
        check_parent(out_dir)
    elif not out_dir.is_dir():
        raise ValueError(f"{out_dir}: expected a folder, got a file; name another")
    for out, image, alpha in zip(outs, images, alphas, strict=True):
        check = check_format if new else check_output
        check(out, image, size, alpha is not None)
        check_input_is_kept(out, *images)
    check_device(device)
    settings = getattr(WatermarkSettings, budget)(seed=seed)
    removal = WatermarkRemoval(torch.stack(colours).to(device), wanted_box, settings)
    train_with_bar(removal)

    results = {}
    for out, clean, alpha in zip(outs, removal.clean().cpu(), alphas, strict=True):
        results[out] = clean if alpha is None else torch.cat([clean, alpha])
    if new:
        write({out_dir: lambda folder: _save_all(results, folder)})
    else:
        write({out: partial(save_image, result) for out, result in results.items()})
    share = 100 * float((removal.opacity() > 0).float().mean())
    what = f"{len(outs)} pictures" if len(outs) > 1 else "1 picture"
    seconds = time.perf_counter() - begin
    print(f"{out_dir}: {what}, {share:.0f}% under a mark, written in {seconds:.1f} s")


def _save_all(results: "dict[Path, Image]", folder: Path) -> None:
    from dil_teach.image.files import save_image

    folder.mkdir()
    for out, result in results.items():
        save_image(result, folder / out.name)


def _row_column_height_width(box: str) -> tuple[int, int, int, int]:
    found = re.fullmatch(r"(\d{1,9}),(\d{1,9}),(\d{1,9}),(\d{1,9})", box.strip())
    if not found:
        raise ValueError(
            "--box: expected row, column, height and width in pixels, such as "
            f"40,20,30,90, got '{box}'"
        )
    row, column, height, width = map(int, found.groups())
    return row, column, height, width
