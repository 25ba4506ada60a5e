"""Check of chapter 09: the son of a father, as a camera of known blur makes it."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dil_teach.course.check.verdict import NotYetRight, as_image, call, compare, verdict
from dil_teach.image.convention import Image
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.image.resize import blur_and_subsample, resize

Kernel = Float[Tensor, "k k"]


@verdict
def make_son(answer: Any) -> str:
    """``make_son(father, kernel, sigma, rng)``: blurred, every second pixel, noise.

    father is Float[Tensor, "c h w"] with even sides, kernel Float[Tensor, "k k"] with
    an even side, sigma the standard deviation of the noise in [0, 1]; son pixel i lies
    at 2 * i + 1/2 of the father.
    """
    rng = torch.Generator().manual_seed(0)

    def son_of(father: Image, kernel: Kernel) -> Image:
        channels, height, width = father.shape
        what = f"the son of a father of shape {tuple(father.shape)}"
        son = call(answer, father, kernel, 0.0, rng)
        return as_image(son, (channels, height // 2, width // 2), what)

    # by hand: even grey stays as it is
    flat = torch.full((3, 8, 12), 0.5)
    box = torch.full((2, 2), 1 / 4)
    wide = gaussian_kernel((2.0, 1.0), angle=0.5, size=6).float()
    for kernel in (box, wide):
        son = son_of(flat, kernel)
        if abs(son[:, 1:-1, 1:-1] - 0.5).max() > 1e-4:
            raise NotYetRight(
                "The son of an even grey father has another grey: do the weights "
                "still sum to 1?"
            )
        if abs(son - 0.5).max() > 1e-4:
            raise NotYetRight(
                "The son of an even grey father gets an edge at the border: what does "
                "your blur find outside the father? The border pixels, repeated, "
                "are wanted."
            )

    # by hand: each two by two pixels of these stripes hold two of 0 and two of 1
    stripes = (torch.arange(12) % 2).float().expand(1, 12, 12)
    if abs(son_of(stripes, box)[:, 1:-1, 1:-1] - 0.5).max() > 0.3:
        raise NotYetRight(
            "Stripes, black and white and one pixel wide, come out as plain black or "
            "white, where a blur would have left grey: does each son pixel hear of "
            "all the father's pixels under the kernel?"
        )

    # by hand: the son of a slope is the slope, read where the son's pixels lie
    slope = torch.arange(12.0).expand(1, 12, 12) / 20
    for kernel in (box, wide):
        for along in ("right", "down"):
            son = (
                son_of(slope, kernel)
                if along == "right"
                else son_of(slope.mT, kernel).mT
            )
            shift = 20 * son[0, 2:4, 2:4] - torch.tensor([4.5, 6.5])
            _check_place(float(shift.mean()), along)

    father = torch.rand(3, 10, 14, generator=rng)
    # centred, yet neither its own mirror image nor its own transpose
    lopsided = torch.outer(torch.tensor([1, 3, 3, 1]), torch.tensor([1, 0, 3, 0])) / 32
    for kernel in (box, wide, lopsided):
        son, wanted = son_of(father, kernel), blur_and_subsample(father, kernel, 2)
        compare(
            son,
            wanted,
            "The son of a random father differs from what its kernel makes of it, by "
            f"up to {float((son - wanted).abs().max()):.3f} in [0, 1].",
            partial(_son_mistakes, father, kernel),
        )
    _check_noise(answer, box)
    return (
        "Blurred, sampled at the right places, and as noisy as the camera: such sons "
        "are what the given image is."
    )


def _check_place(shift: float, along: str) -> None:
    """Refuse a son whose pixels lie elsewhere, by so many pixels of the father."""
    if abs(shift) < 0.02:
        return
    names = {"half a pixel": 0.5, "one pixel": 1.0}
    close = [name for name, away in names.items() if abs(abs(shift) - away) < 0.1]
    away = close[0] if close else f"{abs(shift):.2f} pixels"
    side = {"right": ("left of", "right of"), "down": ("above", "below")}[along][
        shift > 0
    ]
    raise NotYetRight(
        f"Your son is {away} off: it shows what lies {side} its "
        "place, in pixels of the father. Is the kernel centred between the two pixels "
        "that become one?"
    )


def _son_mistakes(father: Image, kernel: Kernel) -> dict[str, Tensor]:
    plain = resize(father, 0.5, antialias=False)
    return {
        "No blur can be seen: fine stripes of the father come through as coarse "
        "ones. The kernel is to be applied before pixels are thrown away.": plain,
        "Each two by two pixels are averaged: that is one camera's blur. Use the "
        "kernel that is given.": F.avg_pool2d(father, 2),
        "The father was made smaller by bicubic interpolation: use the kernel that "
        "is given.": resize(father, 0.5),
        "The kernel is upside down: an array of weights is laid on the pixels as it "
        "is (correlation), not turned first (convolution).": blur_and_subsample(
            father, kernel.flip(0, 1), 2
        ),
        "The kernel's rows and columns have changed places.": blur_and_subsample(
            father, kernel.mT, 2
        ),
        "The channels were mixed: each is blurred by itself.": blur_and_subsample(
            father, kernel, 2
        )
        .mean(0, keepdim=True)
        .expand(len(father), -1, -1),
    }


def _check_noise(answer: Any, kernel: Kernel) -> None:
    """The noise's strength, its generator, and that nothing is cut off."""
    sigma = 0.1
    father = torch.zeros(3, 128, 128)
    father[:, 64:] = 1
    clean = father[:, ::2, ::2]  # of a black half and a white one

    def noise(seed: int) -> Tensor:
        rng = torch.Generator().manual_seed(seed)
        son = call(answer, father, kernel, sigma, rng)
        return as_image(son, (3, 64, 64), "a noisy son") - clean

    first = noise(1)
    if not first.any():
        raise NotYetRight(
            f"At sigma = {sigma} the son is as clean as at 0: where is the noise?"
        )
    spread = float(first.std())
    if abs(first.mean()) > 0.1 * spread:
        raise NotYetRight(
            f"Noise has made the son brighter or darker, by {float(first.mean()):.3f} "
            "in the mean: is it drawn from both sides of 0?"
        )
    if abs(first[:, :32].mean()) > 0.1 * spread:
        raise NotYetRight(
            "Noise has made black brighter and white darker: is the son cut off at 0 "
            "and 1? Leave what lies outside as it is."
        )
    if abs(spread / sigma - 0.5) < 0.05:
        raise NotYetRight(
            f"At sigma = {sigma} the son's noise has a standard deviation of "
            f"{spread:.3f}: the blur has averaged it away. Which of the two does the "
            "camera do first?"
        )
    if abs(spread / sigma - 1) > 0.05:
        raise NotYetRight(
            f"At sigma = {sigma} the noise should have a standard deviation of "
            f"{sigma}, got {spread:.3g}. Is it Gaussian, and sigma in the units of "
            "[0, 1]?"
        )
    if not torch.equal(first, noise(1)):
        raise NotYetRight(
            "The same `rng` at the same seed gives other noise each time: is it drawn "
            "from `rng`?"
        )
    if torch.equal(first, noise(2)):
        raise NotYetRight(
            "The noise is the same for another seed of `rng`: is it drawn from `rng`?"
        )
    if torch.equal(first[0], first[1]):
        raise NotYetRight("All channels got the same noise: each pixel has its own.")
