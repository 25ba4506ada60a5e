"""dil-teach dehaze: remove haze by one of four methods."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from dil_teach.commands.checks import check_apart, check_place
from dil_teach.commands.estimate import expect
from dil_teach.commands.files import write
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
    airlight: Annotated[str | None, tyro.conf.arg(metavar="R,G,B")] = None,
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
        airlight: The colour of the haze, three numbers above 0 and up to 1, such as
            0.8,0.82,0.85, instead of an estimate. A message says if the estimate is
            unsure.
        airlight_out: The file for the airlight, or for its mean with --non-uniform.
        non_uniform: Let the airlight change slowly over the picture (low sun).
    """
    if non_uniform and method not in ("envelope", "double-dip"):
        raise ValueError(
            f"--non-uniform: expected --method envelope or double-dip, got {method}"
        )

    known = None if airlight is None else _red_green_blue(airlight)

    from dil_teach.classical.haze.airlight import doubt, find_airlight
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
        dehazing = Dehazing(frames, known, non_uniform, settings)
        found = train_with_bar(dehazing, cost).result()
    elif method == "envelope":
        found = remove_haze_by_envelope(frames, known, non_uniform)
    else:
        colour = None if known is None else find_airlight(frames, known)
        by_prior = {
            "recurrence": remove_haze_by_recurrence,
            "dark-channel": remove_haze_by_dark_channel,
        }
        found = by_prior[method](frames, colour)
    if method in ("envelope", "double-dip"):
        small, colour = working_copy(frames), to_linear(found.airlight)
        colour = resample_airlight(colour, small.shape[-2:])
        if doubts := doubt(small, colour, estimated=known is None):
            advice = "; --airlight R,G,B sets it" if known is None else ""
            say(f"unsure: {doubts}{advice}")
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


def _red_green_blue(airlight: str) -> list[float]:
    try:
        values = [float(value) for value in airlight.split(",")]
    except ValueError:
        values = []
    if len(values) != 3 or not all(0 < value <= 1 for value in values):
        raise ValueError(
            "--airlight: expected red, green and blue above 0 and up to 1, such as "
            f"0.8,0.82,0.85, got '{airlight}'; divide values up to 255 by 255"
        )
    return values
