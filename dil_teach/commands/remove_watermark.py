"""dil-teach remove-watermark: remove a mark that pictures share."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from dil_teach.commands.checks import (
    check_apart,
    check_format,
    check_output,
    check_parent,
    check_pixels,
)
from dil_teach.commands.estimate import expect
from dil_teach.commands.files import load_alike, load_mask, with_result, write
from dil_teach.commands.options import (
    Options,
    Png,
    Read,
    Reading,
    say,
    train_with_bar,
)

if TYPE_CHECKING:
    from torch import Tensor


def remove_watermark(
    images: Annotated[
        tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="IN...")
    ],
    /,
    *,
    out_dir: Annotated[Path, tyro.conf.arg(metavar="DIR")],
    box: Annotated[str | None, tyro.conf.arg(metavar="Y,X,H,W")] = None,
    mark: Png = None,
    grow: int = 0,
    method: Literal["total-variation", "double-dip"] = "total-variation",
    training: Options,
    reading: Read,
) -> str:
    """Remove a half-transparent mark that pictures share.

    Transparency, and pixels outside the mark, do not change. Without a box or a picture
    of the mark, other places that the pictures share can be taken for the mark; then a
    message proposes a box. Use this command only for pictures that you may use without
    their mark.

    Args:
        images: Pictures of one size with the mark at one place: PNG, JPEG, TIFF, ...
            A single picture needs a box or a picture of the mark.
        out_dir: The folder for the results, named like the pictures; it may be new.
        box: Row, column, height and width of a box around the mark, in pixels.
        mark: A picture of the same size, white or grey where the mark is, and black
            elsewhere; paint it a little too wide. For a single picture, the result is
            much better than with a box.
        grow: Number of pixels by which --mark becomes wider on all sides.
        method: total-variation finds the mark without a network; double-dip trains
            networks after it, which gained 0.3 dB with three pictures of 128 pixels
            and lost 3 to 4 dB with three of 256.
    """
    if not images:
        raise ValueError("IN: expected at least one picture, got none")
    if box is not None and reading.max_side is not None:
        raise ValueError(
            "--box, --max-side: expected one of them, because the box has the "
            "photograph's pixels; give --mark instead of --box"
        )
    wanted_box = None if box is None else _row_column_height_width(box)

    from dil_teach.deep.double_dip.watermark import WatermarkRemoval, WatermarkSettings

    colours, photographs = load_alike(images, reading)
    check_pixels(images[0], colours.shape[2:], len(images))
    outs = [out_dir / file.name for file in images]
    check_apart(outs, *images, mark)
    new = not out_dir.exists()
    if new:
        check_parent(out_dir)
    elif not out_dir.is_dir():
        raise ValueError(f"{out_dir}: expected a folder, got a file; name another")
    for out, image, photograph in zip(outs, images, photographs, strict=True):
        check = check_format if new else check_output
        check(out, image, colours.shape[2:], photograph.alpha)
    outline = None
    if mark is not None:
        outline = load_mask(mark, colours.shape[2:], reading, soft=True, grow=grow)
    colours = training.to_device(colours)
    if outline is not None:
        outline = outline.to(colours.device)
    size = colours.shape[2:]
    cost = expect(f"remove-watermark {method}", images[0], size, frames=len(images))
    settings = training.settings(WatermarkSettings)
    removal = WatermarkRemoval(colours, wanted_box, settings, outline)
    if method == "double-dip":
        clean, opacity = train_with_bar(removal, cost).clean(), removal.opacity()
    else:
        clean, opacity = removal.clean_by_start(), removal.start[0]
    if box is None and mark is None:
        _propose_box(opacity, reading)
    results = {
        out.name: with_result(photograph, picture, photograph.alpha)
        for out, photograph, picture in zip(outs, photographs, clean, strict=True)
    }

    def write_all(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        write({folder / name: picture for name, picture in results.items()})

    if new:
        write({out_dir: write_all})
    else:
        write_all(out_dir)
    share = 100 * float((opacity > 0).float().mean())
    what = f"{len(outs)} pictures" if len(outs) > 1 else "1 picture"
    return f"{out_dir}: {what}, {share:.0f}% under a mark, written"


def _propose_box(opacity: "Tensor", reading: Reading) -> None:
    """Say how much changes outside the mark's likely box, and how to prevent it."""
    from dil_teach.classical.watermark.box import likely_box

    row, column, height, width = box = likely_box(opacity)
    outside = opacity > 0
    share = 100 * float(outside.float().mean())
    outside[:, row : row + height, column : column + width] = False
    if not outside.any():
        return
    advice = f"--box {','.join(map(str, box))}"
    if reading.max_side is not None:  # the box would have other pixels
        advice = "--mark PNG"
    say(
        f"unsure: {share:.0f}% of the pixels change, and "
        f"{100 * float(outside.float().mean()):.2g}% are far from the likely mark; to "
        f"change only the mark, add {advice}"
    )


def _row_column_height_width(box: str) -> tuple[int, int, int, int]:
    found = re.fullmatch(r"(\d{1,9}),(\d{1,9}),(\d{1,9}),(\d{1,9})", box.strip())
    if not found:
        raise ValueError(
            "--box: expected row, column, height and width in pixels, such as "
            f"40,20,30,90, got '{box}'"
        )
    return int(found[1]), int(found[2]), int(found[3]), int(found[4])
