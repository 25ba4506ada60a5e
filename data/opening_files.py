"""Write the pictures and the record of an opening, for data/draw_openings.py."""

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image as Picture
from torch import Tensor

from dil_teach import psnr_y
from dil_teach.image.convention import Image, to_uint8
from dil_teach.image.kernel_estimate import moments
from dil_teach.image.resize import resize

OUT = Path(__file__).parent / "openings"
SEED = 0
"""Seed of every run."""
SIDE = 256
"""Side of each picture in pixels."""
QUALITY = 92
"""JPEG quality of the pictures."""
QUALITY_OF_FIGURES = 85
"""WebP quality of pictures that are figures with text."""
MOST_BYTES = 400_000
"""Largest size of an animation."""
INSET = 64
"""Side in pixels of a kernel in the corner of a picture, without its frame."""
VISIBLE = 0.04
"""Weights of a kernel below this fraction of its largest weight are nearly black."""
BORDER = 8
"""Width in pixels of the border that the PSNR leaves out."""
MEASURE = f"PSNR of the luma, without a border of {BORDER} pixels"


def rounded(image: Image) -> Image:
    """The image in [0, 1] with eight bits."""
    return (image.clamp(0, 1) * 255).round() / 255


def enlarged_part(image: Image, corner: tuple[int, int], side: int) -> Image:
    """A part of the image; each of its pixels is a square of 2 x 2 pixels."""
    (top, left) = corner
    part = image[:, top : top + side, left : left + side]
    return part.repeat_interleave(2, 1).repeat_interleave(2, 2)


def luma_decibels(pictures: dict[str, Image], truth: Image) -> dict[str, float]:
    """``MEASURE`` for each picture, in dB."""
    return {
        name: round(psnr_y(image.clamp(0, 1), truth, shave=BORDER), 2)
        for name, image in pictures.items()
    }


def drawn(kernels: dict[str, Tensor], reach: float | None = None) -> dict[str, Image]:
    """Kernels in equal windows, each divided by its largest weight.

    The centre of mass of each kernel is in the middle of its window, and all kernels
    are enlarged by the same factor. The window ends ``reach`` pixels from its middle;
    by default it holds all visible weights.
    """
    centres, shown = {}, {}
    for name, kernel in kernels.items():
        shown[name] = (kernel.float() / kernel.max()).clamp(0, 1)
        x, y = moments(shown[name])[0]
        centres[name] = torch.tensor([y, x]).float()
    if reach is None:
        visible = {name: (k > VISIBLE).nonzero() for name, k in shown.items()}
        ends = [(visible[n] - centres[n]).abs().max() for n in kernels]
        reach = int(torch.stack(ends).max()) + 2
    zoom = SIDE / (2 * reach + 1)
    place = (torch.arange(SIDE) - (SIDE - 1) / 2) / zoom
    pictures = {}
    for name, kernel in shown.items():
        rows, columns = ((c + place).round().long() + SIDE for c in centres[name])
        pictures[name] = F.pad(kernel, 4 * (SIDE,))[None, rows][:, :, columns]
    return pictures


def bicubic_kernel() -> Tensor:
    """The weights of bicubic downscaling by 2: the gradient of one small pixel."""
    image = torch.zeros(1, 32, 32, requires_grad=True)
    (weights,) = torch.autograd.grad(resize(image, 0.5)[0, 8, 8], image)
    return weights[0]


def with_kernels(
    pictures: dict[str, Image], kernels: dict[str, Tensor], corner: tuple[int, int]
) -> dict[str, Image]:
    """Crops with this upper left corner; some show their kernel in the lower left.

    All kernels are enlarged by the same factor.
    """
    top, left = corner
    crops = {
        name: image[:, top : top + SIDE, left : left + SIDE].clone()
        for name, image in pictures.items()
    }
    for name, square in drawn(kernels).items():
        small = F.interpolate(square[None], size=(INSET, INSET), mode="area")[0]
        framed = F.pad(small, (2, 2, 2, 2), value=1.0)
        crops[name][:, -INSET - 4 :, : INSET + 4] = framed
    return crops


def picture_of(figure: Figure) -> Image:
    """The pixels of a figure of matplotlib, as Float[Tensor, "3 h w"]."""
    drawn = FigureCanvasAgg(figure)
    drawn.draw()
    pixels = torch.from_numpy(np.asarray(drawn.buffer_rgba())[..., :3].copy())
    return pixels.permute(2, 0, 1).float() / 255


def animate(
    chapter: str,
    frames: Sequence[Image],
    alt: str,
    milliseconds: int = 120,
    most_bytes: int = MOST_BYTES,
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
        if file.stat().st_size <= most_bytes:
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
    quality: int = QUALITY,
    form: Literal["jpg", "webp"] = "jpg",
    **facts: Any,
) -> None:
    """Write crops of the pictures with this upper left corner, and the record.

    Crops have ``side`` pixels a side; pictures of this size are written whole, and all
    pictures if there is no corner. ``facts`` are further entries of the record. WebP
    files of figures with text are smaller than JPEG files.
    """
    OUT.mkdir(exist_ok=True)
    panels = []
    for number, (title, image) in enumerate(pictures.items()):
        if corner is not None and image.shape[1:] != (side, side):
            top, left = corner
            image = image[:, top : top + side, left : left + side]
        file = f"{chapter}_{number}.{form}"
        pixels = Picture.fromarray(to_uint8(image))
        if form == "webp":
            pixels.save(OUT / file, quality=QUALITY_OF_FIGURES, method=6)
        else:
            pixels.save(OUT / file, quality=quality, optimize=True)
        panels.append({"file": file, "title": title})
    about = {"seed": SEED, "commit": commit_of_code(), "torch": torch.__version__}
    record = {"panels": panels, "decibels": decibels, **facts, **about}
    record["corner"] = corner
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (OUT / f"{chapter}.json").write_text(text + "\n", encoding="utf-8")
