"""Draw the pictures that open chapters 00 and 09.

    python data/opening_zssr.py tour zssr

Each chapter first shows a result of ZSSR `full`, and then runs ZSSR at a smaller
budget. The script writes ``data/openings/CHAPTER_*.jpg``, the record
``data/openings/CHAPTER.json``, and for chapter 09 the history of the network's output
as an animation. The training is saved: if you stop the script and start it again, it
continues.
"""

import tempfile
import time
from pathlib import Path
from typing import Literal

import torch
import tyro
from opening_files import (
    MEASURE,
    OUT,
    SEED,
    Seconds,
    enlarged_part,
    luma_decibels,
    rounded,
    write,
)
from PIL import Image as Picture

from dil_teach import (
    ZSSR,
    ZSSRSettings,
    load_external_network,
    photo,
    resize,
    resume,
    save,
    super_resolve_with,
    train,
)
from dil_teach.classical.denoise.bm3d import bm3d
from dil_teach.deep.zssr.comparison import compare
from dil_teach.image.augment import jpeg
from dil_teach.image.convention import Image, to_uint8
from dil_teach.image.metrics import noise_level
from dil_teach.image.photos import photos

STATES = Path(tempfile.gettempdir()) / "dil-teach-openings"
"""Folder of the saved trainings."""
QUALITY = 50
"""JPEG quality of the old photograph. The file states it, so ZSSR knows it."""
FRAMES = 15
"""Number of pictures of the animation."""


def trained(
    name: str, image: Image, settings: ZSSRSettings, seconds: dict[str, float]
) -> tuple[ZSSR, list[Image]]:
    """The trained method, and its output after each of ``FRAMES`` equal parts.

    ``seconds[name]`` becomes the CPU seconds of the training, with all its parts.
    """
    STATES.mkdir(exist_ok=True)
    stem = STATES / name.replace(" ", "_").replace(",", "")
    state, kept = stem.with_suffix(".safetensors"), stem.with_suffix(".pt")
    zssr = resume(state, image) if state.exists() else ZSSR(image, settings=settings)
    history, spent = [resize(image, scale=2)], 0.0
    if kept.exists():
        history, spent = torch.load(kept, weights_only=True)
    begin = time.process_time() - spent
    for _ in train(zssr, report_every=zssr.total_steps // FRAMES):
        history.append(zssr.raw())
        save(zssr, state)
        torch.save((history, time.process_time() - begin), kept)
    seconds[name] = round(time.process_time() - begin, 1)
    return zssr, history


def by_edsr(grey: Image) -> Image:
    """The result of EDSR+, which expects three channels."""
    edsr = load_external_network("edsr")
    return super_resolve_with(edsr, grey.expand(3, -1, -1), ensemble=True)[:1]


def old_photograph() -> None:
    """Chapter 09: coins in an old photograph of an archive, saved as a JPEG file."""
    scan, corner, side = photo("coins"), (318, 476), 144
    given, seconds = jpeg(scan, QUALITY), Seconds()
    settings = ZSSRSettings.standard(seed=SEED, jpeg_quality=QUALITY)
    zssr, history = trained("ZSSR, compressed sons", given, settings, seconds)
    plain = ZSSRSettings.standard(seed=SEED)
    unaware, _ = trained("ZSSR, plain sons", given, plain, seconds)
    smooth = bm3d(given, noise_level(given)).clamp(0, 1)
    pictures = {
        "bicubic interpolation": resize(given, scale=2),
        "EDSR+": seconds.of("EDSR+", lambda: by_edsr(given)),
        "ZSSR, compressed sons": zssr.super_resolve(),
        "BM3D, then EDSR+": by_edsr(smooth),
        "ZSSR, plain sons": unaware.super_resolve(),
        "bicubic, before compression": resize(scan, scale=2),
    }
    file = OUT / "zssr_history.webp"
    frames = [
        Picture.fromarray(to_uint8(enlarged_part(frame.clamp(0, 1), corner, side)))
        for frame in history
    ]
    times = [120] * (len(frames) - 1) + [1500]
    frames[0].save(
        file, save_all=True, append_images=frames[1:], duration=times, quality=80
    )
    write(
        "zssr",
        {
            name: enlarged_part(rounded(image), corner, side)
            for name, image in pictures.items()
        },
        {},
        None,
        animation={
            "file": file.name,
            "alt": "The network's output during the training: the blocks and the halo "
            "of the bicubic start disappear, and the outline of the coin becomes sharp",
        },
        measure="no values, because this photograph has no ground truth",
        settings=f"ZSSRSettings.standard(), sons compressed with quality {QUALITY}",
        size=list(pictures["EDSR+"].shape[1:]),
        seconds=seconds,
        truth="none is known",
        licence="public domain",
        attribution="Greek coins from Pompeii. Photograph: Brooklyn Museum, public "
        "domain (no known copyright restrictions)",
    )


def tour() -> None:
    """Chapter 00: the astronaut at 512 pixels."""
    truth = photo("astronaut")
    given = rounded(resize(truth, scale=0.5))
    seconds = Seconds()
    settings = ZSSRSettings.full(seed=SEED)
    zssr, _ = trained("ZSSR", given, settings, seconds)
    made = compare(zssr)
    names = {
        "bicubic": "bicubic interpolation",
        "bicubic + back-projection": "bicubic + back-projection",
        "raw": "the network alone",
        "final": "ZSSR",
    }
    results = {plain: made[name] for name, plain in names.items()}
    write(
        "tour",
        {name: results[name] for name in ("bicubic interpolation", "ZSSR")}
        | {"ground truth": truth},
        luma_decibels(results, truth),
        (0, 72),
        side=440,
        measure=MEASURE,
        settings="ZSSRSettings.full()",
        size=list(truth.shape[1:]),
        seconds=seconds,
        licence=photos()["astronaut"].licence,
        attribution=photos()["astronaut"].attribution,
    )


CHAPTERS = {"zssr": old_photograph, "tour": tour}


def main(chapters: tyro.conf.Positional[tuple[Literal["zssr", "tour"], ...]]) -> None:
    """Draw the openings of these chapters."""
    torch.set_num_threads(1)
    for chapter in chapters:
        CHAPTERS[chapter]()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
