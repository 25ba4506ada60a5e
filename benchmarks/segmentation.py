"""Measure segmentation: intersection over union (also of GrabCut), and flicker.

    python benchmarks/segmentation.py --sections composites film sizes

It writes `benchmarks/results/segmentation_*.json`. The scenes are rendered. Settings
were chosen on other scenes (`data/render_scenes.py --practice`). If
opencv-python-headless is installed, the script also prints GrabCut's result.
"""

import importlib
import itertools
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import record
import torch
import tyro
from scipy.ndimage import affine_transform
from torch import Tensor

from dil_teach import Segmentation, SegmentationSettings, fit
from dil_teach.classical.segmentation.grab_cut import grab_cut
from dil_teach.classical.segmentation.region_growing import segment_by_growing
from dil_teach.image.convention import to_uint8
from dil_teach.image.scenes import scene, scenes

DATA = Path(__file__).parents[1] / "data"
SEEDS = (0, 1, 2)
SIDES = (128, 512, 1200)
"""The composites are rendered with these sides, in pixels."""


def iou(a: Tensor, b: Tensor) -> float:
    """Intersection over union of the pixels above one half."""
    a, b = a > 0.5, b > 0.5
    return float((a & b).sum() / (a | b).sum())


def opencv(image: Tensor, front: Tensor, back: Tensor) -> Tensor | None:
    """The mask of OpenCV's GrabCut, if OpenCV is installed."""
    try:
        cv2: Any = importlib.import_module("cv2")
    except ImportError:
        return None
    mask = np.full(image.shape[-2:], cv2.GC_PR_FGD, np.uint8)
    mask[front[0].numpy() > 0.5], mask[back[0].numpy() > 0.5] = cv2.GC_FGD, cv2.GC_BGD
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    picture = to_uint8(image)[:, :, ::-1].copy()
    cv2.grabCut(picture, mask, None, *models, 5, cv2.GC_INIT_WITH_MASK)
    return torch.from_numpy((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).float()[
        None
    ]


def composites() -> list[dict]:
    """Measure each composite, with given hints and with computed hints."""
    rows = []
    for name in scenes("composite"):
        images = scene(name).images
        image, truth = images["image"], images["mask"]
        hints = images["foreground_hint"], images["background_hint"]
        other = opencv(image, *hints)
        for seed in SEEDS:
            settings = SegmentationSettings.standard(seed=seed)
            begin = time.process_time()
            learned = fit(Segmentation(image, *hints, settings))
            mask = learned.mask()
            seconds = time.process_time() - begin
            unaided = fit(Segmentation(image, settings=settings)).mask()
            rows.append(
                {
                    "scene": name,
                    "seed": seed,
                    "double-dip": iou(mask, truth),
                    "before the last cut": iou(learned.dip.layers().mask[0], truth),
                    "its start, no network": iou(learned.start.mask[0], truth),
                    "no hints given": iou(unaided, truth),
                    "grab cut": iou(grab_cut(image, *hints, seed), truth),
                    "opencv's grab cut": None if other is None else iou(other, truth),
                    "cpu seconds": seconds,
                }
            )
            print(rows[-1])
    return rows


def aligned(masks: Tensor, known: dict[str, Any]) -> np.ndarray:
    """Align all masks with the first frame, by the known motion."""
    carried = []
    centre = np.array(known["figure_centre"])
    motions, turns = known["figure_motion"], known["figure_turn"]
    for mask, motion, turn in zip(masks, motions, turns, strict=True):
        angle = math.radians(turn)
        across, along = math.sin(angle), math.cos(angle)
        turned = np.array([[along, across], [-across, along]])  # of (y, x), clockwise
        # the centre of pixel k is at k + 1/2
        offset = centre + motion - turned @ centre + turned @ [0.5, 0.5] - 0.5
        carried.append(affine_transform(mask[0].numpy(), turned, offset, order=1))
    return np.stack(carried)


def flicker(masks: Tensor, known: dict[str, Any]) -> float:
    """Mean absolute difference of the masks of neighbouring frames, after alignment."""
    return float(np.abs(np.diff(aligned(masks, known), axis=0)).mean())


def film() -> list[dict]:
    """Segment a video as a whole, and frame by frame with the first hints or none."""
    found = scene("video_figure")
    frames, truth, known = found.images["frames"], found.images["masks"], found.known
    hints = found.images["foreground_hint"], found.images["background_hint"]
    rows = []
    for seed in SEEDS:
        settings = SegmentationSettings.standard(seed=seed)
        begin = time.process_time()
        at_once = fit(Segmentation(frames, *hints, settings)).mask()
        seconds = time.process_time() - begin
        ways = {"film": at_once, "truth": truth}
        for way, given in (("frame by frame", hints), ("the same, no hints", ())):
            each = [
                fit(Segmentation(f, *given, settings=settings)).mask() for f in frames
            ]
            ways[way] = torch.stack(each)
        for way, masks in ways.items():
            row = {"way": way, "seed": seed, "flicker": flicker(masks, known)}
            rows.append(
                row
                | {"iou": np.mean(list(map(iou, masks, truth))).item()}
                | ({"cpu seconds": seconds} if way == "film" else {})
            )
            print(rows[-1])
    return rows


def sizes() -> list[dict]:
    """Segment the composites and the practice composites at several sizes."""
    sys.path.insert(0, str(DATA))
    import render_scenes
    import scene_layers

    rows = []
    for side in SIDES:
        scene_layers.SIZE = side
        for which in (render_scenes.shipped_scenes, render_scenes.practice_scenes):
            for found in itertools.takewhile(lambda s: s.kind == "composite", which()):
                names = "image", "foreground_hint", "background_hint", "mask"
                image, front, back, truth = (
                    torch.from_numpy(found.images[name]).float().permute(2, 0, 1)
                    for name in names
                )
                begin = time.process_time()
                mask = segment_by_growing(image, front, back)
                row = {"scene": found.name, "side": side, "iou": iou(mask, truth)}
                practice = which is render_scenes.practice_scenes
                rows.append(row | {"practice": practice})
                rows[-1]["cpu seconds"] = time.process_time() - begin
                print(rows[-1], flush=True)
    return rows


SECTIONS: dict[str, Callable[[], list[dict]]] = {
    f.__name__: f for f in (composites, film, sizes)
}


def main(sections: tuple[str, ...] = tuple(SECTIONS)) -> None:
    """Measure segmentation, section by section."""
    torch.set_num_threads(1)
    for section in sections:
        commit = record.commit_of_code("benchmarks/segmentation.py")
        record.write(f"segmentation_{section}", SECTIONS[section](), commit)


if __name__ == "__main__":
    tyro.cli(main)
