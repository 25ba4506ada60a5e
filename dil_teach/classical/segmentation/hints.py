"""Hints: the pixels that are known to be foreground or background.

If the user does not give a hint, it is computed: salient pixels are foreground
(:mod:`dil_teach.classical.segmentation.saliency`), and the border is background.
"""

import numpy as np
import torch
import torch.nn.functional as F

from dil_teach.classical.segmentation.grab_cut import marked
from dil_teach.classical.segmentation.saliency import saliency
from dil_teach.classical.segmentation.texture import blur
from dil_teach.image.convention import Image, Video

FRAME = 16
"""Ratio of the picture's shorter side to the width of the background border."""
SALIENT = 0.08
"""Fraction of the pixels that become foreground hints: the most salient pixels."""
BLUR = 2.0
"""Standard deviation, in pixels, of the blur on the saliency."""


def complete_hints(
    pictures: Video, foreground: Image | Video | None, background: Image | Video | None
) -> tuple[Video, Video]:
    """Foreground and background hints for all frames; missing hints are computed.

    Each hint is Float[Tensor, "n 1 h w"] of zeros and ones. A pixel that both given
    hints mark is removed from both. A ValueError is raised if a hint has another size,
    marks nothing or all, or leaves no pixel to the other hint.

    Parameters
    ----------
    pictures : Video
        Float[Tensor, "n c h w"] in [0, 1].
    foreground, background : Image or Video, optional
        Float[Tensor, "1 h w"] for the first frame, or (n, 1, h, w) for each frame:
        above 0.5 on pixels known to belong to the layer.
    """
    front = _given("foreground", foreground, pictures)
    back = _given("background", background, pictures)
    if front is not None and back is not None:
        both = (front * back) > 0
        front, back = front.where(~both, 0), back.where(~both, 0)
    elif front is None:
        salient = torch.stack([blur(saliency(p)[None], BLUR)[0] for p in pictures])
        if back is not None:
            salient = salient.where(back == 0, 0)
        # torch.quantile refuses pictures of more than 16 megapixels
        each = salient.flatten(1).cpu().numpy()
        least = torch.from_numpy(np.quantile(each, 1 - SALIENT, axis=1)).to(salient)
        front = (salient > least.view(-1, 1, 1, 1)).float()
    if back is None:
        width = max(1, min(pictures.shape[-2:]) // FRAME)
        back = torch.ones_like(front)
        back[..., width:-width, width:-width] = 0
        back = back.where(front == 0, 0)
    for name, hint in (("foreground", front), ("background", back)):
        if not hint.any():
            raise ValueError(
                f"{name}: expected some pixels that the other hint does not mark, got "
                "none; mark different places in the two hints"
            )
    return front, back


def _given(name: str, hint: Image | Video | None, pictures: Video) -> Video | None:
    """A user's hint for all frames, zeros and ones; a frame without a hint is zero."""
    if hint is None:
        return None
    found = marked(name, hint, pictures).to(pictures)
    if not found.any() or found.all():
        raise ValueError(
            f"{name}: expected a hint that marks a part of the picture, got one that "
            f"marks {'all' if found.any() else 'nothing'}; paint a part of it white"
        )
    return F.pad(found, (0, 0, 0, 0, 0, 0, 0, len(pictures) - len(found)))
