"""Render data/facade.png: a street front with strong patch recurrence.

We found no colour photograph of such a facade under a free licence, so this picture is
computed. Brick, stone, glass, shutters and iron railings form a relief on a wall. A low
sun and a blue sky light the wall. The camera is a pinhole camera, so a homography maps
each depth plane to the picture. A little lens blur and sensor noise are added. The seed
is fixed. Run ``python data/render_facade.py [file]``.
"""

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from dil_teach.image.colour import to_srgb

Array = NDArray[Any]  # float32, one value or colour for each ray
Mask = NDArray[np.bool_]

SIDE = 512  # pixels of the finished picture
PIXELS_PER_METRE = 100  # pixels of the relief
WIDTH, ROOF = 40.0, 18.6  # metres of wall; the sky is above the roof
BAY, STOREY, FIRST_FLOOR, FLOORS = 2.9, 3.3, 4.2, 4
RAILING_DEPTH, BALCONY_WIDTH = 0.78, 2.2
CAMERA = np.array([-2.6, 7.4, 14.0])  # x along the wall, y up, z away from the wall
YAW, PITCH, HALF_VIEW = np.radians([38.0, 8.0, 23.5])
SUN = np.array([-0.52, 0.62, 0.78]) / np.linalg.norm([-0.52, 0.62, 0.78])
SUNLIGHT, SKYLIGHT = np.array([1.35, 1.15, 0.9]), np.array([0.2, 0.26, 0.36])

BRICK, STONE, WOOD, GLASS, SLAT, PIPE, PLANT = range(7)
INSET, SKY = -0.2, -9.0  # metres: the glass lies behind the wall, the sky far behind


class Relief:
    """Height (metres out of the wall) and material of each point of the wall."""

    def __init__(self) -> None:
        # The extra row above the wall is the sky, far behind it.
        shape = (int(ROOF * PIXELS_PER_METRE) + 1, int(WIDTH * PIXELS_PER_METRE))
        self.height = np.zeros(shape, np.float32)
        self.material = np.full(shape, BRICK, np.int8)
        self.height[-1] = SKY

    def box(
        self, x: float, y: float, width: float, tall: float, height: float, what: int
    ) -> None:
        """Paint a box whose lower left corner is (x, y)."""
        low, left, up, right = (
            max(0, round(v * PIXELS_PER_METRE)) for v in (y, x, y + tall, x + width)
        )
        self.height[low:up, left:right] = height
        self.material[low:up, left:right] = what


def at(values: NDArray[Any], x: Array, y: Array) -> NDArray[Any]:
    """Sample a map of the wall at points in metres."""
    rows = (y * PIXELS_PER_METRE).astype(np.int32)
    columns = (x * PIXELS_PER_METRE).astype(np.int32)
    return values[
        np.clip(rows, 0, values.shape[0] - 1), np.clip(columns, 0, values.shape[1] - 1)
    ]


def has_balcony(bay: NDArray, floor: NDArray) -> Mask:
    """Whether the bay has a balcony: every third bay on the middle floors has one."""
    return (bay % 3 == 1) & (floor >= 0) & (floor <= 2)


def build(rng: np.random.Generator) -> Relief:
    """A brick wall with windows, shutters, balconies, mouldings and pipes."""
    relief = Relief()
    box = relief.box
    for course in np.arange(0, FIRST_FLOOR - 0.5, 0.42):  # rusticated ground floor
        box(0, course, WIDTH, 0.39, 0.05, STONE)
        box(0, course + 0.39, WIDTH, 0.03, 0.01, STONE)
    box(0, FIRST_FLOOR - 0.5, WIDTH, 0.34, 0.12, STONE)
    for floor in range(1, FLOORS):  # string courses
        box(0, FIRST_FLOOR + floor * STOREY - 0.28, WIDTH, 0.16, 0.07, STONE)
    top = FIRST_FLOOR + FLOORS * STOREY
    box(0, top - 0.15, WIDTH, 0.2, 0.1, STONE)
    box(0, top + 0.05, WIDTH, 0.3, 0.06, STONE)
    for x in np.arange(0, WIDTH, 0.34):  # dentils
        box(x, top + 0.12, 0.17, 0.23, 0.28, STONE)
    box(0, top + 0.35, WIDTH, 0.14, 0.36, STONE)
    box(0, top + 0.49, WIDTH, 0.16, 0.5, STONE)
    box(0, top + 0.65, WIDTH, ROOF - top - 0.65, 0.05, STONE)

    for bay in range(int(WIDTH / BAY)):
        middle = (bay + 0.5) * BAY
        if bay % 4 == 3:
            box((bay + 1) * BAY - 0.06, 0, 0.12, top, 0.14, PIPE)
        for floor in range(-1, FLOORS):
            base = FIRST_FLOOR + floor * STOREY if floor >= 0 else 0.6
            balcony = bool(has_balcony(np.array(bay), np.array(floor)))
            sill = base + (0.05 if balcony else 0.75)
            tall = base + 2.55 - sill - (0.25 if floor == FLOORS - 1 else 0)
            half = 0.56
            # Stone surround, keystone, then the opening with its frame.
            box(middle - half - 0.15, sill, 2 * half + 0.3, tall + 0.2, 0.05, STONE)
            box(
                middle - half - 0.22,
                sill + tall + 0.2,
                2 * half + 0.44,
                0.1,
                0.16,
                STONE,
            )
            box(middle - 0.12, sill + tall - 0.02, 0.24, 0.24, 0.11, STONE)
            box(middle - half, sill, 2 * half, tall, INSET + 0.05, WOOD)
            for side in (-1, 1):  # two casements of three panes each
                left = middle + (0.05 if side > 0 else 0.06 - half)
                pane = (tall - 0.17) / 3
                for row in range(3):
                    box(
                        left,
                        sill + 0.07 + row * (pane + 0.02),
                        half - 0.11,
                        pane - 0.02,
                        INSET,
                        GLASS,
                    )
            if balcony:
                x = middle - BALCONY_WIDTH / 2
                box(x - 0.04, base - 0.18, BALCONY_WIDTH + 0.08, 0.1, 0.84, STONE)
                box(x, base - 0.08, BALCONY_WIDTH, 0.08, 0.8, STONE)
                for bracket in (x + 0.2, x + BALCONY_WIDTH - 0.38):
                    for step in range(6):
                        depth = 0.66 - 0.1 * step
                        box(
                            bracket, base - 0.24 - 0.06 * step, 0.18, 0.06, depth, STONE
                        )
            else:
                box(middle - half - 0.2, sill - 0.1, 2 * half + 0.4, 0.1, 0.17, STONE)
                if floor >= 0 and rng.random() < 0.22:  # flower box
                    box(middle - 0.5, sill, 1.0, 0.16, 0.13, WOOD)
                    for plant in np.arange(middle - 0.5, middle + 0.45, 0.06):
                        grown = rng.uniform(0.08, 0.24)
                        box(
                            plant,
                            sill + 0.12,
                            0.09,
                            grown,
                            rng.uniform(0.1, 0.2),
                            PLANT,
                        )
            if floor >= 0 and not balcony:  # shutters, some of them closed
                closed = rng.random() < 0.1
                for side in (-1, 1):
                    x = middle + (0.0 if side > 0 else -half)
                    x += 0.0 if closed else side * (half + 0.02)
                    depth = -0.02 if closed else 0.1
                    box(x, sill, half, tall, depth, WOOD)
                    for panel in (0.07, tall / 2 + 0.035):
                        box(
                            x + 0.07,
                            sill + panel,
                            half - 0.14,
                            tall / 2 - 0.105,
                            depth - 0.02,
                            SLAT,
                        )
    return relief


def camera_rays(n: int) -> tuple[Array, Array]:
    """The points x, y in metres where n x n rays meet the wall's plane z = 0."""
    u = ((np.arange(n) + 0.5) / n * 2 - 1) * np.tan(HALF_VIEW)
    forward = np.array(
        [np.sin(YAW) * np.cos(PITCH), np.sin(PITCH), -np.cos(YAW) * np.cos(PITCH)]
    )
    right = np.array([np.cos(YAW), 0, np.sin(YAW)])
    up = np.cross(right, forward)
    direction = forward + u[None, :, None] * right - u[:, None, None] * up
    reach = CAMERA[2] / -direction[..., 2]
    x, y = (CAMERA[i] + reach * direction[..., i] for i in (0, 1))
    return x.ravel().astype(np.float32), y.ravel().astype(np.float32)


def along(wall: Array, axis: int, z: Array | float) -> Array:
    """The coordinate where a ray that meets the wall at ``wall`` reaches depth z."""
    return wall + (np.float32(CAMERA[axis]) - wall) * (z / np.float32(CAMERA[2]))


def first_hit(relief: Relief, x: Array, y: Array) -> tuple[Array, Mask]:
    """The depth at which each ray enters the relief; whether it enters a front side."""
    depth = np.full(x.shape, SKY, np.float32)
    front = np.zeros(x.shape, bool)
    active = np.arange(x.size)
    levels = np.r_[np.arange(0.86, 0.2, -0.04), np.arange(0.2, INSET - 0.02, -0.01)]
    for before, level in pairwise(levels.astype(np.float32)):
        height = at(
            relief.height, along(x[active], 0, level), along(y[active], 1, level)
        )
        hit = height >= level
        through_front = height[hit] <= before
        depth[active[hit]] = np.where(through_front, height[hit], level)
        front[active[hit]] = through_front
        active = active[~hit]
    return depth, front


def railing(across: Array, up: Array, width: float, ornate: bool) -> Mask:
    """Whether points of a railing are iron: bars, three rails, and rings in front."""
    bar = np.abs(across % 0.11 - 0.055) < 0.01
    ring = (across % 0.11 - 0.055) ** 2 + (up - 0.85) ** 2
    iron = bar & (up < (0.78 if ornate else 0.95))
    if ornate:
        iron |= np.abs(np.sqrt(ring) - 0.043) < 0.009
        curl = (across % 0.22 - 0.11) ** 2 + (up - 0.42) ** 2
        iron |= np.abs(np.sqrt(curl) - 0.085) < 0.01
    for low, high in ((0.06, 0.1), (0.77, 0.8), (0.92, 0.97)):
        iron |= (up > low) & (up < high)
    return iron & (across > 0) & (across < width) & (up > 0) & (up < 0.97)


def front_railing(x: Array, y: Array) -> Mask:
    """Whether points of the balconies' front plane are iron."""
    bay, floor = np.floor(x / BAY), np.floor((y - FIRST_FLOOR) / STOREY)
    across = x - bay * BAY - (BAY - BALCONY_WIDTH) / 2
    iron = railing(across, y - FIRST_FLOOR - floor * STOREY, BALCONY_WIDTH, True)
    return iron & has_balcony(bay, floor)


def side_railings(x: Array, y: Array, depth: Array) -> Mask:
    """Whether a ray meets the side of a balcony before it meets the relief."""
    iron = np.zeros(x.shape, bool)
    for bay in range(1, int(WIDTH / BAY), 3):
        for side in (-1, 1):
            plane = (bay + 0.5) * BAY + side * BALCONY_WIDTH / 2
            z = np.float32(CAMERA[2]) * (plane - x) / (np.float32(CAMERA[0]) - x)
            near = np.flatnonzero((z > np.maximum(depth, 0)) & (z < RAILING_DEPTH))
            height = along(y[near], 1, z[near])
            floor = np.floor((height - FIRST_FLOOR) / STOREY)
            up = height - FIRST_FLOOR - floor * STOREY
            iron[near] |= railing(z[near], up, RAILING_DEPTH, False) & has_balcony(
                np.array(bay), floor
            )
    return iron


def in_sun(relief: Relief, x: Array, y: Array, z: Array) -> Array:
    """1 for points in the sun, 0 for points in the shadow of relief or railing."""
    lit = np.ones(x.shape, bool)
    drift_x, drift_y = (SUN[:2] / SUN[2]).astype(np.float32)
    for rise in np.r_[np.arange(0.01, 0.2, 0.015), np.arange(0.2, 1.1, 0.05)]:
        height = at(relief.height, x + rise * drift_x, y + rise * drift_y)
        lit &= height < z + np.float32(rise)
    rise = RAILING_DEPTH - z
    lit &= ~front_railing(x + rise * drift_x, y + rise * drift_y) | (rise < 0)
    return lit.astype(np.float32)


class Noise:
    """Draw all random maps, which are later sampled by position."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.table = rng.random(65536).astype(np.float32)
        self.fine, self.waves = self.smooth(rng, 1), self.smooth(rng, 6)
        self.broad, self.clouds = self.smooth(rng, 25), self.smooth(rng, 30)
        self.clouds += 0.35 * self.smooth(rng, 9) + 0.15 * self.smooth(rng, 3)

    @staticmethod
    def smooth(rng: np.random.Generator, sigma: float) -> Array:
        """Periodic noise of unit variance, smoothed over ``sigma`` pixels."""
        noise = gaussian_filter(rng.standard_normal((1024, 1024)), sigma, mode="wrap")
        return (noise / noise.std()).astype(np.float32)


def sample(noise: Array, x: Array, y: Array, per_metre: float) -> Array:
    """Sample noise at points of the wall."""
    rows, columns = ((v * per_metre).astype(np.int32) % noise.shape[0] for v in (y, x))
    return noise[rows, columns]


def dice(table: Array, *keys: Array) -> Array:
    """A pseudorandom number in [0, 1]: a hash of integer keys."""
    mixed = np.zeros(keys[0].shape, np.int64)
    for key, prime in zip(keys, (73856093, 19349663, 83492791), strict=False):
        mixed ^= key.astype(np.int64) * prime
    return table[mixed % table.size]


def rgb(red: float, green: float, blue: float) -> Array:
    """A colour in linear light."""
    return np.array([red, green, blue], np.float32)


def mix(a: Array, b: Array, weight: Array) -> Array:
    """Blend two colours by a weight for each point."""
    return a + (b - a) * weight[:, None]


def brick_colour(x: Array, y: Array, table: Array, grain: Array) -> Array:
    """Running-bond brickwork, in which each brick has its own shade."""
    row = np.floor(y / 0.085)
    shifted = x / 0.25 + 0.5 * (row % 2)
    column = np.floor(shifted)
    shade, hue = dice(table, column, row), dice(table, row, column, row + column)
    burnt = (dice(table, column + 7, row) > 0.93) * 0.5
    red = rgb(0.40, 0.155, 0.085)
    ochre = rgb(0.46, 0.24, 0.13)
    brick = mix(red, ochre, hue) * ((0.7 + 0.55 * shade) * (1 - burnt))[:, None]
    mortar = ((y / 0.085) % 1 < 0.16) | (shifted % 1 < 0.055)
    colour = np.where(mortar[:, None], rgb(0.42, 0.36, 0.29), brick)
    return colour * (1 + 0.1 * grain)[:, None]


def sky_colour(azimuth: Array, elevation: Array, clouds: Array) -> Array:
    """A blue sky, paler towards the horizon, with soft clouds."""
    pale = np.exp(-2.2 * np.clip(elevation, 0, 2))
    blue = mix(rgb(0.16, 0.33, 0.72), rgb(0.62, 0.74, 0.9), pale)
    cloud = sample(clouds, azimuth + 40, elevation * 2 + 40, 160)
    return mix(blue, rgb(0.95, 0.93, 0.9), np.clip(0.8 * cloud + 0.05, 0, 0.9))


def glass_colour(x: Array, y: Array, lit: Array, noise: Noise) -> Array:
    """A room with curtains or blinds behind glass that reflects the street."""
    table, waves = noise.table, noise.waves
    bay, floor = np.floor(x / BAY), np.floor((y - FIRST_FLOOR) / STOREY)
    across = x - (bay + 0.5) * BAY  # from the middle of the window
    up = y - FIRST_FLOOR - floor * STOREY
    style, amount = dice(table, bay, floor), dice(table, floor, bay, bay)
    light = SKYLIGHT * 0.7 + SUNLIGHT * 0.55 * lit[:, None]

    room = rgb(0.03, 0.027, 0.024) * (1 + up)[:, None]
    warp = 0.02 * sample(waves, x, y * 0.2, 50)
    folds = 0.7 + 0.3 * np.sin((across + warp) * (50 + 20 * amount))
    drapes = (style < 0.42) & (
        np.abs(across) > 0.5 - 0.42 * amount * (1 - 0.25 * up / 2.5)
    )
    net = (style >= 0.42) & (style < 0.55)
    blind = (style >= 0.55) & (style < 0.8) & (up > 2.5 - 1.9 * amount)
    roller = (style >= 0.8) & (style < 0.9) & (up > 2.5 - 1.6 * amount)
    cloth = mix(rgb(0.68, 0.63, 0.52), rgb(0.5, 0.25, 0.17), amount)
    colour = np.where(drapes[:, None], cloth * light * folds[:, None], room)
    veil = rgb(0.6, 0.6, 0.57) * light * (0.6 + 0.25 * folds)[:, None]
    colour = np.where(net[:, None], veil, colour)
    slats = 0.25 + 0.65 * ((up / 0.055) % 1)
    colour = np.where(
        blind[:, None], rgb(0.62, 0.6, 0.54) * light * slats[:, None], colour
    )
    colour = np.where(roller[:, None], rgb(0.6, 0.54, 0.4) * light, colour)

    # Each pane has its own slight tilt, so each pane shows another part of the street.
    pane = np.floor(up / 0.62)
    casement = np.sign(across)
    lean_x = 0.05 * (dice(table, 2 * bay + casement, floor, pane) - 0.5)
    lean_y = 0.04 * (dice(table, pane, 2 * bay + casement, floor) - 0.5)
    lean_x = lean_x + 0.004 * sample(waves, x, y, 60)
    lean_y = lean_y + 0.004 * sample(waves, y, x, 60)
    ray = np.stack([x - CAMERA[0], y - CAMERA[1], np.full_like(x, CAMERA[2])], 1)
    facing = CAMERA[2] / np.linalg.norm(ray, axis=1)
    slope_x, slope_y = ray[:, 0] / ray[:, 2] + lean_x, ray[:, 1] / ray[:, 2] + lean_y
    street_x, street_y = x + slope_x * 15, y + slope_y * 15  # houses 15 m across
    house = np.floor(street_x / 7)
    roof = 11 + 6 * dice(table, house, house)
    tint = mix(
        rgb(0.17, 0.14, 0.11),
        rgb(0.11, 0.1, 0.11),
        dice(table, house),
    )
    opening = (np.abs(street_x % 2.4 - 1.2) < 0.55) & (
        np.abs(street_y % 3.2 - 1.6) < 0.9
    )
    tint = np.where(opening[:, None], np.float32(0.035), tint)
    sky = sky_colour(slope_x, slope_y - 0.3, noise.clouds)
    mirrored = np.where((street_y > roof)[:, None], sky, tint)
    fresnel = np.clip(0.16 + 1.6 * (1 - facing) ** 2.2, 0, 0.75)
    return mix(colour.astype(np.float32), mirrored, fresnel.astype(np.float32))


def paint(relief: Relief, x: Array, y: Array, z: Array, noise: Noise) -> Array:
    """The albedo of opaque points, an array of shape (n, 3)."""
    material = at(relief.material, x, y)
    rough, soft = sample(noise.fine, x, y, 90), sample(noise.broad, x, y, 30)
    bay, floor = np.floor(x / BAY), np.floor((y - FIRST_FLOOR) / STOREY)

    def cover(what: Mask, colour: Array) -> None:
        albedo[:] = np.where(what[:, None], colour, albedo)

    albedo = brick_colour(x, y, noise.table, rough)
    stone = rgb(0.60, 0.53, 0.41) * (1 + 0.05 * rough + 0.06 * soft)[:, None]
    cover(material == STONE, stone)
    cover(material == WOOD, rgb(0.72, 0.71, 0.66))
    faded = 0.8 + 0.35 * dice(noise.table, bay, floor, floor)
    shutter = rgb(0.10, 0.21, 0.20) * (faded * (1 + 0.06 * soft))[:, None]
    slats = np.where(material == SLAT, 0.3 + 1.1 * ((y / 0.068) % 1), 1.0)[:, None]
    outside = z > INSET + 0.08  # shutters and flower boxes, not window frames
    cover((material == SLAT) | (material == WOOD) & outside, shutter * slats)
    turn = (((x + 0.06) % BAY) / 0.12).clip(0.05, 1)
    cover(
        material == PIPE,
        rgb(0.3, 0.29, 0.27) * (0.25 + 0.75 * np.sin(np.pi * turn))[:, None],
    )
    leaf = dice(noise.table, np.floor(x / 0.035), np.floor(y / 0.035))
    green = rgb(0.07, 0.17, 0.03) * (0.5 + leaf)[:, None]
    blossom = (leaf > 0.72)[:, None]
    cover(material == PLANT, np.where(blossom, rgb(0.65, 0.06, 0.09), green))

    # Rain has washed soot from the mouldings down the wall.
    streaks = np.clip(sample(noise.broad, x * 6, y * 0.25, 30) + 0.5, 0, 2)
    soot = np.exp(((y - FIRST_FLOOR + 0.28) % STOREY - STOREY) / 1.2)
    return albedo * ((1 - 0.16 * soot * streaks) * (1 + 0.05 * soft))[:, None]


def shade(relief: Relief, noise: Noise, n: int) -> Array:
    """The light (linear values) of n x n rays, an array of shape (n * n, 3)."""
    wall_x, wall_y = camera_rays(n)
    depth, front = first_hit(relief, wall_x, wall_y)
    x, y = along(wall_x, 0, depth), along(wall_y, 1, depth)

    # A small step from the hit point leaves the box through the side that was hit.
    step = np.float32(0.025)
    below = ~front & (at(relief.height, x, y - step) < depth)
    above = ~front & ~below & (at(relief.height, x, y + step) < depth)
    left = ~front & ~below & ~above & (at(relief.height, x - step, y) < depth)
    right = ~(front | below | above | left)

    cosine = np.select([front, above, left], [SUN[2], SUN[1], -SUN[0]], 0.0)
    # The shadow ray starts just outside of the side that was hit.
    lit = in_sun(relief, x - step * left, y + step * above, depth + np.float32(0.002))
    crowding = gaussian_filter(np.maximum(relief.height, 0), 0.22 * PIXELS_PER_METRE)
    open_sky = 1 / (1 + 5 * np.clip(at(crowding, x, y) - depth, 0, 1))
    open_sky *= np.select([front, above, below, right], [1.0, 1.25, 0.45, 0.8], 0.9)
    bounced = np.where(below, 0.16, 0.05)[:, None] * rgb(1.0, 0.85, 0.65)
    light = (cosine * lit)[:, None] * SUNLIGHT + open_sky[:, None] * SKYLIGHT + bounced
    colour = paint(relief, x, y, depth, noise) * light

    pane = np.flatnonzero((at(relief.material, x, y) == GLASS) & front)
    colour[pane] = glass_colour(x[pane], y[pane], lit[pane], noise)

    iron = front_railing(
        along(wall_x, 0, RAILING_DEPTH), along(wall_y, 1, RAILING_DEPTH)
    ) & (depth < RAILING_DEPTH)
    iron |= side_railings(wall_x, wall_y, depth)
    colour[iron] = rgb(0.028, 0.03, 0.034)

    sky = depth == SKY
    slope_x = (wall_x[sky] - CAMERA[0]) / CAMERA[2]
    slope_y = (wall_y[sky] - CAMERA[1]) / CAMERA[2]
    colour[sky] = sky_colour(slope_x * 0.6, slope_y * 0.6, noise.clouds)
    return colour


def render(supersampling: int = 3) -> NDArray[np.uint8]:
    """Render the picture, 512 x 512 x 3; ``supersampling`` is rays per pixel and
    axis."""
    rng = np.random.default_rng(2018)
    light = shade(build(rng), Noise(rng), SIDE * supersampling)
    light = light.reshape(SIDE, supersampling, SIDE, supersampling, 3).mean((1, 3))
    light = gaussian_filter(light, (0.45, 0.45, 0))  # the lens
    across = np.linspace(-1, 1, SIDE)
    light *= 1 - 0.1 * (across[:, None, None] ** 2 + across[None, :, None] ** 2)
    # A camera's tone curve: deep shadows, and bright stone without clipping.
    light = np.clip(1.35 * light, 0, None) ** 1.2
    light = np.clip(light * (1 + light / 6) / (1 + 0.75 * light) * 1.1, 0, 1)
    srgb = to_srgb(torch.from_numpy(light)).numpy()
    grey = rng.standard_normal((SIDE, SIDE, 1))
    noise = 1.2 * grey + 0.9 * rng.standard_normal((SIDE, SIDE, 3))  # sigma 1.5
    return np.clip(np.round(srgb * 255 + noise), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    beside = Path(__file__).with_name("facade.png")
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else beside
    Image.fromarray(render()).save(target, optimize=True)
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")
