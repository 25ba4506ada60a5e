"""Tests of image files, resampling, kernels, patches, pyramid and metrics."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Picture
from safetensors.torch import save_file
from scipy import io
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.registration import phase_cross_correlation

from dil_teach import (
    blur_and_subsample,
    load_image,
    photo,
    psnr,
    psnr_y,
    resize,
    save_image,
    ssim,
)
from dil_teach.image.augment import (
    ORIENTATIONS,
    add_noise,
    jpeg,
    orient,
    orient_back,
    random_crop,
)
from dil_teach.image.convention import check_image, split_alpha, to_uint8
from dil_teach.image.files import written_whole
from dil_teach.image.kernel import (
    centre_kernel,
    gaussian_kernel,
    load_kernel,
    random_kernel,
)
from dil_teach.image.metrics import (
    count_objects,
    count_points,
    luma,
    object_areas,
)
from dil_teach.image.resize import limit_side, pyramid
from dil_teach.patches.extract import average_patches, extract_patches

# ---------------------------------------------------------------- image files


def write(path: Path, array: np.ndarray, **options) -> Path:
    Picture.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_eight_bit_files_come_back_as_they_were(tmp_path, channels):
    rng = np.random.default_rng(channels)
    array = rng.integers(0, 256, (9, 7, channels), dtype=np.uint8)
    array = array[..., 0] if channels == 1 else array
    image = load_image(write(tmp_path / "in.png", array))
    assert image.shape == (channels, 9, 7) and image.dtype == torch.float32
    save_image(image, tmp_path / "out.png")
    assert (to_uint8(load_image(tmp_path / "out.png")) == array).all()


def test_sixteen_bit_palette_and_exif(tmp_path):
    ramp = np.linspace(0, 65535, 40).astype(np.uint16).reshape(5, 8)
    image = load_image(write(tmp_path / "16.png", ramp))
    assert torch.allclose(image[0], torch.from_numpy(ramp / 65535).float())

    colours = np.zeros((4, 6, 3), np.uint8)
    colours[:, 3:] = (255, 128, 0)
    Picture.fromarray(colours).quantize(2).save(tmp_path / "palette.png")
    assert torch.allclose(
        load_image(tmp_path / "palette.png")[:, 0, 5],
        torch.tensor([255, 128, 0]) / 255,
    )

    exif = Picture.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by a quarter
    write(tmp_path / "exif.png", colours, exif=exif)
    assert load_image(tmp_path / "exif.png").shape == (3, 6, 4)


def test_transparent_palette_keeps_alpha(tmp_path):
    picture = Picture.fromarray(np.zeros((4, 4), np.uint8), "P")
    picture.putpalette([10, 20, 30] * 2)
    picture.save(tmp_path / "p.png", transparency=0)
    colour, alpha = split_alpha(load_image(tmp_path / "p.png"))
    assert colour.shape[0] == 3 and alpha is not None and alpha.max() == 0


def test_bad_files_are_told_off_in_one_sentence(tmp_path):
    good = write(tmp_path / "good.png", np.full((64, 64, 3), 7, np.uint8))
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = write(tmp_path / "whole.png", noise).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(ValueError, match=r"(?i)truncated"):
        load_image(tmp_path / "cut.png")
    with pytest.raises(ValueError, match="expected a picture"):
        load_image(tmp_path / "text.png")
    with pytest.raises(ValueError, match="folder"):
        load_image(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_image(tmp_path / "none.png")
    image = load_image(good)
    with pytest.raises(ValueError, match="suffix"):
        save_image(image, tmp_path / "out.xyz")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        save_image(image, tmp_path / "none" / "out.png")
    with pytest.raises(ValueError, match="NaN"):
        save_image(image * math.nan, tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    Picture.new("1", (30_000, 30_000)).save(tmp_path / "bomb.png")
    with pytest.raises(ValueError, match="megapixels"):
        load_image(tmp_path / "bomb.png")
    Picture.new("1", (12_000, 9_000)).save(tmp_path / "large.png")
    with pytest.raises(ValueError, match="got 12000 x 9000 pixels"):
        load_image(tmp_path / "large.png")


def test_a_file_without_permission_is_no_damaged_file(tmp_path, monkeypatch):
    write(tmp_path / "locked.png", np.zeros((4, 4), np.uint8))
    np.save(tmp_path / "locked.npy", np.eye(3))
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read all
    with pytest.raises(OSError, match=r"locked\.png: .* got no permission; ask"):
        load_image(tmp_path / "locked.png")
    with pytest.raises(OSError, match=r"locked\.npy: .* got no permission; ask"):
        load_kernel(tmp_path / "locked.npy", 2)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
def test_every_file_has_the_mode_of_the_umask(tmp_path):
    for mask, mode in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
        before = os.umask(mask)
        try:
            with written_whole(tmp_path / "tensors") as place:
                save_file({"a": torch.ones(1)}, place)  # it makes a private file
        finally:
            os.umask(before)
        mode_of_new = (tmp_path / "tensors").stat().st_mode & 0o777
        assert mode_of_new == mode
        (tmp_path / "tensors").unlink()


def test_saving_leaves_nothing_half_written(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="cannot be written"):
        save_image(torch.rand(3, 8, 8), tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("image", "word"),
    [
        (torch.rand(8, 8), "shape"),
        (torch.rand(3, 8, 8).double(), "float32"),
        (torch.rand(5, 8, 8), "channels"),
        (torch.rand(3, 2, 3), "at least 4 x 4"),
        (torch.full((3, 8, 8), math.nan), "finite"),
        (torch.rand(3, 8, 8) * 255, r"\[0, 1\]"),
    ],
)
def test_check_image_says_what_is_wrong(image, word):
    # the type checks of the tests already refuse tensors with a wrong shape
    with pytest.raises(Exception, match=word):
        check_image(image, min_side=4)


# ---------------------------------------------------------------- resampling


def slow_resize(row: np.ndarray, scale: float, out_length: int) -> np.ndarray:
    """Antialiased bicubic of one row, written as the sum that defines it."""
    widen = max(1 / scale, 1)
    out = np.zeros(out_length)
    for i in range(out_length):
        centre = (i + 0.5) / scale - 0.5
        total = 0.0
        for j in range(math.floor(centre - 3 * widen), math.ceil(centre + 3 * widen)):
            x = abs(centre - j) / widen
            weight = (
                1.5 * x**3 - 2.5 * x**2 + 1
                if x <= 1
                else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
                if x <= 2
                else 0.0
            )
            out[i] += weight * row[min(max(j, 0), len(row) - 1)]
            total += weight
        out[i] /= total
    return out


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    scale=st.tuples(st.floats(0.3, 4), st.floats(0.3, 4)),
)
def test_resize_equals_its_definition(height, width, scale):
    size = round(scale[0] * height), round(scale[1] * width)
    if min(size) < 1:
        return
    image = torch.rand(1, height, width, dtype=torch.float64)
    out = resize(image, scale)
    assert out.shape[1:] == size
    rows = np.stack([slow_resize(c, scale[0], size[0]) for c in image[0].numpy().T])
    both = np.stack([slow_resize(r, scale[1], size[1]) for r in rows.T])
    assert np.allclose(out[0].numpy(), both, atol=1e-9)


@pytest.mark.parametrize("kernel", ["bicubic", "bilinear", "lanczos", "area"])
@pytest.mark.parametrize("border", ["clamp", "mirror"])
@pytest.mark.parametrize("scale", [0.31, 0.5, 1.7, (3.0, 0.4)])
def test_every_kernel_keeps_a_constant(kernel, border, scale):
    out = resize(torch.full((3, 17, 23), 0.4), scale, kernel=kernel, border=border)
    assert torch.allclose(out, torch.full_like(out, 0.4), atol=1e-5)


def test_area_by_a_whole_factor_is_the_mean_of_blocks():
    image = torch.rand(3, 12, 18)
    blocks = image.reshape(3, 4, 3, 6, 3).mean((2, 4))
    assert torch.allclose(resize(image, 1 / 3, kernel="area"), blocks, atol=1e-6)


@pytest.mark.parametrize("kernel", ["bicubic", "bilinear", "lanczos"])
def test_an_interpolated_ramp_stays_a_ramp(kernel):
    ramp = torch.linspace(0, 1, 40).expand(1, 8, 40)
    out = resize(ramp, 2.0, kernel=kernel)[0, 0, 16:-16]
    where = (torch.arange(80) + 0.5)[16:-16] / 2 - 0.5
    assert torch.allclose(out, where / 39, atol=2e-3)


def test_resize_is_differentiable():
    image = torch.rand(1, 6, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: resize(x, (1.7, 0.6)), image)
    blurred = gaussian_kernel((1.0, 0.5), size=3)
    assert torch.autograd.gradcheck(
        lambda x: blur_and_subsample(x, blurred, (2, 1.0)), image
    )


def test_a_kernel_whose_weights_cancel_is_refused():
    # its centre of mass is so far away that the padded array filled the memory
    cancelling = torch.randn(15, 15, generator=torch.Generator().manual_seed(0))
    cancelling += 1e-7 - cancelling.mean()
    far = torch.zeros(9, 9)
    far[0, 0], far[8, 8] = 1, -0.97
    for kernel in (cancelling, far, far.double().numpy()):
        with pytest.raises(ValueError, match=r"kernel: expected .* check how"):
            centre_kernel(kernel, 2)
    sharpening = torch.full((3, 3), -0.1)
    sharpening[1, 1] = 1.8
    assert abs(float(centre_kernel(sharpening, 1).sum()) - 1) < 1e-12


def test_no_result_fills_the_memory():
    image = torch.zeros(1, 8, 8)
    with pytest.raises(ValueError, match="scale: expected a result of at most"):
        resize(image, 1e6)
    with pytest.raises(ValueError, match="size: expected a result of at most"):
        resize(image, size=(10**5, 10**5))


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf])
def test_a_gaussian_needs_positive_and_finite_sigmas(sigma):
    with pytest.raises(ValueError, match="expected positive sigmas"):
        gaussian_kernel((1.0, sigma))


@pytest.mark.parametrize(
    "bad", [{}, {"scale": 0.0}, {"scale": -1.0}, {"scale": math.inf}, {"size": (0, 3)}]
)
def test_resize_refuses_what_makes_no_picture(bad):
    with pytest.raises(ValueError):
        resize(torch.rand(3, 8, 8), **bad)
    with pytest.raises(ValueError, match="expected one of"):
        resize(torch.rand(3, 8, 8), 2.0, kernel="bicubik")


def test_exact_uint8_is_what_eight_bit_arithmetic_gives():
    # two pixels to one: weights of antialiased bicubic are multiples of 1/128, and
    # MATLAB rounds halves up, between the passes as well
    image = (torch.arange(64).reshape(1, 8, 8) * 37 % 256).float() / 255
    out = resize(image, 0.5, exact_uint8=True) * 255
    taps = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256

    def halve(column):
        padded = np.pad(column, 3, mode="edge")
        sums = [padded[i : i + 8] @ taps for i in range(0, len(column), 2)]
        return np.floor(np.array(sums) + 0.5).clip(0, 255)

    values = (image[0].numpy() * 255).round()
    rows_first = np.apply_along_axis(halve, 0, values)
    assert (out[0].numpy().round() == np.apply_along_axis(halve, 1, rows_first)).all()


def test_set5_low_resolution_files_are_reproduced_exactly():
    folder = Path(os.environ.get("DIL_TEACH_DATASETS", "nowhere")) / "Set5"
    files = sorted(folder.glob("*_HR.png"))
    if not files:
        pytest.skip("no Set5 in DIL_TEACH_DATASETS")
    for file in files:
        factor = int(file.name.split("_x")[1][0])
        low = to_uint8(load_image(str(file).replace("_HR", "_LR")))
        made = to_uint8(resize(load_image(file), 1 / factor, exact_uint8=True))
        assert (made != low).sum() == 0, file.name


# ---------------------------------------------------------------- kernels


def authors_kernel(size: int = 9) -> np.ndarray:
    """A kernel by the ZSSR authors' convention: 9 x 9, centre of mass at 4.5."""
    y, x = np.mgrid[:size, :size]
    weights = np.exp(-((y - 4.5) ** 2 / 2.5 + (x - 4.5) ** 2 / 1.2))
    return weights / weights.sum()


def test_a_kernel_by_the_authors_convention_passes_unshifted(tmp_path):
    weights = authors_kernel()
    from scipy import ndimage

    weights = np.pad(weights, ((0, 1), (0, 1)))
    weights[9] = weights[0]
    weights[:, 9] = weights[:, 0]
    assert np.allclose(ndimage.center_of_mass(weights), 4.5)
    nine = weights[:9, :9] / weights[:9, :9].sum()
    io.savemat(tmp_path / "k.mat", {"Kernel": nine})
    loaded = load_kernel(tmp_path / "k.mat", 2).numpy()
    assert loaded.shape == (10, 10)
    assert abs(loaded[:9, :9] - nine).max() < 1e-3 and loaded[9].max() < 1e-3


@pytest.mark.parametrize("scale", [2, 3, 4, 1.5, 2.4])
@pytest.mark.parametrize("seed", range(4))
def test_the_upsampled_low_resolution_image_lies_on_the_high(scale, seed):
    image = photo("astronaut", 192)[:1]
    kernel = random_kernel(seed)
    low = blur_and_subsample(image, kernel, scale, border="mirror")
    again = resize(low, scale, size=(192, 192))
    centred = blur_and_subsample(image, centre_kernel(kernel, 1), 1, border="mirror")
    inner = slice(16, -16)
    shift, _, _ = phase_cross_correlation(
        centred[0, inner, inner].numpy(),
        again[0, inner, inner].numpy(),
        upsample_factor=100,
    )
    assert abs(shift).max() <= 0.05


def test_an_off_centre_kernel_is_brought_to_the_middle():
    weights = np.zeros((9, 9))
    weights[1:4, 5:9] = np.random.default_rng(0).random((3, 4))
    centred = centre_kernel(weights, 2)
    from scipy import ndimage

    middle = (np.array(centred.shape) - 1) / 2
    assert abs(ndimage.center_of_mass(centred.numpy()) - middle).max() < 1e-3
    assert torch.allclose(centre_kernel(centred, 2), centred)


def test_blur_and_subsample_correlates_and_samples_where_it_says():
    image = torch.rand(1, 24, 24, dtype=torch.float64)
    kernel = np.zeros((4, 4))
    kernel[1, 1], kernel[1, 2], kernel[2, 1], kernel[2, 2] = 0.4, 0.1, 0.1, 0.4
    low = blur_and_subsample(image, kernel, 2)
    i, j = 4, 7  # LR pixel i lies between HR pixels 2i and 2i + 1
    by_hand = (
        0.4 * image[0, 8, 14]
        + 0.1 * image[0, 8, 15]
        + 0.1 * image[0, 9, 14]
        + 0.4 * image[0, 9, 15]
    )
    assert torch.isclose(low[0, i, j], by_hand)


def test_kernel_files(tmp_path):
    kernel = random_kernel(3).numpy()
    np.save(tmp_path / "k.npy", kernel)
    io.savemat(tmp_path / "k.mat", {"anything": kernel})
    grey = np.round(kernel / kernel.max() * 255).astype(np.uint8)
    write(tmp_path / "k.png", grey)
    expected = centre_kernel(kernel, 2)
    for name, tolerance in (("k.npy", 1e-9), ("k.mat", 1e-9), ("k.png", 1e-3)):
        loaded = load_kernel(tmp_path / name, 2)
        assert math.isclose(loaded.sum(), 1, abs_tol=1e-9)
        if loaded.shape == expected.shape:
            assert (loaded - expected).abs().max() < tolerance


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((5, 5)),
        np.full((5, 5), np.nan),
        np.ones(5),
        np.array([[1.0, -2.0]]),
        np.array([["a"]]),
    ],
)
def test_unusable_kernels_are_refused(tmp_path, array):
    np.save(tmp_path / "k.npy", array)
    with pytest.raises(ValueError, match=r"k\.npy: no usable kernel"):
        load_kernel(tmp_path / "k.npy", 2)


@pytest.mark.parametrize("name", ["k.npy", "k.mat"])
@pytest.mark.parametrize("content", [b"abc", b"\x93NUMPY\x01\x00v\x00{'descr'"])
def test_a_damaged_kernel_gets_a_sentence_of_our_own(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=r"got a damaged file .*; save the") as refusal:
        load_kernel(tmp_path / name, 2)
    assert "pickle" not in str(refusal.value)


def test_an_array_of_objects_is_no_kernel(tmp_path):
    np.save(tmp_path / "k.npy", np.array([[{}, {}]]), allow_pickle=True)
    with pytest.raises(ValueError, match="expected an array of numbers") as refusal:
        load_kernel(tmp_path / "k.npy", 2)
    assert "pickle" not in str(refusal.value)


def test_a_photograph_in_colour_is_no_kernel(tmp_path):
    save_image(photo("coffee", size=20), tmp_path / "k.png")
    with pytest.raises(ValueError, match=r"k\.png: expected a picture of a kernel in"):
        load_kernel(tmp_path / "k.png", 2)
    grey = (255 * gaussian_kernel((2, 2)) / gaussian_kernel((2, 2)).max()).byte()
    Picture.fromarray(grey.numpy()).convert("RGB").save(tmp_path / "k.jpg", quality=70)
    assert math.isclose(load_kernel(tmp_path / "k.jpg", 2).sum(), 1, abs_tol=1e-9)


# ---------------------------------------------------------------- patches and pyramid


def test_patches_lie_where_they_were_taken():
    image = torch.rand(3, 11, 9)
    patches = extract_patches(image, 5)
    assert patches.shape == (7 * 5, 75)
    assert torch.equal(patches[5 + 2], image[:, 1:6, 2:7].reshape(-1))
    assert torch.allclose(average_patches(patches, (11, 9), 5), image, atol=1e-6)
    with pytest.raises(ValueError, match="patch_size"):
        extract_patches(image, 10)


def test_pyramid_leaves_out_what_is_too_small():
    image = torch.rand(3, 40, 60)
    levels = pyramid(image, (1, 0.5, 0.25), min_side=15)
    assert [tuple(level.shape[1:]) for level in levels] == [(40, 60), (20, 30)]
    assert torch.equal(levels[0], image)
    assert len(pyramid(image, (1, 0.5), min_side=100)) == 1


# ---------------------------------------------------------------- augmentation


def test_only_an_image_with_a_longer_side_is_downscaled():
    image = torch.eye(30).expand(3, 30, 30)[:, :20]
    assert limit_side(image, 30).equal(image)
    small = limit_side(image, 10)
    assert small.shape == (3, 7, 10)
    assert small.equal(resize(image, 1 / 3).clamp(0, 1))
    assert resize(image, 1 / 3).min() < 0  # the clamp is needed
    assert limit_side(image[None], 10, min_side=8).shape == (1, 3, 8, 10)


def test_the_eight_orientations_differ_and_come_back():
    image = torch.rand(3, 5, 7)
    seen = [orient(image, k) for k in ORIENTATIONS]
    for k, turned in enumerate(seen):
        assert torch.equal(orient_back(turned, k), image)
    square = torch.rand(1, 4, 4)
    assert len({orient(square, k).numpy().tobytes() for k in ORIENTATIONS}) == 8


def test_crops_noise_and_jpeg():
    rng = torch.Generator().manual_seed(0)
    image = photo("chelsea", 64)
    crop = random_crop(image, (9, 200), rng)
    assert crop.shape == (3, 9, 64)
    noisy = add_noise(torch.full((3, 99, 99), 0.5), 0.1, rng)
    assert abs(noisy.std().item() - 0.1) < 0.003
    assert 20 < psnr(jpeg(image, 10), image) < psnr(jpeg(image, 90), image)


# ---------------------------------------------------------------- metrics


def test_metrics_agree_with_scikit_image():
    rng = torch.Generator().manual_seed(0)
    a = photo("chelsea", 96)
    b = add_noise(a, 0.05, rng).clamp(0, 1)
    arrays = a.double().numpy(), b.double().numpy()
    assert math.isclose(
        psnr(a, b), peak_signal_noise_ratio(*arrays, data_range=1), abs_tol=1e-6
    )
    expected = structural_similarity(
        *arrays,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
        channel_axis=0,
    )
    assert math.isclose(ssim(a, b), expected, abs_tol=1e-6)
    assert psnr(a, a) == math.inf and ssim(a, a) == pytest.approx(1)


def test_luma_is_matlabs():
    white, black = torch.ones(3, 1, 1), torch.zeros(3, 1, 1)
    assert luma(white).item() == pytest.approx(235 / 255)
    assert luma(black).item() == pytest.approx(16 / 255)
    from skimage.color import rgb2ycbcr

    image = photo("coffee", 32)
    expected = rgb2ycbcr(image.permute(1, 2, 0).double().numpy())[..., 0] / 255
    assert np.allclose(luma(image)[0].numpy(), expected, atol=1e-6)


def test_psnr_y_leaves_the_border_out():
    a = torch.rand(3, 20, 20)
    b = a.clone()
    b[:, 0] = 1 - b[:, 0]
    assert psnr_y(a, b, 1) == math.inf and psnr_y(a, b, 0) < 30
    with pytest.raises(ValueError, match="shave"):
        psnr_y(a, b, 10)
    with pytest.raises(ValueError, match="the same size"):
        psnr(a, b[:, 1:])


# ---- counts


def test_objects_and_points_are_counted_in_drawn_pictures():
    row, column = torch.meshgrid(torch.arange(60), torch.arange(90), indexing="ij")
    discs, dots = torch.zeros(1, 60, 90), torch.zeros(3, 60, 90)
    for number, (y, x) in enumerate([(15, 15), (15, 45), (45, 15), (45, 75)]):
        discs[0, (row - y) ** 2 + (column - x) ** 2 < (6 + number) ** 2] = 1
        dots[:, y, x] = 0.2 + 0.1 * number
    assert count_objects(discs) == (4, 1.0)
    areas = object_areas(discs)
    assert areas == sorted(areas) and areas[0] == pytest.approx(math.pi * 36, rel=0.1)
    assert areas[3] == pytest.approx(math.pi * 81, rel=0.1)
    assert count_points(dots) == 3 and count_points(dots, least=0.45) == 1
    assert count_objects(torch.zeros(1, 60, 90))[0] == count_points(0 * dots) == 0
