"""The border of a mask at full resolution: sharp, without islands, and cheap."""

import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from dil_teach.classical.segmentation import border, region_growing
from dil_teach.classical.segmentation.border import refine_border, signed_distance
from dil_teach.classical.segmentation.region_growing import segment_by_growing
from dil_teach.image.scenes import scene

NOISE = 0.1


def disk(side: int, radius: float = 0.3) -> Tensor:
    y, x = torch.meshgrid(*[(torch.arange(side) + 0.5) / side] * 2, indexing="ij")
    return (y - 0.5).square() + (x - 0.5).square() < radius**2


def picture_of(mask: Tensor, difference: float = 0.3) -> Tensor:
    """A disk on a ground of another colour; both have noise and a gradient of light."""
    draw = torch.randn(3, *mask.shape, generator=torch.Generator().manual_seed(0))
    light = torch.linspace(0.2, 0.6, mask.shape[1])
    return (light + difference * mask + NOISE * draw).clamp(0, 1)


def nothing(mask: Tensor) -> Tensor:
    return torch.zeros_like(mask)


def pixels_off(found: Tensor, truth: Tensor) -> float:
    """Wrong pixels for each pixel of the border's length."""
    length = (truth.diff(dim=0)).sum() + (truth.diff(dim=1)).sum()
    return float((found ^ truth).sum() / length)


@pytest.mark.parametrize("side", [320, 500])
def test_a_border_that_is_a_coarse_pixel_off_is_found(side: int) -> None:
    truth = disk(side)
    wrong = disk(64, radius=0.3 + 1.2 / 64)
    plain = F.interpolate(wrong[None, None].float(), [side, side])[0, 0] > 0.5
    found = refine_border(picture_of(truth), wrong, nothing(truth), nothing(truth))
    assert pixels_off(plain, truth) > 4
    assert pixels_off(found, truth) < 0.4


def test_without_an_edge_the_border_stays() -> None:
    truth = disk(320)
    flat = picture_of(truth, difference=0)
    found = refine_border(flat, disk(64), nothing(truth), nothing(truth))
    assert pixels_off(found, truth) < 0.5 * 320 / 64  # half a pixel of the small copy


def test_noise_leaves_no_islands() -> None:
    truth = disk(400)
    image = picture_of(truth, difference=0.15)
    found = refine_border(image, disk(50), nothing(truth), nothing(truth))
    for layer in (found, ~found):
        assert ndimage.label(layer.numpy())[1] == 1


def test_hints_are_kept_at_full_resolution() -> None:
    truth = disk(320)
    front, back = nothing(truth), nothing(truth)
    front[150:155, 255:262] = True  # outside of the disk, whose edge is at column 256
    back[250:262, 158:164] = True  # inside of the disk
    found = refine_border(picture_of(truth), disk(64), front, back)
    assert found[front].all() and not found[back].any()


def test_only_pixels_near_the_border_are_cut(monkeypatch) -> None:
    cut = []

    def recorded(cost_in, cost_out, pairs):
        cut.append(len(cost_in))
        return graph_cut(cost_in, cost_out, pairs)

    graph_cut = border.graph_cut
    monkeypatch.setattr(border, "graph_cut", recorded)
    for side in (256, 512):
        truth = disk(side)
        hints = nothing(truth), nothing(truth)
        refine_border(picture_of(truth), disk(64), *hints)
    assert len(cut) == 2 + 3
    assert cut[-1] < 2.2 * cut[-2] and cut[-1] < 0.1 * 512**2


def test_the_distance_is_that_of_the_nearest_other_pixel() -> None:
    mask = torch.zeros(9, 12, dtype=torch.bool)
    mask[2:9, 3:10] = True
    y, x = torch.meshgrid(torch.arange(9), torch.arange(12), indexing="ij")
    places = torch.stack([y, x]).flatten(1).T.float()
    between = torch.cdist(places, places, torch.inf)
    other = mask.flatten()[:, None] != mask.flatten()
    far = between.where(other, torch.inf).amin(1).view(9, 12).clamp_max(3)
    assert torch.equal(signed_distance(mask, 3), far.where(mask, -far))


def test_a_long_picture_keeps_its_narrow_side() -> None:
    truth = torch.zeros(24, 900, dtype=torch.bool)
    truth[:, 300:620] = True
    small = F.interpolate(truth[None, None].float(), [16, 96])[0, 0] > 0.5
    found = refine_border(picture_of(truth), small, nothing(truth), nothing(truth))
    assert pixels_off(found, truth) < 0.4


def test_the_mask_of_a_large_picture_is_binary_and_sharp(monkeypatch) -> None:
    """The guided filter left grey borders; the small copy has 64 pixels a side."""
    monkeypatch.setattr(region_growing, "SIDE", 64)
    images = scene("ring").images
    hints = images["foreground_hint"], images["background_hint"]
    mask = segment_by_growing(images["image"], *hints)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert pixels_off(mask[0] > 0.5, images["mask"][0] > 0.5) < 0.6
