"""The command line: super-resolve, recurrence and lesson.

What a command needs of the library it imports itself: ``dil-teach --help`` shall not
wait for torch.
"""

import importlib.util
import io
import json
import math
import os
import re
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tqdm import tqdm

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray

OPAQUE = (".jpg", ".jpeg", ".bmp")
FORMATS = (".png", ".tif", ".tiff", ".webp", *OPAQUE)
"""Those that keep a picture as it is; others have few colours or small sizes."""
LONGEST_SIDE = {".webp": 16383, ".jpg": 65500, ".jpeg": 65500}
"""Pixels a side that a format can hold, where that is not more than memory can."""
MOST_PIXELS = 300_000
"""Whose patches `recurrence` looks for: two minutes, and 3 GB of memory."""


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
                {
                    "super-resolve": super_resolve,
                    "recurrence": recurrence,
                    "lesson": lesson,
                },
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


def recurrence(
    image: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="IN")],
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")],
    /,
    scale: float = 1.0,
    patch_size: int = 5,
    max_side: int | None = None,
) -> None:
    """Map where the patches of a photograph recur in it, at its own or another scale.

    A pixel of the map stands for the patch whose top left corner it is. Its grey is
    255 x matches / 16, rounded: black recurs nowhere, white 16 times or more. Figures
    go beside it, as JSON. Transparency is left out of account.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        out: The map to write, a .png; the figures get the same name with .json.
        scale: Where to look: 1 in the photograph itself, 0.5 in it at half the size.
        patch_size: Pixels a side of a patch.
        max_side: Make the photograph smaller first, to this many pixels a side.
    """
    begin = time.perf_counter()
    figures_out = out.with_suffix(".json")
    _check_place(out, (".png",))
    _check_place(figures_out, (".json",))

    import dil_teach
    from dil_teach.image import load_image, split_alpha
    from dil_teach.recurrence import LEAST, MOST, SCALES, detailed, recurrence_map
    from dil_teach.resize import resize

    colour, alpha = split_alpha(load_image(image))
    if out.exists() and out.samefile(image):
        raise ValueError(f"{out}: would replace the photograph; name another file")
    height, width = file_size = (colour.shape[-2], colour.shape[-1])
    if max_side is not None:
        if max_side < 1:
            raise ValueError(f"--max-side: expected at least 1 pixel, got {max_side}")
        if max_side < max(height, width):
            smaller = max_side / max(height, width)
            height, width = (max(1, round(side * smaller)) for side in (height, width))
            colour = resize(colour, size=(height, width)).clamp(0, 1)
    if height * width > MOST_PIXELS:
        side = int(max(height, width) * math.sqrt(MOST_PIXELS / height / width))
        raise ValueError(
            f"{image}: expected at most {MOST_PIXELS} pixels, got {height} x {width}; "
            f"cut a part out, or make it smaller with --max-side {side}"
        )
    maps = {}
    for each in tqdm(dict.fromkeys((scale, *SCALES)), "scales", leave=False):
        maps[each] = recurrence_map(colour, patch_size, each)
    counts = maps[scale]
    # the mean that `recurrence_score` takes, of maps that are here already
    shares = [(maps[each] >= 1).double().mean().item() for each in SCALES]
    detail = detailed(colour, patch_size)
    parts = {"all": counts, "smooth": counts[~detail], "detailed": counts[detail]}
    figures = {
        "image": image.name,
        "file_height": file_size[0],
        "file_width": file_size[1],
        "height": height,
        "width": width,
        "transparency": "none" if alpha is None else "left out of account",
        "patch_size": patch_size,
        "scale": scale,
        "grey": f"255 x good matches / {MOST}, rounded",
        "patches": counts.numel(),
        "detailed": "the quarter of most contrast",
        **{
            f"percent_with_at_least_{least}": {
                part: round(100 * (some >= least).double().mean().item(), 2)
                for part, some in parts.items()
            }
            for least in (1, LEAST)
        },
        "recurrence_score": round(sum(shares) / len(shares), 4),
        "dil_teach": dil_teach.__version__,
    }
    text = json.dumps(figures, indent=2, ensure_ascii=False) + "\n"
    grey = (counts.double() * 255 / MOST).round().byte()
    _write({out: _png(grey.numpy()), figures_out: text.encode()})
    seconds = time.perf_counter() - begin
    print(f"{out}, {figures_out}: {counts.numel()} patches in {seconds:.1f} s")


def lesson(
    chapter: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="CHAPTER")],
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")],
    /,
    budget: Literal["quick", "standard", "full"] = "quick",
) -> None:
    """Run a chapter from its first cell to its last, and keep it as one HTML page.

    Its pictures and styles are inside the page. The one thing fetched when it is read
    is MathJax, which sets formulas; without it they are read as TeX.

    Args:
        chapter: Its number or name, such as 01 or 01_patch_recurrence.
        out: The page to write: .html.
        budget: How long the chapter may compute.
    """
    begin = time.perf_counter()
    _check_place(out, (".html", ".htm"))
    for tool in ("ipykernel", "nbclient", "nbconvert"):
        if importlib.util.find_spec(tool) is None:
            raise ValueError(
                f"lesson: needs {tool}, which comes with JupyterLab; pip install "
                "jupyterlab"
            )

    from dil_teach.course.lesson import find_chapter, learner_chapter, page, run_cells

    name = find_chapter(chapter)
    notebook = learner_chapter(name, budget)
    cells = run_cells(notebook, name)
    total = len(notebook.cells)
    for _ in tqdm(cells, name, total, leave=False, unit="cell", mininterval=0):
        pass
    _write({out: page(notebook).encode()})
    seconds = time.perf_counter() - begin
    print(f"{out}: {name} at {budget}, run and written in {seconds:.1f} s")


def _png(grey: "NDArray[uint8]") -> bytes:
    from PIL import Image as Picture

    held = io.BytesIO()
    Picture.fromarray(grey).save(held, format="PNG")
    return held.getvalue()


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
    """Refuse a picture that could not be written: better now than after minutes."""
    suffix = out.suffix.lower()
    _check_place(out, FORMATS)
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
    if out.exists() and out.samefile(image):
        raise ValueError(f"{out}: would replace the photograph; name another file")


def _check_place(out: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse a file that could not be written, whatever it holds."""
    suffix = out.suffix.lower()
    if out.is_dir():
        raise ValueError(f"{out}: expected a file to write, got a folder; name a file")
    if suffix not in suffixes:
        wanted = f"one of {', '.join(suffixes)}" if suffixes[1:] else suffixes[0]
        raise ValueError(
            f"{out}: expected {wanted}, got '{suffix}'; name the file with "
            f"{'one' if suffixes[1:] else 'it'}"
        )
    if not out.parent.is_dir():
        raise FileNotFoundError(f"{out.parent}: no such folder; make it first")
    if out.exists() and not (out.is_file() and os.access(out, os.W_OK)):
        raise OSError(f"{out}: may not be written over; name another file")
    try:
        _beside(out).touch()
        _beside(out).unlink()
    except OSError as error:
        raise OSError(
            f"{out}: cannot be written ({error.strerror}); "
            "choose a folder that you may write to"
        ) from None


def _beside(out: Path) -> Path:
    return out.with_name(f".{out.name}.{os.getpid()}.part")  # as save_image does


def _write(files: dict[Path, bytes]) -> None:
    """Write all of the files or, where one of them cannot be, none."""
    try:
        for out, content in files.items():
            _beside(out).write_bytes(content)
        for out in files:
            os.replace(_beside(out), out)
    finally:
        for out in files:
            _beside(out).unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
