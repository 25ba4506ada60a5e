"""InGAN for large photographs: it learns from a small copy, and patches of the
photograph carry its result to full size (Shocher et al. show results of 256 pixels)."""

from dil_teach.classical.retarget.patch_generation import enlarge
from dil_teach.deep.ingan.ingan import InGAN
from dil_teach.image.convention import Image
from dil_teach.image.resize import limit_side

MOST_LEARNED = 120_000
"""Maximum number of pixels of an image from which InGAN learns directly. Training with
a larger image takes hours without a GPU."""
SIDE, MIN_SIDE = 192, 32
"""Longer side of the copy, and minimum of its shorter side, in pixels."""


def learned_copy(image: Image) -> Image:
    """The image from which InGAN learns: the image itself, or a copy if it is large."""
    if image[0].numel() <= MOST_LEARNED:
        return image
    return limit_side(image, SIDE, MIN_SIDE)


def retarget_at_full_size(
    image: Image, ingan: InGAN, scale_y: float = 1.0, scale_x: float = 1.0
) -> Image:
    """Draw the image at another size, with an InGAN of its :func:`learned_copy`.

    The network draws the layout at the size of the copy. GPNN's patch search then
    builds the result from patches of the image, from coarse to fine.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"] in [0, 1].
    ingan : InGAN
        A network that was trained with ``learned_copy(image)``.
    scale_y, scale_x : float
        Height and width of the result, divided by those of the image.
    """
    result = ingan.retarget(scale_y, scale_x)
    if ingan.image.shape == image.shape:
        return result
    size = round(scale_y * image.shape[-2]), round(scale_x * image.shape[-1])
    return enlarge(image, result, size)
