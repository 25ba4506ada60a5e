"""Comparison of the parts of ZSSR with baselines that need no network."""

import torch

from dil_teach.classical.back_projection import back_project
from dil_teach.deep.zssr.network import enlarge
from dil_teach.deep.zssr.zssr import ZSSR, make_consistent
from dil_teach.image.convention import Image
from dil_teach.image.resize import resize
from dil_teach.training.tiles import by_tiles


def compare(zssr: ZSSR) -> dict[str, Image]:
    """The result of ZSSR after each of its steps, and two baselines, all in [0, 1].

    ``bicubic`` and ``bicubic + back-projection`` are the baselines; the second baseline
    uses the same kernel as ZSSR and twenty iterations, the best number for this
    baseline. ``raw`` is the network's output. ``ensemble`` is the mean output over
    orientations. ``raw + back-projection`` shows the effect of the correction.
    ``final`` is the result of :meth:`ZSSR.super_resolve`.
    """
    scale, kernel, settings = zssr.scale, zssr.kernel, zssr.settings

    def draw(low: Image, size: tuple[int, int]) -> Image:
        bicubic = resize(low, scale, size)
        raw = enlarge(zssr.network, low, scale, size)
        ensemble = enlarge(zssr.network, low, scale, size, zssr.orientations)
        versions = (
            bicubic,
            back_project(bicubic, low, kernel, scale),
            raw,
            make_consistent(raw, low, kernel, scale, settings),
            ensemble,
            make_consistent(ensemble, low, kernel, scale, settings),
        )
        return torch.cat(versions).clamp(0, 1)

    names = ("bicubic", "bicubic + back-projection", "raw", "raw + back-projection")
    versions = by_tiles(zssr.image, scale, zssr.size, draw).split(len(zssr.image))
    return dict(zip((*names, "ensemble", "final"), versions, strict=True))
