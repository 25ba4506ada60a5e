"""dil-teach segment: foreground and background, by Double-DIP."""

import time
from pathlib import Path
from typing import Annotated

import tyro

from dil_teach.commands.files import (
    Budget,
    In,
    check_device,
    check_input_is_kept,
    check_seed,
    load_mask,
    train_with_bar,
    write,
)
from dil_teach.commands.pictures import load_pictures

Hint = Annotated[Path | None, tyro.conf.arg(metavar="PNG")]


def segment(
    image: In,
    mask_out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MASK_OUT")],
    /,
    foreground_hint: Hint = None,
    background_hint: Hint = None,
    budget: Budget = "quick",
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Separate foreground from background in a photograph or a film (Double-DIP).

    The mask is white in the foreground. The edges of a film's masks are soft.
    Transparency is ignored.

    Args:
        image: The photograph, a film or a folder of frames.
        mask_out: The mask to write: a picture, of a film a new folder of frames or
            .mkv, which keep it as it is, or .mp4, .webm, which do not.
        foreground_hint: A picture of the same size, white on some of the foreground;
            of a film for its first frame. By default the salient pixels.
        background_hint: White on some of the background. By default the border.
        budget: How long to learn.
        seed: Of all that is random: the same seed gives the same result.
        device: Where to learn: cpu, cuda or mps.
    """
    begin = time.perf_counter()
    check_seed(seed)

    from dil_teach.classical.segmentation.region_growing import SIDE
    from dil_teach.deep.double_dip.segmentation import (
        Segmentation,
        SegmentationSettings,
    )

    pictures = load_pictures(image)
    pictures.check_frames(SIDE)
    pictures.check_output(mask_out)
    given = [hint for hint in (foreground_hint, background_hint) if hint]
    check_input_is_kept(mask_out, *given)
    check_device(device)
    foreground, background = (
        None if hint is None else load_mask(hint, pictures.size).to(device)
        for hint in (foreground_hint, background_hint)
    )
    colour = pictures.colour.to(device)
    settings = getattr(SegmentationSettings, budget)(seed=seed)
    segmentation = Segmentation(colour, foreground, background, settings)
    train_with_bar(segmentation)
    mask = segmentation.mask()
    write({mask_out: pictures.writer(mask, mask_out)})
    share = 100 * float(mask.mean())
    seconds = time.perf_counter() - begin
    print(f"{mask_out}: {share:.0f}% is foreground, written in {seconds:.1f} s")
