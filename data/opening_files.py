"""Write the pictures and the record of an opening, for data/draw_openings.py."""

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image as Picture
from torch import Tensor

from dil_teach import psnr_y
from dil_teach.image.convention import Image, to_uint8

OUT = Path(__file__).parent / "openings"
SEED = 0
"""Seed of every run."""
SIDE = 256
"""Side of each picture in pixels."""
QUALITY = 92
"""JPEG quality of the pictures."""
MOST_BYTES = 400_000
"""Largest size of an animation."""
BORDER = 8
"""Width in pixels of the border that the PSNR leaves out."""
MEASURE = f"PSNR of the luma, without a border of {BORDER} pixels"


def rounded(image: Image) -> Image:
    """The image in [0, 1] with eight bits."""
    return (image.clamp(0, 1) * 255).round() / 255


def luma_decibels(pictures: dict[str, Image], truth: Image) -> dict[str, float]:
    """``MEASURE`` for each picture, in dB."""
    return {
        name: round(psnr_y(image.clamp(0, 1), truth, shave=BORDER), 2)
        for name, image in pictures.items()
    }


def drawn(kernels: dict[str, Tensor]) -> dict[str, Image]:
    """Kernels, each divided by its largest weight, all enlarged by the same factor."""
    longest = max(len(kernel) for kernel in kernels.values())
    zoom = SIDE // longest
    pictures = {}
    for name, kernel in kernels.items():
        pixels = (kernel / kernel.max()).clamp(0, 1).float()
        pixels = pixels.repeat_interleave(zoom, 0).repeat_interleave(zoom, 1)
        missing = SIDE - len(pixels)
        ends = (missing // 2, missing - missing // 2)
        pictures[name] = F.pad(pixels, (*ends, *ends))[None]
    return pictures


def animate(
    chapter: str, frames: Sequence[Image], alt: str, milliseconds: int = 120
) -> dict[str, str]:
    """Write ``CHAPTER.webp``, and return its entry of the record.

    The last frame stays for two seconds. The quality falls until the file is small.
    """
    pictures = [Picture.fromarray(to_uint8(frame)).convert("RGB") for frame in frames]
    times = [milliseconds] * (len(pictures) - 1) + [2000]
    OUT.mkdir(exist_ok=True)
    file = OUT / f"{chapter}.webp"
    for quality in range(85, 20, -10):
        rest = {"save_all": True, "append_images": pictures[1:], "loop": 0}
        pictures[0].save(file, duration=times, quality=quality, method=4, **rest)
        if file.stat().st_size <= MOST_BYTES:
            break
    return {"file": file.name, "alt": alt}


class Seconds(dict[str, float]):
    """CPU seconds of timed calls."""

    def of(self, name: str, work: Callable[[], Any]) -> Any:
        """Call ``work``, and keep its CPU seconds under this name."""
        begin = time.process_time()
        result = work()
        self[name] = round(time.process_time() - begin, 1)
        return result


def commit_of_code() -> str:
    """The last commit that changed the library or the scripts of this folder."""
    code = ("--", "dil_teach", "data/*.py")

    def git(*command: str) -> str:
        place = ["git", "-C", str(OUT.parents[1])]
        return subprocess.check_output([*place, *command, *code], text=True).strip()

    changed = " and changes" if git("diff", "HEAD", "--name-only") else ""
    return git("log", "-1", "--format=%h") + changed


def write(
    chapter: str,
    pictures: dict[str, Image],
    decibels: dict[str, float],
    corner: tuple[int, int] | None = (0, 0),
    side: int = SIDE,
    **facts: Any,
) -> None:
    """Write crops of the pictures with this upper left corner, and the record.

    Crops have ``side`` pixels a side; pictures of this size are written whole, and all
    pictures if there is no corner. ``facts`` are further entries of the record.
    """
    OUT.mkdir(exist_ok=True)
    panels = []
    for number, (title, image) in enumerate(pictures.items()):
        if corner is not None and image.shape[1:] != (side, side):
            top, left = corner
            image = image[:, top : top + side, left : left + side]
        file = f"{chapter}_{number}.jpg"
        pixels = Picture.fromarray(to_uint8(image))
        pixels.save(OUT / file, quality=QUALITY, optimize=True)
        panels.append({"file": file, "title": title})
    about = {"seed": SEED, "commit": commit_of_code(), "torch": torch.__version__}
    record = {"panels": panels, "decibels": decibels, **facts, **about}
    record["corner"] = corner
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (OUT / f"{chapter}.json").write_text(text + "\n", encoding="utf-8")
