"""dil-teach recurrence: map where the patches of a photograph recur in it."""

import json

from dil_teach.commands.checks import check_apart, check_beside, check_place
from dil_teach.commands.estimate import expect
from dil_teach.commands.files import load_picture, write
from dil_teach.commands.options import In, Out, Read

QUERIES = 8_000
"""The map of a large photograph contains about this number of patches, or up to four
times as many, on a regular grid. On one photograph of 512 x 384 pixels, the percentages
of four such grids differed by at most 0.25 from those of all four together."""


def recurrence(
    image: In,
    out: Out,
    /,
    reading: Read,
    scale: float = 1.0,
    patch_size: int = 5,
) -> str:
    """Map where the patches of a photograph recur in it, at its own or another scale.

    Each pixel of the map is the top left corner of a patch. The grey value of a pixel
    is 255 x matches / 16, rounded: black means no match, and white 16 or more matches.
    A JSON file beside the map contains the numbers; recurrence_score is the fraction of
    patches with a match, averaged over five scales from 1 to 0.41. Patches with fully
    transparent pixels are left out; they are black. In a photograph of more than
    32,000 pixels, matches are searched for patches on a regular grid (the JSON file
    contains its stride in pixels), and each fills a square of the map. The score uses
    fewer of the patches.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        out: The map to write, a .png; the numbers get the same name with .json.
        scale: Size of the image that is searched: 1 is the photograph itself, 0.5 the
            photograph at half its size.
        patch_size: Side of a patch in pixels.
    """
    figures_out = out.with_suffix(".json")
    check_place(out, (".png",))
    check_place(figures_out, (".json",))

    import dil_teach
    from dil_teach.image.files import load_photograph, picture_size
    from dil_teach.patches.extract import check_patches, patches_inside
    from dil_teach.patches.recurrence import (
        LEAST,
        MOST,
        detailed,
        matched_patches,
        recurrence_map,
    )
    from dil_teach.patches.sampling import query_grid, resize_mask

    photograph = load_picture(image, reading)
    colour, alpha = photograph.colour, photograph.alpha
    check_apart([out, figures_out], image)
    check_beside(figures_out, out)
    file_height, file_width = picture_size(image)
    height, width = colour.shape[-2:]
    check_patches(colour, patch_size, least=2)
    visible = None
    if alpha is not None:
        whole = load_photograph(image).alpha  # with --max-side, alpha is blurred
        assert whole is not None
        visible = resize_mask(whole[0] > 0, (height, width))
        if not patches_inside(visible, patch_size).any():
            raise ValueError(
                f"{image}: expected a patch of {patch_size} x {patch_size} pixels "
                "without transparent ones, got none; fill the transparent areas"
            )
    expect("recurrence", image, (height, width))
    stride, inside = query_grid(colour, patch_size, QUERIES, visible)
    counts = recurrence_map(colour, patch_size, scale, stride, visible)
    found = matched_patches(colour, patch_size, visible)
    matched = [each.double().mean().item() for each in found]
    detail = detailed(colour, patch_size, stride, inside)
    parts = {"all": inside, "smooth": inside & ~detail, "detailed": detail}

    def percentages(least: int) -> dict[str, float]:
        shares = {p: (counts[i] >= least).double().mean() for p, i in parts.items()}
        return {part: round(100 * share.item(), 2) for part, share in shares.items()}

    figures = {
        "image": image.name,
        "file_height": file_height,
        "file_width": file_width,
        "height": height,
        "width": width,
        "transparency": "none" if alpha is None else "hidden pixels left out",
        "patch_size": patch_size,
        "scale": scale,
        "grey": f"255 x good matches / {MOST}, rounded",
        "stride": stride,
        "patches": int(inside.sum()),
        "detailed": "the quarter of the patches with the most contrast",
        **{f"percent_with_at_least_{n}": percentages(n) for n in (1, LEAST)},
        "recurrence_score": round(sum(matched) / len(matched), 4),
        "dil_teach": dil_teach.__version__,
    }
    text = json.dumps(figures, indent=2, ensure_ascii=False) + "\n"
    greys = (counts.double() * 255 / MOST).round().byte().float()[None] / 255
    greys = greys.repeat_interleave(stride, 1).repeat_interleave(stride, 2)
    greys = greys[:, : height - patch_size + 1, : width - patch_size + 1]
    return write({out: greys, figures_out: text}, f"{figures['patches']} patches")
