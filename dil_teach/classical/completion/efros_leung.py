"""Efros and Leung, "Texture synthesis by non-parametric sampling", ICCV 1999.

A picture grows pixel by pixel. The next pixel is the one with the most known pixels in
the window around it. Its window is compared with all windows of the sample:

    d(window, template) = sum_j m_j g_j |window_j - template_j|^2 / sum_j m_j g_j,

where m_j is 1 for known pixels of the template and 0 for others, and g is a Gaussian,
so near pixels count more. All sample windows within (1 + EPS) of the smallest distance
are candidates; a random candidate gives its middle pixel.

Departures: the paper postpones a pixel whose best distance exceeds a threshold; in
[0, 1] this threshold (0.3) is hardly ever exceeded, so we leave it out. Pixels whose
windows do not reach each other are computed together, with the same result.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from skimage.measure import label, regionprops
from torch import Tensor

from dil_teach.image.convention import Image, check_image
from dil_teach.image.degradation import check_mask
from dil_teach.patches.extract import bag_of, gather_patches, patches_inside
from dil_teach.training.conditions import same_conditions

WINDOW = 11
"""Side of the window in pixels: the paper's only free parameter. It should be larger
than the largest regular element of the texture."""
EPS = 0.1
"""A window is a candidate if its distance is at most (1 + EPS) times the smallest
distance (the authors' ErrThreshold)."""
SIGMA = 1 / 6.4
"""Standard deviation of the Gaussian g, divided by the side of the window (authors)."""
SEED = 3
"""Side of the square of the sample from which synthesis starts, in pixels (paper)."""
ROUNDING = 1e-6
"""Added to the largest distance of a candidate: more than the rounding errors of d, and
less than a difference of one grey level, (1/255)^2."""
TOGETHER, DISTANCES = 1024, 2**24
"""Maximum number of pixels in one table of who waits for whom, and of distances in
memory at once (64 MB)."""


class Grown(NamedTuple):
    """A grown picture, and how it grew."""

    image: Image
    order: Int[Tensor, "h w"]
    """0 for pixels that were known, then 1, 2, ... in the order of filling."""
    source: Int[Tensor, "2 h w"]
    """Row and column in the sample from which each pixel was copied. In a photograph
    with a hole, the sample is the photograph, and known pixels are their own source."""


@same_conditions()
def synthesise(
    sample: Image, size: tuple[int, int], rng: torch.Generator, window: int = WINDOW
) -> Grown:
    """Make a texture of any size that looks like a sample.

    It starts from a random 3 x 3 square of the sample, in the middle. 128 x 128 pixels
    from a colour sample of 64 x 64 pixels take about 3 CPU seconds. A ValueError is
    raised if the window is even, below 3 or larger than the sample, or if the size is
    below 3 x 3.

    Parameters
    ----------
    sample : Image
        Float[Tensor, "c h w"] in [0, 1].
    size : (int, int)
        Height and width of the result in pixels.
    rng : torch.Generator
        Draws the start, the order of pixels with equally many known neighbours, and one
        of the candidates for each pixel.
    window : int
        Side of the window in pixels; odd.
    """
    sample = check_image(sample, "sample")
    check_window(window, sample, "sample")
    if min(size) < SEED:
        raise ValueError(
            f"size: expected at least {SEED} x {SEED} pixels, got {size[0]} x "
            f"{size[1]}; try the size of the sample, {tuple(sample.shape[1:])}"
        )
    top, left = (
        int(torch.randint(side - SEED + 1, (), generator=rng))
        for side in sample.shape[1:]
    )
    rows, columns = (slice((n - SEED) // 2, (n - SEED) // 2 + SEED) for n in size)
    steps = torch.arange(SEED, device=sample.device)
    image = sample.new_zeros(len(sample), *size)
    known = torch.zeros(size, dtype=torch.bool, device=sample.device)
    source = torch.full((2, *size), -1, device=sample.device)
    source[0, rows, columns] = top + steps[:, None]
    source[1, rows, columns] = left + steps
    known[rows, columns] = True
    image[:, known] = sample[:, source[0, known], source[1, known]]
    usable = torch.ones_like(sample[0], dtype=torch.bool)
    return _grow(image, known, source, sample, usable, rng, window)


@same_conditions()
def fill_hole(
    image: Image,
    mask: Float[Tensor, "1 _h _w"],
    rng: torch.Generator,
    window: int = WINDOW,
) -> Grown:
    """Fill the holes of an image with pixels from the rest of the image.

    A hole of 2000 pixels in a colour photograph of 256 x 256 takes about 10 CPU
    seconds. A ValueError is raised if the mask has another size, the hole is empty or
    covers the image, the window is even, below 3 or larger than the image, or no window
    of the image is completely known.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1]; its values inside the hole are ignored.
    mask : Float[Tensor, "1 h w"]
        1 (white) in the hole, 0 where the image is known.
    rng, window
        As in :func:`synthesise`.
    """
    image = check_image(image)
    check_mask(mask, image)
    check_window(window, image, "image")
    known = mask[0] == 0
    if not patches_inside(known, window).any():
        raise ValueError(
            f"mask: expected a known square of {window} x {window} pixels (the window) "
            "outside the hole, got none; paint a smaller hole or take a smaller window"
        )
    where = [torch.arange(n, device=image.device) for n in known.shape]
    source = torch.stack(torch.meshgrid(*where, indexing="ij"))
    source = torch.where(known, source, -1)
    return _grow(image * known, known, source, image, known, rng, window)


def largest_copy(grown: Grown) -> float:
    """The largest connected part that is copied as a whole, as a fraction of the fill.

    All pixels of such a part have the same offset to their sources. The result is 1 if
    the filled pixels are one verbatim copy.
    """
    filled = grown.order > 0
    height, width = filled.shape
    where = [torch.arange(n, device=filled.device) for n in filled.shape]
    down, right = grown.source - torch.stack(torch.meshgrid(*where, indexing="ij"))
    span = int(grown.source[1].max()) + width + 1  # more than any offset to the right
    offset = (down + height) * 2 * span + right + span
    parts = label(torch.where(filled, offset, 0).cpu().numpy(), connectivity=1)
    return max(part.area for part in regionprops(parts)) / int(filled.sum())


def _grow(
    image: Image,
    known: Bool[Tensor, "h w"],
    source: Int[Tensor, "2 h w"],
    sample: Image,
    usable: Bool[Tensor, "_h _w"],
    rng: torch.Generator,
    window: int,
) -> Grown:
    """Fill the unknown pixels, one layer of the onion after another."""
    windows = _Windows(sample, usable, window)
    half, border = window // 2, [window // 2] * 4
    unknown = F.pad(~known, border)
    image, known = F.pad(image, border), F.pad(known, border)  # outside: not known
    source, order = F.pad(source, border), torch.zeros_like(known, dtype=torch.long)
    count = 0
    while unknown.any():
        layer = _next_layer(known, unknown, rng, window)
        luck = torch.rand(len(layer), generator=rng).to(image)
        for first in range(0, len(layer), TOGETHER):
            pixels, lucks = (each[first : first + TOGETHER] for each in (layer, luck))
            for ready in _without_waiting(pixels, half, windows.most):
                row, column = pixels[ready].T
                corner = (row - half) * known.shape[1] + column - half
                found = windows.draw(image, known, corner, lucks[ready])
                source[:, row, column] = found
                image[:, row, column] = sample[:, found[0], found[1]]
                known[row, column], unknown[row, column] = True, False
                order[row, column] = count + ready + 1
            count += len(pixels)
    height, width = (slice(half, n - half) for n in known.shape)
    return Grown(*(each[..., height, width] for each in (image, order, source)))


def _next_layer(
    known: Bool[Tensor, "h w"],
    unknown: Bool[Tensor, "h w"],
    rng: torch.Generator,
    window: int,
) -> Int[Tensor, "n 2"]:
    """The unknown pixels beside known ones; most known pixels in the window first."""
    grown = F.max_pool2d(known[None].float(), 3, 1, 1)[0] > 0
    pixels = (grown & unknown).nonzero()
    pixels = pixels[torch.randperm(len(pixels), generator=rng).to(pixels.device)]
    shares = F.avg_pool2d(known[None].double(), window, 1, window // 2)[0]
    neighbours = (window**2 * shares[pixels[:, 0], pixels[:, 1]]).round()
    return pixels[neighbours.argsort(descending=True, stable=True)]


def _without_waiting(
    pixels: Int[Tensor, "n 2"], half: int, most: int
) -> Iterator[Int[Tensor, " ready"]]:
    """Yield the pixels in groups, with the same result as one by one.

    A pixel waits for the earlier pixels in its window, because it is compared with
    their values.
    """
    apart = (pixels[:, None] - pixels).abs().amax(2)
    waits_for = (apart <= half).tril(-1)
    waiting = torch.ones_like(pixels[:, 0], dtype=torch.bool)
    while waiting.any():
        free = waiting & ~(waits_for & waiting).any(1)
        waiting &= ~free
        yield from free.nonzero()[:, 0].split(most)


class _Windows:
    """All windows of the sample as rows, to compare them by matrix products."""

    def __init__(self, sample: Image, usable: Bool[Tensor, "h w"], window: int) -> None:
        bag = bag_of([sample], [usable], window, False, "sample")
        self.window, self.middle = window, (bag.place[:, 1:] + window // 2).T
        self.mean = sample[:, usable].mean(1)  # without it, rounding errors are larger
        rows = bag[:].view(len(bag), len(sample), -1) - self.mean[:, None]
        self.rows, self.squares = rows.flatten(1).T, rows.square().sum(1).T
        self.most = max(DISTANCES // len(bag), 1)
        near = torch.arange(window, device=sample.device) - window // 2
        bell = torch.exp(-(near**2) / (2 * (SIGMA * window) ** 2))
        self.bell = torch.outer(bell, bell).flatten()

    def draw(
        self,
        image: Image,
        known: Bool[Tensor, "h w"],
        corner: Int[Tensor, " n"],
        luck: Float[Tensor, " n"],
    ) -> Int[Tensor, "2 n"]:
        """Draw the sample's pixel that continues each window of the growing image.

        ``corner`` is the flat index of each window's top left pixel; ``luck``, in
        [0, 1), chooses among the candidates.
        """
        width = image.shape[-1]
        inside = known.flatten()[None].float()
        where = gather_patches(inside, corner, width, self.window)
        weights = self.bell * where[:, 0]
        weights /= weights.sum(1, keepdim=True)
        template = gather_patches(image.flatten(1), corner, width, self.window)
        template = template - self.mean[:, None]
        # sum_j w_j (s_j - t_j)^2, in three parts: w s^2, -2 (w t) s and w t^2
        weighted = weights[:, None] * template
        distance = weights @ self.squares - 2 * weighted.flatten(1) @ self.rows
        distance += (weighted * template).sum((1, 2))[:, None]
        least = distance.amin(1, keepdim=True).clamp_min(0)
        candidates = distance <= (1 + EPS) * least + ROUNDING
        number = candidates.sum(1)
        chosen = (luck * number).long().clamp_max(number - 1)  # rounding: luck may be 1
        chosen += number.cumsum(0) - number
        return self.middle[:, candidates.nonzero()[chosen, 1]]


def check_window(window: int, image: Image, name: str) -> None:
    """Raise a ValueError unless the window is odd and fits into the image."""
    if window % 2 == 0 or not 3 <= window <= min(image.shape[1:]):
        raise ValueError(
            f"window: expected an odd number from 3 to {min(image.shape[1:])}, the "
            f"smaller side of the {name} ({image.shape[1]} x {image.shape[2]} pixels), "
            f"got {window}; try {WINDOW}, or a larger {name}"
        )
