"""The command line: ``dil-teach super-resolve IN OUT``, and commands to come.

What a command needs of the library it imports itself: ``dil-teach --help`` shall not
wait for torch.
"""

import math
import os
import re
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tqdm import tqdm

OPAQUE = (".jpg", ".jpeg", ".bmp")
FORMATS = (".png", ".tif", ".tiff", ".webp", *OPAQUE)
"""Those that keep a picture as it is; others have few colours or small sizes."""
LONGEST_SIDE = {".webp": 16383, ".jpg": 65500, ".jpeg": 65500}
"""Pixels a side that a format can hold, where that is not more than memory can."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the command line where not given.

    Returns
    -------
    int
        The exit status: 0; 2 for input that cannot be used, which one line on standard
        error explains; 130 when interrupted.
    """
    try:
        with warnings.catch_warnings():
            # they are for programmers: what the user should know is raised
            warnings.simplefilter("ignore")
            tyro.extras.subcommand_cli_from_dict(
                {"super-resolve": super_resolve},
                prog="dil-teach",
                description="Deep Internal Learning: what one single image can teach.",
                args=arguments,
            )
    except (ValueError, OSError) as error:
        return _refuse(str(error))
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise  # a mistake of ours; but torch has no other way to say the rest
        return _refuse("not enough memory; take a smaller image, scale or size")
    except KeyboardInterrupt:
        return _refuse("interrupted", status=130)
    return 0


def _refuse(why: str, status: int = 2) -> int:
    print("dil-teach:", *why.split(), file=sys.stderr)  # one line, whatever it holds
    return status


def super_resolve(
    image: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="IN")],
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")],
    /,
    scale: float = 2.0,
    size: Annotated[str | None, tyro.conf.arg(metavar="HxW")] = None,
    kernel: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    noise: Annotated[float, tyro.conf.arg(metavar="SIGMA")] = 0.0,
    jpeg_quality: Annotated[int | None, tyro.conf.arg(metavar="Q")] = None,
    budget: Literal["quick", "standard", "full"] = "quick",
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Enlarge a photograph by what a small network learns from it alone (ZSSR).

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        out: The file to write: .png, .tif, .webp, or if not transparent .jpg, .bmp.
        scale: How many times higher and wider the result is, at least 1.
        size: Height and width of the result in pixels, instead of a scale.
        kernel: The blur of the camera, on the pixels of the result: .npy, .mat or a
            picture. Bicubic where not given.
        noise: Standard deviation of the photograph's noise, of 255 levels.
        jpeg_quality: Quality at which the photograph was compressed, 1 to 95.
        budget: How long to learn.
        seed: Of all that is random: the same seed gives the same result.
        device: Where to learn: cpu, cuda or mps.
    """
    begin = time.perf_counter()
    wanted_size = None if size is None else _height_and_width(size)
    _check_settings(noise, jpeg_quality, seed)

    import torch

    from dil_teach.deep.zssr import ZSSR, ZSSRSettings
    from dil_teach.image import load_image, save_image, split_alpha
    from dil_teach.kernel import load_kernel
    from dil_teach.resize import resize, scale_and_size
    from dil_teach.training import train

    colour, alpha = split_alpha(load_image(image))
    low_size = (colour.shape[-2], colour.shape[-1])
    scales, high_size = scale_and_size(
        low_size, scale if wanted_size is None else None, wanted_size
    )
    _check_output(out, image, high_size, transparent=alpha is not None)
    settings = getattr(ZSSRSettings, budget)(
        noise=noise / 255, jpeg_quality=jpeg_quality, seed=seed
    )
    _check_device(device)
    zssr = ZSSR(
        colour.to(device),
        scales,
        "bicubic" if kernel is None else load_kernel(kernel, scales),
        settings,
        wanted_size,
    )

    with tqdm(total=zssr.total_steps, unit="step", leave=False) as bar:
        for progress in train(zssr, report_every=5):
            bar.set_postfix(progress.losses, refresh=False)
            bar.update(progress.step - bar.n)
        bar.set_description("enlarging")
        result = zssr.super_resolve().cpu()
    if alpha is not None:
        result = torch.cat([result, resize(alpha, scales, high_size).clamp(0, 1)])
    save_image(result, out)
    height, width = high_size
    seconds = time.perf_counter() - begin
    print(f"{out}: {height} x {width} pixels written in {seconds:.1f} s")


def _height_and_width(size: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,9})[xX×]([0-9]{1,9})", size.strip())
    if not found:
        raise ValueError(
            f"--size: expected height x width in pixels, such as 300x400, got '{size}'"
        )
    return int(found[1]), int(found[2])


def _check_settings(noise: float, jpeg_quality: int | None, seed: int) -> None:
    if not (math.isfinite(noise) and 0 <= noise <= 255):
        raise ValueError(
            f"--noise: expected a standard deviation of 0 to 255, got {noise}; "
            "10 is a grainy photograph"
        )
    if jpeg_quality is not None and not 1 <= jpeg_quality <= 95:
        raise ValueError(f"--jpeg-quality: expected 1 to 95, got {jpeg_quality}")
    if not 0 <= seed < 2**63:
        raise ValueError(f"--seed: expected 0 to 2**63 - 1, got {seed}")


def _check_device(device: str) -> None:
    import torch

    try:
        torch.ones(1, device=device).cpu()
    except (RuntimeError, AssertionError, ImportError):
        raise ValueError(
            f"--device: expected cpu, or cuda or mps where the machine has it, got "
            f"'{device}'; leave it out to use the cpu"
        ) from None


def _check_output(
    out: Path, image: Path, size: tuple[int, int], transparent: bool
) -> None:
    """Refuse a file that could not be written: better now than after minutes."""
    suffix = out.suffix.lower()
    if out.is_dir():
        raise ValueError(f"{out}: expected a file to write, got a folder; name a file")
    if suffix not in FORMATS:
        raise ValueError(
            f"{out}: expected one of {', '.join(FORMATS)}, got '{suffix}'; "
            "name the file with one"
        )
    if transparent and suffix in OPAQUE:
        raise ValueError(
            f"{out}: {image} is transparent in places, which {suffix} cannot hold; "
            "save it as .png"
        )
    if max(size) > LONGEST_SIDE.get(suffix, max(size)):
        raise ValueError(
            f"{out}: {suffix} holds at most {LONGEST_SIDE[suffix]} pixels a side, got "
            f"{size[0]} x {size[1]}; save it as .png"
        )
    if not out.parent.is_dir():
        raise FileNotFoundError(f"{out.parent}: no such folder; make it first")
    if out.exists() and not (out.is_file() and os.access(out, os.W_OK)):
        raise OSError(f"{out}: may not be written over; name another file")
    if out.exists() and out.samefile(image):
        raise ValueError(f"{out}: would replace the photograph; name another file")
    beside = out.with_name(f".{out.name}.{os.getpid()}.part")  # as save_image does
    try:
        beside.touch()
        beside.unlink()
    except OSError as error:
        raise OSError(
            f"{out}: cannot be written ({error.strerror}); "
            "choose a folder that you may write to"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
