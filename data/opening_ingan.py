"""Draw the opening of chapter 12 from the InGAN checkpoint of the coins.

    python data/opening_ingan.py

It writes the pictures, an animation over the widths and the record to data/openings.
"""

import json
import time

import torch
import torch.nn.functional as F
from opening_files import OUT, QUALITY, commit_of_code
from PIL import Image as Picture

from dil_teach import load_image, resize, resume
from dil_teach.image.convention import Image, to_uint8
from dil_teach.image.metrics import count_objects
from dil_teach.image.photos import photos
from dil_teach.image.shipped import shipped
from dil_teach.image.warp import resizing

FRAMES = 16
"""Number of frames of the animation, from the photograph's size to twice the width."""
LARGEST = 2.0
WEBP_QUALITY = 38
MILLISECONDS = 180


def main() -> None:
    """Draw and write the opening."""
    torch.set_num_threads(1)
    folder = shipped("data/ingan")
    coins = load_image(folder / "coins.png")
    ingan = resume(folder / "coins.safetensors", coins)
    height, width = coins.shape[1:]
    begin = time.process_time()
    wide = ingan.remap(resizing(1, LARGEST))
    seconds = {"one picture of twice the width": round(time.process_time() - begin, 2)}
    pictures = {
        "the photograph": coins,
        "stretched": resize(coins, size=(height, 2 * width)).clamp(0, 1),
        "InGAN": wide,
    }
    panels = []
    for number, (title, image) in enumerate(pictures.items()):
        file = f"ingan_{number}.jpg"
        pixels = Picture.fromarray(to_uint8(image))
        pixels.save(OUT / file, quality=QUALITY, optimize=True)
        panels.append({"file": file, "title": title})
    found = {title: count_objects(image) for title, image in pictures.items()}
    record = {
        "panels": panels,
        "decibels": {},
        "measure": "none, because no photograph shows the right answer",
        "settings": "the shipped network of the coins (data/README.md)",
        "size": [height, width],
        "seconds": seconds,
        "coins": {title: number for title, (number, _) in found.items()},
        "width / height": {
            title: round(shape, 2) for title, (_, shape) in found.items()
        },
        "truth": "none is known",
        "licence": "public domain",
        "attribution": f"{photos()['coins'].attribution} (public domain)",
        "animation": {
            "file": "ingan.webp",
            "alt": "The picture by InGAN grows from the photograph's width to twice "
            "this width and back. Coins are added, and their size hardly changes.",
        },
        "commit": commit_of_code(),
        "torch": torch.__version__,
    }
    animate([ingan.remap(resizing(1, scale)) for scale in scales()])
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (OUT / "ingan.json").write_text(text + "\n", encoding="utf-8")


def scales() -> list[float]:
    """The width of each frame, divided by the photograph's."""
    return torch.linspace(1, LARGEST, FRAMES).tolist()


def animate(frames: list[Image]) -> None:
    """Write the frames, forwards and backwards, on a canvas of the largest size."""
    widest = max(frame.shape[2] for frame in frames)
    shown = [F.pad(frame, (0, widest - frame.shape[2]), value=1.0) for frame in frames]
    files = [Picture.fromarray(to_uint8(frame)) for frame in shown]
    waits = [4 * MILLISECONDS, *[MILLISECONDS] * (len(files) - 2), 4 * MILLISECONDS]
    first, *others = files + files[-2:0:-1]
    first.save(
        OUT / "ingan.webp",
        save_all=True,
        append_images=others,
        duration=waits + [MILLISECONDS] * (len(files) - 2),
        loop=0,
        quality=WEBP_QUALITY,
        method=6,
    )


if __name__ == "__main__":
    main()
