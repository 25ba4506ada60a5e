"""The photographs of the course, and the benchmark sets of the papers.

``data/photos.json`` lists the photographs, which are in ``data/`` and in the packages
scikit-image and scikit-learn. We may not distribute the benchmark sets, so they are
read from the reader's own folder, or downloaded on request.
"""

import json
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pooch

from dil_teach.image.convention import Image
from dil_teach.image.files import load_image
from dil_teach.image.resize import resize
from dil_teach.image.shipped import shipped

Pair = tuple[str, Image, Image]
"""A file stem such as ``"img_001"``, the high-resolution image, and the low-resolution
image."""


@dataclass(frozen=True)
class Photo:
    """The description of one picture; :func:`photo` loads its pixels."""

    name: str
    title: str
    file: str
    """``data/...`` in this repository, or ``package:path`` in an installed package."""
    source: str
    author: str
    licence: str
    attribution: str
    """The credit line to print beside the picture."""
    sha256: str
    size: tuple[int, int]
    """Height and width in pixels."""
    colour: bool
    rendered: bool
    """True if the picture was computed, not photographed."""
    recurrence: str
    """What repeats in the picture, within and across scales."""

    @property
    def path(self) -> Path:
        """The path of the picture file on this machine."""
        package, _, inside = self.file.rpartition(":")
        if not package:
            return shipped(inside)
        spec = find_spec(package)  # find_spec does not import the package
        path = Path(spec.origin).parent / inside if spec and spec.origin else None
        if path is None or not path.exists():
            raise FileNotFoundError(
                f"photo '{self.name}': expected the file {inside} in the package "
                f"{package}, found none; install {package} again"
            )
        return path


def photos() -> dict[str, Photo]:
    """All photographs by name, in the order of ``data/photos.json``."""
    entries = json.loads(shipped("data/photos.json").read_text(encoding="utf-8"))
    return {e["name"]: Photo(**e | {"size": tuple(e["size"])}) for e in entries}


def photo(name: str, size: int | None = None) -> Image:
    """Load a photograph of the course: three channels, or one if it is grey.

    Parameters
    ----------
    name : str
        A key of :func:`photos`.
    size : int, optional
        Side of the result in pixels, at most the shorter side of the photograph. The
        central square is downscaled (bicubic, antialiased). Default: whole photograph.
    """
    known = photos()
    if name not in known:
        raise ValueError(
            f"name: expected one of {', '.join(known)}, got '{name}'; "
            "load_image(path) reads your own photograph"
        )
    if size is None:
        return load_image(known[name].path)
    height, width = known[name].size
    side = min(height, width)
    if not 1 <= size <= side:
        raise ValueError(
            f"size: expected 1 to {side} pixels, the shorter side of '{name}', got "
            f"{size}; try a smaller size or another photograph"
        )
    top, left = (height - side) // 2, (width - side) // 2
    square = load_image(known[name].path)[:, top : top + side, left : left + side]
    return resize(square, size=(size, size)).clamp(0, 1)


def benchmark_pairs(name: str, scale: int) -> list[Pair]:
    """Load a benchmark set, such as Set5, Set14, BSD100 or Urban100, sorted by stem.

    The environment variable ``DIL_TEACH_DATASETS`` names the folder of the sets. Each
    set is a folder of pairs such as ``Set5/img_001_x2_HR.png`` and
    ``Set5/img_001_x2_LR.png``. If instead ``DIL_TEACH_DOWNLOAD`` is 1, the files that
    ``data/benchmarks.json`` lists (Set5) are downloaded once, and their hashes are
    checked. A FileNotFoundError is raised if a pair is not found.

    Parameters
    ----------
    name : str
        Name of the folder that contains the set.
    scale : int
        The factor in the file names: the LR image is ``scale`` times smaller.
    """
    root = os.environ.get("DIL_TEACH_DATASETS")
    if not root and os.environ.get("DIL_TEACH_DOWNLOAD") == "1":
        root = str(_download(name, scale))
    ending = f"_x{scale}_HR.png"
    pairs = []
    for hr_path in sorted(Path(root, name).glob(f"*{ending}")) if root else ():
        stem = hr_path.name.removesuffix(ending)
        lr_path = hr_path.with_name(f"{stem}_x{scale}_LR.png")
        pairs.append((stem, load_image(hr_path), load_image(lr_path)))
    if not pairs:
        raise FileNotFoundError(
            f"DIL_TEACH_DATASETS: expected a folder that holds {name} at x{scale} "
            f"({name}/img_001_x{scale}_HR.png, {name}/img_001_x{scale}_LR.png, ...), "
            f"got '{root or ''}'; DIL_TEACH_DOWNLOAD=1 downloads Set5"
        )
    return pairs


def _download(name: str, scale: int) -> Path:
    """Download a set at one scale; return the folder that contains the sets."""
    listed = json.loads(shipped("data/benchmarks.json").read_text(encoding="utf-8"))
    folder = pooch.os_cache("dil_teach")
    for file, sha256 in listed["sha256"].items():
        stem, _, ending = Path(file).name.partition(f"_x{scale}_")
        if Path(file).parent.name == name and ending:
            parts = {"stem": stem, "kind": ending.removesuffix(".png")}
            address = listed["address"].format(set=name, scale=scale, **parts)
            pooch.retrieve(address, sha256, Path(file).name, folder / name)
    return folder
