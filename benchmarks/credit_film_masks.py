"""Segmentation of a video: which part makes the gain, as a table of exact credit.

    python benchmarks/credit_film_masks.py

The first four frames of the rendered video, at 96 x 96 pixels, with hints for the first
frame. It writes ``benchmarks/results/credit_film_masks.json``.
"""

import record
import torch
from torch import Tensor

from dil_teach import Segmentation, SegmentationSettings, fit, resize
from dil_teach.classical.segmentation.grab_cut import grab_cut
from dil_teach.image.scenes import scene

FRAMES, SIDE, SEEDS = 4, 96, (0, 1, 2)


def smaller(pictures: Tensor) -> Tensor:
    """Each picture at ``SIDE`` x ``SIDE`` pixels."""
    made = [resize(picture, size=(SIDE, SIDE)) for picture in pictures]
    return torch.stack(made).clamp(0, 1)


def overlap(masks: Tensor, truth: Tensor) -> float:
    """The mean intersection over union; soft masks count in parts."""
    both = torch.minimum(masks, truth).sum((1, 2, 3))
    return float((both / torch.maximum(masks, truth).sum((1, 2, 3))).mean())


def main() -> None:
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/credit_film_masks.py")
    film = scene("video_figure").images
    frames, truth = (smaller(film[n][:FRAMES]) for n in ("frames", "masks"))
    hints = [
        (smaller(film[f"{layer}_hint"][None])[0] > 0.5).float()
        for layer in ("foreground", "background")
    ]
    cut = overlap(torch.stack([grab_cut(f, *hints) for f in frames]), truth)
    found: dict[str, list[float]] = {}
    for seed in SEEDS:
        settings = SegmentationSettings.quick(seed=seed)
        together = fit(Segmentation(frames, *hints, settings))
        single = [fit(Segmentation(f, *hints, settings)).mask() for f in frames]
        masks = {
            "start": resize_alike(together.start.mask),
            "single": torch.stack(single),
            "network": resize_alike(together.dip.layers().mask),
            "final": together.mask(),
        }
        for name, mask in masks.items():
            found.setdefault(name, []).append(overlap(mask, truth))
        print({name: values[-1] for name, values in found.items()}, flush=True)
    start = "start without networks: growing of the hints, all frames"
    rows = [("initialisation", start, found["start"])]
    rows.append(("baseline", "GrabCut, each frame", [cut]))
    rows.append(("baseline", "Double-DIP, each frame", found["single"]))
    rows.append(("network", "the networks' own mask, all frames", found["network"]))
    rows.append(("final", "graph cut of this mask, all frames", found["final"]))
    record.write(
        "credit_film_masks",
        [dict(zip(("role", "name", "values"), row, strict=True)) for row in rows],
        commit,
        result="Segmentation of a video by Double-DIP",
        measure="overlap with the true masks (IoU)",
        better="higher",
        where=f"{FRAMES} frames of a rendered video, {SIDE} x {SIDE} pixels, "
        "budget quick",
        missing={
            "input": "the input is a video and not a mask",
            "oracle": "the truth has the overlap 1",
        },
    )


def resize_alike(masks: Tensor) -> Tensor:
    """The masks at the size of the frames."""
    return masks if masks.shape[-1] == SIDE else smaller(masks)


if __name__ == "__main__":
    main()
