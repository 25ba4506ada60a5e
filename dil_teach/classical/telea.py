"""Telea, "An image inpainting technique based on the fast marching method", 2004.

The hole is filled from its border inwards. Each pixel becomes a weighted mean of the
known and already filled pixels around it. The weight of a pixel is the product of

- direction: large along the normal of the front, which moves inwards;
- distance: one divided by the squared distance;
- level: large if the front reached both pixels at nearly the same time.

The fast marching method computes the time T at which the front reaches a pixel: it
solves |grad T| = 1, with T = 0 at the border of the hole.

Departures: the gradient of the colour (the second term of equation 2) is left out. T is
computed in the hole only, and once for each pixel, when a neighbour is first reached.
"""

import heapq

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor

from dil_teach.image.convention import Image, check_image
from dil_teach.image.degradation import check_mask

RADIUS = 5
"""Radius of the neighbourhood of a pixel, in pixels. Chosen by hand."""


def telea(image: Image, mask: Float[Tensor, "1 _h _w"]) -> Image:
    """Fill the holes of an image with weighted means, from the border inwards.

    A hole of 2500 pixels takes about half a CPU second. A ValueError is raised if the
    mask has another size, or if the hole is empty or covers the image.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1]; its values inside the hole are ignored.
    mask : Float[Tensor, "1 h w"]
        1 (white) in the hole, 0 where the image is known.

    Returns
    -------
    Image
        The filled image in [0, 1]; the known pixels do not change.
    """
    check_image(image)
    check_mask(mask, image)
    values = image.detach().cpu().numpy().copy()
    height, width = values.shape[1:]
    done = mask[0].cpu().numpy() == 0  # has a value
    times = np.where(done, 0.0, np.inf)
    border = done & ndimage.binary_dilation(~done)
    queue = [(0.0, y, x) for y, x in np.argwhere(border).tolist()]
    while queue:
        _, y, x = heapq.heappop(queue)
        for a, b in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if not (0 <= a < height and 0 <= b < width) or done[a, b]:
                continue
            times[a, b] = _arrival(times, a, b)
            values[:, a, b] = _mean_around(values, done, times, a, b)
            done[a, b] = True
            heapq.heappush(queue, (times[a, b], a, b))
    return torch.from_numpy(values).to(image).clamp(0, 1)


def _arrival(times: np.ndarray, y: int, x: int) -> float:
    """Solve |grad T| = 1 at a pixel from its known neighbours."""
    height, width = times.shape
    down = min(times[max(y - 1, 0), x], times[min(y + 1, height - 1), x])
    across = min(times[y, max(x - 1, 0)], times[y, min(x + 1, width - 1)])
    low, high = sorted((down, across))
    if high - low >= 1:
        return low + 1
    return (low + high + np.sqrt(2 - (high - low) ** 2)) / 2


def _mean_around(
    values: np.ndarray, done: np.ndarray, times: np.ndarray, y: int, x: int
) -> np.ndarray:
    top, left = max(y - RADIUS, 0), max(x - RADIUS, 0)
    rows, columns = slice(top, y + RADIUS + 1), slice(left, x + RADIUS + 1)
    near = done[rows, columns]
    down, across = np.indices(near.shape)
    down, across = down + top - y, across + left - x
    square = np.maximum(down**2 + across**2, 1)
    use = near & (down**2 + across**2 > 0) & (square <= RADIUS**2)
    steep = _gradient(times, y, x)
    direction = np.abs(down * steep[0] + across * steep[1]) / np.sqrt(square)
    level = 1 / (1 + np.abs(np.where(use, times[rows, columns], 0) - times[y, x]))
    weight = use * np.maximum(direction, 1e-6) / square * level
    return (values[:, rows, columns] * weight).sum((1, 2)) / weight.sum()


def _gradient(times: np.ndarray, y: int, x: int) -> tuple[float, float]:
    found = []
    for dy, dx in ((1, 0), (0, 1)):
        before = times[max(y - dy, 0), max(x - dx, 0)]
        after = times[min(y + dy, times.shape[0] - 1), min(x + dx, times.shape[1] - 1)]
        middle = times[y, x]
        before, after = (t if np.isfinite(t) else middle for t in (before, after))
        found.append(after - before)
    return found[0], found[1]
