"""dil-teach estimate-kernel: the blur kernel that made a photograph."""

from functools import partial
from typing import Literal

from dil_teach.commands.checks import check_apart, check_beside, check_place
from dil_teach.commands.estimate import expect
from dil_teach.commands.files import beside, load_picture, write
from dil_teach.commands.options import In, Options, Out, Read, train_with_bar

ENLARGE = 8
"""Side in pixels of each weight in the picture of the kernel."""


def estimate_kernel(
    image: In,
    out: Out,
    /,
    training: Options,
    reading: Read,
    method: Literal["spectrum", "recurrence", "swd", "kernelgan"] = "spectrum",
) -> str:
    """Estimate the blur kernel of a photograph, to enlarge it by 2 with super-resolve.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        out: The file to write: .npy, the weights on the pixel grid of the enlarged
            photograph. A picture of the weights is written beside it, as .png.
        method: spectrum: a Gaussian from the power spectrum, or a motion by blind
            deblurring; no file is written if neither explains the photograph.
            recurrence: a kernel of any shape; with it, patches of the halved photograph
            are most similar to patches of the photograph. swd: a kernel of any shape;
            with it, both have the same distribution of patches. kernelgan: the same, by
            a generator.
    """
    picture = out.with_suffix(".png")
    check_place(out, (".npy",))
    check_place(picture, (".png",))
    check_apart([out, picture], image)
    check_beside(picture, out)

    import numpy as np

    from dil_teach.image.resize import resize

    photograph = load_picture(image, reading)
    colour, about = training.to_device(photograph.colour), ""
    cost = expect(f"estimate-kernel {method}", image, colour.shape[1:])
    if method == "spectrum":
        from dil_teach.classical.kernel.choice import choose_kernel

        choice = choose_kernel(colour, training.seed)
        kernel, reason = choice.kernel, choice.reason
        if kernel is None:
            raise ValueError(
                f"{image}: no kernel is written: {reason}; use super-resolve without a "
                "kernel, or --method recurrence, which writes an estimate in any case"
            )
        if choice.noise > 0:
            about = f"; with super-resolve, use --noise {255 * choice.noise:.1f}"
    else:
        from dil_teach.classical.kernel.distribution import (
            KernelByDistribution,
            KernelByDistributionSettings,
        )
        from dil_teach.classical.kernel.recurrence import (
            KernelByRecurrence,
            KernelByRecurrenceSettings,
        )
        from dil_teach.deep.kernelgan.kernelgan import KernelGAN, KernelGANSettings

        estimator = {
            "recurrence": (KernelByRecurrence, KernelByRecurrenceSettings),
            "swd": (KernelByDistribution, KernelByDistributionSettings),
            "kernelgan": (KernelGAN, KernelGANSettings),
        }
        kind, settings = estimator[method]
        trained = train_with_bar(kind(colour, training.settings(settings)), cost)
        kernel = trained.kernel()
        if isinstance(trained, KernelByRecurrence):
            about = (
                "; similarity of the kernels of the left and the right half: "
                f"{trained.confidence():.2f}"
            )
    weights = kernel.cpu()
    bright = resize((weights / weights.max())[None].float(), ENLARGE, kernel="area")
    size = f"{len(weights)} x {weights.shape[1]} weights"
    return write(
        {out: partial(np.save, arr=weights.numpy()), picture: beside(bright)},
        f"{size} written{about}",
    )
