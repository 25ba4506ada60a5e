"""Check that all methods still give the same results, by hashes of the results at
`quick`.

    python benchmarks/same_results.py record hashes.json    # before a change
    python benchmarks/same_results.py compare hashes.json   # after it

It runs the commands of ``COMMANDS`` on bundled photographs and scenes, and every
chapter. The script hashes the pixels of each written file, and the text that each
chapter's claims print. Hashes depend on the processor and on the versions of torch and
NumPy.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import numpy as np
from nbclient import NotebookClient
from PIL import Image as Picture

ROOT = Path(__file__).parents[1]
SCENES = ROOT / "data/scenes"
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def prepare(folder: Path) -> None:
    """Write the inputs: crops of bundled photographs, masks and a noisy copy."""
    from dil_teach import photo

    def keep(name: str, values: np.ndarray) -> None:
        Picture.fromarray((255 * values).clip(0, 255).astype("uint8")).save(
            folder / name
        )

    astronaut = photo("astronaut").permute(1, 2, 0).numpy()
    face = astronaut[20:116, 60:172]
    keep("photo.png", face)
    rng = np.random.default_rng(0)
    keep("noisy.png", face + 0.1 * rng.standard_normal(face.shape))
    hole = np.zeros(face.shape[:2])
    hole[40:56, 30:60] = 1
    keep("hole.png", hole)
    coins = photo("coins")[0].numpy()
    keep("coins.png", coins[:76, :96])


COMMANDS = {
    "super-resolve": "super-resolve photo.png {out}/sr.png",
    "super-resolve noise": "super-resolve noisy.png {out}/srn.png --scale 1.5"
    " --noise 25",
    "super-resolve glasner": "super-resolve photo.png {out}/glasner.png"
    " --method glasner",
    "super-resolve freedman-fattal": "super-resolve photo.png {out}/local.png"
    " --method freedman-fattal",
    "denoise dip": "denoise noisy.png {out}/dip.png",
    "denoise zs-n2n": "denoise noisy.png {out}/n2n.png --method zs-n2n",
    "denoise nlm": "denoise noisy.png {out}/nlm.png --method nlm",
    "denoise bm3d": "denoise noisy.png {out}/bm3d.png --method bm3d",
    "denoise ksvd": "denoise noisy.png {out}/ksvd.png --method ksvd",
    "inpaint": "inpaint photo.png hole.png {out}/filled.png",
    "inpaint wexler": "inpaint photo.png hole.png {out}/patches.png --method wexler",
    "inpaint efros-leung": "inpaint photo.png hole.png {out}/pixels.png"
    " --method efros-leung",
    "synthesise": "synthesise coins.png {out}/texture.png --size 64x80",
    "dehaze": "dehaze {scenes}/haze_alley_image.png {out}/clear.png"
    " --transmission-out {out}/t.png --airlight-out {out}/a.json",
    "dehaze non-uniform": "dehaze {scenes}/haze_sunset_image.png {out}/sunset.png"
    " --non-uniform",
    "dehaze dark channel": "dehaze {scenes}/haze_lake_image.png {out}/dark.png"
    " --method dark-channel",
    "segment": "segment {scenes}/star_image.png {out}/star.png"
    " --foreground-hint {scenes}/star_foreground_hint.png"
    " --background-hint {scenes}/star_background_hint.png",
    "segment no hints": "segment {scenes}/cat_image.png {out}/cat.png"
    " --method double-dip",
    "separate": "separate {scenes}/mix_cat_mixtures_0.png"
    " {scenes}/mix_cat_mixtures_1.png"
    " --out-first {out}/one.png --out-second {out}/two.png",
    "separate one": "separate {scenes}/mix_camera_mixtures_0.png"
    " --out-first {out}/only1.png --out-second {out}/only2.png --method double-dip",
    "remove-watermark": "remove-watermark {scenes}/watermark_marked_0.png"
    " {scenes}/watermark_marked_1.png {scenes}/watermark_marked_2.png"
    " --out-dir {out}/clean",
    "retarget gpnn": "retarget photo.png {out}/gpnn.png --scale-x 1.5",
    "retarget bidirectional": "retarget photo.png {out}/bidirectional.png"
    " --scale-x 0.7 --method bidirectional --protect hole.png",
    "retarget seam": "retarget photo.png {out}/seam.png --scale-x 0.8 --method seam",
    "retarget seam protect": "retarget photo.png {out}/protected.png --scale-y 0.9"
    " --method seam --protect hole.png",
    "retarget seam wider": "retarget photo.png {out}/wider.png --scale-x 1.3"
    " --method seam",
    "retarget ingan": "retarget coins.png {out}/ingan.png --scale-x 1.5 --method ingan",
    "retarget expand": "retarget coins.png {out}/expand.png --scale-x 2 --scale-y 2"
    " --method expand",
    "compress": "compress photo.png {out}/a.frac",
    "recurrence": "recurrence photo.png {out}/r.png",
    "recurrence in scale": "recurrence coins.png {out}/s.png --scale 0.64",
    "statistics": "statistics photo.png {out}/statistics.png",
}
"""The commands. Every file that a command writes to ``out`` is hashed."""


def hash_of(file: Path) -> str:
    """A hash of a picture's pixels, or of another file's bytes."""
    if file.suffix == ".png":
        with Picture.open(file) as picture:
            content = np.asarray(picture).tobytes()
    else:
        content = file.read_bytes()
    return hashlib.sha256(content).hexdigest()[:16]


def of_commands(folder: Path, only: str) -> dict[str, str]:
    """Run each command; return a hash for each file that it writes."""
    hashes = {}
    for name, line in COMMANDS.items():
        if only not in name:
            continue
        out = folder / name
        out.mkdir()
        words = [word.format(out=out, scenes=SCENES) for word in line.split()]
        command = [sys.executable, "-m", "dil_teach.cli", *words]
        subprocess.run(
            command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True
        )
        for file in sorted(path for path in out.rglob("*") if path.is_file()):
            key = f"{name}: {file.relative_to(out)}"
            hashes[key] = hash_of(file)
            print(key, hashes[key], flush=True)
    return hashes


def of_chapters(only: str) -> dict[str, str]:
    """Run each chapter; return a hash of the text that its claims print."""
    hashes = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        name = path.stem
        if only not in name:
            continue
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            client = NotebookClient(
                notebook, timeout=None, resources={"metadata": {"path": folder}}
            )
            os.environ.update(ENVIRONMENT)
            client.execute()
        printed = [
            output.get("text", "")
            for cell in notebook.cells
            if cell.cell_type == "code" and "NBVAL_CHECK_OUTPUT" in cell.source
            for output in cell.outputs
        ]
        hashes[f"chapter {name}"] = hashlib.sha256(
            "".join(printed).encode()
        ).hexdigest()[:16]
        print(name, hashes[f"chapter {name}"], flush=True)
    return hashes


def main() -> None:
    what, file, *only = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        found = of_commands(Path(folder), *only or [""])
    found |= of_chapters(*only or [""])
    if what == "record":
        Path(file).write_text(json.dumps(found, indent=1) + "\n")
        return
    before = json.loads(Path(file).read_text())
    changed = [name for name in found if found[name] != before.get(name)]
    print(f"{len(found) - len(changed)} of {len(found)} are the same")
    print(*(f"changed: {name}" for name in changed), sep="\n")
    sys.exit(bool(changed))


if __name__ == "__main__":
    main()
