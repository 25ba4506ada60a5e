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
# # 15 · Double-DIP: what else is a sum of two layers?
#
# [Chapter 14](14_double_dip_layers.ipynb) took pictures apart into two layers and a mask.
# Here the same model, without a new line, takes away haze and watermarks and follows a figure through a film.
# What changes is what the letters stand for, and what is known of them.
#
# **After this chapter you can**
#
# - write haze, a watermark, a reflection and a figure on its ground as one [composition](glossary.md#composition), and say what the mask is in each;
# - say why haze has to be added, and taken away, in [linear light](glossary.md#linear-light);
# - solve the composition for a layer, and tell when that beats a network's own drawing of it;
# - name the [control](glossary.md#control) of each application, and the pictures on which it wins.
#
# **What you need**: [chapter 14](14_double_dip_layers.ipynb).
# No GPU.
# Reading takes 40 minutes, computing less than 40 seconds (*Run > Run All Cells*).

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 35, "standard": 100, "full": 300})

# %% [markdown]
# `budget` changes sizes and numbers of steps, never the method.
# The [seed](glossary.md#seed) is stated: run the chapter twice on one computer and you get the same pictures, bit for bit.
#
# ## A hazy photograph: ours, or yours
#
# Choose a hazy photograph of your own (a street in fog, hills on a summer day), then select the cell below the button, and *Run > Run Selected Cell and All Below*.
# Without one you get an alley which is *rendered*: over a known depth, haze was added, so that every layer is known.
# (It is made of textures from CC0Textures, CC0, and of our own street front.)

# %%
from dil_teach.notebook import upload

button = upload("A hazy photograph of your own")

# %%
from dil_teach.image.scenes import scene
from dil_teach.notebook import uploaded_image

alley = {n: i.to(device()) for n, i in scene("haze_alley").images.items()}
side = {"quick": 128, "standard": 192, "full": 256}[budget]
chosen = uploaded_image(button.value, default=alley["image"], max_side=side)
hazy = chosen[:3].to(device())
own = chosen is not alley["image"]
clear = None if own else alley["clear"]  # of yours nobody knows it
subject = "your photograph" if own else "an alley of brick walls"

# %% [markdown]
# ## Predict first
#
# Write your answers down; each is tested below.
#
# 1.
#    Two things can be wrong when haze is taken away: the map of how thick it is, or the *colour* of the haze, three numbers.
#    Which of the two errors does more harm?
# 2.
#    A watermark lies over three photographs.
#    It could be taken away from each by itself, or from all three together.
#    What does a single photograph not tell?
# 3.
#    Patches of a clear photograph [recur](glossary.md#recurrence).
#    In the same photograph under haze, do more patches have a [good match](glossary.md#good-match), or fewer?
#
# ## The smallest demo: one formula, four pictures
#
# The only model of chapter 14 was
#
# $$I = m \cdot y_1 + (1 - m) \cdot y_2 .$$
#
# Four pictures of which every layer is known, and one function that should make them all:

# %%
star, reflection, mark = scene("star"), scene("mix_cat"), scene("watermark")


def compose(front, back, mask):
    return mask * front + (1 - mask) * back


white = torch.tensor(mark.known["colour"])[:, None, None]
share = torch.tensor(reflection.known["coefficients"][0])
star, reflection, mark = star.images, reflection.images, mark.images
haze_layers = [alley[name].cpu() for name in ("clear", "airlight", "transmission")]
parts = {
    "a figure": (star["front"], star["back"], star["mask"]),
    "a reflection": (*reflection["layers"], share),
    "haze": haze_layers,
    "a watermark": (mark["clean"][0], white, 1 - mark["alpha"]),
}

# %%
shipped = {
    "a figure": star["image"],
    "a reflection": reflection["mixtures"][0],
    "haze": alley["image"].cpu(),
    "a watermark": mark["marked"][0],
}
off = {
    name: 255 * float((compose(*parts[name]) - picture).abs().max())
    for name, picture in shipped.items()
}
for name, levels in off.items():
    print(f"{name:13} off by {levels:4.1f} grey levels at most")

# %%
import torch.nn.functional as F

from dil_teach import resize
from dil_teach.notebook import show


def column(front, back, mask, whole):
    rows = [picture.expand(3, 128, 128) for picture in (front, back, mask, whole)]
    tall = torch.cat([F.pad(row, (0, 0, 4, 0), value=1) for row in rows], dim=1)
    return resize(tall, scale=0.75).clamp(0, 1)


show(
    {name: column(*parts[name], whole) for name, whole in shipped.items()},
    alt="Four columns, from top to bottom front layer, back layer, mask and picture: a "
    "star of brick on gravel, a cat mixed with a second photograph, a brick alley with "
    "pale haze behind a mask that darkens into the distance, a cat under white letters",
    zoom=1,
)

# %% [markdown]
# In each column stand, from the top: the front layer, the back layer, the mask (white: the front is seen), and the picture.
# The reflection's mask is one grey for the whole picture, and the back layers of haze and watermark are single colours.
# That is what makes one problem easier than another:
#
# | | front $y_1$ | back $y_2$ | mask $m$ | what else is known |
# |---|---|---|---|---|
# | figure and ground (chapter 14) | the figure | the ground | black or white | hints; each has a texture of its own |
# | reflection (chapter 14) | one scene | another scene | one number | their edges do not coincide |
# | **haze** | the scene | the [airlight](glossary.md#airlight): one colour, or a smooth layer | the [transmission](glossary.md#transmission), which changes with depth alone | light is not negative |
# | **watermark** | the photograph | one colour | 1 - [alpha](glossary.md#alpha) | alpha is the same in each picture, and most of it is 0 |
# | **film** | the figure in each frame | the ground in each frame | black or white | neighbouring frames are nearly the same; figure and ground move apart |
#
# Three pictures come out to a rounding error.
# Haze does not, though all its layers are the right ones: the numbers printed above say by how much.
# What is wrong with it?
#
# ## Exercise: haze
#
# Light adds.
# The numbers in a file are not light but a code for it, sRGB, that spends more of its 256 steps on the dark.
# Haze lays light over light, *before* the camera writes its code.
# So the composition holds in linear light, $I = t J + (1 - t) A$: $J$ the clear scene, $A$ the airlight, $t$ the transmission, which falls as $e^{-\beta d}$ with the distance $d$ [@narasimhan2002].
# (A watermark is laid over the *file* by a program, and there the codes do add.)
#
# Write `haze(clear, transmission, airlight)`.
#
# - `clear`: Float[Tensor, "3 h w"] in [0, 1], sRGB as in a file.
# - `transmission`: Float[Tensor, "1 h w"] in [0, 1], 1 where there is no haze.
# - `airlight`: Float[Tensor, "3 1 1"] in [0, 1], sRGB.
# - Returns the hazy picture, Float[Tensor, "3 h w"] in [0, 1], sRGB.
#
# `to_linear` takes sRGB values to linear light and `to_srgb` takes them back.
# Expected run time: a few milliseconds.

# %% tags=["exercise"]
from dil_teach.image.colour import to_linear, to_srgb


def haze(clear, transmission, airlight):
    ### BEGIN SOLUTION
    light = transmission * to_linear(clear) + (1 - transmission) * to_linear(airlight)
    return to_srgb(light)
    ### END SOLUTION


# %%
from dil_teach.course import check

check.haze(haze)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Which of the three arguments are codes, and which is a share?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Two things have to be taken to light before they are added, and the sum has to be taken back.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `compose`, from the demo, may be used as it is: it does not ask whether it is given light or codes.
#
# </details>

# %% [markdown]
# ## Exercise: the front layer, in closed form
#
# Once the mask and the back layer are known, the front needs no network: solve the composition for it.
# One difficulty remains.
# Where the mask is nearly 0 hardly anything of the front is seen, and whatever is seen (noise, rounding) would be divided by almost nothing.
# So the mask is not allowed below a *floor* when something is divided by it.
#
# Write `front_layer(image, mask, back, floor)`.
#
# - `image`: Float[Tensor, "c h w"], codes or light; its values are those of the layers.
# - `mask`: Float[Tensor, "1 h w"] in [0, 1].
# - `back`: Float[Tensor, "c h w"], or "c 1 1" where it is one colour.
# - `floor`: a float above 0.
# - Returns the front, Float[Tensor, "c h w"], not cut off at 0 or 1.
#   Where the mask is 0 it should be the back layer: neither black nor infinite.
#
# Expected run time: a few milliseconds.


# %% tags=["exercise"]
def front_layer(image, mask, back, floor):
    ### BEGIN SOLUTION
    return back + (image - back) / mask.clamp_min(floor)
    ### END SOLUTION


# %%
check.front_layer(front_layer)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Write the composition with the front alone on one side: what is taken away, and what is divided?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Write it as a *difference* from the back layer: how much farther from it is the front than the image?
#
# </details>
# <details><summary>Hint 3</summary>
#
# image - back = mask * (front - back).
# `clamp_min` holds the mask above the floor.
#
# </details>

# %% [markdown]
# The same line takes away haze (with `to_linear` before and `to_srgb` after) and a watermark (with `1 - alpha` for the mask).
# **Only the composition's letters have changed.**
# The rest of the chapter is about where mask and back layer come from.
#
# ## Haze: the dark channel
#
# First the [control](glossary.md#control), which learns nothing.
# In a clear outdoor picture there is nearly everywhere, save in the sky, within a few pixels, something dark in at least one of the three channels: a shadow, a leaf, a brick.
# The minimum over channels and window, the [dark channel](glossary.md#dark-channel), is close to 0 [@he2011].
# In haze that place holds $(1-t)\,A$ instead of 0, so the dark channel of $I/A$ is $1 - t$: a map of the haze.

# %%
from dil_teach.classical.haze.dark_channel import (
    brightest_haze,
    dark_channel,
    dark_channel_transmission,
)
from dil_teach.notebook import show_source

show_source(dark_channel_transmission)

# %%
from dil_teach.image.guided_filter import guided_filter


def by_hand(image, linear_airlight, radius, patch=7):
    """The transmission by the dark channel, laid along the picture's edges."""
    light = to_linear(image)[None]
    rough = dark_channel_transmission(light, linear_airlight, patch)
    return guided_filter(image[None], rough, radius, eps=1e-3)[0].clamp(0.05, 1)


# %% [markdown]
# The window makes the map blocky, and the [guided filter](glossary.md#guided-filter) lays it along the outlines of the picture again [@he2010].
# (0.95 leaves a little haze on purpose: without any, far things look near.)

# %%
linear_hazy = to_linear(hazy)[None]
airlight = brightest_haze(linear_hazy, patch=7)
transmission = by_hand(hazy, airlight, radius=16)
shown = {
    "its dark channel": dark_channel(linear_hazy, 7)[0],
    "transmission": transmission,
}
if not own:
    shown["true transmission"] = alley["transmission"]
    shown["dark channel of the truth"] = dark_channel(to_linear(clear)[None], 7)[0]

# %%
show(
    shown,
    alt=f"The dark channel of {subject}, pale where the haze is thick; the map of "
    "transmission made of it, dark grey far away, much like the true one beside it, "
    "but with bricks in it; the dark channel of the clear picture, black nearly "
    "everywhere",
    zoom=1,
)

# %% [markdown]
# Bright is thick haze in the first picture, and near is bright in the second.
# The last picture shows the prior at work: the clear alley is dark nearly everywhere, though not quite, and where it is not (the pale windows, the mortar of the bricks) the second picture takes paleness for haze: bricks appear in a map in which only depth should.
#
# Two knobs decide on the result.
# *Airlight*: how bright the haze itself is assumed to be.
# *Smoothness*: over how many pixels the guided filter averages.


# %%
from dil_teach.classical.haze.dark_channel import remove_haze
from dil_teach.notebook import strip


def take_away(image, linear_airlight, transmission):
    """Haze taken away in closed form: in light, and then as a file has it."""
    light = remove_haze(to_linear(image)[None], transmission[None], linear_airlight)
    return to_srgb(light)[0]


def render_haze(brightness, smoothness):
    assumed = (brightness * airlight).clamp(0.05, 1)
    t = by_hand(hazy, assumed, smoothness)
    pictures = {
        "airlight": to_srgb(assumed)[0].expand_as(hazy),
        "transmission": t,
        "haze taken away": take_away(hazy, assumed, t),
    }
    return strip(pictures, zoom=1)


# %%
from dil_teach.notebook import Slider, explore

haze_controls = {
    "brightness": Slider("Airlight (times the estimate)", 0.7, 1.3, 1.0, 0.05),
    "smoothness": Slider("Smoothness (radius in pixels)", 1, 40, 16, 1),
}

# %%
haze_slider = explore(
    render_haze,
    haze_controls,
    "The assumed airlight, the transmission and the result, the airlight {brightness} "
    "times the estimate and the transmission smooth over {smoothness} pixels",
    examples=[
        {"brightness": 1.0, "smoothness": 16},
        {"brightness": 0.8, "smoothness": 16},
    ],
    live=True,
)

# %% [markdown]
# Too dark an airlight, and the far end breaks: what is brighter than the haze itself cannot be explained by haze.
# Too bright, and some haze stays everywhere.
# Smoothness is the milder knob: with a small radius the map keeps the blocks of the minimum, with a large one it copies the outlines of the picture, bricks and all.
# Question 1 asks which of the two errors does more harm.
# Four scenes with one airlight, each error alone:

# %%
from dil_teach import psnr

errors = []
print("scene          airlight estimated  transmission estimated   both")
for name in ("haze_lake", "haze_alley", "haze_garden", "haze_square"):
    known = {n: i.to(device()) for n, i in scene(name).images.items()}
    picture, true_t = known["image"], known["transmission"]
    true_air = to_linear(known["airlight"])[None]
    air = brightest_haze(to_linear(picture)[None], patch=7)
    guesses = ((air, true_t), (true_air, by_hand(picture, true_air, 16)))
    guesses += ((air, by_hand(picture, air, 16)),)
    results = [take_away(picture, a, t) for a, t in guesses]
    errors.append([psnr(result, known["clear"]) for result in results])
    print(f"{name:14}" + "".join(f"{decibels:15.1f} dB" for decibels in errors[-1]))
wrong_airlight, wrong_transmission, both_wrong = torch.tensor(errors).mean(dim=0)

# %% [markdown]
# The first column has the *true* map of the haze and a wrong colour; the second the true colour and a map made by ten lines of code.
# In the mean **the airlight does more harm**: three numbers against 16,384.
# (It is so by far on the lake and in the garden; in the alley and on the square the map does a little more harm.)
# The reason is in the closed form, $J = A + (I - A)/t$: where the haze is thick, $t$ is small, and the error of $A$ is multiplied by $1/t - 1$, by nine at $t = 0.1$, over the whole far half of the picture and in the same direction.
# The errors of $t$ differ from place to place, and the far scene is near $A$ anyway.
# A method that is *given* the airlight has been given most of the answer; keep that in mind when tables are compared.

# %% [markdown]
# ## Haze: the upper envelope
#
# Can the map be bettered?
# Light is not negative: $J \ge 0$, so $I \ge (1-t)\,A$ in each channel, and
#
# $$t \;\ge\; 1 - \min_c \frac{I_c}{A_c} .$$
#
# Every pixel gives a **lower bound** of its own transmission, and only where something is really dark does the bound hold with equality.
# Here it is along one row of the alley, with the true airlight:

# %%
from dil_teach.notebook import curves

row, columns = 40, range(128)
true_air = to_linear(alley["airlight"])[None]
bound = 1 - (to_linear(alley["image"]) / true_air[0]).amin(dim=0)
too_high = float((bound > alley["transmission"][0] + 0.02).float().mean())
control_t = by_hand(alley["image"], true_air, radius=16)[0]

# %%
show(
    curves(
        {
            "lower bound of each pixel": (columns, bound[row].tolist()),
            "dark channel, guided": (columns, control_t[row].tolist()),
            "truth": (columns, alley["transmission"][0, row].tolist()),
        },
        xlabel="column [pixels]",
        ylabel="transmission",
    ),
    alt="Three curves along a row of the alley: the lower bound jumps at each brick "
    "and never passes the truth, a smooth valley along its highest points; the dark "
    "channel's map jumps as well and runs above the truth in the valley",
)

# %% [markdown]
# The truth runs along the *tops* of the jagged curve (or a little above, where nothing is quite black): it is its [upper envelope](glossary.md#upper-envelope).
# The dark channel's map is too high at the far end of the alley, where its window borrows the bound of nearer walls, and too low at the window on the right (columns 98 to 104), where nothing is dark.
# It also copies the bricks.
#
# Double-DIP takes the envelope for what is known of the mask.
# This is all that turns the model of chapter 14 into a method for haze:

# %%
from dil_teach import Dehazing, DehazingSettings
from dil_teach.deep.double_dip.dehazing import envelope, roughness

show_source(Dehazing.train_step)
show_source(envelope)
show_source(roughness)

# %% [markdown]
# - **Envelope.**
#   A bound *above* the map costs 0.9 of the difference, one below only 0.1.
#   The best map then has nine of ten bounds under it.
#   (The loss is also known as pinball loss; at 0.5 it is the median.)
# - **Roughness.**
#   $-\log t = \beta d$ is depth, up to a factor, and depth is smooth, save where colours change.
# - **The airlight comes first**, and is held.
#   Its tint is found by what this course is about: patches that [recur](glossary.md#recurrence) nearer and farther differ by haze alone, and their colours fade along lines that meet in the airlight [@bahat2016].
#   Its brightness is taken from the haziest part, extrapolated to where no contrast would be left.
# - The front layer is drawn by a network, the mask is a coarse grid that is interpolated, the back layer one colour.
#
# **Stopping rule**: the number of steps in the budget.

# %%
import dataclasses

from dil_teach import train
from dil_teach.notebook import LivePanel

steps = {"quick": 40, "standard": 200, "full": 400}[budget]
haze_settings = DehazingSettings(steps=steps, seed=seed)
dehazing = Dehazing(hazy, settings=haze_settings)
panel = LivePanel(alt="The transmission as it is known so far")

# %%
for progress in train(dehazing, report_every=dehazing.total_steps // 3):
    panel.update(progress, dehazing.transmission())

# %% [markdown]
# The losses level off within the first half of the steps.
# The error of reconstruction is small soon, for map and airlight are nearly right from the start and the network need only find the colours; how good the *map* is it does not say.

# %%
haze_free = dehazing.haze_free()
versions = {
    "under haze": hazy,
    "control: dark channel": take_away(hazy, airlight, transmission),
    "Double-DIP, closed form": haze_free,
    "the network's own layer": to_srgb(dehazing.dip.layers().front[0]),
}
show(
    versions,
    alt=f"{subject} under haze; with most of it taken away by the control, still pale "
    "at the far end; clearer by Double-DIP; and the network's own layer, a "
    "grey-brown blur",
    truth=clear,
    zoom=1,
)

# %% [markdown]
# The network's own layer is a blur without bricks: in so few steps a network draws what is smooth.
# That is no loss, for it is not asked for the result.
# **The closed form takes the map and the airlight from what was learned and every detail from the given picture.**
#
# What does it owe to the airlight?
# The same alley once more, and now the method is *given* the true colour:

# %%
from dil_teach import fit

side_settings = dataclasses.replace(haze_settings, steps=steps // 2)
known = scene("haze_alley").known["airlight"]
told = fit(Dehazing(alley["image"], airlight=known, settings=side_settings))
versions["closed form, airlight given"] = told.haze_free()
haze_score = {}
for name, version in versions.items():
    if not own:
        haze_score[name] = psnr(version, clear)
        print(f"{name:28}{haze_score[name]:5.1f} dB")
print("The method says:", dehazing.doubts() or "no doubts.")

# %% [markdown]
# The envelope and the airlight of recurring patches are worth one and a half to two decibels over the control here, most of it colour: the captions, which are of brightness alone, differ by little.
# Knowing the airlight is worth about two more.
# If the method voices a doubt about the airlight of the alley, it is right: even at the far end a fifth of the wall's light comes through, so that nowhere is the airlight seen alone.
# (The control here is ten lines with settings that we chose for this picture.
# Other settings of window and filter, chosen *with the truth* for this picture, gain half a decibel.)
# The printed figures are of all three channels.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "mixing codes instead of light is over 30 grey levels off": off["haze"] > 30,
    "no pixel's bound is above the truth by over 0.02": too_high == 0,
    "a wrong airlight costs more than a wrong map": bool(
        wrong_airlight < wrong_transmission - 0.5
    ),
}
for other in () if own else ("control: dark channel", "the network's own layer"):
    gain = haze_score["Double-DIP, closed form"] - haze_score[other]
    claims[f"the closed form beats {other} by over 1 dB"] = gain > 1
check_claims(claims)

# %% [markdown]
# ## Haze: an airlight that is not uniform
#
# In smoke before a window, or near a low sun, the airlight is brighter on one side.
# Then the back layer cannot be one colour, but it may still be *smooth*: the same model with another letter, a quadratic function of the place.
# (Rendered from the coffee cup, Rachel Michetti; the cat, Stéfan van der Walt; the astronaut, NASA; and CC0Textures' bricks.)

# %%
gallery = {n: i.to(device()) for n, i in scene("haze_gallery").images.items()}
picture = gallery["image"]
by_airlight = {
    name: Dehazing(picture, non_uniform=varies, settings=side_settings)
    for name, varies in (("one colour", False), ("a smooth layer", True))
}

# %%
from dil_teach import fit_all

fit_all(by_airlight.values())  # side by side, as far as there are cores
freed = {name: method.haze_free() for name, method in by_airlight.items()}
gallery_score = {n: psnr(image, gallery["clear"]) for n, image in freed.items()}

# %%
pictures = {"under haze": picture, "clear": gallery["clear"]}
airlights = {"": torch.ones_like(picture), "true": gallery["airlight"]}
for name, method in by_airlight.items():
    pictures[f"by {name}\n{gallery_score[name]:.1f} dB"] = freed[name]
    airlights[name] = method.airlight()[0].expand_as(picture)
stacked = zip(pictures, pictures.values(), airlights.values(), strict=True)
show(
    {title: torch.cat([above, below], dim=1) for title, above, below in stacked},
    alt="A gallery in smoke; the clear gallery over its true airlight, cream on the "
    "right and bluish on the left; a result with a blue cast on the left over one "
    "cream colour; and one with less of that cast over a smooth airlight",
    zoom=1,
)

# %% [markdown]
# Above the pictures, below their airlights.
# With one colour for all the left half turns blue: its haze *was* bluish, and what a cream airlight does not explain is left to the wall.
# A smooth layer has the right tendency, from bluish to cream, is too bright all over, takes the blue away and leaves a reddish cast instead: a gain of about one decibel.
# It is not more, for the colour of haze and its thickness are hard to tell apart when both may change from place to place.

# %% [markdown]
# ## Watermark: three photographs that share it
#
# Now the mask is $1 - \alpha$ and the back layer one colour.
# Neither changes from photograph to photograph, and everything else does.
# That is the whole idea: of the gradients at one place, in three photographs, the *median* is the mark's, for where there is no mark they have nothing in common [@dekel2017].
# From this outline $\alpha$ and colour are then found by descent: what is left when the mark is taken away should be smooth, in all three.
# This is the **total-variation start**, and our control.
#
# Double-DIP [@gandelsman2019] adds what a network knows: one network draws all three clean photographs, and the composition has to explain the marked ones.
# (`front` and `back` are the other way round in the library: its front is the mark.)

# %%
from dil_teach import WatermarkRemoval, WatermarkSettings

show_source(WatermarkRemoval.train_step)

# %%
cut = (..., slice(12, 116), slice(12, 116)) if budget == "quick" else (...,)
marked, clean, alpha = (mark[n][cut].to(device()) for n in ("marked", "clean", "alpha"))
steps = {"quick": 30, "standard": 100, "full": 300}[budget]
mark_settings = WatermarkSettings(steps=steps, seed=seed)
shared = WatermarkRemoval(marked, settings=mark_settings)

# %%
for progress in train(shared, report_every=shared.total_steps // 3):
    print(f"step {progress.step}: variation {progress.losses['variation']:.4f}")

# %% [markdown]
# No box, no outline, no colour was given.
# What the total-variation start minimised hardly changes any more when the network trains.
# **Stopping rule**: the number of steps in the budget.
# (Not the best reconstruction: two grey layers could reconstruct very well.)

# %%
import math

inside = alpha > 0.02  # the truth: it scores, and does nothing else


def score_inside(image, truth):
    """PSNR in dB over the marked pixels only."""
    error = (image - truth)[inside.expand_as(truth)].square().mean()
    return -10 * math.log10(error)


# %%
by_three = shared.clean()
versions = {
    "as given": marked,
    "total-variation start": shared.clean_by_start(),
    "Double-DIP, closed form": by_three,
    "the network's own layer": shared.dip.layers().back,
}
mark_score = {
    name: [score_inside(*pair) for pair in zip(images, clean, strict=True)]
    for name, images in versions.items()
}

# %%
for name, values in mark_score.items():
    print(f"{name:25}" + "".join(f"{decibels:7.1f}" for decibels in values) + "  dB")
changed = float(((by_three - marked).abs() * (shared.opacity() == 0)).max())
print(f"where it found no mark it changes {255 * changed:.1f} grey levels at most")
show(
    {name: images[0] for name, images in versions.items()},
    alt="A cat's face under white letters and a ring; without any trace of them by the "
    "total-variation start and by Double-DIP, which look the same; the network's own "
    "layer, a brown blur; and the truth",
    truth=clean[0],
    zoom=1,
)

# %% [markdown]
# Some eighteen decibels over the marked pixels, and hardly a trace of the mark.
# (The captions are of the whole picture.)
# Three things to take home:
#
# - **The control has done the work.**
#   Training changes its result by a fraction of a decibel, and at this budget for the worse: the network would have to know the photographs better than the composition does, and it knows less.
# - **The network's own layer is a blur.**
#   That a network draws smooth things first is why it can part layers at all, and why its drawing is no result.
#   The closed form takes opacity and colour from the model and *every detail from the given picture*.
# - **Where it found no mark nothing changes**, not by one grey level: where $\alpha = 0$ the closed form is the identity.
#   A network's drawing would have changed everything a little.
#
# ## Watermark: one photograph and a box
#
# Take two of the three away.
# A box round the mark is given instead, and as a second control *inpainting*: throw away all that lies under the mark, and lay the smoothest surface into the hole [@damelin2018].
# To be generous, inpainting is given the true outline of the mark, which the method has to find.

# %%
from dil_teach.classical.inpainting import biharmonic

top, left, *size = scene("watermark").known["box"]
moved = marked.shape[-1] != 128  # the pictures were cut out at row and column 12
box = (top - 12 * moved, left - 12 * moved, *size)
short = dataclasses.replace(mark_settings, steps=mark_settings.steps // 2)
chosen = {"cat": 0, "cup": 2}
one_each = {
    what: WatermarkRemoval(marked[number][None], box, short)
    for what, number in chosen.items()
}

# %%
fit_all(one_each.values())
alone = {what: removal.clean()[0] for what, removal in one_each.items()}
outline = F.max_pool2d(inside.float(), 3, stride=1, padding=1)
inpainted = {what: biharmonic(marked[n], outline) for what, n in chosen.items()}
one_score = {}
for what, number in chosen.items():
    results = {
        "three photographs": by_three[number],
        "one photograph and a box": alone[what],
        "inpainting, outline given": inpainted[what],
    }
    one_score[what] = [score_inside(i, clean[number]) for i in results.values()]
    for name, decibels in zip(results, one_score[what], strict=True):
        print(f"{what}: {name:26}{decibels:5.1f} dB")

# %%
from dil_teach.notebook import Choice


def render_mark(photographs, of):
    number, removal = chosen[of], shared
    cleaned = by_three[number]
    if photographs == "one":
        removal, cleaned = one_each[of], alone[of]
    pictures = {
        "opacity found": (2 * removal.opacity()).clamp(0, 1),
        "mark taken away": cleaned,
        "inpainting": inpainted[of],
        "truth": clean[number],
    }
    return strip(pictures, zoom=1)


# %%
mark_choice = explore(
    render_mark,
    {
        "photographs": Choice("Photographs with this mark", ("one", "three"), "one"),
        "of": Choice("Shown", ("cat", "cup"), "cat"),
    },
    "The opacity found from {photographs} photograph(s); the {of} with the mark taken "
    "away by it; by inpainting; and the truth",
    examples=[
        {"photographs": "one", "of": "cat"},
        {"photographs": "three", "of": "cat"},
    ],
)

# %% [markdown]
# Look at the *opacity found*.
# From three photographs it is the letters, the ring and little else.
# From the cat alone it is letters, ring, an eye and half of the fur: in one picture nothing says that a pale stroke of fur is not a stroke of the mark, and both are 'what has to be taken away to leave something smooth'.
# That is question 2: a single picture does not tell what belongs to the mark and what to the photograph.
# It is not a question of better training.
#
# So on the cat **inpainting wins by far**: it was told the outline, fur is much the same everywhere, and the strokes are thin enough to be bridged.
# On the cup it is the other way round.
# The saucer under the mark is plain, so that $\alpha$ is found nearly right; and under the letters lie the spoon's handle and the rim of the cup, which no smooth surface invents, but which *are there in the picture*, dimmed to a half.
# Inpainting throws away what the composition can bring back.
# It wins where nobody can tell what to take away, and where little is lost by throwing away.

# %%
# NBVAL_CHECK_OUTPUT
before, start, closed, network = map(min, mark_score.values())
ahead = {what: scores[2] - scores[1] for what, scores in one_score.items()}
claims = {
    "three photographs: over 12 dB gained inside the mark": closed > before + 12,
    "training changes the start's result by under 1.5 dB": abs(closed - start) < 1.5,
    "the network's own layer is over 8 dB worse": network < closed - 8,
    "where it found no mark nothing changes": changed == 0,
    "one photograph: inpainting wins on the cat": ahead["cat"] > 2,
    "and loses on the cup": ahead["cup"] < -2,
}
check_claims(claims)

# %% [markdown]
# ## Exercise: flicker
#
# A film of masks may be right in each frame by itself and still boil along the outline.
# Write `flicker(masks, motion)`, which measures it for a film that moves by whole pixels.
#
# - `masks`: Float[Tensor, "t 1 h w"] in [0, 1], one for each frame.
# - `motion`: a list of t - 1 pairs `(down, right)` in whole pixels: how far everything moves from each frame to the next.
#   What lies at row $y$ lies at row $y$ + down in the next frame.
# - Returns one float: the mean over the pairs of neighbouring frames of the mean absolute difference between the later mask and the earlier one, moved along.
#   Pixels that only one of the two frames shows are left out.
#
# Expected run time: a few milliseconds.


# %% tags=["exercise"]
def flicker(masks, motion):
    ### BEGIN SOLUTION
    height, width = masks.shape[-2:]
    total = 0.0
    for before, after, (down, right) in zip(masks[:-1], masks[1:], motion, strict=True):
        rows = slice(max(down, 0), height + min(down, 0))
        columns = slice(max(right, 0), width + min(right, 0))
        moved = before.roll((down, right), (-2, -1))
        total += (after - moved)[..., rows, columns].abs().mean().item()
    return total / len(motion)
    ### END SOLUTION


# %%
check.flicker(flicker)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Two frames, and the second shows everything one row lower.
# Which row of the first belongs to row 5 of the second?
#
# </details>
# <details><summary>Hint 2</summary>
#
# `roll` moves a mask, but what leaves it below comes in again above.
# Which rows and columns are then to be left out?
#
# </details>
# <details><summary>Hint 3</summary>
#
# Moved down by 2, the first two rows are unknown; moved down by -2, the last two.
# `max(down, 0)` and `height + min(down, 0)` are the ends of what is left.
#
# </details>

# %% [markdown]
# ## Film: one network for all frames
#
# A film is a set of pictures with one composition each, and the same two networks for all of them: each frame has a code of its own, and the codes of neighbouring frames are nearly the same, so that what the networks draw changes little from frame to frame.
# The mask is one small function of the texture at a pixel, and it is the *same* function in all frames.
# Hints are given for the first frame only.
#
# And a film has what no picture has: things move, and what moves together belongs together.
# [Optical flow](glossary.md#optical-flow) says for each pixel how far down and right it has gone in the next frame [@zach2007], and these two numbers join the features that the mask is a function of.
# The cuts, too, go through all frames at once: a border between a pixel and the place to which it moved costs as much as one between neighbours.
#
# To see whether that helps, each mask is carried back by the motion of the figure, which of this rendered film is known, and compared with its neighbour's: the [flicker](glossary.md#flicker) of your exercise, for motions that are no whole pixels.

# %%
count, wide = {"quick": (3, 64), "standard": (4, 96), "full": (8, 128)}[budget]
film = scene("video_figure")


def smaller(pictures):
    made = [resize(p, size=(wide, wide)).clamp(0, 1) for p in pictures]
    return torch.stack(made).to(device())


frames, true_masks = (smaller(film.images[n][:count]) for n in ("frames", "masks"))
hints = [
    (smaller(film.images[f"{name}_hint"][None])[0] > 0.5).float()
    for name in ("foreground", "background")
]

# %%
from dil_teach import Segmentation, SegmentationSettings
from dil_teach.classical.segmentation.grab_cut import grab_cut

steps = {"quick": 30, "standard": 60, "full": 150}[budget]
film_settings = getattr(SegmentationSettings, budget)(steps=steps, seed=seed)
together = Segmentation(frames, *hints, film_settings)
one_by_one = [Segmentation(frame, *hints, film_settings) for frame in frames]

# %%
fit_all([together, *one_by_one])
film_masks = {"all frames together": together.mask()}
film_masks["GrabCut, each frame"] = torch.stack([grab_cut(f, *hints) for f in frames])
film_masks["Double-DIP, each frame"] = torch.stack(
    [segmentation.mask() for segmentation in one_by_one]
)


# %% tags=["algorithm"]
def held_still(masks, known):
    """Each mask carried back to where the figure was in the first frame."""
    size = masks.shape[-1]
    still = []
    for mask, (down, right), turn in zip(
        masks, known["figure_motion"], known["figure_turn"], strict=False
    ):
        angle, scale = math.radians(turn), size / 128
        cy, cx = (scale * at for at in known["figure_centre"])
        at = torch.arange(size, device=mask.device) + 0.5
        y, x = (at - cy)[:, None], (at - cx)[None]
        there_y = cy + scale * down + math.cos(angle) * y + math.sin(angle) * x
        there_x = cx + scale * right + math.cos(angle) * x - math.sin(angle) * y
        grid = torch.stack([there_x, there_y], dim=-1) / size * 2 - 1
        still.append(F.grid_sample(mask[None], grid[None], align_corners=False)[0])
    return torch.stack(still)


# %%
boil, overlap = {}, {}
for name, masks in ({"truth": true_masks} | film_masks).items():
    boil[name] = float(held_still(masks, film.known).diff(dim=0).abs().mean())
    both = torch.minimum(masks, true_masks).sum(dim=(1, 2, 3))
    either = torch.maximum(masks, true_masks).sum(dim=(1, 2, 3))
    overlap[name] = float((both / either).mean())
    print(f"{name:24}overlap {overlap[name]:.2f}, flicker {100 * boil[name]:.1f} %")


def render_film(frame):
    shown = {"frame": frames[frame - 1], "truth": true_masks[frame - 1]}
    shown |= {name: masks[frame - 1] for name, masks in film_masks.items()}
    return strip(shown, zoom=2 if wide == 64 else 1)


# %%
film_slider = explore(
    render_film,
    {"frame": Slider("Frame", 1, count, 1, 1)},
    "Frame {frame}: a cat's face gliding over a cup, its true mask, a white patch, and "
    "three masks found: the face with hardly any, some and all of the spoon's bowl",
    examples=[{"frame": 1}, {"frame": count}],
    live=True,
)

# %% [markdown]
# Step through the frames and watch the spoon below the cat.
# Its greys are the cat's greys, and nothing in one frame says where the cat ends.
# GrabCut (chapter 14) models the colours of the two layers; it decides anew in each frame how much of the spoon is cat, and so it flickers most.
# Double-DIP on each frame by itself takes the bowl of the spoon for cat in all frames, which is wrong and rather calm.
# All frames together settle it, or nearly so at this size: the spoon moves left with the cup, the cat moves right.
# Without the motion that was different: one frame at a time the texture says nearly the same, so averaging masks over frames could not help; the same wrong spoon came back with less noise.
#
# (One frame at a time, both methods take the first frame's hints for every frame.
# The edges of the film's masks are soft, which makes them calmer by itself. The truth's own flicker is not 0, for its outline is moved by fractions of a pixel. At this size the flicker of one pixel along the outline is about three percent. A figure that stands still before a still camera has no motion to be told by, and is told by its texture alone.)
#
# **Low flicker is no merit by itself.**
# A black mask has none.
# Read both columns.
#
# Haze in a film has one airlight for all frames.
# Here Double-DIP has all of them, and the control one at a time:

# %%
wall = scene("video_haze").images
hazy_film, clear_film = (smaller(wall[n][:count]) for n in ("frames", "clear"))
freed_film = fit(Dehazing(hazy_film, settings=side_settings)).haze_free()
airs = [brightest_haze(to_linear(frame)[None], patch=7) for frame in hazy_film]
each = [take_away(f, a, by_hand(f, a, 8)) for f, a in zip(hazy_film, airs, strict=True)]
film_score = {
    "control, each frame": psnr(torch.stack(each), clear_film),
    "Double-DIP, all frames": psnr(freed_film, clear_film),
}
for name, decibels in film_score.items():
    print(f"{name:24}{decibels:.1f} dB")


# %%
def render_haze_film(frame):
    films = {"under haze": hazy_film, "control": each, "Double-DIP": freed_film}
    films["clear"] = clear_film
    return strip({name: film[frame - 1] for name, film in films.items()}, zoom=2)


haze_film_slider = explore(
    render_haze_film,
    {"frame": Slider("Frame", 1, count, 1, 1)},
    "Frame {frame}: a dahlia and a pagoda before a wall under haze; by the control, "
    "with the wall white; by Double-DIP, with the wall a greyish violet; and clear, "
    "with it dark",
    examples=[{"frame": 1}],
    live=True,
)

# %% [markdown]
# The wall behind is dark and far away, and even where the haze is thickest a part of it is seen.
# The control takes that mixture for the airlight, which is then too dark, and its wall comes out white.
# Double-DIP takes an airlight that is brighter than anything in the picture, and comes nearer; a seam of haze is left round the pagoda.
# What was said of one picture holds for a film: the airlight decides.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "Double-DIP's masks overlap the truth by over 0.85": overlap["all frames together"]
    > 0.85,
    "they overlap it more than GrabCut's of each frame": overlap["all frames together"]
    > overlap["GrabCut, each frame"],
    "they flicker less than half as much": boil["all frames together"]
    < boil["GrabCut, each frame"] / 2,
    "the hazy film gains over 2 dB on the control": film_score["Double-DIP, all frames"]
    > film_score["control, each frame"] + 2,
}
check_claims(claims)

# %% [markdown]
# ## The thread of the course: the recurrence score
#
# Does haze change how much of a picture [recurs](glossary.md#recurrence-score)?
# (In the 64 x 64 pixels in the middle.)

# %%
from dil_teach import recurrence_score

recurring = {"under haze": hazy, "haze taken away": haze_free}
if not own:
    recurring["clear"] = clear
recurs = {}
for name, picture in recurring.items():
    top, left = (max(size - 64, 0) // 2 for size in picture.shape[1:])
    recurs[name] = recurrence_score(picture[:, top : top + 64, left : left + 64])
    print(f"{name:16}{recurs[name]:.2f}")

# %% [markdown]
# Under haze *more* patches find a good match, not fewer (question 3), and taking the haze away brings the score back down.
# Haze multiplies all contrasts by $t$.
# A brick at the far end keeps a fifth of its contrast, within two grey levels of its neighbours, and patches that nobody can tell apart count as alike.
# A high score is no praise here: it is what a photograph has that has lost its detail.
# It also says why haze is hard on all that this course does: the examples are there, but they teach nothing.
# (Chapter 08, planned, will ask the question differently: a near patch and a far one that are the *same* in the clear scene no longer match under haze, for each has a contrast of its own; from such pairs the airlight can be found.)

# %% [markdown]
# ## When it fails: a scene with sky
#
# Two more scenes, and this time the method's own opinion is printed with the result.
# (Photograph of the pagoda: danielbuechele, CC BY 2.0; of the dahlia: vultilion, CC BY 2.0; both as scikit-learn ships them.)

# %%
smooth_ends = {
    name: {n: i.to(device()) for n, i in scene(name).images.items()}
    for name in ("haze_lake", "haze_garden")
}
doubtful = {
    name: Dehazing(images["image"], settings=side_settings)
    for name, images in smooth_ends.items()
}

# %%
fit_all(doubtful.values())
doubts = {}
for name, images in smooth_ends.items():
    method, wanted = doubtful[name], images["clear"]
    made, found_map = method.haze_free(), method.transmission()
    doubts[name] = method.doubts()
    wrong = (found_map - images["transmission"]).square().mean().sqrt()
    print(f"{name}: {psnr(made, wanted):.1f} dB, the map is off by {wrong:.2f}")
    print(f"  says: {doubts[name] or 'no doubts'}")
    if name == "haze_lake":
        lake = {"under haze": images["image"], "result": made, "clear": wanted}
        lake |= {"map found": found_map, "true map": images["transmission"]}

# %%
show(
    lake,
    alt="A pagoda before a lake and a pale sky; the result, clear, with rosy and blue "
    "stains in the sky; the truth; the map found, black in the sky and over the lake; "
    "and the true map, a dark grey there",
    zoom=1,
)

# %% [markdown]
# The pagoda is well, the sky is not.
# A clear sky is *bright in every channel*.
# There is nothing dark in it, so that the bounds lie far below the truth, and no smoothness lifts them, for the sky is large and ends in an outline.
# The map says 'hardly anything is seen through this haze', and whatever the picture holds there, rounding included, is multiplied by ten.
# It shows as stains.
# No loss and no network repairs this: sky and opaque haze look alike, and the picture does not say which it is.
#
# A method can notice that, and say so: contrast falls with transmission, and where the haziest part has none at all, it may be sky.
# That is a suspicion and no proof.
# The garden has no sky: its far end is a hedge out of focus, just as smooth, and the doubt is right for another reason, that the airlight of a smooth part cannot be told from the paint.
# A white wall, snow, a pale dress near by mislead it in the same way, and not all of them are noticed.
# When *your* photograph has much sky, look at the rest of the picture, or give the airlight.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "the method doubts its result on the scene with sky": doubts["haze_lake"]
    is not None,
    "and on the one with a smooth far end": doubts["haze_garden"] is not None,
    "a smooth airlight beats one colour on the gallery by over 0.5 dB": (
        gallery_score["a smooth layer"] > gallery_score["one colour"] + 0.5
    ),
}
check_claims(claims)

# %% [markdown]
# ## Summary
#
# - Figure and ground, a reflection, haze and a watermark are one composition with other letters; haze is composed in light, the others in the codes of the file.
# - Where mask and back layer are known, the front follows in closed form, with all the detail that the image has.
#   The networks are there to find mask and back layer, not to draw the result.
# - Each pixel bounds the transmission from below, so that the map of haze is an upper envelope; but three numbers, the airlight's, may decide more than the map.
# - What several pictures share can be told apart from what they do not share.
#   One picture alone does not hold that knowledge, and there inpainting, which knows nothing of the mark, may win.
# - A control belongs beside every result, and a method should say itself where it is unsure.
#
# Further reading: two other ways to find the airlight and the map, from the lines that the colours of one surface form in haze [@fattal2014], and from pairs of patches that recur at different distances [@bahat2016], which chapter 08, planned, will take up.
#
# ## References
