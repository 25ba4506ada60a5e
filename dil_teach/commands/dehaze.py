"""dil-teach dehaze: remove haze by one of four methods."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from dil_teach.commands.files import check_apart, check_place, with_alpha, write
from dil_teach.commands.options import In, Options, Out, Png, train_with_bar
from dil_teach.commands.pictures import load_pictures

if TYPE_CHECKING:
    from dil_teach.commands.files import Content


def dehaze(
    image: In,
    out: Out,
    /,
    training: Options,
    method: Literal[
        "envelope", "double-dip", "recurrence", "dark-channel"
    ] = "envelope",
    transmission_out: Png = None,
    airlight_out: Annotated[Path | None, tyro.conf.arg(metavar="JSON")] = None,
    non_uniform: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
) -> str:
    """Remove haze from a photograph or a video.

    The transmission is the fraction of the scene's light that reaches the camera; white
    means 1. The airlight is the colour of the haze: {"airlight": [red, green, blue]},
    three sRGB values from 0 to 1. Transparency is kept. Pictures are written with 8
    bits per channel.

    Args:
        image: A photograph, a video or a folder of frames, in colour.
        out: The picture to write. For a video, name a new folder of frames, or a .mkv
            (lossless), .mp4 or .webm (lossy) file.
        method: envelope fits a smooth transmission above the lower bounds of all
            pixels; double-dip also trains networks, with nearly the same result;
            recurrence compares patches that recur at several distances; dark-channel is
            the baseline.
        transmission_out: The file for the transmission, a grey picture; for a video, a
            folder or a video file.
        airlight_out: The file for the airlight, or for its mean with --non-uniform.
        non_uniform: Let the airlight change slowly over the picture (low sun).
    """
    if non_uniform and method not in ("envelope", "double-dip"):
        raise ValueError(
            f"--non-uniform: expected --method envelope or double-dip, got {method}"
        )

    from dil_teach.classical.haze.airlight import doubt
    from dil_teach.classical.haze.dark_channel import (
        WORK_SIDE,
        remove_haze_by_dark_channel,
        resample_airlight,
        working_copy,
    )
    from dil_teach.classical.haze.envelope import remove_haze_by_envelope
    from dil_teach.classical.haze.recurrence import remove_haze_by_recurrence
    from dil_teach.deep.double_dip.dehazing import Dehazing, DehazingSettings
    from dil_teach.image.colour import to_linear

    pictures = load_pictures(image)
    pictures.check_frames(WORK_SIDE)
    pictures.check_output(out, pictures.alpha)
    if transmission_out:
        pictures.check_output(transmission_out)
    if airlight_out:
        check_place(airlight_out, (".json",))
    check_apart([out, transmission_out, airlight_out], image)
    frames = training.to_device(pictures.colour)
    if method == "double-dip":
        settings = training.settings(DehazingSettings)
        dehazing = train_with_bar(Dehazing(frames, None, non_uniform, settings))
        found = dehazing.result()
    elif method == "envelope":
        found = remove_haze_by_envelope(frames, None, non_uniform)
    elif method == "recurrence":
        found = remove_haze_by_recurrence(frames)
    else:
        found = remove_haze_by_dark_channel(frames)
    if method in ("envelope", "double-dip"):
        small, airlight = working_copy(frames), to_linear(found.airlight)
        airlight = resample_airlight(airlight, small.shape[-2:])
        if doubts := doubt(small, airlight, estimated=True):
            print("dil-teach: unsure:", doubts, file=sys.stderr)
    clear = with_alpha(found.image, pictures.alpha)
    files: dict[Path, Content] = {out: pictures.content(clear, out)}
    if transmission_out:
        files[transmission_out] = pictures.content(found.transmission, transmission_out)
    if airlight_out:
        mean = [round(float(value), 4) for value in found.airlight.mean((0, 2, 3))]
        files[airlight_out] = json.dumps({"airlight": mean}) + "\n"
    return write(files, "written")
