"""All photographs exist, have a licence and can be loaded; the benchmark folder."""

import hashlib
import json
import os
import re
import runpy
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from dil_teach.image.convention import to_uint8
from dil_teach.image.files import save_image
from dil_teach.image.photos import benchmark_pairs, photo, photos
from dil_teach.image.shipped import shipped

LICENCES = {"CC0 1.0", "public domain", "CC BY 2.0", "CC BY 4.0"}
NAMES = list(photos())


@pytest.mark.parametrize("name", NAMES)
def test_manifest_says_what_the_file_is(name: str) -> None:
    entry = photos()[name]
    assert entry.name == name
    for field in ("title", "source", "author", "attribution", "recurrence"):
        assert getattr(entry, field).strip(), field
    assert entry.licence in LICENCES
    said = entry.attribution
    assert entry.licence in said or "no known copyright restrictions" in said
    assert hashlib.sha256(entry.path.read_bytes()).hexdigest() == entry.sha256
    with Picture.open(entry.path) as picture:
        assert (picture.height, picture.width) == entry.size
        assert (picture.mode == "RGB") == entry.colour


@pytest.mark.parametrize("name", NAMES)
def test_every_photograph_loads(name: str) -> None:
    image = photo(name)
    channels = 3 if photos()[name].colour else 1
    assert image.shape == (channels, *photos()[name].size)
    assert image.dtype == torch.float32
    assert image.min() >= 0 and image.max() <= 1
    assert image.std() > 0.02


def test_size_is_the_central_square_made_smaller() -> None:
    whole, small = photo("chelsea"), photo("chelsea", size=100)
    assert small.shape == (3, 100, 100)
    assert small.min() >= 0 and small.max() <= 1
    square = whole[:, :, 75:375]  # 300 of 451 columns
    means = torch.nn.functional.avg_pool2d(square, 3)
    assert (small - means).abs().mean() < 0.01
    assert torch.equal(photo("chelsea", size=300), square)


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"astronaut, .*facade.*got 'lena'"):
        photo("lena")


@pytest.mark.parametrize("size", [0, -3, 301])
def test_a_size_beyond_the_square_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"size: expected 1 to 300 .* got {size}"):
        photo("chelsea", size=size)


def test_one_picture_is_rendered_and_says_so() -> None:
    rendered = [entry for entry in photos().values() if entry.rendered]
    assert [entry.name for entry in rendered] == ["facade"]
    assert "rendered" in rendered[0].title and "rendered" in rendered[0].attribution


def test_the_facade_comes_out_of_its_script() -> None:
    # One ray a pixel is fast; means over 16 x 16 pixels hardly see the difference
    # (1.8 of 255), but would see other walls, windows or light.
    render = runpy.run_path(str(shipped("data/render_facade.py")))["render"]
    again = render(supersampling=1).astype(float)
    shown = to_uint8(photo("facade")).astype(float)
    blocks = (again - shown).reshape(32, 16, 32, 16, 3).mean((1, 3))
    assert np.abs(blocks).mean() < 2.5


def test_benchmark_pairs_reads_a_folder(tmp_path, monkeypatch) -> None:
    rng = torch.Generator().manual_seed(0)
    made = {}
    for stem, channels in (("img_002", 1), ("img_001", 3)):
        for scale in (2, 3):
            hr = torch.randint(256, (channels, 12, 18), generator=rng) / 255
            lr = torch.randint(256, (channels, 12 // scale, 18 // scale), generator=rng)
            made[stem, scale] = (hr, lr / 255)
    (tmp_path / "Set5").mkdir()
    for (stem, scale), images in made.items():
        for image, kind in zip(images, ("HR", "LR"), strict=True):
            save_image(image, tmp_path / "Set5" / f"{stem}_x{scale}_{kind}.png")
    monkeypatch.setenv("DIL_TEACH_DATASETS", str(tmp_path))

    pairs = benchmark_pairs("Set5", 2)
    assert [stem for stem, _, _ in pairs] == ["img_001", "img_002"]
    for stem, hr, lr in pairs:
        torch.testing.assert_close((hr, lr), made[stem, 2])

    for name, scale in (("Set14", 2), ("Set5", 4)):
        with pytest.raises(FileNotFoundError, match=f"{name} at x{scale}"):
            benchmark_pairs(name, scale)

    (tmp_path / "Set5" / "img_001_x2_LR.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"img_001_x2_LR\.png"):
        benchmark_pairs("Set5", 2)


def test_benchmark_pairs_says_what_to_set(monkeypatch) -> None:
    monkeypatch.delenv("DIL_TEACH_DATASETS", raising=False)
    with pytest.raises(FileNotFoundError) as error:
        benchmark_pairs("Set5", 2)
    assert "DIL_TEACH_DATASETS" in str(error.value)
    assert "Set5/img_001_x2_HR.png" in str(error.value)


def test_set5_is_complete_where_it_is() -> None:
    if not os.environ.get("DIL_TEACH_DATASETS"):
        pytest.skip("DIL_TEACH_DATASETS is not set")
    for scale in (2, 3, 4):
        pairs = benchmark_pairs("Set5", scale)
        assert len(pairs) == 5
        for stem, hr, lr in pairs:
            assert re.fullmatch(r"img_00[1-5]", stem)
            assert hr.shape == (3, scale * lr.shape[1], scale * lr.shape[2])


def test_a_listed_set_is_downloaded_only_when_asked_and_its_hash_is_checked(
    tmp_path, monkeypatch
) -> None:
    folder = tmp_path / "there" / "Set5" / "image_SRF_2"
    folder.mkdir(parents=True)
    hashes = {}
    for kind, side in (("HR", 8), ("LR", 4)):
        file = folder / f"img_001_SRF_2_{kind}.png"
        save_image(torch.rand(3, side, side), file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        hashes[f"Set5/img_001_x2_{kind}.png"] = digest
    handler = partial(QuietHandler, directory=str(tmp_path / "there"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    address += "/{set}/image_SRF_{scale}/{stem}_SRF_{scale}_{kind}.png"
    listed = tmp_path / "benchmarks.json"
    listed.write_text(json.dumps({"address": address, "sha256": hashes}))
    # by name, dil_teach.image.photos is the function
    module = sys.modules["dil_teach.image.photos"]
    monkeypatch.setattr(module, "shipped", lambda _: listed)
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / name)
    monkeypatch.delenv("DIL_TEACH_DATASETS", raising=False)
    monkeypatch.setenv("DIL_TEACH_DOWNLOAD", "1")
    try:
        ((stem, high, low),) = benchmark_pairs("Set5", 2)
        assert stem == "img_001" and high.shape[1] == 8 and low.shape[1] == 4
        with pytest.raises(FileNotFoundError, match="Set5 at x3"):
            benchmark_pairs("Set5", 3)
        (tmp_path / "dil_teach" / "Set5" / "img_001_x2_LR.png").unlink()
        save_image(torch.rand(3, 4, 4), folder / "img_001_SRF_2_LR.png")
        with pytest.raises(ValueError, match="hash"):
            benchmark_pairs("Set5", 2)
    finally:
        server.shutdown()
        server.server_close()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass
