"""dil-teach recurrence: map where the patches of a photograph recur in it."""

import json
import math
from functools import partial

from tqdm import tqdm

from dil_teach.commands.files import check_apart, check_place, load_picture, write
from dil_teach.commands.options import In, Out

MOST_PIXELS = 300_000
"""A photograph has at most this number of pixels, which need two minutes and 3 GB."""


def recurrence(
    image: In,
    out: Out,
    /,
    scale: float = 1.0,
    patch_size: int = 5,
    max_side: int | None = None,
) -> str:
    """Map where the patches of a photograph recur in it, at its own or another scale.

    Each pixel of the map is the top left corner of a patch. The grey value of a pixel
    is 255 x matches / 16, rounded: black means no match, and white 16 or more matches.
    A JSON file beside the map contains the numbers; recurrence_score is the fraction of
    patches with a match, averaged over five scales from 1 to 0.41. Transparency is
    ignored.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        out: The map to write, a .png; the numbers get the same name with .json.
        scale: Size of the image that is searched: 1 is the photograph itself, 0.5 the
            photograph at half its size.
        patch_size: Side of a patch in pixels.
        max_side: Largest side in pixels; a larger photograph is downscaled first.
    """
    figures_out = out.with_suffix(".json")
    check_place(out, (".png",))
    check_place(figures_out, (".json",))

    from PIL import Image as Picture

    import dil_teach
    from dil_teach.image.resize import limit_side
    from dil_teach.patches.recurrence import (
        LEAST,
        MOST,
        SCALES,
        detailed,
        recurrence_map,
    )

    colour, alpha = load_picture(image)
    check_apart([out], image)
    file_height, file_width = colour.shape[-2:]
    if max_side is not None and max_side < 1:
        raise ValueError(f"--max-side: expected at least 1, got {max_side}; try 512")
    if max_side is not None:
        colour = limit_side(colour, max_side, min_side=1)
    height, width = colour.shape[-2:]
    if height * width > MOST_PIXELS:
        side = int(max(height, width) * math.sqrt(MOST_PIXELS / height / width))
        raise ValueError(
            f"{image}: expected at most {MOST_PIXELS} pixels, got {height} x {width}; "
            f"crop it, or make it smaller with --max-side {side}"
        )
    maps = {}
    for each in tqdm(dict.fromkeys((scale, *SCALES)), "scales", leave=False):
        maps[each] = recurrence_map(colour, patch_size, each)
    counts = maps[scale]
    # like `recurrence_score`, but for all patches, because the maps exist already
    shares = [(maps[each] >= 1).double().mean().item() for each in SCALES]
    detail = detailed(colour, patch_size)
    parts = {"all": counts, "smooth": counts[~detail], "detailed": counts[detail]}

    def percentages(least: int) -> dict[str, float]:
        shares = {part: (some >= least).double().mean() for part, some in parts.items()}
        return {part: round(100 * share.item(), 2) for part, share in shares.items()}

    figures = {
        "image": image.name,
        "file_height": file_height,
        "file_width": file_width,
        "height": height,
        "width": width,
        "transparency": "none" if alpha is None else "left out of account",
        "patch_size": patch_size,
        "scale": scale,
        "grey": f"255 x good matches / {MOST}, rounded",
        "patches": counts.numel(),
        "detailed": "the quarter of the patches with the most contrast",
        **{f"percent_with_at_least_{n}": percentages(n) for n in (1, LEAST)},
        "recurrence_score": round(sum(shares) / len(shares), 4),
        "dil_teach": dil_teach.__version__,
    }
    text = json.dumps(figures, indent=2, ensure_ascii=False) + "\n"
    grey = Picture.fromarray((counts.double() * 255 / MOST).round().byte().numpy())
    files = {out: partial(grey.save, format="PNG"), figures_out: text}
    return write(files, f"{counts.numel()} patches")
