"""Fractal compression: the exact search, the contraction, the zoom, and the file."""

import itertools
import random
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dil_teach import (
    FractalCode,
    FractalSettings,
    fractal_decode,
    fractal_encode,
    load_frac,
    photo,
    psnr,
    resize,
    save_frac,
)
from dil_teach.classical.fractal import domains, fractal, means, quadtree
from dil_teach.classical.fractal.domains import (
    CONTRAST_STEP,
    INVERSE,
    MOST_CONTRAST,
    apply_isometry,
    best_domains,
    cut_blocks,
    domain_grid,
    halved,
)
from dil_teach.classical.fractal.frac_file import CHECKSUM, HEADER, code_of, frac_bytes

SIDE = 64


@pytest.fixture(scope="module")
def colour() -> torch.Tensor:
    return photo("astronaut", SIDE)


@pytest.fixture(scope="module")
def grey(colour: torch.Tensor) -> torch.Tensor:
    return colour[1:2]


@pytest.fixture(scope="module")
def code(grey: torch.Tensor) -> FractalCode:
    return fractal_encode(grey)


@pytest.fixture(scope="module")
def content(code: FractalCode) -> bytes:
    return frac_bytes(code)


# ---- search


def test_the_isometries_are_the_eight_symmetries_and_have_inverses() -> None:
    block = torch.arange(16.0).view(1, 4, 4)
    moved = [apply_isometry(block, number) for number in range(8)]
    assert len({tuple(each.flatten().tolist()) for each in moved}) == 8
    for number, each in enumerate(moved):
        assert torch.equal(apply_isometry(each, INVERSE[number]), block)


def test_the_search_finds_the_map_of_least_error() -> None:
    """Compared with a search that tries every domain, isometry and contrast."""
    plane = 255 * photo("camera", 32)[0]
    half = halved(plane)
    blocks = cut_blocks(plane, 8)
    corner = quadtree.grid_corners((32, 32), 8)
    best = best_domains(blocks, corner, half)
    step, rows, columns = domain_grid(half.shape, 8)
    limited = 0
    for number, (block, (row, column)) in enumerate(zip(blocks, corner, strict=True)):
        range_ = block - block.mean()
        errors = torch.full((8, rows, columns), torch.inf)
        for top, left in itertools.product(range(rows), range(columns)):
            domain = half[None, step * top :, step * left :][:, :8, :8]
            domain = domain - domain.mean()
            for isometry in range(8):
                moved = apply_isometry(domain, isometry)[0]
                contrast = (range_ * moved).sum() / moved.square().sum()
                limited += bool(contrast.abs() > MOST_CONTRAST)
                contrast = contrast.clamp(-MOST_CONTRAST, MOST_CONTRAST)
                error = (range_ - contrast * moved).square().sum()
                errors[isometry, top, left] = error
        for reach, found in zip(domains.REACHES, best, strict=True):
            first = []
            for start, length in ((row, rows), (column, columns)):
                begin = (int(start) // 2 - 2) // step - reach.width // 2
                first.append(min(max(begin, 0), max(length - reach.width, 0)))
            top, left = first
            near = errors[:, top : top + reach.width, left : left + reach.width]
            near = near[: reach.isometries]
            product, energy = found.product[number], found.energy[number]
            contrast = (product / energy).clamp(-MOST_CONTRAST, MOST_CONTRAST)
            error = range_.square().sum() - 2 * contrast * product
            error = (error + contrast**2 * energy).item()
            assert error == pytest.approx(near.min().item(), rel=1e-3)
    assert limited > 0  # both cases are tested


def test_the_square_of_a_reach_has_places_in_reading_order() -> None:
    corner = quadtree.grid_corners((64, 48), 8)
    for reach in domains.REACHES:
        square = domains.squares(corner, 8, (32, 24), reach)
        for place in range(0, square.count, 5):
            domain = square.domain(torch.full((len(corner),), place))
            assert (square.place(domain) == place).all()
            assert (0 <= domain).all() and (domain < 25 * 17).all()


def test_a_large_image_has_a_coarser_grid_of_domains() -> None:
    assert domain_grid((128, 128), 4) == (1, 125, 125)
    for half_size in ((500, 700), (16, 100000), (3000, 4000)):
        step, rows, columns = domain_grid(half_size, 16)
        assert rows * columns <= domains.MOST_DOMAINS
        assert step * (rows - 1) + 16 <= half_size[0]
        assert step * (columns - 1) + 16 <= half_size[1]


# ---- quadtree


def test_every_pixel_has_one_range_block(code: FractalCode) -> None:
    covered = torch.zeros(SIDE, SIDE)
    for level in code.channels[0]:
        for row, column in level.corner[~level.split].tolist():
            covered[row : row + level.side, column : column + level.side] += 1
    assert (covered == 1).all()
    assert sum(len(level.contrast) > 0 for level in code.channels[0]) > 1


def test_no_other_quadtree_is_cheaper() -> None:
    """Compared with every quadtree of one block of 16 x 16 pixels."""
    rng = torch.Generator().manual_seed(0)
    costs = [10 * torch.rand(n, n, generator=rng) / n for n in (1, 2, 4)]
    splits = quadtree.prune(costs, 0.1)
    quarters = costs[2].view(2, 2, 2, 2).transpose(1, 2).sum((2, 3))

    def total(split: bool, below: torch.Tensor) -> float:
        if not split:
            return costs[0].item()  # both alternatives need the bit of this block
        return (0.4 + torch.where(below, quarters, costs[1]).sum()).item()

    trees = [
        (split, torch.tensor(below).view(2, 2))
        for split in (False, True)
        for below in itertools.product((False, True), repeat=4)
    ]
    best = min(total(*tree) for tree in trees)
    assert total(bool(splits[0]), splits[1]) == pytest.approx(best)


def test_quality_trades_bits_for_errors(grey: torch.Tensor) -> None:
    sizes, errors = [], []
    for quality in (0, 50, 100):
        code = fractal_encode(grey, FractalSettings(quality=quality))
        sizes.append(len(frac_bytes(code)))
        errors.append(psnr(fractal_decode(code), grey))
    assert sizes == sorted(sizes) and errors == sorted(errors)
    assert errors[2] > errors[0] + 5


def test_the_quadtree_is_better_than_fixed_blocks() -> None:
    """At the same number of bytes, on a photograph with large smooth parts."""
    grey = photo("camera", 128)

    def measured(quality: int, sides: tuple[int, ...]) -> tuple[int, float]:
        code = fractal_encode(grey, FractalSettings(quality, sides))
        return len(frac_bytes(code)), psnr(fractal_decode(code), grey)

    size, fixed = measured(100, (8,))
    curve = [measured(quality, (16, 8, 4)) for quality in (0, 10, 20, 30, 40)]
    sizes, values = zip(*curve, strict=True)
    assert sizes[0] < size < sizes[-1]
    assert np.interp(size, sizes, values) > fixed + 1


# ---- means


def test_the_brightness_is_as_good_as_a_real_number(
    code: FractalCode, grey: torch.Tensor
) -> None:
    """The error of each block's mean is the rounding error."""
    (levels,) = code.channels
    plane = 255 * grey[0]
    mosaic = means.mosaic(levels, (SIDE, SIDE))
    for level in levels:
        row, column = (level.corner[~level.split] // level.side).unbind(1)
        wanted = F.avg_pool2d(plane[None], level.side)[0, row, column]
        contrast = CONTRAST_STEP * level.contrast
        found = contrast * means.domain_means(level, plane)
        found = found + means.brightness(level, mosaic)
        if len(wanted) > 10:
            rounding = level.step / 12**0.5
            assert (found - wanted).square().mean().sqrt() < 1.3 * rounding


# ---- decoder


def test_one_pass_is_the_formula_of_the_paper(code: FractalCode) -> None:
    """Compared with a loop over the range blocks."""
    (levels,) = code.channels
    mosaic = means.mosaic(levels, (SIDE, SIDE))
    source, contrast, offset = fractal._pixel_maps(levels, mosaic, 1)
    rng = torch.Generator().manual_seed(0)
    half = halved(255 * torch.rand(SIDE, SIDE, generator=rng))
    fast = contrast * half.flatten()[source] + offset
    slow = torch.full((SIDE, SIDE), torch.nan)
    for level in levels:
        side = level.side
        step, _, columns = domain_grid(half.shape, side)
        corners = level.corner[~level.split].tolist()
        for number, (row, column) in enumerate(corners):
            place = int(level.domain[number])
            top, left = step * (place // columns), step * (place % columns)
            domain = half[None, top : top + side, left : left + side]
            moved = apply_isometry(domain, int(level.isometry[number]))[0]
            seen = halved(mosaic)[top : top + side, left : left + side].mean()
            block = CONTRAST_STEP * level.contrast[number] * (moved - seen)
            block = block + level.step * level.mean[number]
            slow[row : row + side, column : column + side] = block
    assert torch.allclose(fast, slow, atol=1e-3)


def test_three_starts_reach_the_same_fixed_point(code: FractalCode) -> None:
    contrasts = torch.cat([level.contrast for level in code.channels[0]])
    largest = contrasts.abs().max()
    assert 0 < CONTRAST_STEP * largest < 1
    rng = torch.Generator().manual_seed(0)
    starts = (
        torch.zeros(1, SIDE, SIDE),
        torch.rand(1, SIDE, SIDE, generator=rng),
        photo("coffee", 48)[:1],  # another image, of another size
    )
    first, *others = (fractal_decode(code, start=start) for start in starts)
    assert torch.allclose(first, fractal_decode(code), atol=0.5 / 255)
    for other in others:
        assert torch.allclose(first, other, atol=0.5 / 255)


def test_the_fixed_point_is_near_the_image(grey: torch.Tensor) -> None:
    assert psnr(fractal_decode(fractal_encode(grey, FractalSettings(80))), grey) > 25


def test_the_zoom_agrees_with_the_image(code: FractalCode, grey: torch.Tensor) -> None:
    large = fractal_decode(code, scale=3)
    assert large.shape == (1, 3 * SIDE, 3 * SIDE)
    small = F.avg_pool2d(large, 3)
    assert psnr(small, fractal_decode(code)) > 40
    # blocks are magnified as they are, so a constant image stays constant
    flat = fractal_encode(torch.full((1, 20, 30), 0.5))
    assert fractal_decode(flat, 2).unique().numel() == 1


def test_colour_and_any_size(colour: torch.Tensor) -> None:
    for height, width in ((1, 1), (5, 40), (33, 47)):
        image = colour[:, :height, :width]
        back = code_of(frac_bytes(fractal_encode(image, FractalSettings(70))))
        assert fractal_decode(back).shape == (3, height, width)
        assert fractal_decode(back, 2).shape == (3, 2 * height, 2 * width)
        # chroma has half the resolution
        assert psnr(fractal_decode(back), image) > 22
    ramp = (
        torch.linspace(0, 1, 40).expand(3, 40, 40)
        * torch.tensor([1, 0.5, 0.2])[:, None, None]
    )
    assert psnr(fractal_decode(fractal_encode(ramp)), ramp) > 30


# ---- file


def test_a_file_gives_the_same_code(
    code: FractalCode, grey: torch.Tensor, tmp_path
) -> None:
    path = tmp_path / "a.frac"
    save_frac(code, path)
    back = load_frac(path)
    assert (back.size, back.sides) == (code.size, code.sides)
    for level, other in zip(code.channels[0], back.channels[0], strict=True):
        for name, value in vars(level).items():
            assert torch.equal(
                torch.as_tensor(value), torch.as_tensor(vars(other)[name])
            )
    assert len(path.read_bytes()) < SIDE**2 / 4
    assert torch.equal(fractal_decode(back), fractal_decode(code))
    assert psnr(fractal_decode(back), grey) > psnr(resize(resize(grey, 0.25), 4), grey)


def sealed(header: bytes, stream: bytes) -> bytes:
    """A file with the right checksum."""
    return header + CHECKSUM.pack(zlib.crc32(header + stream)) + stream


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda b: b"", "expected a .frac file"),
        (lambda b: b[:9], "expected a .frac file"),
        (lambda b: b"\x89PNG" + b[4:], "expected a .frac file"),
        (lambda b: b[:-1], "damaged or truncated"),
        (lambda b: b[: len(b) // 2], "damaged or truncated"),
        (lambda b: b + b"x", "damaged or truncated"),
        (lambda b: b[:4] + b"\x01" + b[5:], "expected version 2 .* got 1"),
        (lambda b: b[:60] + bytes([b[60] ^ 1]) + b[61:], "damaged or truncated"),
    ],
)
def test_damaged_and_foreign_files(content: bytes, change, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        code_of(change(content), "a.frac")
    assert str(raised.value).startswith("a.frac: expected")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ((1, 65535, 65535, 4, 3), "expected at most 16000000 pixels"),
        ((1, 4000, 4000, 4, 3), "damaged"),  # too few blocks in the stream
        ((2, 64, 64, 4, 3), "damaged"),
        ((1, 0, 64, 4, 3), "damaged"),
        ((1, 64, 64, 200, 3), "damaged"),
        ((1, 64, 64, 4, 0), "damaged"),
        ((1, 64, 64, 4, 255), "damaged"),
    ],
)
def test_forged_headers(content: bytes, fields: tuple[int, ...], said: str) -> None:
    header = HEADER.pack(b"FRAC", 2, *fields)
    begin = time.process_time()
    with pytest.raises(ValueError, match=said):
        code_of(sealed(header, content[HEADER.size + CHECKSUM.size :]))
    assert time.process_time() - begin < 60  # a file can say that decoding takes hours


def test_a_stream_of_predictable_symbols_ends() -> None:
    """A forged header of many small blocks, and a stream without information."""
    header = HEADER.pack(b"FRAC", 2, 3, 4000, 4000, 1, 1)
    tracemalloc.start()
    for filler in (b"\x00", b"\xff"):
        with pytest.raises(ValueError, match="damaged"):
            code_of(sealed(header, 100 * filler))
    assert tracemalloc.get_traced_memory()[1] < 2e9
    tracemalloc.stop()


@pytest.mark.parametrize("checked", [True, False])
def test_random_damage_gives_a_picture_or_one_error(
    content: bytes, checked: bool
) -> None:
    """With a new checksum, damage reaches every field; the iteration still ends."""
    rng = random.Random(0)
    pictures = 0
    for _ in range(200):
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 1, 3))):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        if rng.random() < 0.2:
            del damaged[rng.randrange(len(damaged)) :]
        if not checked:
            start = HEADER.size + CHECKSUM.size
            damaged = sealed(bytes(damaged[: HEADER.size]), bytes(damaged[start:]))
        try:
            code = code_of(bytes(damaged))
        except ValueError as error:
            assert "\n" not in str(error)
            continue
        image = fractal_decode(code)
        assert torch.isfinite(image).all() and image.shape[1:] == code.size
        pictures += 1
    # the code of damaged symbols has another length, except near the end
    assert pictures == 0 if checked else 0 < pictures < 40


def test_a_stream_that_is_too_long_or_too_short_is_found(content: bytes) -> None:
    start = HEADER.size + CHECKSUM.size
    header, stream = content[: HEADER.size], content[start:]
    assert code_of(sealed(header, stream)).size == (SIDE, SIDE)
    for forged in (stream + b"x", stream[:-1], stream[:-40], b""):
        with pytest.raises(ValueError, match="damaged"):
            code_of(sealed(header, forged))


# ---- bad input


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"quality": -1}, "expected quality from 0 to 100, got -1"),
        ({"quality": 101}, "expected quality from 0 to 100, got 101"),
        ({"sides": ()}, "expected sides that are powers of 2"),
        ({"sides": (12, 6)}, "expected sides that are powers of 2"),
        ({"sides": (16, 4)}, "expected sides that are powers of 2"),
        ({"sides": (4, 8)}, "expected sides that are powers of 2"),
        ({"sides": (2, 1)}, "expected sides that are powers of 2"),
    ],
)
def test_bad_settings(wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        FractalSettings(**wrong)


def test_bad_arguments(code: FractalCode, colour: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="scale: expected a whole number"):
        fractal_decode(code, scale=0)
    with pytest.raises(ValueError, match="size: expected at most 16000000 pixels"):
        fractal_decode(code, scale=1000)
    with pytest.raises(ValueError, match="start: expected 1 channels, got 3"):
        fractal_decode(code, start=colour)
    with pytest.raises(ValueError, match="image: expected values in"):
        fractal_encode(255 * colour)


def test_the_header_is_as_documented(content: bytes) -> None:
    assert struct.unpack(">4sBBHHBB", content[:12]) == (b"FRAC", 2, 1, SIDE, SIDE, 4, 3)


# ---- the bars of 256 x 256 pixels


@pytest.mark.slow
def test_three_photographs_at_most_0_8_bits_per_pixel() -> None:
    values = []
    for name in ("astronaut", "chelsea", "coffee"):
        image = photo(name, 256).mean(0, keepdim=True)
        begin = time.process_time()
        code = fractal_encode(image, FractalSettings(quality=35))
        middle = time.process_time()
        result = fractal_decode(code)
        assert middle - begin < 10
        assert time.process_time() - middle < 0.3
        assert 8 * len(frac_bytes(code)) / 256**2 <= 0.8
        values.append(psnr(result, image))
    assert sum(values) / 3 > 28


def test_several_qualities_share_one_search(colour: torch.Tensor) -> None:
    qualities = (70, 20)
    for code, quality in zip(
        fractal.encode_with_qualities(colour, qualities), qualities, strict=True
    ):
        alone = fractal_encode(colour, FractalSettings(quality))
        assert frac_bytes(code) == frac_bytes(alone)
    with pytest.raises(ValueError, match="expected quality from 0 to 100, got 101"):
        fractal.encode_with_qualities(colour, (50, 101))
