"""Tests of texture synthesis and hole filling by Efros and Leung."""

import pytest
import torch

from dil_teach.classical.completion.efros_leung import (
    EPS,
    ROUNDING,
    SIGMA,
    Grown,
    fill_hole,
    largest_copy,
    synthesise,
)
from dil_teach.image.photos import photo


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def one_by_one(
    image: torch.Tensor, mask: torch.Tensor, rng: torch.Generator, window: int
) -> torch.Tensor:
    """The source of each pixel, computed pixel by pixel as the authors describe."""
    half = window // 2
    height, width = mask.shape[1:]
    known = {(y, x) for y in range(height) for x in range(width) if mask[0, y, x] == 0}
    sample = set(known)
    source = {place: place for place in known}
    centres = [
        (y, x)
        for y in range(half, height - half)
        for x in range(half, width - half)
        if all(
            (y + a, x + b) in sample
            for a in range(-half, half + 1)
            for b in range(-half, half + 1)
        )
    ]
    near = [(a, b) for a in range(-half, half + 1) for b in range(-half, half + 1)]
    while len(known) < height * width:
        layer = [
            (y, x)
            for y in range(height)
            for x in range(width)
            if (y, x) not in known
            and any((y + a, x + b) in known for a in (-1, 0, 1) for b in (-1, 0, 1))
        ]
        layer = [layer[i] for i in torch.randperm(len(layer), generator=rng)]
        layer.sort(key=lambda p: -sum((p[0] + a, p[1] + b) in known for a, b in near))
        for (y, x), luck in zip(
            layer, torch.rand(len(layer), generator=rng), strict=True
        ):
            distances = []
            usable = [(a, b) for a, b in near if (y + a, x + b) in known]
            bell = torch.tensor(
                [-(a * a + b * b) / (2 * (SIGMA * window) ** 2) for a, b in usable]
            ).exp()
            ours = torch.stack([image[:, *source[y + a, x + b]] for a, b in usable])
            for v, u in centres:
                theirs = torch.stack([image[:, v + a, u + b] for a, b in usable])
                apart = (ours - theirs).square().sum(1)
                distances.append(float((bell * apart).sum() / bell.sum()))
            most = (1 + EPS) * min(distances) + ROUNDING
            good = [c for c, d in zip(centres, distances, strict=True) if d <= most]
            source[y, x] = good[int(luck * len(good))]
            known.add((y, x))
    return torch.tensor(
        [[source[y, x] for x in range(width)] for y in range(height)]
    ).permute(2, 0, 1)


def test_pixels_computed_together_equal_pixels_one_by_one() -> None:
    image = torch.rand(2, 13, 14, generator=seeded())[:1]
    mask = torch.zeros(1, 13, 14)
    mask[:, 6:11, 1:7] = 1
    mask[:, 12, 13] = 1
    wanted = one_by_one(image, mask, seeded(1), 5)
    grown = fill_hole(image, mask, seeded(1), 5)
    assert torch.equal(grown.source, wanted)


@pytest.fixture(scope="module")
def filled() -> tuple[torch.Tensor, torch.Tensor, Grown]:
    image = photo("brick", 64)[:, :32, :32]
    mask = torch.zeros(1, 32, 32)
    mask[:, 12:20, 10:19] = 1
    return image, mask, fill_hole(image, mask, seeded(), 7)


def test_every_filled_pixel_is_copied_from_a_known_pixel(filled) -> None:
    image, mask, grown = filled
    row, column = grown.source
    assert torch.equal(grown.image, image[:, row, column])
    assert mask[0, row, column].sum() == 0
    assert torch.equal(grown.image * (1 - mask), image * (1 - mask))


def test_the_hole_is_filled_from_its_border_inwards(filled) -> None:
    _, mask, grown = filled
    hole = mask[0] == 1
    assert (grown.order[~hole] == 0).all()
    assert grown.order[hole].sort().values.tolist() == list(range(1, 73))
    assert grown.order[12:20, 10:19][0].max() < grown.order[15:17, 14].min()


@pytest.mark.parametrize("across", [False, True])
def test_stripes_stay_stripes(across: bool) -> None:
    stripes = (torch.arange(16) % 4 < 2).float().expand(1, 16, 16)
    stripes = stripes.mT.contiguous() if across else stripes.contiguous()
    image = synthesise(stripes, (20, 24), seeded(), 7).image
    image = image.mT if across else image
    assert torch.equal(image, image[:, :1].expand_as(image))
    assert torch.equal(image[..., 4:], image[..., :-4])


def test_the_seed_decides() -> None:
    sample = photo("grass", 128)[:, :24, :24]
    first, same, other = (
        synthesise(sample, (24, 20), seeded(seed), 5).image for seed in (3, 3, 4)
    )
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert first.shape == (1, 24, 20)


def test_largest_copy() -> None:
    rows, columns = torch.meshgrid(torch.arange(6), torch.arange(8), indexing="ij")
    order = torch.ones(6, 8, dtype=torch.long)
    image = torch.zeros(1, 6, 8)
    shifted = torch.stack([rows + 2, columns + 1])
    assert largest_copy(Grown(image, order, shifted)) == 1
    half = shifted.clone()
    half[:, :, 4:] = torch.stack([rows, columns])[:, :, 4:]
    assert largest_copy(Grown(image, order, half)) == 0.5
    order[:, 4:] = 0
    assert largest_copy(Grown(image, order, half)) == 1


@pytest.mark.parametrize(
    ("size", "window", "said"),
    [
        ((20, 20), 4, "window: expected an odd number from 3 to 16"),
        ((20, 20), 1, "window: expected an odd number"),
        ((20, 20), 17, "window: expected an odd number from 3 to 16"),
        ((2, 20), 5, "size: expected at least 3 x 3 pixels, got 2 x 20"),
    ],
)
def test_bad_input_to_synthesise(size, window: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        synthesise(torch.rand(1, 16, 20), size, seeded(), window)


def test_bad_masks_are_refused() -> None:
    image = torch.rand(1, 16, 16)
    for value in (0.0, 1.0):
        with pytest.raises(ValueError, match="mask: expected both 1"):
            fill_hole(image, torch.full((1, 16, 16), value), seeded())
    with pytest.raises(ValueError, match="mask: expected 1 x 16 x 16"):
        fill_hole(image, torch.ones(1, 8, 16), seeded())
    mask = torch.zeros(1, 16, 16)
    mask[:, ::4, ::4] = 1
    with pytest.raises(ValueError, match="mask: expected a known square of 5 x 5"):
        fill_hole(image, mask, seeded(), 5)
