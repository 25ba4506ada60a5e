"""Compare networks trained on other images with methods that use only the image itself:
ZSSR, Glasner et al. 2009, and Freedman and Fattal 2011.

    python benchmarks/inside_outside.py                      # all sections
    python benchmarks/inside_outside.py --sections ideal     # one section
    python benchmarks/inside_outside.py --pictures FOLDER    # for twins and fine_tuned
    python benchmarks/inside_outside.py --only-patches --sections ideal

Each section writes ``benchmarks/results/inside_outside_<section>.json``. All figures
are the PSNR of luma in dB at twice the size, without a border of 8 pixels (Set5: 2).
The ten photographs are those of ``unknown_kernels.py``. Set5 is read from the folder
that ``DIL_TEACH_DATASETS`` names. FOLDER holds the training pictures of the external
networks, as for ``data/train_external_sr.py``; we may not distribute them. Published
weights of VDSR are compared if ``--vdsr`` names their file. With ``--only-patches``, no
network is trained: the two methods by patches are measured, and for poor quality also
EDSR+ after BM3D. Their columns are put into the rows of the existing record, which then
names the commits of both measurements.
"""

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean

import numpy as np
import record
import torch
import tyro
from jaxtyping import Float
from matplotlib.cbook import get_sample_data
from skimage import data
from torch import Tensor
from unknown_kernels import middle, outside, photographs, random_gaussian

from dil_teach import (
    ZSSR,
    ZSSRSettings,
    blur_and_subsample,
    fit,
    load_external_network,
    load_image,
    photo,
    psnr,
    psnr_y,
    resize,
    super_resolve_by_local_examples,
    super_resolve_by_recurrence,
    super_resolve_with,
)
from dil_teach.classical.back_projection import back_project
from dil_teach.classical.denoise.bm3d import bm3d
from dil_teach.deep.external_sr.external_sr import ExternalSettings, ExternalTraining
from dil_teach.deep.external_sr.networks import EDSR
from dil_teach.image.augment import add_noise, jpeg
from dil_teach.image.convention import Image, Video, from_uint8, to_uint8
from dil_teach.image.metrics import luma, noise_level
from dil_teach.image.photos import benchmark_pairs
from dil_teach.training.loop import train

SHAVE = 8
SEEDS = (0, 1, 2)
OFTEN = 40
"""How often the tiles of a test picture are among the training tiles."""
SPECKLE = 0.1
"""Standard deviation of the factor of each pixel in speckle noise; the mean is 1."""


@dataclasses.dataclass(frozen=True)
class Files:
    """Files that the project may not distribute."""

    pictures: Path | None = None
    """Training pictures of the external networks."""
    vdsr: Path | None = None
    """Published weights of VDSR."""


def eight_bit(image: Image) -> Image:
    return from_uint8(to_uint8(image))


def halved(image: Image) -> Image:
    return resize(image, 0.5, exact_uint8=True)


def score(results: dict[str, Image], truth: Image, shave: int = SHAVE) -> dict:
    """The PSNR of each result on luma, in dB."""
    return {
        what: round(psnr_y(eight_bit(image.clamp(0, 1)), truth, shave), 2)
        for what, image in results.items()
    }


def zssr(low: Image, settings: ZSSRSettings, kernel="bicubic") -> Image:
    return fit(ZSSR(low, 2, kernel, settings)).super_resolve()


def by_patches(low: Image, size: tuple[int, int] | None = None) -> dict[str, Image]:
    """The image enlarged by its own patches: by 2, or to a size."""
    return {
        "Glasner": super_resolve_by_recurrence(low, 2, size=size),
        "Freedman-Fattal": super_resolve_by_local_examples(low, 2, size),
    }


def ideal_pairs() -> Iterator[tuple[dict, Image, Image, int]]:
    """The keys of each row of :func:`ideal`, truth, given image, and PSNR's border."""
    for name, truth, low in benchmark_pairs("Set5", 2):
        yield {"pictures": "Set5", "image": name}, truth, low, 2
    for name, truth in photographs().items():
        truth = eight_bit(truth)
        yield {"pictures": "photographs", "image": name}, truth, halved(truth), SHAVE


def ideal(files: Files) -> list[dict]:
    """Bicubic downscaling, without noise: ZSSR `standard`, three seeds on Set5."""
    rows = []
    for keys, truth, low, shave in ideal_pairs():
        seeds = SEEDS if keys["pictures"] == "Set5" else SEEDS[:1]
        interpolated = resize(low, 2)
        results = {
            "bicubic interpolation": interpolated,
            "back-projection": back_project(interpolated, low, "bicubic", 2),
        }
        results |= by_patches(low) | outside(low)
        if files.vdsr:
            published = load_external_network(files.vdsr)
            results["VDSR, published weights"] = super_resolve_with(published, low)
        row = keys | score(results, truth, shave)
        of_seeds = [
            score({"": zssr(low, ZSSRSettings.standard(seed=s))}, truth, shave)[""]
            for s in seeds
        ]
        rows.append(row | {"ZSSR": mean(of_seeds), "ZSSR, seeds": of_seeds})
        print(rows[-1], flush=True)
    return rows


def poor_pairs() -> Iterator[tuple[dict, Image, Image]]:
    """The keys of each row of :func:`poor_quality`, truth, and given image."""
    for name, truth in [*photographs().items()][::2]:
        truth = eight_bit(truth)
        for seed in SEEDS:
            for what, low in spoilt(halved(truth), seed).items():
                yield {"image": name, "degradation": what, "seed": seed}, truth, low


def poor_quality(files: Files) -> list[dict]:
    """Noise of sigma 10, speckle, and JPEG of quality 50, for five photographs.

    ZSSR gets the noise that :func:`noise_level` estimates from the given image. EDSR+
    of the image denoised by BM3D with the same estimate is the control.
    """
    rows = []
    for keys, truth, low in poor_pairs():
        level, seed = noise_level(low), keys["seed"]
        settings = ZSSRSettings(seed=seed, noise=level)
        if keys["degradation"] == "JPEG 50":  # the file states its quality
            settings = ZSSRSettings(seed=seed, jpeg_quality=50)
        results = {
            "bicubic interpolation": resize(low, 2),
            "ZSSR, noise mode": zssr(low, settings),
        }
        if seed == 0:
            results |= by_patches(low) | outside(low)
            results["ZSSR, clean mode"] = zssr(low, ZSSRSettings())
            results |= outside_after_bm3d(low)
        rows.append(keys | {"noise": level} | score(results, truth))
        print(rows[-1], flush=True)
    return rows


def spoilt(low: Image, seed: int) -> dict[str, Image]:
    """Three copies of an image in poor quality, in eight bits."""
    rng = torch.Generator().manual_seed(seed)
    noisy = add_noise(low, 10 / 255, rng)
    speckled = low * add_noise(torch.ones_like(low), SPECKLE, rng)
    found = {"noise 10": noisy, "speckle": speckled}
    return {what: eight_bit(x.clamp(0, 1)) for what, x in found.items()} | {
        "JPEG 50": jpeg(low, 50)
    }


def outside_after_bm3d(low: Image) -> dict[str, Image]:
    """The control with the same information as ZSSR in noise mode: EDSR+ after BM3D."""
    clean = bm3d(low, noise_level(low)).clamp(0, 1)
    edsr = load_external_network("edsr")
    return {"EDSR+ of BM3D": super_resolve_with(edsr, clean, 2, True)}


def training_tiles(files: Files) -> Video:
    """The tiles on which the external networks were trained."""
    sys.path.append(str(Path(__file__).parents[1] / "data"))
    from train_external_sr import tiles

    assert files.pictures, "name the training pictures by --pictures"
    return tiles(files.pictures)


def fine_tuned(files: Files) -> list[dict]:
    """EDSR trained further for the true kernel: four of the ten photographs."""
    images = training_tiles(files)
    weights = load_external_network("edsr").state_dict()
    rows = []
    for number, (name, truth) in enumerate(photographs().items()):
        if number % 3 != 0:  # the training is expensive
            continue
        kernel = random_gaussian(number)
        low = eight_bit(blur_and_subsample(truth, kernel, 2).clamp(0, 1))
        edsr = super_resolve_with(load_external_network("edsr"), low, ensemble=True)
        row = {"image": name} | score({"EDSR+": edsr}, truth)
        start = time.process_time()
        row |= score({"ZSSR, true kernel": zssr(low, ZSSRSettings(), kernel)}, truth)
        row["ZSSR, CPU s"] = time.process_time() - start
        settings = ExternalSettings("edsr", kernel, steps=400, learning_rate=2e-4)
        start = time.process_time()
        training = ExternalTraining(images, settings, weights)
        for _ in train(training, report_every=100):
            step, spent = training.step, time.process_time() - start
            network = training.average.eval()
            result = {f"fine-tuned, {step} steps": super_resolve_with(network, low)}
            row |= score(result, truth) | {f"{step} steps, CPU s": spent}
        tuned = super_resolve_with(training.average, low, ensemble=True)
        rows.append(row | score({"EDSR+, fine-tuned": tuned}, truth))
        print(rows[-1], flush=True)
    return rows


def data_pairs() -> Iterator[tuple[dict, Image, Image]]:
    """The keys of each row of :func:`data_types`, truth, and given image."""
    views = [from_uint8(view) for view in data.stereo_motorcycle()[:2]]
    dark = middle(photo("hubble")) / 16  # rendered: an exposure of a 16th
    pictures = {
        "retina": (middle(photo("retina")), 8),
        "tissue under a microscope": (
            middle(from_uint8(data.immunohistochemistry())),
            8,
        ),
        "dark, 16 bits": (dark, 16),
        "two views, six channels": (middle(torch.cat(views)), 8),
    }
    elevation = np.load(get_sample_data("jacksboro_fault_dem.npz", asfileobj=False))
    height = torch.from_numpy(elevation["elevation"].astype("float32"))[None]
    height = (height - height.min()) / (height.max() - height.min())
    pictures["elevation, 16 bits"] = (middle(height), 16)
    for name, (truth, bits) in pictures.items():
        levels = 2**bits - 1
        low = (resize(truth, 0.5).clamp(0, 1) * levels).round() / levels
        yield {"picture": name, "channels": len(truth), "bits": bits}, truth, low


def threes(image: Image) -> list[Image]:
    """Three channels at a time, or one if their number is not a multiple of three."""
    return list(image.split(3 if len(image) % 3 == 0 else 1))


def patches_of_channels(low: Image) -> dict[str, Image]:
    """:func:`by_patches`, three channels at a time."""
    parts = [by_patches(part) for part in threes(low)]
    return {what: torch.cat([part[what] for part in parts]) for what in parts[0]}


def score_inside(results: dict[str, Image], truth: Image) -> dict:
    """The PSNR over all channels in dB, for the range of the picture."""
    span = float(truth.max() - truth.min())
    inside = (..., slice(SHAVE, -SHAVE), slice(SHAVE, -SHAVE))
    return {
        what: round(psnr(x[inside] / span, truth[inside] / span), 2)
        for what, x in results.items()
    }


def data_types(files: Files) -> list[dict]:
    """Pictures that are no photographs of daily life, with bicubic downscaling.

    EDSR+ and the methods by patches get three channels at a time; the PSNR is over all
    channels, for the range of the picture.
    """
    rows = []
    for keys, truth, low in data_pairs():
        edsr = load_external_network("edsr")
        parts = [super_resolve_with(edsr, part, 2, True) for part in threes(low)]
        results = {
            "bicubic interpolation": resize(low, 2),
            "back-projection": back_project(resize(low, 2), low, "bicubic", 2),
            "EDSR+": torch.cat(parts),
        }
        results |= patches_of_channels(low)
        results |= {
            f"ZSSR, seed {s}": zssr(low, ZSSRSettings.standard(seed=s)) for s in SEEDS
        }
        rows.append(keys | score_inside(results, truth))
        print(rows[-1], flush=True)
    return rows


def shape_pairs() -> Iterator[tuple[dict, Image, Image]]:
    """The keys of each row of :func:`shapes`, truth, and given image."""
    for scale in ((1.5, 1.5), (1.0, 2.0), (1.3, 1.8)):
        for name, truth in [*photographs().items()][::3]:
            size = tuple(
                round(n / s) for n, s in zip(truth.shape[1:], scale, strict=True)
            )
            low = eight_bit(resize(truth, size=size).clamp(0, 1))
            yield {"scale": scale, "image": name}, eight_bit(truth), low


def shapes(files: Files) -> list[dict]:
    """Other scales and aspect ratios, four photographs; EDSR+ is resized to fit."""
    rows = []
    for keys, truth, low in shape_pairs():
        size = truth.shape[1], truth.shape[2]
        edsr = super_resolve_with(load_external_network("edsr"), low, 2, True)
        results = {
            "bicubic interpolation": resize(low, size=size),
            "EDSR+ and bicubic": resize(edsr, size=size),
            "ZSSR": fit(ZSSR(low, size=size)).super_resolve(),
        }
        rows.append(keys | score(results | by_patches(low, size), truth))
        print(rows[-1], flush=True)
    return rows


def twins(files: Files) -> list[dict]:
    """The nearest training picture of each test picture, by correlated thumbnails."""
    assert files.pictures, "name the training pictures by --pictures"
    trained = {
        str(path.relative_to(files.pictures)): thumbnail(load_image(path))
        for path in sorted(files.pictures.glob("*/*.[pj][np]g"))
    }
    tests = {name: high for name, high, _ in benchmark_pairs("Set5", 2)} | photographs()
    rows = []
    for name, image in tests.items():
        views = [thumbnail(image), thumbnail(image.flip(2))]
        found = {
            other: max(float(torch.corrcoef(torch.stack([v, x]))[0, 1]) for v in views)
            for other, x in trained.items()
        }
        best = max(found, key=lambda other: found[other])
        rows.append({"image": name, "nearest": best, "correlation": found[best]})
        print(rows[-1], flush=True)
    return rows


def thumbnail(image: Image) -> Float[Tensor, "256"]:
    """The luma of an image at 16 x 16 pixels, as a vector."""
    return resize(luma(image).float(), size=(16, 16)).flatten()


def seen_test_picture(files: Files) -> list[dict]:
    """What EDSR gains on 'woman' of Set5 if the training pictures include it.

    Two networks train further from the weights that ship, for 600 steps. The tiles of
    one include those of 'woman', each ``OFTEN`` times: its training sees them as often
    as a training of 24,000 steps that has each tile once.
    """
    others = training_tiles(files)
    pairs = benchmark_pairs("Set5", 2)
    woman = pairs[4][1]
    side = others.shape[-1]
    tops, lefts = (range(0, n - side + 1, side // 2) for n in woman.shape[1:])
    seen = torch.stack(
        [woman[:, y : y + side, x : x + side] for y in tops for x in lefts]
    )
    rows = []
    for what, images in (
        ("unseen", others),
        ("seen", torch.cat([others, *OFTEN * [seen]])),
    ):
        settings = ExternalSettings("edsr", steps=600, learning_rate=2e-4)
        weights = load_external_network("edsr").state_dict()
        training = fit(ExternalTraining(images, settings, weights))
        network: EDSR = training.average
        found = {
            name: psnr_y(eight_bit(super_resolve_with(network, low)), high, 2)
            for name, high, low in pairs
        }
        rows.append(
            {"woman": what, "tiles of it": len(seen), "of": len(images)} | found
        )
        print(rows[-1], flush=True)
    return rows


SECTIONS: dict[str, Callable[[Files], list[dict]]] = {
    f.__name__: f
    for f in (
        ideal,
        poor_quality,
        data_types,
        shapes,
        twins,
        fine_tuned,
        seen_test_picture,
    )
}


def patch_columns(section: str) -> Iterator[tuple[dict, dict]]:
    """The keys of a row, and its columns that need no training."""
    if section == "ideal":
        for keys, truth, low, shave in ideal_pairs():
            yield keys, score(by_patches(low), truth, shave)
    elif section == "poor_quality":
        for keys, truth, low in poor_pairs():
            if keys["seed"] == 0:
                yield keys, score(by_patches(low) | outside_after_bm3d(low), truth)
    elif section == "data_types":
        for keys, truth, low in data_pairs():
            yield keys, score_inside(patches_of_channels(low), truth)
    elif section == "shapes":
        for keys, truth, low in shape_pairs():
            size = truth.shape[1], truth.shape[2]
            yield keys, score(by_patches(low, size), truth)
    else:
        raise ValueError(f"sections: {section} does not measure methods by patches")


def add_patch_columns(section: str, commit: str) -> None:
    """Put the columns of :func:`patch_columns` into the rows of a record."""
    before = json.loads((record.RESULTS / f"inside_outside_{section}.json").read_text())
    rows = before["rows"]
    for keys, columns in patch_columns(section):
        keys = json.loads(json.dumps(keys))  # a scale is a list in a record
        (row,) = (r for r in rows if {key: r.get(key) for key in keys} == keys)
        row |= columns
        print(keys | columns, flush=True)
    commits = {", ".join(columns): commit, "all other methods": before["commit"]}
    write(section, rows, before["commit"], commits=commits)


def write(section: str, rows: list[dict], commit: str, **more: dict) -> None:
    """Write the record of a section, with the mean of each column."""
    kind = [key for key in rows[0] if isinstance(rows[0][key], float)]
    means = {key: mean(r[key] for r in rows if key in r) for key in kind}
    record.write(f"inside_outside_{section}", rows, commit, mean=means, **more)


def main(
    files: Files = Files(),
    sections: tuple[str, ...] = tuple(SECTIONS),
    only_patches: bool = False,
) -> None:
    """Measure section by section; each writes its record at once."""
    torch.set_num_threads(1)
    for section in sections:
        commit = record.commit_of_code("benchmarks/inside_outside.py")
        if only_patches:
            add_patch_columns(section, commit)
        else:
            write(section, SECTIONS[section](files), commit)


if __name__ == "__main__":
    tyro.cli(main)
