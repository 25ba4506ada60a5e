"""Optical flow: Le Besnerais and Champagnat, 'Dense optical flow by iterative local
window registration', ICIP 2005, by scikit-image. Along it a mask of one frame is
carried to another, and masks of neighbouring frames are averaged: what flickers goes.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.registration import optical_flow_ilk
from torch import Tensor

REACH = 2
"""Frames before and after that count."""
UNLIKE = 0.05
"""Where a frame that was carried over differs by this, it counts exp(-1/2) times."""
PIXEL = 0.7
"""Deviation, in pixels, of a camera's pixel: how soft the edges of a mask are made."""


def steady(
    masks: Float[Tensor, "t 1 h w"], frames: Float[Tensor, "t _c h w"]
) -> Float[Tensor, "t 1 h w"]:
    """The masks of a film without their flicker, edges as soft as a camera's.

    Each is averaged with those of two frames before and after, carried along the flow
    and trusted where the frames agree.

    Parameters
    ----------
    masks : Video
        Float[Tensor, "t 1 h w"] in [0, 1].
    frames : Video
        Float[Tensor, "t c h w"] in [0, 1], from which the flow is estimated.

    Returns
    -------
    Video
        Float[Tensor, "t 1 h w"] in [0, 1].
    """
    colours = frames.detach().cpu().double().numpy()
    soft = [gaussian_filter(m, PIXEL) for m in masks[:, 0].cpu().double().numpy()]
    grid = np.mgrid[: frames.shape[-2], : frames.shape[-1]]
    averaged = []
    for here in range(len(soft)):
        total, weights = soft[here].copy(), np.ones(grid.shape[1:])
        for there in range(max(0, here - REACH), min(len(soft), here + REACH + 1)):
            if there == here:
                continue
            flow = optical_flow_ilk(colours[here].mean(0), colours[there].mean(0))
            at = grid + flow
            carried = [_sample(channel, at) for channel in colours[there]]
            unlike = np.square(np.stack(carried) - colours[here]).mean(0)
            weight = np.exp(-gaussian_filter(unlike, 1.5) / (2 * UNLIKE**2))
            total += weight * _sample(soft[there], at)
            weights += weight
        averaged.append(total / weights)
    return torch.from_numpy(np.stack(averaged))[:, None].clamp(0, 1).to(masks)


def _sample(picture: np.ndarray, at: np.ndarray) -> np.ndarray:
    return map_coordinates(picture, at, order=1, mode="nearest")
