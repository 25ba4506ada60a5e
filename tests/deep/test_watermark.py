"""Watermark removal: the clean images, the unchanged pixels, and bad input."""

import itertools
import math
from collections.abc import Iterator

import pytest
import torch

from dil_teach import (
    WatermarkRemoval,
    WatermarkSettings,
    fit,
    photo,
    resize,
    resume,
    save,
)
from dil_teach.classical.watermark import total_variation
from dil_teach.classical.watermark.border import fit_to_border
from dil_teach.classical.watermark.box import MARGIN, likely_box
from dil_teach.classical.watermark.total_variation import (
    common_outline,
    watermark_by_total_variation,
    without_mark,
)
from dil_teach.image.scenes import scene

SHORT = WatermarkSettings(steps=20)


STEPS = "dil_teach.classical.watermark.total_variation.STEPS"


@pytest.fixture(scope="module", autouse=True)
def few_steps() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(STEPS, 60)
        yield


@pytest.fixture(scope="module")
def marked() -> dict[str, torch.Tensor]:
    return scene("watermark").images


@pytest.fixture(scope="module")
def result(marked):
    return fit(WatermarkRemoval(marked["marked"], settings=SHORT))


def psnr_in(where: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> float:
    return -10 * math.log10((a - b)[:, :, where].square().mean().item())


def test_the_inversion_is_exact_with_the_true_mark() -> None:
    clean = torch.rand(2, 3, 6, 5)
    opacity, colour = 0.6 * torch.rand(1, 6, 5), torch.tensor([0.9, 0.8, 1.0])
    marked = (1 - opacity) * clean + opacity * colour[:, None, None]
    assert torch.allclose(without_mark(marked, opacity, colour), clean, atol=1e-5)


def test_the_mark_is_mostly_gone_without_a_box(marked, result) -> None:
    where = marked["alpha"][0] > 0
    before = psnr_in(where, marked["marked"], marked["clean"])
    assert psnr_in(where, result.clean(), marked["clean"]) > before + 10
    assert psnr_in(where, result.clean_by_start(), marked["clean"]) > before + 10


def test_the_box_around_the_mark_gives_the_result_of_the_whole_image(
    marked, monkeypatch
) -> None:
    images, outline = marked["marked"], (marked["alpha"] > 0).float()
    sizes = []
    count = total_variation.mark_variation

    def seen(images, *others):
        sizes.append(images.shape[-2:])
        return count(images, *others)

    monkeypatch.setattr(total_variation, "mark_variation", seen)
    whole, colour = watermark_by_total_variation(images, outline=outline)
    monkeypatch.setattr(total_variation, "MOST_WHOLE", 0)
    part, found = watermark_by_total_variation(images, outline=outline)
    assert (part - whole).abs().mean() < 1e-3 and (part > 0).equal(whole > 0)
    assert torch.allclose(found, colour, atol=5e-3)
    assert sizes[-1][0] * sizes[-1][1] < 0.8 * sizes[0][0] * sizes[0][1]
    every = torch.ones_like(outline)
    sizes.clear()
    watermark_by_total_variation(images, outline=every)
    assert set(sizes) == {images.shape[-2:]}


def test_the_mark_of_large_images_is_first_found_in_small_copies(marked, monkeypatch):
    images, sizes = marked["marked"], []
    whole, colour = watermark_by_total_variation(images)
    count = total_variation.mark_variation

    def seen(images, *others):
        sizes.append(images.shape[-2:].numel())
        return count(images, *others)

    monkeypatch.setattr(total_variation, "mark_variation", seen)
    monkeypatch.setattr(total_variation, "MOST_WHOLE", 80 * 80)
    found, by_copies = watermark_by_total_variation(images)
    assert sizes[0] <= 81 * 81 < images[0, 0].numel()
    assert (found - whole).abs().mean() < 0.02
    assert torch.allclose(by_copies, colour, atol=0.05)


def under_a_mark(alpha, grey: float, size: tuple[int, int], names):
    """Photographs without and with a mark, and the mark, of the given size."""
    alpha = resize(alpha, size=size).clamp(0, 1)
    several = [resize(photo(name, 256), size=size).clamp(0, 1) for name in names]
    clean = torch.stack(several)
    return clean, (1 - alpha) * clean + alpha * grey, alpha


@pytest.mark.slow
def test_a_wide_mark_is_found_coarse_to_fine(marked, monkeypatch) -> None:
    monkeypatch.setattr(STEPS, 400)
    names = "dogs", "room", "brook"
    clean, given, alpha = under_a_mark(marked["alpha"], 0.95, (224, 224), names)
    found = without_mark(given, *watermark_by_total_variation(given)).clamp(0, 1)
    # with the total variation alone, it was 21.5 dB
    assert psnr_in(alpha[0] > 0, found, clean) > 26


def test_the_opacity_of_wide_strokes_is_not_too_low(marked) -> None:
    names = "dogs", "room", "coffee"
    _, given, alpha = under_a_mark(marked["alpha"], 0.95, (120, 120), names)
    opacity, _ = watermark_by_total_variation(given)
    core = alpha > 0.9 * alpha.max()
    # with the total variation alone, it is 0.82
    assert 0.93 < opacity[core].median() / alpha[core].median() < 1.07


def test_the_opacity_of_a_large_mark_is_nearly_constant(marked, monkeypatch) -> None:
    monkeypatch.setattr(total_variation, "FINE_STEPS", 40)
    names = "dogs", "room", "picos"
    _, given, alpha = under_a_mark(letter(180), 0.95, (180, 180), names)
    spread = []
    for weight in (0, total_variation.FLATNESS):
        monkeypatch.setattr(total_variation, "FLATNESS", weight)
        opacity, _ = watermark_by_total_variation(given)
        spread.append(opacity[alpha > 0].std())
    assert spread[1] < 0.95 * spread[0]


def letter(size: int) -> torch.Tensor:
    """The opacity of a letter T."""
    alpha = torch.zeros(1, size, size)
    rows, columns = (round(size * share) for share in (0.28, 0.22))
    alpha[:, rows : rows + size // 9, columns:-columns] = 0.5
    alpha[:, rows:-rows, size // 2 - size // 18 : size // 2 + size // 18] = 0.5
    return alpha


@pytest.mark.parametrize("grey", [0.1, 0.95])
def test_the_border_of_a_mark_gives_its_opacity_and_colour(grey: float) -> None:
    names = "dogs", "room", "picos"
    _, given, alpha = under_a_mark(letter(180), grey, (180, 180), names)
    noise = 0.01 * torch.randn(alpha.shape, generator=torch.Generator().manual_seed(0))
    opacity, colour = fit_to_border(
        given, (alpha > 0) * (0.8 * alpha + noise), torch.full((3,), 0.5)
    )
    assert opacity[alpha > 0].median().sub(0.5).abs() < 0.05  # before, it was 0.1
    assert torch.allclose(colour, torch.tensor(grey), atol=0.07)


@pytest.mark.parametrize("opacity", [letter(20), 0 * letter(64), 0 * letter(64) + 0.5])
def test_a_mark_without_a_border_is_left_unchanged(opacity) -> None:
    images, colour = torch.rand(3, 3, *opacity.shape[1:]), torch.rand(3)
    same, known = fit_to_border(images, opacity, colour)
    assert torch.equal(same, opacity) and torch.equal(known, colour)


@pytest.mark.parametrize("known", ["nothing", "outline"])
def test_a_dark_mark_is_found(marked, known) -> None:
    names = ("dogs", "room", "coffee") if known == "nothing" else ("coffee",)
    clean, given, alpha = under_a_mark(marked["alpha"], 0.1, (120, 120), names)
    where = alpha > 0.01
    outline = where.float() if known == "outline" else None
    opacity, colour = watermark_by_total_variation(given, outline=outline)
    assert colour.mean() < 0.3
    before = psnr_in(where[0], given, clean)
    after = psnr_in(where[0], without_mark(given, opacity, colour).clamp(0, 1), clean)
    assert after > before + 4


def test_sizes_grow_by_two_at_most() -> None:
    for full in [(129, 128), (480, 480), (3000, 4000)]:
        sizes = total_variation._sizes(full)
        assert (
            sizes[-1] == full
            and math.prod(sizes[0]) < 1.05 * total_variation.MOST_WHOLE
        )
        for small, large in itertools.pairwise(sizes):
            assert all(m <= n <= 2 * m for m, n in zip(small, large, strict=True))


def test_pixels_outside_the_mark_are_unchanged(marked, result) -> None:
    outside = result.opacity()[0] == 0
    assert torch.equal(result.clean()[:, :, outside], marked["marked"][:, :, outside])
    assert outside[marked["alpha"][0] == 0].float().mean() > 0.8


@pytest.mark.slow
def test_with_all_steps_hardly_a_clean_pixel_changes(marked, monkeypatch) -> None:
    monkeypatch.setattr(STEPS, 400)
    opacity = fit(WatermarkRemoval(marked["marked"], settings=SHORT)).opacity()[0]
    assert (opacity[marked["alpha"][0] == 0] == 0).float().mean() > 0.9


def test_nothing_outside_the_box_changes(marked) -> None:
    row, column, height, width = box = (20, 20, 60, 50)
    opacity, _ = watermark_by_total_variation(marked["marked"], box)
    assert opacity[:, row : row + height, column : column + width].any()
    opacity[:, row : row + height, column : column + width] = 0
    assert not opacity.any()


def test_the_likely_box_contains_the_mark_and_is_not_much_larger(
    marked, result
) -> None:
    opacity, mark = result.start[0], marked["alpha"][0] > 0
    row, column, height, width = likely_box(opacity)
    inside = slice(row, row + height), slice(column, column + width)
    assert mark[inside].sum() == mark.sum()
    rows, columns = mark.any(1).sum(), mark.any(0).sum()
    assert height * width <= 2 * rows * columns
    outside = opacity[0].clone()
    outside[inside] = 0
    assert outside.any()  # else a box would not be needed


@pytest.mark.parametrize("size", [(40, 60), (150, 90)])
def test_the_likely_box_of_a_known_mark(size: tuple[int, int]) -> None:
    rng = torch.Generator().manual_seed(0)
    opacity = 0.1 * torch.rand(1, *size, generator=rng).square()
    opacity[:, 12:24, 30:51] = 0.5
    row, column, height, width = likely_box(opacity)
    cell = -(-max(size) // 64)
    for found, true in ((row, 12), (column, 30)):
        assert true - MARGIN - cell < found <= true - MARGIN
    for found, true in ((row + height, 24), (column + width, 51)):
        assert true + MARGIN <= found < true + MARGIN + cell


def test_the_outline_is_what_the_images_share(marked) -> None:
    outline = common_outline(marked["marked"], tuple(scene("watermark").known["box"]))
    alpha = marked["alpha"]
    assert outline[alpha > 0.3].median() > outline[alpha == 0].median() + 0.3


def test_the_same_seed_gives_the_same_bits_and_resuming_too(marked, tmp_path) -> None:
    images, few = marked["marked"][..., 32:96, 32:96], WatermarkSettings(steps=4)
    whole, part = (WatermarkRemoval(images, settings=few) for _ in range(2))
    part.train_step()
    save(part, tmp_path / "part.safetensors")
    fit(whole)
    for other in (part, resume(tmp_path / "part.safetensors", images)):
        assert torch.equal(fit(other).clean(), whole.clean())
        assert torch.equal(other.dip.layers().back, whole.dip.layers().back)


def test_one_image_and_its_box(marked) -> None:
    box = tuple(scene("watermark").known["box"])
    only = marked["marked"][2:]
    found = fit(WatermarkRemoval(only, box, SHORT)).clean()
    where = marked["alpha"][0] > 0
    gain = psnr_in(where, found, marked["clean"][2:]) - psnr_in(
        where, only, marked["clean"][2:]
    )
    assert gain > 0


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda i: (i[:1], None), "box: expected row, column, height and width"),
        (lambda i: (i, (100, 0, 40, 10)), "inside the 128 x 128 images"),
        (lambda i: (i, (0, 0, 3, 10)), "at least 4 pixels a side"),
        (lambda i: (i[[0, 0]], None), "got the same twice"),
        (lambda i: (i[:, :, :12], None), "at least 16 x 16 pixels"),
        (lambda i: (torch.full_like(i, 0.5), None), "the same at all pixels"),
        (lambda i: (i.repeat(1, 1, 8, 8), None), "at most 1000000"),
    ],
)
def test_bad_input_is_refused_before_any_training(marked, make, complaint) -> None:
    images, box = make(marked["marked"])
    with pytest.raises(ValueError, match=complaint):
        WatermarkRemoval(images, box)


@pytest.mark.slow
def test_an_outline_helps_one_image(marked, monkeypatch) -> None:
    monkeypatch.setattr(STEPS, 400)
    where, image = marked["alpha"] > 0, marked["marked"][:1]
    outline = torch.nn.functional.max_pool2d(where.float(), 3, 1, 1)
    box = tuple(scene("watermark").known["box"])
    by_box = fit(WatermarkRemoval(image, box, SHORT)).clean()
    removal = fit(WatermarkRemoval(image, None, SHORT, outline))
    assert torch.equal(removal.opacity() > 0, outline > 0)
    by_outline, clean = removal.clean(), marked["clean"][:1]
    assert psnr_in(where[0], by_outline, clean) > psnr_in(where[0], by_box, clean) + 2


def test_a_bad_outline_is_refused(marked) -> None:
    image, outline = marked["marked"][:1], torch.zeros(1, 128, 128)
    outline[:, 40:60, 40:60] = 1
    for bad, complaint in (
        (outline[:, :64], "outline: expected"),
        (0.5 * outline, "outline: expected 1 in the mark"),
        (1 + 0 * outline, "outline: expected 1 in the mark"),
    ):
        with pytest.raises(ValueError, match=complaint):
            WatermarkRemoval(image, outline=bad)
    with pytest.raises(ValueError, match="a box or an outline, got both"):
        WatermarkRemoval(image, (0, 0, 60, 60), outline=outline)
