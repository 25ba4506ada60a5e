"""The pictures that open chapters: small files of known licence, as recorded."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from dil_teach import photo
from dil_teach.course.openings import beside_opening, show_opening
from dil_teach.image.files import load_image
from dil_teach.image.shipped import shipped
from dil_teach.notebook.figures import MIN_ALT_CHARACTERS

FOLDER = shipped("data/openings")
NAMES = sorted(file.stem for file in FOLDER.glob("*.json"))
MOST_BYTES = 300_000
"""Largest size of all pictures of one chapter."""
MOST_BYTES_OF_AN_ANIMATION = 400_000
MOST_BYTES_IN_ALL = 14_000_000
LEAST_SIDE, LEAST_SIDES = 256, {"ingan": 192}
"""Smallest side of a picture in pixels. The networks of chapter 12 draw 192 pixels."""
EVERY = pytest.mark.parametrize("name", NAMES)


def record(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def animations(name: str) -> list[Path]:
    found = record(name)
    return [FOLDER / found["animation"]["file"]] if "animation" in found else []


def files(name: str) -> list[Path]:
    return [FOLDER / panel["file"] for panel in record(name)["panels"]]


def test_the_folder_holds_the_records_and_their_pictures():
    listed = [FOLDER / f"{name}.json" for name in NAMES]
    listed += [file for name in NAMES for file in files(name) + animations(name)]
    assert sorted(listed) == sorted(FOLDER.iterdir())
    assert sum(file.stat().st_size for file in listed) <= MOST_BYTES_IN_ALL


@EVERY
def test_pictures_are_large_and_their_files_small(name):
    assert sum(file.stat().st_size for file in files(name)) <= MOST_BYTES
    for file in files(name):
        assert min(load_image(file).shape[1:]) >= LEAST_SIDES.get(name, LEAST_SIDE)


@EVERY
def test_an_animation_is_small_and_moves(name):
    for file in animations(name):
        assert file.stat().st_size <= MOST_BYTES_OF_AN_ANIMATION
        with Picture.open(file) as picture:
            assert getattr(picture, "n_frames", 1) >= 10
        assert len(record(name)["animation"]["alt"]) >= MIN_ALT_CHARACTERS


@EVERY
def test_a_record_says_what_was_run(name):
    found = record(name)
    assert found["licence"] in ("CC0 1.0", "public domain", "CC BY 2.0", "CC BY 4.0")
    assert found["licence"] in found["attribution"]
    assert found["settings"] and found["measure"] and len(found["commit"]) >= 7
    assert max(found["seconds"].values()) > 0
    titles = [panel["title"] for panel in found["panels"]]
    if "ground truth" in titles:
        assert set(titles) & set(found["decibels"])
    else:
        assert found["truth"]


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("blur", lambda: photo("coffee", size=400)[:, 10:-10, 10:-10]),
        ("kernelgan", lambda: photo("hubble")[:, 180:692, 244:756]),
    ],
)
def test_the_ground_truth_is_the_photograph(name, truth):
    (panel,) = (p for p in record(name)["panels"] if p["title"] == "ground truth")
    shown = load_image(FOLDER / panel["file"])
    times = record(name).get("enlarged", 1)
    (top, left), (height, width) = record(name)["corner"], shown.shape[1:]
    cut = truth()[:, top : top + height // times, left : left + width // times]
    cut = cut.repeat_interleave(times, 1).repeat_interleave(times, 2)
    assert (shown - cut).abs().mean() < 0.02  # JPEG


@pytest.mark.parametrize(
    "name", [name for name in NAMES if "truth" not in record(name)]
)
def test_the_best_picture_of_a_record_is_nearer_to_the_truth_than_the_worst(name):
    # Crops and JPEG change the PSNR, but not the order of the best and the worst.
    found = record(name)
    pictures = {p["title"]: load_image(FOLDER / p["file"]) for p in found["panels"]}
    truth = pictures.pop("ground truth")
    shown = {title: x for title, x in pictures.items() if title in found["decibels"]}
    errors = {t: float((x - truth).square().mean()) for t, x in shown.items()}
    ranked = sorted(shown, key=found["decibels"].__getitem__)
    assert errors[ranked[-1]] < errors[ranked[0]]


def test_the_opening_is_displayed_with_its_figures(capsys, monkeypatch):
    displayed = []
    monkeypatch.setattr(
        "dil_teach.course.openings.display_html",
        lambda html, plain: displayed.append((html, plain)),
    )
    titles = [panel["title"] for panel in record("blur")["panels"]]
    alts = {title: f"A cup of coffee & a spoon, {title}" for title in titles}
    decibels = show_opening("blur", alts)
    ((html, plain),) = displayed
    assert decibels == record("blur")["decibels"]
    pictures = len(titles) + len(animations("blur"))
    assert html.count("<img alt=") == pictures and "coffee &amp; a spoon" in html
    assert (
        "dil-row" in html
        and f"estimated kernel<br>{decibels['estimated kernel']:.2f} dB" in html
    )
    assert plain.startswith("A cup of coffee & a spoon, given")
    assert record("blur")["settings"] in capsys.readouterr().out


def test_an_animation_is_displayed_below_the_pictures(tmp_path, monkeypatch):
    frames = [Picture.new("RGB", (40, 30), (25 * n, 0, 0)) for n in range(10)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "a.jpg")
    made = {"decibels": {}, "size": [30, 40], "settings": "none", "measure": "none"}
    made |= {"panels": [{"file": "a.jpg", "title": "result"}], "seconds": {"all": 1.0}}
    made["animation"] = {"file": "a.webp", "alt": "A red picture slowly emerges"}
    made["scale"] = 0.5
    (tmp_path / "red.json").write_text(json.dumps(made))
    displayed = []
    monkeypatch.setattr("dil_teach.course.openings.shipped", lambda _: tmp_path)
    monkeypatch.setattr(
        "dil_teach.course.openings.display_html", lambda *what: displayed.append(what)
    )
    show_opening("red", {"result": "A red picture without any detail"})
    ((html, _),) = displayed
    assert "<details open><summary>" in html and "data:image/webp;base64," in html
    assert 'alt="A red picture slowly emerges"' in html
    assert 'width="20" height="15"' in html  # 40 x 30 pixels at the record's scale


def test_an_alt_text_without_a_picture_is_refused():
    with pytest.raises(ValueError, match=r"alts: expected the titles \['given', .*got"):
        show_opening("blur", {"blurred": "A cup of coffee with a spoon"})


def test_the_two_runs_are_printed_in_one_row(capsys):
    beside_opening({"ZSSR": 33.104, "EDSR+": 26.8}, {"ZSSR": 31.0})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[1:]] == [["ZSSR", "33.10", "31.00"]]
