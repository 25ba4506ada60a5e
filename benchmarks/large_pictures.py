"""Do the methods gain as much on large pictures as on small ones?

    python benchmarks/large_pictures.py

It compares the defaults of ``dil-teach dehaze`` and ``dil-teach remove-watermark`` with
classical baselines, on photographs with a shorter side of 128 and of 480 pixels. The
haze is that of ``benchmarks/dehazing.py``; twelve photographs are needed, because the
estimate of the airlight decides, and its error differs much from picture to picture.
Eight of them, with four hazes each, had a part in choosing constants at 128 pixels. The
mark is that of the rendered scene, drawn at the size of the photographs. Both networks
of ``dil-teach denoise`` are compared with BM3D, and on the large photographs, Deep
Image Prior with the same octaves without a network. The results are in
``benchmarks/results/large_pictures.json``.
"""

import itertools
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import dehazing
import record
import torch
import torch.nn.functional as F
import tyro
from scipy.ndimage import gaussian_filter
from torch import Tensor
from watermark import psnr_in

from dil_teach import (
    ZSN2N,
    DeepImagePrior,
    DeepImagePriorSettings,
    ZSN2NSettings,
    bm3d,
    fit,
    photo,
    psnr,
    resize,
)
from dil_teach.classical.haze.dark_channel import (
    GUIDED,
    brightest_haze,
    remove_haze_by_dark_channel,
)
from dil_teach.classical.haze.envelope import remove_haze_by_envelope
from dil_teach.classical.inpainting import biharmonic
from dil_teach.classical.watermark.total_variation import (
    watermark_by_total_variation,
    without_mark,
)
from dil_teach.deep.working_size import add_octaves, steps_of_copy, working_size
from dil_teach.image.colour import to_linear
from dil_teach.patches.noise import smooth_noise_level

DATA = Path(__file__).parents[1] / "data"
SIDES = 128, 480
SHARED = "dogs", "room", "brook"
"""Photographs that share the mark, and those that get noise."""
SETS = SHARED, ("picos", "fig", "brushes"), ("aitzgorri", "sunset", "room")
"""Each three photographs share a mark. Nothing about marks was chosen on them."""
MORE = "picos coffee flower astronaut facade china fig dandelions".split()
"""Photographs that get each of the hazes."""
MARKS = {"watermark": 0.95, "dark watermark": 0.1}
"""The grey value of the mark."""
NOISE = {"white noise": 0.0, "blurred noise": 1.5}
"""The Gaussian that blurs the noise, in pixels."""


def dehaze(name: str, side: int, like: str | None = None) -> dict[str, float]:
    """PSNR over all channels in dB. ``dark`` gets the airlight of the default."""
    layers = dehazing.hazy_photograph(name, min(side, *photo(name).shape[1:]), like)
    frames, clear = layers["image"][None], layers["clear"]
    found = remove_haze_by_envelope(frames)
    made = {"input": frames, "final": found.image}
    airlights = to_linear(found.airlight), brightest_haze(to_linear(frames))
    for row, known in zip(("dark", "own dark"), airlights, strict=True):
        made[row] = remove_haze_by_dark_channel(frames, known, GUIDED).image
    return {row: psnr(picture[0], clear) for row, picture in made.items()}


def unmark(names: Iterable[str], side: int, grey: float) -> dict[str, float]:
    """PSNR inside the mark in dB. Inpainting is given the outline of the mark."""
    sys.path.insert(0, str(DATA))
    import scene_layers

    scene_layers.SIZE, scale = side, side / 128
    drawn = scene_layers.mark(64 * scale, 66 * scale, scale)
    alpha = torch.from_numpy(drawn).float().permute(2, 0, 1)
    colour = torch.full((3,), grey)
    clean = torch.stack([square(photo(name, side)) for name in names])
    marked = (1 - alpha) * clean + alpha * colour[:, None, None]
    marked, mark = (marked * 255).round() / 255, alpha[0] > 0
    found = watermark_by_total_variation(marked)
    outline = F.max_pool2d(mark[None].float(), 3, 1, 1)
    made = {
        "input": marked,
        "final": without_mark(marked, *found).clamp(0, 1),
        "inpainting": torch.stack([biharmonic(picture, outline) for picture in marked]),
    }
    return {row: psnr_in(mark, pictures, clean) for row, pictures in made.items()}


def denoise(name: str, side: int, blur: float) -> dict[str, float]:
    """PSNR in dB. The noise of 25 grey levels is white, or a Gaussian blurs it."""
    truth = photo(name, side)
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    if blur:
        noise = torch.from_numpy(gaussian_filter(noise.numpy(), (0, blur, blur)))
    noisy = (truth + noise / noise.std() * 25 / 255).clamp(0, 1)
    noisy = (noisy * 255).round() / 255
    settings = DeepImagePriorSettings.quick()
    level = smooth_noise_level(noisy)
    made = {
        "input": noisy,
        "zs-n2n": fit(ZSN2N(noisy, ZSN2NSettings.quick())).result(),
        "bm3d": bm3d(noisy, 25 / 255 if level is None else level),
    }
    if (size := working_size(noisy.shape[1:])) == noisy.shape[1:]:
        made["final"] = fit(DeepImagePrior(noisy, settings=settings)).result()
    else:
        small = resize(noisy, size=size).clamp(0, 1)
        settings = replace(settings, steps=steps_of_copy(settings.steps))
        answer = fit(DeepImagePrior(small, settings=settings)).result()
        made["final"] = add_octaves(answer, noisy)
        flat = small.mean((1, 2), keepdim=True).expand_as(small)
        made["no network"] = add_octaves(flat, noisy)
    return {row: psnr(picture, truth) for row, picture in made.items()}


def square(image: Tensor) -> Tensor:
    """The middle of an image."""
    side = min(image.shape[1:])
    top, left = ((n - side) // 2 for n in image.shape[1:])
    return image[:, top : top + side, left : left + side]


def main(only: str = "") -> None:
    """Measure the cases whose name contains ``only``; other rows are kept."""
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/large_pictures.py")
    cases: dict[tuple[str, int], Callable] = {}
    for side in SIDES:
        for name in dehazing.PLACES:
            cases[f"haze: {name}", side] = partial(dehaze, name, side)
        for like, name in itertools.product(dehazing.PLACES, MORE):
            case = f"haze of {like}: {name}"
            cases[case, side] = partial(dehaze, name, side, like)
        for names, (mark, grey) in itertools.product(SETS, MARKS.items()):
            case = f"{mark} on {', '.join(names)}"
            cases[case, side] = partial(unmark, names, side, grey)
    for name, (kind, blur) in itertools.product(SHARED, NOISE.items()):
        for side in SIDES:
            cases[f"{name}, {kind}", side] = partial(denoise, name, side, blur)
    known = {(r["case"], r["side"]): r for r in record.read("large_pictures")}
    for (name, side), measure in cases.items():
        if only in name:
            known[name, side] = {"case": name, "side": side, **measure()}
            print(known[name, side], flush=True)
    record.write("large_pictures", [known[case] for case in cases], commit)


if __name__ == "__main__":
    tyro.cli(main)
