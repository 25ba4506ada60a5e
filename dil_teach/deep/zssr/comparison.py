"""Comparison of the parts of ZSSR with baselines that need no network."""

from dil_teach.classical.back_projection import back_project
from dil_teach.deep.zssr.large_images import tiles
from dil_teach.deep.zssr.network import enlarge
from dil_teach.deep.zssr.zssr import ZSSR
from dil_teach.image.convention import Image
from dil_teach.image.resize import resize


def compare(zssr: ZSSR) -> dict[str, Image]:
    """The result of ZSSR after each of its steps, and two baselines.

    Parameters
    ----------
    zssr : ZSSR
        A trained method; it does not change.

    Returns
    -------
    dict of str to Image
        Images of the requested size in [0, 1]. ``bicubic`` and ``bicubic +
        back-projection`` are the baselines; the second uses the same kernel and twenty
        iterations, which suit it best. ``raw`` is the network's output, ``ensemble``
        its mean over orientations, and ``raw + back-projection`` shows the effect of
        back-projection. ``final`` is the result of :meth:`ZSSR.super_resolve`.
    """
    results: dict[str, Image] = {}
    for tile in tiles(zssr.image, zssr.scale, zssr.size):
        low, scale, size = tile.image, zssr.scale, tile.size
        kernel, rounds = zssr.kernel, zssr.back_projections
        bicubic = resize(low, scale, size)
        raw = enlarge(zssr.network, low, scale, size)
        ensemble = enlarge(zssr.network, low, scale, size, zssr.orientations)
        versions = {
            "bicubic": bicubic,
            "bicubic + back-projection": back_project(bicubic, low, kernel, scale),
            "raw": raw,
            "raw + back-projection": back_project(raw, low, kernel, scale, rounds),
            "ensemble": ensemble,
            "final": back_project(ensemble, low, kernel, scale, rounds),
        }
        for name, image in versions.items():
            if name not in results:
                results[name] = image.new_empty(len(image), *zssr.size)
            tile.paste(image.clamp(0, 1), results[name])
    return results
