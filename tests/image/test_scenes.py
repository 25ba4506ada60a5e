"""The rendered scenes: as listed, reproducible, and composed by their formulas."""

import hashlib
import json
import runpy
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.photos import photos
from dil_teach.image.scenes import Scene, scene, scenes
from dil_teach.image.shipped import shipped

ROUNDING = 0.5 / 255 + 1e-5
COUNTS = {"composite": 7, "mixture": 6, "haze": 6, "watermark": 1, "video": 2}
LISTED = json.loads(shipped("data/scenes.json").read_text(encoding="utf-8"))


def of_kind(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", scenes(kind))


@pytest.fixture(scope="module")
def renderer() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(shipped("data")))
        return runpy.run_path(str(shipped("data/render_scenes.py")))


# ---- the list


def test_the_number_of_scenes_of_each_kind() -> None:
    assert {kind: len(scenes(kind)) for kind in COUNTS} == COUNTS
    assert len(scenes()) == len(set(scenes())) == sum(COUNTS.values())


@pytest.mark.parametrize("entry", LISTED, ids=lambda entry: entry["name"])
def test_the_list_agrees_with_the_files(entry: dict[str, Any]) -> None:
    assert entry["rendered"] is True and "rendered" in entry["title"]
    assert entry["photographs"]
    for name, line in entry["photographs"].items():
        assert line == photos()[name].attribution
        assert line in entry["attribution"]
    licences = {photos()[name].licence for name in entry["photographs"]}
    assert entry["licence"] == ("CC BY 2.0" if "CC BY 2.0" in licences else "CC0 1.0")
    listed = np.hstack([np.atleast_1d(file) for file in entry["files"].values()])
    assert sorted(listed) == sorted(entry["sha256"])
    for file, digest in entry["sha256"].items():
        path = shipped(f"data/{file}")
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


def test_the_folder_holds_the_listed_files_and_is_small() -> None:
    files = {f"scenes/{path.name}": path for path in shipped("data/scenes").iterdir()}
    assert set(files) == {file for entry in LISTED for file in entry["sha256"]}
    assert sum(path.stat().st_size for path in files.values()) < 2.5e6


@pytest.mark.parametrize("name", scenes())
def test_a_scene_has_the_documented_shapes(name: str) -> None:
    loaded = scene(name)
    assert loaded.name == name and name in scenes(loaded.kind)
    one_channel = ("mask", "hint", "transmission", "alpha")
    several = {"mixtures": 2, "layers": 2, "marked": 3, "frames": 8, "masks": 8}
    for key, images in loaded.images.items():
        channels = 1 if any(part in key for part in one_channel) else 3
        count = several.get(key, 3 if key == "clean" else 8)
        expected = (channels, 128, 128)
        assert images.shape in (expected, (count, *expected)), key
        assert (images.ndim == 4) >= (key in several), key
        assert images.dtype == torch.float32
        assert images.min() >= 0 and images.max() <= 1


def test_an_error_lists_the_right_names(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"star, blob, .*video_haze, got 'moon'"):
        scene("moon")
    with pytest.raises(ValueError, match=r"composite, mixture, .*got 'smoke'"):
        scenes("smoke")
    with pytest.raises(FileNotFoundError):
        scenes(folder=tmp_path)


# ---- composed by their formulas


@of_kind("composite")
def test_a_composite_equals_its_layers_and_its_hints_are_right(name: str) -> None:
    s = scene(name).images
    composed = s["mask"] * s["front"] + (1 - s["mask"]) * s["back"]
    assert (composed - s["image"]).abs().max() <= ROUNDING
    assert ((s["mask"] > 0) & (s["mask"] < 1)).any()  # edges are smooth
    check_hints(s["mask"], s["foreground_hint"], s["background_hint"])


def check_hints(mask: Tensor, foreground: Tensor, background: Tensor) -> None:
    assert set(foreground.unique().tolist()) == {0, 1}
    assert set(background.unique().tolist()) == {0, 1}
    assert (mask[foreground == 1] == 1).all() and (mask[background == 1] == 0).all()
    assert 0.03 < foreground.sum() / mask.sum() < 0.4
    assert background[:, 8:-8, 8:-8].sum() == 0
    rows, columns = torch.nonzero(foreground[0], as_tuple=True)
    reach = max(rows.max() - rows.min(), columns.max() - columns.min()) + 1
    area = float(torch.pi * (reach / 2) ** 2)
    assert foreground.sum() == pytest.approx(area, rel=0.06)  # a disk


@pytest.mark.parametrize("name", ["star", "grass_star"])
def test_star_and_background_have_the_same_mean_and_contrast(name: str) -> None:
    s = scene(name).images
    front, back = s["front"], s["back"]
    assert front.mean() == pytest.approx(float(back.mean()), abs=1e-3)
    assert front.std() == pytest.approx(float(back.std()), abs=1e-3)
    assert torch.equal(s["image"][0], s["image"][2])


@of_kind("mixture")
def test_mixtures_have_their_coefficients(name: str) -> None:
    s = scene(name)
    one, two = s.images["layers"]
    for a, mixed in zip(s.known["coefficients"], s.images["mixtures"], strict=True):
        assert (a * one + (1 - a) * two - mixed).abs().max() <= ROUNDING


def test_no_two_mixtures_have_the_same_coefficients() -> None:
    known = [tuple(scene(name).known["coefficients"]) for name in scenes("mixture")]
    assert len(set(known)) == len(known)
    assert all(a1 - a2 > 0.19 for a1, a2 in known)


def check_haze(image: Tensor, clear: Tensor, t: Tensor, airlight: Tensor) -> None:
    hazy = to_srgb(t * to_linear(clear) + (1 - t) * to_linear(airlight))
    assert (hazy - image).abs().max() <= ROUNDING


@of_kind("haze")
def test_haze_is_added_in_linear_light(name: str) -> None:
    s = scene(name)
    layers = (s.images[key] for key in ("image", "clear", "transmission", "airlight"))
    image, clear, t, airlight = layers
    check_haze(image, clear, t, airlight)
    flat = (airlight - airlight[:, :1, :1]).abs().max()
    assert (flat == 0) == s.known["uniform"]
    mean = torch.tensor(s.known["airlight"])
    torch.testing.assert_close(airlight.mean((1, 2)), mean, rtol=0, atol=ROUNDING)
    assert 0.69 < airlight.min() and airlight.max() < 0.96
    assert 0.1 < t.min() < 0.25 and 0.8 < t.max() < 0.97
    steps = torch.cat([airlight.diff(dim=d).abs().flatten() for d in (1, 2)])
    assert steps.max() < 2.5 / 255  # smooth


def test_two_hazes_have_a_changing_airlight_and_two_a_sky() -> None:
    known = [scene(name).known for name in scenes("haze")]
    assert sum(not one["uniform"] for one in known) == 2
    assert sum(one["sky"] for one in known) == 2


def test_the_watermark_follows_its_formula() -> None:
    s = scene("watermark")
    alpha, clean = s.images["alpha"], s.images["clean"]
    colour = torch.tensor(s.known["colour"])[:, None, None]
    marked = (1 - alpha) * clean + alpha * colour
    assert (marked - s.images["marked"]).abs().max() <= ROUNDING
    y, x, h, w = s.known["box"]
    outside = alpha.clone()
    outside[:, y : y + h, x : x + w] = 0
    assert outside.max() == 0
    assert 0.4 < h * w / 128**2 < 0.6
    assert alpha.max() == pytest.approx(0.5, abs=ROUNDING)


# ---- films


def test_the_foreground_moves_and_rotates_as_listed() -> None:
    s = scene("video_figure")
    masks = s.images["masks"][:, 0].numpy()
    check_hints(s.images["masks"][0], *map(s.images.get, HINTS))
    centre = np.array(s.known["figure_centre"]) - 0.5
    for k, mask in enumerate(masks):
        angle = np.radians(s.known["figure_turn"][k])
        turn = np.array(
            [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
        )
        moved = centre + s.known["figure_motion"][k]
        back = ndimage.affine_transform(mask, turn, moved - turn @ centre, order=1)
        assert np.abs(back - masks[0]).sum() < 0.02 * masks[0].sum()
        if k:
            assert np.abs(mask - masks[0]).sum() > 0.03 * masks[0].sum()


HINTS = ("foreground_hint", "background_hint")


def test_the_background_moves_as_listed() -> None:
    s = scene("video_figure")
    frames, masks = s.images["frames"].numpy(), s.images["masks"][:, 0].numpy()
    for k in (1, 7):
        step = s.known["background_motion"][k]
        figure = ndimage.shift(masks[k], np.negative(step), order=1, cval=1) + masks[0]
        check_shift(frames[0], frames[k], step, figure < 0.01)


def check_shift(first: Any, later: Any, step: list[float], where: Any) -> None:
    """If the later frame is moved back, it equals the first frame in the overlap."""
    back = ndimage.shift(later, (0, *np.negative(step)), order=3, mode="nearest")
    where = ndimage.binary_erosion(where, iterations=2)
    off, unmoved = (np.abs(one - first)[:, where].mean() for one in (back, later))
    assert where.mean() > 0.2 and off < 0.3 * unmoved


def test_haze_is_added_to_each_frame_and_the_scene_moves() -> None:
    s = scene("video_haze")
    film = zip(*(s.images[k] for k in ("frames", "clear", "transmission")), strict=True)
    for frame, clear, t in film:
        check_haze(frame, clear, t, s.images["airlight"])
    clear = s.images["clear"].numpy()
    inside = np.zeros((128, 128), bool)
    inside[4:-4, 24:-24] = True
    for k in (1, 7):
        check_shift(clear[0], clear[k], s.known["motion"][k], inside)
    assert all(abs(b[1] - a[1]) > 1 for a, b in pairwise(s.known["motion"]))


# ---- rendered by the script


def eight_bit(picture: Any) -> Any:
    return np.round(np.asarray(picture) * 255).astype(int)


def check_same(rendered: Any, loaded: Scene) -> None:
    assert (rendered.name, rendered.kind) == (loaded.name, loaded.kind)
    assert json.loads(json.dumps(rendered.known)) == loaded.known
    assert list(rendered.images) == list(loaded.images)
    for key, pictures in rendered.images.items():
        shown = loaded.images[key].movedim(-3, -1).numpy()
        off = np.abs(eight_bit(pictures) - eight_bit(shown))
        # another version of SciPy rounds a ray at an edge to its other side
        assert (off > 1).mean() < 1e-3 and off.mean() < 0.01, key


@pytest.fixture(scope="module")
def rendered(renderer: dict[str, Any]) -> list[Any]:
    return list(renderer["shipped_scenes"]())


def test_the_script_renders_the_scenes(rendered: list[Any]) -> None:
    assert [one.name for one in rendered] == scenes()
    for one in rendered:
        check_same(one, scene(one.name))


def test_rendering_again_gives_the_same_pictures(
    renderer: dict[str, Any], rendered: list[Any]
) -> None:
    again = list(islice(renderer["shipped_scenes"](), 14))  # three kinds
    for once, other in zip(rendered, again, strict=False):
        for key, pictures in once.images.items():
            assert np.array_equal(pictures, other.images[key])


def test_practice_scenes_load_from_their_folder(
    renderer: dict[str, Any], tmp_path: Path
) -> None:
    some = list(islice(renderer["practice_scenes"](), 7))
    renderer["write"](iter(some), tmp_path)
    assert scenes(folder=tmp_path) == [one.name for one in some]
    for one in some:
        check_same(one, scene(one.name, tmp_path))
    with pytest.raises(ValueError, match="got 'star'"):
        scene("star", tmp_path)


def test_held_out_scenes_show_photographs_of_no_other_hazy_scene(
    renderer: dict[str, Any], rendered: list[Any]
) -> None:
    def used(scene: Any) -> set[str]:
        return {part.name for part in scene.parts}

    held_out = list(renderer["held_out_scenes"]())
    assert [one.kind for one in held_out] == ["haze", "haze"]
    known = set().union(*(used(one) for one in rendered if one.kind == "haze"))
    for one in held_out:
        assert not used(one) & known
        t, clear, air = (one.images[k] for k in ("transmission", "clear", "airlight"))
        assert 0.05 < t.min() < t.max() < 1
        light = t * to_linear(torch.from_numpy(clear)).numpy()
        light = light + (1 - t) * to_linear(torch.from_numpy(air)).numpy()
        image = to_srgb(torch.from_numpy(light)).numpy()
        assert np.abs(image - one.images["image"]).max() < 0.6 / 255


@pytest.mark.slow
def test_practice_scenes_are_as_many_and_different(renderer: dict[str, Any]) -> None:
    practice = list(renderer["practice_scenes"]())
    kinds = [one.kind for one in practice]
    assert {kind: kinds.count(kind) for kind in COUNTS} == COUNTS | {"composite": 6}
    for one in practice:
        for shown in map(scene, scenes(one.kind)):
            for key in set(one.images) & set(shown.images) - {"airlight", *HINTS}:
                picture = shown.images[key].movedim(-3, -1).numpy()
                assert np.abs(np.asarray(one.images[key]) - picture).mean() > 0.01
