"""Pictures that open a chapter: results of a longer run at the papers' size.

``data/draw_openings.py`` wrote the pictures and their record to ``data/openings``.
"""

import base64
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path

from PIL import Image as Picture

from dil_teach.image.shipped import shipped
from dil_teach.notebook.figures import display_html
from dil_teach.notebook.rows import Panel, Row, scale_of, zoom_script


def show_opening(chapter: str, alts: Mapping[str, str]) -> dict[str, float]:
    """Display the pictures of a longer run, and print how the run was made.

    Parameters
    ----------
    chapter : str
        The name of a record in ``data/openings``. If the record has the entry
        ``"animation": {"file": ..., "alt": ...}``, the animation plays below. The
        entry ``"scale"`` sets the size of a pixel in CSS pixels; without it, all
        pictures fit into one row, unless they would be too small.
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
    panels = []
    for title, file in files.items():
        caption = f"{title}\n{decibels[title]:.2f} dB" if title in decibels else title
        with Picture.open(file) as picture:
            size = (picture.height, picture.width)
        panels.append(Panel(caption, _address(file), size))
    scale = record.get("scale") or scale_of([panel.size for panel in panels], None)
    row = Row(tuple(panels), scale)
    words = " ".join(alts.values())
    html = row.html(words, list(alts.values()))
    if "animation" in record:
        html += _animation(folder / record["animation"]["file"], record["animation"])
    display_html(html + zoom_script(), words)
    height, width = record["size"]
    print(f"a run at {width} x {height} pixels: {record['settings']}")
    print(f"dB: {record['measure']}")
    for name, seconds in record["seconds"].items():
        print(f"{seconds:8.1f} CPU seconds  {name}")
    return decibels


def _address(file: Path) -> str:
    kind = {".jpg": "jpeg", ".webp": "webp"}[file.suffix]
    return f"data:image/{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"


def _animation(file: Path, about: Mapping[str, str]) -> str:
    """The history of the run; closing the element hides and so ends the animation."""
    return (
        "<details open><summary>The history of this run, as an animation</summary>"
        f'<img alt="{escape(about["alt"])}" style="max-width:100%;height:auto" '
        f'src="{_address(file)}"></details>'
    )


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
