"""Compare our seam carving with the package seam-carving, and our column warp with
bicubic resizing.

``python benchmarks/seam_carving.py`` needs the extra ``peers``. The other package, the
peer, runs in its own process; ``--peer-python PATH`` names the Python of another
environment. Times are CPU seconds of one process: the minimum of several alternating
runs, after one run that compiles and warms up.

``--no-timing`` skips the peer and measures only completeness and coherence.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import record
import torch
import tyro
from torch import Tensor

from dil_teach import coherence, completeness, photo, resize
from dil_teach.classical.retarget.column_warp import column_warp
from dil_teach.classical.seams.seam_carving import at_width, carve, seam_order
from dil_teach.classical.seams.seams import ENERGIES, energy_map, find_seam, seam_energy
from dil_teach.image.metrics import luma

SEAMS = 100
TIMED = "china"
"""Times are measured on this photograph of 640 x 427 pixels."""
PHOTOS = ("astronaut", "chelsea", "coffee", "china", "flower", "facade", "coins")
AFTER = (0, 25, 50, 75)
"""The next seam is compared after these numbers of removed seams."""
SMALL = 112

PEER = """
import json, sys, time
import numpy as np
from seam_carving import carve

given = np.load(sys.argv[1])
if "image" in given:
    def run():
        start = time.process_time()
        size = int(given["width"]), given["image"].shape[0]
        carve.resize(given["image"], size, energy_mode=str(given["energy"]))
        return time.process_time() - start
    run()
    print(json.dumps([run() for _ in range(int(given["runs"]))]))
else:
    find = {
        "backward": carve._get_backward_seam,
        "forward": lambda grey: carve._get_forward_seam(grey, None),
    }
    seams = {name: find[name.split()[0]](given[name]).tolist() for name in given}
    print(json.dumps(seams))
"""


def ask(peer_python: Path, **given) -> list | dict:
    """Run the other package on these arrays, and return its results."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "given.npz"
        np.savez(path, **given)
        answer = subprocess.run(
            [str(peer_python), "-P", "-c", PEER, str(path)],  # not this file
            capture_output=True,
            text=True,
            check=True,
        )
    return json.loads(answer.stdout)


def times(peer_python: Path, rounds: int, runs: int) -> list[dict]:
    """Measure the CPU seconds that we and the peer need to remove 100 seams."""
    image = photo(TIMED)
    height, width = image.shape[1:]
    bytes_ = (255 * image).round().byte().permute(1, 2, 0).numpy()
    rows = []
    for energy in ENERGIES:
        seam_order(image, 2, energy=energy)
        ours, theirs = [], []
        for _ in range(rounds):
            theirs += ask(
                peer_python,
                image=bytes_,
                width=width - SEAMS,
                energy=energy,
                runs=runs,
            )
            for _ in range(runs):
                start = time.process_time()
                carve(image, (height, width - SEAMS), energy=energy)
                ours.append(time.process_time() - start)
        rows.append(
            {
                "energy": energy,
                "image": f"{width} x {height}",
                "seams": SEAMS,
                "ours, CPU s": min(ours),
                "peer, CPU s": min(theirs),
                "ratio": min(theirs) / min(ours),
                "ratio of medians": median(theirs) / median(ours),
            }
        )
        print(rows[-1])
    return rows


def energies(peer_python: Path) -> list[dict]:
    """Compare the energy of our seam with that of the other library's seam."""
    rows = []
    for name in PHOTOS:
        image = photo(name)
        maps: dict[str, Tensor] = {}
        given: dict[str, np.ndarray] = {}
        for energy in ENERGIES:
            order = seam_order(image, max(AFTER), energy=energy)
            for after in AFTER:
                left = at_width(image, order, image.shape[2] - after)
                key = f"{energy} {after}"
                maps[key] = energy_map(left, energy)
                looked_at = luma(left)[0] if energy == "forward" else maps[key]
                given[key] = looked_at.float().numpy()
        seams = ask(peer_python, **given)
        assert isinstance(seams, dict)
        for energy in ENERGIES:
            off = []
            for key in (key for key in maps if key.startswith(energy)):
                theirs = seam_energy(maps[key], torch.tensor(seams[key]))
                ours = seam_energy(maps[key], find_seam(maps[key]))
                off.append((ours - theirs) / theirs)
            rows.append(
                {
                    "image": name,
                    "energy": energy,
                    "maps": len(off),
                    "largest relative difference, in millionths": 1e6
                    * max(off, key=abs),
                }
            )
            print(rows[-1])
    return rows


def measures() -> list[dict]:
    """Measure completeness and coherence at two widths, divided by those of bicubic."""
    rows = []
    for name in PHOTOS:
        image = photo(name)
        height, width = image.shape[1:]
        height = round(SMALL * height / width)
        image = resize(image, size=(height, SMALL)).clamp(0, 1)
        for scale in (2.0, 0.5):
            wanted = round(scale * SMALL)
            plain = resize(image, size=(height, wanted)).clamp(0, 1)
            start = time.process_time()
            results = {"column warp": column_warp(image, wanted)}
            row = {
                "image": name,
                "scale of the width": scale,
                "column warp, CPU ms": 1000 * (time.process_time() - start),
            }
            for energy in ENERGIES:
                results[f"seams, {energy}"] = carve(
                    image, (height, wanted), energy=energy
                )
            for method, result in results.items():
                for measure in (completeness, coherence):
                    share = measure(image, result) / measure(image, plain)
                    row[f"{method}, {measure.__name__}"] = share
            rows.append(row)
            print(row)
    return rows


def measure(
    peer_python: Path = Path(sys.executable),
    rounds: int = 4,
    runs: int = 2,
    timing: bool = True,
) -> None:
    """Measure times, seam energies, completeness and coherence."""
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/seam_carving.py")
    patches = measures()
    if timing:
        equal = energies(peer_python)
        rows = times(peer_python, rounds, runs)
        record.write(
            "seam_carving", rows, commit, energies=equal, patch_measures=patches
        )


if __name__ == "__main__":
    tyro.cli(measure)
