"""The error ratio of a deblurred picture: Levin, Weiss, Durand and Freeman,
'Understanding and Evaluating Blind Deconvolution Algorithms', CVPR 2009.

The ratio is the squared error of the picture that was deconvolved with the estimated
kernel, divided by that with the true kernel. So it measures the kernel alone: 1 is
perfect, whatever the deconvolution loses.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor

from dil_teach.image.convention import Image

Shift = tuple[float, float]
"""A distance down and to the right, in pixels."""
FARTHEST = 2.0
"""Largest shift that is tried in each direction, in pixels."""
BORDER = 16
"""Width in pixels of the border that is not compared."""


def error_ratio(blind: Image, reference: Image, truth: Image) -> float:
    """The error of a blindly deblurred picture, relative to the true kernel's error.

    A blind method cannot know the position of the picture, so both pictures are moved
    to the position in which their error is smallest.

    Parameters
    ----------
    blind : Image
        The picture that was deconvolved with the estimated kernel.
    reference : Image
        The picture that was deconvolved with the true kernel, in the same way.
    truth : Image
        The sharp picture, of the same shape.
    """
    return smallest_error(blind, truth)[0] / smallest_error(reference, truth)[0]


def smallest_error(image: Image, truth: Image) -> tuple[float, Shift]:
    """The smallest mean squared error over shifts, and that shift.

    The means of the channels are compared, as in the paper, whose pictures are grey.
    Shifts of whole pixels are tried first, then of 1/2, 1/4 and 1/8 pixel around the
    best. A border of 16 pixels is left out.
    """
    image, truth = (x.mean(0, keepdim=True) for x in (image, truth))
    best: Shift = (0.0, 0.0)
    reach = FARTHEST
    for step in (1.0, 0.5, 0.25, 0.125):
        offsets = np.arange(-reach, reach + step / 2, step)
        near = [(best[0] + y, best[1] + x) for y in offsets for x in offsets]
        errors = errors_of_shifts(image, truth, near)
        best, reach = near[int(np.argmin(errors))], step / 2
    return min(errors_of_shifts(image, truth, [best])), best


def errors_of_shifts(
    image: Image, truth: Image, shifts: Sequence[Shift]
) -> list[float]:
    """The mean squared error of a grey image at each shift, without its border."""
    inside = (..., slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    spline = ndimage.spline_filter(image[0].detach().cpu().numpy(), order=3)
    wanted = truth[0].detach().cpu().numpy()
    pictures = (
        ndimage.shift(spline, s, mode="mirror", prefilter=False) for s in shifts
    )
    return [float(np.square((x - wanted)[inside]).mean()) for x in pictures]


def moved(image: Image, shift: Shift) -> Float[Tensor, "c h w"]:
    """The image moved down and to the right, by cubic splines."""
    pixels = image.detach().cpu().numpy()
    found = ndimage.shift(pixels, (0, *shift), order=3, mode="mirror")
    return torch.from_numpy(found)
