"""Draw the opening of chapter 15: natural haze lifts from a mountain.

    python data/opening_hill.py

The photograph is ``aitzgorri``, at 512 x 341 pixels. Its haze is natural, so no ground
truth is known and no result has a PSNR. The script writes ``data/openings/hill_*.jpg``,
the animation ``hill.webp`` and the record ``hill.json``, on one CPU thread.
"""

import json

import torch
from opening_files import OUT, SEED, Seconds, commit_of_code
from PIL import Image as Picture

from dil_teach import Dehazing, DehazingSettings, fit, photo
from dil_teach.classical.haze.dark_channel import invert_haze
from dil_teach.image.convention import Image, to_uint8
from dil_teach.image.photos import photos
from dil_teach.image.resize import limit_side

SIDE, FILM_SIDE = 512, 272
"""Longer side of the pictures and of the animation in pixels."""
FRAMES, QUALITY = 12, 50
"""Number of frames of the animation, and quality of its WebP file."""


def picture(image: Image) -> Picture.Image:
    """The image as an eight-bit picture."""
    return Picture.fromarray(to_uint8(image))


def hill() -> None:
    """Remove the haze from the whole picture, and then step by step."""
    torch.set_num_threads(1)
    seconds, image = Seconds(), limit_side(photo("aitzgorri")[None], SIDE)
    image = image.clamp(0, 1)
    settings = DehazingSettings.quick(seed=SEED)
    method = Dehazing(image, settings=settings)
    seconds.of("Double-DIP", lambda: fit(method))

    def without(transmission: torch.Tensor) -> Image:
        found = invert_haze(method.frames, method.small, transmission, method.air)
        return found.image[0]

    result = method.result()
    pictures = {
        "the photograph": image[0],
        "guided dark channel, our airlight": without(method.dark),
        "Double-DIP, our airlight": result.image[0],
        "transmission": result.transmission[0].expand(3, -1, -1),
    }
    panels = []
    for number, (title, shown) in enumerate(pictures.items()):
        panels.append({"file": f"hill_{number}.jpg", "title": title})
        picture(shown).save(OUT / f"hill_{number}.jpg", quality=75, optimize=True)
    films = []
    mask = method.dip.layers().mask ** 0.65 * method.dark**0.35
    for lifted in torch.linspace(0, 1, FRAMES):
        clear = without(mask ** float(lifted))[None]
        films.append(picture(limit_side(clear, FILM_SIDE)[0].clamp(0, 1)))
    films += films[::-1]
    films[0].save(
        OUT / "hill.webp",
        save_all=True,
        append_images=films[1:],
        duration=120,
        loop=0,
        quality=QUALITY,
        kmax=1,  # every frame is a key frame, without traces of the frame before
        method=6,
    )
    about = photos()["aitzgorri"]
    record = {
        "panels": panels,
        "decibels": {},
        "animation": {
            "file": "hill.webp",
            "alt": "The blue haze before the mountain becomes thinner from frame to "
            "frame, until its ledges and the trees on its slope are clear.",
        },
        "truth": "none is known",
        "measure": "none, because the haze is natural and no truth is known",
        "settings": "DehazingSettings.quick()",
        "size": list(image.shape[2:]),
        "seconds": seconds,
        "licence": about.licence,
        "attribution": about.attribution,
        "seed": SEED,
        "commit": commit_of_code(),
        "torch": torch.__version__,
    }
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (OUT / "hill.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    hill()
