"""Pictures that open a chapter: results of a longer run at the papers' size.

``data/draw_openings.py`` wrote the pictures and their record to ``data/openings``.
"""

import base64
import json
from collections.abc import Mapping
from html import escape

from dil_teach.image.shipped import shipped
from dil_teach.notebook.figures import display_html, side_by_side

WIDTH = 256  # CSS pixels of a picture, which are also the pixels of its file


def show_opening(chapter: str, alts: Mapping[str, str]) -> dict[str, float]:
    """Display the pictures of a longer run, and print how the run was made.

    Parameters
    ----------
    chapter : str
        The name of a record in ``data/openings``.
    alts : dict of str to str
        The alt text of each picture, by its title in the record.

    Returns
    -------
    dict of str to float
        The PSNR of each result of the run in dB, also of results without a picture.

    Raises
    ------
    ValueError
        If the titles of `alts` are not those of the record.
    """
    folder = shipped("data/openings")
    record = json.loads((folder / f"{chapter}.json").read_text(encoding="utf-8"))
    decibels = record["decibels"]
    files = {panel["title"]: folder / panel["file"] for panel in record["panels"]}
    if list(alts) != list(files):
        raise ValueError(
            f"alts: expected the titles {list(files)}, got {list(alts)}; copy the "
            "titles of the record"
        )
    blocks = []
    for title, file in files.items():
        value = f"{decibels[title]:.2f} dB" if title in decibels else "&nbsp;"
        pixels = base64.b64encode(file.read_bytes()).decode()
        blocks.append(
            f'<figure style="margin:0;width:{WIDTH}px">'
            f"<figcaption>{escape(title)}<br>{value}</figcaption>"
            f'<img alt="{escape(alts[title])}" width="{WIDTH}" '
            f'src="data:image/jpeg;base64,{pixels}"></figure>'
        )
    display_html(side_by_side(blocks), " ".join(alts.values()))
    height, width = record["size"]
    print(f"a run at {width} x {height} pixels: {record['settings']}")
    print(f"dB: {record['measure']}")
    for name, seconds in record["seconds"].items():
        print(f"{seconds:8.1f} CPU seconds  {name}")
    return decibels


def beside_opening(opening: Mapping[str, float], here: Mapping[str, float]) -> None:
    """Print the PSNR of results of this run beside those of the longer run.

    Parameters
    ----------
    opening : dict of str to float
        The PSNR in dB that :func:`show_opening` returned.
    here : dict of str to float
        The PSNR of the results of this run in dB, by the names of `opening`.
    """
    width = max(36, *map(len, here))
    print(f"{'PSNR [dB]':{width}}{'longer run':>12}{'this run':>10}")
    for name, value in here.items():
        print(f"{name:{width}}{opening[name]:12.2f}{value:10.2f}")
