"""dil-teach recurrence: map where the patches of a photograph recur in it."""

import json
import math
import time

from tqdm import tqdm

from dil_teach.commands.files import In, Out, check_input_is_kept, check_place, write

MOST_PIXELS = 300_000
"""Most pixels of the photograph: two minutes, and 3 GB of memory."""


def recurrence(
    image: In,
    out: Out,
    /,
    scale: float = 1.0,
    patch_size: int = 5,
    max_side: int | None = None,
) -> None:
    """Map where the patches of a photograph recur in it, at its own or another scale.

    Each pixel of the map is the top left corner of a patch. Its grey value is
    255 x matches / 16, rounded: black has no match, white has 16 or more. A JSON file
    beside the map holds the numbers. Transparency is ignored.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        out: The map to write, a .png; the numbers get the same name with .json.
        scale: Size of the image that is searched: 1 is the photograph itself, 0.5 the
            photograph at half its size.
        patch_size: Side of a patch in pixels.
        max_side: Downscale the photograph first, until no side has more pixels.
    """
    begin = time.perf_counter()
    figures_out = out.with_suffix(".json")
    check_place(out, (".png",))
    check_place(figures_out, (".json",))

    from PIL import Image as Picture

    import dil_teach
    from dil_teach.image.convention import split_alpha
    from dil_teach.image.files import load_image
    from dil_teach.image.resize import resize
    from dil_teach.patches.recurrence import (
        LEAST,
        MOST,
        SCALES,
        detailed,
        recurrence_map,
    )

    colour, alpha = split_alpha(load_image(image))
    check_input_is_kept(out, image)
    height, width = file_size = (colour.shape[-2], colour.shape[-1])
    if max_side is not None:
        if max_side < 1:
            raise ValueError(
                f"--max-side: expected at least 1 pixel, got {max_side}; try 512"
            )
        if max_side < max(height, width):
            smaller = max_side / max(height, width)
            height, width = (max(1, round(side * smaller)) for side in (height, width))
            colour = resize(colour, size=(height, width)).clamp(0, 1)
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
    # as `recurrence_score`, but of all patches, because their maps exist already
    shares = [(maps[each] >= 1).double().mean().item() for each in SCALES]
    detail = detailed(colour, patch_size)
    parts = {"all": counts, "smooth": counts[~detail], "detailed": counts[detail]}
    figures = {
        "image": image.name,
        "file_height": file_size[0],
        "file_width": file_size[1],
        "height": height,
        "width": width,
        "transparency": "none" if alpha is None else "left out of account",
        "patch_size": patch_size,
        "scale": scale,
        "grey": f"255 x good matches / {MOST}, rounded",
        "patches": counts.numel(),
        "detailed": "the quarter of most contrast",
        **{
            f"percent_with_at_least_{least}": {
                part: round(100 * (some >= least).double().mean().item(), 2)
                for part, some in parts.items()
            }
            for least in (1, LEAST)
        },
        "recurrence_score": round(sum(shares) / len(shares), 4),
        "dil_teach": dil_teach.__version__,
    }
    text = json.dumps(figures, indent=2, ensure_ascii=False) + "\n"
    grey = Picture.fromarray((counts.double() * 255 / MOST).round().byte().numpy())
    write(
        {
            out: lambda file: grey.save(file, format="PNG"),
            figures_out: lambda file: file.write_bytes(text.encode()),
        }
    )
    seconds = time.perf_counter() - begin
    print(f"{out}, {figures_out}: {counts.numel()} patches in {seconds:.1f} s")
