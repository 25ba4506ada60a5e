"""Measure quality and cost of ZSSR, bicubic and back-projection.

    python benchmarks/zssr.py                          # all sections: two hours
    python benchmarks/zssr.py --sections cost kernels  # two sections
    python benchmarks/zssr.py --sections readme        # only write the README's table

Each section writes all values and the name of the machine to
``benchmarks/results/zssr_<section>.json``. Times are CPU seconds of the process, on one
thread. Set5 is read from the folder that ``DIL_TEACH_DATASETS`` names; nothing was
tuned on Set5.
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import record
import torch
import tyro
from matplotlib.figure import Figure

from dil_teach import (
    ZSSR,
    ZSSRSettings,
    blur_and_subsample,
    fit,
    photo,
    photos,
    psnr_y,
    resize,
    resume,
    save,
    ssim,
    train,
)
from dil_teach.classical.back_projection import back_project
from dil_teach.deep.zssr.comparison import compare
from dil_teach.image.augment import add_noise, jpeg
from dil_teach.image.convention import Image, from_uint8, to_uint8
from dil_teach.image.kernel import random_kernel
from dil_teach.image.metrics import luma
from dil_teach.image.photos import benchmark_pairs
from dil_teach.training.precision import autocast

README = Path(__file__).parent.parent / "README.md"
SEEDS = (0, 1, 2)
FIVE = ("astronaut", "chelsea", "coffee", "china", "flower")
"""Photographs for the section on blur kernels. Settings were chosen on astronaut,
coffee, flower and facade. The photographs `china` and `camera` are difficult for a
plain network, and `chelsea` is difficult for back-projection."""


def eight_bit(image: Image) -> Image:
    return from_uint8(to_uint8(image))


def high_resolution(name: str) -> Image:
    return eight_bit(photo(name, 256))


def measure(
    high: Image, low: Image, scale: int, kernel="bicubic", **settings
) -> dict[str, float]:
    """Measure PSNR on Y of each version, SSIM on Y of the last one, and CPU seconds."""
    budget = getattr(ZSSRSettings, settings.pop("budget", "quick"))
    start = time.process_time()
    zssr = fit(ZSSR(low, scale, kernel, budget(**settings)))
    zssr.super_resolve()
    seconds = time.process_time() - start
    results = {name: eight_bit(image) for name, image in compare(zssr).items()}
    figures = {name: psnr_y(image, high, scale) for name, image in results.items()}
    inside = (..., slice(scale, -scale), slice(scale, -scale))
    similarity = ssim(luma(results["final"])[inside], luma(high)[inside])
    return {**figures, "ssim": similarity, "cpu seconds": seconds}


def set5(scale: int, budgets: tuple[str, ...]) -> list[dict]:
    return [
        {"budget": budget, "seed": seed, "image": name, "scale": scale}
        | measure(high, low, scale, budget=budget, seed=seed)
        for budget in budgets
        for seed in SEEDS
        for name, high, low in benchmark_pairs("Set5", scale)
    ]


def set5_quick() -> list[dict]:
    """Set5 x2 at `quick`, three seeds."""
    return set5(2, ("quick",))


def set5_standard() -> list[dict]:
    """Set5 x2 at `standard`, three seeds."""
    return set5(2, ("standard",))


def set5_full() -> list[dict]:
    """Set5 x2 at `full`, three seeds."""
    return set5(2, ("full",))


def set5_larger() -> list[dict]:
    """Set5 x3 and x4 at `quick`, three seeds."""
    return set5(3, ("quick",)) + set5(4, ("quick",))


def single_jump() -> list[dict]:
    """Set5 x2 at `quick` without intermediate scales, to measure their effect."""
    return [
        {"gradual": gradual, "seed": 0, "image": name}
        | measure(high, low, 2, gradual=gradual)
        for gradual in (1, ZSSRSettings.quick().gradual)
        for name, high, low in benchmark_pairs("Set5", 2)
    ]


def cost() -> list[dict]:
    """CPU seconds for a 128 x 128 image, with and without bfloat16."""
    high = high_resolution("astronaut")
    low = resize(high, 0.5, exact_uint8=True)
    return [
        {"budget": budget, "bf16": bf16}
        | measure(high, low, 2, budget=budget, bf16=bf16)
        for budget in ("quick", "standard", "full")
        for bf16 in (True, False)
    ]


def kernels() -> list[dict]:
    """Blur with 13 x 13 Gaussian kernels; restore with the true kernel or bicubic."""
    rows = []
    for seed in range(6):
        kernel = random_kernel(seed)
        for name in FIVE:
            high = high_resolution(name)
            low = eight_bit(blur_and_subsample(high, kernel, 2).clamp(0, 1))
            rows.append(
                {
                    "kernel seed": seed,
                    "image": name,
                    "true kernel": measure(high, low, 2, kernel),
                    "assumed bicubic": measure(high, low, 2),
                }
            )
    return rows


def spoilt() -> list[dict]:
    """Noise of sigma 10, and JPEG of quality 50: all bundled photographs at `quick`."""
    rows = []
    for name in photos():
        high = high_resolution(name)
        low = resize(high, 0.5, exact_uint8=True)
        rng = torch.Generator().manual_seed(0)
        noisy = eight_bit(add_noise(low, 10 / 255, rng).clamp(0, 1))
        row = {"image": name, "noise 10": measure(high, noisy, 2, noise=10 / 255)}
        rows.append(row | {"jpeg 50": measure(high, jpeg(low, 50), 2, jpeg_quality=50)})
    return rows


def clean() -> list[dict]:
    """Compare the network's own output with bicubic, x2, `quick`: all photographs."""
    rows = []
    for name in photos():
        high = high_resolution(name)
        low = resize(high, 0.5, exact_uint8=True)
        rows.append({"image": name} | measure(high, low, 2))
    return rows


def rounds() -> list[dict]:
    """Find the best number of back-projection rounds for baseline and network."""
    rows = []
    for name in ("chelsea", "facade", "coffee", "flower"):
        high = high_resolution(name)
        for kernel in ("bicubic", random_kernel(1)):
            low = eight_bit(blur_and_subsample(high, kernel, 2).clamp(0, 1))
            results = compare(fit(ZSSR(low, 2, kernel)))
            row: dict = {"image": name, "blurred": not isinstance(kernel, str)}
            for start in ("bicubic", "ensemble"):
                for n in (0, 1, 3, 10, 20, 40):
                    made = back_project(results[start], low, kernel, 2, n)
                    row[f"{start}, {n} rounds"] = psnr_y(eight_bit(made), high, 2)
            rows.append(row)
    return rows


def determinism() -> list[dict]:
    """Whether two runs and a resumed run agree bit for bit."""
    low = resize(high_resolution("coffee"), 0.5, exact_uint8=True)
    whole = fit(ZSSR(low)).super_resolve()
    twice = fit(ZSSR(low)).super_resolve()
    rows = [{"what": "two runs", "same bits": torch.equal(whole, twice)}]
    path = record.RESULTS / "stopped.safetensors"
    for stop in (1, 137, 250, 499):
        zssr = ZSSR(low)
        next(train(zssr, report_every=stop))
        save(zssr, path)
        resumed = fit(resume(path, low)).super_resolve()
        same = torch.equal(whole, resumed)
        rows.append({"what": f"stopped after step {stop}", "same bits": same})
    path.unlink()
    return rows


def settings() -> dict:
    """The fields of a record that describe the settings and the precision."""
    bf16 = torch.get_autocast_dtype("cpu") == torch.bfloat16
    return {
        "bfloat16": bf16 and autocast(torch.device("cpu"))._enabled,
        "settings": {
            budget: dataclasses.asdict(getattr(ZSSRSettings, budget)())
            for budget in ("quick", "standard", "full")
        },
    }


def readme() -> None:
    """Write the README's table from the recorded results."""
    lines = [
        "| Set5 x2, luma PSNR in dB | mean | baby | bird | butterfly | head | woman "
        "| CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]

    def line(label: str, rows: list[dict], key: str, seconds: bool = False) -> None:
        names = sorted({row["image"] for row in rows})
        each = [mean(r[key] for r in rows if r["image"] == name) for name in names]
        spent = f"{mean(row['cpu seconds'] for row in rows):.0f}" if seconds else ""
        cells = " | ".join(f"{value:.2f}" for value in [mean(each), *each])
        lines.append(f"| {label} | {cells} | {spent} |")

    quick = record.read("zssr_set5_quick")
    line("bicubic", quick, "bicubic")
    line("bicubic + back-projection", quick, "bicubic + back-projection")
    line("ZSSR `quick`, the network's own output", quick, "raw")
    for budget in ("quick", "standard", "full"):
        if rows := record.read(f"zssr_set5_{budget}"):
            line(f"ZSSR `{budget}`", rows, "final", seconds=True)
    lines.append("| ZSSR, the paper's figure | 37.37 | | | | | | |")
    start, end = "<!-- zssr table -->", "<!-- end of table -->"
    before, rest = README.read_text().split(start)
    after = rest.split(end)[1]
    README.write_text("\n".join([before + start, *lines, end + after]))


def picture() -> None:
    """Draw the README's picture: a part of the flower at x2, budget `quick`."""
    high = high_resolution("flower")
    results = compare(fit(ZSSR(resize(high, 0.5, exact_uint8=True))))
    names = ("bicubic", "bicubic + back-projection", "final")
    titles = ("bicubic", "bicubic + back-projection", "ZSSR")
    crops = {t: results[n] for t, n in zip(titles, names, strict=True)}
    crops["ground truth"] = high
    figure = Figure(figsize=(9, 2.5), dpi=100, layout="constrained")
    for axes, (title, image) in zip(figure.subplots(1, 4), crops.items(), strict=True):
        axes.imshow(to_uint8(image)[148:220, 88:160], interpolation="nearest")
        score = f"\n{psnr_y(image, high, shave=2):.2f} dB" if image is not high else ""
        axes.set_title(title + score, fontsize=9)
        axes.set_axis_off()
    figure.savefig(record.RESULTS / "zssr.png")


SECTIONS: dict[str, Callable[[], list[dict]]] = {
    f.__name__: f
    for f in (
        cost,
        determinism,
        rounds,
        clean,
        spoilt,
        kernels,
        set5_quick,
        set5_standard,
        set5_larger,
        single_jump,
        set5_full,
    )
}


def main(sections: tuple[str, ...] = (*SECTIONS, "picture", "readme")) -> None:
    """Measure ZSSR, section by section."""
    torch.set_num_threads(1)
    for section in sections:
        if section in ("picture", "readme"):
            {"picture": picture, "readme": readme}[section]()
            continue
        start = time.perf_counter()
        commit = record.commit_of_code("benchmarks/zssr.py")
        rows = SECTIONS[section]()
        record.write(f"zssr_{section}", rows, commit, **settings())
        print(f"{section}: {len(rows)} rows, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    tyro.cli(main)
