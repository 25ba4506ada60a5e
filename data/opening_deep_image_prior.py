"""Draw the opening of chapter 13: a dahlia of 256 pixels emerges from noise.

    python data/opening_deep_image_prior.py runs/dip  # a quarter of an hour

The folder keeps the state of the training and the network's outputs. Run the script
again after an interruption, and it continues. The result is the answer that Deep Image
Prior keeps by its own stopping rule. The training then goes on, so that the animation
also shows the noise. The ground truth scores the results; the method never sees it.
"""

import json
import time
from pathlib import Path

import numpy as np
import torch
import tyro
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from opening_files import OUT, SEED, SIDE, rounded, write
from PIL import Image as Picture

from dil_teach import bm3d, photo, psnr, resume, save
from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
from dil_teach.image.augment import add_noise
from dil_teach.image.convention import Image, to_uint8
from dil_teach.image.files import load_image, save_image
from dil_teach.image.metrics import noise_level
from dil_teach.image.photos import photos

SETTINGS = DeepImagePriorSettings.full(networks=1, seed=SEED)
AFTER = 800
"""Number of training steps after the stop, for the animation."""
EVERY = 10
"""Number of steps between two outputs that are kept."""
FRAMES = 36
MILLISECONDS = 220
"""Time for which the animation shows each frame."""


def given() -> tuple[Image, Image]:
    """The photograph, and a noisy copy with eight bits, as in the chapter."""
    truth = photo("flower", size=SIDE)
    rng = torch.Generator().manual_seed(1000 + SEED)
    return truth, rounded(add_noise(truth, 25 / 255, rng))


def run(folder: Path, truth: Image, noisy: Image) -> list[dict]:
    """Train until ``AFTER`` steps after the stop; return a row for each kept output."""
    state, log = folder / "state.safetensors", folder / "log.json"
    dip = DeepImagePrior(noisy, settings=SETTINGS)
    rows: list[dict] = []
    if log.exists():
        rows = json.loads(log.read_text())
        dip = resume(state, noisy)
    spent = rows[-1]["seconds"] if rows else 0.0
    stop = next((row["step"] for row in rows if row["done"]), None)
    while dip.step < dip.total_steps and (stop is None or dip.step < stop + AFTER):
        begin = time.process_time()
        dip.train_step()
        spent += time.process_time() - begin
        if dip.done and stop is None:
            stop = dip.step
            save_image(dip.result(), folder / "result.png")
        if dip.step % EVERY == 0 or dip.step == stop:
            raw = dip.raw()
            save_image(raw, folder / f"output_{dip.step}.png")
            rows.append(
                {
                    "step": dip.step,
                    "done": stop is not None,
                    "kept": dip.stopped_at,
                    "seconds": spent,
                    "output": psnr(raw, truth),
                    "average": psnr(dip.averaged(), truth),
                    "result": psnr(dip.result(), truth),
                }
            )
        if dip.step % 100 == 0:
            save(dip, state)
            log.write_text(json.dumps(rows))
    save(dip, state)
    log.write_text(json.dumps(rows))
    return rows


def frame(rows: list[dict], at: int, kept: int, output: Image) -> Picture.Image:
    """An output of the network beside the curve of its PSNR up to this step."""
    figure = Figure(figsize=(3.0, 2.56), dpi=100, layout="constrained")
    canvas, axes = FigureCanvasAgg(figure), figure.add_subplot()
    steps = [row["step"] for row in rows]
    scores = [row["output"] for row in rows]
    axes.plot(steps[: at + 1], scores[: at + 1], color="#0072B2")
    axes.plot(steps[at], scores[at], "o", color="#0072B2")
    axes.axvline(kept, color="#D55E00", linestyle="--", label="stop (own rule)")
    axes.set(xlim=(0, steps[-1]), ylim=(min(scores) - 0.5, max(scores) + 1.5))
    axes.set_xlabel("training step", fontsize=9)
    axes.set_ylabel("PSNR of the output [dB]", fontsize=9)
    axes.tick_params(labelsize=9)
    axes.legend(fontsize=9, loc="lower right", frameon=False)
    axes.set_title(f"step {steps[at]}: {scores[at]:.1f} dB", fontsize=10)
    canvas.draw()
    plot = Picture.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    whole = Picture.new("RGB", (SIDE + plot.width, max(SIDE, plot.height)), "white")
    whole.paste(Picture.fromarray(to_uint8(output)), (0, 0))
    whole.paste(plot, (SIDE, 0))
    return whole


def animation(folder: Path, rows: list[dict], kept: int) -> None:
    """Write the history: small steps at first, and a longer look at the kept step."""
    last = len(rows) - 1
    spaced = np.geomspace(1, last + 1, FRAMES).round().astype(int) - 1
    even = np.linspace(0, last, FRAMES // 2).round().astype(int)
    stop = min(range(len(rows)), key=lambda i: abs(rows[i]["step"] - kept))
    chosen = sorted({*spaced.tolist(), *even.tolist(), stop})
    frames = [
        frame(rows, i, kept, load_image(folder / f"output_{rows[i]['step']}.png"))
        for i in chosen
    ]
    longer = {stop, last}
    frames[0].save(
        OUT / "deep_image_prior.webp",
        save_all=True,
        append_images=frames[1:],
        duration=[MILLISECONDS * (8 if i in longer else 1) for i in chosen],
        loop=0,
        quality=45,
        method=6,
    )


def main(folder: tyro.conf.Positional[Path]) -> None:
    """Train, and draw the opening of chapter 13."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    truth, noisy = given()
    rows = run(folder, truth, noisy)
    kept = rows[-1]["kept"]
    stopped = next((row for row in rows if row["done"]), rows[-1])
    result, last = (
        load_image(folder / name)
        for name in ("result.png", f"output_{rows[-1]['step']}.png")
    )
    begin = time.process_time()
    control = rounded(bm3d(noisy, noise_level(noisy)))
    seconds = {
        "Deep Image Prior until its stop": round(stopped["seconds"], 1),
        "BM3D": round(time.process_time() - begin, 1),
    }
    early = load_image(folder / f"output_{rows[3]['step']}.png")
    titles = {
        "given": noisy,
        "output, early": early,
        "result": result,
        "output, too late": last,
        "BM3D": control,
        "ground truth": truth,
    }
    animation(folder, rows, kept)
    credit = photos()["flower"]
    write(
        "deep_image_prior",
        titles,
        {
            name: round(psnr(image, truth), 2)
            for name, image in titles.items()
            if name != "ground truth"
        }
        | {"best step (oracle)": round(max(row["average"] for row in rows), 2)},
        measure="PSNR over all channels, whole picture",
        settings="DeepImagePriorSettings.full(networks=1)",
        size=[SIDE, SIDE],
        seconds=seconds,
        steps={"early": rows[3]["step"], "kept": kept, "late": rows[-1]["step"]},
        animation={
            "file": "deep_image_prior.webp",
            "alt": "The output of the network during training: blobs, then the flower, "
            "then its petals, and at last the flower with noise; beside it the curve "
            "of its PSNR, which rises, and falls after the marked stop",
        },
        licence=credit.licence,
        attribution=credit.attribution,
    )


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
