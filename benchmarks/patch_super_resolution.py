"""Measure super-resolution by the patches of the image: Glasner, Freedman and Fattal.

The constraints of Glasner et al. are measured together, one by one, and without both.

    python benchmarks/patch_super_resolution.py                   # all sections
    python benchmarks/patch_super_resolution.py --sections set5   # one section

Each section writes ``benchmarks/results/patch_super_resolution_<section>.json``. All
figures are the PSNR of luma in dB, without a border of as many pixels as the scale.
Times are CPU seconds of the process, on one thread. Set5 is read from the folder that
``DIL_TEACH_DATASETS`` names. Settings were chosen on astronaut and on four pictures of
T91; none is used here.
"""

import time
from collections.abc import Callable
from statistics import mean

import record
import torch
import tyro

from dil_teach import (
    blur_and_subsample,
    photo,
    psnr_y,
    resize,
    super_resolve_by_local_examples,
    super_resolve_by_recurrence,
)
from dil_teach.classical.back_projection import back_project
from dil_teach.image.convention import Image, from_uint8, to_uint8
from dil_teach.image.kernel import gaussian_kernel, random_kernel
from dil_teach.image.photos import benchmark_pairs

PHOTOGRAPHS = ("chelsea", "coffee", "china", "facade", "camera", "coins", "brick")


def eight_bit(image: Image) -> Image:
    return from_uint8(to_uint8(image))


def measure(truth: Image, low: Image, scale: int, kernel="bicubic") -> dict:
    """The PSNR of each method, and its CPU seconds."""

    def recurrence(**toggles: bool) -> Callable[[], Image]:
        return lambda: super_resolve_by_recurrence(low, scale, kernel, **toggles)

    interpolated = resize(low, scale)
    methods: dict[str, Callable[[], Image]] = {
        "bicubic interpolation": lambda: interpolated,
        "back-projection": lambda: back_project(interpolated, low, kernel, scale),
        "Glasner, neither": recurrence(within=False, across=False),
        "Glasner, within": recurrence(across=False),
        "Glasner, across": recurrence(within=False),
        "Glasner": recurrence(),
    }
    if kernel == "bicubic":
        methods["Freedman-Fattal"] = lambda: super_resolve_by_local_examples(low, scale)
    row: dict = {}
    for name, method in methods.items():
        start = time.process_time()
        result = method()
        row[f"{name}, CPU s"] = time.process_time() - start
        row[name] = psnr_y(eight_bit(result.clamp(0, 1)), truth, scale)
    return row


def set5() -> list[dict]:
    """Set5 at x2, x3 and x4."""
    rows = []
    for scale in (2, 3, 4):
        for name, truth, low in benchmark_pairs("Set5", scale):
            rows.append({"image": name, "scale": scale} | measure(truth, low, scale))
            print(rows[-1], flush=True)
    return rows


def photographs() -> list[dict]:
    """Bundled photographs of 256 x 256 pixels at x2, with two downscaling kernels."""
    rows = []
    for number, name in enumerate(PHOTOGRAPHS):
        truth = eight_bit(photo(name, 256))
        for kernel in ("bicubic", random_kernel(number)):
            low = resize(truth, 0.5, exact_uint8=True)
            if not isinstance(kernel, str):
                low = eight_bit(blur_and_subsample(truth, kernel, 2).clamp(0, 1))
            row = {"image": name, "blurred": not isinstance(kernel, str)}
            rows.append(row | measure(truth, low, 2, kernel))
            print(rows[-1], flush=True)
    return rows


def sharp() -> list[dict]:
    """Four photographs of 160 pixels in grey, by a camera that hardly blurs.

    Its Gaussian has a standard deviation of 0.35 pixels of the large picture, so the
    small picture is aliased, and similar patches could show what lies between pixels.
    """
    kernel, rows = gaussian_kernel((0.35, 0.35), size=5), []
    for name in ("brick", "coins", "facade", "coffee"):
        truth = eight_bit(photo(name, 160).mean(0, keepdim=True))
        low = eight_bit(blur_and_subsample(truth, kernel, 2).clamp(0, 1))
        rows.append({"image": name, "sharp": True} | measure(truth, low, 2, kernel))
        print(rows[-1], flush=True)
    return rows


SECTIONS = {"set5": set5, "photographs": photographs, "sharp": sharp}


def main(sections: tuple[str, ...] = tuple(SECTIONS)) -> None:
    """Measure section by section; each writes its record at once."""
    torch.set_num_threads(1)
    for section in sections:
        commit = record.commit_of_code("benchmarks/patch_super_resolution.py")
        rows = SECTIONS[section]()
        group = {"set5": "scale", "photographs": "blurred"}.get(section, section)
        means = {
            f"{group} {value}": {
                key: mean(row[key] for row in rows if row[group] == value)
                for key in rows[0]
                if isinstance(rows[0][key], float)
                and all(key in row for row in rows if row[group] == value)
            }
            for value in sorted({row[group] for row in rows})
        }
        record.write(f"patch_super_resolution_{section}", rows, commit, mean=means)


if __name__ == "__main__":
    tyro.cli(main)
