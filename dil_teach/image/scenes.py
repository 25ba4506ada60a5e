"""Pictures with known layers, rendered from photographs by data/render_scenes.py."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dil_teach.image.files import load_image
from dil_teach.image.shipped import shipped

MAPS = ("mask", "masks", "foreground_hint", "background_hint", "transmission", "alpha")
"""Keys of images with one channel. All other images have three."""


@dataclass(frozen=True)
class Scene:
    """A rendered picture and its layers."""

    name: str
    kind: str
    """``composite``, ``mixture``, ``haze``, ``watermark`` or ``video``."""
    title: str
    attribution: str
    """The credit line to print beside the picture."""
    images: dict[str, Tensor]
    """float32 in [0, 1]: one image (c, h, w), or several (n, c, h, w). Maps and masks
    have one channel, all other images three.

    - composite: ``image``, ``mask`` (1 on the foreground), ``front``, ``back``,
      ``foreground_hint``, ``background_hint``; image = mask * front + (1 - mask) * back
    - mixture: ``mixtures``, ``layers`` (two each);
      mixture k = a_k * layer 1 + (1 - a_k) * layer 2
    - haze: ``image``, ``clear``, ``transmission``, ``airlight`` (of the image's
      size); image = t * clear + (1 - t) * airlight in linear light
    - watermark: ``marked``, ``clean`` (three each), ``alpha``;
      marked = (1 - alpha) * clean + alpha * colour
    - video_figure: ``frames``, ``masks`` (eight each), and the hints of frame 0
    - video_haze: ``frames``, ``clear``, ``transmission`` (eight each), ``airlight``
    """
    known: dict[str, Any]
    """Numbers that the scene was rendered with.

    - composite: ``figure_share``, the mean of the mask; ``disk`` [y, x, radius], the
      foreground hint, in pixels
    - mixture: ``coefficients`` [a_1, a_2], a_1 > a_2
    - haze: ``airlight`` (sRGB triple; its mean if it is not ``uniform``), ``beta``
      (t = exp(-beta * depth), depth in metres), ``sky``
    - watermark: ``colour`` (sRGB triple), ``box`` [y, x, height, width] in pixels
    - video_figure: for each frame, relative to frame 0, ``figure_motion`` and
      ``background_motion`` [dy, dx] in pixels, and ``figure_turn`` in degrees
      clockwise about ``figure_centre`` [y, x], which moves with the figure
    - video_haze: ``motion`` [dy, dx] of each frame relative to frame 0, and the same
      parameters as haze
    """


def scenes(kind: str | None = None, folder: str | Path | None = None) -> list[str]:
    """Names of all scenes, or of the scenes of one kind.

    Parameters
    ----------
    kind : {"composite", "mixture", "haze", "watermark", "video"}, optional
        Default: all. A ValueError is raised for an unknown kind.
    folder : str or Path, optional
        A folder that ``data/render_scenes.py --practice`` wrote. Default: the scenes of
        the library.
    """
    entries = _list_scenes(folder)[1]
    kinds = list(dict.fromkeys(entry["kind"] for entry in entries.values()))
    if kind is not None and kind not in kinds:
        raise ValueError(f"kind: expected one of {', '.join(kinds)}, got '{kind}'")
    return [name for name, entry in entries.items() if kind in (None, entry["kind"])]


def scene(name: str, folder: str | Path | None = None) -> Scene:
    """Load a scene with all its layers.

    Parameters
    ----------
    name : str
        A name that :func:`scenes` lists.
    folder : str or Path, optional
        As in :func:`scenes`.
    """
    root, entries = _list_scenes(folder)
    if name not in entries:
        raise ValueError(f"name: expected one of {', '.join(entries)}, got '{name}'")
    entry = entries[name]
    images = {key: _read(root, key, files) for key, files in entry["files"].items()}
    given = (entry[key] for key in ("kind", "title", "attribution"))
    return Scene(name, *given, images=images, known=entry["known"])


def _list_scenes(folder: str | Path | None) -> tuple[Path, dict[str, dict[str, Any]]]:
    root = shipped("data") if folder is None else Path(folder)
    listed = json.loads((root / "scenes.json").read_text(encoding="utf-8"))
    return root, {entry["name"]: entry for entry in listed}


def _read(root: Path, key: str, files: str | list[str]) -> Tensor:
    if isinstance(files, list):
        return torch.stack([_read(root, key, file) for file in files])
    image = load_image(root / files)
    return image if key in MAPS else image.expand(3, -1, -1).clone()
