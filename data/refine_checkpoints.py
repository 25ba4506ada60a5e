"""Refine the InGAN checkpoints of data/ingan at sizes where they fail.

    python data/refine_checkpoints.py --name coins --part layout --level 0
    python data/refine_checkpoints.py --name coins --part distribution --level 0

The script starts from the weights in data/ingan, refines one level of the pyramid, and
writes the weights there again. The state is saved in the work folder; to continue, run
the script again with the same arguments.

- Part ``layout``. The networks of ``train_checkpoints.py`` double objects well, but at
  1.5 times a side neighbouring objects fuse: some have divided, others have not. Moving
  whole rows of objects raises the loss at first, so training stays in this state. But
  the pictures at twice a side are good. So we take the network's own picture at twice
  the side, leave out some of its rows and columns (the column warp), and train the
  network to draw this picture at the size in between.
- Part ``layout`` with ``courses``, for a brick wall. At the coarsest level a brick is
  eight pixels long, and after a short training the network only stretches the bricks.
  So the targets come from the photograph itself, by the column warp: in each course
  some bricks are repeated, and whole courses are repeated. This network imitates the
  column warp; the discriminator judges only the finer levels. ``train_checkpoints.py``
  calls this part.
- Part ``distribution``. The discriminator trains the network as before, and the sliced
  Wasserstein distance between the distributions of patches replaces the patch loss. The
  patch loss does not compare how often a patch occurs, so galaxies became rare.
  Heights and widths are drawn uniformly, not log-uniformly: more of them are large.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
import tyro
from safetensors import safe_open
from torch import Tensor

from dil_teach.classical.retarget.column_warp import column_sequence, column_warp
from dil_teach.deep.ingan.ingan import (
    AVERAGE,
    BEND,
    BETAS,
    CORNER,
    DECAY,
    DISCRIMINATOR_RATE,
    IDENTITY,
    LARGEST,
    LAST_RATE,
    SIDE_STEP,
    SMALLEST,
    InGAN,
)
from dil_teach.deep.ingan.patch_gan import (
    SCALE_FACTOR,
    discriminator_loss,
    generator_loss,
    judge,
)
from dil_teach.deep.ingan.patch_loss import distribution_distance
from dil_teach.image.convention import Image
from dil_teach.image.files import load_image
from dil_teach.image.resize import resize
from dil_teach.image.warp import (
    Transformation,
    random_homography,
    random_smooth_warp,
    resizing,
)
from dil_teach.training.adam import Adam
from dil_teach.training.checkpoint import resume, save
from dil_teach.training.precision import autocast
from dil_teach.training.schedules import (
    schedule,
    set_learning_rate,
    update,
    update_average,
)

FOLDER = Path(__file__).parent / "ingan"
SAVE_EVERY = 50
"""Number of steps between two saved states."""


@dataclass(frozen=True)
class Recipe:
    """What is refined, and how."""

    name: str
    part: Literal["layout", "distribution"]
    level: int = 0
    steps: int = 2500
    rate: float = 1e-3
    distribution: float = 10.0
    """Weight of the sliced Wasserstein distance."""
    reconstruction: float = 0.2
    warps: float = 0.1
    """Fraction of steps with a homography or a smooth warp."""
    directions: int = 64
    samples: int = 8192
    courses: int = 0
    """Number of courses of a brick wall; 0 if the photograph shows no wall."""
    state: Path | None = None
    """An unfinished training to refine, instead of the checkpoint in data/ingan."""
    work: Path = Path(".")
    seed: int = 0

    @property
    def file(self) -> Path:
        """The file that is read and written."""
        return self.state or FOLDER / f"{self.name}.safetensors"


class Refinement:
    """The networks and optimizers that a refinement changes."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.image = load_image(FOLDER / f"{recipe.name}.png")
        self.ingan: InGAN = resume(recipe.file, self.image)
        ingan, level = self.ingan, recipe.level
        self.sizes = ingan.sizes[: level + 1]
        self.pyramid = ingan.pyramid[: level + 1]
        self.generator = copy.deepcopy(ingan.averaged)
        self.learning = self.generator.levels[level].requires_grad_(True)
        self.averaged = ingan.averaged.levels[level]
        self.discriminator = ingan.discriminator
        self.known: dict[tuple[float, float], Tensor] = {}
        self.rng = torch.Generator().manual_seed(recipe.seed)
        betas = BETAS if recipe.part == "distribution" else (0.9, 0.99)
        self.generator_optimizer = Adam(self.learning.parameters(), betas=betas)
        self.discriminator_optimizer = Adam(
            self.discriminator.parameters(), betas=BETAS
        )
        self.parts = {
            "learning": self.learning,
            "averaged": self.averaged,
            "discriminator": self.discriminator,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }

    def draw(self, there: Transformation) -> Tensor:
        """The normalised picture under a transformation.

        The output of the coarser levels is kept for plain resizing.
        """
        *coarser, size = [there.size_of(size) for size in self.sizes]
        drawn = self.known.get(there.scales) if there.source is None else None
        with autocast(self.image.device):
            if coarser and drawn is None:
                drawn = self.generator(self.pyramid[:-1], there, coarser)
                if there.source is None:
                    self.known[there.scales] = drawn
            return self.generator.draw_level(
                len(coarser), drawn, self.pyramid[-1], there, size
            )

    def draw_back(self, fake: Tensor, there: Transformation) -> Tensor:
        """The photograph, reconstructed from a fake."""
        coarser = self.sizes[:-1]
        small = [resize(fake.detach(), size=there.size_of(size)) for size in coarser]
        with autocast(self.image.device):
            return self.generator([*small, fake], there.inverse(), self.sizes)


# ---- part layout


def layout_step(
    refinement: Refinement, target: Callable[..., Tensor], progress: float
) -> dict[str, Tensor]:
    """Draw one size, and compare it with the target of this size."""
    height, width = refinement.sizes[0]
    which, other, one_side, unchanged = torch.rand(4, generator=refinement.rng).tolist()
    step = 2 * SIDE_STEP if refinement.recipe.courses else SIDE_STEP
    heights, widths = steps_of(height, step), steps_of(width, step)
    size = [heights[int(which * len(heights))], widths[int(other * len(widths))]]
    if not refinement.recipe.courses:
        if one_side < 0.35:
            size[1] = width
        elif one_side < 0.55:
            size[0] = height
        if unchanged < 0.1:
            size = [height, width]
    drawn = refinement.draw(resizing(size[0] / height, size[1] / width))
    difference = drawn - target(*size)
    loss = difference.abs().mean() + difference.square().mean()
    rate = refinement.recipe.rate
    share = schedule(progress, decay=0.4, shape="linear", least=0.03)
    set_learning_rate(refinement.generator_optimizer, rate * share)
    update(refinement.generator_optimizer, loss)
    return {"layout": loss}


def steps_of(side: int, step: int) -> list[int]:
    """The lengths between half and 2.1 times the side, ``step`` pixels apart."""
    return list(range(side // 2, int(LARGEST * side) + 1, step))


def layout_targets(ingan: InGAN) -> Callable[[int, int], Tensor]:
    """Return the function that draws the target of each size, normalised.

    A side between the photograph's and twice the photograph's is cut from the
    network's picture at twice the side. At all other sizes, the network keeps its own
    picture.
    """
    teacher, (image, *_) = copy.deepcopy(ingan.averaged), ingan.pyramid
    size_of_image = ingan.sizes[0]
    known: dict[tuple[int, int], Tensor] = {}

    def target(height: int, width: int) -> Tensor:
        if (height, width) in known:
            return known[height, width]
        sides = zip((height, width), size_of_image, strict=True)
        drawn = [2 * own if own < side < 2 * own else side for side, own in sides]
        scales = (d / own for d, own in zip(drawn, size_of_image, strict=True))
        with torch.no_grad():
            picture = teacher([image], resizing(*scales), [tuple(drawn)])[0]
        picture = (picture * ingan.deviation + ingan.mean).clamp(0, 1)
        if drawn[0] != height:
            picture = column_warp(picture.mT.contiguous(), height).mT
        if drawn[1] != width:
            picture = column_warp(picture.contiguous(), width)
        known[height, width] = ((picture - ingan.mean) / ingan.deviation)[None]
        return known[height, width]

    return target


def wall_targets(
    ingan: InGAN, image: Image, courses: int
) -> Callable[[int, int], Tensor]:
    """Return the function that draws the wall at each size, normalised.

    The column warp changes the length of each course alone. A window as long as a brick
    prevents cuts in the middle of a brick. Then the column warp, with whole courses as
    its columns, changes the number of courses. At its own size the photograph remains
    as it is.
    """
    (height, width), side = ingan.sizes[0], image.shape[1]
    borders = [round(side * n / courses) for n in range(courses + 1)]
    brick = 2 * round(image.shape[2] / 8) + 1
    known: dict[tuple[int, int], Tensor] = {(height, width): ingan.pyramid[0]}
    strips: dict[int, list[Image]] = {}

    def target(tall: int, wide: int) -> Tensor:
        if (tall, wide) in known:
            return known[tall, wide]
        if wide not in strips:
            length = round(wide / width * image.shape[2])
            rows = [image[:, a:b].contiguous() for a, b in pairwise(borders)]
            if wide != width:
                rows = [column_warp(row, length, brick) for row in rows]
            strips[wide] = rows
        rows = strips[wide]
        if tall != height:
            units = [resize(row, size=(20, row.shape[2])).flatten() for row in rows]
            units = torch.stack(units, 1)[None].clamp(0, 1)
            number = math.ceil(tall / height * courses)
            rows = [rows[i] for i in column_sequence(units, number, 1).tolist()]
        picture = torch.cat(rows, 1)[:, : round(tall / height * side)]
        picture = resize(picture, size=(tall, wide))
        known[tall, wide] = ((picture - ingan.mean) / ingan.deviation)[None]
        return known[tall, wide]

    return target


# ---- part distribution


def distribution_step(
    refinement: Refinement, step: int, progress: float
) -> dict[str, Tensor]:
    """As ``InGAN.train_step``, with the distance between distributions of patches."""
    recipe, (*_, image) = refinement.recipe, refinement.pyramid
    discriminator = refinement.discriminator
    there = random_transformation(refinement)
    scales = refinement.ingan.settings.discriminator_scales
    fake = refinement.draw(there)
    fake_logits = judge(discriminator, fake, there, scales)
    real_logits = judge(discriminator, image, resizing(1, 1), scales)
    losses = {"adversarial": generator_loss(fake_logits, progress)}
    weights = {"adversarial": 1.0, "identity": 2 * IDENTITY}
    weights |= {"reconstruction": recipe.reconstruction}
    weights |= {"distribution": recipe.distribution}
    if step % 2:
        losses["identity"] = (refinement.draw(resizing(1, 1)) - image).abs().mean()
    elif recipe.reconstruction:
        back = refinement.draw_back(fake, there)
        losses["reconstruction"] = (back - image).abs().mean()
    if there.source is None:
        losses["distribution"] = distribution_loss(refinement, fake, image)
    total = fake.new_zeros(())
    for name, loss in losses.items():
        total = total + weights[name] * loss
    losses["discriminator"] = discriminator_loss(fake_logits, real_logits, progress)
    share = schedule(progress, decay=DECAY, shape="linear", least=LAST_RATE)
    set_learning_rate(refinement.generator_optimizer, share * recipe.rate)
    set_learning_rate(refinement.discriminator_optimizer, share * DISCRIMINATOR_RATE)
    update(refinement.generator_optimizer, total, retain_graph=True)
    update(refinement.discriminator_optimizer, losses["discriminator"])
    return losses


def distribution_loss(refinement: Refinement, fake: Tensor, image: Tensor) -> Tensor:
    """The mean of the distance at two scales."""
    recipe, total = refinement.recipe, fake.new_zeros(())
    for scale in (1, 1 / SCALE_FACTOR):
        first, second = fake, image
        if scale < 1:
            first, second = resize(fake, scale), resize(image, scale)
        total = total + 0.5 * distribution_distance(
            first,
            second,
            refinement.rng,
            directions=recipe.directions,
            samples=recipe.samples,
        )
    return total


def random_transformation(refinement: Refinement) -> Transformation:
    """A random size, and sometimes a homography or a smooth warp."""
    recipe, rng = refinement.recipe, refinement.rng
    *shares, one_side, warped, bent = torch.rand(5, generator=rng).tolist()
    scales = []
    for side, share in zip(refinement.sizes[0], shares, strict=True):
        scale = SMALLEST + share * (LARGEST - SMALLEST)
        scales.append(max(round(scale * side / SIDE_STEP), 2) * SIDE_STEP / side)
    if one_side < 0.4:
        scales[1] = 1.0
    elif one_side < 0.65:
        scales[0] = 1.0
    scaled = (scales[0], scales[1])
    if warped >= recipe.warps:
        return resizing(*scaled)
    if bent < 0.5:
        return random_homography(scaled, CORNER, rng)
    return random_smooth_warp(scaled, BEND, rng)


# ---- both parts


def refine(recipe: Recipe) -> None:
    """Refine one level, and write the checkpoint."""
    torch.set_num_threads(1)
    refinement = Refinement(recipe)
    state = recipe.work / f"{recipe.name}-{recipe.part}-{recipe.level}.pt"
    begin = 0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        begin = saved.pop("step")
        refinement.rng.set_state(saved.pop("rng"))
        for name, part in refinement.parts.items():
            part.load_state_dict(saved[name])
    ingan, target = refinement.ingan, None
    if recipe.part == "layout" and recipe.courses:
        target = wall_targets(ingan, refinement.image, recipe.courses)
    elif recipe.part == "layout":
        target = layout_targets(ingan)
    keep, started = (AVERAGE if target is None else 0.99), time.process_time()
    for step in range(begin, recipe.steps):
        progress = step / recipe.steps
        if target:
            losses = layout_step(refinement, target, progress)
        else:
            losses = distribution_step(refinement, step, progress)
        least = min(keep, (step + 1) / (step + 10))
        update_average(refinement.averaged, refinement.learning, least)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == recipe.steps:
            shown = {
                name: round(float(loss.detach()), 3) for name, loss in losses.items()
            }
            print(step + 1, f"{time.process_time() - started:.0f} s", shown, flush=True)
            parts = {n: part.state_dict() for n, part in refinement.parts.items()}
            torch.save(
                {"step": step + 1, "rng": refinement.rng.get_state(), **parts}, state
            )
    if recipe.state:
        learned = refinement.averaged.state_dict()
        ingan.generator.levels[recipe.level].load_state_dict(learned)
        save(ingan, recipe.state)
        return
    with safe_open(recipe.file, "pt") as before:
        provenance = {k: v for k, v in before.metadata().items() if k != "dil_teach"}
    done = f"{recipe.part} of level {recipe.level}, {recipe.steps} steps"
    provenance["refined"] = f"{provenance.get('refined', '')}{done}; "
    save(ingan, recipe.file, provenance)


if __name__ == "__main__":
    refine(tyro.cli(Recipe))
