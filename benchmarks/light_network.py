"""Is the entropy of patches lower inside one picture, and is a smaller network enough?

    python benchmarks/light_network.py --folder FOLDER  # FOLDER: external pictures
    python benchmarks/light_network.py                  # the bundled photographs alone

``light_network_entropies.json`` has the entropy of equally many patches of one picture
and of all other pictures, in bits; ``light_network_all_entropies.json`` has the entropy
inside each external picture. For ``light_network_widths.json``, networks of growing
width learn super-resolution by 2 from one half of a picture, or from many other
pictures. Its figures are gains over bicubic interpolation in dB, on pixels of the
picture's other half. The pictures are those of ``internal_statistics.py``.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import record
import torch
import torch.nn.functional as F
import tyro
from internal_statistics import Pictures, pictures
from torch import Tensor, nn

from dil_teach import resize
from dil_teach.image.convention import Image
from dil_teach.image.metrics import luma
from dil_teach.patches.entropy import (
    entropy,
    gaussian_bias,
    gaussian_entropy,
    principal_components,
)
from dil_teach.patches.extract import extract_patches
from dil_teach.patches.parents import even
from dil_teach.patches.statistics import (
    GRADIENT_NAMES,
    gradient_bins,
    gradient_magnitude,
)
from dil_teach.training.adam import Adam
from dil_teach.training.schedules import schedule, set_learning_rate, update

SEEDS = (0, 1, 2)
SAMPLES, COMPONENTS, PER_PICTURE = 2000, (4, 8, 12), 150
"""Number of patches and of principal components for the entropy, and number of patches
that are drawn from each external picture."""
WIDTHS = (2, 4, 8, 16, 64)
"""Widths of the two hidden layers."""
WINDOW, BLOCK, MARGIN = 7, 24, 6
"""Side of the network's input; side of the blocks of a checkerboard, of which one half
is for training; and width of the unused border of each block for testing, so that no
pixel of the low-resolution image is used for both. All in low-resolution pixels."""
STEPS, BATCH, RATE = 3000, 256, 5e-3
MORE = 20
"""The external pictures give as many examples as one picture does, or this many times
more."""
SHARE = 0.9
"""The smallest network must reach this share of the widest internal network's gain."""


def noisy(patches: Tensor, rng: torch.Generator) -> Tensor:
    """Patches with uniform noise of one grey level, which undoes the quantisation."""
    return patches + (torch.rand(patches.shape, generator=rng) - 0.5) / 255


def separate(image: Image) -> tuple[Tensor, Tensor]:
    """The patches on a grid without overlap, each minus its mean; and their bins."""
    light = luma(image).float()
    patches = extract_patches(light, 5, 5)
    bins = gradient_bins(gradient_magnitude(light)[::5, ::5]).flatten()
    return patches - patches.mean(1, keepdim=True), bins


def drawn(rows: Tensor, number: int, rng: torch.Generator) -> Tensor:
    return rows[torch.randperm(len(rows), generator=rng)[:number]]


def pooled(given: Pictures) -> tuple[Tensor, Tensor, Tensor]:
    """Equally many patches of each external picture; their bins, and their pictures."""
    rng = torch.Generator().manual_seed(0)
    pool, bins, source = [], [], []
    for number, load in enumerate(given.external.values()):
        patches, bin_of = separate(load())
        some = torch.randperm(len(patches), generator=rng)[:PER_PICTURE]
        pool.append(patches[some])
        bins.append(bin_of[some])
        source.append(torch.full((len(some),), number))
    return torch.cat(pool), torch.cat(bins), torch.cat(source)


def entropies(given: Pictures) -> list[dict]:
    """The entropy of equally many patches of one picture, and of all others.

    A linear map makes the variances of the external patches 1, for both alike. The
    control `outside, same gradients` has as many patches of each gradient bin as the
    picture. `Gaussian` is the entropy of a Gaussian with the same covariance.
    """
    pool, bins, source = pooled(given)
    rows = []
    for query in given.queries:
        outside = torch.isin(source, torch.tensor(given.others(query.name)))
        patches, own_bins = separate(query.image)
        shares = torch.bincount(own_bins, minlength=len(GRADIENT_NAMES))
        for seed in SEEDS:
            rng = torch.Generator().manual_seed(seed)
            n = min(SAMPLES, len(patches), int(outside.sum()))
            alike = [
                drawn(pool[outside & (bins == b)], round(n * float(s)), rng)
                for b, s in enumerate(shares / shares.sum())
            ]
            sets = {
                "inside": drawn(patches, n, rng),
                "outside": drawn(pool[outside], n, rng),
                "outside, same gradients": torch.cat(alike),
            }
            sets = {what: noisy(some, rng) for what, some in sets.items()}
            for d in COMPONENTS:
                basis = principal_components(pool[outside], d)
                bias, _ = gaussian_bias(n, d, rng)
                row = {"image": query.name, "seed": seed, "samples": n}
                row |= {"components": d, "bias for a Gaussian": bias}
                for what, some in sets.items():
                    values = some @ basis
                    row[what] = entropy(values)
                    row[f"{what}, Gaussian"] = gaussian_entropy(values.T.cov())
                row["same gradients, samples"] = len(sets["outside, same gradients"])
                rows.append(row)
        print(rows[-2], flush=True)
    return rows


def all_entropies(given: Pictures) -> list[dict]:
    """The entropy inside each external picture, and of patches of all pictures.

    Each row has eight components. The entropy of a mixture is at least the mean of the
    entropies of its parts, so `inside` can exceed `outside` in some pictures only.
    """
    pool, _, _ = pooled(given)
    basis = principal_components(pool, 8)
    rows = []
    for number, (name, load) in enumerate(given.external.items()):
        rng = torch.Generator().manual_seed(number)
        patches, _ = separate(load())
        if len(patches) < SAMPLES:
            continue
        sets = {"inside": drawn(patches, SAMPLES, rng)}
        sets["outside"] = drawn(pool, SAMPLES, rng)
        values = {what: entropy(noisy(x, rng) @ basis) for what, x in sets.items()}
        rows.append({"image": name} | values)
    lower = mean(row["inside"] < row["outside"] for row in rows)
    print(
        mean(row["inside"] for row in rows), mean(row["outside"] for row in rows), lower
    )
    return rows


def examples(image: Image) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Inputs and targets for all low-resolution pixels of a picture, and two masks.

    An input is a window of the low-resolution image, minus its mean; a target is what
    bicubic interpolation misses at the four pixels of the window's centre. The masks
    mark the pixels for training and for testing.
    """
    high = even(luma(image).float())
    low = resize(high, 0.5).clamp(0, 1)
    missed = F.pixel_unshuffle(high - resize(low, 2), 2).flatten(1).T
    padded = F.pad(low, (WINDOW // 2,) * 4, mode="replicate")
    windows = extract_patches(padded, WINDOW)
    y, x = torch.meshgrid(*map(torch.arange, low.shape[1:]), indexing="ij")
    dark = ((y // BLOCK + x // BLOCK) % 2 == 0).flatten()
    from_centre = (torch.stack([y, x]) % BLOCK - BLOCK / 2 + 0.5).abs()
    inside = (from_centre < BLOCK / 2 - MARGIN).all(0).flatten()
    return windows - windows.mean(1, keepdim=True), missed, dark, ~dark & inside


def trained(
    inputs: Tensor, targets: Tensor, width: int, seed: int, steps: int = STEPS
) -> nn.Module:
    """A network with two hidden layers; inputs and targets have a unit variance."""
    torch.manual_seed(seed)
    layers = [WINDOW**2, width, width, 4]
    network = nn.Sequential(
        nn.Linear(*layers[:2]), nn.LeakyReLU(0.1),
        nn.Linear(*layers[1:3]), nn.LeakyReLU(0.1), nn.Linear(*layers[2:]),
    )  # fmt: skip
    optimizer = Adam(network.parameters())
    scales = float(inputs.std()), float(targets.std())
    for step in range(steps):
        set_learning_rate(optimizer, RATE * schedule(step / steps, 0.05))
        some = torch.randint(len(inputs), (BATCH,))
        guess = network(inputs[some] / scales[0])
        update(optimizer, F.mse_loss(guess, targets[some] / scales[1]))
    network.scales = scales
    return network


@torch.no_grad()
def gain(network: nn.Module, inputs: Tensor, targets: Tensor) -> float:
    """How much smaller the error is than that of bicubic interpolation, in dB."""
    first, last = network.scales
    error = (network(inputs / first) * last - targets).square().mean()
    return 10 * math.log10(float(targets.square().mean() / error))


def widths(given: Pictures) -> list[dict]:
    """The gain of networks of each width, trained inside and outside."""
    chosen = given.queries[::3]  # one of each kind
    sets = {query.name: examples(query.image) for query in chosen}
    tests = {name: (x[t], y[t]) for name, (x, y, _, t) in sets.items()}
    training = {f"inside {name}": (x[t], y[t]) for name, (x, y, t, _) in sets.items()}
    number = len(next(iter(training.values()))[0])
    rng = torch.Generator().manual_seed(0)
    names = [query.name for query in given.queries]
    loads = [load for name, load in given.external.items() if name not in names]
    most = -(-number * MORE // len(loads))
    pairs = []
    for load in loads:
        x, y, _, _ = examples(load())
        some = torch.randperm(len(x), generator=rng)[:most]
        pairs.append((x[some], y[some]))
    for what, part in (
        ("outside, as many", -(-number // len(loads))),
        ("outside, more", most),
    ):
        inputs, targets = (
            torch.cat([z[:part] for z in zs]) for zs in zip(*pairs, strict=True)
        )
        training[what] = inputs, targets
    rows = []
    for what, (inputs, targets) in training.items():
        runs = [(w, s, STEPS) for w in WIDTHS for s in SEEDS[:2]]
        runs += [(w, 0, 2 * STEPS) for w in WIDTHS[-1:]]  # does more training help?
        for width, seed, steps in runs:
            network = trained(inputs, targets, width, seed, steps)
            row = {"trained": what, "examples": len(inputs), "width": width}
            row["parameters"] = sum(p.numel() for p in network.parameters())
            row |= {"seed": seed, "steps": steps}
            row["training examples"] = gain(network, inputs, targets)
            rows.append(row | {name: gain(network, *x) for name, x in tests.items()})
            print(rows[-1], flush=True)
    return rows


def smallest(rows: list[dict]) -> list[dict]:
    """The smallest widths that reach ``SHARE`` of the widest internal network."""

    def gain_of(trained_on: str, width: int, name: str) -> float:
        """The mean gain on one image over the seeds, in dB."""
        key = trained_on, width, STEPS
        return mean(
            r[name] for r in rows if (r["trained"], r["width"], r["steps"]) == key
        )

    found = []
    for what in dict.fromkeys(row["trained"] for row in rows):
        if not what.startswith("inside "):
            continue
        name = what.removeprefix("inside ")
        goal = SHARE * gain_of(what, WIDTHS[-1], name)
        row = {"image": name, "goal, dB": goal}
        for trained_on in (what, "outside, as many", "outside, more"):
            kind = trained_on.removesuffix(f" {name}")
            gains = {w: gain_of(trained_on, w, name) for w in WIDTHS}
            row[f"{kind}, dB"] = list(gains.values())
            row[f"{kind}, width"] = next((w for w in WIDTHS if gains[w] >= goal), None)
        found.append(row)
    return found


SECTIONS: dict[str, Callable[[Pictures], list[dict]]] = {
    f.__name__: f for f in (entropies, all_entropies, widths)
}


def main(
    folder: Path | None = None, sections: tuple[str, ...] = tuple(SECTIONS)
) -> None:
    """Measure section by section; each writes its record at once."""
    torch.set_num_threads(1)
    given = pictures(folder, None)
    for section in sections:
        start = time.process_time()
        commit = record.commit_of_code("benchmarks/light_network.py")
        rows = SECTIONS[section](given)
        more: dict = {"external pictures": len(given.external)}
        if section == "widths":
            more |= {"widths": WIDTHS, "smallest": smallest(rows)}
        more["cpu seconds"] = round(time.process_time() - start)
        record.write(f"light_network_{section}", rows, commit, **more)


if __name__ == "__main__":
    tyro.cli(main)
