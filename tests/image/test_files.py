"""Picture files: what they say comes back, is converted, or is named as left out."""

import io
import os
import signal
import struct
import sys
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image as Picture
from PIL import ImageCms

from dil_teach import psnr
from dil_teach.image import writing
from dil_teach.image.convention import to_uint8
from dil_teach.image.files import (
    load_image,
    load_photograph,
    picture_size,
    save_image,
)
from dil_teach.image.profile import values_to_srgb
from dil_teach.image.transparency import extend_colours
from dil_teach.image.writing import written_together, written_whole

HEIGHT, WIDTH = 9, 12
DATE, DATE_TAKEN, TAKEN = 306, 36867, "2021:05:06 07:08:09"
DPI = (300, 300)
P3 = (
    (0.51512, 0.24120, -0.00105),
    (0.29198, 0.69225, 0.04189),
    (0.1571, 0.06657, 0.78407),
)
ADOBE = (
    (0.60974, 0.31111, 0.01947),
    (0.20528, 0.62567, 0.06087),
    (0.14919, 0.06322, 0.74457),
)


def fixed(*numbers: float) -> bytes:
    return b"".join(struct.pack(">i", round(65536 * number)) for number in numbers)


SRGB_CURVE = b"para\0\0\0\0\0\3\0\0" + fixed(
    2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045
)
GAMMA_CURVE = b"curv\0\0\0\0" + struct.pack(">IH", 1, 563)  # 2.2
TABLE_CURVE = (
    b"curv\0\0\0\0"
    + struct.pack(">I", 33)
    + b"".join(struct.pack(">H", round(65535 * (i / 32) ** 1.8)) for i in range(33))
)


def profile(curve: bytes, colours: tuple = ()) -> bytes:
    """An ICC profile with a matrix and curves, or a curve for grey."""
    tags = {b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1, 0.8249)}
    tags[b"cprt"] = b"text\0\0\0\0none\0"
    tags[b"desc"] = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    for name, xyz in zip((b"r", b"g", b"b"), colours, strict=False):
        tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + fixed(*xyz)
        tags[name + b"TRC"] = curve
    if not colours:
        tags[b"kTRC"] = curve
    start, table, data = 132 + 12 * len(tags), b"", b""
    for name, tag in tags.items():
        table += struct.pack(">4sII", name, start + len(data), len(tag))
        data += tag + bytes(-len(tag) % 4)
    head = struct.pack(">I4xI", start + len(data), 0x02400000) + b"mntr"
    head += (b"RGB " if colours else b"GRAY") + b"XYZ " + bytes(12) + b"acsp"
    head += bytes(28) + fixed(0.9642, 1, 0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def exif(orientation: int = 1) -> Picture.Exif:
    made = Picture.Exif()
    made[274], made[DATE], made[271] = orientation, TAKEN, "Camera"
    made[34665] = {DATE_TAKEN: TAKEN}
    return made


def chunk(name: bytes, data: bytes) -> bytes:
    return (
        struct.pack(">I", len(data))
        + name
        + data
        + struct.pack(">I", zlib.crc32(name + data))
    )


def png16(values: np.ndarray, path: Path, *chunks: bytes) -> None:
    height, width, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = values.astype(">u2").tobytes()
    stride = len(rows) // height
    data = b"".join(b"\0" + rows[i * stride : (i + 1) * stride] for i in range(height))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + body)


def levels(channels: int, depth: int = 8, seed: int = 0) -> np.ndarray:
    """Random values; alpha has at least a transparent and an opaque pixel."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2**depth, (HEIGHT, WIDTH, channels))
    if channels in (2, 4):
        values[0, 0, -1], values[0, 1, -1] = 0, 2**depth - 1
    return values.astype(np.uint8 if depth == 8 else np.uint16)


def written_by_tifffile(path: Path, channels: int, **options: Any) -> Path:
    """A TIFF file of the values ``levels(channels, 16)``."""
    options["photometric"] = "rgb" if channels > 2 else "minisblack"
    if channels in (2, 4):
        options["extrasamples"] = ["unassalpha"]
    tifffile.imwrite(path, levels(channels, 16), **options)
    return path


# ---- no silent loss: files of all modes, depths, profiles and containers

HOLDS_EXIF = (".png", ".tif", ".webp", ".jpg", ".avif")
HOLDS_DPI = (".png", ".tif", ".jpg", ".bmp")
HOLDS_PROFILE = (".png", ".tif", ".webp", ".jpg", ".avif")
LOSSLESS, BEST = {"lossless": True, "exact": True}, {"quality": 100, "subsampling": 0}
PLAIN_EIGHT = [  # mode, suffix, options of Pillow
    *((mode, ".png", {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
    *((mode, ".tif", {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK")),
    *((mode, ".tif", {"compression": "tiff_lzw"}) for mode in ("L", "RGB", "RGBA")),
    *((mode, ".webp", LOSSLESS) for mode in ("RGB", "RGBA")),
    *((mode, ".bmp", {}) for mode in ("1", "L", "P", "RGB")),
    *((mode, ".tga", {}) for mode in ("L", "LA", "RGB", "RGBA")),
    *((mode, ".ppm", {}) for mode in ("1", "L", "RGB")),
    *((mode, ".jp2", {}) for mode in ("L", "LA", "RGB", "RGBA")),
    *((mode, ".gif", {}) for mode in ("1", "L", "P")),
    *((mode, ".jpg", BEST) for mode in ("L", "RGB", "CMYK")),
    ("RGB", ".avif", {"quality": 100, "subsampling": "4:4:4"}),
]
PLAIN_SIXTEEN = [  # channels, suffix, options of tifffile
    *((channels, ".png", {}) for channels in (1, 2, 3, 4)),
    *((n, ".tif", {"byteorder": order}) for n in (1, 2, 3, 4) for order in "<>"),
    *((channels, ".tif", {"compression": "zlib"}) for channels in (1, 2, 3, 4)),
    *((channels, ".tif", {"planarconfig": "separate"}) for channels in (3, 4)),
    *((channels, ".ppm", {}) for channels in (1, 3)),
]


def with_and_without_extra(kinds: list[tuple]) -> list[tuple]:
    """Each kind bare, and with all else that its format holds."""
    holders = {*HOLDS_EXIF, *HOLDS_DPI}
    rich = [(*kind, True) for kind in kinds if kind[1] in holders]
    return [(*kind, False) for kind in kinds] + rich


EIGHT, SIXTEEN = map(with_and_without_extra, (PLAIN_EIGHT, PLAIN_SIXTEEN))


def kept_or_named(
    path: Path, wanted: np.ndarray, tolerance: float, extras: set[str]
) -> None:
    """Read a file, write it as each format, and read it again: nothing gets lost."""
    photograph = load_photograph(path)
    assert picture_size(path) == wanted.shape[:2]
    found = photograph.image.permute(1, 2, 0).numpy()
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= tolerance
    metadata = photograph.metadata
    assert ("exif" in extras) == bool(metadata.exif)
    if "dpi" in extras:
        assert metadata.dpi == pytest.approx(DPI, abs=0.3)
    assert ("text" in extras) == any("text" in name for name in metadata.left_out)
    opaque = photograph.alpha is None
    for suffix in (".png", ".tif", ".webp", *((".jpg", ".bmp") if opaque else ())):
        out = path.with_name(f"again{suffix}")
        save_image(photograph.image, out, metadata)
        again, lost = load_photograph(out), " ".join(metadata.lost_in(suffix))
        deep = suffix in (".png", ".tif")
        assert again.metadata.depth == (metadata.depth if deep else 8)
        assert ("8 of 16 bits" in lost) == (metadata.depth == 16 and not deep)
        step = 0 if suffix != ".jpg" else 20 / 255
        step += 0.51 / 255 if metadata.depth == 16 and not deep else 1e-6
        # .webp has no grey; both images broadcast
        assert (again.colour - photograph.colour).abs().max() <= step
        if photograph.alpha is not None:
            assert again.alpha is not None
            assert (again.alpha - photograph.alpha).abs().max() <= step
        if metadata.dpi:
            assert again.metadata.dpi == pytest.approx(metadata.dpi, abs=0.6)
        if metadata.exif and "EXIF" not in lost:
            with Picture.open(out) as picture:
                written = picture.getexif()
                assert written[DATE] == TAKEN
                assert written.get_ifd(34665)[DATE_TAKEN] == TAKEN
                assert written.get(274, 1) == 1
        assert ("EXIF" in lost) == (bool(metadata.exif) and suffix == ".bmp")


@pytest.mark.parametrize(("mode", "suffix", "options", "extra"), EIGHT)
def test_eight_bits_are_kept_or_named(
    mode: str, suffix: str, options: dict, extra: bool, tmp_path: Path
) -> None:
    channels = {"1": 1, "L": 1, "LA": 2, "RGBA": 4}.get(mode, 3)
    values = levels(channels)
    picture = Picture.fromarray(values.squeeze())
    if suffix in (".jpg", ".avif"):  # smooth, because these formats are lossy
        smooth = Picture.fromarray(levels(channels)[:2, :2].squeeze())
        picture = smooth.resize((WIDTH, HEIGHT))
    picture = picture.convert(mode) if mode not in ("1", "P") else picture
    picture = picture.quantize(16) if mode == "P" else picture.convert(mode)
    added: set[str] = set()
    options = dict(options)
    turned = False
    if extra:
        if suffix in HOLDS_DPI:
            options["dpi"] = DPI
            added.add("dpi")
        if suffix in HOLDS_EXIF:
            if "compression" not in options:  # Pillow cannot write both
                options["exif"] = exif(6).tobytes()
                added.add("exif")
                turned = True
        if suffix in HOLDS_PROFILE and mode in ("RGB", "RGBA"):
            options["icc_profile"] = profile(SRGB_CURVE, P3)
    path = tmp_path / f"in{suffix}"
    picture.save(path, **options)
    alpha = mode in ("LA", "RGBA")
    wanted = picture.convert("RGBA" if alpha else "RGB")
    if "icc_profile" in options:
        p3 = ImageCms.ImageCmsProfile(io.BytesIO(options["icc_profile"]))
        srgb = ImageCms.createProfile("sRGB")
        colour = ImageCms.profileToProfile(wanted.convert("RGB"), p3, srgb, 1)
        colour.putalpha(wanted.getchannel("A")) if alpha else None
        wanted = colour
    array = np.asarray(wanted) / 255
    with Picture.open(path) as stored:
        grey = stored.mode in ("1", "L", "LA")
    if grey:
        array = array[..., [0, 3]] if alpha else array[..., :1]
    array = np.rot90(array, -1) if turned else array
    tolerance = {".jpg": 12, ".avif": 12}.get(suffix, 0) / 255 + 1e-6
    kept_or_named(path, array, tolerance, added)


@pytest.mark.parametrize(("channels", "suffix", "options", "extra"), SIXTEEN)
def test_sixteen_bits_are_kept_or_named(
    channels: int, suffix: str, options: dict, extra: bool, tmp_path: Path
) -> None:
    values, path = levels(channels, 16), tmp_path / f"in{suffix}"
    added: set[str] = set()
    if suffix == ".ppm":
        head = f"P{5 if channels == 1 else 6} {WIDTH} {HEIGHT} 65535\n"
        path.write_bytes(head.encode() + values.astype(">u2").tobytes())
    elif suffix == ".png":
        chunks = []
        if extra:
            added = {"dpi", "exif", "text"}
            metre = round(DPI[0] / 0.0254)
            chunks.append(chunk(b"pHYs", struct.pack(">IIB", metre, metre, 1)))
            chunks.append(chunk(b"eXIf", exif(6).tobytes()[6:]))
            chunks.append(chunk(b"tEXt", b"Title\0A picture"))
        png16(values, path, *chunks)
    else:
        more = {"photometric": "rgb" if channels > 2 else "minisblack", **options}
        if channels in (2, 4):
            more["extrasamples"] = ["unassalpha"]
        if extra:
            added = {"dpi"}
            more |= {"resolution": DPI, "resolutionunit": "INCH"}
            more["extratags"] = [(274, "H", 1, 6, True)]
        shown = values
        if more.get("planarconfig") == "separate":
            shown = np.moveaxis(values, 2, 0)
        tifffile.imwrite(
            path,
            shown if channels > 1 else values[..., 0],
            **more,
            metadata=None,
            software=False,
        )
    wanted = values / 65535
    kept_or_named(path, np.rot90(wanted, -1) if extra else wanted, 1e-6, added)


# ---- metadata: the right values


def test_display_p3_red_becomes_srgb_red(tmp_path: Path) -> None:
    stored = np.full((4, 5, 3), (230, 40, 40), np.uint8)
    path = tmp_path / "p3.png"
    Picture.fromarray(stored).save(path, icc_profile=profile(SRGB_CURVE, P3))
    assert to_uint8(load_image(path))[0, 0] == pytest.approx((251, 0, 18), abs=1)


@pytest.mark.parametrize(
    ("curve", "colours"),
    [(SRGB_CURVE, P3), (GAMMA_CURVE, ADOBE), (TABLE_CURVE, P3), (GAMMA_CURVE, ())],
    ids=["Display P3", "Adobe RGB", "table", "grey"],
)
def test_profiles_convert_sixteen_bits_as_littlecms_converts_eight(
    curve: bytes, colours: tuple, tmp_path: Path
) -> None:
    icc = profile(curve, colours)
    eight = np.random.default_rng(0).integers(
        0, 256, (40, 50, 3 if colours else 1), np.uint8
    )
    given = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    mode = "RGB" if colours else "L"
    transform = ImageCms.buildTransform(
        given, ImageCms.createProfile("sRGB"), mode, "RGB", 1
    )
    converted = ImageCms.applyTransform(Picture.fromarray(eight.squeeze()), transform)
    wanted = np.asarray(converted)[..., : eight.shape[2]]
    found, lost = values_to_srgb(eight.astype(np.uint16) * 257, icc)
    assert lost == ()
    assert np.abs(255 * found - wanted).max() < 1.6  # littleCMS rounds inside
    ramp = np.repeat(
        np.linspace(20_000, 21_000, 96).astype(np.uint16)[None, :, None], 3, 2
    )
    ramp = ramp[..., : eight.shape[2]]
    assert len(np.unique(values_to_srgb(ramp, icc)[0][..., 0])) == 96


def test_a_damaged_profile_is_named(tmp_path: Path) -> None:
    Picture.fromarray(levels(3)).save(tmp_path / "in.png", icc_profile=b"no profile")
    photograph = load_photograph(tmp_path / "in.png")
    assert (to_uint8(photograph.image) == levels(3)).all()
    assert "colour profile" in " ".join(photograph.metadata.left_out)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("depth", [8, 16])
def test_the_orientation_is_applied_once(
    orientation: int, depth: int, tmp_path: Path
) -> None:
    values = levels(3, depth)
    path = tmp_path / "in.png"
    made = exif(orientation)
    if depth == 8:
        Picture.fromarray(values).save(path, exif=made.tobytes())
    else:
        png16(values, path, chunk(b"eXIf", made.tobytes()[6:]))
    stored = np.moveaxis(np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH), 0, 0)
    turns = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.T,
        6: stored.T[:, ::-1],
        7: stored.T[::-1, ::-1],
        8: stored.T[::-1],
    }
    wanted = values.reshape(-1, 3)[turns[orientation]] / (2**depth - 1)
    photograph = load_photograph(path)
    assert np.allclose(photograph.image.permute(1, 2, 0), wanted, atol=1e-6)
    save_image(photograph.image, tmp_path / "out.png", photograph.metadata)
    assert torch.equal(load_image(tmp_path / "out.png"), photograph.image)


def test_a_gradient_of_96_levels_keeps_them(tmp_path: Path) -> None:
    ramp = np.repeat(
        np.linspace(30_000, 32_000, 96).astype(np.uint16)[None, :, None], 3, 2
    )
    tifffile.imwrite(tmp_path / "in.tif", ramp, photometric="rgb")
    photograph = load_photograph(tmp_path / "in.tif")
    for out in ("out.png", "out.tif"):
        save_image(photograph.image, tmp_path / out, photograph.metadata)
        again = 65535 * load_image(tmp_path / out)
        assert np.array_equal(again.round().permute(1, 2, 0), ramp)


def test_the_white_level_of_a_camera(tmp_path: Path) -> None:
    ramp = np.linspace(0, 4095, 4096).astype(np.uint16).reshape(64, 64)
    Picture.fromarray(ramp).save(tmp_path / "in.png")
    image = load_photograph(tmp_path / "in.png", white_level=4095).image
    assert torch.allclose(image[0], torch.from_numpy(ramp / 4095).float())
    assert len(np.unique(to_uint8(image))) == 256  # not 16
    for white_level, said in ((4000, "expected 4095"), (70_000, "to 65535")):
        with pytest.raises(
            ValueError, match=f"white_level: {said}|white_level: .*{said}"
        ):
            load_photograph(tmp_path / "in.png", white_level)
    Picture.fromarray(levels(3)).save(tmp_path / "eight.png")
    with pytest.raises(ValueError, match="has 8 bits a channel"):
        load_photograph(tmp_path / "eight.png", 4095)


def test_white_can_be_zero_and_alpha_can_be_multiplied(tmp_path: Path) -> None:
    grey = levels(1, 16)[..., 0]
    tifffile.imwrite(tmp_path / "white.tif", grey, photometric="miniswhite")
    found = load_image(tmp_path / "white.tif")[0]
    assert np.allclose(found, 1 - grey / 65535, atol=1e-6)
    straight = levels(4, 16)
    straight[..., 3] = 40_000
    multiplied = straight.copy()
    multiplied[..., :3] = (straight[..., :3] * (40_000 / 65535)).round()
    path = tmp_path / "multiplied.tif"
    tifffile.imwrite(path, multiplied, photometric="rgb", extrasamples=["assocalpha"])
    found = load_image(path).permute(1, 2, 0)
    assert np.abs(found.numpy() - straight / 65535).max() < 2 / 65535
    grey = {"photometric": "minisblack", "extrasamples": ["assocalpha"]}
    tifffile.imwrite(path, multiplied[..., [0, 3]], **grey)
    found = load_image(path).permute(1, 2, 0)
    assert np.abs(found.numpy() - straight[..., [0, 3]] / 65535).max() < 2 / 65535


def test_a_grey_channel_of_unknown_meaning_is_named(tmp_path: Path) -> None:
    values = levels(2, 16)
    grey = {"photometric": "minisblack", "extrasamples": ["unspecified"]}
    tifffile.imwrite(tmp_path / "in.tif", values, **grey)
    photograph = load_photograph(tmp_path / "in.tif")
    assert photograph.alpha is None
    assert np.allclose(photograph.colour[0], values[..., 0] / 65535, atol=1e-6)
    assert "a channel of unknown meaning" in photograph.metadata.left_out


def test_grey_with_alpha_of_sixteen_bits_stays_so(tmp_path: Path) -> None:
    photograph = load_photograph(written_by_tifffile(tmp_path / "in.tif", 2))
    save_image(photograph.image, tmp_path / "out.tif", photograph.metadata)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages[0].shape == (HEIGHT, WIDTH, 2)
        assert np.array_equal(file.asarray(), levels(2, 16))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_transparent_colour_of_sixteen_bits(channels: int, tmp_path: Path) -> None:
    values = levels(channels, 16)
    colour = values[2, 3].astype(">u2").tobytes()
    png16(values, tmp_path / "in.png", chunk(b"tRNS", colour))
    alpha = load_image(tmp_path / "in.png")[-1]
    assert alpha[2, 3] == 0 and alpha.sum() == HEIGHT * WIDTH - 1


@pytest.mark.parametrize("suffix", [".tif", ".gif", ".webp", ".png"])
def test_the_first_of_several_pictures_is_read(suffix: str, tmp_path: Path) -> None:
    pages = [Picture.fromarray(levels(3, seed=seed)) for seed in range(3)]
    pages[0].save(tmp_path / f"in{suffix}", save_all=True, append_images=pages[1:])
    metadata = load_photograph(tmp_path / f"in{suffix}").metadata
    assert metadata.count == 3
    assert "2 more pictures" in metadata.left_out


def test_everything_else_is_named(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    more = exif()
    more[34665] = {DATE_TAKEN: TAKEN, 37500: b"notes of the maker"}
    Picture.fromarray(levels(3)).save(
        tmp_path / "a.jpg", exif=more.tobytes(), comment="hello"
    )
    info = PngInfo()
    info.add_text("Author", "me")
    info.add(b"cICP", b"\x0c\x0d\0\1")
    info.add(b"gAMA", struct.pack(">I", 100_000))
    Picture.fromarray(levels(3)).save(tmp_path / "b.png", pnginfo=info)
    named = {
        name: " ".join(load_photograph(tmp_path / name).metadata.lost_in(".png"))
        for name in ("a.jpg", "b.png")
    }
    assert "maker notes" in named["a.jpg"] and "comment" in named["a.jpg"]
    for word in ("text", "cICP", "gamma 1"):
        assert word in named["b.png"]


# ---- lossy formats


def test_jpeg_keeps_colours_next_to_each_other(tmp_path: Path) -> None:
    stripes = torch.zeros(3, 32, 32)
    stripes[0, :, ::2] = stripes[2, :, 1::2] = 1
    save_image(stripes, tmp_path / "out.jpg")
    assert psnr(load_image(tmp_path / "out.jpg"), stripes) > 35  # 16.8 with 4:2:0


@pytest.mark.parametrize("channels", [3, 4])
def test_webp_is_lossless(channels: int, tmp_path: Path) -> None:
    image = torch.rand(channels, 16, 16, generator=torch.Generator().manual_seed(0))
    image[-1, :4] = 0
    save_image(image, tmp_path / "out.webp")
    assert (to_uint8(load_image(tmp_path / "out.webp")) == to_uint8(image)).all()


# ---- what is refused


@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "u4", "f2", "f4", "f8", "u8"])
def test_tiff_values_of_other_kinds_are_refused(kind: str, tmp_path: Path) -> None:
    values = np.linspace(0, 90, 64).reshape(8, 8).astype(kind)
    tifffile.imwrite(tmp_path / "in.tif", values, photometric="minisblack")
    with pytest.raises(ValueError, match=r"in\.tif: expected .* 8 or 16 bits"):
        load_image(tmp_path / "in.tif")


def test_a_map_of_floats_is_refused(tmp_path: Path) -> None:
    content = b"Pf\n2 2\n-1.0\n" + np.ones(4, "<f4").tobytes()
    (tmp_path / "in.ppm").write_bytes(content)
    with pytest.raises(ValueError, match="floating-point values"):
        load_image(tmp_path / "in.ppm")


def test_heic_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if not installed
    with pytest.raises(ValueError, match=r"IMG_1\.HEIC: .* pip install pillow-heif"):
        load_image(tmp_path / "IMG_1.HEIC")


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    Picture.fromarray(levels(3)).save(tmp_path / "in.png")
    content = bytearray((tmp_path / "in.png").read_bytes())
    content[-13] ^= 1  # the last byte of the checksum of the pixels
    (tmp_path / "in.png").write_bytes(content)
    with pytest.raises(ValueError, match="checksum"):
        load_image(tmp_path / "in.png")


@pytest.mark.parametrize(
    "suffix", [".png", ".jpg", ".tif", ".bmp", ".webp", ".gif", ".ppm", ".tga", ".jp2"]
)
def test_truncated_files_are_refused(suffix: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Picture.fromarray(noise).save(tmp_path / f"in{suffix}")
    whole = (tmp_path / f"in{suffix}").read_bytes()
    for share in (0.02, 0.3, 0.6, 0.9):
        (tmp_path / f"in{suffix}").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(ValueError, match="expected a picture"):
            load_image(tmp_path / f"in{suffix}")


@pytest.mark.parametrize("channels", [2, 3])
def test_a_truncated_file_of_sixteen_bits_is_refused(
    channels: int, tmp_path: Path
) -> None:
    whole = written_by_tifffile(tmp_path / "in.tif", channels).read_bytes()
    (tmp_path / "in.tif").write_bytes(whole[:-100])
    with pytest.raises(ValueError, match="expected a picture"):
        load_image(tmp_path / "in.tif")


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_tiles_of_sixteen_bits_are_refused(channels: int, tmp_path: Path) -> None:
    # FFmpeg reads them as if they were rows, and says nothing
    path = written_by_tifffile(tmp_path / "in.tif", channels, tile=(16, 16))
    with pytest.raises(ValueError, match=r"in\.tif: .*tiles"):
        load_image(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders")
def test_a_pipe_is_refused_and_does_not_block(tmp_path: Path) -> None:
    pipe = tmp_path / "in.png"
    os.mkfifo(pipe)

    def blocked(*_: object) -> None:
        raise AssertionError("it waited for the pipe")

    before = signal.signal(signal.SIGALRM, blocked)
    signal.alarm(20)
    try:
        with pytest.raises(ValueError, match=r"in\.png: expected a file, got a pipe"):
            load_image(pipe)
        with pytest.raises(OSError, match=r"in\.png: .* a device or a pipe"):
            save_image(torch.rand(3, 4, 4), pipe)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert pipe.is_fifo()


# ---- writing


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of a file's size")
@pytest.mark.parametrize("suffix", [".tif", ".bmp", ".jpg", ".png", ".webp"])
def test_a_file_that_does_not_fit_is_an_error(suffix: str, tmp_path: Path) -> None:
    import resource

    out = tmp_path / f"out{suffix}"
    out.write_text("before")
    image = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # as on a full disk, a write is short, and the next one fails
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))
    try:
        with pytest.raises(
            OSError, match=r"out\..*: cannot be written \(File too large"
        ):
            save_image(image, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert out.read_text() == "before"
    assert os.listdir(tmp_path) == [out.name]


def test_several_threads_write_one_path(tmp_path: Path) -> None:
    images = [torch.full((3, 40, 40), shade) for shade in (0.2, 0.8)]
    failed: list[Exception] = []

    def save(image: torch.Tensor) -> None:
        try:
            for _ in range(10):
                save_image(image, tmp_path / "out.png")
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=save, args=(image,)) for image in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(load_image(tmp_path / "out.png").unique()) == 1
    assert os.listdir(tmp_path) == ["out.png"]


def test_what_an_earlier_run_left_blocks_nothing(tmp_path: Path) -> None:
    # a container gives the same process id to each run
    (tmp_path / f".out.png.{os.getpid()}.part").mkdir()
    save_image(torch.rand(3, 4, 4), tmp_path / "out.png")
    assert load_image(tmp_path / "out.png").shape == (3, 4, 4)


@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()])
@pytest.mark.parametrize("existing", [False, True])
def test_all_files_are_written_or_none(
    error: BaseException,
    existing: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths = [tmp_path / name for name in ("a.png", "b.json", "c")]
    if existing:
        paths[0].write_text("old a")
        paths[1].write_text("old b")
        paths[2].mkdir()
    before = sorted(os.listdir(tmp_path))
    replace, calls = os.replace, []

    def fail_at_the_last(*given: Path) -> None:
        calls.append(given)
        if len(calls) == 3:
            raise error
        replace(*given)

    monkeypatch.setattr(writing.os, "replace", fail_at_the_last)
    with pytest.raises((OSError, KeyboardInterrupt)):
        with written_together(paths) as places:
            places[0].write_text("new a")
            places[1].write_text("new b")
            places[2].mkdir()
            (places[2] / "inside").write_text("new c")
    assert sorted(os.listdir(tmp_path)) == before
    if existing:
        assert [path.read_text() for path in paths[:2]] == ["old a", "old b"]
        assert paths[2].is_dir() and not os.listdir(paths[2])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
def test_the_mode_and_the_symbolic_link_stay(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    target, link = tmp_path / "deep/real.png", tmp_path / "link.png"
    target.write_text("before")
    target.chmod(0o640)
    link.symlink_to(target)
    save_image(torch.rand(3, 4, 4), link)
    assert link.is_symlink() and load_image(target).shape == (3, 4, 4)
    assert target.stat().st_mode & 0o777 == 0o640
    (tmp_path / "new.png").symlink_to("deep/new.png")  # nothing is there yet
    save_image(torch.rand(3, 4, 4), tmp_path / "new.png")
    assert (tmp_path / "deep/new.png").is_file()
    with pytest.raises(OSError, match="/dev/null: expected a file to write"):
        with written_whole(Path("/dev/null")):
            pass


# ---- transparency


def test_invisible_pixels_get_the_nearest_visible_colour() -> None:
    colour, alpha = torch.zeros(3, 8, 8), torch.zeros(1, 8, 8)
    colour[0, 2:6, 2:4], colour[2, 2:6, 4:6] = 1, 1  # red, then blue, on black
    alpha[:, 2:6, 2:6] = 1
    extended = extend_colours(colour, alpha)
    assert torch.equal(extended[:, 2:6, 2:6], colour[:, 2:6, 2:6])
    assert (extended[:, :, :4] == torch.tensor([1.0, 0, 0])[:, None, None]).all()
    assert (extended[:, :, 4:] == torch.tensor([0, 0, 1.0])[:, None, None]).all()
    for same in (torch.zeros_like(alpha), torch.ones_like(alpha)):
        assert torch.equal(extend_colours(colour, same), colour)
