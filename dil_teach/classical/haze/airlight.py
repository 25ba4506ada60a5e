"""The airlight: Bahat and Irani, 'Blind Dehazing Using Internal Patch Recurrence',
ICCP 2016.

If a patch recurs at a larger distance, more haze moves its colours towards the
airlight. Pairs of such patches give the tint of the airlight. The airlight's brightness
is that of the picture's haziest part, extrapolated to a contrast of 0.

Departures: in the paper, the pairs also give the airlight's brightness. Most pairs
match by chance, so we fit by iteratively reweighted least squares. Everything is
computed in linear light. Constants without another source were chosen on the practice
scenes of ``data/render_scenes.py --practice``.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.haze.dark_channel import (
    LEAST,
    Airlight,
    DarkChannelSettings,
    Frames,
    brightest_haze,
    dark_channel,
    guided_transmission,
    remove_haze,
    resample_airlight,
)
from dil_teach.classical.haze.recurring_pairs import find_pairs, fit_airlight
from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.convention import Image
from dil_teach.image.guided_filter import box

# Settings for the brightness, estimated from the haziest part
ROUNDS = 3
"""Number of iterations: airlight and contrast are estimated from each other."""
HAZIEST = 0.02
"""The haziest part of the picture consists of this fraction of the pixels."""
CONTRAST_TO_TRANSMISSION = 0.7
"""Transmission of the haziest part, divided by its relative contrast. This ratio is
below 1 because rounding to eight bits adds contrast."""
MEASURING = DarkChannelSettings(patch=5, radius=8, eps=1e-2)
"""Settings for the transmission, which is high in the near part of the scene."""
MOST_CONTRAST = 0.6
"""Upper limit of the relative contrast in the haziest part."""
MARGIN = 0.03
"""This value, in sRGB, is added to the estimated brightness, because an airlight that
is too dark does more harm than an airlight that is too bright."""
SKY_CONTRAST, SCENE_CONTRAST = 0.035, 0.055
"""Largest relative contrast of the sky, and smallest relative contrast of the farthest
walls, in the practice scenes."""
OPAQUE_CONTRAST = 0.2
"""Above this relative contrast, the haze of the haziest part is far from opaque."""
MOST_RISE, LEAST_HEIGHT = 0.055, 64
"""Largest difference, in sRGB, between the airlight of the whole picture and that of
its upper half, for pictures of this height in pixels and above. On seven rendered
scenes and three photographs, it is at most 0.046. With a white square in the lower part
of the scenes, it is above 0.055 in all 15 cases where the square raises the estimate by
0.06 or more."""

# Settings for the tint, estimated from recurring patches
RATIO = 0.75
"""Largest ratio of the lower contrast to the higher contrast in a pair of patches."""
MATCHES = 4
"""Number of pairs that each patch forms with fainter patches."""

# Settings for an airlight that varies over the picture
VARYING_ROUNDS = 4
"""Number of iterations: airlight and transmission are estimated from each other."""
VARYING = DarkChannelSettings(patch=7, radius=8, eps=1e-2)
"""Settings for computing the transmission, which determines the weights of the fit."""
RIDGE = (0.09, 0.03, 0.03, 0.03, 0.03, 0.03, 0.003)
"""The fit multiplies the squared deviations from the prior by these weights. Six
weights belong to the coefficients of the airlight, and the last to the scene's mean
colour."""
SCENE = 0.2
"""The fit expects this mean colour of the haze-free scene, in linear light."""
CELLS = 9
"""The airlight is computed on a grid with this number of points along each side."""


def find_airlight(
    frames: Frames,
    known: Sequence[float] | Image | None = None,
    non_uniform: bool = False,
) -> Airlight:
    """The airlight, estimated or known: one pixel, or a grid that spans the picture.

    ``known`` is one colour, or one for each pixel, sRGB-encoded; a ValueError is raised
    if a value is not in (0, 1]. If ``non_uniform`` is true, :func:`vary_airlight`
    refines a single colour to a grid.
    """
    if known is None:
        airlight = estimate_airlight(frames)
    else:
        airlight = torch.as_tensor(known, dtype=torch.float32, device=frames.device)
        if airlight.ndim == 1:
            airlight = airlight[:, None, None]
        colour = airlight.ndim == 3 and len(airlight) == 3
        if not colour or not 0 < airlight.min() <= airlight.max() <= 1:
            raise ValueError(
                f"airlight: expected red, green and blue in (0, 1], got {known}; "
                "divide them by 255 if they are from 0 to 255"
            )
        airlight = resample_airlight(to_linear(airlight)[None], (CELLS, CELLS))
    if non_uniform and airlight.shape[-1] == 1:
        return vary_airlight(frames, airlight)
    return airlight


def estimate_airlight(frames: Frames) -> Float[Tensor, "1 3 1 1"]:
    """Estimate the colour of opaque haze, in linear light, within [0.05, 1].

    Recurring patches give the tint, and the haziest part gives the brightness. If the
    haziest part seems to be sky, the patches also give the brightness.
    """
    linear = to_linear(frames)
    start = brightest_haze(linear)
    middle = linear[len(linear) // 2]
    recurrent = to_srgb(estimate_airlight_from_recurrence(middle, start))
    tint = recurrent - recurrent.mean()
    airlight, contrast = to_linear(to_srgb(start).mean() + tint), start.new_ones(())
    for _ in range(ROUNDS):
        haze, contrast, near = haziest_part(frames, airlight)
        # the model of haze, solved for the airlight
        transmission = CONTRAST_TO_TRANSMISSION * contrast
        opaque = (haze - transmission * near) / (1 - transmission)
        airlight = airlight * opaque.mean().clamp_min(LEAST) / airlight.mean()
    bright, no_sky = to_srgb(airlight).mean() + MARGIN, contrast_confidence(contrast)
    bright = no_sky * bright + (1 - no_sky) * recurrent.mean()
    return to_linear((bright + tint).clamp(LEAST, 1))


def haziest_part(
    frames: Frames, airlight: Airlight
) -> tuple[Float[Tensor, "3"], Float[Tensor, ""], Float[Tensor, "3"]]:
    """Measure the haziest 2 % of the pixels, and the near part of the scene.

    Returns the mean colour of the haziest part, its contrast divided by the contrast of
    the near part, and the mean colour of the near part. The near part's haze is removed
    before the part is measured. All values are in linear light.
    """
    linear = to_linear(frames)
    dark = dark_channel(linear, 15).flatten()
    haziest = dark.topk(max(1, round(HAZIEST * dark.numel()))).indices
    transmission = guided_transmission(frames, airlight, MEASURING).clamp(LEAST, 1)
    contrast = (box(linear.square(), 2) - box(linear, 2).square()).clamp_min(0)
    contrast = contrast.sum(1, keepdim=True).sqrt()
    weight = transmission * (transmission > 0.3 * transmission.max())
    clear = remove_haze(linear, transmission, airlight)
    near = (clear * weight).sum((0, 2, 3)) / weight.sum()
    usual = (contrast / transmission * weight).sum() / weight.sum()
    relative = contrast.flatten()[haziest].mean() / usual.clamp_min(1e-6)
    haze = linear.transpose(0, 1).flatten(1)[:, haziest].mean(1)
    return haze, relative.clamp(0, MOST_CONTRAST), near


def contrast_confidence(contrast: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """Confidence, from 0 to 1, that a haziest part with this contrast is not sky."""
    return ((contrast - SKY_CONTRAST) / (SCENE_CONTRAST - SKY_CONTRAST)).clamp(0, 1)


def doubt(frames: Frames, airlight: Airlight, estimated: bool) -> str | None:
    """The reason why dehazing may fail, or None, for an airlight estimated or known."""
    if estimated and (other := _airlight_of_upper_half(frames, airlight)):
        return (
            "white places in the lower half of the picture, perhaps near the camera, "
            f"make the airlight brighter; the upper half alone gives {other}"
        )
    _, contrast, _ = haziest_part(frames, airlight)
    if contrast_confidence(contrast) < 0.5:
        return (
            "the haziest part of the picture is smooth: it may be sky, whose distance "
            "and colour cannot be estimated"
        )
    if estimated and contrast > OPAQUE_CONTRAST:
        return (
            "even the haziest part of the picture is far from opaque, so the estimate "
            "of the airlight is uncertain"
        )
    return None


def _airlight_of_upper_half(frames: Frames, airlight: Airlight) -> str | None:
    """The airlight that the upper half gives, if it is clearly darker than a uniform
    airlight of the whole picture: red, green and blue, sRGB-encoded.

    Distant places are usually in the upper half.
    """
    height = frames.shape[-2]
    if height < LEAST_HEIGHT or airlight.shape[-1] > 1:
        return None
    upper = to_srgb(estimate_airlight(frames[..., : height // 2, :]))
    if to_srgb(airlight).mean() - upper.mean() <= MOST_RISE:
        return None
    return ",".join(f"{value:.2f}" for value in upper.flatten().tolist())


def estimate_airlight_from_recurrence(
    linear: Image, start: Float[Tensor, "1 3 1 1"]
) -> Float[Tensor, "1 3 1 1"]:
    """Estimate the airlight from pairs of similar patches of different contrast.

    ``start`` is the first estimate; it is returned if no patches match.
    """
    pairs = find_pairs(linear, RATIO, MATCHES)
    if len(pairs.ratio) == 0:
        return start
    airlight, _ = fit_airlight(pairs, start.flatten(), start.flatten())
    return airlight.reshape(1, 3, 1, 1)


def vary_airlight(
    frames: Frames, airlight: Float[Tensor, "1 3 1 1"]
) -> Float[Tensor, "1 3 9 9"]:
    """Fit an airlight that is a quadratic function of the position.

    We fit hazy = (1 - t) * airlight + t * mean of the scene by least squares, with
    larger weights in thick haze. The prior is the given, uniform airlight. The result
    is a grid that spans the picture, with values in [0.05, 0.99].
    """
    linear = to_linear(frames)
    basis = _quadratic_basis(linear.shape[-2:]).to(linear)
    ridge = torch.tensor(RIDGE).diag().to(linear)
    prior = torch.zeros(7, 3, device=linear.device)
    prior[0], prior[6] = airlight.flatten(), SCENE
    found = prior[:6]
    for _ in range(VARYING_ROUNDS):
        wide = torch.einsum("kc,nkhw->nchw", found, basis).clamp(LEAST, 1)
        t = guided_transmission(frames, wide, VARYING).clamp(LEAST, 1)
        weight = 1 / (t.square() + 0.01)
        weight = (weight / weight.sum()).flatten()
        terms = torch.cat([(1 - t) * basis, t], 1).transpose(0, 1).flatten(1)
        seen = linear.transpose(0, 1).flatten(1)
        found = torch.linalg.solve(
            (terms * weight) @ terms.T + ridge,
            (terms * weight) @ seen.T + ridge @ prior,
        )[:6]
    grid = _quadratic_basis((CELLS, CELLS)).to(linear)
    return torch.einsum("kc,nkhw->nchw", found, grid).clamp(LEAST, 0.99)


def _quadratic_basis(size: Sequence[int]) -> Float[Tensor, "1 6 h w"]:
    sides = (torch.linspace(-1, 1, n) for n in size)
    y, x = torch.meshgrid(*sides, indexing="ij")
    terms = [torch.ones_like(x), x, y, x * x - 1 / 3, y * y - 1 / 3, x * y]
    return torch.stack(terms)[None]
