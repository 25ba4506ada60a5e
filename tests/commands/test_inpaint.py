"""The commands inpaint (without a network) and synthesise."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

import dil_teach.commands.inpaint as command
import dil_teach.deep.working_size as working_size
from dil_teach import fit
from dil_teach.cli import main
from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
from dil_teach.image.convention import to_uint8
from dil_teach.image.degradation import masked
from dil_teach.image.files import load_image, save_image
from dil_teach.image.films import load_film, save_film, save_frames
from dil_teach.image.photos import photo

HEIGHT, WIDTH = 36, 48
TOP, BOTTOM, LEFT, RIGHT = 14, 22, 20, 30


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A photograph, a film of six frames, and masks."""
    monkeypatch.chdir(tmp_path)
    wide = photo("coffee", size=60)[:, :HEIGHT]
    save_image(wide[:, :, :WIDTH], "in.png")
    save_frames(torch.stack([wide[:, :, t : t + WIDTH] for t in range(6)]), "film")
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, TOP:BOTTOM, LEFT:RIGHT] = 1
    save_image(mask, "hole.png")
    save_image(torch.ones_like(mask), "white.png")
    save_image(torch.zeros_like(mask), "black.png")
    save_frames(mask.expand(6, -1, -1, -1), "holes")
    save_frames(mask.expand(5, -1, -1, -1), "few")
    save_frames(0 * mask.expand(6, -1, -1, -1), "blacks")
    return tmp_path


@pytest.mark.parametrize("method", ["wexler", "efros-leung"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_only_the_hole_changes(method: str, mode: str, folder, capsys) -> None:
    before = Picture.open("in.png").convert(mode)
    if mode == "RGBA":
        before.putalpha(Picture.linear_gradient("L").resize(before.size))
    before.save("given.png")
    arguments = ["inpaint", "given.png", "hole.png", "out.png", "--method", method]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"out.png: {HEIGHT} x {WIDTH} pixels written in ")
    with Picture.open("out.png") as after:
        assert after.mode == mode
        old, new = np.asarray(before), np.asarray(after)
    hole = np.zeros((HEIGHT, WIDTH), dtype=bool)
    hole[TOP:BOTTOM, LEFT:RIGHT] = True
    assert np.array_equal(old[~hole], new[~hole])
    assert not np.array_equal(old[hole], new[hole])


def test_the_seed_changes_efros_leung(folder) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        arguments = ["inpaint", "in.png", "hole.png", f"{name}.png", "--seed", seed]
        assert main([*arguments, "--method", "efros-leung"]) == 0
    a, b, c = (Path(f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize("mask", ["hole.png", "holes"])
@pytest.mark.parametrize("out", ["out", "out.mkv"])
def test_wexler_fills_a_film(mask: str, out: str, folder, capsys) -> None:
    assert main(["inpaint", "film", mask, out, "--method", "wexler", "--as-video"]) == 0
    assert f"6 frames of {HEIGHT} x {WIDTH} pixels written" in capsys.readouterr().out
    before, after = load_film("film"), load_film(out)
    changed = (before != after).any(1).any(0)
    assert changed[TOP:BOTTOM, LEFT:RIGHT].any()
    changed[TOP:BOTTOM, LEFT:RIGHT] = False
    assert not changed.any()


@pytest.mark.parametrize("method", ["wexler", "efros-leung"])
def test_a_large_photograph_is_filled_from_the_surroundings(
    method: str, folder, monkeypatch
) -> None:
    monkeypatch.setattr(command, "MOST_PIXELS", 1000)
    monkeypatch.setattr(command, "MOST_SAMPLE", 1000)
    assert main(["inpaint", "in.png", "hole.png", "out.png", "--method", method]) == 0
    near = slice(TOP - 11, BOTTOM + 11), slice(LEFT - 11, RIGHT + 11)
    image = load_image("in.png")
    assert image[0, *near].numel() == 960  # one more pixel on each side: 1088
    far = torch.rand_like(image)
    far[:, *near] = image[:, *near]
    save_image(far, "far.png")
    assert (
        main(["inpaint", "far.png", "hole.png", "far.png.png", "--method", method]) == 0
    )
    hole = slice(TOP, BOTTOM), slice(LEFT, RIGHT)
    same = load_image("out.png")[:, *hole], load_image("far.png.png")[:, *hole]
    assert torch.equal(*same)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            "in.png white.png out.png --method wexler",
            "white.png: expected white in the",
        ),
        ("in.png black.png out.png --method wexler", "black.png: expected a mask with"),
        ("in.png black.png out.png --method efros-leung", "expected a mask with white"),
        ("in.png hole.png in.png --method wexler", "would overwrite an input file"),
        ("in.png hole.png hole.png --method wexler", "would overwrite an input file"),
        ("in.png hole.png out.gif --method wexler", "out.gif: expected one of .png"),
        ("in.png holes out.png --method wexler", "holes: expected 1 x 36 x 48 (frames"),
        (
            "film few out --method wexler --as-video",
            "few: expected 6 x 36 x 48 (frames x height",
        ),
        (
            "film blacks out --method wexler --as-video",
            "blacks: expected some white pixels",
        ),
        (
            "film hole.png out --method dip --as-video",
            "--method: expected wexler for a video, got dip",
        ),
        (
            "film hole.png out --method efros-leung --as-video",
            "--method: expected wexler for a",
        ),
        (
            "film hole.png holes --method wexler --as-video",
            "holes: expected a new or an empty",
        ),
        ("in.png hole.png out.png --method wexler --seed -1", "--seed: expected 0"),
    ],
)
def test_bad_input_to_inpaint(arguments: str, said: str, folder, capsys) -> None:
    before = sorted(folder.rglob("*"))
    assert main(["inpaint", *arguments.split()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert sorted(folder.rglob("*")) == before


def test_holes_that_are_too_large(folder, monkeypatch, capsys) -> None:
    monkeypatch.setattr(command, "MOST_PIXELS", 70)
    arguments = ["inpaint", "in.png", "hole.png", "out.png", "--method", "wexler"]
    assert main(arguments) == 2
    said = "hole.png: expected holes inside a box of at most 70 pixels, got a box of 8"
    assert said in capsys.readouterr().err


def test_frames_in_a_video_file_are_filled(folder) -> None:
    save_film(load_film("film"), "film.mkv", 12)
    assert main(["inpaint", "film.mkv", "holes", "out.mkv", "--method", "wexler"]) == 0
    assert load_film("out.mkv").shape == (6, 3, HEIGHT, WIDTH)


def test_synthesise_writes_the_size_that_was_asked_for(folder, capsys) -> None:
    Picture.fromarray(to_uint8(photo("brick", 96)[:, :20, :20])).save("sample.png")
    for name, seed in (("a", "0"), ("b", "0"), ("c", "5")):
        options = ["--size", "24x30", "--window", "5", "--seed", seed]
        assert main(["synthesise", "sample.png", f"{name}.png", *options]) == 0
    assert "a.png: 24 x 30 pixels written in" in capsys.readouterr().out
    a, b, c = (Path(f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c
    made, sample = load_image("a.png"), load_image("sample.png")
    assert made.shape == (1, 24, 30)
    assert set(made.unique().tolist()) <= set(sample.unique().tolist())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("none.png out.png --size 20x20", "none.png: no such file"),
        ("in.png in.png --size 20x20", "in.png: would overwrite an input file"),
        ("in.png out.gif --size 20x20", "out.gif: expected one of .png"),
        ("in.png out.png --size 20", "--size: expected height x width in pixels"),
        ("in.png out.png --size 0x20", "--size: expected height x width in pixels"),
        ("in.png out.png --size=-3x20", "--size: expected height x width in pixels"),
        ("in.png out.png --size 2x20", "size: expected at least 3 x 3 pixels"),
        ("in.png out.png --size 99999x99999", "--size: expected a texture that takes"),
        ("in.png out.png --size 20x20 --window 37", "window: expected an odd number"),
        ("in.png out.png --size 20x20 --window 4", "window: expected an odd number"),
        ("in.png out.png --size 20x20 --seed -1", "--seed: expected 0"),
    ],
)
def test_bad_input_to_synthesise(arguments: str, said: str, folder, capsys) -> None:
    assert main(["synthesise", *arguments.split()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not Path("out.png").exists()


@pytest.mark.parametrize(
    ("box", "network"),
    [
        ((30, 34, 40, 60), "33 x 47"),  # a smaller copy of the surroundings
        ((70, 74, 60, 66), "33 x 36"),  # the surroundings at their own size
        ((10, 80, 50, 51), "33 x 45"),  # a scratch, which vanishes in the smaller copy
    ],
)
def test_a_network_sees_a_small_part_or_copy_of_a_large_photograph(
    box: tuple[int, int, int, int], network: str, folder, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(working_size, "MOST_SEEN", 1200)
    two = classmethod(lambda cls, **changes: cls(**{"steps": 2, **changes}))
    monkeypatch.setattr(DeepImagePriorSettings, "quick", two)
    image = photo("coffee", size=120)[:, :88]
    mask = torch.zeros(1, 88, 120)
    mask[:, box[0] : box[1], box[2] : box[3]] = 1
    mask[:, 20, 30] = mask[:, 70, 100] = 1 if network == "33 x 45" else 0
    save_image(image, "large.png")
    save_image(mask, "mask.png")
    assert main("inpaint large.png mask.png out.png --method dip".split()) == 0
    said = capsys.readouterr().out
    assert f"out.png: 88 x 120 pixels (network: {network}) written in" in said
    filled, known = load_image("out.png"), mask[0] == 0
    assert torch.equal(filled[:, known], load_image("large.png")[:, known])
    assert (filled - image)[:, ~known].square().mean().sqrt() < 0.3


def test_a_small_photograph_is_filled_by_the_network_alone(folder, monkeypatch) -> None:
    two = classmethod(lambda cls, **changes: cls(**{"steps": 2, **changes}))
    monkeypatch.setattr(DeepImagePriorSettings, "quick", two)
    assert main("inpaint in.png hole.png out.png --method dip".split()) == 0
    image, mask = load_image("in.png"), load_image("hole.png")
    alone = fit(DeepImagePrior(image, masked(mask), DeepImagePriorSettings(steps=2)))
    assert np.array_equal(to_uint8(load_image("out.png")), to_uint8(alone.result()))
