"""Draw the second opening of chapter 13: a text is removed from a photograph.

    python data/opening_inpainting.py runs/text  # three minutes

The folder keeps the state of the training: run the script again after an interruption,
and it continues. The text hides a part of the pixels; the loss of Deep Image Prior
ignores them. Biharmonic interpolation is the control. The ground truth scores the
results; no method sees it.
"""

import time
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Float
from opening_files import SEED, SIDE, Seconds, rounded, write
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont
from torch import Tensor

from dil_teach import photo, psnr, resume, save, train
from dil_teach.classical.inpainting import biharmonic
from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
from dil_teach.image.convention import Image
from dil_teach.image.degradation import masked
from dil_teach.image.photos import photos

PHOTOGRAPH, CORNER = "astronaut", (0, 96)
SETTINGS = DeepImagePriorSettings.full(networks=1, steps=600, seed=SEED)
WORDS = (
    "No other picture",
    "has been shown to",
    "this network. It",
    "fits faces sooner",
    "than noise, and so",
    "it fills letters.",
)
FONT, STROKE = 28, 1
"""Height of the letters, and the width by which their lines are wider, in pixels."""


def text() -> Float[Tensor, "1 h w"]:
    """The mask: 1 in the letters."""
    page = Picture.new("L", (SIDE, SIDE))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(FONT)
    for row, line in enumerate(WORDS):
        place = 6, 6 + 41 * row
        pen.text(place, line, fill=255, font=font, stroke_width=STROKE)
    return torch.from_numpy((np.array(page) > 127).astype(np.float32))[None]


def trained(
    folder: Path, given: Image, mask: Tensor, seconds: dict[str, float]
) -> DeepImagePrior:
    """The trained method; ``seconds`` gets the CPU seconds of all its parts."""
    state, clock = folder / "state.safetensors", folder / "seconds.txt"
    dip = DeepImagePrior(given, masked(mask), SETTINGS)
    spent = 0.0
    if clock.exists():
        dip, spent = resume(state, given), float(clock.read_text())
    begin = time.process_time() - spent
    for _ in train(dip, report_every=50):
        save(dip, state)
        clock.write_text(str(time.process_time() - begin))
    seconds["Deep Image Prior"] = round(time.process_time() - begin, 1)
    return dip


def main(folder: tyro.conf.Positional[Path]) -> None:
    """Train, and draw the second opening of chapter 13."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    (top, left), mask, seconds = CORNER, text(), Seconds()
    truth = photo(PHOTOGRAPH)[:, top : top + SIDE, left : left + SIDE]
    hidden = (1 - mask) * truth
    dip = trained(folder, hidden, mask, seconds)
    control = seconds.of("biharmonic interpolation", lambda: biharmonic(hidden, mask))
    pictures = {
        "biharmonic interpolation": control.clamp(0, 1),
        "Deep Image Prior": dip.result(),
    }
    inside = mask[0] > 0.5
    hole = {
        name: round(psnr(image[:, inside][None], truth[:, inside][None]), 2)
        for name, image in pictures.items()
    }
    credit = photos()[PHOTOGRAPH]
    shown = {"given": torch.maximum(hidden, mask)} | pictures | {"ground truth": truth}
    write(
        "inpainting",
        {name: rounded(image) for name, image in shown.items()},
        hole,
        measure="PSNR of the hidden pixels over all channels",
        settings=f"DeepImagePriorSettings.full(networks=1, steps={SETTINGS.steps})",
        size=[SIDE, SIDE],
        seconds=seconds,
        hidden=round(float(mask.mean()), 3),
        licence=credit.licence,
        attribution=credit.attribution,
    )


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
