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
# We would like to have *more coins* instead: a picture of another size with the same patches.
# In this chapter a network learns to make such a picture from one photograph alone [@shocher2019].
#
# **After this chapter you can**
#
# - explain how two pictures of different size can have the same [distribution of patches](glossary.md#distribution-of-patches) at all scales;
# - explain how a [generator](glossary.md#generator) and a [discriminator](glossary.md#discriminator) are trained against each other, and why the inverse [transformation](glossary.md#geometric-transformation) is needed;
# - write the training loop yourself;
# - measure a result by its patches, and say why a perfect score does not prove a good result;
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
#    Two copies of the photograph, side by side, are also twice as wide.
#    What score do they get from a measure that compares only small patches?
# 3.
#    A photograph shows a single flower in the middle.
#    At twice the width, should there be one wide flower, two flowers, or one flower in a wide garden?
#    What can a network that has seen only this picture know about that?
#
# ## The smallest demo: another height, another width
#
# We use three photographs and one rendered street front (made for this course, CC0).
# The photographs show coins (Brooklyn Museum, no known copyright restrictions), bricks (CC0Textures, CC0) and a part of the Hubble eXtreme Deep Field (NASA, public domain).
# Each has a network that was trained on this picture alone:

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
    """The level of the pyramid that generates the pictures below."""
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
    "left stretched, with distorted objects; right by InGAN",
    examples=[
        {"photograph": name, "height": 1.0, "width": 2.0}
        for name in ("coins", "facade", "hubble")
    ],
)

# %% [markdown]
# On the left the coins become ovals and the windows become wide.
# On the right there are *more* coins, about as large and as round as in the photograph, in the same four rows.
# The street front has more windows, each between its shutters, and the cornice still slopes down to the right.
# But some windows at the left edge are too narrow.
# In the deep field the galaxies stay round, and the small ones stay points.
# But there are almost no new galaxies: they are farther apart, and some of the faintest are gone.
# Nothing in the photograph tells the network to repeat an object that stands alone.
#
# Choose the bricks and half the width: the bricks keep their width, but some joints begin or end in the middle of a brick.
# With the coins, about half of them remain, and the edge cuts some of them.
#
# The network was never told what a coin is, nor that coins are round.
# Move the sliders: one network generates any size in a fraction of a second.
#
# ## Theory: the same patches, at all scales
#
# The result should contain only patches of the photograph, and all of them.
# In other words, the two *distributions* of patches should be the same.
# This should hold for patches of 7 x 7 pixels in the picture itself and in downscaled copies.
# In a small copy, 7 x 7 pixels contain a whole coin.
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
#   It generates $y = G(x; T)$ and tries to make $D$ classify the patches of $y$ as real.
#
# The paper uses the least-squares [adversarial loss](glossary.md#adversarial-loss) [@mao2017].
# $D$ should answer 1 for the photograph's patches and 0 for generated ones, while $G$ tries to make $D$ answer 1:
#
# $$\mathcal L_D = \tfrac12 \bigl(D(x) - 1\bigr)^2 + \tfrac12\, D(y)^2, \qquad \mathcal L_G = \bigl(D(y) - 1\bigr)^2,$$
#
# averaged over all patches.
# *Any* picture made of the photograph's patches would satisfy this loss, even one that repeats a single coin.
# Therefore the same network must also restore the photograph from $y$ with the inverse transformation:
#
# $$\mathcal L = \mathcal L_G(y) + \lambda\, \bigl\lVert G\bigl(G(x; T);\, T^{-1}\bigr) - x \bigr\rVert_1 .$$
#
# The paper has four more parts:
#
# - A **geometric layer**.
#   $T$ is not learned: a layer of the generator applies it, and the other layers repair the result.
#   So one network can generate all shapes.
# - A **multi-scale discriminator**.
#   It judges $y$ and as many downscaled copies of $y$ as its size allows.
#   This is your second exercise.
# - **Adaptive weights of the scales**.
#   At first the coarse scales have the largest weights, and at the end the fine scales.
# - A **[curriculum](glossary.md#curriculum)**.
#   The transformations are weak at first and grow to full strength.
#
# ## Exercise: there and back
#
# The reconstruction needs $T^{-1}$.
# The simplest transformations are affine: they map the position $(x, y)$ to $A\,(x, y)^\top + b$.
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
# What is different at each scale?
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
# If you take the mean at each scale, its influence depends only on its weight.
#
# </details>

# %% [markdown]
# ## The whole method in twenty lines
#
# Now we combine the parts, at one scale and without a pyramid.
# We use the left half of the coins: it is 32 pixels high and 20 wide and shows twelve coins.
# At this size a patch of 7 x 7 pixels contains a whole coin.
# The library provides the two networks and the transformation `resizing`.
# The generator first applies `warp`, so before training it only stretches.

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
    """The coins at another width, normalised in the same way as x."""
    return network([x], resizing(1, width / 20), [(32, width)])


# %% [markdown]
# Each step chooses a random width between 20 and 40 pixels.
# We use the hinge loss: $D$ should answer above 1 for the photograph's patches and below -1 for generated patches.
# Instead of the reconstruction we use a simpler loss, the identity: at the photograph's own width $G$ should return the photograph.
# The results use an exponential moving average of the generator's weights, because the weights themselves never stop changing.

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
    alt="Twelve coins in four rows. At twice the width: the stretched photograph has "
    "twelve ovals; in your generator's picture, each oval of the upper three rows has "
    "divided into two small coins. Last, your generator's picture at 1.5 times.",
    zoom=4,
)

# %% [markdown]
# The stretched picture has twelve ovals.
# In the upper three rows, your generator divided each oval into two nearly round coins.
# The large coins of the lowest row are the last to divide: here they are still ovals.

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
# No patch of the photograph shows an oval, so the discriminator learns to reject ovals.
# Larger pictures need several scales, more networks, and thousands of steps.
#
# Unlike the losses of other chapters, these two losses do not fall.
# If one network improves, the loss of the other rises, so a constant loss may mean that both are learning.
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
    "your generator's coins are rounder": shape < 1.5,
    "it makes at least 18 coins": number >= 18,
    "its completeness and coherence beat stretching": max(nearer) < 0.9,
}
check_claims(claims)

# %% [markdown]
# ## The method in the library
#
# Compare your loop with the library's training step, and see how the generator makes one level of the pyramid:

# %%
from dil_teach.deep.ingan.ingan import InGAN, InGANSettings
from dil_teach.notebook import show_source

show_source(InGAN.train_step)
show_source(Generator.draw_level)

# %% [markdown]
# The paper's network needs hours on a GPU; ours runs on a laptop.
# These are the differences:
#
# - **A [pyramid](glossary.md#pyramid) of small networks** replaces one large network at full size.
#   They are trained one after another from coarse to fine, as in SinGAN [@shaham2019].
#   The first network arranges the objects in a picture 32 pixels high, where a coin is five pixels wide.
#   The others add detail to its output.
# - The transformation acts on the input, not inside the network.
#   Six more channels tell the network **where each pixel comes from** and how much the picture is stretched there.
# - There are **no normalisation layers**, and the hinge loss replaces least squares.
#   We compared both losses in one run; the results were about equally good.
# - Where nothing is stretched, a level starts with the **image's own detail**.
#   We also add an **identity loss**: for the identity transformation, the output should equal the photograph.
# - **One discriminator** judges two scales, 1.5 times apart; the authors have one for each of many scales.
# - We add a **patch loss**: `patch_distance` measures how far patches are from the nearest patch of the other picture, in both directions.
#   It is *the measure by which we compare all methods below*.
#   So InGAN, like bidirectional similarity and GPNN, was optimised for this measure; seam carving and the simple baselines were not.
#   The flower is the exception: its network was trained by the discriminator alone.
# - The results use an **exponential moving average** of the generator's weights.
#
# ## Train one yourself
#
# Choose a photograph of your own, then select the cell below the button and *Run > Run Selected Cell and All Below*.
# If you choose none, the chapter uses the coins.
# Choose a photograph of objects that *repeat*, such as fruit on a stall, windows, or books on a shelf.
# They should be at least five pixels wide in a picture 32 pixels high.
# In a portrait nothing repeats, so the network only stretches it.

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
panel = LivePanel(alt=f"The network's output for {subject} at twice the width")

# %%
from dil_teach import train

for progress in train(mine, report_every=steps // 2):
    panel.update(progress, mine.retarget(1, 2))

# %% [markdown]
# With `quick` the ovals remain and there are no new coins, because 20 steps are far too few.
# On the whole photograph, separate round coins appear after about 2000 steps, first in the upper rows.
# This takes some minutes; `budget = "full"` trains that long.
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
    alt="Coins at twice the width after {step} steps: wide ovals at first, which later "
    "divide into round coins in four rows",
)

# %% [markdown]
# At first the network only stretches, and the coins are ovals.
# After 1500 steps the ovals begin to divide; after 2000 steps each oval of the upper rows has become two coins.
# The lowest row, with the largest coins, follows 1500 steps later.
# After that the arrangement hardly changes, but each coin becomes sharper.
# At the end the coins stand in four rows, and all are round.
#
# ## Not only resizing
#
# The losses do not assume that $T$ is a resizing.
# A [homography](glossary.md#homography) moves the corners of the picture to four other positions, as if the camera were turned.
# A smooth warp moves each point a little.
# The picture is black outside the shape, and the discriminator ignores patches there.

# %%
import math

from dil_teach.image.warp import SQUARE, homography, smooth_warp, warp

AT = torch.linspace(-1, 1, 9)


# %%
def transformation_of(shape, strength):
    """The named transformation, with strength 0 to 1, to 1.5 times the size."""
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
    "The photograph ({photograph}) in another shape ({shape}, strength {strength}), "
    "black outside: left warped, right by InGAN",
    examples=[
        {"photograph": "coins", "shape": "one side", "strength": 1.0},
        {"photograph": "brick", "shape": "waves", "strength": 1.0},
    ],
)

# %% [markdown]
# On the left, coins become ovals where the shape stretches them, and shrink where the shape narrows.
# On the right they keep their size, and there are fewer coins where the picture is narrow.
# The black edge cuts through coins, because the discriminator judges nothing outside it.
# The result has faults: some coins bulge, touch or fade.
# The columns of bricks follow the waves and keep their width.
# But many joints between bricks are lost, and some bricks are several times as long as their neighbours.
#
# Move a corner yourself: click on a point, and the nearest corner of the photograph moves there.
# You can also set its row and column with the keyboard.

# %%
from dil_teach.notebook import Clickable

canvas = source_at(trained["coins"], 1)
rows, columns = canvas.shape[1:]


def render_corner(row, column):
    place = torch.tensor([2 * column / (columns - 1), 2 * row / (rows - 1)]) - 1
    side = torch.where(place < 0, -1.0, 1.0)
    pulled = SQUARE.clone()
    nearest = (SQUARE == side).all(1)
    pulled[nearest] = side * place.abs().clamp_min(0.2)  # otherwise the shape folds
    return remapped_and_warped("coins", homography(pulled, (1.5, 1.5)))


# %%
corner_click = explore(
    render_corner,
    {
        "row": Slider("Row", 0, rows - 1, 36, 1),
        "column": Slider("Column", 0, columns - 1, 14, 1),
    },
    "The coins with a corner moved to row {row}, column {column}, black outside: left "
    "warped, right by InGAN",
    examples=[{"row": 36, "column": 14}],
    click=Clickable(canvas, alt="The coins, 24 in four rows"),
)

# %% [markdown]
# Here the lower left corner was moved inwards.
# In the warped picture the coins lean and shrink towards it.
# In InGAN's picture the rows bend with the shape, and near the corner there are fewer coins.
# Not all coins are round: some are long where the transformation both turns and stretches, and two at the top have merged.
# Each position of the corner is a new transformation, on which the network was never trained.
# The network generates its result in a tenth of a second.
#
# ## Twice as wide: eight methods
#
# Now we compare InGAN with other methods, and with simple [baselines](glossary.md#baseline) that learn nothing.
# *Bicubic* stretches.
# *Tiled* is two copies of the photograph, side by side.
# The *column warp* repeats whole columns and cuts where the joint is least visible.
# *Seam carving* [@avidan2007] repeats connected paths of pixels where a repetition is least visible.
# *Bidirectional similarity* [@simakov2008] and *GPNN* [@granot2022] rebuild the picture from nearest patches.
# *Texture expansion* [@zhou2018] also trains a network, which learns to expand a crop to a surrounding block of twice its size.
# It always doubles both height and width, so we show the middle rows of its result.
# Its training takes half a minute for each photograph, so its pictures ship with the course (`benchmarks/ingan.py`, section `expanded`).
#
# There are four pictures.
# The coins and the bricks are 50 pixels high, and the street front 48.
# The fourth is a dahlia (photograph: vultilion, CC BY 2.0), 32 pixels high.
# For the dahlia, the discriminator alone trained InGAN's coarsest level, for 4000 steps.

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
    """Each method's result for a photograph at twice its width."""
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
# The first two are [completeness](glossary.md#completeness) and [coherence](glossary.md#coherence), divided by the values of bicubic.
# Lower is better, and 1.00 is no better than stretching.
# The third is the [recurrence score](glossary.md#recurrence-score).

# %%
from dil_teach import recurrence_score


def drawn_and_scored(name):
    """All methods' pictures, and completeness, coherence and recurrence of each."""
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
    "coins": "Coins, and eight pictures that are twice as wide. Bicubic and seam "
    "carving: oval coins. Texture expansion: dented coins in slanting rows. The other "
    "five: round coins in four rows.",
    "brick": "Bricks, and eight pictures that are twice as wide. Bicubic: wide bricks. "
    "Seam carving: bent joints. The other six: narrow bricks.",
    "flower": "A dahlia, and eight pictures that are twice as wide. Bicubic and InGAN: "
    "one oval flower. Tiling and column warp: two flowers. Texture expansion: a large "
    "disc of straight streaks. The other three: one round flower.",
    "facade": "A street front, and eight pictures that are twice as wide. Bicubic and "
    "seam carving: wide windows. Texture expansion: slanting rows of small windows. "
    "The other five: more windows.",
}

# %%
for name, pictures in results.items():
    panels = {f"the photograph ({name})": compared[name]}
    for method, picture in pictures.items():
        lost_share, added_share, recurs = scores[name, method]
        panels[f"{method}\n{lost_share:.2f} {added_share:.2f} {recurs:.2f}"] = picture
    show(panels, alt=ALTS[name], zoom=2)

# %% [markdown]
# **The tiled copy and the column warp have the best numbers on all photographs**, although they contain nothing new.
# They contain all patches of the photograph and almost no other patch.
# This answers question 2.
# If a copy is enough for you, use one.
# So the numbers show faults of a picture, but they do not prove that it is good.
#
# *Coins.*
# Bicubic and seam carving keep 24 wide objects.
# The pictures of bidirectional similarity, GPNN and InGAN all have many round coins.
# The first two have better numbers, because their patches are copies; InGAN's coins show less relief.
# But InGAN's rows are the most even.
# It shows the two largest coins once each; in GPNN's picture each appears twice, and the copies have merged.
# The column warp has dark cuts between some coins.
#
# *Bricks.*
# InGAN's completeness is about as good as GPNN's and worse than that of bidirectional similarity; its coherence is slightly better than both.
# Seam carving bends the joints.
#
# *Flower.*
# Seam carving, bidirectional similarity and GPNN keep one round flower in a wider garden, which is what most people would want.
# Tiling and the column warp make two flowers.
# InGAN's flower is as wide as the stretched one, and its patches are as far from the photograph's.
# The network saw one whole flower and the edge of a second, but never the rest of the garden (question 3).
#
# *Street front.*
# Again the two nearest-patch methods have better numbers, but InGAN's picture is more even: it has more windows side by side, and straight lines.
# Bidirectional similarity breaks the cornice, and GPNN blurs the right side.
#
# *Texture expansion* works on textures: its bricks look right, although their numbers are worse than those of InGAN and the nearest-patch methods.
# Its coins are dented.
# Its street front has many windows, but their rows slant, and the walls break.
# Its flower is a large disc of straight streaks, because a flower is not a texture.
# By completeness and coherence, both are farther from the photograph than the stretched picture: by a factor of 1.3 to 2.9.
# Each method has a picture on which it is the best choice.
#
# ## Count the coins
#
# The goal is coins, not patches.
# How many coins are there, and what is the median ratio of a coin's width to its height?

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
# - *Tiled* has 48 round coins, but the largest coins are in the middle of the picture, next to the joint.
# - The *column warp* has 48 coins, because it repeats whole columns, and so the same coins in all four rows.
# - *Bidirectional similarity* and *GPNN* have about 50 coins, most of them copies of a neighbour.
#   Some touch, so the counter may count two coins as one, or one as two.
# - *Texture expansion* has many dented coins that are not in rows.
#   It generates a picture that is also twice as high, and we show only the middle of it.
# - *InGAN* has about 50 round coins in four rows, including coins that the edge cuts.
#   But some of its coins do not exist in the photograph.
#   At the fine levels a patch is smaller than a coin, so one coin may combine the halves of two different coins.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "coins: InGAN's completeness and coherence beat stretching": max(
        scores["coins", "InGAN"][:2]
    )
    < 0.6,
    "bricks: both beat stretching, too": max(scores["brick", "InGAN"][:2]) < 0.6,
    "coins: a tiled copy scores even better": max(scores["coins", "tiled"][:2]) < 0.2,
    "stretched coins are wide": counted["bicubic"][1] > 1.7,
    "InGAN's coins are round": counted["InGAN"][1] < 1.3,
    "InGAN has 40 to 60 coins": 40 <= counted["InGAN"][0] <= 60,
}
check_claims(claims)

# %% [markdown]
# ## What each part is for
#
# An [ablation](glossary.md#ablation) leaves out one part at a time.
# Here all networks are trained without the patch loss, by the discriminator alone.
# The first has all other parts, at a height of 32 pixels.
# The second has no reconstruction loss.
# The third has only one scale: one network sees the coins 76 pixels high, and its discriminator judges one scale.
# (To save time, it was trained without warps, and each transformation scaled only one side.)
# All were trained beforehand with one seed, for 4500, 4500 and 6000 steps (`benchmarks/ingan.py`, section `ablations`).

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
    "Coins at twice the width; left out of the training: {without}",
    examples=[{"without": part} for part in left_out],
    live=True,
)

# %% [markdown]
# With all parts there are four rows of round coins, although the discriminator alone trains the generator.
# A few coins of the lowest row still merge with their neighbours.
# Without the reconstruction loss the picture is nearly the same: at this size the loss matters less than expected, but we tried only one seed.
# Without the scales *every* coin remains an oval; only its edge and its grain are sharp.
# At this size a patch of 7 x 7 pixels shows only a piece of a coin's edge, and a piece of an oval's edge looks the same.
# A discriminator that never sees a whole coin cannot reject an oval.
#
# ## When it fails
#
# Here are three photographs at twice their width, at the coarsest level: a pagoda (danielbuechele, CC BY 2.0), the dahlia, and gravel (CC0Textures, CC0).
# Again the discriminator alone trains the generator; on the gravel it judges patches of 9 x 9 pixels at three scales.

# %%
show(
    {name: shipped_picture("failure", name) for name in ("china", "flower", "gravel")},
    alt="A pagoda, stretched wide; a dahlia, stretched to an oval; and gravel that "
    "became oblique streaks of black and white specks",
    zoom=3,
)

# %% [markdown]
# *Nothing repeats.*
# There is one pagoda and one whole dahlia.
# At the coarsest level a patch of 7 x 7 pixels, or 10 x 10 at the second scale, shows a third of a flower, and each such patch occurs once.
# To learn a second flower, the network would first have to generate pictures that the discriminator rejects, and stretching has a lower loss.
# So it stretches the flower, with petals sharper than those of plain stretching.
# The paper shows results on fruit, façades, crowds and rows of objects.
#
# *The repeating objects are too small.*
# At the coarsest level, 32 pixels high, the stones are two or three pixels wide.
# There they look like noise, so the network learns oblique noise of the right grain size and cannot arrange stones.
# A larger coarsest level (`InGANSettings.coarsest`) helps if the objects are then at least five pixels wide; its cost grows with the square of the size.
# The street front, with its narrow shutters, was trained at a height of 48 pixels.
#
# The losses show neither failure.
# You can see it in the picture, and in a completeness and a coherence near 1 or above.

# %%
# NBVAL_CHECK_OUTPUT
from dil_teach import psnr

same = psnr(mine.retarget(), small)
flowers = results["flower"]["InGAN"], results["flower"]["bicubic"]
behind = [scores[n, "bidirectional"][0] < scores[n, "InGAN"][0] for n in compared]
claims = {
    "InGAN's flower is like the stretched one (over 20 dB)": psnr(*flowers) > 20,
    "street front: InGAN beats stretching": max(scores["facade", "InGAN"][:2]) < 0.6,
    "bidirectional similarity is more complete on all four": all(behind),
    "unstretched, your network returns the photograph (over 25 dB)": own or same > 25,
}
check_claims(claims)

# %% [markdown]
# ## The thread of the course: the recurrence score
#
# Does a remapped picture have the internal statistics of its photograph?
# We compare each picture's recurrence score, its third number, with the score of the photograph:

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
# The nearest-patch methods are closer than InGAN on the bricks, less close on the street front and the flower, and about equal on the coins.
# The score of GPNN's flower differs most from its photograph's: GPNN adds a smooth garden, and smooth patches recur.
#
# ## Summary
#
# - InGAN generates a picture of another shape with the photograph's patches at all scales.
#   It is trained against a discriminator that sees only patches.
#   The reconstruction by the inverse transformation should keep all content; in our ablation it mattered little.
# - After training, one network generates *any* size and shape in a fraction of a second.
# - Two copies side by side have a perfect completeness and an almost perfect coherence.
#   These measures find faults; they do not prove that a picture is good.
#   So also count the coins.
# - Our network is not the paper's: it is a pyramid of small networks, with a patch loss beside the discriminator.
#   It arranges coins, bricks and windows.
#   Where nothing repeats at the coarsest level, our networks trained by the discriminator alone only stretched the picture, like bicubic.
# - Nearest-patch methods, which learn nothing, are more complete on all four pictures, as @granot2022 argue.
#   The advantage of a network is that it also generates shapes that no seam can follow.
#
# ## References
