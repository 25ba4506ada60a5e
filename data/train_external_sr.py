"""Train the external super-resolution networks that ship, and write data/external_sr.

    python data/train_external_sr.py --pictures PICTURES --network edsr --work states

PICTURES is a folder of the papers' training pictures: the 91 pictures of Yang et al.
(TIP 2010) and the 200 training pictures of the Berkeley Segmentation Dataset (Martin et
al., ICCV 2001), without 302003, of which 'woman' in Set5 is a smaller copy. The state
is saved every 500 steps; run the script again to continue. The weights are written in
half precision.
"""

from pathlib import Path
from typing import Literal

import torch
import tyro
from safetensors.torch import save_file

from dil_teach.deep.external_sr.external_sr import ExternalSettings, ExternalTraining
from dil_teach.image.convention import Video
from dil_teach.image.files import load_image, written_whole
from dil_teach.image.resize import resize
from dil_teach.training.checkpoint import digest, resume, save
from dil_teach.training.loop import train

OUT = Path(__file__).parent / "external_sr"
TILE = 96
"""Side of the tiles in pixels."""
STRIDE = 72
"""Distance between neighbouring tiles in pixels."""
SHRINK = (1.0, 0.7)
"""The pictures are used at these sizes: a smaller picture has finer detail."""


def tiles(folder: Path) -> Video:
    """All tiles of all RGB pictures in the subfolders of a folder, in eight bits."""
    found = []
    for path in sorted(folder.glob("*/*.[pj][np]g")):
        picture = load_image(path)
        for shrink in SHRINK:
            scaled = resize(picture, shrink).clamp(0, 1)
            if len(scaled) == 3 and min(scaled.shape[1:]) >= TILE:
                found += [
                    scaled[:, y : y + TILE, x : x + TILE]
                    for y in places(scaled.shape[1])
                    for x in places(scaled.shape[2])
                ]
    return (torch.stack(found) * 255).round() / 255


def places(length: int) -> list[int]:
    """Evenly spaced starts of tiles that together cover a side of a picture."""
    gaps = -(-(length - TILE) // STRIDE)
    return torch.linspace(0, length - TILE, gaps + 1).int().tolist()


def main(
    pictures: Path,
    network: Literal["srcnn", "vdsr", "edsr"],
    work: Path = Path("."),
    steps: int = 32_000,
) -> None:
    """Train one network to its last step, and write its averaged weights."""
    torch.set_num_threads(1)
    state = work / f"{network}.safetensors"
    images = tiles(pictures)
    if state.exists():
        training = resume(state, images)
    else:
        training = ExternalTraining(images, ExternalSettings(network, steps=steps))
    for progress in train(training, report_every=500):
        save(training, state)
        print(network, progress.step, progress.losses, flush=True)
    provenance = {
        "network": network,
        "pictures": f"{len(images)} tiles of T91 and BSD200 without 302003",
        "recipe": f"data/train_external_sr.py --network {network} --steps {steps}",
        "torch": torch.__version__,
    }
    weights = training.average.state_dict()
    half = {name: w.half().contiguous() for name, w in weights.items()}
    OUT.mkdir(exist_ok=True)
    with written_whole(OUT / f"{network}.safetensors") as place:
        save_file(half, place, provenance | {"sha256": digest(None, half)})


if __name__ == "__main__":
    tyro.cli(main)
