"""Dehazing by patch recurrence: Bahat and Irani, 'Blind Dehazing Using Internal Patch
Recurrence', ICCP 2016. ``recurring_pairs.py`` estimates the airlight.

Given the airlight, the optical depth d = -log(transmission) of all pixels minimises

    sum over pixels of pinball(b - d)
    + ROUGHNESS * sum over neighbours p, q of s_pq |d_p - d_q|
    + RECURRENCE * sum over pairs of w |d_far - d_near + log(ratio)|

b is the largest depth for which no clear value in a window is negative (the boundary
constraint, Meng et al., ICCV 2013). pinball(e) is (1 - ``QUANTILE``) * e if e >= 0 and
-``QUANTILE`` * e otherwise, so d seldom exceeds b. s_pq falls with the difference of
the two colours. d_far and d_near are means over patches. w is large if the two patches
agree with the airlight.

Departures from the paper, which works with transmissions and squares. The absolute
values of log(ratio) ignore false pairs. Ratios do not give the mean transmission, so
we take it from the boundary constraint. The result is the geometric mean of this
transmission and the guided dark channel. Constants were chosen on the practice scenes
of ``data/render_scenes.py --practice``. There, the pairs gain under 0.1 dB.
"""

import itertools

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import cg
from torch import Tensor

from dil_teach.classical.haze.dark_channel import (
    LEAST,
    Airlight,
    Frames,
    HazeFree,
    Transmission,
    brightest_haze,
    dark_channel_transmission,
    guided_dark_channel,
    invert_haze,
    resample_airlight,
    working_copy,
)
from dil_teach.classical.haze.recurring_pairs import (
    VOTING_RATIO,
    Pairs,
    airlight_of_pairs,
    find_pairs,
)
from dil_teach.image.colour import to_linear
from dil_teach.image.convention import Image, Video, check_images

MIN_SIDE = 32
"""Smallest side of a picture, in pixels."""
CLIPPED = 0.5
"""Largest fraction of pixels that may be white or black."""
MIN_PAIRS = 10
"""Smallest number of pairs that give an airlight."""
WINDOW, OMEGA = 7, 0.98
"""Side of the window of the bound in pixels, and fraction of the haze that is removed,
as in the guided dark channel."""
QUANTILE = 0.9
"""Fraction of the bounds on the transmission that lie below the transmission."""
ROUGHNESS = 0.3
"""Weight of the differences between neighbours."""
RECURRENCE = 10.0
"""Weight of the pairs."""
DISAGREEMENT = 0.01
"""Error of a pair, in linear light, above which it loses most of its weight."""
EDGE = 0.1
"""Colour difference, summed over the channels, that gives the similarity 1 / e."""
ITERATIONS = 6
"""Number of reweighted least-squares problems."""
SMALLEST = (0.05, 0.01, 0.1)
"""Lower limits of the residuals of the three terms, by which the weights divide."""
TRUST = 0.5
"""Weight of the minimiser in its geometric mean with the guided dark channel."""


def remove_haze_by_recurrence(
    frames: Video, airlight: Airlight | None = None
) -> HazeFree:
    """Remove haze: estimate airlight and transmission from recurring patches.

    Parameters
    ----------
    frames : Video
        Float[Tensor, "n 3 h w"] in [0, 1], sRGB-encoded, of at least 32 pixels a side.
        All frames have one airlight, which is estimated from the middle frame.
    airlight : Airlight, optional
        The colour of opaque haze, in linear light, if it is known: one colour, or a map
        of any size.

    Raises
    ------
    ValueError
        If the frames are grey, constant, too small or not in [0, 1]. If the airlight
        is not given, also if most of the middle frame is clipped, or if it has too few
        pairs of recurring patches.
    """
    check_images(frames, "image", (3,), MIN_SIDE)
    small = working_copy(frames)
    if airlight is None:
        airlight = recurrent_airlight(small[len(small) // 2])
    fitting = resample_airlight(airlight, small.shape[-2:])
    depths = [transmission_by_recurrence(frame[None], fitting) for frame in small]
    return invert_haze(frames, small, torch.cat(depths), airlight)


def recurrent_airlight(image: Image) -> Float[Tensor, "1 3 1 1"]:
    """The airlight of a picture, in linear light, from its recurring patches.

    ``image`` is sRGB-encoded. For errors, see :func:`remove_haze_by_recurrence`.
    """
    if (image - image[:1]).abs().max() < 1.5 / 255:
        raise ValueError(
            "image: expected a colour picture, got red, green and blue that are equal; "
            "the airlight is a colour: take a colour picture, or give the airlight"
        )
    clipped = ((image > 254.5 / 255) | (image < 0.5 / 255)).all(0).float().mean()
    if clipped > CLIPPED:
        raise ValueError(
            f"image: expected at most {CLIPPED:.0%} white or black pixels, got "
            f"{clipped:.0%}; take a picture with a normal exposure"
        )
    linear = to_linear(image)
    pairs = find_pairs(linear)
    voting = int((pairs.ratio <= VOTING_RATIO).sum())
    if voting < MIN_PAIRS:
        raise ValueError(
            f"image: expected at least {MIN_PAIRS} pairs of recurring patches, found "
            f"{voting}; take a picture with more detail, or use the dark "
            "channel"
        )
    return airlight_of_pairs(pairs, brightest_haze(linear[None]))


def transmission_by_recurrence(frame: Frames, airlight: Airlight) -> Transmission:
    """The transmission of one frame, in [0.05, 1], given the airlight in linear light.

    The airlight is one colour or a map of the frame's size. The transmission is the
    geometric mean of the minimiser and the guided dark channel.
    """
    dark = guided_dark_channel(frame, airlight)
    bound = dark_channel_transmission(to_linear(frame), airlight, WINDOW, OMEGA)
    bound = bound.clamp(LEAST, 0.99)
    pairs = find_pairs(to_linear(frame[0]))
    depth = minimise_depth(frame[0], bound[0], dark[0], pairs, airlight.mean((0, 2, 3)))
    return (-TRUST * depth[None]).exp().clamp_min(LEAST) * dark ** (1 - TRUST)


def minimise_depth(
    image: Image,
    bound: Float[Tensor, "1 h w"],
    start: Float[Tensor, "1 h w"],
    pairs: Pairs,
    airlight: Float[Tensor, "3"],
) -> Float[Tensor, "1 h w"]:
    """The depth with the smallest objective, by iteratively reweighted least squares.

    ``bound`` is the lower bound on the transmission, and ``start`` the first
    transmission; both are positive. ``airlight`` is one colour, in linear light.
    """
    shape = image.shape[-2:]
    largest, depth = (-np.log(_flat(values)) for values in (bound, start))
    neighbours, similarity = neighbour_differences(image)
    far_minus_near = pair_differences(pairs, shape)
    ratio = pairs.ratio[:, None]
    error = (pairs.far - airlight - ratio * (pairs.near - airlight)).square().sum(1)
    trust = _flat(pairs.correlation**4 / (1 + error / DISAGREEMENT**2).square())
    wanted = -np.log(_flat(pairs.ratio))
    for _ in range(ITERATIONS):
        over = depth - largest
        pixel = np.where(over > 0, QUANTILE, 1 - QUANTILE) / _least(over, 0)
        smooth = ROUGHNESS * similarity / _least(neighbours @ depth, 1)
        recur = RECURRENCE * trust / _least(far_minus_near @ depth - wanted, 2)
        system = (
            sparse.diags(pixel)
            + neighbours.T @ sparse.diags(smooth) @ neighbours
            + far_minus_near.T @ sparse.diags(recur) @ far_minus_near
        )
        right = pixel * largest + far_minus_near.T @ (recur * wanted)
        inverse = sparse.diags(1 / system.diagonal())
        depth, _ = cg(system, right, x0=depth, rtol=1e-3, maxiter=300, M=inverse)
    return torch.from_numpy(depth.reshape(1, *shape)).to(image).clamp_min(0)


def neighbour_differences(image: Image) -> tuple[sparse.csr_matrix, NDArray]:
    """A matrix that takes the differences of neighbours, and their similarities."""
    index = np.arange(image[0].numel()).reshape(image.shape[-2:])
    pairs = [(index[1:], index[:-1]), (index[:, 1:], index[:, :-1])]
    one, other = (np.concatenate([p[i].ravel() for p in pairs]) for i in (0, 1))
    changes = [_flat(image.diff(dim=axis).abs().sum(0)) for axis in (1, 2)]
    return _differences(one, other, index.size), np.exp(-np.concatenate(changes) / EDGE)


def pair_differences(pairs: Pairs, shape: torch.Size) -> sparse.csr_matrix:
    """A matrix that takes depth_far - depth_near, each a mean of 3 x 3 pixels that are
    spread over the patch."""
    height, width = shape
    differences = sparse.csr_matrix((len(pairs.ratio), height * width))
    for down, right in itertools.product((1, 3, 5), repeat=2):
        places = []
        for boxes in (pairs.far_box, pairs.near_box):
            top, left, side = boxes.cpu().double().T
            row = height * (top + side * down / 6)
            column = width * left + height * side * right / 6
            row = row.long().clamp(0, height - 1)
            column = column.long().clamp(0, width - 1)
            places.append((row * width + column).numpy())
        far, near = places
        differences = differences + _differences(far, near, height * width) / 9
    return differences


def _differences(plus: NDArray, minus: NDArray, pixels: int) -> sparse.csr_matrix:
    rows = np.arange(len(plus))
    values = np.concatenate([np.ones(len(plus)), -np.ones(len(minus))])
    places = np.concatenate([rows, rows]), np.concatenate([plus, minus])
    return sparse.csr_matrix((values, places), shape=(len(plus), pixels))


def _flat(values: Tensor) -> NDArray:
    return values.detach().cpu().double().numpy().ravel()


def _least(residuals: NDArray, term: int) -> NDArray:
    return np.maximum(np.abs(residuals), SMALLEST[term])
