"""The opening of chapter 14, for data/draw_openings.py: two scenes separate.

Two mixtures of two photographs are separated by Double-DIP, and a photograph is
segmented. The training can be continued after an interruption: its state is kept in
``layers.safetensors``, or in the file that ``LAYERS_STATE`` names.
"""

import os
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from opening_files import MEASURE, OUT, SEED, Seconds, luma_decibels, rounded, write
from PIL import Image as Picture

from dil_teach import (
    Segmentation,
    SegmentationSettings,
    Separation,
    SeparationSettings,
    fit,
    photo,
    resume,
    save,
)
from dil_teach.classical.exclusion_search import exclusion_search, unmix
from dil_teach.classical.segmentation.grab_cut import grab_cut
from dil_teach.classical.segmentation.region_growing import cut_grown_hints
from dil_teach.image.convention import Image, to_uint8
from dil_teach.image.photos import photos
from dil_teach.image.resize import resize

SIZE = 256
"""Side of the mixtures in pixels."""
SHARES = (0.7, 0.3)
"""Coefficients of the astronaut in the two mixtures."""
STEPS, FRAME_EVERY = 600, 12
"""Steps of the training, and of the first frames of the animation."""
DISK = (290, 450, 45)
"""Row, column and radius of the hint inside the fig, in pixels."""
LEFT = 170
"""First column of the square that the panels of the fig show, in pixels."""
PLAYED = 192
"""Side of a layer in the animation, in pixels."""


def layers() -> None:
    """Chapter 14: an astronaut and a pagoda, mixed twice, at 256 pixels."""
    truth = torch.stack([photo("astronaut", size=SIZE), photo("china", size=SIZE)])
    mixtures = torch.stack([rounded(a * truth[0] + (1 - a) * truth[1]) for a in SHARES])
    state = Path(os.environ.get("LAYERS_STATE", "layers.safetensors"))
    frames = state.with_suffix("")
    frames.mkdir(exist_ok=True)
    settings = SeparationSettings.standard(seed=SEED, steps=STEPS)
    separation = (
        resume(state, mixtures) if state.exists() else Separation(mixtures, settings)
    )
    seconds = Seconds({"Double-DIP": _seconds(frames)})
    begin = time.process_time()
    while separation.step < STEPS:
        separation.train_step()
        step = separation.step
        if step in _moments():
            drawn = separation.dip.layers()
            _frame(drawn.front[0], drawn.back[0]).save(frames / f"{step:05}.png")
        if step % 50 == 0 or step == STEPS:
            save(separation, state)
            spent = seconds["Double-DIP"] + time.process_time() - begin
            seconds["Double-DIP"] = round(spent, 1)
            begin = time.process_time()
            (frames / "seconds.txt").write_text(str(seconds["Double-DIP"]))
    found = separation.layers()
    searched = seconds.of("exclusion search", lambda: exclusion_search(mixtures))
    by_search = unmix(mixtures, searched)
    pictures = {
        "mixture 1": mixtures[0],
        "mixture 2": mixtures[1],
        "network 1": found.network_first,
        "network 2": found.network_second,
        "closed form, layer 1": found.first,
        "closed form, layer 2": found.second,
    }
    hidden = {
        "exclusion search, layer 1": by_search[0],
        "exclusion search, layer 2": by_search[1],
    }
    decibels = luma_decibels(
        {n: x for n, x in (pictures | hidden).items() if "2" not in n[-1]}, truth[0]
    )
    decibels |= luma_decibels(
        {n: x for n, x in (pictures | hidden).items() if "2" in n[-1]}, truth[1]
    )
    _play(frames, OUT / "layers.webp")
    credit = photos()
    write(
        "layers",
        pictures,
        decibels,
        truth="the photographs astronaut and china",
        measure=f"{MEASURE}; 1 is compared with the astronaut, 2 with the pagoda",
        settings=f"SeparationSettings.standard(steps={STEPS}), two mixtures",
        size=[SIZE, SIZE],
        seconds=seconds,
        coefficients={
            "true": SHARES,
            "Double-DIP": [round(a, 4) for a in found.coefficients],
            "exclusion search": [round(a, 4) for a in searched],
        },
        animation={
            "file": "layers.webp",
            "alt": "The outputs of the two networks during the training: at first two "
            "coloured fogs, then two blurred scenes, then an astronaut on the left and "
            "a pagoda on the right",
        },
        licence=credit["china"].licence,
        attribution=f"{credit['astronaut'].attribution} {credit['china'].attribution}",
    )


def fig() -> None:
    """Chapter 14: the fig, segmented from a disk and the border of the picture."""
    image = photo("fig")
    height, width = image.shape[1:]
    y, x = torch.arange(height)[:, None], torch.arange(width)
    top, left, radius = DISK
    disk = ((y - top) ** 2 + (x - left) ** 2 < radius**2)[None].float()
    frame = torch.ones_like(disk)
    frame[:, 32:-32, 32:-32] = 0
    seconds = Seconds()
    settings = SegmentationSettings(seed=SEED)
    learned = seconds.of(
        "grown hints", lambda: Segmentation(image, disk, frame, settings)
    )
    mask = seconds.of("last cut", lambda: cut_grown_hints(learned.start))
    seconds.of("training of the networks", lambda: fit(learned))
    own = resize(learned.dip.layers().mask[0], size=(height, width)).clamp(0, 1)
    small = resize(image, size=(130, 192)).clamp(0, 1)
    hints = [F.adaptive_max_pool2d(hint, (130, 192)) for hint in (disk, frame)]
    by_colour = seconds.of("GrabCut", lambda: grab_cut(small, hints[0], hints[1]))
    by_colour = resize(by_colour, size=(height, width)).clamp(0, 1)
    half = {
        "photograph and hints": image * (1 - 0.6 * (disk + frame)) + 0.6 * disk,
        "GrabCut": image * by_colour,
        "Double-DIP, mask of the networks": image * own,
        "Double-DIP, last cut": image * learned.mask(),
        "grown hints, last cut": image * mask[0],
    }
    pictures = {
        name: resize(x[:, :, LEFT : LEFT + height], size=(SIZE, SIZE)).clamp(0, 1)
        for name, x in half.items()
    }
    about = photos()["fig"]
    write(
        "fig",
        pictures,
        {},
        truth="none is known",
        measure="none; the next sections measure masks",
        settings="SegmentationSettings.quick(); one disk and the border as hints",
        size=[height, width],
        seconds=seconds,
        licence=about.licence,
        attribution=about.attribution,
    )


def _moments() -> list[int]:
    """The steps of the animation's frames: dense at first."""
    found, step = [], 1.0
    while step <= STEPS:
        found.append(round(step))
        step = max(step + FRAME_EVERY, step * 1.12)
    return found


def _seconds(frames: Path) -> float:
    file = frames / "seconds.txt"
    return float(file.read_text()) if file.exists() else 0.0


def _frame(one: Image, other: Image) -> Picture.Image:
    pair = torch.cat([one, other], 2).clamp(0, 1)
    pixels = Picture.fromarray(to_uint8(pair))
    return pixels.resize((2 * PLAYED, PLAYED), Picture.Resampling.LANCZOS)


def _play(frames: Path, out: Path) -> None:
    """Write the frames as an animation that starts again after a pause."""
    pictures = [Picture.open(file) for file in sorted(frames.glob("*.png"))]
    durations = [180] * (len(pictures) - 1) + [2500]
    pictures[0].save(
        out,
        save_all=True,
        append_images=pictures[1:],
        duration=durations,
        loop=0,
        quality=55,
        method=6,
    )
