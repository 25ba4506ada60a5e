"""Measure InGAN, trained on coins or read from checkpoints: patches, objects, cost.

    python benchmarks/ingan.py --sections coins step

It writes `benchmarks/results/ingan_*.json` and `ingan_*.png`. Completeness and
coherence are divided by the values of plain bicubic resizing. `train_checkpoints` in
`data/` makes the checkpoints. The sections `ablations`, `failures` and `expanded` make
the pictures that chapter 12 shows but has no time to train:
`data/ingan/ablation_*.png`, `failure_*.png` and `expanded_*.png`, each with the first
seed.
"""

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import mean

import record
import torch
import torch.nn.functional as F
import tyro
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

from dil_teach import (
    coherence,
    completeness,
    fit,
    load_image,
    photo,
    psnr,
    resize,
    save_image,
    train,
)
from dil_teach.classical.retarget.column_warp import column_warp
from dil_teach.deep.ingan.ingan import InGAN, InGANSettings
from dil_teach.deep.texture_expansion.texture_expansion import (
    TextureExpansion,
    TextureExpansionSettings,
)
from dil_teach.image.convention import Image
from dil_teach.image.metrics import count_objects
from dil_teach.image.warp import resizing
from dil_teach.patches.recurrence import recurrence_score
from dil_teach.patches.similarity import relative_location

WIDTHS = (2.0, 1.5, 0.6)
SHIPPED = Path(__file__).parents[1] / "data" / "ingan"
SMALL = {"coins": (76, 96), "china": (76, 114), "flower": (76, 114)}
"""Height and width of the training photographs, except in section `expanded`."""
EXPANDED = {
    "coins": (50, 63),
    "brick": (50, 50),
    "facade": (48, 48),
    "flower": (32, 48),
}
"""Image sizes of section `expanded`: the levels that chapter 12 compares."""


def patches(source: Image, target: Image) -> dict[str, float]:
    """All measures; completeness and coherence are divided by the values of bicubic."""
    plain = resize(source, size=(target.shape[1], target.shape[2])).clamp(0, 1)
    return {
        "completeness": completeness(source, target) / completeness(source, plain),
        "coherence": coherence(source, target) / coherence(source, plain),
        "relative location": relative_location(source, target),
        "recurrence": recurrence_score(target),
    }


def controls(source: Image, scale: float) -> dict[str, Image]:
    """Baselines without learning: resizing, a column warp and, at x2, two copies."""
    width = round(scale * source.shape[2])
    found = {
        "bicubic": resize(source, size=(source.shape[1], width)).clamp(0, 1),
        "column warp": column_warp(source, width),
    }
    return found | ({"tiled": torch.cat([source, source], 2)} if scale == 2 else {})


def coins(seeds: tuple[int, ...]) -> list[dict]:
    """Train from scratch at `standard`; measure patches, objects and the identity.

    Two trainings run in parallel, in processes with one thread each.
    """
    source = small("coins")
    rows = []
    for scale in WIDTHS:
        for name, target in controls(source, scale).items():
            rows.append({"method": name, "scale": scale, **counted(source, target)})
            print(rows[-1], flush=True)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        for found in pool.map(from_scratch, seeds):
            rows += found
    return rows


def adversarial(seeds: tuple[int, ...]) -> list[dict]:
    """Like :func:`coins`, but without the patch loss and with the first seed only."""
    return from_scratch(seeds[0], patches=0.0)


def from_scratch(seed: int, **changes: float) -> list[dict]:
    """Train on the coins, with changed settings if given."""
    torch.set_num_threads(1)
    source = small("coins")
    ingan = InGAN(source, InGANSettings.standard(seed=seed, **changes))
    begin = time.process_time()
    for progress in train(ingan, report_every=1500):
        print(seed, progress, flush=True)
    seconds = time.process_time() - begin
    identity = psnr(ingan.retarget(), source)
    rows = []
    for scale in WIDTHS:
        target = ingan.retarget(1, scale)
        name = "_".join(["ingan_coins", f"{seed}", *changes, f"{scale:g}.png"])
        save_image(target, record.RESULTS / name)
        row = {"method": "InGAN", "seed": seed, "changed": changes}
        row |= {"scale": scale, **counted(source, target)}
        rows.append(row | {"identity dB": identity, "cpu seconds": seconds})
        print(rows[-1], flush=True)
    return rows


def counted(source: Image, target: Image) -> dict[str, float]:
    """Completeness, coherence, and the number and shape of the connected objects."""
    objects, shape = count_objects(target)
    return patches(source, target) | {"objects": objects, "width / height": shape}


def small(name: str) -> Image:
    """A photograph at its size in `SMALL`; for gravel, a crop at full resolution."""
    if name == "gravel":
        return photo(name)[:, 100:292, 100:292]
    return resize(photo(name), size=SMALL[name]).clamp(0, 1)


def twice_as_wide(
    source: Image, steps: int, settings: InGANSettings
) -> tuple[Image, dict]:
    """The output of the coarsest level after `steps` steps, and its record.

    If the coarsest level is larger than the default, a GPU is used if there is one.
    """
    torch.set_num_threads(1)
    gpu = settings.coarsest > InGANSettings().coarsest and torch.cuda.is_available()
    ingan = InGAN(source.to("cuda" if gpu else "cpu"), settings)
    for progress in train(ingan, report_every=500):
        print(progress, flush=True)
        if progress.step >= steps:
            break
    drawn = ingan.remap(resizing(1, 2), level=0).cpu()
    (coarsest, *_) = ingan.pyramid
    image = (coarsest[0] * ingan.deviation + ingan.mean).clamp(0, 1).cpu()
    objects, shape = count_objects(drawn)
    row = {"steps": ingan.step, "device": ingan.image.device.type}
    row |= patches(image, drawn)
    return drawn, row | {"objects": objects, "width / height": shape}


def ablations(seeds: tuple[int, ...]) -> list[dict]:
    """Measure ablations on the coins, at twice the width.

    No run uses the patch loss. The run "all" has all other parts. The second run also
    lacks the reconstruction loss. The third run has the reconstruction loss, but only
    one scale and no warps.
    """
    one_scale = {"coarsest": 76, "discriminator_scales": 1, "warps": 0.0, "both": 0.0}
    left_out: dict[str, tuple[int, dict]] = {
        "all": (4500, {}),
        "no_reconstruction": (4500, {"reconstruction": 0.0}),
        "one_scale": (6000, one_scale),
    }
    tasks = {
        name: (small("coins"), steps, by_discriminator(seeds[0], **changes))
        for name, (steps, changes) in left_out.items()
    }
    return in_parallel(tasks, "ablation", "left out", seeds[0])


def failures(seeds: tuple[int, ...]) -> list[dict]:
    """Train on photographs that lack repetition, or whose repeated objects are tiny."""
    steps = {"china": (4000, {}), "flower": (4000, {})}
    steps["gravel"] = (3500, {"discriminator_scales": 3, "discriminator_layers": 4})
    tasks = {
        name: (small(name), count, by_discriminator(seeds[0], **changes))
        for name, (count, changes) in steps.items()
    }
    return in_parallel(tasks, "failure", "photograph", seeds[0])


def by_discriminator(seed: int, **changes: float) -> InGANSettings:
    """Train without the patch loss, with slightly more steps than `standard`."""
    return InGANSettings.standard(steps=6000, patches=0.0, seed=seed, **changes)


def in_parallel(
    tasks: dict[str, tuple[Image, int, InGANSettings]], kind: str, what: str, seed: int
) -> list[dict]:
    """Run :func:`twice_as_wide` in processes. Chapter 12 shows the pictures."""
    rows = []
    with ProcessPoolExecutor(len(tasks), get_context("spawn")) as pool:
        for name, (drawn, row) in zip(
            tasks,
            pool.map(twice_as_wide, *zip(*tasks.values(), strict=True)),
            strict=True,
        ):
            save_image(drawn, SHIPPED / f"{kind}_{name}.png")
            rows.append({what: name, "seed": seed, **row})
            print(rows[-1])
    return rows


def expanded(seeds: tuple[int, ...]) -> list[dict]:
    """Expand textures to twice the width (Zhou et al.), and keep the middle rows."""
    rows = []
    for name, (height, width) in EXPANDED.items():
        straight = name == "brick"  # the wall of the checkpoint, seen straight on
        whole = load_image(SHIPPED / "brick.png") if straight else photo(name)
        source = resize(whole, size=(height, width)).clamp(0, 1)
        settings = TextureExpansionSettings.quick(seed=seeds[0])
        begin = time.process_time()
        drawn = fit(TextureExpansion(source, settings)).result((height, 2 * width))
        save_image(drawn, SHIPPED / f"expanded_{name}.png")
        row = {"photograph": name, "seed": seeds[0], **patches(source, drawn)}
        rows.append(row | {"cpu seconds": time.process_time() - begin})
        print(rows[-1])
    return rows


def step(seeds: tuple[int, ...]) -> list[dict]:
    """Measure CPU seconds of our training step and of one with the authors' networks.

    The image is one colour crop of 72 x 96 pixels, retargeted to twice its width. We
    measure our steps at the finest level, where they are slowest.
    """
    source = resize(photo("flower"), size=(72, 96)).clamp(0, 1)
    ingan = InGAN(source, replace(InGANSettings.standard(), steps=1, finer_steps=48))
    ingan._draw_transformation = lambda: resizing(1, 2)
    spent = []
    while not ingan.done:
        begin = time.process_time()
        ingan.train_step()
        spent.append(time.process_time() - begin)
    last = ingan.level_steps[-1]
    finest = mean(spent[4 - last :])  # the first four steps warm up the processor
    theirs = Authors(source)
    times = []
    for _ in range(9):
        begin = time.process_time()
        theirs.train_step()
        times.append(time.process_time() - begin)
    row = {"authors": mean(times[1:]), "ours, finest level": finest}
    row |= {"times": mean(times[1:]) / finest}
    print(row)
    return [row]


class Authors:
    """A training step with the authors' networks and losses, reimplemented.

    It has the default configuration of github.com/assafshocher/InGAN: 64 channels,
    three scales, six residual blocks, and one discriminator at each scale; neighbouring
    scales differ by a factor of 1.4.
    """

    def __init__(self, source: Image) -> None:
        self.source = 2 * source[None] - 1
        self.entry = block(3, 64, 7)
        self.down = nn.ModuleList(block(64 * 2**i, 128 * 2**i, 3) for i in range(3))
        self.middle = nn.ModuleList(
            nn.Sequential(
                block(512, 128, 1), block(128, 128, 3), block(128, 512, 1, active=False)
            )
            for _ in range(6)
        )
        self.up = nn.ModuleList(block(128 * 2**i, 64 * 2**i, 3) for i in (2, 1, 0))
        self.final = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(64, 3, 7), nn.Tanh()
        )
        self.generator = nn.ModuleList(
            [self.entry, self.down, self.middle, self.up, self.final]
        )
        scales = 0
        while min(source.shape[1:]) / 1.4**scales >= 16:
            scales += 1
        self.discriminators = nn.ModuleList(
            nn.Sequential(
                block(3, 64, 3, pad=False),
                block(64, 128, 3, stride=2, pad=False),
                block(128, 128, 3, pad=False),
                spectral_norm(nn.Conv2d(128, 1, 1)),
                nn.Sigmoid(),
            )
            for _ in range(scales)
        )
        rate = {"lr": 5e-5, "betas": (0.5, 0.999)}
        self.adam = torch.optim.Adam(self.generator.parameters(), **rate)
        self.adam_d = torch.optim.Adam(self.discriminators.parameters(), **rate)

    def draw(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        x = F.interpolate(self.entry(image), size=size, mode="bilinear")
        seen = [x]
        for down in self.down:
            x = F.max_pool2d(down(x), 2)
            seen.append(x)
        for middle in self.middle:
            x = x + middle(x)
        for i, up in enumerate(self.up):
            x = up(F.interpolate(x, scale_factor=2.0)) + seen[-i - 2]
        return self.final(x)

    def judge(self, picture: Tensor) -> Tensor:
        judged = []
        for scale, network in enumerate(self.discriminators):
            smaller = picture
            if scale:
                smaller = F.interpolate(
                    picture, scale_factor=1.4**-scale, mode="bilinear"
                )
            logits = network(smaller)
            if scale:
                logits = F.interpolate(logits, judged[0].shape[-2:], mode="bilinear")
            judged.append(logits)
        return torch.stack(judged).mean(0)

    def train_step(self) -> None:
        height, width = self.source.shape[-2:]
        fake = self.draw(self.source, (height, 2 * width))
        back = self.draw(fake, (height, width))
        loss = (self.judge(fake) - 1).square().mean()
        loss = loss + 0.1 * (back - self.source).abs().mean()
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        again = self.draw(
            fake.detach(), (height, width)
        )  # the authors' extra training of the inverse
        self.adam.zero_grad()
        (again - self.source).abs().mean().backward()
        self.adam.step()
        real = (self.judge(self.source) - 1).square().mean()
        loss = 0.5 * (real + self.judge(fake.detach()).square().mean())
        self.adam_d.zero_grad()
        loss.backward()
        self.adam_d.step()


def block(
    before: int,
    after: int,
    side: int,
    *,
    stride: int = 1,
    pad: bool = True,
    active: bool = True,
) -> nn.Sequential:
    """A spectrally normalised convolution, batch normalisation and leaky ReLU."""
    parts: list[nn.Module] = [nn.ReflectionPad2d(side // 2)] if pad and side > 1 else []
    parts += [
        spectral_norm(nn.Conv2d(before, after, side, stride)),
        nn.BatchNorm2d(after),
    ]
    return nn.Sequential(*parts, *([nn.LeakyReLU(0.2, True)] if active else []))


SECTIONS: dict[str, Callable[[tuple[int, ...]], list[dict]]] = {
    f.__name__: f for f in (coins, adversarial, step, ablations, failures, expanded)
}


def main(
    sections: tuple[str, ...] = tuple(SECTIONS), seeds: tuple[int, ...] = (0, 1, 2)
) -> None:
    """Measure InGAN, section by section."""
    torch.set_num_threads(1)
    for section in sections:
        commit = record.commit_of_code("benchmarks/ingan.py")
        record.write(f"ingan_{section}", SECTIONS[section](seeds), commit)


if __name__ == "__main__":
    tyro.cli(main)
