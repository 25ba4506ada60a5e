"""Render data/scenes/ and data/scenes.json: pictures whose layers are all known.

A photograph has no ground truth for its layers. These pictures are composed from the
photographs of the course: two textures, a foreground on a background, two mixed
photographs, haze over a known depth, a watermark, and two videos. Nothing is random.
The functions are in ``scene_layers.py``.

``python data/render_scenes.py`` renders the bundled scenes, on which results are
reported. ``--practice FOLDER`` renders other scenes of the same kinds, on which
settings are chosen, into a folder. ``--held-out FOLDER`` renders two hazy scenes of
photographs that are in no other hazy scene; no setting was chosen on them.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scene_layers import (
    Glide,
    Haze,
    Part,
    Picture,
    Scene,
    Wall,
    blob,
    composite,
    corners,
    film_of_a_figure,
    film_of_haze,
    glow,
    ground,
    hazy_photograph,
    hazy_walls,
    mark,
    mixture,
    smooth,
    star,
    upright,
    watermark,
)

from dil_teach.image.photos import photos

# Outlines of objects, drawn slightly inside the object, in pixels of the photograph.
CAT = smooth(
    "150,26 210,18 268,20 318,40 342,75 354,125 348,165 330,200 314,240 290,268 "
    "250,277 205,268 160,246 122,210 104,165 100,110 114,60"
)
DAHLIA = smooth(
    "312,90 345,99 374,110 398,125 418,143 428,175 434,205 435,225 430,255 420,285 "
    "404,314 386,328 358,341 325,352 298,352 266,346 243,338 218,320 200,300 186,270 "
    "176,248 174,212 182,175 192,150 206,126 228,114 266,100 290,94"
)
WOMAN = smooth(
    "235,22 268,34 288,60 293,86 284,112 266,132 260,152 263,182 284,204 299,232 "
    "310,250 330,266 344,290 352,318 340,342 312,372 293,402 280,436 240,450 140,450 "
    "60,448 30,430 28,380 36,335 48,290 66,264 90,240 112,218 122,192 140,166 172,153 "
    "182,142 176,124 162,108 158,78 166,50 192,32 212,23"
)
PAGODA = corners(
    "198,31 214,31 218,60 235,84 265,100 318,119 299,134 292,140 292,157 327,172 "
    "318,188 318,230 324,241 351,255 340,275 341,300 347,310 341,325 368,332 346,350 "
    "330,366 310,427 60,427 74,350 75,325 82,312 82,283 67,271 74,254 96,240 100,188 "
    "85,178 88,170 119,158 119,140 96,128 98,108 150,94 180,80 194,60"
)
CUP = smooth(
    "285,21 335,29 377,57 399,90 420,104 446,135 468,182 473,220 462,274 428,325 "
    "369,365 285,381 201,369 142,339 98,284 83,235 85,182 107,134 146,98 178,80 "
    "213,43 250,27"
)
MAN = smooth(
    "205,72 235,76 258,95 264,118 256,140 250,162 240,186 244,214 262,240 292,262 "
    "296,276 250,304 214,296 190,328 150,376 144,430 84,444 34,436 30,340 32,256 "
    "54,204 74,164 104,139 140,127 162,112 176,86"
)

GRAVEL = Part("gravel", 0, 0, 512, tint=(1, 0.93, 0.8))
LAWN = Part("grass", 0, 0, 512, tint=(0.72, 0.95, 0.45))
STRAW = Part("grass", 0, 0, 512, tint=(0.85, 0.78, 0.55))
BRICK = Part("brick", 200, 60, 256, tint=(1, 0.72, 0.6), quarter_turns=1)
STONE = Part("brick", 0, 0, 300, tint=(0.95, 0.85, 0.75), quarter_turns=1)
BOARDS = Part("coffee", 275, 470, 125)
HEDGE = Part("flower", 40, 440, 200)
SKY = Part("china", 0, 330, 110, 300)
HOUSE = Part("facade", 150, 0, 300)
STREET = Part("facade", 130, 0, 370, 500)
CAT_HEAD, WHOLE_DAHLIA = Part("chelsea", 0, 80, 300), Part("flower", 30, 110, 380)
WHOLE_WOMAN, WHOLE_PAGODA = Part("astronaut", 0, 0, 470), Part("china", 0, 0, 427)
WHOLE_CUP, WHOLE_MAN = Part("coffee", 0, 60, 400), Part("camera", 20, 10, 450)


def garden() -> Scene:
    """The hazy garden of chapter 08."""
    return hazy_walls(
        "haze_garden",
        "Giant dahlias before a hedge",
        Haze(0.08, (0.78, 0.82, 0.88)),
        ground(LAWN, 1.6, (10, 16)),
        upright(WHOLE_DAHLIA, -1.7, -1.8, 4, 2.9, DAHLIA),
        upright(WHOLE_DAHLIA, 1.6, -2.2, 8, 4.6, DAHLIA),
        upright(WHOLE_DAHLIA, -1.2, -2.4, 14, 6.5, DAHLIA),
        upright(HEDGE, 0, -1.6, 22, 28),
    )


def shipped_scenes() -> Iterator[Scene]:
    """The bundled scenes, on which results are reported."""
    name, title, outline = "star", "A star of brick on gravel", star(64, 67, 53, 25, 5)
    gravel = Part("gravel", 100, 150, 256)
    front, disk = Part("brick", 150, 150, 256), (64, 67, 17)
    yield composite(name, title, front, gravel, [outline], disk, alike=True)
    waves = (2, 0.12, 0.5), (3, 0.14, 2.0), (5, 0.06, 1.0)
    name, title, outline = "blob", "A blob of brick on grass", blob(62, 64, 38, *waves)
    front, back = Part("brick", 150, 150, 256), Part("grass", 220, 200, 256)
    yield composite(name, title, front, back, [outline], (62, 64, 17))
    name, title = "ring", "A ring of petals on gravel"
    front = Part("flower", 130, 205, 180)
    back = Part("gravel", 200, 20, 256, tint=(1, 0.7, 0.5))
    outlines = [blob(66, 64, 44), blob(66, 64, 17)]
    yield composite(name, title, front, back, outlines, (66, 33.5, 12))
    title, back = "The cat's face on the coffee table", Part("coffee", 0, 190, 400)
    yield composite("cat", title, CAT_HEAD, back, CAT, (66, 60, 20))
    title, back = "The dahlia on brick", replace(BRICK, quarter_turns=0)
    yield composite("dahlia", title, WHOLE_DAHLIA, back, DAHLIA, (66, 64, 22))
    title, back = "The astronaut on grass", replace(LAWN, top=30, left=200, side=300)
    yield composite("astronaut", title, WHOLE_WOMAN, back, WOMAN, (44, 90, 18))
    name, title = "grass_star", "A star of grass on gravel"
    front = Part("grass", 100, 150, 256)
    yield composite(name, title, front, gravel, [outline], disk, alike=True)

    cat, lake = Part("chelsea", 0, 75, 300), Part("china", 0, 10, 427)
    flower, petals = Part("flower", 0, 60, 427), Part("flower", 60, 120, 330)
    woman, coins = Part("astronaut", 0, 60, 400), Part("coins", 0, 0, 303)
    man, wall = Part("camera", 20, 60, 400), Part("brick", 0, 0, 400)
    house, retina = Part("facade", 60, 60, 400), Part("retina", 200, 200, 900)
    yield mixture("mix_cat", cat, WHOLE_CUP, 0.7, 0.35)
    yield mixture("mix_dahlia", flower, lake, 0.6, 0.4)
    yield mixture("mix_astronaut", woman, coins, 0.8, 0.3)
    yield mixture("mix_camera", man, wall, 0.65, 0.45)
    yield mixture("mix_facade", house, petals, 0.55, 0.25)
    yield mixture("mix_retina", retina, WHOLE_CUP, 0.75, 0.5)

    tree = corners("0,145 22,195 70,225 52,262 0,275")
    left = corners("0,290 40,330 70,345 140,333 175,365 290,427 0,427")
    right = corners("325,427 345,350 375,332 430,312 480,290 480,427")
    yield hazy_photograph(
        "haze_lake",
        "The pagoda above a lake",
        Haze(0.006, (0.80, 0.83, 0.87)),
        Part("china", 0, 20, 427),
        300,
        (200, 8000),
        *((tree, 25), (PAGODA, 40), (left, 25), (right, 25)),
    )
    yield hazy_walls(
        "haze_alley",
        "An alley of brick",
        Haze(0.075, (0.82, 0.84, 0.87)),
        ground(GRAVEL, 1.6, (12, 20)),
        Wall(BRICK, (-2.4, -1.6, 0.5), (0, 0, 40), (0, 14, 0), (10, 4)),
        Wall(HOUSE, (2.6, -1.6, 30.5), (0, 0, -30), (0, 15, 0), (5, 2.5)),
        upright(Part("facade", 100, 150, 300), 0, -1.6, 22, 17),
    )
    yield garden()
    yield hazy_walls(
        "haze_square",
        "A square below the sky",
        Haze(0.06, (0.85, 0.87, 0.90)),
        ground(GRAVEL, 1.6, (12, 20)),
        upright(WHOLE_WOMAN, -0.9, -1.7, 3.4, 2.1, WOMAN),
        upright(WHOLE_PAGODA, 2.6, -1.8, 13, 9, PAGODA),
        upright(STREET, -8, -1.6, 20, 9),
        upright(SKY, 0, -12, 35, 55),
        sky=True,
    )
    yield hazy_walls(
        "haze_gallery",
        "A gallery in smoke, light from the right",
        Haze(0.085, glow((0.72, 0.74, 0.78), (0.95, 0.91, 0.84), 1.05, 0.3, 0.5)),
        ground(BOARDS, 1.6, (8, 16)),
        Wall(BRICK, (-2.6, -1.6, 0.5), (0, 0, 24), (0, 14, 0), (8, 4)),
        upright(Part("chelsea", 0, 75, 300), -0.9, -1.1, 6, 2.2),
        upright(WHOLE_CUP, 3.0, -1.2, 10, 4),
        upright(Part("astronaut", 0, 0, 512), 0.9, 1.6, 15, 5.5),
        upright(STONE, 0, -1.6, 20, 28),
    )
    yield hazy_walls(
        "haze_sunset",
        "Statues on a lawn, a low sun on the left",
        Haze(0.065, glow((0.74, 0.77, 0.82), (0.95, 0.90, 0.82), 0.0, 0.25, 0.45)),
        ground(LAWN, 1.6, (10, 16)),
        upright(CAT_HEAD, 1.4, -1.9, 4, 2.4, CAT),
        upright(WHOLE_PAGODA, -1.6, -1.8, 9, 5.5, PAGODA),
        upright(WHOLE_DAHLIA, 2.2, -2.2, 14, 7, DAHLIA),
        upright(STREET, 0, -1.6, 26, 34),
    )

    three = [cat, lake, Part("coffee", 0, 190, 400)]
    yield watermark(three, mark(64, 66, 1), [0.96, 0.96, 0.94], [19, 17, 92, 94])
    yield film_of_a_figure(
        "The cat's face glides over the coffee table",
        Glide(CAT_HEAD, 96, (2.3, 0.9)),
        Glide(Part("coffee", 0, 100, 400), 160, (-1.7, -0.6)),
        CAT,
        corner=(10, 14),
        degrees=1.5,
        disk=(58, 60, 15),
    )
    yield film_of_haze(
        "A dahlia and a pagoda on a lawn",
        Haze(0.07, (0.80, 0.83, 0.87)),
        2.4,
        ground(LAWN, 1.6, (10, 16)),
        upright(WHOLE_DAHLIA, -1.4, -1.7, 4, 2.6, DAHLIA),
        upright(WHOLE_PAGODA, 1.6, -1.8, 10, 6, PAGODA),
        Wall(STONE, (-20, -1.6, 20), (40, 0, 0), (0, 20, 0), (4, 2)),
    )


def practice_scenes() -> Iterator[Scene]:
    """Other scenes of the same kinds, on which settings are chosen."""
    title, outline = "A star of gravel on grass", star(62, 62, 50, 27, 6, 10)
    front, back = Part("gravel", 250, 0, 256), Part("grass", 250, 20, 256)
    yield composite("hexagram", title, front, back, [outline], (62, 62, 17), True)
    outline = blob(66, 62, 40, (2, 0.2, 2.0), (3, 0.08, 0.3))
    title, front = "A potato of grass on brick", Part("grass", 30, 250, 256)
    back = Part("brick", 20, 250, 256)
    yield composite("potato", title, front, back, [outline], (66, 62, 17))
    outline = corners("34,18 66,18 66,78 104,78 104,108 34,108")
    title, front = "A letter L of windows on gravel", Part("facade", 150, 150, 300)
    back = Part("gravel", 10, 10, 256, tint=(1, 0.75, 0.6))
    yield composite("letter", title, front, back, [outline], (50, 50, 13))
    cup = Part("coffee", 0, 80, 400)
    yield composite("cup", "The cup on gravel", cup, GRAVEL, CUP, (63, 58, 18))
    title = "The pagoda on brick"
    yield composite("pagoda", title, WHOLE_PAGODA, STONE, PAGODA, (62, 80, 17))
    title, back = "The cameraman on grass", Part("grass", 150, 20, 300)
    yield composite("cameraman", title, WHOLE_MAN, back, MAN, (36, 78, 16))

    eye, wall = Part("chelsea", 50, 110, 170), Part("brick", 120, 60, 300)
    roofs, petals = Part("china", 20, 90, 240), Part("flower", 110, 180, 200)
    face, coins = Part("astronaut", 0, 110, 240), Part("coins", 60, 80, 240)
    tripod, wood = Part("camera", 100, 200, 300), Part("coffee", 200, 380, 200)
    patch, retina = Part("astronaut", 300, 80, 200), Part("retina", 100, 100, 600)
    yield mixture("mix_eye", eye, wall, 0.72, 0.38)
    yield mixture("mix_roofs", roofs, petals, 0.62, 0.42)
    yield mixture("mix_face", face, coins, 0.82, 0.33)
    yield mixture("mix_tripod", tripod, wood, 0.66, 0.44)
    yield mixture("mix_patch", patch, roofs, 0.58, 0.28)
    yield mixture("mix_retina", retina, petals, 0.77, 0.52)

    hedge = "310,427 345,352 372,340 420,312 470,292 500,297 535,275 570,320 570,427"
    tree = "555,427 560,260 548,220 575,200 572,170 600,135 620,150 640,195 640,427"
    yield hazy_photograph(
        "haze_shore",
        "A lake on the right of the pagoda",
        Haze(0.007, (0.84, 0.86, 0.88)),
        Part("china", 0, 213, 427),
        260,
        (200, 7000),
        *((PAGODA, 40), (corners(hedge), 30), (corners(tree), 25)),
    )
    yield hazy_walls(
        "haze_lane",
        "A lane between a house and a wall",
        Haze(0.07, (0.80, 0.82, 0.86)),
        ground(STRAW, 1.7, (12, 20)),
        Wall(HOUSE, (-3.0, -1.7, 0.5), (0, 0, 30), (0, 15, 0), (4, 2)),
        Wall(STONE, (2.2, -1.7, 40.5), (0, 0, -40), (0, 14, 0), (10, 4)),
        upright(Part("facade", 130, 100, 370), 0, -1.7, 24, 18),
    )
    yield hazy_walls(
        "haze_cups",
        "Giant cups before boards",
        Haze(0.075, (0.76, 0.80, 0.86)),
        ground(GRAVEL, 1.5, (10, 16)),
        upright(cup, 1.4, -1.6, 4, 2.4, CUP),
        upright(cup, -2.0, -1.7, 8, 3.4, CUP),
        upright(CAT_HEAD, 2.6, -1.9, 14, 6.5, CAT),
        upright(BOARDS, 0, -1.6, 24, 32),
    )
    yield hazy_walls(
        "haze_lawn",
        "A cat, a flower and a house below the sky",
        Haze(0.055, (0.88, 0.89, 0.91)),
        ground(LAWN, 1.6, (12, 20)),
        upright(CAT_HEAD, 0.9, -1.8, 4, 2.3, CAT),
        upright(WHOLE_DAHLIA, -2.0, -2.0, 9, 4.5, DAHLIA),
        upright(HOUSE, 8, -1.6, 22, 13),
        upright(SKY, 0, -12, 35, 55),
        sky=True,
    )
    yield hazy_walls(
        "haze_hall",
        "A hall in smoke, light from the left",
        Haze(0.08, glow((0.70, 0.73, 0.78), (0.94, 0.90, 0.83), 0.0, 0.35, 0.5)),
        ground(GRAVEL, 1.6, (10, 16)),
        Wall(STONE, (2.8, -1.6, 24.5), (0, 0, -24), (0, 14, 0), (8, 4)),
        upright(Part("flower", 30, 90, 380), 0.5, -1.2, 5, 2.2),
        upright(Part("astronaut", 0, 0, 512), -2.2, -1.2, 9, 4),
        upright(BOARDS, 0, -1.6, 20, 28),
    )
    yield hazy_walls(
        "haze_dawn",
        "A pagoda before a street, a low sun on the right",
        Haze(0.06, glow((0.75, 0.78, 0.83), (0.96, 0.91, 0.84), 1.0, 0.2, 0.45)),
        ground(STRAW, 1.6, (10, 16)),
        upright(WHOLE_WOMAN, -1.1, -1.8, 4, 2.4, WOMAN),
        upright(WHOLE_PAGODA, 2.6, -1.8, 11, 6.5, PAGODA),
        upright(STREET, 0, -1.6, 26, 34),
    )

    three = [WHOLE_DAHLIA, Part("astronaut", 0, 60, 400), roofs]
    yield watermark(three, mark(60, 68, 0.95), [0.97, 0.95, 0.9], [22, 14, 92, 92])
    yield film_of_a_figure(
        "A dahlia glides over a wall",
        Glide(WHOLE_DAHLIA, 84, (-1.9, 1.6)),
        Glide(BRICK, 150, (1.3, 0.4)),
        DAHLIA,
        corner=(34, 10),
        degrees=-2.0,
        disk=(70, 52, 15),
    )
    yield film_of_haze(
        "A cat and a cup on gravel",
        Haze(0.065, (0.82, 0.83, 0.86)),
        -2.1,
        ground(GRAVEL, 1.6, (10, 16)),
        upright(CAT_HEAD, 1.2, -1.8, 4.5, 2.4, CAT),
        upright(cup, -2.0, -1.7, 9, 4, CUP),
        upright(STREET, 0, -1.6, 24, 40),
    )


def held_out_scenes() -> Iterator[Scene]:
    """Hazy scenes of other photographs, for reporting only."""
    bronze, sepia = (1, 0.88, 0.68), (1, 0.93, 0.8)
    man = replace(WHOLE_MAN, tint=sepia)
    yield hazy_walls(
        "haze_treasury",
        "A corridor of coins",
        Haze(0.07, (0.79, 0.81, 0.83)),
        ground(Part("coins", 0, 0, 303, tint=bronze), 1.6, (12, 20)),
        Wall(
            Part("coins", 30, 50, 256, tint=bronze),
            (-2.6, -1.6, 0.5),
            (0, 0, 34),
            (0, 14, 0),
            (9, 4),
        ),
        Wall(
            Part("camera", 230, 0, 256, tint=sepia),
            (2.4, -1.6, 34.5),
            (0, 0, -34),
            (0, 14, 0),
            (8, 4),
        ),
        upright(Part("retina", 300, 300, 800), 0, -1.6, 23, 18),
    )
    yield hazy_walls(
        "haze_men",
        "Cameramen before a clock",
        Haze(0.085, (0.83, 0.82, 0.80)),
        ground(Part("coins", 60, 80, 240, tint=(0.8, 0.85, 0.75)), 1.6, (10, 16)),
        upright(man, -1.3, -1.7, 4, 2.6, MAN),
        upright(man, 1.7, -1.8, 8, 4, MAN),
        upright(man, -2.4, -2.0, 13, 6, MAN),
        upright(Part("clock", 0, 0, 300, tint=sepia), 0, -1.6, 21, 27),
    )


def write(scenes: Iterator[Scene], folder: Path) -> None:
    """Write all PNG files to folder/scenes, and folder/scenes.json."""
    (folder / "scenes").mkdir(parents=True, exist_ok=True)
    entries = [write_scene(scene, folder) for scene in scenes]
    text = json.dumps(entries, indent=1, ensure_ascii=False)
    (folder / "scenes.json").write_text(text + "\n", encoding="utf-8")


def write_scene(scene: Scene, folder: Path) -> dict[str, Any]:
    """Write the PNG files of a scene and return its entry in scenes.json."""
    files: dict[str, str | list[str]] = {}
    sha256 = {}
    for key, pictures in scene.images.items():
        stem = f"scenes/{scene.name}_{key}"
        if isinstance(pictures, list):
            written = {f"{stem}_{i}.png": one for i, one in enumerate(pictures)}
            files[key] = list(written)
        else:
            written = {f"{stem}.png": pictures}
            files[key] = f"{stem}.png"
        for file, picture in written.items():
            save(picture, folder / file)
            sha256[file] = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    used = [photos()[name] for name in dict.fromkeys(part.name for part in scene.parts)]
    shared = {one.licence for one in used if one.licence.startswith("CC BY")}
    lines = " ".join(one.attribution for one in used)
    return {
        "name": scene.name,
        "kind": scene.kind,
        "title": f"{scene.title}, rendered",
        "rendered": True,
        "photographs": {one.name: one.attribution for one in used},
        "attribution": f"Rendered by data/render_scenes.py from parts of: {lines}",
        "licence": min(shared, default="CC0 1.0"),
        "files": files,
        "known": scene.known,
        "sha256": sha256,
    }


def save(picture: Picture, path: Path) -> None:
    """Write a PNG with one grey channel if all channels are equal."""
    values = np.round(picture * 255).astype(np.uint8)
    if (values == values[:, :, :1]).all():
        values = values[:, :, 0]
    Image.fromarray(values).save(path, optimize=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--practice"]:
        write(practice_scenes(), Path(sys.argv[2]))
    elif sys.argv[1:2] == ["--held-out"]:
        write(held_out_scenes(), Path(sys.argv[2]))
    else:
        write(shipped_scenes(), Path(__file__).parent)
