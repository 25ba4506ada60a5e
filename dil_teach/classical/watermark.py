"""Watermarks by total variation: after Dekel, Rubinstein, Liu and Freeman, CVPR 2017.

'On the Effectiveness of Visible Watermarks': a watermark is the same on all images, so
its outline is what their gradients have in common, and once the outline is known, the
mark is what has to be subtracted to leave smooth images behind. Each marked image is
`(1 - a) clean + a colour`, with one opacity `a` a pixel and one colour.

Departures: the opacity of each pixel and the colour are found together by descent on
the total variation of the images that are left, instead of by alternating least
squares; the mark is not looked for among translations; one colour for all of it.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from scipy.fft import dctn, idctn
from scipy.ndimage import binary_dilation
from skimage.filters import apply_hysteresis_threshold
from torch import Tensor

from dil_teach.image.convention import Video

Box = tuple[int, int, int, int]
"""Row, column, height and width in pixels."""

STEPS, RATE = 400, 0.05
OPACITY_WEIGHT = 0.15
"""Of the opacity's own variation, over the number of images: three leave the mark less
room than one. 0.05 for three was best on practice images, of 0.05, 0.1 and 0.2."""
SURE, LIKELY = 0.4, 0.15
"""Shares of the mark's full opacity: a pixel is of the mark where it is sure, or likely
and joined to one that is sure (all else is left untouched)."""


def watermark_by_total_variation(
    images: Video, box: Box | None = None
) -> tuple[Float[Tensor, "1 h w"], Float[Tensor, " c"]]:
    """Find the opacity and the colour of the mark that a few images share.

    Parameters
    ----------
    images : Video
        Float[Tensor, "n c h w"] in [0, 1], all marked alike at one place.
    box : (int, int, int, int), optional
        Row, column, height and width around the mark. Where not given the mark may be
        anywhere.

    Returns
    -------
    opacity : Float[Tensor, "1 h w"]
        In [0, 1); exactly 0 outside the mark.
    colour : Float[Tensor, "c"]
        In [0, 1].
    """
    row, column, height, width = box or (0, 0, *images.shape[-2:])
    inside = torch.zeros_like(images[0, :1])
    inside[:, row : row + height, column : column + width] = 1
    shape = common_outline(images, (row, column, height, width))
    colour = images.new_full((images.shape[1],), 0.8)
    opacity, colour = _descend(images, 0.3 * shape.clamp(0.06, 1), colour, inside)
    found = _mark(opacity)
    return _descend(images, opacity, colour, inside * found)


def common_outline(images: Video, box: Box) -> Float[Tensor, "1 h w"]:
    """What the images have in common, up to a factor: 0 on the box's border, about 1
    in the mark.

    The median of their gradients is integrated (Dekel et al., section 3.1), and of the
    channels the first singular vector is taken: a mark has one colour.
    """
    row, column, height, width = box
    part = images[..., row : row + height, column : column + width].cpu()
    across = torch.nn.functional.pad(part.diff(dim=-1), (0, 1)).median(0).values
    down = torch.nn.functional.pad(part.diff(dim=-2), (0, 0, 0, 1)).median(0).values
    drawn = np.stack([_integrate(*g) for g in zip(across, down, strict=True)])
    border = [drawn[:, 0], drawn[:, -1], drawn[:, :, 0], drawn[:, :, -1]]
    drawn = drawn - np.median(np.concatenate(border, 1), 1)[:, None, None]
    left, _, right = np.linalg.svd(drawn.reshape(len(drawn), -1), full_matrices=False)
    # brighter than the images is what marks are; a dark one is found by the descent
    shape = right[0].reshape(height, width) * (1 if left[:, 0].sum() >= 0 else -1)
    outline = torch.zeros_like(images[0, :1])
    scaled = shape / max(np.quantile(np.abs(shape), 0.98), 1e-6)
    outline[0, row : row + height, column : column + width] = torch.from_numpy(
        scaled
    ).to(images)
    return outline


def without_mark(
    images: Video, opacity: Float[Tensor, "1 h w"], colour: Float[Tensor, " c"]
) -> Video:
    """The images under the mark: the model's inversion, `(I - a colour) / (1 - a)`."""
    colour = colour[:, None, None]
    return (images - opacity * colour) / (1 - opacity).clamp_min(0.05)


def mark_variation(
    images: Video, opacity: Float[Tensor, "1 h w"], colour: Float[Tensor, " c"]
) -> Float[Tensor, ""]:
    """What a good opacity and colour make small: the total variation of what they leave
    and of the opacity, and how far what is left lies outside [0, 1]."""
    left = without_mark(images, opacity, colour)
    outside = ((-left).relu() + (left - 1).relu()).mean()
    weight = OPACITY_WEIGHT / len(images)
    return _variation(left) + weight * _variation(opacity) + 5 * outside


def _variation(image: Tensor) -> Tensor:
    steps = [image.diff(dim=dim).square() for dim in (-1, -2)]
    return torch.stack([(step + 1e-6).sqrt().mean() for step in steps]).sum()


def _descend(
    images: Video, opacity: Tensor, colour: Tensor, inside: Tensor
) -> tuple[Float[Tensor, "1 h w"], Float[Tensor, " c"]]:
    logits = [x.clamp(0.02, 0.98).logit().requires_grad_() for x in (opacity, colour)]
    optimizer = torch.optim.Adam(logits, RATE, fused=images.device.type != "mps")
    for step in range(STEPS):
        late = max(2 * step / STEPS - 1, 0)
        optimizer.param_groups[0]["lr"] = RATE * (0.5 + 0.5 * math.cos(math.pi * late))
        loss = mark_variation(images, inside * logits[0].sigmoid(), logits[1].sigmoid())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return inside * logits[0].detach().sigmoid(), logits[1].detach().sigmoid()


def _mark(opacity: Float[Tensor, "1 h w"]) -> Float[Tensor, "1 h w"]:
    """1 where the mark is, and one pixel round it, which it may cover in part."""
    values = opacity[0].cpu().numpy()
    full = float(np.quantile(values, 0.995))
    found = apply_hysteresis_threshold(values, LIKELY * full, SURE * full)
    return torch.from_numpy(binary_dilation(found))[None].to(opacity)


def _integrate(across: Float[Tensor, "h w"], down: Float[Tensor, "h w"]) -> np.ndarray:
    """The picture whose differences are nearest to these, by the cosine transform."""
    height, width = across.shape[-2:]
    divergence = across.numpy().astype(float) + down.numpy()
    divergence[:, 1:] -= across.numpy()[:, :-1]
    divergence[1:] -= down.numpy()[:-1]
    rows = 2 * np.cos(np.pi * np.arange(height) / height) - 2
    columns = 2 * np.cos(np.pi * np.arange(width) / width) - 2
    eigenvalues = rows[:, None] + columns
    eigenvalues[0, 0] = 1
    spectrum = dctn(divergence, norm="ortho") / eigenvalues
    spectrum[0, 0] = 0
    return np.asarray(idctn(spectrum, norm="ortho"))
