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
# If you stretch a photograph of coins to twice its width, the coins become ovals.
# Instead of ovals, we would like to have *more coins*: a picture of another size with the same patches.
# In this chapter a network learns to make such a picture from one photograph alone [@shocher2019].
#
# **After this chapter you can**
#
# - explain how two pictures of different size can have the same [distribution of patches](glossary.md#distribution-of-patches) at all scales;
# - explain how a [generator](glossary.md#generator) and a [discriminator](glossary.md#discriminator) are trained against each other, and why the inverse [transformation](glossary.md#geometric-transformation) is needed;
# - write the training loop yourself;
# - measure a result by its patches, and say why a perfect score does not prove a good result;
# - say on which photographs InGAN fails, and which older method is better on such photographs.
#
# **What you need**: [patches and their recurrence](01_patch_recurrence.ipynb).
# No GPU is needed.
# Reading takes 45 minutes, and computing takes less than 40 seconds (*Run > Run All Cells*).
# The networks of the first part were trained beforehand and ship with the course.
# You train two small networks yourself.

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 25, "standard": 70, "full": 200})

# %% [markdown]
# The setting `budget` changes sizes and numbers of training steps, but never the method.
# The [seed](glossary.md#seed) is fixed, so two runs of the chapter on the same computer give exactly the same pictures.
#
# ## Predict first
#
# Write down your answers to these three questions; the chapter tests each answer.
#
# 1.
#    There are 24 coins in the photograph.
#    How many coins should a picture of twice the width show?
#    Which method do you expect to generate that number of coins?
# 2.
#    Two copies of the photograph, side by side, are also a picture of twice the width.
#    What score do the two copies get from a measure that compares only small patches?
# 3.
#    A photograph shows a single flower in the middle.
#    At twice the width, should there be one wide flower, two flowers, or one flower in a wide garden?
#    What can a network know about the right answer if it has seen only this picture?
#
# ## The smallest demo: another height, another width
#
# We use three photographs and one rendered street front (made for this course, CC0).
# The photographs show coins (Brooklyn Museum, no known copyright restrictions), bricks (CC0Textures, CC0) and a part of the Hubble eXtreme Deep Field (NASA, public domain).
# For each picture, there is a network that was trained on this picture alone:

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
    """Return the photograph at a level of the pyramid."""
    return (ingan.pyramid[level][0] * ingan.deviation + ingan.mean).clamp(0, 1)


# %%
from dil_teach import resize
from dil_teach.image.warp import resizing
from dil_teach.notebook import Choice, Slider, explore

drawn_height = {"quick": 76, "standard": 122, "full": 192}[budget]


def drawn_level(ingan):
    """Return the level of the pyramid that generates the pictures below."""
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
    "on the left stretched, with distorted objects; on the right by InGAN",
    examples=[
        {"photograph": name, "height": 1.0, "width": 2.0}
        for name in ("coins", "facade", "hubble")
    ],
)

# %% [markdown]
# In the stretched pictures on the left, the coins become ovals and the windows become wide.
# In InGAN's picture on the right there are *more* coins, in the same four rows.
# These coins are about as large and as round as in the photograph.
# InGAN's street front has more windows, each between its shutters, and the cornice still slopes down to the right.
# But some windows at the left edge of the street front are too narrow.
# In InGAN's deep field the galaxies stay round, and the small galaxies stay points.
# But InGAN adds almost no new galaxies: the galaxies are farther apart, and some of the faintest are gone.
# Nothing in the photograph tells the network to repeat an object that stands alone.
#
# If you choose the bricks and half the width, the bricks keep their width, but some joints begin or end in the middle of a brick.
# If you choose the coins and half the width, about half of the coins remain, and the edge of the picture cuts some of them.
#
# Nobody told the network what a coin is, or that coins are round.
# Move the sliders: one network generates a picture of any size in a fraction of a second.
#
# ## Theory: the same patches, at all scales
#
# The result should contain all patches of the photograph, and no other patches.
# In other words, the *distribution* of patches should be the same in the photograph and in the result.
# The distributions should agree for patches of 7 x 7 pixels, in the picture itself and in downscaled copies of the picture.
# In a small copy, a patch of 7 x 7 pixels contains a whole coin.
# The paper calls the distribution of an image's patches its 'DNA'.
#
# Chapter 1 compared the patches of an image one by one.
# InGAN does not search for similar patches.
# Instead of a search, InGAN trains two networks against each other, as a [GAN](glossary.md#gan):
#
# - The **discriminator** $D$ sees patches and decides for each patch whether it comes from the photograph.
#   For this decision, $D$ must learn the distribution of the photograph's patches.
#   $D$ sees only one patch at a time, as in a [patch GAN](glossary.md#patch-gan).
#   Therefore $D$ does not know where a patch lies, and it can judge a picture of any size.
# - The **generator** $G$ gets the photograph $x$ and a geometric transformation $T$.
#   $G$ generates $y = G(x; T)$ and tries to make $D$ classify the patches of $y$ as real.
#
# The paper uses the least-squares [adversarial loss](glossary.md#adversarial-loss) [@mao2017].
# $D$ should answer 1 for the photograph's patches and 0 for generated patches.
# $G$ tries to make $D$ answer 1 for generated patches:
#
# $$\mathcal L_D = \tfrac12 \bigl(D(x) - 1\bigr)^2 + \tfrac12\, D(y)^2, \qquad \mathcal L_G = \bigl(D(y) - 1\bigr)^2,$$
#
# Both losses are averaged over all patches.
# *Any* picture made of the photograph's patches would satisfy $\mathcal L_G$, even a picture that repeats a single coin.
# Therefore $G$ must also restore the photograph from $y$ with the inverse transformation:
#
# $$\mathcal L = \mathcal L_G(y) + \lambda\, \bigl\lVert G\bigl(G(x; T);\, T^{-1}\bigr) - x \bigr\rVert_1 .$$
#
# The method of the paper has four more parts:
#
# - A **geometric layer**.
#   The transformation $T$ is not learned: one layer of the generator applies $T$, and the other layers repair the result.
#   Therefore one network can generate pictures of all shapes.
# - A **multi-scale discriminator**.
#   The multi-scale discriminator judges $y$ and as many downscaled copies of $y$ as the size of $y$ allows.
#   In the second exercise, you write a loss at several scales.
# - **Adaptive weights of the scales**.
#   At first the coarse scales have the largest weights, and at the end the fine scales have the largest weights.
# - A **[curriculum](glossary.md#curriculum)**.
#   The transformations are weak at first and grow to full strength.
#
# ## Exercise: there and back
#
# The reconstruction of the photograph needs the inverse transformation $T^{-1}$.
# The simplest transformations are affine: they map the position $(x, y)$ to $A\,(x, y)^\top + b$.
# The centre of the picture is (0, 0), and its edges are at -1 and 1.
# Write `invert(affine)`, which returns the inverse of an affine map.
#
# - `affine`: Float[Tensor, "2 3"], with $A$ in the first two columns and $b$ in the last.
#   The values of `affine` are not limited to [0, 1]; $A$ is invertible.
# - Returns the inverse map in the same form, Float[Tensor, "2 3"].
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
# In which order must you undo these two operations?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Solve $q = A p + b$ for $p$.
# In your formula for $p$, which factor does $q$ have, and which constant is added?
#
# </details>
# <details><summary>Hint 3</summary>
#
# $p = A^{-1} q - A^{-1} b$.
# You need only `torch.linalg.inv` and `torch.cat`.
# `affine[:, 2:]` is the last column of `affine`, as a matrix with one column.
#
# </details>

# %% [markdown]
# ## Exercise: a loss at several scales
#
# Write `multi_scale_loss(discriminator, picture, weights)`, the generator's least-squares loss at several scales.
#
# - `discriminator`: a function from Float[Tensor, "c h w"] to Float[Tensor, "1 h2 w2"]; it returns one value for each patch.
# - `picture`: Float[Tensor, "c h w"] in [0, 1].
# - `weights`: a list of floats, one for each scale, starting with the finest scale.
#   Scale $s$ = 0, 1, ... is the picture downscaled by $1.5^s$: `resize(picture, 1 / 1.5**s)`.
# - Returns one number, a weighted sum over the scales.
#   Each scale contributes the mean of $(D - 1)^2$ over its patches, multiplied by its weight.
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
# What changes from scale to scale?
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
# If you take the mean over the patches of each scale, the influence of a scale depends only on its weight.
#
# </details>

# %% [markdown]
# ## The whole method in twenty lines
#
# Now we combine the parts of InGAN, at one scale and without a pyramid.
# We use the left half of the photograph of coins.
# This half is 32 pixels high and 20 pixels wide, and it shows twelve coins.
# At this size a patch of 7 x 7 pixels contains a whole coin.
# The library provides the two networks and the transformation `resizing`.
# The generator first applies `warp`, so before training it only stretches the photograph.

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
    """Return the coins at another width, normalised in the same way as x."""
    return network([x], resizing(1, width / 20), [(32, width)])


# %% [markdown]
# Each training step chooses a random width between 20 and 40 pixels.
# We use the hinge loss: $D$ should give values above 1 to the photograph's patches and values below -1 to generated patches.
# Instead of the reconstruction loss we use a simpler loss, the identity loss: at the photograph's own width, $G$ should return the photograph.
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
    "divided into two small coins. The last picture is your generator's at 1.5 times "
    "the width.",
    zoom=4,
)

# %% [markdown]
# The stretched picture has twelve ovals.
# In the upper three rows, your generator divided each oval into two nearly round coins.
# The large coins of the lowest row divide last: in this picture they are still ovals.

# %%
from dil_teach.image.metrics import count_objects

tenth = len(losses["generator"]) // 10
print("The mean loss in each tenth of the steps:")
for name, values in losses.items():
    means = torch.tensor(values)[: 10 * tenth].view(10, tenth).mean(1)
    print(f"{name:15}" + "".join(f"{mean:7.2f}" for mean in means.tolist()))
for name in ("stretched", "your generator"):
    number, shape = count_objects(drawn_widths[name])
    print(f"{name:15}{number:4d} coins, width / height {shape:.2f}")

# %% [markdown]
# Nobody told the generator what a coin is.
# No patch of the photograph shows an oval, so the discriminator learns to classify ovals as generated.
# Larger pictures need several scales, more networks, and thousands of steps.
#
# Unlike the losses of other chapters, the losses of the generator and the discriminator do not fall.
# If one network improves, the loss of the other network rises, so a constant loss may mean that both networks are learning.
# Therefore you cannot judge the result by the losses, and training stops after a fixed number of steps.

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
    "your generator's coins are rounder than stretched coins": shape < 1.5,
    "your generator makes at least 18 coins": number >= 18,
    "your generator beats stretching in completeness and coherence": max(nearer) < 0.9,
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
# The paper's network needs hours on a GPU, but our network runs on a laptop.
# Our network differs from the paper's network in these points:
#
# - **A [pyramid](glossary.md#pyramid) of small networks** replaces one large network at full size.
#   The small networks are trained one after another from coarse to fine, as in SinGAN [@shaham2019].
#   The first network arranges the objects in a picture that is 32 pixels high, where a coin is five pixels wide.
#   The other networks add detail to the output of the first network.
# - The transformation acts on the input, not inside the network.
#   Six more input channels tell the network **where each pixel comes from** and how much the picture is stretched there.
# - There are **no normalisation layers**, and the hinge loss replaces the least-squares loss.
#   We trained once with each of these two losses; the results were about equally good.
# - Where the picture is not stretched, a level of the pyramid starts with the **image's own detail**.
#   We also add an **identity loss**: for the identity transformation, the output should equal the photograph.
# - **One discriminator** judges two scales, which differ by a factor of 1.5.
#   The authors use many scales, with one discriminator for each scale.
# - We add a **patch loss**: `patch_distance` measures the distance of each patch from the nearest patch of the other picture, in both directions.
#   This distance is also *the measure by which we compare all methods below*.
#   So InGAN, like bidirectional similarity and GPNN, was optimised for this measure; seam carving and the simple baselines were not.
#   InGAN's network for the flower is an exception: it was trained by the discriminator alone, without the patch loss.
# - The results use an **exponential moving average** of the generator's weights.
#
# ## Train one yourself
#
# Choose a photograph of your own.
# Then select the cell below the button, and choose *Run > Run Selected Cell and All Below* in the menu.
# If you choose no photograph, the chapter uses the coins.
# Choose a photograph of objects that *repeat*, such as fruit on a stall, windows, or books on a shelf.
# In a copy of the photograph that is 32 pixels high, each object should be at least five pixels wide.
# In a portrait nothing repeats, so the network only stretches the face.

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
# With the budget `quick`, the ovals remain and there are no new coins, because 20 steps are far too few.
# On the whole photograph, separate round coins appear after about 2000 steps, first in the upper rows.
# Two thousand steps take some minutes; the setting `budget = "full"` trains that long.
#
# If you press stop during the training, nothing is lost: run the same cell again to continue the training.
#
# The shipped network of the coins was trained for 6000 steps at the coarsest level.
# Move the slider to see how the picture by this network changed during the training:

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
# At first the network only stretches the photograph, and the coins are ovals.
# After 1500 steps the ovals begin to divide; after 2000 steps each oval of the upper rows has become two coins.
# The ovals of the lowest row, which has the largest coins, divide 1500 steps later than the ovals of the upper rows.
# After all ovals have divided, the arrangement of the coins hardly changes, but each coin becomes sharper.
# At the end of the training, the coins stand in four rows, and all coins are round.
#
# ## Not only resizing
#
# The losses do not assume that $T$ is a resizing.
# A [homography](glossary.md#homography) moves the corners of the picture to four other positions, as if the camera were turned.
# A smooth warp moves each point of the picture a little.
# Outside the new shape the picture is black, and the discriminator ignores the black patches.

# %%
import math

from dil_teach.image.warp import SQUARE, homography, smooth_warp, warp

AT = torch.linspace(-1, 1, 9)


# %%
def transformation_of(shape, strength):
    """Return a transformation of this strength (0 to 1) to 1.5 times the size."""
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
    "black outside the shape: on the left warped, on the right by InGAN",
    examples=[
        {"photograph": "coins", "shape": "one side", "strength": 1.0},
        {"photograph": "brick", "shape": "waves", "strength": 1.0},
    ],
)

# %% [markdown]
# In the warped picture on the left, coins become ovals where the shape stretches them, and shrink where the shape narrows.
# In InGAN's picture on the right, the coins keep their size, and there are fewer coins where the shape is narrow.
# The black edge cuts through coins, because the discriminator judges nothing outside the shape.
# InGAN's result has faults: some coins bulge, touch or fade.
# In InGAN's bricks, the columns follow the waves and keep their width.
# But many joints between bricks are lost, and some bricks are several times as long as their neighbours.
#
# Move a corner yourself: click on a point, and the nearest corner of the photograph moves to this point.
# You can also set the row and the column of the corner with the keyboard.

# %%
from dil_teach.notebook import Clickable

canvas = source_at(trained["coins"], 1)
rows, columns = canvas.shape[1:]


def render_corner(row, column):
    place = torch.tensor([2 * column / (columns - 1), 2 * row / (rows - 1)]) - 1
    side = torch.where(place < 0, -1.0, 1.0)
    pulled = SQUARE.clone()
    nearest = (SQUARE == side).all(1)
    pulled[nearest] = side * place.abs().clamp_min(
        0.2
    )  # a smaller value folds the shape
    return remapped_and_warped("coins", homography(pulled, (1.5, 1.5)))


# %%
corner_click = explore(
    render_corner,
    {
        "row": Slider("Row", 0, rows - 1, 36, 1),
        "column": Slider("Column", 0, columns - 1, 14, 1),
    },
    "The coins with a corner moved to row {row}, column {column}, black outside the "
    "shape: on the left warped, on the right by InGAN",
    examples=[{"row": 36, "column": 14}],
    click=Clickable(canvas, alt="The photograph of 24 coins in four rows"),
)

# %% [markdown]
# In this example, the lower left corner was moved inwards.
# In the warped picture the coins lean and shrink towards this corner.
# In InGAN's picture the rows bend with the shape, and near the corner there are fewer coins.
# Not all of InGAN's coins are round: some are long where the transformation both turns and stretches, and two coins at the top have merged.
# Each position of the corner is a new transformation, on which the network was never trained.
# The network generates the picture for a new position in a tenth of a second.
#
# ## Twice as wide: eight methods
#
# Now we compare InGAN with other methods, and with simple [baselines](glossary.md#baseline) that learn nothing.
# *Bicubic* stretches the photograph by bicubic interpolation.
# *Tiled* is two copies of the photograph, side by side.
# The *column warp* repeats whole columns of pixels, and cuts where the joint is least visible.
# *Seam carving* [@avidan2007] repeats connected paths of pixels where a repetition is least visible.
# *Bidirectional similarity* [@simakov2008] and *GPNN* [@granot2022] build the picture from nearest patches of the photograph.
# *Texture expansion* [@zhou2018] also trains a network, which learns to expand a crop to a surrounding block of twice its size.
# Texture expansion always doubles both height and width, so we show the middle rows of its result.
# The training of texture expansion takes half a minute for each photograph, so its pictures ship with the course (`benchmarks/ingan.py`, section `expanded`).
#
# We compare the methods on four pictures.
# The pictures of coins and bricks are 50 pixels high, and the picture of the street front is 48 pixels high.
# The fourth picture is a dahlia (photograph: vultilion, CC BY 2.0), 32 pixels high.
# For the dahlia, InGAN's coarsest level was trained by the discriminator alone, for 4000 steps.

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
    """Return the result of each method for a photograph at twice its width."""
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
# Each picture has three numbers below it.
# The first two numbers are [completeness](glossary.md#completeness) and [coherence](glossary.md#coherence), divided by the values of bicubic.
# For these two numbers, lower is better, and 1.00 means no better than stretching.
# The third number is the [recurrence score](glossary.md#recurrence-score).

# %%
from dil_teach import recurrence_score


def drawn_and_scored(name):
    """Return all pictures, and the completeness, coherence and recurrence of each."""
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
with ThreadPoolExecutor(2) as pool:  # compare two photographs at the same time
    found = pool.map(drawn_and_scored, compared)
    for name, (pictures, numbers) in zip(compared, found, strict=True):
        results[name] = pictures
        scores |= numbers

# %%
ALTS = {
    "coins": "Coins, and eight pictures that are twice as wide. Bicubic and seam "
    "carving show oval coins. Texture expansion shows dented coins in slanting rows. "
    "The other five methods show round coins in four rows.",
    "brick": "Bricks, and eight pictures that are twice as wide. Bicubic shows wide "
    "bricks. Seam carving shows bent joints. The other six methods show narrow bricks.",
    "flower": "A dahlia, and eight pictures that are twice as wide. Bicubic and InGAN "
    "show one oval flower. Tiling and column warp show two flowers. Texture expansion "
    "shows a disc of straight streaks. The other three methods show one round flower.",
    "facade": "A street front, and eight pictures that are twice as wide. Bicubic and "
    "seam carving show wide windows. Texture expansion shows slanting rows of small "
    "windows. The other five methods show more windows.",
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
# The two pictures contain all patches of the photograph and almost no other patches.
# These numbers answer question 2.
# If copies of the photograph are enough for you, use the tiled copy.
# So completeness and coherence show faults of a picture, but they do not prove that the picture is good.
#
# *Coins.*
# The pictures of bicubic and seam carving have 24 wide coins.
# The pictures of bidirectional similarity, GPNN and InGAN all have many round coins.
# Bidirectional similarity and GPNN have better numbers than InGAN, because their patches are copies.
# InGAN's coins show less relief than the copied coins.
# But InGAN's rows of coins are the most even.
# InGAN shows each of the two largest coins once.
# In GPNN's picture, each of the two largest coins appears twice, and the copies have merged.
# The picture of the column warp has dark cuts between some coins.
#
# *Bricks.*
# On the bricks, InGAN's completeness is about as good as that of GPNN and worse than that of bidirectional similarity.
# InGAN's coherence is slightly better than the coherence of these two methods.
# Seam carving bends the joints between the bricks.
#
# *Flower.*
# Seam carving, bidirectional similarity and GPNN keep one round flower in a wider garden, which is what most people would want.
# Tiling and the column warp make two flowers.
# InGAN's flower is as wide as the stretched flower.
# The patches of InGAN's flower are as far from the patches of the photograph as the stretched patches are.
# The network saw one whole flower and the edge of a second flower, but never the rest of the garden (question 3).
#
# *Street front.*
# On the street front, bidirectional similarity and GPNN again have better numbers than InGAN.
# But InGAN's picture is more even: it has straight lines, and more windows side by side.
# Bidirectional similarity breaks the cornice, and GPNN blurs the right side of the picture.
#
# *Texture expansion* works on textures: its bricks look right, although their numbers are worse than those of InGAN and the nearest-patch methods.
# The coins of texture expansion are dented.
# The street front of texture expansion has many windows, but their rows slant, and the walls break.
# The flower of texture expansion is a large disc of straight streaks, because a flower is not a texture.
# In completeness and coherence, the street front and the flower of texture expansion are worse than the stretched pictures by a factor of 1.3 to 2.9.
# None of the eight methods is the best choice on all pictures.
#
# ## Count the coins
#
# We want a picture with more coins, not only a picture with the right patches.
# How many coins does each picture have, and what is the median ratio of a coin's width to its height?

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
# - The *column warp* has 48 coins, because it repeats whole columns of pixels, and each column crosses all four rows of coins.
# - *Bidirectional similarity* and *GPNN* have about 50 coins, and most of these coins are copies of a neighbouring coin.
#   Some coins touch, so the counter may count two coins as one coin, or one coin as two coins.
# - *Texture expansion* has many dented coins that are not in rows.
#   Texture expansion also doubles the height, and we count only the coins in the middle rows, which we show.
# - *InGAN* has about 50 round coins in four rows, including coins that the edge of the picture cuts.
#   But some of InGAN's coins do not exist in the photograph.
#   At the fine levels of the pyramid, a patch is smaller than a coin, so one coin may combine the halves of two different coins.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "on the coins, InGAN beats stretching in completeness and coherence": max(
        scores["coins", "InGAN"][:2]
    )
    < 0.6,
    "on the bricks, InGAN beats stretching": max(scores["brick", "InGAN"][:2]) < 0.6,
    "on the coins, a tiled copy is even better": max(scores["coins", "tiled"][:2])
    < 0.2,
    "stretched coins are wide": counted["bicubic"][1] > 1.7,
    "InGAN's coins are round": counted["InGAN"][1] < 1.3,
    "InGAN has 40 to 60 coins": 40 <= counted["InGAN"][0] <= 60,
}
check_claims(claims)

# %% [markdown]
# ## What each part is for
#
# An [ablation](glossary.md#ablation) leaves out one part of a method at a time.
# In this ablation, all networks were trained without the patch loss, by the discriminator alone.
# The first network has all other parts, and its pictures are 32 pixels high.
# The second network was trained without the reconstruction loss.
# The third network has only one scale: it sees the whole photograph of the coins at a height of 76 pixels, and its discriminator judges one scale.
# (To save time, the third network was trained without warps, and each transformation scaled only one side.)
# All three networks were trained beforehand with one seed, for 4500, 4500 and 6000 steps (`benchmarks/ingan.py`, section `ablations`).

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
    "Coins at twice the width; the part left out of the training is {without}",
    examples=[{"without": part} for part in left_out],
    live=True,
)

# %% [markdown]
# With all parts, the picture has four rows of round coins, although the discriminator alone trains the generator.
# A few coins of the lowest row still merge with their neighbours.
# Without the reconstruction loss, the picture is nearly the same.
# At this size the reconstruction loss matters less than we expected, but we tried only one seed.
# Without several scales, *every* coin remains an oval; only the edge and the grain of the oval are sharp.
# At a height of 76 pixels, a patch of 7 x 7 pixels shows only a piece of a coin's edge, and a piece of an oval's edge looks the same.
# A discriminator that never sees a whole coin cannot learn that ovals are generated.
#
# ## When it fails
#
# The next figure shows three photographs at twice their width, at the coarsest level: a pagoda (danielbuechele, CC BY 2.0), the dahlia, and gravel (CC0Textures, CC0).
# Again the discriminator alone trained the generator.
# For the gravel, the discriminator judged patches of 9 x 9 pixels at three scales.

# %%
show(
    {name: shipped_picture("failure", name) for name in ("china", "flower", "gravel")},
    alt="A pagoda, stretched wide; a dahlia, stretched to an oval; and gravel that "
    "became oblique streaks of black and white specks",
    zoom=3,
)

# %% [markdown]
# *Nothing repeats.*
# The photographs show only one pagoda and only one whole dahlia.
# At the coarsest level, a patch of 7 x 7 pixels (10 x 10 pixels at the second scale) shows a third of the flower.
# Each patch of the flower occurs only once.
# To learn to draw a second flower, the network would first have to generate pictures whose loss is higher than the loss of the stretched flower.
# Therefore the network stretches the flower, but its petals are sharper than those of plain stretching.
# The paper shows results on fruit, façades, crowds and rows of objects.
#
# *The repeating objects are too small.*
# At the coarsest level, which is 32 pixels high, the stones of the gravel are two or three pixels wide.
# Such small stones look like noise.
# Therefore the network learns oblique noise of the right grain size, and cannot arrange stones.
# A larger coarsest level (`InGANSettings.coarsest`) helps if the objects are then at least five pixels wide.
# The cost of the coarsest level grows with the square of its size.
# The network for the street front was trained at a height of 48 pixels, because the shutters are narrow.
#
# The losses show neither of these two failures.
# You can see a failure in the picture, and in values of completeness and coherence that are near 1 or above 1.

# %%
# NBVAL_CHECK_OUTPUT
from dil_teach import psnr

same = psnr(mine.retarget(), small)
flowers = results["flower"]["InGAN"], results["flower"]["bicubic"]
behind = [scores[n, "bidirectional"][0] < scores[n, "InGAN"][0] for n in compared]
claims = {
    "InGAN's flower is like the stretched flower (over 20 dB)": psnr(*flowers) > 20,
    "on the street front, InGAN beats stretching": max(scores["facade", "InGAN"][:2])
    < 0.6,
    "bidirectional similarity is always more complete than InGAN": all(behind),
    "without stretching, your network returns its photograph (over 25 dB)": own
    or same > 25,
}
check_claims(claims)

# %% [markdown]
# ## The thread of the course: the recurrence score
#
# Does a remapped picture have the same internal statistics as its photograph?
# We compare the recurrence score of each picture with the recurrence score of its photograph:

# %%
shown = ("bicubic", "bidirectional", "GPNN", "InGAN")
print("         photograph" + "".join(f"{method:>15}" for method in shown))
own_recurrence = {}
for name, source in compared.items():
    own_recurrence[name] = recurrence_score(source)
    line = "".join(f"{scores[name, method][2]:15.2f}" for method in shown)
    print(f"{name:9}{own_recurrence[name]:10.2f}{line}")

# %% [markdown]
# Stretching *raises* the recurrence score on all four pictures: a stretched patch is smoother, and smooth patches have many matches.
# So a high recurrence score is not a sign of quality.
# A good picture has a score close to the score of its photograph.
# On all four pictures, InGAN's score is closer to the photograph's score than bicubic's score is.
# But on the coins and the flower, InGAN's score is only slightly closer than bicubic's.
# On the bricks, the scores of the two nearest-patch methods are closer to the photograph's score than InGAN's score is.
# On the street front and the flower, InGAN's score is closer than the scores of the nearest-patch methods.
# On the coins, the scores of InGAN and of the nearest-patch methods are about equal.
# The score of GPNN's flower differs most from the score of its photograph, because GPNN adds a smooth garden, and smooth patches recur.
#
# ## Summary
#
# - InGAN generates a picture of another shape with the photograph's patches at all scales.
#   InGAN's generator is trained against a discriminator that sees only patches.
#   The reconstruction by the inverse transformation should keep all content of the photograph; in our ablation, the reconstruction mattered little.
# - After training, one network generates a picture of *any* size and shape in a fraction of a second.
# - Two copies of the photograph side by side have a perfect completeness and an almost perfect coherence.
#   Completeness and coherence find faults; they do not prove that a picture is good.
#   Therefore we also count the coins.
# - Our network differs from the paper's network: it is a pyramid of small networks, trained with a patch loss beside the discriminator.
#   Our network arranges coins, bricks and windows.
#   Where nothing repeats at the coarsest level, our networks that were trained by the discriminator alone only stretched the picture, like bicubic.
# - Nearest-patch methods, which learn nothing, are more complete than InGAN on all four pictures, as @granot2022 argue.
#   The advantage of a network is that it also generates shapes that seam carving cannot produce.
#
# ## References
