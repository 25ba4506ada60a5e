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
# We would like to have *more coins* instead: a picture of another size whose patches are those of the photograph.
# In this chapter a network learns to make such a picture from one photograph and nothing else [@shocher2019].
#
# **After this chapter you can**
#
# - say what it means that two pictures of different size have the same [distribution of patches](glossary.md#distribution-of-patches) at all scales;
# - explain how a [generator](glossary.md#generator) and a [discriminator](glossary.md#discriminator) are trained against each other, and why the inverse [transformation](glossary.md#geometric-transformation) is needed;
# - write the training loop yourself;
# - measure a result by its patches, and say why a perfect score may be worth nothing;
# - say on which photographs the method fails, and which older method is better there.
#
# **What you need**: [patches and their recurrence](01_patch_recurrence.ipynb).
# No GPU.
# Reading takes 45 minutes, computing less than 40 seconds (*Run > Run All Cells*).
# The networks of the first part were trained beforehand and ship with the course.
# You train two small ones yourself.

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 25, "standard": 70, "full": 200})

# %% [markdown]
# `budget` changes sizes and numbers of steps, never the method.
# The [seed](glossary.md#seed) is fixed: two runs of the chapter on one computer give the same pictures, bit for bit.
#
# ## Predict first
#
# Write your answers down.
# Each is tested below.
#
# 1.
#    There are 24 coins in the photograph.
#    How many should there be at twice its width?
#    Which method do you expect to reach that number?
# 2.
#    Two copies of the photograph, side by side, are twice as wide, too.
#    What would a measure that only looks at small patches say about them?
# 3.
#    A photograph shows a single flower in the middle.
#    At twice the width, should there be one wide flower, two flowers, or one flower in a wide garden?
#    What can a network that has seen only this picture know about that?
#
# ## The smallest demo: another height, another width
#
# We use three photographs and one rendered street front (made for this course, CC0).
# The photographs show coins (Brooklyn Museum, no known copyright restrictions), bricks (CC0Textures, CC0) and a part of the Hubble eXtreme Deep Field (NASA, public domain).
# For each there is a network that learned from this picture alone:

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
    "left stretched, with its objects out of shape; right by InGAN",
    examples=[
        {"photograph": name, "height": 1.0, "width": 2.0}
        for name in ("coins", "facade", "hubble")
    ],
)

# %% [markdown]
# On the left the coins become ovals and the windows become wide.
# On the right there are *more* coins, about as large and as round as in the photograph, in the same four rows.
# The street front has more windows, each between its shutters, under a cornice that still falls to the right.
# Only at the left edge some windows are too narrow.
# In the deep field the galaxies stay round, and the small ones stay points.
# But hardly any galaxy is new: they are farther apart, and some of the faintest are gone.
# Nothing in the picture says that there should be more of an object that stands alone.
#
# Choose the bricks and half the width: the bricks keep their width, but some joints begin or end in the middle of a brick.
# With the coins, about half of them are left, and some at the edge are cut.
#
# The network was never told what a coin is, nor that coins are round.
# Move the sliders: one network draws any size in a fraction of a second.
#
# ## Theory: the same patches, at all scales
#
# The result should contain only patches of the photograph, and all of them.
# In other words, the two *distributions* of patches should be the same.
# This should hold for patches of 7 x 7 pixels in the picture itself, and in downscaled copies, where 7 x 7 pixels hold a whole coin.
# The paper calls this distribution the 'DNA' of an image.
#
# Chapter 1 compared patches one by one.
# Here there is no search for similar patches.
# Instead two networks are trained against each other, as a [GAN](glossary.md#gan):
#
# - The **discriminator** $D$ sees patches and decides for each whether it comes from the photograph.
#   To do so it must learn the distribution of the photograph's patches.
#   It sees only one patch at a time, as in a [patch GAN](glossary.md#patch-gan).
#   So it does not know where a patch lies, and it can judge a picture of any size.
# - The **generator** $G$ gets the photograph $x$ and a geometric transformation $T$.
#   It draws $y = G(x; T)$ such that $D$ takes the patches of $y$ for real ones.
#
# The paper's [adversarial loss](glossary.md#adversarial-loss) is least squares [@mao2017].
# $D$ should answer 1 for the photograph's patches and 0 for generated ones, while $G$ tries to make $D$ answer 1:
#
# $$\mathcal L_D = \tfrac12 \bigl(D(x) - 1\bigr)^2 + \tfrac12\, D(y)^2, \qquad \mathcal L_G = \bigl(D(y) - 1\bigr)^2,$$
#
# averaged over all patches.
# *Any* picture made of the photograph's patches would satisfy this loss, even one that repeats a single coin.
# Therefore the same network must be able to restore the photograph from $y$ by the inverse transformation:
#
# $$\mathcal L = \mathcal L_G(y) + \lambda\, \bigl\lVert G\bigl(G(x; T);\, T^{-1}\bigr) - x \bigr\rVert_1 .$$
#
# The paper has four more parts:
#
# - A **geometric layer**.
#   $T$ is not learned: a layer of the generator applies it, and the other layers repair the result.
#   So one network can draw all shapes.
# - A **multi-scale discriminator**.
#   It judges $y$ and downscaled copies of $y$, as many as its size allows.
#   That is your second exercise.
# - **Adaptive weights of the scales**.
#   At first the coarse scales count most, at the end the fine ones.
# - A **[curriculum](glossary.md#curriculum)**.
#   The transformations are weak at first and grow to full strength.
#
# ## Exercise: there and back
#
# The reconstruction needs $T^{-1}$.
# The simplest transformations are affine: they map the place $(x, y)$ to $A\,(x, y)^\top + b$.
# The centre of the picture is (0, 0), and its edges are at -1 and 1.
# Write `invert(affine)`.
#
# - `affine`: Float[Tensor, "2 3"], with $A$ in the first two columns and $b$ in the last.
#   Its values are not limited to [0, 1]; $A$ is invertible.
# - Returns the inverse map, again Float[Tensor, "2 3"].
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
# The map first multiplies by $A$ and then adds $b$.
# In which order must you undo the two?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Solve $q = A p + b$ for $p$.
# Which factor does $q$ have, and which constant remains?
#
# </details>
# <details><summary>Hint 3</summary>
#
# $p = A^{-1} q - A^{-1} b$.
# You need only `torch.linalg.inv` and `torch.cat`.
# `affine[:, 2:]` keeps the last column as a column.
#
# </details>

# %% [markdown]
# ## Exercise: a loss at several scales
#
# Write `multi_scale_loss(discriminator, picture, weights)`, the generator's least-squares loss.
#
# - `discriminator`: a function from Float[Tensor, "c h w"] to Float[Tensor, "1 h2 w2"], one value for each patch.
# - `picture`: Float[Tensor, "c h w"] in [0, 1].
# - `weights`: a list of floats, one for each scale, the finest first.
#   Scale $s$ = 0, 1, ... is the picture downscaled by $1.5^s$: `resize(picture, 1 / 1.5**s)`.
# - Returns one number: the weighted sum over the scales of the mean of $(D - 1)^2$ over the patches of a scale.
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
# The discriminator is the same at all scales.
# What changes?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Loop over the weights.
# Downscale the original picture each time, not the result of the previous scale.
#
# </details>
# <details><summary>Hint 3</summary>
#
# A coarser scale has fewer patches.
# If you take the mean at each scale, only the weights decide how much it counts.
#
# </details>

# %% [markdown]
# ## The whole method in twenty lines
#
# Now put the parts together, at one scale and without a pyramid.
# We take the left half of the coins, 32 pixels high and 20 wide: twelve coins.
# At this size a patch of 7 x 7 pixels holds a whole coin.
# The library gives us the two networks and the transformation `resizing`.
# The generator starts with `warp`: untrained, it only stretches.

# %%
import copy

from dil_teach.deep.ingan.networks import Discriminator, Generator

few = source_at(trained["coins"], 0)[:, :, :20]
x = ((few - few.mean()) / few.std())[None]
rng = torch.Generator().manual_seed(seed)
generator, discriminator = Generator(1, 1, rng), Discriminator(1, 3, rng)
averaged = copy.deepcopy(generator)
adam = {"betas": (0.5, 0.9), "fused": True}
adam_g = torch.optim.Adam(generator.parameters(), 5e-4, **adam)
adam_d = torch.optim.Adam(discriminator.parameters(), 1e-3, **adam)
losses = {"generator": [], "discriminator": []}


# %%
def draw(network, width):
    """The coins at another width, normalised as x is."""
    return network([x], resizing(1, width / 20), [(32, width)])


# %% [markdown]
# Each step draws a random width between 20 and 40 pixels.
# We use the hinge loss: $D$ should answer above 1 for the photograph's patches and below -1 for generated ones.
# Instead of the reconstruction we use a simpler loss, the identity: at the photograph's own width $G$ should return the photograph.
# The results are drawn with an exponential moving average of the generator's weights, because the weights themselves never come to rest.

# %% tags=["algorithm"]
from torch.nn.functional import relu

from dil_teach.training.schedules import update_average

for _ in range({"quick": 250, "standard": 300, "full": 350}[budget]):
    width = int(torch.randint(20, 41, (), generator=rng))  # the transformation T
    y = draw(generator, width)
    adversarial = -discriminator(y).mean()
    identity = (draw(generator, 20) - x).abs().mean()
    generator_loss = adversarial + 2 * identity
    adam_g.zero_grad()
    generator_loss.backward()
    adam_g.step()

    on_fake, on_real = discriminator(y.detach()), discriminator(x)
    discriminator_loss = relu(1 + on_fake).mean() + relu(1 - on_real).mean()
    adam_d.zero_grad()
    discriminator_loss.backward()
    adam_d.step()

    update_average(averaged, generator, keep=0.98)
    losses["generator"].append(generator_loss.item())
    losses["discriminator"].append(discriminator_loss.item())

# %%
from dil_teach.notebook import show


def in_grey(drawn):
    return (drawn.detach()[0] * few.std() + few.mean()).clamp(0, 1)


wide = in_grey(draw(averaged, 40))
stretched = resize(few, size=(32, 40)).clamp(0, 1)
drawn_widths = {"twelve coins": few, "stretched": stretched, "your generator": wide}
drawn_widths["1.5 times as wide"] = in_grey(draw(averaged, 30))
show(
    drawn_widths,
    alt="Twelve coins in four rows; at twice the width stretched to ovals; drawn by "
    "your generator, about 24 nearly round coins; and 1.5 times as wide",
    zoom=4,
)

# %% [markdown]
# The stretched coins are twelve ovals.
# Your generator drew about 24 coins, and they are nearly round.
# The large coins of the lowest row divide last.

# %%
from dil_teach.image.metrics import count_objects

tenth = len(losses["generator"]) // 10
print("mean loss of each tenth of the steps")
for name, values in losses.items():
    means = torch.tensor(values)[: 10 * tenth].view(10, tenth).mean(1)
    print(f"{name:15}" + "".join(f"{mean:7.2f}" for mean in means.tolist()))
for name in ("stretched", "your generator"):
    number, shape = count_objects(drawn_widths[name])
    print(f"{name:15}{number:4d} coins, width / height {shape:.2f}")

# %% [markdown]
# Nobody told the generator what a coin is.
# The photograph has no patch with an oval, so the discriminator learns to reject ovals.
# Larger pictures need more: several scales, finer networks, and thousands of steps.
#
# The two losses do not fall as those of other chapters do.
# The success of one network is the failure of the other, and a constant loss may mean that both are learning.
# So you cannot judge the result by the losses, and training stops after a fixed number of steps.

# %%
# NBVAL_CHECK_OUTPUT
from dil_teach import coherence, completeness

number, shape = count_objects(wide)
nearer = [
    measure(few, wide) / measure(few, stretched)
    for measure in (completeness, coherence)
]
claims = {
    "stretched coins are wide": count_objects(stretched)[1] > 1.7,
    "your generator's are rounder": shape < 1.5,
    "and there are at least 18 of them": number >= 18,
    "its patches are nearer to the photograph's, both ways": max(nearer) < 0.9,
}
check_claims(claims)

# %% [markdown]
# ## The method in the library
#
# Compare your loop with a training step of the library, and see how it draws one level of the pyramid:

# %%
from dil_teach.deep.ingan.ingan import InGAN, InGANSettings
from dil_teach.notebook import show_source

show_source(InGAN.train_step)
show_source(Generator.draw_level)

# %% [markdown]
# The paper's network needs hours on a GPU; ours runs on a laptop.
# You should know how ours differs:
#
# - **A [pyramid](glossary.md#pyramid) of small networks** replaces one large network at full size.
#   They are trained one after another from coarse to fine, as in SinGAN [@shaham2019].
#   The first arranges the objects, in a picture 32 pixels high in which a coin has five pixels.
#   The others add detail to its output.
# - The transformation acts on the input, not inside the network.
#   Six more channels tell the network **where each pixel comes from** and how much is stretched there.
# - There are **no normalisation layers**, and the hinge loss replaces least squares.
#   In the one run that we compared, both losses did about as well.
# - Where nothing is stretched, a level starts with the **image's own detail**.
#   An **identity loss** is added, too: a transformation that changes nothing should change nothing.
# - **One discriminator** judges two scales, 1.5 times apart; the authors have one for each of many scales.
# - **A patch loss of our own** is added: `patch_distance` measures how far patches are from the nearest patch of the other picture, in both directions.
#   It is *the measure by which we compare below*.
#   So InGAN was trained on these figures, as bidirectional similarity and GPNN are; seam carving and the controls were not.
#   The flower is the exception: its network was trained by the discriminator alone.
# - An **exponential moving average** of the generator's weights draws the results.
#
# ## Train one yourself
#
# Choose a photograph of your own, then select the cell below the button and *Run > Run Selected Cell and All Below*.
# Without one you get the coins.
# Choose a photograph of things that *repeat*, such as fruit on a stall, windows, or books on a shelf.
# They should be at least five pixels wide in a picture 32 pixels high.
# A portrait remains a stretched portrait.

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

steps = {"quick": 20, "standard": 600, "full": 2500}[budget]
settings = InGANSettings.quick(steps=steps, seed=seed)
mine = InGAN(small, settings)
panel = LivePanel(alt=f"What the network makes of {subject} at twice the width")

# %%
from dil_teach import train

for progress in train(mine, report_every=steps // 2):
    panel.update(progress, mine.retarget(1, 2))

# %% [markdown]
# With `quick` there are no more coins than before: the ovals remain, because 20 steps are far too few.
# On the whole photograph, round coins that stand apart appear after about 2000 steps, in the upper rows first.
# That takes some minutes; `budget = "full"` trains that long.
#
# If you press stop during the training, nothing is lost: run the same cell again and it continues.
#
# The shipped network of the coins was trained for 6000 steps at this level.
# Move the slider to see its pictures during the training:

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
# At first the network only stretches, and the coins are ovals.
# After 1500 steps the ovals begin to divide; after 2000 those of the upper rows have become two coins each.
# The lowest row, with the largest coins, follows 1500 steps later.
# After that the arrangement hardly changes, but each coin becomes sharper.
# At the end the coins stand in four rows, and all are round.
#
# ## Not only resizing
#
# The losses do not assume that $T$ is a resizing.
# A [homography](glossary.md#homography) moves the corners of the picture to four other places, as if the camera were turned.
# A smooth warp moves each place a little.
# The discriminator ignores patches outside the shape; there the picture is black.

# %%
import math

from dil_teach.image.warp import SQUARE, homography, smooth_warp, warp

AT = torch.linspace(-1, 1, 9)


# %%
def transformation_of(shape, strength):
    """A transformation by name, of strength 0 to 1, to 1.5 times the size."""
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
# On the left, coins become ovals where the shape stretches them, and shrink where it narrows.
# On the right they keep their size: where the picture is narrow there are fewer coins.
# The black edge cuts through coins, because nothing is judged outside it.
# There are faults: some coins bulge, touch or fade.
# The columns of bricks follow the waves and keep their width.
# But many cross joints are lost, and some bricks are several times as long as their neighbours.
#
# Move a corner yourself: click where the nearest corner of the photograph should go, or set its row and its column with the keyboard.

# %%
from dil_teach.notebook import Clickable

canvas = source_at(trained["coins"], 1)
rows, columns = canvas.shape[1:]


def render_corner(row, column):
    place = torch.tensor([2 * column / (columns - 1), 2 * row / (rows - 1)]) - 1
    side = torch.where(place < 0, -1.0, 1.0)
    pulled = SQUARE.clone()
    nearest = (SQUARE == side).all(1)
    pulled[nearest] = side * place.abs().clamp_min(0.2)  # or the shape folds
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
# Here the lower left corner was moved inwards.
# In the warped picture the coins lean and shrink towards it.
# In InGAN's picture the rows bend with the shape, and near the corner there are fewer coins.
# Not all are round: some are long where the transformation both turns and stretches, and at the top two have grown together.
# Each position of the corner is a transformation on which the network was never trained, and it is drawn in a tenth of a second.
#
# ## Twice as wide: eight methods
#
# Now we compare InGAN with other methods, and with [controls](glossary.md#control) that learn nothing.
# *Bicubic* stretches.
# *Tiled* is two copies of the photograph, side by side.
# The *column warp* repeats whole columns where a cut is least visible.
# *Seam carving* [@avidan2007] repeats connected paths of pixels where a repetition is least visible.
# *Bidirectional similarity* [@simakov2008] and *GPNN* [@granot2022] rebuild the picture from nearest patches.
# *Texture expansion* [@zhou2018] also trains a network: it learns to expand a crop to the block of twice its size.
# It always doubles both height and width, so we show the middle rows of its result.
# Its training takes half a minute for each photograph, so its pictures ship with the course (`benchmarks/ingan.py`, section `expanded`).
#
# There are four pictures.
# The coins, the bricks and the street front are 50 and 48 pixels high.
# The fourth is a dahlia (photograph: vultilion, CC BY 2.0), 32 pixels high.
# On the dahlia, InGAN's coarsest level was trained for 4000 steps by the discriminator alone.

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
# Below each picture are three numbers.
# The first two are [completeness](glossary.md#completeness) and [coherence](glossary.md#coherence), divided by those of bicubic: lower is better, and 1.00 is no better than stretching.
# The third is the [recurrence score](glossary.md#recurrence-score).

# %%
from dil_teach import recurrence_score


def drawn_and_scored(name):
    """The pictures of all methods, and the three numbers of each."""
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
for name, pictures in results.items():
    panels = {f"the photograph ({name})": compared[name]}
    for method, picture in pictures.items():
        lost_share, added_share, recurs = scores[name, method]
        panels[f"{method}\n{lost_share:.2f} {added_share:.2f} {recurs:.2f}"] = picture
    show(panels, alt=ALTS[name], zoom=2)

# %% [markdown]
# **The tiled copy and the column warp have the best numbers on all photographs**, but they contain nothing new: all patches are there, and almost no patch is wrong.
# That answers question 2.
# If you only need a copy, use one.
# The numbers can only show faults of the other pictures.
#
# *Coins.*
# Bicubic and seam carving keep 24 wide objects.
# Bidirectional similarity, GPNN and InGAN all draw many round coins.
# The first two have better numbers, because their patches are copies; InGAN's coins have less relief.
# But InGAN's rows are the most even.
# It draws the two largest coins once each; GPNN draws them twice, grown together.
# The column warp has dark cuts between some coins.
#
# *Bricks.*
# InGAN's bricks are about as complete as GPNN's, less complete than those of bidirectional similarity, and slightly more coherent than both.
# Seam carving bends the joints.
#
# *Flower.*
# Seam carving, bidirectional similarity and GPNN keep one round flower in a wider garden, as most people would want.
# The controls make two flowers.
# InGAN's flower is as wide as the stretched one, and as far from the photograph's patches.
# It saw one whole flower and the rim of a second, and never the rest of the garden (question 3).
#
# *Street front.*
# Again the two methods of nearest patches have better numbers, and InGAN's picture is more even: it has more windows side by side, and straight lines.
# Bidirectional similarity breaks the cornice, and GPNN blurs the right side.
#
# *Texture expansion* works on textures: its bricks look right, although their numbers are worse than those of nearest patches and InGAN.
# Its coins are dented.
# Its flower and its street front are not textures: they become a blur under a grid of dots, two to six times farther from the photograph than stretching is.
# Each method has a picture on which it is the best choice.
#
# ## Count the coins
#
# The goal is coins, not patches.
# How many are there, and how much wider than high is the median coin?

# %%
counted = {"photograph": count_objects(compared["coins"])}
counted |= {name: count_objects(p) for name, p in results["coins"].items()}
print("                    coins  width / height")
for name, (number, shape) in counted.items():
    print(f"{name:18}{number:7d}{shape:16.2f}")

# %% [markdown]
# At twice the width there should be about 48 coins (question 1).
# Now we can say what is wrong with each picture:
#
# - *Bicubic* and *seam carving* have 24 coins, each about twice as wide as high.
# - *Tiled* has 48 round coins, but the largest stand in the middle of the picture, at a cut.
# - The *column warp* has 48 coins, because it repeats whole columns and with them the same coins in all four rows.
# - *Bidirectional similarity* and *GPNN* have about 50 coins, most of them copies of a neighbour.
#   Some touch, so the counter takes two coins for one, or one for two.
# - *Texture expansion* has many dented coins without rows: it shows the middle of a picture twice as high.
# - *InGAN* has about 50 round coins in four rows, including coins that the edge cuts.
#   But some of its coins are in no photograph.
#   At the fine levels no patch is as large as a coin, so the two halves of a coin need not belong together.

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
# An [ablation](glossary.md#ablation) leaves out one part at a time.
# All pictures are made by the discriminator alone, without the patch loss.
# The first has all other parts, at 32 pixels of height.
# The second has no reconstruction loss.
# The third has no scales: one network sees the coins 76 pixels high, and its discriminator judges one scale.
# (To save time, it learned without warps, and scaled one side at a time.)
# They were trained beforehand with one seed, for 4500, 4500 and 6000 steps (`benchmarks/ingan.py`, section `ablations`).

# %%
from dil_teach.notebook import enlarged

left_out = {
    "nothing": shipped_picture("ablation", "all"),
    "the reconstruction": shipped_picture("ablation", "no_reconstruction"),
    "the scales": shipped_picture("ablation", "one_scale"),
}


def render_ablation(without):
    return enlarged(left_out[without], 96 // left_out[without].shape[1])


ablation_choice = explore(
    render_ablation,
    {"without": Choice("Left out", tuple(left_out), "nothing")},
    "Coins at twice the width, with {without} left out of the training",
    examples=[{"without": part} for part in left_out],
    live=True,
)

# %% [markdown]
# With all parts there are four rows of round coins, although only the discriminator teaches.
# A few coins of the lowest row still merge with their neighbours.
# Without the reconstruction the picture is much the same: at this size it matters less than expected, but this is only one seed.
# Without the scales *every* coin remains an oval; only its edge and its grain are sharp.
# At this size a patch of 7 x 7 pixels shows a piece of a coin's edge, and a piece of an oval's edge looks the same.
# A discriminator that never sees a whole coin cannot reject an oval.
#
# ## When it fails
#
# Here are three photographs at twice their width, at the coarsest level: a pagoda (danielbuechele, CC BY 2.0), the dahlia, and gravel (CC0Textures, CC0).
# Again only the discriminator teaches; on the gravel it sees patches of 9 x 9 pixels at three scales.

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
# At the coarsest level a patch of 7 x 7 pixels, or 10 x 10 at the second scale, holds a third of a flower, and each such patch occurs once.
# On the way to a second flower the network would have to draw pictures that the discriminator rejects; stretching costs less.
# So it stretches, with sharper petals.
# The paper shows results on fruit, façades, crowds and rows of objects.
#
# *The repeating objects are too small.*
# At the coarsest level, 32 pixels high, the stones are two or three pixels wide.
# There they look like noise, so the network learns noise of the right grain, slanted, and cannot arrange anything.
# A larger coarsest level (`InGANSettings.coarsest`) helps if the objects then have at least five pixels; its cost grows with the square.
# The street front, with its narrow shutters, was trained at 48 pixels.
#
# The losses show neither failure.
# You see it in the picture, and in a completeness and a coherence near 1 or above.

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
# We compare the third number below each picture with that of the photograph:

# %%
shown = ("bicubic", "bidirectional", "GPNN", "InGAN")
print("         photograph" + "".join(f"{method:>15}" for method in shown))
own_recurrence = {}
for name, source in compared.items():
    own_recurrence[name] = recurrence_score(source)
    line = "".join(f"{scores[name, method][2]:15.2f}" for method in shown)
    print(f"{name:9}{own_recurrence[name]:10.2f}{line}")

# %% [markdown]
# Stretching *raises* the score on all four pictures: a stretched patch is smoother, and smooth patches have many matches.
# So a high score is not a sign of quality.
# A good picture has a score close to that of its photograph.
# InGAN is closer than bicubic on all four pictures, but only slightly on the coins and the flower.
# Methods of nearest patches are closer than InGAN on the bricks, farther on the street front and the flower, and about equal on the coins.
# GPNN's flower is the farthest: the garden that it adds is plain, and plain patches recur.
#
# ## Summary
#
# - InGAN draws a picture of another shape with the photograph's patches at all scales.
#   A discriminator that sees only patches teaches it.
#   The reconstruction by the inverse transformation is meant to keep all content; in our ablation it mattered little.
# - Afterwards one network draws *any* size and shape in a fraction of a second.
# - Two copies side by side have a perfect completeness and an almost perfect coherence.
#   These measures find faults; they do not prove that a picture is good.
#   Count the coins.
# - Our network is not the paper's: it is a pyramid of small networks, with a patch loss beside the discriminator.
#   It arranges coins, bricks and windows.
#   In our runs with the discriminator alone it only stretched where nothing repeats at the coarsest level, like bicubic.
# - Nearest patches, which learn nothing, are more complete on all four pictures, as @granot2022 argue.
#   The advantage of a network: once trained, it draws any size in a fraction of a second, and shapes that no seam can follow.
#
# ## References
