"""Compare fractal compression with JPEG and fixed blocks, and its zoom with ZSSR.

``python benchmarks/fractal.py`` measures thirteen photographs of the course, at
256 x 256 pixels in grey, rounded to eight bits. ``THREE`` are the first three
photographs of ``data/photos.json``; the constants of the method were chosen on camera,
china, flower and clock. Rates count all bytes of a file, with its header. Times are CPU
seconds of one thread.

Fixed blocks of 8 x 8 pixels have one rate. The quadtree is compared with three coders
of fixed blocks, each time at the rate of the fixed blocks, between two qualities of the
quadtree:

- 'plain blocks' are coded as in 1992: 10 bits for one of 961 domains, 3 for the
  isometry, 5 for the contrast and 7 for the brightness, without entropy coding;
- 'fixed blocks' are the same encoder and file as the quadtree with other sides, at
  quality 100, the most bits that they can use;
- 'fixed blocks, quality 50' have the least bits with almost the same PSNR.

A rate above that of the largest file counts as the rate of the largest file. JPEG is
Pillow's, with optimised Huffman tables.
"""

import io
import time
from statistics import mean

import numpy as np
import record
import torch
import tyro
from jaxtyping import Float
from PIL import Image as Picture
from torch import Tensor

from dil_teach import (
    ZSSR,
    FractalSettings,
    fit,
    fractal_decode,
    fractal_encode,
    photo,
    psnr,
    psnr_y,
    resize,
)
from dil_teach.classical.fractal import fractal, quadtree
from dil_teach.classical.fractal.domains import (
    Plane,
    apply_isometry,
    cut_blocks,
    halved,
)
from dil_teach.classical.fractal.frac_file import frac_bytes
from dil_teach.image.convention import Image, from_uint8, to_uint8
from dil_teach.patches.extract import extract_patches

SIDE = 256
THREE = ("astronaut", "chelsea", "coffee")
NAMES = (
    *("astronaut", "chelsea", "coffee", "china", "flower", "hubble", "retina"),
    *("camera", "coins", "brick", "grass", "gravel", "clock"),
)
QUALITIES = range(0, 101, 5)
JPEG_QUALITIES = range(1, 96, 2)
RATE = 0.8
"""Bits per pixel at which the methods are compared."""

Curve = list[tuple[float, float]]
"""Bits per pixel and PSNR, from small to large files."""


def eight_bit(image: Image) -> Image:
    return from_uint8(to_uint8(image))


def grey(name: str) -> Image:
    image = photo(name, SIDE)
    if len(image) == 3:
        image = torch.einsum("i,ihw->hw", fractal.TO_YCBCR[0], image)[None]
    return eight_bit(image)


def remember_searches() -> None:
    """Search each set of blocks once: the best domains do not depend on the quality."""
    search, known = quadtree.best_domains, {}

    def remembered(blocks, corner, half):
        key = blocks.shape, blocks.numpy().tobytes()
        if key not in known:
            known[key] = search(blocks, corner, half)
        return known[key]

    quadtree.best_domains = remembered


def coded(image: Image, quality: int, sides=(16, 8, 4)) -> tuple[float, float]:
    """Bits per pixel and PSNR of one file."""
    code = fractal_encode(image, FractalSettings(quality, sides))
    rate = 8 * len(frac_bytes(code)) / image[0].numel()
    return rate, psnr(eight_bit(fractal_decode(code)), image)


def plain_blocks(image: Image) -> tuple[float, float]:
    """Bits per pixel and PSNR of fixed blocks with 25 bits each.

    The domains lie eight pixels apart. The brightness of a contrast s is between the
    darkest and the brightest value that a pixel between 0 and 255 allows.
    """
    plane = 255 * image[0]
    blocks = cut_blocks(plane, 8).flatten(1)

    def codebook(plane: Plane) -> Float[Tensor, "domains 64"]:
        """All domains in all isometries."""
        found = extract_patches(halved(plane)[None], 8, 4).view(-1, 8, 8)
        return torch.cat([apply_isometry(found, n) for n in range(8)]).flatten(1)

    domains = codebook(plane)
    ranges = blocks - blocks.mean(1, keepdim=True)
    centred = domains - domains.mean(1, keepdim=True)
    products, energy = ranges @ centred.T, centred.square().sum(1)
    contrast = (16 * products / energy.clamp_min(1e-6)).round().clamp(-15, 15) / 16
    errors = contrast**2 * energy - 2 * contrast * products
    which = errors.argmin(1)
    contrast = contrast.gather(1, which[:, None])
    low, wide = -255 * contrast.clamp_min(0), 255 * (1 + contrast.abs())
    wanted = blocks.mean(1, keepdim=True) - contrast * domains[which].mean(1)[:, None]
    brightness = low + ((wanted - low) / wide * 127).round().clamp(0, 127) * wide / 127
    decoded, rows = torch.full_like(plane, 127.5), plane.shape[0] // 8
    for _ in range(100):
        made = contrast * codebook(decoded)[which] + brightness
        decoded = made.view(rows, -1, 8, 8).transpose(1, 2).reshape(plane.shape)
    rate = (10 + 3 + 5 + 7) * len(blocks) / plane.numel()
    return rate, psnr(eight_bit(decoded.clamp(0, 255)[None] / 255), image)


def jpeg(image: Image, quality: int) -> tuple[float, float]:
    """Bits per pixel and PSNR of one file."""
    file = io.BytesIO()
    picture = Picture.fromarray(to_uint8(image))
    picture.save(file, "JPEG", quality=quality, optimize=True)
    rate = 8 * len(file.getvalue()) / image[0].numel()
    return rate, psnr(from_uint8(np.array(Picture.open(file))), image)


def at_rate(curve: Curve, rate: float) -> float:
    """PSNR at a rate, interpolated between the logarithms of two rates."""
    rates, values = np.array(sorted(curve)).T
    return float(np.interp(np.log(rate), np.log(rates), values))


def rates() -> list[dict]:
    """Rate and PSNR of the quadtree, of fixed blocks and of JPEG."""
    remember_searches()
    rows = []
    for name in NAMES:
        image = grey(name)
        tree = [coded(image, quality) for quality in QUALITIES]
        fixed = {
            "plain blocks": plain_blocks(image),
            "fixed blocks": coded(image, 100, sides=(8,)),
            "fixed blocks, quality 50": coded(image, 50, sides=(8,)),
        }
        jpegs = [jpeg(image, quality) for quality in JPEG_QUALITIES]
        small = [pair for pair in tree if pair[0] <= RATE]
        within = max(small) if small else (0.0, 0.0)
        rows.append(
            {
                "image": name,
                "largest file within 0.8 bpp, bpp": within[0],
                "its PSNR": within[1],
                **{f"{who}, bpp": rate for who, (rate, _) in fixed.items()},
                **{f"{who}, PSNR": value for who, (_, value) in fixed.items()},
                **{
                    f"gain over {who} at their rate": at_rate(tree, rate) - value
                    for who, (rate, value) in fixed.items()
                },
                **{
                    f"{method} at {rate} bpp": at_rate(curve, rate)
                    for rate in (0.25, 0.4, RATE, 1.2)
                    for method, curve in (("quadtree", tree), ("JPEG", jpegs))
                },
                "quadtree": tree,
                "JPEG": jpegs,
            }
        )
        shown = {k: v for k, v in rows[-1].items() if not isinstance(v, list)}
        print(shown, flush=True)
    for about, names in (("three", THREE), ("all", NAMES)):
        chosen = [row for row in rows if row["image"] in names]
        print(f"mean of {about} photographs")
        for key in shown:
            if key != "image":
                print(f"  {key}: {mean(row[key] for row in chosen):.2f}")
        for rate in (0.25, 0.4, RATE, 1.2):
            lead = [
                r[f"quadtree at {rate} bpp"] - r[f"JPEG at {rate} bpp"] for r in chosen
            ]
            who = "JPEG is better" if mean(lead) < 0 else "the quadtree is better"
            print(
                f"  at {rate} bpp, {who} by {abs(mean(lead)):.2f} dB on average, and "
                f"JPEG is better on {sum(d < 0 for d in lead)} of {len(lead)}"
            )
    return rows


def times() -> list[dict]:
    """CPU seconds of the encoder and the decoder, the smallest of three runs."""
    rows = []
    for name in THREE:
        image, seconds = grey(name), []
        for _ in range(3):
            start = time.process_time()
            code = fractal_encode(image)
            middle = time.process_time()
            fractal_decode(code)
            seconds.append((middle - start, time.process_time() - middle))
        encode, decode = map(min, zip(*seconds, strict=True))
        rows.append({"image": name, "encode, CPU s": encode, "decode, CPU s": decode})
        print(rows[-1], flush=True)
    return rows


def zooms() -> list[dict]:
    """PSNR of images halved by bicubic resizing and enlarged by 2."""
    rows = []
    for name in THREE:
        high = grey(name)
        low = eight_bit(resize(high, 0.5))
        code = fractal_encode(low, FractalSettings(100))
        results = {
            "fractal zoom": fractal_decode(code, scale=2),
            "bicubic": resize(low, 2),
            "ZSSR, quick": fit(ZSSR(low)).super_resolve(),
        }
        figures = {k: psnr_y(eight_bit(v), high, 2) for k, v in results.items()}
        same_size = psnr(eight_bit(fractal_decode(code)), low)
        rows.append({"image": name, **figures, "decoded at its own size": same_size})
        print(rows[-1], flush=True)
    for other in ("bicubic", "ZSSR, quick"):
        lead = mean(row["fractal zoom"] - row[other] for row in rows)
        print(f"the fractal zoom is {lead:+.2f} dB against {other} on average")
    return rows


SECTIONS = {"times": times, "zooms": zooms, "rates": rates}
"""`rates` is the last section, because it remembers searches, which spoils times."""


def measure(sections: tuple[str, ...] = tuple(SECTIONS)) -> None:
    """Measure the sections, and write ``benchmarks/results/fractal_<section>.json``."""
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/fractal.py")
    for name, section in SECTIONS.items():
        if name in sections:
            record.write(f"fractal_{name}", section(), commit)


if __name__ == "__main__":
    tyro.cli(measure)
