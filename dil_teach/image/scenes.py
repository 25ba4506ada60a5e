"""Pictures of known layers: rendered from the photographs, listed in data/scenes.json.

``data/render_scenes.py`` computes them and says what each is made of.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dil_teach.image.files import load_image
from dil_teach.image.shipped import shipped

MAPS = ("mask", "masks", "foreground_hint", "background_hint", "transmission", "alpha")
"""Images of one channel; all others have three, though their file may be grey."""


@dataclass(frozen=True)
class Scene:
    """A rendered picture and the layers of which it is composed."""

    name: str
    kind: str
    """``composite``, ``mixture``, ``haze``, ``watermark`` or ``video``."""
    title: str
    attribution: str
    """The line to print beside the picture."""
    images: dict[str, Tensor]
    """float32 in [0, 1]: (c, h, w), or (n, c, h, w) for a set or a film.

    - composite: ``image``, ``mask`` (1 where the front is), ``front``, ``back``,
      ``foreground_hint``, ``background_hint``;
      image = mask * front + (1 - mask) * back
    - mixture: ``mixtures``, ``layers`` (two each);
      mixture k = a_k * layer 1 + (1 - a_k) * layer 2
    - haze: ``image``, ``clear``, ``transmission``, ``airlight`` (as large as the
      image); image = t * clear + (1 - t) * airlight, all three in linear light
    - watermark: ``marked``, ``clean`` (three each), ``alpha``;
      marked = (1 - alpha) * clean + alpha * colour
    - video of a figure: ``frames``, ``masks`` (eight each), and the hints of frame 0
    - video of haze: ``frames``, ``clear``, ``transmission`` (eight each), ``airlight``

    Maps and masks have one channel, all others three.
    """
    known: dict[str, Any]
    """Numbers.

    - composite: ``figure_share`` of the picture, ``disk`` [y, x, radius] of the
      hint, in pixels
    - mixture: ``coefficients`` [a_1, a_2], a_1 > a_2
    - haze: ``airlight`` (sRGB triple, the mean where it is not ``uniform``), ``beta``
      (t = exp(-beta * depth), depth in metres), ``sky``
    - watermark: ``colour`` (sRGB triple), ``box`` [y, x, height, width] in pixels
    - video of a figure: since frame 0, ``figure_motion`` and ``background_motion``
      [dy, dx] in pixels, ``figure_turn`` in degrees clockwise about ``figure_centre``
      [y, x] (which moves with the figure), one for each frame
    - video of haze: ``motion`` [dy, dx] since frame 0, and what haze has
    """


def scenes(kind: str | None = None, folder: str | Path | None = None) -> list[str]:
    """Names of the scenes.

    Parameters
    ----------
    kind : {"composite", "mixture", "haze", "watermark", "video"}, optional
        Only these.
    folder : str or Path, optional
        Where ``data/render_scenes.py --practice`` wrote; else those that ship.

    Returns
    -------
    list[str]
        In the order of ``scenes.json``.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    entries = _entries(folder)
    kinds = list(dict.fromkeys(entry["kind"] for entry in entries.values()))
    if kind is not None and kind not in kinds:
        raise ValueError(
            f"kind: expected one of {', '.join(kinds)}, got '{kind}'; "
            "scenes() lists the scenes of every kind"
        )
    return [name for name, entry in entries.items() if kind in (None, entry["kind"])]


def scene(name: str, folder: str | Path | None = None) -> Scene:
    """Load a scene with all its layers.

    Parameters
    ----------
    name : str
        One of :func:`scenes`.
    folder : str or Path, optional
        Where ``data/render_scenes.py --practice`` wrote; else those that ship.

    Returns
    -------
    Scene

    Raises
    ------
    ValueError
        If there is no scene of that name.
    FileNotFoundError
        If the folder holds no ``scenes.json``, or a file is missing.
    """
    entries = _entries(folder)
    if name not in entries:
        raise ValueError(
            f"name: expected one of {', '.join(entries)}, got '{name}'; "
            "scenes() lists them"
        )
    entry = entries[name]
    root = _root(folder)
    return Scene(
        name=name,
        kind=entry["kind"],
        title=entry["title"],
        attribution=entry["attribution"],
        images={key: _read(root, key, files) for key, files in entry["files"].items()},
        known=entry["known"],
    )


def _root(folder: str | Path | None) -> Path:
    return shipped("data") if folder is None else Path(folder)


def _entries(folder: str | Path | None) -> dict[str, dict[str, Any]]:
    listed = json.loads((_root(folder) / "scenes.json").read_text(encoding="utf-8"))
    return {entry["name"]: entry for entry in listed}


def _read(root: Path, key: str, files: str | list[str]) -> Tensor:
    if isinstance(files, list):
        return torch.stack([_read(root, key, file) for file in files])
    image = load_image(root / files)
    return image if key in MAPS else image.expand(3, -1, -1).clone()
