"""The airlight from recurring patches: Bahat and Irani, 'Blind Dehazing Using Internal
Patch Recurrence', ICCP 2016.

A small pattern of the clear scene recurs at several distances. Haze of transmission t
multiplies the contrast of the pattern by t, and moves its mean colour towards the
airlight A:

    contrast = t * contrast of the clear pattern
    mean     = t * mean of the clear pattern + (1 - t) * A

So two patches with the same normalised pattern give the ratio of their transmissions.
The line through their mean colours leads to the airlight:

    ratio = t_far / t_near = contrast_far / contrast_near
    A     = (mean_far - ratio * mean_near) / (1 - ratio)

Departures from the paper, whose weights of the pairs we could not look up: all values
are in linear light. In many pairs, the contrasts already differ in the scene without
haze, and such pairs vote for a wrong airlight. So only pairs of low ratio vote, and the
votes are fitted by iteratively reweighted least squares. Constants were chosen on the
practice scenes of ``data/render_scenes.py --practice``.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.classical.haze.dark_channel import LEAST
from dil_teach.image.convention import Image
from dil_teach.image.resize import resize
from dil_teach.patches.extract import extract_patches

SIDE = 128
"""Longer side, in pixels, of the copy on which patches are compared."""
SCALES = (1.0, 0.7, 0.5)
"""Relative sizes of the copies: a distant object matches a downscaled near object."""
PATCH, STRIDE = 7, 2
"""Side of the patches and distance between neighbouring patches, in pixels."""
LEAST_CONTRAST = 0.012
"""Minimum contrast of a patch, in linear light; less contrast is mostly rounding."""
RATIO = 0.85
"""Largest ratio of the lower contrast to the higher contrast in a pair."""
MATCHES = 6
"""Number of pairs that each patch forms with fainter patches."""
CORRELATION = 0.8
"""Minimum correlation between the two patches of a pair."""
ROWS = 1024
"""Number of patches that are compared with all patches at once (25 MB)."""
VOTING_RATIO = 0.5
"""Largest ratio of a pair that votes for the airlight. We do not search for such pairs
alone: that would replace a patch's best match by a fainter, less similar one."""
PAIR_ERROR = 0.03
"""Error, in linear light, above which a pair loses most of its weight."""
PRIOR = 0.02 * (PAIR_ERROR / 0.2) ** 2
"""Weight of the first estimate, whose standard deviation is assumed to be 0.2."""
ITERATIONS = 20
"""Number of reweighted fits from each start."""
STARTS = (0.35, 0.5, 0.65, 0.8, 0.95)
"""Mean values, in linear light, from which the fit starts. The fit with the largest
agreement wins: a fit that starts at a dark airlight may end at a colour of the
scene."""


class Pairs(NamedTuple):
    """Pairs of patches with the same normalised pattern, in linear light."""

    near: Float[Tensor, "n 3"]
    """Mean colour of the patch with the higher contrast."""
    far: Float[Tensor, "n 3"]
    """Mean colour of the fainter patch."""
    ratio: Float[Tensor, "n"]
    """Contrast of the fainter patch divided by the other contrast, in (0, 1)."""
    correlation: Float[Tensor, "n"]
    """Correlation of the two patterns, at most 1."""
    near_box: Float[Tensor, "n 3"]
    """Top, left and side of the patch, as fractions of the picture's height, width and
    height. The side is that of the patch in the picture, before downscaling."""
    far_box: Float[Tensor, "n 3"]
    """The same for the fainter patch."""

    def kept(self, which: Tensor) -> "Pairs":
        """The pairs with these indices, or for which this mask is true."""
        return Pairs(*(field[which] for field in self))


def find_pairs(
    linear: Image, most_ratio: float = RATIO, matches: int = MATCHES
) -> Pairs:
    """Find pairs of patches that correlate by at least ``CORRELATION``.

    Each patch of the picture, which is in linear light, forms at most ``matches`` pairs
    with patches whose contrast is below ``most_ratio`` times its own contrast. Patches
    with less contrast than ``LEAST_CONTRAST`` are left out.
    """
    patches, boxes = _patches_and_boxes(linear)
    mean = patches.mean(2)
    pattern = (patches - mean[:, :, None]).flatten(1)
    contrast = pattern.square().mean(1).sqrt()
    textured = contrast > LEAST_CONTRAST
    mean, pattern, contrast, boxes = (
        values[textured] for values in (mean, pattern, contrast, boxes)
    )
    count = min(matches, len(mean))
    pattern = F.normalize(pattern, dim=1)
    found = [torch.zeros(0, count, dtype=linear.dtype, device=linear.device)]
    places = [found[0].long()]
    for rows in range(0, len(mean), ROWS):
        block = slice(rows, rows + ROWS)
        fainter = contrast < most_ratio * contrast[block, None]
        correlation = (pattern[block] @ pattern.T).where(fainter, -1)
        best = correlation.topk(count)
        found.append(best.values)
        places.append(best.indices)
    correlation, far = torch.cat(found).flatten(), torch.cat(places).flatten()
    near = torch.arange(len(mean), device=linear.device).repeat_interleave(count)
    ratio = contrast[far] / contrast[near]
    fields = (mean[near], mean[far], ratio, correlation, boxes[near], boxes[far])
    return Pairs(*fields).kept(correlation > CORRELATION)


def votes(pairs: Pairs) -> Float[Tensor, "n 3"]:
    """The airlight that each pair gives alone, in linear light, not clamped."""
    ratio = pairs.ratio[:, None]
    return (pairs.far - ratio * pairs.near) / (1 - ratio)


def fit_airlight(
    pairs: Pairs, prior: Float[Tensor, "3"], start: Float[Tensor, "3"]
) -> tuple[Float[Tensor, "3"], Float[Tensor, ""]]:
    """Fit one airlight to all pairs by iteratively reweighted least squares.

    For each pair, (1 - ratio) * airlight = far - ratio * near. ``prior`` is an estimate
    with a small weight, and ``start`` the first airlight. Returns the airlight and the
    agreement: the mean of weight * (1 - ratio)^2 over the pairs.
    """
    target, rest = pairs.far - pairs.ratio[:, None] * pairs.near, 1 - pairs.ratio
    airlight, agreement = start, start.new_zeros(())
    for _ in range(ITERATIONS):
        error = (target - rest[:, None] * airlight).square().sum(1)
        weight = pairs.correlation**4 / (1 + error / PAIR_ERROR**2).square()
        agreement = (weight * rest.square()).mean()
        sums = ((weight * rest)[:, None] * target).mean(0) + PRIOR * prior
        airlight = sums / (agreement + PRIOR)
    return airlight.clamp(LEAST, 1), agreement


def airlight_of_pairs(
    pairs: Pairs, prior: Float[Tensor, "1 3 1 1"]
) -> Float[Tensor, "1 3 1 1"]:
    """The airlight on which most pairs agree, in linear light.

    Only pairs of a ratio up to ``VOTING_RATIO`` vote. The fit starts from ``STARTS``,
    with the tint of ``prior``. ``prior`` is returned if no pair votes.
    """
    first, pairs = prior.flatten(), pairs.kept(pairs.ratio <= VOTING_RATIO)
    if len(pairs.ratio) == 0:
        return prior
    tint = first / first.mean()
    fits = [fit_airlight(pairs, first, tint * start) for start in STARTS]
    airlight, _ = max(fits, key=lambda fit: float(fit[1]))
    return airlight.reshape(1, 3, 1, 1)


def _patches_and_boxes(
    linear: Image,
) -> tuple[Float[Tensor, "n 3 pixels"], Float[Tensor, "n 3"]]:
    """The patches of all scales, and their boxes as in :class:`Pairs`."""
    scale = min(1, SIDE / max(linear.shape[-2:]))
    scales = [scale * s for s in SCALES if s * scale * min(linear.shape[-2:]) >= PATCH]
    bags, boxes = [], []
    for one in scales:
        copy = resize(linear, one)
        bags.append(extract_patches(copy, PATCH, STRIDE))
        height, width = copy.shape[-2:]
        corners = torch.cartesian_prod(
            torch.arange(0, height - PATCH + 1, STRIDE) / height,
            torch.arange(0, width - PATCH + 1, STRIDE) / width,
        )
        boxes.append(F.pad(corners, (0, 1), value=PATCH / height))
    return torch.cat(bags).unflatten(1, (3, PATCH**2)), torch.cat(boxes).to(linear)
