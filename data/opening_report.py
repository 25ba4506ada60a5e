"""The opening of chapter 16, for data/draw_openings.py: a finished report.

The question is the first one of the chapter, denoising, on another photograph: the
results of the first seed, their failure maps, and the verdicts over three seeds.
"""

import torch
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from opening_files import SEED, Seconds, picture_of, write
from scipy import stats
from torch import Tensor

from dil_teach import photo, photos
from dil_teach.course import check
from dil_teach.course.questions import asked
from dil_teach.image.convention import Image

SUBJECT, PIXELS, ENLARGED = "flower", 144, 2
QUESTION, BUDGET, SEEDS = "denoising", "quick", (SEED, SEED + 1, SEED + 2)
WINDOW = 9
"""Side of the window of the failure map in pixels, as in the chapter."""
SHOWN = ENLARGED * PIXELS
WIDTH = 3 * SHOWN + 2 * 10
"""Width of the two figures in CSS pixels: that of three pictures and their gaps."""


def failure_maps(errors: dict[str, Tensor], control: str) -> Figure:
    """Where each method is better (purple) or worse (orange) than the control."""
    figure, side = Figure(figsize=(WIDTH / 100, 3.5), dpi=100), (SHOWN - 18) / WIDTH
    norm, palette = Normalize(-6, 6), colormaps["PuOr_r"]
    names = [name for name in errors if name != control]
    for number, name in enumerate(names):
        left = number * (SHOWN - 8) / WIDTH
        axes = figure.add_axes((left + 0.002, 0.02, side, side * WIDTH / 350))
        local = check.failure_map.reference(errors[name], errors[control], WINDOW)
        axes.imshow(local, norm=norm, cmap=palette, interpolation="nearest")
        worse = 100 * float((local > 0).float().mean())
        axes.set_title(f"{name}: worse on {worse:.0f} % of the area", fontsize=10)
        axes.set(xticks=[], yticks=[])
    bar = figure.add_axes((1 - 52 / WIDTH, 0.02, 12 / WIDTH, side * WIDTH / 350))
    figure.colorbar(ScalarMappable(norm, palette), cax=bar)
    bar.set_title("dB", fontsize=10)
    bar.tick_params(labelsize=9)
    return figure


def verdicts(scores: dict[str, Tensor], control: str) -> Figure:
    """The difference to the control: each seed, the mean, and its 95% interval."""
    names = [name for name in scores if name != control]
    figure = Figure(figsize=(WIDTH / 100, 2.6), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="black", linewidth=1)
    labels = []
    for row, name in enumerate(names):
        gain = scores[name] - scores[control]
        word = check.verdict.reference(scores[name], scores[control])
        n = len(gain)
        margin = float(stats.t.ppf(0.975, n - 1) * gain.std() / n**0.5)
        style = {"color": "#0072B2", "fmt": "D", "capsize": 5}
        axes.errorbar(float(gain.mean()), row, xerr=margin, **style)
        axes.plot(gain, [row + 0.25] * n, "o", color="#D55E00", fillstyle="none")
        labels.append(f"{name} {word}: {float(gain.mean()):+.2f} ± {margin:.2f} dB")
    axes.set_yticks(range(len(names)), labels, fontsize=11)
    axes.set(ylim=(len(names) - 0.4, -0.6))
    axes.set_xlabel(f"PSNR minus PSNR of {control} [dB]", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def larger(image: Image) -> Image:
    """The picture with sharp pixels, ``ENLARGED`` times as large."""
    return image.repeat_interleave(ENLARGED, 1).repeat_interleave(ENLARGED, 2)


def report() -> None:
    """Chapter 16: denoising of a photograph of 144 pixels, with three seeds."""
    truth, seconds = photo(SUBJECT, size=PIXELS), Seconds()
    results, errors = {}, {}
    for seed in SEEDS:
        trial = asked(QUESTION)(truth, seed, BUDGET)
        results["given", seed] = trial.given
        for name, method in trial.methods.items():
            results[name, seed] = seconds.of(name, method).clamp(0, 1)
        for name in ("given", *trial.methods):
            errors[name, seed] = trial.errors(results[name, seed])
            print(seed, name, float(-10 * errors[name, seed].mean().log10()))
    given, control, *methods = dict.fromkeys(name for name, _ in results)
    scores = {
        name: torch.stack([-10 * errors[name, s].mean().log10() for s in SEEDS])
        for name in (given, control, *methods)
    }
    pictures = {"photograph": larger(truth)}
    pictures |= {name: larger(results[name, SEED]) for name in scores}
    compared = (control, *methods)
    of_first = {name: errors[name, SEED] for name in compared}
    pictures[f"failure maps: the error against {control}"] = picture_of(
        failure_maps(of_first, control)
    )
    pictures["verdicts: three seeds"] = picture_of(
        verdicts({name: scores[name] for name in compared}, control)
    )
    write(
        "report",
        pictures,
        {name: round(float(values[0]), 2) for name, values in scores.items()},
        None,
        truth="the first picture",
        measure="PSNR over all pixels and channels, of the first seed",
        settings=f"white noise of 25 grey levels, budget {BUDGET}, seeds {SEEDS}",
        size=[PIXELS, PIXELS],
        scale=1,
        seconds=seconds,
        each={n: [round(float(v), 2) for v in values] for n, values in scores.items()},
        licence=photos()[SUBJECT].licence,
        attribution=photos()[SUBJECT].attribution,
    )
