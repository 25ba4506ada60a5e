"""dil-teach dehaze: remove haze by one of four methods."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from dil_teach.commands.estimate import expect
from dil_teach.commands.files import check_apart, check_place, write
from dil_teach.commands.options import In, Options, Out, Png, Read, say, train_with_bar
from dil_teach.commands.pictures import load_pictures

if TYPE_CHECKING:
    from dil_teach.commands.files import Content


def dehaze(
    image: In,
    out: Out,
    /,
    training: Options,
    reading: Read,
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
    three sRGB values from 0 to 1. Transparency is kept. A picture in a .png
    or .tif file has the bits per channel of the photograph, and others have 8.

    Args:
        image: A photograph or a video, in colour.
        out: The picture to write. For a video, name a new folder of frames, or a .mkv
            (lossless), .mp4, .mov, .webm or .gif file.
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

    pictures = load_pictures(image, reading, one_channel=False)
    pictures.check_frames(WORK_SIDE)
    pictures.check_output(out, pictures.alpha)
    if transmission_out:
        pictures.check_output(transmission_out, film=False)
    if airlight_out:
        check_place(airlight_out, (".json",))
    check_apart([out, transmission_out, airlight_out], image)
    frames = training.to_device(pictures.colour)
    cost = expect(f"dehaze {method}", image, pictures.size, frames=len(frames))
    if method == "double-dip":
        settings = training.settings(DehazingSettings)
        dehazing = Dehazing(frames, None, non_uniform, settings)
        found = train_with_bar(dehazing, cost).result()
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
            say(f"unsure: {doubts}")
    clear = pictures.result(found.image, pictures.alpha, out)
    files: dict[Path, Content] = {out: clear}
    if transmission_out:
        files[transmission_out] = pictures.content(
            found.transmission, transmission_out, film=False
        )
    if airlight_out:
        mean = [round(float(value), 4) for value in found.airlight.mean((0, 2, 3))]
        files[airlight_out] = json.dumps({"airlight": mean}) + "\n"
    return write(files, "written")
