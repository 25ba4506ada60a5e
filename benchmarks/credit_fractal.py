"""Who did the work in chapter 06: the fractal code, and super-resolution by patches.

    python benchmarks/credit_fractal.py

Writes ``benchmarks/results/credit_fractal.json`` and
``credit_patch_super_resolution.json`` from the records of ``fractal.py`` and
``patch_super_resolution.py``. It measures only two more things: JPEG without the bytes
of its header, and the fractal zoom of the same seven photographs.
"""

import io
from statistics import mean

import numpy as np
import record
from credit_patches import NO_NETWORK, row, write
from fractal import JPEG_QUALITIES, at_rate, eight_bit, grey
from PIL import Image as Picture

from dil_teach import (
    FractalSettings,
    fractal_decode,
    fractal_encode,
    psnr,
    psnr_y,
    resize,
)
from dil_teach.image.convention import Image, from_uint8, to_uint8

RATE = 0.4
"""Bits per pixel at which the coders are compared."""


def jpeg_without_header(image: Image, quality: int) -> tuple[float, float]:
    """Bits per pixel of the scan alone, without tables and header, and the PSNR."""
    file = io.BytesIO()
    Picture.fromarray(to_uint8(image)).save(
        file, "JPEG", quality=quality, optimize=True
    )
    content = file.getvalue()
    start = content.index(b"\xff\xda")  # start of scan
    scan = len(content) - start - 2 - int.from_bytes(content[start + 2 : start + 4])
    decoded = from_uint8(np.array(Picture.open(file)))
    return 8 * scan / image[0].numel(), psnr(decoded, image)


def fractal() -> None:
    """Chapter 06: the fractal code and JPEG."""
    known = record.read("fractal_rates")
    bare = []
    for r in known:
        image = grey(r["image"])
        curve = [jpeg_without_header(image, quality) for quality in JPEG_QUALITIES]
        bare.append(at_rate(curve, RATE))
    rows = [
        row(
            "baseline",
            "plain blocks of 1992, 0.39 bits per pixel",
            mean(r["plain blocks, PSNR"] for r in known),
        ),
        row(
            "baseline",
            "fixed blocks, coder of the quadtree, 0.32 bits per pixel",
            mean(r["fixed blocks, quality 50, PSNR"] for r in known),
        ),
    ]
    rows += [
        row(
            "baseline",
            f"JPEG, {RATE} bits per pixel",
            mean(r[f"JPEG at {RATE} bpp"] for r in known),
        ),
        row(
            "baseline",
            f"JPEG, header and tables not counted, {RATE} bits per pixel",
            mean(bare),
        ),
        row(
            "final",
            f"quadtree, {RATE} bits per pixel",
            mean(r[f"quadtree at {RATE} bpp"] for r in known),
        ),
    ]
    write(
        "fractal",
        rows,
        result="the decoded photograph",
        measure="PSNR over all pixels, dB",
        better="higher",
        where=f"{len(known)} photographs of 256 pixels, grey",
        missing={
            "input": "the input is the truth itself",
            "initialisation": "the decoder may start from any picture",
            "network": NO_NETWORK,
            "oracle": "the encoder sees the truth; nothing else is known",
        },
    )


def patch_super_resolution() -> None:
    """Chapter 06: seven photographs at twice the size, bicubic downscaling."""
    known = [
        r for r in record.read("patch_super_resolution_photographs") if not r["blurred"]
    ]
    zoomed = []
    for r in known:
        truth = grey(r["image"])
        code = fractal_encode(eight_bit(resize(truth, 0.5)), FractalSettings(100))
        zoomed.append(psnr_y(eight_bit(fractal_decode(code, scale=2)), truth, 2))
    names = {
        "bicubic interpolation": "initialisation",
        "back-projection": "baseline",
        "Glasner, neither": "baseline",
        "Glasner, within": "final",
        "Freedman-Fattal": "final",
        "Glasner": "final",
    }
    rows = [row("baseline", "fractal zoom", mean(zoomed))]
    rows += [
        row(role, name, mean(r[name] for r in known)) for name, role in names.items()
    ]
    rows.insert(0, rows.pop(1))
    write(
        "patch_super_resolution",
        rows,
        result="super-resolution by 2",
        measure="PSNR of the luma without a border of 2 pixels, dB",
        better="higher",
        where="seven photographs of 256 pixels, bicubic downscaling",
        missing={
            "input": "the input has another size; bicubic interpolation enlarges it",
            "network": "none here; chapter 09 trains one",
            "oracle": "nothing is chosen with the truth",
        },
    )


if __name__ == "__main__":
    fractal()
    patch_super_resolution()
