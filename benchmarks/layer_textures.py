"""Two networks reproduce the sum of two textures: do they separate the textures?

    python benchmarks/layer_textures.py
    python benchmarks/layer_textures.py --sections speed

``textures`` repeats a demonstration of Gandelsman, Shocher and Irani, '"Double-DIP":
Unsupervised Image Decomposition via Coupled Deep-Image-Priors', CVPR 2019, with the
recipe of the authors' code on our textures. It writes the record
``credit_layers_textures.json`` and the networks' outputs, ``layers_textures_*.png``, to
``benchmarks/results``. ``speed`` trains one network on each texture and on their sum,
and writes ``layers_speed.json``: how much larger the error of the sum is.
"""

import math
from pathlib import Path

import record
import torch
import tyro
from credit_layers import SEEDS, Values, collect, rows_of, write
from layer_regimes import kept
from PIL import Image as Picture
from torch import Tensor

from dil_teach import photo
from dil_teach.classical.exclusion_search import exclusion
from dil_teach.image.convention import Image, to_uint8
from dil_teach.image.resize import resize
from dil_teach.training.networks import INPUT_CHANNELS, Hourglass, draw_network_input

SIDE = 64
PICTURES = Path(__file__).parent / "results"
TEXTURES = {"brick": 4.0, "coins": 4.7}
"""Each photograph is downscaled by this factor, and its middle is cut out."""
WIDTHS = (16, 32, 64, 64)
STEPS, RATE, EXCLUSION = 800, 0.003, 0.01
WAYS = {
    "skip connections, exclusion": (4, EXCLUSION),
    "no skip connections, no exclusion": (0, 0.0),
    "no skip connections, exclusion": (0, EXCLUSION),
}
"""Channels of a skip connection, and weight of the exclusion. The last has the authors'
published recipe: no skip connections at fine scales, an L1 loss, this weight, and a
rotated or mirrored copy in every second step. The other two change one thing."""


def texture(name: str, factor: float) -> Image:
    """The middle of a photograph in grey, with mean 0.5 and contrast 0.2."""
    grey = photo(name).mean(dim=0, keepdim=True)
    wide = round(factor * SIDE)
    top, left = ((length - wide) // 2 for length in grey.shape[1:])
    cut = resize(grey[:, top : top + wide, left : left + wide], size=(SIDE, SIDE))
    return 0.5 + 0.2 * (cut - cut.mean()) / cut.std()


def turned(maps: Tensor, number: int) -> Tensor:
    """One of the eight orientations; 0 changes nothing."""
    maps = torch.rot90(maps, number % 4, (-2, -1))
    return maps.flip(-1) if number >= 4 else maps


def two_networks(mixture: Image, seed: int, skip: int, weight: float) -> list[Image]:
    """The outputs of two networks whose mean reproduces the mixture (L1 loss)."""
    rng = torch.Generator().manual_seed(seed)
    inputs = [draw_network_input((SIDE, SIDE), rng) for _ in range(2)]
    pair = [Hourglass(INPUT_CHANNELS, 1, WIDTHS, skip, rng) for _ in range(2)]
    networks = torch.nn.ModuleList(pair)
    optimizer = torch.optim.Adam(networks.parameters(), lr=RATE)
    average: list[Tensor] = []
    for step in range(STEPS):
        late = max(0.0, 2 * step / STEPS - 1)
        for group in optimizer.param_groups:
            group["lr"] = RATE * (0.01 + 0.99 * (1 + math.cos(math.pi * late)) / 2)
        number = step // 2 % 8 if step % 2 else 0
        layers = [
            network(turned(code, number)).sigmoid()
            for network, code in zip(pair, inputs, strict=True)
        ]
        error = (layers[0] + layers[1]) / 2 - turned(mixture[None], number)
        loss = error.abs().mean() + weight * exclusion(layers[0], layers[1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if number == 0:
            new = [layer.detach()[0] for layer in layers]
            old = average or new
            average = [a.lerp(b, 0.05) for a, b in zip(old, new, strict=True)]
    return average


def purity(outputs: list[Image], truth: list[Image]) -> float:
    """Correlation with the own texture minus correlation with the other texture.

    The mean over both outputs, in the better order: 0 for the mixture, 1 for
    uncorrelated textures that are separated.
    """
    maps = torch.stack([x.flatten() for x in (*outputs, *truth)])
    found = maps.corrcoef()[:2, 2:]
    return float((found[0, 0] + found[1, 1] - found[0, 1] - found[1, 0]).abs() / 2)


def textures() -> None:
    """The sum of bricks and coins, three seeds for each way."""
    truth = [texture(name, factor) for name, factor in TEXTURES.items()]
    mixture = (truth[0] + truth[1]) / 2
    values: Values = {}
    collect(values, "the mixture, twice", 0, 0.0)
    collect(values, "the two textures", 0, purity(truth, truth))
    for way, (skip, weight) in WAYS.items():
        best: list[Image] = []
        for seed in SEEDS:
            found = kept(
                f"textures {skip} {weight} {seed}",
                lambda s=seed, k=skip, w=weight: two_networks(mixture, s, k, w),
            )
            error = ((found[0] + found[1]) / 2 - mixture).square().mean()
            collect(values, way, seed, purity(found, truth))
            print(
                way, seed, values[way][seed], float(error / mixture.var()), flush=True
            )
            best += found
        pixels = to_uint8(torch.cat(best, 2).clamp(0, 1))
        file = PICTURES / f"layers_textures_{list(WAYS).index(way)}.png"
        Picture.fromarray(pixels).save(file, optimize=True)
    roles = {"the mixture, twice": "input"} | dict.fromkeys(WAYS, "network")
    write(
        "layers_textures",
        rows_of(values, roles | {"the two textures": "oracle"}),
        result="Separation of one mixture of two textures",
        measure="correlation with the own texture minus correlation with the other",
        better="higher",
        where=f"bricks and coins, {SIDE} x {SIDE} pixels, {STEPS} steps",
        missing={
            "initialisation": "the weights are random",
            "baseline": "the search needs two mixtures",
            "final": "nothing is computed after the networks",
        },
    )


# ---- one network: a question of speed

SMALL = 48
MOMENTS = (25, 50, 100, 250, 500)


def errors(picture: Image, seed: int) -> list[float]:
    """Error / variance of one network after each number of steps, as in chapter 14.

    The mean of the last ten steps.
    """
    rng = torch.Generator().manual_seed(seed)
    code = draw_network_input((SMALL, SMALL), rng)
    network = Hourglass(INPUT_CHANNELS, 1, (16, 32, 32), 4, rng)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, fused=True)
    found = []
    for _ in range(MOMENTS[-1]):
        loss = (network(code).sigmoid()[0] - picture).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach() / picture.var()))
    return [sum(found[step - 10 : step]) / 10 for step in MOMENTS]


def speed() -> None:
    """The error of the sum, divided by the mean error of the two textures."""
    parts = [resize(texture(*one), size=(SMALL, SMALL)) for one in TEXTURES.items()]
    both = parts[0] + parts[1]
    pictures = [0.5 + 0.2 * (x - x.mean()) / x.std() for x in (*parts, both)]
    found = torch.tensor([[errors(x, seed) for x in pictures] for seed in SEEDS])
    layers, mixture = found[:, :2].mean(1), found[:, 2]
    rows = [
        {
            "steps": step,
            "mixture / layers": (mixture[:, k] / layers[:, k]).tolist(),
            "error of the layers": float(layers[:, k].mean()),
        }
        for k, step in enumerate(MOMENTS)
    ]
    commit = record.commit_of_code("benchmarks/layer_textures.py")
    record.write("layers_speed", rows, commit)
    print(rows)


SECTIONS = {f.__name__: f for f in (textures, speed)}


def main(sections: tuple[str, ...] = tuple(SECTIONS)) -> None:
    """Measure networks on textures."""
    torch.set_num_threads(1)
    for section in sections:
        SECTIONS[section]()


if __name__ == "__main__":
    tyro.cli(main)
