"""dil-teach dehaze: haze taken off, by Double-DIP or by the dark channel."""

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
    """Take haze off a photograph, or off a film (Double-DIP).

    The transmission is how much of the scene's own light comes through: white is all of
    it. The airlight is the colour of the haze, {"airlight": [red, green, blue]}, of
    which each is 0 to 1, in sRGB. Transparency is kept as it is.

    Args:
        image: The photograph, in colour, a film or a folder of frames.
        out: The file to write: a picture, of a film a new folder of frames or .mkv,
            which keep it as it is, or .mp4, .webm, which do not.
        method: double-dip decomposes the picture; dark-channel is the classical method
            that it is compared with, and learns nothing.
        transmission_out: Where to write the transmission, as a grey picture; of a film
            a folder or film.
        airlight_out: Where to write the airlight; its mean, with --non-uniform.
        non_uniform: Let the airlight change slowly over the picture, as near a low sun.
        budget: How long to learn.
        seed: Of all that is random: the same seed gives the same result.
        device: Where to learn: cpu, cuda or mps.
    """
    begin = time.perf_counter()
    check_seed(seed)
    if non_uniform and method == "dark-channel":
        raise ValueError("--non-uniform: expected --method double-dip beside it")

    import torch

    from dil_teach.classical.haze.dark_channel import remove_haze_by_dark_channel
    from dil_teach.deep.double_dip.dehazing import (
        WORK_SIDE,
        Dehazing,
        DehazingSettings,
    )
    from dil_teach.deep.double_dip.double_dip import check_images

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
        clear, transmission = dehazing.haze_free(), dehazing.transmission()
        airlight, unsure = dehazing.airlight(), dehazing.doubts()
    else:
        check_images(frames, "image", (3,))
        clear, transmission, airlight = remove_haze_by_dark_channel(frames)
        unsure = None
    clear = clear.cpu()
    if pictures.alpha is not None:
        clear = torch.cat([clear, pictures.alpha], 1)
    files = {out: pictures.writer(clear, out)}
    if transmission_out is not None:
        files[transmission_out] = pictures.writer(transmission, transmission_out)
    if airlight_out is not None:
        mean = [round(float(value), 4) for value in airlight.mean((0, 2, 3))]
        text = json.dumps({"airlight": mean}) + "\n"
        files[airlight_out] = lambda file: file.write_bytes(text.encode())
    write(files)
    seconds = time.perf_counter() - begin
    print(f"{', '.join(map(str, files))}: written in {seconds:.1f} s")
    if unsure is not None:
        print("dil-teach: unsure:", unsure, file=sys.stderr)
