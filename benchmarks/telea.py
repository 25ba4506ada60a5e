"""Telea, "An image inpainting technique based on the fast marching method", 2004.

The gradient of the colour (the second term of equation 2) is left out.
"""

import heapq
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

RADIUS = 5
"""Radius of the neighbourhood of a pixel, in pixels (OpenCV's example)."""


def telea(image: Tensor, mask: Tensor) -> Tensor:
    """Fill the hole, where ``mask`` is 1, from its border to its middle."""
    values = image.numpy().copy()
    height, width = mask.shape[1:]
    done = mask[0].numpy() == 0
    times = np.where(done, 0.0, np.inf)
    beside = done & ndimage.binary_dilation(~done)
    queue: list[tuple[Any, ...]] = [(0.0, y, x) for y, x in np.argwhere(beside)]
    final = done & ~beside
    while queue:
        _, y, x = heapq.heappop(queue)
        if final[y, x]:
            continue
        final[y, x] = True
        for a, b in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if not (0 <= a < height and 0 <= b < width) or done[a, b]:
                continue
            times[a, b] = _arrival(times, a, b)
            values[:, a, b] = _mean_around(values, done, times, a, b)
            done[a, b] = True
            heapq.heappush(queue, (times[a, b], a, b))
    return torch.from_numpy(values).clamp(0, 1)


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
