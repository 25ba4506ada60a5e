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
# # 12 · InGAN: can one network remap an image to any shape?
#
# Stretch a photograph of coins to twice its width, and the coins become ovals.
# What one would rather have is *more coins*: a picture of another size whose small pieces are those of the photograph.
# Here a network learns to make it, from the one photograph and nothing else [@shocher2019].
#
# **After this chapter you can**
#
# - say what it means that two pictures of different size have the same [distribution of patches](glossary.md#distribution-of-patches), at all scales;
# - explain how a [generator](glossary.md#generator) and a [discriminator](glossary.md#discriminator) learn it against each other, and what the inverse [transformation](glossary.md#geometric-transformation) is for;
# - measure a result by its patches, and say why a perfect score may be worth nothing;
# - tell on which photographs the method fails, and which older method is better there.
#
# **What you need**: [patches and their recurrence](01_patch_recurrence.ipynb).
# No GPU.
# Reading takes 45 minutes, computing less than 40 seconds (*Run > Run All Cells*).
# The networks of the first part were trained beforehand and ship with the course; a small one you train yourself.

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 25, "standard": 70, "full": 200})

# %% [markdown]
# `budget` changes sizes and numbers of steps, never the method.
# The [seed](glossary.md#seed) is stated: run the chapter twice on one computer and you get the same pictures, bit for bit.
#
# ## Predict first
#
# Write your answers down; each is tested below.
#
# 1.
#    There are 24 coins in the photograph.
#    How many should there be at twice its width?
#    And by which method do you expect that number?
# 2.
#    A copy of the photograph beside itself is twice as wide as well.
#    What would a measure that only looks at small patches say of it?
# 3.
#    A single flower, in the middle, at twice the width: should there be one wide flower, two flowers, or one flower in a wide garden?
#    What can a network that has seen one picture know of that?
#
# ## The smallest demo: another height, another width
#
# Three photographs (coins: Brooklyn Museum, no known copyright restrictions; bricks: CC0Textures, CC0; a part of the Hubble eXtreme Deep Field: NASA, public domain) and a street front (rendered for this course, CC0), and the networks that learned from each alone:

# %%
from dil_teach import load_image, resume
from dil_teach.image.shipped import shipped

folder = shipped("data/ingan")
PICTURES = ("coins", "brick", "facade", "hubble")
trained = {}
for name in PICTURES:
    whole = load_image(folder / f"{name}.png").to(device())
    trained[name] = resume(folder / f"{name}.safetensors", whole)


def source_at(ingan, level):
    """The photograph at a level of the pyramid."""
    return (ingan.pyramid[level][0] * ingan.deviation + ingan.mean).clamp(0, 1)


# %%
from dil_teach import resize
from dil_teach.image.warp import resizing
from dil_teach.notebook import Choice, Slider, explore

drawn_height = {"quick": 76, "standard": 122, "full": 192}[budget]


def drawn_level(ingan):
    """The level of the pyramid at which the pictures below are drawn."""
    heights = [abs(height - drawn_height) for height, _ in ingan.sizes]
    return heights.index(min(heights))


# %%
def render_size(photograph, height, width):
    ingan = trained[photograph]
    level = drawn_level(ingan)
    made = ingan.remap(resizing(height, width), level=level)
    size = (made.shape[1], made.shape[2])
    stretched = resize(source_at(ingan, level), size=size).clamp(0, 1)
    return {"stretched": stretched, "InGAN": made}


# %%
size_slider = explore(
    render_size,
    {
        "photograph": Choice("Photograph", PICTURES, "coins"),
        "height": Slider("Height (times)", 0.5, 2.0, 1.0, 0.25),
        "width": Slider("Width (times)", 0.5, 2.0, 2.0, 0.25),
    },
    "The photograph ({photograph}), {height} times as high and {width} times as wide: "
    "left stretched, with what is in it out of shape; right by InGAN",
    examples=[
        {"photograph": name, "height": 1.0, "width": 2.0}
        for name in ("coins", "facade", "hubble")
    ],
)

# %% [markdown]
# Left, the coins become ovals and the windows grow wide.
# Right there are *more* coins, and they are about as large and as round as in the photograph, in the same four rows.
# The street front has more windows, each between its shutters, under a cornice that still falls to the right; only at the left edge some windows are narrower than they should be.
# In the deep field the galaxies stay round, and the small ones points; but hardly one is new: they stand farther apart, and some of the faintest are gone.
# Nothing in the picture says that there should be more of what stands alone.
#
# Choose the bricks, and half the width: the bricks keep theirs, though some joints begin or end where no mason would have let them; of the coins about half as many are left, and some at the edge are cut.
#
# The network was never told what a coin is, nor that coins should be round.
# Move the sliders: it is one network, and it draws any size in a fraction of a second.
#
# ## Theory: the same patches, at all scales
#
# What is asked for?
# That the result's patches be the photograph's, and that none be missing: the two *distributions* of patches should be the same, for patches of 7 x 7 pixels in the picture itself and in smaller copies of it, in which the same 7 x 7 pixels hold a whole coin.
# This one sentence is what the paper calls the 'DNA' of an image.
#
# Chapter 1 compared patches one by one.
# Here nothing is looked up.
# Two networks play against each other, a [GAN](glossary.md#gan):
#
# - the **discriminator** $D$ sees patches and says of each whether it comes from the photograph.
#   It has no other way to tell than to learn how the photograph's patches are distributed.
#   It sees no more than a patch at a time, a [patch GAN](glossary.md#patch-gan): so it cannot ask where in the picture a patch lies, and a picture of any size will do;
# - the **generator** $G$ gets the photograph $x$ and a geometric transformation $T$, and draws $y = G(x; T)$ so that $D$ takes $y$'s patches for real.
#
# The paper's [adversarial loss](glossary.md#adversarial-loss) is least squares [@mao2017]: $D$ should answer 1 for the photograph's patches and 0 for drawn ones, while $G$ wants 1 for its own,
#
# $$\mathcal L_D = \tfrac12 \bigl(D(x) - 1\bigr)^2 + \tfrac12\, D(y)^2, \qquad \mathcal L_G = \bigl(D(y) - 1\bigr)^2,$$
#
# averaged over all patches.
# That alone could be satisfied by *any* picture made of the photograph's patches, even by one coin over and over.
# Therefore $y$ has to be enough to get the photograph back, by the inverse transformation and the same network:
#
# $$\mathcal L = \mathcal L_G(y) + \lambda\, \bigl\lVert G\bigl(G(x; T);\, T^{-1}\bigr) - x \bigr\rVert_1 .$$
#
# Four more parts of the paper:
#
# - A **geometric layer**.
#   $T$ is no weight that is learned: the generator moves what it has by $T$, and repairs afterwards.
#   So one network serves all shapes.
# - A **multi-scale discriminator**: it looks at $y$ and at smaller copies of it, as many as the size of $y$ allows.
#   That is your second exercise.
# - Its **weights adapt**: the coarse scales count most at first and the fine ones last.
# - A **[curriculum](glossary.md#curriculum)**: the transformations are weak at first and grow to full strength.
#
# ## Exercise: there and back
#
# The reconstruction needs $T^{-1}$.
# The simplest transformations are affine: the place $(x, y)$ goes to $A\,(x, y)^\top + b$, with (0, 0) in the middle of the picture and its edges at -1 and 1.
# Write `invert(affine)`.
#
# - `affine`: Float[Tensor, "2 3"], $A$ in the first two columns and $b$ in the last; no limits such as [0, 1], but $A$ can be inverted.
# - Returns the map that takes each place back: Float[Tensor, "2 3"] again.
#
# Expected run time: a few milliseconds.


# %% tags=["exercise"]
def invert(affine):
    ### BEGIN SOLUTION
    inverse = torch.linalg.inv(affine[:, :2])
    return torch.cat([inverse, -inverse @ affine[:, 2:]], dim=1)
    ### END SOLUTION


# %%
from dil_teach.course import check

check.invert(invert)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# First it was multiplied, then it was moved.
# In which order are the two undone?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Solve $q = A p + b$ for $p$.
# What stands before $q$, and what is left over?
#
# </details>
# <details><summary>Hint 3</summary>
#
# $p = A^{-1} q - A^{-1} b$.
# `torch.linalg.inv` and `torch.cat` are all you need; `affine[:, 2:]` keeps the last column a column.
#
# </details>

# %% [markdown]
# ## Exercise: a loss at several scales
#
# Write `multi_scale_loss(discriminator, picture, weights)`, the generator's least-squares loss.
#
# - `discriminator`: a function that takes Float[Tensor, "c h w"] to Float[Tensor, "1 h2 w2"], one value for each patch.
# - `picture`: Float[Tensor, "c h w"] in [0, 1].
# - `weights`: a list of floats, one for each scale, the finest first.
#   Scale $s$ = 0, 1, ... is the picture made smaller by $1.5^s$: `resize(picture, 1 / 1.5**s)`.
# - Returns one number: the sum over the scales of weight times the mean of $(D - 1)^2$ over the patches of that scale.
#
# Expected run time: a few milliseconds.


# %% tags=["exercise"]
def multi_scale_loss(discriminator, picture, weights):
    ### BEGIN SOLUTION
    loss = 0.0
    for scale, weight in enumerate(weights):
        judged = discriminator(resize(picture, 1 / 1.5**scale))
        loss = loss + weight * (judged - 1).square().mean()
    return loss
    ### END SOLUTION


# %%
check.multi_scale_loss(multi_scale_loss)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# The discriminator does not change from scale to scale.
# What does?
#
# </details>
# <details><summary>Hint 2</summary>
#
# One loop over the weights.
# Make each smaller picture of the picture itself, not of the last one.
#
# </details>
# <details><summary>Hint 3</summary>
#
# A coarser scale has fewer patches.
# With a mean at each scale the weights alone decide how much it counts.
#
# </details>

# %% [markdown]
# ## The method, as the library has it
#
# A step of training, and how one level is drawn:

# %%
from dil_teach.deep.ingan.ingan import InGAN, InGANSettings
from dil_teach.deep.ingan.networks import Generator
from dil_teach.notebook import show_source

show_source(InGAN.train_step)
show_source(Generator.draw_level)

# %% [markdown]
# The paper's network needs hours on a GPU.
# Ours runs on a laptop, and is not the same; you should know in what:
#
# - **A [pyramid](glossary.md#pyramid) of small networks**, trained one after another from coarse to fine, as in SinGAN [@shaham2019], instead of one large network at full size.
#   The first arranges, in a picture 32 pixels high in which a coin has five; the others add detail to what it arranged.
# - The transformation acts on the input, not inside the network, and the network is told **where each pixel comes from** and how much is stretched there, in six further channels.
# - **No normalisation layers**; and the hinge loss in place of least squares; in the one run that we compared, both did about as well.
# - Where nothing is stretched, a level begins with the **image's own detail**.
#   A transformation that changes nothing should change nothing.
# - **One discriminator** looks at two scales, 1.5 times apart; the authors have one for each of many.
# - **A loss of our own beside it.**
#   `patch_distance` is added: how far patches are from the nearest of the other picture, both ways.
#   That is *the measure by which we compare below*.
#   So InGAN's figures, but for the flower's, are those of a method that was trained on them, as those of bidirectional similarity and GPNN are too; seam carving and the controls were not.
#
# ## Train one yourself
#
# Choose a photograph of your own, then select the cell below the button and *Run > Run Selected Cell and All Below*.
# Without one you get the coins.
# What to expect: things that *repeat*, such as fruit on a stall, windows, books on a shelf, and that are at least five pixels wide in a picture 32 pixels high.
# A portrait stays a stretched portrait.

# %%
from dil_teach.notebook import upload

button = upload("Your own photograph")

# %%
from dil_teach.notebook import uploaded_image

coins = source_at(trained["coins"], 0)
chosen = uploaded_image(button.value, default=coins, max_side=512).to(device())
own = chosen is not coins
scale = 32 / min(chosen.shape[1:])
small = resize(chosen, scale).clamp(0, 1) if own else coins
subject = "your photograph" if own else "the coins"

# %%
from dil_teach.notebook import LivePanel

steps = {"quick": 40, "standard": 600, "full": 2500}[budget]
settings = InGANSettings.quick(steps=steps, seed=seed)
mine = InGAN(small, settings)
panel = LivePanel(alt=f"What the network makes of {subject} at twice the width")

# %%
from dil_teach import train

for progress in train(mine, report_every=steps // 2):
    panel.update(progress, mine.retarget(1, 2))

# %% [markdown]
# With `quick` there are no more coins than before: the ovals are still there.
# That is what so few steps are worth.
# Round coins that stand apart appear after about 2000 steps, in the upper rows first, which takes some minutes; `budget = "full"` trains that long.
#
# Press stop while it trains and nothing is lost; the same cell carries on.
# The two losses do not fall as those of other chapters do: each network's success is the other's failure, and a level line may mean that both are learning.
# So there is no reading the result off the losses, and the stopping rule is a number of steps.
#
# The shipped network of the coins had 6000 steps at this level.
# Scrub through what it drew:

# %%
from dil_teach.notebook import scrub

history = load_image(folder / "coins_history.png")
frames = history.split(32, dim=1)
learning = scrub(
    [(500 * number, frame) for number, frame in enumerate(frames)],
    alt="Coins at twice the width after {step} steps: wide ovals at first, which come "
    "apart into round coins in four rows later",
)

# %% [markdown]
# At first the network changes nothing, and the ovals are plain stretching.
# After 1500 steps they begin to part; after 2000 those of the upper rows have divided in two, and the lowest row, where the largest lie, follows 1500 steps later.
# From then on little moves, but each coin gets crisper.
# At the end the coins stand in four rows, and all are round.
#
# ## Not only resizing
#
# Nothing in the losses knows that $T$ was a resizing.
# A [homography](glossary.md#homography) brings the corners of the picture to four other places, as a camera does that is turned; a smooth warp moves each place a little.
# Outside the shape there is nothing to judge: those patches are left out, and shown black.

# %%
import math

from dil_teach.image.warp import SQUARE, homography, smooth_warp, warp

AT = torch.linspace(-1, 1, 9)


# %%
def transformation_of(shape, strength):
    """From a name and a strength, 0 to 1, at 1.5 times the size."""
    larger = (1.5, 1.5)
    if shape == "waves":
        up = 0.1 * strength * torch.sin(math.pi * AT) * torch.ones(9, 1)
        return smooth_warp(torch.stack([torch.zeros(9, 9), up], -1), larger)
    moved = SQUARE.clone()
    moved[1:3, 1] *= 1 - 0.5 * strength
    return homography(moved, larger)


# %%
def remapped_and_warped(photograph, there):
    network = trained[photograph]
    level = drawn_level(network)
    remapped = network.remap(there, level=level)
    extent = (remapped.shape[1], remapped.shape[2])
    source = source_at(network, level)[None]
    plain = warp(source, there, extent)[0].clamp(0, 1)
    plain = plain * there.inside(extent, plain.device)
    return {"warped": plain, "InGAN": remapped}


def render_shape(photograph, shape, strength):
    return remapped_and_warped(photograph, transformation_of(shape, strength))


# %%
shape_slider = explore(
    render_shape,
    {
        "photograph": Choice("Photograph", PICTURES, "coins"),
        "shape": Choice("Shape", ("one side", "waves"), "one side"),
        "strength": Slider("Strength", 0.0, 1.0, 1.0, 0.1),
    },
    "The photograph ({photograph}) in another shape, {shape} moved with strength "
    "{strength}, black outside: left warped, right remade by InGAN",
    examples=[
        {"photograph": "coins", "shape": "one side", "strength": 1.0},
        {"photograph": "brick", "shape": "waves", "strength": 1.0},
    ],
)

# %% [markdown]
# On the left, coins turn into ovals where the shape stretches them, and shrink where it narrows.
# On the right they keep their size: where the picture is narrow there are simply fewer, and the black edge cuts through them, for outside it nothing is judged.
# Not all is well: some coins bulge, touch or fade.
# The columns of bricks follow the waves and keep their width, but many cross joints are lost: some bricks are several times as long as their neighbours.
#
# Pull a corner yourself: click where the nearest corner of the photograph should go, or set its row and its column with the keyboard.

# %%
from dil_teach.notebook import Clickable

canvas = source_at(trained["coins"], 1)
rows, columns = canvas.shape[1:]


def render_corner(row, column):
    place = torch.tensor([2 * column / (columns - 1), 2 * row / (rows - 1)]) - 1
    side = torch.where(place < 0, -1.0, 1.0)
    pulled = SQUARE.clone()
    nearest = (SQUARE == side).all(1)
    pulled[nearest] = side * place.abs().clamp_min(0.2)  # else the shape would fold
    return remapped_and_warped("coins", homography(pulled, (1.5, 1.5)))


# %%
corner_click = explore(
    render_corner,
    {
        "row": Slider("Row", 0, rows - 1, 36, 1),
        "column": Slider("Column", 0, columns - 1, 14, 1),
    },
    "The coins with a corner pulled to row {row}, column {column}, black outside: left "
    "warped, right remade by InGAN",
    examples=[{"row": 36, "column": 14}],
    click=Clickable(canvas, alt="The coins, 24 in four rows"),
)

# %% [markdown]
# Here the lower left corner was pulled inwards.
# Warped, the coins lean and shrink towards it; remade, the rows bend with the shape, and near the corner there are fewer.
# They are not all round: where the map turns and stretches at once some are drawn long, and at the top two have grown together.
# Every place of the corner is a new transformation that the network never trained on, and is drawn in a tenth of a second.
#
# ## Twice as wide: eight methods
#
# Now the comparison, with [controls](glossary.md#control) that learn nothing.
# *Bicubic* stretches.
# *Tiled* is the photograph beside itself.
# The *column warp* repeats whole columns wherever a cut is seen least.
# *Seam carving* [@avidan2007] repeats connected paths of pixels of which the picture can best bear another.
# *Bidirectional similarity* [@simakov2008] and *GPNN* [@granot2022] rebuild the picture of nearest patches.
# *Texture expansion* [@zhou2018] is a network as well: it learns to draw the block of twice the size round a crop.
# It always doubles height and width, so that the rows in its middle are shown; training it takes half a minute a photograph, so its pictures ship with the course (`benchmarks/ingan.py`, section `expanded`).
#
# Four pictures: the coins, the bricks and the street front, 50 and 48 pixels high; and a dahlia (photograph: vultilion, CC BY 2.0), 32 pixels high, on which InGAN's coarsest level was trained for 4000 steps by the discriminator alone.

# %%
from dil_teach import photo


def shipped_picture(kind, name):
    return load_image(folder / f"{kind}_{name}.png").to(device())


level = {"coins": 1, "brick": 1, "facade": 0}
compared = {name: source_at(trained[name], n) for name, n in level.items()}
doubled = {name: trained[name].remap(resizing(1, 2), n) for name, n in level.items()}
compared["flower"] = resize(photo("flower"), size=(32, 48)).clamp(0, 1).to(device())
doubled["flower"] = shipped_picture("failure", "flower")

# %%
from dil_teach.classical.retarget import bidirectional, patch_generation
from dil_teach.classical.retarget.column_warp import column_warp
from dil_teach.classical.seams.seam_carving import carve


# %%
def all_methods(name):
    """A photograph at twice its width, by each method."""
    source = compared[name]
    wide = (source.shape[1], 2 * source.shape[2])
    return {
        "bicubic": resize(source, size=wide).clamp(0, 1),
        "tiled": torch.cat([source, source], 2),
        "column warp": column_warp(source, wide[1]),
        "seam carving": carve(source, wide),
        "bidirectional": bidirectional.retarget(source, wide).clamp(0, 1),
        "texture expansion": shipped_picture("expanded", name),
        "GPNN": patch_generation.retarget(source, wide).clamp(0, 1),
        "InGAN": doubled[name],
    }


# %% [markdown]
# Under each picture stand three numbers: its [completeness](glossary.md#completeness) and its [coherence](glossary.md#coherence), as shares of bicubic's (lower is better, 1.00 is no better than stretching), and its [recurrence score](glossary.md#recurrence-score).

# %%
from dil_teach import coherence, completeness, recurrence_score


def drawn_and_scored(name):
    """One photograph by all methods, and the three numbers of each picture."""
    source, pictures = compared[name], all_methods(name)
    lost = completeness(source, pictures["bicubic"])
    added = coherence(source, pictures["bicubic"])
    numbers = {}
    for method, picture in pictures.items():
        lost_share = completeness(source, picture) / lost
        added_share = coherence(source, picture) / added
        numbers[name, method] = (lost_share, added_share, recurrence_score(picture))
    return pictures, numbers


# %%
from concurrent.futures import ThreadPoolExecutor

results, scores = {}, {}
with ThreadPoolExecutor(2) as pool:  # two photographs at a time
    found = pool.map(drawn_and_scored, compared)
    for name, (pictures, numbers) in zip(compared, found, strict=True):
        results[name] = pictures
        scores |= numbers

# %%
ALTS = {
    "coins": "Coins, and eight pictures twice as wide: ovals by bicubic and seam "
    "carving; round coins in four rows by the others but texture expansion, whose "
    "coins are dented and in slanting rows",
    "brick": "Bricks, and eight pictures twice as wide: wide bricks by bicubic, bent "
    "joints by seam carving, narrow bricks by the others",
    "flower": "A dahlia, and eight pictures twice as wide: an oval flower by bicubic "
    "and InGAN, two flowers tiled and by column warp, one round flower by the others "
    "but texture expansion, which smears it large",
    "facade": "A street front, and eight pictures twice as wide: wide windows by "
    "bicubic and seam carving, a grid of coloured dots by texture expansion, more "
    "windows by the others",
}

# %%
from dil_teach.notebook import show

for name, pictures in results.items():
    panels = {f"the photograph ({name})": compared[name]}
    for method, picture in pictures.items():
        lost_share, added_share, recurs = scores[name, method]
        panels[f"{method}\n{lost_share:.2f} {added_share:.2f} {recurs:.2f}"] = picture
    show(panels, alt=ALTS[name], zoom=2)

# %% [markdown]
# **The tiled copy and the column warp have the best numbers everywhere**, and nothing in them is new: all patches are there, and nearly none is wrong.
# That answers question 2.
# Where a copy is what you want, take it.
# The numbers are there to find fault with the other pictures.
#
# *Coins.*
# Bicubic and seam carving leave 24 wide things.
# Bidirectional similarity, GPNN and InGAN all draw many round coins, the first two with the better numbers, for their patches are copies: InGAN's coins have less relief.
# But its rows are the most even, and of the two largest coins, which GPNN draws twice, grown together, it draws each once.
# The column warp has dark cuts between some coins.
#
# *Bricks.*
# InGAN's are about as complete as GPNN's, less so than those of bidirectional similarity, and a little more coherent than both.
# Seam carving bends the joints.
#
# *Flower.*
# Seam carving, bidirectional similarity and GPNN keep one round flower in a wider garden, which is what most people want.
# The controls make two.
# InGAN's is as wide as the stretched one, and as far from the photograph's patches.
# It saw one whole flower and the rim of a second, and never the rest of the garden (question 3).
#
# *Street front.*
# Again the two methods of nearest patches have the better numbers, and again InGAN has the more even picture: more windows side by side, and lines that stay straight.
# Bidirectional similarity breaks the cornice, and GPNN smears what lies at the right.
#
# *Texture expansion* does what it is for: its bricks look right, though by the numbers they are behind those of nearest patches and InGAN.
# Its coins are dented; its flower and its street front, which are no textures, are smears under a grid of dots, and two to six times farther from the photograph than stretching is.
# Each method has a picture on which it is the right one.
#
# ## Count the coins
#
# Patches are not the goal; coins are.
# How many are there, and how much wider than high is the usual one?

# %%
from dil_teach.image.metrics import count_objects

counted = {"photograph": count_objects(compared["coins"])}
counted |= {name: count_objects(p) for name, p in results["coins"].items()}
print("                    coins  width / height")
for name, (number, shape) in counted.items():
    print(f"{name:18}{number:7d}{shape:16.2f}")

# %% [markdown]
# Twice the width should hold about 48 coins (question 1), and what is wrong with each picture is now easier to say:
#
# - *bicubic* and *seam carving*: 24, each about twice as wide as high;
# - *tiled*: 48 round ones, but the largest stand in the middle of the picture, at a cut;
# - *column warp*: 48, because it repeats whole columns, and with them the same coins in all four rows;
# - *bidirectional similarity* and *GPNN*: about 50, most of them copies of a neighbour; some touch, and the counter takes two for one or one for two;
# - *texture expansion*: many and dented, and the rows are lost: it shows the middle of a picture twice as high;
# - *InGAN*: about 50 as well, those counted that the edge cuts, round and in four rows.
#   But some of its coins are in no photograph: no two halves of one coin have to belong together, for no patch is as large as a coin in the fine levels.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "InGAN's coins are nearer to the patches than stretched ones, both ways": max(
        scores["coins", "InGAN"][:2]
    )
    < 0.6,
    "and so are its bricks": max(scores["brick", "InGAN"][:2]) < 0.6,
    "but a tiled copy is nearer still": max(scores["coins", "tiled"][:2]) < 0.2,
    "stretched coins are wide": counted["bicubic"][1] > 1.7,
    "InGAN's are round": counted["InGAN"][1] < 1.3,
    "and there are 40 to 60": 40 <= counted["InGAN"][0] <= 60,
}
check_claims(claims)

# %% [markdown]
# ## What each part is for
#
# The coins once more, by the discriminator alone (no patch loss), 32 pixels high; then without the reconstruction; then without a pyramid, in one network that is given the coins 76 pixels high and a discriminator of one scale (and, to spare time, no warps, and one side scaled at a time).
# One seed each, 4500, 4500 and 6000 steps, pictures as trained beforehand (`benchmarks/ingan.py`, section `ablations`).

# %%
left_out = {
    "nothing": shipped_picture("ablation", "all"),
    "the reconstruction": shipped_picture("ablation", "no_reconstruction"),
    "the scales": shipped_picture("ablation", "one_scale"),
}


def render_ablation(without):
    picture = left_out[without]
    return resize(picture, size=(76, round(76 / picture.shape[1] * picture.shape[2])))


ablation_choice = explore(
    render_ablation,
    {"without": Choice("Left out", tuple(left_out), "nothing")},
    "Coins at twice the width, with {without} left out of the training",
    examples=[{"without": part} for part in left_out],
    live=True,
)

# %% [markdown]
# With all parts there are four rows of round coins, also where the discriminator is the only teacher; a few in the lowest row still melt into their neighbours.
# Without the reconstruction it is much the same: at this size it matters less than one might think, and one seed proves no more than that.
# Without the scales *every* coin stays an oval, only its edge and its grain are crisp.
# A patch of 7 x 7 pixels at this size shows a piece of a coin's edge, and a piece of an oval's edge looks just like it.
# What is never seen whole cannot be missed.
#
# ## When it fails
#
# Three photographs at twice their width, at the coarsest level (a pagoda: danielbuechele, CC BY 2.0; the dahlia; gravel: CC0Textures, CC0), by the discriminator alone, which looks at the gravel with patches of 9 x 9 at three scales:

# %%
show(
    {name: shipped_picture("failure", name) for name in ("china", "flower", "gravel")},
    alt="A pagoda, squat and wide; a dahlia, a lying oval; gravel turned into slanted "
    "streaks of black and white specks",
    zoom=3,
)

# %% [markdown]
# *Nothing repeats.*
# There is one pagoda and one whole dahlia.
# At the coarsest level a patch of 7 x 7 pixels, or 10 x 10 at the second scale, holds a third of a flower, and every such patch is there once.
# To draw a second flower the network would have to pass through pictures that the discriminator rejects; to stretch costs less.
# So it stretches, with crisper petals.
# The paper's results are on fruit, façades, crowds and rows of things.
#
# *What repeats is too small.*
# The stones are two or three pixels wide at this coarsest level, 32 pixels high.
# There they are noise, and the network learns noise of the right grain, slanted, and can arrange nothing.
# A larger coarsest level (`InGANSettings.coarsest`) helps where things then have five pixels and more, and costs its square: the street front, whose shutters are narrow, was trained at 48.
#
# Neither failure shows in the losses.
# It shows in the picture, and in completeness and coherence that stay near 1 or above.

# %%
# NBVAL_CHECK_OUTPUT
from dil_teach import psnr

same = psnr(mine.retarget(), small)
flowers = results["flower"]["InGAN"], results["flower"]["bicubic"]
behind = [scores[n, "bidirectional"][0] < scores[n, "InGAN"][0] for n in compared]
claims = {
    "InGAN's flower is nearly the stretched one (over 20 dB)": psnr(*flowers) > 20,
    "its street front is nearer to the patches": max(scores["facade", "InGAN"][:2])
    < 0.6,
    "bidirectional similarity is more complete on all four": all(behind),
    "unstretched, your network returns the photograph (over 25 dB)": own or same > 25,
}
check_claims(claims)

# %% [markdown]
# ## The thread of the course: the recurrence score
#
# Does a remapped picture have the internal statistics of its photograph?
# The third number under each picture, beside the photograph's own:

# %%
shown = ("bicubic", "bidirectional", "GPNN", "InGAN")
print("         photograph" + "".join(f"{method:>15}" for method in shown))
own_recurrence = {}
for name, source in compared.items():
    own_recurrence[name] = recurrence_score(source)
    line = "".join(f"{scores[name, method][2]:15.2f}" for method in shown)
    print(f"{name:9}{own_recurrence[name]:10.2f}{line}")

# %% [markdown]
# Stretching *raises* the score on all four pictures: a stretched patch is smoother, and smooth patches have matches everywhere.
# A high score is therefore no praise.
# What counts is how near a picture comes to its photograph, and there InGAN is nearer than bicubic on all four, by little on the coins and the flower.
# Methods of nearest patches are nearer than InGAN on the bricks, farther on the street front and the flower, and level on the coins.
# GPNN's flower is the farthest: the garden that it adds is plain, and plain ground recurs.
#
# ## Summary
#
# - InGAN asks that a picture of another shape have the photograph's patches at all scales.
#   A discriminator that sees patches alone learns what that means; the way back by the inverse transformation is to keep anything from getting lost; in our ablation it mattered little.
# - One network then remaps to *any* size and shape, in a fraction of a second.
# - For a copy beside a copy completeness is perfect, and coherence nearly.
#   They find what is wrong with a picture; they do not say that one is right.
#   Count the coins.
# - Ours is a pyramid of small networks with a patch loss beside the discriminator; not the paper's network.
#   It arranges coins, bricks and windows.
#   Where nothing repeats at its coarsest level it stretched, like bicubic, in the runs that we have, by the discriminator alone.
# - Nearest patches, which learn nothing, are more complete on all four pictures, as @granot2022 argue.
#   What speaks for a network: once trained it draws any size in a fraction of a second, and shapes that no seam can follow.
#
# ## References
