"""Train the InGAN checkpoints of the library, and write them to data/ingan.

    python data/train_checkpoints.py --names coins brick --device cuda --work states

The coarsest level trains on the CPU in ten minutes, because its steps are small. The
finer levels train on the device: in ten minutes on a GPU, in hours on a CPU. After each
level the state is saved in the work folder. To continue, run the script again. A
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

import torch
import tyro

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
SETTINGS = InGANSettings.standard(steps=6000, finer_steps=6000, patch_samples=512)
COARSEST = {"facade": 48, "hubble": 48}
"""Shorter side of the coarsest level, in pixels. For shutters and stars, 32 pixels are
not enough."""


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
            whole = photo(name)[:, *PARTS.get(name, ())]
            save_image(resize(whole, SIDE / min(whole.shape[1:])), picture)
        begin = time.time()
        ingan = trained(name, load_image(picture), device, work, seed)
        provenance = {
            "photograph": name,
            "attribution": photos()[name].attribution,
            "recipe": "data/train_checkpoints.py",
            "commit": _commit(),
            "torch": torch.__version__,
        }
        save(ingan, OUT / f"{name}.safetensors", provenance)
        seen = [load_image(file) for file in sorted(work.glob(f"{name}-{seed}-*.png"))]
        if seen:
            save_image(torch.cat(seen, 1), OUT / f"{name}_history.png")
        print(name, json.dumps(provenance), f"{time.time() - begin:.0f} s", flush=True)


def trained(name: str, image: Image, device: str, work: Path, seed: int) -> InGAN:
    """Train to the last step, starting from the state in the work folder."""
    state = work / f"{name}-{seed}.safetensors"
    if state.exists():
        ingan = resume(state, image)
    else:
        coarsest = COARSEST.get(name, SETTINGS.coarsest)
        ingan = InGAN(image, replace(SETTINGS, coarsest=coarsest, seed=seed))
    while not ingan.done:
        level = ingan.level
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
    return ingan


def _commit() -> str:
    command = ["git", "-C", str(OUT.parent), "log", "-1", "--format=%h"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    tyro.cli(main)
