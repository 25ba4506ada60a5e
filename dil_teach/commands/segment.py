"""dil-teach segment: foreground and background, by grown hints or Double-DIP."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from dil_teach.commands.checks import check_apart
from dil_teach.commands.estimate import expect
from dil_teach.commands.files import load_mask, write
from dil_teach.commands.options import In, Options, Png, Read, train_with_bar
from dil_teach.commands.pictures import load_pictures


def segment(
    image: In,
    mask_out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MASK_OUT")],
    /,
    training: Options,
    reading: Read,
    method: Literal["grown-hints", "double-dip"] = "grown-hints",
    foreground_hint: Png = None,
    background_hint: Png = None,
) -> str:
    """Separate foreground from background in a photograph or a video.

    The mask is white in the foreground; for a video, its edges have grey values. If a
    side has more than 192 pixels, the mask of a smaller copy is enlarged, and the
    border of a photograph is found again at full resolution. Transparency is ignored.

    Args:
        image: The photograph or a video.
        mask_out: The mask to write: a picture with 8 bits. For a video, name a new
            folder of frames, or a .mkv (lossless), .mp4, .mov, .webm or .gif file.
        method: grown-hints needs no network; double-dip trains two networks after it,
            and is not better on our pictures.
        foreground_hint: A picture of the same size, white on a part of the foreground
            (of a video's first frame). By default, the salient pixels are marked.
        background_hint: White on a part of the background (default: image border).
    """
    from dil_teach.classical.segmentation.region_growing import (
        SIDE,
        segment_by_growing,
    )
    from dil_teach.deep.double_dip.segmentation import (
        Segmentation,
        SegmentationSettings,
    )

    pictures = load_pictures(image, reading, one_channel=False)
    pictures.check_frames(SIDE)
    pictures.check_output(mask_out, film=False)
    check_apart([mask_out], image, foreground_hint, background_hint)
    colour = training.to_device(pictures.colour)
    foreground, background = (
        hint and load_mask(hint, pictures.size, reading).to(training.device)
        for hint in (foreground_hint, background_hint)
    )
    cost = expect(f"segment {method}", image, pictures.size, frames=len(colour))
    if method == "grown-hints":
        mask = segment_by_growing(colour, foreground, background, training.seed)
    else:
        settings = training.settings(SegmentationSettings)
        segmentation = Segmentation(colour, foreground, background, settings)
        mask = train_with_bar(segmentation, cost).mask()
    what = f"{100 * float(mask.mean()):.0f}% is foreground, written"
    return write({mask_out: pictures.content(mask, mask_out, film=False)}, what)
