"""Compare the CPU time of one training step of KernelGAN with that of its architecture
as the authors run it.

    python benchmarks/kernelgan_step.py

All steps are from the middle of the training, on one thread, with one photograph of 256
pixels a side:

- ``collapsed``: the library's step. The generator's layers become one kernel.
- ``layer by layer``: the library's step, but the layers are applied to the crop.
- ``authors``: the layers are applied to the crop, and once more for the update of the
  discriminator, which judges the fake crop a second time. A delta is passed through the
  layers for the penalties. The discriminator is a stack of convolutions.

The blocks of steps alternate. The figure is the smallest mean of a block, because other
programs only add time. It writes ``benchmarks/results/kernelgan_step.json``.
"""

import time

import record
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from dil_teach import KernelGAN, KernelGANSettings, photo
from dil_teach.deep.kernelgan import kernelgan
from dil_teach.deep.kernelgan.networks import FILTERS, PATCH, SIDE
from dil_teach.image.augment import add_noise
from dil_teach.training.adam import Adam
from dil_teach.training.schedules import update

STEPS, BLOCKS = 6, 10


class LayerByLayer(KernelGAN):
    """The library's method, but the generator's layers are applied to the crop."""

    def train_step(self) -> dict[str, torch.Tensor]:
        """One step in which the function that applies the kernel applies the layers."""
        collapsed = kernelgan.downscale
        kernelgan.downscale = lambda source, kernel: through(
            self.generator.filters, source
        )
        try:
            return super().train_step()
        finally:
            kernelgan.downscale = collapsed


class Authors(KernelGAN):
    """The architecture and the order of computation of the authors' code."""

    def __init__(self, image: torch.Tensor, settings: KernelGANSettings) -> None:
        super().__init__(image, settings)
        width = settings.width
        layers = [spectral_norm(nn.Conv2d(len(image), width, PATCH))]
        for _ in range(5):
            layers += [spectral_norm(nn.Conv2d(width, width, 1))]
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
        layers += [spectral_norm(nn.Conv2d(width, 1, 1)), nn.Sigmoid()]
        self.discriminator = nn.Sequential(*layers)
        self.optimizer, self.discriminator_optimizer = (
            Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for network in (self.generator, self.discriminator)
        )
        self.delta = torch.zeros(1, 1, 2 * SIDE - 1, 2 * SIDE - 1)
        self.delta[0, 0, SIDE - 1, SIDE - 1] = 1

    def train_step(self) -> None:
        """Update the generator, then the discriminator."""
        filters = self.generator.filters
        source = self._crops(self.settings.crop)
        fake = through(filters, source)
        kernel = through(filters, self.delta, stride=1)[0, 0].flip(0, 1)
        penalties = self.penalties(kernel, source, fake)
        loss = (1 - self.discriminator(fake)).mean()
        update(self.optimizer, loss + torch.stack([*penalties.values()]).sum())
        real = self._crops(fake.shape[-1])
        with torch.no_grad():
            fake = add_noise(through(filters, source), kernelgan.NOISE, self.rng)
        said_real, said_fake = self.discriminator(real), self.discriminator(fake)
        update(
            self.discriminator_optimizer,
            ((1 - said_real).mean() + said_fake.mean()) / 2,
        )
        self.step += 1


def through(
    filters: nn.ParameterList, source: torch.Tensor, stride: int = 2
) -> torch.Tensor:
    """Apply the generator's layers to each channel, one after another."""
    planes = source.transpose(0, 1)
    for number, weights in enumerate(filters, 1):
        last = number == len(FILTERS)
        planes = F.conv2d(planes, weights, stride=stride if last else 1)
    return planes.transpose(0, 1)


def main() -> None:
    """Measure the three steps, and write the record."""
    torch.set_num_threads(1)
    image, settings = photo("facade", 256), KernelGANSettings.quick()
    methods = {
        "collapsed": KernelGAN(image, settings),
        "layer by layer": LayerByLayer(image, settings),
        "authors": Authors(image, settings),
    }
    for method in methods.values():
        method.step = settings.steps // 2  # most steps have the penalties of this phase
    best = dict.fromkeys(methods, float("inf"))
    for block in range(BLOCKS + 1):
        for name, method in methods.items():
            begin = time.process_time()
            for _ in range(STEPS):
                method.train_step()
            mean = (time.process_time() - begin) / STEPS
            if block > 0:  # the first block warms up
                best[name] = min(best[name], mean)
    row = {f"ms, {name}": round(1e3 * seconds, 2) for name, seconds in best.items()}
    for name in ("layer by layer", "authors"):
        row[f"ratio, {name}"] = round(best[name] / best["collapsed"], 2)
    print(row)
    commit = record.commit_of_code("benchmarks/kernelgan_step.py")
    record.write("kernelgan_step", [row], commit)


if __name__ == "__main__":
    main()
