# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 · Fractals and classical super-resolution: is an image its own codebook?
#
# A codebook is a list of patterns that a coder may refer to.
# Must it come from other pictures, or do the large parts of a photograph describe its small parts?
# In this chapter, we write a photograph as a list of references to itself, and decode it from a list that contains no pixel.
# Then we use the same [recurrence](glossary.md#recurrence) for [super-resolution](glossary.md#super-resolution), without a network.
#
# **After this chapter you can**
#
# - fit a [contractive map](glossary.md#contractive-map) between two blocks, and explain why the decoder may start from any picture;
# - compare a [fractal code](glossary.md#fractal-code) with JPEG at equal file size;
# - say why the fractal zoom is not super-resolution, and repair a part of its error by [back-projection](glossary.md#back-projection);
# - explain the two constraints of Glasner, Bagon and Irani, and measure what each of them contributes.
#
# **What you need**: chapter [01](01_patch_recurrence.ipynb), and least squares with one unknown.
# One comparison trains the small network of chapter [09](09_zssr.ipynb); no GPU is needed.
# Reading takes 45 minutes; running all cells takes about 40 seconds (*Run > Run All Cells*).

# %% tags=["parameters"]
budget = "quick"

# %%
import torch
import torch.nn.functional as F

from dil_teach.notebook import check_claims, start

seed = 0
start(budget, seconds={"quick": 40, "standard": 90, "full": 300})

# %% [markdown]
# `budget` changes the size of the photograph, and the training of the network.
# The [seed](glossary.md#seed) determines the pictures of noise, and the network.
#
# ## What the methods achieve
#
# First, results that were computed beforehand; each picture shows a part of 288 x 288 pixels.
# (Street front: rendered with `data/render_facade.py`, CC0. Cup: Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0.)
# The street front is enlarged from 170 x 170 to 510 x 510 pixels: by bicubic interpolation, and by Glasner's method, which uses no other picture.
# The cup is decoded from a file that contains no pixel.

# %%
from dil_teach.course.openings import show_opening

opening = show_opening(
    "fractals",
    {
        "bicubic, 3 times the size": "Windows of a brick house, enlarged and blurred",
        "Glasner, 3 times the size": "The windows with clearly sharper frames, bars "
        "and ledges; the single bricks are still missing",
        "ground truth": "The windows in their true sharpness, with all bricks",
        "given, drawn 3 times as large": "The given picture, in large square pixels",
        "decoded from the file": "A cup of coffee, sharp, with slightly rough outlines",
        "the photograph of the file": "The cup of coffee, its saucer and a spoon",
    },
)

# %% [markdown]
# The animation shows the first steps of the decoder, which starts from the picture of a cat.
# (Cat: Stéfan van der Walt, CC0.)
#
# Glasner's method makes the outlines of the windows sharp and smooth, where bicubic interpolation blurs them.
# It cannot invent the bricks: at the size of the given picture they are hardly visible.
# The file without pixels gives a picture near the photograph.
# Drawn at twice the size, the same kind of file is *not* super-resolution: this fractal zoom of the cup has a lower PSNR than bicubic interpolation, and its outlines are broken.
# Each block is copied by itself, and nothing makes neighbouring blocks fit together, or makes the result agree with the given pixels; a later section shows this.
# Below, you run all of this on a smaller picture.
#
# ## A photograph: ours, or yours
#
# To use your own photograph, press the button and choose a file.
# Then select the cell below the button, and choose *Run > Run Selected Cell and All Below*.
# The chapter works in grey, on a square from the middle.
# (Our photograph: Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0.)

# %%
from dil_teach.notebook import upload

button = upload("Your own photograph")

# %%
from dil_teach import photo, resize
from dil_teach.notebook import uploaded_image


def eight_bit(image):
    return (image.clamp(0, 1) * 255).round() / 255


side = {"quick": 192, "standard": 256, "full": 384}[budget]
ours = photo("coffee", size=side)
photograph = uploaded_image(button.value, default=ours)
own = photograph is not ours
if own:  # the square in the middle, at the size of our photograph
    short = min(photograph.shape[1:])
    top, left = ((n - short) // 2 for n in photograph.shape[1:])
    photograph = photograph[:, top : top + short, left : left + short]
    photograph = resize(photograph, size=ours.shape[1:])
picture = eight_bit(photograph.mean(0, keepdim=True))

# %%
from dil_teach import psnr_y


def decibels(image, truth=picture):
    """PSNR in dB without a border of two pixels, as in the titles of the figures."""
    return psnr_y(image, truth, shave=2)


# %% [markdown]
# We use this picture in both halves of the chapter.
# In the first half it is compressed; in the second half, a copy of half the size is enlarged again.
# The PSNR is that of the luma, as usual in super-resolution.
# The luma of these pictures spans 219 levels instead of 255.
# All errors shrink by this factor, so the PSNR is 1.3 dB higher than it would be for the grey values.
#
# ## Predict first
#
# Write down your answers to these four questions; the chapter tests each answer.
#
# 1.
#    A file contains only sentences such as 'this block looks like that block of twice the side, but darker'.
#    It contains no pixel.
#    From which picture must the decoder start?
# 2.
#    JPEG describes each block by waves, and this file describes each block by another part of the picture.
#    Which of the two gives the better picture at the same file size?
# 3.
#    The sentences name no pixels, so they can also be drawn at twice the size.
#    Is the result better than bicubic interpolation?
# 4.
#    For super-resolution, you may use similar patches of the same size, or of another size.
#    Which of them helps more?

# %% [markdown]
# ## The smallest demo: one block explained by another
#
# We cut the picture into *[range blocks](glossary.md#range-block)* of 8 x 8 pixels.
# For each of them, we look for a *[domain block](glossary.md#domain-block)*: a block of the same picture with twice the side, averaged down by two.
# The domain block may be rotated and mirrored; there are eight such *isometries* of a square.
# All domain blocks in all eight isometries are the codebook, and the picture itself provides it:


# %%
def cut(image, side):
    """Blocks that do not overlap, in reading order: Float[Tensor, "n side side"]."""
    return F.unfold(image[None], side, stride=side)[0].T.reshape(-1, side, side)


def codebook(image, side):
    """All domains, averaged down by two, in the eight isometries of a square."""
    half = F.avg_pool2d(image, 2)
    blocks = F.unfold(half[None], side, stride=2)[0].T.reshape(-1, side, side)
    turned = [blocks.rot90(quarter, (1, 2)) for quarter in range(4)]
    return torch.cat([*turned, *(blocks.flip(2) for blocks in turned)])


print(f"{len(cut(picture, 8))} range blocks, {len(codebook(picture, 8))} domain blocks")

# %% [markdown]
# A range block $r$ is approximated by $s\,d + o$: a domain block $d$, times the *contrast* $s$, plus the *brightness* $o$.
# A contrast of more than $s_{\max} = 0.9$ in size is forbidden; the theory below says why.
#
# The brightness corrects the means, so let $r$ and $d$ be blocks without their means.
# The best contrast is a [least-squares](glossary.md#least-squares) solution.
# Without the limit, it reduces the squared error from $\lVert r \rVert^2$ by $\langle r, u \rangle^2$, where $u = d / \lVert d \rVert$.
# With the limit, the reduction is $m\,(2\,|\langle r, u \rangle| - m)$, where $m$ is the smaller of $|\langle r, u \rangle|$ and $s_{\max} \lVert d \rVert$.
# The best domain block is the one with the largest reduction.

# %%
MOST = 0.9


def nearest(blocks, book, most=MOST):
    """The entry of the codebook that reduces the squared error of each block most."""
    ranges, domains = (x.flatten(1) - x.mean((1, 2))[:, None] for x in (blocks, book))
    norms = domains.norm(dim=1)
    units = domains / norms.clamp_min(1e-3)[:, None]
    found = []
    for part in ranges.split(256):  # in parts, to save memory
        product = (part @ units.T).abs()
        used = product.minimum(most * norms)
        found.append((used * (2 * product - used)).argmax(1))
    return torch.cat(found)


# %% [markdown]
# Click on the picture, or move the sliders: the panel shows the range block at this place and its best domain block.
# The side of the range blocks can be 4, 8 or 16 pixels.

# %%
from functools import cache

from dil_teach.course import check
from dil_teach.notebook import Clickable, Mark, Slider, enlarged, explore, show, strip

books = cache(lambda side: codebook(picture, side))
fit_map = check.contractive_map.reference  # you write this function below


# %%
@cache
def explained(row, column, side):
    """Range block, domain block, the domain's place, and the map."""
    top, left = row // side * side, column // side * side
    block = picture[:, top : top + side, left : left + side]
    entry = int(nearest(block, books(side))[0])
    place = entry % (len(books(side)) // 8)
    columns = (picture.shape[2] // 2 - side) // 2 + 1
    domain = books(side)[entry][None]
    corner = 4 * (place // columns), 4 * (place % columns)
    return block, domain, corner, fit_map(block, domain, MOST)


# %%
def panels(row, column, power):
    block, domain, _, (s, o) = explained(row, column, 2**power)
    drawn = (s * domain + o).clamp(0, 1)
    shown = {"range block": block, "its best domain block d": domain}
    shown[f"{s:.2f} d {'+' if o > 0 else '-'} {abs(o):.2f}"] = drawn
    return strip({t: enlarged(x, 2 ** (4 - power)) for t, x in shown.items()}, zoom=16)


def marks(row, column, power):
    side = 2**power
    top, left = explained(row, column, side)[2]
    place = Mark(row // side * side, column // side * side, side, side, "range")
    return [place, Mark(top, left, 2 * side, 2 * side, "domain", style=1)]


# %%
at = {"row": side * 5 // 12, "column": side * 2 // 3}
clicked = explore(
    panels,
    {
        "row": Slider("Row", 0, side - 1, at["row"], 1),
        "column": Slider("Column", 0, side - 1, at["column"], 1),
        "power": Slider("Side of a range block, as a power of 2", 2, 4, 3, 1),
    },
    "A range block at row {row}, column {column}, of side 2 to the {power}; its best "
    "domain block, averaged down and turned; and the approximation of the range block",
    examples=[at | {"power": power} for power in (4,)],
    click=Clickable(picture, marks, alt="The picture with two squares"),
)

# %% [markdown]
# The domain block shows another part of the picture, at twice the size, and after the map it is similar to the range block.
# Move the last slider: the smaller the range block, the better the approximation: four pixels a side have a simple shape, which recurs nearly everywhere.
# But each block needs its own line in the file, and a quarter of the area means four times as many lines.
#
# In which places are the best domains?
# The arrows lead from the domain block to the range block, for the forty range blocks whose grey values have the largest standard deviation.

# %%
import numpy as np
from matplotlib.figure import Figure

# %%
ARROW = {"arrowstyle": "->", "color": "#D55E00"}


def arrows(side, number=40):
    figure = Figure(figsize=(3.2, 3.2), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(picture[0], cmap="gray", vmin=0, vmax=1, alpha=0.6)
    axes.set_axis_off()
    spread, columns = cut(picture, side).std((1, 2)), picture.shape[2] // side
    lengths = []
    for index in spread.argsort(descending=True)[:number].tolist():
        top, left = index // columns * side, index % columns * side
        y, x = explained(top, left, side)[2]
        tail, head = (x + side, y + side), (left + side / 2, top + side / 2)
        axes.annotate("", head, tail, arrowprops=ARROW)
        lengths.append(np.hypot(tail[0] - head[0], tail[1] - head[1]))
    return figure, np.mean(lengths)


# %%
figure, length = arrows(8)
show(
    figure,
    alt="The picture, pale, with forty arrows: most of them cross the cup and the "
    "spoon, in all directions, and many are long",
)
print(f"mean length of an arrow: {length:.0f} pixels")
print(f"mean distance of two random places in the picture: {0.521 * side:.0f} pixels")

# %% [markdown]
# Most arrows cross the cup and the spoon, because most of the forty blocks with the largest standard deviation lie there.
# On average, the arrows are shorter than the distance of two random places.
# One reason is that these forty blocks are near each other.
# But most arrows leave the surroundings of the range block: the search takes the best of all places.
#
# ## Theory: a picture without pixels
#
# Let $W$ be the transformation that replaces each range block of a picture $x$ by $s\,d + o$, with the domain block $d$ cut from *the same* $x$.
# The averaging cannot increase the largest difference of two pictures, so with $|s| \le s_{\max}$ in all blocks
#
# $$\lVert W x - W y \rVert_\infty \le s_{\max} \lVert x - y \rVert_\infty .$$
#
# If $s_{\max} < 1$, then $W$ is a *contraction*.
# By Banach's theorem, $W$ has exactly one fixed point $x^* = W x^*$, and the sequence $x, W x, W W x, \dots$ converges to it *from any picture* $x$.
# So the file only needs $W$: one line with domain, isometry, contrast and brightness for each range block.
#
# Is the fixed point the photograph $y$?
# The *[collage theorem](glossary.md#collage-theorem)* answers:
#
# $$\lVert y - x^* \rVert_\infty \le \frac{1}{1 - s_{\max}} \lVert y - W y \rVert_\infty .$$
#
# It is enough to find a $W$ that changes the photograph little, block by block.
# This idea is by Barnsley and Sloan [@barnsley1987].
# Their article in the magazine BYTE names compression ratios of 10,000 to 1 and more [@barnsley1988]; below, we measure the ratio for a photograph.
# Jacquin gave the first automatic coder for photographs, and it works with blocks as we do here [@jacquin1992].
#
# ## Exercise: the contractive map
#
# Write `contractive_map(block, domain, most)`.
#
# - `block`: Float[Tensor, "side side"], a range block with values in [0, 1].
# - `domain`: Float[Tensor, "side side"], its domain block, averaged down and turned.
# - `most`: $s_{\max}$, a float between 0 and 1.
# - Returns a tuple of two floats: the contrast $s$ and the brightness $o$.
#   They minimise the sum of $(s\,d + o - r)^2$ over all pixels, under the condition $|s| \le$ `most`.
# - If the domain block is constant, the contrast is 0.
#
# Expected run time: less than a millisecond for a block.


# %% tags=["exercise"]
def contractive_map(block, domain, most):
    ### BEGIN SOLUTION
    r, d = block - block.mean(), domain - domain.mean()
    energy = float((d * d).sum())
    contrast = float((r * d).sum()) / energy if energy > 0 else 0.0
    contrast = min(max(contrast, -most), most)
    return contrast, float(block.mean() - contrast * domain.mean())
    ### END SOLUTION


# %%
check.contractive_map(contractive_map)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Set the derivative with respect to $o$ to zero: which value of $o$ belongs to a given $s$?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Insert this $o$: the means of both blocks drop out.
# What remains is a line through the origin, whose slope is a quotient of two sums.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The sum of squares is a parabola in $s$, so under the condition the best contrast is the slope, limited to $[-s_{\max}, s_{\max}]$.
# Which brightness belongs to the *limited* contrast?
#
# </details>

# %% [markdown]
# The next cells use your function if it passed the check, and the library's function otherwise.
# The encoder is one search and one map per block, and the decoder applies all maps at once.

# %% tags=["algorithm"]
solved = check.contractive_map(contractive_map).state == "passed"
map_of = contractive_map if solved else check.contractive_map.reference
SIDE = 8


def encode(image, most=MOST):
    """The codebook entry, the contrast and the brightness of each range block."""
    blocks, book = cut(image, SIDE), codebook(image, SIDE)
    entry = nearest(blocks, book, most)
    pairs = zip(blocks, book[entry], strict=True)
    return entry, torch.tensor([map_of(block, d, most) for block, d in pairs])


def apply_maps(code, image):
    """W: each range block is drawn from the codebook of the image itself."""
    entry, maps = code
    contrast, brightness = maps.T[:, :, None, None]
    blocks = contrast * codebook(image, SIDE)[entry] + brightness
    columns = blocks.flatten(1).T[None]
    return F.fold(columns, image.shape[1:], SIDE, stride=SIDE)[0]


# %%
def decode(code, start, steps):
    """The pictures x, W x, W W x, ...: steps + 1 of them."""
    pictures = [start]
    for _ in range(steps):
        pictures.append(apply_maps(code, pictures[-1]))
    return pictures


lines = encode(picture)
from_black = decode(lines, torch.zeros_like(picture), 40)
shown = {f"step {n}": from_black[n] for n in (1, 3, 10)}

# %%
who = "your function" if solved else "the library's function"
show(
    shown,
    alt=f"Maps by {who}, from a black picture. Step 1: grey squares. Step 3: the "
    "scene in small blocks. Step 10: the photograph, with weak edges of blocks",
    truth=picture,
    crop=(0, side // 6, side * 5 // 12, 2 * side // 3),
    zoom=2,
)

# %% [markdown]
# The decoder starts from a black picture, and the file contains no pixel; nevertheless the photograph appears.
# In the first step, each block gets only its brightness.
# In each further step, the details of the blocks come from blocks of twice the size, so the detail becomes finer by a factor of two.
#
# ## Any start
#
# Move the slider, and choose another start.

# %%
from dil_teach.notebook import Choice, curves

noise = torch.rand(picture.shape, generator=torch.Generator().manual_seed(seed))
cat = resize(photo("chelsea", size=192), size=picture.shape[1:]).mean(0, keepdim=True)
STEPS = 16
starts = {"black": torch.zeros_like(picture), "noise": noise, "a cat": cat}
runs = {name: decode(lines, x, STEPS) for name, x in starts.items()}
fixed = from_black[-1]


def distance(image, other):
    """Root mean square difference in grey levels of 255."""
    return 255 * float((image - other).square().mean().sqrt())


# %%
def iterated(name, step):
    image = runs[name][step].clamp(0, 1)
    away = distance(runs[name][step], fixed)
    title = f"step {step}: {away:.2f} grey levels from the fixed point"
    return strip({title: image[:, 16:144, 32:160]}, zoom=2)


iteration = explore(
    iterated,
    {
        "name": Choice("Start", tuple(starts), "a cat"),
        "step": Slider("Step", 0, STEPS, 2, 1),
    },
    "The picture after step {step} from the start '{name}': from the start itself, by "
    "way of squares and a coarse cup, to the cup of coffee in small blocks",
    examples=[{"name": "a cat", "step": n} for n in (2, STEPS)],
)

# %% [markdown]
# After two steps, hardly anything is left of the cat; after sixteen steps, the picture is the cup.
# How fast does each start approach this picture?

# %%
lengths = {
    f"from {name}": (range(STEPS + 1), [distance(x, fixed) for x in images])
    for name, images in runs.items()
}
figure = curves(lengths, "step", "distance (grey levels)")
figure.axes[0].set_yscale("log")
show(
    figure,
    alt="Distance to the fixed point against steps, on a logarithmic axis: for the "
    "three starts, nearly the same falling lines, soon nearly straight",
)

# %% [markdown]
# All three starts lead to the same picture (question 1: any picture will do).
# On the logarithmic axis, the distance soon falls along a nearly straight line: each step multiplies it by nearly the same factor.
# The theory promises only that the largest difference shrinks at least by the factor $s_{\max}$ in each step.
#
# The limit $s_{\max}$ has a price.
# With a lower limit, fewer blocks get the contrast that they need; with a higher limit, the decoder may need more steps.

# %%
print("s_max   collage (dB)   fixed point (dB)   steps to 1 grey level")
limits = {}
for most in (0.5, 0.9, 0.99):
    code = encode(picture, most)
    images = decode(code, 1 - picture, 60)
    collage = decibels(apply_maps(code, picture))
    steps = next(n for n, x in enumerate(images) if distance(x, images[-1]) < 1)
    limits[most] = collage, decibels(images[-1]), steps
    print(f"{most:5}{collage:15.2f}{limits[most][1]:19.2f}{steps:24}")

# %% [markdown]
# From 0.5 to 0.9, the decoder needs a few more steps, and the fixed point is more than 2 dB better; from 0.9 to 0.99, hardly anything changes.
#
# The *collage* is $W y$: the maps applied once to the photograph itself.
# The fixed point is less similar to the photograph than the collage, because its domain blocks are not those of the photograph, but have errors themselves.
# The theorem allows this loss: its bound has the factor $1 / (1 - s_{\max})$.
# The measured loss is far smaller than the bound.
#
# ## A real file: the quadtree
#
# Blocks of one size are a poor choice: a wall needs few large blocks, and an outline needs many small ones.
# The library splits a block into four where this is worth its bits; such a partition is called a *[quadtree](glossary.md#quadtree)* [@fisher1995].
# The file holds the mean of each block in place of its brightness; all numbers are rounded and entropy coded.

# The encoder searches for some seconds, so we start all encodings of this chapter at once: the picture at four qualities and with fixed blocks of 8 x 8 pixels, and a picture of noise.
# First, look at the file of quality 50.

# %%
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

from dil_teach import FractalSettings, fractal_decode, fractal_encode
from dil_teach.classical.fractal.fractal import encode_with_qualities

with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    running = pool.submit(encode_with_qualities, picture, (70, 50, 30, 15))
    of_noise = pool.submit(fractal_encode, noise)
    in_eights = fractal_encode(picture, FractalSettings(100, sides=(8,)))
codes, noise_code = running.result(), of_noise.result()
code = codes[1]

# %%
import tempfile
from pathlib import Path

from dil_teach.classical.fractal.frac_file import load_frac, save_frac

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "picture.frac"
    save_frac(code, path)
    content, loaded = path.read_bytes(), load_frac(path)
decoded = fractal_decode(loaded)
print(f"picture.frac begins with {content[:4]} and has {len(content)} bytes:")
print(f"{8 * len(content) / picture.numel():.2f} bits per pixel in place of 8,")
print(f"a compression ratio of {picture.numel() / len(content):.0f} to 1")

# %%
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from dil_teach.notebook.figures import canvas

# %%
top, left, height, width = (side * n // 48 for n in (20, 26, 15, 18))
figure = canvas(decoded[:, top : top + height, left : left + width], zoom=4)
for level in code.channels[0]:
    corners = (level.corner[~level.split] - torch.tensor([top, left])).tolist()
    print(f"{len(corners)} blocks of {level.side} x {level.side} pixels")
    n = level.side
    boxes = [Rectangle((x - 0.5, y - 0.5), n, n) for y, x in corners]
    style = {"facecolor": "none", "edgecolor": "#D55E00", "linewidth": 0.5}
    figure.axes[0].add_collection(PatchCollection(boxes, **style), autolim=False)
show(
    figure,
    alt="A part of the decoded photograph with the edges of its blocks: large blocks "
    "in smooth places, small blocks along the outlines",
)

# %% [markdown]
# The small blocks follow the outlines, and the smooth places have large blocks.
# The decoder got only the file.
# The compression ratio is near 10 to 1: far from 10,000 to 1, if the picture is to look like the photograph.
#
# ## Experiment: at equal file size
#
# A curve of quality against file size is a *[rate-distortion curve](glossary.md#rate-distortion-curve)*.
# We measure the fractal code at four qualities, the same coder with fixed blocks of 8 x 8 pixels, and JPEG.
# Each size counts all bytes of the file, with its header.

# %% tags=["algorithm"]
import io

from PIL import Image as Picture

from dil_teach.classical.fractal.frac_file import frac_bytes
from dil_teach.image.convention import from_uint8, to_uint8


def rate(content):
    return 8 * len(content) / picture.numel()


def point(code):
    """Bits per pixel, and PSNR in dB."""
    return rate(frac_bytes(code)), decibels(eight_bit(fractal_decode(code)))


def jpeg(quality):
    """The content of a JPEG file, and the decoded picture."""
    file = io.BytesIO()
    pixels = Picture.fromarray(to_uint8(picture))
    pixels.save(file, "JPEG", quality=quality, optimize=True)
    return file.getvalue(), from_uint8(np.array(Picture.open(file)))


tree, eights = sorted(map(point, codes)), point(in_eights)
files = [jpeg(quality) for quality in range(4, 81, 4)]
jpegs = [(rate(file), decibels(image)) for file, image in files]

# %%
figure = curves(
    {"fractal, quadtree": np.transpose(tree), "JPEG": np.transpose(jpegs)},
    "bits per pixel",
    "PSNR (dB)",
)
figure.axes[0].plot(*eights, "s", color="k", label="fractal, fixed 8 x 8")
figure.axes[0].legend(frameon=False)
show(
    figure,
    alt="PSNR against bits per pixel: two rising curves, for the fractal code and for "
    "JPEG, and a single point for fixed blocks, below the curve of the fractal code",
)

# %% [markdown]
# The quadtree is better than fixed blocks of the same file size.
# The next figure compares a part of the file above with JPEG: the largest JPEG file that is not larger.

# %%
same_size = [image for file, image in files if len(file) <= len(content)][-1]
part = (side // 4, side // 2, 56, 88)
show(
    {"fractal": decoded, "JPEG of equal size": same_size},
    alt="A part of the picture: the fractal code has rough outlines and flat areas; "
    "JPEG has weak ripples beside the outlines; and ground truth",
    truth=picture,
    crop=part,
    zoom=3,
)

# %% [markdown]
# The errors differ in kind: JPEG leaves ripples beside an outline, because it describes blocks by waves, and the fractal code changes the outline itself, where no domain block fits.
# One photograph does not decide between the fractal code and JPEG, so here is the record of `benchmarks/fractal.py`, for photographs of 256 x 256 pixels:

# %%
from statistics import mean

from dil_teach.course.records import record

rows = record("fractal_rates")
for bits in (0.25, 0.4, 0.8, 1.2):
    ahead = [r[f"quadtree at {bits} bpp"] - r[f"JPEG at {bits} bpp"] for r in rows]
    wins = sum(gain > 0 for gain in ahead)
    print(
        f"{bits:4} bits per pixel: fractal against JPEG {mean(ahead):+.2f} dB on "
        f"average, better on {wins} of {len(ahead)} photographs"
    )

# %% [markdown]
# In small files, the fractal code is better than JPEG on most photographs; in large files, JPEG is better (question 2).
# A small domain block needs as many bits for its address as a large one, and no number of bits makes it equal to the range block; the waves of JPEG can describe every block exactly.
# (A part of the advantage in small files is due to the entropy coder: this JPEG uses Huffman codes, and the `.frac` file the more efficient arithmetic codes.
# Another part is due to the header of JPEG, which is long for such small pictures.)
# The next table shows how much this part is; *plain blocks* are a simple coder of ours, with 25 bits for each block of 8 x 8 pixels, without partition and entropy coding (Jacquin's coder already splits blocks).

# %%
from dil_teach.course.credit import show_credit

coders = show_credit("fractal")

# %% [markdown]
# The header explains 0.2 dB of the 1.3 dB at 0.4 bits per pixel.
# Plain blocks lose to JPEG by more than 2 dB: the partition and the entropy coder make the fractal code competitive, not the idea alone.
# JPEG also needs far less time to encode a picture, because it searches nothing.
#
# ## The fractal zoom: is it super-resolution?
#
# The maps do not mention pixels: 'the block at the left edge looks like the large block in the middle'.
# So the decoder may draw blocks of 16 x 16 pixels in place of 8 x 8, and the fixed point is a picture of twice the size.
# This is the *[fractal zoom](glossary.md#fractal-zoom)*.
# It makes detail of every fineness, without end.
# Is this detail right?
#
# We reduce the picture to half its size by bicubic downscaling; from now on, this small picture is all that a method gets.
# We encode it with the best quality, and decode it at larger sizes.

# %%
low = eight_bit(resize(picture, 0.5))
small_code = fractal_encode(low, FractalSettings(quality=100))
zoomed_to = cache(lambda scale: fractal_decode(small_code, scale))
box = (side // 8, side // 4, side // 8, side // 8)  # in pixels of the small picture


def zoomed(scale):
    top, left, height, width = (scale * n for n in box)
    fractal, smooth = zoomed_to(scale), resize(low, scale).clamp(0, 1)
    parts = {"fractal zoom": fractal, "bicubic": smooth}
    inside = (..., slice(top, top + height), slice(left, left + width))
    return strip({t: x[inside] for t, x in parts.items()}, zoom=12 // scale)


# %%
zooming = explore(
    zoomed,
    {"scale": Slider("Scale", 2, 6, 2, 1)},
    "A part of the small picture at scale {scale}, by the fractal zoom and by bicubic "
    "interpolation: the zoom has hard edges, many of them at the borders of blocks; "
    "bicubic interpolation is smooth",
    examples=[{"scale": n} for n in (2, 6)],
)

# %% [markdown]
# At every scale, the fractal zoom has hard edges, and bicubic interpolation is soft.
# But many of these edges are borders of blocks, which the scene does not have.
# We compare with the true picture, and with a network that learns from the small picture alone: ZSSR [@shocher2018] of chapter [09](09_zssr.ipynb).
# With the budget `quick`, we train a network of half the width, for 250 steps, to save time.
# During the training, a second core computes the results of Glasner's method, which later sections explain and show.

# %%
from dataclasses import replace

from dil_teach import ZSSR, ZSSRSettings, fit, super_resolve_by_recurrence

settings = getattr(ZSSRSettings, budget)(seed=seed)
if budget == "quick":
    settings = replace(settings, width=32, steps=250)
glasner_of = cache(
    lambda within, across: super_resolve_by_recurrence(
        low, 2, within=within, across=across
    )
)
switches = [(False, False), (True, False), (False, True), (True, True)]
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    training = pool.submit(fit, ZSSR(low, settings=settings))
    list(pool.map(glasner_of, *zip(*switches, strict=True)))
network = training.result()

# %%
zoom, bicubic = zoomed_to(2), resize(low, 2)
results = {
    "bicubic": bicubic,
    "fractal zoom": zoom,
    "ZSSR": network.super_resolve(),
}
results = {title: image.clamp(0, 1) for title, image in results.items()}

# %%
show(
    results,
    alt="A part of the picture: bicubic, soft outlines; fractal zoom, hard outlines "
    "with steps; ZSSR, sharp smooth outlines; and ground truth",
    truth=picture,
    crop=part,
    zoom=3,
)

# %% [markdown]
# The answer is no: the fractal zoom looks sharper than bicubic interpolation, but it has the lowest PSNR (question 3).
# Its outlines have steps, because each block was chosen alone.
#
# The record of `benchmarks/fractal.py` shows the same for three other runs with photographs of 256 x 256 pixels:

# %%
names = "fractal zoom", "bicubic", "ZSSR, quick"
for row in record("fractal_zooms"):
    figures = (f"{name} {row[name]:.2f} dB" for name in names)
    print(f"{row['image']:12}", ", ".join(figures))

# %% [markdown]
# Nevertheless, the idea is good.
# A range block resembles its domain block after the domain block was made smaller.
# So the domain block *itself* is an example of how the range block would look at twice the size: it is its [parent](glossary.md#parent) (chapter 01).
# The fractal zoom puts these parents in place of the range blocks.
# It does four things badly:
#
# | fractal zoom | better |
# |---|---|
# | blocks lie side by side | patches overlap, and their mean is taken |
# | one example for each block | several examples, weighted by their similarity |
# | the factor is 2 in one step | several steps with small factors |
# | nothing compares the result with the given picture | the result, made smaller, must be the given picture |
#
# We begin with the last line.
#
# ## Back-projection: agree with the given picture
#
# The given picture $y$ is the unknown picture $x$, blurred by a known kernel $k$ and subsampled: $y = (x * k)\downarrow_s$.
# [Back-projection](glossary.md#back-projection) [@irani1991] does the same to the estimate, and adds the enlarged difference to the estimate.
# The next cell repeats this step, and begins with two estimates: bicubic interpolation and the fractal zoom.

# %%
from dil_teach import blur_and_subsample


def projected(high, low, kernel, rounds=20):
    """The estimates after 0, 1, ..., `rounds` steps."""
    found = [high]
    for _ in range(rounds):
        missing = low - blur_and_subsample(found[-1], kernel, 2)
        found.append(found[-1] + resize(missing, 2))
    return found


follow = {
    "from bicubic": projected(bicubic, low, "bicubic"),
    "from the fractal zoom": projected(zoom, low, "bicubic"),
}
gains = {n: [decibels(x) for x in xs] for n, xs in follow.items()}

# %%
figure = curves({n: (range(21), v) for n, v in gains.items()}, "steps", "PSNR (dB)")
figure.axes[0].set_xticks(range(0, 21, 5))
show(
    figure,
    alt="PSNR against steps of back-projection: both curves rise quickly and level "
    "off; the curve from the fractal zoom starts lower and stays lower",
)

# %% [markdown]
# After a few steps, both estimates agree with the given picture, and both are better than before.
# But the estimate from the fractal zoom stays below the one from bicubic interpolation: back-projection corrects what the small picture shows, and the detail that the zoom invented remains.
# So back-projection from bicubic interpolation is our [control](glossary.md#control): it knows the given picture and the kernel, but no example.
#
# ## Examples across scales
#
# Glasner, Bagon and Irani [@glasner2009] enlarge the picture in small steps.
# In each step, every patch of the enlarged picture looks for similar patches in a copy of the given picture that was made smaller by the same small factor.
# The *parents* of these patches, in the given picture itself, are examples of sharp detail.
# (In the paper, patches of the given picture are searched in all its smaller copies, and their parents are copied to all levels of the enlarged picture.)
# This is the library's function for one step:

# %%
# NBVAL_CHECK_OUTPUT
from dil_teach.classical.super_resolution import freedman_fattal, glasner
from dil_teach.notebook import show_source

show_source(glasner.paste_parents)

# %% [markdown]
# Compare it with the table above: the patches overlap, there are nine examples with weights, and the factor is small.
# The paper has two parts: examples across scales, and examples within one scale.
# Together with back-projection, the first part is your exercise.
#
# ## Exercise: examples across scales
#
# Write `across_scales(low, scale, levels, paste)`, which enlarges a picture in small steps and needs no other picture.
# One step has the factor $r$, where $r^{\text{levels}}$ is `scale`; after level $l$, the picture is $r^l$ times as large as `low`.
# Each level does three things, in this order:
#
# 1. Enlarge the result of the level before by the factor $r$ (the first level enlarges `low`).
#    Each side has the length of the side of `low` times $r^l$, rounded.
# 2. Paste the parents: `paste(high, low, ratio)` returns the picture with parents from `low`, in the size of `high`.
# 3. Do 20 rounds of back-projection, so that the picture, reduced by $r^l$, agrees with `low`.
#
# - `low`: Float[Tensor, "c h w"] in [0, 1], the given picture.
# - `scale`: a number above 1, the total factor; `levels`: a whole number of at least 1.
# - `paste`: a function such as the one below the exercise.
# - Returns Float[Tensor, "c scale*h scale*w"], clamped to [0, 1] at the end only.
#
# `resize(image, factor, size)` enlarges by bicubic interpolation to the size `(height, width)`.
# `blur_and_subsample(image, "bicubic", factor, size=(height, width))` reduces to this size.
# Expected run time: a second for the picture of this chapter, nearly all of it in `paste`.


# %% tags=["exercise"]
def across_scales(low, scale, levels, paste):
    ### BEGIN SOLUTION
    ratio, high = scale ** (1 / levels), low
    for level in range(1, levels + 1):
        at = ratio**level
        size = (round(at * low.shape[1]), round(at * low.shape[2]))
        high = paste(resize(high, ratio, size), low, ratio)
        for _ in range(20):
            seen = blur_and_subsample(high, "bicubic", at, size=low.shape[1:])
            high = high + resize(low - seen, at, size)
    return high.clamp(0, 1)
    ### END SOLUTION


# %%
check.across_scales(across_scales)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# There are two loops, one inside the other.
# Which of the three things happens once per level, and which 20 times?
#
# </details>
# <details><summary>Hint 2</summary>
#
# If three equal steps double a picture, one step has the factor $2^{1/3}$.
# After two of them, by which factor must you reduce the picture, to compare it with `low`?
#
# </details>
# <details><summary>Hint 3</summary>
#
# The inner loop is the function `projected` above, with two changes: the factor is $r^l$ instead of 2, and both functions are told the size.
#
# </details>

# %% [markdown]
# The next figure uses your function, or the library's as long as the check does not pass.


# %%
def paste(high, low, ratio):
    return glasner.paste_parents(high, low, "bicubic", (ratio, ratio))[0]


passed = check.across_scales(across_scales).state == "passed"
enlarge = across_scales if passed else check.across_scales.reference
results["back-projection"] = follow["from bicubic"][-1].clamp(0, 1)
by_hand = enlarge(low, 2, 3, paste)

# %%
show(
    {
        "back-projection": results["back-projection"],
        "across scales, by hand": by_hand,
    },
    alt="A part of the picture: back-projection leaves weak steps along the outlines; "
    "across scales, the outlines are sharp and smooth; and ground truth",
    truth=picture,
    crop=part,
    zoom=3,
)

# %% [markdown]
# Along the rim of the cup and the edge of the saucer, the examples make the outlines sharper than back-projection does, and without its steps.
# No other picture was used.
#
# ## Examples within one scale
#
# The second part of the paper uses similar patches of the *same* size.
# If a pattern recurs in the given picture, then the camera took it several times, and each time the grid of pixels lay on it a little differently.
# So a similar patch gives values of the same pattern *between* the pixels, as if the camera had taken several pictures.
# The library aligns the patches to a fraction of a pixel, and gives a weight to each sample that says how well they agree.

# %%
from dil_teach.classical.super_resolution.within_scale import sample, similar_samples

samples = similar_samples(low, glasner.PATCH, glasner.NEIGHBOURS)
places = torch.stack([samples.row, samples.column])
between = (places - places.round()).abs().amax(0) > 0.25
weight = samples.weight * between
smooth = sample(low, samples, torch.ones(1, 1), (1.0, 1.0))  # by interpolation
error = (weight * (samples.value - smooth) ** 2).sum() / weight.sum()
print(f"{len(between)} samples for {low.numel()} pixels of the small picture")
print(f"{float(between.float().mean()):.0%} of them lie between the pixels")
print(f"there, they differ from interpolation by {255 * error**0.5:.1f} grey levels")

# %% [markdown]
# There are more samples than pixels, and many of them lie between the pixels.
# But they hardly differ from what interpolation between the pixels says.
# This is partly by construction: the library keeps a sample only if the aligned patches agree to about one grey level.
#
# In each step, the library minimises one sum of squared differences: from the given picture, from the samples within the scale, and from the examples across scales.
# Switch each of the two constraints on and off.

# %%
from dil_teach.notebook import Toggle


def toggled(within, across):
    image = glasner_of(within, across)
    top, left, height, width = part
    inside = image[:, top : top + height, left : left + width]
    return strip({f"{decibels(image):.2f} dB": inside}, zoom=4)


# %%
toggles = explore(
    toggled,
    {
        "within": Toggle("Samples within the scale", True),
        "across": Toggle("Examples across scales", True),
    },
    "A part of the result with samples within the scale: {within}, and examples across "
    "scales: {across}. With the examples across scales, the outlines are sharper",
    examples=[{"within": w, "across": a} for w, a in switches],
)

# %% [markdown]
# The examples across scales make the difference; the samples within the scale change nearly nothing (question 4).
# Did the antialiasing of the bicubic downscaling remove all detail that they could bring back?
# The first record below tests this with a camera that hardly blurs before it samples.
# The other records of `benchmarks/patch_super_resolution.py` are the five photographs of Set5 [@bevilacqua2012], which we may not ship:

# %%
from dil_teach.course.records import table

for r in record("patch_super_resolution_sharp"):
    gain = r["Glasner, within"] - r["Glasner, neither"]
    print(f"{r['image']:8}within the scale alone: {gain:+.2f} dB", end=", ")
    print(f"beside examples: {r['Glasner'] - r['Glasner, across']:+.2f} dB")
set5 = [r for r in record("patch_super_resolution_set5") if r["scale"] == 2]
constraints = [f"Glasner, {name}" for name in ("neither", "within", "across")]
methods = ["bicubic interpolation", "back-projection", "Freedman-Fattal"]
print(table(set5, [*methods, *constraints, "Glasner"], "back-projection"))
rows = [r for r in record("patch_super_resolution_photographs") if not r["blurred"]]
ahead = {r["image"]: r["Glasner"] - r["back-projection"] for r in rows}
print("\nGlasner against back-projection on seven photographs of this course:")
print(", ".join(f"{name} {gain:+.1f} dB" for name, gain in ahead.items()))

# %% [markdown]
# Even without antialiasing, the samples within the scale gain less than 0.2 dB, so antialiasing is not the main reason in our implementation.
# On Set5 as well, they gain nothing: with them alone, the result is not better than with neither constraint.
# ('Neither' only agrees with the given picture, so it is another kind of back-projection.)
# On the seven photographs of the last line, the gain depends on the picture: it is largest on the brick wall, whose pattern recurs everywhere, and smallest on the fur of the cat.
#
# ## Near is enough: local examples
#
# Glasner's method searches the whole picture for each patch.
# Freedman and Fattal [@freedman2011] search only a small window around the same relative place.
# Their reason: an edge, made a little smaller, still looks like the same edge at the same place.
# This is true if the factor is small; if it is 2, the neighbouring structure comes into the patch.
# We test the reason: how similar is the best example if the window reaches $n$ pixels in each direction?

# %% tags=["algorithm"]
from dil_teach.patches.extract import extract_patches
from dil_teach.patches.recurrence import detailed


def nearest_in_windows(ratio, reaches):
    """RMS difference (grey levels) of the nearest patch, mean over detailed patches."""
    smooth = resize(low, ratio)
    example = resize(resize(low, 1 / ratio), ratio, low.shape[1:])
    padded = F.pad(example[None], (2, 2, 2, 2), mode="replicate")[0]
    examples = extract_patches(padded, 5)  # the patch around each pixel
    here = detailed(smooth).nonzero()[::4]
    patches = extract_patches(smooth, 5).view(smooth.shape[1] - 4, -1, 25)
    patches = patches[here[:, 0], here[:, 1]]
    middle = ((here + 2.5) / ratio).long()  # the same relative place
    found, best = [], torch.full((len(here),), torch.inf)
    for reach in range(max(reaches) + 1):
        span = range(-reach, reach + 1)
        for shift in ((y, x) for y in span for x in span):
            if max(map(abs, shift)) == reach:  # the ring that this reach adds
                at = (middle + torch.tensor(shift)).clamp(0, low.shape[1] - 1)
                other = examples[at[:, 0] * low.shape[2] + at[:, 1]]
                best = best.minimum((other - patches).square().mean(1))
        found.append(255 * float(best.sqrt().mean()))
    return [found[reach] for reach in reaches]


# %%
reaches = [0, 1, 2, 3, 4, 6, 8, 12, 16, 24]
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    small, large = pool.map(nearest_in_windows, (5 / 4, 2), (reaches, reaches))
local = {"factor 5/4": (reaches, small), "factor 2": (reaches, large)}
show(
    curves(local, "reach of the window (pixels)", "nearest patch (grey levels)"),
    alt="Difference of the nearest patch against the reach of the window: for the "
    "factor 5/4 a low curve that is soon nearly flat; for the factor 2 a higher curve "
    "that keeps falling",
)

# %% [markdown]
# For the factor 5/4, a window of a few pixels finds an example that is nearly as good as that of a large window.
# For the factor 2, the examples are worse, and a larger window still helps.
# So small factors do two things: they make the examples more similar, and they make the search cheap.
#
# The method enlarges by 6/5, 5/4 and 4/3, whose product is 2.
# Its filters come in pairs: $U$ enlarges, $D$ reduces, and $D U$ is the identity.
# Then $y - U D y$ is exactly the detail of $y$ that enlarging cannot restore; the method copies this detail from the example.

# %%
# NBVAL_CHECK_OUTPUT
show_source(freedman_fattal.one_step)

# %%
from dil_teach import super_resolve_by_local_examples

results["Freedman-Fattal"] = super_resolve_by_local_examples(low, 2)
results["Glasner"] = glasner_of(True, True)
order = ("back-projection", "Freedman-Fattal", "Glasner", "ZSSR")
show(
    {title: results[title] for title in order},
    alt="A part of the picture: back-projection, Freedman-Fattal, which is a little "
    "sharper, Glasner and ZSSR, both with sharp smooth outlines; and ground truth",
    truth=picture,
    crop=part,
    zoom=3,
)

# %% [markdown]
# The local examples gain less than the examples of Glasner's method, and both gain less than the network.
# All of them use the same observation: the small picture shows the same patterns at several sizes.
#
# ### Who did the work
#
# | part | fractal zoom | Freedman-Fattal | Glasner | ZSSR |
# |---|---|---|---|---|
# | given | the small picture | the small picture; bicubic downscaling | the small picture and its downscaling | the small picture and its downscaling |
# | start | any picture | the small picture | the small picture | the bicubic picture, and random weights |
# | where the detail comes from | one domain block for each block | nearby patches of the small picture | patches of the small picture, anywhere | a network, trained on the small picture |
# | control with the same inputs | bicubic | back-projection | back-projection | back-projection |
# | solved afterwards | nothing | back-projection, 5 steps | a sum of squares in each level | the mean of eight orientations, and back-projection |
# | learned from other pictures | nothing | nothing | nothing | nothing |
#
# No method sees the ground truth.
# The next table has the mean of the seven photographs of `benchmarks/patch_super_resolution.py`, and the values of this run.

# %%
same = {
    "bicubic interpolation": "bicubic",
    "fractal zoom": "fractal zoom",
    "back-projection": "back-projection",
    "Freedman-Fattal": "Freedman-Fattal",
    "Glasner": "Glasner",
}
measured = {name: decibels(results[title]) for name, title in same.items()}
parts = show_credit("patch_super_resolution", measured)

# %% [markdown]
# Back-projection, which uses no example, gains 1.1 dB over bicubic interpolation; the examples across scales add 2.0 dB on the mean, and 1.2 dB without the brick wall, which gains 6.2 dB.
# The local examples of Freedman and Fattal are 0.2 dB above back-projection, but only 0.13 dB above Glasner's method without any examples, which enlarges in steps as well.
#
# The [recurrence score](glossary.md#recurrence-score) of chapter 01 says whether a result has the internal statistics of the truth.

# %%
from dil_teach.patches.recurrence import recurrence_score

middle = (..., slice(side // 4, -side // 4), slice(side // 4, -side // 4))
reached = {n: decibels(x) for n, x in results.items()}
compared = [x[middle] for x in (*results.values(), picture)]
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    *found, of_truth = pool.map(recurrence_score, compared)
recurs = dict(zip(results, found, strict=True))
print(f"{'':18}PSNR (dB)   recurrence score")
for title in sorted(results, key=reached.__getitem__):
    print(f"{title:18}{reached[title]:9.2f}{recurs[title]:19.2f}")
print(f"{'ground truth':27}{of_truth:19.2f}")

# %% [markdown]
# The fractal zoom has the lowest score, although all its blocks are copies from the same picture: the borders of its blocks do not recur.
# Glasner's method and ZSSR have a score near that of the truth, and they also have the highest PSNR.
# But the score does not order the other methods: bicubic interpolation is nearer to the score of the truth than back-projection, although its PSNR is lower.

# %%
from dil_teach.course.openings import beside_opening

if not own:
    named = ("fractal zoom", "bicubic", "back-projection", "Glasner")
    here = {name: psnr_y(results[name], picture, shave=8) for name in named}
    beside_opening(opening, here)

# %% [markdown]
# The longer run enlarges the cup from 192 x 192 to 384 x 384 pixels; both columns leave out a border of eight pixels.
# The order of the four methods is the same in both runs.

# %%
last = [images[-1] for images in runs.values()]
fixed_of_eights = np.interp(eights[0], *zip(*tree, strict=True))

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "three starts lead to one picture, up to a grey level": max(
        distance(end, fixed) for end in last
    )
    < 1,
    "the fixed point is 0 to 2 dB worse than the collage": all(
        0 <= collage - end < 2 for collage, end, _ in limits.values()
    ),
    "from 0.5 to 0.9, the fixed point gains over 2 dB": limits[0.9][1]
    > limits[0.5][1] + 2,
    "the quadtree is over 1 dB better than fixed blocks": fixed_of_eights
    > eights[1] + 1,
}
check_claims(claims, own)

# %%
base = reached["back-projection"]
repaired = gains["from the fractal zoom"][-1]
by_us = decibels(by_hand)
both, within, across = (
    decibels(glasner_of(*on)) for on in ((True, True), (True, False), (False, True))
)

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "the fractal zoom is over 1 dB worse than bicubic": reached["fractal zoom"]
    < reached["bicubic"] - 1,
    "after back-projection, it is still over 0.5 dB behind": repaired < base - 0.5,
    "examples across scales gain over 0.8 dB": across > base + 0.8,
    "samples within the scale gain at most 0.2 dB": within < base + 0.2
    and both < across + 0.2,
    "our loop is within 0.6 dB of the library's": abs(by_us - across) < 0.6,
    "Freedman-Fattal gains, but less than Glasner": base
    < reached["Freedman-Fattal"]
    < both,
}
check_claims(claims, own)

# %% [markdown]
# ## When it fails
#
# **Contrasts that are too large.**
# The condition $|s| \le s_{\max} < 1$ is sufficient; is it necessary?
# We allow a contrast of up to 1.5.
# We also keep the code with the limit 0.9, and multiply all its contrasts by 1.5 and by 3.
# Predict which of these decoders converge.

# %%
from itertools import pairwise

entry, maps = lines
trials = {"limit 0.9": lines, "limit 1.5": encode(picture, 1.5)}
for factor in (1.5, 3.0):
    stretched = maps * torch.tensor([factor, 1.0])
    trials[f"limit 0.9, all contrasts x {factor:g}"] = entry, stretched
changes, ends = {}, {}
for name, trial in trials.items():
    images = decode(trial, torch.zeros_like(picture), 30)
    changes[name] = [max(distance(x, y), 1e-4) for x, y in pairwise(images)]
    ends[name] = images[-1].clamp(0, 1)

# %%
figure = curves(
    {name.replace("all ", ""): (range(1, 31), v) for name, v in changes.items()},
    "step",
    "change (grey levels)",
)
figure.axes[0].set_yscale("log")
above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "ncols": 2}
figure.axes[0].legend(frameon=False, **above)
show(
    figure,
    alt="Change of the picture against steps, on a logarithmic axis: falling for the "
    "limits 0.9 and 1.5, also falling with contrasts x 1.5, and rising steeply with "
    "contrasts x 3",
)
# %% [markdown]
# With the limit 1.5, the decoder converges as well, only more slowly.
# It also converges with all contrasts multiplied by 1.5, although some of them are then 1.35.
# With all contrasts multiplied by 3, the change grows without end: this decoder diverges.

# %%
shown = ("limit 1.5", "limit 0.9, all contrasts x 3")
show(
    {name: ends[name] for name in shown},
    alt="Decoded pictures after 30 steps: with the limit 1.5, the cup in small "
    "blocks; with contrasts x 3, black and white pixels",
    crop=(0, side // 6, side * 5 // 12, 2 * side // 3),
    zoom=2,
)

# %% [markdown]
# With the limit 1.5, some maps are no contractions; nevertheless the decoder finds the cup.
# Each map is applied to the result of other maps, so the product of the contrasts along such a chain counts, and not the largest contrast alone.
# The condition of the theorem makes every such product small; it is sufficient, but not necessary.
# With all contrasts multiplied by 3, no picture remains.
# So a coder that allows larger contrasts must test that the decoder converges; the library keeps the limit below 1.
#
# **A picture that does not recur.**
# Each pixel of white noise is independent of all others.
# The search always returns a best domain block, but how good is it?

# %%
noise_decoded, grey = fractal_decode(noise_code), torch.full_like(noise, 0.5)
print(f"noise, {rate(frac_bytes(noise_code)):.2f} bits per pixel:")
print(f"    fractal code   {decibels(noise_decoded, noise):6.2f} dB")
print(f"    constant grey  {decibels(grey, noise):6.2f} dB")
gained = decibels(noise_decoded, noise) - decibels(grey, noise)
show(
    {"noise, decoded": noise_decoded},
    alt="Decoded noise has small squares with little contrast; and the noise itself, "
    "with single pixels between black and white",
    truth=noise,
    crop=(0, 0, 44, 44),
    zoom=6,
)

# %% [markdown]
# The file of the noise is larger than that of the photograph, and the decoded picture is hardly better than constant grey.
# A fractal code needs recurrence; here it gains less than 2 dB over constant grey.
# (No coder compresses white noise well; we did not compare with JPEG here.)
#
# **A wrong kernel.**
# Now the small picture comes from a camera with a wider blur.
# Glasner's method gets the true kernel, or assumes bicubic downscaling; back-projection gets the same two kernels.

# %%
from dil_teach.image.kernel import gaussian_kernel

wide = gaussian_kernel((2.0, 2.0), size=13)
soft = eight_bit(blur_and_subsample(picture, wide, 2))
wrong = {}
for name, kernel in {"bicubic kernel": "bicubic", "true kernel": wide}.items():
    by_projection = projected(resize(soft, 2), soft, kernel)[-1]
    wrong[f"back-projection, {name}"] = by_projection.clamp(0, 1)
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    by_glasner = pool.map(
        lambda kernel: super_resolve_by_recurrence(soft, 2, kernel), ("bicubic", wide)
    )
for name, image in zip(("bicubic kernel", "true kernel"), by_glasner, strict=True):
    wrong[f"Glasner, {name}"] = image.clamp(0, 1)
failed = {title: decibels(image) for title, image in wrong.items()}

# %%
show(
    wrong,
    alt="A part of the picture: with the bicubic kernel, both methods leave the blur; "
    "with the true kernel, both are sharper; and ground truth",
    truth=picture,
    crop=part,
    zoom=3,
)

# %% [markdown]
# With the wrong kernel, similar patches do not help: Glasner's method gains nearly nothing, because patches of the small picture and of its smaller copy are both blurred.
# The true kernel, even without any example, is worth more than all examples with the wrong kernel.
# Chapter [11](11_kernelgan.ipynb) estimates the kernel.

# %%
# NBVAL_CHECK_OUTPUT
larger, worst = list(changes)[2:]
claims = {
    "the limit 1.5 converges": changes["limit 1.5"][-1] < 0.01,
    "contrasts x 1.5 converge": changes[larger][-1] < 0.1,
    "contrasts x 3 diverge": changes[worst][-1] > changes[worst][5],
    "noise has a larger file than the photograph": len(frac_bytes(noise_code))
    > len(content),
    "on noise, the code gains under 4 dB over grey": gained < 4,
    "the true kernel alone beats examples with the wrong one": failed[
        "back-projection, true kernel"
    ]
    > failed["Glasner, bicubic kernel"] + 1,
}
check_claims(claims, own)

# %% [markdown]
# ## On your own
#
# - On the command line, `dil-teach compress PHOTO.jpg photo.frac` writes a file, and `dil-teach decompress photo.frac photo.png --scale 3` draws it at three times the size.
#   `dil-teach super-resolve PHOTO.jpg larger.png --method glasner` enlarges a photograph, and `--method freedman-fattal` does so in less time.
# - Change `MOST` to 0.5: which parts of the decoded picture change?
#
# ### Mini-project: what does recurrence buy?
#
# Choose five photographs, from 'recurs everywhere' to 'hardly recurs', and order them before you measure anything.
# Measure the gain of the fractal code over JPEG at equal size, and the gain of Glasner's method over back-projection.
#
# | part | points | full points for |
# |---|---|---|
# | prediction | 2 | the order of the photographs for both gains, with a reason, written before |
# | fair comparison | 3 | equal file sizes with header; the same small picture and kernel for both methods |
# | evidence | 3 | a figure of each gain against the recurrence score of chapter 01, and what it does not explain |
# | failure | 2 | one photograph on which the order is wrong, and a place in it that shows why |
#
# ## Summary
#
# - An image is a usable codebook of itself: maps from large blocks to small blocks determine it, up to the error of the collage.
# - The maps are contractions, so the decoder may start from any picture.
# - In small files, the fractal code is better than JPEG on most photographs of the record; in large files, JPEG is better.
# - Decoded at twice the size, the maps invent detail, and the result is worse than bicubic interpolation: that is not super-resolution.
# - Glasner's method uses the same recurrence with overlapping patches, many examples, small factors and the known kernel; then the detail is better than that of back-projection.
# - Of its two constraints, the examples across scales do nearly all of the work.
# - In our version, examples near the same place gain little: 0.1 dB on seven photographs, against a control that enlarges in the same steps without examples.
#
# ## References
