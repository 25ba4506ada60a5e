"""Whether the methods still give the same results: a hash of each at `quick`.

    python benchmarks/same_results.py record hashes.json    # before a change
    python benchmarks/same_results.py compare hashes.json   # after it

Runs every command on bundled photographs and scenes, and every chapter, and hashes the
pixels of each file that is written and the text that each chapter's claims print.
Hashes depend on the processor and on the versions of torch and NumPy.
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
    keep("small.png", coins[:40, :48])


def commands() -> dict[str, tuple[list[str], list[str]]]:
    """Each command's arguments, and the files that it writes."""
    scene = lambda name: str(SCENES / f"{name}.png")  # noqa: E731
    gpnn = ["retarget", "photo.png", "gpnn.png", "--scale-x", "1.5"]
    bidirectional = ["retarget", "photo.png", "bidirectional.png", "--scale-x", "0.7"]
    seam = ["retarget", "photo.png", "seam.png", "--scale-x", "0.8"]
    protected = ["retarget", "photo.png", "protected.png", "--scale-y", "0.9"]
    ingan = ["retarget", "coins.png", "ingan.png", "--scale-x", "1.5"]
    expand = ["retarget", "coins.png", "expand.png", "--scale-x", "2", "--scale-y", "2"]
    watermarked = [scene(f"watermark_marked_{i}") for i in range(3)]
    return {
        "super-resolve": (["super-resolve", "photo.png", "sr.png"], ["sr.png"]),
        "super-resolve noise": (
            [
                "super-resolve",
                "noisy.png",
                "srn.png",
                "--scale",
                "1.5",
                "--noise",
                "25",
            ],
            ["srn.png"],
        ),
        "denoise dip": (["denoise", "noisy.png", "dip.png"], ["dip.png"]),
        "denoise zs-n2n": (
            ["denoise", "noisy.png", "n2n.png", "--method", "zs-n2n"],
            ["n2n.png"],
        ),
        "inpaint": (["inpaint", "photo.png", "hole.png", "filled.png"], ["filled.png"]),
        "dehaze": (
            ["dehaze", scene("haze_alley_image"), "clear.png"]
            + ["--transmission-out", "t.png", "--airlight-out", "a.json"],
            ["clear.png", "t.png", "a.json"],
        ),
        "dehaze non-uniform": (
            ["dehaze", scene("haze_sunset_image"), "sunset.png", "--non-uniform"],
            ["sunset.png"],
        ),
        "dehaze dark channel": (
            ["dehaze", scene("haze_lake_image"), "dark.png"]
            + ["--method", "dark-channel"],
            ["dark.png"],
        ),
        "segment": (
            ["segment", scene("star_image"), "star.png"]
            + ["--foreground-hint", scene("star_foreground_hint")]
            + ["--background-hint", scene("star_background_hint")],
            ["star.png"],
        ),
        "segment no hints": (["segment", scene("cat_image"), "cat.png"], ["cat.png"]),
        "separate": (
            ["separate", scene("mix_cat_mixtures_0"), scene("mix_cat_mixtures_1")]
            + ["--out-first", "one.png", "--out-second", "two.png"],
            ["one.png", "two.png"],
        ),
        "separate one": (
            ["separate", scene("mix_camera_mixtures_0")]
            + ["--out-first", "only1.png", "--out-second", "only2.png"],
            ["only1.png", "only2.png"],
        ),
        "remove-watermark": (
            ["remove-watermark", *watermarked, "--out-dir", "clean"],
            [f"clean/watermark_marked_{i}.png" for i in range(3)],
        ),
        "retarget gpnn": (gpnn, ["gpnn.png"]),
        "retarget bidirectional": (
            [*bidirectional, "--method", "bidirectional", "--protect", "hole.png"],
            ["bidirectional.png"],
        ),
        "retarget seam": ([*seam, "--method", "seam"], ["seam.png"]),
        "retarget seam protect": (
            [*protected, "--method", "seam", "--protect", "hole.png"],
            ["protected.png"],
        ),
        "retarget seam wider": (
            ["retarget", "photo.png", "wider.png", "--scale-x", "1.3"]
            + ["--method", "seam"],
            ["wider.png"],
        ),
        "retarget ingan": ([*ingan, "--method", "ingan"], ["ingan.png"]),
        "retarget expand": ([*expand, "--method", "expand"], ["expand.png"]),
        "recurrence": (["recurrence", "photo.png", "r.png"], ["r.png", "r.json"]),
        "recurrence in scale": (
            ["recurrence", "coins.png", "s.png", "--scale", "0.64"],
            ["s.png", "s.json"],
        ),
    }


def hash_of(file: Path) -> str:
    """Of a picture's pixels, or of the bytes of any other file."""
    if file.suffix == ".png":
        with Picture.open(file) as picture:
            content = np.asarray(picture).tobytes()
    else:
        content = file.read_bytes()
    return hashlib.sha256(content).hexdigest()[:16]


def of_commands(folder: Path, only: str) -> dict[str, str]:
    """A hash for each file that each command writes."""
    hashes = {}
    for name, (arguments, files) in commands().items():
        if only not in name:
            continue
        subprocess.run(
            [sys.executable, "-m", "dil_teach.cli", *arguments],
            cwd=folder,
            env=ENVIRONMENT,
            check=True,
            capture_output=True,
        )
        for file in files:
            hashes[f"{name}: {file}"] = hash_of(folder / file)
            print(f"{name}: {file}", hashes[f"{name}: {file}"], flush=True)
    return hashes


def of_chapters(only: str) -> dict[str, str]:
    """For each chapter, a hash of what its cells that check a claim print."""
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
        out = os.environ.get("KEEP_TEXT")
        if out:
            Path(out, name + ".txt").write_text("".join(printed))
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
