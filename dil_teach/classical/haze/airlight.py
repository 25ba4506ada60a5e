"""The airlight: Bahat and Irani, 'Blind Dehazing Using Internal Patch Recurrence',
ICCP 2016, for its tint; its brightness from the contrast that the haziest part of the
picture has left.

Here pairs of patches are trusted by how well they agree with the airlight found so far,
as most pairs are chance; and all is computed in linear light.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.haze.dark_channel import (
    brightest_haze,
    dark_channel,
    dark_channel_transmission,
    remove_haze,
    to_linear,
    to_srgb,
)
from dil_teach.image.convention import Image, Video
from dil_teach.image.guided_filter import box, guided_filter
from dil_teach.image.resize import resize
from dil_teach.patches.extract import extract_patches

Airlight = Float[Tensor, "1 3 1 1"]


def estimate_airlight(frames: Video) -> Airlight:
    """The colour of opaque haze, in linear light.

    Surfaces fade towards it with distance. Its tint is where what recurs, nearer and
    farther, fades to. Its brightness is that of the haziest part, taken on to where the
    contrast that is left there would be gone, unless that part is sky.

    Parameters
    ----------
    frames : Video
        Float[Tensor, "n 3 h w"] in [0, 1], sRGB-encoded, under one haze.

    Returns
    -------
    Float[Tensor, "1 3 1 1"]
        In linear light, above 0 and at most 1.
    """
    linear = to_linear(frames)
    start = brightest_haze(linear)
    faded = to_srgb(_where_recurring_patches_fade_to(linear[len(linear) // 2], start))
    tint = faded - faded.mean()
    airlight, share = to_linear(to_srgb(start).mean() + tint), start.new_ones(())
    for _ in range(3):
        haze, share, clear = haziest_part(frames, airlight)
        # of the contrast left a part is the file's rounding, not the scene
        opaque = (haze - 0.7 * share * clear) / (1 - 0.7 * share)
        airlight = airlight * opaque.mean().clamp_min(0.05) / airlight.mean()
    # rather too bright: too dark an airlight blows up colours where little is left
    bright, scene = to_srgb(airlight).mean() + 0.03, is_no_sky(share)
    return to_linear(
        (scene * bright + (1 - scene) * faded.mean() + tint).clamp(0.05, 1)
    )


def haziest_part(
    frames: Video, airlight: Float[Tensor, "_n 3 _h _w"]
) -> tuple[Float[Tensor, "3"], Float[Tensor, ""], Float[Tensor, "3"]]:
    """The fiftieth of the pixels that is haziest, beside what is near.

    Parameters
    ----------
    frames : Video
        Float[Tensor, "n 3 h w"] in [0, 1], sRGB-encoded.
    airlight : Float[Tensor, "n 3 h w"]
        In linear light; an axis may be 1.

    Returns
    -------
    colour : Float[Tensor, "3"]
        The mean of the haziest part, in linear light.
    share : Float[Tensor, ""]
        How much of the contrast that the scene has elsewhere is left in it, to 0.6.
    near : Float[Tensor, "3"]
        The mean haze-free colour of what is near, in linear light.
    """
    linear = to_linear(frames)
    haze = dark_channel(linear, 15).flatten()
    most = haze.topk(max(1, round(0.02 * haze.numel()))).indices
    near = dark_channel_transmission(linear, airlight, 5)
    near = guided_filter(frames, near, 8, 1e-2).clamp(0.05, 1)
    contrast = (box(linear.square(), 2) - box(linear, 2).square()).clamp_min(0)
    contrast = contrast.sum(1, keepdim=True).sqrt()
    weight = near * (near > 0.3 * near.max())
    clear = remove_haze(linear, near, airlight)
    clear = (clear * weight).sum((0, 2, 3)) / weight.sum()
    usual = (contrast / near * weight).sum() / weight.sum()
    share = (contrast.flatten()[most].mean() / usual.clamp_min(1e-6)).clamp(0, 0.6)
    return linear.transpose(0, 1).flatten(1)[:, most].mean(1), share, clear


def vary_airlight(frames: Video, airlight: Airlight) -> Float[Tensor, "1 3 9 9"]:
    """The airlight as a quadratic function of the place, on a grid, in linear light.

    Least squares of hazy = (1 - t) * airlight + t * mean of the scene, where the haze
    is thick most of all; held to the uniform one.

    Parameters
    ----------
    frames : Video
        Float[Tensor, "n 3 h w"] in [0, 1], sRGB-encoded.
    airlight : Float[Tensor, "1 3 1 1"]
        About its mean, in linear light.

    Returns
    -------
    Float[Tensor, "1 3 9 9"]
        Over the picture from corner to corner, in linear light, within [0.05, 0.99].
    """
    linear = to_linear(frames)
    shape = _quadratic(linear.shape[-2:]).to(linear)
    held = 0.03 * torch.eye(7, device=linear.device)
    held[0, 0], held[6, 6] = 0.09, 0.003
    prior = torch.zeros(7, 3, device=linear.device)
    prior[0], prior[6] = airlight.flatten(), 0.2
    found = prior[:6]
    for _ in range(4):
        wide = torch.einsum("kc,nkhw->nchw", found, shape).clamp(0.05, 1)
        t = dark_channel_transmission(linear, wide, 7)
        t = guided_filter(frames, t, 8, 1e-2).clamp(0.05, 1)
        weight = 1 / (t.square() + 0.01)
        weight = (weight / weight.sum()).flatten()
        terms = torch.cat([(1 - t) * shape, t], 1).transpose(0, 1).flatten(1)
        seen = linear.transpose(0, 1).flatten(1)
        found = torch.linalg.solve(
            (terms * weight) @ terms.T + held,
            (terms * weight) @ seen.T + held @ prior,
        )[:6]
    grid = _quadratic((9, 9)).to(linear)
    return torch.einsum("kc,nkhw->nchw", found, grid).clamp(0.05, 0.99)


def _quadratic(size: Sequence[int]) -> Float[Tensor, "1 6 h w"]:
    y, x = (torch.linspace(-1, 1, n) for n in size)
    y, x = torch.meshgrid(y, x, indexing="ij")
    one = torch.ones_like(x)
    return torch.stack([one, x, y, x * x - 1 / 3, y * y - 1 / 3, x * y])[None]


def _where_recurring_patches_fade_to(linear: Image, start: Airlight) -> Airlight:
    """Two patches of one look, at transmissions of a known ratio, tell the airlight:
    (1 - ratio) * airlight = mean of the fainter - ratio * mean of the stronger."""
    scale = min(1, 128 / max(linear.shape[-2:]))
    patches = torch.cat(
        [
            extract_patches(resize(linear, scale * s), 7, 2)
            for s in (1.0, 0.7, 0.5)
            if s * scale * min(linear.shape[-2:]) >= 7
        ]
    ).unflatten(1, (3, 49))
    mean = patches.mean(2)
    look = (patches - mean[:, :, None]).flatten(1)
    strength = look.square().mean(1).sqrt()
    seen = strength > 0.012  # what is fainter is mostly rounding
    mean, look, strength = mean[seen], look[seen], strength[seen]
    if len(mean) < 5:
        return start
    look = F.normalize(look, dim=1)
    fainter = strength < 0.75 * strength[:, None]
    likeness, match = (look @ look.T).where(fainter, -1).topk(4)
    ratio = (strength[match] / strength[:, None]).flatten()
    told = (mean[match] - ratio.view_as(match)[..., None] * mean[:, None]).flatten(0, 1)
    likeness, rest = likeness.flatten(), 1 - ratio
    alike = likeness > 0.8
    if not alike.any():
        return start
    told, rest, likeness = told[alike], rest[alike], likeness[alike]
    airlight, held = start.flatten(), 0.02 * (0.03 / 0.2) ** 2
    for _ in range(20):  # most pairs are chance: each round trusts the consistent more
        error = (told - rest[:, None] * airlight).square().sum(1)
        weight = likeness**4 / (1 + error / 0.03**2).square()
        pull = ((weight * rest)[:, None] * told).mean(0) + held * start.flatten()
        airlight = pull / ((weight * rest.square()).mean() + held)
    return airlight.clamp(0.05, 1).reshape(1, 3, 1, 1)


def is_no_sky(share: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """Whether contrast is left in the haziest part, from 0 to 1.

    In sky there was 0 to .035 of it on practice scenes, on the farthest walls .055 and
    more.

    Parameters
    ----------
    share : Float[Tensor, ""]
        As :func:`haziest_part` has it.
    """
    return ((share - 0.035) / 0.02).clamp(0, 1)
