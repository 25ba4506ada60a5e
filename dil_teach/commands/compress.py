"""dil-teach compress and decompress: fractal compression."""

from pathlib import Path
from typing import Annotated

import tyro

from dil_teach.commands.checks import (
    check_apart,
    check_output,
    check_pixels,
    check_place,
)
from dil_teach.commands.estimate import expect
from dil_teach.commands.files import load_picture, save_picture, write
from dil_teach.commands.options import In, Out, Read

MOST_PIXELS = 2_000_000
"""Maximum number of pixels to compress. Colour takes 21 CPU s for 512 x 512 pixels, so
about three minutes for this number."""
Frac = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT.frac")]
FracIn = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="IN.frac")]


def compress(image: In, out: Frac, /, reading: Read, quality: int = 50) -> str:
    """Compress a photograph with its own blocks, shrunk: fractal compression.

    The last line says how many bits each pixel needs, and the PSNR of the decompressed
    photograph. The time grows with the number of pixels: a few seconds for 256 x 256
    pixels, and a minute and a half for 1000 x 1000 in colour.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour, without
            transparency.
        out: The file to write: .frac.
        quality: 0 (small file) to 100 (small errors).
    """
    check_place(out, (".frac",))
    if not 0 <= quality <= 100:
        raise ValueError(f"--quality: expected 0 to 100, got {quality}; try 50")

    from dil_teach.classical.fractal.frac_file import frac_bytes
    from dil_teach.classical.fractal.fractal import (
        FractalSettings,
        fractal_decode,
        fractal_encode,
    )
    from dil_teach.image.metrics import psnr

    photograph = load_picture(image, reading)
    colour = photograph.colour
    if photograph.alpha is not None:
        raise ValueError(
            f"{out}: {image} is transparent in places, which .frac cannot hold; save "
            "it without transparency first"
        )
    check_apart([out], image)
    height, width = colour.shape[1:]
    check_pixels(image, (height, width), most=MOST_PIXELS)
    expect("compress", image, (height, width), float(colour.numel()))
    code = fractal_encode(colour, FractalSettings(quality=quality))
    content = frac_bytes(code)
    rate = 8 * len(content) / (height * width)
    error = psnr(fractal_decode(code), colour)
    about = f"{rate:.2f} bits per pixel, PSNR {error:.1f} dB"
    what = f"{height} x {width} pixels in {len(content)} bytes, {about}, written"
    return write({out: content}, what)


def decompress(file: FracIn, out: Out, /, scale: int = 1) -> str:
    """Decompress a .frac file, at its own size or enlarged: the fractal zoom.

    Args:
        file: A file that dil-teach compress wrote.
        out: The picture to write, with 8 bits per channel: .png, .tif, .webp, .jpg,
            .bmp.
        scale: How many times higher and wider the result is: 1, 2, 3, ...
    """
    if scale < 1:
        raise ValueError(f"--scale: expected at least 1, got {scale}; try 2")

    from dil_teach.classical.fractal.frac_file import load_frac
    from dil_teach.classical.fractal.fractal import MOST_PIXELS as MOST_DECODED
    from dil_teach.classical.fractal.fractal import fractal_decode

    code = load_frac(file)
    height, width = code.size
    if height * width * scale**2 > MOST_DECODED:
        raise ValueError(
            f"--scale: expected a result of at most {MOST_DECODED} pixels, got "
            f"{height * scale} x {width * scale}; take a smaller scale"
        )
    check_output(out, file, (height * scale, width * scale))
    expect("decompress", file, (height * scale, width * scale))
    return save_picture(fractal_decode(code, scale), None, out)
