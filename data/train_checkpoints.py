"""Train the InGAN checkpoints of the library, and write them to data/ingan.

    python data/train_checkpoints.py --names coins brick --device cuda --work states

The coarsest level trains on the CPU in ten minutes, because its steps are small. The
finer levels train on the device: in ten minutes on a GPU, in hours on a CPU. Every 500
steps the state is saved in the work folder. To continue, run the script again. A
generator belongs to exactly one image, so the eight-bit image is saved with each
checkpoint.

coins_history.png shows, from top to bottom, the coarsest level's result for the coins
at twice their width after 0, 500, 1000, ... steps.
"""

import json
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import tyro
from refine_checkpoints import Recipe, refine
from skimage.transform import ProjectiveTransform, warp

from dil_teach.deep.ingan.ingan import InGAN, InGANSettings
from dil_teach.image.convention import Image
from dil_teach.image.files import load_image, save_image
from dil_teach.image.photos import photo, photos
from dil_teach.image.resize import resize
from dil_teach.image.warp import resizing
from dil_teach.training.checkpoint import resume, save

OUT = Path(__file__).parent / "ingan"
SIDE = 192
"""Shorter side of the images, in pixels."""
NAMES = ("coins", "brick", "facade", "hubble")
PARTS = {"hubble": (slice(400, 784), slice(500, 884))}
"""Crops (rows, columns) of photographs whose objects would otherwise be too small."""
STRAIGHTENED = {"brick": ((98, 23), (401, 23), (462, 456), (56, 456))}
"""Corners (column, row) of a part of a photograph that is drawn as a square and turned
by a quarter. In the photograph of bricks the wall recedes. In the square all bricks are
equally large, and the courses are horizontal. The bricks' true ratio of length to
height is not known."""
SETTINGS = InGANSettings.standard(steps=6000, finer_steps=6000, patch_samples=512)
CHANGES: dict[str, dict] = {
    "facade": {"coarsest": 48},
    "hubble": {"coarsest": 48},
    "brick": {
        "steps": 100,
        "finer_steps": 400,
        "patch_samples": 128,
        "discriminator_scales": 3,
    },
}
"""Changed settings. For shutters and stars, a coarsest level of 32 pixels is not
enough. At this level a brick is 8 pixels long; at the third scale, a patch of the
discriminator covers 16 pixels, so it shows a whole brick."""


WALLS = {"brick": (10, 4000)}
"""Number of courses of a wall, and of steps in which the coarsest network learns the
targets of ``refine_checkpoints.py`` before the finer levels learn."""


def main(
    names: tuple[str, ...] = NAMES,
    device: str = "cpu",
    work: Path = Path("."),
    seed: int = 0,
) -> None:
    """Train the checkpoints of these photographs, one after another."""
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    for name in names:
        picture = OUT / f"{name}.png"
        if not picture.exists():
            save_image(part_of(name), picture)
        begin = time.time()
        ingan = trained(name, load_image(picture), device, work, seed)
        provenance = {
            "photograph": name,
            "attribution": photos()[name].attribution,
            "recipe": "data/train_checkpoints.py",
            "commit": _commit(),
            "torch": torch.__version__,
        }
        if name in WALLS:
            provenance["refined"] = f"layout of level 0, {WALLS[name][1]} steps, to "
            provenance["refined"] += "targets by the column warp, before level 1; "
        save(ingan, OUT / f"{name}.safetensors", provenance)
        seen = [load_image(file) for file in sorted(work.glob(f"{name}-{seed}-*.png"))]
        if seen:
            save_image(torch.cat(seen, 1), OUT / f"{name}_history.png")
        print(name, json.dumps(provenance), f"{time.time() - begin:.0f} s", flush=True)


def part_of(name: str) -> Image:
    """The part of a photograph on which the network is trained."""
    whole = photo(name)
    if name not in STRAIGHTENED:
        part = whole[:, *PARTS.get(name, ())]
        return resize(part, SIDE / min(part.shape[1:]))
    side = 3 * SIDE
    square = np.array([(0, 0), (side, 0), (side, side), (0, side)])
    corners = np.array(STRAIGHTENED[name])
    there = ProjectiveTransform.from_estimate(square, corners)
    drawn = warp(whole[0].double().numpy(), there, output_shape=(side, side), order=3)
    straight = torch.from_numpy(np.rot90(drawn).copy()).float()[None]
    return resize(straight, size=(SIDE, SIDE)).clamp(0, 1)


def trained(name: str, image: Image, device: str, work: Path, seed: int) -> InGAN:
    """Train to the last step, starting from the state in the work folder."""
    state = work / f"{name}-{seed}.safetensors"
    if state.exists():
        ingan = resume(state, image)
    else:
        settings = replace(SETTINGS, seed=seed, **CHANGES.get(name, {}))
        ingan = InGAN(image, settings)
    while not ingan.done:
        level = ingan.level
        if name in WALLS and ingan.step == ingan.level_steps[0]:
            courses, steps = WALLS[name]
            refine(
                Recipe(
                    name, "layout", 0, steps, courses=courses, state=state, work=work
                )
            )
            ingan = resume(state, image)
        if level and ingan.image.device.type != torch.device(device).type:
            ingan = resume(state, image.to(device))
        while not ingan.done and ingan.level == level:
            if name == "coins" and level == 0 and ingan.step % 500 == 0:
                seen = ingan.remap(resizing(1, 2))
                save_image(seen, work / f"{name}-{seed}-{ingan.step:05}.png")
            losses = ingan.train_step()
            if ingan.step % 500 == 0:
                shown = {name: round(float(loss), 2) for name, loss in losses.items()}
                print(name, ingan.step, f"level {level}", shown, flush=True)
                save(ingan, state)
        save(ingan, state)
    return ingan


def _commit() -> str:
    command = ["git", "-C", str(OUT.parent), "log", "-1", "--format=%h"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    tyro.cli(main)
