"""Optical flow: Zach, Pock and Bischof, 'A duality based approach for realtime TV-L1
optical flow', DAGM 2007, computed by scikit-image. The motion is used as a feature of a
video's pixels. A cut through a video follows the flow, and masks of neighbouring frames
are averaged along the flow.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.registration import optical_flow_tvl1
from torch import Tensor

from dil_teach.classical.graph_cut import Pairs

Flows = Float[Tensor, "t 2 2 _h _w"]
"""The flow from each frame to the next and to the previous frame: down and right, in
pixels. The flow to a frame that does not exist is zero."""

NEXT, BEFORE = 0, 1
UNLIKE = 0.05
"""If a warped frame differs from the frame by this amount, the warped frame has the
weight exp(-1/2)."""
PIXEL = 0.7
"""Standard deviation, in pixels, of the blur that makes a mask's edges soft."""
CONFIDENCE_BLUR = 1.5
"""Standard deviation, in pixels, of the blur on the squared difference of frames."""
STILL = 0.25
"""Minimum, in pixels, of the standard deviation by which the motion is divided."""


def optical_flows(frames: Float[Tensor, "t _c h w"]) -> Flows:
    """The flow from each frame to both neighbours, from the mean of the channels."""
    grey = frames.detach().mean(1).cpu().double().numpy()
    flows = np.zeros((len(grey), 2, 2, *grey.shape[1:]))
    for k in range(len(grey) - 1):
        flows[k, NEXT] = optical_flow_tvl1(grey[k], grey[k + 1])
        flows[k + 1, BEFORE] = optical_flow_tvl1(grey[k + 1], grey[k])
    return torch.from_numpy(flows).to(frames)


def motion(flows: Flows) -> Float[Tensor, "t 2 h w"]:
    """The motion of each pixel, down and right, with mean 0 and standard deviation 1.

    If hardly anything moves, the standard deviation of the result is below 1.
    """
    moved = (flows[:, NEXT] - flows[:, BEFORE]) / 2
    moved[[0, -1]] *= 2  # the first and the last frame have only one neighbour
    mean = moved.mean((0, 2, 3), keepdim=True)
    return (moved - mean) / moved.std((0, 2, 3), keepdim=True).clamp_min(STILL)


def links(frames: Float[Tensor, "t _c h w"], flows: Flows, smoothness: float) -> Pairs:
    """The pixels of neighbouring frames that show the same point.

    ``smoothness`` is the cost, in nats, if one pixel of a pair is foreground and the
    other background, and their colours are equal.
    """
    count, _, height, width = frames.shape
    place = torch.arange(count * height * width).view(count, height, width)
    frames = frames.cpu().double()
    grid = torch.from_numpy(np.mgrid[:height, :width])
    here, there, costs = [], [], []
    for k in range(count - 1):
        y, x = (grid + flows[k, NEXT].cpu()).round().long()
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        y, x = y[inside], x[inside]
        unlike = frames[k][:, inside] - frames[k + 1][:, y, x]
        here.append(place[k][inside])
        there.append(place[k + 1][y, x])
        costs.append(smoothness * _confidence(unlike.square().mean(0)))
    return torch.cat(here), torch.cat(there), torch.cat(costs)


def steady(
    masks: Float[Tensor, "t 1 h w"], frames: Float[Tensor, "t _c h w"], flows: Flows
) -> Float[Tensor, "t 1 h w"]:
    """Reduce the flicker of a video's masks, and soften their edges; in [0, 1].

    Each mask is averaged with the masks of the previous and the next frame, which are
    warped along the flow. The weight of a warped mask is high where the two frames are
    similar.
    """
    colours = frames.detach().cpu().double().numpy()
    soft = [gaussian_filter(m, PIXEL) for m in masks[:, 0].cpu().double().numpy()]
    grid = np.mgrid[: frames.shape[-2], : frames.shape[-1]]
    averaged = []
    for here in range(len(soft)):
        total, weights = soft[here].copy(), np.ones(grid.shape[1:])
        for which, there in ((NEXT, here + 1), (BEFORE, here - 1)):
            if not 0 <= there < len(soft):
                continue
            at = grid + flows[here, which].cpu().double().numpy()
            warped = [_sample(channel, at) for channel in colours[there]]
            unlike = np.square(np.stack(warped) - colours[here]).mean(0)
            unlike = gaussian_filter(unlike, CONFIDENCE_BLUR)
            weight = _confidence(torch.from_numpy(unlike)).numpy()
            total += weight * _sample(soft[there], at)
            weights += weight
        averaged.append(total / weights)
    return torch.from_numpy(np.stack(averaged))[:, None].clamp(0, 1).to(masks)


def _confidence(squared: Float[Tensor, "*_n"]) -> Float[Tensor, "*_n"]:
    return torch.exp(-squared / (2 * UNLIKE**2))


def _sample(picture: np.ndarray, at: np.ndarray) -> np.ndarray:
    return map_coordinates(picture, at, order=1, mode="nearest")
