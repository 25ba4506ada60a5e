"""What each part of ZSSR adds, beside baselines that need no network."""

from dil_teach.classical.back_projection import back_project
from dil_teach.deep.zssr.large_images import tiles
from dil_teach.deep.zssr.network import enlarge
from dil_teach.deep.zssr.zssr import ZSSR
from dil_teach.image.convention import Image
from dil_teach.image.resize import resize


def compare(zssr: ZSSR) -> dict[str, Image]:
    """The result of ZSSR step by step, and two baselines.

    Parameters
    ----------
    zssr : ZSSR
        Trained; it does not change.

    Returns
    -------
    dict of str to Image
        Images of the wanted size in [0, 1]: ``bicubic``; ``bicubic + back-projection``
        with the same kernel and the twenty iterations that suit it best, the baseline
        that a network must beat; ``raw``, the network's own output; ``raw +
        back-projection``; ``ensemble``, the mean over orientations; and ``final``, what
        :meth:`ZSSR.super_resolve` returns.
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
