"""dil-teach dehaze: remove haze, by Double-DIP or by the dark channel."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import tyro

from dil_teach.commands.files import (
    Budget,
    In,
    Out,
    check_device,
    check_different,
    check_input_is_kept,
    check_place,
    check_seed,
    train_with_bar,
    write,
)
from dil_teach.commands.pictures import load_pictures


def dehaze(
    image: In,
    out: Out,
    /,
    method: Literal["double-dip", "dark-channel"] = "double-dip",
    transmission_out: Annotated[Path | None, tyro.conf.arg(metavar="PNG")] = None,
    airlight_out: Annotated[Path | None, tyro.conf.arg(metavar="JSON")] = None,
    non_uniform: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
    budget: Budget = "quick",
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Remove haze from a photograph or a film.

    The transmission is the share of the scene's light that reaches the camera: white is
    all of it. The airlight is the colour of the haze, {"airlight": [red, green, blue]},
    each from 0 to 1, in sRGB. Transparency is kept.

    Args:
        image: The photograph, in colour, a film or a folder of frames.
        out: The picture to write. For a film, a new folder of frames or .mkv, which are
            lossless, or .mp4, .webm, which are not.
        method: double-dip decomposes the picture with networks; dark-channel is the
            classical baseline and learns nothing.
        transmission_out: The grey picture of the transmission to write; for a film, a
            folder or a film.
        airlight_out: The airlight to write; its mean, with --non-uniform.
        non_uniform: Let the airlight change slowly over the picture, as near a low sun.
        budget: The number of training steps; more take longer.
        seed: Start value of the random numbers: the same seed gives the same result.
        device: The device to compute on: cpu, cuda or mps.
    """
    begin = time.perf_counter()
    check_seed(seed)
    if non_uniform and method == "dark-channel":
        raise ValueError(
            "--non-uniform: expected --method double-dip, got dark-channel; use one"
        )

    import torch

    from dil_teach.classical.haze.dark_channel import (
        WORK_SIDE,
        remove_haze_by_dark_channel,
    )
    from dil_teach.deep.double_dip.dehazing import Dehazing, DehazingSettings

    pictures = load_pictures(image)
    pictures.check_frames(WORK_SIDE)
    pictures.check_output(out, transparent=pictures.alpha is not None)
    outs = [out]
    if transmission_out is not None:
        pictures.check_output(transmission_out)
        outs.append(transmission_out)
    if airlight_out is not None:
        check_place(airlight_out, (".json",))
        check_input_is_kept(airlight_out, image)
        outs.append(airlight_out)
    check_different(outs)
    check_device(device)
    frames = pictures.colour.to(device)
    if method == "double-dip":
        settings = getattr(DehazingSettings, budget)(seed=seed)
        dehazing = Dehazing(frames, non_uniform=non_uniform, settings=settings)
        train_with_bar(dehazing)
        found, doubts = dehazing.result(), dehazing.doubts()
    else:
        found, doubts = remove_haze_by_dark_channel(frames), None
    clear = found.image.cpu()
    if pictures.alpha is not None:
        clear = torch.cat([clear, pictures.alpha], 1)
    files = {out: pictures.writer(clear, out)}
    if transmission_out is not None:
        files[transmission_out] = pictures.writer(found.transmission, transmission_out)
    if airlight_out is not None:
        mean = [round(float(value), 4) for value in found.airlight.mean((0, 2, 3))]
        text = json.dumps({"airlight": mean}) + "\n"
        files[airlight_out] = lambda file: file.write_bytes(text.encode())
    write(files)
    seconds = time.perf_counter() - begin
    print(f"{', '.join(map(str, files))}: written in {seconds:.1f} s")
    if doubts is not None:
        print("dil-teach: unsure:", doubts, file=sys.stderr)
