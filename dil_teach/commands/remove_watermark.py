"""dil-teach remove-watermark: remove a mark that pictures share, by Double-DIP."""

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from dil_teach.commands.files import (
    check_different,
    check_format,
    check_input_is_kept,
    check_output,
    check_parent,
    check_pixels,
    load_alike,
    with_alpha,
    write,
)
from dil_teach.commands.options import Options, train_with_bar

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
    training: Options,
) -> str:
    """Remove a half-transparent mark that pictures share (Double-DIP).

    Pixels outside the mark and transparency do not change. Use it only for pictures
    that you may use without their mark.

    Args:
        images: Pictures of one size with the mark at one place: PNG, JPEG, TIFF, ...
            A single one needs a box.
        out_dir: The folder to write to, under the pictures' own names; it may be new.
        box: Row, column, height and width of a box around the mark, in pixels.
    """
    if not images:
        raise ValueError("IN: expected at least one picture, got none")
    wanted_box = None if box is None else _row_column_height_width(box)

    from dil_teach.deep.double_dip.watermark import WatermarkRemoval, WatermarkSettings
    from dil_teach.image.files import save_image

    colours, alphas = load_alike(images)
    check_pixels(images[0], colours.shape[2:], len(images))
    outs = [out_dir / file.name for file in images]
    check_different(outs)
    new = not out_dir.exists()
    if new:
        check_parent(out_dir)
    elif not out_dir.is_dir():
        raise ValueError(f"{out_dir}: expected a folder, got a file; name another")
    for out, image, alpha in zip(outs, images, alphas, strict=True):
        check = check_format if new else check_output
        check(out, image, colours.shape[2:], alpha)
        check_input_is_kept(out, *images)
    training.check()
    settings = training.settings(WatermarkSettings)
    removal = WatermarkRemoval(colours.to(training.device), wanted_box, settings)
    train_with_bar(removal)

    cleaned = map(with_alpha, removal.clean(), alphas)
    results = dict(zip(outs, cleaned, strict=True))
    if new:
        write({out_dir: lambda folder: _save_all(results, folder)})
    else:
        write({out: partial(save_image, result) for out, result in results.items()})
    share = 100 * float((removal.opacity() > 0).float().mean())
    what = f"{len(outs)} pictures" if len(outs) > 1 else "1 picture"
    return f"{out_dir}: {what}, {share:.0f}% under a mark, written"


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
