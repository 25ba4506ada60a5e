"""Measure quality and cost of Deep Image Prior, ZS-N2N and their controls.

    python benchmarks/deep_image_prior.py                     # all: two hours
    python benchmarks/deep_image_prior.py --sections denoise  # one section
    python benchmarks/deep_image_prior.py --sections inpaint --seeds 0

Each section writes ``benchmarks/results/dip_<section>.json``. The sections denoise and
super_resolve write after each run and skip runs that the record has, so they can be
interrupted; remove the record to measure again. ``credit_deep_image_prior.py`` makes
tables of exact credit of these records. Times are CPU seconds of the process, on one
thread. The settings were tuned on hubble, on retina and on the lower right corner of
the astronaut at 256 pixels, those of super-resolution on room, dogs and brook; nothing
was tuned on the five pictures below. Noise is white and Gaussian, drawn with the seed.
Noisy images are clipped to [0, 1] and rounded to eight bits, as in a file.
"""

import time
from collections.abc import Callable
from statistics import mean

import numpy as np
import record
import torch
import tyro
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont
from torch import Tensor, nn

from dil_teach import fit, photo, psnr, resize
from dil_teach.classical.back_projection import back_project
from dil_teach.classical.denoise.bm3d import bm3d
from dil_teach.classical.denoise.ksvd import ksvd
from dil_teach.classical.denoising import nlm_denoise, tv_denoise
from dil_teach.classical.inpainting import biharmonic
from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
from dil_teach.deep.zs_n2n import ZSN2N, ZSN2NSettings
from dil_teach.image.augment import add_noise, jpeg
from dil_teach.image.convention import Image, from_uint8, to_uint8
from dil_teach.image.degradation import downsampled, masked
from dil_teach.image.files import save_image
from dil_teach.image.metrics import noise_level

FIVE = ("astronaut", "chelsea", "coffee", "china", "flower")
SIZE = 128
SEEDS = (0, 1, 2)
SIGMA = 25 / 255
TV_WEIGHTS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2)
NLM_STRENGTHS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1)
"""The baselines 'tuned with the truth' are computed with each of these strengths, and
the best PSNR is recorded."""


AFTER = 20
"""Steps after the stop from which the oracle may choose, too."""
SCRIPT = "benchmarks/deep_image_prior.py"


def noisy_photo(name: str, seed: int) -> tuple[Image, Image]:
    """A photograph and a noisy copy: sigma 25, clipped, rounded to eight bits."""
    truth = photo(name, SIZE)
    rng = torch.Generator().manual_seed(seed)
    return truth, from_uint8(to_uint8(add_noise(truth, SIGMA, rng)))


def timed(method: DeepImagePrior | ZSN2N) -> float:
    start = time.process_time()
    fit(method)
    return time.process_time() - start


def without_network(noisy: Image, truth: Image) -> dict:
    """PSNR of the noisy image, and of the controls with the estimated noise level.

    Two controls also get the true noise level and the best of several strengths.
    """
    level = noise_level(noisy)
    row = {
        "noisy": psnr(noisy, truth),
        "estimated sigma of 255": 255 * level,
        "TV": psnr(tv_denoise(noisy, level), truth),
        "NLM": psnr(nlm_denoise(noisy, level), truth),
        "TV tuned with the truth": max(
            psnr(tv_denoise(noisy, SIGMA, w), truth) for w in TV_WEIGHTS
        ),
        "NLM tuned with the truth": max(
            psnr(nlm_denoise(noisy, SIGMA, s), truth) for s in NLM_STRENGTHS
        ),
    }
    for name, control in {"K-SVD": ksvd, "BM3D": bm3d}.items():
        start = time.process_time()
        clean = control(noisy, level).clamp(0, 1)
        row[f"{name} cpu seconds"] = time.process_time() - start
        row[name] = psnr(clean, truth)
    return row


def each(section: str, seeds: tuple[int, ...], run: Callable) -> list[dict]:
    """The rows of all pictures and seeds; a run that the record lacks is written."""
    rows = record.read(f"dip_{section}")
    for name in FIVE:
        for seed in seeds:
            if any((r["image"], r["seed"]) == (name, seed) for r in rows):
                continue
            rows.append({"image": name, "seed": seed} | run(name, seed))
            rows.sort(key=lambda row: (FIVE.index(row["image"]), row["seed"]))
            record.write(f"dip_{section}", rows, record.commit_of_code(SCRIPT))
            print(rows[-1], flush=True)
    return rows


def denoise(seeds: tuple[int, ...]) -> list[dict]:
    """Compare the standard budgets with TV, NLM, K-SVD and BM3D."""

    def run(name: str, seed: int) -> dict:
        truth, noisy = noisy_photo(name, seed)
        row = without_network(noisy, truth)
        zs_n2n = ZSN2N(noisy, ZSN2NSettings.standard(seed=seed))
        row["ZS-N2N cpu seconds"] = timed(zs_n2n)
        row["ZS-N2N"] = psnr(zs_n2n.result(), truth)
        return row | to_its_stop_and_on(noisy, truth, seed)

    return each("denoise", seeds, run)


def to_its_stop_and_on(noisy: Image, truth: Image, seed: int) -> dict:
    """Denoise with Deep Image Prior, and look on for ``AFTER`` steps after its stop.

    Of the moving averages after all these steps, the oracle takes the one that is
    nearest to the ground truth. The recorded time excludes the steps after the stop.
    """
    settings = DeepImagePriorSettings.standard(seed=seed)
    dip = DeepImagePrior(noisy, settings=settings)
    row = {"DIP, first drawing": psnr(dip.raw(), truth)}
    spent, best, stop = 0.0, 0.0, 0
    while dip.step < dip.total_steps and not (stop and dip.step >= stop + AFTER):
        start = time.process_time()
        dip.train_step()
        spent += time.process_time() - start
        if dip.step % 10 == 0:
            best = max(best, psnr(dip.averaged(), truth))
        if dip.done and not stop:
            stop = dip.step
            row |= {
                "DIP": psnr(dip.result(), truth),
                "DIP cpu seconds": spent,
                "kept step": dip.stopped_at,
                "steps": stop,
                "DIP, last drawing": psnr(dip.raw(), truth),
            }
    return row | {"DIP, oracle's best step": max(best, row["DIP"])}


class AuthorsNetwork(nn.Module):
    """The authors' denoising network (2.2 million parameters), reimplemented.

    It has five scales of 128 channels, skip connections of 4 channels, reflected
    borders and bilinear upsampling. Each scale has two convolutions in the encoder, and
    a 3 x 3 and a 1 x 1 convolution in the decoder.
    """

    def __init__(self) -> None:
        super().__init__()
        before = (32, 128, 128, 128, 128)
        self.across = nn.ModuleList(self.block(b, 4, 1) for b in before)
        self.down = nn.ModuleList(
            nn.Sequential(self.block(b, 128, 3, 2), self.block(128, 128, 3))
            for b in before
        )
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(132), self.block(132, 128, 3), self.block(128, 128, 1)
            )
            for _ in before
        )
        self.last = nn.Conv2d(128, 3, 1)

    @staticmethod
    def block(before: int, after: int, side: int, stride: int = 1) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(before, after, side, stride, side // 2, padding_mode="reflect"),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(0.2),
        )

    def forward(self, code: Tensor) -> Tensor:
        seen, x = [], code
        for down in self.down:
            seen.append(x)
            x = down(x)
        for finer, across, up in zip(
            reversed(seen), reversed(self.across), reversed(self.up), strict=True
        ):
            x = nn.functional.interpolate(x, size=finer.shape[-2:], mode="bilinear")
            x = up(torch.cat([x, across(finer)], 1))
        return self.last(x).sigmoid()


def authors(seeds: tuple[int, ...], name: str = "astronaut") -> list[dict]:
    """Compare the CPU seconds that the authors' network and ours need for one PSNR.

    The authors use Adam at 0.01, noise of 1/30 on the network input, a moving average
    of 0.99, float32 and 1,800 steps. Both networks are trained once on one photograph;
    the score is the PSNR of the moving average.
    """
    truth, noisy = noisy_photo(name, seeds[0])
    settings = DeepImagePriorSettings.standard(steps=560, seed=seeds[0])
    dip = DeepImagePrior(noisy, settings=settings)
    ours, spent = [], 0.0
    while not dip.done:
        start = time.process_time()
        dip.train_step()
        spent += time.process_time() - start
        ours.append((spent, psnr(dip.averaged(), truth)))
    theirs = authors_curve(noisy, truth, seeds[0])
    rows: list[dict] = [
        {
            "image": name,
            "ours at its own stop": psnr(dip.result(), truth),
            "our cpu seconds": spent,
            "authors', best of any step": max(p for _, p in theirs),
            "authors' cpu seconds": theirs[-1][0],
            "authors' curve": theirs[99::100],
        }
    ]
    most = min(max(p for _, p in curve) for curve in (ours, theirs))
    for level in (24, 25, 26, 27, 28, most):
        if level > most:
            continue
        ours_at, theirs_at = (
            next(t for t, p in curve if p >= level) for curve in (ours, theirs)
        )
        rows.append(
            {
                "PSNR": level,
                "our cpu seconds": ours_at,
                "authors' cpu seconds": theirs_at,
                "times less": theirs_at / ours_at,
            }
        )
    print(*rows, sep="\n")
    return rows


def authors_curve(noisy: Image, truth: Image, seed: int) -> list[tuple[float, float]]:
    torch.manual_seed(seed)
    network = AuthorsNetwork()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    code = 0.1 * torch.rand(1, 32, SIZE, SIZE)
    average = torch.zeros_like(noisy)
    curve, spent = [], 0.0
    for step in range(1800):
        start = time.process_time()
        drawn = network(code + torch.randn_like(code) / 30)
        loss = (drawn - noisy).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average = drawn.detach()[0] if step == 0 else 0.99 * average + 0.01 * drawn[0]
        average = average.detach()
        spent += time.process_time() - start
        curve.append((spent, psnr(average, truth)))
    return curve


def masks() -> dict[str, Tensor]:
    """Three masks: half of the pixels (at random), printed text, and a square hole."""
    half = torch.rand(1, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) < 0.5
    page = Picture.new("L", (SIZE, SIZE))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(16)
    words = ("An untrained", "network likes", "natural images", "more than it")
    for i, line in enumerate((*words, "does noise and", "fills holes.")):
        pen.text((4, 4 + 20 * i), line, fill=255, font=font)
    hole = torch.zeros(1, SIZE, SIZE)
    hole[:, 48:80, 48:80] = 1
    text = torch.from_numpy((np.array(page) > 127).astype(np.float32))[None]
    return {"half of the pixels": half.float(), "text": text, "32 x 32 hole": hole}


def inpaint(seeds: tuple[int, ...]) -> list[dict]:
    """Measure inpainting and biharmonic interpolation: the PSNR of the whole picture.

    The known pixels of the result are those of the photograph.

    Judge the square hole by eye: ``results/dip_hole.png`` shows, from top to bottom,
    the ground truth, the hole, biharmonic interpolation and our result of the first
    seed.
    """
    rows, strips = [], []
    for name in FIVE:
        truth = photo(name, SIZE)
        for kind, mask in masks().items():
            degraded = truth * (1 - mask)
            control = biharmonic(degraded, mask)
            by_eye = kind == "32 x 32 hole"
            for seed in seeds[:1] if by_eye else seeds:
                settings = DeepImagePriorSettings.standard(steps=700, seed=seed)
                dip = DeepImagePrior(degraded, masked(mask), settings)
                seconds = timed(dip)
                row = {"image": name, "mask": kind, "seed": seed}
                row |= {"biharmonic": psnr(control, truth)}
                row |= {"DIP": psnr(dip.result(), truth), "cpu seconds": seconds}
                rows.append(row)
                print(row)
                if by_eye:
                    columns = [truth, degraded, control, dip.result()]
                    strips.append(torch.cat(columns, 1))
    save_image(torch.cat(strips, 2), record.RESULTS / "dip_hole.png")
    return rows


def super_resolve(seeds: tuple[int, ...]) -> list[dict]:
    """Super-resolution x2, compared with bicubic with and without back-projection."""

    def run(name: str, seed: int) -> dict:
        truth = photo(name, SIZE)
        low = from_uint8(to_uint8(resize(truth, 0.5)))
        bicubic = resize(low, 2)
        control = back_project(bicubic, low, "bicubic", 2).clamp(0, 1)
        settings = DeepImagePriorSettings.standard(seed=seed)
        dip = DeepImagePrior(low, downsampled(2), settings)
        row = {
            "bicubic": psnr(bicubic.clamp(0, 1), truth),
            "bicubic + back-projection": psnr(control, truth),
            "DIP, first drawing": psnr(dip.raw(), truth),
        }
        seconds = timed(dip)
        row |= {
            "cpu seconds": seconds,
            "steps": dip.step,
            "DIP, last drawing": psnr(dip.raw(), truth),
            "DIP, moving average": psnr(dip.averaged(), truth),
            "DIP": psnr(dip.result(), truth),
        }
        return row

    return each("super_resolve", seeds, run)


def compressed(seeds: tuple[int, ...]) -> list[dict]:
    """Restore JPEGs of quality 10, and compare with total variation.

    Total variation gets the estimated noise level.
    """
    rows = []
    for name in FIVE:
        truth = photo(name, SIZE)
        blocky = jpeg(truth, 10)
        level = max(noise_level(blocky), 1 / 255)
        for seed in seeds:
            settings = DeepImagePriorSettings.standard(steps=560, seed=seed)
            dip = DeepImagePrior(blocky, settings=settings)
            row = {"image": name, "seed": seed, "cpu seconds": timed(dip)}
            row |= {"JPEG": psnr(blocky, truth)}
            row |= {"TV": psnr(tv_denoise(blocky, level), truth)}
            row |= {"DIP": psnr(dip.result(), truth), "kept step": dip.stopped_at}
            rows.append(row)
            print(row)
    return rows


SECTIONS: dict[str, Callable[[tuple[int, ...]], list[dict]]] = {
    f.__name__: f for f in (denoise, inpaint, super_resolve, compressed, authors)
}


def main(
    sections: tuple[str, ...] = tuple(SECTIONS), seeds: tuple[int, ...] = SEEDS
) -> None:
    """Measure Deep Image Prior, section by section."""
    torch.set_num_threads(1)
    for section in sections:
        start = time.perf_counter()
        commit = record.commit_of_code(SCRIPT)
        rows = SECTIONS[section](seeds)
        record.write(f"dip_{section}", rows, commit)
        for key in ("BM3D", "ZS-N2N", "biharmonic", "bicubic", "JPEG", "TV", "DIP"):
            if key in rows[0]:
                print(f"mean {key}: {mean(row[key] for row in rows):.2f} dB")
        print(f"{section}: {len(rows)} rows, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    tyro.cli(main)
