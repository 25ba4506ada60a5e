"""The opening of chapter 03, for data/draw_openings.py: noise of 25 grey levels."""

from functools import partial

import torch
from opening_files import SEED, SIDE, Seconds, write

from dil_teach import photo, psnr
from dil_teach.classical.denoise.bm3d import bm3d
from dil_teach.classical.denoise.ksvd import ksvd
from dil_teach.classical.denoise.nlm import nlm
from dil_teach.classical.denoising import tv_denoise
from dil_teach.image.augment import add_noise
from dil_teach.image.photos import photos


def denoising() -> None:
    """Chapter 03: the man with the camera at 512 pixels, by all methods."""
    truth, sigma, seconds = photo("camera", 2 * SIDE), 25 / 255, Seconds()
    noisy = add_noise(truth, sigma, torch.Generator().manual_seed(SEED))
    methods = {
        "total variation": tv_denoise,
        "non-local means": partial(nlm, patch_size=7, reach=10),  # as in the paper
        "K-SVD": ksvd,
        "BM3D": bm3d,
    }
    results = {"noisy": noisy} | {
        name: seconds.of(name, lambda method=method: method(noisy, sigma))
        for name, method in methods.items()
    }
    shown = {name: x for name, x in results.items() if name != "total variation"}
    credit = photos()["camera"]
    write(
        "denoising",
        {n: x.clamp(0, 1) for n, x in shown.items()} | {"ground truth": truth},
        {name: round(psnr(x, truth), 2) for name, x in results.items()},
        (32, 128),
        measure="PSNR over all pixels",
        settings="white noise of 25 grey levels, which the methods are told",
        size=[2 * SIDE, 2 * SIDE],
        seconds=seconds,
        licence=credit.licence,
        attribution=credit.attribution,
    )
