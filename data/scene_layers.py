"""Compose pictures from known layers, for data/render_scenes.py.

Each layer is rounded to eight bits before the picture is composed. So the written files
follow the formula of their kind of scene, with an error of at most half a grey level.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import map_coordinates
from torch import Tensor

from dil_teach.image.colour import to_linear, to_srgb
from dil_teach.image.photos import photo, photos
from dil_teach.image.resize import resize

Array = NDArray[Any]
Picture = Array  # (h, w, 3), or (h, w, 1) for a mask or a map; values in [0, 1]
Polygon = Array  # (n, 2): corners (x, y) in pixels; the first pixel spans 0 to 1

SIZE = 128  # pixels: the side of every scene
FRAME = 8  # of 128 pixels: the width of the background hint, a frame at the border
FRAMES = 8  # frames in a video
SUBROWS, RAYS = 16, 6  # samples per pixel: rows for outlines, rays per side for walls


@cache
def _photograph(name: str) -> Tensor:
    return photo(name).expand(3, -1, -1)


@dataclass(frozen=True)
class Part:
    """A rectangle of a photograph, in the photograph's own pixels."""

    name: str
    top: int
    left: int
    side: int
    wide: int = 0  # 0: a square
    tint: tuple[float, float, float] = (1, 1, 1)
    quarter_turns: int = 0

    def at(self, height: int) -> Picture:
        """The pixels of the part, downscaled to this height."""
        wide = self.wide or self.side
        cut = _photograph(self.name)
        cut = cut[:, self.top : self.top + self.side, self.left : self.left + wide]
        assert cut.shape[1:] == (self.side, wide), self
        small = resize(cut, size=(height, round(height * wide / self.side)))
        pixels = small.permute(1, 2, 0).double().numpy() * self.tint
        return np.clip(np.rot90(pixels, self.quarter_turns), 0, 1)

    def place(self, outline: Polygon, height: int | None = None) -> Polygon:
        """Convert an outline from the photograph's pixels to the pixels of ``at``."""
        return (outline - (self.left, self.top)) * (height or SIZE) / self.side


@dataclass
class Scene:
    """A scene: its files and its entry in scenes.json."""

    name: str
    kind: str
    title: str
    parts: list[Part]
    images: dict[str, Picture | list[Picture]]
    known: dict[str, Any] = field(default_factory=dict)


def eight_bit(values: Array) -> Array:
    """The values, rounded to eight bits."""
    return np.round(np.clip(values, 0, 1) * 255) / 255


# ---- outlines


def cover(*outline: Polygon) -> Picture:
    """The fraction of each pixel inside the polygons. Where two polygons overlap, the
    mask has a hole."""
    edges = np.concatenate([np.stack([p, np.roll(p, -1, 0)], 1) for p in outline])
    (x0, y0), (x1, y1) = edges[:, 0].T, edges[:, 1].T
    left = np.arange(SIZE)
    mask = np.zeros((SIZE * SUBROWS, SIZE))
    for row in range(SIZE * SUBROWS):
        y = (row + 0.5) / SUBROWS
        cut = (y0 <= y) != (y1 <= y)
        x = x0[cut] + (y - y0[cut]) / (y1[cut] - y0[cut]) * (x1[cut] - x0[cut])
        for start, end in np.sort(x).reshape(-1, 2):
            inside = np.minimum(end, left + 1) - np.maximum(start, left)
            mask[row] += np.clip(inside, 0, 1)
    return mask.reshape(SIZE, SUBROWS, SIZE).mean(1)[:, :, None]


def corners(points: str) -> Polygon:
    """Read a polygon, written as in SVG: x,y of each corner, separated by spaces."""
    return np.array([point.split(",") for point in points.split()], float)


def smooth(points: str) -> Polygon:
    """A smooth closed curve through points that are written as in SVG."""
    closed = corners(points)[[*range(len(points.split())), 0]]
    steps = np.linalg.norm(np.diff(closed, axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(steps)])
    curve = CubicSpline(along, closed, bc_type="periodic")
    return curve(np.linspace(0, along[-1], 240, endpoint=False))


def blob(
    x: float, y: float, radius: float, *waves: tuple[int, float, float]
) -> Polygon:
    """A circle whose radius is a sum of waves, each (frequency, amplitude, phase)."""
    angle = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    radii = radius * np.ones_like(angle)
    for frequency, amplitude, phase in waves:
        radii += radius * amplitude * np.cos(frequency * angle + phase)
    return np.stack([x + radii * np.cos(angle), y + radii * np.sin(angle)], 1)


def star(
    x: float, y: float, outer: float, inner: float, tips: int, degrees: float = 0
) -> Polygon:
    """A star, rotated clockwise."""
    corner = np.arange(2 * tips)
    angle = np.radians(degrees) + corner * np.pi / tips
    radius = np.where(corner % 2, inner, outer)
    return np.stack([x + radius * np.sin(angle), y - radius * np.cos(angle)], 1)


# ---- composites and mixtures


def hints(mask: Picture, disk: tuple[float, float, float]) -> dict[str, Picture]:
    """Make the hints: a disk (x, y, radius) on the foreground, a frame as
    background."""
    y, x = (np.mgrid[:SIZE, :SIZE, :1][:2] + 0.5) * (128 / SIZE)
    inside = np.hypot(x - disk[0], y - disk[1]) <= disk[2]
    frame = np.minimum(np.minimum(x, y), 128 - np.maximum(x, y)) < FRAME
    assert (mask[inside] == 1).all() and inside.sum() < 0.34 * mask.sum()
    return {
        "foreground_hint": inside.astype(float),
        "background_hint": (frame & (mask == 0)).astype(float),
    }


def composite(
    name: str,
    title: str,
    front: Part,
    back: Part,
    outline: Polygon | list[Polygon],
    disk: tuple[float, float, float],
    alike: bool = False,
) -> Scene:
    """mask * front + (1 - mask) * back.

    ``alike`` gives the front layer the mean and contrast of the back layer, so that the
    two layers differ only in texture. ``SIZE`` can be set to another side; outlines in
    a list and the disk of the hint are in pixels of a scene of 128 x 128 pixels.
    """
    figure, ground = front.at(SIZE), eight_bit(back.at(SIZE))
    if alike:
        figure = (figure - figure.mean()) / figure.std() * ground.std() + ground.mean()
    listed = isinstance(outline, list)
    polygons = [p * (SIZE / 128) for p in outline] if listed else [front.place(outline)]
    figure, mask = eight_bit(figure), eight_bit(cover(*polygons))
    image = eight_bit(mask * figure + (1 - mask) * ground)
    images: dict[str, Any]
    images = {"image": image, "mask": mask, "front": figure, "back": ground}
    x, y, radius = disk
    known = {"figure_share": round(float(mask.mean()), 4), "disk": [y, x, radius]}
    parts, images = [front, back], images | hints(mask, disk)
    return Scene(name, "composite", title, parts, images, known)


def mixture(name: str, one: Part, two: Part, a1: float, a2: float) -> Scene:
    """Make two mixtures of sRGB values: a_k * one + (1 - a_k) * two."""
    layers = [eight_bit(part.at(SIZE)) for part in (one, two)]
    mixtures = [eight_bit(a * layers[0] + (1 - a) * layers[1]) for a in (a1, a2)]
    title = f"{photos()[one.name].title} and {photos()[two.name].title}, mixed twice"
    images: dict[str, Any] = {"mixtures": mixtures, "layers": layers}
    known = {"coefficients": [a1, a2]}
    return Scene(name, "mixture", title, [one, two], images, known)


# ---- haze


def _to_linear(srgb: Array) -> Array:
    return to_linear(torch.from_numpy(srgb)).numpy()


@dataclass(frozen=True)
class Wall:
    """A parallelogram in space, textured with a part of a photograph.

    x points right, y up and z forward, in metres from the camera. This part of the
    photograph is repeated ``tiles`` times along ``right`` and ``up``; every second copy
    is mirrored. Outside the outline, if there is one, the wall is invisible.
    """

    part: Part
    corner: tuple[float, float, float]  # lower left
    right: tuple[float, float, float]
    up: tuple[float, float, float]
    tiles: tuple[float, float] = (1, 1)
    outline: Polygon | None = None

    def hit(self, u: Array, v: Array) -> tuple[Array, Array]:
        """Depth and colour for each ray (u, v, 1); infinite depth if the ray misses."""
        corner, right, up = (np.array(w) for w in (self.corner, self.right, self.up))
        normal = np.cross(right, up)
        with np.errstate(divide="ignore"):
            depth = corner @ normal / (u * normal[0] + v * normal[1] + normal[2])
        point = np.stack([depth * u, depth * v, depth], -1) - corner
        a, b = point @ right / (right @ right), point @ up / (up @ up)
        there = (depth > 0) & (a >= 0) & (a <= 1) & (b >= 0) & (b <= 1)
        pixels = self.part.at(SIZE if self.tiles == (1, 1) else 2 * SIZE)
        if self.outline is not None:
            pixels = np.concatenate([pixels, cover(self.part.place(self.outline))], 2)
        rows = (1 - b[there]) * self.tiles[1] * pixels.shape[0] - 0.5
        columns = a[there] * self.tiles[0] * pixels.shape[1] - 0.5
        seen = [
            map_coordinates(channel, [rows, columns], order=1, mode="reflect")
            for channel in np.moveaxis(pixels, 2, 0)
        ]
        colour = np.zeros((*u.shape, 3))
        colour[there] = np.stack(seen[:3], 1)
        if self.outline is not None:
            there[there] = seen[3] > 0.5
        return np.where(there, depth, np.inf), colour


def ground(part: Part, below: float, tiles: tuple[float, float]) -> Wall:
    """A plane ``below`` metres under the camera, 40 m wide and 60 m deep."""
    return Wall(part, (-20, -below, 0.5), (40, 0, 0), (0, 0, 60), tiles)


def upright(
    part: Part, x: float, y: float, z: float, tall: float, outline: Any = None
) -> Wall:
    """A wall that faces the camera. The middle of its lower edge is at (x, y, z)."""
    wide = tall * (part.wide or part.side) / part.side
    corner = (x - wide / 2, y, z)
    return Wall(part, corner, (wide, 0, 0), (0, tall, 0), outline=outline)


def look(
    walls: Iterable[Wall], beta: float, shift: float = 0
) -> tuple[Picture, Picture]:
    """Render the clear picture and its transmission exp(-beta * depth).

    The field of view is 64 degrees. The picture is shifted left by ``shift`` pixels.
    """
    side = (np.arange(SIZE * RAYS) + 0.5) / RAYS / SIZE * 2 - 1
    reach = np.tan(np.radians(32))
    u, v = np.meshgrid((side + 2 * shift / SIZE) * reach, -side * reach)
    nearest, colour = np.full(u.shape, np.inf), np.zeros((*u.shape, 3))
    for wall in walls:
        depth, seen = wall.hit(u, v)
        closer = depth < nearest
        nearest[closer], colour[closer] = depth[closer], seen[closer]
    assert np.isfinite(nearest).all(), "a ray meets no wall"

    def pixels(rays: Array) -> Picture:
        return rays.reshape(SIZE, RAYS, SIZE, RAYS, -1).mean((1, 3))

    return pixels(colour), pixels(np.exp(-beta * nearest))


def glow(base: Any, sun: Any, x: float, y: float, reach: float) -> Picture:
    """An airlight that gets smoothly brighter towards a low sun at (x, y).

    Position and ``reach`` are in units of the picture's side.
    """
    down, across = np.mgrid[:SIZE, :SIZE, :1][:2] / SIZE
    near = np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * reach**2))
    return np.array(base) + (np.array(sun) - base) * near


@dataclass(frozen=True)
class Haze:
    """The density of haze per metre, and its airlight: one colour or a picture."""

    beta: float
    airlight: Any

    def over(self, clear: Picture, t: Picture) -> dict[str, Picture]:
        """I = t J + (1 - t) A in linear light, and the layers J, t and A."""
        air = np.broadcast_to(np.array(self.airlight, float), (SIZE, SIZE, 3))
        clear, t, air = (eight_bit(layer) for layer in (clear, t, air))
        light = t * _to_linear(clear) + (1 - t) * _to_linear(air)
        image = eight_bit(to_srgb(torch.from_numpy(light)).numpy())
        return {"image": image, "clear": clear, "transmission": t, "airlight": air}

    def known(self, sky: bool) -> dict[str, Any]:
        """The parameters of the haze for scenes.json."""
        air = np.array(self.airlight, float)
        mean = [round(float(a), 4) for a in air.reshape(-1, 3).mean(0)]
        uniform = air.ndim == 1
        return {"airlight": mean, "uniform": uniform, "beta": self.beta, "sky": sky}


def hazy_walls(
    name: str, title: str, haze: Haze, *walls: Wall, sky: bool = False
) -> Scene:
    """A scene with haze over walls in space."""
    images = haze.over(*look(walls, haze.beta))
    parts = [wall.part for wall in walls]
    return Scene(name, "haze", title, parts, dict(images), haze.known(sky))


def hazy_photograph(
    name: str,
    title: str,
    haze: Haze,
    part: Part,
    far: float,
    water: tuple[float, float],
    *nearer: tuple[Polygon, float],
) -> Scene:
    """A scene with haze over a photograph with sky. The depth is set by hand.

    The depth is ``far``, in metres, with two exceptions. The water is a plane of depth
    b / (row - a), where ``water`` is (a, b) in rows of the photograph. ``nearer`` lists
    outlines of nearer objects, with their depths.
    """
    rows = part.top + (np.arange(SIZE) + 0.5) * part.side / SIZE
    depth = water[1] / np.maximum(rows - water[0], water[1] / far)
    t = np.broadcast_to(np.exp(-haze.beta * depth)[:, None, None], (SIZE, SIZE, 1))
    for outline, metres in nearer:
        mask = cover(part.place(outline))
        t = mask * np.exp(-haze.beta * metres) + (1 - mask) * t
    images = haze.over(part.at(SIZE), t)
    return Scene(name, "haze", title, [part], dict(images), haze.known(sky=True))


# ---- watermark


def mark(x: float, y: float, scale: float) -> Picture:
    """The opacity of a watermark: letters D I L in a thin ring, above a thin line."""
    half = np.linspace(-np.pi / 2, np.pi / 2, 60)
    bows = [
        np.stack([left + wide * np.cos(half), tall * np.sin(half) - 2], 1)
        for left, wide, tall in ((-27, 22, 13), (-21, 12, 7))
    ]
    bars = [
        corners("0,-15 6,-15 6,11 0,11"),
        corners("12,-15 18,-15 18,5 27,5 27,11 12,11"),
    ]
    line = corners("-27,19.2 27,19.2 27,20.8 -27,20.8")
    ring = [blob(0, 0, 42), blob(0, 0, 39.6)]
    strokes = [(0.35, ring), (0.4, [line]), (0.5, bows), *((0.5, [b]) for b in bars)]
    alpha = np.zeros((SIZE, SIZE, 1))
    for opacity, outline in strokes:
        placed = [points * scale + (x, y) for points in outline]
        alpha = np.maximum(alpha, opacity * cover(*placed))
    return eight_bit(alpha)


def watermark(
    parts: list[Part], alpha: Picture, colour: list[float], box: list[int]
) -> Scene:
    """Watermark photographs J in sRGB: (1 - alpha) J + alpha c. ``box``: y, x, h, w."""
    y, x, h, w = box
    assert np.isclose(alpha.sum(), alpha[y : y + h, x : x + w].sum())
    clean = [eight_bit(part.at(SIZE)) for part in parts]
    marked = [eight_bit((1 - alpha) * one + alpha * colour) for one in clean]
    images: dict[str, Any] = {"marked": marked, "clean": clean, "alpha": alpha}
    title = "Three photographs under one watermark"
    known = {"colour": colour, "box": box}
    return Scene("watermark", "watermark", title, parts, images, known)


# ---- videos


def between(pixels: Picture, points: Array) -> Picture:
    """Interpolate a picture at points (x, y) with cubic splines."""
    at = np.moveaxis(points[:, :, ::-1] - 0.5, 2, 0)
    channels = np.moveaxis(pixels, 2, 0)
    return np.stack(
        [map_coordinates(one, at, order=3, mode="mirror") for one in channels], 2
    )


def turned(points: Array, degrees: float, centre: Array) -> Array:
    """Rotate points (x, y) around a centre, clockwise as seen in the picture."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return (points - centre) @ np.array([[cos, sin], [-sin, cos]]) + centre


@dataclass(frozen=True)
class Glide:
    """Frames of a part of a photograph that moves by a step (x, y) in each frame."""

    part: Part
    tall: int  # height in pixels
    step: tuple[float, float]  # pixels per frame


def film_of_a_figure(
    title: str,
    figure: Glide,
    back: Glide,
    outline: Polygon,
    corner: tuple[float, float],
    degrees: float,
    disk: tuple[float, float, float],
) -> Scene:
    """A cut-out object that moves and rotates over a background with another motion.

    ``corner`` is the corner of the moving part in frame 0, and ``degrees`` is its
    rotation in each frame.
    """
    pixels, scenery = figure.part.at(figure.tall), back.part.at(back.tall)
    outline = figure.part.place(outline, figure.tall) + corner
    centre = (outline.max(0) + outline.min(0)) / 2
    grid = np.stack(np.meshgrid(*[np.arange(SIZE) + 0.5] * 2), 2)
    margin = np.array(scenery.shape[1::-1]) - SIZE
    start = (margin + (FRAMES - 1) * np.array(back.step)) / 2
    frames, masks = [], []
    for k in range(FRAMES):
        moved = k * np.array(figure.step)
        mask = eight_bit(cover(turned(outline, k * degrees, centre) + moved))
        front = between(pixels, turned(grid - moved, -k * degrees, centre) - corner)
        behind = between(scenery, grid + start - k * np.array(back.step))
        frames.append(eight_bit(mask * front + (1 - mask) * behind))
        masks.append(mask)
    images: dict[str, Any] = {"frames": frames, "masks": masks}
    known = {
        "figure_motion": motion(*figure.step),
        "figure_turn": [round(k * degrees, 4) for k in range(FRAMES)],
        "figure_centre": [round(float(c), 4) for c in centre[::-1]],
        "background_motion": motion(*back.step),
    }
    parts, images = [figure.part, back.part], images | hints(masks[0], disk)
    return Scene("video_figure", "video", title, parts, images, known)


def film_of_haze(title: str, haze: Haze, step: float, *walls: Wall) -> Scene:
    """A hazy scene that moves left by ``step`` pixels in each frame."""
    shifts = [(k - (FRAMES - 1) / 2) * step for k in range(FRAMES)]
    films = [haze.over(*look(walls, haze.beta, shift)) for shift in shifts]
    names = {"frames": "image", "clear": "clear", "transmission": "transmission"}
    images: dict[str, Any] = {
        name: [film[key] for film in films] for name, key in names.items()
    }
    images["airlight"] = films[0]["airlight"]
    known = haze.known(sky=False) | {"motion": motion(-step, 0)}
    parts = [wall.part for wall in walls]
    return Scene("video_haze", "video", title, parts, images, known)


def motion(x: float, y: float) -> list[list[float]]:
    """[dy, dx] of each frame relative to frame 0, for a step (x, y) in each frame."""
    return [[round(k * y, 4) + 0.0, round(k * x, 4) + 0.0] for k in range(FRAMES)]
